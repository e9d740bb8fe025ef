/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_WAITS_H
#define SEGUE_SIM_WAITS_H

/* Knows how long a command may take (docs/PROTOCOL.md, "What must hold, always", 6): while some
 * unit in sync, the register and enough drives are up and reach each other, and the switch that the
 * host sends through reaches that unit, every command is answered within the limits and a fence,
 * whatever becomes of all other parts meanwhile. */

#include "sim/site.h"

struct waits;

struct waits *waits_new(const struct site *site);
void waits_free(struct waits *waits);
/* To be called every few milliseconds. NULL: nothing waits too long. */
const char *waits_look(struct waits *waits);

#endif
