/* SPDX-License-Identifier: Apache-2.0 */
#include "io/drives.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/inventory.h"

#include "io/drives_state.h"

enum { DRIVE_BYTES = 8 << 20, REQUESTS = 64 };

static char directory[64];
static struct ring ring;
static struct drives *drives;
static struct buffer_pool *buffers;
static struct trace trace = {.name = "test", .max_level = TRACE_ERROR};
static uint32_t pretended_block; /* 0: as the file system has it */

/* ---- a drive ---- */

static int try_open(const char *name, uint64_t create_bytes, bool may_be_missing, char *sentence,
                    size_t bytes)
{
    struct drive_open what = {
        .name = name, .create_bytes = create_bytes, .may_be_missing = may_be_missing, .owner = 3};
    snprintf(what.path, sizeof what.path, "%s/%s", directory, name);
    return drives_open(drives, &what, sentence, bytes);
}

static uint32_t open_drive(void)
{
    char sentence[512] = "";
    int drive = try_open("a", DRIVE_BYTES, false, sentence, sizeof sentence);
    assert_string_equal(sentence, "");
    assert_true(drive >= 0);
    if (pretended_block) {
        drives->at[drive].facts.direct = true;
        drives->at[drive].facts.block_bytes = pretended_block;
    }
    return (uint32_t)drive;
}

static void submit(uint32_t drive, uint64_t tag, enum drive_op op, uint64_t offset, uint32_t length,
                   struct slice data, bool fua)
{
    struct action action = {.kind = ACTION_DRIVE};
    action.drive.tag = tag;
    action.drive.op = (uint8_t)op;
    action.drive.fua = fua;
    action.drive.offset = offset;
    action.drive.length = length;
    action.drive.data = data;
    drives_submit(drives, drive, &action);
}

static int pretended_error; /* what the kernel says to the next request, 0: as it is */

static struct drive_done await(void)
{
    struct drive_done done;
    struct completion completion;
    for (int i = 0; i < 1000; i++) {
        if (drives_next(drives, &done))
            return done;
        ring_turn(&ring, MS(100));
        while (ring_next(&ring, &completion)) {
            if (pretended_error)
                completion.result = -pretended_error;
            pretended_error = 0;
            drives_complete(drives, &completion);
        }
    }
    fail_msg("no answer");
    return done;
}

/* `shift`: where the data lies in its memory. */
static struct slice bytes_of(uint32_t length, uint8_t seed, uint32_t shift)
{
    struct buffer *buffer = buffer_get(buffers, length + shift);
    for (uint32_t i = 0; i < length; i++)
        buffer->data[shift + i] = (uint8_t)(seed + i / 512 + i);
    return slice_of(buffer, shift, length);
}

static enum drive_status write_bytes(uint32_t drive, uint64_t offset, uint32_t length, uint8_t seed,
                                     uint32_t shift, bool fua)
{
    submit(drive, 5, DRIVE_WRITE, offset, length, bytes_of(length, seed, shift), fua);
    struct drive_done done = await();
    assert_int_equal(done.tag, 5);
    assert_int_equal(done.owner, 3);
    return done.status;
}

static void expect_bytes(uint32_t drive, uint64_t offset, uint32_t length, uint8_t seed)
{
    submit(drive, 6, DRIVE_READ, offset, length, slice_none(), false);
    struct drive_done done = await();
    assert_int_equal(done.status, DRIVE_OK);
    assert_int_equal(done.data.length, length);
    const uint8_t *bytes = slice_bytes(done.data);
    for (uint32_t i = 0; i < length; i++)
        if (bytes[i] != (uint8_t)(seed + i / 512 + i))
            fail_msg("byte %u at %llu", i, (unsigned long long)offset);
    slice_drop(&done.data);
}

static void expect_pattern(uint32_t drive, uint64_t offset, uint32_t length, const uint8_t *pattern,
                           uint32_t pattern_length)
{
    submit(drive, 6, DRIVE_READ, offset, length, slice_none(), false);
    struct drive_done done = await();
    assert_int_equal(done.status, DRIVE_OK);
    for (uint32_t i = 0; i < length; i++)
        if (slice_bytes(done.data)[i] != pattern[i % pattern_length])
            fail_msg("byte %u at %llu", i, (unsigned long long)offset);
    slice_drop(&done.data);
}

/* ---- tests ---- */

static void what_was_written_is_read(void **state)
{
    (void)state;
    uint32_t drive = open_drive();
    struct drive_facts facts;
    drives_facts(drives, drive, &facts);
    assert_true(facts.online);
    assert_int_equal(facts.bytes, DRIVE_BYTES);
    /* aligned; of 512 bytes; from memory of any alignment; up to the end */
    static const struct {
        uint64_t offset;
        uint32_t length, shift;
    } rows[] = {
        {0, 4096, 0},          {8192, 1 << 20, 0},          {512, 512, 0},
        {4096 - 512, 1024, 0}, {65536, 4096, 48},           {7680, 8192, 513},
        {1536, 512, 1},        {DRIVE_BYTES - 512, 512, 0}, {DRIVE_BYTES - (1 << 20), 1 << 20, 0}};
    for (uint8_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            write_bytes(drive, rows[i].offset, rows[i].length, i, rows[i].shift, i % 2), DRIVE_OK);
        expect_bytes(drive, rows[i].offset, rows[i].length, i);
    }
    submit(drive, 9, DRIVE_FLUSH, 0, 0, slice_none(), false);
    assert_int_equal(await().status, DRIVE_OK);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

/* Neighbouring blocks of one page, all at once. */
static void small_writes_do_not_lose_their_neighbours(void **state)
{
    (void)state;
    enum { COUNT = 48 };
    uint32_t drive = open_drive();
    assert_int_equal(write_bytes(drive, 0, 65536, 200, 0, false), DRIVE_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t length = i % 5 == 4 ? 4096 : 512;
        uint64_t offset = i % 5 == 4 ? 32768 + (uint64_t)i * 4096 : (uint64_t)i * 512;
        submit(drive, i, DRIVE_WRITE, offset, length, bytes_of(length, (uint8_t)i, 0), false);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(await().status, DRIVE_OK);
    for (uint32_t i = 0; i < COUNT; i++)
        if (i % 5 != 4)
            expect_bytes(drive, (uint64_t)i * 512, 512, (uint8_t)i);
        else
            expect_bytes(drive, 32768 + (uint64_t)i * 4096, 4096, (uint8_t)i);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void fill(uint32_t drive, uint64_t offset, uint32_t length, uint8_t byte,
                 uint32_t pattern_length, bool fua)
{
    uint8_t pattern[4096];
    struct slice data = bytes_of(pattern_length, byte, 0);
    if (byte == 0)
        memset(slice_bytes(data), 0, pattern_length);
    memcpy(pattern, slice_bytes(data), pattern_length);
    submit(drive, 7, DRIVE_FILL, offset, length, data, fua);
    assert_int_equal(await().status, DRIVE_OK);
    for (uint64_t at = 0; at < length; at += 1 << 20) {
        uint32_t left = length - (uint32_t)at;
        expect_pattern(drive, offset + at, left < 1 << 20 ? left : 1 << 20, pattern,
                       pattern_length);
    }
}

static void fill_without_pattern(uint32_t drive, uint64_t offset, uint32_t length)
{
    submit(drive, 7, DRIVE_FILL, offset, length, slice_none(), true);
    assert_int_equal(await().status, DRIVE_OK);
    expect_pattern(drive, offset, length, (const uint8_t[512]){0}, 512);
}

static void fills(void **state)
{
    (void)state;
    uint32_t drive = open_drive();
    for (int no_punch = 0; no_punch < 2; no_punch++) {
        drives->at[drive].no_punch = no_punch;
        assert_int_equal(write_bytes(drive, 0, 1 << 20, 1, 0, false), DRIVE_OK);
        fill(drive, 4096, 8192, 0, 512, true);
        fill(drive, 0, DRIVE_BYTES, 9, 4096, false);
        fill(drive, 1 << 20, 3 << 20, 0, 4096, false);
        fill(drive, 1024, 2048 + 512, 0, 512, false);
        fill(drive, 300 * 512, 1 << 20, 33, 512, true);
        fill_without_pattern(drive, 300 * 512, 4096);
        fill_without_pattern(drive, 1 << 20, 1 << 19);
        fill(drive, 0, DRIVE_BYTES, 0, 512, true);
    }
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void what_is_no_command_is_an_error(void **state)
{
    (void)state;
    uint32_t drive = open_drive();
    assert_int_equal(write_bytes(drive, DRIVE_BYTES, 512, 0, 0, false), DRIVE_MEDIUM_ERROR);
    assert_int_equal(write_bytes(drive, DRIVE_BYTES - 512, 1024, 0, 0, false), DRIVE_MEDIUM_ERROR);
    assert_int_equal(write_bytes(drive, 100, 512, 0, 0, false), DRIVE_MEDIUM_ERROR);
    assert_int_equal(write_bytes(drive, 0, 100, 0, 0, false), DRIVE_MEDIUM_ERROR);
    submit(drive, 1, DRIVE_READ, UINT64_MAX - 511, 512, slice_none(), false);
    assert_int_equal(await().status, DRIVE_MEDIUM_ERROR);
    submit(drive, 1, DRIVE_WRITE, 0, 4096, bytes_of(512, 0, 0), false);
    assert_int_equal(await().status, DRIVE_MEDIUM_ERROR);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void a_truncated_file_is_a_medium_error(void **state)
{
    (void)state;
    uint32_t drive = open_drive();
    assert_int_equal(write_bytes(drive, 1 << 20, 4096, 1, 0, false), DRIVE_OK);
    assert_int_equal(truncate(drives_path(drives, drive), 65536), 0);
    submit(drive, 1, DRIVE_READ, 1 << 20, 4096, slice_none(), false);
    assert_int_equal(await().status, DRIVE_MEDIUM_ERROR);
    expect_pattern(drive, 0, 4096, (const uint8_t[512]){0}, 512);
}

static void a_vanished_file_is_gone(void **state)
{
    (void)state;
    uint32_t drive = open_drive();
    drives_found(drives, drive, false);
    assert_int_equal(write_bytes(drive, 0, 4096, 1, 0, false), DRIVE_GONE);
    drives_found(drives, drive, true);
    assert_int_equal(write_bytes(drive, 0, 4096, 1, 0, false), DRIVE_OK);
}

/* A file of its own in the place of a drive's, while that has commands under way and after. */
static void another_file_is_seated(void **state)
{
    (void)state;
    char path[128], sentence[512];
    struct drive_facts facts;
    struct drive_tray tray;
    int drive = try_open("seat", 0, true, sentence, sizeof sentence);
    assert_int_equal(drives_fd(drives, (uint32_t)drive), -1); /* an empty slot */
    snprintf(path, sizeof path, "%s/seat", directory);
    assert_int_equal(drives_look(path, &facts), -1);
    assert_false(drives_next_tray(drives, &tray));
    FILE *small = fopen(path, "w");
    fclose(small);
    assert_int_equal(drives_look(path, &facts), -1); /* too small for a drive */
    assert_int_equal(truncate(path, 2 * DRIVE_BYTES), 0);
    int fd = drives_look(path, &facts);
    assert_true(fd >= 0);
    assert_true(facts.online);
    assert_int_equal(facts.bytes, 2 * DRIVE_BYTES);
    assert_true(drives_seat(drives, (uint32_t)drive, fd, &facts));
    assert_true(drives_next_tray(drives, &tray));
    assert_int_equal(tray.drive, drive);
    assert_int_equal(tray.owner, 3);
    assert_true(tray.facts.online);
    assert_int_equal(tray.facts.bytes, 2 * DRIVE_BYTES);
    assert_false(drives_next_tray(drives, &tray));
    assert_int_equal(write_bytes((uint32_t)drive, 0, 4096, 1, 0, false), DRIVE_OK);
    expect_bytes((uint32_t)drive, 0, 4096, 1);
    submit((uint32_t)drive, 8, DRIVE_READ, 0, 4096, slice_none(), false);
    assert_int_equal(unlink(path), 0);
    drives_found(drives, (uint32_t)drive, false);
    assert_true(drives_next_tray(drives, &tray));
    assert_false(tray.facts.online);
    FILE *again = fopen(path, "w");
    fclose(again);
    assert_int_equal(truncate(path, DRIVE_BYTES), 0);
    fd = drives_look(path, &facts);
    assert_true(fd >= 0);
    assert_false(drives_seat(drives, (uint32_t)drive, fd, &facts)); /* a read is under way */
    submit((uint32_t)drive, 8, DRIVE_READ, 0, 4096, slice_none(), false);
    assert_int_equal(await().status, DRIVE_GONE);
    assert_int_equal(await().status, DRIVE_GONE);
    drives_found(drives, (uint32_t)drive, false);
    assert_int_equal(drives_fd(drives, (uint32_t)drive), -1); /* another may have that file */
    assert_true(drives_seat(drives, (uint32_t)drive, fd, &facts));
    submit((uint32_t)drive, 8, DRIVE_READ, 0, 4096, slice_none(), false);
    struct drive_done done = await();
    assert_int_equal(done.status, DRIVE_OK);
    assert_int_equal(((const uint8_t *)slice_bytes(done.data))[100], 0); /* of the new one */
    slice_drop(&done.data);
    submit((uint32_t)drive, 8, DRIVE_READ, DRIVE_BYTES, 4096, slice_none(), false);
    assert_int_equal(await().status, DRIVE_MEDIUM_ERROR); /* beyond its end */
}

/* LUKS: six letters and a version. */
static void what_lies_on_a_drive_is_named(void **state)
{
    (void)state;
    static const uint8_t luks[] = {'L', 'U', 'K', 'S', 0xBA, 0xBE, 0, 1};
    char sentence[512];
    struct drive_facts facts;
    int drive = try_open("mark", DRIVE_BYTES, false, sentence, sizeof sentence);
    assert_true(drive >= 0);
    drives_facts(drives, (uint32_t)drive, &facts);
    assert_string_equal(facts.signature, "");
    char path[128];
    for (int own = 0; own < 2; own++) {
        snprintf(path, sizeof path, "%s/mark%d", directory, own);
        FILE *file = fopen(path, "w");
        fwrite(own ? (const void *)DRIVE_POOL_MAGIC : luks, 1, sizeof luks, file);
        fclose(file);
        assert_int_equal(truncate(path, DRIVE_BYTES), 0);
        drive = try_open(own ? "mark1" : "mark0", 0, false, sentence, sizeof sentence);
        drives_facts(drives, (uint32_t)drive, &facts);
        assert_string_equal(facts.signature, own ? "segue" : "crypto_LUKS");
    }
}

static enum drive_status flush(uint32_t drive, int error)
{
    submit(drive, 9, DRIVE_FLUSH, 0, 0, slice_none(), false);
    pretended_error = error;
    return await().status;
}

/* The kernel tells of a failed write-back once, and forgets what was to be written. */
static void a_failed_flush_of_the_page_cache_is_never_made_good(void **state)
{
    (void)state;
    for (int by_write = 0; by_write < 2; by_write++) {
        char name[2] = {(char)('x' + by_write), 0}, sentence[512];
        uint32_t drive = (uint32_t)try_open(name, DRIVE_BYTES, false, sentence, sizeof sentence);
        drives->at[drive].facts.direct = false;
        assert_int_equal(write_bytes(drive, 0, 4096, 1, 0, false), DRIVE_OK);
        assert_int_equal(flush(drive, EINTR), DRIVE_OK); /* tried again */
        pretended_error = EIO;
        if (by_write)
            assert_int_equal(write_bytes(drive, 0, 4096, 1, 0, true), DRIVE_GONE);
        else
            assert_int_equal(flush(drive, ENOSPC), DRIVE_GONE);
        pretended_error = 0;
        assert_int_equal(flush(drive, 0), DRIVE_GONE);
        assert_int_equal(write_bytes(drive, 0, 4096, 1, 0, false), DRIVE_GONE);
        submit(drive, 6, DRIVE_READ, 0, 4096, slice_none(), false);
        assert_int_equal(await().status, DRIVE_GONE);
        struct drive_facts facts;
        drives_facts(drives, drive, &facts);
        assert_false(facts.online);
    }
    /* an error of a plain write is told there and then, and a drive without page cache may try */
    uint32_t drive = open_drive();
    drives->at[drive].facts.direct = false;
    pretended_error = EIO;
    assert_int_equal(write_bytes(drive, 0, 4096, 1, 0, false), DRIVE_MEDIUM_ERROR);
    assert_int_equal(flush(drive, 0), DRIVE_OK);
    drives->at[drive].facts.direct = true;
    assert_int_equal(flush(drive, EIO), DRIVE_MEDIUM_ERROR);
    assert_int_equal(flush(drive, 0), DRIVE_OK);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void a_drive_is_used_once(void **state)
{
    (void)state;
    open_drive();
    char path[128], sentence[512];
    snprintf(path, sizeof path, "%s/b", directory);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, DRIVE_BYTES), 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(try_open("b", 0, false, sentence, sizeof sentence), -1);
    assert_non_null(strstr(sentence, "used by another process"));
    close(fd);
    assert_int_equal(try_open("b", 0, false, sentence, sizeof sentence), 1);
}

static void a_missing_drive_is_refused_or_offline(void **state)
{
    (void)state;
    char sentence[512];
    assert_int_equal(try_open("none", 0, false, sentence, sizeof sentence), -1);
    assert_non_null(strstr(sentence, "No such file"));
    int drive = try_open("none", DRIVE_BYTES, true, sentence, sizeof sentence);
    assert_int_equal(drive, 0);
    struct drive_facts facts;
    drives_facts(drives, 0, &facts);
    assert_false(facts.online);
    assert_int_equal(write_bytes(0, 0, 4096, 1, 0, false), DRIVE_GONE);
    char path[128];
    snprintf(path, sizeof path, "%s/none", directory);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(try_open("sub/new", DRIVE_BYTES, false, sentence, sizeof sentence), 1);
}

static void more_than_there_is_room_for_is_busy(void **state)
{
    (void)state;
    uint32_t drive = open_drive();
    uint32_t busy = 0;
    for (uint32_t i = 0; i < 2 * REQUESTS; i++)
        submit(drive, i, DRIVE_WRITE, (uint64_t)i * 4096, 4096, bytes_of(4096, 1, 0), false);
    for (uint32_t i = 0; i < 2 * REQUESTS; i++)
        busy += await().status == DRIVE_BUSY;
    assert_int_equal(busy, REQUESTS);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

/* ---- where ---- */

static int set_up_at(const char *place, uint32_t block)
{
    char sentence[256];
    pretended_block = block;
    snprintf(directory, sizeof directory, "%s/drives-test-XXXXXX", place);
    if (!mkdtemp(directory) || ring_open(&ring, sentence, sizeof sentence))
        return -1;
    buffers = buffer_pool_new(64 << 20);
    drives = drives_new(&ring, buffers, REQUESTS, &trace);
    return 0;
}

static int on_disk(void **state)
{
    (void)state;
    return set_up_at("/tmp", 0);
}

static int on_tmpfs(void **state)
{
    (void)state;
    return set_up_at("/dev/shm", 0);
}

static int on_large_blocks(void **state)
{
    (void)state;
    return set_up_at("/tmp", 4096);
}

static int tear_down(void **state)
{
    (void)state;
    drives_free(drives);
    ring_close(&ring);
    buffer_pool_free(buffers);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

#define DISK(f)                                    \
    {                                              \
#f " on disk", f, on_disk, tear_down, NULL \
    }
#define TMPFS(f)                                     \
    {                                                \
#f " on tmpfs", f, on_tmpfs, tear_down, NULL \
    }
#define LARGE(f)                                                     \
    {                                                                \
#f " on blocks of 4096", f, on_large_blocks, tear_down, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK(what_was_written_is_read),
        TMPFS(what_was_written_is_read),
        LARGE(what_was_written_is_read),
        DISK(small_writes_do_not_lose_their_neighbours),
        LARGE(small_writes_do_not_lose_their_neighbours),
        DISK(fills),
        TMPFS(fills),
        LARGE(fills),
        DISK(what_is_no_command_is_an_error),
        DISK(a_truncated_file_is_a_medium_error),
        DISK(a_vanished_file_is_gone),
        DISK(another_file_is_seated),
        DISK(what_lies_on_a_drive_is_named),
        DISK(a_failed_flush_of_the_page_cache_is_never_made_good),
        DISK(a_drive_is_used_once),
        DISK(a_missing_drive_is_refused_or_offline),
        DISK(more_than_there_is_room_for_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
