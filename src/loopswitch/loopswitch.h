/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_LOOPSWITCH_LOOPSWITCH_H
#define SEGUE_LOOPSWITCH_LOOPSWITCH_H

/* The loop switch: joins the units' ports to the drives of its tray, and fences. For each bank (the
 * drive ports that serve one group's pools) it holds, durably, the epoch of the last fence and the
 * units whose ports that fence allows. No drive command of an earlier epoch, of a port that is not
 * allowed, or of an earlier login reaches a drive, whenever it was sent. docs/PROTOCOL.md, "Fence".
 */

#include "base/trace.h"
#include "command/actor.h"
#include "command/inventory.h"

struct loopswitch;

struct loopswitch_config {
    uint8_t index;
    uint64_t incarnation;
    uint8_t groups;
    struct limits limits;
    uint32_t commands_max; /* drive commands admitted at a time, shared out evenly among drives */
    /* where inventories are taken from; NULL: the switch maps a small pool of its own */
    struct buffer_pool *buffers;
    uint8_t drives;
    struct {
        uint8_t slot;
        bool online; /* it could be opened */
        uint64_t bytes;
        uint32_t block_bytes;
        char serial[24];
    } drive[SLOT_MAX];
    /* what ACTION_STORE last stored, or nothing (length 0) */
    uint32_t stored_length;
    uint8_t stored[512];
};

/* NULL: the stored state is damaged (it must not be taken as empty: a fence would be forgotten). */
struct loopswitch *loopswitch_new(const struct loopswitch_config *config, struct trace *trace);
void loopswitch_free(struct loopswitch *x);
void loopswitch_step(struct loopswitch *x, const struct event *event, struct actions *actions);
uint64_t loopswitch_wake_ns(const struct loopswitch *x);
void loopswitch_check(const struct loopswitch *x);

struct loopswitch_bank_status {
    uint64_t epoch;
    struct members allowed;
    uint64_t refused; /* commands refused since start */
    uint32_t admitted;
};
struct loopswitch_drive_status {
    uint8_t slot, bank;
    bool online;
    uint64_t bytes, reads, writes, read_bytes, written_bytes, errors;
    uint32_t queued;
};
void loopswitch_bank(const struct loopswitch *x, uint8_t bank, struct loopswitch_bank_status *out);
bool loopswitch_drive(const struct loopswitch *x, uint32_t i, struct loopswitch_drive_status *out);

#endif
