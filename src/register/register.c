/* SPDX-License-Identifier: Apache-2.0 */
/* The file register. What makes it linearizable:
 *
 * R1  A record file has its final name only once it is whole and durable: link(2) after fdatasync,
 * of a file whose size and blocks were made durable before, perhaps long before. R2  link(2) fails
 * where the name is there: one writer for each generation. R3  A process that was stopped before
 * its link, until the generation that it wants was pruned, would find the name free. So a swap
 * looks again after its link: it stands only if its generation is the highest, or the generation
 * that it replaced is still there (what is pruned is pruned from the oldest on, so nothing above
 * that one had been). R4  What is answered is durable: the directory is fsynced after a link, and
 * before a generation that somebody else linked is told for the first time.
 */
#include "register/register.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "register/liveness.h"

enum {
    FILE_NAME_BYTES = 64,
    RECORDS_KEPT = 16,
    LOOKS_MAX = 8,
    LEFT_OVER_SECONDS = 3600,
    RECORD_FILE_BYTES = 4096, /* always: so that a file made ready beforehand fits */
};

struct control_register {
    int directory;
    uint64_t writer;
    struct liveness liveness;
    uint64_t durable[GROUP_MAX]; /* generation up to which the directory was fsynced */
    bool prepared[GROUP_MAX];    /* the file aside is there, whole and durable, of zeroes */
};

/* What is found of a group's record. */
struct finding {
    enum register_result result; /* OK, UNKNOWN or DAMAGED */
    uint64_t generation;         /* of the newest file, 0: none */
    struct record record;
};

static void record_name(uint8_t group, uint64_t generation, char out[FILE_NAME_BYTES])
{
    snprintf(out, FILE_NAME_BYTES, "g%u.%016llx", group + 1u, (unsigned long long)generation);
}

/* The generation that a file name says, 0: it is no record of that group. */
static uint64_t generation_of_name(uint8_t group, const char *name)
{
    unsigned found_group = 0;
    unsigned long long generation = 0;
    int length = 0;
    if (sscanf(name, "g%u.%16llx%n", &found_group, &generation, &length) != 2 ||
        name[length] != 0 || found_group != group + 1u)
        return 0;
    char same[FILE_NAME_BYTES];
    record_name(group, generation, same);
    return strcmp(name, same) == 0 ? generation : 0;
}

static DIR *list_directory(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *list = fdopendir(fd);
    if (!list)
        close(fd);
    return list;
}

/* 0, or -1: it cannot be told. */
static int find_newest(int directory, uint8_t group, uint64_t *newest)
{
    *newest = 0;
    DIR *list = list_directory(directory);
    if (!list)
        return -1;
    errno = 0;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        uint64_t generation = generation_of_name(group, entry->d_name);
        if (generation > *newest)
            *newest = generation;
    }
    int error = errno;
    closedir(list);
    return error ? -1 : 0;
}

static bool is_there(int directory, uint8_t group, uint64_t generation)
{
    char name[FILE_NAME_BYTES];
    record_name(group, generation, name);
    return faccessat(directory, name, F_OK, 0) == 0 || errno != ENOENT;
}

/* 1: it was read; 0: it is not there any more; -1: error. */
static int read_file(int directory, const char *name, uint8_t *bytes, size_t capacity,
                     uint32_t *length)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    ssize_t got = pread(fd, bytes, capacity, 0);
    close(fd);
    if (got < 0)
        return -1;
    *length = (uint32_t)got;
    return 1;
}

static bool decode_file(const uint8_t *bytes, uint32_t length, struct record *out)
{
    if (length != RECORD_FILE_BYTES)
        return false;
    uint32_t record_length = be32_at(bytes);
    return record_length <= RECORD_BYTES_MAX && record_decode(bytes + 4, record_length, out);
}

static void look(int directory, uint8_t group, struct finding *out)
{
    uint8_t bytes[RECORD_FILE_BYTES + 1];
    uint32_t length = 0;
    for (int i = 0; i < LOOKS_MAX; i++) {
        memset(out, 0, sizeof *out);
        out->result = REGISTER_UNKNOWN;
        if (find_newest(directory, group, &out->generation))
            return;
        out->result = REGISTER_OK;
        if (out->generation == 0)
            return;
        char name[FILE_NAME_BYTES];
        record_name(group, out->generation, name);
        int got = read_file(directory, name, bytes, sizeof bytes, &length);
        if (got == 0) /* pruned in this moment: there are newer ones */
            continue;
        if (got < 0)
            out->result = REGISTER_UNKNOWN;
        else if (!decode_file(bytes, length, &out->record) || out->record.group != group ||
                 out->record.generation != out->generation)
            out->result = REGISTER_DAMAGED;
        return;
    }
    out->result = REGISTER_UNKNOWN;
}

/* ---- writing ---- */

/* `writer` is a number that no other writer has: nobody else touches the file. */
static void aside_name(uint64_t writer, uint8_t group, char out[FILE_NAME_BYTES])
{
    snprintf(out, FILE_NAME_BYTES, ".new.g%u.%016llx", group + 1u, (unsigned long long)writer);
}

static int take_writer_number(uint64_t *writer)
{
    return getrandom(writer, sizeof *writer, 0) == sizeof *writer ? 0 : -1;
}

static bool write_file(int fd, const uint8_t bytes[RECORD_FILE_BYTES])
{
    return pwrite(fd, bytes, RECORD_FILE_BYTES, 0) == RECORD_FILE_BYTES && fdatasync(fd) == 0;
}

/* The file aside, of its whole size, so that a record later only has to be written into it. */
static int make_aside(int directory, uint64_t writer, uint8_t group)
{
    static const uint8_t zeroes[RECORD_FILE_BYTES];
    char aside[FILE_NAME_BYTES];
    aside_name(writer, group, aside);
    unlinkat(directory, aside, 0);
    int fd = openat(directory, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    bool good = write_file(fd, zeroes);
    close(fd);
    return good ? 0 : -1;
}

/* The record in the file aside, durable. */
static int write_aside(int directory, uint64_t writer, const struct record *record)
{
    uint8_t bytes[RECORD_FILE_BYTES] = {0};
    char aside[FILE_NAME_BYTES];
    be32_put(bytes, record_encode(record, bytes + 4));
    aside_name(writer, record->group, aside);
    int fd = openat(directory, aside, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct stat facts; /* with another name it is a record already: never write into it */
    bool good = fstat(fd, &facts) == 0 && facts.st_nlink == 1 && write_file(fd, bytes);
    close(fd);
    return good ? 0 : -1;
}

void register_prepare(struct control_register *reg, uint8_t group)
{
    if (!reg->prepared[group])
        reg->prepared[group] = make_aside(reg->directory, reg->writer, group) == 0;
}

/* 1: linked; 0: the name is taken; -1: error, nothing is linked. */
static int link_record(int directory, uint64_t writer, uint8_t group, uint64_t generation)
{
    char name[FILE_NAME_BYTES], aside[FILE_NAME_BYTES];
    aside_name(writer, group, aside);
    record_name(group, generation, name);
    int error = linkat(directory, aside, directory, name, 0) ? errno : 0;
    unlinkat(directory, aside, 0);
    if (error == 0)
        return 1;
    return error == EEXIST ? 0 : -1;
}

/* ---- creating ---- */

static int refuse(char *sentence, size_t bytes, const char *directory, const char *why)
{
    snprintf(sentence, bytes, "register %s: %s", directory, why);
    return -1;
}

int register_exists(const char *directory, uint8_t group)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    uint64_t newest;
    int error = find_newest(fd, group, &newest);
    close(fd);
    return error ? -1 : newest != 0;
}

static int make_directory(const char *directory)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s", directory) >= sizeof path)
        return -1;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0777) && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(path, 0777) && errno != EEXIST ? -1 : 0;
}

int register_create(const char *directory, const struct record *first, char *sentence,
                    size_t sentence_bytes)
{
    if (make_directory(directory))
        return refuse(sentence, sentence_bytes, directory, strerror(errno));
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return refuse(sentence, sentence_bytes, directory, strerror(errno));
    struct finding found;
    look(fd, first->group, &found);
    const char *why = NULL;
    uint64_t writer;
    if (found.result == REGISTER_UNKNOWN)
        why = "it cannot be read";
    else if (found.generation != 0)
        why = "the group has a record already; it is never made anew";
    else if (take_writer_number(&writer))
        why = "no random number is to be had";
    else if (make_aside(fd, writer, first->group) || write_aside(fd, writer, first))
        why = strerror(errno);
    else if (link_record(fd, writer, first->group, 1) != 1)
        why = "the first record cannot be linked to its name";
    else if (fsync(fd))
        why = strerror(errno);
    close(fd);
    return why ? refuse(sentence, sentence_bytes, directory, why) : 0;
}

/* ---- opening ---- */

/* Files aside of writers that were killed. One that is still written to would only make that swap
 * fail, so an hour is enough to tell. */
static void remove_left_over(int directory)
{
    DIR *list = list_directory(directory);
    if (!list)
        return;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        struct stat facts;
        if (strncmp(entry->d_name, ".new.", 5) == 0 &&
            fstatat(directory, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
            facts.st_mtime < time(NULL) - LEFT_OVER_SECONDS)
            unlinkat(directory, entry->d_name, 0);
    }
    closedir(list);
}

struct control_register *register_open(const char *directory, char *sentence, size_t sentence_bytes)
{
    struct control_register *reg = calloc(1, sizeof *reg);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!reg || fd < 0 || take_writer_number(&reg->writer)) {
        snprintf(sentence, sentence_bytes,
                 "register %s cannot be opened: %s; segue up makes it with a new array", directory,
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        free(reg);
        return NULL;
    }
    reg->directory = fd;
    liveness_init(&reg->liveness, fd);
    remove_left_over(fd);
    return reg;
}

void register_close(struct control_register *reg)
{
    liveness_end(&reg->liveness);
    for (uint8_t g = 0; g < GROUP_MAX; g++) {
        char aside[FILE_NAME_BYTES];
        aside_name(reg->writer, g, aside);
        unlinkat(reg->directory, aside, 0);
    }
    close(reg->directory);
    free(reg);
}

/* ---- reading and swapping ---- */

static bool make_durable(struct control_register *reg, uint8_t group, uint64_t generation)
{
    if (reg->durable[group] >= generation)
        return true;
    if (fsync(reg->directory))
        return false;
    reg->durable[group] = generation;
    return true;
}

/* What stands now, fit to be told. */
static enum register_result tell(struct control_register *reg, uint8_t group, struct record *out)
{
    struct finding found;
    look(reg->directory, group, &found);
    memset(out, 0, sizeof *out);
    if (found.result != REGISTER_OK)
        return found.result;
    if (!make_durable(reg, group, found.generation))
        return REGISTER_UNKNOWN;
    *out = found.record;
    return REGISTER_OK;
}

enum register_result register_read(struct control_register *reg, uint8_t group, struct record *out,
                                   struct register_living *living)
{
    memset(living, 0, sizeof *living);
    memset(out, 0, sizeof *out);
    if (group >= GROUP_MAX || !liveness_settle(&reg->liveness))
        return REGISTER_UNKNOWN;
    enum register_result result = tell(reg, group, out);
    for (int i = 0; i < out->in_sync.count; i++)
        living->in_sync[i] = liveness_of(&reg->liveness, group, out->in_sync.at[i]);
    for (int i = 0; i < out->previous.count; i++)
        living->previous[i] = liveness_of(&reg->liveness, group, out->previous.at[i]);
    return result;
}

static enum register_result lost(struct control_register *reg, uint8_t group,
                                 struct record *standing)
{
    enum register_result result = tell(reg, group, standing);
    return result == REGISTER_OK ? REGISTER_LOST : result;
}

/* R3: our link has succeeded; does it stand? */
static enum register_result judge_link(struct control_register *reg, const struct record *record)
{
    uint64_t newest, base = record->generation - 1;
    if (find_newest(reg->directory, record->group, &newest))
        return REGISTER_UNKNOWN;
    if (newest <= record->generation || (base && is_there(reg->directory, record->group, base)))
        return REGISTER_OK;
    char name[FILE_NAME_BYTES];
    record_name(record->group, record->generation, name);
    unlinkat(reg->directory, name, 0);
    return REGISTER_LOST;
}

enum register_result register_swap(struct control_register *reg, const struct record *record,
                                   struct record *standing)
{
    uint8_t group = record->group;
    memset(standing, 0, sizeof *standing);
    if (group >= GROUP_MAX || record->generation == 0 || !liveness_settle(&reg->liveness))
        return REGISTER_UNKNOWN;
    enum register_result result = tell(reg, group, standing);
    if (result != REGISTER_OK)
        return result;
    if (standing->generation != record->generation - 1)
        return REGISTER_LOST;
    register_prepare(reg, group);
    reg->prepared[group] = false;
    if (write_aside(reg->directory, reg->writer, record) &&
        (make_aside(reg->directory, reg->writer, group) ||
         write_aside(reg->directory, reg->writer, record)))
        return REGISTER_UNKNOWN;
    int linked = link_record(reg->directory, reg->writer, group, record->generation);
    if (linked < 0)
        return REGISTER_UNKNOWN;
    if (linked == 0)
        return lost(reg, group, standing);
    result = judge_link(reg, record);
    if (result == REGISTER_LOST)
        return lost(reg, group, standing);
    if (result != REGISTER_OK || !make_durable(reg, group, record->generation))
        return REGISTER_UNKNOWN;
    *standing = *record;
    return REGISTER_OK;
}

void register_live(struct control_register *reg, uint8_t group, struct member member)
{
    liveness_want(&reg->liveness, group, member);
    liveness_settle(&reg->liveness);
}

static int compare_generations(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum { PRUNED_AT_ONCE = 64 };

/* Keeps the lowest ones. */
static size_t keep_lowest(uint64_t *lowest, size_t count, uint64_t generation)
{
    if (count < PRUNED_AT_ONCE) {
        lowest[count] = generation;
        return count + 1;
    }
    size_t highest = 0;
    for (size_t i = 1; i < count; i++)
        if (lowest[i] > lowest[highest])
            highest = i;
    if (generation < lowest[highest])
        lowest[highest] = generation;
    return count;
}

void register_prune(struct control_register *reg, uint8_t group)
{
    uint64_t newest, old[PRUNED_AT_ONCE];
    size_t count = 0;
    if (find_newest(reg->directory, group, &newest) || newest <= RECORDS_KEPT)
        return;
    DIR *list = list_directory(reg->directory);
    if (!list)
        return;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        uint64_t generation = generation_of_name(group, entry->d_name);
        if (generation && generation <= newest - RECORDS_KEPT)
            count = keep_lowest(old, count, generation);
    }
    closedir(list);
    qsort(old, count, sizeof old[0], compare_generations);
    for (size_t i = 0; i < count; i++) { /* R3: from the oldest on */
        char name[FILE_NAME_BYTES];
        record_name(group, old[i], name);
        if (unlinkat(reg->directory, name, 0) && errno != ENOENT)
            return;
    }
}
