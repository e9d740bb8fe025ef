/* SPDX-License-Identifier: Apache-2.0 */
/* The queue: commands from interface switches (and managers), with or without an order; forwarding
 * between members, so that a cut link from a switch to a unit costs no takeover. docs/PROTOCOL.md,
 * "Multicast", "Queue", "Forward", "Stale". */
#include "unit/state.h"

bool queue_session_ok(const struct unit *x, const struct command_id *id)
{
    const struct sender_state *s = &x->sender[id->sender];
    bool dead = id->session <= s->dead && !mutant(MUTANT_DEAD_SESSION_TAKEN);
    return !dead && (id->session >= s->session || mutant(MUTANT_OLDER_SESSION_LIVES));
}

void queue_refuse(struct unit *x, const struct command_id *id, enum refuse_reason reason,
                  uint8_t forwarded_by)
{
    trace_detail(x->trace, "refuse %d/%llu: %s", id->sender, (unsigned long long)id->sequence,
                 refuse_reason_name(reason));
    if (x->sender[id->sender].linked) {
        struct message *out = unit_send(x, MESSAGE_REFUSE, port_of_sender(id->sender));
        out->refuse =
            (struct refuse_message){*id, x->config.group, (uint8_t)reason, x->record.epoch};
    }
    for (uint8_t m = 0; m < MODULE_MAX; m++)
        if (forwarded_by & 1u << m && !mutant(MUTANT_FORWARD_UNANSWERED)) {
            struct message *out =
                unit_send(x, MESSAGE_FORWARD_ANSWER, port_unit(m, x->config.group));
            out->forward_answer = (struct forward_answer_message){
                *id, x->config.group, x->record.epoch, (uint8_t)(2 + reason)};
        }
}

static void answer_forward(struct unit *x, const struct command_id *id, uint8_t by, uint8_t answer)
{
    for (uint8_t m = 0; m < MODULE_MAX; m++)
        if (by & 1u << m && !mutant(MUTANT_FORWARD_UNANSWERED)) {
            struct message *out =
                unit_send(x, MESSAGE_FORWARD_ANSWER, port_unit(m, x->config.group));
            out->forward_answer =
                (struct forward_answer_message){*id, x->config.group, x->record.epoch, answer};
        }
}

/* The unit's own epoch only: no copy left over from an earlier reign runs. */
static bool epoch_ok(const struct unit *x, const struct command_message *m)
{
    return m->epoch == x->record.epoch || mutant(MUTANT_EARLIER_EPOCH_TAKEN);
}

/* A command from before the cut has an outcome that nobody knows: it is never run. */
static void answer_cut(struct unit *x, const struct command_id *id)
{
    int s = id->sender;
    if (!x->sender[s].linked)
        return;
    struct message *out = unit_send(x, MESSAGE_RESPONSE, port_of_sender(s));
    out->response.id = *id;
    out->response.group = x->config.group;
    out->response.epoch = x->record.epoch;
    out->response.status = 0x02;
    out->response.sense_length = scsi_sense(out->response.sense, 0x0B, 0, 0);
}

/* May the primary give orders now? A planned takeover or a stop takes no more. */
static bool orders_open(const struct unit *x)
{
    bool handing = x->handing != MODULE_NONE && !mutant(MUTANT_HANDOVER_TAKES_ORDERS);
    return unit_primary(x) && !handing && (!x->quiescing || mutant(MUTANT_STOP_TAKES_ORDERS));
}

/* The response was lost: it is given again. An unconfirmed read has no data any more: it runs
 * again, in a new order. */
static void answer_again(struct unit *x, struct queued *q, const struct command_message *m,
                         uint8_t forwarded_by)
{
    if (!unit_primary(x))
        return;
    answer_forward(x, &q->message.id, forwarded_by, 1);
    if (m->kind != COMMAND_WITHDRAW && run_data_lost(x, q)) { /* one withdrawn wants no data */
        if ((q->phase != RUN_FINISHED && q->phase != RUN_IDLE) || !orders_open(x))
            return;
        trace_detail(x->trace, "run read %d/%llu again", q->message.id.sender,
                     (unsigned long long)q->message.id.sequence);
        q->resolved = q->applied = q->planned = false;
        q->rerun = true;
        slice_drop(&q->resolution);
        queue_order(x, q);
        return;
    }
    run_respond(x, q, false);
}

void queue_order(struct unit *x, struct queued *q)
{
    q->order = x->next_order++;
    q->ordered_ns = x->now_ns;
    table_place(x, q, PLACE_ORDERED);
    struct entry entry = {
        .kind = ENTRY_READY, .id = q->message.id, .order = q->order, .withdrawn = q->withdrawn};
    q->gate = stream_append(x, &entry);
    if (q->message.wants_write ? mutant(MUTANT_WRITE_BEFORE_HANDSHAKE)
                               : mutant(MUTANT_READ_BEFORE_HANDSHAKE))
        q->gate = 0;
    trace_detail(x->trace, "queue %d/%llu, order %llu -> ready", q->message.id.sender,
                 (unsigned long long)q->message.id.sequence, (unsigned long long)q->order);
    run_begin(x, q);
}

static bool is_stale(const struct unit *x, const struct command_message *m, uint64_t age_ns)
{
    return m->kind == COMMAND_SCSI && age_ns > x->limits.stale_ns && !mutant(MUTANT_STALE_TAKEN);
}

/* Gives an order to what waits, unless it is too old: then the switch proves that the host lives.
 */
static void consider(struct unit *x, struct queued *q, uint64_t age_ns)
{
    const struct command_id id = q->message.id;
    uint8_t by = q->forwarded_by;
    if (!orders_open(x)) {
        q->forwarded_by = 0;
        if (by && unit_primary(x)) /* silence would look like death */
            queue_refuse(x, &id, REFUSE_ROLE, by);
        return;
    }
    if (is_stale(x, &q->message, age_ns)) {
        queue_refuse(x, &id, REFUSE_STALE, by);
        table_free(x, q);
        return;
    }
    struct sender_state *s = &x->sender[id.sender];
    if (id.session > s->session) {
        struct entry entry = {.kind = ENTRY_SESSION, .session = id.session};
        entry.id.sender = id.sender;
        stream_append(x, &entry);
        sessions_apply(x, &entry);
    }
    if (q->withdrawn && mutant(MUTANT_WITHDRAWAL_NOT_KEPT)) {
        run_outcome(q, 0x40, NULL);
        run_respond(x, q, false);
        table_free(x, q);
        return;
    }
    q->forwarded_by = 0;
    queue_order(x, q);
    answer_forward(x, &id, by, 0);
}

static uint64_t begun_at(const struct unit *x, uint64_t age_ns)
{
    return age_ns < x->now_ns ? x->now_ns - age_ns : 0;
}

/* A copy has come, from its sender or forwarded by a member. */
static void receive(struct unit *x, const struct message *message, uint64_t transit_ns,
                    uint8_t forwarded_by)
{
    const struct command_message *m = &message->command;
    struct sender_state *s = &x->sender[m->id.sender];
    if (!queue_session_ok(x, &m->id)) {
        queue_refuse(x, &m->id, REFUSE_SESSION, forwarded_by);
        return;
    }
    if (m->id.session == s->session && m->id.sequence <= s->confirmed &&
        !mutant(MUTANT_CONFIRMED_RUNS_AGAIN)) {
        answer_forward(x, &m->id, forwarded_by, 1);
        return;
    }
    struct queued *q = mutant(MUTANT_QUEUED_TWICE) ? NULL : table_find(x, &m->id);
    if (!q && m->first_epoch < x->record.cut && !mutant(MUTANT_CUT_IGNORED)) {
        answer_cut(x, &m->id);
        return;
    }
    if (!q && x->waiting_count < QUEUE_MAX)
        q = table_add(x, &m->id);
    if (!q) {
        queue_refuse(x, &m->id, REFUSE_FULL, forwarded_by);
        return;
    }
    if (q->place == PLACE_FREE)
        table_place(x, q, PLACE_WAITING);
    bool too_late = m->kind == COMMAND_WITHDRAW && q->place != PLACE_WAITING;
    if (too_late)
        sanitize_withdrawn(x, q);
    if (!q->has_body && !too_late) { /* a withdrawal is not the body of what has an order */
        table_keep_body(x, q, m, message->payload);
        q->message.age_ns = m->age_ns + transit_ns;
        q->begun_ns = begun_at(x, m->start_age_ns + transit_ns);
    }
    if (q->place == PLACE_WAITING) {
        q->forwarded_by |= forwarded_by;
        q->withdrawn |= m->kind == COMMAND_WITHDRAW;
        consider(x, q, m->age_ns + transit_ns);
        return;
    }
    follow_advance(x);
    if (q->place == PLACE_DONE) {
        if (!q->dirty)
            slice_drop(&q->data);
        answer_again(x, q, m, forwarded_by);
    } else {
        answer_forward(x, &m->id, forwarded_by, 0);
    }
}

static bool receives(const struct unit *x)
{
    return unit_primary(x) || x->state == UNIT_STATE_SECONDARY || x->state == UNIT_STATE_JOINING;
}

void queue_command(struct unit *x, const struct message *message)
{
    const struct command_message *m = &message->command;
    int s = sender_of_port(message->from);
    if (s < 0 || s >= SENDER_MAX || m->id.sender != s)
        return;
    sessions_heard(x, s, m->id.session);
    if (x->state == UNIT_STATE_OUT || x->state == UNIT_STATE_READING) {
        queue_refuse(x, &m->id, REFUSE_ROLE, 0);
        return;
    }
    if (!epoch_ok(x, m)) {
        if (receives(x)) {
            queue_refuse(x, &m->id, REFUSE_EPOCH, 0);
            x->sender[s].view_wanted = true;
        }
        return;
    }
    if (!receives(x))
        return;
    sessions_confirm(x, s, m->id.session, m->confirmed);
    receive(x, message, signals_age(&x->offset_sender[s], x->now_ns, m->sent_ns), 0);
}

void queue_forwarded(struct unit *x, const struct message *message)
{
    const struct command_message *m = &message->command;
    uint8_t by = (uint8_t)port_index(message->from);
    if (!unit_primary(x) || by >= MODULE_MAX || m->id.sender >= SENDER_MAX)
        return;
    if (!epoch_ok(x, m)) {
        queue_refuse(x, &m->id, REFUSE_EPOCH, (uint8_t)(1u << by));
        return;
    }
    sessions_confirm(x, m->id.sender, m->id.session, m->confirmed);
    receive(x, message, signals_age(&x->offset_peer[by], x->now_ns, m->sent_ns),
            (uint8_t)(1u << by));
}

void queue_forward_answer(struct unit *x, const struct message *message)
{
    const struct forward_answer_message *m = &message->forward_answer;
    if (x->state != UNIT_STATE_SECONDARY || m->epoch != x->record.epoch)
        return;
    struct queued *q = table_find(x, &m->id);
    if (!q || q->place != PLACE_WAITING)
        return;
    if (m->answer >= 2) {
        /* the switch may not reach the primary: it is told by us */
        queue_refuse(x, &m->id, (enum refuse_reason)(m->answer - 2), 0);
        table_free(x, q);
    } else if (m->answer == 1) {
        table_free(x, q);
    }
}

void queue_confirm(struct unit *x, const struct message *message)
{
    const struct confirm_message *m = &message->confirm;
    if (m->sender >= SENDER_MAX || !receives(x))
        return;
    if (!m->relayed)
        sessions_heard(x, m->sender, m->session);
    sessions_confirm(x, m->sender, m->session, m->confirmed);
}

static void forward(struct unit *x, struct queued *q)
{
    uint8_t primary = x->record.primary.module;
    if (!x->peer[primary].linked)
        return;
    struct message *out = unit_send(x, MESSAGE_FORWARD, port_unit(primary, x->config.group));
    uint64_t held_ns = x->now_ns - q->arrived_ns;
    out->command = q->message;
    if (q->withdrawn)
        out->command.kind = COMMAND_WITHDRAW;
    out->command.epoch = x->record.epoch;
    out->command.age_ns += mutant(MUTANT_WAIT_NOT_COUNTED) ? 0 : held_ns;
    out->command.start_age_ns = x->now_ns - q->begun_ns;
    out->command.sent_ns = x->now_ns;
    out->payload = slice_ref(q->data);
    q->forwarded_ns = x->now_ns;
    if (!q->forwarded)
        trace_detail(x->trace, "no ready for %d/%llu -> forward to %s", q->message.id.sender,
                     (unsigned long long)q->message.id.sequence,
                     unit_word(primary, x->config.group));
    q->forwarded = true;
}

void queue_tick(struct unit *x)
{
    if (x->waiting_count == 0)
        return;
    list_each (&x->waiting, link, next) {
        struct queued *q = list_member(link, struct queued, place_link);
        if (unit_primary(x)) {
            uint64_t waited_ns = mutant(MUTANT_WAIT_NOT_COUNTED) ? 0 : x->now_ns - q->arrived_ns;
            consider(x, q, q->message.age_ns + waited_ns);
        } else if (x->state == UNIT_STATE_SECONDARY) {
            uint64_t since = q->forwarded ? q->forwarded_ns : q->arrived_ns;
            uint64_t limit = q->forwarded ? 2 * x->limits.forward_ns : x->limits.forward_ns;
            if (x->now_ns - since >= limit && !mutant(MUTANT_FORWARD_OFF))
                forward(x, q);
        }
    }
}
