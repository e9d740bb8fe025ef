/* SPDX-License-Identifier: Apache-2.0 */
#include "array/level.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/part.h"
#include "base/must.h"

static const struct level *const levels[] = {
    [RAID_0] = &level_raid_0, [RAID_1] = &level_raid_1, [RAID_10] = &level_raid_10,
    [RAID_5] = &level_raid_5, [RAID_6] = &level_raid_6,
};

const struct level *level_find(uint8_t level)
{
    return level < sizeof levels / sizeof levels[0] ? levels[level] : NULL;
}

static const struct level *of(const struct pool *pool)
{
    const struct level *level = level_find((uint8_t)pool->info.level);
    must(pool->used && level);
    return level;
}

uint64_t level_capacity(const struct level *level, uint8_t drive_count, uint64_t data_bytes)
{
    uint8_t members = level->members(drive_count);
    uint8_t each = level->parity ? (uint8_t)(members - level->parity) : 1;
    return data_bytes * each * (drive_count / members);
}

void level_locate(const struct pool *pool, enum array_op op, uint64_t offset, struct place *out)
{
    must(offset < pool->info.size_bytes);
    of(pool)->locate(pool, op, offset, out);
    must(out->set < pool->sets && out->length > 0);
    must(out->offset + out->length <= (pool->parity ? pool->info.size_bytes : pool->data_bytes));
}

void level_rows(const struct pool *pool, struct part *part)
{
    of(pool)->rows(pool, part->offset, part->length, &part->row, &part->row_end);
    must(part->row < part->row_end && part->row_end <= pool->data_bytes);
}

bool level_spans(const struct pool *pool)
{
    return of(pool)->span != NULL;
}

void level_span(const struct pool *pool, uint64_t offset, uint64_t length, uint8_t set,
                uint64_t *first, uint64_t *end)
{
    must(set < pool->sets && length <= pool->info.size_bytes - offset);
    of(pool)->span(pool, offset, length, set, first, end);
    must(*first <= *end && *end <= pool->data_bytes);
}

bool level_lives(const struct pool *pool, uint8_t set, const uint64_t *present)
{
    must(set < pool->sets);
    return of(pool)->lives(pool, set, present);
}

static void flush_start(struct array *array, struct part *part)
{
    const struct pool *pool = &array->pool[part->pool];
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        if (!drives_takes_part(&array->drive[pool->info.drives[p]]))
            continue;
        struct leg *leg = leg_new(array, LEG_PART, part_index(array, part), pool->info.drives[p],
                                  DRIVE_FLUSH, 0, 0);
        must(leg);
        part->legs++;
    }
    if (part->legs == 0)
        part->failed = true;
}

void level_start(struct array *array, struct part *part)
{
    must(!part->started && part->legs == 0);
    part->started = true;
    if (part->op == ARRAY_FLUSH)
        flush_start(array, part);
    else
        of(&array->pool[part->pool])->start(array, part);
}

void level_leg_ended(struct array *array, struct part *part, struct leg *leg)
{
    must(part->used && part->legs > 0);
    part->legs--;
    if (part->op == ARRAY_FLUSH)
        part->failed |= leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT;
    else
        of(&array->pool[part->pool])->leg_ended(array, part, leg);
}

bool level_redundant(const struct pool *pool)
{
    return of(pool)->redundant;
}
