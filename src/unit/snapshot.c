/* SPDX-License-Identifier: Apache-2.0 */
/* The whole state of a unit, for a member that begins: told in entries, by reference (bodies of
 * commands that the member lacks are fetched). It replaces the member's state at once, when its
 * last part is there: a state merged piecemeal would be nobody's. docs/PROTOCOL.md, "Coming back".
 */
#include "unit/state.h"

enum { PART_BYTES = 262144 };

struct writer {
    struct unit *x;
    struct slice part[SNAPSHOT_PARTS_MAX];
    uint32_t parts;
    struct cursor c;
    bool failed;
};

static void next_part(struct writer *w)
{
    if (w->parts > 0) {
        struct slice *last = &w->part[w->parts - 1];
        last->length = (uint32_t)(w->c.at - slice_bytes(*last));
    }
    struct buffer *buffer =
        w->parts < SNAPSHOT_PARTS_MAX ? buffer_get(w->x->stream_buffers, PART_BYTES) : NULL;
    if (!buffer) {
        w->failed = true;
        return;
    }
    w->part[w->parts++] = slice_of(buffer, 0, 0);
    w->c = cursor_of(buffer->data, PART_BYTES);
}

static void write_entry(struct writer *w, const struct entry *entry)
{
    if (w->failed || (w->parts > 0 && entry_put(&w->c, entry)))
        return;
    next_part(w);
    if (!w->failed && !entry_put(&w->c, entry))
        w->failed = true;
}

static void write_state(struct writer *w)
{
    uint32_t length = state_save(w->x, false);
    for (uint32_t at = 0; at < length; at += ENTRY_DATA_MAX) {
        uint32_t piece = length - at < ENTRY_DATA_MAX ? length - at : ENTRY_DATA_MAX;
        struct entry entry = {
            .kind = ENTRY_STATE, .data = w->x->scratch + at, .data_length = piece};
        write_entry(w, &entry);
    }
}

static void write_sessions(struct writer *w)
{
    for (uint8_t s = 0; s < SENDER_MAX; s++) {
        const struct sender_state *from = &w->x->sender[s];
        struct entry entry = {.session = from->session, .sequence = from->confirmed};
        entry.id.sender = s;
        entry.kind = ENTRY_SESSION;
        if (from->session && !mutant(MUTANT_JOIN_WITHOUT_CONFIRMED))
            write_entry(w, &entry);
        entry.kind = ENTRY_DEAD;
        entry.session = from->dead;
        if (from->dead && !mutant(MUTANT_JOIN_WITHOUT_DEAD))
            write_entry(w, &entry);
    }
}

static struct entry entry_of(const struct queued *q, enum entry_kind kind)
{
    struct entry entry = {
        .kind = (uint8_t)kind,
        .id = q->message.id,
        .order = q->order,
        .withdrawn = q->withdrawn,
        .dirty = q->dirty,
        .confirmed = q->confirmed,
        .status = q->status,
        .task_response = q->task_response,
        .sense_length = q->sense_length,
        .transferred = q->transferred,
    };
    memcpy(entry.sense, q->sense, sizeof entry.sense);
    if (kind == ENTRY_RESOLVED) {
        entry.applied = q->applied;
        entry.data = slice_bytes(q->resolution);
        entry.data_length = q->reply_length;
        entry.effect = queued_effect(q);
        entry.effect_length = q->effect_length;
    }
    return entry;
}

static void write_commands(struct writer *w)
{
    struct unit *x = w->x;
    list_each (&x->dirty, link, next) {
        if (mutant(MUTANT_JOIN_WITHOUT_DIRTY))
            break;
        struct entry entry = entry_of(list_member(link, struct queued, dirty_link), ENTRY_DONE);
        write_entry(w, &entry);
    }
    table_each_bucket (x, b)
        list_each (&x->buckets[b], link, next) {
            const struct queued *q = list_member(link, struct queued, hash);
            if (q->place != PLACE_DONE || q->dirty || mutant(MUTANT_JOIN_WITHOUT_OUTCOMES))
                continue;
            struct entry entry = entry_of(q, ENTRY_DONE);
            write_entry(w, &entry);
        }
    list_each (&x->ordered, link, next) {
        if (mutant(MUTANT_JOIN_WITHOUT_UNFINISHED))
            break;
        const struct queued *q = list_member(link, struct queued, place_link);
        struct entry entry = entry_of(q, ENTRY_READY);
        write_entry(w, &entry);
        if (q->resolved && !mutant(MUTANT_JOIN_WITHOUT_RESOLVED)) {
            entry = entry_of(q, ENTRY_RESOLVED);
            write_entry(w, &entry);
        }
    }
}

bool snapshot_send(struct unit *x, uint8_t module)
{
    struct writer w = {.x = x};
    write_state(&w);
    write_sessions(&w);
    write_commands(&w);
    if (unit_primary(x)) { /* the member may have read an older record */
        struct entry epoch = {.kind = ENTRY_EPOCH};
        epoch.record = x->record;
        write_entry(&w, &epoch);
    }
    bool leads =
        unit_primary(x) || x->state == UNIT_STATE_ADOPTING || x->state == UNIT_STATE_CLEARING;
    struct entry end = {
        .kind = ENTRY_SYNCED, .index = leads ? x->index : x->applied, .next_order = x->next_order};
    end.doubt = unit_doubt(x);
    write_entry(&w, &end);
    if (!w.failed)
        w.part[w.parts - 1].length = (uint32_t)(w.c.at - slice_bytes(w.part[w.parts - 1]));
    for (uint32_t i = 0; i < w.parts; i++) {
        if (w.failed) {
            slice_drop(&w.part[i]);
            continue;
        }
        struct message *out = unit_send(x, MESSAGE_STREAM, port_unit(module, x->config.group));
        out->stream = (struct stream_message){.group = x->config.group,
                                              .epoch = x->record.epoch,
                                              .primary = x->self,
                                              .first = 0,
                                              .count = i};
        out->payload = w.part[i];
    }
    trace_info(x->trace, "state to %s: %u parts, %u ordered, %u dirty",
               unit_word(module, x->config.group), w.parts, x->ordered_count, x->dirty_count);
    return !w.failed;
}

void snapshot_drop(struct unit *x)
{
    for (uint32_t i = 0; i < x->snapshot_parts; i++)
        slice_drop(&x->snapshot[i]);
    x->snapshot_parts = 0;
}

/* Is every entry well formed, and the last one the end? Gathers the state blob in x->scratch. */
static bool check_parts(struct unit *x, uint32_t *state_length)
{
    struct entry entry = {0};
    *state_length = 0;
    for (uint32_t i = 0; i < x->snapshot_parts; i++) {
        struct cursor c = cursor_read(slice_bytes(x->snapshot[i]), x->snapshot[i].length);
        while (cursor_left(&c) > 0) {
            if (!entry_get(&c, &entry))
                return false;
            if (entry.kind != ENTRY_STATE)
                continue;
            if (entry.data_length > STATE_BYTES_MAX - *state_length)
                return false;
            memcpy(x->scratch + *state_length, entry.data, entry.data_length);
            *state_length += entry.data_length;
        }
    }
    return entry.kind == ENTRY_SYNCED;
}

static bool ends_here(const struct message *message)
{
    struct cursor c = cursor_read(slice_bytes(message->payload), message->payload.length);
    struct entry entry = {0};
    while (cursor_left(&c) > 0)
        if (!entry_get(&c, &entry))
            return true; /* malformed: check_parts says so */
    return entry.kind == ENTRY_SYNCED;
}

static void forget_before(struct unit *x)
{
    mirror_clear(x);
    list_each (&x->missing, link, next)
        list_remove(link);
    table_each_bucket (x, b)
        list_each (&x->buckets[b], link, next) {
            struct queued *q = list_member(link, struct queued, hash);
            q->marked = false;
            if (q->place == PLACE_WAITING)
                continue;
            q->resolved = q->applied = q->confirmed = q->planned = false;
            q->phase = RUN_IDLE;
            slice_drop(&q->resolution);
            slice_drop(&q->reply);
        }
    for (int s = 0; s < SENDER_MAX; s++)
        sessions_forget(&x->sender[s]);
}

static void drop_unmarked(struct unit *x)
{
    table_each_bucket (x, b)
        list_each (&x->buckets[b], link, next) {
            struct queued *q = list_member(link, struct queued, hash);
            if (!q->marked && q->place != PLACE_WAITING)
                table_free(x, q);
        }
}

static void apply_parts(struct unit *x)
{
    struct entry entry;
    for (uint32_t i = 0; i < x->snapshot_parts; i++) {
        struct cursor c = cursor_read(slice_bytes(x->snapshot[i]), x->snapshot[i].length);
        while (cursor_left(&c) > 0 && entry_get(&c, &entry)) {
            if (entry.kind == ENTRY_SYNCED) {
                x->applied = entry.index;
                x->next_order = entry.next_order;
                x->doubt = entry.doubt;
            } else if (entry.kind == ENTRY_SESSION) {
                x->sender[entry.id.sender].session = entry.session;
                x->sender[entry.id.sender].confirmed = entry.sequence;
            } else if (entry.kind == ENTRY_DEAD) {
                if (entry.session > x->sender[entry.id.sender].dead)
                    x->sender[entry.id.sender].dead = entry.session;
                table_drop_waiting(x, entry.id.sender, entry.session);
            } else if (entry.kind != ENTRY_STATE) {
                follow_apply(x, &entry, 0);
            }
        }
    }
}

bool snapshot_part(struct unit *x, const struct message *message)
{
    if (message->stream.count == 0)
        snapshot_drop(x);
    if (message->stream.count != x->snapshot_parts || x->snapshot_parts == SNAPSHOT_PARTS_MAX)
        return false;
    x->snapshot[x->snapshot_parts++] = slice_ref(message->payload);
    if (!ends_here(message))
        return false;
    uint32_t state_length;
    if (!check_parts(x, &state_length)) {
        trace_error(x->trace, "a damaged snapshot: not taken");
        snapshot_drop(x);
        return false;
    }
    if (!mutant(MUTANT_SNAPSHOT_MERGED))
        forget_before(x);
    if (!state_load(x, x->scratch, state_length)) {
        trace_error(x->trace, "a snapshot of a version that this release does not know");
        unit_go_out(x, "it can not take the state");
        return false;
    }
    x->stateless = false;
    apply_parts(x);
    if (!mutant(MUTANT_SNAPSHOT_MERGED))
        drop_unmarked(x);
    for (int s = 0; s < SENDER_MAX && !mutant(MUTANT_SESSION_ENDS_WITHOUT_WHO_JOINS); s++)
        sessions_end(x, s); /* whoever sent it may still wait with that: S2 */
    list_each (&x->missing, link, next)
        list_member(link, struct queued, run_link)->gate = x->applied;
    snapshot_drop(x);
    x->held = 0;
    follow_advance(x);
    return true;
}
