/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_STREAM_H
#define SEGUE_SIM_STREAM_H

/* Hosts' TCP connections to an interface switch: bytes both ways, cut into pieces at random,
 * delayed, dribbled or stopped. At one end is a machine with EVENT_STREAM_*, at the other a host of
 * this room, which is told by stream_ops. */

#include "sim/world.h"

struct streams;

/* What a host is told; `host` is what it gave to stream_open. */
struct stream_ops {
    void (*opened)(void *host);
    void (*data)(void *host, const uint8_t *bytes, uint32_t length);
    void (*closed)(void *host); /* by the switch, or its process died */
};

struct streams *streams_new(struct world *world);
void streams_free(struct streams *streams);
void streams_happened(struct streams *streams, uint64_t what);
void streams_act(struct streams *streams, struct part *part, struct action *action);
void streams_process_down(struct streams *streams, int process);
/* The process has taken an ITEM_STREAM of that tag: steps its machine with what there is. */
void streams_taken(struct streams *streams, struct part *part, uint64_t tag);

/* A connection of a host to a portal of that part. Returns its number, 0: refused (nobody there).
 */
uint32_t stream_open(struct world *world, struct part *part, uint8_t portal, void *host,
                     const struct stream_ops *ops);
void stream_send(struct world *world, uint32_t stream, const uint8_t *bytes, uint32_t length);
void stream_close(struct world *world, uint32_t stream);

/* ---- faults ---- */

/* Nothing passes either way, and nobody is told, until it ends. */
void stream_cut(struct world *world, uint32_t stream, bool cut);
/* The connection is reset: the host learns it at once, the switch when it has read what came
 * before.
 */
void stream_reset(struct world *world, uint32_t stream);
/* How long what the host has sent still takes, if nothing more is done to the line. */
uint64_t stream_backlog_ns(struct world *world, uint32_t stream);
/* Neither cut nor dribbling, and what was dribbled has arrived. */
bool stream_sound(struct world *world, uint32_t stream);
/* What the host sends arrives one byte each `every_ns`; 0 ends it. */
void stream_dribble(struct world *world, uint32_t stream, uint64_t every_ns);

#endif
