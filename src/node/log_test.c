/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/history.h"

static char directory[64], path[96];
static int kept_stderr;

static struct log *open_it(void)
{
    char sentence[256];
    struct log *log = log_open(path, sentence, sizeof sentence);
    assert_non_null(log);
    return log;
}

static long count_lines(const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "r");
    if (!file)
        return -1;
    long lines = 0;
    for (int c = getc(file); c != EOF; c = getc(file))
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void a_line_has_time_level_part_and_text(void **state)
{
    (void)state;
    struct log *log = open_it();
    log_line(log, TRACE_WARN, "A1", "something failed");
    log_flush(log);
    char line[256] = "", level[16], part[16], text[64];
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(sscanf(line, "%*d-%*d-%*dT%*d:%*d:%*fZ %15s %15s %63[^\n]", level, part, text),
                     3);
    assert_string_equal(level, "warn");
    assert_string_equal(part, "A1");
    assert_string_equal(text, "something failed");
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    log_line(log, TRACE_INFO, "A1", long_text);
    log_close(log);
    assert_int_equal(count_lines(""), 2);
}

static void files_are_rotated_and_bounded(void **state)
{
    (void)state;
    struct log *log = open_it();
    char text[400];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < 120000; i++) {
        log_line(log, TRACE_INFO, "L1", text);
        if (i % 300 == 0)
            log_flush(log);
    }
    log_close(log);
    assert_true(count_lines("") >= 0);
    assert_true(count_lines(".1") > 20000);
    assert_true(count_lines(".2") > 20000);
    assert_int_equal(count_lines(".3"), -1);
}

static void what_cannot_be_written_is_counted(void **state)
{
    (void)state;
    char sentence[256];
    assert_null(log_open("/nowhere/at/all.log", sentence, sizeof sentence));
    assert_non_null(strstr(sentence, "/nowhere/at/all.log"));
}

static void the_history_keeps_the_last_lines(void **state)
{
    (void)state;
    struct history *history = history_new();
    uint64_t time_ns;
    char text[32];
    assert_int_equal(history_count(history), 0);
    for (uint32_t i = 1; i <= HISTORY_LINES + 10; i++) {
        snprintf(text, sizeof text, "line %u", i);
        history_add(history, i, text);
    }
    assert_int_equal(history_count(history), HISTORY_LINES);
    assert_string_equal(history_at(history, 0, &time_ns), "line 11");
    assert_int_equal(time_ns, 11);
    history_at(history, HISTORY_LINES - 1, &time_ns);
    assert_int_equal(time_ns, HISTORY_LINES + 10);
    history_free(history);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/log-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/a.log", directory);
    /* the log's second copy: not between the lines of the test's own report */
    fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    return close(nowhere);
}

static int tear_down(void **state)
{
    (void)state;
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_line_has_time_level_part_and_text),
        ROW(files_are_rotated_and_bounded),
        ROW(what_cannot_be_written_is_counted),
        ROW(the_history_keeps_the_last_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
