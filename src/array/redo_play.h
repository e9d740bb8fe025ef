/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_REDO_PLAY_H
#define SEGUE_ARRAY_REDO_PLAY_H

/* The other half of redo.c: records that were found when the reign began. */

#include "array/redo.h"

#define REDO_RETRY_NS MS(100)

static inline uint64_t redo_head_at(uint32_t slot)
{
    return LAYOUT_REDO + (uint64_t)slot * LAYOUT_BLOCK;
}
static inline uint16_t redo_index(const struct pool *pool, uint32_t slot)
{
    return (uint16_t)(pool->info.index * REDO_SLOTS + slot);
}
static inline struct drive *redo_drive(struct array *array, const struct pool *pool,
                                       uint32_t position)
{
    return &array->drive[pool->info.drives[position]];
}
static inline void redo_wait(struct array *array, struct redo_slot *slot)
{
    slot->retry_ns = array->now_ns + REDO_RETRY_NS;
    array_alarm(array, slot->retry_ns);
}
static inline void redo_freed(struct array *array, struct pool *pool, struct redo_slot *slot)
{
    slot->state = REDO_FREE;
    pool->recheck = array->again = array->more = true;
}

/* Begins to play what is there to be played, as far as its turn has come. */
void redo_play_find(struct array *array, struct pool *pool);
/* The next step of a slot that waits in HEAD or PLAYING. */
void redo_play_step(struct array *array, struct pool *pool, uint32_t slot);
/* One of its drive commands has ended; slot->legs does not count it any more. */
void redo_play_leg_ended(struct array *array, struct pool *pool, uint32_t slot, struct leg *leg);

#endif
