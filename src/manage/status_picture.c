/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/limits.h"
#include "manage/quantity.h"
#include "manage/status.h"
#include "manage/status_json.h"
#include "manage/table.h"

enum { WIDTH = 80, CELL = 48 };

/* The text as it grows. */
struct page {
    FILE *file;
    char *text;
    size_t length;
};

/* Cells of one row, in memory of their own. */
struct row {
    char cell[TABLE_COLUMNS_MAX][CELL];
    size_t count;
};

static void cell(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void cell(struct row *row, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row->cell[row->count++], CELL, format, arguments);
    va_end(arguments);
}

static void number_cell(struct row *row, uint64_t number)
{
    cell(row, "%" PRIu64, number);
}

static void size_cell(struct row *row, uint64_t bytes)
{
    quantity_size_text(bytes, row->cell[row->count++], CELL);
}

static void add_row(struct table *table, const struct row *row)
{
    const char *cells[TABLE_COLUMNS_MAX] = {NULL};
    for (size_t i = 0; i < row->count; i++)
        cells[i] = *row->cell[i] ? row->cell[i] : NULL;
    table_row(table, cells);
}

static void end_table(struct page *page, struct table *table)
{
    char *text = table_text(table, WIDTH);
    fprintf(page->file, "\n%s", text);
    free(text);
    table_free(table);
}

static const char *upper_state(const json_t *status)
{
    const char *state = status_text_of(json_object_get(status, "health"), "state");
    if (strcmp(state, "ok") == 0)
        return "OK";
    return strcmp(state, "degraded") == 0 ? "DEGRADED" : "FAILED";
}

static void write_verdict(FILE *file, const json_t *status)
{
    const json_t *health = json_object_get(status, "health");
    size_t problems = status_health_count(status, NULL);
    char line[200];
    int length = snprintf(line, sizeof line, "array %s   %s", status_text_of(status, "array"),
                          upper_state(status));
    size_t at = (size_t)length;
    bool serving = status_flag_of(health, "serving");
    if (problems)
        at += (size_t)snprintf(line + at, sizeof line - at, ", %s   %zu problem%s",
                               serving ? "serving" : "not all is served", problems,
                               problems == 1 ? "" : "s");
    else if (status_flag_of(health, "in_sync"))
        at += (size_t)snprintf(line + at, sizeof line - at, ", in sync");
    const char *time = status_text_of(status, "time");
    int blanks = (int)(WIDTH - at - strlen(time));
    fprintf(file, "%s%*s%s\n", line, blanks > 1 ? blanks : 1, "", time);
}

static void write_word_line(FILE *file, const char *word, const char *text)
{
    if (*text)
        fprintf(file, "      %-8s  %s\n", word, text);
}

static void write_problems(struct page *page, const json_t *status)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(json_object_get(status, "health"), "checks"), i, check)
    {
        const char *remedy = json_string_value(json_array_get(json_object_get(check, "remedy"), 0));
        const char *muted = status_text_of(check, "muted_until");
        if (*muted) {
            fprintf(page->file, "\n[-] %-12s   %s\n      muted     until %s\n",
                    status_text_of(check, "code"), status_text_of(check, "summary"), muted);
            continue;
        }
        fprintf(page->file, "\n[!] %-12s   %s\n", status_text_of(check, "code"),
                status_text_of(check, "summary"));
        write_word_line(page->file, "effect", status_text_of(check, "effect"));
        write_word_line(page->file, "doing", status_text_of(check, "doing"));
        write_word_line(page->file, "do", remedy ? remedy : "");
    }
}

static void write_groups(struct page *page, const json_t *status)
{
    struct table *table =
        table_new("GROUP|>EPOCH|PRIMARY|IN SYNC|>QUEUE|>MIRROR|HANDSHAKE|>TAKEOVERS");
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        struct row row = {.count = 0};
        char in_sync[CELL], handshake[CELL];
        status_list_text(json_object_get(group, "in_sync"), ", ", in_sync, sizeof in_sync);
        quantity_time_text(status_number_of(group, "handshake_ns"), handshake, sizeof handshake);
        cell(&row, "%s", status_text_of(group, "name"));
        number_cell(&row, status_number_of(group, "epoch"));
        cell(&row, "%s",
             status_flag_of(group, "serving") ? status_text_of(group, "primary") : "nobody");
        cell(&row, "%s", in_sync);
        number_cell(&row, status_number_of(group, "queue"));
        size_cell(&row, status_number_of(group, "mirror_bytes"));
        cell(&row, "%s", status_number_of(group, "handshake_ns") ? handshake : "");
        number_cell(&row, status_number_of(group, "takeovers"));
        add_row(table, &row);
    }
    end_table(page, table);
}

/* What a unit does for people: "online" when it serves or stands by. */
static const char *unit_word(const char *state)
{
    if (strcmp(state, "primary") == 0 || strcmp(state, "secondary") == 0)
        return "online";
    return state;
}

static void write_units(struct page *page, const json_t *status)
{
    const json_t *groups = json_object_get(status, "groups");
    char heading[128] = "UNIT|STATE";
    size_t i, g;
    json_t *unit, *group;
    json_array_foreach(groups, g, group)
        snprintf(heading + strlen(heading), sizeof heading - strlen(heading), "|%s",
                 status_text_of(group, "name"));
    snprintf(heading + strlen(heading), sizeof heading - strlen(heading), "|>EPOCH|>SINCE");
    struct table *table = table_new(heading);
    json_array_foreach(json_object_get(status, "units"), i, unit)
    {
        const char *state = status_text_of(unit, "state");
        struct row row = {.count = 0};
        char age[CELL] = "";
        uint64_t since = status_number_of(unit, "since_ns"), now = status_number_of(unit, "now_ns");
        if (since && now >= since)
            quantity_age_text(now - since, age, sizeof age);
        cell(&row, "%s", status_text_of(unit, "name"));
        cell(&row, "%s", unit_word(state));
        json_array_foreach(groups, g, group)
            cell(&row, "%s",
                 strcmp(status_text_of(unit, "group"), status_text_of(group, "name")) ? "" : state);
        number_cell(&row, status_number_of(unit, "epoch"));
        cell(&row, "%s", age);
        add_row(table, &row);
    }
    end_table(page, table);
}

static void write_switches(struct page *page, const json_t *status)
{
    struct table *table = table_new("SWITCH|STATE|>HOSTS|>COMMANDS|>SENT AGAIN|PORTAL");
    size_t i, s;
    json_t *entry, *session;
    json_array_foreach(json_object_get(status, "switches"), i, entry)
    {
        struct row row = {.count = 0};
        uint64_t hosts = 0;
        char portals[CELL];
        json_array_foreach(json_object_get(entry, "sessions"), s, session) hosts +=
            !status_flag_of(session, "discovery");
        status_list_text(json_object_get(entry, "portals"), ", ", portals, sizeof portals);
        cell(&row, "%s", status_text_of(entry, "name"));
        cell(&row, status_flag_of(entry, "drained") ? "drained" : "online");
        number_cell(&row, hosts);
        number_cell(&row, status_number_of(entry, "commands"));
        number_cell(&row, status_number_of(entry, "resent"));
        cell(&row, "%s", portals);
        add_row(table, &row);
    }
    end_table(page, table);
}

static char slot_letter(const char *state)
{
    static const struct {
        const char *state;
        char letter;
    } letters[] = {{"good", 'o'},    {"free", '-'},     {"stale", 'r'}, {"failed", 'F'},
                   {"offline", 'x'}, {"bypassed", 'B'}, {"empty", ' '}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (strcmp(letters[i].state, state) == 0)
            return letters[i].letter;
    return '?';
}

static void write_trays(struct page *page, const json_t *status)
{
    struct table *table = table_new("TRAY|LOOP|DRIVES|FENCES|SLOTS 00-23    (o in a pool, - free)");
    size_t i, d, b;
    json_t *loop, *drive, *bank;
    json_array_foreach(json_object_get(status, "loops"), i, loop)
    {
        struct row row = {.count = 0};
        char slots[SLOT_MAX + 1] = "", fences[CELL] = "";
        size_t online = 0, last = 0;
        memset(slots, ' ', SLOT_MAX);
        json_array_foreach(json_object_get(loop, "drives"), d, drive)
        {
            uint64_t slot = status_number_of(drive, "slot");
            online += status_flag_of(drive, "online");
            if (slot < SLOT_MAX)
                slots[slot] = slot_letter(status_text_of(drive, "state"));
            last = slot < SLOT_MAX && slot + 1 > last ? slot + 1 : last;
        }
        slots[last] = 0;
        json_array_foreach(json_object_get(loop, "banks"), b, bank) snprintf(
            fences + strlen(fences), sizeof fences - strlen(fences), "%s%s:%" PRIu64,
            *fences ? " " : "", status_text_of(bank, "group"), status_number_of(bank, "epoch"));
        cell(&row, "%s", status_text_of(loop, "tray"));
        cell(&row, "%s", status_text_of(loop, "name"));
        cell(&row, "%zu/%zu", online, json_array_size(json_object_get(loop, "drives")));
        cell(&row, "%s", fences);
        cell(&row, "%s", slots);
        add_row(table, &row);
    }
    end_table(page, table);
}

static void write_pools(struct page *page, const json_t *status)
{
    struct table *table = table_new("POOL|GROUP|LEVEL|CACHE|STATE|>USED|>SIZE|SURVIVES");
    size_t i;
    json_t *pool;
    json_array_foreach(json_object_get(status, "pools"), i, pool)
    {
        struct row row = {.count = 0};
        int survives = status_pool_survives(pool);
        cell(&row, "%s", status_text_of(pool, "name"));
        cell(&row, "%s", status_text_of(pool, "group"));
        cell(&row, "%s", status_text_of(pool, "level"));
        cell(&row, "%s", status_text_of(pool, "cache"));
        cell(&row, "%s", status_text_of(pool, "state"));
        size_cell(&row, status_number_of(pool, "used_bytes"));
        size_cell(&row, status_number_of(pool, "size_bytes"));
        if (survives < 0)
            cell(&row, "nothing more");
        else
            cell(&row, "%d failure%s", survives, survives == 1 ? "" : "s");
        add_row(table, &row);
    }
    end_table(page, table);
}

static void write_volumes(struct page *page, const json_t *status)
{
    struct table *table = table_new("VOLUME|>LUN|GROUP|POOL|STATE|>SIZE|>BLOCK");
    size_t i;
    json_t *volume;
    json_array_foreach(json_object_get(status, "volumes"), i, volume)
    {
        struct row row = {.count = 0};
        const json_t *lun = json_object_get(volume, "lun");
        cell(&row, "%s", status_text_of(volume, "name"));
        if (json_is_integer(lun))
            cell(&row, "%" PRId64, (int64_t)json_integer_value(lun));
        else
            cell(&row, "-");
        cell(&row, "%s", status_text_of(volume, "group"));
        cell(&row, "%s", status_text_of(volume, "pool"));
        cell(&row, "%s", status_text_of(volume, "state"));
        size_cell(&row, status_number_of(volume, "size_bytes"));
        number_cell(&row, status_number_of(volume, "block_bytes"));
        add_row(table, &row);
    }
    end_table(page, table);
}

static bool begin_page(struct page *page)
{
    page->text = NULL;
    page->file = open_memstream(&page->text, &page->length);
    return page->file != NULL;
}

static char *end_page(struct page *page)
{
    if (fclose(page->file) != 0) {
        free(page->text);
        return NULL;
    }
    return page->text;
}

char *status_verdict(const json_t *status)
{
    struct page page;
    if (!begin_page(&page))
        return NULL;
    write_verdict(page.file, status);
    return end_page(&page);
}

char *status_picture(const json_t *status)
{
    static const struct {
        const char *list;
        void (*write)(struct page *page, const json_t *status);
    } parts[] = {
        {"groups", write_groups}, {"units", write_units}, {"switches", write_switches},
        {"loops", write_trays},   {"pools", write_pools}, {"volumes", write_volumes},
    };
    struct page page;
    if (!begin_page(&page))
        return NULL;
    write_verdict(page.file, status);
    write_problems(&page, status);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (json_array_size(json_object_get(status, parts[i].list)))
            parts[i].write(&page, status);
    return end_page(&page);
}
