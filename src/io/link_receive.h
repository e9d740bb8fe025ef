/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_LINK_RECEIVE_H
#define SEGUE_IO_LINK_RECEIVE_H

/* Cuts the bytes of a link into messages. Bytes come from outside: nothing in them is believed
 * before it was checked. */

#include "command/actor.h"
#include "wire/frame.h"

struct link_receive {
    /* bytes that were received and not looked at yet; borrowed from the stream */
    const uint8_t *bytes;
    uint32_t left;
    /* the frame under way */
    uint8_t head[FRAME_PREFIX_BYTES + FRAME_HEAD_MAX];
    uint32_t head_have, head_length, payload_length;
    bool decoded; /* `message` is complete but for its payload */
    struct message message;
    struct buffer *payload;
    uint32_t payload_have;
};

enum link_receive_result {
    LINK_RECEIVE_MORE,      /* all bytes are used; more are needed */
    LINK_RECEIVE_MESSAGE,   /* `out`; the payload's reference is the caller's */
    LINK_RECEIVE_NO_BUFFER, /* no room for the payload now: try again */
    LINK_RECEIVE_BAD,       /* no frame: the link cannot be understood any more */
};

/* Forgets everything, a payload under way too. */
void link_receive_reset(struct link_receive *r);
/* What the stream received: first `sunk` bytes into the sink, then these. All earlier bytes must
 * have been used. */
void link_receive_bytes(struct link_receive *r, uint32_t sunk, const uint8_t *bytes,
                        uint32_t length);
enum link_receive_result link_receive_next(struct link_receive *r, struct buffer_pool *buffers,
                                           struct message *out);
/* Where the next bytes belong: the rest of a payload. */
struct sink link_receive_sink(const struct link_receive *r);

#endif
