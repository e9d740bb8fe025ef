/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_REACTIONS_H
#define SEGUE_SIM_REACTIONS_H

/* Judges that who is gone is missed: a module that is dead or stopped does not stay in a group's
 * record while there is somebody who lives, is well, and reaches the register and every drive. How
 * long that may take: the availability limit, or less where a death is told of (docs/PROTOCOL.md,
 * "Limits"). */

#include "sim/site.h"

struct reactions;

struct reactions *reactions_new(const struct site *site);
void reactions_free(struct reactions *reactions);
/* NULL: nothing is wrong. Called again and again; it stays with the first. */
const char *reactions_look(struct reactions *reactions);

#endif
