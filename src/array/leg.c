/* SPDX-License-Identifier: Apache-2.0 */
/* L1 a leg is in one list: free, or its drive's waiting, sent or lingering, or ended
 * L2 a try is `open` from its sending until its answer, or until a new login, which finishes or
 *    kills what an earlier one had sent. A write ends OK when one try was answered OK and none is
 *    open. Two open tries never have the same bit
 * L3 what its owner has no use for any more, and still has an open try, lingers until that is
 *    answered or a new login, also while its drive is FAILED: no later write to the same blocks is
 *    sent meanwhile, nothing is copied from them, and the drive does not return
 * L4 BAD is said only of a drive that its pool can do without; also of one that leaves a command
 *    unanswered for its whole time though nobody waits for it any more
 * L5 a flush that failed is never made good by a later one: what the drive lost stays lost
 *
 *   WAITING -- send --> SENT -- answer --> ENDED -- leg_settle: owner told --> free, or lingering
 *      ^                 |  +-- busy, error: again_ns, refused: parked
 *      +--- resend ------+
 */
#include "array/leg.h"

#include "array/blob.h"
#include "array/carry.h"
#include "array/drives.h"
#include "array/intent.h"
#include "array/part.h"
#include "array/probe.h"
#include "array/provision.h"
#include "array/redo.h"
#include "array/resync.h"
#include "array/stripe.h"
#include "array/sync.h"
#include "base/must.h"

#define BUSY_NS MS(2)
#define ERROR_NS MS(100) /* before a write that the drive refused is tried again */

enum { TRY_BITS = 16, FILL_RATE_BYTES = 16 << 20 };

/* ---- taking and giving back ---- */

static bool lands(const struct leg *leg)
{
    return leg->op == DRIVE_WRITE || leg->op == DRIVE_FILL;
}

/* Must it be done, unless its drive FAILED? */
static bool insists(const struct leg *leg)
{
    return leg->op != DRIVE_READ && !leg->repair;
}

bool leg_room(struct array *array, uint32_t count)
{
    if (array->legs_free_count >= LEG_RESERVE + count)
        return true;
    array->legs_short = true;
    return false;
}

struct leg *leg_new(struct array *array, enum leg_owner owner, uint16_t index, int drive,
                    enum drive_op op, uint64_t offset, uint32_t length)
{
    struct leg *leg = list_first(&array->legs_free, struct leg, link);
    if (array->legs_free_count == 0 || (owner == LEG_REPAIR && !leg_room(array, 1)))
        return NULL;
    if (leg)
        list_remove(&leg->link);
    else
        leg = &array->leg[array->legs_used++];
    array->legs_free_count--;
    uint32_t generation = leg->generation;
    uint16_t try = leg->try;
    memset(leg, 0, sizeof *leg);
    leg->generation = generation;
    leg->try = try;
    leg->owner = owner;
    leg->index = index;
    leg->drive = (uint8_t)drive;
    leg->op = op;
    leg->offset = offset;
    leg->length = length;
    leg->patience_ns = array->limits->drive_total_ns;
    list_append(&array->drive[drive].waiting, &leg->link);
    array->drive[drive].waiting_count++;
    position_add(array->legs_waiting, (uint32_t)drive);
    position_add(array->drives_used, (uint32_t)drive);
    array->again = array->more = true;
    if (!array->loop[drive / 32].up || array->drive[drive].lingering_count > 0 ||
        !probe_open(array, drive, owner))
        array_alarm(array, 0); /* it may have to wait */
    return leg;
}

static void take_out(struct array *array, struct leg *leg)
{
    struct drive *drive = &array->drive[leg->drive];
    if (leg->owner == LEG_LINGER)
        drive->lingering_count--;
    else if (leg->state == LEG_STATE_WAITING)
        drive->waiting_count--;
    else if (leg->state == LEG_STATE_SENT) {
        drive->sent_count--;
        array->legs_sent--;
    }
    list_remove(&leg->link);
}

static void put_back(struct array *array, struct leg *leg)
{
    slice_drop(&leg->data);
    leg->owner = LEG_FREE;
    leg->generation++;
    leg->open = 0;
    list_prepend(&array->legs_free, &leg->link); /* its memory is warm */
    array->legs_free_count++;
    if (array->legs_short)
        array->again = true;
}

void leg_release(struct array *array, struct leg *leg)
{
    struct drive *drive = &array->drive[leg->drive];
    take_out(array, leg);
    if (leg->open && !mutant(MUTANT_GIVEN_UP_FORGOTTEN)) { /* L3 */
        leg->owner = LEG_LINGER;
        leg->state = LEG_STATE_SENT;
        slice_drop(&leg->data);
        list_append(&drive->lingering, &leg->link);
        drive->lingering_count++;
        array_alarm(array, leg->since_ns + array->limits->drive_total_ns);
        return;
    }
    put_back(array, leg);
}

/* LEG_FREE: of any owner. */
static void forget_list(struct array *array, struct list *legs, enum leg_owner owner,
                        uint16_t index)
{
    list_each (legs, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        if (owner == LEG_FREE || (leg->owner == owner && leg->index == index))
            leg_release(array, leg);
    }
}

void leg_forget_at(struct array *array, enum leg_owner owner, int drive)
{
    forget_list(array, &array->drive[drive].waiting, owner, (uint16_t)drive);
    forget_list(array, &array->drive[drive].sent, owner, (uint16_t)drive);
    forget_list(array, &array->legs_ended, owner, (uint16_t)drive);
}

void leg_forget(struct array *array, enum leg_owner owner, uint16_t index)
{
    drives_each (array, d) {
        forget_list(array, &array->drive[d].waiting, owner, index);
        forget_list(array, &array->drive[d].sent, owner, index);
    }
    forget_list(array, &array->legs_ended, owner, index);
}

void leg_forget_all(struct array *array)
{
    leg_forget(array, LEG_FREE, 0);
}

bool leg_may_land(const struct array *array, int drive, uint64_t offset, uint64_t length)
{
    list_each (&array->drive[drive].lingering, link, next) {
        const struct leg *leg = list_member(link, struct leg, link);
        if (lands(leg) && leg->offset < offset + length && offset < leg->offset + leg->length)
            return true;
    }
    return false;
}

static void end(struct array *array, struct leg *leg, enum leg_end how)
{
    take_out(array, leg);
    leg->state = LEG_STATE_ENDED;
    leg->end = how;
    list_append(&array->legs_ended, &leg->link);
    array->again = true;
}

void leg_settle(struct array *array)
{
    struct leg *leg;
    for (int d = 0; mutant(MUTANT_DRIVE_FAILURE_UNRECORDED) && d < DRIVE_MAX; d++)
        if (array->drive[d].bad)
            leg_drive_failed(array, d);
    while ((leg = list_first(&array->legs_ended, struct leg, link))) {
        list_remove(&leg->link);
        switch (leg->owner) {
        case LEG_FREE:
        case LEG_LINGER:
            must_failed("a leg that nobody waits for does not end", __FILE__, __LINE__);
            break;
        case LEG_PART:
        case LEG_REPAIR:
            part_leg_ended(array, leg);
            break;
        case LEG_MAP:
        case LEG_CLEAR:
            intent_leg_ended(array, leg);
            break;
        case LEG_COPY:
            resync_leg_ended(array, leg);
            break;
        case LEG_STRIPE:
            stripe_leg_ended(array, leg);
            break;
        case LEG_STRIPE_FLUSH:
            stripe_flush_ended(array, leg);
            break;
        case LEG_SYNC:
            sync_leg_ended(array, leg);
            break;
        case LEG_PROBE:
            probe_leg_ended(array, leg);
            break;
        case LEG_BLOB:
        case LEG_LOAD:
            blob_leg_ended(array, leg);
            break;
        case LEG_CARRY:
            carry_leg_ended(array, leg);
            break;
        case LEG_PROVISION:
        case LEG_PROVISION_READ:
            provision_leg_ended(array, leg);
            break;
        case LEG_REDO:
        case LEG_REDO_READ:
        case LEG_REDO_CLEAN:
            redo_leg_ended(array, leg);
            break;
        }
        leg_release(array, leg);
    }
}

/* Back to the front of its drive's queue. */
static void resend(struct array *array, struct leg *leg)
{
    struct drive *drive = &array->drive[leg->drive];
    take_out(array, leg);
    leg->state = LEG_STATE_WAITING;
    list_prepend(&drive->waiting, &leg->link);
    drive->waiting_count++;
    position_add(array->legs_waiting, leg->drive);
    array->again = true;
}

/* ---- drives that are no good ---- */

bool leg_drive_bad(struct array *array, int number, enum fault fault)
{
    struct drive *drive = &array->drive[number];
    bool expendable = drives_expendable(array, number) || mutant(MUTANT_LAST_DRIVE_FAILED);
    if (drive->state == DRIVE_STATE_FAILED || !expendable) /* L4 */
        return false;
    if (drive->bad && array->now_ns - drive->bad_ns < array->limits->drive_total_ns)
        return true;
    if (!drive->bad) {
        drive->fault = fault;
        drive->may_return = fault == FAULT_ALIEN;
        trace_warn(array->trace, "drive %d of pool %s is bad: %s", number,
                   array->pool[drive->pool].info.name,
                   fault == FAULT_ABSENT  ? "not reached"
                   : fault == FAULT_ALIEN ? "it is a new, empty one"
                                          : "it does not do what it must");
    }
    drive->bad = true;
    drive->bad_ns = array->now_ns;
    array_tell(array, ARRAY_NOTICE_BAD)->drive = (uint8_t)number;
    return true;
}

void leg_drive_login(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    leg_forget_at(array, LEG_PROBE, number); /* it is probed anew under this login */
    while (!list_empty(&drive->lingering)) {
        struct leg *leg = list_first(&drive->lingering, struct leg, link);
        take_out(array, leg);
        put_back(array, leg);
    }
    list_each (&drive->waiting, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        leg->open = 0; /* L2 */
        leg->since_ns = 0;
        if (leg->landed)
            end(array, leg, LEG_OK);
    }
    while (!list_empty(&drive->sent)) { /* the last first: each goes before those that wait */
        struct leg *leg = list_member(drive->sent.prev, struct leg, link);
        leg->open = 0; /* L2 */
        leg->parked = false;
        if (leg->landed) {
            end(array, leg, LEG_OK);
            continue;
        }
        leg->since_ns = 0; /* the drive gets its whole time under this login */
        resend(array, leg);
    }
}

static void end_list(struct array *array, struct list *legs, bool all, enum leg_end how)
{
    list_each (legs, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        if (all || !insists(leg))
            end(array, leg, how);
    }
}

void leg_drive_unreached(struct array *array, int number)
{
    end_list(array, &array->drive[number].waiting, false, LEG_TIMEOUT);
    end_list(array, &array->drive[number].sent, false, LEG_TIMEOUT);
}

void leg_drive_failed(struct array *array, int number)
{
    end_list(array, &array->drive[number].waiting, true, LEG_DROPPED);
    end_list(array, &array->drive[number].sent, true, LEG_DROPPED);
}

void leg_epoch(struct array *array)
{
    drives_each (array, d)
        list_each (&array->drive[d].sent, link, next) {
            struct leg *leg = list_member(link, struct leg, link);
            if (leg->parked) {
                leg->parked = false;
                leg->again_ns = 0;
                array_alarm(array, 0);
            }
        }
}

/* ---- answers ---- */

static uint64_t tag_of(const struct array *array, const struct leg *leg)
{
    return (uint64_t)leg->generation << 32 | (uint64_t)leg->try << 16 |
           (uint64_t)(leg - array->leg);
}

/* The leg of an open try, or NULL: an answer that nobody waits for any more. */
static struct leg *find(struct array *array, const struct drive_message *answer)
{
    uint32_t slot = answer->tag & 0xFFFF;
    if (slot >= array->legs_used)
        return NULL;
    struct leg *leg = &array->leg[slot];
    uint16_t try = (uint16_t)(answer->tag >> 16);
    if (leg->owner == LEG_FREE || leg->state == LEG_STATE_ENDED ||
        leg->generation != (uint32_t)(answer->tag >> 32) || leg->drive != answer->drive ||
        (uint16_t)(leg->try - try) >= TRY_BITS || !(leg->open >> (try % TRY_BITS) & 1))
        return NULL;
    return leg;
}

static void again(struct array *array, struct leg *leg, uint64_t wait_ns)
{
    leg->again_ns = array->now_ns + wait_ns;
    array_alarm(array, leg->again_ns);
}

static void answer_ok(struct array *array, struct leg *leg, const struct message *message)
{
    if (leg->op == DRIVE_READ) {
        if (message->payload.length != leg->length) {
            end(array, leg, LEG_ERROR);
            return;
        }
        leg->data = slice_ref(message->payload);
        end(array, leg, LEG_OK);
        return;
    }
    if (leg->erred && array->drive[leg->drive].bad) { /* L5: until the record says FAILED */
        again(array, leg, ERROR_NS);
        return;
    }
    leg->landed = true;
    if (leg->open == 0 || mutant(MUTANT_OPEN_TRY_FORGOTTEN)) /* L2 */
        end(array, leg, leg->erred ? LEG_ERROR : LEG_OK);
}

static void answer_error(struct array *array, struct leg *leg)
{
    if (leg->op == DRIVE_READ) {
        end(array, leg, LEG_ERROR);
        return;
    }
    leg->landed = false;
    leg->erred = leg->op == DRIVE_FLUSH && !mutant(MUTANT_FLUSH_FAILURE_FORGIVEN);
    bool replaced = leg_drive_bad(array, leg->drive, FAULT_ERROR);
    if (leg->repair || (leg->erred && !replaced)) /* L5 */
        end(array, leg, LEG_ERROR);
    else
        again(array, leg, ERROR_NS);
}

static void answer_refused(struct array *array, struct leg *leg, uint64_t fence)
{
    if (leg->epoch < array->epoch) {
        again(array, leg, 0);
        return;
    }
    if (leg->open && fence <= array->epoch)
        return; /* perhaps of an earlier epoch: the answer to the other try counts */
    if (fence > array->epoch)
        leg->parked = true;
    else
        again(array, leg, ERROR_NS); /* its fence may not be up yet */
    if (array->refused_epoch == fence)
        return;
    array->refused_epoch = fence;
    array_tell(array, ARRAY_NOTICE_REFUSED)->epoch = fence;
}

void array_drive_answer(struct array *array, const struct message *message)
{
    struct leg *leg = find(array, &message->drive);
    if (!leg || message->drive.status == DRIVE_REFUSED_LOGIN)
        return;
    uint16_t try = (uint16_t)(message->drive.tag >> 16);
    leg->open &= (uint16_t) ~(1u << (try % TRY_BITS));
    if (leg->owner == LEG_LINGER) {
        if (leg->open == 0) {
            take_out(array, leg);
            put_back(array, leg);
        }
        array->again = array->more = array->look = true;
        return;
    }
    switch ((enum drive_status)message->drive.status) {
    case DRIVE_OK:
        array->drive[leg->drive].avoid_ns = 0;
        answer_ok(array, leg, message);
        break;
    case DRIVE_MEDIUM_ERROR:
    case DRIVE_GONE:
    case DRIVE_TIMEOUT:
        leg->gone = message->drive.status == DRIVE_GONE;
        answer_error(array, leg);
        break;
    case DRIVE_REFUSED_EPOCH:
        answer_refused(array, leg, message->drive.epoch);
        break;
    case DRIVE_REFUSED_LOGIN:
        break;
    case DRIVE_BUSY:
        again(array, leg, BUSY_NS);
        break;
    }
    array->more = true;
    leg_settle(array);
}

/* ---- limits ---- */

/* A fill of many blocks may take as long as a slow drive needs to write them. */
static uint64_t scaled(const struct leg *leg, uint64_t limit_ns)
{
    return leg->op == DRIVE_FILL ? limit_ns + limit_ns * (leg->length / FILL_RATE_BYTES) : limit_ns;
}

static uint64_t patience(const struct array *array, const struct leg *leg)
{
    if (leg->op == DRIVE_READ)
        return leg->patience_ns;
    return scaled(leg, leg->repair ? array->limits->drive_ns : array->limits->drive_total_ns);
}

/* All its time is over. True: it has ended. */
static bool out_of_time(struct array *array, struct leg *leg, enum fault fault)
{
    if (!insists(leg)) {
        if (leg->repair)
            leg_drive_bad(array, leg->drive, fault);
        end(array, leg, LEG_TIMEOUT);
        return true;
    }
    if (leg_drive_bad(array, leg->drive, fault)) {
        array_alarm(array, array->now_ns + array->limits->drive_total_ns);
        return false;
    }
    end(array, leg, LEG_ERROR);
    return true;
}

static bool absent(struct array *array, int number)
{
    const struct loop *loop = drives_loop(array, number);
    if (array->drive[number].probe == PROBE_GONE)
        return true;
    if (loop->up)
        return false;
    uint64_t absent_ns = loop->down_ns + array->limits->availability_ns;
    if (loop->gone || array->now_ns >= absent_ns)
        return true;
    array_alarm(array, absent_ns); /* an alarm in the past would ring for ever */
    return false;
}

/* One that waits for a drive that cannot be sent to now. */
static void check_waiting(struct array *array, struct leg *leg, bool is_absent)
{
    if (leg->since_ns == 0)
        leg->since_ns = array->now_ns;
    uint64_t limit = leg->since_ns + patience(array, leg);
    bool alien = drives_alien(&array->drive[leg->drive]);
    if (array->now_ns >= limit) {
        out_of_time(array, leg, is_absent ? FAULT_ABSENT : FAULT_ERROR);
        return;
    }
    if (insists(leg) && (is_absent || alien))
        leg_drive_bad(array, leg->drive, is_absent ? FAULT_ABSENT : FAULT_ERROR);
    array_alarm(array, limit);
}

static void check_sent(struct array *array, struct leg *leg, bool is_absent)
{
    uint64_t limit = leg->since_ns + patience(array, leg);
    if (leg->parked)
        return;
    if (insists(leg) && is_absent && leg_drive_bad(array, leg->drive, FAULT_ABSENT)) {
        array_alarm(array, array->now_ns + array->limits->drive_total_ns);
        return;
    }
    if (array->now_ns >= limit) {
        out_of_time(array, leg, is_absent ? FAULT_ABSENT : FAULT_ERROR);
        return;
    }
    array_alarm(array, limit);
    if (!drives_loop(array, leg->drive)->up)
        return; /* the next login sends it again */
    uint64_t next =
        leg->open ? leg->tried_ns + scaled(leg, array->limits->drive_ns) : leg->again_ns;
    bool free = !(leg->open >> ((leg->try + 1) % TRY_BITS) & 1); /* L2 */
    if (array->now_ns < next)
        array_alarm(array, next);
    else if (free && __builtin_popcount(leg->open) < TRY_BITS / 2)
        resend(array, leg);
}

/* L4: nobody waits for it, but a drive that does not answer is none. */
static void check_lingering(struct array *array, const struct leg *leg)
{
    uint64_t limit = leg->since_ns + scaled(leg, array->limits->drive_total_ns);
    if (array->now_ns >= limit) {
        leg_drive_bad(array, leg->drive, FAULT_ERROR);
        limit = array->now_ns + array->limits->drive_ns;
    }
    array_alarm(array, limit);
}

/* What is not flushed on a drive that is away may be lost there: its pool must know. */
static bool has_unflushed(const struct array *array, const struct drive *drive)
{
    return array->phase == PHASE_RUNNING && drive->pool != POOL_NONE &&
           drive->state != DRIVE_STATE_FAILED && array->pool[drive->pool].born &&
           !bits_empty(&array->pool[drive->pool].intent.set);
}

/* The record may have been elsewhere, or its mirror away, when BAD was said. */
static void still_bad(struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    uint64_t again_ns = drive->bad_ns + array->limits->drive_total_ns;
    if (array->now_ns >= again_ns) {
        leg_drive_bad(array, number, drive->fault);
        again_ns = array->now_ns + array->limits->drive_ns;
    }
    array_alarm(array, again_ns);
}

static void drive_timers(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    bool reached = drives_loop(array, number)->up;
    bool busy = drive->waiting_count + drive->sent_count + drive->lingering_count > 0;
    if (drive->bad && drive->state != DRIVE_STATE_FAILED)
        still_bad(array, number);
    if (!busy && (reached || drive->bad || drive->pool == POOL_NONE))
        return;
    bool is_absent = absent(array, number);
    if (is_absent && !reached && !drive->bad && has_unflushed(array, drive))
        leg_drive_bad(array, number, FAULT_ABSENT);
    bool held = drive->lingering_count > 0;
    list_each (&drive->waiting, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        if (!reached || held || !probe_open(array, number, leg->owner))
            check_waiting(array, leg, is_absent);
    }
    list_each (&drive->sent, link2, next2)
        check_sent(array, list_member(link2, struct leg, link), is_absent);
    if (reached && drive->state != DRIVE_STATE_FAILED)
        list_each (&drive->lingering, link3, next3)
            check_lingering(array, list_member(link3, struct leg, link));
}

void leg_timers(struct array *array)
{
    array->look = true;
    drives_each (array, d)
        drive_timers(array, d);
    leg_settle(array);
}

/* ---- sending ---- */

static void send(struct array *array, struct leg *leg, struct actions *actions)
{
    struct drive *drive = &array->drive[leg->drive];
    drive->waiting_count--;
    drive->sent_count++;
    array->legs_sent++;
    list_remove(&leg->link);
    list_append(&drive->sent, &leg->link);
    leg->state = LEG_STATE_SENT;
    leg->parked = false;
    leg->try++;
    leg->open |= (uint16_t)(1u << (leg->try % TRY_BITS));
    leg->epoch = array->epoch;
    leg->tried_ns = array->now_ns;
    if (leg->since_ns == 0)
        leg->since_ns = array->now_ns;
    array_alarm(array, leg->tried_ns + scaled(leg, array->limits->drive_ns));
    array_alarm(array, leg->since_ns + patience(array, leg));
    struct message *message = actions_send(actions, MESSAGE_DRIVE_COMMAND, array->self,
                                           port_drive(leg->drive / 32, drive->info.al_pa));
    message->drive.bank = array->group;
    message->drive.drive = leg->drive;
    message->drive.op = (uint8_t)leg->op;
    message->drive.fua = leg->fua;
    message->drive.epoch = array->epoch;
    message->drive.login = drives_loop(array, leg->drive)->login;
    message->drive.tag = tag_of(array, leg);
    message->drive.offset = leg->offset;
    message->drive.length = leg->length;
    if (leg->op != DRIVE_READ)
        message->payload = slice_ref(leg->data);
}

/* L3: an earlier write that was given up may still land there. */
static bool fenced(const struct array *array, const struct leg *leg)
{
    if (mutant(MUTANT_LINGERING_PASSED))
        return false;
    return lands(leg) && leg_may_land(array, leg->drive, leg->offset, leg->length);
}

static uint32_t send_drive(struct array *array, int number, struct actions *actions, uint32_t most)
{
    struct drive *drive = &array->drive[number];
    uint32_t sent = 0;
    list_each (&drive->waiting, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        if (sent >= most || drive->sent_count + drive->lingering_count >= DRIVE_DEPTH)
            break;
        if (!probe_open(array, number, leg->owner) || fenced(array, leg))
            continue;
        send(array, leg, actions);
        sent++;
    }
    return sent;
}

void leg_send_all(struct array *array, struct actions *actions)
{
    uint32_t left = actions_room(actions) / 2 < SEND_MAX ? actions_room(actions) / 2 : SEND_MAX;
    for (uint32_t word = 0; word < DRIVE_WORDS; word++)
        for (uint64_t some = array->legs_waiting[word]; some && left > 0; some &= some - 1) {
            int d = (int)(word * 64) + __builtin_ctzll(some);
            if (array->loop[d / 32].up)
                left -= send_drive(array, d, actions, left);
            if (list_empty(&array->drive[d].waiting))
                position_remove(array->legs_waiting, (uint32_t)d);
        }
    if (left == 0)
        array->more = true;
}
