/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cell.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sim/probe.h"

struct pair {
    struct world *world;
    struct probe a, b;
    int pa, pb;
};

static const struct member member_a = {0, 100};

static void pair_begin(struct pair *t, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    struct world_config config = world_config_default(seed);
    t->world = world_new(&config);
    t->pa = world_add_process(t->world, "A");
    t->pb = world_add_process(t->world, "B");
    world_add_part(t->world, t->pa, "A1", port_unit(0, 0), &probe_kind, &t->a);
    world_add_part(t->world, t->pb, "B1", port_unit(1, 0), &probe_kind, &t->b);
    struct record first = {.generation = 1, .primary = member_none(), .dirty = member_none()};
    members_add(&first.in_sync, member_a);
    cell_create(t->world, &first);
    world_start(t->world, t->pa);
    world_start(t->world, t->pb);
}

static void ask_swap(struct pair *t, struct probe *p, uint64_t generation, uint64_t epoch)
{
    struct action *action = probe_do(p, ACTION_REGISTER_SWAP);
    action->reg.tag = generation;
    action->reg.record = *cell_record(t->world, 0);
    action->reg.record.generation = generation;
    action->reg.record.epoch = epoch;
    probe_go(t->world, p);
}

static void ask_read(struct pair *t, struct probe *p)
{
    probe_do(p, ACTION_REGISTER_READ)->reg.tag = 77;
    probe_go(t->world, p);
}

static void one_of_two_swaps_wins(void **unused)
{
    (void)unused;
    bool a_won = false, b_won = false;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct pair t;
        struct seen a, b;
        pair_begin(&t, seed);
        ask_swap(&t, &t.a, 2, 5);
        ask_swap(&t, &t.b, 2, 6);
        world_run(t.world, MS(5));
        assert_int_equal(probe_seen(&t.a, EVENT_REGISTER, &a), 1);
        assert_int_equal(probe_seen(&t.b, EVENT_REGISTER, &b), 1);
        assert_true((a.result == REGISTER_OK) != (b.result == REGISTER_OK));
        a_won |= a.result == REGISTER_OK;
        b_won |= b.result == REGISTER_OK;
        uint64_t stands = a.result == REGISTER_OK ? 5 : 6;
        assert_int_equal(cell_record(t.world, 0)->epoch, stands);
        assert_int_equal((a.result == REGISTER_LOST ? a : b).record.epoch, stands);
        world_free(t.world);
    }
    assert_true(a_won && b_won);
}

static void a_swap_of_another_generation_is_lost(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 1);
    ask_swap(&t, &t.a, 3, 5);
    world_run(t.world, MS(5));
    probe_seen(&t.a, EVENT_REGISTER, &seen);
    assert_int_equal(seen.result, REGISTER_LOST);
    assert_int_equal(seen.record.generation, 1);
    world_free(t.world);
}

static void an_incarnation_lives_until_its_process_dies(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 1);
    struct action *action = probe_do(&t.a, ACTION_REGISTER_LIVE);
    action->reg.member = member_a;
    probe_go(t.world, &t.a);
    world_run(t.world, MS(2));
    ask_read(&t, &t.b);
    world_run(t.world, MS(2));
    probe_seen(&t.b, EVENT_REGISTER, &seen);
    assert_true(seen.living);
    world_pause(t.world, t.pa); /* a stopped process counts as living */
    ask_read(&t, &t.b);
    world_run(t.world, MS(2));
    probe_seen(&t.b, EVENT_REGISTER, &seen);
    assert_true(seen.living);
    world_crash(t.world, t.pa);
    world_start(t.world, t.pa);
    ask_read(&t, &t.b);
    world_run(t.world, MS(2));
    probe_seen(&t.b, EVENT_REGISTER, &seen);
    assert_false(seen.living);
    world_free(t.world);
}

static void no_answer_says_nothing_of_the_effect(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 1);
    cell_reach(t.world, t.pa, CELL_UNREACHED);
    ask_swap(&t, &t.a, 2, 5);
    world_run(t.world, MS(5));
    probe_seen(&t.a, EVENT_REGISTER, &seen);
    assert_int_equal(seen.result, REGISTER_UNKNOWN);
    assert_int_equal(cell_record(t.world, 0)->generation, 1);
    cell_reach(t.world, t.pa, CELL_DEAF);
    ask_swap(&t, &t.a, 2, 5);
    world_run(t.world, MS(5));
    probe_seen(&t.a, EVENT_REGISTER, &seen);
    assert_int_equal(seen.result, REGISTER_UNKNOWN);
    assert_int_equal(cell_record(t.world, 0)->generation, 2);
    world_free(t.world);
}

static void a_stopped_process_swaps_when_it_goes_on(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 1);
    ask_swap(&t, &t.a, 2, 5);
    world_pause(t.world, t.pa);
    world_run(t.world, MS(100));
    assert_int_equal(cell_record(t.world, 0)->generation, 1);
    ask_swap(&t, &t.b, 2, 9);
    world_run(t.world, MS(5));
    world_resume(t.world, t.pa);
    world_run(t.world, MS(5));
    probe_seen(&t.a, EVENT_REGISTER, &seen);
    assert_int_equal(seen.result, REGISTER_LOST);
    assert_int_equal(cell_record(t.world, 0)->epoch, 9);
    world_free(t.world);
}

static void the_next_swap_alone_is_unknown(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 1);
    cell_next_swap(t.world, CELL_DEAF);
    ask_swap(&t, &t.a, 2, 5);
    world_run(t.world, MS(5));
    probe_seen(&t.a, EVENT_REGISTER, &seen);
    assert_int_equal(seen.result, REGISTER_UNKNOWN);
    assert_int_equal(cell_record(t.world, 0)->generation, 2);
    ask_swap(&t, &t.a, 3, 6);
    world_run(t.world, MS(5));
    probe_seen(&t.a, EVENT_REGISTER, &seen);
    assert_int_equal(seen.result, REGISTER_OK);
    world_free(t.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_two_swaps_wins),
        cmocka_unit_test(a_swap_of_another_generation_is_lost),
        cmocka_unit_test(an_incarnation_lives_until_its_process_dies),
        cmocka_unit_test(no_answer_says_nothing_of_the_effect),
        cmocka_unit_test(a_stopped_process_swaps_when_it_goes_on),
        cmocka_unit_test(the_next_swap_alone_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
