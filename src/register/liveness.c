/* SPDX-License-Identifier: Apache-2.0 */
#include "register/liveness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ENTRY_NAME_BYTES = 64 };

static void entry_name(uint8_t group, struct member member, const char *prefix,
                       char out[ENTRY_NAME_BYTES])
{
    snprintf(out, ENTRY_NAME_BYTES, "%slive.%u.%u.%016llx", prefix, group + 1u, member.module,
             (unsigned long long)member.incarnation);
}

void liveness_init(struct liveness *liveness, int directory)
{
    memset(liveness, 0, sizeof *liveness);
    liveness->directory = directory;
    for (int g = 0; g < GROUP_MAX; g++)
        for (int m = 0; m < MODULE_MAX; m++)
            liveness->at[g][m].fd = -1;
}

void liveness_end(struct liveness *liveness)
{
    for (uint8_t g = 0; g < GROUP_MAX; g++) {
        for (uint8_t m = 0; m < MODULE_MAX; m++) {
            char name[ENTRY_NAME_BYTES];
            if (liveness->at[g][m].fd < 0)
                continue;
            entry_name(g, liveness->at[g][m].member, "", name);
            unlinkat(liveness->directory, name, 0);
            close(liveness->at[g][m].fd);
        }
    }
}

void liveness_want(struct liveness *liveness, uint8_t group, struct member member)
{
    if (group >= GROUP_MAX || member.module >= MODULE_MAX)
        return;
    liveness->at[group][member.module].member = member;
    liveness->at[group][member.module].wanted = true;
}

/* Removes entries of earlier lives of the same unit that nobody locks. */
static void remove_earlier(const struct liveness *liveness, uint8_t group, struct member member)
{
    char own[ENTRY_NAME_BYTES], prefix[ENTRY_NAME_BYTES];
    entry_name(group, member, "", own);
    snprintf(prefix, sizeof prefix, "live.%u.%u.", group + 1u, member.module);
    int fd = openat(liveness->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || strcmp(entry->d_name, own) == 0)
            continue;
        int earlier = openat(liveness->directory, entry->d_name, O_RDONLY | O_CLOEXEC);
        if (earlier < 0)
            continue;
        if (flock(earlier, LOCK_EX | LOCK_NB) == 0)
            unlinkat(liveness->directory, entry->d_name, 0);
        close(earlier);
    }
    closedir(list);
}

/* The entry gets its name only once it is locked: nobody ever sees it unlocked while we live. */
static int enter(const struct liveness *liveness, uint8_t group, struct member member)
{
    char aside[ENTRY_NAME_BYTES], name[ENTRY_NAME_BYTES];
    entry_name(group, member, ".", aside);
    entry_name(group, member, "", name);
    unlinkat(liveness->directory, aside, 0);
    int fd = openat(liveness->directory, aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) ||
        renameat(liveness->directory, aside, liveness->directory, name)) {
        unlinkat(liveness->directory, aside, 0);
        close(fd);
        return -1;
    }
    return fd;
}

bool liveness_settle(struct liveness *liveness)
{
    bool all = true;
    for (uint8_t g = 0; g < GROUP_MAX; g++) {
        for (uint8_t m = 0; m < MODULE_MAX; m++) {
            if (!liveness->at[g][m].wanted)
                continue;
            int fd = enter(liveness, g, liveness->at[g][m].member);
            if (fd < 0) {
                all = false;
                continue;
            }
            if (liveness->at[g][m].fd >= 0)
                close(liveness->at[g][m].fd);
            liveness->at[g][m].fd = fd;
            liveness->at[g][m].wanted = false;
            remove_earlier(liveness, g, liveness->at[g][m].member);
        }
    }
    return all;
}

bool liveness_of(const struct liveness *liveness, uint8_t group, struct member member)
{
    char name[ENTRY_NAME_BYTES];
    entry_name(group, member, "", name);
    int fd = openat(liveness->directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT;
    bool over = flock(fd, LOCK_SH | LOCK_NB) == 0;
    close(fd);
    return !over;
}
