/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/cell.h"
#include "sim/disk.h"
#include "sim/handshakes.h"
#include "sim/kinds.h"
#include "sim/records.h"

enum { REIGNS = 4096, ANSWERS = 1 << 16, COMMANDS = 4096, FENCES = 16, SENTENCE = 400 };

struct reign {
    uint64_t epoch;
    struct member primary;
};

struct answer {
    bool used;
    uint8_t group, status, sense_key;
    struct command_id id;
};

/* A drive command that a loop switch has received and not answered. */
struct drive_command {
    bool used;
    uint32_t life;
    bool forbidden; /* it came after a fence that disallows it */
    bool old_login; /* it is of another login than its unit's last */
    uint64_t came_ns;
    port_id from;
    struct drive_message message;
};

/* A fence that somebody asked for. */
struct asked {
    uint64_t epoch;
    struct members allowed;
};

struct loop_guard {
    uint32_t life;                         /* that was looked at */
    uint32_t fences;                       /* that were answered */
    uint64_t login[MODULE_MAX][GROUP_MAX]; /* the last that was accepted */
    struct asked asked[GROUP_MAX][FENCES]; /* by epoch: one that is refused may come between */
    struct members allowed[GROUP_MAX];     /* of the fence that stands */
    uint64_t epoch[GROUP_MAX];
    struct drive_command command[COMMANDS];
    uint32_t commands; /* highest used + 1 */
};

struct guard {
    struct world *world;
    struct handshakes *handshakes;
    struct records *records;
    struct reign reign[GROUP_MAX][REIGNS];
    uint64_t record_epoch[GROUP_MAX], record_generation[GROUP_MAX];
    struct answer answer[ANSWERS];
    struct loop_guard loop[LOOP_MAX];
    uint32_t cold_starts[GROUP_MAX];
    uint64_t planned_ns[GROUP_MAX];
    char violation[SENTENCE];
};

static void violated(struct guard *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void violated(struct guard *g, const char *format, ...)
{
    if (g->violation[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g->violation, sizeof g->violation, format, arguments);
    va_end(arguments);
}

const char *guard_violation(const struct guard *g)
{
    const char *of_records = records_violation(g->records);
    return g->violation[0] ? g->violation
           : of_records    ? of_records
                           : handshakes_violation(g->handshakes);
}

/* ---- one primary in an epoch ---- */

static void check_record(struct guard *g)
{
    for (int group = 0; group < GROUP_MAX; group++) {
        const struct record *record = cell_record(g->world, group);
        if (record->generation < g->record_generation[group] ||
            record->epoch < g->record_epoch[group])
            violated(g, "the record of g%d went back to epoch %llu", group + 1,
                     (unsigned long long)record->epoch);
        g->record_generation[group] = record->generation;
        g->record_epoch[group] = record->epoch;
    }
}

static void check_unit(struct guard *g, const struct part *part)
{
    struct unit_status status;
    unit_standing(kinds_unit(part), &status);
    if (status.state != UNIT_STATE_PRIMARY)
        return;
    struct reign *reign = &g->reign[status.group][status.epoch % REIGNS];
    struct member self = {status.module, status.incarnation};
    if (reign->epoch == status.epoch && !member_same(reign->primary, self))
        violated(g, "g%d has two primaries in epoch %llu: %c and %s", status.group + 1,
                 (unsigned long long)status.epoch, 'A' + reign->primary.module, part->name);
    if (reign->epoch < status.epoch)
        *reign = (struct reign){status.epoch, self};
}

/* A member's state is a function of what it has of the sequence: with all of it, it holds what the
 * primary holds. */
static void check_prefix(struct guard *g, const struct part *part)
{
    struct unit_status member, primary;
    unit_standing(kinds_unit(part), &member);
    if (member.state != UNIT_STATE_SECONDARY || !member.sequence)
        return;
    const struct record *record = cell_record(g->world, member.group);
    const struct part *leader =
        world_part_of_port(g->world, port_unit(record->primary.module, member.group));
    if (!leader || !kinds_unit(leader))
        return;
    unit_standing(kinds_unit(leader), &primary);
    if (primary.state != UNIT_STATE_PRIMARY || primary.epoch != member.epoch ||
        primary.sequence != member.sequence)
        return;
    const char *other =
        primary.mirror_writes != member.mirror_writes || primary.mirror_bytes != member.mirror_bytes
            ? "writes in its mirror"
        : primary.ordered != member.ordered   ? "commands in order"
        : primary.outcomes != member.outcomes ? "outcomes"
        : primary.sessions != member.sessions ? "sessions"
                                              : NULL;
    if (other)
        violated(g, "%s has all of the sequence, up to %llu, and holds other %s than %s",
                 part->name, (unsigned long long)member.sequence, other, leader->name);
}

/* What it has answered is durable: a new life of it holds no older fence. */
static void check_loop(struct guard *g, const struct part *part)
{
    struct loop_guard *loop = &g->loop[port_index(part->port)];
    uint32_t life = world_life(g->world, part->process);
    struct loopswitch_bank_status status;
    if (loop->life == life)
        return;
    loop->life = life;
    for (uint8_t b = 0; b < GROUP_MAX; b++) {
        loopswitch_bank(kinds_loopswitch(part), b, &status);
        if (status.epoch < loop->epoch[b])
            violated(g, "%s has lost its fence of epoch %llu of g%d: %llu", part->name,
                     (unsigned long long)loop->epoch[b], b + 1, (unsigned long long)status.epoch);
    }
}

static void stepped(void *watcher, struct part *part)
{
    struct guard *g = watcher;
    if (part->kind == &kinds_loopswitch_part)
        check_loop(g, part);
    if (part->kind != &kinds_unit_part)
        return;
    check_record(g);
    check_unit(g, part);
    check_prefix(g, part);
    handshakes_stepped(g->handshakes, part);
}

/* ---- one outcome of a command ---- */

static void check_response(struct guard *g, const struct response_message *r)
{
    uint64_t hash =
        r->id.sequence * 0x9E3779B97F4A7C15u + r->id.session * 31 + r->id.sender * 7 + r->group;
    struct answer *a = &g->answer[(hash >> 16) % ANSWERS];
    uint8_t sense_key = r->sense_length > 2 ? r->sense[2] & 0x0F : 0;
    if (a->used && a->group == r->group && command_id_same(a->id, r->id)) {
        if (a->status != r->status || a->sense_key != sense_key)
            violated(g, "command %llu of sender %d in g%d was answered %02x/%x and %02x/%x",
                     (unsigned long long)r->id.sequence, r->id.sender, r->group + 1, a->status,
                     a->sense_key, r->status, sense_key);
        return;
    }
    *a = (struct answer){true, r->group, r->status, sense_key, r->id};
}

/* ---- fences ---- */

static bool changes(const struct drive_message *m)
{
    return m->op == DRIVE_WRITE || m->op == DRIVE_FILL;
}

static void drive_command_came(struct guard *g, const struct part *part, const struct message *m)
{
    struct loop_guard *loop = &g->loop[port_index(part->port)];
    const struct drive_message *drive = &m->drive;
    uint32_t i = 0;
    while (i < COMMANDS && loop->command[i].used)
        i++;
    must(i < COMMANDS);
    struct drive_command *c = &loop->command[i];
    if (i >= loop->commands)
        loop->commands = i + 1;
    *c = (struct drive_command){.used = true, .from = m->from, .message = *drive};
    c->life = world_life(g->world, part->process);
    c->came_ns = world_now(g->world);
    uint64_t login = loop->login[port_index(m->from)][port_sub(m->from)];
    c->old_login = login && drive->login != login;
    c->forbidden =
        drive->epoch < loop->epoch[drive->bank] ||
        (loop->epoch[drive->bank] &&
         members_find_module(&loop->allowed[drive->bank], (uint8_t)port_index(m->from)) < 0);
}

static void drive_response_left(struct guard *g, const struct part *part, const struct message *m)
{
    struct loop_guard *loop = &g->loop[port_index(part->port)];
    for (uint32_t i = 0; i < loop->commands; i++) {
        struct drive_command *c = &loop->command[i];
        if (!c->used || c->from != m->to || c->message.tag != m->drive.tag)
            continue;
        if (c->forbidden && changes(&c->message) && m->drive.status == DRIVE_OK &&
            c->life == world_life(g->world, part->process))
            violated(g, "%s carried out a write of epoch %llu although its fence is %llu",
                     part->name, (unsigned long long)c->message.epoch,
                     (unsigned long long)loop->epoch[c->message.bank]);
        if (c->old_login && m->drive.status == DRIVE_OK)
            violated(g, "%s carried out a drive command of an earlier login of %c", part->name,
                     'A' + port_index(m->to));
        c->used = false;
        return;
    }
}

/* Does the drive still have to do that very command? Another of the same shape hides it. */
static bool at_drive(struct guard *g, const struct drive_message *m)
{
    struct disk_pending pending;
    for (uint32_t i = 0; disk_pending(g->world, i, &pending); i++)
        if (pending.number == m->drive && (uint8_t)pending.op == m->op &&
            pending.offset == m->offset && pending.length == m->length)
            return true;
    return false;
}

static bool twin_allowed(const struct loop_guard *loop, const struct members *allowed,
                         const struct drive_message *m)
{
    for (uint32_t i = 0; i < loop->commands; i++) {
        const struct drive_command *c = &loop->command[i];
        if (c->used && c->message.drive == m->drive && c->message.offset == m->offset &&
            members_find_module(allowed, (uint8_t)port_index(c->from)) >= 0)
            return true;
    }
    return false;
}

static void fence_answered(struct guard *g, const struct part *part, const struct message *m)
{
    const struct fence_message *fence = &m->fence;
    struct loop_guard *loop = &g->loop[port_index(part->port)];
    loop->fences += fence->result == FENCE_DONE;
    if (fence->result == FENCE_DONE)
        handshakes_fenced(g->handshakes, port_index(part->port), fence);
    const struct asked *asked = &loop->asked[fence->bank][fence->epoch % FENCES];
    if (fence->result != FENCE_DONE || fence->epoch != asked->epoch)
        return;
    if (fence->epoch < loop->epoch[fence->bank])
        violated(g, "%s took a fence of epoch %llu below its %llu", part->name,
                 (unsigned long long)fence->epoch, (unsigned long long)loop->epoch[fence->bank]);
    loop->epoch[fence->bank] = fence->epoch;
    loop->allowed[fence->bank] = asked->allowed;
    for (uint32_t i = 0; i < loop->commands; i++) {
        struct drive_command *c = &loop->command[i];
        bool here = c->used && c->life == world_life(g->world, part->process);
        if (!here || c->message.bank != fence->bank || !changes(&c->message) ||
            members_find_module(&loop->allowed[fence->bank], (uint8_t)port_index(c->from)) >= 0)
            continue;
        if (!(fence->undrained >> c->message.drive % 32 & 1) && at_drive(g, &c->message) &&
            !twin_allowed(loop, &loop->allowed[fence->bank], &c->message))
            violated(g, "%s answered the fence of epoch %llu with a write of %c under way",
                     part->name, (unsigned long long)fence->epoch, 'A' + port_index(c->from));
        c->forbidden = false; /* its late answer tells nothing */
    }
}

/* What the unit sent in an earlier login has ended by now, or was waited for long enough. */
static void login_accepted(struct guard *g, const struct part *part, const struct message *m)
{
    struct loop_guard *loop = &g->loop[port_index(part->port)];
    const struct loopswitch_config *config = part->config;
    struct members others = {0};
    int module = port_index(m->to), group = port_sub(m->to);
    for (int other = 0; other < MODULE_MAX; other++)
        if (other != module)
            members_add(&others, (struct member){(uint8_t)other, 1});
    loop->login[module][group] = m->login.login;
    for (uint32_t i = 0; i < loop->commands; i++) {
        const struct drive_command *c = &loop->command[i];
        if (c->used && c->from == m->to && c->life == world_life(g->world, part->process) &&
            changes(&c->message) &&
            world_now(g->world) - c->came_ns < config->limits.drain_ns * 9 / 10 &&
            at_drive(g, &c->message) && !twin_allowed(loop, &others, &c->message))
            violated(g, "%s accepted a login of %c with a write of the one before under way",
                     part->name, 'A' + module);
    }
}

static void sent(void *watcher, struct part *part, const struct message *message)
{
    struct guard *g = watcher;
    handshakes_sent(g->handshakes, part, message);
    if (message->kind == MESSAGE_FENCE_ANSWER)
        fence_answered(g, part, message);
    else if (message->kind == MESSAGE_DRIVE_RESPONSE)
        drive_response_left(g, part, message);
    else if (message->kind == MESSAGE_LOGIN_ACCEPT && part->kind == &kinds_loopswitch_part)
        login_accepted(g, part, message);
}

static void received(void *watcher, struct part *part, const struct message *message)
{
    struct guard *g = watcher;
    if (part->kind == &kinds_unit_part)
        handshakes_received(g->handshakes, part, message);
    if (message->kind == MESSAGE_DRIVE_COMMAND)
        drive_command_came(g, part, message);
    else if (message->kind == MESSAGE_FENCE) {
        const struct fence_message *fence = &message->fence;
        g->loop[port_index(part->port)].asked[fence->bank][fence->epoch % FENCES] =
            (struct asked){fence->epoch, fence->allowed};
    } else if (message->kind == MESSAGE_RESPONSE && port_kind(part->port) != PORT_KIND_UNIT)
        check_response(g, &message->response);
}

static void noticed(void *watcher, struct part *part, const char *text)
{
    struct guard *g = watcher;
    if (part->kind == &kinds_unit_part && strncmp(text, "cold_start", strlen("cold_start")) == 0)
        g->cold_starts[port_sub(part->port)]++;
    if (part->kind == &kinds_unit_part && strstr(text, "cause=planned"))
        g->planned_ns[port_sub(part->port)] = world_now(g->world);
    records_noticed(g->records, part, text);
}

static void swapped(void *watcher, int process, const struct record *before,
                    const struct record *after)
{
    struct guard *g = watcher;
    records_swapped(g->records, process, before, after);
    handshakes_swapped(g->handshakes, before, after);
}

uint64_t guard_planned_ns(const struct guard *g, int group)
{
    return g->planned_ns[group];
}

uint32_t guard_fences(const struct guard *g, int loop)
{
    return g->loop[loop].fences;
}

uint32_t guard_cold_starts(const struct guard *g, int group)
{
    return g->cold_starts[group];
}

struct guard *guard_new(struct world *world)
{
    struct guard *g = calloc(1, sizeof *g);
    must(g);
    g->world = world;
    g->records = records_new(world);
    g->handshakes = handshakes_new(world, g->records);
    world_watch(world, &(struct world_watch){g, stepped, sent, received, noticed, swapped});
    return g;
}

void guard_free(struct guard *g)
{
    handshakes_free(g->handshakes);
    records_free(g->records);
    free(g);
}
