/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

/* Hosts that ask for much at once, and those beside them: T6 in task.c. */

static struct test_host t;

enum {
    LARGE_BLOCKS = 2048,
    SMALL_BLOCKS = 8,
    AT_ONCE = 16,
    HOSTS = 5,
    EACH = 4,
    OTHER = HOSTS + 1
};

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    config.payload_bytes = 256 << 20;
    test_host_begin(&t, &config);
    test_host_serve(&t);
    for (uint8_t stream = 1; stream <= OTHER; stream++)
        test_host_connect(&t, stream, TEST_HOST, stream);
    t.keep = true;
    for (uint32_t i = 0; i < HOSTS * EACH; i++)
        test_host_read(&t, 1 + i % HOSTS, 0, LARGE_BLOCKS);
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

/* A group is given few of them at a time, so that what another host asks for is not behind all. */
static void large_ones_leave_room(void **state)
{
    (void)state;
    assert_int_equal(kept(), AT_ONCE);
    test_host_read(&t, OTHER, 0, SMALL_BLOCKS);
    assert_int_equal(kept(), AT_ONCE + 1);
    test_host_read(&t, OTHER, 0, LARGE_BLOCKS);
    assert_int_equal(kept(), AT_ONCE + 1);
    t.keep = false;
    test_host_wait(&t, MS(10));
    for (uint32_t stream = 1; stream <= HOSTS; stream++)
        for (uint32_t i = 0; i < EACH; i++)
            test_host_expect(&t, stream, ISCSI_DATA_IN);
    test_host_expect(&t, OTHER, ISCSI_DATA_IN);
    test_host_expect(&t, OTHER, ISCSI_DATA_IN);
}

/* A host's own small command does not pass by its large ones. */
static void order_of_a_session(void **state)
{
    (void)state;
    test_host_read(&t, HOSTS, 7, SMALL_BLOCKS); /* whose last one waits */
    assert_int_equal(kept(), AT_ONCE);
    test_host_read(&t, 1, 9, SMALL_BLOCKS); /* whose last one went */
    assert_int_equal(kept(), AT_ONCE + 1);
    t.keep = false;
    test_host_wait(&t, MS(10));
    uint32_t small = 0, before = 0, after = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        if (t.command[i].command.kind == COMMAND_SCSI && t.command[i].command.cdb[5] == 7)
            small = i;
    for (uint32_t i = 0; i < t.commands; i++)
        if (t.command[i].command.kind == COMMAND_SCSI &&
            t.command[i].command.nexus == t.command[small].command.nexus)
            *(i < small ? &before : &after) += 1;
    assert_int_equal(before, EACH);
    assert_int_equal(after, 1); /* itself */
}

/* A reset is not held up by what it ends. */
static void a_reset_passes_by(void **state)
{
    (void)state;
    test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
    assert_int_equal(test_host_kept(&t, COMMAND_TASK, NULL), 0); /* answered at once */
    uint32_t tasks = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        tasks += t.command[i].command.kind == COMMAND_TASK;
    assert_int_equal(tasks, 1);
}

/* One group's large ones do not wait for another's. */
static void groups_are_apart(void **state)
{
    (void)state;
    uint8_t cdb[16] = {0x28, 0, 0, 0, 0, 0, 0, LARGE_BLOCKS >> 8, LARGE_BLOCKS & 255};
    uint32_t last = 0;
    test_host_command(&t, OTHER, (uint64_t)5 << 48, ISCSI_COMMAND_READ | 0x80, cdb,
                      LARGE_BLOCKS * 512, NULL, 0);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &last), AT_ONCE + 1);
    assert_int_equal(t.command[last].group, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_ones_leave_room),
        TEST(order_of_a_session),
        TEST(a_reset_passes_by),
        TEST(groups_are_apart),
    };
    return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
