/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_DRIVES_H
#define SEGUE_ARRAY_DRIVES_H

/* What is known of each drive: where it is, whose it is, its state by the record. */

#include "array/engine.h"

static inline struct loop *drives_loop(struct array *array, int drive)
{
    return &array->loop[drive / 32];
}
/* Its loop switch has our login and lists it online. */
bool drives_reached(const struct array *array, int drive);
/* Takes part in writes: GOOD or STALE. */
static inline bool drives_takes_part(const struct drive *drive)
{
    return drive->state != DRIVE_STATE_FAILED;
}
/* Known not to be the drive that the record speaks of. */
static inline bool drives_alien(const struct drive *drive)
{
    return drive->unsound || drive->probe == PROBE_BLANK || drive->probe == PROBE_FOREIGN ||
           drive->probe == PROBE_ERROR;
}
/* May be asked for data: GOOD, and nothing speaks against it. */
bool drives_readable(const struct drive *drive);
/* Positions of the pool's drives that could serve now, less one drive (-1: none). */
void drives_present(const struct array *array, const struct pool *pool, int less, uint64_t *out);
/* Can its pool serve without it? A drive in no pool: false. */
bool drives_expendable(const struct array *array, int drive);
void drives_count_stale(const struct array *array, struct pool *pool);
/* Says RETURNED of those that are FAILED and reached again. */
void drives_pump(struct array *array);
/* Sets "t0/07". */
struct text;
void drives_name(struct text *out, int drive);

#endif
