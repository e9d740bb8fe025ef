/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/test_host.h"

/* Nexuses, unit attentions, task management, RESERVE(6). */

static void a_new_nexus_hears_of_power_on_once_for_each_volume(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(3);
    host_set_volume(h, &info);
    host_open_as(h, 1, 7, "iqn.b,i,0x1");
    assert_good(h);
    for (int i = 0; i < 2; i++) {
        h->volume = i ? 3 : 0;
        host_cdb(h, 0x12, 0, 0, 0, 96, 0); /* neither reports nor clears */
        assert_good(h);
        host_cdb(h, 0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
        assert_good(h);
        host_cdb(h, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* reports */
        assert_sense(h, 6, 0x2900);
        assert_int_equal(h->plan.what, SCSI_RESOLVE);
        host_ready(h);
        assert_good(h);
        assert_int_equal(h->plan.what, SCSI_RESPOND);
    }
    host_free(h);
}

static void invalid_opcodes_report_too(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_open_as(h, 1, 7, "iqn.b,i,0x1");
    host_cdb(h, 0xFF);
    assert_sense(h, 6, 0x2900);
    host_cdb(h, 0xFF);
    assert_sense(h, 5, 0x2000);
    host_free(h);
}

static void request_sense_gives_it_as_data(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    for (uint8_t descriptor = 0; descriptor < 2; descriptor++) {
        host_open_as(h, 1, 7u + descriptor, "iqn.b,i,0x1");
        host_cdb(h, 0x03, descriptor, 0, 0, 252, 0);
        assert_good(h);
        assert_int_equal(h->plan.what, SCSI_RESOLVE);
        assert_int_equal(h->plan.data_length, descriptor ? 8 : 18);
        assert_int_equal(h->answer[0], descriptor ? 0x72 : 0x70);
        assert_int_equal(h->answer[descriptor ? 1 : 2], 6);
        host_cdb(h, 0x03, descriptor, 0, 0, 252, 0);
        assert_int_equal(h->plan.what, SCSI_RESPOND);
        assert_int_equal(h->answer[descriptor ? 1 : 2], 0);
        host_ready(h);
        assert_good(h);
    }
    host_free(h);
}

static void conditions_come_in_order(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(0);
    info.blocks += 8;
    host_set_volume(h, &info);
    host_task(h, TASK_LOGICAL_UNIT_RESET);
    assert_int_equal(h->plan.task_response, 0);
    host_ready(h);
    assert_sense(h, 6, 0x2903);
    host_ready(h);
    assert_sense(h, 6, 0x2A09);
    host_ready(h);
    assert_good(h);
    host_set_volume(h, &info); /* the same again */
    host_ready(h);
    assert_good(h);
    host_free(h);
}

static void a_nexus_that_is_not_open_runs_nothing(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_use(h, 0, 99);
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_sense(h, 0xB, 0);
    host_cdb(h, 0x12, 0, 0, 0, 96, 0);
    assert_good(h);
    host_lose(h);
    assert_good(h);
    host_use(h, 0, 1);
    host_lose(h);
    host_ready(h);
    assert_sense(h, 0xB, 0);
    host_free(h);
}

static void power_on(struct host *h)
{
    scsi_forget_volatile(h->server);
    scsi_forget_volatile(h->other);
    scsi_power_on(h->server);
    scsi_power_on(h->other);
}

static void after_a_cold_start_hosts_go_on(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    power_on(h);
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_sense(h, 6, 0x2900);
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_READ);
    /* without a name it cannot register */
    uint8_t list[24] = {[15] = 5};
    const uint8_t cdb[10] = {0x5F, 0, [8] = 24};
    host_data(h, cdb, 10, list, 24);
    assert_sense(h, 5, 0x5504);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_data(h, cdb, 10, list, 24);
    assert_good(h);
    /* a later session of the switch opens all of its own */
    scsi_sender_dead(h->server, 0, 1);
    scsi_sender_anew(h->server, 0);
    scsi_sender_dead(h->other, 0, 1);
    scsi_sender_anew(h->other, 0);
    host_ready(h);
    assert_sense(h, 0xB, 0);
    host_use(h, 1, 1);
    host_ready(h);
    assert_sense(h, 6, 0x2900);
    host_free(h);
}

/* What earlier sessions of its switch have left is gone; that of the cold start itself goes on. */
static void a_session_outlives_a_cold_start(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    power_on(h);
    h->session = 5;
    scsi_sender_dead(h->server, 0, 4);
    scsi_sender_dead(h->other, 0, 4);
    host_ready(h);
    assert_sense(h, 6, 0x2900);
    host_ready(h);
    assert_good(h);
    host_free(h);
}

/* Two that were planned before the first of them was resolved, on two volumes: whoever comes behind
 * them is told nothing again. */
static void told_twice_at_once(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(1);
    host_set_volume(h, &info);
    host_calm(h);
    for (int luns = 0; luns <= 1; luns++) {
        uint8_t effect[2][EFFECT_MAX];
        uint32_t length[2];
        if (luns == 0)
            power_on(h);
        for (uint16_t v = 0; v <= 1; v++) {
            struct command_message m = {
                .kind = COMMAND_SCSI, .nexus = 1, .volume = v, .luns = luns ? 8u - v : 0};
            memset(&h->plan, 0, sizeof h->plan);
            h->plan.data = h->answer;
            scsi_plan(h->server, &m, NULL, 0, &h->plan);
            assert_sense(h, 6, luns ? 0x3F0E : 0x2900);
            memcpy(effect[v], h->plan.effect, length[v] = h->plan.effect_length);
        }
        for (int i = 0; i <= 1; i++) {
            assert_true(scsi_apply(h->server, 0, effect[i], length[i]));
            assert_true(scsi_apply(h->other, 0, effect[i], length[i]));
        }
        h->luns = luns ? 8 : 0;
        for (h->volume = 0; h->volume <= 1; h->volume++) {
            host_ready(h);
            assert_good(h);
        }
        h->volume = 0;
    }
    host_free(h);
}

/* The next session of a switch gives the same numbers again; the dead one's last commands are still
 * to be planned. */
static void nexuses_of_two_sessions(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    for (h->session = 1; h->session <= 2; h->session++) {
        host_open_as(h, 0, 5, h->session == 1 ? "iqn.old,i,0x1" : "iqn.new,i,0x1");
        assert_good(h);
        host_calm(h);
    }
    h->session = 1;
    host_cdb(h, 0x16, 0, 0, 0, 0, 0); /* RESERVE(6) */
    assert_good(h);
    h->session = 2;
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_conflict(h);
    host_cdb(h, 0x17, 0, 0, 0, 0, 0); /* RELEASE(6) of what it has not */
    assert_good(h);
    h->session = 1;
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_good(h);
    uint8_t *bytes = malloc(SAVE_BYTES);
    assert_true(scsi_load(h->other, bytes, host_save(h->server, bytes)));
    free(bytes);
    assert_true(scsi_sender_dead(h->server, 0, 1));
    assert_true(scsi_sender_dead(h->other, 0, 1));
    assert_false(scsi_sender_dead(h->server, 0, 1));
    host_ready(h);
    assert_sense(h, 0xB, 0);
    h->session = 2;
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_good(h); /* the reservation has gone, too */
    h->session = 3;
    host_ready(h);
    assert_sense(h, 0xB, 0);
    host_free(h);
}

/* One that had registered is known by its port; it has lost more than its nexus. */
static void a_power_on_is_told_first_also_to_a_registrant(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t list[24] = {[15] = 5, [20] = 1}; /* APTPL */
    const uint8_t cdb[10] = {0x5F, 0, [8] = 24};
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_calm(h);
    host_data(h, cdb, 10, list, 24);
    assert_good(h);
    power_on(h);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_ready(h);
    assert_sense(h, 6, 0x2900);
    host_ready(h);
    assert_good(h);
    host_free(h);
}

/* A switch that is not sure whether the group knows its nexus opens it again: that loses nothing.
 * Another initiator port's nexus of that number does. */
static void opening_again(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_cdb(h, 0x16, 0, 0, 0, 0, 0);
    assert_good(h);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    assert_int_equal(h->plan.what, SCSI_RESPOND);
    host_ready(h);
    assert_good(h);
    host_open_as(h, 1, 1, "iqn.b,i,0x1");
    host_calm(h);
    host_ready(h); /* reserved */
    assert_int_equal(h->plan.status, SCSI_STATUS_RESERVATION_CONFLICT);
    host_open_as(h, 0, 1, "iqn.2024-01.host:c,i,0x1");
    host_ready(h);
    assert_sense(h, 6, 0x2907);
    host_open_as(h, 1, 1, "iqn.b,i,0x1");
    host_calm(h);
    host_ready(h); /* the reservation is gone */
    assert_good(h);
    host_free(h);
}

/* After a cold start the switch opens it anew, and a command of it is on its way beside that: both
 * are planned before either is applied. It is greeted once, and has its name. */
static void opened_by_two_commands_at_once(void **unused)
{
    (void)unused;
    for (int named_first = 0; named_first < 2; named_first++) {
        struct host *h = host_new();
        power_on(h);
        const char name[] = "iqn.2024-01.host:a,i,0x1";
        struct command_message open = {.kind = COMMAND_NEXUS_OPEN, .nexus = 1};
        struct command_message ready = {.kind = COMMAND_SCSI, .nexus = 1};
        open.id.session = ready.id.session = h->session;
        h->plan.data = h->answer;
        if (named_first)
            scsi_plan(h->server, &ready, NULL, 0, &h->plan);
        else
            scsi_plan(h->server, &open, (const uint8_t *)name, sizeof name - 1, &h->plan);
        struct scsi_plan late = h->plan;
        if (named_first)
            host_open_as(h, 0, 1, name);
        else
            host_ready(h);
        assert_true(scsi_apply(h->server, h->session, late.effect, late.effect_length));
        assert_true(scsi_apply(h->other, h->session, late.effect, late.effect_length));
        host_ready(h);
        assert_good(h);
        uint8_t list[24] = {[15] = 5};
        const uint8_t cdb[10] = {0x5F, 0, [8] = 24};
        host_data(h, cdb, 10, list, 24);
        assert_good(h);
        host_free(h);
    }
}

static void names_and_room_are_bounded(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    char name[300];
    memset(name, 'x', sizeof name);
    name[299] = 0;
    host_open_as(h, 1, 1, name);
    assert_sense(h, 5, 0x2600);
    host_open_as(h, 1, 1, "");
    assert_sense(h, 5, 0x2600);
    name[255] = 0;
    for (uint32_t n = 2; n < 200; n++) {
        name[0] = (char)('a' + n % 26);
        name[1] = (char)('a' + n / 26);
        host_open_as(h, 0, n, name);
        assert_int_equal(h->plan.status, n <= NEXUS_MAX ? SCSI_STATUS_GOOD : SCSI_STATUS_BUSY);
    }
    host_use(h, 0, 5);
    host_lose(h);
    host_open_as(h, 1, 1, "iqn.b");
    assert_good(h);
    host_free(h);
}

static void task_functions(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(1);
    host_set_volume(h, &info);
    host_open_as(h, 1, 2, "iqn.b,i,0x1");
    for (uint16_t v = 0; v < 2; v++)
        for (int i = 0; i < 2; i++) {
            h->volume = v;
            host_use(h, (uint8_t)i, i ? 2 : 1);
            host_calm(h);
        }
    h->volume = 0;
    static const struct {
        enum task_function task;
        uint8_t response;
        uint16_t own, other, other_volume; /* what is reported after it */
    } rows[] = {
        {TASK_ABORT_TASK, 0, 0, 0, 0},
        {TASK_ABORT_TASK_SET, 0, 0, 0, 0},
        {TASK_CLEAR_ACA, 5, 0, 0, 0},
        {TASK_CLEAR_TASK_SET, 0, 0, 0, 0}, /* which waits for them, and clears none */
        {TASK_LOGICAL_UNIT_RESET, 0, 0x2903, 0x2903, 0},
        {TASK_TARGET_WARM_RESET, 0, 0x2903, 0x2903, 0x2903},
        {TASK_TARGET_COLD_RESET, 0, 0x2903, 0x2903, 0x2903},
        {(enum task_function)77, 5, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        host_use(h, 0, 1);
        host_task(h, rows[i].task);
        assert_good(h);
        assert_int_equal(h->plan.task_response, rows[i].response);
        const uint16_t expected[3] = {rows[i].own, rows[i].other, rows[i].other_volume};
        for (int j = 0; j < 3; j++) {
            h->volume = j == 2;
            host_use(h, j > 0, j > 0 ? 2 : 1);
            host_ready(h);
            if (expected[j])
                assert_sense(h, 6, expected[j]);
            else
                assert_good(h);
        }
        host_use(h, 0, 1);
        h->volume = 1;
        host_calm(h);
        h->volume = 0;
    }
    host_free(h);
}

static void reserve_6(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t cdb[16];
        bool allowed; /* to others */
    } rows[] = {
        {{0x00}, false},
        {{0x03, 0, 0, 0, 18}, true},
        {{0x12, 0, 0, 0, 96}, true},
        {{0x16}, false},
        {{0x17}, true},
        {{0x1A, 0, 0x3F, 0, 255}, false},
        {{0x28, 0, 0, 0, 0, 0, 0, 0, 1}, false},
        {{0x25}, true},
        {{0x5E, 0, 0, 0, 0, 0, 0, 1}, true},
        {{0xA0, 0, 0, 0, 0, 0, 0, 0, 1}, true},
        {{0x35}, false},
    };
    struct host *h = host_new();
    host_open_as(h, 1, 2, "iqn.b,i,0x1");
    host_calm(h);
    host_use(h, 0, 1);
    for (int i = 0; i < 2; i++) { /* again is no conflict */
        host_cdb(h, 0x16, 0, 0, 0, 0, 0);
        assert_good(h);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        host_use(h, 1, 2);
        host_data(h, rows[i].cdb, 16, NULL, 0);
        if (rows[i].allowed)
            assert_good(h);
        else
            assert_conflict(h);
        host_use(h, 0, 1);
        if (rows[i].cdb[0] != 0x17) {
            host_data(h, rows[i].cdb, 16, NULL, 0);
            assert_good(h);
        }
    }
    uint8_t list[24] = {[15] = 5};
    host_data(h, (const uint8_t[10]){0x5F, 0, [8] = 24}, 10, list, 24);
    assert_conflict(h); /* the two kinds do not mix */
    host_cdb(h, 0x17, 0, 0, 0, 0, 0);
    assert_good(h);
    host_use(h, 1, 2);
    host_ready(h);
    assert_good(h);
    host_free(h);
}

/* The ways in which RESERVE(6) ends without RELEASE(6). */
static void reserve_6_ends(void **unused)
{
    (void)unused;
    for (int way = 0; way < 4; way++) {
        struct host *h = host_new();
        host_cdb(h, 0x16, 0, 0, 0, 0, 0);
        if (way == 0) {
            host_lose(h);
        } else if (way == 3) {
            scsi_sender_dead(h->server, 0, 1);
            scsi_sender_dead(h->other, 0, 1);
        } else {
            host_task(h, way == 1 ? TASK_LOGICAL_UNIT_RESET : TASK_TARGET_WARM_RESET);
        }
        host_open_as(h, 1, 2, "iqn.b,i,0x1");
        host_calm(h);
        assert_good(h);
        host_free(h);
    }
}

/* As a switch's copy of the directory changes. */
static void map_lun(struct host *h)
{
    h->luns++;
}

static void changed_luns_are_told_once(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(3);
    host_set_volume(h, &info);
    host_open_as(h, 1, 7, "iqn.b,i,0x1");
    for (uint16_t v = 0; v <= 3; v += 3) {
        h->volume = v;
        host_use(h, 0, 1);
        host_calm(h);
        host_use(h, 1, 7);
        host_calm(h);
    }
    map_lun(h);
    map_lun(h);
    host_cdb(h, 0x12, 0, 0, 0, 96, 0); /* neither reports nor clears */
    assert_good(h);
    host_ready(h); /* whatever volume it asks */
    assert_sense(h, 6, 0x3F0E);
    h->volume = 0;
    host_ready(h);
    assert_good(h);
    host_use(h, 0, 1); /* the other hears of it too, */
    host_task(h, TASK_LOGICAL_UNIT_RESET);
    host_ready(h); /* after what is more important */
    assert_sense(h, 6, 0x2903);
    host_cdb(h, 0x03, 0, 0, 0, 18, 0); /* and by REQUEST SENSE */
    assert_good(h);
    assert_int_equal(h->answer[2], 6);
    assert_int_equal(be16_at(h->answer + 12), 0x3F0E);
    host_ready(h);
    assert_good(h);
    /* a new nexus knows */
    host_open_as(h, 1, 8, "iqn.c,i,0x1");
    host_ready(h);
    assert_sense(h, 6, 0x2900);
    host_ready(h);
    assert_good(h);
    host_free(h);
}

static void who_reads_the_luns_need_not_be_told(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    map_lun(h);
    h->volume = VOLUME_NONE; /* as a LUN that is not mapped */
    host_cdb(h, 0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_RESOLVE);
    host_cdb(h, 0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_int_equal(h->plan.what, SCSI_RESPOND);
    h->volume = 0;
    host_ready(h);
    assert_good(h);
    map_lun(h); /* the next change is another one */
    host_use(h, 0, 99);
    host_cdb(h, 0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0); /* of a nexus that is not open */
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_RESPOND);
    host_use(h, 0, 1);
    host_ready(h);
    assert_sense(h, 6, 0x3F0E);
    host_ready(h);
    assert_good(h);
    host_free(h);
}

/* A unit that takes over, or joins, tells what has not been told, and nothing twice. */
static void changed_luns_survive_a_takeover(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t *bytes = malloc(SAVE_BYTES);
    map_lun(h);
    host_open_as(h, 1, 7, "iqn.b,i,0x1");
    host_calm(h);
    for (int i = 0; i < 2; i++) { /* before, after it is told */
        assert_true(scsi_load(h->other, bytes, host_save(h->server, bytes)));
        struct scsi_server *server = h->server;
        h->server = h->other;
        h->other = server;
        host_use(h, 1, 7);
        host_ready(h);
        assert_good(h);
        host_use(h, 0, 1);
        host_ready(h);
        if (i == 0)
            assert_sense(h, 6, 0x3F0E);
        else
            assert_good(h);
    }
    free(bytes);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_nexus_hears_of_power_on_once_for_each_volume),
        cmocka_unit_test(invalid_opcodes_report_too),
        cmocka_unit_test(request_sense_gives_it_as_data),
        cmocka_unit_test(conditions_come_in_order),
        cmocka_unit_test(a_nexus_that_is_not_open_runs_nothing),
        cmocka_unit_test(after_a_cold_start_hosts_go_on),
        cmocka_unit_test(a_session_outlives_a_cold_start),
        cmocka_unit_test(told_twice_at_once),
        cmocka_unit_test(nexuses_of_two_sessions),
        cmocka_unit_test(a_power_on_is_told_first_also_to_a_registrant),
        cmocka_unit_test(opening_again),
        cmocka_unit_test(opened_by_two_commands_at_once),
        cmocka_unit_test(names_and_room_are_bounded),
        cmocka_unit_test(task_functions),
        cmocka_unit_test(reserve_6),
        cmocka_unit_test(reserve_6_ends),
        cmocka_unit_test(changed_luns_are_told_once),
        cmocka_unit_test(who_reads_the_luns_need_not_be_told),
        cmocka_unit_test(changed_luns_survive_a_takeover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
