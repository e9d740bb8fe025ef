/* SPDX-License-Identifier: Apache-2.0 */
/* A host's connection, as an interface switch sees it: the other end is a plain socket. */
#include "io/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* No test waits for a while to pass: a turn of the loop is never late, or always, and what needs
 * time is given the time. */
static const uint64_t hour_ns = MS(3600 * 1000);

static struct loop *loop;
static struct streams *streams;
static struct trace trace = {.name = "test", .max_level = TRACE_WARN};
static int host;
static uint32_t stream;

/* As long as one waits for what has to come. */
static const uint64_t patience_ns = MS(600 * 1000);

/* The next event of the stream within `ns`; false: none. */
static bool await(struct stream_event *out, uint64_t ns)
{
    uint64_t end = loop_now_ns() + ns;
    struct happening happening;
    while (loop_next(loop, &happening)) {
        *out = happening.stream;
        return true;
    }
    while (loop_now_ns() < end) {
        loop_turn(loop, end);
        while (loop_next(loop, &happening)) {
            assert_int_equal(happening.kind, HAPPENING_HOST);
            *out = happening.stream;
            return true;
        }
    }
    return false;
}

static int set_up_with(uint64_t late_ns)
{
    struct loop_config config = {.late_ns = late_ns, .buffer_bytes = 64 << 20};
    char sentence[256], bound[128];
    config.links.processes = 1;
    loop = loop_new(&config, &trace, sentence, sizeof sentence);
    streams = loop_streams(loop);
    if (streams_listen(streams, STREAM_USE_HOST, 7, "portal", "127.0.0.1:0", bound, sizeof bound,
                       sentence, sizeof sentence))
        return -1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strchr(bound, ':') + 1));
    host = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(host, (struct sockaddr *)&address, sizeof address))
        return -1;
    struct stream_event event;
    if (!await(&event, patience_ns) || event.kind != STREAM_EVENT_OPEN || event.owner != 7)
        return -1;
    assert_string_equal(event.local, bound);
    assert_memory_equal(event.peer, "127.0.0.1:", 10);
    stream = event.stream;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(hour_ns);
}

static int set_up_always_late(void **state)
{
    (void)state;
    return set_up_with(0);
}

static int tear_down(void **state)
{
    (void)state;
    if (host >= 0)
        close(host);
    loop_free(loop);
    return 0;
}

static void say(const char *text)
{
    assert_int_equal(write(host, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_data(const char *text, bool late)
{
    struct stream_event event;
    assert_true(await(&event, patience_ns));
    assert_int_equal(event.kind, STREAM_EVENT_DATA);
    assert_int_equal(event.length, strlen(text));
    assert_memory_equal(event.bytes, text, event.length);
    assert_int_equal(event.late, late);
}

static void bytes_go_into_the_sink_first(void **state)
{
    (void)state;
    struct buffer *buffer = buffer_get(loop_buffers(loop), 4096);
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){buffer, 100, 6});
    say("into it, and beside");
    assert_true(await(&event, patience_ns));
    assert_int_equal(event.sunk, 6);
    assert_memory_equal(buffer->data + 100, "into i", 6);
    assert_int_equal(event.length, 13);
    assert_memory_equal(event.bytes, "t, and beside", 13);
    assert_int_equal(buffer->refs, 1);
    streams_receive(streams, stream, (struct sink){buffer, 0, 4096});
    assert_int_equal(buffer->refs, 2);
    say("all");
    assert_true(await(&event, patience_ns));
    assert_int_equal(event.sunk, 3);
    assert_int_equal(event.length, 0);
    buffer_unref(buffer);
}

static void sent_is_told_when_all_has_left(void **state)
{
    (void)state;
    enum { BIG = 1 << 20, COUNT = 20 };
    struct stream_event event;
    for (int i = 0; i < COUNT; i++)
        assert_true(streams_send(streams, stream, (const uint8_t *)"head", 4,
                                 slice_of(buffer_get(loop_buffers(loop), BIG), 0, BIG), 3));
    assert_false(await(&event, MS(50))); /* the host does not read */
    assert_true(streams_queued_bytes(streams, stream) > 0);
    static uint8_t bytes[COUNT * (BIG + 7)];
    size_t got = 0;
    fcntl(host, F_SETFL, O_NONBLOCK);
    while (got < sizeof bytes) {
        ssize_t length = read(host, bytes + got, sizeof bytes - got);
        if (length > 0)
            got += (size_t)length;
        if (await(&event, MS(1)))
            assert_int_equal(event.kind, STREAM_EVENT_SENT);
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_memory_equal(bytes + i * (BIG + 7), "head", 4);
    assert_int_equal(buffer_pool_used(loop_buffers(loop)), 0);
}

static void a_pause_holds_what_comes(void **state)
{
    (void)state;
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){0});
    streams_pause(streams, stream); /* a receive is under way already */
    say("one");
    assert_false(await(&event, MS(10)));
    assert_false(streams_idle(streams, stream));
    streams_resume(streams, stream);
    expect_data("one", false);
    assert_true(streams_idle(streams, stream));
    streams_pause(streams, stream);
    assert_false(streams_idle(streams, stream));
    say("two");
    assert_false(await(&event, MS(10)));
    streams_tick(streams, loop_now_ns() + 2 * hour_ns);
    streams_resume(streams, stream);
    assert_true(streams_idle(streams, stream));
    streams_receive(streams, stream, (struct sink){0});
    expect_data("two", true); /* it may have lain there all the while */
    say("three");
    streams_receive(streams, stream, (struct sink){0});
    expect_data("three", false);
}

static void what_came_while_the_loop_was_late_is_late(void **state)
{
    (void)state;
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){0});
    assert_false(await(&event, MS(10)));
    say("old");
    streams_late(streams);
    expect_data("old", true);
    streams_receive(streams, stream, (struct sink){0});
    say("new");
    expect_data("new", false);
    streams_receive(streams, stream, (struct sink){0});
    streams_late(streams);
    streams_tick(streams, loop_now_ns() + hour_ns); /* nothing lay in the socket: nothing is late */
    say("newer");
    expect_data("newer", false);
}

static void the_loop_tells_when_it_was_late(void **state)
{
    (void)state;
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){0});
    say("old");
    assert_true(await(&event, patience_ns));
    assert_true(event.late);
    struct loop_status status;
    loop_describe(loop, &status);
    assert_true(status.late_turns > 0);
}

static void a_close_later_lets_all_leave(void **state)
{
    (void)state;
    enum { BIG = 1 << 20, COUNT = 8 };
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){0});
    say("unread");
    assert_true(await(&event, patience_ns));
    say("and unread too"); /* closing over this would reset the connection */
    for (int i = 0; i < COUNT; i++)
        streams_send(streams, stream, NULL, 0,
                     slice_of(buffer_get(loop_buffers(loop), BIG), 0, BIG), 0);
    streams_close(streams, stream, false);
    assert_false(streams_is_open(streams, stream));
    static uint8_t bytes[BIG];
    size_t got = 0;
    fcntl(host, F_SETFL, O_NONBLOCK);
    for (;;) {
        ssize_t length = read(host, bytes, sizeof bytes);
        if (length == 0)
            break;
        if (length > 0)
            got += (size_t)length;
        assert_false(await(&event, MS(1)));
    }
    assert_int_equal(got, COUNT * BIG);
    close(host);
    host = -1;
    assert_false(await(&event, MS(20)));
    assert_int_equal(buffer_pool_used(loop_buffers(loop)), 0);
}

static void the_hosts_end_is_told_once(void **state)
{
    (void)state;
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){0});
    say("last");
    close(host);
    host = -1;
    expect_data("last", false);
    streams_receive(streams, stream, (struct sink){0});
    assert_true(await(&event, patience_ns));
    assert_int_equal(event.kind, STREAM_EVENT_CLOSED);
    assert_int_equal(event.stream, stream);
    assert_false(streams_send(streams, stream, (const uint8_t *)"x", 1, slice_none(), 0));
    streams_close(streams, stream, true);
    assert_false(await(&event, MS(20)));
}

static void a_close_at_once_is_silent(void **state)
{
    (void)state;
    struct stream_event event;
    streams_receive(streams, stream, (struct sink){0});
    streams_send(streams, stream, NULL, 0,
                 slice_of(buffer_get(loop_buffers(loop), 1 << 20), 0, 1 << 20), 0);
    streams_close(streams, stream, true);
    assert_false(await(&event, MS(20)));
    assert_int_equal(buffer_pool_used(loop_buffers(loop)), 0);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(bytes_go_into_the_sink_first),
        ROW(sent_is_told_when_all_has_left),
        ROW(a_pause_holds_what_comes),
        ROW(what_came_while_the_loop_was_late_is_late),
        cmocka_unit_test_setup_teardown(the_loop_tells_when_it_was_late, set_up_always_late,
                                        tear_down),
        ROW(a_close_later_lets_all_leave),
        ROW(the_hosts_end_is_told_once),
        ROW(a_close_at_once_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
