/* SPDX-License-Identifier: Apache-2.0 */
/* What of the maps and of the state on the drives outlives the end of a reign, wherever it comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/bits.h"
#include "array/fake_drives.h"
#include "array/layout.h"

static const int pair[2] = {0, 4};
enum { VOLUME_BYTES = 3 << 20, MAPS = 2 * LAYOUT_BLOCK };

static struct fake_world *world(uint64_t seed)
{
    struct fake_world *w = fake_new(seed);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    fake_run(w, MS(8000)); /* no bits are left of its making */
    return w;
}

static uint64_t sequence_of(const struct fake_drive *drive, int slot)
{
    return be64_at(drive->durable + LAYOUT_MAP + slot * LAYOUT_BLOCK +
                   offsetof(struct disk_map, sequence));
}

static struct array_status status(const struct fake_world *w)
{
    struct array_status out;
    array_describe(w->array, &out);
    return out;
}

/* The reign ends when the newest map has reached one drive, and not the other. */
static void test_map_on_one_drive_only(void **state)
{
    (void)state;
    for (int behind = 0; behind < 8; behind += 4) {
        struct fake_world *w = world(1);
        struct fake_drive *drive = &w->drive[behind];
        uint8_t maps[MAPS];
        assert_true(fake_write(w, 0, 4096, 1));
        memcpy(maps, drive->durable + LAYOUT_MAP, MAPS);
        assert_true(fake_write(w, 2048, 4096, 1));
        fake_crash(w, false);
        memcpy(drive->now + LAYOUT_MAP, maps, MAPS);
        memcpy(drive->durable + LAYOUT_MAP, maps, MAPS);
        int newest = sequence_of(drive, 1) > sequence_of(drive, 0);
        fake_restart(w, false);
        /* fake_drives checks that the bit is durable on both before anything is written there */
        assert_true(fake_write(w, 2048, 4096, 2));
        /* and the map that drive had relied on is still there, should the next one be torn */
        assert_memory_equal(drive->durable + LAYOUT_MAP + newest * LAYOUT_BLOCK,
                            maps + newest * LAYOUT_BLOCK, LAYOUT_BLOCK);
        fake_free(w);
    }
}

/* The same of the state: the newest that a drive holds is not written over. */
static void test_state_on_one_drive_only(void **state)
{
    (void)state;
    for (int behind = 0; behind < 8; behind += 4) {
        struct fake_world *w = world(2);
        struct fake_drive *drive = &w->drive[behind];
        uint8_t *kept = malloc(FAKE_BYTES);
        fake_store(w);
        memcpy(kept, drive->durable, FAKE_BYTES);
        fake_store(w);
        fake_crash(w, false);
        memcpy(drive->now, kept, LAYOUT_DATA);
        memcpy(drive->durable, kept, LAYOUT_DATA);
        struct state_header header[2];
        for (int slot = 0; slot < 2; slot++)
            assert_true(layout_get_state_header(kept + LAYOUT_STATE_HEADER + slot * LAYOUT_BLOCK,
                                                &header[slot]));
        int newest = header[1].generation > header[0].generation;
        fake_restart(w, false);
        fake_store(w);
        assert_memory_equal(drive->durable + LAYOUT_STATE_HEADER + newest * LAYOUT_BLOCK,
                            kept + LAYOUT_STATE_HEADER + newest * LAYOUT_BLOCK, LAYOUT_BLOCK);
        assert_memory_equal(drive->durable + LAYOUT_STATE + newest * LAYOUT_STATE_BYTES,
                            kept + LAYOUT_STATE + newest * LAYOUT_STATE_BYTES,
                            header[newest].length);
        free(kept);
        fake_free(w);
    }
}

/* A write that was adopted may be held up for long: its region stays in the map until all that was
 * adopted is written anew. */
static void test_regions_of_adopted_writes_stay(void **state)
{
    (void)state;
    struct fake_world *w = world(3);
    static uint8_t saved[65536];
    uint32_t length = array_save(w->array, saved, sizeof saved);
    assert_true(fake_write(w, 0, 4096, 1));
    fake_crash(w, false);
    fake_takeover(w, saved, length);
    fake_run(w, MS(10000));
    assert_int_equal(status(w).regions_set, 1);
    assert_true(fake_write(w, 4096, 4096, 1)); /* one of our own is forgotten as ever */
    fake_run(w, MS(10000));
    assert_int_equal(status(w).regions_set, 1);
    array_settled(w->array);
    fake_run(w, MS(10000));
    assert_int_equal(status(w).regions_set, 0);
    fake_free(w);
}

/* A reign that began in doubt ends before the copies agree; the next one holds the queue. */
static void test_doubt_outlives_its_reign(void **state)
{
    (void)state;
    struct fake_world *w = world(4);
    static uint8_t saved[65536];
    uint32_t length = array_save(w->array, saved, sizeof saved);
    for (int i = 0; i < 3; i++)
        assert_true(fake_write(w, (uint64_t)i * 2048, 4096, 1));
    fake_crash(w, true);
    memset(w->drive[4].now + LAYOUT_DATA + (2 << 20), 0xAB, 4096); /* half done */
    w->slow_ns = MS(30);
    fake_restart(w, true);
    fake_run(w, MS(60)); /* the map has been written, no region is done */
    assert_true(status(w).regions_in_doubt > 0);
    fake_crash(w, false);
    w->slow_ns = MS(1);
    fake_takeover(w, saved, length);
    fake_run(w, MS(3000));
    assert_int_equal(status(w).regions_in_doubt, 0);
    assert_true(fake_same(w, 0, 4));
    fake_crash(w, false);
    fake_takeover(w, saved, length); /* and then it is over */
    assert_int_equal(status(w).regions_in_doubt, 0);
    fake_free(w);
}

/* No copies that could differ: nothing waits for a resynchronisation that never comes. */
static void test_stripes_have_no_doubt(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(5);
    fake_pool(w, RAID_0, pair, 2, VOLUME_BYTES);
    assert_true(fake_write(w, 0, 4096, 1));
    fake_crash(w, true);
    for (int i = 0; i < 2; i++) {
        memset(w->drive[pair[i]].now + LAYOUT_MAP, 0xEE, MAPS);
        memset(w->drive[pair[i]].durable + LAYOUT_MAP, 0xEE, MAPS);
    }
    fake_restart(w, true);
    struct array_io io = {.op = ARRAY_READ, .lba = 0, .blocks = 8};
    array_submit(w->array, &io);
    fake_run(w, MS(500));
    assert_ptr_equal(array_next_done(w->array), &io);
    assert_false(io.failed);
    slice_drop(&io.data);
    fake_free(w);
}

/* Of three copies the one that is here cannot be read, and the two that differ are away for a
 * moment: they are compared when they are back. */
static void test_nobody_was_asked(void **state)
{
    (void)state;
    static const int three[] = {0, 4, 5};
    struct fake_world *w = fake_new(6);
    fake_pool(w, RAID_1, three, 3, VOLUME_BYTES);
    assert_true(fake_write(w, 0, 4096, 1));
    fake_crash(w, false);
    memset(w->drive[4].now + LAYOUT_DATA, 0xAB, 4096);
    w->drive[0].bad_from = LAYOUT_DATA;
    w->drive[0].bad_to = LAYOUT_DATA + 4096;
    w->slow_ns = MS(3);
    w->follows = false;
    fake_restart(w, true);
    fake_logout(w, 1, false);
    fake_run(w, MS(140));
    fake_login(w, 1);
    fake_run(w, MS(5000));
    assert_int_equal(status(w).regions_in_doubt, 0);
    assert_true(fake_same(w, 4, 5));
    fake_free(w);
}

/* Whatever tears a map, the one before is there: it goes to the other slot. */
static void test_map_goes_to_the_other_slot(void **state)
{
    (void)state;
    struct fake_world *w = world(7);
    for (uint64_t region = 0; region < 3; region++) {
        uint8_t maps[2][MAPS];
        int newest[2];
        for (int i = 0; i < 2; i++) {
            const struct fake_drive *drive = &w->drive[pair[i]];
            memcpy(maps[i], drive->durable + LAYOUT_MAP, MAPS);
            newest[i] = sequence_of(drive, 1) > sequence_of(drive, 0);
        }
        assert_true(fake_write(w, region * 2048, 4096, 1));
        for (int i = 0; i < 2; i++) {
            const struct fake_drive *drive = &w->drive[pair[i]];
            assert_true(sequence_of(drive, !newest[i]) > sequence_of(drive, newest[i]));
            assert_memory_equal(drive->durable + LAYOUT_MAP + newest[i] * LAYOUT_BLOCK,
                                maps[i] + newest[i] * LAYOUT_BLOCK, LAYOUT_BLOCK);
        }
    }
    fake_free(w);
}

/* While a state is stored, no drive names one whose bytes are not all durable there. */
static void test_header_comes_after_its_state(void **state)
{
    (void)state;
    enum { BYTES = 9000, GENERATION = 1000000 };
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct fake_world *w = world(8 + seed);
        static uint8_t blob[BYTES];
        uint32_t stored = w->stored;
        w->slow_ns = MS(3);
        memset(blob, 7, sizeof blob);
        array_store_state(w->array, blob, sizeof blob, GENERATION, 1);
        while (w->stored == stored) {
            fake_turn(w);
            for (int i = 0; i < 4; i++) {
                const uint8_t *bytes = w->drive[pair[i / 2]].durable;
                struct state_header header;
                if (layout_get_state_header(bytes + LAYOUT_STATE_HEADER + i % 2 * LAYOUT_BLOCK,
                                            &header) &&
                    header.generation == GENERATION)
                    assert_memory_equal(bytes + LAYOUT_STATE + i % 2 * LAYOUT_STATE_BYTES, blob,
                                        sizeof blob);
            }
        }
        assert_false(w->failed);
        fake_free(w);
    }
}

/* What a state is stored for waits for the drive that does not answer: that is said. */
static void test_store_waits_for_a_drive(void **state)
{
    (void)state;
    struct fake_world *w = world(19);
    uint8_t blob[900] = {7};
    uint32_t stored = w->stored;
    fake_run(w, MS(6000));
    assert_int_equal(array_waiting_drive(w->array), 0xFF);
    w->drive[4].hangs = true;
    array_store_state(w->array, blob, sizeof blob, 1000000, 1);
    fake_run(w, MS(500));
    assert_int_equal(w->stored, stored);
    assert_int_equal(array_waiting_drive(w->array), fake_number(4));
    fake_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_on_one_drive_only),
        cmocka_unit_test(test_state_on_one_drive_only),
        cmocka_unit_test(test_regions_of_adopted_writes_stay),
        cmocka_unit_test(test_doubt_outlives_its_reign),
        cmocka_unit_test(test_stripes_have_no_doubt),
        cmocka_unit_test(test_nobody_was_asked),
        cmocka_unit_test(test_map_goes_to_the_other_slot),
        cmocka_unit_test(test_header_comes_after_its_state),
        cmocka_unit_test(test_store_waits_for_a_drive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
