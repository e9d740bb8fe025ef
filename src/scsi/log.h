/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_LOG_H
#define SEGUE_SCSI_LOG_H

#include "scsi/state.h"

/* LOG SENSE. */
void log_plan_sense(const struct scsi_request *r, struct scsi_plan *plan);

#endif
