/* SPDX-License-Identifier: Apache-2.0 */
/* The geometry and the arithmetic of parity, against those of parity_check.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/parity.h"
#include "array/parity_check.h"

enum { LENGTH = 1024, ROOM = LENGTH + 64 };

static struct pool pool;
static uint8_t memory[PARITY_DRIVES_MAX][ROOM], kept[PARITY_DRIVES_MAX][ROOM];
static uint8_t *at[PARITY_DRIVES_MAX];

static void shape(uint8_t members, uint8_t parity)
{
    pool.members = members;
    pool.parity = parity;
}

static void fill(uint32_t misaligned)
{
    static uint64_t random = 88172645463325252ull;
    for (uint32_t m = 0; m < pool.members; m++) {
        at[m] = (uint8_t *)(((uintptr_t)memory[m] + 63) / 64 * 64) + (m % 2 ? misaligned : 0);
        for (uint32_t i = 0; i < LENGTH; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            at[m][i] = (uint8_t)random;
        }
    }
}

static void keep(void)
{
    for (uint32_t m = 0; m < pool.members; m++)
        memcpy(kept[m], at[m], LENGTH);
}

static void check_parity(void)
{
    uint32_t count = parity_data(&pool);
    for (uint32_t i = 0; i < LENGTH; i++) {
        uint8_t data[PARITY_DRIVES_MAX], p, q;
        for (uint32_t m = 0; m < count; m++)
            data[m] = at[m][i];
        parity_check_make(data, count, &p, &q);
        assert_int_equal(at[count][i], p);
        if (pool.parity == 2)
            assert_int_equal(at[count + 1][i], q);
    }
}

static void every_drive_has_its_turn(void **state)
{
    (void)state;
    for (uint8_t parity = 1; parity <= 2; parity++)
        for (uint8_t members = parity + 2; members <= PARITY_DRIVES_MAX; members++) {
            shape(members, parity);
            for (uint64_t stripe = 0; stripe < 3u * members; stripe++) {
                uint32_t data = parity_data(&pool);
                assert_int_equal(parity_position(&pool, stripe, data),
                                 parity_check_p_drive(stripe, members));
                if (parity == 2)
                    assert_int_equal(parity_position(&pool, stripe, data + 1),
                                     parity_check_q_drive(stripe, members));
                for (uint32_t i = 0; i < data; i++)
                    assert_int_equal(parity_position(&pool, stripe, i),
                                     parity_check_data_drive(stripe, members, parity, i));
                for (uint32_t p = 0; p < members; p++)
                    assert_int_equal(
                        parity_position(&pool, stripe, parity_member(&pool, stripe, p)), p);
            }
        }
}

static void parity_is_made(void **state)
{
    (void)state;
    for (uint8_t parity = 1; parity <= 2; parity++)
        for (uint8_t members = parity + 2; members <= PARITY_DRIVES_MAX; members += 5)
            for (uint32_t misaligned = 0; misaligned <= 8; misaligned += 8) {
                shape(members, parity);
                fill(misaligned);
                parity_make(&pool, LENGTH, at);
                check_parity();
                keep();
                for (uint32_t row = 0; row < parity; row++) { /* one of them alone */
                    uint8_t *some[PARITY_DRIVES_MAX];
                    memcpy(some, at, sizeof some);
                    memset(at[parity_data(&pool) + row], 0x5A, LENGTH);
                    for (uint32_t other = 0; other < parity; other++)
                        if (other != row)
                            some[parity_data(&pool) + other] = NULL;
                    parity_make(&pool, LENGTH, some);
                    check_parity();
                }
            }
}

static void parity_is_changed(void **state)
{
    (void)state;
    for (uint8_t parity = 1; parity <= 2; parity++)
        for (uint8_t members = parity + 2; members <= PARITY_DRIVES_MAX; members += 7) {
            shape(members, parity);
            fill(0);
            parity_make(&pool, LENGTH, at);
            for (uint32_t m = 0; m < parity_data(&pool); m++) {
                parity_change(&pool, LENGTH, m, at[m], at + parity_data(&pool));
                for (uint32_t i = 0; i < LENGTH; i++)
                    at[m][i] = (uint8_t)(at[m][i] * 3 + i + m);
                parity_change(&pool, LENGTH, m, at[m], at + parity_data(&pool));
                check_parity();
            }
        }
}

static void check_recovered(uint32_t missing, uint32_t with)
{
    for (uint32_t m = 0; m < pool.members; m++)
        if (missing >> m & 1)
            memset(at[m], 0xEE, LENGTH);
    parity_recover(&pool, LENGTH, at, missing, with);
    for (uint32_t m = 0; m < pool.members; m++)
        assert_memory_equal(at[m], kept[m], LENGTH);
}

/* Every one and every two that can be missing, by all parity that will do. */
static void data_are_recovered(void **state)
{
    (void)state;
    for (uint8_t parity = 1; parity <= 2; parity++)
        for (uint8_t members = parity + 2; members <= PARITY_DRIVES_MAX; members += 9)
            for (uint32_t misaligned = 0; misaligned <= 8; misaligned += 8) {
                shape(members, parity);
                fill(misaligned);
                parity_make(&pool, LENGTH, at);
                keep();
                uint32_t data = parity_data(&pool);
                for (uint32_t x = 0; x < data; x++) {
                    for (uint32_t row = 0; row < parity; row++)
                        check_recovered(parity_bit(x), parity_bit(data + row));
                    for (uint32_t y = x + 1; parity == 2 && y < data; y++)
                        check_recovered(parity_bit(x) | parity_bit(y), parity_parity_mask(&pool));
                }
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_drive_has_its_turn),
        cmocka_unit_test(parity_is_made),
        cmocka_unit_test(parity_is_changed),
        cmocka_unit_test(data_are_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
