/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/link.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "sim/probe.h"

/* Two processes with a unit each, linked. */
struct pair {
    struct world *world;
    struct probe a, b;
    int pa, pb;
};

static void pair_begin(struct pair *t, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    struct world_config config = world_config_default(seed);
    t->world = world_new(&config);
    t->pa = world_add_process(t->world, "A");
    t->pb = world_add_process(t->world, "B");
    world_add_part(t->world, t->pa, "A1", port_unit(0, 0), &probe_kind, &t->a);
    world_add_part(t->world, t->pb, "B1", port_unit(1, 0), &probe_kind, &t->b);
    world_add_link(t->world, t->pa, t->pb);
    world_start(t->world, t->pa);
    world_start(t->world, t->pb);
    world_run(t->world, MS(5));
}

static void pair_end(struct pair *t)
{
    assert_true(world_free(t->world));
}

/* Messages first .. first + count - 1 from A to B, each with a payload that says its number. */
static void send(struct pair *t, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        struct message *m = probe_send(&t->a, MESSAGE_STREAM, port_unit(1, 0));
        m->stream.first = i;
        struct buffer *buffer = buffer_get(world_buffers(t->world), 64);
        be64_put(buffer->data, i);
        m->payload = slice_of(buffer, 0, 64);
        probe_go(t->world, &t->a);
    }
}

/* B has got just 1 .. count, in order. */
static void assert_got(const struct pair *t, uint64_t count)
{
    uint64_t next = 1;
    for (uint32_t i = 0; i < t->b.count; i++)
        if (t->b.seen[i].kind == EVENT_MESSAGE) {
            assert_int_equal(t->b.seen[i].message.stream.first, next);
            assert_int_equal(t->b.seen[i].first, next);
            next++;
        }
    assert_int_equal(next - 1, count);
}

static void both_learn_that_the_link_is_up(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 1);
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_UP, &seen), 1);
    assert_int_equal(seen.port, port_unit(1, 0));
    assert_int_equal(probe_seen(&t.b, EVENT_LINK_UP, NULL), 1);
    pair_end(&t);
}

static void frames_arrive_in_order(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct pair t;
        pair_begin(&t, seed);
        send(&t, 1, 50);
        world_run(t.world, MS(5));
        assert_got(&t, 50);
        pair_end(&t);
    }
}

static void what_was_sent_during_a_cut_arrives_after_it(void **unused)
{
    (void)unused;
    struct pair t;
    pair_begin(&t, 2);
    link_cut(t.world, t.pa, t.pb, LINK_TO);
    send(&t, 1, 5);
    world_run(t.world, MS(500));
    assert_got(&t, 0);
    assert_int_equal(probe_seen(&t.b, EVENT_LINK_DOWN, NULL), 0);
    link_restore(t.world, t.pa, t.pb);
    send(&t, 6, 1);
    world_run(t.world, MS(5));
    assert_got(&t, 6);
    pair_end(&t);
}

static void a_hold_begins_at_its_kind(void **unused)
{
    (void)unused;
    struct pair t;
    pair_begin(&t, 2);
    link_hold(t.world, t.pa, t.pb, MESSAGE_STREAM);
    struct message *m = probe_send(&t.a, MESSAGE_HANDOVER, port_unit(1, 0));
    m->handover.epoch = 7;
    probe_go(t.world, &t.a);
    world_run(t.world, MS(5));
    assert_int_equal(probe_seen(&t.b, EVENT_MESSAGE, NULL), 1);
    assert_false(link_held(t.world, t.pa, t.pb));
    send(&t, 1, 2);
    assert_true(link_held(t.world, t.pa, t.pb));
    world_run(t.world, MS(50));
    assert_int_equal(probe_seen(&t.b, EVENT_MESSAGE, NULL), 1);
    link_restore(t.world, t.pa, t.pb);
    world_run(t.world, MS(5));
    assert_int_equal(probe_seen(&t.b, EVENT_MESSAGE, NULL), 3);
    pair_end(&t);
}

static void a_lost_connection_delivers_a_prefix(void **unused)
{
    (void)unused;
    bool shortened = false, some = false;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct pair t;
        struct seen seen;
        pair_begin(&t, seed);
        send(&t, 1, 10);
        link_break(t.world, t.pa, t.pb, true);
        send(&t, 11, 5); /* A does not know yet: these go nowhere */
        world_run(t.world, MS(10));
        uint32_t got = probe_seen(&t.b, EVENT_MESSAGE, NULL);
        assert_true(got <= 10);
        assert_got(&t, got);
        shortened |= got < 10;
        some |= got > 0;
        assert_int_equal(probe_seen(&t.b, EVENT_LINK_DOWN, &seen), 1);
        assert_false(seen.gone);
        assert_int_equal(probe_seen(&t.b, EVENT_LINK_UP, NULL), 2);
        pair_end(&t);
    }
    assert_true(shortened && some);
}

static void a_broken_link_stays_down_until_it_is_restored(void **unused)
{
    (void)unused;
    struct pair t;
    pair_begin(&t, 3);
    link_break(t.world, t.pa, t.pb, false);
    world_run(t.world, MS(1000));
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_UP, NULL), 1);
    link_restore(t.world, t.pa, t.pb);
    world_run(t.world, MS(10));
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_UP, NULL), 2);
    send(&t, 1, 3);
    world_run(t.world, MS(5));
    assert_got(&t, 3);
    pair_end(&t);
}

static void a_death_is_known_and_its_last_words_may_come(void **unused)
{
    (void)unused;
    bool some = false;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct pair t;
        struct seen seen;
        pair_begin(&t, seed);
        send(&t, 1, 10);
        world_crash(t.world, t.pa);
        world_run(t.world, MS(10));
        uint32_t got = probe_seen(&t.b, EVENT_MESSAGE, NULL);
        assert_got(&t, got);
        some |= got > 0;
        assert_int_equal(probe_seen(&t.b, EVENT_LINK_DOWN, &seen), 1);
        assert_true(seen.gone);
        world_start(t.world, t.pa);
        world_run(t.world, MS(10));
        assert_int_equal(t.a.lives, 2);
        assert_int_equal(probe_seen(&t.b, EVENT_LINK_UP, NULL), 2);
        pair_end(&t);
    }
    assert_true(some);
}

static void a_paused_process_reads_late_and_its_links_stay_up(void **unused)
{
    (void)unused;
    struct pair t;
    struct seen seen;
    pair_begin(&t, 4);
    world_pause(t.world, t.pb);
    send(&t, 1, 4);
    uint64_t sent = world_clock(t.world, t.pb);
    world_run(t.world, MS(300));
    assert_got(&t, 0);
    world_resume(t.world, t.pb);
    world_run(t.world, MS(1));
    assert_got(&t, 4);
    probe_seen(&t.b, EVENT_MESSAGE, &seen);
    assert_true(seen.now_ns - sent >= MS(300));
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_DOWN, NULL), 0);
    pair_end(&t);
}

static void the_same_seed_gives_the_same_run(void **unused)
{
    (void)unused;
    struct pair t, u;
    pair_begin(&t, 9);
    pair_begin(&u, 9);
    send(&t, 1, 20);
    send(&u, 1, 20);
    world_run(t.world, MS(5));
    world_run(u.world, MS(5));
    assert_int_equal(t.b.count, u.b.count);
    for (uint32_t i = 0; i < t.b.count; i++)
        assert_int_equal(t.b.seen[i].now_ns, u.b.seen[i].now_ns);
    pair_end(&t);
    pair_end(&u);
}

static void kinds_vanish_until_they_do_not(void **unused)
{
    (void)unused;
    struct pair t;
    pair_begin(&t, 1);
    link_lose_kinds(t.world, t.pa, t.pb, (uint64_t)1 << MESSAGE_STREAM);
    assert_true(link_loses(t.world, t.pa, t.pb) && !link_loses(t.world, t.pb, t.pa));
    send(&t, 7, 3);
    world_run(t.world, MS(5));
    link_lose_kinds(t.world, t.pa, t.pb, (uint64_t)1 << MESSAGE_HELD);
    send(&t, 1, 4);
    world_run(t.world, MS(5));
    assert_got(&t, 4);
    pair_end(&t);
}

static void a_narrow_link_is_slow_for_what_is_large(void **unused)
{
    (void)unused;
    struct pair t;
    pair_begin(&t, 1);
    link_narrow(t.world, t.pa, t.pb, MS(1)); /* a byte */
    send(&t, 1, 2);                          /* of 64 */
    world_run(t.world, MS(60));
    assert_got(&t, 0);
    world_run(t.world, MS(10));
    assert_got(&t, 1);
    world_run(t.world, MS(60));
    assert_got(&t, 2);
    pair_end(&t);
}

/* What is sent to a process that does not read does not fill the world: the link is closed, and a
 * new one comes when it reads again. */
static void a_queue_is_not_without_end(void **unused)
{
    (void)unused;
    enum { PIECE = 1 << 20 };
    struct pair t;
    pair_begin(&t, 1);
    world_pause(t.world, t.pb);
    for (uint64_t i = 1; i <= 400; i++) {
        struct message *m = probe_send(&t.a, MESSAGE_STREAM, port_unit(1, 0));
        struct buffer *buffer = buffer_get(world_buffers(t.world), PIECE);
        assert_non_null(buffer);
        m->stream.first = i;
        m->payload = slice_of(buffer, 0, PIECE);
        probe_go(t.world, &t.a);
        world_run(t.world, MS(2));
    }
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_DOWN, NULL), 1);
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_UP, NULL), 1);
    world_resume(t.world, t.pb);
    world_run(t.world, MS(20));
    assert_int_equal(probe_seen(&t.a, EVENT_LINK_UP, NULL), 2);
    assert_int_equal(probe_seen(&t.b, EVENT_LINK_UP, NULL), 2);
    pair_end(&t);
}

/* What a process that people stop does not do has a cause. */
static void a_process_that_is_to_stop_is_not_sound(void **state)
{
    (void)state;
    struct pair t;
    pair_begin(&t, 3);
    assert_true(world_sound_since(t.world, t.pa) <= world_now(t.world));
    world_stop(t.world, t.pa);
    assert_true(world_sound_since(t.world, t.pa) == UINT64_MAX);
    assert_true(world_sound_since(t.world, t.pb) <= world_now(t.world));
    world_run(t.world, MS(5));
    world_crash(t.world, t.pa);
    world_run(t.world, MS(5));
    uint64_t again_ns = world_now(t.world);
    world_start(t.world, t.pa);
    assert_int_equal(world_sound_since(t.world, t.pa), again_ns);
    pair_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_learn_that_the_link_is_up),
        cmocka_unit_test(frames_arrive_in_order),
        cmocka_unit_test(what_was_sent_during_a_cut_arrives_after_it),
        cmocka_unit_test(a_hold_begins_at_its_kind),
        cmocka_unit_test(a_lost_connection_delivers_a_prefix),
        cmocka_unit_test(a_broken_link_stays_down_until_it_is_restored),
        cmocka_unit_test(a_death_is_known_and_its_last_words_may_come),
        cmocka_unit_test(a_paused_process_reads_late_and_its_links_stay_up),
        cmocka_unit_test(kinds_vanish_until_they_do_not),
        cmocka_unit_test(a_narrow_link_is_slow_for_what_is_large),
        cmocka_unit_test(a_queue_is_not_without_end),
        cmocka_unit_test(a_process_that_is_to_stop_is_not_sound),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
