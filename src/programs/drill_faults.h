/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_FAULTS_H
#define SEGUE_PROGRAMS_DRILL_FAULTS_H

/* The plan of a drill: a calm time, a fault (or two in one moment), waiting until everything is in
 * sync again, the next. Never another fault before that, unless the plan is wild: what an array's
 * redundancy covers is what it must not let hosts see. */

#include "programs/drill_peers.h"

enum drill_fault_kind {
    DRILL_FAULT_KILL,    /* SIGKILL; `segue up` starts the process again */
    DRILL_FAULT_HANG,    /* SIGSTOP, and SIGCONT after a time */
    DRILL_FAULT_MOVE,    /* no fault: a planned takeover, `segue group move` */
    DRILL_FAULT_RESTART, /* SIGTERM: the process stops in order and is started again */
    DRILL_FAULT_CUT,     /* the link between two processes, or all of one, fails for a time */
    DRILL_FAULT_PULL,    /* a drive's file is renamed, and back after a time */
    DRILL_FAULT_FULL,    /* a process's files take nothing more for a time */
    DRILL_FAULT_KINDS,
};
extern const char *const drill_fault_names[DRILL_FAULT_KINDS];

enum { DRILL_PART = 40 };

struct drill_fault {
    enum drill_fault_kind kind;
    /* KILL, HANG, RESTART, FULL: "A", "IS1"; MOVE: "g1:B"; CUT: "A-L1", or "A" for all its links;
     * PULL: "t0/00" */
    char part[DRILL_PART];
    char how[8];        /* CUT: refused, silent, mute, deaf (io/links.h) */
    bool together;      /* in the same moment as the fault before it */
    uint64_t calm_ns;   /* before it; 0: the plan's */
    uint64_t length_ns; /* how long it lasts; 0: the plan's hang_ns */
    /* what came of it */
    char role[16];          /* of the process: "module", "switch", "tray" */
    char process[16];       /* that runs the part */
    int pid;                /* of that process; MOVE: of the command */
    uint64_t at_ns;         /* when it struck */
    uint64_t back_ns;       /* it is over: SIGCONT; the new process answers; the link may come up */
    uint64_t synced_ns;     /* everything in sync again */
    uint64_t errors, wrong; /* of hosts, from at_ns to synced_ns */
    /* the strike's own */
    char path[256];      /* PULL */
    uint64_t limit;      /* FULL: what stood before */
    int order_fd;        /* CUT: the question to the process; -1: none */
    uint32_t order_left; /* answers that have not come */
};

enum { DRILL_FAULTS = 20000 };

enum drill_plan_state {
    DRILL_PLAN_SYNC, /* waits until in sync */
    DRILL_PLAN_CALM,
    DRILL_PLAN_STRUCK, /* until it is over */
    DRILL_PLAN_RETURN, /* waits until in sync after a fault */
    DRILL_PLAN_OVER,
    DRILL_PLAN_FAILED,
};

struct drill_random;

struct drill_plan {
    enum drill_plan_state state;
    uint32_t count, next, room; /* next: the first fault of the round that is due or under way */
    struct drill_fault *fault;
    uint64_t calm_ns, hang_ns, limit_ns; /* between faults; hung for; to be in sync again */
    bool wild;
    struct drill_random *random; /* adds faults until `until_ns`; NULL: the plan is whole */
    uint64_t for_ns, until_ns;
    const char *directory; /* of the array's state */
    uint64_t since_ns, asked_ns, judged_ns;
    char why[300]; /* FAILED: a sentence */
};

/* NULL: there are too many. The fault is the plan's, until the next is added. */
struct drill_fault *drill_plan_add(struct drill_plan *plan, enum drill_fault_kind kind,
                                   const char *part);
void drill_plan_free(struct drill_plan *plan);
void drill_plan_begin(struct drill_plan *plan, uint64_t now_ns);
void drill_plan_step(struct drill_plan *plan, struct drill_peers *peers, uint64_t now_ns);
/* Takes back what it has done and what is not over: to be called before every end of the program.
 */
void drill_plan_release(struct drill_plan *plan);
/* The index behind the last fault that strikes in one moment with fault i. */
uint32_t drill_plan_round_end(const struct drill_plan *plan, uint32_t i);
/* What it is doing, for people. */
void drill_plan_doing(const struct drill_plan *plan, uint64_t now_ns, char *out, size_t out_bytes);

#endif
