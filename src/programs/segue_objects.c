/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/suggest.h"
#include "programs/segue_place.h"

static struct objects self;

struct objects *objects_open(const struct segue_call *call, int *code)
{
    size_t answered;
    self.call = call;
    *code = place_find(call, NULL, &self.config);
    if (*code != SEGUE_EXIT_DONE)
        return NULL;
    self.status = request_status(&self.config, 1000, &answered);
    if (answered)
        return &self;
    *code =
        segue_fail(call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE", "is it up? segue up starts it",
                   "no process of array %s (in %s) answers", self.config.array, self.config.state);
    json_decref(self.status);
    return NULL;
}

int objects_close(struct objects *objects, int code)
{
    json_decref(objects->status);
    return code;
}

int objects_list_end(struct objects *objects, const char *list, struct table *table)
{
    if (segue_wants_json(objects->call)) {
        json_dumpf(json_object_get(objects->status, list), stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        char *text = table_text(table, 200);
        fputs(text, stdout);
        free(text);
    }
    table_free(table);
    return objects_close(objects, SEGUE_EXIT_DONE);
}

/* The array's sentence begins with the object, "pool p3: ...", which `doing` has named. */
static const char *without_object(const char *text, const char *doing)
{
    const char *colon = strstr(text, ": "), *object = strchr(doing, ' ');
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (!length || !object || strlen(object + 1) != length ||
        strncmp(object + 1, text, length) != 0)
        return text;
    return colon + 2;
}

int objects_send(struct objects *o, uint8_t group, const struct manage_request *request,
                 const char *doing)
{
    uint64_t timeout_ns = MS(30000);
    const char *text = o->call->flag[SEGUE_FLAG_TIMEOUT];
    if (text && !quantity_time(text, &timeout_ns))
        return segue_fail(o->call, SEGUE_EXIT_USAGE, "USAGE", "write a time such as 60s",
                          "--timeout: \"%.40s\" is not a time", text);
    switch (request_send(&o->config, group, request, (int)(timeout_ns / 1000000), o->text,
                         sizeof o->text)) {
    case REQUEST_GOOD:
        return SEGUE_EXIT_DONE;
    case REQUEST_REFUSED:
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "REFUSED", NULL, "cannot %s: %s", doing,
                          *o->text ? without_object(o->text, doing) : "the array refuses it");
    case REQUEST_UNKNOWN:
        return segue_fail(o->call, SEGUE_EXIT_UNKNOWN, "OUTCOME_UNKNOWN",
                          "look with segue status whether it is done; if not, repeat it",
                          "cannot tell whether it could %s: no answer came", doing);
    case REQUEST_UNREACHABLE:
        break;
    }
    return segue_fail(o->call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE", "start a module: segue up",
                      "cannot %s: no module of array %s answers", doing, o->config.array);
}

int objects_say(struct objects *o, port_id port, const char *words, const char *object)
{
    char text[REQUEST_TEXT];
    int verb = (int)strcspn(words, " ");
    switch (request_part(&o->config, port, words, 5000, text, sizeof text)) {
    case REQUEST_GOOD:
        printf("%s: %s\n", object, text);
        return SEGUE_EXIT_DONE;
    case REQUEST_REFUSED:
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "REFUSED", NULL, "cannot %.*s %s: %s", verb,
                          words, object, text);
    case REQUEST_UNKNOWN:
        return segue_fail(o->call, SEGUE_EXIT_UNKNOWN, "OUTCOME_UNKNOWN",
                          "look whether it is done; if not, repeat it",
                          "cannot tell whether it could %.*s %s", verb, words, object);
    case REQUEST_UNREACHABLE:
        break;
    }
    return segue_fail(o->call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE", "is it up? segue status",
                      "%s does not answer", config_port_name(&o->config, port));
}

static int no_such_drive(const struct objects *o, const char *name)
{
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_DRIVE",
               "write TRAY/SLOT, such as t0/00 or t0/00-03; segue status shows the trays",
               "there is no drive %.40s", name);
    return -1;
}

int objects_drive(struct objects *o, const char *name)
{
    int drive = config_drive_number(&o->config, name);
    return drive < 0 ? no_such_drive(o, name) : drive;
}

int objects_group(struct objects *o, const char *name)
{
    const char *names[GROUP_MAX];
    char remedy[64];
    for (int g = 0; g < o->config.groups; g++) {
        names[g] = o->config.group[g].name;
        if (strcmp(names[g], name) == 0)
            return g;
    }
    const char *near = suggest_word(name, names, o->config.groups);
    snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "see segue group list%.0s",
             near ? near : "");
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_GROUP", remedy, "there is no group %.40s",
               name);
    return -1;
}

int objects_owner(const struct objects *o)
{
    int g = 0;
    while (g + 1 < o->config.groups && !o->config.group[g].owner)
        g++;
    return g;
}

const json_t *objects_find(struct objects *o, const char *kind, const char *name)
{
    const char *names[256];
    char list_name[16], remedy[96];
    size_t i, count = 0;
    json_t *entry;
    snprintf(list_name, sizeof list_name, "%ss", kind);
    const json_t *list = json_object_get(o->status, list_name);
    json_array_foreach(list, i, entry)
    {
        if (strcmp(status_text_of(entry, "name"), name) == 0)
            return entry;
        if (count < sizeof names / sizeof names[0])
            names[count++] = status_text_of(entry, "name");
    }
    const char *near = suggest_word(name, names, count);
    if (near)
        snprintf(remedy, sizeof remedy, "did you mean %.40s", near);
    else
        snprintf(remedy, sizeof remedy, "see segue %s list", kind);
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_OBJECT", remedy, "there is no %s %.40s",
               kind, name);
    return NULL;
}

/* "t0/00" or "t0/00-03" into the request. */
static bool add_range(struct objects *o, const char *word, struct manage_request *request)
{
    char first[64], last[80];
    snprintf(first, sizeof first, "%.60s", word);
    char *slash = strrchr(first, '/'), *dash = slash ? strchr(slash, '-') : NULL;
    if (dash)
        *dash = 0;
    snprintf(last, sizeof last, "%.*s%s", dash ? (int)(slash - first) + 1 : 63, first,
             dash ? dash + 1 : "");
    int from = config_drive_number(&o->config, first), to = config_drive_number(&o->config, last);
    if (from < 0 || to < from)
        return false;
    for (int drive = from; drive <= to; drive++) {
        char name[32];
        config_drive_name(&o->config, drive, name, sizeof name);
        if (config_drive_number(&o->config, name) != drive)
            continue;
        if (request->drive_count == DRIVE_MAX)
            return false;
        request->drives[request->drive_count++] = (uint8_t)drive;
    }
    return true;
}

bool objects_drives(struct objects *o, const char *list, struct manage_request *request)
{
    char copy[1024], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (add_range(o, word, request))
            continue;
        no_such_drive(o, word);
        return false;
    }
    return true;
}

bool objects_uuid(const json_t *object, uint8_t uuid[16])
{
    const char *text = status_text_of(object, "uuid");
    int digits = 0;
    memset(uuid, 0, 16);
    for (; *text; text++) {
        static const char hex[] = "0123456789abcdef";
        const char *found = strchr(hex, *text | 0x20);
        if (*text == '-')
            continue;
        if (!found || digits == 32)
            return false;
        uuid[digits / 2] = (uint8_t)(uuid[digits / 2] << 4 | (found - hex));
        digits++;
    }
    return digits == 32;
}

int objects_confirm(const struct segue_call *call, const char *what, const char *name)
{
    const char *given = call->flag[SEGUE_FLAG_CONFIRM];
    char typed[64] = "", remedy[96];
    snprintf(remedy, sizeof remedy, "add --confirm %.40s", name);
    if (!given && !isatty(STDIN_FILENO))
        return segue_fail(call, SEGUE_EXIT_REFUSED, "NEEDS_CONFIRMATION", remedy,
                          "this %s, which cannot be undone, and there is no terminal to ask at",
                          what);
    if (!given) {
        printf("This %s. It cannot be undone.\nType the name to go on: ", what);
        fflush(stdout);
        given = fgets(typed, sizeof typed, stdin) ? typed : "";
        typed[strcspn(typed, "\n")] = 0;
    }
    if (strcmp(given, name) == 0)
        return SEGUE_EXIT_DONE;
    return segue_fail(call, SEGUE_EXIT_REFUSED, "NEEDS_CONFIRMATION", remedy,
                      "\"%.40s\" is not its name; nothing was done", given);
}

bool objects_size(const struct segue_call *call, enum segue_flag flag, uint64_t otherwise,
                  uint64_t *bytes)
{
    *bytes = otherwise;
    if (!call->flag[flag] || quantity_size(call->flag[flag], bytes))
        return true;
    segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write a whole number and its unit, such as 64MiB",
               "\"%.40s\" is not a size", call->flag[flag]);
    return false;
}

bool objects_number(const struct segue_call *call, enum segue_flag flag, uint64_t otherwise,
                    uint64_t most, uint64_t *number)
{
    *number = otherwise;
    if (!call->flag[flag] || (quantity_number(call->flag[flag], number) && *number <= most))
        return true;
    segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "see --help",
               "\"%.40s\" is not a number from 0 to %llu", call->flag[flag],
               (unsigned long long)most);
    return false;
}

int objects_word(const struct segue_call *call, enum segue_flag flag, const char *words,
                 int otherwise)
{
    const char *given = call->flag[flag], *at = words;
    if (!given)
        return otherwise;
    for (int i = 0; *at; i++) {
        size_t length = strcspn(at, "|");
        if (strlen(given) == length && strncmp(at, given, length) == 0)
            return i;
        at += length + (at[length] == '|');
    }
    segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "see --help", "\"%.40s\" is none of %s", given,
               words);
    return -1;
}
