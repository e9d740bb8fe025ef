/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/stream.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sim/probe.h"

struct bench {
    struct world *world;
    struct probe iswitch;
    int process;
    uint8_t got[4096];
    uint32_t got_length;
    uint32_t closes;
    uint32_t stream;
};

static void on_opened(void *host)
{
    (void)host;
}

static void on_data(void *host, const uint8_t *bytes, uint32_t length)
{
    struct bench *t = host;
    memcpy(t->got + t->got_length, bytes, length);
    t->got_length += length;
}

static void on_closed(void *host)
{
    struct bench *t = host;
    t->closes++;
}

static const struct stream_ops ops = {on_opened, on_data, on_closed};

static void bench_begin(struct bench *t, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    struct world_config config = world_config_default(seed);
    t->world = world_new(&config);
    t->process = world_add_process(t->world, "IS1");
    struct part *part =
        world_add_part(t->world, t->process, "IS1", port_switch(0), &probe_kind, &t->iswitch);
    world_start(t->world, t->process);
    t->stream = stream_open(t->world, part, 0, t, &ops);
}

/* All that the machine got, in order, sunk bytes left out. */
static uint32_t machine_got(const struct bench *t, uint8_t *out)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < t->iswitch.count; i++)
        if (t->iswitch.seen[i].kind == EVENT_STREAM_DATA) {
            memcpy(out + length, t->iswitch.seen[i].data, t->iswitch.seen[i].length);
            length += t->iswitch.seen[i].length;
        }
    return length;
}

static void bytes_go_both_ways_in_order(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct bench t;
        uint8_t bytes[48], got[4096];
        bench_begin(&t, seed);
        for (int i = 0; i < 48; i++)
            bytes[i] = (uint8_t)i;
        stream_send(t.world, t.stream, bytes, 48);
        world_run(t.world, MS(5));
        assert_int_equal(probe_seen(&t.iswitch, EVENT_STREAM_OPEN, NULL), 1);
        assert_int_equal(machine_got(&t, got), 48);
        assert_memory_equal(got, bytes, 48);
        struct action *action = probe_do(&t.iswitch, ACTION_STREAM_SEND);
        action->stream.stream = t.stream;
        action->stream.head_length = 48;
        memcpy(action->stream.head, bytes, 48);
        action->stream.pad = 2;
        probe_go(t.world, &t.iswitch);
        world_run(t.world, MS(5));
        assert_int_equal(t.got_length, 50);
        assert_memory_equal(t.got, bytes, 48);
        assert_int_equal(probe_seen(&t.iswitch, EVENT_STREAM_SENT, NULL), 1);
        assert_true(world_free(t.world));
    }
}

static void the_sink_is_filled_first(void **unused)
{
    (void)unused;
    struct bench t;
    struct seen seen;
    bench_begin(&t, 3);
    world_run(t.world, MS(1));
    t.iswitch.sink = buffer_get(world_buffers(t.world), 4096);
    world_pause(t.world, t.process);
    stream_send(t.world, t.stream, (const uint8_t *)"0123456789abcdefGHIJ", 20);
    world_run(t.world, MS(5));
    world_resume(t.world, t.process);
    world_run(t.world, MS(5));
    probe_seen(&t.iswitch, EVENT_STREAM_DATA, &seen);
    assert_int_equal(seen.sunk, 16);
    assert_int_equal(seen.length, 4);
    assert_memory_equal(t.iswitch.sink->data, "0123456789abcdef", 16);
    assert_memory_equal(seen.data, "GHIJ", 4);
    assert_false(seen.late);
    buffer_unref(t.iswitch.sink);
    t.iswitch.sink = NULL;
    assert_true(world_free(t.world));
}

static void what_lay_in_the_socket_is_late(void **unused)
{
    (void)unused;
    struct bench t;
    struct seen seen;
    bench_begin(&t, 3);
    world_run(t.world, MS(1));
    world_pause(t.world, t.process);
    stream_send(t.world, t.stream, (const uint8_t *)"abcd", 4);
    world_run(t.world, MS(30000));
    world_resume(t.world, t.process);
    world_run(t.world, MS(5));
    assert_int_equal(probe_seen(&t.iswitch, EVENT_STREAM_DATA, &seen), 1);
    assert_true(seen.late);
    world_free(t.world);
}

static void a_dribble_gives_a_byte_at_a_time(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 3);
    stream_dribble(t.world, t.stream, MS(1000));
    stream_send(t.world, t.stream, (const uint8_t *)"abcd", 4);
    world_run(t.world, MS(2500));
    uint32_t count = probe_seen(&t.iswitch, EVENT_STREAM_DATA, NULL);
    assert_true(count == 2 || count == 3);
    world_run(t.world, MS(2500));
    assert_int_equal(probe_seen(&t.iswitch, EVENT_STREAM_DATA, NULL), 4);
    world_free(t.world);
}

static void either_end_can_close(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 3);
    stream_send(t.world, t.stream, (const uint8_t *)"abcd", 4);
    stream_close(t.world, t.stream);
    world_run(t.world, MS(5));
    assert_int_equal(probe_seen(&t.iswitch, EVENT_STREAM_CLOSED, NULL), 1);
    assert_int_equal(t.closes, 0);
    t.stream = stream_open(t.world, t.iswitch.part, 0, &t, &ops);
    world_run(t.world, MS(5));
    struct action *action = probe_do(&t.iswitch, ACTION_STREAM_CLOSE);
    action->stream.stream = t.stream;
    probe_go(t.world, &t.iswitch);
    world_run(t.world, MS(5));
    assert_int_equal(t.closes, 1);
    t.stream = stream_open(t.world, t.iswitch.part, 0, &t, &ops);
    world_run(t.world, MS(5));
    world_crash(t.world, t.process);
    world_run(t.world, MS(5));
    assert_int_equal(t.closes, 2);
    assert_int_equal(stream_open(t.world, t.iswitch.part, 0, &t, &ops), 0);
    world_free(t.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_in_order),
        cmocka_unit_test(the_sink_is_filled_first),
        cmocka_unit_test(what_lay_in_the_socket_is_late),
        cmocka_unit_test(a_dribble_gives_a_byte_at_a_time),
        cmocka_unit_test(either_end_can_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
