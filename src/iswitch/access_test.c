/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "command/directory.h"
#include "iswitch/test_host.h"

#define HOST_B TEST_HOST "-b"

static struct test_host t;
static struct directory d;

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    config.secrets.users = 1;
    memcpy(config.secrets.user[0].name, "anna", 5);
    config.secrets.user[0].length = 12;
    test_host_begin(&t, &config);
    memset(&d, 0, sizeof d);
    d.version = 100;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

static void change(enum directory_verb verb, const char *host, const char *initiator, uint16_t lun,
                   uint8_t group, uint16_t volume)
{
    struct directory_change c = {
        .verb = (uint8_t)verb, .lun = lun, .group = group, .volume = volume};
    snprintf(c.host, sizeof c.host, "%s", host);
    snprintf(c.initiator, sizeof c.initiator, "%s", initiator);
    assert_null(directory_refuses(&d, &c));
    directory_apply(&d, &c);
}

static void set_user(const char *host, const char *user)
{
    struct directory_change c = {.verb = DIRECTORY_HOST_USER};
    snprintf(c.host, sizeof c.host, "%s", host);
    snprintf(c.user, sizeof c.user, "%s", user);
    directory_apply(&d, &c);
}

static void publish(void)
{
    uint32_t length = directory_bytes(&d);
    struct buffer *buffer = buffer_get(t.pool, length);
    directory_encode(&d, buffer->data, length);
    struct message message = {.kind = MESSAGE_DIRECTORY,
                              .from = port_unit(0, 0),
                              .to = port_switch(0),
                              .directory.version = d.version,
                              .payload = slice_of(buffer, 0, length)};
    test_host_message(&t, &message);
    buffer_unref(buffer);
    test_host_wait(&t, MS(1));
}

/* Two hosts: a with volume 3 as LUN 0 and 4 of the other group as LUN 1; b with 4 as LUN 0. */
static void two_hosts(void)
{
    change(DIRECTORY_HOST_CREATE, "a", TEST_HOST, 0, 0, 0);
    change(DIRECTORY_HOST_CREATE, "b", HOST_B, 0, 0, 0);
    change(DIRECTORY_MAP, "a", "", 0, 0, 3);
    change(DIRECTORY_MAP, "a", "", 1, 1, 4);
    change(DIRECTORY_MAP, "b", "", 0, 1, 4);
    test_host_serve(&t);
    publish();
}

static const uint8_t ready[16];

/* The command that the units get for it. */
static const struct test_command *ask(uint32_t stream, uint16_t lun, const uint8_t *cdb)
{
    uint32_t at;
    test_host_command(&t, stream, lun_field(lun), ISCSI_FINAL | ISCSI_COMMAND_READ, cdb, 64, NULL,
                      0);
    assert_true(test_host_kept(&t, COMMAND_SCSI, &at) > 0);
    return &t.command[at];
}

static void each_host_has_its_luns(void **state)
{
    (void)state;
    two_hosts();
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, HOST_B, 1);
    t.keep = true;
    static const struct {
        uint32_t stream;
        uint16_t lun;
        uint8_t group;
        uint16_t volume;
    } cases[] = {
        {1, 0, 0, 3}, {1, 1, 1, 4}, {1, 2, 0, VOLUME_NONE}, {2, 0, 1, 4}, {2, 1, 0, VOLUME_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct test_command *command = ask(cases[i].stream, cases[i].lun, ready);
        assert_int_equal(command->group, cases[i].group);
        assert_int_equal(command->command.volume, cases[i].volume);
        assert_int_equal(command->command.host, cases[i].stream == 1 ? 1 : 2);
        assert_int_equal(command->command.luns, 0);
    }
    /* a reset of what it does not see */
    test_host_task(&t, 2, TASK_LOGICAL_UNIT_RESET, lun_field(1), ISCSI_TAG_NONE);
    struct test_pdu pdu = test_host_expect(&t, 2, ISCSI_TASK_RESPONSE);
    assert_int_equal(pdu.task.response, ISCSI_TASK_NO_LUN);
}

/* A reset of the target is one of the host's own LUNs, in the end of its own sessions. */
static void resets_of_a_host(void **state)
{
    (void)state;
    two_hosts();
    for (uint16_t lun = 2; lun < 12; lun++)
        change(DIRECTORY_MAP, "a", "", lun, 0, (uint16_t)(lun + 10));
    publish();
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, HOST_B, 1);
    t.keep_tasks = true;
    test_host_task(&t, 1, TASK_TARGET_COLD_RESET, 0, ISCSI_TAG_NONE);
    bool reset[GROUP_MAX][32] = {{false}};
    uint32_t at, parts = 0;
    while (test_host_kept(&t, COMMAND_TASK, &at) > 0) {
        const struct test_command *part = &t.command[at];
        assert_int_equal(part->command.task, TASK_LOGICAL_UNIT_RESET);
        assert_true(part->command.volume < 32);
        assert_false(reset[part->group][part->command.volume]);
        reset[part->group][part->command.volume] = true;
        parts++;
        test_host_expect_nothing(&t, 1);
        struct response_message response = {.task_response = ISCSI_TASK_COMPLETE};
        test_host_answer(&t, at, &response, slice_none());
        test_host_wait(&t, 0);
    }
    assert_int_equal(parts, 12);
    assert_true(reset[0][3] && reset[1][4] && reset[0][21]);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_TASK_RESPONSE);
    assert_int_equal(pdu.task.response, ISCSI_TASK_COMPLETE);
    assert_true(t.stream[1].closed);
    assert_false(t.stream[2].closed);
}

static uint16_t log_in(uint32_t stream, const char *name, const char *keys, uint32_t length)
{
    test_host_open(&t, stream);
    test_host_login(&t, stream, name, 1, keys, length);
    struct test_pdu pdu = test_host_expect(&t, stream, ISCSI_LOGIN_RESPONSE);
    return be16_get(pdu.login.status);
}

#define NORMAL "TargetName=" TEST_TARGET "\0"
#define DISCOVERY "SessionType=Discovery\0"
#define TEXT(s) s, sizeof(s) - 1

static void strangers_are_refused(void **state)
{
    (void)state;
    two_hosts();
    assert_int_equal(log_in(1, "iqn.stranger", TEXT(NORMAL)), ISCSI_LOGIN_FORBIDDEN);
    assert_true(t.stream[1].closed);
    assert_int_equal(log_in(2, "iqn.stranger", TEXT(DISCOVERY)), 0);
    assert_int_equal(log_in(3, HOST_B, TEXT(DISCOVERY)), 0);
    for (uint32_t stream = 2; stream <= 3; stream++) {
        struct iscsi_text_request text = {.opcode = ISCSI_TEXT_REQUEST | ISCSI_IMMEDIATE,
                                          .flags = ISCSI_FINAL,
                                          .ttt = be32_of(ISCSI_TAG_NONE)};
        test_host_send(&t, stream, &text, TEXT("SendTargets=All\0"));
        struct test_pdu pdu = test_host_expect(&t, stream, ISCSI_TEXT_RESPONSE);
        assert_int_equal(pdu.length > 0, stream == 3);
    }
    assert_int_equal(log_in(4, "IQN.2024-01.Example:HOST", TEXT(NORMAL)), 0); /* small letters */
}

/* Nobody can say yet who may: not now. */
static void before_the_directory(void **state)
{
    (void)state;
    assert_int_equal(log_in(1, TEST_HOST, TEXT(NORMAL)), ISCSI_LOGIN_UNAVAILABLE);
}

static void chap_of_a_host(void **state)
{
    (void)state;
    two_hosts();
    set_user("a", "anna");
    publish();
    assert_int_equal(log_in(1, TEST_HOST, TEXT(NORMAL)), ISCSI_LOGIN_AUTHENTICATION);
    assert_int_equal(log_in(2, HOST_B, TEXT(NORMAL)), 0);
    set_user("b", "berta"); /* from now on */
    publish();
    assert_true(t.stream[2].closed);
    assert_int_equal(log_in(3, HOST_B, TEXT(NORMAL)), ISCSI_LOGIN_AUTHENTICATION);
}

/* Its session ends with its host; the other one's goes on. */
static void a_host_is_deleted(void **state)
{
    (void)state;
    two_hosts();
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, HOST_B, 1);
    change(DIRECTORY_HOST_DELETE, "b", "", 0, 0, 0);
    publish();
    assert_true(t.stream[2].closed);
    assert_false(t.stream[1].closed);
}

static void answer_sense(const struct test_command *command, uint16_t code, bool descriptor)
{
    struct response_message response = {.status = 2};
    if (descriptor) {
        response.sense[0] = 0x72;
        response.sense[1] = 6;
        be16_put(response.sense + 2, code);
        response.sense_length = 8;
    } else {
        response.sense[0] = 0x70;
        response.sense[2] = 6;
        be16_put(response.sense + 12, code);
        response.sense_length = 18;
    }
    test_host_answer(&t, (uint32_t)(command - t.command), &response, slice_none());
}

static void answer_good(const struct test_command *command)
{
    struct response_message response = {0};
    test_host_answer(&t, (uint32_t)(command - t.command), &response, slice_none());
}

/* Whose list changes, and who has been told, by whatever group. */
static void changes_are_told(void **state)
{
    (void)state;
    two_hosts();
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, HOST_B, 1);
    t.keep = true;
    answer_good(ask(1, 0, ready));
    answer_good(ask(2, 0, ready));
    change(DIRECTORY_MAP, "a", "", 5, 0, 9);
    publish();
    uint64_t version = d.version;
    const struct test_command *command = ask(2, 0, ready); /* nothing of b's has changed */
    assert_int_equal(command->command.luns, 0);
    command = ask(1, 0, ready);
    assert_int_equal(command->command.luns, version);
    answer_sense(command, 0x2903, false); /* something else comes first */
    command = ask(1, 0, ready);
    assert_int_equal(command->command.luns, version);
    answer_sense(command, 0x3F0E, false);
    command = ask(1, 1, ready); /* the other group says nothing */
    assert_int_equal(command->command.luns, 0);
    change(DIRECTORY_UNMAP, "a", "", 5, 0, 0);
    publish();
    command = ask(1, 1, ready);
    assert_int_equal(command->group, 1);
    assert_int_equal(command->command.luns, d.version);
    answer_sense(command, 0x3F0E, true);
    assert_int_equal(ask(1, 0, ready)->command.luns, 0);
    change(DIRECTORY_MAP, "a", "", 6, 0, 9);
    publish();
    static const uint8_t report_luns[16] = {0xA0, [9] = 64};
    command = ask(1, 0, report_luns); /* it looks for itself */
    assert_int_equal(command->command.luns, d.version);
    answer_good(command);
    assert_int_equal(ask(1, 0, ready)->command.luns, 0);
    change(DIRECTORY_UNMAP, "a", "", 6, 0, 0);
    change(DIRECTORY_MAP, "a", "", 6, 0, 9);
    publish(); /* as it was */
    assert_int_equal(ask(1, 0, ready)->command.luns, 0);
}

/* The first host makes everybody's LUNs its own; strangers go. */
static void the_first_host(void **state)
{
    (void)state;
    test_host_serve(&t);
    change(DIRECTORY_MAP, "", "", 0, 0, 3);
    publish();
    test_host_connect(&t, 1, TEST_HOST, 1);
    test_host_connect(&t, 2, HOST_B, 1);
    t.keep = true;
    assert_int_equal(ask(1, 0, ready)->command.volume, 3);
    change(DIRECTORY_HOST_CREATE, "a", TEST_HOST, 0, 0, 0);
    publish();
    assert_true(t.stream[2].closed);
    const struct test_command *command = ask(1, 0, ready);
    assert_int_equal(command->command.volume, VOLUME_NONE);
    assert_int_equal(command->command.luns, d.version);
    change(DIRECTORY_HOST_DELETE, "a", "", 0, 0, 0);
    publish();
    command = ask(1, 0, ready);
    assert_int_equal(command->command.volume, 3);
    assert_int_equal(command->command.host, HOST_ALL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_host_has_its_luns), TEST(resets_of_a_host), TEST(strangers_are_refused),
        TEST(before_the_directory),   TEST(chap_of_a_host),   TEST(a_host_is_deleted),
        TEST(changes_are_told),       TEST(the_first_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
