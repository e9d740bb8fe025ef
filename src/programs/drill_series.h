/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_SERIES_H
#define SEGUE_PROGRAMS_DRILL_SERIES_H

/* What the load did over time, in steps of 10 ms and for each group: how many commands ended, and
 * the longest of them. */

#include <stdbool.h>
#include <stdint.h>

enum { DRILL_STEP_NS = 10000000, DRILL_GROUPS = 4, DRILL_STEPS_MAX = 24 * 3600 * 100 };

struct drill_step {
    uint32_t ended;
    uint32_t longest_us; /* of those that ended here */
};

struct drill_series {
    uint64_t start_ns;
    uint32_t steps, room;
    struct drill_step *at; /* [step * DRILL_GROUPS + group] */
};

void drill_series_init(struct drill_series *series, uint64_t start_ns);
void drill_series_free(struct drill_series *series);
/* A command of that group ended (steps after a day are not kept). */
void drill_series_note(struct drill_series *series, int group, uint64_t begun_ns,
                       uint64_t ended_ns);
/* Commands ended in the step that lies `step` steps after the one that begins at `from_ns`. */
uint32_t drill_series_ended(const struct drill_series *series, int group, uint64_t from_ns,
                            int step);
/* The longest command of the group that was under way at some time from a to b; group -1: of all.
 */
uint64_t drill_series_longest_ns(const struct drill_series *series, int group, uint64_t a_ns,
                                 uint64_t b_ns);
/* The longest of those that ended from a to b, in whole steps. */
uint64_t drill_series_longest_ended_ns(const struct drill_series *series, int group, uint64_t a_ns,
                                       uint64_t b_ns);

#endif
