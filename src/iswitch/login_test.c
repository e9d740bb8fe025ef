/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

static struct test_host t;

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_serve(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

#define TEXT(s) s, sizeof(s) - 1
#define WITH_TARGET "TargetName=" TEST_TARGET "\0"

static bool has_key(const struct test_pdu *pdu, const char *pair)
{
    uint32_t length = (uint32_t)strlen(pair) + 1;
    for (uint32_t at = 0; at + length <= pdu->length; at++)
        if ((at == 0 || pdu->data[at - 1] == 0) && memcmp(pdu->data + at, pair, length) == 0)
            return true;
    return false;
}

static uint16_t status_of(uint32_t stream)
{
    struct test_pdu pdu = test_host_expect(&t, stream, ISCSI_LOGIN_RESPONSE);
    return be16_get(pdu.login.status);
}

static void one_request(void **state)
{
    (void)state;
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1,
                    TEXT(WITH_TARGET "SessionType=Normal\0InitialR2T=No\0"
                                     "HeaderDigest=None\0MaxBurstLength=16776192\0"));
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(pdu.login.flags, 0x87);
    assert_int_equal(be16_get(pdu.login.status), 0);
    assert_int_not_equal(be16_get(pdu.login.tsih), 0);
    assert_int_equal(be32_get(pdu.login.exp_cmd_sn), 100);
    assert_int_equal(be32_get(pdu.login.max_cmd_sn), 227);
    assert_true(has_key(&pdu, "TargetPortalGroupTag=1"));
    assert_true(has_key(&pdu, "InitialR2T=No"));
    assert_true(has_key(&pdu, "HeaderDigest=None"));
    assert_true(has_key(&pdu, "MaxBurstLength=1048576"));
    assert_true(has_key(&pdu, "MaxRecvDataSegmentLength=262144"));
    struct iswitch_session_status session;
    assert_true(iswitch_session(t.x, 0, &session));
    assert_string_equal(session.initiator, TEST_HOST);
    assert_string_equal(session.peer, "10.9.9.9:50000");
    assert_false(iswitch_session(t.x, 1, &session));
}

/* Security, then operational, its text in two pieces, as byte by byte as a network can be. */
static void three_requests(void **state)
{
    (void)state;
    t.chunk = 7;
    test_host_open(&t, 1);
    test_host_login_request(&t, 1, 0x81, 1,
                            TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET
                                 "SessionType=Normal\0AuthMethod=CHAP,None\0"));
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(pdu.login.flags, 0x81);
    assert_int_equal(be16_get(pdu.login.tsih), 0);
    assert_true(has_key(&pdu, "AuthMethod=None"));
    assert_false(has_key(&pdu, "MaxRecvDataSegmentLength=262144"));
    test_host_login_request(&t, 1, 0x44, 1, TEXT("ImmediateData=Ye"));
    pdu = test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(pdu.login.flags, 0x04);
    assert_int_equal(pdu.length, 0);
    test_host_login_request(&t, 1, 0x87, 1, TEXT("s\0ErrorRecoveryLevel=0\0"));
    pdu = test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(pdu.login.flags, 0x87);
    assert_true(has_key(&pdu, "ImmediateData=Yes"));
    assert_true(has_key(&pdu, "MaxRecvDataSegmentLength=262144"));
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint16_t status;
        const char *text;
        uint32_t length;
    } cases[] = {
        {0x87, ISCSI_LOGIN_MISSING_PARAMETER, TEXT(WITH_TARGET)},
        {0x87, ISCSI_LOGIN_MISSING_PARAMETER, TEXT("InitiatorName=" TEST_HOST "\0")},
        {0x87, ISCSI_LOGIN_NOT_FOUND, TEXT("InitiatorName=" TEST_HOST "\0TargetName=iqn.x\0")},
        {0x87, ISCSI_LOGIN_SESSION_TYPE,
         TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET "SessionType=Odd\0")},
        {0x81, ISCSI_LOGIN_AUTHENTICATION,
         TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET "AuthMethod=CHAP\0")},
        {0x87, ISCSI_LOGIN_INITIATOR_ERROR, TEXT("InitiatorName")},
        {0x87, ISCSI_LOGIN_INITIATOR_ERROR,
         TEXT("InitiatorName=" TEST_HOST "\0InitiatorName=" TEST_HOST "\0")},
        {0xC7, ISCSI_LOGIN_INITIATOR_ERROR, TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET)},
        {0x86, ISCSI_LOGIN_INITIATOR_ERROR, TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET)},
        {0x84, ISCSI_LOGIN_INITIATOR_ERROR, TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET)},
        {0x8F, ISCSI_LOGIN_INITIATOR_ERROR, TEXT("InitiatorName=" TEST_HOST "\0" WITH_TARGET)},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        t.stream[1] =
            (struct test_stream){.received = t.stream[1].received, .pending = t.stream[1].pending};
        test_host_open(&t, 1);
        test_host_login_request(&t, 1, cases[i].flags, 1, cases[i].text, cases[i].length);
        assert_int_equal(status_of(1), cases[i].status);
        assert_true(t.stream[1].closed);
    }
}

static void versions_and_sessions(void **state)
{
    (void)state;
    static const char text[] = "InitiatorName=" TEST_HOST "\0" WITH_TARGET;
    struct iscsi_login_request request = {
        .opcode = 0x43, .flags = 0x87, .version_min = 1, .version_max = 1};
    test_host_open(&t, 1);
    test_host_send(&t, 1, &request, text, sizeof text - 1);
    assert_int_equal(status_of(1), ISCSI_LOGIN_VERSION);
    request = (struct iscsi_login_request){.opcode = 0x43, .flags = 0x87, .tsih = be16_of(99)};
    test_host_open(&t, 2);
    test_host_send(&t, 2, &request, text, sizeof text - 1);
    assert_int_equal(status_of(2), ISCSI_LOGIN_NO_SESSION);
    test_host_connect(&t, 3, TEST_HOST, 1);
    request.tsih = be16_of(1);
    test_host_open(&t, 4);
    test_host_send(&t, 4, &request, text, sizeof text - 1);
    assert_int_equal(status_of(4), ISCSI_LOGIN_TOO_MANY_CONNECTIONS);
}

static void unended_logins(void **state)
{
    (void)state;
    test_host_open(&t, 1); /* says nothing */
    test_host_open(&t, 2); /* half a PDU */
    test_host_bytes(&t, 2, "\x43\x87", 2);
    test_host_open(&t, 3); /* endless text */
    static char filler[8000];
    memset(filler, 'a', sizeof filler);
    test_host_login_request(&t, 3, 0x44, 1, filler, sizeof filler);
    test_host_login_request(&t, 3, 0x44, 1, filler, sizeof filler);
    assert_true(t.stream[3].closed);
    test_host_open(&t, 4); /* endless rounds */
    for (int i = 0; i < 70 && !t.stream[4].closed; i++)
        test_host_login_request(&t, 4, 0x44, 1, NULL, 0);
    assert_true(t.stream[4].closed);
    test_host_open(&t, 5); /* something else */
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE};
    test_host_send(&t, 5, &nop, NULL, 0);
    assert_true(t.stream[5].closed);
    test_host_wait(&t, MS(9900));
    assert_false(t.stream[1].closed || t.stream[2].closed);
    test_host_wait(&t, MS(200));
    assert_true(t.stream[1].closed && t.stream[2].closed);
}

/* Six places. Silent hosts make room for others, the oldest first; those that are logged in never.
 */
static void too_many(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    for (uint32_t i = 2; i <= 7; i++)
        test_host_open(&t, i);
    assert_true(t.stream[2].closed);
    for (uint32_t i = 3; i <= 7; i++) {
        assert_false(t.stream[i].closed);
        test_host_login(&t, i, TEST_HOST, (uint8_t)i, TEXT("TargetName=" TEST_TARGET "\0"));
        struct test_pdu pdu = test_host_expect(&t, i, ISCSI_LOGIN_RESPONSE);
        assert_int_equal(be16_get(pdu.login.status), ISCSI_LOGIN_SUCCESS);
    }
    test_host_open(&t, 8);
    assert_true(t.stream[8].closed);
    for (uint32_t i = 3; i <= 7; i++)
        assert_false(t.stream[i].closed);
    assert_false(t.stream[1].closed);
}

static void discovery(void **state)
{
    (void)state;
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, TEXT("SessionType=Discovery\0InitialR2T=No\0"));
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_LOGIN_RESPONSE);
    assert_int_equal(be16_get(pdu.login.status), 0);
    assert_true(has_key(&pdu, "InitialR2T=Irrelevant"));
    struct iscsi_text_request text = {.opcode = ISCSI_TEXT_REQUEST | ISCSI_IMMEDIATE,
                                      .flags = ISCSI_FINAL,
                                      .itt = be32_of(5),
                                      .ttt = be32_of(ISCSI_TAG_NONE),
                                      .cmd_sn = be32_of(100)};
    test_host_send(&t, 1, &text, TEXT("SendTargets=All\0"));
    pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    static const char answer[] = "TargetName=" TEST_TARGET "\0TargetAddress=127.0.0.1:3260,1\0"
                                 "TargetAddress=127.0.0.2:3261,2\0"
                                 "TargetAddress=10.1.2.3:3262,3\0";
    assert_int_equal(pdu.length, sizeof answer - 1);
    assert_memory_equal(pdu.data, answer, sizeof answer - 1);
    /* no SCSI here */
    uint8_t cdb[16] = {0};
    test_host_command(&t, 1, 0, ISCSI_FINAL, cdb, 0, NULL, 0);
    pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_PROTOCOL);
    assert_int_equal(pdu.length, ISCSI_BHS_BYTES);
    struct iscsi_logout_request logout = {.opcode = ISCSI_LOGOUT_REQUEST | ISCSI_IMMEDIATE,
                                          .reason = ISCSI_FINAL};
    test_host_send(&t, 1, &logout, NULL, 0);
    pdu = test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
    assert_int_equal(pdu.logout.response, 0);
    assert_true(t.stream[1].closed);
}

/* SendTargets in a normal session, the answer longer than the host's segments. */
static void targets_in_pieces(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    config.portals = PORTAL_MAX;
    for (uint8_t i = 0; i < PORTAL_MAX; i++) {
        config.portal[i].switch_index = (uint8_t)(i + 1);
        memset(config.portal[i].address, 'a', PORTAL_BYTES - 6);
        memcpy(config.portal[i].address + PORTAL_BYTES - 6, ":3260", 6);
    }
    test_host_end(&t);
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_open(&t, 1);
    test_host_login(&t, 1, TEST_HOST, 1, TEXT(WITH_TARGET "MaxRecvDataSegmentLength=512\0"));
    assert_int_equal(status_of(1), 0);
    struct iscsi_text_request text = {.opcode = ISCSI_TEXT_REQUEST,
                                      .flags = ISCSI_FINAL,
                                      .itt = be32_of(5),
                                      .ttt = be32_of(ISCSI_TAG_NONE),
                                      .cmd_sn = be32_of(100)};
    test_host_send(&t, 1, &text, TEXT("SendTargets=\0"));
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    assert_int_equal(pdu.length, 512);
    assert_int_equal(pdu.response.flags, ISCSI_CONTINUE);
    text.ttt = pdu.response.ttt;
    text.cmd_sn = be32_of(101);
    test_host_send(&t, 1, &text, NULL, 0);
    pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    assert_int_equal(pdu.response.flags, ISCSI_FINAL);
    assert_true(pdu.length > 0 && pdu.length < 512);
    text.ttt = be32_of(ISCSI_TAG_NONE);
    text.cmd_sn = be32_of(102);
    test_host_send(&t, 1, &text, TEXT("SendTargets=All\0"));
    pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    assert_true(has_key(&pdu, "SendTargets=Reject"));
    text.cmd_sn = be32_of(103);
    test_host_send(&t, 1, &text, TEXT("SendTargets=iqn.nobody\0"));
    pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    assert_int_equal(pdu.length, 0);
}

/* The host's new session begins only when its old one's commands are over and its nexus is lost. */
static void reinstatement(void **state)
{
    (void)state;
    t.keep = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_read(&t, 1, 0, 1);
    uint32_t read;
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &read), 1);
    assert_int_equal(t.command[read - 1].command.kind, COMMAND_NEXUS_OPEN);
    assert_memory_equal(slice_bytes(t.command[read - 1].payload), TEST_HOST ",i,0x800000000001",
                        sizeof TEST_HOST - 1 + 17);
    t.keep_nexus = true;
    test_host_open(&t, 2);
    test_host_login(&t, 2, TEST_HOST, 1, TEXT(WITH_TARGET));
    assert_true(t.stream[1].closed);
    test_host_expect_nothing(&t, 2);
    test_host_wait(&t, MS(10));
    /* withdrawn: the unit says that it ran all the same */
    test_host_expect_nothing(&t, 2);
    uint32_t loss;
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_LOSS, &loss), 1);
    test_host_answer(&t, loss, NULL, slice_none());
    assert_int_equal(status_of(2), 0);
    test_host_expect_nothing(&t, 1);
}

/* ... also where the network took the old one away, and the new one has another ISID. */
static void return_after_loss(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_read(&t, 1, 0, 1);
    t.keep_nexus = true;
    t.stream[1].closed = true;
    test_host_step(&t, &(struct event){.kind = EVENT_STREAM_CLOSED, .stream.stream = 1});
    test_host_open(&t, 2);
    test_host_login(&t, 2, TEST_HOST, 2, TEXT(WITH_TARGET));
    test_host_expect_nothing(&t, 2);
    test_host_open(&t, 3); /* another host has nothing to do with it */
    test_host_login(&t, 3, TEST_HOST "2", 2, TEXT(WITH_TARGET));
    assert_int_equal(status_of(3), 0);
    uint32_t loss;
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_LOSS, &loss), 1);
    test_host_answer(&t, loss, NULL, slice_none());
    assert_int_equal(status_of(2), 0);
}

/* A living session of the host with another ISID is another path: it stays. */
static void two_paths(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, TEST_HOST, 2);
    assert_false(t.stream[1].closed);
    struct iswitch_status status;
    iswitch_describe(t.x, &status);
    assert_int_equal(status.sessions, 2);
    assert_int_equal(status.directory_version, 1);
    assert_int_equal(status.group[1].epoch, 3);
}

static const char *request(const char *words)
{
    static char said[NOTICE_BYTES];
    struct event event = {.kind = EVENT_REQUEST, .request = {.tag = 9, .text = words}};
    t.said[0] = 0;
    test_host_step(&t, &event);
    memcpy(said, t.said, sizeof said);
    return said;
}

/* Hosts are asked to go, and those that come are sent to the portals of others, one after the
 * other. */
static void drained(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, TEST_HOST, 2);
    assert_string_equal(request("drane"), "refused: it knows drain and resume");
    assert_string_equal(request("resume"), "it is not drained");
    assert_string_equal(request("drain"), "it lets its hosts go");
    assert_string_equal(request("drain"), "it is drained already");
    for (uint32_t i = 1; i <= 2; i++) {
        struct test_pdu pdu = test_host_expect(&t, i, ISCSI_ASYNC);
        assert_int_equal(pdu.async.event, ISCSI_ASYNC_LOGOUT);
        assert_int_equal(be16_get(pdu.async.parameter_3), 5);
        test_host_expect_nothing(&t, i);
    }
    for (uint32_t i = 3; i <= 4; i++) { /* portal 3262 is on every address: none to send to */
        test_host_open(&t, i);
        test_host_login(&t, i, TEST_HOST, (uint8_t)i, TEXT(WITH_TARGET));
        struct test_pdu pdu = test_host_expect(&t, i, ISCSI_LOGIN_RESPONSE);
        assert_int_equal(be16_get(pdu.login.status), ISCSI_LOGIN_MOVED);
        assert_true(has_key(&pdu, "TargetAddress=127.0.0.2:3261"));
        assert_true(t.stream[i].closed);
    }
    struct iscsi_logout_request logout = {.opcode = ISCSI_LOGOUT_REQUEST | ISCSI_IMMEDIATE,
                                          .reason = ISCSI_FINAL};
    test_host_send(&t, 1, &logout, NULL, 0);
    test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
    test_host_open(&t, 5); /* discovery goes on, without this switch */
    test_host_login(&t, 5, TEST_HOST, 5, TEXT("SessionType=Discovery\0"));
    assert_int_equal(status_of(5), 0);
    struct iscsi_text_request text = {.opcode = ISCSI_TEXT_REQUEST | ISCSI_IMMEDIATE,
                                      .flags = ISCSI_FINAL,
                                      .ttt = be32_of(ISCSI_TAG_NONE)};
    test_host_send(&t, 5, &text, TEXT("SendTargets=All\0"));
    struct test_pdu pdu = test_host_expect(&t, 5, ISCSI_TEXT_RESPONSE);
    assert_false(has_key(&pdu, "TargetAddress=127.0.0.1:3260,1"));
    assert_true(has_key(&pdu, "TargetAddress=127.0.0.2:3261,2"));
    test_host_wait(&t, MS(4900));
    assert_false(t.stream[2].closed);
    test_host_wait(&t, MS(200)); /* who does not listen is dropped */
    assert_true(t.stream[2].closed);
    struct iswitch_status status;
    iswitch_describe(t.x, &status);
    assert_true(status.drained);
    assert_string_equal(request("resume"), "hosts may log in again");
    test_host_connect(&t, 6, TEST_HOST, 6);
}

/* Without another switch there is nowhere to go. */
static void alone(void **state)
{
    (void)state;
    test_host_end(&t);
    struct iswitch_config config = test_host_config();
    config.portals = 1;
    test_host_begin(&t, &config);
    assert_string_equal(request("drain"),
                        "refused: there is no other switch that hosts could go to");
}

/* All portals of a switch, as they are announced; IPv6 too. Its own first. */
static void portals(void **state)
{
    (void)state;
    test_host_end(&t);
    static const struct {
        uint8_t index;
        const char *address;
    } all[] = {{1, "[2001:db8::2]:3260"}, {0, "192.0.2.1:860"}, {0, "[2001:db8::1]:3260"}};
    struct iswitch_config config = test_host_config();
    for (uint8_t i = 0; i < 3; i++) {
        config.portal[i].switch_index = all[i].index;
        memcpy(config.portal[i].address, all[i].address, strlen(all[i].address) + 1);
    }
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_connect(&t, 1, TEST_HOST, 1);
    struct iscsi_text_request text = {.opcode = ISCSI_TEXT_REQUEST | ISCSI_IMMEDIATE,
                                      .flags = ISCSI_FINAL,
                                      .ttt = be32_of(ISCSI_TAG_NONE)};
    test_host_send(&t, 1, &text, TEXT("SendTargets=\0"));
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TEXT_RESPONSE);
    static const char answer[] = "TargetName=" TEST_TARGET "\0TargetAddress=192.0.2.1:860,1\0"
                                 "TargetAddress=[2001:db8::1]:3260,1\0"
                                 "TargetAddress=[2001:db8::2]:3260,2\0";
    assert_int_equal(pdu.length, sizeof answer - 1);
    assert_memory_equal(pdu.data, answer, sizeof answer - 1);
}

static void stop(void **state)
{
    (void)state;
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, TEST_HOST, 2);
    test_host_read(&t, 1, 0, 1);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    test_host_step(&t, &(struct event){.kind = EVENT_STOP});
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_ASYNC);
    assert_int_equal(pdu.async.event, ISCSI_ASYNC_LOGOUT);
    test_host_expect(&t, 2, ISCSI_ASYNC);
    struct iscsi_logout_request logout = {.opcode = ISCSI_LOGOUT_REQUEST | ISCSI_IMMEDIATE,
                                          .reason = ISCSI_FINAL | ISCSI_LOGOUT_CONNECTION,
                                          .cid = be16_of(7)};
    test_host_send(&t, 1, &logout, NULL, 0);
    test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
    assert_true(t.stream[1].closed);
    uint32_t losses = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        losses += t.command[i].command.kind == COMMAND_NEXUS_LOSS;
    assert_int_equal(losses, 1);
    assert_false(t.stopped);
    test_host_wait(&t, MS(1100));
    assert_true(t.stream[2].closed);
    assert_true(t.stopped);
    test_host_open(&t, 3);
    assert_true(t.stream[3].closed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_request),    TEST(three_requests),
        TEST(refusals),       TEST(versions_and_sessions),
        TEST(unended_logins), TEST(too_many),
        TEST(discovery),      TEST(targets_in_pieces),
        TEST(reinstatement),  TEST(return_after_loss),
        TEST(two_paths),      TEST(stop),
        TEST(drained),        TEST(alone),
        TEST(portals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
