/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_COPY_H
#define SEGUE_SCSI_COPY_H

/* EXTENDED COPY (LID1) and RECEIVE COPY RESULTS, SPC-4 6.4 and 6.24: blocks are copied between
 * volumes of the group, or inside one. Source and destination are named by designators of page 83;
 * a volume of another group cannot be reached. */

#include "scsi/opcodes.h"

enum {
    COPY_TARGETS_MAX = 16,
    COPY_SEGMENTS_MAX = 16,
    COPY_SEGMENT_BYTES_MAX = 32 << 20,
    COPY_TARGET_BYTES = 32,
    COPY_SEGMENT_BYTES = 28,
    COPY_LIST_BYTES_MAX =
        COPY_TARGETS_MAX * COPY_TARGET_BYTES + COPY_SEGMENTS_MAX * COPY_SEGMENT_BYTES,
    COPY_TARGET_IDENTIFICATION = 0xE4,
    COPY_SEGMENT_BLOCK_TO_BLOCK = 0x02,
    COPY_STATUS = 0x00, /* service actions of RECEIVE COPY RESULTS */
    COPY_PARAMETERS = 0x03,
};

void copy_plan(const struct scsi_request *r, struct scsi_plan *plan);
void copy_plan_status(const struct scsi_request *r, struct scsi_plan *plan);
void copy_plan_parameters(const struct scsi_request *r, struct scsi_plan *plan);

#endif
