/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/must.h"

enum { HEAP_FIRST = 1024 };

static bool earlier(const struct happening *a, const struct happening *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

static void exchange(struct happening *a, struct happening *b)
{
    struct happening t = *a;
    *a = *b;
    *b = t;
}

void heap_add(struct heap *heap, struct happening happening)
{
    if (heap->count == heap->room) {
        heap->room = heap->room ? 2 * heap->room : HEAP_FIRST;
        heap->at = realloc(heap->at, heap->room * sizeof *heap->at);
        must(heap->at);
    }
    uint32_t i = heap->count++;
    happening.serial = ++heap->serial;
    heap->at[i] = happening;
    for (; i > 0 && earlier(&heap->at[i], &heap->at[(i - 1) / 2]); i = (i - 1) / 2)
        exchange(&heap->at[i], &heap->at[(i - 1) / 2]);
}

uint64_t heap_next_ns(const struct heap *heap)
{
    return heap->count ? heap->at[0].at_ns : UINT64_MAX;
}

struct happening heap_take(struct heap *heap)
{
    must(heap->count > 0);
    struct happening top = heap->at[0];
    heap->at[0] = heap->at[--heap->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < heap->count && earlier(&heap->at[left], &heap->at[least]))
            least = left;
        if (right < heap->count && earlier(&heap->at[right], &heap->at[least]))
            least = right;
        if (least == i)
            return top;
        exchange(&heap->at[i], &heap->at[least]);
        i = least;
    }
}

void heap_free(struct heap *heap)
{
    free(heap->at);
    *heap = (struct heap){0};
}
