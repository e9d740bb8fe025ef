/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_RESYNC_H
#define SEGUE_ARRAY_RESYNC_H

/* Resynchronisation: makes the copies of regions equal that are in doubt, and gives a STALE drive
 * the regions that it lacks, a chunk at a time. */

#include "array/engine.h"

/* Must that write wait, because its range is being copied? */
bool resync_holds(const struct pool *pool, const struct part *part);
void resync_pump(struct array *array, struct pool *pool);
void resync_leg_ended(struct array *array, struct leg *leg);

#endif
