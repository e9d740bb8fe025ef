/* SPDX-License-Identifier: Apache-2.0 */

/* Data-Out and R2T (RFC 7143 11.7, 11.8): a write's data lands in the one buffer of its command, in
 * order (DataPDUInOrder and DataSequenceInOrder are Yes). */

#include "base/must.h"
#include "iswitch/iswitch_state.h"

/* RFC 7143 11.4.7.2 and SPC-4 annex D: additional sense of ABORTED COMMAND */
enum {
    ASC_WRITE_ERROR = 0x0C,
    ASCQ_UNEXPECTED_UNSOLICITED = 0x0C,
    ASCQ_NOT_ENOUGH_UNSOLICITED = 0x0D,
    ASC_DATA_PHASE_ERROR = 0x4B,
    ASC_PROTOCOL_SERVICE = 0x47,
    ASCQ_CRC_ERROR = 0x05,
};

static const struct iscsi_data_out *data_of(const struct connection *c)
{
    return (const struct iscsi_data_out *)(const void *)c->receive.header;
}

static struct r2t *find_r2t(struct task *task, uint32_t ttt)
{
    for (int i = 0; i < R2T_MAX; i++)
        if (task->r2t[i].ttt == ttt)
            return &task->r2t[i];
    return NULL;
}

/* Data of a command that is over, or whose fate is sealed, is skipped. */
static struct task *wanted_by(struct connection *c)
{
    struct task *task = task_find(c->session, be32_get(data_of(c)->itt));
    if (!task || task->silent || task->refused || !task->buffer)
        return NULL;
    return task->state == TASK_STATE_DATA || task->state == TASK_STATE_EARLY ? task : NULL;
}

static bool is_next_unsolicited(const struct connection *c, const struct task *task)
{
    const struct iscsi_data_out *data = data_of(c);
    uint32_t most = c->parameters.first_burst < task->data_length ? c->parameters.first_burst
                                                                  : task->data_length;
    return be32_get(data->data_sn) == task->unsolicited_sn &&
           be32_get(data->offset) == task->received &&
           c->receive.data_length <= most - task->received;
}

static bool is_next_solicited(const struct connection *c, const struct r2t *r2t)
{
    const struct iscsi_data_out *data = data_of(c);
    return be32_get(data->data_sn) == r2t->data_sn &&
           be32_get(data->offset) == r2t->offset + r2t->received &&
           c->receive.data_length <= r2t->length - r2t->received;
}

enum verdict data_begin(struct iswitch *x, struct connection *c)
{
    struct task *task = wanted_by(c);
    if (!task)
        return VERDICT_SKIP;
    uint32_t ttt = be32_get(data_of(c)->ttt);
    struct r2t *r2t = ttt == ISCSI_TAG_NONE ? NULL : find_r2t(task, ttt);
    if (ttt != ISCSI_TAG_NONE && !r2t) { /* a tag that we have not given */
        connection_reject(x, c, ISCSI_REJECT_INVALID_FIELD);
        command_fail(x, task, ASC_DATA_PHASE_ERROR, 0);
        return VERDICT_SKIP;
    }
    if (!r2t && !task->unsolicited) {
        command_fail(x, task, ASC_WRITE_ERROR, ASCQ_UNEXPECTED_UNSOLICITED);
        return VERDICT_SKIP;
    }
    if (r2t ? !is_next_solicited(c, r2t) : !is_next_unsolicited(c, task)) {
        trace_info(x->trace, "host %s: Data-Out out of order, itt %x", c->peer, task->itt);
        command_fail(x, task, ASC_DATA_PHASE_ERROR, 0);
        return VERDICT_SKIP;
    }
    receive_into_buffer(c, task->buffer, be32_get(data_of(c)->offset));
    receive_for_task(c, task);
    return VERDICT_TAKE;
}

static void take_solicited(struct iswitch *x, struct connection *c, struct task *task,
                           struct r2t *r2t)
{
    r2t->data_sn++;
    r2t->received += c->receive.data_length;
    if (r2t->received == r2t->length) {
        r2t->ttt = ISCSI_TAG_NONE;
        data_expect(x, task);
    } else if (data_of(c)->flags & ISCSI_FINAL)
        command_fail(x, task, ASC_WRITE_ERROR, ASCQ_NOT_ENOUGH_UNSOLICITED);
}

void data_end(struct iswitch *x, struct connection *c)
{
    struct task *task = receive_task(c);
    if (!task || task->refused || task->silent ||
        (task->state != TASK_STATE_DATA && task->state != TASK_STATE_EARLY))
        return;
    uint32_t ttt = be32_get(data_of(c)->ttt);
    task->received += c->receive.data_length;
    task->moved_ns = x->now_ns;
    if (task->state == TASK_STATE_DATA) { /* the one that made no progress for longest is first */
        list_remove(&task->link);
        list_append(&task->session->data, &task->link);
    }
    task->begun_ns = c->arrival_ns;
    struct r2t *r2t = ttt == ISCSI_TAG_NONE ? NULL : find_r2t(task, ttt);
    if (r2t) {
        nop_proved(x, c, r2t->sent_ns);
        take_solicited(x, c, task, r2t);
        return;
    }
    task->solicited = task->received;
    task->unsolicited_sn++;
    if (data_of(c)->flags & ISCSI_FINAL)
        task->unsolicited = false;
    if (task->state == TASK_STATE_DATA)
        data_expect(x, task);
}

/* The rest of what was asked for is waited for, then the command fails. */
void data_damaged(struct iswitch *x, struct connection *c)
{
    struct task *task = receive_task(c);
    if (task)
        task->damaged = true;
    data_end(x, c);
}

static bool r2t_outstanding(const struct task *task)
{
    for (int i = 0; i < R2T_MAX; i++)
        if (task->r2t[i].ttt != ISCSI_TAG_NONE)
            return true;
    return false;
}

static void send_r2t(struct iswitch *x, struct task *task, struct r2t *r2t)
{
    struct connection *c = task->session->connection;
    uint32_t left = task->data_length - task->solicited;
    r2t->ttt = ++c->last_ttt & 0x7FFFFFFF;
    r2t->offset = task->solicited;
    r2t->length = left < c->parameters.burst_max ? left : c->parameters.burst_max;
    r2t->received = r2t->data_sn = 0;
    r2t->sent_ns = x->now_ns;
    task->solicited += r2t->length;
    struct iscsi_r2t pdu = {.opcode = ISCSI_R2T,
                            .flags = ISCSI_FINAL,
                            .lun = be64_of(task->lun),
                            .itt = be32_of(task->itt),
                            .ttt = be32_of(r2t->ttt),
                            .r2t_sn = be32_of(task->r2t_sn++),
                            .offset = be32_of(r2t->offset),
                            .length = be32_of(r2t->length)};
    connection_send(x, c, &pdu, STAT_SHOWN, NULL, 0);
}

void data_expect(struct iswitch *x, struct task *task)
{
    must(task->buffer && task->session->connection);
    if (task->damaged && !task->unsolicited && !r2t_outstanding(task)) {
        command_fail(x, task, ASC_PROTOCOL_SERVICE, ASCQ_CRC_ERROR);
        return;
    }
    if (task->received == task->data_length) {
        task_route(x, task);
        return;
    }
    if (task->state != TASK_STATE_DATA) {
        task->moved_ns = x->now_ns;
        task_become(task, TASK_STATE_DATA);
    }
    uint32_t most = task->session->connection->parameters.r2t_max;
    for (uint32_t i = 0; i < R2T_MAX && i < most; i++) {
        if (task->unsolicited || task->damaged || task->solicited == task->data_length)
            return;
        if (task->r2t[i].ttt == ISCSI_TAG_NONE)
            send_r2t(x, task, &task->r2t[i]);
    }
}
