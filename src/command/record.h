/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_RECORD_H
#define SEGUE_COMMAND_RECORD_H

/* The control record of a multicast group: who is in charge. It lives in the control register and
 * is only ever replaced by compare-and-swap of its generation. */

#include "command/names.h"

enum drive_state {
    DRIVE_STATE_GOOD,   /* takes part in everything; also: in no pool of this group */
    DRIVE_STATE_FAILED, /* takes part in nothing; its data is old */
    DRIVE_STATE_STALE,  /* written, not read: being resynchronised */
};

enum { RECORD_VERSION = 1, RECORD_BYTES_MAX = 1024 };

struct record {
    uint64_t generation; /* 0: there is no record */
    uint64_t epoch;
    uint8_t group;
    struct member primary;   /* nobody: created, never served */
    struct members in_sync;  /* the primary is one of them */
    struct members previous; /* set while a claim has not been served */
    struct member dirty;     /* the lone unit that alone holds acknowledged writes */
    uint64_t cut;            /* commands first sent before this epoch have unknown outcomes */
    uint64_t lease;          /* renewals of a lone primary; 0 where in_sync has two or more */
    uint32_t claims;         /* claims since the group was last served */
    uint8_t owner;           /* 1: this group owns the array-wide state */
    bool clean;              /* stopped in order: nothing to resynchronise */
    uint8_t drive_state[DRIVE_MAX]; /* enum drive_state */
};

/* Bytes as the register keeps them: version, fields, CRC32C. Returns the length; at most
 * RECORD_BYTES_MAX. */
uint32_t record_encode(const struct record *record, uint8_t *out);
/* False: not a record of a version that we know, or damaged. */
bool record_decode(const uint8_t *bytes, uint32_t length, struct record *out);

const char *drive_state_name(enum drive_state state);

#endif
