/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_series.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "manage/status_json.h"

enum { OPS = 2 };
static const char *const ops[OPS] = {"read", "write"};

struct counted {
    double at_s;
    uint64_t count[OPS], bytes[OPS];
    struct histogram took; /* reads and writes of all volumes, at all switches */
};

struct series {
    struct counted last;
    bool begun;
    json_t *samples; /* at most SERIES_SECONDS */
};

struct series *series_new(void)
{
    struct series *series = calloc(1, sizeof *series);
    if (series)
        series->samples = json_array();
    return series;
}

void series_free(struct series *series)
{
    if (series)
        json_decref(series->samples);
    free(series);
}

static void add_volume(struct counted *to, const json_t *volume)
{
    const json_t *took = json_object_get(volume, "took");
    to->bytes[0] += status_number_of(volume, "read_bytes");
    to->bytes[1] += status_number_of(volume, "written_bytes");
    for (int op = 0; op < OPS; op++) {
        const json_t *counts = json_object_get(json_object_get(took, ops[op]), "counts");
        for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
            uint64_t n = (uint64_t)json_integer_value(json_array_get(counts, i));
            to->took.count[i] += n;
            to->count[op] += n;
        }
    }
}

static void gather(struct counted *to, const json_t *answers)
{
    size_t a, s, v;
    json_t *answer, *entry, *volume;
    json_array_foreach(answers, a, answer)
        json_array_foreach(json_object_get(answer, "switches"), s, entry)
            json_array_foreach(json_object_get(entry, "volumes"), v, volume) add_volume(to, volume);
}

/* Anything less than before: a switch has begun a new life. */
static bool difference(const struct counted *now, const struct counted *before, struct counted *out)
{
    out->at_s = now->at_s - before->at_s;
    bool good = out->at_s > 0;
    for (int op = 0; op < OPS; op++) {
        good = good && now->count[op] >= before->count[op] && now->bytes[op] >= before->bytes[op];
        out->count[op] = now->count[op] - before->count[op];
        out->bytes[op] = now->bytes[op] - before->bytes[op];
    }
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        good = good && now->took.count[i] >= before->took.count[i];
        out->took.count[i] = now->took.count[i] - before->took.count[i];
    }
    return good;
}

/* The upper end of the class in which that part of the commands was over, in ms; null: there were
 * none. */
static json_t *quantile(const struct histogram *h, double part)
{
    uint64_t total = histogram_total(h), so_far = 0;
    if (!total)
        return json_null();
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        so_far += h->count[i];
        if ((double)so_far >= part * (double)total)
            return json_real((double)histogram_bound_ns(i) / 1e6);
    }
    return json_null();
}

const json_t *series_take(struct series *series, const json_t *answers, const char *time,
                          double now_s)
{
    struct counted now = {.at_s = now_s}, second = {0};
    gather(&now, answers);
    bool good = series->begun && difference(&now, &series->last, &second);
    series->last = now;
    series->begun = true;
    if (!good)
        return NULL;
    json_t *sample = json_pack(
        "{s:s, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "time", time, "reads",
        (double)second.count[0] / second.at_s, "writes", (double)second.count[1] / second.at_s,
        "read_bytes", (double)second.bytes[0] / second.at_s, "written_bytes",
        (double)second.bytes[1] / second.at_s, "p50_ms", quantile(&second.took, 0.5), "p99_ms",
        quantile(&second.took, 0.99), "longest_ms", quantile(&second.took, 1.0));
    if (json_array_size(series->samples) == SERIES_SECONDS)
        json_array_remove(series->samples, 0);
    json_array_append_new(series->samples, sample);
    return sample;
}

json_t *series_all(const struct series *series)
{
    return json_copy(series->samples);
}
