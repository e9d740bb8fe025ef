/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_BLOB_H
#define SEGUE_ARRAY_BLOB_H

/* The unit's replicated state as a blob on the drives: two slots on each, written in turn. */

#include "array/engine.h"

void blob_pump(struct array *array);
void blob_leg_ended(struct array *array, struct leg *leg);
/* Drive work begins: which slot is the older one, by what the probes found. */
void blob_begin(struct array *array);
/* Forgets what is under way. */
void blob_forget(struct array *array);

#endif
