/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_MEDIUM_H
#define SEGUE_SCSI_MEDIUM_H

/* Commands that move or change blocks. */

#include "scsi/opcodes.h"
#include "scsi/sense.h"

/* Limits of one command: advertised in page B0, enforced by medium_check. */
enum {
    MEDIUM_SAME_BLOCKS_MAX = 65535,    /* WRITE SAME */
    MEDIUM_UNMAP_BYTES_MAX = 64 << 20, /* UNMAP, all ranges together */
    MEDIUM_UNMAP_RANGES_MAX = 32,
};
uint32_t medium_transfer_max(const struct volume_info *info); /* blocks */
uint32_t medium_compare_max(const struct volume_info *info);
uint32_t medium_same_max(const struct volume_info *info);
uint32_t medium_unmap_max(const struct volume_info *info);

/* The range that the CDB names, up to the end where it says so; false: beyond the volume. */
bool medium_range(const struct opcode *o, const uint8_t *cdb, const struct volume_info *info,
                  uint64_t *lba, uint64_t *blocks);
/* Range, limit of the row, write protection; fills r->lba, r->blocks. SENSE_NONE: all right. */
enum sense_code medium_check(struct scsi_request *r);

void medium_plan_read(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_write(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_write_atomic(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_or_write(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_write_verify(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_verify(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_prefetch(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_flush(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_start_stop(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_compare_write(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_write_same(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_unmap(const struct scsi_request *r, struct scsi_plan *plan);
void medium_plan_lba_status(const struct scsi_request *r, struct scsi_plan *plan);

#endif
