/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/test_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "command/directory.h"

enum { EPOCH = 3, READ_10 = 0x28, WRITE_10 = 0x2A };

struct iswitch_config test_host_config(void)
{
    struct iswitch_config config = {.index = 0, .owner = 0, .portals = 3, .session_max = 6};
    memcpy(config.target, TEST_TARGET, sizeof TEST_TARGET);
    config.payload_bytes = 16 << 20;
    config.sender = (struct sender_config){
        .sender = 0, .self = port_switch(0), .session = 70, .groups = TEST_GROUPS};
    config.sender.limits = limits_default();
    for (int g = 0; g < TEST_GROUPS; g++) {
        config.sender.group[g].members = 1;
        config.sender.group[g].module[0] = 0;
    }
    static const char portals[3][PORTAL_BYTES] = {"127.0.0.1:3260", "127.0.0.2:3261",
                                                  "0.0.0.0:3262"};
    for (uint8_t i = 0; i < 3; i++) {
        config.portal[i].switch_index = i;
        memcpy(config.portal[i].address, portals[i], PORTAL_BYTES);
    }
    return config;
}

void test_host_begin(struct test_host *t, const struct iswitch_config *config)
{
    memset(t, 0, sizeof *t);
    t->config = *config;
    t->actions = actions_new();
    t->pool = buffer_pool_new(64 << 20);
    t->now_ns = MS(1000);
    t->disk = calloc(1, TEST_DISK_BYTES);
    t->x = iswitch_new(config, t->pool, &t->trace);
    assert_non_null(t->x);
}

void test_host_end(struct test_host *t)
{
    for (uint32_t i = 0; i < t->commands; i++)
        slice_drop(&t->command[i].payload);
    iswitch_free(t->x);
    assert_int_equal(buffer_pool_used(t->pool), 0);
    buffer_pool_free(t->pool);
    actions_free(t->actions);
    for (int i = 0; i <= TEST_STREAMS; i++) {
        free(t->stream[i].received);
        free(t->stream[i].pending);
    }
    free(t->disk);
}

/* ---- the world ---- */

/* Memory for those streams alone that a test uses. */
static void give_room(struct test_stream *s)
{
    if (!s->received)
        s->received = calloc(1, TEST_RECEIVED_BYTES);
    if (!s->pending)
        s->pending = calloc(1, TEST_RECEIVED_BYTES);
}

static void receive(struct test_stream *s, const uint8_t *bytes, uint32_t length)
{
    give_room(s);
    must(s->received_length + length <= TEST_RECEIVED_BYTES);
    if (length > 0)
        memcpy(s->received + s->received_length, bytes, length);
    s->received_length += length;
}

static void carry_out_stream(struct test_host *t, struct action *action)
{
    static const uint8_t zeroes[4];
    must(action->stream.stream >= 1 && action->stream.stream <= TEST_STREAMS);
    struct test_stream *s = &t->stream[action->stream.stream];
    assert_true(s->open && !s->closed);
    if (action->kind == ACTION_STREAM_SEND) {
        s->sent_since++;
        receive(s, action->stream.head, action->stream.head_length);
        receive(s, slice_bytes(action->stream.payload), action->stream.payload.length);
        receive(s, zeroes, action->stream.pad);
        slice_drop(&action->stream.payload);
    } else if (action->kind == ACTION_STREAM_CLOSE)
        s->closed = true;
    else
        s->paused = action->kind == ACTION_STREAM_PAUSE;
}

static void keep_command(struct test_host *t, const struct message *message)
{
    must(t->commands < TEST_COMMANDS);
    struct test_command *kept = &t->command[t->commands++];
    kept->group = (uint8_t)port_sub(message->to);
    kept->command = message->command;
    kept->payload = message->payload; /* takes the reference over */
}

static bool answers_itself(const struct test_host *t, const struct test_command *kept)
{
    if (kept->answered)
        return false;
    switch ((enum command_kind)kept->command.kind) {
    case COMMAND_SCSI:
        return !t->keep;
    case COMMAND_TASK:
        return !t->keep_tasks;
    case COMMAND_NEXUS_OPEN:
    case COMMAND_NEXUS_LOSS:
        return !t->keep_nexus;
    case COMMAND_WITHDRAW:
        return !t->keep_withdrawals;
    case COMMAND_MANAGE:
        break;
    }
    return true;
}

static void carry_out(struct test_host *t)
{
    for (uint32_t i = 0; i < t->actions->count; i++) {
        struct action *action = &t->actions->at[i];
        if (action->kind == ACTION_SEND && action->message.kind == MESSAGE_COMMAND)
            keep_command(t, &action->message);
        else if (action->kind == ACTION_SEND)
            slice_drop(&action->message.payload);
        else if (action->kind >= ACTION_STREAM_SEND && action->kind <= ACTION_STREAM_RESUME)
            carry_out_stream(t, action);
        if (action->kind == ACTION_REPLY)
            memcpy(t->said, action->notice.text, sizeof t->said);
        t->stopped = t->stopped || action->kind == ACTION_STOPPED;
    }
    t->actions->count = 0;
}

static void one_step(struct test_host *t, struct event *event)
{
    event->now_ns = t->now_ns;
    iswitch_step(t->x, event, t->actions);
    iswitch_check_all(t->x);
    carry_out(t);
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void feed(struct test_host *t, uint32_t stream, const uint8_t *bytes, uint32_t length)
{
    struct event event = {.kind = EVENT_STREAM_DATA};
    event.stream.stream = stream;
    event.stream.late = t->late;
    struct sink sink = iswitch_sink(t->x, stream);
    if (t->use_sink && sink.buffer) {
        event.stream.sunk = min32(length, sink.length);
        memcpy(sink.buffer->data + sink.offset, bytes, event.stream.sunk);
    }
    event.stream.bytes = bytes + event.stream.sunk;
    event.stream.length = length - event.stream.sunk;
    one_step(t, &event);
}

/* Gives the switch what has come of a stream, as long as it reads. */
static bool feed_pending(struct test_host *t, uint32_t stream)
{
    struct test_stream *s = &t->stream[stream];
    if (s->closed || s->paused || s->pending_length == 0)
        return false;
    uint32_t part = min32(t->chunk ? t->chunk : STREAM_STAGE_MAX, s->pending_length);
    feed(t, stream, s->pending, part);
    s->pending_length -= part;
    memmove(s->pending, s->pending + part, s->pending_length);
    return true;
}

/* Steps until the switch wants nothing now and the units have answered. */
static void settle(struct test_host *t)
{
    for (int i = 0; i < 200000; i++) {
        bool answered = false;
        for (uint32_t c = 0; c < t->commands && !answered; c++)
            if (answers_itself(t, &t->command[c])) {
                test_host_answer(t, c, NULL, slice_none());
                answered = true;
            }
        for (uint32_t stream = 1; stream <= TEST_STREAMS; stream++)
            answered = feed_pending(t, stream) || answered;
        if (answered)
            continue;
        if (iswitch_wake_ns(t->x) > t->now_ns)
            return;
        one_step(t, &(struct event){.kind = EVENT_TIME});
    }
    fail_msg("the switch is never satisfied");
}

void test_host_step(struct test_host *t, struct event *event)
{
    one_step(t, event);
    settle(t);
}

void test_host_message(struct test_host *t, const struct message *message)
{
    one_step(t, &(struct event){.kind = EVENT_MESSAGE, .message = message});
}

/* As units do, though less often. */
static void signal_units(struct test_host *t)
{
    if (t->now_ns - t->signal_ns < MS(500))
        return;
    t->signal_ns = t->now_ns;
    for (int g = 0; g < TEST_GROUPS; g++) {
        struct message signal = {.kind = MESSAGE_SIGNAL,
                                 .from = port_unit(0, g),
                                 .to = port_switch(0),
                                 .signal = {.group = (uint8_t)g, .now_ns = t->now_ns}};
        if (!t->silent[g])
            test_host_message(t, &signal);
    }
}

void test_host_wait(struct test_host *t, uint64_t ns)
{
    uint64_t end_ns = t->now_ns + ns;
    settle(t);
    while (iswitch_wake_ns(t->x) <= end_ns) {
        if (iswitch_wake_ns(t->x) > t->now_ns)
            t->now_ns = iswitch_wake_ns(t->x);
        signal_units(t);
        test_host_step(t, &(struct event){.kind = EVENT_TIME});
    }
    t->now_ns = end_ns;
}

void test_host_freeze(struct test_host *t, uint64_t ns)
{
    t->now_ns += ns;
}

/* ---- the units ---- */

void test_host_directory(struct test_host *t, uint64_t version)
{
    static struct directory directory;
    static const struct directory_entry entries[] = {
        {.lun = 0, .group = 0, .volume = 3, .name = "zero"},
        {.lun = 5, .group = 1, .volume = 4, .name = "five"},
        {.lun = 300, .group = 0, .volume = 7, .name = "many"},
    };
    directory.version = version;
    directory.count = 3;
    memcpy(directory.at, entries, sizeof entries);
    struct buffer *buffer = buffer_get(t->pool, 4096);
    uint32_t length = directory_encode(&directory, buffer->data, buffer->capacity);
    struct message message = {.kind = MESSAGE_DIRECTORY,
                              .from = port_unit(0, 0),
                              .to = port_switch(0),
                              .directory.version = version,
                              .payload = slice_of(buffer, 0, length)};
    test_host_message(t, &message);
    buffer_unref(buffer);
    settle(t);
}

void test_host_serve(struct test_host *t)
{
    for (int g = 0; g < TEST_GROUPS; g++) {
        one_step(t, &(struct event){.kind = EVENT_LINK_UP, .link.port = port_unit(0, g)});
        struct message view = {
            .kind = MESSAGE_VIEW,
            .from = port_unit(0, g),
            .to = port_switch(0),
            .view = {
                .group = (uint8_t)g, .epoch = EPOCH, .serving = true, .primary = 0, .in_sync = 1}};
        test_host_message(t, &view);
    }
    test_host_directory(t, 1);
}

/* What the disk does. The payload is new. */
static struct slice play(struct test_host *t, const struct test_command *kept,
                         struct response_message *response)
{
    const uint8_t *cdb = kept->command.cdb;
    uint32_t bytes = be16_at(cdb + 7) * TEST_BLOCK, at = be32_at(cdb + 2) * TEST_BLOCK;
    if (kept->command.kind != COMMAND_SCSI || (cdb[0] != READ_10 && cdb[0] != WRITE_10))
        return slice_none();
    must(at + bytes <= TEST_DISK_BYTES);
    response->transferred = bytes;
    if (cdb[0] == WRITE_10) {
        bytes = min32(bytes, kept->payload.length);
        if (bytes > 0)
            memcpy(t->disk + at, slice_bytes(kept->payload), bytes);
        return slice_none();
    }
    bytes = min32(bytes, kept->command.data_length);
    struct buffer *buffer = bytes > 0 ? buffer_get(t->pool, bytes) : NULL;
    if (buffer)
        memcpy(buffer->data, t->disk + at, bytes);
    return slice_of(buffer, 0, bytes);
}

void test_host_answer(struct test_host *t, uint32_t index, const struct response_message *with,
                      struct slice payload)
{
    struct test_command *kept = &t->command[index];
    struct response_message response = with ? *with : (struct response_message){0};
    if (!with)
        payload = play(t, kept, &response);
    if (!with && kept->command.kind == COMMAND_WITHDRAW)
        response.withdrawn = true;
    kept->answered = true;
    response.id = kept->command.id;
    response.group = kept->group;
    response.epoch = EPOCH;
    struct message message = {.kind = MESSAGE_RESPONSE,
                              .from = port_unit(0, kept->group),
                              .to = port_switch(0),
                              .response = response,
                              .payload = payload};
    test_host_message(t, &message);
    if (!with)
        slice_drop(&payload);
}

uint32_t test_host_kept(const struct test_host *t, enum command_kind kind, uint32_t *last)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->commands; i++)
        if (!t->command[i].answered && t->command[i].command.kind == kind) {
            count++;
            if (last)
                *last = i;
        }
    return count;
}

/* ---- the host ---- */

void test_host_open(struct test_host *t, uint32_t stream)
{
    struct test_stream *s = &t->stream[stream];
    s->open = true;
    s->cmd_sn = 100 * stream;
    s->itt = 0x1000;
    struct event event = {
        .kind = EVENT_STREAM_OPEN,
        .stream = {.stream = stream, .local = "10.1.2.3:3260", .peer = "10.9.9.9:50000"}};
    if (!t->no_chance)
        memset(event.stream.random, (int)(0x10 * stream), sizeof event.stream.random);
    test_host_step(t, &event);
}

void test_host_bytes(struct test_host *t, uint32_t stream, const void *bytes, uint32_t length)
{
    struct test_stream *s = &t->stream[stream];
    if (length == 0 || s->closed)
        return;
    give_room(s);
    must(s->pending_length + length <= TEST_RECEIVED_BYTES);
    memcpy(s->pending + s->pending_length, bytes, length);
    s->pending_length += length;
    settle(t);
}

void test_host_send(struct test_host *t, uint32_t stream, void *header, const void *data,
                    uint32_t length)
{
    struct test_stream *s = &t->stream[stream];
    struct iscsi_request *request = header;
    uint32_t pad = iscsi_pad(length), at = ISCSI_BHS_BYTES;
    uint8_t *pdu = calloc(1, ISCSI_BHS_BYTES + 4u + length + pad + 4u);
    request->data_length = be24_of(length);
    memcpy(pdu, header, ISCSI_BHS_BYTES);
    if (s->header_digest) {
        iscsi_digest_put(pdu + at, iscsi_digest(ISCSI_DIGEST_BEGIN, pdu, ISCSI_BHS_BYTES));
        pdu[at] ^= s->header_digest == 2;
        at += 4;
    }
    if (length > 0)
        memcpy(pdu + at, data, length);
    if (length > 0 && s->data_digest) {
        iscsi_digest_put(pdu + at + length + pad,
                         iscsi_digest(ISCSI_DIGEST_BEGIN, pdu + at, length + pad));
        pdu[at + length + pad] ^= s->data_digest == 2;
        at += 4;
    }
    test_host_bytes(t, stream, pdu, at + length + pad);
    free(pdu);
}

bool test_host_next(struct test_host *t, uint32_t stream, struct test_pdu *out)
{
    struct test_stream *s = &t->stream[stream];
    uint32_t left = s->received_length - s->received_at;
    if (left < ISCSI_BHS_BYTES)
        return false;
    const uint8_t *at = s->received + s->received_at;
    memcpy(out->bytes, at, ISCSI_BHS_BYTES);
    out->length = be24_at(at + 5);
    uint32_t header = ISCSI_BHS_BYTES + (s->header_digest ? 4 : 0);
    uint32_t span = out->length + iscsi_pad(out->length);
    uint8_t digest[4];
    out->data = at + header;
    if (s->header_digest) {
        iscsi_digest_put(digest, iscsi_digest(ISCSI_DIGEST_BEGIN, at, ISCSI_BHS_BYTES));
        assert_memory_equal(digest, at + ISCSI_BHS_BYTES, 4);
    }
    if (s->data_digest && span > 0) {
        iscsi_digest_put(digest, iscsi_digest(ISCSI_DIGEST_BEGIN, out->data, span));
        assert_memory_equal(digest, out->data + span, 4);
        span += 4;
    }
    assert_true(left >= header + span);
    s->received_at += header + span;
    return true;
}

struct test_pdu test_host_expect(struct test_host *t, uint32_t stream, enum iscsi_opcode opcode)
{
    struct test_pdu pdu;
    if (!test_host_next(t, stream, &pdu))
        fail_msg("no PDU came, %s expected", iscsi_opcode_name((uint8_t)opcode));
    if (pdu.bytes[0] != opcode)
        fail_msg("%s came, %s expected", iscsi_opcode_name(pdu.bytes[0]),
                 iscsi_opcode_name((uint8_t)opcode));
    return pdu;
}

void test_host_expect_nothing(struct test_host *t, uint32_t stream)
{
    struct test_pdu pdu;
    if (test_host_next(t, stream, &pdu))
        fail_msg("%s came, nothing expected", iscsi_opcode_name(pdu.bytes[0]));
}

void test_host_login_request(struct test_host *t, uint32_t stream, uint8_t flags, uint8_t isid,
                             const char *text, uint32_t length)
{
    struct iscsi_login_request request = {
        .opcode = ISCSI_LOGIN_REQUEST | ISCSI_IMMEDIATE,
        .flags = flags,
        .isid = {0x80, 0, 0, 0, 0, isid},
        .itt = be32_of(1),
        .cid = be16_of(7),
        .cmd_sn = be32_of(t->stream[stream].cmd_sn),
    };
    test_host_send(t, stream, &request, text, length);
}

void test_host_login(struct test_host *t, uint32_t stream, const char *name, uint8_t isid,
                     const char *more, uint32_t more_length)
{
    static struct text {
        char bytes[8192];
    } text;
    struct cursor c = cursor_of(text.bytes, sizeof text.bytes);
    cursor_put_bytes(&c, "InitiatorName=", 14);
    cursor_put_bytes(&c, name, strlen(name) + 1);
    cursor_put_bytes(&c, more, more_length);
    must(!c.failed);
    test_host_login_request(t, stream, 0x87, isid, text.bytes,
                            (uint32_t)((char *)c.at - text.bytes));
}

void test_host_connect(struct test_host *t, uint32_t stream, const char *name, uint8_t isid)
{
    static const char keys[] = "TargetName=" TEST_TARGET "\0"
                               "SessionType=Normal\0InitialR2T=No\0ImmediateData=Yes\0"
                               "MaxBurstLength=16776192\0FirstBurstLength=262144\0"
                               "MaxRecvDataSegmentLength=65536\0MaxOutstandingR2T=8\0";
    test_host_open(t, stream);
    test_host_login(t, stream, name, isid, keys, sizeof keys - 1);
    struct test_pdu pdu = test_host_expect(t, stream, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(be16_get(pdu.login.status), ISCSI_LOGIN_SUCCESS);
    assert_int_equal(pdu.login.flags, 0x87);
}

uint32_t test_host_command(struct test_host *t, uint32_t stream, uint64_t lun, uint8_t flags,
                           const uint8_t cdb[16], uint32_t expected, const void *data,
                           uint32_t length)
{
    struct test_stream *s = &t->stream[stream];
    struct iscsi_scsi_command command = {.opcode = ISCSI_SCSI_COMMAND,
                                         .flags = flags,
                                         .lun = be64_of(lun),
                                         .itt = be32_of(++s->itt),
                                         .expected_length = be32_of(expected),
                                         .cmd_sn = be32_of(s->cmd_sn++)};
    memcpy(command.cdb, cdb, sizeof command.cdb);
    test_host_send(t, stream, &command, data, length);
    return s->itt;
}

static void put_cdb(uint8_t cdb[16], uint8_t opcode, uint32_t lba, uint32_t blocks)
{
    memset(cdb, 0, 16);
    cdb[0] = opcode;
    be32_put(cdb + 2, lba);
    be16_put(cdb + 7, (uint16_t)blocks);
}

uint32_t test_host_write(struct test_host *t, uint32_t stream, uint32_t lba, uint32_t blocks,
                         const void *data, uint32_t immediate, bool final)
{
    uint8_t cdb[16];
    put_cdb(cdb, WRITE_10, lba, blocks);
    return test_host_command(t, stream, 0,
                             (uint8_t)(ISCSI_COMMAND_WRITE | 1 | (final ? ISCSI_FINAL : 0)), cdb,
                             blocks * TEST_BLOCK, data, immediate);
}

uint32_t test_host_read(struct test_host *t, uint32_t stream, uint32_t lba, uint32_t blocks)
{
    uint8_t cdb[16];
    put_cdb(cdb, READ_10, lba, blocks);
    return test_host_command(t, stream, 0, ISCSI_FINAL | ISCSI_COMMAND_READ | 1, cdb,
                             blocks * TEST_BLOCK, NULL, 0);
}

void test_host_data_out(struct test_host *t, uint32_t stream, uint32_t itt, uint32_t ttt,
                        uint32_t data_sn, uint32_t offset, bool final, const void *data,
                        uint32_t length)
{
    struct iscsi_data_out pdu = {.opcode = ISCSI_DATA_OUT,
                                 .flags = final ? ISCSI_FINAL : 0,
                                 .itt = be32_of(itt),
                                 .ttt = be32_of(ttt),
                                 .data_sn = be32_of(data_sn),
                                 .offset = be32_of(offset)};
    test_host_send(t, stream, &pdu, data, length);
}

uint32_t test_host_task(struct test_host *t, uint32_t stream, uint8_t function, uint64_t lun,
                        uint32_t referenced)
{
    struct test_stream *s = &t->stream[stream];
    struct iscsi_task_request request = {.opcode = ISCSI_TASK_REQUEST | ISCSI_IMMEDIATE,
                                         .function = (uint8_t)(ISCSI_FINAL | function),
                                         .lun = be64_of(lun),
                                         .itt = be32_of(++s->itt),
                                         .referenced_itt = be32_of(referenced),
                                         .cmd_sn = be32_of(s->cmd_sn)};
    test_host_send(t, stream, &request, NULL, 0);
    return s->itt;
}

void test_host_pong(struct test_host *t, uint32_t stream)
{
    struct test_pdu ping = test_host_expect(t, stream, ISCSI_NOP_IN);
    assert_int_not_equal(be32_get(ping.response.ttt), ISCSI_TAG_NONE);
    struct iscsi_text_request pong = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE,
                                      .flags = ISCSI_FINAL,
                                      .itt = be32_of(ISCSI_TAG_NONE),
                                      .ttt = ping.response.ttt,
                                      .cmd_sn = be32_of(t->stream[stream].cmd_sn)};
    test_host_send(t, stream, &pong, NULL, 0);
}
