/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "manage/identity.h"
#include "manage/quantity.h"
#include "manage/suggest.h"

static void sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"1KiB", 1024},
        {"64MiB", 64 << 20},
        {"64 MiB", 64 << 20},
        {"4TiB", 4ull << 40},
        {"1kB", 1000},
        {"2TB", 2000000000000},
        {"7B", 7},
    };
    static const char *const bad[] = {"",      "MiB",    "1.5GiB",   "-1",
                                      "64Mib", "1 KiBx", "99999PiB", "99999999999999999999"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(quantity_size(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(quantity_size(bad[i], &bytes));
}

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"150ms", 150000000}, {"1.5s", 1500000000},  {"0s", 0},          {"2min", 120000000000},
        {"25 us", 25000},     {"1h", 3600000000000}, {"0.25ms", 250000}, {"7ns", 7},
    };
    static const char *const bad[] = {"", "150", "ms", "1.s", "-1s", "1m", "999999d"};
    uint64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(quantity_time(good[i].text, &ns));
        assert_true(ns == good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(quantity_time(bad[i], &ns));
}

static void quantities_are_written(void **state)
{
    (void)state;
    char out[32];
    quantity_size_text(512, out, sizeof out);
    assert_string_equal(out, "512 B");
    quantity_size_text(1536ull << 20, out, sizeof out);
    assert_string_equal(out, "1.5 GiB");
    quantity_size_text(64ull << 20, out, sizeof out);
    assert_string_equal(out, "64 MiB");
    quantity_size_exact(64ull << 20, out, sizeof out);
    assert_string_equal(out, "64MiB");
    quantity_size_exact(4097, out, sizeof out);
    assert_string_equal(out, "4097");
    quantity_age_text(41ull * 86400 * 1000000000, out, sizeof out);
    assert_string_equal(out, "41d");
    quantity_age_text(150ull * 1000000000, out, sizeof out);
    assert_string_equal(out, "2m");
    quantity_time_text(48000, out, sizeof out);
    assert_string_equal(out, "48 us");
    quantity_time_text(31200000, out, sizeof out);
    assert_string_equal(out, "31 ms");
}

static void near_words_are_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"status", "pool", "volume", "group", "up", "down"};
    size_t count = sizeof words / sizeof words[0];
    assert_string_equal(suggest_word("statsu", words, count), "status");
    assert_string_equal(suggest_word("volumes", words, count), "volume");
    assert_string_equal(suggest_word("POOL", words, count), "pool");
    assert_null(suggest_word("frobnicate", words, count));
    assert_null(suggest_word("xy", words, count));
}

static void identities_are_steady(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    identity_of_name("lab1", "volume", "v1", a);
    identity_of_name("lab1", "volume", "v1", b);
    assert_memory_equal(a, b, 16);
    identity_of_name("lab2", "volume", "v1", b);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(a[8] >> 6, 2);
    identity_random(a);
    identity_random(b);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(a[6] >> 4, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),         cmocka_unit_test(times_are_read),
        cmocka_unit_test(quantities_are_written), cmocka_unit_test(near_words_are_suggested),
        cmocka_unit_test(identities_are_steady),
    };
    return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
