/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_random.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SHORTEST_MS = 50,
    LONGEST_MS = 8000,
    DOUBLINGS = 8, /* from the one to the other */
    CALM_LEAST_MS = 300,
    CALM_MORE_MS = 1200,
    PULL_LEAST_MS = 1200, /* a pulled drive is missed within a second */
    PULL_MORE_MS = 4000,
    REST_ROUNDS = 50, /* an array trusts a drive less each time that it errs */
    TRIES = 50,
    KINDS_TRIED = 100,
};

static const uint64_t MILLISECOND = 1000000u;

void drill_random_init(struct drill_random *r, uint64_t seed)
{
    *r = (struct drill_random){.state = seed};
}

/* splitmix64 */
static uint64_t next(struct drill_random *r)
{
    uint64_t x = r->state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static uint32_t below(struct drill_random *r, uint32_t n)
{
    return (uint32_t)(next(r) >> 16) % n;
}

/* Short ones as often as long ones: each doubling is as likely as the next. */
static uint64_t length_ns(struct drill_random *r)
{
    uint32_t least = (uint32_t)SHORTEST_MS << below(r, DOUBLINGS);
    uint32_t ms = least + below(r, least);
    return (ms < LONGEST_MS ? ms : LONGEST_MS) * MILLISECOND;
}

static bool may_fail(const struct drill_random *r, uint32_t processes, int drive)
{
    return r->wild || drill_shape_tolerates(&r->shape, processes, drive);
}

/* Any process that may fail along with those of the mask; -1: none was met. */
static int any_process(struct drill_random *r, uint32_t with, uint8_t not_roles)
{
    if (!r->shape.processes)
        return -1;
    int p = (int)below(r, r->shape.processes);
    bool good = r->shape.process[p].roles && !(r->shape.process[p].roles & not_roles) &&
                !(with >> p & 1) && may_fail(r, with | 1u << p, -1);
    return good ? p : -1;
}

static struct drill_fault *add(struct drill_random *r, struct drill_plan *plan,
                               enum drill_fault_kind kind, const char *part)
{
    struct drill_fault *f = drill_plan_add(plan, kind, part);
    if (!f)
        return NULL;
    f->length_ns = length_ns(r);
    f->calm_ns = (CALM_LEAST_MS + below(r, CALM_MORE_MS)) * MILLISECOND;
    if (r->calm_ns)
        f->calm_ns = r->calm_ns;
    return f;
}

static bool strike_process(struct drill_random *r, struct drill_plan *plan,
                           enum drill_fault_kind kind)
{
    int p = any_process(r, 0, 0);
    return p >= 0 && add(r, plan, kind, r->shape.process[p].name);
}

static bool kill_one(struct drill_random *r, struct drill_plan *plan)
{
    return strike_process(r, plan, DRILL_FAULT_KILL);
}

static bool hang_one(struct drill_random *r, struct drill_plan *plan)
{
    return strike_process(r, plan, DRILL_FAULT_HANG);
}

static bool restart_one(struct drill_random *r, struct drill_plan *plan)
{
    return strike_process(r, plan, DRILL_FAULT_RESTART);
}

/* Two of different kinds in one moment; of any kinds when wild. */
static bool two_at_once(struct drill_random *r, struct drill_plan *plan)
{
    int a = any_process(r, 0, 0);
    int b = a < 0 ? -1 : any_process(r, 1u << a, r->wild ? 0 : r->shape.process[a].roles);
    if (b < 0)
        return false;
    const int both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        enum drill_fault_kind kind = below(r, 2) ? DRILL_FAULT_KILL : DRILL_FAULT_HANG;
        struct drill_fault *f = add(r, plan, kind, r->shape.process[both[i]].name);
        if (!f)
            return false;
        f->together = i > 0;
    }
    return true;
}

static bool cut(struct drill_random *r, struct drill_plan *plan, const char *part)
{
    static const char *const ways[] = {"refused", "silent", "mute", "deaf"};
    struct drill_fault *f = add(r, plan, DRILL_FAULT_CUT, part);
    if (f)
        snprintf(f->how, sizeof f->how, "%s", ways[below(r, 4)]);
    return f != NULL;
}

/* Every link that carries something has a module at one end. Whoever it is that the two then do
 * without, the array must be able to. */
static bool cut_link(struct drill_random *r, struct drill_plan *plan)
{
    char part[DRILL_PART];
    int a = any_process(r, 0, 0), b = any_process(r, 0, 0);
    if (a < 0 || b < 0 || a == b ||
        !((r->shape.process[a].roles | r->shape.process[b].roles) & SHAPE_MODULE))
        return false;
    snprintf(part, sizeof part, "%s-%s", r->shape.process[a].name, r->shape.process[b].name);
    return cut(r, plan, part);
}

static bool cut_off(struct drill_random *r, struct drill_plan *plan)
{
    int p = any_process(r, 0, 0);
    return p >= 0 && cut(r, plan, r->shape.process[p].name);
}

/* It has rested long enough. */
static bool may_err(const struct drill_random *r, int drive)
{
    return r->wild || r->rounds >= r->rested[drive];
}

static void errs(struct drill_random *r, int drive)
{
    r->rested[drive] = r->rounds + REST_ROUNDS;
}

static bool is_file(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

static bool pull_drive(struct drill_random *r, struct drill_plan *plan)
{
    if (!r->shape.drives)
        return false;
    int d = (int)below(r, r->shape.drives);
    if (!drill_shape_uses(&r->shape, d) || !may_fail(r, 0, d) || !may_err(r, d) ||
        !is_file(r->shape.drive[d].path))
        return false;
    struct drill_fault *f = add(r, plan, DRILL_FAULT_PULL, r->shape.drive[d].name);
    if (f)
        f->length_ns = (PULL_LEAST_MS + below(r, PULL_MORE_MS)) * MILLISECOND;
    errs(r, d);
    return f != NULL;
}

/* All drives of the tray's pools refuse what is written. */
static bool fill_tray(struct drill_random *r, struct drill_plan *plan)
{
    int p = any_process(r, 0, 0);
    if (p < 0 || r->shape.process[p].roles != SHAPE_TRAY)
        return false;
    for (int d = 0; d < r->shape.drives; d++)
        if (r->shape.drive[d].process == p && drill_shape_uses(&r->shape, d) && !may_err(r, d))
            return false;
    for (int d = 0; d < r->shape.drives; d++)
        if (r->shape.drive[d].process == p)
            errs(r, d);
    return add(r, plan, DRILL_FAULT_FULL, r->shape.process[p].name);
}

static bool fill_register(struct drill_random *r, struct drill_plan *plan)
{
    int p = any_process(r, 0, 0);
    return p >= 0 && r->shape.process[p].roles == SHAPE_MODULE &&
           add(r, plan, DRILL_FAULT_FULL, r->shape.process[p].name);
}

static bool move_group(struct drill_random *r, struct drill_plan *plan)
{
    char part[DRILL_PART];
    if (!r->shape.groups)
        return false;
    int g = (int)below(r, r->shape.groups);
    if (r->shape.group[g].members < 2)
        return false;
    int m = (int)below(r, r->shape.group[g].members);
    snprintf(part, sizeof part, "%s:%s", r->shape.group[g].name,
             r->shape.group[g].member[m].module);
    return add(r, plan, DRILL_FAULT_MOVE, part) != NULL;
}

static const struct {
    const char *kind;
    uint32_t weight;
    bool (*round)(struct drill_random *r, struct drill_plan *plan);
} rounds[] = {
    {"kill", 4, kill_one},   {"hang", 5, hang_one},  {"restart", 2, restart_one},
    {"two", 5, two_at_once}, {"cut", 4, cut_link},   {"cut", 3, cut_off},
    {"pull", 3, pull_drive}, {"full", 2, fill_tray}, {"full", 1, fill_register},
    {"move", 1, move_group},
};

const char drill_random_kinds[] = "kill,hang,restart,two,cut,pull,full,move";

/* The next word of a list with commas, "" at its end. */
static const char *next_word(const char *list, char *word, size_t bytes)
{
    size_t length = strcspn(list, ",");
    snprintf(word, bytes, "%.*s", (int)length, list);
    return list + length + (list[length] == ',');
}

static bool list_has(const char *list, const char *word)
{
    char each[16];
    while (*list) {
        list = next_word(list, each, sizeof each);
        if (strcmp(each, word) == 0)
            return true;
    }
    return false;
}

bool drill_random_only(struct drill_random *r, const char *kinds, char *unknown, size_t bytes)
{
    snprintf(r->kinds, sizeof r->kinds, "%s", kinds);
    while (*kinds) {
        kinds = next_word(kinds, unknown, bytes);
        if (!list_has(drill_random_kinds, unknown))
            return false;
    }
    return true;
}

bool drill_random_round(struct drill_random *r, struct drill_plan *plan)
{
    enum { ROUNDS = sizeof rounds / sizeof rounds[0] };
    uint32_t all = 0, count = plan->count;
    uint32_t weight[ROUNDS];
    for (uint32_t i = 0; i < ROUNDS; i++) {
        bool wanted = !*r->kinds || list_has(r->kinds, rounds[i].kind);
        weight[i] = wanted ? rounds[i].weight : 0;
        all += weight[i];
    }
    if (!all)
        return false;
    for (int kinds = 0; kinds < KINDS_TRIED; kinds++) {
        uint32_t at = below(r, all), i = 0;
        while (at >= weight[i])
            at -= weight[i++];
        for (int tries = 0; tries < TRIES; tries++) { /* before another kind, to keep the weights */
            if (rounds[i].round(r, plan)) {
                r->rounds++;
                return true;
            }
            plan->count = count; /* half a round is none */
        }
    }
    return false;
}
