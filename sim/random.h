/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_RANDOM_H
#define SEGUE_SIM_RANDOM_H

/* Chance from one seed: splitmix64. Two streams of different seeds are independent enough. */

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    r->state += 0x9E3779B97F4A7C15u;
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}
/* 0 .. limit-1; 0 for limit 0 */
static inline uint64_t random_below(struct random *r, uint64_t limit)
{
    return limit ? random_next(r) % limit : 0;
}
/* least .. most, both included */
static inline uint64_t random_between(struct random *r, uint64_t least, uint64_t most)
{
    return least + random_below(r, most - least + 1);
}
static inline bool random_chance(struct random *r, uint32_t percent)
{
    return random_below(r, 100) < percent;
}
static inline struct random random_fork(struct random *r)
{
    return (struct random){random_next(r)};
}

#endif
