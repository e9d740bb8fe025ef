/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/waits.h"

#include <stdio.h>
#include <stdlib.h>

#include "array/layout.h"
#include "base/must.h"

enum { SENTENCE = 300 };
#define NEVER UINT64_MAX
/* So long what was done to a part is felt after it: one try of a drive. */
#define AFTER_NS MS(1000)
#define HANDOVER_NS MS(2000) /* src/unit/handover.c gives it up then */

struct waits {
    const struct site *site;
    struct world *world;
    uint32_t oldest; /* tickets below it have ended */
    uint64_t line_since[SITE_HOSTS][SWITCH_MAX];
    uint64_t sick_ns[SWITCH_MAX]; /* when a switch was last seen sick */
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

/* Since when module m reaches so many good drives of the set. */
static uint64_t set_since(const struct waits *w, int m, const struct site_pool *pool, int first,
                          int end, uint8_t needed)
{
    const struct record *record = cell_record(w->world, pool->group);
    uint64_t since[DRIVE_MAX];
    int count = 0;
    for (int i = first; i < end && i < pool->drive_count; i++) {
        int d = pool->drives[i], at = count++;
        uint64_t one = record->drive_state[d] == DRIVE_STATE_GOOD ? drive_since(w, m, d) : NEVER;
        for (; at > 0 && since[at - 1] > one; at--)
            since[at] = since[at - 1];
        since[at] = one;
    }
    return needed <= count ? since[needed - 1] : NEVER;
}

/* Module m reaches enough good drives of each set of every pool. */
static uint64_t drives_since(const struct waits *w, int m, int group)
{
    uint64_t since = 0;
    for (int p = 0; p < w->site->pools; p++) {
        const struct site_pool *pool = &w->site->pool[p];
        uint8_t needed, set = site_set(pool, &needed);
        for (int first = 0; pool->group == group && first < pool->drive_count; first += set)
            since = later(since, set_since(w, m, pool, first, first + set, needed));
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

/* A sick process, whose frames of one kind vanish on their way to a switch or from it, and all
 * others pass: nobody can see that, and what has vanished is not sent again. */
static bool switch_sick(const struct waits *w, int s)
{
    for (int m = 0; m < w->site->options.modules; m++)
        if (link_loses(w->world, w->site->module[m], w->site->iswitch[s]) ||
            link_loses(w->world, w->site->iswitch[s], w->site->module[m]))
            return true;
    return false;
}

static void look_at_lines(struct waits *w)
{
    for (int s = 0; s < w->site->options.switches; s++)
        if (switch_sick(w, s))
            w->sick_ns[s] = world_now(w->world);
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

/* Something was done to modules, or to what joins them, since then. */
static bool modules_disturbed(const struct waits *w, uint64_t since)
{
    const struct site *site = w->site;
    for (int m = 0; m < site->options.modules; m++) {
        if (world_sound_since(w->world, site->module[m]) > since)
            return true;
        for (int n = m + 1; n < site->options.modules; n++)
            if (link_sound_since(w->world, site->module[m], site->module[n]) > since)
                return true;
    }
    return false;
}

static uint64_t least_bound(const struct waits *w)
{
    const struct limits *l = &w->site->options.limits;
    return 2 * l->availability_ns + l->ready_ns;
}

/* With cables to interface switches alone nobody need be suspected. A planned move may wait for
 * commands to end, and takes no new ones. One module that is sick costs a
 * takeover, and if the claimant dies another one claims after the fence limit; drives cost what the
 * array gives them; without the register a sick drive cannot be left out before the processing
 * limit has a secondary claim that does reach it. */
static uint64_t bound(const struct waits *w, uint8_t group, uint64_t since)
{
    const struct limits *l = &w->site->options.limits;
    uint64_t ns = least_bound(w);
    if (guard_planned_ns(w->site->guard, group) + HANDOVER_NS > since)
        ns += HANDOVER_NS;
    since = since > AFTER_NS ? since - AFTER_NS : 0;
    if (modules_disturbed(w, since))
        ns += l->handshake_ns + l->fence_ns;
    if (drives_disturbed(w, since))
        ns += l->drive_total_ns + l->drain_ns;
    if (register_disturbed(w, since))
        ns += l->processing_ns;
    return ns;
}

static bool counts(const struct waits *w, const struct op *op)
{
    return op->state == OP_STATE_WAITING && op->begun_ns && !op->abandoned &&
           op->kind != OP_MANAGE && op->path < w->site->options.switches &&
           op->begun_ns > w->sick_ns[op->path];
}

/* Nothing has waited for longer than the shortest bound. */
static bool all_young(struct waits *w, uint64_t now)
{
    struct clients *clients = w->site->clients;
    while (w->oldest <= clients_count(clients) &&
           op_of(clients, w->oldest)->state != OP_STATE_WAITING)
        w->oldest++;
    for (uint32_t ticket = w->oldest; ticket <= clients_count(clients); ticket++) {
        const struct op *op = op_of(clients, ticket);
        if (counts(w, op) && now - op->begun_ns > least_bound(w))
            return false;
    }
    return true;
}

const char *waits_look(struct waits *w)
{
    uint64_t since[GROUP_MAX][SWITCH_MAX], now = world_now(w->world);
    struct clients *clients = w->site->clients;
    look_at_lines(w);
    if (all_young(w, now))
        return NULL;
    for (int g = 0; g < w->site->options.groups; g++)
        for (int s = 0; s < w->site->options.switches; s++)
            since[g][s] = way_since(w, g, s);
    for (uint32_t ticket = w->oldest; ticket <= clients_count(clients); ticket++) {
        const struct op *op = op_of(clients, ticket);
        if (!counts(w, op))
            continue;
        uint64_t from = later(op->begun_ns,
                              later(since[op->group][op->path], w->line_since[op->host][op->path]));
        if (from >= now || now - from <= bound(w, op->group, from))
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
