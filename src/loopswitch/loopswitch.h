/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_LOOPSWITCH_LOOPSWITCH_H
#define SEGUE_LOOPSWITCH_LOOPSWITCH_H

/* The loop switch: joins the units' ports to the drives of its tray, and fences. For each bank (the
 * drive ports that serve one group's pools) it holds, durably, the epoch of the last fence and the
 * units whose ports that fence allows. No drive command of an earlier epoch, of a port that is not
 * allowed, or of an earlier login reaches a drive, whenever it was sent. docs/PROTOCOL.md, "Fence".
 *
 * To the drives it is a Fibre Channel quick loop (docs/LOOP.md): the slots lie on looplets, which
 * together form one logical loop; each drive has an address (AL_PA) on it, taken as FC-AL-2 has it
 * and kept. A port that errs too often, or comes and goes, is bypassed, tested, and taken back; one
 * that a person bypasses stays out until a person releases it, also over restarts.
 *
 * EVENT_REQUEST: "lip", "lip LOOPLET", "bypass SLOT", "release SLOT", "locate-on SLOT", "locate-off
 * SLOT", "adopt SLOT": whatever lies on a free drive is wiped.
 */

#include "base/histogram.h"
#include "base/trace.h"
#include "command/actor.h"
#include "command/inventory.h"

struct loopswitch;

/* Where something is joined to the loop. */
enum loop_port_state {
    LOOP_PORT_ABSENT,       /* nothing answers there; it is tested from time to time */
    LOOP_PORT_INITIALISING, /* a LIP is going on: commands wait */
    LOOP_PORT_ONLINE,
    LOOP_PORT_BYPASSED, /* it erred, or came and went, too often; it is tested from time to time */
    LOOP_PORT_BYPASSED_BY_HAND, /* until a person releases it */
    LOOP_PORT_DISABLED,         /* a unit's: the fence does not allow it */
    LOOP_PORT_STATES,
};

/* What an answer of a drive says of the drive. */
enum drive_verdict {
    DRIVE_VERDICT_GOOD,
    DRIVE_VERDICT_RETRY,   /* no fault of the drive: the same again */
    DRIVE_VERDICT_REPAIR,  /* some blocks cannot be read: whoever has them elsewhere writes anew */
    DRIVE_VERDICT_SUSPECT, /* too many of those, and its port is bypassed */
    DRIVE_VERDICT_FAIL,    /* it is not there */
    DRIVE_VERDICTS,
};

struct loop_port_counters {
    uint64_t frames_in, frames_out; /* sequences to it, and from it */
    uint64_t lips;                  /* initialisations that it has taken part in */
    uint64_t bypasses;              /* by us */
    uint64_t timeouts;              /* commands beyond the limit of one try */
    uint64_t verdict[DRIVE_VERDICTS];
};

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
        uint8_t content; /* enum drive_content: what lay on it when it was opened */
        uint8_t al_pa;   /* assigned by the fabric: by the configuration; 0: none is */
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
    enum loop_port_state state;
    uint8_t looplet, al_pa;
    uint8_t content; /* enum drive_content */
    bool located;
    uint64_t test_ns; /* off the loop: when it is tested next; 0: it is not */
    struct loop_port_counters counters;
};
/* A unit's port. */
struct loopswitch_port_status {
    port_id unit;
    enum loop_port_state state; /* ABSENT: no link */
    uint32_t running;
    struct loop_port_counters counters;
};
void loopswitch_bank(const struct loopswitch *x, uint8_t bank, struct loopswitch_bank_status *out);
bool loopswitch_drive(const struct loopswitch *x, uint32_t i, struct loopswitch_drive_status *out);
bool loopswitch_unit_port(const struct loopswitch *x, uint32_t i,
                          struct loopswitch_port_status *out);
const char *loopswitch_state_name(enum loop_port_state state);
const char *loopswitch_verdict_name(enum drive_verdict verdict);
/* How long the commands of all its drives took. */
enum loopswitch_op { LOOPSWITCH_READ, LOOPSWITCH_WRITE, LOOPSWITCH_FLUSH, LOOPSWITCH_OPS };
const struct histogram *loopswitch_took(const struct loopswitch *x, enum loopswitch_op op);

#endif
