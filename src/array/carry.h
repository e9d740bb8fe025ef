/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_CARRY_H
#define SEGUE_ARRAY_CARRY_H

/* Carrying out effects: what a change of pools and volumes asks of the drives. One at a time. */

#include "array/engine.h"

void carry_pump(struct array *array, struct actions *actions);
void carry_leg_ended(struct array *array, struct leg *leg);
void carry_forget(struct array *array);
/* A pool that may be being made is no more. */
void carry_pool_dropped(struct array *array, uint8_t pool);

/* A new volume whose zeroes are not on the drives yet. */
bool carry_unzeroed(const struct array *array, const struct volume *volume);

#endif
