/* SPDX-License-Identifier: Apache-2.0 */
#include "io/link_receive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MESSAGES = 40, STREAM_BYTES = 4 << 20 };

static struct buffer_pool *buffers;
static struct link_receive receive;
static uint8_t *stream;
static uint32_t stream_length;

static uint32_t length_of(uint32_t i)
{
    static const uint32_t lengths[] = {0, 1, 4096, 0, 60000, 300000, 17};
    return lengths[i % 7];
}

static void make_stream(void)
{
    stream = malloc(STREAM_BYTES);
    stream_length = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct message m = {.kind = MESSAGE_RELAY, .from = port_switch(0), .to = port_unit(0, 0)};
        m.response.epoch = i;
        uint8_t *at = stream + stream_length;
        uint32_t head = frame_encode(&m, at + FRAME_PREFIX_BYTES);
        frame_prefix_put(at, head, length_of(i));
        memset(at + FRAME_PREFIX_BYTES + head, (int)i, length_of(i));
        stream_length += FRAME_PREFIX_BYTES + head + length_of(i);
    }
}

/* Takes what is complete; the next message is number `got`. */
static uint32_t take_messages(uint32_t got)
{
    struct message message;
    while (link_receive_next(&receive, buffers, &message) == LINK_RECEIVE_MESSAGE) {
        assert_int_equal(message.response.epoch, got);
        assert_int_equal(message.payload.length, length_of(got));
        for (uint32_t i = 0; i < message.payload.length; i++)
            if (slice_bytes(message.payload)[i] != (uint8_t)got)
                fail();
        slice_drop(&message.payload);
        got++;
    }
    return got;
}

/* As a stream gives it: first into the sink, then `most` bytes of staging. */
static void in_pieces_of(uint32_t most, bool with_sink)
{
    uint32_t at = 0, got = 0;
    while (at < stream_length) {
        struct sink sink = with_sink ? link_receive_sink(&receive) : (struct sink){0};
        uint32_t left = stream_length - at;
        uint32_t total = left < most ? left : most;
        uint32_t sunk = total < sink.length ? total : sink.length;
        if (sunk)
            memcpy(sink.buffer->data + sink.offset, stream + at, sunk);
        link_receive_bytes(&receive, sunk, stream + at + sunk, total - sunk);
        at += total;
        got = take_messages(got);
    }
    assert_int_equal(got, MESSAGES);
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static void pieces_of_any_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {3, 97, 1000, 4096, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        in_pieces_of(sizes[i], false);
        in_pieces_of(sizes[i], true);
    }
}

static void without_a_buffer_it_waits(void **state)
{
    (void)state;
    struct buffer *all[64];
    uint32_t count = 0;
    while (count < 64 && (all[count] = buffer_get(buffers, 4096)))
        count++;
    struct message message;
    link_receive_bytes(&receive, 0, stream, 4096);
    assert_int_equal(link_receive_next(&receive, buffers, &message), LINK_RECEIVE_MESSAGE);
    assert_int_equal(link_receive_next(&receive, buffers, &message), LINK_RECEIVE_NO_BUFFER);
    assert_int_equal(link_receive_next(&receive, buffers, &message), LINK_RECEIVE_NO_BUFFER);
    buffer_unref(all[--count]);
    assert_int_equal(link_receive_next(&receive, buffers, &message), LINK_RECEIVE_MESSAGE);
    assert_int_equal(message.payload.length, 1);
    slice_drop(&message.payload);
    while (count)
        buffer_unref(all[--count]);
}

/* Any byte of a head spoiled gives an error or a message, never more than that. */
static void spoiled_bytes(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 120; at++) {
        uint8_t bytes[200];
        struct message message;
        memcpy(bytes, stream, sizeof bytes);
        bytes[at] ^= 0xFF;
        link_receive_bytes(&receive, 0, bytes, sizeof bytes);
        enum link_receive_result result;
        do {
            result = link_receive_next(&receive, buffers, &message);
            if (result == LINK_RECEIVE_MESSAGE)
                slice_drop(&message.payload);
        } while (result == LINK_RECEIVE_MESSAGE);
        if (at < 3)
            assert_int_equal(result, LINK_RECEIVE_BAD);
        link_receive_reset(&receive);
    }
    assert_int_equal(buffer_pool_used(buffers), 0);
}

static int set_up(void **state)
{
    bool small = *state != NULL;
    buffers = buffer_pool_new(small ? 64 << 10 : 16 << 20);
    make_stream();
    return 0;
}

static int set_up_small(void **state)
{
    *state = &receive;
    return set_up(state);
}

static int tear_down(void **state)
{
    *state = NULL;
    link_receive_reset(&receive);
    buffer_pool_free(buffers);
    free(stream);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_of_any_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_buffer_it_waits, set_up_small, tear_down),
        cmocka_unit_test_setup_teardown(spoiled_bytes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
