/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/submitter.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/mutant.h"
#include "command/directory.h"

enum { NEXUSES = 16, WAITING = 4096 };
#define PING_NS 200000u

struct nexus {
    uint32_t number; /* of this life of it */
    bool wanted;
    bool leaving;       /* the host has left: a new life begins once all of the old one is over */
    uint32_t under_way; /* commands of it */
    uint8_t asked;      /* bit g: NEXUS_OPEN was submitted to group g */
    uint8_t opened;     /* ... and answered */
    uint64_t ping_at, ping_since; /* 0: no ping is under way */
};

struct submitter {
    struct world *world;
    struct part *part;
    const struct submitter_config *config;
    struct sender *sender;
    uint64_t renewals;
    uint32_t waiting[WAITING], waiting_count; /* tickets not yet submitted, in order */
    struct nexus nexus[NEXUSES];
    uint64_t now_ns;
};

/* A cookie is a ticket, or says which nexus is being opened in which group, or is of no interest.
 */
#define COOKIE_OPEN ((uint64_t)1 << 40)
#define COOKIE_NONE ((uint64_t)1 << 41)

static void *submitter_create(struct world *world, struct part *part)
{
    struct submitter *x = calloc(1, sizeof *x);
    must(x);
    x->world = world;
    x->part = part;
    x->config = part->config;
    struct sender_config config = x->config->sender;
    config.session = (uint64_t)world_life(world, part->process) << 20;
    x->sender = sender_new(&config, &part->trace);
    must(x->sender);
    for (uint32_t host = 0; host < NEXUSES; host++)
        x->nexus[host].number = host + 1;
    return x;
}

static void submitter_destroy(void *machine)
{
    struct submitter *x = machine;
    sender_free(x->sender);
    clients_path_down(x->config->clients, x->config->path);
    free(x);
}

const struct sender *submitter_sender(const struct part *part)
{
    const struct submitter *x = part->machine;
    return x ? x->sender : NULL;
}

uint64_t submitter_nexus(const struct part *part, uint8_t host)
{
    const struct submitter *x = part->machine;
    return x ? (uint64_t)world_life(x->world, part->process) << 32 | x->nexus[host].number : 0;
}

/* ---- submitting ---- */

static struct slice payload_of(struct submitter *x, const void *bytes, uint32_t length)
{
    if (!length)
        return slice_none();
    struct buffer *buffer = buffer_get(world_buffers(x->world), length);
    must(buffer);
    memcpy(buffer->data, bytes, length);
    return slice_of(buffer, 0, length);
}

static void open_nexus(struct submitter *x, uint32_t host)
{
    struct nexus *n = &x->nexus[host];
    for (uint8_t g = 0; g < x->config->sender.groups; g++) {
        if (n->asked & 1 << g)
            continue;
        char name[64];
        int length = snprintf(name, sizeof name, "iqn.2026-01.sim:host%u,i,0x%012x", host, host);
        struct command_message command = {
            .kind = COMMAND_NEXUS_OPEN, .nexus = n->number, .volume = VOLUME_NONE};
        command.data_length = (uint32_t)length;
        command.wants_write = true;
        struct slice payload = payload_of(x, name, (uint32_t)length);
        if (sender_submit(x->sender, g, &command, payload, x->now_ns, COOKIE_OPEN | host << 8 | g))
            n->asked |= (uint8_t)(1 << g);
        slice_drop(&payload);
    }
}

static void command_of(struct submitter *x, const struct op *op, struct command_message *command)
{
    memset(command, 0, sizeof *command);
    command->kind = op->kind == OP_TASK     ? COMMAND_TASK
                    : op->kind == OP_MANAGE ? COMMAND_MANAGE
                                            : COMMAND_SCSI;
    command->attribute = 1;
    memcpy(command->cdb, op->cdb, 16);
    command->nexus = x->config->manager ? NEXUS_NONE : x->nexus[op->host].number;
    command->volume = op->volume;
    command->lun = lun_field(op->lun);
    command->wants_write = op->out_length > 0;
    command->wants_read = op->in_room > 0;
    command->data_length = op->out_length ? op->out_length : op->in_room;
    command->task = op->task;
    struct op *target = op_of(x->config->clients, op->target);
    command->task_sequence = target ? target->sequence : 0;
}

/* False: no room, or its nexus is not open. */
static bool submit(struct submitter *x, struct op *op)
{
    struct nexus *n = &x->nexus[op->host];
    if (!x->config->manager && (n->leaving || !(n->opened & 1 << op->group))) {
        n->wanted = !n->leaving;
        return false;
    }
    if (!sender_has_room(x->sender, op->group))
        return false;
    struct command_message command;
    command_of(x, op, &command);
    struct slice payload = payload_of(x, op->out, op->out_length);
    op->sequence = sender_submit(x->sender, op->group, &command, payload, x->now_ns, op->ticket);
    slice_drop(&payload);
    n->under_way += op->sequence != 0;
    return op->sequence != 0;
}

/* Everything of the nexus is over: it is lost in each group, and its host may come again. */
static void end_nexus(struct submitter *x, struct nexus *n)
{
    for (uint8_t g = 0; g < x->config->sender.groups; g++) {
        struct command_message command = {
            .kind = COMMAND_NEXUS_LOSS, .nexus = n->number, .volume = VOLUME_NONE};
        if (!(n->asked & 1 << g))
            continue;
        if (!sender_submit(x->sender, g, &command, slice_none(), x->now_ns, COOKIE_NONE))
            return; /* no room: the rest with the next step */
        n->asked &= (uint8_t) ~(1 << g);
    }
    uint32_t number = n->number + NEXUSES;
    *n = (struct nexus){.number = number};
}

static void end_nexuses(struct submitter *x)
{
    for (uint32_t host = 0; host < NEXUSES; host++) {
        struct nexus *n = &x->nexus[host];
        if (n->leaving && n->under_way == 0 && n->opened == n->asked)
            end_nexus(x, n);
    }
}

/* The host has closed its session: what has no order yet shall not run. */
static void leave(struct submitter *x, uint32_t host)
{
    struct clients *clients = x->config->clients;
    struct nexus *n = &x->nexus[host];
    n->leaving = true;
    n->wanted = false;
    for (uint32_t ticket = 1; ticket <= clients_count(clients); ticket++) {
        struct op *op = op_of(clients, ticket);
        if (op->host != host || op->path != x->config->path || op->state != OP_STATE_WAITING ||
            !op->abandoned)
            continue;
        if (op->sequence)
            sender_withdraw(x->sender, op->group, op->sequence);
        else
            op_lose(clients, op);
    }
}

static void submit_waiting(struct submitter *x)
{
    for (uint32_t host = 0; host < NEXUSES; host++)
        if (x->nexus[host].wanted)
            open_nexus(x, host);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->waiting_count; i++) {
        struct op *op = op_of(x->config->clients, x->waiting[i]);
        if (op->state == OP_STATE_WAITING && !submit(x, op))
            x->waiting[kept++] = x->waiting[i];
    }
    x->waiting_count = kept;
}

static void submitter_take(void *machine, uint64_t ticket, uint64_t now_ns, bool late)
{
    struct submitter *x = machine;
    x->now_ns = now_ns;
    if (ticket & TICKET_LEAVE) {
        leave(x, (uint32_t)(ticket & 0xFF));
        return;
    }
    struct op *op = op_of(x->config->clients, ticket);
    if (op->state != OP_STATE_WAITING)
        return;
    if (late && op->abandoned) { /* its host does not answer the ping: nothing of it goes out */
        op_lose(x->config->clients, op);
        return;
    }
    must(op->host < NEXUSES && x->waiting_count < WAITING);
    x->waiting[x->waiting_count++] = (uint32_t)ticket;
}

/* ---- notices ---- */

/* That group may know none of the nexuses any more. */
static void nexuses_cut(struct submitter *x, uint8_t group)
{
    for (uint32_t host = 0; host < NEXUSES; host++) {
        struct nexus *n = &x->nexus[host];
        if (!(n->opened & 1 << group) || n->leaving)
            continue;
        n->wanted = true;
        n->asked &= (uint8_t) ~(1 << group);
        n->opened &= (uint8_t) ~(1 << group);
    }
}

static void take_response(struct submitter *x, const struct sender_notice *notice)
{
    const struct response_message *response = notice->response;
    if (notice->cookie & COOKIE_OPEN) {
        struct nexus *n = &x->nexus[notice->cookie >> 8 & 0xFF];
        if (response->status == 0x02 && response->sense[2] == 0x0B) { /* cut: once more */
            n->asked &= (uint8_t) ~(1 << (notice->cookie & 0xFF));
            return;
        }
        n->opened |= (uint8_t)(1 << (notice->cookie & 0xFF));
        return;
    }
    if (notice->cookie == COOKIE_NONE)
        return;
    struct op *op = op_of(x->config->clients, notice->cookie);
    must(op);
    if (op->state != OP_STATE_WAITING)
        return; /* lost with an earlier session */
    if (x->nexus[op->host].under_way)
        x->nexus[op->host].under_way--;
    if (op->abandoned && op->kind == OP_READ && notice->payload.length < response->transferred) {
        op_lose(x->config->clients, op); /* its host has left: nobody is told what was read */
        return;
    }
    op->task_response = response->task_response;
    op->withdrawn = response->withdrawn;
    op_answer(x->config->clients, op, response->status, response->sense, response->sense_length,
              slice_bytes(notice->payload), notice->payload.length);
}

static void session_over(struct submitter *x)
{
    clients_path_down(x->config->clients, x->config->path);
    for (uint32_t host = 0; host < NEXUSES; host++)
        x->nexus[host] = (struct nexus){.number = x->nexus[host].number + NEXUSES};
    x->waiting_count = 0;
    sender_renew(x->sender,
                 ((uint64_t)world_life(x->world, x->part->process) << 20) + ++x->renewals);
}

static void take_notices(struct submitter *x)
{
    struct sender_notice notice;
    while (sender_next_notice(x->sender, &notice)) {
        struct nexus *n;
        switch (notice.kind) {
        case SENDER_NOTICE_RESPONSE:
            take_response(x, &notice);
            slice_drop(&notice.payload);
            break;
        case SENDER_NOTICE_PROVE:
            n = &x->nexus[(notice.nexus - 1) % NEXUSES];
            if (notice.nexus != n->number || n->leaving)
                break; /* nobody answers */
            n->ping_since = x->now_ns;
            n->ping_at = x->now_ns + PING_NS;
            break;
        case SENDER_NOTICE_DEAD:
            session_over(x);
            break;
        case SENDER_NOTICE_VIEW:
            if (notice.cut && !mutant(MUTANT_NEXUS_KEPT_OVER_CUT))
                nexuses_cut(x, notice.group);
            break;
        }
    }
}

static void answer_pings(struct submitter *x)
{
    for (uint32_t host = 0; host < NEXUSES; host++) {
        struct nexus *n = &x->nexus[host];
        if (!n->ping_at || n->ping_at > x->now_ns)
            continue;
        n->ping_at = 0;
        if (!n->leaving)
            sender_proved(x->sender, n->number, n->ping_since);
    }
}

/* ---- the machine ---- */

static void submitter_step(void *machine, const struct event *event, struct actions *actions)
{
    struct submitter *x = machine;
    x->now_ns = event->now_ns;
    x->part->trace.now_ns = event->now_ns;
    if (event->kind == EVENT_MESSAGE)
        sender_message(x->sender, event->message, event->now_ns);
    else if (event->kind == EVENT_LINK_UP || event->kind == EVENT_LINK_DOWN) {
        if (port_kind(event->link.port) == PORT_KIND_UNIT)
            sender_link(x->sender, event->link.port, event->kind == EVENT_LINK_UP);
    } else if (event->kind == EVENT_STOP)
        actions_add(actions, ACTION_STOPPED);
    answer_pings(x);
    take_notices(x);
    end_nexuses(x);
    submit_waiting(x);
    sender_pump(x->sender, event->now_ns, actions);
    take_notices(x);
}

static uint64_t submitter_wake_ns(const void *machine)
{
    const struct submitter *x = machine;
    uint64_t wake = sender_wake_ns(x->sender);
    for (uint32_t host = 0; host < NEXUSES; host++)
        if (x->nexus[host].ping_at && x->nexus[host].ping_at < wake)
            wake = x->nexus[host].ping_at;
    return wake;
}

static void submitter_check(const void *machine)
{
    const struct submitter *x = machine;
    sender_check(x->sender);
}

const struct part_kind submitter_kind = {
    .name = "submitter",
    .create = submitter_create,
    .step = submitter_step,
    .wake_ns = submitter_wake_ns,
    .check = submitter_check,
    .destroy = submitter_destroy,
    .take = submitter_take,
};
