/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_DIAGNOSTIC_H
#define SEGUE_SCSI_DIAGNOSTIC_H

/* Self-tests, diagnostic pages and defect lists: a volume has no parts of which these could tell
 * more. Drives have; segue status shows them. */

#include "scsi/state.h"

void diagnostic_plan_send(const struct scsi_request *r, struct scsi_plan *plan);
void diagnostic_plan_receive(const struct scsi_request *r, struct scsi_plan *plan);
void diagnostic_plan_defects10(const struct scsi_request *r, struct scsi_plan *plan);
void diagnostic_plan_defects12(const struct scsi_request *r, struct scsi_plan *plan);

#endif
