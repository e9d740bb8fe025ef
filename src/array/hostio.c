/* SPDX-License-Identifier: Apache-2.0 */
/* H1 an io is in exactly one of splitting (not cut to its end), working (it is) and done
 * H2 io->pending counts its parts; an io is done when it is cut to its end and none is left
 * H3 a read's data is either the payload of its one part, or one buffer that all parts are copied
 * to
 */
#include "array/hostio.h"

#include "array/leg.h"
#include "array/level.h"
#include "array/part.h"
#include "base/must.h"

enum io_phase { IO_SPLITTING, IO_WORKING, IO_DONE };

void array_submit(struct array *array, struct array_io *io)
{
    must(array->phase != PHASE_IDLE && array->phase != PHASE_LOADING);
    io->failed = io->no_space = io->orphan = false;
    io->phase = IO_SPLITTING;
    io->run = io->set = 0;
    io->pending = 0;
    io->at = io->within = io->begun_ns = 0;
    if (io->op == ARRAY_READ)
        io->data = slice_none();
    if (io->op != ARRAY_READ && io->op != ARRAY_FLUSH && !io->internal)
        array->quiescing = false;
    list_append(&array->splitting, &io->link);
    array->ios++;
    array->again = array->more = true;
}

struct array_io *array_next_done(struct array *array)
{
    struct array_io *io = list_first(&array->done, struct array_io, link);
    if (io)
        list_remove(&io->link);
    return io;
}

static void finish(struct array *array, struct array_io *io)
{
    must(io->pending == 0 && io->phase == IO_WORKING);
    list_remove(&io->link);
    io->phase = IO_DONE;
    array->ios--;
    if (io->orphan)
        array->orphans--;
    if (io->op == ARRAY_READ && (io->failed || io->no_space))
        slice_drop(&io->data);
    if (io->internal) {
        array->carry.io_busy = false;
        array->again = true;
        return;
    }
    uint64_t bytes = io->at;
    if (io->op == ARRAY_READ)
        array->read_bytes += bytes;
    else
        array->written_bytes += bytes;
    list_append(&array->done, &io->link);
}

static void cut_to_its_end(struct array *array, struct array_io *io)
{
    must(io->phase == IO_SPLITTING);
    io->phase = IO_WORKING;
    list_remove(&io->link);
    list_append(&array->working, &io->link);
    if (io->pending == 0)
        finish(array, io);
}

void hostio_part_over(struct array *array, struct array_io *io, struct part *part)
{
    must(io->pending > 0);
    io->pending--;
    io->failed |= part->failed;
    if (part->op == ARRAY_READ && !io->failed && !io->no_space) {
        if (io->data.buffer) { /* H3 */
            memcpy(slice_bytes(io->data) + part->at, slice_bytes(part->data), part->length);
        } else {
            io->data = part->data;
            part->data = slice_none();
        }
    }
    if (io->pending == 0 && io->phase == IO_WORKING)
        finish(array, io);
    else if (io->phase == IO_SPLITTING)
        array->again = true;
}

/* ---- cutting ---- */

static uint64_t io_bytes(const struct array *array, const struct array_io *io)
{
    return io->blocks * array->volume[io->volume].info.block_bytes;
}

/* Where the volume's byte is in the pool's data, and how far the extent goes on from there. */
static uint64_t find_run(const struct volume *volume, uint64_t byte, uint64_t *left)
{
    for (uint16_t r = 0; r < volume->runs; r++) {
        uint64_t bytes = (uint64_t)volume->run[r].count * LAYOUT_UNIT;
        if (byte < bytes) {
            *left = bytes - byte;
            return (uint64_t)volume->run[r].start * LAYOUT_UNIT + byte;
        }
        byte -= bytes;
    }
    must_failed("inside the volume", __FILE__, __LINE__);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The next piece of a read or write. */
static void cut_piece(const struct array *array, struct array_io *io, struct part *part)
{
    const struct volume *volume = &array->volume[io->volume];
    uint64_t left;
    uint64_t start = io->lba * volume->info.block_bytes;
    uint64_t offset = find_run(volume, start + io->at, &left);
    struct place place;
    level_locate(&array->pool[volume->pool], offset, &place);
    uint64_t length = least(least(left, place.length), io_bytes(array, io) - io->at);
    part->set = place.set;
    part->offset = place.offset;
    part->length = (uint32_t)length;
    part->at = (uint32_t)io->at;
    io->at += length;
}

/* The next piece of a fill: set by set of each extent, each one contiguous range. */
static bool cut_fill(const struct array *array, struct array_io *io, struct part *part)
{
    const struct volume *volume = &array->volume[io->volume];
    const struct pool *pool = &array->pool[volume->pool];
    uint64_t left, first, end;
    uint64_t start = io->lba * volume->info.block_bytes;
    while (io->at < io_bytes(array, io)) {
        uint64_t offset = find_run(volume, start + io->at, &left);
        left = least(left, io_bytes(array, io) - io->at);
        level_span(pool, offset, left, (uint8_t)io->set, &first, &end);
        if (first + io->within < end) {
            part->set = (uint8_t)io->set;
            part->offset = first + io->within;
            part->length = (uint32_t)least(end - part->offset, FILL_BYTES);
            io->within += part->length;
            return true;
        }
        io->within = 0;
        if (++io->set == pool->sets) {
            io->set = 0;
            io->at += left;
        }
    }
    return false;
}

/* A read in several pieces needs a buffer to gather them in. */
static bool gather(struct array *array, struct array_io *io)
{
    if (io->data.buffer)
        return true;
    const struct volume *volume = &array->volume[io->volume];
    uint64_t left, bytes = io_bytes(array, io);
    uint64_t offset = find_run(volume, io->lba * volume->info.block_bytes, &left);
    struct place place;
    level_locate(&array->pool[volume->pool], offset, &place);
    if (least(left, place.length) >= bytes)
        return true;
    if (bytes > COMMAND_DATA_MAX)
        return false;
    struct buffer *buffer = buffer_get(array->buffers, (uint32_t)bytes);
    if (buffer)
        io->data = slice_of(buffer, 0, (uint32_t)bytes);
    return buffer != NULL;
}

/* False: it fails, or has nothing to do. */
static bool check(struct array *array, struct array_io *io)
{
    const struct volume_info *info = array_volume(array, io->volume);
    if (!info || io->orphan) {
        io->failed = true;
        return false;
    }
    if (io->op == ARRAY_FLUSH)
        return true;
    if (io->lba > info->blocks || io->blocks > info->blocks - io->lba) {
        io->failed = true;
        return false;
    }
    if (io->op == ARRAY_WRITE && io->data.length < io_bytes(array, io))
        io->failed = true;
    if (io->op == ARRAY_FILL && io->data.buffer && io->data.length != info->block_bytes)
        io->failed = true;
    if (!io->failed && io->op == ARRAY_READ && io->blocks > 0 && io->at == 0 &&
        !gather(array, io)) {
        io->no_space = true;
        return false;
    }
    return !io->failed && io->blocks > 0;
}

/* Cuts one off. 1: go on; 0: cut to its end; -1: no part is free, or enough are under way. */
static int cut(struct array *array, struct array_io *io)
{
    if (io->op == ARRAY_FILL && io->pending >= FILL_PARTS)
        return -1;
    struct part *part = part_new(array, io, array->volume[io->volume].pool);
    if (!part)
        return -1;
    bool more = true;
    if (io->op == ARRAY_FILL)
        more = cut_fill(array, io, part);
    else if (io->op != ARRAY_FLUSH)
        cut_piece(array, io, part);
    if (!more) {
        io->pending--;
        part_free(array, part);
        return 0;
    }
    bool last = io->op == ARRAY_FLUSH || (io->op != ARRAY_FILL && io->at == io_bytes(array, io));
    part_go(array, part);
    return last ? 0 : 1;
}

static void split(struct array *array, struct array_io *io)
{
    const struct volume *volume = &array->volume[io->volume];
    if (io->begun_ns == 0)
        io->begun_ns = array->now_ns;
    if (!io->internal && io->volume < VOLUME_MAX && volume->used && io->op != ARRAY_FLUSH &&
        io->lba + io->blocks > volume->hold_lba)
        return;
    bool fresh = io->at == 0 && io->set == 0 && io->within == 0;
    if ((fresh && !check(array, io)) || io->orphan || !array_volume(array, io->volume)) {
        io->failed |= io->orphan;
        cut_to_its_end(array, io);
        return;
    }
    int went;
    do
        went = cut(array, io);
    while (went > 0 && !io->failed);
    if (went == 0 || io->failed)
        cut_to_its_end(array, io);
}

void hostio_pump(struct array *array)
{
    if (array->phase != PHASE_RUNNING && array->phase != PHASE_BEGINNING)
        return;
    list_each (&array->splitting, link, next) {
        if (!part_room(array))
            return;
        split(array, list_member(link, struct array_io, link));
    }
}

/* What was read for nobody; the caller's own data is borrowed. */
static void forget_list(struct list *ios)
{
    list_each (ios, link, next) {
        struct array_io *io = list_member(link, struct array_io, link);
        if (io->op == ARRAY_READ)
            slice_drop(&io->data);
    }
    list_init(ios);
}

void hostio_forget_all(struct array *array)
{
    forget_list(&array->splitting);
    forget_list(&array->working);
    forget_list(&array->done);
    array->ios = array->orphans = 0;
    array->carry.io_busy = false;
    list_init(&array->parts_free);
    for (uint32_t i = 0; i < array->parts_used; i++) {
        slice_drop(&array->part[i].data);
        part_free(array, &array->part[i]);
    }
}

void hostio_orphan(struct array *array, uint16_t volume)
{
    struct list *const lists[] = {&array->splitting, &array->working};
    for (int i = 0; i < 2; i++)
        list_each (lists[i], link, next) {
            struct array_io *io = list_member(link, struct array_io, link);
            if (io->volume == volume && !io->orphan) {
                io->orphan = true;
                array->orphans++;
            }
        }
}
