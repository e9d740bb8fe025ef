/* SPDX-License-Identifier: Apache-2.0 */
/* Claims that stand in the record and are not served: who waits for whom, and how long. */
#include <stdio.h>

#include "tests/story/stories.h"

static void cut_off_from_drives(struct story *s, const char *module)
{
    story_cut(s, module, "L1", LINK_BOTH);
    story_cut(s, module, "L2", LINK_BOTH);
}

/* Of three, the winner never learns that its fence is up, and signals on. The other that follows it
 * does not wait for ever. */
void story_follower_of_a_claim_that_is_not_served(struct story *s)
{
    struct op *before = story_write(s, 0, 0, 8, 0);
    story_crash(s, "A");
    story_until(
        s, story_state(s, "B1") == UNIT_STATE_FENCING || story_state(s, "C1") == UNIT_STATE_FENCING,
        MS(500));
    bool b = story_state(s, "B1") == UNIT_STATE_FENCING;
    cut_off_from_drives(s, b ? "B" : "C");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(5000));
    story_expect(s, b ? "C1 > suspects B1: unserved -> *\nC1 > claims epoch *: unserved\n"
                        "C1 > adopt * -> serve\n"
                      : "B1 > suspects C1: unserved -> *\nB1 > claims epoch *: unserved\n"
                        "B1 > adopt * -> serve\n");
    story_assert(s, story_primary(s, b ? "C1" : "B1"));
    story_assert(s, story_stamp(s, 0, 0, 1) == before->stamp);
}

/* Each claims, and cannot serve. Each waits twice as long for the other as that has waited for it.
 */
void story_claims_back_after_twice_the_time(struct story *s)
{
    struct op *before = story_write(s, 0, 0, 8, 0);
    story_pause(s, "A");
    story_until(s, story_state(s, "B1") == UNIT_STATE_FENCING, MS(500));
    cut_off_from_drives(s, "B");
    story_resume(s, "A");
    story_until(s, story_state(s, "A1") == UNIT_STATE_FENCING, MS(3000));
    cut_off_from_drives(s, "A");
    story_restore(s, "B", "L1");
    story_restore(s, "B", "L2");
    story_mark(s);
    story_never(s, story_said(s, "B1 > claims *"), MS(3500)); /* two fence limits are 4 s */
    story_until(s, story_primary(s, "B1"), MS(1500));
    story_expect(s, "B1 > claims epoch *: claimant_unserved\n"
                    "B1 > adopt * -> serve\n");
    story_assert(s, story_stamp(s, 0, 0, 1) == before->stamp);
}

/* Two have claimed over it, one over the other, and both die before they serve. It is named in the
 * second record as in the first, and has all that was ever answered. */
void story_deposed_twice_over(struct story *s)
{
    story_hang_drive(s, 0, true);
    story_hang_drive(s, 32, true);
    struct op *dirty = story_write(s, 0, 0, 8, 0); /* in three mirrors, on no drive */
    story_pause(s, "A");
    story_until(
        s, story_state(s, "B1") == UNIT_STATE_FENCING || story_state(s, "C1") == UNIT_STATE_FENCING,
        MS(500));
    bool b = story_state(s, "B1") == UNIT_STATE_FENCING;
    const char *second = b ? "C" : "B";
    cut_off_from_drives(s, b ? "B" : "C");
    story_until(s, story_state(s, b ? "C1" : "B1") == UNIT_STATE_FENCING, MS(3000));
    cut_off_from_drives(s, second);
    story_resume(s, "A");
    story_crash(s, "B");
    story_crash(s, "C");
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_until(s, story_said(s, "A1 > adopt *"), MS(5000));
    story_expect(s, "A1 > * has claimed: keeps its state, processes nothing\n"
                    "A1 > claims epoch *: claimant_died\n"
                    "A1 > adopt * -> serve\n");
    story_assert(s, story_stamp(s, 0, 0, 1) == dirty->stamp);
}

/* The winner dies before it serves, and the old primary stands still. One that comes back empty
 * leaves the group to it: that one holds the queue. */
void story_out_unit_leaves_it_to_the_deposed_one(struct story *s)
{
    story_crash(s, "C");
    story_until(s, story_record(s, 0)->in_sync.count == 2, MS(1000));
    struct op *before = story_write(s, 0, 0, 8, 0);
    story_flush(s, 0, 0);
    story_run(s, MS(500)); /* nothing is dirty: only the old primary's life is in the way */
    story_pause(s, "A");
    story_until(s, story_state(s, "B1") == UNIT_STATE_FENCING, MS(500));
    story_crash(s, "B");
    story_restart(s, "C");
    story_assert(s, story_record(s, 0)->dirty.module == MODULE_NONE);
    story_never(s, story_said(s, "C1 > claims *"), MS(3000));
    story_resume(s, "A");
    story_until(s, story_said(s, "A1 > adopt *"), MS(1000));
    story_expect(s, "A1 > claims epoch *: claimant_died\n"
                    "A1 > adopt * -> serve\n");
    story_assert(s, story_stamp(s, 0, 0, 1) == before->stamp);
}

/* What the winner has adopted is done only when those that it names hold it in its own reign. */
void story_adopted_when_the_new_members_hold_it(struct story *s)
{
    story_lose(s, "B", "A", MESSAGE_HELD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held") && story_said(s, "C1 > ready *: held"),
                MS(10));
    story_crash(s, "A");
    story_until(
        s, story_state(s, "B1") == UNIT_STATE_FENCING || story_state(s, "C1") == UNIT_STATE_FENCING,
        MS(500));
    bool b = story_state(s, "B1") == UNIT_STATE_FENCING;
    const char *winner = b ? "B" : "C", *other = b ? "C" : "B";
    story_hold(s, other, winner, MESSAGE_HELD);
    story_until(s, story_primary(s, b ? "B1" : "C1"), MS(100));
    story_never(s, w->state != OP_STATE_WAITING, MS(100));
    story_restore(s, other, winner);
    story_good(s, w, MS(200));
    story_assert(s, story_record(s, 0)->in_sync.count == 2);
}
