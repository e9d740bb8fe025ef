/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_PROBE_H
#define SEGUE_ARRAY_PROBE_H

/* Looks at what a drive is before anything else goes to it: after array_begin(), and after each
 * login of its loop switch. Reads the maps that a pool begins with. */

#include "array/engine.h"

/* Everything is to be looked at anew. */
void probe_begin(struct array *array);
void probe_pump(struct array *array);
void probe_leg_ended(struct array *array, struct leg *leg);
/* May commands of that owner go to the drive? */
bool probe_open(const struct array *array, int drive, enum leg_owner owner);
/* The superblock of a position as it should be now. */
void probe_superblock(const struct array *array, const struct pool *pool, uint8_t position,
                      struct superblock *out);
/* Writes it, both copies. Returns how many legs; 0: no buffer. */
uint32_t probe_write_label(struct array *array, enum leg_owner owner, uint16_t index,
                           const struct pool *pool, uint8_t position);

#endif
