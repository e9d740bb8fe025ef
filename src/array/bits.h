/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_BITS_H
#define SEGUE_ARRAY_BITS_H

/* A set of regions of a pool. */

#include <stdbool.h>
#include <stdint.h>

#include "array/layout.h"

enum { BITS_WORDS = LAYOUT_REGION_MAX / 64 };

struct bits {
    uint64_t word[BITS_WORDS];
};

static inline bool bits_has(const struct bits *b, uint32_t i)
{
    return b->word[i / 64] >> (i % 64) & 1;
}
static inline void bits_add(struct bits *b, uint32_t i)
{
    b->word[i / 64] |= (uint64_t)1 << (i % 64);
}
static inline void bits_remove(struct bits *b, uint32_t i)
{
    b->word[i / 64] &= ~((uint64_t)1 << (i % 64));
}
static inline void bits_clear(struct bits *b)
{
    *b = (struct bits){{0}};
}
static inline void bits_add_all(struct bits *b, const struct bits *more)
{
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        b->word[w] |= more->word[w];
}
static inline void bits_remove_all(struct bits *b, const struct bits *less)
{
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        b->word[w] &= ~less->word[w];
}
/* Exactly the first `count`. */
static inline void bits_fill(struct bits *b, uint32_t count)
{
    bits_clear(b);
    for (uint32_t i = 0; i < count; i++)
        bits_add(b, i);
}
static inline bool bits_empty(const struct bits *b)
{
    uint64_t any = 0;
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        any |= b->word[w];
    return any == 0;
}
static inline uint32_t bits_count(const struct bits *b)
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        count += (uint32_t)__builtin_popcountll(b->word[w]);
    return count;
}
/* The first one at or after `from`, else the first of all; -1: it is empty. */
static inline int32_t bits_next(const struct bits *b, uint32_t from)
{
    for (uint32_t w = from / 64; w < BITS_WORDS; w++) {
        uint64_t word = b->word[w];
        if (w == from / 64)
            word &= UINT64_MAX << (from % 64);
        if (word)
            return (int32_t)(w * 64 + (uint32_t)__builtin_ctzll(word));
    }
    return from > 0 ? bits_next(b, 0) : -1;
}

#endif
