/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

/* docs/PROTOCOL.md, "A dead interface switch": what may have lain in a socket proves nothing; and
 * what hostile or broken hosts send. */

static struct test_host t;
static uint8_t block[1 << 20];

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_read(&t, 1, 0, 1);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    t.keep = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

static uint32_t kept(void)
{
    return test_host_kept(&t, COMMAND_SCSI, NULL);
}

/* The switch was stopped; a host's old write is then read. */
static void late_loop(void **state)
{
    (void)state;
    test_host_freeze(&t, MS(30000));
    test_host_write(&t, 1, 0, 1, block, 512, true);
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(kept(), 0);
    assert_false(t.stream[1].closed);
    test_host_wait(&t, MS(20));
    assert_int_equal(kept(), 0);
    test_host_pong(&t, 1);
    assert_int_equal(kept(), 2);
    test_host_expect_nothing(&t, 1);
    for (uint32_t i = 0; i < t.commands; i++)
        if (!t.command[i].answered) { /* its age counts from the ping */
            assert_true(t.command[i].command.age_ns >= MS(20));
            assert_true(t.command[i].command.age_ns < MS(60));
        }
    test_host_read(&t, 1, 1, 1); /* from now on as always */
    assert_int_equal(kept(), 3);
}

static void late_loop_and_no_answer(void **state)
{
    (void)state;
    uint64_t nop_ns = t.config.sender.limits.nop_ns;
    test_host_freeze(&t, MS(30000));
    test_host_write(&t, 1, 0, 1, block, 512, true);
    test_host_wait(&t, nop_ns - MS(100));
    assert_false(t.stream[1].closed);
    test_host_wait(&t, MS(200));
    assert_true(t.stream[1].closed);
    assert_int_equal(kept(), 0);
}

static void late_bytes(void **state)
{
    (void)state;
    t.late = true;
    test_host_read(&t, 1, 0, 1);
    t.late = false;
    test_host_read(&t, 1, 1, 1);
    assert_int_equal(kept(), 0);
    test_host_pong(&t, 1);
    assert_int_equal(kept(), 2);
    test_host_expect_nothing(&t, 1);
}

/* Data that was asked for after the delay shows as much as an answered ping; what was asked for
 * before shows nothing. */
static void data_that_was_asked_for(void **state)
{
    (void)state;
    uint32_t old = test_host_write(&t, 1, 0, 1, block, 0, true);
    struct test_pdu before = test_host_expect(&t, 1, ISCSI_R2T);
    test_host_wait(&t, MS(200));
    t.late = true;
    uint32_t itt = test_host_write(&t, 1, 8, 1, block, 0, true);
    t.late = false;
    test_host_expect(&t, 1, ISCSI_NOP_IN); /* is not answered */
    struct test_pdu after = test_host_expect(&t, 1, ISCSI_R2T);
    test_host_data_out(&t, 1, old, be32_get(before.r2t.ttt), 0, 0, true, block, 512);
    assert_int_equal(kept(), 0);
    test_host_data_out(&t, 1, itt, be32_get(after.r2t.ttt), 0, 0, true, block, 512);
    assert_int_equal(kept(), 2);
    test_host_expect_nothing(&t, 1);
}

/* Who sends data that it is asked for need not be pinged. */
static void a_writer_is_not_pinged(void **state)
{
    (void)state;
    t.keep = false;
    for (int i = 0; i < 20; i++) {
        test_host_wait(&t, t.config.sender.limits.nop_ns / 4);
        uint32_t itt = test_host_write(&t, 1, 0, 1, block, 0, true);
        struct test_pdu r2t = test_host_expect(&t, 1, ISCSI_R2T);
        test_host_data_out(&t, 1, itt, be32_get(r2t.r2t.ttt), 0, 0, true, block, 512);
        test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    }
    test_host_wait(&t, t.config.sender.limits.nop_ns / 2 + MS(100));
    test_host_pong(&t, 1); /* but when it has done so for half the limit */
    assert_false(t.stream[1].closed);
}

/* Silent for longer than the limit: the ping of that time is enough if it is answered at once. */
static void silent_host(void **state)
{
    (void)state;
    uint64_t nop_ns = t.config.sender.limits.nop_ns;
    test_host_wait(&t, nop_ns / 2 - MS(50));
    test_host_expect_nothing(&t, 1);
    test_host_wait(&t, MS(90));
    test_host_pong(&t, 1);
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(kept(), 1);
    test_host_wait(&t, nop_ns + MS(200));
    test_host_pong(&t, 1);
    test_host_expect(&t, 1, ISCSI_NOP_IN); /* that answer took long: another ping */
    test_host_wait(&t, MS(10));
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(kept(), 1);
    test_host_wait(&t, nop_ns + MS(50));
    assert_true(t.stream[1].closed);
}

static void dead_host(void **state)
{
    (void)state;
    uint64_t nop_ns = t.config.sender.limits.nop_ns;
    test_host_wait(&t, 2 * nop_ns - MS(50));
    assert_false(t.stream[1].closed);
    test_host_wait(&t, MS(100));
    assert_true(t.stream[1].closed);
    uint32_t losses = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        losses += t.command[i].command.kind == COMMAND_NEXUS_LOSS;
    assert_int_equal(losses, 1);
}

static void living_host(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        test_host_wait(&t, MS(1000));
        struct test_pdu pdu;
        while (test_host_next(&t, 1, &pdu)) {
            t.stream[1].received_at -= ISCSI_BHS_BYTES;
            test_host_pong(&t, 1);
        }
    }
    assert_false(t.stream[1].closed);
    test_host_read(&t, 1, 0, 1);
    assert_int_equal(kept(), 1);
}

/* The unit refuses a copy as stale: the host is pinged, and the copy goes again. */
static void stale_copy(void **state)
{
    (void)state;
    test_host_read(&t, 1, 0, 1);
    uint32_t at;
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 1);
    test_host_wait(&t, MS(200));
    struct message refuse = {.kind = MESSAGE_REFUSE,
                             .from = port_unit(0, 0),
                             .to = port_switch(0),
                             .refuse = {.id = t.command[at].command.id, .reason = REFUSE_STALE}};
    test_host_message(&t, &refuse);
    test_host_wait(&t, MS(1));
    assert_int_equal(kept(), 1);
    test_host_pong(&t, 1);
    test_host_wait(&t, MS(1));
    assert_int_equal(kept(), 2);
    test_host_kept(&t, COMMAND_SCSI, &at);
    assert_true(t.command[at].command.age_ns < MS(10));
    assert_true(t.command[at].command.start_age_ns >= MS(200));
}

/* A command that waited here for long is given to a group only with a fresh proof. */
static void long_wait(void **state)
{
    (void)state;
    t.keep_nexus = true;
    uint8_t cdb[16] = {0x12};
    test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    test_host_wait(&t, MS(300));
    uint32_t open;
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_OPEN, &open), 1);
    test_host_answer(&t, open, NULL, slice_none());
    test_host_wait(&t, MS(1));
    assert_int_equal(kept(), 0);
    test_host_pong(&t, 1);
    test_host_wait(&t, MS(1));
    assert_int_equal(kept(), 1);
}

/* Bytes come, but no answer to a ping: a command among them may be as old as the last answer. */
static void byte_a_second(void **state)
{
    (void)state;
    struct iscsi_scsi_command command = {
        .opcode = ISCSI_SCSI_COMMAND, .flags = ISCSI_FINAL, .cmd_sn = be32_of(101)};
    uint8_t bytes[ISCSI_BHS_BYTES];
    memcpy(bytes, &command, sizeof bytes);
    for (uint32_t i = 0; i < ISCSI_BHS_BYTES && !t.stream[1].closed; i++) {
        test_host_wait(&t, MS(1000));
        test_host_bytes(&t, 1, bytes + i, 1);
    }
    assert_int_equal(kept(), 0);
    assert_true(t.stream[1].closed);
}

/* A line that is never silent and has a backlog of seconds: the answers to pings come behind it. */
static void backlog(void **state)
{
    (void)state;
    uint64_t step_ns = t.config.sender.limits.nop_ns / 10;
    uint32_t itt = 0;
    for (; itt < 10; itt++) {
        test_host_wait(&t, step_ns - MS(1));
        test_host_read(&t, 1, itt, 1);
    }
    uint32_t before = kept();
    assert_int_equal(before, 10);
    test_host_wait(&t, step_ns);
    test_host_read(&t, 1, itt, 1);
    assert_int_equal(kept(), before);
    test_host_pong(&t, 1); /* of half the limit ago: it proves nothing of what comes now */
    assert_int_equal(kept(), before);
    while (kept() == before && !t.stream[1].closed)
        test_host_pong(&t, 1);
    assert_int_equal(kept(), before + 1);
}

static void data_that_never_comes(void **state)
{
    (void)state;
    test_host_write(&t, 1, 0, 2, block, 512, true);
    test_host_expect(&t, 1, ISCSI_R2T);
    for (int i = 0; i < 31 && !t.stream[1].closed; i++) {
        struct test_pdu pdu;
        test_host_wait(&t, MS(1000));
        while (test_host_next(&t, 1, &pdu)) {
            t.stream[1].received_at -= ISCSI_BHS_BYTES;
            test_host_pong(&t, 1);
        }
    }
    assert_true(t.stream[1].closed);
}

static void wrong_lengths(void **state)
{
    (void)state;
    test_host_connect(&t, 2, TEST_HOST "2", 1);
    uint8_t header[ISCSI_BHS_BYTES] = {ISCSI_SCSI_COMMAND, ISCSI_FINAL, [4] = 0, 0xFF, 0xFF, 0xFF};
    test_host_bytes(&t, 1, header, sizeof header);
    assert_true(t.stream[1].closed);
    /* additional header segments are passed over */
    uint8_t with_ahs[ISCSI_BHS_BYTES + 1020] = {ISCSI_SCSI_COMMAND, ISCSI_FINAL, [4] = 255};
    be32_put(with_ahs + 24, 200);
    t.chunk = 100;
    test_host_bytes(&t, 2, with_ahs, sizeof with_ahs);
    assert_int_equal(kept(), 1);
    assert_false(t.stream[2].closed);
    uint8_t again[ISCSI_BHS_BYTES] = {0x43, 0x87};
    test_host_bytes(&t, 2, again, sizeof again);
    assert_true(t.stream[2].closed);
}

/* Pings with much data, far more than are read: bounded, and answered in the end. */
static void flood_of_pings(void **state)
{
    (void)state;
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE, .itt = be32_of(3)};
    for (int i = 0; i < 100; i++) {
        memset(block, i, 60000);
        test_host_send(&t, 1, &nop, block, i % 2 ? 60000 : 9);
    }
    for (int i = 0; i < 100; i++) {
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_NOP_IN);
        assert_int_equal(pdu.length, i % 2 ? 60000 : 9);
        assert_int_equal(pdu.data[8], i);
    }
    for (int i = 0; i < 9000; i++)
        test_host_send(&t, 1, &nop, NULL, 0);
    assert_true(t.stream[1].paused);
    assert_true(t.stream[1].sent_since < 9000);
    test_host_step(&t, &(struct event){.kind = EVENT_STREAM_SENT, .stream.stream = 1});
    assert_false(t.stream[1].paused);
    for (int i = 0; i < 9000; i++)
        test_host_send(&t, 1, &nop, NULL, 0);
    assert_true(t.stream[1].paused); /* and never again */
    test_host_wait(&t, MS(31000));
    assert_true(t.stream[1].closed);
}

/* Whatever bytes come, nothing is broken, and the other host goes on. */
static void noise(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 300; round++) {
        uint32_t stream = 2 + (uint32_t)round % 3;
        uint8_t *received = t.stream[stream].received, *pending = t.stream[stream].pending;
        if (t.stream[stream].closed || !t.stream[stream].open) {
            t.stream[stream] = (struct test_stream){.received = received, .pending = pending};
            if (round % 2)
                test_host_connect(&t, stream, TEST_HOST "x", (uint8_t)stream);
            else
                test_host_open(&t, stream);
        }
        uint8_t bytes[600];
        for (uint32_t i = 0; i < sizeof bytes; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[i] = (uint8_t)random;
        }
        static const uint8_t opcodes[] = {0, 1, 2, 4, 5, 0x41, 0x43, 0x10};
        bytes[0] = opcodes[bytes[0] % sizeof opcodes];
        bytes[4] = bytes[5] = bytes[6] = 0;
        test_host_bytes(&t, stream, bytes, sizeof bytes);
    }
    assert_false(t.stream[1].closed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(late_loop),
        TEST(late_loop_and_no_answer),
        TEST(late_bytes),
        TEST(data_that_was_asked_for),
        TEST(a_writer_is_not_pinged),
        TEST(silent_host),
        TEST(dead_host),
        TEST(living_host),
        TEST(stale_copy),
        TEST(long_wait),
        TEST(byte_a_second),
        TEST(backlog),
        TEST(data_that_never_comes),
        TEST(wrong_lengths),
        TEST(flood_of_pings),
        TEST(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
