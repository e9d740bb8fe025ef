/* SPDX-License-Identifier: Apache-2.0 */
/* A1 a part that has not started is in its pool's blocked list, and has no legs
 * A2 a write that has started is in its pool's writing list, every bit of its regions is durable,
 * and each region counts it in inflight A3 no part starts in a region in doubt; no write starts in
 * a chunk that is being copied
 *
 *   part_new -> part_go --- blocked <--- part_recheck
 *                  |            |
 *                  +--> begun <-+   level_start() sends legs
 *                         |
 *                         +--> over when the last leg has ended
 */
#include "array/part.h"

#include "array/drives.h"
#include "array/hostio.h"
#include "array/intent.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/resync.h"
#include "base/must.h"

struct part *part_new(struct array *array, struct array_io *io, uint8_t pool)
{
    struct part *part = list_first(&array->parts_free, struct part, link);
    if (part)
        list_remove(&part->link);
    else if (array->parts_used < PART_MAX)
        part = &array->part[array->parts_used++];
    else {
        array->legs_short = true;
        return NULL;
    }
    memset(part, 0, sizeof *part);
    list_init(&part->link);
    list_init(&part->stripe_link);
    part->used = true;
    part->io = io;
    part->op = io->op;
    part->pool = pool;
    io->pending++;
    return part;
}

void part_free(struct array *array, struct part *part)
{
    part->used = false;
    list_prepend(&array->parts_free, &part->link); /* its memory is warm */
}

bool part_room(const struct array *array)
{
    return array->parts_used < PART_MAX || !list_empty(&array->parts_free);
}

void part_over(struct array *array, struct part *part)
{
    struct pool *pool = &array->pool[part->pool];
    struct array_io *io = part->io;
    must(part->legs == 0);
    if (part->started && part_writes(part)) {
        intent_write_ended(pool, part_first(pool, part), part_last(pool, part));
        if (pool->copy.state == COPY_DRAIN)
            array->again = true;
    }
    list_remove(&part->link);
    hostio_part_over(array, io, part);
    slice_drop(&part->data);
    part_free(array, part);
    if (array->legs_short)
        array->again = true;
}

/* ---- what may stand in its way ---- */

static bool in_doubt(const struct pool *pool, const struct part *part)
{
    if (!pool->doubtful || mutant(MUTANT_READ_IN_DOUBT))
        return false;
    for (uint32_t r = part_first(pool, part); r <= part_last(pool, part); r++)
        if (bits_has(&pool->doubt, r))
            return true;
    return false;
}

static bool must_wait(struct array *array, struct pool *pool, struct part *part)
{
    if (!pool->map_known)
        return true;
    if (part->op == ARRAY_FLUSH)
        return !leg_room(array, pool->info.drive_count);
    if (in_doubt(pool, part)) {
        array->again = true; /* resync begins with what is waited for */
        return true;
    }
    if (!leg_room(array, pool->members))
        return true;
    return part_writes(part) &&
           (resync_holds(pool, part) ||
            !intent_durable(array, pool, part_first(pool, part), part_last(pool, part)));
}

static void begin(struct array *array, struct part *part)
{
    struct pool *pool = &array->pool[part->pool];
    list_remove(&part->link);
    if (part_writes(part)) {
        intent_write_begun(pool, part_first(pool, part), part_last(pool, part));
        list_append(&pool->writing, &part->link);
    }
    part->since_ns = 0;
    level_start(array, part);
    if (part->legs == 0 && !part->held)
        part_over(array, part);
}

void part_go(struct array *array, struct part *part)
{
    struct pool *pool = &array->pool[part->pool];
    if (pool->map_known && !pool->born) {
        part->failed = true; /* its drives are not those of this pool */
        part_over(array, part);
        return;
    }
    if (!must_wait(array, pool, part)) {
        begin(array, part);
        return;
    }
    if (!list_linked(&part->link)) {
        list_append(&pool->blocked, &part->link);
        part->since_ns = array->now_ns;
        array_alarm(array, array->now_ns + array->limits->drive_total_ns);
    }
}

void part_recheck(struct array *array, struct pool *pool)
{
    pool->recheck = false;
    list_each (&pool->blocked, link, next)
        part_go(array, list_member(link, struct part, link));
}

void part_leg_ended(struct array *array, struct leg *leg)
{
    struct part *part = &array->part[leg->index];
    level_leg_ended(array, part, leg);
    if (part->legs == 0 && !part->held)
        part_over(array, part);
}

void part_doubt(struct array *array, const struct part *part)
{
    struct pool *pool = &array->pool[part->pool];
    if (!level_redundant(pool) || mutant(MUTANT_FAILED_WRITE_TRUSTED))
        return;
    for (uint32_t r = part_first(pool, part); r <= part_last(pool, part); r++)
        bits_add(&pool->doubt, r);
    pool->doubtful = true;
    intent_force(array, pool, false); /* W6 */
    array->again = true;
}

static void fail(struct array *array, struct part *part)
{
    must(!part->started);
    part->failed = true;
    part_over(array, part);
}

void part_fail_unset(struct array *array, struct pool *pool)
{
    list_each (&pool->blocked, link, next) {
        struct part *part = list_member(link, struct part, link);
        if (part_writes(part) && !in_doubt(pool, part) &&
            !intent_has(pool, part_first(pool, part), part_last(pool, part)))
            fail(array, part);
    }
}

static bool dead(const struct array *array, const struct pool *pool, const struct part *part)
{
    uint64_t present[DRIVE_WORDS];
    drives_present(array, pool, -1, present);
    return !level_lives(pool, part->set, present);
}

void part_timers(struct array *array, struct pool *pool)
{
    list_each (&pool->blocked, link, next) {
        struct part *part = list_member(link, struct part, link);
        uint64_t limit = part->since_ns + array->limits->drive_total_ns;
        if (array->now_ns < limit) {
            array_alarm(array, limit);
            return; /* the list is in the order of time */
        }
        if (dead(array, pool, part))
            fail(array, part);
        else
            part->since_ns = array->now_ns;
    }
}

void part_forget_pool(struct array *array, uint8_t pool)
{
    for (uint16_t i = 0; i < array->parts_used; i++) {
        struct part *part = &array->part[i];
        if (!part->used || part->pool != pool)
            continue;
        leg_forget(array, LEG_PART, i);
        leg_forget(array, LEG_REPAIR, i);
        part->legs = 0;
        part->held = false;
        part->failed = true;
        part_over(array, part);
    }
}
