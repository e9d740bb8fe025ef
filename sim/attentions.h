/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_ATTENTIONS_H
#define SEGUE_SIM_ATTENTIONS_H

/* Knows which unit attentions a nexus may be told (SAM-5 5.14), and which it must be. A nexus is
 * greeted once by each volume; reset and preempted hosts are told so; a takeover tells nobody
 * anything. When a group had lost its memory (the record is `cut`), each nexus that was there
 * before is told of the power-on, once, before any other answer. */

#include "sim/client.h"

struct attentions;

struct attentions *attentions_new(struct world *world);
void attentions_free(struct attentions *attentions);
/* `life` is the number of the nexus, host and path, as it is now: another one is another nexus. */
void attentions_begun(struct attentions *attentions, const struct op *op, uint64_t life);
void attentions_ended(struct attentions *attentions, const struct op *op, uint64_t life);
/* Somebody asks for another LUN: hosts may be told that there is one. */
void attentions_mapped(struct attentions *attentions);
/* A volume grows: every nexus may be told. */
void attentions_grown(struct attentions *attentions);
const char *attentions_violation(const struct attentions *attentions); /* NULL: none */
/* How many were told and expected. */
uint64_t attentions_told(const struct attentions *attentions);

#endif
