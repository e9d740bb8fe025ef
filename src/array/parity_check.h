/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_PARITY_CHECK_H
#define SEGUE_ARRAY_PARITY_CHECK_H

/* For tests, judges and drills: where RAID 5 and 6 keep things, and what parity is, said once more
 * and in another way than the engine does. */

#include "array/array.h"

/* Of a stripe of `drives` drives, `parity` of them with parity: which drive has data chunk `i`; P;
 * Q. */
uint32_t parity_check_data_drive(uint64_t stripe, uint32_t drives, uint32_t parity, uint32_t i);
uint32_t parity_check_p_drive(uint64_t stripe, uint32_t drives);
uint32_t parity_check_q_drive(uint64_t stripe, uint32_t drives);
/* P and Q of one byte of each data chunk. */
void parity_check_make(const uint8_t *data, uint32_t count, uint8_t *p, uint8_t *q);
/* The first byte of the drives' data areas (at[]), from `from` to `to`, whose parity is not that of
 * the data; -1: it is so everywhere. */
int64_t parity_check_wrong(const uint8_t *const *at, uint32_t drives, uint32_t parity,
                           uint64_t from, uint64_t to, uint32_t chunk_bytes);

#endif
