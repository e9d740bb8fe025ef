/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { STREAMS = 256, PIECE_MAX = 16384, READ_MAX = 65536 };

/* Bytes on their way, or arrived and not yet read. */
struct piece {
    struct piece *next;
    uint64_t at_ns;
    uint32_t length, taken;
    uint8_t bytes[];
};

struct way {
    struct piece *head, **tail;
    uint64_t last_ns;
};

struct stream {
    uint32_t number; /* 0: free */
    struct part *part;
    uint8_t portal;
    char local[48], peer[48];
    void *host;
    const struct stream_ops *ops;
    bool opened;      /* the machine knows of it */
    bool token;       /* an ITEM_STREAM is on its way to the process */
    bool paused;      /* ACTION_STREAM_PAUSE */
    bool host_closed; /* the host gives nothing more */
    bool closed;      /* the machine has closed it: what is on its way to the host goes first */
    bool over;        /* ... or knows that the host did */
    bool cut;
    uint64_t dribble_ns;
    struct way to_switch, to_host;
};

struct streams {
    struct world *world;
    uint32_t next;
    struct stream at[STREAMS];
};

enum { WHAT_TO_SWITCH, WHAT_TO_HOST, WHAT_WAYS };

struct streams *streams_new(struct world *world)
{
    struct streams *streams = calloc(1, sizeof *streams);
    must(streams);
    streams->world = world;
    return streams;
}

static void way_empty(struct way *w)
{
    while (w->head) {
        struct piece *p = w->head;
        w->head = p->next;
        free(p);
    }
    w->tail = &w->head;
}

static void stream_release(struct stream *s)
{
    way_empty(&s->to_switch);
    way_empty(&s->to_host);
    s->number = 0;
}

void streams_free(struct streams *streams)
{
    for (int i = 0; i < STREAMS; i++)
        if (streams->at[i].number)
            stream_release(&streams->at[i]);
    free(streams);
}

static struct stream *find(struct streams *streams, uint64_t number)
{
    struct stream *s = &streams->at[number % STREAMS];
    return number && s->number == number ? s : NULL;
}

static void schedule(struct streams *streams, const struct stream *s, uint64_t at, int way)
{
    world_schedule(streams->world, at, HAPPENING_STREAM,
                   (uint64_t)s->number * WHAT_WAYS + (uint64_t)way);
}

static void append_piece(struct streams *streams, struct stream *s, struct way *w,
                         const uint8_t *bytes, uint32_t length, uint64_t spacing_ns)
{
    const struct world_config *settings = world_settings(streams->world);
    uint64_t jitter = random_below(world_random(streams->world), settings->link_jitter_ns + 1);
    struct piece *p = malloc(sizeof *p + length);
    must(p);
    p->next = NULL;
    p->length = length;
    p->taken = 0;
    memcpy(p->bytes, bytes, length);
    p->at_ns = world_now(streams->world) + settings->link_delay_ns + jitter;
    if (p->at_ns < w->last_ns + spacing_ns)
        p->at_ns = w->last_ns + spacing_ns;
    w->last_ns = p->at_ns;
    *w->tail = p;
    w->tail = &p->next;
    schedule(streams, s, p->at_ns, w == &s->to_host ? WHAT_TO_HOST : WHAT_TO_SWITCH);
}

static void append_bytes(struct streams *streams, struct stream *s, struct way *w,
                         const uint8_t *bytes, uint32_t length, uint64_t dribble_ns)
{
    while (length > 0) {
        uint32_t some = (uint32_t)random_between(world_random(streams->world), 1, PIECE_MAX);
        if (dribble_ns)
            some = 1;
        if (some > length)
            some = length;
        append_piece(streams, s, w, bytes, some, dribble_ns);
        bytes += some;
        length -= some;
    }
}

/* ---- the host's end ---- */

uint32_t stream_open(struct world *world, struct part *part, uint8_t portal, void *host,
                     const struct stream_ops *ops)
{
    struct streams *streams = world_streams(world);
    if (!world_living(world, part->process))
        return 0;
    do
        streams->next++;
    while (streams->at[streams->next % STREAMS].number);
    struct stream *s = &streams->at[streams->next % STREAMS];
    memset(s, 0, sizeof *s);
    s->number = streams->next;
    s->part = part;
    s->portal = portal;
    s->host = host;
    s->ops = ops;
    s->to_switch.tail = &s->to_switch.head;
    s->to_host.tail = &s->to_host.head;
    snprintf(s->local, sizeof s->local, "10.0.0.%d:3260", portal + 1);
    snprintf(s->peer, sizeof s->peer, "10.0.1.1:%u", 40000 + s->number % 20000);
    schedule(streams, s, world_now(world) + world_settings(world)->link_delay_ns, WHAT_TO_SWITCH);
    return s->number;
}

void stream_send(struct world *world, uint32_t stream, const uint8_t *bytes, uint32_t length)
{
    struct streams *streams = world_streams(world);
    struct stream *s = find(streams, stream);
    if (s && !s->host_closed)
        append_bytes(streams, s, &s->to_switch, bytes, length, s->dribble_ns);
}

void stream_close(struct world *world, uint32_t stream)
{
    struct streams *streams = world_streams(world);
    struct stream *s = find(streams, stream);
    if (!s || s->host_closed)
        return;
    s->host_closed = true;
    way_empty(&s->to_host);
    uint64_t at = world_now(world) + world_settings(world)->link_delay_ns;
    schedule(streams, s, at > s->to_switch.last_ns ? at : s->to_switch.last_ns, WHAT_TO_SWITCH);
}

void stream_cut(struct world *world, uint32_t stream, bool cut)
{
    struct streams *streams = world_streams(world);
    struct stream *s = find(streams, stream);
    if (!s)
        return;
    s->cut = cut;
    if (cut)
        return;
    for (int w = 0; w < WHAT_WAYS; w++)
        schedule(streams, s, world_now(world) + world_settings(world)->link_delay_ns, w);
}

/* What the host's kernel still had to send is gone: at most what the network holds comes yet. */
static void discard_unsent(struct way *w, uint64_t until_ns)
{
    struct piece **p = &w->head;
    while (*p && (*p)->at_ns <= until_ns)
        p = &(*p)->next;
    struct piece *rest = *p;
    *p = NULL;
    w->tail = p;
    while (rest) {
        struct piece *next = rest->next;
        free(rest);
        rest = next;
    }
    if (w->last_ns > until_ns)
        w->last_ns = until_ns;
}

void stream_reset(struct world *world, uint32_t stream)
{
    enum { IN_NETWORK_NS = 50 * 1000 * 1000 };
    struct stream *s = find(world_streams(world), stream);
    if (!s || s->host_closed)
        return;
    discard_unsent(&s->to_switch, world_now(world) + IN_NETWORK_NS);
    void *host = s->host;
    const struct stream_ops *ops = s->ops;
    stream_close(world, stream);
    ops->closed(host);
}

uint64_t stream_backlog_ns(struct world *world, uint32_t stream)
{
    const struct stream *s = find(world_streams(world), stream);
    uint64_t now = world_now(world);
    return s && s->to_switch.last_ns > now ? s->to_switch.last_ns - now : 0;
}

bool stream_sound(struct world *world, uint32_t stream)
{
    const struct stream *s = find(world_streams(world), stream);
    return s && !s->cut && !s->dribble_ns && stream_backlog_ns(world, stream) < MS(10);
}

void stream_dribble(struct world *world, uint32_t stream, uint64_t every_ns)
{
    struct stream *s = find(world_streams(world), stream);
    if (s)
        s->dribble_ns = every_ns;
}

/* ---- arrivals ---- */

static void hand_token(struct streams *streams, struct stream *s)
{
    if (s->token || s->over || s->closed)
        return;
    s->token = true;
    struct item *item = item_new(ITEM_STREAM);
    item->port = s->part->port;
    item->tag = s->number;
    world_deliver(streams->world, s->part->process, item);
}

static void end_host(struct stream *s)
{
    void *host = s->host;
    const struct stream_ops *ops = s->ops;
    bool tell = !s->host_closed;
    stream_release(s);
    if (tell)
        ops->closed(host);
}

static void sent(struct streams *streams, struct stream *s)
{
    struct item *item = item_new(ITEM_EVENT);
    item->port = s->part->port;
    item->ready.event.kind = EVENT_STREAM_SENT;
    item->ready.event.stream.stream = s->number;
    world_deliver(streams->world, s->part->process, item);
}

static void arrive_at_host(struct streams *streams, struct stream *s)
{
    uint32_t number = s->number;
    struct way *w = &s->to_host;
    bool some = false;
    while (find(streams, number) && w->head && w->head->at_ns <= world_now(streams->world)) {
        struct piece *p = w->head;
        w->head = p->next;
        if (!w->head)
            w->tail = &w->head;
        some = true;
        if (!s->host_closed)
            s->ops->data(s->host, p->bytes, p->length);
        free(p);
    }
    if (!find(streams, number) || w->head)
        return;
    if (s->closed)
        end_host(s);
    else if (some && !s->over)
        sent(streams, s);
}

void streams_happened(struct streams *streams, uint64_t what)
{
    struct stream *s = find(streams, what / WHAT_WAYS);
    if (!s || s->cut)
        return;
    if (what % WHAT_WAYS == WHAT_TO_HOST)
        arrive_at_host(streams, s);
    else
        hand_token(streams, s);
}

/* ---- the machine's end ---- */

static void step_open(struct streams *streams, struct stream *s)
{
    struct event event = {.kind = EVENT_STREAM_OPEN};
    event.stream.stream = s->number;
    event.stream.portal = s->portal;
    event.stream.local = s->local;
    event.stream.peer = s->peer;
    for (size_t i = 0; i < sizeof event.stream.random; i++)
        event.stream.random[i] = (uint8_t)random_next(world_random(streams->world));
    s->opened = true;
    world_step_part(streams->world, s->part, &event);
    if (s->number && !s->host_closed && s->ops->opened)
        s->ops->opened(s->host);
}

/* Takes up to `limit` bytes that have arrived. Returns how many; *late: some lay there for long. */
static uint32_t take(struct streams *streams, struct stream *s, uint8_t *out, uint32_t limit,
                     bool *late)
{
    uint64_t now = world_now(streams->world);
    struct way *w = &s->to_switch;
    uint32_t count = 0;
    while (w->head && w->head->at_ns <= now && count < limit) {
        struct piece *p = w->head;
        uint32_t some = p->length - p->taken < limit - count ? p->length - p->taken : limit - count;
        memcpy(out + count, p->bytes + p->taken, some);
        if (now - p->at_ns > world_settings(streams->world)->late_ns)
            *late = true;
        count += some;
        p->taken += some;
        if (p->taken < p->length)
            break;
        w->head = p->next;
        if (!w->head)
            w->tail = &w->head;
        free(p);
    }
    return count;
}

/* One receive: into the sink first, what is left over to the side, as a scattered read does. */
static bool step_data(struct streams *streams, struct stream *s)
{
    static uint8_t staging[READ_MAX];
    struct event event = {.kind = EVENT_STREAM_DATA};
    event.stream.stream = s->number;
    event.stream.portal = s->portal;
    event.stream.bytes = staging;
    struct sink sink = s->part->kind->sink(s->part->machine, s->number);
    bool late = false;
    if (sink.buffer) {
        buffer_ref(sink.buffer);
        event.stream.sunk = take(streams, s, sink.buffer->data + sink.offset, sink.length, &late);
    }
    if (event.stream.sunk == sink.length || !sink.buffer)
        event.stream.length = take(streams, s, staging, READ_MAX, &late);
    event.stream.late = late;
    bool some = event.stream.sunk + event.stream.length > 0;
    if (some)
        world_step_part(streams->world, s->part, &event);
    buffer_unref(sink.buffer);
    return some;
}

void streams_taken(struct streams *streams, struct part *part, uint64_t tag)
{
    struct stream *s = find(streams, tag);
    if (!s || s->part != part)
        return;
    s->token = false;
    if (!s->opened)
        step_open(streams, s);
    if (!find(streams, tag) || s->paused || s->closed || s->cut)
        return;
    if (step_data(streams, s)) {
        if (find(streams, tag) && !s->closed)
            hand_token(streams, s);
        return;
    }
    if (s->host_closed && !s->to_switch.head && !s->over) {
        struct event event = {.kind = EVENT_STREAM_CLOSED};
        event.stream.stream = s->number;
        s->over = true;
        world_step_part(streams->world, part, &event);
        if (find(streams, tag))
            stream_release(s);
    }
}

static void machine_sends(struct streams *streams, struct stream *s, const struct action *action)
{
    static const uint8_t zeroes[4];
    if (s->host_closed)
        return;
    struct way *w = &s->to_host;
    append_bytes(streams, s, w, action->stream.head, action->stream.head_length, 0);
    append_bytes(streams, s, w, slice_bytes(action->stream.payload), action->stream.payload.length,
                 0);
    append_bytes(streams, s, w, zeroes, action->stream.pad, 0);
}

void streams_act(struct streams *streams, struct part *part, struct action *action)
{
    struct stream *s = find(streams, action->stream.stream);
    if (s && s->part == part) {
        if (action->kind == ACTION_STREAM_SEND)
            machine_sends(streams, s, action);
        else if (action->kind == ACTION_STREAM_PAUSE)
            s->paused = true;
        else if (action->kind == ACTION_STREAM_RESUME) {
            s->paused = false;
            hand_token(streams, s);
        } else {
            s->closed = true;
            if (action->stream.at_once)
                way_empty(&s->to_host);
            schedule(streams, s, world_now(streams->world), WHAT_TO_HOST);
        }
    }
    slice_drop(&action->stream.payload);
}

void streams_process_down(struct streams *streams, int process)
{
    for (int i = 0; i < STREAMS; i++) {
        struct stream *s = &streams->at[i];
        if (s->number && s->part->process == process) {
            s->closed = true; /* a reset: what is on its way may still come */
            schedule(streams, s,
                     world_now(streams->world) + world_settings(streams->world)->link_delay_ns,
                     WHAT_TO_HOST);
        }
    }
}
