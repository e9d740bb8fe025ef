/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_copies.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/raid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array/layout.h"
#include "array/parity_check.h"

enum { PIECE = 1 << 20, ROWS = 64 << 10, PLACE = LAYOUT_BLOCK, SUSPECTS = 4096, COMPLAINTS = 8 };

static const uint64_t AGAIN_NS = 1000000000u;

/* Drives `a` and `b` of a set differ there; the same one: parity is not that of the data. */
struct suspect {
    uint16_t set;
    uint8_t a, b;
    uint64_t offset;
};

struct drill_copies {
    const struct drill_shape *shape;
    int fd[SHAPE_DRIVES];
    uint16_t set; /* that is being compared */
    bool set_open;
    uint64_t offset, end; /* in each of its drives */
    uint64_t bytes, differ, again_ns;
    uint32_t suspects, complaints;
    struct suspect suspect[SUSPECTS];
    char complaint[COMPLAINTS][200];
    char problem[400];
    uint8_t piece[2][PIECE];
    uint32_t chunk;                                   /* of a set with parity */
    _Alignas(64) uint8_t row[SHAPE_SET_DRIVES][ROWS]; /* in the order of data, P, Q */
};

struct drill_copies *drill_copies_new(const struct drill_shape *shape)
{
    struct drill_copies *x = aligned_alloc(64, (sizeof *x + 63) / 64 * 64);
    if (!x)
        return NULL;
    memset(x, 0, sizeof *x);
    x->shape = shape;
    for (int d = 0; d < SHAPE_DRIVES; d++)
        x->fd[d] = -1;
    return x;
}

void drill_copies_free(struct drill_copies *x)
{
    if (!x)
        return;
    for (int d = 0; d < SHAPE_DRIVES; d++)
        if (x->fd[d] >= 0)
            close(x->fd[d]);
    free(x);
}

static bool give_up(struct drill_copies *x, int drive, const char *why)
{
    if (!*x->problem)
        snprintf(x->problem, sizeof x->problem, "pool %s was not compared: drive %s, %s: %s",
                 x->shape->set[x->set].pool, x->shape->drive[drive].name,
                 x->shape->drive[drive].path, why);
    return false;
}

/* What another program has read of it before may be old. */
static void forget_cached(int fd)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static bool open_drive(struct drill_copies *x, int drive, struct superblock *out)
{
    uint8_t block[LAYOUT_BLOCK];
    x->fd[drive] = open(x->shape->drive[drive].path, O_RDONLY | O_CLOEXEC);
    if (x->fd[drive] < 0)
        return give_up(x, drive, strerror(errno));
    forget_cached(x->fd[drive]);
    if (pread(x->fd[drive], block, sizeof block, LAYOUT_SUPERBLOCK) != sizeof block)
        return give_up(x, drive, "its superblock cannot be read");
    return layout_get_superblock(block, out) || give_up(x, drive, "it has no sound superblock");
}

/* False: the set is none to compare, or cannot be. */
static bool open_set(struct drill_copies *x)
{
    struct superblock first = {0}, other;
    if (!x->shape->set[x->set].mirror && x->shape->set[x->set].spare == 0)
        return false;
    for (int i = 0; i < x->shape->set[x->set].count; i++) {
        int drive = x->shape->set[x->set].drive[i];
        if (!open_drive(x, drive, &other))
            return false;
        if (i == 0)
            first = other;
        if (memcmp(first.pool_uuid, other.pool_uuid, sizeof first.pool_uuid) != 0)
            return give_up(x, drive, "it is of another pool");
    }
    x->chunk = first.chunk_bytes;
    x->offset = LAYOUT_DATA;
    x->end = LAYOUT_DATA + first.data_bytes;
    return true;
}

/* Where a file may hold something at or after the offset. */
static uint64_t next_data(int fd, uint64_t offset, uint64_t end)
{
    off_t at = lseek(fd, (off_t)offset, SEEK_DATA);
    if (at < 0)
        return errno == ENXIO ? end : offset;
    return (uint64_t)at < end ? (uint64_t)at : end;
}

static void skip_holes(struct drill_copies *x)
{
    uint64_t least = x->end;
    for (int i = 0; i < x->shape->set[x->set].count; i++) {
        uint64_t at = next_data(x->fd[x->shape->set[x->set].drive[i]], x->offset, x->end);
        least = at < least ? at : least;
    }
    least -= least % PLACE;
    if (least > x->offset) {
        x->bytes += least - x->offset;
        x->offset = least;
    }
}

static bool read_copy(struct drill_copies *x, int i, uint64_t offset, uint32_t length, uint8_t *to)
{
    int drive = x->shape->set[x->set].drive[i];
    if (pread(x->fd[drive], to, length, (off_t)offset) == (ssize_t)length)
        return true;
    return give_up(x, drive, "it cannot be read");
}

static void suspect_places(struct drill_copies *x, uint8_t other, uint64_t offset, uint32_t length)
{
    for (uint32_t at = 0; at < length; at += PLACE) {
        if (memcmp(x->piece[0] + at, x->piece[1] + at, PLACE) == 0 || x->suspects == SUSPECTS)
            continue;
        x->suspect[x->suspects++] =
            (struct suspect){.set = x->set, .a = 0, .b = other, .offset = offset + at};
    }
}

/* Some bytes of one chunk of each drive, in their order. */
static bool read_rows(struct drill_copies *x, uint64_t offset, uint32_t length)
{
    uint64_t stripe = (offset - LAYOUT_DATA) / x->chunk;
    uint32_t count = x->shape->set[x->set].count, parity = x->shape->set[x->set].spare;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t drive = i < count - parity    ? parity_check_data_drive(stripe, count, parity, i)
                         : i == count - parity ? parity_check_p_drive(stripe, count)
                                               : parity_check_q_drive(stripe, count);
        if (!read_copy(x, (int)drive, offset, length, x->row[i]))
            return false;
    }
    return true;
}

static bool parity_is_right(struct drill_copies *x, uint32_t from, uint32_t length)
{
    void *at[SHAPE_SET_DRIVES];
    int count = x->shape->set[x->set].count;
    for (int i = 0; i < count; i++)
        at[i] = x->row[i] + from;
    if (x->shape->set[x->set].spare == 2)
        return pq_check(count, (int)length, at) == 0;
    return xor_check(count, (int)length, at) == 0;
}

static bool check_rows(struct drill_copies *x)
{
    skip_holes(x);
    uint64_t left = x->end - x->offset, chunk = x->chunk - (x->offset - LAYOUT_DATA) % x->chunk;
    uint32_t length = left < ROWS ? (uint32_t)left : ROWS;
    length = length < chunk ? length : (uint32_t)chunk;
    if (!length || !read_rows(x, x->offset, length))
        return false;
    for (uint32_t at = 0; at < length && !parity_is_right(x, 0, length); at += PLACE)
        if (!parity_is_right(x, at, PLACE) && x->suspects < SUSPECTS)
            x->suspect[x->suspects++] = (struct suspect){.set = x->set, .offset = x->offset + at};
    x->bytes += length;
    x->offset += length;
    return true;
}

/* False: the set has been compared, or cannot be. */
static bool compare_piece(struct drill_copies *x)
{
    if (!x->shape->set[x->set].mirror)
        return check_rows(x);
    skip_holes(x);
    uint64_t left = x->end - x->offset;
    uint32_t length = left < PIECE ? (uint32_t)left : PIECE;
    if (!length || !read_copy(x, 0, x->offset, length, x->piece[0]))
        return false;
    for (uint8_t i = 1; i < x->shape->set[x->set].count; i++) {
        if (!read_copy(x, i, x->offset, length, x->piece[1]))
            return false;
        if (memcmp(x->piece[0], x->piece[1], length) != 0)
            suspect_places(x, i, x->offset, length);
    }
    x->bytes += length;
    x->offset += length;
    return true;
}

static void complain(struct drill_copies *x, const struct suspect *s)
{
    const struct drill_shape *shape = x->shape;
    x->differ++;
    if (x->complaints == COMPLAINTS)
        return;
    if (s->a == s->b) {
        snprintf(x->complaint[x->complaints++], sizeof x->complaint[0],
                 "pool %s: parity is not that of the data at byte %llu of its drives",
                 shape->set[s->set].pool, (unsigned long long)s->offset);
        return;
    }
    uint32_t at = 0;
    while (at < PLACE - 1 && x->piece[0][at] == x->piece[1][at])
        at++;
    snprintf(x->complaint[x->complaints++], sizeof x->complaint[0],
             "pool %s: the copies on %s and %s differ at byte %llu", shape->set[s->set].pool,
             shape->drive[shape->set[s->set].drive[s->a]].name,
             shape->drive[shape->set[s->set].drive[s->b]].name,
             (unsigned long long)(s->offset + at));
}

static void look_at_parity_again(struct drill_copies *x, const struct suspect *s)
{
    struct superblock first;
    for (int i = 0; i < x->shape->set[s->set].count; i++)
        forget_cached(x->fd[x->shape->set[s->set].drive[i]]);
    uint8_t block[LAYOUT_BLOCK];
    int fd = x->fd[x->shape->set[s->set].drive[0]];
    if (pread(fd, block, sizeof block, LAYOUT_SUPERBLOCK) != sizeof block ||
        !layout_get_superblock(block, &first))
        return;
    x->chunk = first.chunk_bytes;
    if (read_rows(x, s->offset, PLACE) && !parity_is_right(x, 0, PLACE))
        complain(x, s);
}

/* Somebody else may have written between the two reads. */
static void look_again(struct drill_copies *x)
{
    for (uint32_t i = 0; i < x->suspects; i++) {
        const struct suspect *s = &x->suspect[i];
        x->set = s->set;
        if (s->a == s->b) {
            look_at_parity_again(x, s);
            continue;
        }
        for (int c = 0; c < 2; c++)
            forget_cached(x->fd[x->shape->set[s->set].drive[c ? s->b : s->a]]);
        if (read_copy(x, s->a, s->offset, PLACE, x->piece[0]) &&
            read_copy(x, s->b, s->offset, PLACE, x->piece[1]) &&
            memcmp(x->piece[0], x->piece[1], PLACE) != 0)
            complain(x, s);
    }
}

bool drill_copies_step(struct drill_copies *x, uint64_t now_ns)
{
    if (x->set < x->shape->sets) {
        if (!x->set_open)
            x->set_open = open_set(x);
        if (x->set_open && compare_piece(x))
            return false;
        x->set_open = false;
        x->set++;
        x->again_ns = now_ns + AGAIN_NS;
        return false;
    }
    if (x->suspects && now_ns < x->again_ns)
        return false;
    look_again(x);
    return true;
}

uint64_t drill_copies_bytes(const struct drill_copies *x)
{
    return x->bytes;
}

uint64_t drill_copies_differ(const struct drill_copies *x)
{
    return x->differ;
}

const char *drill_copies_complaint(const struct drill_copies *x, uint32_t i)
{
    return i < x->complaints ? x->complaint[i] : NULL;
}

const char *drill_copies_problem(const struct drill_copies *x)
{
    return *x->problem ? x->problem : NULL;
}
