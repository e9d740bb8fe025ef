/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_SWARM_H
#define SEGUE_SIM_SWARM_H

/* One random history from one seed: a random array, hosts at work, and faults, never a second one
 * of the same kind (module, interface switch, tray) before everything is in sync again. Then the
 * faults end (liveness): every command is answered, all is in sync, every block reads as the oracle
 * allows, mirrors agree. As no two faults of a kind meet, no host may see an error. */

#include "sim/site.h"
#include "sim/workload.h"

struct swarm_result {
    bool failed;
    char sentence[512];
    uint32_t faults;
    uint64_t verified;
    struct workload_result work;
};

struct swarm_config {
    uint64_t seed;
    uint64_t for_ns; /* of faults, in virtual time */
    bool print;      /* the trace as it comes; nothing else is printed */
    bool messages;   /* ... and each message */
    /* Faults of any kind meet, and power fails for everybody: hosts may see errors, and a group may
     * wait for a person; but what was written through is never lost and never wrong. */
    bool wild;
};
void swarm_run(const struct swarm_config *config, struct swarm_result *out);
/* The last lines of the history that failed, or of the one that is being told. */
void swarm_print_last(uint32_t lines);

#endif
