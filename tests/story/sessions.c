/* SPDX-License-Identifier: Apache-2.0 */
/* What a switch, or a host, has left behind, and who must know of it. */
#include "sim/stream.h"
#include "tests/story/stories.h"

static struct host *host_of(struct story *s, int host, int path)
{
    return s->site->host[host][path];
}

/* The host leaves while only the secondary has its write, and the withdrawal comes to the primary
 * alone. That it was withdrawn is kept as an outcome is: what the secondary holds does not run. */
void story_withdrawn_before_the_primary_had_it(struct story *s)
{
    story_write(s, 0, 0, 8, 0);
    story_flush(s, 0, 0);
    story_run(s, MS(300));
    story_hang_drive(s, 0, true);
    story_hang_drive(s, 32, true);
    s->host = 1;
    struct op *before = story_send_read(s, 0, 0, 8, 0); /* so what is behind it is not confirmed */
    s->host = 0;
    story_run(s, MS(5));
    story_lose(s, "IS1", "A", MESSAGE_COMMAND);
    story_lose(s, "B", "A", MESSAGE_FORWARD);
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(10));
    story_lose(s, "IS1", "A", MESSAGE_NONE);
    story_lose(s, "IS1", "B", MESSAGE_COMMAND);
    clients_leave(s->site->clients, s->host, 0);
    story_run(s, MS(10));
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_lose(s, "IS1", "B", MESSAGE_NONE);
    story_lose(s, "B", "A", MESSAGE_NONE);
    story_run(s, MS(50));
    story_assert(s, left->withdrawn);
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_answered(s, before, MS(5000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* A member hears that a write is withdrawn, and then that it has an order. It has not the write:
 * that it fetches, and holds it before it says so. */
void story_withdrawal_is_not_the_command(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_flush(s, 0, 1);
    story_run(s, MS(100));
    story_mark(s);
    story_lose(s, "IS1", "B", MESSAGE_COMMAND);
    story_lose(s, "A", "L1", MESSAGE_DRIVE_COMMAND);
    story_lose(s, "A", "L2", MESSAGE_DRIVE_COMMAND);
    story_hold(s, "A", "B", MESSAGE_STREAM);
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > queue 0/*"), MS(10));
    struct op *read = story_send_read(s, 0, 64, 8, 1);
    story_lose(s, "IS1", "B", MESSAGE_NONE);
    clients_leave(s->site->clients, s->host, 0);
    story_run(s, MS(5));
    story_restore(s, "A", "B");
    story_until(s, story_count(s, "B1 > ready *") == 2, MS(10));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_good(s, read, MS(50));
    story_assert(s, op_block_stamp(read->in, 64) == left->stamp);
    story_crash(s, "A");
    story_assert(s, story_stamp(s, 0, 64, 1) == left->stamp);
}

/* A switch dies and is back at once. What its earlier session left in a member is refused. */
void story_forwarded_from_an_earlier_session(struct story *s)
{
    story_cut(s, "IS1", "A", LINK_TO);
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_hold(s, "B", "A", MESSAGE_FORWARD);
    story_until(s, story_held(s, "B", "A"), MS(40));
    story_crash(s, "IS1");
    story_assert(s, left->state == OP_STATE_LOST);
    story_restore(s, "IS1", "A");
    story_restart(s, "IS1");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(20));
    story_restore(s, "B", "A");
    story_until(s, w->state != OP_STATE_WAITING, MS(1000));
    story_expect(s, "IS1 x crash\n"
                    "A1 > queue 0/1, order * -> ready\n"
                    "A1 > refuse 0/*: session\n");
    w = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(200));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* A session was declared dead, and then the primary dies. The next one knows it too: the switch
 * that wakes is told so, and its hosts begin anew. */
void story_death_of_a_session_outlives_the_primary(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_pause(s, "IS1");
    story_until(s, story_said(s, "A1 > nothing came from sender 0: its session * is dead"),
                MS(300));
    story_run(s, MS(5));
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(100));
    story_mark(s);
    story_resume(s, "IS1");
    story_until(s, story_said(s, "IS1 > session * is declared dead: *"), MS(100));
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* The same of a member that came in after that, and was never told. */
void story_death_of_a_session_is_told_to_who_joins(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_crash(s, "B");
    story_pause(s, "IS1");
    story_cut(s, "A", "IS1", LINK_TO); /* so that it does not find that in its socket */
    story_until(s, story_said(s, "A1 > nothing came from sender 0: its session * is dead"),
                MS(300));
    story_restart(s, "B");
    story_until(s, story_in_sync(s, "B1"), MS(5000));
    story_crash(s, "A");
    story_until(s, story_primary(s, "B1"), MS(100));
    story_mark(s);
    story_resume(s, "IS1");
    story_until(s, story_said(s, "IS1 > session * is declared dead: *"), MS(100));
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* Two writes of one block, which every member holds: they are answered from memory, and no DONE
 * comes. The second waits for the first, with who leads next, and that for its drives. */
static struct op *adopted_behind_another(struct story *s)
{
    story_write(s, 0, 64, 8, 1);
    story_flush(s, 0, 1);
    story_run(s, MS(100));
    story_mark(s);
    story_hold(s, "B", "A", MESSAGE_HELD);
    struct op *first = story_send_write(s, 0, 64, 8, 0);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_count(s, "B1 > ready *: held") == 2, MS(50));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_restore(s, "B", "A");
    story_good(s, first, MS(50));
    story_good(s, w, MS(50));
    story_assert(s, !story_said(s, "B1 > done *"));
    story_crash(s, "A");
    story_until(s, story_said(s, "B1 > adopt 2 commands, *"), MS(500));
    story_hang_drive(s, 0, true); /* with the first on its way to them */
    story_hang_drive(s, 32, true);
    return w;
}

static void goes_on(struct story *s, const struct op *w)
{
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* A write was answered, and its switch begins a new session: the old one's nexus has ended. Who
 * carries the write out now does not refuse it for that. */
void story_acknowledged_write_of_a_session_that_ends(struct story *s)
{
    struct op *w = adopted_behind_another(s);
    story_crash(s, "IS1");
    story_restart(s, "IS1");
    story_mark(s);
    struct op *other = story_send_write(s, 0, 200, 8, 0); /* its nexus has the same number */
    story_until(s, story_said(s, "B1 > queue 0/1, *"), MS(500));
    goes_on(s, w);
    story_answered(s, other, MS(2000));
}

/* ... or the switch is not heard of any more. */
void story_acknowledged_write_of_a_session_that_dies(struct story *s)
{
    struct op *w = adopted_behind_another(s);
    story_crash(s, "IS1");
    story_until(s, story_said(s, "B1 > nothing came from sender 0: its session * is dead"),
                MS(500));
    goes_on(s, w);
}

/* ... or the host has left: its nexus is lost when its writes are over, and not before. */
void story_acknowledged_write_of_a_host_that_leaves(struct story *s)
{
    struct op *w = adopted_behind_another(s);
    story_run(s, MS(50)); /* the switch knows who leads */
    uint32_t queued = story_count(s, "B1 > queue 0/*");
    clients_leave(s->site->clients, s->host, 0);
    story_until(s, story_count(s, "B1 > queue 0/*") > queued, MS(100));
    story_run(s, MS(20));
    goes_on(s, w);
}

/* ... or all volumes are reset by another path. That tells a unit attention of each volume to
 * everybody: not to the write, which was before it. */
void story_acknowledged_write_before_a_reset_of_all(struct story *s)
{
    enum { TARGET_WARM_RESET = 6 };
    struct op *w = adopted_behind_another(s);
    story_run(s, MS(50)); /* the switch knows who leads */
    struct op *read = story_send_read(s, 0, 200, 8, 1);
    struct op *reset = op_task(s->site->clients, TARGET_WARM_RESET, read);
    reset->volume = VOLUME_NONE;
    op_begin(s->site->clients, reset);
    story_run(s, MS(20));
    goes_on(s, w);
    story_answered(s, reset, MS(1000));
    story_assert(s, reset->task_response == 0);
}

/* A write meets a reservation, and is refused. That is known to all before it is answered: else it
 * would be carried out by the next primary, for whom the reservation has ended. */
void story_refusal_is_held_before_it_is_answered(struct story *s)
{
    static const uint8_t reserve[16] = {0x16};
    story_write(s, 0, 64, 8, 0);
    s->host = 1;
    story_write(s, 0, 64, 8, 1);
    story_good(s, story_send(s, op_cdb(s->site->clients, reserve, NULL, 0, 0), 0, 1), MS(50));
    s->host = 0;
    story_mark(s);
    story_hold(s, "B", "A", MESSAGE_HELD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(50));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_restore(s, "B", "A");
    story_run(s, MS(20));
    story_assert(s, story_said(s, "A1 > resolve * -> status 18"));
    story_assert(s, w->state == OP_STATE_WAITING);
    story_crash(s, "IS2");
    story_crash(s, "A");
    story_answered(s, w, MS(2000));
    story_until(s, story_said(s, "B1 > nothing came from sender 1: its session * is dead"),
                MS(500));
    story_assert(s, (story_stamp(s, 0, 64, 0) == w->stamp) == (w->status == 0));
}

/* A reservation goes with the session of its holder, and a write that waited is answered: not
 * before every member holds that the session is dead. */
void story_acknowledged_write_after_a_reservation_dies(struct story *s)
{
    static const uint8_t reserve[16] = {0x16};
    story_write(s, 0, 64, 8, 0);
    s->host = 1;
    story_write(s, 0, 64, 8, 1);
    story_good(s, story_send(s, op_cdb(s->site->clients, reserve, NULL, 0, 0), 0, 1), MS(50));
    s->host = 0;
    story_crash(s, "IS2");
    story_run(s, MS(140));
    story_mark(s);
    story_hold(s, "B", "A", MESSAGE_HELD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: held"), MS(5));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_until(s, story_said(s, "A1 > nothing came from sender 1: its session * is dead"), MS(50));
    story_restore(s, "B", "A");
    story_run(s, MS(20));
    bool good = w->state == OP_STATE_ANSWERED && w->status == 0;
    story_crash(s, "A");
    story_answered(s, w, MS(2000));
    story_until(s, story_said(s, "B1 > nothing came from sender 1: its session * is dead"),
                MS(500));
    story_assert(s, !good);
    story_assert(s, (story_stamp(s, 0, 64, 0) == w->stamp) == (w->status == 0));
}

/* A survivor is told the whole state once more while the new primary waits, until all know it, to
 * remove the nexuses of a session that has ended: it does not keep them. */
void story_state_is_told_while_a_session_ends(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_run(s, MS(20));
    story_mark(s);
    story_lose(s, "B", "C", MESSAGE_STREAM);
    story_lose(s, "C", "B", MESSAGE_STREAM);
    story_crash(s, "A");
    story_until(s, story_said(s, "?1 > state to ?1: *"), MS(500));
    story_crash(s, "IS1");
    story_restart(s, "IS1");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "?1 > queue 0/1, *"), MS(150));
    story_lose(s, "B", "C", MESSAGE_NONE);
    story_lose(s, "C", "B", MESSAGE_NONE);
    story_until(s, story_count(s, "?1 > state to ?1: *") >= 2, MS(500));
    story_answered(s, w, MS(500));
    story_run(s, MS(100));
    char sentence[128];
    story_assert(s, site_states_equal(s->site, sentence, sizeof sentence));
}

/* ---- hosts with iSCSI ---- */

/* Its host has gone on by the other path: the old write is never run, and the line is dropped. */
static void never_runs(struct story *s, struct op *left, const struct op *w)
{
    story_run(s, s->site->options.limits.nop_ns + MS(1000)); /* by then it is dropped */
    story_assert(s, left->state == OP_STATE_LOST);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    host_mute(host_of(s, 0, 0), false);
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(20000));
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* A switch that stood still for a moment, too short to be missed, reads what lay in its socket. */
void story_switch_stopped_for_a_moment(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_pause(s, "IS1");
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    host_mute(host_of(s, 0, 0), true);
    story_run(s, MS(100));
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_resume(s, "IS1");
    story_run(s, MS(500));
    story_assert(s, !story_said(s, "* > nothing came from sender 0*"));
    never_runs(s, left, w);
}

/* ... and once more before the answer to its ping has come: that proves nothing of what lies behind
 * it in the socket. */
void story_switch_stopped_before_a_ping_is_answered(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_mark(s);
    story_pause(s, "IS1");
    story_send_read(s, 0, 0, 8, 0);
    story_run(s, MS(100));
    story_resume(s, "IS1");
    story_until(s, story_said(s, "IS1 > host * must show that it lives"), MS(10));
    story_pause(s, "IS1");
    story_run(s, MS(5)); /* its answer is in the socket */
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    host_mute(host_of(s, 0, 0), true);
    story_run(s, MS(90));
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_resume(s, "IS1");
    never_runs(s, left, w);
}

/* A write creeps along a host's line for longer than the NOP-In limit, and the host goes on by the
 * other path: that its bytes have just come proves nothing. */
void story_line_that_creeps_brings_an_old_write(struct story *s)
{
    uint64_t nop_ns = s->site->options.limits.nop_ns;
    story_write(s, 0, 64, 8, 0);
    stream_dribble(s->world, host_stream(host_of(s, 0, 0)), nop_ns / 500);
    struct op *left = story_send_write(s, 0, 64, 1, 0); /* with its header 560 bytes */
    host_mute(host_of(s, 0, 0), true);
    story_run(s, nop_ns + nop_ns / 20);
    struct op *w = story_write(s, 0, 64, 8, 1);
    never_runs(s, left, w);
    stream_dribble(s->world, host_stream(host_of(s, 0, 0)), 0);
}

/* No unit serves, so the host's write waits in the switch for longer than half the stale limit: it
 * goes nowhere before the host has answered a ping. */
void story_write_that_waited_long_in_a_switch(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    host_logout(host_of(s, 0, 0));
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_DOWN, MS(1000));
    story_pause(s, "A");
    story_pause(s, "B");
    host_connect(host_of(s, 0, 0));
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(1000));
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(10));
    host_mute(host_of(s, 0, 0), true);
    story_run(s, MS(65));
    story_resume(s, "A");
    story_resume(s, "B");
    struct op *w = story_write(s, 0, 64, 8, 1);
    never_runs(s, left, w);
}

/* Its copies came too late, and the units refuse them. The switch asks the host before it sends
 * them again, and the host has gone on by the other path. */
void story_refused_as_too_old_and_its_host_is_gone(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_cut(s, "IS1", "A", LINK_TO);
    story_cut(s, "IS1", "B", LINK_TO);
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(1));
    host_mute(host_of(s, 0, 0), true);
    story_run(s, MS(125));
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_restore(s, "IS1", "A");
    story_restore(s, "IS1", "B");
    story_run(s, s->site->options.limits.nop_ns);
    never_runs(s, left, w);
}

/* A unit that was lone dies, and the next one reads the state from the drives. The switch has never
 * lost it, and opens its nexuses there anew all the same before it uses them. */
void story_nexuses_are_opened_anew_over_a_cut(struct story *s)
{
    struct op *before = story_write(s, 0, 64, 8, 0);
    story_crash(s, "B");
    story_until(s, story_primary(s, "A1") && story_record(s, 0)->in_sync.count == 1, MS(500));
    story_until(s, story_record(s, 0)->dirty.module == MODULE_NONE, MS(5000));
    story_mark(s);
    story_crash(s, "A");
    story_restart(s, "B");
    story_until(s, story_primary(s, "B1"), MS(10000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 0) == before->stamp);
    story_expect(s, "B1 > claims epoch *: lone_gone\n"
                    "B1 > adopt * -> serve\n"
                    "IS1 > nexus * itt *: early -> nexus\n"
                    "IS1 > nexus * itt *: nexus -> ready\n");
}

/* A primary was taken over and knows nothing of that. It hears the switch no more, and takes its
 * session for dead; the switch, which serves its hosts through the next one, does not believe it.
 */
void story_death_that_a_deposed_primary_declares(struct story *s)
{
    story_reach_register(s, "A", CELL_UNREACHED);
    story_cut(s, "A", "B", LINK_BOTH);
    story_cut(s, "A", "IS1", LINK_BOTH);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(600));
    story_until(s, story_said(s, "A1 > nothing came from sender 0: its session * is dead"),
                MS(600));
    struct op *more = story_write(s, 0, 72, 8, 0);
    story_restore(s, "A", "IS1");
    story_run(s, MS(100));
    story_assert(s, !story_said(s, "IS1 > session * is declared dead: *"));
    story_assert(s, story_stamp(s, 0, 72, 0) == more->stamp);
    story_reach_register(s, "A", CELL_REACHED);
}
