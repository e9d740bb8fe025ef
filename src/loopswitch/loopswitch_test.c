/* SPDX-License-Identifier: Apache-2.0 */
#include "loopswitch/bench.h"

static void test_login_inventory(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_ask_login(&b, A); /* not linked */
    assert_false(bench_take_login(&b, A));
    bench_log_in(&b, A);
    const struct message *m = bench_said(&b, MESSAGE_LOGIN_ACCEPT, A);
    assert_int_equal(m->login.drives, 3);
    assert_int_equal(m->login.member.incarnation, 11);
    assert_int_equal(m->payload.length, 3 * DRIVE_INFO_BYTES);
    struct cursor c = cursor_of(slice_bytes(m->payload), m->payload.length);
    for (int i = 0; i < 3; i++) {
        struct drive_info info;
        drive_info_get(&c, &info);
        assert_false(c.failed);
        assert_int_equal(info.drive, bench_drive_number(2 * i));
        assert_int_equal(info.bank, BANK_NONE);
        assert_true(info.online);
        assert_int_equal(info.bytes, DRIVE_BYTES);
        assert_int_equal(info.block_bytes, 4096);
        assert_string_equal(info.serial, "serial");
    }
    uint64_t first = b.login[A];
    bench_ask_login(&b, A);
    assert_true(bench_take_login(&b, A));
    assert_int_not_equal(b.login[A], first);
    loopswitch_free(b.x); /* another life gives other numbers */
    b.config.incarnation++;
    bench_boot(&b);
    bench_log_in(&b, A);
    assert_int_not_equal(b.login[A] >> 24, first >> 24);
    bench_end(&b);
}

static void test_read_and_write(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t tag = 0;
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    const struct action *action = bench_done(&b, ACTION_DRIVE, 0);
    assert_int_equal(action->drive.op, DRIVE_READ);
    assert_int_equal(action->drive.offset, 4096);
    assert_int_equal(action->drive.length, 4096);
    struct buffer *buffer = buffer_get(b.pool, 4096);
    bench_complete(&b, tag, DRIVE_OK, slice_of(buffer, 0, 4096));
    const struct message *m = bench_said(&b, MESSAGE_DRIVE_RESPONSE, A);
    assert_non_null(m);
    assert_int_equal(m->drive.status, DRIVE_OK);
    assert_int_equal(m->drive.tag, 900);
    assert_ptr_equal(m->payload.buffer, buffer);

    struct drive_message write = bench_read_of(&b, B, 2, 1);
    write.op = DRIVE_WRITE;
    write.fua = true;
    assert_int_equal(bench_ask(&b, B, write, slice_of(buffer, 0, 4096), &tag), DRIVE_OK);
    action = bench_done(&b, ACTION_DRIVE, 0);
    assert_ptr_equal(action->drive.data.buffer, buffer);
    assert_true(action->drive.fua);
    buffer_unref(buffer);
    bench_complete(&b, tag, DRIVE_MEDIUM_ERROR, slice_none());
    m = bench_said(&b, MESSAGE_DRIVE_RESPONSE, B);
    assert_int_equal(m->drive.status, DRIVE_MEDIUM_ERROR);
    struct loopswitch_drive_status status;
    assert_true(loopswitch_drive(b.x, 1, &status));
    assert_int_equal(status.slot, 2);
    assert_int_equal(status.errors, 1);
    assert_true(loopswitch_drive(b.x, 0, &status));
    assert_int_equal(status.reads, 1);
    assert_int_equal(status.read_bytes, 4096);
    assert_false(loopswitch_drive(b.x, 3, &status));
    bench_complete(&b, tag, DRIVE_OK, slice_none()); /* twice: nobody's */
    bench_complete(&b, 12345, DRIVE_OK, slice_none());
    assert_null(bench_said(&b, MESSAGE_DRIVE_RESPONSE, B));
    /* a short read is no read */
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    bench_complete(&b, tag, DRIVE_OK, slice_none());
    assert_int_equal(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)->drive.status, DRIVE_MEDIUM_ERROR);
    bench_end(&b);
}

static void test_admission_order(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_log_in(&b, A);
    /* nobody has fenced: nothing is assigned, nobody is allowed */
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    bench_link_up(&b, B);
    b.login[B] = b.login[A];
    assert_int_equal(bench_ask_read(&b, B, 0, 1, NULL), DRIVE_REFUSED_LOGIN);
    bench_fence(&b, A, 3, bench_allowed_of(&b, true, false));
    bench_assign(&b, A, 0, 3);
    bench_log_in(&b, B);
    assert_int_equal(bench_ask_read(&b, A, 0, 3, NULL), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, A, 0, 4, NULL), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, A, 0, 2, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)->drive.epoch, 3);
    assert_int_equal(bench_ask_read(&b, B, 0, 3, NULL), DRIVE_REFUSED_EPOCH);
    assert_int_equal(bench_ask_read(&b, A, 2, 3, NULL), DRIVE_GONE); /* unassigned */
    assert_int_equal(bench_ask_read(&b, A, 1, 3, NULL), DRIVE_GONE); /* empty slot */
    struct drive_message m = bench_read_of(&b, A, 0, 3);
    m.drive = 0; /* another loop switch's */
    assert_int_equal(bench_ask(&b, A, m, slice_none(), NULL), DRIVE_GONE);
    m = bench_read_of(&b, A, 0, 3);
    m.bank = 1;
    assert_int_equal(bench_ask(&b, A, m, slice_none(), NULL), DRIVE_GONE);
    m.bank = 200;
    assert_int_equal(bench_ask(&b, A, m, slice_none(), NULL), DRIVE_GONE);
    m = bench_read_of(&b, A, 0, 3);
    m.login++;
    assert_int_equal(bench_ask(&b, A, m, slice_none(), NULL), DRIVE_REFUSED_LOGIN);
    for (int i = 2; i < DRIVE_COMMANDS; i++)
        assert_int_equal(bench_ask_read(&b, A, 0, 3, NULL), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, A, 0, 3, NULL), DRIVE_BUSY);
    struct loopswitch_bank_status bank;
    loopswitch_bank(b.x, 0, &bank);
    assert_int_equal(bank.admitted, DRIVE_COMMANDS);
    assert_int_equal(bank.refused, 4);
    assert_int_equal(bank.epoch, 3);
    bench_end(&b);
}

static void test_bounds(void **state)
{
    (void)state;
    const struct {
        enum drive_op op;
        uint64_t offset;
        uint32_t length, payload;
        enum drive_status status;
    } rows[] = {
        {DRIVE_READ, 0, 512, 0, DRIVE_OK},
        {DRIVE_READ, DRIVE_BYTES - 512, 512, 0, DRIVE_OK},
        {DRIVE_READ, DRIVE_BYTES, 512, 0, DRIVE_MEDIUM_ERROR},
        {DRIVE_READ, DRIVE_BYTES - 512, 1024, 0, DRIVE_MEDIUM_ERROR},
        {DRIVE_READ, UINT64_MAX - 511, 1024, 0, DRIVE_MEDIUM_ERROR},
        {DRIVE_READ, 0, 0, 0, DRIVE_MEDIUM_ERROR},
        {DRIVE_READ, 0, 100, 0, DRIVE_MEDIUM_ERROR},
        {DRIVE_READ, 100, 512, 0, DRIVE_MEDIUM_ERROR},
        {DRIVE_READ, 0, 512, 512, DRIVE_MEDIUM_ERROR},
        {DRIVE_WRITE, 0, 512, 512, DRIVE_OK},
        {DRIVE_WRITE, 0, 1024, 512, DRIVE_MEDIUM_ERROR},
        {DRIVE_FILL, 0, DRIVE_BYTES, 512, DRIVE_OK},
        {DRIVE_FILL, 0, 8192, 4096, DRIVE_OK},
        {DRIVE_FILL, 0, 512, 4096, DRIVE_MEDIUM_ERROR},
        {DRIVE_FILL, 0, 8192, 1024, DRIVE_MEDIUM_ERROR},
        {DRIVE_FLUSH, 0, 0, 0, DRIVE_OK},
        {DRIVE_FLUSH, 0, 0, 512, DRIVE_MEDIUM_ERROR},
        {(enum drive_op)9, 0, 512, 0, DRIVE_MEDIUM_ERROR},
    };
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    struct buffer *buffer = buffer_get(b.pool, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct drive_message m = bench_read_of(&b, A, 0, 1);
        m.op = (uint8_t)rows[i].op;
        m.offset = rows[i].offset;
        m.length = rows[i].length;
        struct slice payload = slice_of(rows[i].payload ? buffer : NULL, 0, rows[i].payload);
        uint64_t tag = 0;
        assert_int_equal(bench_ask(&b, A, m, payload, &tag), rows[i].status);
        if (rows[i].status == DRIVE_OK)
            bench_complete(&b, tag, DRIVE_MEDIUM_ERROR, slice_none());
    }
    bench_drop_actions(&b);
    buffer_unref(buffer);
    bench_end(&b);
}

static void test_login_waits_for_the_earlier_one(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t tag = 0, old_login = b.login[A];
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    bench_link_down(&b, A);
    bench_link_up(&b, A);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_REFUSED_LOGIN); /* not logged in */
    bench_ask_login(&b, A);
    assert_false(bench_take_login(&b, A));
    bench_complete_read(&b, tag);
    assert_null(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)); /* nobody waits for it */
    assert_true(bench_take_login(&b, A));
    assert_int_not_equal(b.login[A], old_login);
    struct drive_message old = bench_read_of(&b, A, 0, 1);
    old.login = old_login;
    assert_int_equal(bench_ask(&b, A, old, slice_none(), NULL), DRIVE_REFUSED_LOGIN);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    /* again, without a cut link; a drive that hangs costs itself, not the login */
    bench_ask_login(&b, A);
    assert_false(bench_take_login(&b, A));
    bench_wait_ns(&b, MS(1000));
    assert_true(bench_take_login(&b, A));
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    assert_int_equal(bench_ask_read(&b, A, 2, 1, NULL), DRIVE_OK);
    bench_complete_read(&b, tag);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_OK);
    bench_end(&b);
}

static void test_assign_rules(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_log_in(&b, A);
    bench_log_in(&b, B);
    assert_false(bench_ask_assign(&b, A, 0, 1)); /* no fence yet */
    assert_non_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A));
    bench_fence(&b, A, 4, bench_allowed_of(&b, true, false));
    assert_false(bench_ask_assign(&b, A, 0, 3)); /* an earlier epoch */
    assert_false(bench_ask_assign(&b, B, 0, 4)); /* not allowed */
    assert_false(bench_ask_assign(&b, A, 1, 4)); /* empty slot */
    assert_null(bench_done(&b, ACTION_STORE, 0));
    bench_assign(&b, A, 0, 4);
    assert_true(bench_ask_assign(&b, A, 0, 4)); /* the same bank: at once */
    assert_int_equal(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A)->assign.tag, 5);
    /* the other group cannot have it */
    struct message m = {.kind = MESSAGE_LOGIN, .from = port_unit(A, 1)};
    m.login.group = 1;
    m.login.member = (struct member){A, 50};
    bench_step(&b, (struct event){.kind = EVENT_LINK_UP, .link = {.port = port_unit(A, 1)}});
    bench_hear(&b, A, m);
    m = (struct message){.kind = MESSAGE_FENCE, .from = port_unit(A, 1)};
    m.fence.bank = 1;
    m.fence.epoch = 1;
    members_add(&m.fence.allowed, (struct member){A, 50});
    bench_hear(&b, A, m);
    bench_store(&b, true);
    m = (struct message){.kind = MESSAGE_ASSIGN, .from = port_unit(A, 1)};
    m.assign = (struct assign_message){.bank = 1, .epoch = 1, .drive = bench_drive_number(0)};
    bench_hear(&b, A, m);
    assert_int_equal(b.actions->at[0].message.kind, MESSAGE_ASSIGN_ANSWER);
    assert_false(b.actions->at[0].message.assign.done);
    m.assign.drive = bench_drive_number(2);
    bench_hear(&b, A, m);
    /* while that is being stored, neither can the first group */
    const struct action *action = bench_done(&b, ACTION_STORE, 0);
    struct event stored = {.kind = EVENT_STORED, .stored = {.tag = action->store.tag, .ok = true}};
    assert_false(bench_ask_assign(&b, A, 2, 4));
    assert_non_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A));
    bench_step(&b, stored);
    struct loopswitch_drive_status drive;
    assert_true(loopswitch_drive(b.x, 1, &drive));
    assert_int_equal(drive.bank, 1);
    bench_end(&b);
}

/* To nobody: then any bank may have it. */
static bool ask_back(struct bench *b, int slot)
{
    struct message m = {.kind = MESSAGE_ASSIGN};
    m.assign = (struct assign_message){
        .bank = BANK_NONE, .epoch = 1, .drive = bench_drive_number(slot), .tag = 6};
    bench_hear(b, A, m);
    const struct message *said = bench_said(b, MESSAGE_ASSIGN_ANSWER, A);
    return said && said->assign.done;
}

static void test_giving_back(void **state)
{
    (void)state;
    struct bench b;
    struct loopswitch_drive_status drive;
    uint64_t tag;
    bench_begin(&b);
    bench_work(&b);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    assert_false(ask_back(&b, 0)); /* something is under way on it */
    assert_non_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A));
    bench_complete_read(&b, tag);
    assert_false(ask_back(&b, 0)); /* not before it is durable; refused from now on */
    assert_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A));
    const struct action *action = bench_done(&b, ACTION_STORE, 0);
    struct event stored = {.kind = EVENT_STORED, .stored = {.tag = action->store.tag, .ok = false}};
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    assert_false(bench_ask_assign(&b, A, 0, 1));
    assert_non_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A));
    bench_step(&b, stored); /* it could not be kept: all as before */
    assert_false(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A)->assign.done);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    bench_complete_read(&b, tag);
    assert_false(ask_back(&b, 0));
    bench_store(&b, true);
    assert_true(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A)->assign.done);
    assert_int_equal(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A)->assign.bank, BANK_NONE);
    assert_true(loopswitch_drive(b.x, 0, &drive));
    assert_int_equal(drive.bank, BANK_NONE);
    assert_true(ask_back(&b, 0)); /* it is so already */
    bench_assign(&b, A, 0, 1);
    bench_end(&b);
}

static void test_signals(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_link_up(&b, B);
    assert_non_null(bench_said(&b, MESSAGE_SIGNAL, B));
    assert_int_equal(loopswitch_wake_ns(b.x), b.now_ns + MS(25));
    b.now_ns += MS(10);
    bench_hear(&b, B, (struct message){.kind = MESSAGE_SIGNAL, .signal = {.now_ns = 444}});
    bench_wait_ns(&b, MS(15));
    const struct message *m = bench_said(&b, MESSAGE_SIGNAL, B);
    assert_non_null(m);
    assert_int_equal(m->signal.group, 0xFF);
    assert_int_equal(m->signal.member.module, INDEX);
    assert_int_equal(m->signal.member.incarnation, 7);
    assert_int_equal(m->signal.echo_ns, 444);
    assert_int_equal(m->signal.echo_delay_ns, MS(15));
    bench_link_down(&b, B);
    bench_wait_ns(&b, MS(25));
    assert_null(bench_said(&b, MESSAGE_SIGNAL, B));
    bench_end(&b);
}

static void test_stop(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t tag = 0;
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    bench_step(&b, (struct event){.kind = EVENT_STOP});
    bench_wait_ns(&b, MS(1000)); /* no unit says that it stops, too */
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_BUSY);
    assert_null(bench_done(&b, ACTION_STOPPED, 0));
    bench_complete_read(&b, tag);
    uint64_t tags[3];
    for (int i = 0; i < 3; i++) {
        const struct action *action = bench_done(&b, ACTION_DRIVE, i);
        assert_non_null(action);
        assert_int_equal(action->drive.op, DRIVE_FLUSH);
        assert_int_equal(action->drive.slot, 2 * i);
        tags[i] = action->drive.tag;
    }
    for (int i = 0; i < 3; i++) {
        assert_null(bench_done(&b, ACTION_STOPPED, 0));
        bench_complete(&b, tags[i], DRIVE_OK, slice_none());
    }
    assert_non_null(bench_done(&b, ACTION_STOPPED, 0));
    assert_int_equal(loopswitch_wake_ns(b.x), UINT64_MAX);
    bench_wait_ns(&b, MS(100));
    assert_int_equal(b.actions->count, 0);
    bench_end(&b);
}

static void unit_says_that_it_stops(struct bench *b, int module, uint8_t stopping)
{
    bench_hear(
        b, module,
        (struct message){.kind = MESSAGE_SIGNAL, .signal = {.now_ns = 444, .stopping = stopping}});
}

/* Everything is told to stop at once: units bring to the drives what they hold before these go. */
static void test_stop_beside_units_that_stop(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t tag = 0;
    bench_step(&b, (struct event){.kind = EVENT_STOP});
    bench_wait_ns(&b, MS(800));
    unit_says_that_it_stops(&b, A, 1);
    unit_says_that_it_stops(&b, B, 2);
    for (int i = 0; i < 4; i++) {
        bench_wait_ns(&b, MS(900));
        unit_says_that_it_stops(&b, A, 1);
        assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
        bench_complete_read(&b, tag);
    }
    assert_null(bench_done(&b, ACTION_DRIVE, 0));
    unit_says_that_it_stops(&b, A, 2);
    assert_non_null(bench_done(&b, ACTION_DRIVE, 0)); /* nobody needs them any more: flushed */
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_BUSY);
    bench_end(&b);
}

/* One that stops in order, and hangs, or does not come to its end, is not waited for without end.
 */
static void test_stop_beside_a_unit_that_does_not_stop(void **state)
{
    (void)state;
    for (int hangs = 0; hangs < 2; hangs++) {
        struct bench b;
        bench_begin(&b);
        bench_work(&b);
        bench_step(&b, (struct event){.kind = EVENT_STOP});
        for (int s = 0; s < (hangs ? 2 : 27); s++) {
            if (!hangs || s == 0)
                unit_says_that_it_stops(&b, A, 1);
            bench_wait_ns(&b, MS(1000));
        }
        assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_BUSY);
        bench_end(&b);
    }
}

/* A drive that hangs, whatever is tried on it, leaves the places of the others. */
static void test_hung_drive_starves_nobody(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    bench_assign(&b, A, 4, 1);
    uint64_t tags[DRIVE_COMMANDS], hung = 0;
    for (int i = 0; i < 2 * COMMANDS; i++) /* one try after the other */
        if (bench_ask_read(&b, A, 0, 1, i ? NULL : &hung) == DRIVE_BUSY)
            assert_true(i >= DRIVE_COMMANDS);
    for (int slot = 2; slot <= 4; slot += 2)
        for (int i = 0; i < DRIVE_COMMANDS; i++)
            assert_int_equal(bench_ask_read(&b, A, slot, 1, &tags[i]), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, A, 4, 1, NULL), DRIVE_BUSY);
    bench_complete_read(&b, tags[0]);
    assert_int_equal(bench_ask_read(&b, A, 4, 1, NULL), DRIVE_OK);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_BUSY);
    bench_complete_read(&b, hung);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_OK);
    bench_end(&b);
}

/* Without a pool of the world's, inventories come from one of its own. */
static void test_own_buffers(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    loopswitch_free(b.x);
    b.config.buffers = NULL;
    bench_boot(&b);
    bench_log_in(&b, A);
    assert_int_equal(bench_said(&b, MESSAGE_LOGIN_ACCEPT, A)->payload.length, 3 * DRIVE_INFO_BYTES);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_inventory),
        cmocka_unit_test(test_read_and_write),
        cmocka_unit_test(test_admission_order),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_login_waits_for_the_earlier_one),
        cmocka_unit_test(test_assign_rules),
        cmocka_unit_test(test_giving_back),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_beside_units_that_stop),
        cmocka_unit_test(test_stop_beside_a_unit_that_does_not_stop),
        cmocka_unit_test(test_hung_drive_starves_nobody),
        cmocka_unit_test(test_own_buffers),
    };
    return cmocka_run_group_tests_name("loopswitch", tests, NULL, NULL);
}
