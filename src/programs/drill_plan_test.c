/* SPDX-License-Identifier: Apache-2.0 */

/* What a drill may break and what chance makes of it, its log, and its table of pauses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "programs/drill_log.h"
#include "programs/drill_random.h"
#include "programs/drill_shape.h"
#include "programs/drill_table.h"

enum { A, B, IS1, IS2, L1, L2, PROCESSES };

static const char *const process_names[PROCESSES] = {"A", "B", "IS1", "IS2", "L1", "L2"};
static const char role_of[PROCESSES] = {'m', 'm', 's', 's', 't', 't'};

/* Six processes, in no order; the pool's level and drives are the test's. */
static json_t *make_status(const char *level, const char *drives)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{\"processes\":[{\"name\":\"L2\"},{\"name\":\"A\"},{\"name\":\"IS1\"},{\"name\":"
             "\"B\"},{\"name\":\"L1\"},{\"name\":\"IS2\"}],"
             "\"units\":[{\"name\":\"A1\",\"module\":\"A\",\"group\":\"g1\",\"process\":\"A\"},"
             "{\"name\":\"B1\",\"module\":\"B\",\"group\":\"g1\",\"process\":\"B\"}],"
             "\"groups\":[{\"name\":\"g1\"}],"
             "\"switches\":[{\"process\":\"IS1\"},{\"process\":\"IS2\"}],"
             "\"loops\":[{\"name\":\"L2\",\"process\":\"L2\",\"drives\":[{\"name\":\"t1/00\","
             "\"path\":\"/dev/null\"},{\"name\":\"t1/01\",\"path\":\"/dev/null\"}]},"
             "{\"name\":\"L1\",\"process\":\"L1\",\"drives\":[{\"name\":\"t0/00\",\"path\":"
             "\"%s\"},{\"name\":\"t0/01\",\"path\":\"/dev/null\"}]}],"
             "\"pools\":[{\"name\":\"p1\",\"level\":\"%s\",\"drives\":[%s]}]}",
             __FILE__, level, drives);
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    return status;
}

static void learn(struct drill_shape *shape, const char *level, const char *drives)
{
    json_t *status = make_status(level, drives);
    assert_true(drill_shape_learn(shape, status));
    json_decref(status);
}

static const char mirror[] = "\"t0/00\",\"t1/00\"";

static void what_may_fail(void **state)
{
    (void)state;
    static const struct {
        const char *level, *drives;
        uint32_t lost;
        int drive; /* t0/00 is 0, t1/01 is 3; -1: none */
        bool lives;
    } rows[] = {
        {"raid1", mirror, 0, -1, true},
        {"raid1", mirror, 1u << A, -1, true},
        {"raid1", mirror, 1u << A | 1u << B, -1, false},
        {"raid1", mirror, 1u << IS1 | 1u << IS2, -1, false},
        {"raid1", mirror, 1u << L1 | 1u << L2, -1, false},
        {"raid1", mirror, 1u << A | 1u << IS2 | 1u << L1, -1, true},
        {"raid1", mirror, 1u << L1, 0, true}, /* the drive is in that tray */
        {"raid1", mirror, 1u << L1, 2, false},
        {"raid1", mirror, 1u << L1, 3, true}, /* of no pool */
        {"raid0", mirror, 1u << A, -1, true},
        {"raid0", mirror, 1u << L1, -1, false},
        {"raid0", mirror, 0, 0, false},
        {"raid10", "\"t0/00\",\"t1/00\",\"t1/01\",\"t0/01\"", 1u << L1, -1, true},
        {"raid10", "\"t0/00\",\"t0/01\",\"t1/00\",\"t1/01\"", 1u << L1, -1, false},
        {"raid10", "\"t0/00\",\"t0/01\",\"t1/00\",\"t1/01\"", 0, 0, true},
        {"raid5", "\"t0/00\",\"t0/01\",\"t1/00\"", 1u << L1, -1, false},
        {"raid5", "\"t0/00\",\"t0/01\",\"t1/00\"", 1u << L2, -1, true},
        {"raid6", "\"t0/00\",\"t0/01\",\"t1/00\",\"t1/01\"", 1u << L2, -1, true},
        {"raid6", "\"t0/00\",\"t0/01\",\"t1/00\",\"t1/01\"", 1u << L2, 0, false},
        {"unheard of", mirror, 1u << L1, -1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct drill_shape shape;
        learn(&shape, rows[i].level, rows[i].drives);
        for (int p = 0; p < PROCESSES; p++) /* sorted: the tests' numbers hold */
            assert_string_equal(shape.process[p].name, process_names[p]);
        if (drill_shape_tolerates(&shape, rows[i].lost, rows[i].drive) != rows[i].lives)
            fail_msg("row %zu", i);
    }
}

static void a_pool_of_unknown_drives_is_no_shape(void **state)
{
    (void)state;
    struct drill_shape shape;
    json_t *status = make_status("raid1", "\"t0/00\",\"t7/00\"");
    assert_false(drill_shape_learn(&shape, status));
    json_decref(status);
}

static int process_of(const char *name)
{
    for (int p = 0; p < PROCESSES; p++)
        if (strcmp(process_names[p], name) == 0)
            return p;
    return -1;
}

static void a_seed_gives_the_same_faults(void **state)
{
    (void)state;
    static struct drill_random one, two, three;
    struct drill_plan a = {0}, b = {0}, c = {0};
    drill_random_init(&one, 7);
    drill_random_init(&two, 7);
    drill_random_init(&three, 8);
    learn(&one.shape, "raid1", mirror);
    two.shape = three.shape = one.shape;
    for (int i = 0; i < 200; i++) {
        assert_true(drill_random_round(&one, &a));
        assert_true(drill_random_round(&two, &b));
        assert_true(drill_random_round(&three, &c));
    }
    assert_int_equal(a.count, b.count);
    uint32_t other = a.count != c.count;
    for (uint32_t i = 0; i < a.count; i++) {
        assert_int_equal(a.fault[i].kind, b.fault[i].kind);
        assert_string_equal(a.fault[i].part, b.fault[i].part);
        assert_string_equal(a.fault[i].how, b.fault[i].how);
        assert_int_equal(a.fault[i].length_ns, b.fault[i].length_ns);
        assert_int_equal(a.fault[i].calm_ns, b.fault[i].calm_ns);
        other += i < c.count && strcmp(a.fault[i].part, c.fault[i].part) != 0;
    }
    assert_true(other > 50);
    drill_plan_free(&a);
    drill_plan_free(&b);
    drill_plan_free(&c);
}

static void check_one(const struct drill_fault *f)
{
    int p = process_of(f->part), q = -1;
    const char *dash = strchr(f->part, '-');
    assert_in_range(f->length_ns, 50000000, 8000000000);
    assert_in_range(f->calm_ns, 1000000, 2000000000);
    switch (f->kind) {
    case DRILL_FAULT_KILL:
    case DRILL_FAULT_HANG:
    case DRILL_FAULT_RESTART:
        assert_true(p >= 0);
        break;
    case DRILL_FAULT_FULL:
        assert_true(p >= 0 && role_of[p] != 's');
        break;
    case DRILL_FAULT_CUT:
        assert_true(*f->how);
        if (!dash) {
            assert_true(p >= 0);
            break;
        }
        q = process_of(dash + 1);
        assert_true(q == A || q == B || f->part[0] == 'A' || f->part[0] == 'B');
        assert_true(q >= 0);
        break;
    case DRILL_FAULT_PULL:
        assert_string_equal(f->part, "t0/00"); /* the one that is a file, and in a pool */
        break;
    case DRILL_FAULT_MOVE:
        assert_true(strcmp(f->part, "g1:A") == 0 || strcmp(f->part, "g1:B") == 0);
        break;
    case DRILL_FAULT_KINDS:
        fail();
    }
}

static void chance_stays_within_the_redundancy(void **state)
{
    (void)state;
    enum { ROUNDS = 4000, REST = 50 };
    static struct drill_random random;
    struct drill_plan plan = {0};
    uint32_t seen[DRILL_FAULT_KINDS] = {0}, pairs = 0, pulled = 0, rounds = 0;
    drill_random_init(&random, 1);
    learn(&random.shape, "raid1", mirror);
    for (int i = 0; i < ROUNDS; i++)
        assert_true(drill_random_round(&random, &plan));
    for (uint32_t i = 0, end; i < plan.count; i = end, rounds++) {
        end = drill_plan_round_end(&plan, i);
        assert_true(end - i <= 2);
        assert_false(plan.fault[i].together);
        for (uint32_t f = i; f < end; f++) {
            check_one(&plan.fault[f]);
            seen[plan.fault[f].kind]++;
        }
        if (end - i == 2) { /* two of different kinds, in different processes */
            int a = process_of(plan.fault[i].part), b = process_of(plan.fault[i + 1].part);
            assert_true(a >= 0 && b >= 0 && role_of[a] != role_of[b]);
            pairs++;
        }
        if (plan.fault[i].kind != DRILL_FAULT_PULL)
            continue;
        assert_true(!pulled || rounds >= pulled + REST);
        pulled = rounds;
    }
    assert_int_equal(rounds, ROUNDS);
    assert_true(pairs > ROUNDS / 20);
    for (int k = 0; k < DRILL_FAULT_KINDS; k++)
        assert_true(seen[k] > 0);
    drill_plan_free(&plan);
}

static void what_has_no_second_does_not_fail(void **state)
{
    (void)state;
    static struct drill_random random;
    struct drill_plan plan = {0};
    drill_random_init(&random, 1);
    learn(&random.shape, "raid0", mirror);
    for (int i = 0; i < 500; i++)
        assert_true(drill_random_round(&random, &plan));
    for (uint32_t i = 0; i < plan.count; i++) {
        assert_null(strstr(plan.fault[i].part, "L"));
        assert_int_not_equal(plan.fault[i].kind, DRILL_FAULT_PULL);
    }
    plan.count = 0; /* everything in one process: nothing may fail */
    json_t *status = make_status("raid1", mirror);
    json_array_clear(json_object_get(status, "processes"));
    json_array_append_new(json_object_get(status, "processes"), json_pack("{s:s}", "name", "A"));
    json_array_clear(json_object_get(status, "loops"));
    json_array_clear(json_object_get(status, "pools"));
    assert_true(drill_shape_learn(&random.shape, status));
    json_decref(status);
    assert_false(drill_random_round(&random, &plan));
    assert_int_equal(plan.count, 0);
    random.wild = true;
    assert_true(drill_random_round(&random, &plan));
    drill_plan_free(&plan);
}

static void only_these_kinds(void **state)
{
    (void)state;
    static struct drill_random random;
    struct drill_plan plan = {0};
    char unknown[32];
    drill_random_init(&random, 1);
    learn(&random.shape, "raid1", mirror);
    assert_false(drill_random_only(&random, "kill,melt,cut", unknown, sizeof unknown));
    assert_string_equal(unknown, "melt");
    assert_true(drill_random_only(&random, drill_random_kinds, unknown, sizeof unknown));
    assert_true(drill_random_only(&random, "restart,hang", unknown, sizeof unknown));
    uint32_t hung = 0;
    for (int i = 0; i < 300; i++) {
        assert_true(drill_random_round(&random, &plan));
        hung += plan.fault[i].kind == DRILL_FAULT_HANG;
        assert_true(plan.fault[i].kind == DRILL_FAULT_HANG ||
                    plan.fault[i].kind == DRILL_FAULT_RESTART);
    }
    assert_in_range(hung, 100, 290);
    drill_plan_free(&plan);
}

/* ---- the log ---- */

static char path[64];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void a_log_is_a_plan(void **state)
{
    (void)state;
    static struct drill_random random;
    struct drill_plan plan = {0}, read = {0};
    struct drill_log_head head = {.seed = 99, .depth = 4, .area_mib = 16, .read_percent = 50}, got;
    char sentence[300];
    drill_random_init(&random, 3);
    learn(&random.shape, "raid1", mirror);
    for (int i = 0; i < 300; i++)
        drill_random_round(&random, &plan);
    FILE *log = fopen(path, "we");
    assert_non_null(log);
    drill_log_begin(log, &head);
    uint32_t round = 0;
    for (uint32_t i = 0; i < plan.count; i++) {
        plan.fault[i].at_ns = 5000000000u + i;
        plan.fault[i].synced_ns = 6000000000u + i;
        if (!plan.fault[i].together)
            round++;
        drill_log_fault(log, &plan.fault[i], round, head.seed, 4000000000u);
        if (drill_plan_round_end(&plan, i) == i + 1)
            drill_log_round(log, &plan.fault[i], round, 1234, 4000000000u);
    }
    fclose(log);
    assert_int_equal(drill_log_read(path, &read, &got, sentence, sizeof sentence), 0);
    assert_int_equal(got.seed, head.seed);
    assert_int_equal(got.depth, head.depth);
    assert_int_equal(got.area_mib, head.area_mib);
    assert_int_equal(got.read_percent, head.read_percent);
    assert_int_equal(read.count, plan.count);
    for (uint32_t i = 0; i < plan.count; i++) {
        assert_int_equal(read.fault[i].kind, plan.fault[i].kind);
        assert_string_equal(read.fault[i].part, plan.fault[i].part);
        assert_string_equal(read.fault[i].how, plan.fault[i].how);
        assert_int_equal(read.fault[i].together, plan.fault[i].together);
        assert_int_equal(read.fault[i].length_ns, plan.fault[i].length_ns);
        assert_int_equal(read.fault[i].calm_ns, plan.fault[i].calm_ns);
        assert_int_equal(read.fault[i].at_ns, 0);
    }
    drill_plan_free(&plan);
    drill_plan_free(&read);
}

#define HEAD "{\"log\":\"segue drill\",\"version\":1,\"seed\":1}\n"

static void bad_logs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "names no fault"},
        {"\n\n", "names no fault"},
        {HEAD, "names no fault"},
        {"hello\n", ":1: no JSON"},
        {"[1]\n", ":1: no JSON object"},
        {"{}\n", ":1: this is no log of segue drill"},
        {"{\"log\":\"segue drill\",\"version\":2}\n", "version 1"},
        {"{\"log\":\"segue drill\",\"version\":1,\"seed\":-4}\n", ":1: seed"},
        {"{\"log\":\"segue drill\",\"version\":1,\"depth\":1000}\n", ":1: seed, depth"},
        {HEAD "{\"fault\":\"melt\",\"part\":\"A\"}\n", ":2: there is no fault \"melt\""},
        {HEAD "{\"fault\":7,\"part\":\"A\"}\n", ":2: there is no fault \"\""},
        {HEAD "{\"fault\":\"kill\"}\n", ":2: \"part\""},
        {HEAD "{\"fault\":\"kill\",\"part\":\"\"}\n", ":2: \"part\""},
        {HEAD "\n{\"fault\":\"kill\",\"part\":\"A\",\"for_ms\":-1}\n", ":3: for_ms"},
        {HEAD "{\"fault\":\"kill\",\"part\":\"A\",\"calm_ms\":\"1\"}\n", ":2: for_ms"},
        {HEAD "{\"fault\":\"kill\",\"part\":\"A\",\"for_ms\":99999999}\n", ":2: for_ms"},
        {HEAD "{\"fault\":\"kill\",\"part\":\"A\"}\n{", ":3: no JSON"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct drill_plan plan = {0};
        struct drill_log_head head;
        char sentence[300] = "";
        write_file(rows[i].text);
        assert_int_equal(drill_log_read(path, &plan, &head, sentence, sizeof sentence), -1);
        if (!strstr(sentence, rows[i].says))
            fail_msg("row %zu: %s", i, sentence);
        drill_plan_free(&plan);
    }
    struct drill_plan plan = {0};
    struct drill_log_head head;
    char sentence[300] = "", line[6000];
    memset(line, ' ', sizeof line - 1);
    line[sizeof line - 1] = 0;
    write_file(line);
    assert_int_equal(drill_log_read(path, &plan, &head, sentence, sizeof sentence), -1);
    assert_non_null(strstr(sentence, "too long"));
    unlink(path);
    assert_int_equal(drill_log_read(path, &plan, &head, sentence, sizeof sentence), -1);
    assert_non_null(strstr(sentence, "No such file"));
}

/* ---- the table ---- */

static void strike(struct drill_plan *plan, enum drill_fault_kind kind, const char *part,
                   const char *role, bool together)
{
    struct drill_fault *f = drill_plan_add(plan, kind, part);
    assert_non_null(f);
    snprintf(f->role, sizeof f->role, "%s", role);
    f->together = together;
    f->at_ns = 1000;
    f->synced_ns = 1000 + plan->count * 10;
}

static const struct drill_table_row *row_of(const struct drill_table *table, const char *name)
{
    for (uint32_t i = 0; i <= table->rows; i++)
        if (strcmp(table->row[i].name, name) == 0)
            return &table->row[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void pauses_by_kind(void **state)
{
    (void)state;
    struct drill_plan plan = {0};
    struct drill_table table;
    uint64_t pause[210] = {0};
    for (uint32_t i = 0; i < 200; i++) { /* 200, 199, ... 1 */
        strike(&plan, DRILL_FAULT_KILL, i % 2 ? "A" : "B", "module", false);
        pause[i] = 200 - i;
    }
    strike(&plan, DRILL_FAULT_HANG, "L1", "tray", false);
    strike(&plan, DRILL_FAULT_KILL, "A", "module", true);
    pause[200] = 1000;
    strike(&plan, DRILL_FAULT_KILL, "B", "module", false);
    strike(&plan, DRILL_FAULT_HANG, "L2", "tray", true);
    pause[202] = 3000;
    strike(&plan, DRILL_FAULT_CUT, "A-L1", "module", false);
    plan.fault[204].errors = 2;
    plan.fault[204].wrong = 8;
    strike(&plan, DRILL_FAULT_CUT, "A", "module", false);
    plan.fault[205].synced_ns = 0; /* not over: it is not counted */
    assert_true(drill_table_make(&table, &plan, pause));
    assert_int_equal(table.rounds, 203);
    assert_int_equal(table.faults, 205);
    assert_int_equal(table.rows, 3);
    const struct drill_table_row *row = row_of(&table, "module killed");
    assert_int_equal(row->count, 200);
    assert_int_equal(row->median_ns, 100);
    assert_int_equal(row->p99_ns, 198);
    assert_int_equal(row->max_ns, 200);
    assert_int_equal(row->sync_max_ns, 2000);
    row = row_of(&table, "module and tray at once");
    assert_int_equal(row->count, 2);
    assert_int_equal(row->median_ns, 1000);
    assert_int_equal(row->p99_ns, 3000);
    row = row_of(&table, "link cut");
    assert_int_equal(row->max_ns, 0);
    assert_int_equal(row->errors, 2);
    assert_int_equal(row->wrong, 8);
    row = row_of(&table, "all");
    assert_int_equal(row->count, 203);
    assert_int_equal(row->max_ns, 3000);
    assert_int_equal(row->wrong, 8);
    drill_plan_free(&plan);
    assert_true(drill_table_make(&table, &plan, pause)); /* no fault at all */
    assert_int_equal(table.rounds, 0);
    json_t *json = drill_table_json(&table);
    assert_int_equal(json_array_size(json_object_get(json, "kinds")), 0);
    json_decref(json);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/drill-plan-test-%d", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_fail),
        cmocka_unit_test(a_pool_of_unknown_drives_is_no_shape),
        cmocka_unit_test(a_seed_gives_the_same_faults),
        cmocka_unit_test(chance_stays_within_the_redundancy),
        cmocka_unit_test(what_has_no_second_does_not_fail),
        cmocka_unit_test(only_these_kinds),
        cmocka_unit_test(a_log_is_a_plan),
        cmocka_unit_test(bad_logs_are_refused),
        cmocka_unit_test(pauses_by_kind),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
