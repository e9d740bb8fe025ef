/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_POOLS_H
#define SEGUE_ARRAY_POOLS_H

/* The configuration: which pools and volumes there are. It changes by array_apply() and
 * array_load() alone, the same way on every member. */

#include "array/engine.h"

/* Do level, chunk and drives make a pool whose drives have data areas of that size? */
bool pools_makes_sense(const struct pool_info *info, uint64_t data_bytes);
/* ... and is the place free, are the drives in no pool? */
bool pools_can_add(const struct array *array, const struct pool_info *info, uint64_t data_bytes);
/* Adds or drops one, with all that drives and counters know of it. */
void pools_add(struct array *array, const struct pool_info *info, uint64_t data_bytes);
void pools_drop(struct array *array, uint8_t index);
bool pools_add_volume(struct array *array, const struct volume *volume); /* false: makes no sense */
void pools_drop_volume(struct array *array, uint16_t index);
/* The same volume with more blocks and more extents. */
void pools_grow_volume(struct array *array, uint16_t index, uint64_t blocks, const struct run *runs,
                       uint16_t count);
/* The cache mode of a pool, and what its volumes say of it. */
void pools_set_cache(struct array *array, uint8_t index, enum cache_mode cache);
/* The first free run at or after `from`, in LAYOUT_UNITs. False: none. */
bool pools_free_run(const struct array *array, uint8_t pool, uint32_t from, struct run *out);
int pools_find(const struct array *array, const char *name); /* -1: none */
int pools_find_volume(const struct array *array, const char *name);
/* What a pool has of the running engine: as if it had never run. */
void pools_reset(struct pool *pool);

#endif
