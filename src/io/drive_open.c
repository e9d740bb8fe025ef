/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a drive: making its file, O_DIRECT or not, the lock, its size and smallest request. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/drives_state.h"

enum { LOCK_TRIES = 40, LOCK_PAUSE_NS = 50000000, DRIVE_BYTES_MIN = 1 << 20, BLOCK_LARGE = 4096 };

static void pause_for_lock(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
}

static int make_parents(const char *path)
{
    char part[DRIVE_PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return 0;
}

/* The name of a new file outlives a loss of power. */
static int sync_parent(const char *path)
{
    char parent[DRIVE_PATH_BYTES];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        return 0;
    slash[slash == parent] = 0;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int error = fsync(fd);
    close(fd);
    return error;
}

/* The file appears with its whole size or not at all. */
static int make_file(const char *path, uint64_t bytes)
{
    char aside[DRIVE_PATH_BYTES + 8];
    snprintf(aside, sizeof aside, "%s.new", path);
    if (make_parents(path))
        return -1;
    int fd = open(aside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    int error =
        ftruncate(fd, (off_t)bytes) || fsync(fd) || rename(aside, path) || sync_parent(path);
    int kept = errno;
    close(fd);
    errno = kept;
    return error ? -1 : 0;
}

/* A device that is mounted or otherwise in use is refused by O_EXCL; also one of a process that is
 * just ending. */
static int open_patiently(const char *path, int flags)
{
    struct stat facts;
    if (stat(path, &facts) == 0 && S_ISBLK(facts.st_mode))
        flags |= O_EXCL;
    for (int i = 0;; i++) {
        int fd = open(path, flags);
        if (fd >= 0 || errno != EBUSY || i == LOCK_TRIES)
            return fd;
        pause_for_lock();
    }
}

static bool lock_patiently(int fd)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK)
            return false;
        pause_for_lock();
    }
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Smallest direct request that the file system takes, by trying; 0: none. */
static uint32_t probe_direct(int fd)
{
    uint8_t *memory = aligned_alloc(BLOCK_LARGE, 2 * BLOCK_LARGE);
    if (!memory)
        return 0;
    uint32_t block = 0;
    if (pread(fd, memory + 512, 512, 512) == 512)
        block = 512;
    else if (pread(fd, memory, BLOCK_LARGE, BLOCK_LARGE) == BLOCK_LARGE)
        block = BLOCK_LARGE;
    free(memory);
    return block;
}

static void make_serial(const char *path, char out[DRIVE_SERIAL_BYTES])
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (const char *p = path; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 0x100000001B3u;
    snprintf(out, DRIVE_SERIAL_BYTES, "F%016llX", (unsigned long long)hash);
}

static int find_size(int fd, struct drive_facts *facts)
{
    struct stat st;
    if (fstat(fd, &st))
        return -1;
    facts->is_block_device = S_ISBLK(st.st_mode);
    facts->bytes = (uint64_t)st.st_size;
    if (facts->is_block_device && ioctl(fd, BLKGETSIZE64, &facts->bytes))
        return -1;
    if (!facts->is_block_device && !S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    facts->bytes -= facts->bytes % BLOCK_LARGE;
    return 0;
}

/* Falls back to the page cache where O_DIRECT is not taken. */
static int open_best(const char *path, struct drive_facts *facts)
{
    int fd = open_patiently(path, O_RDWR | O_CLOEXEC | O_DIRECT);
    facts->block_bytes = fd >= 0 ? probe_direct(fd) : 0;
    facts->direct = facts->block_bytes != 0;
    if (facts->direct)
        return fd;
    if (fd >= 0)
        close(fd);
    else if (errno != EINVAL)
        return -1;
    facts->block_bytes = 512;
    return open_patiently(path, O_RDWR | O_CLOEXEC);
}

static int refuse(const struct drive *drive, int fd, char *sentence, size_t bytes, const char *why)
{
    snprintf(sentence, bytes, "drive %s: %s %s", drive->open.name, drive->open.path, why);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int refuse_open(const struct drive *drive, char *sentence, size_t bytes)
{
    char why[160];
    snprintf(why, sizeof why, "cannot be opened: %s%s", strerror(errno),
             errno == ENOENT  ? "; put the file there, or give its size so that it is made"
             : errno == EBUSY ? "; it is mounted or used by another program"
                              : "");
    return refuse(drive, -1, sentence, bytes, why);
}

int drive_open_file(struct drive *drive, struct trace *trace, char *sentence, size_t sentence_bytes)
{
    const struct drive_open *open = &drive->open;
    drive->fd = -1;
    make_serial(open->path, drive->facts.serial);
    bool missing = access(open->path, F_OK) != 0 && errno == ENOENT;
    if (missing && open->may_be_missing) {
        trace_error(trace, "drive %s is offline: %s is not there", open->name, open->path);
        return 0;
    }
    if (missing && open->create_bytes && make_file(open->path, open->create_bytes)) {
        char why[128];
        snprintf(why, sizeof why, "cannot be made: %s", strerror(errno));
        return refuse(drive, -1, sentence, sentence_bytes, why);
    }
    int fd = open_best(open->path, &drive->facts);
    if (fd < 0 && open->may_be_missing) {
        trace_error(trace, "drive %s is offline: %s: %s", open->name, open->path, strerror(errno));
        return 0;
    }
    if (fd < 0)
        return refuse_open(drive, sentence, sentence_bytes);
    if (!lock_patiently(fd))
        return refuse(drive, fd, sentence, sentence_bytes,
                      "is used by another process; end that, or take another file");
    if (find_size(fd, &drive->facts) || drive->facts.bytes < DRIVE_BYTES_MIN)
        return refuse(drive, fd, sentence, sentence_bytes,
                      "is no file or block device of at least 1 MiB");
    signature_find(open->path, drive->facts.signature);
    drive->fd = fd;
    drive->facts.online = true;
    return 0;
}

int drives_look(const char *path, struct drive_facts *facts)
{
    *facts = (struct drive_facts){0};
    int fd = access(path, F_OK) == 0 ? open_best(path, facts) : -1;
    if (fd < 0)
        return -1;
    if (!lock_patiently(fd) || find_size(fd, facts) || facts->bytes < DRIVE_BYTES_MIN) {
        close(fd);
        return -1;
    }
    make_serial(path, facts->serial);
    signature_find(path, facts->signature);
    facts->online = true;
    return fd;
}
