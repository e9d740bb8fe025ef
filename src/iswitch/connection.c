/* SPDX-License-Identifier: Apache-2.0 */

/* A host's TCP connection: its life, and what we send on it.
 *
 *     FREE --open--> LOGIN --> WAITING --> FULL --> LOGOUT
 *                      |  `-----------------^         |
 *                      +----------+---------+---------+---> CLOSED --reap--> FREE
 */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static const char *const state_names[CONNECTION_STATES] = {
    [CONNECTION_STATE_FREE] = "free",       [CONNECTION_STATE_LOGIN] = "login",
    [CONNECTION_STATE_WAITING] = "waiting", [CONNECTION_STATE_FULL] = "full",
    [CONNECTION_STATE_LOGOUT] = "logout",   [CONNECTION_STATE_CLOSED] = "closed",
};

#define TO(state) (1u << CONNECTION_STATE_##state)

static const uint8_t legal[CONNECTION_STATES] = {
    [CONNECTION_STATE_FREE] = TO(LOGIN),
    [CONNECTION_STATE_LOGIN] = TO(WAITING) | TO(FULL) | TO(CLOSED),
    [CONNECTION_STATE_WAITING] = TO(FULL) | TO(CLOSED),
    [CONNECTION_STATE_FULL] = TO(LOGOUT) | TO(CLOSED),
    [CONNECTION_STATE_LOGOUT] = TO(CLOSED),
    [CONNECTION_STATE_CLOSED] = TO(FREE),
};

void connection_become(struct iswitch *x, struct connection *c, enum connection_state state)
{
    must(legal[c->state] >> state & 1);
    trace_detail(x->trace, "stream %u: %s -> %s", c->stream, state_names[c->state],
                 state_names[state]);
    c->state = state;
}

struct connection *connection_find(const struct iswitch *x, uint32_t stream)
{
    struct list *bucket = &x->bucket[stream & (x->buckets - 1)];
    list_each (bucket, link, next) {
        struct connection *c = list_member(link, struct connection, bucket);
        if (c->stream == stream && c->state != CONNECTION_STATE_CLOSED)
            return c;
    }
    return NULL;
}

static void copy_address(char out[PORTAL_BYTES], const char *address)
{
    size_t length = address ? strnlen(address, PORTAL_BYTES - 1) : 0;
    memset(out, 0, PORTAL_BYTES);
    memcpy(out, address ? address : "", length);
}

static struct connection *oldest_login(const struct iswitch *x)
{
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (c->state == CONNECTION_STATE_LOGIN)
            return c;
    }
    return NULL;
}

/* A free place. When there is none, whoever takes longest to log in gives up his: hosts that
 * connect and say nothing keep nobody else out. NULL: all are logged in. */
static struct connection *place(struct iswitch *x)
{
    struct connection *late = list_empty(&x->free_connections) ? oldest_login(x) : NULL;
    if (late) {
        connection_close(x, late, "it has not logged in, and another host wants its place");
        connection_reap(x, late);
    }
    return list_first(&x->free_connections, struct connection, link);
}

void connection_open(struct iswitch *x, const struct event *event)
{
    bool known = connection_find(x, event->stream.stream) != NULL;
    struct connection *c = x->stopping || known ? NULL : place(x);
    if (!c) {
        trace_warn(x->trace, "host %s refused: %s", event->stream.peer ? event->stream.peer : "?",
                   x->stopping ? "stopping" : "too many connections");
        actions_add(x->actions, ACTION_STREAM_CLOSE)->stream.stream = event->stream.stream;
        return;
    }
    uint8_t *hold = c->hold;
    list_remove(&c->link);
    memset(c, 0, sizeof *c);
    c->hold = hold;
    c->stream = event->stream.stream;
    list_init(&c->stalled);
    list_init(&c->bucket);
    list_init(&c->link);
    list_append(&x->connections, &c->link);
    list_append(&x->bucket[c->stream & (x->buckets - 1)], &c->bucket);
    copy_address(c->local, event->stream.local);
    copy_address(c->peer, event->stream.peer);
    c->opened_ns = c->heard_ns = x->now_ns;
    c->text_ttt = ISCSI_TAG_NONE;
    c->stage = ISCSI_STAGE_SECURITY;
    memcpy(&c->last_ttt, event->stream.random, sizeof c->last_ttt);
    memcpy(&c->stat_sn, event->stream.random + 4, sizeof c->stat_sn);
    c->authentication.identifier = event->stream.random[8];
    memcpy(c->authentication.challenge, event->stream.random + 16,
           sizeof c->authentication.challenge);
    keys_default(&c->parameters);
    receive_clear(c);
    connection_become(x, c, CONNECTION_STATE_LOGIN);
}

/* No more is read, written or known of it; its session ends. */
static void forget(struct iswitch *x, struct connection *c, const char *reason)
{
    trace_info(x->trace, "host %s (%s): connection ends: %s", c->peer,
               c->parameters.initiator[0] ? c->parameters.initiator : "not logged in", reason);
    if (c->session)
        actions_notice(x->actions, "session host=%s peer=%s state=ended", c->parameters.initiator,
                       c->peer);
    connection_become(x, c, CONNECTION_STATE_CLOSED);
    list_remove(&c->stalled);
    receive_clear(c);
    connection_sent(x, c);
    struct session *session = c->session;
    c->session = NULL;
    if (session)
        session_end(x, session);
}

void connection_close(struct iswitch *x, struct connection *c, const char *reason)
{
    if (!connection_is_open(c))
        return;
    struct action *action = actions_add(x->actions, ACTION_STREAM_CLOSE);
    action->stream.stream = c->stream;
    action->stream.at_once = true;
    forget(x, c, reason);
}

void connection_finish(struct iswitch *x, struct connection *c, const char *reason)
{
    if (!connection_is_open(c))
        return;
    actions_add(x->actions, ACTION_STREAM_CLOSE)->stream.stream = c->stream;
    forget(x, c, reason);
}

void connection_gone(struct iswitch *x, struct connection *c)
{
    forget(x, c, "closed by the host or the network");
}

void connection_reap(struct iswitch *x, struct connection *c)
{
    list_remove(&c->bucket);
    list_remove(&c->link);
    list_append(&x->free_connections, &c->link);
    connection_become(x, c, CONNECTION_STATE_FREE);
}

/* ---- sending ---- */

uint32_t connection_max_cmd_sn(const struct connection *c)
{
    if (c->discovery)
        return c->exp_cmd_sn; /* one at a time: nothing is kept */
    /* It never goes back: what is ahead of its turn lies inside the window. */
    uint32_t used = c->session ? c->session->window_used - c->session->early_used : 0;
    return c->exp_cmd_sn + TASK_WINDOW - used - 1;
}

static void unsent_add(struct iswitch *x, struct connection *c, uint32_t bytes)
{
    c->unsent_bytes += bytes;
    x->unsent_bytes += bytes;
    c->unsent_pdus++;
    if (c->full_ns == 0 && connection_is_full(c, 1))
        c->full_ns = x->now_ns;
}

void connection_sent(struct iswitch *x, struct connection *c)
{
    must(x->unsent_bytes >= c->unsent_bytes);
    x->unsent_bytes -= c->unsent_bytes;
    c->unsent_bytes = c->full_ns = 0;
    c->unsent_pdus = 0;
}

bool connection_is_full(const struct connection *c, uint32_t times)
{
    return c->unsent_bytes >= (uint64_t)UNSENT_BYTES * times ||
           c->unsent_pdus >= (uint32_t)UNSENT_PDUS * times;
}

/* Appends bytes to what the step gives the stream, in as few actions as they need. */
struct outlet {
    struct iswitch *x;
    uint32_t stream;
    struct action *action;
};

static void outlet_put(struct outlet *o, const uint8_t *bytes, uint32_t length)
{
    while (length > 0) {
        if (!o->action || o->action->stream.head_length == STREAM_HEAD_MAX) {
            o->action = actions_add(o->x->actions, ACTION_STREAM_SEND);
            o->action->stream.stream = o->stream;
        }
        uint16_t at = o->action->stream.head_length;
        uint32_t part = STREAM_HEAD_MAX - at;
        if (part > length)
            part = length;
        memcpy(o->action->stream.head + at, bytes, part);
        o->action->stream.head_length = (uint16_t)(at + part);
        bytes += part;
        length -= part;
    }
}

/* Both digests belong to the full feature phase, which begins after the last login response. */
static bool digests(const struct connection *c)
{
    return c->state == CONNECTION_STATE_FULL || c->state == CONNECTION_STATE_LOGOUT;
}

static void put_header(struct connection *c, struct outlet *o, void *header, enum stat stat,
                       uint32_t length)
{
    struct iscsi_response *response = header;
    response->data_length = be24_of(length);
    response->stat_sn = be32_of(stat == STAT_NONE ? 0 : c->stat_sn);
    response->exp_cmd_sn = be32_of(c->exp_cmd_sn);
    response->max_cmd_sn = be32_of(connection_max_cmd_sn(c));
    if (stat == STAT_TAKEN)
        c->stat_sn++;
    outlet_put(o, header, ISCSI_BHS_BYTES);
    if (digests(c) && c->parameters.header_digest == DIGEST_CRC32C) {
        uint8_t digest[ISCSI_DIGEST_BYTES];
        iscsi_digest_put(digest, iscsi_digest(ISCSI_DIGEST_BEGIN, header, ISCSI_BHS_BYTES));
        outlet_put(o, digest, sizeof digest);
    }
    unsent_add(o->x, c, ISCSI_BHS_BYTES + length);
}

static void put_tail(struct connection *c, struct outlet *o, const uint8_t *data, uint32_t length)
{
    uint8_t tail[3 + ISCSI_DIGEST_BYTES] = {0};
    uint32_t pad = iscsi_pad(length), digest = 0;
    if (length > 0 && digests(c) && c->parameters.data_digest == DIGEST_CRC32C) {
        uint32_t running = iscsi_digest(ISCSI_DIGEST_BEGIN, data, length);
        iscsi_digest_put(tail + pad, iscsi_digest(running, tail, pad));
        digest = ISCSI_DIGEST_BYTES;
    }
    outlet_put(o, tail, pad + digest);
}

void connection_send(struct iswitch *x, struct connection *c, void *header, enum stat stat,
                     const uint8_t *data, uint32_t length)
{
    if (!connection_is_open(c))
        return;
    struct outlet o = {x, c->stream, NULL};
    put_header(c, &o, header, stat, length);
    outlet_put(&o, data, length);
    put_tail(c, &o, data, length);
}

void connection_send_slice(struct iswitch *x, struct connection *c, void *header, enum stat stat,
                           struct slice data)
{
    if (!connection_is_open(c))
        return;
    struct outlet o = {x, c->stream, NULL};
    put_header(c, &o, header, stat, data.length);
    if (data.length == 0)
        return;
    o.action->stream.payload = slice_ref(data);
    if (c->parameters.data_digest == DIGEST_NONE) {
        o.action->stream.pad = (uint8_t)iscsi_pad(data.length);
        return;
    }
    o.action = NULL; /* the payload ends an action: the digest needs one of its own */
    put_tail(c, &o, slice_bytes(data), data.length);
}

void connection_reject(struct iswitch *x, struct connection *c, enum iscsi_reject_reason reason)
{
    uint8_t refused[ISCSI_BHS_BYTES]; /* the header that came may be overwritten by the next one */
    memcpy(refused, c->receive.header, sizeof refused);
    trace_info(x->trace, "host %s: %s rejected, reason %d", c->peer, iscsi_opcode_name(refused[0]),
               reason);
    struct iscsi_reject reject = {.opcode = ISCSI_REJECT,
                                  .flags = ISCSI_FINAL,
                                  .reason = (uint8_t)reason,
                                  .itt = be32_of(ISCSI_TAG_NONE)};
    connection_send(x, c, &reject, STAT_TAKEN, refused, sizeof refused);
}
