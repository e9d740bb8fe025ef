/* SPDX-License-Identifier: Apache-2.0 */

/* Requests other than SCSI commands whose CmdSN is ahead of the one that is due (RFC 7143 4.2.2.1).
 * Such a one is kept whole, as a task that holds its place in the order. When the gap before it is
 * filled, it is received once more, from here, before anything else that the host has sent. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

bool early_is(const struct connection *c)
{
    return !receive_immediate(c) && be32_get(receive_request(c)->cmd_sn) != c->exp_cmd_sn;
}

/* To be ignored: outside the window, there already, or of a session that ends. */
static bool is_ignored(const struct connection *c)
{
    uint32_t cmd_sn = be32_get(receive_request(c)->cmd_sn);
    const struct session *session = c->session;
    return c->state != CONNECTION_STATE_FULL || !session || session->state != SESSION_STATE_LIVE ||
           iscsi_sn_before(cmd_sn, c->exp_cmd_sn) ||
           iscsi_sn_before(connection_max_cmd_sn(c), cmd_sn) || command_early(session, cmd_sn);
}

enum verdict early_begin(struct iswitch *x, struct connection *c)
{
    if (is_ignored(c))
        return VERDICT_SKIP;
    uint32_t length = c->receive.data_length;
    bool room = length == 0 || task_may_charge(x, c->session, length);
    struct buffer *buffer = room && length > 0 ? buffer_get(x->buffers, length) : NULL;
    if (length > 0 && !buffer) {
        if (!command_others_wait(c->session))
            return VERDICT_STALL;
        connection_close(x, c, "no room for a request that came before its turn");
        return VERDICT_SKIP;
    }
    struct task *task = task_new(x, c->session, false);
    must(task); /* the window keeps a place for it */
    task->kind = COMMAND_TASK;
    task->kept = true;
    task->cmd_sn = be32_get(receive_request(c)->cmd_sn);
    task->moved_ns = x->now_ns;
    memcpy(task->header, c->receive.header, sizeof task->header);
    task->buffer = buffer;
    task->data_length = length;
    task_charge(x, task, length);
    if (buffer)
        receive_into_buffer(c, buffer, 0);
    receive_for_task(c, task);
    c->receive.keep = true;
    return VERDICT_TAKE;
}

void early_end(struct connection *c)
{
    struct task *task = receive_task(c);
    if (task)
        task->begun_ns = c->arrival_ns;
}

/* The kept request that is due now, or NULL. */
static struct task *due(const struct connection *c)
{
    if (!c->session || c->state != CONNECTION_STATE_FULL)
        return NULL;
    list_each (&c->session->early, link, next) {
        struct task *task = list_member(link, struct task, link);
        if (task->kept && task->cmd_sn == c->exp_cmd_sn)
            return task;
    }
    return NULL;
}

bool early_replay(struct iswitch *x, struct connection *c)
{
    struct task *task = due(c);
    if (!task)
        return false;
    struct receive *r = &c->receive;
    must(r->phase == RECEIVE_PHASE_HEADER && r->have == 0);
    memcpy(r->header, task->header, sizeof task->header);
    r->data_length = task->data_length;
    r->data_have = 0;
    r->replayed = true;
    r->replay = task->buffer ? buffer_ref(task->buffer) : NULL;
    r->begun_ns = task->begun_ns;
    r->phase = RECEIVE_PHASE_BEGIN;
    task_free(x, task); /* its place in the order is the request's again */
    return true;
}
