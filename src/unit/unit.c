/* SPDX-License-Identifier: Apache-2.0 */
/* The array controller unit as an actor: events in, actions out. It follows docs/PROTOCOL.md; each
 * of its rules is in the file of this room whose name says so. It must never do drive work, resolve
 * or answer anything outside UNIT_STATE_PRIMARY.
 *
 *   READING --> OUT --> JOINING --> SECONDARY --> STOPPED --> CLAIMING --> FENCING --> ADOPTING
 *                ^                     ^                                                  |
 *                |                     |  (planned takeover)                              v
 *                +----- DEPOSED <------+------------- PRIMARY <------------------------ CLEARING
 *
 * U1  drive work (array_begin) only in ADOPTING, CLEARING and PRIMARY
 * U2  in PRIMARY the record names us as primary and its `previous` is empty
 * U3  OUT and READING hold nothing: no queue, no mirror, no outcomes
 * U4  every command in `ordered` has an order, and the list is in that order
 * U5  followers exist only in ADOPTING, CLEARING and PRIMARY
 */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "unit/state.h"

const char *unit_state_name(enum unit_state state)
{
    static const char *const names[UNIT_STATE_STATES] = {
        "reading", "out",      "joining",  "secondary", "stopped", "claiming",
        "fencing", "adopting", "clearing", "primary",   "deposed",
    };
    return names[state];
}

bool unit_needs_flush(const struct unit *x, const struct queued *q)
{
    return unit_lone(x) && q->io.op != ARRAY_READ && q->io.op != ARRAY_FLUSH && !q->io.fua &&
           !mutant(MUTANT_LONE_UNFLUSHED);
}

bool unit_doubt(const struct unit *x)
{
    return unit_primary(x) ? array_in_doubt(x->array) : x->doubt;
}

const char *unit_word(uint8_t module, uint8_t group)
{
    static char words[4][4];
    static unsigned next;
    char *word = words[next++ % 4];
    word[0] = module == MODULE_NONE ? '-' : (char)('A' + module);
    word[1] = module == MODULE_NONE ? 0 : (char)('1' + group);
    word[2] = 0;
    return word;
}

struct unit *unit_new(const struct unit_config *config, struct buffer_pool *buffers,
                      struct trace *trace)
{
    struct unit *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->config = *config;
    x->limits = config->limits;
    x->trace = trace;
    x->buffers = buffers;
    x->self_port = port_unit(config->module, config->group);
    x->self = (struct member){config->module, config->incarnation};
    x->table = calloc(TABLE_MAX, sizeof *x->table);
    x->batch = calloc(BATCHES_MAX, sizeof *x->batch);
    x->volumes = calloc(VOLUME_MAX + 1, sizeof *x->volumes);
    x->directory = calloc(1, sizeof *x->directory);
    x->scratch = malloc(STATE_BYTES_MAX);
    x->plan_data = malloc(SCSI_DATA_MAX);
    x->stream_buffers = buffer_pool_new(64u << 20);
    x->array = array_new(config->group, x->self_port, buffers, &x->limits, trace);
    x->scsi = x->directory ? scsi_server_new(config->group, x->directory, trace) : NULL;
    if (!x->table || !x->batch || !x->volumes || !x->directory || !x->scratch || !x->plan_data ||
        !x->stream_buffers || !x->array || !x->scsi) {
        unit_free(x);
        return NULL;
    }
    list_init(&x->free);
    list_init(&x->waiting);
    list_init(&x->ordered);
    list_init(&x->missing);
    list_init(&x->dirty);
    list_init(&x->batches);
    list_init(&x->batch_free);
    list_init(&x->handshakes);
    list_init(&x->answers);
    for (int i = 0; i <= VOLUME_MAX; i++)
        list_init(&x->volumes[i].commands);
    x->handing = x->move_wanted = MODULE_NONE;
    x->join_wanted = MODULE_NONE;
    x->reg.joining = MODULE_NONE;
    x->record.primary = x->record.dirty = member_none();
    scsi_switches_set(x->scsi, config->switches);
    return x;
}

void unit_free(struct unit *x)
{
    if (!x)
        return;
    if (x->table)
        table_clear(x);
    if (x->batch)
        stream_end(x);
    snapshot_drop(x);
    for (int l = 0; l < LOOP_MAX; l++)
        slice_drop(&x->loop[l].inventory);
    if (x->stream_buffers)
        buffer_pool_free(x->stream_buffers);
    if (x->array)
        array_free(x->array);
    sanitize_stop(x);
    if (x->scsi)
        scsi_server_free(x->scsi);
    free(x->table);
    free(x->batch);
    free(x->volumes);
    free(x->directory);
    free(x->scratch);
    free(x->plan_data);
    free(x);
}

static const uint16_t transitions[UNIT_STATE_STATES] = {
#define TO(s) (uint16_t)(1u << UNIT_STATE_##s)
    [UNIT_STATE_READING] = TO(OUT),
    [UNIT_STATE_OUT] = TO(JOINING) | TO(CLAIMING) | TO(OUT),
    [UNIT_STATE_JOINING] = TO(SECONDARY) | TO(OUT) | TO(STOPPED) | TO(DEPOSED),
    [UNIT_STATE_SECONDARY] = TO(STOPPED) | TO(FENCING) | TO(OUT) | TO(DEPOSED) | TO(SECONDARY),
    [UNIT_STATE_STOPPED] = TO(CLAIMING) | TO(SECONDARY) | TO(OUT) | TO(DEPOSED) | TO(FENCING),
    [UNIT_STATE_CLAIMING] = TO(FENCING) | TO(SECONDARY) | TO(OUT) | TO(DEPOSED) | TO(STOPPED),
    [UNIT_STATE_FENCING] = TO(ADOPTING) | TO(SECONDARY) | TO(OUT) | TO(DEPOSED),
    [UNIT_STATE_ADOPTING] = TO(CLEARING) | TO(SECONDARY) | TO(OUT) | TO(DEPOSED),
    [UNIT_STATE_CLEARING] = TO(PRIMARY) | TO(SECONDARY) | TO(OUT) | TO(DEPOSED),
    [UNIT_STATE_PRIMARY] = TO(SECONDARY) | TO(OUT) | TO(DEPOSED),
    [UNIT_STATE_DEPOSED] = TO(CLAIMING) | TO(SECONDARY) | TO(OUT) | TO(FENCING),
#undef TO
};

static bool leads(enum unit_state state)
{
    return state == UNIT_STATE_FENCING || state == UNIT_STATE_ADOPTING ||
           state == UNIT_STATE_CLEARING || state == UNIT_STATE_PRIMARY;
}

void unit_become(struct unit *x, enum unit_state state)
{
    must(transitions[x->state] & 1u << state);
    enum unit_state before = x->state;
    x->state = state;
    if (before != state)
        trace_info(x->trace, "%s -> %s, epoch %llu", unit_state_name(before),
                   unit_state_name(state), (unsigned long long)x->record.epoch);
    if (leads(before) && !leads(state)) {
        run_stop(x);
        mirror_stop(x);
        x->doubt |= array_in_doubt(x->array);
        array_halt(x->array);
        sanitize_stop(x);
        stream_end(x);
        x->handing = MODULE_NONE;
        x->move_wanted = MODULE_NONE;
        x->storing = x->flushing = x->flushed = false; /* no notice of them comes any more */
    }
    if (before != state && x->actions)
        actions_notice(x->actions, "role group=%d unit=%s state=%s epoch=%llu in_sync=%d",
                       x->config.group + 1, unit_word(x->config.module, x->config.group),
                       unit_state_name(state), (unsigned long long)x->record.epoch,
                       x->record.in_sync.count);
}

bool unit_is(const struct unit *x, uint8_t module)
{
    return x->config.module == module;
}

bool unit_lone(const struct unit *x)
{
    if (!unit_primary(x))
        return false;
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->follower[m].active && !x->follower[m].joining && !x->follower[m].leaves &&
            (x->follower[m].knows || mutant(MUTANT_ANSWERS_BEFORE_IT_KNOWS)))
            return false;
    return true;
}

uint64_t unit_tag(struct unit *x)
{
    return ++x->tags;
}

struct message *unit_send(struct unit *x, enum message_kind kind, port_id to)
{
    return actions_send(x->actions, kind, x->self_port, to);
}

static void live(struct unit *x)
{
    struct action *action = actions_add(x->actions, ACTION_REGISTER_LIVE);
    action->reg.group = x->config.group;
    action->reg.member = x->self;
}

void unit_go_out(struct unit *x, const char *why)
{
    trace_info(x->trace, "out: %s", why);
    if (x->state != UNIT_STATE_READING) {
        unit_become(x, UNIT_STATE_OUT);
        x->self.incarnation += mutant(MUTANT_OUT_KEEPS_INCARNATION) ? 0 : 1;
        live(x);
        loops_login_again(x);
    } else {
        unit_become(x, UNIT_STATE_OUT);
    }
    if (!mutant(MUTANT_OUT_KEEPS_QUEUE))
        table_clear(x);
    snapshot_drop(x);
    scsi_server_clear(x->scsi);
    array_clear(x->array);
    memset(x->directory, 0, sizeof *x->directory);
    for (int s = 0; s < SENDER_MAX; s++)
        sessions_forget(&x->sender[s]);
    loops_trust(x);
    x->stream_synced = x->doubt = false;
    x->applied = x->held = 0;
    x->storing = false;
    x->state_version++;
    x->next_read_ns = x->now_ns;
}

static void link_event(struct unit *x, port_id port, bool up, bool gone)
{
    int i = port_index(port);
    switch (port_kind(port)) {
    case PORT_KIND_SWITCH:
    case PORT_KIND_MANAGER: {
        int s = sender_of_port(port);
        if (s < 0 || s >= SENDER_MAX)
            return;
        x->sender[s].linked = up;
        x->sender[s].view_wanted = x->sender[s].directory_wanted = up;
        break;
    }
    case PORT_KIND_UNIT:
        if (port_sub(port) != x->config.group || i >= MODULE_MAX || unit_is(x, (uint8_t)i))
            return;
        x->peer[i].linked = up;
        x->peer[i].gone = gone;
        if (up)
            x->peer[i].heard_ns = x->now_ns;
        stream_link(x, (uint8_t)i, up);
        if (gone && !mutant(MUTANT_LINK_RESET_IGNORED))
            suspect_link_gone(x, (uint8_t)i);
        break;
    case PORT_KIND_LOOP:
        if (i < LOOP_MAX)
            loops_link(x, i, up, gone);
        break;
    case PORT_KIND_NONE:
        break;
    }
}

typedef void message_handler(struct unit *x, const struct message *message);

static message_handler *const handlers[MESSAGE_KINDS] = {
    [MESSAGE_COMMAND] = queue_command,    [MESSAGE_CONFIRM] = queue_confirm,
    [MESSAGE_FORWARD] = queue_forwarded,  [MESSAGE_FORWARD_ANSWER] = queue_forward_answer,
    [MESSAGE_STREAM] = follow_stream,     [MESSAGE_HELD] = stream_held,
    [MESSAGE_FETCH] = stream_fetch,       [MESSAGE_FETCHED] = follow_fetched,
    [MESSAGE_STOP] = claim_asked,         [MESSAGE_PROMISE] = claim_promised,
    [MESSAGE_JOIN] = join_asked,          [MESSAGE_HANDOVER] = handover_received,
    [MESSAGE_LOGIN_ACCEPT] = loops_login, [MESSAGE_FENCE_ANSWER] = loops_fence_answer,
    [MESSAGE_SIGNAL] = signals_receive,
};

static void relay(struct unit *x, const struct message *message)
{
    int s = message->response.id.sender;
    if (s >= SENDER_MAX || !x->sender[s].linked)
        return;
    struct message *out = unit_send(x, MESSAGE_RESPONSE, port_of_sender(s));
    out->response = message->response;
    out->payload = slice_ref(message->payload);
}

static void message_event(struct unit *x, const struct message *message)
{
    int i = port_index(message->from);
    if (i < 0)
        return;
    if (port_kind(message->from) == PORT_KIND_UNIT) {
        if (i >= MODULE_MAX || port_sub(message->from) != x->config.group)
            return;
        x->peer[i].heard_ns = x->now_ns;
    } else if (port_kind(message->from) == PORT_KIND_LOOP && i < LOOP_MAX) {
        loops_heard(x, i);
    }
    if (message->kind == MESSAGE_DRIVE_RESPONSE)
        array_drive_answer(x->array, message);
    else if (message->kind == MESSAGE_ASSIGN_ANSWER)
        array_assign_answer(x->array, message);
    else if (message->kind == MESSAGE_RELAY)
        relay(x, message);
    else if (message->kind < MESSAGE_KINDS && handlers[message->kind])
        handlers[message->kind](x, message);
}

static void tick(struct unit *x)
{
    if (!x->record_known && x->reg.kind == SWAP_NONE && x->state == UNIT_STATE_READING &&
        x->next_read_ns == 0) {
        x->next_read_ns = x->now_ns;
        live(x);
    }
    control_tick(x);
    suspect_tick(x);
    claim_tick(x);
    takeover_tick(x);
    loops_tick(x);
    queue_tick(x);
    follow_tick(x);
    stream_tick(x);
    sessions_tick(x);
    amend_tick(x);
    join_tick(x);
    handover_tick(x);
    stop_tick(x);
    if (x->now_ns >= x->next_signal_ns) {
        signals_send(x);
        run_retry(x);
    }
}

static void pump(struct unit *x, bool time)
{
    if (time)
        tick(x);
    run_advance(x);
    sanitize_advance(x);
    mirror_destage(x);
    array_pump(x->array, x->now_ns, x->actions);
    loops_notices(x);
    if (x->handing != MODULE_NONE && !x->stopping) /* stopping: the other may be about to, too */
        handover_tick(x); /* what it waits for may have ended: hosts wait */
    if (time) {
        stream_flush(x);
        if (x->held_wanted)
            follow_report(x);
    }
}

/* A unit that was stopped itself finds everybody silent and every drive slow. */
static void consider_lateness(struct unit *x)
{
    if (x->wake_asked_ns == 0 || x->now_ns <= x->wake_asked_ns + x->limits.availability_ns / 2)
        return;
    uint64_t late_ns = x->now_ns - x->wake_asked_ns;
    uint64_t since_ns = x->stepped_ns > x->wake_asked_ns ? x->stepped_ns : x->wake_asked_ns;
    if (!mutant(MUTANT_LATENESS_COUNTS))
        array_late(x->array, x->now_ns - since_ns); /* each moment once: it may go on for steps */
    if (x->now_ns < x->listen_until_ns && !mutant(MUTANT_LATENESS_BEGINS_ANEW))
        return;
    trace_info(x->trace, "late by %llu ms: listens before it suspects anybody",
               (unsigned long long)(late_ns / 1000000));
    x->listen_until_ns = x->now_ns + x->limits.availability_ns;
}

void unit_step(struct unit *x, const struct event *event, struct actions *actions)
{
    x->actions = actions;
    x->now_ns = event->now_ns;
    x->trace->now_ns = event->now_ns;
    consider_lateness(x);
    switch (event->kind) {
    case EVENT_TIME:
        break;
    case EVENT_MESSAGE:
        message_event(x, event->message);
        break;
    case EVENT_LINK_UP:
        link_event(x, event->link.port, true, false);
        break;
    case EVENT_LINK_DOWN:
        link_event(x, event->link.port, false, event->link.gone);
        break;
    case EVENT_REGISTER:
        control_event(x, event);
        break;
    case EVENT_STOP:
        stop_begin(x);
        break;
    case EVENT_DRIVE:
    case EVENT_STORED:
    case EVENT_TRAY:
    case EVENT_STREAM_OPEN:
    case EVENT_STREAM_DATA:
    case EVENT_STREAM_SENT:
    case EVENT_STREAM_CLOSED:
        break;
    case EVENT_REQUEST:
        claim_requested(x, event->request.tag, event->request.text);
        break;
    }
    pump(x, event->kind == EVENT_TIME);
    x->wake_asked_ns = unit_wake_ns(x);
    x->stepped_ns = x->now_ns;
    x->actions = NULL;
}

uint64_t unit_wake_ns(const struct unit *x)
{
    if (x->open_count || x->held_wanted)
        return x->now_ns;
    uint64_t wake = x->next_signal_ns;
    bool busy = x->waiting_count || x->ordered_count || x->handing != MODULE_NONE || x->stopping ||
                (x->state != UNIT_STATE_SECONDARY && !unit_primary(x));
    if (busy && x->now_ns + MS(5) < wake)
        wake = x->now_ns + MS(5);
    uint64_t suspect_wake = suspect_wake_ns(x);
    if (suspect_wake < wake)
        wake = suspect_wake;
    uint64_t array_wake = array_wake_ns(x->array);
    return array_wake < wake ? array_wake : wake;
}

void unit_check(const struct unit *x)
{
    bool drives = x->state == UNIT_STATE_ADOPTING || x->state == UNIT_STATE_CLEARING ||
                  x->state == UNIT_STATE_PRIMARY;
    must(x->state != UNIT_STATE_PRIMARY || member_same(x->record.primary, x->self)); /* U2 */
    must(x->state != UNIT_STATE_PRIMARY || x->record.previous.count == 0);
    must((x->state != UNIT_STATE_OUT && x->state != UNIT_STATE_READING) ||
         (x->ordered_count == 0 && x->dirty_count == 0)); /* U3 */
    for (int m = 0; m < MODULE_MAX; m++)
        must(!x->follower[m].active || drives); /* U5 */
    array_check(x->array);
}

void unit_check_all(const struct unit *x)
{
    unit_check(x);
    array_check_all(x->array);
    uint32_t waiting = 0, ordered = 0, dirty = 0;
    uint64_t order = 0;
    list_each (&x->waiting, link, next)
        waiting++;
    list_each (&x->ordered, link, next) {
        const struct queued *q = list_member(link, struct queued, place_link);
        must(q->order >= order); /* U4 */
        order = q->order;
        ordered++;
    }
    list_each (&x->dirty, link, next)
        dirty++;
    must(waiting == x->waiting_count && ordered == x->ordered_count && dirty == x->dirty_count);
}

static uint64_t sum_of_sessions(const struct unit *x)
{
    uint64_t sum = 0;
    for (int s = 0; s < SENDER_MAX; s++) {
        const struct sender_state *sender = &x->sender[s];
        sum = sum * 31 + sender->session + sender->dead * 7 + sender->confirmed * 3;
    }
    return sum;
}

void unit_standing(const struct unit *x, struct unit_status *out)
{
    out->sessions = sum_of_sessions(x);
    out->module = x->config.module;
    out->group = x->config.group;
    out->state = x->state;
    out->incarnation = x->self.incarnation;
    out->epoch = x->record.epoch;
    out->sequence = unit_primary(x)                             ? x->index
                    : x->stream_synced && x->held == x->applied ? x->applied
                                                                : 0;
    out->ordered = x->ordered_count;
    out->outcomes = x->done_count;
    out->mirror_bytes = x->dirty_bytes;
    out->mirror_writes = x->dirty_count;
}

const struct meters *unit_meters(const struct unit *x)
{
    return &x->meters;
}

void unit_describe(const struct unit *x, struct unit_status *out)
{
    *out = x->counters;
    unit_standing(x, out);
    out->record = x->record;
    out->queue = x->waiting_count + x->ordered_count;
    out->lone = unit_lone(x);
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->peer[m].heard_ns && x->now_ns - x->peer[m].heard_ns < x->limits.availability_ns)
            out->heard_units |= (uint8_t)(1u << m);
    for (int s = 0; s < SENDER_MAX; s++)
        if (x->sender[s].heard_ns && x->now_ns - x->sender[s].heard_ns < x->limits.availability_ns)
            out->heard_senders |= (uint8_t)(1u << s);
    array_reach(x->array, out->drives);
    array_describe(x->array, &out->array);
}

const struct array *unit_array(const struct unit *x)
{
    return x->array;
}

const struct directory *unit_directory(const struct unit *x)
{
    return x->directory;
}

const struct scsi_server *unit_scsi(const struct unit *x)
{
    return x->scsi;
}
