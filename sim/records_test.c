/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/records.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sim/cell.h"
#include "sim/probe.h"

/* Units A1 and B1 of one life, of which B1's process may have died; C1 was never named. */
struct bench {
    struct world *world;
    struct records *records;
    struct probe unit[2];
    int process[2];
    struct record before, after;
};

static const struct member a = {0, 1}, b = {1, 1}, c = {2, 1};

static void bench_begin(struct bench *t, bool b_lives)
{
    memset(t, 0, sizeof *t);
    struct world_config config = world_config_default(1);
    t->world = world_new(&config);
    t->records = records_new(t->world);
    for (int i = 0; i < 2; i++) {
        t->process[i] = world_add_process(t->world, i ? "B" : "A");
        world_add_part(t->world, t->process[i], i ? "B1" : "A1", port_unit(i, 0), &probe_kind,
                       &t->unit[i]);
        world_start(t->world, t->process[i]);
    }
    world_run(t->world, MS(5));
    for (int i = 0; i < 2; i++) {
        probe_do(&t->unit[i], ACTION_REGISTER_LIVE)->reg.member = i ? b : a;
        probe_go(t->world, &t->unit[i]);
    }
    world_run(t->world, MS(5));
    world_crash(t->world, t->process[0]);
    if (!b_lives)
        world_crash(t->world, t->process[1]);
    t->before = (struct record){.generation = 7, .epoch = 3, .primary = a, .dirty = member_none()};
    members_add(&t->before.in_sync, a);
    members_add(&t->before.in_sync, b);
}

/* `who` claims, as the protocol has it. */
static void claims(struct bench *t, struct member who, bool knows_the_queue)
{
    t->after = t->before;
    t->after.generation++;
    t->after.epoch++;
    t->after.primary = who;
    for (int i = 0; i < t->before.in_sync.count; i++)
        members_add(&t->after.previous, t->before.in_sync.at[i]);
    memset(&t->after.in_sync, 0, sizeof t->after.in_sync);
    members_add(&t->after.in_sync, who);
    t->after.lease = 1;
    t->after.dirty = member_none();
    if (!knows_the_queue)
        t->after.cut = t->after.epoch;
}

static void judged(struct bench *t, bool right)
{
    records_swapped(t->records, t->process[1], &t->before, &t->after);
    assert_int_equal(records_violation(t->records) == NULL, right);
    world_free(t->world);
    records_free(t->records);
}

static void member_claims(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, true);
    claims(&t, b, true);
    judged(&t, true);
    bench_begin(&t, true);
    claims(&t, b, true);
    t.after.previous.count = 0;
    judged(&t, false);
    bench_begin(&t, true);
    claims(&t, b, true);
    members_add(&t.after.in_sync, c);
    judged(&t, false);
}

static void stranger_claims(void **state)
{
    (void)state;
    for (int lives = 0; lives < 2; lives++) {
        struct bench t;
        bench_begin(&t, lives);
        claims(&t, c, false);
        judged(&t, !lives);
        bench_begin(&t, lives); /* no longer in sync, and not served yet */
        t.before.previous = t.before.in_sync;
        t.before.in_sync = (struct members){0};
        members_add(&t.before.in_sync, a);
        t.before.lease = 1;
        claims(&t, c, false);
        members_add(&t.after.previous, b);
        judged(&t, !lives);
    }
    struct bench t;
    bench_begin(&t, false);
    claims(&t, c, true); /* it does not know the queue, and does not say so */
    judged(&t, false);
    bench_begin(&t, false);
    t.before.dirty = a;
    claims(&t, c, false);
    judged(&t, false);
}

/* The lone primary lives, and cannot be heard. */
static void lone_primary_is_claimed_over(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, true);
    t.before.primary = b;
    t.before.in_sync = (struct members){0};
    members_add(&t.before.in_sync, b);
    t.before.lease = 4;
    claims(&t, c, false);
    judged(&t, true);
    bench_begin(&t, true);
    t.before.primary = b;
    t.before.in_sync = (struct members){0};
    members_add(&t.before.in_sync, b);
    claims(&t, c, false); /* it never had a lease: it has not served alone yet */
    judged(&t, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_claims),
        cmocka_unit_test(stranger_claims),
        cmocka_unit_test(lone_primary_is_claimed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
