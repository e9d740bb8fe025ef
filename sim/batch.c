/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/batch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

enum { JOBS_MAX = 64 };

/* What the workers share. */
struct shared {
    uint64_t next;           /* the next history's number */
    uint64_t told, failures; /* histories */
    uint64_t commands, verified, judged, faults, waits, virtual_ms;
    uint64_t
        worked_us; /* processor time of all workers: of histories that were told to their end */
    uint64_t present[JOBS_MAX]; /* seed of each worker's history */
};

static void add(uint64_t *to, uint64_t some)
{
    __atomic_fetch_add(to, some, __ATOMIC_RELAXED);
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Processor time of this process. */
static uint64_t worked_us(void)
{
    struct timespec worked;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &worked);
    return (uint64_t)worked.tv_sec * 1000000 + (uint64_t)worked.tv_nsec / 1000;
}

static void say_failed(const struct batch_config *b, uint64_t seed, const char *sentence)
{
    printf("seed %llu failed %s\n  repeat: segue-sim --seed %llu%s --trace\n",
           (unsigned long long)seed, sentence, (unsigned long long)seed, b->repeat);
    fflush(stdout);
}

static void count_result(struct shared *shared, const struct swarm_result *result)
{
    add(&shared->told, 1);
    add(&shared->failures, result->failed);
    add(&shared->commands, result->work.ended);
    add(&shared->verified, result->verified);
    add(&shared->judged, result->judged);
    add(&shared->faults, result->faults);
    add(&shared->waits, result->waits);
    add(&shared->virtual_ms, result->virtual_ns / 1000000);
}

/* The life of a worker. */
static void work(const struct batch_config *b, struct shared *shared, uint32_t job, uint64_t end_ms)
{
    struct swarm_config config = b->swarm;
    config.quiet = true;
    for (;;) {
        uint64_t number = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (number >= b->count || (end_ms && wall_ms() >= end_ms) ||
            __atomic_load_n(&shared->failures, __ATOMIC_RELAXED) >= b->failures_max)
            return;
        struct swarm_result result;
        config.seed = b->swarm.seed + number;
        shared->present[job] = config.seed;
        uint64_t begun_us = worked_us();
        swarm_run(&config, &result);
        add(&shared->worked_us, worked_us() - begun_us);
        count_result(shared, &result);
        if (result.failed)
            say_failed(b, config.seed, result.sentence);
    }
}

static pid_t start_worker(const struct batch_config *b, struct shared *shared, uint32_t job,
                          uint64_t end_ms)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would hear it any more */
    work(b, shared, job, end_ms);
    fflush(stdout);
    _exit(0);
}

static void report(const struct shared *shared, uint64_t took_ms, uint32_t jobs)
{
    double minutes = (double)(took_ms ? took_ms : 1) / 60000;
    double worked = (double)(shared->worked_us ? shared->worked_us : 1) / 60e6;
    printf("%llu commands, %llu blocks verified, %llu met a reservation, %llu faults, %.0f minutes "
           "of virtual time; %llu wait for a person\n",
           (unsigned long long)shared->commands, (unsigned long long)shared->verified,
           (unsigned long long)shared->judged, (unsigned long long)shared->faults,
           (double)shared->virtual_ms / 60000, (unsigned long long)shared->waits);
    printf("%.0f histories a minute for each of %u workers; %.0f in a minute of a processor\n",
           (double)shared->told / minutes / jobs, jobs, (double)shared->told / worked);
    printf("%llu passed, %llu failed\n", (unsigned long long)(shared->told - shared->failures),
           (unsigned long long)shared->failures);
}

bool batch_run(const struct batch_config *b)
{
    uint32_t jobs = b->jobs ? b->jobs < JOBS_MAX ? b->jobs : JOBS_MAX : 1, running = 0;
    pid_t worker[JOBS_MAX];
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED);
    uint64_t begun = wall_ms(), end_ms = b->seconds ? begun + b->seconds * 1000 : 0;
    for (; running < jobs; running++)
        worker[running] = start_worker(b, shared, running, end_ms);
    while (running > 0) {
        int status;
        pid_t pid = wait(&status);
        must(pid > 0);
        uint32_t job = 0;
        while (job < jobs && worker[job] != pid)
            job++;
        must(job < jobs);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            running--;
            continue;
        }
        shared->told++;
        shared->failures++;
        say_failed(b, shared->present[job], "a machine broke its promise");
        worker[job] = start_worker(b, shared, job, end_ms);
    }
    report(shared, wall_ms() - begun, jobs);
    bool good = shared->failures == 0;
    munmap(shared, sizeof *shared);
    return good;
}

/* ---- shrinking ---- */

/* In a process of its own, since a machine may break its promise. */
static bool fails(const struct swarm_config *config)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct swarm_result result;
        struct swarm_config quiet = *config;
        quiet.quiet = true;
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        swarm_run(&quiet, &result);
        _exit(result.failed);
    }
    int status = 0;
    must(pid > 0 && waitpid(pid, &status, 0) == pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) == 1;
}

/* The shortest history that still fails, by its faulty part. */
static void shrink_time(struct swarm_config *config)
{
    struct swarm_result result;
    struct swarm_config whole = *config;
    uint64_t fails_at = config->commands;
    if (!fails_at) {
        whole.quiet = true;
        swarm_run(&whole, &result); /* that it fails is known; how many were answered is wanted */
        fails_at = result.work.ended + 1;
    }
    for (uint64_t step = fails_at / 2; step > 0; step /= 2) {
        struct swarm_config shorter = *config;
        shorter.commands = fails_at - step;
        if (shorter.commands && fails(&shorter))
            fails_at = shorter.commands;
    }
    struct swarm_config shortest = *config;
    shortest.commands = fails_at;
    if (fails(&shortest))
        *config = shortest;
}

/* Without half of the faults, a quarter, ... one. */
static void shrink_faults(struct swarm_config *config)
{
    for (uint32_t size = FAULTS_NUMBERED / 2; size > 0; size /= 2)
        for (uint32_t from = 0; from < FAULTS_NUMBERED; from += size) {
            struct swarm_config fewer = *config;
            memset(fewer.without + from, true, size);
            if (memcmp(fewer.without, config->without, sizeof fewer.without) != 0 && fails(&fewer))
                *config = fewer;
        }
}

static void shrink_hosts(struct swarm_config *config)
{
    for (uint8_t hosts = 1; hosts < 4; hosts++) {
        struct swarm_config fewer = *config;
        fewer.hosts = hosts;
        if (fails(&fewer)) {
            *config = fewer;
            return;
        }
    }
}

static void say_shrunk(const struct swarm_config *config, const char *repeat)
{
    printf("segue-sim --seed %llu%s", (unsigned long long)config->seed, repeat);
    if (config->commands)
        printf(" --commands %llu", (unsigned long long)config->commands);
    if (config->hosts)
        printf(" --hosts %u", config->hosts);
    const char *between = " --without-faults ";
    for (uint32_t i = 0; i < FAULTS_NUMBERED; i++) {
        uint32_t last = i;
        while (last + 1 < FAULTS_NUMBERED && config->without[i] && config->without[last + 1])
            last++;
        if (config->without[i])
            printf(last > i ? "%s%u-%u" : "%s%u", between, i, last);
        between = config->without[i] ? "," : between;
        i = last;
    }
    printf(" --trace\n");
}

bool batch_shrink(const struct batch_config *b)
{
    struct swarm_config config = b->swarm;
    if (!fails(&config)) {
        printf("seed %llu does not fail\n", (unsigned long long)config.seed);
        return false;
    }
    shrink_faults(&config);
    shrink_hosts(&config);
    shrink_time(&config);
    shrink_faults(&config);
    say_shrunk(&config, b->repeat);
    return true;
}
