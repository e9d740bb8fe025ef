/* SPDX-License-Identifier: Apache-2.0 */

/* Which drive commands reach a drive, and their way back. All that are admitted run side by side:
 * their order is their unit's business. */

#include "base/must.h"
#include "loopswitch/state.h"

static enum drive_status judge_drive(const struct loopswitch *x, const struct drive_message *drive,
                                     uint8_t group, uint8_t *index)
{
    int slot = drive->drive % 32;
    if (drive->drive / 32 != x->config.index || slot >= SLOT_MAX || x->drive_of_slot[slot] == 0xFF)
        return DRIVE_GONE;
    *index = x->drive_of_slot[slot];
    const struct drive *d = &x->drive[*index];
    bool usable =
        loopswitch_on_line(d) || (d->state == LOOP_PORT_ONLINE && mutant(MUTANT_OVERDUE_USABLE));
    return usable && d->bank == drive->bank && drive->bank == group ? DRIVE_OK : DRIVE_GONE;
}

/* Offset, length and payload against the drive and each other. */
static bool fits(const struct message *message, uint64_t drive_bytes)
{
    const struct drive_message *drive = &message->drive;
    uint32_t payload = message->payload.length;
    if (drive->op == DRIVE_FLUSH)
        return payload == 0;
    if (drive->length == 0 || drive->length % 512 || drive->offset % 512 ||
        drive->offset > drive_bytes || drive->length > drive_bytes - drive->offset)
        return false;
    if (drive->op == DRIVE_READ)
        return payload == 0 && drive->length <= BUFFER_MAX;
    if (drive->op == DRIVE_WRITE)
        return payload == drive->length && drive->length <= BUFFER_MAX;
    if (drive->op != DRIVE_FILL)
        return false;
    return payload == 0 || /* zeroes */
           ((payload == 512 || payload == 4096) && drive->length % payload == 0);
}

static enum drive_status judge(const struct loopswitch *x, const struct message *message,
                               const struct port *port, uint8_t *index)
{
    const struct drive_message *drive = &message->drive;
    uint8_t group = (uint8_t)port_sub(message->from);
    if (!port->login || (drive->login != port->login && !mutant(MUTANT_LOGIN_UNCHECKED)))
        return DRIVE_REFUSED_LOGIN;
    enum drive_status status = judge_drive(x, drive, group, index);
    if (status != DRIVE_OK)
        return status;
    const struct bank *bank = &x->bank[group];
    if (!loopswitch_fence_allows(bank, port->member, drive->epoch))
        return DRIVE_REFUSED_EPOCH;
    if (!fits(message, x->config.drive[*index].bytes))
        return DRIVE_MEDIUM_ERROR;
    bool room = x->drive[*index].queued < loopswitch_share(x);
    bool up = bank->state == BANK_STATE_FENCED || mutant(MUTANT_ADMIT_WHILE_DRAINING);
    bool initialised = x->drive[*index].state == LOOP_PORT_ONLINE;
    return room && up && initialised && !x->stopping ? DRIVE_OK : DRIVE_BUSY;
}

static port_id own_port(const struct loopswitch *x, port_id to)
{
    return port_kind(to) == PORT_KIND_LOOP && port_index(to) == x->config.index ? to : x->self;
}

static void refuse(struct loopswitch *x, const struct message *message, enum drive_status status,
                   struct actions *actions)
{
    struct bank *bank = &x->bank[port_sub(message->from)];
    struct message *response =
        actions_send(actions, MESSAGE_DRIVE_RESPONSE, own_port(x, message->to), message->from);
    response->drive = message->drive;
    response->drive.status = (uint8_t)status;
    loopswitch_port(x, message->from)->counters.frames_out++;
    if (status == DRIVE_REFUSED_EPOCH)
        response->drive.epoch = bank->epoch;
    if (status == DRIVE_REFUSED_EPOCH || status == DRIVE_REFUSED_LOGIN)
        bank->refused++;
    trace_detail(x->trace, "%c%d: drive %u epoch %llu: %s", 'A' + port_index(message->from),
                 port_sub(message->from) + 1, message->drive.drive,
                 (unsigned long long)message->drive.epoch, drive_status_name(status));
}

void loopswitch_admit(struct loopswitch *x, const struct message *message, struct actions *actions)
{
    struct port *port = loopswitch_port(x, message->from);
    if (!port || !port->linked)
        return;
    uint8_t index = 0;
    port->counters.frames_in++;
    enum drive_status status = judge(x, message, port, &index);
    if (status != DRIVE_OK) {
        refuse(x, message, status, actions);
        return;
    }
    uint32_t i = x->first_free;
    must(i < x->config.commands_max && !x->running[i].used);
    struct running *command = &x->running[i];
    x->first_free = command->next_free;
    *command = (struct running){.used = true,
                                .life = ++x->lives,
                                .drive = index,
                                .module = (uint8_t)port_index(message->from),
                                .group = (uint8_t)port_sub(message->from),
                                .member = port->member,
                                .begin_ns = x->now_ns,
                                .unit = message->from,
                                .to = own_port(x, message->to),
                                .message = message->drive};
    x->admitted++;
    x->drive[index].queued++;
    x->drive[index].counters.frames_in++;
    port->running++;
    struct action *action = actions_add(actions, ACTION_DRIVE);
    action->drive.tag = (uint64_t)(command->life & 0x7FFFFFFFu) << 32 | i;
    action->drive.slot = x->drive[index].slot;
    action->drive.op = message->drive.op;
    action->drive.fua = message->drive.fua;
    action->drive.offset = message->drive.offset;
    action->drive.length = message->drive.length;
    action->drive.data = slice_ref(message->payload);
}

void loopswitch_give_up(struct loopswitch *x, struct running *command)
{
    must(command->used && !command->given_up);
    command->given_up = true;
    x->drive[command->drive].overdue++;
    x->drive[command->drive].counters.timeouts++;
    x->port[command->module][command->group].running--;
    if (command->draining)
        x->bank[command->message.bank].draining--;
    command->draining = false;
    trace_warn(x->trace, "slot %02d: a command of %c%d does not end; off line until it does",
               x->drive[command->drive].slot, 'A' + command->module, command->group + 1);
}

static void count(struct loopswitch *x, const struct running *command, enum drive_status status,
                  struct actions *actions)
{
    struct drive *drive = &x->drive[command->drive];
    const struct drive_message *message = &command->message;
    if (!command->given_up && x->now_ns - command->begin_ns > x->config.limits.drive_ns)
        drive->counters.timeouts++;
    drive->counters.frames_out++;
    loopswitch_count(x, drive, (enum drive_op)message->op, status, actions);
    if (status != DRIVE_OK)
        return;
    switch ((enum drive_op)message->op) {
    case DRIVE_READ:
        drive->reads++;
        drive->read_bytes += message->length;
        break;
    case DRIVE_WRITE:
    case DRIVE_FILL:
        drive->writes++;
        drive->written_bytes += message->length;
        break;
    case DRIVE_FLUSH:
        break;
    }
}

static enum loopswitch_op op_of(uint8_t op)
{
    return op == DRIVE_READ    ? LOOPSWITCH_READ
           : op == DRIVE_FLUSH ? LOOPSWITCH_FLUSH
                               : LOOPSWITCH_WRITE;
}

const struct histogram *loopswitch_took(const struct loopswitch *x, enum loopswitch_op op)
{
    return &x->took[op];
}

static void release(struct loopswitch *x, struct running *command)
{
    struct drive *drive = &x->drive[command->drive];
    if (command->given_up)
        drive->overdue--;
    else
        x->port[command->module][command->group].running--;
    if (command->draining)
        x->bank[command->message.bank].draining--;
    drive->queued--;
    x->admitted--;
    command->used = false;
    command->next_free = x->first_free;
    x->first_free = (uint32_t)(command - x->running);
}

void loopswitch_completed(struct loopswitch *x, const struct event *event, struct actions *actions)
{
    uint64_t tag = event->drive.tag;
    enum drive_status status = event->drive.status;
    if (tag & OWN_TAG && tag & TEST_TAG) {
        loopswitch_tested(x, tag, status, actions);
        return;
    }
    if (tag & OWN_TAG && tag & WIPE_TAG) {
        loopswitch_wiped(x, tag, status, actions);
        return;
    }
    if (tag & OWN_TAG) {
        x->flushes -= x->flushes > 0;
        if (status != DRIVE_OK)
            trace_error(x->trace, "a drive could not be flushed: %s", drive_status_name(status));
        return;
    }
    uint32_t i = (uint32_t)tag;
    if (i >= x->config.commands_max || !x->running[i].used ||
        (x->running[i].life & 0x7FFFFFFFu) != tag >> 32)
        return; /* of an earlier life of ours */
    struct running *command = &x->running[i];
    struct slice data = event->drive.data;
    if (command->message.op != DRIVE_READ || status != DRIVE_OK)
        data = slice_none();
    else if (data.length != command->message.length)
        status = DRIVE_MEDIUM_ERROR, data = slice_none();
    histogram_add(&x->took[op_of(command->message.op)], x->now_ns - command->begin_ns);
    count(x, command, status, actions);
    struct port *port = &x->port[command->module][command->group];
    if (port->linked && port->login && port->login == command->message.login) {
        struct message *response =
            actions_send(actions, MESSAGE_DRIVE_RESPONSE, command->to, command->unit);
        response->drive = command->message;
        response->drive.status = (uint8_t)status;
        response->payload = slice_ref(data);
        port->counters.frames_out++;
    }
    release(x, command);
}
