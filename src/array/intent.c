/* SPDX-License-Identifier: Apache-2.0 */
/* W1 a write begins only when the bits of its regions are in `set`
 * W2 a bit is in `set` only if every drive that takes part has it durably, and a drive that begins
 * to take part is SYNCED only after it was sent the whole map W3 a bit leaves `set`, and then the
 * drives, only when every drive of the pool is GOOD, was flushed after the last write to the region
 * had ended, and no copy of the region is in doubt W4 at most one map write is under way per pool;
 * they go to the two slots in turn
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
    if (!level_redundant(pool))
        return true;
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
    for (uint32_t r = first; r <= last; r++) {
        if (bits_has(&intent->set, r) || (intent->legs > 0 && bits_has(&intent->writing, r)))
            continue;
        bits_add(&intent->wanted, r);
        intent->wanted_any = true;
        array->again = true;
    }
    return false;
}

void intent_write_begun(struct pool *pool, uint32_t first, uint32_t last)
{
    must(intent_has(pool, first, last)); /* W1 */
    pool->intent.active = true;
    for (uint32_t r = first; r <= last; r++) {
        must(pool->inflight[r] < UINT16_MAX);
        pool->inflight[r]++;
        bits_add(&pool->intent.recent, r);
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
    if (sequence[newest] > pool->intent.sequence)
        pool->intent.sequence = pool->intent.durable = sequence[newest];
    return true;
}

/* ---- writing the map ---- */

static void write_over(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    if (!intent->failed) {
        intent->set = intent->writing; /* W2 */
        intent->durable = intent->sequence;
        intent->quiet |= intent->ending;
        intent->active = true;
    } else {
        part_fail_unset(array, pool);
    }
    pool->recheck = true;
    array->again = true;
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
    intent->sequence++;
    layout_put_map(buffer->data, pool->info.uuid, intent->sequence, pool->region_bytes,
                   &intent->writing);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        uint8_t number = pool->info.drives[p];
        if (!drives_takes_part(&array->drive[number]))
            continue;
        struct leg *leg = leg_new(array, LEG_MAP, pool->info.index, number, DRIVE_WRITE,
                                  layout_map_slot(intent->sequence), LAYOUT_BLOCK);
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
        if (drive->state != DRIVE_STATE_GOOD || drive->bad || drive->probe != PROBE_OURS ||
            !drives_reached(array, pool->info.drives[p]))
            return false;
    }
    return true;
}

/* The bits that may go once the drives are flushed. */
static void candidates(const struct array *array, struct pool *pool, bool all)
{
    struct intent *intent = &pool->intent;
    bits_clear(&intent->clear);
    if (!all_good(array, pool)) /* W3 */
        return;
    intent->clear = intent->set;
    bits_remove_all(&intent->clear, &pool->doubt);
    if (!all) {
        bits_remove_all(&intent->clear, &intent->recent);
        bits_remove_all(&intent->clear, &intent->older);
    }
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        for (uint64_t left = intent->clear.word[w]; left; left &= left - 1) {
            uint32_t r = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (pool->inflight[r] > 0)
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
        if (!drives_takes_part(&array->drive[number]))
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
           !array->store.wanted && bits_empty(&pool->doubt) &&
           pool->intent.clearing == CLEAR_IDLE && pool->intent.legs == 0 && !pool->intent.quiet;
}

void intent_pump(struct array *array, struct pool *pool)
{
    struct intent *intent = &pool->intent;
    if (array->phase != PHASE_RUNNING || !pool->map_known || !pool->born)
        return;
    if (intent->legs == 0 &&
        (intent->wanted_any || intent->force || intent->clearing == CLEAR_READY))
        write(array, pool); /* W4 */
    if (may_end(array, pool))
        flush(array, pool, true);
    else if (level_redundant(pool) && !array->quiescing && intent->active)
        tick(array, pool);
}
