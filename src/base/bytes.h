/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_BYTES_H
#define SEGUE_BASE_BYTES_H

/* Numbers on a wire or a disk: big-endian, alignment 1, not usable as a number without a getter;
 * and a bounded cursor for reading and writing sequences of them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct be16 {
    uint8_t b[2];
};
struct be24 {
    uint8_t b[3];
};
struct be32 {
    uint8_t b[4];
};
struct be64 {
    uint8_t b[8];
};

static inline uint16_t be16_get(struct be16 v)
{
    return (uint16_t)((v.b[0] << 8) | v.b[1]);
}
static inline uint32_t be24_get(struct be24 v)
{
    return ((uint32_t)v.b[0] << 16) | ((uint32_t)v.b[1] << 8) | v.b[2];
}
static inline uint32_t be32_get(struct be32 v)
{
    return ((uint32_t)v.b[0] << 24) | ((uint32_t)v.b[1] << 16) | ((uint32_t)v.b[2] << 8) | v.b[3];
}
static inline uint64_t be64_get(struct be64 v)
{
    uint64_t x = 0;
    for (int i = 0; i < 8; i++)
        x = (x << 8) | v.b[i];
    return x;
}
static inline struct be16 be16_of(uint16_t x)
{
    return (struct be16){{(uint8_t)(x >> 8), (uint8_t)x}};
}
static inline struct be24 be24_of(uint32_t x)
{
    return (struct be24){{(uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}};
}
static inline struct be32 be32_of(uint32_t x)
{
    return (struct be32){{(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}};
}
static inline struct be64 be64_of(uint64_t x)
{
    struct be64 v;
    for (int i = 7; i >= 0; i--, x >>= 8)
        v.b[i] = (uint8_t)x;
    return v;
}
/* The same for bytes in place (a CDB, a PDU). */
static inline uint16_t be16_at(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}
static inline uint32_t be24_at(const uint8_t *p)
{
    return ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2];
}
static inline uint32_t be32_at(const uint8_t *p)
{
    return ((uint32_t)be16_at(p) << 16) | be16_at(p + 2);
}
static inline uint64_t be64_at(const uint8_t *p)
{
    return ((uint64_t)be32_at(p) << 32) | be32_at(p + 4);
}
static inline void be16_put(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)(x >> 8);
    p[1] = (uint8_t)x;
}
static inline void be24_put(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 16);
    p[1] = (uint8_t)(x >> 8);
    p[2] = (uint8_t)x;
}
static inline void be32_put(uint8_t *p, uint32_t x)
{
    be16_put(p, (uint16_t)(x >> 16));
    be16_put(p + 2, (uint16_t)x);
}
static inline void be64_put(uint8_t *p, uint64_t x)
{
    be32_put(p, (uint32_t)(x >> 32));
    be32_put(p + 4, (uint32_t)x);
}

/* A cursor over bytes: every read and write is checked against the end. After the first one that
 * does not fit `failed` is set, reads give zero, writes do nothing; so a codec checks once, at its
 * end. */
struct cursor {
    uint8_t *at, *end;
    bool failed;
};

static inline struct cursor cursor_of(void *bytes, size_t length)
{
    return (struct cursor){(uint8_t *)bytes, (uint8_t *)bytes + length, false};
}
/* For reading only: the bytes are not changed through it by any get. */
static inline struct cursor cursor_read(const void *bytes, size_t length)
{
    uintptr_t address = (uintptr_t)bytes;
    return cursor_of((void *)address, length);
}
static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}
/* The next `length` bytes, or NULL when there are not so many. */
static inline uint8_t *cursor_take(struct cursor *c, size_t length)
{
    if (c->failed || cursor_left(c) < length) {
        c->failed = true;
        return NULL;
    }
    uint8_t *p = c->at;
    c->at += length;
    return p;
}
static inline uint8_t cursor_get8(struct cursor *c)
{
    uint8_t *p = cursor_take(c, 1);
    return p ? *p : 0;
}
static inline uint16_t cursor_get16(struct cursor *c)
{
    uint8_t *p = cursor_take(c, 2);
    return p ? be16_at(p) : 0;
}
static inline uint32_t cursor_get32(struct cursor *c)
{
    uint8_t *p = cursor_take(c, 4);
    return p ? be32_at(p) : 0;
}
static inline uint64_t cursor_get64(struct cursor *c)
{
    uint8_t *p = cursor_take(c, 8);
    return p ? be64_at(p) : 0;
}
static inline void cursor_get_bytes(struct cursor *c, void *out, size_t length)
{
    uint8_t *p = cursor_take(c, length);
    if (p)
        memcpy(out, p, length);
    else
        memset(out, 0, length);
}
static inline void cursor_put8(struct cursor *c, uint8_t x)
{
    uint8_t *p = cursor_take(c, 1);
    if (p)
        *p = x;
}
static inline void cursor_put16(struct cursor *c, uint16_t x)
{
    uint8_t *p = cursor_take(c, 2);
    if (p)
        be16_put(p, x);
}
static inline void cursor_put32(struct cursor *c, uint32_t x)
{
    uint8_t *p = cursor_take(c, 4);
    if (p)
        be32_put(p, x);
}
static inline void cursor_put64(struct cursor *c, uint64_t x)
{
    uint8_t *p = cursor_take(c, 8);
    if (p)
        be64_put(p, x);
}
static inline void cursor_put_bytes(struct cursor *c, const void *bytes, size_t length)
{
    uint8_t *p = cursor_take(c, length);
    if (p && length)
        memcpy(p, bytes, length);
}

#endif
