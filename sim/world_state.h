/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_WORLD_STATE_H
#define SEGUE_SIM_WORLD_STATE_H

/* What a world is made of. For world.c, which turns it, and world_look.c, which tells of it. */

#include "sim/heap.h"
#include "sim/world.h"

struct process {
    char name[16];
    bool living, paused;
    uint32_t life;
    uint64_t clock_ns, clock_at; /* its clock showed that at that time of the world */
    int32_t drift;               /* parts per million */
    uint64_t busy_until, more_ns;
    uint64_t disturbed_ns;          /* world_sound_since */
    struct part *part[WORLD_PARTS]; /* its parts */
    int parts;
    struct item *head, **tail;
};

struct world {
    struct world_config config;
    struct random random;
    uint64_t now_ns;
    uint64_t spin_ns, spins; /* steps at one moment: a machine that never sleeps is a bug */
    struct heap heap;
    struct process process[WORLD_PROCESSES];
    int processes;
    struct part part[WORLD_PARTS];
    int parts;
    struct actions *actions;
    struct buffer_pool *buffers;
    struct links *links;
    struct cells *cells;
    struct disks *disks;
    struct streams *streams;
    struct world_line *line;
    uint32_t lines, lines_room;
    struct world_watch watch;
    struct world_tamper tamper;
    bool dying; /* the process that takes its step: it ends before the step does */
    void (*alarm)(void *context, uint64_t what);
    void *alarm_context;
};

/* When that process's clock will show `clock_ns`, or shortly after. */
uint64_t world_time(const struct world *world, int process, uint64_t clock_ns);
/* A drive's frames go to its loop switch. */
port_id world_served_by(port_id port);

#endif
