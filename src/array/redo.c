/* SPDX-License-Identifier: Apache-2.0 */
/* Redo records. Each slot has a head, which names the places and the checksum of the data of each,
 * and room for that data. Both are written at once: a head whose data does not have these checksums
 * is none, and so is one that power loss tore.
 *
 * X1 the blocks change only when every home drive has the record durably, or FAILED; it is made
 *    invalid only when the blocks are durable on every drive that takes part; its owner is told
 * only when it is invalid on every drive that had it, or that drive FAILED. So a record that is
 * found on a GOOD drive is one of whose blocks nothing newer was ever written, and to play it, or
 * not to if some GOOD home drive does not have it any more, are both right X2 a record goes only to
 * drives that are known to hold none in that slot X3 no host I/O begins before every record that
 * was found on a GOOD drive was played, and every GOOD drive holds none: else a later reign would
 * find it, and bring back what has been overwritten X4 what a drive that is not GOOD holds is never
 * played; a STALE one is SYNCED only after all that it holds was made invalid X5 records of certain
 * drives are played before those of the pool's data, and before anything is resynchronised: the
 * copies that this reads from must be whole
 *
 *   FREE -- redo_begin --> RECORDING -- on every home --> HELD -- redo_end --> CLEARING --> FREE
 *                              +-- failed, or not wanted any more ---------------^
 *   FREE -- found --> HEAD --> READING --> PLAYING --> FREE, and the drives are cleaned
 */
#include "array/redo.h"

#include "array/drives.h"
#include "array/hostio.h"
#include "array/leg.h"
#include "array/redo_play.h"
#include "array/stripe.h"
#include "base/must.h"

bool redo_open(const struct pool *pool)
{
    return !pool->info.redo || pool->redo.open || (pool->map_known && !pool->born);
}

bool redo_resync_open(const struct pool *pool)
{
    return !pool->info.redo || pool->redo.stripes_open;
}

/* ---- a record is made, and ends ---- */

static void tell(struct array *array, struct pool *pool, const struct redo_slot *slot, bool over)
{
    uint32_t s = (uint32_t)(slot - pool->redo.slot);
    switch (slot->owner) {
    case REDO_OWNER_IO:
        if (over)
            hostio_record_over(array, slot->io, slot->failed);
        else
            hostio_record_held(array, slot->io);
        return;
    case REDO_OWNER_STRIPES:
        if (over)
            stripe_record_over(array, pool, s, slot->failed);
        else
            stripe_record_held(array, pool, s);
        return;
    }
}

static int free_slot(const struct pool *pool, enum redo_owner owner)
{
    uint32_t first = owner == REDO_OWNER_IO ? 0 : REDO_IO_SLOTS;
    uint32_t end = owner == REDO_OWNER_IO ? REDO_IO_SLOTS : REDO_SLOTS;
    for (uint32_t s = first; s < end; s++)
        if (pool->redo.slot[s].state == REDO_FREE)
            return (int)s;
    return -1;
}

/* X2 */
static uint32_t choose_homes(struct array *array, const struct pool *pool,
                             const struct redo_work *work, uint64_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->info.drive_count && count < work->homes; i++) {
        uint32_t position = (work->home + i) % pool->info.drive_count;
        const struct drive *drive = redo_drive(array, pool, position);
        if (!drives_takes_part(drive) || !drive->redo_clean)
            continue;
        position_add(out, position);
        count++;
    }
    return count;
}

static void write_leg(struct array *array, struct pool *pool, uint32_t s, struct slice data,
                      uint64_t offset)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        if (!position_has(slot->holders, p))
            continue;
        struct leg *leg = leg_new(array, LEG_REDO, redo_index(pool, s), pool->info.drives[p],
                                  DRIVE_WRITE, offset, data.length);
        must(leg);
        leg->fua = !mutant(MUTANT_REDO_UNFLUSHED);
        leg->data = slice_ref(data);
        slot->legs++;
    }
}

/* Data that lies together is written by one command. */
static void write_data(struct array *array, struct pool *pool, uint32_t s,
                       const struct redo_work *work)
{
    uint64_t at = layout_redo_data(pool->data_bytes, (uint8_t)s);
    struct slice together = slice_none();
    for (uint32_t i = 0; i < work->writes; i++) {
        const struct slice *data = &work->write[i].data;
        bool follows =
            together.buffer == data->buffer && together.offset + together.length == data->offset;
        if (follows) {
            together.length += data->length;
            continue;
        }
        if (together.buffer)
            write_leg(array, pool, s, together, at);
        at += together.length;
        together = *data;
    }
    write_leg(array, pool, s, together, at);
}

static void write_head(struct array *array, struct pool *pool, uint32_t s,
                       const struct redo_work *work, struct buffer *buffer)
{
    uint32_t bytes = 0;
    layout_put_redo(buffer->data, pool->info.uuid, array->epoch, (uint8_t)s, work->kind);
    for (uint32_t i = 0; i < work->writes; i++) {
        struct redo_place place = work->write[i].place;
        must(place.length == work->write[i].data.length && place.length > 0);
        place.crc = layout_crc(slice_bytes(work->write[i].data), place.length);
        layout_add_redo_place(buffer->data, &place);
        bytes += place.length;
    }
    must(bytes <= REDO_BYTES_MAX);
    layout_seal_redo(buffer->data);
    write_leg(array, pool, s, slice_of(buffer, 0, LAYOUT_BLOCK), redo_head_at(s));
}

int redo_begin(struct array *array, struct pool *pool, const struct redo_work *work)
{
    must(pool->info.redo && redo_open(pool) && work->writes > 0);
    uint64_t homes[DRIVE_WORDS] = {0};
    int s = free_slot(pool, work->owner);
    uint32_t count = choose_homes(array, pool, work, homes);
    if (s < 0 || count == 0 || !leg_room(array, count * (work->writes + 1)))
        return -1;
    struct buffer *buffer = buffer_get(array->buffers, LAYOUT_BLOCK);
    if (!buffer) {
        array->no_buffer = true;
        return -1;
    }
    struct redo_slot *slot = &pool->redo.slot[s];
    slot->state = REDO_RECORDING;
    slot->owner = work->owner;
    slot->io = work->io;
    slot->ending = slot->failed = false;
    memcpy(slot->holders, homes, sizeof homes);
    memset(slot->landed, 0, sizeof slot->landed);
    write_data(array, pool, (uint32_t)s, work);
    write_head(array, pool, (uint32_t)s, work, buffer);
    buffer_unref(buffer);
    return s;
}

/* No try of it is left: on each drive that had it the record is overwritten. */
static void clear(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    slot->state = REDO_CLEARING;
    slot->refused = false;
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        if (!position_has(slot->holders, p) || !drives_takes_part(redo_drive(array, pool, p)))
            continue;
        struct leg *leg = leg_new(array, LEG_REDO, redo_index(pool, s), pool->info.drives[p],
                                  DRIVE_FILL, redo_head_at(s), LAYOUT_BLOCK);
        must(leg);
        leg->fua = true;
        slot->legs++;
    }
    if (slot->legs == 0) {
        redo_freed(array, pool, slot);
        tell(array, pool, slot, true);
    }
}

void redo_end(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    must(slot->state == REDO_RECORDING || slot->state == REDO_HELD);
    slot->ending = true;
    if (slot->state == REDO_HELD)
        clear(array, pool, s);
}

/* Is it on a drive that a later reign believes? */
static bool is_held(struct array *array, const struct pool *pool, const struct redo_slot *slot)
{
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = redo_drive(array, pool, p);
        if (position_has(slot->landed, p) && drive->state == DRIVE_STATE_GOOD && !drive->unsound)
            return true;
    }
    return false;
}

/* X1 */
static void recorded(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    slot->failed |= !is_held(array, pool, slot);
    if (slot->failed || slot->ending) {
        clear(array, pool, s);
        return;
    }
    slot->state = REDO_HELD;
    tell(array, pool, slot, false);
}

static void cleared(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    if (slot->refused) { /* X1: it is not over before it is invalid */
        redo_wait(array, slot);
        return;
    }
    redo_freed(array, pool, slot);
    tell(array, pool, slot, true);
}

/* ---- what drives hold ---- */

void redo_drive_forget(struct drive *drive)
{
    drive->redo_seen = drive->redo_clean = false;
    drive->redo_found = 0;
}

static void stop_cleaning(struct array *array, int number)
{
    leg_forget_at(array, LEG_REDO_CLEAN, number);
    array->drive[number].redo_legs = 0;
}

void redo_heads_found(struct array *array, int number, const uint8_t *head)
{
    struct drive *drive = &array->drive[number];
    const struct pool *pool = &array->pool[drive->pool];
    if (!pool->info.redo || drive->state != DRIVE_STATE_GOOD || drive->redo_seen)
        return; /* X4; what is on a drive that was seen is what we have written */
    drive->redo_seen = array->again = true;
    stop_cleaning(array, number);
    for (uint8_t s = 0; s < REDO_SLOTS; s++) {
        enum redo_kind kind;
        uint32_t places, bytes;
        if (layout_get_redo(head + redo_head_at(s), pool->info.uuid, s, &kind, &places, &bytes) &&
            !mutant(MUTANT_REDO_NOT_PLAYED))
            drive->redo_found |= (uint8_t)(1u << s);
    }
    drive->redo_clean = drive->redo_found == 0;
}

void redo_heads_unreadable(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->state == DRIVE_STATE_GOOD && !drive->redo_seen)
        drive->redo_seen = array->again = true; /* and not clean: they are overwritten */
}

void redo_distrust(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    drive->redo_seen = array->again = true;
    drive->redo_found = 0;
    drive->redo_clean = mutant(MUTANT_REDO_OF_STALE);
}

/* X3, X4: a GOOD drive that is away is waited for, and called bad in the end. */
static void clean(struct array *array, const struct pool *pool, int number)
{
    struct drive *drive = &array->drive[number];
    bool wanted = drive->redo_seen
                      ? drive->redo_found == 0
                      : drive->state == DRIVE_STATE_GOOD && !drives_reached(array, number);
    if (drive->redo_clean || drive->redo_legs > 0 || !drives_takes_part(drive) || !wanted)
        return;
    if (array->now_ns < drive->redo_retry_ns) {
        array_alarm(array, drive->redo_retry_ns);
        return;
    }
    struct leg *leg = leg_new(array, LEG_REDO_CLEAN, (uint16_t)number, number, DRIVE_FILL,
                              LAYOUT_REDO, REDO_SLOTS * LAYOUT_BLOCK);
    must(leg && pool->info.redo);
    leg->fua = true;
    drive->redo_legs = 1;
}

static void clean_ended(struct array *array, const struct leg *leg)
{
    struct drive *drive = &array->drive[leg->drive];
    drive->redo_legs = 0;
    drive->redo_clean = leg->end == LEG_OK;
    if (leg->end != LEG_OK)
        drive->redo_retry_ns = array->now_ns + REDO_RETRY_NS;
}

static void slot_pump(struct array *array, struct pool *pool, uint32_t s)
{
    struct redo_slot *slot = &pool->redo.slot[s];
    if (slot->state == REDO_FREE || slot->legs > 0)
        return;
    if (array->now_ns < slot->retry_ns) {
        array_alarm(array, slot->retry_ns);
        return;
    }
    switch (slot->state) {
    case REDO_FREE:
    case REDO_RECORDING:
    case REDO_HELD:
    case REDO_READING:
        return;
    case REDO_CLEARING:
        clear(array, pool, s);
        return;
    case REDO_HEAD:
    case REDO_PLAYING:
        redo_play_step(array, pool, s);
        return;
    }
}

/* ---- the whole ---- */

void redo_leg_ended(struct array *array, struct leg *leg)
{
    array->again = true;
    if (leg->owner == LEG_REDO_CLEAN) {
        clean_ended(array, leg);
        return;
    }
    struct pool *pool = &array->pool[leg->index / REDO_SLOTS];
    uint32_t s = leg->index % REDO_SLOTS;
    struct redo_slot *slot = &pool->redo.slot[s];
    must(slot->legs > 0);
    slot->legs--;
    if (slot->state > REDO_CLEARING) {
        redo_play_leg_ended(array, pool, s, leg);
        return;
    }
    bool refused = leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT;
    if (slot->state == REDO_CLEARING)
        slot->refused |= refused;
    else
        slot->failed |= refused;
    if (leg->end == LEG_OK)
        position_add(slot->landed, array->drive[leg->drive].position);
    if (slot->legs > 0)
        return;
    if (slot->state == REDO_RECORDING)
        recorded(array, pool, s);
    else
        cleared(array, pool, s);
}

void redo_born(struct array *array, struct pool *pool)
{
    pool->redo.open = pool->redo.stripes_open = true;
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        struct drive *drive = redo_drive(array, pool, p);
        drive->redo_seen = drive->redo_clean = drive->state != DRIVE_STATE_FAILED;
        drive->redo_found = 0;
    }
}

void redo_reset(struct pool *pool)
{
    pool->redo.open = pool->redo.stripes_open = false;
    for (uint32_t s = 0; s < REDO_SLOTS; s++) {
        struct redo_slot *slot = &pool->redo.slot[s];
        slice_drop(&slot->data);
        slot->state = REDO_FREE;
        slot->legs = 0;
        slot->retry_ns = 0;
    }
}

/* An io of a volume that is no more may still hold one; an io that plays one has no pieces left. */
void redo_pool_dropped(struct array *array, uint8_t index)
{
    struct pool *pool = &array->pool[index];
    for (uint32_t s = 0; s < REDO_SLOTS; s++) {
        struct redo_slot *slot = &pool->redo.slot[s];
        enum redo_state state = slot->state;
        leg_forget(array, LEG_REDO, redo_index(pool, s));
        leg_forget(array, LEG_REDO_READ, redo_index(pool, s));
        if (state == REDO_PLAYING && slot->kind == REDO_DATA && slot->legs > 0)
            hostio_take_back(array, &slot->play);
        slot->state = REDO_FREE;
        slot->legs = 0;
        slot->failed = true;
        if (state == REDO_RECORDING || state == REDO_HELD || state == REDO_CLEARING)
            tell(array, pool, slot, true);
    }
    for (uint32_t p = 0; p < pool->info.drive_count; p++) {
        stop_cleaning(array, pool->info.drives[p]);
        redo_drive_forget(redo_drive(array, pool, p));
    }
}

void redo_pump(struct array *array, struct pool *pool)
{
    struct redo *redo = &pool->redo;
    if (array->phase != PHASE_RUNNING || !pool->map_known || !pool->born || !pool->info.redo)
        return;
    for (uint32_t p = 0; p < pool->info.drive_count; p++)
        clean(array, pool, pool->info.drives[p]);
    if (!redo->open)
        redo_play_find(array, pool);
    for (uint32_t s = 0; s < REDO_SLOTS; s++)
        slot_pump(array, pool, s);
    bool all = !redo->open;
    for (uint32_t p = 0; all && p < pool->info.drive_count; p++) {
        const struct drive *drive = redo_drive(array, pool, p);
        all = drive->state != DRIVE_STATE_GOOD || drive->redo_clean;
    }
    if (!all)
        return;
    redo->open = redo->stripes_open = true; /* X3 */
    pool->recheck = array->again = true;
}
