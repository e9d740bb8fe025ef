/* SPDX-License-Identifier: Apache-2.0 */
/* Actions: what the machines want of the world, carried out in their order. */
#include "node/node_state.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch.h"
#include "node/capture.h"
#include "node/manage_socket.h"

void node_receive(struct node *node, struct part *part, uint32_t stream)
{
    struct streams *streams = loop_streams(node->loop);
    if (streams_idle(streams, stream))
        streams_receive(streams, stream, iswitch_sink(part->machine, stream));
}

static void carry_send(struct node *node, const struct part *part, const struct message *message)
{
    if (node->captures)
        capture_message(node, part, message, true);
    if (!node_part_at(node, message->to)) {
        links_send(loop_links(node->loop), message);
        return;
    }
    must(node->local_count < NODE_LOCAL_MAX);
    if (node->local_count == 0) /* the memory that was used last is warm */
        node->local_first = 0;
    node->local[(node->local_first + node->local_count++) % NODE_LOCAL_MAX] = *message;
}

static void carry_register(struct node *node, const struct part *part, enum job_kind kind,
                           const struct action *action)
{
    struct job job = {.kind = kind, .owner = (uint32_t)(part - node->part), .tag = action->reg.tag};
    job.reg.group = kind == JOB_REGISTER_SWAP ? action->reg.record.group : action->reg.group;
    job.reg.member = action->reg.member;
    job.reg.record = action->reg.record;
    loop_job(node->loop, &job);
}

static void carry_drive(struct node *node, const struct part *part, const struct action *action)
{
    must(action->drive.slot < SLOT_MAX && part->drive_of_slot[action->drive.slot] >= 0);
    drives_submit(loop_drives(node->loop), (uint32_t)part->drive_of_slot[action->drive.slot],
                  action);
}

static void carry_store(struct node *node, const struct part *part, const struct action *action)
{
    struct job job = {
        .kind = JOB_STORE, .owner = (uint32_t)(part - node->part), .tag = action->store.tag};
    must(action->store.length <= sizeof job.store.bytes);
    snprintf(job.store.path, sizeof job.store.path, "%s", part->store_path);
    job.store.length = action->store.length;
    memcpy(job.store.bytes, action->store.bytes, action->store.length);
    loop_job(node->loop, &job);
}

/* A host that takes nothing while more and more is to be sent to it loses its connection. */
static void carry_stream_send(struct node *node, const struct part *part,
                              const struct action *action)
{
    struct streams *streams = loop_streams(node->loop);
    if (streams_send(streams, action->stream.stream, action->stream.head,
                     action->stream.head_length, action->stream.payload, action->stream.pad) ||
        !streams_is_open(streams, action->stream.stream))
        return;
    trace_warn(&node->trace, "%s: a host's connection is closed: it does not read its answers",
               part->trace.name);
    streams_close(streams, action->stream.stream, true);
    must(node->closed_count < NODE_CLOSED_MAX);
    node->closed[node->closed_count].stream = action->stream.stream;
    node->closed[node->closed_count++].part = (uint8_t)(part - node->part);
}

static void carry_one(struct node *node, struct part *part, struct action *action)
{
    struct streams *streams = loop_streams(node->loop);
    switch (action->kind) {
    case ACTION_SEND:
        carry_send(node, part, &action->message);
        return;
    case ACTION_REGISTER_READ:
        carry_register(node, part, JOB_REGISTER_READ, action);
        return;
    case ACTION_REGISTER_SWAP:
        carry_register(node, part, JOB_REGISTER_SWAP, action);
        return;
    case ACTION_REGISTER_LIVE:
        carry_register(node, part, JOB_REGISTER_LIVE, action);
        return;
    case ACTION_DRIVE:
        carry_drive(node, part, action);
        return;
    case ACTION_STORE:
        carry_store(node, part, action);
        return;
    case ACTION_STREAM_SEND:
        carry_stream_send(node, part, action);
        return;
    case ACTION_STREAM_CLOSE:
        streams_close(streams, action->stream.stream, action->stream.at_once);
        return;
    case ACTION_STREAM_PAUSE:
        streams_pause(streams, action->stream.stream);
        return;
    case ACTION_STREAM_RESUME:
        streams_resume(streams, action->stream.stream);
        node_receive(node, part, action->stream.stream);
        return;
    case ACTION_EVENT:
        node_notice(node, part, action->notice.text);
        return;
    case ACTION_REPLY:
        manage_socket_reply(node->manage_socket, action->notice.tag, action->notice.text);
        return;
    case ACTION_STOPPED:
        part->stopped = true;
        return;
    }
}

void node_carry_out(struct node *node, struct part *part)
{
    for (uint32_t i = 0; i < node->actions->count; i++)
        carry_one(node, part, &node->actions->at[i]);
    node->actions->count = 0;
}
