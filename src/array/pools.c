/* SPDX-License-Identifier: Apache-2.0 */
/* P1 a drive is in at most one pool, and drive.pool/position say what pool.info.drives says
 * P2 no two extents of the volumes of a pool meet, and all lie inside it
 * P3 a pool's used_bytes and `volumes` are those of its volumes */
#include "array/pools.h"

#include "array/carry.h"
#include "array/drives.h"
#include "array/hostio.h"
#include "array/leg.h"
#include "array/level.h"
#include "array/part.h"
#include "array/provision.h"
#include "array/redo.h"
#include "array/stripe.h"
#include "array/sync.h"
#include "base/must.h"

enum { SAVE_VERSION = 2, SAVE_VERSION_NO_REDO = 1 };

static uint64_t used_by(const struct volume *volume)
{
    uint64_t units = 0;
    for (uint16_t r = 0; r < volume->runs; r++)
        units += volume->run[r].count;
    return units * LAYOUT_UNIT;
}

bool pools_makes_sense(const struct pool_info *info, uint64_t data_bytes)
{
    const struct level *level = level_find((uint8_t)info->level);
    uint32_t chunk = info->chunk_bytes;
    uint8_t count = info->drive_count;
    if (!level || count < level->drives_min || count > level->drives_max ||
        (level->drives_even && count % 2) || data_bytes == 0 || data_bytes % LAYOUT_UNIT ||
        chunk < LAYOUT_BLOCK || chunk > CHUNK_MAX || (chunk & (chunk - 1)))
        return false;
    return level_capacity(level, count, 1) <= UINT32_MAX / (data_bytes / LAYOUT_UNIT);
}

void pools_reset(struct pool *pool)
{
    pool->born = pool->fresh = pool->map_known = pool->recheck = pool->relabel = false;
    pool->stamp = 0;
    pool->generation = 0;
    memset(pool->incarnation, 0, sizeof pool->incarnation);
    memset(&pool->intent, 0, sizeof pool->intent);
    provision_reset(pool);
    redo_reset(pool);
    bits_clear(&pool->doubt);
    bits_clear(&pool->suspect);
    pool->doubtful = pool->suspicious = false;
    slice_drop(&pool->copy.data);
    memset(&pool->copy, 0, sizeof pool->copy);
    pool->copy.skip = UINT32_MAX;
    memset(pool->inflight, 0, sizeof pool->inflight);
    list_init(&pool->blocked);
    list_init(&pool->writing);
    list_init(&pool->to_record);
    pool->stripe_flush = STRIPE_FLUSHED;
    pool->flush_legs = 0;
}

bool pools_can_add(const struct array *array, const struct pool_info *info, uint64_t data_bytes)
{
    if (info->index >= POOL_MAX || array->pool[info->index].used ||
        !pools_makes_sense(info, data_bytes))
        return false;
    uint64_t seen[DRIVE_WORDS] = {0};
    for (uint8_t i = 0; i < info->drive_count; i++) {
        uint8_t d = info->drives[i];
        if (d >= DRIVE_MAX || array->drive[d].pool != POOL_NONE || position_has(seen, d))
            return false;
        position_add(seen, d);
    }
    return true;
}

void pools_add(struct array *array, const struct pool_info *info, uint64_t data_bytes)
{
    must(pools_can_add(array, info, data_bytes));
    struct pool *pool = &array->pool[info->index];
    pools_reset(pool);
    pool->info = *info;
    pool->info.used_bytes = 0;
    pool->volumes = 0;
    const struct level *level = level_find((uint8_t)info->level);
    pool->members = level->members(info->drive_count);
    pool->sets = (uint8_t)(info->drive_count / pool->members);
    pool->data_bytes = data_bytes;
    pool->parity = level->parity;
    pool->info.size_bytes = level_capacity(level, info->drive_count, data_bytes);
    pool->region_bytes = layout_region_bytes(data_bytes);
    pool->regions = (uint32_t)((data_bytes + pool->region_bytes - 1) / pool->region_bytes);
    provision_size(pool);
    pool->used = true;
    if (array->pools_end <= info->index)
        array->pools_end = info->index + 1u;
    for (uint8_t i = 0; i < info->drive_count; i++) {
        position_add(array->drives_used, info->drives[i]);
        array->drive[info->drives[i]].pool = info->index;
        array->drive[info->drives[i]].position = i;
        array->drive[info->drives[i]].probe = PROBE_NONE;
        array->drive[info->drives[i]].slots_known = false;
    }
    drives_count_stale(array, pool);
    pool->fresh = array->phase == PHASE_BEGINNING || array->phase == PHASE_RUNNING;
    for (uint8_t i = 0; pool->fresh && i < info->drive_count; i++)
        if (array->drive[info->drives[i]].state == DRIVE_STATE_STALE)
            sync_begin(array, info->drives[i]);
}

void pools_drop(struct array *array, uint8_t index)
{
    struct pool *pool = &array->pool[index];
    must(pool->used && pool->volumes == 0);
    carry_pool_dropped(array, index);
    provision_pool_dropped(array, index);
    stripe_forget(array, index);
    part_forget_pool(array, index);
    redo_pool_dropped(array, index);
    leg_forget(array, LEG_MAP, index);
    leg_forget(array, LEG_CLEAR, index);
    leg_forget(array, LEG_COPY, index);
    leg_forget(array, LEG_STRIPE_FLUSH, index);
    for (uint8_t i = 0; i < pool->info.drive_count; i++) {
        struct drive *drive = &array->drive[pool->info.drives[i]];
        sync_end(array, pool->info.drives[i]);
        leg_forget_at(array, LEG_PROBE, pool->info.drives[i]);
        drive->pool = POOL_NONE;
        drive->probe = PROBE_NONE;
        drive->slots_known = false;
    }
    pools_reset(pool);
    pool->provision.blocks = 0;
    pool->used = false;
}

bool pools_add_volume(struct array *array, const struct volume *volume)
{
    uint16_t index = volume->info.index;
    if (index >= VOLUME_MAX || array->volume[index].used || volume->pool >= POOL_MAX ||
        !array->pool[volume->pool].used)
        return false;
    struct pool *pool = &array->pool[volume->pool];
    for (uint16_t r = 0; r < volume->runs; r++) {
        struct run free = {0, 0};
        const struct run *run = &volume->run[r];
        if (!pools_free_run(array, volume->pool, run->start, &free) || run->count == 0 ||
            free.start != run->start || free.count < run->count)
            return false;
    }
    if (volume->info.blocks > used_by(volume) / volume->info.block_bytes)
        return false;
    array->volume[index] = *volume;
    array->volume[index].used = true;
    if (array->volumes_end <= index)
        array->volumes_end = index + 1u;
    array->volume[index].hold_lba = UINT64_MAX;
    array->volume[index].info.write_cache = pool->info.cache == CACHE_MIRRORED;
    array->volume[index].info.granule_blocks =
        (uint32_t)(pool->provision.granule_bytes / volume->info.block_bytes);
    array->volume[index].info.atomic_blocks =
        pool->info.redo ? ARRAY_ATOMIC_MAX / volume->info.block_bytes : 0;
    pool->volumes++;
    pool->info.used_bytes += used_by(volume);
    return true;
}

void pools_drop_volume(struct array *array, uint16_t index)
{
    struct volume *volume = &array->volume[index];
    must(volume->used);
    struct pool *pool = &array->pool[volume->pool];
    pool->info.used_bytes -= used_by(volume);
    pool->volumes--;
    hostio_orphan(array, index);
    memset(volume, 0, sizeof *volume);
}

void pools_grow_volume(struct array *array, uint16_t index, uint64_t blocks, const struct run *runs,
                       uint16_t count)
{
    struct volume *volume = &array->volume[index];
    must(volume->used && blocks >= volume->info.blocks);
    for (uint16_t r = 0; r < count; r++) {
        struct run *last = volume->runs ? &volume->run[volume->runs - 1] : NULL;
        array->pool[volume->pool].info.used_bytes += (uint64_t)runs[r].count * LAYOUT_UNIT;
        if (last && last->start + last->count == runs[r].start) {
            last->count += runs[r].count;
            continue;
        }
        must(volume->runs < EXTENTS_MAX);
        volume->run[volume->runs++] = runs[r];
    }
    volume->info.blocks = blocks;
    must(blocks <= used_by(volume) / volume->info.block_bytes);
}

void pools_set_cache(struct array *array, uint8_t index, enum cache_mode cache)
{
    array->pool[index].info.cache = cache;
    for (uint32_t v = 0; v < array->volumes_end; v++)
        if (array->volume[v].used && array->volume[v].pool == index)
            array->volume[v].info.write_cache = cache == CACHE_MIRRORED;
}

/* The end of what covers the unit `at`, or `at` itself; *next: where the first run after it begins.
 */
static uint32_t covered(const struct array *array, uint8_t pool, uint32_t at, uint32_t *next)
{
    uint32_t end = at;
    for (uint32_t v = 0; v < array->volumes_end; v++) {
        const struct volume *volume = &array->volume[v];
        for (uint16_t r = 0; volume->used && volume->pool == pool && r < volume->runs; r++) {
            const struct run *run = &volume->run[r];
            if (run->start <= at && at < run->start + run->count && run->start + run->count > end)
                end = run->start + run->count;
            else if (run->start > at && run->start < *next)
                *next = run->start;
        }
    }
    return end;
}

bool pools_free_run(const struct array *array, uint8_t pool, uint32_t from, struct run *out)
{
    uint32_t units = (uint32_t)(array->pool[pool].info.size_bytes / LAYOUT_UNIT);
    while (from < units) {
        uint32_t next = units;
        uint32_t end = covered(array, pool, from, &next);
        if (end == from) {
            *out = (struct run){from, next - from};
            return true;
        }
        from = end;
    }
    return false;
}

int pools_find(const struct array *array, const char *name)
{
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used && strcmp(array->pool[p].info.name, name) == 0)
            return (int)p;
    return -1;
}

int pools_find_volume(const struct array *array, const char *name)
{
    for (uint32_t v = 0; v < array->volumes_end; v++)
        if (array->volume[v].used && strcmp(array->volume[v].info.name, name) == 0)
            return (int)v;
    return -1;
}

/* ---- array.h ---- */

void array_clear(struct array *array)
{
    must(array->phase == PHASE_IDLE);
    for (uint32_t v = 0; v < array->volumes_end; v++)
        if (array->volume[v].used)
            pools_drop_volume(array, (uint16_t)v);
    array->volumes_end = 0;
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used)
            pools_drop(array, (uint8_t)p);
    array->pools_end = 0;
}

const struct pool_info *array_pool(const struct array *array, uint8_t index)
{
    return index < array->pools_end && array->pool[index].used ? &array->pool[index].info : NULL;
}

const struct volume_info *array_volume(const struct array *array, uint16_t index)
{
    return index < array->volumes_end && array->volume[index].used ? &array->volume[index].info
                                                                   : NULL;
}

const struct pool_info *array_volume_pool(const struct array *array, uint16_t index)
{
    return array_volume(array, index) ? array_pool(array, array->volume[index].pool) : NULL;
}

/* ---- as bytes ---- */

static void save_pool(struct cursor *c, const struct pool *pool)
{
    cursor_put8(c, pool->info.index);
    cursor_put_bytes(c, pool->info.uuid, 16);
    cursor_put_bytes(c, pool->info.name, NAME_BYTES);
    cursor_put8(c, (uint8_t)pool->info.level);
    cursor_put8(c, (uint8_t)pool->info.cache);
    cursor_put32(c, pool->info.chunk_bytes);
    cursor_put64(c, pool->data_bytes);
    cursor_put8(c, pool->info.redo);
    cursor_put8(c, pool->info.drive_count);
    cursor_put_bytes(c, pool->info.drives, pool->info.drive_count);
}

static void save_volume(struct cursor *c, const struct volume *volume)
{
    cursor_put16(c, volume->info.index);
    cursor_put8(c, volume->pool);
    cursor_put_bytes(c, volume->info.uuid, 16);
    cursor_put_bytes(c, volume->info.name, NAME_BYTES);
    cursor_put64(c, volume->info.blocks);
    cursor_put32(c, volume->info.block_bytes);
    cursor_put8(c, volume->info.physical_exponent);
    cursor_put8(c, volume->info.read_only);
    cursor_put16(c, volume->runs);
    for (uint16_t r = 0; r < volume->runs; r++) {
        cursor_put32(c, volume->run[r].start);
        cursor_put32(c, volume->run[r].count);
    }
}

static bool is_saved(const struct array *array, uint32_t v, bool finished)
{
    const struct volume *volume = &array->volume[v];
    return volume->used && !(finished && carry_unzeroed(array, volume));
}

static uint32_t save_bytes(const struct array *array, bool finished, uint8_t *pools,
                           uint16_t *volumes)
{
    uint32_t bytes = 1 + 1 + 2;
    for (uint32_t p = 0; p < array->pools_end; p++) {
        if (!array->pool[p].used)
            continue;
        ++*pools;
        bytes += 1 + 16 + NAME_BYTES + 2 + 4 + 8 + 1 + 1 + array->pool[p].info.drive_count;
    }
    for (uint32_t v = 0; v < array->volumes_end; v++) {
        if (!is_saved(array, v, finished))
            continue;
        ++*volumes;
        bytes += 2 + 1 + 16 + NAME_BYTES + 8 + 4 + 2 + 2 + 8u * array->volume[v].runs;
    }
    return bytes;
}

static uint32_t save(const struct array *array, bool finished, uint8_t *out, uint32_t capacity)
{
    uint8_t pools = 0;
    uint16_t volumes = 0;
    uint32_t bytes = save_bytes(array, finished, &pools, &volumes);
    if (bytes > capacity)
        return bytes;
    struct cursor c = cursor_of(out, capacity);
    cursor_put8(&c, SAVE_VERSION);
    cursor_put8(&c, pools);
    for (uint32_t p = 0; p < array->pools_end; p++)
        if (array->pool[p].used)
            save_pool(&c, &array->pool[p]);
    cursor_put16(&c, volumes);
    for (uint32_t v = 0; v < array->volumes_end; v++)
        if (is_saved(array, v, finished))
            save_volume(&c, &array->volume[v]);
    must(!c.failed && (uint32_t)(c.at - out) == bytes);
    return bytes;
}

uint32_t array_save(const struct array *array, uint8_t *out, uint32_t capacity)
{
    return save(array, false, out, capacity);
}

uint32_t array_save_finished(const struct array *array, uint8_t *out, uint32_t capacity)
{
    return save(array, !mutant(MUTANT_UNZEROED_STORED), out, capacity);
}

static void load_name(struct cursor *c, char *out)
{
    cursor_get_bytes(c, out, NAME_BYTES);
    out[NAME_BYTES - 1] = 0;
}

static bool load_pool(struct array *array, struct cursor *c, uint8_t version)
{
    struct pool_info info;
    memset(&info, 0, sizeof info);
    info.index = cursor_get8(c);
    cursor_get_bytes(c, info.uuid, 16);
    load_name(c, info.name);
    info.level = (enum raid_level)cursor_get8(c);
    info.cache = cursor_get8(c) == CACHE_MIRRORED ? CACHE_MIRRORED : CACHE_WRITE_THROUGH;
    info.chunk_bytes = cursor_get32(c);
    uint64_t data_bytes = cursor_get64(c);
    info.redo = version != SAVE_VERSION_NO_REDO && cursor_get8(c) != 0;
    info.drive_count = cursor_get8(c);
    if (info.drive_count > DRIVE_MAX)
        return false;
    cursor_get_bytes(c, info.drives, info.drive_count);
    if (c->failed || !pools_can_add(array, &info, data_bytes))
        return false;
    pools_add(array, &info, data_bytes);
    return true;
}

static bool load_volume(struct array *array, struct cursor *c)
{
    struct volume volume;
    memset(&volume, 0, sizeof volume);
    volume.info.index = cursor_get16(c);
    volume.pool = cursor_get8(c);
    cursor_get_bytes(c, volume.info.uuid, 16);
    load_name(c, volume.info.name);
    volume.info.blocks = cursor_get64(c);
    volume.info.block_bytes = cursor_get32(c);
    volume.info.physical_exponent = cursor_get8(c);
    volume.info.read_only = cursor_get8(c) != 0;
    volume.runs = cursor_get16(c);
    if (volume.runs > EXTENTS_MAX)
        return false;
    for (uint16_t r = 0; r < volume.runs; r++) {
        volume.run[r].start = cursor_get32(c);
        volume.run[r].count = cursor_get32(c);
    }
    return !c->failed && (volume.info.block_bytes == 512 || volume.info.block_bytes == 4096) &&
           pools_add_volume(array, &volume);
}

static bool load(struct array *array, struct cursor *c)
{
    uint8_t version = cursor_get8(c);
    if (version != SAVE_VERSION && version != SAVE_VERSION_NO_REDO)
        return false;
    uint8_t pools = cursor_get8(c);
    for (uint8_t p = 0; p < pools; p++)
        if (!load_pool(array, c, version))
            return false;
    uint16_t volumes = cursor_get16(c);
    for (uint16_t v = 0; v < volumes; v++)
        if (!load_volume(array, c))
            return false;
    return !c->failed && cursor_left(c) == 0;
}

bool array_load(struct array *array, const uint8_t *bytes, uint32_t length)
{
    array_clear(array);
    struct cursor c = cursor_read(bytes, length);
    if (load(array, &c))
        return true;
    array_clear(array);
    return false;
}
