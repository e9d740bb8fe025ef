/* SPDX-License-Identifier: Apache-2.0 */
/* Happenings: what the world did, as events of the parts that it concerns. */
#include "node/node_state.h"

#include <string.h>
#include <sys/random.h>

#include "base/must.h"
#include "node/capture.h"
#include "node/manage_socket.h"

/* ---- messages ---- */

static void deliver_message(struct node *node, struct part *part, const struct message *message)
{
    struct event event = {.kind = EVENT_MESSAGE, .message = message};
    if (node->captures)
        capture_message(node, part, message, false);
    node_step(node, part, &event);
}

/* To every unit of the group that lives here. */
static void deliver_to_group(struct node *node, struct message *message)
{
    int group = port_sub(message->to);
    for (uint8_t i = 0; i < node->parts; i++) {
        struct part *part = &node->part[i];
        if (part->kind != &part_unit || part->group != group)
            continue;
        message->to = part->port;
        deliver_message(node, part, message);
    }
}

static void deliver_remote(struct node *node, struct message *message)
{
    struct part *part = node_part_at(node, message->to);
    if (port_is_group(message->to))
        deliver_to_group(node, message);
    else if (part)
        deliver_message(node, part, message);
    slice_drop(&message->payload);
}

void node_deliver_local(struct node *node)
{
    /* two parts that answer each other for ever must not keep the world waiting */
    for (uint32_t left = NODE_LOCAL_MAX; node->local_count && left; left--) {
        struct message message = node->local[node->local_first];
        node->local_first = (node->local_first + 1) % NODE_LOCAL_MAX;
        node->local_count--;
        deliver_message(node, node_part_at(node, message.to), &message);
        slice_drop(&message.payload);
    }
    while (node->closed_count) {
        node->closed_count--;
        struct event event = {.kind = EVENT_STREAM_CLOSED};
        event.stream.stream = node->closed[node->closed_count].stream;
        node_step(node, &node->part[node->closed[node->closed_count].part], &event);
    }
}

/* ---- links ---- */

static void deliver_link(struct node *node, struct part *part, port_id port, enum event_kind kind,
                         bool gone)
{
    struct event event = {.kind = kind, .link = {.port = port, .gone = gone}};
    node_step(node, part, &event);
}

/* Every part here hears of every part in that process. */
static void deliver_process(struct node *node, uint8_t process, enum event_kind kind, bool gone)
{
    const struct config *config = node->config;
    const struct config_process *there = &config->process[process];
    port_id ports[NODE_PART_MAX];
    uint8_t count = 0;
    for (int m = 0; m < config->modules; m++) {
        if (!(there->modules >> m & 1))
            continue;
        for (int g = 0; g < config->groups; g++)
            if (node_is_member(config, m, g))
                ports[count++] = port_unit(m, g);
        ports[count++] = port_manager(m);
    }
    for (int s = 0; s < config->switches; s++)
        if (there->switches >> s & 1)
            ports[count++] = port_switch(s);
    for (int l = 0; l < config->loops; l++)
        if (there->loops >> l & 1)
            ports[count++] = port_loop(l);
    for (uint8_t i = 0; i < node->parts; i++)
        for (uint8_t j = 0; j < count; j++)
            deliver_link(node, &node->part[i], ports[j], kind, gone);
}

void node_link_local(struct node *node)
{
    for (uint8_t i = 0; i < node->parts; i++)
        for (uint8_t j = 0; j < node->parts; j++)
            if (i != j)
                deliver_link(node, &node->part[i], node->part[j].port, EVENT_LINK_UP, false);
}

static void deliver_link_event(struct node *node, struct link_event *link)
{
    switch (link->kind) {
    case LINK_EVENT_MESSAGE:
        deliver_remote(node, &link->message);
        return;
    case LINK_EVENT_UP:
        deliver_process(node, link->process, EVENT_LINK_UP, false);
        return;
    case LINK_EVENT_DOWN:
        deliver_process(node, link->process, EVENT_LINK_DOWN, link->gone);
        return;
    }
}

/* ---- hosts ---- */

static const enum event_kind stream_events[] = {
    [STREAM_EVENT_OPEN] = EVENT_STREAM_OPEN,
    [STREAM_EVENT_DATA] = EVENT_STREAM_DATA,
    [STREAM_EVENT_SENT] = EVENT_STREAM_SENT,
    [STREAM_EVENT_CLOSED] = EVENT_STREAM_CLOSED,
};

static void deliver_host(struct node *node, const struct stream_event *stream)
{
    must(stream->kind != STREAM_EVENT_FAILED);
    struct part *part = &node->part[stream->owner / PART_PORTAL_MAX];
    struct event event = {.kind = stream_events[stream->kind]};
    event.stream.stream = stream->stream;
    event.stream.portal = (uint8_t)(stream->owner % PART_PORTAL_MAX);
    event.stream.sunk = stream->sunk;
    event.stream.bytes = stream->bytes;
    event.stream.length = stream->length;
    event.stream.late = stream->late;
    if (stream->kind == STREAM_EVENT_OPEN) {
        event.stream.local = stream->local;
        event.stream.peer = stream->peer;
        if (getrandom(event.stream.random, sizeof event.stream.random, 0) < 0)
            memset(event.stream.random, 0, sizeof event.stream.random);
    }
    node_step(node, part, &event);
    node_receive(node, part, stream->stream);
}

/* ---- the rest ---- */

static void deliver_drive(struct node *node, struct drive_done *done)
{
    struct event event = {.kind = EVENT_DRIVE};
    event.drive.tag = done->tag;
    event.drive.status = done->status;
    event.drive.data = done->data;
    node_step(node, &node->part[done->owner], &event);
    slice_drop(&done->data);
}

static void deliver_tray(struct node *node, const struct drive_tray *tray)
{
    struct part *part = &node->part[tray->owner];
    struct event event = {.kind = EVENT_TRAY};
    for (int s = 0; s < SLOT_MAX; s++)
        if (part->drive_of_slot[s] == (int)tray->drive)
            event.tray.slot = (uint8_t)s;
    event.tray.online = tray->facts.online;
    event.tray.bytes = tray->facts.bytes;
    event.tray.block_bytes = tray->facts.block_bytes;
    event.tray.content = node_content(&tray->facts);
    event.tray.serial = tray->facts.serial;
    node_step(node, part, &event);
}

static void deliver_register(struct node *node, const struct job *job)
{
    struct event event = {.kind = EVENT_REGISTER};
    event.reg.tag = job->tag;
    event.reg.result = job->reg.result;
    event.reg.record = &job->reg.record;
    memcpy(event.reg.living_in_sync, job->reg.living.in_sync, sizeof event.reg.living_in_sync);
    memcpy(event.reg.living_previous, job->reg.living.previous, sizeof event.reg.living_previous);
    node_step(node, &node->part[job->owner], &event);
}

static void deliver_stored(struct node *node, const struct job *job)
{
    struct event event = {.kind = EVENT_STORED};
    event.stored.tag = job->tag;
    event.stored.ok = job->store.error == 0;
    node_step(node, &node->part[job->owner], &event);
}

void node_deliver(struct node *node, struct happening *happening)
{
    switch (happening->kind) {
    case HAPPENING_LINK:
        deliver_link_event(node, &happening->link);
        return;
    case HAPPENING_HOST:
        deliver_host(node, &happening->stream);
        return;
    case HAPPENING_CONTROL:
        manage_socket_stream_event(node->manage_socket, &happening->stream);
        return;
    case HAPPENING_DRIVE:
        deliver_drive(node, &happening->drive);
        return;
    case HAPPENING_TRAY:
        deliver_tray(node, &happening->tray);
        return;
    case HAPPENING_REGISTER:
        deliver_register(node, &happening->job);
        return;
    case HAPPENING_STORED:
        deliver_stored(node, &happening->job);
        return;
    case HAPPENING_TERMINATE:
        node_stop(node);
        return;
    }
}
