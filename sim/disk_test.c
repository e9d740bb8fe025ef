/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/disk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sim/probe.h"

enum { DRIVE = 1, SIZE = 1 << 20 };

struct bench {
    struct world *world;
    struct probe loop;
    int process;
};

static void bench_begin(struct bench *t, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    struct world_config config = world_config_default(seed);
    t->world = world_new(&config);
    t->process = world_add_process(t->world, "L1");
    world_add_part(t->world, t->process, "L1", port_loop(0), &probe_kind, &t->loop);
    disk_add(t->world, t->process, DRIVE, SIZE);
    world_start(t->world, t->process);
}

static void ask(struct bench *t, enum drive_op op, uint64_t offset, uint32_t length, uint8_t fill,
                bool fua)
{
    struct action *action = probe_do(&t->loop, ACTION_DRIVE);
    action->drive.slot = DRIVE;
    action->drive.op = (uint8_t)op;
    action->drive.offset = offset;
    action->drive.length = length;
    action->drive.fua = fua;
    if (op == DRIVE_WRITE) {
        struct buffer *buffer = buffer_get(world_buffers(t->world), length);
        memset(buffer->data, fill, length);
        action->drive.data = slice_of(buffer, 0, length);
    }
    probe_go(t->world, &t->loop);
}

static struct seen last(struct bench *t)
{
    struct seen seen;
    assert_true(probe_seen(&t->loop, EVENT_DRIVE, &seen) > 0);
    return seen;
}

static void it_reads_what_was_written(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 1);
    ask(&t, DRIVE_WRITE, 4096, 1024, 7, false);
    world_run(t.world, MS(1));
    assert_int_equal(last(&t).result, DRIVE_OK);
    ask(&t, DRIVE_READ, 4608, 512, 0, false);
    world_run(t.world, MS(1));
    assert_int_equal(last(&t).data[0], 7);
    ask(&t, DRIVE_FILL, 4096, 512, 0, false);
    world_run(t.world, MS(1));
    assert_int_equal(disk_bytes(t.world, DRIVE)[4096], 0);
    assert_int_equal(disk_bytes(t.world, DRIVE)[4608], 7);
    ask(&t, DRIVE_READ, SIZE - 512, 1024, 0, false);
    world_run(t.world, MS(1));
    assert_int_equal(last(&t).result, DRIVE_MEDIUM_ERROR);
    assert_true(world_free(t.world));
}

/* Over many seeds: what a power cut does to a write that was flushed, and to one that was not. */
static void a_power_cut_loses_only_what_was_not_flushed(void **unused)
{
    (void)unused;
    bool kept = false, lost = false, torn = false;
    for (uint64_t seed = 1; seed < 60; seed++) {
        struct bench t;
        bench_begin(&t, seed);
        ask(&t, DRIVE_WRITE, 0, 1024, 1, false);
        world_run(t.world, MS(1));
        ask(&t, DRIVE_FLUSH, 0, 0, 0, false);
        world_run(t.world, MS(1));
        ask(&t, DRIVE_WRITE, 0, 1024, 2, false);
        ask(&t, DRIVE_WRITE, 8192, 512, 3, true);
        world_run(t.world, MS(1));
        world_power_cut(t.world);
        const uint8_t *bytes = disk_bytes(t.world, DRIVE);
        assert_int_equal(bytes[8192], 3);
        assert_true(bytes[0] == 1 || bytes[0] == 2);
        kept |= bytes[0] == 2 && bytes[512] == 2;
        lost |= bytes[0] == 1 && bytes[512] == 1;
        torn |= bytes[0] != bytes[512];
        world_free(t.world);
    }
    assert_true(kept && lost && torn);
}

static void forced_data_never_goes_back(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct bench t;
        bench_begin(&t, seed);
        ask(&t, DRIVE_WRITE, 0, 2048, 1, false);
        world_run(t.world, MS(1));
        ask(&t, DRIVE_WRITE, 512, 512, 2, true);
        world_run(t.world, MS(1));
        world_power_cut(t.world);
        assert_int_equal(disk_bytes(t.world, DRIVE)[512], 2);
        world_free(t.world);
    }
}

static void a_death_tears_what_is_under_way_and_keeps_the_rest(void **unused)
{
    (void)unused;
    bool whole = false, none = false, torn = false;
    for (uint64_t seed = 1; seed < 60; seed++) {
        struct bench t;
        bench_begin(&t, seed);
        ask(&t, DRIVE_WRITE, 8192, 512, 5, false);
        world_run(t.world, MS(1));
        ask(&t, DRIVE_WRITE, 0, 4096, 6, false);
        world_crash(t.world, t.process);
        const uint8_t *bytes = disk_bytes(t.world, DRIVE);
        assert_int_equal(bytes[8192], 5);
        whole |= bytes[0] == 6 && bytes[3584] == 6;
        none |= bytes[0] == 0;
        torn |= bytes[0] == 6 && bytes[3584] == 0;
        world_start(t.world, t.process);
        ask(&t, DRIVE_READ, 0, 512, 0, false);
        world_run(t.world, MS(5));
        assert_int_equal(probe_seen(&t.loop, EVENT_DRIVE, NULL), 2);
        assert_true(world_free(t.world));
    }
    assert_true(whole && none && torn);
}

static void trouble_is_as_ordered(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 1);
    disk_hang(t.world, DRIVE, true);
    ask(&t, DRIVE_READ, 0, 512, 0, false);
    world_run(t.world, MS(500));
    assert_int_equal(probe_seen(&t.loop, EVENT_DRIVE, NULL), 0);
    disk_hang(t.world, DRIVE, false);
    world_run(t.world, MS(5));
    assert_int_equal(probe_seen(&t.loop, EVENT_DRIVE, NULL), 1);
    disk_delay_next(t.world, DRIVE, DRIVE_READ, MS(50));
    ask(&t, DRIVE_READ, 0, 512, 0, false);
    world_run(t.world, MS(40));
    assert_int_equal(probe_seen(&t.loop, EVENT_DRIVE, NULL), 1);
    world_run(t.world, MS(20));
    assert_int_equal(probe_seen(&t.loop, EVENT_DRIVE, NULL), 2);
    disk_fail(t.world, DRIVE, false, true);
    ask(&t, DRIVE_WRITE, 0, 512, 1, false);
    world_run(t.world, MS(5));
    assert_int_equal(last(&t).result, DRIVE_MEDIUM_ERROR);
    disk_remove(t.world, DRIVE, true);
    ask(&t, DRIVE_READ, 0, 512, 1, false);
    world_run(t.world, MS(5));
    assert_int_equal(last(&t).result, DRIVE_GONE);
    assert_true(world_free(t.world));
}

static void what_is_stored_survives(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 1);
    struct action *action = probe_do(&t.loop, ACTION_STORE);
    action->store.length = 3;
    memcpy(action->store.bytes, "abc", 3);
    probe_go(t.world, &t.loop);
    world_run(t.world, MS(5));
    assert_int_equal(probe_seen(&t.loop, EVENT_STORED, NULL), 1);
    world_power_cut(t.world);
    assert_int_equal(t.loop.part->stored_length, 3);
    assert_memory_equal(t.loop.part->stored, "abc", 3);
    world_free(t.world);
}

static void a_block_that_cannot_be_read_is_healed_by_a_write(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 1);
    ask(&t, DRIVE_WRITE, 0, 4096, 7, false);
    world_run(t.world, MS(1));
    disk_spoil(t.world, DRIVE, 1024);
    ask(&t, DRIVE_READ, 512, 1024, 0, false);
    world_run(t.world, MS(1));
    assert_int_equal(last(&t).result, DRIVE_MEDIUM_ERROR);
    ask(&t, DRIVE_READ, 0, 1024, 0, false);
    world_run(t.world, MS(1));
    assert_int_equal(last(&t).result, DRIVE_OK);
    ask(&t, DRIVE_WRITE, 1024, 512, 8, false);
    world_run(t.world, MS(1));
    ask(&t, DRIVE_READ, 512, 1024, 0, false);
    world_run(t.world, MS(1));
    assert_int_equal(last(&t).result, DRIVE_OK);
    world_free(t.world);
}

static void drives_change_places_and_are_exchanged(void **unused)
{
    (void)unused;
    struct bench t;
    bench_begin(&t, 1);
    disk_add(t.world, t.process, DRIVE + 1, SIZE);
    ask(&t, DRIVE_WRITE, 512, 512, 7, false);
    world_run(t.world, MS(1));
    assert_true(disk_late_ns(t.world, t.process) == 0);
    disk_swap(t.world, DRIVE, DRIVE + 1);
    assert_int_equal(disk_bytes(t.world, DRIVE)[512], 0);
    assert_int_equal(disk_bytes(t.world, DRIVE + 1)[512], 7);
    disk_blank(t.world, DRIVE + 1);
    assert_int_equal(disk_bytes(t.world, DRIVE + 1)[512], 0);
    assert_false(disk_touched(t.world, DRIVE + 1, 512, 512));
    disk_power_cut(t.world, DRIVE + 1); /* nothing of the old one comes back */
    assert_int_equal(disk_bytes(t.world, DRIVE + 1)[512], 0);
    disk_delay_next(t.world, DRIVE, DRIVE_WRITE, MS(500));
    ask(&t, DRIVE_WRITE, 512, 512, 7, false);
    assert_true(disk_late_ns(t.world, t.process) > world_now(t.world) + MS(400));
    world_free(t.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_what_was_written),
        cmocka_unit_test(a_power_cut_loses_only_what_was_not_flushed),
        cmocka_unit_test(forced_data_never_goes_back),
        cmocka_unit_test(a_death_tears_what_is_under_way_and_keeps_the_rest),
        cmocka_unit_test(trouble_is_as_ordered),
        cmocka_unit_test(what_is_stored_survives),
        cmocka_unit_test(a_block_that_cannot_be_read_is_healed_by_a_write),
        cmocka_unit_test(drives_change_places_and_are_exchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
