/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/array.h"
#include "manage/config_draft.h"
#include "manage/identity.h"
#include "manage/quantity.h"
#include "manage/suggest.h"

/* create: what an empty array shall contain, as management requests. Each has an identity that
 * comes from the names alone, so that carrying out twice creates once. */
struct check {
    const struct config_draft *draft;
    struct config *config;
    const struct config_complaint *where;
    bool taken[DRIVE_MAX]; /* drives of the pools so far */
};

static const enum raid_level levels[] = {RAID_0, RAID_1, RAID_10, RAID_5,
                                         RAID_6}; /* words of the schema */
static const enum cache_mode caches[] = {CACHE_WRITE_THROUGH, CACHE_MIRRORED};

static struct manage_request *add(struct config *config, const struct config_complaint *where,
                                  enum manage_verb verb, uint8_t group, unsigned line)
{
    if (config->creates == CONFIG_STEP_MAX) {
        config_complain(where, line, "create",
                        "it has more than %d steps (a volume with its LUN is two, each initiator "
                        "and each LUN of a host is one); create the rest later with segue",
                        CONFIG_STEP_MAX);
        return NULL;
    }
    config->create[config->creates].group = group;
    struct manage_request *request = &config->create[config->creates++].request;
    request->verb = (uint8_t)verb;
    return request;
}

static struct manage_request *add_request(struct check *c, enum manage_verb verb, uint8_t group,
                                          unsigned line)
{
    return add(c->config, c->where, verb, group, line);
}

struct manage_request *config_create_add(struct config *config,
                                         const struct config_complaint *where,
                                         enum manage_verb verb, unsigned line)
{
    uint8_t owner = 0;
    while (!config->group[owner].owner)
        owner++;
    struct manage_request *request = add(config, where, verb, owner, line);
    if (request)
        request->group = owner;
    return request;
}

static int find_group(const struct check *c, const struct config_value *name)
{
    const char *names[GROUP_MAX];
    for (int g = 0; g < c->config->groups; g++) {
        names[g] = c->config->group[g].name;
        if (strcmp(names[g], name->text) == 0)
            return g;
    }
    const char *near = suggest_word(name->text, names, c->config->groups);
    config_complain(c->where, name->line, "create.pools.group", "there is no group %s; %s%s%s",
                    name->text, near ? "did you mean " : "use one of groups:", near ? near : "",
                    near ? "?" : "");
    return -1;
}

static bool take_drive(struct check *c, struct manage_request *request, int drive,
                       const struct config_value *word)
{
    char name[32];
    config_drive_name(c->config, drive, name, sizeof name);
    if (c->taken[drive])
        return config_complain(c->where, word->line, "create.pools.drives",
                               "drive %s is in a pool already; a drive can be in one place only",
                               name);
    c->taken[drive] = true;
    request->drives[request->drive_count++] = (uint8_t)drive;
    return true;
}

/* "t0/00" or "t0/00-03". */
static bool take_drives(struct check *c, struct manage_request *request,
                        const struct config_value *word)
{
    char first[CONFIG_PATH], last[CONFIG_PATH + 16];
    snprintf(first, sizeof first, "%s", word->text);
    char *slash = strrchr(first, '/'), *dash = slash ? strchr(slash, '-') : NULL;
    if (dash)
        *dash = 0;
    snprintf(last, sizeof last, "%.*s%s", dash ? (int)(slash - first) + 1 : CONFIG_PATH, first,
             dash ? dash + 1 : "");
    int from = config_drive_number(c->config, first), to = config_drive_number(c->config, last);
    if (from < 0 || to < from)
        return config_complain(c->where, word->line, "create.pools.drives",
                               "there is no drive %.40s; write TRAY/SLOT, such as %s/%02u or "
                               "%s/00-03, of a drive in parts.loops",
                               word->text, c->config->loop[0].tray,
                               c->config->loop[0].drive[0].slot, c->config->loop[0].tray);
    for (int drive = from; drive <= to; drive++) {
        char name[32];
        config_drive_name(c->config, drive, name, sizeof name);
        if (config_drive_number(c->config, name) == drive && !take_drive(c, request, drive, word))
            return false;
    }
    return true;
}

static bool check_drive_count(struct check *c, const struct draft_pool *from, unsigned drives)
{
    static const struct {
        unsigned least, multiple, most;
        const char *words;
    } needs[] = {
        [RAID_0] = {1, 1, DRIVE_MAX, "one or more"},
        [RAID_1] = {2, 1, DRIVE_MAX, "two or more"},
        [RAID_10] = {2, 2, DRIVE_MAX, "an even number, as mirrored pairs"},
        [RAID_5] = {3, 1, 32, "three to 32"},
        [RAID_6] = {4, 1, 32, "four to 32"},
    };
    enum raid_level level = levels[from->level.number];
    if (drives >= needs[level].least && drives <= needs[level].most &&
        drives % needs[level].multiple == 0)
        return true;
    return config_complain(c->where, from->drives.line, "create.pools.drives",
                           "%s takes %s, and %u are named; change the list", from->level.text,
                           needs[level].words, drives);
}

static bool check_pool(struct check *c, uint32_t index)
{
    const struct draft_pool *from = &c->draft->pool[index];
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(c->draft->pool[i].name.text, from->name.text) == 0)
            return config_complain(c->where, from->name.line, "create.pools.name",
                                   "the name %s is taken (line %u); give it another",
                                   from->name.text, c->draft->pool[i].name.line);
    int group = find_group(c, &from->group);
    if (group < 0)
        return false;
    struct manage_request *request = add_request(c, MANAGE_POOL_CREATE, (uint8_t)group, from->line);
    if (!request)
        return false;
    snprintf(request->name, sizeof request->name, "%s", from->name.text);
    identity_of_name(c->config->array, "pool", request->name, request->uuid);
    request->group = (uint8_t)group;
    request->level = (uint8_t)levels[from->level.number];
    request->cache = (uint8_t)(from->cache.given ? caches[from->cache.number] : CACHE_MIRRORED);
    request->chunk_bytes = (uint32_t)from->chunk.number;
    if (from->chunk.number & (from->chunk.number - 1))
        return config_complain(c->where, from->chunk.line, "create.pools.chunk",
                               "%s is not a power of two; write one such as 64KiB",
                               from->chunk.text);
    for (uint32_t i = 0; i < from->drives.count; i++)
        if (!take_drives(c, request, &from->drives.at[i]))
            return false;
    return check_drive_count(c, from, request->drive_count);
}

/* The create entry of the pool, or NULL. */
static const struct manage_request *find_pool(const struct check *c,
                                              const struct config_value *name)
{
    const char *names[CONFIG_CREATE_MAX];
    for (uint32_t i = 0; i < c->draft->pools; i++) {
        names[i] = c->draft->pool[i].name.text;
        if (strcmp(names[i], name->text) == 0)
            return &c->config->create[i].request;
    }
    const char *near = suggest_word(name->text, names, c->draft->pools);
    config_complain(c->where, name->line, "create.volumes.pool", "there is no pool %s; %s%s%s",
                    name->text, near ? "did you mean " : "use one of create.pools",
                    near ? near : "", near ? "?" : "");
    return NULL;
}

static bool check_volume(struct check *c, uint32_t index)
{
    const struct draft_volume *from = &c->draft->volume[index];
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(c->draft->volume[i].name.text, from->name.text) == 0)
            return config_complain(c->where, from->name.line, "create.volumes.name",
                                   "the name %s is taken (line %u); give it another",
                                   from->name.text, c->draft->volume[i].name.line);
    const struct manage_request *pool = find_pool(c, &from->pool);
    if (!pool)
        return false;
    struct manage_request *request = add_request(c, MANAGE_VOLUME_CREATE, pool->group, from->line);
    if (!request)
        return false;
    if (from->size.number % 4096)
        return config_complain(c->where, from->size.line, "create.volumes.size",
                               "%s is not whole blocks; use a multiple of 4KiB", from->size.text);
    snprintf(request->name, sizeof request->name, "%s", from->name.text);
    snprintf(request->pool, sizeof request->pool, "%s", from->pool.text);
    identity_of_name(c->config->array, "volume", request->name, request->uuid);
    request->group = pool->group;
    request->bytes = from->size.number;
    request->block_bytes = from->block.number == 1 ? 4096 : 512;
    request->read_only = from->read_only.number != 0;
    return true;
}

bool config_create_map(const struct config_draft *draft, struct config *config,
                       const struct config_complaint *where, uint32_t volume, const char *host,
                       uint16_t lun, unsigned line)
{
    struct manage_request *map = config_create_add(config, where, MANAGE_MAP, line);
    if (!map)
        return false;
    const struct manage_request *made = &config->create[draft->pools + volume].request;
    memcpy(map->name, made->name, sizeof map->name);
    memcpy(map->uuid, made->uuid, sizeof map->uuid);
    snprintf(map->host, sizeof map->host, "%s", host);
    map->group = made->group;
    map->lun = lun;
    return true;
}

static uint16_t lun_of(const struct draft_volume *volume, uint32_t index)
{
    return (uint16_t)(volume->lun.given ? volume->lun.number : index);
}

/* Where there are hosts, a volume that is everybody's has to say so: by its lun. */
static bool is_mapped(const struct check *c, uint32_t index)
{
    return c->draft->hosts == 0 || c->draft->volume[index].lun.given;
}

static bool check_map(struct check *c, uint32_t index)
{
    const struct draft_volume *from = &c->draft->volume[index];
    uint16_t lun = lun_of(from, index);
    for (uint32_t i = 0; i < index; i++)
        if (is_mapped(c, i) && lun_of(&c->draft->volume[i], i) == lun)
            return config_complain(c->where, from->lun.given ? from->lun.line : from->line,
                                   "create.volumes.lun",
                                   "LUN %u is volume %s already; give %s another with lun:", lun,
                                   c->draft->volume[i].name.text, from->name.text);
    return config_create_map(c->draft, c->config, c->where, index, "", lun, from->line);
}

static bool check_all(struct check *c)
{
    for (uint32_t i = 0; i < c->draft->pools; i++)
        if (!check_pool(c, i))
            return false;
    for (uint32_t i = 0; i < c->draft->volumes; i++)
        if (!check_volume(c, i))
            return false;
    if (!config_hosts_check(c->draft, c->config, c->where))
        return false;
    for (uint32_t i = 0; i < c->draft->volumes; i++)
        if (is_mapped(c, i) && !check_map(c, i))
            return false;
    return true;
}

bool config_create_check(const struct config_draft *draft, struct config *config,
                         const struct config_complaint *where)
{
    struct check c = {draft, config, where, {false}};
    return check_all(&c);
}
