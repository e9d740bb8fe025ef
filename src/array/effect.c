/* SPDX-License-Identifier: Apache-2.0 */
#include "array/effect.h"

#include "array/pools.h"
#include "base/must.h"
#include "base/text.h"

enum { EFFECT_ROOM = 2, EFFECT_VERSION = 2 };

/* ---- fields of each verb ---- */

static void put_drives(struct cursor *c, const struct effect *e)
{
    cursor_put8(c, e->pool.drive_count);
    cursor_put_bytes(c, e->pool.drives, e->pool.drive_count);
}

static void get_drives(struct cursor *c, struct effect *e)
{
    e->pool.drive_count = cursor_get8(c);
    if (e->pool.drive_count > DRIVE_MAX) {
        c->failed = true;
        e->pool.drive_count = 0;
    }
    cursor_get_bytes(c, e->pool.drives, e->pool.drive_count);
    for (uint8_t i = 0; i < e->pool.drive_count; i++)
        if (e->pool.drives[i] >= DRIVE_MAX)
            c->failed = true;
}

static void put_runs(struct cursor *c, const struct effect *e)
{
    cursor_put16(c, e->volume.runs);
    for (uint16_t r = 0; r < e->volume.runs; r++) {
        cursor_put32(c, e->volume.run[r].start);
        cursor_put32(c, e->volume.run[r].count);
    }
}

static void get_runs(struct cursor *c, struct effect *e)
{
    e->volume.runs = cursor_get16(c);
    if (e->volume.runs > EXTENTS_MAX) {
        c->failed = true;
        e->volume.runs = 0;
    }
    for (uint16_t r = 0; r < e->volume.runs; r++) {
        e->volume.run[r].start = cursor_get32(c);
        e->volume.run[r].count = cursor_get32(c);
    }
}

static void put_pool_create(struct cursor *c, const struct effect *e)
{
    cursor_put_bytes(c, e->pool.name, NAME_BYTES);
    cursor_put8(c, (uint8_t)e->pool.level);
    cursor_put8(c, (uint8_t)e->pool.cache);
    cursor_put32(c, e->pool.chunk_bytes);
    cursor_put64(c, e->data_bytes);
    put_drives(c, e);
    cursor_put8(c, e->pool.redo);
}

static void get_pool_create(struct cursor *c, struct effect *e)
{
    memcpy(e->pool.uuid, e->uuid, 16);
    cursor_get_bytes(c, e->pool.name, NAME_BYTES);
    e->pool.name[NAME_BYTES - 1] = 0;
    e->pool.index = (uint8_t)e->index;
    e->pool.level = (enum raid_level)cursor_get8(c);
    e->pool.cache = cursor_get8(c) == CACHE_MIRRORED ? CACHE_MIRRORED : CACHE_WRITE_THROUGH;
    e->pool.chunk_bytes = cursor_get32(c);
    e->data_bytes = cursor_get64(c);
    get_drives(c, e);
    e->pool.redo = cursor_get8(c) != 0;
}

static void put_pool_set(struct cursor *c, const struct effect *e)
{
    cursor_put8(c, (uint8_t)e->pool.cache);
}

static void get_pool_set(struct cursor *c, struct effect *e)
{
    e->pool.cache = cursor_get8(c) == CACHE_MIRRORED ? CACHE_MIRRORED : CACHE_WRITE_THROUGH;
}

static void put_volume_create(struct cursor *c, const struct effect *e)
{
    cursor_put8(c, e->volume.pool);
    cursor_put_bytes(c, e->volume.info.name, NAME_BYTES);
    cursor_put64(c, e->volume.info.blocks);
    cursor_put32(c, e->volume.info.block_bytes);
    cursor_put8(c, e->volume.info.physical_exponent);
    cursor_put8(c, e->volume.info.read_only);
    put_runs(c, e);
}

static void get_volume_create(struct cursor *c, struct effect *e)
{
    e->volume.pool = cursor_get8(c);
    memcpy(e->volume.info.uuid, e->uuid, 16);
    cursor_get_bytes(c, e->volume.info.name, NAME_BYTES);
    e->volume.info.name[NAME_BYTES - 1] = 0;
    e->volume.info.index = e->index;
    e->volume.info.blocks = cursor_get64(c);
    e->volume.info.block_bytes = cursor_get32(c);
    if (e->volume.info.block_bytes != 512 && e->volume.info.block_bytes != 4096)
        c->failed = true;
    e->volume.info.physical_exponent = cursor_get8(c);
    e->volume.info.read_only = cursor_get8(c) != 0;
    get_runs(c, e);
}

static void put_volume_grow(struct cursor *c, const struct effect *e)
{
    cursor_put64(c, e->blocks_before);
    cursor_put64(c, e->volume.info.blocks);
    put_runs(c, e);
}

static void get_volume_grow(struct cursor *c, struct effect *e)
{
    e->blocks_before = cursor_get64(c);
    e->volume.info.blocks = cursor_get64(c);
    get_runs(c, e);
}

static void put_nothing(struct cursor *c, const struct effect *e)
{
    (void)c;
    (void)e;
}

static void get_nothing(struct cursor *c, struct effect *e)
{
    (void)c;
    (void)e;
}

/* ---- what each does to the configuration; done already: true ---- */

static struct pool *pool_of(struct array *array, const struct effect *e)
{
    struct pool *pool = e->index < POOL_MAX ? &array->pool[e->index] : NULL;
    return pool && pool->used && memcmp(pool->info.uuid, e->uuid, 16) == 0 ? pool : NULL;
}

static struct volume *volume_of(struct array *array, const struct effect *e)
{
    struct volume *volume = e->index < VOLUME_MAX ? &array->volume[e->index] : NULL;
    return volume && volume->used && memcmp(volume->info.uuid, e->uuid, 16) == 0 ? volume : NULL;
}

static bool apply_pool_create(struct array *array, const struct effect *e)
{
    if (pool_of(array, e))
        return true;
    if (!pools_can_add(array, &e->pool, e->data_bytes))
        return false;
    pools_add(array, &e->pool, e->data_bytes);
    return true;
}

static bool apply_pool_delete(struct array *array, const struct effect *e)
{
    const struct pool *pool = pool_of(array, e);
    if (!pool)
        return true;
    if (pool->volumes > 0)
        return false;
    pools_drop(array, (uint8_t)e->index);
    return true;
}

static bool apply_pool_set(struct array *array, const struct effect *e)
{
    if (pool_of(array, e))
        pools_set_cache(array, (uint8_t)e->index, e->pool.cache);
    return true;
}

static bool apply_volume_create(struct array *array, const struct effect *e)
{
    return volume_of(array, e) || pools_add_volume(array, &e->volume);
}

static bool apply_volume_delete(struct array *array, const struct effect *e)
{
    if (volume_of(array, e))
        pools_drop_volume(array, e->index);
    return true;
}

static bool apply_volume_grow(struct array *array, const struct effect *e)
{
    const struct volume *volume = volume_of(array, e);
    if (!volume || volume->info.blocks >= e->volume.info.blocks)
        return true;
    if (volume->info.blocks != e->blocks_before || volume->runs + e->volume.runs > EXTENTS_MAX)
        return false;
    pools_grow_volume(array, e->index, e->volume.info.blocks, e->volume.run, e->volume.runs);
    return true;
}

static const struct verb {
    const char *object; /* of the answer's text; NULL: not a verb of this room */
    void (*put)(struct cursor *c, const struct effect *e);
    void (*get)(struct cursor *c, struct effect *e);
    bool (*apply)(struct array *array, const struct effect *e);
} verbs[] = {
    [MANAGE_POOL_CREATE] = {"pool=", put_pool_create, get_pool_create, apply_pool_create},
    [MANAGE_POOL_DELETE] = {"pool=", put_drives, get_drives, apply_pool_delete},
    [MANAGE_VOLUME_CREATE] = {"volume=", put_volume_create, get_volume_create, apply_volume_create},
    [MANAGE_VOLUME_DELETE] = {"volume=", put_nothing, get_nothing, apply_volume_delete},
    [MANAGE_VOLUME_GROW] = {"volume=", put_volume_grow, get_volume_grow, apply_volume_grow},
    [MANAGE_POOL_SET] = {"pool=", put_pool_set, get_pool_set, apply_pool_set},
};

static const struct verb *verb_find(uint8_t verb)
{
    return verb < sizeof verbs / sizeof verbs[0] && verbs[verb].object ? &verbs[verb] : NULL;
}

uint32_t effect_encode(const struct effect *effect, uint8_t *out, uint32_t capacity)
{
    const struct verb *verb = verb_find(effect->verb);
    must(verb);
    struct cursor c = cursor_of(out, capacity);
    cursor_put8(&c, EFFECT_ROOM);
    cursor_put8(&c, EFFECT_VERSION);
    cursor_put8(&c, effect->verb);
    cursor_put8(&c, effect->nothing);
    cursor_put16(&c, effect->index);
    cursor_put_bytes(&c, effect->uuid, 16);
    if (!effect->nothing)
        verb->put(&c, effect);
    return c.failed ? 0 : (uint32_t)(c.at - out);
}

bool effect_decode(const uint8_t *bytes, uint32_t length, struct effect *out)
{
    memset(out, 0, sizeof *out);
    struct cursor c = cursor_read(bytes, length);
    if (cursor_get8(&c) != EFFECT_ROOM || cursor_get8(&c) != EFFECT_VERSION)
        return false;
    out->verb = cursor_get8(&c);
    out->nothing = cursor_get8(&c) != 0;
    out->index = cursor_get16(&c);
    cursor_get_bytes(&c, out->uuid, 16);
    const struct verb *verb = verb_find(out->verb);
    if (!verb || c.failed)
        return false;
    if (!out->nothing)
        verb->get(&c, out);
    return !c.failed && cursor_left(&c) == 0;
}

bool array_apply(struct array *array, const uint8_t *bytes, uint32_t length)
{
    struct effect effect;
    if (!effect_decode(bytes, length, &effect))
        return false;
    return effect.nothing || verb_find(effect.verb)->apply(array, &effect);
}

bool array_effect_text(const uint8_t *bytes, uint32_t length, char *out, uint32_t capacity)
{
    struct effect effect;
    struct text t = text_in(out, capacity);
    if (!effect_decode(bytes, length, &effect))
        return false;
    text_append(&t, verb_find(effect.verb)->object);
    text_number(&t, effect.index);
    return true;
}
