/* SPDX-License-Identifier: Apache-2.0 */
/* What a member that comes in must know, and when it counts; and control that is given in order. */
#include "tests/story/stories.h"

/* It has said that it has stopped; its process ends and is started anew. */
static void leaves_and_returns(struct story *s)
{
    for (int g = 0; g < 2; g++)
        story_until(s, site_unit(s->site, 0, g)->stopped, MS(5000));
    story_crash(s, "A");
    story_restart(s, "A");
}

static void alone(struct story *s)
{
    story_crash(s, "B");
    story_until(s, story_record(s, 0)->in_sync.count == 1 && story_primary(s, "A1"), MS(1000));
}

/* Answers depend on a member that joins from its first frame on, and the record names it only when
 * it has confirmed that it has all. */
void story_answers_wait_for_one_that_joins(struct story *s)
{
    story_write(s, 0, 0, 8, 0);
    alone(s);
    story_restart(s, "B");
    story_until(s, story_said(s, "A1 > state to B1*"), MS(3000));
    story_hold(s, "B", "A", MESSAGE_HELD);
    story_until(s, story_held(s, "B", "A"), MS(100));
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_never(s, w->state != OP_STATE_WAITING || story_record(s, 0)->in_sync.count > 1, MS(100));
    story_restore(s, "A", "B");
    story_good(s, w, MS(500));
    story_until(s, story_in_sync(s, "B1"), MS(3000));
}

/* The answer to a COMPARE AND WRITE is lost, a unit comes in, and the primary dies: it is not
 * carried out once more, but answered by its outcome. */
void story_outcome_outlives_who_had_it(struct story *s)
{
    struct op *v0 = story_write(s, 0, 64, 1, 0);
    alone(s);
    story_write(s, 0, 0, 8, 0);
    story_lose(s, "A", "IS1", MESSAGE_RESPONSE);
    story_mark(s);
    struct op *caw = story_send(s, op_compare_write(s->site->clients, 64, v0->stamp), 0, 0);
    story_until(s, story_said(s, "A1 > done *: status 00*"), MS(500));
    story_restart(s, "B");
    story_until(s, story_in_sync(s, "B1"), MS(5000));
    story_assert(s, caw->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, caw, MS(500));
    story_assert(s, story_stamp(s, 0, 64, 1) == caw->stamp);
}

/* It was resolved, and its write is half done on the drives when a unit comes in and the primary
 * dies: the new one carries the effect out and does not decide again. */
void story_resolved_before_the_next_primary_came_in(struct story *s)
{
    struct op *v0 = story_write(s, 0, 64, 1, 0);
    alone(s);
    story_write(s, 0, 0, 8, 0);
    story_until(s, story_record(s, 0)->dirty.module == MODULE_NONE, MS(5000));
    story_slow_drive(s, 0, MS(1500));
    story_slow_drive(s, 32, MS(1500));
    story_mark(s);
    struct op *caw = story_send(s, op_compare_write(s->site->clients, 64, v0->stamp), 0, 0);
    story_until(s, story_said(s, "A1 > resolve *"), MS(5000));
    story_restart(s, "B");
    story_until(s, story_in_sync(s, "B1"), MS(5000));
    story_assert(s, caw->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    story_good(s, caw, MS(5000));
    story_assert(s,
                 !story_said(s, "B1 > resolve *: *") && story_said(s, "B1 > adopt 1 commands, *"));
    story_assert(s, story_stamp(s, 0, 64, 1) == caw->stamp);
}

/* A module that leaves gives control only when nothing of its own is under way at the drives, and
 * takes no more orders meanwhile. */
void story_control_is_given_when_all_is_done(struct story *s)
{
    story_slow_drive(s, 0, MS(300));
    story_slow_drive(s, 32, MS(300));
    struct op *before = story_write(s, 0, 64, 8, 0); /* in the mirror, on its way to the drives */
    story_run(s, MS(10));
    story_stop(s, "A");
    story_until(s, story_said(s, "A1 > gives control to B1: stops"), MS(100));
    struct op *w = story_send_write(s, 0, 128, 8, 0); /* before its switch knows of that */
    story_never(s, story_record(s, 0)->primary.module == 1 || w->state != OP_STATE_WAITING,
                MS(150));
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    story_good(s, w, MS(1000));
    story_assert(s, story_primary(s, "B1") && !story_said(s, "?1 > claims epoch *"));
    story_assert(s, story_stamp(s, 0, 64, 1) == before->stamp);
    leaves_and_returns(s);
}

/* ... and only when the member has confirmed the last that it was told. */
void story_control_is_given_when_all_is_confirmed(struct story *s)
{
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(10));
    story_good(s, w, MS(10));
    story_lose(s, "B", "A", MESSAGE_HELD); /* of DONE */
    story_run(s, MS(30));                  /* by then the data is on the drives */
    story_stop(s, "A");
    story_until(s, story_said(s, "A1 > gives control to B1: stops"), MS(100));
    story_never(s, story_record(s, 0)->primary.module == 1, MS(100));
    story_lose(s, "B", "A", MESSAGE_NONE);
    story_until(s, story_primary(s, "B1"), MS(500));
    story_assert(s, !story_said(s, "?1 > claims epoch *"));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    leaves_and_returns(s);
}

/* Everything stops. A primary that has begun to stop takes no more orders: what it answered now
 * might stay in its memory. */
void story_stopping_primary_takes_no_orders(struct story *s)
{
    story_slow_drive(s, 0, MS(300));
    story_slow_drive(s, 32, MS(300));
    struct op *before = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(10));
    for (int i = 0; i < 2; i++)
        story_cut(s, i ? "IS2" : "IS1", "A", LINK_BOTH); /* it hears no switch: the array stops */
    story_run(s, MS(160));
    for (int i = 0; i < 2; i++)
        story_stop(s, i ? "B" : "A");
    story_run(s, MS(1));
    for (int i = 0; i < 2; i++)
        story_restore(s, i ? "IS2" : "IS1", "A");
    struct op *w = story_send_write(s, 0, 128, 8, 0);
    story_never(s, w->state == OP_STATE_ANSWERED && w->status == 0, MS(2000));
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    story_until(s, story_record(s, 0)->clean, MS(9000));
    story_assert(s, before->status == 0 && w->state == OP_STATE_WAITING);
    story_leave(s);
}

/* The drives take nothing for a while. What was acknowledged stays in the mirror until they do. */
void story_drives_take_nothing_for_a_while(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_flush(s, 0, 0);
    story_fail_drive(s, 0, true);
    story_fail_drive(s, 32, true);
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > acknowledged data of volume * is not on drives: *"),
                MS(30000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    story_fail_drive(s, 0, false);
    story_fail_drive(s, 32, false);
    story_run(s, MS(3000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* One that has become lone answers nothing, not even what needs no drive, before the drives hold
 * all that its members held. */
void story_state_is_stored_before_a_lone_primary_answers(struct story *s)
{
    story_hang_drive(s, 0, true);
    story_hang_drive(s, 32, true);
    alone(s);
    struct op *r = story_send_read(s, 0, 640, 8, 0); /* of blocks that nobody has written */
    story_never(s, r->state != OP_STATE_WAITING, MS(300));
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_good(s, r, MS(1000));
}

/* What the primary says is on its way to B for long; meanwhile C comes back, and B reads in the
 * record that it has. What the sequence says of the time before belongs to the same reign. */
void story_record_is_ahead_of_the_sequence(struct story *s)
{
    story_crash(s, "C");
    story_until(s, story_record(s, 0)->in_sync.count == 2, MS(500));
    link_slow(s->world, s->site->module[0], s->site->module[1], MS(40));
    story_restart(s, "C");
    while (story_record(s, 0)->in_sync.count == 2) {
        story_send_write(s, 0, 64, 8, 0);
        story_run(s, MS(10));
    }
    story_mark(s);
    story_until(s, story_unit(s, "B1").epoch == story_record(s, 0)->epoch, MS(500));
    story_never(s, story_said(s, "A1 > suspects B1: *") || story_said(s, "B1 > suspects *"),
                MS(1000));
    story_good(s, story_send_write(s, 0, 64, 8, 0), MS(500));
    story_assert(s, story_record(s, 0)->in_sync.count == 3);
    link_slow(s->world, s->site->module[0], s->site->module[1], 0);
}
