/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/waits.h"

#include <stdio.h>
#include <stdlib.h>

#include "array/layout.h"
#include "base/must.h"

enum { SENTENCE = 300 };
#define NEVER UINT64_MAX

struct waits {
    const struct site *site;
    struct world *world;
    uint32_t oldest; /* tickets below it have ended */
    uint64_t line_since[SITE_HOSTS][SWITCH_MAX];
    char sentence[SENTENCE];
};

struct waits *waits_new(const struct site *site)
{
    struct waits *w = calloc(1, sizeof *w);
    must(w);
    w->site = site;
    w->world = site->world;
    w->oldest = 1;
    return w;
}

void waits_free(struct waits *w)
{
    free(w);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- since when there is a way ---- */

static uint64_t drive_since(const struct waits *w, int m, int drive)
{
    int loop = w->site->loop[drive / 32];
    return later(later(world_sound_since(w->world, loop),
                       link_sound_since(w->world, w->site->module[m], loop)),
                 disk_sound_since(w->world, drive));
}

/* Module m reaches a good drive of each set of every pool. */
static uint64_t drives_since(const struct waits *w, int m, int group)
{
    const struct record *record = cell_record(w->world, group);
    uint64_t since = 0;
    for (int p = 0; p < w->site->pools; p++) {
        const struct site_pool *pool = &w->site->pool[p];
        int set = pool->level == RAID_0 ? 1 : pool->level == RAID_10 ? 2 : pool->drive_count;
        for (int first = 0; pool->group == group && first < pool->drive_count; first += set) {
            uint64_t best = NEVER;
            for (int i = first; i < first + set && i < pool->drive_count; i++) {
                int d = pool->drives[i];
                uint64_t one =
                    record->drive_state[d] == DRIVE_STATE_GOOD ? drive_since(w, m, d) : NEVER;
                best = one < best ? one : best;
            }
            since = later(since, best);
        }
    }
    return since;
}

/* The unit of module m could answer what comes through switch s. */
static uint64_t unit_since(const struct waits *w, int m, int group, int s)
{
    const struct record *record = cell_record(w->world, group);
    int i = members_find_module(&record->in_sync, (uint8_t)m);
    if (i < 0 || !cell_lives(w->world, group, record->in_sync.at[i]))
        return NEVER;
    int module = w->site->module[m], iswitch = w->site->iswitch[s];
    uint64_t since = world_sound_since(w->world, module);
    since = later(since, world_sound_since(w->world, iswitch));
    since = later(since, link_sound_since(w->world, module, iswitch));
    since = later(since, cell_sound_since(w->world, module));
    return later(since, drives_since(w, m, group));
}

static uint64_t way_since(const struct waits *w, int group, int s)
{
    uint64_t best = NEVER;
    for (int m = 0; m < w->site->options.modules; m++) {
        uint64_t since = unit_since(w, m, group, s);
        best = since < best ? since : best;
    }
    return best;
}

static void look_at_lines(struct waits *w)
{
    for (int h = 0; h < SITE_HOSTS; h++)
        for (int s = 0; s < w->site->options.switches; s++)
            if (w->site->host[h][s] && !host_sound(w->site->host[h][s]))
                w->line_since[h][s] = world_now(w->world);
}

/* ---- how long it may take ---- */

/* Something was done to drives, or to what leads to them, since then. */
static bool drives_disturbed(const struct waits *w, uint64_t since)
{
    const struct site_options *o = &w->site->options;
    bool disturbed = false;
    for (int l = 0; l < o->loops; l++) {
        disturbed |= world_sound_since(w->world, w->site->loop[l]) > since;
        for (int m = 0; m < o->modules; m++)
            disturbed |= link_sound_since(w->world, w->site->module[m], w->site->loop[l]) > since;
        for (int d = 0; d < o->drives; d++)
            disturbed |= disk_sound_since(w->world, l * 32 + d) > since;
    }
    return disturbed;
}

static bool register_disturbed(const struct waits *w, uint64_t since)
{
    for (int m = 0; m < w->site->options.modules; m++)
        if (cell_sound_since(w->world, w->site->module[m]) > since)
            return true;
    return false;
}

static uint64_t bound(const struct waits *w, uint64_t since)
{
    const struct limits *l = &w->site->options.limits;
    uint64_t ns = l->fence_ns + l->drain_ns + 2 * l->availability_ns;
    if (drives_disturbed(w, since))
        ns += l->drive_total_ns;
    if (register_disturbed(w, since))
        ns += l->processing_ns;
    return ns;
}

static bool counts(const struct waits *w, const struct op *op)
{
    return op->state == OP_STATE_WAITING && op->begun_ns && !op->abandoned &&
           op->kind != OP_MANAGE && op->path < w->site->options.switches;
}

/* The host has ended it by a reset of the volume: nobody owes it an answer (RFC 7143 4.2.3.3). */
static bool ended_by_reset(struct clients *clients, const struct op *op)
{
    enum { LOGICAL_UNIT_RESET = 5 };
    for (uint32_t ticket = op->ticket + 1; ticket <= clients_count(clients); ticket++) {
        const struct op *task = op_of(clients, ticket);
        if (task->kind == OP_TASK && task->task == LOGICAL_UNIT_RESET &&
            task->state == OP_STATE_ANSWERED && task->task_response == 0 &&
            task->host == op->host && task->path == op->path && task->group == op->group &&
            task->volume == op->volume)
            return true;
    }
    return false;
}

const char *waits_look(struct waits *w)
{
    uint64_t since[GROUP_MAX][SWITCH_MAX], now = world_now(w->world);
    struct clients *clients = w->site->clients;
    look_at_lines(w);
    for (int g = 0; g < w->site->options.groups; g++)
        for (int s = 0; s < w->site->options.switches; s++)
            since[g][s] = way_since(w, g, s);
    for (uint32_t ticket = w->oldest; ticket <= clients_count(clients); ticket++) {
        const struct op *op = op_of(clients, ticket);
        if (ticket == w->oldest && op->state != OP_STATE_WAITING)
            w->oldest++;
        if (!counts(w, op))
            continue;
        uint64_t from = later(op->begun_ns,
                              later(since[op->group][op->path], w->line_since[op->host][op->path]));
        if (from >= now || now - from <= bound(w, from) || ended_by_reset(clients, op))
            continue;
        snprintf(w->sentence, sizeof w->sentence,
                 "operation %u (host %d, path %d) on volume %d of g%d has waited %.0f ms on a "
                 "healthy path",
                 op->ticket, op->host, op->path, op->volume, op->group + 1,
                 (double)(now - from) / 1e6);
        return w->sentence;
    }
    return NULL;
}
