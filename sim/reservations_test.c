/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/reservations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { VOLUME = 3, GOOD = 0, CONFLICT = 0x18, WRITE_EXCLUSIVE = 1, REGISTRANTS_ONLY = 5 };

/* Two hosts, 0 and 1, each by path 0, on one volume. */
struct table {
    struct world *world;
    struct clients *clients;
    struct reservations *reservations;
    uint64_t now_ns;
};

static void table_begin(struct table *t)
{
    struct world_config config = world_config_default(1);
    *t = (struct table){.world = world_new(&config), .now_ns = 1};
    t->clients = clients_new(t->world);
    t->reservations = reservations_new();
}

static void table_end(struct table *t)
{
    reservations_free(t->reservations);
    clients_free(t->clients);
    world_free(t->world);
}

static struct op *begin(struct table *t, struct op *op, uint8_t host)
{
    op->host = host;
    op->volume = VOLUME;
    op->begun_ns = t->now_ns++;
    reservations_begun(t->reservations, op);
    return op;
}

static void end(struct table *t, struct op *op, uint8_t status)
{
    op->ended_ns = t->now_ns++;
    op->state = OP_STATE_ANSWERED;
    op->status = status;
    reservations_ended(t->reservations, op);
}

static void reserve(struct table *t, enum reservation_action action, uint8_t type, uint8_t host,
                    uint8_t status)
{
    struct op *op = op_reserve(t->clients, action, type, host, 0, reservations_key(host, 0));
    end(t, begin(t, op, host), status);
}

static void write(struct table *t, uint8_t host, uint8_t status)
{
    end(t, begin(t, op_write(t->clients, 0, 1, false), host), status);
}

/* Host 0 holds the volume, host 1 knows nothing of it. */
static void held(struct table *t, uint8_t type)
{
    table_begin(t);
    reserve(t, RESERVATION_REGISTER_AND_IGNORE, 0, 0, GOOD);
    reserve(t, RESERVATION_RESERVE, type, 0, GOOD);
    write(t, 0, GOOD);
    write(t, 1, CONFLICT);
    end(t, begin(t, op_read(t->clients, 0, 1), 1), GOOD);
    assert_null(reservations_violation(t->reservations));
}

static void a_write_against_a_reservation_is_wrong(void **unused)
{
    (void)unused;
    struct table t;
    held(&t, WRITE_EXCLUSIVE);
    assert_int_equal(reservations_judged(t.reservations), 5);
    write(&t, 1, GOOD);
    assert_non_null(reservations_violation(t.reservations));
    table_end(&t);
}

static void a_conflict_without_a_reservation_is_wrong(void **unused)
{
    (void)unused;
    struct table t;
    held(&t, WRITE_EXCLUSIVE);
    reserve(&t, RESERVATION_RELEASE, WRITE_EXCLUSIVE, 0, GOOD);
    write(&t, 1, GOOD);
    assert_null(reservations_violation(t.reservations));
    write(&t, 1, CONFLICT);
    assert_non_null(reservations_violation(t.reservations));
    table_end(&t);
}

static void registrants_may_write(void **unused)
{
    (void)unused;
    struct table t;
    held(&t, REGISTRANTS_ONLY);
    reserve(&t, RESERVATION_REGISTER_AND_IGNORE, 0, 1, GOOD);
    write(&t, 1, GOOD);
    assert_null(reservations_violation(t.reservations));
    reserve(&t, RESERVATION_RESERVE, REGISTRANTS_ONLY, 1, GOOD); /* it is the other's */
    assert_non_null(reservations_violation(t.reservations));
    table_end(&t);
}

static void what_meets_a_change_is_not_judged(void **unused)
{
    (void)unused;
    struct table t;
    held(&t, WRITE_EXCLUSIVE);
    struct op *w = begin(&t, op_write(t.clients, 0, 1, false), 1);
    reserve(&t, RESERVATION_RELEASE, WRITE_EXCLUSIVE, 0, GOOD);
    end(&t, w, CONFLICT);
    assert_null(reservations_violation(t.reservations));
    table_end(&t);
}

static void keys_read(struct table *t, uint8_t host, uint64_t key)
{
    struct op *op = begin(t, op_reservation_read(t->clients, RESERVATION_READ_KEYS), host);
    be32_put(op->in + 4, key ? 8 : 0);
    be64_put(op->in + 8, key);
    op->in_length = key ? 16 : 8;
    end(t, op, GOOD);
}

static void what_is_read_is_what_was_set(void **unused)
{
    (void)unused;
    struct table t;
    held(&t, WRITE_EXCLUSIVE);
    keys_read(&t, 1, reservations_key(0, 0));
    assert_null(reservations_violation(t.reservations));
    keys_read(&t, 1, 0);
    assert_non_null(reservations_violation(t.reservations));
    table_end(&t);
}

static void an_unknown_outcome_is_read_first(void **unused)
{
    (void)unused;
    struct table t;
    bool keys_first = false;
    held(&t, WRITE_EXCLUSIVE);
    struct op *op =
        begin(&t, op_reserve(t.clients, RESERVATION_CLEAR, 0, 0, 0, reservations_key(0, 0)), 0);
    op->state = OP_STATE_LOST;
    op->not_after_ns = t.now_ns + 10;
    reservations_ended(t.reservations, op);
    assert_false(reservations_known(t.reservations, 0, VOLUME, &keys_first));
    assert_true(keys_first);
    write(&t, 1, GOOD); /* it may have been cleared */
    keys_read(&t, 1, 0);
    assert_false(reservations_known(t.reservations, 0, VOLUME, &keys_first));
    assert_true(keys_first); /* too early: it may still happen */
    t.now_ns += 20;
    keys_read(&t, 1, 0);
    assert_false(reservations_known(t.reservations, 0, VOLUME, &keys_first));
    assert_false(keys_first);
    op = begin(&t, op_reservation_read(t.clients, RESERVATION_READ_RESERVATION), 1);
    op->in_length = 8;
    end(&t, op, GOOD);
    assert_true(reservations_known(t.reservations, 0, VOLUME, &keys_first));
    assert_null(reservations_violation(t.reservations));
    write(&t, 1, CONFLICT);
    assert_non_null(reservations_violation(t.reservations));
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_against_a_reservation_is_wrong),
        cmocka_unit_test(a_conflict_without_a_reservation_is_wrong),
        cmocka_unit_test(registrants_may_write),
        cmocka_unit_test(what_meets_a_change_is_not_judged),
        cmocka_unit_test(what_is_read_is_what_was_set),
        cmocka_unit_test(an_unknown_outcome_is_read_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
