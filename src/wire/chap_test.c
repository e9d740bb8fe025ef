/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/chap.h"

/* Computed with Python's hashlib over bytes([7]) + b"0123456789abcdef" + bytes(range(32)). */
static void responses(void **state)
{
    (void)state;
    static const struct {
        enum chap_algorithm algorithm;
        const char *response;
    } cases[] = {
        {CHAP_MD5, "0x45496fa7728e6e2ef579cd392df79314"},
        {CHAP_SHA1, "0x34c64ef0f98894026f9c7460c57ab77417ef6ada"},
        {CHAP_SHA256, "0x381715486ef5a0f258c092d37614fc27b62f5a2ae851159ab5a43581b6747839"},
        {CHAP_SHA3_256, "0xf32cc5f3a9354897a0c0e43bfb86d65005822194f5d6a6eb833db68f8083f0f5"},
    };
    uint8_t challenge[32], response[CHAP_RESPONSE_MAX];
    char text[3 + 2 * CHAP_RESPONSE_MAX];
    for (uint8_t i = 0; i < sizeof challenge; i++)
        challenge[i] = i;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(chap_response(cases[i].algorithm, 7, (const uint8_t *)"0123456789abcdef", 16,
                                  challenge, sizeof challenge, response));
        chap_encode(response, chap_length(cases[i].algorithm), text);
        assert_string_equal(text, cases[i].response);
    }
}

static void algorithms(void **state)
{
    (void)state;
    assert_int_equal(chap_choose("5"), CHAP_MD5);
    assert_int_equal(chap_choose("7,5"), CHAP_SHA256);
    assert_int_equal(chap_choose("9,x,,8,5"), CHAP_SHA3_256);
    assert_int_equal(chap_choose("4294967301,6"), CHAP_SHA1); /* 5 beyond 32 bits */
    assert_int_equal(chap_choose("5x,55"), CHAP_NONE);
    assert_int_equal(chap_choose(""), CHAP_NONE);
    assert_int_equal(chap_choose(",,,"), CHAP_NONE);
    assert_int_equal(chap_length(0), 0);
    assert_int_equal(chap_length(9), 0);
}

static void binary_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int length;
        const char *bytes;
    } cases[] = {
        {"0x61626a", 3, "abj"}, {"0X6A", 1, "j"},          {"0x161", 2, "\x01\x61"},
        {"0xa", 1, "\n"},       {"0bYWJj", 3, "abc"},      {"0bYWI=", 2, "ab"},
        {"0BYQ==", 1, "a"},     {"0b//8=", 2, "\xff\xff"}, {"0x", -1, NULL},
        {"0b", -1, NULL},       {"0x6g", -1, NULL},        {"0bYWI", -1, NULL},
        {"0bY-I=", -1, NULL},   {"0bYQ==x", -1, NULL},     {"abc", -1, NULL},
        {"", -1, NULL},         {"0", -1, NULL},           {"12", -1, NULL},
    };
    uint8_t out[4];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(chap_decode(cases[i].text, out, sizeof out), cases[i].length);
        if (cases[i].length > 0)
            assert_memory_equal(out, cases[i].bytes, (size_t)cases[i].length);
    }
    assert_int_equal(chap_decode("0x01020304", out, 4), 4);
    assert_int_equal(chap_decode("0x0102030405", out, 4), -1);
    assert_int_equal(chap_decode("0x102030405", out, 4), -1);
    assert_int_equal(chap_decode("0bAQIDBAU=", out, 4), -1);
    assert_int_equal(chap_decode("0x1", out, 0), -1);
    assert_true(chap_equal(out, out, 4));
    assert_false(chap_equal((const uint8_t *)"ab", (const uint8_t *)"ac", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(binary_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
