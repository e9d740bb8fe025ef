/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

enum { STORE_PATH_BYTES = 512 };

static bool write_whole(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    bool good = write(fd, bytes, length) == (ssize_t)length && fsync(fd) == 0;
    return close(fd) == 0 && good;
}

static bool sync_directory_of(const char *path)
{
    char directory[STORE_PATH_BYTES];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (!slash)
        return false;
    *slash = 0;
    int fd = open(directory[0] ? directory : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

bool store_write(const char *path, const void *bytes, size_t length)
{
    char aside[STORE_PATH_BYTES];
    if ((size_t)snprintf(aside, sizeof aside, "%s.new", path) >= sizeof aside) {
        errno = ENAMETOOLONG;
        return false;
    }
    return write_whole(aside, bytes, length) && rename(aside, path) == 0 && sync_directory_of(path);
}

long store_read(const char *path, void *bytes, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    uint8_t one_more;
    ssize_t length = pread(fd, bytes, capacity, 0);
    bool too_long = length == (ssize_t)capacity && pread(fd, &one_more, 1, length) != 0;
    close(fd);
    return length < 0 || too_long ? -1 : (long)length;
}

/* ---- slots ---- */

/* magic, length, number, bytes, checksum of all that */
enum { SLOTS = 2, SLOT_HEAD_BYTES = 16 };
static const uint8_t slot_magic[4] = {'S', 'G', 'S', 'L'};

struct slots {
    uint8_t bytes[SLOTS][STORE_SLOT_BYTES];
    uint64_t number[SLOTS]; /* 0: that slot is not whole */
};

static void slot_make(uint8_t slot[STORE_SLOT_BYTES], uint64_t number, const void *bytes,
                      size_t length)
{
    memset(slot, 0, STORE_SLOT_BYTES);
    memcpy(slot, slot_magic, sizeof slot_magic);
    be32_put(slot + 4, (uint32_t)length);
    be64_put(slot + 8, number);
    memcpy(slot + SLOT_HEAD_BYTES, bytes, length);
    be32_put(slot + SLOT_HEAD_BYTES + length,
             crc32_iscsi(slot, (int)(SLOT_HEAD_BYTES + length), 0xFFFFFFFFu));
}

/* Its number, 0: it is not whole. */
static uint64_t slot_check(uint8_t slot[STORE_SLOT_BYTES])
{
    uint32_t length = be32_at(slot + 4);
    if (memcmp(slot, slot_magic, sizeof slot_magic) != 0 || length > STORE_BYTES_MAX)
        return 0;
    uint32_t sum = crc32_iscsi(slot, (int)(SLOT_HEAD_BYTES + length), 0xFFFFFFFFu);
    return sum == be32_at(slot + SLOT_HEAD_BYTES + length) ? be64_at(slot + 8) : 0;
}

/* False: the file cannot be read, or is not of our size. */
static bool slots_read(int fd, struct slots *out)
{
    if (pread(fd, out->bytes, sizeof out->bytes, 0) != (ssize_t)sizeof out->bytes)
        return false;
    for (int i = 0; i < SLOTS; i++)
        out->number[i] = slot_check(out->bytes[i]);
    return out->number[0] || out->number[1];
}

static int slot_newest(const struct slots *slots)
{
    return slots->number[0] >= slots->number[1] ? 0 : 1;
}

static bool slot_write(int fd, int slot, const uint8_t bytes[STORE_SLOT_BYTES])
{
    return pwrite(fd, bytes, STORE_SLOT_BYTES, slot * STORE_SLOT_BYTES) == STORE_SLOT_BYTES &&
           fdatasync(fd) == 0;
}

static bool slots_create(const char *path, const void *bytes, size_t length)
{
    uint8_t both[SLOTS][STORE_SLOT_BYTES];
    slot_make(both[0], 1, bytes, length);
    slot_make(both[1], 1, bytes, length);
    return store_write(path, both, sizeof both);
}

bool store_put(const char *path, const void *bytes, size_t length)
{
    struct slots slots;
    if (length > STORE_BYTES_MAX) {
        errno = EMSGSIZE;
        return false;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT && slots_create(path, bytes, length);
    bool good = slots_read(fd, &slots);
    if (good) {
        int newest = slot_newest(&slots), older = 1 - newest;
        slot_make(slots.bytes[older], slots.number[newest] + 1, bytes, length);
        good = slot_write(fd, older, slots.bytes[older]);
    }
    close(fd);
    return good;
}

bool store_settle(const char *path)
{
    struct slots slots;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = slots_read(fd, &slots);
    int newest = slot_newest(&slots);
    if (good && slots.number[0] != slots.number[1])
        good = slot_write(fd, 1 - newest, slots.bytes[newest]);
    close(fd);
    return good;
}

long store_get(const char *path, void *bytes, size_t capacity)
{
    struct slots slots;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    bool good = slots_read(fd, &slots);
    close(fd);
    if (!good)
        return -1;
    const uint8_t *slot = slots.bytes[slot_newest(&slots)];
    uint32_t length = be32_at(slot + 4);
    if (length > capacity)
        return -1;
    memcpy(bytes, slot + SLOT_HEAD_BYTES, length);
    return length;
}
