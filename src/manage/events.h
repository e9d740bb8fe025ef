/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_EVENTS_H
#define SEGUE_MANAGE_EVENTS_H

/* The events of an array: what the journals of its processes hold, in the order of time. They are
 * read from the files, so they outlive processes, takeovers and restarts.
 *
 *   {"id":"2026-11-22T14:31:07.412034Z/B","time":"2026-11-22T14:31:07.412034Z","code":"TAKEOVER",
 *    "severity":"warning","object":"group/g1","process":"B","part":"B1",
 *    "text":"takeover group=1 unit=B1 phase=serve epoch=3 cause=link_reset",
 *    "fields":{"group":"g1","unit":"B1","phase":"serve","epoch":"3","cause":"link_reset"}}
 *
 * `fields` are there only of events that have a code of their own. */

#include <jansson.h>

#include "manage/config.h"

struct events_filter {  /* NULL and 0: all */
    const char *since;  /* RFC 3339 as in "time": not older */
    const char *after;  /* an id: only what came later */
    const char *object; /* "group/g1", or a part of the array: "B1" */
    const char *code;   /* several divided by ',' */
    size_t limit;       /* the newest so many */
};

/* A list of events, the oldest first; the caller owns it. NULL: no memory. */
json_t *events_read(const struct config *config, const struct events_filter *filter);
bool events_match(const json_t *event, const struct events_filter *filter);
/* One line of a journal as an event; NULL: it is none. */
json_t *events_of_line(const struct config *config, const char *process, const char *line,
                       size_t length);

/* What is added from now on. */
struct events_tail;
struct events_tail *events_tail_new(const struct config *config);
void events_tail_free(struct events_tail *tail);
/* What has been added since the last call, in the order of time. NULL: no memory. */
json_t *events_tail_next(struct events_tail *tail);

/* The time so long ago, in words as events have them. */
void events_time_before(uint64_t ago_ns, char *out, size_t bytes);

#endif
