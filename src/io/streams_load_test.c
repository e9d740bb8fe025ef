/* SPDX-License-Identifier: Apache-2.0 */
/* Streams under a load that closes, cuts, pauses and stalls them at random; every byte is checked
 * at both ends, and memory that nobody holds any more is watched: the kernel must neither write
 * into it nor send from it. The other ends are plain sockets of this process. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/streams.h"

enum {
    LINES = 12, /* connections at a time */
    BUFFER_BYTES = 65536,
    BUFFERS = 64,
    STEPS = 12000,
    HEAD_BYTES = 24,
    UNUSED = 0xDD,
    SOCKET_BYTES = 6000, /* so small that most sends are partial */
};

/* Both ends of one connection. */
struct line {
    uint32_t stream; /* STREAM_NONE: our end is closed, or not open yet */
    uint32_t number; /* of the connection over the test's life; in every pattern */
    int peer;        /* -1: closed */
    bool leaving;    /* our end was closed in order: the peer must still get all that was sent */
    bool broken;     /* not so any more */
    bool paused;
    /* ours to the peer: messages */
    uint32_t sent_messages, got_message, got_at;
    /* the peer's to ours: a stream of bytes */
    uint64_t written, received;
    struct buffer *sink;
    uint32_t sink_at, sink_length;
};

static struct ring ring;
static struct streams *streams;
static struct buffer_pool *pool;
static struct line lines[LINES];
static struct sockaddr_in portal;
static uint32_t numbers;
static uint64_t random_state, sent_bytes, received_bytes, closings;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9u;
    return x ^ x >> 32;
}

static uint32_t chance(uint32_t of)
{
    random_state += 0x9E3779B97F4A7C15u;
    return (uint32_t)(mix(random_state) % of);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what the bytes must be ---- */

struct shape {
    uint64_t key;
    uint32_t head, payload, offset, pad;
};

static struct shape shape_of(uint32_t number, uint32_t message)
{
    uint64_t key = mix((uint64_t)number << 32 | message);
    struct shape shape = {.key = key, .pad = (uint32_t)(key >> 8 & 3)};
    shape.head = key % 5 == 0 ? 0 : 1 + (uint32_t)(key >> 12) % HEAD_BYTES;
    shape.offset = (uint32_t)(key >> 20) % 512;
    shape.payload = key % 7 == 0 ? 0 : 1 + (uint32_t)(key >> 30) % (BUFFER_BYTES - 512);
    if (shape.head + shape.payload == 0)
        shape.head = 1;
    return shape;
}

static uint8_t byte_of(uint64_t key, uint64_t at)
{
    return (uint8_t)(key + at * 7 + (at >> 8) * 3);
}

static uint8_t message_byte(const struct shape *shape, uint32_t at)
{
    return at < shape->head + shape->payload ? byte_of(shape->key, at) : 0;
}

/* ---- memory that nobody holds ---- */

static struct {
    struct buffer *buffer;
    bool watched;
} known[BUFFERS];

/* All free buffers must be as they were left; then they are made useless. */
static void watch_free_memory(void)
{
    struct buffer *taken[BUFFERS];
    static uint8_t unused[BUFFER_BYTES];
    memset(unused, UNUSED, sizeof unused);
    int count = 0;
    for (int i = 0; i < BUFFERS; i++)
        if (!known[i].buffer || known[i].buffer->refs > 0)
            known[i].watched = false;
    struct buffer *buffer;
    while ((buffer = buffer_get(pool, BUFFER_BYTES))) {
        taken[count++] = buffer;
        int i = 0;
        while (known[i].buffer && known[i].buffer != buffer)
            i++;
        assert_true(i < BUFFERS);
        if (known[i].watched)
            assert_memory_equal(buffer->data, unused, BUFFER_BYTES);
        known[i].buffer = buffer;
        known[i].watched = true;
        memcpy(buffer->data, unused, BUFFER_BYTES);
    }
    while (count)
        buffer_unref(taken[--count]);
}

static struct buffer *take_buffer(void)
{
    struct buffer *buffer = buffer_get(pool, BUFFER_BYTES);
    for (int i = 0; buffer && i < BUFFERS; i++)
        if (known[i].buffer == buffer)
            known[i].watched = false;
    return buffer;
}

/* ---- our end ---- */

static struct line *line_of(uint32_t stream)
{
    for (int i = 0; i < LINES; i++)
        if (stream != STREAM_NONE && lines[i].stream == stream)
            return &lines[i];
    return NULL;
}

static void forget_stream(struct line *line)
{
    line->stream = STREAM_NONE;
    if (line->sink) /* a receive under way must keep it, not we */
        buffer_unref(line->sink);
    line->sink = NULL;
    closings++;
}

static void send_some(struct line *line)
{
    struct shape shape = shape_of(line->number, line->sent_messages);
    uint8_t head[HEAD_BYTES + 1];
    struct slice payload = slice_none();
    if (shape.payload) {
        struct buffer *buffer = take_buffer();
        if (!buffer)
            return;
        payload = slice_of(buffer, shape.offset, shape.payload);
        for (uint32_t i = 0; i < shape.payload; i++)
            slice_bytes(payload)[i] = message_byte(&shape, shape.head + i);
    }
    for (uint32_t i = 0; i < shape.head; i++)
        head[i] = message_byte(&shape, i);
    assert_true(streams_send(streams, line->stream, head, shape.head, payload, (uint8_t)shape.pad));
    line->sent_messages++;
    sent_bytes += shape.head + shape.payload + shape.pad;
}

static void receive_more(struct line *line)
{
    assert_null(line->sink);
    if (chance(3)) {
        line->sink = take_buffer();
        line->sink_at = chance(1000);
        line->sink_length = 1 + chance(20000);
    }
    streams_receive(streams, line->stream,
                    line->sink ? (struct sink){line->sink, line->sink_at, line->sink_length}
                               : (struct sink){0});
}

static void check_received(struct line *line, const uint8_t *bytes, uint32_t length)
{
    uint64_t key = mix(line->number);
    for (uint32_t i = 0; i < length; i++)
        if (bytes[i] != byte_of(key, line->received + i))
            fail_msg("connection %u, byte %llu received is wrong", line->number,
                     (unsigned long long)(line->received + i));
    line->received += length;
    received_bytes += length;
}

static void close_peer(struct line *line)
{
    if (chance(2)) /* a reset */
        setsockopt(line->peer, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                   sizeof(struct linger));
    close(line->peer);
    line->peer = -1;
    line->broken = true;
}

static void take_data(struct line *line, const struct stream_event *event)
{
    assert_false(line->paused);
    if (event->sunk) {
        assert_non_null(line->sink);
        assert_true(event->sunk <= line->sink_length);
        check_received(line, line->sink->data + line->sink_at, event->sunk);
    }
    if (event->length)
        assert_true(!line->sink || event->sunk == line->sink_length);
    check_received(line, event->bytes, event->length);
    assert_true(line->received <= line->written);
    if (line->sink)
        buffer_unref(line->sink);
    line->sink = NULL;
    if (chance(30) ==
        0) { /* in the middle of a turn: what has completed already is still to come */
        line->broken = true;
        streams_close(streams, line->stream, true);
        forget_stream(line);
        if (line->peer >= 0)
            close_peer(line);
    }
}

static void take_open(const struct stream_event *event)
{
    int size = SOCKET_BYTES;
    const char *colon = strrchr(event->peer, ':'); /* not there: it was reset before it was taken */
    uint16_t port = colon ? (uint16_t)atoi(colon + 1) : 0;
    for (int i = 0; i < LINES; i++) {
        struct sockaddr_in own = {0};
        socklen_t length = sizeof own;
        if (lines[i].peer < 0 || lines[i].number == 0 ||
            getsockname(lines[i].peer, (struct sockaddr *)&own, &length) ||
            ntohs(own.sin_port) != port)
            continue;
        assert_int_equal(lines[i].stream, STREAM_NONE);
        lines[i].stream = event->stream;
        setsockopt(streams_fd(streams, event->stream), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        return;
    }
    streams_close(streams, event->stream, true); /* its peer has gone already */
}

static void take_event(const struct stream_event *event)
{
    if (event->kind == STREAM_EVENT_OPEN) {
        take_open(event);
        return;
    }
    struct line *line = line_of(event->stream);
    assert_non_null(line); /* nothing is told of a stream that was closed */
    switch (event->kind) {
    case STREAM_EVENT_DATA:
        take_data(line, event);
        break;
    case STREAM_EVENT_SENT:
        assert_int_equal(streams_queued_bytes(streams, event->stream), 0);
        break;
    case STREAM_EVENT_CLOSED:
        assert_false(streams_is_open(streams, event->stream));
        line->broken = true;
        forget_stream(line);
        break;
    case STREAM_EVENT_OPEN:
    case STREAM_EVENT_FAILED:
        fail();
    }
}

static void turn(uint64_t wait_ns)
{
    struct completion completion;
    struct stream_event event;
    streams_flush(streams);
    ring_turn(&ring, wait_ns);
    streams_tick(streams, now_ns());
    while (ring_next(&ring, &completion))
        if (streams_complete(streams, &completion, &event))
            take_event(&event);
    while (streams_next_resumed(streams, &event))
        take_event(&event);
}

/* ---- the peers ---- */

static void connect_peer(struct line *line)
{
    int size = SOCKET_BYTES;
    *line = (struct line){.stream = STREAM_NONE, .number = ++numbers};
    line->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(line->peer, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(line->peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    assert_int_equal(connect(line->peer, (struct sockaddr *)&portal, sizeof portal), 0);
}

static void peer_writes(struct line *line)
{
    static uint8_t bytes[30000];
    uint64_t key = mix(line->number);
    uint32_t length = 1 + chance(sizeof bytes);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = byte_of(key, line->written + i);
    ssize_t taken = send(line->peer, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0)
        line->written += (uint64_t)taken;
}

static void peer_got(struct line *line, const uint8_t *bytes, uint32_t length)
{
    struct shape shape = shape_of(line->number, line->got_message);
    for (uint32_t i = 0; i < length; i++) {
        if (line->got_at == shape.head + shape.payload + shape.pad) {
            line->got_message++;
            line->got_at = 0;
            shape = shape_of(line->number, line->got_message);
        }
        assert_true(line->got_message < line->sent_messages);
        if (bytes[i] != message_byte(&shape, line->got_at))
            fail_msg("connection %u, message %u, byte %u is wrong", line->number, line->got_message,
                     line->got_at);
        line->got_at++;
    }
}

static void peer_reads(struct line *line, uint32_t most)
{
    static uint8_t bytes[200000];
    ssize_t length = recv(line->peer, bytes, most, MSG_DONTWAIT);
    if (length > 0) {
        peer_got(line, bytes, (uint32_t)length);
        return;
    }
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (line->leaving && !line->broken) { /* it was promised all, and then the end */
        assert_int_equal(length, 0);
        struct shape shape = shape_of(line->number, line->got_message);
        assert_true(line->sent_messages == 0 ||
                    (line->got_message == line->sent_messages - 1 &&
                     line->got_at == shape.head + shape.payload + shape.pad));
    }
    close(line->peer);
    line->peer = -1;
    line->broken = true;
}

/* ---- the load ---- */

static void leave(struct line *line)
{
    if (line->stream == STREAM_NONE)
        return;
    line->leaving = true;
    streams_close(streams, line->stream, false);
    forget_stream(line);
}

static void disturb(struct line *line)
{
    switch (chance(60)) {
    case 0:
        line->broken = true;
        streams_close(streams, line->stream, true);
        forget_stream(line);
        break;
    case 1:
        leave(line);
        break;
    case 2:
        line->broken = true;
        streams_cut(streams, line->stream);
        break;
    default:
        if (chance(4))
            break;
        if (line->paused)
            streams_resume(streams, line->stream);
        else
            streams_pause(streams, line->stream);
        line->paused = !line->paused;
    }
}

static void step_line(struct line *line)
{
    if (line->peer < 0 && line->stream == STREAM_NONE)
        connect_peer(line);
    if (line->peer >= 0 && chance(3) == 0)
        peer_writes(line);
    if (line->peer >= 0 && chance(2) == 0)
        peer_reads(line, 1 + chance(90000));
    if (line->peer >= 0 && chance(400) == 0)
        close_peer(line);
    if (line->stream == STREAM_NONE)
        return;
    if (chance(3) == 0)
        send_some(line);
    if (streams_idle(streams, line->stream))
        receive_more(line);
    if (chance(8) == 0)
        disturb(line);
}

static void every_byte_survives_what_streams_go_through(void **state)
{
    (void)state;
    for (int i = 0; i < LINES; i++)
        lines[i].peer = -1;
    for (int step = 0; step < STEPS; step++) {
        step_line(&lines[chance(LINES)]);
        if (step % 4 == 0)
            turn(0);
        if (step % 16 == 0)
            watch_free_memory();
    }
    /* the end: all is closed in order, and who still listens gets all that was promised */
    for (bool some = true; some;) {
        some = false;
        turn(1000000);
        for (int i = 0; i < LINES; i++) {
            leave(&lines[i]); /* also one that has only now come */
            if (lines[i].peer < 0)
                continue;
            peer_reads(&lines[i], 90000);
            some = true;
        }
        watch_free_memory();
    }
    while (buffer_pool_used(pool))
        turn(1000000);
    assert_true(sent_bytes > 10000000 && received_bytes > 1000000 && closings > 50);
}

/* ---- one thing at a time ---- */

static struct stream_event await_event(struct line *line, int error_of_sends)
{
    struct completion completion;
    struct stream_event event;
    (void)line;
    for (;;) {
        streams_flush(streams);
        ring_turn(&ring, 100000000);
        streams_tick(streams, now_ns());
        while (ring_next(&ring, &completion)) {
            if (error_of_sends && completion.kind == RING_STREAM_SEND)
                completion.result = -error_of_sends;
            if (streams_complete(streams, &completion, &event))
                return event;
        }
    }
}

static struct line *open_line(void)
{
    struct line *line = &lines[0];
    connect_peer(line);
    struct stream_event event = await_event(line, 0);
    assert_int_equal(event.kind, STREAM_EVENT_OPEN);
    line->stream = event.stream;
    return line;
}

/* A shortage in the kernel: what is lost must not be lost in silence. */
static void a_send_that_fails_ends_the_stream(void **state)
{
    (void)state;
    struct line *line = open_line();
    streams_receive(streams, line->stream, (struct sink){0});
    assert_true(streams_send(streams, line->stream, (const uint8_t *)"lost", 4, slice_none(), 0));
    struct stream_event event = await_event(line, ENOBUFS);
    assert_int_equal(event.kind, STREAM_EVENT_CLOSED);
    assert_int_equal(event.stream, line->stream);
    close(line->peer);
}

static void a_receive_that_was_interrupted_goes_on(void **state)
{
    (void)state;
    struct line *line = open_line();
    struct completion completion;
    struct stream_event event;
    const int errors[] = {-EINTR, -EAGAIN};
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            streams_receive(streams, line->stream, (struct sink){0});
        struct io_uring_sqe *request = ring_request(&ring);
        uint32_t index = line->stream % STREAM_MAX;
        io_uring_prep_cancel64(request, ring_tag_value(RING_STREAM_RECEIVE, index), 0);
        ring_tag(request, RING_NOTHING, 0);
        bool interrupted = false;
        while (!interrupted) {
            ring_turn(&ring, 100000000);
            while (ring_next(&ring, &completion)) {
                if (completion.kind != RING_STREAM_RECEIVE)
                    continue;
                assert_int_equal(completion.result, -ECANCELED);
                completion.result = errors[i];
                assert_false(streams_complete(streams, &completion, &event));
                interrupted = true;
            }
        }
    }
    assert_int_equal(write(line->peer, "on", 2), 2);
    event = await_event(line, 0);
    assert_int_equal(event.kind, STREAM_EVENT_DATA);
    assert_int_equal(event.length, 2);
    close(line->peer);
}

static void nothing_to_send_is_sent(void **state)
{
    (void)state;
    struct line *line = open_line();
    assert_true(streams_send(streams, line->stream, NULL, 0, slice_none(), 0));
    struct stream_event event = await_event(line, 0);
    assert_int_equal(event.kind, STREAM_EVENT_SENT);
    close(line->peer);
}

static int set_up(void **state)
{
    (void)state;
    char bound[128], sentence[256];
    memset(lines, 0, sizeof lines);
    memset(known, 0, sizeof known);
    random_state = 20261126;
    if (ring_open(&ring, sentence, sizeof sentence))
        return -1;
    streams = streams_new(&ring, 50000000);
    pool = buffer_pool_new((uint64_t)BUFFERS * BUFFER_BYTES);
    if (streams_listen(streams, STREAM_USE_HOST, 0, "portal", "127.0.0.1:0", bound, sizeof bound,
                       sentence, sizeof sentence))
        return -1;
    portal = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(strchr(bound, ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ring_close(&ring);
    streams_free(streams);
    buffer_pool_free(pool);
    return 0;
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(every_byte_survives_what_streams_go_through),
        ROW(a_send_that_fails_ends_the_stream),
        ROW(a_receive_that_was_interrupted_goes_on),
        ROW(nothing_to_send_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
