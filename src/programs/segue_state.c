/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue_state.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "register/register.h"

enum { PATH_BYTES = CONFIG_PATH + 64 };

static int complain(char *sentence, size_t bytes, const char *path, const char *what)
{
    snprintf(sentence, bytes, "%s: %s; %s", path, strerror(errno), what);
    return -1;
}

/* Makes the directory and those above it. */
static int make_directories(const char *path)
{
    char part[PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(part, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

static bool has_file(const char *state, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", state, name);
    return access(path, F_OK) == 0;
}

/* A file of one line, complete or not there at all. */
static bool write_file(const char *state, const char *name, const char *line)
{
    char path[PATH_BYTES], aside[PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s/%s", state, name);
    snprintf(aside, sizeof aside, "%s.new", path);
    FILE *file = fopen(aside, "we");
    if (!file)
        return false;
    bool written = fprintf(file, "%s\n", line) > 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && written && rename(aside, path) == 0;
}

static void read_file(const char *state, const char *name, char *out, size_t bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", state, name);
    FILE *file = fopen(path, "re");
    *out = 0;
    if (file && fgets(out, (int)bytes, file))
        out[strcspn(out, "\n")] = 0;
    if (file)
        fclose(file);
}

/* Nothing but what an array puts there itself. */
static bool is_empty(const char *state)
{
    static const char *const ours[] = {".",   "..",  "drives",   "register",
                                       "run", "log", "creating", "creating.new"};
    DIR *directory = opendir(state);
    bool empty = directory != NULL;
    for (struct dirent *entry; empty && (entry = readdir(directory));) {
        bool known = false;
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
            known = known || strcmp(ours[i], entry->d_name) == 0;
        empty = known;
    }
    if (directory)
        closedir(directory);
    return empty;
}

int state_prepare(const struct config *config, bool *fresh, char *sentence, size_t bytes)
{
    static const char *const folders[] = {"drives", "run", "log"};
    const char *state = config->state;
    char name[NAME_BYTES + 8];
    if (make_directories(state) != 0)
        return complain(sentence, bytes, state, "correct state: or the rights of the directory");
    *fresh = !has_file(state, "array");
    read_file(state, *fresh ? "creating" : "array", name, sizeof name);
    if (*name && strcmp(name, config->array) != 0) {
        snprintf(sentence, bytes,
                 "%s: this is the state of array %s, and %s describes %s; give it another state "
                 "directory",
                 state, name, config->file, config->array);
        return -1;
    }
    if (*fresh && !*name && !is_empty(state)) {
        snprintf(sentence, bytes,
                 "%s: the directory has files that are not an array's; name an empty or new one",
                 state);
        return -1;
    }
    if (*fresh && !write_file(state, "creating", config->array))
        return complain(sentence, bytes, state, "correct the rights of the directory");
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", state, folders[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return complain(sentence, bytes, path, "correct the rights of the directory");
    }
    return 0;
}

static int create_drive(const struct config_drive *drive, char *sentence, size_t bytes)
{
    if (!drive->create_bytes || access(drive->path, F_OK) == 0)
        return 0;
    int fd = open(drive->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)drive->create_bytes) != 0 || fsync(fd) != 0) {
        complain(sentence, bytes, drive->path, "the drive file cannot be made");
        if (fd >= 0) {
            close(fd);
            unlink(drive->path);
        }
        return -1;
    }
    close(fd);
    return 0;
}

int state_create(const struct config *config, char *sentence, size_t bytes)
{
    char creating[PATH_BYTES], array[PATH_BYTES];
    for (int l = 0; l < config->loops; l++)
        for (int i = 0; i < config->loop[l].drives; i++)
            if (create_drive(&config->loop[l].drive[i], sentence, bytes) != 0)
                return -1;
    for (uint8_t g = 0; g < config->groups; g++) {
        struct record first = {.generation = 1,
                               .group = g,
                               .primary = member_none(),
                               .dirty = member_none(),
                               .owner = config->group[g].owner,
                               .clean = true};
        /* one that an earlier start wrote before it was cut short has never been used */
        if (register_exists(config->register_path, g) != 1 &&
            register_create(config->register_path, &first, sentence, bytes) != 0)
            return -1;
    }
    snprintf(creating, sizeof creating, "%s/creating", config->state);
    snprintf(array, sizeof array, "%s/array", config->state);
    if (rename(creating, array) != 0)
        return complain(sentence, bytes, array, "correct the rights of the directory");
    return 0;
}

int state_check(const struct config *config, char *sentence, size_t bytes)
{
    for (uint8_t g = 0; g < config->groups; g++) {
        int found = register_exists(config->register_path, g);
        if (found == 1)
            continue;
        snprintf(sentence, bytes,
                 found == 0
                     ? "%s: the control record of group %s is gone; bring the directory back "
                       "from where it went, since without it nobody knows who may serve"
                     : "%s: the control record of group %s cannot be read; check the "
                       "directory and its rights",
                 config->register_path, config->group[g].name);
        return -1;
    }
    return 0;
}

int state_lock(const char *state, pid_t *holder)
{
    char path[PATH_BYTES], pid[32];
    snprintf(path, sizeof path, "%s/run/up.lock", state);
    *holder = -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK) {
        read_file(state, "run/up.pid", pid, sizeof pid);
        *holder = atoi(pid);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

pid_t state_lock_holder(const char *state)
{
    char path[PATH_BYTES], pid[32];
    snprintf(path, sizeof path, "%s/run/up.lock", state);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return 0;
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    if (!held)
        return 0;
    read_file(state, "run/up.pid", pid, sizeof pid);
    return atoi(pid);
}

bool state_is_created(const char *state)
{
    return has_file(state, "created");
}

bool state_set_created(const char *state)
{
    return write_file(state, "created", "create: was carried out");
}

/* Could a part listen at "address:port"? 0, or an errno. */
static int try_port(const char *text)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {0};
    char host[64];
    const char *colon = strrchr(text, ':');
    bool six = text[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2 * six, text + six);
    uint16_t port = htons((uint16_t)atoi(colon + 1));
    if (six)
        address.six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    else
        address.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    if (inet_pton(address.any.sa_family, host,
                  six ? (void *)&address.six.sin6_addr : (void *)&address.four.sin_addr) != 1)
        return EINVAL;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, error = 0;
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, &address.any, six ? sizeof address.six : sizeof address.four) != 0 ||
        listen(fd, 1) != 0)
        error = errno;
    close(fd);
    return error;
}

int state_check_ports(const struct config *config, char *sentence, size_t bytes)
{
    for (int s = 0; s < config->switches; s++)
        for (int p = 0; p < config->iswitch[s].portals; p++) {
            const char *portal = config->iswitch[s].portal[p];
            int error = try_port(portal);
            if (!error)
                continue;
            snprintf(sentence, bytes, "%s:%u: parts.switches.portals: %s: %s; %s", config->file,
                     config->iswitch[s].portal_line[p], portal, strerror(error),
                     error == EADDRINUSE ? "stop what listens there, or take another port"
                                         : "take an address of this machine");
            return -1;
        }
    for (int i = 0; i < config->processes; i++) {
        const char *link = config->process[i].link;
        int error = strncmp(link, "tcp:", 4) == 0 ? try_port(link + 4) : 0;
        if (!error)
            continue;
        snprintf(sentence, bytes, "%s: link of process %s: %s: %s; %s", config->file,
                 config->process[i].name, link, strerror(error),
                 error == EADDRINUSE ? "take another link_port" : "correct the address");
        return -1;
    }
    return 0;
}
