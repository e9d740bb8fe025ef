/* SPDX-License-Identifier: Apache-2.0 */
/* R1 one chunk is copied at a time per pool; while it is, no write to it is under way and none
 *    begins, and none that was given up may still land on it
 * R2 what is copied comes from a GOOD drive; a drive's state slots from one and the same
 * R3 a bit of `doubt`, or of a drive's `lacks`, goes when every chunk of the region was copied and
 *    no drive of the pool changed its state since the region was begun
 * R4 what no GOOD drive can read is left: in doubt it is unreadable everywhere, which makes the
 *    copies equal; a STALE drive keeps lacking it, and is not SYNCED
 *
 *   choose() -> run of a region (or of the state slots)
 *     chunk: IDLE -- next_chunk --> DRAIN -- drained --> READING -- read_ended --> WRITING --> IDLE
 */
#include "array/resync.h"

#include "array/blob.h"
#include "array/drives.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/part.h"
#include "array/redo.h"
#include "array/stripe.h"
#include "array/sync.h"
#include "base/must.h"

enum { STATE_PIECES = LAYOUT_STATE_BYTES * 2 / COPY_BYTES + 1 };

#define RETRY_NS MS(500)

bool resync_holds(const struct pool *pool, const struct part *part)
{
    const struct copy *copy = &pool->copy;
    return copy->state != COPY_IDLE && !copy->state_slots && !mutant(MUTANT_RESYNC_BESIDE_WRITE) &&
           part_touches(part, copy->set, copy->at, copy->length);
}

/* Where the chunk is on the drives. */
static uint64_t on_drive(const struct copy *copy)
{
    return copy->state_slots ? copy->at : LAYOUT_DATA + copy->at;
}

static struct drive *at_position(struct array *array, const struct pool *pool, uint32_t position)
{
    return &array->drive[pool->info.drives[position]];
}

/* The positions among which the chunk is copied. */
static void range(const struct pool *pool, uint32_t *first, uint32_t *end)
{
    bool all = pool->copy.state_slots;
    *first = all ? 0 : (uint32_t)pool->copy.set * pool->members;
    *end = all ? pool->info.drive_count : *first + pool->members;
}

static bool is_source(struct array *array, const struct pool *pool, uint32_t position)
{
    const struct drive *drive = at_position(array, pool, position);
    bool good = drive->state == DRIVE_STATE_GOOD ||
                (mutant(MUTANT_COPY_FROM_STALE) && drive->state == DRIVE_STATE_STALE);
    return good && drive->probe == PROBE_OURS && !drive->bad && !drive->unsound &&
           drives_reached(array, pool->info.drives[position]);
}

static bool is_target(struct array *array, const struct pool *pool, uint32_t position)
{
    const struct copy *copy = &pool->copy;
    if (!drives_takes_part(at_position(array, pool, position)))
        return false; /* it has FAILED since the run began */
    if (copy->state_slots)
        return pool->info.drives[position] == copy->drive;
    return copy->doubt || position_has(copy->targets, position);
}

/* ---- choosing what to copy ---- */

/* The region in doubt that somebody waits for, or any. */
static int32_t region_in_doubt(const struct pool *pool)
{
    list_each (&pool->blocked, link, next) {
        const struct part *part = list_member(link, struct part, link);
        for (uint32_t r = part_first(pool, part);
             part->op != ARRAY_FLUSH && r <= part_last(pool, part); r++)
            if (bits_has(&pool->doubt, r) && r != pool->copy.skip)
                return (int32_t)r;
    }
    return bits_next(&pool->doubt, pool->copy.cursor);
}

static void run_begin(struct array *array, struct pool *pool, uint32_t region)
{
    struct copy *copy = &pool->copy;
    copy->running = true;
    copy->doubt = copy->state_slots = copy->small = copy->incomplete = copy->refused = false;
    copy->region = region;
    copy->stamp = pool->stamp;
    copy->set = 0;
    copy->at = region * pool->region_bytes;
    copy->end = copy->at + pool->region_bytes;
    if (copy->end > pool->data_bytes)
        copy->end = pool->data_bytes;
    memset(copy->tried, 0, sizeof copy->tried);
    memset(copy->targets, 0, sizeof copy->targets);
    array->again = true;
}

static bool choose_stale(struct array *array, struct pool *pool)
{
    int32_t region = -1;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = at_position(array, pool, p);
        if (drive->state != DRIVE_STATE_STALE || drive->sync != SYNC_COPY)
            continue;
        if (region < 0) {
            region = bits_next(drive->lacks, pool->copy.cursor);
            if (region < 0)
                continue;
            run_begin(array, pool, (uint32_t)region);
        }
        if (bits_has(drive->lacks, (uint32_t)region))
            position_add(pool->copy.targets, p);
    }
    return region >= 0;
}

static bool choose_state(struct array *array, struct pool *pool)
{
    if (array->store.active || array->store.wanted)
        return false;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = at_position(array, pool, p);
        if (drive->state != DRIVE_STATE_STALE || drive->sync != SYNC_META)
            continue;
        run_begin(array, pool, 0);
        pool->copy.state_slots = true;
        pool->copy.drive = pool->info.drives[p];
        pool->copy.piece = 0;
        pool->copy.blob_stamp = array->store.stamp;
        pool->copy.at = pool->copy.end = 0;
        return true;
    }
    return false;
}

static bool choose(struct array *array, struct pool *pool)
{
    if (array->now_ns < pool->copy.retry_ns) {
        array_alarm(array, pool->copy.retry_ns);
        return false;
    }
    int32_t region = pool->doubtful ? region_in_doubt(pool) : -1;
    pool->doubtful = region >= 0;
    if (region >= 0) {
        run_begin(array, pool, (uint32_t)region);
        pool->copy.doubt = true;
        return true;
    }
    region = pool->suspicious ? bits_next(&pool->suspect, pool->copy.cursor) : -1;
    pool->suspicious = region >= 0;
    if (region >= 0) {
        run_begin(array, pool, (uint32_t)region);
        pool->copy.doubt = true;
        return true;
    }
    return choose_stale(array, pool) || choose_state(array, pool);
}

/* ---- a run ---- */

static void run_abandon(struct array *array, struct pool *pool, uint64_t wait_ns)
{
    struct copy *copy = &pool->copy;
    slice_drop(&copy->data);
    copy->running = false;
    copy->state = COPY_IDLE;
    copy->retry_ns = array->now_ns + wait_ns;
    array_alarm(array, copy->retry_ns);
    pool->recheck = array->again = true;
}

static void run_over(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    if (copy->state_slots) {
        bool sound = !copy->incomplete && copy->blob_stamp == array->store.stamp;
        run_abandon(array, pool, copy->incomplete ? RETRY_NS : 0);
        if (sound) {
            blob_copied(array, pool->info.drives[copy->source], copy->drive);
            sync_state_copied(array, copy->drive);
        }
        return;
    }
    copy->cursor = copy->region + 1 < pool->regions ? copy->region + 1 : 0;
    copy->skip = copy->incomplete ? copy->region : UINT32_MAX;
    run_abandon(array, pool, copy->incomplete ? RETRY_NS : 0);
    if (copy->incomplete)
        return;
    if (copy->doubt) {
        bits_remove(&pool->doubt, copy->region); /* R3 */
        bits_remove(&pool->suspect, copy->region);
    }
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (position_has(copy->targets, p))
            bits_remove(at_position(array, pool, p)->lacks, copy->region); /* R3 */
}

static bool anything_to_do(struct array *array, const struct pool *pool)
{
    uint32_t first, end, takers = 0, sources = 0;
    if (pool->parity && pool->copy.doubt)
        return true;
    range(pool, &first, &end);
    for (uint32_t p = first; p < end; p++) {
        sources += is_source(array, pool, p);
        takers += is_target(array, pool, p);
    }
    /* In doubt, a source is among the takers: alone it has nobody to agree with. */
    return pool->copy.doubt ? takers > 1 || sources < takers : takers > 0;
}

/* The state slots go as pieces: both blobs, then both headers. */
static bool next_piece(struct copy *copy)
{
    if (copy->at < copy->end)
        return true;
    if (copy->piece >= STATE_PIECES)
        return false;
    bool last = copy->piece == STATE_PIECES - 1;
    copy->at = last ? LAYOUT_STATE_HEADER : LAYOUT_STATE + (uint64_t)copy->piece * COPY_BYTES;
    copy->end = copy->at + (last ? 2 * LAYOUT_BLOCK : COPY_BYTES);
    copy->piece++;
    return true;
}

/* Moves to the next set with something to copy. False: the run is over. */
static bool next_set(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    if (copy->at < copy->end && anything_to_do(array, pool))
        return true;
    while (++copy->set < pool->sets) {
        copy->at = copy->region * pool->region_bytes;
        copy->small = false;
        if (anything_to_do(array, pool))
            return true;
    }
    copy->set = 0;
    return false;
}

static void next_chunk(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    if (copy->stamp != pool->stamp && !mutant(MUTANT_RESYNC_OVER_CHANGE)) {
        run_abandon(array, pool, 0);
        return;
    }
    if (copy->state_slots ? !next_piece(copy) : !next_set(array, pool)) {
        run_over(array, pool);
        return;
    }
    if (copy->at >= copy->small_end)
        copy->small = false;
    uint64_t most = copy->small ? LAYOUT_BLOCK : COPY_BYTES;
    if (pool->parity && !copy->state_slots && !copy->small) {
        most = pool->info.chunk_bytes - copy->at % pool->info.chunk_bytes;
        most = most < stripe_resync_bytes(pool) ? most : stripe_resync_bytes(pool);
    }
    copy->length = (uint32_t)(copy->end - copy->at < most ? copy->end - copy->at : most);
    memset(copy->tried, 0, sizeof copy->tried);
    copy->refused = false;
    copy->state = COPY_DRAIN;
}

static void chunk_over(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    slice_drop(&copy->data);
    copy->at += copy->length;
    copy->state = COPY_IDLE;
    pool->recheck = array->again = true;
}

/* R4: is there a GOOD drive that was not asked? */
static bool untried(struct array *array, const struct pool *pool)
{
    uint32_t first, end;
    bool any = false;
    range(pool, &first, &end);
    for (uint32_t p = first; p < end; p++) {
        bool good = at_position(array, pool, p)->state == DRIVE_STATE_GOOD;
        if (good && !position_has(pool->copy.tried, p))
            return true;
        any |= good;
    }
    return !any;
}

/* Nobody could read the chunk. */
static void unreadable(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    if (copy->state_slots) {
        copy->state_source++; /* R2: another one, from the beginning */
        run_abandon(array, pool, RETRY_NS);
        return;
    }
    if (copy->refused || (!pool->parity && untried(array, pool))) {
        run_abandon(array, pool, RETRY_NS);
        return;
    }
    if (copy->length > LAYOUT_BLOCK) {
        copy->small = true;
        copy->small_end = copy->at + copy->length;
        copy->state = COPY_IDLE;
        array->again = true;
        return;
    }
    trace_error(array->trace, "pool %s: no drive can read %llu+%u: its copies stay as they are",
                pool->info.name, (unsigned long long)on_drive(copy), copy->length);
    copy->incomplete |= !copy->doubt && !mutant(MUTANT_UNREADABLE_COPIED); /* R4 */
    chunk_over(array, pool);
}

static void read_next(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    uint32_t first, end;
    range(pool, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        uint32_t p = copy->state_slots ? (i + copy->state_source) % end : i;
        if (!is_source(array, pool, p) || position_has(copy->tried, p))
            continue;
        if (copy->state_slots && copy->piece > 1 && p != copy->source)
            continue; /* R2 */
        struct leg *leg = leg_new(array, LEG_COPY, pool->info.index, pool->info.drives[p],
                                  DRIVE_READ, on_drive(copy), copy->length);
        must(leg);
        leg->patience_ns = array->limits->drive_ns;
        copy->source = (uint8_t)p;
        copy->state = COPY_READING;
        copy->legs = 1;
        return;
    }
    unreadable(array, pool);
}

static void drained(struct array *array, struct pool *pool)
{
    const struct copy *copy = &pool->copy;
    if (!copy->state_slots && !mutant(MUTANT_RESYNC_BESIDE_WRITE))
        list_each (&pool->writing, link, next)
            if (part_touches(list_member(link, struct part, link), copy->set, copy->at,
                             copy->length))
                return; /* R1: over() of the part wakes us */
    uint32_t first, end;
    range(pool, &first, &end);
    for (uint32_t p = first; p < end; p++)
        if (drives_takes_part(at_position(array, pool, p)) &&
            leg_may_land(array, pool->info.drives[p], on_drive(copy), copy->length) &&
            !mutant(MUTANT_COPY_WHILE_LINGERING))
            return; /* R1: its answer, or a login, wakes us */
    if (!pool->parity || copy->state_slots)
        read_next(array, pool);
    else if (stripe_resync(array, pool))
        pool->copy.state = COPY_WRITING;
}

void resync_stripe_free(struct array *array, struct pool *pool)
{
    if (pool->copy.state == COPY_DRAIN)
        drained(array, pool);
}

void resync_stripe_ended(struct array *array, struct pool *pool, enum resync_end end)
{
    struct copy *copy = &pool->copy;
    must(pool->parity && copy->running && copy->state == COPY_WRITING);
    copy->refused |= end == RESYNC_REFUSED;
    copy->incomplete |= end == RESYNC_INCOMPLETE;
    if (end == RESYNC_DONE || end == RESYNC_INCOMPLETE)
        chunk_over(array, pool);
    else
        unreadable(array, pool);
}

static void read_ended(struct array *array, struct pool *pool, struct leg *leg)
{
    struct copy *copy = &pool->copy;
    if (leg->end != LEG_OK) {
        position_add(copy->tried, copy->source);
        copy->refused |= leg->end != LEG_ERROR;
        read_next(array, pool);
        return;
    }
    copy->data = leg->data;
    leg->data = slice_none();
    uint32_t first, end;
    range(pool, &first, &end);
    for (uint32_t p = first; p < end; p++) {
        if (p == copy->source || !is_target(array, pool, p))
            continue;
        struct leg *out = leg_new(array, LEG_COPY, pool->info.index, pool->info.drives[p],
                                  DRIVE_WRITE, on_drive(copy), copy->length);
        must(out);
        out->data = slice_ref(copy->data);
        copy->legs++;
    }
    copy->state = COPY_WRITING;
    if (copy->legs == 0)
        chunk_over(array, pool);
}

void resync_leg_ended(struct array *array, struct leg *leg)
{
    struct pool *pool = &array->pool[leg->index];
    struct copy *copy = &pool->copy;
    must(copy->running && copy->legs > 0);
    copy->legs--;
    if (copy->state == COPY_READING) {
        read_ended(array, pool, leg);
        return;
    }
    copy->incomplete |= leg->end != LEG_OK;
    if (copy->legs == 0)
        chunk_over(array, pool);
}

void resync_pump(struct array *array, struct pool *pool)
{
    struct copy *copy = &pool->copy;
    if (array->phase != PHASE_RUNNING || !pool->map_known || !pool->born ||
        !level_redundant(pool) || !redo_resync_open(pool))
        return;
    bool wanted = copy->running || pool->doubtful || pool->suspicious || pool->stale > 0;
    if (copy->state == COPY_IDLE && wanted && (copy->running || choose(array, pool)))
        next_chunk(array, pool);
    if (copy->state == COPY_DRAIN)
        drained(array, pool);
}
