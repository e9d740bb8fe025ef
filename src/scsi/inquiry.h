/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_INQUIRY_H
#define SEGUE_SCSI_INQUIRY_H

#include "scsi/state.h"

/* INQUIRY: standard data and vital product data pages. */
void inquiry_plan(const struct scsi_request *r, struct scsi_plan *plan);

#endif
