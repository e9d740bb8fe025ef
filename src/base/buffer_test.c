/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 8 << 20, PIECES = LIMIT / 4096 };

static struct buffer *held[PIECES];

static uint32_t take_all(struct buffer_pool *pool, uint32_t length)
{
    uint32_t count = 0;
    while (count < PIECES && (held[count] = buffer_get(pool, length))) {
        memset(held[count]->data, (int)count, length);
        count++;
    }
    return count;
}

static void give_back(uint32_t count)
{
    while (count)
        buffer_unref(held[--count]);
}

static void a_pool_is_all_of_its_bytes_in_any_size(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {4096, 300000, 16384, 1, 65536, 4096, 262144};
    static const uint32_t counts[] = {2048, 7, 512, 2048, 128, 2048, 32};
    struct buffer_pool *pool = buffer_pool_new(LIMIT);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(take_all(pool, lengths[i]), counts[i]);
        assert_true(buffer_pool_used(pool) <= buffer_pool_limit(pool));
        assert_null(buffer_get(pool, lengths[i]));
        give_back(counts[i]);
        assert_int_equal(buffer_pool_used(pool), 0);
    }
    buffer_pool_free(pool);
}

static void pieces_keep_their_bytes_while_others_come_and_go(void **state)
{
    (void)state;
    struct buffer_pool *pool = buffer_pool_new(LIMIT);
    uint32_t count = take_all(pool, 4096);
    for (uint32_t i = 1; i < count; i += 2)
        buffer_unref(held[i]); /* every second page goes back to the system for large ones */
    struct buffer *large = buffer_get(pool, 1 << 20);
    assert_non_null(large);
    memset(large->data, 0xFF, 1 << 20);
    for (uint32_t i = 0; i < count; i += 2) {
        assert_int_equal(held[i]->data[0], (uint8_t)i);
        assert_int_equal(held[i]->data[4095], (uint8_t)i);
        buffer_unref(held[i]);
    }
    buffer_unref(large);
    assert_int_equal(buffer_pool_used(pool), 0);
    buffer_pool_free(pool);
}

static void a_small_pool_has_no_large_pieces(void **state)
{
    (void)state;
    struct buffer_pool *pool = buffer_pool_new(64 << 10);
    assert_null(buffer_get(pool, 1 << 20));
    assert_null(buffer_get(pool, BUFFER_MAX + 1));
    assert_int_equal(take_all(pool, 100), 16);
    give_back(16);
    buffer_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_is_all_of_its_bytes_in_any_size),
        cmocka_unit_test(pieces_keep_their_bytes_while_others_come_and_go),
        cmocka_unit_test(a_small_pool_has_no_large_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
