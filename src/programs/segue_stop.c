/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/segue_fleet.h"

/* Stopping in order. The processes may be our children or those of a supervisor that has died. */

/* A segued gives its actors 30 s; what is not gone after this does not stop by itself. */
static const uint64_t rank_limit_ns = MS(35000);

static void end_process(struct fleet_process *process, bool *clean)
{
    int wait_status;
    if (waitpid(process->pid, &wait_status, WNOHANG) == process->pid &&
        !(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)) {
        *clean = false;
        if (WIFSIGNALED(wait_status))
            printf("  %s was ended by signal %d\n", process->name, WTERMSIG(wait_status));
        else
            printf("  %s ended with exit code %d: not all was brought to the drives\n",
                   process->name, WEXITSTATUS(wait_status));
    }
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
    process->pid = 0;
}

static void signal_rank(struct fleet *fleet, enum fleet_rank rank, int signal)
{
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_process *process = &fleet->process[i];
        if (process->rank != rank || !process->pid)
            continue;
        if (process->pidfd < 0)
            process->pidfd = pidfd_open(process->pid, 0);
        if (process->pidfd < 0)
            continue;
        pidfd_send_signal(process->pidfd, signal, NULL, 0);
        pidfd_send_signal(process->pidfd, SIGCONT, NULL, 0); /* a stopped one would never hear it */
    }
}

/* Waits a moment for processes of the rank to end. False: none is left. `urgent`: a Ctrl-C came. */
static bool wait_for_rank(struct fleet *fleet, enum fleet_rank rank, int signal_fd, bool *urgent,
                          bool *clean)
{
    struct pollfd polls[FLEET_MAX + 1];
    struct fleet_process *waited[FLEET_MAX];
    nfds_t count = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_process *process = &fleet->process[i];
        if (process->rank != rank || !process->pid)
            continue;
        if (process->pidfd < 0) {
            end_process(process, clean); /* it was gone before it could be opened */
            continue;
        }
        waited[count] = process;
        polls[count++] = (struct pollfd){process->pidfd, POLLIN, 0};
    }
    if (!count)
        return false;
    polls[count] = (struct pollfd){signal_fd, POLLIN, 0};
    if (poll(polls, count + 1, 1000) <= 0)
        return true;
    for (nfds_t i = 0; i < count; i++)
        if (polls[i].revents)
            end_process(waited[i], clean);
    struct signalfd_siginfo signal;
    if (polls[count].revents && read(signal_fd, &signal, sizeof signal) == sizeof signal)
        *urgent = *urgent || signal.ssi_signo == SIGINT;
    return true;
}

static size_t count_rank(const struct fleet *fleet, enum fleet_rank rank, char *names, size_t bytes)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < fleet->count; i++)
        if (fleet->process[i].rank == rank && fleet->process[i].pid && at < bytes) {
            at += (size_t)snprintf(names + at, bytes - at, "%s%s", count++ ? ", " : "",
                                   fleet->process[i].name);
        }
    return count;
}

static bool stop_rank(struct fleet *fleet, enum fleet_rank rank, int signal_fd, bool *kill_all)
{
    static const char *const doing[FLEET_RANKS] = {
        [FLEET_RANK_SWITCHES] = "no more commands are taken",
        [FLEET_RANK_MODULES] = "mirrors go to the drives, flushed",
        [FLEET_RANK_LOOPS] = "drives are closed",
        [FLEET_RANK_API] = "nobody asks any more",
    };
    char names[256] = "";
    bool clean = true, killed = false;
    if (!count_rank(fleet, rank, names, sizeof names))
        return true;
    uint64_t begun = fleet_now_ns();
    printf("stopping %s: %s ...", names, doing[rank]);
    fflush(stdout);
    signal_rank(fleet, rank, SIGTERM);
    for (;;) {
        if (!killed && (*kill_all || fleet_now_ns() - begun > rank_limit_ns)) {
            printf("\n  %s: SIGKILL\n", *kill_all ? "at once, as asked" : "it does not stop");
            signal_rank(fleet, rank, SIGKILL);
            killed = true;
        }
        if (!wait_for_rank(fleet, rank, signal_fd, kill_all, &clean))
            break;
    }
    printf(" done in %llu ms\n", (unsigned long long)((fleet_now_ns() - begun) / 1000000));
    fflush(stdout);
    return clean && !killed;
}

bool fleet_stop(struct fleet *fleet, int signal_fd)
{
    bool clean = true, kill_all = false;
    for (int rank = 0; rank < FLEET_RANKS; rank++)
        if (!stop_rank(fleet, (enum fleet_rank)rank, signal_fd, &kill_all) &&
            rank != FLEET_RANK_API) /* it holds nothing of the array */
            clean = false;
    fleet_save(fleet);
    return clean;
}
