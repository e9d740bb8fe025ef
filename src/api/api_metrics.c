/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/status_json.h"

/* Metrics for the whole array from one place: the processes of the data path only count, they serve
 * no HTTP. What is a plain number is a row of the table; the rest are functions, one a family. */

enum { LABELS_MAX = 6, TEXT = 256, BUCKETS_MAX = 64 };

struct page {
    FILE *file;
    const json_t *status, *answers;
};

static void family(struct page *page, const char *name, const char *type, const char *help)
{
    fprintf(page->file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: what would end it is escaped. */
static void put_escaped(FILE *file, const char *text)
{
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", file);
        else
            fputc(*text, file);
}

/* Pairs of names and values, ended by NULL. */
static void put_labels(FILE *file, const char *const *labels)
{
    fputc('{', file);
    for (size_t i = 0; labels[i]; i += 2) {
        fprintf(file, "%s%s=\"", i ? "," : "", labels[i]);
        put_escaped(file, labels[i + 1]);
        fputc('"', file);
    }
    fputc('}', file);
}

static void sample(struct page *page, const char *name, const char *const *labels, double value)
{
    fputs(name, page->file);
    put_labels(page->file, labels);
    fprintf(page->file, " %.15g\n", value);
}

#define LABELS(...)       \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

/* ---- plain numbers ---- */

enum value_kind { NUMBER, LENGTH, FLAG };

static const struct row {
    const char *name, *type, *help;
    const char *list, *key; /* of the merged status: what of which objects */
    enum value_kind kind;
    const char *labels; /* "group=name unit=group": label and key of its value */
} rows[] = {
    {"segue_group_epoch", "gauge", "Number of the reign.", "groups", "epoch", NUMBER, "group=name"},
    {"segue_group_in_sync_units", "gauge", "Units that hold every command.", "groups", "in_sync",
     LENGTH, "group=name"},
    {"segue_group_members", "gauge", "Units that the group has.", "groups", "members", LENGTH,
     "group=name"},
    {"segue_group_serving", "gauge", "1 if a primary serves the group.", "groups", "serving", FLAG,
     "group=name"},
    {"segue_group_resync_left_bytes", "gauge", "What copies still have to be brought up to date.",
     "groups", "resync_left_bytes", NUMBER, "group=name"},
    {"segue_queue_commands", "gauge", "Commands that are not done.", "units", "queue", NUMBER,
     "group=group unit=name"},
    {"segue_mirror_bytes", "gauge", "Writes that are done and not on the drives yet.", "units",
     "mirror_bytes", NUMBER, "group=group unit=name"},
    {"segue_pool_size_bytes", "gauge", "Size of the pool.", "pools", "size_bytes", NUMBER,
     "pool=name"},
    {"segue_pool_used_bytes", "gauge", "What its volumes take.", "pools", "used_bytes", NUMBER,
     "pool=name"},
    {"segue_volume_size_bytes", "gauge", "Size of the volume.", "volumes", "size_bytes", NUMBER,
     "volume=name"},
    {"segue_switch_commands_total", "counter", "Commands of hosts.", "switches", "commands", NUMBER,
     "switch=name"},
    {"segue_switch_commands_resent_total", "counter",
     "Commands sent again after a change of epoch or link.", "switches", "resent", NUMBER,
     "switch=name"},
    {"segue_switch_drained", "gauge", "1 if its hosts are sent to other switches.", "switches",
     "drained", FLAG, "switch=name"},
    {"segue_drive_reads_total", "counter", "Reads that the drive did.", "drives", "reads", NUMBER,
     "tray=tray slot=slot"},
    {"segue_drive_writes_total", "counter", "Writes that the drive did.", "drives", "writes",
     NUMBER, "tray=tray slot=slot"},
    {"segue_drive_read_bytes_total", "counter", "Bytes read from the drive.", "drives",
     "read_bytes", NUMBER, "tray=tray slot=slot"},
    {"segue_drive_written_bytes_total", "counter", "Bytes written to the drive.", "drives",
     "written_bytes", NUMBER, "tray=tray slot=slot"},
    {"segue_drive_errors_total", "counter", "Commands that the drive failed.", "drives", "errors",
     NUMBER, "tray=tray slot=slot"},
    {"segue_drive_commands_in_flight", "gauge", "Commands with the drive.", "drives", "queued",
     NUMBER, "tray=tray slot=slot"},
    {"segue_tray_fence_epoch", "gauge", "Epoch of the fence that the tray holds.", "banks", "epoch",
     NUMBER, "tray=tray group=group"},
    {"segue_tray_fence_refusals_total", "counter", "Drive commands of deposed units, refused.",
     "banks", "refused", NUMBER, "tray=tray group=group"},
    {"segue_process_buffers_used_bytes", "gauge", "Payload in memory.", "processes",
     "buffers_used_bytes", NUMBER, "process=name"},
    {"segue_process_buffers_limit_bytes", "gauge", "At most so much.", "processes",
     "buffers_limit_bytes", NUMBER, "process=name"},
};

static double value_of(const json_t *object, const char *key, enum value_kind kind)
{
    const json_t *value = json_object_get(object, key);
    if (kind == LENGTH)
        return (double)json_array_size(value);
    return kind == FLAG ? json_is_true(value) : json_number_value(value);
}

/* Slots have two figures, as people write them. */
static void label_text(const json_t *object, const char *key, char *out, size_t bytes)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        snprintf(out, bytes, "%02" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(out, bytes, "%s", status_text_of(object, key));
}

static void put_row(struct page *page, const struct row *row, const json_t *object)
{
    char names[LABELS_MAX][TEXT];
    const char *labels[LABELS_MAX + 1] = {NULL};
    size_t count = 0;
    for (const char *at = row->labels; *at && count + 2 <= LABELS_MAX;
         at += strcspn(at, " "), at += *at == ' ') {
        char key[32];
        size_t equals = strcspn(at, "=");
        snprintf(names[count], TEXT, "%.*s", (int)equals, at);
        snprintf(key, sizeof key, "%.*s", (int)(strcspn(at, " ") - equals - 1), at + equals + 1);
        label_text(object, key, names[count + 1], TEXT);
        labels[count] = names[count];
        labels[count + 1] = names[count + 1];
        count += 2;
    }
    sample(page, row->name, labels, value_of(object, row->key, row->kind));
}

/* The drives or banks of all loop switches, each with its tray. */
static json_t *of_loops(const json_t *status, const char *key)
{
    json_t *all = json_array(), *loop, *entry;
    size_t l, i;
    json_array_foreach(json_object_get(status, "loops"), l, loop)
        json_array_foreach(json_object_get(loop, key), i, entry)
    {
        json_t *copy = json_copy(entry);
        json_object_set(copy, "tray", json_object_get(loop, "tray"));
        json_array_append_new(all, copy);
    }
    return all;
}

static json_t *list_of(const json_t *status, const char *list)
{
    if (strcmp(list, "drives") == 0 || strcmp(list, "banks") == 0)
        return of_loops(status, list);
    return json_incref(json_object_get(status, list));
}

static void put_rows(struct page *page)
{
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        json_t *list = list_of(page->status, rows[r].list), *object;
        size_t i;
        family(page, rows[r].name, rows[r].type, rows[r].help);
        json_array_foreach(list, i, object) put_row(page, &rows[r], object);
        json_decref(list);
    }
}

/* ---- states: 1 for the one that is ---- */

static void put_states(struct page *page, const char *name, const char *const *labels,
                       const char *states, const char *state)
{
    for (const char *at = states; *at; at += strcspn(at, "|"), at += *at == '|') {
        char one[32];
        const char *all[LABELS_MAX + 3];
        size_t n = 0;
        snprintf(one, sizeof one, "%.*s", (int)strcspn(at, "|"), at);
        for (; labels[n]; n++)
            all[n] = labels[n];
        all[n] = "state";
        all[n + 1] = one;
        all[n + 2] = NULL;
        sample(page, name, all, strcmp(one, state) == 0);
    }
}

static void put_state_sets(struct page *page)
{
    static const struct {
        const char *name, *help, *list, *label, *states;
    } sets[] = {
        {"segue_pool_state", "State of the pool.", "pools", "pool",
         "optimal|degraded|resynchronising|failed"},
        {"segue_volume_state", "State of the volume.", "volumes", "volume", "online|offline"},
        {"segue_process_state", "State of the process.", "processes", "process",
         "running|silent|dead"},
    };
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        size_t i;
        json_t *object;
        family(page, sets[s].name, "gauge", sets[s].help);
        json_array_foreach(json_object_get(page->status, sets[s].list), i, object)
            put_states(page, sets[s].name, LABELS(sets[s].label, status_text_of(object, "name")),
                       sets[s].states, status_text_of(object, "state"));
    }
}

static void put_drive_states(struct page *page)
{
    json_t *drives = of_loops(page->status, "drives"), *drive;
    size_t i;
    family(page, "segue_drive_state", "gauge", "State of the drive.");
    json_array_foreach(drives, i, drive)
    {
        char slot[16];
        label_text(drive, "slot", slot, sizeof slot);
        put_states(page, "segue_drive_state",
                   LABELS("tray", status_text_of(drive, "tray"), "slot", slot),
                   "good|stale|failed|offline|free", status_text_of(drive, "state"));
    }
    json_decref(drives);
}

/* The unit's states as people tell them apart. */
static const char *role_of(const char *state)
{
    return strcmp(state, "primary") == 0 || strcmp(state, "secondary") == 0 ? state : "out";
}

static void put_units(struct page *page)
{
    size_t i;
    json_t *unit;
    const json_t *units = json_object_get(page->status, "units");
    family(page, "segue_unit_state", "gauge", "State of the unit.");
    json_array_foreach(units, i, unit)
    {
        const char *state = status_text_of(unit, "state"), *role = role_of(state);
        put_states(page, "segue_unit_state", LABELS("unit", status_text_of(unit, "name")),
                   "online|joining|out|down",
                   strcmp(role, "out") != 0        ? "online"
                   : strcmp(state, "joining") == 0 ? state
                   : strcmp(state, "down") == 0    ? state
                                                   : "out");
    }
    family(page, "segue_group_role", "gauge", "Role of the unit in its group.");
    json_array_foreach(units, i, unit) put_states(
        page, "segue_group_role",
        LABELS("group", status_text_of(unit, "group"), "unit", status_text_of(unit, "name")),
        "primary|secondary|out", role_of(status_text_of(unit, "state")));
}

static void put_pools(struct page *page)
{
    size_t i;
    json_t *pool;
    family(page, "segue_pool_redundancy_remaining", "gauge",
           "Failures of drives that the pool survives now; -1: it has lost data.");
    json_array_foreach(json_object_get(page->status, "pools"), i, pool)
        sample(page, "segue_pool_redundancy_remaining",
               LABELS("pool", status_text_of(pool, "name"), "level", status_text_of(pool, "level")),
               json_number_value(json_object_get(pool, "redundancy_remaining")));
}

static void put_health(struct page *page, const char *version)
{
    const json_t *health = json_object_get(page->status, "health");
    size_t i;
    json_t *check;
    family(page, "segue_build_info", "gauge", "What runs here.");
    sample(page, "segue_build_info", LABELS("version", version), 1);
    family(page, "segue_health_state", "gauge", "State of the array.");
    put_states(page, "segue_health_state", LABELS("array", status_text_of(page->status, "array")),
               "ok|degraded|failed", status_text_of(health, "state"));
    family(page, "segue_health_check", "gauge", "1 while the check has found something.");
    json_array_foreach(json_object_get(health, "checks"), i, check)
        sample(page, "segue_health_check",
               LABELS("code", status_text_of(check, "code"), "severity",
                      status_text_of(check, "severity"), "object", status_text_of(check, "object"),
                      "muted", *status_text_of(check, "muted_until") ? "true" : "false"),
               1);
}

/* ---- hosts ---- */

static const char *host_of(const json_t *status, const char *initiator)
{
    size_t h;
    json_t *host;
    json_array_foreach(json_object_get(status, "hosts"), h, host)
    {
        if (status_list_has(json_object_get(host, "initiators"), initiator))
            return status_text_of(host, "name");
    }
    return "";
}

/* host -> switch -> a number of its sessions. */
static json_t *sum_sessions(const json_t *status, const char *key)
{
    json_t *sums = json_object(), *entry, *session;
    size_t s, i;
    json_array_foreach(json_object_get(status, "switches"), s, entry)
        json_array_foreach(json_object_get(entry, "sessions"), i, session)
    {
        const char *host = host_of(status, status_text_of(session, "initiator"));
        if (status_flag_of(session, "discovery"))
            continue;
        json_t *of_host = json_object_get(sums, host);
        if (!of_host)
            json_object_set_new(sums, host, of_host = json_object());
        const char *name = status_text_of(entry, "name");
        json_int_t more = key ? json_integer_value(json_object_get(session, key)) : 1;
        json_object_set_new(
            of_host, name, json_integer(json_integer_value(json_object_get(of_host, name)) + more));
    }
    return sums;
}

static void put_hosts(struct page *page)
{
    static const char *const totals[][3] = {
        {"segue_host_read_bytes_total", "Bytes that the host has read in its sessions.",
         "read_bytes"},
        {"segue_host_written_bytes_total", "Bytes that the host has written in its sessions.",
         "written_bytes"}};
    json_t *sessions = sum_sessions(page->status, NULL), *of_host, *count;
    const char *host, *name;
    family(page, "segue_host_paths", "gauge",
           "Switches at which the host is logged in; of initiators that are no host's: \"\".");
    json_object_foreach(sessions, host, of_host)
        sample(page, "segue_host_paths", LABELS("host", host), (double)json_object_size(of_host));
    family(page, "segue_host_sessions", "gauge", "Sessions of the host at a switch.");
    json_object_foreach(sessions, host, of_host) json_object_foreach(of_host, name, count)
        sample(page, "segue_host_sessions", LABELS("host", host, "switch", name),
               json_number_value(count));
    json_decref(sessions);
    for (size_t t = 0; t < 2; t++) {
        json_t *sums = sum_sessions(page->status, totals[t][2]);
        family(page, totals[t][0], "counter", totals[t][1]);
        json_object_foreach(sums, host, of_host) json_object_foreach(of_host, name, count) sample(
            page, totals[t][0], LABELS("host", host, "switch", name), json_number_value(count));
        json_decref(sums);
    }
}

/* ---- histograms ---- */

static void put_histogram(struct page *page, const char *name, const char *const *labels,
                          const json_t *bounds, const json_t *histogram)
{
    const json_t *counts = json_object_get(histogram, "counts");
    const char *all[LABELS_MAX + 3];
    char le[32], longer[96];
    size_t n = 0, buckets = json_array_size(counts);
    double total = 0;
    for (; labels[n]; n++)
        all[n] = labels[n];
    all[n] = "le";
    all[n + 1] = le;
    all[n + 2] = NULL;
    snprintf(longer, sizeof longer, "%s_bucket", name);
    for (size_t i = 0; i < buckets; i++) {
        total += json_number_value(json_array_get(counts, i));
        if (i < json_array_size(bounds))
            snprintf(le, sizeof le, "%.9g", json_number_value(json_array_get(bounds, i)) / 1e9);
        else
            snprintf(le, sizeof le, "+Inf");
        sample(page, longer, all, total);
    }
    snprintf(longer, sizeof longer, "%s_sum", name);
    sample(page, longer, labels, json_number_value(json_object_get(histogram, "sum_ns")) / 1e9);
    snprintf(longer, sizeof longer, "%s_count", name);
    sample(page, longer, labels, total);
}

static const json_t *bounds_of(const struct page *page)
{
    return json_object_get(json_array_get(page->answers, 0), "bounds_ns");
}

/* Everything that the processes said under a key, in one list; borrowed. */
static json_t *told(const struct page *page, const char *key)
{
    json_t *all = json_array(), *answer;
    size_t i;
    json_array_foreach(page->answers, i, answer)
        json_array_extend(all, json_object_get(answer, key));
    return all;
}

static json_t *add_histograms(json_t *sum, const json_t *more)
{
    json_t *counts = json_object_get(sum, "counts"), *count;
    size_t i;
    if (!sum)
        return json_deep_copy(more);
    json_array_foreach(json_object_get(more, "counts"), i, count) json_array_set_new(
        counts, i,
        json_integer(json_integer_value(json_array_get(counts, i)) + json_integer_value(count)));
    json_object_set_new(sum, "sum_ns",
                        json_integer(json_integer_value(json_object_get(sum, "sum_ns")) +
                                     json_integer_value(json_object_get(more, "sum_ns"))));
    return json_incref(sum);
}

static void add_number(json_t *to, const json_t *from, const char *key)
{
    json_int_t sum = json_integer_value(json_object_get(to, key)) +
                     json_integer_value(json_object_get(from, key));
    json_object_set_new(to, key, json_integer(sum));
}

/* What all switches have seen of a volume, or NULL: {"took":{op:histogram},"errors":{},...}. */
static json_t *volume_of(const json_t *switches, const json_t *volume)
{
    json_t *sum = NULL, *entry, *seen, *histogram;
    size_t s, v;
    const char *op;
    json_array_foreach(switches, s, entry)
        json_array_foreach(json_object_get(entry, "volumes"), v, seen)
    {
        if (strcmp(status_text_of(seen, "group"), status_text_of(volume, "group")) != 0 ||
            status_number_of(seen, "index") != status_number_of(volume, "index"))
            continue;
        if (!sum)
            sum = json_pack("{s:{}, s:{}}", "took", "errors");
        json_t *took = json_object_get(sum, "took"), *number;
        json_object_foreach(json_object_get(seen, "took"), op, histogram)
            json_object_set_new(took, op, add_histograms(json_object_get(took, op), histogram));
        json_object_foreach(json_object_get(seen, "errors"), op, number)
            add_number(json_object_get(sum, "errors"), json_object_get(seen, "errors"), op);
        add_number(sum, seen, "read_bytes");
        add_number(sum, seen, "written_bytes");
    }
    return sum;
}

static double count_of(const json_t *histogram)
{
    double total = 0;
    size_t i;
    json_t *count;
    json_array_foreach(json_object_get(histogram, "counts"), i, count) total +=
        json_number_value(count);
    return total;
}

static void put_volume_family(struct page *page, const json_t *volumes, const char *name,
                              const char *help, const char *op, const char *key)
{
    const char *volume;
    json_t *sum;
    family(page, name, "counter", help);
    json_object_foreach((json_t *)(uintptr_t)volumes, volume, sum)
        sample(page, name, LABELS("volume", volume),
               key ? json_number_value(json_object_get(sum, key))
                   : count_of(json_object_get(json_object_get(sum, "took"), op)));
}

static void put_volumes(struct page *page)
{
    json_t *switches = told(page, "switches"), *volumes = json_object(), *volume, *sum, *inner;
    const char *name, *op;
    size_t i;
    json_array_foreach(json_object_get(page->status, "volumes"), i,
                       volume) if ((sum = volume_of(switches, volume)))
        json_object_set_new(volumes, status_text_of(volume, "name"), sum);
    put_volume_family(page, volumes, "segue_volume_reads_completed_total", "Reads of hosts.",
                      "read", NULL);
    put_volume_family(page, volumes, "segue_volume_writes_completed_total", "Writes of hosts.",
                      "write", NULL);
    put_volume_family(page, volumes, "segue_volume_read_bytes_total", "Bytes that hosts have read.",
                      NULL, "read_bytes");
    put_volume_family(page, volumes, "segue_volume_written_bytes_total",
                      "Bytes that hosts have written.", NULL, "written_bytes");
    family(page, "segue_volume_errors_total", "counter", "Errors that hosts were told.");
    json_object_foreach(volumes, name, sum)
        json_object_foreach(json_object_get(sum, "errors"), op, inner)
            sample(page, "segue_volume_errors_total", LABELS("volume", name, "kind", op),
                   json_number_value(inner));
    family(page, "segue_volume_command_duration_seconds", "histogram",
           "From a command's last byte to the last of its answer, as the switch sees it.");
    json_object_foreach(volumes, name, sum)
        json_object_foreach(json_object_get(sum, "took"), op, inner)
            put_histogram(page, "segue_volume_command_duration_seconds",
                          LABELS("volume", name, "op", op), bounds_of(page), inner);
    json_decref(volumes);
    json_decref(switches);
}

/* ---- takeovers ---- */

static void put_takeovers(struct page *page)
{
    json_t *units = told(page, "units"), *unit, *inner;
    const char *cause;
    size_t i;
    family(page, "segue_takeovers_total", "counter", "Takeovers that the unit has ended.");
    json_array_foreach(units, i, unit)
        json_object_foreach(json_object_get(unit, "takeovers"), cause, inner)
            sample(page, "segue_takeovers_total",
                   LABELS("group", status_text_of(unit, "group"), "unit",
                          status_text_of(unit, "name"), "cause", cause),
                   count_of(inner));
    family(page, "segue_takeover_duration_seconds", "histogram",
           "From the suspicion to serving hosts again.");
    json_array_foreach(units, i, unit)
        json_object_foreach(json_object_get(unit, "takeovers"), cause, inner)
            put_histogram(page, "segue_takeover_duration_seconds",
                          LABELS("group", status_text_of(unit, "group"), "unit",
                                 status_text_of(unit, "name"), "cause", cause),
                          bounds_of(page), inner);
    family(page, "segue_takeover_phase_seconds_total", "counter",
           "Time in the phases of takeovers.");
    json_array_foreach(units, i, unit)
        json_object_foreach(json_object_get(unit, "phase_ns"), cause, inner)
            sample(page, "segue_takeover_phase_seconds_total",
                   LABELS("group", status_text_of(unit, "group"), "unit",
                          status_text_of(unit, "name"), "phase", cause),
                   json_number_value(inner) / 1e9);
    family(page, "segue_takeover_last_duration_seconds", "gauge", "How long the last one took.");
    json_array_foreach(units, i, unit)
        sample(page, "segue_takeover_last_duration_seconds",
               LABELS("group", status_text_of(unit, "group"), "unit", status_text_of(unit, "name")),
               json_number_value(json_object_get(unit, "last_takeover_ns")) / 1e9);
    family(page, "segue_takeover_last_timestamp_seconds", "gauge", "When the last one ended.");
    json_array_foreach(units, i, unit) if (status_number_of(unit, "ago_ns"))
        sample(page, "segue_takeover_last_timestamp_seconds",
               LABELS("group", status_text_of(unit, "group"), "unit", status_text_of(unit, "name")),
               (double)time(NULL) - (double)(status_number_of(unit, "ago_ns") / 1000000) / 1e3);
    json_decref(units);
}

static void put_handshakes(struct page *page)
{
    json_t *units = told(page, "units"), *loops = told(page, "loops"), *entry, *inner;
    const char *op;
    size_t i;
    family(page, "segue_handshake_duration_seconds", "histogram",
           "From a command's order until every unit in sync holds it.");
    json_array_foreach(units, i, entry) put_histogram(
        page, "segue_handshake_duration_seconds",
        LABELS("group", status_text_of(entry, "group"), "unit", status_text_of(entry, "name")),
        bounds_of(page), json_object_get(entry, "handshake"));
    family(page, "segue_drive_command_duration_seconds", "histogram",
           "Commands of all drives of a tray.");
    json_array_foreach(loops, i, entry)
        json_object_foreach(json_object_get(entry, "took"), op, inner)
            put_histogram(page, "segue_drive_command_duration_seconds",
                          LABELS("tray", status_text_of(entry, "tray"), "op", op), bounds_of(page),
                          inner);
    json_decref(units);
    json_decref(loops);
}

char *api_metrics_text(const json_t *status, const json_t *answers, const char *version)
{
    char *text = NULL;
    size_t length = 0;
    struct page page = {open_memstream(&text, &length), status, answers};
    if (!page.file)
        return NULL;
    put_health(&page, version);
    put_rows(&page);
    put_pools(&page);
    put_state_sets(&page);
    put_drive_states(&page);
    put_units(&page);
    put_hosts(&page);
    put_volumes(&page);
    put_takeovers(&page);
    put_handshakes(&page);
    if (fclose(page.file) == 0)
        return text;
    free(text);
    return NULL;
}
