/* SPDX-License-Identifier: Apache-2.0 */
/* What a step writes: recovers what was not to be read, makes parity, and sends both data and
 * parity to every drive that takes part. What is written whole goes from the host's buffer to ISA-L
 * and to the drives; nothing is copied.
 *
 * K1 what a drive could not read is written back to it, once it was recovered */
#include "array/stripe.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/part.h"
#include "base/must.h"

/* ---- buffers ---- */

static bool get(const struct step *step, struct slice *out)
{
    uint32_t length = step->stripe->to - step->stripe->at;
    if (out->buffer)
        return true;
    struct buffer *buffer = buffer_get(step->array->buffers, length);
    if (buffer)
        *out = slice_of(buffer, 0, length);
    return buffer != NULL;
}

static bool get_pattern(struct step *step)
{
    struct stripe *stripe = step->stripe;
    const struct part *part = step->piece[0].part;
    if (part->op != ARRAY_FILL || !part->io->data.buffer || stripe->pattern.buffer)
        return true;
    if (!get(step, &stripe->pattern))
        return false;
    const struct slice *block = &part->io->data;
    for (uint32_t at = 0; at < stripe->pattern.length; at += block->length)
        memcpy(slice_bytes(stripe->pattern) + at, slice_bytes(*block), block->length);
    for (uint32_t i = 0; i < step->pieces; i++)
        step->piece[i].bytes = slice_bytes(stripe->pattern);
    return true;
}

/* Parity that is changed is so in place, if nobody else has that buffer. */
static bool get_fresh(const struct step *step, uint32_t row)
{
    struct stripe *stripe = step->stripe;
    struct slice *old = &stripe->image[parity_data(step->pool) + row];
    struct slice *fresh = &stripe->fresh[row];
    if (fresh->buffer || stripe->way != WAY_CHANGE)
        return get(step, fresh);
    if (old->buffer->refs == 1) {
        *fresh = *old;
        *old = slice_none();
        return true;
    }
    if (!get(step, fresh))
        return false;
    memcpy(slice_bytes(*fresh), slice_bytes(*old), fresh->length);
    return true;
}

/* Is all of the step, parity too, zeroes? */
static bool is_zero(const struct step *step)
{
    return step->stripe->work == STRIPE_WRITE && step->zeroes &&
           step->covered == parity_data_mask(step->pool);
}

static uint32_t wanted_parity(const struct step *step)
{
    uint32_t mask = step->stripe->wanted & parity_parity_mask(step->pool);
    return step->stripe->work == STRIPE_READ || is_zero(step) ? 0 : mask;
}

static bool get_all(struct step *step)
{
    struct stripe *stripe = step->stripe;
    bool all = stripe->work != STRIPE_WRITE || get_pattern(step);
    for (uint32_t left = stripe->lost; all && left; left &= left - 1)
        all = get(step, &stripe->image[__builtin_ctz(left)]);
    for (uint32_t row = 0; all && row < step->pool->parity; row++)
        if (wanted_parity(step) >> (parity_data(step->pool) + row) & 1)
            all = get_fresh(step, row);
    step->array->no_buffer |= !all;
    return all;
}

/* ---- parity ---- */

static void recover(const struct step *step)
{
    const struct stripe *stripe = step->stripe;
    uint8_t *at[PARITY_DRIVES_MAX];
    if (stripe->lost == 0)
        return;
    for (uint32_t m = 0; m < step->pool->members; m++)
        at[m] = slice_bytes(stripe->image[m]);
    parity_recover(step->pool, stripe->to - stripe->at, at, stripe->lost, stripe->by);
}

static void change(const struct step *step)
{
    const struct stripe *stripe = step->stripe;
    for (uint32_t i = 0; i < step->pieces; i++) {
        const struct piece *piece = &step->piece[i];
        uint32_t into = piece->from - stripe->at, length = piece->to - piece->from;
        uint8_t *parity[PARITY_MAX] = {0};
        for (uint32_t row = 0; row < step->pool->parity; row++)
            if (stripe->fresh[row].buffer)
                parity[row] = slice_bytes(stripe->fresh[row]) + into;
        const uint8_t *old = slice_bytes(stripe->image[piece->member]) + into;
        parity_change(step->pool, length, piece->member, old, parity);
        parity_change(step->pool, length, piece->member, piece->bytes, parity);
    }
}

static void add_cut(uint32_t *cut, uint32_t *count, uint32_t at)
{
    uint32_t i = *count;
    for (; i > 0 && cut[i - 1] >= at; i--)
        if (cut[i - 1] == at)
            return;
    memmove(cut + i + 1, cut + i, (*count - i) * sizeof *cut);
    cut[i] = at;
    ++*count;
}

/* From one beginning or end of a piece to the next one, each member is all new or all old. */
static void make(const struct step *step)
{
    const struct stripe *stripe = step->stripe;
    const struct pool *pool = step->pool;
    uint32_t cut[2 * STRIPE_PIECES + 2], cuts = 0;
    uint8_t *at[PARITY_DRIVES_MAX];
    add_cut(cut, &cuts, stripe->at);
    add_cut(cut, &cuts, stripe->to);
    for (uint32_t i = 0; i < step->pieces; i++) {
        add_cut(cut, &cuts, step->piece[i].from);
        add_cut(cut, &cuts, step->piece[i].to);
    }
    for (uint32_t c = 0; c + 1 < cuts; c++) {
        uint32_t into = cut[c] - stripe->at;
        for (uint32_t m = 0; m < parity_data(pool); m++)
            at[m] = stripe->image[m].buffer ? slice_bytes(stripe->image[m]) + into : NULL;
        for (uint32_t i = 0; i < step->pieces; i++) {
            const struct piece *piece = &step->piece[i];
            if (piece->from <= cut[c] && cut[c] < piece->to)
                at[piece->member] =
                    (uint8_t *)(uintptr_t)(piece->bytes + (cut[c] - piece->from)); /* read only */
        }
        for (uint32_t row = 0; row < pool->parity; row++) {
            uint8_t *fresh = slice_bytes(stripe->fresh[row]);
            at[parity_data(pool) + row] = fresh ? fresh + into : NULL;
        }
        parity_make(pool, cut[c + 1] - cut[c], at);
    }
}

/* ---- what is sent ---- */

/* Recovered, and its drive is there: it could not read it. */
static uint32_t repaired(const struct step *step)
{
    uint32_t mask = step->stripe->lost & step->stripe->broken;
    for (uint32_t left = mask; left; left &= left - 1)
        if (!drives_readable(stripe_drive(step, (uint32_t)__builtin_ctz(left))))
            mask &= ~(left & -left);
    return mask;
}

/* K1: it is written whole, with what is new in it. */
static void merge(const struct step *step)
{
    const struct stripe *stripe = step->stripe;
    for (uint32_t left = repaired(step); left; left &= left - 1) {
        uint32_t member = (uint32_t)__builtin_ctz(left);
        trace_warn(step->array->trace,
                   "drive %d could not read %u bytes of stripe %llu: recovered, written back",
                   (int)(stripe_drive(step, member) - step->array->drive), stripe->to - stripe->at,
                   (unsigned long long)stripe->number);
    }
    for (uint32_t i = 0; stripe->work == STRIPE_WRITE && i < step->pieces; i++) {
        const struct piece *piece = &step->piece[i];
        if (stripe->lost >> piece->member & 1)
            memcpy(slice_bytes(stripe->image[piece->member]) + (piece->from - stripe->at),
                   piece->bytes, piece->to - piece->from);
    }
}

static struct stripe_write of_piece(const struct piece *piece)
{
    const struct array_io *io = piece->part->io;
    struct stripe_write write = {.member = piece->member,
                                 .from = piece->from,
                                 .length = piece->to - piece->from,
                                 .bytes = piece->bytes,
                                 .op = DRIVE_FILL,
                                 .data = io->data,
                                 .fua = io->fua};
    if (piece->part->op == ARRAY_FILL)
        return write;
    write.op = DRIVE_WRITE;
    write.data.offset += (uint32_t)(piece->bytes - slice_bytes(io->data));
    write.data.length = write.length;
    return write;
}

static struct stripe_write of_image(const struct step *step, uint32_t member, struct slice image,
                                    bool fua)
{
    const struct stripe *stripe = step->stripe;
    return (struct stripe_write){.member = member,
                                 .from = stripe->at,
                                 .length = stripe->to - stripe->at,
                                 .bytes = image.buffer ? slice_bytes(image) : stripe_zeroes(),
                                 .op = image.buffer ? DRIVE_WRITE : DRIVE_FILL,
                                 .data = image,
                                 .fua = fua};
}

static bool is_fua(const struct step *step)
{
    bool fua = false;
    for (uint32_t i = 0; i < step->pieces; i++)
        fua |= step->piece[i].part->io->fua;
    return fua && step->stripe->work == STRIPE_WRITE;
}

uint32_t stripe_writes(const struct step *step, struct stripe_write out[STRIPE_LEGS])
{
    const struct stripe *stripe = step->stripe;
    uint32_t data = parity_data(step->pool), count = 0, takers = 0;
    uint32_t whole = repaired(step), wanted = stripe->work == STRIPE_READ ? 0 : stripe->wanted;
    bool writes = stripe->work == STRIPE_WRITE, fua = is_fua(step);
    for (uint32_t m = 0; m < step->pool->members; m++)
        if (drives_takes_part(stripe_drive(step, m)))
            takers |= parity_bit(m);
    for (uint32_t i = 0; writes && i < step->pieces; i++)
        if (takers & ~whole & parity_bit(step->piece[i].member))
            out[count++] = of_piece(&step->piece[i]);
    if (stripe->work == STRIPE_RESYNC)
        whole |= wanted & stripe->lost;
    for (uint32_t left = whole & takers; left; left &= left - 1) {
        uint32_t member = (uint32_t)__builtin_ctz(left);
        out[count] = of_image(step, member, stripe->image[member], fua);
        out[count++].repair = writes ? !(step->touched >> member & 1) : !(wanted >> member & 1);
    }
    for (uint32_t row = 0; row < step->pool->parity; row++)
        if (wanted & takers & parity_bit(data + row))
            out[count++] = of_image(step, data + row, stripe->fresh[row], fua);
    return count;
}

void stripe_send(const struct step *step)
{
    struct stripe_write write[STRIPE_LEGS];
    uint32_t count = stripe_writes(step, write);
    for (uint32_t i = 0; i < count; i++) {
        struct leg *leg =
            stripe_leg(step, write[i].member, write[i].op, write[i].from, write[i].length);
        leg->data = slice_ref(write[i].data);
        leg->fua = write[i].fua || step->stripe->record >= 0;
        leg->repair = write[i].repair;
        step->stripe->wrote = true;
    }
}

enum stripe_verdict stripe_make(struct step *step)
{
    if (!get_all(step))
        return STRIPE_WAIT;
    recover(step);
    if (wanted_parity(step) && step->stripe->way == WAY_CHANGE)
        change(step);
    else if (wanted_parity(step))
        make(step);
    merge(step);
    return STRIPE_GO;
}

bool stripe_holds(const struct step *step)
{
    uint32_t written = step->touched | parity_parity_mask(step->pool), lost = 0;
    for (uint32_t m = 0; m < step->pool->members; m++) {
        const struct drive *drive = stripe_drive(step, m);
        bool good = drive->state == DRIVE_STATE_GOOD && !drive->unsound;
        bool landed = !(written >> m & 1) || step->stripe->landed >> m & 1;
        lost += !good || !landed;
    }
    return lost <= step->pool->parity || mutant(MUTANT_GOOD_WITHOUT_GOOD_DRIVE);
}
