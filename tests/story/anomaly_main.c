/* SPDX-License-Identifier: Apache-2.0 */
/* anomaly_test: every story again with its n-th action going wrong, in each mode, for every n.
 *
 * One process tells the story as it is, and becomes two at each action that is chosen: in the child
 * it goes wrong there. So a case costs what is left of the story, and any case that is repeated
 * from the same seed is the same, whatever else is chosen. */
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/story/stories.h"

enum {
    JOBS_MAX = 64,
    KINDS_MAX = 200,
    SENTENCE = 400,
    CPU_SECONDS = 120,
    ROUTINE = 64,
    TAKEN_DOWN = 16 /* one of so many arrays is taken down at the end, and has to give back all */
};

static const char usage[] =
    "usage: anomaly_test [PATTERN...] [options]\n"
    "  --each N         of each story and each kind of action in it, N cases by chance, in modes "
    "by\n"
    "                   chance (default: 1; without a PATTERN not of stories that last minutes)\n"
    "  --every K        instead: one case of K, by chance; 1: all. An availability signal that\n"
    "                   follows another one with nothing in between is one more moment of the "
    "same\n"
    "                   state: of these, one case of K times --routine\n"
    "  --routine R      ... (default 64; with --every 1 --routine 1: every n)\n"
    "  --sample S       which ones: another S, others (default: another one each time)\n"
    "  --seed N         of the simulated world (default 1)\n"
    "  --mode MODE      once, always, hang, hang-always, crash, crash-before (default: each)\n"
    "  --from N --to N  only actions from number N to number N\n"
    "  --jobs N         so many cases at a time (default 1)\n"
    "  --seconds N      begins no more cases after so long\n"
    "  --trace          prints everything that everybody said, for one case\n"
    "  --list           only counts the actions of each story, and of each kind\n";

/* A case under way in a child, or free. */
struct job {
    pid_t pid;
    int output;
    uint64_t number;
    enum anomaly_mode mode;
};

/* Failures that are alike but for their numbers. */
struct kind {
    char sentence[SENTENCE];
    uint32_t count;
    char first[SENTENCE]; /* the command that repeats it */
};

static struct {
    /* what was asked for */
    const char *patterns[128];
    int pattern_count;
    uint64_t each, every, routine, sample, seed, from, to, seconds;
    int jobs, mode;
    bool trace, list;
    /* how it goes */
    const struct tale *tale;
    struct story story;
    struct job job[JOBS_MAX];
    int running;
    bool child;
    bool counting; /* the story is told without an anomaly, to see what is in it */
    uint32_t count[ANOMALY_KINDS], seen[ANOMALY_KINDS], total[ANOMALY_KINDS];
    jmp_buf next; /* where to go on when the story itself fails */
    uint64_t cases, failures, begun_s;
    uint64_t all, all_routine; /* cases that there are */
    struct kind kind[KINDS_MAX];
    int kinds;
} run = {.routine = ROUTINE, .seed = 1, .from = 1, .to = UINT64_MAX, .jobs = 1, .mode = -1};

static uint64_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* ---- failures ---- */

static void alike(char *out, const char *sentence)
{
    uint32_t at = 0;
    for (const char *c = sentence; *c && at + 1 < SENTENCE; c++) {
        bool digit = *c >= '0' && *c <= '9';
        if (!digit || at == 0 || out[at - 1] != '#')
            out[at++] = digit ? '#' : *c;
    }
    out[at] = 0;
}

static void note_failure(const char *sentence, const char *command)
{
    char plain_sentence[SENTENCE];
    const char *what = strstr(sentence, " ms: ");
    alike(plain_sentence, what ? what + 5 : sentence);
    int i = 0;
    while (i < run.kinds && strcmp(run.kind[i].sentence, plain_sentence) != 0)
        i++;
    if (i == run.kinds && i < KINDS_MAX) {
        run.kinds++;
        snprintf(run.kind[i].sentence, SENTENCE, "%s", plain_sentence);
        snprintf(run.kind[i].first, SENTENCE, "%s", command);
    }
    if (i < KINDS_MAX)
        run.kind[i].count++;
}

/* The last line with text that the child printed, or the promise that it broke. */
static void sentence_of(int fd, char *out)
{
    static char text[1 << 20];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    char *promise = strstr(text, "broken promise: ");
    char *line = promise ? promise : strrchr(text, '\n');
    if (!promise && line) {
        *line = 0;
        line = strrchr(text, '\n');
        line = line ? line + 1 : text;
    }
    snprintf(out, SENTENCE, "%.*s", (int)strcspn(line ? line : text, "\n"), line ? line : text);
}

static void judge(struct job *job, int status)
{
    char sentence[SENTENCE] = "", command[SENTENCE];
    run.cases++;
    run.running--;
    job->pid = 0;
    if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        run.failures++;
        if (job->output >= 0)
            sentence_of(job->output, sentence);
        if (WIFSIGNALED(status) && !strstr(sentence, "broken promise"))
            snprintf(sentence, sizeof sentence, "killed by signal %d", WTERMSIG(status));
        snprintf(
            command, sizeof command,
            "anomaly_test %s --seed %llu --mode %s --from %llu --to %llu --every 1 --routine 1 "
            "--trace",
            run.tale->name, (unsigned long long)run.seed, anomaly_mode_name(job->mode),
            (unsigned long long)job->number, (unsigned long long)job->number);
        printf("FAILED %s\n       %s\n", command, sentence);
        fflush(stdout);
        note_failure(sentence, command);
    }
    if (job->output >= 0)
        close(job->output);
}

static void reap(int leave)
{
    while (run.running > leave) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        for (int i = 0; i < JOBS_MAX; i++)
            if (run.job[i].pid && run.job[i].pid == pid)
                judge(&run.job[i], status);
    }
}

/* ---- a case ---- */

static void become_child(const struct job *job)
{
    struct rlimit limit = {CPU_SECONDS, CPU_SECONDS}; /* a machine that runs for ever */
    setrlimit(RLIMIT_CPU, &limit);
    run.child = true;
    run.story.left_standing = !run.trace && job->number % TAKEN_DOWN != 0;
    if (job->output < 0)
        return;
    dup2(job->output, STDOUT_FILENO);
    dup2(job->output, STDERR_FILENO);
}

static bool strike_here(uint64_t number, enum anomaly_mode mode)
{
    reap(run.jobs - 1);
    struct job *job = run.job;
    while (job->pid)
        job++;
    *job = (struct job){.output = -1, .number = number, .mode = mode};
    fflush(stdout);
    if (!run.trace)
        job->output = memfd_create("case", 0);
    job->pid = fork();
    if (job->pid < 0) {
        perror("anomaly_test: fork");
        exit(2);
    }
    if (job->pid == 0) {
        become_child(job);
        return true;
    }
    run.running++;
    if (run.trace) {
        reap(0);
        exit(run.failures ? 1 : 0);
    }
    return false;
}

/* Chance that is the same for this story and sample, whatever else is asked for. */
static struct random chance(uint64_t number)
{
    struct random random = {run.sample + number};
    for (const char *c = run.tale->name; *c; c++)
        random.state = random.state * 1099511628211u + (uint8_t)*c;
    random_next(&random);
    return random;
}

/* Not dying before what is not the first of its step: it is the death after the one before it. */
static bool differs(const struct anomaly_action *action, int mode)
{
    return mode != ANOMALY_CRASH_BEFORE || action->begins;
}

static bool chosen(const struct anomaly_action *action, int mode)
{
    struct random random = chance(action->number * (uint64_t)ANOMALY_MODES + (uint64_t)mode);
    return random_below(&random, run.every * (action->routine ? run.routine : 1)) == 0;
}

/* The n-th of each kind, one mode: n and the mode by chance. */
static bool chosen_of_kind(const struct anomaly_action *action, int mode)
{
    uint32_t n = run.seen[action->kind];
    for (uint64_t i = 0; i < run.each; i++) {
        struct random random = chance((uint64_t)action->kind * 1000 + i);
        if (random_below(&random, run.count[action->kind]) != n)
            continue;
        int drawn = (int)random_below(&random, ANOMALY_MODES);
        if (mode == (differs(action, drawn) ? drawn : ANOMALY_CRASH))
            return true;
    }
    return false;
}

static bool asked_for(const struct anomaly_action *action, int mode)
{
    if ((run.mode >= 0 && mode != run.mode) || action->number < run.from ||
        action->number > run.to || !differs(action, mode))
        return false;
    if (run.seconds && seconds_now() - run.begun_s >= run.seconds)
        return false;
    return run.every ? chosen(action, mode) : chosen_of_kind(action, mode);
}

static uint64_t counted;

static enum anomaly_mode choose(void *context, const struct anomaly_action *action)
{
    (void)context;
    if (run.child)
        return ANOMALY_NONE;
    counted = action->number;
    for (int mode = 0; !run.counting && mode < ANOMALY_MODES; mode++)
        if (asked_for(action, mode) && strike_here(action->number, (enum anomaly_mode)mode))
            return (enum anomaly_mode)mode;
    for (int mode = 0; run.counting && mode < ANOMALY_MODES; mode++)
        *(action->routine ? &run.all_routine : &run.all) += differs(action, mode);
    run.count[action->kind] += run.counting;
    run.seen[action->kind]++;
    return ANOMALY_NONE;
}

static void tale_fails(const char *sentence)
{
    fflush(stdout);
    if (run.child) /* it is printed */
        _exit(1);
    reap(0);
    run.failures++;
    run.cases++;
    note_failure(sentence, "without an anomaly");
    longjmp(run.next, 1);
}

static void tell_once(const struct tale *tale, bool counting)
{
    run.counting = counting;
    memset(run.seen, 0, sizeof run.seen);
    tale_begin(tale, &run.story, run.seed, run.trace && !counting ? 2 : 0);
    story_tell_with_anomaly(&run.story, tale->tell, choose, NULL);
}

static void list(const struct tale *tale)
{
    char name[80];
    printf("%8llu %s\n", (unsigned long long)counted, tale->name);
    for (int kind = 0; kind < ANOMALY_KINDS; kind++) {
        run.total[kind] += run.count[kind];
        anomaly_kind_name(kind, name, sizeof name);
        if (run.count[kind] && run.pattern_count)
            printf("         %8u %s\n", run.count[kind], name);
    }
}

static void tell(const struct tale *tale)
{
    uint64_t cases = run.cases, failures = run.failures;
    run.tale = tale;
    memset(run.count, 0, sizeof run.count);
    if (!run.every || run.list)
        tell_once(tale, true);
    if (!run.list)
        tell_once(tale, false);
    if (run.child) {
        fflush(stdout);
        _exit(0);
    }
    reap(0);
    if (run.list)
        list(tale);
    else if (run.pattern_count || run.every)
        printf("%s: %llu actions, %llu cases, %llu failed\n", tale->name,
               (unsigned long long)counted, (unsigned long long)(run.cases - cases),
               (unsigned long long)(run.failures - failures));
    fflush(stdout);
}

/* ---- the command line ---- */

static bool option(int argc, char **argv, int *i, const char *name, uint64_t *value)
{
    if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
        return false;
    *value = strtoull(argv[++*i], NULL, 10);
    return true;
}

static int mode_of(const char *word)
{
    for (int mode = 0; mode < ANOMALY_MODES; mode++)
        if (strcmp(anomaly_mode_name((enum anomaly_mode)mode), word) == 0)
            return mode;
    return -1;
}

static bool parse(int argc, char **argv)
{
    uint64_t jobs = 1;
    for (int i = 1; i < argc; i++) {
        if (option(argc, argv, &i, "--each", &run.each) ||
            option(argc, argv, &i, "--every", &run.every) ||
            option(argc, argv, &i, "--routine", &run.routine) ||
            option(argc, argv, &i, "--sample", &run.sample) ||
            option(argc, argv, &i, "--seed", &run.seed) ||
            option(argc, argv, &i, "--from", &run.from) ||
            option(argc, argv, &i, "--to", &run.to) ||
            option(argc, argv, &i, "--seconds", &run.seconds) ||
            option(argc, argv, &i, "--jobs", &jobs))
            continue;
        if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc && mode_of(argv[i + 1]) >= 0)
            run.mode = mode_of(argv[++i]);
        else if (strcmp(argv[i], "--trace") == 0)
            run.trace = true;
        else if (strcmp(argv[i], "--list") == 0)
            run.list = true;
        else if (argv[i][0] != '-' && run.pattern_count < 128)
            run.patterns[run.pattern_count++] = argv[i];
        else
            return false;
    }
    run.jobs = (int)jobs;
    if (run.every == 0 && run.each == 0)
        run.each = 1;
    return run.routine > 0 && jobs > 0 && jobs <= JOBS_MAX;
}

static const char *const long_stories[] = {"host_that_sends_a_byte_a_second",
                                           "switch_stopped_for_30_s_reads_an_old_write"};

static bool wanted(const char *name)
{
    for (int i = 0; i < run.pattern_count; i++)
        if (fnmatch(run.patterns[i], name, 0) == 0)
            return true;
    /* minutes: a case of it costs as much as a hundred of the others */
    bool lasts = false;
    for (size_t i = 0; i < sizeof long_stories / sizeof long_stories[0]; i++)
        lasts |= strcmp(long_stories[i], name) == 0;
    return run.pattern_count == 0 && (!lasts || run.every == 1 || run.list);
}

static void print_sample(void)
{
    const char *one_in = run.every ? "one case of" : "cases of each kind of action:";
    printf("seed %llu, %s %llu, sample %llu\n", (unsigned long long)run.seed, one_in,
           (unsigned long long)(run.every ? run.every : run.each), (unsigned long long)run.sample);
    fflush(stdout);
}

static void print_kinds(void)
{
    char name[80];
    for (int k = 0; k < run.kinds; k++)
        printf("%6u times: %s\n              %s\n", run.kind[k].count, run.kind[k].sentence,
               run.kind[k].first);
    if (run.list)
        printf("%8llu cases, and %llu of signals after signals\n", (unsigned long long)run.all,
               (unsigned long long)run.all_routine);
    for (int kind = 0; kind < ANOMALY_KINDS && run.list; kind++) {
        anomaly_kind_name(kind, name, sizeof name);
        if (run.total[kind])
            printf("%8u %s\n", run.total[kind], name);
    }
}

int main(int argc, char **argv)
{
    run.sample = (uint64_t)time(NULL);
    if (!parse(argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    run.begun_s = seconds_now();
    story_on_failure(tale_fails);
    if (run.every != 1 && !run.list)
        print_sample();
    static int i;
    for (i = 0; i < tales_count; i++)
        if (wanted(tales[i].name) && setjmp(run.next) == 0)
            tell(&tales[i]);
    print_kinds();
    if (!run.list)
        printf("%llu passed, %llu failed\n", (unsigned long long)(run.cases - run.failures),
               (unsigned long long)run.failures);
    return run.failures ? 1 : 0;
}
