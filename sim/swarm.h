/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_SWARM_H
#define SEGUE_SIM_SWARM_H

/* One random history from one seed: a random array, hosts at work, and faults (faults.h). Then the
 * faults end (liveness): every command is answered, all is in sync, every block reads as the oracle
 * allows, mirrors agree, members hold the same state. But for wild histories no host may see an
 * error. */

#include "sim/faults.h"

struct swarm_result {
    bool failed;
    char sentence[512];
    uint32_t faults;
    uint64_t verified; /* blocks read and right */
    uint64_t judged;   /* commands that met a reservation */
    uint64_t virtual_ns;
    bool waits; /* for a person, as it said: nothing more was checked */
    struct workload_result work;
};

struct swarm_config {
    uint64_t seed;
    uint64_t for_ns;   /* of faults, in virtual time, at most */
    uint64_t commands; /* faults end when so many were answered; 0: no limit */
    bool print;        /* the trace as it comes */
    bool messages;     /* ... and each message */
    bool quiet;        /* no trace is kept: faster; nothing to print of what failed */
    /* Faults of any kind meet, and power fails for everybody: hosts may see errors, and a group may
     * wait for a person; but what was written through is never lost, what was flushed neither, and
     * nothing is ever wrong. */
    bool wild;
    uint8_t hosts;                 /* so many at most; 0: as the seed says */
    bool without[FAULTS_NUMBERED]; /* faults that do not happen */
};
void swarm_run(const struct swarm_config *config, struct swarm_result *out);
/* The last lines of the history that failed, or of the one that is being told. */
void swarm_print_last(uint32_t lines);

#endif
