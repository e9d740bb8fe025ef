/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_FAULTS_H
#define SEGUE_PROGRAMS_DRILL_FAULTS_H

/* The plan of a drill: a calm time, a fault, waiting until everything is in sync again, the next
 * fault. Never a second fault before that: one at a time is what an array must not let hosts see.
 */

#include "programs/drill_peers.h"

enum drill_fault_kind {
    DRILL_FAULT_KILL, /* SIGKILL; `segue up` starts the process again */
    DRILL_FAULT_HANG, /* SIGSTOP, and SIGCONT after a time */
    DRILL_FAULT_MOVE, /* no fault: a planned takeover, `segue group move` */
};

struct drill_fault {
    enum drill_fault_kind kind;
    char part[16];      /* as asked: "A", "IS1"; MOVE: "g1:B" */
    char process[16];   /* that runs it */
    int pid;            /* of that process; MOVE: of the command */
    uint64_t at_ns;     /* when the signal was sent, or the command given */
    uint64_t back_ns;   /* SIGCONT; the new process answers; the command has ended */
    uint64_t synced_ns; /* everything in sync again */
};

enum { DRILL_FAULTS = 16 };

enum drill_plan_state {
    DRILL_PLAN_SYNC, /* waits until in sync */
    DRILL_PLAN_CALM,
    DRILL_PLAN_HUNG,
    DRILL_PLAN_RETURN, /* waits until in sync after a fault */
    DRILL_PLAN_OVER,
    DRILL_PLAN_FAILED,
};

struct drill_plan {
    enum drill_plan_state state;
    uint32_t count, next;
    struct drill_fault fault[DRILL_FAULTS];
    uint64_t calm_ns, hang_ns, limit_ns; /* between faults; hung for; to be in sync again */
    const char *directory;               /* of the array's state */
    uint64_t since_ns, asked_ns, judged_ns;
    char why[200]; /* FAILED: a sentence */
};

/* False: there are too many. */
bool drill_plan_add(struct drill_plan *plan, enum drill_fault_kind kind, const char *part);
void drill_plan_begin(struct drill_plan *plan, uint64_t now_ns);
void drill_plan_step(struct drill_plan *plan, struct drill_peers *peers, uint64_t now_ns);
/* Lets go on what it has stopped: to be called before every end of the program. */
void drill_plan_release(struct drill_plan *plan);
/* What it is doing, for people. */
void drill_plan_doing(const struct drill_plan *plan, uint64_t now_ns, char *out, size_t out_bytes);

#endif
