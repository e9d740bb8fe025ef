/* SPDX-License-Identifier: Apache-2.0 */
/* The mirror: writes that are done (acknowledged) but not on the drives yet, on every member. The
 * primary destages them, oldest first where they overlap, and says CLEAN for each; CLEAN takes out
 * that very write and nothing else. docs/PROTOCOL.md, "Done".
 *
 * M1  of two dirty writes that overlap the older one is clean first: so what stays is always newest
 * M2  a destage is under way only in the primary
 * M3  `dirty` and the list of each region are in the order of orders
 */
#include "unit/state.h"

enum { DESTAGE_MAX = 128 };

static uint32_t region_blocks(const struct unit *x, uint16_t volume)
{
    const struct volume_info *info = scsi_volume(x->scsi, volume);
    return MIRROR_REGION_BYTES / (info ? info->block_bytes : 512);
}

static uint32_t bucket_of(uint16_t volume, uint64_t region)
{
    uint64_t h = (region * VOLUME_MAX + volume) * 0x9E3779B97F4A7C15ull;
    return (uint32_t)(h >> 40) % MIRROR_BUCKETS;
}

static struct list *region_list(struct unit *x, uint32_t bucket)
{
    struct list *list = &x->regions[bucket];
    if (!list->next)
        list_init(list);
    return list;
}

static bool meets(const struct queued *q, uint16_t volume, const struct extent *extent)
{
    return q->message.volume == volume && q->written.lba < extent->lba + extent->blocks &&
           extent->lba < q->written.lba + q->written.blocks;
}

/* A link may be the first or the second of its write. */
static struct queued *of_region_link(const struct unit *x, struct list *link)
{
    size_t at = (size_t)((char *)link - (char *)x->table);
    return &x->table[at / sizeof(struct queued)];
}

static void insert_dirty(struct unit *x, struct queued *q)
{
    struct list *at = &x->dirty;
    while (at->prev != &x->dirty && !mutant(MUTANT_DIRTY_UNORDERED) &&
           list_member(at->prev, struct queued, dirty_link)->order > q->order)
        at = at->prev;
    list_insert_before(at, &q->dirty_link);
}

/* M3 */
static void insert_region(struct unit *x, struct queued *q, int i)
{
    struct list *head = region_list(x, q->region_bucket[i]), *at = head;
    while (at->prev != head && !mutant(MUTANT_DIRTY_UNORDERED) &&
           of_region_link(x, at->prev)->order > q->order)
        at = at->prev;
    list_insert_before(at, &q->region_link[i]);
}

void mirror_add(struct unit *x, struct queued *q)
{
    if (q->dirty)
        return;
    scsi_extent(x->scsi, &q->message, &q->written);
    if (q->written.blocks == 0) { /* its volume is no more */
        slice_drop(&q->data);
        return;
    }
    q->dirty = true;
    q->destaging = false;
    q->dirty_number = ++x->dirty_numbers;
    insert_dirty(x, q);
    uint32_t blocks = region_blocks(x, q->message.volume);
    uint64_t first = q->written.lba / blocks;
    uint64_t last = (q->written.lba + q->written.blocks - 1) / blocks;
    must(last - first <= 1);
    for (uint64_t r = first; r <= last; r++) {
        int i = (int)(r - first);
        q->region_bucket[i] = bucket_of(q->message.volume, r);
        insert_region(x, q, i);
    }
    x->dirty_count++;
    x->dirty_bytes += q->data.length;
}

static void drop_by_block(struct unit *x, const struct extent *written, uint16_t volume)
{
    struct list *link = x->dirty.next;
    while (link != &x->dirty) {
        struct queued *q = list_member(link, struct queued, dirty_link);
        bool drops = !q->destaging && meets(q, volume, written);
        if (drops)
            mirror_remove(x, q); /* and so those that it meets */
        link = drops ? x->dirty.next : link->next;
    }
}

void mirror_remove(struct unit *x, struct queued *q)
{
    must(q->dirty);
    list_remove(&q->dirty_link);
    list_remove(&q->region_link[0]);
    list_remove(&q->region_link[1]);
    if (q->destaging)
        x->destaging_count--;
    q->dirty = q->destaging = false;
    x->dirty_count--;
    x->dirty_bytes -= q->data.length;
    slice_drop(&q->data);
    if (mutant(MUTANT_MIRROR_DROPPED_BY_BLOCK))
        drop_by_block(x, &q->written, q->message.volume);
}

/* Calls for each dirty write that meets the extent, oldest first within a region. */
struct meeting {
    struct queued *at[256];
    uint32_t count;
    bool more;
};

static void find_meeting(struct unit *x, uint16_t volume, const struct extent *extent,
                         struct meeting *out)
{
    uint32_t blocks = region_blocks(x, volume);
    uint64_t first = extent->lba / blocks;
    uint64_t last = extent->blocks ? (extent->lba + extent->blocks - 1) / blocks : first;
    out->count = 0;
    out->more = false;
    if (last - first > 16) { /* a large fill: look at all of them */
        list_each (&x->dirty, link, next) {
            struct queued *q = list_member(link, struct queued, dirty_link);
            if (!meets(q, volume, extent))
                continue;
            if (out->count == 256)
                out->more = true;
            else
                out->at[out->count++] = q;
        }
        return;
    }
    for (uint64_t r = first; r <= last; r++) {
        struct list *head = region_list(x, bucket_of(volume, r));
        list_each (head, link, next) {
            struct queued *q = of_region_link(x, link);
            if (!meets(q, volume, extent))
                continue;
            if (out->count == 256)
                out->more = true;
            else
                out->at[out->count++] = q;
        }
    }
}

bool mirror_overlaps(struct unit *x, uint16_t volume, const struct extent *extent)
{
    if (x->dirty_count == 0)
        return false;
    struct meeting found;
    find_meeting(x, volume, extent, &found);
    return found.count > 0;
}

bool mirror_first(const struct unit *x, uint16_t volume, const struct extent *extent,
                  struct extent *out)
{
    bool any = false;
    list_each (&x->dirty, link, next) {
        const struct queued *q = list_member(link, struct queued, dirty_link);
        if (!meets(q, volume, extent) || (any && q->written.lba >= out->lba))
            continue;
        *out = q->written;
        any = true;
    }
    return any;
}

static void sort_by_order(struct meeting *m)
{
    for (uint32_t i = 1; i < m->count; i++) {
        struct queued *q = m->at[i];
        uint32_t j = i;
        for (; j > 0 && m->at[j - 1]->order > q->order; j--)
            m->at[j] = m->at[j - 1];
        m->at[j] = q;
    }
}

/* Copies what each write has of the extent, oldest first; true: together they cover it. */
static bool compose(const struct meeting *found, const struct extent *extent, uint32_t block_bytes,
                    uint8_t *out)
{
    uint64_t covered_to = extent->lba, end = extent->lba + extent->blocks;
    bool grew = true;
    while (grew && covered_to < end) { /* is there no hole? */
        grew = false;
        for (uint32_t i = 0; i < found->count; i++) {
            const struct extent *w = &found->at[i]->written;
            if (w->lba <= covered_to && w->lba + w->blocks > covered_to) {
                covered_to = w->lba + w->blocks;
                grew = true;
            }
        }
    }
    if (covered_to < end)
        return false;
    for (uint32_t i = 0; out && i < found->count; i++) {
        const struct queued *q = found->at[i];
        uint64_t from = q->written.lba > extent->lba ? q->written.lba : extent->lba;
        uint64_t to = q->written.lba + q->written.blocks;
        to = to < end ? to : end;
        memcpy(out + (from - extent->lba) * block_bytes,
               slice_bytes(q->data) + (from - q->written.lba) * block_bytes,
               (to - from) * block_bytes);
    }
    return true;
}

int mirror_read(struct unit *x, uint16_t volume, const struct extent *extent, struct slice *out)
{
    struct meeting found;
    find_meeting(x, volume, extent, &found);
    if (found.more || !compose(&found, extent, 0, NULL))
        return 0;
    if (mutant(MUTANT_MIRROR_READ_UNSORTED))
        found.at[found.count - 1] = found.at[0];
    sort_by_order(&found);
    uint32_t block_bytes = MIRROR_REGION_BYTES / region_blocks(x, volume);
    uint32_t length = (uint32_t)extent->blocks * block_bytes;
    const struct queued *newest = found.at[found.count - 1];
    if (newest->written.lba <= extent->lba &&
        newest->written.lba + newest->written.blocks >= extent->lba + extent->blocks) {
        uint32_t skip = (uint32_t)(extent->lba - newest->written.lba) * block_bytes;
        *out = slice_of(buffer_ref(newest->data.buffer), newest->data.offset + skip, length);
        return 1;
    }
    struct buffer *buffer = buffer_get(x->buffers, length);
    if (!buffer)
        return -1;
    compose(&found, extent, block_bytes, buffer->data);
    *out = slice_of(buffer, 0, length);
    return 1;
}

/* However many meet it: the oldest must always be free to go. Regions are in order. */
static bool older_meets(struct unit *x, const struct queued *q)
{
    for (int i = 0; i < 2; i++) {
        if (!list_linked(&q->region_link[i]))
            continue;
        list_each (region_list(x, q->region_bucket[i]), link, next) {
            const struct queued *other = of_region_link(x, link);
            if (other->order >= q->order)
                break;
            if (meets(other, q->message.volume, &q->written) && !mutant(MUTANT_DESTAGE_UNORDERED))
                return true;
        }
    }
    return false;
}

void mirror_destage(struct unit *x)
{
    if (!unit_primary(x) || x->destaging_count >= DESTAGE_MAX ||
        x->destaging_count == x->dirty_count ||
        (x->handing != MODULE_NONE && x->ordered_count == 0)) /* about to hand over */
        return;
    uint32_t looked = 0;
    list_each (&x->dirty, link, next) {
        struct queued *q = list_member(link, struct queued, dirty_link);
        if (x->destaging_count >= DESTAGE_MAX || ++looked > 4 * DESTAGE_MAX)
            return;
        if (q->destaging || x->now_ns < q->destage_after_ns || older_meets(x, q))
            continue;
        q->destaging = true;
        x->destaging_count++;
        memset(&q->io, 0, sizeof q->io);
        q->io.op = ARRAY_WRITE;
        q->io.volume = q->message.volume;
        q->io.lba = q->written.lba;
        q->io.blocks = q->written.blocks;
        q->io.data = q->data;
        q->io.fua = unit_lone(x) && !mutant(MUTANT_LONE_UNFLUSHED);
        q->io.cookie = (uint64_t)(q - x->table);
        array_submit(x->array, &q->io);
        if (mutant(MUTANT_CLEAN_BEFORE_DRIVES))
            stream_append(x, &(struct entry){.kind = ENTRY_CLEAN, .id = q->message.id});
    }
}

void mirror_destaged(struct unit *x, struct queued *q)
{
    must(q->dirty && q->destaging);
    if (q->io.failed && !scsi_volume(x->scsi, q->message.volume)) {
        mirror_remove(x, q);
        table_maybe_free(x, q);
        return;
    }
    if ((q->io.failed || q->io.no_space) && !mutant(MUTANT_DESTAGE_FAILURE_FORGOTTEN)) {
        if (q->io.failed)
            trace_error(x->trace,
                        "acknowledged data of volume %u at %llu+%llu is not on drives: "
                        "too few of them take it; it is kept and tried again",
                        q->message.volume, (unsigned long long)q->written.lba,
                        (unsigned long long)q->written.blocks);
        q->destaging = false;
        q->destage_after_ns = x->now_ns + MS(100);
        x->destaging_count--;
        return;
    }
    if (unit_needs_flush(x, q)) { /* it went lone meanwhile: it is written again, flushed */
        q->destaging = false;
        x->destaging_count--;
        return;
    }
    struct entry entry = {.kind = ENTRY_CLEAN, .id = q->message.id};
    stream_append(x, &entry);
    trace_detail(x->trace, "clean %llu", (unsigned long long)q->order);
    uint16_t volume = q->message.volume;
    mirror_remove(x, q);
    x->progress++;
    table_maybe_free(x, q);
    run_kick(x, volume);
    if (x->barriers > 0)
        run_retry(x); /* one of another volume may wait for this */
}

bool mirror_flushed(struct unit *x, uint16_t volume, uint64_t number)
{
    list_each (&x->dirty, link, next) {
        const struct queued *q = list_member(link, struct queued, dirty_link);
        if (q->message.volume == volume && q->dirty_number <= number)
            return false;
    }
    return true;
}

void mirror_forget_volumes(struct unit *x)
{
    list_each (&x->dirty, link, next) {
        struct queued *q = list_member(link, struct queued, dirty_link);
        if (q->destaging || scsi_volume(x->scsi, q->message.volume))
            continue; /* a destage under way comes back failed, and goes then */
        mirror_remove(x, q);
        table_maybe_free(x, q);
    }
}

void mirror_stop(struct unit *x)
{
    list_each (&x->dirty, link, next)
        list_member(link, struct queued, dirty_link)->destaging = false;
    x->destaging_count = 0;
}

void mirror_clear(struct unit *x)
{
    list_each (&x->dirty, link, next) {
        struct queued *q = list_member(link, struct queued, dirty_link);
        list_remove(&q->dirty_link);
        list_remove(&q->region_link[0]);
        list_remove(&q->region_link[1]);
        q->dirty = q->destaging = false;
    }
    x->dirty_count = x->destaging_count = 0;
    x->dirty_bytes = 0;
}
