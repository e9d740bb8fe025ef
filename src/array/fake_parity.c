/* SPDX-License-Identifier: Apache-2.0 */
#include "array/fake_parity.h"

#include "base/must.h"

uint32_t fake_p_drive(uint64_t stripe, uint32_t drives)
{
    return drives - (uint32_t)(stripe % drives) - 1;
}

uint32_t fake_q_drive(uint64_t stripe, uint32_t drives)
{
    uint32_t p = fake_p_drive(stripe, drives);
    return p + 1 == drives ? 0 : p + 1;
}

uint32_t fake_data_drive(uint64_t stripe, uint32_t drives, uint32_t parity, uint32_t i)
{
    uint32_t drive = parity == 2 ? fake_q_drive(stripe, drives) : fake_p_drive(stripe, drives);
    for (uint32_t step = 0; step <= i; step++)
        drive = drive + 1 == drives ? 0 : drive + 1;
    return drive;
}

void fake_parity(const uint8_t *data, uint32_t count, uint8_t *p, uint8_t *q)
{
    *p = *q = 0;
    for (uint32_t i = count; i-- > 0;) {
        *p ^= data[i];
        *q = (uint8_t)(*q << 1 ^ (*q & 0x80 ? 0x1D : 0) ^ data[i]);
    }
}

int64_t fake_parity_wrong(const uint8_t *const *at, uint32_t drives, uint32_t parity,
                          uint64_t length, uint32_t chunk_bytes)
{
    uint8_t data[DRIVE_MAX], p, q;
    must(drives <= DRIVE_MAX);
    for (uint64_t i = 0; i < length; i++) {
        uint64_t stripe = i / chunk_bytes;
        for (uint32_t d = 0; d < drives - parity; d++)
            data[d] = at[fake_data_drive(stripe, drives, parity, d)][i];
        fake_parity(data, drives - parity, &p, &q);
        if (at[fake_p_drive(stripe, drives)][i] != p ||
            (parity == 2 && at[fake_q_drive(stripe, drives)][i] != q))
            return (int64_t)i;
    }
    return -1;
}
