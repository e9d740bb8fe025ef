/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/events.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/table.h"
#include "manage/takeovers.h"
#include "programs/segue.h"
#include "programs/segue_place.h"

/* segue group takeovers: each one, and how long its phases took. */

static struct config config; /* one a process; too large for a stack */

enum { LAST_DEFAULT = 20, CELL = 48 };

static const char *meaning_of(const char *phase)
{
    static const char *const meanings[][2] = {
        {"suspect", "stops answering READY in the old epoch"},
        {"claim", "the register has the new epoch and primary"},
        {"fence", "the trays refuse the others' drive commands"},
        {"adopt", "commands that have an order go on under it"},
        {"serve", "the switches are told, and send again what is outstanding"},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(phase, meanings[i][0]) == 0)
            return meanings[i][1];
    return "";
}

static void print_timeline(const json_t *takeover)
{
    size_t i;
    json_t *phase;
    printf("%.23sZ  %s takes over group %s   cause %s   epoch %llu%s\n",
           status_text_of(takeover, "time"), status_text_of(takeover, "unit"),
           status_text_of(takeover, "group"), status_text_of(takeover, "cause"),
           (unsigned long long)status_number_of(takeover, "epoch"),
           status_flag_of(takeover, "done") ? "" : "   not ended by it");
    json_array_foreach(json_object_get(takeover, "phases"), i, phase)
    {
        const char *word = status_text_of(phase, "phase");
        printf("  %9.1f ms  %-8s %s\n", json_number_value(json_object_get(phase, "ms")), word,
               meaning_of(word));
    }
    putchar('\n');
}

static void ms_of(const json_t *takeover, const char *name, char *out, size_t bytes)
{
    const json_t *phase = status_find(json_object_get(takeover, "phases"), "phase", name);
    snprintf(out, bytes, "-");
    if (phase)
        snprintf(out, bytes, "%.1f", json_number_value(json_object_get(phase, "ms")));
}

static void print_table(const json_t *takeovers)
{
    static const char *const phases[] = {"claim", "fence", "adopt", "serve"};
    struct table *table = table_new("TIME|GROUP|UNIT|>EPOCH|CAUSE|>CLAIM|>FENCE|>ADOPT|>SERVE ms");
    size_t i;
    json_t *takeover;
    json_array_foreach(takeovers, i, takeover)
    {
        char time[CELL], epoch[CELL], ms[4][CELL];
        snprintf(time, sizeof time, "%.23sZ", status_text_of(takeover, "time"));
        snprintf(epoch, sizeof epoch, "%llu",
                 (unsigned long long)status_number_of(takeover, "epoch"));
        for (int p = 0; p < 4; p++)
            ms_of(takeover, phases[p], ms[p], CELL);
        const char *cells[] = {time,
                               status_text_of(takeover, "group"),
                               status_text_of(takeover, "unit"),
                               epoch,
                               status_text_of(takeover, "cause"),
                               ms[0],
                               ms[1],
                               ms[2],
                               ms[3]};
        table_row(table, cells);
    }
    char *text = table_text(table, 200);
    fputs(text, stdout);
    free(text);
    table_free(table);
}

static void print_takeovers(const struct segue_call *call, const json_t *takeovers)
{
    size_t i;
    json_t *takeover;
    if (segue_wants_json(call)) {
        json_dumpf(takeovers, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
    } else if (call->flag[SEGUE_FLAG_TIMELINE]) {
        json_array_foreach(takeovers, i, takeover) print_timeline(takeover);
    } else {
        print_table(takeovers);
    }
}

static bool is_group(const char *name)
{
    for (int g = 0; g < config.groups; g++)
        if (strcmp(config.group[g].name, name) == 0)
            return true;
    return false;
}

int segue_group_takeovers(const struct segue_call *call)
{
    const char *group = call->argument[0], *given = call->flag[SEGUE_FLAG_LAST];
    const struct events_filter filter = {.code = "TAKEOVER_BEGINS,TAKEOVER_PHASE,TAKEOVER"};
    uint64_t last = LAST_DEFAULT;
    if (given && (!quantity_number(given, &last) || last == 0))
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write a number such as 1",
                          "--last: \"%.40s\" is not a number", given);
    int code = place_find(call, NULL, &config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    if (group && !is_group(group))
        return segue_fail(call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_GROUP", "see segue group list",
                          "there is no group %.40s", group);
    json_t *events = events_read(&config, &filter), *takeovers = takeovers_of_events(events, group);
    while (json_array_size(takeovers) > last)
        json_array_remove(takeovers, 0);
    print_takeovers(call, takeovers);
    json_decref(takeovers);
    json_decref(events);
    return SEGUE_EXIT_DONE;
}
