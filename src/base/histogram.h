/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_HISTOGRAM_H
#define SEGUE_BASE_HISTOGRAM_H

/* How long something took, counted: one addition in one of a few places, no memory to be had, no
 * lock. A mean hides the wait that a person asks about; these do not. */

#include <stdint.h>

enum {
    HISTOGRAM_BUCKETS = 20,    /* up to 8.6 s; what takes longer is in one more */
    HISTOGRAM_FIRST_BITS = 14, /* the first ends at 2^14 ns, 16 us, each next at twice that */
};

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS + 1];
    uint64_t sum_ns;
};

/* The longest time that is counted in bucket i. */
static inline uint64_t histogram_bound_ns(int i)
{
    return UINT64_C(1) << (HISTOGRAM_FIRST_BITS + i);
}

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    uint64_t above = ns > 0 ? (ns - 1) >> HISTOGRAM_FIRST_BITS : 0;
    int i = above ? 64 - __builtin_clzll(above) : 0;
    h->count[i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS]++;
    h->sum_ns += ns;
}

static inline uint64_t histogram_total(const struct histogram *h)
{
    uint64_t total = 0;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        total += h->count[i];
    return total;
}

#endif
