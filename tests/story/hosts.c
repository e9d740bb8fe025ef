/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts with iSCSI, through real interface switches. Host 0 sends immediate data, host 1 waits for
 * R2T. */
#include "sim/stream.h"
#include "tests/story/stories.h"

static struct host *host_of(struct story *s, int host, int path)
{
    return s->site->host[host][path];
}

/* 4 again, from a host's TCP connection to the drives: both switches, large and small, and a death.
 */
void story_claim_04_hosts_with_iscsi(struct story *s)
{
    static const uint32_t blocks[] = {1, 8, 128, 500, 1024};
    struct op *w[10];
    for (int i = 0; i < 10; i++) {
        s->host = (uint8_t)(i % 2);
        w[i] = story_write(s, 0, (uint64_t)i * 1024, blocks[i / 2], i / 2 % 2);
    }
    for (int i = 0; i < 10; i++) {
        s->host = (uint8_t)(i / 2 % 2);
        w[i] = story_send_write(s, i % 2, (uint64_t)i * 1024, blocks[9 / 2 - i / 2], i % 2);
    }
    story_run(s, s->seed * 61 % 300 * 1000);
    story_crash(s, "A");
    for (int i = 0; i < 10; i++) {
        story_answered(s, w[i], MS(100));
        s->host = 1;
        if (w[i]->status == 0)
            story_read(s, i % 2, w[i]->lba, w[i]->blocks, 1 - i % 2);
    }
    s->host = 0;
}

/* A host that leaves its path while writes are under way, and comes back by the same switch: what
 * the old session left is over before the new one begins. */
void story_session_reinstatement(struct story *s)
{
    story_hold(s, "B", "A", MESSAGE_HELD); /* ordered, and cannot end yet */
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "B", "A"), MS(20));
    host_drop(host_of(s, 0, 0));
    story_assert(s, left->state == OP_STATE_LOST);
    story_run(s, MS(60));
    story_assert(s, host_state(host_of(s, 0, 0)) != HOST_STATE_READY);
    story_restore(s, "A", "B");
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(3000));
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_run(s, MS(300));
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* The switch was stopped; its host has long gone on by the other one when it reads the old write.
 */
void story_switch_stopped_for_30_s_reads_an_old_write(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_pause(s, "IS1");
    struct op *left = story_send_write(s, 0, 64, 8, 0);
    story_run(s, MS(5000));
    if (s->seed % 2)
        host_drop(host_of(s, 0, 0)); /* its close lies in the socket, behind the write */
    else
        host_mute(host_of(s, 0, 0), true); /* it answers nothing there any more */
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_run(s, MS(25000));
    story_resume(s, "IS1");
    story_run(s, MS(3000));
    story_assert(s, left->status != 0 || left->state != OP_STATE_ANSWERED);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    host_mute(host_of(s, 0, 0), false);
    story_run(s, MS(15000));
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(5000));
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* A host that sends a byte a second is slow; nobody in the array is to blame. */
void story_host_that_sends_a_byte_a_second(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    s->host = 1;
    stream_dribble(s->world, host_stream(host_of(s, 1, 0)), MS(1000));
    struct op *slow = story_send_write(s, 0, 64, 1, 0);
    s->host = 0;
    for (int i = 0; i < 30; i++) {
        story_good(s, story_send_write(s, 0, 128 + (uint64_t)i, 1, i % 2), MS(50));
        story_run(s, MS(2000));
    }
    story_assert(s, !story_said(s, "* > suspects *"));
    story_assert(s, story_record(s, 0)->epoch == epoch);
    stream_dribble(s->world, host_stream(host_of(s, 1, 0)), 0);
    story_until(s, slow->state != OP_STATE_WAITING, MS(60000));
}

/* A dead interface switch costs its path; the host's other path goes on at once. */
void story_interface_switch_dies_under_iscsi(struct story *s)
{
    struct op *w[8];
    for (int i = 0; i < 8; i++)
        w[i] = story_send_write(s, 0, (uint64_t)i * 8, 8, 0);
    story_run(s, s->seed * 77 % 200 * 1000);
    story_crash(s, "IS1");
    story_run(s, MS(200)); /* the host's path time */
    for (int i = 0; i < 8; i++)
        if (w[i]->state != OP_STATE_ANSWERED)
            w[i] = story_write(s, 0, (uint64_t)i * 8, 8, 1);
    story_restart(s, "IS1");
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(5000));
    for (int i = 0; i < 8; i++)
        story_assert(s, story_stamp(s, 0, (uint64_t)i * 8, 0) == w[i]->stamp);
}

/* The units hear a switch and it does not hear them: their answers are lost, and nobody declares it
 * dead. After a while it drops the hosts that wait, and they go on by their other path. */
void story_switch_that_hears_no_unit(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    story_cut(s, "A", "IS1", LINK_TO);
    story_cut(s, "B", "IS1", LINK_TO);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    s->host = 1; /* has nothing there, and stays */
    story_assert(s, host_state(host_of(s, 1, 0)) == HOST_STATE_READY);
    s->host = 0;
    story_run(s, MS(4500));
    story_assert(s, w->state == OP_STATE_WAITING);
    story_until(s, w->state == OP_STATE_LOST, MS(1500));
    story_assert(s, host_state(host_of(s, 1, 0)) == HOST_STATE_READY);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    w = story_write(s, 0, 64, 8, 1);
    story_run(s, MS(2000));
    story_assert(s, host_state(host_of(s, 0, 0)) != HOST_STATE_READY);
    story_restore(s, "A", "IS1");
    story_restore(s, "B", "IS1");
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(20000));
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* Task management as a host's driver uses it. */
void story_task_management_with_iscsi(struct story *s)
{
    enum { ABORT_TASK = 1, LOGICAL_UNIT_RESET = 5 };
    story_hold(s, "B", "A", MESSAGE_HELD);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_held(s, "B", "A"), MS(20));
    struct op *abort = op_task(s->site->clients, ABORT_TASK, w);
    op_begin(s->site->clients, abort);
    story_run(s, MS(1));
    story_crash(s, "A");
    story_answered(s, abort, MS(200));
    story_assert(s, abort->task_response == 0 || abort->task_response == 1);
    struct op *reset = op_task(s->site->clients, LOGICAL_UNIT_RESET, w);
    op_begin(s->site->clients, reset);
    story_answered(s, reset, MS(500));
    story_assert(s, reset->task_response == 0);
    struct op *over = story_write(s, 0, 64, 8, 0);
    story_assert(s, story_stamp(s, 0, 64, 1) == over->stamp);
    if (w->state == OP_STATE_WAITING)
        host_drop(host_of(s, 0, 0)); /* an aborted task has no answer */
}

/* A host logs out in order and comes back. */
void story_logout_and_login(struct story *s)
{
    struct op *w = story_write(s, 0, 64, 8, 0);
    host_logout(host_of(s, 0, 0));
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_DOWN, MS(1000));
    host_connect(host_of(s, 0, 0));
    story_until(s, host_state(host_of(s, 0, 0)) == HOST_STATE_READY, MS(1000));
    story_assert(s, host_logins(host_of(s, 0, 0)) == 2);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}
