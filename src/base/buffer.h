/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_BUFFER_H
#define SEGUE_BASE_BUFFER_H

/* Payload: page-aligned, counted by reference, taken from a pool whose memory is mapped once. One
 * pool belongs to one process (one thread), shared by the actors in it. A pool that runs out gives
 * NULL: the caller treats it as back-pressure, never as an error. */

#include <stdint.h>

enum {
    BUFFER_ALIGN = 4096,
    BUFFER_MAX = (1 << 20) + 8192, /* the largest payload: 1 MiB and room for headers */
    BUFFER_CLASSES = 5,            /* 4 KiB, 16 KiB, 64 KiB, 256 KiB, 1 MiB + 8 KiB */
};

struct buffer_pool;

struct buffer {
    uint8_t *data;
    uint32_t capacity;
    uint32_t refs;
    struct buffer_pool *pool;
    struct buffer *next; /* in the pool's free list */
    uint8_t class_index;
};

/* A piece of a buffer. buffer == NULL: no payload (length 0). Holding a slice means holding one
 * reference of its buffer, unless the contract says "borrowed". */
struct slice {
    struct buffer *buffer;
    uint32_t offset, length;
};

/* A pool of at most `bytes` of payload memory, whatever the sizes of its pieces (mapped, touched
 * only when used; never more of it in memory than that). NULL: no memory. */
struct buffer_pool *buffer_pool_new(uint64_t bytes);
void buffer_pool_free(struct buffer_pool *pool);
/* As new: nobody may hold any of it; what was used is zero again. For those who make many. */
void buffer_pool_reset(struct buffer_pool *pool);
/* Bytes now held by references, by capacity. */
uint64_t buffer_pool_used(const struct buffer_pool *pool);
uint64_t buffer_pool_limit(const struct buffer_pool *pool);

/* A buffer of at least `length` bytes with one reference, contents undefined; NULL: pool empty or
 * length over BUFFER_MAX. */
struct buffer *buffer_get(struct buffer_pool *pool, uint32_t length);
struct buffer *buffer_ref(struct buffer *buffer);
void buffer_unref(struct buffer *buffer); /* NULL is allowed */

static inline struct slice slice_none(void)
{
    return (struct slice){0, 0, 0};
}
static inline struct slice slice_of(struct buffer *buffer, uint32_t offset, uint32_t length)
{
    return (struct slice){buffer, offset, length};
}
static inline uint8_t *slice_bytes(struct slice s)
{
    return s.buffer ? s.buffer->data + s.offset : 0;
}
/* The same piece with a reference of its own. */
static inline struct slice slice_ref(struct slice s)
{
    if (s.buffer)
        buffer_ref(s.buffer);
    return s;
}
/* Gives the reference back and empties the slice. */
static inline void slice_drop(struct slice *s)
{
    buffer_unref(s->buffer);
    *s = slice_none();
}

#endif
