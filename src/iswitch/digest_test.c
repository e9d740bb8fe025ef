/* SPDX-License-Identifier: Apache-2.0 */

/* CRC32C digests (RFC 7143 7.7, 7.8): a wrong header digest ends the connection, a wrong data
 * digest is a Reject, and costs the command that it belongs to. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

static struct test_host t;
static uint8_t pattern[64 << 10];

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

static void log_in(const char *keys, uint32_t length)
{
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, keys, length);
    test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    t.stream[1].header_digest = t.stream[1].data_digest = 1;
}

static void connect_with_digests(void)
{
    static const char keys[] = "TargetName=" TEST_TARGET "\0HeaderDigest=CRC32C,None\0"
                               "DataDigest=CRC32C,None\0InitialR2T=No\0ImmediateData=Yes\0"
                               "MaxOutstandingR2T=2\0MaxBurstLength=4096\0";
    log_in(keys, sizeof keys - 1);
}

static void expect_reject(uint8_t opcode)
{
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_DATA_DIGEST);
    assert_int_equal(pdu.length, ISCSI_BHS_BYTES);
    assert_int_equal(pdu.data[0] & ISCSI_OPCODE_MASK, opcode);
}

static void expect_crc_error(uint32_t itt)
{
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, 2);
    assert_int_equal(pdu.length, 20);
    assert_int_equal(pdu.data[2 + 2], 0x0B);
    assert_int_equal(pdu.data[2 + 12], 0x47); /* PROTOCOL SERVICE CRC ERROR */
    assert_int_equal(pdu.data[2 + 13], 0x05);
}

/* The next PDU's data digest is wrong. */
static void damage(void)
{
    t.stream[1].data_digest = 2;
}
static void repair(void)
{
    t.stream[1].data_digest = 1;
}

static void header(void **state)
{
    (void)state;
    connect_with_digests();
    t.stream[1].header_digest = 2;
    test_host_read(&t, 1, 0, 1);
    assert_true(t.stream[1].closed);
    assert_int_equal(t.commands, 0);
}

/* The command has never come: its CmdSN is still due, and it may be sent again. */
static void immediate_data(void **state)
{
    (void)state;
    connect_with_digests();
    uint32_t cmd_sn = t.stream[1].cmd_sn;
    damage();
    test_host_write(&t, 1, 0, 8, pattern, 4096, true);
    repair();
    expect_reject(ISCSI_SCSI_COMMAND);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
    uint32_t later = test_host_read(&t, 1, 100, 1);
    test_host_expect_nothing(&t, 1);
    t.stream[1].cmd_sn = cmd_sn;
    t.stream[1].itt++;
    uint32_t itt = test_host_write(&t, 1, 0, 8, pattern, 4096, true);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, 0);
    assert_memory_equal(t.disk, pattern, 4096);
    pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(be32_get(pdu.data_in.itt), later);
}

/* ... or the host gives it up: what comes after it needs wait no longer (RFC 7143 11.6.1). */
static void given_up(void **state)
{
    (void)state;
    connect_with_digests();
    uint32_t cmd_sn = t.stream[1].cmd_sn;
    damage();
    uint32_t itt = test_host_write(&t, 1, 0, 8, pattern, 4096, true);
    repair();
    expect_reject(ISCSI_SCSI_COMMAND);
    uint32_t later = test_host_read(&t, 1, 100, 1);
    test_host_expect_nothing(&t, 1);
    static const struct {
        int32_t from; /* the missing CmdSN */
        uint8_t result;
    } cases[] = {{-1, ISCSI_TASK_UNKNOWN}, /* came long ago */
                 {1, ISCSI_TASK_UNKNOWN},  /* here, under another tag */
                 {2, ISCSI_TASK_UNKNOWN},  /* not before the request */
                 {0, ISCSI_TASK_COMPLETE},
                 {0, ISCSI_TASK_UNKNOWN}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct iscsi_task_request request = {.opcode = ISCSI_TASK_REQUEST | ISCSI_IMMEDIATE,
                                             .function = ISCSI_FINAL | TASK_ABORT_TASK,
                                             .itt = be32_of(0x7000 + i),
                                             .referenced_itt = be32_of(itt),
                                             .cmd_sn = be32_of(t.stream[1].cmd_sn),
                                             .referenced_cmd_sn =
                                                 be32_of(cmd_sn + (uint32_t)cases[i].from)};
        test_host_send(&t, 1, &request, NULL, 0);
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TASK_RESPONSE);
        assert_int_equal(pdu.task.response, cases[i].result);
        if (i == 3) {
            pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
            assert_int_equal(be32_get(pdu.data_in.itt), later);
        }
    }
    uint32_t next = test_host_read(&t, 1, 0, 1);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(be32_get(pdu.data_in.itt), next);
    assert_memory_not_equal(t.disk, pattern, 4096);
}

/* All that was asked for is waited for, nothing more is asked for, nothing runs. */
static void solicited_data(void **state)
{
    (void)state;
    connect_with_digests();
    t.keep = true;
    uint32_t itt = test_host_write(&t, 1, 0, 32, pattern, 0, true);
    uint32_t ttt[2];
    for (int i = 0; i < 2; i++) {
        struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_R2T);
        assert_int_equal(be32_get(pdu.r2t.length), 4096);
        ttt[i] = be32_get(pdu.r2t.ttt);
    }
    damage();
    test_host_data_out(&t, 1, itt, ttt[0], 0, 0, true, pattern, 4096);
    repair();
    expect_reject(ISCSI_DATA_OUT);
    test_host_data_out(&t, 1, itt, ttt[1], 0, 4096, false, pattern, 2048);
    test_host_expect_nothing(&t, 1);
    test_host_data_out(&t, 1, itt, ttt[1], 1, 6144, true, pattern, 2048);
    expect_crc_error(itt);
    test_host_expect_nothing(&t, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
}

static void unsolicited_data(void **state)
{
    (void)state;
    connect_with_digests();
    t.keep = true;
    uint32_t itt = test_host_write(&t, 1, 0, 32, pattern, 512, false);
    damage();
    test_host_data_out(&t, 1, itt, ISCSI_TAG_NONE, 0, 512, false, pattern, 512);
    repair();
    expect_reject(ISCSI_DATA_OUT);
    test_host_expect_nothing(&t, 1);
    test_host_data_out(&t, 1, itt, ISCSI_TAG_NONE, 1, 1024, true, pattern, 512);
    expect_crc_error(itt);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
}

/* The host gives the command up while its data comes. */
static void aborted(void **state)
{
    (void)state;
    connect_with_digests();
    uint32_t itt = test_host_write(&t, 1, 0, 8, pattern, 0, true);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_R2T);
    damage();
    test_host_data_out(&t, 1, itt, be32_get(pdu.r2t.ttt), 0, 0, false, pattern, 512);
    repair();
    expect_reject(ISCSI_DATA_OUT);
    test_host_task(&t, 1, 1, 0, itt);
    pdu = test_host_expect(&t, 1, ISCSI_TASK_RESPONSE);
    assert_int_equal(pdu.task.response, ISCSI_TASK_COMPLETE);
    damage(); /* data of a command that is over is skipped, whatever it is */
    test_host_data_out(&t, 1, itt, be32_get(pdu.r2t.ttt), 1, 512, true, pattern, 512);
    repair();
    test_host_expect_nothing(&t, 1);
    assert_false(t.stream[1].closed);
}

/* Discovery has digests too; a text that is damaged was never asked. */
static void in_discovery(void **state)
{
    (void)state;
    static const char keys[] = "SessionType=Discovery\0HeaderDigest=CRC32C\0DataDigest=CRC32C\0";
    log_in(keys, sizeof keys - 1);
    struct iscsi_text_request text = {.opcode = ISCSI_TEXT_REQUEST,
                                      .flags = ISCSI_FINAL,
                                      .itt = be32_of(5),
                                      .ttt = be32_of(ISCSI_TAG_NONE),
                                      .cmd_sn = be32_of(100)};
    damage();
    test_host_send(&t, 1, &text, "SendTargets=All", 16);
    repair();
    expect_reject(ISCSI_TEXT_REQUEST);
    test_host_send(&t, 1, &text, "SendTargets=All", 16);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    assert_true(pdu.length > 0);
    assert_int_equal(be32_get(pdu.response.exp_cmd_sn), 101);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(header),           TEST(immediate_data), TEST(solicited_data), TEST(given_up),
        TEST(unsolicited_data), TEST(aborted),        TEST(in_discovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
