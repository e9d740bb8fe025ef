/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated state of a group and what changes it: effects, decided by the primary, held by
 * every member (RESOLVED), applied the same on each. The state as a blob serves joining members and
 * the drives. Every piece carries a version. */
#include "unit/state.h"

enum {
    STATE_VERSION = 1,
    EFFECT_SCSI = 1,
    EFFECT_ARRAY = 2,
    EFFECT_DIRECTORY = 3,
    EFFECT_DIRECTORY_VERSION = 2,
};
_Static_assert(DIRECTORY_CHANGE_BYTES + 2 <= EFFECT_MAX, "a change of the directory is an effect");

void effects_apply_bytes(struct unit *x, const struct command_id *id, const uint8_t *effect,
                         uint32_t length)
{
    bool known = true;
    if (length == 0)
        return;
    if (effect[0] == EFFECT_SCSI) {
        known = scsi_apply(x->scsi, id->session, effect, length);
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
    effects_apply_bytes(x, &q->message.id, queued_effect(q), q->effect_length);
}

static void put_part(struct cursor *c, uint32_t length)
{
    c->at += length;
}

/* Length, then the part; the parts write themselves in place. */
uint32_t state_save(struct unit *x, bool finished)
{
    struct cursor c = cursor_of(x->scratch, STATE_BYTES_MAX);
    cursor_put16(&c, STATE_VERSION);
    for (int s = 0; s < SENDER_MAX; s++)
        cursor_put64(&c, x->sender[s].dead);
    uint32_t left = (uint32_t)cursor_left(&c) - 4;
    uint32_t length = finished ? array_save_finished(x->array, c.at + 4, left)
                               : array_save(x->array, c.at + 4, left);
    must(length + 4 <= cursor_left(&c));
    cursor_put32(&c, length);
    put_part(&c, length);
    length = scsi_save(x->scsi, c.at + 4, (uint32_t)cursor_left(&c) - 4);
    must(length + 4 <= cursor_left(&c));
    cursor_put32(&c, length);
    put_part(&c, length);
    must(cursor_left(&c) > 4 + (size_t)directory_bytes(x->directory));
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

static const uint8_t directory_verbs[] = {
    [MANAGE_MAP] = DIRECTORY_MAP,
    [MANAGE_UNMAP] = DIRECTORY_UNMAP,
    [MANAGE_HOST_CREATE] = DIRECTORY_HOST_CREATE,
    [MANAGE_HOST_DELETE] = DIRECTORY_HOST_DELETE,
    [MANAGE_HOST_ADD] = DIRECTORY_HOST_ADD,
    [MANAGE_HOST_REMOVE] = DIRECTORY_HOST_REMOVE,
    [MANAGE_HOST_USER] = DIRECTORY_HOST_USER,
};

static uint8_t directory_verb(const struct manage_request *request)
{
    return request->verb < sizeof directory_verbs ? directory_verbs[request->verb] : 0;
}

bool effects_is_directory(const struct manage_request *request)
{
    return directory_verb(request) != 0;
}

bool effects_plan_directory(struct unit *x, const struct manage_request *request, uint8_t *effect,
                            uint32_t *length, const char **sentence)
{
    struct directory_change change = {.verb = directory_verb(request),
                                      .lun = request->lun,
                                      .group = request->group,
                                      .volume = request->volume};
    memcpy(change.uuid, request->uuid, sizeof change.uuid);
    memcpy(change.name, request->name, sizeof change.name);
    memcpy(change.host, request->host, sizeof change.host);
    memcpy(change.initiator, request->initiator, sizeof change.initiator);
    memcpy(change.user, request->user, sizeof change.user);
    *sentence = x->config.owner ? directory_refuses(x->directory, &change)
                                : "another group owns the LUN directory; ask that one";
    if (*sentence)
        return false;
    effect[0] = EFFECT_DIRECTORY;
    effect[1] = EFFECT_DIRECTORY_VERSION;
    *length = 2 + directory_change_encode(&change, effect + 2, DIRECTORY_CHANGE_BYTES);
    return true;
}

bool effects_apply_directory(struct unit *x, const uint8_t *effect, uint32_t length)
{
    struct directory_change change;
    if (length < 2 || effect[1] != EFFECT_DIRECTORY_VERSION ||
        !directory_change_decode(effect + 2, length - 2, &change))
        return false;
    directory_apply(x->directory, &change);
    return true;
}
