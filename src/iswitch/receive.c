/* SPDX-License-Identifier: Apache-2.0 */

/* A host's bytes, cut into PDUs. A PDU's header is taken as soon as it is complete (pdu_begin),
 * which says where its data segment shall land; large segments are then received there by the world
 * itself (iswitch_sink). What comes while a PDU cannot be taken for lack of room is held here, and
 * the stream is paused. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

void receive_clear(struct connection *c)
{
    struct receive *r = &c->receive;
    buffer_unref(r->buffer);
    buffer_unref(r->replay);
    memset(r, 0, offsetof(struct receive, header));
    r->phase = RECEIVE_PHASE_HEADER;
    r->want = ISCSI_BHS_BYTES;
    r->data_length = r->data_have = 0;
    r->place = RECEIVE_PLACE_NOWHERE;
    r->buffer = r->replay = NULL;
    r->act = r->damaged = r->keep = r->replayed = false;
    r->task = NULL;
}

void receive_into_text(struct connection *c)
{
    c->receive.place = RECEIVE_PLACE_TEXT;
    c->receive.offset = c->text_length;
    must(c->text_length + c->receive.data_length <= TEXT_BYTES);
}

void receive_into_buffer(struct connection *c, struct buffer *buffer, uint32_t offset)
{
    c->receive.place = RECEIVE_PLACE_BUFFER;
    c->receive.buffer = buffer_ref(buffer);
    c->receive.offset = offset;
    must(offset + c->receive.data_length <= buffer->capacity);
}

void receive_for_task(struct connection *c, struct task *task)
{
    c->receive.task = task;
    c->receive.task_generation = task->generation;
}

struct task *receive_task(const struct connection *c)
{
    struct task *task = c->receive.task;
    if (!task || task->state == TASK_STATE_FREE || task->generation != c->receive.task_generation)
        return NULL;
    return task;
}

struct sink iswitch_sink(const struct iswitch *x, uint32_t stream)
{
    const struct connection *c = connection_find(x, stream);
    if (!c || c->receive.phase != RECEIVE_PHASE_DATA || c->receive.place != RECEIVE_PLACE_BUFFER ||
        list_linked(&c->stalled))
        return (struct sink){0};
    const struct receive *r = &c->receive;
    return (struct sink){r->buffer, r->offset + r->data_have, r->data_length - r->data_have};
}

static bool digest_of_header(const struct connection *c)
{
    return c->state >= CONNECTION_STATE_FULL && c->parameters.header_digest == DIGEST_CRC32C;
}
static bool digest_of_data(const struct connection *c)
{
    return c->state >= CONNECTION_STATE_FULL && c->parameters.data_digest == DIGEST_CRC32C;
}

/* Takes what is wanted of the bytes. Returns how many. */
static uint32_t take(uint8_t *out, uint32_t *have, uint32_t want, const uint8_t *bytes,
                     uint32_t length)
{
    uint32_t part = want - *have < length ? want - *have : length;
    if (part > 0)
        memcpy(out + *have, bytes, part);
    *have += part;
    return part;
}

/* The header, as far as it is there, is complete: what it says of lengths. False: closed. */
static bool header_complete(struct iswitch *x, struct connection *c)
{
    struct receive *r = &c->receive;
    uint32_t length = ISCSI_BHS_BYTES + 4u * r->header[4];
    uint32_t digest = digest_of_header(c) ? ISCSI_DIGEST_BYTES : 0;
    if (r->want < length + digest) {
        r->want = length + digest;
        return true;
    }
    if (digest > 0) {
        uint8_t expected[ISCSI_DIGEST_BYTES];
        iscsi_digest_put(expected, iscsi_digest(ISCSI_DIGEST_BEGIN, r->header, length));
        if (memcmp(expected, r->header + length, digest) != 0) {
            connection_close(x, c, "header digest error");
            return false;
        }
    }
    r->data_length = be24_at(r->header + 5);
    uint32_t limit = c->declared ? OUR_SEGMENT_MAX : DEFAULT_SEGMENT_MAX;
    if (r->data_length > limit) {
        connection_close(x, c, "data segment longer than MaxRecvDataSegmentLength");
        return false;
    }
    r->data_have = 0;
    r->digest = ISCSI_DIGEST_BEGIN;
    r->phase = RECEIVE_PHASE_BEGIN;
    return true;
}

/* So many bytes of the data segment are where they shall be. */
static void data_came(struct connection *c, const uint8_t *bytes, uint32_t length)
{
    if (digest_of_data(c))
        c->receive.digest = iscsi_digest(c->receive.digest, bytes, length);
    c->receive.data_have += length;
}

static uint32_t take_data(struct connection *c, const uint8_t *bytes, uint32_t length)
{
    struct receive *r = &c->receive;
    uint32_t part = r->data_length - r->data_have;
    if (part > length)
        part = length;
    if (part > 0) {
        if (r->place == RECEIVE_PLACE_TEXT)
            memcpy(c->text + r->offset + r->data_have, bytes, part);
        else if (r->place == RECEIVE_PLACE_BUFFER)
            memcpy(r->buffer->data + r->offset + r->data_have, bytes, part);
        data_came(c, bytes, part);
    }
    if (r->data_have == r->data_length) {
        r->phase = RECEIVE_PHASE_TAIL;
        r->have = 0;
        r->want = r->replayed ? 0 : iscsi_pad(r->data_length);
        if (!r->replayed && r->data_length > 0 && digest_of_data(c))
            r->want += ISCSI_DIGEST_BYTES;
    }
    return part;
}

static void tail_complete(struct iswitch *x, struct connection *c)
{
    struct receive *r = &c->receive;
    uint32_t pad = iscsi_pad(r->data_length);
    if (!r->replayed && r->want > pad) {
        uint8_t expected[ISCSI_DIGEST_BYTES];
        iscsi_digest_put(expected, iscsi_digest(r->digest, r->tail, pad));
        if (memcmp(expected, r->tail + pad, sizeof expected) != 0) {
            r->damaged = true;
            trace_info(x->trace, "host %s: %s with a data digest error", c->peer,
                       iscsi_opcode_name(r->header[0]));
        }
    }
    if (r->act && r->damaged)
        pdu_damaged(x, c);
    else if (r->act)
        pdu_end(x, c);
    if (connection_is_open(c))
        receive_clear(c);
}

static void stall(struct iswitch *x, struct connection *c)
{
    list_append(&x->stalled, &c->stalled);
    if (c->paused)
        return;
    c->paused = true;
    c->paused_ns = x->now_ns;
    actions_add(x->actions, ACTION_STREAM_PAUSE)->stream.stream = c->stream;
}

/* One step of the parser: false when it needs more bytes, stalls or is closed. */
static bool advance(struct iswitch *x, struct connection *c, const uint8_t *bytes, uint32_t length,
                    uint32_t *used)
{
    struct receive *r = &c->receive;
    switch (r->phase) {
    case RECEIVE_PHASE_HEADER:
        if (r->have == 0 && early_replay(x, c))
            return true;
        *used = take(r->header, &r->have, r->want, bytes, length);
        return r->have == r->want && header_complete(x, c);
    case RECEIVE_PHASE_BEGIN: {
        bool room = iswitch_has_room(x) && !connection_is_full(c, 2);
        enum verdict verdict = room ? pdu_begin(x, c) : VERDICT_STALL;
        if (!connection_is_open(c))
            return false;
        if (verdict == VERDICT_STALL) {
            x->more = x->more || !iswitch_has_room(x);
            stall(x, c);
            return false;
        }
        r->act = verdict == VERDICT_TAKE;
        r->phase = RECEIVE_PHASE_DATA;
        return true;
    }
    case RECEIVE_PHASE_DATA:
        if (r->replayed)
            take_data(c, r->replay ? r->replay->data : NULL, r->data_length);
        else
            *used = take_data(c, bytes, length);
        return r->phase == RECEIVE_PHASE_TAIL;
    case RECEIVE_PHASE_TAIL:
        *used = take(r->tail, &r->have, r->want, bytes, length);
        if (r->have < r->want)
            return false;
        tail_complete(x, c);
        return connection_is_open(c);
    }
    return false;
}

/* Returns how many bytes were taken: all, unless it stalls or is closed. */
static uint32_t parse(struct iswitch *x, struct connection *c, const uint8_t *bytes,
                      uint32_t length)
{
    uint32_t taken = 0, used;
    bool more = true;
    while (more) {
        used = 0;
        more = advance(x, c, bytes + taken, length - taken, &used);
        taken += used;
    }
    return taken;
}

static void hold(struct iswitch *x, struct connection *c, const uint8_t *bytes, uint32_t length)
{
    if (length == 0)
        return;
    if (c->hold_length + length > STREAM_HOLD_BYTES) {
        connection_close(x, c, "more bytes than can be held while it is paused");
        return;
    }
    if (c->hold_length == 0)
        c->hold_ns = x->now_ns;
    memcpy(c->hold + c->hold_length, bytes, length);
    c->hold_length += length;
}

/* What lay in a socket for we do not know how long proves nothing of the host; nor does what comes
 * while the answers to pings do not: it may have left the host as long ago as the last ping that it
 * answered, and the host may have gone on by another path since. */
static void consider_delay(struct iswitch *x, struct connection *c, bool late)
{
    uint64_t limit_ns = x->config.sender.limits.nop_ns;
    if (late)
        nop_doubt(x, c, x->now_ns);
    else if ((x->now_ns - c->heard_ns > limit_ns || x->now_ns - c->proof_ns > limit_ns) &&
             !mutant(MUTANT_SILENCE_FRESH))
        nop_doubt(x, c, x->now_ns - iswitch_stale_ns(x) / 2);
    c->heard_ns = x->now_ns;
}

void receive_event(struct iswitch *x, struct connection *c, const struct event *event)
{
    const uint8_t *bytes = event->stream.bytes;
    uint32_t length = event->stream.length, sunk = event->stream.sunk;
    consider_delay(x, c, event->stream.late);
    c->arrival_ns = x->now_ns;
    if (sunk > 0) {
        struct receive *r = &c->receive;
        must(r->phase == RECEIVE_PHASE_DATA && r->place == RECEIVE_PLACE_BUFFER);
        must(sunk <= r->data_length - r->data_have);
        data_came(c, r->buffer->data + r->offset + r->data_have, sunk);
    }
    uint32_t taken = list_linked(&c->stalled) ? 0 : parse(x, c, bytes, length);
    if (connection_is_open(c))
        hold(x, c, bytes + taken, length - taken);
}

void receive_retry(struct iswitch *x, struct connection *c)
{
    list_remove(&c->stalled);
    c->arrival_ns = c->hold_length > 0 ? c->hold_ns : x->now_ns;
    uint32_t taken = parse(x, c, c->hold, c->hold_length);
    if (!connection_is_open(c))
        return;
    memmove(c->hold, c->hold + taken, c->hold_length - taken);
    c->hold_length -= taken;
    if (list_linked(&c->stalled))
        return;
    if (x->now_ns - c->paused_ns > iswitch_stale_ns(x) / 2)
        nop_doubt(x, c, x->now_ns);
    c->heard_ns = c->resumed_ns = x->now_ns;
    c->paused = false;
    actions_add(x->actions, ACTION_STREAM_RESUME)->stream.stream = c->stream;
}
