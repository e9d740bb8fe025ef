/* SPDX-License-Identifier: Apache-2.0 */
#include "node/part.h"

#include "iswitch/iswitch.h"
#include "iswitch/manager.h"
#include "loopswitch/loopswitch.h"
#include "unit/unit.h"

/* One row of functions for each kind of actor, with the machine's own type put back. */
#define PART_FUNCTIONS(noun, type)                                         \
    static void noun##_part_step(void *machine, const struct event *event, \
                                 struct actions *actions)                  \
    {                                                                      \
        noun##_step((type *)machine, event, actions);                      \
    }                                                                      \
    static uint64_t noun##_part_wake_ns(const void *machine)               \
    {                                                                      \
        return noun##_wake_ns((const type *)machine);                      \
    }                                                                      \
    static void noun##_part_check(const void *machine)                     \
    {                                                                      \
        noun##_check((const type *)machine);                               \
    }                                                                      \
    static void noun##_part_free(void *machine)                            \
    {                                                                      \
        noun##_free((type *)machine);                                      \
    }

PART_FUNCTIONS(unit, struct unit)
PART_FUNCTIONS(manager, struct manager)
PART_FUNCTIONS(iswitch, struct iswitch)
PART_FUNCTIONS(loopswitch, struct loopswitch)

const struct part_kind part_switch = {.name = "switch",
                                      .step = iswitch_part_step,
                                      .wake_ns = iswitch_part_wake_ns,
                                      .check = iswitch_part_check,
                                      .free = iswitch_part_free,
                                      .stop_rank = 0};
const struct part_kind part_manager = {.name = "manager",
                                       .step = manager_part_step,
                                       .wake_ns = manager_part_wake_ns,
                                       .check = manager_part_check,
                                       .free = manager_part_free,
                                       .stop_rank = 0};
const struct part_kind part_unit = {.name = "unit",
                                    .step = unit_part_step,
                                    .wake_ns = unit_part_wake_ns,
                                    .check = unit_part_check,
                                    .free = unit_part_free,
                                    .stop_rank = 1};
const struct part_kind part_loop = {.name = "loop",
                                    .step = loopswitch_part_step,
                                    .wake_ns = loopswitch_part_wake_ns,
                                    .check = loopswitch_part_check,
                                    .free = loopswitch_part_free,
                                    .stop_rank = 2};
