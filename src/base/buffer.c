/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/must.h"

enum { KEPT_BYTES = 2 << 20 }; /* of a class: cheaper made zero than given anew */

static const uint32_t class_bytes[BUFFER_CLASSES] = {4096, 16384, 65536, 262144, BUFFER_MAX};

/* Each class has addresses for all of the pool's bytes, so that no class can take them from another
 * for good. What is in memory is bounded by giving pages of free pieces back to the system. */
struct size_class {
    uint8_t *memory;
    struct buffer *all; /* descriptors of the pieces cut off so far */
    uint64_t pieces, pieces_max;
    struct buffer *warm, *cold; /* free: with their pages, without */
};

struct buffer_pool {
    uint64_t limit;
    uint64_t used;     /* held by references */
    uint64_t resident; /* used, and warm */
    uint8_t *memory;   /* of all classes: their pieces, then the descriptors of them */
    uint64_t mapped;
    struct size_class class[BUFFER_CLASSES];
};

static void *map(uint64_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

struct buffer_pool *buffer_pool_new(uint64_t bytes)
{
    struct buffer_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->limit = bytes;
    for (int c = 0; c < BUFFER_CLASSES; c++) {
        pool->class[c].pieces_max = bytes / class_bytes[c];
        pool->mapped += pool->class[c].pieces_max * (class_bytes[c] + sizeof(struct buffer));
    }
    pool->memory = map(pool->mapped);
    if (!pool->memory) {
        free(pool);
        return NULL;
    }
    uint8_t *at = pool->memory;
    for (int c = 0; c < BUFFER_CLASSES; c++) {
        pool->class[c].memory = at;
        at += pool->class[c].pieces_max * class_bytes[c];
    }
    for (int c = 0; c < BUFFER_CLASSES; c++) {
        pool->class[c].all = (void *)at;
        at += pool->class[c].pieces_max * sizeof(struct buffer);
    }
    return pool;
}

void buffer_pool_free(struct buffer_pool *pool)
{
    munmap(pool->memory, pool->mapped);
    free(pool);
}

void buffer_pool_reset(struct buffer_pool *pool)
{
    must(pool->used == 0);
    for (int c = 0; c < BUFFER_CLASSES; c++) {
        struct size_class *class = &pool->class[c];
        uint64_t bytes = class->pieces * class_bytes[c];
        if (bytes <= KEPT_BYTES)
            memset(class->memory, 0, bytes);
        else
            madvise(class->memory, bytes, MADV_DONTNEED);
        memset(class->all, 0, class->pieces * sizeof *class->all);
        class->pieces = 0;
        class->warm = class->cold = NULL;
    }
    pool->resident = 0;
}

uint64_t buffer_pool_used(const struct buffer_pool *pool)
{
    return pool->used;
}

uint64_t buffer_pool_limit(const struct buffer_pool *pool)
{
    return pool->limit;
}

static struct buffer *take_first(struct buffer **list)
{
    struct buffer *buffer = *list;
    if (buffer)
        *list = buffer->next;
    return buffer;
}

static struct buffer *cut(struct buffer_pool *pool, int class_index)
{
    struct size_class *class = &pool->class[class_index];
    if (class->pieces == class->pieces_max)
        return NULL;
    struct buffer *buffer = &class->all[class->pieces];
    buffer->data = class->memory + class->pieces++ * class_bytes[class_index];
    buffer->capacity = class_bytes[class_index];
    buffer->class_index = (uint8_t)class_index;
    buffer->pool = pool;
    return buffer;
}

/* Gives pages of free pieces back until so many more may be in memory. */
static void cool(struct buffer_pool *pool, uint32_t bytes)
{
    for (int c = 0; c < BUFFER_CLASSES && pool->resident + bytes > pool->limit; c++) {
        struct size_class *class = &pool->class[c];
        struct buffer *buffer;
        while (pool->resident + bytes > pool->limit && (buffer = take_first(&class->warm))) {
            madvise(buffer->data, buffer->capacity, MADV_DONTNEED);
            pool->resident -= buffer->capacity;
            buffer->next = class->cold;
            class->cold = buffer;
        }
    }
}

struct buffer *buffer_get(struct buffer_pool *pool, uint32_t length)
{
    int c = 0;
    while (c < BUFFER_CLASSES && class_bytes[c] < length)
        c++;
    if (c == BUFFER_CLASSES || pool->used + class_bytes[c] > pool->limit)
        return NULL;
    struct buffer *buffer = take_first(&pool->class[c].warm);
    if (!buffer) {
        cool(pool, class_bytes[c]);
        buffer = take_first(&pool->class[c].cold);
        if (!buffer)
            buffer = cut(pool, c);
        if (!buffer)
            return NULL;
        pool->resident += buffer->capacity;
    }
    buffer->refs = 1;
    buffer->next = NULL;
    pool->used += buffer->capacity;
    return buffer;
}

struct buffer *buffer_ref(struct buffer *buffer)
{
    must(buffer->refs > 0);
    buffer->refs++;
    return buffer;
}

void buffer_unref(struct buffer *buffer)
{
    if (!buffer)
        return;
    must(buffer->refs > 0);
    if (--buffer->refs > 0)
        return;
    struct buffer_pool *pool = buffer->pool;
    struct size_class *class = &pool->class[buffer->class_index];
    pool->used -= buffer->capacity;
    buffer->next = class->warm;
    class->warm = buffer;
}
