/* SPDX-License-Identifier: Apache-2.0 */
#include "array/swarm.h"

#include "array/parity_check.h"
#include "base/must.h"

/* ---- the oracle ---- */

uint64_t swarm_stamp(const uint8_t *at)
{
    uint64_t stamp, other;
    memcpy(&stamp, at, 8);
    for (int i = 8; i < BLOCK; i += 8) {
        memcpy(&other, at + i, 8);
        must(other == stamp); /* not torn */
    }
    return stamp;
}

static void push(struct block *b, uint64_t stamp)
{
    if (b->count == HISTORY) {
        memmove(b->history, b->history + 1, (HISTORY - 1) * 8);
        b->count--;
        if (b->at_flush > 0)
            b->at_flush--;
    }
    b->history[b->count++] = stamp;
}

static void certain_is(struct block *b, uint64_t stamp)
{
    push(b, stamp);
    b->certain = 1;
}

void swarm_saw(struct swarm *s, uint32_t at, uint64_t stamp)
{
    struct block *b = &s->block[at];
    for (uint32_t i = 0; i < b->certain; i++)
        if (b->history[b->count - 1 - i] == stamp) {
            if (i > 0)
                certain_is(b, stamp);
            b->certain = 1;
            return;
        }
    trace_error(&s->w->trace, "block %u: saw %llu, wanted %llu of %u", at,
                (unsigned long long)stamp, (unsigned long long)b->history[b->count - 1],
                b->certain);
    must_failed("a read sees what was written", __FILE__, __LINE__);
}

int swarm_holders(const struct swarm *s, uint32_t at, const int **out, uint64_t *offset)
{
    uint64_t byte = (uint64_t)at * BLOCK;
    *out = s->drives;
    *offset = LAYOUT_DATA + byte;
    if (s->level == RAID_10) {
        uint64_t chunk = byte / 65536, sets = (uint64_t)s->drive_count / 2;
        *offset = LAYOUT_DATA + chunk / sets * 65536 + byte % 65536;
        *out = s->drives + chunk % sets * 2;
    }
    if (s->parity > 0) {
        uint32_t drives = (uint32_t)s->drive_count, parity = (uint32_t)s->parity;
        uint64_t chunk = byte / 65536, stripe = chunk / (drives - parity);
        *offset = LAYOUT_DATA + stripe * 65536 + byte % 65536;
        *out = s->drives + parity_check_data_drive(stripe, drives, parity,
                                                   (uint32_t)(chunk % (drives - parity)));
        return 1;
    }
    return s->members;
}

void swarm_check_parity(const struct swarm *s)
{
    const uint8_t *at[FAKE_DRIVES];
    for (int i = 0; i < s->drive_count; i++)
        at[i] = s->w->drive[s->drives[i]].now + LAYOUT_DATA;
    if (s->parity > 0)
        must(parity_check_wrong(at, (uint32_t)s->drive_count, (uint32_t)s->parity, 0,
                                layout_data_bytes(FAKE_BYTES), 65536) < 0);
}

bool swarm_mapped(const struct swarm *s, uint32_t at)
{
    bool mapped;
    array_mapped(s->w->array, 0, at, &mapped);
    return mapped;
}

static void check_landed(const struct swarm *s, const struct request *r)
{
    for (uint32_t at = r->first; at < r->first + r->blocks; at++) {
        if (!swarm_mapped(s, at)) {
            must(r->stamp == 0);
            continue;
        }
        const int *drives;
        uint64_t offset, stamp = s->block[at].history[s->block[at].count - 1];
        int count = swarm_holders(s, at, &drives, &offset), good = 0;
        for (int i = 0; i < count; i++) {
            const struct fake_drive *drive = &s->w->drive[drives[i]];
            if (drive->record != DRIVE_STATE_GOOD || s->replaced[drives[i]])
                continue; /* one that is STALE now may have FAILED when the write began */
            must(swarm_stamp(drive->now + offset) == stamp);
            good++;
            if (r->io.fua)
                must(memcmp(drive->durable + offset, drive->now + offset, BLOCK) == 0);
        }
        must(good > 0 || s->parity > 0);
    }
}

/* ---- I/O ---- */

bool swarm_writes(const struct request *r)
{
    return r->io.op == ARRAY_WRITE || r->io.op == ARRAY_FILL || r->io.op == ARRAY_UNMAP;
}

static bool is_free(const struct swarm *s, uint32_t first, uint32_t blocks, bool for_reading)
{
    for (uint32_t b = first; b < first + blocks; b++)
        if (s->block[b].writing || (!for_reading && s->block[b].reading))
            return false;
    return true;
}

static void mark_flush(struct swarm *s)
{
    s->flushing = true;
    for (uint32_t b = 0; b < s->blocks; b++)
        s->block[b].at_flush = s->block[b].certain > 1 ? 0 : s->block[b].count;
}

static bool fill_data(struct swarm *s, struct request *r)
{
    struct buffer *buffer = buffer_get(s->w->buffers, r->blocks * BLOCK);
    if (!buffer)
        return false;
    r->io.fua = swarm_draw(s, 4) == 0;
    r->io.atomic = r->io.fua && swarm_draw(s, 2);
    r->io.data = slice_of(buffer, 0, r->blocks * BLOCK);
    r->stamp = ++s->stamps;
    for (uint32_t i = 0; i < r->blocks * BLOCK; i += 8)
        memcpy(buffer->data + i, &r->stamp, 8);
    return true;
}

static uint32_t some_blocks(struct swarm *s)
{
    switch (swarm_draw(s, 8)) {
    case 0:
        return 1 + (uint32_t)swarm_draw(s, 900); /* over chunks, regions, sets */
    case 1:
        return 128;
    case 2:
        return 1;
    default:
        return 1 + (uint32_t)swarm_draw(s, 24);
    }
}

void swarm_submit(struct swarm *s, struct request *r)
{
    static const enum array_op ops[] = {ARRAY_READ,  ARRAY_READ, ARRAY_WRITE, ARRAY_WRITE,
                                        ARRAY_WRITE, ARRAY_FILL, ARRAY_FLUSH, ARRAY_UNMAP};
    memset(r, 0, sizeof *r);
    r->io.op = ops[swarm_draw(s, 8)];
    r->blocks = some_blocks(s);
    r->first = (uint32_t)swarm_draw(s, s->blocks - r->blocks + 1);
    if (swarm_draw(s, 8) == 0) /* over the end of a region */
        r->first =
            (uint32_t)((1 + swarm_draw(s, s->blocks / 2048)) * 2048 - swarm_draw(s, r->blocks + 1));
    if (r->first + r->blocks > s->blocks)
        return;
    if (r->io.op == ARRAY_FLUSH && (s->flushing || swarm_draw(s, 4)))
        return;
    if (r->io.op != ARRAY_FLUSH && !is_free(s, r->first, r->blocks, r->io.op == ARRAY_READ))
        return;
    if (r->io.op == ARRAY_WRITE && !fill_data(s, r))
        return;
    r->used = true;
    r->submitted_ns = s->w->now_ns;
    r->io.lba = r->first;
    r->io.blocks = r->blocks;
    for (uint32_t b = r->first; b < r->first + r->blocks; b++) {
        s->block[b].writing |= swarm_writes(r);
        if (r->io.op == ARRAY_READ)
            s->block[b].reading++;
    }
    if (r->io.op == ARRAY_FLUSH)
        mark_flush(s);
    array_submit(s->w->array, &r->io);
}

void swarm_unsure(struct swarm *s, const struct request *r)
{
    for (uint32_t b = r->first; b < r->first + r->blocks; b++) {
        push(&s->block[b], r->stamp);
        s->block[b].certain++;
    }
}

void swarm_release(struct swarm *s, struct request *r)
{
    for (uint32_t b = r->first; b < r->first + r->blocks; b++) {
        if (swarm_writes(r))
            s->block[b].writing = false;
        else if (r->io.op == ARRAY_READ)
            s->block[b].reading--;
    }
    if (r->io.op == ARRAY_FLUSH)
        s->flushing = false;
    slice_drop(&r->io.data);
    r->used = false;
    s->done++;
}

/* What a power cut met: the write is there, or not; never some of it. */
void swarm_whole(struct swarm *s, uint32_t first, uint32_t blocks, uint64_t stamp)
{
    uint32_t there = 0;
    if (first + blocks > s->blocks)
        return; /* of a growth that did not happen */
    for (uint32_t at = first, some; at < first + blocks; at += some) {
        some = first + blocks - at < 1000 ? first + blocks - at : 1000;
        struct array_io io = {.op = ARRAY_READ, .lba = at, .blocks = some};
        must(fake_io(s->w, &io));
        for (uint32_t i = 0; i < some; i++)
            there += swarm_stamp(slice_bytes(io.data) + i * BLOCK) == stamp;
        slice_drop(&io.data);
    }
    if (there == 0 || there == blocks)
        return;
    trace_error(&s->w->trace, "blocks %u+%u: %u of them hold %llu", first, blocks, there,
                (unsigned long long)stamp);
    must_failed("an atomic write is there whole, or not at all", __FILE__, __LINE__);
}

static void flushed(struct swarm *s)
{
    for (uint32_t i = 0; i < s->blocks; i++) {
        struct block *b = &s->block[i];
        if (b->at_flush < 2 || b->certain > 1)
            continue;
        uint8_t gone = (uint8_t)(b->at_flush - 1);
        memmove(b->history, b->history + gone, (size_t)(b->count - gone) * 8);
        b->count = (uint8_t)(b->count - gone);
        b->at_flush = 1;
    }
}

/* UNMAP of whole granules is durable at once. */
static bool is_durable(const struct swarm *s, const struct request *r, uint32_t b)
{
    uint32_t first = b / GRANULE * GRANULE, end = first + GRANULE;
    return r->io.fua || (r->io.op == ARRAY_UNMAP && first >= r->first &&
                         (end <= r->first + r->blocks || r->first + r->blocks == s->blocks));
}

static void written(struct swarm *s, const struct request *r)
{
    for (uint32_t b = r->first; b < r->first + r->blocks; b++) {
        certain_is(&s->block[b], r->stamp);
        if (!is_durable(s, r, b))
            continue;
        s->block[b].history[0] = r->stamp;
        s->block[b].count = 1;
        s->block[b].at_flush = 0;
    }
    check_landed(s, r);
}

static void finished(struct swarm *s, struct request *r)
{
    if (r->io.no_space) {
        r->again_ns = s->w->now_ns + MS(1);
        return;
    }
    must(!r->io.failed); /* a good drive was spared */
    if (r->io.op == ARRAY_READ)
        for (uint32_t i = 0; i < r->blocks; i++)
            swarm_saw(s, r->first + i, swarm_stamp(slice_bytes(r->io.data) + i * BLOCK));
    else if (swarm_writes(r))
        written(s, r);
    else
        flushed(s);
    swarm_release(s, r);
}

void swarm_drain(struct swarm *s)
{
    struct array_io *io;
    bool adopted = false;
    while ((io = array_next_done(s->w->array)))
        finished(s, (struct request *)(void *)((char *)io - offsetof(struct request, io)));
    for (int i = 0; i < DEPTH; i++) {
        struct request *r = &s->request[i];
        if (r->used && r->again_ns && s->w->now_ns >= r->again_ns) {
            r->again_ns = 0;
            array_submit(s->w->array, &r->io);
        }
        must(!r->used || s->w->now_ns - r->submitted_ns < MS(60000));
        adopted |= r->used && r->adopted;
    }
    if (!adopted)
        array_settled(s->w->array);
}
