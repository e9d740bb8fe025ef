/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_RESYNC_H
#define SEGUE_ARRAY_RESYNC_H

/* Resynchronisation: makes the copies of regions equal that are in doubt, or their parity that of
 * the data, and gives a STALE drive the regions that it lacks, a chunk at a time. */

#include "array/engine.h"

/* Must that write wait, because its range is being copied? */
bool resync_holds(const struct pool *pool, const struct part *part);
void resync_pump(struct array *array, struct pool *pool);
void resync_leg_ended(struct array *array, struct leg *leg);

/* Of stripe_resync(): the stripe is free now; how it ended. */
enum resync_end {
    RESYNC_DONE,
    RESYNC_INCOMPLETE, /* a drive did not take what it was to get */
    RESYNC_UNREADABLE, /* too few drives can read it */
    RESYNC_REFUSED,    /* ... or answer */
};
void resync_stripe_free(struct array *array, struct pool *pool);
void resync_stripe_ended(struct array *array, struct pool *pool, enum resync_end end);

#endif
