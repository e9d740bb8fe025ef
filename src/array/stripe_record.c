/* SPDX-License-Identifier: Apache-2.0 */
/* Closes the write hole: data and parity of a stripe change all together or not at all, by redo
 * records (redo.h). Without them, one that was half written when its reign ended has parity that is
 * not that of its data; if a drive is missing then, what is recovered for it is neither what it
 * held nor anything that was ever written: blocks change that nobody has written to.
 *
 * Y1 a write that leaves data of its rows as they are is always recorded: the drive that holds
 * those may be lost together with this reign Y2 a write of whole rows is recorded while data of
 * theirs are on a drive that is not GOOD. Else it needs none: if its reign ends it is written anew,
 * whole Y3 nothing is recorded of a pool that has just lost a drive before the others have flushed
 * what they held then: what a record makes parity of must not be lost with the power
 *
 * Stripes that wait for a record get one together, up to what it holds: while one is written the
 * next ones gather. */
#include "array/drives.h"
#include "array/leg.h"
#include "array/redo.h"
#include "array/stripe.h"
#include "base/must.h"

static bool is_degraded(const struct step *step)
{
    for (uint32_t m = 0; m < parity_data(step->pool); m++) {
        const struct drive *drive = stripe_drive(step, m);
        if (drive->state != DRIVE_STATE_GOOD || drive->unsound)
            return true;
    }
    return false;
}

static bool has_parity(const struct step *step)
{
    for (uint32_t m = parity_data(step->pool); m < step->pool->members; m++)
        if (drives_takes_part(stripe_drive(step, m)))
            return true;
    return false;
}

/* While a record of the reign before is played, only that is written: its own record still stands.
 */
bool stripe_needs_record(const struct step *step)
{
    if (step->stripe->work != STRIPE_WRITE || !step->pool->info.redo || !redo_open(step->pool) ||
        !has_parity(step))
        return false;
    bool degraded = is_degraded(step);
    if (degraded ? mutant(MUTANT_STRIPE_UNRECORDED) : mutant(MUTANT_STRIPE_UNRECORDED_WHOLE))
        return false;
    return degraded || step->covered != parity_data_mask(step->pool); /* Y1, Y2 */
}

uint32_t stripe_record_bytes(const struct pool *pool)
{
    return (uint32_t)REDO_BYTES_MAX / pool->members / LAYOUT_BLOCK * LAYOUT_BLOCK;
}

void stripe_record(const struct step *step)
{
    list_append(&step->pool->to_record, &step->stripe->ready);
    step->array->again = true;
}

/* ---- one record for many ---- */

struct batch {
    struct redo_write write[REDO_PLACES_MAX];
    uint32_t writes, bytes, stripes;
};

/* False: it is full. The places' data are set when there is a buffer for them. */
static bool add(struct batch *batch, const struct step *step, uint8_t *to)
{
    struct stripe_write write[STRIPE_LEGS];
    const struct pool *pool = step->pool;
    uint64_t row = step->stripe->number * pool->info.chunk_bytes;
    uint32_t count = stripe_writes(step, write), bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += write[i].length;
    if (batch->writes + count > REDO_PLACES_MAX || batch->bytes + bytes > REDO_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t position = parity_position(pool, step->stripe->number, write[i].member);
        struct redo_write *out = &batch->write[batch->writes++];
        *out = (struct redo_write){.place = {.first = (uint8_t)position,
                                             .count = 1,
                                             .offset = row + write[i].from,
                                             .length = write[i].length}};
        if (to)
            memcpy(to + batch->bytes, write[i].bytes, write[i].length);
        batch->bytes += write[i].length;
    }
    batch->stripes++;
    return true;
}

static void gather(struct array *array, struct pool *pool, struct batch *batch, uint8_t *to)
{
    batch->writes = batch->bytes = batch->stripes = 0;
    list_each (&pool->to_record, link, next) {
        struct step step;
        stripe_step(array, list_member(link, struct stripe, ready), &step);
        if (!add(batch, &step, to))
            return;
    }
}

static void record(struct array *array, struct pool *pool)
{
    struct batch batch;
    gather(array, pool, &batch, NULL);
    struct buffer *buffer = buffer_get(array->buffers, batch.bytes);
    if (!buffer) {
        array->no_buffer = true;
        return;
    }
    gather(array, pool, &batch, buffer->data);
    for (uint32_t i = 0, at = 0; i < batch.writes; at += batch.write[i++].place.length)
        batch.write[i].data = slice_of(buffer, at, batch.write[i].place.length);
    struct redo_work work = {.owner = REDO_OWNER_STRIPES,
                             .kind = REDO_DRIVES,
                             .home = pool->record_home,
                             .homes = (uint8_t)(pool->parity + 1),
                             .write = batch.write,
                             .writes = batch.writes};
    int slot = redo_begin(array, pool, &work);
    buffer_unref(buffer);
    if (slot < 0)
        return;
    pool->record_home = (uint8_t)((pool->record_home + 1) % pool->members);
    for (; batch.stripes > 0; batch.stripes--) {
        struct stripe *stripe = list_first(&pool->to_record, struct stripe, ready);
        list_remove(&stripe->ready);
        stripe->record = (int8_t)slot;
    }
}

/* ---- a drive was lost ---- */

/* Writes that began when all was well, and are not recorded. */
static bool any_unrecorded(const struct array *array, const struct pool *pool)
{
    for (int i = 0; i < STRIPE_MAX; i++) {
        const struct stripe *stripe = &array->stripe[i];
        if (stripe->used && stripe->pool == pool->info.index && stripe->work == STRIPE_WRITE &&
            stripe->phase == STRIPE_WRITING && stripe->record < 0)
            return true;
    }
    return false;
}

void stripe_degraded(struct array *array, struct pool *pool)
{
    if (pool->parity == 0 || array->phase != PHASE_RUNNING || mutant(MUTANT_DEGRADED_UNFLUSHED))
        return;
    pool->stripe_flush = STRIPE_FLUSH_WANTED;
    array->again = array->more = true;
}

static void flush(struct array *array, struct pool *pool)
{
    if (any_unrecorded(array, pool))
        return; /* the end of each wakes the pump */
    pool->stripe_flush = STRIPE_FLUSHING;
    for (uint32_t p = 0; p < pool->members; p++) {
        if (!drives_takes_part(&array->drive[pool->info.drives[p]]))
            continue;
        must(leg_new(array, LEG_STRIPE_FLUSH, pool->info.index, pool->info.drives[p], DRIVE_FLUSH,
                     0, 0));
        pool->flush_legs++;
    }
    if (pool->flush_legs == 0)
        pool->stripe_flush = STRIPE_FLUSHED;
}

/* One that cannot be flushed will be failed, or nothing can be done without it. */
void stripe_flush_ended(struct array *array, struct leg *leg)
{
    struct pool *pool = &array->pool[leg->index];
    must(pool->flush_legs > 0);
    if (--pool->flush_legs > 0)
        return;
    if (pool->stripe_flush == STRIPE_FLUSHING)
        pool->stripe_flush = STRIPE_FLUSHED;
    array->again = true;
}

void stripe_record_pump(struct array *array, struct pool *pool)
{
    if (pool->stripe_flush == STRIPE_FLUSH_WANTED && pool->flush_legs == 0)
        flush(array, pool);
    if (!list_empty(&pool->to_record) && pool->stripe_flush == STRIPE_FLUSHED) /* Y3 */
        record(array, pool);
}

/* ---- its life ---- */

static struct stripe *next_with(struct array *array, const struct pool *pool, uint32_t slot,
                                int *at)
{
    while (++*at < STRIPE_MAX) {
        struct stripe *stripe = &array->stripe[*at];
        if (stripe->used && stripe->work == STRIPE_WRITE && stripe->pool == pool->info.index &&
            stripe->record == (int)slot)
            return stripe;
    }
    return NULL;
}

void stripe_record_held(struct array *array, struct pool *pool, uint32_t slot)
{
    struct stripe *stripe;
    for (int at = -1; (stripe = next_with(array, pool, slot, &at));) {
        must(stripe->phase == STRIPE_RECORDING);
        stripe->phase = STRIPE_SENDING;
        stripe_ready(array, stripe);
    }
}

void stripe_record_done(struct array *array, struct stripe *stripe)
{
    struct pool *pool = &array->pool[stripe->pool];
    const struct stripe *other;
    stripe->phase = STRIPE_CLEARING;
    for (int at = -1; (other = next_with(array, pool, (uint32_t)stripe->record, &at));)
        if (other->phase != STRIPE_CLEARING)
            return;
    redo_end(array, pool, (uint32_t)stripe->record);
}

void stripe_record_over(struct array *array, struct pool *pool, uint32_t slot, bool failed)
{
    struct stripe *stripe;
    for (int at = -1; (stripe = next_with(array, pool, slot, &at));) {
        stripe->record = -1;
        stripe->failed |= failed;
        stripe_step_over(array, stripe);
    }
}
