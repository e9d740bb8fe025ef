/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "programs/segue_fleet.h"
#include "programs/segue_place.h"
#include "programs/segue_state.h"

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* The supervisor stops all in order; we wait until it has let go. */
static int stop_supervisor(const struct segue_call *call, const char *state, pid_t supervisor)
{
    uint64_t begun = fleet_now_ns();
    if (kill(supervisor, SIGTERM) != 0)
        return segue_fail(call, errno == EPERM ? SEGUE_EXIT_NOT_ALLOWED : SEGUE_EXIT_FAILED,
                          "NOT_STOPPED", "run it as the user who started the array",
                          "supervisor %d: %s", (int)supervisor, strerror(errno));
    printf("stopping the array in %s (supervisor %d)\n", state, (int)supervisor);
    fflush(stdout);
    while (state_lock_holder(state) == supervisor) {
        pause_ms(50);
        if (fleet_now_ns() - begun > MS(120000))
            return segue_fail(call, SEGUE_EXIT_FAILED, "NOT_STOPPED", "read log/ and try again",
                              "supervisor %d has not stopped in 120 s", (int)supervisor);
    }
    printf("down after %llu ms\n", (unsigned long long)((fleet_now_ns() - begun) / 1000000));
    return SEGUE_EXIT_DONE;
}

int segue_down(const struct segue_call *call)
{
    char state[CONFIG_PATH];
    struct fleet left;
    int code = place_state(call, call->argument[0], state, sizeof state);
    if (code != SEGUE_EXIT_DONE)
        return code;
    pid_t supervisor = state_lock_holder(state);
    if (supervisor > 0)
        return stop_supervisor(call, state, supervisor);
    if (!fleet_load(&left, state) || !fleet_running(&left)) {
        printf("the array in %s is down already\n", state);
        return SEGUE_EXIT_DONE;
    }
    printf("its supervisor is gone; stopping what it left\n");
    return fleet_stop(&left, -1) ? SEGUE_EXIT_DONE : SEGUE_EXIT_FAILED;
}
