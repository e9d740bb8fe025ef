/* SPDX-License-Identifier: Apache-2.0 */

/* The drill: what a host would see of an array whose parts die. It knows the array only from
 * outside: iSCSI, the management sockets, signals to processes. One thread, one poll(). */

#include "programs/drill.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "programs/drill_log.h"
#include "programs/drill_options.h"
#include "programs/drill_random.h"
#include "programs/drill_report.h"
#include "programs/drill_table.h"

enum { EXIT_ERRORS = 1, EXIT_USAGE = 2, EXIT_REFUSED = 5, EXIT_UNREACHABLE = 7 };
enum { TURN_MS = 2 };

static const uint64_t SECOND = 1000000000u;

struct drill {
    struct drill_options options;
    struct drill_array array;
    struct drill_peers *peers; /* NULL: a target that is no array of ours */
    struct drill_load *load;
    struct drill_report report;
    struct drill_random random; /* its shape is known of any plan (--plan) */
    struct drill_copies *copies;
    FILE *log;                       /* NULL: none */
    uint32_t told_struck, told_over; /* faults of the plan that have been told */
    uint32_t round;                  /* number of the newest */
    struct drill_counts struck;      /* when that struck */
    bool live;                       /* a terminal to draw on */
    uint64_t drawn_ns, drawn_ios;
    char said[100];
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = number;
}

static uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static int say(int code, const char *sentence)
{
    const char *word = code == EXIT_USAGE     ? "USAGE"
                       : code == EXIT_REFUSED ? "REFUSED"
                       : code == EXIT_ERRORS  ? "FAILED"
                                              : "UNREACHABLE";
    fprintf(stderr, "segue: drill: %s   [%s]\n", sentence, word);
    return code;
}

/* ---- what is seen while it runs ---- */

static void clear_line(const struct drill *d)
{
    if (d->live)
        fputs("\r\033[K", stdout);
    fflush(stdout);
}

static void draw(struct drill *d, const char *doing, uint64_t now_ns)
{
    struct drill_counts c;
    if (d->options.json)
        return;
    if (!d->live && *d->options.plan_of && d->round)
        return;     /* each fault has its own line */
    if (!d->live) { /* into a file: a line for each thing that it begins to do */
        size_t length = strcspn(doing, "0123456789");
        if (strncmp(d->said, doing, length + 1) != 0)
            printf("%s\n", doing);
        fflush(stdout);
        snprintf(d->said, sizeof d->said, "%s", doing);
        return;
    }
    if (now_ns < d->drawn_ns + SECOND / 5)
        return;
    drill_load_counts(d->load, &c);
    double seconds = (double)(now_ns - d->drawn_ns) / 1e9;
    uint64_t ios = c.reads + c.writes;
    printf("\r\033[K%-34s %7.0f IOPS  errors %" PRIu64 "  wrong %" PRIu64 "  verified %" PRIu64
           " blocks",
           doing, d->drawn_ns ? (double)(ios - d->drawn_ios) / seconds : 0.0, c.errors, c.wrong,
           c.verified);
    fflush(stdout);
    d->drawn_ns = now_ns;
    d->drawn_ios = ios;
}

/* ---- turning ---- */

/* Waits for whatever comes first, a short time at most, and deals with it. */
static uint64_t turn(struct drill *d)
{
    struct pollfd entries[DRILL_PATHS + DRILL_PEERS_POLL];
    uint32_t paths = d->load ? drill_load_poll(d->load, entries) : 0;
    uint32_t others = d->peers ? drill_peers_poll(d->peers, entries + paths) : 0;
    if (poll(entries, paths + others, TURN_MS) < 0)
        paths = others = 0; /* a signal: what was polled is not known */
    uint64_t now_ns = clock_now();
    if (d->load)
        drill_load_step(d->load, entries, paths, now_ns);
    if (d->peers)
        drill_peers_step(d->peers, entries + paths, others, now_ns);
    return now_ns;
}

/* Turns until the load's mode is over. False: it took too long, or a person stopped it. */
static bool turn_until_over(struct drill *d, enum drill_load_mode mode, const char *doing)
{
    uint64_t limit = clock_now() + 120 * SECOND;
    drill_load_begin(d->load, mode);
    for (;;) {
        uint64_t now_ns = turn(d);
        if (drill_load_is_over(d->load))
            return true;
        if (now_ns > limit || interrupted)
            return false;
        draw(d, doing, now_ns);
    }
}

static void learn_array(struct drill *d)
{
    d->array = (struct drill_array){0};
    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < drill_peers_count(d->peers); i++)
            drill_discover(&d->array, drill_peers_answer(d->peers, i));
}

/* Asks the processes of the array until they have told enough. */
static int find_array(struct drill *d)
{
    char run[256], sentence[600];
    uint64_t begun_ns = clock_now(), asked_ns = 0;
    snprintf(run, sizeof run, "%s/run", d->options.state);
    d->peers = drill_peers_new(run, begun_ns);
    if (!d->peers)
        return say(EXIT_ERRORS, "no memory");
    for (uint64_t now_ns = begun_ns; now_ns < begun_ns + 10 * SECOND && !interrupted;) {
        now_ns = turn(d);
        if (drill_peers_answered(d->peers, begun_ns)) {
            learn_array(d);
            if (d->array.portals && d->array.volumes)
                return 0;
        }
        if (!drill_peers_count(d->peers) && now_ns > begun_ns + SECOND)
            break; /* not even a socket */
        if (now_ns > asked_ns + SECOND / 10)
            drill_peers_ask(d->peers, asked_ns = now_ns);
    }
    if (!drill_peers_count(d->peers))
        snprintf(sentence, sizeof sentence,
                 "no array runs in %s: segue up FILE.yaml, or --state "
                 "DIR",
                 d->options.state);
    else
        snprintf(sentence, sizeof sentence, "the array in %s has %s; see segue status --state %s",
                 d->options.state,
                 d->array.portals ? "no volume with a LUN" : "no portal that answers",
                 d->options.state);
    return say(EXIT_UNREACHABLE, sentence);
}

static int connect_load(struct drill *d)
{
    struct drill_load_config config = {
        .target = d->array.target,
        .portals = d->array.portals,
        .volumes = d->array.volumes,
        .depth = d->options.depth,
        .area_bytes = (uint64_t)d->options.area_mib << 20,
        .read_percent = d->options.read_percent,
        .seed = d->options.seed,
        .run = (uint64_t)time(NULL) << 32 ^ clock_now() ^ (uint64_t)getpid() << 20,
    };
    memcpy(config.portal, d->array.portal, sizeof config.portal);
    for (uint8_t v = 0; v < config.volumes; v++) {
        snprintf(config.volume[v].name, NAME_BYTES, "%s", d->array.volume[v].name);
        config.volume[v].lun = d->array.volume[v].lun;
        config.volume[v].group = d->array.volume[v].group;
    }
    uint64_t now_ns = clock_now(), limit = now_ns + 30 * SECOND;
    d->load = drill_load_new(&config, now_ns);
    if (!d->load)
        return say(EXIT_ERRORS, "no memory");
    while (!drill_load_connected(d->load)) {
        now_ns = turn(d);
        const char *path = drill_load_waiting_for(d->load);
        if (path && (now_ns > limit || interrupted))
            return say(EXIT_UNREACHABLE, path);
        draw(d, "connecting", now_ns);
    }
    const char *problem = drill_load_problem(d->load);
    return problem ? say(EXIT_REFUSED, problem) : 0;
}

/* Nobody's data is written over by mistake: a volume must be empty or a drill's own. */
static int look_first(struct drill *d)
{
    struct drill_counts c;
    if (!turn_until_over(d, DRILL_MODE_SCAN, "reading what is there"))
        return say(EXIT_UNREACHABLE, "the volumes cannot be read");
    drill_load_counts(d->load, &c);
    if (c.foreign && !d->options.overwrite) {
        clear_line(d);
        return say(EXIT_REFUSED,
                   "a volume holds data that no drill has written, and a drill writes "
                   "over it: name other volumes (--volumes), or add --overwrite");
    }
    return 0;
}

/* ---- what strikes, as it does ---- */

static double since_begin_s(const struct drill *d, uint64_t at_ns)
{
    return (double)(at_ns - d->report.begun_ns) / 1e9;
}

static void tell_struck(struct drill *d)
{
    struct drill_plan *plan = &d->options.plan;
    for (; d->told_struck < plan->count && plan->fault[d->told_struck].at_ns; d->told_struck++) {
        const struct drill_fault *f = &plan->fault[d->told_struck];
        if (!f->together) {
            drill_load_counts(d->load, &d->struck);
            d->round++;
        }
        if (d->log)
            drill_log_fault(d->log, f, d->round, d->options.seed, d->report.begun_ns);
    }
}

/* "kill A", "hang B 0.35 s + kill L2". */
static void round_words(const struct drill_plan *plan, uint32_t i, char *out, size_t bytes)
{
    size_t at = 0;
    for (uint32_t f = i; f < drill_plan_round_end(plan, i) && at < bytes; f++) {
        const struct drill_fault *fault = &plan->fault[f];
        bool lasts = fault->kind == DRILL_FAULT_HANG || fault->kind == DRILL_FAULT_CUT ||
                     fault->kind == DRILL_FAULT_PULL || fault->kind == DRILL_FAULT_FULL;
        at += (size_t)snprintf(out + at, bytes - at, "%s%s %s", f > i ? " + " : "",
                               drill_fault_names[fault->kind], fault->part);
        if (lasts && at < bytes)
            at += (size_t)snprintf(out + at, bytes - at, "%s%s %.2f s", *fault->how ? " " : "",
                                   fault->how, (double)fault->length_ns / 1e9);
    }
}

static void tell_round(struct drill *d, uint32_t i)
{
    struct drill_plan *plan = &d->options.plan;
    struct drill_fault *f = &plan->fault[i];
    struct drill_counts now;
    char words[160];
    drill_load_counts(d->load, &now);
    f->errors = now.errors - d->struck.errors;
    f->wrong = now.wrong - d->struck.wrong;
    uint64_t pause_ns = drill_report_pause_ns(&d->report, f);
    if (d->log)
        drill_log_round(d->log, f, d->round, pause_ns, d->report.begun_ns);
    if (d->options.json || !*d->options.plan_of)
        return;
    round_words(plan, i, words, sizeof words);
    clear_line(d);
    printf("%4u %8.1f s  %-44s pause %7.1f ms  in sync after %5.1f s%s\n", d->round,
           since_begin_s(d, f->at_ns), words, (double)pause_ns / 1e6,
           (double)(f->synced_ns - f->at_ns) / 1e9,
           f->wrong    ? "  WRONG BLOCKS"
           : f->errors ? "  HOST ERRORS"
                       : "");
    fflush(stdout);
}

static void follow_plan(struct drill *d)
{
    struct drill_plan *plan = &d->options.plan;
    tell_struck(d);
    while (d->told_over < plan->next) {
        tell_round(d, d->told_over);
        d->told_over = drill_plan_round_end(plan, d->told_over);
    }
}

/* A plan of chance needs to know what may fail; any plan, which drives are copies. */
static int prepare_plan(struct drill *d)
{
    struct drill_plan *plan = &d->options.plan;
    if (!*d->options.plan_of)
        return 0;
    drill_random_init(&d->random, d->options.seed);
    json_t *status = drill_peers_status(d->peers);
    bool known = drill_shape_learn(&d->random.shape, status);
    json_decref(status);
    if (!known)
        return say(EXIT_REFUSED, "the array is not whole, or larger than a plan can be for; see "
                                 "segue status");
    if (strcmp(d->options.plan_of, "random") != 0)
        return 0;
    d->random.wild = d->options.wild;
    snprintf(d->random.kinds, sizeof d->random.kinds, "%s", d->options.kinds);
    if (d->options.seconds_given)
        d->random.calm_ns = plan->calm_ns;
    plan->random = &d->random;
    if (!drill_random_round(&d->random, plan))
        return say(EXIT_REFUSED,
                   "nothing in this array may fail so: it has no second module, switch "
                   "or copy in another process (--wild breaks it anyway)");
    return 0;
}

static void begin_log(const struct drill *d)
{
    const struct drill_log_head head = {.seed = d->options.seed,
                                        .depth = d->options.depth,
                                        .area_mib = d->options.area_mib,
                                        .read_percent = d->options.read_percent};
    if (d->log)
        drill_log_begin(d->log, &head);
    if (*d->options.plan_of && !d->options.json)
        printf("seed %" PRIu64 "\n", d->options.seed);
}

/* The drives are read beneath the array: it must have nothing more to write. */
static bool compare_copies(struct drill *d)
{
    if (!turn_until_over(d, DRILL_MODE_FLUSH, "flushing"))
        return false;
    d->copies = drill_copies_new(&d->random.shape);
    d->report.copies = d->copies;
    for (uint64_t now_ns = turn(d); d->copies && !drill_copies_step(d->copies, now_ns);) {
        now_ns = turn(d);
        draw(d, "comparing the copies", now_ns);
        if (interrupted)
            return false;
    }
    return d->copies != NULL;
}

static void run_plan(struct drill *d)
{
    struct drill_plan *plan = &d->options.plan;
    char doing[80];
    d->report.begun_ns = clock_now();
    drill_load_begin(d->load, DRILL_MODE_MIX);
    drill_plan_begin(plan, d->report.begun_ns);
    while (plan->state != DRILL_PLAN_OVER && plan->state != DRILL_PLAN_FAILED && !interrupted) {
        uint64_t now_ns = turn(d);
        drill_plan_step(plan, d->peers, now_ns);
        follow_plan(d);
        drill_plan_doing(plan, now_ns, doing, sizeof doing);
        draw(d, doing, now_ns);
    }
    drill_plan_release(plan);
    follow_plan(d);
    d->report.finished = turn_until_over(d, DRILL_MODE_IDLE, "ending");
    d->report.ended_ns = clock_now();
}

static int tell(struct drill *d)
{
    if (d->options.json) {
        json_t *json = drill_report_json(&d->report);
        json_dumpf(json, stdout, JSON_INDENT(1));
        fputc('\n', stdout);
        json_decref(json);
    } else {
        clear_line(d);
        drill_report_text(&d->report, stdout);
    }
    fflush(stdout);
    return drill_report_is_good(&d->report) ? 0 : EXIT_ERRORS;
}

static int drill_run(struct drill *d)
{
    char sentence[300];
    bool own = !*d->options.target;
    int code = own ? find_array(d) : 0;
    if (code != 0)
        return code;
    if ((own ? drill_options_choose : drill_options_array)(&d->options, &d->array, sentence,
                                                           sizeof sentence) != 0)
        return say(EXIT_USAGE, sentence);
    code = prepare_plan(d);
    if (code == 0)
        code = connect_load(d);
    if (code == 0)
        code = look_first(d);
    if (code != 0)
        return code;
    d->report = (struct drill_report){.array = &d->array,
                                      .plan = &d->options.plan,
                                      .peers = d->peers,
                                      .load = d->load,
                                      .seed = d->options.seed,
                                      .by_plan = *d->options.plan_of != 0,
                                      .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    begin_log(d);
    run_plan(d);
    if (d->report.finished && !interrupted)
        d->report.finished = turn_until_over(d, DRILL_MODE_VERIFY, "reading everything back");
    bool compare = d->report.by_plan && !d->options.no_compare;
    if (d->report.finished && compare && d->options.plan.state == DRILL_PLAN_OVER)
        d->report.finished = compare_copies(d);
    code = tell(d);
    return interrupted ? 128 + interrupted : code;
}

int drill_main(int argc, char **argv)
{
    struct drill d = {0};
    char sentence[300];
    struct sigaction action = {.sa_handler = interrupt};
    if (drill_options_read(&d.options, argc, argv, sentence, sizeof sentence) != 0)
        return say(EXIT_USAGE, sentence);
    if (d.options.help) {
        fputs(drill_options_help, stdout);
        return 0;
    }
    if (!d.options.seed)
        d.options.seed = (clock_now() ^ (uint64_t)getpid() << 20) % 1000000000u + 1;
    if (*d.options.log && !(d.log = fopen(d.options.log, "we"))) {
        snprintf(sentence, sizeof sentence, "--log %.150s: %s", d.options.log, strerror(errno));
        return say(EXIT_USAGE, sentence);
    }
    setlocale(LC_CTYPE, "");
    d.live = !d.options.json && isatty(STDOUT_FILENO);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int code = drill_run(&d);
    drill_load_free(d.load);
    drill_peers_free(d.peers);
    drill_copies_free(d.copies);
    drill_plan_free(&d.options.plan);
    if (d.log && fclose(d.log) != 0)
        code = say(EXIT_ERRORS, "the log could not be written to its end");
    return code;
}
