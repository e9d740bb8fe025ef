/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "manage/catalogue.h"
#include "manage/quantity.h"
#include "manage/status.h"
#include "manage/status_json.h"

/* What can be wrong with an array, in the order of how much it matters: each check looks at the
 * merged status and adds a problem for each object that has it. */

struct problem {
    const char *code; /* in the catalogue, which knows how bad it is */
    char object[80], summary[160], effect[160], doing[160], remedy[160];
};

static void say(char *out, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(char *out, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, bytes, format, arguments);
    va_end(arguments);
}

#define SAY(field, ...) say(field, sizeof field, __VA_ARGS__)

static void add_problem(json_t *checks, const struct problem *p)
{
    const struct catalogue_entry *known = catalogue_find(p->code);
    must(known && known->kind == CATALOGUE_CHECK);
    json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:n}", "code", p->code, "severity",
                              catalogue_severity_name(known->severity), "object", p->object,
                              "summary", p->summary, "effect", p->effect, "muted_until");
    json_object_set_new(entry, "doing", *p->doing ? json_string(p->doing) : json_null());
    json_object_set_new(entry, "remedy", json_pack("[s]", p->remedy));
    json_array_append_new(checks, entry);
}

static void check_groups_served(const json_t *status, json_t *checks)
{
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        if (status_flag_of(group, "serving"))
            continue;
        struct problem p = {.code = "GROUP_DOWN"};
        const char *name = status_text_of(group, "name"), *dirty = status_text_of(group, "dirty");
        const json_t *unit = status_find(json_object_get(status, "units"), "name", dirty);
        SAY(p.object, "group/%s", name);
        SAY(p.summary, "no unit serves group %s", name);
        SAY(p.effect, "I/O to its volumes waits; nothing is lost");
        SAY(p.doing, "its units look for the record and their drives");
        SAY(p.remedy, "start what is down; if all is up, read the modules' logs");
        if (*dirty && strcmp(status_text_of(unit, "state"), "down") == 0) {
            SAY(p.doing, "it waits for unit %s, which alone holds acknowledged writes", dirty);
            SAY(p.remedy, "start the module of %s", dirty);
        } else if (*dirty) {
            SAY(p.effect, "I/O to its volumes waits; writes that unit %s alone held are lost",
                dirty);
            SAY(p.doing, "it waits for a person");
            SAY(p.remedy, "segue group claim %s MODULE goes on without them", name);
        }
        add_problem(checks, &p);
    }
}

static void check_pools(const json_t *status, json_t *checks)
{
    size_t i;
    json_t *pool;
    json_array_foreach(json_object_get(status, "pools"), i, pool)
    {
        int survives = status_pool_survives(pool);
        if (survives >= 0)
            continue;
        struct problem p = {.code = "POOL_FAILED"};
        const char *name = status_text_of(pool, "name");
        SAY(p.object, "pool/%s", name);
        SAY(p.summary, "pool %s has lost more drives than it survives", name);
        SAY(p.effect, "what was on them is not readable");
        SAY(p.remedy, "bring the failed drives back");
        add_problem(checks, &p);
    }
}

static void check_processes(const json_t *status, json_t *checks)
{
    size_t i;
    json_t *process;
    json_array_foreach(json_object_get(status, "processes"), i, process)
    {
        const char *state = status_text_of(process, "state"),
                   *name = status_text_of(process, "name");
        if (strcmp(state, "running") == 0)
            continue;
        bool dead = strcmp(state, "dead") == 0;
        struct problem p = {.code = dead ? "PROCESS_DOWN" : "PROCESS_SILENT"};
        unsigned pid = (unsigned)status_number_of(process, "pid");
        SAY(p.object, "process/%s", name);
        if (dead)
            SAY(p.summary, "process %s is not running", name);
        else
            SAY(p.summary, "process %s (pid %u) does not answer", name, pid);
        SAY(p.effect, "its parts do nothing; the others have taken over what they could");
        if (dead)
            SAY(p.remedy, "segue up starts it again; if it does not, read log/%s.log", name);
        else
            SAY(p.remedy, "if it is stopped: kill -CONT %u; if it hangs: kill -KILL %u", pid, pid);
        add_problem(checks, &p);
    }
}

static void check_members(const json_t *status, json_t *checks)
{
    size_t i, m;
    json_t *group, *member;
    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        char out[80] = "", in[80];
        size_t used = 0;
        if (!status_flag_of(group, "serving"))
            continue;
        json_array_foreach(json_object_get(group, "members"), m,
                           member) if (!status_list_has(json_object_get(group, "in_sync"),
                                                        json_string_value(member))) used +=
            (size_t)snprintf(out + used, sizeof out - used, "%s%.15s", used ? ", " : "",
                             json_string_value(member));
        status_list_text(json_object_get(group, "in_sync"), ", ", in, sizeof in);
        if (!*out)
            continue;
        bool lone = status_flag_of(group, "lone");
        const char *name = status_text_of(group, "name");
        struct problem p = {.code = lone ? "GROUP_LONE" : "GROUP_REDUCED"};
        SAY(p.object, "group/%s", name);
        SAY(p.summary, "group %s runs on %s%s", name, in, lone ? " alone" : "");
        if (lone)
            SAY(p.effect, "its writes go to the drives before the answer: slower, as safe");
        else
            SAY(p.effect, "it survives one death less");
        const json_t *unit = status_find(json_object_get(status, "units"), "name", out);
        const char *state = status_text_of(unit, "state");
        SAY(p.doing, "%s %s", out,
            strcmp(state, "joining") == 0 ? "is catching up"
            : strcmp(state, "down") == 0  ? "is down"
                                          : "asks to come back in");
        SAY(p.remedy, "nothing, if its module is up; else start it");
        add_problem(checks, &p);
    }
}

/* False: its port is not bypassed. */
static bool say_bypassed(struct problem *p, const json_t *drive)
{
    const char *name = status_text_of(drive, "name"), *port = status_text_of(drive, "port");
    bool by_hand = strcmp(port, "bypassed-by-hand") == 0;
    if (!by_hand && strcmp(port, "bypassed") != 0)
        return false;
    p->code = "DRIVE_BYPASSED";
    SAY(p->object, "drive/%s", name);
    SAY(p->summary, "drive %s is bypassed%s", name, by_hand ? " by hand" : "");
    SAY(p->effect, "its pool lives on the other copies");
    if (by_hand) {
        SAY(p->remedy, "segue loop release %s takes it back", name);
    } else {
        SAY(p->doing, "its loop switch tests it, and takes it back when it is well");
        SAY(p->remedy, "look at %.120s", status_text_of(drive, "path"));
    }
    return true;
}

static void add_drive_problem(json_t *checks, const json_t *group, const json_t *drive)
{
    const char *name = status_text_of(drive, "name"), *state = status_text_of(drive, "state");
    bool stale = strcmp(state, "stale") == 0, failed = strcmp(state, "failed") == 0;
    struct problem p = {.code = stale ? "DRIVE_RESYNC" : failed ? "DRIVE_FAILED" : "DRIVE_OFFLINE"};
    char left[32];
    if (say_bypassed(&p, drive)) {
        add_problem(checks, &p);
        return;
    }
    quantity_size_text(status_number_of(group, "resync_left_bytes"), left, sizeof left);
    SAY(p.object, "drive/%s", name);
    SAY(p.summary, "drive %s %s", name,
        stale    ? "is being brought up to date"
        : failed ? "has failed"
                 : "cannot be opened");
    SAY(p.effect, "its pool lives on the other drives");
    if (stale)
        SAY(p.doing, "resynchronising: %s left in group %s", left, status_text_of(group, "name"));
    if (stale)
        SAY(p.remedy, "nothing; it takes part again when that is done");
    else
        SAY(p.remedy, "look at %.120s; it comes back by itself once it is readable",
            status_text_of(drive, "path"));
    add_problem(checks, &p);
}

static void check_drives(const json_t *status, json_t *checks)
{
    size_t l, d;
    json_t *loop, *drive;
    json_array_foreach(json_object_get(status, "loops"), l, loop)
        json_array_foreach(json_object_get(loop, "drives"), d, drive)
    {
        const char *state = status_text_of(drive, "state");
        if (strcmp(state, "good") != 0 && strcmp(state, "free") != 0 && strcmp(state, "empty") != 0)
            add_drive_problem(checks,
                              status_find(json_object_get(status, "groups"), "name",
                                          status_text_of(drive, "group")),
                              drive);
    }
}

/* Drives that a record calls failed and no loop switch speaks of: those behind one that is down. */
static void check_lost_drives(const json_t *status, json_t *checks)
{
    size_t g, l;
    json_t *group, *loop;
    json_array_foreach(json_object_get(status, "groups"), g, group)
    {
        const json_t *failed = json_object_get(group, "drives_failed");
        size_t lost = json_array_size(failed), d;
        json_t *name;
        json_array_foreach(failed, d, name)
            json_array_foreach(json_object_get(status, "loops"), l, loop) lost -=
            status_find(json_object_get(loop, "drives"), "name", json_string_value(name)) != NULL;
        if (!lost)
            continue;
        struct problem p = {.code = "DRIVES_UNREACHED"};
        SAY(p.object, "group/%s", status_text_of(group, "name"));
        SAY(p.summary, "%zu drives of group %s are out of reach", lost,
            status_text_of(group, "name"));
        SAY(p.effect, "its pools live on the other drives");
        SAY(p.remedy, "start the loop switch of their tray");
        add_problem(checks, &p);
    }
}

int status_pool_survives(const json_t *pool)
{
    const char *level = status_text_of(pool, "level");
    const json_t *drives = json_object_get(pool, "drives"),
                 *bad = json_object_get(pool, "drives_bad");
    size_t count = json_array_size(drives), lost = json_array_size(bad);
    if (strcmp(level, "raid1") == 0)
        return (int)(count - lost) - 1;
    if (strcmp(level, "raid5") == 0 || strcmp(level, "raid6") == 0)
        return (strcmp(level, "raid5") == 0 ? 1 : 2) - (int)lost;
    if (strcmp(level, "raid10") != 0)
        return lost ? -1 : 0;
    int least = 1;
    for (size_t i = 0; i + 1 < count; i += 2) {
        int left = 1 - status_list_has(bad, json_string_value(json_array_get(drives, i))) -
                   status_list_has(bad, json_string_value(json_array_get(drives, i + 1)));
        least = left < least ? left : least;
    }
    return least;
}

void status_health_add(json_t *status)
{
    static void (*const checks[])(const json_t *status, json_t *checks) = {
        check_groups_served, check_pools,  check_processes,
        check_members,       check_drives, check_lost_drives,
    };
    json_t *found = json_array();
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        checks[i](status, found);
    json_object_set_new(status, "health",
                        json_pack("{s:s, s:b, s:b, s:o}", "state", "ok", "serving",
                                  status_serving(status), "in_sync", status_in_sync(status),
                                  "checks", found));
    status_health_judge(status);
}

size_t status_health_count(const json_t *status, const char *severity)
{
    size_t i, count = 0;
    json_t *check;
    json_array_foreach(json_object_get(json_object_get(status, "health"), "checks"), i, check)
    {
        count += !*status_text_of(check, "muted_until") &&
                 (!severity || strcmp(status_text_of(check, "severity"), severity) == 0);
    }
    return count;
}

void status_health_judge(json_t *status)
{
    json_t *health = json_object_get(status, "health");
    bool critical = !status_flag_of(health, "serving") || status_health_count(status, "critical");
    const char *state = critical ? "failed" : status_health_count(status, NULL) ? "degraded" : "ok";
    json_object_set_new(health, "state", json_string(state));
}
