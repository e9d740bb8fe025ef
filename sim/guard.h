/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_GUARD_H
#define SEGUE_SIM_GUARD_H

/* Watches the parts for what must hold always (docs/PROTOCOL.md), hosts or no hosts: in an epoch at
 * most one unit is primary of a group, and epochs only grow; a command that a switch is answered
 * twice is answered the same; no drive changes by an epoch below its fence, and what was admitted
 * before a fence has ended when the fence is answered. */

#include "sim/world.h"

struct guard;

struct guard *guard_new(struct world *world); /* sets world_watch */
void guard_free(struct guard *guard);
const char *guard_violation(const struct guard *guard); /* NULL: none */
/* When a unit of that group last began to give control away, or to take what was given; 0: never.
 */
uint64_t guard_planned_ns(const struct guard *guard, int group);
/* Fences that this loop switch has carried out so far. */
uint32_t guard_fences(const struct guard *guard, int loop);
/* How often units of that group told people that a cache was lost. */
uint32_t guard_cold_starts(const struct guard *guard, int group);

#endif
