/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_EFFECT_H
#define SEGUE_SCSI_EFFECT_H

/* An effect is a list of changes, each one decision; scsi_apply carries them out in order, the same
 * on each unit. A change whose object is gone by then (a nexus that was lost, a volume that was
 * removed) changes nothing.
 *
 *   byte 0   1: the effect is of this room; the unit tells by it who applies it
 *   byte 1   version
 *   changes: what 1, volume 2, sender 1, number 4, value 8, detail 1, name length 1, name
 */

#include "scsi/attention.h"
#include "scsi/state.h"

enum { EFFECT_OF_SCSI = 1, EFFECT_VERSION = 1, CHANGE_BYTES = 18, VOLUME_ALL = VOLUME_NONE };

/* The numbers are on the wire. (sender, number) names a nexus of the session of the command whose
 * effect it is. */
enum change_kind {
    CHANGE_NEXUS_ADD = 1,  /* with its name; detail: attention, on every volume */
    CHANGE_NEXUS_NAME = 2, /* the nexus that came without a name has this one */
    CHANGE_NEXUS_REMOVE = 3,
    CHANGE_ATTENTION = 4, /* detail: attention; volume or all; every nexus but this one */
    CHANGE_NOTICED = 5,   /* detail: attention, has been reported to the nexus */
    CHANGE_TELL_REGISTRANTS =
        6,              /* detail: attention; value: bits of registrations; not this nexus */
    CHANGE_RESET = 7,   /* volume or all: RESERVE(6) is over, mode pages are the saved ones */
    CHANGE_RESERVE = 8, /* RESERVE(6) by the nexus */
    CHANGE_RELEASE = 9,
    CHANGE_KEY = 11,         /* detail: index of a registration; value: its key */
    CHANGE_UNREGISTER = 12,  /* value: bits of registrations */
    CHANGE_RESERVATION = 13, /* detail: type or none; value: index of its holder, 64 none */
    CHANGE_GENERATION = 14,  /* value: PRGENERATION */
    CHANGE_APTPL = 15,       /* detail: 0, 1 */
    CHANGE_MODE = 16,        /* detail: enum mode_bits */
    CHANGE_REGISTER_PORT =
        17,           /* the initiator port of that name; detail: bits of senders; value: its key */
    CHANGE_LUNS = 18, /* the nexus knows the directory of version `value` */
    CHANGE_SANITIZE = 19,          /* begins; detail: enum sanitize_flags; value: passes */
    CHANGE_SANITIZE_PATTERN = 20,  /* its name is some of the pattern; value: where it begins */
    CHANGE_SANITIZE_PROGRESS = 21, /* detail: pass; value: blocks of it that are done */
    CHANGE_SANITIZE_STATE = 22,    /* detail: enum scsi_sanitize_state */
    CHANGES,
};

struct change {
    enum change_kind what;
    uint16_t volume;
    uint8_t sender;
    uint32_t number;
    uint64_t session; /* not of its bytes: scsi_apply() is told */
    uint64_t value;
    uint8_t detail;
    uint8_t name_length;
    const uint8_t *name;
};

/* Adds the change to the plan's effect. The plan's answer is set by the caller; its `what` becomes
 * SCSI_RESOLVE by effect_resolve(), which must be the last thing that is done to it. */
void effect_add(struct scsi_plan *plan, struct change change);
void effect_resolve(struct scsi_plan *plan);
/* Bytes that are left for changes; one takes CHANGE_BYTES and its name. */
uint32_t effect_room(const struct scsi_plan *plan);
/* A change about the command's own nexus and volume. */
struct change effect_own(const struct scsi_request *r, enum change_kind what);

#endif
