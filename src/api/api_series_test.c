/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "manage/status_json.h"

/* One switch with one volume, which has read `fast` times in bucket 0 and `slow` times in
 * bucket 10. */
static json_t *answers_of(int fast, int slow, int bytes)
{
    json_t *counts = json_array();
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        json_array_append_new(counts, json_integer(i == 0 ? fast : i == 10 ? slow : 0));
    return json_pack("[{s:[{s:s, s:[{s:i, s:i, s:{s:{s:o}}}]}]}, {}]", "switches", "name", "IS1",
                     "volumes", "read_bytes", bytes, "written_bytes", 0, "took", "read", "counts",
                     counts);
}

static const json_t *take(struct series *series, int fast, int slow, int bytes, double now)
{
    json_t *answers = answers_of(fast, slow, bytes);
    const json_t *second = series_take(series, answers, "2026-11-22T14:00:00Z", now);
    json_decref(answers);
    return second;
}

static double real_of(const json_t *second, const char *key)
{
    return json_number_value(json_object_get(second, key));
}

static void counts_become_rates(void **state)
{
    (void)state;
    struct series *series = series_new();
    assert_null(take(series, 1000, 5, 4096, 10.0));
    const json_t *second = take(series, 1198, 7, 4096 + 8192, 12.0);
    assert_non_null(second);
    assert_true(real_of(second, "reads") == 100.0);
    assert_true(real_of(second, "writes") == 0.0);
    assert_true(real_of(second, "read_bytes") == 4096.0);
    assert_true(real_of(second, "p50_ms") == (double)histogram_bound_ns(0) / 1e6);
    assert_true(real_of(second, "p99_ms") == (double)histogram_bound_ns(0) / 1e6);
    assert_true(real_of(second, "longest_ms") == (double)histogram_bound_ns(10) / 1e6);
    series_free(series);
}

static void without_commands_there_is_no_latency(void **state)
{
    (void)state;
    struct series *series = series_new();
    take(series, 1, 1, 0, 1.0);
    const json_t *second = take(series, 1, 1, 0, 2.0);
    assert_true(json_is_null(json_object_get(second, "p50_ms")));
    assert_true(real_of(second, "reads") == 0.0);
    series_free(series);
}

static void a_switch_that_counts_anew_is_no_negative_rate(void **state)
{
    (void)state;
    struct series *series = series_new();
    take(series, 500, 0, 1 << 20, 1.0);
    assert_null(take(series, 3, 0, 100, 2.0));
    assert_non_null(take(series, 4, 0, 200, 3.0));
    assert_null(take(series, 5, 0, 300, 3.0)); /* no time has passed */
    json_t *all = series_all(series);
    assert_int_equal(json_array_size(all), 1);
    json_decref(all);
    series_free(series);
}

static void only_the_last_quarter_of_an_hour_is_kept(void **state)
{
    (void)state;
    struct series *series = series_new();
    for (int i = 0; i < SERIES_SECONDS + 50; i++)
        take(series, i, 0, 0, i);
    json_t *all = series_all(series);
    assert_int_equal(json_array_size(all), SERIES_SECONDS);
    json_decref(all);
    series_free(series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_become_rates),
        cmocka_unit_test(without_commands_there_is_no_latency),
        cmocka_unit_test(a_switch_that_counts_anew_is_no_negative_rate),
        cmocka_unit_test(only_the_last_quarter_of_an_hour_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
