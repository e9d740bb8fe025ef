/* SPDX-License-Identifier: Apache-2.0 */
#include "io/link_receive.h"

#include "base/bytes.h"
#include "base/must.h"

void link_receive_reset(struct link_receive *r)
{
    buffer_unref(r->payload);
    r->payload = NULL;
    r->bytes = NULL;
    r->left = r->head_have = r->payload_have = 0;
    r->decoded = false;
}

void link_receive_bytes(struct link_receive *r, uint32_t sunk, const uint8_t *bytes,
                        uint32_t length)
{
    must(r->left == 0);
    if (sunk) {
        must(r->payload && r->payload_have + sunk <= r->payload_length);
        r->payload_have += sunk;
    }
    r->bytes = bytes;
    r->left = length;
}

static void copy(struct link_receive *r, uint8_t *to, uint32_t length)
{
    memcpy(to, r->bytes, length);
    r->bytes += length;
    r->left -= length;
}

/* Gathers head bytes up to `want`; false: there are not so many yet. */
static bool gather_head(struct link_receive *r, uint32_t want)
{
    uint32_t lacking = want - r->head_have;
    uint32_t length = lacking < r->left ? lacking : r->left;
    copy(r, r->head + r->head_have, length);
    r->head_have += length;
    return r->head_have == want;
}

static enum link_receive_result decode_head(struct link_receive *r)
{
    if (r->head_have < FRAME_PREFIX_BYTES) {
        if (!gather_head(r, FRAME_PREFIX_BYTES))
            return LINK_RECEIVE_MORE;
        if (!frame_prefix_get(r->head, &r->head_length, &r->payload_length))
            return LINK_RECEIVE_BAD;
    }
    if (!gather_head(r, FRAME_PREFIX_BYTES + r->head_length))
        return LINK_RECEIVE_MORE;
    if (!frame_decode(r->head + FRAME_PREFIX_BYTES, r->head_length, r->payload_length, &r->message))
        return LINK_RECEIVE_BAD;
    r->decoded = true;
    return LINK_RECEIVE_MESSAGE;
}

enum link_receive_result link_receive_next(struct link_receive *r, struct buffer_pool *buffers,
                                           struct message *out)
{
    if (!r->decoded) {
        enum link_receive_result result = decode_head(r);
        if (result != LINK_RECEIVE_MESSAGE)
            return result;
    }
    if (r->payload_length && !r->payload) {
        r->payload = buffer_get(buffers, r->payload_length);
        if (!r->payload)
            return LINK_RECEIVE_NO_BUFFER;
    }
    uint32_t lacking = r->payload_length - r->payload_have;
    uint32_t length = lacking < r->left ? lacking : r->left;
    if (length) {
        copy(r, r->payload->data + r->payload_have, length);
        r->payload_have += length;
    }
    if (length < lacking)
        return LINK_RECEIVE_MORE;
    *out = r->message;
    out->payload = r->payload ? slice_of(r->payload, 0, r->payload_length) : slice_none();
    r->payload = NULL;
    r->payload_have = r->head_have = 0;
    r->decoded = false;
    return LINK_RECEIVE_MESSAGE;
}

struct sink link_receive_sink(const struct link_receive *r)
{
    if (!r->payload || r->payload_have == r->payload_length)
        return (struct sink){0};
    return (struct sink){r->payload, r->payload_have, r->payload_length - r->payload_have};
}
