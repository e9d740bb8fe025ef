/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/status_json.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The texts under `key` of all entries, in order; how many, at most `most`. */
static size_t names_in(const json_t *list, const char *key, const char **out, size_t most)
{
    size_t count = 0, i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        if (count < most)
            out[count++] = status_text_of(entry, key);
    }
    qsort(out, count, sizeof *out, by_name);
    return count;
}

static int process_number(const struct drill_shape *s, const char *name)
{
    for (int p = 0; p < s->processes; p++)
        if (strcmp(s->process[p].name, name) == 0)
            return p;
    return -1;
}

static int drive_number(const struct drill_shape *s, const char *name)
{
    for (int d = 0; d < s->drives; d++)
        if (strcmp(s->drive[d].name, name) == 0)
            return d;
    return -1;
}

static void learn_processes(struct drill_shape *s, const json_t *status)
{
    static const struct {
        const char *list;
        uint8_t role;
    } lists[] = {{"units", SHAPE_MODULE}, {"switches", SHAPE_SWITCH}, {"loops", SHAPE_TRAY}};
    const char *names[SHAPE_PROCESSES];
    s->processes =
        (uint8_t)names_in(json_object_get(status, "processes"), "name", names, SHAPE_PROCESSES);
    for (int p = 0; p < s->processes; p++)
        snprintf(s->process[p].name, sizeof s->process[p].name, "%s", names[p]);
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        size_t i;
        json_t *entry;
        json_array_foreach(json_object_get(status, lists[l].list), i, entry)
        {
            int p = process_number(s, status_text_of(entry, "process"));
            if (p >= 0)
                s->process[p].roles |= lists[l].role;
        }
    }
}

static void learn_member(struct drill_shape *s, uint8_t g, const json_t *unit)
{
    int p = process_number(s, status_text_of(unit, "process"));
    if (p < 0 || s->group[g].members == SHAPE_MEMBERS)
        return;
    uint8_t m = s->group[g].members++;
    s->group[g].member[m].process = (uint8_t)p;
    snprintf(s->group[g].member[m].module, sizeof s->group[g].member[m].module, "%s",
             status_text_of(unit, "module"));
}

static void learn_groups(struct drill_shape *s, const json_t *status)
{
    const char *names[SHAPE_GROUPS];
    const json_t *units = json_object_get(status, "units"); /* in the order of their names */
    size_t i;
    json_t *unit;
    s->groups = (uint8_t)names_in(json_object_get(status, "groups"), "name", names, SHAPE_GROUPS);
    for (uint8_t g = 0; g < s->groups; g++) {
        snprintf(s->group[g].name, sizeof s->group[g].name, "%s", names[g]);
        json_array_foreach(units, i, unit)
        {
            if (strcmp(status_text_of(unit, "group"), names[g]) == 0)
                learn_member(s, g, unit);
        }
    }
}

static bool learn_drives(struct drill_shape *s, const json_t *status)
{
    const char *loops[SHAPE_PROCESSES];
    const json_t *list = json_object_get(status, "loops");
    size_t count = names_in(list, "name", loops, SHAPE_PROCESSES), i;
    json_t *drive;
    for (size_t l = 0; l < count; l++) {
        const json_t *loop = status_find(list, "name", loops[l]);
        int p = process_number(s, status_text_of(loop, "process"));
        json_array_foreach(json_object_get(loop, "drives"), i, drive)
        {
            if (s->drives == SHAPE_DRIVES || p < 0)
                return false;
            s->drive[s->drives].process = (uint8_t)p;
            snprintf(s->drive[s->drives].name, sizeof s->drive[0].name, "%s",
                     status_text_of(drive, "name"));
            snprintf(s->drive[s->drives].path, sizeof s->drive[0].path, "%s",
                     status_text_of(drive, "path"));
            s->drives++;
        }
    }
    return true;
}

/* Drives from..to-1 of the pool as one set. */
static bool add_set(struct drill_shape *s, const json_t *pool, size_t from, size_t to, bool mirror,
                    size_t spare)
{
    const json_t *drives = json_object_get(pool, "drives");
    if (s->sets == SHAPE_SETS || to - from > SHAPE_SET_DRIVES)
        return false;
    uint16_t at = s->sets++;
    snprintf(s->set[at].pool, sizeof s->set[at].pool, "%s", status_text_of(pool, "name"));
    s->set[at].mirror = mirror;
    s->set[at].spare = (uint8_t)spare;
    for (size_t i = from; i < to; i++) {
        const char *name = json_string_value(json_array_get(drives, i));
        int d = name ? drive_number(s, name) : -1;
        if (d < 0)
            return false;
        s->set[at].drive[s->set[at].count++] = (uint16_t)d;
    }
    return true;
}

static bool learn_pool(struct drill_shape *s, const json_t *pool)
{
    static const struct {
        const char *level;
        uint8_t spare;
    } parities[] = {{"raid5", 1}, {"raid6", 2}};
    const char *level = status_text_of(pool, "level");
    size_t count = json_array_size(json_object_get(pool, "drives"));
    if (strcmp(level, "raid1") == 0)
        return add_set(s, pool, 0, count, true, count - 1);
    if (strcmp(level, "raid10") == 0) {
        for (size_t i = 0; i + 1 < count; i += 2)
            if (!add_set(s, pool, i, i + 2, true, 1))
                return false;
        return true;
    }
    for (size_t i = 0; i < sizeof parities / sizeof parities[0]; i++)
        if (strcmp(level, parities[i].level) == 0)
            return add_set(s, pool, 0, count, false, parities[i].spare);
    return add_set(s, pool, 0, count, false, 0);
}

bool drill_shape_learn(struct drill_shape *s, const json_t *status)
{
    size_t i;
    const char *names[SHAPE_SETS];
    const json_t *pools = json_object_get(status, "pools");
    *s = (struct drill_shape){0};
    learn_processes(s, status);
    learn_groups(s, status);
    if (!learn_drives(s, status))
        return false;
    size_t count = names_in(pools, "name", names, SHAPE_SETS);
    for (i = 0; i < count; i++)
        if (!learn_pool(s, status_find(pools, "name", names[i])))
            return false;
    return true;
}

static bool group_lives(const struct drill_shape *s, int g, uint32_t lost)
{
    for (int m = 0; m < s->group[g].members; m++)
        if (!(lost >> s->group[g].member[m].process & 1))
            return true;
    return false;
}

static bool set_lives(const struct drill_shape *s, int at, uint32_t lost, int drive)
{
    int gone = 0;
    for (int i = 0; i < s->set[at].count; i++) {
        int d = s->set[at].drive[i];
        gone += d == drive || (lost >> s->drive[d].process & 1);
    }
    return gone <= s->set[at].spare;
}

bool drill_shape_tolerates(const struct drill_shape *s, uint32_t lost, int drive)
{
    bool path = false;
    for (int p = 0; p < s->processes; p++)
        path = path || ((s->process[p].roles & SHAPE_SWITCH) && !(lost >> p & 1));
    for (int g = 0; g < s->groups; g++)
        if (!group_lives(s, g, lost))
            return false;
    for (int i = 0; i < s->sets; i++)
        if (!set_lives(s, i, lost, drive))
            return false;
    return path;
}

bool drill_shape_uses(const struct drill_shape *s, int drive)
{
    for (int i = 0; i < s->sets; i++)
        for (int d = 0; d < s->set[i].count; d++)
            if (s->set[i].drive[d] == drive)
                return true;
    return false;
}
