/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/segue_up.h"

extern char **environ;

enum { WORDS = 16 + 2 * MODULE_MAX };

/* This very program, as a drill: 28 s of calm before and after each fault make a fault a minute. */
void up_demo_start(struct up *up)
{
    char *words[WORDS] = {"segue",   "drill", "--state",  up->config.state, "--seconds",  "28",
                          "--depth", "2",     "--repeat", "1000",           "--overwrite"};
    char program[CONFIG_PATH], log[CONFIG_PATH + 16];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    size_t count = 11;
    for (uint8_t m = 0; m < up->config.modules; m++) {
        words[count++] = "--kill";
        words[count++] = up->config.module[m];
    }
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
    snprintf(log, sizeof log, "%s/log/demo.log", up->config.state);
    sigemptyset(&none); /* what the supervisor blocks */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0640);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    int error = posix_spawn(&up->demo, program, &files, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error)
        up->demo = 0;
    up_say(up,
           error ? "the demonstration cannot be started: %s"
                 : "a load runs, and a controller is killed each minute (%s)",
           error ? strerror(error) : log);
}

void up_demo_stop(struct up *up)
{
    int wait_status;
    if (up->demo <= 0)
        return;
    kill(up->demo, SIGTERM);
    while (waitpid(up->demo, &wait_status, 0) < 0 && errno == EINTR)
        ;
    up->demo = 0;
}

bool up_demo_ended(struct up *up, pid_t pid, int wait_status)
{
    if (!up->demo || pid != up->demo)
        return false;
    up->demo = 0;
    up_say(up, "the demonstration has ended with %d; see %s/log/demo.log",
           WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status),
           up->config.state);
    return true;
}
