/* SPDX-License-Identifier: Apache-2.0 */
#include "array/parity_check.h"

#include "base/must.h"

uint32_t parity_check_p_drive(uint64_t stripe, uint32_t drives)
{
    return drives - (uint32_t)(stripe % drives) - 1;
}

uint32_t parity_check_q_drive(uint64_t stripe, uint32_t drives)
{
    uint32_t p = parity_check_p_drive(stripe, drives);
    return p + 1 == drives ? 0 : p + 1;
}

uint32_t parity_check_data_drive(uint64_t stripe, uint32_t drives, uint32_t parity, uint32_t i)
{
    uint32_t drive =
        parity == 2 ? parity_check_q_drive(stripe, drives) : parity_check_p_drive(stripe, drives);
    for (uint32_t step = 0; step <= i; step++)
        drive = drive + 1 == drives ? 0 : drive + 1;
    return drive;
}

void parity_check_make(const uint8_t *data, uint32_t count, uint8_t *p, uint8_t *q)
{
    *p = *q = 0;
    for (uint32_t i = count; i-- > 0;) {
        *p ^= data[i];
        *q = (uint8_t)(*q << 1 ^ (*q & 0x80 ? 0x1D : 0) ^ data[i]);
    }
}

int64_t parity_check_wrong(const uint8_t *const *at, uint32_t drives, uint32_t parity,
                           uint64_t from, uint64_t to, uint32_t chunk_bytes)
{
    uint8_t data[DRIVE_MAX], p, q;
    must(drives <= DRIVE_MAX);
    for (uint64_t i = from; i < to; i++) {
        uint64_t stripe = i / chunk_bytes;
        for (uint32_t d = 0; d < drives - parity; d++)
            data[d] = at[parity_check_data_drive(stripe, drives, parity, d)][i];
        parity_check_make(data, drives - parity, &p, &q);
        if (at[parity_check_p_drive(stripe, drives)][i] != p ||
            (parity == 2 && at[parity_check_q_drive(stripe, drives)][i] != q))
            return (int64_t)i;
    }
    return -1;
}
