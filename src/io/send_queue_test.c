/* SPDX-License-Identifier: Apache-2.0 */
#include "io/send_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { HEADS = 1000, PIECES = 20, TOTAL = 400000 };

static struct buffer_pool *buffers;
static struct send_queue queue;
static uint32_t next_in, next_out; /* the bytes are a count */

static uint32_t pseudo_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void count_up(uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(next_in + i);
    next_in += length;
}

/* One more piece; false: it is full, and nothing was taken. */
static bool put(uint32_t head_length, uint32_t payload_length)
{
    uint8_t head[512];
    uint32_t before = next_in;
    struct slice payload = slice_none();
    count_up(head, head_length);
    if (payload_length) {
        payload = slice_of(buffer_get(buffers, payload_length), 0, payload_length);
        count_up(slice_bytes(payload), payload_length);
    }
    if (send_queue_put(&queue, head, head_length, payload, 0))
        return true;
    slice_drop(&payload);
    next_in = before;
    return false;
}

/* The kernel takes `most` bytes of what is offered. */
static void take(uint32_t most)
{
    struct iovec vectors[8];
    uint32_t count = send_queue_gather(&queue, vectors, 8), taken = 0;
    for (uint32_t i = 0; i < count; i++)
        for (size_t j = 0; j < vectors[i].iov_len && taken < most; j++, taken++)
            assert_int_equal(((uint8_t *)vectors[i].iov_base)[j], (uint8_t)next_out++);
    send_queue_sent(&queue, taken);
}

static void bytes_leave_in_order(void **state)
{
    (void)state;
    uint32_t seed = 1;
    while (next_out < TOTAL) {
        uint32_t payload = pseudo_random(&seed) % 3 ? 0 : pseudo_random(&seed) % 5000;
        if (!put(pseudo_random(&seed) % 300, payload) || pseudo_random(&seed) % 2)
            take(pseudo_random(&seed) % 6000);
        assert_int_equal(queue.bytes, next_in - next_out);
    }
    while (queue.count)
        take(777);
    assert_int_equal(next_in, next_out);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void it_is_bounded(void **state)
{
    (void)state;
    uint32_t pieces = 0;
    while (put(1, 0))
        pieces++;
    assert_int_equal(pieces, PIECES);
    send_queue_clear(&queue);
    pieces = 0;
    while (put(300, 0))
        pieces++;
    assert_int_equal(pieces, HEADS / 300);
    send_queue_clear(&queue);
    assert_true(put(0, 4096));
    send_queue_clear(&queue);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void padding_and_short_vectors(void **state)
{
    (void)state;
    struct iovec vectors[1];
    assert_true(send_queue_put(&queue, (const uint8_t *)"abc", 3, slice_none(), 1));
    assert_true(send_queue_put(&queue, (const uint8_t *)"de", 2, slice_none(), 0));
    assert_int_equal(send_queue_gather(&queue, vectors, 1), 1);
    assert_int_equal(vectors[0].iov_len, 3);
    send_queue_sent(&queue, 3);
    assert_int_equal(send_queue_gather(&queue, vectors, 1), 1);
    assert_int_equal(vectors[0].iov_len, 1);
    assert_int_equal(*(uint8_t *)vectors[0].iov_base, 0);
    send_queue_sent(&queue, 1);
    assert_int_equal(send_queue_gather(&queue, vectors, 1), 1);
    assert_memory_equal(vectors[0].iov_base, "de", 2);
    send_queue_sent(&queue, 2);
    assert_int_equal(send_queue_gather(&queue, vectors, 1), 0);
}

static int set_up(void **state)
{
    (void)state;
    buffers = buffer_pool_new(16 << 20);
    next_in = next_out = 0;
    return send_queue_init(&queue, HEADS, PIECES) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    send_queue_free(&queue);
    buffer_pool_free(buffers);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_leave_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(padding_and_short_vectors, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
