/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_UNIT_UNIT_H
#define SEGUE_UNIT_UNIT_H

/* An array controller unit: one member of one multicast group. It holds the queue, does the
 * handshake, runs the device server (scsi/) and the RAID engine (array/), keeps the mirror, takes
 * over, comes back. docs/PROTOCOL.md is what it carries out; each rule is in the file whose name
 * says so. */

#include "array/array.h"
#include "scsi/server.h"

struct unit;

struct unit_config {
    uint8_t module, group;
    uint64_t incarnation; /* of this life; later ones are made from it by counting up */
    uint8_t members;      /* of the group, in order: the first is the preferred primary */
    uint8_t member[MODULE_MAX];
    uint8_t switches, loops; /* how many there are */
    uint8_t modules;
    bool owner; /* its group owns the array-wide state */
    struct limits limits;
    uint64_t mirror_bytes; /* writes wait for the drives above this */
};

struct unit *unit_new(const struct unit_config *config, struct buffer_pool *buffers,
                      struct trace *trace);
void unit_free(struct unit *x);
void unit_step(struct unit *x, const struct event *event, struct actions *actions);
uint64_t unit_wake_ns(const struct unit *x);
void unit_check(const struct unit *x);     /* costs little */
void unit_check_all(const struct unit *x); /* also what has to be walked */

enum unit_state {
    UNIT_STATE_READING, /* reads the record */
    UNIT_STATE_OUT,     /* serves nothing; asks to come in, or waits for cold start */
    UNIT_STATE_JOINING, /* is being sent the state */
    UNIT_STATE_SECONDARY,
    UNIT_STATE_STOPPED,  /* has stopped answering READY: about to claim, or follows a claimant */
    UNIT_STATE_CLAIMING, /* its swap is under way */
    UNIT_STATE_FENCING,
    UNIT_STATE_ADOPTING, /* loads or gathers state, reads maps */
    UNIT_STATE_CLEARING, /* the swap that empties `previous` is under way */
    UNIT_STATE_PRIMARY,
    UNIT_STATE_DEPOSED, /* only `previous` names it: keeps its state, processes nothing */
    UNIT_STATE_STATES,
};
const char *unit_state_name(enum unit_state state);

struct unit_status {
    uint8_t module, group;
    enum unit_state state;
    uint64_t incarnation, epoch;
    struct record record;
    /* The last entry of the sequence that it has said, or has applied and holds; 0: of none. */
    uint64_t sequence;
    uint64_t sessions; /* a sum over what it knows of the senders' sessions */
    uint32_t ordered, queue, outcomes;
    uint64_t mirror_bytes;
    uint32_t mirror_writes;
    uint64_t reads, writes, read_bytes, written_bytes, takeovers;
    uint64_t handshake_ns; /* mean of the last ones */
    uint8_t heard_units, heard_senders;
    uint32_t drives[LOOP_MAX];
    bool lone;
    struct array_status array;
};
void unit_describe(const struct unit *x, struct unit_status *out);
/* Of that only who, state, epoch, and what follows from the sequence: cheap enough for every step.
 */
void unit_standing(const struct unit *x, struct unit_status *out);
const struct array *unit_array(const struct unit *x);
const struct directory *unit_directory(const struct unit *x);
const struct scsi_server *unit_scsi(const struct unit *x);

#endif
