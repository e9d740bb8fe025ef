/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_log.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

static const uint64_t MILLISECOND = 1000000u;
static const json_int_t LENGTH_MS_MAX = 3600000;

enum { LOG_VERSION = 1, LINE_BYTES = 4096, READS_DEFAULT = 70 };

/* ---- writing ---- */

static void put(FILE *log, json_t *line)
{
    if (!line)
        return;
    json_dumpf(line, log, JSON_COMPACT | JSON_REAL_PRECISION(9));
    fputc('\n', log);
    fflush(log); /* what has struck is known even if the drill is killed */
    json_decref(line);
}

void drill_log_begin(FILE *log, const struct drill_log_head *head)
{
    put(log, json_pack("{s:s, s:i, s:I, s:i, s:i, s:i}", "log", "segue drill", "version",
                       LOG_VERSION, "seed", (json_int_t)head->seed, "depth", (int)head->depth,
                       "area_mib", (int)head->area_mib, "read_percent", (int)head->read_percent));
}

static double since_ms(uint64_t begun_ns, uint64_t at_ns)
{
    return (double)(at_ns / 1000 - begun_ns / 1000) / 1000;
}

void drill_log_fault(FILE *log, const struct drill_fault *f, uint32_t round, uint64_t seed,
                     uint64_t begun_ns)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    json_t *line = json_pack("{s:s, s:f, s:I, s:i, s:s, s:s, s:I, s:I}", "time", text, "t_ms",
                             since_ms(begun_ns, f->at_ns), "seed", (json_int_t)seed, "round",
                             (int)round, "fault", drill_fault_names[f->kind], "part", f->part,
                             "for_ms", (json_int_t)(f->length_ns / MILLISECOND), "calm_ms",
                             (json_int_t)(f->calm_ns / MILLISECOND));
    if (*f->how)
        json_object_set_new(line, "how", json_string(f->how));
    put(log, line);
}

void drill_log_round(FILE *log, const struct drill_fault *f, uint32_t round,
                     uint64_t longest_pause_ns, uint64_t begun_ns)
{
    put(log, json_pack("{s:f, s:i, s:b, s:f, s:f, s:I, s:I}", "t_ms",
                       since_ms(begun_ns, f->synced_ns), "round", (int)round, "in_sync", 1,
                       "in_sync_after_ms", since_ms(f->at_ns, f->synced_ns), "longest_pause_ms",
                       (double)longest_pause_ns / 1e6, "host_errors", (json_int_t)f->errors,
                       "blocks_wrong", (json_int_t)f->wrong));
}

/* ---- reading ---- */

struct reader {
    const char *path;
    uint32_t line;
    int round;
    char *sentence;
    size_t bytes;
};

static int wrong(const struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int wrong(const struct reader *r, const char *format, ...)
{
    va_list arguments;
    int n = snprintf(r->sentence, r->bytes, "%.120s:%u: ", r->path, r->line);
    if (n < 0 || (size_t)n >= r->bytes)
        return -1;
    va_start(arguments, format);
    vsnprintf(r->sentence + n, r->bytes - (size_t)n, format, arguments);
    va_end(arguments);
    return -1;
}

/* A whole number from 0 up; -1: it is something else. Missing: 0. */
static json_int_t number(const json_t *line, const char *key, json_int_t most)
{
    const json_t *value = json_object_get(line, key);
    json_int_t n = json_integer_value(value);
    return !value || (json_is_integer(value) && n >= 0 && n <= most) ? n : -1;
}

static int read_head(const struct reader *r, const json_t *line, struct drill_log_head *head)
{
    const char *log = json_string_value(json_object_get(line, "log"));
    json_int_t seed = number(line, "seed", INT64_MAX), depth = number(line, "depth", 128);
    json_int_t area = number(line, "area_mib", 4096), reads = READS_DEFAULT;
    if (json_object_get(line, "read_percent"))
        reads = number(line, "read_percent", 100);
    if (!log || strcmp(log, "segue drill") != 0)
        return wrong(r,
                     "this is no log of segue drill: its first line has \"log\":\"segue drill\"");
    if (json_integer_value(json_object_get(line, "version")) != LOG_VERSION)
        return wrong(r, "a log of version %d is needed", LOG_VERSION);
    if (seed < 0 || depth < 0 || area < 0 || reads < 0)
        return wrong(r, "seed, depth (128), area_mib (4096) and read_percent (100) are numbers "
                        "from 0 to what is said here");
    *head = (struct drill_log_head){.seed = (uint64_t)seed,
                                    .depth = (uint32_t)depth,
                                    .area_mib = (uint32_t)area,
                                    .read_percent = (uint32_t)reads};
    return 0;
}

static enum drill_fault_kind kind_of(const char *name)
{
    enum drill_fault_kind kind = DRILL_FAULT_KILL;
    while (kind < DRILL_FAULT_KINDS && strcmp(drill_fault_names[kind], name ? name : "") != 0)
        kind++;
    return kind;
}

static int read_fault(struct reader *r, const json_t *line, struct drill_plan *plan)
{
    const char *name = json_string_value(json_object_get(line, "fault"));
    const char *part = json_string_value(json_object_get(line, "part"));
    const char *how = json_string_value(json_object_get(line, "how"));
    enum drill_fault_kind kind = kind_of(name);
    json_int_t length = number(line, "for_ms", LENGTH_MS_MAX);
    json_int_t calm = number(line, "calm_ms", LENGTH_MS_MAX);
    json_int_t round = number(line, "round", INT32_MAX);
    if (kind == DRILL_FAULT_KINDS)
        return wrong(r,
                     "there is no fault \"%.40s\"; there are kill, hang, move, restart, cut, "
                     "pull and full",
                     name ? name : "");
    if (!part || !*part || strlen(part) >= DRILL_PART)
        return wrong(r, "\"part\" names what the fault strikes, such as \"A\"");
    if (length < 0 || calm < 0 || round < 0)
        return wrong(r,
                     "for_ms, calm_ms and round are whole numbers, for_ms and calm_ms at most "
                     "%lld",
                     (long long)LENGTH_MS_MAX);
    struct drill_fault *f = drill_plan_add(plan, kind, part);
    if (!f)
        return wrong(r, "at most %d faults in one drill", DRILL_FAULTS);
    f->together = plan->count > 1 && round > 0 && round == r->round;
    f->length_ns = (uint64_t)length * MILLISECOND;
    f->calm_ns = (uint64_t)calm * MILLISECOND;
    snprintf(f->how, sizeof f->how, "%s", how ? how : "");
    r->round = (int)round;
    return 0;
}

static int read_line(struct reader *r, const char *text, struct drill_plan *plan,
                     struct drill_log_head *head)
{
    json_error_t error;
    json_t *line = json_loads(text, 0, &error);
    int result = 0;
    if (!json_is_object(line))
        result = wrong(r, "no JSON object: %.100s", line ? "something else" : error.text);
    else if (r->line == 1)
        result = read_head(r, line, head);
    else if (json_object_get(line, "fault"))
        result = read_fault(r, line, plan);
    json_decref(line);
    return result;
}

int drill_log_read(const char *path, struct drill_plan *plan, struct drill_log_head *head,
                   char *sentence, size_t sentence_bytes)
{
    struct reader r = {.path = path, .sentence = sentence, .bytes = sentence_bytes};
    char text[LINE_BYTES];
    int result = 0;
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(sentence, sentence_bytes, "--plan %.120s: %s; give random, or the log of a drill",
                 path, strerror(errno));
        return -1;
    }
    while (result == 0 && fgets(text, sizeof text, file)) {
        r.line++;
        if (!strchr(text, '\n') && !feof(file))
            result = wrong(&r, "the line is too long");
        else if (text[strspn(text, " \t\r\n")])
            result = read_line(&r, text, plan, head);
    }
    if (result == 0 && ferror(file))
        result = wrong(&r, "cannot be read: %s", strerror(errno));
    else if (result == 0 && !plan->count)
        result = wrong(&r, "it names no fault");
    fclose(file);
    return result;
}
