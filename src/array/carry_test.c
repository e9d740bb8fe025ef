/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of pools and volumes: one upon another, carried out twice, beside host I/O. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/fake_drives.h"
#include "array/layout.h"

static const int pair[2] = {0, 4};
enum { MIB = 1 << 20 };

static char text[256];

static struct manage_request grow_to(uint64_t bytes)
{
    return (struct manage_request){.verb = MANAGE_VOLUME_GROW, .name = "v1", .bytes = bytes};
}

static struct manage_request volume_of(const char *name, uint8_t uuid, uint64_t bytes)
{
    struct manage_request r = {
        .verb = MANAGE_VOLUME_CREATE, .pool = "p1", .block_bytes = 512, .bytes = bytes};
    strcpy(r.name, name);
    r.uuid[0] = uuid;
    return r;
}

static struct manage_request pool_of(const char *name, uint8_t uuid, int a, int b)
{
    struct manage_request r = {.verb = MANAGE_POOL_CREATE, .level = RAID_1, .drive_count = 2};
    strcpy(r.name, name);
    r.uuid[0] = uuid;
    r.cache = CACHE_MIRRORED;
    r.drives[0] = (uint8_t)fake_number(a);
    r.drives[1] = (uint8_t)fake_number(b);
    return r;
}

static void ask(struct fake_world *w, const struct manage_request *r)
{
    assert_true(fake_ask(w, r, text, sizeof text));
}

static void submit(struct fake_world *w, struct array_io *io, uint64_t lba, uint8_t seed)
{
    *io = (struct array_io){.op = ARRAY_WRITE, .lba = lba, .blocks = 8};
    io->data = fake_pattern(w, 4096, seed);
    array_submit(w->array, io);
}

static void done(struct fake_world *w, struct array_io *io)
{
    struct array_io *ended;
    while (!(ended = array_next_done(w->array)))
        fake_turn(w);
    assert_ptr_equal(ended, io);
    assert_false(io->failed);
    slice_drop(&io->data);
}

/* The end of the first must not let a write pass that the second would wipe. */
static void test_two_growths(void **state)
{
    (void)state;
    for (uint64_t lba = 2048; lba < 6144; lba += 1024) {
        struct fake_world *w = fake_new(lba);
        struct array_io io;
        fake_pool(w, RAID_1, pair, 2, MIB);
        w->slow_ns = MS(20);
        uint32_t carried = w->carried;
        struct manage_request r = grow_to(2 * MIB);
        ask(w, &r);
        r = grow_to(3 * MIB);
        ask(w, &r);
        submit(w, &io, lba, 9);
        assert_true(fake_until(w, &w->carried, carried + 2, MS(5000)));
        done(w, &io);
        fake_run(w, MS(500));
        assert_true(fake_holds(w, lba, 4096, 9));
        fake_free(w);
    }
}

/* The same place in the table: what the first leaves does not open the second. */
static void test_created_deleted_created(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(2);
    struct array_io io;
    fake_pool(w, RAID_1, pair, 2, MIB);
    struct manage_request gone = {.verb = MANAGE_VOLUME_DELETE, .name = "v1"};
    assert_true(fake_manage(w, &gone, text, sizeof text));
    w->slow_ns = MS(20);
    uint32_t carried = w->carried;
    struct manage_request r = volume_of("v1", 20, 3 * MIB);
    ask(w, &r);
    fake_run(w, MS(30));
    ask(w, &gone);
    r = volume_of("v1", 21, 3 * MIB);
    ask(w, &r);
    submit(w, &io, 5000, 9);
    assert_true(fake_until(w, &w->carried, carried + 3, MS(5000)));
    done(w, &io);
    fake_run(w, MS(500));
    assert_true(fake_holds(w, 5000, 4096, 9));
    fake_free(w);
}

/* Nothing passes before the caller has said that nobody will do it again; whoever does it again
 * holds back what is newer before he begins. */
static void test_growth_done_again(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(3);
    struct array_io io;
    static uint8_t saved[65536];
    fake_pool(w, RAID_1, pair, 2, MIB);
    w->keeps_changes = true;
    struct manage_request r = grow_to(3 * MIB);
    uint32_t carried = w->carried;
    ask(w, &r);
    assert_true(fake_until(w, &w->carried, carried + 1, MS(5000)));
    submit(w, &io, 4000, 9);
    fake_run(w, MS(200));
    assert_null(array_next_done(w->array));
    struct array_io before = {.op = ARRAY_READ, .lba = 0, .blocks = 2048};
    assert_true(fake_io(w, &before)); /* what was there all the time is not held */
    slice_drop(&before.data);
    uint32_t length = array_save(w->array, saved, sizeof saved);
    fake_crash(w, false);
    fake_takeover(w, saved, length);
    fake_carry_soon(w, w->asks);
    array_submit(w->array, &io); /* the same, from the mirror; before the change has its turn */
    fake_run(w, MS(200));
    assert_null(array_next_done(w->array));
    carried = w->carried;
    fake_carry_out(w, w->asks);
    assert_true(fake_until(w, &w->carried, carried + 1, MS(5000)));
    fake_carry_end(w, w->asks);
    done(w, &io);
    fake_run(w, MS(200));
    assert_true(fake_holds(w, 4000, 4096, 9));
    fake_free(w);
}

/* A later change waits for the end of an earlier one. */
static void test_one_after_the_other(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(4);
    fake_pool(w, RAID_1, pair, 2, MIB);
    w->keeps_changes = true;
    struct manage_request r = grow_to(2 * MIB);
    uint32_t carried = w->carried;
    ask(w, &r);
    r = grow_to(3 * MIB);
    ask(w, &r);
    fake_run(w, MS(500));
    assert_int_equal(w->carried, carried + 1);
    fake_carry_end(w, w->asks - 1);
    fake_run(w, MS(500));
    assert_int_equal(w->carried, carried + 2);
    fake_free(w);
}

static void begin(struct fake_world *w)
{
    array_begin(w->array, w->epoch, false);
    assert_true(fake_until(w, &w->begun, 1, MS(6000)));
}

/* The pool has a volume before its own turn has come. */
static void test_volume_of_a_pool_being_made(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(6);
    begin(w);
    struct manage_request r = pool_of("p1", 1, 0, 4);
    ask(w, &r);
    r = volume_of("v1", 2, MIB);
    ask(w, &r);
    assert_true(fake_until(w, &w->carried, 2, MS(20000)));
    assert_false(w->failed);
    assert_true(fake_write(w, 0, 4096, 1));
    assert_true(fake_holds(w, 0, 4096, 1));
    fake_free(w);
}

/* Deleted while it is being made, and its place taken by another one of other drives. */
static void test_pool_deleted_half_way(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 200; ms += 10) {
        struct fake_world *w = fake_new(ms);
        begin(w);
        w->slow_ns = MS(20);
        struct manage_request r = {.verb = MANAGE_POOL_CREATE, .name = "p0", .uuid = {7}};
        r.cache = CACHE_MIRRORED;
        r.level = RAID_1;
        r.drive_count = 3;
        r.drives[0] = (uint8_t)fake_number(0);
        r.drives[1] = (uint8_t)fake_number(4);
        r.drives[2] = (uint8_t)fake_number(5);
        ask(w, &r);
        fake_run(w, MS(ms));
        r = (struct manage_request){.verb = MANAGE_POOL_DELETE, .name = "p0"};
        ask(w, &r);
        r = pool_of("p1", 1, 1, 5);
        ask(w, &r);
        r = volume_of("v1", 2, MIB);
        ask(w, &r);
        assert_true(fake_until(w, &w->carried, 4, MS(20000)));
        assert_true(fake_write(w, 0, 4096, 1));
        fake_store(w);
        fake_crash(w, false);
        fake_restart(w, false);
        assert_true(fake_holds(w, 0, 4096, 1));
        fake_free(w);
    }
}

/* The deletion of the old pool is carried out again, when a new one lies on the same drives. */
static void test_deletion_done_again(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(8);
    static uint8_t saved[65536];
    struct superblock superblock;
    begin(w);
    struct manage_request r = pool_of("p0", 1, 0, 4);
    assert_true(fake_manage(w, &r, text, sizeof text));
    r = (struct manage_request){.verb = MANAGE_POOL_DELETE, .name = "p0"};
    assert_true(fake_manage(w, &r, text, sizeof text));
    uint64_t deletion = w->asks;
    assert_int_equal(w->bank[0], BANK_NONE); /* given back */
    r = pool_of("p1", 2, 0, 4);
    assert_true(fake_manage(w, &r, text, sizeof text));
    uint32_t length = array_save(w->array, saved, sizeof saved), carried = w->carried;
    fake_crash(w, false);
    fake_takeover(w, saved, length);
    fake_carry_out(w, deletion);
    fake_carry_out(w, deletion + 1);
    assert_true(fake_until(w, &w->carried, carried + 2, MS(20000)));
    assert_true(layout_get_superblock(w->drive[0].now, &superblock));
    assert_true(layout_get_superblock(w->drive[4].now, &superblock));
    r = volume_of("v1", 2, MIB);
    assert_true(fake_manage(w, &r, text, sizeof text));
    assert_true(fake_write(w, 0, 4096, 1));
    fake_free(w);
}

/* The state is stored, for another change, while what lies beneath a new volume is still being
 * unmapped; then the power fails. The volume is not there, and nobody is shown the old data. */
static void test_power_cut_while_zeroed(void **state)
{
    (void)state;
    static uint8_t all[65536], stored[65536];
    struct fake_world *w = fake_new(9);
    fake_pool(w, RAID_1, pair, 2, MIB);
    assert_int_equal(array_save_finished(w->array, stored, sizeof stored),
                     array_save(w->array, all, sizeof all));
    struct manage_request r = volume_of("old", 4, MIB);
    assert_true(fake_manage(w, &r, text, sizeof text));
    struct array_io io = {.op = ARRAY_WRITE, .volume = 1, .blocks = 256};
    io.data = fake_pattern(w, 256 * 512, 7);
    assert_true(fake_io(w, &io));
    slice_drop(&io.data);
    r = (struct manage_request){.verb = MANAGE_VOLUME_DELETE, .name = "old"};
    assert_true(fake_manage(w, &r, text, sizeof text));
    w->drive[4].hangs = true;
    r = volume_of("v2", 2, MIB);
    ask(w, &r);
    fake_run(w, MS(20));
    uint32_t length = array_save_finished(w->array, stored, sizeof stored);
    assert_true(length < array_save(w->array, all, sizeof all));
    w->drive[4].hangs = false;
    w->keeps_changes = true;
    assert_true(fake_until(w, &w->carried, w->carried + 1, MS(20000)));
    assert_int_equal(array_save_finished(w->array, all, sizeof all),
                     array_save(w->array, all, sizeof all));
    fake_crash(w, false);
    w->keeps_changes = false;
    fake_takeover(w, stored, length);
    assert_non_null(array_volume(w->array, 0));
    assert_null(array_volume(w->array, 1));
    r = volume_of("v2", 3, MIB);
    assert_true(fake_manage(w, &r, text, sizeof text));
    fake_free(w);
}

/* So many at once that they could not all be carried out: asked for again, not half done. */
static void test_too_many(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(9);
    fake_pool(w, RAID_1, pair, 2, MIB);
    uint32_t carried = w->carried, asked = 0;
    for (; asked < 50; asked++) {
        struct manage_request r = grow_to(MIB + 4096 * (asked + 1));
        if (!fake_ask(w, &r, text, sizeof text))
            break;
    }
    assert_int_equal(asked, 32);
    assert_string_equal(
        text, "request: too many changes are being carried out; ask again when they are done");
    assert_true(fake_until(w, &w->carried, carried + asked, MS(20000)));
    assert_false(w->failed);
    fake_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_growths),
        cmocka_unit_test(test_created_deleted_created),
        cmocka_unit_test(test_growth_done_again),
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_volume_of_a_pool_being_made),
        cmocka_unit_test(test_pool_deleted_half_way),
        cmocka_unit_test(test_deletion_done_again),
        cmocka_unit_test(test_power_cut_while_zeroed),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
