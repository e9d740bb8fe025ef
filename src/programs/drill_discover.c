/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* A portal that listens everywhere is reached on this machine. */
static void portal_address(const char *listen, char *out, size_t bytes)
{
    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        snprintf(out, bytes, "127.0.0.1:%s", listen + 8);
    else if (strncmp(listen, "[::]:", 5) == 0)
        snprintf(out, bytes, "[::1]:%s", listen + 5);
    else
        snprintf(out, bytes, "%s", listen);
}

static void take_switch(struct drill_array *a, const json_t *entry)
{
    const char *name = text_of(entry, "name");
    const char *portal = json_string_value(json_array_get(json_object_get(entry, "portals"), 0));
    if (!portal || a->portals == DRILL_PORTALS)
        return;
    snprintf(a->target, sizeof a->target, "%s", text_of(entry, "target"));
    uint8_t at = 0; /* in the order of their names */
    while (at < a->portals && strcmp(a->portal_switch[at], name) < 0)
        at++;
    if (at < a->portals && strcmp(a->portal_switch[at], name) == 0)
        return;
    for (uint8_t i = a->portals; i > at; i--) {
        memcpy(a->portal[i], a->portal[i - 1], sizeof a->portal[i]);
        memcpy(a->portal_switch[i], a->portal_switch[i - 1], sizeof a->portal_switch[i]);
    }
    portal_address(portal, a->portal[at], sizeof a->portal[at]);
    snprintf(a->portal_switch[at], sizeof a->portal_switch[at], "%s", name);
    a->portals++;
}

static void take_volume(struct drill_array *a, const json_t *lun)
{
    const char *name = text_of(lun, "name");
    int group = drill_discover_group(a, text_of(lun, "group"));
    for (uint8_t v = 0; v < a->volumes; v++)
        if (strcmp(a->volume[v].name, name) == 0) {
            a->volume[v].group = group; /* now its name may be known */
            return;
        }
    if (a->volumes == DRILL_VOLUMES)
        return;
    snprintf(a->volume[a->volumes].name, NAME_BYTES, "%s", name);
    a->volume[a->volumes].lun = (int)json_integer_value(json_object_get(lun, "lun"));
    a->volume[a->volumes].group = group;
    a->volumes++;
}

/* A unit's group is the number at the end of its name. */
static void take_group(struct drill_array *a, const json_t *unit)
{
    const char *name = text_of(unit, "name");
    size_t digits = strcspn(name, "0123456789");
    const char *last = name + strlen(name);
    while (last > name + digits && last[-1] >= '0' && last[-1] <= '9')
        last--;
    int number = atoi(last);
    if (number < 1 || number > DRILL_GROUPS)
        return;
    snprintf(a->group[number - 1], sizeof a->group[0], "%s", text_of(unit, "group"));
    if (number > a->groups)
        a->groups = (uint8_t)number;
}

void drill_discover(struct drill_array *a, const json_t *answer)
{
    size_t i, l;
    json_t *entry, *lun;
    json_array_foreach(json_object_get(answer, "switches"), i, entry) take_switch(a, entry);
    json_array_foreach(json_object_get(answer, "units"), i, entry) take_group(a, entry);
    json_array_foreach(json_object_get(answer, "units"), i, entry)
        json_array_foreach(json_object_get(entry, "luns"), l, lun) take_volume(a, lun);
}

int drill_discover_group(const struct drill_array *a, const char *name)
{
    for (int g = 0; g < a->groups; g++)
        if (*a->group[g] && strcmp(a->group[g], name) == 0)
            return g;
    int number = atoi(*name == 'g' ? name + 1 : name);
    return number >= 1 && number <= DRILL_GROUPS ? number - 1 : -1;
}
