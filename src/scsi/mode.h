/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_MODE_H
#define SEGUE_SCSI_MODE_H

#include "scsi/state.h"

/* MODE SENSE and MODE SELECT, 6 and 10. */
void mode_plan_sense(const struct scsi_request *r, struct scsi_plan *plan);
void mode_plan_select(const struct scsi_request *r, struct scsi_plan *plan);

#endif
