/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "programs/drill_plot.h"
#include "programs/drill_table.h"

static const uint64_t MILLISECOND = 1000000u;

enum { BEFORE_MS = 100, STEP_MS = DRILL_STEP_NS / 1000000 };

const char *const drill_phase_names[DRILL_PHASES] = {"suspect", "claim", "fence", "adopt", "serve"};

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double after_ms(uint64_t from_ns, uint64_t ns)
{
    return (double)(int64_t)(ns - from_ns) / 1e6;
}

/* ---- what the processes said ---- */

static void take_phase(const struct drill_event *e, struct drill_takeover *t)
{
    char phase[16], of[sizeof t->of];
    if (!drill_event_value(e->text, "phase", phase, sizeof phase))
        return;
    if (drill_event_value(e->text, "of", of, sizeof of)) { /* a primary suspects a secondary */
        if (!t->suspect_ns) {
            t->suspect_ns = e->time_ns;
            memcpy(t->of, of, sizeof t->of);
        }
        return;
    }
    for (int i = 0; i < DRILL_PHASES; i++) {
        if (strcmp(phase, drill_phase_names[i]) != 0 || t->phase_ns[i])
            continue;
        t->found = true;
        t->phase_ns[i] = e->time_ns;
        /* the unit that claimed is the one that took over; others may have suspected too */
        if (i == 0 && *t->unit)
            continue;
        drill_event_value(e->text, "unit", t->unit, sizeof t->unit);
        drill_event_value(e->text, "epoch", t->epoch, sizeof t->epoch);
        drill_event_value(e->text, "cause", t->cause, sizeof t->cause);
    }
}

/* After a primary has suspected a member: it is primary in a new epoch. */
static void take_role(const struct drill_event *e, struct drill_takeover *t)
{
    char state[16];
    if (t->alone || !t->suspect_ns || e->time_ns < t->suspect_ns ||
        !drill_event_value(e->text, "state", state, sizeof state) || strcmp(state, "primary") != 0)
        return;
    t->alone = true;
    t->alone_ns = e->time_ns;
    if (!*t->unit)
        drill_event_value(e->text, "unit", t->unit, sizeof t->unit);
}

void drill_report_takeover(const struct drill_report *r, int group, uint64_t from_ns,
                           uint64_t to_ns, struct drill_takeover *out)
{
    *out = (struct drill_takeover){0};
    for (size_t i = 0; i < drill_peers_events(r->peers); i++) {
        const struct drill_event *e = drill_peers_event(r->peers, i);
        char name[16];
        if (e->time_ns < from_ns || e->time_ns > to_ns ||
            !drill_event_value(e->text, "group", name, sizeof name) ||
            drill_discover_group(r->array, name) != group)
            continue;
        if (strncmp(e->text, "takeover ", 9) == 0)
            take_phase(e, out);
        else if (strncmp(e->text, "role ", 5) == 0)
            take_role(e, out);
    }
}

/* ---- times ---- */

/* Until the fault is over: SIGCONT, or the new process answers. */
static uint64_t fault_end(const struct drill_report *r, const struct drill_fault *f)
{
    if (f->kind == DRILL_FAULT_MOVE && f->synced_ns)
        return f->synced_ns;
    return f->back_ns ? f->back_ns : r->ended_ns;
}

static uint64_t return_end(const struct drill_report *r, const struct drill_fault *f)
{
    return f->synced_ns ? f->synced_ns : r->ended_ns;
}

static uint64_t pause_ns(const struct drill_report *r, int group, uint64_t from, uint64_t to)
{
    return drill_series_longest_ns(drill_load_series(r->load), group, from, to);
}

/* What was usual: the longest that ended in the second before. */
static uint64_t before_ns(const struct drill_report *r, int group, const struct drill_fault *f)
{
    return drill_series_longest_ended_ns(drill_load_series(r->load), group,
                                         f->at_ns - 1000 * MILLISECOND, f->at_ns);
}

uint64_t drill_report_pause_ns(const struct drill_report *r, const struct drill_fault *f)
{
    return pause_ns(r, -1, f->at_ns, return_end(r, f));
}

static bool group_is_loaded(const struct drill_report *r, int group)
{
    for (uint8_t v = 0; v < r->array->volumes; v++)
        if (r->array->volume[v].group == group)
            return true;
    return false;
}

bool drill_report_is_good(const struct drill_report *r)
{
    struct drill_counts c;
    drill_load_counts(r->load, &c);
    return r->finished && !c.errors && !c.wrong && r->plan->state == DRILL_PLAN_OVER &&
           !(r->copies && drill_copies_differ(r->copies));
}

/* ---- for people ---- */

static void group_plot(const struct drill_report *r, const struct drill_fault *f, int group,
                       FILE *out)
{
    uint32_t values[DRILL_PLOT_COLUMNS];
    for (int c = 0; c < DRILL_PLOT_COLUMNS; c++)
        values[c] = drill_series_ended(drill_load_series(r->load), group, f->at_ns,
                                       c - BEFORE_MS / STEP_MS);
    fprintf(out, "\n  group %s: commands that ended in each %d ms\n", r->array->group[group],
            STEP_MS);
    drill_plot(out, values, r->utf8);
    drill_plot_axis(out, -BEFORE_MS, STEP_MS, r->utf8);
}

static void group_phases(const struct drill_report *r, const struct drill_fault *f, int group,
                         FILE *out)
{
    struct drill_takeover t;
    drill_report_takeover(r, group, f->at_ns, return_end(r, f), &t);
    fprintf(out, "    ");
    if (t.found) {
        fprintf(out, "%s takes over:", t.unit);
        for (int i = 0; i < DRILL_PHASES; i++)
            if (t.phase_ns[i])
                fprintf(out, "  %s %.1f", drill_phase_names[i], after_ms(f->at_ns, t.phase_ns[i]));
        fprintf(out, " ms (epoch %s%s%s)\n", t.epoch, *t.cause ? ", " : "", t.cause);
    } else if (t.alone) {
        fprintf(out, "%s stays in charge:  suspect %.1f  without %s %.1f ms\n", t.unit,
                after_ms(f->at_ns, t.suspect_ns), t.of, after_ms(f->at_ns, t.alone_ns));
    } else {
        fprintf(out, "nobody had to take over\n");
    }
    fprintf(out,
            "    longest host pause %.1f ms (in the second before: %.1f ms; while it came "
            "back: %.1f ms)\n",
            ms(pause_ns(r, group, f->at_ns, fault_end(r, f))), ms(before_ns(r, group, f)),
            ms(pause_ns(r, group, fault_end(r, f), return_end(r, f))));
}

static void fault_text(const struct drill_report *r, const struct drill_fault *f, uint32_t number,
                       FILE *out)
{
    fprintf(out, "\n%s %u: %s ", f->kind == DRILL_FAULT_MOVE ? "planned takeover" : "fault", number,
            f->part);
    if (f->kind == DRILL_FAULT_KILL)
        fprintf(out, "killed (SIGKILL to process %d)\n", f->pid);
    else if (f->kind == DRILL_FAULT_MOVE)
        fprintf(out, "(segue group move)\n");
    else
        fprintf(out, "hung for %.1f s (SIGSTOP to process %d)\n",
                ms(fault_end(r, f) - f->at_ns) / 1e3, f->pid);
    for (int g = 0; g < DRILL_GROUPS; g++) {
        if (!group_is_loaded(r, g))
            continue;
        group_plot(r, f, g, out);
        group_phases(r, f, g, out);
    }
    if (f->synced_ns)
        fprintf(out, "\n  everything in sync again %.1f s after %s\n",
                ms(f->synced_ns - (f->kind == DRILL_FAULT_HANG ? f->back_ns : f->at_ns)) / 1e3,
                f->kind == DRILL_FAULT_KILL   ? "the kill"
                : f->kind == DRILL_FAULT_HANG ? "it went on"
                                              : "the command");
    else
        fprintf(out, "\n  NOT in sync again\n");
}

static void retries_text(const struct drill_counts *c, FILE *out)
{
    struct {
        uint64_t count;
        const char *what;
    } rows[] = {
        {c->attentions, "after a unit attention"},
        {c->busy, "after BUSY"},
        {c->aborted, "after ABORTED COMMAND"},
        {c->lost, "through another path"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].count)
            fprintf(out, "  sent again %s: %" PRIu64 "\n", rows[i].what, rows[i].count);
    if (c->path_drops)
        fprintf(out,
                "  paths lost and found again: %" PRIu64 " (without an answer to a ping: %" PRIu64
                ")\n",
                c->path_drops, c->ping_drops);
}

/* A unit took over, or dropped a member, that no fault of the plan had hit. */
static bool is_unasked(const struct drill_report *r, const struct drill_event *e)
{
    char phase[16];
    if (strncmp(e->text, "takeover ", 9) != 0 || e->time_ns < r->begun_ns ||
        e->time_ns > r->ended_ns || !drill_event_value(e->text, "phase", phase, sizeof phase) ||
        strcmp(phase, "suspect") != 0)
        return false;
    for (uint32_t i = 0; i < r->plan->count; i++) {
        const struct drill_fault *f = &r->plan->fault[i];
        if (f->at_ns && e->time_ns >= f->at_ns && e->time_ns <= return_end(r, f))
            return false;
    }
    return true;
}

static uint32_t unasked(const struct drill_report *r, FILE *out)
{
    uint32_t count = 0;
    for (size_t i = 0; r->peers && i < drill_peers_events(r->peers); i++) {
        const struct drill_event *e = drill_peers_event(r->peers, i);
        if (is_unasked(r, e) && ++count <= 5 && out)
            fprintf(out, "  %.1f s after the begin, without a fault of the plan: %s\n",
                    after_ms(r->begun_ns, e->time_ns) / 1e3, e->text);
    }
    return count;
}

static bool make_table(const struct drill_report *r, struct drill_table *table)
{
    uint64_t *pauses = calloc(r->plan->count + 1u, sizeof *pauses);
    if (!pauses)
        return false;
    for (uint32_t i = 0; i < r->plan->count && r->plan->fault[i].at_ns; i++)
        pauses[i] = drill_report_pause_ns(r, &r->plan->fault[i]);
    bool made = drill_table_make(table, r->plan, pauses);
    free(pauses);
    return made;
}

static void faults_text(const struct drill_report *r, FILE *out)
{
    struct drill_table table;
    if (r->by_plan && make_table(r, &table))
        drill_table_text(&table, out);
    for (uint32_t i = 0; !r->by_plan && i < r->plan->count && r->plan->fault[i].at_ns; i++)
        fault_text(r, &r->plan->fault[i], i + 1, out);
}

static void copies_text(const struct drill_report *r, FILE *out)
{
    const char *line = r->copies ? drill_copies_problem(r->copies) : NULL;
    if (!r->copies)
        return;
    fprintf(out,
            "copies of mirrored drives compared: %" PRIu64 " MiB, places that differ %" PRIu64 "\n",
            drill_copies_bytes(r->copies) >> 20, drill_copies_differ(r->copies));
    if (line)
        fprintf(out, "  %s\n", line);
    for (uint32_t i = 0; (line = drill_copies_complaint(r->copies, i)); i++)
        fprintf(out, "  %s\n", line);
}

void drill_report_text(const struct drill_report *r, FILE *out)
{
    struct drill_counts c;
    drill_load_counts(r->load, &c);
    faults_text(r, out);
    double seconds = ms(r->ended_ns - r->begun_ns) / 1e3;
    fprintf(out,
            "\n%" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " flushes in %.1f s: %.0f IOPS, "
            "%.0f MiB/s\n",
            c.reads, c.writes, c.flushes, seconds,
            (double)(c.reads + c.writes) / (seconds > 0 ? seconds : 1),
            (double)c.bytes / 1048576 / (seconds > 0 ? seconds : 1));
    retries_text(&c, out);
    unasked(r, out);
    fprintf(out, "blocks verified %" PRIu64 ", wrong %" PRIu64 "   host errors %" PRIu64 "%s\n",
            c.verified, c.wrong, c.errors,
            r->finished ? "   all read back through every path" : "");
    copies_text(r, out);
    const char *line;
    for (uint32_t i = 0; (line = drill_load_complaint(r->load, i)); i++)
        fprintf(out, "  %s\n", line);
    if (r->plan->state == DRILL_PLAN_FAILED)
        fprintf(out, "  %s\n", r->plan->why);
    fprintf(out, "%s\n", drill_report_is_good(r) ? "PASSED" : "FAILED");
}

/* ---- for machines ---- */

struct figure {
    const char *key;
    uint64_t value;
};

static void set_figures(json_t *object, const struct figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, figures[i].key, json_integer((json_int_t)figures[i].value));
}

static json_t *group_json(const struct drill_report *r, const struct drill_fault *f, int group)
{
    struct drill_takeover t;
    drill_report_takeover(r, group, f->at_ns, return_end(r, f), &t);
    const struct figure figures[] = {
        {"suspect_member_ns", t.suspect_ns ? t.suspect_ns - f->at_ns : 0},
        {"alone_ns", t.alone ? t.alone_ns - f->at_ns : 0},
        {"longest_pause_ns", pause_ns(r, group, f->at_ns, fault_end(r, f))},
        {"longest_pause_before_ns", before_ns(r, group, f)},
        {"longest_pause_return_ns", pause_ns(r, group, fault_end(r, f), return_end(r, f))},
    };
    json_t *phases = json_object(), *ended = json_array();
    for (int i = 0; i < DRILL_PHASES; i++)
        if (t.phase_ns[i])
            json_object_set_new(phases, drill_phase_names[i],
                                json_integer((json_int_t)(t.phase_ns[i] - f->at_ns)));
    for (int c = 0; c < DRILL_PLOT_COLUMNS; c++)
        json_array_append_new(ended,
                              json_integer(drill_series_ended(drill_load_series(r->load), group,
                                                              f->at_ns, c - BEFORE_MS / STEP_MS)));
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:s, s:o, s:o}", "group", r->array->group[group],
                  "takeover", t.found, "unit", t.unit, "epoch", t.epoch, "cause", t.cause,
                  "phases_ns", phases, "ended_per_10ms", ended);
    set_figures(object, figures, sizeof figures / sizeof figures[0]);
    return object;
}

static json_t *fault_json(const struct drill_report *r, const struct drill_fault *f)
{
    const struct figure figures[] = {
        {"pid", (uint64_t)f->pid},
        {"at_ns", f->at_ns - r->begun_ns},
        {"calm_ns", f->calm_ns},
        {"length_ns", f->length_ns},
        {"host_errors", f->errors},
        {"blocks_wrong", f->wrong},
        {"back_ns", f->back_ns ? f->back_ns - f->at_ns : 0},
        {"in_sync_ns", f->synced_ns ? f->synced_ns - f->at_ns : 0},
    };
    json_t *groups = json_array();
    for (int g = 0; g < DRILL_GROUPS; g++)
        if (group_is_loaded(r, g))
            json_array_append_new(groups, group_json(r, f, g));
    json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "kind", drill_fault_names[f->kind], "part",
                               f->part, "process", f->process, "groups", groups);
    set_figures(object, figures, sizeof figures / sizeof figures[0]);
    json_object_set_new(object, "together", json_boolean(f->together));
    if (*f->how)
        json_object_set_new(object, "how", json_string(f->how));
    return object;
}

static json_t *copies_json(const struct drill_report *r)
{
    if (!r->copies)
        return json_null();
    const char *line = drill_copies_problem(r->copies);
    json_t *places = json_array();
    json_t *object = json_pack(
        "{s:I, s:I, s:o, s:s?}", "bytes", (json_int_t)drill_copies_bytes(r->copies), "differ",
        (json_int_t)drill_copies_differ(r->copies), "places", places, "not_compared", line);
    for (uint32_t i = 0; (line = drill_copies_complaint(r->copies, i)); i++)
        json_array_append_new(places, json_string(line));
    return object;
}

static void add_plan(const struct drill_report *r, json_t *object)
{
    struct drill_table table;
    json_object_set_new(object, "seed", json_integer((json_int_t)r->seed));
    json_object_set_new(object, "copies", copies_json(r));
    if (make_table(r, &table))
        json_object_set_new(object, "pauses", drill_table_json(&table));
}

json_t *drill_report_json(const struct drill_report *r)
{
    struct drill_counts c;
    drill_load_counts(r->load, &c);
    const struct figure figures[] = {
        {"duration_ns", r->ended_ns - r->begun_ns},
        {"reads", c.reads},
        {"writes", c.writes},
        {"flushes", c.flushes},
        {"bytes", c.bytes},
        {"blocks_verified", c.verified},
        {"blocks_wrong", c.wrong},
        {"host_errors", c.errors},
        {"sent_again_attention", c.attentions},
        {"sent_again_busy", c.busy},
        {"sent_again_aborted", c.aborted},
        {"sent_again_path", c.lost},
        {"paths_lost", c.path_drops},
        {"paths_without_answer", c.ping_drops},
        {"suspicions_without_fault", unasked(r, NULL)},
    };
    json_t *faults = json_array(), *complaints = json_array();
    for (uint32_t i = 0; i < r->plan->count && r->plan->fault[i].at_ns; i++)
        json_array_append_new(faults, fault_json(r, &r->plan->fault[i]));
    const char *line;
    for (uint32_t i = 0; (line = drill_load_complaint(r->load, i)); i++)
        json_array_append_new(complaints, json_string(line));
    if (r->plan->state == DRILL_PLAN_FAILED)
        json_array_append_new(complaints, json_string(r->plan->why));
    json_t *object =
        json_pack("{s:b, s:b, s:o, s:o}", "passed", drill_report_is_good(r), "all_read_back",
                  r->finished, "faults", faults, "complaints", complaints);
    set_figures(object, figures, sizeof figures / sizeof figures[0]);
    add_plan(r, object);
    return object;
}
