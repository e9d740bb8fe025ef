/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue_up.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manage/status.h"
#include "manage/status_json.h"
#include "programs/segue_place.h"
#include "programs/segue_request.h"
#include "programs/segue_state.h"

static struct up up_self; /* one a process; too large for a stack */

/* ---- before anything runs ---- */

static int read_config(struct up *up)
{
    char sentence[CONFIG_SENTENCE];
    const char *state = up->call->flag[SEGUE_FLAG_STATE];
    if (state)
        setenv("SEGUE_STATE", state, 1);
    if (config_read(up->call->argument[0], &up->config, sentence, sizeof sentence) != 0)
        return segue_fail(up->call, SEGUE_EXIT_USAGE, "BAD_CONFIGURATION", NULL, "%s", sentence);
    setenv("SEGUE_STATE", up->config.state, 1); /* the parts use the same, wherever they start */
    if (!fleet_segued(up->segued, sizeof up->segued))
        return segue_fail(up->call, SEGUE_EXIT_FAILED, "NO_SEGUED", "build or install it there",
                          "there is no segued beside this program (%s)", up->segued);
    return SEGUE_EXIT_DONE;
}

static int take_lock(struct up *up)
{
    pid_t holder;
    char pid[32];
    up->lock_fd = state_lock(up->config.state, &holder);
    if (up->lock_fd < 0 && holder >= 0)
        return segue_fail(up->call, SEGUE_EXIT_REFUSED, "ALREADY_UP",
                          "segue status shows it; segue down stops it",
                          "the array in %s is up already (supervisor %d)", up->config.state,
                          (int)holder);
    if (up->lock_fd < 0)
        return segue_fail(up->call, SEGUE_EXIT_FAILED, "NO_LOCK", "check the directory's rights",
                          "%s/run/up.lock: %s", up->config.state, strerror(errno));
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    char path[CONFIG_PATH + 16];
    snprintf(path, sizeof path, "%s/run/up.pid", up->config.state);
    FILE *file = fopen(path, "we");
    if (file && (fputs(pid, file) < 0 || fclose(file) != 0))
        file = NULL;
    return file ? SEGUE_EXIT_DONE
                : segue_fail(up->call, SEGUE_EXIT_FAILED, "NO_STATE",
                             "check its rights and free space", "%s cannot be written: %s", path,
                             strerror(errno));
}

static int check_leftovers(struct up *up)
{
    struct fleet left;
    char names[512], remedy[CONFIG_PATH + 64];
    if (!fleet_load(&left, up->config.state) || !fleet_running(&left))
        return SEGUE_EXIT_DONE;
    fleet_names(&left, names, sizeof names);
    snprintf(remedy, sizeof remedy, "segue down --state %s stops them in order", up->config.state);
    return segue_fail(up->call, SEGUE_EXIT_REFUSED, "LEFT_OVER", remedy,
                      "processes of an earlier segue up still run here: %s", names);
}

static int check_state(struct up *up)
{
    char sentence[CONFIG_SENTENCE];
    bool fresh;
    static struct secrets secrets;
    int read = config_read_secrets(&up->config, &secrets, sentence, sizeof sentence);
    explicit_bzero(&secrets, sizeof secrets);
    if (read != 0)
        return segue_fail(up->call, SEGUE_EXIT_USAGE, "BAD_SECRET", NULL, "%s", sentence);
    if (state_prepare(&up->config, &fresh, sentence, sizeof sentence) != 0)
        return segue_fail(up->call, SEGUE_EXIT_USAGE, "BAD_STATE", NULL, "%s", sentence);
    int code = take_lock(up);
    if (code == SEGUE_EXIT_DONE)
        code = check_leftovers(up);
    if (code != SEGUE_EXIT_DONE)
        return code;
    if (state_check_ports(&up->config, sentence, sizeof sentence) != 0)
        return segue_fail(up->call, SEGUE_EXIT_USAGE, "PORT_IN_USE", NULL, "%s", sentence);
    bool drives = config_check_drives(&up->config, sentence, sizeof sentence) == 0;
    if (!drives && fresh)
        return segue_fail(up->call, SEGUE_EXIT_USAGE, "NO_DRIVE", NULL, "%s", sentence);
    if (!drives)
        up_say(up, "%s (the array starts without that drive)", sentence);
    if (fresh ? state_create(&up->config, sentence, sizeof sentence) != 0
              : state_check(&up->config, sentence, sizeof sentence) != 0)
        return segue_fail(up->call, SEGUE_EXIT_FAILED, "BAD_STATE", NULL, "%s", sentence);
    return SEGUE_EXIT_DONE;
}

/* ---- processes ---- */

static void start_process(struct up *up, size_t i)
{
    struct fleet_process *process = &up->fleet.process[i];
    int error = fleet_start(&up->fleet, i, up->segued);
    if (error) {
        up_say(up, "%s cannot be started: %s", process->name, strerror(error));
        process->start_at_ns = fleet_now_ns() + MS(10000);
    }
}

static void start_due(struct up *up)
{
    bool any = false;
    uint64_t now = fleet_now_ns();
    for (size_t i = 0; i < up->fleet.count; i++) {
        struct fleet_process *process = &up->fleet.process[i];
        if (process->pid || process->start_at_ns > now)
            continue;
        start_process(up, i);
        any = true;
        if (process->pid && up->phase == UP_SERVING)
            up_say(up, "%s starts again (pid %d)", process->name, (int)process->pid);
    }
    if (any)
        fleet_save(&up->fleet);
}

static void tell_end(struct up *up, size_t i, int wait_status)
{
    const struct fleet_process *process = &up->fleet.process[i];
    char words[512], how[64];
    bool by_itself = WIFEXITED(wait_status);
    if (by_itself)
        snprintf(how, sizeof how, "ended with exit code %d", WEXITSTATUS(wait_status));
    else
        snprintf(how, sizeof how, "was killed by signal %d", WTERMSIG(wait_status));
    if (process->start_at_ns == UINT64_MAX)
        up_say(up, "%s %s and stays so (--no-restart)", process->name, how);
    else
        up_say(up, "%s %s; starts again in %llu ms", process->name, how,
               (unsigned long long)((process->start_at_ns - fleet_now_ns()) / 1000000 + 1));
    fleet_last_words(&up->fleet, i, words, sizeof words);
    if (*words && (by_itself || WTERMSIG(wait_status) == SIGABRT))
        printf("          it said: %s\n", words);
    fflush(stdout);
}

/* A part that cannot take its place at the very start: nothing is left running half. */
static void give_up(struct up *up, size_t i)
{
    char words[512];
    fleet_last_words(&up->fleet, i, words, sizeof words);
    up_show(up, "%s cannot start; stopping what has", up->fleet.process[i].name);
    if (up->terminal)
        putchar('\n');
    const char *text = strncmp(words, "segued: ", 8) == 0 ? words + 8 : words;
    up->code = segue_fail(up->call, SEGUE_EXIT_USAGE, "PART_FAILED", NULL, "%s: %s",
                          up->fleet.process[i].name, *text ? text : "it ended at once");
    up->stopping = true;
}

static void reap(struct up *up)
{
    int wait_status;
    pid_t pid;
    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        if (up_demo_ended(up, pid, wait_status))
            continue;
        for (size_t i = 0; i < up->fleet.count; i++) {
            if (up->fleet.process[i].pid != pid)
                continue;
            fleet_ended(&up->fleet, i, wait_status);
            if (up->call->flag[SEGUE_FLAG_NO_RESTART])
                up->fleet.process[i].start_at_ns = UINT64_MAX;
            fleet_save(&up->fleet);
            if (up->phase == UP_STARTING && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 2)
                give_up(up, i);
            else if (!up->stopping)
                tell_end(up, i, wait_status);
        }
    }
}

/* ---- phases ---- */

static void enter(struct up *up, enum up_phase phase)
{
    up->phase = phase;
    up->phase_ns = fleet_now_ns();
}

static void tell_ready(struct up *up)
{
    uint8_t code = (uint8_t)up->code;
    if (up->phase == UP_SERVING)
        notify_ready(&up->notify, "serving");
    if (up->ready_fd < 0)
        return;
    if (write(up->ready_fd, &code, 1) != 1)
        up_say(up, "nobody waits for this start any more");
    close(up->ready_fd);
    up->ready_fd = -1;
    char path[CONFIG_PATH + 16];
    snprintf(path, sizeof path, "%s/log/up.log", up->config.state);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0) {
        dup2(log, 1);
        dup2(log, 2);
        close(log);
    }
    up->terminal = false;
}

static void show_start(struct up *up, const json_t *status, size_t answered)
{
    char groups[128] = "";
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(status, "groups"), i, group)
        snprintf(groups + strlen(groups), sizeof groups - strlen(groups), "  %s: %s%s",
                 status_text_of(group, "name"),
                 status_flag_of(group, "serving") ? "served by " : "no primary yet",
                 status_flag_of(group, "serving") ? status_text_of(group, "primary") : "");
    bool slow = fleet_now_ns() - up->phase_ns > MS(30000);
    up_show(up, "starting: %zu of %zu processes answer%s%s", answered, up->fleet.count, groups,
            slow ? "  (slow: see segue status)" : "");
}

static void look(struct up *up)
{
    size_t answered;
    json_t *status = request_status(&up->config, 300, &answered);
    bool serving = status_serving(status) &&
                   json_array_size(json_object_get(status, "groups")) == up->config.groups;
    if (up->phase == UP_STARTING) {
        show_start(up, status, answered);
        if (serving)
            enter(up, state_is_created(up->config.state) ? UP_SETTLING : UP_CREATING);
    } else if (status_in_sync(status) || fleet_now_ns() - up->phase_ns > MS(5000)) {
        up_summary(up, status);
        enter(up, UP_SERVING);
        tell_ready(up);
        if (up->call->flag[SEGUE_FLAG_DEMO])
            up_demo_start(up);
    }
    json_decref(status);
}

static void phase_step(struct up *up)
{
    switch (up->phase) {
    case UP_STARTING:
    case UP_SETTLING:
        look(up);
        break;
    case UP_CREATING:
        if (up_create_step(up))
            enter(up, UP_SETTLING);
        break;
    case UP_SERVING:
        fleet_trim_output(&up->fleet);
        break;
    }
}

static int wait_ms(const struct up *up)
{
    uint64_t now = fleet_now_ns(), next = now + MS(1000);
    if (up->phase != UP_SERVING)
        next = now + (up->phase == UP_CREATING ? 0 : MS(100));
    for (size_t i = 0; i < up->fleet.count; i++)
        if (!up->fleet.process[i].pid && up->fleet.process[i].start_at_ns < next)
            next = up->fleet.process[i].start_at_ns;
    if (notify_wake_ns(&up->notify) < next)
        next = notify_wake_ns(&up->notify);
    return next <= now ? 0 : (int)((next - now) / 1000000 + 1);
}

static void take_signals(struct up *up)
{
    struct signalfd_siginfo signal;
    while (read(up->signal_fd, &signal, sizeof signal) == sizeof signal)
        if (signal.ssi_signo != SIGCHLD)
            up->stopping = true;
}

static int supervise(struct up *up)
{
    while (!up->stopping) {
        struct pollfd poll_signal = {up->signal_fd, POLLIN, 0};
        poll(&poll_signal, 1, wait_ms(up));
        notify_alive(&up->notify, fleet_now_ns());
        take_signals(up);
        reap(up);
        if (up->stopping)
            break;
        start_due(up);
        phase_step(up);
    }
    if (up->terminal)
        putchar('\n');
    notify_stopping(&up->notify, "stops in order");
    up_demo_stop(up);
    bool served = up->phase != UP_STARTING;
    bool clean = fleet_stop(&up->fleet, up->signal_fd);
    printf(!served ? "array %s was not started\n"
           : clean ? "array %s is down; nothing is left to resynchronise\n"
                   : "array %s is down, not in order; its next start looks at what was under way\n",
           up->config.array);
    if (served && !clean && up->code == SEGUE_EXIT_DONE)
        up->code = SEGUE_EXIT_FAILED;
    return up->code;
}

/* ---- the command ---- */

static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The child goes on; the parent waits until the array serves, and ends with its word. */
static void detach(struct up *up)
{
    int pipe_fds[2];
    uint8_t code;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid > 0) {
        close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &code, 1) == 1 ? code : SEGUE_EXIT_FAILED);
    }
    close(pipe_fds[0]);
    up->ready_fd = pipe_fds[1];
    if (pid == 0)
        setsid();
}

int segue_up(const struct segue_call *call)
{
    struct up *up = &up_self;
    up->call = call;
    up->ready_fd = -1;
    up->terminal = isatty(STDOUT_FILENO);
    int code = read_config(up);
    if (code != SEGUE_EXIT_DONE)
        return code;
    if (call->flag[SEGUE_FLAG_DETACH])
        detach(up);
    up->signal_fd = block_signals();
    notify_init(&up->notify);
    code = check_state(up);
    up->code = code;
    if (code == SEGUE_EXIT_DONE) {
        fleet_of_config(&up->fleet, &up->config);
        up->begun_ns = fleet_now_ns();
        enter(up, UP_STARTING);
        code = supervise(up);
    }
    tell_ready(up);
    return code;
}
