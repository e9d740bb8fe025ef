/* SPDX-License-Identifier: Apache-2.0 */
/* What is mapped and what is not: what reads see, what the drives hold, and both after power cuts,
 * takeovers and drives that come back. swarm_test.c does the same at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "array/bits.h"
#include "array/fake_drives.h"
#include "array/layout.h"
#include "base/must.h"

static const int pair[2] = {0, 4}, single[1] = {0};

enum { MIB = 1 << 20, BLOCK = 512, GRANULE = GRANULE_BYTES / BLOCK };

static char text[256];

static struct fake_world *world(uint64_t seed)
{
    struct fake_world *w = fake_new(seed);
    fake_pool(w, RAID_1, pair, 2, 2 * MIB);
    return w;
}

static bool is_mapped(struct fake_world *w, uint64_t lba)
{
    bool mapped;
    assert_true(array_mapped(w->array, 0, lba, &mapped) > 0);
    return mapped;
}

static bool unmap(struct fake_world *w, uint64_t lba, uint64_t blocks)
{
    struct array_io io = {.op = ARRAY_UNMAP, .lba = lba, .blocks = blocks};
    return fake_io(w, &io);
}

static bool flush(struct fake_world *w)
{
    struct array_io io = {.op = ARRAY_FLUSH};
    return fake_io(w, &io);
}

static bool write_fua(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed)
{
    struct array_io io = {.op = ARRAY_WRITE, .lba = lba, .blocks = bytes / BLOCK, .fua = true};
    io.data = fake_pattern(w, bytes, seed);
    bool good = fake_io(w, &io);
    slice_drop(&io.data);
    return good;
}

static bool is_zero(struct fake_world *w, uint64_t lba, uint32_t blocks)
{
    struct array_io io = {.op = ARRAY_READ, .lba = lba, .blocks = blocks};
    assert_true(fake_io(w, &io));
    assert_int_equal(io.data.length, blocks * BLOCK);
    bool zero = true;
    for (uint32_t i = 0; i < io.data.length; i++)
        zero &= slice_bytes(io.data)[i] == 0;
    slice_drop(&io.data);
    return zero;
}

static void test_new_volume_needs_no_drives(void **state)
{
    (void)state;
    struct fake_world *w = world(1);
    uint32_t reads = w->drive[0].reads + w->drive[4].reads;
    w->drive[0].hangs = w->drive[4].hangs = true;
    assert_true(is_zero(w, 0, 2048));
    assert_true(is_zero(w, 4095, 1));
    bool mapped;
    assert_int_equal(array_mapped(w->array, 0, 100, &mapped), 4096 - 100);
    assert_false(mapped);
    w->drive[0].hangs = w->drive[4].hangs = false;
    assert_int_equal(w->drive[0].reads + w->drive[4].reads, reads);
    fake_free(w);
}

static void test_a_write_maps_its_granules(void **state)
{
    (void)state;
    struct fake_world *w = world(2);
    assert_true(fake_write(w, 2 * GRANULE - 8, 8192, 7));
    bool mapped;
    assert_int_equal(array_mapped(w->array, 0, 0, &mapped), GRANULE);
    assert_false(mapped);
    assert_int_equal(array_mapped(w->array, 0, GRANULE + 5, &mapped), 2 * GRANULE - 5);
    assert_true(mapped);
    assert_false(is_mapped(w, 3 * GRANULE));
    assert_true(fake_holds(w, 2 * GRANULE - 8, 8192, 7));
    assert_true(is_zero(w, GRANULE, GRANULE - 8) && is_zero(w, 2 * GRANULE + 8, 2 * GRANULE));
    struct array_io io = {.op = ARRAY_READ, .lba = 0, .blocks = 4 * GRANULE};
    assert_true(fake_io(w, &io)); /* some of it mapped, some not */
    struct slice wanted = fake_pattern(w, 8192, 7);
    uint8_t *bytes = slice_bytes(io.data);
    assert_memory_equal(bytes + (2 * GRANULE - 8) * BLOCK, slice_bytes(wanted), 8192);
    assert_int_equal(bytes[0] | bytes[4 * GRANULE * BLOCK - 1], 0);
    slice_drop(&wanted);
    slice_drop(&io.data);
    fake_free(w);
}

static void test_unmap_takes_whole_granules(void **state)
{
    (void)state;
    struct fake_world *w = world(3);
    assert_true(fake_write(w, 0, 4 * GRANULE * BLOCK, 1));
    assert_true(unmap(w, 8, 3 * GRANULE));
    assert_true(is_mapped(w, 0) && is_mapped(w, 3 * GRANULE));
    assert_false(is_mapped(w, GRANULE) || is_mapped(w, 2 * GRANULE));
    assert_true(is_zero(w, 8, 3 * GRANULE));
    assert_true(fake_holds(w, 0, 8 * BLOCK, 1));
    assert_false(is_zero(w, 3 * GRANULE + 8, 8));
    assert_true(unmap(w, GRANULE + 1, 5)); /* nothing is there */
    assert_true(unmap(w, 3 * GRANULE, GRANULE - 1));
    assert_true(is_mapped(w, 3 * GRANULE) && is_zero(w, 3 * GRANULE, GRANULE - 1));
    assert_true(unmap(w, 0, 0));
    struct array_io beyond = {.op = ARRAY_UNMAP, .lba = 4090, .blocks = 7};
    assert_false(fake_io(w, &beyond));
    fake_free(w);
}

/* The drives hold older data below; it is never seen, also beside what is written next. */
static void test_old_data_is_never_seen(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct fake_world *w = world(100 + seed);
        assert_true(fake_write(w, 0, 4 * GRANULE * BLOCK, 1) && flush(w));
        assert_true(unmap(w, 0, 4 * GRANULE));
        struct array_io io[4];
        for (int i = 0; i < 4; i++) {
            io[i] = (struct array_io){.op = ARRAY_WRITE, .lba = (uint64_t)i * GRANULE + 9};
            io[i].blocks = 8;
            io[i].data = fake_pattern(w, 4096, 2);
            array_submit(w->array, &io[i]);
        }
        fake_run(w, fake_random(w, MS(12)));
        bool ended[4] = {false};
        for (struct array_io *e; (e = array_next_done(w->array));)
            ended[e - io] = !e->failed;
        bool power = seed % 3 > 0;
        fake_crash(w, power);
        for (int i = 0; i < 4; i++)
            slice_drop(&io[i].data);
        fake_restart(w, true);
        for (uint64_t i = 0; i < 4; i++) {
            assert_true(is_zero(w, i * GRANULE, 9));
            assert_true(is_zero(w, i * GRANULE + 17, GRANULE - 17));
            for (uint64_t b = 9; b < 17; b++)
                assert_true(is_zero(w, i * GRANULE + b, 1) ||
                            !fake_holds(w, i * GRANULE + b, BLOCK, 1));
            if (ended[i] && !power)
                assert_true(fake_holds(w, i * GRANULE + 9, 4096, 2));
        }
        fake_free(w);
    }
}

/* A volume that takes the place of another one shows nothing of it. */
static void test_deleted_and_made_again(void **state)
{
    (void)state;
    struct fake_world *w = world(4);
    assert_true(fake_write(w, 0, MIB, 1) && flush(w));
    struct manage_request r = {.verb = MANAGE_VOLUME_DELETE, .name = "v1"};
    assert_true(fake_manage(w, &r, text, sizeof text));
    r = (struct manage_request){.verb = MANAGE_VOLUME_CREATE,
                                .name = "v2",
                                .pool = "p1",
                                .uuid = {22},
                                .block_bytes = 512,
                                .bytes = MIB - 4096};
    assert_true(fake_manage(w, &r, text, sizeof text));
    assert_false(is_mapped(w, 0));
    fake_store(w);
    fake_crash(w, true);
    fake_restart(w, true);
    assert_true(is_zero(w, 0, 2040));
    assert_true(write_fua(w, 2032, 4096, 3)); /* at its end; it grows over that */
    r = (struct manage_request){.verb = MANAGE_VOLUME_GROW, .name = "v2", .bytes = 2 * MIB};
    assert_true(fake_manage(w, &r, text, sizeof text));
    assert_true(fake_holds(w, 2032, 4096, 3));
    assert_true(is_zero(w, 2040, 2048));
    assert_false(is_mapped(w, 2048));
    fake_free(w);
}

/* Writes of the map to that drive stay there, undone. */
static void keep_maps(struct fake_world *w, int d)
{
    w->drive[d].stuck = true;
    for (uint32_t b = 0; b < w->commands; b++) {
        struct fake_command *command = &w->command[w->busy[b]];
        const struct drive_message *m = &command->message.drive;
        command->stuck |= m->drive == fake_number(d) && m->op == DRIVE_WRITE &&
                          m->offset >= LAYOUT_PROVISION && m->offset < LAYOUT_DATA;
    }
}

/* One drive has the newer map when the reign ends, and is gone in the next. */
static void test_map_of_one_drive(void **state)
{
    (void)state;
    struct fake_world *w = world(5);
    assert_true(write_fua(w, 4 * GRANULE, 4096, 9)); /* the region is in the write-intent map */
    w->drive[4].hangs = true;
    struct array_io io = {.op = ARRAY_WRITE, .lba = 0, .blocks = 8, .fua = true};
    io.data = fake_pattern(w, 4096, 1);
    array_submit(w->array, &io);
    fake_run(w, MS(300));
    assert_null(array_next_done(w->array));
    fake_crash(w, false);
    w->drive[4].hangs = false;
    fake_restart(w, false);
    array_submit(w->array, &io);
    for (int i = 0; i < 200; i++) {
        fake_turn(w);
        keep_maps(w, 4);
    }
    assert_null(array_next_done(w->array)); /* the next one could find only that drive */
    w->drive[4].stuck = false;
    while (!array_next_done(w->array))
        fake_turn(w);
    slice_drop(&io.data);
    fake_record(w, 0, DRIVE_STATE_FAILED);
    fake_crash(w, true);
    fake_restart(w, true);
    assert_true(fake_holds(w, 0, 4096, 1));
    fake_free(w);
}

/* A drive that was away when granules were mapped and unmapped is alone in the end. */
static void test_returned_drive_knows_the_map(void **state)
{
    (void)state;
    struct fake_world *w = world(6);
    assert_true(fake_write(w, 0, 4 * GRANULE * BLOCK, 1) && flush(w));
    w->drive[4].offline = true;
    fake_login(w, 1);
    assert_true(fake_write(w, 8 * GRANULE, 4096, 2));
    assert_true(unmap(w, 0, 2 * GRANULE));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
    w->drive[4].offline = false;
    assert_true(fake_until(w, &w->synced, 1, MS(100000)));
    fake_run(w, MS(500));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
    fake_record(w, 0, DRIVE_STATE_FAILED);
    fake_crash(w, true);
    fake_restart(w, true);
    assert_true(fake_holds(w, 8 * GRANULE, 4096, 2));
    assert_false(is_mapped(w, 0));
    assert_true(is_zero(w, 0, 2 * GRANULE));
    assert_false(is_zero(w, 2 * GRANULE, 2 * GRANULE));
    fake_free(w);
}

/* Power fails while the map is written: its other slot holds what was answered. */
static void test_torn_map(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct fake_world *w = fake_new(200 + seed);
        fake_pool(w, RAID_0, single, 1, 2 * MIB);
        assert_true(write_fua(w, 0, 4096, 1));
        for (uint64_t i = 0; i < seed % 3; i++)
            assert_true(write_fua(w, (4 + i) * GRANULE, 4096, 1));
        struct array_io io = {.op = ARRAY_WRITE, .lba = 8 * GRANULE, .blocks = 8, .fua = true};
        io.data = fake_pattern(w, 4096, 2);
        w->drive[0].tears = true;
        array_submit(w->array, &io);
        for (uint64_t turns = seed % 5 + 1; turns > 0; turns--)
            fake_turn(w);
        fake_crash(w, true);
        slice_drop(&io.data);
        w->drive[0].tears = false;
        fake_restart(w, true);
        assert_true(fake_holds(w, 0, 4096, 1));
        assert_false(is_mapped(w, 12 * GRANULE));
        assert_true(is_zero(w, 12 * GRANULE, GRANULE));
        fake_free(w);
    }
}

/* Sequence of the map's first block in a slot of drive 4. */
static uint64_t sequence_of(const struct fake_world *w, int slot)
{
    uint64_t mapped[PROVISION_WORDS], stale[PROVISION_WORDS], sequence;
    const uint8_t *at = w->drive[4].durable + LAYOUT_PROVISION + slot * LAYOUT_BLOCK;
    assert_true(layout_get_provision(at, array_pool(w->array, 0)->uuid, GRANULE_BYTES, 0, &sequence,
                                     mapped, stale));
    return sequence;
}

/* A drive that was not there when the map was read keeps its newest copy too. */
static void test_slot_of_a_late_drive(void **state)
{
    (void)state;
    for (uint64_t writes = 1; writes < 5; writes++) {
        struct fake_world *w = world(400 + writes);
        for (uint64_t i = 0; i < writes; i++)
            assert_true(write_fua(w, i * GRANULE, 4096, 1));
        int newest = sequence_of(w, 1) > sequence_of(w, 0);
        uint64_t kept = sequence_of(w, newest);
        static uint8_t saved[65536];
        uint32_t length = array_save(w->array, saved, sizeof saved);
        assert_true(length <= sizeof saved);
        fake_crash(w, false);
        w->drive[4].hangs = true;
        fake_takeover(w, saved, length);
        struct array_io io = {.op = ARRAY_READ, .lba = 0, .blocks = 8};
        array_submit(w->array, &io);
        fake_run(w, MS(200));
        assert_null(array_next_done(w->array)); /* not every good drive holds the map */
        w->drive[4].hangs = false;
        while (!array_next_done(w->array))
            fake_turn(w);
        slice_drop(&io.data);
        assert_true(write_fua(w, 20 * GRANULE, 4096, 1));
        assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
        assert_int_equal(sequence_of(w, newest), kept);
        assert_true(sequence_of(w, !newest) > kept);
        fake_free(w);
    }
}

/* ... and one that does not come is not waited for for ever. */
static void test_late_drive_that_stays_away(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct fake_world *w = world(500 + (uint64_t)how);
        assert_true(write_fua(w, 0, 4096, 1));
        static uint8_t saved[65536];
        uint32_t length = array_save(w->array, saved, sizeof saved);
        fake_crash(w, false);
        w->drive[4].hangs = true;
        fake_takeover(w, saved, length);
        if (how == 1)
            fake_logout(w, 1, false);
        assert_true(fake_holds(w, 0, 4096, 1));
        assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
        assert_true(write_fua(w, 9 * GRANULE, 4096, 2));
        fake_free(w);
    }
}

/* Nobody can read a block of it: everything that it speaks of counts as mapped. */
static void test_damaged_map(void **state)
{
    (void)state;
    struct fake_world *w = world(7);
    assert_true(write_fua(w, 0, 4096, 1));
    fake_crash(w, true);
    for (int i = 0; i < 2; i++)
        for (int s = 0; s < 2; s++) {
            uint64_t at = LAYOUT_PROVISION + (uint64_t)s * LAYOUT_BLOCK + 99;
            w->drive[pair[i]].now[at] = w->drive[pair[i]].durable[at] = 0x55;
        }
    fake_restart(w, true);
    assert_true(fake_holds(w, 0, 4096, 1));
    assert_true(is_mapped(w, 0) && is_mapped(w, 4000));
    assert_true(is_zero(w, 8, 1000));
    assert_true(unmap(w, 0, 4096));
    assert_false(is_mapped(w, 0));
    fake_crash(w, true);
    fake_restart(w, true);
    assert_true(is_zero(w, 0, 1000));
    assert_false(is_mapped(w, 0));
    fake_free(w);
}

/* A pool of a release that kept no map: all is mapped, and UNMAP writes zeroes. */
static void test_pool_without_a_map(void **state)
{
    (void)state;
    struct fake_world *w = world(8);
    assert_true(write_fua(w, 0, 4096, 1));
    fake_crash(w, true);
    for (int i = 0; i < 2; i++) {
        struct superblock superblock;
        uint8_t *now = w->drive[pair[i]].now, *durable = w->drive[pair[i]].durable;
        assert_true(layout_get_superblock(now, &superblock));
        assert_true(superblock.provisioned);
        superblock.provisioned = false;
        layout_put_superblock(now, &superblock);
        memset(now + LAYOUT_PROVISION, 0, LAYOUT_DATA - LAYOUT_PROVISION);
        memcpy(durable, now, LAYOUT_BLOCK);
        memset(durable + LAYOUT_PROVISION, 0, LAYOUT_DATA - LAYOUT_PROVISION);
    }
    fake_restart(w, true);
    assert_true(fake_holds(w, 0, 4096, 1));
    assert_true(is_mapped(w, 0) && is_mapped(w, 4000));
    assert_true(unmap(w, 0, 2000));
    assert_true(is_mapped(w, 0) && is_zero(w, 0, 2000));
    fake_free(w);
}

/* What cannot be mapped cannot be written; it can when the drive is well again. */
static void test_map_that_cannot_be_written(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(9);
    fake_pool(w, RAID_0, single, 1, 2 * MIB);
    assert_true(fake_write(w, 0, 4096, 1));
    w->drive[0].hangs = true;
    assert_false(fake_write(w, 4 * GRANULE, 4096, 2));
    assert_false(unmap(w, 0, GRANULE));
    w->drive[0].hangs = false;
    fake_run(w, MS(2000));
    assert_true(fake_write(w, 4 * GRANULE, 4096, 3));
    assert_true(fake_holds(w, 4 * GRANULE, 4096, 3));
    assert_true(unmap(w, 0, GRANULE));
    assert_true(is_zero(w, 0, GRANULE));
    fake_free(w);
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(layout_granule_bytes(MIB), GRANULE_BYTES);
    uint64_t most = (uint64_t)PROVISION_GRANULES * PROVISION_BLOCKS_MAX;
    assert_int_equal(layout_granule_bytes(most * GRANULE_BYTES), GRANULE_BYTES);
    assert_int_equal(layout_granule_bytes(most * GRANULE_BYTES + 1), 2 * GRANULE_BYTES);
    uint8_t block[LAYOUT_BLOCK], uuid[16] = {1, 2, 3};
    uint64_t mapped[PROVISION_WORDS] = {5}, stale[PROVISION_WORDS] = {7}, a[PROVISION_WORDS],
             b[PROVISION_WORDS], sequence;
    mapped[PROVISION_WORDS - 1] = 1ull << 63;
    layout_put_provision(block, uuid, 77, GRANULE_BYTES, 3, mapped, stale);
    assert_true(layout_get_provision(block, uuid, GRANULE_BYTES, 3, &sequence, a, b));
    assert_int_equal(sequence, 77);
    assert_memory_equal(a, mapped, sizeof a);
    assert_memory_equal(b, stale, sizeof b);
    assert_false(layout_get_provision(block, uuid, GRANULE_BYTES, 4, &sequence, a, b));
    assert_false(layout_get_provision(block, uuid, 2 * GRANULE_BYTES, 3, &sequence, a, b));
    uuid[0]++;
    assert_false(layout_get_provision(block, uuid, GRANULE_BYTES, 3, &sequence, a, b));
    uuid[0]--;
    block[4000] ^= 1;
    assert_false(layout_get_provision(block, uuid, GRANULE_BYTES, 3, &sequence, a, b));
    memset(block, 0, sizeof block);
    assert_true(layout_get_provision(block, uuid, GRANULE_BYTES, 3, &sequence, a, b));
    assert_int_equal(sequence, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_volume_needs_no_drives),
        cmocka_unit_test(test_a_write_maps_its_granules),
        cmocka_unit_test(test_unmap_takes_whole_granules),
        cmocka_unit_test(test_old_data_is_never_seen),
        cmocka_unit_test(test_deleted_and_made_again),
        cmocka_unit_test(test_map_of_one_drive),
        cmocka_unit_test(test_returned_drive_knows_the_map),
        cmocka_unit_test(test_torn_map),
        cmocka_unit_test(test_slot_of_a_late_drive),
        cmocka_unit_test(test_late_drive_that_stays_away),
        cmocka_unit_test(test_damaged_map),
        cmocka_unit_test(test_pool_without_a_map),
        cmocka_unit_test(test_map_that_cannot_be_written),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
