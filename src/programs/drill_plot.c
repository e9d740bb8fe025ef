/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_plot.h"

#include <string.h>

enum { LABEL = 7 };

static const char *bar(uint32_t eighths, bool utf8)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
    return (utf8 ? blocks : ascii)[eighths];
}

/* How much of row `row` (0: lowest) the value fills, in eighths. What is not zero shows. */
static uint32_t filled(uint32_t value, uint32_t most, uint32_t row)
{
    uint32_t whole = (uint32_t)((uint64_t)value * DRILL_PLOT_ROWS * 8 / most);
    if (value && !whole)
        whole = 1;
    if (whole <= row * 8)
        return 0;
    return whole - row * 8 > 8 ? 8 : whole - row * 8;
}

void drill_plot(FILE *out, const uint32_t values[DRILL_PLOT_COLUMNS], bool utf8)
{
    uint32_t most = 1;
    for (int c = 0; c < DRILL_PLOT_COLUMNS; c++)
        if (values[c] > most)
            most = values[c];
    for (uint32_t row = DRILL_PLOT_ROWS; row-- > 0;) {
        if (row == DRILL_PLOT_ROWS - 1)
            fprintf(out, "%*u %s", LABEL - 1, most, utf8 ? "┤" : "|");
        else
            fprintf(out, "%*s%s", LABEL, "", utf8 ? "│" : "|");
        int last = DRILL_PLOT_COLUMNS;
        while (last > 0 && !filled(values[last - 1], most, row))
            last--; /* no blanks at the end of a line */
        for (int c = 0; c < last; c++)
            fputs(bar(filled(values[c], most, row), utf8), out);
        fputc('\n', out);
    }
}

void drill_plot_axis(FILE *out, int from_ms, int step_ms, bool utf8)
{
    fprintf(out, "%*d %s", LABEL - 1, 0, utf8 ? "┼" : "+");
    for (int c = 0; c < DRILL_PLOT_COLUMNS; c++)
        fputs(c % 10 ? (utf8 ? "─" : "-") : (utf8 ? "┴" : "+"), out);
    fprintf(out, "\n%*s", LABEL + 1, "");
    for (int c = 0; c < DRILL_PLOT_COLUMNS; c += 10) {
        char mark[16];
        snprintf(mark, sizeof mark, "%d", from_ms + c * step_ms);
        fprintf(out, "%s%*s", mark, c + 10 < DRILL_PLOT_COLUMNS ? 10 - (int)strlen(mark) : 0, "");
    }
    fputs(" ms\n", out);
}
