/* SPDX-License-Identifier: Apache-2.0 */
/* segue doctor: is this machine fit for an array? Looks and measures; changes nothing but a scratch
 * file in the state directory, which it takes away again. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "manage/quantity.h"
#include "programs/segue_fleet.h"
#include "programs/segue_place.h"
#include "programs/segue_state.h"

enum { STORE_TRIES = 15, SLEEPS = 200, STREAMS_LEAST = 4096, STATE_LEAST = 256 << 20 };
enum verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILURE, DOCTOR_VERDICTS };

static const char *const verdict_names[DOCTOR_VERDICTS] = {"ok", "warning", "failure"};

struct doctor {
    const struct segue_call *call;
    struct config config;
    bool with_config;
    json_t *findings;
    int worst; /* enum verdict */
};

/* `remedy` NULL: there is nothing to do. */
static void find(struct doctor *d, const char *what, enum verdict verdict, const char *remedy,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
static void find(struct doctor *d, const char *what, enum verdict verdict, const char *remedy,
                 const char *format, ...)
{
    char text[CONFIG_SENTENCE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_array_append_new(d->findings, json_pack("{s:s, s:s, s:s, s:s?}", "check", what, "state",
                                                 verdict_names[verdict], "summary", text, "remedy",
                                                 verdict == DOCTOR_OK ? NULL : remedy));
    if ((int)verdict > d->worst)
        d->worst = (int)verdict;
    if (segue_wants_json(d->call))
        return;
    printf("%-8s %-10s %s\n", verdict == DOCTOR_OK ? "ok" : verdict_names[verdict], what, text);
    if (verdict != DOCTOR_OK && remedy)
        printf("%-19s do   %s\n", "", remedy);
}

/* ---- the machine ---- */

static void check_io_uring(struct doctor *d)
{
    struct io_uring_params parameters = {0};
    int fd = (int)syscall(SYS_io_uring_setup, 8, &parameters);
    if (fd < 0) {
        find(d, "io_uring", DOCTOR_FAILURE,
             "sysctl kernel.io_uring_disabled=0, and allow it in the container's seccomp profile",
             "the kernel refuses it: %s; no part can run without", strerror(errno));
        return;
    }
    close(fd);
    find(d, "io_uring", DOCTOR_OK, NULL, "allowed");
}

static void check_processors(struct doctor *d)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    find(d, "processors", count < 2 ? DOCTOR_WARNING : DOCTOR_OK,
         "give it two: with one, every hand-over between processes waits for the scheduler", "%ld",
         count);
}

static void check_limits(struct doctor *d)
{
    struct rlimit files, priority;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        find(d, "files", files.rlim_max < STREAMS_LEAST ? DOCTOR_WARNING : DOCTOR_OK,
             "LimitNOFILE=65536 in the unit, or ulimit -Hn",
             "a process may open %llu (each host's connection is one)",
             (unsigned long long)files.rlim_max);
    bool nice = geteuid() == 0 ||
                (getrlimit(RLIMIT_NICE, &priority) == 0 && priority.rlim_max >= 30); /* 20 + 10 */
    find(d, "priority", nice ? DOCTOR_OK : DOCTOR_WARNING,
         "LimitNICE=-10 in the unit, or run it as root",
         nice ? "its processes may run at nice -10"
              : "its processes may not run at nice -10: beside other work a controller that waits "
                "for a processor looks dead");
}

static void check_clock(struct doctor *d)
{
    struct timex clock = {0};
    bool kept = adjtimex(&clock) != -1 && !(clock.status & STA_UNSYNC);
    find(d, "clock", kept ? DOCTOR_OK : DOCTOR_WARNING,
         "run chrony or systemd-timesyncd: the protocol needs no common time, reading logs does",
         kept ? "kept by a time service" : "no time service keeps it");
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* How late a process wakes here: what makes a healthy unit look dead. */
static void check_scheduling(struct doctor *d)
{
    const struct timespec one_ms = {0, 1000000};
    uint64_t late[SLEEPS];
    for (int i = 0; i < SLEEPS; i++) {
        uint64_t begun = now_ns();
        nanosleep(&one_ms, NULL);
        uint64_t took = now_ns() - begun;
        late[i] = took > 1000000 ? took - 1000000 : 0;
    }
    qsort(late, SLEEPS, sizeof *late, by_size);
    uint64_t limit = d->with_config ? d->config.limits.availability_ns : MS(150);
    find(
        d, "scheduling", late[SLEEPS - 1] > limit / 3 ? DOCTOR_WARNING : DOCTOR_OK,
        "leave it more processor time, or raise limits: availability:",
        "a sleep of 1 ms ends late by %.2f ms (median), %.1f ms at the most; a unit that is silent "
        "for %llu ms is taken for dead",
        (double)late[SLEEPS / 2] / 1e6, (double)late[SLEEPS - 1] / 1e6,
        (unsigned long long)(limit / 1000000));
}

/* ---- what the configuration asks for ---- */

static uint64_t memory_available(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (uint64_t)kib << 10;
}

static void check_memory(struct doctor *d)
{
    const struct config *config = &d->config;
    uint64_t wanted = config->processes * config->buffer_bytes, available = memory_available();
    for (int m = 0; m < config->modules; m++)
        wanted += config->groups * config->mirror_bytes;
    char need[32], have[32];
    quantity_size_text(wanted, need, sizeof need);
    quantity_size_text(available, have, sizeof have);
    bool holder = state_lock_holder(config->state) > 0; /* its own memory is not free any more */
    find(d, "memory", !holder && wanted > available ? DOCTOR_WARNING : DOCTOR_OK,
         "make memory: buffers: or mirror: smaller",
         "at the most %s for buffers and mirrors of all processes; %s are free", need, have);
}

/* A small durable write, as the control register needs it at each takeover. */
static void check_store(struct doctor *d, const char *what, const char *directory)
{
    char path[CONFIG_PATH + 32], block[4096] = "segue doctor";
    uint64_t took[STORE_TRIES];
    struct statvfs space;
    snprintf(path, sizeof path, "%s/.doctor-%d", directory, (int)getpid());
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        find(d, what, errno == ENOENT ? DOCTOR_OK : DOCTOR_FAILURE, "check its rights", "%s: %s",
             directory, errno == ENOENT ? "is not made yet" : strerror(errno));
        return;
    }
    bool good = true;
    for (int i = 0; i < STORE_TRIES; i++) {
        uint64_t begun = now_ns();
        good = good && pwrite(fd, block, sizeof block, 0) == sizeof block && fdatasync(fd) == 0;
        took[i] = now_ns() - begun;
    }
    int error = errno;
    close(fd);
    unlink(path);
    qsort(took, STORE_TRIES, sizeof *took, by_size);
    double median_ms = (double)took[STORE_TRIES / 2] / 1e6;
    uint64_t left = statvfs(directory, &space) == 0 ? (uint64_t)space.f_bavail * space.f_frsize : 0;
    if (!good)
        find(d, what, DOCTOR_FAILURE, "free some space, or take another directory",
             "%s cannot be written: %s", directory, strerror(error));
    else if (left < STATE_LEAST)
        find(d, what, DOCTOR_WARNING, "free some space: logs and journals grow there",
             "%s has only %llu MiB left", directory, (unsigned long long)(left >> 20));
    else
        find(d, what, median_ms > 50 ? DOCTOR_WARNING : DOCTOR_OK,
             "put it on a faster device: each takeover waits for one such write",
             "%s: a durable write takes %.2f ms (median)", directory, median_ms);
}

static void check_ports(struct doctor *d)
{
    char sentence[CONFIG_SENTENCE];
    pid_t holder = state_lock_holder(d->config.state);
    if (holder > 0)
        find(d, "portals", DOCTOR_OK, NULL, "in use by this array, which is up (supervisor %d)",
             (int)holder);
    else if (state_check_ports(&d->config, sentence, sizeof sentence) != 0)
        find(d, "portals", DOCTOR_FAILURE, NULL, "%s", sentence);
    else
        find(d, "portals", DOCTOR_OK, NULL, "free");
}

static void check_drives(struct doctor *d)
{
    char sentence[CONFIG_SENTENCE];
    unsigned count = 0;
    for (int l = 0; l < d->config.loops; l++)
        count += d->config.loop[l].drives;
    if (config_check_drives(&d->config, sentence, sizeof sentence) != 0)
        find(d, "drives", DOCTOR_FAILURE, NULL, "%s", sentence);
    else
        find(d, "drives", DOCTOR_OK, NULL, "%u, in %u trays", count, d->config.loops);
}

static void check_secrets(struct doctor *d)
{
    static struct secrets secrets;
    char sentence[CONFIG_SENTENCE];
    if (!d->config.chap.users && !d->config.chap.target.name[0])
        return;
    int code = config_read_secrets(&d->config, &secrets, sentence, sizeof sentence);
    explicit_bzero(&secrets, sizeof secrets);
    if (code != 0)
        find(d, "secrets", DOCTOR_FAILURE, NULL, "%s", sentence);
    else
        find(d, "secrets", DOCTOR_OK, NULL, "readable, and nobody else's");
}

/* The file that is named, or the array that is meant; none is no failure. */
static int read_config(struct doctor *d)
{
    bool named = d->call->arguments || d->call->flag[SEGUE_FLAG_STATE] || getenv("SEGUE_STATE");
    if (!named && access("state", F_OK) != 0)
        return SEGUE_EXIT_DONE;
    int code = place_find(d->call, d->call->arguments ? d->call->argument[0] : NULL, &d->config);
    d->with_config = code == SEGUE_EXIT_DONE;
    return code;
}

int segue_doctor(const struct segue_call *call)
{
    static struct doctor doctor; /* too large for a stack */
    struct doctor *d = &doctor;
    *d = (struct doctor){.call = call};
    int code = read_config(d);
    if (code != SEGUE_EXIT_DONE)
        return code;
    d->findings = json_array();
    check_io_uring(d);
    check_processors(d);
    check_limits(d);
    check_clock(d);
    check_scheduling(d);
    if (d->with_config) {
        check_memory(d);
        check_store(d, "state", d->config.state);
        check_store(d, "register", d->config.register_path);
        check_ports(d);
        check_drives(d);
        check_secrets(d);
    }
    if (segue_wants_json(call)) {
        json_t *all = json_pack("{s:s, s:s, s:O}", "api", "v1", "state", verdict_names[d->worst],
                                "checks", d->findings);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else if (!d->with_config) {
        printf(
            "         (name the array's FILE to have its memory, directories, portals and drives "
            "looked at)\n");
    }
    json_decref(d->findings);
    return d->worst == DOCTOR_FAILURE ? SEGUE_EXIT_FAILED : SEGUE_EXIT_DONE;
}
