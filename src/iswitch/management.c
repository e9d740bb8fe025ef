/* SPDX-License-Identifier: Apache-2.0 */

/* Task management (RFC 7143 11.5, 4.2.3): each request becomes a COMMAND_TASK part for every group
 * that it touches. Commands of the same host that are still here go no further; those with a group
 * are withdrawn, which ends what has no order yet. A request is answered only when each of them is
 * over: one that a unit had refused for a while could else run after the host was told that it
 * never will. One that had an order is answered to the host first. When a group refuses the
 * request, whatever it was to end is answered TASK ABORTED: the host waits for each. */

#include "base/must.h"
#include "iswitch/iswitch_state.h"

enum scope { SCOPE_NONE, SCOPE_TASK, SCOPE_UNIT, SCOPE_TARGET };

enum { TASK_REASSIGN = 8 };

static const struct {
    enum scope scope;
    enum iscsi_task_result refusal; /* SCOPE_NONE: why */
} functions[] = {
    [0] = {SCOPE_NONE, ISCSI_TASK_UNSUPPORTED}, /* and all that are not here */
    [TASK_ABORT_TASK] = {SCOPE_TASK, 0},
    [TASK_ABORT_TASK_SET] = {SCOPE_UNIT, 0},
    [TASK_CLEAR_ACA] = {SCOPE_NONE, ISCSI_TASK_UNSUPPORTED},
    [TASK_CLEAR_TASK_SET] = {SCOPE_UNIT, 0},
    [TASK_LOGICAL_UNIT_RESET] = {SCOPE_UNIT, 0},
    [TASK_TARGET_WARM_RESET] = {SCOPE_TARGET, 0},
    [TASK_TARGET_COLD_RESET] = {SCOPE_TARGET, 0},
    [TASK_REASSIGN] = {SCOPE_NONE, ISCSI_TASK_NO_REASSIGN},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static const struct iscsi_task_request *request_of(const struct connection *c)
{
    return (const struct iscsi_task_request *)(const void *)c->receive.header;
}

enum verdict management_begin(struct iswitch *x, struct connection *c)
{
    const struct session *session = c->session;
    if (session->spare_used + 1 + x->config.sender.groups > TASK_SPARE) {
        connection_reject(x, c, ISCSI_REJECT_TOO_MANY_IMMEDIATE);
        return VERDICT_SKIP;
    }
    uint32_t itt = be32_get(request_of(c)->itt);
    if (itt == ISCSI_TAG_NONE || task_find(c->session, itt)) {
        connection_reject(x, c, ISCSI_REJECT_TASK_IN_PROGRESS);
        return VERDICT_SKIP;
    }
    return VERDICT_TAKE;
}

static void finish(struct iswitch *x, struct task *task, enum iscsi_task_result result)
{
    task->task_response = (uint8_t)result;
    response_queue(x, task);
}

static void add_part(struct iswitch *x, struct task *task, uint8_t group, uint16_t volume,
                     uint64_t lun, uint64_t sequence)
{
    struct task *part = task_new(x, task->session, true);
    must(part); /* management_begin has made sure */
    bool unit = volume != VOLUME_NONE && functions[task->function].scope == SCOPE_TARGET;
    part->kind = COMMAND_TASK;
    part->part = true;
    part->parent = task;
    part->function = unit ? TASK_LOGICAL_UNIT_RESET : task->function;
    part->group = group;
    part->volume = volume;
    part->lun = lun;
    part->task_sequence = sequence;
    part->begun_ns = task->begun_ns;
    task->parts++;
    if (task->state != TASK_STATE_PARTS)
        task_become(task, TASK_STATE_PARTS);
    task_route(x, part);
}

static void withdraw(struct iswitch *x, struct task *task)
{
    task->ended = true;
    task->told = false;
    sender_withdraw(x->sender, task->group, task->sequence);
}

/* Stops a command of this host that has no answer yet. */
static void end_command(struct iswitch *x, struct task *request, struct task *task)
{
    switch (task->state) {
    case TASK_STATE_EARLY:
        if (task->immediate || iscsi_sn_before(task->cmd_sn, request->cmd_sn))
            task->ended = true; /* it keeps its place in the order of CmdSN */
        break;
    case TASK_STATE_ADMIT:
    case TASK_STATE_DATA:
    case TASK_STATE_PROOF:
    case TASK_STATE_NEXUS:
    case TASK_STATE_READY:
        task->ended = true;
        task_hold(x, task);
        break;
    case TASK_STATE_SENT:
        withdraw(x, task);
        break;
    case TASK_STATE_FREE:
    case TASK_STATE_PARTS:
    case TASK_STATE_HELD:
    case TASK_STATE_RESPOND:
    case TASK_STATES:
        break;
    }
}

/* A command that has never come, as one whose digest was wrong: the request takes its place in the
 * order of CmdSN (RFC 7143 11.6.1). False: its CmdSN is none that is awaited. */
static bool abort_missing(struct iswitch *x, struct task *request, uint32_t cmd_sn)
{
    const struct connection *c = request->session->connection;
    if (iscsi_sn_before(cmd_sn, c->exp_cmd_sn) || !iscsi_sn_before(cmd_sn, request->cmd_sn) ||
        iscsi_sn_before(connection_max_cmd_sn(c), cmd_sn) ||
        command_early(request->session, cmd_sn))
        return false;
    struct task *missing = task_new(x, request->session, false);
    must(missing); /* its CmdSN is within the window */
    missing->kind = COMMAND_SCSI;
    missing->cmd_sn = cmd_sn;
    missing->silent = true;
    return true;
}

static void abort_one(struct iswitch *x, struct task *request, uint32_t itt, uint32_t cmd_sn)
{
    struct task *task = task_find(request->session, itt);
    if (!task && abort_missing(x, request, cmd_sn)) {
        finish(x, request, ISCSI_TASK_COMPLETE);
        return;
    }
    if (!task || task->kind != COMMAND_SCSI || task->state == TASK_STATE_RESPOND) {
        finish(x, request, ISCSI_TASK_UNKNOWN); /* or its answer is just before this one */
        return;
    }
    if (task->state == TASK_STATE_SENT) {
        withdraw(x, task);
        request->victim_itt = itt;
        add_part(x, request, task->group, task->volume, task->lun, task->sequence);
        return;
    }
    if (task->state == TASK_STATE_EARLY)
        task->silent = true; /* it keeps its place in the order of CmdSN */
    else
        task_free(x, task);
    finish(x, request, ISCSI_TASK_COMPLETE);
}

static bool covers(const struct task *request, const struct task *task)
{
    switch (functions[request->function].scope) {
    case SCOPE_TASK:
        return task->itt == request->victim_itt;
    case SCOPE_UNIT:
        return lun_number(task->lun) == lun_number(request->lun);
    case SCOPE_TARGET:
        return true;
    case SCOPE_NONE:
        break;
    }
    return false;
}

/* The next older command that the request ends, with its group or here; NULL: no more. */
static struct task *next_ended(const struct task *request, const struct list *from, bool sent)
{
    for (struct list *at = from->prev; at != &request->session->tasks; at = at->prev) {
        struct task *task = list_member(at, struct task, in_session);
        if (task->ended && (task->state == TASK_STATE_SENT) == sent && covers(request, task))
            return task;
    }
    return NULL;
}

/* The groups have agreed: what is still here is over. */
static void end_here(struct iswitch *x, struct task *request)
{
    struct list *from = &request->in_session;
    for (struct task *task; (task = next_ended(request, from, false));) {
        if (task->state == TASK_STATE_HELD) {
            task_free(x, task);
            continue;
        }
        task->silent = task->silent || task->state == TASK_STATE_EARLY;
        from = &task->in_session;
    }
}

/* A group has refused: what is still here is answered, in its turn. */
static void tell_here(struct iswitch *x, struct task *request)
{
    enum { TASK_ABORTED = 0x40 };
    list_each (&request->session->tasks, link, next) {
        struct task *task = list_member(link, struct task, in_session);
        if (task == request)
            return;
        bool here = task->state == TASK_STATE_HELD || task->state == TASK_STATE_EARLY;
        if (here && task->ended && !task->silent && covers(request, task))
            command_refuse(x, task, TASK_ABORTED);
    }
}

static void end_commands(struct iswitch *x, struct task *request, bool all)
{
    int number = lun_number(request->lun);
    list_each (&request->session->tasks, link, next) {
        struct task *task = list_member(link, struct task, in_session);
        if (task->kind == COMMAND_SCSI && (all || lun_number(task->lun) == number))
            end_command(x, request, task);
    }
}

static void reset_unit(struct iswitch *x, struct task *request)
{
    const struct directory_entry *entry = access_find(x, request->session, request->lun);
    if (!x->directory_known) {
        finish(x, request, ISCSI_TASK_REJECTED);
        return;
    }
    if (!entry) {
        finish(x, request, ISCSI_TASK_NO_LUN);
        return;
    }
    end_commands(x, request, false);
    add_part(x, request, entry->group, entry->volume, request->lun, 0);
}

/* A host resets what it sees, and nothing of others: its next few LUNs. False: it has no more. */
static bool reset_next(struct iswitch *x, struct task *request)
{
    enum { AT_ONCE = 8 };
    const struct directory_entry *entry;
    while (request->parts < AT_ONCE && request->session->spare_used < TASK_SPARE &&
           (entry = access_next(x, request->session, request->next_lun))) {
        request->next_lun = entry->lun + 1u;
        add_part(x, request, entry->group, entry->volume, lun_field(entry->lun), 0);
    }
    return request->parts > 0;
}

static void reset_target(struct iswitch *x, struct task *request)
{
    end_commands(x, request, true);
    if (request->session->host != HOST_ALL) {
        if (!reset_next(x, request)) {
            end_here(x, request);
            finish(x, request, ISCSI_TASK_COMPLETE);
        }
        return;
    }
    for (uint8_t g = 0; g < x->config.sender.groups; g++)
        add_part(x, request, g, VOLUME_NONE, request->lun, 0);
}

void management_end(struct iswitch *x, struct connection *c)
{
    const struct iscsi_task_request *pdu = request_of(c);
    struct task *request = task_new(x, c->session, true);
    must(request);
    request->kind = COMMAND_TASK;
    request->function = pdu->function & ISCSI_TASK_FUNCTION_MASK;
    request->lun = be64_get(pdu->lun);
    request->cmd_sn = be32_get(pdu->cmd_sn);
    request->begun_ns = c->receive.replayed ? c->receive.begun_ns : c->arrival_ns;
    task_set_itt(request, be32_get(pdu->itt));
    trace_info(x->trace, "host %s: task management function %d", c->peer, request->function);
    if (request->function >= FUNCTIONS)
        request->function = 0;
    switch (functions[request->function].scope) {
    case SCOPE_NONE:
        finish(x, request, functions[request->function].refusal);
        break;
    case SCOPE_TASK:
        abort_one(x, request, be32_get(pdu->referenced_itt), be32_get(pdu->referenced_cmd_sn));
        break;
    case SCOPE_UNIT:
        reset_unit(x, request);
        break;
    case SCOPE_TARGET:
        reset_target(x, request);
        break;
    }
    pdu_advance(x, c); /* only now: later commands are not touched */
    command_due(x, c); /* of a place in the order that the request has taken */
}

/* ---- answers ---- */

/* Its parts have answered: when what it ends is over, the host is told. */
static void go_on(struct iswitch *x, struct task *request)
{
    if (request->state != TASK_STATE_PARTS || request->parts > 0 ||
        next_ended(request, &request->in_session, true))
        return;
    if (functions[request->function].scope == SCOPE_TASK)
        request->task_response = request->overtaken ? ISCSI_TASK_UNKNOWN : ISCSI_TASK_COMPLETE;
    response_queue(x, request);
}

/* The group has not done it: its commands are answered whatever becomes of them. */
static void refused(struct iswitch *x, struct task *request)
{
    struct task *task = next_ended(request, &request->in_session, true);
    for (; task; task = next_ended(request, &task->in_session, true))
        task->told = true;
    tell_here(x, request);
    response_queue(x, request);
}

void management_part(struct iswitch *x, struct task *part, uint8_t result)
{
    struct task *request = part->parent;
    task_free(x, part);
    if (!request)
        return;
    if (result != ISCSI_TASK_COMPLETE)
        request->task_response = result;
    must(request->parts > 0);
    if (--request->parts > 0)
        return;
    if (request->next_lun > 0 && request->task_response == ISCSI_TASK_COMPLETE &&
        reset_next(x, request))
        return;
    if (request->task_response == ISCSI_TASK_COMPLETE ||
        request->task_response == ISCSI_TASK_UNKNOWN) {
        end_here(x, request);
        go_on(x, request);
    } else
        refused(x, request);
}

bool management_delivers(const struct task *task, bool aborted)
{
    return !task->ended || task->told || !aborted;
}

void management_answered(struct iswitch *x, struct session *session, uint32_t itt, bool delivered)
{
    list_each (&session->tasks, link, next) {
        struct task *request = list_member(link, struct task, in_session);
        if (request->state != TASK_STATE_PARTS)
            continue;
        if (delivered && functions[request->function].scope == SCOPE_TASK &&
            request->victim_itt == itt)
            request->overtaken = true;
        go_on(x, request);
    }
}

void management_over(struct task *task)
{
    if (task->kind != COMMAND_TASK || task->part)
        return;
    list_each (&task->session->tasks, link, next) {
        struct task *other = list_member(link, struct task, in_session);
        if (other->parent == task)
            other->parent = NULL;
    }
}
