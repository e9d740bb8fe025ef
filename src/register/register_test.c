/* SPDX-License-Identifier: Apache-2.0 */
#include "register/register.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/register-test-XXXXXX";

static struct record first_record(void)
{
    struct record record = {.generation = 1, .group = 0, .owner = 1, .clean = true};
    record.primary = member_none();
    record.dirty = member_none();
    return record;
}

static struct control_register *open_it(void)
{
    char sentence[256];
    struct control_register *reg = register_open(directory, sentence, sizeof sentence);
    assert_non_null(reg);
    return reg;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/register-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    char sentence[256];
    struct record first = first_record();
    assert_int_equal(register_create(directory, &first, sentence, sizeof sentence), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

static struct record read_it(struct control_register *reg, enum register_result wanted)
{
    struct record record;
    struct register_living living;
    assert_int_equal(register_read(reg, 0, &record, &living), wanted);
    return record;
}

static void created_once(void **state)
{
    (void)state;
    char sentence[256];
    struct record first = first_record();
    assert_int_equal(register_create(directory, &first, sentence, sizeof sentence), -1);
    assert_int_equal(register_exists(directory, 0), 1);
    assert_int_equal(register_exists(directory, 1), 0);
    struct control_register *reg = open_it();
    assert_int_equal(read_it(reg, REGISTER_OK).generation, 1);
    struct record none;
    struct register_living living;
    assert_int_equal(register_read(reg, 1, &none, &living), REGISTER_OK);
    assert_int_equal(none.generation, 0);
    register_close(reg);
}

static void swap_wins_and_loses(void **state)
{
    (void)state;
    struct control_register *reg = open_it();
    struct record standing, next = read_it(reg, REGISTER_OK);
    next.generation = 2;
    next.epoch = 1;
    next.primary = (struct member){1, 77};
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_OK);
    next.epoch = 9;
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_LOST);
    assert_int_equal(standing.generation, 2);
    assert_int_equal(standing.epoch, 1);
    assert_int_equal(read_it(reg, REGISTER_OK).primary.incarnation, 77);
    register_close(reg);
}

enum { RACERS = 4, RACES = 60 };

/* Swaps as often as it can; exits with the number of its wins. */
static void race(int wins_fd)
{
    char sentence[256];
    struct control_register *reg = register_open(directory, sentence, sizeof sentence);
    struct record record, standing;
    struct register_living living;
    int wins = 0;
    for (;;) {
        if (register_read(reg, 0, &record, &living) != REGISTER_OK)
            _exit(1);
        if (record.generation > RACES)
            break;
        record.generation++;
        record.epoch++;
        enum register_result result = register_swap(reg, &record, &standing);
        if (result == REGISTER_OK)
            wins++;
        else if (result != REGISTER_LOST || standing.generation < record.generation)
            _exit(2);
        register_prune(reg, 0);
    }
    if (write(wins_fd, &wins, sizeof wins) != sizeof wins)
        _exit(3);
    _exit(0);
}

static void one_of_several_processes_wins(void **state)
{
    (void)state;
    int ends[2], total = 0, wins, status;
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < RACERS; i++)
        if (fork() == 0)
            race(ends[1]);
    for (int i = 0; i < RACERS; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &wins, sizeof wins), sizeof wins);
        total += wins;
    }
    struct control_register *reg = open_it();
    struct record record = read_it(reg, REGISTER_OK);
    assert_int_equal(record.generation, RACES + 1);
    assert_int_equal(record.epoch, RACES); /* every win counted up from the one before it */
    assert_int_equal(total, RACES);
    register_close(reg);
    close(ends[0]);
    close(ends[1]);
}

static void a_damaged_record_hides_behind_no_older_one(void **state)
{
    (void)state;
    struct control_register *reg = open_it();
    struct record standing, next = read_it(reg, REGISTER_OK);
    next.generation = 2;
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_OK);
    char path[128];
    snprintf(path, sizeof path, "%s/g1.0000000000000002", directory);
    assert_int_equal(truncate(path, 20), 0);
    read_it(reg, REGISTER_DAMAGED);
    next.generation = 3;
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_DAMAGED);
    assert_int_equal(truncate(path, 0), 0);
    read_it(reg, REGISTER_DAMAGED);
    register_close(reg);
}

static void a_record_under_a_wrong_name_is_damage(void **state)
{
    (void)state;
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/g1.0000000000000001", directory);
    snprintf(to, sizeof to, "%s/g1.0000000000000007", directory);
    assert_int_equal(link(from, to), 0);
    struct control_register *reg = open_it();
    read_it(reg, REGISTER_DAMAGED);
    register_close(reg);
}

static void old_records_go(void **state)
{
    (void)state;
    struct control_register *reg = open_it();
    struct record standing, next = read_it(reg, REGISTER_OK);
    while (next.generation < 40) {
        next.generation++;
        assert_int_equal(register_swap(reg, &next, &standing), REGISTER_OK);
        register_prune(reg, 0);
    }
    char path[128];
    snprintf(path, sizeof path, "%s/g1.0000000000000018", directory); /* 24 */
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof path, "%s/g1.0000000000000019", directory); /* 25 */
    assert_int_equal(access(path, F_OK), 0);
    /* whoever still believes in generation 1 does not win the name of 2, though it is free */
    next.generation = 2;
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_LOST);
    assert_int_equal(standing.generation, 40);
    register_close(reg);
}

/* A file that was made ready for the next record, and that is a record already: of a swap whose
 * answer was lost, and whose own name could not be taken away. */
static void a_record_is_never_written_into(void **state)
{
    (void)state;
    struct control_register *reg = open_it();
    struct record standing, next = read_it(reg, REGISTER_OK);
    register_prepare(reg, 0);
    DIR *list = opendir(directory);
    char from[320] = "", to[128];
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list))
        if (strncmp(entry->d_name, ".new.g1.", 8) == 0)
            snprintf(from, sizeof from, "%s/%s", directory, entry->d_name);
    closedir(list);
    assert_string_not_equal(from, "");
    snprintf(to, sizeof to, "%s/other", directory);
    assert_int_equal(link(from, to), 0);
    next.generation = 2;
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_OK);
    uint8_t bytes[8192], zeroes[8192] = {0};
    int fd = open(to, O_RDONLY);
    ssize_t length = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_int_equal(length, 4096);
    assert_memory_equal(bytes, zeroes, (size_t)length);
    assert_int_equal(read_it(reg, REGISTER_OK).generation, 2);
    register_close(reg);
}

static void unreadable_is_unknown(void **state)
{
    (void)state;
    struct control_register *reg = open_it();
    struct record record = read_it(reg, REGISTER_OK), standing;
    char path[128];
    snprintf(path, sizeof path, "%s/g1.0000000000000002", directory);
    assert_int_equal(mkdir(path, 0700), 0); /* a name that cannot be read as a file */
    read_it(reg, REGISTER_UNKNOWN);
    record.generation = 3;
    assert_int_equal(register_swap(reg, &record, &standing), REGISTER_UNKNOWN);
    register_close(reg);
}

/* ---- liveness ---- */

static void write_members(struct control_register *reg, struct member a, struct member b)
{
    struct record standing, next = read_it(reg, REGISTER_OK);
    next.generation++;
    memset(&next.in_sync, 0, sizeof next.in_sync);
    members_add(&next.in_sync, a);
    members_add(&next.in_sync, b);
    assert_int_equal(register_swap(reg, &next, &standing), REGISTER_OK);
}

static struct register_living living_now(struct control_register *reg)
{
    struct record record;
    struct register_living living;
    assert_int_equal(register_read(reg, 0, &record, &living), REGISTER_OK);
    return living;
}

static void a_stopped_process_lives_a_killed_one_does_not(void **state)
{
    (void)state;
    struct member ours = {0, 5}, theirs = {1, 6};
    int ends[2], status;
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char sentence[256];
        struct control_register *reg = register_open(directory, sentence, sizeof sentence);
        register_live(reg, 0, theirs);
        if (write(ends[1], &byte, 1) == 1)
            for (;;)
                pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    struct control_register *reg = open_it();
    write_members(reg, ours, theirs);
    assert_false(living_now(reg).in_sync[0]);
    assert_true(living_now(reg).in_sync[1]);
    register_live(reg, 0, ours);
    assert_true(living_now(reg).in_sync[0]);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    assert_true(living_now(reg).in_sync[1]);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_false(living_now(reg).in_sync[1]);
    register_close(reg);
    close(ends[0]);
    close(ends[1]);
}

static void a_later_life_ends_the_earlier_one(void **state)
{
    (void)state;
    struct member early = {0, 5}, late = {0, 6};
    struct control_register *reg = open_it();
    write_members(reg, early, late);
    register_live(reg, 0, early);
    assert_true(living_now(reg).in_sync[0]);
    register_live(reg, 0, late);
    assert_false(living_now(reg).in_sync[0]);
    assert_true(living_now(reg).in_sync[1]);
    register_close(reg);
    reg = open_it();
    assert_false(living_now(reg).in_sync[1]);
    register_close(reg);
}

static void an_entry_that_cannot_be_told_lives(void **state)
{
    (void)state;
    struct control_register *reg = open_it();
    struct member unknown = {2, 9};
    write_members(reg, unknown, unknown);
    char path[128];
    snprintf(path, sizeof path, "%s/live.1.2.%016x", directory, 9);
    assert_int_equal(symlink(path, path), 0); /* ELOOP */
    assert_true(living_now(reg).in_sync[0]);
    register_close(reg);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(created_once),
        ROW(swap_wins_and_loses),
        ROW(one_of_several_processes_wins),
        ROW(a_damaged_record_hides_behind_no_older_one),
        ROW(a_record_under_a_wrong_name_is_damage),
        ROW(old_records_go),
        ROW(a_record_is_never_written_into),
        ROW(unreadable_is_unknown),
        ROW(a_stopped_process_lives_a_killed_one_does_not),
        ROW(a_later_life_ends_the_earlier_one),
        ROW(an_entry_that_cannot_be_told_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
