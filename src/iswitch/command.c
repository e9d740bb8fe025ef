/* SPDX-License-Identifier: Apache-2.0 */

/* SCSI Command (RFC 7143 11.3): what is acceptable, in which order commands count (4.2.2.1), and
 * the room for the data that comes with it. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static const struct iscsi_scsi_command *command_of(const struct connection *c)
{
    return (const struct iscsi_scsi_command *)(const void *)c->receive.header;
}

bool command_early(const struct session *session, uint32_t cmd_sn)
{
    list_each (&session->early, link, next) {
        const struct task *task = list_member(link, struct task, link);
        if (task->cmd_sn == cmd_sn && !task->immediate)
            return true;
    }
    return false;
}

/* Outside the window, or there already: to be ignored. */
static bool is_ignored(const struct connection *c)
{
    uint32_t cmd_sn = be32_get(command_of(c)->cmd_sn);
    if (receive_immediate(c))
        return false;
    return iscsi_sn_before(cmd_sn, c->exp_cmd_sn) ||
           iscsi_sn_before(connection_max_cmd_sn(c), cmd_sn) || command_early(c->session, cmd_sn);
}

static bool is_well_formed(const struct connection *c)
{
    const struct iscsi_scsi_command *command = command_of(c);
    const struct parameters *p = &c->parameters;
    uint32_t data = c->receive.data_length, expected = be32_get(command->expected_length);
    bool write = command->flags & ISCSI_COMMAND_WRITE, final = command->flags & ISCSI_FINAL;
    if (be32_get(command->itt) == ISCSI_TAG_NONE)
        return false;
    if (data > 0 && (!write || !p->immediate_data || data > p->first_burst || data > expected))
        return false;
    return final || (write && !p->initial_r2t && data < expected);
}

/* A host that announces more than we take at once gets it refused by the group, with this much. */
static uint32_t payload_of(const struct iscsi_scsi_command *command)
{
    uint32_t expected = be32_get(command->expected_length);
    return expected < COMMAND_DATA_MAX ? expected : COMMAND_DATA_MAX;
}

static struct task *begin_task(struct iswitch *x, struct connection *c)
{
    const struct iscsi_scsi_command *command = command_of(c);
    struct task *task = task_new(x, c->session, receive_immediate(c));
    if (!task)
        return NULL;
    task->kind = COMMAND_SCSI;
    task->flags = command->flags;
    task->lun = be64_get(command->lun);
    task->cmd_sn = be32_get(command->cmd_sn);
    task->expected_length = be32_get(command->expected_length);
    task->moved_ns = x->now_ns;
    memcpy(task->cdb, command->cdb, sizeof task->cdb);
    task->data_length = payload_of(command);
    task->unsolicited = !(command->flags & ISCSI_FINAL);
    task_set_itt(task, be32_get(command->itt));
    return task;
}

bool command_others_wait(const struct session *session)
{
    return !list_empty(&session->data) || !list_empty(&session->proof) ||
           !list_empty(&session->early);
}

enum verdict command_begin(struct iswitch *x, struct connection *c)
{
    enum { TASK_SET_FULL = 0x28 };
    const struct iscsi_scsi_command *command = command_of(c);
    if (is_ignored(c))
        return VERDICT_SKIP;
    if (!is_well_formed(c)) {
        connection_reject(x, c, ISCSI_REJECT_INVALID_FIELD);
        return VERDICT_SKIP;
    }
    if (task_find(c->session, be32_get(command->itt))) {
        connection_reject(x, c, ISCSI_REJECT_TASK_IN_PROGRESS);
        return VERDICT_SKIP;
    }
    uint32_t bytes = payload_of(command);
    bool now = c->receive.data_length > 0 || !(command->flags & ISCSI_FINAL);
    struct buffer *buffer =
        now && task_may_charge(x, c->session, bytes) ? buffer_get(x->buffers, bytes) : NULL;
    if (now && !buffer && !command_others_wait(c->session))
        return VERDICT_STALL;
    struct task *task = begin_task(x, c);
    if (!task) {
        must(receive_immediate(c)); /* the window keeps a place for each other one */
        buffer_unref(buffer);
        connection_reject(x, c, ISCSI_REJECT_TOO_MANY_IMMEDIATE);
        return VERDICT_SKIP;
    }
    task->buffer = buffer;
    if (buffer)
        task_charge(x, task, bytes);
    else if (now)
        command_refuse(x, task, TASK_SET_FULL); /* its data is skipped */
    if (buffer && c->receive.data_length > 0)
        receive_into_buffer(c, buffer, 0);
    receive_for_task(c, task);
    return VERDICT_TAKE;
}

/* Its turn has come. */
static void execute(struct iswitch *x, struct task *task)
{
    if (task->silent) {
        task_free(x, task); /* aborted before its turn */
        return;
    }
    if (task->refused)
        response_queue(x, task);
    else if (task->ended)
        task_hold(x, task);
    else if (task->buffer)
        data_expect(x, task);
    else if (task->data_length > 0 && task->flags & (ISCSI_COMMAND_READ | ISCSI_COMMAND_WRITE)) {
        task_become(task, TASK_STATE_ADMIT);
        task_admit(x); /* now, if there is room: commands of a host stay in their order */
    } else
        task_route(x, task);
}

void command_due(struct iswitch *x, struct connection *c)
{
    bool found = c->session;
    while (found && connection_is_open(c)) {
        found = false;
        list_each (&c->session->early, link, next) {
            struct task *task = list_member(link, struct task, link);
            if (task->immediate || task->cmd_sn != c->exp_cmd_sn || task == receive_task(c) ||
                task->kept) /* early_replay() looks for those */
                continue;
            c->exp_cmd_sn++;
            execute(x, task);
            found = true;
            break;
        }
    }
}

void command_end(struct iswitch *x, struct connection *c)
{
    struct task *task = receive_task(c);
    if (!task)
        return;
    task->received = task->solicited = task->buffer ? c->receive.data_length : 0;
    task->begun_ns = c->arrival_ns;
    c->receive.task = NULL;
    if (receive_immediate(c))
        execute(x, task);
    else
        command_due(x, c);
}

/* It has never come: the host sends it again, under the CmdSN that is still due. */
void command_damaged(struct iswitch *x, struct connection *c)
{
    struct task *task = receive_task(c);
    c->receive.task = NULL;
    if (task && task->state == TASK_STATE_EARLY)
        task_free(x, task);
}

void command_refuse(struct iswitch *x, struct task *task, uint8_t status)
{
    task->refused = true;
    task->status = status;
    task->unsolicited = false;
    if (task->state != TASK_STATE_EARLY)
        response_queue(x, task);
}

void command_fail(struct iswitch *x, struct task *task, uint8_t asc, uint8_t ascq)
{
    enum { CHECK_CONDITION = 0x02, ABORTED_COMMAND = 0x0B };
    sense_make(x, task, ABORTED_COMMAND, asc, ascq);
    command_refuse(x, task, CHECK_CONDITION);
}
