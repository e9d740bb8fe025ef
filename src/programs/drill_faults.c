/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/status.h"
#include "programs/drill_random.h"
#include "programs/drill_strike.h"

static const uint64_t ASK_NS = 50000000u;

const char *const drill_fault_names[DRILL_FAULT_KINDS] = {
    [DRILL_FAULT_KILL] = "kill", [DRILL_FAULT_HANG] = "hang",       [DRILL_FAULT_MOVE] = "move",
    [DRILL_FAULT_CUT] = "cut",   [DRILL_FAULT_RESTART] = "restart", [DRILL_FAULT_PULL] = "pull",
    [DRILL_FAULT_FULL] = "full",
};

struct drill_fault *drill_plan_add(struct drill_plan *x, enum drill_fault_kind kind,
                                   const char *part)
{
    if (x->count == DRILL_FAULTS)
        return NULL;
    if (x->count == x->room) {
        uint32_t room = x->room ? 2 * x->room : 64;
        struct drill_fault *at = realloc(x->fault, room * sizeof *at);
        if (!at)
            return NULL;
        x->fault = at;
        x->room = room;
    }
    struct drill_fault *f = &x->fault[x->count++];
    *f = (struct drill_fault){.kind = kind, .order_fd = -1};
    snprintf(f->part, sizeof f->part, "%s", part);
    return f;
}

void drill_plan_free(struct drill_plan *x)
{
    free(x->fault);
    x->fault = NULL;
    x->count = x->room = 0;
}

static void enter(struct drill_plan *x, enum drill_plan_state state, uint64_t now_ns)
{
    x->state = state;
    x->since_ns = now_ns;
}

/* A plan of chance grows while there is time. */
static void grow(struct drill_plan *x, uint64_t now_ns)
{
    if (x->random && x->next == x->count && now_ns < x->until_ns)
        drill_random_round(x->random, x);
}

void drill_plan_begin(struct drill_plan *x, uint64_t now_ns)
{
    x->next = 0;
    x->until_ns = now_ns + x->for_ns;
    grow(x, now_ns);
    enter(x, x->count ? DRILL_PLAN_SYNC : DRILL_PLAN_CALM, now_ns);
}

uint32_t drill_plan_round_end(const struct drill_plan *x, uint32_t i)
{
    if (i < x->count)
        i++;
    while (i < x->count && x->fault[i].together)
        i++;
    return i;
}

static void fail(struct drill_plan *x, const char *what, const char *detail, uint64_t now_ns)
{
    snprintf(x->why, sizeof x->why, "%s%s%.220s", what, *what ? ": " : "", detail);
    enter(x, DRILL_PLAN_FAILED, now_ns);
}

/* MOVE: the group's primary is a unit of the module that was asked for. */
static bool has_moved(const json_t *status, const struct drill_fault *f)
{
    size_t i, length = strcspn(f->part, ":");
    json_t *group;
    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        const char *name = json_string_value(json_object_get(group, "name"));
        const char *primary = json_string_value(json_object_get(group, "primary"));
        if (!name || !primary || strlen(name) != length || strncmp(name, f->part, length) != 0)
            continue;
        const char *module = f->part + length + 1;
        size_t letters = strlen(module);
        return strncmp(primary, module, letters) == 0 &&
               strspn(primary + letters, "0123456789") == strlen(primary + letters);
    }
    return false;
}

static bool in_sync(const struct drill_plan *x, struct drill_peers *peers)
{
    const struct drill_fault *f = &x->fault[x->next];
    json_t *status = drill_peers_status(peers);
    bool yes = status && status_in_sync(status);
    if (x->state == DRILL_PLAN_RETURN && yes && f->kind == DRILL_FAULT_MOVE)
        yes = yes && has_moved(status, f);
    json_decref(status);
    return yes;
}

static void ask(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    if (now_ns < x->asked_ns + ASK_NS)
        return;
    x->asked_ns = now_ns;
    drill_peers_ask(peers, now_ns);
}

static void fail_to_sync(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    char detail[100] = "";
    const char *silent = drill_peers_silent(peers, x->since_ns);
    json_t *status = drill_peers_status(peers);
    char *verdict = status ? status_verdict(status) : NULL;
    if (silent)
        snprintf(detail, sizeof detail, "process %s does not answer", silent);
    else if (verdict)
        snprintf(detail, sizeof detail, "%.*s", (int)strcspn(verdict, "\n"), verdict);
    fail(x, "the array is not in sync in the time that a drill waits", detail, now_ns);
    free(verdict);
    json_decref(status);
}

/* Asks again and again; true once all is in sync. */
static bool wait_for_sync(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    if (drill_peers_answered(peers, x->since_ns > x->judged_ns ? x->since_ns : x->judged_ns)) {
        x->judged_ns = now_ns; /* the next verdict needs newer answers */
        if (in_sync(x, peers))
            return true;
    }
    ask(x, peers, now_ns);
    if (now_ns > x->since_ns + x->limit_ns)
        fail_to_sync(x, peers, now_ns);
    return false;
}

static void strike(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    char why[280] = "";
    enter(x, DRILL_PLAN_STRUCK, now_ns);
    for (uint32_t i = x->next; i < drill_plan_round_end(x, x->next); i++)
        if (drill_strike(&x->fault[i], x, peers, now_ns, why, sizeof why) == DRILL_STRUCK_FAILED) {
            fail(x, "", why, now_ns);
            return;
        }
}

static void wait_for_end(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    char why[280] = "";
    bool over = true;
    for (uint32_t i = x->next; i < drill_plan_round_end(x, x->next); i++) {
        struct drill_fault *f = &x->fault[i];
        if (f->back_ns)
            continue;
        switch (drill_strike_step(f, peers, now_ns, why, sizeof why)) {
        case DRILL_STRUCK_FAILED:
            fail(x, "", why, now_ns);
            return;
        case DRILL_STRUCK_OVER:
            f->back_ns = now_ns;
            break;
        case DRILL_STRUCK_STANDS:
            over = false;
            if (f->kind == DRILL_FAULT_KILL || f->kind == DRILL_FAULT_RESTART)
                ask(x, peers, now_ns); /* who the new process is */
            break;
        }
    }
    if (over)
        enter(x, DRILL_PLAN_RETURN, now_ns);
    else if (now_ns > x->since_ns + x->limit_ns + x->fault[x->next].length_ns)
        fail(x, "a fault is not over in the time that a drill waits", x->fault[x->next].part,
             now_ns);
}

/* The last round of a wild plan is waited for too: all is to be read back. */
static void wait_for_return(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    uint32_t end = drill_plan_round_end(x, x->next);
    bool more = end < x->count || (x->random && now_ns < x->until_ns);
    if (!(x->wild && more) && !wait_for_sync(x, peers, now_ns))
        return;
    for (; x->next < end; x->next++)
        x->fault[x->next].synced_ns = now_ns;
    grow(x, now_ns);
    enter(x, DRILL_PLAN_CALM, now_ns);
}

static uint64_t calm_ns(const struct drill_plan *x)
{
    bool own = x->next < x->count && x->fault[x->next].calm_ns;
    return own ? x->fault[x->next].calm_ns : x->calm_ns;
}

void drill_plan_step(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    switch (x->state) {
    case DRILL_PLAN_SYNC:
        if (wait_for_sync(x, peers, now_ns))
            enter(x, DRILL_PLAN_CALM, now_ns);
        break;
    case DRILL_PLAN_CALM:
        if (now_ns < x->since_ns + calm_ns(x))
            break;
        if (x->next < x->count)
            strike(x, peers, now_ns);
        else
            enter(x, DRILL_PLAN_OVER, now_ns);
        break;
    case DRILL_PLAN_STRUCK:
        wait_for_end(x, peers, now_ns);
        break;
    case DRILL_PLAN_RETURN:
        wait_for_return(x, peers, now_ns);
        break;
    case DRILL_PLAN_OVER:
    case DRILL_PLAN_FAILED:
        break;
    }
}

void drill_plan_release(struct drill_plan *x)
{
    for (uint32_t i = x->next; i < x->count; i++)
        if (x->fault[i].at_ns && !x->fault[i].back_ns)
            drill_strike_undo(&x->fault[i]);
}

/* "A was killed", "A was killed and L2 hangs". */
static void tell_round(const struct drill_plan *x, char *out, size_t out_bytes)
{
    static const char *const words[DRILL_FAULT_KINDS] = {
        [DRILL_FAULT_KILL] = "was killed", [DRILL_FAULT_HANG] = "hangs",
        [DRILL_FAULT_MOVE] = "moves",      [DRILL_FAULT_RESTART] = "is restarted",
        [DRILL_FAULT_CUT] = "is cut",      [DRILL_FAULT_PULL] = "is pulled",
        [DRILL_FAULT_FULL] = "is full",
    };
    size_t at = 0;
    *out = 0;
    for (uint32_t i = x->next; i < drill_plan_round_end(x, x->next) && at < out_bytes; i++)
        at += (size_t)snprintf(
            out + at, out_bytes - at, "%s%s %s", at ? " and " : "", x->fault[i].part,
            x->fault[i].kind == DRILL_FAULT_HANG && x->fault[i].back_ns ? "goes on"
                                                                        : words[x->fault[i].kind]);
}

void drill_plan_doing(const struct drill_plan *x, uint64_t now_ns, char *out, size_t out_bytes)
{
    char round[100];
    double s = (double)(now_ns - x->since_ns) / 1e9;
    tell_round(x, round, sizeof round);
    switch (x->state) {
    case DRILL_PLAN_SYNC:
        snprintf(out, out_bytes, "waiting until in sync");
        break;
    case DRILL_PLAN_CALM:
        snprintf(out, out_bytes, "%s",
                 !x->count ? "load, no faults"
                 : x->next ? "in sync"
                           : "warming up");
        break;
    case DRILL_PLAN_STRUCK:
        snprintf(out, out_bytes, "%s for %.1f s", round, s);
        break;
    case DRILL_PLAN_RETURN:
        snprintf(out, out_bytes, "%s, not in sync for %.1f s", round, s);
        break;
    case DRILL_PLAN_OVER:
        snprintf(out, out_bytes, "ending");
        break;
    case DRILL_PLAN_FAILED:
        snprintf(out, out_bytes, "failed");
        break;
    }
}
