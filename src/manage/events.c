/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/events.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "manage/catalogue.h"
#include "manage/journal.h"
#include "manage/status_json.h"

enum {
    TIME_BYTES = 27, /* 2026-11-22T14:31:07.412034Z */
    WORD_BYTES = 160,
    JOURNALS_MAX = CONFIG_PROCESS_MAX + 2,
};

/* ---- one line ---- */

/* The parts speak of groups and trays by their numbers; people have named them. */
static void name_value(const struct config *config, const char *key, char *value, size_t bytes)
{
    unsigned number, slot;
    char end;
    if (strcmp(key, "group") == 0 || strcmp(key, "bank") == 0) {
        if (sscanf(value + strspn(value, "g"), "%u%c", &number, &end) == 1 && number > 0 &&
            number <= config->groups)
            snprintf(value, bytes, "%s", config->group[number - 1].name);
    } else if (strcmp(key, "drive") == 0 && sscanf(value, "t%u/%u%c", &number, &slot, &end) == 2 &&
               number < config->loops && slot < SLOT_MAX) {
        config_drive_name(config, (int)(number * 32 + slot), value, bytes);
    }
}

static json_t *fields_of(const struct config *config, const char *text)
{
    json_t *fields = json_object();
    const char *at = strchr(text, ' ');
    while (at) {
        char key[32], value[WORD_BYTES];
        at += strspn(at, " ");
        size_t length = strcspn(at, " "), name = strcspn(at, "=");
        if (name < length && name < sizeof key && length - name < sizeof value) {
            snprintf(key, sizeof key, "%.*s", (int)name, at);
            snprintf(value, sizeof value, "%.*s", (int)(length - name - 1), at + name + 1);
            name_value(config, key, value, sizeof value);
            json_object_set_new(fields, key, json_string(value));
        }
        at = strchr(at, ' ');
    }
    return fields;
}

/* "group/g1": the field that the catalogue says it is about. */
static void object_of(const struct catalogue_entry *entry, const json_t *fields, const char *part,
                      const char *process, char *out, size_t bytes)
{
    const char *kind = entry->object, *name = status_text_of(fields, kind);
    if (strcmp(kind, "any") == 0)
        snprintf(out, bytes, "%s", status_text_of(fields, "object"));
    else if (strcmp(kind, "process") == 0)
        snprintf(out, bytes, "process/%s", process);
    else if (!*name && strcmp(kind, "group") == 0)
        snprintf(out, bytes, "group/%s", status_text_of(fields, "bank"));
    else
        snprintf(out, bytes, "%s/%s", kind, *name ? name : part);
    if (!*out)
        snprintf(out, bytes, "process/%s", process);
}

static const struct catalogue_entry *entry_of(const char *level, const char *text)
{
    const struct catalogue_entry *entry = catalogue_of_notice(text);
    if (entry)
        return entry;
    return strcmp(level, "error") == 0  ? catalogue_find("ERROR")
           : strcmp(level, "warn") == 0 ? catalogue_find("WARNING")
                                        : NULL;
}

json_t *events_of_line(const struct config *config, const char *process, const char *line,
                       size_t length)
{
    char copy[JOURNAL_LINE_BYTES + 1], when[TIME_BYTES + 1], level[8], part[24], object[WORD_BYTES];
    int used = 0;
    if (length >= sizeof copy)
        length = sizeof copy - 1;
    memcpy(copy, line, length);
    copy[length] = 0;
    if (sscanf(copy, "%27s %7s %23s %n", when, level, part, &used) < 3 || !used ||
        strlen(when) != TIME_BYTES || when[TIME_BYTES - 1] != 'Z')
        return NULL;
    const char *text = copy + used;
    const struct catalogue_entry *entry = entry_of(level, text);
    if (!entry)
        return NULL;
    json_t *fields = entry->word ? fields_of(config, text) : NULL;
    object_of(entry, fields, part, process, object, sizeof object);
    json_t *event = json_pack("{s:s+++, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", when, "/",
                              process, "", "time", when, "code", entry->code, "severity",
                              catalogue_severity_name(entry->severity), "object", object, "process",
                              process, "part", part, "text", text);
    if (event && fields)
        json_object_set(event, "fields", fields);
    json_decref(fields);
    return event; /* NULL, too, of a text that is no UTF-8 */
}

/* ---- filters ---- */

static bool list_has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && strncmp(at, word, length) == 0)
            return true;
    return false;
}

static bool is_of(const json_t *event, const char *object)
{
    const char *own = status_text_of(event, "object"), *slash = strchr(own, '/');
    const char *key;
    json_t *value;
    if (strcmp(own, object) == 0 || strcmp(status_text_of(event, "part"), object) == 0 ||
        (slash && strcmp(slash + 1, object) == 0))
        return true;
    json_object_foreach(json_object_get(event, "fields"), key, value)
    {
        char whole[2 * WORD_BYTES];
        const char *text = json_string_value(value);
        snprintf(whole, sizeof whole, "%s/%s", key, text ? text : "");
        if (text && (strcmp(text, object) == 0 || strcmp(whole, object) == 0))
            return true;
    }
    return false;
}

bool events_match(const json_t *event, const struct events_filter *filter)
{
    return (!filter->since || strcmp(status_text_of(event, "time"), filter->since) >= 0) &&
           (!filter->after || strcmp(status_text_of(event, "id"), filter->after) > 0) &&
           (!filter->code || list_has_word(filter->code, status_text_of(event, "code"))) &&
           (!filter->object || is_of(event, filter->object));
}

static int by_id(const void *a, const void *b)
{
    return strcmp(status_text_of(*(json_t *const *)a, "id"),
                  status_text_of(*(json_t *const *)b, "id"));
}

/* In the order of time; the newest `limit` of them (0: all). */
static json_t *sorted(const json_t *events, size_t limit)
{
    size_t count = json_array_size(events), i;
    json_t **all = calloc(count + 1, sizeof(json_t *)), *event, *out = json_array();
    if (!all || !out) {
        free(all);
        json_decref(out);
        return NULL;
    }
    json_array_foreach(events, i, event) all[i] = event;
    qsort(all, count, sizeof(json_t *), by_id);
    for (i = limit && limit < count ? count - limit : 0; i < count; i++)
        json_array_append(out, all[i]);
    free(all);
    return out;
}

/* ---- files ---- */

/* Whole lines of the file from `*offset` on; moves it behind the last one. */
static void read_lines(const struct config *config, const char *process, int fd, off_t *offset,
                       const struct events_filter *filter, json_t *out)
{
    static _Thread_local char bytes[64 << 10];
    ssize_t got;
    while ((got = pread(fd, bytes, sizeof bytes, *offset)) > 0) {
        char *at = bytes, *end;
        size_t left = (size_t)got;
        while ((end = memchr(at, '\n', left))) {
            json_t *event = events_of_line(config, process, at, (size_t)(end - at));
            if (event && events_match(event, filter))
                json_array_append(out, event);
            json_decref(event);
            left -= (size_t)(end - at) + 1;
            at = end + 1;
        }
        if (at == bytes) /* half a line, or one that is none of ours */
            return;
        *offset += at - bytes;
    }
}

/* Names of the processes that have journals. */
static size_t list_journals(const struct config *config, char names[][CONFIG_NAME], size_t most)
{
    static const char ending[] = ".events";
    char path[CONFIG_PATH + 8];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/log", config->state);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && count < most && (entry = readdir(directory));) {
        size_t length = strlen(entry->d_name), tail = sizeof ending - 1;
        if (length <= tail || length - tail >= CONFIG_NAME ||
            strcmp(entry->d_name + length - tail, ending) != 0)
            continue;
        snprintf(names[count++], CONFIG_NAME, "%.*s", (int)(length - tail), entry->d_name);
    }
    if (directory)
        closedir(directory);
    return count;
}

static int open_journal(const struct config *config, const char *process, int age)
{
    char path[CONFIG_PATH + CONFIG_NAME + 24];
    snprintf(path, sizeof path, "%s/log/%.*s.events%s%s", config->state, CONFIG_NAME - 1, process,
             age > 0 ? "." : "", age > 0 ? (const char *[]){"", "1", "2"}[age] : "");
    return open(path, O_RDONLY | O_CLOEXEC);
}
_Static_assert(JOURNAL_FILES == 3, "their names: NAME, NAME.1, NAME.2");

json_t *events_read(const struct config *config, const struct events_filter *filter)
{
    char names[JOURNALS_MAX][CONFIG_NAME];
    size_t journals = list_journals(config, names, JOURNALS_MAX);
    json_t *all = json_array();
    for (size_t i = 0; all && i < journals; i++)
        for (int age = JOURNAL_FILES - 1; age >= 0; age--) {
            off_t offset = 0;
            int fd = open_journal(config, names[i], age);
            if (fd < 0)
                continue;
            read_lines(config, names[i], fd, &offset, filter, all);
            close(fd);
        }
    json_t *out = all ? sorted(all, filter->limit) : NULL;
    json_decref(all);
    return out;
}

/* ---- following ---- */

struct events_tail {
    const struct config *config;
    size_t count;
    struct {
        char name[CONFIG_NAME];
        int fd; /* of the file that was read last: it may have been renamed since */
        ino_t inode;
        off_t offset;
    } at[JOURNALS_MAX];
};

static void follow_new(struct events_tail *tail, bool from_end)
{
    char names[JOURNALS_MAX][CONFIG_NAME];
    size_t found = list_journals(tail->config, names, JOURNALS_MAX);
    for (size_t i = 0; i < found; i++) {
        size_t known = 0;
        while (known < tail->count && strcmp(tail->at[known].name, names[i]) != 0)
            known++;
        struct stat facts;
        int fd = known < tail->count || known == JOURNALS_MAX
                     ? -1
                     : open_journal(tail->config, names[i], 0);
        if (fd < 0 || fstat(fd, &facts) != 0) {
            if (fd >= 0)
                close(fd);
            continue;
        }
        memcpy(tail->at[known].name, names[i], CONFIG_NAME);
        tail->at[known].fd = fd;
        tail->at[known].inode = facts.st_ino;
        tail->at[known].offset = from_end ? facts.st_size : 0;
        tail->count = known + 1;
    }
}

struct events_tail *events_tail_new(const struct config *config)
{
    struct events_tail *tail = calloc(1, sizeof *tail);
    if (!tail)
        return NULL;
    tail->config = config;
    follow_new(tail, true);
    return tail;
}

void events_tail_free(struct events_tail *tail)
{
    for (size_t i = 0; tail && i < tail->count; i++)
        close(tail->at[i].fd);
    free(tail);
}

json_t *events_tail_next(struct events_tail *tail)
{
    const struct events_filter everything = {0};
    json_t *all = json_array();
    follow_new(tail, false);
    for (size_t i = 0; all && i < tail->count; i++) {
        struct stat facts;
        read_lines(tail->config, tail->at[i].name, tail->at[i].fd, &tail->at[i].offset, &everything,
                   all);
        int fd = open_journal(tail->config, tail->at[i].name, 0);
        if (fd < 0)
            continue;
        if (fstat(fd, &facts) != 0 || facts.st_ino == tail->at[i].inode) {
            close(fd);
            continue;
        }
        close(tail->at[i].fd); /* it is full, and another one has begun */
        tail->at[i].fd = fd;
        tail->at[i].inode = facts.st_ino;
        tail->at[i].offset = 0;
        read_lines(tail->config, tail->at[i].name, fd, &tail->at[i].offset, &everything, all);
    }
    json_t *out = all ? sorted(all, 0) : NULL;
    json_decref(all);
    return out;
}

void events_time_before(uint64_t ago_ns, char *out, size_t bytes)
{
    struct timespec now;
    struct tm utc;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t then = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    then = then > ago_ns ? then - ago_ns : 0;
    time_t seconds = (time_t)(then / 1000000000u);
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, bytes, "%s.%06uZ", text, (unsigned)(then % 1000000000u / 1000));
}
