/* SPDX-License-Identifier: Apache-2.0 */

/* Copies that agree and copies that do not, in files that look like drives of a pool. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "array/layout.h"
#include "programs/drill_copies.h"

enum { DRIVES = 3, MIB = 1 << 20, DRIVE_BYTES = 16 * MIB };

static char directory[64];
static struct drill_shape shape;

static int open_drive(int d)
{
    int fd = open(shape.drive[d].path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void put(int d, uint64_t offset, const char *text)
{
    int fd = open_drive(d);
    assert_int_equal(pwrite(fd, text, strlen(text), (off_t)offset), strlen(text));
    close(fd);
}

static void make_drive(int d, uint8_t pool)
{
    uint8_t block[LAYOUT_BLOCK];
    struct superblock superblock = {.generation = 1,
                                    .pool_uuid = {pool},
                                    .level = 1,
                                    .drive_count = DRIVES,
                                    .position = (uint8_t)d,
                                    .chunk_bytes = 64 << 10,
                                    .data_bytes = 8 * MIB};
    int fd = open_drive(d);
    assert_int_equal(ftruncate(fd, DRIVE_BYTES), 0);
    layout_put_superblock(block, &superblock);
    assert_int_equal(pwrite(fd, block, sizeof block, LAYOUT_SUPERBLOCK), sizeof block);
    close(fd);
    put(d, LAYOUT_DATA, "the same");
    put(d, LAYOUT_DATA + 5 * MIB + 700, "this too");
}

/* A mirror of three, and a pool of one drive each that is none. */
static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/drill-copies-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    shape = (struct drill_shape){.drives = DRIVES, .sets = 2};
    for (int d = 0; d < DRIVES; d++) {
        snprintf(shape.drive[d].name, sizeof shape.drive[d].name, "t%d/00", d);
        snprintf(shape.drive[d].path, sizeof shape.drive[d].path, "%s/%d", directory, d);
        make_drive(d, 7);
        shape.set[1].drive[d] = (uint16_t)d;
    }
    shape.set[1].mirror = true;
    shape.set[1].count = DRIVES;
    snprintf(shape.set[1].pool, sizeof shape.set[1].pool, "p1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

/* Until it waits to look again at what differed. */
static uint64_t first_pass(struct drill_copies *copies)
{
    uint64_t now_ns = 1;
    for (int i = 0; i < 100; i++)
        if (drill_copies_step(copies, now_ns))
            fail_msg("it does not look again");
    return now_ns;
}

static struct drill_copies *compare(void)
{
    struct drill_copies *copies = drill_copies_new(&shape);
    assert_non_null(copies);
    for (uint64_t now_ns = 1; !drill_copies_step(copies, now_ns);)
        now_ns += 100000000u;
    return copies;
}

static void copies_that_agree(void **state)
{
    (void)state;
    put(0, LAYOUT_MAP, "heads"); /* what is not data differs from drive to drive */
    put(1, LAYOUT_DATA + 8 * MIB, "tails");
    struct drill_copies *copies = compare();
    assert_null(drill_copies_problem(copies));
    assert_int_equal(drill_copies_bytes(copies), 8 * MIB);
    assert_int_equal(drill_copies_differ(copies), 0);
    assert_null(drill_copies_complaint(copies, 0));
    drill_copies_free(copies);
}

static void copies_that_do_not(void **state)
{
    (void)state;
    put(1, LAYOUT_DATA + 4, "S"); /* in the first place, in a hole, at the very end */
    put(2, LAYOUT_DATA + 3 * MIB + 5000, "x");
    put(2, LAYOUT_DATA + 8 * MIB - 1, "x");
    struct drill_copies *copies = compare();
    assert_int_equal(drill_copies_differ(copies), 3);
    const char *line = drill_copies_complaint(copies, 0);
    assert_string_equal(line, "pool p1: the copies on t0/00 and t1/00 differ at byte 4194308");
    assert_non_null(strstr(drill_copies_complaint(copies, 1), "t2/00 differ at byte 7345032"));
    assert_non_null(strstr(drill_copies_complaint(copies, 2), "t2/00 differ at byte 12582911"));
    assert_null(drill_copies_complaint(copies, 3));
    drill_copies_free(copies);
}

/* RAID 5 of three: a byte of data, and P of that stripe, which the third stripe has on drive 0. */
static void parity_that_is_not(void **state)
{
    (void)state;
    shape.set[1].mirror = false;
    shape.set[1].spare = 1;
    for (int d = 0; d < DRIVES; d++) { /* "the same" on all three is no parity */
        put(d, LAYOUT_DATA, "\0\0\0\0\0\0\0\0");
        assert_int_equal(truncate(shape.drive[d].path, LAYOUT_DATA), 0);
        assert_int_equal(truncate(shape.drive[d].path, DRIVE_BYTES), 0);
    }
    put(1, LAYOUT_DATA + (128 << 10) + 5, "x");
    put(0, LAYOUT_DATA + (128 << 10) + 5, "x");
    struct drill_copies *copies = compare();
    assert_null(drill_copies_problem(copies));
    assert_int_equal(drill_copies_differ(copies), 0);
    drill_copies_free(copies);
    put(2, LAYOUT_DATA + (128 << 10) + 4, "y");
    put(2, LAYOUT_DATA + 8 * MIB - 1, "y");
    copies = compare();
    assert_int_equal(drill_copies_differ(copies), 2);
    assert_string_equal(drill_copies_complaint(copies, 0),
                        "pool p1: parity is not that of the data at byte 4325376 of its drives");
    drill_copies_free(copies);
}

static void what_is_being_written_is_looked_at_again(void **state)
{
    (void)state;
    put(0, LAYOUT_DATA, "newer");
    put(1, LAYOUT_DATA + 2 * MIB, "stays");
    struct drill_copies *copies = drill_copies_new(&shape);
    uint64_t now_ns = first_pass(copies);
    put(1, LAYOUT_DATA, "newer");
    put(2, LAYOUT_DATA, "newer");
    assert_true(drill_copies_step(copies, now_ns + 2000000000u));
    assert_int_equal(drill_copies_differ(copies), 1);
    assert_non_null(strstr(drill_copies_complaint(copies, 0), "differ at byte 6291456"));
    drill_copies_free(copies);
}

static void what_cannot_be_compared_is_said(void **state)
{
    (void)state;
    make_drive(2, 8);
    struct drill_copies *copies = compare();
    assert_non_null(strstr(drill_copies_problem(copies), "it is of another pool"));
    drill_copies_free(copies);
    put(2, 0, "not a superblock");
    copies = compare();
    assert_non_null(strstr(drill_copies_problem(copies), "no sound superblock"));
    drill_copies_free(copies);
    assert_int_equal(unlink(shape.drive[1].path), 0);
    copies = compare();
    assert_non_null(strstr(drill_copies_problem(copies), "drive t1/00"));
    assert_non_null(strstr(drill_copies_problem(copies), "No such file"));
    assert_int_equal(drill_copies_bytes(copies), 0);
    drill_copies_free(copies);
    shape.set[1].mirror = false;
    copies = compare();
    assert_null(drill_copies_problem(copies));
    drill_copies_free(copies);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(copies_that_agree),
        ROW(copies_that_do_not),
        ROW(parity_that_is_not),
        ROW(what_is_being_written_is_looked_at_again),
        ROW(what_cannot_be_compared_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
