/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/opcodes.h"

#include "scsi/copy.h"
#include "scsi/diagnostic.h"
#include "scsi/inquiry.h"
#include "scsi/log.h"
#include "scsi/medium.h"
#include "scsi/mode.h"
#include "scsi/persistent.h"
#include "scsi/report.h"
#include "scsi/reserve.h"
#include "scsi/sanitize.h"

enum {
    ALWAYS_ANSWERED = OPCODE_UNATTENDED | OPCODE_UNMAPPED | OPCODE_UNRESERVED | OPCODE_SANITIZING,
    DPO_FUA = 0x1A, /* and FUA_NV, obsolete and ignored; not RDPROTECT, WRPROTECT: 5/24/00 */
    DPO_BYTCHK = 0x16,
    IMMED = 0x02,
    SYNC = 0x06,  /* and SYNC_NV, obsolete */
    GROUP = 0x1F, /* the group number is ignored */
};

/* The bits of a CDB that may be set: byte 1, then fields; the control byte must be zero (no NACA).
 */
#define FIELD2 0xFF, 0xFF
#define FIELD4 FIELD2, FIELD2
#define FIELD8 FIELD4, FIELD4
#define USAGE_6(byte1, byte2, byte3, byte4) \
    {                                       \
        0xFF, byte1, byte2, byte3, byte4, 0 \
    }
#define USAGE_RANGE_6               \
    {                               \
        0xFF, 0x1F, FIELD2, 0xFF, 0 \
    }
#define USAGE_RANGE_10(byte1)                 \
    {                                         \
        0xFF, byte1, FIELD4, GROUP, FIELD2, 0 \
    }
#define USAGE_RANGE_12(byte1)                 \
    {                                         \
        0xFF, byte1, FIELD4, FIELD4, GROUP, 0 \
    }
#define USAGE_RANGE_16(byte1)                 \
    {                                         \
        0xFF, byte1, FIELD8, FIELD4, GROUP, 0 \
    }
#define USAGE_SELECT_10(byte1, byte2, byte3)          \
    {                                                 \
        0xFF, byte1, byte2, byte3, 0, 0, 0, FIELD2, 0 \
    }
#define USAGE_REPORT(byte1, byte2)                \
    {                                             \
        0xFF, byte1, byte2, 0, 0, 0, FIELD4, 0, 0 \
    }

/* A command without a range. */
#define PLAIN(code_, action_, length_, access_, overlap_, flags_, plan_)                         \
    .code = code_, .action = action_, .length = length_, .access = access_, .overlap = overlap_, \
    .flags = flags_, .plan = plan_
/* A read or write of blocks. */
#define BLOCKS(code_, length_, access_, range_, limit_, overlap_, plan_)                         \
    .code = code_, .action = ACTION_NONE, .length = length_, .access = access_, .range = range_, \
    .limit = limit_, .overlap = overlap_, .plan = plan_
#define READS(code_, length_, range_, plan_) \
    BLOCKS(code_, length_, ACCESS_READ, range_, LIMIT_TRANSFER, OVERLAP_READ, plan_)
#define WRITES(code_, length_, range_, limit_, plan_)                           \
    BLOCKS(code_, length_, ACCESS_WRITE, range_, limit_, OVERLAP_WRITE, plan_), \
        .flags = OPCODE_CHANGES
#define PERSISTENT_IN(action_)                                                   \
    {                                                                            \
        PLAIN(0x5E, action_, 10, ACCESS_ALWAYS, OVERLAP_NONE, OPCODE_UNRESERVED, \
              persistent_plan_in),                                               \
            .usage = USAGE_SELECT_10(ACTION_MASK, 0, 0)                          \
    }
/* Reservations by others are judged by the handler. */
#define PERSISTENT_OUT(action_)                                                           \
    {                                                                                     \
        PLAIN(0x5F, action_, 10, ACCESS_ALWAYS, OVERLAP_BARRIER, 0, persistent_plan_out), \
            .usage = {                                                                    \
                0xFF,                                                                     \
                ACTION_MASK,                                                              \
                0xFF,                                                                     \
                0,                                                                        \
                0,                                                                        \
                FIELD4,                                                                   \
                0                                                                         \
            }                                                                             \
    }

#define SANITIZES(action_, plan_)                                                                  \
    {                                                                                              \
        PLAIN(0x48, action_, 10, ACCESS_WRITE, OVERLAP_BARRIER, OPCODE_CHANGES, plan_), .usage = { \
            0xFF,                                                                                  \
            0xA0 | ACTION_MASK,                                                                    \
            0,                                                                                     \
            0,                                                                                     \
            0,                                                                                     \
            0,                                                                                     \
            0,                                                                                     \
            FIELD2,                                                                                \
            0                                                                                      \
        }                                                                                          \
    }

/* Ascending codes, rows of one code together. */
const struct opcode opcode_table[] = {
    {PLAIN(0x00, ACTION_NONE, 6, ACCESS_ALWAYS, OVERLAP_NONE, 0, report_plan_ready),
     .usage = USAGE_6(0, 0, 0, 0)},
    {PLAIN(0x03, ACTION_NONE, 6, ACCESS_ALWAYS, OVERLAP_NONE, ALWAYS_ANSWERED, report_plan_sense),
     .usage = USAGE_6(0x01, 0, 0, 0xFF)},
    {READS(0x08, 6, RANGE_CDB6, medium_plan_read), .usage = USAGE_RANGE_6},
    {WRITES(0x0A, 6, RANGE_CDB6, LIMIT_TRANSFER, medium_plan_write), .usage = USAGE_RANGE_6},
    {PLAIN(0x12, ACTION_NONE, 6, ACCESS_ALWAYS, OVERLAP_NONE, ALWAYS_ANSWERED, inquiry_plan),
     .usage = USAGE_6(0x01, 0xFF, 0xFF, 0xFF)},
    {PLAIN(0x15, ACTION_NONE, 6, ACCESS_WRITE, OVERLAP_BARRIER, 0, mode_plan_select),
     .usage = USAGE_6(0x11, 0, 0, 0xFF)},
    {PLAIN(0x16, ACTION_NONE, 6, ACCESS_ALWAYS, OVERLAP_BARRIER, 0, reserve_plan_reserve),
     .usage = USAGE_6(0, 0, 0, 0)},
    {PLAIN(0x17, ACTION_NONE, 6, ACCESS_ALWAYS, OVERLAP_BARRIER, OPCODE_UNRESERVED,
           reserve_plan_release),
     .usage = USAGE_6(0, 0, 0, 0)},
    {PLAIN(0x1A, ACTION_NONE, 6, ACCESS_READ, OVERLAP_NONE, 0, mode_plan_sense),
     .usage = USAGE_6(0x08, 0xFF, 0xFF, 0xFF)},
    {PLAIN(0x1B, ACTION_NONE, 6, ACCESS_WRITE_STOP, OVERLAP_NONE, 0, medium_plan_start_stop),
     .usage = USAGE_6(0x01, 0, 0x0F, 0xF7)},
    {PLAIN(0x1C, ACTION_NONE, 6, ACCESS_READ, OVERLAP_NONE, 0, diagnostic_plan_receive),
     .usage = USAGE_6(0x01, 0xFF, 0xFF, 0xFF)},
    {PLAIN(0x1D, ACTION_NONE, 6, ACCESS_WRITE, OVERLAP_NONE, 0, diagnostic_plan_send),
     .usage = USAGE_6(0xF7, 0, 0xFF, 0xFF)},
    {PLAIN(0x1E, ACTION_NONE, 6, ACCESS_WRITE_PREVENT, OVERLAP_NONE, 0, report_plan_ready),
     .usage = USAGE_6(0, 0, 0, 0x03)},
    {PLAIN(0x25, ACTION_NONE, 10, ACCESS_ALWAYS, OVERLAP_NONE, OPCODE_UNRESERVED,
           report_plan_capacity10),
     .usage = {0xFF, 0, FIELD4, 0, 0, 0x01, 0}},
    {READS(0x28, 10, RANGE_CDB10, medium_plan_read), .usage = USAGE_RANGE_10(DPO_FUA)},
    {WRITES(0x2A, 10, RANGE_CDB10, LIMIT_TRANSFER, medium_plan_write),
     .usage = USAGE_RANGE_10(DPO_FUA)},
    {WRITES(0x2E, 10, RANGE_CDB10, LIMIT_TRANSFER, medium_plan_write_verify),
     .usage = USAGE_RANGE_10(DPO_BYTCHK)},
    {READS(0x2F, 10, RANGE_CDB10, medium_plan_verify), .usage = USAGE_RANGE_10(DPO_BYTCHK)},
    {BLOCKS(0x34, 10, ACCESS_READ, RANGE_REST10, LIMIT_NONE, OVERLAP_NONE, medium_plan_prefetch),
     .usage = USAGE_RANGE_10(IMMED)},
    {BLOCKS(0x35, 10, ACCESS_WRITE, RANGE_REST10, LIMIT_NONE, OVERLAP_NONE, medium_plan_flush),
     .usage = USAGE_RANGE_10(SYNC)},
    {PLAIN(0x37, ACTION_NONE, 10, ACCESS_READ, OVERLAP_NONE, 0, diagnostic_plan_defects10),
     .usage = USAGE_SELECT_10(0, 0x1F, 0)},
    {WRITES(0x41, 10, RANGE_REST10, LIMIT_SAME, medium_plan_write_same),
     .usage = USAGE_RANGE_10(0x08)},
    {WRITES(0x42, 10, RANGE_WHOLE, LIMIT_NONE, medium_plan_unmap),
     .usage = {0xFF, 0, 0, 0, 0, 0, GROUP, FIELD2, 0}},
    SANITIZES(0x01, sanitize_plan_overwrite),
    SANITIZES(0x02, sanitize_plan_erase),
    SANITIZES(0x1F, sanitize_plan_exit),
    {PLAIN(0x4D, ACTION_NONE, 10, ACCESS_ALWAYS, OVERLAP_NONE, OPCODE_SANITIZING, log_plan_sense),
     .usage = {0xFF, 0, 0xFF, 0xFF, 0, FIELD2, FIELD2, 0}},
    {PLAIN(0x55, ACTION_NONE, 10, ACCESS_WRITE, OVERLAP_BARRIER, 0, mode_plan_select),
     .usage = USAGE_SELECT_10(0x11, 0, 0)},
    {PLAIN(0x56, ACTION_NONE, 10, ACCESS_ALWAYS, OVERLAP_BARRIER, 0, reserve_plan_reserve),
     .usage = {0xFF}},
    {PLAIN(0x57, ACTION_NONE, 10, ACCESS_ALWAYS, OVERLAP_BARRIER, OPCODE_UNRESERVED,
           reserve_plan_release),
     .usage = {0xFF}},
    {PLAIN(0x5A, ACTION_NONE, 10, ACCESS_READ, OVERLAP_NONE, 0, mode_plan_sense),
     .usage = USAGE_SELECT_10(0x18, 0xFF, 0xFF)},
    PERSISTENT_IN(PERSISTENT_READ_KEYS),
    PERSISTENT_IN(PERSISTENT_READ_RESERVATION),
    PERSISTENT_IN(PERSISTENT_REPORT_CAPABILITIES),
    PERSISTENT_IN(PERSISTENT_READ_FULL_STATUS),
    PERSISTENT_OUT(PERSISTENT_REGISTER),
    PERSISTENT_OUT(PERSISTENT_RESERVE),
    PERSISTENT_OUT(PERSISTENT_RELEASE),
    PERSISTENT_OUT(PERSISTENT_CLEAR),
    PERSISTENT_OUT(PERSISTENT_PREEMPT),
    PERSISTENT_OUT(PERSISTENT_PREEMPT_AND_ABORT),
    PERSISTENT_OUT(PERSISTENT_REGISTER_AND_IGNORE),
    PERSISTENT_OUT(PERSISTENT_REGISTER_AND_MOVE),
    {BLOCKS(0x83, 16, ACCESS_WRITE, RANGE_WHOLE, LIMIT_NONE, OVERLAP_WRITE, copy_plan),
     .usage = {0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, FIELD4, 0, 0}},
    {PLAIN(0x84, COPY_STATUS, 16, ACCESS_READ, OVERLAP_BARRIER, 0, copy_plan_status),
     .usage = {0xFF, ACTION_MASK, 0xFF, 0, 0, 0, 0, 0, 0, 0, FIELD4, 0, 0}},
    {PLAIN(0x84, COPY_PARAMETERS, 16, ACCESS_READ, OVERLAP_NONE, 0, copy_plan_parameters),
     .usage = {0xFF, ACTION_MASK, 0, 0, 0, 0, 0, 0, 0, 0, FIELD4, 0, 0}},
    {READS(0x88, 16, RANGE_CDB16, medium_plan_read), .usage = USAGE_RANGE_16(DPO_FUA)},
    {WRITES(0x89, 16, RANGE_COMPARE, LIMIT_COMPARE, medium_plan_compare_write),
     .usage = {0xFF, DPO_FUA, FIELD8, 0, 0, 0, 0xFF, GROUP, 0}},
    {WRITES(0x8A, 16, RANGE_CDB16, LIMIT_TRANSFER, medium_plan_write),
     .usage = USAGE_RANGE_16(DPO_FUA)},
    {WRITES(0x8B, 16, RANGE_CDB16, LIMIT_TRANSFER, medium_plan_or_write),
     .usage = USAGE_RANGE_16(DPO_FUA)},
    {WRITES(0x8E, 16, RANGE_CDB16, LIMIT_TRANSFER, medium_plan_write_verify),
     .usage = USAGE_RANGE_16(DPO_BYTCHK)},
    {READS(0x8F, 16, RANGE_CDB16, medium_plan_verify), .usage = USAGE_RANGE_16(DPO_BYTCHK)},
    {BLOCKS(0x90, 16, ACCESS_READ, RANGE_REST16, LIMIT_NONE, OVERLAP_NONE, medium_plan_prefetch),
     .usage = USAGE_RANGE_16(IMMED)},
    {BLOCKS(0x91, 16, ACCESS_WRITE, RANGE_REST16, LIMIT_NONE, OVERLAP_NONE, medium_plan_flush),
     .usage = USAGE_RANGE_16(SYNC)},
    {WRITES(0x93, 16, RANGE_REST16, LIMIT_SAME, medium_plan_write_same),
     .usage = USAGE_RANGE_16(0x09)},
    {WRITES(0x9C, 16, RANGE_ATOMIC, LIMIT_ATOMIC, medium_plan_write_atomic),
     .usage = {0xFF, DPO_FUA, FIELD8, 0, 0, FIELD2, GROUP, 0}},
    {PLAIN(0x9E, 0x10, 16, ACCESS_ALWAYS, OVERLAP_NONE, OPCODE_UNRESERVED, report_plan_capacity16),
     .usage = {0xFF, ACTION_MASK, FIELD8, FIELD4, 0x01, 0}},
    {PLAIN(0x9E, 0x12, 16, ACCESS_READ, OVERLAP_NONE, 0, medium_plan_lba_status),
     .range = RANGE_LBA16, .usage = {0xFF, ACTION_MASK, FIELD8, FIELD4, 0, 0}},
    {PLAIN(0xA0, ACTION_NONE, 12, ACCESS_ALWAYS, OVERLAP_NONE, ALWAYS_ANSWERED, report_plan_luns),
     .usage = USAGE_REPORT(0, 0xFF)},
    {PLAIN(0xA3, 0x0A, 12, ACCESS_ALWAYS, OVERLAP_NONE, OPCODE_UNRESERVED | OPCODE_SANITIZING,
           report_plan_target_port_groups),
     .usage = USAGE_REPORT(0xE0 | ACTION_MASK, 0)},
    {PLAIN(0xA3, 0x0C, 12, ACCESS_READ, OVERLAP_NONE, OPCODE_UNRESERVED | OPCODE_SANITIZING,
           report_plan_opcodes),
     .usage = {0xFF, ACTION_MASK, 0x87, 0xFF, FIELD2, FIELD4, 0, 0}},
    {PLAIN(0xA3, 0x0D, 12, ACCESS_READ, OVERLAP_NONE, OPCODE_UNRESERVED | OPCODE_SANITIZING,
           report_plan_task_functions),
     .usage = USAGE_REPORT(ACTION_MASK, 0x80)},
    {READS(0xA8, 12, RANGE_CDB12, medium_plan_read), .usage = USAGE_RANGE_12(DPO_FUA)},
    {WRITES(0xAA, 12, RANGE_CDB12, LIMIT_TRANSFER, medium_plan_write),
     .usage = USAGE_RANGE_12(DPO_FUA)},
    {WRITES(0xAE, 12, RANGE_CDB12, LIMIT_TRANSFER, medium_plan_write_verify),
     .usage = USAGE_RANGE_12(DPO_BYTCHK)},
    {READS(0xAF, 12, RANGE_CDB12, medium_plan_verify), .usage = USAGE_RANGE_12(DPO_BYTCHK)},
    {PLAIN(0xB7, ACTION_NONE, 12, ACCESS_READ, OVERLAP_NONE, 0, diagnostic_plan_defects12),
     .usage = {0xFF, 0x1F, FIELD4, FIELD4, 0, 0}},
};

enum { OPCODE_ROWS = sizeof opcode_table / sizeof opcode_table[0], ROW_NONE = 0xFF };

uint32_t opcode_count(void)
{
    return OPCODE_ROWS;
}

void opcode_index(struct scsi_server *server)
{
    must(OPCODE_ROWS < ROW_NONE);
    memset(server->first_row, ROW_NONE, sizeof server->first_row);
    for (int i = OPCODE_ROWS - 1; i >= 0; i--) {
        must(i == 0 || opcode_table[i - 1].code <= opcode_table[i].code);
        server->first_row[opcode_table[i].code] = (uint8_t)i;
    }
}

const struct opcode *opcode_first(const struct scsi_server *server, uint8_t code)
{
    uint8_t row = server->first_row[code];
    return row == ROW_NONE ? NULL : &opcode_table[row];
}

const struct opcode *opcode_find(const struct scsi_server *server, const uint8_t *cdb, bool *known)
{
    const struct opcode *o = opcode_first(server, cdb[0]);
    *known = o != NULL;
    for (; o && o < opcode_table + OPCODE_ROWS && o->code == cdb[0]; o++)
        if (o->action == ACTION_NONE || o->action == (cdb[1] & ACTION_MASK))
            return o;
    return NULL;
}

int opcode_unknown_bits(const struct opcode *o, const uint8_t *cdb)
{
    for (int i = 1; i < o->length; i++)
        if (cdb[i] & ~o->usage[i])
            return i;
    return -1;
}

/* Above all that the array itself allows (docs/PROTOCOL.md, "Limits"): a suspicion, a claim, a
 * fence and a drive's last try, one after the other; and the work itself, where it may be much. */
uint32_t opcode_timeout_s(const struct opcode *o)
{
    enum { ANSWER_S = 15, BLOCKS_S = 30, MANY_BLOCKS_S = 60, SANITIZE_S = 24 * 3600 };
    if (o->plan == sanitize_plan_overwrite || o->plan == sanitize_plan_erase)
        return SANITIZE_S;
    bool flushes = o->access == ACCESS_WRITE_STOP;
    switch (o->range) {
    case RANGE_NONE:
        return flushes ? MANY_BLOCKS_S : ANSWER_S;
    case RANGE_LBA16:
        return ANSWER_S;
    case RANGE_CDB6:
    case RANGE_CDB10:
    case RANGE_CDB12:
    case RANGE_CDB16:
    case RANGE_COMPARE:
    case RANGE_ATOMIC:
        return BLOCKS_S;
    case RANGE_REST10:
    case RANGE_REST16:
    case RANGE_WHOLE:
        return MANY_BLOCKS_S;
    }
    return BLOCKS_S;
}
