/* SPDX-License-Identifier: Apache-2.0 */
/* segue support collect: what somebody needs who is to find out what happened: state, events, logs,
 * configuration, control records, the machine. No secret is in it: the configuration names the
 * files of secrets, and those are left out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "programs/segue_fleet.h"
#include "programs/segue_place.h"
#include "programs/segue_request.h"

extern char **environ;

enum { TAIL_BYTES = 16 << 20, ASK_MS = 1000, PATH_BYTES = 2048, SCRATCH_BYTES = 512 };

struct bundle {
    const struct segue_call *call;
    struct config config;
    char directory[SCRATCH_BYTES]; /* where it is put together */
    char name[128];                /* the one directory in the archive */
    unsigned files;
};

static void path_in(const struct bundle *b, const char *file, char *out)
{
    snprintf(out, PATH_BYTES, "%.511s/%.127s/%.1000s", b->directory, b->name, file);
}

/* The end of a file, whatever it is; one that cannot be read is not there. */
static void take_file(struct bundle *b, const char *from, const char *as)
{
    char to[PATH_BYTES], piece[65536];
    struct stat found;
    path_in(b, as, to);
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int out = in < 0 ? -1 : open(to, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (out >= 0 && fstat(in, &found) == 0 && S_ISREG(found.st_mode)) {
        if (found.st_size > TAIL_BYTES)
            lseek(in, -(off_t)TAIL_BYTES, SEEK_END);
        ssize_t length;
        bool good = true;
        while (good && (length = read(in, piece, sizeof piece)) > 0)
            good = write(out, piece, (size_t)length) == length;
        b->files += good;
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

/* Every file of a directory of the state. */
static void take_directory(struct bundle *b, const char *from, const char *as)
{
    char path[PATH_BYTES], file[PATH_BYTES];
    path_in(b, as, path);
    DIR *directory = opendir(from);
    if (!directory || mkdir(path, 0700) != 0) {
        if (directory)
            closedir(directory);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.' || entry->d_type != DT_REG)
            continue;
        snprintf(path, sizeof path, "%.1000s/%s", from, entry->d_name);
        snprintf(file, sizeof file, "%.1000s/%s", as, entry->d_name);
        take_file(b, path, file);
    }
    closedir(directory);
}

static void take_json(struct bundle *b, const json_t *json, const char *as)
{
    char path[PATH_BYTES];
    path_in(b, as, path);
    b->files += json && json_dump_file(json, path, JSON_INDENT(1)) == 0;
}

static void take_machine(struct bundle *b)
{
    struct utsname machine;
    if (uname(&machine) != 0)
        return;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:I}", "segue", SEGUE_VERSION, "kernel", machine.release,
                  "version", machine.version, "machine", machine.machine, "processors",
                  (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
    take_json(b, json, "machine.json");
    json_decref(json);
    static const char *const files[][2] = {{"/proc/meminfo", "meminfo"},
                                           {"/proc/pressure/cpu", "pressure-cpu"},
                                           {"/proc/pressure/io", "pressure-io"},
                                           {"/etc/os-release", "os-release"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        /* these say nothing of their length */
        char text[16384], path[PATH_BYTES];
        FILE *in = fopen(files[i][0], "re");
        size_t length = in ? fread(text, 1, sizeof text, in) : 0;
        if (in)
            fclose(in);
        path_in(b, files[i][1], path);
        FILE *out = length ? fopen(path, "we") : NULL;
        if (out) {
            b->files += fwrite(text, 1, length, out) == length;
            fclose(out);
        }
    }
}

static void take_array(struct bundle *b)
{
    char path[PATH_BYTES];
    size_t answered;
    json_t *status = request_status(&b->config, ASK_MS, &answered);
    take_json(b, status, "status.json");
    json_decref(status);
    take_file(b, b->config.file, "array.yaml");
    snprintf(path, sizeof path, "%s/log", b->config.state);
    take_directory(b, path, "log");
    snprintf(path, sizeof path, "%s/run/fleet.json", b->config.state);
    take_file(b, path, "fleet.json");
    take_directory(b, b->config.register_path, "register");
}

/* 0, or an error number; the archive is readable by its owner only. */
static int pack(const struct bundle *b, const char *file)
{
    char *words[] = {"tar",           "-czf", (char *)file, "-C", (char *)b->directory,
                     (char *)b->name, NULL};
    pid_t pid;
    int wait_status, error;
    mode_t before = umask(077);
    error = posix_spawnp(&pid, "tar", NULL, NULL, words, environ);
    umask(before);
    if (error)
        return error;
    if (waitpid(pid, &wait_status, 0) != pid)
        return errno;
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0 ? 0 : EIO;
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *where)
{
    (void)found, (void)type, (void)where;
    return remove(path);
}

static void say_json(const char *file, unsigned files)
{
    json_t *json = json_pack("{s:s, s:i}", "file", file, "files", (int)files);
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
}

int segue_support_collect(const struct segue_call *call)
{
    static struct bundle bundle; /* too large for a stack */
    struct bundle *b = &bundle;
    char file[PATH_BYTES], path[PATH_BYTES], when[32];
    *b = (struct bundle){.call = call};
    int code = place_find(call, NULL, &b->config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    time_t now = time(NULL);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime(&now));
    snprintf(b->name, sizeof b->name, "segue-%.60s-%s", b->config.array, when);
    snprintf(file, sizeof file, "%s.tar.gz", b->name);
    if (call->arguments)
        snprintf(file, sizeof file, "%s", call->argument[0]);
    const char *scratch = getenv("TMPDIR");
    snprintf(b->directory, sizeof b->directory, "%s/segue-support-XXXXXX",
             scratch && *scratch ? scratch : "/tmp");
    if (!mkdtemp(b->directory))
        return segue_fail(call, SEGUE_EXIT_FAILED, "NO_SCRATCH",
                          "set TMPDIR to a directory with space", "%s cannot be made: %s",
                          b->directory, strerror(errno));
    path_in(b, "", path);
    int error = mkdir(path, 0700) == 0 ? 0 : errno;
    if (!error) {
        take_array(b);
        take_machine(b);
        error = pack(b, file);
    }
    nftw(b->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (error)
        return segue_fail(call, SEGUE_EXIT_FAILED, "NOT_WRITTEN", "name another file", "%s: %s",
                          file, strerror(error));
    if (segue_wants_json(call))
        say_json(file, b->files);
    else
        printf("%s: %u files: state, events, logs, configuration, control records; no secrets\n",
               file, b->files);
    return SEGUE_EXIT_DONE;
}
