/* SPDX-License-Identifier: Apache-2.0 */
/* The quick loop: addresses, port states, LIP, bypasses, drives that come and go. */
#include "base/must.h"
#include "loopswitch/bench.h"

static struct loopswitch_drive_status status_of(const struct bench *b, int slot)
{
    struct loopswitch_drive_status status;
    for (uint32_t i = 0; loopswitch_drive(b->x, i, &status); i++)
        if (status.slot == slot)
            return status;
    fail_msg("no slot %d", slot);
    return status;
}

static enum loop_port_state state_of(const struct bench *b, int slot)
{
    return status_of(b, slot).state;
}

static const char *ask(struct bench *b, const char *text)
{
    bench_step(b, (struct event){.kind = EVENT_REQUEST, .request = {.tag = 77, .text = text}});
    const struct action *reply = bench_done(b, ACTION_REPLY, 0);
    return reply ? reply->notice.text : NULL;
}

/* The n-th test read of the last step, or 0. */
static uint64_t test_of(const struct bench *b, int n)
{
    const struct action *action = bench_done(b, ACTION_DRIVE, n);
    if (!action)
        return 0;
    assert_int_equal(action->drive.op, DRIVE_READ);
    assert_true(action->drive.tag >> 63);
    return action->drive.tag;
}

static void answer(struct bench *b, uint64_t tag, enum drive_status status)
{
    bench_complete(b, tag, status, slice_none());
}

/* The units that were logged in have new logins: what they send by the old ones is refused. */
static void take_logins(struct bench *b)
{
    uint64_t before = b->login[A];
    assert_true(bench_take_login(b, A));
    assert_true(bench_take_login(b, B));
    assert_int_not_equal(b->login[A], before);
}

static void vanish(struct bench *b, int slot)
{
    uint64_t tag = 0;
    assert_int_equal(bench_ask_read(b, A, slot, 1, &tag), DRIVE_OK);
    answer(b, tag, DRIVE_GONE);
    assert_int_equal(state_of(b, slot), LOOP_PORT_ABSENT);
}

static void restart(struct bench *b)
{
    bench_drop_actions(b);
    loopswitch_free(b->x);
    b->config.incarnation++;
    b->config.stored_length = b->stored_length;
    memcpy(b->config.stored, b->stored, b->stored_length);
    bench_boot(b);
}

/* ---- addresses ---- */

static void test_hard_addresses(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    assert_int_equal(status_of(&b, 0).al_pa, 0xEF);
    assert_int_equal(status_of(&b, 2).al_pa, 0xE4);
    assert_int_equal(status_of(&b, 4).al_pa, 0xE1);
    assert_int_equal(status_of(&b, 4).looplet, 0);
    bench_log_in(&b, A);
    const struct message *m = bench_said(&b, MESSAGE_LOGIN_ACCEPT, A);
    struct cursor c = cursor_of(slice_bytes(m->payload), m->payload.length);
    struct drive_info info;
    drive_info_get(&c, &info);
    assert_int_equal(info.al_pa, 0xEF);
    bench_end(&b);
}

/* LIFA goes before LIPA, that before LIHA, and who finds its own taken gets a soft one. */
static void test_order_of_initialisation(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    loopswitch_free(b.x);
    b.config.drive[2].al_pa = 0xEF; /* slot 4: slot 0's hard address */
    bench_boot(&b);
    assert_int_equal(status_of(&b, 4).al_pa, 0xEF);
    assert_int_equal(status_of(&b, 0).al_pa, 0x01); /* the lowest that is free: LISA */
    assert_int_equal(status_of(&b, 2).al_pa, 0xE4);
    bench_work(&b); /* stores */
    b.config.drive[2].al_pa = 0;
    restart(&b); /* nobody assigns any more: each keeps its previous one */
    assert_int_equal(status_of(&b, 4).al_pa, 0xEF);
    assert_int_equal(status_of(&b, 0).al_pa, 0x01);
    strcpy(b.config.drive[0].serial, "another"); /* a new drive has no previous one */
    restart(&b);
    assert_int_equal(status_of(&b, 0).al_pa, 0x01); /* its hard one is still slot 4's */
    strcpy(b.config.drive[2].serial, "another");
    b.config.drive[0].al_pa = 0x03; /* none that a port may have */
    restart(&b);
    assert_int_equal(status_of(&b, 0).al_pa, 0xEF);
    assert_int_equal(status_of(&b, 4).al_pa, 0xE1);
    bench_end(&b);
}

/* Of one that is absent, nobody takes the address meanwhile; no other looplet is touched. */
static void test_absent_keeps_its_address(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    loopswitch_free(b.x);
    b.config.drive[1].slot = 9; /* looplet 1 */
    b.config.drive[2].online = false;
    bench_boot(&b);
    assert_int_equal(state_of(&b, 4), LOOP_PORT_ABSENT);
    assert_int_equal(status_of(&b, 4).al_pa, AL_PA_NONE);
    uint64_t lips = status_of(&b, 9).counters.lips;
    bench_wait_ns(&b, MS(1));
    uint64_t test = test_of(&b, 0);
    assert_true(test);
    bench_complete_read(&b, test);
    assert_int_equal(state_of(&b, 4), LOOP_PORT_ONLINE);
    assert_int_equal(status_of(&b, 4).al_pa, 0xE1);
    assert_int_equal(status_of(&b, 9).counters.lips, lips);
    assert_int_equal(status_of(&b, 9).looplet, 1);
    assert_int_equal(status_of(&b, 0).counters.lips, 2);
    bench_step(&b, (struct event){.kind = EVENT_TRAY, .tray = {.slot = 4}});
    assert_int_equal(state_of(&b, 4), LOOP_PORT_ABSENT);
    assert_int_equal(status_of(&b, 4).al_pa, 0xE1);
    bench_end(&b);
}

/* ---- gone, and back ---- */

static void test_gone_drive_comes_back(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    vanish(&b, 0);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    uint64_t tag;
    assert_int_equal(bench_ask_read(&b, A, 2, 1, &tag), DRIVE_OK); /* another is not touched */
    bench_complete_read(&b, tag);
    uint64_t waits[] = {MS(250), MS(500), MS(1000), MS(2000), MS(4000), MS(8000), MS(8000)};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        bench_wait_ns(&b, waits[i] - MS(1));
        assert_int_equal(test_of(&b, 0), 0);
        bench_wait_ns(&b, MS(1));
        uint64_t test = test_of(&b, 0);
        assert_true(test);
        bench_wait_ns(&b, MS(60000)); /* one that hangs is the only one */
        assert_int_equal(test_of(&b, 0), 0);
        answer(&b, test, DRIVE_GONE);
        assert_int_equal(status_of(&b, 0).test_ns, b.now_ns + (i < 5 ? waits[i + 1] : MS(8000)));
    }
    bench_wait_ns(&b, MS(8000));
    uint64_t test = test_of(&b, 0);
    bench_complete_read(&b, test);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    take_logins(&b);
    answer(&b, test, DRIVE_GONE); /* twice: nobody's */
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    bench_wait_ns(&b, MS(25));
    const struct message *m = bench_said(&b, MESSAGE_SIGNAL, A);
    assert_int_equal(m->signal.drives[INDEX], 1u << 0 | 1u << 2 | 1u << 4);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_OK);
    bench_end(&b);
}

/* One that goes and comes, and goes and comes, is left out for longer and longer. */
static void test_flapping_is_bypassed(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    int joins = 0;
    for (; joins < 100; joins++) {
        vanish(&b, 0);
        uint64_t wait_ns = status_of(&b, 0).test_ns - b.now_ns;
        assert_true(wait_ns >= MS(250) && wait_ns <= MS(8000));
        b.now_ns += MS(250) - wait_ns % MS(250); /* as if each came back faster */
        bench_wait_ns(&b, wait_ns);
        answer(&b, test_of(&b, 0), DRIVE_OK);
        if (state_of(&b, 0) == LOOP_PORT_BYPASSED)
            break;
        take_logins(&b);
    }
    assert_in_range(joins, 4, 12);
    assert_int_equal(status_of(&b, 0).counters.bypasses, 1);
    bench_wait_ns(&b, MS(8000));
    uint64_t test = test_of(&b, 0);
    assert_true(test);
    answer(&b, test, DRIVE_OK);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE); /* a good while is enough */
    bench_end(&b);
}

static void err(struct bench *b, enum drive_op op, enum drive_status status)
{
    uint64_t tag = 0;
    struct drive_message m = bench_read_of(b, A, 0, 1);
    struct slice payload = slice_none();
    m.op = (uint8_t)op;
    if (op == DRIVE_FLUSH)
        m.length = 0;
    if (op == DRIVE_WRITE)
        payload = slice_of(buffer_get(b->pool, 4096), 0, 4096);
    assert_int_equal(bench_ask(b, A, m, payload, &tag), DRIVE_OK);
    bench_drop_actions(b);
    answer(b, tag, status);
    slice_drop(&payload);
}

static void test_errors_bypass(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    for (int i = 0; i < 40; i++) /* blocks that cannot be read are for the pool to repair */
        err(&b, DRIVE_READ, DRIVE_MEDIUM_ERROR);
    for (int i = 0; i < 15; i++)
        err(&b, i % 2 ? DRIVE_WRITE : DRIVE_FLUSH, DRIVE_MEDIUM_ERROR);
    bench_wait_ns(&b, MS(10001)); /* so many, but too slowly */
    for (int i = 0; i < 15; i++)
        err(&b, DRIVE_FILL, DRIVE_MEDIUM_ERROR);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    err(&b, DRIVE_WRITE, DRIVE_MEDIUM_ERROR);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_BYPASSED);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    assert_int_equal(bench_ask_read(&b, A, 2, 1, NULL), DRIVE_OK);
    struct loopswitch_drive_status s = status_of(&b, 0);
    assert_int_equal(s.counters.verdict[DRIVE_VERDICT_REPAIR], 40);
    assert_int_equal(s.counters.verdict[DRIVE_VERDICT_SUSPECT], 31);
    assert_int_equal(s.errors, 71);
    assert_int_equal(s.counters.bypasses, 1);
    bench_wait_ns(&b, MS(250));
    bench_complete_read(&b, test_of(&b, 0));
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    for (int i = 0; i < 16; i++) /* it has not learnt: the next time it waits for longer */
        err(&b, DRIVE_WRITE, DRIVE_MEDIUM_ERROR);
    assert_int_equal(status_of(&b, 0).test_ns, b.now_ns + MS(500));
    bench_end(&b);
}

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        enum drive_op op;
        enum drive_status status;
        const char *name;
    } table[] = {
        {DRIVE_READ, DRIVE_OK, "good"},
        {DRIVE_READ, DRIVE_MEDIUM_ERROR, "repair"},
        {DRIVE_READ, DRIVE_GONE, "fail"},
        {DRIVE_READ, DRIVE_BUSY, "retry"},
        {DRIVE_WRITE, DRIVE_MEDIUM_ERROR, "suspect"},
        {DRIVE_WRITE, DRIVE_BUSY, "retry"},
        {DRIVE_FILL, DRIVE_MEDIUM_ERROR, "suspect"},
        {DRIVE_FLUSH, DRIVE_MEDIUM_ERROR, "suspect"},
        {DRIVE_FLUSH, DRIVE_GONE, "fail"},
    };
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t before[DRIVE_VERDICTS] = {0};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].op == DRIVE_READ && table[i].status == DRIVE_OK) {
            uint64_t tag;
            assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
            bench_complete_read(&b, tag);
        } else {
            err(&b, table[i].op, table[i].status);
        }
        struct loopswitch_drive_status s = status_of(&b, 0);
        for (enum drive_verdict v = 0; v < DRIVE_VERDICTS; v++) {
            bool is_it = strcmp(loopswitch_verdict_name(v), table[i].name) == 0;
            assert_int_equal(s.counters.verdict[v], before[v] + is_it);
            before[v] = s.counters.verdict[v];
        }
        if (s.state == LOOP_PORT_ABSENT) {
            bench_wait_ns(&b, MS(8000));
            bench_complete_read(&b, test_of(&b, 0));
            take_logins(&b);
        }
    }
    bench_end(&b);
}

/* ---- LIP ---- */

static void test_lip(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t running = 0;
    assert_int_equal(bench_ask_read(&b, A, 2, 1, &running), DRIVE_OK);
    assert_non_null(strstr(ask(&b, "lip 0"), "LIP"));
    uint64_t tests[3] = {test_of(&b, 0), test_of(&b, 1), test_of(&b, 2)};
    assert_true(tests[0] && tests[1] && tests[2]);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_INITIALISING);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_BUSY); /* it waits */
    bench_complete_read(&b, running); /* what was under way goes on */
    assert_non_null(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A));
    bench_complete_read(&b, tests[0]);
    answer(&b, tests[1], DRIVE_MEDIUM_ERROR); /* it is there all the same */
    assert_int_equal(state_of(&b, 0), LOOP_PORT_INITIALISING);
    bench_wait_ns(&b, MS(999));
    assert_int_equal(state_of(&b, 4), LOOP_PORT_INITIALISING);
    bench_wait_ns(&b, MS(1)); /* the third does not answer */
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    assert_int_equal(state_of(&b, 2), LOOP_PORT_ONLINE);
    assert_int_equal(state_of(&b, 4), LOOP_PORT_BYPASSED);
    assert_int_equal(status_of(&b, 4).counters.timeouts, 1);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_OK);
    bench_complete_read(&b, tests[2]); /* late, but it does */
    assert_int_equal(state_of(&b, 4), LOOP_PORT_ONLINE);
    assert_string_equal(ask(&b, "lip 1"), "LIP: its ports take part again as they answer");
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE); /* no port of looplet 1 */
    ask(&b, "lip");
    assert_int_equal(state_of(&b, 0), LOOP_PORT_INITIALISING);
    answer(&b, test_of(&b, 0), DRIVE_GONE);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ABSENT);
    bench_wait_ns(&b, MS(1000));
    assert_int_equal(state_of(&b, 2), LOOP_PORT_BYPASSED);
    bench_end(&b);
}

/* ---- people ---- */

static void test_bypass_by_hand_stays(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    assert_null(ask(&b, "bypass 0")); /* not before it is durable */
    assert_int_equal(state_of(&b, 0), LOOP_PORT_BYPASSED_BY_HAND);
    bench_store(&b, true);
    const struct action *reply = bench_done(&b, ACTION_REPLY, 0);
    assert_non_null(reply);
    assert_int_equal(reply->notice.tag, 77);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    bench_wait_ns(&b, MS(600000));
    assert_null(bench_done(&b, ACTION_DRIVE, 0)); /* nobody tests it */
    restart(&b);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_BYPASSED_BY_HAND);
    assert_int_equal(status_of(&b, 0).al_pa, 0xEF);
    bench_log_in(&b, A);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    ask(&b, "lip");
    assert_int_equal(state_of(&b, 0), LOOP_PORT_BYPASSED_BY_HAND);
    assert_string_equal(ask(&b, "bypass 0"), "it is bypassed already");
    assert_null(ask(&b, "release 0"));
    uint64_t test = test_of(&b, 0);
    assert_true(test);
    bench_store(&b, true);
    assert_non_null(bench_done(&b, ACTION_REPLY, 0));
    bench_complete_read(&b, test);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    restart(&b);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ONLINE);
    bench_end(&b);
}

static void test_requests(void **state)
{
    (void)state;
    static const char *const refused[] = {"",           "lop",      "lip 3",         "lip x",
                                          "bypass",     "bypass 1", "bypass 24",     "bypass 0x",
                                          "release 99", "bypass ",  "locate-on 100", "lip 9999999"};
    struct bench b;
    bench_begin(&b);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const char *said = ask(&b, refused[i]);
        assert_non_null(said);
        assert_memory_equal(said, "refused: ", 9);
    }
    assert_string_equal(ask(&b, "release 0"), "it is not bypassed");
    assert_string_equal(ask(&b, "locate-on 4"), "its light is on");
    assert_true(status_of(&b, 4).located);
    assert_string_equal(ask(&b, "locate-off 4"), "its light is off");
    assert_false(status_of(&b, 4).located);
    assert_null(ask(&b, "bypass 4"));
    bench_store(&b, false);
    const struct action *reply = bench_done(&b, ACTION_REPLY, 0);
    assert_memory_equal(reply->notice.text, "refused: ", 9);
    bench_step(&b, (struct event){.kind = EVENT_STOP});
    bench_end(&b);
}

/* A bypass in the middle of a LIP lets the LIP end. */
static void test_bypass_in_a_lip(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    ask(&b, "lip");
    uint64_t tests[3] = {test_of(&b, 0), test_of(&b, 1), test_of(&b, 2)};
    bench_complete_read(&b, tests[1]);
    bench_complete_read(&b, tests[2]);
    assert_int_equal(state_of(&b, 2), LOOP_PORT_INITIALISING);
    ask(&b, "bypass 0");
    assert_int_equal(state_of(&b, 2), LOOP_PORT_ONLINE);
    bench_store(&b, true);
    bench_complete_read(&b, tests[0]);
    assert_int_equal(state_of(&b, 0), LOOP_PORT_BYPASSED_BY_HAND);
    bench_end(&b);
}

/* ---- hot add and removal ---- */

static void test_hot_add(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    loopswitch_free(b.x);
    b.config.drive[2].online = false;
    b.config.drive[2].bytes = 0;
    bench_boot(&b);
    bench_wait_ns(&b, 0);
    answer(&b, test_of(&b, 0), DRIVE_GONE);
    bench_work(&b);
    uint64_t login = b.login[A], tag = 0;
    assert_int_equal(bench_ask_read(&b, A, 2, 1, &tag), DRIVE_OK);
    struct event put_in = {.kind = EVENT_TRAY};
    put_in.tray.slot = 4;
    put_in.tray.online = true;
    put_in.tray.bytes = 8 << 20;
    put_in.tray.block_bytes = 512;
    put_in.tray.serial = "fresh";
    bench_step(&b, put_in);
    bench_complete_read(&b, test_of(&b, 0)); /* it is tested at once */
    assert_int_equal(state_of(&b, 4), LOOP_PORT_ONLINE);
    assert_null(bench_said(&b, MESSAGE_LOGIN_ACCEPT, A)); /* not before its read has ended */
    assert_true(bench_take_login(&b, B));
    assert_int_equal(bench_ask_read(&b, A, 2, 1, NULL), DRIVE_REFUSED_LOGIN);
    bench_complete_read(&b, tag);
    assert_null(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)); /* the new login says that it is over */
    const struct message *m = bench_said(&b, MESSAGE_LOGIN_ACCEPT, A);
    assert_non_null(m);
    assert_int_not_equal(m->login.login, login);
    assert_int_equal(m->login.login >> LOGIN_LIFE_SHIFT, login >> LOGIN_LIFE_SHIFT);
    assert_int_equal(m->login.drives, 3);
    struct cursor c = cursor_of(slice_bytes(m->payload), m->payload.length);
    struct drive_info info[3];
    for (int i = 0; i < 3; i++)
        drive_info_get(&c, &info[i]);
    assert_string_equal(info[2].serial, "fresh");
    assert_int_equal(info[2].bytes, 8 << 20);
    assert_int_equal(info[2].block_bytes, 512);
    assert_true(info[2].online);
    assert_int_not_equal(info[2].life, info[0].life); /* it was away */
    bench_step(&b, (struct event){.kind = EVENT_TRAY, .tray = {.slot = 5, .online = true}});
    bench_step(&b, (struct event){.kind = EVENT_TRAY, .tray = {.slot = 200, .online = true}});
    bench_end(&b);
}

/* What was under way to one that is taken out ends as the world says; the port takes no more. */
static void test_hot_removal(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    bench_work(&b);
    uint64_t tag = 0;
    assert_int_equal(bench_ask_read(&b, A, 0, 1, &tag), DRIVE_OK);
    bench_step(&b, (struct event){.kind = EVENT_TRAY, .tray = {.slot = 0}});
    assert_int_equal(state_of(&b, 0), LOOP_PORT_ABSENT);
    assert_int_equal(bench_ask_read(&b, A, 0, 1, NULL), DRIVE_GONE);
    bench_wait_ns(&b, MS(25));
    assert_int_equal(bench_said(&b, MESSAGE_SIGNAL, A)->signal.drives[INDEX], 1u << 2 | 1u << 4);
    answer(&b, tag, DRIVE_GONE);
    assert_int_equal(bench_said(&b, MESSAGE_DRIVE_RESPONSE, A)->drive.status, DRIVE_GONE);
    bench_end(&b);
}

static void test_unit_ports(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    struct loopswitch_port_status port;
    bench_link_up(&b, A);
    assert_true(loopswitch_unit_port(b.x, 0, &port));
    assert_int_equal(port.unit, port_unit(A, 0));
    assert_int_equal(port.state, LOOP_PORT_INITIALISING);
    assert_true(loopswitch_unit_port(b.x, GROUP_MAX, &port));
    assert_int_equal(port.state, LOOP_PORT_ABSENT);
    bench_log_in(&b, A);
    bench_log_in(&b, B);
    bench_fence(&b, A, 3, bench_allowed_of(&b, true, false));
    bench_assign(&b, A, 0, 3);
    assert_int_equal(bench_ask_read(&b, A, 0, 3, NULL), DRIVE_OK);
    assert_true(loopswitch_unit_port(b.x, 0, &port));
    assert_int_equal(port.state, LOOP_PORT_ONLINE);
    assert_int_equal(port.running, 1);
    assert_int_equal(port.counters.frames_in, 1);
    assert_true(loopswitch_unit_port(b.x, GROUP_MAX, &port));
    assert_int_equal(port.state, LOOP_PORT_DISABLED);
    assert_string_equal(loopswitch_state_name(port.state), "disabled");
    assert_false(loopswitch_unit_port(b.x, MODULE_MAX * GROUP_MAX, &port));
    bench_end(&b);
}

/* ---- what a drive carries ---- */

static uint8_t content_of(const struct bench *b, int slot)
{
    return status_of(b, slot).content;
}

static void test_adopting(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    loopswitch_free(b.x);
    b.config.drive[2].content = DRIVE_CONTENT_FOREIGN; /* slot 4 */
    b.config.drive[2].bytes = 8 << 20;
    bench_boot(&b);
    bench_work(&b);
    assert_memory_equal(ask(&b, "adopt 0"), "refused: it belongs to a group", 30);
    for (int failing = 1; failing >= 0; failing--) {
        assert_null(ask(&b, "adopt 4"));
        const struct action *head = bench_done(&b, ACTION_DRIVE, 0);
        const struct action *end = bench_done(&b, ACTION_DRIVE, 1);
        assert_int_equal(head->drive.op, DRIVE_FILL);
        assert_int_equal(head->drive.offset, 0);
        assert_int_equal(head->drive.data.length, 0); /* zeroes */
        assert_int_equal(end->drive.offset + end->drive.length, 8 << 20);
        uint64_t tag = head->drive.tag;
        assert_memory_equal(ask(&b, "adopt 4"), "refused: it is being wiped", 26);
        assert_false(bench_ask_assign(&b, A, 4, 1)); /* nobody takes it meanwhile */
        assert_non_null(bench_said(&b, MESSAGE_ASSIGN_ANSWER, A));
        answer(&b, tag, DRIVE_OK);
        answer(&b, tag, failing ? DRIVE_MEDIUM_ERROR : DRIVE_OK);
        if (!failing) {
            assert_int_equal(bench_done(&b, ACTION_DRIVE, 0)->drive.op, DRIVE_FLUSH);
            assert_int_equal(content_of(&b, 4), DRIVE_CONTENT_FOREIGN);
            answer(&b, tag, DRIVE_OK);
            assert_non_null(bench_said(&b, MESSAGE_LOGIN_ACCEPT, A)); /* the units hear of it */
        }
        const char *said = bench_done(&b, ACTION_REPLY, 0)->notice.text;
        assert_int_equal(strncmp(said, "refused: ", 9) == 0, failing);
        assert_int_equal(content_of(&b, 4), failing ? DRIVE_CONTENT_FOREIGN : DRIVE_CONTENT_NONE);
        answer(&b, tag, DRIVE_OK); /* nobody's */
    }
    bench_assign(&b, A, 4, 1);
    bench_end(&b);
}

/* A state of version 1 knew no addresses: it is read, and they are taken anew. */
static void test_version_1_is_read(void **state)
{
    (void)state;
    static const uint8_t stored[] = {0x53, 0x47, 0x4C, 0x53, 0, 1, 2, 1,    0,    0,    0,    0,
                                     0,    0,    0,    4,    0, 0, 0, 0,    0,    0,    0,    0,
                                     0,    0,    0,    2,    0, 1, 2, 0xFF, 0x65, 0x95, 0xE5, 0xEA};
    struct bench b;
    bench_begin(&b);
    loopswitch_free(b.x);
    b.config.stored_length = sizeof stored;
    memcpy(b.config.stored, stored, sizeof stored);
    bench_boot(&b);
    struct loopswitch_bank_status bank;
    loopswitch_bank(b.x, 0, &bank);
    assert_int_equal(bank.epoch, 4);
    assert_int_equal(status_of(&b, 0).bank, 1);
    assert_int_equal(status_of(&b, 0).al_pa, 0xEF);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hard_addresses),
        cmocka_unit_test(test_order_of_initialisation),
        cmocka_unit_test(test_absent_keeps_its_address),
        cmocka_unit_test(test_gone_drive_comes_back),
        cmocka_unit_test(test_flapping_is_bypassed),
        cmocka_unit_test(test_errors_bypass),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_lip),
        cmocka_unit_test(test_bypass_by_hand_stays),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_bypass_in_a_lip),
        cmocka_unit_test(test_hot_add),
        cmocka_unit_test(test_hot_removal),
        cmocka_unit_test(test_unit_ports),
        cmocka_unit_test(test_adopting),
        cmocka_unit_test(test_version_1_is_read),
    };
    return cmocka_run_group_tests_name("looplets", tests, NULL, NULL);
}
