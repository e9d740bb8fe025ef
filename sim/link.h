/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_LINK_H
#define SEGUE_SIM_LINK_H

/* Links between processes: one stream connection for each pair, as TCP: in order, and when it is
 * lost the receiver has had some prefix of what was sent. Frames go through wire/frame both ways.
 * What is sent to a process that does not read waits, but not without end: then the connection is
 * closed, as in io/. */

#include "sim/world.h"

struct links;

enum link_way {
    LINK_TO = 1,
    LINK_FROM = 2,
    LINK_BOTH = 3
}; /* from the first named to the second */

struct links *links_new(struct world *world);
void links_free(struct links *links);
void links_add(struct links *links, int a, int b);
void links_happened(struct links *links, uint64_t what);
void links_process_up(struct links *links, int process);
void links_process_down(struct links *links, int process);
/* The process has taken an ITEM_LINK: from now on what it sends goes by that connection. */
void links_taken(struct links *links, int process, const struct item *item);
/* Takes over the message's payload reference. Lost without a word where there is no connection. */
void links_send(struct links *links, int from, int to, const struct message *message);

/* ---- faults; a and b are processes ---- */

/* Nothing passes any more and nobody is told; what is sent waits, as TCP's retransmissions do. */
void link_cut(struct world *world, int a, int b, enum link_way way);
/* The next frame of that kind from a to b, and all behind it, waits until link_restore. */
void link_hold(struct world *world, int a, int b, enum message_kind kind);
/* The connection is lost: both ends learn it. With `again` a new one is made after a moment, else
 * not before link_restore. */
void link_break(struct world *world, int a, int b, bool again);
/* Ends cut, hold and break. What waited arrives now. */
void link_restore(struct world *world, int a, int b);
/* A sick process: frames of that kind from a to b vanish, all others pass. MESSAGE_NONE ends it. */
void link_lose(struct world *world, int a, int b, enum message_kind kind);
/* The same for more than one kind: a bit for each; 0 ends it. */
void link_lose_kinds(struct world *world, int a, int b, uint64_t kinds);
bool link_loses(struct world *world, int a, int b);
/* The next frame of that kind from a to b arrives twice, the second time after `behind` others: as
 * when its sender sends it again, or logs in again, without a word of a loss. */
void link_duplicate(struct world *world, int a, int b, enum message_kind kind, uint32_t behind);
/* From now on frames between a and b take so much longer. */
void link_slow(struct world *world, int a, int b, uint64_t more_ns);
/* ... and so much longer for each byte of payload: large frames hold up what comes behind them. */
void link_narrow(struct world *world, int a, int b, uint64_t byte_ns);
/* Since when frames have passed both ways as they should; UINT64_MAX: they do not. */
uint64_t link_sound_since(struct world *world, int a, int b);
bool link_exists(struct world *world, int a, int b);
bool link_held(struct world *world, int a, int b); /* link_hold has caught its frame */

#endif
