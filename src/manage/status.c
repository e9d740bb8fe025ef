/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/status.h"

#include <stdio.h>
#include <string.h>

#include "manage/status_json.h"

const char *status_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

uint64_t status_number_of(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));
    return number > 0 ? (uint64_t)number : 0;
}

bool status_flag_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

json_t *status_find(const json_t *list, const char *key, const char *text)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i,
                       entry) if (strcmp(status_text_of(entry, key), text) == 0) return entry;
    return NULL;
}

bool status_list_has(const json_t *list, const char *text)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) if (json_is_string(entry) &&
                                           strcmp(json_string_value(entry), text) == 0) return true;
    return false;
}

void status_list_text(const json_t *list, const char *between, char *out, size_t bytes)
{
    size_t i, at = 0;
    json_t *entry;
    snprintf(out, bytes, "-");
    json_array_foreach(list, i, entry)
    {
        const char *text = json_string_value(entry);
        if (at < bytes)
            at +=
                (size_t)snprintf(out + at, bytes - at, "%s%s", i ? between : "", text ? text : "?");
    }
}

/* Is unit a a better witness of its group than b? */
static bool knows_better(const json_t *a, const json_t *b)
{
    if (!b)
        return true;
    bool a_leads = strcmp(status_text_of(a, "state"), "primary") == 0;
    bool b_leads = strcmp(status_text_of(b, "state"), "primary") == 0;
    uint64_t a_epoch = status_number_of(a, "epoch"), b_epoch = status_number_of(b, "epoch");
    if (a_leads != b_leads)
        return a_leads ? a_epoch >= b_epoch : a_epoch > b_epoch;
    if (a_epoch != b_epoch)
        return a_epoch > b_epoch;
    return status_number_of(json_object_get(a, "record"), "generation") >
           status_number_of(json_object_get(b, "record"), "generation");
}

const json_t *status_best_unit(const json_t *status, const char *group)
{
    const json_t *best = NULL;
    size_t i;
    json_t *unit;
    json_array_foreach(json_object_get(status, "units"), i,
                       unit) if (strcmp(status_text_of(unit, "group"), group) == 0 &&
                                 json_object_get(unit, "record") && knows_better(unit, best)) best =
        unit;
    return best;
}

static void copy_key(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);
    if (value)
        json_object_set(to, key, value);
}

/* What every process says under `key`, in one list; each entry with the process's name and, so that
 * ages can be told, its clock. */
static void gather(json_t *status, const char *key, const struct status_process *processes,
                   size_t count)
{
    json_t *all = json_array();
    for (size_t p = 0; p < count; p++) {
        size_t i;
        json_t *entry;
        json_array_foreach(json_object_get(processes[p].answer, key), i, entry)
        {
            json_t *copy = json_copy(entry);
            json_object_set_new(copy, "process", json_string(processes[p].name));
            copy_key(copy, processes[p].answer, "now_ns");
            json_array_append_new(all, copy);
        }
    }
    json_object_set_new(status, key, all);
}

static json_t *process_entry(const struct status_process *process)
{
    json_t *entry = json_object();
    uint64_t pid = status_number_of(process->answer, "pid");
    json_object_set_new(entry, "name", json_string(process->name));
    json_object_set_new(entry, "pid", json_integer(pid ? (json_int_t)pid : process->pid));
    const char *state = process->answer ? "running" : process->alive ? "silent" : "dead";
    json_object_set_new(entry, "state", json_string(state));
    copy_key(entry, process->answer, "command_line");
    copy_key(entry, process->answer, "started_ns");
    copy_key(entry, process->answer, "buffers_used_bytes");
    copy_key(entry, process->answer, "buffers_limit_bytes");
    return entry;
}

/* Members that no process speaks of: their process is down. */
static void add_silent_units(json_t *status)
{
    json_t *units = json_object_get(status, "units"), *unit, *member;
    json_t *missing = json_array();
    size_t i, m;
    json_array_foreach(units, i, unit)
        json_array_foreach(json_object_get(unit, "members"), m, member)
    {
        const char *name = json_string_value(member);
        if (!name || status_find(units, "name", name) || status_find(missing, "name", name))
            continue;
        json_array_append_new(missing, json_pack("{s:s, s:O, s:s}", "name", name, "group",
                                                 json_object_get(unit, "group"), "state", "down"));
    }
    json_array_extend(units, missing);
    json_decref(missing);
}

/* By name, so that a unit keeps its place in the picture whatever becomes of it. */
static void sort_units(json_t *status)
{
    const json_t *units = json_object_get(status, "units");
    json_t *sorted = json_array(), *unit;
    size_t i;
    json_array_foreach(units, i, unit)
    {
        size_t at = 0;
        while (at < json_array_size(sorted) &&
               strcmp(status_text_of(json_array_get(sorted, at), "name"),
                      status_text_of(unit, "name")) <= 0)
            at++;
        json_array_insert(sorted, at, unit);
    }
    json_object_set_new(status, "units", sorted);
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

/* A list of units in the order of the group's members. */
static json_t *in_order(json_t *units, const json_t *members)
{
    json_t *ordered = json_array(), *name;
    size_t i;
    json_array_foreach(members, i, name) if (json_is_string(name) &&
                                             status_list_has(units, json_string_value(name)))
        json_array_append(ordered, name);
    if (json_array_size(ordered) == json_array_size(units))
        return ordered;
    json_decref(ordered);
    return json_incref(units);
}

static json_t *group_entry(const json_t *status, const char *name)
{
    const json_t *unit = status_best_unit(status, name), *record = json_object_get(unit, "record");
    json_t *entry = json_object(), *previous = json_object_get(record, "previous");
    const char *primary = status_text_of(record, "primary");
    bool serving = strcmp(status_text_of(unit, "state"), "primary") == 0 &&
                   strcmp(primary, status_text_of(unit, "name")) == 0 &&
                   json_array_size(previous) == 0;
    json_object_set_new(entry, "name", json_string(name));
    json_object_set_new(entry, "epoch",
                        json_integer((json_int_t)status_number_of(record, "epoch")));
    json_object_set_new(entry, "primary", text_or_null(primary));
    json_object_set_new(entry, "serving", json_boolean(serving));
    json_object_set_new(entry, "dirty", text_or_null(status_text_of(record, "dirty")));
    json_object_set_new(entry, "lone",
                        json_boolean(json_array_size(json_object_get(record, "in_sync")) == 1 &&
                                     json_array_size(json_object_get(unit, "members")) > 1));
    static const char *const of_record[] = {"in_sync",    "previous",      "cut",         "clean",
                                            "generation", "drives_failed", "drives_stale"};
    static const char *const of_unit[] = {
        "members",          "queue",         "mirror_bytes", "mirror_writes",
        "handshake_ns",     "takeovers",     "reads",        "writes",
        "read_bytes",       "written_bytes", "regions_set",  "regions_in_doubt",
        "resync_left_bytes"};
    for (size_t i = 0; i < sizeof of_record / sizeof of_record[0]; i++)
        copy_key(entry, record, of_record[i]);
    for (size_t i = 0; i < sizeof of_unit / sizeof of_unit[0]; i++)
        copy_key(entry, unit, of_unit[i]);
    json_t *in_sync = json_object_get(entry, "in_sync");
    if (in_sync)
        json_object_set_new(entry, "in_sync", in_order(in_sync, json_object_get(unit, "members")));
    return entry;
}

static void add_groups(json_t *status)
{
    json_t *groups = json_array(), *unit;
    size_t i;
    json_array_foreach(json_object_get(status, "units"), i, unit)
    {
        const char *name = status_text_of(unit, "group");
        if (*name && !status_find(groups, "name", name) && status_best_unit(status, name))
            json_array_append_new(groups, group_entry(status, name));
    }
    json_object_set_new(status, "groups", groups);
}

/* The state of a drive as the record of its group has it. */
static const char *drive_state(const json_t *status, const json_t *drive)
{
    const char *name = status_text_of(drive, "name");
    const json_t *group =
        status_find(json_object_get(status, "groups"), "name", status_text_of(drive, "group"));
    if (status_list_has(json_object_get(group, "drives_failed"), name))
        return "failed";
    const char *port = status_text_of(drive, "port");
    if (strcmp(port, "absent") == 0 && !*status_text_of(drive, "al_pa")) /* it has never been in */
        return "empty";
    if (!status_flag_of(drive, "online"))
        return strncmp(port, "bypassed", 8) == 0 ? "bypassed" : "offline";
    if (status_list_has(json_object_get(group, "drives_stale"), name))
        return "stale";
    return group ? "good" : "free";
}

static void add_drive_states(json_t *status)
{
    size_t l, d;
    json_t *loop, *drive;
    json_array_foreach(json_object_get(status, "loops"), l, loop)
    {
        json_t *drives = json_array();
        json_array_foreach(json_object_get(loop, "drives"), d, drive)
        {
            json_t *copy = json_copy(drive);
            json_object_set_new(copy, "state", json_string(drive_state(status, drive)));
            json_array_append_new(drives, copy);
        }
        json_object_set_new(loop, "drives", drives);
    }
}

static uint64_t count_drives(const json_t *pool, const json_t *bad)
{
    size_t i;
    json_t *drive;
    uint64_t count = 0;
    json_array_foreach(json_object_get(pool, "drives"), i, drive) count +=
        status_list_has(bad, json_string_value(drive));
    return count;
}

static const char *pool_state(const json_t *group, const json_t *pool)
{
    if (status_pool_survives(pool) < 0)
        return "failed";
    if (count_drives(pool, json_object_get(group, "drives_failed")))
        return "degraded";
    if (count_drives(pool, json_object_get(group, "drives_stale")) ||
        status_number_of(group, "resync_left_bytes"))
        return "resynchronising";
    return "optimal";
}

static void add_pools(json_t *status, const json_t *group, const json_t *unit)
{
    size_t i, d;
    json_t *pool, *drive, *pools = json_object_get(status, "pools");
    json_array_foreach(json_object_get(unit, "pools"), i, pool)
    {
        json_t *copy = json_copy(pool), *bad = json_array();
        json_object_set(copy, "group", json_object_get(group, "name"));
        json_array_foreach(json_object_get(pool, "drives"), d,
                           drive) if (status_list_has(json_object_get(group, "drives_failed"),
                                                      json_string_value(drive)) ||
                                      status_list_has(json_object_get(group, "drives_stale"),
                                                      json_string_value(drive)))
            json_array_append(bad, drive);
        json_object_set_new(copy, "drives_bad", bad);
        json_object_set_new(copy, "redundancy_remaining", json_integer(status_pool_survives(copy)));
        json_object_set_new(copy, "state", json_string(pool_state(group, copy)));
        json_array_append_new(pools, copy);
    }
}

static void add_volumes(json_t *status, const json_t *group, const json_t *unit)
{
    size_t i;
    json_t *volume, *volumes = json_object_get(status, "volumes");
    json_array_foreach(json_object_get(unit, "volumes"), i, volume)
    {
        json_t *copy = json_copy(volume);
        json_object_set(copy, "group", json_object_get(group, "name"));
        json_object_set_new(copy, "lun", json_null());
        json_object_set_new(copy, "state",
                            json_string(status_flag_of(group, "serving") ? "online" : "offline"));
        json_array_append_new(volumes, copy);
    }
}

static void set_lun(json_t *status, const json_t *lun)
{
    size_t v;
    json_t *volume;
    json_array_foreach(
        json_object_get(status, "volumes"), v,
        volume) if (strcmp(status_text_of(volume, "uuid"), status_text_of(lun, "uuid")) == 0)
        json_object_set(volume, "lun", json_object_get(lun, "lun"));
}

/* Hosts, and everybody's LUNs, as the best unit of the group that has any: the owner's. */
static void add_luns(json_t *status)
{
    const json_t *best = NULL;
    size_t i;
    json_t *unit, *lun;
    json_array_foreach(json_object_get(status, "units"), i, unit)
    {
        bool any = json_array_size(json_object_get(unit, "luns")) ||
                   json_array_size(json_object_get(unit, "hosts"));
        if (any && unit == status_best_unit(status, status_text_of(unit, "group")))
            best = unit;
    }
    json_t *hosts = json_object_get(best, "hosts");
    json_object_set_new(status, "hosts", hosts ? json_deep_copy(hosts) : json_array());
    json_array_foreach(json_object_get(best, "luns"), i, lun) set_lun(status, lun);
}

static void add_contents(json_t *status)
{
    size_t i;
    json_t *group;
    json_object_set_new(status, "pools", json_array());
    json_object_set_new(status, "volumes", json_array());
    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        const json_t *unit = status_best_unit(status, status_text_of(group, "name"));
        add_pools(status, group, unit);
        add_volumes(status, group, unit);
    }
    add_luns(status);
}

json_t *status_merge(const char *array, const char *time_text,
                     const struct status_process *processes, size_t count)
{
    json_t *status = json_pack("{s:s, s:s, s:s}", "api", "v1", "array", array, "time", time_text);
    if (!status)
        return NULL;
    json_t *list = json_array();
    for (size_t p = 0; p < count; p++)
        json_array_append_new(list, process_entry(&processes[p]));
    json_object_set_new(status, "processes", list);
    gather(status, "units", processes, count);
    gather(status, "switches", processes, count);
    gather(status, "loops", processes, count);
    add_groups(status);
    add_silent_units(status);
    sort_units(status);
    add_drive_states(status);
    add_contents(status);
    status_health_add(status);
    return status;
}

bool status_serving(const json_t *status)
{
    size_t i;
    json_t *group, *groups = json_object_get(status, "groups");
    json_array_foreach(groups, i, group) if (!status_flag_of(group, "serving")) return false;
    return json_array_size(groups) > 0;
}

static bool group_in_sync(const json_t *group)
{
    const json_t *members = json_object_get(group, "members");
    const json_t *in_sync = json_object_get(group, "in_sync");
    size_t i;
    json_t *member;
    json_array_foreach(
        members, i, member) if (!status_list_has(in_sync, json_string_value(member))) return false;
    return !*status_text_of(group, "dirty") &&
           !json_array_size(json_object_get(group, "drives_failed")) &&
           !json_array_size(json_object_get(group, "drives_stale")) &&
           !status_number_of(group, "regions_in_doubt") &&
           !status_number_of(group, "resync_left_bytes");
}

/* One primary, and nobody still lives in an older epoch: a unit that hung while it was deposed goes
 * on as the primary that it was, until somebody tells it. */
static bool group_of_one_mind(const json_t *status, const json_t *group)
{
    uint64_t epoch = status_number_of(group, "epoch");
    size_t i, primaries = 0;
    json_t *unit;
    json_array_foreach(json_object_get(status, "units"), i, unit)
    {
        if (strcmp(status_text_of(unit, "group"), status_text_of(group, "name")) != 0)
            continue;
        if (status_number_of(unit, "epoch") != epoch)
            return false;
        primaries += strcmp(status_text_of(unit, "state"), "primary") == 0;
    }
    return primaries == 1;
}

bool status_in_sync(const json_t *status)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(status, "processes"), i,
                       entry) if (strcmp(status_text_of(entry, "state"), "running") !=
                                  0) return false;
    /* a unit that has just begun a new life is still named by the record, under its old one */
    json_array_foreach(json_object_get(status, "units"), i,
                       entry) if (strcmp(status_text_of(entry, "state"), "primary") != 0 &&
                                  strcmp(status_text_of(entry, "state"), "secondary") !=
                                      0) return false;
    json_array_foreach(json_object_get(status, "groups"), i,
                       entry) if (!group_in_sync(entry) ||
                                  !group_of_one_mind(status, entry)) return false;
    return status_serving(status);
}
