/* SPDX-License-Identifier: Apache-2.0 */
/* A host's byte stream, through the whole interface switch, whose units answer everything. The
 * first byte says whether the switch sees a login before the rest, and in which pieces the rest
 * comes. */
#include <stdlib.h>
#include <string.h>

#include "command/directory.h"
#include "iswitch/iswitch.h"
#include "tests/fuzz/fuzz.h"
#include "wire/chap.h"
#include "wire/iscsi.h"

#define TARGET "iqn.2024-01.example:array"
#define SECRET "what anna knows"
enum { CHANCE = 0x5A }; /* what the world gives of it */

enum {
    WITH_LOGIN = 1,
    WITH_SINK = 2,
    WITH_DIGESTS = 4,
    LATE = 0x48,
    QUEUE = 4096,
    DATA_MAX = 65536
};

static struct {
    struct iswitch *x;
    struct trace trace;
    struct actions *actions;
    struct buffer_pool *pool;
    uint64_t now_ns;
    uint32_t stream;
    bool open, paused;
    uint32_t first, last; /* of the commands to be answered */
    struct message queue[QUEUE];
} w;

static void carry_out(void)
{
    for (uint32_t i = 0; i < w.actions->count; i++) {
        struct action *action = &w.actions->at[i];
        if (action->kind == ACTION_SEND) {
            if (action->message.kind == MESSAGE_COMMAND) {
                if (w.last - w.first == QUEUE)
                    abort();
                w.queue[w.last++ % QUEUE] = action->message;
            }
            slice_drop(&action->message.payload);
        } else if (action->kind == ACTION_STREAM_SEND)
            slice_drop(&action->stream.payload);
        else if (action->kind == ACTION_STREAM_CLOSE)
            w.open = false;
        else if (action->kind == ACTION_STREAM_PAUSE || action->kind == ACTION_STREAM_RESUME)
            w.paused = action->kind == ACTION_STREAM_PAUSE;
    }
    w.actions->count = 0;
}

static void step(struct event *event)
{
    event->now_ns = w.now_ns;
    iswitch_step(w.x, event, w.actions);
    iswitch_check_all(w.x);
    carry_out();
}

static void answer(void)
{
    const struct message command = w.queue[w.first++ % QUEUE];
    struct message message = {.kind = MESSAGE_RESPONSE, .from = command.to, .to = command.from};
    message.response.id = command.command.id;
    message.response.group = (uint8_t)port_sub(command.to);
    message.response.transferred = command.command.data_length;
    message.response.withdrawn = command.command.kind == COMMAND_WITHDRAW;
    uint32_t length =
        command.command.data_length < DATA_MAX ? command.command.data_length : DATA_MAX;
    struct buffer *buffer = NULL;
    if (command.command.wants_read && length > 0)
        buffer = buffer_get(w.pool, length);
    if (buffer)
        message.payload = slice_of(buffer, 0, length);
    step(&(struct event){.kind = EVENT_MESSAGE, .message = &message});
    buffer_unref(buffer);
}

static void settle(void)
{
    while (w.first != w.last || iswitch_wake_ns(w.x) <= w.now_ns) {
        if (w.first != w.last)
            answer();
        else
            step(&(struct event){.kind = EVENT_TIME});
    }
}

static void begin(void)
{
    struct iswitch_config config = {.target = TARGET, .session_max = 4, .payload_bytes = 4 << 20};
    config.sender = (struct sender_config){.self = port_switch(0), .session = 1, .groups = 1};
    config.sender.group[0].members = 1;
    config.sender.limits = limits_default();
    config.secrets.users = 1;
    memcpy(config.secrets.user[0].name, "anna", 5);
    memcpy(config.secrets.user[0].bytes, SECRET, sizeof SECRET);
    config.secrets.user[0].length = config.secrets.target.length = sizeof SECRET;
    memcpy(config.secrets.target.name, "array", 6);
    w.pool = buffer_pool_new(32 << 20);
    w.actions = actions_new();
    w.x = iswitch_new(&config, w.pool, &w.trace);
    if (!w.pool || !w.actions || !w.x)
        abort();
    step(&(struct event){.kind = EVENT_LINK_UP, .link.port = port_unit(0, 0)});
    struct message view = {.kind = MESSAGE_VIEW, .from = port_unit(0, 0), .to = port_switch(0)};
    view.view = (struct view_message){.epoch = 1, .serving = true, .in_sync = 1};
    step(&(struct event){.kind = EVENT_MESSAGE, .message = &view});
    static struct directory directory;
    directory.version = directory.count = 1;
    struct buffer *buffer = buffer_get(w.pool, 4096);
    uint32_t length = directory_encode(&directory, buffer->data, buffer->capacity);
    struct message message = {.kind = MESSAGE_DIRECTORY, .from = port_unit(0, 0)};
    message.payload = slice_of(buffer, 0, length);
    step(&(struct event){.kind = EVENT_MESSAGE, .message = &message});
    buffer_unref(buffer);
}

static void feed(const uint8_t *bytes, size_t length, uint32_t chunk, uint8_t mode)
{
    while (length > 0 && w.open) {
        if (w.paused)
            return; /* what it waits for never comes */
        uint32_t part = length < chunk ? (uint32_t)length : chunk;
        struct event event = {.kind = EVENT_STREAM_DATA, .stream.stream = w.stream};
        struct sink sink = iswitch_sink(w.x, w.stream);
        event.stream.late = (mode & LATE) == LATE;
        if (mode & WITH_SINK && sink.buffer) {
            event.stream.sunk = part < sink.length ? part : sink.length;
            memcpy(sink.buffer->data + sink.offset, bytes, event.stream.sunk);
        }
        event.stream.bytes = bytes + event.stream.sunk;
        event.stream.length = part - event.stream.sunk;
        step(&event);
        settle();
        bytes += part;
        length -= part;
    }
}

static size_t put_pdu(uint8_t *out, const void *header, const char *data, size_t length,
                      bool digests)
{
    size_t padded = length + iscsi_pad((uint32_t)length), at = ISCSI_BHS_BYTES;
    memset(out, 0, ISCSI_BHS_BYTES + padded + 8);
    memcpy(out, header, ISCSI_BHS_BYTES);
    be24_put(out + 5, (uint32_t)length);
    if (digests) {
        iscsi_digest_put(out + at, iscsi_digest(ISCSI_DIGEST_BEGIN, out, ISCSI_BHS_BYTES));
        at += ISCSI_DIGEST_BYTES;
    }
    memcpy(out + at, data, length);
    if (digests && length > 0) {
        uint32_t running = iscsi_digest(ISCSI_DIGEST_BEGIN, out + at, (uint32_t)padded);
        iscsi_digest_put(out + at + padded, running);
        at += ISCSI_DIGEST_BYTES;
    }
    return at + padded;
}

static size_t put_login(uint8_t *out, bool digests)
{
    static const char keys[] = "InitiatorName=iqn.2024-01.example:host\0TargetName=" TARGET "\0"
                               "InitialR2T=No\0MaxRecvDataSegmentLength=8192\0"
                               "HeaderDigest=CRC32C\0DataDigest=CRC32C\0";
    struct iscsi_login_request login = {.opcode = 0x43, .flags = 0x87};
    return put_pdu(out, &login, keys, digests ? sizeof keys - 1 : sizeof keys - 1 - 38, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint8_t login[512];
    if (length == 0)
        return 0;
    if (!w.x)
        begin();
    uint8_t mode = bytes[0];
    w.open = true;
    w.paused = false;
    w.stream++;
    struct event open = {.kind = EVENT_STREAM_OPEN,
                         .stream = {.stream = w.stream, .local = "[::1]:3260", .peer = "[::1]:9"}};
    memset(open.stream.random, CHANCE, sizeof open.stream.random);
    step(&open);
    if (mode & WITH_LOGIN)
        feed(login, put_login(login, mode & WITH_DIGESTS), sizeof login, 0);
    settle();
    feed(bytes + 1, length - 1, mode >> 3 ? (uint32_t)(mode >> 3) * 16u : 65536, mode);
    if (w.open)
        step(&(struct event){.kind = EVENT_STREAM_CLOSED, .stream.stream = w.stream});
    settle();
    for (int i = 0; i < 8 && buffer_pool_used(w.pool) > 0; i++) {
        w.now_ns += MS(10);
        step(&(struct event){.kind = EVENT_TIME});
        settle();
    }
    if (buffer_pool_used(w.pool) > 0)
        abort(); /* all of a host is gone with it */
    return 0;
}

static size_t put_request(uint8_t *out, uint64_t number, uint64_t i, uint32_t *cmd_sn)
{
    static const uint8_t opcodes[] = {0x40, 0x01, 0x05, 0x41, 0x01, 0x42, 0x05,
                                      0x44, 0x00, 0x01, 0x04, 0x46, 0x06};
    static const char text[] = "SendTargets=All\0MaxRecvDataSegmentLength=4096\0";
    static char block[512];
    uint8_t opcode = opcodes[(number / 7 + i * (1 + number % 3)) % sizeof opcodes];
    uint8_t kind = opcode & ISCSI_OPCODE_MASK;
    struct iscsi_scsi_command pdu = {.opcode = opcode, .flags = ISCSI_FINAL};
    pdu.itt = be32_of((uint32_t)(kind == ISCSI_DATA_OUT ? i : i + 1)); /* data: of the last one */
    pdu.expected_length = be32_of(ISCSI_TAG_NONE);
    pdu.cmd_sn = be32_of(*cmd_sn);
    if (!(opcode & ISCSI_IMMEDIATE) && kind != ISCSI_DATA_OUT)
        ++*cmd_sn;
    const char *data = block;
    size_t length = 0;
    if (kind == ISCSI_SCSI_COMMAND) {
        static const uint8_t flags[] = {0xA0, 0xC0, 0x20, 0x80, 0xA0};
        pdu.flags = flags[(number + i) % sizeof flags];
        pdu.expected_length = be32_of(1024u << (number + i) % 7);
        length = pdu.flags & 0x20 ? number % 2 * 512 : 0;
    } else if (kind == ISCSI_TASK_REQUEST) {
        pdu.flags = (uint8_t)(ISCSI_FINAL | (1 + number % 8));
        pdu.expected_length = be32_of((uint32_t)i);
    } else if (kind == ISCSI_TEXT_REQUEST) {
        data = text;
        length = sizeof text - 1;
    } else if (kind == ISCSI_DATA_OUT) {
        if (number % 3)
            pdu.expected_length = be32_of((uint32_t)(number % 5));
        length = sizeof block;
        be32_put(pdu.cdb + 8, number % 2 * 512);
    } else if (kind == ISCSI_NOP_OUT) {
        length = number % 100;
        if (number % 4 == 0) { /* the answer to a ping */
            pdu.itt = be32_of(ISCSI_TAG_NONE);
            pdu.expected_length = be32_of((uint32_t)i + 1);
        }
    } else
        pdu.expected_length = be32_of(0);
    return put_pdu(out, &pdu, data, length, number & WITH_DIGESTS);
}

/* A login by CHAP, with the right answer or a wrong one, one way or both. */
static size_t put_chap(uint8_t *out, uint64_t number)
{
    static const char names[] = "InitiatorName=iqn.2024-01.example:host\0TargetName=" TARGET "\0"
                                "AuthMethod=CHAP,None\0";
    static const char algorithms[] = "CHAP_A=8,7,6,5\0";
    uint8_t challenge[32], response[CHAP_RESPONSE_MAX];
    char answer[300] = "CHAP_N=anna", *at = answer + sizeof "CHAP_N=anna";
    struct iscsi_login_request login = {.opcode = 0x43, .flags = 0x81};
    size_t length = put_pdu(out, &login, names, sizeof names - 1, false);
    login.flags = 0x00;
    length += put_pdu(out + length, &login, algorithms, sizeof algorithms - 1, false);
    memset(challenge, CHANCE, sizeof challenge);
    if (!chap_response(CHAP_SHA3_256, CHANCE, (const uint8_t *)SECRET, sizeof SECRET, challenge,
                       sizeof challenge, response))
        abort();
    response[0] ^= number % 3 == 0;
    memcpy(at, "CHAP_R=", 7);
    chap_encode(response, sizeof response, at + 7);
    at += strlen(at) + 1;
    if (number % 2) {
        static const char back[] = "CHAP_I=7\0CHAP_C=0bc29tZSBjaGFsbGVuZ2U=";
        memcpy(at, back, sizeof back);
        at += sizeof back;
    }
    login.flags = 0x83;
    return length + put_pdu(out + length, &login, answer, (size_t)(at - answer), false);
}

size_t fuzz_sample(uint64_t number, uint8_t *out, size_t capacity)
{
    if (capacity < 16384)
        return 0;
    size_t length = 0;
    out[length++] = (uint8_t)number;
    if (!(number & WITH_LOGIN) && number % 5 == 0)
        length += put_chap(out + length, number / 5);
    else if (!(number & WITH_LOGIN))
        length += put_login(out + length, number & WITH_DIGESTS);
    uint32_t cmd_sn = 0;
    for (uint64_t i = 0; i < 1 + number / 64 % 16; i++)
        length += put_request(out + length, number, i, &cmd_sn);
    return length;
}
