/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_OPCODES_H
#define SEGUE_SCSI_OPCODES_H

/* The opcode table: everything that the device server knows of a command before its handler runs.
 * It also feeds REPORT SUPPORTED OPERATION CODES. */

#include "command/volume.h"
#include "scsi/state.h"

enum { ACTION_NONE = -1, ACTION_MASK = 0x1F };

/* What a persistent reservation of another nexus means for the command (SPC-4 table 66, SBC-3
 * table 13). */
enum opcode_access {
    ACCESS_ALWAYS,
    ACCESS_READ,          /* conflicts with exclusive access */
    ACCESS_WRITE,         /* conflicts with any */
    ACCESS_WRITE_STOP,    /* START STOP UNIT: ALWAYS if it starts, else WRITE */
    ACCESS_WRITE_PREVENT, /* PREVENT ALLOW: ALWAYS if it allows, else WRITE */
};

/* Where the CDB has LBA and number of blocks. */
enum opcode_range {
    RANGE_NONE,
    RANGE_CDB6, /* 0 blocks: 256 */
    RANGE_CDB10,
    RANGE_CDB12,
    RANGE_CDB16,
    RANGE_COMPARE, /* COMPARE AND WRITE: one byte of blocks */
    RANGE_ATOMIC,  /* WRITE ATOMIC: two bytes of blocks */
    RANGE_LBA16,   /* an LBA that must be there, 16-byte CDB; no blocks */
    RANGE_REST10,  /* 0 blocks: up to the end */
    RANGE_REST16,
    RANGE_WHOLE, /* anywhere: the parameter list says where */
};

/* How many blocks it may name; page B0 says the same. */
enum opcode_limit {
    LIMIT_NONE,
    LIMIT_TRANSFER,
    LIMIT_COMPARE,
    LIMIT_SAME,
    LIMIT_ATOMIC,
};

enum opcode_flags {
    OPCODE_UNATTENDED = 1, /* runs with a unit attention pending and for a nexus that is not open */
    OPCODE_UNMAPPED = 2,   /* answers where no volume is mapped */
    OPCODE_UNRESERVED = 4, /* runs under another nexus's RESERVE(6) */
    OPCODE_CHANGES = 8,    /* changes blocks: not on a read-only volume */
    OPCODE_SANITIZING = 16, /* runs while the volume is being sanitized, or that has failed */
};

struct opcode {
    uint8_t code;
    int8_t action; /* service action, or ACTION_NONE: the opcode has none */
    uint8_t length;
    uint8_t flags;
    enum opcode_access access;
    enum opcode_range range;
    enum opcode_limit limit;
    enum overlap_class overlap;
    void (*plan)(const struct scsi_request *r, struct scsi_plan *plan);
    uint8_t
        usage[16]; /* bits of the CDB that may be set; of byte 0 all, of a service action its own */
};

extern const struct opcode opcode_table[];
uint32_t opcode_count(void);

/* Fills server->first_row. */
void opcode_index(struct scsi_server *server);
/* The row for that CDB; NULL: none. `known`: the operation code at least is supported. */
const struct opcode *opcode_find(const struct scsi_server *server, const uint8_t *cdb, bool *known);
/* The first row of that operation code, NULL: not supported; the next one follows it in the table.
 */
const struct opcode *opcode_first(const struct scsi_server *server, uint8_t code);
/* Does a volume have it? WRITE ATOMIC has none whose pool is of an earlier release: there is no
 * room for redo records. */
static inline bool opcode_offered(const struct opcode *o, const struct volume_info *info)
{
    return o->limit != LIMIT_ATOMIC || (info && info->atomic_blocks > 0);
}
/* How long a host should wait for it, at least. */
uint32_t opcode_timeout_s(const struct opcode *o);
/* First byte of the CDB with a bit set that must not be; -1: none. */
int opcode_unknown_bits(const struct opcode *o, const uint8_t *cdb);

#endif
