/* SPDX-License-Identifier: Apache-2.0 */
#include "array/level.h"

#include "base/must.h"

static const struct level *const levels[] = {
    [RAID_0] = &level_raid_0,
    [RAID_1] = &level_raid_1,
    [RAID_10] = &level_raid_10,
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

void level_locate(const struct pool *pool, uint64_t offset, struct place *out)
{
    must(offset < pool->info.size_bytes);
    of(pool)->locate(pool, offset, out);
    must(out->set < pool->sets && out->length > 0);
    must(out->offset + out->length <= pool->data_bytes);
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

void level_start(struct array *array, struct part *part)
{
    must(!part->started && part->legs == 0);
    part->started = true;
    of(&array->pool[part->pool])->start(array, part);
}

void level_leg_ended(struct array *array, struct part *part, struct leg *leg)
{
    must(part->used && part->legs > 0);
    part->legs--;
    of(&array->pool[part->pool])->leg_ended(array, part, leg);
}

bool level_redundant(const struct pool *pool)
{
    return of(pool)->redundant;
}
