/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_METER_H
#define SEGUE_ISWITCH_METER_H

/* What hosts see of each volume through this switch: how long commands took, from the arrival of
 * their last byte to the last of the answer, takeovers and resends included. */

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

struct iswitch;
struct task;

enum meter_op { METER_READ, METER_WRITE, METER_FLUSH, METER_OTHER, METER_OPS };
/* Answers that hosts have not asked for; what they did wrong themselves is none. */
enum meter_error { METER_MEDIUM, METER_HARDWARE, METER_ABORTED, METER_BUSY, METER_ERRORS };

struct meter {
    struct histogram took[METER_OPS];
    uint64_t read_bytes, written_bytes, error[METER_ERRORS];
};

/* Of the volume of a group; NULL: no host has used it. */
const struct meter *iswitch_meter(const struct iswitch *x, uint8_t group, uint16_t volume);
/* The task has been answered, with so many bytes of data in. */
void meter_count(struct iswitch *x, const struct task *task, uint32_t data_in);

#endif
