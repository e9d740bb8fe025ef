/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/test_host.h"

static struct test_host t;
static uint8_t block[512];

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_serve(&t);
    t.keep = t.keep_tasks = t.keep_withdrawals = true;
    test_host_connect(&t, 1, TEST_HOST, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

static void expect_task(uint32_t stream, uint32_t itt, uint8_t result)
{
    struct test_pdu pdu = test_host_expect(&t, stream, ISCSI_TASK_RESPONSE);
    assert_int_equal(be32_get(pdu.task.itt), itt);
    assert_int_equal(pdu.task.response, result);
}

static void answer_task(uint32_t command, uint8_t result)
{
    struct response_message response = {.task_response = result};
    test_host_answer(&t, command, &response, slice_none());
    test_host_wait(&t, 0);
}

static const struct response_message aborted = {.status = 0x40};

/* The group has ended it: the host gets no answer to it, whichever answer comes first. Nor if it
 * had read already, but the unit that answers has no data of that. */
static void abort_of_a_running_one(void **state)
{
    (void)state;
    static const struct response_message bare = {.status = 0, .transferred = 512};
    for (int way = 0; way < 4; way++) {
        const struct response_message *end = way < 2 ? &aborted : &bare;
        uint32_t read, task, itt = test_host_read(&t, 1, 7, 1);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &read), 1);
        uint32_t request = test_host_task(&t, 1, TASK_ABORT_TASK, 0, itt);
        assert_int_equal(test_host_kept(&t, COMMAND_TASK, &task), 1);
        assert_int_equal(t.command[task].command.task, TASK_ABORT_TASK);
        assert_true(t.command[task].command.task_sequence == t.command[read].command.id.sequence);
        assert_int_equal(t.command[task].command.volume, 3);
        assert_int_equal(t.command[task].command.nexus, t.command[read].command.nexus);
        if (way % 2 == 0)
            test_host_answer(&t, read, end, slice_none());
        else
            answer_task(task, ISCSI_TASK_COMPLETE);
        test_host_wait(&t, 0);
        test_host_expect_nothing(&t, 1);
        if (way % 2 == 0)
            answer_task(task, ISCSI_TASK_COMPLETE);
        else
            test_host_answer(&t, read, end, slice_none());
        test_host_wait(&t, 0);
        expect_task(1, request, ISCSI_TASK_COMPLETE);
        test_host_expect_nothing(&t, 1);
    }
}

static void refuse_as_stale(uint32_t command)
{
    struct message refuse = {.kind = MESSAGE_REFUSE,
                             .from = port_unit(0, 0),
                             .to = port_switch(0),
                             .refuse = {.id = t.command[command].command.id,
                                        .group = 0,
                                        .reason = REFUSE_STALE,
                                        .epoch = t.command[command].command.epoch}};
    test_host_message(&t, &refuse);
    test_host_wait(&t, 0);
}

/* One that no unit has in its queue would run later, when the host has long been told that it is
 * aborted, and may have written something else there. */
static void abort_of_one_without_an_order(void **state)
{
    (void)state;
    for (int whole_unit = 0; whole_unit < 2; whole_unit++) {
        uint32_t write, task, end;
        uint32_t itt = test_host_write(&t, 1, 7, 1, block, 512, true);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &write), whole_unit + 1);
        refuse_as_stale(write);
        uint32_t request =
            test_host_task(&t, 1, whole_unit ? TASK_LOGICAL_UNIT_RESET : TASK_ABORT_TASK, 0, itt);
        test_host_kept(&t, COMMAND_TASK, &task);
        answer_task(task, ISCSI_TASK_COMPLETE);
        test_host_pong(&t, 1); /* it could be sent again now */
        test_host_wait(&t, MS(50));
        test_host_expect_nothing(&t, 1);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), whole_unit + 1);
        assert_int_equal(test_host_kept(&t, COMMAND_WITHDRAW, &end), 1);
        assert_true(command_id_same(t.command[end].command.id, t.command[write].command.id));
        assert_true(end < task); /* on the way to the same unit */
        test_host_answer(&t, end, NULL, slice_none());
        test_host_wait(&t, 0);
        expect_task(1, request, ISCSI_TASK_COMPLETE);
        test_host_expect_nothing(&t, 1);
    }
}

/* A host that loses patience: each request waits for all that it ends, also by an earlier one. */
static void abort_then_reset(void **state)
{
    (void)state;
    uint32_t read, task, itt = test_host_read(&t, 1, 7, 1);
    test_host_kept(&t, COMMAND_SCSI, &read);
    uint32_t abort = test_host_task(&t, 1, TASK_ABORT_TASK, 0, itt);
    uint32_t reset = test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
    while (test_host_kept(&t, COMMAND_TASK, &task))
        answer_task(task, ISCSI_TASK_COMPLETE);
    test_host_expect_nothing(&t, 1);
    test_host_answer(&t, read, &aborted, slice_none());
    test_host_wait(&t, 0);
    expect_task(1, abort, ISCSI_TASK_COMPLETE);
    expect_task(1, reset, ISCSI_TASK_COMPLETE);
    test_host_expect_nothing(&t, 1);
}

/* It was done before: its own answer comes first, then "task does not exist". */
static void abort_of_one_that_is_done(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        uint32_t read, task, itt = test_host_read(&t, 1, 7, 1);
        test_host_kept(&t, COMMAND_SCSI, &read);
        uint32_t request = test_host_task(&t, 1, TASK_ABORT_TASK, 0, itt);
        test_host_kept(&t, COMMAND_TASK, &task);
        if (way == 0) { /* its answer overtakes that of the abort */
            test_host_answer(&t, read, NULL, slice_none());
            test_host_expect(&t, 1, ISCSI_DATA_IN);
            answer_task(task, ISCSI_TASK_COMPLETE);
        } else {
            answer_task(task, way == 1 ? ISCSI_TASK_UNKNOWN : ISCSI_TASK_COMPLETE);
            test_host_expect_nothing(&t, 1);
            test_host_answer(&t, read, NULL, slice_none());
            test_host_expect(&t, 1, ISCSI_DATA_IN);
        }
        expect_task(1, request, ISCSI_TASK_UNKNOWN);
        test_host_expect_nothing(&t, 1);
    }
}

static void abort_here(void **state)
{
    (void)state;
    uint32_t request = test_host_task(&t, 1, TASK_ABORT_TASK, 0, 0x7777);
    expect_task(1, request, ISCSI_TASK_UNKNOWN);
    uint32_t itt = test_host_write(&t, 1, 0, 2, block, 512, true);
    struct test_pdu r2t = test_host_expect(&t, 1, ISCSI_R2T);
    request = test_host_task(&t, 1, TASK_ABORT_TASK, 0, itt);
    expect_task(1, request, ISCSI_TASK_COMPLETE);
    test_host_data_out(&t, 1, itt, be32_get(r2t.r2t.ttt), 0, 512, true, block, 512);
    test_host_expect_nothing(&t, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 0);
    /* ahead of its turn: it keeps its place, and the next one is not held up */
    t.stream[1].cmd_sn = 102;
    itt = test_host_read(&t, 1, 1, 1);
    uint32_t early = test_host_task(&t, 1, TASK_ABORT_TASK, 0, itt);
    expect_task(1, early, ISCSI_TASK_COMPLETE);
    t.stream[1].cmd_sn = 101;
    test_host_read(&t, 1, 2, 1);
    t.stream[1].cmd_sn = 103;
    test_host_read(&t, 1, 3, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, NULL), 2);
}

static void reset_of_a_unit(void **state)
{
    (void)state;
    uint32_t task, itt = test_host_read(&t, 1, 0, 1);
    uint8_t cdb[16] = {0x12};
    test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0); /* another unit */
    test_host_write(&t, 1, 0, 2, block, 512, true);                     /* waits for data */
    test_host_expect(&t, 1, ISCSI_R2T);
    uint32_t request = test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
    assert_int_equal(test_host_kept(&t, COMMAND_TASK, &task), 1);
    assert_int_equal(t.command[task].command.task, TASK_LOGICAL_UNIT_RESET);
    test_host_read(&t, 1, 9, 1); /* after it: untouched */
    answer_task(task, ISCSI_TASK_COMPLETE);
    test_host_expect_nothing(&t, 1); /* the read before it is not over */
    uint32_t answered = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        if (t.command[i].command.kind == COMMAND_SCSI && !t.command[i].answered) {
            test_host_answer(&t, i, NULL, slice_none());
            answered++;
        }
    assert_int_equal(answered, 3);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(be32_get(pdu.data_in.itt), itt);
    expect_task(1, request, ISCSI_TASK_COMPLETE);
    pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE); /* the other unit */
    assert_int_not_equal(be32_get(pdu.scsi.itt), itt);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    test_host_expect_nothing(&t, 1);
    request = test_host_task(&t, 1, TASK_CLEAR_TASK_SET, 9ull << 48, ISCSI_TAG_NONE);
    expect_task(1, request, ISCSI_TASK_NO_LUN);
}

static void reset_of_the_target(void **state)
{
    (void)state;
    test_host_connect(&t, 2, TEST_HOST "2", 1);
    uint32_t read, task;
    test_host_read(&t, 1, 0, 1);
    test_host_kept(&t, COMMAND_SCSI, &read);
    uint32_t request = test_host_task(&t, 1, TASK_TARGET_WARM_RESET, 0, ISCSI_TAG_NONE);
    assert_int_equal(test_host_kept(&t, COMMAND_TASK, &task), 2); /* both groups */
    answer_task(task, ISCSI_TASK_COMPLETE);
    test_host_expect_nothing(&t, 1);
    assert_int_equal(test_host_kept(&t, COMMAND_TASK, &task), 1);
    answer_task(task, ISCSI_TASK_REJECTED);
    expect_task(1, request, ISCSI_TASK_REJECTED);
    request = test_host_task(&t, 1, TASK_TARGET_COLD_RESET, 0, ISCSI_TAG_NONE);
    while (test_host_kept(&t, COMMAND_TASK, &task))
        answer_task(task, ISCSI_TASK_COMPLETE);
    test_host_expect_nothing(&t, 1);
    test_host_answer(&t, read, &aborted, slice_none());
    test_host_wait(&t, 0);
    expect_task(1, request, ISCSI_TASK_COMPLETE);
    assert_true(t.stream[1].closed && t.stream[2].closed);
}

/* What was withdrawn for a request that its group does not carry out is answered after all. */
static void refused_by_its_group(void **state)
{
    (void)state;
    uint32_t read, task, itt = test_host_read(&t, 1, 7, 1);
    test_host_kept(&t, COMMAND_SCSI, &read);
    uint32_t request = test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
    test_host_kept(&t, COMMAND_TASK, &task);
    answer_task(task, ISCSI_TASK_NO_LUN);
    expect_task(1, request, ISCSI_TASK_NO_LUN);
    struct response_message withdrawn = {.status = 0x40, .withdrawn = true};
    test_host_answer(&t, read, &withdrawn, slice_none());
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, 0x40);
}

static void expect_aborted(uint32_t itt)
{
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
    assert_int_equal(be32_get(pdu.scsi.itt), itt);
    assert_int_equal(pdu.scsi.status, 0x40);
    assert_int_equal(be32_get(pdu.scsi.residual), 1024);
}

/* What is still in the switch when a group is asked waits for the answer, be it for data or for its
 * turn: it ends without one when the group agrees, and is answered when it refuses. */
static void decided_by_the_group(void **state)
{
    (void)state;
    for (int agrees = 0; agrees < 2; agrees++) {
        struct test_stream *s = &t.stream[1];
        uint32_t task, first = s->cmd_sn;
        uint32_t write = test_host_write(&t, 1, 0, 2, block, 512, true);
        struct test_pdu r2t = test_host_expect(&t, 1, ISCSI_R2T);
        s->cmd_sn = first + 2;
        uint32_t early = test_host_read(&t, 1, 1, 2);
        s->cmd_sn = first + 4;
        uint32_t later = test_host_read(&t, 1, 2, 2);
        uint32_t request = test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
        assert_int_equal(test_host_kept(&t, COMMAND_TASK, &task), 1);
        test_host_data_out(&t, 1, write, be32_get(r2t.r2t.ttt), 0, 512, true, block, 512);
        uint8_t other[16] = {0};
        s->cmd_sn = first + 1;
        test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, other, 0, NULL, 0);
        uint32_t kept;
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &kept), 1);
        assert_int_equal(t.command[kept].group, 1);
        test_host_expect_nothing(&t, 1);
        answer_task(task, agrees ? ISCSI_TASK_COMPLETE : ISCSI_TASK_REJECTED);
        if (!agrees) {
            expect_aborted(write);
            expect_aborted(early);
        }
        expect_task(1, request, agrees ? ISCSI_TASK_COMPLETE : ISCSI_TASK_REJECTED);
        test_host_expect_nothing(&t, 1); /* the last one is not due */
        s->cmd_sn = first + 3;
        test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, other, 0, NULL, 0);
        if (!agrees)
            expect_aborted(later);
        test_host_expect_nothing(&t, 1);
        assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &kept), 2);
        while (test_host_kept(&t, COMMAND_SCSI, &kept)) {
            test_host_answer(&t, kept, NULL, slice_none());
            test_host_expect(&t, 1, ISCSI_SCSI_RESPONSE);
        }
        s->cmd_sn = first + 5;
    }
}

/* A write of 1024 bytes whose data has not come, at LUN 5: the other group's. */
static uint32_t held_elsewhere(void)
{
    static const uint8_t write[16] = {0x2A, [8] = 2};
    uint32_t itt = test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL | ISCSI_COMMAND_WRITE, write,
                                     1024, block, 512);
    test_host_expect(&t, 1, ISCSI_R2T);
    return itt;
}

static uint32_t held_here(void)
{
    uint32_t itt = test_host_write(&t, 1, 0, 2, block, 512, true);
    test_host_expect(&t, 1, ISCSI_R2T);
    return itt;
}

/* The part of a reset that this group was given last, not answered. */
static uint32_t part_of(uint8_t group)
{
    for (uint32_t i = t.commands; i-- > 0;)
        if (!t.command[i].answered && t.command[i].command.kind == COMMAND_TASK &&
            t.command[i].group == group)
            return i;
    fail_msg("group %u has been asked nothing", group);
    return 0;
}

/* One group has reset its units, the other one refuses: the host is told that it did not happen, so
 * it waits for each of its commands, and each is answered. */
static void groups_disagree(void **state)
{
    (void)state;
    for (uint8_t refuses = 0; refuses < 2; refuses++) {
        uint32_t one = held_here(), two = held_elsewhere();
        uint32_t reset = test_host_task(&t, 1, TASK_TARGET_WARM_RESET, 0, ISCSI_TAG_NONE);
        answer_task(part_of(0), refuses == 0 ? ISCSI_TASK_REJECTED : ISCSI_TASK_COMPLETE);
        test_host_expect_nothing(&t, 1);
        answer_task(part_of(1), refuses == 1 ? ISCSI_TASK_REJECTED : ISCSI_TASK_COMPLETE);
        expect_aborted(one);
        expect_aborted(two);
        expect_task(1, reset, ISCSI_TASK_REJECTED);
        test_host_expect_nothing(&t, 1);
    }
}

/* Two resets that both cover a command, of which one is refused: it ends once, silently by the one
 * that was carried out first, or with an answer by the one that was refused first. */
static void resets_overlap(void **state)
{
    (void)state;
    for (int refused_first = 0; refused_first < 2; refused_first++) {
        uint32_t one = held_here(), two = held_elsewhere();
        uint32_t unit = test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
        uint32_t unit_part = part_of(0);
        uint32_t target = test_host_task(&t, 1, TASK_TARGET_WARM_RESET, 0, ISCSI_TAG_NONE);
        uint32_t first = part_of(0), second = part_of(1);
        assert_int_not_equal(first, unit_part);
        if (!refused_first) {
            answer_task(unit_part, ISCSI_TASK_COMPLETE);
            expect_task(1, unit, ISCSI_TASK_COMPLETE);
            test_host_expect_nothing(&t, 1);
        }
        answer_task(first, ISCSI_TASK_COMPLETE);
        answer_task(second, ISCSI_TASK_REJECTED);
        if (refused_first)
            expect_aborted(one);
        expect_aborted(two);
        expect_task(1, target, ISCSI_TASK_REJECTED);
        test_host_expect_nothing(&t, 1);
        if (refused_first) {
            answer_task(unit_part, ISCSI_TASK_COMPLETE);
            expect_task(1, unit, ISCSI_TASK_COMPLETE);
        }
        test_host_expect_nothing(&t, 1);
    }
}

/* An abort of what a reset holds already. */
static void abort_of_a_held_one(void **state)
{
    (void)state;
    uint32_t task, write = test_host_write(&t, 1, 0, 2, block, 512, true);
    test_host_expect(&t, 1, ISCSI_R2T);
    uint32_t reset = test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, ISCSI_TAG_NONE);
    uint32_t abort = test_host_task(&t, 1, TASK_ABORT_TASK, 0, write);
    expect_task(1, abort, ISCSI_TASK_COMPLETE);
    assert_int_equal(test_host_kept(&t, COMMAND_TASK, &task), 1);
    answer_task(task, ISCSI_TASK_NO_LUN);
    expect_task(1, reset, ISCSI_TASK_NO_LUN);
    test_host_expect_nothing(&t, 1);
}

static void refused_functions(void **state)
{
    (void)state;
    static const struct {
        uint8_t function, result;
    } cases[] = {
        {TASK_CLEAR_ACA, ISCSI_TASK_UNSUPPORTED},
        {8, ISCSI_TASK_NO_REASSIGN},
        {0, ISCSI_TASK_UNSUPPORTED},
        {99, ISCSI_TASK_UNSUPPORTED},
    };
    for (uint32_t i = 0; i < 4; i++)
        expect_task(1, test_host_task(&t, 1, cases[i].function, 0, 0), cases[i].result);
    uint32_t rejects = 0; /* more at once than there are places */
    for (uint32_t i = 0; i < 40; i++)
        test_host_task(&t, 1, TASK_LOGICAL_UNIT_RESET, 0, 0);
    struct test_pdu pdu;
    while (test_host_next(&t, 1, &pdu)) {
        assert_int_equal(pdu.reject.reason, ISCSI_REJECT_TOO_MANY_IMMEDIATE);
        rejects++;
    }
    assert_true(rejects > 20 && rejects < 40);
}

/* The host goes away with everything under way. */
static void loss_in_the_middle(void **state)
{
    (void)state;
    uint32_t itt = test_host_read(&t, 1, 0, 1);
    test_host_task(&t, 1, TASK_ABORT_TASK, 0, itt);
    test_host_task(&t, 1, TASK_TARGET_WARM_RESET, 0, 0);
    t.stream[1].closed = true;
    test_host_step(&t, &(struct event){.kind = EVENT_STREAM_CLOSED, .stream.stream = 1});
    t.keep = t.keep_tasks = t.keep_withdrawals = false;
    test_host_wait(&t, MS(50));
    test_host_connect(&t, 2, TEST_HOST, 1); /* all of it is over */
}

static void logout_with_commands(void **state)
{
    (void)state;
    t.keep_withdrawals = false;
    test_host_read(&t, 1, 0, 1);
    struct iscsi_logout_request logout = {.opcode = ISCSI_LOGOUT_REQUEST,
                                          .reason = ISCSI_FINAL,
                                          .cmd_sn = be32_of(101),
                                          .itt = be32_of(9)};
    t.keep_nexus = true;
    test_host_send(&t, 1, &logout, NULL, 0);
    uint32_t loss;
    test_host_wait(&t, MS(3));
    test_host_expect_nothing(&t, 1);
    /* pings are still answered */
    struct iscsi_text_request nop = {.opcode = ISCSI_NOP_OUT | ISCSI_IMMEDIATE};
    test_host_send(&t, 1, &nop, NULL, 0);
    test_host_expect(&t, 1, ISCSI_NOP_IN);
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_LOSS, &loss), 1);
    test_host_answer(&t, loss, NULL, slice_none());
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
    assert_int_equal(be32_get(pdu.logout.itt), 9);
    assert_int_equal(pdu.logout.response, ISCSI_LOGOUT_CLOSED);
    assert_true(t.stream[1].closed);
}

static void other_logouts(void **state)
{
    (void)state;
    struct iscsi_logout_request logout = {.opcode = ISCSI_LOGOUT_REQUEST | ISCSI_IMMEDIATE,
                                          .reason = ISCSI_FINAL | ISCSI_LOGOUT_CONNECTION,
                                          .cid = be16_of(8)};
    test_host_send(&t, 1, &logout, NULL, 0);
    struct test_pdu pdu = test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
    assert_int_equal(pdu.logout.response, ISCSI_LOGOUT_NO_CID);
    logout.reason = ISCSI_FINAL | ISCSI_LOGOUT_RECOVERY;
    test_host_send(&t, 1, &logout, NULL, 0);
    pdu = test_host_expect(&t, 1, ISCSI_LOGOUT_RESPONSE);
    assert_int_equal(pdu.logout.response, ISCSI_LOGOUT_NO_RECOVERY);
    logout.reason = ISCSI_FINAL | 9;
    test_host_send(&t, 1, &logout, NULL, 0);
    pdu = test_host_expect(&t, 1, ISCSI_REJECT);
    assert_int_equal(pdu.reject.reason, ISCSI_REJECT_INVALID_FIELD);
}

/* A refused opening or loss is tried again, the loss not for ever. */
static void refused_nexus(void **state)
{
    (void)state;
    t.keep_nexus = true;
    struct response_message no = {.status = 2};
    uint32_t at;
    test_host_read(&t, 1, 0, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_OPEN, &at), 1);
        test_host_answer(&t, at, &no, slice_none());
        test_host_wait(&t, MS(60));
    }
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_OPEN, &at), 1);
    test_host_answer(&t, at, NULL, slice_none());
    test_host_pong(&t, 1); /* the command has waited for long */
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 1);
    test_host_answer(&t, at, NULL, slice_none());
    t.stream[1].closed = true;
    test_host_step(&t, &(struct event){.kind = EVENT_STREAM_CLOSED, .stream.stream = 1});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_LOSS, &at), 1);
        test_host_answer(&t, at, &no, slice_none());
        test_host_wait(&t, MS(60));
    }
    assert_int_equal(test_host_kept(&t, COMMAND_NEXUS_LOSS, &at), 0);
}

/* No group takes its nexus: the host is told to go at last. */
static void no_room_for_a_nexus(void **state)
{
    (void)state;
    t.keep_nexus = true;
    struct response_message busy = {.status = 8};
    uint32_t at;
    uint8_t cdb[16] = {0x12};
    test_host_command(&t, 1, 5ull << 48, ISCSI_FINAL, cdb, 0, NULL, 0);
    for (int i = 0; i < 250 && !t.stream[1].closed; i++) {
        while (test_host_kept(&t, COMMAND_NEXUS_OPEN, &at))
            test_host_answer(&t, at, &busy, slice_none());
        test_host_wait(&t, MS(25));
    }
    assert_true(t.stream[1].closed);
}

static void dead_session(void **state)
{
    (void)state;
    test_host_read(&t, 1, 0, 1);
    struct message view = {.kind = MESSAGE_VIEW,
                           .from = port_unit(0, 0),
                           .to = port_switch(0),
                           .view = {.epoch = 4, .serving = true, .in_sync = 1, .dead_session = 70}};
    test_host_message(&t, &view);
    test_host_wait(&t, MS(1));
    assert_true(t.stream[1].closed);
    struct iswitch_status status;
    iswitch_describe(t.x, &status);
    assert_int_equal(status.sessions, 0);
    test_host_connect(&t, 2, TEST_HOST, 1);
    test_host_read(&t, 2, 0, 1);
    uint32_t at;
    test_host_kept(&t, COMMAND_SCSI, &at);
    assert_true(t.command[at].command.id.session == 71);
    test_host_answer(&t, at, NULL, slice_none());
    test_host_expect(&t, 2, ISCSI_DATA_IN);
}

static uint32_t opened(uint8_t group)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t.commands; i++)
        count += t.command[i].command.kind == COMMAND_NEXUS_OPEN && t.command[i].group == group;
    return count;
}

/* Who leads read the state from the drives, and may not know the nexus: it is opened anew, in that
 * group alone, before the next command. */
static void nexus_after_a_cut(void **state)
{
    (void)state;
    t.keep = false;
    test_host_read(&t, 1, 0, 1);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(opened(0), 1);
    struct message view = {
        .kind = MESSAGE_VIEW,
        .from = port_unit(0, 0),
        .to = port_switch(0),
        .view = {.epoch = 1000, .cut = 1000, .serving = true, .primary = 0, .in_sync = 1}};
    test_host_message(&t, &view);
    test_host_wait(&t, MS(5));
    assert_int_equal(opened(0), 1); /* when it is needed */
    test_host_read(&t, 1, 0, 1);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(opened(0), 2);
    assert_int_equal(t.command[t.commands - 2].command.kind, COMMAND_NEXUS_OPEN);
    uint32_t others = opened(1);
    view.view.epoch++;
    test_host_message(&t, &view); /* the same cut */
    test_host_read(&t, 1, 0, 1);
    test_host_expect(&t, 1, ISCSI_DATA_IN);
    assert_int_equal(opened(0), 2);
    assert_int_equal(opened(1), others);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(abort_of_a_running_one),
        TEST(abort_of_one_without_an_order),
        TEST(abort_then_reset),
        TEST(refused_by_its_group),
        TEST(decided_by_the_group),
        TEST(groups_disagree),
        TEST(resets_overlap),
        TEST(abort_of_a_held_one),
        TEST(abort_of_one_that_is_done),
        TEST(abort_here),
        TEST(reset_of_a_unit),
        TEST(reset_of_the_target),
        TEST(refused_functions),
        TEST(loss_in_the_middle),
        TEST(logout_with_commands),
        TEST(other_logouts),
        TEST(refused_nexus),
        TEST(no_room_for_a_nexus),
        TEST(dead_session),
        TEST(nexus_after_a_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
