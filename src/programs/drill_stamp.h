/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_STAMP_H
#define SEGUE_PROGRAMS_DRILL_STAMP_H

/* What the drill writes into every 512 bytes: who wrote it, where it belongs, and a sum over all of
 * it, so that a block that is old, torn or in the wrong place gives itself away. */

#include <stdbool.h>
#include <stdint.h>

enum { DRILL_BLOCK = 512 };

struct drill_stamp {
    uint64_t run;      /* which drill */
    uint64_t sequence; /* which write of it; unique, from 1 */
    uint64_t lba;      /* in units of 512 bytes */
    uint32_t volume;
    uint32_t writer; /* by which path it was first sent */
};

enum drill_stamp_kind {
    DRILL_STAMP_WHOLE, /* a stamp, and the block is as it was written */
    DRILL_STAMP_TORN,  /* it begins as a stamp, but the sum is wrong */
    DRILL_STAMP_ZERO,  /* nothing but zeroes */
    DRILL_STAMP_OTHER, /* something that no drill has written */
};

void drill_stamp_write(uint8_t *block, const struct drill_stamp *stamp);
/* `out` is filled for WHOLE and TORN. */
enum drill_stamp_kind drill_stamp_read(const uint8_t *block, struct drill_stamp *out);
/* A sum of whatever the block holds, to know it again. */
uint32_t drill_stamp_sum(const uint8_t *block);

#endif
