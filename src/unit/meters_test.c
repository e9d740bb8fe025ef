/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <string.h>

#include "unit/meters.h"

static int cause_of(const char *name)
{
    for (int i = 0; i < METERS_CAUSES; i++)
        if (strcmp(meters_cause_name(i), name) == 0)
            return i;
    return -1;
}

static void take_over(struct meters *m, const char *cause, uint64_t from_ns)
{
    meters_begin(m, from_ns);
    for (int p = 0; p < METERS_PHASES; p++)
        meters_phase(m, meters_phase_name(p), cause, from_ns + 1000000u * (unsigned)(p + 1));
}

static void test_a_takeover_is_counted_with_its_phases(void **state)
{
    (void)state;
    struct meters m = {.last_ns = 0};
    take_over(&m, "link_reset", 5000);
    assert_int_equal(histogram_total(&m.takeover[cause_of("link_reset")]), 1);
    assert_int_equal(m.last_ns, 4000000);
    for (int p = 0; p < METERS_PHASES; p++)
        assert_int_equal(m.phase_ns[p], 1000000);
    take_over(&m, "a new word", 5000);
    assert_int_equal(histogram_total(&m.takeover[0]), 1);
    assert_int_equal(m.phase_ns[METERS_FENCE], 2000000);
}

static void test_what_did_not_begin_is_not_counted(void **state)
{
    (void)state;
    struct meters m = {.last_ns = 0};
    meters_phase(&m, "serve", "planned", 7000);
    meters_begin(&m, 1000);
    meters_phase(&m, "suspect", "planned", 9000);
    assert_int_equal(histogram_total(&m.takeover[cause_of("planned")]), 0);
    assert_int_equal(m.phase_ns[METERS_SERVE], 0);
    take_over(&m, "planned", 1000);
    meters_phase(&m, "serve", "planned", 90000000); /* said twice */
    assert_int_equal(histogram_total(&m.takeover[cause_of("planned")]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_takeover_is_counted_with_its_phases),
        cmocka_unit_test(test_what_did_not_begin_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
