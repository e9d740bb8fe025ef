/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_CAUSES_H
#define SEGUE_SIM_CAUSES_H

/* No member of a group is dropped, and nobody claims, without a cause: while nothing is wrong with
 * any module, with the register or with what joins the modules, the record changes its primary by a
 * planned move only, which leaves all members in sync; unless whoever was given control cannot
 * serve within the fence limit. A slow drive is no dead controller, and a sick interface switch or
 * tray is none, either. */

#include "sim/site.h"

struct causes;

struct causes *causes_new(const struct site *site);
void causes_free(struct causes *causes);
/* To be called every few milliseconds. NULL: whatever happened had a cause. */
const char *causes_look(struct causes *causes);

#endif
