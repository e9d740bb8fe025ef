/* SPDX-License-Identifier: Apache-2.0 */
/* segue-sim: random histories of whole arrays in the simulated world, each from one seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "sim/swarm.h"

enum { LAST_LINES = 150 };

static uint64_t seed_now;

static void broken_promise(void)
{
    swarm_print_last(LAST_LINES);
    printf("seed %llu: a machine broke its promise\n", (unsigned long long)seed_now);
    fflush(stdout);
}

static int usage(void)
{
    fprintf(stderr, "usage: segue-sim [--seed N] [--for SECONDS] [--swarm COUNT] [--wild] "
                    "[--trace] [--messages]\n"
                    "  --seed N       the first seed (1)\n"
                    "  --for SECONDS  of faults, in virtual time (10)\n"
                    "  --swarm COUNT  so many seeds, one after the other (1)\n"
                    "  --wild         faults of one kind meet, power fails; written through\n"
                    "  --trace        every line of the story as it comes\n");
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

int main(int argc, char **argv)
{
    uint64_t seconds = 10, count = 1, good = 0;
    struct swarm_config config = {.seed = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            config.print = true;
        else if (strcmp(argv[i], "--messages") == 0)
            config.messages = true;
        else if (strcmp(argv[i], "--wild") == 0)
            config.wild = true;
        else if (!number_option(argc, argv, &i, "--seed", &config.seed) &&
                 !number_option(argc, argv, &i, "--for", &seconds) &&
                 !number_option(argc, argv, &i, "--swarm", &count))
            return usage();
    }
    must_on_failure(broken_promise);
    config.for_ns = MS(1000) * seconds;
    for (uint64_t i = 0; i < count; i++) {
        if (!run(&config))
            return 1;
        config.seed++;
        good++;
    }
    printf("%llu passed, 0 failed\n", (unsigned long long)good);
    return 0;
}
