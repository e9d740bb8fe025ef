/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture.h"

#include <time.h>

#include "base/bytes.h"
#include "base/must.h"
#include "wire/frame.h"

bool capture_begin(struct node *node, uint32_t stream, const struct part *part)
{
    if (node->captures == NODE_CAPTURE_MAX)
        return false;
    node->capture[node->captures++] = (struct node_capture){.stream = stream, .part = part};
    return true;
}

static void forget(struct node *node, struct node_capture *capture)
{
    *capture = node->capture[--node->captures];
}

static uint64_t time_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* False: it is the asker's fault that it misses this one. */
static bool say(struct node *node, struct node_capture *capture, const uint8_t *frame,
                uint32_t length, struct slice payload, bool out)
{
    struct streams *streams = loop_streams(node->loop);
    uint8_t head[CAPTURE_HEADER_BYTES + FRAME_HEAD_MAX];
    uint32_t original = length + payload.length;
    if (payload.length > CAPTURE_BYTES_MAX - length)
        payload.length = CAPTURE_BYTES_MAX - length;
    struct cursor c = cursor_of(head, sizeof head);
    cursor_put32(&c, length + payload.length);
    cursor_put32(&c, original);
    cursor_put64(&c, time_ns());
    cursor_put64(&c, out ? 2 : 1);
    cursor_put64(&c, capture->missed);
    cursor_put_bytes(&c, frame, length);
    must(!c.failed);
    if (streams_queued_bytes(streams, capture->stream) + length + payload.length >
        CAPTURE_QUEUE_BYTES)
        return false;
    return streams_send(streams, capture->stream, head, CAPTURE_HEADER_BYTES + length,
                        payload.length ? slice_ref(payload) : slice_none(), 0);
}

bool capture_end(struct node *node, uint32_t stream)
{
    for (uint8_t i = 0; i < node->captures; i++) {
        struct node_capture *capture = &node->capture[i];
        if (capture->stream != stream)
            continue;
        say(node, capture, NULL, 0, slice_none(), false);
        forget(node, capture);
        return true;
    }
    return false;
}

void capture_message(struct node *node, const struct part *part, const struct message *message,
                     bool out)
{
    uint8_t frame[FRAME_HEAD_MAX];
    uint32_t length = 0;
    for (uint8_t i = 0; i < node->captures; i++) {
        struct node_capture *capture = &node->capture[i];
        if (capture->part != part)
            continue;
        if (!streams_is_open(loop_streams(node->loop), capture->stream)) {
            forget(node, capture);
            i--;
            continue;
        }
        if (length == 0)
            length = frame_encode(message, frame);
        if (!say(node, capture, frame, length, message->payload, out))
            capture->missed++;
    }
}
