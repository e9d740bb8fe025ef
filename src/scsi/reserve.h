/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_RESERVE_H
#define SEGUE_SCSI_RESERVE_H

#include "scsi/state.h"

/* Does a reservation of another nexus, of either kind, forbid the command? */
bool reserve_conflict(const struct scsi_request *r);
/* The volume is reserved by RESERVE(6): by the command's nexus, by another one. */
bool reserve_is_own(const struct scsi_request *r);
bool reserve_is_other(const struct scsi_request *r);

/* RESERVE(6), RELEASE(6): SPC-2 5.5.1. */
void reserve_plan_reserve(const struct scsi_request *r, struct scsi_plan *plan);
void reserve_plan_release(const struct scsi_request *r, struct scsi_plan *plan);

#endif
