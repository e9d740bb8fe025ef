/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/host.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/must.h"
#include "sim/stream.h"

enum {
    HEADER = 48,
    SEGMENT_MAX = 65536, /* what we take in one PDU */
    UNDER_WAY = 64,
    WAITING = 1024,
    PINGS = 16,
    NOTHING = (int)0xFFFFFFFF,
};

/* RFC 7143 11.2.1.2 */
enum {
    PDU_NOP_OUT = 0x00,
    PDU_COMMAND = 0x01,
    PDU_TASK = 0x02,
    PDU_LOGIN = 0x03,
    PDU_DATA_OUT = 0x05,
    PDU_LOGOUT = 0x06,
    PDU_NOP_IN = 0x20,
    PDU_RESPONSE = 0x21,
    PDU_TASK_RESPONSE = 0x22,
    PDU_LOGIN_RESPONSE = 0x23,
    PDU_DATA_IN = 0x25,
    PDU_LOGOUT_RESPONSE = 0x26,
    PDU_R2T = 0x31,
    PDU_ASYNC = 0x32,
    PDU_REJECT = 0x3F,
    PDU_IMMEDIATE = 0x40,
};

struct host {
    struct world *world;
    struct clients *clients;
    struct host_config config;
    enum host_state state;
    uint32_t stream;
    uint32_t cmd_sn, max_cmd_sn, exp_stat_sn;
    uint32_t segment_out; /* what the target takes in one PDU */
    uint32_t first_burst;
    bool mute, logout_wanted;
    uint8_t ping[PINGS][HEADER]; /* came while it was mute */
    uint32_t pings;
    uint64_t logins;
    uint64_t line_ns; /* host_line_ns when it was lost */
    uint32_t waiting[WAITING], waiting_count;
    uint32_t under_way; /* commands sent and not answered */
    uint8_t pdu[HEADER + SEGMENT_MAX + 4];
    uint32_t pdu_length;
};

/* ---- sending ---- */

static void pdu_send(struct host *h, uint8_t *header, const uint8_t *data, uint32_t length)
{
    static const uint8_t zeroes[4];
    be24_put(header + 5, length);
    be32_put(header + 28, h->exp_stat_sn);
    stream_send(h->world, h->stream, header, HEADER);
    if (length) {
        stream_send(h->world, h->stream, data, length);
        stream_send(h->world, h->stream, zeroes, (4 - length % 4) % 4);
    }
}

static void send_login(struct host *h, bool first)
{
    uint8_t header[HEADER] = {PDU_LOGIN | PDU_IMMEDIATE, 0x87}; /* transit 1 -> 3 */
    char text[1024];
    int length = 0;
    if (first) {
        const char *flag = h->config.immediate ? "Yes" : "No";
        length = snprintf(text, sizeof text,
                          "InitiatorName=iqn.2026-01.sim:host%d%cSessionType=Normal%c"
                          "TargetName=%s%cHeaderDigest=None%cDataDigest=None%c"
                          "InitialR2T=%s%cImmediateData=%s%cMaxRecvDataSegmentLength=65536%c"
                          "MaxBurstLength=262144%cFirstBurstLength=65536%cMaxConnections=1%c"
                          "ErrorRecoveryLevel=0%cMaxOutstandingR2T=1%c",
                          h->config.host, 0, 0, h->config.target, 0, 0, 0,
                          h->config.immediate ? "No" : "Yes", 0, flag, 0, 0, 0, 0, 0, 0, 0);
    }
    header[8] = 0x80; /* ISID: random format */
    header[13] = h->config.host;
    be32_put(header + 16, 0xF0000001u);
    be32_put(header + 24, h->cmd_sn);
    pdu_send(h, header, (uint8_t *)text, (uint32_t)length);
}

static void send_data_out(struct host *h, const struct op *op, uint32_t transfer_tag,
                          uint32_t offset, uint32_t length)
{
    uint32_t data_sn = 0;
    while (length > 0) {
        uint32_t some = length < h->segment_out ? length : h->segment_out;
        uint8_t header[HEADER] = {PDU_DATA_OUT, some == length ? 0x80 : 0};
        be16_put(header + 8, op->lun);
        be32_put(header + 16, op->ticket);
        be32_put(header + 20, transfer_tag);
        be32_put(header + 36, data_sn++);
        be32_put(header + 40, offset);
        pdu_send(h, header, op->out + offset, some);
        offset += some;
        length -= some;
    }
}

static void send_task(struct host *h, const struct op *op)
{
    uint8_t header[HEADER] = {PDU_TASK | PDU_IMMEDIATE, 0x80 | op->task};
    be16_put(header + 8, op->lun);
    be32_put(header + 16, op->ticket);
    be32_put(header + 20, op->target ? op->target : (uint32_t)NOTHING);
    be32_put(header + 24, h->cmd_sn);
    pdu_send(h, header, NULL, 0);
}

static void send_command(struct host *h, const struct op *op)
{
    uint8_t header[HEADER] = {PDU_COMMAND, 0x81}; /* final, simple */
    header[1] |= op->in_room ? 0x40 : 0;
    header[1] |= op->out_length ? 0x20 : 0;
    be16_put(header + 8, op->lun);
    be32_put(header + 16, op->ticket);
    be32_put(header + 20, op->out_length ? op->out_length : op->in_room);
    be32_put(header + 24, h->cmd_sn++);
    memcpy(header + 32, op->cdb, 16);
    uint32_t immediate = h->config.immediate ? op->out_length : 0;
    if (immediate > h->first_burst)
        immediate = h->first_burst;
    if (immediate > h->segment_out)
        immediate = h->segment_out;
    pdu_send(h, header, op->out, immediate);
}

/* ---- operations ---- */

static void send_waiting(struct host *h)
{
    uint32_t at = 0;
    while (h->state == HOST_STATE_READY && at < h->waiting_count && h->under_way < UNDER_WAY) {
        struct op *op = op_of(h->clients, h->waiting[at]);
        if (op->kind != OP_TASK && (int32_t)(h->max_cmd_sn - h->cmd_sn) < 0)
            break;
        at++;
        if (op->state != OP_STATE_WAITING)
            continue;
        h->under_way++;
        op->sequence = 1; /* sent */
        if (op->kind == OP_TASK)
            send_task(h, op);
        else
            send_command(h, op);
    }
    h->waiting_count -= at;
    memmove(h->waiting, h->waiting + at, h->waiting_count * sizeof h->waiting[0]);
}

void host_take(struct host *h, struct op *op)
{
    if (h->state == HOST_STATE_DOWN && !h->config.retry_ns) {
        op_lose(h->clients, op);
        return;
    }
    must(h->waiting_count < WAITING);
    h->waiting[h->waiting_count++] = op->ticket;
    send_waiting(h);
}

/* What was sent, and what waits to be. */
static void lose_operations(struct host *h)
{
    for (uint32_t ticket = 1; ticket <= clients_count(h->clients); ticket++) {
        struct op *op = op_of(h->clients, ticket);
        if (op->host == h->config.host && op->path == h->config.path && op->begun_ns &&
            op->state == OP_STATE_WAITING)
            op_lose(h->clients, op);
    }
    h->waiting_count = 0;
}

static void lost(struct host *h)
{
    h->line_ns = host_line_ns(h);
    h->stream = 0;
    h->state = HOST_STATE_DOWN;
    h->under_way = 0;
    h->pdu_length = h->pings = 0;
    lose_operations(h);
    if (h->config.retry_ns && !h->logout_wanted)
        world_schedule(h->world, world_now(h->world) + h->config.retry_ns, HAPPENING_ALARM,
                       (uint64_t)1 << 32 | (uint64_t)h->config.host << 8 | h->config.path);
}

void host_forget(struct host *h)
{
    if (h->under_way)
        h->under_way--;
}

static void ended(struct host *h, struct op *op, uint8_t status, const uint8_t *sense,
                  uint32_t sense_length)
{
    host_forget(h);
    op_answer(h->clients, op, status, sense, sense_length, NULL, op->in_length);
}

/* ---- receiving ---- */

/* "Key=value" in a login answer: the number, or `otherwise`. */
static uint32_t number_of(const uint8_t *text, uint32_t length, const char *key, uint32_t otherwise)
{
    size_t key_length = strlen(key);
    for (uint32_t at = 0; at + key_length < length;) {
        const char *pair = (const char *)text + at;
        if (strncmp(pair, key, key_length) == 0 && pair[key_length] == '=')
            return (uint32_t)strtoul(pair + key_length + 1, NULL, 10);
        at += (uint32_t)strnlen(pair, length - at) + 1;
    }
    return otherwise;
}

static void login_answer(struct host *h, const uint8_t *pdu, const uint8_t *data, uint32_t length)
{
    if (pdu[36] != 0) { /* status class */
        world_say(h->world, "-- host%d login refused %02x%02x", h->config.host, pdu[36], pdu[37]);
        stream_close(h->world, h->stream);
        lost(h);
        return;
    }
    h->segment_out = number_of(data, length, "MaxRecvDataSegmentLength", h->segment_out);
    h->first_burst = number_of(data, length, "FirstBurstLength", h->first_burst);
    if (!(pdu[1] & 0x80)) {
        send_login(h, false);
        return;
    }
    h->state = HOST_STATE_READY;
    h->logins++;
    send_waiting(h);
}

static void data_in(struct host *h, struct op *op, const uint8_t *pdu, const uint8_t *data,
                    uint32_t length)
{
    uint32_t offset = be32_at(pdu + 40);
    must(offset + length <= op->in_room); /* the target must not send more than was asked for */
    if (length)
        memcpy(op->in + offset, data, length);
    if (offset + length > op->in_length)
        op->in_length = offset + length;
    if (pdu[1] & 0x01)
        ended(h, op, pdu[3], NULL, 0);
}

static void response(struct host *h, struct op *op, const uint8_t *pdu, const uint8_t *data,
                     uint32_t length)
{
    uint32_t sense_length = length >= 2 ? be16_at(data) : 0;
    if (sense_length > (length >= 2 ? length - 2 : 0))
        sense_length = 0;
    ended(h, op, pdu[3], sense_length ? data + 2 : NULL, sense_length);
}

static void ping(struct host *h, const uint8_t *pdu)
{
    if (be32_at(pdu + 20) == (uint32_t)NOTHING)
        return;
    if (h->mute) {
        if (h->pings < PINGS)
            memcpy(h->ping[h->pings++], pdu, HEADER);
        return;
    }
    uint8_t header[HEADER] = {PDU_NOP_OUT | PDU_IMMEDIATE, 0x80};
    memcpy(header + 8, pdu + 8, 8);
    be32_put(header + 16, (uint32_t)NOTHING);
    memcpy(header + 20, pdu + 20, 4);
    be32_put(header + 24, h->cmd_sn);
    pdu_send(h, header, NULL, 0);
}

static bool counts_status(const uint8_t *pdu)
{
    switch (pdu[0] & 0x3F) {
    case PDU_DATA_IN:
        return pdu[1] & 0x01;
    case PDU_NOP_IN:
        return be32_at(pdu + 16) != (uint32_t)NOTHING;
    case PDU_R2T:
        return false;
    default:
        return true;
    }
}

/* Too many immediate requests at a time: this one never runs. A real host gives it up as well. */
static void rejected(struct host *h, const uint8_t *data, uint32_t length)
{
    struct op *op = length >= HEADER ? op_of(h->clients, be32_at(data + 16)) : NULL;
    if (!op || op->kind != OP_TASK || op->state != OP_STATE_WAITING || op->path != h->config.path ||
        op->host != h->config.host) {
        world_say(h->world, "-- host%d got a reject", h->config.host);
        return;
    }
    op_aborted(h->clients, op);
}

static void take_pdu(struct host *h, const uint8_t *pdu, const uint8_t *data, uint32_t length)
{
    if (counts_status(pdu))
        h->exp_stat_sn = be32_at(pdu + 24) + 1;
    if ((int32_t)(be32_at(pdu + 32) - h->max_cmd_sn) > 0 || h->state == HOST_STATE_LOGIN)
        h->max_cmd_sn = be32_at(pdu + 32);
    struct op *op = op_of(h->clients, be32_at(pdu + 16));
    bool ours = op && op->state == OP_STATE_WAITING && op->path == h->config.path &&
                op->host == h->config.host;
    switch (pdu[0] & 0x3F) {
    case PDU_LOGIN_RESPONSE:
        login_answer(h, pdu, data, length);
        return;
    case PDU_NOP_IN:
        ping(h, pdu);
        break;
    case PDU_DATA_IN:
        must(ours);
        data_in(h, op, pdu, data, length);
        break;
    case PDU_RESPONSE:
        must(ours);
        response(h, op, pdu, data, length);
        break;
    case PDU_TASK_RESPONSE:
        must(ours);
        op->task_response = pdu[2];
        ended(h, op, 0, NULL, 0);
        break;
    case PDU_R2T:
        if (ours)
            send_data_out(h, op, be32_at(pdu + 20), be32_at(pdu + 40), be32_at(pdu + 44));
        break;
    case PDU_LOGOUT_RESPONSE:
        stream_close(h->world, h->stream);
        lost(h);
        return;
    case PDU_REJECT:
        rejected(h, data, length);
        break;
    default:
        world_say(h->world, "-- host%d got opcode %02x", h->config.host, pdu[0] & 0x3F);
    }
    send_waiting(h);
}

static void on_data(void *host, const uint8_t *bytes, uint32_t length)
{
    struct host *h = host;
    uint32_t stream = h->stream;
    while (length > 0 && h->stream == stream && stream) {
        uint32_t want = HEADER, segment = 0;
        if (h->pdu_length >= HEADER) {
            segment = be24_at(h->pdu + 5);
            must(segment <= SEGMENT_MAX && h->pdu[4] == 0);
            want = HEADER + (segment + 3) / 4 * 4;
        }
        uint32_t some = want - h->pdu_length < length ? want - h->pdu_length : length;
        memcpy(h->pdu + h->pdu_length, bytes, some);
        h->pdu_length += some;
        bytes += some;
        length -= some;
        if (h->pdu_length < HEADER)
            continue;
        segment = be24_at(h->pdu + 5);
        if (h->pdu_length == HEADER + (segment + 3) / 4 * 4) {
            h->pdu_length = 0;
            take_pdu(h, h->pdu, h->pdu + HEADER, segment);
        }
    }
}

static void on_closed(void *host)
{
    lost(host);
}

static void on_opened(void *host)
{
    (void)host;
}

static const struct stream_ops host_stream_ops = {on_opened, on_data, on_closed};

/* ---- its life ---- */

struct host *host_new(struct world *world, struct clients *clients,
                      const struct host_config *config)
{
    struct host *h = calloc(1, sizeof *h);
    must(h);
    h->world = world;
    h->clients = clients;
    h->config = *config;
    clients_host(clients, config->host, config->path, h);
    return h;
}

void host_free(struct host *h)
{
    free(h);
}

void host_connect(struct host *h)
{
    if (h->state != HOST_STATE_DOWN)
        return;
    h->logout_wanted = false;
    h->cmd_sn = 1;
    h->exp_stat_sn = 0;
    h->segment_out = 8192;
    h->first_burst = 65536;
    h->stream = stream_open(h->world, h->config.part, 0, h, &host_stream_ops);
    if (!h->stream) {
        lost(h);
        return;
    }
    h->state = HOST_STATE_LOGIN;
    send_login(h, true);
}

void host_alarm(struct host *h)
{
    host_connect(h);
}

void host_logout(struct host *h)
{
    if (h->state != HOST_STATE_READY)
        return;
    h->logout_wanted = true;
    h->state = HOST_STATE_LOGOUT;
    uint8_t header[HEADER] = {PDU_LOGOUT | PDU_IMMEDIATE, 0x80};
    be32_put(header + 16, 0xF0000002u);
    be32_put(header + 24, h->cmd_sn);
    pdu_send(h, header, NULL, 0);
}

void host_drop(struct host *h)
{
    if (h->state == HOST_STATE_DOWN) {
        lose_operations(h);
        return;
    }
    stream_close(h->world, h->stream);
    lost(h);
}

enum host_state host_state(const struct host *h)
{
    return h->state;
}

uint32_t host_stream(const struct host *h)
{
    return h->stream;
}

void host_mute(struct host *h, bool mute)
{
    h->mute = mute;
    for (uint32_t i = 0; !mute && h->state == HOST_STATE_READY && i < h->pings; i++)
        ping(h, h->ping[i]);
    h->pings = mute ? h->pings : 0;
}

bool host_sound(const struct host *h)
{
    return h->state == HOST_STATE_READY && !h->mute && stream_sound(h->world, h->stream);
}

uint64_t host_line_ns(const struct host *h)
{
    if (!h->stream)
        return h->line_ns;
    if (stream_sound(h->world, h->stream))
        return 0;
    return h->config.nop_ns + stream_backlog_ns(h->world, h->stream);
}

uint64_t host_logins(const struct host *h)
{
    return h->logins;
}
