/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sim/probe.h"

/* A loop switch and two units. */
struct bench {
    struct world *world;
    struct guard *guard;
    struct probe l, unit[2];
    int process[3];
};

static void bench_begin(struct bench *t)
{
    memset(t, 0, sizeof *t);
    struct world_config config = world_config_default(1);
    t->world = world_new(&config);
    t->guard = guard_new(t->world);
    static const char *const names[] = {"A", "B", "L1"};
    for (int i = 0; i < 3; i++)
        t->process[i] = world_add_process(t->world, names[i]);
    world_add_part(t->world, t->process[0], "A1", port_unit(0, 0), &probe_kind, &t->unit[0]);
    world_add_part(t->world, t->process[1], "B1", port_unit(1, 0), &probe_kind, &t->unit[1]);
    world_add_part(t->world, t->process[2], "L1", port_loop(0), &probe_kind, &t->l);
    world_add_link(t->world, t->process[0], t->process[2]);
    world_add_link(t->world, t->process[1], t->process[2]);
    for (int i = 0; i < 3; i++)
        world_start(t->world, t->process[i]);
    world_run(t->world, MS(5));
}

static void bench_end(struct bench *t)
{
    assert_true(world_free(t->world));
    guard_free(t->guard);
}

/* A unit asks for a fence that allows itself alone. */
static void ask_fence(struct bench *t, uint8_t unit, uint64_t epoch)
{
    struct message *m = probe_send(&t->unit[unit], MESSAGE_FENCE, port_loop(0));
    m->fence.epoch = epoch;
    members_add(&m->fence.allowed, (struct member){unit, 1});
    probe_go(t->world, &t->unit[unit]);
    world_run(t->world, MS(5));
}

static void fence_done(struct bench *t, uint8_t unit, uint64_t epoch)
{
    struct message *m = probe_send(&t->l, MESSAGE_FENCE_ANSWER, port_unit(unit, 0));
    m->fence.epoch = epoch;
    m->fence.result = FENCE_DONE;
    probe_go(t->world, &t->l);
    world_run(t->world, MS(5));
}

/* A unit writes to a drive, and the loop switch carries it out. */
static void write(struct bench *t, uint8_t unit, uint64_t epoch)
{
    struct message *m = probe_send(&t->unit[unit], MESSAGE_DRIVE_COMMAND, port_loop(0));
    m->drive.epoch = epoch;
    m->drive.op = DRIVE_WRITE;
    m->drive.tag = epoch;
    probe_go(t->world, &t->unit[unit]);
    world_run(t->world, MS(5));
    m = probe_send(&t->l, MESSAGE_DRIVE_RESPONSE, port_unit(unit, 0));
    m->drive.tag = epoch;
    m->drive.status = DRIVE_OK;
    probe_go(t->world, &t->l);
    world_run(t->world, MS(5));
}

static void who_is_fenced_off_does_not_write(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t);
    ask_fence(&t, 0, 14);
    fence_done(&t, 0, 14);
    write(&t, 0, 14);
    assert_null(guard_violation(t.guard));
    ask_fence(&t, 1, 15);
    fence_done(&t, 1, 15);
    write(&t, 1, 15);
    assert_null(guard_violation(t.guard));
    write(&t, 0, 14);
    assert_non_null(guard_violation(t.guard));
    bench_end(&t);
}

static void a_fence_that_is_refused_hides_no_other(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t);
    ask_fence(&t, 0, 13);
    fence_done(&t, 0, 13);
    ask_fence(&t, 1, 15);
    ask_fence(&t, 0, 14); /* while that of 15 is carried out */
    fence_done(&t, 1, 15);
    write(&t, 1, 15);
    assert_null(guard_violation(t.guard));
    write(&t, 0, 14);
    assert_non_null(guard_violation(t.guard));
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_fenced_off_does_not_write),
        cmocka_unit_test(a_fence_that_is_refused_hides_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
