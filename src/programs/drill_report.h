/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_REPORT_H
#define SEGUE_PROGRAMS_DRILL_REPORT_H

/* What a drill has found, for people and for machines. */

#include <stdio.h>

#include "programs/drill_copies.h"
#include "programs/drill_discover.h"
#include "programs/drill_faults.h"

struct drill_report {
    const struct drill_array *array;
    const struct drill_plan *plan;
    const struct drill_peers *peers;
    const struct drill_load *load;
    uint64_t begun_ns, ended_ns;       /* of the mixed load */
    const struct drill_copies *copies; /* NULL: not compared */
    uint64_t seed;
    bool by_plan; /* a table instead of a picture of each fault */
    bool utf8;
    bool finished; /* all was read back at the end */
};

/* No host error, no wrong block, every fault over, everything read back. */
bool drill_report_is_good(const struct drill_report *report);
void drill_report_text(const struct drill_report *report, FILE *out);
/* The caller owns it. */
json_t *drill_report_json(const struct drill_report *report);

/* When the phases of a group's takeover ended, from the processes' events, from a time to another.
 */
enum { DRILL_PHASES = 5 };
extern const char *const drill_phase_names[DRILL_PHASES];

struct drill_takeover {
    bool found;
    char unit[16], epoch[24], cause[24];
    uint64_t phase_ns[DRILL_PHASES]; /* 0: not seen */
    bool alone;                      /* the primary goes on without a member, `of` */
    char of[16];
    uint64_t suspect_ns, alone_ns; /* when it suspected it; from when it goes on without it */
};

/* The longest that a host's read or write took that was under way between the fault and its end:
 * everything in sync again. */
uint64_t drill_report_pause_ns(const struct drill_report *report, const struct drill_fault *fault);

void drill_report_takeover(const struct drill_report *report, int group, uint64_t from_ns,
                           uint64_t to_ns, struct drill_takeover *out);

#endif
