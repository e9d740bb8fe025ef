/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_PART_H
#define SEGUE_NODE_PART_H

/* One actor in this process, whatever it is. */

#include "base/trace.h"
#include "command/actor.h"
#include "io/address.h"

/* How the actors of one kind are driven. */
struct part_kind {
    const char *name;
    void (*step)(void *machine, const struct event *event, struct actions *actions);
    uint64_t (*wake_ns)(const void *machine);
    void (*check)(const void *machine);
    void (*free)(void *machine);
    int stop_rank; /* those of a rank are told to stop when all of the lower ones have stopped */
};

extern const struct part_kind part_unit, part_manager, part_switch, part_loop;

enum { PART_PORTAL_MAX = 4, PART_STORED_BYTES = 512 };

struct part {
    const struct part_kind *kind;
    void *machine;
    port_id port;
    uint8_t number; /* of the module, switch or loop switch */
    uint8_t group;  /* of a unit */
    struct trace trace;
    bool stopping, stopped;
    /* unit: for people */
    int state;
    uint64_t since_ns;
    /* switch: its portals as they were bound */
    uint8_t portals;
    char portal[PART_PORTAL_MAX][ADDRESS_TEXT];
    /* loop switch: drive numbers in io/drives.h by slot, -1: none; where its state is stored */
    int drive_of_slot[SLOT_MAX];
    char store_path[384];
};

#endif
