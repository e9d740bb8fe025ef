/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_TABLE_H
#define SEGUE_PROGRAMS_DRILL_TABLE_H

/* What hosts saw, by kind of fault: how often, the longest pause of each time as median, 99th
 * percentile and maximum, host errors, wrong blocks. */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "programs/drill_faults.h"

enum { DRILL_TABLE_ROWS = 40, DRILL_TABLE_NAME = 48 };

struct drill_table_row {
    char name[DRILL_TABLE_NAME];
    uint32_t count;
    uint64_t median_ns, p99_ns, max_ns;   /* of pauses */
    uint64_t sync_median_ns, sync_max_ns; /* until everything was in sync again */
    uint64_t errors, wrong;
};

struct drill_table {
    uint32_t rounds, faults, rows;
    struct drill_table_row row[DRILL_TABLE_ROWS + 1]; /* [rows]: of all */
};

/* What a round is called: "module killed", "module and tray at once", "link cut". */
void drill_table_name(const struct drill_plan *plan, uint32_t fault, char *out, size_t out_bytes);
/* `pause_ns`: of each fault of the plan, looked at for the first of each round. False: no memory.
 */
bool drill_table_make(struct drill_table *table, const struct drill_plan *plan,
                      const uint64_t *pause_ns);
void drill_table_text(const struct drill_table *table, FILE *out);
json_t *drill_table_json(const struct drill_table *table);

#endif
