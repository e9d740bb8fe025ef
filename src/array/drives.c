/* SPDX-License-Identifier: Apache-2.0 */
/* D1 a FAILED drive has no leg but those that linger, and its probe's; a drive's legs are counted
 *    in waiting_count, sent_count and lingering_count
 * D2 RETURNED is said of a FAILED drive only when nothing lingers, and after a login since it went
 *    bad, or for one that is new, or that was off its loop switch's loop and is on it again, or for
 *    one that we have failed ourselves and that answers again after a while: each time a longer
 * one, and after RETRIES_MAX no more D3 a drive that is not in array->drives_used has no pool and
 * no legs, is not listed and not bad
 *
 * Drive states are the record's: GOOD <-> FAILED -> STALE -> GOOD; this file only follows. */
#include "array/drives.h"

#include "array/leg.h"
#include "array/level.h"
#include "array/probe.h"
#include "array/redo.h"
#include "array/stripe.h"
#include "array/sync.h"
#include "base/must.h"
#include "base/text.h"

#define RETRY_NS MS(15000)     /* after a failure; doubled for each one before */
#define STRIKES_NS MS(3600000) /* one that was GOOD for so long begins anew */

enum { RETRIES_MAX = 6 };

void drives_name(struct text *out, int drive)
{
    text_append(out, "t");
    text_number(out, (uint64_t)drive / 32);
    text_append(out, "/");
    text_padded(out, (uint64_t)drive % 32, 2);
}

bool drives_reached(const struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    return array->loop[number / 32].up && drive->listed && drive->info.online;
}

bool drives_readable(const struct drive *drive)
{
    bool good = drive->state == DRIVE_STATE_GOOD ||
                (drive->state == DRIVE_STATE_STALE && mutant(MUTANT_STALE_DRIVE_READ)) ||
                (drive->state == DRIVE_STATE_FAILED && mutant(MUTANT_FAILED_DRIVE_READ));
    return good && !drives_alien(drive) && drive->probe != PROBE_GONE;
}

void drives_present(const struct array *array, const struct pool *pool, int less, uint64_t *out)
{
    memset(out, 0, sizeof(uint64_t[DRIVE_WORDS]));
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        uint8_t number = pool->info.drives[p];
        const struct drive *drive = &array->drive[number];
        if (number != less && drive->state == DRIVE_STATE_GOOD && !drive->bad &&
            !drives_alien(drive) && drives_reached(array, number))
            position_add(out, p);
    }
}

bool drives_expendable(const struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE)
        return false;
    const struct pool *pool = &array->pool[drive->pool];
    uint64_t present[DRIVE_WORDS];
    drives_present(array, pool, number, present);
    return level_lives(pool, (uint8_t)(drive->position / pool->members), present);
}

void drives_count_stale(const struct array *array, struct pool *pool)
{
    pool->stale = 0;
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        pool->stale += array->drive[pool->info.drives[p]].state == DRIVE_STATE_STALE;
}

/* ---- what the record says ---- */

/* Its mirror goes on alone. When may it come back? */
static void failed(struct array *array, int number, enum drive_state before)
{
    struct drive *drive = &array->drive[number];
    drive->may_retry = drive->bad; /* D2: else it is not for us to say that it is well */
    if (!drive->bad)
        drive->may_return = false;
    if (drive->may_return)
        drive->probe = PROBE_NONE;
    if (before == DRIVE_STATE_GOOD && array->now_ns - drive->good_ns >= STRIKES_NS)
        drive->strikes = 0;
    bool tray = drive->bad && drive->fault == FAULT_ABSENT && !array->loop[number / 32].up;
    if (tray) /* no fault of its own */
        drive->retry_ns = array->now_ns + RETRY_NS;
    else if (drive->strikes < RETRIES_MAX)
        drive->retry_ns = array->now_ns + (RETRY_NS << drive->strikes++);
    else
        drive->may_retry = false;
    drive->returned = drive->slots_known = false;
    redo_drive_forget(drive);
    if (drive->pool != POOL_NONE)
        stripe_degraded(array, &array->pool[drive->pool]);
    leg_drive_failed(array, number);
    leg_settle(array);
}

void array_drive_state(struct array *array, int number, enum drive_state state)
{
    must(number >= 0 && number < DRIVE_MAX);
    struct drive *drive = &array->drive[number];
    enum drive_state before = drive->state;
    if (state == before) {
        if (state == DRIVE_STATE_GOOD)
            drive->bad = false;
        return;
    }
    drive->state = state;
    drive->unsound = before == DRIVE_STATE_STALE && state == DRIVE_STATE_GOOD &&
                     drive->sync != SYNC_IDLE && array->phase == PHASE_RUNNING;
    array->again = array->more = array->look = true;
    array_alarm(array, 0);
    if (drive->pool != POOL_NONE) {
        struct pool *pool = &array->pool[drive->pool];
        pool->stamp++;
        pool->recheck = pool->relabel = true;
        drives_count_stale(array, pool);
    }
    if (before == DRIVE_STATE_STALE)
        sync_end(array, number);
    if (state == DRIVE_STATE_STALE)
        sync_begin(array, number);
    if (state == DRIVE_STATE_FAILED)
        failed(array, number, before);
    if (state == DRIVE_STATE_GOOD)
        drive->good_ns = array->now_ns;
    drive->bad = false;
}

static bool doubted(struct array *array, int number, enum fault fault, bool may_return)
{
    struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE || drive->state == DRIVE_STATE_FAILED ||
        !drives_expendable(array, number))
        return false;
    drive->bad = true;
    drive->may_return = may_return;
    drive->fault = fault;
    drive->bad_ns = array->now_ns;
    return true;
}

bool array_drive_reborn(struct array *array, int number)
{
    return doubted(array, number, FAULT_ABSENT, true);
}

bool array_drive_undrained(struct array *array, int number)
{
    return doubted(array, number, FAULT_ERROR, false);
}

/* What a write-through pool has answered for is flushed. Until the maps are in, anything may be
 * set. */
bool array_drive_lacks(const struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE || drive->state != DRIVE_STATE_GOOD || drive->bad)
        return false;
    const struct pool *pool = &array->pool[drive->pool];
    return pool->info.cache == CACHE_MIRRORED &&
           (array->phase != PHASE_RUNNING || !bits_empty(&pool->intent.set));
}

enum drive_state array_drive_state_now(const struct array *array, int drive)
{
    return array->drive[drive].state;
}

/* One that we have failed is looked at again when its time has come. */
static void retry(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    if (drive->may_return || !drive->may_retry || !array->loop[number / 32].up || !drive->listed)
        return;
    if (array->now_ns < drive->retry_ns) {
        array_alarm(array, drive->retry_ns);
        return;
    }
    drive->may_return = true;
    drive->probe = PROBE_NONE;
}

static void returned(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    const struct pool *pool = &array->pool[drive->pool];
    bool blank = drive->probe == PROBE_BLANK &&
                 layout_fits(drive->info.bytes, pool->data_bytes, pool->info.redo);
    bool lingers = drive->lingering_count > 0 && !mutant(MUTANT_RETURN_WHILE_LINGERING);
    if (!drive->may_return || lingers || !drives_reached(array, number) || !pool->born ||
        !(drive->probe == PROBE_OURS || blank))
        return;
    uint64_t again_ns = drive->told_ns + array->limits->drive_total_ns;
    if (drive->returned && array->now_ns < again_ns) { /* the record may have been elsewhere */
        array_alarm(array, again_ns);
        return;
    }
    if (!drive->returned)
        trace_info(array->trace, "drive %d of pool %s is reached again%s", number, pool->info.name,
                   blank ? ": a new one" : "");
    drive->returned = true;
    drive->told_ns = array->now_ns;
    array_alarm(array, array->now_ns + array->limits->drive_total_ns);
    array_tell(array, ARRAY_NOTICE_RETURNED)->drive = (uint8_t)number;
}

void drives_pump(struct array *array)
{
    if (array->phase != PHASE_RUNNING || !array->look)
        return;
    drives_each (array, d)
        if (array->drive[d].pool != POOL_NONE && array->drive[d].state == DRIVE_STATE_FAILED) {
            retry(array, d);
            returned(array, d);
        }
}

/* ---- loop switches ---- */

void array_loop_up(struct array *array, int number, uint64_t login, const struct drive_info *drives,
                   int count)
{
    must(number >= 0 && number < LOOP_MAX);
    struct loop *loop = &array->loop[number];
    *loop = (struct loop){.up = true, .login = login};
    for (int d = number * 32; d < number * 32 + 32; d++)
        array->drive[d].listed = false;
    for (int i = 0; i < count; i++) {
        if (drives[i].drive / 32 != number)
            continue;
        position_add(array->drives_used, drives[i].drive);
        array->drive[drives[i].drive].info = drives[i];
        array->drive[drives[i].drive].listed = true;
    }
    for (int d = number * 32; d < number * 32 + 32; d++) {
        struct drive *drive = &array->drive[d];
        drive->probe = PROBE_NONE;
        drive->probe_ns = drive->avoid_ns = 0;
        drive->fault = FAULT_NONE;
        drive->may_return = true;
        drive->returned = drive->named = false;
        leg_drive_login(array, d);
    }
    memset(array->carry.assign_ns, 0, sizeof array->carry.assign_ns);
    array->again = array->more = array->look = true;
    leg_settle(array);
}

/* That one is off line is found out by what is sent to it, and is no news to whoever leads. */
void array_loop_on_line(struct array *array, int number, uint32_t slots)
{
    must(number >= 0 && number < LOOP_MAX);
    if (!array->loop[number].up)
        return;
    for (int s = 0; s < 32; s++) {
        struct drive *drive = &array->drive[number * 32 + s];
        bool on_line = slots >> s & 1, failed = drive->state == DRIVE_STATE_FAILED;
        if (!on_line && failed)
            drive->info.online = false; /* nothing is sent to it that could find out */
        if (!on_line || !drive->listed || drive->info.online)
            continue;
        drive->info.online = true;
        drive->probe_ns = array->now_ns; /* it is looked at again at once */
        if (failed) {                    /* D2: its loop switch has it again */
            drive->may_return = true;
            drive->probe = PROBE_NONE;
            drive->probe_ns = 0;
        }
        array->again = array->more = array->look = true;
    }
}

void array_loop_down(struct array *array, int number, bool gone)
{
    must(number >= 0 && number < LOOP_MAX);
    struct loop *loop = &array->loop[number];
    if (loop->up)
        loop->down_ns = 0; /* the next pump knows the time */
    loop->up = false;
    loop->gone |= gone;
    array->again = array->more = array->look = true;
    array_alarm(array, 0);
    for (int d = number * 32; d < number * 32 + 32; d++)
        leg_drive_unreached(array, d);
    leg_settle(array);
}

static bool ours(const struct array *array, const struct drive *drive)
{
    return drive->pool != POOL_NONE || (drive->listed && drive->info.bank == array->group);
}

void array_reach(const struct array *array, uint32_t out[LOOP_MAX])
{
    memset(out, 0, sizeof(uint32_t[LOOP_MAX]));
    drives_each (array, d)
        if (ours(array, &array->drive[d]) && drives_reached(array, d))
            out[d / 32] |= 1u << (d % 32);
}

/* Every set of every pool lives without `less`, by those loop switches alone. */
static bool serves(const struct array *array, int less, uint32_t loops)
{
    for (uint32_t p = 0; p < array->pools_end; p++) {
        const struct pool *pool = &array->pool[p];
        if (!pool->used)
            continue;
        uint64_t present[DRIVE_WORDS];
        drives_present(array, pool, less, present);
        for (uint8_t d = 0; d < pool->info.drive_count; d++)
            if (!(loops >> (pool->info.drives[d] / 32) & 1))
                position_remove(present, d);
        for (uint8_t s = 0; s < pool->sets; s++)
            if (!level_lives(pool, s, present))
                return false;
    }
    return true;
}

bool array_can_serve(const struct array *array)
{
    return serves(array, -1, UINT32_MAX);
}

bool array_can_serve_by(const struct array *array, uint32_t loops)
{
    return serves(array, -1, loops);
}

bool array_can_fail(const struct array *array, int drive)
{
    return array->drive[drive].pool == POOL_NONE || drives_expendable(array, drive);
}

bool array_can_fail_beside(const struct array *array, int number, const uint8_t *states)
{
    const struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE)
        return true;
    const struct pool *pool = &array->pool[drive->pool];
    uint64_t present[DRIVE_WORDS];
    drives_present(array, pool, number, present);
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (states[pool->info.drives[p]] == DRIVE_STATE_FAILED)
            position_remove(present, p);
    return level_lives(pool, (uint8_t)(drive->position / pool->members), present);
}

bool array_drive_known(const struct array *array, int drive, struct drive_info *out)
{
    if (drive < 0 || drive >= DRIVE_MAX || !array->drive[drive].listed)
        return false;
    *out = array->drive[drive].info;
    return true;
}
