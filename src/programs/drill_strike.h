/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_STRIKE_H
#define SEGUE_PROGRAMS_DRILL_STRIKE_H

/* One fault, done to the real thing: a signal, a file that is renamed, a limit that the kernel
 * enforces, a link that its process lets go. Nothing here waits. */

#include "programs/drill_faults.h"

enum drill_struck {
    DRILL_STRUCK_FAILED, /* it cannot be done; `why` says so */
    DRILL_STRUCK_STANDS,
    DRILL_STRUCK_OVER,
};

enum drill_struck drill_strike(struct drill_fault *fault, const struct drill_plan *plan,
                               const struct drill_peers *peers, uint64_t now_ns, char *why,
                               size_t why_bytes);
/* To be called again and again; ends the fault when its time has come. */
enum drill_struck drill_strike_step(struct drill_fault *fault, struct drill_peers *peers,
                                    uint64_t now_ns, char *why, size_t why_bytes);
/* Takes it back now, whatever its time. */
void drill_strike_undo(struct drill_fault *fault);

#endif
