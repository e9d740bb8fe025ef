/* SPDX-License-Identifier: Apache-2.0 */
/* H1 an io is in exactly one of splitting (not cut to its end), working (it is) and done
 * H2 io->pending counts its parts; an io is done when it is cut to its end and none is left
 * H3 a read's data is either the payload of its one part, or one buffer that all parts are copied
 *    to; what is not mapped is zeroes in that buffer, and no part
 * H4 an io is not cut before its pool's map is known, a write not before all its granules are
 * mapped, the edges of an UNMAP not before the rest is not (provision.c)
 * H5 an atomic write is not cut before its redo record is held, and is done when that is over
 * (redo.c)
 */
#include "array/hostio.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/part.h"
#include "array/provision.h"
#include "array/redo.h"
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
    io->record = IO_RECORD_NONE;
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
    if (io->record != IO_RECORD_NONE) { /* H5 */
        must(io->record != IO_RECORD_ENDING);
        io->record = IO_RECORD_ENDING;
        redo_end(array, &array->pool[io->pool], io->record_slot);
        return;
    }
    list_remove(&io->link);
    io->phase = IO_DONE;
    array->ios--;
    if (io->orphan)
        array->orphans--;
    if (io->op == ARRAY_READ && (io->failed || io->no_space))
        slice_drop(&io->data);
    if (io->raw) {
        if (io->op == ARRAY_WRITE)
            redo_played(array, io);
        else
            provision_zeroed(array, io);
        return;
    }
    if (io->internal) {
        array->carry.io_busy = false;
        array->again = true;
        return;
    }
    uint64_t bytes = io->at;
    if (io->op == ARRAY_READ)
        array->read_bytes += bytes;
    else if (io->op != ARRAY_UNMAP)
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
    return io->raw ? io->blocks : io->blocks * array->volume[io->volume].info.block_bytes;
}

static struct pool *io_pool(struct array *array, const struct array_io *io)
{
    return &array->pool[io->raw ? io->pool : array->volume[io->volume].pool];
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

/* Where byte `at` of it is in the pool's data, and how much of it follows there in one piece. */
static uint64_t io_place(const struct array *array, const struct array_io *io, uint64_t at,
                         uint64_t *left)
{
    uint64_t rest = io_bytes(array, io) - at;
    if (io->raw) {
        *left = rest;
        return io->lba + at;
    }
    const struct volume *volume = &array->volume[io->volume];
    uint64_t offset = find_run(volume, io->lba * volume->info.block_bytes + at, left);
    *left = least(*left, rest);
    return offset;
}

/* The same for what it unmaps: beyond the volume's end, to the end of the granule, is nothing. */
static uint64_t unmap_length(const struct array *array, const struct array_io *io, uint64_t at,
                             uint64_t offset, uint64_t left)
{
    const struct volume_info *info = &array->volume[io->volume].info;
    if (io->lba + io->blocks < info->blocks || at + left < io_bytes(array, io))
        return left;
    return provision_end(&array->pool[array->volume[io->volume].pool], offset + left - 1) - offset;
}

/* H4 */
static bool provisioned(struct array *array, const struct array_io *io, bool ask)
{
    struct pool *pool = io_pool(array, io);
    bool ready = provision_open(pool) && (io->raw || redo_open(pool));
    if (!ready || io->op == ARRAY_READ || io->raw)
        return ready;
    uint64_t left;
    for (uint64_t at = 0; at < io_bytes(array, io); at += left) {
        uint64_t offset = io_place(array, io, at, &left), length = left;
        if (io->op == ARRAY_UNMAP)
            length = unmap_length(array, io, at, offset, left);
        ready &= provision_ready(array, pool, io->op, offset, length, ask);
    }
    return ready;
}

/* What the read meets that is not mapped is zeroes at once. */
static bool skip_unmapped(const struct array *array, struct array_io *io)
{
    bool mapped;
    uint64_t left, offset = io_place(array, io, io->at, &left);
    uint64_t run =
        provision_run(&array->pool[array->volume[io->volume].pool], offset, left, &mapped);
    if (mapped)
        return false;
    memset(slice_bytes(io->data) + io->at, 0, run);
    io->at += run;
    return true;
}

/* The next piece of a read or write. */
static void cut_piece(struct array *array, struct array_io *io, struct part *part)
{
    const struct pool *pool = io_pool(array, io);
    uint64_t left, offset = io_place(array, io, io->at, &left);
    struct place place;
    bool mapped;
    level_locate(pool, io->op, offset, &place);
    uint64_t length = least(left, place.length);
    if (io->op == ARRAY_READ)
        length = provision_run(pool, offset, length, &mapped);
    part->set = place.set;
    part->offset = place.offset;
    part->length = (uint32_t)length;
    part->at = (uint32_t)io->at;
    io->at += length;
}

/* ... of a level whose fills are cut as its writes. */
static bool cut_fill_piece(const struct pool *pool, struct array_io *io, struct part *part,
                           bool mapped, uint64_t offset, uint64_t left)
{
    struct place place;
    level_locate(pool, ARRAY_FILL, offset, &place);
    part->op = ARRAY_FILL;
    part->set = place.set;
    part->offset = place.offset;
    part->length = (uint32_t)least(left, place.length);
    io->at += mapped ? part->length : left;
    return mapped;
}

/* The next piece of a fill, or of the edges of what is unmapped: set by set of each extent, each
 * one contiguous range. */
static bool cut_fill(struct array *array, struct array_io *io, struct part *part)
{
    const struct pool *pool = io_pool(array, io);
    uint64_t left, first, end;
    bool mapped = true;
    while (io->at < io_bytes(array, io)) {
        uint64_t offset = io_place(array, io, io->at, &left);
        if (io->op == ARRAY_UNMAP) {
            uint64_t run = provision_run(pool, offset, left, &mapped);
            left = pool->provision.kept && mapped
                       ? least(left, provision_end(pool, offset) - offset)
                       : run;
        }
        if (!level_spans(pool)) {
            if (cut_fill_piece(pool, io, part, mapped, offset, left))
                return true;
            continue;
        }
        level_span(pool, offset, left, (uint8_t)io->set, &first, &end);
        if (mapped && first + io->within < end) {
            part->op = ARRAY_FILL;
            part->set = (uint8_t)io->set;
            part->offset = first + io->within;
            part->length = (uint32_t)least(end - part->offset, FILL_BYTES);
            io->within += part->length;
            return true;
        }
        io->within = 0;
        if (!mapped || ++io->set == pool->sets) {
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
    const struct pool *pool = &array->pool[array->volume[io->volume].pool];
    uint64_t left, bytes = io_bytes(array, io);
    uint64_t offset = io_place(array, io, 0, &left);
    struct place place;
    bool mapped;
    level_locate(pool, io->op, offset, &place);
    if (least(left, place.length) >= bytes && provision_run(pool, offset, left, &mapped) >= bytes &&
        mapped)
        return true;
    if (bytes > COMMAND_DATA_MAX)
        return false;
    struct buffer *buffer = buffer_get(array->buffers, (uint32_t)bytes);
    if (buffer)
        io->data = slice_of(buffer, 0, (uint32_t)bytes);
    return buffer != NULL;
}

/* Is there anything that has to do with granules? */
static bool in_range(const struct array *array, const struct array_io *io)
{
    if (io->op == ARRAY_FLUSH || io->blocks == 0)
        return false;
    const struct volume_info *info = &array->volume[io->volume].info;
    return io->raw || (io->lba <= info->blocks && io->blocks <= info->blocks - io->lba);
}

/* False: it fails, or has nothing to do. */
static bool check(struct array *array, struct array_io *io)
{
    if (io->raw)
        return true;
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
    if (io->atomic && (!io_pool(array, io)->info.redo || io->op != ARRAY_WRITE ||
                       io_bytes(array, io) > ARRAY_ATOMIC_MAX))
        io->failed = true;
    if (!io->failed && io->op == ARRAY_READ && io->blocks > 0 && io->at == 0 &&
        !gather(array, io)) {
        io->no_space = true;
        return false;
    }
    return !io->failed && io->blocks > 0;
}

/* H5: asks for it if it is not there yet. */
static bool is_recorded(struct array *array, struct array_io *io)
{
    enum { EXTENTS = ARRAY_ATOMIC_MAX / LAYOUT_UNIT + 1 };
    if (!io->atomic || io->record == IO_RECORD_HELD || mutant(MUTANT_ATOMIC_WITHOUT_RECORD))
        return true;
    if (io->record == IO_RECORD_ASKED)
        return mutant(MUTANT_REDO_NOT_AWAITED);
    struct pool *pool = io_pool(array, io);
    struct redo_write write[EXTENTS];
    struct redo_work work = {.owner = REDO_OWNER_IO,
                             .io = io,
                             .kind = REDO_DATA,
                             .homes = pool->members,
                             .write = write};
    uint64_t left;
    for (uint64_t at = 0; at < io_bytes(array, io); at += left) {
        uint64_t offset = io_place(array, io, at, &left);
        must(work.writes < EXTENTS);
        write[work.writes++] = (struct redo_write){
            .place = {.offset = offset, .length = (uint32_t)left},
            .data = slice_of(io->data.buffer, io->data.offset + (uint32_t)at, (uint32_t)left)};
    }
    struct place first;
    level_locate(pool, io->op, write[0].place.offset, &first);
    if (pool->parity > 0)
        work.homes = (uint8_t)(pool->parity + 1);
    work.home = (uint8_t)(first.set * pool->members);
    int slot = redo_begin(array, pool, &work);
    if (slot < 0)
        return false;
    io->record = IO_RECORD_ASKED;
    io->record_slot = (uint8_t)slot;
    io->pool = pool->info.index;
    return mutant(MUTANT_REDO_NOT_AWAITED);
}

void hostio_record_held(struct array *array, struct array_io *io)
{
    io->record = IO_RECORD_HELD;
    array->again = true;
}

void hostio_record_over(struct array *array, struct array_io *io, bool failed)
{
    io->failed |= failed;
    io->record = IO_RECORD_NONE;
    array->again = true;
    if (io->phase == IO_WORKING)
        finish(array, io);
}

void hostio_take_back(struct array *array, struct array_io *io)
{
    must(io->internal && io->pending == 0);
    list_remove(&io->link);
    array->ios--;
}

/* Cuts one off. 1: go on; 0: cut to its end; -1: no part is free, or enough are under way. */
static int cut(struct array *array, struct array_io *io)
{
    bool fills = io->op == ARRAY_FILL || io->op == ARRAY_UNMAP;
    if (fills && io->pending >= FILL_PARTS)
        return -1;
    if (io->op == ARRAY_READ && skip_unmapped(array, io))
        return io->at == io_bytes(array, io) ? 0 : 1;
    struct part *part = part_new(array, io, (uint8_t)(io_pool(array, io) - array->pool));
    if (!part)
        return -1;
    bool more = true;
    if (fills)
        more = cut_fill(array, io, part);
    else if (io->op != ARRAY_FLUSH)
        cut_piece(array, io, part);
    if (!more) {
        io->pending--;
        part_free(array, part);
        return 0;
    }
    if (io->op != ARRAY_FLUSH)
        level_rows(io_pool(array, io), part);
    bool last = io->op == ARRAY_FLUSH || (!fills && io->at == io_bytes(array, io));
    part_go(array, part);
    return last ? 0 : 1;
}

/* No drive of the pool is there, and was not for long. */
static bool hopeless(struct array *array, const struct array_io *io)
{
    uint64_t limit = io->begun_ns + array->limits->drive_total_ns, present[DRIVE_WORDS];
    if (array->now_ns < limit) {
        array_alarm(array, limit);
        return false;
    }
    array_alarm(array, array->now_ns + array->limits->drive_ns);
    drives_present(array, io_pool(array, io), -1, present);
    for (uint32_t w = 0; w < DRIVE_WORDS; w++)
        if (present[w])
            return false;
    return true;
}

static bool gone(const struct array *array, const struct array_io *io)
{
    return io->orphan || (io->raw ? !array->pool[io->pool].used : !array_volume(array, io->volume));
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
    if (fresh && !gone(array, io) && in_range(array, io) && !provisioned(array, io, true)) {
        if (!hopeless(array, io))
            return;
        io->failed = true;
    }
    if (gone(array, io) || io->failed || (fresh && !check(array, io))) {
        io->failed |= io->orphan || gone(array, io);
        cut_to_its_end(array, io);
        return;
    }
    if (!is_recorded(array, io))
        return;
    io->fua &= !(io->atomic && mutant(MUTANT_ATOMIC_UNFLUSHED));
    int went;
    do
        went = cut(array, io);
    while (went > 0 && !io->failed);
    if (went == 0 || io->failed)
        cut_to_its_end(array, io);
}

void hostio_fail_unready(struct array *array, struct pool *pool)
{
    list_each (&array->splitting, link, next) {
        struct array_io *io = list_member(link, struct array_io, link);
        bool fresh = io->at == 0 && io->set == 0 && io->within == 0 && io->begun_ns > 0;
        if (!fresh || io->op == ARRAY_READ || io->raw || gone(array, io) || !in_range(array, io) ||
            io_pool(array, io) != pool || provisioned(array, io, false))
            continue;
        io->failed = true;
        cut_to_its_end(array, io);
    }
}

uint64_t array_mapped(const struct array *array, uint16_t volume, uint64_t lba, bool *mapped)
{
    const struct volume *v = &array->volume[volume];
    uint64_t left, blocks = v->info.blocks - lba;
    must(v->used && lba < v->info.blocks);
    uint64_t offset = find_run(v, lba * v->info.block_bytes, &left);
    uint64_t run = provision_run(&array->pool[v->pool], offset, left, mapped) / v->info.block_bytes;
    return run < blocks ? run : blocks;
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
    provision_forget(array);
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
