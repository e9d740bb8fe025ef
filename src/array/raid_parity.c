/* SPDX-License-Identifier: Apache-2.0 */
/* RAID 5 and 6: data striped by chunk over all drives but one or two, whose chunks of the stripe
 * are parity (parity.h says where). What one drive can give is read from it at once; everything
 * that has to do with parity goes through the stripe (stripe.h), one work at a time.
 *
 * The rules of writes and reads M1 to M3 of raid_mirror.c hold here too; of M2 the last half is: so
 * many GOOD drives hold their part of the stripe that the others' can be recovered. */
#include "array/drives.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/parity.h"
#include "array/part.h"
#include "array/stripe.h"
#include "base/must.h"

/* ---- layout ---- */

static uint8_t members(uint8_t drive_count)
{
    return drive_count;
}

static void locate(const struct pool *pool, enum array_op op, uint64_t offset, struct place *out)
{
    uint64_t whole = op == ARRAY_READ ? pool->info.chunk_bytes : parity_stripe_bytes(pool);
    *out = (struct place){0, offset, whole - offset % whole};
}

/* What lies in one chunk touches its rows; what lies in several, to the end of the first and from
 * the beginning of the last, counts as all rows. */
static void rows(const struct pool *pool, uint64_t offset, uint64_t length, uint64_t *first,
                 uint64_t *end)
{
    uint64_t chunk = pool->info.chunk_bytes, stripe = offset / parity_stripe_bytes(pool);
    *first = stripe * chunk;
    *end = *first + chunk;
    if (offset / chunk != (offset + length - 1) / chunk)
        return;
    *first += offset % chunk;
    *end = *first + length;
}

static bool lives(const struct pool *pool, uint8_t set, const uint64_t *present)
{
    uint32_t count = 0;
    (void)set;
    for (uint32_t p = 0; p < pool->members; p++)
        count += position_has(present, p);
    return count + pool->parity >= pool->members;
}

/* ---- I/O ---- */

static void read_start(struct array *array, struct part *part)
{
    const struct pool *pool = &array->pool[part->pool];
    uint32_t member = (uint32_t)(part->offset / pool->info.chunk_bytes % parity_data(pool));
    uint32_t position = parity_position(pool, stripe_of(pool, part), member);
    uint8_t number = pool->info.drives[position];
    const struct drive *drive = &array->drive[number];
    part->since_ns = array->now_ns;
    if (!drives_readable(drive) || !drives_reached(array, number) || drive->bad ||
        drive->avoid_ns > array->now_ns) {
        stripe_take(array, part);
        return;
    }
    struct leg *leg = leg_new(array, LEG_PART, part_index(array, part), number, DRIVE_READ,
                              LAYOUT_DATA + part->row, part->length);
    must(leg); /* part_go made sure */
    leg->patience_ns = array->limits->drive_ns;
    part->legs++;
}

static void start(struct array *array, struct part *part)
{
    if (part->op == ARRAY_READ)
        read_start(array, part);
    else
        stripe_take(array, part);
}

/* Of a read from the one drive that has it. */
static void leg_ended(struct array *array, struct part *part, struct leg *leg)
{
    uint32_t position = array->drive[leg->drive].position;
    if (leg->end == LEG_OK) {
        part->data = leg->data;
        leg->data = slice_none();
        return;
    }
    if (leg->end == LEG_ERROR)
        position_add(part->broken, position);
    if (leg->end == LEG_TIMEOUT) {
        position_add(part->tried, position);
        array->drive[leg->drive].avoid_ns = array->now_ns + array->limits->drive_total_ns;
    }
    stripe_take(array, part);
}

const struct level level_raid_5 = {
    .level = RAID_5,
    .name = "raid5",
    .drives_min = 3,
    .drives_max = PARITY_DRIVES_MAX,
    .drives_even = false,
    .parity = 1,
    .redundant = true,
    .members = members,
    .locate = locate,
    .rows = rows,
    .lives = lives,
    .start = start,
    .leg_ended = leg_ended,
};

const struct level level_raid_6 = {
    .level = RAID_6,
    .name = "raid6",
    .drives_min = 4,
    .drives_max = PARITY_DRIVES_MAX,
    .drives_even = false,
    .parity = 2,
    .redundant = true,
    .members = members,
    .locate = locate,
    .rows = rows,
    .lives = lives,
    .start = start,
    .leg_ended = leg_ended,
};
