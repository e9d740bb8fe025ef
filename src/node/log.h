/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_LOG_H
#define SEGUE_NODE_LOG_H

/* The log of a process: one line an event ("time level part text"), to a file that is rotated and
 * to stderr (unless that is a file itself: it would grow for ever). Written by a thread of its own:
 * neither a slow disk nor a full pipe holds up the loop; where it cannot keep up, lines are counted
 * instead of kept. */

#include <stddef.h>

#include "base/trace.h"

struct log;

/* `path` NULL: stderr only. NULL: the sentence says why. */
struct log *log_open(const char *path, char *sentence, size_t sentence_bytes);
/* The journal of the process: see manage/journal.h. Never to stderr. */
struct log *log_open_journal(const char *path, char *sentence, size_t sentence_bytes);
void log_line(struct log *log, enum trace_level level, const char *part, const char *text);
/* Waits until what was given is written, at most a moment. */
void log_flush(struct log *log);
void log_close(struct log *log);

#endif
