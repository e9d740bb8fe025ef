/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/probe.h"

#include "base/bytes.h"
#include "base/must.h"

static void *probe_create(struct world *world, struct part *part)
{
    (void)world;
    struct probe *p = part->config;
    p->part = part;
    p->todo_count = 0;
    p->lives++;
    p->wake_ns = UINT64_MAX;
    return p;
}

static void note_data(struct seen *s, const uint8_t *bytes, uint32_t length)
{
    s->length = length;
    memcpy(s->data, bytes, length < sizeof s->data ? length : sizeof s->data);
}

static void probe_step(void *machine, const struct event *event, struct actions *actions)
{
    struct probe *p = machine;
    if (event->kind != EVENT_TIME) {
        must(p->count < PROBE_SEEN);
        struct seen *s = &p->seen[p->count++];
        memset(s, 0, sizeof *s);
        s->kind = event->kind;
        s->now_ns = event->now_ns;
        if (event->kind == EVENT_MESSAGE) {
            s->message = *event->message;
            if (event->message->payload.length >= 8)
                s->first = be64_at(slice_bytes(event->message->payload));
        } else if (event->kind == EVENT_LINK_UP || event->kind == EVENT_LINK_DOWN) {
            s->port = event->link.port;
            s->gone = event->link.gone;
        } else if (event->kind == EVENT_REGISTER) {
            s->tag = event->reg.tag;
            s->result = event->reg.result;
            s->record = *event->reg.record;
            s->living = event->reg.living_in_sync[0];
        } else if (event->kind == EVENT_DRIVE) {
            s->tag = event->drive.tag;
            s->result = event->drive.status;
            if (event->drive.data.length)
                note_data(s, slice_bytes(event->drive.data), event->drive.data.length);
        } else if (event->kind == EVENT_STREAM_DATA) {
            note_data(s, event->stream.bytes, event->stream.length);
            s->sunk = event->stream.sunk;
            s->late = event->stream.late;
            s->tag = event->stream.stream;
        } else if (event->kind == EVENT_STREAM_OPEN || event->kind == EVENT_STREAM_CLOSED)
            s->tag = event->stream.stream;
    }
    for (uint32_t i = 0; i < p->todo_count; i++)
        *actions_add(actions, p->todo[i].kind) = p->todo[i];
    p->todo_count = 0;
}

static uint64_t probe_wake_ns(const void *machine)
{
    return ((const struct probe *)machine)->wake_ns;
}

static void probe_check(const void *machine)
{
    (void)machine;
}

static void probe_destroy(void *machine)
{
    (void)machine;
}

static struct sink probe_sink(const void *machine, uint32_t stream)
{
    (void)stream;
    const struct probe *p = machine;
    return (struct sink){p->sink, 0, p->sink ? 16 : 0};
}

const struct part_kind probe_kind = {
    .name = "probe",
    .create = probe_create,
    .step = probe_step,
    .wake_ns = probe_wake_ns,
    .check = probe_check,
    .destroy = probe_destroy,
    .sink = probe_sink,
};

struct action *probe_do(struct probe *p, enum action_kind kind)
{
    must(p->todo_count < PROBE_DO);
    struct action *action = &p->todo[p->todo_count++];
    memset(action, 0, sizeof *action);
    action->kind = kind;
    return action;
}

struct message *probe_send(struct probe *p, enum message_kind kind, port_id to)
{
    struct message *message = &probe_do(p, ACTION_SEND)->message;
    message->kind = (uint8_t)kind;
    message->from = p->part->port;
    message->to = to;
    return message;
}

void probe_go(struct world *world, struct probe *p)
{
    struct event event = {.kind = EVENT_TIME};
    world_step_part(world, p->part, &event);
}

uint32_t probe_seen(const struct probe *p, enum event_kind kind, struct seen *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->count; i++)
        if (p->seen[i].kind == kind) {
            count++;
            if (out)
                *out = p->seen[i];
        }
    return count;
}
