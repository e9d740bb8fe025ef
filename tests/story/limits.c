/* SPDX-License-Identifier: Apache-2.0 */
/* Who is suspected when, and what is said that must not be taken for silence. */
#include "tests/story/stories.h"

/* A copy that is too old reaches the secondary alone. The primary refuses what is forwarded, and
 * says so to the secondary, which tells the switch: nobody takes that for a dead primary. */
void story_forward_of_what_is_too_old_is_answered(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    story_cut(s, "IS1", "A", LINK_BOTH);
    story_cut(s, "IS1", "B", LINK_TO);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(120));
    story_restore(s, "IS1", "B");
    story_good(s, w, MS(150));
    story_expect(s, "B1 > no ready for 0/* -> forward to A1\n"
                    "A1 > refuse 0/*: stale\n"
                    "B1 > refuse 0/*: stale\n"
                    "A1 > queue 0/*, order * -> ready\n"
                    "A1 > done *: status 00*\n");
    story_assert(s, !story_said(s, "?1 > suspects *") && story_record(s, 0)->epoch == epoch);
}

/* Entries of the sequence are lost and the link stays up: what comes behind them is not taken, so
 * nothing is answered that the secondary has never heard of. */
void story_gap_in_the_sequence(struct story *s)
{
    story_lose(s, "A", "B", MESSAGE_STREAM);
    struct op *w1 = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > queue 0/*, order * -> ready"), MS(10));
    story_run(s, MS(1));
    story_lose(s, "A", "B", MESSAGE_NONE);
    struct op *w2 = story_send_write(s, 0, 72, 8, 0);
    story_never(s, w1->state != OP_STATE_WAITING || w2->state != OP_STATE_WAITING, MS(100));
    story_break(s, "A", "B"); /* its report on the next link makes it whole */
    story_restore(s, "A", "B");
    story_good(s, w1, MS(100));
    story_good(s, w2, MS(100));
    story_assert(s, story_primary(s, "A1") && story_in_sync(s, "B1"));
    story_crash(s, "A");
    story_assert(s, story_stamp(s, 0, 64, 1) == w1->stamp);
    story_assert(s, story_stamp(s, 0, 72, 1) == w2->stamp);
}

/* What it has had comes once more, late: it is not taken again, and everything goes on. */
void story_entries_come_once_more(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    int a = world_process(s->world, "A"), b = world_process(s->world, "B");
    for (int i = 0; i < 5; i++) {
        link_duplicate(s->world, a, b, MESSAGE_STREAM, 3);
        for (int k = 0; k < 4; k++)
            story_good(s, story_send_write(s, 0, (uint64_t)(8 * i + k), 1, k % 2), MS(20));
        story_run(s, MS(60));
    }
    story_assert(s, !story_said(s, "* > suspects *") && story_record(s, 0)->epoch == epoch);
    story_crash(s, "A");
    story_good(s, story_send_read(s, 0, 0, 40, 1), MS(50));
}

/* The whole machine sleeps, and wakes: everybody finds everybody silent, and suspects nobody. */
void story_array_sleeps_and_wakes(struct story *s)
{
    static const char *const all[] = {"A", "B", "IS1", "IS2", "L1", "L2"};
    uint64_t epoch[2] = {story_record(s, 0)->epoch, story_record(s, 1)->epoch};
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, (s->seed * 29) % 400 * 1000);
    for (int i = 0; i < 6; i++)
        story_pause(s, all[i]);
    story_run(s, MS(60000));
    for (int i = 0; i < 6; i++) {
        story_resume(s, all[((uint64_t)i + s->seed) % 6]);
        story_run(s, MS(15)); /* one after the other has its turn */
    }
    story_answered(s, w, MS(500));
    story_run(s, MS(500));
    story_assert(s, !story_said(s, "* > suspects *"));
    for (int g = 0; g < 2; g++)
        story_assert(s, story_record(s, g)->epoch == epoch[g]);
}

/* A unit on a loaded machine is late again and again. It listens for one limit in all, not for one
 * each time: it takes over from a primary that is dead. */
void story_late_again_and_again(struct story *s)
{
    story_crash(s, "A");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    for (int i = 0; i < 5; i++) {
        story_pause(s, "B");
        story_run(s, MS(80)); /* more than half the availability limit */
        story_resume(s, "B");
        story_run(s, MS(50));
    }
    story_assert(s, story_said(s, "B1 > suspects A1: availability -> *"));
    story_good(s, w, MS(500));
    story_assert(s, story_primary(s, "B1"));
}

/* The primary's own cables to the drives are pulled: it gives control to whom they are not. */
void story_primary_that_reaches_no_drive(struct story *s)
{
    struct op *before = story_write(s, 0, 0, 8, 0); /* not yet on the drives, perhaps */
    story_break(s, "A", "L1");
    story_break(s, "A", "L2");
    struct op *r = story_send_read(s, 0, 128, 8, 1);
    story_good(s, r, MS(3000));
    story_until(s, story_primary(s, "B1"), MS(500));
    story_expect(s, "A1 > gives control to B1: it reaches the drives\n"
                    "A1 > primary -> secondary, epoch *\n"
                    "B1 > adopt * -> serve\n");
    story_assert(s, !story_said(s, "?1 > claims epoch *"));
    story_assert(s, story_stamp(s, 0, 0, 0) == before->stamp);
}

/* A member that has suspected its primary, and cannot take over, hears it again: it answers READY
 * no more, and nothing is answered before the primary goes on without it. */
void story_stopped_member_says_no_ready(struct story *s)
{
    story_reach_register(s, "B", CELL_UNREACHED);
    story_cut(s, "A", "B", LINK_TO);
    story_until(s, story_said(s, "B1 > suspects A1: availability -> *"), MS(300));
    story_restore(s, "A", "B");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(600));
    story_expect(s, "A1 > suspects B1: *\n"
                    "A1 > epoch *: goes on without B1\n"
                    "A1 > done *: status 00*\n");
    story_reach_register(s, "B", CELL_REACHED);
    story_until(s, story_in_sync(s, "B1"), MS(5000));
}

/* The swap that drops a member is on its way when its READY comes after all: that counts no more.
 */
void story_ready_of_one_that_is_being_dropped(struct story *s)
{
    story_lose(s, "B", "A", MESSAGE_HELD);
    cell_slow(s->world, world_process(s->world, "A"), MS(300));
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > suspects B1: ready"), MS(400));
    story_lose(s, "B", "A", MESSAGE_NONE);
    story_good(s, w, MS(2000));
    story_expect(s, "A1 > suspects B1: ready\n"
                    "-- register g1: * primary A in_sync 1*\n"
                    "A1 > epoch *: goes on without B1\n"
                    "A1 > done *: status 00*\n");
    cell_slow(s->world, world_process(s->world, "A"), 0);
}

/* A copy grows old in the secondary, whose forwards are lost: when one comes it is too old. */
void story_copy_that_grows_old_in_a_unit(struct story *s)
{
    story_cut(s, "IS1", "A", LINK_TO);
    story_lose(s, "B", "A", MESSAGE_FORWARD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(110));
    story_lose(s, "B", "A", MESSAGE_NONE);
    story_good(s, w, MS(200));
    story_expect(s, "B1 > no ready for 0/* -> forward to A1\n"
                    "A1 > refuse 0/*: stale\n"
                    "A1 > queue 0/*, order * -> ready\n");
    story_assert(s, story_primary(s, "A1"));
}

/* A copy that is sent again is as old as the command. */
void story_copy_that_is_sent_again_is_old(struct story *s)
{
    story_lose(s, "IS1", "A", MESSAGE_COMMAND);
    story_lose(s, "IS1", "B", MESSAGE_COMMAND);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(120));
    story_lose(s, "IS1", "A", MESSAGE_NONE);
    story_lose(s, "IS1", "B", MESSAGE_NONE);
    story_break(s, "IS1", "A");
    story_break(s, "IS1", "B");
    story_restore(s, "IS1", "A");
    story_restore(s, "IS1", "B");
    story_good(s, w, MS(200));
    story_expect(s, "A1 > refuse 0/*: stale\n"
                    "A1 > queue 0/*, order * -> ready\n");
}

/* A primary stands still while drives work for it, for longer than they may take, and nobody can
 * take over: it wakes, and none of them has been slow. */
void story_stopped_for_longer_than_a_drive_may_take(struct story *s)
{
    story_slow_drive(s, 0, MS(20));
    story_slow_drive(s, 32, MS(20));
    story_reach_register(s, "B", CELL_UNREACHED);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(10));
    story_run(s, MS(5));
    story_pause(s, "A");
    story_run(s, MS(20000));
    story_resume(s, "A");
    story_good(s, w, MS(1000));
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    story_assert(s, !story_said(s, "A1 > drive * is bad: *"));
}

/* It hears a loop switch, but the set's one good drive is behind the other: what it would claim it
 * could not serve. */
void story_no_claim_without_drives(struct story *s)
{
    story_fail_drive(s, 0, true);
    struct op *before = story_write(s, 0, 64, 8, 0);
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED, MS(1000));
    story_break(s, "B", "L2");
    story_run(s, MS(100));
    story_mark(s);
    story_crash(s, "A");
    struct op *r = story_send_read(s, 0, 64, 8, 0);
    story_never(s, story_said(s, "B1 > claims epoch *"), MS(1000));
    story_restore(s, "B", "L2");
    story_good(s, r, MS(1000));
    story_expect(s, "B1 > suspects A1: *\n"
                    "B1 > claims epoch *\n"
                    "B1 > adopt * -> serve\n");
    story_fail_drive(s, 0, false);
    story_assert(s, story_stamp(s, 0, 64, 1) == before->stamp);
}
