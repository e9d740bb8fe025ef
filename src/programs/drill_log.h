/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_LOG_H
#define SEGUE_PROGRAMS_DRILL_LOG_H

/* The log of a drill: one JSON object a line. The first tells what the load was; then each fault as
 * it strikes, with all that is needed to strike the same again, and what came of each round. A log
 * is a plan too: drill_log_read() makes of it the plan that it is the log of. */

#include <stdio.h>

#include "programs/drill_faults.h"

struct drill_log_head {
    uint64_t seed;
    uint32_t depth, area_mib, read_percent;
};

void drill_log_begin(FILE *log, const struct drill_log_head *head);
void drill_log_fault(FILE *log, const struct drill_fault *fault, uint32_t round, uint64_t seed,
                     uint64_t begun_ns);
/* `fault`: the first of the round. */
void drill_log_round(FILE *log, const struct drill_fault *fault, uint32_t round,
                     uint64_t longest_pause_ns, uint64_t begun_ns);

/* Adds the faults of that log to the plan. 0, or -1 and a sentence that names the line. */
int drill_log_read(const char *path, struct drill_plan *plan, struct drill_log_head *head,
                   char *sentence, size_t sentence_bytes);

#endif
