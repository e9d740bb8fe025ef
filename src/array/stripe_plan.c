/* SPDX-License-Identifier: Apache-2.0 */
/* What a step reads. Of the ways to new parity the one that reads the least is taken: all data that
 * is not written (nothing, for a whole stripe), or what is written and the parity as they were.
 *
 * Q1 a read never goes to a drive that is not GOOD (M1)
 * Q2 parity that is suspect is not what new parity is made from, as long as all data can be read
 * Q3 a drive that does not answer in its time is done without, if the others suffice; else it is
 *    asked again, for as long as the drive limit */
#include "array/stripe.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/part.h"
#include "base/must.h"

/* What fills with zeroes are made from. */
const uint8_t *stripe_zeroes(void)
{
    static _Alignas(64) uint8_t bytes[CHUNK_MAX];
    return bytes;
}

/* ---- pieces ---- */

static const uint8_t *bytes_of(const struct stripe *stripe, const struct part *part, uint64_t into)
{
    if (part->op == ARRAY_WRITE)
        return slice_bytes(part->io->data) + part->at + into;
    if (part->op == ARRAY_FILL && part->io->data.buffer)
        return slice_bytes(stripe->pattern); /* the same at each multiple of a block */
    return stripe_zeroes();
}

static void add_pieces(struct step *step, const struct part *part, uint32_t *written)
{
    const struct stripe *stripe = step->stripe;
    uint64_t chunk = step->pool->info.chunk_bytes;
    uint64_t offset = part->offset % parity_stripe_bytes(step->pool), end = offset + part->length;
    for (uint64_t at = offset, next; at < end; at = next) {
        uint32_t member = (uint32_t)(at / chunk);
        uint64_t base = member * chunk;
        next = base + chunk < end ? base + chunk : end;
        uint64_t from = at - base, to = next - base;
        from = from > stripe->at ? from : stripe->at;
        to = to < stripe->to ? to : stripe->to;
        if (from >= to)
            continue;
        must(step->pieces < STRIPE_PIECES);
        step->piece[step->pieces++] = (struct piece){part, member, (uint32_t)from, (uint32_t)to,
                                                     bytes_of(stripe, part, base + from - offset)};
        step->touched |= parity_bit(member);
        written[member] += (uint32_t)(to - from);
    }
}

void stripe_step(struct array *array, struct stripe *stripe, struct step *out)
{
    uint32_t written[PARITY_DRIVES_MAX] = {0};
    out->array = array;
    out->stripe = stripe;
    out->pool = &array->pool[stripe->pool];
    out->pieces = out->touched = out->covered = 0;
    out->zeroes = true;
    list_each (&stripe->parts, link, next) {
        const struct part *part = list_member(link, struct part, stripe_link);
        add_pieces(out, part, written);
        out->zeroes &= part->op == ARRAY_FILL && !part->io->data.buffer;
    }
    for (uint32_t m = 0; m < PARITY_DRIVES_MAX; m++)
        if (written[m] > 0 && written[m] == stripe->to - stripe->at)
            out->covered |= parity_bit(m);
}

/* ---- what can be read ---- */

/* Q1. Easily: without waiting for a drive that does not answer just now. */
static uint32_t can_give(const struct step *step, bool easily)
{
    const struct array *array = step->array;
    const struct stripe *stripe = step->stripe;
    uint32_t mask = 0;
    for (uint32_t m = 0; m < step->pool->members; m++) {
        const struct drive *drive = stripe_drive(step, m);
        bool awaited = drive->bad || drive->avoid_ns > array->now_ns ||
                       !drives_reached(array, (int)(drive - array->drive));
        if (drives_readable(drive) && !(easily && awaited))
            mask |= parity_bit(m);
    }
    return mask & ~(stripe->broken | stripe->slow);
}

static uint32_t parity_taking_part(const struct step *step)
{
    uint32_t mask = 0;
    for (uint32_t m = parity_data(step->pool); m < step->pool->members; m++)
        if (drives_takes_part(stripe_drive(step, m)))
            mask |= parity_bit(m);
    return mask;
}

static bool is_suspect(const struct step *step)
{
    uint64_t row = step->stripe->number * step->pool->info.chunk_bytes;
    return step->pool->suspicious && !mutant(MUTANT_SUSPECT_PARITY_TRUSTED) &&
           bits_has(&step->pool->suspect, part_region(step->pool, row));
}

/* ---- the choice ---- */

struct choice {
    bool possible;
    enum stripe_way way;
    uint32_t reads, lost, by;
};

static void consider(struct choice *best, const struct choice *other, uint32_t given)
{
    if (other->reads & ~given)
        return;
    if (best->possible && __builtin_popcount(best->reads) <= __builtin_popcount(other->reads))
        return;
    *best = *other;
    best->possible = true;
}

/* All data that can be read, and as much parity as data is missing. */
static void consider_recovery(struct choice *best, const struct pool *pool, uint32_t given)
{
    uint32_t lost = parity_data_mask(pool) & ~given, parity = given & parity_parity_mask(pool);
    struct choice choice = {.way = WAY_RECOVER, .lost = lost};
    for (uint32_t left = lost; left; left &= left - 1) {
        if (!parity)
            return;
        choice.by |= parity & -parity;
        parity &= parity - 1;
    }
    choice.reads = (parity_data_mask(pool) & given) | choice.by;
    consider(best, &choice, given);
}

static struct choice choose(const struct step *step, uint32_t given)
{
    const struct pool *pool = step->pool;
    const struct stripe *stripe = step->stripe;
    uint32_t data = parity_data_mask(pool);
    struct choice best = {.possible = false}, make = {.way = WAY_MAKE};
    struct choice change = {.way = WAY_CHANGE, .reads = step->touched | stripe->wanted};
    switch (stripe->work) {
    case STRIPE_IDLE:
        break;
    case STRIPE_READ:
        make.reads = step->touched;
        consider(&best, &make, given);
        break;
    case STRIPE_RESYNC:
        make.reads = stripe->wanted ? data : 0;
        consider(&best, &make, given);
        break;
    case STRIPE_WRITE:
        make.reads = stripe->wanted ? data & ~step->covered : 0;
        consider(&best, &make, given);
        if (!is_suspect(step)) /* Q2 */
            consider(&best, &change, given);
        break;
    }
    if (!best.possible)
        consider_recovery(&best, pool, given);
    return best;
}

/* Q3 */
static bool forgive(const struct step *step)
{
    struct stripe *stripe = step->stripe;
    const struct array *array = step->array;
    bool any =
        stripe->slow != 0 && array->now_ns - stripe->since_ns < array->limits->drive_total_ns;
    if (any)
        stripe->slow = 0;
    return any;
}

static struct choice choose_somehow(const struct step *step, uint32_t *given)
{
    *given = can_give(step, true);
    struct choice choice = choose(step, *given);
    for (int turn = 0; turn < 2 && !choice.possible; turn++) {
        if (turn == 1 && !forgive(step))
            break;
        *given = can_give(step, false);
        choice = choose(step, *given);
    }
    return choice;
}

static uint32_t held(const struct stripe *stripe, uint32_t members)
{
    uint32_t mask = 0;
    for (uint32_t m = 0; m < members; m++)
        if (stripe->image[m].buffer)
            mask |= parity_bit(m);
    return mask;
}

enum stripe_verdict stripe_plan(struct step *step)
{
    struct stripe *stripe = step->stripe;
    const struct pool *pool = step->pool;
    uint32_t given, members = pool->members;
    if (stripe->work == STRIPE_WRITE)
        stripe->wanted = parity_taking_part(step);
    struct choice choice = choose_somehow(step, &given);
    if (!choice.possible) {
        stripe->refused = stripe->slow != 0;
        return STRIPE_FAILED;
    }
    stripe->way = choice.way;
    stripe->lost = choice.lost;
    stripe->by = choice.by;
    uint32_t missing = parity_data_mask(pool) & ~given, spare = given & parity_parity_mask(pool);
    bool others = __builtin_popcount(missing) < __builtin_popcount(spare);
    for (uint32_t left = choice.reads & ~held(stripe, members); left; left &= left - 1) {
        struct leg *leg = stripe_leg(step, (uint32_t)__builtin_ctz(left), DRIVE_READ, stripe->at,
                                     stripe->to - stripe->at);
        leg->patience_ns =
            others ? step->array->limits->drive_ns : step->array->limits->drive_total_ns;
    }
    return stripe->legs > 0 ? STRIPE_WAIT : STRIPE_GO;
}
