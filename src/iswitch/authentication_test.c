/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"
#include "wire/chap.h"

#define SECRET "fourteen bytes"
#define OTHER_SECRET "another secret"
#define ARRAY_SECRET "the array's own"
#define TARGET "TargetName=" TEST_TARGET "\0"

static struct test_host t;

static void put_secret(struct secret *secret, const char *name, const char *text)
{
    snprintf(secret->name, sizeof secret->name, "%s", name);
    secret->length = (uint8_t)strlen(text);
    memcpy(secret->bytes, text, secret->length);
}

static void begin(bool required)
{
    struct iswitch_config config = test_host_config();
    config.secrets.required = required;
    config.secrets.users = 2;
    put_secret(&config.secrets.user[0], "anna", SECRET);
    put_secret(&config.secrets.user[1], "berta", OTHER_SECRET);
    put_secret(&config.secrets.target, "array", ARRAY_SECRET);
    test_host_begin(&t, &config);
    test_host_serve(&t);
}

static int set_up(void **state)
{
    (void)state;
    begin(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

/* The value of a key in a login response, or NULL. */
static const char *value_of(const struct test_pdu *pdu, const char *key)
{
    size_t length = strlen(key);
    for (uint32_t at = 0; at + length < pdu->length; at++)
        if ((at == 0 || pdu->data[at - 1] == 0) && memcmp(pdu->data + at, key, length) == 0 &&
            pdu->data[at + length] == '=')
            return (const char *)pdu->data + at + length + 1;
    return NULL;
}

static void keep_challenge(const struct test_pdu *pdu, char *out, size_t bytes)
{
    const char *given = value_of(pdu, "CHAP_C");
    assert_non_null(given);
    snprintf(out, bytes, "%s", given ? given : "");
}

/* A text of lines, each of which ends with '\n' instead of a zero byte. */
static struct test_pdu say(uint32_t stream, uint8_t flags, const char *lines)
{
    char text[4096];
    uint32_t length = (uint32_t)snprintf(text, sizeof text, "%s", lines);
    for (uint32_t i = 0; i < length; i++)
        if (text[i] == '\n')
            text[i] = 0;
    test_host_login_request(&t, stream, flags, 1, text, length);
    return test_host_expect(&t, stream, ISCSI_LOGIN_RESPONSE);
}

static uint16_t status_of(const struct test_pdu *pdu)
{
    return be16_get(pdu->login.status);
}

#define NAMES "InitiatorName=" TEST_HOST "\nTargetName=" TEST_TARGET "\n"

/* Up to the target's challenge. */
static struct test_pdu ask(uint32_t stream, const char *names, const char *algorithms)
{
    char text[600];
    test_host_open(&t, stream);
    snprintf(text, sizeof text, "%sAuthMethod=CHAP,None\n", names);
    struct test_pdu pdu = say(stream, 0x81, text);
    assert_int_equal(status_of(&pdu), 0);
    assert_int_equal(pdu.login.flags, 0x00); /* no transit yet, though it was wished */
    assert_string_equal(value_of(&pdu, "AuthMethod"), "CHAP");
    snprintf(text, sizeof text, "CHAP_A=%s\n", algorithms);
    return say(stream, 0x00, text);
}

/* The line of the answer to that challenge, or to one of ours. */
static void put_answer(char *out, size_t bytes, const char *algorithm, const char *identifier,
                       const char *challenge, const char *name, const char *secret)
{
    uint8_t raw[64], response[CHAP_RESPONSE_MAX];
    char text[3 + 2 * CHAP_RESPONSE_MAX];
    uint32_t id, number;
    sscanf(algorithm, "%u", &number);
    sscanf(identifier, "%u", &id);
    int length = chap_decode(challenge, raw, sizeof raw);
    assert_true(length > 0);
    assert_true(chap_response((enum chap_algorithm)number, (uint8_t)id, (const uint8_t *)secret,
                              (uint32_t)strlen(secret), raw, (uint32_t)length, response));
    chap_encode(response, chap_length(number), text);
    snprintf(out, bytes, "CHAP_N=%s\nCHAP_R=%s\n", name, text);
}

/* The answer that this user would give to the challenge. */
static void answer(const struct test_pdu *pdu, char *out, size_t bytes, const char *name,
                   const char *secret)
{
    put_answer(out, bytes, value_of(pdu, "CHAP_A"), value_of(pdu, "CHAP_I"),
               value_of(pdu, "CHAP_C"), name, secret);
}

static void one_way(void **state)
{
    (void)state;
    static const struct {
        const char *offered, *chosen;
    } cases[] = {{"5", "5"}, {"6", "6"}, {"7", "7"}, {"8", "8"}, {"99,8,7,6,5", "8"}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[300];
        struct test_pdu pdu = ask(i + 1, NAMES, cases[i].offered);
        assert_int_equal(status_of(&pdu), 0);
        assert_string_equal(value_of(&pdu, "CHAP_A"), cases[i].chosen);
        answer(&pdu, text, sizeof text, "anna", SECRET);
        pdu = say(i + 1, 0x83, text); /* RFC 7143 11.12.3: on to full feature at once */
        assert_int_equal(status_of(&pdu), 0);
        assert_int_equal(pdu.login.flags, 0x83);
        assert_null(value_of(&pdu, "CHAP_N"));
    }
}

/* Security, operational, full feature; the initiator has us prove ourselves. */
static void mutual(void **state)
{
    (void)state;
    char text[600], right[200];
    struct test_pdu pdu = ask(1, NAMES, "7");
    answer(&pdu, text, sizeof text, "berta", OTHER_SECRET);
    strcat(text, "CHAP_I=200\nCHAP_C=0bc29tZSBjaGFsbGVuZ2U=\n"); /* "some challenge" */
    pdu = say(1, 0x81, text);
    assert_int_equal(status_of(&pdu), 0);
    assert_int_equal(pdu.login.flags, 0x81);
    put_answer(right, sizeof right, "7", "200", "0bc29tZSBjaGFsbGVuZ2U=", "array", ARRAY_SECRET);
    snprintf(text, sizeof text, "CHAP_N=%s\nCHAP_R=%s\n", value_of(&pdu, "CHAP_N"),
             value_of(&pdu, "CHAP_R"));
    assert_string_equal(text, right);
    pdu = say(1, 0x87, "HeaderDigest=None\n");
    assert_int_equal(status_of(&pdu), 0);
    assert_int_equal(pdu.login.flags, 0x87);
}

/* Wrong answers: each ends the connection. */
static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *name, *secret, *more;
        uint16_t status;
    } cases[] = {
        {"anna", "a wrong secret", "", ISCSI_LOGIN_AUTHENTICATION},
        {"anna", OTHER_SECRET, "", ISCSI_LOGIN_AUTHENTICATION},
        {"array", ARRAY_SECRET, "", ISCSI_LOGIN_AUTHENTICATION}, /* ours is nobody's */
        {"", SECRET, "", ISCSI_LOGIN_AUTHENTICATION},
        {"anna", SECRET, "CHAP_I=1\n", ISCSI_LOGIN_INITIATOR_ERROR},
        {"anna", SECRET, "CHAP_C=0x01\n", ISCSI_LOGIN_INITIATOR_ERROR},
        {"anna", SECRET, "CHAP_I=256\nCHAP_C=0x01\n", ISCSI_LOGIN_INITIATOR_ERROR},
        {"anna", SECRET, "CHAP_I=1\nCHAP_C=0x\n", ISCSI_LOGIN_INITIATOR_ERROR},
        {"anna", SECRET, "CHAP_A=5\n", ISCSI_LOGIN_INITIATOR_ERROR},
        {"anna", SECRET, "CHAP_N=anna\n", ISCSI_LOGIN_INITIATOR_ERROR},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[600];
        t.stream[1] =
            (struct test_stream){.received = t.stream[1].received, .pending = t.stream[1].pending};
        struct test_pdu pdu = ask(1, NAMES, "5");
        answer(&pdu, text, sizeof text, cases[i].name, cases[i].secret);
        strcat(text, cases[i].more);
        pdu = say(1, 0x83, text);
        assert_int_equal(status_of(&pdu), cases[i].status);
        assert_true(t.stream[1].closed);
    }
}

/* Ways around it. */
static void detours(void **state)
{
    (void)state;
    test_host_open(&t, 1); /* no security stage */
    struct test_pdu pdu = say(1, 0x87, NAMES);
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    test_host_open(&t, 2); /* one without a method */
    pdu = say(2, 0x81, NAMES);
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    test_host_open(&t, 3);
    pdu = say(3, 0x81, NAMES "AuthMethod=None\n");
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    pdu = ask(4, NAMES, "5"); /* on without an answer: the target does not follow */
    pdu = say(4, 0x83, "");
    assert_int_equal(status_of(&pdu), 0);
    assert_int_equal(pdu.login.flags, 0x00);
    pdu = say(4, 0x00, "");
    assert_int_equal(pdu.login.flags, 0x00);
    pdu = say(4, 0x83, "AuthMethod=None\n"); /* again from the beginning */
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_INITIATOR_ERROR);
    test_host_open(&t, 5);
    pdu = say(5, 0x81, "InitiatorName=" TEST_HOST "\nSessionType=Discovery\nAuthMethod=None\n");
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    pdu = ask(6, NAMES, "1,2"); /* no algorithm in common */
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    t.no_chance = true;
    test_host_open(&t, 7);
    say(7, 0x01, NAMES "AuthMethod=CHAP\n");
    pdu = say(7, 0x01, "CHAP_A=5\n");
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_TARGET_ERROR);
    assert_true(t.stream[7].closed);
}

/* He sends us our own challenge, of this connection or of another, to have it answered. */
static void reflection(void **state)
{
    (void)state;
    char text[600], challenge[100];
    struct test_pdu pdu = ask(1, NAMES, "5");
    keep_challenge(&pdu, challenge, sizeof challenge);
    pdu = ask(2, "InitiatorName=iqn.x:2\nTargetName=" TEST_TARGET "\n", "5");
    answer(&pdu, text, sizeof text, "anna", SECRET);
    snprintf(text + strlen(text), sizeof text - strlen(text), "CHAP_I=3\nCHAP_C=%s\n", challenge);
    pdu = say(2, 0x83, text);
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    assert_null(value_of(&pdu, "CHAP_R"));
    assert_true(t.stream[2].closed);
    pdu = ask(3, "InitiatorName=iqn.x:3\nTargetName=" TEST_TARGET "\n", "5");
    keep_challenge(&pdu, challenge, sizeof challenge);
    answer(&pdu, text, sizeof text, "anna", SECRET);
    snprintf(text + strlen(text), sizeof text - strlen(text), "CHAP_I=3\nCHAP_C=%s\n", challenge);
    pdu = say(3, 0x83, text);
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
}

/* Where it is not required, each may; what the initiator likes better is done. */
static void optional(void **state)
{
    tear_down(state);
    begin(false);
    test_host_open(&t, 1);
    struct test_pdu pdu = say(1, 0x81, NAMES "AuthMethod=None,CHAP\n");
    assert_string_equal(value_of(&pdu, "AuthMethod"), "None");
    assert_int_equal(pdu.login.flags, 0x81);
    test_host_open(&t, 2);
    pdu = say(2, 0x87, "InitiatorName=iqn.x:2\nTargetName=" TEST_TARGET "\n");
    assert_int_equal(status_of(&pdu), 0);
    char text[600];
    pdu = ask(3, "InitiatorName=iqn.x:3\nTargetName=" TEST_TARGET "\n", "8");
    answer(&pdu, text, sizeof text, "anna", "a wrong secret");
    pdu = say(3, 0x83, text); /* who begins with it has to end with it */
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
    test_host_open(&t, 4);
    pdu = say(4, 0x81, NAMES "AuthMethod=KRB5,SRP\n");
    assert_int_equal(status_of(&pdu), ISCSI_LOGIN_AUTHENTICATION);
}

static uint16_t login_as(uint32_t stream, const char *initiator, const char *secret)
{
    char text[300], names[300];
    snprintf(names, sizeof names, "InitiatorName=%s\nTargetName=" TEST_TARGET "\n", initiator);
    struct test_pdu pdu = ask(stream, names, "7");
    answer(&pdu, text, sizeof text, "anna", secret);
    pdu = say(stream, 0x83, text);
    return status_of(&pdu);
}

/* New secrets count for logins from then on; who is logged in stays. */
static void new_secrets(void **state)
{
    (void)state;
    assert_int_equal(login_as(1, "iqn.x:1", SECRET), 0);
    struct secrets secrets = t.config.secrets;
    put_secret(&secrets.user[0], "anna", "a secret of today");
    iswitch_set_secrets(t.x, &secrets);
    test_host_directory(&t, 2); /* every session is looked at again */
    assert_false(t.stream[1].closed);
    assert_int_equal(login_as(2, "iqn.x:2", SECRET), ISCSI_LOGIN_AUTHENTICATION);
    assert_int_equal(login_as(3, "iqn.x:3", "a secret of today"), 0);
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE};
    test_host_send(&t, 1, &nop, NULL, 0);
    test_host_expect(&t, 1, ISCSI_NOP_IN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_way),    TEST(mutual),   TEST(refusals),    TEST(detours),
        TEST(reflection), TEST(optional), TEST(new_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
