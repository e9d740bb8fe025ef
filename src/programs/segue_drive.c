/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/quantity.h"
#include "manage/status_json.h"
#include "programs/segue_objects.h"

/* segue drive ...: drives, wherever they are. */

static const char *pool_of(const struct objects *o, const char *name)
{
    size_t i;
    json_t *pool;
    json_array_foreach(json_object_get(o->status, "pools"), i,
                       pool) if (status_list_has(json_object_get(pool, "drives"),
                                                 name)) return status_text_of(pool, "name");
    return "";
}

/* All drives in one list, each with the name of its pool. */
static json_t *gather(struct objects *o)
{
    json_t *drives = json_array(), *loop, *drive;
    size_t l, d;
    json_array_foreach(json_object_get(o->status, "loops"), l, loop)
        json_array_foreach(json_object_get(loop, "drives"), d, drive)
    {
        json_t *copy = json_copy(drive);
        const char *pool = pool_of(o, status_text_of(drive, "name"));
        json_object_set_new(copy, "pool", *pool ? json_string(pool) : json_null());
        json_object_set(copy, "loop", json_object_get(loop, "name"));
        json_array_append_new(drives, copy);
    }
    json_object_set_new(o->status, "drives", drives);
    return drives;
}

static const char *word_of(const json_t *object, const char *key)
{
    const char *word = status_text_of(object, key);
    return *word ? word : NULL; /* a table's "-" */
}

int segue_drive_list(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return code;
    struct table *table = table_new("DRIVE|STATE|PORT|AL_PA|POOL|>SIZE|>ERRORS|>TIME-OUTS|PATH");
    size_t i;
    json_t *drive;
    json_array_foreach(gather(o), i, drive)
    {
        char size[32], errors[24], timeouts[24];
        quantity_size_text(status_number_of(drive, "size_bytes"), size, sizeof size);
        snprintf(errors, sizeof errors, "%" PRIu64, status_number_of(drive, "errors"));
        snprintf(timeouts, sizeof timeouts, "%" PRIu64,
                 status_number_of(json_object_get(drive, "counters"), "timeouts"));
        const char *cells[] = {status_text_of(drive, "name"),
                               status_text_of(drive, "state"),
                               word_of(drive, "port"),
                               word_of(drive, "al_pa"),
                               word_of(drive, "pool"),
                               size,
                               errors,
                               timeouts,
                               word_of(drive, "path")};
        table_row(table, cells);
    }
    return objects_list_end(o, "drives", table);
}

/* What the answers of a drive said of it (loopswitch/bypass.c). */
static const struct {
    const char *verdict, *means;
} verdicts[] = {
    {"good", "done"},
    {"retry", "no room just then: given again"},
    {"repair", "blocks that could not be read: written anew from the other copies"},
    {"suspect", "writes or flushes that failed: 16 in 10 s bypass its port"},
    {"fail", "it was not there: its port leaves the loop, and is tested until it is"},
};

static void show_health(const json_t *drive)
{
    const json_t *counters = json_object_get(drive, "counters");
    struct table *table = table_new("VERDICT|>ANSWERS|WHAT IT MEANS");
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        char answers[24];
        snprintf(answers, sizeof answers, "%" PRIu64,
                 status_number_of(counters, verdicts[i].verdict));
        const char *cells[] = {verdicts[i].verdict, answers, verdicts[i].means};
        table_row(table, cells);
    }
    char *text = table_text(table, 100);
    printf("\n%s", text);
    free(text);
    table_free(table);
}

static void show_place(const json_t *drive)
{
    const char *pool = status_text_of(drive, "pool"), *group = status_text_of(drive, "group");
    const char *al_pa = status_text_of(drive, "al_pa");
    char size[32];
    quantity_size_text(status_number_of(drive, "size_bytes"), size, sizeof size);
    printf("drive %s   %s", status_text_of(drive, "name"), status_text_of(drive, "state"));
    if (*pool)
        printf(", in pool %s of group %s", pool, group);
    printf("\n  port    %s on looplet %" PRIu64 " of loop %s", status_text_of(drive, "port"),
           status_number_of(drive, "looplet"), status_text_of(drive, "loop"));
    if (*al_pa)
        printf(", AL_PA %s", al_pa);
    if (json_is_integer(json_object_get(drive, "test_in_ns")))
        printf(", tested again within %.1f s", (double)status_number_of(drive, "test_in_ns") / 1e9);
    printf("\n  light   %s\n", status_flag_of(drive, "located") ? "on" : "off");
    printf("  path    %s\n  size    %s, blocks of %" PRIu64 "%s\n", status_text_of(drive, "path"),
           size, status_number_of(drive, "block_bytes"),
           status_flag_of(drive, "direct") ? ", direct" : ", through the page cache");
    printf("  serial  %s\n", status_text_of(drive, "serial"));
    if (*status_text_of(drive, "carries"))
        printf("  carries %s: no pool is made of it before segue drive adopt wipes it\n",
               status_text_of(drive, "carries"));
}

static void show_load(const json_t *drive)
{
    const json_t *counters = json_object_get(drive, "counters");
    char read[32], written[32];
    quantity_size_text(status_number_of(drive, "read_bytes"), read, sizeof read);
    quantity_size_text(status_number_of(drive, "written_bytes"), written, sizeof written);
    printf("  done    %" PRIu64 " reads (%s), %" PRIu64 " writes (%s)\n",
           status_number_of(drive, "reads"), read, status_number_of(drive, "writes"), written);
    printf("  now     %" PRIu64 " commands under way\n", status_number_of(drive, "queued"));
    printf("  loop    %" PRIu64 " initialisations, %" PRIu64 " bypasses, %" PRIu64
           " commands beyond the limit of one try\n",
           status_number_of(counters, "lips"), status_number_of(counters, "bypasses"),
           status_number_of(counters, "timeouts"));
}

static int show(struct objects *o)
{
    const char *name = o->call->argument[0];
    if (objects_drive(o, name) < 0)
        return SEGUE_EXIT_NO_OBJECT;
    const json_t *drive = status_find(gather(o), "name", name);
    if (!drive)
        return segue_fail(o->call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE", "is it up? segue status",
                          "the loop switch of drive %.40s does not answer", name);
    if (segue_wants_json(o->call)) {
        json_dumpf(drive, stdout, JSON_INDENT(2));
        putchar('\n');
        return SEGUE_EXIT_DONE;
    }
    show_place(drive);
    show_load(drive);
    show_health(drive);
    return SEGUE_EXIT_DONE;
}

int segue_drive_show(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, show(o)) : code;
}

static int say(struct objects *o, int drive, const char *verb)
{
    char words[40], object[80];
    snprintf(words, sizeof words, "%s %d", verb, drive % 32);
    snprintf(object, sizeof object, "drive %.40s", o->call->argument[0]);
    return objects_say(o, port_loop(drive / 32), words, object);
}

static int locate(struct objects *o)
{
    const char *how = o->call->arguments > 1 ? o->call->argument[1] : "on";
    int drive = objects_drive(o, o->call->argument[0]);
    if (drive < 0)
        return SEGUE_EXIT_NO_OBJECT;
    if (strcmp(how, "on") != 0 && strcmp(how, "off") != 0)
        return segue_fail(o->call, SEGUE_EXIT_USAGE, "USAGE", "say on or off",
                          "a light is not \"%.40s\"", how);
    return say(o, drive, strcmp(how, "on") == 0 ? "locate-on" : "locate-off");
}

int segue_drive_locate(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, locate(o)) : code;
}

/* Whatever lies on it is lost: a pool can be made of it then. */
static int adopt(struct objects *o)
{
    const char *name = o->call->argument[0];
    int drive = objects_drive(o, name);
    char doing[120];
    if (drive < 0)
        return SEGUE_EXIT_NO_OBJECT;
    const json_t *entry = status_find(gather(o), "name", name);
    if (*status_text_of(entry, "pool"))
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "IN_USE", "take another drive",
                          "cannot adopt drive %.40s: it is in pool %s", name,
                          status_text_of(entry, "pool"));
    if (entry && !*status_text_of(entry, "carries")) {
        printf("drive %s carries nothing that is in the way\n", name);
        return SEGUE_EXIT_DONE;
    }
    snprintf(doing, sizeof doing, "wipes drive %.40s, which carries %.30s", name,
             status_text_of(entry, "carries"));
    int code = objects_confirm(o->call, doing, name);
    return code == SEGUE_EXIT_DONE ? say(o, drive, "adopt") : code;
}

int segue_drive_adopt(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, adopt(o)) : code;
}

/* The record says that it has failed; its port is bypassed by hand, so that it does not come back
 * by itself, also not after a restart. */
static int fail_drive(struct objects *o)
{
    const char *name = o->call->argument[0];
    int drive = objects_drive(o, name);
    char doing[80];
    struct manage_request request = {.verb = MANAGE_DRIVE_FAIL};
    if (drive < 0)
        return SEGUE_EXIT_NO_OBJECT;
    const json_t *entry = status_find(gather(o), "name", name);
    request.drive = (uint8_t)drive;
    if (*status_text_of(entry, "group")) {
        int group = objects_group(o, status_text_of(entry, "group"));
        if (group < 0)
            return SEGUE_EXIT_NO_OBJECT;
        request.group = (uint8_t)group;
        snprintf(doing, sizeof doing, "fail drive %.40s", name);
        int code = objects_send(o, request.group, &request, doing);
        if (code != SEGUE_EXIT_DONE)
            return code;
    }
    int code = say(o, drive, "bypass");
    if (code == SEGUE_EXIT_DONE)
        printf("segue loop release %s takes it back\n", name);
    return code;
}

int segue_drive_fail(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, fail_drive(o)) : code;
}
