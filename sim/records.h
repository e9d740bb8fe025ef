/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_RECORDS_H
#define SEGUE_SIM_RECORDS_H

/* Judges what follows what in a group's control record, by what is true at the moment of the swap,
 * and not by what its asker knew (docs/PROTOCOL.md, "Takeover", "A lone primary", "Cold start"):
 *
 * J1  who claims was in sync or in `previous`; or nobody whom the record named lives; or it named a
 *     lone primary alone, which left nothing dirty and whose lease has run out
 * J2  a claim names all of the old members in `previous`, and in sync only those of them that have
 *     stopped
 * J3  a claim without the queue sets `cut`, and nothing else does
 * J4  a lone primary that is not called dirty has nothing in its mirror; nor has anybody if the
 *     record is clean
 * J5  a lone primary answers only under its lease */

#include "sim/world.h"

struct records;

struct records *records_new(struct world *world);
void records_free(struct records *records);
/* The swap of that process stands. */
void records_swapped(struct records *records, int process, const struct record *before,
                     const struct record *after);
/* What a part tells people. */
void records_noticed(struct records *records, const struct part *part, const char *text);
/* A unit that leads its group alone has answered a command, for the first time. */
void records_answered_alone(struct records *records, const struct part *unit, struct member self);
const char *records_violation(const struct records *records); /* NULL: none */

#endif
