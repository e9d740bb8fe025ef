/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_EFFECT_H
#define SEGUE_ARRAY_EFFECT_H

/* What a management request has resolved to: the request's fields and every decision (index, sizes,
 * extents), so that each member comes to the same state. Bytes: 2 (the array room's), version,
 * verb, fields of the verb. */

#include "array/engine.h"
#include "array/manage.h"

struct effect {
    uint8_t verb;     /* enum manage_verb */
    bool nothing;     /* it was so already: changes nothing, asks nothing of drives */
    uint16_t index;   /* of the pool or volume */
    uint8_t uuid[16]; /* ... and its own: who has applied the effect already can tell */
    /* pool create */
    struct pool_info pool;
    uint64_t data_bytes;
    /* pool delete: pool.drives; pool set: pool.cache */
    /* volume create, grow */
    struct volume volume;   /* grow: info.blocks, and the runs that are new */
    uint64_t blocks_before; /* grow */
};

/* 0: does not fit. */
uint32_t effect_encode(const struct effect *effect, uint8_t *out, uint32_t capacity);
bool effect_decode(const uint8_t *bytes, uint32_t length, struct effect *out);

#endif
