/* SPDX-License-Identifier: Apache-2.0 */
#include "loopswitch/bench.h"

static void test_fence_is_durable_before_its_answer(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 77);
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    const struct action *action = bench_done(&b, ACTION_STORE, 0);
    assert_non_null(action);
    struct event stored = {.kind = EVENT_STORED, .stored = {.tag = action->store.tag, .ok = true}};
    /* refused by at once; those it allows are told to wait */
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)->drive.epoch, 2);
    assert_int_equal(bench_ask_read(&b, A, 0, 9, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_ask_read(&b, B, 0, 2, NULL), DRIVE_BUSY);
    bench_wait_ns(&b, MS(5000));
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    bench_step(&b, stored);
    bench_expect_fence_answer(&b, B, FENCE_DONE, 77);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.undrained, 0);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.held_epoch, 2);
    assert_non_null(bench_done(&b, ACTION_EVENT, 0));
    assert_int_equal(bench_ask_read(&b, B, 0, 2, NULL), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_REFUSED_EPOCH);
    /* the same again is answered again; an older one never */
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 78);
    assert_null(bench_done(&b, ACTION_STORE, 0));
    bench_expect_fence_answer(&b, B, FENCE_DONE, 78);
    bench_ask_fence(&b, A, 1, bench_allowed_of(&b, true, true), 79);
    bench_expect_fence_answer(&b, A, FENCE_OLD, 79);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, A)->fence.held_epoch, 2);
    bench_end(&b);
}

static void test_drain(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t of_a = 0, of_b = 0;
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &of_a), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, B, 2, 1, &of_b), DRIVE_OK); /* allowed, of an older epoch */
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 2);
    bench_store(&b, true);
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    assert_int_equal(bench_ask_read(&b, B, 0, 2, NULL), DRIVE_BUSY);
    bench_complete_read(&b, of_a);
    assert_non_null(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)); /* it did happen */
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    bench_complete_read(&b, of_b);
    bench_expect_fence_answer(&b, B, FENCE_DONE, 2);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.undrained, 0);
    bench_end(&b);
}

static void test_undrained_drive(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t stuck = 0;
    assert_int_equal(bench_ask_read(&b, A, 2, 1, &stuck), DRIVE_OK);
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 2);
    bench_store(&b, true);
    assert_true(loopswitch_wake_ns(b.x) <= b.now_ns + MS(1000));
    bench_wait_ns(&b, MS(999));
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    bench_wait_ns(&b, MS(1));
    bench_expect_fence_answer(&b, B, FENCE_DONE, 2);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.undrained, 1u << 2);
    assert_int_equal(bench_ask_read(&b, B, 2, 2, NULL), DRIVE_GONE);
    assert_int_equal(bench_ask_read(&b, B, 0, 2, NULL), DRIVE_OK);
    /* a later fence names it at once */
    bench_ask_fence(&b, B, 3, bench_allowed_of(&b, false, true), 3);
    bench_store(&b, true);
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B)); /* B's own read of epoch 2 is under way */
    bench_wait_ns(&b, MS(1000));
    bench_expect_fence_answer(&b, B, FENCE_DONE, 3);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.undrained, 1u << 2 | 1u << 0);
    struct loopswitch_drive_status status;
    assert_true(loopswitch_drive(b.x, 1, &status));
    assert_false(status.online);
    bench_complete_read(&b, stuck);
    assert_true(loopswitch_drive(b.x, 1, &status));
    assert_true(status.online);
    assert_int_equal(bench_ask_read(&b, B, 2, 3, NULL), DRIVE_OK);
    bench_end(&b);
}

/* Fence after fence gives what does not end no more time. */
static void test_drain_limit_is_not_begun_anew(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t stuck = 0, later = 0;
    assert_int_equal(bench_ask_read(&b, A, 2, 1, &stuck), DRIVE_OK);
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, true, true), 2);
    bench_store(&b, true);
    bench_wait_ns(&b, MS(600));
    bench_ask_fence(&b, B, 3, bench_allowed_of(&b, false, true), 3);
    bench_store(&b, true);
    bench_wait_ns(&b, MS(399));
    assert_int_equal(bench_ask_read(&b, B, 0, 3, NULL), DRIVE_BUSY);
    bench_wait_ns(&b, MS(1));
    bench_expect_fence_answer(&b, B, FENCE_DONE, 3);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.undrained, 1u << 2);
    /* what a later fence is the first to wait for has its whole time */
    assert_int_equal(bench_ask_read(&b, B, 0, 3, &later), DRIVE_OK);
    bench_ask_fence(&b, B, 4, bench_allowed_of(&b, false, true), 4);
    bench_store(&b, true);
    bench_wait_ns(&b, MS(999));
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    bench_complete_read(&b, later);
    bench_expect_fence_answer(&b, B, FENCE_DONE, 4);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, B)->fence.undrained, 1u << 2);
    bench_end(&b);
}

/* A drive command that was sent before the fence and arrives after it. */
static void test_late_drive_command(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    struct buffer *buffer = buffer_get(b.pool, 4096);
    struct drive_message late = bench_read_of(&b, A, 0, 1);
    late.op = DRIVE_WRITE;
    bench_fence(&b, B, 2, bench_allowed_of(&b, true, true)); /* A may work, but not in epoch 1 */
    assert_int_equal(bench_ask(&b, A, late, slice_of(buffer, 0, 4096), NULL), DRIVE_REFUSED_EPOCH);
    late.epoch = 2;
    assert_int_equal(bench_ask(&b, A, late, slice_of(buffer, 0, 4096), NULL), DRIVE_OK);
    /* a new incarnation of A is another unit */
    b.incarnation[A]++;
    bench_link_down(&b, A);
    bench_drop_actions(&b);
    buffer_unref(buffer);
    loopswitch_free(b.x);
    b.config.stored_length = b.stored_length;
    memcpy(b.config.stored, b.stored, b.stored_length);
    bench_boot(&b);
    bench_log_in(&b, A);
    assert_int_equal(bench_ask_read(&b, A, 0, 2, NULL), DRIVE_REFUSED_EPOCH);
    bench_end(&b);
}

static void test_restart_keeps_fence_and_banks(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    bench_fence(&b, B, 5, bench_allowed_of(&b, false, true));
    loopswitch_free(b.x);
    b.config.incarnation++;
    b.config.stored_length = b.stored_length;
    memcpy(b.config.stored, b.stored, b.stored_length);
    b.config.drive[2].slot = 9; /* another drive now; slot 2 stays */
    bench_boot(&b);
    struct loopswitch_bank_status bank;
    loopswitch_bank(b.x, 0, &bank);
    assert_int_equal(bank.epoch, 5);
    assert_int_equal(bank.allowed.count, 1);
    struct loopswitch_drive_status drive;
    assert_true(loopswitch_drive(b.x, 1, &drive));
    assert_int_equal(drive.bank, 0);
    assert_true(loopswitch_drive(b.x, 2, &drive));
    assert_int_equal(drive.bank, BANK_NONE);
    bench_log_in(&b, A);
    bench_log_in(&b, B);
    assert_int_equal(bench_ask_read(&b, A, 0, 5, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_ask_read(&b, B, 0, 4, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_ask_read(&b, B, 0, 5, NULL), DRIVE_OK);
    bench_ask_fence(&b, A, 4, bench_allowed_of(&b, true, true), 1);
    bench_expect_fence_answer(&b, A, FENCE_OLD, 1);
    bench_end(&b);
}

static void test_damaged_state(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    struct loopswitch_config config = b.config;
    for (uint32_t length = 1; length <= b.stored_length; length++)
        for (uint32_t i = 0; i < length; i += length == b.stored_length ? 1 : length) {
            memcpy(config.stored, b.stored, b.stored_length);
            config.stored_length = length;
            config.stored[i] ^= 0x10;
            assert_null(loopswitch_new(&config, &b.trace));
        }
    config.stored_length = 513;
    assert_null(loopswitch_new(&config, &b.trace));
    bench_end(&b);
}

static void test_failed_store(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 2);
    bench_store(&b, false);
    bench_expect_fence_answer(&b, B, FENCE_FAILED, 2);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_ask_read(&b, B, 0, 2, NULL), DRIVE_REFUSED_EPOCH);
    assert_false(bench_ask_assign(&b, B, 4, 2));
    assert_non_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, B));
    bench_fence(&b, B, 2, bench_allowed_of(&b, false, true)); /* once more, and it is stored */
    assert_int_equal(bench_ask_read(&b, B, 0, 2, NULL), DRIVE_OK);
    /* an assignment that cannot be stored does not count */
    assert_false(bench_ask_assign(&b, B, 4, 2));
    bench_store(&b, false);
    assert_false(bench_said(&b, MESSAGE_ASSIGN_ANSWER, B)->assign.done);
    assert_int_equal(bench_ask_read(&b, B, 4, 2, NULL), DRIVE_GONE);
    bench_assign(&b, B, 4, 2);
    assert_int_equal(bench_ask_read(&b, B, 4, 2, NULL), DRIVE_OK);
    bench_end(&b);
}

static void test_overlapping_fences(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    bench_ask_fence(&b, A, 2, bench_allowed_of(&b, true, false), 2);
    const struct action *action = bench_done(&b, ACTION_STORE, 0);
    uint64_t tag = action->store.tag;
    bench_ask_fence(&b, B, 3, bench_allowed_of(&b, false, true), 3);
    bench_expect_fence_answer(&b, A, FENCE_OLD, 2);
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, A)->fence.held_epoch, 3);
    assert_null(bench_done(&b, ACTION_STORE, 0)); /* one at a time */
    bench_step(&b, (struct event){.kind = EVENT_STORED, .stored = {.tag = tag, .ok = true}});
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B)); /* that was epoch 2 */
    assert_int_equal(bench_ask_read(&b, B, 0, 3, NULL), DRIVE_BUSY);
    bench_step(&b, (struct event){.kind = EVENT_STORED, .stored = {.tag = tag, .ok = true}});
    assert_int_equal(b.actions->count, 0); /* an answer to nothing */
    bench_ask_fence(&b, B, 3, bench_allowed_of(&b, false, true), 33);
    bench_ask_fence(&b, A, 2, bench_allowed_of(&b, true, false), 4);
    bench_expect_fence_answer(&b, A, FENCE_OLD, 4);
    bench_step(&b, (struct event){.kind = EVENT_STORED, .stored = {.tag = tag + 1, .ok = true}});
    bench_expect_fence_answer(&b, B, FENCE_DONE, 33);
    bench_end(&b);
}

/* The asker's link breaks: the fence comes up all the same, and is answered when asked again. */
static void test_fence_whose_asker_left(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 2);
    const struct action *action = bench_done(&b, ACTION_STORE, 0);
    struct event stored = {.kind = EVENT_STORED, .stored = {.tag = action->store.tag, .ok = true}};
    bench_link_down(&b, B);
    bench_step(&b, stored);
    assert_null(bench_said(&b, MESSAGE_FENCE_ANSWER, B));
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_REFUSED_EPOCH);
    bench_log_in(&b, B);
    bench_ask_fence(&b, B, 2, bench_allowed_of(&b, false, true), 3);
    bench_expect_fence_answer(&b, B, FENCE_DONE, 3);
    bench_end(&b);
}

static void test_senseless_fences(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    struct members set = bench_allowed_of(&b, true, true);
    bench_ask_fence(&b, A, 0, set, 1);
    bench_expect_fence_answer(&b, A, FENCE_FAILED, 1);
    bench_ask_fence(&b, A, 9, bench_allowed_of(&b, false, true), 2); /* shuts its asker out */
    bench_expect_fence_answer(&b, A, FENCE_FAILED, 2);
    set.at[1].module = 200;
    bench_ask_fence(&b, A, 9, set, 3);
    bench_expect_fence_answer(&b, A, FENCE_FAILED, 3);
    set.count = 255;
    bench_ask_fence(&b, A, 9, set, 4);
    bench_expect_fence_answer(&b, A, FENCE_FAILED, 4);
    set = bench_allowed_of(&b, true, true);
    struct message m = {.kind = MESSAGE_FENCE, .fence = {.bank = 1, .epoch = 9, .allowed = set}};
    bench_hear(&b, A, m); /* another group's bank */
    assert_int_equal(bench_said(&b, MESSAGE_FENCE_ANSWER, A)->fence.result, FENCE_FAILED);
    m.fence.bank = 99;
    bench_hear(&b, A, m);
    m.from = port_switch(0);
    bench_hear(&b, A, m);
    m.from = port_unit(9, 0);
    bench_hear(&b, A, m);
    m.from = port_unit(0, 7);
    bench_hear(&b, A, m);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_OK);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fence_is_durable_before_its_answer),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_undrained_drive),
        cmocka_unit_test(test_drain_limit_is_not_begun_anew),
        cmocka_unit_test(test_late_drive_command),
        cmocka_unit_test(test_restart_keeps_fence_and_banks),
        cmocka_unit_test(test_damaged_state),
        cmocka_unit_test(test_failed_store),
        cmocka_unit_test(test_overlapping_fences),
        cmocka_unit_test(test_fence_whose_asker_left),
        cmocka_unit_test(test_senseless_fences),
    };
    return cmocka_run_group_tests_name("loopswitch fence", tests, NULL, NULL);
}
