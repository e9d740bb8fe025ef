/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { OUTPUT_MAX = 64 << 10, VARIABLES_MAX = 256 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Ours but for SEGUE_REQUEST_ID. */
static void make_environment(char **out, char *identity)
{
    size_t count = 0;
    for (char **at = environ; *at && count + 2 < VARIABLES_MAX; at++)
        if (strncmp(*at, "SEGUE_REQUEST_ID=", 17) != 0)
            out[count++] = *at;
    if (*identity)
        out[count++] = identity;
    out[count] = NULL;
}

static bool start(char *const *words, const char *identity, const int out[2], const int error[2],
                  pid_t *pid)
{
    char *variables[VARIABLES_MAX], request[128] = "";
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    if (identity)
        snprintf(request, sizeof request, "SEGUE_REQUEST_ID=%s", identity);
    make_environment(variables, request);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out[1], 1);
    posix_spawn_file_actions_adddup2(&files, error[1], 2);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = posix_spawn(pid, words[0], &files, &attributes, words, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed == 0;
}

/* What comes beyond OUTPUT_MAX is thrown away. False: no more will come. */
static bool take(int fd, char *text, size_t *length)
{
    char rest[4096];
    bool room = *length + 1 < OUTPUT_MAX;
    ssize_t got =
        room ? read(fd, text + *length, OUTPUT_MAX - 1 - *length) : read(fd, rest, sizeof rest);
    if (got > 0 && room)
        *length += (size_t)got;
    text[*length] = 0;
    return got > 0;
}

static bool listen_to(int out, int error, int limit_s, struct api_run *run)
{
    size_t lengths[2] = {0, 0};
    char *texts[2] = {run->out, run->error};
    struct pollfd polls[2] = {{out, POLLIN, 0}, {error, POLLIN, 0}};
    int64_t end = now_ms() + limit_s * INT64_C(1000);
    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        int64_t left = end - now_ms();
        if (left <= 0)
            return false;
        poll(polls, 2, (int)left);
        for (int i = 0; i < 2; i++)
            if (polls[i].fd >= 0 && polls[i].revents && !take(polls[i].fd, texts[i], &lengths[i]))
                polls[i].fd = -1;
    }
    return true;
}

static void finish(pid_t pid, struct api_run *run)
{
    int status = 0;
    if (run->timed_out)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        ;
    run->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool api_run_program(char *const *words, const char *identity, int limit_s, struct api_run *run)
{
    int out[2] = {-1, -1}, error[2] = {-1, -1};
    pid_t pid;
    *run = (struct api_run){.out = calloc(1, OUTPUT_MAX), .error = calloc(1, OUTPUT_MAX)};
    bool started = run->out && run->error && pipe2(out, O_CLOEXEC) == 0 &&
                   pipe2(error, O_CLOEXEC) == 0 && start(words, identity, out, error, &pid);
    for (int i = 0; i < 2; i++) { /* the ends that are the program's */
        int fd = i ? error[1] : out[1];
        if (fd >= 0)
            close(fd);
    }
    if (started) {
        run->timed_out = !listen_to(out[0], error[0], limit_s, run);
        finish(pid, run);
    }
    if (out[0] >= 0)
        close(out[0]);
    if (error[0] >= 0)
        close(error[0]);
    return started;
}

void api_run_free(struct api_run *run)
{
    free(run->out);
    free(run->error);
}
