/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_LEVEL_H
#define SEGUE_ARRAY_LEVEL_H

/* A RAID level: how the data of a pool lies on its drives, and how a piece of I/O becomes drive
 * commands. A pool is `sets` sets of `members` drives each (positions set * members ...); data is
 * striped over the sets by chunk. A level with parity has one set and says in its own start() and
 * leg_ended() what a mirror set says in raid_mirror.c. Called only by the functions below, which
 * check what goes in and what comes out. */

#include "array/engine.h"

/* Where a byte of a pool's data is. */
struct place {
    uint8_t set;
    uint64_t offset; /* in the data area of the set's drives */
    uint64_t length; /* contiguous there and in the pool from here on */
};

struct level {
    enum raid_level level;
    const char *name;
    uint8_t drives_min;
    bool drives_even;
    bool redundant; /* survives a drive: has a write-intent map, is resynchronised */
    /* Drives of one set of a pool of that many. */
    uint8_t (*members)(uint8_t drive_count);
    /* Where the byte at `offset` of the pool's data is. */
    void (*locate)(const struct pool *pool, uint64_t offset, struct place *out);
    /* What the range of the pool's data covers in the drives of one set: one contiguous range. */
    void (*span)(const struct pool *pool, uint64_t offset, uint64_t length, uint8_t set,
                 uint64_t *first, uint64_t *end);
    /* Can the set be read and written with only the drives at these positions (of the pool)? */
    bool (*lives)(const struct pool *pool, uint8_t set, const uint64_t *present);
    /* Sends the first drive commands of a part; part->legs counts them; 0: it ended, see failed. */
    void (*start)(struct array *array, struct part *part);
    /* One of them has ended. May send more. */
    void (*leg_ended)(struct array *array, struct part *part, struct leg *leg);
};

const struct level *level_find(uint8_t level); /* NULL: no such level */

void level_locate(const struct pool *pool, uint64_t offset, struct place *out);
void level_span(const struct pool *pool, uint64_t offset, uint64_t length, uint8_t set,
                uint64_t *first, uint64_t *end);
bool level_lives(const struct pool *pool, uint8_t set, const uint64_t *present);
void level_start(struct array *array, struct part *part);
void level_leg_ended(struct array *array, struct part *part, struct leg *leg);
bool level_redundant(const struct pool *pool);

extern const struct level level_raid_0, level_raid_1, level_raid_10;

#endif
