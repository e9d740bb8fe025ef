/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that a unit knows, by identity: those in its queue (waiting for an order, or with
 * one) and those that are done (outcomes, and data that is not on the drives yet). One entry is one
 * command from its first copy until its response is confirmed and its data is clean. */
#include "unit/state.h"

static uint32_t bucket_of(const struct command_id *id)
{
    uint64_t h = (id->sequence * SENDER_MAX + id->sender) * 0x9E3779B97F4A7C15ull ^ id->session;
    h ^= h >> 29;
    return (h * 0xBF58476D1CE4E5B9ull >> 40) % TABLE_BUCKETS;
}

static bool bucket_used(const struct unit *x, uint32_t bucket)
{
    return x->bucket_used[bucket / 64] >> (bucket % 64) & 1;
}

static void bucket_add(struct unit *x, uint32_t bucket, struct queued *q)
{
    if (!bucket_used(x, bucket))
        list_init(&x->buckets[bucket]);
    x->bucket_used[bucket / 64] |= (uint64_t)1 << (bucket % 64);
    list_append(&x->buckets[bucket], &q->hash);
}

uint32_t table_bucket(struct unit *x, uint32_t from)
{
    for (uint32_t b = from; b < TABLE_BUCKETS; b++) {
        uint64_t word = x->bucket_used[b / 64] >> (b % 64);
        if (!word) {
            b |= 63;
            continue;
        }
        b += (uint32_t)__builtin_ctzll(word);
        if (!list_empty(&x->buckets[b]))
            return b;
        x->bucket_used[b / 64] &= ~((uint64_t)1 << (b % 64));
    }
    return TABLE_BUCKETS;
}

struct queued *table_find(struct unit *x, const struct command_id *id)
{
    uint32_t bucket = bucket_of(id);
    if (!bucket_used(x, bucket))
        return NULL;
    list_each (&x->buckets[bucket], link, next) {
        struct queued *q = list_member(link, struct queued, hash);
        if (command_id_same(q->message.id, *id))
            return q;
    }
    return NULL;
}

struct queued *table_add(struct unit *x, const struct command_id *id)
{
    struct queued *q = list_first(&x->free, struct queued, hash);
    if (q)
        list_remove(&q->hash);
    else if (x->table_used < TABLE_MAX)
        q = &x->table[x->table_used++]; /* memory is touched only as far as it was ever needed */
    else
        return NULL;
    memset(q, 0, sizeof *q);
    list_init(&q->hash);
    list_init(&q->place_link);
    list_init(&q->run_link);
    list_init(&q->volume_link);
    list_init(&q->dirty_link);
    list_init(&q->region_link[0]);
    list_init(&q->region_link[1]);
    q->message.id = *id;
    q->arrived_ns = x->now_ns;
    bucket_add(x, bucket_of(id), q);
    return q;
}

struct queued *table_make(struct unit *x, const struct command_id *id)
{
    struct queued *q = table_add(x, id);
    if (q)
        return q;
    /* what waits is ours alone, and is sent again; all else the primary's table holds as well */
    struct queued *waiting = list_first(&x->waiting, struct queued, place_link);
    must(waiting);
    table_free(x, waiting);
    return table_add(x, id);
}

static uint32_t *place_count(struct unit *x, enum command_place place)
{
    switch (place) {
    case PLACE_WAITING:
        return &x->waiting_count;
    case PLACE_ORDERED:
        return &x->ordered_count;
    case PLACE_DONE:
        return &x->done_count;
    case PLACE_FREE:
        break;
    }
    return NULL;
}

/* Orders mostly come ascending, so the place is near the list's end. */
static void insert_ordered(struct unit *x, struct queued *q)
{
    struct list *at = &x->ordered;
    while (at->prev != &x->ordered &&
           list_member(at->prev, struct queued, place_link)->order > q->order)
        at = at->prev;
    list_insert_before(at, &q->place_link);
}

void table_place(struct unit *x, struct queued *q, enum command_place place)
{
    uint32_t *count = place_count(x, q->place);
    if (count)
        --*count;
    list_remove(&q->place_link);
    q->place = place;
    count = place_count(x, place);
    if (count)
        ++*count;
    if (place == PLACE_WAITING)
        list_append(&x->waiting, &q->place_link);
    else if (place == PLACE_ORDERED)
        insert_ordered(x, q);
}

void table_free(struct unit *x, struct queued *q)
{
    must(!q->dirty);
    table_place(x, q, PLACE_FREE);
    list_remove(&q->run_link);
    list_remove(&q->volume_link);
    list_remove(&q->hash);
    slice_drop(&q->data);
    slice_drop(&q->reply);
    slice_drop(&q->work);
    slice_drop(&q->resolution);
    list_prepend(&x->free, &q->hash);
}

void table_maybe_free(struct unit *x, struct queued *q)
{
    bool awaits_body = list_linked(&q->run_link); /* dirty data on its way to a member */
    if (q->place == PLACE_DONE && (q->confirmed || mutant(MUTANT_OUTCOME_FORGOTTEN)) && !q->dirty &&
        !awaits_body && (q->phase == RUN_IDLE || q->phase == RUN_FINISHED))
        table_free(x, q);
}

void table_clear(struct unit *x)
{
    mirror_clear(x);
    table_each_bucket (x, b)
        list_each (&x->buckets[b], link, next)
            table_free(x, list_member(link, struct queued, hash));
}

void table_drop_waiting(struct unit *x, uint8_t sender, uint64_t session)
{
    list_each (&x->waiting, link, next) {
        struct queued *q = list_member(link, struct queued, place_link);
        if (q->message.id.sender == sender && q->message.id.session <= session)
            table_free(x, q);
    }
}

void table_drop_orderless(struct unit *x)
{
    if (mutant(MUTANT_ORDERLESS_ADOPTED))
        return;
    list_each (&x->waiting, link, next)
        table_free(x, list_member(link, struct queued, place_link));
}

void table_keep_body(struct unit *x, struct queued *q, const struct command_message *message,
                     struct slice data)
{
    if (q->has_body)
        return;
    struct command_id id = q->message.id;
    q->message = *message;
    q->message.id = id;
    q->data = slice_ref(data);
    q->has_body = true;
    (void)x;
}
