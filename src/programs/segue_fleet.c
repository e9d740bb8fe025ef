/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue_fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const uint64_t first_delay_ns = MS(500), last_delay_ns = MS(10000), steady_ns = MS(10000);

uint64_t fleet_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fleet_of_config(struct fleet *fleet, const struct config *config)
{
    *fleet = (struct fleet){.count = config->processes};
    snprintf(fleet->state, sizeof fleet->state, "%s", config->state);
    snprintf(fleet->array, sizeof fleet->array, "%s", config->array);
    snprintf(fleet->file, sizeof fleet->file, "%s", config->file);
    for (size_t i = 0; i < fleet->count; i++) {
        const struct config_process *from = &config->process[i];
        struct fleet_process *process = &fleet->process[i];
        snprintf(process->name, sizeof process->name, "%s", from->name);
        process->rank = from->modules ? FLEET_RANK_MODULES
                        : from->loops ? FLEET_RANK_LOOPS
                                      : FLEET_RANK_SWITCHES;
        process->pidfd = -1;
        process->delay_ns = first_delay_ns;
    }
    if (config->api.listens)
        fleet->process[fleet->count++] = (struct fleet_process){
            .name = "api", .rank = FLEET_RANK_API, .pidfd = -1, .delay_ns = first_delay_ns};
}

/* When the process of that pid began, in clock ticks since boot; 0: there is none, or it has ended.
 */
static uint64_t start_ticks(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    const char *at = strrchr(line, ')'); /* the name may hold anything */
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return 0;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

bool fleet_save(const struct fleet *fleet)
{
    char path[CONFIG_PATH + 32], aside[CONFIG_PATH + 48];
    json_t *list = json_array();
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_process *p = &fleet->process[i];
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:I}", "name", p->name, "rank",
                                              (int)p->rank, "pid", (int)p->pid, "start_ticks",
                                              (json_int_t)p->start_ticks));
    }
    json_t *all =
        json_pack("{s:s, s:s, s:o}", "array", fleet->array, "file", fleet->file, "processes", list);
    snprintf(path, sizeof path, "%s/run/fleet.json", fleet->state);
    snprintf(aside, sizeof aside, "%s.new", path);
    bool saved = json_dump_file(all, aside, JSON_INDENT(1)) == 0 && rename(aside, path) == 0;
    json_decref(all);
    return saved;
}

static void load_process(struct fleet *fleet, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    json_int_t rank = json_integer_value(json_object_get(entry, "rank"));
    if (!name || fleet->count == FLEET_MAX || rank < 0 || rank >= FLEET_RANKS)
        return;
    struct fleet_process *p = &fleet->process[fleet->count++];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->rank = (enum fleet_rank)rank;
    p->pidfd = -1;
    p->start_ticks = (uint64_t)json_integer_value(json_object_get(entry, "start_ticks"));
    p->pid = (pid_t)json_integer_value(json_object_get(entry, "pid"));
    if (p->pid <= 0 || start_ticks(p->pid) != p->start_ticks)
        p->pid = 0;
}

bool fleet_load(struct fleet *fleet, const char *state)
{
    char path[CONFIG_PATH + 32];
    size_t i;
    json_t *entry;
    *fleet = (struct fleet){0};
    snprintf(path, sizeof path, "%s/run/fleet.json", state);
    json_t *all = json_load_file(path, 0, NULL);
    if (!all)
        return false;
    const char *array = json_string_value(json_object_get(all, "array"));
    const char *file = json_string_value(json_object_get(all, "file"));
    snprintf(fleet->state, sizeof fleet->state, "%s", state);
    snprintf(fleet->array, sizeof fleet->array, "%s", array ? array : "");
    snprintf(fleet->file, sizeof fleet->file, "%s", file ? file : "");
    json_array_foreach(json_object_get(all, "processes"), i, entry) load_process(fleet, entry);
    json_decref(all);
    return true;
}

size_t fleet_running(const struct fleet *fleet)
{
    size_t running = 0;
    for (size_t i = 0; i < fleet->count; i++)
        running += fleet->process[i].pid != 0;
    return running;
}

void fleet_names(const struct fleet *fleet, char *out, size_t bytes)
{
    size_t at = 0;
    *out = 0;
    for (size_t i = 0; i < fleet->count && at < bytes; i++)
        if (fleet->process[i].pid)
            at += (size_t)snprintf(out + at, bytes - at, "%s%s (pid %d)", at ? ", " : "",
                                   fleet->process[i].name, (int)fleet->process[i].pid);
}

bool fleet_segued(char *out, size_t bytes)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return false;
    self[length] = 0;
    char *slash = strrchr(self, '/');
    if (!slash)
        return false;
    *slash = 0;
    int used = snprintf(out, bytes, "%s/segued", self);
    return used > 0 && (size_t)used < bytes && access(out, X_OK) == 0;
}

static void output_path(const struct fleet *fleet, size_t i, char *out, size_t bytes)
{
    snprintf(out, bytes, "%.200s/log/%s.err", fleet->state, fleet->process[i].name);
}

void fleet_trim_output(const struct fleet *fleet)
{
    enum { OUTPUT_MAX = 1 << 20 };
    for (size_t i = 0; i < fleet->count; i++) {
        char path[CONFIG_PATH];
        struct stat found;
        output_path(fleet, i, path, sizeof path);
        if (stat(path, &found) == 0 && found.st_size > OUTPUT_MAX && truncate(path, 0) != 0)
            unlink(path);
    }
}

/* Its own process group, so that a terminal's Ctrl-C reaches the supervisor alone. */
static int spawn(struct fleet_process *process, const char *segued, char *const *arguments,
                 const char *output)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawn(&process->pid, segued, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

int fleet_start(struct fleet *fleet, size_t i, const char *segued)
{
    struct fleet_process *process = &fleet->process[i];
    char output[CONFIG_PATH], program[] = "segued", config[] = "--config", name[] = "--process";
    char self[] = "segue", api[] = "api", state[] = "--state";
    char *const arguments[] = {program, config, fleet->file, name, process->name, NULL};
    char *const for_api[] = {self, api, fleet->file, state, fleet->state, NULL};
    bool is_api = process->rank == FLEET_RANK_API;
    output_path(fleet, i, output, sizeof output);
    process->start_at_ns = UINT64_MAX;
    int error = is_api ? spawn(process, "/proc/self/exe", for_api, output)
                       : spawn(process, segued, arguments, output);
    if (error) {
        process->pid = 0;
        return error;
    }
    process->pidfd = pidfd_open(process->pid, 0);
    process->start_ticks = start_ticks(process->pid);
    process->started_ns = fleet_now_ns();
    return 0;
}

void fleet_last_words(const struct fleet *fleet, size_t i, char *out, size_t bytes)
{
    char path[CONFIG_PATH], tail[2048];
    output_path(fleet, i, path, sizeof path);
    *out = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)sizeof tail - 1 ? size - (off_t)sizeof tail + 1 : 0;
    ssize_t length = pread(fd, tail, sizeof tail - 1, from);
    close(fd);
    while (length > 0 && tail[length - 1] == '\n')
        length--;
    if (length <= 0)
        return;
    tail[length] = 0;
    const char *line = strrchr(tail, '\n');
    snprintf(out, bytes, "%s", line ? line + 1 : tail);
}

void fleet_ended(struct fleet *fleet, size_t i, int wait_status)
{
    struct fleet_process *process = &fleet->process[i];
    uint64_t now = fleet_now_ns();
    /* one that ends by itself soon after its start will do so again: wait longer each time */
    bool by_itself = WIFEXITED(wait_status) || WTERMSIG(wait_status) == SIGABRT;
    if (!by_itself || now - process->started_ns > steady_ns)
        process->delay_ns = first_delay_ns;
    process->start_at_ns = now + process->delay_ns;
    if (by_itself && process->delay_ns < last_delay_ns)
        process->delay_ns *= 2;
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
    process->pid = 0;
}
