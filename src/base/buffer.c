/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/must.h"

static const uint32_t class_bytes[BUFFER_CLASSES] = {4096, 16384, 65536, 262144, BUFFER_MAX};

struct buffer_pool {
    uint8_t *memory;
    uint64_t mapped, carved, used;
    struct buffer *free[BUFFER_CLASSES];
    struct buffer *all; /* descriptors, one per carved piece */
    uint64_t descriptors, descriptors_max;
};

struct buffer_pool *buffer_pool_new(uint64_t bytes)
{
    struct buffer_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->mapped = bytes;
    pool->descriptors_max = bytes / class_bytes[0] + 1;
    pool->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pool->all = mmap(NULL, pool->descriptors_max * sizeof(struct buffer), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool->memory == MAP_FAILED || pool->all == MAP_FAILED) {
        free(pool);
        return NULL;
    }
    return pool;
}

void buffer_pool_free(struct buffer_pool *pool)
{
    munmap(pool->memory, pool->mapped);
    munmap(pool->all, pool->descriptors_max * sizeof(struct buffer));
    free(pool);
}

uint64_t buffer_pool_used(const struct buffer_pool *pool)
{
    return pool->used;
}

uint64_t buffer_pool_limit(const struct buffer_pool *pool)
{
    return pool->mapped;
}

static struct buffer *carve(struct buffer_pool *pool, int class_index)
{
    uint32_t size = class_bytes[class_index];
    if (pool->mapped - pool->carved < size)
        return NULL;
    struct buffer *buffer = &pool->all[pool->descriptors++];
    buffer->data = pool->memory + pool->carved;
    buffer->capacity = size;
    buffer->class_index = (uint8_t)class_index;
    buffer->pool = pool;
    pool->carved += size;
    return buffer;
}

struct buffer *buffer_get(struct buffer_pool *pool, uint32_t length)
{
    for (int c = 0; c < BUFFER_CLASSES; c++) {
        if (class_bytes[c] < length)
            continue;
        struct buffer *buffer = pool->free[c];
        if (buffer)
            pool->free[c] = buffer->next;
        else
            buffer = carve(pool, c);
        if (!buffer)
            continue; /* a larger piece may still be free */
        buffer->refs = 1;
        buffer->next = NULL;
        pool->used += buffer->capacity;
        return buffer;
    }
    return NULL;
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
    pool->used -= buffer->capacity;
    buffer->next = pool->free[buffer->class_index];
    pool->free[buffer->class_index] = buffer;
}
