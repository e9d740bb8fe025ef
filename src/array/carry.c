/* SPDX-License-Identifier: Apache-2.0 */
/* C1 a drive gets its superblock only after its provisioning map and its whole data area are zero;
 * a pool is born with them C2 carrying out twice is harmless: a pool that is born is not made again
 * once there are volumes in it or all its drives are ours; a drive that is in another pool by now
 * is not wiped; nothing is done twice once array_carry_end() was called, and before that nothing
 * later is begun C3 no host I/O goes beyond a volume's hold_lba, where granules are still to be
 * unmapped: from array_carry_soon(), or array_carry_out(), to array_carry_end(). So whoever carries
 * it out once more finds nothing there but what the caller still holds, and writes anew
 *
 *   pool create:   ASSIGN -> FILL -> LABEL -> FLUSH -> TOLD
 *   pool delete:   LABEL (wiped) -> FLUSH -> ASSIGN (to nobody) -> TOLD
 *   volume create, grow: IO (an unmapping) -> TOLD         others: TOLD
 */
#include "array/carry.h"

#include "array/drives.h"
#include "array/effect.h"
#include "array/leg.h"
#include "array/probe.h"
#include "array/provision.h"
#include "array/redo.h"
#include "base/must.h"

#define ASSIGN_NS MS(20) /* a refused assignment is asked for again */

/* ---- what host I/O waits for ---- */

static void set_hold(struct array *array, uint16_t index)
{
    const struct carry *carry = &array->carry;
    struct volume *volume = &array->volume[index];
    volume->hold_lba = UINT64_MAX;
    for (uint32_t i = 0; i < carry->holds; i++) {
        const struct hold *hold = &carry->hold[i];
        if (hold->index == index && memcmp(hold->uuid, volume->info.uuid, 16) == 0 &&
            hold->lba < volume->hold_lba)
            volume->hold_lba = hold->lba;
    }
    array->again = true;
}

static bool hold_of(const struct effect *effect, struct hold *out)
{
    if (effect->nothing || effect->index >= VOLUME_MAX ||
        (effect->verb != MANAGE_VOLUME_CREATE && effect->verb != MANAGE_VOLUME_GROW))
        return false;
    memset(out, 0, sizeof *out);
    out->index = effect->index;
    memcpy(out->uuid, effect->uuid, 16);
    out->lba = effect->verb == MANAGE_VOLUME_GROW ? effect->blocks_before : 0;
    return true;
}

static bool hold_same(const struct hold *a, const struct hold *b)
{
    return a->index == b->index && a->lba == b->lba && memcmp(a->uuid, b->uuid, 16) == 0;
}

static void hold_back(struct array *array, const struct effect *effect)
{
    struct carry *carry = &array->carry;
    struct hold hold;
    if (!hold_of(effect, &hold) || mutant(MUTANT_ZEROES_NOT_AWAITED))
        return;
    for (uint32_t i = 0; i < carry->holds; i++)
        if (hold_same(&carry->hold[i], &hold))
            return;
    if (carry->holds == HOLD_MAX) { /* CARRY_PLAN keeps us from it */
        trace_error(array->trace, "too many changes of volumes at once: one is not held");
        return;
    }
    carry->hold[carry->holds++] = hold;
    set_hold(array, hold.index);
}

static void release(struct array *array, const struct effect *effect)
{
    struct carry *carry = &array->carry;
    struct hold hold;
    if (!hold_of(effect, &hold))
        return;
    for (uint32_t i = 0; i < carry->holds; i++)
        if (hold_same(&carry->hold[i], &hold))
            carry->hold[i--] = carry->hold[--carry->holds];
    set_hold(array, hold.index);
}

void array_carry_soon(struct array *array, const uint8_t *bytes, uint32_t length)
{
    struct effect effect;
    if (effect_decode(bytes, length, &effect))
        hold_back(array, &effect);
}

/* ---- beginning and end of each ---- */

void array_carry_out(struct array *array, const uint8_t *bytes, uint32_t length, uint64_t cookie)
{
    struct carry *carry = &array->carry;
    struct effect effect;
    array->again = array->more = true;
    if (carry->count == CARRY_MAX || length > EFFECT_MAX ||
        !effect_decode(bytes, length, &effect)) {
        struct array_notice *notice = array_tell(array, ARRAY_NOTICE_CARRIED);
        notice->cookie = cookie;
        notice->failed = true;
        return;
    }
    struct carry_item *item = &carry->item[(carry->first + carry->count++) % CARRY_MAX];
    item->cookie = cookie;
    item->length = length;
    item->ended = false;
    memcpy(item->effect, bytes, length);
    array->quiescing = false;
    hold_back(array, &effect); /* C3 */
}

/* The first of the queue is over, for us and for the caller. */
static void end(struct array *array)
{
    struct carry *carry = &array->carry;
    carry->first = (carry->first + 1) % CARRY_MAX;
    carry->count--;
    carry->step = CARRY_IDLE;
    array->again = array->look = true;
}

void array_carry_end(struct array *array, const uint8_t *bytes, uint32_t length, uint64_t cookie)
{
    struct carry *carry = &array->carry;
    struct effect effect;
    bool again = false;
    for (uint32_t i = 0; i < carry->count; i++) {
        struct carry_item *item = &carry->item[(carry->first + i) % CARRY_MAX];
        bool same = item->length == length && memcmp(item->effect, bytes, length) == 0;
        if (same && item->cookie == cookie)
            item->ended = true;
        else
            again |= same && !item->ended; /* asked for twice: the other one's end counts */
    }
    if (!again && effect_decode(bytes, length, &effect))
        release(array, &effect);
    if (carry->count > 0 && carry->step == CARRY_TOLD && carry->item[carry->first].ended)
        end(array);
    array->again = array->more = true;
}

bool carry_unzeroed(const struct array *array, const struct volume *volume)
{
    const struct carry *carry = &array->carry;
    for (uint32_t i = 0; i < carry->holds; i++) {
        const struct hold *hold = &carry->hold[i];
        if (hold->index == volume->info.index && hold->lba == 0 && !hold->zeroed &&
            memcmp(hold->uuid, volume->info.uuid, 16) == 0)
            return true;
    }
    return false;
}

/* The zeroes of what stands first are on the drives. */
static void zeroed(struct array *array)
{
    struct carry *carry = &array->carry;
    const struct carry_item *item = &carry->item[carry->first];
    struct effect effect;
    struct hold hold;
    if (!effect_decode(item->effect, item->length, &effect) || !hold_of(&effect, &hold))
        return;
    for (uint32_t i = 0; i < carry->holds; i++)
        if (hold_same(&carry->hold[i], &hold))
            carry->hold[i].zeroed = true;
}

/* Its drive work has ended. */
static void over(struct array *array)
{
    struct carry *carry = &array->carry;
    struct carry_item *item = &carry->item[carry->first];
    struct array_notice *notice = array_tell(array, ARRAY_NOTICE_CARRIED);
    notice->cookie = item->cookie;
    notice->failed = carry->failed;
    if (carry->failed)
        trace_error(array->trace, "a change of pools could not be carried out on the drives");
    carry->step = CARRY_TOLD;
    array->again = array->look = true;
    if (item->ended)
        end(array);
}

void carry_forget(struct array *array)
{
    struct carry *carry = &array->carry;
    carry->count = carry->legs = carry->holds = 0;
    carry->step = CARRY_IDLE;
    carry->io_busy = false;
    for (uint32_t v = 0; v < array->volumes_end; v++)
        array->volume[v].hold_lba = UINT64_MAX;
}

void carry_pool_dropped(struct array *array, uint8_t index)
{
    struct carry *carry = &array->carry;
    bool making = carry->count > 0 && !carry->deleting &&
                  (carry->step == CARRY_ASSIGN || carry->step == CARRY_FILL ||
                   carry->step == CARRY_LABEL || carry->step == CARRY_FLUSH);
    if (!making || carry->pool != index)
        return;
    for (uint8_t i = 0; i < carry->drive_count; i++)
        leg_forget(array, LEG_CARRY, i);
    carry->legs = 0;
    carry->unlabelled = false;
    carry->failed = true;
    over(array);
}

/* ---- the steps of a pool ---- */

static struct leg *command(struct array *array, uint8_t i, enum drive_op op, uint64_t offset,
                           uint64_t length)
{
    struct carry *carry = &array->carry;
    struct leg *leg = leg_new(array, LEG_CARRY, i, carry->drives[i], op, offset, (uint32_t)length);
    must(leg);
    carry->legs++;
    return leg;
}

/* Drives that FAILED, and those that a pool which is deleted cannot reach, or that are in another
 * pool by now (C2), are left as they are. */
static bool takes_part(const struct array *array, uint8_t i)
{
    int number = array->carry.drives[i];
    if (array->drive[number].state == DRIVE_STATE_FAILED)
        return false;
    return !array->carry.deleting ||
           (drives_reached(array, number) && array->drive[number].pool == POOL_NONE);
}

static void fill_next(struct array *array, uint8_t i)
{
    struct carry *carry = &array->carry;
    uint64_t left = carry->fill_end - carry->fill_at[i];
    if (left == 0)
        return;
    uint64_t piece = left < FILL_BYTES ? left : FILL_BYTES;
    command(array, i, DRIVE_FILL, carry->fill_at[i], piece);
    carry->fill_at[i] += piece;
}

static void fill(struct array *array)
{
    struct carry *carry = &array->carry;
    carry->step = CARRY_FILL;
    carry->fill_end = LAYOUT_DATA + array->pool[carry->pool].data_bytes;
    for (uint8_t i = 0; i < carry->drive_count; i++) {
        carry->fill_at[i] = LAYOUT_PROVISION;
        if (takes_part(array, i))
            fill_next(array, i);
    }
}

/* Superblock, empty map in both slots, no state. */
static void put_head(const struct array *array, const struct pool *pool, uint8_t position,
                     uint8_t *head)
{
    struct superblock superblock;
    struct bits none;
    memset(head, 0, LAYOUT_HEAD_BYTES);
    probe_superblock(array, pool, position, &superblock);
    layout_put_superblock(head + LAYOUT_SUPERBLOCK, &superblock);
    bits_clear(&none);
    for (uint64_t sequence = 1; sequence <= 2; sequence++)
        layout_put_map(head + layout_map_slot(sequence), pool->info.uuid, sequence,
                       pool->region_bytes, false, &none);
}

/* False: no buffer now. */
static bool label_drive(struct array *array, uint8_t i)
{
    struct carry *carry = &array->carry;
    uint64_t copy = layout_superblock_copy(array->drive[carry->drives[i]].info.bytes);
    bool has_copy = copy >= LAYOUT_DATA + LAYOUT_UNIT;
    if (carry->deleting) {
        command(array, i, DRIVE_FILL, 0, LAYOUT_HEAD_BYTES);
        if (has_copy)
            command(array, i, DRIVE_FILL, copy, LAYOUT_BLOCK);
        return true;
    }
    struct buffer *buffer = buffer_get(array->buffers, LAYOUT_HEAD_BYTES);
    if (!buffer)
        return false;
    put_head(array, &array->pool[carry->pool], i, buffer->data);
    command(array, i, DRIVE_WRITE, 0, LAYOUT_HEAD_BYTES)->data =
        slice_ref(slice_of(buffer, 0, LAYOUT_HEAD_BYTES));
    if (has_copy)
        command(array, i, DRIVE_WRITE, copy, LAYOUT_BLOCK)->data =
            slice_ref(slice_of(buffer, 0, LAYOUT_BLOCK));
    buffer_unref(buffer);
    return true;
}

/* C1; writing one twice, when buffers run out half-way, is harmless. */
static void label(struct array *array)
{
    struct carry *carry = &array->carry;
    carry->step = CARRY_LABEL;
    if (!carry->deleting) {
        struct pool *pool = &array->pool[carry->pool];
        pool->generation = 1;
        pool->provision.kept = true;
        for (uint8_t p = 0; p < pool->info.drive_count; p++)
            pool->incarnation[p] = 1;
    }
    for (uint8_t i = 0; i < carry->drive_count; i++)
        if (takes_part(array, i) && !label_drive(array, i)) {
            carry->unlabelled = array->no_buffer = true;
            return;
        }
    carry->unlabelled = false;
}

static void flush(struct array *array)
{
    struct carry *carry = &array->carry;
    carry->step = CARRY_FLUSH;
    for (uint8_t i = 0; i < carry->drive_count; i++)
        if (takes_part(array, i))
            command(array, i, DRIVE_FLUSH, 0, 0);
}

static void assign(struct array *array)
{
    struct carry *carry = &array->carry;
    carry->step = CARRY_ASSIGN;
    carry->serial++;
    carry->assign_since_ns = array->now_ns;
    memset(carry->assigned, 0, sizeof carry->assigned);
    memset(carry->assign_ns, 0, sizeof carry->assign_ns);
    array->again = true;
}

static void born(struct array *array)
{
    struct pool *pool = &array->pool[array->carry.pool];
    struct bits none;
    bits_clear(&none);
    pool->born = pool->map_known = pool->recheck = true;
    pool->fresh = false;
    pool->intent.set = pool->intent.found = pool->doubt = none;
    pool->doubtful = false;
    pool->intent.sequence = pool->intent.durable = 2;
    pool->intent.whole = true;
    provision_born(array, pool);
    redo_born(array, pool);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drive->state == DRIVE_STATE_FAILED)
            continue;
        drive->probe = PROBE_OURS;
        drive->superblock_ok = drive->slots_known = true;
        drive->map_slot = 1; /* put_head: the newest is in the other one */
        drive->state_slot = 0;
        memset(drive->header, 0, sizeof drive->header);
        probe_superblock(array, pool, p, &drive->superblock);
    }
    trace_info(array->trace, "pool %s is made: %u drives, %llu MiB", pool->info.name,
               pool->info.drive_count, (unsigned long long)(pool->info.size_bytes >> 20));
}

/* All of a step is done. */
static void advance(struct array *array)
{
    struct carry *carry = &array->carry;
    if (carry->failed) {
        over(array);
        return;
    }
    switch (carry->step) {
    case CARRY_ASSIGN:
        if (carry->deleting)
            over(array);
        else
            fill(array);
        break;
    case CARRY_FILL:
        label(array);
        break;
    case CARRY_LABEL:
        flush(array);
        break;
    case CARRY_FLUSH:
        if (carry->deleting) {
            assign(array);
            return;
        }
        born(array);
        over(array);
        return;
    case CARRY_IDLE:
    case CARRY_IO:
    case CARRY_TOLD:
        return;
    }
    bool told = carry->step == CARRY_IDLE || carry->step == CARRY_TOLD;
    if (!told && carry->legs == 0 && !carry->unlabelled)
        advance(array);
}

void carry_leg_ended(struct array *array, struct leg *leg)
{
    struct carry *carry = &array->carry;
    must(carry->legs > 0);
    carry->legs--;
    carry->failed |= leg->end == LEG_ERROR && !carry->deleting;
    if (carry->step == CARRY_FILL && leg->end == LEG_OK && !carry->failed)
        fill_next(array, (uint8_t)leg->index);
    if (carry->legs == 0 && !carry->unlabelled)
        advance(array);
}

/* ---- assignment to the bank, by the loop switches ---- */

static bool needs_assignment(const struct array *array, uint8_t i)
{
    const struct carry *carry = &array->carry;
    if (carry->assigned[i] || !takes_part(array, i))
        return false;
    return !carry->deleting || array->loop[carry->drives[i] / 32].up;
}

static void assign_pump(struct array *array, struct actions *actions)
{
    struct carry *carry = &array->carry;
    bool waiting = false;
    for (uint8_t i = 0; i < carry->drive_count; i++) {
        int number = carry->drives[i];
        if (!needs_assignment(array, i))
            continue;
        waiting = true;
        if (!array->loop[number / 32].up || array->now_ns < carry->assign_ns[i]) {
            array_alarm(array, carry->assign_ns[i] > array->now_ns ? carry->assign_ns[i]
                                                                   : array->now_ns + ASSIGN_NS);
            continue;
        }
        carry->assign_ns[i] = array->now_ns + array->limits->drive_ns;
        array_alarm(array, carry->assign_ns[i]);
        struct message *message =
            actions_send(actions, MESSAGE_ASSIGN, array->self, port_loop(number / 32));
        message->assign.bank = carry->deleting ? BANK_NONE : array->group;
        message->assign.epoch = array->epoch;
        message->assign.drive = (uint8_t)number;
        message->assign.tag = (uint64_t)carry->serial << 8 | i;
    }
    /* one that cannot be given back stays in the bank, and is free there */
    uint64_t limit_ns = carry->deleting ? array->limits->drive_ns : array->limits->drive_total_ns;
    if (waiting && array->now_ns - carry->assign_since_ns < limit_ns)
        return;
    carry->failed |= waiting && !carry->deleting;
    advance(array);
}

void array_assign_answer(struct array *array, const struct message *message)
{
    struct carry *carry = &array->carry;
    uint8_t i = (uint8_t)(message->assign.tag & 0xFF);
    if (carry->step != CARRY_ASSIGN || message->assign.tag >> 8 != carry->serial ||
        i >= carry->drive_count || carry->drives[i] != message->assign.drive)
        return;
    array->again = array->more = true;
    if (!message->assign.done) {
        carry->assign_ns[i] = array->now_ns + ASSIGN_NS;
        return;
    }
    carry->assigned[i] = true;
    array->drive[carry->drives[i]].info.bank = carry->deleting ? BANK_NONE : array->group;
    if (carry->deleting) /* its superblock is wiped */
        array->drive[carry->drives[i]].info.content = DRIVE_CONTENT_NONE;
}

/* ---- beginning ---- */

static void take_drives(struct array *array, const struct pool_info *info, bool deleting)
{
    struct carry *carry = &array->carry;
    carry->deleting = deleting;
    carry->pool = info->index;
    carry->drive_count = info->drive_count;
    memcpy(carry->drives, info->drives, sizeof carry->drives);
}

/* Are the probes of the pool's drives still under way? *ours: all are ours already. */
static bool looking(const struct array *array, const struct pool *pool, bool *ours)
{
    *ours = true;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drive->state == DRIVE_STATE_FAILED)
            continue;
        if (drive->probe == PROBE_READING ||
            (drive->probe == PROBE_NONE && array->loop[pool->info.drives[p] / 32].up))
            return true;
        *ours &= drive->probe == PROBE_OURS;
    }
    return false;
}

static void create_pool(struct array *array, const struct effect *effect)
{
    struct pool *pool = &array->pool[effect->index];
    bool ours = false;
    if (!pool->used || memcmp(pool->info.uuid, effect->uuid, 16) != 0) {
        over(array); /* deleted since */
        return;
    }
    if (!pool->fresh && looking(array, pool, &ours))
        return;
    if (!pool->fresh && pool->born && (ours || pool->volumes > 0)) { /* C2 */
        over(array);
        return;
    }
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        leg_forget_at(array, LEG_PROBE, pool->info.drives[p]);
        array->drive[pool->info.drives[p]].probe = PROBE_NONE;
    }
    pool->fresh = true;
    pool->born = false;
    take_drives(array, &pool->info, false);
    assign(array);
}

/* What other volumes have left there must not be seen. */
static void empty_volume(struct array *array, const struct effect *effect)
{
    struct carry *carry = &array->carry;
    const struct volume *volume = &array->volume[effect->index];
    if (effect->index >= VOLUME_MAX || !volume->used ||
        memcmp(volume->info.uuid, effect->uuid, 16) != 0) {
        over(array);
        return;
    }
    if (array->orphans > 0)
        return; /* I/O of a deleted volume may still write to these extents */
    uint64_t from = effect->verb == MANAGE_VOLUME_GROW ? effect->blocks_before : 0;
    memset(&carry->io, 0, sizeof carry->io);
    carry->io.op = ARRAY_UNMAP;
    carry->io.volume = effect->index;
    carry->io.fua = true; /* zeroes for good, also after a loss of power */
    carry->io.lba = from;
    carry->io.blocks = effect->volume.info.blocks - from;
    carry->io.internal = true;
    carry->io_busy = true;
    carry->step = CARRY_IO;
    array_submit(array, &carry->io);
}

static void begin(struct array *array)
{
    struct carry *carry = &array->carry;
    struct carry_item *item = &carry->item[carry->first];
    struct effect effect;
    must(effect_decode(item->effect, item->length, &effect));
    carry->failed = carry->unlabelled = false;
    if (effect.nothing) {
        over(array);
    } else if (effect.verb == MANAGE_POOL_CREATE) {
        create_pool(array, &effect);
    } else if (effect.verb == MANAGE_POOL_DELETE) {
        take_drives(array, &effect.pool, true);
        label(array);
        if (carry->legs == 0)
            advance(array);
    } else if (effect.verb == MANAGE_VOLUME_CREATE || effect.verb == MANAGE_VOLUME_GROW) {
        empty_volume(array, &effect);
    } else {
        over(array);
    }
}

void carry_pump(struct array *array, struct actions *actions)
{
    struct carry *carry = &array->carry;
    if (array->phase != PHASE_RUNNING || carry->count == 0)
        return;
    switch (carry->step) {
    case CARRY_IDLE:
        begin(array);
        break;
    case CARRY_ASSIGN:
        assign_pump(array, actions);
        break;
    case CARRY_LABEL:
        if (carry->unlabelled)
            label(array);
        break;
    case CARRY_IO:
        if (!carry->io_busy) {
            carry->failed = carry->io.failed;
            if (!carry->failed)
                zeroed(array);
            over(array);
        }
        break;
    case CARRY_FILL:
    case CARRY_FLUSH:
    case CARRY_TOLD:
        break;
    }
}
