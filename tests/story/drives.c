/* SPDX-License-Identifier: Apache-2.0 */
/* Drives, their loop switches, and fences. */
#include "tests/story/stories.h"

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
    disk_hang(s->world, 0, true);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(2));
    story_crash(s, "A");
    story_good(s, w, MS(3000));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_assert(s, story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD);
    story_good(s, story_send_write(s, 1, 64, 8, 0), MS(1000));
    struct op *over = story_write(s, 0, 64, 8, 0);
    disk_hang(s->world, 0, false); /* the old write lands now, on a drive that nobody reads */
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
    disk_hang(s->world, 0, true);
    struct op *w2 = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w2, MS(7000));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_crash(s, "A");
    disk_hang(s->world, 0, false);
    for (int i = 0; i < 4; i++)
        story_assert(s, story_stamp(s, 0, 64, i % 2) == w2->stamp);
    story_assert(s, w1->stamp != w2->stamp);
}

/* A drive that errs: the mirror answers, and the drive is failed. */
void story_drive_that_errs(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(100));
    disk_fail(s->world, 0, true, true);
    for (int i = 0; i < 6; i++) {
        struct op *r = story_send_read(s, 0, 64, 8, i % 2);
        story_good(s, r, MS(8000));
        story_assert(s, op_block_stamp(r->in, 64) == w1->stamp);
    }
    struct op *w2 = story_send_write(s, 0, 72, 8, 0);
    story_good(s, w2, MS(8000));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    disk_fail(s->world, 0, false, false);
    story_crash(s, "A");
    story_assert(s, story_stamp(s, 0, 72, 0) == w2->stamp);
}

/* Writes that overlap are destaged together; CLEAN of one drops exactly its own blocks. */
void story_overlapping_writes_destaged_together(struct story *s)
{
    disk_slow(s->world, 0, MS(3));
    disk_slow(s->world, 32, MS(4));
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
    struct loopswitch_bank_status before, after;
    loopswitch_bank(kinds_loopswitch(world_part(s->world, "L1")), 0, &before);
    story_crash(s, "L1");
    story_restart(s, "L1");
    loopswitch_bank(kinds_loopswitch(world_part(s->world, "L1")), 0, &after);
    story_assert(s, after.epoch == before.epoch);
    story_assert(s, members_equal(&after.allowed, &before.allowed));
    struct op *w2 = story_write(s, 0, 64, 8, 1);
    story_restore(s, "A", "L1");
    story_resume(s, "A");
    story_run(s, MS(200));
    story_assert(s, story_stamp(s, 0, 64, 0) == w2->stamp);
}
