/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/causes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

/* What was done to a module may be felt for so long after it. */
#define AFTER_NS MS(500)

enum { SENTENCE = 200 };

struct causes {
    const struct site *site;
    struct world *world;
    struct record last[GROUP_MAX];
    uint64_t settled_ns[GROUP_MAX];  /* when all were last seen in sync */
    uint64_t unserved_ns[GROUP_MAX]; /* since when whoever leads has not served; now: it serves */
    char sentence[SENTENCE];
};

struct causes *causes_new(const struct site *site)
{
    struct causes *c = calloc(1, sizeof *c);
    must(c);
    c->site = site;
    c->world = site->world;
    for (int g = 0; g < site->options.groups; g++) {
        c->last[g] = *cell_record(c->world, g);
        c->unserved_ns[g] = world_now(c->world);
    }
    return c;
}

void causes_free(struct causes *c)
{
    free(c);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Since when nothing is wrong with any module; UINT64_MAX: something is. */
static uint64_t quiet_since(const struct causes *c)
{
    const struct site *site = c->site;
    uint64_t since = 0;
    for (int m = 0; m < site->options.modules; m++) {
        since = later(since, world_sound_since(c->world, site->module[m]));
        since = later(since, cell_sound_since(c->world, site->module[m]));
        for (int n = m + 1; n < site->options.modules; n++)
            since = later(since, link_sound_since(c->world, site->module[m], site->module[n]));
    }
    return since;
}

/* Does the record name everybody, and does each of them know it? */
static bool settled(const struct causes *c, int group)
{
    const struct record *record = cell_record(c->world, group);
    struct unit_status status;
    if (record->in_sync.count != c->site->options.modules || record->previous.count)
        return false;
    for (int m = 0; m < c->site->options.modules; m++) {
        const struct unit *unit = kinds_unit(site_unit(c->site, m, group));
        if (!unit)
            return false;
        unit_standing(unit, &status);
        if (status.epoch != record->epoch ||
            (status.state != UNIT_STATE_PRIMARY && status.state != UNIT_STATE_SECONDARY))
            return false;
    }
    return true;
}

/* One that was in sync is not any more; NULL: all are. */
static const struct member *missing(const struct record *before, const struct record *after)
{
    for (int i = 0; i < before->in_sync.count; i++)
        if (members_find(&after->in_sync, before->in_sync.at[i]) < 0)
            return &before->in_sync.at[i];
    return NULL;
}

const char *causes_look(struct causes *c)
{
    uint64_t now = world_now(c->world), since = quiet_since(c);
    bool calm = since < now && now - since > AFTER_NS;
    for (int g = 0; g < c->site->options.groups; g++) {
        const struct record *record = cell_record(c->world, g);
        const struct member *lost =
            record->epoch != c->last[g].epoch ? missing(&c->last[g], record) : NULL;
        if (lost && calm && c->settled_ns[g] > since && !c->sentence[0])
            snprintf(c->sentence, sizeof c->sentence,
                     "%c%d lost its place in g%d in epoch %llu, although nothing had been wrong "
                     "with any module for %.0f ms",
                     'A' + lost->module, g + 1, g + 1, (unsigned long long)record->epoch,
                     (double)(now - since) / 1e6);
        c->last[g] = *record;
        if (settled(c, g))
            c->settled_ns[g] = now;
        c->unserved_ns[g] = record->previous.count == 0 ? now : c->unserved_ns[g];
        if (now - c->unserved_ns[g] >= c->site->options.limits.fence_ns)
            c->settled_ns[g] = 0; /* who is given control and cannot serve may lose it */
    }
    return c->sentence[0] ? c->sentence : NULL;
}
