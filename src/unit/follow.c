/* SPDX-License-Identifier: Apache-2.0 */
/* A member's side of the handshake: it takes the primary's sequence in order, says READY
 * (cumulatively) for what it holds with its data, fetches what it lacks, and moves commands from
 * its queue to its outcomes. docs/PROTOCOL.md, "Ready", "Done", "Limits". */
#include "unit/state.h"

void follow_begin(struct unit *x)
{
    snapshot_drop(x);
    x->applied = x->held = x->acked = x->unacked_since_ns = 0;
    x->stream_synced = false;
    x->reign_epoch = x->record.epoch;
    x->epoch_began_ns = x->now_ns;
    x->primary_progress_ns = x->now_ns;
    for (int s = 0; s < SENDER_MAX; s++)
        x->sender[s].confirm_wanted = 0;
    table_drop_orderless(x); /* copies of an earlier reign; living switches send again */
    x->held_wanted = true;   /* the primary learns that it can send us the state */
}

void follow_missing(struct unit *x, struct queued *q, uint64_t gate)
{
    q->gate = gate;
    q->fetched_ns = 0;
    if (!list_linked(&q->run_link))
        list_append(&x->missing, &q->run_link);
}

static void apply_ready(struct unit *x, const struct entry *entry, uint64_t index)
{
    struct queued *q = table_find(x, &entry->id);
    if (!q)
        q = table_make(x, &entry->id);
    if (q->place == PLACE_DONE && !q->data.buffer && !mutant(MUTANT_CLEAN_DATA_THOUGHT_HELD) &&
        (q->message.kind != COMMAND_SCSI || q->message.wants_write))
        q->has_body = false; /* done with us, not with who leads now: its data is needed again */
    if (q->message.kind == COMMAND_WITHDRAW && !entry->withdrawn &&
        !mutant(MUTANT_WITHDRAWAL_THOUGHT_THE_COMMAND))
        q->has_body = false; /* who leads had the command before it was withdrawn: we have not */
    q->rerun = q->rerun || (q->place == PLACE_DONE && index > 0);
    q->order = entry->order;
    q->withdrawn = entry->withdrawn;
    q->marked = true;
    q->ordered_ns = x->now_ns;
    table_place(x, q, PLACE_ORDERED);
    if (entry->order >= x->next_order)
        x->next_order = entry->order + 1;
    if (!q->has_body)
        follow_missing(x, q, index);
    trace_detail(x->trace, "ready %llu: %s", (unsigned long long)entry->order,
                 q->has_body ? "held" : "not here");
}

static void apply_resolved(struct unit *x, const struct entry *entry)
{
    struct queued *q = table_find(x, &entry->id);
    if (!q)
        return;
    run_outcome(q, entry->status, NULL);
    q->task_response = entry->task_response;
    q->transferred = entry->transferred;
    q->sense_length = entry->sense_length;
    memcpy(q->sense, entry->sense, sizeof q->sense);
    slice_drop(&q->resolution);
    uint32_t length = entry->data_length + entry->effect_length;
    if (length) {
        struct buffer *buffer = buffer_get(x->stream_buffers, length);
        must(buffer);
        q->resolution = slice_of(buffer, 0, length);
        if (entry->data_length)
            memcpy(buffer->data, entry->data, entry->data_length);
        if (entry->effect_length)
            memcpy(buffer->data + entry->data_length, entry->effect, entry->effect_length);
    }
    q->reply_length = entry->data_length;
    q->effect_length = entry->effect_length;
    q->resolved = true;
    q->applied = entry->applied;
    trace_detail(x->trace, "resolved %llu", (unsigned long long)q->order);
    if (!mutant(MUTANT_EFFECT_NOT_FOLLOWED))
        effects_apply(x, q);
}

static void apply_done(struct unit *x, const struct entry *entry, uint64_t index)
{
    struct queued *q = table_find(x, &entry->id);
    if (!q && index == 0) /* of a snapshot: an outcome that we did not have */
        q = table_make(x, &entry->id);
    if (!q)
        return;
    q->marked = true;
    q->order = entry->order;
    q->withdrawn = entry->withdrawn;
    q->confirmed = q->confirmed || entry->confirmed;
    run_outcome(q, entry->status, NULL);
    q->task_response = entry->task_response;
    q->transferred = entry->transferred;
    q->sense_length = entry->sense_length;
    memcpy(q->sense, entry->sense, sizeof q->sense);
    if (index > 0) { /* of a snapshot: it may be counted already */
        scsi_copied(x->scsi, &q->message, q->data.buffer ? slice_bytes(q->data) : NULL,
                    q->data.length, q->status);
        scsi_done(x->scsi, &q->message, q->status, q->sense, q->sense_length);
    }
    table_place(x, q, PLACE_DONE);
    sessions_done(x, &q->message.id);
    q->phase = RUN_FINISHED;
    if (entry->dirty) {
        q->has_body = q->has_body && q->data.buffer; /* clean with us, not with who leads now */
        if (q->has_body)
            mirror_add(x, q);
        else
            follow_missing(x, q, index);
    } else {
        slice_drop(&q->data);
        list_remove(&q->run_link);
    }
    trace_detail(x->trace, "done %llu%s", (unsigned long long)q->order,
                 entry->dirty ? ", in the mirror" : "");
    table_maybe_free(x, q);
}

static void apply_clean(struct unit *x, struct queued *q)
{
    if (q->place != PLACE_DONE)
        return;
    if (q->dirty)
        mirror_remove(x, q);
    list_remove(&q->run_link); /* its data need not come any more */
    table_maybe_free(x, q);
}

static void apply_epoch(struct unit *x, const struct entry *entry)
{
    bool older =
        entry->record.epoch < x->record.epoch || entry->record.generation < x->record.generation;
    if (older && !mutant(MUTANT_OLDER_RECORD_TAKEN))
        return;
    bool joined =
        x->state == UNIT_STATE_JOINING && members_find(&entry->record.in_sync, x->self) >= 0;
    if (entry->record.epoch > x->record.epoch)
        x->epoch_began_ns = x->now_ns;
    x->record = entry->record;
    amend_drives_told(x);
    if (joined)
        unit_become(x, UNIT_STATE_SECONDARY);
    sessions_announce(x);
}

void follow_apply(struct unit *x, const struct entry *entry, uint64_t index)
{
    struct queued *q;
    if (index > 0 && (entry->kind == ENTRY_RESOLVED || entry->kind == ENTRY_DONE))
        x->doubt = entry->doubt;
    switch ((enum entry_kind)entry->kind) {
    case ENTRY_READY:
        apply_ready(x, entry, index);
        break;
    case ENTRY_RESOLVED:
        apply_resolved(x, entry);
        break;
    case ENTRY_DONE:
        apply_done(x, entry, index);
        break;
    case ENTRY_CLEAN:
        q = table_find(x, &entry->id);
        if (q)
            apply_clean(x, q);
        break;
    case ENTRY_CONFIRM:
    case ENTRY_SESSION:
    case ENTRY_DEAD:
        sessions_apply(x, entry);
        break;
    case ENTRY_EPOCH:
        apply_epoch(x, entry);
        break;
    case ENTRY_EFFECT:
        effects_apply_bytes(x, &entry->id, entry->effect, entry->effect_length);
        break;
    case ENTRY_STATE:
    case ENTRY_SYNCED:
    case ENTRY_KINDS:
        break;
    }
}

static bool follows(const struct unit *x)
{
    bool stopped = x->state == UNIT_STATE_STOPPED || x->state == UNIT_STATE_CLAIMING;
    return x->state == UNIT_STATE_SECONDARY || x->state == UNIT_STATE_JOINING ||
           (stopped && mutant(MUTANT_READY_AFTER_STOP));
}

/* Does this frame come from whoever is primary over us? It may be of an earlier epoch of the same
 * reign: the record may tell us of a change of the members before the sequence does, and a frame
 * that is left out leaves a gap that nobody closes. */
static bool from_our_primary(const struct unit *x, const struct stream_message *m)
{
    uint64_t least = mutant(MUTANT_STREAM_BEHIND_RECORD) ? x->record.epoch : x->reign_epoch;
    bool ours = member_same(m->primary, x->record.primary) && m->epoch >= least;
    return follows(x) && (ours || mutant(MUTANT_STREAM_OF_ANOTHER));
}

static void take_snapshot(struct unit *x, const struct message *message)
{
    if (x->state == UNIT_STATE_ADOPTING && x->fetching_state &&
        port_index(message->from) == x->furthest) {
        if (snapshot_part(x, message))
            x->fetching_state = false;
        return;
    }
    if (!from_our_primary(x, &message->stream) || !snapshot_part(x, message))
        return;
    x->stream_synced = true;
    x->held_wanted = true;
    sessions_announce(x);
}

/* ACK: every member holds it up to here. It comes on every frame of the sequence and every signal.
 */
void follow_acked(struct unit *x, uint64_t acked)
{
    if (acked <= x->acked)
        return;
    x->acked = acked;
    x->unacked_since_ns = x->held > acked ? x->now_ns : 0;
}

void follow_stream(struct unit *x, const struct message *message)
{
    const struct stream_message *m = &message->stream;
    if (m->epoch > x->record.epoch && !member_same(m->primary, x->record.primary) &&
        control_idle(x) && x->state != UNIT_STATE_OUT && !mutant(MUTANT_HIGHER_EPOCH_IGNORED))
        control_read(x); /* another reign: the record says whose */
    if (m->first == 0) {
        take_snapshot(x, message);
        return;
    }
    if (!from_our_primary(x, m) || !x->stream_synced)
        return;
    follow_acked(x, m->acked);
    if (m->first > x->applied + 1 && !mutant(MUTANT_STREAM_GAP_TAKEN))
        return; /* a gap: our report on the next link makes it whole */
    struct cursor c = cursor_read(slice_bytes(message->payload), message->payload.length);
    struct entry entry;
    for (uint64_t index = m->first; index < m->first + m->count; index++) {
        if (!entry_get(&c, &entry)) {
            trace_error(x->trace, "malformed entry %llu from the primary",
                        (unsigned long long)index);
            unit_go_out(x, "its primary's sequence makes no sense");
            return;
        }
        if (index <= x->applied && !mutant(MUTANT_STREAM_REPEATED))
            continue;
        x->applied = index;
        follow_apply(x, &entry, index);
    }
    follow_advance(x);
}

void follow_advance(struct unit *x)
{
    uint64_t held = x->applied;
    list_each (&x->missing, link, next) {
        struct queued *q = list_member(link, struct queued, run_link);
        if (!q->has_body) {
            if (q->gate <= held && !mutant(MUTANT_READY_WITHOUT_DATA))
                held = q->gate - 1;
            continue;
        }
        list_remove(&q->run_link);
        if (q->place == PLACE_DONE)
            mirror_add(x, q);
    }
    x->held = held;
    x->held_wanted = follows(x);
}

void follow_report(struct unit *x)
{
    x->held_wanted = false;
    x->reported_ns = x->now_ns;
    uint8_t primary = x->record.primary.module;
    if (!follows(x) || primary >= MODULE_MAX || !x->peer[primary].linked)
        return;
    if (x->stream_synced && x->held > x->acked && x->unacked_since_ns == 0)
        x->unacked_since_ns = x->now_ns;
    struct message *out = unit_send(x, MESSAGE_HELD, port_unit(primary, x->config.group));
    out->held =
        (struct held_message){x->config.group, x->record.epoch, x->self,
                              x->stream_synced ? x->applied : 0, x->stream_synced ? x->held : 0};
}

void follow_fetched(struct unit *x, const struct message *message)
{
    struct queued *q = table_find(x, &message->command.id);
    if (!q || q->has_body)
        return;
    table_keep_body(x, q, &message->command, message->payload);
    uint64_t age_ns = message->command.start_age_ns;
    q->begun_ns = age_ns < x->now_ns ? x->now_ns - age_ns : 0;
    follow_advance(x);
}

static void fetch_missing(struct unit *x)
{
    uint8_t source = x->state == UNIT_STATE_ADOPTING ? x->furthest : x->record.primary.module;
    if (source >= MODULE_MAX || !x->peer[source].linked)
        return;
    list_each (&x->missing, link, next) {
        struct queued *q = list_member(link, struct queued, run_link);
        uint64_t since = q->fetched_ns ? q->fetched_ns + MS(50) : q->ordered_ns + MS(5);
        if (x->now_ns < since || actions_room(x->actions) < 256 || mutant(MUTANT_FETCH_OFF))
            continue;
        q->fetched_ns = x->now_ns;
        struct message *out = unit_send(x, MESSAGE_FETCH, port_unit(source, x->config.group));
        out->fetch = (struct fetch_message){x->config.group, x->record.epoch, q->message.id};
    }
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The primary gives no READY for what we hold and forwarded. */
static bool handshake_over(const struct unit *x)
{
    if (!x->stream_synced ||
        mutant(MUTANT_HANDSHAKE_LIMIT_OFF)) /* READY may be in what has not come yet; the primary's
                                               limit decides */
        return false;
    list_each (&x->waiting, link, next) {
        const struct queued *q = list_member(link, struct queued, place_link);
        uint64_t since = latest(q->begun_ns, x->epoch_began_ns);
        if (q->forwarded && x->now_ns - latest(since, q->arrived_ns) > x->limits.handshake_ns)
            return true;
    }
    return false;
}

/* We have said READY, and the handshake does not end: the primary hears some member no more, and
 * does not go on without it. It waits for one that joins for ten ready limits. */
static bool acknowledge_over(const struct unit *x)
{
    uint64_t since = latest(x->unacked_since_ns, x->epoch_began_ns);
    return x->unacked_since_ns && x->ordered_count &&
           x->now_ns - since > x->limits.handshake_ns + 10 * x->limits.ready_ns;
}

/* It gave READY, but nothing is done, and it says neither that it goes on nor for which drive it
 * waits. */
static bool processing_over(struct unit *x)
{
    const struct signal_message *signal = &x->peer[x->record.primary.module].signal;
    if (signal->progress != x->primary_progress ||
        (signal->waiting_drive != 0xFF && !mutant(MUTANT_SLOW_DRIVE_SUSPECTED)) ||
        x->ordered_count == 0) {
        x->primary_progress = signal->progress;
        x->primary_progress_ns = x->now_ns;
    }
    const struct queued *oldest = list_first(&x->ordered, struct queued, place_link);
    return oldest &&
           x->now_ns - latest(latest(oldest->begun_ns, x->epoch_began_ns), x->primary_progress_ns) >
               x->limits.processing_ns;
}

void follow_tick(struct unit *x)
{
    fetch_missing(x);
    if (x->now_ns - x->reported_ns > MS(50) &&
        follows(x)) /* a report was lost, or came too early */
        x->held_wanted = true;
    if (x->state != UNIT_STATE_SECONDARY || !suspect_allowed(x))
        return;
    if (handshake_over(x))
        suspect_primary(x, "handshake");
    else if (acknowledge_over(x) && !mutant(MUTANT_ACKNOWLEDGE_LIMIT_OFF))
        suspect_primary(x, "acknowledge");
    else if (processing_over(x) && !mutant(MUTANT_PROCESSING_LIMIT_OFF))
        suspect_primary(x, "processing");
}
