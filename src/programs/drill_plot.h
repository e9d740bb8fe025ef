/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_PLOT_H
#define SEGUE_PROGRAMS_DRILL_PLOT_H

/* A small bar chart in text. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { DRILL_PLOT_COLUMNS = 50, DRILL_PLOT_ROWS = 4 };

/* `values`: one for each column. With `utf8` bars end in eighths of a line, else in ASCII. */
void drill_plot(FILE *out, const uint32_t values[DRILL_PLOT_COLUMNS], bool utf8);
/* The axis below it: first column at `from_ms`, each `step_ms` wide, a mark at each tenth. */
void drill_plot_axis(FILE *out, int from_ms, int step_ms, bool utf8);

#endif
