/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_INTENT_H
#define SEGUE_ARRAY_INTENT_H

/* The write-intent map of a pool: one bit per region of its drives' data areas. */

#include "array/engine.h"

/* Are the bits durable? If not they will be (the part waits in its pool's blocked list). */
bool intent_durable(struct array *array, struct pool *pool, uint32_t first, uint32_t last);
/* The same, asking for nothing. */
bool intent_has(const struct pool *pool, uint32_t first, uint32_t last);
void intent_write_begun(struct pool *pool, uint32_t first, uint32_t last);
void intent_write_ended(struct pool *pool, uint32_t first, uint32_t last);
/* The map is written once more, to every drive that takes part now; `all`: with every bit set.
 * Returns the sequence that will be durable then. */
uint64_t intent_force(struct array *array, struct pool *pool, bool all);
/* Reads one drive's copy out of what its probe found, into the set that the pool begins with. */
bool intent_take(struct pool *pool, const uint8_t *head);
/* The set is what the pool begins with. */
void intent_known(struct array *array, struct pool *pool);
/* Which slot the drive's next map goes to, by what its probe found. */
void intent_slot_found(struct array *array, int drive, const uint8_t *head);
void intent_pump(struct array *array, struct pool *pool);
void intent_leg_ended(struct array *array, struct leg *leg);

#endif
