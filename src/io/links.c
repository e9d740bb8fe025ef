/* SPDX-License-Identifier: Apache-2.0 */
#include "io/links_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

static const uint64_t no_buffer_retry_ns = 1000000;

/* ---- who lives where ---- */

static int8_t *place_of(struct links *links, port_id port)
{
    int index = port_index(port), sub = port_sub(port) + 1;
    if (port_kind(port) == PORT_KIND_LOOP)
        sub = 0; /* a drive is where its loop switch is */
    if (port_kind(port) == PORT_KIND_NONE || index < 0 || index >= 8 || sub >= 4)
        return NULL;
    return &links->process_of[port_kind(port)][index][sub];
}

int links_process_of(const struct links *links, port_id port)
{
    const int8_t *place = place_of((struct links *)(uintptr_t)links, port);
    return place ? *place : -1;
}

static bool is_known_here(const struct links *links, port_id to)
{
    return port_is_group(to) || links_process_of(links, to) == links->config.self;
}

/* ---- making it ---- */

static int prepare_link(struct links *links, uint8_t process, char *sentence, size_t bytes)
{
    struct link *link = &links->at[process];
    const char *address = links->config.process[process].address;
    link->process = process;
    link->pidfd = -1;
    if (process == links->config.self || !address[0])
        return 0;
    link->used = true;
    return address_parse(address, &link->address, sentence, bytes);
}

struct links *links_new(const struct links_config *config, struct streams *streams,
                        struct ring *ring, struct buffer_pool *buffers, struct trace *trace,
                        char *sentence, size_t sentence_bytes)
{
    struct links *links = calloc(1, sizeof *links);
    if (!links) {
        snprintf(sentence, sentence_bytes, "no memory for the links");
        return NULL;
    }
    links->config = *config;
    links->streams = streams;
    links->ring = ring;
    links->buffers = buffers;
    links->trace = trace;
    memset(links->process_of, -1, sizeof links->process_of);
    for (uint32_t i = 0; i < config->ports; i++) {
        int8_t *place = place_of(links, config->port[i].port);
        must(place != NULL);
        *place = (int8_t)config->port[i].process;
    }
    for (uint8_t i = 0; i < config->processes; i++)
        if (prepare_link(links, i, sentence, sentence_bytes))
            goto failed;
    const char *own = config->process[config->self].address;
    if (own[0] && streams_listen(streams, STREAM_USE_LINK, LINK_PROCESS_MAX, "link", own, NULL, 0,
                                 sentence, sentence_bytes))
        goto failed;
    return links;
failed:
    free(links);
    return NULL;
}

void links_free(struct links *links)
{
    for (uint32_t i = 0; i < LINK_PROCESS_MAX; i++) {
        link_receive_reset(&links->at[i].receive);
        if (links->at[i].used && links->at[i].pidfd >= 0)
            close(links->at[i].pidfd);
    }
    free(links);
}

bool links_is_up(const struct links *links, int process)
{
    return process >= 0 && process < links->config.processes &&
           links->at[process].state == LINK_STATE_UP;
}

void links_describe(const struct links *links, int process, struct link_status *out)
{
    const struct link *link = &links->at[process];
    *out = link->status;
    out->up = link->state == LINK_STATE_UP;
    out->queued_bytes = out->up ? streams_queued_bytes(links->streams, link->stream) : 0;
}

/* ---- sending ---- */

void links_send(struct links *links, const struct message *message)
{
    struct slice payload = message->payload;
    int process = links_process_of(links, message->to);
    if (!links_is_up(links, process)) {
        slice_drop(&payload);
        return;
    }
    struct link *link = &links->at[process];
    if (link_loses_sent(link)) {
        slice_drop(&payload);
        return;
    }
    uint8_t head[FRAME_PREFIX_BYTES + FRAME_HEAD_MAX];
    uint32_t length = frame_encode(message, head + FRAME_PREFIX_BYTES);
    frame_prefix_put(head, length, payload.length);
    bool taken =
        streams_send(links->streams, link->stream, head, FRAME_PREFIX_BYTES + length, payload, 0);
    link->status.sent_messages++;
    if (!taken || streams_queued_bytes(links->streams, link->stream) > links->config.queue_bytes)
        link_life_end(links, link, "its peer reads nothing, and the queue is full");
}

/* ---- receiving ---- */

static void take_bytes(struct links *links, struct link *link, const struct stream_event *event)
{
    if (link->state == LINK_STATE_GREETING) {
        link_life_greeting_bytes(links, link, event->bytes, event->length);
        return;
    }
    link_receive_bytes(&link->receive, event->sunk, event->bytes, event->length);
    link->parsing = true;
}

static void link_event(struct links *links, struct link *link, const struct stream_event *event)
{
    switch (event->kind) {
    case STREAM_EVENT_OPEN:
        link_life_connected(links, link);
        return;
    case STREAM_EVENT_FAILED:
        link_life_refused(links, link, event->error);
        return;
    case STREAM_EVENT_DATA:
        take_bytes(links, link, event);
        return;
    case STREAM_EVENT_CLOSED:
        link->stream = STREAM_NONE;
        link_life_end(links, link, NULL);
        return;
    case STREAM_EVENT_SENT:
        return;
    }
}

void links_stream_event(struct links *links, const struct stream_event *event)
{
    if (event->kind == STREAM_EVENT_OPEN && event->accepted) {
        link_life_accepted(links, event->stream);
        return;
    }
    if (link_life_accepted_bytes(links, event))
        return;
    for (uint32_t i = 0; i < links->config.processes; i++)
        if (links->at[i].stream == event->stream && links->at[i].used) {
            link_event(links, &links->at[i], event);
            return;
        }
}

void links_peer_exited(struct links *links, uint32_t index)
{
    struct link *link = &links->at[index % 256];
    must(index % 256 < links->config.processes);
    if (link->watch % (1u << 24) == index / 256)
        link_life_exited(links, link);
}

/* A message for us from whom it says; else the link is closed. */
static bool is_sound(struct links *links, struct link *link, const struct message *message)
{
    if (links_process_of(links, message->from) != link->process) {
        link_life_end(links, link, "a frame came from a port that does not live there");
        return false;
    }
    if (!is_known_here(links, message->to)) {
        link_life_end(links, link, "a frame was for a port that does not live here");
        return false;
    }
    return true;
}

/* The next message of that link; false: none now. */
static bool parse(struct links *links, struct link *link, struct link_event *out)
{
    switch (link_receive_next(&link->receive, links->buffers, &out->message)) {
    case LINK_RECEIVE_MESSAGE:
        if (!is_sound(links, link, &out->message)) {
            slice_drop(&out->message.payload);
            return false;
        }
        out->kind = LINK_EVENT_MESSAGE;
        out->process = link->process;
        link->status.received_messages++;
        return true;
    case LINK_RECEIVE_MORE:
        link->parsing = false;
        streams_receive(links->streams, link->stream, link_receive_sink(&link->receive));
        return false;
    case LINK_RECEIVE_NO_BUFFER:
        link->retry_ns = links->now_ns + no_buffer_retry_ns;
        return false;
    case LINK_RECEIVE_BAD:
        link_life_end(links, link, "what came is no frame");
        return false;
    }
    return false;
}

bool links_next(struct links *links, struct link_event *out)
{
    if (links->note_count) {
        const struct link_note *note = &links->note[links->note_first];
        links->note_first = (links->note_first + 1) % LINK_EVENTS_MAX;
        links->note_count--;
        out->kind = note->kind;
        out->process = note->process;
        out->gone = note->gone;
        return true;
    }
    for (uint32_t i = 0; i < links->config.processes; i++) {
        struct link *link = &links->at[i];
        if (link->parsing && link->retry_ns <= links->now_ns && !link_loses_received(link) &&
            parse(links, link, out))
            return true;
    }
    return links->note_count > 0 && links_next(links, out);
}

/* ---- time ---- */

void links_tick(struct links *links, uint64_t now_ns)
{
    links->now_ns = now_ns;
    for (uint32_t i = 0; i < links->config.processes; i++)
        if (links->at[i].used) {
            link_cut_tick(links, &links->at[i]);
            link_life_tick(links, &links->at[i]);
        }
    for (uint32_t i = 0; i < LINK_GREETING_MAX; i++) {
        struct link_greeting *greeting = &links->greeting[i];
        if (greeting->stream && now_ns > greeting->deadline_ns) {
            streams_close(links->streams, greeting->stream, true);
            greeting->stream = STREAM_NONE;
        }
    }
}

uint64_t links_wake_ns(const struct links *links)
{
    uint64_t wake = UINT64_MAX;
    for (uint32_t i = 0; i < links->config.processes; i++) {
        const struct link *link = &links->at[i];
        uint64_t at = UINT64_MAX;
        if (!link->used)
            continue;
        if (link->cut_until_ns)
            at = link->cut_until_ns;
        else if (link->parsing || link->state == LINK_STATE_DOWN)
            at = link->retry_ns;
        else if (link->state == LINK_STATE_CONNECTING || link->state == LINK_STATE_PROBING)
            at = link->deadline_ns;
        else if (!address_is_unix(&link->address))
            at = link->silence_check_ns;
        if (at < wake)
            wake = at;
    }
    return wake;
}
