/* SPDX-License-Identifier: Apache-2.0 */

/* Sense data that the switch makes itself, in the format that the volume's D_SENSE asks for (SPC-4
 * 4.5). The mode page is the units' own; each response says which format it is, and the last one
 * holds. */

#include <string.h>

#include "iswitch/iswitch_state.h"

enum {
    FIXED = 0x70,
    FIXED_BYTES = 18,
    DESCRIPTOR = 0x72,
    DESCRIPTOR_BYTES = 8,
};

void sense_note(struct iswitch *x, const struct task *task, const struct response_message *response)
{
    if (task->volume >= VOLUME_MAX || response->withdrawn)
        return;
    uint8_t *byte = &x->descriptors[task->group][task->volume / 8];
    uint8_t bit = (uint8_t)(1u << task->volume % 8);
    *byte = (uint8_t)(response->descriptors ? *byte | bit : *byte & ~bit);
}

static bool wants_descriptors(const struct iswitch *x, const struct task *task)
{
    const struct directory_entry *entry = access_find(x, task->session, task->lun);
    return entry && entry->volume < VOLUME_MAX &&
           x->descriptors[entry->group][entry->volume / 8] >> entry->volume % 8 & 1;
}

void sense_make(const struct iswitch *x, struct task *task, uint8_t key, uint8_t asc, uint8_t ascq)
{
    memset(task->sense, 0, sizeof task->sense);
    if (wants_descriptors(x, task)) {
        task->sense[0] = DESCRIPTOR;
        task->sense[1] = key;
        task->sense[2] = asc;
        task->sense[3] = ascq;
        task->sense_length = DESCRIPTOR_BYTES;
        return;
    }
    task->sense[0] = FIXED;
    task->sense[2] = key;
    task->sense[7] = FIXED_BYTES - 8;
    task->sense[12] = asc;
    task->sense[13] = ascq;
    task->sense_length = FIXED_BYTES;
}

void sense_form(const struct iswitch *x, struct task *task)
{
    if (task->sense_length == FIXED_BYTES && task->sense[0] == FIXED && wants_descriptors(x, task))
        sense_make(x, task, task->sense[2] & 0x0F, task->sense[12], task->sense[13]);
}
