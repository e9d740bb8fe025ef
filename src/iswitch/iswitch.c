/* SPDX-License-Identifier: Apache-2.0 */

/* The interface switch: hosts' iSCSI sessions on one side (RFC 7143), the command protocol's sender
 * on the other (docs/PROTOCOL.md). It must never answer for a group, never let a command of a
 * session that is over run later than the host's next login, and never let one host's bytes disturb
 * another.
 *
 * Deviations from RFC 7143: one connection a session, ErrorRecoveryLevel 0, DataPDUInOrder and
 * DataSequenceInOrder Yes only; CLEAR ACA and TASK REASSIGN are refused.
 *
 *   receive.c    bytes to PDUs           command.c, data.c   a SCSI command and its data out
 *   pdu.c        PDUs to their files     task.c              its way to its group and back
 *   early.c      requests out of order
 *   login.c, keys.c, text.c              management.c        task management
 *   nop.c        does the host live?     response.c          answers to the host
 *   authentication.c                     session.c           I_T nexuses, and their end
 *   logout.c, drain.c                    access.c            which host sees which LUNs
 *   sense.c      of our own              away.c              groups that serve nobody
 *
 * I1  A connection is in `connections` from its opening until the end of the step in which it
 * closes. I2  A session is in `sessions` until none of its commands is with a group and every group
 * that knew its nexus has lost it. I3  payload_bytes is the sum over the sessions, a
 * session's that over its tasks; unsent_bytes that over the connections. */

#include "iswitch/iswitch.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"
#include "iswitch/meter.h"

enum { ROUNDS_MAX = 8 };

static bool new_connections(struct iswitch *x)
{
    uint32_t count = x->config.session_max;
    x->buckets = 16;
    while (x->buckets < 2 * count)
        x->buckets *= 2;
    x->connection = calloc(count, sizeof *x->connection);
    x->hold = calloc(count, STREAM_HOLD_BYTES);
    x->bucket = calloc(x->buckets, sizeof *x->bucket);
    if (!x->connection || !x->hold || !x->bucket)
        return false;
    for (uint32_t i = 0; i < x->buckets; i++)
        list_init(&x->bucket[i]);
    for (uint32_t i = 0; i < count; i++) {
        x->connection[i].hold = x->hold + (size_t)i * STREAM_HOLD_BYTES;
        list_init(&x->connection[i].link);
        list_append(&x->free_connections, &x->connection[i].link);
    }
    return true;
}

static bool new_sessions(struct iswitch *x)
{
    /* a host that comes back finds a place while its old session ends */
    x->sessions_max = 2 * x->config.session_max;
    x->session = calloc(x->sessions_max, sizeof *x->session);
    if (!x->session)
        return false;
    for (uint32_t i = 0; i < x->sessions_max; i++) {
        x->session[i].index = (uint16_t)i;
        list_init(&x->session[i].link);
        list_init(&x->session[i].busy);
        list_init(&x->session[i].responding);
        list_init(&x->session[i].admitting);
        list_append(&x->free_sessions, &x->session[i].link);
    }
    return true;
}

struct iswitch *iswitch_new(const struct iswitch_config *config, struct buffer_pool *buffers,
                            struct trace *trace)
{
    must(config->session_max > 0 && config->session_max < 0x4000);
    struct iswitch *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->config = *config;
    x->buffers = buffers;
    x->trace = trace;
    x->sender_session = config->sender.session;
    x->promised_ns = x->tick_ns = UINT64_MAX;
    list_init(&x->connections);
    list_init(&x->free_connections);
    list_init(&x->stalled);
    list_init(&x->sessions);
    list_init(&x->free_sessions);
    list_init(&x->busy);
    list_init(&x->admit);
    list_init(&x->responding);
    for (int g = 0; g < GROUP_MAX; g++) {
        list_init(&x->ready[g]);
        list_init(&x->bulk[g]);
    }
    x->sender = sender_new(&config->sender, trace);
    x->meter = calloc((size_t)GROUP_MAX * VOLUME_MAX, sizeof *x->meter);
    if (!x->sender || !x->meter || !new_connections(x) || !new_sessions(x)) {
        iswitch_free(x);
        return NULL;
    }
    return x;
}

static void free_payload(struct iswitch *x)
{
    for (uint32_t i = 0; x->connection && i < x->config.session_max; i++) {
        buffer_unref(x->connection[i].receive.buffer);
        buffer_unref(x->connection[i].receive.replay);
    }
    list_each (&x->sessions, link, next) {
        struct session *session = list_member(link, struct session, link);
        for (int i = 0; i < TASKS; i++) {
            buffer_unref(session->task[i].buffer);
            slice_drop(&session->task[i].payload);
        }
    }
}

void iswitch_free(struct iswitch *x)
{
    if (!x)
        return;
    free_payload(x);
    sender_free(x->sender);
    free(x->connection);
    free(x->session);
    free(x->bucket);
    free(x->hold);
    free(x->meter);
    free(x);
}

/* ---- notices of the sender ---- */

static void take_response(struct iswitch *x, struct sender_notice *notice)
{
    uint16_t index = (uint16_t)(notice->cookie >> 48), at = (uint16_t)(notice->cookie >> 32);
    uint32_t generation = (uint32_t)notice->cookie;
    must(index < x->sessions_max);
    struct session *session = &x->session[index];
    if (at >= COOKIE_NEXUS) {
        if (session->state != SESSION_STATE_FREE && session->generation == generation)
            session_nexus_answer(x, session, (uint8_t)(at - COOKIE_NEXUS),
                                 notice->response->status == 0 && !notice->response->withdrawn);
    } else {
        must(at < TASKS);
        struct task *task = &session->task[at];
        if (session->state != SESSION_STATE_FREE && task->state == TASK_STATE_SENT &&
            task->generation == generation)
            task_answered(x, task, notice->response, notice->payload);
    }
    slice_drop(&notice->payload);
}

static void prove(struct iswitch *x, uint32_t nexus)
{
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (c->session && c->session->nexus == nexus)
            nop_prove(x, c);
    }
}

static void begin_anew(struct iswitch *x)
{
    trace_warn(x->trace, "our session with the array is dead: all hosts' sessions end");
    while (!list_empty(&x->sessions))
        session_forget(x, list_first(&x->sessions, struct session, link));
    sender_renew(x->sender, ++x->sender_session);
}

static void take_notices(struct iswitch *x)
{
    struct sender_notice notice;
    while (iswitch_has_room(x) && sender_next_notice(x->sender, &notice)) {
        switch (notice.kind) {
        case SENDER_NOTICE_RESPONSE:
            take_response(x, &notice);
            break;
        case SENDER_NOTICE_PROVE:
            prove(x, notice.nexus);
            break;
        case SENDER_NOTICE_DEAD:
            begin_anew(x);
            break;
        case SENDER_NOTICE_VIEW:
            x->again = true;
            if (notice.cut && !mutant(MUTANT_NEXUS_KEPT_OVER_CUT))
                session_nexus_cut(x, notice.group);
            break;
        }
    }
    x->more = x->more || !iswitch_has_room(x);
}

/* ---- events ---- */

static void take_directory(struct iswitch *x, const struct message *message)
{
    if (port_kind(message->from) != PORT_KIND_UNIT || port_sub(message->from) != x->config.owner ||
        !message->payload.buffer)
        return;
    struct directory *next = &x->directory[!x->directory_at];
    if (!directory_decode(slice_bytes(message->payload), message->payload.length, next)) {
        trace_warn(x->trace, "a LUN directory that cannot be understood is ignored");
        return;
    }
    if (x->directory_known && next->version <= x->directory[x->directory_at].version)
        return;
    const struct directory *old = x->directory_known ? &x->directory[x->directory_at] : NULL;
    x->directory_at = !x->directory_at;
    x->directory_known = x->again = true;
    trace_info(x->trace, "LUN directory version %llu: %u hosts, %u LUNs",
               (unsigned long long)next->version, next->hosts, next->count);
    access_changed(x, old);
}

static void on_message(struct iswitch *x, const struct message *message)
{
    if (message->kind == MESSAGE_DIRECTORY)
        take_directory(x, message);
    else
        sender_message(x->sender, message, x->now_ns);
}

static void on_stop(struct iswitch *x)
{
    if (x->stopping)
        return;
    x->stopping = true;
    x->stop_ns = x->now_ns;
    list_each (&x->connections, link, next)
        logout_ask(x, list_member(link, struct connection, link), LOGOUT_LIMIT_NS / MS(1000));
}

static void on_stream(struct iswitch *x, const struct event *event)
{
    if (event->kind == EVENT_STREAM_OPEN) {
        connection_open(x, event);
        return;
    }
    struct connection *c = connection_find(x, event->stream.stream);
    if (!c)
        return; /* it was closed by us meanwhile */
    if (event->kind == EVENT_STREAM_DATA)
        receive_event(x, c, event);
    else if (event->kind == EVENT_STREAM_SENT)
        response_go_on(x, c);
    else
        connection_gone(x, c);
}

static void dispatch(struct iswitch *x, const struct event *event)
{
    switch (event->kind) {
    case EVENT_MESSAGE:
        on_message(x, event->message);
        break;
    case EVENT_LINK_UP:
    case EVENT_LINK_DOWN:
        sender_link(x->sender, event->link.port, event->kind == EVENT_LINK_UP);
        break;
    case EVENT_STREAM_OPEN:
    case EVENT_STREAM_DATA:
    case EVENT_STREAM_SENT:
    case EVENT_STREAM_CLOSED:
        on_stream(x, event);
        break;
    case EVENT_STOP:
        on_stop(x);
        break;
    case EVENT_REQUEST:
        drain_request(x, event);
        break;
    case EVENT_TIME:
    case EVENT_REGISTER:
    case EVENT_DRIVE:
    case EVENT_STORED:
    case EVENT_TRAY:
        break;
    }
}

/* ---- after each event ---- */

/* We may have been stopped: bytes that are read now may be as old as that. */
static void consider_delay(struct iswitch *x)
{
    if (x->promised_ns == UINT64_MAX || x->now_ns < x->promised_ns ||
        x->now_ns - x->promised_ns <= iswitch_stale_ns(x) / 2)
        return;
    uint64_t late_ns = x->now_ns - x->promised_ns;
    trace_info(x->trace, "woken %llu ms late: hosts must show that they live",
               (unsigned long long)(late_ns / 1000000));
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        c->opened_ns += late_ns;
        c->full_ns += c->full_ns ? late_ns : 0;
        c->heard_ns = x->now_ns;
        nop_doubt(x, c, x->now_ns);
    }
}

static void check_data_limit(struct iswitch *x, struct connection *c)
{
    if (c->paused || !c->session || !connection_is_open(c))
        return;
    const struct list *lists[] = {&c->session->data, &c->session->early};
    for (int i = 0; i < 2; i++) {
        const struct task *oldest = list_first(lists[i], struct task, link);
        if (!oldest)
            continue;
        uint64_t since = oldest->moved_ns > c->resumed_ns ? oldest->moved_ns : c->resumed_ns;
        if (x->now_ns - since >= DATA_LIMIT_NS) {
            connection_close(x, c, "a command's data, or an earlier command, does not come");
            return;
        }
    }
}

static void tick(struct iswitch *x)
{
    if (x->now_ns < x->tick_ns)
        return;
    x->tick_ns = x->now_ns + iswitch_stale_ns(x) / 4;
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (!connection_is_open(c))
            continue;
        nop_tick(x, c);
        check_data_limit(x, c);
    }
    drain_tick(x);
    away_tick(x);
}

static void stop(struct iswitch *x)
{
    if (!x->stopping || x->stopped)
        return;
    uint64_t since_ns = x->now_ns - x->stop_ns;
    if (since_ns >= LOGOUT_LIMIT_NS)
        list_each (&x->connections, link, next)
            connection_finish(x, list_member(link, struct connection, link), "the switch stops");
    bool over = list_empty(&x->sessions);
    list_each (&x->connections, other, after)
        over = over && !connection_is_open(list_member(other, struct connection, link));
    if (!over && since_ns < STOP_LIMIT_NS)
        return;
    x->stopped = true;
    actions_add(x->actions, ACTION_STOPPED);
}

static void reset_all(struct iswitch *x)
{
    if (!x->cold_reset)
        return;
    x->cold_reset = false;
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (x->cold_host == HOST_ALL || (c->session && c->session->host == x->cold_host))
            connection_finish(x, c, "a host asked for a cold reset of the target");
    }
}

static void retry_stalled(struct iswitch *x)
{
    struct list waiting;
    list_init(&waiting);
    list_each (&x->stalled, link, next) {
        list_remove(link);
        list_append(&waiting, link);
    }
    while (!list_empty(&waiting)) /* each leaves this list, and may take another with it */
        receive_retry(x, list_first(&waiting, struct connection, stalled));
}

static void serve(struct iswitch *x)
{
    take_notices(x);
    list_each (&x->busy, busy, next)
        session_progress(x, list_member(busy, struct session, busy));
    list_each (&x->connections, link, after) {
        struct connection *c = list_member(link, struct connection, link);
        if (c->state == CONNECTION_STATE_WAITING)
            login_retry(x, c);
    }
    task_admit(x);
    retry_stalled(x);
    task_submit(x);
    response_run(x);
    reset_all(x);
}

static void reap(struct iswitch *x)
{
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (c->state == CONNECTION_STATE_CLOSED)
            connection_reap(x, c);
    }
}

void iswitch_step(struct iswitch *x, const struct event *event, struct actions *actions)
{
    x->trace->now_ns = x->now_ns = event->now_ns;
    x->actions = actions;
    x->more = false;
    consider_delay(x);
    dispatch(x, event);
    tick(x);
    int rounds = 0;
    do {
        x->again = false;
        serve(x);
    } while (x->again && ++rounds < ROUNDS_MAX);
    stop(x);
    sender_pump(x->sender, x->now_ns, actions);
    reap(x);
    if (list_empty(&x->connections) && list_empty(&x->sessions) && (!x->stopping || x->stopped))
        x->tick_ns = UINT64_MAX;
    else if (x->tick_ns == UINT64_MAX)
        x->tick_ns = x->now_ns + iswitch_stale_ns(x) / 4;
    x->more = x->more || x->again;
    x->promised_ns = list_empty(&x->connections) ? UINT64_MAX : iswitch_wake_ns(x);
    x->actions = NULL;
}

uint64_t iswitch_wake_ns(const struct iswitch *x)
{
    if (x->more)
        return x->now_ns;
    uint64_t sender_ns = sender_wake_ns(x->sender);
    return sender_ns < x->tick_ns ? sender_ns : x->tick_ns;
}

void iswitch_check(const struct iswitch *x)
{
    uint64_t payload_bytes = 0;
    list_each (&x->sessions, link, next) {
        const struct session *session = list_member(link, struct session, link);
        must(session->state != SESSION_STATE_FREE); /* I2 */
        must(session->window_used <= TASK_WINDOW && session->spare_used <= TASK_SPARE);
        must(session->early_used <= session->window_used);
        payload_bytes += session->payload_bytes;
    }
    must(payload_bytes == x->payload_bytes); /* I3 */
    uint64_t unsent_bytes = 0;
    list_each (&x->connections, other, after) {
        const struct connection *c = list_member(other, struct connection, link);
        must(c->state != CONNECTION_STATE_FREE && c->state != CONNECTION_STATE_CLOSED); /* I1 */
        must(!c->session || c->session->connection == c);
        unsent_bytes += c->unsent_bytes;
    }
    must(unsent_bytes == x->unsent_bytes); /* I3 */
    sender_check(x->sender);
}

void iswitch_check_all(const struct iswitch *x)
{
    iswitch_check(x);
    list_each (&x->sessions, link, next) {
        const struct session *session = list_member(link, struct session, link);
        uint64_t charged = 0;
        for (int i = 0; i < TASKS; i++)
            charged += session->task[i].charged;
        must(charged == session->payload_bytes); /* I3 */
    }
}

/* ---- for people ---- */

void iswitch_describe(const struct iswitch *x, struct iswitch_status *out)
{
    *out = (struct iswitch_status){.commands = x->commands, .drained = x->drained};
    struct iswitch_session_status session;
    while (iswitch_session(x, out->sessions, &session))
        out->sessions++;
    if (x->directory_known)
        out->directory_version = x->directory[x->directory_at].version;
    for (uint8_t g = 0; g < x->config.sender.groups; g++) {
        sender_describe(x->sender, g, &out->group[g]);
        out->resent += out->group[g].resent;
    }
}

bool iswitch_session(const struct iswitch *x, uint32_t i, struct iswitch_session_status *out)
{
    list_each (&x->connections, link, next) {
        const struct connection *c = list_member(link, struct connection, link);
        const struct session *session = c->session;
        if (c->state != CONNECTION_STATE_FULL || i-- > 0)
            continue;
        *out = (struct iswitch_session_status){.discovery = c->discovery};
        memcpy(out->initiator, c->parameters.initiator, sizeof c->parameters.initiator);
        memcpy(out->peer, c->peer, sizeof out->peer);
        if (session) {
            out->commands = session->window_used + session->spare_used;
            out->reads = session->reads;
            out->writes = session->writes;
            out->read_bytes = session->read_bytes;
            out->written_bytes = session->written_bytes;
        }
        return true;
    }
    return false;
}
