/* SPDX-License-Identifier: Apache-2.0 */
/* A link's bytes: prefix, head. What decodes must encode again. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint32_t head_length, payload_length;
    if (length < FRAME_PREFIX_BYTES || !frame_prefix_get(bytes, &head_length, &payload_length))
        return 0;
    if (length - FRAME_PREFIX_BYTES < head_length)
        return 0;
    struct message message;
    uint8_t head[FRAME_HEAD_MAX];
    if (!frame_decode(bytes + FRAME_PREFIX_BYTES, head_length, payload_length, &message))
        return 0;
    message.payload.length = payload_length;
    if (frame_encode(&message, head) != head_length)
        abort();
    return 0;
}

size_t fuzz_sample(uint64_t number, uint8_t *out, size_t capacity)
{
    if (capacity < FRAME_PREFIX_BYTES + FRAME_HEAD_MAX)
        return 0;
    struct message message = {.kind = (uint8_t)(1 + number % (MESSAGE_KINDS - 1))};
    message.from = port_unit(0, 0);
    message.to = number / MESSAGE_KINDS % 2 ? port_loop(1) : port_switch(1);
    if (message.kind == MESSAGE_COMMAND)
        message.to = port_unit(1, 1);
    if (message.kind == MESSAGE_DRIVE_COMMAND)
        message.drive.op = (uint8_t)(number / MESSAGE_KINDS % (DRIVE_FLUSH + 1));
    uint32_t head_length = frame_encode(&message, out + FRAME_PREFIX_BYTES);
    frame_prefix_put(out, head_length, 0);
    return FRAME_PREFIX_BYTES + head_length;
}
