/* SPDX-License-Identifier: Apache-2.0 */
/* Playing redo records: one that an earlier reign has left is read from a GOOD drive, and its
 * blocks are written once more. Why that is right is in redo.c, X1 to X5. A head whose data does
 * not have the checksums that it names is no record: the next drive's copy is looked at, and if
 * none is whole, nothing of it was ever written.
 *
 *   FREE -- redo_play_find --> HEAD --> READING --> PLAYING --> FREE
 *                                ^ not whole |
 */
#include "array/redo_play.h"

#include "array/drives.h"
#include "array/intent.h"
#include "array/leg.h"
#include "array/part.h"
#include "base/must.h"

enum { STRIPE_SLOTS = ((1 << REDO_SLOTS) - 1) & ~((1 << REDO_IO_SLOTS) - 1) };

/* Does a GOOD drive hold one in one of these slots, or may it? */
static bool is_found(struct array *array, const struct pool *pool, uint32_t slots, bool unseen)
{
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = redo_drive(array, pool, p);
        if (drive->state == DRIVE_STATE_GOOD &&
            (drive->redo_found & slots || (unseen && !drive->redo_seen)))
            return true;
    }
    return false;
}

static bool is_source(const struct array *array, const struct drive *drive, int number)
{
    return drive->state == DRIVE_STATE_GOOD && drive->probe == PROBE_OURS && !drive->bad &&
           !drive->unsound && drives_reached(array, number);
}

static void play_over(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    slice_drop(&slot->data);
    for (uint32_t p = 0; p < pool->info.drive_count; p++)
        redo_drive(array, pool, p)->redo_found &= (uint8_t) ~(1u << s);
    redo_freed(array, pool, slot);
}

/* The head of the next copy that may be whole. */
static void play_next_copy(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    bool any = false;
    slice_drop(&slot->data);
    slot->state = REDO_HEAD;
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = redo_drive(array, pool, p);
        if (!(drive->redo_found >> s & 1) || position_has(slot->tried, p) ||
            drive->state != DRIVE_STATE_GOOD)
            continue;
        any = true;
        if (!is_source(array, drive, pool->info.drives[p]))
            continue;
        struct leg *leg = leg_new(array, LEG_REDO_READ, redo_index(pool, s), pool->info.drives[p],
                                  DRIVE_READ, redo_head_at(s), LAYOUT_BLOCK);
        must(leg);
        leg->patience_ns = array->limits->drive_ns;
        slot->source = (uint8_t)p;
        slot->legs = 1;
        return;
    }
    if (any) {
        redo_wait(array, slot); /* for one that is away: it comes, or FAILS */
        return;
    }
    trace_info(array->trace, "pool %s: a redo record is not whole: nothing of it was written",
               pool->info.name);
    play_over(array, pool, s);
}

static void play_begin(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    memset(slot->tried, 0, sizeof slot->tried);
    slot->failed = slot->begun = false;
    slot->place = slot->at = 0;
    play_next_copy(array, pool, s);
}

static bool place_is_good(const struct pool *pool, enum redo_kind kind,
                          const struct redo_place *place)
{
    uint64_t end = kind == REDO_DATA ? pool->info.size_bytes : pool->data_bytes;
    bool drives = kind == REDO_DATA || (place->count > 0 && place->first < pool->info.drive_count &&
                                        place->count <= pool->info.drive_count - place->first);
    return drives && place->length > 0 && place->length <= end &&
           place->offset <= end - place->length;
}

/* X1: its data has the checksums that its head names. */
static bool is_whole(const struct pool *pool, const struct redo_slot *slot)
{
    const uint8_t *bytes = slice_bytes(slot->data);
    for (uint32_t i = 0, at = 0; i < slot->places; i++) {
        struct redo_place place = layout_redo_place(slot->head, i);
        if (!place_is_good(pool, slot->kind, &place) ||
            layout_crc(bytes + at, place.length) != place.crc)
            return false;
        at += place.length;
    }
    return true;
}

static void read_ended(struct array *array, struct pool *pool, uint32_t s, struct leg *leg)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    bool good = leg->end == LEG_OK;
    if (leg->end == LEG_TIMEOUT || leg->end == LEG_DROPPED) {
        slot->state = REDO_HEAD;
        redo_wait(array, slot);
        return;
    }
    if (good && slot->state == REDO_HEAD) {
        memcpy(slot->head, slice_bytes(leg->data), LAYOUT_BLOCK);
        good = layout_get_redo(slot->head, pool->info.uuid, (uint8_t)s, &slot->kind, &slot->places,
                               &slot->bytes);
        if (good) {
            slot->state = REDO_READING;
            struct leg *data =
                leg_new(array, LEG_REDO_READ, redo_index(pool, s), pool->info.drives[slot->source],
                        DRIVE_READ, layout_redo_data(pool->data_bytes, (uint8_t)s), slot->bytes);
            must(data);
            data->patience_ns = array->limits->drive_ns;
            slot->legs = 1;
            return;
        }
    } else if (good) {
        slot->data = leg->data;
        leg->data = slice_none();
        good = is_whole(pool, slot);
    }
    if (!good) {
        position_add(slot->tried, slot->source);
        play_next_copy(array, pool, s);
        return;
    }
    slot->state = REDO_PLAYING;
    trace_info(array->trace, "pool %s: a redo record is played: %u bytes in %u places",
               pool->info.name, slot->bytes, slot->places);
}

/* The next place, through the level. */
static void play_data(struct array *array, struct pool *pool, struct redo_slot *slot)
{
    struct redo_place place = layout_redo_place(slot->head, slot->place);
    struct array_io *io = &slot->play;
    memset(io, 0, sizeof *io);
    io->op = ARRAY_WRITE;
    io->fua = io->internal = io->raw = true;
    io->pool = pool->info.index;
    io->lba = place.offset;
    io->blocks = place.length;
    io->data = slot->data;
    io->data.offset += slot->at;
    io->data.length = place.length;
    slot->legs = 1;
    array_submit(array, io);
}

void redo_played(struct array *array, struct array_io *io)
{
    struct redo_slot *slot =
        (struct redo_slot *)(void *)((char *)io - offsetof(struct redo_slot, play));
    struct pool *pool = &array->pool[io->pool];
    must(slot->state == REDO_PLAYING && slot->legs == 1);
    slot->legs = 0;
    array->again = true;
    if (io->failed) {
        redo_wait(array, slot);
        return;
    }
    slot->at += (uint32_t)io->blocks;
    if (++slot->place == slot->places)
        play_over(array, pool, (uint32_t)(slot - pool->redo.slot));
}

/* Counts the places in, or out of, the regions that are being written; in: false: their bits are
 * not durable yet. */
static bool count_regions(struct array *array, struct pool *pool, const struct redo_slot *slot,
                          bool in)
{
    bool durable = true;
    for (uint32_t i = 0; in && i < slot->places; i++) {
        struct redo_place place = layout_redo_place(slot->head, i);
        durable &= intent_durable(array, pool, part_region(pool, place.offset),
                                  part_region(pool, place.offset + place.length - 1));
    }
    for (uint32_t i = 0; durable && i < slot->places; i++) {
        struct redo_place place = layout_redo_place(slot->head, i);
        uint32_t first = part_region(pool, place.offset);
        uint32_t last = part_region(pool, place.offset + place.length - 1);
        if (in)
            intent_write_begun(pool, first, last);
        else
            intent_write_ended(pool, first, last);
    }
    return durable;
}

/* All places, on the drives that they name. */
static void play_drives(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    if (!slot->begun && !count_regions(array, pool, slot, true))
        return;
    slot->begun = true;
    slot->failed = false;
    for (uint32_t i = 0, at = 0; i < slot->places; i++) {
        struct redo_place place = layout_redo_place(slot->head, i);
        for (uint32_t p = place.first; p < (uint32_t)place.first + place.count; p++) {
            if (!drives_takes_part(redo_drive(array, pool, p)))
                continue;
            struct leg *leg = leg_new(array, LEG_REDO, redo_index(pool, s), pool->info.drives[p],
                                      DRIVE_WRITE, LAYOUT_DATA + place.offset, place.length);
            must(leg);
            leg->fua = true;
            leg->data = slice_ref(slot->data);
            leg->data.offset += at;
            leg->data.length = place.length;
            slot->legs++;
        }
        at += place.length;
    }
}

static void drives_played(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    if (slot->failed) {
        redo_wait(array, slot);
        return;
    }
    count_regions(array, pool, slot, false);
    play_over(array, pool, s);
}

void redo_play_step(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    if (slot->state == REDO_HEAD)
        play_next_copy(array, pool, s);
    else if (slot->kind == REDO_DATA)
        play_data(array, pool, slot);
    else
        play_drives(array, pool, s);
}

void redo_play_leg_ended(struct array *array, struct pool *pool, uint32_t s, struct leg *leg)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    if (slot->state != REDO_PLAYING) {
        read_ended(array, pool, s, leg);
        return;
    }
    slot->failed |= leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT;
    if (slot->legs == 0)
        drives_played(array, pool, s);
}

/* X5 */
void redo_play_find(struct array *array, struct pool *pool)
{
    struct redo *redo = &pool->redo;
    if (!redo->stripes_open && !is_found(array, pool, STRIPE_SLOTS, true))
        redo->stripes_open = array->again = true;
    for (uint32_t s = 0; s < REDO_SLOTS; s++) {
        bool may = redo->stripes_open || STRIPE_SLOTS >> s & 1;
        if (may && redo->slot[s].state == REDO_FREE && is_found(array, pool, 1u << s, false))
            play_begin(array, pool, s);
    }
}
