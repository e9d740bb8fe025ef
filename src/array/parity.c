/* SPDX-License-Identifier: Apache-2.0 */
#include "array/parity.h"

#include <isa-l/erasure_code.h>
#include <isa-l/raid.h>

#include "base/must.h"

enum {
    ALIGN = 64,      /* what the fastest of ISA-L's functions ask for */
    TABLE_BYTES = 32 /* of a coefficient */
};

/* ---- geometry ---- */

static uint32_t first_parity(const struct pool *pool, uint64_t stripe)
{
    if (mutant(MUTANT_PARITY_UNROTATED))
        return pool->members - 1u;
    return pool->members - 1u - (uint32_t)(stripe % pool->members);
}

uint32_t parity_position(const struct pool *pool, uint64_t stripe, uint32_t member)
{
    uint32_t p = first_parity(pool, stripe), data = parity_data(pool);
    uint32_t after = member < data ? pool->parity + member : member - data;
    return (p + after) % pool->members;
}

uint32_t parity_member(const struct pool *pool, uint64_t stripe, uint32_t position)
{
    uint32_t p = first_parity(pool, stripe), data = parity_data(pool);
    uint32_t after = (position + pool->members - p) % pool->members;
    return after < pool->parity ? data + after : after - pool->parity;
}

/* ---- arithmetic ---- */

/* 2 to that power. */
static uint8_t power(uint32_t exponent)
{
    uint8_t value = 1;
    for (; exponent > 0; exponent--)
        value = gf_mul(value, 2);
    return value;
}

static bool aligned(uint8_t *const *at, uint32_t count)
{
    uintptr_t all = 0;
    for (uint32_t i = 0; i < count; i++)
        all |= (uintptr_t)at[i];
    return all % ALIGN == 0;
}

/* out[r] = sum of coefficient[r * count + i] * source[i] */
static void combine(uint32_t length, uint32_t count, uint32_t rows, uint8_t *coefficients,
                    uint8_t **source, uint8_t **out)
{
    uint8_t tables[PARITY_DRIVES_MAX * PARITY_MAX * TABLE_BYTES];
    must(count * rows <= PARITY_DRIVES_MAX * PARITY_MAX);
    ec_init_tables((int)count, (int)rows, coefficients, tables);
    ec_encode_data((int)length, (int)count, (int)rows, tables, source, out);
}

void parity_make(const struct pool *pool, uint32_t length, uint8_t *const *at)
{
    uint32_t data = parity_data(pool), rows = 0;
    uint8_t *source[PARITY_DRIVES_MAX + PARITY_MAX], *out[PARITY_MAX];
    uint8_t coefficients[PARITY_DRIVES_MAX * PARITY_MAX];
    bool p = at[data] != NULL, q = pool->parity > 1 && at[data + 1] != NULL;
    memcpy(source, at, pool->members * sizeof source[0]);
    if (p && (q || pool->parity == 1) && aligned(at, pool->members)) {
        if (q)
            must(pq_gen((int)data + 2, (int)length, (void **)source) == 0);
        else
            must(xor_gen((int)data + 1, (int)length, (void **)source) == 0);
        return;
    }
    for (uint32_t row = 0; row < pool->parity; row++) {
        if (!at[data + row])
            continue;
        for (uint32_t i = 0; i < data; i++)
            coefficients[rows * data + i] = row == 0 ? 1 : power(i);
        out[rows++] = at[data + row];
    }
    if (rows > 0)
        combine(length, data, rows, coefficients, source, out);
}

void parity_change(const struct pool *pool, uint32_t length, uint32_t member, const uint8_t *image,
                   uint8_t *const *parity)
{
    uint8_t coefficients[PARITY_MAX], tables[PARITY_MAX * TABLE_BYTES];
    uint8_t *out[PARITY_MAX];
    int rows = 0;
    for (uint32_t row = 0; row < pool->parity; row++) {
        if (!parity[row])
            continue;
        coefficients[rows] = row == 0 ? 1 : power(member);
        out[rows++] = parity[row];
    }
    if (rows == 0)
        return;
    uint8_t *source = (uint8_t *)(uintptr_t)image; /* read only */
    ec_init_tables(1, rows, coefficients, tables);
    ec_encode_data_update((int)length, 1, rows, 0, tables, source, out);
}

/* What the data member or parity counts in the missing member x, by P or by Q alone; in x, when y
 * is missing, too, by both: from P = sum of D and Q = sum of 2^i D. */
static uint8_t solve_one(const struct pool *pool, uint32_t x, bool by_q, uint32_t member)
{
    if (!by_q)
        return 1;
    return gf_mul(member < parity_data(pool) ? power(member) : 1, gf_inv(power(x)));
}

static uint8_t solve_two(const struct pool *pool, uint32_t x, uint32_t y, uint32_t member)
{
    uint32_t data = parity_data(pool);
    uint8_t by = gf_inv(power(x) ^ power(y));
    if (member == data)
        return gf_mul(power(y), by);
    if (member == data + 1)
        return by;
    return gf_mul(power(y) ^ power(member), by);
}

void parity_recover(const struct pool *pool, uint32_t length, uint8_t *const *at, uint32_t missing,
                    uint32_t with)
{
    uint32_t data = parity_data(pool), count = 0, rows = (uint32_t)__builtin_popcount(missing);
    uint8_t *source[PARITY_DRIVES_MAX + PARITY_MAX], *out[PARITY_MAX];
    uint8_t coefficients[PARITY_DRIVES_MAX * PARITY_MAX];
    uint32_t x = (uint32_t)__builtin_ctz(missing), y = 31u - (uint32_t)__builtin_clz(missing);
    uint32_t sources = (parity_data_mask(pool) & ~missing) | with;
    uint32_t k = (uint32_t)__builtin_popcount(sources);
    bool by_p = with >> data & 1;
    must(rows > 0 && rows <= pool->parity && !(missing & ~parity_data_mask(pool)));
    must((uint32_t)__builtin_popcount(with) == rows && !(with & ~parity_parity_mask(pool)));
    for (uint32_t m = 0; m < pool->members; m++) {
        if (!(sources >> m & 1))
            continue;
        if (rows == 1) {
            coefficients[count] = solve_one(pool, x, !by_p, m);
        } else {
            coefficients[count] = solve_two(pool, x, y, m);
            coefficients[k + count] = solve_two(pool, y, x, m);
        }
        source[count++] = at[m];
    }
    out[0] = at[x];
    out[1] = at[y];
    if (rows == 1 && by_p) {
        source[count] = out[0];
        if (aligned(source, count + 1)) {
            must(xor_gen((int)count + 1, (int)length, (void **)source) == 0);
            return;
        }
    }
    combine(length, count, rows, coefficients, source, out);
}
