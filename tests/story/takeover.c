/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in charge: claims that meet, that are lost, that die half-way; planned takeovers. */
#include <stdio.h>

#include "tests/story/stories.h"

void story_each_suspects_the_other(struct story *s)
{
    story_cut(s, "A", "B", LINK_BOTH);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    struct op *v = story_send_write(s, 1, 64, 8, 1);
    story_good(s, w, MS(400));
    story_good(s, v, MS(400));
    story_assert(s, story_record(s, 0)->in_sync.count == 1);
    story_assert(s, story_primary(s, "A1") != story_primary(s, "B1"));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    story_restore(s, "A", "B");
    story_until(s, story_settled(s), MS(10000));
}

/* Of three, the two that are left cannot hear each other, and both claim. */
void story_loser_of_the_claim(struct story *s)
{
    struct op *before = story_write(s, 0, 0, 8, 0);
    story_cut(s, "B", "C", LINK_BOTH);
    story_crash(s, "A");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(1000));
    story_assert(s, story_primary(s, "B1") != story_primary(s, "C1"));
    story_assert(s, story_stamp(s, 0, 0, 1) == before->stamp);
    story_run(s, MS(1000));
    story_assert(s, story_primary(s, "B1") != story_primary(s, "C1"));
    story_restore(s, "B", "C");
    story_until(s, story_in_sync(s, "B1") && story_in_sync(s, "C1"), MS(10000));
}

/* The winner has fenced and dies before it serves: the old primary keeps its state, and claims
 * back. */
void story_winner_dies_before_it_serves(struct story *s)
{
    struct op *dirty = story_write(s, 0, 0, 8, 0);
    story_pause(s, "A");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_state(s, "B1") == UNIT_STATE_FENCING, MS(300));
    story_resume(s, "A");
    story_until(s, story_state(s, "B1") == UNIT_STATE_CLEARING, MS(100));
    story_reach_register(s, "B", CELL_UNREACHED); /* the swap that would have it serve is lost */
    story_crash(s, "B");
    story_good(s, w, MS(6000));
    story_assert(s, story_primary(s, "A1"));
    story_expect(s, "A1 > B1 has claimed: keeps its state, processes nothing\n"
                    "A1 > claims epoch *\n"
                    "A1 > adopt * -> serve\n");
    story_assert(s, story_stamp(s, 0, 0, 1) == dirty->stamp);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* A primary without any command dies, and its module is back within the availability limit: its
 * signals hardly pause, but it leads no more. */
void story_primary_restarts_before_it_is_missed(struct story *s)
{
    story_crash(s, "A");
    story_run(s, MS(60));
    story_restart(s, "A");
    story_until(s, story_primary(s, "B1"), MS(1000));
    story_expect(s, "B1 > suspects A1: restarted -> *\n"
                    "B1 > adopt 0 commands, * -> serve\n");
    story_until(s, story_in_sync(s, "A1"), MS(2000));
}

/* Two units that cannot hear each other but both reach the register must not chase each other. */
void story_no_endless_chase(struct story *s)
{
    story_cut(s, "A", "B", LINK_BOTH);
    for (int i = 0; i < 50; i++) {
        struct op *w = story_send_write(s, 0, (uint64_t)i * 8, 8, i % 2);
        story_good(s, w, MS(1000));
        story_run(s, MS(200));
    }
    story_assert(s, story_count(s, "?1 > claims epoch *") <= 2);
    story_assert(s, story_count(s, "?2 > claims epoch *") <= 2);
}

/* Three members of which one lags behind in the old primary's sequence: nothing that was answered
 * is lost, whoever wins. */
void story_survivors_lag_behind_each_other(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_mark(s);
    struct op *w2 = story_send_write(s, 0, 64, 8, 0);
    const char *slow = s->seed % 2 ? "C" : "B", *reader = s->seed % 2 ? "C1" : "B1";
    char ready[32];
    snprintf(ready, sizeof ready, "%s > ready *: held", reader);
    story_until(s, story_said(s, ready), MS(10));
    story_lose(s, "A", slow, MESSAGE_STREAM); /* DONE, and all behind it */
    story_good(s, w2, MS(10));
    struct op *w3 = story_send_write(s, 0, 68, 8, 1); /* held by one of the two at most */
    story_run(s, MS(1));
    story_assert(s, w3->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, w3, MS(500));
    story_assert(s, story_stamp(s, 0, 64, 0) == w2->stamp);
    story_assert(s, story_stamp(s, 0, 68, 0) == w3->stamp);
    story_assert(s, w1->stamp != w2->stamp);
}

/* A switch begins a new session while the next primary lags behind: what that one knew of the old
 * session's confirmations says nothing of the new one. */
void story_new_session_while_the_next_primary_lags(struct story *s)
{
    for (int i = 0; i < 12; i++)
        story_write(s, 0, (uint64_t)i * 8, 8, 0);
    story_run(s, MS(20)); /* confirmed */
    story_cut(s, "A", "B", LINK_BOTH);
    story_crash(s, "IS1");
    story_restart(s, "IS1");
    story_mark(s);
    struct op *first = story_send_write(s, 0, 200, 8, 0);
    story_until(s, story_said(s, "C1 > ready *: held"), MS(100));
    story_pause(s, "A"); /* B1 suspects first, and C1 knows more than it */
    story_until(s, first->state != OP_STATE_WAITING, MS(500));
    story_expect(s, "B1 > suspects A1: availability *\n"
                    "C1 > stops in epoch * and follows B1\n"
                    "C1 > state to B1: *\n"
                    "B1 > adopt * -> serve\n");
    struct op *w = story_write(s, 0, 200, 8, 0);
    story_assert(s, story_stamp(s, 0, 200, 1) == w->stamp);
}

void story_planned_takeover_with_messages_in_flight(struct story *s)
{
    struct op *w[24];
    for (int i = 0; i < 12; i++)
        w[i] = story_send_write(s, 0, (uint64_t)i * 4, 8, i % 2);
    struct manage_request move = {.verb = MANAGE_GROUP_MOVE, .group = 0, .module = 1};
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    struct op *m = op_manage(s->site->clients, bytes, manage_encode(&move, bytes, sizeof bytes));
    m->path = SWITCH_MAX;
    op_begin(s->site->clients, m);
    for (int i = 12; i < 24; i++) {
        story_run(s, 20000);
        w[i] = story_send_write(s, 0, (uint64_t)(i - 12) * 4, 8, i % 2);
    }
    for (int i = 0; i < 24; i++)
        story_good(s, w[i], MS(100));
    story_answered(s, m, MS(1000));
    story_until(s, story_primary(s, "B1"), MS(100));
    story_expect(s, "A1 > gives control to B1: asked\n"
                    "-- register g1: * primary B in_sync 2 previous\n"
                    "A1 > primary -> secondary, epoch *\n"
                    "L? > bank g1: epoch *, allows A1+B1 only, 0 commands to drain\n"
                    "L? > bank g1 at epoch *: drained, fenced\n"
                    "-- register g1: * primary B in_sync 2\n"
                    "B1 > adopt 0 commands, * dirty, drop * without an order -> serve\n");
    story_assert(s, story_record(s, 0)->in_sync.count == 2);
    story_assert(s, !story_said(s, "* > claims epoch *"));
}

/* Hosts wait for one drain, not for the next time that the primary looks around. */
void story_planned_takeover_waits_for_nothing_else(struct story *s)
{
    for (int i = 0; i < 4; i++) {
        const char *gives =
            i % 2 ? "B1 > gives control to A1: asked" : "A1 > gives control to B1: asked";
        struct manage_request move = {.verb = MANAGE_GROUP_MOVE, .module = (uint8_t)(1 - i % 2)};
        uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
        story_run(s, MS(100) + (uint64_t)i * MS(1));
        story_mark(s);
        struct op *m =
            op_manage(s->site->clients, bytes, manage_encode(&move, bytes, sizeof bytes));
        m->path = SWITCH_MAX;
        op_begin(s->site->clients, m);
        story_until(s, story_said(s, gives), MS(100));
        struct op *w = story_send_write(s, 0, 64, 8, i / 2);
        story_good(s, w, MS(4));
        story_assert(s, story_primary(s, i % 2 ? "A1" : "B1"));
    }
}

/* The outcome was resolved, and held by the secondary; the answer was not given. */
void story_compare_and_write_between_resolved_and_answer(struct story *s)
{
    struct op *v0 = story_write(s, 0, 64, 1, 0);
    story_mark(s);
    struct op *caw = story_send(s, op_compare_write(s->site->clients, 64, v0->stamp), 0, 0);
    story_until(s, story_said(s, "B1 > resolved *"), MS(10));
    story_assert(s, caw->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, caw, MS(25));
    story_expect(s, "A1 > resolve 12 -> status 00\n"
                    "B1 > resolved 12\n"
                    "A x crash\n"
                    "B1 > adopt 1 commands, * -> serve\n"
                    "B1 > done 12: status 00*\n");
    story_assert(s, !story_said(s, "B1 > resolve 12 *")); /* it does not decide again */
    story_assert(s, story_stamp(s, 0, 64, 1) == caw->stamp);
    struct op *second = story_send(s, op_compare_write(s->site->clients, 64, v0->stamp), 0, 1);
    story_answered(s, second, MS(25));
    story_assert(s, second->status == 2 && second->sense_key == 0x0E);
}

/* RESOLVED itself is lost with the primary: whoever decides again comes to one outcome. */
void story_compare_and_write_resolved_is_lost(struct story *s)
{
    struct op *v0 = story_write(s, 0, 64, 1, 0);
    story_mark(s);
    struct op *a = story_send(s, op_compare_write(s->site->clients, 64, v0->stamp), 0, 0);
    struct op *b = story_send(s, op_compare_write(s->site->clients, 64, v0->stamp), 0, 1);
    story_until(s, story_said(s, "A1 > resolve *"), MS(10));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_run(s, 20000);
    story_crash(s, "A");
    story_answered(s, a, MS(50));
    story_answered(s, b, MS(50));
    story_assert(s, (a->status == 0) != (b->status == 0));
}

void story_task_management_across_a_takeover(struct story *s)
{
    enum { ABORT_TASK = 1, LOGICAL_UNIT_RESET = 5 };
    story_hold(s, "B", "A", MESSAGE_HELD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "B", "A"), MS(10));
    struct op *abort = op_task(s->site->clients, ABORT_TASK, w);
    op_begin(s->site->clients, abort);
    struct op *other = story_send_write(s, 0, 128, 8, 1);
    story_run(s, MS(1));
    story_crash(s, "A");
    story_answered(s, abort, MS(50));
    story_good(s, other, MS(50));
    story_until(s, w->state != OP_STATE_WAITING, MS(50));
    uint64_t seen = story_stamp(s, 0, 64, 1);
    story_assert(s, abort->task_response == 0 || abort->task_response == 1);
    story_assert(s, w->status == 0 ? seen == w->stamp : seen == STAMP_ZERO);
    struct op *reset = op_task(s->site->clients, LOGICAL_UNIT_RESET, other);
    op_begin(s->site->clients, reset);
    story_answered(s, reset, MS(500));
    story_assert(s, reset->task_response == 0);
    story_write(s, 0, 200, 8, 0);
}

/* The register cannot be reached: what is in sync goes on, and nobody takes over. */
void story_register_out_of_reach(struct story *s)
{
    story_reach_register(s, "A", CELL_UNREACHED);
    story_reach_register(s, "B", CELL_UNREACHED);
    story_good(s, story_send_write(s, 0, 64, 8, 0), MS(10));
    story_crash(s, "A");
    struct op *w = story_send_write(s, 0, 72, 8, 0);
    story_never(s, w->state != OP_STATE_WAITING || story_primary(s, "B1"), MS(2000));
    story_reach_register(s, "B", CELL_REACHED);
    story_good(s, w, MS(2000));
}

/* A claim's answer is lost: the swap may stand. The claimant finds out. */
void story_claim_without_an_answer(struct story *s)
{
    story_reach_register(s, "B", CELL_DEAF);
    story_crash(s, "A");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(300));
    story_assert(s, w->state == OP_STATE_WAITING);
    story_reach_register(s, "B", CELL_REACHED);
    story_good(s, w, MS(3000));
    story_expect(s, "B1 > claims epoch *: link_reset\n"
                    "-- register g1: * primary B in_sync 1 previous\n"
                    "B1 > claiming -> fencing, epoch *\n"
                    "-- register g1: * primary B in_sync 1\n"
                    "B1 > adopt * -> serve\n");
    story_assert(s, story_count(s, "B1 > claims epoch *") == 1); /* it finds out, and wins once */
    story_assert(s, story_primary(s, "B1"));
}

/* Hosts keep writing while modules take turns dying: a long day. */
void story_modules_die_in_turn(struct story *s)
{
    for (int round = 0; round < 4; round++) {
        const char *module = round % 2 ? "B" : "A";
        for (int i = 0; i < 10; i++)
            story_write(s, i % 2, (uint64_t)(i * 4 + round), 8, i % 2);
        struct op *w[8];
        for (int i = 0; i < 8; i++)
            w[i] = story_send_write(s, i % 2, (uint64_t)i * 4, 8, i / 4);
        story_run(s, (s->seed * 37 + (uint64_t)round * 11) % 100 * 1000);
        story_crash(s, module);
        for (int i = 0; i < 8; i++)
            story_good(s, w[i], MS(50));
        story_restart(s, module);
        story_until(s, story_settled(s), MS(10000));
    }
}

/* A primary that reaches no drive gives control to nobody whom it is about to drop: the register
 * does not answer, and it would begin and cancel that for ever. */
void story_blind_primary_gives_control_to_nobody(struct story *s)
{
    story_break(s, "A", "L1");
    story_break(s, "A", "L2");
    story_reach_register(s, "A", CELL_UNREACHED);
    story_reach_register(s, "B", CELL_UNREACHED);
    story_pause(s, "B");
    story_run(s, MS(600));
    story_assert(s, story_count(s, "A1 > gives control*") <= 2);
    story_resume(s, "B");
}

/* Deaf to its peer, and cut off from the only tray with the data, the primary drops nobody: who
 * reaches that tray takes over in the end, and the host gets its answer. */
void story_blind_primary_drops_nobody(struct story *s)
{
    story_fail_drive(s, 0, true);
    story_write(s, 0, 64, 8, 0);
    story_flush(s, 0, 0);
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_cut(s, "B", "A", LINK_TO);
    story_cut(s, "A", "L2", LINK_BOTH);
    struct op *r = story_send_read(s, 0, 64, 8, 1);
    story_until(s, story_primary(s, "B1"), MS(6000));
    story_good(s, r, MS(2000));
    story_fail_drive(s, 0, false);
    story_restore(s, "A", "B");
    story_restore(s, "A", "L2");
}

/* Writes of blocks that a volume has only when the change before them is done: they are ordered
 * like any others. (The first is told that the volume has grown.) */
void story_writes_that_wait_for_a_volume_to_grow(struct story *s)
{
    const uint64_t blocks = s->site->volume[0].blocks;
    const uint8_t write[16] = {0x2A,
                               [2] = (uint8_t)(blocks >> 24),
                               (uint8_t)(blocks >> 16),
                               (uint8_t)(blocks >> 8),
                               (uint8_t)blocks,
                               [8] = 1};
    uint8_t data[512] = {0}, bytes[MANAGE_REQUEST_BYTES_MAX];
    story_write(s, 0, 64, 8, 0);
    attentions_grown(s->site->attentions);
    struct manage_request grow = {
        .verb = MANAGE_VOLUME_GROW, .name = "v10", .bytes = (blocks + 8) * sizeof data};
    struct op *m = op_manage(s->site->clients, bytes, manage_encode(&grow, bytes, sizeof bytes));
    m->path = SWITCH_MAX;
    story_hold(s, "B", "A", MESSAGE_HELD);
    op_begin(s->site->clients, m);
    story_run(s, MS(5));
    story_mark(s);
    struct op *w[4];
    for (int i = 0; i < 4; i++)
        w[i] = story_send(s, op_cdb(s->site->clients, write, data, sizeof data, 0), 0, 0);
    story_until(s, story_count(s, "B1 > ready *: held") == 4, MS(50));
    story_restore(s, "B", "A");
    story_answered(s, m, MS(1000));
    story_assert(s, m->status == 0);
    for (int i = 0; i < 4; i++)
        story_answered(s, w[i], MS(1000));
    story_assert(s, w[0]->status == 2 && w[0]->sense_key == 6);
    for (int i = 1; i < 4; i++)
        story_assert(s, w[i]->status == 0);
    story_assert(s, story_count(s, "A1 > done *: status 00, in the mirror") == 3);
}

/* A management change waits until what came before it is done, and what comes after it waits. */
void story_change_beside_writes(struct story *s)
{
    story_slow_drive(s, 0, MS(50));
    story_slow_drive(s, 32, MS(50));
    story_mark(s);
    struct op *before = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(10));
    struct manage_request move = {.verb = MANAGE_GROUP_MOVE, .group = 0, .module = 1};
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    struct op *m = op_manage(s->site->clients, bytes, manage_encode(&move, bytes, sizeof bytes));
    m->path = SWITCH_MAX;
    op_begin(s->site->clients, m);
    story_good(s, before, MS(1000));
    story_answered(s, m, MS(1000));
    story_expect(s, "A1 > queue 0/*, order * -> ready\n"
                    "A1 > queue 4/*, order * -> ready\n"
                    "A1 > done *: status 00*\n"
                    "A1 > resolve * -> status 00\n");
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
}
