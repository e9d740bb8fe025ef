/* SPDX-License-Identifier: Apache-2.0 */
/* A link has two directions, each a queue of items on their way. A connection that is lost cuts
 * both queues to a random prefix and appends the news to each; a new connection appends its own
 * news. So a process always sees: up, frames, down, up, ... What a process sends between the loss
 * of a connection and its taking notice of that goes nowhere. */
#include "sim/link.h"

#include <stdlib.h>

#include "base/must.h"
#include "wire/frame.h"

struct direction {
    struct item *head, **tail;
    uint64_t last_ns;    /* arrival of the last one */
    uint32_t connection; /* the one that the sending process knows of; 0: none */
    bool cut;
    uint8_t hold;  /* message kind that begins a cut */
    uint64_t lose; /* message kinds that vanish, a bit for each */
    uint8_t twice; /* message kind whose next frame comes twice */
    uint32_t behind;
    struct item *again; /* that frame, to come once more behind so many others */
};

struct link {
    int process[2];
    bool refused;        /* no new connection */
    bool overrun;        /* ... before both ends run: one of them has not read for long */
    uint32_t connection; /* now; 0: none */
    uint32_t connections;
    uint64_t connect_at;
    uint64_t more_ns, byte_ns;
    uint64_t disturbed_ns;   /* link_sound_since */
    struct direction way[2]; /* way[i] is from process[i] */
};

enum { LINKS_MAX = WORLD_PROCESSES * WORLD_PROCESSES / 2 };

struct links {
    struct world *world;
    int count;
    struct link at[LINKS_MAX];
    struct link *between[WORLD_PROCESSES][WORLD_PROCESSES]; /* NULL: none */
};

#define LINK_SLOW_NS MS(5) /* a link that is slower is sick */
enum { WHAT_CONNECT = 2 }; /* what: link * 4 + direction, or + WHAT_CONNECT */

/* Payload that waits on one way: more is not sent, the connection is closed (io/links.c). Counted
 * only when so much waits in all of the world. */
enum { QUEUE_BYTES = 32 << 20, LOOK_BYTES = 256 << 20 };

struct links *links_new(struct world *world)
{
    struct links *links = calloc(1, sizeof *links);
    must(links);
    links->world = world;
    return links;
}

static void direction_empty(struct direction *d)
{
    if (d->again)
        item_free(d->again);
    d->again = NULL;
    while (d->head) {
        struct item *item = d->head;
        d->head = item->next;
        item_free(item);
    }
    d->tail = &d->head;
}

void links_free(struct links *links)
{
    for (int i = 0; i < links->count; i++)
        for (int w = 0; w < 2; w++)
            direction_empty(&links->at[i].way[w]);
    free(links);
}

void links_add(struct links *links, int a, int b)
{
    must(links->count < LINKS_MAX && a != b);
    struct link *l = &links->at[links->count++];
    l->process[0] = a;
    l->process[1] = b;
    links->between[a][b] = links->between[b][a] = l;
    l->way[0].tail = &l->way[0].head;
    l->way[1].tail = &l->way[1].head;
}

static struct link *find(struct links *links, int a, int b)
{
    return links->between[a][b];
}

static struct direction *way_from(struct link *l, int process)
{
    return &l->way[l->process[0] == process ? 0 : 1];
}

static uint64_t what_of(struct links *links, struct link *l, int more)
{
    return (uint64_t)(l - links->at) * 4 + (uint64_t)more;
}

/* Puts it at the direction's end, arriving after everything before it. */
static void append(struct links *links, struct link *l, struct direction *d, struct item *item)
{
    const struct world_config *settings = world_settings(links->world);
    uint64_t jitter = random_below(world_random(links->world), settings->link_jitter_ns + 1);
    uint64_t at = world_now(links->world) + settings->link_delay_ns + jitter + l->more_ns;
    if (at < d->last_ns)
        at = d->last_ns;
    at += item->kind == ITEM_FRAME ? l->byte_ns * item->frame.payload_length : 0;
    d->last_ns = item->arrived_ns = at;
    item->next = NULL;
    *d->tail = item;
    d->tail = &item->next;
    world_schedule(links->world, at, HAPPENING_LINK, what_of(links, l, d == &l->way[1]));
}

static void append_news(struct links *links, struct link *l, int from, uint32_t connection, bool up,
                        bool gone)
{
    struct item *item = item_new(ITEM_LINK);
    item->link.other = l->process[from];
    item->link.connection = connection;
    item->link.up = up;
    item->link.gone = gone;
    append(links, l, &l->way[from], item);
}

/* Only a random prefix of what is on its way arrives. */
static void truncate(struct links *links, struct direction *d)
{
    if (d->again)
        item_free(d->again);
    d->again = NULL;
    uint64_t count = 0;
    for (struct item *item = d->head; item; item = item->next)
        count += item->kind == ITEM_FRAME;
    uint64_t keep = random_below(world_random(links->world), count + 1);
    struct item **at = &d->head;
    while (*at) {
        struct item *item = *at;
        if (item->kind == ITEM_FRAME && keep == 0) {
            *at = item->next;
            item_free(item);
            continue;
        }
        keep -= item->kind == ITEM_FRAME;
        at = &item->next;
    }
    d->tail = at;
}

static void disconnect(struct links *links, struct link *l)
{
    if (!l->connection)
        return;
    for (int w = 0; w < 2; w++)
        if (world_living(links->world, l->process[1 - w])) {
            truncate(links, &l->way[w]);
            append_news(links, l, w, l->connection, false,
                        !world_living(links->world, l->process[w]) &&
                            !world_settings(links->world)->deaths_unknown);
        }
    l->connection = 0;
    l->disturbed_ns = world_now(links->world);
}

static void connect_soon(struct links *links, struct link *l)
{
    if (l->connection || l->refused || !world_living(links->world, l->process[0]) ||
        !world_living(links->world, l->process[1]))
        return;
    const struct world_config *settings = world_settings(links->world);
    uint64_t jitter = random_below(world_random(links->world), settings->connect_ns / 4 + 1);
    l->connect_at = world_now(links->world) + settings->connect_ns + jitter;
    world_schedule(links->world, l->connect_at, HAPPENING_LINK, what_of(links, l, WHAT_CONNECT));
}

static void connect_now(struct links *links, struct link *l)
{
    if (l->connection || l->refused || l->connect_at > world_now(links->world) ||
        !world_living(links->world, l->process[0]) || !world_living(links->world, l->process[1]))
        return;
    bool stopped =
        world_paused(links->world, l->process[0]) || world_paused(links->world, l->process[1]);
    if (l->way[0].cut || l->way[1].cut || (l->overrun && stopped)) { /* hellos go both ways */
        connect_soon(links, l);
        return;
    }
    l->overrun = false;
    l->connection = ++l->connections;
    append_news(links, l, 0, l->connection, true, false);
    append_news(links, l, 1, l->connection, true, false);
}

void links_happened(struct links *links, uint64_t what)
{
    struct link *l = &links->at[what / 4];
    if (what % 4 == WHAT_CONNECT) {
        connect_now(links, l);
        return;
    }
    struct direction *d = &l->way[what % 4];
    while (d->head && !d->cut && d->head->arrived_ns <= world_now(links->world)) {
        struct item *item = d->head;
        d->head = item->next;
        if (!d->head)
            d->tail = &d->head;
        world_deliver(links->world, l->process[1 - what % 4], item);
    }
}

void links_process_up(struct links *links, int process)
{
    for (int i = 0; i < links->count; i++)
        if (links->at[i].process[0] == process || links->at[i].process[1] == process)
            connect_soon(links, &links->at[i]);
}

/* The process is marked dead already: what it sent may still come, what was for it is gone. */
void links_process_down(struct links *links, int process)
{
    for (int i = 0; i < links->count; i++) {
        struct link *l = &links->at[i];
        if (l->process[0] != process && l->process[1] != process)
            continue;
        struct direction *to_it = &l->way[l->process[0] == process ? 1 : 0];
        disconnect(links, l);
        direction_empty(to_it);
        way_from(l, process)->connection = 0;
    }
}

void links_taken(struct links *links, int process, const struct item *item)
{
    struct link *l = find(links, process, item->link.other);
    way_from(l, process)->connection = item->link.up ? item->link.connection : 0;
    l->disturbed_ns = world_now(links->world);
}

static struct item *item_copy(const struct item *item)
{
    struct item *copy = item_new(ITEM_FRAME);
    copy->port = item->port;
    copy->frame = item->frame;
    copy->payload = slice_ref(item->payload);
    return copy;
}

static uint64_t frame_bytes(const struct item *item, int from)
{
    uint64_t bytes = 0;
    for (; item; item = item->next)
        if (item->kind == ITEM_FRAME && item->frame.from == from)
            bytes += item->payload.length;
    return bytes;
}

/* Whoever is to read has not for long: as when a send queue is full. */
static bool queue_full(struct links *links, const struct direction *d, int from, int to)
{
    return world_held(links->world) > LOOK_BYTES &&
           frame_bytes(d->head, from) + frame_bytes(world_inbox(links->world, to), from) >
               QUEUE_BYTES;
}

static void overrun(struct links *links, struct link *l)
{
    world_say(links->world, "break %s <-> %s: a queue is full",
              world_process_name(links->world, l->process[0]),
              world_process_name(links->world, l->process[1]));
    l->overrun = true;
    disconnect(links, l);
    connect_soon(links, l);
}

void links_send(struct links *links, int from, int to, const struct message *message)
{
    struct slice payload = message->payload;
    struct link *l = find(links, from, to);
    struct direction *d = l ? way_from(l, from) : NULL;
    bool joined = d && d->connection && d->connection == l->connection;
    bool full = joined && queue_full(links, d, from, to);
    if (full)
        overrun(links, l);
    if (!joined || full || d->lose >> message->kind & 1) {
        slice_drop(&payload);
        return;
    }
    struct item *item = item_new(ITEM_FRAME);
    item->port = message->to;
    item->frame.from = from;
    item->frame.payload_length = payload.length;
    item->frame.head_length = frame_encode(message, item->frame.head);
    if (payload.length) { /* the sender's memory may be gone before it arrives */
        struct buffer *copy = buffer_get(world_buffers(links->world), payload.length);
        must(copy);
        memcpy(copy->data, slice_bytes(payload), payload.length);
        item->payload = slice_of(copy, 0, payload.length);
    }
    slice_drop(&payload);
    if (d->hold && d->hold == message->kind) {
        d->hold = MESSAGE_NONE;
        d->cut = true;
    }
    if (d->twice && d->twice == message->kind && !d->again) {
        d->twice = MESSAGE_NONE;
        d->again = item_copy(item);
    }
    append(links, l, d, item);
    if (d->again && d->behind-- == 0) {
        append(links, l, d, d->again);
        d->again = NULL;
    }
}

/* Something is done to it now. */
static struct link *must_find(struct world *world, int a, int b)
{
    struct link *l = find(world_links(world), a, b);
    must(l);
    l->disturbed_ns = world_now(world);
    return l;
}

uint64_t link_sound_since(struct world *world, int a, int b)
{
    const struct link *l = find(world_links(world), a, b);
    bool sound = l && l->connection && l->more_ns <= LINK_SLOW_NS && !l->byte_ns;
    for (int w = 0; w < 2 && sound; w++) {
        const struct direction *d = &l->way[w];
        sound = d->connection == l->connection && !d->cut && !d->hold && !d->lose;
    }
    return sound ? l->disturbed_ns : UINT64_MAX;
}

void link_cut(struct world *world, int a, int b, enum link_way way)
{
    struct link *l = must_find(world, a, b);
    if (way & LINK_TO)
        way_from(l, a)->cut = true;
    if (way & LINK_FROM)
        way_from(l, b)->cut = true;
    world_say(world, "cut %s %s %s", world_process_name(world, a),
              way == LINK_BOTH ? "<->"
              : way == LINK_TO ? "->"
                               : "<-",
              world_process_name(world, b));
}

void link_hold(struct world *world, int a, int b, enum message_kind kind)
{
    way_from(must_find(world, a, b), a)->hold = (uint8_t)kind;
}

bool link_exists(struct world *world, int a, int b)
{
    return find(world_links(world), a, b) != NULL;
}

bool link_held(struct world *world, int a, int b)
{
    return way_from(find(world_links(world), a, b), a)->cut;
}

void link_break(struct world *world, int a, int b, bool again)
{
    struct link *l = must_find(world, a, b);
    world_say(world, "break %s <-> %s", world_process_name(world, a), world_process_name(world, b));
    l->refused = !again;
    disconnect(world_links(world), l);
    connect_soon(world_links(world), l);
}

void link_restore(struct world *world, int a, int b)
{
    struct links *links = world_links(world);
    struct link *l = must_find(world, a, b);
    world_say(world, "restore %s <-> %s", world_process_name(world, a),
              world_process_name(world, b));
    l->refused = false;
    for (int w = 0; w < 2; w++) {
        struct direction *d = &l->way[w];
        struct item *waiting = d->head;
        d->head = NULL;
        d->tail = &d->head;
        d->cut = false;
        d->hold = d->twice = MESSAGE_NONE;
        d->last_ns = 0;
        while (waiting) {
            struct item *item = waiting;
            waiting = item->next;
            append(links, l, d, item);
        }
    }
    connect_soon(links, l);
}

void link_lose_kinds(struct world *world, int a, int b, uint64_t kinds)
{
    way_from(must_find(world, a, b), a)->lose = kinds;
}

void link_lose(struct world *world, int a, int b, enum message_kind kind)
{
    link_lose_kinds(world, a, b, kind == MESSAGE_NONE ? 0 : (uint64_t)1 << kind);
}

bool link_loses(struct world *world, int a, int b)
{
    return way_from(find(world_links(world), a, b), a)->lose != 0;
}

void link_duplicate(struct world *world, int a, int b, enum message_kind kind, uint32_t behind)
{
    struct direction *d = way_from(must_find(world, a, b), a);
    d->twice = (uint8_t)kind;
    if (!d->again)
        d->behind = behind;
}

void link_slow(struct world *world, int a, int b, uint64_t more_ns)
{
    must_find(world, a, b)->more_ns = more_ns;
}

void link_narrow(struct world *world, int a, int b, uint64_t byte_ns)
{
    must_find(world, a, b)->byte_ns = byte_ns;
}
