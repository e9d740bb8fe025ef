/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_strike.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manage/status_json.h"

/* A tray's drives take nothing new behind their heads; the small files of the process still fit. A
 * module's files are all small: nothing goes into the register any more. */
enum { TRAY_LIMIT_BYTES = 1 << 20 };

static enum drill_struck refuse(char *why, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum drill_struck refuse(char *why, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, bytes, format, arguments);
    va_end(arguments);
    return DRILL_STRUCK_FAILED;
}

static enum drill_struck send_signal(const struct drill_fault *f, int number, char *why,
                                     size_t bytes)
{
    if (kill(f->pid, number) == 0)
        return DRILL_STRUCK_STANDS;
    return refuse(why, bytes, "cannot send a signal to %s (process %d): %s", f->part, f->pid,
                  strerror(errno));
}

/* ---- planned takeover ---- */

/* This very program, as `segue group move GROUP MODULE`. */
static enum drill_struck move(struct drill_fault *f, const struct drill_plan *plan, char *why,
                              size_t bytes)
{
    char group[sizeof f->part], *module;
    snprintf(group, sizeof group, "%s", f->part);
    module = strchr(group, ':');
    if (!module)
        return refuse(why, bytes, "a move is asked for as GROUP:MODULE, not %s", f->part);
    *module++ = 0;
    const char *words[] = {"segue", "group",   "move",          group,
                           module,  "--state", plan->directory, NULL};
    f->pid = (int)fork();
    if (f->pid != 0)
        return f->pid > 0 ? DRILL_STRUCK_STANDS
                          : refuse(why, bytes, "cannot start segue: %s", strerror(errno));
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)(uintptr_t)words);
    _exit(127);
}

static enum drill_struck move_step(const struct drill_fault *f, char *why, size_t bytes)
{
    int status;
    pid_t ended = waitpid(f->pid, &status, WNOHANG);
    if (ended == f->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return DRILL_STRUCK_OVER;
    return ended == 0 ? DRILL_STRUCK_STANDS
                      : refuse(why, bytes, "segue group move was refused: %s", f->part);
}

/* ---- links ---- */

static int dial(const struct drill_plan *plan, const char *process)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/run/%s.sock", plan->directory,
                     process);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool order_cut(struct drill_fault *f, const char *to, uint64_t length_ns)
{
    char line[160];
    int n =
        snprintf(line, sizeof line, "{\"verb\":\"cut\",\"to\":\"%s\",\"how\":\"%s\",\"ms\":%llu}\n",
                 to, *f->how ? f->how : "refused", (unsigned long long)(length_ns / 1000000));
    f->order_left++;
    return send(f->order_fd, line, (size_t)n, MSG_NOSIGNAL) == n;
}

/* All links of the process that its own answer names. */
static bool order_all(struct drill_fault *f, const struct drill_peers *peers, uint64_t length_ns)
{
    size_t i;
    json_t *link;
    const json_t *answer = drill_peers_answer_of(peers, f->process);
    bool good = true;
    json_array_foreach(json_object_get(answer, "links"), i, link)
    {
        if (status_flag_of(link, "up"))
            good = order_cut(f, status_text_of(link, "process"), length_ns) && good;
    }
    return good;
}

static enum drill_struck cut(struct drill_fault *f, const struct drill_plan *plan,
                             const struct drill_peers *peers, uint64_t length_ns, char *why,
                             size_t bytes)
{
    char to[16] = "", other[DRILL_PART] = "";
    int pid;
    const char *dash = strchr(f->part, '-');
    if (dash)
        snprintf(other, sizeof other, "%s", dash + 1);
    if (dash && !drill_peers_find(peers, other, to, sizeof to, &pid))
        return refuse(why, bytes, "no process runs this part: %s", other);
    f->order_fd = dial(plan, f->process);
    if (f->order_fd < 0)
        return refuse(why, bytes, "process %s cannot be asked: %s", f->process, strerror(errno));
    if (*to ? order_cut(f, to, length_ns) : order_all(f, peers, length_ns))
        return DRILL_STRUCK_STANDS;
    return refuse(why, bytes, "process %s does not take the request", f->process);
}

static void hang_up(struct drill_fault *f)
{
    if (f->order_fd >= 0)
        close(f->order_fd);
    f->order_fd = -1;
}

/* Each answer is a line; its process ends the cut by itself. */
static enum drill_struck cut_step(struct drill_fault *f, bool is_time, char *why, size_t bytes)
{
    char text[1024];
    ssize_t n = f->order_left ? recv(f->order_fd, text, sizeof text - 1, MSG_DONTWAIT) : 0;
    if (n > 0) {
        text[n] = 0;
        if (strstr(text, "refused\""))
            return refuse(why, bytes, "%s cannot be cut: %.200s", f->part, text);
        for (const char *at = text; f->order_left && (at = strchr(at, '\n')); at++)
            f->order_left--;
    }
    if (!is_time)
        return DRILL_STRUCK_STANDS;
    if (f->order_left)
        return refuse(why, bytes, "process %s has not answered the request to cut links",
                      f->process);
    hang_up(f);
    return DRILL_STRUCK_OVER;
}

/* ---- drives ---- */

static const json_t *find_drive(const struct drill_peers *peers, const char *name)
{
    for (size_t p = 0; p < drill_peers_count(peers); p++) {
        size_t l;
        json_t *loop;
        json_array_foreach(json_object_get(drill_peers_answer(peers, p), "loops"), l, loop)
        {
            const json_t *drive = status_find(json_object_get(loop, "drives"), "name", name);
            if (drive)
                return drive;
        }
    }
    return NULL;
}

static void aside(const struct drill_fault *f, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s.pulled", f->path);
}

static enum drill_struck pull(struct drill_fault *f, const struct drill_peers *peers, char *why,
                              size_t bytes)
{
    char out[sizeof f->path + 8];
    const json_t *drive = find_drive(peers, f->part);
    if (!drive)
        return refuse(why, bytes, "the array has no drive %s", f->part);
    snprintf(f->path, sizeof f->path, "%s", status_text_of(drive, "path"));
    aside(f, out, sizeof out);
    if (rename(f->path, out) == 0)
        return DRILL_STRUCK_STANDS;
    enum drill_struck refused =
        refuse(why, bytes, "drive %s: %s cannot be renamed: %s", f->part, f->path, strerror(errno));
    *f->path = 0;
    return refused;
}

static void put_back(struct drill_fault *f)
{
    char out[sizeof f->path + 8];
    aside(f, out, sizeof out);
    if (*f->path && rename(out, f->path) != 0)
        fprintf(stderr, "segue: drill: put the drive back yourself: mv %s %s\n", out, f->path);
    *f->path = 0;
}

static bool set_limit(int pid, uint64_t bytes, uint64_t *before)
{
    struct rlimit limit;
    if (prlimit((pid_t)pid, RLIMIT_FSIZE, NULL, &limit) != 0)
        return false;
    if (before)
        *before = limit.rlim_cur;
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    return prlimit((pid_t)pid, RLIMIT_FSIZE, &limit, NULL) == 0;
}

static enum drill_struck fill_up(struct drill_fault *f, const struct drill_peers *peers, char *why,
                                 size_t bytes)
{
    const json_t *answer = drill_peers_answer_of(peers, f->process);
    bool tray = json_array_size(json_object_get(answer, "loops")) > 0;
    if (set_limit(f->pid, tray ? TRAY_LIMIT_BYTES : 0, &f->limit))
        return DRILL_STRUCK_STANDS;
    return refuse(why, bytes, "the file size limit of %s cannot be set: %s", f->part,
                  strerror(errno));
}

/* ---- each kind ---- */

static bool is_of_process(enum drill_fault_kind kind)
{
    return kind != DRILL_FAULT_MOVE && kind != DRILL_FAULT_PULL;
}

static void tell_role(struct drill_fault *f, const struct drill_peers *peers)
{
    static const struct {
        const char *list, *role;
    } roles[] = {{"units", "module"}, {"loops", "tray"}, {"switches", "switch"}};
    const json_t *answer = drill_peers_answer_of(peers, f->process);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0] && !*f->role; i++)
        if (json_array_size(json_object_get(answer, roles[i].list)))
            snprintf(f->role, sizeof f->role, "%s", roles[i].role);
}

enum drill_struck drill_strike(struct drill_fault *f, const struct drill_plan *plan,
                               const struct drill_peers *peers, uint64_t now_ns, char *why,
                               size_t why_bytes)
{
    char part[DRILL_PART];
    f->order_fd = -1;
    if (!f->length_ns)
        f->length_ns = plan->hang_ns;
    snprintf(part, sizeof part, "%.*s",
             (int)strcspn(f->part, f->kind == DRILL_FAULT_CUT ? "-" : ""), f->part);
    if (is_of_process(f->kind) &&
        !drill_peers_find(peers, part, f->process, sizeof f->process, &f->pid))
        return refuse(why, why_bytes, "no process runs this part: %s", part);
    tell_role(f, peers);
    f->at_ns = now_ns;
    switch (f->kind) {
    case DRILL_FAULT_KILL:
        return send_signal(f, SIGKILL, why, why_bytes);
    case DRILL_FAULT_RESTART:
        return send_signal(f, SIGTERM, why, why_bytes);
    case DRILL_FAULT_HANG:
        return send_signal(f, SIGSTOP, why, why_bytes);
    case DRILL_FAULT_MOVE:
        return move(f, plan, why, why_bytes);
    case DRILL_FAULT_CUT:
        return cut(f, plan, peers, f->length_ns, why, why_bytes);
    case DRILL_FAULT_PULL:
        return pull(f, peers, why, why_bytes);
    case DRILL_FAULT_FULL:
        return fill_up(f, peers, why, why_bytes);
    case DRILL_FAULT_KINDS:
        break;
    }
    return refuse(why, why_bytes, "there is no such fault");
}

static enum drill_struck new_life(const struct drill_fault *f, const struct drill_peers *peers)
{
    char process[16];
    int pid = 0;
    return drill_peers_find(peers, f->process, process, sizeof process, &pid) && pid != f->pid
               ? DRILL_STRUCK_OVER
               : DRILL_STRUCK_STANDS;
}

enum drill_struck drill_strike_step(struct drill_fault *f, struct drill_peers *peers,
                                    uint64_t now_ns, char *why, size_t why_bytes)
{
    bool is_time = now_ns >= f->at_ns + f->length_ns;
    switch (f->kind) {
    case DRILL_FAULT_KILL:
    case DRILL_FAULT_RESTART:
        return new_life(f, peers);
    case DRILL_FAULT_MOVE:
        return move_step(f, why, why_bytes);
    case DRILL_FAULT_CUT:
        return cut_step(f, is_time, why, why_bytes);
    case DRILL_FAULT_HANG:
    case DRILL_FAULT_PULL:
    case DRILL_FAULT_FULL:
    case DRILL_FAULT_KINDS:
        break;
    }
    if (!is_time)
        return DRILL_STRUCK_STANDS;
    drill_strike_undo(f);
    return DRILL_STRUCK_OVER;
}

void drill_strike_undo(struct drill_fault *f)
{
    switch (f->kind) {
    case DRILL_FAULT_HANG:
        kill(f->pid, SIGCONT);
        return;
    case DRILL_FAULT_PULL:
        put_back(f);
        return;
    case DRILL_FAULT_FULL:
        set_limit(f->pid, f->limit, NULL);
        return;
    case DRILL_FAULT_CUT: /* it ends by itself */
        hang_up(f);
        return;
    case DRILL_FAULT_KILL:
    case DRILL_FAULT_RESTART:
    case DRILL_FAULT_MOVE:
    case DRILL_FAULT_KINDS:
        return;
    }
}
