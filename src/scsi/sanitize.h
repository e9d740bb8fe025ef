/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_SANITIZE_H
#define SEGUE_SCSI_SANITIZE_H

/* SANITIZE (SBC-4 4.11, 5.33): what a volume is told to forget, and how far that is. The operation
 * is state of the volume, replicated and saved: it goes on whoever leads, and after a loss of
 * power. */

#include "scsi/state.h"

void sanitize_plan_overwrite(const struct scsi_request *r, struct scsi_plan *plan);
void sanitize_plan_erase(const struct scsi_request *r, struct scsi_plan *plan);
void sanitize_plan_exit(const struct scsi_request *r, struct scsi_plan *plan);

/* What the operation says to every command but a few. True: that was the answer. */
bool sanitize_refused(const struct scsi_request *r, struct scsi_plan *plan);
/* REQUEST SENSE: key, code and progress, if there is something to tell. */
bool sanitize_sense(const struct scsi_request *r, uint8_t *sense);

/* Effects (effect.c). */
void sanitize_begin(struct scsi_state *state, uint16_t volume, uint8_t flags, uint64_t passes);
void sanitize_pattern(struct scsi_state *state, uint16_t volume, uint64_t at, const uint8_t *bytes,
                      uint8_t length);
void sanitize_progress(struct scsi_state *state, uint16_t volume, uint8_t pass, uint64_t done);
void sanitize_become(struct scsi_state *state, uint16_t volume, uint8_t next);

/* Of a saved state: does it make sense? */
bool sanitize_is_sound(const struct scsi_sanitize *s);

#endif
