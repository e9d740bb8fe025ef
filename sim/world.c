/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/world.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/cell.h"
#include "sim/disk.h"
#include "sim/link.h"
#include "sim/stream.h"
#include "sim/world_state.h"
#include "wire/frame.h"

enum {
    SPIN_MAX = 200000,
    RESTLESS_MAX = 5000,
    LARGE_BYTES = 128 << 10,
    KEPT_BYTES = 1 << 20,
    CHECK_ALL = 64
};

static struct buffer_pool *spare_buffers; /* of the world before: a swarm makes thousands */

struct world_config world_config_default(uint64_t seed)
{
    return (struct world_config){
        .seed = seed,
        .step_ns = 1000,
        .link_delay_ns = 20000,
        .link_jitter_ns = 10000,
        .cell_delay_ns = 100000,
        .cell_jitter_ns = 100000,
        .disk_delay_ns = 80000,
        .disk_jitter_ns = 120000,
        .connect_ns = MS(1),
        .late_ns = MS(50),
        .trace = TRACE_DETAIL,
    };
}

/* A machine takes memory for the largest array at its start, and a history uses little of it: large
 * pieces come from the system, all zero and only as far as they are used. All else is kept for the
 * next. */
static void choose_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_TOP_PAD, LARGE_BYTES);
}

struct world *world_new(const struct world_config *config)
{
    choose_memory();
    struct world *world = calloc(1, sizeof *world);
    must(world);
    world->config = *config;
    world->random.state = config->seed;
    world->now_ns = MS(1000);
    world->actions = actions_new();
    world->buffers = spare_buffers ? spare_buffers : buffer_pool_new((uint64_t)1 << 30);
    spare_buffers = NULL;
    world->links = links_new(world);
    world->cells = cells_new(world);
    world->disks = disks_new(world);
    world->streams = streams_new(world);
    must(world->actions && world->buffers);
    return world;
}

bool world_free(struct world *world)
{
    for (int p = 0; p < world->processes; p++)
        if (world->process[p].living)
            world_crash(world, p);
    streams_free(world->streams);
    disks_free(world->disks);
    cells_free(world->cells);
    links_free(world->links);
    bool balanced = buffer_pool_used(world->buffers) == 0;
    if (balanced && !spare_buffers) {
        buffer_pool_reset(world->buffers);
        spare_buffers = world->buffers;
    } else
        buffer_pool_free(world->buffers);
    actions_free(world->actions);
    for (uint32_t i = 0; i < world->lines; i++)
        free(world->line[i].text);
    free(world->line);
    heap_free(&world->heap);
    free(world);
    return balanced;
}

/* ---- what is in it ---- */

static void trace_sink(void *context, const struct trace *from, enum trace_level level,
                       uint64_t now_ns, const char *text)
{
    (void)level;
    (void)now_ns;
    world_say(context, "%s > %s", from->name, text);
}

int world_add_process(struct world *world, const char *name)
{
    must(world->processes < WORLD_PROCESSES);
    struct process *p = &world->process[world->processes];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->tail = &p->head;
    if (!world->config.same_clock)
        p->clock_ns = random_below(&world->random, MS(1000) * 100000);
    else
        p->clock_ns = world->now_ns;
    p->clock_at = world->now_ns;
    return world->processes++;
}

struct part *world_add_part(struct world *world, int process, const char *name, port_id port,
                            const struct part_kind *kind, void *config)
{
    must(world->parts < WORLD_PARTS);
    struct part *part = &world->part[world->parts];
    snprintf(part->name, sizeof part->name, "%s", name);
    snprintf(part->trace.name, sizeof part->trace.name, "%s", name);
    part->trace.max_level = world->config.trace;
    part->trace.sink = trace_sink;
    part->trace.world = world;
    part->port = world->port[world->parts] = port;
    part->kind = kind;
    part->config = config;
    part->index = world->parts++;
    part->process = process;
    part->wake_ns = UINT64_MAX;
    world->process[process].part[world->process[process].parts++] = part;
    return part;
}

void world_add_link(struct world *world, int a, int b)
{
    links_add(world->links, a, b);
}

/* ---- what is to come ---- */

void world_schedule(struct world *world, uint64_t at_ns, enum happening_kind kind, uint64_t what)
{
    heap_add(&world->heap, (struct happening){at_ns < world->now_ns ? world->now_ns : at_ns, 0,
                                              (uint32_t)kind, what});
}

static void happen(struct world *world, struct happening h)
{
    switch ((enum happening_kind)h.kind) {
    case HAPPENING_LINK:
        links_happened(world->links, h.what);
        break;
    case HAPPENING_DISK:
        disks_happened(world->disks, h.what);
        break;
    case HAPPENING_CELL:
        cells_happened(world->cells, h.what);
        break;
    case HAPPENING_STREAM:
        streams_happened(world->streams, h.what);
        break;
    case HAPPENING_ALARM:
        world->alarm(world->alarm_context, h.what);
        break;
    case HAPPENING_TAMPER:
        world->tamper.happened(world->tamper.context, h.what);
        break;
    }
}

/* ---- inboxes ---- */

struct item *item_new(enum item_kind kind)
{
    struct item *item = malloc(sizeof *item);
    must(item);
    /* a frame's head and message are written whole, or not looked at */
    memset(item, 0, kind == ITEM_FRAME ? offsetof(struct item, frame.head) : sizeof *item);
    item->kind = kind;
    return item;
}

void item_free(struct item *item)
{
    slice_drop(&item->payload);
    free(item);
}

void world_deliver(struct world *world, int process, struct item *item)
{
    struct process *p = &world->process[process];
    if (!p->living) {
        item_free(item);
        return;
    }
    item->arrived_ns = world->now_ns;
    item->next = NULL;
    *p->tail = item;
    p->tail = &item->next;
}

static void send(struct world *world, struct part *from, struct message *message)
{
    struct part *to = world_part_of_port(world, message->to);
    must(to); /* a machine may only send to parts that there are */
    if (world->config.messages && message->kind != MESSAGE_SIGNAL)
        world_say(world, "%s : %s to %s", from->name,
                  message_name((enum message_kind)message->kind), to->name);
    if (world->watch.sent)
        world->watch.sent(world->watch.watcher, from, message);
    if (to->process != from->process) {
        links_send(world->links, from->process, to->process, message);
        return;
    }
    struct item *item = item_new(ITEM_FRAME);
    item->port = message->to;
    item->frame.message = *message;
    item->payload = message->payload;
    world_deliver(world, from->process, item);
}

static void act(struct world *world, struct part *part, struct action *action)
{
    switch (action->kind) {
    case ACTION_SEND:
        send(world, part, &action->message);
        break;
    case ACTION_REGISTER_READ:
    case ACTION_REGISTER_SWAP:
    case ACTION_REGISTER_LIVE:
        cells_act(world->cells, part, action);
        break;
    case ACTION_DRIVE:
    case ACTION_STORE:
        disks_act(world->disks, part, action);
        break;
    case ACTION_STREAM_SEND:
    case ACTION_STREAM_CLOSE:
    case ACTION_STREAM_PAUSE:
    case ACTION_STREAM_RESUME:
        streams_act(world->streams, part, action);
        break;
    case ACTION_EVENT:
        world_say(world, "%s * %s", part->name, action->notice.text);
        if (world->watch.noticed)
            world->watch.noticed(world->watch.watcher, part, action->notice.text);
        break;
    case ACTION_REPLY:
        break;
    case ACTION_STOPPED:
        part->stopped = true;
        world_say(world, "%s x stopped", part->name);
        break;
    }
}

static void drop_payload(struct action *action)
{
    if (action->kind == ACTION_SEND)
        slice_drop(&action->message.payload);
    else if (action->kind == ACTION_DRIVE)
        slice_drop(&action->drive.data);
    else if (action->kind == ACTION_STREAM_SEND)
        slice_drop(&action->stream.payload);
}

static void act_all(struct world *world, struct part *part)
{
    for (uint32_t i = 0; i < world->actions->count; i++) {
        struct action *action = &world->actions->at[i];
        enum action_fate fate = ACTION_DONE;
        if (world->tamper.fate && !world->dying)
            fate = world->tamper.fate(world->tamper.context, part, action);
        if (world->dying || fate == ACTION_TOO_LATE)
            drop_payload(action);
        else
            act(world, part, action);
        world->dying |= fate != ACTION_DONE;
    }
    world->actions->count = 0;
}

/* Its process was to die in the middle of a step. */
static void bury(struct world *world, int process)
{
    if (world->dying)
        world_crash(world, process);
    world->dying = false;
}

static void find_sleeper(struct process *p)
{
    p->sleeper = NULL;
    for (int i = 0; i < p->parts; i++)
        if (p->part[i]->wake_ns != UINT64_MAX &&
            (!p->sleeper || p->part[i]->wake_ns < p->sleeper->wake_ns))
            p->sleeper = p->part[i];
}

void world_step_part(struct world *world, struct part *part, struct event *event)
{
    struct process *p = &world->process[part->process];
    uint32_t life = p->life;
    if (world->dying)
        return;
    must(part->machine && world->actions->count == 0);
    event->now_ns = world_clock(world, part->process);
    part->trace.now_ns = event->now_ns;
    part->kind->step(part->machine, event, world->actions);
    act_all(world, part);
    if (world->dying)
        return;
    part->kind->check(part->machine);
    if (part->kind->check_all && ++part->steps % CHECK_ALL == 0)
        part->kind->check_all(part->machine);
    must(p->life == life);
    part->wake_ns = part->kind->wake_ns(part->machine);
    find_sleeper(p);
    bool restless = event->kind == EVENT_TIME && part->wake_ns <= event->now_ns;
    part->restless = restless ? part->restless + 1 : 0;
    if (part->restless == RESTLESS_MAX)
        world_say(world, "-- %s wakes for ever, and does nothing", part->name);
    must(part->restless < RESTLESS_MAX);
    p->busy_until = world->now_ns + world->config.step_ns + p->more_ns;
    if (world->watch.stepped)
        world->watch.stepped(world->watch.watcher, part);
}

/* ---- a process takes one item ---- */

static struct part *part_for(struct world *world, int process, port_id port)
{
    port = world_served_by(port);
    for (int i = 0; i < world->process[process].parts; i++) {
        struct part *part = world->process[process].part[i];
        bool grouped = port_is_group(port) && port_kind(part->port) == PORT_KIND_UNIT &&
                       port_sub(part->port) == port_sub(port);
        if (part->port == port || grouped)
            return part;
    }
    return NULL;
}

static void take_frame(struct world *world, struct part *part, struct item *item)
{
    struct message message;
    if (item->frame.head_length == 0)
        message = item->frame.message;
    else {
        bool known = frame_decode(item->frame.head, item->frame.head_length,
                                  item->frame.payload_length, &message);
        if (!known)
            world_say(world, "-- a frame of kind %s for %s is malformed",
                      message_name((enum message_kind)message.kind), part->name);
        must(known); /* what our own machines send decodes */
    }
    message.payload = item->payload;
    if (world->watch.received)
        world->watch.received(world->watch.watcher, part, &message);
    struct event event = {.kind = EVENT_MESSAGE, .message = &message};
    world_step_part(world, part, &event);
}

static void link_news(struct world *world, int process, int other, bool up, bool gone)
{
    const struct process *us = &world->process[process], *they = &world->process[other];
    for (int i = 0; i < us->parts; i++)
        for (int j = 0; j < they->parts; j++) {
            struct part *part = us->part[i];
            if (part == they->part[j])
                continue;
            struct event event = {.kind = up ? EVENT_LINK_UP : EVENT_LINK_DOWN};
            event.link.port = they->part[j]->port;
            event.link.gone = gone;
            world_step_part(world, part, &event);
        }
}

static void take(struct world *world, int process, struct item *item)
{
    struct part *part = part_for(world, process, item->port);
    bool late = world->now_ns - item->arrived_ns > world->config.late_ns;
    if (item->kind == ITEM_LINK) {
        links_taken(world->links, process, item);
        link_news(world, process, item->link.other, item->link.up, item->link.gone);
        return;
    }
    must(part);
    switch (item->kind) {
    case ITEM_FRAME:
        take_frame(world, part, item);
        break;
    case ITEM_EVENT:
        world_step_part(world, part, &item->ready.event);
        break;
    case ITEM_STREAM:
        streams_taken(world->streams, part, item->tag);
        break;
    case ITEM_TICKET: {
        part->kind->take(part->machine, item->tag, world_clock(world, process), late);
        struct event event = {.kind = EVENT_TIME};
        world_step_part(world, part, &event);
        break;
    }
    case ITEM_LINK:
        break;
    }
}

/* When the process has something to do, if that is before `first`: world time, UINT64_MAX: never.
 * *sleeper: who wakes then. */
static uint64_t due(const struct world *world, const struct process *p, uint64_t first,
                    struct part **sleeper)
{
    *sleeper = NULL;
    if (!p->living || p->paused)
        return UINT64_MAX;
    if (p->head)
        return world->now_ns < p->busy_until ? p->busy_until : world->now_ns;
    *sleeper = p->sleeper;
    if (!p->sleeper)
        return UINT64_MAX;
    if (p->busy_until >= first || process_not_before(world, p, p->sleeper->wake_ns) >= first)
        return UINT64_MAX;
    uint64_t at = process_time(world, p, p->sleeper->wake_ns);
    return at < p->busy_until ? p->busy_until : at;
}

/* Machines that always want something and items that come for ever take turns with sleepers. */
static void run_process(struct world *world, int process, struct part *sleeper)
{
    struct process *p = &world->process[process];
    struct item *item = p->head;
    uint64_t clock = world_clock(world, process);
    /* A loop takes all that has come before it looks at the time: one that is far behind is late.
     */
    bool behind = !sleeper && world->now_ns - item->arrived_ns > world->config.late_ns;
    for (int i = 0; i < p->parts && !sleeper && !behind; i++)
        if (p->part[i]->wake_ns <= clock && random_chance(&world->random, 25))
            sleeper = p->part[i];
    if (sleeper) {
        struct event event = {.kind = EVENT_TIME};
        world_step_part(world, sleeper, &event);
        return;
    }
    p->head = item->next;
    if (!p->head)
        p->tail = &p->head;
    take(world, process, item);
    item_free(item);
}

bool world_step(struct world *world, uint64_t until)
{
    uint64_t at = heap_next_ns(&world->heap);
    int process = -1;
    struct part *sleeper = NULL;
    for (int p = 0; p < world->processes; p++) {
        struct part *who;
        uint64_t when = due(world, &world->process[p], at, &who);
        if (when < at) {
            at = when;
            process = p;
            sleeper = who;
        }
    }
    if (at > until) {
        if (world->now_ns < until)
            world->now_ns = until;
        return false;
    }
    must(at >= world->now_ns);
    world->spins = at == world->spin_ns ? world->spins + 1 : 0;
    world->spin_ns = at;
    must(world->spins < SPIN_MAX);
    world->now_ns = at;
    if (process < 0)
        happen(world, heap_take(&world->heap));
    else
        run_process(world, process, sleeper);
    bury(world, process);
    return true;
}

void world_run(struct world *world, uint64_t for_ns)
{
    uint64_t until = world->now_ns + for_ns;
    while (world_step(world, until))
        ;
}

/* ---- life of a process ---- */

void world_start(struct world *world, int process)
{
    struct process *p = &world->process[process];
    must(!p->living);
    p->living = true;
    p->paused = p->stopping = false;
    p->life++;
    p->busy_until = p->disturbed_ns = world->now_ns;
    world_say(world, "-- start %s", p->name);
    for (int i = 0; i < world->parts; i++) {
        struct part *part = &world->part[i];
        if (part->process != process)
            continue;
        part->stopped = false;
        part->trace.now_ns = world_clock(world, process);
        part->machine = part->kind->create(world, part);
        must(part->machine);
        part->wake_ns = part->kind->wake_ns(part->machine);
    }
    find_sleeper(p);
    for (int i = 0; i < world->parts; i++)
        if (world->part[i].process == process) {
            struct event event = {.kind = EVENT_TIME};
            world_step_part(world, &world->part[i], &event);
        }
    link_news(world, process, process, true, false);
    links_process_up(world->links, process);
    bury(world, process);
}

static void empty_inbox(struct process *p)
{
    while (p->head) {
        struct item *item = p->head;
        p->head = item->next;
        item_free(item);
    }
    p->tail = &p->head;
}

void world_crash(struct world *world, int process)
{
    struct process *p = &world->process[process];
    must(p->living);
    world_say(world, "%s x crash", p->name);
    p->living = p->paused = false;
    empty_inbox(p);
    disks_process_down(world->disks, process); /* payload may be its parts' own memory */
    for (int i = 0; i < world->parts; i++) {
        struct part *part = &world->part[i];
        if (part->process != process)
            continue;
        if (part->kind->check_all)
            part->kind->check_all(part->machine);
        part->kind->destroy(part->machine);
        part->machine = NULL;
        part->wake_ns = UINT64_MAX;
    }
    find_sleeper(p);
    streams_process_down(world->streams, process);
    links_process_down(world->links, process);
    cells_process_down(world->cells, process);
}

void world_pause(struct world *world, int process)
{
    must(world->process[process].living);
    world_say(world, "%s x pause", world->process[process].name);
    world->process[process].paused = true;
}

void world_resume(struct world *world, int process)
{
    world_say(world, "%s x resume", world->process[process].name);
    world->process[process].paused = false;
    world->process[process].disturbed_ns = world->now_ns;
}

void world_stop(struct world *world, int process)
{
    world_say(world, "-- stop %s", world->process[process].name);
    world->process[process].stopping = true;
    for (int i = 0; i < world->parts; i++) {
        if (world->part[i].process != process)
            continue;
        struct item *item = item_new(ITEM_EVENT);
        item->port = world->part[i].port;
        item->ready.event.kind = EVENT_STOP;
        world_deliver(world, process, item);
    }
}

void world_power_cut(struct world *world)
{
    world_say(world, "-- power cut");
    for (int p = 0; p < world->processes; p++)
        if (world->process[p].living)
            world_crash(world, p);
    disks_power_cut(world->disks);
}
