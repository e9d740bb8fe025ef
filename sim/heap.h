/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_HEAP_H
#define SEGUE_SIM_HEAP_H

/* What is to come, ordered by time, and at one time by who came first. */

#include <stdint.h>

struct happening {
    uint64_t at_ns, serial; /* serial: heap_add's */
    uint32_t kind;
    uint64_t what;
};

struct heap {
    struct happening *at;
    uint32_t count, room;
    uint64_t serial;
};

void heap_add(struct heap *heap, struct happening happening);
uint64_t heap_next_ns(const struct heap *heap); /* UINT64_MAX: empty */
struct happening heap_take(struct heap *heap);  /* it must not be empty */
void heap_free(struct heap *heap);

#endif
