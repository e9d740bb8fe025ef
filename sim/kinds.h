/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_KINDS_H
#define SEGUE_SIM_KINDS_H

/* The machines of src/ as kinds of parts. part->config is the machine's configuration; what changes
 * with each life (incarnations, sessions, stored state) is filled in anew. */

#include "iswitch/iswitch.h"
#include "loopswitch/loopswitch.h"
#include "sim/world.h"
#include "unit/unit.h"

extern const struct part_kind kinds_unit_part;       /* config: struct unit_config */
extern const struct part_kind kinds_iswitch_part;    /* struct iswitch_config */
extern const struct part_kind kinds_loopswitch_part; /* struct loopswitch_config */

/* The machine of a living part of that kind; NULL: dead. */
const struct unit *kinds_unit(const struct part *part);
const struct iswitch *kinds_iswitch(const struct part *part);
const struct loopswitch *kinds_loopswitch(const struct part *part);

#endif
