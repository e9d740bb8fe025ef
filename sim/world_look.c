/* SPDX-License-Identifier: Apache-2.0 */
/* What there is in a world, what its clocks show, and the story so far. */
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/world_state.h"

enum { TEXT_BYTES = 320 };

int world_process(const struct world *world, const char *name)
{
    for (int p = 0; p < world->processes; p++)
        if (strcmp(world->process[p].name, name) == 0)
            return p;
    must_failed("a process of that name", __FILE__, __LINE__);
}

struct part *world_part(struct world *world, const char *name)
{
    for (int i = 0; i < world->parts; i++)
        if (strcmp(world->part[i].name, name) == 0)
            return &world->part[i];
    must_failed("a part of that name", __FILE__, __LINE__);
}

port_id world_served_by(port_id port)
{
    return port_kind(port) == PORT_KIND_LOOP ? port_loop(port_index(port)) : port;
}

struct part *world_part_of_port(struct world *world, port_id port)
{
    port = world_served_by(port);
    for (int i = 0; i < world->parts; i++)
        if (world->port[i] == port)
            return &world->part[i];
    return NULL;
}

struct part *world_part_at(struct world *world, int index)
{
    return index >= 0 && index < world->parts ? &world->part[index] : NULL;
}

const char *world_process_name(const struct world *world, int process)
{
    return world->process[process].name;
}

int world_processes(const struct world *world)
{
    return world->processes;
}

bool world_living(const struct world *world, int process)
{
    return world->process[process].living;
}

bool world_paused(const struct world *world, int process)
{
    return world->process[process].paused;
}

uint32_t world_life(const struct world *world, int process)
{
    return world->process[process].life;
}

uint64_t world_now(const struct world *world)
{
    return world->now_ns;
}

uint64_t world_clock(const struct world *world, int process)
{
    return process_clock(world, &world->process[process]);
}

void world_clock_drift(struct world *world, int process, int32_t parts_per_million)
{
    struct process *p = &world->process[process];
    p->clock_ns = world_clock(world, process);
    p->clock_at = world->now_ns;
    p->drift = parts_per_million;
}

void world_clock_jump(struct world *world, int process, uint64_t forward_ns)
{
    world_say(world, "-- the clock of %s jumps %llu ms", world->process[process].name,
              (unsigned long long)(forward_ns / 1000000));
    world->process[process].clock_ns += forward_ns;
    world->process[process].disturbed_ns = world->now_ns;
}

void world_slow(struct world *world, int process, uint64_t more_ns)
{
    world->process[process].more_ns = more_ns;
    world->process[process].disturbed_ns = world->now_ns;
}

uint64_t world_sound_since(const struct world *world, int process)
{
    const struct process *p = &world->process[process];
    return p->living && !p->paused && !p->stopping && !p->more_ns ? p->disturbed_ns : UINT64_MAX;
}

struct random *world_random(struct world *world)
{
    return &world->random;
}

const struct world_config *world_settings(const struct world *world)
{
    return &world->config;
}

struct buffer_pool *world_buffers(struct world *world)
{
    return world->buffers;
}

const struct item *world_inbox(const struct world *world, int process)
{
    return world->process[process].head;
}

uint64_t world_held(const struct world *world)
{
    return buffer_pool_used(world->buffers);
}

struct links *world_links(struct world *world)
{
    return world->links;
}

struct cells *world_cells(struct world *world)
{
    return world->cells;
}

void world_swapped(struct world *world, int process, const struct record *before,
                   const struct record *after)
{
    if (world->watch.swapped)
        world->watch.swapped(world->watch.watcher, process, before, after);
}

struct disks *world_disks(struct world *world)
{
    return world->disks;
}

struct streams *world_streams(struct world *world)
{
    return world->streams;
}

void world_watch(struct world *world, const struct world_watch *watch)
{
    world->watch = *watch;
}

void world_tamper(struct world *world, const struct world_tamper *tamper)
{
    world->tamper = *tamper;
}

void world_on_alarm(struct world *world, void (*alarm)(void *context, uint64_t what), void *context)
{
    world->alarm = alarm;
    world->alarm_context = context;
}

/* ---- the story so far ---- */

void world_say(struct world *world, const char *format, ...)
{
    if (world->config.trace < TRACE_INFO)
        return;
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (world->lines == world->lines_room) {
        world->lines_room = world->lines_room ? 2 * world->lines_room : 4096;
        world->line = realloc(world->line, world->lines_room * sizeof *world->line);
        must(world->line);
    }
    struct world_line *line = &world->line[world->lines++];
    line->now_ns = world->now_ns;
    line->text = strdup(text);
    must(line->text);
    if (world->config.print)
        printf("[%12.3f] %s\n", (double)(world->now_ns - MS(1000)) / 1e6, text);
}

uint32_t world_lines(const struct world *world)
{
    return world->lines;
}

const struct world_line *world_line(const struct world *world, uint32_t i)
{
    return &world->line[i];
}

void world_print(const struct world *world, uint32_t count)
{
    uint32_t first = world->lines > count ? world->lines - count : 0;
    for (uint32_t i = first; i < world->lines; i++)
        printf("[%12.3f] %s\n", (double)(world->line[i].now_ns - MS(1000)) / 1e6,
               world->line[i].text);
}
