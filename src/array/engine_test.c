/* SPDX-License-Identifier: Apache-2.0 */
/* The RAID engine over drives that misbehave one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/bits.h"
#include "array/fake_drives.h"
#include "array/layout.h"

static const int pair[2] = {0, 4};
static const int four[4] = {0, 4, 1, 5};
enum { VOLUME_BYTES = 3 << 20 };

static struct slice pattern(struct fake_world *w, uint32_t bytes, uint8_t seed)
{
    struct buffer *buffer = buffer_get(w->buffers, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        buffer->data[i] = (uint8_t)(seed + i / 512 * 7 + i % 251);
    return slice_of(buffer, 0, bytes);
}

static bool write_at(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed, bool fua)
{
    struct array_io io = {.op = ARRAY_WRITE, .lba = lba, .blocks = bytes / 512, .fua = fua};
    io.data = pattern(w, bytes, seed);
    bool good = fake_io(w, &io);
    slice_drop(&io.data);
    return good;
}

static void expect_at(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed)
{
    struct array_io io = {.op = ARRAY_READ, .lba = lba, .blocks = bytes / 512};
    assert_true(fake_io(w, &io));
    assert_int_equal(io.data.length, bytes);
    struct slice wanted = pattern(w, bytes, seed);
    assert_memory_equal(slice_bytes(io.data), slice_bytes(wanted), bytes);
    slice_drop(&wanted);
    slice_drop(&io.data);
}

static void assert_equal(const struct fake_world *w, int a, int b)
{
    assert_memory_equal(w->drive[a].now + LAYOUT_DATA, w->drive[b].now + LAYOUT_DATA, 3 << 20);
}

static struct array_status status(const struct fake_world *w)
{
    struct array_status out;
    array_describe(w->array, &out);
    return out;
}

static uint32_t bits_on(const struct fake_world *w, int i)
{
    struct bits bits;
    uint64_t sequence, best = 0;
    uint32_t count = 0;
    const struct pool_info *pool = array_pool(w->array, 0);
    for (int slot = 0; slot < 2; slot++)
        if (layout_get_map(w->drive[i].durable + LAYOUT_MAP + slot * 4096, pool->uuid, LAYOUT_UNIT,
                           &sequence, &bits) &&
            sequence > best) {
            best = sequence;
            count = bits_count(&bits);
        }
    return count;
}

static void test_write_and_read(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(1);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    assert_true(write_at(w, 0, 4096, 1, false));
    assert_true(write_at(w, 2047, 1536, 2, false)); /* over the end of a region */
    assert_true(write_at(w, 3000, 1 << 20, 3, true));
    expect_at(w, 0, 4096, 1);
    expect_at(w, 2047, 1536, 2);
    expect_at(w, 3000, 1 << 20, 3);
    assert_equal(w, 0, 4);
    struct array_io beyond = {.op = ARRAY_READ, .lba = 6144 - 1, .blocks = 2};
    assert_false(fake_io(w, &beyond));
    assert_true(beyond.failed);
    fake_free(w);
}

static void test_striped(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(2);
    fake_pool(w, RAID_10, four, 4, 6 << 20);
    assert_true(write_at(w, 100, 1 << 20, 9, false));
    expect_at(w, 100, 1 << 20, 9);
    expect_at(w, 100, 512, 9);
    assert_equal(w, 0, 4);
    assert_equal(w, 1, 5);
    /* chunk 1 of the volume is chunk 0 of the second pair */
    struct slice wanted = pattern(w, 1 << 20, 9);
    assert_memory_equal(w->drive[1].now + LAYOUT_DATA, slice_bytes(wanted) + 65536 - 100 * 512,
                        65536);
    slice_drop(&wanted);
    fake_free(w);
}

static void test_fill(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(3);
    fake_pool(w, RAID_10, four, 4, 6 << 20);
    assert_true(write_at(w, 0, 1 << 20, 1, false));
    struct array_io io = {.op = ARRAY_FILL, .lba = 7, .blocks = 4001};
    io.data = pattern(w, 512, 33);
    assert_true(fake_io(w, &io));
    struct array_io read = {.op = ARRAY_READ, .lba = 0, .blocks = 2048};
    assert_true(fake_io(w, &read));
    struct slice before = pattern(w, 1 << 20, 1);
    assert_memory_equal(slice_bytes(read.data), slice_bytes(before), 7 * 512);
    for (int b = 7; b < 2048; b++)
        assert_memory_equal(slice_bytes(read.data) + b * 512, slice_bytes(io.data), 512);
    slice_drop(&read.data);
    slice_drop(&before);
    slice_drop(&io.data);
    struct array_io zero = {.op = ARRAY_FILL, .lba = 0, .blocks = 6144 * 2};
    assert_true(fake_io(w, &zero));
    for (int i = 0; i < 3 << 20; i += 4096)
        assert_int_equal(w->drive[5].now[LAYOUT_DATA + i], 0);
    assert_equal(w, 1, 5);
    fake_free(w);
}

static void test_flush_is_durable(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(4);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    assert_true(write_at(w, 64, 65536, 5, false));
    struct array_io io = {.op = ARRAY_FLUSH};
    assert_true(fake_io(w, &io));
    struct slice wanted = pattern(w, 65536, 5);
    for (int i = 0; i < 2; i++)
        assert_memory_equal(w->drive[pair[i]].durable + LAYOUT_DATA + 64 * 512, slice_bytes(wanted),
                            65536);
    slice_drop(&wanted);
    fake_free(w);
}

/* The answer waits for the record, and the drive that failed is not read. */
static void test_write_error(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(5);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    fake_run(w, MS(6000)); /* the bits of its making are cleared */
    w->follows = false;
    w->drive[4].write_errors = true;
    struct array_io io = {.op = ARRAY_WRITE, .lba = 8, .blocks = 8};
    io.data = pattern(w, 4096, 6);
    array_submit(w->array, &io);
    assert_true(fake_until(w, &w->bad, 1, MS(2000)));
    fake_run(w, MS(1500));
    assert_null(array_next_done(w->array));
    assert_int_equal(w->bad, 1);
    assert_int_equal(array_waiting_drive(w->array), fake_number(4));
    w->drive[4].record = DRIVE_STATE_FAILED;
    array_drive_state(w->array, fake_number(4), DRIVE_STATE_FAILED);
    fake_run(w, MS(20));
    assert_ptr_equal(array_next_done(w->array), &io);
    assert_false(io.failed);
    slice_drop(&io.data);
    uint32_t reads = w->drive[4].reads;
    for (int i = 0; i < 20; i++)
        expect_at(w, 8, 4096, 6);
    assert_int_equal(w->drive[4].reads, reads);
    fake_run(w, MS(10000));
    assert_int_equal(w->returned, 0);           /* not before a new login */
    assert_int_equal(status(w).regions_set, 1); /* what it lacks stays set */
    fake_free(w);
}

static void test_hung_drive(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(6);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    w->drive[0].hangs = true;
    uint64_t begun = w->now_ns;
    assert_true(write_at(w, 8, 4096, 6, false)); /* BAD after all tries, then FAILED */
    assert_true(w->now_ns - begun >= w->limits.drive_total_ns);
    assert_int_equal(w->bad, 1);
    assert_true(write_at(w, 8, 4096, 7, false));
    w->drive[0].hangs = false; /* old tries land now, on a drive that takes part in nothing */
    fake_run(w, MS(100));
    expect_at(w, 8, 4096, 7);
    fake_free(w);
}

/* Hosts do not wait for a tray that is away: as soon as the limit says so it goes on without. */
static void test_tray_away_and_back(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(7);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    fake_run(w, MS(8000));
    fake_logout(w, 1, true);
    uint64_t begun = w->now_ns;
    assert_true(write_at(w, 2048, 8192, 8, false));
    assert_true(w->now_ns - begun < MS(50));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
    assert_true(write_at(w, 2048, 4096, 9, false));
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(5000)));
    assert_int_equal(w->returned, 1);
    assert_equal(w, 0, 4);
    assert_true(w->drive[4].reads < 40); /* by the map, not the whole drive */
    fake_run(w, MS(5000));
    assert_int_equal(bits_on(w, 0), 0);
    assert_int_equal(bits_on(w, 4), 0);
    fake_free(w);
}

static void test_short_absence(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(8);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    struct array_io io = {.op = ARRAY_WRITE, .lba = 8, .blocks = 8};
    io.data = pattern(w, 4096, 6);
    fake_logout(w, 1, false);
    array_submit(w->array, &io);
    fake_run(w, MS(60));
    assert_null(array_next_done(w->array));
    struct array_io read = {.op = ARRAY_READ, .lba = 400, .blocks = 8};
    assert_true(fake_io(w, &read)); /* reads go on */
    slice_drop(&read.data);
    fake_login(w, 1);
    fake_run(w, MS(20));
    assert_ptr_equal(array_next_done(w->array), &io);
    assert_false(io.failed);
    assert_int_equal(w->bad, 0);
    slice_drop(&io.data);
    assert_equal(w, 0, 4);
    fake_free(w);
}

static void test_repair(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(9);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    assert_true(write_at(w, 64, 8192, 3, false));
    w->drive[0].bad_from = LAYOUT_DATA + 64 * 512;
    w->drive[0].bad_to = w->drive[0].bad_from + 512;
    for (int i = 0; i < 10; i++)
        expect_at(w, 64, 8192, 3);
    assert_int_equal(w->drive[0].bad_to, 0); /* written back */
    assert_int_equal(w->bad, 0);
    w->drive[0].bad_from = w->drive[4].bad_from = LAYOUT_DATA + 64 * 512;
    w->drive[0].bad_to = w->drive[4].bad_to = w->drive[0].bad_from + 512;
    struct array_io io = {.op = ARRAY_READ, .lba = 64, .blocks = 1};
    assert_false(fake_io(w, &io));
    fake_free(w);
}

/* A write that was given up may still land: a later one to the same blocks waits for it. */
static void test_last_drive_is_never_bad(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct fake_world *w = fake_new(10 + seed);
        fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
        w->drive[4].write_errors = true;
        assert_true(write_at(w, 0, 4096, 1, false));
        assert_int_equal(w->bad, 1);
        w->drive[0].hangs = true;
        uint64_t begun = w->now_ns;
        assert_false(write_at(w, 0, 4096, 2, false));
        assert_true(w->now_ns - begun >= w->limits.drive_total_ns);
        assert_int_equal(w->bad, 1);
        struct array_io io = {.op = ARRAY_WRITE, .lba = 0, .blocks = 8};
        io.data = pattern(w, 4096, 3);
        array_submit(w->array, &io);
        fake_run(w, MS(1000));
        w->drive[0].hangs = false;
        while (!array_next_done(w->array))
            fake_turn(w);
        assert_false(io.failed);
        slice_drop(&io.data);
        fake_run(w, MS(100));
        expect_at(w, 0, 4096, 3);
        fake_free(w);
    }
}

/* Both drives of the pair lie behind loop switches that are away: nobody is blamed for it. */
static void test_all_away(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(30);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    assert_true(write_at(w, 0, 4096, 3, false));
    fake_run(w, MS(6000));
    fake_logout(w, 0, true);
    fake_logout(w, 1, true);
    assert_false(array_can_serve(w->array));
    struct array_io read = {.op = ARRAY_READ, .lba = 0, .blocks = 8};
    assert_false(fake_io(w, &read));
    assert_false(write_at(w, 0, 4096, 1, false));
    assert_int_equal(w->bad, 0);
    fake_login(w, 0);
    fake_login(w, 1);
    assert_true(array_can_serve(w->array));
    assert_true(write_at(w, 0, 4096, 2, false));
    expect_at(w, 0, 4096, 2);
    assert_equal(w, 0, 4);
    fake_free(w);
}

/* While commands wait for a drive that is away for long the engine sleeps. */
static void test_no_spin_while_away(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(33);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    assert_true(fake_write(w, 0, 4096, 1)); /* what is not mapped needs no drive */
    fake_run(w, MS(6000));
    fake_logout(w, 0, false);
    fake_logout(w, 1, false);
    struct array_io read = {.op = ARRAY_READ, .lba = 0, .blocks = 8};
    array_submit(w->array, &read);
    fake_run(w, MS(1000));
    uint64_t now_ns = w->now_ns + MS(1);
    array_pump(w->array, now_ns, w->actions);
    w->actions->count = 0;
    assert_true(array_wake_ns(w->array) > now_ns);
    fake_login(w, 0);
    while (!array_next_done(w->array))
        fake_turn(w);
    assert_false(read.failed);
    slice_drop(&read.data);
    fake_free(w);
}

static void test_pool_delete(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(31);
    char text[128];
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    struct manage_request r = {.verb = MANAGE_VOLUME_DELETE, .name = "v1"};
    assert_true(fake_manage(w, &r, text, sizeof text));
    r = (struct manage_request){.verb = MANAGE_POOL_DELETE, .name = "p1"};
    assert_true(fake_manage(w, &r, text, sizeof text));
    assert_string_equal(text, "pool=0");
    struct superblock superblock;
    assert_false(layout_get_superblock(w->drive[0].durable, &superblock));
    assert_false(layout_get_superblock(w->drive[4].durable + FAKE_BYTES - 4096, &superblock));
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES); /* the drives are free again */
    assert_true(layout_get_superblock(w->drive[4].durable + FAKE_BYTES - 4096, &superblock));
    fake_free(w);
}

static void test_grow_zeroes(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(32);
    char text[128];
    fake_pool(w, RAID_1, pair, 2, (1 << 20) + 512);
    assert_true(write_at(w, 2048, 512, 1, false));
    struct manage_request r = {.verb = MANAGE_VOLUME_GROW, .name = "v1", .bytes = 3 << 20};
    assert_true(fake_manage(w, &r, text, sizeof text));
    expect_at(w, 2048, 512, 1);
    bool mapped;
    assert_int_equal(array_mapped(w->array, 0, 4096, &mapped), 2048);
    assert_false(mapped);
    assert_int_equal(array_volume(w->array, 0)->blocks, 6144);
    fake_free(w);
}

static void test_raid_0(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(33);
    fake_pool(w, RAID_0, four, 4, 12 << 20);
    assert_true(write_at(w, 100, 1 << 20, 5, false));
    expect_at(w, 100, 1 << 20, 5);
    w->drive[4].write_errors = true;
    assert_false(write_at(w, 100, 1 << 20, 6, false));
    assert_int_equal(w->bad, 0);
    fake_free(w);
}

/* Deleted under its I/O: nothing of it reaches the volume that gets its place. */
static void test_orphans(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(34);
    char text[128];
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    w->slow_ns = MS(30);
    struct array_io io = {.op = ARRAY_WRITE, .lba = 0, .blocks = 2048};
    io.data = pattern(w, 1 << 20, 3);
    array_submit(w->array, &io);
    fake_turn(w);
    struct manage_request r = {.verb = MANAGE_VOLUME_DELETE, .name = "v1"};
    assert_true(fake_manage(w, &r, text, sizeof text));
    r = (struct manage_request){.verb = MANAGE_VOLUME_CREATE, .name = "v2", .pool = "p1"};
    r.uuid[0] = 10;
    r.block_bytes = 4096;
    r.bytes = 3 << 20;
    assert_true(fake_manage(w, &r, text, sizeof text));
    assert_ptr_equal(array_next_done(w->array), &io);
    slice_drop(&io.data);
    for (int i = 0; i < 3 << 20; i++)
        assert_int_equal(w->drive[0].now[LAYOUT_DATA + i], 0);
    assert_equal(w, 0, 4);
    fake_free(w);
}

static void test_lost_answers_and_busy(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(11);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    w->drive[0].busy = 5;
    assert_true(write_at(w, 0, 4096, 1, false));
    w->drive[0].lose = 1; /* done, but nobody hears of it: its tries are never all answered */
    w->follows = false;
    struct array_io io = {.op = ARRAY_WRITE, .lba = 0, .blocks = 8};
    io.data = pattern(w, 4096, 3);
    array_submit(w->array, &io);
    fake_run(w, MS(3000));
    assert_null(array_next_done(w->array));
    fake_logout(w, 0, false);
    fake_login(w, 0); /* drains: now it is certain */
    fake_run(w, MS(50));
    assert_ptr_equal(array_next_done(w->array), &io);
    assert_false(io.failed);
    slice_drop(&io.data);
    fake_free(w);
}

static void test_fence_refuses(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(12);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    w->fence_epoch = 9;
    struct array_io io = {.op = ARRAY_WRITE, .lba = 0, .blocks = 8};
    io.data = pattern(w, 4096, 3);
    array_submit(w->array, &io);
    assert_true(fake_until(w, &w->refused, 1, MS(100)));
    fake_run(w, MS(500));
    assert_int_equal(w->refused, 1);
    assert_null(array_next_done(w->array));
    array_epoch(w->array, 9);
    fake_run(w, MS(50));
    assert_ptr_equal(array_next_done(w->array), &io);
    slice_drop(&io.data);
    fake_free(w);
}

static void test_bits_are_cleared_lazily(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(13);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    fake_run(w, MS(6000));
    assert_true(write_at(w, 0, 4096, 1, false));
    assert_true(write_at(w, 4096, 4096, 1, false));
    assert_int_equal(bits_on(w, 0), 2);
    fake_run(w, MS(6000));
    assert_int_equal(status(w).regions_set, 0);
    assert_int_equal(bits_on(w, 0), 0);
    assert_int_equal(bits_on(w, 4), 0);
    assert_memory_equal(w->drive[0].durable + LAYOUT_DATA, w->drive[4].durable + LAYOUT_DATA, 4096);
    fake_free(w);
}

static void test_quiesce(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(14);
    fake_pool(w, RAID_10, four, 4, 6 << 20);
    assert_true(write_at(w, 0, 1 << 20, 1, false));
    array_quiesce(w->array);
    assert_true(fake_until(w, &w->clean, 1, MS(1000)));
    for (int i = 0; i < 4; i++)
        assert_int_equal(bits_on(w, four[i]), 0);
    fake_crash(w, true); /* a power cut afterwards loses nothing */
    fake_restart(w, false);
    assert_int_equal(status(w).regions_set, 0);
    expect_at(w, 0, 1 << 20, 1);
    fake_free(w);
}

static void test_resync_in_doubt(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(15);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    for (int i = 0; i < 12; i++)
        assert_true(write_at(w, (uint64_t)i * 512, 4096, (uint8_t)i, false));
    fake_crash(w, false);
    memset(w->drive[4].now + LAYOUT_DATA + 5000, 0xAB, 100000); /* half-done writes */
    fake_restart(w, true);
    assert_true(status(w).regions_in_doubt > 0);
    struct array_io read = {.op = ARRAY_READ, .lba = 0, .blocks = 2048};
    assert_true(fake_io(w, &read)); /* waits until its region agrees */
    assert_memory_equal(w->drive[4].now + LAYOUT_DATA, w->drive[0].now + LAYOUT_DATA, 1 << 20);
    slice_drop(&read.data);
    fake_run(w, MS(2000));
    assert_int_equal(status(w).regions_in_doubt, 0);
    assert_equal(w, 0, 4);
    fake_free(w);
}

static void test_new_drive(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(16);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    for (int i = 0; i < 12; i++)
        assert_true(write_at(w, (uint64_t)i * 512, 4096, (uint8_t)i, false));
    fake_logout(w, 1, true);
    assert_true(write_at(w, 0, 4096, 44, false));
    uint8_t *old = malloc(FAKE_BYTES);
    memcpy(old, w->drive[4].now, FAKE_BYTES);
    memset(w->drive[4].now, 0, FAKE_BYTES);
    memset(w->drive[4].durable, 0, FAKE_BYTES);
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(10000)));
    assert_equal(w, 0, 4);
    assert_memory_equal(w->drive[0].now + LAYOUT_STATE, w->drive[4].now + LAYOUT_STATE, 2 << 20);
    /* the old one, put back, is not taken for the one that holds its place now */
    fake_logout(w, 1, true);
    assert_true(write_at(w, 0, 4096, 45, false));
    memcpy(w->drive[4].now, old, FAKE_BYTES);
    memcpy(w->drive[4].durable, old, FAKE_BYTES);
    memset(w->drive[4].dirty, 0, sizeof w->drive[4].dirty);
    uint32_t returned = w->returned;
    fake_login(w, 1);
    fake_run(w, MS(1000));
    assert_int_equal(w->returned, returned);
    free(old);
    fake_free(w);
}

static void test_torn_state(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(17);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    uint8_t blob[9000];
    memset(blob, 7, sizeof blob);
    array_store_state(w->array, blob, sizeof blob, 1000, 1);
    assert_true(fake_until(w, &w->stored, 2, MS(1000)));
    for (int cut = 0; cut < 40; cut++) { /* a store that a power cut ends anywhere */
        memset(blob, 8 + cut, sizeof blob);
        array_store_state(w->array, blob, sizeof blob, 1001 + (uint64_t)cut, 2);
        for (int t = 0; t < cut / 2; t++)
            fake_turn(w);
        fake_crash(w, true);
        fake_login(w, 0);
        fake_login(w, 1);
        array_read_state(w->array, w->epoch);
        uint32_t before = w->loaded, length;
        uint64_t generation;
        assert_true(fake_until(w, &w->loaded, before + 1, MS(6000)));
        assert_false(w->failed);
        const uint8_t *bytes = array_loaded_state(w->array, &length, &generation);
        assert_int_equal(length, sizeof blob);
        for (uint32_t i = 1; i < length; i++)
            assert_int_equal(bytes[i], bytes[0]);
        fake_free(w);
        w = fake_new(18 + (uint64_t)cut);
        fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
        memset(blob, 7, sizeof blob);
        uint32_t stored = w->stored;
        array_store_state(w->array, blob, sizeof blob, 1000, 1);
        assert_true(fake_until(w, &w->stored, stored + 1, MS(1000)));
    }
    fake_free(w);
}

/* The good copy fails a write that the one that is being resynchronised took: nobody else has it,
 * so the host hears that it failed, and what the copies hold there is in doubt. */
static void test_write_that_no_good_drive_took(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(35);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    assert_true(write_at(w, 0, 4096, 1, false));
    w->follows = false;
    fake_record(w, 4, DRIVE_STATE_FAILED);
    fake_record(w, 4, DRIVE_STATE_STALE);
    fake_run(w, MS(6000)); /* it is probed, and copied to */
    w->drive[0].write_errors = true;
    assert_false(write_at(w, 0, 4096, 2, false));
    assert_true(status(w).regions_in_doubt > 0);
    fake_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_striped),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_flush_is_durable),
        cmocka_unit_test(test_write_error),
        cmocka_unit_test(test_hung_drive),
        cmocka_unit_test(test_tray_away_and_back),
        cmocka_unit_test(test_short_absence),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_last_drive_is_never_bad),
        cmocka_unit_test(test_all_away),
        cmocka_unit_test(test_no_spin_while_away),
        cmocka_unit_test(test_pool_delete),
        cmocka_unit_test(test_grow_zeroes),
        cmocka_unit_test(test_raid_0),
        cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_lost_answers_and_busy),
        cmocka_unit_test(test_fence_refuses),
        cmocka_unit_test(test_bits_are_cleared_lazily),
        cmocka_unit_test(test_quiesce),
        cmocka_unit_test(test_resync_in_doubt),
        cmocka_unit_test(test_new_drive),
        cmocka_unit_test(test_torn_state),
        cmocka_unit_test(test_write_that_no_good_drive_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
