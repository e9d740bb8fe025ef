/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_HISTORY_H
#define SEGUE_NODE_HISTORY_H

/* The last events of a process, for those who begin to follow them late. */

#include <stdint.h>

enum { HISTORY_LINES = 1000, HISTORY_TEXT_BYTES = 320 };

struct history;

struct history *history_new(void);
void history_free(struct history *history);
void history_add(struct history *history, uint64_t time_ns, const char *text);
uint32_t history_count(const struct history *history);
/* The i-th that is kept, the oldest first. */
const char *history_at(const struct history *history, uint32_t i, uint64_t *time_ns);

#endif
