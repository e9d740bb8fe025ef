/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_LEVEL_H
#define SEGUE_ARRAY_LEVEL_H

/* A RAID level: how the data of a pool lies on its drives, and how a piece of I/O becomes drive
 * commands. A pool is `sets` sets of `members` drives each (positions set * members ...); data is
 * striped over the sets by chunk (raid_mirror.c). A level with parity has one set; its places are
 * those of the pool's data, and its writes are the business of stripes (raid_parity.c, stripe.c).
 * Called only by the functions below, which check what goes in and what comes out. */

#include "array/engine.h"

/* Where a byte of a pool's data is. */
struct place {
    uint8_t set;
    uint64_t offset; /* in the data area of the set's drives; with parity: of the pool's data */
    uint64_t length; /* one part goes so far at most */
};

struct level {
    enum raid_level level;
    const char *name;
    uint8_t drives_min, drives_max;
    bool drives_even;
    uint8_t parity; /* drives of a stripe that hold none of the data */
    bool redundant; /* survives a drive: has a write-intent map, is resynchronised */
    /* Drives of one set of a pool of that many. */
    uint8_t (*members)(uint8_t drive_count);
    /* Where the byte at `offset` of the pool's data is, for that kind of I/O. */
    void (*locate)(const struct pool *pool, enum array_op op, uint64_t offset, struct place *out);
    /* What that range of the set (as `locate` gives it) touches in the data areas of its drives. */
    void (*rows)(const struct pool *pool, uint64_t offset, uint64_t length, uint64_t *first,
                 uint64_t *end);
    /* What the range of the pool's data covers in the drives of one set: one contiguous range.
     * NULL: fills are cut as writes are. */
    void (*span)(const struct pool *pool, uint64_t offset, uint64_t length, uint8_t set,
                 uint64_t *first, uint64_t *end);
    /* Can the set be read and written with only the drives at these positions (of the pool)? */
    bool (*lives)(const struct pool *pool, uint8_t set, const uint64_t *present);
    /* Sends the first drive commands of a part (no flush); part->legs counts them; 0: it ended, see
     * failed, unless a stripe holds it. */
    void (*start)(struct array *array, struct part *part);
    /* One of them has ended. May send more. */
    void (*leg_ended)(struct array *array, struct part *part, struct leg *leg);
};

const struct level *level_find(uint8_t level); /* NULL: no such level */

/* Bytes of data in a pool whose drives have data areas of that size. */
uint64_t level_capacity(const struct level *level, uint8_t drive_count, uint64_t data_bytes);
void level_locate(const struct pool *pool, enum array_op op, uint64_t offset, struct place *out);
void level_rows(const struct pool *pool, struct part *part); /* sets them */
bool level_spans(const struct pool *pool); /* are fills cut by set, by level_span()? */
void level_span(const struct pool *pool, uint64_t offset, uint64_t length, uint8_t set,
                uint64_t *first, uint64_t *end);
bool level_lives(const struct pool *pool, uint8_t set, const uint64_t *present);
void level_start(struct array *array, struct part *part);
void level_leg_ended(struct array *array, struct part *part, struct leg *leg);
bool level_redundant(const struct pool *pool);

extern const struct level level_raid_0, level_raid_1, level_raid_10, level_raid_5, level_raid_6;

#endif
