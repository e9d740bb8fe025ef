/* SPDX-License-Identifier: Apache-2.0 */
/* SANITIZE: what is refused, what it does piece by piece, what it says meanwhile, what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scsi/test_host.h"

enum {
    OVERWRITE = 1,
    ERASE = 2,
    CRYPTO = 3,
    EXIT = 0x1F,
    AUSE = 0x20,
    IMMED = 0x80,
    PIECE = 32768
};

static void sanitize(struct host *h, uint8_t byte1, const uint8_t *list, uint16_t length)
{
    uint8_t cdb[10] = {0x48, byte1};
    be16_put(cdb + 7, length);
    host_data(h, cdb, sizeof cdb, list, length);
}

static void overwrite(struct host *h, uint8_t byte1, uint8_t count, uint16_t length)
{
    uint8_t list[4 + 4096] = {count};
    be16_put(list + 2, length);
    for (uint16_t i = 0; i < length; i++)
        list[4 + i] = (uint8_t)(i * 5 + 1);
    sanitize(h, byte1 | OVERWRITE, list, (uint16_t)(4 + length));
}

static void apply(struct host *h, const uint8_t *effect, uint32_t length)
{
    assert_true(length <= EFFECT_MAX);
    assert_true(scsi_apply(h->server, 0, effect, length));
    assert_true(scsi_apply(h->other, 0, effect, length));
}

/* One piece is done. False: there is none. */
static bool step(struct host *h, struct scsi_sanitize_piece *piece)
{
    uint8_t effect[EFFECT_MAX];
    bool over;
    if (!scsi_sanitize_next(h->server, piece))
        return false;
    if (piece->ending) {
        apply(h, effect, scsi_sanitize_become(piece->volume, SANITIZE_NONE, effect));
        return true;
    }
    uint32_t length = scsi_sanitize_effect(h->server, piece, &over, effect);
    if (over)
        length = scsi_sanitize_become(piece->volume, SANITIZE_ENDING, effect);
    apply(h, effect, length);
    return true;
}

static void break_down(struct host *h)
{
    uint8_t effect[EFFECT_MAX];
    apply(h, effect, scsi_sanitize_become(0, SANITIZE_FAILED, effect));
}

static uint16_t progress_of(struct host *h)
{
    host_ready(h);
    assert_sense(h, 2, 0x041B);
    assert_int_equal(h->plan.sense[15], 0x80);
    return be16_at(h->plan.sense + 16);
}

static void wrong_ones_are_refused(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t list[4 + 512 + 1] = {1, 0, 2, 0};
    static const uint16_t lengths[] = {0, 1, 4, 517};
    for (size_t i = 0; i < 4; i++) {
        sanitize(h, OVERWRITE, list, lengths[i]);
        assert_sense(h, 5, 0x2400);
    }
    static const struct {
        uint8_t list[4];
        uint8_t byte;
    } bad[] = {{{0, 0, 2, 0}, 0}, {{0x21, 0, 2, 0}, 0}, {{1, 1, 2, 0}, 1},
               {{1, 0, 0, 0}, 2}, {{1, 0, 2, 1}, 2},    {{1, 0, 0x10, 0}, 2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memcpy(list, bad[i].list, 4);
        sanitize(h, OVERWRITE, list, 516);
        assert_sense(h, 5, 0x2600);
        assert_int_equal(be16_at(h->plan.sense + 16), bad[i].byte);
    }
    list[0] = 1;
    be16_put(list + 2, 8);
    const uint8_t short_list[10] = {0x48, OVERWRITE, [8] = 12};
    host_data(h, short_list, 10, list, 11); /* the host has sent less */
    assert_sense(h, 5, 0x1A00);
    sanitize(h, ERASE, list, 8);
    assert_sense(h, 5, 0x2400);
    sanitize(h, EXIT, list, 8);
    assert_sense(h, 5, 0x2400);
    for (int bit = 0; bit < 2; bit++) {
        sanitize(h, bit ? ERASE | 0x40 : CRYPTO, NULL, 0); /* ZNR; no keys */
        assert_sense(h, 5, 0x2400);
    }
    sanitize(h, EXIT, NULL, 0); /* nothing has failed */
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_RESPOND);
    struct volume_info info = host_volume(0);
    info.read_only = true;
    host_set_volume(h, &info);
    host_calm(h);
    sanitize(h, ERASE, NULL, 0);
    assert_sense(h, 7, 0x2700);
    host_free(h);
}

/* Every block once in each pass, in order, in pieces; the last pass writes the pattern as it is. */
static void overwrite_goes_through_all(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t count;
        uint16_t pattern;
    } rows[] = {{1, 512}, {2, 4}, {3 | 0x80, 7}, {2 | 0x80, 300}, {31, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = host_new();
        overwrite(h, IMMED, rows[i].count, rows[i].pattern);
        assert_good(h);
        assert_int_equal(h->plan.what, SCSI_RESOLVE);
        assert_true(h->plan.drains);
        uint8_t passes = rows[i].count & 31;
        uint16_t before = 0;
        for (uint8_t pass = 0; pass < passes; pass++) {
            bool inverted = rows[i].count & 0x80 && (passes - 1 - pass) % 2;
            for (uint64_t at = 0; at < BLOCKS; at += PIECE) {
                uint8_t block[512];
                struct scsi_sanitize_piece piece;
                assert_true(progress_of(h) >= before);
                before = progress_of(h);
                assert_true(scsi_sanitize_next(h->server, &piece));
                assert_true(scsi_sanitize_pattern(h->server, 0, block));
                for (uint32_t b = 0; b < 512; b++)
                    assert_int_equal(
                        block[b], (uint8_t)((b % rows[i].pattern * 5 + 1) ^ (inverted ? 0xFF : 0)));
                assert_true(step(h, &piece));
                assert_false(piece.unmap || piece.ending);
                assert_int_equal(piece.lba, at);
                assert_int_equal(piece.blocks, BLOCKS - at < PIECE ? BLOCKS - at : PIECE);
            }
        }
        assert_true(before > 30000);
        assert_int_equal(progress_of(h), 65535); /* until that is saved */
        struct scsi_sanitize_piece piece;
        assert_true(step(h, &piece) && piece.ending);
        host_ready(h);
        assert_good(h);
        assert_false(step(h, &piece));
        host_free(h);
    }
}

static void erase_writes_zeroes_and_unmaps(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    sanitize(h, ERASE, NULL, 0);
    assert_good(h);
    uint8_t block[512];
    struct scsi_sanitize_piece piece;
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t at = 0; at < BLOCKS; at += PIECE) {
            assert_false(scsi_sanitize_pattern(h->server, 0, block));
            assert_true(step(h, &piece));
            assert_int_equal(piece.unmap, pass);
            assert_int_equal(piece.lba, at);
        }
    assert_true(step(h, &piece) && piece.ending && !step(h, &piece));
    host_free(h);
}

/* What is answered while it runs, and what is not. */
static void others_are_told(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    sanitize(h, ERASE | IMMED, NULL, 0);
    struct scsi_sanitize_piece piece;
    assert_true(step(h, &piece));
    static const uint8_t refused[][16] = {{0x28, 0, 0, 0, 0, 0, 0, 0, 1},
                                          {0x1B, 0, 0, 0, 1},
                                          {0x48, ERASE},
                                          {0x48, EXIT},
                                          {0x5A, 0, 0x3F, [8] = 255},
                                          {0x25},
                                          {0x9E, 0x10},
                                          {0xFF},
                                          {0x5E, 0, [8] = 255},
                                          {0x16},
                                          {0x9C, [13] = 1}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        host_data(h, refused[i], 16, NULL, 0);
        assert_sense(h, 2, 0x041B);
    }
    static const uint8_t answered[][16] = {{0x12, [4] = 96},        {0xA0, [9] = 255},
                                           {0xA3, 0x0C, [9] = 255}, {0xA3, 0x0A, [9] = 255},
                                           {0xA3, 0x0D, [9] = 16},  {0x4D, 0, 0x40, [8] = 255}};
    for (size_t i = 0; i < sizeof answered / sizeof answered[0]; i++) {
        host_data(h, answered[i], 16, NULL, 0);
        assert_good(h);
    }
    uint16_t told = progress_of(h);
    host_cdb(h, 0x03, 0, 0, 0, 252, 0); /* REQUEST SENSE, fixed and by descriptors */
    assert_good(h);
    assert_int_equal(h->answer[2], 2);
    assert_int_equal(be16_at(h->answer + 12), 0x041B);
    assert_int_equal(be16_at(h->answer + 16), told);
    host_cdb(h, 0x03, 1, 0, 0, 252, 0);
    assert_int_equal(h->answer[0], 0x72);
    assert_int_equal(be16_at(h->answer + 2), 0x041B);
    assert_int_equal(h->answer[8], 2);     /* sense key specific */
    host_task(h, TASK_LOGICAL_UNIT_RESET); /* does not end it */
    host_calm(h);
    progress_of(h);
    uint16_t progress;
    assert_int_equal(scsi_sanitize_state(h->server, 0, &progress), SANITIZE_RUNNING);
    host_free(h);
}

/* In restricted mode another operation is the only way out; with AUSE there is EXIT FAILURE MODE.
 */
static void after_a_failure(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct scsi_sanitize_piece piece;
    for (int unrestricted = 0; unrestricted < 2; unrestricted++) {
        sanitize(h, unrestricted ? ERASE | AUSE : ERASE, NULL, 0);
        assert_good(h);
        break_down(h);
        assert_false(scsi_sanitize_next(h->server, &piece));
        host_ready(h);
        assert_sense(h, 3, 0x3103);
        host_cdb(h, 0x03, 0, 0, 0, 252, 0);
        assert_int_equal(h->answer[2], 3);
        sanitize(h, EXIT, NULL, 0);
        if (unrestricted) {
            assert_good(h);
            assert_true(step(h, &piece) && piece.ending);
            break;
        }
        assert_sense(h, 5, 0x2400);
        sanitize(h, ERASE | AUSE, NULL, 0);
        assert_sense(h, 5, 0x2400);
        sanitize(h, ERASE, NULL, 0);
        assert_good(h);
        while (step(h, &piece))
            ;
    }
    host_ready(h);
    assert_good(h);
    host_free(h);
}

/* It is in the saved state, outlives a loss of power, and ends with its volume. */
static void it_is_kept(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t *bytes = malloc(SAVE_BYTES);
    struct scsi_sanitize_piece piece, other;
    overwrite(h, IMMED, 2 | 0x80, 511);
    for (int done = 0; done < 5; done++)
        assert_true(step(h, &piece));
    uint32_t length = host_save(h->server, bytes);
    scsi_forget_volatile(h->server);
    scsi_forget_volatile(h->other);
    assert_true(scsi_sanitize_next(h->server, &piece));
    assert_true(scsi_load(h->other, bytes, length));
    assert_true(scsi_load(h->server, bytes, length));
    assert_true(scsi_sanitize_next(h->other, &other));
    assert_int_equal(other.lba, piece.lba);
    uint8_t block[2][512];
    assert_true(scsi_sanitize_pattern(h->server, 0, block[0]));
    assert_true(scsi_sanitize_pattern(h->other, 0, block[1]));
    assert_memory_equal(block[0], block[1], 512);
    for (uint32_t cut = 0; cut < length; cut++)
        assert_false(scsi_load(h->other, bytes, cut));
    while (!piece.ending && step(h, &piece))
        assert_true(scsi_sanitize_next(h->server, &piece));
    scsi_forget_volatile(h->server); /* all was written, and that was saved: it is over */
    scsi_forget_volatile(h->other);
    assert_false(scsi_sanitize_next(h->server, &piece));
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_calm(h);
    assert_good(h);
    sanitize(h, ERASE, NULL, 0);
    break_down(h);
    scsi_forget_volatile(h->server);
    scsi_forget_volatile(h->other);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_calm(h);
    assert_sense(h, 3, 0x3103);
    struct volume_info info = host_volume(0);
    info.uuid[0] ^= 1; /* another volume in its place */
    host_set_volume(h, &info);
    host_calm(h);
    assert_good(h);
    free(bytes);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_ones_are_refused),
        cmocka_unit_test(overwrite_goes_through_all),
        cmocka_unit_test(erase_writes_zeroes_and_unmaps),
        cmocka_unit_test(others_are_told),
        cmocka_unit_test(after_a_failure),
        cmocka_unit_test(it_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
