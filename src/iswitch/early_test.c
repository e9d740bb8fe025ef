/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that come before their turn: none is lost, none counts before the gap is filled. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

enum { FIRST = 100 }; /* CmdSN of stream 1 */

static struct test_host t;
static uint8_t pattern[256 << 10];

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

static void send_nop(uint32_t cmd_sn, uint32_t itt, uint32_t length)
{
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT,
                                     .flags = ISCSI_FINAL,
                                     .itt = be32_of(itt),
                                     .ttt = be32_of(ISCSI_TAG_NONE),
                                     .cmd_sn = be32_of(cmd_sn)};
    test_host_send(&t, 1, &nop, pattern, length);
}

static void send_text(uint32_t cmd_sn, uint32_t itt)
{
    static const char text[] = "SendTargets=";
    struct iscsi_text_request request = {.opcode = ISCSI_TEXT_REQUEST,
                                         .flags = ISCSI_FINAL,
                                         .itt = be32_of(itt),
                                         .ttt = be32_of(ISCSI_TAG_NONE),
                                         .cmd_sn = be32_of(cmd_sn)};
    test_host_send(&t, 1, &request, text, sizeof text);
}

static void send_abort(uint32_t cmd_sn, uint32_t itt, uint32_t victim)
{
    struct iscsi_task_request request = {.opcode = ISCSI_TASK_REQUEST,
                                         .function = ISCSI_FINAL | TASK_ABORT_TASK,
                                         .itt = be32_of(itt),
                                         .referenced_itt = be32_of(victim),
                                         .cmd_sn = be32_of(cmd_sn)};
    test_host_send(&t, 1, &request, NULL, 0);
}

static void send_logout(uint32_t cmd_sn)
{
    struct iscsi_logout_request logout = {.opcode = ISCSI_LOGOUT_REQUEST,
                                          .reason = ISCSI_FINAL,
                                          .cmd_sn = be32_of(cmd_sn),
                                          .itt = be32_of(9)};
    test_host_send(&t, 1, &logout, NULL, 0);
}

static void expect_nop(uint32_t itt, uint32_t length)
{
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_NOP_IN);
    assert_int_equal(be32_get(pdu.response.itt), itt);
    assert_int_equal(pdu.length, length);
    assert_memory_equal(pdu.data, pattern, length);
}

/* Every kind at once, the last first, however the bytes are cut. */
static void in_order(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {0, 1, 47, 4096};
    for (uint32_t way = 0; way < 4; way++) {
        uint32_t at = FIRST;
        t.chunk = chunks[way];
        t.use_sink = way == 3;
        t.keep = true;
        t.stream[1] =
            (struct test_stream){.received = t.stream[1].received, .pending = t.stream[1].pending};
        test_host_connect(&t, 1, TEST_HOST, 1);
        send_logout(at + 7);
        send_nop(at + 6, 0x56, 100 << 10);
        send_abort(at + 5, 0x55, 0x1001);
        send_nop(at + 4, 0x54, 0);
        t.stream[1].cmd_sn = at + 3;
        uint32_t read = test_host_read(&t, 1, 3, 1);
        assert_int_equal(read, 0x1001);
        send_text(at + 2, 0x52);
        send_nop(at + 1, 0x51, 300);
        send_nop(at + 1, 0x51, 300); /* again: ignored */
        test_host_expect_nothing(&t, 1);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
        send_nop(at, 0x50, 0);
        expect_nop(0x50, 0);
        expect_nop(0x51, 300);
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
        assert_int_equal(be32_get(pdu.response.itt), 0x52);
        assert_memory_equal(pdu.data, "TargetName=", 11);
        expect_nop(0x54, 0);
        expect_nop(0x56, 64 << 10); /* as much as the host takes */
        uint32_t kept;
        while (test_host_kept(&t, COMMAND_SCSI, &kept))
            test_host_answer(&t, kept, &(struct response_message){.status = 0x40}, slice_none());
        test_host_wait(&t, MS(20));
        pdu = test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
        assert_int_equal(be32_get(pdu.response.exp_cmd_sn), at + 8);
        assert_true(t.stream[1].closed);
    }
}

/* The abort counts when its turn has come, and ends the command that came just before. */
static void abort_in_its_turn(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    send_abort(FIRST + 1, 0x55, 0x1001);
    test_host_expect_nothing(&t, 1);
    assert_int_equal(test_host_read(&t, 1, 3, 1), 0x1001);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TASK_RESPONSE);
    assert_int_equal(pdu.task.response, ISCSI_TASK_COMPLETE);
    assert_int_equal(be32_get(pdu.response.exp_cmd_sn), FIRST + 2);
    test_host_expect_nothing(&t, 1);
}

/* The window's end is the end: what is beyond it is ignored, and so is what was before. */
static void outside_the_window(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    send_nop(FIRST + 128, 1, 0);
    send_nop(FIRST - 1, 2, 0);
    for (uint32_t i = 127; i > 0; i--)
        send_nop(FIRST + i, 1000 + i, 8);
    test_host_expect_nothing(&t, 1);
    send_nop(FIRST, 1000, 8);
    for (uint32_t i = 0; i < 128; i++)
        expect_nop(1000 + i, 8);
    test_host_expect_nothing(&t, 1);
    send_nop(FIRST + 128, 7, 0);
    expect_nop(7, 0);
}

/* One with a wrong data digest has never come: it is sent again. */
static void damaged(void **state)
{
    (void)state;
    static const char keys[] = "TargetName=" TEST_TARGET "\0DataDigest=CRC32C";
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, keys, sizeof keys);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    t.stream[1].data_digest = 2;
    send_nop(FIRST + 1, 0x51, 300);
    struct test_stream *s = &t.stream[1];
    s->data_digest = 1;
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_DATA_DIGEST);
    send_nop(FIRST, 0x50, 20);
    expect_nop(0x50, 20);
    test_host_expect_nothing(&t, 1);
    send_nop(FIRST + 2, 0x52, 300);
    send_nop(FIRST + 1, 0x51, 300);
    expect_nop(0x51, 300);
    expect_nop(0x52, 300);
}

/* What is kept counts as payload: a host that keeps the switch's memory is sent away, and the
 * others are served. */
static void too_much(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    for (uint32_t i = 100; i > 0 && !t.stream[1].closed; i--)
        send_nop(FIRST + i, i, sizeof pattern);
    assert_true(t.stream[1].closed);
    test_host_connect(&t, 2, TEST_HOST "2", 1);
    test_host_read(&t, 2, 0, 64);
    test_host_expect(&t, 2, ISCSI_DATA_IN);
}

/* A discovery session has one request under way: its window says so. */
static void discovery(void **state)
{
    (void)state;
    static const char keys[] = "InitiatorName=" TEST_HOST "\0SessionType=Discovery";
    test_host_open(&t, 1);
    test_host_login_request(&t, 1, 0x87, 1, keys, sizeof keys);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    send_nop(FIRST + 1, 2, 0);
    send_nop(FIRST, 1, 0);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_NOP_IN);
    assert_int_equal(be32_get(pdu.response.exp_cmd_sn), FIRST + 1);
    assert_int_equal(be32_get(pdu.response.max_cmd_sn), FIRST + 1);
    test_host_expect_nothing(&t, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(in_order), TEST(abort_in_its_turn), TEST(outside_the_window),
        TEST(damaged),  TEST(too_much),          TEST(discovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
