/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_VOLUME_H
#define SEGUE_PROGRAMS_DRILL_VOLUME_H

/* One volume as the drill's host knows it: what it has written where, what it found there at first,
 * and whether what it reads now can be. All positions are in blocks of 512 bytes. */

#include <stddef.h>

#include "command/limits.h"
#include "programs/drill_history.h"
#include "programs/drill_stamp.h"

struct drill_volume {
    char name[NAME_BYTES];
    uint32_t number;
    uint64_t run;
    uint32_t blocks; /* of the area */
    struct drill_history *history;
    uint32_t *first_sum; /* of each block as it was found */
};

/* False: no memory. */
bool drill_volume_init(struct drill_volume *volume, const char *name, uint32_t number, uint64_t run,
                       uint32_t blocks);
void drill_volume_free(struct drill_volume *volume);

/* What was read before the first write. Returns how many blocks hold what no drill has written. */
uint32_t drill_volume_learn(struct drill_volume *volume, uint64_t lba, const uint8_t *data,
                            uint32_t blocks);
/* Fills the data of a write and enters its beginning. False: no memory. */
bool drill_volume_write(struct drill_volume *volume, uint64_t lba, uint8_t *data, uint32_t blocks,
                        uint64_t sequence, uint32_t writer);
/* That write has been acknowledged. */
void drill_volume_written(struct drill_volume *volume, uint64_t lba, uint32_t blocks,
                          uint64_t sequence, uint64_t end);
/* Judges what a read gave. Returns how many blocks are wrong; the first is told in `sentence`. */
uint32_t drill_volume_judge(struct drill_volume *volume, uint64_t lba, const uint8_t *data,
                            uint32_t blocks, const struct drill_read *read, uint64_t end,
                            char *sentence, size_t sentence_bytes);

#endif
