/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, links and switches that are lost while a command is under way. */
#include "tests/story/stories.h"

void story_ready_lost_with_the_link(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    story_hold(s, "A", "B", MESSAGE_STREAM);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "A", "B"), MS(10));
    story_break(s, "A", "B"); /* READY goes with it, or not */
    story_run(s, MS(5));
    story_restore(s, "A", "B");
    story_good(s, w, MS(200));
    story_assert(s, story_primary(s, "A1") && story_record(s, 0)->epoch == epoch);
    story_assert(s, story_in_sync(s, "B1"));
}

void story_done_lost_with_the_crash(struct story *s)
{
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(10));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_good(s, w, MS(10));
    story_assert(s, !story_said(s, "B1 > done *"));
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(25));
    story_expect(s, "B1 > adopt 1 commands, * -> serve\n");
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    struct op *over = story_write(s, 0, 64, 8, 1);
    story_run(s, MS(300));
    story_assert(s, story_stamp(s, 0, 64, 0) == over->stamp);
}

void story_response_lost_after_done_arrived(struct story *s)
{
    story_write(s, 0, 128, 8, 0);
    story_run(s, MS(20));
    story_mark(s);
    story_lose(s, "A", "IS1", MESSAGE_RESPONSE);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    struct op *r = story_send_read(s, 0, 128, 8, 0);
    story_until(s, story_count(s, "B1 > done *") == 2, MS(10));
    story_assert(s, w->state == OP_STATE_WAITING && r->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, w, MS(25));
    story_good(s, r, MS(25));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* A read was done, its answer perhaps given; then its volume is reset, and its primary dies. It
 * runs again, and does not tell the unit attention: who has the data already would never hear of
 * it. */
void story_read_runs_again_after_a_reset(struct story *s)
{
    enum { LOGICAL_UNIT_RESET = 5 };
    story_write(s, 0, 128, 8, 0);
    struct op *other = story_write(s, 0, 64, 8, 1);
    story_run(s, MS(20));
    story_mark(s);
    story_lose(s, "A", "IS1", MESSAGE_RESPONSE);
    struct op *r = story_send_read(s, 0, 128, 8, 0);
    story_until(s, story_said(s, "B1 > done *"), MS(10));
    struct op *reset = op_task(s->site->clients, LOGICAL_UNIT_RESET, other);
    op_begin(s->site->clients, reset);
    story_answered(s, reset, MS(100));
    story_assert(s, r->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, r, MS(25));
    r = story_send_read(s, 0, 128, 8, 0);
    story_answered(s, r, MS(25));
    story_assert(s, r->status == 2 && r->sense_key == 6);
}

/* The link from a switch to one unit is no reason for a takeover, whichever way it is cut. */
void story_switch_to_unit_link_cut(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    story_cut(s, "IS1", "A", LINK_BOTH);
    for (int i = 0; i < 10; i++) {
        struct op *w = story_send_write(s, 0, (uint64_t)i * 8, 8, 0);
        story_good(s, w, MS(500)); /* the first has to find out by the availability limit */
        struct op *r = story_send_read(s, 0, (uint64_t)i * 8, 8, 0);
        story_good(s, r, MS(500));
    }
    story_break(s, "IS2", "B");
    for (int i = 0; i < 10; i++)
        story_good(s, story_send_write(s, 0, (uint64_t)i * 8, 8, 1), MS(300));
    story_assert(s, story_record(s, 0)->epoch == epoch && story_primary(s, "A1"));
}

/* The primary hears the switch, which does not hear it; or the other way. Nobody is told of that.
 */
void story_link_cut_one_way(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    for (int way = 0; way < 2; way++) {
        story_cut(s, "A", "IS1", way ? LINK_FROM : LINK_TO);
        for (int i = 0; i < 5; i++) {
            story_good(s, story_send_write(s, 0, (uint64_t)i * 8, 8, 0), MS(500));
            story_good(s, story_send_read(s, 0, (uint64_t)i * 8, 8, 0), MS(500));
        }
        story_restore(s, "A", "IS1");
        story_run(s, MS(200));
    }
    story_assert(s, story_record(s, 0)->epoch == epoch && story_primary(s, "A1"));
}

/* It hears nothing at all, its peer hears it: it is not the peer that is dead. */
void story_deaf_unit_does_not_claim(struct story *s)
{
    story_isolate(s, "B", LINK_FROM);
    struct op *w[2] = {story_send_write(s, 0, 64, 8, 0), story_send_write(s, 1, 64, 8, 1)};
    story_good(s, w[0], MS(600));
    story_good(s, w[1], MS(600));
    story_never(s, story_said(s, "B? > claims epoch *"), MS(1000));
    story_assert(s, story_primary(s, "A1") && story_primary(s, "A2"));
    story_rejoin(s, "B");
    story_until(s, story_in_sync(s, "B1"), MS(5000));
}

/* The host has gone on by the other switch: what it left behind must not come to life. */
void story_interface_switch_dies_with_a_write(struct story *s)
{
    story_hold(s, "IS1", "A", MESSAGE_COMMAND);
    story_hold(s, "IS1", "B", MESSAGE_COMMAND);
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "IS1", "A") && story_held(s, "IS1", "B"), MS(10));
    story_crash(s, "IS1");
    story_assert(s, left->state == OP_STATE_LOST);
    story_run(s, MS(200)); /* the host's path time is longer than the stale limit */
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_restore(s, "IS1", "A");
    story_restore(s, "IS1", "B");
    story_restart(s, "IS1");
    story_run(s, MS(1000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* A switch that wakes after its session was declared dead sends nothing of its hosts' again. */
void story_switch_wakes_in_a_dead_session(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_pause(s, "IS1");
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    clients_leave(s->site->clients, s->host, 0);
    story_run(s, MS(3000));
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_resume(s, "IS1");
    story_until(s, left->state != OP_STATE_WAITING, MS(5000));
    story_run(s, MS(200));
    story_assert(s, story_said(s, "* > nothing came from sender 0: its session * is dead"));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* Commands and signals pass between the switch and the primary, and answers do not: they go through
 * the secondary, and nobody takes over. */
void story_answers_alone_are_lost(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    struct op *w[8];
    story_lose(s, "A", "IS1", MESSAGE_RESPONSE);
    for (int i = 0; i < 8; i++)
        w[i] = story_send_write(s, 0, 64 + (uint64_t)i * 8, 8, 0);
    struct op *r = story_send_read(s, 0, 64, 8, 0);
    for (int i = 0; i < 8; i++)
        story_good(s, w[i], MS(2500));
    story_good(s, r, MS(2500));
    story_assert(s, op_block_stamp(r->in, 64) == w[0]->stamp);
    story_assert(s, story_record(s, 0)->epoch == epoch && story_primary(s, "A1"));
}

void story_secondary_never_answers_ready(struct story *s)
{
    story_lose(s, "B", "A", MESSAGE_HELD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(400));
    story_expect(s, "B1 > ready *: held\n"
                    "A1 > suspects B1: ready\n"
                    "-- register g1: * primary A in_sync 1*\n"
                    "A1 > epoch *: goes on without B1\n"
                    "A1 > done *: status 00*\n");
    story_assert(s, story_primary(s, "A1"));
}

void story_primary_never_sends_ready(struct story *s)
{
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_lose(s, "A", "B", MESSAGE_FORWARD_ANSWER);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(600)); /* each suspects the other: the register decides */
    story_assert(s, story_primary(s, "A1") != story_primary(s, "B1"));
}

/* Writes that take their time, one after the other. */
static void write_slowly(struct story *s, struct op **w, int count)
{
    story_slow_drive(s, 0, MS(900));
    story_slow_drive(s, 32, MS(900));
    for (int i = 0; i < count; i++) {
        w[i] = story_send_write(s, 0, (uint64_t)i * 8, 8, i % 2);
        story_run(s, MS(20));
    }
}

/* A primary whose READY came and whose DONE does not, and that says nothing of why. Its drives
 * answer in time again when it has been suspected: how long a takeover is with slow drives is not
 * the question. */
void story_processing_limit(struct story *s)
{
    struct op *w[30];
    story_lose(s, "A", "B", MESSAGE_SIGNAL);
    write_slowly(s, w, 30);
    story_until(s, story_said(s, "B1 > suspects A1: processing*"), MS(5000));
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    for (int i = 0; i < 30; i++)
        story_good(s, w[i], MS(5000));
    story_expect(s, "B1 > suspects A1: processing -> stops answering ready in epoch *\n"
                    "B1 > claims epoch *: processing\n"
                    "B1 > adopt * -> serve\n");
}

/* The same, but it says that it waits for a drive: a slow drive is not a dead controller. */
void story_slow_drive_is_no_dead_controller(struct story *s)
{
    struct op *w[30];
    uint64_t epoch = story_record(s, 0)->epoch;
    write_slowly(s, w, 30);
    for (int i = 0; i < 30; i++)
        story_good(s, w[i], MS(5000));
    story_assert(s, story_record(s, 0)->epoch == epoch && !story_said(s, "* > suspects *"));
}

/* A unit whose own loop was late listens before it suspects anybody. */
void story_late_unit_listens_first(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    story_pause(s, "B");
    story_run(s, MS(120)); /* too short for A1 to drop it */
    story_resume(s, "B");
    story_good(s, story_send_write(s, 0, 64, 8, 0), MS(100));
    story_run(s, MS(500));
    story_assert(s, story_record(s, 0)->epoch == epoch);
    story_cut(s, "A", "B", LINK_BOTH);
    story_pause(s, "B");
    story_run(s, MS(140));
    story_restore(s, "A", "B");
    story_resume(s, "B");
    story_run(s, MS(500));
    story_assert(s, !story_said(s, "B1 > suspects*"));
}

/* Everything a host may do meanwhile, through any mixture of short faults of links. */
void story_links_flap(struct story *s)
{
    static const char *const pairs[][2] = {{"A", "B"},   {"IS1", "A"}, {"IS1", "B"}, {"IS2", "A"},
                                           {"IS2", "B"}, {"A", "L1"},  {"B", "L2"}};
    struct random random = {s->seed};
    struct op *last = NULL;
    for (int i = 0; i < 40; i++) {
        const char *const *pair = pairs[random_below(&random, 7)];
        struct op *w = story_send_write(s, 0, random_below(&random, 64), 8, i % 2);
        story_run(s, random_below(&random, 100000));
        link_break(s->world, world_process(s->world, pair[0]), world_process(s->world, pair[1]),
                   true);
        story_good(s, w, MS(3000));
        last = w;
    }
    story_assert(s, last && last->status == 0);
}

/* Its DONE has come to the secondary and its answer, with the data, to nobody. The secondary takes
 * over while the switch stands still: it holds an outcome, not the data, and must not answer a read
 * by that. */
void story_read_is_never_answered_without_its_data(struct story *s)
{
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_read(s, 0, 64, 8, 0); /* what was done before is confirmed */
    story_run(s, MS(300));
    story_mark(s);
    story_lose(s, "A", "IS1", MESSAGE_RESPONSE);
    struct op *r = story_send_read(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > done *"), MS(100));
    story_pause(s, "IS1");
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(2000));
    story_run(s, MS(220)); /* the switch is silent: what it may have lost is said again */
    story_resume(s, "IS1");
    story_until(s, r->state != OP_STATE_WAITING, MS(5000));
    if (r->state == OP_STATE_ANSWERED && r->status == 0)
        story_assert(s, r->in_length == 8 * BLOCK_BYTES);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* The primary hears no READY any more and cannot reach the register to go on without its secondary,
 * which hears it very well. No ACK comes, so the secondary takes over, long before the processing
 * limit. */
void story_primary_never_acknowledges(struct story *s)
{
    story_lose(s, "B", "A", MESSAGE_HELD);
    story_reach_register(s, "A", CELL_UNREACHED);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(3500));
    story_expect(s, "B1 > ready *: held\n"
                    "B1 > suspects A1: acknowledge -> stops answering ready in epoch *\n"
                    "B1 > adopt 1 commands* -> serve\n"
                    "B1 > done *: status 00*\n");
}
