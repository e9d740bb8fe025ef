/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/reactions.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { SENTENCE = 200 };

struct reactions {
    const struct site *site;
    struct world *world;
    uint64_t gone_ns[MODULE_MAX]; /* since then it is dead or stopped; 0: it is not */
    char sentence[SENTENCE];
};

struct reactions *reactions_new(const struct site *site)
{
    struct reactions *r = calloc(1, sizeof *r);
    must(r);
    r->site = site;
    r->world = site->world;
    return r;
}

void reactions_free(struct reactions *r)
{
    free(r);
}

static void look_who_is_gone(struct reactions *r)
{
    for (int m = 0; m < r->site->options.modules; m++) {
        int process = r->site->module[m];
        bool gone = !world_living(r->world, process) || world_paused(r->world, process);
        if (!gone)
            r->gone_ns[m] = 0;
        else if (!r->gone_ns[m])
            r->gone_ns[m] = world_now(r->world);
    }
}

/* Nothing has been wrong with that module, nor with what it needs to take a group or to go on with
 * it, since before then. */
static bool well(const struct reactions *r, int m, uint64_t since_ns)
{
    const struct site *site = r->site;
    int process = site->module[m];
    bool is = world_sound_since(r->world, process) < since_ns &&
              cell_sound_since(r->world, process) < since_ns;
    for (int l = 0; is && l < site->options.loops; l++) {
        is = world_sound_since(r->world, site->loop[l]) < since_ns &&
             link_sound_since(r->world, process, site->loop[l]) < since_ns;
        for (int d = 0; is && d < site->options.drives; d++)
            is = disk_sound_since(r->world, l * 32 + d) < since_ns;
    }
    for (int n = 0; is && n < site->options.modules; n++) /* those it may have to agree with */
        if (n != m && !r->gone_ns[n])
            is = world_sound_since(r->world, site->module[n]) < since_ns &&
                 cell_sound_since(r->world, site->module[n]) < since_ns &&
                 link_sound_since(r->world, process, site->module[n]) < since_ns;
    return is;
}

/* A claim waits for whoever was asked to follow another claimant; a swap takes its time. */
static uint64_t patience_ns(const struct reactions *r)
{
    const struct site_options *o = &r->site->options;
    return 2 * o->limits.availability_ns + MS(150) + (o->modules > 2 ? MS(600) : 0);
}

/* It serves the group, or follows who does, and has suspected nobody. */
static bool goes_on(const struct reactions *r, int m, int group, const struct record *record)
{
    struct unit_status status;
    return site_standing(r->site, m, group, &status) && status.epoch == record->epoch &&
           members_find(&record->in_sync, (struct member){(uint8_t)m, status.incarnation}) >= 0 &&
           (status.state == UNIT_STATE_PRIMARY || status.state == UNIT_STATE_SECONDARY);
}

static void look_at_group(struct reactions *r, int group, int gone)
{
    const struct record *record = cell_record(r->world, group);
    uint64_t since_ns = r->gone_ns[gone], now = world_now(r->world);
    int i = members_find_module(&record->in_sync, (uint8_t)gone);
    if (now - since_ns <= patience_ns(r) || i < 0 || record->previous.count > 0)
        return;
    bool leads = member_same(record->primary, record->in_sync.at[i]);
    for (int m = 0; m < r->site->options.modules; m++) {
        if (r->gone_ns[m] || (!leads && m != record->primary.module) ||
            !goes_on(r, m, group, record) || !well(r, m, since_ns))
            continue;
        snprintf(r->sentence, sizeof r->sentence,
                 "%c%d is still %s in g%d, although it has been gone for %.0f ms and %c%d is well",
                 'A' + gone, group + 1, leads ? "primary" : "in sync", group + 1,
                 (double)(now - since_ns) / 1e6, 'A' + m, group + 1);
        return;
    }
}

const char *reactions_look(struct reactions *r)
{
    look_who_is_gone(r);
    for (int g = 0; g < r->site->options.groups; g++)
        for (int m = 0; m < r->site->options.modules && !r->sentence[0]; m++)
            if (r->gone_ns[m])
                look_at_group(r, g, m);
    return r->sentence[0] ? r->sentence : NULL;
}
