/* SPDX-License-Identifier: Apache-2.0 */
/* The RAID engine's life and its pump; array.h is its contract. The rest, by subject:
 *
 *   pools.c effect.c plan.c manage.c   configuration: what there is, what requests become
 *   layout.c                           bytes on the drives
 *   level.c raid_mirror.c raid_parity.c   where data lies, what one piece of I/O asks of drives
 *   stripe*.c parity.c                 stripes with parity: their lock, what is read, what is made
 *   hostio.c part.c                    the caller's I/O, cut into pieces
 *   leg.c drives.c probe.c             drive commands, drives, what they turn out to be
 *   provision.c                        which granules hold data
 *   redo.c redo_play.c                 blocks that change all together
 *   intent.c resync.c sync.c           write-intent map, resynchronisation, a drive's way back
 *   blob.c carry.c                     state on the drives; carrying out effects
 *
 *   IDLE -- array_read_state --> LOADING -- LOADED --> IDLE
 *   IDLE -- array_begin --> BEGINNING -- BEGUN --> RUNNING -- array_halt --> IDLE
 */
#include "array/array.h"

#include <stdlib.h>

#include "array/blob.h"
#include "array/carry.h"
#include "array/drives.h"
#include "array/hostio.h"
#include "array/intent.h"
#include "array/leg.h"
#include "array/part.h"
#include "array/pools.h"
#include "array/probe.h"
#include "array/provision.h"
#include "array/redo.h"
#include "array/resync.h"
#include "array/stripe.h"
#include "array/sync.h"
#include "base/must.h"

enum { ROUNDS_MAX = 64 };

#define BUFFER_NS MS(1) /* before a buffer is asked for again */

struct array *array_new(uint8_t group, port_id self, struct buffer_pool *buffers,
                        const struct limits *limits, struct trace *trace)
{
    struct array *array = calloc(1, sizeof *array);
    if (!array)
        return NULL;
    array->store.next = malloc(ARRAY_STATE_MAX);
    array->load.bytes = malloc(ARRAY_STATE_MAX);
    array->provision_maps = calloc(5 * POOL_MAX, sizeof *array->provision_maps);
    if (!array->store.next || !array->load.bytes || !array->provision_maps) {
        array_free(array);
        return NULL;
    }
    array->group = group;
    array->self = self;
    array->buffers = buffers;
    array->limits = limits;
    array->trace = trace;
    array->timer_ns = UINT64_MAX;
    list_init(&array->legs_free);
    list_init(&array->legs_ended);
    list_init(&array->splitting);
    list_init(&array->working);
    list_init(&array->done);
    list_init(&array->parts_free);
    list_init(&array->stripes_free);
    list_init(&array->stripes_ready);
    list_init(&array->stripes_awaited);
    for (int b = 0; b < STRIPE_BUCKETS; b++)
        list_init(&array->stripe_bucket[b]);
    for (int s = 0; s < STRIPE_MAX; s++)
        list_append(&array->stripes_free, &array->stripe[s].link);
    array->stripes_free_count = STRIPE_MAX;
    array->legs_free_count = LEG_MAX;
    for (int d = 0; d < DRIVE_MAX; d++) {
        struct drive *drive = &array->drive[d];
        drive->lacks = &array->lacks[d];
        drive->pool = POOL_NONE;
        drive->info.bank = BANK_NONE;
        list_init(&drive->waiting);
        list_init(&drive->sent);
        list_init(&drive->lingering);
    }
    for (int p = 0; p < POOL_MAX; p++) {
        struct provision *provision = &array->pool[p].provision;
        provision->mapped = &array->provision_maps[5 * p];
        provision->stale = &array->provision_maps[5 * p + 1];
        provision->set = &array->provision_maps[5 * p + 2];
        provision->clear = &array->provision_maps[5 * p + 3];
        provision->next = &array->provision_maps[5 * p + 4];
    }
    return array;
}

void array_free(struct array *array)
{
    if (!array)
        return;
    if (array->store.next && array->load.bytes && array->provision_maps && array->limits)
        array_halt(array);
    free(array->provision_maps);
    free(array->store.next);
    free(array->load.bytes);
    free(array);
}

struct array_notice *array_tell(struct array *array, enum array_notice_kind kind)
{
    must(array->notice_count < NOTICE_MAX);
    struct array_notice *notice =
        &array->notice[(array->notice_first + array->notice_count++) % NOTICE_MAX];
    *notice = (struct array_notice){.kind = kind, .drive = 0xFF};
    array->more = true;
    return notice;
}

bool array_next_notice(struct array *array, struct array_notice *out)
{
    if (array->notice_count == 0)
        return false;
    *out = array->notice[array->notice_first];
    array->notice_first = (array->notice_first + 1) % NOTICE_MAX;
    array->notice_count--;
    return true;
}

/* ---- life ---- */

void array_halt(struct array *array)
{
    leg_forget_all(array);
    stripe_forget(array, POOL_NONE);
    hostio_forget_all(array);
    blob_forget(array);
    carry_forget(array);
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used) {
            pools_reset(&array->pool[p]);
            drives_count_stale(array, &array->pool[p]);
        }
    for (int d = 0; d < DRIVE_MAX; d++) {
        struct drive *drive = &array->drive[d];
        sync_end(array, d);
        drive->bad = drive->returned = drive->slots_known = drive->named = false;
        drive->provision_read = false;
        drive->provision_reads = 0;
        drive->provision_pieces = 0;
        drive->redo_legs = 0;
        drive->probe = PROBE_NONE;
    }
    array->phase = PHASE_IDLE;
    array->quiescing = array->settled = false;
    array->notice_count = 0;
    array->timer_ns = UINT64_MAX;
}

void array_begin(struct array *array, uint64_t epoch, bool in_doubt)
{
    array_halt(array);
    array->phase = PHASE_BEGINNING;
    array->epoch = epoch;
    array->begin_doubt = in_doubt;
    array->begin_ns = 0;
    array->refused_epoch = 0;
    probe_begin(array);
    for (int d = 0; d < DRIVE_MAX; d++) {
        array->drive[d].may_return = true;
        if (array->drive[d].state == DRIVE_STATE_STALE)
            sync_begin(array, d);
    }
    array->again = array->more = true;
}

void array_epoch(struct array *array, uint64_t epoch)
{
    must(epoch >= array->epoch);
    array->epoch = epoch;
    array->refused_epoch = 0;
    array->again = array->more = true;
    leg_epoch(array);
}

bool array_in_doubt(const struct array *array)
{
    for (uint32_t p = 0; p < array->pools_end; p++) {
        const struct pool *pool = &array->pool[p];
        bool doubt = pool->map_known ? pool->doubtful && !bits_empty(&pool->doubt)
                                     : array->begin_doubt && !pool->fresh;
        if (pool->used && doubt)
            return true;
    }
    return false;
}

void array_settled(struct array *array)
{
    if (array->settled)
        return;
    array->settled = true;
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used)
            array->pool[p].intent.active = true;
    array->again = array->more = true;
}

void array_quiesce(struct array *array)
{
    array->quiescing = true;
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used)
            array->pool[p].intent.quiet = false;
    array->again = array->more = true;
}

static void quiesce_pump(struct array *array)
{
    if (!array->quiescing || array->phase != PHASE_RUNNING || array->ios > 0 ||
        array->carry.count > 0 || array->store.active || array->store.wanted)
        return;
    for (uint32_t p = 0; p < array->pools_end; p++) {
        const struct pool *pool = &array->pool[p];
        if (pool->used && pool->map_known && pool->born &&
            (!pool->intent.quiet || pool->intent.legs > 0 || pool->provision.legs > 0))
            return;
    }
    array->quiescing = false;
    array_tell(array, ARRAY_NOTICE_CLEAN);
}

/* ---- the pump ---- */

static void pool_pump(struct array *array, struct pool *pool)
{
    if (!pool->used)
        return;
    if (pool->recheck || (array->legs_short && !list_empty(&pool->blocked)))
        part_recheck(array, pool);
    for (uint8_t p = 0; pool->stale > 0 && p < pool->info.drive_count; p++)
        sync_pump(array, pool->info.drives[p]);
    if (pool->relabel && array->phase == PHASE_RUNNING && pool->born)
        sync_labels(array, pool);
    intent_pump(array, pool);
    provision_pump(array, pool);
    redo_pump(array, pool);
    resync_pump(array, pool);
}

static void timers(struct array *array)
{
    if (array->now_ns < array->timer_ns)
        return;
    array->timer_ns = UINT64_MAX;
    for (int l = 0; l < LOOP_MAX; l++)
        if (!array->loop[l].up && array->loop[l].down_ns == 0)
            array->loop[l].down_ns = array->now_ns;
    leg_timers(array);
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used)
            part_timers(array, &array->pool[p]);
}

void array_pump(struct array *array, uint64_t now_ns, struct actions *actions)
{
    if (now_ns > array->now_ns)
        array->now_ns = now_ns;
    bool wanted = array->more || array->again || array->look || array->begin_ns == 0 ||
                  array->now_ns >= array->timer_ns; /* as array_wake_ns() says */
    if (!wanted && array->phase != PHASE_IDLE)
        return;
    array->more = array->no_buffer = false;
    if (array->phase == PHASE_IDLE)
        return;
    if (array->begin_ns == 0) {
        array->begin_ns = array->now_ns;
        array->timer_ns = 0;
    }
    timers(array);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        array->again = false;
        bool was_short = array->legs_short;
        probe_pump(array);
        drives_pump(array);
        array->look = false;
        blob_pump(array);
        carry_pump(array, actions);
        hostio_pump(array);
        for (uint32_t p = 0; p < array->pools_end; p++)
            pool_pump(array, &array->pool[p]);
        stripe_pump(array);
        if (was_short && array->legs_free_count > LEG_RESERVE + DRIVE_MAX && part_room(array))
            array->legs_short = false;
        quiesce_pump(array);
        leg_settle(array);
        if (!array->again)
            break;
    }
    array->more |= array->again;
    leg_send_all(array, actions);
    if (array->no_buffer)
        array_alarm(array, array->now_ns + BUFFER_NS);
}

static void put_off(uint64_t *at_ns, uint64_t late_ns)
{
    if (*at_ns)
        *at_ns += late_ns;
}

void array_late(struct array *array, uint64_t late_ns)
{
    put_off(&array->now_ns, late_ns); /* of the last pump: nothing may lie beyond it */
    for (uint32_t i = 0; i < array->legs_used; i++) {
        struct leg *leg = &array->leg[i];
        put_off(&leg->since_ns, late_ns);
        put_off(&leg->tried_ns, late_ns);
    }
    for (uint32_t i = 0; i < array->parts_used; i++)
        put_off(&array->part[i].since_ns, late_ns);
    stripe_late(array, late_ns);
    drives_each (array, d)
        put_off(&array->drive[d].bad_ns, late_ns);
    for (int l = 0; l < LOOP_MAX; l++)
        put_off(&array->loop[l].down_ns, late_ns);
    put_off(&array->begin_ns, late_ns);
    put_off(&array->carry.assign_since_ns, late_ns);
}

uint64_t array_wake_ns(const struct array *array)
{
    if (array->phase == PHASE_IDLE)
        return array->notice_count > 0 ? array->now_ns : UINT64_MAX;
    if (array->more || array->notice_count > 0 || !list_empty(&array->done))
        return array->now_ns;
    return array->timer_ns;
}

/* ---- for people ---- */

static void oldest_of(const struct list *legs, uint64_t *oldest, uint8_t *drive)
{
    list_each (legs, link, next) {
        const struct leg *leg = list_member(link, struct leg, link);
        if (leg->since_ns == 0 || leg->since_ns >= *oldest)
            continue;
        *oldest = leg->since_ns;
        *drive = leg->drive;
    }
}

uint8_t array_waiting_drive(const struct array *array)
{
    uint64_t oldest = UINT64_MAX;
    uint8_t drive = 0xFF;
    if (array->ios == 0 && !array->store.active && array->carry.count == 0)
        return drive; /* nobody's command waits for what is under way */
    drives_each (array, d) {
        oldest_of(&array->drive[d].waiting, &oldest, &drive);
        oldest_of(&array->drive[d].sent, &oldest, &drive);
    }
    return drive;
}

void array_describe(const struct array *array, struct array_status *out)
{
    memset(out, 0, sizeof *out);
    out->drive_commands = array->legs_sent;
    out->read_bytes = array->read_bytes;
    out->written_bytes = array->written_bytes;
    for (uint32_t p = 0; p < array->pools_end; p++) {
        const struct pool *pool = &array->pool[p];
        if (!pool->used)
            continue;
        uint32_t doubt = bits_count(&pool->doubt);
        uint32_t each = pool->parity ? pool->members : pool->sets;
        out->regions_set += bits_count(&pool->intent.set);
        out->regions_in_doubt += doubt;
        out->resync_left_bytes += (doubt + bits_count(&pool->suspect)) * pool->region_bytes * each;
        for (uint8_t d = 0; d < pool->info.drive_count; d++) {
            const struct drive *drive = &array->drive[pool->info.drives[d]];
            if (drive->state == DRIVE_STATE_STALE)
                out->resync_left_bytes += bits_count(drive->lacks) * pool->region_bytes;
        }
    }
}

void array_check(const struct array *array)
{
    must(array->legs_free_count <= LEG_MAX && array->notice_count <= NOTICE_MAX);
    must(array->phase != PHASE_IDLE || (array->ios == 0 && array->legs_sent == 0));
    must(array->carry.count <= CARRY_MAX && array->orphans <= array->ios);
    must(list_empty(&array->legs_ended)); /* L1 */
    for (uint32_t p = 0; p < array->pools_end; p++) {
        const struct pool *pool = &array->pool[p];
        if (!pool->used)
            continue;
        must(pool->info.used_bytes <= pool->info.size_bytes);           /* P3 */
        must(pool->copy.state != COPY_READING || pool->copy.legs == 1); /* R1 */
        must(pool->copy.state == COPY_IDLE || pool->copy.running);      /* R1 */
        must(pool->intent.clearing != CLEAR_FLUSHING || pool->intent.clear_legs > 0);
        for (uint8_t i = 0; i < pool->info.drive_count; i++) {
            const struct drive *drive = &array->drive[pool->info.drives[i]];
            must(drive->pool == p && drive->position == i); /* P1 */
            must(drive->state != DRIVE_STATE_FAILED || drive->probe == PROBE_READING ||
                 drive->waiting_count + drive->sent_count == 0); /* D1 */
            must(drive->sync == SYNC_IDLE || drive->state == DRIVE_STATE_STALE);
        }
    }
}

static uint32_t length_of(const struct list *legs)
{
    uint32_t count = 0;
    list_each (legs, link, next)
        count++;
    return count;
}

void array_check_all(const struct array *array)
{
    array_check(array);
    uint32_t sent = 0, taken = 0;
    for (uint32_t d = 0; d < DRIVE_MAX; d++) {
        const struct drive *drive = &array->drive[d];
        if (!position_has(array->drives_used, d)) {
            must(drive->pool == POOL_NONE && !drive->listed && !drive->bad); /* D3 */
            must(list_empty(&drive->waiting) && list_empty(&drive->sent) &&
                 list_empty(&drive->lingering)); /* D3 */
            continue;
        }
        must(length_of(&drive->waiting) == drive->waiting_count);     /* D1 */
        must(length_of(&drive->sent) == drive->sent_count);           /* D1 */
        must(length_of(&drive->lingering) == drive->lingering_count); /* D1 */
        sent += drive->sent_count;
        taken += drive->waiting_count + drive->sent_count + drive->lingering_count;
    }
    must(sent == array->legs_sent && taken + array->legs_free_count == LEG_MAX); /* L1 */
    stripe_check_all(array);
    must(length_of(&array->legs_free) + LEG_MAX == array->legs_free_count + array->legs_used);
}
