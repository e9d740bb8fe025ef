/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

static struct test_host t;
static uint8_t pattern[2 << 20];

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_serve(&t);
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

static void expect_good(uint32_t stream, uint32_t itt)
{
    struct test_pdu pdu = test_host_expect(&t, stream, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, 0);
    assert_int_equal(pdu.scsi.flags, ISCSI_FINAL);
}

/* Answers R2Ts until the whole write has come. */
static void give_data(uint32_t stream, uint32_t itt, const uint8_t *data, uint32_t from,
                      uint32_t length, uint32_t segment)
{
    while (from < length) {
        struct test_pdu r2t = test_host_expect(&t, stream, ISCSI_R2T);
        uint32_t at = be32_get(r2t.r2t.offset), end = at + be32_get(r2t.r2t.length), sn = 0;
        assert_int_equal(be32_get(r2t.r2t.itt), itt);
        assert_int_equal(at, from);
        for (; at < end; at += segment) {
            uint32_t part = end - at < segment ? end - at : segment;
            test_host_data_out(&t, stream, itt, be32_get(r2t.r2t.ttt), sn++, at, at + part == end,
                               data + at, part);
        }
        from = end;
    }
}

/* Every way in which a write's data may come, whole, in small pieces, and into the sink. */
static void writes(void **state)
{
    (void)state;
    static const struct {
        uint32_t blocks, immediate, unsolicited;
    } cases[] = {
        {1, 512, 0},       {8, 4096, 0},      {8, 0, 0},           {8, 1024, 0},
        {8, 0, 4096},      {8, 512, 3584},    {64, 512, 4096},     {2048, 8192, 0},
        {2048, 262144, 0}, {2048, 0, 262144}, {2048, 8192, 65536}, {1, 500, 0},
    };
    for (int way = 0; way < 4; way++) {
        if (way > 0)
            tear_down(state), set_up(state);
        t.chunk = way == 1 ? 1000 : way == 3 ? 37777 : 0;
        t.use_sink = way >= 2;
        test_host_connect(&t, 1, TEST_HOST, 1);
        for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            uint32_t length = cases[i].blocks * TEST_BLOCK, now = cases[i].immediate;
            const uint8_t *data = pattern + i * 512 + (uint32_t)way;
            uint32_t itt = test_host_write(&t, 1, i * 2, cases[i].blocks, data, now,
                                           cases[i].unsolicited == 0);
            for (uint32_t sn = 0, left = cases[i].unsolicited; left > 0; sn++) {
                uint32_t part = left < 16384 ? left : 16384;
                left -= part;
                test_host_data_out(&t, 1, itt, ISCSI_TAG_NONE, sn, now, left == 0, data + now,
                                   part);
                now += part;
            }
            give_data(1, itt, data, now, length, 65536);
            expect_good(1, itt);
            assert_memory_equal(t.disk + i * 2 * TEST_BLOCK, data, length);
        }
        test_host_expect_nothing(&t, 1);
    }
}

static void read_parts(uint32_t blocks, uint32_t segment, uint32_t burst)
{
    uint32_t itt = test_host_read(&t, 1, 3, blocks), at = 0, sn = 0, length = blocks * TEST_BLOCK;
    uint32_t stat_sn = 0;
    while (at < length) {
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
        assert_int_equal(be32_get(pdu.data_in.itt), itt);
        assert_int_equal(be32_get(pdu.data_in.offset), at);
        assert_int_equal(be32_get(pdu.data_in.data_sn), sn++);
        assert_true(pdu.length > 0 && pdu.length <= segment);
        assert_true(at / burst == (at + pdu.length - 1) / burst);
        assert_memory_equal(pdu.data, pattern + 3 * TEST_BLOCK + at, pdu.length);
        at += pdu.length;
        bool end_of_burst = at % burst == 0 || at == length;
        uint8_t flags =
            (uint8_t)((end_of_burst ? ISCSI_FINAL : 0) | (at == length ? ISCSI_DATA_IN_STATUS : 0));
        assert_int_equal(pdu.data_in.flags, flags);
        stat_sn = be32_get(pdu.data_in.stat_sn);
        assert_true(at == length || stat_sn == 0);
    }
    test_host_expect_nothing(&t, 1);
}

static void reads(void **state)
{
    (void)state;
    memcpy(t.disk, pattern, sizeof pattern);
    test_host_connect(&t, 1, TEST_HOST, 1);
    read_parts(1, 65536, 1 << 20);
    read_parts(2047, 65536, 1 << 20);
    test_host_open(&t, 2);
}

static void reads_in_small_segments(void **state)
{
    (void)state;
    static const char keys[] = "TargetName=" TEST_TARGET "\0MaxRecvDataSegmentLength=1000\0"
                               "MaxBurstLength=2500\0";
    memcpy(t.disk, pattern, sizeof pattern);
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, keys, sizeof keys - 1);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    read_parts(1, 1000, 2500);
    read_parts(16, 1000, 2500);
    read_parts(2048, 1000, 2500);
}

static void digests(void **state)
{
    (void)state;
    static const char keys[] = "TargetName=" TEST_TARGET "\0HeaderDigest=CRC32C,None\0"
                               "DataDigest=CRC32C\0InitialR2T=No\0FirstBurstLength=65536\0"
                               "MaxRecvDataSegmentLength=65533\0";
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, keys, sizeof keys - 1);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    t.stream[1].header_digest = t.stream[1].data_digest = 1;
    t.use_sink = true;
    t.chunk = 3001;
    uint32_t itt = test_host_write(&t, 1, 0, 256, pattern, 8191, true);
    give_data(1, itt, pattern, 8191, 256 * TEST_BLOCK, 65533);
    expect_good(1, itt);
    assert_memory_equal(t.disk, pattern, 256 * TEST_BLOCK);
    test_host_read(&t, 1, 0, 256);
    for (uint32_t at = 0; at < 256 * TEST_BLOCK;) {
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
        assert_memory_equal(pdu.data, pattern + at, pdu.length);
        at += pdu.length;
    }
}

/* min() of both lengths moves, and the residual is exact. */
static void residuals(void **state)
{
    (void)state;
    static const struct {
        uint32_t blocks, expected;
        uint8_t flags;
        uint32_t residual;
    } cases[] = {
        {2, 1024, 0, 0},
        {2, 512, ISCSI_RESIDUAL_OVERFLOW, 512},
        {2, 0, ISCSI_RESIDUAL_OVERFLOW, 1024},
        {1, 8192, ISCSI_RESIDUAL_UNDERFLOW, 7680},
        {0, 512, ISCSI_RESIDUAL_UNDERFLOW, 512},
        {1, 100, ISCSI_RESIDUAL_OVERFLOW, 412},
    };
    test_host_connect(&t, 1, TEST_HOST, 1);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int write = 0; write < 2; write++) {
            uint8_t cdb[16] = {write ? 0x2A : 0x28, [8] = (uint8_t)cases[i].blocks};
            uint32_t expected = cases[i].expected;
            uint8_t flags = ISCSI_FINAL | (write ? ISCSI_COMMAND_WRITE : ISCSI_COMMAND_READ);
            uint32_t itt =
                test_host_command(&t, 1, 0, flags, cdb, expected, pattern, write ? expected : 0);
            struct test_pdu pdu;
            assert_true(test_host_next(&t, 1, &pdu));
            assert_int_equal(be32_get(pdu.response.itt), itt);
            bool data = !write && cases[i].blocks > 0 && expected > 0;
            assert_int_equal(pdu.bytes[0], data ? ISCSI_DATA_IN : ISCSI_SCSI_RESPONSE);
            assert_int_equal(pdu.response.flags & 6, cases[i].flags);
            assert_int_equal(be32_get(pdu.scsi.residual), cases[i].residual);
            assert_int_equal(pdu.scsi.status, 0);
            test_host_expect_nothing(&t, 1);
        }
}

static void sense_and_data(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    struct response_message response = {.status = 2, .sense_length = 18, .sense = {0x70, 0, 5}};
    uint32_t command;
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &command), 1);
    test_host_answer(&t, command, &response, slice_none());
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(pdu.scsi.status, 2);
    assert_int_equal(pdu.length, 20);
    assert_memory_equal(pdu.data, "\0\x12\x70\0\x05", 5);
    assert_int_equal(be32_get(pdu.scsi.residual), 512);
    /* data, and then a status that is not GOOD */
    test_host_read(&t, 1, 0, 2);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &command), 1);
    struct buffer *buffer = buffer_get(t.pool, 512);
    memset(buffer->data, 7, 512);
    response.transferred = 512;
    test_host_answer(&t, command, &response, slice_of(buffer, 0, 512));
    buffer_unref(buffer);
    pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(pdu.data_in.flags, ISCSI_FINAL);
    pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(pdu.scsi.flags, ISCSI_FINAL | ISCSI_RESIDUAL_UNDERFLOW);
    assert_int_equal(be32_get(pdu.scsi.residual), 512);
    assert_int_equal(be32_get(pdu.scsi.exp_data_sn), 1);
}

/* The command that the unit gets is the one that the host sent. */
static void routing(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    static const struct {
        uint64_t lun;
        uint8_t opcode, group;
        uint16_t volume;
    } cases[] = {
        {0, 0x12, 0, 3},
        {5ull << 48, 0x12, 1, 4},
        {0x412Cull << 48, 0x12, 0, 7}, /* 300, flat addressing */
        {9ull << 48, 0x12, 0, VOLUME_NONE},
        {0xC101ull << 48, 0xA0, 0, VOLUME_NONE},
        {5ull << 48, 0xA0, 0, VOLUME_NONE}, /* REPORT LUNS: the owner's */
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t cdb[16] = {cases[i].opcode, [15] = 9};
        uint32_t at;
        test_host_command(&t, 1, cases[i].lun, ISCSI_FINAL | ISCSI_COMMAND_READ | 3, cdb, 96, NULL,
                          0);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 1);
        const struct command_message *command = &t.command[at].command;
        assert_int_equal(t.command[at].group, cases[i].group);
        assert_int_equal(command->volume, cases[i].volume);
        assert_true(command->lun == cases[i].lun);
        assert_memory_equal(command->cdb, cdb, 16);
        assert_int_equal(command->attribute, 3);
        assert_int_equal(command->data_length, 96);
        assert_true(command->wants_read && !command->wants_write);
        test_host_answer(&t, at, NULL, slice_none());
        test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    }
    /* each group got to know the nexus, once */
    int opens = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        opens += t.command[i].command.kind == COMMAND_NEXUS_OPEN;
    assert_int_equal(opens, 2);
}

static void nexus_first(void **state)
{
    (void)state;
    t.keep_nexus = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_read(&t, 1, 0, 1);
    test_host_read(&t, 1, 1, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
    uint32_t open;
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_OPEN, &open), 1);
    test_host_answer(&t, open, NULL, slice_none());
    test_host_wait(&t, 0);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
}

/* Before the directory is known nothing can be told of any LUN. */
static void no_directory(void **state)
{
    tear_down(state);
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(t.commands, 0);
    test_host_serve(&t);
    test_host_wait(&t, MS(1));
    test_host_expect(&t, 1, ISCSI_DATA_IN);
}

static void window(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    for (uint32_t i = 0; i < 128; i++)
        test_host_read(&t, 1, i, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 128);
    test_host_read(&t, 1, 200, 1); /* beyond MaxCmdSN: ignored */
    t.stream[1].cmd_sn--;
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 128);
    test_host_answer(&t, 10, NULL, slice_none());
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(be32_get(pdu.response.exp_cmd_sn), 228);
    assert_int_equal(be32_get(pdu.response.max_cmd_sn), 227);
    test_host_read(&t, 1, 300, 1); /* too early: this response said that there is no place */
    t.stream[1].cmd_sn--;
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE,
                                     .flags = ISCSI_FINAL};
    test_host_send(&t, 1, &nop, "ping!", 5);
    pdu = test_host_expect(&t, 1, ISCSI_NOP_IN);
    assert_int_equal(pdu.length, 5);
    assert_memory_equal(pdu.data, "ping!", 5);
    assert_int_equal(be32_get(pdu.response.max_cmd_sn), 228);
}

static void order_of_cmd_sn(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    struct test_stream *s = &t.stream[1];
    s->cmd_sn = 102;
    test_host_read(&t, 1, 2, 1);
    uint32_t itt = test_host_write(&t, 1, 3, 2, pattern, 512, false);
    assert_int_equal(s->cmd_sn, 104);
    s->cmd_sn = 102;
    test_host_read(&t, 1, 2, 1); /* twice: ignored */
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE};
    test_host_send(&t, 1, &nop, NULL, 0);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_NOP_IN);
    assert_int_equal(be32_get(pdu.response.max_cmd_sn), 227); /* never goes back */
    test_host_data_out(&t, 1, itt, ISCSI_TAG_NONE, 0, 512, true, pattern + 512, 512);
    s->cmd_sn = 100;
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 1);
    test_host_read(&t, 1, 1, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 4);
    for (uint32_t i = 0, lba = 0; i < t.commands; i++)
        if (t.command[i].command.kind == COMMAND_SCSI)
            assert_int_equal(be32_at(t.command[i].command.cdb + 2), lba++);
    s->cmd_sn = 50;
    test_host_read(&t, 1, 9, 1); /* old: ignored */
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 4);
}

/* Wrong data fails its command, and only that. */
static void wrong_data(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    static const struct {
        uint32_t sn, offset, length;
        bool final, solicited;
        uint8_t asc;
    } cases[] = {
        {1, 0, 512, true, true, 0x4B},   {0, 512, 512, true, true, 0x4B},
        {0, 0, 2048, true, true, 0x4B},  {0, 0, 512, true, true, 0x0C},
        {0, 0, 512, false, false, 0x0C},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t itt = test_host_write(&t, 1, 0, 2, NULL, 0, true);
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_R2T);
        uint32_t ttt = cases[i].solicited ? be32_get(pdu.r2t.ttt) : ISCSI_TAG_NONE;
        test_host_data_out(&t, 1, itt, ttt, cases[i].sn, cases[i].offset, cases[i].final, pattern,
                           cases[i].length);
        pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
        assert_int_equal(pdu.scsi.status, 2);
        assert_int_equal(pdu.data[2 + 2], 0x0B);
        assert_int_equal(pdu.data[2 + 12], cases[i].asc);
        /* what still comes of it is nobody's */
        test_host_data_out(&t, 1, itt, ttt, 1, 512, true, pattern, 512);
        test_host_expect_nothing(&t, 1);
    }
    uint32_t itt = test_host_write(&t, 1, 0, 2, NULL, 0, true); /* a tag that nobody has given */
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_R2T);
    test_host_data_out(&t, 1, itt, be32_get(pdu.r2t.ttt) + 1, 0, 0, true, pattern, 1024);
    pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_INVALID_FIELD);
    pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, 2);
    test_host_read(&t, 1, 0, 1);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
}

/* Logging in again, and anything else in the middle of a login. */
static void wrong_phase(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_login(&t, 1, TEST_HOST, 1, "", 0);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_PROTOCOL);
    assert_true(t.stream[1].closed);
    test_host_open(&t, 2);
    test_host_login_request(&t, 2, 0x04, 1, "InitiatorName=" TEST_HOST "\0TargetName=" TEST_TARGET,
                            sizeof "InitiatorName=" TEST_HOST "\0TargetName=" TEST_TARGET);
    test_host_expect(&t, 2, ISCSI_LOGIN_RESPONSE);
    test_host_read(&t, 2, 0, 1);
    pdu = test_host_expect(&t, 2, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(be16_get(pdu.login.status), ISCSI_LOGIN_INVALID_REQUEST);
    assert_true(t.stream[2].closed);
}

static void refused_commands(void **state)
{
    (void)state;
    static const char keys[] = "TargetName=" TEST_TARGET "\0ImmediateData=No\0InitialR2T=Yes\0";
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, keys, sizeof keys - 1);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    test_host_write(&t, 1, 0, 1, pattern, 512, true);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_INVALID_FIELD);
    assert_int_equal(pdu.length, ISCSI_BHS_BYTES);
    assert_int_equal(pdu.data[0], ISCSI_SCSI_COMMAND);
    assert_int_equal(be32_get(pdu.response.exp_cmd_sn), 100); /* RFC 7143 11.17.1: not counted */
    t.stream[1].cmd_sn = 100;
    test_host_write(&t, 1, 0, 1, NULL, 0, false);
    test_host_expect(&t, 1, ISCSI_REJECT);
    t.stream[1].cmd_sn = 100;
    uint32_t itt = test_host_write(&t, 1, 0, 1, NULL, 0, true);
    test_host_expect(&t, 1, ISCSI_R2T);
    t.stream[1].itt--;
    test_host_read(&t, 1, 0, 1); /* a tag in use */
    pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_TASK_IN_PROGRESS);
    assert_int_equal(t.stream[1].itt, itt);
    struct iscsi_request snack = {.opcode = ISCSI_SNACK, .flags = ISCSI_FINAL};
    test_host_send(&t, 1, &snack, NULL, 0);
    pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_SNACK);
    struct iscsi_request odd = {.opcode = 0x1C, .flags = ISCSI_FINAL};
    test_host_send(&t, 1, &odd, pattern, 99);
    pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_UNSUPPORTED);
}

/* More than there is room for waits, and all of it is done in the end. */
static void back_pressure(void **state)
{
    tear_down(state);
    struct iswitch_config config = test_host_config();
    config.payload_bytes = 1 << 20;
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_connect(&t, 1, TEST_HOST, 1);
    t.keep = true;
    enum { WRITES = 12, BLOCKS = 256 };
    uint32_t itt[WRITES];
    test_host_step(&t, &(struct event){.kind = EVENT_STREAM_SENT, .stream.stream = 1});
    for (uint32_t i = 0; i < WRITES; i++)
        itt[i] = test_host_write(&t, 1, i * BLOCKS, BLOCKS, pattern + i * 100, BLOCKS * 512, true);
    assert_true(t.stream[1].paused);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 4); /* half of the payload */
    test_host_connect(&t, 2, TEST_HOST, 2);                      /* nobody else is disturbed */
    test_host_read(&t, 2, 0, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 5);
    t.keep = false;
    test_host_wait(&t, MS(10));
    test_host_expect(&t, 2, ISCSI_DATA_IN);
    assert_false(t.stream[1].paused);
    for (uint32_t i = 0; i < WRITES; i++) {
        expect_good(1, itt[i]);
        assert_memory_equal(t.disk + i * BLOCKS * 512, pattern + i * 100, BLOCKS * 512);
    }
}

static void back_pressure_of_r2t(void **state)
{
    tear_down(state);
    struct iswitch_config config = test_host_config();
    config.payload_bytes = 1 << 20;
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_connect(&t, 1, TEST_HOST, 1);
    enum { WRITES = 12, BLOCKS = 256 };
    uint32_t itt[WRITES];
    for (uint32_t i = 0; i < WRITES; i++)
        itt[i] = test_host_write(&t, 1, i * BLOCKS, BLOCKS, NULL, 0, true);
    assert_false(t.stream[1].paused);
    /* data that nobody asked for has no place while others wait for theirs: the host tries again */
    uint32_t large = test_host_write(&t, 1, 0, BLOCKS * 2, pattern, BLOCKS * 512 * 2, true);
    /* ... but a little more than what can be put off */
    uint32_t small = test_host_write(&t, 1, 0, BLOCKS, pattern, BLOCKS * 512, true);
    struct test_pdu pdu;
    uint32_t r2ts = 0, done = 0, refused = 0, taken = 0;
    while ((done < WRITES || refused + taken < 2) && test_host_next(&t, 1, &pdu)) {
        if (pdu.bytes[0] == ISCSI_R2T) {
            r2ts++;
            test_host_data_out(&t, 1, be32_get(pdu.r2t.itt), be32_get(pdu.r2t.ttt), 0, 0, true,
                               pattern, BLOCKS * 512);
        } else if (be32_get(pdu.scsi.itt) == large) {
            assert_int_equal(pdu.scsi.status, 0x28);
            refused++;
        } else if (be32_get(pdu.scsi.itt) == small) {
            assert_int_equal(pdu.scsi.status, 0);
            taken++;
        } else {
            assert_int_equal(be32_get(pdu.scsi.itt), itt[done++]);
            assert_int_equal(pdu.scsi.status, 0);
        }
    }
    assert_int_equal(r2ts, WRITES);
    assert_int_equal(done, WRITES);
    assert_int_equal(refused, 1);
    assert_int_equal(taken, 1);
}

/* Three hosts take all that they can get, by writes whose data they keep to themselves; and then by
 * reads whose answers nobody takes. One that holds nothing is served at once. */
static void share_of_payload(void **state)
{
    for (int reads = 0; reads < 2; reads++) {
        tear_down(state);
        struct iswitch_config config = test_host_config();
        config.payload_bytes = 1 << 20;
        test_host_begin(&t, &config);
        test_host_serve(&t);
        enum { HOSTS = 3, COMMANDS = 20, BLOCKS = 64 };
        for (uint32_t stream = 1; stream <= HOSTS; stream++) {
            test_host_connect(&t, stream, TEST_HOST, (uint8_t)stream);
            for (uint32_t i = 0; i < COMMANDS; i++)
                if (reads)
                    test_host_read(&t, stream, 0, BLOCKS);
                else
                    test_host_write(&t, stream, 0, BLOCKS, NULL, 0, true);
        }
        test_host_wait(&t, MS(10));
        test_host_connect(&t, 4, TEST_HOST, 4);
        test_host_read(&t, 4, 0, 8);
        test_host_expect(&t, 4, ISCSI_DATA_IN);
        uint32_t itt = test_host_write(&t, 4, 0, 8, pattern, 8 * 512, true);
        expect_good(4, itt);
        for (uint32_t stream = 1; reads && stream <= HOSTS; stream++) { /* at last they read */
            for (uint32_t i = 0; i < COMMANDS; i++)
                test_host_step(&t,
                               &(struct event){.kind = EVENT_STREAM_SENT, .stream.stream = stream});
            for (uint32_t i = 0; i < COMMANDS; i++)
                test_host_expect(&t, stream, ISCSI_DATA_IN);
        }
    }
}

/* A small command does not pass by its host's large one that waits for room; another host's does.
 */
static void order_of_waiting(void **state)
{
    tear_down(state);
    struct iswitch_config config = test_host_config();
    config.payload_bytes = 1 << 20;
    test_host_begin(&t, &config);
    test_host_serve(&t);
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, TEST_HOST, 2);
    test_host_read(&t, 1, 1, 512);
    test_host_read(&t, 1, 2, 512);
    test_host_read(&t, 1, 3, 1);
    test_host_read(&t, 2, 4, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 2);
    t.keep = false;
    test_host_wait(&t, MS(10));
    static const uint32_t order[] = {1, 4, 2, 3};
    for (uint32_t i = 0, n = 0; i < t.commands; i++)
        if (t.command[i].command.kind == COMMAND_SCSI)
            assert_int_equal(be32_at(t.command[i].command.cdb + 2), order[n++]);
}

/* Who never takes his answers is sent away, also one who goes on talking. */
static void unread_answers(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE, .itt = be32_of(3)};
    for (int i = 0; i < 5000; i++)
        test_host_send(&t, 1, &nop, NULL, 0);
    nop.itt = be32_of(ISCSI_TAG_NONE);
    for (int s = 0; s < 29; s++) {
        test_host_wait(&t, MS(1000));
        test_host_send(&t, 1, &nop, NULL, 0);
    }
    assert_false(t.stream[1].closed);
    test_host_wait(&t, MS(2000));
    assert_true(t.stream[1].closed);
}

/* More than we take at once is asked for only in part; the group refuses it. */
static void too_long(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    uint8_t cdb[16] = {0x2A, [7] = 0x10};
    uint32_t expected = 4096 * 512;
    uint32_t itt =
        test_host_command(&t, 1, 0, ISCSI_FINAL | ISCSI_COMMAND_WRITE, cdb, expected, pattern, 0);
    give_data(1, itt, pattern, 0, COMMAND_DATA_MAX, 262144);
    uint32_t at;
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 1);
    assert_int_equal(t.command[at].command.data_length, expected);
    assert_int_equal(t.command[at].payload.length, COMMAND_DATA_MAX);
    struct response_message response = {.status = 2};
    test_host_answer(&t, at, &response, slice_none());
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.residual), expected);
}

/* A host that does not read gets no more than what is good, and all of it in the end. */
static void slow_reader(void **state)
{
    (void)state;
    static const char keys[] = "TargetName=" TEST_TARGET "\0MaxRecvDataSegmentLength=512\0";
    memcpy(t.disk, pattern, sizeof pattern);
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, keys, sizeof keys - 1);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    for (int i = 0; i < 4; i++)
        test_host_read(&t, 1, 0, 2048);
    assert_true(t.stream[1].sent_since < 4200);
    struct test_pdu pdu;
    uint32_t pdus = 0;
    for (int i = 0; i < 10; i++) {
        while (test_host_next(&t, 1, &pdu))
            pdus++;
        test_host_step(&t, &(struct event){.kind = EVENT_STREAM_SENT, .stream.stream = 1});
    }
    assert_int_equal(pdus, 4 * 2048);
}

/* Two hosts, closed and half done: nothing is lost or left. */
static void loss_of_a_host(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, TEST_HOST "2", 1);
    test_host_read(&t, 1, 0, 1);
    test_host_read(&t, 2, 0, 1);
    test_host_write(&t, 1, 0, 8, pattern, 512, true);  /* waits for data */
    test_host_write(&t, 1, 0, 8, pattern, 512, false); /* ... unsolicited */
    uint32_t withdrawn = t.commands;
    t.stream[1].closed = true;
    test_host_step(&t, &(struct event){.kind = EVENT_STREAM_CLOSED, .stream.stream = 1});
    test_host_wait(&t, MS(5));
    assert_int_equal(t.command[withdrawn].command.kind, COMMAND_WITHDRAW);
    bool lost = false;
    for (uint32_t i = withdrawn; i < t.commands; i++)
        lost = lost || t.command[i].command.kind == COMMAND_NEXUS_LOSS;
    assert_true(lost);
    t.keep = false;
    test_host_wait(&t, MS(5));
    test_host_expect(&t, 2, ISCSI_DATA_IN);
    struct iswitch_status status;
    iswitch_describe(t.x, &status);
    assert_int_equal(status.sessions, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* clang-format off */
        TEST(writes), TEST(reads), TEST(reads_in_small_segments), TEST(digests), TEST(residuals),
        TEST(sense_and_data), TEST(routing), TEST(nexus_first), TEST(no_directory), TEST(window),
        TEST(order_of_cmd_sn), TEST(wrong_data), TEST(wrong_phase), TEST(refused_commands),
        TEST(back_pressure), TEST(back_pressure_of_r2t), TEST(share_of_payload), TEST(order_of_waiting),
        TEST(unread_answers), TEST(too_long), TEST(slow_reader), TEST(loss_of_a_host),
        /* clang-format on */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
