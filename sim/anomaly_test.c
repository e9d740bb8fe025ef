/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "array/layout.h"
#include "sim/story.h"

/* What goes wrong: the first action after `after` whose number is reached; then what came of it. */
struct plan {
    enum anomaly_mode mode;
    uint64_t at, asked;
};

static struct story told;
static jmp_buf failed;

static void fails(const char *sentence)
{
    (void)sentence;
    longjmp(failed, 1);
}

static enum anomaly_mode choose(void *context, const struct anomaly_action *action)
{
    struct plan *plan = context;
    plan->asked = action->number;
    return action->number == plan->at ? plan->mode : ANOMALY_NONE;
}

static void begin(void)
{
    struct site_options options = site_options_default(3);
    options.limits.settle_ns = MS(2000);
    options.cache = CACHE_WRITE_THROUGH;
    story_begin(&told, "anomaly", &options);
}

/* What the story said of the anomaly and after it; false: nothing. */
static char trace[1 << 20];
static void keep_trace(struct story *s)
{
    size_t at = 0;
    bool struck = false;
    for (uint32_t i = 0; i < world_lines(s->world) && at < sizeof trace - 400; i++) {
        struck |= strstr(world_line(s->world, i)->text, "-- anomaly: ") != NULL;
        if (struck)
            at += (size_t)snprintf(trace + at, 400, "%s\n", world_line(s->world, i)->text);
    }
    trace[at] = 0;
}

static void write_some(struct story *s)
{
    for (uint64_t i = 0; i < 6; i++)
        story_write(s, 0, i * 8, 8, (int)i % 2);
    story_run(s, MS(7000)); /* longer than it takes to start a process again, or to fail a drive */
    keep_trace(s);
}

/* Tells it with that anomaly; what was said is in `trace`. The number of actions. */
static uint64_t with(enum anomaly_mode mode, uint64_t at)
{
    struct plan plan = {.mode = mode, .at = at};
    begin();
    story_tell_with_anomaly(&told, write_some, choose, &plan);
    return plan.asked;
}

/* The number of the first action of that kind, by its words. */
static uint64_t first(const char *words)
{
    for (uint64_t at = 1; at < 400; at++) {
        with(ANOMALY_HANG, at);
        if (strstr(trace, words) && strstr(trace, words) < strchr(trace, '\n'))
            return at;
    }
    fail_msg("nobody %s", words);
    return 0;
}

static void test_an_action_that_goes_well_changes_nothing(void **state)
{
    (void)state;
    uint64_t actions = with(ANOMALY_NONE, 0);
    assert_true(actions > 100);
    assert_string_equal(trace, "");
    assert_int_equal(with(ANOMALY_NONE, 0), actions);
}

static void test_the_same_case_is_the_same(void **state)
{
    (void)state;
    static char before[sizeof trace];
    uint64_t actions = with(ANOMALY_CRASH, 40);
    memcpy(before, trace, sizeof trace);
    assert_non_null(strstr(trace, "x crash"));
    assert_int_equal(with(ANOMALY_CRASH, 40), actions);
    assert_string_equal(trace, before);
}

static void test_a_process_dies_and_is_started_again(void **state)
{
    (void)state;
    for (int mode = ANOMALY_CRASH; mode <= ANOMALY_CRASH_BEFORE; mode++) {
        with((enum anomaly_mode)mode, 60);
        char *next = strchr(trace, '\n');
        assert_non_null(strstr(trace, "-- start "));
        assert_true(strstr(trace, "x crash") && strstr(trace, "x crash") > next);
    }
}

static void test_a_drive_that_errs_from_then_on_is_failed(void **state)
{
    (void)state;
    uint64_t at = first("of drive 0");
    with(ANOMALY_ALWAYS, at);
    assert_non_null(strstr(trace, "drive t0/00 is failed"));
    with(ANOMALY_HANG, at); /* of one operation that takes long: it is tried again */
    assert_null(strstr(trace, "drive t0/00 is failed"));
}

static void test_a_frame_is_lost_with_its_link(void **state)
{
    (void)state;
    uint64_t at = first("A1 sends stream to B1");
    with(ANOMALY_ONCE, at);
    assert_true(strstr(trace, "break A <-> B") != NULL);
    with(ANOMALY_HANG_ALWAYS, at);
    assert_true(strstr(trace, "cut A -> B") && strstr(trace, " suspects "));
}

/* Surprises are no failure once something went wrong, and are one before. */
static void surprise(struct story *s)
{
    story_write(s, 0, 0, 8, 0);
    story_assert(s, story_primary(s, "B1"));
    story_until(s, story_primary(s, "B1"), MS(10));
    story_failed(s, __FILE__, __LINE__, "it does not end early");
}

static void test_expectations_are_soft(void **state)
{
    (void)state;
    struct plan plan = {.mode = ANOMALY_ONCE, .at = 1};
    begin();
    story_tell_with_anomaly(&told, surprise, choose, &plan);
    assert_int_equal(told.surprises, 1);
    plan = (struct plan){.mode = ANOMALY_NONE};
    begin();
    if (setjmp(failed) == 0) {
        story_tell_with_anomaly(&told, surprise, choose, &plan);
        fail_msg("the story has not failed");
    }
    site_free(told.site);
}

/* What nobody tells of is noticed: an acknowledged write that vanishes, a mirror that differs. */
static int drives_that_rot;
static void rot(struct story *s)
{
    struct op *w = story_write(s, 0, 0, 8, 0);
    for (int l = 0; l < drives_that_rot; l++) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)disk_bytes(s->world, l * 32);
        memset(bytes + LAYOUT_DATA, 0, w->blocks * BLOCK_BYTES);
    }
    story_assert(s, false);
}

static void test_what_holds_always_is_required(void **state)
{
    (void)state;
    for (drives_that_rot = 1; drives_that_rot <= 2; drives_that_rot++) {
        struct plan plan = {.mode = ANOMALY_HANG, .at = 1};
        begin();
        if (setjmp(failed) == 0) {
            story_tell_with_anomaly(&told, rot, choose, &plan);
            fail_msg("%d drives lost a write, and nobody noticed", drives_that_rot);
        }
        site_free(told.site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_action_that_goes_well_changes_nothing),
        cmocka_unit_test(test_the_same_case_is_the_same),
        cmocka_unit_test(test_a_process_dies_and_is_started_again),
        cmocka_unit_test(test_a_drive_that_errs_from_then_on_is_failed),
        cmocka_unit_test(test_a_frame_is_lost_with_its_link),
        cmocka_unit_test(test_expectations_are_soft),
        cmocka_unit_test(test_what_holds_always_is_required),
    };
    story_on_failure(fails);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
