/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/cell.h"
#include "sim/kinds.h"

enum { SENTENCE = 300 };

struct records {
    struct world *world;
    uint64_t swapped_ns[GROUP_MAX]; /* the last swap */
    bool loss_accepted[GROUP_MAX];  /* a person has given up what `dirty` alone held */
    char violation[SENTENCE];
};

struct records *records_new(struct world *world)
{
    struct records *r = calloc(1, sizeof *r);
    must(r);
    r->world = world;
    return r;
}

void records_free(struct records *r)
{
    free(r);
}

const char *records_violation(const struct records *r)
{
    return r->violation[0] ? r->violation : NULL;
}

static void violated(struct records *r, const struct record *after, const char *what,
                     struct member other)
{
    if (r->violation[0])
        return;
    int length = snprintf(r->violation, sizeof r->violation, "%c in epoch %llu of g%d: %s",
                          'A' + after->primary.module, (unsigned long long)after->epoch,
                          after->group + 1, what);
    if (other.module != MODULE_NONE)
        snprintf(r->violation + length, sizeof r->violation - (size_t)length, ": %c",
                 'A' + other.module);
}

/* ---- who is meant ---- */

static const struct part *unit_of(const struct records *r, int group, uint8_t module)
{
    const struct part *part = world_part_of_port(r->world, port_unit(module, group));
    return part && part->kind == &kinds_unit_part && kinds_unit(part) ? part : NULL;
}

static bool named(const struct record *record, struct member m)
{
    return members_find(&record->in_sync, m) >= 0 || members_find(&record->previous, m) >= 0;
}

/* The first of them that lives, or nobody. */
static struct member living(const struct records *r, int group, const struct members *members)
{
    for (int i = 0; i < members->count; i++)
        if (cell_lives(r->world, group, members->at[i]))
            return members->at[i];
    return member_none();
}

/* ---- claims ---- */

/* The claimant's own clock may have jumped, or gone on while it was stopped: then it cannot know.
 */
static bool lease_stands(const struct records *r, int process, const struct record *before)
{
    const struct part *holder = unit_of(r, before->group, before->primary.module);
    if (!holder || world_sound_since(r->world, process) > r->swapped_ns[before->group])
        return false;
    const struct unit_config *config = holder->config;
    uint64_t since_ns = world_now(r->world) - r->swapped_ns[before->group];
    return since_ns < config->limits.lease_ns * 9 / 10;
}

/* J1, of one that the record did not name. */
static void check_stranger(struct records *r, int process, const struct record *before,
                           const struct record *after)
{
    struct member holder = living(r, before->group, &before->previous);
    if (holder.module != MODULE_NONE)
        violated(r, after, "claims, though one lives that `previous` named", holder);
    holder = living(r, before->group, &before->in_sync);
    if (holder.module != MODULE_NONE && (before->in_sync.count > 1 || before->lease == 0))
        violated(r, after, "claims, though one lives that was in sync", holder);
    if (holder.module != MODULE_NONE && lease_stands(r, process, before))
        violated(r, after, "claims, though the lease of the lone primary has not run out", holder);
    if (before->dirty.module != MODULE_NONE && !r->loss_accepted[before->group])
        violated(r, after, "claims, though another alone held acknowledged writes", before->dirty);
    if (after->cut != after->epoch) /* J3 */
        violated(r, after, "claims without the queue, and does not set `cut`", member_none());
}

/* J2 */
static void check_members(struct records *r, const struct record *before,
                          const struct record *after)
{
    const struct members *old[] = {&before->in_sync, &before->previous};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < old[k]->count; i++)
            if (members_find(&after->previous, old[k]->at[i]) < 0 &&
                after->previous.count < 2 * MODULE_MAX)
                violated(r, after, "does not name one of before in `previous`", old[k]->at[i]);
    for (int i = 0; i < after->in_sync.count; i++) {
        struct member m = after->in_sync.at[i];
        struct unit_status status;
        if (member_same(m, after->primary))
            continue;
        if (members_find(&before->in_sync, m) < 0)
            violated(r, after, "claims with one that was not in sync", m);
        const struct part *part = unit_of(r, before->group, m.module);
        if (!part || member_same(m, before->primary)) /* that one gives control away */
            continue;
        unit_standing(kinds_unit(part), &status);
        if (status.incarnation == m.incarnation && status.epoch == before->epoch &&
            status.state == UNIT_STATE_SECONDARY && !member_same(before->primary, m) &&
            members_find(&after->in_sync, before->primary) < 0)
            violated(r, after, "claims with one that has not stopped", m);
    }
}

/* ---- what nobody else has ---- */

/* J4 */
static void check_mirror(struct records *r, const struct record *after, uint8_t module)
{
    const struct part *part = unit_of(r, after->group, module);
    struct unit_status status;
    if (!part)
        return;
    unit_describe(kinds_unit(part), &status);
    if (member_same((struct member){module, status.incarnation}, after->primary) &&
        status.mirror_writes > 0)
        violated(r, after,
                 after->clean ? "the record is called clean, though its mirror holds writes"
                              : "the record calls nobody dirty, though it alone holds writes",
                 member_none());
}

void records_swapped(struct records *r, int process, const struct record *before,
                     const struct record *after)
{
    int group = after->group;
    bool first = before->primary.module == MODULE_NONE;
    bool claim = !first && (!member_same(before->primary, after->primary) ||
                            (after->previous.count > 0 && after->epoch != before->epoch));
    if (claim && !named(before, after->primary))
        check_stranger(r, process, before, after);
    if (claim)
        check_members(r, before, after);
    if (after->cut < before->cut || (after->cut != before->cut && after->cut != after->epoch))
        violated(r, after, "`cut` changes to another epoch", member_none()); /* J3 */
    bool alone = after->in_sync.count == 1 && after->previous.count == 0;
    if ((alone && after->dirty.module == MODULE_NONE) || after->clean)
        check_mirror(r, after, after->primary.module);
    r->swapped_ns[group] = world_now(r->world);
    r->loss_accepted[group] = false;
}

void records_noticed(struct records *r, const struct part *part, const char *text)
{
    if (part->kind == &kinds_unit_part && strncmp(text, "loss_accepted", 13) == 0)
        r->loss_accepted[port_sub(part->port)] = true;
}

/* ---- J5 ---- */

void records_answered_alone(struct records *r, const struct part *unit, struct member self)
{
    const struct unit_config *config = unit->config;
    int group = port_sub(unit->port);
    const struct record *record = cell_record(r->world, group);
    uint64_t since_ns = world_now(r->world) - r->swapped_ns[group];
    if (!member_same(record->primary, self))
        violated(r, record, "has claimed, and the one that was alone before still answers", self);
    else if (record->lease > 0 && since_ns > config->limits.lease_ns + config->limits.lease_ns / 20)
        violated(r, record, "answers alone, though its lease has run out", member_none());
}
