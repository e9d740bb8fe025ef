/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/entry.h"

static void put_id(struct cursor *c, const struct command_id *id)
{
    cursor_put8(c, id->sender);
    cursor_put64(c, id->session);
    cursor_put64(c, id->sequence);
}

static void get_id(struct cursor *c, struct command_id *id)
{
    id->sender = cursor_get8(c);
    id->session = cursor_get64(c);
    id->sequence = cursor_get64(c);
    if (id->sender >= SENDER_MAX)
        c->failed = true;
}

static void put_outcome(struct cursor *c, const struct entry *e)
{
    cursor_put8(c, e->status);
    cursor_put8(c, e->task_response);
    cursor_put8(c, (uint8_t)(e->withdrawn | e->dirty << 1 | e->confirmed << 2 | e->applied << 3 |
                             e->doubt << 4));
    cursor_put32(c, e->transferred);
    cursor_put8(c, e->sense_length);
    cursor_put_bytes(c, e->sense, e->sense_length);
}

static void get_outcome(struct cursor *c, struct entry *e)
{
    e->status = cursor_get8(c);
    e->task_response = cursor_get8(c);
    uint8_t flags = cursor_get8(c);
    e->withdrawn = flags & 1;
    e->dirty = flags & 2;
    e->confirmed = flags & 4;
    e->applied = flags & 8;
    e->doubt = flags & 16;
    e->transferred = cursor_get32(c);
    e->sense_length = cursor_get8(c);
    if (e->sense_length > SENSE_MAX) {
        c->failed = true;
        return;
    }
    cursor_get_bytes(c, e->sense, e->sense_length);
}

static void put_blob(struct cursor *c, const uint8_t *bytes, uint32_t length)
{
    cursor_put32(c, length);
    cursor_put_bytes(c, bytes, length);
}

static void get_blob(struct cursor *c, const uint8_t **bytes, uint32_t *length)
{
    *length = cursor_get32(c);
    *bytes = *length ? cursor_take(c, *length) : NULL;
}

static void put_record(struct cursor *c, const struct record *record)
{
    uint8_t bytes[RECORD_BYTES_MAX];
    put_blob(c, bytes, record_encode(record, bytes));
}

static void get_record(struct cursor *c, struct record *out)
{
    const uint8_t *bytes;
    uint32_t length;
    get_blob(c, &bytes, &length);
    if (!bytes || !record_decode(bytes, length, out))
        c->failed = true;
}

bool entry_put(struct cursor *c, const struct entry *e)
{
    struct cursor before = *c;
    cursor_put8(c, e->kind);
    switch ((enum entry_kind)e->kind) {
    case ENTRY_READY:
        put_id(c, &e->id);
        cursor_put64(c, e->order);
        cursor_put8(c, e->withdrawn);
        break;
    case ENTRY_RESOLVED:
        put_id(c, &e->id);
        put_outcome(c, e);
        put_blob(c, e->data, e->data_length);
        put_blob(c, e->effect, e->effect_length);
        break;
    case ENTRY_DONE:
        put_id(c, &e->id);
        cursor_put64(c, e->order);
        put_outcome(c, e);
        break;
    case ENTRY_CLEAN:
        put_id(c, &e->id);
        break;
    case ENTRY_CONFIRM:
    case ENTRY_SESSION:
    case ENTRY_DEAD:
        cursor_put8(c, e->id.sender);
        cursor_put64(c, e->session);
        cursor_put64(c, e->sequence);
        break;
    case ENTRY_EPOCH:
        put_record(c, &e->record);
        break;
    case ENTRY_STATE:
        put_blob(c, e->data, e->data_length);
        break;
    case ENTRY_SYNCED:
        cursor_put64(c, e->index);
        cursor_put64(c, e->next_order);
        cursor_put8(c, e->doubt);
        break;
    case ENTRY_EFFECT:
        put_blob(c, e->effect, e->effect_length);
        break;
    case ENTRY_KINDS:
        break;
    }
    if (!c->failed)
        return true;
    *c = before;
    return false;
}

bool entry_get(struct cursor *c, struct entry *e)
{
    memset(e, 0, offsetof(struct entry, record));
    e->kind = cursor_get8(c);
    if (e->kind == 0 || e->kind >= ENTRY_KINDS)
        return false;
    switch ((enum entry_kind)e->kind) {
    case ENTRY_READY:
        get_id(c, &e->id);
        e->order = cursor_get64(c);
        e->withdrawn = cursor_get8(c) != 0;
        break;
    case ENTRY_RESOLVED:
        get_id(c, &e->id);
        get_outcome(c, e);
        get_blob(c, &e->data, &e->data_length);
        get_blob(c, &e->effect, &e->effect_length);
        break;
    case ENTRY_DONE:
        get_id(c, &e->id);
        e->order = cursor_get64(c);
        get_outcome(c, e);
        break;
    case ENTRY_CLEAN:
        get_id(c, &e->id);
        break;
    case ENTRY_CONFIRM:
    case ENTRY_SESSION:
    case ENTRY_DEAD:
        e->id.sender = cursor_get8(c);
        e->session = cursor_get64(c);
        e->sequence = cursor_get64(c);
        if (e->id.sender >= SENDER_MAX)
            return false;
        break;
    case ENTRY_EPOCH:
        get_record(c, &e->record);
        break;
    case ENTRY_STATE:
        get_blob(c, &e->data, &e->data_length);
        break;
    case ENTRY_SYNCED:
        e->index = cursor_get64(c);
        e->next_order = cursor_get64(c);
        e->doubt = cursor_get8(c) != 0;
        break;
    case ENTRY_EFFECT:
        get_blob(c, &e->effect, &e->effect_length);
        break;
    case ENTRY_KINDS:
        return false;
    }
    return !c->failed;
}
