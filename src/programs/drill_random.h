/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_RANDOM_H
#define SEGUE_PROGRAMS_DRILL_RANDOM_H

/* Faults by chance: the same seed and the same array give the same faults, in the same order, with
 * the same lengths, whatever the array makes of them. */

#include "programs/drill_faults.h"
#include "programs/drill_shape.h"

struct drill_random {
    uint64_t state;
    struct drill_shape shape;
    uint32_t rounds;
    uint32_t rested[SHAPE_DRIVES]; /* the round from which a drive may err again */
    bool wild;                     /* also what the redundancy does not cover */
    uint64_t calm_ns;              /* before each round; 0: by chance too */
    char kinds[80];                /* only these; empty: all */
};

extern const char drill_random_kinds[]; /* that there are, with commas */

void drill_random_init(struct drill_random *random, uint64_t seed);
/* Only the kinds of this list. False: there is no such kind; `unknown` is its name. */
bool drill_random_only(struct drill_random *random, const char *kinds, char *unknown, size_t bytes);
/* Adds the next round to the plan. False: nothing of this array may fail. */
bool drill_random_round(struct drill_random *random, struct drill_plan *plan);

#endif
