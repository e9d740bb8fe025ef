/* SPDX-License-Identifier: Apache-2.0 */
/* S1 SYNCED is said only when the drive lacks no region, holds the maps and the state, has no
 *    redo record, and was flushed after all of that
 * S2 a blank drive gets our superblock only after every bit of the map is durable on the others:
 *    until it is SYNCED, whoever leads knows that it lacks everything; and after the others know of
 *    it: one that they do not know is foreign
 * S3 superblocks are written for one drive of a pool at a time: the newest table stays the newest;
 *    every drive that takes part gets it in the end, and no drive is SYNCED without it
 * S4 a drive that turns out to be another, empty one gets no name before the record has FAILED it:
 *    the record may be about to call the one before it GOOD
 *
 *   WAIT -- ours ----------------------------> COPY --> META --> FLUSH --> SYNCED
 *   WAIT -- blank --> MAP --> LABEL --------^
 */
#include "array/sync.h"

#include "array/drives.h"
#include "array/intent.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/probe.h"
#include "array/provision.h"
#include "array/redo.h"
#include "base/must.h"

static void forget(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->sync_legs > 0)
        leg_forget(array, LEG_SYNC, (uint16_t)number);
    drive->sync_legs = 0;
    drive->has_state = drive->synced = drive->relabelling = false;
}

void sync_begin(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE)
        return;
    forget(array, number);
    drive->sync = SYNC_WAIT;
    array->again = array->more = true;
}

void sync_end(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->sync == SYNC_IDLE && !drive->synced && drive->sync_legs == 0)
        return;
    forget(array, number);
    drive->sync = SYNC_IDLE;
    bits_clear(drive->lacks);
}

static void wait(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    switch (drive->probe) {
    case PROBE_NONE:
    case PROBE_READING:
        return;
    case PROBE_OURS:
        *drive->lacks = pool->intent.set;
        provision_lacks_all(array, number);
        redo_distrust(array, number);
        drive->sync_sequence = intent_force(array, pool, false);
        drive->sync = SYNC_COPY;
        break;
    case PROBE_BLANK:
        if (!layout_fits(drive->info.bytes, pool->data_bytes, pool->info.redo)) {
            leg_drive_bad(array, number, FAULT_ERROR);
            return;
        }
        drive->sync_sequence = intent_force(array, pool, true);
        provision_lacks_all(array, number);
        redo_distrust(array, number);
        drive->sync = SYNC_MAP;
        break;
    case PROBE_FOREIGN:
    case PROBE_ERROR:
    case PROBE_GONE:
        leg_drive_bad(array, number, FAULT_ERROR);
        return;
    }
    array->again = true;
    trace_info(array->trace, "drive %d of pool %s is written again; it lacks %u of %u regions",
               number, pool->info.name,
               drive->sync == SYNC_MAP ? pool->regions : bits_count(drive->lacks), pool->regions);
}

static bool map_durable(struct array *array, const struct drive *drive, struct pool *pool)
{
    if (pool->intent.durable >= drive->sync_sequence || mutant(MUTANT_SYNCED_WITHOUT_MAP))
        return true;
    if (pool->intent.legs == 0 && !pool->intent.force)
        intent_force(array, pool, drive->sync == SYNC_MAP);
    return false;
}

static bool gets_label(const struct drive *drive)
{
    return drive->state == DRIVE_STATE_GOOD ||
           (drive->state == DRIVE_STATE_STALE && drive->probe == PROBE_OURS);
}

/* Superblocks as they are from now on, on one drive. */
static void label_one(struct array *array, int number, struct pool *pool, uint8_t position)
{
    struct drive *drive = &array->drive[number];
    uint32_t legs = probe_write_label(array, LEG_SYNC, (uint16_t)number, pool, position);
    drive->sync_failed |= legs == 0; /* no buffer: all of them again later */
    drive->sync_legs += legs;
    position_add(drive->labels, position);
}

/* S2: another drive holds this position from now on, and every drive of the pool knows. */
static void label(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    uint32_t newest = 0;
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (pool->incarnation[p] > newest)
            newest = pool->incarnation[p];
    if (!drive->named) { /* else it may bear that name already, and no other one */
        pool->incarnation[drive->position] = newest + 1;
        pool->generation++;
    }
    drive->named = true;
    drive->sync = SYNC_LABEL;
    drive->sync_failed = false;
    memset(drive->labels, 0, sizeof drive->labels);
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (p != drive->position && gets_label(&array->drive[pool->info.drives[p]]))
            label_one(array, number, pool, p);
    if (drive->sync_legs == 0) {
        drive->sync = SYNC_MAP;
        array->no_buffer = true;
    }
}

/* S3 */
static bool may_label(const struct array *array, const struct pool *pool)
{
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drive->sync == SYNC_LABEL || drive->relabelling)
            return false;
    }
    return true;
}

/* S3: it was away, or the reign ended, when the others got theirs. */
static bool has_old_label(const struct drive *drive, const struct pool *pool)
{
    return gets_label(drive) && drive->probe == PROBE_OURS && drive->superblock_ok &&
           drive->superblock.generation < pool->generation;
}

static void relabel(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    drive->sync_legs = probe_write_label(array, LEG_SYNC, (uint16_t)number, pool, drive->position);
    drive->relabelling = drive->sync_legs > 0;
    drive->sync_failed = false;
    array->no_buffer |= !drive->relabelling;
}

static void relabelled(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    drive->relabelling = false;
    if (!drive->sync_failed)
        probe_superblock(array, pool, drive->position, &drive->superblock);
    pool->relabel = true;
}

void sync_labels(struct array *array, struct pool *pool)
{
    pool->relabel = false;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        if (!has_old_label(drive, pool))
            continue;
        pool->relabel = true;
        if (drive->sync_legs == 0 && may_label(array, pool))
            relabel(array, pool->info.drives[p], pool);
    }
}

static void labelled(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    if (!drive->sync_failed && !position_has(drive->labels, drive->position))
        label_one(array, number, pool, drive->position); /* S2: only when the others know */
    if (drive->sync_legs > 0)
        return;
    if (drive->sync_failed) {
        drive->sync = SYNC_WAIT;
        return;
    }
    pool->relabel = true;
    drive->named = false;
    drive->probe = PROBE_OURS;
    drive->superblock_ok = true;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        struct drive *other = &array->drive[pool->info.drives[p]];
        if (position_has(drive->labels, p) && gets_label(other))
            probe_superblock(array, pool, p, &other->superblock);
    }
    if (!mutant(MUTANT_BLANK_LACKS_NOTHING))
        bits_fill(drive->lacks, pool->regions);
    drive->sync = SYNC_COPY;
    array->again = true;
}

static void flush(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    struct leg *leg = leg_new(array, LEG_SYNC, (uint16_t)number, number, DRIVE_FLUSH, 0, 0);
    must(leg);
    drive->sync = SYNC_FLUSH;
    drive->sync_failed = false;
    drive->sync_legs = 1;
}

static void synced(struct array *array, int number, const struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    if (drive->sync_failed || !drive->has_state) {
        drive->sync = SYNC_COPY;
        return;
    }
    drive->sync = SYNC_IDLE;
    if (!drive->synced)
        trace_info(array->trace, "drive %d of pool %s has all data again", number, pool->info.name);
    drive->synced = true;
    drive->told_ns = array->now_ns;
    array_tell(array, ARRAY_NOTICE_SYNCED)->drive = (uint8_t)number;
}

/* The record may have been elsewhere when SYNCED was said. */
static void tell_again(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    uint64_t again_ns = drive->told_ns + array->limits->drive_total_ns;
    if (array->now_ns < again_ns) {
        array_alarm(array, again_ns);
        return;
    }
    drive->told_ns = array->now_ns;
    array_tell(array, ARRAY_NOTICE_SYNCED)->drive = (uint8_t)number;
}

void sync_leg_ended(struct array *array, struct leg *leg)
{
    int number = leg->index;
    struct drive *drive = &array->drive[number];
    struct pool *pool = &array->pool[drive->pool];
    must(drive->sync_legs > 0);
    drive->sync_failed |= leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT;
    if (--drive->sync_legs > 0)
        return;
    array->again = true;
    if (drive->relabelling)
        relabelled(array, number, pool);
    else if (drive->sync == SYNC_LABEL)
        labelled(array, number, pool);
    else if (drive->sync == SYNC_FLUSH)
        synced(array, number, pool);
}

void sync_state_copied(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->sync != SYNC_META)
        return;
    drive->has_state = true;
    if (mutant(MUTANT_SYNCED_UNFLUSHED)) {
        drive->sync_failed = false;
        synced(array, number, &array->pool[drive->pool]);
        return;
    }
    flush(array, number);
}

void sync_pump(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE || array->phase != PHASE_RUNNING ||
        drive->state != DRIVE_STATE_STALE)
        return;
    struct pool *pool = &array->pool[drive->pool];
    if (!pool->map_known || !pool->born || !level_redundant(pool))
        return;
    bool begun = drive->sync > SYNC_LABEL || drive->synced;
    if (begun && drive->probe == PROBE_BLANK) {
        pool->stamp++;
        sync_end(array, number);
    }
    if (drive->sync == SYNC_IDLE && drive->probe == PROBE_BLANK && !drive->bad) /* S4 */
        leg_drive_bad(array, number, FAULT_ALIEN);
    if (drive->synced && !drive->bad)
        tell_again(array, number);
    if (drive->sync == SYNC_WAIT)
        wait(array, number, pool);
    if (drive->sync == SYNC_MAP && may_label(array, pool) && map_durable(array, drive, pool))
        label(array, number, pool);
    bool copied = bits_empty(drive->lacks) || mutant(MUTANT_GOOD_BEFORE_RESYNC);
    if (drive->sync == SYNC_COPY && copied && provision_is_held(pool, drive) &&
        redo_is_clean(pool, drive) && !has_old_label(drive, pool) && !drive->relabelling &&
        map_durable(array, drive, pool)) {
        drive->sync = SYNC_META;
        array->again = true;
        if (mutant(MUTANT_SYNCED_WITHOUT_STATE))
            sync_state_copied(array, number);
    }
}
