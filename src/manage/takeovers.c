/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/takeovers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/status_json.h"

/* Microseconds of the day of "2026-11-22T14:31:07.412034Z". */
static int64_t time_us(const char *text)
{
    int hour, minute, second, us;
    if (strlen(text) < 26 ||
        sscanf(text + 11, "%2d:%2d:%2d.%6d", &hour, &minute, &second, &us) != 4)
        return 0;
    return ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + us;
}

static double ms_between(const char *first, const char *last)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t us = time_us(last) - time_us(first);
    return (double)(us < 0 ? us + day_us : us) / 1000; /* over midnight */
}

static json_t *begin(json_t *list, const json_t *fields, const char *time)
{
    json_t *takeover = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:b, s:f, s:[]}", "group", status_text_of(fields, "group"),
        "unit", status_text_of(fields, "unit"), "epoch",
        (json_int_t)strtoll(status_text_of(fields, "epoch"), NULL, 10), "cause",
        status_text_of(fields, "cause"), "time", time, "done", false, "duration_ms", 0.0, "phases");
    json_array_append_new(list, takeover);
    return takeover;
}

/* The takeover that this unit has under way in its group, or NULL. */
static json_t *under_way(const json_t *list, const json_t *fields)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        json_t *takeover = json_array_get(list, i - 1);
        if (strcmp(status_text_of(takeover, "group"), status_text_of(fields, "group")) == 0 &&
            strcmp(status_text_of(takeover, "unit"), status_text_of(fields, "unit")) == 0)
            return status_flag_of(takeover, "done") ? NULL : takeover;
    }
    return NULL;
}

/* A unit that is given control has no `suspect` of its own: that is said by who gives it. */
static json_t *given(const json_t *list, const json_t *fields)
{
    json_t *last = json_array_get(list, json_array_size(list) - 1);
    bool planned = strcmp(status_text_of(last, "cause"), "planned") == 0 &&
                   strcmp(status_text_of(fields, "cause"), "planned") == 0 &&
                   strcmp(status_text_of(last, "group"), status_text_of(fields, "group")) == 0 &&
                   !status_flag_of(last, "done") &&
                   json_array_size(json_object_get(last, "phases")) == 1;
    if (planned)
        json_object_set(last, "unit", json_object_get(fields, "unit"));
    return planned ? last : NULL;
}

static void take(json_t *list, const json_t *event)
{
    const json_t *fields = json_object_get(event, "fields");
    const char *time = status_text_of(event, "time"), *phase = status_text_of(fields, "phase");
    json_t *takeover = strcmp(phase, "suspect") == 0 ? NULL : under_way(list, fields);
    if (!takeover && strcmp(phase, "suspect") != 0)
        takeover = given(list, fields);
    if (!takeover)
        takeover = begin(list, fields, time);
    double ms = ms_between(status_text_of(takeover, "time"), time);
    json_object_set_new(takeover, "epoch",
                        json_integer(strtoll(status_text_of(fields, "epoch"), NULL, 10)));
    json_object_set(takeover, "cause", json_object_get(fields, "cause"));
    json_object_set_new(takeover, "duration_ms", json_real(ms));
    json_array_append_new(json_object_get(takeover, "phases"),
                          json_pack("{s:s, s:f, s:s}", "phase", phase, "ms", ms, "time", time));
    if (strcmp(phase, "serve") == 0)
        json_object_set_new(takeover, "done", json_true());
}

json_t *takeovers_of_events(const json_t *events, const char *group)
{
    json_t *list = json_array(), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const json_t *fields = json_object_get(event, "fields");
        if (strncmp(status_text_of(event, "code"), "TAKEOVER", 8) == 0 &&
            (!group || strcmp(status_text_of(fields, "group"), group) == 0))
            take(list, event);
    }
    return list;
}
