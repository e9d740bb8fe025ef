/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/test_host.h"

/* LOG SENSE and what it counts; diagnostic pages and defect lists. */

static void log_sense(struct host *h, uint8_t control, uint8_t page, uint8_t subpage, uint16_t from,
                      uint16_t allocation)
{
    uint8_t cdb[10] = {0x4D, 0, (uint8_t)(control << 6 | page), subpage};
    be16_put(cdb + 5, from);
    be16_put(cdb + 7, allocation);
    host_data(h, cdb, sizeof cdb, NULL, 0);
}

enum { THRESHOLD, CURRENT, DEFAULT_THRESHOLD, DEFAULT };

/* As each unit of the group says it. */
static void done(struct host *h, const uint8_t cdb[16], uint8_t status, const uint8_t *sense)
{
    struct command_message m = {.kind = COMMAND_SCSI, .volume = h->volume};
    memcpy(m.cdb, cdb, 16);
    scsi_done(h->server, &m, status, sense, sense ? 18 : 0);
    scsi_done(h->other, &m, status, sense, sense ? 18 : 0);
}

static void pages_are_listed(void **unused)
{
    (void)unused;
    static const uint8_t pages[] = {0x00, 0x02, 0x03, 0x05, 0x0D, 0x19, 0x2F};
    struct host *h = host_new();
    log_sense(h, CURRENT, 0, 0, 0, 255);
    assert_good(h);
    assert_int_equal(be16_at(h->answer + 2), sizeof pages);
    assert_int_equal(h->plan.data_length, 4 + sizeof pages);
    assert_memory_equal(h->answer + 4, pages, sizeof pages);
    log_sense(h, CURRENT, 0, 0xFF, 0, 255);
    assert_int_equal(h->answer[0], 0x40); /* subpage format */
    assert_int_equal(h->answer[1], 0xFF);
    assert_int_equal(be16_at(h->answer + 2), 2 * (sizeof pages + 1));
    assert_int_equal(be16_at(h->answer + 4 + 2), 0x00FF);
    log_sense(h, THRESHOLD, 0, 0, 0, 255); /* it has no parameters */
    assert_good(h);
    for (size_t i = 1; i < sizeof pages; i++) {
        log_sense(h, CURRENT, pages[i], 0, 0, 4096);
        assert_good(h);
        assert_int_equal(h->answer[0], pages[i]);
        assert_int_equal(be16_at(h->answer + 2) + 4, h->plan.data_length);
        uint32_t at = 4, count = 0;
        for (; at < h->plan.data_length; at += 4u + h->answer[at + 3])
            count++;
        assert_int_equal(at, h->plan.data_length); /* parameters end where the page does */
        assert_true(count > 0);
        log_sense(h, CURRENT, pages[i], 0, 0, 6);
        assert_int_equal(h->plan.data_length, 6);
        log_sense(h, THRESHOLD, pages[i], 0, 0, 255);
        assert_sense(h, 5, 0x2400);
        log_sense(h, DEFAULT_THRESHOLD, pages[i], 0, 0, 255);
        assert_sense(h, 5, 0x2400);
        log_sense(h, CURRENT, pages[i], 1, 0, 255);
        assert_sense(h, 5, 0x2400);
        log_sense(h, CURRENT, pages[i], 0, 0x7FFF, 255); /* beyond its parameters */
        assert_sense(h, 5, 0x2400);
        assert_int_equal(be16_at(h->plan.sense + 16), 5);
    }
    log_sense(h, CURRENT, 0x11, 0, 0, 255);
    assert_sense(h, 5, 0x2400);
    host_cdb(h, 0x4D, 1, 0x40, 0, 0, 0, 0, 0, 255, 0); /* SP: nothing is saved */
    assert_sense(h, 5, 0x2400);
    host_free(h);
}

static void what_is_not_known_says_so(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    log_sense(h, CURRENT, 0x0D, 0, 0, 255);
    static const uint8_t temperature[] = {0x0D, 0, 0, 6, 0, 0, 3, 2, 0, 0xFF};
    assert_int_equal(h->plan.data_length, sizeof temperature);
    assert_memory_equal(h->answer, temperature, sizeof temperature);
    log_sense(h, CURRENT, 0x2F, 0, 0, 255);
    static const uint8_t exceptions[] = {0x2F, 0, 0, 8, 0, 0, 3, 4, 0, 0, 0xFF, 0};
    assert_int_equal(h->plan.data_length, sizeof exceptions);
    assert_memory_equal(h->answer, exceptions, sizeof exceptions);
    host_free(h);
}

/* Bytes and errors of the page of errors. */
static void errors_are(struct host *h, uint8_t page, uint64_t bytes, uint64_t errors)
{
    log_sense(h, CURRENT, page, 0, 0, 255);
    assert_int_equal(h->plan.data_length, 4 + 2 * 12);
    assert_int_equal(be16_at(h->answer + 4), 5);
    assert_int_equal(be64_at(h->answer + 8), bytes);
    assert_int_equal(be16_at(h->answer + 16), 6);
    assert_int_equal(be64_at(h->answer + 20), errors);
    log_sense(h, CURRENT, page, 0, 6, 255); /* from that parameter on */
    assert_int_equal(h->plan.data_length, 4 + 12);
    assert_int_equal(be64_at(h->answer + 8), errors);
    log_sense(h, DEFAULT, page, 0, 0, 255);
    assert_int_equal(be64_at(h->answer + 8), 0);
}

static void commands_are_counted(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t cdb[16];
        int count; /* of how many */
    } commands[] = {
        {{0x08, [3] = 1, [4] = 0}, 1}, /* 256 blocks */
        {{0x28, [8] = 3}, 2},
        {{0xA8, [9] = 1}, 1},
        {{0x88, [13] = 1}, 1},
        {{0x2A, [8] = 5}, 3},
        {{0x2E, [8] = 1}, 1},
        {{0x89, [13] = 2}, 1},
        {{0x93, 1, [13] = 16}, 1},
        {{0x2F, [8] = 7}, 1},
        {{0x00}, 5},
        {{0x42, [8] = 24}, 2}, /* its blocks are in no CDB */
        {{0x35}, 2},
        {{0xFF}, 1},
        {{0x28, 0, 0xFF, [8] = 1}, 4}, /* nowhere */
    };
    static const uint8_t medium_error[18] = {0x70, 0, 3, [7] = 10, [12] = 0x11};
    static const uint8_t descriptor_error[18] = {0x72, 3, 0x11};
    static const uint8_t miscompare[18] = {0x70, 0, 0xE};
    struct host *h = host_new();
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        for (int n = 0; n < commands[i].count; n++)
            done(h, commands[i].cdb, SCSI_STATUS_GOOD, NULL);
    const uint8_t read[16] = {0x28, [8] = 1}, verify[16] = {0x2F, 2, [8] = 1},
                  write[16] = {0x2A, [8] = 1};
    done(h, read, SCSI_STATUS_CHECK_CONDITION, medium_error);
    done(h, read, SCSI_STATUS_CHECK_CONDITION, descriptor_error);
    done(h, write, SCSI_STATUS_CHECK_CONDITION, medium_error);
    done(h, verify, SCSI_STATUS_CHECK_CONDITION, miscompare);
    done(h, read, SCSI_STATUS_RESERVATION_CONFLICT, NULL);
    log_sense(h, CURRENT, 0x19, 0, 0, 255);
    assert_int_equal(h->plan.data_length, 4 + 4 + 64);
    assert_int_equal(be16_at(h->answer + 4), 1);
    assert_int_equal(be64_at(h->answer + 8), 5);
    assert_int_equal(be64_at(h->answer + 16), 6);
    assert_int_equal(be64_at(h->answer + 24), 15 + 1 + 2 + 16);
    assert_int_equal(be64_at(h->answer + 32), 256 + 6 + 1 + 1);
    errors_are(h, 0x02, (15 + 1 + 2 + 16) * 512, 1);
    errors_are(h, 0x03, (256 + 6 + 1 + 1) * 512, 2);
    errors_are(h, 0x05, 7 * 512, 0);
    host_check_same(h);
    /* a state that is loaded does not touch the counters; a power loss does */
    uint8_t *bytes = malloc(SAVE_BYTES);
    uint32_t length = host_save(h->server, bytes);
    struct volume_info info = host_volume(0);
    scsi_server_clear(h->server);
    scsi_volume_set(h->server, &info);
    assert_true(scsi_load(h->server, bytes, length));
    free(bytes);
    errors_are(h, 0x03, (256 + 6 + 1 + 1) * 512, 2);
    scsi_forget_volatile(h->server);
    scsi_forget_volatile(h->other);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_calm(h);
    errors_are(h, 0x03, 0, 0);
    done(h, read, SCSI_STATUS_GOOD, NULL);
    errors_are(h, 0x03, 512, 0);
    info.uuid[0] ^= 1; /* another volume has none */
    host_set_volume(h, &info);
    host_calm(h);
    errors_are(h, 0x03, 0, 0);
    host_free(h);
}

static void only_commands_of_a_volume_count(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct command_message m = {.kind = COMMAND_TASK, .cdb = {0x28, [8] = 1}};
    scsi_done(h->server, &m, SCSI_STATUS_GOOD, NULL, 0);
    scsi_done(h->other, &m, SCSI_STATUS_GOOD, NULL, 0);
    m = (struct command_message){.kind = COMMAND_SCSI, .cdb = {0x28, [8] = 1}, .volume = 9};
    scsi_done(h->server, &m, SCSI_STATUS_GOOD, NULL, 0);
    m.volume = VOLUME_NONE;
    scsi_done(h->server, &m, SCSI_STATUS_GOOD, NULL, 0);
    errors_are(h, 0x03, 0, 0);
    host_free(h);
}

static void diagnostic_and_defect_lists(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    static const uint8_t pages[] = {0, 0, 0, 1, 0};
    for (uint8_t valid = 0; valid < 2; valid++) {
        host_cdb(h, 0x1C, valid, 0, 0, 255, 0);
        assert_int_equal(h->plan.data_length, sizeof pages);
        assert_memory_equal(h->answer, pages, sizeof pages);
    }
    static const uint8_t none10[] = {0, 0x1D, 0, 0}, none12[] = {0, 0x0C, 0, 0, 0, 0, 0, 0};
    host_cdb(h, 0x37, 0, 0x1D, 0, 0, 0, 0, 0, 255, 0);
    assert_int_equal(h->plan.data_length, sizeof none10);
    assert_memory_equal(h->answer, none10, sizeof none10);
    host_cdb(h, 0xB7, 0x0C, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0);
    assert_int_equal(h->plan.data_length, sizeof none12);
    assert_memory_equal(h->answer, none12, sizeof none12);
    host_cdb(h, 0xB7, 0x0C, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0);
    assert_int_equal(h->plan.data_length, 3);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_listed),
        cmocka_unit_test(what_is_not_known_says_so),
        cmocka_unit_test(commands_are_counted),
        cmocka_unit_test(only_commands_of_a_volume_count),
        cmocka_unit_test(diagnostic_and_defect_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
