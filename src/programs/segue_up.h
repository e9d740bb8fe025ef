/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_UP_H
#define SEGUE_PROGRAMS_SEGUE_UP_H

/* One `segue up`: starts, supervises, stops. */

#include <jansson.h>
#include <sys/types.h>

#include "manage/notify.h"
#include "programs/segue.h"
#include "programs/segue_fleet.h"

enum up_phase {
    UP_STARTING, /* until every group is served */
    UP_CREATING, /* carries out create: */
    UP_SETTLING, /* a moment for the others to come in sync, for the summary's sake */
    UP_SERVING,
};

struct up {
    const struct segue_call *call;
    struct config config;
    struct fleet fleet;
    struct notify notify;
    char segued[CONFIG_PATH];
    enum up_phase phase;
    uint64_t begun_ns, phase_ns; /* of all; of this phase */
    int signal_fd, lock_fd;
    int ready_fd; /* of --detach: told when it serves; -1 */
    pid_t demo;   /* the drill of --demo; 0: none runs */
    bool terminal;
    bool stopping;
    int code;                         /* enum segue_exit */
    char progress[256];               /* as last shown */
    uint16_t next;                    /* of create */
    uint16_t volume[CONFIG_STEP_MAX]; /* of a volume that create[i] made */
};

/* A line that takes the place of the last one on a terminal; elsewhere only when it has changed. */
void up_show(struct up *up, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line that stays. */
void up_say(struct up *up, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One step of create:. True: all is done. */
bool up_create_step(struct up *up);
/* --demo: a checked load for ever, under which each module is killed in turn, one a minute. */
void up_demo_start(struct up *up);
void up_demo_stop(struct up *up);
/* False: that process is not the demo's. */
bool up_demo_ended(struct up *up, pid_t pid, int wait_status);
/* What the array is and how to use it. */
void up_summary(struct up *up, const json_t *status);

#endif
