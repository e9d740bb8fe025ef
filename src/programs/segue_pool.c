/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "array/array.h"
#include "manage/identity.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/table.h"
#include "programs/segue_objects.h"

/* segue pool ..., segue group ... */

int segue_pool_list(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return code;
    struct table *table = table_new("POOL|GROUP|LEVEL|CACHE|STATE|>USED|>SIZE|DRIVES");
    size_t i;
    json_t *pool;
    json_array_foreach(json_object_get(o->status, "pools"), i, pool)
    {
        char used[32], size[32], drives[256];
        quantity_size_text(status_number_of(pool, "used_bytes"), used, sizeof used);
        quantity_size_text(status_number_of(pool, "size_bytes"), size, sizeof size);
        status_list_text(json_object_get(pool, "drives"), " ", drives, sizeof drives);
        const char *cells[] = {status_text_of(pool, "name"),
                               status_text_of(pool, "group"),
                               status_text_of(pool, "level"),
                               status_text_of(pool, "cache"),
                               status_text_of(pool, "state"),
                               used,
                               size,
                               drives};
        table_row(table, cells);
    }
    return objects_list_end(o, "pools", table);
}

static int create_pool(struct objects *o)
{
    static const enum raid_level levels[] = {RAID_0, RAID_1, RAID_10, RAID_5, RAID_6};
    static const enum cache_mode caches[] = {CACHE_WRITE_THROUGH, CACHE_MIRRORED};
    const struct segue_call *call = o->call;
    struct manage_request request = {.verb = MANAGE_POOL_CREATE};
    uint64_t chunk;
    char doing[80];
    int group = objects_group(o, call->flag[SEGUE_FLAG_GROUP]);
    if (group < 0)
        return SEGUE_EXIT_NO_OBJECT;
    int level = objects_word(call, SEGUE_FLAG_LEVEL, "raid0|raid1|raid10|raid5|raid6", 0);
    int cache = objects_word(call, SEGUE_FLAG_CACHE, "write-through|mirrored", 1);
    if (level < 0 || cache < 0 || !objects_size(call, SEGUE_FLAG_CHUNK, 0, &chunk))
        return SEGUE_EXIT_USAGE;
    if (chunk > 16 << 20 || (chunk & (chunk - 1)))
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write one such as 64KiB",
                          "a chunk is a power of two of at most 16MiB");
    if (!objects_drives(o, call->flag[SEGUE_FLAG_DRIVES], &request))
        return SEGUE_EXIT_NO_OBJECT;
    if (strlen(call->argument[0]) >= NAME_BYTES)
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "take a shorter one",
                          "a name has at most %d characters", NAME_BYTES - 1);
    snprintf(request.name, sizeof request.name, "%s", call->argument[0]);
    identity_of_request("pool", request.name, request.uuid);
    request.group = (uint8_t)group;
    request.level = (uint8_t)levels[level];
    request.cache = (uint8_t)caches[cache];
    request.chunk_bytes = (uint32_t)chunk;
    snprintf(doing, sizeof doing, "create pool %s", request.name);
    int code = objects_send(o, request.group, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("pool %s is made\n", request.name);
    return code;
}

int segue_pool_create(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, create_pool(o)) : code;
}

static int delete_pool(struct objects *o)
{
    const char *name = o->call->argument[0];
    char doing[80];
    struct manage_request request = {.verb = MANAGE_POOL_DELETE};
    const json_t *pool = objects_find(o, "pool", name);
    if (!pool)
        return SEGUE_EXIT_NO_OBJECT;
    int group = objects_group(o, status_text_of(pool, "group"));
    if (group < 0)
        return SEGUE_EXIT_NO_OBJECT;
    snprintf(doing, sizeof doing, "deletes pool %.40s", name);
    int code = objects_confirm(o->call, doing, name);
    if (code != SEGUE_EXIT_DONE)
        return code;
    snprintf(request.name, sizeof request.name, "%s", name);
    request.group = (uint8_t)group;
    if (!objects_uuid(pool, request.uuid))
        memset(request.uuid, 0, sizeof request.uuid); /* its name says which */
    snprintf(doing, sizeof doing, "delete pool %.40s", name);
    code = objects_send(o, request.group, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("pool %s is deleted\n", name);
    return code;
}

int segue_pool_delete(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, delete_pool(o)) : code;
}

int segue_group_list(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return code;
    struct table *table = table_new("GROUP|>EPOCH|PRIMARY|SERVING|IN SYNC|MEMBERS|>TAKEOVERS");
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(o->status, "groups"), i, group)
    {
        char epoch[32], takeovers[32], in_sync[128], members[128];
        snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)status_number_of(group, "epoch"));
        snprintf(takeovers, sizeof takeovers, "%llu",
                 (unsigned long long)status_number_of(group, "takeovers"));
        status_list_text(json_object_get(group, "in_sync"), ", ", in_sync, sizeof in_sync);
        status_list_text(json_object_get(group, "members"), ", ", members, sizeof members);
        const char *cells[] = {status_text_of(group, "name"),
                               epoch,
                               status_text_of(group, "primary"),
                               status_flag_of(group, "serving") ? "yes" : "no",
                               in_sync,
                               members,
                               takeovers};
        table_row(table, cells);
    }
    return objects_list_end(o, "groups", table);
}

static int find_member(struct objects *o, int group, const char *module)
{
    for (int m = 0; m < o->config.modules; m++)
        for (int i = 0; i < o->config.group[group].members; i++)
            if (o->config.group[group].member[i] == m &&
                (strcmp(o->config.module[m], module) == 0 ||
                 strcmp(o->config.unit[m][group], module) == 0))
                return m;
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_MODULE", "segue group list shows its units",
               "group %s has no unit in a module %.40s", o->config.group[group].name, module);
    return -1;
}

/* Moving to a unit that is not in sync would lose what it does not hold: the group refuses. */
static int move_group(struct objects *o)
{
    const char *name = o->call->argument[0];
    char doing[96];
    int group = objects_group(o, name);
    int module = group < 0 ? -1 : find_member(o, group, o->call->argument[1]);
    if (module < 0)
        return SEGUE_EXIT_NO_OBJECT;
    const char *unit = o->config.unit[module][group];
    const json_t *now = status_find(json_object_get(o->status, "groups"), "name", name);
    if (strcmp(status_text_of(now, "primary"), unit) == 0 && status_flag_of(now, "serving")) {
        printf("%s leads group %s already\n", unit, name);
        return SEGUE_EXIT_DONE;
    }
    if (!status_list_has(json_object_get(now, "in_sync"), unit))
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "NOT_IN_SYNC",
                          "wait until it is: segue wait in-sync",
                          "cannot move group %s to %s: that unit is not in sync", name, unit);
    struct manage_request request = {
        .verb = MANAGE_GROUP_MOVE, .group = (uint8_t)group, .module = (uint8_t)module};
    snprintf(doing, sizeof doing, "move group %s to %s", name, unit);
    int code = objects_send(o, request.group, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("group %s moves to %s\n", name, unit);
    return code;
}

int segue_group_move(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, move_group(o)) : code;
}

/* Whoever alone held acknowledged writes is dead, with its memory: only a person may decide to go
 * on without them. */
static int claim_group(struct objects *o)
{
    const char *name = o->call->argument[0];
    char doing[200], text[REQUEST_TEXT];
    int group = objects_group(o, name);
    int module = group < 0 ? -1 : find_member(o, group, o->call->argument[1]);
    if (module < 0)
        return SEGUE_EXIT_NO_OBJECT;
    const char *unit = o->config.unit[module][group];
    const json_t *now = status_find(json_object_get(o->status, "groups"), "name", name);
    const char *dirty = status_text_of(now, "dirty");
    if (status_flag_of(now, "serving"))
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "SERVED", "there is nothing to decide",
                          "cannot claim group %s: %s serves it", name,
                          status_text_of(now, "primary"));
    if (!*dirty)
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "NOTHING_HELD",
                          "start what is down; segue status says what that is",
                          "cannot claim group %s: no writes are held by one unit alone", name);
    snprintf(doing, sizeof doing,
             "gives up what unit %.20s alone held when group %.40s stopped: writes that hosts were "
             "told are done are lost",
             dirty, name);
    int code = objects_confirm(o->call, doing, name);
    if (code != SEGUE_EXIT_DONE)
        return code;
    switch (request_part(&o->config, port_unit(module, group), "accept-loss", 5000, text,
                         sizeof text)) {
    case REQUEST_GOOD:
        printf("%s\n", text);
        return SEGUE_EXIT_DONE;
    case REQUEST_REFUSED:
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "REFUSED", NULL, "cannot claim group %s: %s",
                          name, text);
    case REQUEST_UNKNOWN:
        return segue_fail(o->call, SEGUE_EXIT_UNKNOWN, "OUTCOME_UNKNOWN",
                          "look with segue status whether it serves; if not, repeat it",
                          "cannot tell whether %s claims group %s: no answer came", unit, name);
    case REQUEST_UNREACHABLE:
        break;
    }
    return segue_fail(o->call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE",
                      "start it, or name a module that runs", "module %s does not answer",
                      o->call->argument[1]);
}

int segue_group_claim(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, claim_group(o)) : code;
}
