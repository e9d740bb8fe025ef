/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_REPORT_H
#define SEGUE_SCSI_REPORT_H

/* Commands that say what is there: readiness, sense, capacity, logical units, target ports,
 * opcodes. */

#include "scsi/state.h"

void report_plan_ready(const struct scsi_request *r, struct scsi_plan *plan); /* GOOD */
void report_plan_sense(const struct scsi_request *r, struct scsi_plan *plan);
void report_plan_capacity10(const struct scsi_request *r, struct scsi_plan *plan);
void report_plan_capacity16(const struct scsi_request *r, struct scsi_plan *plan);
void report_plan_luns(const struct scsi_request *r, struct scsi_plan *plan);
void report_plan_target_port_groups(const struct scsi_request *r, struct scsi_plan *plan);
void report_plan_opcodes(const struct scsi_request *r, struct scsi_plan *plan);
void report_plan_task_functions(const struct scsi_request *r, struct scsi_plan *plan);

#endif
