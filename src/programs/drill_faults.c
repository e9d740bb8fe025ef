/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manage/status.h"

static const uint64_t ASK_NS = 50000000u;

bool drill_plan_add(struct drill_plan *x, enum drill_fault_kind kind, const char *part)
{
    if (x->count == DRILL_FAULTS)
        return false;
    struct drill_fault *f = &x->fault[x->count++];
    *f = (struct drill_fault){.kind = kind};
    snprintf(f->part, sizeof f->part, "%s", part);
    return true;
}

static void enter(struct drill_plan *x, enum drill_plan_state state, uint64_t now_ns)
{
    x->state = state;
    x->since_ns = now_ns;
}

void drill_plan_begin(struct drill_plan *x, uint64_t now_ns)
{
    x->next = 0;
    enter(x, x->count ? DRILL_PLAN_SYNC : DRILL_PLAN_CALM, now_ns);
}

static void fail(struct drill_plan *x, const char *what, const char *detail, uint64_t now_ns)
{
    snprintf(x->why, sizeof x->why, "%s: %.120s", what, detail);
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
    if (x->state == DRILL_PLAN_RETURN && f->kind == DRILL_FAULT_MOVE)
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

/* This very program, as `segue group move GROUP MODULE`. Its pid; 0: it cannot be started. */
static int move_begin(const struct drill_plan *x, const struct drill_fault *f)
{
    char group[sizeof f->part], *module;
    snprintf(group, sizeof group, "%s", f->part);
    module = strchr(group, ':');
    if (!module)
        return 0;
    *module++ = 0;
    const char *words[] = {"segue", "group", "move", group, module, "--state", x->directory, NULL};
    pid_t pid = fork();
    if (pid != 0)
        return pid > 0 ? pid : 0;
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)(uintptr_t)words);
    _exit(127);
}

static void move(struct drill_plan *x, uint64_t now_ns)
{
    struct drill_fault *f = &x->fault[x->next];
    f->pid = move_begin(x, f);
    f->at_ns = now_ns;
    enter(x, DRILL_PLAN_RETURN, now_ns);
    if (!f->pid)
        fail(x, "a move is asked for as GROUP:MODULE", f->part, now_ns);
}

static void move_wait(struct drill_plan *x, uint64_t now_ns)
{
    struct drill_fault *f = &x->fault[x->next];
    int status;
    pid_t ended = waitpid(f->pid, &status, WNOHANG);
    if (ended == f->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        f->back_ns = now_ns;
    else if (ended != 0)
        fail(x, "segue group move was refused", f->part, now_ns);
}

static void strike(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    struct drill_fault *f = &x->fault[x->next];
    if (f->kind == DRILL_FAULT_MOVE) {
        move(x, now_ns);
        return;
    }
    if (!drill_peers_find(peers, f->part, f->process, sizeof f->process, &f->pid)) {
        fail(x, "no process runs this part", f->part, now_ns);
        return;
    }
    if (kill(f->pid, f->kind == DRILL_FAULT_KILL ? SIGKILL : SIGSTOP) != 0) {
        fail(x, "cannot send a signal", strerror(errno), now_ns);
        return;
    }
    f->at_ns = now_ns;
    enter(x, f->kind == DRILL_FAULT_KILL ? DRILL_PLAN_RETURN : DRILL_PLAN_HUNG, now_ns);
}

static void let_go_on(struct drill_plan *x, uint64_t now_ns)
{
    struct drill_fault *f = &x->fault[x->next];
    if (now_ns < f->at_ns + x->hang_ns)
        return;
    kill(f->pid, SIGCONT);
    f->back_ns = now_ns;
    enter(x, DRILL_PLAN_RETURN, now_ns);
}

static void wait_for_return(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    struct drill_fault *f = &x->fault[x->next];
    if (!f->back_ns && f->kind == DRILL_FAULT_MOVE) {
        move_wait(x, now_ns);
    } else if (!f->back_ns) {
        char process[16];
        int pid = 0;
        if (drill_peers_find(peers, f->process, process, sizeof process, &pid) && pid != f->pid)
            f->back_ns = now_ns;
        else
            ask(x, peers, now_ns);
    }
    if (!f->back_ns || !wait_for_sync(x, peers, now_ns))
        return;
    f->synced_ns = now_ns;
    x->next++;
    enter(x, DRILL_PLAN_CALM, now_ns);
}

void drill_plan_step(struct drill_plan *x, struct drill_peers *peers, uint64_t now_ns)
{
    switch (x->state) {
    case DRILL_PLAN_SYNC:
        if (wait_for_sync(x, peers, now_ns))
            enter(x, DRILL_PLAN_CALM, now_ns);
        break;
    case DRILL_PLAN_CALM:
        if (now_ns < x->since_ns + x->calm_ns)
            break;
        if (x->next < x->count)
            strike(x, peers, now_ns);
        else
            enter(x, DRILL_PLAN_OVER, now_ns);
        break;
    case DRILL_PLAN_HUNG:
        let_go_on(x, now_ns);
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
    if (x->state == DRILL_PLAN_HUNG)
        kill(x->fault[x->next].pid, SIGCONT);
}

void drill_plan_doing(const struct drill_plan *x, uint64_t now_ns, char *out, size_t out_bytes)
{
    const struct drill_fault *f = &x->fault[x->next < x->count ? x->next : 0];
    double s = (double)(now_ns - x->since_ns) / 1e9;
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
    case DRILL_PLAN_HUNG:
        snprintf(out, out_bytes, "%s hangs for %.1f s", f->part, s);
        break;
    case DRILL_PLAN_RETURN:
        snprintf(out, out_bytes, "%s %s, not in sync for %.1f s", f->part,
                 f->kind == DRILL_FAULT_KILL   ? "was killed"
                 : f->kind == DRILL_FAULT_HANG ? "goes on"
                                               : "moves",
                 s);
        break;
    case DRILL_PLAN_OVER:
        snprintf(out, out_bytes, "ending");
        break;
    case DRILL_PLAN_FAILED:
        snprintf(out, out_bytes, "failed");
        break;
    }
}
