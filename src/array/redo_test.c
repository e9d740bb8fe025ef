/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic writes and the records that make them so: cut by power losses at every moment, on every
 * level; records of drives that come back; records that other hands have made. swarm_test.c does
 * the first at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "array/fake_drives.h"
#include "array/layout.h"
#include "base/must.h"

enum { MIB = 1 << 20, BLOCK = 512, OLD = 3, NEW = 90, NEWER = 170 };

static const int ten[4] = {0, 4, 1, 5};
static uint8_t state[65536];
static uint32_t state_length;

static struct fake_world *world(uint64_t seed, enum raid_level level, int count)
{
    struct fake_world *w = fake_new(seed);
    fake_pool(w, level, ten, count, 3 * MIB);
    state_length = array_save(w->array, state, sizeof state);
    must(state_length <= sizeof state);
    return w;
}

static bool write_fua(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed, bool atomic)
{
    struct array_io io = {
        .op = ARRAY_WRITE, .lba = lba, .blocks = bytes / BLOCK, .fua = true, .atomic = atomic};
    io.data = fake_pattern(w, bytes, seed);
    bool good = fake_io(w, &io);
    slice_drop(&io.data);
    return good;
}

/* Is a redo record in that slot of the drive, for whoever comes next? */
static bool has_record(const struct fake_world *w, int drive, uint8_t slot)
{
    struct superblock superblock;
    enum redo_kind kind;
    uint32_t places, bytes;
    const uint8_t *at = w->drive[drive].durable;
    must(layout_get_superblock(at, &superblock));
    return layout_get_redo(at + LAYOUT_REDO + slot * LAYOUT_BLOCK, superblock.pool_uuid, slot,
                           &kind, &places, &bytes);
}

/* ---- cut at every moment ---- */

enum { WHERE = 2 * (MIB / BLOCK) - 700, BYTES = 1400 * BLOCK }; /* over the end of a region */

/* An atomic write, and so many turns later the end of everything. Is it there? */
static bool cut_after(uint64_t seed, enum raid_level level, int count, int turns, bool power,
                      bool adopted, bool *done)
{
    struct fake_world *w = world(seed, level, count);
    assert_true(write_fua(w, WHERE, BYTES, OLD, false));
    struct array_io io = {
        .op = ARRAY_WRITE, .lba = WHERE, .blocks = BYTES / BLOCK, .fua = true, .atomic = true};
    io.data = fake_pattern(w, BYTES, NEW);
    for (int i = 0; i < count; i++)
        w->drive[ten[i]].tears = seed % 2;
    array_submit(w->array, &io);
    for (int i = 0; i < turns; i++)
        fake_turn(w);
    *done = array_next_done(w->array) == &io;
    fake_crash(w, power);
    slice_drop(&io.data);
    if (adopted)
        fake_takeover(w, state, state_length);
    else
        fake_restart(w, true);
    bool there = fake_holds(w, WHERE, BYTES, NEW);
    assert_true(there || fake_holds(w, WHERE, BYTES, OLD));
    assert_true(there || !*done);
    fake_run(w, MS(3000)); /* what was in doubt agrees */
    assert_true(fake_holds(w, WHERE, BYTES, there ? NEW : OLD));
    for (int i = 0; i < count; i++)
        for (uint8_t slot = 0; slot < REDO_SLOTS; slot++)
            assert_false(has_record(w, ten[i], slot));
    fake_free(w);
    return there;
}

static void test_whole_or_not_at_all(void **unused)
{
    (void)unused;
    static const struct {
        enum raid_level level;
        int count;
    } shapes[] = {{RAID_0, 1}, {RAID_0, 4}, {RAID_1, 2}, {RAID_10, 4}, {RAID_5, 4}, {RAID_6, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int how = 0; how < 3; how++) { /* power; a crash; a crash, and another holds it */
            uint32_t there = 0, away = 0;
            for (uint64_t round = 0; round < 3; round++) {
                bool done = false;
                for (int turns = 0; !done; turns++) {
                    bool is = cut_after(round * 100 + (uint64_t)turns, shapes[i].level,
                                        shapes[i].count, turns, how == 0, how == 2, &done);
                    there += is;
                    away += !is;
                }
            }
            assert_true(there > 2 && away > 2);
        }
}

/* ---- drives that come back ---- */

/* A drive goes with a valid record, and comes back: its record must not, though the other drive
 * dies for good then and everything loses power. */
static void test_record_of_a_drive_that_comes_back(void **unused)
{
    (void)unused;
    struct fake_world *w = world(7, RAID_1, 2);
    assert_true(write_fua(w, 0, 64 * BLOCK, OLD, false));
    struct array_io io = {.op = ARRAY_WRITE, .blocks = 64, .fua = true, .atomic = true};
    io.data = fake_pattern(w, 64 * BLOCK, NEW);
    array_submit(w->array, &io);
    while (!has_record(w, 4, 0) || !has_record(w, 0, 0))
        fake_turn(w);
    w->drive[4].offline = true;
    while (array_next_done(w->array) != &io)
        fake_turn(w);
    slice_drop(&io.data);
    assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
    assert_true(has_record(w, 4, 0));
    assert_true(write_fua(w, 0, 64 * BLOCK, NEWER, false));
    w->drive[4].offline = false;
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(60000)));
    fake_run(w, MS(10));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
    assert_false(has_record(w, 4, 0));
    fake_record(w, 0, DRIVE_STATE_FAILED);
    fake_crash(w, true);
    fake_restart(w, true);
    assert_true(fake_holds(w, 0, 64 * BLOCK, NEWER));
    fake_free(w);
}

/* The same drive is away when everything starts: nothing is served before its record cannot come
 * back any more. */
static void test_record_of_a_drive_that_is_away_at_the_start(void **unused)
{
    (void)unused;
    struct fake_world *w = world(9, RAID_1, 2);
    struct array_io io = {.op = ARRAY_WRITE, .blocks = 64, .fua = true, .atomic = true};
    io.data = fake_pattern(w, 64 * BLOCK, NEW);
    array_submit(w->array, &io);
    while (!has_record(w, 4, 0) || !has_record(w, 0, 0))
        fake_turn(w);
    fake_crash(w, true);
    slice_drop(&io.data);
    w->drive[4].offline = true;
    w->follows = false;
    fake_restart(w, true);
    struct array_io read = {.op = ARRAY_READ, .blocks = 64};
    array_submit(w->array, &read);
    fake_run(w, MS(1000));
    assert_null(array_next_done(w->array));
    assert_true(w->bad > 0);
    w->follows = true;
    fake_record(w, 4, DRIVE_STATE_FAILED);
    struct array_io *done;
    while (!(done = array_next_done(w->array)))
        fake_turn(w);
    assert_false(done->failed);
    slice_drop(&done->data);
    assert_true(fake_holds(w, 0, 64 * BLOCK, NEW));
    assert_true(write_fua(w, 0, 64 * BLOCK, NEWER, false));
    w->drive[4].offline = false;
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(60000)));
    fake_run(w, MS(10));
    fake_crash(w, true);
    fake_restart(w, true);
    assert_true(fake_holds(w, 0, 64 * BLOCK, NEWER));
    fake_free(w);
}

/* ---- records that somebody else has left ---- */

/* Two places, one byte pattern each; `damage`: the second one's data is not what its head says. */
static void plant(struct fake_world *w, int drive, uint8_t slot, enum redo_kind kind, bool damage)
{
    uint8_t *at = w->drive[drive].durable;
    struct superblock superblock;
    must(layout_get_superblock(at, &superblock));
    uint8_t data[2 * 4096], head[LAYOUT_BLOCK];
    memset(data, NEW, 4096);
    memset(data + 4096, NEWER, 4096);
    layout_put_redo(head, superblock.pool_uuid, 1, slot, kind);
    for (uint32_t i = 0; i < 2; i++) {
        struct redo_place place = {.count = 2, .offset = 8192 + i * 65536, .length = 4096};
        if (kind == REDO_DRIVES && i == 1) /* of the second drive alone */
            place = (struct redo_place){.first = 1, .count = 1, .offset = 1 << 20, .length = 4096};
        place.crc = layout_crc(data + i * 4096, 4096);
        layout_add_redo_place(head, &place);
    }
    layout_seal_redo(head);
    data[4096 + 77] ^= damage;
    memcpy(at + LAYOUT_REDO + slot * LAYOUT_BLOCK, head, sizeof head);
    memcpy(at + layout_redo_data(superblock.data_bytes, slot), data, sizeof data);
    memcpy(w->drive[drive].now, at, FAKE_BYTES);
}

static bool is_full_of(const struct fake_world *w, int drive, uint64_t offset, uint8_t byte)
{
    for (uint32_t i = 0; i < 4096; i++)
        if (w->drive[drive].durable[LAYOUT_DATA + offset + i] != byte)
            return false;
    return true;
}

static void flush_all(struct fake_world *w)
{
    struct array_io io = {.op = ARRAY_FLUSH};
    assert_true(fake_io(w, &io));
}

/* Where `damage` is not, one sound copy is enough. */
static void test_what_is_found_is_played(void **unused)
{
    (void)unused;
    for (int kind = REDO_DATA; kind <= REDO_DRIVES; kind++)
        for (int damaged = 0; damaged <= 2; damaged++)
            for (int doubt = 0; doubt < 2; doubt++) {
                uint8_t slot = kind == REDO_DATA ? 1 : 3;
                struct fake_world *w = world(5, RAID_1, 2);
                assert_true(write_fua(w, 0, MIB, OLD, false) &&
                            write_fua(w, MIB / BLOCK, MIB, OLD, false));
                flush_all(w);
                fake_crash(w, false);
                for (int i = 0; i < 2; i++)
                    plant(w, ten[i], slot, (enum redo_kind)kind, i < damaged);
                fake_restart(w, doubt);
                struct array_io read = {.op = ARRAY_READ, .blocks = 1};
                assert_true(fake_io(w, &read));
                slice_drop(&read.data);
                fake_run(w, MS(3000));
                bool played = damaged < 2;
                assert_int_equal(is_full_of(w, 0, 8192, NEW), played);
                assert_int_equal(is_full_of(w, 4, 8192, NEW), played);
                flush_all(w);
                if (kind == REDO_DATA) {
                    assert_int_equal(is_full_of(w, 0, 8192 + 65536, NEWER), played);
                    assert_int_equal(is_full_of(w, 4, 8192 + 65536, NEWER), played);
                } else { /* what the copies hold then is made equal, if that is in doubt */
                    assert_int_equal(is_full_of(w, 4, 1 << 20, NEWER), played && !doubt);
                }
                assert_false(has_record(w, 0, slot) || has_record(w, 4, slot));
                fake_free(w);
            }
}

/* A record of a pool that was there before, or of another slot, is none. */
static void test_records_of_others_are_not_played(void **unused)
{
    (void)unused;
    struct fake_world *w = world(6, RAID_0, 1);
    assert_true(write_fua(w, 0, MIB, OLD, false) && write_fua(w, MIB / BLOCK, MIB, OLD, false));
    fake_crash(w, false);
    plant(w, 0, 2, REDO_DATA, false);
    uint8_t *head = w->drive[0].now + LAYOUT_REDO;
    memcpy(head, head + 2 * LAYOUT_BLOCK, LAYOUT_BLOCK); /* that of slot 2, in slot 0 */
    memset(head + 2 * LAYOUT_BLOCK + offsetof(struct disk_redo, pool_uuid), 0x77, 16);
    layout_seal_redo(head + 2 * LAYOUT_BLOCK);
    memcpy(w->drive[0].durable, w->drive[0].now, FAKE_BYTES);
    fake_restart(w, true);
    assert_true(fake_holds(w, 0, MIB, OLD) && fake_holds(w, MIB / BLOCK, MIB, OLD));
    fake_free(w);
}

/* ---- limits ---- */

static void test_what_cannot_be_atomic(void **unused)
{
    (void)unused;
    struct fake_world *w = world(8, RAID_10, 4);
    assert_true(write_fua(w, 1, MIB, NEW, true)); /* over extents' units, chunks and sets */
    assert_true(fake_holds(w, 1, MIB, NEW));
    struct array_io io = {.op = ARRAY_FILL, .blocks = 8, .atomic = true};
    assert_false(fake_io(w, &io));
    fake_free(w);
}

/* A pool of an earlier release has no room for records: it is read and written as ever, and offers
 * no atomic writes. */
static void test_pool_without_records(void **unused)
{
    (void)unused;
    struct fake_world *w = world(4, RAID_1, 2);
    assert_int_equal(array_volume(w->array, 0)->atomic_blocks, ARRAY_ATOMIC_MAX / BLOCK);
    assert_true(write_fua(w, 0, 64 * BLOCK, OLD, false));
    fake_crash(w, false);
    for (int i = 0; i < 2; i++) { /* as that release has left it */
        struct superblock superblock;
        uint8_t *at = w->drive[ten[i]].durable;
        const uint64_t copy = layout_superblock_copy(FAKE_BYTES);
        must(layout_get_superblock(at, &superblock));
        must(superblock.redo && superblock.provisioned);
        superblock.redo = false;
        layout_put_superblock(at, &superblock);
        must(be32_at(at + offsetof(struct disk_superblock, version)) == LAYOUT_VERSION_PROVISIONED);
        memcpy(at + copy, at, LAYOUT_BLOCK);
        memset(at + LAYOUT_REDO, 0x55, REDO_SLOTS * LAYOUT_BLOCK);
        memcpy(w->drive[ten[i]].now, at, FAKE_BYTES);
    }
    enum { REDO_AT = 2 + 1 + 16 + NAME_BYTES + 2 + 4 + 8 }; /* of the first pool, in the state */
    uint8_t old[sizeof state];
    old[0] = 1;
    memcpy(old + 1, state + 1, REDO_AT - 1);
    memcpy(old + REDO_AT, state + REDO_AT + 1, state_length - REDO_AT - 1);
    fake_takeover(w, old, state_length - 1);
    assert_int_equal(array_volume(w->array, 0)->atomic_blocks, 0);
    assert_true(fake_holds(w, 0, 64 * BLOCK, OLD));
    assert_true(write_fua(w, 0, 64 * BLOCK, NEWER, false));
    assert_false(write_fua(w, 0, 64 * BLOCK, NEW, true));
    assert_true(fake_holds(w, 0, 64 * BLOCK, NEWER));
    memset(w->drive[4].now, 0, FAKE_BYTES); /* replaced by one that has just the same size */
    memset(w->drive[4].durable, 0, FAKE_BYTES);
    fake_logout(w, 1, true);
    assert_true(write_fua(w, 64, BLOCK, NEWER, false));
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(60000)));
    assert_true(fake_same(w, 0, 4));
    fake_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_or_not_at_all),
        cmocka_unit_test(test_record_of_a_drive_that_comes_back),
        cmocka_unit_test(test_record_of_a_drive_that_is_away_at_the_start),
        cmocka_unit_test(test_what_is_found_is_played),
        cmocka_unit_test(test_records_of_others_are_not_played),
        cmocka_unit_test(test_what_cannot_be_atomic),
        cmocka_unit_test(test_pool_without_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
