/* SPDX-License-Identifier: Apache-2.0 */
/* Drives that go and come back, and what of theirs is still under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/fake_drives.h"
#include "array/layout.h"

static const int pair[2] = {0, 4};
enum { VOLUME_BYTES = 3 << 20 };

static struct fake_world *world(uint64_t seed)
{
    struct fake_world *w = fake_new(seed);
    fake_pool(w, RAID_1, pair, 2, VOLUME_BYTES);
    return w;
}

static void submit(struct fake_world *w, struct array_io *io, uint64_t lba, uint8_t seed)
{
    *io = (struct array_io){.op = ARRAY_WRITE, .lba = lba, .blocks = 8};
    io->data = fake_pattern(w, 4096, seed);
    array_submit(w->array, io);
}

/* What is under way on that drive now stays there. */
static void keep(struct fake_world *w, int i)
{
    w->drive[i].stuck = true;
    for (uint32_t b = 0; b < w->commands; b++) {
        struct fake_command *command = &w->command[w->busy[b]];
        command->stuck = fake_index(command->message.drive.drive) == i;
    }
}

/* The probe of the first login must not run beside that of the second. */
static void test_logins_in_a_row(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fake_world *w = world(seed);
        w->slow_ns = MS(3);
        fake_record(w, 4, DRIVE_STATE_FAILED);
        for (uint64_t times = 0; times < 3; times++) {
            fake_login(w, 1);
            for (uint64_t turns = fake_random(w, 6); turns > 0; turns--)
                fake_turn(w);
        }
        assert_true(fake_until(w, &w->synced, 1, MS(5000)));
        fake_run(w, MS(100));
        assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
        assert_true(fake_same(w, 0, 4));
        fake_free(w);
    }
}

/* It fails again while what it lacks is being read for it. */
static void test_fails_while_copied_to(void **state)
{
    (void)state;
    for (uint64_t turns = 0; turns < 60; turns++) {
        struct fake_world *w = world(turns);
        w->slow_ns = MS(3);
        assert_true(fake_write(w, 0, 65536, 1));
        fake_record(w, 4, DRIVE_STATE_FAILED);
        fake_record(w, 4, DRIVE_STATE_STALE);
        for (uint64_t t = 0; t < turns; t++)
            fake_turn(w);
        fake_record(w, 4, DRIVE_STATE_FAILED);
        fake_run(w, MS(20));
        fake_login(w, 1);
        assert_true(fake_until(w, &w->synced, w->synced + 1, MS(5000)));
        assert_true(fake_same(w, 0, 4));
        fake_free(w);
    }
}

/* FAILED and STALE again over one login: a write from before may land on a newer one. */
static void test_old_write_lands_late(void **state)
{
    (void)state;
    struct fake_world *w = world(1);
    struct array_io old, new;
    submit(w, &old, 8, 1);
    while (w->commands < 2)
        fake_turn(w);
    keep(w, 4);
    fake_record(w, 4, DRIVE_STATE_FAILED);
    while (!array_next_done(w->array))
        fake_turn(w);
    assert_false(old.failed);
    fake_record(w, 4, DRIVE_STATE_STALE);
    submit(w, &new, 8, 2);
    fake_run(w, MS(500));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_STALE);
    w->drive[4].stuck = false;
    assert_true(fake_until(w, &w->synced, 1, MS(5000)));
    while (!array_next_done(w->array))
        fake_turn(w);
    fake_run(w, MS(100));
    assert_true(fake_same(w, 0, 4));
    assert_true(fake_holds(w, 8, 4096, 2));
    slice_drop(&old.data);
    slice_drop(&new.data);
    fake_free(w);
}

/* The only copy that is left takes a write so late that its host was told it failed: what is copied
 * from there meanwhile is neither this nor that. */
static void test_copy_waits_for_what_may_land(void **state)
{
    (void)state;
    struct fake_world *w = world(2);
    struct array_io io;
    assert_true(fake_write(w, 8, 4096, 1));
    fake_record(w, 4, DRIVE_STATE_FAILED);
    submit(w, &io, 8, 2);
    while (w->commands < 1)
        fake_turn(w);
    keep(w, 0);
    while (!array_next_done(w->array)) {
        keep(w, 0); /* further tries too */
        fake_turn(w);
    }
    assert_true(io.failed);
    fake_login(w, 1);
    fake_run(w, MS(1000));
    w->drive[0].stuck = false;
    assert_true(fake_until(w, &w->synced, 1, MS(5000)));
    fake_run(w, MS(100));
    assert_true(fake_same(w, 0, 4));
    slice_drop(&io.data);
    fake_free(w);
}

/* One that failed by itself, and does well again, comes back without a new login, after a while;
 * the second time after a longer one. */
static void test_failed_drive_is_tried_again(void **state)
{
    (void)state;
    struct fake_world *w = world(3);
    uint64_t took_ns[2];
    for (int time = 0; time < 2; time++) {
        w->drive[4].write_errors = true;
        assert_true(fake_write(w, 8, 4096, (uint8_t)time));
        assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
        uint64_t since_ns = w->now_ns;
        w->drive[4].write_errors = false;
        assert_true(fake_until(w, &w->synced, (uint32_t)time + 1, MS(100000)));
        took_ns[time] = w->now_ns - since_ns;
        fake_run(w, MS(20));
        assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
        assert_true(fake_same(w, 0, 4));
    }
    assert_true(took_ns[0] > MS(10000) && took_ns[1] > took_ns[0] + MS(10000));
    fake_free(w);
}

/* Its tray goes and comes again and again. That is no fault of the drive, and when it has one of
 * its own it is tried again as soon as if that were the first. */
static void test_tray_that_comes_and_goes(void **state)
{
    (void)state;
    struct fake_world *w = world(3);
    uint32_t rounds = 8;
    for (uint32_t i = 0; i < rounds; i++) {
        fake_logout(w, 1, true);
        assert_true(fake_write(w, 8, 4096, (uint8_t)i));
        assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
        fake_login(w, 1);
        assert_true(fake_until(w, &w->synced, i + 1, MS(100000)));
        fake_run(w, MS(20));
    }
    w->drive[4].write_errors = true;
    assert_true(fake_write(w, 8, 4096, 99));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
    w->drive[4].write_errors = false;
    assert_true(fake_until(w, &w->synced, rounds + 1, MS(25000)));
    fake_free(w);
}

/* It was off line when its loop switch was logged in at, and nobody tells us that it is back. */
static void test_back_on_line(void **state)
{
    (void)state;
    struct fake_world *w = world(4);
    w->drive[4].offline = true;
    fake_login(w, 1);
    assert_true(fake_write(w, 8, 4096, 7));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
    w->drive[4].offline = false;
    assert_true(fake_until(w, &w->synced, 1, MS(100000)));
    fake_free(w);
}

/* Nobody writes; reads go elsewhere after a second each, and would for ever. */
static void test_hang_is_found_by_reads(void **state)
{
    (void)state;
    struct fake_world *w = world(5);
    assert_true(fake_write(w, 8, 4096, 7));
    fake_run(w, MS(8000)); /* no bit of the map wants to be cleared */
    w->drive[0].hangs = true;
    for (int i = 0; i < 20 && w->bad == 0; i++) {
        struct array_io io = {.op = ARRAY_READ, .lba = 8, .blocks = 8};
        assert_true(fake_io(w, &io));
        slice_drop(&io.data);
        fake_run(w, MS(500));
    }
    assert_int_equal(w->bad, 1);
    fake_free(w);
}

/* We were stopped while a read was under way, and its links are cut when we wake: it is not over.
 */
static void test_late_and_cut(void **state)
{
    (void)state;
    struct fake_world *w = world(5);
    assert_true(fake_write(w, 8, 4096, 7));
    fake_run(w, MS(8000));
    w->drive[0].hangs = w->drive[4].hangs = true;
    struct array_io io = {.op = ARRAY_READ, .lba = 8, .blocks = 8};
    array_submit(w->array, &io);
    while (w->commands == 0)
        fake_turn(w);
    w->now_ns += MS(300);
    array_late(w->array, MS(290));
    fake_logout(w, 0, false);
    fake_logout(w, 1, false);
    fake_turn(w);
    assert_null(array_next_done(w->array));
    w->drive[0].hangs = w->drive[4].hangs = false;
    fake_login(w, 0);
    fake_login(w, 1);
    struct array_io *done = NULL;
    while (!done) {
        fake_turn(w);
        done = array_next_done(w->array);
    }
    assert_false(io.failed);
    slice_drop(&io.data);
    fake_free(w);
}

/* Sixteen tries and more, one of them unanswered all the time. */
static void test_open_try_is_not_forgotten(void **state)
{
    (void)state;
    struct fake_world *w = world(6);
    struct array_io io;
    w->follows = false;
    submit(w, &io, 8, 1);
    while (w->commands < 2)
        fake_turn(w);
    keep(w, 4);
    w->drive[4].busy = 40;
    fake_run(w, MS(20000));
    w->drive[4].busy = 0;
    fake_run(w, MS(5000));
    assert_null(array_next_done(w->array));
    w->drive[4].stuck = false;
    fake_run(w, MS(3000));
    assert_ptr_equal(array_next_done(w->array), &io);
    slice_drop(&io.data);
    fake_free(w);
}

/* A refusal that was on its way for long, or by a fence that is not up yet. */
static void test_refused_late(void **state)
{
    (void)state;
    struct fake_world *w = world(7);
    w->fence_epoch = w->epoch;
    w->drive[0].refuse = 1;
    assert_true(fake_write(w, 8, 4096, 7));
    w->drive[0].refuse = w->drive[4].refuse = 1;
    fake_login(w, 0);
    fake_login(w, 1);
    assert_true(fake_holds(w, 8, 4096, 7));
    assert_int_equal(w->bad, 0);
    fake_free(w);
}

/* What the failed flush has lost, the next one does not bring back. */
static void test_failed_flush(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(8);
    fake_pool(w, RAID_0, pair, 2, VOLUME_BYTES);
    struct array_io io = {.op = ARRAY_FLUSH};
    w->drive[4].write_errors = true;
    array_submit(w->array, &io);
    fake_run(w, MS(50));
    w->drive[4].write_errors = false;
    while (!array_next_done(w->array))
        fake_turn(w);
    assert_true(io.failed);
    fake_free(w);
    w = world(9);
    w->follows = false;
    w->drive[4].write_errors = true;
    array_submit(w->array, &io);
    fake_run(w, MS(50));
    w->drive[4].write_errors = false;
    fake_run(w, MS(1000));
    assert_null(array_next_done(w->array));
    fake_record(w, 4, DRIVE_STATE_FAILED);
    fake_run(w, MS(20));
    assert_ptr_equal(array_next_done(w->array), &io);
    assert_false(io.failed);
    fake_free(w);
}

/* The record did not follow: it is said again. */
static void test_said_again(void **state)
{
    (void)state;
    struct fake_world *w = world(10);
    w->follows = false;
    w->drive[4].write_errors = true;
    struct array_io io;
    submit(w, &io, 8, 1);
    assert_true(fake_until(w, &w->bad, 3, MS(30000)));
    fake_record(w, 4, DRIVE_STATE_FAILED);
    w->drive[4].write_errors = false;
    fake_login(w, 1);
    assert_true(fake_until(w, &w->returned, 3, MS(30000)));
    fake_record(w, 4, DRIVE_STATE_STALE);
    assert_true(fake_until(w, &w->synced, 3, MS(30000)));
    assert_ptr_equal(array_next_done(w->array), &io);
    slice_drop(&io.data);
    fake_free(w);
}

static void empty(struct fake_world *w, int i)
{
    memset(w->drive[i].now, 0, FAKE_BYTES);
    memset(w->drive[i].durable, 0, FAKE_BYTES);
    memset(w->drive[i].dirty, 0, sizeof w->drive[i].dirty);
}

/* A new drive has our superblock, whichever other one is looked at afterwards. */
static void test_new_drive_stays(void **state)
{
    (void)state;
    struct fake_world *w = world(11);
    fake_logout(w, 1, true);
    assert_true(fake_write(w, 8, 4096, 1));
    empty(w, 4);
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(10000)));
    fake_run(w, MS(50));
    uint32_t bad = w->bad;
    fake_login(w, 0);
    fake_run(w, MS(200));
    assert_int_equal(w->bad, bad);
    assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
    fake_free(w);
}

static uint32_t slots_of(int drive)
{
    return 1u << fake_number(drive) % 32;
}

/* One that failed, and was taken off the loop and put back, need not wait until it is tried again.
 */
static void test_taken_out_and_put_in(void **state)
{
    (void)state;
    struct fake_world *w = world(5);
    w->drive[4].write_errors = true;
    assert_true(fake_write(w, 8, 4096, 1));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_FAILED);
    w->drive[4].write_errors = false;
    fake_run(w, MS(1000));
    assert_int_equal(w->synced, 0);
    array_loop_on_line(w->array, 1, UINT32_MAX & ~slots_of(4));
    fake_run(w, MS(1000));
    assert_int_equal(w->synced, 0);
    array_loop_on_line(w->array, 1, UINT32_MAX);
    assert_true(fake_until(w, &w->synced, 1, MS(5000)));
    fake_run(w, MS(20));
    assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
    assert_true(fake_same(w, 0, 4));
    fake_free(w);
}

/* One that was STALE when another was replaced knows of it, when it is the last one. */
static void test_table_reaches_every_drive(void **state)
{
    (void)state;
    static const int three[] = {0, 4, 1};
    struct fake_world *w = fake_new(12);
    fake_pool(w, RAID_1, three, 3, VOLUME_BYTES);
    fake_logout(w, 0, true);
    assert_true(fake_write(w, 8, 4096, 1));
    empty(w, 1);
    fake_login(w, 0);
    assert_true(fake_until(w, &w->synced, 2, MS(10000)));
    fake_run(w, MS(50));
    fake_record(w, 1, DRIVE_STATE_FAILED);
    fake_record(w, 1, DRIVE_STATE_STALE);
    fake_record(w, 4, DRIVE_STATE_FAILED);
    fake_crash(w, false);
    w->drive[4].offline = true;
    fake_restart(w, false);
    assert_true(fake_until(w, &w->synced, 1, MS(10000)));
    assert_int_equal(w->bad, 0);
    assert_true(fake_same(w, 0, 1));
    assert_true(fake_holds(w, 8, 4096, 1));
    fake_free(w);
}

/* The others know of a new drive before it bears our name: else nobody would know it afterwards. */
static void test_power_cut_while_labelled(void **state)
{
    (void)state;
    for (uint64_t turns = 0; turns < 40; turns++) {
        struct fake_world *w = world(100 + turns);
        w->slow_ns = MS(3);
        fake_logout(w, 1, true);
        assert_true(fake_write(w, 8, 4096, 1));
        empty(w, 4);
        fake_login(w, 1);
        for (uint64_t t = 0; t < turns; t++)
            fake_turn(w);
        fake_crash(w, true);
        fake_restart(w, true);
        if (w->drive[4].record != DRIVE_STATE_GOOD)
            assert_true(fake_until(w, &w->synced, 1, MS(10000)));
        fake_run(w, MS(100));
        assert_int_equal(w->bad, 0);
        assert_int_equal(w->drive[4].record, DRIVE_STATE_GOOD);
        assert_true(fake_same(w, 0, 4));
        fake_free(w);
    }
}

/* It fails while it gets its name, and comes back at once: the power goes before it has got it
 * anew.
 */
static void test_labelled_in_two_attempts(void **state)
{
    (void)state;
    for (uint64_t turns = 0; turns < 100; turns++) {
        struct fake_world *w = world(200 + turns);
        w->slow_ns = MS(3);
        fake_logout(w, 1, true);
        assert_true(fake_write(w, 8, 4096, 1));
        empty(w, 4);
        fake_login(w, 1);
        while (w->drive[4].record != DRIVE_STATE_STALE)
            fake_turn(w);
        for (uint64_t t = 0; t < turns / 5; t++)
            fake_turn(w);
        fake_record(w, 4, DRIVE_STATE_FAILED);
        fake_record(w, 4, DRIVE_STATE_STALE);
        for (uint64_t t = 0; t < turns % 25; t++)
            fake_turn(w);
        fake_crash(w, true);
        fake_restart(w, true);
        if (w->drive[4].record != DRIVE_STATE_GOOD)
            assert_true(fake_until(w, &w->synced, 1, MS(10000)));
        fake_run(w, MS(100));
        assert_int_equal(w->bad, 0);
        assert_true(fake_same(w, 0, 4));
        fake_free(w);
    }
}

/* The record calls it GOOD while it still lacks regions: it is not read, and failed. */
static void test_good_too_early(void **state)
{
    (void)state;
    struct fake_world *w = world(13);
    fake_logout(w, 1, true);
    for (int i = 0; i < 3; i++)
        assert_true(fake_write(w, (uint64_t)i * 2048, 65536, 1));
    w->slow_ns = MS(20);
    fake_login(w, 1);
    while (w->drive[4].record != DRIVE_STATE_STALE)
        fake_turn(w);
    fake_run(w, MS(5));
    uint32_t reads = w->drive[4].reads;
    fake_record(w, 4, DRIVE_STATE_GOOD);
    for (int i = 0; i < 6; i++)
        assert_true(fake_holds(w, (uint64_t)(i % 3) * 2048, 4096, 1));
    assert_true(w->drive[4].reads <= reads + 1); /* a probe */
    assert_true(fake_until(w, &w->synced, 1, MS(20000)));
    fake_run(w, MS(200));
    assert_true(fake_same(w, 0, 4));
    fake_free(w);
}

/* SYNCED was said, the record follows late, and the drive is another one by then. */
static void test_exchanged_when_synced(void **state)
{
    (void)state;
    struct fake_world *w = world(14);
    fake_logout(w, 1, true);
    assert_true(fake_write(w, 8, 65536, 1));
    fake_login(w, 1);
    while (w->drive[4].record != DRIVE_STATE_STALE)
        fake_turn(w);
    w->follows = false;
    assert_true(fake_until(w, &w->synced, 1, MS(20000)));
    fake_logout(w, 1, false);
    empty(w, 4);
    fake_login(w, 1);
    fake_run(w, MS(1000));
    w->follows = true;
    fake_record(w, 4, DRIVE_STATE_GOOD);
    for (int i = 0; i < 4; i++)
        assert_true(fake_holds(w, 8, 65536, 1));
    assert_true(fake_until(w, &w->synced, 2, MS(20000)));
    fake_run(w, MS(200));
    assert_true(fake_same(w, 0, 4));
    fake_free(w);
}

/* The drive is exchanged for an empty one while it is being written again. */
static void test_exchanged_half_way(void **state)
{
    (void)state;
    for (uint64_t turns = 0; turns < 30; turns++) {
        struct fake_world *w = world(40 + turns);
        assert_true(fake_write(w, 0, 65536, 1));
        w->slow_ns = MS(3);
        fake_record(w, 4, DRIVE_STATE_FAILED);
        fake_login(w, 1);
        assert_true(fake_until(w, &w->returned, 1, MS(1000)));
        w->follows = turns % 2;
        for (uint64_t t = 0; t < turns; t++)
            fake_turn(w);
        w->follows = false;
        w->drive[4].wanted = 0;
        bool was_stale = w->drive[4].record == DRIVE_STATE_STALE;
        fake_logout(w, 1, false);
        empty(w, 4);
        uint32_t synced = w->synced;
        fake_login(w, 1);
        fake_run(w, MS(4000));
        if (was_stale && w->synced > synced) {
            struct superblock superblock;
            assert_true(layout_get_superblock(w->drive[4].durable, &superblock));
            assert_true(fake_same(w, 0, 4));
        }
        fake_free(w);
    }
}

/* When SYNCED is said, a power cut takes nothing of what the drive got. */
static void test_synced_is_durable(void **state)
{
    (void)state;
    struct fake_world *w = world(14);
    for (int i = 0; i < 3; i++)
        assert_true(fake_write(w, (uint64_t)i * 2048, 65536, 1));
    fake_record(w, 4, DRIVE_STATE_FAILED);
    fake_login(w, 1);
    assert_true(fake_until(w, &w->synced, 1, MS(10000)));
    for (uint32_t b = 0; b < FAKE_BLOCKS; b++)
        assert_false(w->drive[4].dirty[b]);
    fake_free(w);
}

/* Writes of the map to that drive stay there, undone. */
static void keep_maps(struct fake_world *w, int i)
{
    for (uint32_t b = 0; b < w->commands; b++) {
        struct fake_command *command = &w->command[w->busy[b]];
        uint64_t at = command->message.drive.offset;
        if (fake_index(command->message.drive.drive) == i && !command->answered &&
            command->message.drive.op == DRIVE_WRITE && at >= LAYOUT_MAP &&
            at < LAYOUT_MAP + 2 * LAYOUT_BLOCK)
            w->drive[i].stuck = command->stuck = true;
    }
}

/* It has all data, and the map is on its way to it. */
static void test_synced_holds_the_map(void **state)
{
    (void)state;
    struct fake_world *w = world(15);
    w->slow_ns = MS(2);
    assert_true(fake_write(w, 8, 4096, 1));
    fake_record(w, 4, DRIVE_STATE_FAILED);
    fake_login(w, 1);
    for (uint64_t end_ns = w->now_ns + MS(800); w->now_ns < end_ns;) {
        fake_turn(w);
        keep_maps(w, 4);
    }
    assert_true(w->drive[4].stuck);
    assert_int_equal(w->synced, 0);
    w->drive[4].stuck = false;
    assert_true(fake_until(w, &w->synced, 1, MS(10000)));
    fake_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logins_in_a_row),
        cmocka_unit_test(test_fails_while_copied_to),
        cmocka_unit_test(test_old_write_lands_late),
        cmocka_unit_test(test_copy_waits_for_what_may_land),
        cmocka_unit_test(test_failed_drive_is_tried_again),
        cmocka_unit_test(test_back_on_line),
        cmocka_unit_test(test_tray_that_comes_and_goes),
        cmocka_unit_test(test_hang_is_found_by_reads),
        cmocka_unit_test(test_late_and_cut),
        cmocka_unit_test(test_open_try_is_not_forgotten),
        cmocka_unit_test(test_refused_late),
        cmocka_unit_test(test_failed_flush),
        cmocka_unit_test(test_said_again),
        cmocka_unit_test(test_new_drive_stays),
        cmocka_unit_test(test_taken_out_and_put_in),
        cmocka_unit_test(test_table_reaches_every_drive),
        cmocka_unit_test(test_power_cut_while_labelled),
        cmocka_unit_test(test_labelled_in_two_attempts),
        cmocka_unit_test(test_good_too_early),
        cmocka_unit_test(test_exchanged_when_synced),
        cmocka_unit_test(test_exchanged_half_way),
        cmocka_unit_test(test_synced_is_durable),
        cmocka_unit_test(test_synced_holds_the_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
