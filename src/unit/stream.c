/* SPDX-License-Identifier: Apache-2.0 */
/* The primary's side of the handshake: one numbered sequence of entries, the same to each member;
 * READY of a member is cumulative ("I hold it up to here"), ACK goes back on whatever goes next.
 * docs/PROTOCOL.md, "Ready", "Acknowledge", "Ready limit".
 *
 * T1  batches hold, without a gap, every entry that some active follower may still lack
 * T2  nothing completes beyond stream_complete(): what every counted follower holds
 */
#include "unit/state.h"

enum { OPEN_BYTES = 16384 };

void stream_begin(struct unit *x)
{
    stream_end(x);
    x->index = 1; /* the state that the reign begins with */
    x->reign_epoch = x->record.epoch;
}

static void release(struct unit *x, struct batch *batch)
{
    slice_drop(&batch->bytes);
    list_remove(&batch->link);
    list_prepend(&x->batch_free, &batch->link);
}

static void release_all(struct unit *x)
{
    list_each (&x->batches, link, next)
        release(x, list_member(link, struct batch, link));
}

void stream_end(struct unit *x)
{
    release_all(x);
    slice_drop(&x->open);
    x->open_count = 0;
    memset(x->follower, 0, sizeof x->follower);
}

void follower_begin(struct unit *x, struct member member, bool joining)
{
    x->follower[member.module] = (struct follower){
        .active = true,
        .joining = joining,
        .counts = !joining || !mutant(MUTANT_JOIN_DEPENDS_LATE),
        .need_snapshot = true,
        .knows = !joining,
        .member = member,
        .behind_since_ns = x->now_ns,
    };
}

void follower_end(struct unit *x, uint8_t module)
{
    memset(&x->follower[module], 0, sizeof x->follower[module]);
}

static bool anybody(const struct unit *x)
{
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->follower[m].active)
            return true;
    return false;
}

/* No memory for the sequence: whoever lacks some of it begins again with the whole state. */
static void overflow(struct unit *x)
{
    trace_warn(x->trace, "the sequence outgrew its memory: members begin again with a snapshot");
    release_all(x);
    slice_drop(&x->open);
    x->open_count = 0;
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->follower[m].active) {
            x->follower[m].need_snapshot = true;
            x->follower[m].synced = false;
        }
}

static void close_batch(struct unit *x)
{
    if (x->open_count == 0)
        return;
    struct batch *batch = list_first(&x->batch_free, struct batch, link);
    if (batch)
        list_remove(&batch->link);
    else if (x->batches_used < BATCHES_MAX)
        batch = &x->batch[x->batches_used++];
    else {
        overflow(x);
        return;
    }
    batch->bytes = x->open;
    batch->bytes.length = (uint32_t)(x->open_cursor.at - slice_bytes(x->open));
    batch->first = x->index - x->open_count + 1;
    batch->count = x->open_count;
    batch->sent_ns = x->now_ns;
    list_append(&x->batches, &batch->link);
    x->open = slice_none();
    x->open_count = 0;
}

static bool open_batch(struct unit *x, uint32_t length)
{
    uint32_t bytes = length > OPEN_BYTES ? length : OPEN_BYTES;
    struct buffer *buffer = buffer_get(x->stream_buffers, bytes);
    if (!buffer)
        return false;
    x->open = slice_of(buffer, 0, buffer->capacity);
    x->open_cursor = cursor_of(buffer->data, buffer->capacity);
    return true;
}

uint64_t stream_append(struct unit *x, const struct entry *entry)
{
    x->index++;
    if (!anybody(x))
        return x->index;
    x->index--; /* close_batch counts what stands */
    if (!x->open.buffer || !entry_put(&x->open_cursor, entry)) {
        close_batch(x);
        slice_drop(&x->open);
        uint32_t room = ENTRY_BYTES_MAX + entry->effect_length + entry->data_length;
        if (!open_batch(x, room)) {
            overflow(x);
            if (!open_batch(x, room)) /* frames on their way hold it all: snapshots say it later */
                return ++x->index;
        }
        must(entry_put(&x->open_cursor, entry));
    }
    x->open_count++;
    return ++x->index;
}

static void send_batch(struct unit *x, struct follower *f, const struct batch *batch)
{
    struct message *out =
        unit_send(x, MESSAGE_STREAM, port_unit(f->member.module, x->config.group));
    int64_t complete = stream_complete(x);
    out->stream = (struct stream_message){
        .group = x->config.group,
        .epoch = x->record.epoch,
        .primary = x->self,
        .first = batch->first,
        .count = batch->count,
        .acked = complete < 0 ? 0 : (uint64_t)complete,
    };
    out->payload = slice_ref(batch->bytes);
    f->sent = batch->first + batch->count - 1;
    if (!f->behind_since_ns)
        f->behind_since_ns = x->now_ns;
}

static void feed(struct unit *x, struct follower *f)
{
    if (!f->behind_since_ns && f->held < x->index)
        f->behind_since_ns = x->now_ns;
    if (!x->peer[f->member.module].linked || f->resume || !unit_primary(x))
        return;
    if (f->need_snapshot) {
        if (!snapshot_send(x, f->member.module))
            return;
        f->need_snapshot = false;
        f->synced = false;
        f->snapshot_index = f->sent = x->index;
        f->snapshot_ns = x->now_ns;
        f->applied = f->held = 0;
        f->behind_since_ns = x->now_ns;
    }
    list_each (&x->batches, link, next) {
        struct batch *batch = list_member(link, struct batch, link);
        if (batch->first + batch->count - 1 <= f->sent)
            continue;
        if (actions_room(x->actions) < 256)
            return;
        send_batch(x, f, batch);
    }
}

static void trim(struct unit *x)
{
    uint64_t everybody = x->index;
    for (int m = 0; m < MODULE_MAX; m++) {
        const struct follower *f = &x->follower[m];
        if (f->active && !f->need_snapshot) {
            uint64_t has = f->applied > f->snapshot_index ? f->applied : f->snapshot_index;
            if (has < everybody && !mutant(MUTANT_STREAM_TRIMMED_EARLY))
                everybody = has;
        }
    }
    list_each (&x->batches, link, next) {
        struct batch *batch = list_member(link, struct batch, link);
        if (batch->first + batch->count - 1 > everybody)
            break;
        release(x, batch);
    }
}

void stream_flush(struct unit *x)
{
    close_batch(x);
    slice_drop(&x->open);
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->follower[m].active)
            feed(x, &x->follower[m]);
    trim(x);
}

int64_t stream_complete(const struct unit *x)
{
    uint64_t complete = x->index;
    if (mutant(MUTANT_NO_HANDSHAKE))
        return (int64_t)complete;
    for (int m = 0; m < MODULE_MAX; m++) {
        const struct follower *f = &x->follower[m];
        if (!f->active || !f->counts)
            continue;
        if (!f->synced && mutant(MUTANT_SURVIVORS_NOT_AWAITED))
            continue;
        if (!f->synced)
            return -1;
        if (f->held < complete)
            complete = f->held;
    }
    return (int64_t)complete;
}

void stream_held(struct unit *x, const struct message *message)
{
    const struct held_message *m = &message->held;
    if (m->member.module >= MODULE_MAX)
        return;
    struct follower *f = &x->follower[m->member.module];
    bool other = !member_same(f->member, m->member) && !mutant(MUTANT_HELD_OF_EARLIER_LIFE);
    bool old = m->epoch < x->reign_epoch && !mutant(MUTANT_HELD_OF_EARLIER_REIGN);
    if (!f->active || other || old)
        return;
    if (x->drop_wanted & 1u << m->member.module &&
        !mutant(MUTANT_HELD_WHILE_DROPPED)) /* what the swap says of `dirty` must stay true */
        return;
    if (f->resume) {
        f->resume = false;
        if (!f->synced || m->applied < f->snapshot_index)
            f->need_snapshot = true;
        else
            f->sent = m->applied; /* the rest goes again */
    }
    if (!f->synced && m->applied == 0 && x->now_ns - f->snapshot_ns > MS(50))
        f->need_snapshot = true; /* it had not begun to follow when its snapshot came */
    if (f->need_snapshot || m->held > x->index)
        return;
    f->applied = m->applied;
    if (m->held != f->held || (!f->synced && m->held >= f->snapshot_index))
        f->behind_since_ns = x->now_ns;
    f->held = m->held;
    if (!f->synced && f->held >= f->snapshot_index)
        f->synced = true;
    if (f->synced && f->joined_index && f->held >= f->joined_index)
        f->knows = true;
    if (f->synced && f->held >= x->index - x->open_count)
        f->behind_since_ns = 0;
}

void stream_link(struct unit *x, uint8_t module, bool up)
{
    struct follower *f = &x->follower[module];
    if (f->active) {
        f->resume = up;
        return;
    }
    if (up && x->record.primary.module == module &&
        (x->state == UNIT_STATE_SECONDARY || x->state == UNIT_STATE_JOINING))
        follow_report(x);
}

/* A member that signals but does not answer READY holds everybody up: it is suspected. */
void stream_tick(struct unit *x)
{
    if (!unit_primary(x) || !suspect_allowed(x))
        return;
    for (uint8_t m = 0; m < MODULE_MAX; m++) {
        struct follower *f = &x->follower[m];
        if (!f->active || !f->behind_since_ns)
            continue;
        uint64_t since = f->behind_since_ns > x->epoch_began_ns || f->joining ? f->behind_since_ns
                                                                              : x->epoch_began_ns;
        uint64_t limit = f->synced ? x->limits.ready_ns : 10 * x->limits.ready_ns;
        if (x->now_ns - since > limit && !mutant(MUTANT_READY_LIMIT_OFF))
            amend_drop(x, m, "ready");
    }
}

void stream_fetch(struct unit *x, const struct message *message)
{
    const struct fetch_message *m = &message->fetch;
    uint8_t from = (uint8_t)port_index(message->from);
    if (x->state == UNIT_STATE_OUT || x->state == UNIT_STATE_READING || from >= MODULE_MAX)
        return;
    if (m->id.sequence == 0) { /* a claimant that we are ahead of asks for all */
        snapshot_send(x, from);
        return;
    }
    struct queued *q = table_find(x, &m->id);
    if (!q || !q->has_body || (q->place == PLACE_DONE && !q->dirty))
        return; /* done and clean: its data is gone, and the sequence says so */
    struct message *out = unit_send(x, MESSAGE_FETCHED, message->from);
    out->command = q->message;
    out->command.start_age_ns = x->now_ns - q->begun_ns;
    out->command.sent_ns = x->now_ns;
    out->payload = slice_ref(q->data);
}
