/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "base/histogram.h"

static void test_each_time_has_its_bucket(void **state)
{
    (void)state;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        struct histogram h = {.sum_ns = 0};
        uint64_t bound = histogram_bound_ns(i);
        histogram_add(&h, bound);
        assert_int_equal(h.count[i], 1);
        histogram_add(&h, bound + 1); /* longer than it: the next */
        assert_int_equal(h.count[i + 1], 1);
        assert_int_equal(histogram_total(&h), 2);
        assert_int_equal(h.sum_ns, 2 * bound + 1);
    }
}

static void test_the_ends(void **state)
{
    (void)state;
    struct histogram h = {.sum_ns = 0};
    histogram_add(&h, 0);
    histogram_add(&h, 1);
    assert_int_equal(h.count[0], 2);
    histogram_add(&h, UINT64_C(1) << 62);
    assert_int_equal(h.count[HISTOGRAM_BUCKETS], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_time_has_its_bucket),
        cmocka_unit_test(test_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
