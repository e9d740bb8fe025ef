/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_history.h"

#include <stdlib.h>

static const uint64_t NEVER = UINT64_MAX;
static const uint32_t NONE = UINT32_MAX;

struct cluster {
    uint64_t value;
    uint64_t first_end; /* NEVER: the write has not ended and nobody has read it */
    uint64_t last_start;
    uint32_t next; /* of the block, or of the free ones */
    bool dead;
};

struct drill_history {
    uint64_t now;
    uint64_t newest;   /* value */
    struct list reads; /* struct drill_read, oldest first */
    uint32_t blocks;
    uint32_t *head; /* of each block's clusters, newest first */
    struct cluster *cluster;
    uint32_t clusters, free;
};

struct drill_history *drill_history_new(uint32_t blocks)
{
    struct drill_history *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->blocks = blocks;
    h->clusters = blocks;
    h->free = NONE;
    h->head = calloc(blocks, sizeof *h->head);
    h->cluster = calloc(blocks, sizeof *h->cluster);
    list_init(&h->reads);
    if (!h->head || !h->cluster) {
        drill_history_free(h);
        return NULL;
    }
    for (uint32_t i = 0; i < blocks; i++) {
        h->head[i] = i;
        h->cluster[i] = (struct cluster){.next = NONE};
    }
    return h;
}

void drill_history_free(struct drill_history *h)
{
    if (!h)
        return;
    free(h->head);
    free(h->cluster);
    free(h);
}

uint64_t drill_history_tick(struct drill_history *h)
{
    return ++h->now;
}

static bool grow(struct drill_history *h)
{
    uint32_t more = h->clusters < 1024 ? 1024 : h->clusters / 2;
    struct cluster *at = realloc(h->cluster, sizeof *at * (h->clusters + more));
    if (!at)
        return false;
    h->cluster = at;
    for (uint32_t i = h->clusters; i < h->clusters + more; i++) {
        at[i] = (struct cluster){.next = h->free};
        h->free = i;
    }
    h->clusters += more;
    return true;
}

static struct cluster *find(struct drill_history *h, uint32_t block, uint64_t value)
{
    for (uint32_t i = h->head[block]; i != NONE; i = h->cluster[i].next)
        if (h->cluster[i].value == value)
            return &h->cluster[i];
    return NULL;
}

static bool must_precede(const struct cluster *a, const struct cluster *b)
{
    return a->first_end < b->last_start;
}

/* No operation that ends from now on may belong to C when some D must come after it and every read
 * that is or will be under way began after D was seen. */
static bool is_dead(const struct drill_history *h, uint32_t block, const struct cluster *c,
                    uint64_t oldest)
{
    for (uint32_t i = h->head[block]; i != NONE; i = h->cluster[i].next) {
        const struct cluster *d = &h->cluster[i];
        if (d != c && must_precede(c, d) && d->first_end < oldest)
            return true;
    }
    return false;
}

static void prune(struct drill_history *h, uint32_t block)
{
    const struct drill_read *first = list_first(&h->reads, struct drill_read, link);
    uint64_t oldest = first ? first->start : h->now + 1;
    if (h->cluster[h->head[block]].next == NONE)
        return;
    /* All are judged by all before any is taken out: one dead cluster may be another's reason. */
    for (uint32_t i = h->head[block]; i != NONE; i = h->cluster[i].next)
        h->cluster[i].dead = is_dead(h, block, &h->cluster[i], oldest);
    uint32_t *link = &h->head[block];
    while (*link != NONE) {
        uint32_t i = *link;
        struct cluster *c = &h->cluster[i];
        if (!c->dead) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        c->next = h->free;
        h->free = i;
    }
}

void drill_history_read_begin(struct drill_history *h, struct drill_read *read)
{
    read->start = drill_history_tick(h);
    list_append(&h->reads, &read->link);
}

void drill_history_read_end(struct drill_history *h, struct drill_read *read)
{
    (void)h;
    list_remove(&read->link);
}

enum drill_verdict drill_history_read_value(struct drill_history *h, uint32_t block, uint64_t value,
                                            const struct drill_read *read, uint64_t end)
{
    struct cluster *c = find(h, block, value);
    if (!c)
        return value > h->newest ? DRILL_VERDICT_UNKNOWN : DRILL_VERDICT_STALE;
    struct cluster with = *c;
    if (end < with.first_end)
        with.first_end = end;
    if (read->start > with.last_start)
        with.last_start = read->start;
    for (uint32_t i = h->head[block]; i != NONE; i = h->cluster[i].next) {
        const struct cluster *d = &h->cluster[i];
        if (d != c && must_precede(&with, d) && must_precede(d, &with))
            return DRILL_VERDICT_STALE; /* not entered, so that one wrong block is one error */
    }
    *c = with;
    prune(h, block);
    return DRILL_VERDICT_GOOD;
}

bool drill_history_write_begin(struct drill_history *h, uint32_t block, uint64_t value,
                               uint64_t start)
{
    if (h->free == NONE && !grow(h))
        return false;
    uint32_t i = h->free;
    struct cluster *c = &h->cluster[i];
    h->free = c->next;
    *c = (struct cluster){
        .value = value, .first_end = NEVER, .last_start = start, .next = h->head[block]};
    h->head[block] = i;
    if (value > h->newest)
        h->newest = value;
    return true;
}

void drill_history_write_end(struct drill_history *h, uint32_t block, uint64_t value, uint64_t end)
{
    struct cluster *c = find(h, block, value);
    if (!c)
        return; /* read, replaced and forgotten before its own answer came */
    if (end < c->first_end)
        c->first_end = end;
    prune(h, block);
}

uint32_t drill_history_values(const struct drill_history *h, uint32_t block, uint64_t *out,
                              uint32_t most)
{
    uint32_t count = 0;
    for (uint32_t i = h->head[block]; i != NONE && count < most; i = h->cluster[i].next)
        if (!is_dead(h, block, &h->cluster[i], h->now + 1))
            out[count++] = h->cluster[i].value;
    return count;
}

const char *drill_verdict_name(enum drill_verdict verdict)
{
    switch (verdict) {
    case DRILL_VERDICT_GOOD:
        return "good";
    case DRILL_VERDICT_STALE:
        return "stale";
    case DRILL_VERDICT_UNKNOWN:
        return "never written";
    }
    return "?";
}
