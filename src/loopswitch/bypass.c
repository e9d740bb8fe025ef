/* SPDX-License-Identifier: Apache-2.0 */

/* Which ports are on the loop: what the answers of a drive say of it, bypassing a port that errs or
 * comes and goes too often, and testing those that are off the loop until they may come back. A
 * test is a read of the first blocks; a port has one under way at most, however long that takes. */

#include "base/must.h"
#include "base/text.h"
#include "loopswitch/state.h"

#define WINDOW_NS MS(10000) /* so many errors in it are too many ... */
#define FLAP_NS MS(60000)   /* ... and so many comings in this */
#define TEST_NS MS(1000)    /* a LIP waits for a port no longer */
#define BACK_OFF_FIRST_NS MS(250)
#define BACK_OFF_MAX_NS MS(8000)
#define GOOD_NS MS(30000) /* on the loop for so long: its past is forgiven */

enum { ERRORS_MAX = 16, JOINS_MAX = 8, TEST_BYTES = 4096 };

/* Time-outs are counted, but bypass nothing: units have limits of their own for slow drives. */
static const enum drive_verdict verdicts[][DRIVE_TIMEOUT + 1] = {
    [DRIVE_READ] = {[DRIVE_OK] = DRIVE_VERDICT_GOOD,
                    [DRIVE_MEDIUM_ERROR] = DRIVE_VERDICT_REPAIR,
                    [DRIVE_GONE] = DRIVE_VERDICT_FAIL,
                    [DRIVE_BUSY] = DRIVE_VERDICT_RETRY},
    [DRIVE_WRITE] = {[DRIVE_OK] = DRIVE_VERDICT_GOOD,
                     [DRIVE_MEDIUM_ERROR] = DRIVE_VERDICT_SUSPECT,
                     [DRIVE_GONE] = DRIVE_VERDICT_FAIL,
                     [DRIVE_BUSY] = DRIVE_VERDICT_RETRY},
    [DRIVE_FILL] = {[DRIVE_OK] = DRIVE_VERDICT_GOOD,
                    [DRIVE_MEDIUM_ERROR] = DRIVE_VERDICT_SUSPECT,
                    [DRIVE_GONE] = DRIVE_VERDICT_FAIL,
                    [DRIVE_BUSY] = DRIVE_VERDICT_RETRY},
    [DRIVE_FLUSH] = {[DRIVE_OK] = DRIVE_VERDICT_GOOD,
                     [DRIVE_MEDIUM_ERROR] = DRIVE_VERDICT_SUSPECT,
                     [DRIVE_GONE] = DRIVE_VERDICT_FAIL,
                     [DRIVE_BUSY] = DRIVE_VERDICT_RETRY},
};

static const char *const verdict_names[DRIVE_VERDICTS] = {
    [DRIVE_VERDICT_GOOD] = "good",     [DRIVE_VERDICT_RETRY] = "retry",
    [DRIVE_VERDICT_REPAIR] = "repair", [DRIVE_VERDICT_SUSPECT] = "suspect",
    [DRIVE_VERDICT_FAIL] = "fail",
};

const char *loopswitch_verdict_name(enum drive_verdict verdict)
{
    return verdict < DRIVE_VERDICTS ? verdict_names[verdict] : "?";
}

enum drive_verdict loopswitch_verdict(enum drive_op op, enum drive_status status)
{
    must(op <= DRIVE_FLUSH && status <= DRIVE_TIMEOUT);
    return verdicts[op][status];
}

static bool too_many_errors(struct loopswitch *x, struct drive *drive)
{
    if (x->now_ns - drive->window.begin_ns >= WINDOW_NS) {
        drive->window.begin_ns = x->now_ns;
        drive->window.errors = 0;
    }
    return ++drive->window.errors >= ERRORS_MAX;
}

static bool comes_too_often(struct loopswitch *x, struct drive *drive)
{
    if (x->now_ns - drive->flaps.begin_ns >= FLAP_NS) {
        drive->flaps.begin_ns = x->now_ns;
        drive->flaps.joins = 0;
    }
    return ++drive->flaps.joins > JOINS_MAX;
}

void loopswitch_count(struct loopswitch *x, struct drive *drive, enum drive_op op,
                      enum drive_status status, struct actions *actions)
{
    enum drive_verdict verdict = loopswitch_verdict(op, status);
    bool on = drive->state == LOOP_PORT_ONLINE || drive->state == LOOP_PORT_INITIALISING;
    drive->counters.verdict[verdict]++;
    if (verdict == DRIVE_VERDICT_FAIL && on)
        loopswitch_leave(x, drive, LOOP_PORT_ABSENT, "it has vanished", actions);
    else if (verdict == DRIVE_VERDICT_SUSPECT && too_many_errors(x, drive) && on)
        loopswitch_leave(x, drive, LOOP_PORT_BYPASSED, "too many errors", actions);
}

void loopswitch_leave(struct loopswitch *x, struct drive *drive, enum loop_port_state state,
                      const char *why, struct actions *actions)
{
    bool was_good = x->now_ns - drive->online_ns >= GOOD_NS;
    if (state == LOOP_PORT_BYPASSED)
        drive->counters.bypasses++;
    if (was_good || drive->back_off_ns == 0)
        drive->back_off_ns = BACK_OFF_FIRST_NS;
    drive->again_ns = x->now_ns + drive->back_off_ns;
    drive->window.errors = 0;
    loopswitch_become(x, drive, state, why, actions);
}

/* ---- tests ---- */

void loopswitch_test(struct loopswitch *x, struct drive *drive, struct actions *actions)
{
    must(!drive->testing);
    struct action *action = actions_add(actions, ACTION_DRIVE);
    drive->testing = true;
    drive->test_ns = x->now_ns;
    drive->test = OWN_TAG | (uint64_t)(++x->lives & 0x7FFFFFFFu) << 16 | TEST_TAG | drive->slot;
    action->drive.tag = drive->test;
    action->drive.slot = drive->slot;
    action->drive.op = DRIVE_READ;
    action->drive.length = TEST_BYTES;
}

static void later(struct loopswitch *x, struct drive *drive)
{
    drive->back_off_ns *= 2;
    if (drive->back_off_ns > BACK_OFF_MAX_NS)
        drive->back_off_ns = BACK_OFF_MAX_NS;
    if (drive->back_off_ns < BACK_OFF_FIRST_NS)
        drive->back_off_ns = BACK_OFF_FIRST_NS;
    drive->again_ns = x->now_ns + drive->back_off_ns;
}

/* Off the loop, and it answers. */
static void back(struct loopswitch *x, struct drive *drive, struct actions *actions)
{
    later(x, drive); /* if it goes again before it was good for a while */
    if (!comes_too_often(x, drive)) {
        loopswitch_join(x, drive, actions);
        return;
    }
    drive->flaps.joins = JOINS_MAX / 2; /* fewer chances than it had */
    if (drive->state == LOOP_PORT_ABSENT)
        loopswitch_leave(x, drive, LOOP_PORT_BYPASSED, "it comes and goes too often", actions);
    drive->back_off_ns = BACK_OFF_MAX_NS;
    drive->again_ns = x->now_ns + BACK_OFF_MAX_NS;
}

void loopswitch_tested(struct loopswitch *x, uint64_t tag, enum drive_status status,
                       struct actions *actions)
{
    uint32_t slot = tag & 0xFF;
    if (slot >= SLOT_MAX || x->drive_of_slot[slot] == 0xFF)
        return;
    struct drive *drive = &x->drive[x->drive_of_slot[slot]];
    if (!drive->testing || drive->test != tag)
        return; /* of an earlier life of ours */
    bool answers = status == DRIVE_OK || status == DRIVE_MEDIUM_ERROR;
    drive->testing = false;
    if (drive->state == LOOP_PORT_INITIALISING && status == DRIVE_GONE)
        loopswitch_leave(x, drive, LOOP_PORT_ABSENT, "it has vanished", actions);
    else if (drive->state == LOOP_PORT_ABSENT || drive->state == LOOP_PORT_BYPASSED) {
        if (answers)
            back(x, drive, actions);
        else
            later(x, drive);
    }
    loopswitch_lip_goes_on(x, slot / LOOPLET_SLOTS, actions);
}

void loopswitch_tests_go_on(struct loopswitch *x, struct actions *actions)
{
    for (int i = 0; i < x->config.drives && !x->stopping; i++) {
        struct drive *drive = &x->drive[i];
        bool off = drive->state == LOOP_PORT_ABSENT || drive->state == LOOP_PORT_BYPASSED;
        if (off && !drive->testing && x->now_ns >= drive->again_ns)
            loopswitch_test(x, drive, actions);
        if (drive->state == LOOP_PORT_INITIALISING && drive->testing &&
            x->now_ns >= drive->test_ns + TEST_NS) {
            drive->counters.timeouts++;
            loopswitch_leave(x, drive, LOOP_PORT_BYPASSED, "it does not answer the LIP", actions);
            loopswitch_lip_goes_on(x, drive->slot / LOOPLET_SLOTS, actions);
        }
    }
}

uint64_t loopswitch_tests_wake_ns(const struct loopswitch *x)
{
    uint64_t wake_ns = UINT64_MAX;
    for (int i = 0; i < x->config.drives && !x->stopping; i++) {
        const struct drive *drive = &x->drive[i];
        bool off = drive->state == LOOP_PORT_ABSENT || drive->state == LOOP_PORT_BYPASSED;
        uint64_t at = UINT64_MAX;
        if (off && !drive->testing)
            at = drive->again_ns;
        else if (drive->state == LOOP_PORT_INITIALISING && drive->testing)
            at = drive->test_ns + TEST_NS;
        wake_ns = at < wake_ns ? at : wake_ns;
    }
    return wake_ns;
}

/* ---- drives that are put in and taken out ---- */

void loopswitch_tray(struct loopswitch *x, const struct event *event, struct actions *actions)
{
    uint8_t slot = event->tray.slot;
    if (slot >= SLOT_MAX || x->drive_of_slot[slot] == 0xFF)
        return;
    uint8_t i = x->drive_of_slot[slot];
    struct drive *drive = &x->drive[i];
    bool on = drive->state == LOOP_PORT_ONLINE || drive->state == LOOP_PORT_INITIALISING;
    if (on)
        loopswitch_leave(x, drive, LOOP_PORT_ABSENT,
                         event->tray.online ? "another drive is in its place" : "it was taken out",
                         actions);
    if (!event->tray.online)
        return;
    x->config.drive[i].bytes = event->tray.bytes;
    x->config.drive[i].block_bytes = event->tray.block_bytes;
    x->config.drive[i].content = event->tray.content;
    struct text serial = text_in(x->config.drive[i].serial, sizeof x->config.drive[i].serial);
    text_append(&serial, event->tray.serial);
    drive->again_ns = x->now_ns; /* it is tested at once */
}
