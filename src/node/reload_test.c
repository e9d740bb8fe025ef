/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/reload.h"

static struct config config;
static struct reload *reload;
static char path[64];

static void write_secret(const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/segue-reload-%d", (int)getpid());
    config.chap.users = 1;
    snprintf(config.chap.user[0].name, sizeof config.chap.user[0].name, "anna");
    snprintf(config.chap.user[0].path, sizeof config.chap.user[0].path, "%s", path);
    reload = reload_new(&config);
    return reload ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    reload_free(reload);
    return 0;
}

static void take(struct reload_result *result)
{
    while (!reload_take(reload, result))
        usleep(1000);
}

static void the_loop_takes_what_was_read(void **state)
{
    (void)state;
    struct reload_result result;
    assert_false(reload_take(reload, &result));
    write_secret("twelve.bytes\n");
    assert_true(reload_begin(reload, 3, 77));
    assert_false(reload_begin(reload, 4, 78)); /* under way, or not taken yet */
    take(&result);
    assert_true(result.good);
    assert_int_equal(result.part, 3);
    assert_int_equal(result.tag, 77);
    assert_int_equal(result.secrets.users, 1);
    assert_memory_equal(result.secrets.user[0].bytes, "twelve.bytes", 12);
    reload_wipe(&result);
    assert_int_equal(result.secrets.user[0].bytes[0], 0);
    assert_false(reload_take(reload, &result)); /* once */
}

static void a_wrong_file_is_told(void **state)
{
    (void)state;
    struct reload_result result;
    write_secret("short");
    assert_true(reload_begin(reload, 0, 1));
    take(&result);
    assert_false(result.good);
    assert_non_null(strstr(result.sentence, path));
    assert_null(strstr(result.sentence, "short"));
    assert_true(reload_begin(reload, 0, 2)); /* and the next one may be asked for */
    take(&result);
    assert_int_equal(result.tag, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_loop_takes_what_was_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_file_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
