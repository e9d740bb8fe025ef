/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_UNIT_METERS_H
#define SEGUE_UNIT_METERS_H

/* How long handshakes and takeovers took: counters that only grow, for whoever asks. */

#include <stdint.h>

#include "base/histogram.h"

struct unit;

enum meters_phase { METERS_CLAIM, METERS_FENCE, METERS_ADOPT, METERS_SERVE, METERS_PHASES };
enum { METERS_CAUSES = 15 };

struct meters {
    struct histogram handshake;
    struct histogram takeover[METERS_CAUSES];
    uint64_t phase_ns[METERS_PHASES];
    uint64_t served_ns;           /* when the last takeover ended; 0: there was none */
    uint64_t last_ns;             /* how long the last takeover took */
    uint64_t began_ns, marked_ns; /* of the one that is under way */
};

const struct meters *unit_meters(const struct unit *x);
/* "link_reset", ... of takeover[i]. */
const char *meters_cause_name(int i);
const char *meters_phase_name(int i);

/* A takeover of ours begins, has come to that phase ("claim", ...), by that cause. */
void meters_begin(struct meters *m, uint64_t now_ns);
void meters_phase(struct meters *m, const char *phase, const char *cause, uint64_t now_ns);

#endif
