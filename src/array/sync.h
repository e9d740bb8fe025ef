/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_SYNC_H
#define SEGUE_ARRAY_SYNC_H

/* A STALE drive's way back to GOOD: map, label, regions, state slots, flush, SYNCED. */

#include "array/engine.h"

void sync_begin(struct array *array, int drive);
void sync_end(struct array *array, int drive); /* it is not STALE any more */
void sync_pump(struct array *array, int drive);
/* Brings every drive's superblock up to date. */
void sync_labels(struct array *array, struct pool *pool);
/* resync.c has copied the state slots. */
void sync_state_copied(struct array *array, int drive);
void sync_leg_ended(struct array *array, struct leg *leg);

#endif
