/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_FLEET_H
#define SEGUE_PROGRAMS_SEGUE_FLEET_H

/* The segued processes of an array on this machine: which there are, starting one, seeing one die,
 * stopping all in order. STATE/run/fleet.json tells every later `segue` of them. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "manage/config.h"

/* The order of stopping: no new commands first, then what empties the mirrors, then the drives,
 * then the API, which shows it to the end. */
enum fleet_rank {
    FLEET_RANK_SWITCHES,
    FLEET_RANK_MODULES,
    FLEET_RANK_LOOPS,
    FLEET_RANK_API,
    FLEET_RANKS
};
enum { FLEET_MAX = CONFIG_PROCESS_MAX + 1 };

struct fleet_process {
    char name[CONFIG_NAME];
    enum fleet_rank rank;
    pid_t pid;            /* 0: not running */
    uint64_t start_ticks; /* of /proc/PID/stat: tells a pid that is used again */
    int pidfd;            /* -1: none */
    uint64_t started_ns;
    uint64_t start_at_ns; /* not running: when to start it again; UINT64_MAX: never */
    uint64_t delay_ns;    /* before the next start */
    uint32_t restarts;
};

struct fleet {
    char state[CONFIG_PATH]; /* directory */
    char array[NAME_BYTES];
    char file[CONFIG_PATH];
    size_t count;
    struct fleet_process process[FLEET_MAX];
};

uint64_t fleet_now_ns(void);

void fleet_of_config(struct fleet *fleet, const struct config *config);
/* Writes STATE/run/fleet.json. */
bool fleet_save(const struct fleet *fleet);
/* Reads it; processes that are not alive any more get pid 0. False: there is none. */
bool fleet_load(struct fleet *fleet, const char *state);
size_t fleet_running(const struct fleet *fleet);
/* "A (pid 12), B (pid 13)" of those that run. */
void fleet_names(const struct fleet *fleet, char *out, size_t bytes);

/* Path of the segued beside this program. False: there is none. */
bool fleet_segued(char *out, size_t bytes);
/* Starts `segued --config FILE --process NAME`, or `segue api FILE`, its output to
 * STATE/log/NAME.err. 0, or an errno.
 */
int fleet_start(struct fleet *fleet, size_t i, const char *segued);
/* What the processes say on stderr is also in their logs, which are rotated: here only the last of
 * it is kept. */
void fleet_trim_output(const struct fleet *fleet);
/* The last line that the process wrote to its stderr. */
void fleet_last_words(const struct fleet *fleet, size_t i, char *out, size_t bytes);
/* That child has ended: forgets its pid and sets when it shall start again. */
void fleet_ended(struct fleet *fleet, size_t i, int wait_status);

/* Stops all in order and says so, line by line. `signal_fd`: a signalfd; a SIGINT that comes in
 * meanwhile kills what is left; -1: none. True: each ended by itself and cleanly, as far as can be
 * told. */
bool fleet_stop(struct fleet *fleet, int signal_fd);

#endif
