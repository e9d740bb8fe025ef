/* SPDX-License-Identifier: Apache-2.0 */

/* The LUN directory and its changes as bytes.
 *
 *   format 1; last host id 2; version 8
 *   hosts: count 2; id 2, name 32, user as text
 *   initiators: count 2; host 2, name as text
 *   maps: count 4; host 2, LUN 2, group 1, volume 2, uuid 16, name 32
 *
 * A text is its length, 1, and its bytes. The first format began with the version, whose first byte
 * was 0, and had maps of everybody alone. */

#include "base/must.h"
#include "command/directory.h"

enum { FORMAT = 2, ENTRY_BYTES = 2 + 1 + 2 + 16 + NAME_BYTES };

static void put_text(struct cursor *c, const char *text)
{
    size_t length = strlen(text);
    must(length <= UINT8_MAX);
    cursor_put8(c, (uint8_t)length);
    cursor_put_bytes(c, text, length);
}

/* `out` holds `bytes`; what is behind the text is zero. */
static void get_text(struct cursor *c, char *out, size_t bytes)
{
    uint8_t length = cursor_get8(c);
    memset(out, 0, bytes);
    if (length >= bytes) {
        c->failed = true;
        return;
    }
    cursor_get_bytes(c, out, length);
    if (memchr(out, 0, length))
        c->failed = true;
}

static void get_name(struct cursor *c, char out[NAME_BYTES])
{
    cursor_get_bytes(c, out, NAME_BYTES);
    out[NAME_BYTES - 1] = 0;
}

uint32_t directory_bytes(const struct directory *d)
{
    size_t bytes = 1 + 2 + 8 + 2 + 2 + 4 + (size_t)d->count * (2 + ENTRY_BYTES);
    for (uint16_t h = 0; h < d->hosts; h++)
        bytes += 2 + NAME_BYTES + 1 + strlen(d->host[h].user);
    for (uint16_t i = 0; i < d->initiators; i++)
        bytes += 2 + 1 + strlen(d->initiator[i].name);
    return (uint32_t)bytes;
}

uint32_t directory_encode(const struct directory *d, uint8_t *out, uint32_t capacity)
{
    struct cursor c = cursor_of(out, capacity);
    cursor_put8(&c, FORMAT);
    cursor_put16(&c, d->last_host);
    cursor_put64(&c, d->version);
    cursor_put16(&c, d->hosts);
    for (uint16_t h = 0; h < d->hosts; h++) {
        cursor_put16(&c, d->host[h].id);
        cursor_put_bytes(&c, d->host[h].name, NAME_BYTES);
        put_text(&c, d->host[h].user);
    }
    cursor_put16(&c, d->initiators);
    for (uint16_t i = 0; i < d->initiators; i++) {
        cursor_put16(&c, d->initiator[i].host);
        put_text(&c, d->initiator[i].name);
    }
    cursor_put32(&c, d->count);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct directory_entry *entry = &d->at[i];
        cursor_put16(&c, entry->host);
        cursor_put16(&c, entry->lun);
        cursor_put8(&c, entry->group);
        cursor_put16(&c, entry->volume);
        cursor_put_bytes(&c, entry->uuid, sizeof entry->uuid);
        cursor_put_bytes(&c, entry->name, sizeof entry->name);
    }
    must(!c.failed);
    return (uint32_t)(c.at - out);
}

static bool get_hosts(struct cursor *c, struct directory *out)
{
    uint16_t hosts = cursor_get16(c);
    if (hosts > HOST_MAX)
        return false;
    for (uint16_t h = 0; h < hosts; h++) {
        struct directory_host *host = &out->host[h];
        host->id = cursor_get16(c);
        get_name(c, host->name);
        get_text(c, host->user, sizeof host->user);
        out->hosts = h; /* those before it */
        if (host->id == HOST_ALL || host->id == HOST_NOBODY || directory_host(out, host->id))
            return false;
    }
    out->hosts = hosts;
    uint16_t initiators = cursor_get16(c);
    if (c->failed || initiators > INITIATOR_MAX)
        return false;
    for (uint16_t i = 0; i < initiators; i++) {
        out->initiator[i].host = cursor_get16(c);
        get_text(c, out->initiator[i].name, sizeof out->initiator[i].name);
        if (!directory_host(out, out->initiator[i].host))
            return false;
    }
    out->initiators = initiators;
    return !c->failed;
}

static bool get_maps(struct cursor *c, struct directory *out, bool with_hosts)
{
    uint32_t count = cursor_get32(c);
    uint32_t bytes = ENTRY_BYTES + (with_hosts ? 2 : 0);
    if (count > MAP_MAX || cursor_left(c) != (size_t)count * bytes)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct directory_entry *entry = &out->at[i];
        entry->host = with_hosts ? cursor_get16(c) : HOST_ALL;
        entry->lun = cursor_get16(c);
        entry->group = cursor_get8(c);
        entry->volume = cursor_get16(c);
        cursor_get_bytes(c, entry->uuid, sizeof entry->uuid);
        get_name(c, entry->name);
        bool known = entry->host == HOST_ALL || directory_host(out, entry->host);
        bool ascends = i == 0 || entry->host > out->at[i - 1].host ||
                       (entry->host == out->at[i - 1].host && entry->lun > out->at[i - 1].lun);
        if (entry->group >= GROUP_MAX || !known || !ascends)
            return false;
    }
    out->count = count;
    return !c->failed;
}

bool directory_decode(const uint8_t *bytes, uint32_t length, struct directory *out)
{
    struct cursor c = cursor_read(bytes, length);
    bool first = length > 0 && bytes[0] == 0;
    memset(out, 0, offsetof(struct directory, host));
    if (!first && cursor_get8(&c) != FORMAT)
        return false;
    if (!first)
        out->last_host = cursor_get16(&c);
    out->version = cursor_get64(&c);
    if (!first && !get_hosts(&c, out))
        return false;
    return get_maps(&c, out, !first);
}

/* ---- changes ---- */

uint32_t directory_change_encode(const struct directory_change *change, uint8_t *out,
                                 uint32_t capacity)
{
    struct cursor c = cursor_of(out, capacity);
    cursor_put8(&c, FORMAT);
    cursor_put8(&c, change->verb);
    cursor_put16(&c, change->lun);
    cursor_put8(&c, change->group);
    cursor_put16(&c, change->volume);
    cursor_put_bytes(&c, change->uuid, sizeof change->uuid);
    cursor_put_bytes(&c, change->name, sizeof change->name);
    put_text(&c, change->host);
    put_text(&c, change->initiator);
    put_text(&c, change->user);
    must(!c.failed);
    return (uint32_t)(c.at - out);
}

bool directory_change_decode(const uint8_t *bytes, uint32_t length, struct directory_change *out)
{
    struct cursor c = cursor_read(bytes, length);
    memset(out, 0, sizeof *out);
    if (cursor_get8(&c) != FORMAT)
        return false;
    out->verb = cursor_get8(&c);
    out->lun = cursor_get16(&c);
    out->group = cursor_get8(&c);
    out->volume = cursor_get16(&c);
    cursor_get_bytes(&c, out->uuid, sizeof out->uuid);
    get_name(&c, out->name);
    get_text(&c, out->host, sizeof out->host);
    get_text(&c, out->initiator, sizeof out->initiator);
    get_text(&c, out->user, sizeof out->user);
    return !c.failed && cursor_left(&c) == 0 && out->verb >= DIRECTORY_MAP &&
           out->verb <= DIRECTORY_HOST_USER;
}
