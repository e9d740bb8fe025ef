/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/iscsi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* RFC 7143 appendix A.4 (from RFC 3720 B.4): CRC examples, bytes as they go on the wire. */
static void digest_examples(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, step;
        uint8_t wire[4];
    } examples[] = {
        {0x00, 0, {0xaa, 0x36, 0x91, 0x8a}},
        {0xff, 0, {0x43, 0xab, 0xa8, 0x62}},
        {0x00, 1, {0x4e, 0x79, 0xdd, 0x46}},
        {0x1f, 0xff, {0x5c, 0xdb, 0x3f, 0x11}},
    };
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        uint8_t bytes[32], out[4];
        for (int b = 0; b < 32; b++)
            bytes[b] = (uint8_t)(examples[i].first + b * examples[i].step);
        uint32_t running = iscsi_digest(ISCSI_DIGEST_BEGIN, bytes, 10);
        running = iscsi_digest(running, bytes + 10, 0);
        running = iscsi_digest(running, bytes + 10, 22);
        iscsi_digest_put(out, running);
        assert_memory_equal(out, examples[i].wire, 4);
    }
}

static void header_fields(void **state)
{
    (void)state;
    /* A READ(10) as a Linux initiator sends it. */
    uint8_t bytes[48] = {0x01, 0xC1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0,   0x10,
                         0,    0,    7, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0x28};
    struct iscsi_scsi_command command;
    memcpy(&command, bytes, sizeof command);
    assert_int_equal(be64_get(command.lun), 5ull << 48);
    assert_int_equal(be32_get(command.itt), 0x10000007);
    assert_int_equal(be32_get(command.expected_length), 512);
    assert_int_equal(be32_get(command.cmd_sn), 9);
    assert_int_equal(command.cdb[0], 0x28);
    assert_string_equal(iscsi_opcode_name(bytes[0]), "SCSI Command");
    assert_string_equal(iscsi_opcode_name(0x3E), "unknown PDU");
    assert_string_equal(iscsi_login_status_name(ISCSI_LOGIN_VERSION), "unsupported version");
}

static void pads_and_serials(void **state)
{
    (void)state;
    static const uint32_t pads[] = {0, 3, 2, 1, 0, 3};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(iscsi_pad(i), pads[i]);
    assert_true(iscsi_sn_before(1, 2));
    assert_false(iscsi_sn_before(2, 2));
    assert_true(iscsi_sn_before(0xFFFFFFF0u, 3));
}

static void text_pairs(void **state)
{
    (void)state;
    char bytes[] = "InitiatorName=iqn.x\0SessionType=\0A=b=c\0";
    struct cursor c = cursor_of(bytes, sizeof bytes - 1);
    char *key, *value;
    assert_int_equal(iscsi_text_next(&c, &key, &value), ISCSI_TEXT_PAIR);
    assert_string_equal(key, "InitiatorName");
    assert_string_equal(value, "iqn.x");
    assert_int_equal(iscsi_text_next(&c, &key, &value), ISCSI_TEXT_PAIR);
    assert_string_equal(key, "SessionType");
    assert_string_equal(value, "");
    assert_int_equal(iscsi_text_next(&c, &key, &value), ISCSI_TEXT_PAIR);
    assert_string_equal(value, "b=c");
    assert_int_equal(iscsi_text_next(&c, &key, &value), ISCSI_TEXT_END);
}

static void text_broken(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"NoValue\0", 8},
        {"Key=not ended", 13},
        {"=value\0", 7},
        {"a23456789012345678901234567890123456789012345678901234567890123x=1\0", 67},
        {"x\0y=1\0", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[80];
        memcpy(bytes, cases[i].bytes, cases[i].length);
        struct cursor c = cursor_of(bytes, cases[i].length);
        char *key, *value;
        assert_int_equal(iscsi_text_next(&c, &key, &value), ISCSI_TEXT_BROKEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_examples),  cmocka_unit_test(header_fields),
        cmocka_unit_test(pads_and_serials), cmocka_unit_test(text_pairs),
        cmocka_unit_test(text_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
