/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_PARITY_H
#define SEGUE_ARRAY_PARITY_H

/* Stripes with parity: which drive has which part of a stripe, and the arithmetic (ISA-L).
 *
 * A stripe is one chunk of each drive, at the same offset of their data areas. Its members are data
 * 0, 1, ..., then P, then (RAID 6) Q: P = D0 + D1 + ..., Q = D0 + 2 D1 + 4 D2 + ... in the field of
 * 256 with the polynomial 0x11D. Left-symmetric, as Linux md has it: P is on the last drive in
 * stripe 0, one to the left in each next one; Q follows P, then the data, round the drives. */

#include "array/engine.h"

/* Bits of members. */
static inline uint32_t parity_bit(uint32_t member)
{
    return (uint32_t)1 << member;
}
/* How many data members a stripe has. */
static inline uint32_t parity_data(const struct pool *pool)
{
    return (uint32_t)pool->members - pool->parity;
}
static inline uint32_t parity_data_mask(const struct pool *pool)
{
    return parity_bit(parity_data(pool)) - 1;
}
static inline uint32_t parity_parity_mask(const struct pool *pool)
{
    return (parity_bit(pool->parity) - 1) << parity_data(pool);
}
/* Bytes of data in a stripe. */
static inline uint64_t parity_stripe_bytes(const struct pool *pool)
{
    return (uint64_t)pool->info.chunk_bytes * parity_data(pool);
}
/* Which drive of the pool has that member of that stripe; and the way back. */
uint32_t parity_position(const struct pool *pool, uint64_t stripe, uint32_t member);
uint32_t parity_member(const struct pool *pool, uint64_t stripe, uint32_t position);

/* What follows works on `length` bytes (a multiple of 32) of each member; pointers need not be
 * aligned, though aligned ones are faster.
 *
 * Makes parity of all data. at[]: by member; a parity member that is NULL is not wanted. */
void parity_make(const struct pool *pool, uint32_t length, uint8_t *const *at);
/* One data member changes: takes one image of it, the old or the new one, into or out of the parity
 * (that is the same). A parity member that is NULL is left alone. */
void parity_change(const struct pool *pool, uint32_t length, uint32_t member, const uint8_t *image,
                   uint8_t *const *parity);
/* Fills in the data members of the mask `missing`, out of the other data and as many parity members
 * of the mask `with`. */
void parity_recover(const struct pool *pool, uint32_t length, uint8_t *const *at, uint32_t missing,
                    uint32_t with);

#endif
