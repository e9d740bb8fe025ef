/* SPDX-License-Identifier: Apache-2.0 */
/* N1 a stripe has one work at a time; all that is read and written of it for parity's sake is of
 *    that work
 * N2 a part that a stripe has, or that waits for one to be free, is `held`; it has no legs
 * N3 the memory of all works together is bounded; one work is always let through
 * N4 a work's step begins when the step before has ended; what it has read stays what the drives
 *    hold, since nobody else writes there
 *
 *   take --> waiting --> BEGINNING -- memory --> PLANNING -- all read --> MAKING --> WRITING --+
 *                                        ^  ^        |            |         ^                |
 *                                        |  +--- READING         RECORDING --+  (then CLEARING)
 *                                        +--------------------------- next step --------------+
 *                                                                     last: its parts are over */
#include "array/stripe.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/part.h"
#include "array/resync.h"
#include "base/must.h"

static uint16_t index_of(const struct array *array, const struct stripe *stripe)
{
    return (uint16_t)(stripe - array->stripe);
}

static struct list *bucket_of(struct array *array, uint8_t pool, uint64_t number)
{
    return &array->stripe_bucket[(number * 7 + pool) % STRIPE_BUCKETS];
}

static struct stripe *find(struct array *array, uint8_t pool, uint64_t number)
{
    list_each (bucket_of(array, pool, number), link, next) {
        struct stripe *stripe = list_member(link, struct stripe, link);
        if (stripe->pool == pool && stripe->number == number && !mutant(MUTANT_STRIPE_UNLOCKED))
            return stripe;
    }
    return NULL;
}

static struct stripe *stripe_new(struct array *array, uint8_t pool, uint64_t number, uint32_t spare)
{
    if (array->stripes_free_count <= spare)
        return NULL;
    struct stripe *stripe = list_first(&array->stripes_free, struct stripe, link);
    list_remove(&stripe->link);
    array->stripes_free_count--;
    memset(stripe, 0, sizeof *stripe);
    stripe->used = true;
    stripe->pool = pool;
    stripe->number = number;
    list_init(&stripe->ready);
    list_init(&stripe->waiting);
    list_init(&stripe->parts);
    list_append(bucket_of(array, pool, number), &stripe->link);
    return stripe;
}

void stripe_ready(struct array *array, struct stripe *stripe)
{
    if (!list_linked(&stripe->ready))
        list_append(&array->stripes_ready, &stripe->ready);
    array->again = array->more = true;
}

void stripe_take(struct array *array, struct part *part)
{
    uint64_t number = stripe_of(&array->pool[part->pool], part);
    struct stripe *stripe = find(array, part->pool, number);
    must(part->legs == 0);
    part->held = true; /* N2 */
    if (!stripe)
        stripe = stripe_new(array, part->pool, number, STRIPE_SPARE);
    if (!stripe) {
        list_append(&array->stripes_awaited, &part->stripe_link);
        return;
    }
    list_append(&stripe->waiting, &part->stripe_link);
    if (stripe->work == STRIPE_IDLE)
        stripe_ready(array, stripe);
}

/* ---- memory ---- */

static void drop_images(struct stripe *stripe)
{
    for (int m = 0; m < PARITY_DRIVES_MAX; m++)
        slice_drop(&stripe->image[m]);
    for (int r = 0; r < PARITY_MAX; r++)
        slice_drop(&stripe->fresh[r]);
    slice_drop(&stripe->pattern);
}

/* N3. What a work holds at most: an image of each member, and new parity. */
static bool reserve(struct array *array, const struct pool *pool, struct stripe *stripe)
{
    uint64_t most = buffer_pool_limit(array->buffers) / 8;
    uint64_t memory = (uint64_t)(stripe->step < LAYOUT_BLOCK ? LAYOUT_BLOCK : stripe->step) *
                      (pool->members + pool->parity);
    if (array->stripe_memory > 0 && array->stripe_memory + memory > most)
        return false;
    stripe->memory = (uint32_t)memory;
    array->stripe_memory += memory;
    return true;
}

static void release_memory(struct array *array, struct stripe *stripe)
{
    drop_images(stripe);
    array->stripe_memory -= stripe->memory;
    stripe->memory = 0;
}

/* ---- a work begins ---- */

static void work_begin(struct array *array, struct stripe *stripe, enum stripe_work work,
                       uint64_t row, uint64_t row_end)
{
    const struct pool *pool = &array->pool[stripe->pool];
    uint64_t start = stripe->number * pool->info.chunk_bytes;
    stripe->work = work;
    stripe->phase = STRIPE_BEGINNING;
    stripe->at = stripe->to = (uint32_t)(row - start);
    stripe->end = (uint32_t)(row_end - start);
    stripe->step = stripe->end - stripe->at;
    if ((uint64_t)stripe->step * pool->members > STRIPE_STEP_BYTES)
        stripe->step = (uint32_t)STRIPE_STEP_BYTES / pool->members / LAYOUT_BLOCK * LAYOUT_BLOCK;
    stripe->broken = stripe->slow = stripe->wanted = 0;
    stripe->wrote = stripe->failed = stripe->refused = false;
    stripe->record = -1;
    stripe_ready(array, stripe);
}

uint32_t stripe_pieces(const struct pool *pool, const struct part *part)
{
    uint64_t chunk = pool->info.chunk_bytes;
    return (uint32_t)((part->offset + part->length - 1) / chunk - part->offset / chunk) + 1;
}

static bool is_patterned(const struct part *part)
{
    return part->op == ARRAY_FILL && part->io->data.buffer;
}

/* Writes that wait, and whose rows meet those of the work or adjoin them, are done together. */
static void gather(const struct pool *pool, struct stripe *stripe, const struct part *first)
{
    uint64_t row = first->row, end = first->row_end;
    uint32_t pieces = stripe_pieces(pool, first);
    if (is_patterned(first))
        return;
    list_each (&stripe->waiting, link, next) {
        struct part *part = list_member(link, struct part, stripe_link);
        if (part->op == ARRAY_READ || is_patterned(part) || part->row > end ||
            part->row_end < row || pieces + stripe_pieces(pool, part) > STRIPE_PIECES)
            continue;
        row = part->row < row ? part->row : row;
        end = part->row_end > end ? part->row_end : end;
        pieces += stripe_pieces(pool, part);
        list_remove(&part->stripe_link);
        list_append(&stripe->parts, &part->stripe_link);
    }
}

static void next_work(struct array *array, struct stripe *stripe)
{
    const struct pool *pool = &array->pool[stripe->pool];
    struct part *first = list_first(&stripe->waiting, struct part, stripe_link);
    list_remove(&first->stripe_link);
    list_append(&stripe->parts, &first->stripe_link);
    if (first->op != ARRAY_READ)
        gather(pool, stripe, first);
    uint64_t row = first->row, end = first->row_end;
    list_each (&stripe->parts, link, next) {
        const struct part *part = list_member(link, struct part, stripe_link);
        row = part->row < row ? part->row : row;
        end = part->row_end > end ? part->row_end : end;
    }
    work_begin(array, stripe, first->op == ARRAY_READ ? STRIPE_READ : STRIPE_WRITE, row, end);
    if (first->op != ARRAY_READ)
        return;
    uint32_t member = (uint32_t)(first->offset / pool->info.chunk_bytes % parity_data(pool));
    uint32_t position = parity_position(pool, stripe->number, member);
    if (position_has(first->broken, position))
        stripe->broken = parity_bit(member);
    else if (position_has(first->tried, position))
        stripe->slow = parity_bit(member);
}

/* ---- a work ends ---- */

static void free_stripe(struct array *array, struct stripe *stripe)
{
    must(list_empty(&stripe->parts) && list_empty(&stripe->waiting));
    list_remove(&stripe->ready);
    list_remove(&stripe->link);
    stripe->used = false;
    stripe->work = STRIPE_IDLE;
    list_append(&array->stripes_free, &stripe->link);
    array->stripes_free_count++;
    struct part *part = list_first(&array->stripes_awaited, struct part, stripe_link);
    if (!part || array->stripes_free_count <= STRIPE_SPARE)
        return;
    list_remove(&part->stripe_link);
    stripe_take(array, part);
}

/* The lock is free. */
static void unlocked(struct array *array, struct stripe *stripe)
{
    stripe->work = STRIPE_IDLE;
    if (stripe->resync_waits) {
        stripe->resync_waits = false;
        resync_stripe_free(array, &array->pool[stripe->pool]);
    }
    if (stripe->work != STRIPE_IDLE)
        return;
    if (list_empty(&stripe->waiting))
        free_stripe(array, stripe);
    else
        stripe_ready(array, stripe);
}

static void work_over(struct array *array, struct stripe *stripe)
{
    enum stripe_work work = stripe->work;
    struct pool *pool = &array->pool[stripe->pool];
    enum resync_end end = !stripe->failed   ? RESYNC_DONE
                          : stripe->wrote   ? RESYNC_INCOMPLETE
                          : stripe->refused ? RESYNC_REFUSED
                                            : RESYNC_UNREADABLE;
    struct part *part;
    release_memory(array, stripe);
    list_remove(&stripe->ready);
    array->again = true;
    while ((part = list_first(&stripe->parts, struct part, stripe_link))) {
        list_remove(&part->stripe_link);
        part->held = false;
        part->failed |= stripe->failed;
        if (stripe->failed && stripe->wrote)
            part_doubt(array, part); /* M3 */
        part_over(array, part);
    }
    unlocked(array, stripe);
    if (work == STRIPE_RESYNC)
        resync_stripe_ended(array, pool, end);
}

/* ---- steps ---- */

struct leg *stripe_leg(const struct step *step, uint32_t member, enum drive_op op, uint32_t from,
                       uint32_t length)
{
    const struct pool *pool = step->pool;
    struct stripe *stripe = step->stripe;
    uint32_t position = parity_position(pool, stripe->number, member);
    uint64_t offset = LAYOUT_DATA + stripe->number * pool->info.chunk_bytes + from;
    struct leg *leg = leg_new(step->array, LEG_STRIPE, index_of(step->array, stripe),
                              pool->info.drives[position], op, offset, length);
    must(leg); /* LEG_RESERVE */
    stripe->legs++;
    return leg;
}

struct drive *stripe_drive(const struct step *step, uint32_t member)
{
    const struct pool *pool = step->pool;
    uint32_t position = parity_position(pool, step->stripe->number, member);
    return &step->array->drive[pool->info.drives[position]];
}

/* From `to` on; over rows between two pieces that are not written. */
static void next_step(struct array *array, struct stripe *stripe)
{
    struct step step;
    uint32_t most = stripe_record_bytes(&array->pool[stripe->pool]);
    drop_images(stripe);
    do {
        stripe->at = stripe->to;
        stripe->to =
            stripe->end - stripe->at < stripe->step ? stripe->end : stripe->at + stripe->step;
        must(stripe->at < stripe->to);
        stripe_step(array, stripe, &step);
    } while (stripe->work == STRIPE_WRITE && step.pieces == 0);
    if (stripe_needs_record(&step) && stripe->to - stripe->at > most) {
        stripe->to = stripe->at + most;
        stripe_step(array, stripe, &step);
        if (step.pieces == 0) {
            next_step(array, stripe);
            return;
        }
    }
    stripe->landed = stripe->lost = stripe->by = 0;
    stripe->since_ns = array->now_ns;
    stripe->phase = STRIPE_PLANNING;
    stripe->record = -1;
}

/* Of a read in several steps: where they are gathered. */
static bool gathers(const struct step *step)
{
    const struct stripe *stripe = step->stripe;
    struct part *part = list_first(&stripe->parts, struct part, stripe_link);
    if (stripe->work != STRIPE_READ || stripe->to - stripe->at == part->length || part->data.buffer)
        return true;
    struct buffer *buffer = buffer_get(step->array->buffers, part->length);
    if (buffer)
        part->data = slice_of(buffer, 0, part->length);
    step->array->no_buffer |= !buffer;
    return buffer != NULL;
}

/* What was read or recovered goes to the one part of a read. */
static void deliver(const struct step *step)
{
    const struct stripe *stripe = step->stripe;
    struct part *part = list_first(&stripe->parts, struct part, stripe_link);
    struct slice image = stripe->image[step->piece[0].member];
    uint64_t row = stripe->number * step->pool->info.chunk_bytes + stripe->at;
    if (part->data.buffer)
        memcpy(slice_bytes(part->data) + (row - part->row), slice_bytes(image), image.length);
    else
        part->data = slice_ref(image);
}

void stripe_step_over(struct array *array, struct stripe *stripe)
{
    struct step step;
    stripe_step(array, stripe, &step);
    if (stripe->work == STRIPE_WRITE)
        stripe->failed |= !stripe_holds(&step);
    if (stripe->failed || stripe->to == stripe->end) {
        work_over(array, stripe);
        return;
    }
    next_step(array, stripe);
    stripe_ready(array, stripe);
}

/* All drive commands of its writing have ended. */
static void written(struct array *array, struct stripe *stripe)
{
    if (stripe->record >= 0)
        stripe_record_done(array, stripe);
    else
        stripe_step_over(array, stripe);
}

static void plan(struct step *step)
{
    struct stripe *stripe = step->stripe;
    switch (stripe_plan(step)) {
    case STRIPE_GO:
        stripe->phase = STRIPE_MAKING;
        break;
    case STRIPE_WAIT:
        if (stripe->legs > 0) {
            stripe->phase = STRIPE_READING;
            list_remove(&stripe->ready);
        }
        break;
    case STRIPE_FAILED:
        stripe->failed = true;
        work_over(step->array, stripe);
        break;
    }
}

static void send(struct step *step)
{
    struct stripe *stripe = step->stripe;
    stripe_send(step);
    stripe->phase = STRIPE_WRITING;
    list_remove(&stripe->ready);
    if (stripe->legs == 0)
        written(step->array, stripe);
}

static void make(struct step *step)
{
    struct stripe *stripe = step->stripe;
    if (stripe_needs_record(step) && stripe->to - stripe->at > stripe_record_bytes(step->pool)) {
        stripe->to = stripe->at; /* a drive was lost since: once more, in smaller steps */
        next_step(step->array, stripe);
        step->array->again = true;
        return;
    }
    if (!gathers(step) || stripe_make(step) == STRIPE_WAIT)
        return;
    if (stripe->work == STRIPE_READ)
        deliver(step);
    if (!stripe_needs_record(step)) {
        send(step);
        return;
    }
    stripe->phase = STRIPE_RECORDING;
    list_remove(&stripe->ready);
    stripe_record(step);
}

/* False: it waits for memory, and so do all behind it. */
static bool go_on(struct array *array, struct stripe *stripe)
{
    struct step step;
    if (stripe->work == STRIPE_IDLE)
        next_work(array, stripe);
    if (stripe->phase == STRIPE_BEGINNING) {
        if (!reserve(array, &array->pool[stripe->pool], stripe))
            return false;
        next_step(array, stripe);
    }
    stripe_step(array, stripe, &step);
    if (stripe->phase == STRIPE_PLANNING)
        plan(&step);
    if (stripe->used && stripe->work != STRIPE_IDLE && stripe->phase == STRIPE_MAKING)
        make(&step);
    else if (stripe->phase == STRIPE_SENDING)
        send(&step);
    return true;
}

void stripe_pump(struct array *array)
{
    list_each (&array->stripes_ready, link, next)
        if (!go_on(array, list_member(link, struct stripe, ready)))
            break;
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used && array->pool[p].parity > 0)
            stripe_record_pump(array, &array->pool[p]);
}

static void read_ended(struct stripe *stripe, uint32_t member, struct leg *leg)
{
    switch (leg->end) {
    case LEG_OK:
        stripe->image[member] = leg->data;
        leg->data = slice_none();
        return;
    case LEG_ERROR:
        stripe->broken |= parity_bit(member);
        return;
    case LEG_TIMEOUT:
        stripe->slow |= parity_bit(member);
        return;
    case LEG_DROPPED: /* not readable any more */
        return;
    }
}

void stripe_leg_ended(struct array *array, struct leg *leg)
{
    struct stripe *stripe = &array->stripe[leg->index];
    const struct pool *pool = &array->pool[stripe->pool];
    must(stripe->used && stripe->legs > 0);
    uint32_t member = parity_member(pool, stripe->number, array->drive[leg->drive].position);
    stripe->legs--;
    if (stripe->phase == STRIPE_READING)
        read_ended(stripe, member, leg);
    else if (leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT)
        stripe->failed |= !leg->repair;
    else if (leg->end == LEG_OK)
        stripe->landed |= parity_bit(member);
    if (leg->end == LEG_TIMEOUT && leg->op == DRIVE_READ)
        array->drive[leg->drive].avoid_ns = array->now_ns + array->limits->drive_total_ns;
    if (stripe->legs > 0)
        return;
    if (stripe->phase == STRIPE_READING) {
        stripe->phase = STRIPE_PLANNING;
        stripe_ready(array, stripe);
        return;
    }
    written(array, stripe);
}

/* ---- resynchronisation ---- */

uint32_t stripe_resync_bytes(const struct pool *pool)
{
    uint32_t most = (uint32_t)STRIPE_STEP_BYTES / pool->members / LAYOUT_BLOCK * LAYOUT_BLOCK;
    return most < pool->info.chunk_bytes ? most : pool->info.chunk_bytes;
}

bool stripe_resync(struct array *array, struct pool *pool)
{
    const struct copy *copy = &pool->copy;
    uint64_t number = copy->at / pool->info.chunk_bytes;
    struct stripe *stripe = find(array, pool->info.index, number);
    if (!stripe)
        stripe = stripe_new(array, pool->info.index, number, 0);
    if (!stripe)
        return false; /* more works than that are under way: the end of each wakes the pump */
    if (stripe->work != STRIPE_IDLE) {
        stripe->resync_waits = true;
        return false;
    }
    work_begin(array, stripe, STRIPE_RESYNC, copy->at, copy->at + copy->length);
    if (copy->doubt)
        stripe->wanted = parity_parity_mask(pool);
    for (uint32_t p = 0; p < pool->members; p++)
        if (position_has(copy->targets, p))
            stripe->wanted |= parity_bit(parity_member(pool, number, p));
    return true;
}

/* ---- all of it ---- */

void stripe_forget(struct array *array, uint8_t pool)
{
    list_each (&array->stripes_awaited, link, next) {
        struct part *part = list_member(link, struct part, stripe_link);
        if (pool == POOL_NONE || part->pool == pool)
            list_remove(link);
    }
    for (uint16_t i = 0; i < STRIPE_MAX; i++) {
        struct stripe *stripe = &array->stripe[i];
        if (!stripe->used || (pool != POOL_NONE && stripe->pool != pool))
            continue;
        if (stripe->legs > 0)
            leg_forget(array, LEG_STRIPE, i);
        stripe->legs = 0;
        release_memory(array, stripe);
        list_each (&stripe->parts, part, after)
            list_remove(part);
        list_each (&stripe->waiting, part2, after2)
            list_remove(part2);
        free_stripe(array, stripe);
    }
}

void stripe_late(struct array *array, uint64_t late_ns)
{
    for (int i = 0; i < STRIPE_MAX; i++)
        if (array->stripe[i].used)
            array->stripe[i].since_ns += late_ns;
}

void stripe_check_all(const struct array *array)
{
    uint64_t memory = 0;
    uint32_t used = 0;
    for (int i = 0; i < STRIPE_MAX; i++) {
        const struct stripe *stripe = &array->stripe[i];
        if (!stripe->used)
            continue;
        used++;
        memory += stripe->memory;
        must(stripe->work != STRIPE_IDLE || !list_empty(&stripe->waiting)); /* N1 */
        must(stripe->legs == 0 || stripe->phase == STRIPE_READING ||
             stripe->phase == STRIPE_WRITING); /* N4 */
    }
    must(used + array->stripes_free_count == STRIPE_MAX);
    must(memory == array->stripe_memory); /* N3 */
}
