/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/config.h"

static const char base[] = "array: lab1\n"
                           "parts:\n"
                           "  modules: [A]\n"
                           "  switches:\n"
                           "  - {name: IS1, portals: [\"127.0.0.1:3261\"]}\n"
                           "  loops:\n"
                           "  - {name: L1, tray: t0, drives: 1, size: 256MiB}\n"
                           "groups:\n"
                           "- {name: g1, members: [A]}\n";

static char directory[64], sentence[CONFIG_SENTENCE];
static struct config config;
static struct secrets secrets;

static int parse(const char *chap)
{
    char text[2048], path[96];
    snprintf(text, sizeof text, "%s%s", base, chap);
    snprintf(path, sizeof path, "%s/a.yaml", directory);
    sentence[0] = 0;
    return config_parse(path, text, strlen(text), NULL, &config, sentence, sizeof sentence);
}

static int read_secrets(void)
{
    sentence[0] = 0;
    return config_read_secrets(&config, &secrets, sentence, sizeof sentence);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const char two[] = "chap:\n"
                          "  required: true\n"
                          "  users:\n"
                          "  - {name: anna, secret: anna.chap}\n"
                          "  - {name: \"iqn.1993-08.org.debian:01:ab\", secret: ./other.chap}\n"
                          "  target: {name: lab1, secret: lab1.chap}\n";

static void are_read(void **state)
{
    (void)state;
    assert_int_equal(parse(two), 0);
    assert_true(config.chap.required);
    assert_int_equal(config.chap.users, 2);
    write_file("anna.chap", "twelve bytes\nsecond line", 0600);
    write_file("other.chap", "with an end of DOS\r\n", 0400);
    write_file("lab1.chap", "no end of line at all", 0600);
    assert_int_equal(read_secrets(), 0);
    assert_true(secrets.required);
    assert_int_equal(secrets.users, 2);
    assert_string_equal(secrets.user[0].name, "anna");
    assert_int_equal(secrets.user[0].length, 12);
    assert_memory_equal(secrets.user[0].bytes, "twelve bytes", 12);
    assert_string_equal(secrets.user[1].name, "iqn.1993-08.org.debian:01:ab");
    assert_int_equal(secrets.user[1].length, 18);
    assert_string_equal(secrets.target.name, "lab1");
    assert_int_equal(secrets.target.length, 21);
}

static void none_is_well(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(read_secrets(), 0);
    assert_int_equal(secrets.users, 0);
    assert_int_equal(secrets.target.length, 0);
    assert_false(secrets.required);
}

static void bad_files_earn_a_sentence(void **state)
{
    (void)state;
    static char longest[SECRET_MAX + 2];
    memset(longest, 'x', sizeof longest - 1);
    const struct {
        const char *text;
        mode_t mode;
        const char *said;
    } cases[] = {
        {"twelve bytes", 0640, "others can use it (mode 0640); do chmod 600"},
        {"twelve bytes", 0604, "others can use it (mode 0604)"},
        {"eleven byte\nand a line", 0600, "12 to 128 bytes on the first line, and this one has 11"},
        {"", 0600, "has 0"},
        {longest, 0600, "has at least 129"},
        {"the same as lab1", 0600, "it is the secret of a user too"},
    };
    assert_int_equal(parse(two), 0);
    write_file("other.chap", "one that is good", 0600);
    write_file("lab1.chap", "the same as lab1", 0600);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file("anna.chap", cases[i].text, cases[i].mode);
        assert_int_equal(read_secrets(), -1);
        if (!strstr(sentence, cases[i].said) || !strstr(sentence, "a.yaml:1"))
            fail_msg("%s", sentence);
        assert_null(strstr(sentence, "twelve bytes"));
    }
    char path[96];
    snprintf(path, sizeof path, "%s/anna.chap", directory);
    unlink(path);
    assert_int_equal(read_secrets(), -1);
    assert_non_null(strstr(sentence, "there is no such file"));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(read_secrets(), -1);
    assert_non_null(strstr(sentence, "it is not a file"));
    rmdir(path);
}

static void mistakes_earn_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *chap, *said;
    } cases[] = {
        {"chap: {required: true}\n", "a.yaml:10: chap.required: nobody could log in"},
        {"chap: {users: [{name: a, secret: b}, {name: a, secret: c}]}\n", "the name a is taken"},
        {"chap: {users: [{name: a}]}\n", "\"secret\" is missing"},
        {"chap: {target: {secret: a}}\n", "\"name\" is missing"},
        {"chap: {target: {name: a}}\n", "\"secret\" is missing"},
        {"chap: {users: [{name: \"a b\", secret: c}]}\n", "no blanks"},
        {"chap: {user: []}\n", "did you mean \"users\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].chap), -1);
        if (!strstr(sentence, cases[i].said))
            fail_msg("%s", sentence);
    }
}

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/secrets-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_read),
        cmocka_unit_test(none_is_well),
        cmocka_unit_test(bad_files_earn_a_sentence),
        cmocka_unit_test(mistakes_earn_a_sentence),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
