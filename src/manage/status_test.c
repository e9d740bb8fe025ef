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

#include "manage/status.h"
#include "manage/status_json.h"
#include "manage/table.h"

/* Processes of an array of two modules as they answer. Each test changes one thing. */
enum { A, B, IS1, L1, L2, PROCESSES };

static const char *const names[PROCESSES] = {"A", "B", "IS1", "L1", "L2"};
static json_t *answers[PROCESSES];

static json_t *unit_answer(const char *name, const char *state)
{
    return json_pack(
        "{s:s, s:s, s:[s, s], s:s, s:I, s:I, s:{s:I, s:I, s:s, s:[s, s], s:[]}, s:[{s:s, s:s, s:s, "
        "s:I, s:I, s:[s, s]}], s:[{s:s, s:s, s:s, s:I, s:I}], s:[{s:i, s:s}]}",
        "name", name, "group", "g1", "members", "A1", "B1", "state", state, "epoch", (json_int_t)3,
        "since_ns", (json_int_t)5000000000, "record", "generation", (json_int_t)9, "epoch",
        (json_int_t)3, "primary", "A1", "in_sync", "A1", "B1", "previous", "pools", "name", "p1",
        "level", "raid1", "cache", "mirrored", "size_bytes", (json_int_t)(64 << 20), "used_bytes",
        (json_int_t)(32 << 20), "drives", "t0/00", "t1/00", "volumes", "name", "v1", "pool", "p1",
        "uuid", "aa", "size_bytes", (json_int_t)(32 << 20), "block_bytes", (json_int_t)512, "luns",
        "lun", 4, "uuid", "aa");
}

static json_t *loop_answer(const char *name, const char *tray, const char *drive)
{
    return json_pack("{s:i, s:[{s:s, s:s, s:[{s:s, s:I}], s:[{s:s, s:i, s:b, s:s, s:s}]}]}", "pid",
                     40, "loops", "name", name, "tray", tray, "banks", "group", "g1", "epoch",
                     (json_int_t)3, "drives", "name", drive, "slot", 0, "online", 1, "group", "g1",
                     "path", "/d");
}

static int set_up(void **state)
{
    (void)state;
    answers[A] = json_pack("{s:i, s:I, s:[o]}", "pid", 10, "now_ns", (json_int_t)65000000000,
                           "units", unit_answer("A1", "primary"));
    answers[B] = json_pack("{s:i, s:I, s:[o]}", "pid", 20, "now_ns", (json_int_t)65000000000,
                           "units", unit_answer("B1", "secondary"));
    answers[IS1] = json_pack("{s:i, s:[{s:s, s:[s], s:s, s:[{s:b}, {s:b}]}]}", "pid", 30,
                             "switches", "name", "IS1", "portals", "127.0.0.1:3261", "target",
                             "iqn.x", "sessions", "discovery", 0, "discovery", 1);
    answers[L1] = loop_answer("L1", "t0", "t0/00");
    answers[L2] = loop_answer("L2", "t1", "t1/00");
    for (int i = 0; i < PROCESSES; i++)
        assert_non_null(answers[i]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < PROCESSES; i++)
        json_decref(answers[i]);
    return 0;
}

static json_t *merge(void)
{
    struct status_process processes[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        processes[i] = (struct status_process){names[i], 7, answers[i], false};
    json_t *status = status_merge("lab1", "2026-11-22T14:31:07Z", processes, PROCESSES);
    assert_non_null(status);
    return status;
}

static void lose(int process)
{
    json_decref(answers[process]);
    answers[process] = NULL;
}

static json_t *unit_of(int process)
{
    return json_array_get(json_object_get(answers[process], "units"), 0);
}

static json_t *record_of(int process)
{
    return json_object_get(unit_of(process), "record");
}

/* The codes of the problems, in order: "GROUP_LONE PROCESS_DOWN". */
static void expect_problems(const json_t *status, const char *expected)
{
    char have[256] = "";
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(json_object_get(status, "health"), "checks"), i, check)
        snprintf(have + strlen(have), sizeof have - strlen(have), "%s%s", i ? " " : "",
                 status_text_of(check, "code"));
    assert_string_equal(have, expected);
}

static void healthy(void **state)
{
    (void)state;
    json_t *status = merge();
    expect_problems(status, "");
    assert_true(status_serving(status));
    assert_true(status_in_sync(status));
    assert_string_equal(status_text_of(json_object_get(status, "health"), "state"), "ok");
    const json_t *volume = json_array_get(json_object_get(status, "volumes"), 0);
    assert_int_equal(status_number_of(volume, "lun"), 4);
    assert_string_equal(status_text_of(volume, "group"), "g1");
    const json_t *group = json_array_get(json_object_get(status, "groups"), 0);
    assert_string_equal(status_text_of(group, "primary"), "A1");
    assert_int_equal(json_array_size(json_object_get(status, "pools")), 1);
    json_decref(status);
}

static void picture_is_this(void **state)
{
    (void)state;
    static const char expected[] =
        "array lab1   OK, in sync                                    2026-11-22T14:31:07Z\n"
        "\n"
        "GROUP  EPOCH  PRIMARY  IN SYNC  QUEUE  MIRROR  HANDSHAKE  TAKEOVERS\n"
        "g1         3  A1       A1, B1       0     0 B  -                  0\n"
        "\n"
        "UNIT  STATE   g1         EPOCH  SINCE\n"
        "A1    online  primary        3     1m\n"
        "B1    online  secondary      3     1m\n"
        "\n"
        "SWITCH  STATE   HOSTS  COMMANDS  SENT AGAIN  PORTAL\n"
        "IS1     online      1         0           0  127.0.0.1:3261\n"
        "\n"
        "TRAY  LOOP  DRIVES  FENCES  SLOTS 00-23    (o in a pool, - free)\n"
        "t0    L1    1/1     g1:3    o\n"
        "t1    L2    1/1     g1:3    o\n"
        "\n"
        "POOL  GROUP  LEVEL  CACHE     STATE      USED    SIZE  SURVIVES\n"
        "p1    g1     raid1  mirrored  optimal  32 MiB  64 MiB  1 failure\n"
        "\n"
        "VOLUME  LUN  GROUP  POOL  STATE     SIZE  BLOCK\n"
        "v1        4  g1     p1    online  32 MiB    512\n";
    json_t *status = merge();
    char *picture = status_picture(status);
    assert_string_equal(picture, expected);
    free(picture);
    json_decref(status);
}

static void dead_secondary(void **state)
{
    (void)state;
    lose(B);
    json_object_set_new(record_of(A), "in_sync", json_pack("[s]", "A1"));
    json_t *status = merge();
    expect_problems(status, "PROCESS_DOWN GROUP_LONE");
    assert_true(status_serving(status));
    assert_false(status_in_sync(status));
    const json_t *unit = status_find(json_object_get(status, "units"), "name", "B1");
    assert_string_equal(status_text_of(unit, "state"), "down");
    char *verdict = status_verdict(status);
    assert_non_null(strstr(verdict, "array lab1   DEGRADED, serving   2 problems"));
    assert_int_equal(strlen(verdict), 81);
    free(verdict);
    json_decref(status);
}

static void nobody_serves(void **state)
{
    (void)state;
    json_object_set_new(unit_of(A), "state", json_string("claiming"));
    json_object_set_new(record_of(A), "previous", json_pack("[s]", "B1"));
    json_t *status = merge();
    expect_problems(status, "GROUP_DOWN");
    assert_false(status_serving(status));
    assert_string_equal(status_text_of(json_object_get(status, "health"), "state"), "failed");
    json_decref(status);
}

/* A restarted unit that the record still names under its earlier life is not in sync. */
static void restarted_unit_is_not_in_sync(void **state)
{
    (void)state;
    json_object_set_new(unit_of(B), "state", json_string("out"));
    json_t *status = merge();
    assert_false(status_in_sync(status));
    json_decref(status);
}

/* Of two that call themselves primary, the one of the higher epoch is believed. */
static void newer_primary_is_believed(void **state)
{
    (void)state;
    json_object_set_new(unit_of(B), "state", json_string("primary"));
    json_object_set_new(unit_of(B), "epoch", json_integer(4));
    json_object_set_new(record_of(B), "epoch", json_integer(4));
    json_object_set_new(record_of(B), "primary", json_string("B1"));
    json_t *status = merge();
    const json_t *group = json_array_get(json_object_get(status, "groups"), 0);
    assert_string_equal(status_text_of(group, "primary"), "B1");
    assert_int_equal(status_number_of(group, "epoch"), 4);
    json_decref(status);
}

static void set_epoch(int process, int epoch)
{
    json_object_set_new(unit_of(process), "epoch", json_integer(epoch));
    json_object_set_new(record_of(process), "epoch", json_integer(epoch));
}

/* A group is in sync when nobody lives in an older epoch, whatever the records say. */
static void a_deposed_primary_is_not_in_sync(void **state)
{
    (void)state;
    json_object_set_new(unit_of(B), "state", json_string("primary"));
    json_object_set_new(record_of(B), "primary", json_string("B1"));
    set_epoch(B, 4);
    json_t *status = merge(); /* both records name both in sync; A1 believes that it leads */
    assert_true(status_serving(status));
    assert_false(status_in_sync(status));
    json_decref(status);
    json_object_set_new(unit_of(A), "state", json_string("secondary"));
    status = merge(); /* it knows better, but not yet under whom */
    assert_false(status_in_sync(status));
    json_decref(status);
    set_epoch(A, 4);
    status = merge();
    assert_true(status_in_sync(status));
    json_decref(status);
    json_object_set_new(unit_of(A), "state", json_string("primary"));
    status = merge(); /* two in one epoch */
    assert_false(status_in_sync(status));
    json_decref(status);
}

static void failed_drive(void **state)
{
    (void)state;
    json_object_set_new(record_of(A), "drives_failed", json_pack("[s]", "t1/00"));
    json_t *status = merge();
    expect_problems(status, "DRIVE_FAILED");
    assert_false(status_in_sync(status));
    const json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    assert_string_equal(status_text_of(pool, "state"), "degraded");
    assert_int_equal(json_integer_value(json_object_get(pool, "redundancy_remaining")), 0);
    json_decref(status);
    lose(L2); /* and then nobody speaks of that drive */
    status = merge();
    expect_problems(status, "PROCESS_DOWN DRIVES_UNREACHED");
    json_decref(status);
    json_object_set_new(record_of(A), "drives_failed", json_pack("[s, s]", "t0/00", "t1/00"));
    status = merge();
    expect_problems(status, "POOL_FAILED PROCESS_DOWN DRIVE_FAILED DRIVES_UNREACHED");
    json_decref(status);
}

static void stale_drive(void **state)
{
    (void)state;
    json_object_set_new(record_of(A), "drives_stale", json_pack("[s]", "t1/00"));
    json_object_set_new(unit_of(A), "resync_left_bytes", json_integer(1 << 20));
    json_t *status = merge();
    expect_problems(status, "DRIVE_RESYNC");
    const json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    assert_string_equal(status_text_of(pool, "state"), "resynchronising");
    json_decref(status);
}

static void each_level_counts_its_own_way(void **state)
{
    (void)state;
    static const struct {
        const char *level, *drives, *bad;
        int survives;
    } cases[] = {
        {"raid10", "[\"a\",\"b\",\"c\",\"d\"]", "[]", 1},
        {"raid10", "[\"a\",\"b\",\"c\",\"d\"]", "[\"b\"]", 0},
        {"raid10", "[\"a\",\"b\",\"c\",\"d\"]", "[\"b\",\"c\"]", 0},
        {"raid10", "[\"a\",\"b\",\"c\",\"d\"]", "[\"c\",\"d\"]", -1},
        {"raid1", "[\"a\",\"b\",\"c\"]", "[\"c\"]", 1},
        {"raid5", "[\"a\",\"b\",\"c\"]", "[]", 1},
        {"raid5", "[\"a\",\"b\",\"c\"]", "[\"b\"]", 0},
        {"raid5", "[\"a\",\"b\",\"c\"]", "[\"b\",\"a\"]", -1},
        {"raid6", "[\"a\",\"b\",\"c\",\"d\"]", "[\"d\",\"a\"]", 0},
        {"raid0", "[\"a\",\"b\"]", "[\"b\"]", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *pool = json_pack("{s:s, s:o, s:o}", "level", cases[i].level, "drives",
                                 json_loads(cases[i].drives, 0, NULL), "drives_bad",
                                 json_loads(cases[i].bad, 0, NULL));
        assert_int_equal(status_pool_survives(pool), cases[i].survives);
        json_decref(pool);
    }
}

/* What answers may be of another release, or nonsense: nothing of it is trusted. */
static void strange_answers(void **state)
{
    (void)state;
    static const char *const strange[] = {
        "{}",
        "{\"units\":5}",
        "{\"units\":[null,7,{\"name\":3}]}",
        "{\"units\":[{\"name\":\"A1\",\"group\":\"g1\",\"members\":[1,null],\"record\":{}}]}",
        "{\"loops\":[{\"drives\":[{\"slot\":-1},{\"slot\":99999}]}],\"switches\":[{}]}",
    };
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        lose(A);
        answers[A] = json_loads(strange[i], 0, NULL);
        json_t *status = merge();
        char *picture = status_picture(status);
        assert_non_null(picture);
        free(picture);
        json_decref(status);
    }
}

static void tables_are_as_wide_as_needed(void **state)
{
    (void)state;
    struct table *table = table_new("NAME|>SIZE|NOTE");
    table_row(table, (const char *const[]){"a", "12", NULL});
    table_row(table, (const char *const[]){"longer", "3", "a long note that is cut"});
    char *text = table_text(table, 30);
    assert_string_equal(text, "NAME    SIZE  NOTE\n"
                              "a         12  -\n"
                              "longer     3  a long note that\n");
    free(text);
    table_free(table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(healthy),
        TEST(picture_is_this),
        TEST(dead_secondary),
        TEST(nobody_serves),
        TEST(restarted_unit_is_not_in_sync),
        TEST(newer_primary_is_believed),
        TEST(a_deposed_primary_is_not_in_sync),
        TEST(failed_drive),
        TEST(stale_drive),
        TEST(each_level_counts_its_own_way),
        TEST(strange_answers),
        cmocka_unit_test(tables_are_as_wide_as_needed),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
