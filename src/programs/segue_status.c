/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/quantity.h"
#include "manage/status.h"
#include "manage/status_json.h"
#include "programs/segue_fleet.h"
#include "programs/segue_place.h"
#include "programs/segue_request.h"

static struct config config; /* one a process; too large for a stack */

/* --timeout, or `otherwise`. False: said. */
static bool timeout_of(const struct segue_call *call, uint64_t otherwise_ns, uint64_t *ns)
{
    const char *text = call->flag[SEGUE_FLAG_TIMEOUT];
    *ns = otherwise_ns;
    if (!text || quantity_time(text, ns))
        return true;
    segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write a number and its unit, such as 60s",
               "--timeout: \"%.40s\" is not a time", text);
    return false;
}

static int nobody_answers(const struct segue_call *call)
{
    return segue_fail(call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE",
                      "is it up? start it with segue up, or name its state directory with --state",
                      "no process of array %s (in %s) answers", config.array, config.state);
}

int segue_status(const struct segue_call *call)
{
    size_t answered;
    uint64_t timeout_ns;
    if (!timeout_of(call, MS(1000), &timeout_ns))
        return SEGUE_EXIT_USAGE;
    int code = place_find(call, call->argument[0], &config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    json_t *status = request_status(&config, (int)(timeout_ns / 1000000), &answered);
    if (!answered) {
        json_decref(status);
        return nobody_answers(call);
    }
    if (segue_wants_json(call)) {
        json_dumpf(status, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        char *text = call->flag[SEGUE_FLAG_QUIET] ? status_verdict(status) : status_picture(status);
        fputs(text ? text : "", stdout);
        free(text);
    }
    json_decref(status);
    return SEGUE_EXIT_DONE;
}

/* What it waits for, in words; NULL: it is so. */
static char *lacking(const json_t *status, bool sync)
{
    if (sync ? status_in_sync(status) : status_serving(status))
        return NULL;
    return status_verdict(status);
}

int segue_wait(const struct segue_call *call)
{
    bool sync = strcmp(call->argument[0], "in-sync") == 0;
    uint64_t limit_ns, begun = fleet_now_ns();
    size_t answered = 0;
    if (!sync && strcmp(call->argument[0], "serving") != 0)
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write in-sync or serving",
                          "it cannot wait for \"%.40s\"", call->argument[0]);
    if (!timeout_of(call, MS(60000), &limit_ns))
        return SEGUE_EXIT_USAGE;
    int code = place_find(call, NULL, &config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    for (;;) {
        json_t *status = request_status(&config, 1000, &answered);
        char *verdict = lacking(status, sync);
        json_decref(status);
        if (!verdict)
            return SEGUE_EXIT_DONE;
        if (fleet_now_ns() - begun >= limit_ns) {
            verdict[strcspn(verdict, "\n")] = 0;
            code = answered ? segue_fail(call, SEGUE_EXIT_FAILED, "TIMEOUT", "segue status",
                                         "it is not %s yet: %s", call->argument[0], verdict)
                            : nobody_answers(call);
            free(verdict);
            return code;
        }
        free(verdict);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}
