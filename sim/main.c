/* SPDX-License-Identifier: Apache-2.0 */
/* segue-sim: random histories of whole arrays in the simulated world, each from one seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "sim/batch.h"
#include "sim/mutants.h"

enum { LAST_LINES = 150, SHORT_COMMANDS = 200, FAILURES_MAX = 40 };

static uint64_t seed_now;

static void broken_promise(void)
{
    swarm_print_last(LAST_LINES);
    printf("seed %llu: a machine broke its promise\n", (unsigned long long)seed_now);
    fflush(stdout);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: segue-sim [options]: tells histories of simulated arrays, one from each seed\n"
            "  --seed N            the first seed (1); \"random\" throws one\n"
            "  --swarm COUNT       so many seeds, one after the other (1)\n"
            "  --histories COUNT   so many short ones (--commands 200), quietly\n"
            "  --seconds SECONDS   quietly until so much time has gone\n"
            "  --jobs N            quietly, by so many workers (1)\n"
            "  --for SECONDS       of faults, in virtual time, at most (10)\n"
            "  --commands N        faults end when so many commands were answered (0: no limit)\n"
            "  --wild              faults of one kind meet, power fails for everything\n"
            "  --hosts N           at most so many hosts\n"
            "  --without-faults L  without those faults, by number: 1,4,7-9\n"
            "  --shrink            finds a smaller history that fails as --seed does\n"
            "  --trace             every line of the story as it comes\n"
            "  --messages          ... and every message\n"
            "  --mutant NAME       with that rule broken (a build with -Dmutants=true); "
            "--mutants lists them\n");
    return 2;
}

static bool number_option(int argc, char **argv, int *i, const char *name, uint64_t *out)
{
    if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
        return false;
    char *end;
    *out = strtoull(argv[++*i], &end, 10);
    return *end == 0 && end != argv[*i];
}

static bool flag_option(const char *argument, const char *name, bool *out)
{
    bool same = strcmp(argument, name) == 0;
    *out |= same;
    return same;
}

/* "1,4,7-9" */
static bool without_option(int argc, char **argv, int *i, bool *without)
{
    if (strcmp(argv[*i], "--without-faults") != 0 || *i + 1 >= argc)
        return false;
    for (char *at = argv[++*i]; *at;) {
        char *end;
        uint64_t first = strtoull(at, &end, 10), last = first;
        if (end == at)
            return false;
        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        for (; first <= last && first < FAULTS_NUMBERED; first++)
            without[first] = true;
        at = *end == ',' ? end + 1 : end;
        if (*end && *end != ',')
            return false;
    }
    return true;
}

static bool random_seed(int argc, char **argv, int *i, uint64_t *seed)
{
    if (strcmp(argv[*i], "--seed") != 0 || *i + 1 >= argc || strcmp(argv[*i + 1], "random") != 0)
        return false;
    ++*i;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct random random = {(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec};
    *seed = random_next(&random) >> 16;
    return true;
}

static bool run(const struct swarm_config *config)
{
    struct swarm_result result;
    uint64_t seed = seed_now = config->seed;
    printf("seed %llu: ", (unsigned long long)seed);
    fflush(stdout);
    swarm_run(config, &result);
    if (result.failed) {
        printf("\n");
        swarm_print_last(LAST_LINES);
        printf("seed %llu: failed %s\n", (unsigned long long)seed, result.sentence);
        return false;
    }
    printf("%llu commands, %llu repeated, %llu blocks verified, %u faults, longest wait %.1f ms\n",
           (unsigned long long)result.work.ended, (unsigned long long)result.work.repeated,
           (unsigned long long)result.verified, result.faults,
           (double)result.work.longest_ns / 1e6);
    return true;
}

struct options {
    struct swarm_config config;
    uint64_t seconds, count, histories, wall_seconds, jobs, hosts;
    bool shrink;
    const char *mutant;
};

/* False: something is wrong with the arguments. */
static bool parse(int argc, char **argv, struct options *o)
{
    struct swarm_config *c = &o->config;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mutant") == 0 && i + 1 < argc) {
            o->mutant = argv[++i];
            if (!mutants_choose(o->mutant))
                return false;
        } else if (!flag_option(argv[i], "--trace", &c->print) &&
                   !flag_option(argv[i], "--messages", &c->messages) &&
                   !flag_option(argv[i], "--wild", &c->wild) &&
                   !flag_option(argv[i], "--shrink", &o->shrink) &&
                   !without_option(argc, argv, &i, c->without) &&
                   !random_seed(argc, argv, &i, &c->seed) &&
                   !number_option(argc, argv, &i, "--seed", &c->seed) &&
                   !number_option(argc, argv, &i, "--for", &o->seconds) &&
                   !number_option(argc, argv, &i, "--swarm", &o->count) &&
                   !number_option(argc, argv, &i, "--histories", &o->histories) &&
                   !number_option(argc, argv, &i, "--seconds", &o->wall_seconds) &&
                   !number_option(argc, argv, &i, "--jobs", &o->jobs) &&
                   !number_option(argc, argv, &i, "--hosts", &o->hosts) &&
                   !number_option(argc, argv, &i, "--commands", &c->commands))
            return false;
    }
    c->for_ns = MS(1000) * o->seconds;
    c->hosts = (uint8_t)o->hosts;
    if (o->histories && !c->commands)
        c->commands = SHORT_COMMANDS;
    if (o->histories)
        o->count = o->histories;
    return true;
}

/* The options that a history is told again with, but for its seed. */
static const char *repeated(const struct options *o, bool limits)
{
    static char text[256];
    int length = snprintf(text, sizeof text, " --for %llu%s%s%s", (unsigned long long)o->seconds,
                          o->config.wild ? " --wild" : "", o->mutant ? " --mutant " : "",
                          o->mutant ? o->mutant : "");
    if (limits && o->config.commands)
        length += snprintf(text + length, sizeof text - (size_t)length, " --commands %llu",
                           (unsigned long long)o->config.commands);
    if (limits && o->hosts)
        snprintf(text + length, sizeof text - (size_t)length, " --hosts %llu",
                 (unsigned long long)o->hosts);
    return text;
}

static bool run_batch(const struct options *o)
{
    struct batch_config batch = {.swarm = o->config,
                                 .count = o->count,
                                 .seconds = o->wall_seconds,
                                 .jobs = (uint32_t)o->jobs,
                                 .failures_max = FAILURES_MAX,
                                 .repeat = repeated(o, !o->shrink)};
    if (o->shrink)
        return !batch_shrink(&batch);
    if (o->wall_seconds && o->count == 1)
        batch.count = UINT64_MAX;
    printf("from seed %llu on\n", (unsigned long long)o->config.seed);
    return batch_run(&batch);
}

int main(int argc, char **argv)
{
    struct options options = {.config = {.seed = 1}, .seconds = 10, .count = 1};
    if (argc == 2 && strcmp(argv[1], "--mutants") == 0)
        return mutants_list(), 0;
    if (!parse(argc, argv, &options))
        return usage();
    if (options.histories || options.wall_seconds || options.jobs || options.shrink)
        return !run_batch(&options);
    must_on_failure(broken_promise);
    for (uint64_t i = 0; i < options.count; i++) {
        if (!run(&options.config))
            return 1;
        options.config.seed++;
    }
    printf("%llu passed, 0 failed\n", (unsigned long long)options.count);
    return 0;
}
