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

#include "manage/catalogue.h"
#include "manage/events.h"
#include "manage/journal.h"
#include "manage/mutes.h"
#include "manage/statefile.h"
#include "manage/status_json.h"
#include "manage/takeovers.h"

static struct config config;
static char directory[64];

static int set_up(void **state)
{
    static const char text[] = "array: lab\nstate: s\nparts:\n  modules: [A, B]\n"
                               "  switches:\n  - {name: IS1, portals: [\"127.0.0.1:3261\"]}\n"
                               "  loops:\n  - {name: L1, tray: front, drives: 4, size: 64MiB}\n"
                               "groups:\n- {name: gold, members: [A, B], owner: true}\n";
    char sentence[CONFIG_SENTENCE], path[96];
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/events-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/log", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    if (config_parse("/lab.yaml", text, sizeof text - 1, directory, &config, sentence,
                     sizeof sentence) != 0)
        fail_msg("%s", sentence);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/log/%s", directory, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* ---- the catalogue ---- */

static void test_every_entry_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < catalogue_count(); i++) {
        const struct catalogue_entry *entry = catalogue_at(i);
        assert_ptr_equal(catalogue_find(entry->code), entry); /* no code twice */
        assert_true(entry->object && *entry->object && *entry->meaning && *entry->effect &&
                    *entry->remedy);
        assert_int_equal(strspn(entry->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(entry->code));
    }
    assert_null(catalogue_at(catalogue_count()));
    assert_string_equal(catalogue_suggest("GROUP_LON"), "GROUP_LONE");
}

static void test_notices_have_codes(void **state)
{
    static const char *const notices[][2] = {
        {"takeover group=1 unit=B1 phase=suspect epoch=2 cause=link_reset", "TAKEOVER_BEGINS"},
        {"takeover group=1 unit=B1 phase=suspect epoch=2 cause=ready of=A1", "UNIT_DROPPED"},
        {"takeover group=1 unit=B1 phase=fence epoch=3 cause=planned", "TAKEOVER_PHASE"},
        {"takeover group=1 unit=B1 phase=serve epoch=3 cause=planned", "TAKEOVER"},
        {"drive unit=A1 drive=t0/02 state=failed", "DRIVE_FAILS"},
        {"drive unit=A1 drive=t0/02 state=stale", "DRIVE_STATE"},
        {"session host=iqn.x peer=127.0.0.1:9 state=begun nexus=4", "SESSION_BEGINS"},
        {"session host=iqn.x peer=127.0.0.1:9 state=ended", "SESSION_ENDS"},
        {"unflushed_lost group=1 unit=A1 drive=t0/00", "UNFLUSHED_LOST"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++) {
        const struct catalogue_entry *entry = catalogue_of_notice(notices[i][0]);
        assert_non_null(entry);
        assert_string_equal(entry->code, notices[i][1]);
    }
    assert_null(catalogue_of_notice("takeovers are many, x=1"));
    assert_null(catalogue_of_notice("takeover without a pair"));
    assert_null(catalogue_of_notice(""));
}

/* ---- lines ---- */

static json_t *event_of(const char *line)
{
    return events_of_line(&config, "B", line, strlen(line));
}

static void test_a_line_becomes_an_event(void **state)
{
    (void)state;
    json_t *event = event_of("2026-11-22T14:31:07.412034Z info   B1   takeover group=1 unit=B1 "
                             "phase=serve epoch=3 cause=link_reset");
    assert_string_equal(status_text_of(event, "id"), "2026-11-22T14:31:07.412034Z/B");
    assert_string_equal(status_text_of(event, "code"), "TAKEOVER");
    assert_string_equal(status_text_of(event, "object"), "group/gold");
    assert_string_equal(status_text_of(event, "part"), "B1");
    assert_string_equal(status_text_of(json_object_get(event, "fields"), "group"), "gold");
    assert_string_equal(status_text_of(json_object_get(event, "fields"), "cause"), "link_reset");
    json_decref(event);
    event =
        event_of("2026-11-22T14:31:07.412034Z info   B1   drive unit=B1 drive=t0/02 state=stale");
    assert_string_equal(status_text_of(event, "object"), "drive/front/02");
    json_decref(event);
    event = event_of("2026-11-22T14:31:07.412034Z warn   L1   drive x: is there again");
    assert_string_equal(status_text_of(event, "code"), "WARNING");
    assert_string_equal(status_text_of(event, "text"), "drive x: is there again");
    json_decref(event);
}

static void test_other_lines_are_none(void **state)
{
    static const char *const lines[] = {
        "",
        "(3 lines were not kept)",
        "2026-11-22T14:31:07.412034Z info   B1   suspects A1: link_reset",
        "2026-11-22T14:31:07Z info B1 takeover group=1 phase=serve",
        "2026-11-22T14:31:07.412034Z",
        "2026-11-22T14:31:07.412034Z warn   L1   no \xff UTF-8",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_null(event_of(lines[i]));
    assert_null(events_of_line(&config, "B", "2026", 0));
}

static void test_filters(void **state)
{
    (void)state;
    json_t *event = event_of("2026-11-22T14:31:07.412034Z info   B1   takeover group=1 unit=B1 "
                             "phase=serve epoch=3 cause=link_reset");
    static const struct {
        struct events_filter filter;
        bool match;
    } cases[] = {
        {{0}, true},
        {{.since = "2026-11-22T14:31:07"}, true},
        {{.since = "2026-11-22T14:31:08"}, false},
        {{.after = "2026-11-22T14:31:07.412034Z/B"}, false},
        {{.after = "2026-11-22T14:31:07.412034Z/A"}, true},
        {{.code = "TAKEOVER"}, true},
        {{.code = "UNIT_ROLE,TAKEOVER"}, true},
        {{.code = "TAKEOVER_PHASE"}, false},
        {{.object = "group/gold"}, true},
        {{.object = "gold"}, true},
        {{.object = "unit/B1"}, true},
        {{.object = "B1"}, true},
        {{.object = "A1"}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(events_match(event, &cases[i].filter), cases[i].match);
    json_decref(event);
}

/* ---- files ---- */

#define LINE(second, unit, rest)                                                                 \
    "2026-11-22T14:31:" second ".000000Z info   " unit "   takeover group=1 unit=" unit " " rest \
    "\n"

static void test_journals_are_read_in_order_of_time(void **state)
{
    const struct events_filter all = {0}, last = {.limit = 1};
    (void)state;
    write_file("A.events.1", LINE("01", "A1", "phase=serve epoch=1 cause=first"));
    write_file("A.events", LINE("04", "A1", "phase=serve epoch=4 cause=planned") "half a li");
    write_file("B.events", LINE("03", "B1", "phase=claim epoch=3 cause=ready") "rubbish\n");
    write_file("A.log", LINE("02", "A1", "phase=serve epoch=2 cause=first"));
    json_t *events = events_read(&config, &all);
    assert_int_equal(json_array_size(events), 3);
    assert_string_equal(status_text_of(json_array_get(events, 0), "time"),
                        "2026-11-22T14:31:01.000000Z");
    assert_string_equal(status_text_of(json_array_get(events, 1), "process"), "B");
    json_decref(events);
    events = events_read(&config, &last);
    assert_int_equal(json_array_size(events), 1);
    assert_string_equal(status_text_of(json_array_get(events, 0), "time"),
                        "2026-11-22T14:31:04.000000Z");
    json_decref(events);
}

static void test_following_goes_over_a_full_file(void **state)
{
    char from[96], to[96];
    (void)state;
    write_file("A.events", LINE("01", "A1", "phase=serve epoch=1 cause=first"));
    struct events_tail *tail = events_tail_new(&config);
    json_t *events = events_tail_next(tail);
    assert_int_equal(json_array_size(events), 0); /* what was there before is not news */
    json_decref(events);
    write_file("A.events", LINE("02", "A1", "phase=serve epoch=2 cause=first"));
    snprintf(from, sizeof from, "%s/log/A.events", directory);
    snprintf(to, sizeof to, "%s/log/A.events.1", directory);
    journal_rotate(from, JOURNAL_FILES);
    assert_int_equal(access(to, F_OK), 0);
    write_file("A.events", LINE("03", "A1", "phase=serve epoch=3 cause=first"));
    write_file("B.events", LINE("04", "B1", "phase=serve epoch=4 cause=first"));
    events = events_tail_next(tail);
    assert_int_equal(json_array_size(events), 3);
    json_decref(events);
    events = events_tail_next(tail);
    assert_int_equal(json_array_size(events), 0);
    json_decref(events);
    events_tail_free(tail);
}

static void test_a_journal_is_bounded(void **state)
{
    char path[96], last[112];
    struct stat facts;
    (void)state;
    snprintf(path, sizeof path, "%s/log/A.events", directory);
    snprintf(last, sizeof last, "%s.%d", path, JOURNAL_FILES);
    char *large = malloc(JOURNAL_FILE_BYTES + 2);
    memset(large, 'x', JOURNAL_FILE_BYTES + 1);
    large[JOURNAL_FILE_BYTES + 1] = 0;
    for (int i = 0; i < JOURNAL_FILES + 2; i++) {
        write_file("A.events", large);
        assert_true(journal_append(path, "info", "A", "process name=A state=up\nforged line"));
    }
    free(large);
    assert_int_equal(stat(path, &facts), 0);
    assert_true(facts.st_size < 200);
    assert_int_not_equal(access(last, F_OK), 0);
    const struct events_filter newest = {.limit = 1};
    json_t *events = events_read(&config, &newest);
    assert_int_equal(json_array_size(events), 1); /* a text has no second line */
    json_decref(events);
}

/* ---- takeovers ---- */

static void test_takeovers_have_phases(void **state)
{
    const struct events_filter all = {0};
    (void)state;
    write_file("A.events", LINE("01", "A1", "phase=suspect epoch=1 cause=planned"));
    write_file("B.events",
               LINE("02", "B1", "phase=claim epoch=2 cause=planned")
                   LINE("03", "B1", "phase=serve epoch=2 cause=planned")
                       LINE("10", "B1", "phase=suspect epoch=2 cause=ready of=A1")
                           LINE("20", "B1", "phase=suspect epoch=4 cause=link_reset")
                               LINE("21", "B1", "phase=claim epoch=5 cause=link_reset"));
    json_t *events = events_read(&config, &all), *list = takeovers_of_events(events, NULL);
    assert_int_equal(json_array_size(list), 2);
    const json_t *planned = json_array_get(list, 0), *open = json_array_get(list, 1);
    assert_string_equal(status_text_of(planned, "unit"), "B1");
    assert_true(status_flag_of(planned, "done"));
    assert_int_equal(status_number_of(planned, "epoch"), 2);
    assert_int_equal(json_array_size(json_object_get(planned, "phases")), 3);
    assert_true(json_number_value(json_object_get(planned, "duration_ms")) == 2000.0);
    assert_false(status_flag_of(open, "done"));
    assert_string_equal(status_text_of(open, "cause"), "link_reset");
    json_decref(list);
    list = takeovers_of_events(events, "silver");
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    json_decref(events);
}

/* ---- mutes ---- */

static json_t *status_of(const char *severity, const char *const *objects)
{
    json_t *checks = json_array();
    for (; *objects; objects++)
        json_array_append_new(checks,
                              json_pack("{s:s, s:s, s:s, s:n}", "code", "GROUP_LONE", "object",
                                        *objects, "severity", severity, "muted_until"));
    return json_pack("{s:[{s:s}], s:{s:b, s:o}}", "processes", "state", "running", "health",
                     "serving", 1, "checks", checks);
}

static const char *state_of(json_t *status)
{
    static char text[16];
    mutes_apply(&config, status);
    snprintf(text, sizeof text, "%s", status_text_of(json_object_get(status, "health"), "state"));
    json_decref(status);
    return text;
}

static const char *const one[] = {"group/g1", NULL}, *const two[] = {"group/g1", "group/g2", NULL},
                         *const none[] = {NULL};
static const uint64_t hour_ns = UINT64_C(3600000000000);

static void test_a_mute_covers_what_is_there(void **state)
{
    (void)state;
    json_t *status = status_of("warning", one);
    assert_int_equal(mutes_add(&config, status, "GROUP_LONE", NULL, hour_ns), MUTES_DONE);
    assert_int_equal(mutes_add(&config, status, "POOL_FAILED", NULL, hour_ns), MUTES_NOTHING);
    json_decref(status);
    assert_string_equal(state_of(status_of("warning", one)), "ok");
    assert_string_equal(state_of(status_of("warning", two)), "degraded"); /* one more */
    assert_int_equal(mutes_remove(&config, "GROUP_LONE", NULL), MUTES_DONE);
    assert_int_equal(mutes_remove(&config, "GROUP_LONE", NULL), MUTES_NOTHING);
    assert_string_equal(state_of(status_of("warning", one)), "degraded");
}

static void test_a_mute_ends_when_it_clears_or_grows(void **state)
{
    (void)state;
    json_t *status = status_of("warning", one);
    mutes_add(&config, status, "GROUP_LONE", "group/g1", hour_ns);
    assert_string_equal(state_of(status_of("critical", one)), "failed");
    assert_string_equal(state_of(status_of("warning", one)), "degraded");
    mutes_add(&config, status, "GROUP_LONE", "group/g1", hour_ns);
    json_t *silent = status_of("warning", none);
    json_object_set_new(json_array_get(json_object_get(silent, "processes"), 0), "state",
                        json_string("silent"));
    assert_string_equal(state_of(silent), "ok"); /* nobody knows: it is kept */
    assert_string_equal(state_of(status_of("warning", one)), "ok");
    assert_string_equal(state_of(status_of("warning", none)), "ok"); /* it has cleared */
    assert_string_equal(state_of(status_of("warning", one)), "degraded");
    json_decref(status);
}

static void test_a_mute_ends_with_its_time(void **state)
{
    (void)state;
    json_t *past = json_pack("[{s:s, s:s, s:s, s:s}]", "code", "GROUP_LONE", "object", "group/g1",
                             "severity", "warning", "until", "2020-01-01T00:00:00Z");
    assert_true(statefile_save(&config, "mutes.json", past));
    json_decref(past);
    assert_string_equal(state_of(status_of("warning", one)), "degraded");
    json_t *left = statefile_load(&config, "mutes.json");
    assert_int_equal(json_array_size(left), 0);
    json_decref(left);
}

static void test_damaged_mutes_are_not_overwritten(void **state)
{
    char path[STATEFILE_PATH];
    (void)state;
    json_t *status = status_of("warning", one), *empty = json_array();
    assert_true(statefile_save(&config, "mutes.json", empty));
    json_decref(empty);
    statefile_path(&config, "mutes.json", path, sizeof path);
    FILE *file = fopen(path, "w");
    fputs("{", file);
    fclose(file);
    assert_int_equal(mutes_add(&config, status, "GROUP_LONE", NULL, hour_ns), MUTES_FAILED);
    json_decref(status);
    assert_string_equal(state_of(status_of("warning", one)), "degraded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry_is_whole),
        cmocka_unit_test(test_notices_have_codes),
        cmocka_unit_test_setup_teardown(test_a_line_becomes_an_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_lines_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_journals_are_read_in_order_of_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_following_goes_over_a_full_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_journal_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_takeovers_have_phases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mute_covers_what_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mute_ends_when_it_clears_or_grows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_mute_ends_with_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_mutes_are_not_overwritten, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
