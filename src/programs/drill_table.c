/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static void name_of_one(const struct drill_fault *f, char *out, size_t bytes)
{
    static const char *const done[DRILL_FAULT_KINDS] = {
        [DRILL_FAULT_KILL] = "killed",
        [DRILL_FAULT_HANG] = "hung",
        [DRILL_FAULT_RESTART] = "restarted",
    };
    switch (f->kind) {
    case DRILL_FAULT_KILL:
    case DRILL_FAULT_HANG:
    case DRILL_FAULT_RESTART:
        snprintf(out, bytes, "%s %s", *f->role ? f->role : "process", done[f->kind]);
        return;
    case DRILL_FAULT_CUT:
        if (strchr(f->part, '-'))
            snprintf(out, bytes, "link cut");
        else
            snprintf(out, bytes, "%s cut off", *f->role ? f->role : "process");
        return;
    case DRILL_FAULT_PULL:
        snprintf(out, bytes, "drive pulled");
        return;
    case DRILL_FAULT_FULL:
        snprintf(out, bytes, "%s", strcmp(f->role, "module") == 0 ? "register full" : "tray full");
        return;
    case DRILL_FAULT_MOVE:
        snprintf(out, bytes, "planned takeover");
        return;
    case DRILL_FAULT_KINDS:
        break;
    }
    snprintf(out, bytes, "fault");
}

void drill_table_name(const struct drill_plan *plan, uint32_t i, char *out, size_t bytes)
{
    const struct drill_fault *f = &plan->fault[i];
    if (drill_plan_round_end(plan, i) == i + 1) {
        name_of_one(f, out, bytes);
        return;
    }
    const char *a = f[0].role, *b = f[1].role; /* the same name whichever was struck first */
    bool turn = strcmp(a, b) > 0;
    snprintf(out, bytes, "%s and %s at once", turn ? b : a, turn ? a : b);
}

/* ---- figures ---- */

/* One round, in the order of its name and its pause. */
struct round {
    char name[DRILL_TABLE_NAME];
    uint64_t pause_ns, sync_ns, errors, wrong;
};

static int by_pause(const void *a, const void *b)
{
    const struct round *x = a, *y = b;
    return x->pause_ns < y->pause_ns ? -1 : x->pause_ns > y->pause_ns;
}

static int by_name(const void *a, const void *b)
{
    const struct round *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : by_pause(a, b);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Rounds from..to-1 have the name, and their pauses grow. */
static void fill_row(struct drill_table_row *row, const struct round *round, uint32_t count,
                     uint64_t *scratch)
{
    row->count = count;
    row->median_ns = round[(count - 1) / 2].pause_ns;
    row->p99_ns = round[(count * 99 + 99) / 100 - 1].pause_ns; /* the nearest rank */
    row->max_ns = round[count - 1].pause_ns;
    for (uint32_t i = 0; i < count; i++) {
        scratch[i] = round[i].sync_ns;
        row->errors += round[i].errors;
        row->wrong += round[i].wrong;
    }
    qsort(scratch, count, sizeof *scratch, by_number);
    row->sync_median_ns = scratch[(count - 1) / 2];
    row->sync_max_ns = scratch[count - 1];
}

static void make_rows(struct drill_table *t, struct round *round, uint64_t *scratch)
{
    qsort(round, t->rounds, sizeof *round, by_name);
    for (uint32_t from = 0, to; from < t->rounds && t->rows < DRILL_TABLE_ROWS; from = to) {
        to = from;
        while (to < t->rounds && strcmp(round[to].name, round[from].name) == 0)
            to++;
        struct drill_table_row *row = &t->row[t->rows++];
        snprintf(row->name, sizeof row->name, "%s", round[from].name);
        fill_row(row, round + from, to - from, scratch);
    }
    qsort(round, t->rounds, sizeof *round, by_pause);
    snprintf(t->row[t->rows].name, DRILL_TABLE_NAME, "all");
    if (t->rounds)
        fill_row(&t->row[t->rows], round, t->rounds, scratch);
}

bool drill_table_make(struct drill_table *t, const struct drill_plan *plan,
                      const uint64_t *pause_ns)
{
    *t = (struct drill_table){0};
    struct round *round = calloc(plan->count + 1u, sizeof *round);
    uint64_t *scratch = calloc(plan->count + 1u, sizeof *scratch);
    if (!round || !scratch) {
        free(round);
        free(scratch);
        return false;
    }
    for (uint32_t i = 0; i < plan->count; i = drill_plan_round_end(plan, i)) {
        const struct drill_fault *f = &plan->fault[i];
        if (!f->synced_ns)
            continue;
        struct round *at = &round[t->rounds++];
        t->faults += drill_plan_round_end(plan, i) - i;
        drill_table_name(plan, i, at->name, sizeof at->name);
        at->pause_ns = pause_ns[i];
        at->sync_ns = f->synced_ns - f->at_ns;
        at->errors = f->errors;
        at->wrong = f->wrong;
    }
    make_rows(t, round, scratch);
    free(round);
    free(scratch);
    return true;
}

/* ---- telling ---- */

static void row_text(const struct drill_table_row *r, FILE *out)
{
    fprintf(out, "  %-30s %5" PRIu32 " %9.1f %9.1f %9.1f %8.1f %8.1f %7" PRIu64 " %6" PRIu64 "\n",
            r->name, r->count, (double)r->median_ns / 1e6, (double)r->p99_ns / 1e6,
            (double)r->max_ns / 1e6, (double)r->sync_median_ns / 1e9, (double)r->sync_max_ns / 1e9,
            r->errors, r->wrong);
}

void drill_table_text(const struct drill_table *t, FILE *out)
{
    if (!t->rounds)
        return;
    fprintf(out, "\n%" PRIu32 " faults in %" PRIu32 " rounds\n", t->faults, t->rounds);
    fprintf(out, "  %-30s %5s %29s %17s\n", "", "", "longest host pause, ms", "in sync after, s");
    fprintf(out, "  %-30s %5s %9s %9s %9s %8s %8s %7s %6s\n", "", "times", "median", "p99", "max",
            "median", "max", "errors", "wrong");
    for (uint32_t i = 0; i <= t->rows; i++)
        row_text(&t->row[i], out);
}

static json_t *row_json(const struct drill_table_row *r)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", r->name, "count",
                     (json_int_t)r->count, "pause_median_ns", (json_int_t)r->median_ns,
                     "pause_p99_ns", (json_int_t)r->p99_ns, "pause_max_ns", (json_int_t)r->max_ns,
                     "in_sync_median_ns", (json_int_t)r->sync_median_ns, "in_sync_max_ns",
                     (json_int_t)r->sync_max_ns, "host_errors", (json_int_t)r->errors,
                     "blocks_wrong", (json_int_t)r->wrong);
}

json_t *drill_table_json(const struct drill_table *t)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; t->rounds && i <= t->rows; i++)
        json_array_append_new(rows, row_json(&t->row[i]));
    return json_pack("{s:I, s:I, s:o}", "rounds", (json_int_t)t->rounds, "faults",
                     (json_int_t)t->faults, "kinds", rows);
}
