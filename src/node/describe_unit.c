/* SPDX-License-Identifier: Apache-2.0 */
#include "node/describe.h"
#include "unit/unit.h"

static const char *const level_names[] = {[RAID_0] = "raid0",
                                          [RAID_1] = "raid1",
                                          [RAID_10] = "raid10",
                                          [RAID_5] = "raid5",
                                          [RAID_6] = "raid6"};
static const char *const cache_names[] = {
    [CACHE_WRITE_THROUGH] = "write-through", [CACHE_MIRRORED] = "mirrored"};

static json_t *drive_name(const struct node *node, int drive)
{
    char name[32];
    config_drive_name(node->config, drive, name, sizeof name);
    return json_string(name);
}

static json_t *describe_drives_in(const struct node *node, const struct record *record,
                                  enum drive_state state)
{
    json_t *list = json_array();
    for (int d = 0; d < DRIVE_MAX; d++)
        if (record->drive_state[d] == state)
            json_array_append_new(list, drive_name(node, d));
    return list;
}

static json_t *describe_record(const struct node *node, const struct record *record, int group)
{
    return json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:o, s:o}", "generation",
        (json_int_t)record->generation, "epoch", (json_int_t)record->epoch, "primary",
        describe_module(node, record->generation ? record->primary.module : MODULE_NONE, group),
        "in_sync", describe_members(node, &record->in_sync, group), "previous",
        describe_members(node, &record->previous, group), "dirty",
        describe_module(node, record->generation ? record->dirty.module : MODULE_NONE, group),
        "cut", (json_int_t)record->cut, "lease", (json_int_t)record->lease, "claims",
        (json_int_t)record->claims, "clean", record->clean, "drives_failed",
        describe_drives_in(node, record, DRIVE_STATE_FAILED), "drives_stale",
        describe_drives_in(node, record, DRIVE_STATE_STALE));
}

static json_t *describe_pool(const struct node *node, const struct pool_info *pool)
{
    json_t *drives = json_array();
    for (int i = 0; i < pool->drive_count; i++)
        json_array_append_new(drives, drive_name(node, pool->drives[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:o}", "name", pool->name, "level",
                     level_names[pool->level], "cache", cache_names[pool->cache], "uuid",
                     describe_uuid(pool->uuid), "chunk_bytes", (json_int_t)pool->chunk_bytes,
                     "size_bytes", (json_int_t)pool->size_bytes, "used_bytes",
                     (json_int_t)pool->used_bytes, "drives", drives);
}

static json_t *describe_pools(const struct node *node, const struct array *array)
{
    json_t *list = json_array();
    for (uint8_t i = 0; i < POOL_MAX; i++) {
        const struct pool_info *pool = array_pool(array, i);
        if (pool)
            json_array_append_new(list, describe_pool(node, pool));
    }
    return list;
}

/* NULL: nothing of the kind. */
static json_t *describe_sanitize(const struct scsi_server *scsi, uint16_t volume)
{
    static const char *const words[] = {
        [SANITIZE_RUNNING] = "running", [SANITIZE_ENDING] = "ending", [SANITIZE_FAILED] = "failed"};
    uint16_t progress;
    enum scsi_sanitize_state state = scsi_sanitize_state(scsi, volume, &progress);
    if (state == SANITIZE_NONE)
        return NULL;
    return json_pack("{s:s, s:i}", "state", words[state], "percent", progress * 100 / 65536);
}

static json_t *describe_volumes(const struct array *array, const struct scsi_server *scsi)
{
    json_t *list = json_array();
    for (uint16_t i = 0; i < VOLUME_MAX; i++) {
        const struct volume_info *volume = array_volume(array, i);
        const struct pool_info *pool = volume ? array_volume_pool(array, i) : NULL;
        if (!volume)
            continue;
        json_array_append_new(
            list,
            json_pack("{s:s, s:i, s:s, s:o, s:I, s:I, s:b, s:o*}", "name", volume->name, "index",
                      (int)i, "pool", pool ? pool->name : "", "uuid", describe_uuid(volume->uuid),
                      "size_bytes", (json_int_t)(volume->blocks * volume->block_bytes),
                      "block_bytes", (json_int_t)volume->block_bytes, "read_only",
                      volume->read_only, "sanitize", describe_sanitize(scsi, i)));
    }
    return list;
}

/* What is mapped to a host, or to everybody. */
static json_t *describe_luns(const struct node *node, const struct directory *directory,
                             uint16_t host)
{
    json_t *list = json_array();
    uint32_t first, count = directory_maps(directory, host, &first);
    for (uint32_t i = first; i < first + count; i++) {
        const struct directory_entry *entry = &directory->at[i];
        if (entry->group >= node->config->groups)
            continue;
        json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:s, s:o}", "lun", (int)entry->lun,
                                              "group", node->config->group[entry->group].name,
                                              "volume", (int)entry->volume, "name", entry->name,
                                              "uuid", describe_uuid(entry->uuid)));
    }
    return list;
}

static json_t *describe_hosts(const struct node *node, const struct directory *directory)
{
    json_t *list = json_array();
    for (uint16_t h = 0; h < directory->hosts; h++) {
        const struct directory_host *host = &directory->host[h];
        json_t *initiators = json_array();
        for (uint16_t i = 0; i < directory->initiators; i++)
            if (directory->initiator[i].host == host->id)
                json_array_append_new(initiators, json_string(directory->initiator[i].name));
        json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o}", "name", host->name,
                                              "initiators", initiators, "chap_user", host->user,
                                              "luns", describe_luns(node, directory, host->id)));
    }
    return list;
}

static json_t *describe_group_members(const struct node *node, int group)
{
    json_t *list = json_array();
    for (uint8_t i = 0; i < node->config->group[group].members; i++)
        json_array_append_new(list,
                              describe_module(node, node->config->group[group].member[i], group));
    return list;
}

/* Drives that the unit reaches. */
static json_t *describe_reach(const struct node *node, const struct unit_status *status)
{
    json_t *list = json_array();
    for (int l = 0; l < node->config->loops; l++)
        for (int s = 0; s < SLOT_MAX; s++)
            if (status->drives[l] >> s & 1)
                json_array_append_new(list, drive_name(node, l * 32 + s));
    return list;
}

json_t *describe_unit(const struct node *node, const struct part *part)
{
    struct unit_status s;
    unit_describe(part->machine, &s);
    const struct array *array = unit_array(part->machine);
    json_t *unit = json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:b, s:I, s:o, s:o}", "name", part->trace.name,
        "module", node->config->module[part->number], "group",
        node->config->group[part->group].name, "members", describe_group_members(node, part->group),
        "state", unit_state_name(s.state), "incarnation", (json_int_t)s.incarnation, "epoch",
        (json_int_t)s.epoch, "lone", s.lone, "since_ns", (json_int_t)part->since_ns, "record",
        describe_record(node, &s.record, part->group), "heard_units",
        describe_modules(node, s.heard_units, part->group));
    json_t *counters = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "queue",
        (json_int_t)s.queue, "outcomes", (json_int_t)s.outcomes, "mirror_bytes",
        (json_int_t)s.mirror_bytes, "mirror_writes", (json_int_t)s.mirror_writes, "reads",
        (json_int_t)s.reads, "writes", (json_int_t)s.writes, "read_bytes", (json_int_t)s.read_bytes,
        "written_bytes", (json_int_t)s.written_bytes, "takeovers", (json_int_t)s.takeovers,
        "handshake_ns", (json_int_t)s.handshake_ns, "resync_left_bytes",
        (json_int_t)s.array.resync_left_bytes, "regions_set", (json_int_t)s.array.regions_set,
        "regions_in_doubt", (json_int_t)s.array.regions_in_doubt, "drive_commands",
        (json_int_t)s.array.drive_commands);
    const struct directory *directory = unit_directory(part->machine);
    json_t *contents = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "drives_reached", describe_reach(node, &s), "pools",
        describe_pools(node, array), "volumes", describe_volumes(array, unit_scsi(part->machine)),
        "luns", describe_luns(node, directory, HOST_ALL), "hosts", describe_hosts(node, directory));
    json_object_update(unit, counters);
    json_object_update(unit, contents);
    json_decref(counters);
    json_decref(contents);
    return unit;
}
