/* SPDX-License-Identifier: Apache-2.0 */
/* Random I/O against random trouble, from seeds. The oracle knows for each cell (4 KiB) of the
 * volume what a read may see; each write that is answered must be on every drive that the record
 * does not call FAILED; at the end all copies agree, and the maps are empty.
 *
 *   array_swarm_test [first seed [seeds]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/fake_drives.h"
#include "array/layout.h"
#include "base/must.h"

enum { SEEDS = 12, CELLS_MAX = 1536, DEPTH = 24, HISTORY = 24, IO_CELLS = 48, TROUBLES = 20 };

struct cell {
    uint64_t history[HISTORY]; /* what may be found after a power cut; the last: what is there */
    uint32_t count;
    uint32_t certain; /* reads see the last of these many; 1: exactly the last */
    uint32_t at_flush;
    bool writing;
    uint32_t reading;
};

struct request {
    bool used;
    struct array_io io;
    uint32_t first, cells;
    uint64_t stamp;
    uint64_t submitted_ns;
};

struct swarm {
    struct fake_world *w;
    uint32_t cells;
    struct cell cell[CELLS_MAX];
    struct request request[DEPTH];
    uint64_t stamps;
    bool flushing; /* one at a time: each cell knows one flush */
    int side;      /* the loop that has trouble now */
    int trouble;   /* 0: none */
    uint64_t heal_ns;
    const int *drives;
    int drive_count;
    enum raid_level level;
    uint32_t done, troubles, crashes, synced;
};

/* ---- the oracle ---- */

static void fill_cell(uint8_t *at, uint64_t stamp)
{
    for (int i = 0; i < 512; i++)
        memcpy(at + i * 8, &stamp, 8);
}

static uint64_t stamp_of(const uint8_t *at)
{
    uint64_t stamp;
    memcpy(&stamp, at, 8);
    for (int i = 1; i < 512; i++)
        must(memcmp(at + i * 8, &stamp, 8) == 0); /* not torn */
    return stamp;
}

static void push(struct cell *cell, uint64_t stamp)
{
    if (cell->count == HISTORY) {
        memmove(cell->history, cell->history + 1, (HISTORY - 1) * 8);
        cell->count--;
        cell->at_flush -= cell->at_flush > 0;
    }
    cell->history[cell->count++] = stamp;
}

static void certain_is(struct cell *cell, uint64_t stamp)
{
    push(cell, stamp);
    cell->certain = 1;
}

static void saw(struct swarm *s, uint32_t c, uint64_t stamp)
{
    struct cell *cell = &s->cell[c];
    for (uint32_t i = 0; i < cell->certain; i++)
        if (cell->history[cell->count - 1 - i] == stamp) {
            if (i > 0)
                certain_is(cell, stamp);
            cell->certain = 1;
            return;
        }
    fprintf(stderr, "cell %u: saw %llu, wanted %llu of %u\n", c, (unsigned long long)stamp,
            (unsigned long long)cell->history[cell->count - 1], cell->certain);
    must_failed("a read sees what was written", __FILE__, __LINE__);
}

/* Which drives hold a cell, and where. */
static int holders(const struct swarm *s, uint32_t c, int *out, uint64_t *offset)
{
    uint64_t byte = (uint64_t)c * 4096;
    if (s->level == RAID_10) {
        uint64_t chunk = byte / 65536, sets = (uint64_t)s->drive_count / 2;
        *offset = LAYOUT_DATA + chunk / sets * 65536 + byte % 65536;
        out[0] = s->drives[chunk % sets * 2];
        out[1] = s->drives[chunk % sets * 2 + 1];
        return 2;
    }
    *offset = LAYOUT_DATA + byte;
    for (int i = 0; i < s->drive_count; i++)
        out[i] = s->drives[i];
    return s->drive_count;
}

static void check_landed(const struct swarm *s, const struct request *r)
{
    for (uint32_t c = r->first; c < r->first + r->cells; c++) {
        int drives[FAKE_DRIVES];
        uint64_t offset, stamp = s->cell[c].history[s->cell[c].count - 1];
        int count = holders(s, c, drives, &offset), good = 0;
        for (int i = 0; i < count; i++) {
            const struct fake_drive *drive = &s->w->drive[drives[i]];
            if (drive->record != DRIVE_STATE_GOOD)
                continue; /* one that is STALE now may have FAILED when the write began */
            must(stamp_of(drive->now + offset) == stamp);
            good++;
            if (r->io.fua)
                must(memcmp(drive->durable + offset, drive->now + offset, 4096) == 0);
        }
        must(good > 0);
    }
}

/* ---- I/O ---- */

static bool is_free(const struct swarm *s, uint32_t first, uint32_t cells, bool for_reading)
{
    for (uint32_t c = first; c < first + cells; c++)
        if (s->cell[c].writing || (!for_reading && s->cell[c].reading))
            return false;
    return true;
}

static void submit(struct swarm *s, struct request *r)
{
    struct fake_world *w = s->w;
    static const enum array_op ops[] = {ARRAY_READ,  ARRAY_READ, ARRAY_WRITE, ARRAY_WRITE,
                                        ARRAY_WRITE, ARRAY_FILL, ARRAY_FLUSH};
    memset(r, 0, sizeof *r);
    r->io.op = ops[fake_random(w, 7)];
    r->cells = 1 + (uint32_t)fake_random(w, fake_random(w, 3) ? 4 : IO_CELLS);
    r->first = (uint32_t)fake_random(w, s->cells - r->cells);
    if (r->io.op == ARRAY_FLUSH && (s->flushing || fake_random(w, 4)))
        return;
    if (r->io.op != ARRAY_FLUSH && !is_free(s, r->first, r->cells, r->io.op == ARRAY_READ))
        return;
    r->used = true;
    r->submitted_ns = w->now_ns;
    r->io.lba = (uint64_t)r->first * 8;
    r->io.blocks = (uint64_t)r->cells * 8;
    for (uint32_t c = r->first; c < r->first + r->cells; c++) {
        s->cell[c].writing |= r->io.op == ARRAY_WRITE || r->io.op == ARRAY_FILL;
        s->cell[c].reading += r->io.op == ARRAY_READ;
    }
    if (r->io.op == ARRAY_WRITE) {
        r->io.fua = fake_random(w, 4) == 0;
        r->io.data = slice_of(buffer_get(w->buffers, r->cells * 4096), 0, r->cells * 4096);
        must(r->io.data.buffer);
        r->stamp = ++s->stamps;
        for (uint32_t i = 0; i < r->cells; i++)
            fill_cell(slice_bytes(r->io.data) + i * 4096, r->stamp);
    } else if (r->io.op == ARRAY_FLUSH) {
        s->flushing = true;
        for (uint32_t c = 0; c < s->cells; c++)
            s->cell[c].at_flush = s->cell[c].certain > 1 ? 0 : s->cell[c].count;
    }
    array_submit(w->array, &r->io);
}

/* The write may or may not have happened. */
static void unsure(struct swarm *s, const struct request *r)
{
    for (uint32_t c = r->first; c < r->first + r->cells; c++) {
        struct cell *cell = &s->cell[c];
        push(cell, r->stamp);
        cell->certain++;
    }
}

static void release(struct swarm *s, struct request *r)
{
    for (uint32_t c = r->first; c < r->first + r->cells; c++) {
        if (r->io.op == ARRAY_WRITE || r->io.op == ARRAY_FILL)
            s->cell[c].writing = false;
        else if (r->io.op == ARRAY_READ)
            s->cell[c].reading--;
    }
    if (r->io.op == ARRAY_FLUSH)
        s->flushing = false;
    slice_drop(&r->io.data);
    r->used = false;
    s->done++;
}

static void flushed(struct swarm *s)
{
    for (uint32_t c = 0; c < s->cells; c++) {
        struct cell *cell = &s->cell[c];
        if (cell->at_flush < 2 || cell->certain > 1)
            continue;
        uint32_t gone = cell->at_flush - 1;
        memmove(cell->history, cell->history + gone, (cell->count - gone) * 8);
        cell->count -= gone;
        cell->at_flush = 1;
    }
}

static void finished(struct swarm *s, struct request *r)
{
    must(!r->io.no_space);
    must(!r->io.failed); /* one trouble at a time hurts nobody */
    switch (r->io.op) {
    case ARRAY_READ:
        for (uint32_t i = 0; i < r->cells; i++)
            saw(s, r->first + i, stamp_of(slice_bytes(r->io.data) + i * 4096));
        break;
    case ARRAY_WRITE:
    case ARRAY_FILL:
        for (uint32_t c = r->first; c < r->first + r->cells; c++) {
            certain_is(&s->cell[c], r->stamp);
            if (!r->io.fua)
                continue;
            s->cell[c].history[0] = r->stamp;
            s->cell[c].count = 1;
            s->cell[c].at_flush = 0;
        }
        check_landed(s, r);
        break;
    case ARRAY_FLUSH:
        flushed(s);
        break;
    }
    release(s, r);
}

static void drain(struct swarm *s)
{
    struct array_io *io;
    while ((io = array_next_done(s->w->array)))
        for (int i = 0; i < DEPTH; i++)
            if (&s->request[i].io == io)
                finished(s, &s->request[i]);
    for (int i = 0; i < DEPTH; i++)
        must(!s->request[i].used || s->w->now_ns - s->request[i].submitted_ns < MS(30000));
}

/* ---- trouble ---- */

static bool all_good(const struct swarm *s)
{
    struct array_status status;
    array_describe(s->w->array, &status);
    for (int i = 0; i < s->drive_count; i++)
        if (s->w->drive[s->drives[i]].record != DRIVE_STATE_GOOD)
            return false;
    return status.regions_in_doubt == 0;
}

static void heal(struct swarm *s)
{
    struct fake_world *w = s->w;
    for (int i = 0; i < FAKE_DRIVES; i++) {
        struct fake_drive *drive = &w->drive[i];
        drive->hangs = drive->write_errors = drive->offline = false;
        drive->busy = drive->lose = 0;
        drive->bad_from = drive->bad_to = 0;
    }
    if (w->fence_epoch > w->epoch) {
        w->epoch = w->fence_epoch;
        array_epoch(w->array, w->epoch);
    }
    if (w->loop_up[s->side])
        fake_logout(w, s->side, fake_random(w, 2));
    fake_login(w, s->side);
    s->trouble = 0;
}

static void crash(struct swarm *s, bool power)
{
    drain(s);
    s->synced += s->w->synced;
    fake_crash(s->w, power);
    s->crashes++;
    for (int i = 0; i < DEPTH; i++) {
        struct request *r = &s->request[i];
        if (!r->used)
            continue;
        if (r->io.op == ARRAY_WRITE || r->io.op == ARRAY_FILL)
            unsure(s, r);
        if (r->io.op == ARRAY_READ)
            r->io.data = slice_none();
        release(s, r);
    }
    for (uint32_t c = 0; power && c < s->cells; c++)
        s->cell[c].certain = s->cell[c].count;
    s->w->bad = 0;
    heal(s);
    fake_restart(s->w, true);
}

static void make_trouble(struct swarm *s)
{
    struct fake_world *w = s->w;
    s->side = (int)fake_random(w, 2);
    int i = -1;
    while (i < 0 || s->drives[i] / 4 != s->side)
        i = (int)fake_random(w, (uint64_t)s->drive_count);
    struct fake_drive *drive = &w->drive[s->drives[i]];
    s->trouble = 1 + (int)fake_random(w, 10);
    s->heal_ns = w->now_ns + fake_random(w, MS(400));
    s->troubles++;
    switch (s->trouble) {
    case 1:
        drive->hangs = true;
        s->heal_ns += fake_random(w, 3) ? 0 : MS(7000);
        break;
    case 2:
        drive->write_errors = true;
        break;
    case 3:
        drive->bad_from = LAYOUT_DATA + fake_random(w, 700) * 4096;
        drive->bad_to = drive->bad_from + 4096;
        break;
    case 4:
        drive->busy = 20;
        break;
    case 5:
        drive->lose = 1 + (uint32_t)fake_random(w, 3);
        s->heal_ns += fake_random(w, 3) ? 0 : MS(7000);
        break;
    case 6:
    case 7:
        fake_logout(w, s->side, s->trouble == 6);
        break;
    case 8:
        w->fence_epoch++;
        break;
    default:
        crash(s, s->trouble == 9);
        s->trouble = 0;
        break;
    }
}

static void turn(struct swarm *s)
{
    fake_turn(s->w);
    drain(s);
    if (s->trouble && s->w->now_ns >= s->heal_ns)
        heal(s);
}

/* ---- a run ---- */

static void begin(struct swarm *s, uint64_t seed)
{
    static const int two[] = {0, 4}, three[] = {0, 4, 1}, four[] = {0, 4, 5, 1};
    static const struct {
        enum raid_level level;
        const int *drives;
        int count;
        uint32_t cells;
    } shapes[] = {{RAID_1, two, 2, 768}, {RAID_1, three, 3, 768}, {RAID_10, four, 4, 1536}};
    memset(s, 0, sizeof *s);
    s->w = fake_new(seed);
    uint64_t shape = fake_random(s->w, 3);
    s->level = shapes[shape].level;
    s->drives = shapes[shape].drives;
    s->drive_count = shapes[shape].count;
    s->cells = shapes[shape].cells;
    s->w->slow_ns = MS(3);
    fake_pool(s->w, s->level, s->drives, s->drive_count, (uint64_t)s->cells * 4096);
    for (uint32_t c = 0; c < s->cells; c++)
        s->cell[c] = (struct cell){.history = {0}, .count = 1, .certain = 1};
}

static void finish(struct swarm *s)
{
    struct fake_world *w = s->w;
    heal(s);
    uint64_t limit = w->now_ns + MS(60000);
    bool busy = true;
    while (busy || !all_good(s)) {
        must(w->now_ns < limit);
        turn(s);
        busy = false;
        for (int i = 0; i < DEPTH; i++)
            busy |= s->request[i].used;
    }
    for (uint32_t c = 0; c < s->cells; c++) {
        struct array_io io = {.op = ARRAY_READ, .lba = (uint64_t)c * 8, .blocks = 8};
        must(fake_io(w, &io));
        uint64_t stamp = stamp_of(slice_bytes(io.data));
        slice_drop(&io.data);
        saw(s, c, stamp);
        int drives[FAKE_DRIVES];
        uint64_t offset;
        int count = holders(s, c, drives, &offset);
        for (int i = 0; i < count; i++)
            must(stamp_of(w->drive[drives[i]].now + offset) == stamp);
    }
    uint32_t clean = w->clean;
    array_quiesce(w->array);
    must(fake_until(w, &w->clean, clean + 1, MS(10000)));
    struct array_status status;
    array_describe(w->array, &status);
    must(status.regions_set == 0);
    s->synced += w->synced;
    fake_free(w);
}

static struct swarm swarm;

static void run(uint64_t seed)
{
    struct swarm *s = &swarm;
    begin(s, seed);
    while (s->troubles < TROUBLES || s->trouble) {
        for (int i = 0; i < DEPTH; i++)
            if (!s->request[i].used && fake_random(s->w, 8) == 0)
                submit(s, &s->request[i]);
        turn(s);
        if (!s->trouble && fake_random(s->w, 100) == 0 && all_good(s))
            make_trouble(s);
    }
    finish(s);
}

static uint64_t first_seed = 1, seeds = SEEDS;

static void test_swarm(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        if (seeds != SEEDS)
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run(seed);
        if (seeds != SEEDS)
            fprintf(stderr, "  %u I/O done, %u crashes, %u resynchronised\n", swarm.done,
                    swarm.crashes, swarm.synced);
    }
}

int main(int count, char **words)
{
    if (count > 1)
        first_seed = strtoull(words[1], NULL, 0);
    if (count > 2)
        seeds = strtoull(words[2], NULL, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_swarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
