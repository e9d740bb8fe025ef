/* SPDX-License-Identifier: Apache-2.0 */
/* What a management request becomes: an effect with every decision made, or one sentence that says
 * what is wrong and what to do. Changes nothing. */
#include "array/drives.h"
#include "array/effect.h"
#include "array/level.h"
#include "array/pools.h"
#include "base/must.h"
#include "base/text.h"

struct planning {
    const struct array *array;
    const struct manage_request *request;
    struct effect *effect;
    struct text sentence;
};

/* "<object> <name>: <what>", and false. */
static bool refuse(struct planning *p, const char *object, const char *name, const char *what)
{
    text_append(&p->sentence, object);
    if (name) {
        text_append(&p->sentence, " ");
        text_append(&p->sentence, name);
    }
    text_append(&p->sentence, ": ");
    text_append(&p->sentence, what);
    return false;
}

static bool refuse_drive(struct planning *p, int drive, const char *what)
{
    text_append(&p->sentence, "pool ");
    text_append(&p->sentence, p->request->name);
    text_append(&p->sentence, ": drive ");
    drives_name(&p->sentence, drive);
    text_append(&p->sentence, " ");
    text_append(&p->sentence, what);
    return false;
}

static bool name_is_good(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)name[i] <= ' ' || name[i] == 0x7F)
            return false;
    return length > 0;
}

static bool uuid_is_set(const uint8_t *uuid)
{
    static const uint8_t none[16];
    return memcmp(uuid, none, 16) != 0;
}

/* ---- what is there ---- */

static int pool_of_uuid(const struct array *array, const uint8_t *uuid)
{
    for (uint32_t i = 0; i < array->pools_end; i++)
        if (array->pool[i].used && memcmp(array->pool[i].info.uuid, uuid, 16) == 0)
            return (int)i;
    return -1;
}

static int volume_of_uuid(const struct array *array, const uint8_t *uuid)
{
    for (uint32_t i = 0; i < array->volumes_end; i++)
        if (array->volume[i].used && memcmp(array->volume[i].info.uuid, uuid, 16) == 0)
            return (int)i;
    return -1;
}

static const struct pool *find_pool(struct planning *p, const char *name)
{
    int index = pools_find(p->array, name);
    if (index < 0) {
        refuse(p, "pool", name, "there is no such pool in this group; segue status lists them");
        return NULL;
    }
    p->effect->index = (uint16_t)index;
    memcpy(p->effect->uuid, p->array->pool[index].info.uuid, 16);
    return &p->array->pool[index];
}

static const struct volume *find_volume(struct planning *p)
{
    const char *name = p->request->name;
    int index = pools_find_volume(p->array, name);
    if (index < 0) {
        refuse(p, "volume", name, "there is no such volume in this group; segue status lists them");
        return NULL;
    }
    p->effect->index = (uint16_t)index;
    memcpy(p->effect->uuid, p->array->volume[index].info.uuid, 16);
    return &p->array->volume[index];
}

/* ---- pools ---- */

static bool check_drive(struct planning *p, int number)
{
    if (number >= DRIVE_MAX)
        return refuse_drive(p, number, "is not a place of any tray; choose one that is");
    const struct drive *drive = &p->array->drive[number];
    if (drive->pool != POOL_NONE)
        return refuse_drive(p, number, "is in another pool already; choose a free one");
    if (!drive->listed)
        return refuse_drive(p, number,
                            "is not known: no loop switch has it; check the tray and "
                            "its loop switch, or choose another");
    if (!p->array->loop[number / 32].up || !drive->info.online)
        return refuse_drive(p, number, "does not answer now; bring it back, or choose another");
    if (drive->info.bank != BANK_NONE && drive->info.bank != p->array->group)
        return refuse_drive(p, number, "serves another group; choose a free one");
    if (drive->state != DRIVE_STATE_GOOD)
        return refuse_drive(p, number, "has failed; replace it, or choose another");
    if (drive->info.content == DRIVE_CONTENT_FOREIGN && drive->info.bank == BANK_NONE)
        return refuse_drive(p, number,
                            "carries somebody else's data (segue drive show names it); choose "
                            "another, or wipe it with segue drive adopt");
    if (drive->info.content == DRIVE_CONTENT_POOL && drive->info.bank == BANK_NONE)
        return refuse_drive(p, number,
                            "carries a pool of another array; choose another, or wipe it with "
                            "segue drive adopt");
    if (layout_data_bytes(drive->info.bytes) == 0)
        return refuse_drive(p, number,
                            "is too small: a drive of a pool needs 10 MiB at least; "
                            "choose a larger one");
    return true;
}

static bool check_drives(struct planning *p)
{
    const struct manage_request *r = p->request;
    uint64_t seen[DRIVE_WORDS] = {0};
    uint64_t least = UINT64_MAX;
    for (uint8_t i = 0; i < r->drive_count; i++) {
        if (!check_drive(p, r->drives[i]))
            return false;
        if (position_has(seen, r->drives[i]))
            return refuse_drive(p, r->drives[i], "is named twice; name each drive once");
        position_add(seen, r->drives[i]);
        uint64_t bytes = layout_data_bytes(p->array->drive[r->drives[i]].info.bytes);
        if (bytes < least)
            least = bytes;
    }
    p->effect->data_bytes = least;
    return true;
}

static bool check_level(struct planning *p)
{
    const struct manage_request *r = p->request;
    const struct level *level = level_find(r->level);
    if (!level)
        return refuse(p, "pool", r->name, "no such RAID level; use 0, 1, 10, 5 or 6");
    if (r->drive_count < level->drives_min) {
        text_append(&p->sentence, level->name);
        text_append(&p->sentence, " needs ");
        text_number(&p->sentence, level->drives_min);
        text_append(&p->sentence, " drives at least: name more for ");
        return refuse(p, "pool", r->name, "too few drives");
    }
    if (r->drive_count > level->drives_max) {
        text_append(&p->sentence, level->name);
        text_append(&p->sentence, " takes ");
        text_number(&p->sentence, level->drives_max);
        text_append(&p->sentence, " drives at most: make several pools instead of ");
        return refuse(p, "pool", r->name, "too many drives");
    }
    if (level->drives_even && r->drive_count % 2)
        return refuse(p, "pool", r->name,
                      "RAID 10 needs an even number of drives; add or take away one");
    return true;
}

static bool plan_pool_create(struct planning *p)
{
    const struct manage_request *r = p->request;
    struct effect *e = p->effect;
    int known = pool_of_uuid(p->array, r->uuid);
    if (known >= 0 && strcmp(p->array->pool[known].info.name, r->name) == 0) {
        e->index = (uint16_t)known;
        e->nothing = true;
        return true;
    }
    if (!name_is_good(r->name))
        return refuse(p, "pool", NULL, "it needs a name of 1 to 31 letters without blanks");
    if (!uuid_is_set(r->uuid) || known >= 0)
        return refuse(p, "pool", r->name, "its uuid is missing or taken; ask with a new one");
    if (pools_find(p->array, r->name) >= 0)
        return refuse(p, "pool", r->name, "a pool of that name exists; choose another name");
    uint32_t chunk = r->chunk_bytes ? r->chunk_bytes : CHUNK_DEFAULT;
    if (chunk < LAYOUT_BLOCK || chunk > CHUNK_MAX || (chunk & (chunk - 1)))
        return refuse(p, "pool", r->name, "the chunk must be a power of two from 4 KiB to 1 MiB");
    if (r->cache != CACHE_MIRRORED && r->cache != CACHE_WRITE_THROUGH)
        return refuse(p, "pool", r->name, "no such cache mode; use mirrored or write-through");
    while (e->index < POOL_MAX && p->array->pool[e->index].used)
        e->index++;
    if (e->index == POOL_MAX)
        return refuse(p, "pool", r->name, "the group has 16 pools, which is the most; delete one");
    if (!check_level(p) || !check_drives(p))
        return false;
    memcpy(e->uuid, r->uuid, 16);
    memcpy(e->pool.name, r->name, NAME_BYTES);
    e->pool.level = (enum raid_level)r->level;
    e->pool.cache = (enum cache_mode)r->cache;
    e->pool.chunk_bytes = chunk;
    e->pool.redo = true;
    e->pool.drive_count = r->drive_count;
    memcpy(e->pool.drives, r->drives, r->drive_count);
    return true;
}

static bool plan_pool_delete(struct planning *p)
{
    const struct pool *pool = find_pool(p, p->request->name);
    if (!pool)
        return false;
    if (pool->volumes > 0)
        return refuse(p, "pool", p->request->name, "it has volumes; delete those first");
    p->effect->pool = pool->info;
    return true;
}

static bool plan_pool_set(struct planning *p)
{
    const struct pool *pool = find_pool(p, p->request->name);
    if (!pool)
        return false;
    if (p->request->cache != CACHE_MIRRORED && p->request->cache != CACHE_WRITE_THROUGH)
        return refuse(p, "pool", p->request->name,
                      "no such cache mode; use mirrored or write-through");
    p->effect->pool.cache = (enum cache_mode)p->request->cache;
    p->effect->nothing = p->effect->pool.cache == pool->info.cache;
    return true;
}

/* ---- volumes ---- */

static bool no_room(struct planning *p, const struct pool *pool)
{
    text_append(&p->sentence, "volume ");
    text_append(&p->sentence, p->request->name);
    text_append(&p->sentence, ": pool ");
    text_append(&p->sentence, pool->info.name);
    text_append(&p->sentence, " has ");
    text_number(&p->sentence, (pool->info.size_bytes - pool->info.used_bytes) >> 20);
    text_append(&p->sentence, " MiB free; ask for less, or delete a volume");
    return false;
}

/* In very large pools granules are larger than a unit, and belong to one volume all the same. */
static uint32_t step_of(const struct pool *pool)
{
    uint64_t granule = pool->provision.granule_bytes;
    return granule > LAYOUT_UNIT ? (uint32_t)(granule / LAYOUT_UNIT) : 1;
}

/* Extents of `units`, in one piece if there is one. False: refused. */
static bool allocate(struct planning *p, const struct pool *pool, uint64_t units, uint32_t most)
{
    struct volume *volume = &p->effect->volume;
    struct run run = {0, 0};
    uint32_t step = step_of(pool);
    units = (units + step - 1) / step * step;
    if (units > (pool->info.size_bytes - pool->info.used_bytes) / LAYOUT_UNIT)
        return no_room(p, pool);
    for (uint32_t at = 0; pools_free_run(p->array, pool->info.index, at, &run);
         at = run.start + run.count)
        if (run.count >= units) {
            volume->run[0] = (struct run){run.start, (uint32_t)units};
            volume->runs = 1;
            return true;
        }
    for (uint32_t at = 0; units > 0 && pools_free_run(p->array, pool->info.index, at, &run);
         at = run.start + run.count) {
        if (volume->runs == most)
            return refuse(p, "volume", p->request->name,
                          "the free space of the pool is in too many pieces; ask for less, or "
                          "delete a volume");
        uint32_t whole = run.count / step * step;
        whole = whole < units ? whole : (uint32_t)units;
        if (whole > 0)
            volume->run[volume->runs++] = (struct run){run.start, whole};
        units -= whole;
    }
    return units == 0 || no_room(p, pool);
}

static bool plan_volume_create(struct planning *p)
{
    const struct manage_request *r = p->request;
    struct effect *e = p->effect;
    int known = volume_of_uuid(p->array, r->uuid);
    if (known >= 0 && strcmp(p->array->volume[known].info.name, r->name) == 0) {
        e->index = (uint16_t)known;
        e->nothing = true;
        return true;
    }
    if (!name_is_good(r->name))
        return refuse(p, "volume", NULL, "it needs a name of 1 to 31 letters without blanks");
    if (!uuid_is_set(r->uuid) || known >= 0)
        return refuse(p, "volume", r->name, "its uuid is missing or taken; ask with a new one");
    if (pools_find_volume(p->array, r->name) >= 0)
        return refuse(p, "volume", r->name, "a volume of that name exists; choose another name");
    if (r->block_bytes != 512 && r->block_bytes != 4096)
        return refuse(p, "volume", r->name, "its blocks must be of 512 or 4096 bytes");
    if (r->bytes == 0 || r->bytes > (uint64_t)UINT32_MAX * LAYOUT_UNIT)
        return refuse(p, "volume", r->name, "it needs a size, larger than 0 and below 4 PiB");
    const struct pool *pool = find_pool(p, r->pool);
    if (!pool)
        return false;
    e->index = 0;
    while (e->index < VOLUME_MAX && p->array->volume[e->index].used)
        e->index++;
    if (e->index == VOLUME_MAX)
        return refuse(p, "volume", r->name, "the group has 1024 volumes, the most; delete one");
    memcpy(e->uuid, r->uuid, 16);
    e->volume.pool = pool->info.index;
    memcpy(e->volume.info.name, r->name, NAME_BYTES);
    e->volume.info.block_bytes = r->block_bytes;
    e->volume.info.blocks = (r->bytes + r->block_bytes - 1) / r->block_bytes;
    e->volume.info.physical_exponent = r->block_bytes == 512 ? 3 : 0;
    e->volume.info.read_only = r->read_only;
    return allocate(p, pool, (r->bytes + LAYOUT_UNIT - 1) / LAYOUT_UNIT, EXTENTS_MAX);
}

static bool plan_volume_delete(struct planning *p)
{
    return find_volume(p) != NULL;
}

static bool plan_volume_grow(struct planning *p)
{
    const struct volume *volume = find_volume(p);
    if (!volume)
        return false;
    struct effect *e = p->effect;
    uint64_t now = volume->info.blocks * volume->info.block_bytes;
    uint64_t units = 0;
    if (p->request->bytes > (uint64_t)UINT32_MAX * LAYOUT_UNIT || p->request->bytes < now)
        return refuse(p, "volume", p->request->name,
                      "it can only become larger; ask for more than it has now, below 4 PiB");
    for (uint16_t r = 0; r < volume->runs; r++)
        units += volume->run[r].count;
    e->blocks_before = volume->info.blocks;
    e->volume.info.blocks =
        (p->request->bytes + volume->info.block_bytes - 1) / volume->info.block_bytes;
    e->nothing = e->volume.info.blocks == e->blocks_before;
    uint64_t wanted = (p->request->bytes + LAYOUT_UNIT - 1) / LAYOUT_UNIT;
    return wanted <= units ||
           allocate(p, &p->array->pool[volume->pool], wanted - units, EXTENTS_MAX - volume->runs);
}

static bool (*const plans[])(struct planning *p) = {
    [MANAGE_POOL_CREATE] = plan_pool_create,     [MANAGE_POOL_DELETE] = plan_pool_delete,
    [MANAGE_VOLUME_CREATE] = plan_volume_create, [MANAGE_VOLUME_DELETE] = plan_volume_delete,
    [MANAGE_VOLUME_GROW] = plan_volume_grow,     [MANAGE_POOL_SET] = plan_pool_set,
};

bool array_plan(const struct array *array, const uint8_t *bytes, uint32_t length, uint8_t *out,
                uint32_t *out_length, char *sentence, uint32_t sentence_bytes)
{
    struct manage_request request;
    struct effect effect;
    memset(&effect, 0, sizeof effect);
    struct planning planning = {array, &request, &effect, text_in(sentence, sentence_bytes)};
    *out_length = 0;
    if (!manage_decode(bytes, length, &request))
        return refuse(&planning, "request", NULL,
                      "it cannot be understood; use a segue of the same release");
    if (request.verb >= sizeof plans / sizeof plans[0] || !plans[request.verb])
        return refuse(&planning, "request", NULL, "pools and volumes have no such verb");
    if (array->carry.count >= CARRY_PLAN)
        return refuse(&planning, "request", NULL,
                      "too many changes are being carried out; ask again when they are done");
    effect.verb = request.verb;
    if (!plans[request.verb](&planning))
        return false;
    *out_length = effect_encode(&effect, out, EFFECT_MAX);
    must(*out_length > 0);
    return true;
}
