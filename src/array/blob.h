/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_BLOB_H
#define SEGUE_ARRAY_BLOB_H

/* The unit's replicated state as a blob on the drives: two slots on each, written in turn. */

#include "array/engine.h"

void blob_pump(struct array *array);
void blob_leg_ended(struct array *array, struct leg *leg);
/* Which slot the drive's next state goes to, by what its probe found. */
void blob_slot_found(struct array *array, int drive);
/* The state slots of one drive were copied to another. */
void blob_copied(struct array *array, int from, int to);
/* Forgets what is under way. */
void blob_forget(struct array *array);

#endif
