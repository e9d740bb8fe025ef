/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/catalogue.h"
#include "manage/events.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "programs/segue.h"
#include "programs/segue_place.h"

/* segue events: what happened, from the journals of the processes; an array that is down has them,
 * too. */

static struct config config; /* one a process; too large for a stack */

enum { EVENTS_SHOWN = 1000 };

/* The time of day that people want to read: to the millisecond. */
static void print_event(const json_t *event, bool json)
{
    if (json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    const char *severity = status_text_of(event, "severity");
    printf("%.23sZ  %c %-15s %-14s %s\n", status_text_of(event, "time"),
           *severity == 'i' ? ' ' : '!', status_text_of(event, "code"),
           status_text_of(event, "object"), status_text_of(event, "text"));
}

static void print_events(const json_t *events, const struct events_filter *filter, bool json)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) if (events_match(event, filter)) print_event(event, json);
    fflush(stdout);
}

/* --since: "2h", or a time as events have it. False: said. */
static bool take_since(const struct segue_call *call, char *out, size_t bytes)
{
    const char *text = call->flag[SEGUE_FLAG_SINCE];
    uint64_t ago_ns;
    if (!text)
        return true;
    if (quantity_time(text, &ago_ns)) {
        events_time_before(ago_ns, out, bytes);
        return true;
    }
    if (strlen(text) >= 10 && strlen(text) < bytes && text[4] == '-' && text[7] == '-') {
        snprintf(out, bytes, "%s", text);
        return true;
    }
    segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write one such as 2h, or 2026-11-22T14:00",
               "--since: \"%.40s\" is not a time", text);
    return false;
}

static bool check_codes(const struct segue_call *call)
{
    char code[64], remedy[96];
    for (const char *at = call->flag[SEGUE_FLAG_CODE]; at && *at;
         at += strcspn(at, ","), at += *at == ',') {
        snprintf(code, sizeof code, "%.*s", (int)strcspn(at, ","), at);
        if (catalogue_find(code))
            continue;
        const char *near = catalogue_suggest(code);
        snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "segue explain lists them%.0s",
                 near ? near : "");
        segue_fail(call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_CODE", remedy, "there is no code %.40s",
                   code);
        return false;
    }
    return true;
}

/* Until somebody ends it. */
static int follow(const struct events_filter *filter, bool json)
{
    struct events_tail *tail = events_tail_new(&config);
    for (;;) {
        json_t *events = tail ? events_tail_next(tail) : NULL;
        print_events(events, filter, json);
        json_decref(events);
        if (ferror(stdout) || !tail)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    events_tail_free(tail);
    return SEGUE_EXIT_DONE;
}

int segue_events(const struct segue_call *call)
{
    char since[40];
    const bool json = segue_wants_json(call);
    struct events_filter filter = {.since = call->flag[SEGUE_FLAG_SINCE] ? since : NULL,
                                   .object = call->flag[SEGUE_FLAG_OBJECT],
                                   .code = call->flag[SEGUE_FLAG_CODE],
                                   .limit = EVENTS_SHOWN};
    if (!take_since(call, since, sizeof since))
        return SEGUE_EXIT_USAGE;
    if (!check_codes(call))
        return SEGUE_EXIT_NO_OBJECT;
    int code = place_find(call, NULL, &config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    json_t *events = events_read(&config, &filter);
    print_events(events, &filter, json);
    json_decref(events);
    return call->flag[SEGUE_FLAG_FOLLOW] ? follow(&filter, json) : SEGUE_EXIT_DONE;
}
