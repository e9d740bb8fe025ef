/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_WORLD_STATE_H
#define SEGUE_SIM_WORLD_STATE_H

/* What a world is made of. For world.c, which turns it, and world_look.c, which tells of it. */

#include "sim/heap.h"
#include "sim/world.h"

enum { DRIFT_MODEST = 50000 }; /* parts per million */

struct process {
    char name[16];
    bool living, paused;
    bool stopping; /* it was told to stop in order */
    uint32_t life;
    uint64_t clock_ns, clock_at; /* its clock showed that at that time of the world */
    int32_t drift;               /* parts per million */
    uint64_t busy_until, more_ns;
    uint64_t disturbed_ns;          /* world_sound_since */
    struct part *part[WORLD_PARTS]; /* its parts */
    int parts;
    struct part *sleeper; /* the first that wants to wake; NULL: none ever */
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
    port_id port[WORLD_PARTS]; /* of the parts: to look them up */
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

static inline uint64_t process_clock(const struct world *world, const struct process *p)
{
    uint64_t gone = world->now_ns - p->clock_at;
    uint64_t clock = p->clock_ns + gone;
    return p->drift ? clock + (uint64_t)((int64_t)gone * p->drift / 1000000) : clock;
}
/* When that process's clock will show `clock_ns`, or shortly after. */
static inline uint64_t process_time(const struct world *world, const struct process *p,
                                    uint64_t clock_ns)
{
    uint64_t clock = process_clock(world, p);
    if (clock_ns <= clock)
        return world->now_ns;
    int64_t left = (int64_t)(clock_ns - clock), drift = p->drift;
    return world->now_ns + (uint64_t)(drift ? left - left / (1000000 + drift) * drift + 2 : left);
}
/* The same, without a division: not later than that. */
static inline uint64_t process_not_before(const struct world *world, const struct process *p,
                                          uint64_t clock_ns)
{
    uint64_t clock = process_clock(world, p);
    bool wild = p->drift > DRIFT_MODEST || p->drift < -DRIFT_MODEST;
    if (clock_ns <= clock || wild)
        return world->now_ns;
    return world->now_ns + (clock_ns - clock) / 16 * 15;
}
/* A drive's frames go to its loop switch. */
port_id world_served_by(port_id port);

#endif
