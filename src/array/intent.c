/* SPDX-License-Identifier: Apache-2.0 */
/* W1 a write begins only when the bits of its regions are in `set`
 * W2 a bit in `set` is relied upon only if every drive that takes part has it durably (`whole`: the
 *    reign before may have ended while a map was on its way), and a drive that begins to take part
 *    is SYNCED only after it was sent the whole map
 * W3 a bit leaves `set`, and then the drives, only when every drive of the pool is GOOD, was
 *    flushed after the last write to the region had ended, no write lingers, and no copy of the
 *    region is in doubt, nor its parity suspect
 * W4 at most one map write is under way per pool; on each drive it goes to the slot that does not
 *    hold that drive's newest map: whatever tears it, the one before stays. Drives may differ,
 *    since the reign before may have ended between two of them; our epoch makes our maps the newest
 * W5 a bit that was found on the drives stays until the caller has said array_settled(): the write
 *    that set it may be half done, and still be waiting to be written anew
 * W6 while regions are in doubt the map says so: if this reign ends before their copies agree, the
 *    next one takes every region of the map to be in doubt, though it holds the queue
 *
 *   map write:  idle -- write() --> legs > 0 -- write_over() --> idle: `writing` is now `set`
 *   clearing:   IDLE -- flush() --> FLUSHING -- flush_over() --> READY -- write() --> IDLE
 */
#include "array/intent.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/part.h"
#include "base/must.h"

#define TICK_NS MS(1500) /* a region is idle for one to two of these before it is cleared */

bool intent_has(const struct pool *pool, uint32_t first, uint32_t last)
{
    if (!level_redundant(pool) || mutant(MUTANT_NO_INTENT_MAP))
        return true;
    if (!pool->intent.whole && !mutant(MUTANT_MAP_OF_ONE_TRUSTED)) /* W2 */
        return false;
    for (uint32_t r = first; r <= last; r++)
        if (!bits_has(&pool->intent.set, r))
            return false;
    return true;
}

bool intent_durable(struct array *array, struct pool *pool, uint32_t first, uint32_t last)
{
    struct intent *intent = &pool->intent;
    if (intent_has(pool, first, last))
        return true;
    if (!intent->whole && intent->legs == 0 && !intent->force)
        intent_force(array, pool, false);
    for (uint32_t r = first; r <= last; r++) {
        if (bits_has(&intent->set, r) || (intent->legs > 0 && bits_has(&intent->writing, r)))
            continue;
        bits_add(&intent->wanted, r);
        intent->wanted_any = true;
        array->again = true;
        if (mutant(MUTANT_INTENT_BEFORE_DURABLE))
            bits_add(&intent->set, r);
    }
    return mutant(MUTANT_INTENT_BEFORE_DURABLE) && intent_has(pool, first, last);
}

void intent_write_begun(struct pool *pool, uint32_t first, uint32_t last)
{
    must(intent_has(pool, first, last)); /* W1 */
    pool->intent.active = true;
    for (uint32_t r = first; r <= last; r++) {
        must(pool->inflight[r] < UINT16_MAX);
        pool->inflight[r]++;
        bits_add(&pool->intent.recent, r);
        if (!mutant(MUTANT_INTENT_CLEARED_IN_USE))
            bits_remove(&pool->intent.clear, r); /* W3 */
    }
}

void intent_write_ended(struct pool *pool, uint32_t first, uint32_t last)
{
    for (uint32_t r = first; r <= last; r++) {
        must(pool->inflight[r] > 0);
        pool->inflight[r]--;
        bits_add(&pool->intent.recent, r);
    }
}

uint64_t intent_force(struct array *array, struct pool *pool, bool all)
{
    struct intent *intent = &pool->intent;
    if (all)
        bits_fill(&intent->wanted, pool->regions);
    intent->wanted_any |= all;
    intent->force = true;
    array->again = true;
    return intent->sequence + 1;
}

bool intent_take(struct pool *pool, const uint8_t *head)
{
    struct bits found[2];
    uint64_t sequence[2];
    int newest = -1;
    for (int slot = 0; slot < 2; slot++) {
        if (!layout_get_map(head + LAYOUT_MAP + slot * LAYOUT_BLOCK, pool->info.uuid,
                            pool->region_bytes, &sequence[slot], &found[slot]))
            continue;
        if (newest < 0 || sequence[slot] > sequence[newest])
            newest = slot;
    }
    if (newest < 0)
        return false;
    for (uint32_t r = pool->regions; r < LAYOUT_REGION_MAX; r++)
        bits_remove(&found[newest], r);
    bits_add_all(&pool->intent.set, &found[newest]);
    pool->intent.doubt_kept |= layout_map_doubt(head + LAYOUT_MAP + newest * LAYOUT_BLOCK); /* W6 */
    if (sequence[newest] > pool->intent.sequence)
        pool->intent.sequence = pool->intent.durable = sequence[newest];
    return true;
}

void intent_known(struct array *array, struct pool *pool)
{
    pool->intent.whole = pool->intent.sequence > 0;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drives_takes_part(drive) &&
            (drive->probe != PROBE_OURS || drive->map_sequence != pool->intent.sequence ||
             leg_may_land(array, pool->info.drives[p], LAYOUT_MAP, 2 * LAYOUT_BLOCK)))
            pool->intent.whole = false; /* W2 */
    }
    if (!pool->intent.whole || !bits_empty(&pool->doubt))
        intent_force(array, pool, false); /* W6 */
}

static uint64_t slot_offset(const struct drive *drive)
{
    return LAYOUT_MAP + (uint64_t)drive->map_slot * LAYOUT_BLOCK;
}

void intent_slot_found(struct array *array, int number, const uint8_t *head)
{
    struct drive *drive = &array->drive[number];
    const struct pool *pool = &array->pool[drive->pool];
    struct bits bits;
    uint64_t sequence[2] = {0, 0};
    for (int slot = 0; slot < 2; slot++)
        if (!layout_get_map(head + LAYOUT_MAP + slot * LAYOUT_BLOCK, pool->info.uuid,
                            pool->region_bytes, &sequence[slot], &bits))
            sequence[slot] = 0;
    drive->map_slot = sequence[0] > sequence[1]; /* W4 */
    drive->map_sequence = sequence[!drive->map_slot];
    list_each (&drive->waiting, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        if (leg->owner == LEG_MAP && leg->tried_ns == 0)
            leg->offset = slot_offset(drive);
    }
}

/* ---- writing the map ---- */

static void write_over(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    if (!intent->failed) {
        intent->set = intent->writing; /* W2 */
        intent->durable = intent->sequence;
        intent->whole = true;
        intent->doubt_kept = intent->doubt_writing;
        intent->quiet |= intent->ending;
        intent->active = true;
    } else {
        part_fail_unset(array, pool);
    }
    pool->recheck = true;
    array->again = true;
}

/* W4: above every map of earlier reigns, also those of drives that were not looked at yet. */
static uint64_t next_sequence(const struct array *array, const struct intent *intent)
{
    uint64_t first = array->epoch << 32;
    return intent->sequence + 1 > first ? intent->sequence + 1 : first;
}

static void write(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    struct buffer *buffer = buffer_get(array->buffers, LAYOUT_BLOCK);
    if (!buffer) {
        array->no_buffer = true;
        return;
    }
    intent->ending = intent->clearing == CLEAR_READY && intent->clear_last;
    if (intent->clearing == CLEAR_READY) {
        bits_remove_all(&intent->set, &intent->clear);
        intent->clearing = CLEAR_IDLE;
    }
    intent->writing = intent->set;
    bits_add_all(&intent->writing, &intent->wanted);
    bits_clear(&intent->wanted);
    intent->wanted_any = intent->force = intent->failed = false;
    intent->sequence = next_sequence(array, intent);
    intent->doubt_writing = pool->doubtful && !bits_empty(&pool->doubt);
    layout_put_map(buffer->data, pool->info.uuid, intent->sequence, pool->region_bytes,
                   intent->doubt_writing, &intent->writing);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        uint8_t number = pool->info.drives[p];
        if (!drives_takes_part(&array->drive[number]))
            continue;
        struct leg *leg = leg_new(array, LEG_MAP, pool->info.index, number, DRIVE_WRITE,
                                  slot_offset(&array->drive[number]), LAYOUT_BLOCK);
        must(leg);
        leg->fua = true;
        leg->data = slice_ref(slice_of(buffer, 0, LAYOUT_BLOCK));
        intent->legs++;
    }
    buffer_unref(buffer);
    if (intent->legs == 0) {
        intent->failed = true;
        write_over(array, pool);
    }
}

/* ---- clearing ---- */

static bool all_good(const struct array *array, const struct pool *pool)
{
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drive->state != DRIVE_STATE_GOOD || drive->bad || drive->unsound ||
            drive->probe != PROBE_OURS || !drives_reached(array, pool->info.drives[p]))
            return false;
    }
    return true;
}

/* May a write that was given up still land on a drive that takes part? */
static bool may_land(const struct array *array, const struct pool *pool)
{
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (drives_takes_part(&array->drive[pool->info.drives[p]]) &&
            leg_may_land(array, pool->info.drives[p], 0, UINT64_MAX))
            return true;
    return false;
}

/* The bits that may go once the drives are flushed. */
static void candidates(const struct array *array, struct pool *pool, bool all)
{
    struct intent *intent = &pool->intent;
    bits_clear(&intent->clear);
    if (!all_good(array, pool) && !mutant(MUTANT_INTENT_CLEARED_WITHOUT_ALL)) /* W3 */
        return;
    if (may_land(array, pool) && !mutant(MUTANT_INTENT_CLEARED_LINGERING))
        return;
    intent->clear = intent->set;
    if (!array->settled && !all && !mutant(MUTANT_INTENT_CLEARED_UNSETTLED))
        bits_remove_all(&intent->clear, &intent->found); /* W5 */
    if (!mutant(MUTANT_INTENT_CLEARED_IN_DOUBT)) {
        bits_remove_all(&intent->clear, &pool->doubt);
        bits_remove_all(&intent->clear, &pool->suspect);
    }
    if (!all && !mutant(MUTANT_INTENT_CLEARED_IN_USE)) {
        bits_remove_all(&intent->clear, &intent->recent);
        bits_remove_all(&intent->clear, &intent->older);
    }
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        for (uint64_t left = intent->clear.word[w]; left; left &= left - 1) {
            uint32_t r = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (pool->inflight[r] > 0 && !mutant(MUTANT_INTENT_CLEARED_IN_USE))
                bits_remove(&intent->clear, r);
        }
}

static void flush_over(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    bool sound = !intent->clear_failed && intent->clear_stamp == pool->stamp;
    array->again = true;
    if (sound && !bits_empty(&intent->clear)) {
        intent->clearing = CLEAR_READY;
        return;
    }
    intent->clearing = CLEAR_IDLE;
    intent->quiet |= intent->clear_last && !intent->clear_failed;
}

static void flush(struct array *array, struct pool *pool, bool last)
{
    struct intent *intent = &pool->intent;
    candidates(array, pool, last);
    if (!last && bits_empty(&intent->clear))
        return;
    intent->clearing = CLEAR_FLUSHING;
    intent->clear_last = last;
    intent->clear_failed = false;
    intent->clear_stamp = pool->stamp;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        uint8_t number = pool->info.drives[p];
        if (!drives_takes_part(&array->drive[number]) || mutant(MUTANT_INTENT_CLEARED_UNFLUSHED))
            continue;
        struct leg *leg = leg_new(array, LEG_CLEAR, pool->info.index, number, DRIVE_FLUSH, 0, 0);
        must(leg);
        intent->clear_legs++;
    }
    if (intent->clear_legs == 0)
        flush_over(array, pool);
}

void intent_leg_ended(struct array *array, struct leg *leg)
{
    struct pool *pool = &array->pool[leg->index];
    struct intent *intent = &pool->intent;
    bool failed = leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT;
    if (leg->owner == LEG_MAP) {
        must(intent->legs > 0);
        if (leg->end == LEG_OK)
            array->drive[leg->drive].map_slot ^= mutant(MUTANT_MAP_OVERWRITTEN) ? 0 : 1; /* W4 */
        intent->failed |= failed;
        if (--intent->legs == 0)
            write_over(array, pool);
    } else {
        must(intent->clear_legs > 0);
        intent->clear_failed |= failed;
        if (--intent->clear_legs == 0)
            flush_over(array, pool);
    }
}

static void tick(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    if (array->now_ns >= intent->tick_ns) {
        bool first = intent->tick_ns == 0;
        intent->tick_ns = array->now_ns + TICK_NS;
        if (!first && intent->clearing == CLEAR_IDLE)
            flush(array, pool, false);
        intent->older = intent->recent;
        bits_clear(&intent->recent);
        intent->active = !bits_empty(&intent->set);
    }
    array_alarm(array, intent->tick_ns);
}

/* Stopping: no I/O, no doubt, nothing else that writes. */
static bool may_end(const struct array *array, const struct pool *pool)
{
    return array->quiescing && array->ios == 0 && array->carry.count == 0 && !array->store.active &&
           !array->store.wanted && bits_empty(&pool->doubt) && bits_empty(&pool->suspect) &&
           pool->intent.clearing == CLEAR_IDLE && pool->intent.legs == 0 && !pool->intent.quiet &&
           !may_land(array, pool);
}

void intent_pump(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    if (array->phase != PHASE_RUNNING || !pool->map_known || !pool->born)
        return;
    intent->force |= intent->doubt_kept && !pool->doubtful; /* W6: not any more */
    if (intent->legs == 0 &&
        (intent->wanted_any || intent->force || intent->clearing == CLEAR_READY))
        write(array, pool); /* W4 */
    if (may_end(array, pool))
        flush(array, pool, true);
    else if (level_redundant(pool) && !array->quiescing && intent->active)
        tick(array, pool);
}
