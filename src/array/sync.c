/* SPDX-License-Identifier: Apache-2.0 */
/* S1 SYNCED is said only when the drive lacks no region, holds the map and the state, and was
 * flushed after all of that S2 a blank drive gets our superblock only after every bit of the map is
 * durable on the others: until it is SYNCED, whoever leads knows that it lacks everything
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
#include "base/must.h"

void sync_begin(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE)
        return;
    leg_forget(array, LEG_SYNC, (uint16_t)number);
    drive->sync = SYNC_WAIT;
    drive->sync_legs = 0;
    drive->has_state = false;
    array->again = array->more = true;
}

void sync_end(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    leg_forget(array, LEG_SYNC, (uint16_t)number);
    drive->sync = SYNC_IDLE;
    drive->sync_legs = 0;
    drive->has_state = false;
    bits_clear(&drive->lacks);
}

static void wait(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    switch (drive->probe) {
    case PROBE_NONE:
    case PROBE_READING:
        return;
    case PROBE_OURS:
        drive->lacks = pool->intent.set;
        drive->sync_sequence = intent_force(array, pool, false);
        drive->sync = SYNC_COPY;
        break;
    case PROBE_BLANK:
        if (layout_data_bytes(drive->info.bytes) < pool->data_bytes) {
            leg_drive_bad(array, number, FAULT_ERROR);
            return;
        }
        drive->sync_sequence = intent_force(array, pool, true);
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
               drive->sync == SYNC_MAP ? pool->regions : bits_count(&drive->lacks), pool->regions);
}

static bool map_durable(struct array *array, const struct drive *drive, struct pool *pool)
{
    if (pool->intent.durable >= drive->sync_sequence)
        return true;
    if (pool->intent.legs == 0 && !pool->intent.force)
        intent_force(array, pool, drive->sync == SYNC_MAP);
    return false;
}

/* S2: another drive holds this position from now on, and every drive of the pool knows. */
static void label(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    uint32_t newest = 0;
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (pool->incarnation[p] > newest)
            newest = pool->incarnation[p];
    pool->incarnation[drive->position] = newest + 1;
    pool->generation++;
    drive->sync = SYNC_LABEL;
    drive->sync_failed = false;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        uint8_t other = pool->info.drives[p];
        if (array->drive[other].state == DRIVE_STATE_GOOD || other == number)
            drive->sync_legs += probe_write_label(array, LEG_SYNC, (uint16_t)number, pool, p);
    }
    if (drive->sync_legs == 0) {
        drive->sync = SYNC_MAP; /* no buffer: again later */
        array->no_buffer = true;
    }
}

static void labelled(struct array *array, int number, struct pool *pool)
{
    struct drive *drive = &array->drive[number];
    if (drive->sync_failed) {
        drive->sync = SYNC_WAIT;
        return;
    }
    drive->probe = PROBE_OURS;
    probe_superblock(array, pool, drive->position, &drive->superblock);
    bits_fill(&drive->lacks, pool->regions);
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
    trace_info(array->trace, "drive %d of pool %s has all data again", number, pool->info.name);
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
    if (drive->sync == SYNC_LABEL)
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
    flush(array, number);
}

void sync_pump(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE || array->phase != PHASE_RUNNING)
        return;
    struct pool *pool = &array->pool[drive->pool];
    if (!pool->map_known || !pool->born || !level_redundant(pool))
        return;
    if (drive->sync == SYNC_WAIT)
        wait(array, number, pool);
    if (drive->sync == SYNC_MAP && map_durable(array, drive, pool))
        label(array, number, pool);
    if (drive->sync == SYNC_COPY && bits_empty(&drive->lacks) && map_durable(array, drive, pool)) {
        drive->sync = SYNC_META;
        array->again = true;
    }
}
