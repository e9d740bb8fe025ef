/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_PROVISION_H
#define SEGUE_ARRAY_PROVISION_H

/* Which granules of a pool's data hold something: a durable map on every drive. The others read as
 * zeroes without drive I/O. A new pool is empty, and its drives are all zeroes. */

#include "array/engine.h"

/* The pool is new in the configuration: how large its map is. */
void provision_size(struct pool *pool);
/* Nothing is known of it any more. */
void provision_reset(struct pool *pool);
/* Its drives were filled with zeroes, the map too. */
void provision_born(struct array *array, struct pool *pool);
/* Zeroing goes on for nobody. */
void provision_pool_dropped(struct array *array, uint8_t index);
void provision_forget(struct array *array);

/* Is the map known, and the same on every GOOD drive? Nothing is read or written before. */
bool provision_open(const struct pool *pool);
/* May the piece of a write or fill begin, since all its granules are mapped; may the piece of an
 * unmapping go on to its edges, since none of the granules that lie inside it is mapped any more?
 * `ask`: what is missing is asked for. */
bool provision_ready(struct array *array, struct pool *pool, enum array_op op, uint64_t offset,
                     uint64_t length, bool ask);
/* How many bytes from there on, at most `length`, are all mapped, or all not. */
uint64_t provision_run(const struct pool *pool, uint64_t offset, uint64_t length, bool *mapped);
/* Where the granule of that byte ends. */
static inline uint64_t provision_end(const struct pool *pool, uint64_t offset)
{
    return (offset / pool->provision.granule_bytes + 1) * pool->provision.granule_bytes;
}

/* The drive is STALE: it is sent the whole map. */
void provision_lacks_all(struct array *array, int drive);
/* It has been. */
bool provision_is_held(const struct pool *pool, const struct drive *drive);

/* An internal io that filled granules with zeroes is over. */
void provision_zeroed(struct array *array, struct array_io *io);
void provision_leg_ended(struct array *array, struct leg *leg);
void provision_pump(struct array *array, struct pool *pool);

#endif
