/* SPDX-License-Identifier: Apache-2.0 */
#include "command/al_pa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Ones less zeroes of the 8B/10B code of either half (FC-FS, table of data characters): a byte is
 * neutral if both halves are, or neither. */
static bool is_neutral(uint8_t byte)
{
    /* bit x: the 6-bit code of 5 bits x is not balanced; bit y: the 4-bit code of 3 bits y */
    static const uint32_t unbalanced5 = 0xE9818117u, unbalanced3 = 0x91u;
    bool five = unbalanced5 >> (byte & 31) & 1, three = unbalanced3 >> (byte >> 5) & 1;
    return five == three;
}

static void test_table(void **state)
{
    (void)state;
    uint32_t count = 0;
    for (int a = 0; a < 256; a++) {
        bool valid = al_pa_valid((uint8_t)a);
        count += valid;
        if (valid)
            assert_true(is_neutral((uint8_t)a));
        if (is_neutral((uint8_t)a) && a > 0 && a < 0xF0) /* above: reserved, and broadcast */
            assert_true(valid);
    }
    assert_int_equal(count, AL_PAS);
    assert_false(al_pa_valid(AL_PA_FL_PORT));
    assert_false(al_pa_valid(AL_PA_NONE));
    assert_int_equal(al_pa_of_id(0), 0xEF);
    assert_int_equal(al_pa_of_id(1), 0xE8);
    assert_int_equal(al_pa_of_id(125), 0x01);
    assert_int_equal(al_pa_of_id(126), AL_PA_NONE);
    for (uint32_t id = 1; id < AL_PAS; id++)
        assert_true(al_pa_of_id(id) < al_pa_of_id(id - 1));
}

static void test_map(void **state)
{
    (void)state;
    struct al_pa_map map = {{0}};
    assert_true(al_pa_claim(&map, 0x01));
    assert_int_equal(map.bit[0], 0x20); /* behind the L bit and the FL_Port's */
    assert_true(al_pa_claim(&map, 0xEF));
    assert_int_equal(map.bit[15], 0x01);
    assert_false(al_pa_claim(&map, 0x01));
    assert_false(al_pa_claim(&map, 0x03)); /* not neutral */
    assert_false(al_pa_claim(&map, AL_PA_FL_PORT));
    assert_true(al_pa_taken(&map, 0xEF));
    assert_false(al_pa_taken(&map, 0xE8));
    assert_int_equal(al_pa_claim_any(&map), 0x02);
    for (int i = 0; i < AL_PAS - 3; i++)
        assert_true(al_pa_valid(al_pa_claim_any(&map)));
    assert_int_equal(al_pa_claim_any(&map), AL_PA_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_map)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
