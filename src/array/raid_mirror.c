/* SPDX-License-Identifier: Apache-2.0 */
/* RAID 0, 1 and 10: data striped by chunk over mirror sets of one, all, or two drives. A write goes
 * to every GOOD and STALE drive of its set, a read to one GOOD drive; what a drive could not read
 * is written back to it from another.
 *
 * M1 a read never goes to a drive that is not GOOD
 * M2 a write is good only if each drive that took part answered, or FAILED in the record meanwhile,
 *    and at least one of those that answered is GOOD in the end
 * M3 a write that failed leaves its regions in doubt: the copies may differ
 */
#include "array/drives.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/part.h"
#include "base/must.h"

/* ---- layout ---- */

static uint8_t members_one(uint8_t drive_count)
{
    (void)drive_count;
    return 1;
}

static uint8_t members_two(uint8_t drive_count)
{
    (void)drive_count;
    return 2;
}

static uint8_t members_all(uint8_t drive_count)
{
    return drive_count;
}

static void locate(const struct pool *pool, enum array_op op, uint64_t offset, struct place *out)
{
    (void)op;
    uint64_t chunk = pool->info.chunk_bytes;
    if (pool->sets == 1) {
        *out = (struct place){0, offset, pool->info.size_bytes - offset};
        return;
    }
    uint64_t number = offset / chunk, inside = offset % chunk;
    out->set = (uint8_t)(number % pool->sets);
    out->offset = number / pool->sets * chunk + inside;
    out->length = chunk - inside;
}

static void rows(const struct pool *pool, uint64_t offset, uint64_t length, uint64_t *first,
                 uint64_t *end)
{
    (void)pool;
    *first = offset;
    *end = offset + length;
}

/* How much of the first `offset` bytes of the pool lies in that set. */
static uint64_t before(const struct pool *pool, uint64_t offset, uint8_t set)
{
    uint64_t chunk = pool->info.chunk_bytes;
    uint64_t stripe = chunk * pool->sets;
    uint64_t start = set * chunk, inside = offset % stripe;
    uint64_t part = inside <= start ? 0 : inside - start > chunk ? chunk : inside - start;
    return offset / stripe * chunk + part;
}

static void span(const struct pool *pool, uint64_t offset, uint64_t length, uint8_t set,
                 uint64_t *first, uint64_t *end)
{
    *first = before(pool, offset, set);
    *end = before(pool, offset + length, set);
}

static bool lives(const struct pool *pool, uint8_t set, const uint64_t *present)
{
    for (uint32_t p = (uint32_t)set * pool->members; p < (set + 1u) * pool->members; p++)
        if (position_has(present, p))
            return true;
    return false;
}

/* ---- writes ---- */

static struct drive *member(struct array *array, const struct part *part, uint32_t m, uint32_t *at)
{
    const struct pool *pool = &array->pool[part->pool];
    *at = (uint32_t)part->set * pool->members + m;
    return &array->drive[pool->info.drives[*at]];
}

static void write_start(struct array *array, struct part *part)
{
    const struct pool *pool = &array->pool[part->pool];
    const struct array_io *io = part->io;
    for (uint32_t m = 0; m < pool->members; m++) {
        uint32_t position;
        const struct drive *drive = member(array, part, m, &position);
        bool stale = drive->state == DRIVE_STATE_STALE && mutant(MUTANT_STALE_NOT_WRITTEN);
        if (!drives_takes_part(drive) || stale)
            continue;
        struct leg *leg =
            leg_new(array, LEG_PART, part_index(array, part), pool->info.drives[position],
                    part->op == ARRAY_FILL ? DRIVE_FILL : DRIVE_WRITE, LAYOUT_DATA + part->offset,
                    part->length);
        must(leg); /* part_start made sure */
        leg->fua = io->fua;
        leg->data = slice_ref(io->data);
        if (part->op == ARRAY_WRITE) {
            leg->data.offset += part->at;
            leg->data.length = part->length;
        }
        part->legs++;
    }
    if (part->legs == 0)
        part->failed = true;
}

/* STALE when it answered and GOOD now counts too: it has this write and all others. */
static bool landed_on_good(struct array *array, const struct part *part)
{
    for (uint32_t m = 0; m < array->pool[part->pool].members; m++) {
        uint32_t position;
        const struct drive *drive = member(array, part, m, &position);
        if (position_has(part->landed, position) && drive->state == DRIVE_STATE_GOOD &&
            !drive->unsound)
            return true;
        if (mutant(MUTANT_GOOD_WITHOUT_GOOD_DRIVE))
            return true;
    }
    return false;
}

static void write_ended(struct array *array, struct part *part, const struct leg *leg)
{
    if (leg->end == LEG_OK)
        position_add(part->landed, array->drive[leg->drive].position);
    if (leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT)
        part->failed_any = true;
    if (part->legs > 0)
        return;
    part->failed = part->failed_any || !landed_on_good(array, part); /* M2 */
    if (part->failed)
        part_doubt(array, part); /* M3 */
}

/* ---- reads ---- */

/* Lower is better. */
static uint64_t cost(const struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    uint64_t cost = drive->waiting_count + drive->sent_count;
    if (drive->bad || drive->avoid_ns > array->now_ns)
        cost += 1u << 20;
    if (!drives_reached(array, number))
        cost += 1u << 24;
    return cost;
}

/* The best drive that was not tried, or -1; *others: there would be another one, reached. */
static int choose(struct array *array, const struct part *part, bool *others)
{
    const struct pool *pool = &array->pool[part->pool];
    uint64_t best_cost = UINT64_MAX;
    uint32_t reached = 0;
    int best = -1;
    for (uint32_t i = 0; i < pool->members; i++) {
        uint32_t position;
        const struct drive *drive =
            member(array, part, (part->turn + i) % pool->members, &position);
        if (!drives_readable(drive) || position_has(part->tried, position))
            continue;
        uint8_t number = pool->info.drives[position];
        reached += drives_reached(array, number);
        if (cost(array, number) < best_cost) {
            best_cost = cost(array, number);
            best = (int)position;
        }
    }
    *others = best >= 0 && reached > (uint32_t)drives_reached(array, pool->info.drives[best]);
    return best;
}

/* Those that only did not answer may be asked again, within the limit. */
static bool forgive(struct array *array, struct part *part)
{
    if (part->since_ns == 0)
        part->since_ns = array->now_ns;
    if (array->now_ns - part->since_ns >= array->limits->drive_total_ns)
        return false;
    bool any = false;
    for (uint32_t w = 0; w < DRIVE_WORDS; w++) {
        any |= (part->tried[w] & ~part->broken[w]) != 0;
        part->tried[w] = part->broken[w];
    }
    return any;
}

static void read_next(struct array *array, struct part *part)
{
    const struct pool *pool = &array->pool[part->pool];
    bool others;
    int position = choose(array, part, &others);
    if (position < 0 && forgive(array, part))
        position = choose(array, part, &others);
    if (position < 0) {
        part->failed = true;
        return;
    }
    position_add(part->tried, (uint32_t)position);
    struct leg *leg = leg_new(array, LEG_PART, part_index(array, part), pool->info.drives[position],
                              DRIVE_READ, LAYOUT_DATA + part->offset, part->length);
    if (!leg) {
        part->failed = true;
        return;
    }
    if (part->since_ns == 0)
        part->since_ns = array->now_ns;
    leg->patience_ns = others ? array->limits->drive_ns : array->limits->drive_total_ns;
    part->legs++;
}

static void repair(struct array *array, struct part *part)
{
    const struct pool *pool = &array->pool[part->pool];
    for (uint32_t m = 0; m < pool->members; m++) {
        uint32_t position;
        const struct drive *drive = member(array, part, m, &position);
        if (!position_has(part->broken, position) || !drives_readable(drive))
            continue;
        uint8_t number = pool->info.drives[position];
        struct leg *leg = leg_new(array, LEG_REPAIR, part_index(array, part), number, DRIVE_WRITE,
                                  LAYOUT_DATA + part->offset, part->length);
        if (!leg)
            return; /* it stays readable from the others */
        trace_warn(array->trace, "drive %u could not read %llu+%u: written back from its mirror",
                   number, (unsigned long long)(LAYOUT_DATA + part->offset), part->length);
        leg->repair = true;
        leg->data = slice_ref(part->data);
        part->legs++;
    }
}

static void read_ended(struct array *array, struct part *part, struct leg *leg)
{
    uint32_t position = array->drive[leg->drive].position;
    if (leg->owner == LEG_REPAIR)
        return; /* a repair that failed has said BAD; the data is there all the same */
    switch (leg->end) {
    case LEG_OK:
        part->data = leg->data;
        leg->data = slice_none();
        repair(array, part);
        return;
    case LEG_ERROR:
        position_add(part->broken, position);
        break;
    case LEG_TIMEOUT:
        array->drive[leg->drive].avoid_ns = array->now_ns + array->limits->drive_total_ns;
        break;
    case LEG_DROPPED:
        break;
    }
    read_next(array, part);
}

/* ---- the level's vtable ---- */

static void start(struct array *array, struct part *part)
{
    switch (part->op) {
    case ARRAY_READ:
        part->turn = (uint16_t)(array->turn++);
        read_next(array, part);
        return;
    case ARRAY_WRITE:
    case ARRAY_FILL:
        write_start(array, part);
        return;
    case ARRAY_UNMAP: /* its edges are fills */
    case ARRAY_FLUSH: /* level.c */
        break;
    }
}

static void leg_ended(struct array *array, struct part *part, struct leg *leg)
{
    switch (part->op) {
    case ARRAY_READ:
        read_ended(array, part, leg);
        return;
    case ARRAY_WRITE:
    case ARRAY_FILL:
        write_ended(array, part, leg);
        return;
    case ARRAY_UNMAP:
    case ARRAY_FLUSH:
        break;
    }
}

const struct level level_raid_0 = {
    .level = RAID_0,
    .name = "raid0",
    .drives_min = 1,
    .drives_max = DRIVE_MAX,
    .drives_even = false,
    .redundant = false,
    .members = members_one,
    .locate = locate,
    .rows = rows,
    .span = span,
    .lives = lives,
    .start = start,
    .leg_ended = leg_ended,
};

const struct level level_raid_1 = {
    .level = RAID_1,
    .name = "raid1",
    .drives_min = 2,
    .drives_max = DRIVE_MAX,
    .drives_even = false,
    .redundant = true,
    .members = members_all,
    .locate = locate,
    .rows = rows,
    .span = span,
    .lives = lives,
    .start = start,
    .leg_ended = leg_ended,
};

const struct level level_raid_10 = {
    .level = RAID_10,
    .name = "raid10",
    .drives_min = 2,
    .drives_max = DRIVE_MAX,
    .drives_even = true,
    .redundant = true,
    .members = members_two,
    .locate = locate,
    .rows = rows,
    .span = span,
    .lives = lives,
    .start = start,
    .leg_ended = leg_ended,
};
