/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void statefile_path(const struct config *config, const char *name, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s/manage/%s", config->state, name);
}

json_t *statefile_load(const struct config *config, const char *name)
{
    char path[STATEFILE_PATH];
    statefile_path(config, name, path, sizeof path);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return json_array();
    json_t *content = json_load_file(path, 0, NULL);
    if (json_is_array(content))
        return content;
    json_decref(content);
    return NULL;
}

static bool make_directory(const struct config *config)
{
    char path[STATEFILE_PATH];
    statefile_path(config, "", path, sizeof path);
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool write_whole(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text += written;
        left -= (size_t)written;
    }
    return fsync(fd) == 0;
}

static bool sync_directory(const struct config *config)
{
    char path[STATEFILE_PATH];
    statefile_path(config, "", path, sizeof path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

bool statefile_save(const struct config *config, const char *name, const json_t *content)
{
    char path[STATEFILE_PATH], aside[STATEFILE_PATH + 8];
    statefile_path(config, name, path, sizeof path);
    snprintf(aside, sizeof aside, "%s.new", path);
    char *text = make_directory(config) ? json_dumps(content, JSON_INDENT(1)) : NULL;
    int fd = text ? open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool written = fd >= 0 && write_whole(fd, text);
    if (fd >= 0)
        written = close(fd) == 0 && written;
    free(text);
    return written && rename(aside, path) == 0 && sync_directory(config);
}

int statefile_lock(const struct config *config, const char *name)
{
    char path[STATEFILE_PATH + 8];
    if (!make_directory(config))
        return -1;
    statefile_path(config, name, path, sizeof path - 8);
    strcat(path, ".lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0)
        if (errno != EINTR) {
            close(fd);
            return -1;
        }
    return fd;
}
