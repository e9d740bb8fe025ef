/* SPDX-License-Identifier: Apache-2.0 */

/* What a host hears when a group serves nobody, and the format of sense data that the switch makes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

static struct test_host t;
static uint8_t block[1024];

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_connect(&t, 1, TEST_HOST, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

/* Time in which the host answers pings. */
static void wait_alive(uint64_t ns)
{
    for (uint64_t end = t.now_ns + ns; t.now_ns < end;) {
        struct test_pdu pdu;
        struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE,
                                         .flags = ISCSI_FINAL,
                                         .itt = be32_of(ISCSI_TAG_NONE),
                                         .ttt = be32_of(ISCSI_TAG_NONE)};
        test_host_wait(&t, MS(20));
        test_host_send(&t, 1, &nop, NULL, 0);
        struct test_stream *s = &t.stream[1];
        while (s->received_at + ISCSI_BHS_BYTES <= s->received_length &&
               s->received[s->received_at] == ISCSI_NOP_IN) {
            assert_true(test_host_next(&t, 1, &pdu));
            nop.ttt = pdu.response.ttt;
            test_host_send(&t, 1, &nop, NULL, 0);
        }
    }
}

static void view(uint8_t group, bool serving, bool linked)
{
    struct event link = {.kind = linked ? EVENT_LINK_UP : EVENT_LINK_DOWN,
                         .link.port = port_unit(0, group)};
    struct message message = {
        .kind = MESSAGE_VIEW,
        .from = port_unit(0, group),
        .to = port_switch(0),
        .view = {.group = group, .epoch = 3, .serving = serving, .primary = 0, .in_sync = 1}};
    if (linked)
        test_host_message(&t, &message);
    test_host_step(&t, &link);
    if (linked)
        test_host_message(&t, &message);
}

/* The next PDU that is no ping. */
static struct test_pdu expect(enum iscsi_opcode opcode)
{
    struct test_pdu pdu;
    do
        assert_true(test_host_next(&t, 1, &pdu));
    while (pdu.bytes[0] == ISCSI_NOP_IN);
    assert_int_equal(pdu.bytes[0], opcode);
    return pdu;
}

static void expect_status(uint32_t itt, uint8_t status, uint32_t residual)
{
    struct test_pdu pdu = expect(ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, status);
    assert_int_equal(be32_get(pdu.scsi.residual), residual);
}

/* What comes while a group is away for long is answered BUSY and never runs; the other group's
 * commands do. What was with the group before waits for it. */
static void busy(void **state)
{
    (void)state;
    uint8_t cdb[16] = {0};
    test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    expect(ISCSI_SCSI_RESPONSE);
    t.keep = true;
    uint32_t before = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    uint32_t kept;
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &kept), 1);
    for (int way = 0; way < 2; way++) {
        view(1, way == 1, way == 0); /* takeover without an end; link gone */
        wait_alive(MS(4000));
        uint32_t commands = test_host_kept(&t, COMMAND_SCSI, NULL);
        wait_alive(MS(1200));
        uint32_t busy_one = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
        expect_status(busy_one, 0x08, 0);
        cdb[0] = 0x2A;
        busy_one = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL | ISCSI_COMMAND_WRITE, cdb,
                                     1024, block, 1024);
        expect_status(busy_one, 0x08, 1024);
        cdb[0] = 0;
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), commands);
        uint32_t other = test_host_command(&t, 1, 0, ISCSI_FINAL, cdb, 0, NULL, 0);
        uint32_t at;
        test_host_kept(&t, COMMAND_SCSI, &at);
        assert_int_equal(t.command[at].group, 0);
        test_host_answer(&t, at, NULL, slice_none());
        test_host_wait(&t, MS(1));
        expect_status(other, 0, 0);
        view(1, true, true); /* at once, not from the next time on that the switch looks */
        uint32_t good = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
        test_host_kept(&t, COMMAND_SCSI, &at);
        assert_int_equal(t.command[at].group, 1);
        test_host_answer(&t, at, NULL, slice_none());
        test_host_wait(&t, MS(1));
        expect_status(good, 0, 0);
    }
    test_host_answer(&t, kept, NULL, slice_none());
    test_host_wait(&t, MS(1));
    expect_status(before, 0, 0);
}

/* A short absence, a takeover, nobody hears of. */
static void not_yet(void **state)
{
    (void)state;
    uint8_t cdb[16] = {0};
    view(1, false, true);
    uint32_t good = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    wait_alive(MS(4900));
    view(1, true, true);
    wait_alive(MS(200));
    expect_status(good, 0, 0);
    view(1, false, true);
    wait_alive(MS(300)); /* it counts from the beginning again */
    good = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    wait_alive(MS(4500));
    view(1, true, true);
    wait_alive(MS(200));
    expect_status(good, 0, 0);
}

/* All units of a group hang, and their links stay up: as if it were away. Its commands are answered
 * again as soon as it says something. */
static void hung(void **state)
{
    (void)state;
    uint8_t cdb[16] = {0};
    wait_alive(MS(7000)); /* no command, and yet it is known to serve */
    test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    expect(ISCSI_SCSI_RESPONSE);
    t.silent[1] = t.keep = true;
    wait_alive(MS(4000));
    uint32_t before = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0), kept, at;
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &kept), 1);
    wait_alive(MS(2000));
    uint32_t busy_one = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    expect_status(busy_one, 0x08, 0);
    uint32_t other = test_host_command(&t, 1, 0, ISCSI_FINAL, cdb, 0, NULL, 0);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 2);
    test_host_answer(&t, at, NULL, slice_none());
    test_host_wait(&t, MS(1));
    expect_status(other, 0, 0);
    t.silent[1] = false;
    wait_alive(MS(700));
    uint32_t good = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 2);
    test_host_answer(&t, at, NULL, slice_none());
    test_host_answer(&t, kept, NULL, slice_none());
    test_host_wait(&t, MS(1));
    expect_status(good, 0, 0);
    expect_status(before, 0, 0);
}

/* The switch itself was stopped: what it did not hear meanwhile tells nothing. */
static void stopped_ourselves(void **state)
{
    (void)state;
    uint8_t cdb[16] = {0};
    t.keep = true;
    wait_alive(MS(100));
    t.silent[1] = true;
    test_host_freeze(&t, MS(8000));
    wait_alive(MS(200));
    test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 1);
}

static void fail_a_write(bool descriptors)
{
    uint32_t itt = test_host_write(&t, 1, 0, 2, NULL, 0, true);
    struct test_pdu pdu = expect(ISCSI_R2T);
    test_host_data_out(&t, 1, itt, be32_get(pdu.r2t.ttt), 9, 0, true, block, 1024);
    pdu = expect(ISCSI_SCSI_RESPONSE);
    assert_int_equal(be16_at(pdu.data), descriptors ? 8 : 18);
    assert_int_equal(pdu.length, 2 + (descriptors ? 8 : 18));
    assert_int_equal(pdu.data[2], descriptors ? 0x72 : 0x70);
    assert_int_equal(pdu.data[2 + (descriptors ? 1 : 2)], 0x0B);
    assert_int_equal(pdu.data[2 + (descriptors ? 2 : 12)], 0x4B);
}

/* The volume's responses say how its sense is to look, the switch's own too. */
static void formats(void **state)
{
    (void)state;
    t.keep = true;
    fail_a_write(false);
    for (int i = 0; i < 4; i++) {
        bool descriptors = i % 2 == 0;
        uint8_t cdb[16] = {0};
        struct response_message response = {.descriptors = descriptors};
        uint32_t at;
        test_host_command(&t, 1, 0, ISCSI_FINAL, cdb, 0, NULL, 0);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 1);
        test_host_answer(&t, at, &response, slice_none());
        test_host_wait(&t, MS(1));
        expect(ISCSI_SCSI_RESPONSE);
        fail_a_write(descriptors);
        /* one that the sender has made, of a command that was cut off */
        test_host_command(&t, 1, 0, ISCSI_FINAL, cdb, 0, NULL, 0);
        test_host_kept(&t, COMMAND_SCSI, &at);
        response.status = 2;
        response.sense_length = 18;
        memcpy(response.sense, "\x70\0\x0b\0\0\0\0\x0a\0\0\0\0\x01\x02", 14);
        test_host_answer(&t, at, &response, slice_none());
        test_host_wait(&t, MS(1));
        struct test_pdu pdu = expect(ISCSI_SCSI_RESPONSE);
        assert_int_equal(pdu.data[2], descriptors ? 0x72 : 0x70);
        assert_int_equal(be16_at(pdu.data + 2 + (descriptors ? 2 : 12)), 0x0102);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(busy), TEST(not_yet), TEST(hung),
                                       TEST(stopped_ourselves), TEST(formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
