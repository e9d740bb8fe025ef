/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "manage/identity.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/table.h"
#include "programs/segue_objects.h"

/* segue volume ... */

int segue_volume_list(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return code;
    const json_t *volumes = json_object_get(o->status, "volumes");
    struct table *table = table_new("VOLUME|>LUN|GROUP|POOL|STATE|>SIZE|>BLOCK|UUID");
    size_t i;
    json_t *volume;
    json_array_foreach(volumes, i, volume)
    {
        char lun[32] = "-", size[32], block[32];
        if (json_is_integer(json_object_get(volume, "lun")))
            snprintf(lun, sizeof lun, "%" PRIu64, status_number_of(volume, "lun"));
        quantity_size_text(status_number_of(volume, "size_bytes"), size, sizeof size);
        snprintf(block, sizeof block, "%" PRIu64, status_number_of(volume, "block_bytes"));
        const char *cells[] = {status_text_of(volume, "name"),
                               lun,
                               status_text_of(volume, "group"),
                               status_text_of(volume, "pool"),
                               status_text_of(volume, "state"),
                               size,
                               block,
                               status_text_of(volume, "uuid")};
        table_row(table, cells);
    }
    return objects_list_end(o, "volumes", table);
}

static bool has_hosts(const struct objects *o)
{
    return json_array_size(json_object_get(o->status, "hosts")) > 0;
}

/* What has LUNs: a host's list, or the volumes with those of everybody. */
static const json_t *luns_of(struct objects *o, const json_t *host)
{
    return host ? json_object_get(host, "luns") : json_object_get(o->status, "volumes");
}

/* The LUN of the volume, for that host or everybody; -1: it has none. */
static int64_t lun_of(struct objects *o, const json_t *host, const char *uuid)
{
    size_t i;
    json_t *entry;
    json_array_foreach(luns_of(o, host), i,
                       entry) if (strcmp(status_text_of(entry, "uuid"), uuid) == 0 &&
                                  json_is_integer(json_object_get(entry, "lun"))) return (int64_t)
        status_number_of(entry, "lun");
    return -1;
}

/* --lun, or the lowest LUN that is free. False: said. */
static bool choose_lun(struct objects *o, const json_t *host, uint16_t *lun)
{
    uint64_t given;
    if (!objects_number(o->call, SEGUE_FLAG_LUN, LUN_MAX, LUN_MAX - 1, &given))
        return false;
    static bool taken[LUN_MAX];
    size_t i;
    json_t *entry;
    json_array_foreach(luns_of(o, host), i,
                       entry) if (json_is_integer(json_object_get(entry, "lun")) &&
                                  status_number_of(entry, "lun") < LUN_MAX)
        taken[status_number_of(entry, "lun")] = true;
    if (given == LUN_MAX)
        for (given = 0; given < LUN_MAX - 1 && taken[given];)
            given++;
    *lun = (uint16_t)given;
    if (!taken[given])
        return true;
    segue_fail(o->call, SEGUE_EXIT_REFUSED, "LUN_TAKEN", "take another, or leave --lun out",
               "LUN %u is another volume", *lun);
    return false;
}

static int send_map(struct objects *o, const struct manage_request *volume, uint16_t index,
                    const json_t *host)
{
    struct manage_request map = {.verb = MANAGE_MAP, .group = volume->group, .volume = index};
    char doing[128];
    if (!choose_lun(o, host, &map.lun))
        return SEGUE_EXIT_REFUSED;
    memcpy(map.uuid, volume->uuid, sizeof map.uuid);
    memcpy(map.name, volume->name, sizeof map.name);
    snprintf(map.host, sizeof map.host, "%s", host ? status_text_of(host, "name") : "");
    snprintf(doing, sizeof doing, "map volume %s to LUN %u", map.name, map.lun);
    int code = objects_send(o, (uint8_t)objects_owner(o), &map, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("volume %s is LUN %u%s%s\n", map.name, map.lun, host ? " of host " : "", map.host);
    return code;
}

/* --size, into the request. False: said. */
static bool take_size(const struct segue_call *call, struct manage_request *request)
{
    if (!objects_size(call, SEGUE_FLAG_SIZE, 0, &request->bytes))
        return false;
    if (request->bytes > 0 && request->bytes % 4096 == 0 && strlen(call->argument[0]) < NAME_BYTES)
        return true;
    segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write one such as 64MiB",
               "a volume has whole blocks of 4KiB and a name of at most %d characters",
               NAME_BYTES - 1);
    return false;
}

/* The LUN that the volume has already: it was asked for before, and the answer was lost. -1: none.
 */
static int64_t lun_of_request(struct objects *o, const struct manage_request *request)
{
    char uuid[33];
    for (int i = 0; i < 16; i++)
        snprintf(uuid + 2 * i, 3, "%02x", request->uuid[i]);
    return lun_of(o, NULL, uuid);
}

static int create_volume(struct objects *o)
{
    const struct segue_call *call = o->call;
    struct manage_request request = {.verb = MANAGE_VOLUME_CREATE};
    unsigned index = 0;
    char doing[80];
    int block = objects_word(call, SEGUE_FLAG_BLOCK, "512|4096", 0);
    if (block < 0 || !take_size(call, &request))
        return SEGUE_EXIT_USAGE;
    const json_t *pool = objects_find(o, "pool", call->flag[SEGUE_FLAG_POOL]);
    int group = pool ? objects_group(o, status_text_of(pool, "group")) : -1;
    if (group < 0)
        return SEGUE_EXIT_NO_OBJECT;
    snprintf(request.name, sizeof request.name, "%s", call->argument[0]);
    snprintf(request.pool, sizeof request.pool, "%s", call->flag[SEGUE_FLAG_POOL]);
    identity_of_request("volume", request.name, request.uuid);
    request.group = (uint8_t)group;
    request.block_bytes = block ? 4096 : 512;
    request.read_only = call->flag[SEGUE_FLAG_READ_ONLY] != NULL;
    snprintf(doing, sizeof doing, "create volume %s", request.name);
    int code = objects_send(o, request.group, &request, doing);
    if (code != SEGUE_EXIT_DONE)
        return code;
    printf("volume %s is made\n", request.name);
    if (call->flag[SEGUE_FLAG_NO_MAP])
        return code;
    if (sscanf(o->text, "volume=%u", &index) != 1)
        return segue_fail(call, SEGUE_EXIT_FAILED, "NO_NUMBER", "segue volume map gives it a LUN",
                          "the array did not say the volume's number (\"%.60s\")", o->text);
    if (has_hosts(o)) {
        printf("segue volume map %s --host HOST shows it to a host\n", request.name);
        return code;
    }
    int64_t lun = lun_of_request(o, &request);
    if (lun < 0)
        return send_map(o, &request, (uint16_t)index, NULL);
    printf("volume %s is LUN %" PRId64 "\n", request.name, lun);
    return code;
}

int segue_volume_create(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, create_volume(o)) : code;
}

/* Name, group, number and identity of a volume that is there, into the request. False: said. */
static const json_t *name_volume(struct objects *o, struct manage_request *request)
{
    const json_t *volume = objects_find(o, "volume", o->call->argument[0]);
    int group = volume ? objects_group(o, status_text_of(volume, "group")) : -1;
    if (group < 0)
        return NULL;
    snprintf(request->name, sizeof request->name, "%s", status_text_of(volume, "name"));
    objects_uuid(volume, request->uuid);
    request->group = (uint8_t)group;
    request->volume = (uint16_t)status_number_of(volume, "index");
    return volume;
}

static int grow_volume(struct objects *o)
{
    struct manage_request request = {.verb = MANAGE_VOLUME_GROW};
    char doing[80], size[32];
    if (!take_size(o->call, &request))
        return SEGUE_EXIT_USAGE;
    const json_t *volume = name_volume(o, &request);
    if (!volume)
        return SEGUE_EXIT_NO_OBJECT;
    snprintf(doing, sizeof doing, "grow volume %s", request.name);
    int code = objects_send(o, request.group, &request, doing);
    quantity_size_text(request.bytes, size, sizeof size);
    if (code == SEGUE_EXIT_DONE)
        printf("volume %s has %s; its hosts have been told\n", request.name, size);
    return code;
}

int segue_volume_grow(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, grow_volume(o)) : code;
}

/* --host: *host stays NULL where it was not given. False: said. */
static bool take_host(struct objects *o, const json_t **host)
{
    const char *name = o->call->flag[SEGUE_FLAG_HOST];
    *host = name ? objects_find(o, "host", name) : NULL;
    return !name || *host;
}

static int map_volume(struct objects *o)
{
    struct manage_request named = {0};
    const json_t *host, *volume = name_volume(o, &named);
    if (!volume || !take_host(o, &host))
        return SEGUE_EXIT_NO_OBJECT;
    if (!host && has_hosts(o))
        return segue_fail(o->call, SEGUE_EXIT_USAGE, "NO_HOST", "add --host HOST",
                          "there are hosts, so a volume is mapped to one of them");
    int64_t lun = lun_of(o, host, status_text_of(volume, "uuid"));
    if (lun >= 0)
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "MAPPED", "segue volume unmap takes it away",
                          "volume %s is LUN %" PRId64 " already", named.name, lun);
    return send_map(o, &named, named.volume, host);
}

int segue_volume_map(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, map_volume(o)) : code;
}

static int unmap_volume(struct objects *o)
{
    struct manage_request request = {0};
    char doing[160];
    const json_t *host, *volume = name_volume(o, &request);
    if (!volume || !take_host(o, &host))
        return SEGUE_EXIT_NO_OBJECT;
    char whose[NAME_BYTES + 16] = "";
    if (host)
        snprintf(whose, sizeof whose, " for host %s", status_text_of(host, "name"));
    int64_t lun = lun_of(o, host, status_text_of(volume, "uuid"));
    if (lun < 0) {
        printf("volume %s has no LUN%s\n", request.name, whose);
        return SEGUE_EXIT_DONE;
    }
    request.verb = MANAGE_UNMAP;
    request.lun = (uint16_t)lun;
    snprintf(request.host, sizeof request.host, "%s", host ? status_text_of(host, "name") : "");
    snprintf(doing, sizeof doing, "takes LUN %u away from %s that uses volume %s", request.lun,
             host ? whose + 5 : "every host", request.name);
    int code = objects_confirm(o->call, doing, request.name);
    if (code != SEGUE_EXIT_DONE)
        return code;
    snprintf(doing, sizeof doing, "unmap volume %s", request.name);
    code = objects_send(o, (uint8_t)objects_owner(o), &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("volume %s has no LUN any more%s\n", request.name, whose);
    return code;
}

int segue_volume_unmap(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, unmap_volume(o)) : code;
}

static int delete_volume(struct objects *o)
{
    struct manage_request request = {0};
    char doing[160], size[32];
    const json_t *volume = name_volume(o, &request);
    if (!volume)
        return SEGUE_EXIT_NO_OBJECT;
    if (json_is_integer(json_object_get(volume, "lun")))
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "MAPPED",
                          "segue volume unmap takes it from the hosts first",
                          "cannot delete volume %s: hosts reach it as LUN %" PRIu64, request.name,
                          status_number_of(volume, "lun"));
    size_t i;
    json_t *host;
    json_array_foreach(
        json_object_get(o->status, "hosts"), i,
        host) if (lun_of(o, host, status_text_of(volume, "uuid")) >=
                  0) return segue_fail(o->call, SEGUE_EXIT_REFUSED, "MAPPED",
                                       "segue volume unmap takes it from the host first",
                                       "cannot delete volume %s: host %s has it", request.name,
                                       status_text_of(host, "name"));
    quantity_size_text(status_number_of(volume, "size_bytes"), size, sizeof size);
    snprintf(doing, sizeof doing, "deletes volume %s (%s) of pool %.40s", request.name, size,
             status_text_of(volume, "pool"));
    int code = objects_confirm(o->call, doing, request.name);
    if (code != SEGUE_EXIT_DONE)
        return code;
    request.verb = MANAGE_VOLUME_DELETE;
    snprintf(doing, sizeof doing, "delete volume %s", request.name);
    code = objects_send(o, request.group, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("volume %s is deleted\n", request.name);
    return code;
}

int segue_volume_delete(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, delete_volume(o)) : code;
}
