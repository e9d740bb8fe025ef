/* SPDX-License-Identifier: Apache-2.0 */

/* What the load did over time, and its picture. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "programs/drill_plot.h"
#include "programs/drill_series.h"

static const uint64_t MS = 1000000, START = 5000000000;

static void commands_are_counted_where_they_end(void **state)
{
    (void)state;
    struct drill_series s;
    drill_series_init(&s, START);
    drill_series_note(&s, 0, START + 1 * MS, START + 5 * MS);
    drill_series_note(&s, 0, START + 1 * MS, START + 25 * MS);
    drill_series_note(&s, 1, START + 1 * MS, START + 25 * MS);
    drill_series_note(&s, 7, START, START);     /* no such group */
    drill_series_note(&s, 0, START, START - 1); /* before it began */
    assert_int_equal(drill_series_ended(&s, 0, START, 0), 1);
    assert_int_equal(drill_series_ended(&s, 0, START, 2), 1);
    assert_int_equal(drill_series_ended(&s, 1, START, 2), 1);
    assert_int_equal(drill_series_ended(&s, 0, START, -1), 0);
    assert_int_equal(drill_series_ended(&s, 0, START + 20 * MS, -2), 1);
    assert_int_equal(drill_series_ended(&s, 0, START, 1000), 0);
    drill_series_free(&s);
}

static void the_longest_of_a_time_was_under_way_in_it(void **state)
{
    (void)state;
    struct drill_series s;
    drill_series_init(&s, START);
    drill_series_note(&s, 0, START + 98 * MS, START + 102 * MS);
    drill_series_note(&s, 0, START + 90 * MS, START + 150 * MS); /* began before, ends after */
    drill_series_note(&s, 1, START + 300 * MS, START + 400 * MS);
    assert_int_equal(drill_series_longest_ns(&s, 0, START + 100 * MS, START + 120 * MS), 60 * MS);
    assert_int_equal(drill_series_longest_ns(&s, 1, START + 100 * MS, START + 120 * MS), 0);
    assert_int_equal(drill_series_longest_ns(&s, -1, START + 350 * MS, START + 360 * MS), 100 * MS);
    assert_int_equal(drill_series_longest_ns(&s, 0, START, START + 80 * MS), 0);
    assert_int_equal(drill_series_longest_ended_ns(&s, 0, START, START + 120 * MS), 4 * MS);
    drill_series_free(&s);
}

static void a_gap_is_seen_in_the_picture(void **state)
{
    (void)state;
    uint32_t values[DRILL_PLOT_COLUMNS];
    char *text = NULL;
    size_t bytes = 0;
    for (int c = 0; c < DRILL_PLOT_COLUMNS; c++)
        values[c] = c < 10 ? 32 : c < 12 ? 0 : c == 12 ? 1 : 24;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    drill_plot(out, values, false);
    drill_plot_axis(out, -100, 10, false);
    fclose(out);
    assert_string_equal(text, "    32 |##########\n"
                              "       |##########   #####################################\n"
                              "       |##########   #####################################\n"
                              "       |##########  .#####################################\n"
                              "     0 ++---------+---------+---------+---------+---------\n"
                              "        -100      0         100       200       300 ms\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_counted_where_they_end),
        cmocka_unit_test(the_longest_of_a_time_was_under_way_in_it),
        cmocka_unit_test(a_gap_is_seen_in_the_picture),
    };
    return cmocka_run_group_tests_name("drill series", tests, NULL, NULL);
}
