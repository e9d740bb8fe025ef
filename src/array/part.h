/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_PART_H
#define SEGUE_ARRAY_PART_H

/* A part: a piece of host I/O that lies in one mirror set, contiguous there, or in one stripe with
 * parity. It waits until nothing
 * stands in its way (regions in doubt, a copy under way, bits of the map), then its RAID level
 * sends its drive commands. */

#include "array/engine.h"

static inline uint16_t part_index(const struct array *array, const struct part *part)
{
    return (uint16_t)(part - array->part);
}
static inline bool part_writes(const struct part *part)
{
    return part->op == ARRAY_WRITE || part->op == ARRAY_FILL;
}
static inline uint32_t part_region(const struct pool *pool, uint64_t offset)
{
    return (uint32_t)(offset / pool->region_bytes);
}
static inline uint32_t part_first(const struct pool *pool, const struct part *part)
{
    return part_region(pool, part->row);
}
static inline uint32_t part_last(const struct pool *pool, const struct part *part)
{
    return part_region(pool, part->row_end - 1);
}
/* Does it touch that range of that set's drives? */
static inline bool part_touches(const struct part *part, uint8_t set, uint64_t offset,
                                uint64_t length)
{
    return part->set == set && part->row < offset + length && offset < part->row_end;
}

/* An empty one for that io, or NULL: none is free now. */
struct part *part_new(struct array *array, struct array_io *io, uint8_t pool);
void part_free(struct array *array, struct part *part);
bool part_room(const struct array *array); /* one is free */
/* It is filled in: starts it, or blocks it until it may. */
void part_go(struct array *array, struct part *part);
/* Looks at the blocked ones again. */
void part_recheck(struct array *array, struct pool *pool);
void part_leg_ended(struct array *array, struct leg *leg);
/* A stripe is done with it. */
void part_over(struct array *array, struct part *part);
/* A failed write: its copies may differ, the regions are resynchronised before they are read. */
void part_doubt(struct array *array, const struct part *part);
/* Fails what is blocked for bits that could not be made durable. */
void part_fail_unset(struct array *array, struct pool *pool);
/* Blocked parts of sets that have been dead for too long fail. */
void part_timers(struct array *array, struct pool *pool);
/* Fails all parts of a pool that is no more. */
void part_forget_pool(struct array *array, uint8_t pool);

#endif
