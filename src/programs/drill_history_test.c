/* SPDX-License-Identifier: Apache-2.0 */

/* The oracle of the drill, fed with made-up histories: it must catch what no disk could do, and let
 * everything pass that one could. The last test compares it with a search through all orders. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "programs/drill_volume.h"

static struct drill_history *history;
static struct drill_read reads[8];

static int begin(void **state)
{
    (void)state;
    history = drill_history_new(4);
    memset(reads, 0, sizeof reads);
    for (int i = 0; i < 8; i++)
        list_init(&reads[i].link);
    return history ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    drill_history_free(history);
    return 0;
}

static void write_begin(uint64_t value)
{
    assert_true(drill_history_write_begin(history, 0, value, drill_history_tick(history)));
}

static void write_end(uint64_t value)
{
    drill_history_write_end(history, 0, value, drill_history_tick(history));
}

static void write_all(uint64_t value)
{
    write_begin(value);
    write_end(value);
}

static void read_begin(int i)
{
    drill_history_read_begin(history, &reads[i]);
}

static enum drill_verdict read_end(int i, uint64_t value)
{
    enum drill_verdict v =
        drill_history_read_value(history, 0, value, &reads[i], drill_history_tick(history));
    drill_history_read_end(history, &reads[i]);
    return v;
}

static enum drill_verdict read_all(uint64_t value)
{
    read_begin(7);
    return read_end(7, value);
}

static void a_read_returns_the_last_write(void **state)
{
    (void)state;
    assert_int_equal(read_all(0), DRILL_VERDICT_GOOD);
    write_all(1);
    assert_int_equal(read_all(1), DRILL_VERDICT_GOOD);
    write_all(2);
    assert_int_equal(read_all(2), DRILL_VERDICT_GOOD);
    assert_int_equal(read_all(2), DRILL_VERDICT_GOOD);
}

static void a_lost_write_is_caught(void **state)
{
    (void)state;
    write_all(1);
    assert_int_equal(read_all(0), DRILL_VERDICT_STALE);
}

static void a_stale_read_is_caught(void **state)
{
    (void)state;
    write_all(1);
    write_all(2);
    assert_int_equal(read_all(1), DRILL_VERDICT_STALE);
    assert_int_equal(read_all(2), DRILL_VERDICT_GOOD);
}

static void a_value_that_nobody_wrote_is_caught(void **state)
{
    (void)state;
    write_all(1);
    assert_int_equal(read_all(9), DRILL_VERDICT_UNKNOWN);
}

static void a_write_under_way_may_be_seen_or_not(void **state)
{
    (void)state;
    write_all(1);
    write_begin(2);
    assert_int_equal(read_all(1), DRILL_VERDICT_GOOD);
    assert_int_equal(read_all(2), DRILL_VERDICT_GOOD);
}

static void what_was_seen_does_not_vanish(void **state)
{
    (void)state;
    write_all(1);
    write_begin(2);
    assert_int_equal(read_all(2), DRILL_VERDICT_GOOD);
    assert_int_equal(read_all(1), DRILL_VERDICT_STALE); /* the write has not even been answered */
}

static void an_old_write_that_lands_late_is_caught(void **state)
{
    (void)state;
    write_begin(1); /* its path dies; it is sent again as 2 */
    write_begin(2);
    write_end(2);
    write_end(1); /* from then on the first sending must be over too */
    write_all(3);
    assert_int_equal(read_all(3), DRILL_VERDICT_GOOD);
    assert_int_equal(read_all(1), DRILL_VERDICT_STALE);
}

static void concurrent_writes_end_in_one_order(void **state)
{
    (void)state;
    write_begin(1);
    write_begin(2);
    write_end(1);
    write_end(2);
    assert_int_equal(read_all(1), DRILL_VERDICT_GOOD); /* so 2 came first */
    assert_int_equal(read_all(2), DRILL_VERDICT_STALE);
    assert_int_equal(read_all(1), DRILL_VERDICT_GOOD);
}

static void a_slow_read_may_return_what_was_there_when_it_began(void **state)
{
    (void)state;
    write_all(1);
    read_begin(0);
    write_all(2);
    assert_int_equal(read_all(2), DRILL_VERDICT_GOOD);
    write_all(3);
    assert_int_equal(read_end(0, 1), DRILL_VERDICT_GOOD);
    assert_int_equal(read_all(1), DRILL_VERDICT_STALE);
}

/* ---- against all orders ---- */

enum { OPS = 7 };

struct op {
    bool is_write;
    uint64_t value, start, end;
};

static bool search(const struct op *ops, int count, unsigned done, uint64_t now)
{
    if (done == (1u << count) - 1)
        return true;
    uint64_t first_end = UINT64_MAX;
    for (int i = 0; i < count; i++)
        if (!(done & 1u << i) && ops[i].end < first_end)
            first_end = ops[i].end;
    for (int i = 0; i < count; i++) {
        if (done & 1u << i || ops[i].start > first_end || (!ops[i].is_write && ops[i].value != now))
            continue;
        if (search(ops, count, done | 1u << i, ops[i].is_write ? ops[i].value : now))
            return true;
    }
    return false;
}

/* Plays the operations in the order of their beginnings and ends. */
static bool oracle_accepts(struct op *ops, int count)
{
    struct drill_read read[OPS] = {0};
    bool good = true;
    drill_history_free(history);
    history = drill_history_new(1);
    for (uint64_t t = 1; t <= 2 * (uint64_t)count; t++) {
        bool ticked = false;
        for (int i = 0; i < count; i++) {
            struct op *o = &ops[i];
            if (o->start == t && !o->is_write) {
                drill_history_read_begin(history, &read[i]); /* ticks by itself */
                assert_int_equal(read[i].start, t);
                continue;
            }
            if ((o->start == t || o->end == t) && !ticked) {
                ticked = true;
                assert_int_equal(drill_history_tick(history), t);
            }
            if (o->start == t) {
                drill_history_write_begin(history, 0, o->value, t);
            } else if (o->end == t && o->is_write) {
                drill_history_write_end(history, 0, o->value, t);
            } else if (o->end == t) {
                good = good && drill_history_read_value(history, 0, o->value, &read[i], t) ==
                                   DRILL_VERDICT_GOOD;
                drill_history_read_end(history, &read[i]);
            }
        }
    }
    return good;
}

static void it_agrees_with_a_search_through_all_orders(void **state)
{
    (void)state;
    int accepted = 0, refused = 0;
    srand(7);
    for (int round = 0; round < 40000; round++) {
        struct op ops[OPS];
        uint64_t times[2 * OPS];
        int count = 3 + rand() % (OPS - 2), writes = 0;
        for (int i = 0; i < 2 * count; i++)
            times[i] = (uint64_t)i + 1;
        for (int i = 2 * count - 1; i > 0; i--) {
            int j = rand() % (i + 1);
            uint64_t swap = times[i];
            times[i] = times[j];
            times[j] = swap;
        }
        for (int i = 0; i < count; i++) {
            uint64_t a = times[2 * i], b = times[2 * i + 1];
            ops[i] = (struct op){
                .is_write = rand() % 2 || i == 0, .start = a < b ? a : b, .end = a < b ? b : a};
            if (ops[i].is_write)
                ops[i].value = (uint64_t)++writes;
        }
        for (int i = 0; i < count; i++)
            if (!ops[i].is_write)
                ops[i].value = (uint64_t)(rand() % (writes + 1));
        bool possible = search(ops, count, 0, 0);
        assert_int_equal(oracle_accepts(ops, count), possible);
        possible ? accepted++ : refused++;
    }
    assert_true(accepted > 1000 && refused > 1000);
}

/* ---- blocks ---- */

static void a_torn_block_is_caught(void **state)
{
    (void)state;
    struct drill_volume v;
    struct drill_read read = {0};
    uint8_t data[2 * DRILL_BLOCK] = {0}, old[2 * DRILL_BLOCK];
    char sentence[256];
    assert_true(drill_volume_init(&v, "v1", 3, 77, 16));
    list_init(&read.link);
    assert_int_equal(drill_volume_learn(&v, 0, data, 2), 0);
    assert_true(drill_volume_write(&v, 0, data, 2, 1, 0));
    drill_volume_written(&v, 0, 2, 1, drill_history_tick(v.history));
    memcpy(old, data, sizeof old);
    assert_true(drill_volume_write(&v, 0, data, 2, 2, 0));
    drill_volume_written(&v, 0, 2, 2, drill_history_tick(v.history));
    drill_history_read_begin(v.history, &read);
    uint64_t now = drill_history_tick(v.history);
    assert_int_equal(drill_volume_judge(&v, 0, data, 2, &read, now, sentence, sizeof sentence), 0);
    memcpy(data + 100, old + 100, 200); /* the middle of the first block is of the older write */
    assert_int_equal(drill_volume_judge(&v, 0, data, 2, &read, now, sentence, sizeof sentence), 1);
    assert_non_null(strstr(sentence, "torn"));
    memcpy(data, old + DRILL_BLOCK, DRILL_BLOCK); /* whole, but of the neighbour */
    assert_int_equal(drill_volume_judge(&v, 0, data, 2, &read, now, sentence, sizeof sentence), 1);
    assert_non_null(strstr(sentence, "misplaced"));
    memset(data, 0, DRILL_BLOCK); /* as it was found, but written since */
    assert_int_equal(drill_volume_judge(&v, 0, data, 2, &read, now, sentence, sizeof sentence), 1);
    assert_non_null(strstr(sentence, "stale"));
    memset(data, 0xE5, DRILL_BLOCK);
    assert_int_equal(drill_volume_judge(&v, 0, data, 2, &read, now, sentence, sizeof sentence), 1);
    assert_non_null(strstr(sentence, "foreign"));
    drill_volume_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_read_returns_the_last_write, begin, end),
        cmocka_unit_test_setup_teardown(a_lost_write_is_caught, begin, end),
        cmocka_unit_test_setup_teardown(a_stale_read_is_caught, begin, end),
        cmocka_unit_test_setup_teardown(a_value_that_nobody_wrote_is_caught, begin, end),
        cmocka_unit_test_setup_teardown(a_write_under_way_may_be_seen_or_not, begin, end),
        cmocka_unit_test_setup_teardown(what_was_seen_does_not_vanish, begin, end),
        cmocka_unit_test_setup_teardown(an_old_write_that_lands_late_is_caught, begin, end),
        cmocka_unit_test_setup_teardown(concurrent_writes_end_in_one_order, begin, end),
        cmocka_unit_test_setup_teardown(a_slow_read_may_return_what_was_there_when_it_began, begin,
                                        end),
        cmocka_unit_test_setup_teardown(it_agrees_with_a_search_through_all_orders, begin, end),
        cmocka_unit_test_setup_teardown(a_torn_block_is_caught, begin, end),
    };
    return cmocka_run_group_tests_name("drill history", tests, NULL, NULL);
}
