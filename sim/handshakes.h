/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_HANDSHAKES_H
#define SEGUE_SIM_HANDSHAKES_H

/* Reads along what units say to each other, and judges their answers by it: a primary answers a
 * command only when every member that its epoch names has said READY for it, and for what was
 * RESOLVED; it neither answers nor writes while the record still names who was in charge before,
 * and it writes nothing where its fence is not up, nor calls a drive good there. Members change
 * with the epoch only. */

#include "sim/records.h"

struct handshakes;

struct handshakes *handshakes_new(struct world *world, struct records *records);
void handshakes_free(struct handshakes *handshakes);
const char *handshakes_violation(const struct handshakes *handshakes); /* NULL: none */
/* A unit has taken a step; something was sent or is about to be taken by a unit. */
void handshakes_stepped(struct handshakes *handshakes, const struct part *unit);
void handshakes_swapped(struct handshakes *handshakes, const struct record *before,
                        const struct record *after);
void handshakes_sent(struct handshakes *handshakes, const struct part *part,
                     const struct message *message);
void handshakes_received(struct handshakes *handshakes, const struct part *unit,
                         const struct message *message);
/* That loop switch has carried out a fence, and answers it. */
void handshakes_fenced(struct handshakes *handshakes, int loop, const struct fence_message *fence);

#endif
