/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/disk.h"

#include <stdlib.h>

#include "base/must.h"

enum {
    OPERATIONS = 4096,
    BLOCK = 512,
    CHUNK = 64 << 10,
    PAGE = 4096,
    ROOM = 16 << 20,
    SPARES = 64,
    SPOILED = 32
};

/* What a write that is not flushed has covered: one for each chunk that it touches. */
struct unflushed {
    struct unflushed *older;
    uint64_t offset;
    uint32_t length;
    uint8_t *before; /* NULL: zeroes */
};

struct disk {
    int process;
    uint64_t bytes;
    uint8_t *now;  /* what reads see */
    bool *touched; /* chunk i has been written: the others are zero */
    bool *written; /* the same of pages */
    uint64_t room; /* of the memory */
    struct unflushed *newest;
    bool hangs, fails_reads, fails_writes, gone;
    uint64_t more_ns;
    uint64_t disturbed_ns; /* disk_sound_since */
    uint64_t next_ns;      /* disk_delay_next */
    enum drive_op next_op;
    uint64_t spoiled[SPOILED]; /* blocks that cannot be read, each number + 1 */
};

struct operation {
    bool used, store;
    bool fails;      /* disk_next */
    uint32_t serial; /* tells a slot's operations apart */
    struct part *part;
    uint64_t tag, due_ns;
    int number;
    enum drive_op op;
    bool fua;
    uint64_t offset;
    uint32_t length;
    struct slice data;
    uint32_t stored_length;
    uint8_t stored[512];
};

struct disks {
    struct world *world;
    struct disk at[DRIVE_MAX];
    struct operation operation[OPERATIONS];
    uint32_t operations_end; /* those beyond were never used */
    uint32_t free[OPERATIONS], free_count, serial;
    bool next_fails;
    uint64_t next_more_ns;
};

struct disks *disks_new(struct world *world)
{
    struct disks *disks = calloc(1, sizeof *disks);
    must(disks);
    disks->world = world;
    for (uint32_t i = 0; i < OPERATIONS; i++)
        disks->free[disks->free_count++] = OPERATIONS - 1 - i;
    return disks;
}

static void forget_unflushed(struct disk *d)
{
    while (d->newest) {
        struct unflushed *u = d->newest;
        d->newest = u->older;
        free(u->before);
        free(u);
    }
}

/* Memory of drives that are gone, all zero again: a swarm makes thousands of arrays. */
static struct spare {
    uint64_t room;
    uint8_t *now;
    bool *touched, *written;
} spare[SPARES];

static void memory_take(struct disk *d)
{
    for (int i = 0; i < SPARES; i++)
        if (spare[i].now && spare[i].room >= d->bytes) {
            d->room = spare[i].room;
            d->now = spare[i].now;
            d->touched = spare[i].touched;
            d->written = spare[i].written;
            spare[i].now = NULL;
            return;
        }
    d->room = (d->bytes + ROOM - 1) / ROOM * ROOM;
    d->now = calloc(d->room / PAGE, PAGE);
    d->touched = calloc(d->room / CHUNK, sizeof *d->touched);
    d->written = calloc(d->room / PAGE, sizeof *d->written);
    must(d->now && d->touched && d->written);
}

/* Makes the range zero: where nothing was written it is. */
static void zero_pages(struct disk *d, uint64_t offset, uint64_t length)
{
    while (length > 0) {
        uint64_t some = PAGE - offset % PAGE;
        if (some > length)
            some = length;
        if (d->written[offset / PAGE])
            memset(d->now + offset, 0, some);
        offset += some;
        length -= some;
    }
}

static void make_blank(struct disk *d)
{
    for (uint64_t c = 0; c < d->room / CHUNK; c++)
        if (d->touched[c])
            zero_pages(d, c * CHUNK, CHUNK);
    memset(d->touched, 0, d->room / CHUNK * sizeof *d->touched);
    memset(d->written, 0, d->room / PAGE * sizeof *d->written);
}

static void memory_give(struct disk *d)
{
    for (int i = 0; d->now && i < SPARES; i++) {
        if (spare[i].now)
            continue;
        make_blank(d);
        spare[i] = (struct spare){d->room, d->now, d->touched, d->written};
        return;
    }
    free(d->now);
    free(d->touched);
    free(d->written);
}

void disks_free(struct disks *disks)
{
    for (int i = 0; i < DRIVE_MAX; i++) {
        forget_unflushed(&disks->at[i]);
        memory_give(&disks->at[i]);
    }
    for (uint32_t i = 0; i < disks->operations_end; i++)
        if (disks->operation[i].used)
            slice_drop(&disks->operation[i].data);
    free(disks);
}

void disk_add(struct world *world, int process, int number, uint64_t bytes)
{
    struct disk *d = &world_disks(world)->at[number];
    d->process = process;
    d->bytes = bytes;
    memory_take(d);
}

static struct disk *disk_of(struct world *world, int number)
{
    must(number >= 0 && number < DRIVE_MAX && world_disks(world)->at[number].now);
    return &world_disks(world)->at[number];
}

uint64_t disk_size(struct world *world, int number)
{
    return disk_of(world, number)->bytes;
}

const uint8_t *disk_bytes(struct world *world, int number)
{
    return disk_of(world, number)->now;
}

static bool was_touched(const struct disk *d, uint64_t offset, uint32_t length)
{
    for (uint64_t c = offset / CHUNK; c * CHUNK < offset + length; c++)
        if (d->touched[c])
            return true;
    return false;
}

bool disk_touched(struct world *world, int number, uint64_t offset, uint32_t length)
{
    struct disk *d = disk_of(world, number);
    must(offset + length <= d->bytes);
    return was_touched(d, offset, length);
}

/* ---- content ---- */

static void touch(struct disk *d, uint64_t offset, uint32_t length)
{
    for (uint64_t c = offset / CHUNK; c * CHUNK < offset + length; c++)
        d->touched[c] = true;
}

/* The range gets the bytes, again and again. */
static void put(struct disk *d, uint64_t offset, uint32_t length, const uint8_t *bytes,
                uint32_t period)
{
    for (uint64_t p = offset / PAGE; p * PAGE < offset + length; p++)
        d->written[p] = true;
    for (uint32_t at = 0; at < length; at += period)
        memcpy(d->now + offset + at, bytes, period < length - at ? period : length - at);
}

/* What was never written is not even looked at: the system would have to find pages for it. */
static void copy_out(const struct disk *d, uint8_t *out, uint64_t offset, uint32_t length)
{
    while (length > 0) {
        uint32_t some = PAGE - (uint32_t)(offset % PAGE);
        if (some > length)
            some = length;
        if (d->written[offset / PAGE])
            memcpy(out, d->now + offset, some);
        else
            memset(out, 0, some);
        out += some;
        offset += some;
        length -= some;
    }
}

static bool was_written(const struct disk *d, uint64_t offset, uint32_t length)
{
    for (uint64_t p = offset / PAGE; p * PAGE < offset + length; p++)
        if (d->written[p])
            return true;
    return false;
}

static void remember_unflushed(struct disk *d, uint64_t offset, uint32_t length)
{
    while (length >
           0) { /* the last chunk first: who goes from the newest on meets the first first */
        uint64_t end = offset + length;
        uint32_t some = (uint32_t)((end - 1) % CHUNK + 1);
        if (some > length)
            some = length;
        struct unflushed *u = malloc(sizeof *u);
        must(u);
        *u = (struct unflushed){d->newest, end - some, some, NULL};
        if (was_written(d, u->offset, some)) {
            u->before = malloc(some);
            must(u->before);
            copy_out(d, u->before, u->offset, some);
        }
        d->newest = u;
        length -= some;
    }
}

/* Durable at once; what lay under it must never come back. */
static void force(struct disk *d, uint64_t offset, uint32_t length)
{
    for (struct unflushed *u = d->newest; u; u = u->older) {
        uint64_t first = u->offset > offset ? u->offset : offset;
        uint64_t u_end = u->offset + u->length, end = offset + length;
        if (end > u_end)
            end = u_end;
        if (first >= end)
            continue;
        if (!u->before)
            u->before = calloc(1, u->length);
        must(u->before);
        copy_out(d, u->before + (first - u->offset), first, (uint32_t)(end - first));
    }
}

/* A block that cannot be read: until it is written. */
static bool spoils(struct disk *d, const struct operation *o, bool heal)
{
    bool any = false;
    for (int i = 0; i < SPOILED; i++) {
        uint64_t at = (d->spoiled[i] - 1) * BLOCK;
        if (!d->spoiled[i] || at + BLOCK <= o->offset || at >= o->offset + o->length)
            continue;
        any = true;
        if (heal)
            d->spoiled[i] = 0;
    }
    return any;
}

/* Zeroes, where there is nothing else: most of what a drive that is written again gets. */
static bool changes_nothing(const struct disk *d, const struct operation *o)
{
    if (was_touched(d, o->offset, o->length))
        return false;
    const uint8_t *bytes = slice_bytes(o->data);
    return !o->data.length || (bytes[0] == 0 && memcmp(bytes, bytes + 1, o->data.length - 1) == 0);
}

/* The first `length` bytes of the write or fill reach the drive. */
static void change(struct disk *d, const struct operation *o, uint32_t length)
{
    const uint8_t *bytes = slice_bytes(o->data);
    if (length == 0 || changes_nothing(d, o))
        return;
    if (!o->fua)
        remember_unflushed(d, o->offset, length);
    touch(d, o->offset, length);
    if (o->op == DRIVE_WRITE)
        put(d, o->offset, length, bytes, length);
    else if (!o->data.length)
        zero_pages(d, o->offset, length);
    else
        put(d, o->offset, length, bytes, o->data.length);
    if (o->fua)
        force(d, o->offset, length);
}

static bool in_range(const struct disk *d, const struct operation *o)
{
    return o->offset <= d->bytes && o->length <= d->bytes - o->offset;
}

static enum drive_status carry_out(struct disks *disks, struct operation *o, struct slice *read)
{
    struct disk *d = &disks->at[o->number];
    if (!d->now || d->gone)
        return DRIVE_GONE;
    if (!in_range(d, o) || (o->op == DRIVE_READ ? d->fails_reads : d->fails_writes))
        return DRIVE_MEDIUM_ERROR;
    if (o->op == DRIVE_FLUSH)
        forget_unflushed(d);
    else if (o->op == DRIVE_READ && spoils(d, o, false))
        return DRIVE_MEDIUM_ERROR;
    else if (o->op == DRIVE_READ) {
        struct buffer *buffer = buffer_get(world_buffers(disks->world), o->length);
        must(buffer);
        copy_out(d, buffer->data, o->offset, o->length);
        *read = slice_of(buffer, 0, o->length);
    } else {
        spoils(d, o, true);
        change(d, o, o->length);
    }
    return DRIVE_OK;
}

/* ---- operations ---- */

static void release(struct disks *disks, struct operation *o)
{
    slice_drop(&o->data);
    o->used = false;
    disks->free[disks->free_count++] = (uint32_t)(o - disks->operation);
}

static uint64_t duration(struct disks *disks, const struct operation *o)
{
    const struct world_config *settings = world_settings(disks->world);
    uint64_t jitter = random_below(world_random(disks->world), settings->disk_jitter_ns + 1);
    uint64_t ns = settings->disk_delay_ns + jitter + disks->next_more_ns;
    disks->next_more_ns = 0;
    if (o->store)
        return ns;
    struct disk *d = &disks->at[o->number];
    ns += d->more_ns;
    bool late = d->more_ns > 0;
    if (d->next_ns && d->next_op == o->op) {
        ns += d->next_ns;
        d->next_ns = 0;
        late = true;
    }
    if (late && d->disturbed_ns < world_now(disks->world) + ns)
        d->disturbed_ns = world_now(disks->world) + ns;
    return ns;
}

void disks_act(struct disks *disks, struct part *part, const struct action *action)
{
    must(disks->free_count > 0);
    uint32_t i = disks->free[--disks->free_count];
    if (disks->operations_end <= i)
        disks->operations_end = i + 1;
    struct operation *o = &disks->operation[i];
    memset(o, 0, sizeof *o);
    o->used = true;
    o->serial = ++disks->serial;
    o->part = part;
    o->fails = disks->next_fails;
    disks->next_fails = false;
    if (action->kind == ACTION_STORE) {
        o->store = true;
        o->tag = action->store.tag;
        o->stored_length = action->store.length;
        memcpy(o->stored, action->store.bytes, sizeof o->stored);
    } else {
        o->tag = action->drive.tag;
        o->number = port_index(part->port) * 32 + action->drive.slot;
        must(o->number < DRIVE_MAX);
        o->op = (enum drive_op)action->drive.op;
        o->fua = action->drive.fua;
        o->offset = action->drive.offset;
        o->length = action->drive.length;
        o->data = action->drive.data;
        must(o->op != DRIVE_WRITE || o->data.length == o->length);
    }
    o->due_ns = world_now(disks->world) + duration(disks, o);
    world_schedule(disks->world, o->due_ns, HAPPENING_DISK,
                   (uint64_t)o->serial << 32 | (uint64_t)(o - disks->operation));
}

static void answer(struct disks *disks, struct operation *o, enum drive_status status,
                   struct slice read)
{
    struct item *item = item_new(ITEM_EVENT);
    item->port = o->part->port;
    item->payload = read;
    struct event *event = &item->ready.event;
    if (o->store) {
        event->kind = EVENT_STORED;
        event->stored.tag = o->tag;
        event->stored.ok = status == DRIVE_OK;
    } else {
        event->kind = EVENT_DRIVE;
        event->drive.tag = o->tag;
        event->drive.status = status;
        event->drive.data = read;
    }
    world_deliver(disks->world, o->part->process, item);
}

static void store(const struct operation *o)
{
    o->part->stored_length = o->stored_length;
    memcpy(o->part->stored, o->stored, sizeof o->stored);
}

/* What was under way happens, does not, or is torn. */
static void cut_short(struct disks *disks, struct operation *o)
{
    struct random *random = world_random(disks->world);
    if (o->store) {
        if (random_chance(random, 50))
            store(o);
        return;
    }
    struct disk *d = &disks->at[o->number];
    bool writes = o->op == DRIVE_WRITE || o->op == DRIVE_FILL;
    if (!writes || !d->now || d->gone || d->fails_writes || !in_range(d, o))
        return;
    uint32_t blocks = o->length / BLOCK;
    uint32_t done = random_chance(random, 40)   ? blocks
                    : random_chance(random, 50) ? 0
                                                : (uint32_t)random_below(random, blocks + 1);
    o->fua = false;
    change(d, o, done * BLOCK);
}

void disks_happened(struct disks *disks, uint64_t what)
{
    struct operation *o = &disks->operation[(uint32_t)what];
    if (!o->used || o->serial != what >> 32)
        return; /* its process has died: disks_process_down has dealt with it */
    if (!o->store && disks->at[o->number].hangs) {
        world_schedule(disks->world, world_now(disks->world) + MS(1), HAPPENING_DISK, what);
        return;
    }
    struct slice read = slice_none();
    enum drive_status status = DRIVE_OK;
    if (o->fails) {
        cut_short(disks, o);
        status = DRIVE_MEDIUM_ERROR;
    } else if (o->store)
        store(o);
    else
        status = carry_out(disks, o, &read);
    answer(disks, o, status, read);
    release(disks, o);
}

void disks_process_down(struct disks *disks, int process)
{
    for (uint32_t i = 0; i < disks->operations_end; i++) {
        struct operation *o = &disks->operation[i];
        if (!o->used || o->part->process != process)
            continue;
        cut_short(disks, o);
        release(disks, o);
    }
}

/* Of each block some state that it had since the last flush stays: from the newest write to the
 * oldest, each is kept, or what it covered comes back. */
void disk_power_cut(struct world *world, int number)
{
    struct random *random = world_random(world);
    struct disk *d = disk_of(world, number);
    uint64_t blocks = d->bytes / BLOCK + 1;
    uint8_t *decided = calloc(blocks, 1);
    must(decided);
    for (struct unflushed *u = d->newest; u; u = u->older)
        for (uint32_t at = 0; at < u->length; at += BLOCK) {
            uint8_t *kept = &decided[(u->offset + at) / BLOCK];
            *kept = *kept || random_chance(random, 50);
            if (!*kept && u->before)
                memcpy(d->now + u->offset + at, u->before + at, BLOCK);
            else if (!*kept)
                zero_pages(d, u->offset + at, BLOCK);
        }
    free(decided);
    forget_unflushed(d);
}

void disks_power_cut(struct disks *disks)
{
    for (int i = 0; i < DRIVE_MAX; i++)
        if (disks->at[i].now)
            disk_power_cut(disks->world, i);
}

/* ---- faults ---- */

static void disturb(struct world *world, struct disk *d)
{
    if (d->disturbed_ns < world_now(world)) /* else one operation is late until then */
        d->disturbed_ns = world_now(world);
}

void disk_hang(struct world *world, int number, bool hangs)
{
    struct disk *d = disk_of(world, number);
    d->hangs = hangs;
    disturb(world, d);
}

void disk_delay_next(struct world *world, int number, enum drive_op op, uint64_t for_ns)
{
    struct disk *d = disk_of(world, number);
    d->next_op = op;
    d->next_ns = for_ns;
    disturb(world, d);
}

void disk_slow(struct world *world, int number, uint64_t more_ns)
{
    struct disk *d = disk_of(world, number);
    d->more_ns = more_ns;
    disturb(world, d);
}

void disk_next(struct world *world, bool fails, uint64_t more_ns)
{
    world_disks(world)->next_fails = fails;
    world_disks(world)->next_more_ns = more_ns;
}

void disk_fail(struct world *world, int number, bool reads, bool writes)
{
    struct disk *d = disk_of(world, number);
    d->fails_reads = reads;
    d->fails_writes = writes;
    disturb(world, d);
}

void disk_remove(struct world *world, int number, bool gone)
{
    struct disk *d = disk_of(world, number);
    d->gone = gone;
    disturb(world, d);
}

uint64_t disk_sound_since(struct world *world, int number)
{
    const struct disk *d = disk_of(world, number);
    bool sick =
        d->hangs || d->more_ns || d->fails_reads || d->fails_writes || d->gone || d->next_ns;
    return sick || d->disturbed_ns > world_now(world) ? UINT64_MAX : d->disturbed_ns;
}

void disk_spoil(struct world *world, int number, uint64_t offset)
{
    struct disk *d = disk_of(world, number);
    disturb(world, d);
    for (int i = 0; i < SPOILED; i++)
        if (!d->spoiled[i]) {
            d->spoiled[i] = offset / BLOCK + 1;
            return;
        }
}

void disk_unspoil(struct world *world, int number)
{
    memset(disk_of(world, number)->spoiled, 0, sizeof(uint64_t[SPOILED]));
}

void disk_blank(struct world *world, int number)
{
    struct disk *d = disk_of(world, number);
    forget_unflushed(d);
    disk_unspoil(world, number);
    make_blank(d);
}

void disk_swap(struct world *world, int a, int b)
{
    struct disk *x = disk_of(world, a), *y = disk_of(world, b);
    must(x->bytes == y->bytes && x->process == y->process);
    struct disk other = *x;
    *x = *y;
    *y = other;
}

uint64_t disk_late_ns(struct world *world, int process)
{
    struct disks *disks = world_disks(world);
    uint64_t late_ns = 0;
    for (int i = 0; i < OPERATIONS; i++) {
        const struct operation *o = &disks->operation[i];
        if (o->used && !o->store && o->part->process == process && o->due_ns > late_ns)
            late_ns = o->due_ns;
    }
    return late_ns;
}

bool disk_pending(struct world *world, uint32_t i, struct disk_pending *out)
{
    struct disks *disks = world_disks(world);
    for (uint32_t k = 0; k < disks->operations_end; k++) {
        const struct operation *o = &disks->operation[k];
        if (!o->used || o->store || i-- > 0)
            continue;
        *out = (struct disk_pending){o->number, o->op, o->offset, o->length, o->tag};
        return true;
    }
    return false;
}
