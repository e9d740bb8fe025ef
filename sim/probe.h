/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_PROBE_H
#define SEGUE_SIM_PROBE_H

/* A machine for this room's own tests: it writes down what comes to it, and does what it is told.
 */

#include "sim/world.h"

enum { PROBE_SEEN = 512, PROBE_DO = 64 };

struct probe {
    struct part *part;
    struct seen {
        enum event_kind kind;
        uint64_t now_ns, tag;
        port_id port;
        bool gone;
        struct message message; /* payload.length only */
        uint64_t first;         /* of the payload: its first 8 bytes */
        uint32_t result;        /* register result, drive status */
        struct record record;
        bool living;      /* of in_sync[0] */
        uint8_t data[64]; /* of a stream, a drive */
        uint32_t length, sunk;
        bool late;
    } seen[PROBE_SEEN];
    uint32_t count;
    struct action todo[PROBE_DO];
    uint32_t todo_count;
    uint32_t lives;
    uint64_t wake_ns;
    struct buffer *sink; /* where stream data shall go */
};

extern const struct part_kind probe_kind; /* config: struct probe, kept over its lives */

/* The next of its actions: fill it in, then probe_go() carries out all of them. */
struct action *probe_do(struct probe *probe, enum action_kind kind);
struct message *probe_send(struct probe *probe, enum message_kind kind, port_id to);
void probe_go(struct world *world, struct probe *probe);
/* How many events of that kind it has seen; the last one into `out` unless NULL. */
uint32_t probe_seen(const struct probe *probe, enum event_kind kind, struct seen *out);

#endif
