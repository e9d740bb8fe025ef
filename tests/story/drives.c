/* SPDX-License-Identifier: Apache-2.0 */
/* Drives, their loop switches, and fences. */
#include "array/layout.h"
#include "tests/story/stories.h"

/* Whose block lies on a drive: of a pool's first volume, mirrored, so at the same place on each. */
static uint64_t on_drive(struct story *s, int drive, uint64_t lba)
{
    return op_block_stamp(disk_bytes(s->world, drive) + LAYOUT_DATA + lba * BLOCK_BYTES, lba);
}

/* A drive command that was sent before the fence, and arrives after it. */
void story_late_drive_command_after_a_fence(struct story *s)
{
    story_hold(s, "A", "L1", MESSAGE_DRIVE_COMMAND);
    struct op *w1 = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "A", "L1"), MS(50));
    story_pause(s, "A");
    story_good(s, w1, MS(400));
    struct op *w2 = story_write(s, 0, 64, 8, 0);
    story_flush(s, 0, 0);
    story_restore(s, "A", "L1");
    story_run(s, MS(50));
    story_expect(s, "L1 > bank g1 at epoch *: drained, fenced\n"
                    "restore A <-> L1\n"
                    "L1 > A1: drive 0 epoch *: refused-*\n");
    story_resume(s, "A");
    story_assert(s, story_stamp(s, 0, 64, 1) == w2->stamp);
}

/* One that is in the drive when the fence comes: the fence waits for it. */
void story_drive_command_in_flight_at_the_fence(struct story *s)
{
    disk_delay_next(s->world, 0, DRIVE_WRITE, MS(300));
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(2));
    story_crash(s, "A");
    story_good(s, w, MS(700));
    story_expect(s, "A x crash\n"
                    "L1 > bank g1: epoch *, allows B1 only, 1 commands to drain\n"
                    "L2 > bank g1 at epoch *: drained, fenced\n"
                    "L1 > bank g1 at epoch *: drained, fenced\n"
                    "B1 > adopt * -> serve\n");
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* One that never drains costs its drive alone. */
void story_drive_that_does_not_drain(struct story *s)
{
    story_hang_drive(s, 0, true);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(2));
    story_crash(s, "A");
    story_good(s, w, MS(3000));
    story_expect(s, "L1 > bank g1: epoch *, allows B1 only, 1 commands to drain\n"
                    "L2 > bank g1 at epoch *: drained, fenced\n"
                    "L1 > slot 00: a command of A1 does not end; off line until it does\n"
                    "L1 > bank g1 at epoch *: not drained, fenced\n"
                    "B1 > drive t0/00 does not answer for its fence: failed\n"
                    "-- register g1: * primary B in_sync 1 dirty\n"
                    "B1 > adopt 1 commands, * -> serve\n"
                    "B1 > done *: status 00*\n");
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_assert(s, story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD);
    story_good(s, story_send_write(s, 1, 64, 8, 0), MS(1000));
    struct op *over = story_write(s, 0, 64, 8, 0);
    story_hang_drive(s, 0, false); /* the old write lands now, on a drive that nobody reads */
    story_run(s, MS(100));
    story_assert(s, story_stamp(s, 0, 64, 1) == over->stamp);
}

/* The link to the tray breaks and returns, with a write of the same epoch still in the tray. */
void story_old_write_in_the_tray(struct story *s)
{
    disk_delay_next(s->world, 0, DRIVE_WRITE, MS(400));
    struct op *w1 = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(2));
    story_break(s, "A", "L1");
    story_run(s, MS(5));
    story_restore(s, "A", "L1");
    story_good(s, w1, MS(3000));
    struct op *w2 = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(1000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w2->stamp);
    story_assert(s, story_primary(s, "A1"));
}

/* Given up in steady state: the record says so before anything is answered without it. */
void story_drive_given_up_and_then_a_takeover(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(100));
    story_hang_drive(s, 0, true);
    story_mark(s);
    struct op *w2 = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w2, MS(7000));
    story_expect(s,
                 "B1 > ready *: held\n"
                 "-- register g1: * primary A in_sync 2\n" /* first the record, then the answer */
                 "A1 > drive t0/00 is failed\n"
                 "A1 > done *: status 00*\n");
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_crash(s, "A");
    story_hang_drive(s, 0, false);
    for (int i = 0; i < 4; i++)
        story_assert(s, story_stamp(s, 0, 64, i % 2) == w2->stamp);
    story_assert(s, w1->stamp != w2->stamp);
}

/* A drive that errs: the mirror answers, and the drive is failed. */
void story_drive_that_errs(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(100));
    story_fail_drive(s, 0, true);
    for (int i = 0; i < 6; i++) {
        struct op *r = story_send_read(s, 0, 64, 8, i % 2);
        story_good(s, r, MS(8000));
        story_assert(s, op_block_stamp(r->in, 64) == w1->stamp);
    }
    struct op *w2 = story_send_write(s, 0, 72, 8, 0);
    story_good(s, w2, MS(8000));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_fail_drive(s, 0, false);
    story_crash(s, "A");
    story_assert(s, story_stamp(s, 0, 72, 0) == w2->stamp);
}

static void fail_both(struct story *s, bool fail)
{
    story_fail_drive(s, 0, fail);
    story_fail_drive(s, 32, fail);
}

/* No drive takes a write, and its primary dies as it finds that out. Nobody knows, so it has not
 * said so to the host either: whoever leads next carries it out. */
void story_failed_write_has_one_outcome(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_run(s, MS(100));
    fail_both(s, true);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > drive t?/00 is failed*"), MS(1000));
    story_run(s, MS(50));
    story_mark(s);
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_until(s, story_said(s, "A1 > *: status 02*") || story_said(s, "A1 > * status 02"),
                MS(7000));
    story_run(s, MS(20)); /* an answer would be there */
    fail_both(s, false);
    story_crash(s, "A");
    story_good(s, w, MS(3000));
    for (int i = 0; i < 4; i++)
        story_assert(s, story_stamp(s, 0, 64, i % 2) == w->stamp);
}

/* It is known, and nobody has been answered: who leads next answers so, and does not run it. */
void story_failed_write_is_not_run_again(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_run(s, MS(100));
    fail_both(s, true);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > drive t?/00 is failed*"), MS(1000));
    story_mark(s);
    story_until(s, story_said(s, "B1 > resolved *"), MS(7000));
    fail_both(s, false);
    story_crash(s, "A");
    story_answered(s, w, MS(3000));
    story_assert(s, w->status == 2);
    story_expect(s, "A1 > resolve * -> status 02\n"
                    "B1 > resolved *\n"
                    "B1 > adopt 1 commands, * -> serve\n"
                    "B1 > done *: status 02\n");
    uint64_t stamp = story_stamp(s, 0, 64, 0);
    for (int i = 0; i < 4; i++)
        story_assert(s, story_stamp(s, 0, 64, i % 2) == stamp);
}

static void break_trays(struct story *s, const char *module, bool broken)
{
    static const char *const trays[] = {"L1", "L2"};
    for (int i = 0; i < 2; i++)
        if (broken)
            story_break(s, module, trays[i]);
        else
            story_restore(s, module, trays[i]);
}

/* One copy has it, and the other has not, when both trays go. Its host is told that it failed, and
 * everybody knows that; then its primary dies. The copies come to agree. */
void story_failed_write_leaves_doubt(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    break_trays(s, "B", true); /* else it would be given control */
    story_run(s, MS(100));
    story_lose(s, "A", "L2", MESSAGE_DRIVE_COMMAND);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, on_drive(s, 0, 64) == w->stamp, MS(100));
    break_trays(s, "A", true);
    story_answered(s, w, MS(9000));
    story_assert(s, w->status == 2 && on_drive(s, 32, 64) != w->stamp);
    story_run(s, MS(20));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_GOOD &&
                        story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD);
    story_assert(s, story_said(s, "B1 > done *"));
    story_crash(s, "A");
    break_trays(s, "B", false);
    story_until(s, story_primary(s, "B1"), MS(5000));
    story_until(s, on_drive(s, 0, 64) == on_drive(s, 32, 64), MS(3000));
    uint64_t stamp = story_stamp(s, 0, 64, 0);
    for (int i = 0; i < 4; i++)
        story_assert(s, story_stamp(s, 0, 64, i % 2) == stamp);
}

/* A tray was restarted, and brought up to date. Who takes over then does not take it for one that
 * has lost something: the other tray may err meanwhile. */
void story_tray_that_was_back_before_the_takeover(struct story *s)
{
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_crash(s, "L2");
    story_run(s, MS(50));
    story_restart(s, "L2");
    story_until(s, story_record(s, 0)->drive_state[32] != DRIVE_STATE_GOOD, MS(2000));
    story_until(s, story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD, MS(5000));
    story_run(s, MS(200));
    story_mark(s);
    story_fail_drive(s, 0, true);
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(1000));
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
    story_assert(s, !story_said(s, "B1 > drive t1/00 * failed"));
    story_assert(s, story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD);
    story_fail_drive(s, 0, false);
}

/* Acknowledged from memory, and its DONE is lost with its primary. The next one cannot bring it to
 * the drives for long, and does not give it up. */
void story_acknowledged_write_meets_bad_drives(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_flush(s, 0, 0);
    story_run(s, MS(100));
    fail_both(s, true);
    story_mark(s);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(50));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_good(s, w, MS(50));
    story_assert(s, !story_said(s, "B1 > done *"));
    story_crash(s, "A");
    story_run(s, MS(9000)); /* all limits of drives run out */
    fail_both(s, false);
    for (int i = 0; i < 4; i++)
        story_assert(s, story_stamp(s, 0, 64, i % 2) == w->stamp);
}

/* Writes that overlap are destaged together; CLEAN of one drops exactly its own blocks. */
void story_overlapping_writes_destaged_together(struct story *s)
{
    story_slow_drive(s, 0, MS(3));
    story_slow_drive(s, 32, MS(4));
    struct op *w[12];
    for (int i = 0; i < 12; i++) {
        w[i] = story_send_write(s, 0, 64 + (uint64_t)(i * 5 % 7), 8, i % 2);
        story_good(s, w[i], MS(50));
    }
    story_run(s, random_below(&(struct random){s->seed}, MS(12)));
    story_crash(s, "A");
    for (uint64_t lba = 64; lba < 78; lba++) {
        uint64_t newest = STAMP_ZERO;
        for (int i = 0; i < 12; i++)
            if (lba >= w[i]->lba && lba < w[i]->lba + 8)
                newest = w[i]->stamp;
        story_assert(s, story_stamp(s, 0, lba, 0) == newest);
    }
}

/* A write across the border of two regions of the mirror and one beside it that it overlaps:
 * whichever is older, they go to the drives one after the other, though a drive is slow with the
 * first. */
void story_overlapping_writes_across_a_region(struct story *s)
{
    enum { BORDER = 2048 };
    static const uint64_t lba[][2] = {{BORDER, BORDER - 4},
                                      {BORDER - 4, BORDER},
                                      {BORDER - 8, BORDER - 4},
                                      {BORDER - 4, BORDER - 8},
                                      {BORDER - 4, BORDER - 2}};
    story_write(s, 0, BORDER - 8, 16, 0); /* both regions are in the write-intent map */
    story_flush(s, 0, 0);
    for (int i = 0; i < 5; i++) {
        int slow = (int)(s->seed + (uint64_t)i) % 2 * 32;
        story_mark(s);
        disk_delay_next(s->world, slow, DRIVE_WRITE, MS(30));
        struct op *older = story_send_write(s, 0, lba[i][0], 8, 0);
        story_good(s, older, MS(10));
        struct op *newer = story_send_write(s, 0, lba[i][1], 8, 1);
        story_good(s, newer, MS(10));
        story_until(s, story_count(s, "A1 > clean *") == 2, MS(500));
        story_run(s, MS(50));
        for (int drive = 0; drive <= 32; drive += 32)
            for (uint64_t at = newer->lba; at < newer->lba + 8; at++)
                story_assert(s, on_drive(s, drive, at) == newer->stamp);
        story_expect(s, "A1 > clean *\nA1 > clean *\n");
    }
}

/* A stopped loop switch goes on, and is logged in at anew though its link never broke; twice, the
 * second time before the failed drive has given its superblock. It is looked at anew each time. */
void story_logged_in_twice_while_a_drive_is_looked_at(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_fail_drive(s, 0, true);
    struct op *w2 = story_write(s, 0, 72, 8, 0);
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED, MS(8000));
    story_run(s, MS(500));
    story_fail_drive(s, 0, false);
    disk_delay_next(s->world, 0, DRIVE_READ, MS(4000)); /* longer than a login waits for it */
    story_mark(s);
    for (int i = 0; i < 2; i++) {
        story_pause(s, "L1");
        story_run(s, MS(200));
        story_resume(s, "L1");
        story_until(s, story_count(s, "A1 > loop switch 0 is fenced at epoch *") == (uint32_t)i + 1,
                    MS(2000));
    }
    story_expect(s, "A1 > loop switch 0 is heard again: logs in anew\n"
                    "A1 > loop switch 0 is fenced at epoch *\n"
                    "A1 > loop switch 0 is heard again: logs in anew\n"
                    "A1 > loop switch 0 is fenced at epoch *\n");
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_GOOD, MS(30000));
    story_assert(s, !story_said(s, "* > suspects *"));
    story_flush(s, 0, 0);
    story_assert(s, on_drive(s, 0, 64) == w1->stamp && on_drive(s, 0, 72) == w2->stamp);
}

/* The only good drive of a pool, from which the other is being copied, is slow just when a member
 * joins and the bank is fenced for it. It is waited for: failed, it would take the pool with it. */
void story_last_good_drive_does_not_drain(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_fail_drive(s, 0, true);
    struct op *w2 = story_write(s, 0, 72, 8, 0);
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED, MS(8000));
    story_fail_drive(s, 0, false);
    story_slow_drive(s, 0, MS(10));
    story_crash(s, "A");
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_STALE, MS(10000));
    story_restart(s, "A");
    story_mark(s);
    story_until(s, story_said(s, "B1 > state to A1: *"), MS(5000));
    disk_delay_next(s->world, 32, DRIVE_READ, MS(2500)); /* longer than the drain limit */
    story_until(s, story_said(s, "L2 > bank g1 at epoch *: not drained, fenced"), MS(5000));
    story_expect(s, "B1 > epoch *: A1 is in sync\n"
                    "L2 > bank g1: epoch *, allows B1+A1 only, 1 commands to drain\n"
                    "L2 > slot 00: a command of B1 does not end; off line until it does\n");
    story_run(s, MS(500));
    story_assert(s, story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD);
    story_slow_drive(s, 0, 0);
    story_until(s, story_settled(s), MS(30000));
    story_assert(s, story_stamp(s, 0, 64, 0) == w1->stamp);
    story_assert(s, story_stamp(s, 0, 72, 1) == w2->stamp);
}

/* Both drives of a pool are slow just when a member joins and the bank is fenced for it. Each could
 * be failed; not both. */
void story_neither_drive_drains(struct story *s)
{
    struct op *before = story_write(s, 0, 72, 8, 0);
    story_crash(s, "B");
    story_until(s, story_record(s, 0)->in_sync.count == 1, MS(500));
    story_run(s, MS(500));
    story_restart(s, "B");
    story_mark(s);
    story_until(s, story_said(s, "A1 > state to B1: *"), MS(5000));
    disk_delay_next(s->world, 0, DRIVE_WRITE, MS(2500)); /* longer than the drain limit */
    disk_delay_next(s->world, 32, DRIVE_WRITE, MS(2500));
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "L1 > bank g1 at epoch *: not drained, fenced"), MS(5000));
    story_until(s, story_said(s, "L2 > bank g1 at epoch *: not drained, fenced"), MS(500));
    story_run(s, MS(100));
    const uint8_t *state = story_record(s, 0)->drive_state;
    story_assert(s, (state[0] == DRIVE_STATE_FAILED) + (state[32] == DRIVE_STATE_FAILED) == 1);
    story_good(s, w, MS(10000));
    story_until(s, story_settled(s), MS(30000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    story_assert(s, story_stamp(s, 0, 72, 0) == before->stamp);
}

/* A tray and a module at once: two faults of different kinds. */
void story_tray_and_module(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_crash(s, "L2");
    struct op *w2 = story_send_write(s, 0, 72, 8, 0);
    story_run(s, MS(1));
    story_crash(s, "A");
    story_good(s, w2, MS(8000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w1->stamp);
    story_assert(s, story_stamp(s, 0, 72, 0) == w2->stamp);
    story_restart(s, "A");
    story_restart(s, "L2");
    story_until(s, story_settled(s), MS(20000));
}

/* A loop switch that dies and comes back keeps its fence. */
void story_fence_survives_its_loop_switch(struct story *s)
{
    story_hold(s, "A", "L1", MESSAGE_DRIVE_COMMAND);
    struct op *w1 = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "A", "L1"), MS(50));
    story_pause(s, "A");
    story_good(s, w1, MS(400));
    struct loopswitch_bank_status before = story_bank(s, "L1", 0);
    story_crash(s, "L1");
    story_restart(s, "L1");
    struct loopswitch_bank_status after = story_bank(s, "L1", 0);
    story_assert(s, after.epoch == before.epoch);
    story_assert(s, members_equal(&after.allowed, &before.allowed));
    struct op *w2 = story_write(s, 0, 64, 8, 1);
    story_restore(s, "A", "L1");
    story_resume(s, "A");
    story_run(s, MS(200));
    story_assert(s, story_stamp(s, 0, 64, 0) == w2->stamp);
}

/* Its power is back before anybody can know that the switch has died. What was written and not
 * flushed is lost there, and comes again from the mirror. */
void story_tray_loses_power_for_a_moment(struct story *s)
{
    for (uint64_t i = 0; i < 8; i++)
        story_write(s, 0, 2000 + i * 16, 8, 0);
    story_run(s, MS(50)); /* on the drives, not flushed */
    story_assert(s, story_unit(s, "A1").mirror_writes == 0);
    story_mark(s);
    story_crash(s, "L1");
    disk_power_cut(s->world, 0);
    story_restart(s, "L1");
    story_until(s, story_said(s, "A1 > drive t0/00 is failed"), MS(1000));
    story_until(s, story_said(s, "A1 > drive t0/00 is good"), MS(5000));
    story_expect(s, "A1 > drive t0/00 is failed\n"
                    "A1 > drive t0/00 is stale\n"
                    "A1 > drive 0 of pool * has all data again\n"
                    "A1 > drive t0/00 is good\n");
}

/* The same while its primary dies: the next one knows that the tray has begun a new life. */
void story_tray_loses_power_and_its_primary_dies(struct story *s)
{
    for (uint64_t i = 0; i < 8; i++)
        story_write(s, 0, 2000 + i * 16, 8, 0);
    story_run(s, MS(50));
    story_crash(s, "A");
    story_crash(s, "L1");
    disk_power_cut(s->world, 0);
    story_restart(s, "L1");
    story_until(s, story_primary(s, "B1"), MS(3000));
    story_until(s, story_record(s, 0)->drive_state[0] != DRIVE_STATE_GOOD, MS(100));
}

/* Both drives are off line while the secondary logs in anew, since a command of its primary does
 * not end there. When they are back it must know, or nobody could take over. */
void story_drive_back_on_line_unnoticed(struct story *s)
{
    static const int drives[] = {0, 32};
    static const char *const loops[] = {"L1", "L2"};
    for (int i = 0; i < 2; i++)
        story_hang_drive(s, drives[i], true);
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(20));
    for (int i = 0; i < 2; i++)
        link_break(s->world, world_process(s->world, loops[i]), world_process(s->world, "A"), true);
    story_until(s, story_said(s, "L1 > slot 00: *off line*"), MS(3000));
    story_until(s, story_said(s, "L2 > slot 00: *off line*"), MS(3000));
    for (int i = 0; i < 2; i++)
        link_break(s->world, world_process(s->world, loops[i]), world_process(s->world, "B"), true);
    story_run(s, MS(100));
    for (int i = 0; i < 2; i++)
        story_hang_drive(s, drives[i], false);
    story_run(s, MS(50));
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(1000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* The last drive that has the data loses what it had not flushed: two trays at once are more than
 * mirrors are for. What is lost is said. */
void story_last_tray_loses_power(struct story *s)
{
    story_write(s, 0, 2000, 8, 0);
    story_flush(s, 0, 0);
    uint64_t flushed_ns = world_now(s->world);
    story_fail_drive(s, 32, true);
    struct op *w = story_write(s, 0, 2016, 8, 0);
    story_until(s, story_said(s, "A1 > drive t1/00 is failed"), MS(10000));
    story_run(s, MS(50));
    story_assert(s, w->status == 0 && story_unit(s, "A1").mirror_writes == 0);
    story_mark(s);
    story_crash(s, "L1");
    disk_power_cut(s->world, 0);
    oracle_forget_since(s->site->oracle, flushed_ns);
    story_restart(s, "L1");
    story_until(s, story_said(s, "A1 * unflushed_lost group=1 unit=A1 drive=t0/00"), MS(1000));
}

/* The next primary cannot reach a loop switch, so nobody knows what still lands behind it: its
 * drive is failed in the record before anything is served. */
void story_drive_that_cannot_be_fenced_is_failed(struct story *s)
{
    struct op *before = story_write(s, 0, 64, 8, 0);
    story_break(s, "B", "L1");
    story_run(s, MS(20));
    story_mark(s);
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(1000));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_expect(s, "B1 > claims epoch *\n"
                    "B1 > drive t0/00 does not answer for its fence: failed\n"
                    "B1 > adopt * -> serve\n");
    struct op *w = story_write(s, 0, 72, 8, 0);
    story_restore(s, "B", "L1");
    story_restart(s, "A");
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_GOOD, MS(20000));
    story_assert(s, story_stamp(s, 0, 64, 1) == before->stamp);
    story_assert(s, story_stamp(s, 0, 72, 1) == w->stamp);
}

/* A drive that is taken out is failed when it is missed; put back, it comes back by itself. */
void story_drive_comes_back_by_itself(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_run(s, MS(50));
    story_mark(s);
    disk_remove(s->world, 0, true);
    struct op *w1 = story_write(s, 0, 64, 8, 1);
    story_until(s, story_said(s, "A1 > drive t0/00 is failed"), MS(2000));
    story_run(s, MS(4000)); /* tested now and then */
    disk_remove(s->world, 0, false);
    story_until(s, story_said(s, "A1 > drive t0/00 is good"), MS(9000));
    story_expect(s, "L1 > slot 00: online -> absent, it has vanished\n"
                    "A1 > drive t0/00 is failed\n"
                    "L1 > slot 00: absent -> online, it answers\n"
                    "A1 > drive t0/00 is stale\n"
                    "A1 > drive 0 of pool * has all data again\n"
                    "A1 > drive t0/00 is good\n");
    story_assert(s, story_stamp(s, 0, 64, 0) == w1->stamp);
}

/* A person bypasses a port: it stays off the loop over a restart, and comes back when released. */
void story_bypassed_by_hand(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_mark(s);
    story_request(s, "L1", "bypass 0");
    struct op *w1 = story_write(s, 0, 64, 8, 1);
    story_until(s, story_said(s, "A1 > drive t0/00 is failed"), MS(2000));
    story_crash(s, "L1");
    story_restart(s, "L1");
    story_run(s, MS(20000)); /* a new login, and time enough to try it again */
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_request(s, "L1", "release 0");
    story_until(s, story_said(s, "A1 > drive t0/00 is good"), MS(9000));
    story_expect(s, "L1 > slot 00: online -> bypassed-by-hand, a person says so\n"
                    "A1 > drive t0/00 is failed\n"
                    "L1 > slot 00: bypassed-by-hand -> absent, a person has released it\n"
                    "L1 > slot 00: absent -> online, it answers\n"
                    "A1 > drive t0/00 is stale\n"
                    "A1 > drive 0 of pool * has all data again\n"
                    "A1 > drive t0/00 is good\n");
    story_assert(s, story_stamp(s, 0, 64, 0) == w1->stamp);
}

/* A LIP makes commands wait; none is lost, no drive fails, and what was under way goes on. */
void story_lip_under_writes(struct story *s)
{
    struct op *w[8];
    story_mark(s);
    for (uint64_t i = 0; i < 8; i++) {
        w[i] = story_send_write(s, 0, 64 + i * 8, 8, 0);
        story_request(s, i % 2 ? "L1" : "L2", "lip");
        story_run(s, MS(3));
    }
    for (int i = 0; i < 8; i++)
        story_good(s, w[i], MS(1000));
    story_run(s, MS(500));
    story_assert(s, !story_said(s, "A1 > drive t0/00 is failed"));
    story_assert(s, !story_said(s, "A1 > drive t1/00 is failed"));
    story_assert(s, story_said(s, "L1 > slot 00: online -> initialising, LIP"));
    story_assert(s, story_said(s, "L1 > slot 00: initialising -> online, it answers"));
    for (int i = 0; i < 8; i++)
        story_assert(s, story_stamp(s, 0, 64 + (uint64_t)i * 8, 1) == w[i]->stamp);
}
