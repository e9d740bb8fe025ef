/* SPDX-License-Identifier: Apache-2.0 */
/* B1 nothing but a probe goes to a drive of a pool that was not found to be ours under this login;
 * a STALE one may be blank B2 a pool's map is known when a GOOD drive of it has given its copy:
 * every GOOD drive has every bit that a write has relied on (W2). Others are waited for for a
 * moment, and added B3 a pool is born when a drive carries its superblock
 *
 *   NONE -- reached --> READING -- head, or copy at the end --> OURS, BLANK, FOREIGN, ERROR, GONE
 *   NONE -- not listed, not online --> GONE         GONE, ERROR -- after a while --> NONE
 */
#include "array/probe.h"

#include "array/blob.h"
#include "array/drives.h"
#include "array/intent.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/redo.h"
#include "base/must.h"

#define OTHERS_NS MS(100) /* for the maps of other drives, once one is here */
#define AGAIN_NS MS(50)
#define LOOK_NS MS(1000)    /* one that is gone, or cannot be read, is looked at again ... */
#define FAILED_NS MS(15000) /* ... if it has FAILED already */

void probe_begin(struct array *array)
{
    for (int d = 0; d < DRIVE_MAX; d++) {
        array->drive[d].probe = PROBE_NONE;
        array->drive[d].probe_ns = 0;
        array->drive[d].map_ok = false;
        array->drive[d].map_sequence = 0;
        redo_drive_forget(&array->drive[d]);
    }
    array->look = true;
}

bool probe_open(const struct array *array, int number, enum leg_owner owner)
{
    const struct drive *drive = &array->drive[number];
    if (owner == LEG_PROBE || owner == LEG_LOAD || owner == LEG_CARRY || drive->pool == POOL_NONE ||
        !array->pool[drive->pool].used)
        return true;
    if (owner == LEG_PROVISION && !drive->provision_read)
        return false;
    if (owner == LEG_REDO_CLEAN && (!drive->redo_seen || drive->redo_found))
        return false;
    return drive->probe == PROBE_OURS ||
           (drive->probe == PROBE_BLANK && drive->state == DRIVE_STATE_STALE); /* B1 */
}

void probe_superblock(const struct array *array, const struct pool *pool, uint8_t position,
                      struct superblock *out)
{
    memset(out, 0, sizeof *out);
    out->generation = pool->generation;
    out->provisioned = pool->provision.kept;
    out->redo = pool->info.redo;
    memcpy(out->pool_uuid, pool->info.uuid, 16);
    memcpy(out->pool_name, pool->info.name, NAME_BYTES);
    out->group = array->group;
    out->level = (uint8_t)pool->info.level;
    out->drive_count = pool->info.drive_count;
    out->position = position;
    out->chunk_bytes = pool->info.chunk_bytes;
    out->data_bytes = pool->data_bytes;
    memcpy(out->incarnation, pool->incarnation, sizeof out->incarnation);
}

uint32_t probe_write_label(struct array *array, enum leg_owner owner, uint16_t index,
                           const struct pool *pool, uint8_t position)
{
    struct buffer *buffer = buffer_get(array->buffers, LAYOUT_BLOCK);
    if (!buffer)
        return 0;
    uint8_t number = pool->info.drives[position];
    struct superblock superblock;
    probe_superblock(array, pool, position, &superblock);
    layout_put_superblock(buffer->data, &superblock);
    const uint64_t places[2] = {LAYOUT_SUPERBLOCK,
                                layout_superblock_copy(array->drive[number].info.bytes)};
    uint32_t legs = 0;
    for (int i = 0; i < 2; i++) {
        if (i == 1 && places[i] < LAYOUT_DATA)
            continue; /* its size is not known now */
        struct leg *leg =
            leg_new(array, owner, index, number, DRIVE_WRITE, places[i], LAYOUT_BLOCK);
        must(leg);
        leg->fua = true;
        leg->data = slice_ref(slice_of(buffer, 0, LAYOUT_BLOCK));
        legs++;
    }
    buffer_unref(buffer);
    return legs;
}

/* ---- what was found ---- */

/* Another drive may hold the place of one that was taken out: the newest table says which counts.
 */
static void compare(struct array *array, struct pool *pool)
{
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drive->probe != PROBE_OURS && drive->probe != PROBE_FOREIGN)
            continue;
        const struct superblock *found = &drive->superblock;
        bool ours = drive->superblock_ok && memcmp(found->pool_uuid, pool->info.uuid, 16) == 0 &&
                    found->position == p && found->data_bytes == pool->data_bytes &&
                    found->incarnation[p] == pool->incarnation[p];
        drive->probe = ours ? PROBE_OURS : PROBE_FOREIGN;
    }
}

static void judge(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    struct pool *pool = &array->pool[drive->pool];
    const struct superblock *found = &drive->superblock;
    array->again = array->look = true;
    pool->recheck = pool->relabel = true;
    redo_heads_unreadable(array, number);
    if (!drive->superblock_ok) {
        drive->probe = mutant(MUTANT_FOREIGN_TAKEN) ? PROBE_OURS : PROBE_BLANK;
        return;
    }
    drive->probe = PROBE_FOREIGN;
    bool good = memcmp(found->pool_uuid, pool->info.uuid, 16) == 0 &&
                found->position == drive->position && drive->state == DRIVE_STATE_GOOD;
    pool->provision.kept |= good && found->provisioned;
    if (good && found->generation > pool->generation) {
        pool->generation = found->generation;
        memcpy(pool->incarnation, found->incarnation, sizeof pool->incarnation);
    }
    compare(array, pool);
}

static void take_head(struct array *array, int number, const uint8_t *head)
{
    struct drive *drive = &array->drive[number];
    drive->superblock_ok = layout_get_superblock(head + LAYOUT_SUPERBLOCK, &drive->superblock);
    for (int slot = 0; slot < 2; slot++)
        if (!layout_get_state_header(head + LAYOUT_STATE_HEADER + slot * LAYOUT_BLOCK,
                                     &drive->header[slot]))
            drive->header[slot].generation = 0;
    struct pool *pool = &array->pool[drive->pool];
    if (!drive->slots_known) {
        blob_slot_found(array, number);
        intent_slot_found(array, number, head);
        drive->slots_known = true;
    }
    if (!pool->map_known && drives_takes_part(drive))
        drive->map_ok = intent_take(pool, head);
    redo_heads_found(array, number, head);
}

static bool read(struct array *array, int number, uint64_t offset, uint32_t length)
{
    struct leg *leg =
        leg_new(array, LEG_PROBE, (uint16_t)number, number, DRIVE_READ, offset, length);
    must(leg);
    leg->patience_ns = array->limits->drive_total_ns;
    array->drive[number].probe = PROBE_READING;
    return true;
}

/* The copy at the end of the drive, when the one at its start is no good. */
static bool read_copy(struct array *array, int number)
{
    uint64_t copy = layout_superblock_copy(array->drive[number].info.bytes);
    return copy >= LAYOUT_DATA && read(array, number, copy, LAYOUT_BLOCK);
}

void probe_leg_ended(struct array *array, struct leg *leg)
{
    int number = leg->index;
    struct drive *drive = &array->drive[number];
    bool head = leg->offset == 0;
    if (drive->pool == POOL_NONE || drive->probe != PROBE_READING)
        return;
    if (leg->end == LEG_TIMEOUT || leg->end == LEG_DROPPED) {
        drive->probe = PROBE_NONE;
        drive->probe_ns = array->now_ns + AGAIN_NS;
        array_alarm(array, drive->probe_ns);
        return;
    }
    if (leg->gone) {
        drive->probe = PROBE_GONE;
        drive->probe_ns = 0;
        array->again = array->look = true;
        return;
    }
    drive->info.online = true; /* whatever it was at the login */
    if (head)
        drive->superblock_ok = false;
    if (leg->end == LEG_OK && head)
        take_head(array, number, slice_bytes(leg->data));
    else if (leg->end == LEG_OK)
        drive->superblock_ok = layout_get_superblock(slice_bytes(leg->data), &drive->superblock);
    if (!drive->superblock_ok && head && read_copy(array, number))
        return;
    if (leg->end == LEG_ERROR && !drive->superblock_ok) {
        drive->probe = PROBE_ERROR;
        drive->probe_ns = 0;
        drive->map_ok = false;
        array->again = array->look = true;
        return;
    }
    judge(array, number);
}

/* ---- what to do about it ---- */

static bool no_good(const struct drive *drive)
{
    return drive->probe == PROBE_GONE || drive->probe == PROBE_ERROR;
}

static void look(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    bool is_failed = drive->state == DRIVE_STATE_FAILED, again = no_good(drive);
    if (drive->pool == POOL_NONE || (drive->probe != PROBE_NONE && !again) ||
        !array->loop[number / 32].up || array->pool[drive->pool].fresh ||
        (is_failed && (!drive->may_return || drive->lingering_count > 0)))
        return;
    if (again && drive->probe_ns == 0)
        drive->probe_ns = array->now_ns + (is_failed ? FAILED_NS : LOOK_NS);
    if (array->now_ns < drive->probe_ns) {
        array_alarm(array, drive->probe_ns);
        return;
    }
    drive->probe_ns = 0;
    if (!drive->listed || (!drive->info.online && !again)) {
        drive->probe = PROBE_GONE;
        array->again = true;
        return;
    }
    read(array, number, 0, LAYOUT_HEAD_BYTES);
}

/* A drive that the record calls GOOD, and is another one. */
static void accuse(struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE || drive->state == DRIVE_STATE_FAILED || drive->bad ||
        !array->pool[drive->pool].born || array->pool[drive->pool].volumes == 0 ||
        !drives_alien(drive) || (drive->state == DRIVE_STATE_STALE && drive->probe == PROBE_BLANK))
        return;
    bool is_new = drive->probe == PROBE_BLANK || drive->unsound;
    leg_drive_bad(array, number, is_new ? FAULT_ALIEN : FAULT_ERROR);
}

struct tally {
    uint32_t good, reading, open, ours, blank, unreached;
};

static void count(const struct array *array, const struct pool *pool, struct tally *t)
{
    memset(t, 0, sizeof *t);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        const struct loop *loop = &array->loop[pool->info.drives[p] / 32];
        if (!drives_takes_part(drive))
            continue;
        bool absent =
            !loop->up && (loop->gone || (loop->down_ns && array->now_ns - loop->down_ns >=
                                                              array->limits->availability_ns));
        t->unreached += !loop->up || drive->probe == PROBE_GONE;
        bool open = drive->probe == PROBE_NONE || drive->probe == PROBE_READING;
        t->reading += open && loop->up;
        t->open += open && !absent;
        t->ours += drive->probe == PROBE_OURS && drive->state == DRIVE_STATE_GOOD;
        t->blank += drive->probe == PROBE_BLANK;
        t->good += drive->probe == PROBE_OURS && drive->map_ok && drive->state == DRIVE_STATE_GOOD;
    }
}

static void known(struct array *array, struct pool *pool)
{
    pool->map_known = pool->recheck = true;
    array->again = true;
    if (!level_redundant(pool))
        bits_clear(&pool->intent.set); /* it has no map: there are no copies that could differ */
    if (array->begin_doubt || (pool->intent.doubt_kept && !mutant(MUTANT_DOUBT_FORGOTTEN)))
        bits_add_all(&pool->doubt, &pool->intent.set);
    else
        pool->intent.found = pool->intent.set; /* W5 */
    if (pool->parity && !mutant(MUTANT_PARITY_OF_BEFORE_TRUSTED))
        pool->suspect = pool->intent.set;
    pool->suspicious = true;
    pool->doubtful = pool->intent.active = true;
    intent_known(array, pool);
    trace_info(array->trace, "pool %s: %u of %u regions are in its write-intent map%s",
               pool->info.name, bits_count(&pool->intent.set), pool->regions,
               array->begin_doubt ? ", in doubt" : "");
}

/* True: its map is known, or nothing more is to be expected. */
static bool learn(struct array *array, struct pool *pool)
{
    struct tally t;
    if (pool->map_known || pool->fresh)
        return true;
    count(array, pool, &t);
    if (t.good > 0 && (t.reading == 0 || array->now_ns >= array->begin_ns + OTHERS_NS)) {
        pool->born = true; /* B3 */
        known(array, pool);
        return true;
    }
    if (t.good == 0 && t.open == 0 && t.ours > 0) {
        pool->born = true; /* its maps are damaged: anything may have been written */
        bits_fill(&pool->intent.set, pool->regions);
        known(array, pool);
        return true;
    }
    if (t.ours == 0 && t.open == 0 && t.unreached == 0 && t.blank > 0) {
        known(array, pool); /* not born: being created */
        return true;
    }
    array_alarm(array, array->now_ns + OTHERS_NS);
    return t.open == 0;
}

void probe_pump(struct array *array)
{
    if (array->phase != PHASE_BEGINNING && array->phase != PHASE_RUNNING)
        return;
    if (array->look)
        drives_each (array, d) {
            look(array, d);
            accuse(array, d);
        }
    bool all = true;
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used)
            all &= learn(array, &array->pool[p]);
    if (array->phase != PHASE_BEGINNING)
        return;
    if (!all && array->now_ns < array->begin_ns + array->limits->drive_total_ns)
        return;
    array->phase = PHASE_RUNNING;
    array->again = true;
    array_tell(array, ARRAY_NOTICE_BEGUN);
}
