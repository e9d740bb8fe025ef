/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_FAKE_PARITY_H
#define SEGUE_ARRAY_FAKE_PARITY_H

/* For tests: where RAID 5 and 6 keep things, and what parity is, said once more and in another way
 * than the engine does. */

#include "array/array.h"

/* Of a stripe of `drives` drives, `parity` of them with parity: which drive has data chunk `i`; P;
 * Q. */
uint32_t fake_data_drive(uint64_t stripe, uint32_t drives, uint32_t parity, uint32_t i);
uint32_t fake_p_drive(uint64_t stripe, uint32_t drives);
uint32_t fake_q_drive(uint64_t stripe, uint32_t drives);
/* P and Q of one byte of each data chunk. */
void fake_parity(const uint8_t *data, uint32_t count, uint8_t *p, uint8_t *q);
/* The first byte of the drives' data areas (at[]: of `length` bytes each) whose parity is not that
 * of the data; -1: it is so everywhere. */
int64_t fake_parity_wrong(const uint8_t *const *at, uint32_t drives, uint32_t parity,
                          uint64_t length, uint32_t chunk_bytes);

#endif
