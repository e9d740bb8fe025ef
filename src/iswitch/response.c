/* SPDX-License-Identifier: Apache-2.0 */

/* Answers to the host: Data-In by reference (RFC 7143 11.7), with GOOD status in the last one; SCSI
 * Response (11.4); task management response (11.6). In the order in which the answers came. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"
#include "iswitch/meter.h"

enum { GOOD = 0 };

void response_queue(struct iswitch *x, struct task *task)
{
    task_become(task, TASK_STATE_RESPOND);
    if (!list_linked(&task->session->responding))
        list_append(&x->responding, &task->session->responding);
    x->again = true;
}

/* RFC 7143 11.4.5: against what the host expected, either way. */
static uint8_t residual_of(const struct task *task, uint32_t *residual)
{
    *residual = 0;
    if (task->transferred > task->expected_length) {
        *residual = task->transferred - task->expected_length;
        return ISCSI_RESIDUAL_OVERFLOW;
    }
    if (task->transferred < task->expected_length) {
        *residual = task->expected_length - task->transferred;
        return ISCSI_RESIDUAL_UNDERFLOW;
    }
    return 0;
}

/* Bytes of data in that the host gets. */
static uint32_t data_length(const struct task *task)
{
    if (!(task->flags & ISCSI_COMMAND_READ))
        return 0;
    return task->payload.length < task->expected_length ? task->payload.length
                                                        : task->expected_length;
}

static void give_data(struct iswitch *x, struct connection *c, struct task *task)
{
    const struct parameters *p = &c->parameters;
    uint32_t left = data_length(task) - task->answered;
    uint32_t burst = p->burst_max - task->answered % p->burst_max;
    uint32_t part = left < burst ? left : burst;
    if (part > p->segment_max)
        part = p->segment_max;
    bool last = part == left, collapse = last && task->status == GOOD;
    struct iscsi_data_in pdu = {.opcode = ISCSI_DATA_IN,
                                .flags = last || part == burst ? ISCSI_FINAL : 0,
                                .lun = be64_of(task->lun),
                                .itt = be32_of(task->itt),
                                .ttt = be32_of(ISCSI_TAG_NONE),
                                .data_sn = be32_of(task->data_sn++),
                                .offset = be32_of(task->answered)};
    if (collapse) {
        uint32_t residual;
        pdu.flags |= ISCSI_DATA_IN_STATUS | residual_of(task, &residual);
        pdu.residual = be32_of(residual);
        pdu.status = GOOD;
    }
    connection_send_slice(
        x, c, &pdu, collapse ? STAT_TAKEN : STAT_NONE,
        slice_of(task->payload.buffer, task->payload.offset + task->answered, part));
    task->answered += part;
}

static void give_status(struct iswitch *x, struct connection *c, const struct task *task)
{
    uint32_t residual;
    uint8_t sense[2 + SENSE_MAX];
    uint8_t flags = ISCSI_FINAL | residual_of(task, &residual);
    uint32_t length = task->sense_length < SENSE_MAX ? task->sense_length : SENSE_MAX;
    struct iscsi_scsi_response pdu = {.opcode = ISCSI_SCSI_RESPONSE,
                                      .flags = flags,
                                      .status = task->status,
                                      .itt = be32_of(task->itt),
                                      .exp_data_sn = be32_of(task->data_sn + task->r2t_sn),
                                      .residual = be32_of(residual)};
    be16_put(sense, (uint16_t)length);
    memcpy(sense + 2, task->sense, length);
    connection_send(x, c, &pdu, STAT_TAKEN, sense, length > 0 ? length + 2 : 0);
}

static void give_task_response(struct iswitch *x, struct connection *c, const struct task *task)
{
    struct iscsi_task_response pdu = {.opcode = ISCSI_TASK_RESPONSE,
                                      .flags = ISCSI_FINAL,
                                      .response = task->task_response,
                                      .itt = be32_of(task->itt)};
    connection_send(x, c, &pdu, STAT_TAKEN, NULL, 0);
    if (task->function == TASK_TARGET_COLD_RESET && task->task_response == ISCSI_TASK_COMPLETE)
        x->cold_reset = true, x->cold_host = task->session->host;
}

static void count(struct session *session, const struct task *task)
{
    if (task->flags & ISCSI_COMMAND_READ) {
        session->reads++;
        session->read_bytes += data_length(task);
    }
    if (task->flags & ISCSI_COMMAND_WRITE) {
        session->writes++;
        session->written_bytes += task->received;
    }
}

/* One PDU. True: the answer is complete. */
static bool give(struct iswitch *x, struct connection *c, struct task *task)
{
    if (task->kind == COMMAND_TASK) {
        give_task_response(x, c, task);
        return true;
    }
    uint32_t length = data_length(task);
    if (task->answered < length) {
        give_data(x, c, task);
        if (task->answered < length || task->status != GOOD)
            return false;
    } else
        give_status(x, c, task);
    count(task->session, task);
    meter_count(x, task, length);
    return true;
}

/* False: the session has no more, or its host does not take it. */
static bool give_next(struct iswitch *x, struct session *session)
{
    struct task *task = list_first(&session->respond, struct task, link);
    struct connection *c = session->connection;
    if (!task || (c && connection_is_full(c, 1)))
        return false;
    if (!c || give(x, c, task))
        task_free(x, task);
    return true;
}

void response_run(struct iswitch *x)
{
    while (!list_empty(&x->responding)) {
        if (!iswitch_has_room(x)) {
            x->more = true;
            return;
        }
        struct session *session = list_first(&x->responding, struct session, responding);
        if (!give_next(x, session))
            list_remove(&session->responding);
    }
}

void response_go_on(struct iswitch *x, struct connection *c)
{
    struct session *session = c->session;
    connection_sent(x, c);
    if (session && !list_empty(&session->respond) && !list_linked(&session->responding))
        list_append(&x->responding, &session->responding);
}
