/* SPDX-License-Identifier: Apache-2.0 */
/* The primary carries commands out. docs/PROTOCOL.md, "Process", "Done".
 *
 *   HANDSHAKE -> BLOCKED <-> (planned) -> DRIVES -> (finish) -> FINISHED
 *                               |  ^         |
 *                               v  |         v
 *                            RESOLVING -> CARRYING -> STORING          ANSWER: a lone primary waits
 *
 * R1  no byte goes to a drive, and no response to a host, before stream_complete() has passed the
 *     gate
 * R2  commands that overlap run in their order
 * R3  what a command changes in the state is RESOLVED, and held by all, before it is applied
 * R4  a response leaves only while amend_may_answer()
 * R5  a read is never answered without its data: run_data_lost()
 * R6  that the drives did not do it is RESOLVED, and held by all, before it is answered:
 *     run_failed()
 * R7  so is every refusal: plan.c
 * R8  a command that is planned once more, by who leads next, is planned the same: what its plan
 *     depends on changes before it is ordered, or when it is over. By order: what changes a volume
 *     for others is a barrier of that volume, or of the group; a nexus waits for its commands; and
 *     S1 of sessions.c
 * R9  carried out once more a command leaves the same, though what is behind it was carried out
 *     meanwhile. Of a copy this is not so: its end is RESOLVED, and held by all, before anything
 *     that waits for it
 */
#include "unit/state.h"

struct volume_state *run_volume(struct unit *x, const struct queued *q)
{
    return &x->volumes[q->message.volume < VOLUME_MAX ? q->message.volume : VOLUME_MAX];
}

void run_kick(struct unit *x, uint16_t volume)
{
    uint16_t v = volume < VOLUME_MAX ? volume : VOLUME_MAX;
    if (x->volumes[v].kicked || x->volumes[v].blocked == 0)
        return;
    x->volumes[v].kicked = true;
    x->kicks[x->kick_count++] = v;
}

static void kick_all(struct unit *x)
{
    for (uint16_t v = 0; v <= VOLUME_MAX; v++)
        run_kick(x, v);
}

void run_retry(struct unit *x)
{
    if (unit_primary(x))
        kick_all(x);
}

/* Others may go on beside it from now on. */
void run_release_barrier(struct unit *x, struct queued *q)
{
    if (!q->group_barrier)
        return;
    q->group_barrier = false;
    x->barriers--;
    kick_all(x);
}

static void wait_for_gate(struct unit *x, struct queued *q, enum run_phase phase)
{
    q->phase = phase;
    list_remove(&q->run_link);
    list_append(&x->handshakes, &q->run_link);
}

/* It reaches into other volumes: then it has the whole group for itself. */
static bool crosses(const struct unit *x, const struct queued *q)
{
    return q->has_body && q->data.buffer &&
           scsi_copy_crosses(x->scsi, &q->message, slice_bytes(q->data), q->data.length);
}

/* It tells every nexus of every volume so: what was ordered before it must not be told instead of
 * the answer that it had. */
static bool resets_all(const struct queued *q)
{
    return q->message.kind == COMMAND_TASK && q->message.volume >= VOLUME_MAX &&
           !mutant(MUTANT_RESET_BESIDE_OTHERS) &&
           (q->message.task == TASK_TARGET_WARM_RESET || q->message.task == TASK_TARGET_COLD_RESET);
}

void run_begin(struct unit *x, struct queued *q)
{
    if (q->withdrawn)
        q->extent = (struct extent){OVERLAP_NONE, 0, 0};
    else
        scsi_extent(x->scsi, &q->message, &q->extent);
    q->io_volume = q->message.volume;
    q->group_barrier =
        !q->withdrawn && (q->message.kind == COMMAND_MANAGE || resets_all(q) || crosses(x, q));
    x->barriers += q->group_barrier;
    q->planned = q->compared = q->settled = q->again = q->sanitizes = false;
    q->range = 0;
    list_append(&run_volume(x, q)->commands, &q->volume_link);
    wait_for_gate(x, q, RUN_HANDSHAKE);
}

void run_block(struct unit *x, struct queued *q)
{
    must(q->phase != RUN_BLOCKED);
    q->phase = RUN_BLOCKED;
    run_volume(x, q)->blocked++;
}

/* R8: a nexus begins or ends, and something of it has still to be planned, or planned once more: as
 * one of this nexus. */
static bool nexus_in_use(const struct unit *x, const struct queued *q)
{
    bool changes = q->message.kind == COMMAND_NEXUS_OPEN || q->message.kind == COMMAND_NEXUS_LOSS;
    if (!changes || q->withdrawn || mutant(MUTANT_NEXUS_ENDS_BEFORE_ITS_COMMANDS))
        return false;
    list_each (&x->ordered, link, next) {
        const struct queued *other = list_member(link, struct queued, place_link);
        if (other->order >= q->order)
            break;
        if (!other->sanitizes && other->message.id.sender == q->message.id.sender &&
            other->message.id.session == q->message.id.session &&
            other->message.nexus == q->message.nexus)
            return true;
    }
    return false;
}

/* Does an earlier command stand in its way? */
static bool is_blocked(struct unit *x, struct queued *q)
{
    struct volume_state *v = run_volume(x, q);
    if ((v->resolving && !mutant(MUTANT_RESOLVING_PASSED)) || nexus_in_use(x, q) ||
        sanitize_bars(x, q->message.volume))
        return true;
    if (x->barriers > (q->group_barrier ? 1u : 0u) || q->group_barrier)
        list_each (&x->ordered, link, next) {
            const struct queued *other = list_member(link, struct queued, place_link);
            if (other->order >= q->order)
                break;
            if ((other->group_barrier || q->group_barrier) && !other->sanitizes &&
                !mutant(MUTANT_BARRIER_IGNORED))
                return true;
        }
    list_each (&v->commands, link, next) {
        const struct queued *other = list_member(link, struct queued, volume_link);
        if (other == q)
            return false;
        if (extents_overlap(&other->extent, &q->extent) && !mutant(MUTANT_OVERLAPS_UNORDERED))
            return true;
    }
    return false;
}

static void go_on_resolved(struct unit *x, struct queued *q);

static void start(struct unit *x, struct queued *q)
{
    if (!q->planned && !q->withdrawn && q->extent.class == OVERLAP_NONE &&
        !mutant(MUTANT_EXTENT_OF_ITS_ORDER)) /* its volume may have grown since it got its order */
        scsi_extent(x->scsi, &q->message, &q->extent);
    if (is_blocked(x, q)) {
        run_block(x, q);
        return;
    }
    if (q->withdrawn) {
        run_outcome(q, 0x40 /* TASK ABORTED */, NULL);
        run_finish(x, q);
    } else if (q->resolved && !mutant(MUTANT_DECIDED_AGAIN)) {
        go_on_resolved(x, q); /* adopted: what was decided is not decided again */
    } else if (q->message.kind == COMMAND_MANAGE) {
        plan_manage(x, q);
    } else {
        plan_command(x, q);
    }
}

void run_io(struct unit *x, struct queued *q, enum array_op op, struct slice data)
{
    q->phase = RUN_DRIVES;
    memset(&q->io, 0, sizeof q->io);
    q->io.op = op;
    q->io.volume = q->io_volume;
    q->io.lba = q->lba;
    q->io.blocks = q->blocks;
    q->io.data = data;
    q->io.fua = q->fua;
    q->io.atomic = q->planned && q->what == SCSI_WRITE_ATOMIC && op == ARRAY_WRITE;
    q->io.cookie = (uint64_t)(q - x->table);
    array_submit(x->array, &q->io);
}

void run_outcome(struct queued *q, uint8_t status, const struct scsi_plan *plan)
{
    q->status = status;
    q->sense_length = plan ? plan->sense_length : 0;
    if (plan)
        memcpy(q->sense, plan->sense, sizeof q->sense);
}

static void tell_resolved(struct unit *x, struct queued *q)
{
    struct entry entry = {
        .kind = ENTRY_RESOLVED,
        .id = q->message.id,
        .status = q->status,
        .task_response = q->task_response,
        .sense_length = q->sense_length,
        .transferred = q->transferred,
        .applied = q->applied,
        .doubt = unit_doubt(x),
        .data = slice_bytes(q->resolution),
        .data_length = q->reply_length,
        .effect = queued_effect(q),
        .effect_length = q->effect_length,
    };
    memcpy(entry.sense, q->sense, sizeof entry.sense);
    q->resolved = true;
    q->gate = mutant(MUTANT_NO_RESOLVED) ? 0 : stream_append(x, &entry);
    if (mutant(MUTANT_RESOLVED_NOT_HELD))
        q->gate = 0;
    trace_detail(x->trace, "resolve %llu -> status %02x", (unsigned long long)q->order, q->status);
    wait_for_gate(x, q, RUN_RESOLVING);
}

void run_resolve(struct unit *x, struct queued *q, const uint8_t *data, uint32_t data_length,
                 const uint8_t *effect, uint32_t effect_length)
{
    slice_drop(&q->resolution);
    uint32_t length = data_length + effect_length;
    if (length) {
        struct buffer *buffer = buffer_get(x->stream_buffers, length);
        if (!buffer) {
            run_block(x, q);
            return;
        }
        q->resolution = slice_of(buffer, 0, length);
        if (data_length)
            memcpy(buffer->data, data, data_length);
        if (effect_length)
            memcpy(buffer->data + data_length, effect, effect_length);
    }
    q->reply_length = data_length;
    q->effect_length = effect_length;
    q->applied = false;
    tell_resolved(x, q);
    if (effect_length)
        run_volume(x, q)->resolving = q;
}

/* R6: the drives of whoever leads next may do it. Told as decided it is not run again, and what it
 * left on the drives is in doubt with every member. */
void run_failed(struct unit *x, struct queued *q)
{
    slice_drop(&q->work);
    if (mutant(MUTANT_ERROR_UNRESOLVED)) {
        run_finish(x, q);
        return;
    }
    q->settled = true;
    tell_resolved(x, q);
}

/* R9 */
void run_copied(struct unit *x, struct queued *q)
{
    run_outcome(q, 0, NULL);
    if (mutant(MUTANT_COPY_UNRESOLVED)) {
        run_finish(x, q);
        return;
    }
    q->settled = true;
    tell_resolved(x, q);
}

/* Which changes of the state outlive a power loss, whoever is in sync? */
static bool outlives_power(const struct queued *q)
{
    const uint8_t op = q->message.cdb[0];
    return q->message.kind == COMMAND_MANAGE ||
           (q->message.kind == COMMAND_SCSI &&
            (op == 0x5F || op == 0x15 || op == 0x55 || op == 0x48));
}

static void store_or_finish(struct unit *x, struct queued *q)
{
    if (q->effect_length && outlives_power(q) && !amend_stored(x) &&
        !mutant(MUTANT_STATE_UNSTORED)) {
        q->phase = RUN_STORING;
        list_remove(&q->run_link);
        list_append(&x->answers, &q->run_link);
        amend_store(x);
        return;
    }
    run_finish(x, q);
}

static void go_on_resolved(struct unit *x, struct queued *q)
{
    effects_apply(x, q);
    struct volume_state *v = run_volume(x, q);
    if (v->resolving == q) {
        v->resolving = NULL;
        run_kick(x, q->message.volume);
    }
    if (sanitize_waits(x, q))
        return;
    bool compare_write = q->message.kind == COMMAND_SCSI && q->message.cdb[0] == 0x89;
    if (compare_write && q->status == 0) {
        q->compared = true;
        q->what = SCSI_COMPARE_WRITE;
        q->lba = q->extent.lba;
        q->blocks = (uint32_t)q->extent.blocks;
        q->fua = true;
        const struct volume_info *info = scsi_volume(x->scsi, q->message.volume);
        uint32_t half = info ? q->blocks * info->block_bytes : 0;
        must(2 * half <= q->data.length);
        run_io(x, q, ARRAY_WRITE, slice_of(q->data.buffer, q->data.offset + half, half));
        return;
    }
    if (q->message.kind == COMMAND_MANAGE)
        plan_manage_resolved(x, q);
    else
        store_or_finish(x, q);
}

void run_carried(struct unit *x, uint64_t cookie, bool failed)
{
    must(cookie < TABLE_MAX);
    struct queued *q = &x->table[cookie];
    if (q->phase != RUN_CARRYING)
        return;
    x->state_version++; /* what the drives have may be without it */
    if (failed) {
        trace_error(x->trace, "order %llu: what it asked of the drives did not succeed",
                    (unsigned long long)q->order);
        bool known = q->status != 0; /* it was adopted so */
        q->status = 0x02;
        q->sense_length = scsi_sense(q->sense, 0x03, 0x0C, 0x00);
        if (!known) {
            run_failed(x, q);
            return;
        }
    }
    store_or_finish(x, q);
}

/* The state is on the drives: whatever waited for that is answered. */
void run_stored(struct unit *x, uint64_t cookie, bool failed)
{
    if (cookie != x->store_cookie)
        return;
    x->storing = false;
    if (failed) {
        trace_error(x->trace, "no drive took the group's state; it is tried again");
        return;
    }
    x->stored_version = cookie;
}

static void counters(struct unit *x, const struct queued *q)
{
    if (q->message.kind != COMMAND_SCSI || !q->planned)
        return;
    if (q->what == SCSI_READ) {
        x->counters.reads++;
        x->counters.read_bytes += q->transferred;
    } else if (q->what == SCSI_WRITE || q->what == SCSI_WRITE_ATOMIC) {
        x->counters.writes++;
        x->counters.written_bytes += q->message.data_length;
    }
}

static bool is_write(const struct queued *q)
{
    return q->planned &&
           (q->what == SCSI_WRITE || q->what == SCSI_WRITE_ATOMIC || q->what == SCSI_OR_WRITE);
}

/* Bytes that a command with data out wanted of the host: residuals are counted against them. */
static uint32_t taken(const struct unit *x, const struct queued *q)
{
    const struct volume_info *info = scsi_volume(x->scsi, q->message.volume);
    if (is_write(q) && info)
        return (uint32_t)q->extent.blocks * info->block_bytes;
    return q->data.length;
}

void run_finish(struct unit *x, struct queued *q)
{
    if (q->status == 0 && (is_write(q) || q->message.wants_write) && !q->withdrawn)
        q->transferred = taken(x, q);
    if (!amend_may_answer(x)) {
        q->phase = RUN_ANSWER;
        list_remove(&q->run_link);
        list_append(&x->answers, &q->run_link);
        return;
    }
    bool mirrored = q->mirrored;
    q->mirrored = false;
    slice_drop(&q->work);
    q->sense_length = scsi_sense_form(x->scsi, q->message.volume, q->sense, q->sense_length);
    struct entry entry = {.kind = ENTRY_DONE,
                          .id = q->message.id,
                          .order = q->order,
                          .withdrawn = q->withdrawn,
                          .dirty = mirrored && !mutant(MUTANT_DONE_BEFORE_SAFE),
                          .doubt = unit_doubt(x),
                          .confirmed = q->confirmed,
                          .status = q->status,
                          .task_response = q->task_response,
                          .sense_length = q->sense_length,
                          .transferred = q->transferred};
    memcpy(entry.sense, q->sense, sizeof entry.sense);
    stream_append(x, &entry);
    if (q->message.kind == COMMAND_MANAGE && q->effect_length)
        array_carry_end(x->array, queued_effect(q), q->effect_length, (uint64_t)(q - x->table));
    uint16_t volume = q->message.volume;
    run_release_barrier(x, q);
    list_remove(&q->run_link);
    list_remove(&q->volume_link);
    q->phase = RUN_FINISHED;
    scsi_copied(x->scsi, &q->message, q->data.buffer ? slice_bytes(q->data) : NULL, q->data.length,
                q->status);
    table_place(x, q, PLACE_DONE);
    sessions_done(x, &q->message.id);
    if (mirrored)
        mirror_add(x, q);
    else
        slice_drop(&q->data);
    x->progress++;
    counters(x, q);
    scsi_done(x->scsi, &q->message, q->status, q->sense, q->sense_length);
    trace_detail(x->trace, "done %llu: status %02x%s", (unsigned long long)q->order, q->status,
                 mirrored ? ", in the mirror" : "");
    run_respond(x, q, false);
    if (q->confirmed)
        slice_drop(&q->reply);
    table_maybe_free(x, q);
    run_kick(x, volume);
    run_kick(x, VOLUME_NONE); /* a nexus that ends waits for its commands on every volume */
    if (x->barriers)
        kick_all(x); /* a barrier waits for the commands of every volume */
}

static void fill_response(const struct unit *x, const struct queued *q, struct message *out)
{
    out->response.id = q->message.id;
    out->response.group = x->config.group;
    out->response.epoch = x->record.epoch;
    out->response.status = q->status;
    out->response.task_response = q->task_response;
    out->response.sense_length = q->sense_length;
    memcpy(out->response.sense, q->sense, sizeof out->response.sense);
    out->response.transferred = q->transferred;
    out->response.withdrawn = q->withdrawn;
    out->response.descriptors = scsi_descriptors(x->scsi, q->message.volume);
    if (q->reply.buffer)
        out->payload = slice_ref(q->reply);
    else if (q->resolved && q->reply_length)
        out->payload =
            slice_of(buffer_ref(q->resolution.buffer), q->resolution.offset, q->reply_length);
}

/* What only the primary before us had read. An outcome whose command we never held may be one of
 * these: its switch sends the command again, and then we know. */
bool run_data_lost(const struct unit *x, const struct queued *q)
{
    if (q->status != 0 || q->transferred == 0 || q->withdrawn || q->resolved || q->dirty ||
        q->reply.buffer || mutant(MUTANT_READ_DATA_FORGOTTEN))
        return false;
    struct extent extent;
    if (!q->has_body)
        return true;
    scsi_extent(x->scsi, &q->message, &extent);
    return q->message.kind == COMMAND_SCSI && q->message.wants_read &&
           extent.class != OVERLAP_WRITE;
}

/* To its switch, or through a member that reaches the switch; else it waits for the switch to ask
 * again. */
void run_respond(struct unit *x, struct queued *q, bool around)
{
    int s = q->message.id.sender;
    if (q->confirmed)
        return;
    if (x->sender[s].linked && !x->sender[s].silent && !around) {
        fill_response(x, q, unit_send(x, MESSAGE_RESPONSE, port_of_sender(s)));
        return;
    }
    for (uint8_t m = 0; m < MODULE_MAX; m++)
        if (!mutant(MUTANT_RELAY_OFF) && x->follower[m].active && x->peer[m].linked &&
            x->peer[m].signal.heard_senders & 1u << s) {
            fill_response(x, q, unit_send(x, MESSAGE_RELAY, port_unit(m, x->config.group)));
            trace_detail(x->trace, "answer of %llu goes through %s", (unsigned long long)q->order,
                         unit_word(m, x->config.group));
            return;
        }
    if (x->sender[s].linked)
        fill_response(x, q, unit_send(x, MESSAGE_RESPONSE, port_of_sender(s)));
}

static void drain_gates(struct unit *x)
{
    int64_t complete = stream_complete(x);
    while (complete >= 0 && !list_empty(&x->handshakes)) {
        struct queued *q = list_first(&x->handshakes, struct queued, run_link);
        if (q->gate > (uint64_t)complete)
            return;
        list_remove(&q->run_link);
        if (q->phase == RUN_RESOLVING) {
            if (!q->settled)
                go_on_resolved(x, q);
            else if (q->status == 0 && unit_needs_flush(x, q)) /* it went lone meanwhile */
                run_io(x, q, ARRAY_FLUSH, slice_none());
            else
                store_or_finish(x, q);
            continue;
        }
        uint64_t took = x->now_ns - q->ordered_ns;
        x->counters.handshake_ns = (15 * x->counters.handshake_ns + took) / 16;
        histogram_add(&x->meters.handshake, took);
        start(x, q);
        if (actions_room(x->actions) < 1024)
            return;
    }
}

static void drain_answers(struct unit *x)
{
    if (list_empty(&x->answers))
        return;
    if (!amend_stored(x))
        amend_store(x);
    list_each (&x->answers, link, next) {
        struct queued *q = list_member(link, struct queued, run_link);
        if (!amend_may_answer(x) || (q->phase == RUN_STORING && !amend_stored(x)))
            continue;
        list_remove(&q->run_link);
        run_finish(x, q);
    }
}

static void drain_kicks(struct unit *x)
{
    while (x->kick_count > 0) {
        struct volume_state *v = &x->volumes[x->kicks[--x->kick_count]];
        v->kicked = false;
        list_each (&v->commands, link, next) {
            struct queued *q = list_member(link, struct queued, volume_link);
            if (q->phase != RUN_BLOCKED)
                continue;
            v->blocked--;
            q->phase = RUN_HANDSHAKE;
            start(x, q);
            if (v->blocked == 0 || list_empty(&v->commands))
                break;
        }
    }
}

static void drain_drives(struct unit *x)
{
    struct array_io *io;
    while ((io = array_next_done(x->array))) {
        if (sanitize_done(x, io))
            continue;
        struct queued *q = &x->table[io->cookie];
        if (q->dirty)
            mirror_destaged(x, q);
        else
            plan_drives_done(x, q);
        if (actions_room(x->actions) < 1024)
            return;
    }
}

void run_advance(struct unit *x)
{
    if (!unit_primary(x))
        return;
    sessions_advance(x);
    drain_gates(x);
    drain_drives(x);
    drain_answers(x);
    drain_kicks(x);
}

void run_stop(struct unit *x)
{
    list_each (&x->ordered, link, next) {
        struct queued *q = list_member(link, struct queued, place_link);
        list_remove(&q->run_link);
        list_remove(&q->volume_link);
        q->phase = RUN_IDLE;
        q->planned = q->compared = q->group_barrier = false;
        slice_drop(&q->reply);
        slice_drop(&q->work);
    }
    for (int v = 0; v <= VOLUME_MAX; v++) {
        x->volumes[v].blocked = 0;
        x->volumes[v].resolving = NULL;
        x->volumes[v].kicked = false;
    }
    x->kick_count = x->barriers = 0;
    must(list_empty(&x->handshakes) && list_empty(&x->answers));
}
