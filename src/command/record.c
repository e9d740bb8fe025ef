/* SPDX-License-Identifier: Apache-2.0 */
#include "command/record.h"

#include <isa-l.h>
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"

static const uint8_t record_magic[4] = {'S', 'G', 'R', 'C'};

static void put_member(struct cursor *c, struct member m)
{
    cursor_put8(c, m.module);
    cursor_put64(c, m.incarnation);
}

static struct member get_member(struct cursor *c)
{
    struct member m;
    m.module = cursor_get8(c);
    m.incarnation = cursor_get64(c);
    return m;
}

static void put_members(struct cursor *c, const struct members *set)
{
    must(set->count <= 2 * MODULE_MAX);
    cursor_put8(c, set->count);
    for (int i = 0; i < set->count; i++)
        put_member(c, set->at[i]);
}

static void get_members(struct cursor *c, struct members *set)
{
    memset(set, 0, sizeof *set);
    set->count = cursor_get8(c);
    if (set->count > 2 * MODULE_MAX) {
        c->failed = true;
        set->count = 0;
    }
    for (int i = 0; i < set->count; i++) {
        set->at[i] = get_member(c);
        if (set->at[i].module >= MODULE_MAX)
            c->failed = true;
    }
}

uint32_t record_encode(const struct record *record, uint8_t *out)
{
    struct cursor c = cursor_of(out, RECORD_BYTES_MAX);
    cursor_put_bytes(&c, record_magic, sizeof record_magic);
    cursor_put16(&c, RECORD_VERSION);
    cursor_put64(&c, record->generation);
    cursor_put64(&c, record->epoch);
    cursor_put8(&c, record->group);
    put_member(&c, record->primary);
    put_members(&c, &record->in_sync);
    put_members(&c, &record->previous);
    put_member(&c, record->dirty);
    cursor_put64(&c, record->cut);
    cursor_put64(&c, record->lease);
    cursor_put32(&c, record->claims);
    cursor_put8(&c, record->owner);
    cursor_put8(&c, record->clean);
    cursor_put16(&c, DRIVE_MAX);
    cursor_put_bytes(&c, record->drive_state, DRIVE_MAX);
    uint32_t length = (uint32_t)(c.at - out);
    cursor_put32(&c, crc32_iscsi(out, (int)length, 0xFFFFFFFFu));
    must(!c.failed);
    return length + 4;
}

bool record_decode(const uint8_t *bytes, uint32_t length, struct record *out)
{
    memset(out, 0, sizeof *out);
    if (length < 10 || length > RECORD_BYTES_MAX || memcmp(bytes, record_magic, 4) != 0)
        return false;
    uint8_t copy[RECORD_BYTES_MAX];
    memcpy(copy, bytes, length);
    if (crc32_iscsi(copy, (int)length - 4, 0xFFFFFFFFu) != be32_at(copy + length - 4))
        return false;
    struct cursor c = cursor_of(copy + 4, length - 8);
    if (cursor_get16(&c) != RECORD_VERSION)
        return false;
    out->generation = cursor_get64(&c);
    out->epoch = cursor_get64(&c);
    out->group = cursor_get8(&c);
    out->primary = get_member(&c);
    get_members(&c, &out->in_sync);
    get_members(&c, &out->previous);
    out->dirty = get_member(&c);
    out->cut = cursor_get64(&c);
    out->lease = cursor_get64(&c);
    out->claims = cursor_get32(&c);
    out->owner = cursor_get8(&c);
    out->clean = cursor_get8(&c) != 0;
    if (cursor_get16(&c) != DRIVE_MAX)
        return false;
    cursor_get_bytes(&c, out->drive_state, DRIVE_MAX);
    for (int i = 0; i < DRIVE_MAX; i++)
        if (out->drive_state[i] > DRIVE_STATE_STALE)
            return false;
    return !c.failed && cursor_left(&c) == 0;
}

const char *drive_state_name(enum drive_state state)
{
    static const char *const names[] = {"good", "failed", "stale"};
    return names[state];
}
