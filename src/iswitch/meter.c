/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/meter.h"

#include "iswitch/iswitch_state.h"

enum { CHECK_CONDITION = 0x02, BUSY = 0x08, TASK_SET_FULL = 0x28 };

static enum meter_op op_of(uint8_t opcode)
{
    switch (opcode) {
    case 0x08: /* READ (6), (10), (12), (16) */
    case 0x28:
    case 0xA8:
    case 0x88:
        return METER_READ;
    case 0x0A: /* WRITE (6), (10), (12), (16), AND VERIFY */
    case 0x2A:
    case 0xAA:
    case 0x8A:
    case 0x2E:
    case 0xAE:
    case 0x8E:
        return METER_WRITE;
    case 0x35: /* SYNCHRONIZE CACHE (10), (16) */
    case 0x91:
        return METER_FLUSH;
    }
    return METER_OTHER;
}

static enum meter_error error_of(const struct task *task)
{
    bool descriptor = (task->sense[0] & 0x7E) == 0x72; /* SPC-4 4.5: the key is elsewhere */
    uint8_t key = task->sense_length > 2 ? task->sense[descriptor ? 1 : 2] & 0x0F : 0;
    if (task->status == BUSY || task->status == TASK_SET_FULL)
        return METER_BUSY;
    if (task->status != CHECK_CONDITION)
        return METER_ERRORS;
    return key == 0x03   ? METER_MEDIUM
           : key == 0x04 ? METER_HARDWARE
           : key == 0x0B ? METER_ABORTED
                         : METER_ERRORS;
}

void meter_count(struct iswitch *x, const struct task *task, uint32_t data_in)
{
    if (task->kind != COMMAND_SCSI || task->sequence == 0 || /* no group has had it */
        task->group >= GROUP_MAX || task->volume >= VOLUME_MAX)
        return;
    struct meter *meter = &x->meter[task->group * VOLUME_MAX + task->volume];
    x->metered[task->group][task->volume / 8] |= (uint8_t)(1u << task->volume % 8);
    uint64_t since = task->proved ? task->came_ns : task->begun_ns;
    enum meter_error error = error_of(task);
    histogram_add(&meter->took[op_of(task->cdb[0])], x->now_ns > since ? x->now_ns - since : 0);
    if (error != METER_ERRORS)
        meter->error[error]++;
    if (task->flags & ISCSI_COMMAND_READ)
        meter->read_bytes += data_in;
    if (task->flags & ISCSI_COMMAND_WRITE)
        meter->written_bytes += task->received;
}

const struct meter *iswitch_meter(const struct iswitch *x, uint8_t group, uint16_t volume)
{
    bool used = x->metered[group][volume / 8] >> volume % 8 & 1;
    return used ? &x->meter[group * VOLUME_MAX + volume] : NULL;
}
