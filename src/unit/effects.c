/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated state of a group and what changes it: effects, decided by the primary, held by
 * every member (RESOLVED), applied the same on each. The state as a blob serves joining members and
 * the drives. Every piece carries a version. */
#include "unit/state.h"

enum { STATE_VERSION = 1, EFFECT_SCSI = 1, EFFECT_ARRAY = 2, EFFECT_DIRECTORY = 3 };

void effects_apply_bytes(struct unit *x, const uint8_t *effect, uint32_t length)
{
    bool known = true;
    if (length == 0)
        return;
    if (effect[0] == EFFECT_SCSI) {
        known = scsi_apply(x->scsi, effect, length);
    } else if (effect[0] == EFFECT_ARRAY) {
        known = array_apply(x->array, effect, length);
        state_sync_volumes(x);
        mirror_forget_volumes(x);
        amend_drives_told(x);
    } else if (effect[0] == EFFECT_DIRECTORY) {
        known = effects_apply_directory(x, effect, length);
        for (int s = 0; s < SENDER_MAX; s++)
            x->sender[s].directory_wanted = true;
    } else {
        known = false;
    }
    must(known); /* a unit of another release must not go on with another state */
    x->state_version++;
}

void effects_apply(struct unit *x, struct queued *q)
{
    if (q->applied)
        return;
    q->applied = true;
    effects_apply_bytes(x, queued_effect(q), q->effect_length);
}

static void put_part(struct cursor *c, uint32_t length)
{
    c->at += length;
}

/* Length, then the part; the parts write themselves in place. */
uint32_t state_save(struct unit *x)
{
    struct cursor c = cursor_of(x->scratch, STATE_BYTES_MAX);
    cursor_put16(&c, STATE_VERSION);
    for (int s = 0; s < SENDER_MAX; s++)
        cursor_put64(&c, x->sender[s].dead);
    uint32_t length = array_save(x->array, c.at + 4, (uint32_t)cursor_left(&c) - 4);
    must(length + 4 <= cursor_left(&c));
    cursor_put32(&c, length);
    put_part(&c, length);
    length = scsi_save(x->scsi, c.at + 4, (uint32_t)cursor_left(&c) - 4);
    must(length + 4 <= cursor_left(&c));
    cursor_put32(&c, length);
    put_part(&c, length);
    must(cursor_left(&c) > 16 + (size_t)x->directory->count * DIRECTORY_ENTRY_BYTES);
    length = directory_encode(x->directory, c.at + 4, (uint32_t)cursor_left(&c) - 4);
    cursor_put32(&c, length);
    put_part(&c, length);
    return (uint32_t)(c.at - x->scratch);
}

void state_sync_volumes(struct unit *x)
{
    for (uint16_t v = 0; v < VOLUME_MAX; v++) {
        const struct volume_info *info = array_volume(x->array, v);
        if (info)
            scsi_volume_set(x->scsi, info);
        else if (scsi_volume(x->scsi, v))
            scsi_volume_remove(x->scsi, v);
    }
}

bool state_load(struct unit *x, const uint8_t *bytes, uint32_t length)
{
    struct cursor c = cursor_read(bytes, length);
    if (cursor_get16(&c) != STATE_VERSION)
        return false;
    for (int s = 0; s < SENDER_MAX; s++) {
        uint64_t dead = cursor_get64(&c);
        if (!c.failed && dead > x->sender[s].dead)
            x->sender[s].dead = dead;
    }
    uint32_t part = cursor_get32(&c);
    const uint8_t *at = cursor_take(&c, part);
    scsi_server_clear(x->scsi);
    if (!at || !array_load(x->array, at, part))
        return false;
    state_sync_volumes(x);
    amend_drives_told(x);
    part = cursor_get32(&c);
    at = cursor_take(&c, part);
    if (!at || !scsi_load(x->scsi, at, part))
        return false;
    part = cursor_get32(&c);
    at = cursor_take(&c, part);
    if (!at || !directory_decode(at, part, x->directory))
        return false;
    for (int s = 0; s < SENDER_MAX; s++)
        x->sender[s].directory_wanted = true;
    return cursor_left(&c) == 0;
}

/* ---- the LUN directory's own changes ---- */

static bool plan_map(const struct unit *x, const struct manage_request *request,
                     const char **sentence)
{
    const struct directory_entry *there = directory_find(x->directory, request->lun);
    if (there && (there->group != request->group || there->volume != request->volume ||
                  memcmp(there->uuid, request->uuid, sizeof there->uuid) != 0)) {
        *sentence = "that LUN is taken; choose another, or unmap it first";
        return false;
    }
    if (!there && x->directory->count == LUN_MAX) {
        *sentence = "no LUN is left; unmap a volume first";
        return false;
    }
    if (request->lun >= 16384 || request->group >= GROUP_MAX || request->volume >= VOLUME_MAX) {
        *sentence = "a LUN is 0 to 16383; choose such a number";
        return false;
    }
    return true;
}

bool effects_plan_directory(struct unit *x, const struct manage_request *request, uint8_t *effect,
                            uint32_t *length, const char **sentence)
{
    if (!x->config.owner) {
        *sentence = "another group owns the LUN directory; ask that one";
        return false;
    }
    if (request->verb == MANAGE_MAP && !plan_map(x, request, sentence))
        return false;
    if (request->verb == MANAGE_UNMAP && !directory_find(x->directory, request->lun)) {
        *sentence = "nothing is mapped at that LUN; segue status lists the LUNs";
        return false;
    }
    uint8_t bytes[128];
    struct cursor c = cursor_of(bytes, sizeof bytes);
    cursor_put8(&c, EFFECT_DIRECTORY);
    cursor_put8(&c, STATE_VERSION);
    cursor_put8(&c, request->verb);
    cursor_put16(&c, request->lun);
    cursor_put8(&c, request->group);
    cursor_put16(&c, request->volume);
    cursor_put_bytes(&c, request->uuid, sizeof request->uuid);
    cursor_put_bytes(&c, request->name, sizeof request->name);
    must(!c.failed);
    *length = (uint32_t)(c.at - bytes);
    memcpy(effect, bytes, *length);
    return true;
}

bool effects_apply_directory(struct unit *x, const uint8_t *effect, uint32_t length)
{
    struct cursor c = cursor_read(effect, length);
    struct directory *d = x->directory;
    struct directory_entry entry = {0};
    (void)cursor_get8(&c);
    uint8_t version = cursor_get8(&c);
    uint8_t verb = cursor_get8(&c);
    entry.lun = cursor_get16(&c);
    entry.group = cursor_get8(&c);
    entry.volume = cursor_get16(&c);
    cursor_get_bytes(&c, entry.uuid, sizeof entry.uuid);
    cursor_get_bytes(&c, entry.name, sizeof entry.name);
    if (c.failed || version != STATE_VERSION || (verb != MANAGE_MAP && verb != MANAGE_UNMAP))
        return false;
    uint32_t at = 0;
    while (at < d->count && d->at[at].lun < entry.lun)
        at++;
    bool there = at < d->count && d->at[at].lun == entry.lun;
    if (verb == MANAGE_UNMAP) {
        if (there)
            memmove(&d->at[at], &d->at[at + 1], (d->count-- - at - 1) * sizeof entry);
    } else {
        if (!there) {
            must(d->count < LUN_MAX);
            memmove(&d->at[at + 1], &d->at[at], (d->count++ - at) * sizeof entry);
        }
        d->at[at] = entry;
    }
    d->version++;
    return true;
}
