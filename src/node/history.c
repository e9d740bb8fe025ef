/* SPDX-License-Identifier: Apache-2.0 */
#include "node/history.h"

#include <stdio.h>
#include <stdlib.h>

struct history {
    uint64_t added;
    struct {
        uint64_t time_ns;
        char text[HISTORY_TEXT_BYTES];
    } line[HISTORY_LINES];
};

struct history *history_new(void)
{
    return calloc(1, sizeof(struct history));
}

void history_free(struct history *history)
{
    free(history);
}

void history_add(struct history *history, uint64_t time_ns, const char *text)
{
    uint64_t at = history->added++ % HISTORY_LINES;
    history->line[at].time_ns = time_ns;
    snprintf(history->line[at].text, sizeof history->line[at].text, "%s", text);
}

uint32_t history_count(const struct history *history)
{
    return history->added < HISTORY_LINES ? (uint32_t)history->added : HISTORY_LINES;
}

const char *history_at(const struct history *history, uint32_t i, uint64_t *time_ns)
{
    uint64_t at = (history->added - history_count(history) + i) % HISTORY_LINES;
    *time_ns = history->line[at].time_ns;
    return history->line[at].text;
}
