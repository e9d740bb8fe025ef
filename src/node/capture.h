/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_CAPTURE_H
#define SEGUE_NODE_CAPTURE_H

/* What goes in and out of a part, as Fibre Channel sequences, to whoever asked for it at the
 * management socket (segue capture). Costs one comparison a message while nobody does.
 *
 * After the answer to {"verb":"capture","part":"A1"} the connection carries records, each a header
 * of CAPTURE_HEADER_BYTES, big-endian, and `captured` bytes: FC-2 header, information unit, stamp
 * and payload, cut at CAPTURE_BYTES_MAX. A record of 0 bytes comes after another line of the
 * asker's: it is the last. Who does not read fast enough misses frames, which are counted. */

#include "node/node_state.h"

enum {
    CAPTURE_BYTES_MAX = 256 << 10,
    CAPTURE_HEADER_BYTES = 32, /* captured, original: 32 bits; time (ns since 1970), direction (1
                                  in, 2 out), missed so far: 64 bits */
    CAPTURE_QUEUE_BYTES = 8 << 20,
};

/* False: too many are under way. */
bool capture_begin(struct node *node, uint32_t stream, const struct part *part);
/* Says the last record of that asker's. False: it captures nothing. */
bool capture_end(struct node *node, uint32_t stream);
/* One that goes out of the part, or comes in. */
void capture_message(struct node *node, const struct part *part, const struct message *message,
                     bool out);

#endif
