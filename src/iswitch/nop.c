/* SPDX-License-Identifier: Apache-2.0 */

/* NOP-Out and NOP-In (RFC 7143 11.18, 11.19): hosts' pings are answered with their data; our own
 * find out whether a host lives. Every host is pinged each half nop_ns, and one that is silent for
 * twice nop_ns is dropped. A host whose bytes may have lain in a socket, or crept along a line, for
 * long is doubted: what is read of it goes to no
 * group before it has answered a ping sent since then (docs/PROTOCOL.md, "A dead interface
 * switch"). Data that was asked for is such an answer, too: who writes much is hardly pinged.
 * QEMU's initiator (libiscsi) needs that: when it is pinged while it has data to send, it ends its
 * connection and makes a new one. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static const struct iscsi_text_request *request_of(const struct connection *c)
{
    return (const struct iscsi_text_request *)(const void *)c->receive.header;
}

static uint64_t limit_ns(const struct iswitch *x)
{
    return x->config.sender.limits.nop_ns;
}

/* ---- the host's pings ---- */

enum verdict nop_begin(struct iswitch *x, struct connection *c)
{
    uint32_t length = c->receive.data_length;
    if (length == 0 || be32_get(request_of(c)->itt) == ISCSI_TAG_NONE)
        return VERDICT_TAKE;
    if (length <= TEXT_BYTES && c->text_length == 0) {
        receive_into_text(c);
    } else {
        bool room = !c->session || task_may_charge(x, c->session, length);
        struct buffer *buffer = room ? buffer_get(x->buffers, length) : NULL;
        if (!buffer)
            return VERDICT_STALL;
        receive_into_buffer(c, buffer, 0);
        buffer_unref(buffer); /* the receiver holds it */
    }
    return VERDICT_TAKE;
}

static void prove(struct iswitch *x, struct connection *c, uint64_t sent_ns)
{
    if (sent_ns > c->proof_ns)
        c->proof_ns = sent_ns;
    if (c->doubted && (c->proof_ns >= c->doubt_ns || mutant(MUTANT_OLD_PING_PROVES))) {
        c->doubted = false;
        trace_detail(x->trace, "host %s lives", c->peer);
    }
    if (c->prove_ns > 0 && c->proof_ns >= c->prove_ns)
        c->prove_ns = 0;
    if (!c->session)
        return;
    sender_proved(x->sender, c->session->nexus, c->proof_ns);
    if (!c->doubted)
        task_proved(x, c->session, c->proof_ns);
}

void nop_proved(struct iswitch *x, struct connection *c, uint64_t sent_ns)
{
    if (sent_ns <= c->proof_ns)
        return;
    /* of much data each PDU would be a proof */
    if (c->doubted || c->prove_ns > 0 || sent_ns - c->proof_ns >= limit_ns(x) / 8)
        prove(x, c, sent_ns);
}

static void take_answer(struct iswitch *x, struct connection *c, uint32_t ttt)
{
    struct ping *ping = &c->ping[ttt % PING_MAX];
    if (!ping->waiting || ping->ttt != ttt)
        return;                        /* so old that it proves nothing */
    for (int i = 0; i < PING_MAX; i++) /* answers come in order */
        if (c->ping[i].sent_ns <= ping->sent_ns)
            c->ping[i].waiting = false;
    prove(x, c, ping->sent_ns);
}

void nop_end(struct iswitch *x, struct connection *c)
{
    uint32_t itt = be32_get(request_of(c)->itt), ttt = be32_get(request_of(c)->ttt);
    if (itt == ISCSI_TAG_NONE) {
        pdu_advance(x, c);
        if (ttt != ISCSI_TAG_NONE)
            take_answer(x, c, ttt);
        return;
    }
    uint32_t length = c->receive.data_length;
    if (length > c->parameters.segment_max)
        length = c->parameters.segment_max;
    struct iscsi_response answer = {.opcode = ISCSI_NOP_IN,
                                    .flags = ISCSI_FINAL,
                                    .lun = request_of(c)->lun,
                                    .itt = be32_of(itt),
                                    .ttt = be32_of(ISCSI_TAG_NONE)};
    pdu_advance(x, c);
    if (c->receive.buffer)
        connection_send_slice(x, c, &answer, STAT_TAKEN, slice_of(c->receive.buffer, 0, length));
    else
        connection_send(x, c, &answer, STAT_TAKEN, c->text, length);
}

/* ---- our pings ---- */

/* The newest ping that has no answer, or 0. */
static uint64_t newest_ping(const struct connection *c)
{
    uint64_t newest = 0;
    for (int i = 0; i < PING_MAX; i++)
        if (c->ping[i].waiting && c->ping[i].sent_ns > newest)
            newest = c->ping[i].sent_ns;
    return newest;
}

static void send_ping(struct iswitch *x, struct connection *c)
{
    uint32_t ttt = ++c->last_ttt & 0x7FFFFFFF;
    c->ping[ttt % PING_MAX] = (struct ping){ttt, x->now_ns, true};
    struct iscsi_response ping = {.opcode = ISCSI_NOP_IN,
                                  .flags = ISCSI_FINAL,
                                  .itt = be32_of(ISCSI_TAG_NONE),
                                  .ttt = be32_of(ttt)};
    connection_send(x, c, &ping, STAT_SHOWN, NULL, 0);
}

/* Is a ping wanted that the host has not been sent? */
static bool ping_wanted(const struct iswitch *x, const struct connection *c)
{
    uint64_t newest = newest_ping(c);
    if (c->doubted && newest < c->doubt_ns)
        return true;
    if (c->prove_ns > 0 && newest < c->prove_ns)
        return true;
    return x->now_ns - (newest > c->proof_ns ? newest : c->proof_ns) >= limit_ns(x) / 2;
}

static void ping(struct iswitch *x, struct connection *c)
{
    uint64_t newest = newest_ping(c);
    if (newest > 0 && x->now_ns - newest < PING_GAP_NS)
        return; /* the tick comes again */
    if (ping_wanted(x, c))
        send_ping(x, c);
}

static bool is_full(const struct connection *c)
{
    return c->state == CONNECTION_STATE_FULL || c->state == CONNECTION_STATE_LOGOUT;
}

void nop_doubt(struct iswitch *x, struct connection *c, uint64_t since_ns)
{
    if (!is_full(c) || !c->session || mutant(MUTANT_SOCKET_FRESH))
        return;
    if (!c->doubted) {
        c->doubted_ns = x->now_ns;
        trace_detail(x->trace, "host %s must show that it lives", c->peer);
    }
    c->doubted = true;
    if (since_ns > c->doubt_ns)
        c->doubt_ns = since_ns;
    ping(x, c);
}

void nop_prove(struct iswitch *x, struct connection *c)
{
    if (!is_full(c))
        return;
    uint64_t half = iswitch_stale_ns(x) / 2;
    c->prove_ns = x->now_ns > half ? x->now_ns - half : 1;
    ping(x, c);
}

void nop_tick(struct iswitch *x, struct connection *c)
{
    if (!is_full(c)) {
        if (x->now_ns - c->opened_ns >= LOGIN_LIMIT_NS)
            connection_close(x, c, "no login in the time limit");
        return;
    }
    if (c->full_ns > 0 && x->now_ns - c->full_ns >= DATA_LIMIT_NS) {
        connection_close(x, c, "it does not read what it asked for");
        return;
    }
    if (c->paused) { /* its silence is our doing, and so is that of its answers */
        c->doubted_ns = x->now_ns;
        return;
    }
    if (c->full_ns > 0) /* the ping lies behind what the host has yet to take */
        c->doubted_ns = x->now_ns;
    if (x->now_ns - c->heard_ns >= 2 * limit_ns(x)) {
        connection_close(x, c, "silent, and no answer to a ping");
        return;
    }
    if (c->doubted && x->now_ns - c->doubted_ns >= limit_ns(x)) {
        connection_close(x, c, "no answer to a ping after a delay");
        return;
    }
    ping(x, c);
}
