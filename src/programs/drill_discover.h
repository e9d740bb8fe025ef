/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_DISCOVER_H
#define SEGUE_PROGRAMS_DRILL_DISCOVER_H

/* What the drill needs to know of an array, from what its processes say of themselves. */

#include <jansson.h>

#include "programs/drill_load.h"

struct drill_array {
    char target[INITIATOR_NAME];
    uint8_t portals, volumes, groups;
    char portal[DRILL_PORTALS][INITIATOR_PORTAL]; /* the first of each interface switch */
    char portal_switch[DRILL_PORTALS][16];
    struct {
        char name[NAME_BYTES];
        int lun, group;
    } volume[DRILL_VOLUMES];
    char group[DRILL_GROUPS][16]; /* names */
};

/* One process's answer to {"verb":"status"}. To be called with each, twice over (the
 * first time learns the groups' names). */
void drill_discover(struct drill_array *array, const json_t *answer);
/* Which group a unit's event is about ("g1", "1"): index, or -1. */
int drill_discover_group(const struct drill_array *array, const char *name);

#endif
