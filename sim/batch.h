/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_BATCH_H
#define SEGUE_SIM_BATCH_H

/* Many histories, quietly, in worker processes: so that a machine that breaks its promise ends only
 * its own history, and that all cores work. And one that failed made smaller. */

#include "sim/swarm.h"

struct batch_config {
    struct swarm_config swarm; /* of the first one; the others have the seeds after it */
    uint64_t count;            /* how many at most */
    uint64_t seconds;          /* of the wall clock, at most; 0: no limit */
    uint32_t jobs;             /* workers */
    uint32_t failures_max;     /* after so many it ends */
    const char *repeat;        /* options of segue-sim that say the same, but for the seed */
};
/* Prints each one that failed, as the command that repeats it, and at the end what was done. True:
 * none failed. */
bool batch_run(const struct batch_config *config);
/* Prints the command of a shorter history with fewer faults and hosts that fails, too. False: it
 * does not fail. */
bool batch_shrink(const struct batch_config *config);

#endif
