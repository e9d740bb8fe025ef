/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/suggest.h"
#include "manage/table.h"
#include "programs/segue_fleet.h"
#include "programs/segue_objects.h"

/* segue switch ...: interface switches, and taking hosts away from one before it goes down. */

/* Sessions that are not for discovery. */
static uint64_t count_hosts(const json_t *entry)
{
    uint64_t hosts = 0;
    size_t i;
    json_t *session;
    json_array_foreach(json_object_get(entry, "sessions"), i, session) hosts +=
        !status_flag_of(session, "discovery");
    return hosts;
}

int segue_switch_list(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return code;
    const json_t *switches = json_object_get(o->status, "switches");
    struct table *table = table_new("SWITCH|STATE|>HOSTS|PORTALS");
    size_t i;
    json_t *entry;
    json_array_foreach(switches, i, entry)
    {
        char hosts[24], portals[256];
        snprintf(hosts, sizeof hosts, "%" PRIu64, count_hosts(entry));
        status_list_text(json_object_get(entry, "portals"), ", ", portals, sizeof portals);
        const char *cells[] = {status_text_of(entry, "name"),
                               status_flag_of(entry, "drained") ? "drained" : "online", hosts,
                               portals};
        table_row(table, cells);
    }
    return objects_list_end(o, "switches", table);
}

/* Number of the switch that is named, or -1 and said. */
static int find_switch(struct objects *o)
{
    const char *name = o->call->argument[0], *names[SWITCH_MAX];
    char remedy[64];
    for (int s = 0; s < o->config.switches; s++) {
        names[s] = o->config.iswitch[s].name;
        if (strcmp(names[s], name) == 0)
            return s;
    }
    const char *near = suggest_word(name, names, o->config.switches);
    snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "see segue switch list%.0s",
             near ? near : "");
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_SWITCH", remedy, "there is no switch %.40s",
               name);
    return -1;
}

static int say(struct objects *o, int number, const char *words)
{
    char object[80];
    snprintf(object, sizeof object, "switch %.40s", o->config.iswitch[number].name);
    return objects_say(o, port_switch(number), words, object);
}

/* The switch can send hosts only to one that takes them. */
static bool another_takes_hosts(const struct objects *o, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(o->status, "switches"), i,
                       entry) if (strcmp(status_text_of(entry, "name"), name) != 0 &&
                                  !status_flag_of(entry, "drained")) return true;
    return false;
}

static int wait_empty(struct objects *o, const char *name)
{
    uint64_t timeout_ns = MS(30000), hosts = 0;
    const char *given = o->call->flag[SEGUE_FLAG_TIMEOUT];
    if (given && !quantity_time(given, &timeout_ns))
        return segue_fail(o->call, SEGUE_EXIT_USAGE, "USAGE", "write a time such as 60s",
                          "--timeout: \"%.40s\" is not a time", given);
    uint64_t end = fleet_now_ns() + timeout_ns;
    do {
        size_t answered;
        json_t *status = request_status(&o->config, 1000, &answered);
        const json_t *entry = status_find(json_object_get(status, "switches"), "name", name);
        bool there = entry != NULL;
        hosts = count_hosts(entry);
        json_decref(status);
        if (there && hosts == 0) {
            printf("switch %s has no hosts any more\n", name);
            return SEGUE_EXIT_DONE;
        }
        usleep(50000);
    } while (fleet_now_ns() < end);
    return segue_fail(o->call, SEGUE_EXIT_FAILED, "TIMEOUT", "look with segue switch list",
                      "switch %s still has %" PRIu64 " hosts", name, hosts);
}

static int drain_switch(struct objects *o)
{
    int number = find_switch(o);
    if (number < 0)
        return SEGUE_EXIT_NO_OBJECT;
    const char *name = o->config.iswitch[number].name;
    if (!another_takes_hosts(o, name))
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "LAST_SWITCH",
                          "start another switch, or segue switch resume it",
                          "cannot drain switch %s: no other takes hosts", name);
    int code = say(o, number, "drain");
    return code == SEGUE_EXIT_DONE ? wait_empty(o, name) : code;
}

int segue_switch_drain(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, drain_switch(o)) : code;
}

static int resume_switch(struct objects *o)
{
    int number = find_switch(o);
    return number < 0 ? SEGUE_EXIT_NO_OBJECT : say(o, number, "resume");
}

int segue_switch_resume(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, resume_switch(o)) : code;
}

static int reload_switch(struct objects *o)
{
    int number = find_switch(o);
    return number < 0 ? SEGUE_EXIT_NO_OBJECT : say(o, number, "reload");
}

int segue_switch_reload(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, reload_switch(o)) : code;
}
