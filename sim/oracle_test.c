/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/probe.h"

enum { LBA = 3, VOLUME = 5 };

/* Operations at times of our choice. */
struct table {
    struct world *world;
    struct clients *clients;
    struct oracle *oracle;
};

static void table_begin(struct table *t)
{
    struct world_config config = world_config_default(1);
    t->world = world_new(&config);
    t->clients = clients_new(t->world);
    t->oracle = oracle_new();
    oracle_volume(t->oracle, 0, VOLUME, 64);
}

static void table_end(struct table *t)
{
    oracle_free(t->oracle);
    clients_free(t->clients);
    world_free(t->world);
}

static struct op *begin(struct table *t, struct op *op, uint64_t at)
{
    op->volume = VOLUME;
    op->begun_ns = at;
    oracle_begun(t->oracle, op);
    return op;
}

static struct op *begin_write(struct table *t, uint64_t at)
{
    return begin(t, op_write(t->clients, LBA, 1, false), at);
}

static void end(struct table *t, struct op *op, uint64_t at, uint8_t status)
{
    op->ended_ns = at;
    op->state = OP_STATE_ANSWERED;
    op->status = status;
    oracle_ended(t->oracle, op);
}

static void read_sees(struct table *t, uint64_t from, uint64_t to, uint64_t stamp)
{
    struct op *op = begin(t, op_read(t->clients, LBA, 1), from);
    op->in_length = BLOCK_BYTES;
    memset(op->in, 0, BLOCK_BYTES);
    if (stamp)
        op_stamp_block(op->in, stamp, LBA);
    end(t, op, to, 0);
}

static void a_fresh_read_is_right_and_a_stale_one_wrong(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    read_sees(&t, 1, 2, STAMP_ZERO);
    struct op *w = begin_write(&t, 10);
    end(&t, w, 20, 0);
    read_sees(&t, 21, 22, w->stamp);
    assert_null(oracle_violation(t.oracle));
    assert_int_equal(oracle_verified(t.oracle), 2);
    read_sees(&t, 23, 24, STAMP_ZERO);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void a_read_beside_a_write_may_see_either(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *w = begin_write(&t, 10);
    read_sees(&t, 11, 12, STAMP_ZERO);
    read_sees(&t, 13, 14, w->stamp);
    end(&t, w, 20, 0);
    read_sees(&t, 21, 22, w->stamp);
    assert_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void reads_do_not_go_back(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *w = begin_write(&t, 10);
    read_sees(&t, 11, 12, w->stamp);
    read_sees(&t, 13, 14, STAMP_ZERO); /* although the write has not ended */
    assert_non_null(oracle_violation(t.oracle));
    (void)w;
    table_end(&t);
}

static void a_lost_write_may_come_at_any_time_but_only_once(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *lost = begin_write(&t, 10);
    struct op *w = begin_write(&t, 30);
    end(&t, w, 40, 0);
    read_sees(&t, 41, 42, w->stamp);
    read_sees(&t, 50, 51, lost->stamp);
    assert_null(oracle_violation(t.oracle));
    read_sees(&t, 60, 61, w->stamp);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void a_refused_write_is_never_seen(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *w = begin_write(&t, 10);
    end(&t, w, 20, 0x18);
    read_sees(&t, 30, 31, STAMP_ZERO);
    assert_null(oracle_violation(t.oracle));
    read_sees(&t, 40, 41, w->stamp);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void torn_blocks_are_seen(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *w = begin_write(&t, 10);
    end(&t, w, 20, 0);
    struct op *op = begin(&t, op_read(t.clients, LBA, 1), 30);
    op->in_length = BLOCK_BYTES;
    op_stamp_block(op->in, w->stamp, LBA);
    op->in[511] ^= 1;
    end(&t, op, 31, 0);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void one_compare_and_write_takes_a_value(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *a = begin(&t, op_compare_write(t.clients, LBA, STAMP_ZERO), 10);
    struct op *b = begin(&t, op_compare_write(t.clients, LBA, STAMP_ZERO), 11);
    end(&t, a, 20, 0);
    assert_null(oracle_violation(t.oracle));
    end(&t, b, 21, 0);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static struct op *begin_unmap(struct table *t, uint64_t at)
{
    struct op_range range = {LBA, 1};
    return begin(t, op_unmap(t->clients, &range, 1), at);
}

static void lose(struct table *t, struct op *op, uint64_t not_after_ns)
{
    op->state = OP_STATE_LOST;
    op->not_after_ns = not_after_ns;
    oracle_ended(t->oracle, op);
}

/* The host has gone, the answer comes all the same: it has been done by the time that was named. */
static void what_a_host_left_behind_is_not_done_late(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *left = begin_write(&t, 10);
    left->not_after_ns = 30;
    oracle_left(t.oracle, left);
    struct op *newer = begin_write(&t, 40);
    end(&t, newer, 50, 0);
    read_sees(&t, 51, 52, newer->stamp);
    end(&t, left, 60, 0);
    assert_null(oracle_violation(t.oracle));
    read_sees(&t, 61, 62, left->stamp);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void unmapped_blocks_are_zero(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *w = begin_write(&t, 10);
    end(&t, w, 20, 0);
    struct op *u = begin_unmap(&t, 30);
    read_sees(&t, 31, 32, w->stamp);
    end(&t, u, 40, 0);
    read_sees(&t, 41, 42, STAMP_ZERO);
    assert_null(oracle_violation(t.oracle));
    read_sees(&t, 43, 44, w->stamp);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void zeroes_that_nothing_explains_are_wrong(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *u = begin_unmap(&t, 10);
    end(&t, u, 20, 0);
    struct op *w = begin_write(&t, 30);
    end(&t, w, 40, 0);
    read_sees(&t, 50, 51, STAMP_ZERO);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void a_lost_write_does_not_come_after_its_time(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *lost = begin_write(&t, 10);
    lose(&t, lost, 25);
    struct op *w = begin_write(&t, 30);
    end(&t, w, 40, 0);
    read_sees(&t, 41, 42, w->stamp);
    assert_null(oracle_violation(t.oracle));
    read_sees(&t, 50, 51, lost->stamp);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

static void a_miscompare_needs_a_reason(void **unused)
{
    (void)unused;
    enum { CHECK_CONDITION = 2, MISCOMPARE = 0x0E };
    struct table t;
    table_begin(&t);
    struct op *w = begin_write(&t, 10);
    end(&t, w, 20, 0);
    struct op *beside = begin_write(&t, 30);
    struct op *c = begin(&t, op_compare_write(t.clients, LBA, w->stamp), 31);
    c->sense_key = MISCOMPARE;
    end(&t, c, 32, CHECK_CONDITION);
    assert_null(oracle_violation(t.oracle)); /* the other write may have been there */
    end(&t, beside, 40, 0);
    c = begin(&t, op_compare_write(t.clients, LBA, beside->stamp), 50);
    c->sense_key = MISCOMPARE;
    end(&t, c, 60, CHECK_CONDITION);
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

/* Two writes are answered, the first of them with FUA; then every memory is lost. */
static void lost_after(struct table *t, bool flush, uint64_t sees[2], uint64_t *first,
                       uint64_t *second)
{
    table_begin(t);
    struct op *a = begin(t, op_write(t->clients, LBA, 1, true), 10);
    end(t, a, 20, 0);
    struct op *b = begin_write(t, 30);
    end(t, b, 40, 0);
    read_sees(t, 41, 42, b->stamp);
    if (flush)
        end(t, begin(t, op_flush(t->clients), 50), 60, 0);
    oracle_lost(t->oracle, 0, 70);
    *first = a->stamp;
    *second = b->stamp;
    uint64_t stamp[3] = {STAMP_ZERO, *first, *second};
    for (int i = 0; i < 2; i++)
        read_sees(t, 80 + 10 * (uint64_t)i, 85 + 10 * (uint64_t)i, stamp[sees[i]]);
}

/* Four blocks were written, then all of them atomically, then one of them again: what may be read?
 */
static void an_atomic_write_is_there_whole(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t sees[4]; /* 0: the first write, 1: the atomic one, 2: the last one */
        bool right;
    } cases[] = {{{0, 0, 0, 0}, true},  {{1, 1, 1, 1}, true}, {{1, 1, 0, 1}, false},
                 {{0, 1, 1, 1}, false}, {{1, 1, 2, 1}, true}, {{0, 0, 2, 0}, true},
                 {{1, 0, 2, 1}, false}, {{0, 0, 0, 1}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table t;
        table_begin(&t);
        struct op *old = begin(&t, op_write(t.clients, LBA, 4, true), 10);
        end(&t, old, 20, 0);
        struct op *atomic = begin(&t, op_write_atomic(t.clients, LBA, 4), 30); /* never answered */
        struct op *last = begin(&t, op_write(t.clients, LBA + 2, 1, true), 40);
        struct op *read = begin(&t, op_read(t.clients, LBA, 4), 50);
        const uint64_t stamps[3] = {old->stamp, atomic->stamp, last->stamp};
        for (uint64_t b = 0; b < 4; b++)
            op_stamp_block(read->in + b * BLOCK_BYTES, stamps[cases[i].sees[b]], LBA + b);
        read->in_length = 4 * BLOCK_BYTES;
        end(&t, read, 60, 0);
        assert_int_equal(oracle_violation(t.oracle) == NULL, cases[i].right);
        table_end(&t);
    }
}

static void what_is_durable_survives(void **unused)
{
    (void)unused;
    static const struct {
        bool flush;
        uint64_t sees[2]; /* 0: zeroes, 1: the first write, 2: the second */
        bool right;
    } cases[] = {
        {false, {1, 1}, true},  {false, {2, 2}, true},  {false, {0, 0}, false},
        {false, {1, 2}, false}, {false, {2, 1}, false}, {true, {2, 2}, true},
        {true, {1, 1}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table t;
        uint64_t first, second, sees[2] = {cases[i].sees[0], cases[i].sees[1]};
        lost_after(&t, cases[i].flush, sees, &first, &second);
        if ((oracle_violation(t.oracle) == NULL) != cases[i].right)
            fail_msg("case %zu", i);
        table_end(&t);
    }
}

/* Answers that were on their way when every memory was lost. */
static void what_comes_late_tells_of_what_is_no_more(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *a = begin_write(&t, 10);
    struct op *read = begin(&t, op_read(t.clients, LBA, 1), 15);
    oracle_lost(t.oracle, 0, 30);
    read->in_length = BLOCK_BYTES;
    op_stamp_block(read->in, a->stamp, LBA);
    end(&t, a, 31, 0);
    end(&t, read, 32, 0);
    read_sees(&t, 40, 41, STAMP_ZERO);
    assert_null(oracle_violation(t.oracle));
    read_sees(&t, 42, 43, a->stamp); /* but it does not come back */
    assert_non_null(oracle_violation(t.oracle));
    table_end(&t);
}

/* Honest histories of one register are always accepted. */
static void random_honest_histories_pass(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct table t;
        struct random random = {seed};
        table_begin(&t);
        uint64_t holds = STAMP_ZERO;
        struct op *open[4] = {0};
        uint64_t sees[4] = {0};
        bool effected[4] = {0};
        for (uint64_t now = 10; now < 400; now++) {
            int i = (int)random_below(&random, 4);
            if (!open[i]) {
                open[i] = random_chance(&random, 50) ? op_write(t.clients, LBA, 1, false)
                                                     : op_read(t.clients, LBA, 1);
                begin(&t, open[i], now);
                effected[i] = false;
            } else if (!effected[i]) { /* its moment */
                effected[i] = true;
                sees[i] = holds;
                if (open[i]->kind == OP_WRITE)
                    holds = open[i]->stamp;
            } else if (open[i]->kind == OP_WRITE) {
                if (random_chance(&random, 80))
                    end(&t, open[i], now, 0);
                open[i] = NULL;
            } else {
                open[i]->in_length = BLOCK_BYTES;
                if (sees[i])
                    op_stamp_block(open[i]->in, sees[i], LBA);
                end(&t, open[i], now, 0);
                open[i] = NULL;
            }
            if (oracle_violation(t.oracle))
                fail_msg("seed %llu: %s", (unsigned long long)seed, oracle_violation(t.oracle));
        }
        table_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_read_is_right_and_a_stale_one_wrong),
        cmocka_unit_test(a_read_beside_a_write_may_see_either),
        cmocka_unit_test(reads_do_not_go_back),
        cmocka_unit_test(a_lost_write_may_come_at_any_time_but_only_once),
        cmocka_unit_test(a_refused_write_is_never_seen),
        cmocka_unit_test(torn_blocks_are_seen),
        cmocka_unit_test(one_compare_and_write_takes_a_value),
        cmocka_unit_test(what_a_host_left_behind_is_not_done_late),
        cmocka_unit_test(unmapped_blocks_are_zero),
        cmocka_unit_test(zeroes_that_nothing_explains_are_wrong),
        cmocka_unit_test(a_lost_write_does_not_come_after_its_time),
        cmocka_unit_test(a_miscompare_needs_a_reason),
        cmocka_unit_test(an_atomic_write_is_there_whole),
        cmocka_unit_test(what_is_durable_survives),
        cmocka_unit_test(what_comes_late_tells_of_what_is_no_more),
        cmocka_unit_test(random_honest_histories_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
