/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/attentions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/cell.h"

enum { VOLUME = 3, LOGICAL_UNIT_RESET = 5 };

/* One host by path 0 to one volume of group 0. */
struct table {
    struct world *world;
    struct clients *clients;
    struct attentions *attentions;
    uint64_t life; /* of its nexus */
};

static void table_begin(struct table *t)
{
    struct world_config config = world_config_default(1);
    *t = (struct table){.world = world_new(&config), .life = 1};
    t->clients = clients_new(t->world);
    t->attentions = attentions_new(t->world);
}

static void table_end(struct table *t)
{
    attentions_free(t->attentions);
    clients_free(t->clients);
    world_free(t->world);
}

static struct op *begin(struct table *t, struct op *op)
{
    world_run(t->world, 1);
    op->volume = VOLUME;
    op->begun_ns = world_now(t->world);
    attentions_begun(t->attentions, op, t->life);
    return op;
}

static struct op *begin_read(struct table *t)
{
    return begin(t, op_read(t->clients, 0, 1));
}

/* `code` is of a unit attention, 0: GOOD. */
static void end(struct table *t, struct op *op, uint16_t code)
{
    world_run(t->world, 1);
    op->ended_ns = world_now(t->world);
    op->state = OP_STATE_ANSWERED;
    op->status = code ? 2 : 0;
    op->sense_key = code ? 6 : 0;
    op->asc = (uint8_t)(code >> 8);
    op->ascq = (uint8_t)code;
    attentions_ended(t->attentions, op, t->life);
}

static void read_is_told(struct table *t, uint16_t code)
{
    end(t, begin_read(t), code);
}

/* Somebody serves with the state that was on the drives. */
static void power_on(struct table *t, uint64_t epoch)
{
    struct record record = {.generation = epoch, .epoch = epoch, .cut = epoch};
    cell_create(t->world, &record);
}

static void assert_wrong(struct table *t, bool wrong)
{
    if (wrong)
        assert_non_null(attentions_violation(t->attentions));
    else
        assert_null(attentions_violation(t->attentions));
}

static void a_nexus_is_greeted_once(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    read_is_told(&t, 0x2900);
    read_is_told(&t, 0);
    t.life++;
    read_is_told(&t, 0x2907);
    assert_wrong(&t, false);
    read_is_told(&t, 0x2907);
    assert_wrong(&t, true);
    table_end(&t);
}

static void nothing_explains_a_reset_but_a_reset(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    struct op *reset = begin(&t, op_task(t.clients, LOGICAL_UNIT_RESET, NULL));
    end(&t, reset, 0);
    read_is_told(&t, 0x2903);
    assert_wrong(&t, false);
    read_is_told(&t, 0x2A01);
    assert_wrong(&t, true);
    table_end(&t);
}

static void a_power_on_is_told(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    read_is_told(&t, 0x2900);
    power_on(&t, 2);
    read_is_told(&t, 0x2900);
    read_is_told(&t, 0);
    assert_wrong(&t, false);
    power_on(&t, 3);
    begin_read(&t); /* one is under way: it may be told with this one */
    read_is_told(&t, 0);
    assert_wrong(&t, false);
    read_is_told(&t, 0x2900); /* but this one began after another answer */
    assert_wrong(&t, true);
    table_end(&t);
}

static void a_power_on_that_nobody_is_told_is_wrong(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    read_is_told(&t, 0x2900);
    struct op *before = begin_read(&t);
    power_on(&t, 2);
    end(&t, before, 0); /* its answer was on its way */
    assert_wrong(&t, false);
    read_is_told(&t, 0);
    assert_wrong(&t, true);
    table_end(&t);
}

static void a_new_nexus_is_owed_nothing(void **unused)
{
    (void)unused;
    struct table t;
    table_begin(&t);
    read_is_told(&t, 0x2900);
    power_on(&t, 2);
    t.life++;
    read_is_told(&t, 0x2907);
    read_is_told(&t, 0);
    assert_wrong(&t, false);
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nexus_is_greeted_once),
        cmocka_unit_test(nothing_explains_a_reset_but_a_reset),
        cmocka_unit_test(a_power_on_is_told),
        cmocka_unit_test(a_power_on_that_nobody_is_told_is_wrong),
        cmocka_unit_test(a_new_nexus_is_owed_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
