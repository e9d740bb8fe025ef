/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_TRACE_H
#define SEGUE_BASE_TRACE_H

/* What the machines say of themselves: one line an event, in the vocabulary of the stories. Lines
 * go to a ring that must() prints, and to a sink that the world sets (the simulator's story text,
 * the log of a process). */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum trace_level {
    TRACE_ERROR,  /* data or service is at risk; a person should look */
    TRACE_WARN,   /* something failed and is being handled */
    TRACE_INFO,   /* life of the array: takeover, join, login */
    TRACE_DETAIL, /* each command: off unless asked for */
};

struct trace {
    char name[16];              /* who speaks: "A1", "IS1", "L1" */
    enum trace_level max_level; /* lines above it are not even formatted */
    void (*sink)(void *world, const struct trace *from, enum trace_level level, uint64_t now_ns,
                 const char *text);
    void *world;
    uint64_t now_ns; /* set by the machine at the start of each step */
};

static inline bool trace_on(const struct trace *t, enum trace_level level)
{
    return level <= t->max_level;
}
/* One line, no newline at its end. */
void trace_line(struct trace *t, enum trace_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints the last lines of all traces of this process to stderr. */
void trace_dump(void);
const char *trace_level_name(enum trace_level level);

#define trace_error(t, ...) trace_line(t, TRACE_ERROR, __VA_ARGS__)
#define trace_warn(t, ...) trace_line(t, TRACE_WARN, __VA_ARGS__)
#define trace_info(t, ...) trace_line(t, TRACE_INFO, __VA_ARGS__)
#define trace_detail(t, ...)                          \
    do {                                              \
        if (trace_on(t, TRACE_DETAIL))                \
            trace_line(t, TRACE_DETAIL, __VA_ARGS__); \
    } while (0)

#endif
