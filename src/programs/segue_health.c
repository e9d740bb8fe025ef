/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/catalogue.h"
#include "manage/mutes.h"
#include "manage/quantity.h"
#include "manage/status.h"
#include "manage/status_json.h"
#include "manage/table.h"
#include "programs/segue_objects.h"

/* segue health ..., segue explain: what is wrong, what a code means, what nobody wants to hear of.
 */

/* What `health --check` says to a monitoring system by its exit code. */
enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

static int verdict_of(const json_t *status)
{
    const char *state = status_text_of(json_object_get(status, "health"), "state");
    return strcmp(state, "ok") == 0         ? CHECK_OK
           : strcmp(state, "degraded") == 0 ? CHECK_WARNING
                                            : CHECK_CRITICAL;
}

static void print_checks(const json_t *checks)
{
    struct table *table = table_new("CODE|SEVERITY|OBJECT|MUTED UNTIL|SUMMARY");
    size_t i;
    json_t *check;
    json_array_foreach(checks, i, check)
    {
        const char *muted = status_text_of(check, "muted_until");
        const char *cells[] = {status_text_of(check, "code"), status_text_of(check, "severity"),
                               status_text_of(check, "object"), *muted ? muted : "-",
                               status_text_of(check, "summary")};
        table_row(table, cells);
    }
    char *text = table_text(table, 200);
    fputs(text, stdout);
    free(text);
    table_free(table);
}

/* One line: the verdict, and the codes that are not muted. */
static void print_line(const json_t *status)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
    const char *between = " - ";
    size_t i;
    json_t *check;
    printf("SEGUE %s: array %s", words[verdict_of(status)], status_text_of(status, "array"));
    json_array_foreach(json_object_get(json_object_get(status, "health"), "checks"), i, check)
    {
        if (*status_text_of(check, "muted_until"))
            continue;
        printf("%s%s: %s", between, status_text_of(check, "code"),
               status_text_of(check, "summary"));
        between = "; ";
    }
    putchar('\n');
}

int segue_health(const struct segue_call *call)
{
    int code;
    bool check = call->flag[SEGUE_FLAG_CHECK] != NULL;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return check ? CHECK_UNKNOWN : code;
    const json_t *health = json_object_get(o->status, "health"),
                 *checks = json_object_get(health, "checks");
    int verdict = verdict_of(o->status);
    if (segue_wants_json(call)) {
        json_dumpf(health, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (check) {
        print_line(o->status);
    } else {
        char *line = status_verdict(o->status);
        fputs(line ? line : "", stdout);
        free(line);
        if (json_array_size(checks))
            putchar('\n');
        if (json_array_size(checks))
            print_checks(checks);
    }
    return objects_close(o, check ? verdict : SEGUE_EXIT_DONE);
}

/* A code that the catalogue does not know: an exit code, and said. */
static int check_code(const struct segue_call *call, const char *code)
{
    char remedy[64];
    if (catalogue_find(code))
        return SEGUE_EXIT_DONE;
    const char *near = catalogue_suggest(code);
    snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "segue explain lists them%.0s",
             near ? near : "");
    return segue_fail(call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_CODE", remedy, "there is no code %.40s",
                      code);
}

static int mute_failed(const struct segue_call *call)
{
    return segue_fail(call, SEGUE_EXIT_FAILED, "NOT_KEPT",
                      "look at the rights and the space of the state directory",
                      "STATE/manage/mutes.json cannot be written");
}

static int mute(struct objects *o, uint64_t for_ns)
{
    const char *code = o->call->argument[0], *object = o->call->argument[1];
    switch (mutes_add(&o->config, o->status, code, object, for_ns)) {
    case MUTES_DONE:
        printf("%s%s%s is muted for %s, or until it clears or gets worse\n", code,
               object ? " of " : "", object ? object : "", o->call->flag[SEGUE_FLAG_FOR]);
        return SEGUE_EXIT_DONE;
    case MUTES_NOTHING:
        return segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_PROBLEM",
                          "segue health lists what there is", "%s%s has no problem %s now",
                          object ? "" : "the array", object ? object : "", code);
    case MUTES_FAILED:
        break;
    }
    return mute_failed(o->call);
}

int segue_health_mute(const struct segue_call *call)
{
    uint64_t for_ns;
    int code = check_code(call, call->argument[0]);
    if (code != SEGUE_EXIT_DONE)
        return code;
    if (!quantity_time(call->flag[SEGUE_FLAG_FOR], &for_ns) || for_ns == 0)
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write a time such as 4h",
                          "--for: \"%.40s\" is not a time", call->flag[SEGUE_FLAG_FOR]);
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, mute(o, for_ns)) : code;
}

static int unmute(struct objects *o)
{
    const char *code = o->call->argument[0], *object = o->call->argument[1];
    switch (mutes_remove(&o->config, code, object)) {
    case MUTES_DONE:
        printf("%s is heard again\n", code);
        return SEGUE_EXIT_DONE;
    case MUTES_NOTHING:
        return segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NOT_MUTED", "segue health shows what is",
                          "%s is not muted", code);
    case MUTES_FAILED:
        break;
    }
    return mute_failed(o->call);
}

int segue_health_unmute(const struct segue_call *call)
{
    int code = check_code(call, call->argument[0]);
    struct objects *o = code == SEGUE_EXIT_DONE ? objects_open(call, &code) : NULL;
    return o ? objects_close(o, unmute(o)) : code;
}

/* ---- explain ---- */

static void explain_line(const char *word, const char *text)
{
    enum { WIDTH = 68 };
    while (text && *text) {
        size_t length = strlen(text);
        if (length > WIDTH) {
            length = WIDTH;
            while (length > 0 && text[length] != ' ')
                length--;
        }
        printf("  %-8s  %.*s\n", word, (int)length, text);
        text += length;
        text += strspn(text, " ");
        word = "";
    }
}

static int explain_all(const struct segue_call *call)
{
    struct table *table = table_new("CODE|KIND|SEVERITY|MEANING");
    json_t *list = json_array();
    for (size_t i = 0; i < catalogue_count(); i++) {
        const struct catalogue_entry *entry = catalogue_at(i);
        const char *cells[] = {entry->code, catalogue_kind_name(entry->kind),
                               catalogue_severity_name(entry->severity), entry->meaning};
        table_row(table, cells);
        json_array_append_new(list, catalogue_json(entry));
    }
    char *text = segue_wants_json(call) ? json_dumps(list, JSON_INDENT(2)) : table_text(table, 160);
    printf("%s%s", text, segue_wants_json(call) ? "\n" : "");
    free(text);
    json_decref(list);
    table_free(table);
    return SEGUE_EXIT_DONE;
}

int segue_explain(const struct segue_call *call)
{
    char code[48] = "";
    if (!call->argument[0])
        return explain_all(call);
    for (size_t i = 0; call->argument[0][i] && i + 1 < sizeof code; i++) {
        char c = call->argument[0][i];
        code[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    int known = check_code(call, code);
    if (known != SEGUE_EXIT_DONE)
        return known;
    const struct catalogue_entry *entry = catalogue_find(code);
    if (segue_wants_json(call)) {
        json_t *object = catalogue_json(entry);
        json_dumpf(object, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(object);
        return SEGUE_EXIT_DONE;
    }
    printf("%s   %s, %s, of: %s\n\n", entry->code, catalogue_kind_name(entry->kind),
           catalogue_severity_name(entry->severity), entry->object);
    explain_line("meaning", entry->meaning);
    explain_line("effect", entry->effect);
    explain_line("do", entry->remedy);
    explain_line("metrics", entry->metrics);
    return SEGUE_EXIT_DONE;
}
