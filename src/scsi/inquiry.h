/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_INQUIRY_H
#define SEGUE_SCSI_INQUIRY_H

#include "scsi/state.h"

/* INQUIRY: standard data and vital product data pages. */
/* Is that one of the volume's own designators of page 83? `type`: with the association. */
bool inquiry_is_named(const struct volume_info *info, uint8_t code_set, uint8_t type,
                      const uint8_t *designator, uint8_t length);
void inquiry_plan(const struct scsi_request *r, struct scsi_plan *plan);

#endif
