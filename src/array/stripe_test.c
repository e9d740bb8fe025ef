/* SPDX-License-Identifier: Apache-2.0 */
/* RAID 5 and 6: writes of every shape against a model of the volume, with every set of drives
 * missing that may be; what they read and write; medium errors; many at a time; takeovers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/fake_drives.h"
#include "array/layout.h"
#include "array/parity_check.h"
#include "base/must.h"

enum { BLOCK = 512, VOLUME_BYTES = 1 << 20, BLOCKS = VOLUME_BYTES / BLOCK, DEPTH = 24 };

static const int order[] = {0, 4, 1, 5, 2, 6, 3, 7};

static const struct shape {
    enum raid_level level;
    uint32_t drives, parity, chunk;
} shapes[] = {
    {RAID_5, 3, 1, 4096}, {RAID_5, 4, 1, 16384}, {RAID_5, 8, 1, 4096},
    {RAID_6, 4, 2, 4096}, {RAID_6, 6, 2, 16384}, {RAID_6, 8, 2, 65536},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

struct bench {
    struct fake_world *w;
    const struct shape *shape;
    uint8_t model[VOLUME_BYTES];
    uint8_t seed;
};

static struct bench bench;

static struct bench *bench_new(const struct shape *shape, uint64_t seed)
{
    struct bench *b = &bench;
    memset(b, 0, sizeof *b);
    b->shape = shape;
    b->w = fake_new(seed);
    b->w->chunk_bytes = shape->chunk;
    fake_pool(b->w, shape->level, order, (int)shape->drives, VOLUME_BYTES);
    return b;
}

static struct fake_drive *drive_at(const struct bench *b, uint32_t position)
{
    return &b->w->drive[order[position]];
}

static void check_parity(const struct bench *b)
{
    const uint8_t *at[FAKE_DRIVES];
    for (uint32_t p = 0; p < b->shape->drives; p++)
        at[p] = drive_at(b, p)->now + LAYOUT_DATA;
    uint64_t bytes = VOLUME_BYTES / (b->shape->drives - b->shape->parity) + b->shape->chunk;
    assert_int_equal(
        parity_check_wrong(at, b->shape->drives, b->shape->parity, 0, bytes, b->shape->chunk), -1);
}

/* Where the volume's byte is: it begins with the pool's data. */
static uint32_t place(const struct bench *b, uint64_t byte, uint64_t *offset)
{
    uint32_t data = b->shape->drives - b->shape->parity;
    uint64_t stripe = byte / b->shape->chunk / data;
    *offset = stripe * b->shape->chunk + byte % b->shape->chunk;
    return parity_check_data_drive(stripe, b->shape->drives, b->shape->parity,
                                   (uint32_t)(byte / b->shape->chunk % data));
}

static void check_model(struct bench *b)
{
    struct array_io io = {.op = ARRAY_READ, .blocks = BLOCKS};
    assert_true(fake_io(b->w, &io));
    assert_memory_equal(slice_bytes(io.data), b->model, VOLUME_BYTES);
    slice_drop(&io.data);
}

/* On the drives themselves, those that are GOOD. */
static void check_drives(struct bench *b)
{
    for (uint64_t byte = 0; byte < VOLUME_BYTES; byte += BLOCK) {
        bool mapped;
        uint64_t offset;
        const struct fake_drive *drive = drive_at(b, place(b, byte, &offset));
        array_mapped(b->w->array, 0, byte / BLOCK, &mapped);
        if (mapped && drive->record == DRIVE_STATE_GOOD)
            assert_memory_equal(drive->now + LAYOUT_DATA + offset, b->model + byte, BLOCK);
    }
}

/* ---- I/O ---- */

static void prepare(struct bench *b, struct array_io *io, enum array_op op, uint32_t lba,
                    uint32_t blocks)
{
    memset(io, 0, sizeof *io);
    io->op = op;
    io->lba = lba;
    io->blocks = blocks;
    io->fua = fake_random(b->w, 4) == 0;
    uint8_t *model = b->model + (size_t)lba * BLOCK;
    b->seed++;
    if (op == ARRAY_WRITE) {
        io->data = fake_pattern(b->w, blocks * BLOCK, b->seed);
        memcpy(model, slice_bytes(io->data), (size_t)blocks * BLOCK);
    } else if (op == ARRAY_FILL && b->seed % 2) {
        io->data = fake_pattern(b->w, BLOCK, b->seed);
        for (uint32_t i = 0; i < blocks; i++)
            memcpy(model + (size_t)i * BLOCK, slice_bytes(io->data), BLOCK);
    } else {
        memset(model, 0, (size_t)blocks * BLOCK);
    }
}

static void one(struct bench *b, enum array_op op, uint32_t lba, uint32_t blocks)
{
    struct array_io io;
    prepare(b, &io, op, lba, blocks);
    assert_true(fake_io(b->w, &io));
    slice_drop(&io.data);
}

/* Beginnings and ends that lie in every way to those of chunks and stripes. */
static void some_shape(struct bench *b, uint32_t *lba, uint32_t *blocks)
{
    uint32_t chunk = b->shape->chunk / BLOCK;
    uint32_t stripe = chunk * (b->shape->drives - b->shape->parity);
    uint32_t unit = fake_random(b->w, 2) ? chunk : stripe;
    uint32_t from = (uint32_t)fake_random(b->w, BLOCKS / unit) * unit;
    uint32_t to = from + (uint32_t)fake_random(b->w, 2 * stripe + 1);
    if (fake_random(b->w, 2))
        from += (uint32_t)fake_random(b->w, chunk);
    if (fake_random(b->w, 2))
        to = (to + unit - 1) / unit * unit;
    to = to > BLOCKS ? BLOCKS : to > 0 ? to : 1;
    *lba = from < to ? from : to - 1;
    *blocks = to - *lba;
}

static void many_shapes(struct bench *b, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t lba, blocks;
        some_shape(b, &lba, &blocks);
        uint64_t kind = fake_random(b->w, 8);
        one(b, kind < 6 ? ARRAY_WRITE : kind < 7 ? ARRAY_FILL : ARRAY_UNMAP, lba, blocks);
    }
}

static void set_record(struct bench *b, uint32_t mask, enum drive_state state)
{
    for (uint32_t p = 0; p < b->shape->drives; p++)
        if (mask >> p & 1)
            fake_record(b->w, order[p], state);
}

static bool all_good(const struct bench *b)
{
    for (uint32_t p = 0; p < b->shape->drives; p++)
        if (drive_at(b, p)->record != DRIVE_STATE_GOOD)
            return false;
    return true;
}

static void until_good(struct bench *b)
{
    uint64_t limit = b->w->now_ns + MS(60000);
    while (!all_good(b)) {
        assert_true(b->w->now_ns < limit);
        fake_turn(b->w);
    }
}

/* ---- tests ---- */

static void writes_of_every_shape(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench *b = bench_new(&shapes[s], s + 1);
        for (int round = 0; round < 6; round++) {
            many_shapes(b, 25);
            check_parity(b);
            check_model(b);
            check_drives(b);
        }
        fake_free(b->w);
    }
}

/* Every set of drives that may be missing: what was written before and what is written meanwhile is
 * read then, and held by all of them again afterwards. */
static void every_set_of_drives_missing(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench *b = bench_new(&shapes[s], s + 1);
        one(b, ARRAY_WRITE, 0, BLOCKS);
        for (uint32_t mask = 1; mask < 1u << b->shape->drives; mask++) {
            if ((uint32_t)__builtin_popcount(mask) > b->shape->parity)
                continue;
            set_record(b, mask, DRIVE_STATE_FAILED);
            check_model(b);
            many_shapes(b, 8);
            check_model(b);
            set_record(b, mask, DRIVE_STATE_STALE);
            many_shapes(b, 3);
            until_good(b);
            check_parity(b);
            check_model(b);
            check_drives(b);
        }
        fake_free(b->w);
    }
}

/* One more than may be: nothing is answered that is not so, and nobody is failed. */
static void too_many_missing(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench *b = bench_new(&shapes[s], s + 1);
        one(b, ARRAY_WRITE, 0, BLOCKS);
        for (uint32_t p = 0; p <= b->shape->parity; p++) {
            assert_int_equal(array_can_fail(b->w->array, fake_number(order[p])),
                             p < b->shape->parity);
            if (p < b->shape->parity)
                fake_record(b->w, order[p], DRIVE_STATE_FAILED);
        }
        drive_at(b, b->shape->parity)->bad_from = LAYOUT_DATA;
        drive_at(b, b->shape->parity)->bad_to = LAYOUT_DATA + 4096;
        struct array_io io = {.op = ARRAY_READ, .blocks = BLOCKS};
        assert_false(fake_io(b->w, &io));
        assert_true(array_can_serve(b->w->array));
        fake_free(b->w);
    }
}

/* Reads and writes of the drives for one write; if it is recorded, the record's: its data, its
 * head, and that it is over. */
static void check_cost(struct bench *b, uint32_t lba, uint32_t blocks, uint32_t reads,
                       uint32_t writes, bool recorded)
{
    one(b, ARRAY_WRITE, lba, blocks); /* mapped, and its region set */
    uint32_t before[2] = {0, 0}, after[2] = {0, 0};
    for (uint32_t p = 0; p < b->shape->drives; p++) {
        before[0] += drive_at(b, p)->reads;
        before[1] += drive_at(b, p)->writes;
    }
    one(b, ARRAY_WRITE, lba, blocks);
    for (uint32_t p = 0; p < b->shape->drives; p++) {
        after[0] += drive_at(b, p)->reads;
        after[1] += drive_at(b, p)->writes;
    }
    assert_int_equal(after[0] - before[0], reads);
    assert_int_equal(after[1] - before[1], writes + (recorded ? 3 * (b->shape->parity + 1) : 0));
    check_parity(b);
}

static void what_costs_least(void **state)
{
    (void)state;
    struct bench *b = bench_new(&shapes[2], 1); /* 7 + 1, chunks of 8 blocks */
    check_cost(b, 0, 56, 0, 8, false);          /* a whole stripe */
    check_cost(b, 3, 2, 2, 2, true);            /* little: what was there, and P */
    check_cost(b, 0, 40, 2, 6, true);           /* most: the other data */
    check_cost(b, 56, 24, 4, 4, true);          /* as much either way */
    fake_free(b->w);
    b = bench_new(&shapes[4], 1); /* 4 + 2, chunks of 32 blocks */
    check_cost(b, 0, 128, 0, 6, false);
    check_cost(b, 0, 32, 3, 3, true);
    check_cost(b, 32, 64, 2, 4, true);
    fake_free(b->w);
}

/* Data that a drive does not give is recovered, and written back to it. */
static void medium_errors_are_repaired(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench *b = bench_new(&shapes[s], s + 1);
        one(b, ARRAY_WRITE, 0, BLOCKS);
        for (uint32_t p = 0; p < b->shape->drives; p++) {
            for (uint32_t n = 0; n < b->shape->parity; n++) {
                struct fake_drive *drive = drive_at(b, (p + n) % b->shape->drives);
                drive->bad_from = LAYOUT_DATA + b->shape->chunk;
                drive->bad_to = drive->bad_from + 512;
                memset(drive->now + drive->bad_from, 0xBD, 512); /* it is gone */
            }
            many_shapes(b, 2);
            check_model(b);
            one(b, ARRAY_WRITE, 0, BLOCKS); /* where there was only parity */
            for (uint32_t q = 0; q < b->shape->drives; q++)
                assert_int_equal(drive_at(b, q)->bad_to, 0);
            check_parity(b);
        }
        assert_int_equal(b->w->bad, 0);
        fake_free(b->w);
    }
}

/* Many writes at a time that never overlap: each in its own place, all in few stripes. */
static void many_in_one_stripe(void **state)
{
    (void)state;
    static struct array_io io[DEPTH];
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench *b = bench_new(&shapes[s], s + 1);
        b->w->slow_ns = MS(3);
        for (int round = 0; round < 40; round++) {
            uint32_t first = (uint32_t)fake_random(b->w, BLOCKS - 8 * DEPTH), left = DEPTH;
            for (uint32_t i = 0; i < DEPTH; i++) {
                prepare(b, &io[i], ARRAY_WRITE, first + 8 * i, 1 + (uint32_t)fake_random(b->w, 8));
                array_submit(b->w->array, &io[i]);
            }
            struct array_io *done;
            for (; left > 0; fake_turn(b->w))
                while ((done = array_next_done(b->w->array))) {
                    assert_false(done->failed);
                    slice_drop(&done->data);
                    left--;
                }
            check_parity(b);
        }
        check_model(b);
        fake_free(b->w);
    }
}

/* The reign ends in the midst of writes; the next one writes them anew, in any case whole. Parity
 * is that of the data again when the map is empty, also where nobody wrote anew. */
static void a_takeover(void **state)
{
    (void)state;
    static uint8_t config[65536];
    for (uint64_t seed = 0; seed < 8 * SHAPES; seed++) {
        struct bench *b = bench_new(&shapes[seed % SHAPES], seed + 1);
        struct fake_world *w = b->w;
        one(b, ARRAY_WRITE, 0, BLOCKS);
        uint32_t length = array_save(w->array, config, sizeof config);
        static struct array_io io[DEPTH];
        w->slow_ns = MS(2);
        for (uint32_t i = 0; i < DEPTH; i++) {
            prepare(b, &io[i], ARRAY_WRITE, 40 * i, 1 + (uint32_t)fake_random(w, 40));
            array_submit(w->array, &io[i]);
        }
        for (uint64_t limit = w->now_ns + fake_random(w, MS(8)); w->now_ns < limit;)
            fake_turn(w);
        fake_crash(w, false);
        fake_takeover(w, config, length);
        for (uint32_t i = seed % 2 ? 0 : DEPTH / 2; i < DEPTH; i++)
            array_submit(w->array, &io[i]); /* the others have failed, say */
        uint32_t left = seed % 2 ? DEPTH : DEPTH / 2;
        for (; left > 0; fake_turn(w))
            while (array_next_done(w->array))
                left--;
        array_settled(w->array);
        array_quiesce(w->array);
        assert_true(fake_until(w, &w->clean, 1, MS(10000)));
        check_parity(b);
        if (seed % 2)
            check_model(b);
        for (uint32_t i = 0; i < DEPTH; i++)
            slice_drop(&io[i].data);
        fake_free(w);
    }
}

/* The end of one large chunk and the beginning of the next one: there are steps with nothing to do.
 */
static void rows_between_two_pieces(void **state)
{
    (void)state;
    static const struct shape large = {RAID_5, 3, 1, 512 << 10};
    struct bench *b = bench_new(&large, 1);
    uint32_t chunk = large.chunk / BLOCK;
    for (uint32_t blocks = 2; blocks < 64; blocks += 7) {
        one(b, ARRAY_WRITE, chunk - blocks / 2, blocks);
        check_parity(b);
    }
    check_model(b);
    fake_record(b->w, order[0], DRIVE_STATE_FAILED);
    one(b, ARRAY_WRITE, chunk - 100, 200);
    check_model(b);
    fake_free(b->w);
}

/* Whole stripes were being written, by a write for each chunk; the next reign writes each chunk by
 * itself, and then a drive is lost, before parity was made anew in the background. */
static void a_takeover_and_a_drive_lost(void **state)
{
    (void)state;
    static uint8_t config[65536];
    for (uint64_t seed = 0; seed < 12 * SHAPES; seed++) {
        struct bench *b = bench_new(&shapes[seed % SHAPES], seed + 1);
        struct fake_world *w = b->w;
        static struct array_io io[DEPTH];
        uint32_t chunk = b->shape->chunk / BLOCK;
        uint32_t count = 2 * (b->shape->drives - b->shape->parity);
        one(b, ARRAY_WRITE, 0, BLOCKS);
        uint32_t length = array_save(w->array, config, sizeof config);
        w->slow_ns = MS(2);
        for (uint32_t i = 0; i < count; i++) {
            prepare(b, &io[i], ARRAY_WRITE, chunk * i, chunk);
            array_submit(w->array, &io[i]);
        }
        for (uint64_t limit = w->now_ns + fake_random(w, MS(4)); w->now_ns < limit;)
            fake_turn(w);
        fake_crash(w, false);
        fake_takeover(w, config, length);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(fake_io(w, &io[i]));
            slice_drop(&io[i].data);
        }
        set_record(b, (2u << b->shape->parity) / 2 - 1, DRIVE_STATE_FAILED);
        check_model(b);
        fake_free(w);
    }
}

/* A loss of power with all drives there: what is marked gets new parity before it is read. */
static void a_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6 * SHAPES; seed++) {
        struct bench *b = bench_new(&shapes[seed % SHAPES], seed + 1);
        struct fake_world *w = b->w;
        for (uint32_t p = 0; p < b->shape->drives; p++)
            drive_at(b, p)->tears = seed % 3 == 0;
        one(b, ARRAY_WRITE, 0, BLOCKS);
        struct array_io flush = {.op = ARRAY_FLUSH};
        assert_true(fake_io(w, &flush));
        many_shapes(b, 5);
        fake_crash(w, true);
        fake_restart(w, true);
        struct array_io first = {.op = ARRAY_READ, .blocks = BLOCKS};
        assert_true(fake_io(w, &first));
        check_parity(b);
        memcpy(b->model, slice_bytes(first.data), VOLUME_BYTES);
        slice_drop(&first.data);
        set_record(b, 1u << seed % b->shape->drives, DRIVE_STATE_FAILED);
        check_model(b); /* as it was read before */
        fake_free(w);
    }
}

static void refusals(void **state)
{
    (void)state;
    struct fake_world *w = fake_new(1);
    char text[256];
    array_begin(w->array, w->epoch, false);
    assert_true(fake_until(w, &w->begun, 1, MS(6000)));
    struct manage_request r = {.verb = MANAGE_POOL_CREATE, .name = "p", .uuid = {1}};
    r.cache = CACHE_MIRRORED;
    for (uint8_t i = 0; i < FAKE_DRIVES; i++)
        r.drives[i] = (uint8_t)fake_number(i);
    r.level = RAID_5;
    r.drive_count = 2;
    assert_false(fake_ask(w, &r, text, sizeof text));
    assert_string_equal(text,
                        "raid5 needs 3 drives at least: name more for pool p: too few drives");
    r.level = RAID_6;
    r.drive_count = 3;
    assert_false(fake_ask(w, &r, text, sizeof text));
    assert_string_equal(text,
                        "raid6 needs 4 drives at least: name more for pool p: too few drives");
    r.drive_count = 33;
    assert_false(fake_ask(w, &r, text, sizeof text));
    assert_string_equal(text, "raid6 takes 32 drives at most: make several pools instead of pool "
                              "p: too many drives");
    r.drive_count = 5;
    assert_true(fake_manage(w, &r, text, sizeof text));
    assert_int_equal(array_pool(w->array, 0)->size_bytes, 3 * layout_data_bytes(FAKE_BYTES));
    fake_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_every_shape),
        cmocka_unit_test(every_set_of_drives_missing),
        cmocka_unit_test(too_many_missing),
        cmocka_unit_test(what_costs_least),
        cmocka_unit_test(medium_errors_are_repaired),
        cmocka_unit_test(many_in_one_stripe),
        cmocka_unit_test(rows_between_two_pieces),
        cmocka_unit_test(a_takeover),
        cmocka_unit_test(a_takeover_and_a_drive_lost),
        cmocka_unit_test(a_power_cut),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
