/* SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"

#include <stdio.h>
#include <string.h>

enum { RING_LINES = 256, LINE_BYTES = 192 };

static struct ring_line {
    uint64_t now_ns;
    char name[16];
    char text[LINE_BYTES];
} ring[RING_LINES];
static uint64_t ring_count;

void trace_line(struct trace *t, enum trace_level level, const char *format, ...)
{
    if (!trace_on(t, level))
        return;
    struct ring_line *line = &ring[ring_count++ % RING_LINES];
    line->now_ns = t->now_ns;
    memcpy(line->name, t->name, sizeof line->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
    if (t->sink)
        t->sink(t->world, t, level, t->now_ns, line->text);
}

void trace_dump(void)
{
    uint64_t first = ring_count > RING_LINES ? ring_count - RING_LINES : 0;
    for (uint64_t i = first; i < ring_count; i++) {
        const struct ring_line *line = &ring[i % RING_LINES];
        fprintf(stderr, "  [%12.3f ms] %-6s %s\n", (double)line->now_ns / 1e6, line->name,
                line->text);
    }
}

const char *trace_level_name(enum trace_level level)
{
    static const char *const names[] = {"error", "warn", "info", "detail"};
    return names[level];
}
