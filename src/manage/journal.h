/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_JOURNAL_H
#define SEGUE_MANAGE_JOURNAL_H

/* The journal of a process: what people want to know later, in STATE/log/PROCESS.events, one line
 * an event, as in its log: "time level part text". The file is bounded: when it is full it becomes
 * NAME.1, and that one NAME.2. */

#include <stdbool.h>
#include <stddef.h>

enum { JOURNAL_LINE_BYTES = 640, JOURNAL_FILE_BYTES = 1 << 20, JOURNAL_FILES = 3 };

/* A line of a log or journal, now, with its '\n' (and no 0). Returns its length. */
size_t journal_format(char *line, size_t bytes, const char *level, const char *part,
                      const char *text);
/* NAME becomes NAME.1, that one NAME.2, ... */
void journal_rotate(const char *path, int files);
/* Adds a line at once; for processes whose loop may wait for a disk. Line ends in `text` become
 * blanks. False: it could not be written. */
bool journal_append(const char *path, const char *level, const char *part, const char *text);

#endif
