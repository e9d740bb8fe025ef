/* SPDX-License-Identifier: Apache-2.0 */
/* Two processes, linked as those of an array are: this one plays an interface switch, the other a
 * unit that sends back what it gets. */
#include "io/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/frame.h"

enum { SELF, PEER, PROCESSES };

static char directory[64];
static bool over_tcp;
static int tcp_port[PROCESSES];
static struct trace trace = {.name = "test", .max_level = TRACE_WARN};

/* ---- the two loops ---- */

static void address_of(int process, char *out, size_t bytes)
{
    if (over_tcp)
        snprintf(out, bytes, "tcp:127.0.0.1:%d", tcp_port[process]);
    else
        snprintf(out, bytes, "unix:%s/%d.sock", directory, process);
}

static struct loop *make_loop(int self, int lower)
{
    struct loop_config config = {.late_ns = MS(50), .buffer_bytes = 64 << 20};
    struct links_config *links = &config.links;
    snprintf(links->array, sizeof links->array, "lab");
    links->incarnation = loop_now_ns();
    links->processes = PROCESSES;
    links->queue_bytes = 8 << 20;
    /* `lower`: which of the two has the lower number, and so begins the link */
    for (int i = 0; i < PROCESSES; i++) {
        int who = i == 0 ? lower : 1 - lower;
        if (who == self)
            links->self = (uint8_t)i;
        snprintf(links->process[i].name, sizeof links->process[i].name, "P%d", who);
        address_of(who, links->process[i].address, sizeof links->process[i].address);
        links->port[i].port = who == SELF ? port_switch(0) : port_unit(1, 0);
        links->port[i].process = (uint8_t)i;
    }
    links->ports = PROCESSES;
    char sentence[256];
    struct loop *loop = loop_new(&config, &trace, sentence, sizeof sentence);
    if (!loop)
        fprintf(stderr, "%s\n", sentence);
    return loop;
}

static void echo(struct loop *loop, struct message *message)
{
    port_id from = message->from;
    message->from = port_unit(1, 0);
    message->to = from;
    links_send(loop_links(loop), message);
}

static pid_t start_peer(int lower)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    struct loop *loop = make_loop(PEER, lower);
    struct happening happening;
    for (;;) {
        loop_turn(loop, UINT64_MAX);
        while (loop_next(loop, &happening))
            if (happening.kind == HAPPENING_LINK && happening.link.kind == LINK_EVENT_MESSAGE)
                echo(loop, &happening.link.message);
    }
}

/* Runs until a link event of that kind has come; its time, 0: it does not come. */
static uint64_t await(struct loop *loop, enum link_event_kind kind, struct link_event *out)
{
    uint64_t end = loop_now_ns() + MS(600 * 1000);
    struct happening happening;
    while (loop_now_ns() < end) {
        loop_turn(loop, end);
        while (loop_next(loop, &happening)) {
            if (happening.kind != HAPPENING_LINK)
                continue;
            if (happening.link.kind == kind) {
                *out = happening.link;
                return loop_now_ns();
            }
            if (happening.link.kind == LINK_EVENT_MESSAGE)
                slice_drop(&happening.link.message.payload);
        }
    }
    return 0;
}

static bool quiet_for(struct loop *loop, uint64_t ns)
{
    uint64_t end = loop_now_ns() + ns;
    struct happening happening;
    while (loop_now_ns() < end) {
        loop_turn(loop, end);
        while (loop_next(loop, &happening))
            return false;
    }
    return true;
}

/* Whether DOWN with gone has come, perhaps after one without. */
static bool await_gone(struct loop *loop)
{
    struct link_event event;
    while (await(loop, LINK_EVENT_DOWN, &event))
        if (event.gone)
            return true;
    return false;
}

static void end_peer(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void send_message(struct loop *loop, uint64_t number, uint32_t payload_length)
{
    struct message message = {.kind = MESSAGE_RELAY, .from = port_switch(0), .to = port_unit(1, 0)};
    message.response.epoch = number;
    message.response.id.sequence = 1;
    if (payload_length) {
        struct buffer *buffer = buffer_get(loop_buffers(loop), payload_length);
        assert_non_null(buffer);
        for (uint32_t i = 0; i < payload_length; i++)
            buffer->data[i] = (uint8_t)(number + i * 7);
        message.payload = slice_of(buffer, 0, payload_length);
    }
    links_send(loop_links(loop), &message);
}

static void check_message(struct link_event *event, uint64_t number, uint32_t payload_length)
{
    assert_int_equal(event->message.kind, MESSAGE_RELAY);
    assert_int_equal(event->message.response.epoch, number);
    assert_int_equal(event->message.payload.length, payload_length);
    const uint8_t *bytes = slice_bytes(event->message.payload);
    for (uint32_t i = 0; i < payload_length; i++)
        if (bytes[i] != (uint8_t)(number + i * 7))
            fail();
    slice_drop(&event->message.payload);
}

/* ---- tests ---- */

static void messages_come_back_in_order(void **state)
{
    static const uint32_t lengths[] = {0, 1, 512, 4096, 70000, 0, 1 << 20, 3, 65536, BUFFER_MAX};
    enum { COUNT = 100, LENGTHS = sizeof lengths / sizeof lengths[0] };
    (void)state;
    struct loop *loop = make_loop(SELF, SELF);
    pid_t child = start_peer(SELF);
    struct link_event event;
    assert_true(await(loop, LINK_EVENT_UP, &event));
    for (uint64_t sent = 0, got = 0; got < COUNT;) {
        for (; sent < COUNT && sent < got + 5; sent++)
            send_message(loop, sent, lengths[sent % LENGTHS]);
        assert_true(await(loop, LINK_EVENT_MESSAGE, &event));
        check_message(&event, got, lengths[got % LENGTHS]);
        got++;
    }
    assert_int_equal(buffer_pool_used(loop_buffers(loop)), 0);
    end_peer(child);
    assert_true(await_gone(loop));
    loop_free(loop);
}

static void kill_is_known_at_once(int lower)
{
    struct loop *loop = make_loop(SELF, lower);
    for (int i = 0; i < 5; i++) {
        pid_t child = start_peer(lower);
        struct link_event event;
        assert_true(await(loop, LINK_EVENT_UP, &event));
        send_message(loop, 1, 4096);
        assert_true(await(loop, LINK_EVENT_MESSAGE, &event));
        check_message(&event, 1, 4096);
        assert_true(quiet_for(loop, MS(20)));
        uint64_t begun = loop_now_ns();
        kill(child, SIGKILL);
        assert_true(await_gone(loop));
        print_message("  gone %.3f ms after the kill\n", (double)(loop_now_ns() - begun) / 1e6);
        waitpid(child, NULL, 0);
        assert_true(quiet_for(loop, MS(30)));
    }
    loop_free(loop);
}

static void a_killed_peer_is_gone(void **state)
{
    (void)state;
    kill_is_known_at_once(SELF);
}

static void a_killed_peer_that_began_the_link_is_gone(void **state)
{
    (void)state;
    kill_is_known_at_once(PEER);
}

static void a_stopped_peer_keeps_its_link(void **state)
{
    (void)state;
    struct loop *loop = make_loop(SELF, SELF);
    pid_t child = start_peer(SELF);
    struct link_event event;
    assert_true(await(loop, LINK_EVENT_UP, &event));
    kill(child, SIGSTOP);
    for (uint64_t i = 0; i < 50; i++)
        send_message(loop, i, 65536);
    assert_true(quiet_for(loop, MS(1000)));
    kill(child, SIGCONT);
    for (uint64_t i = 0; i < 50; i++) {
        assert_true(await(loop, LINK_EVENT_MESSAGE, &event));
        check_message(&event, i, 65536);
    }
    end_peer(child);
    loop_free(loop);
}

static void a_peer_that_never_reads_loses_its_link(void **state)
{
    (void)state;
    struct loop *loop = make_loop(SELF, SELF);
    pid_t child = start_peer(SELF);
    struct link_event event;
    assert_true(await(loop, LINK_EVENT_UP, &event));
    kill(child, SIGSTOP);
    for (uint64_t i = 0; i < 40 && links_is_up(loop_links(loop), 1); i++)
        send_message(loop, i, 1 << 20);
    assert_false(links_is_up(loop_links(loop), 1));
    assert_true(await(loop, LINK_EVENT_DOWN, &event));
    assert_false(event.gone);
    assert_true(quiet_for(loop, MS(300)));
    kill(child, SIGCONT);
    assert_true(await(loop, LINK_EVENT_UP, &event));
    end_peer(child);
    loop_free(loop);
}

/* Turns until the link is down, and counts what still came. */
static uint32_t messages_until_down(struct loop *loop)
{
    uint32_t count = 0;
    struct happening happening;
    for (;;) {
        loop_turn(loop, loop_now_ns() + MS(50));
        while (loop_next(loop, &happening)) {
            assert_int_equal(happening.kind, HAPPENING_LINK);
            if (happening.link.kind == LINK_EVENT_DOWN) {
                assert_false(happening.link.gone);
                return count;
            }
            assert_int_equal(happening.link.kind, LINK_EVENT_MESSAGE);
            slice_drop(&happening.link.message.payload);
            count++;
        }
    }
}

/* One message is on its way when the link is cut, one is sent while it is. */
static void cut_link(struct loop *loop, int peer, enum link_cut how)
{
    struct link_event event;
    send_message(loop, 1, 4096);
    loop_turn(loop, 0); /* it leaves */
    uint64_t begun = loop_now_ns();
    assert_true(links_cut(loop_links(loop), peer, how, MS(how == LINK_CUT_MUTE ? 60000 : 200)));
    send_message(loop, 2, 4096);
    if (how == LINK_CUT_MUTE) { /* its answer comes, then nothing */
        assert_true(await(loop, LINK_EVENT_MESSAGE, &event));
        check_message(&event, 1, 4096);
        assert_true(links_cut(loop_links(loop), peer, how, MS(200)));
    }
    assert_int_equal(messages_until_down(loop), 0);
    if (how != LINK_CUT_REFUSED) /* it breaks when it is whole again, and not before */
        assert_true(loop_now_ns() >= begun + MS(200));
    assert_true(await(loop, LINK_EVENT_UP, &event));
    assert_true(loop_now_ns() >= begun + MS(199)); /* the cut counts from the turn's time */
    send_message(loop, 3, 70000);
    assert_true(await(loop, LINK_EVENT_MESSAGE, &event));
    check_message(&event, 3, 70000);
}

static void cut_each_way(int lower)
{
    struct loop *loop = make_loop(SELF, lower);
    int peer = lower == SELF ? 1 : 0;
    pid_t child = start_peer(lower);
    struct link_event event;
    assert_true(await(loop, LINK_EVENT_UP, &event));
    for (enum link_cut how = LINK_CUT_REFUSED; how < LINK_CUTS; how++)
        cut_link(loop, peer, how);
    assert_false(links_cut(loop_links(loop), 1 - peer, LINK_CUT_REFUSED, MS(1))); /* itself */
    end_peer(child);
    assert_true(await_gone(loop));
    assert_int_equal(buffer_pool_used(loop_buffers(loop)), 0);
    loop_free(loop);
}

static void a_cut_link_loses_its_end_and_comes_again(void **state)
{
    (void)state;
    cut_each_way(SELF);
    cut_each_way(PEER);
}

/* ---- somebody who only looks like a process of the array ---- */

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%d.sock", directory, SELF);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The hello of the lower-numbered peer. */
static void make_hello(uint8_t *out, const char *array, const char *process, uint64_t incarnation)
{
    uint8_t bytes[96] = {'S', 'E', 'G', 'U', 'E', 'L', 'N', 'K', 0, 1};
    be32_put(bytes + 12, 4711);
    be64_put(bytes + 16, incarnation);
    snprintf((char *)bytes + 24, 32, "%s", array);
    snprintf((char *)bytes + 56, 16, "%s", process);
    snprintf((char *)bytes + 72, 16, "P%d", SELF);
    memcpy(out, bytes, sizeof bytes);
}

static bool is_closed(struct loop *loop, int fd)
{
    uint8_t bytes[512];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 200; i++) {
        ssize_t length = read(fd, bytes, sizeof bytes);
        if (length == 0)
            return true;
        quiet_for(loop, MS(2));
    }
    return false;
}

static void a_wrong_hello_is_refused(void **state)
{
    (void)state;
    struct loop *loop = make_loop(SELF, PEER);
    uint8_t good[96], bytes[96];
    make_hello(good, "lab", "P1", 7);
    static const struct {
        const char *array, *process;
        int at; /* byte that is spoiled, -1: none */
    } rows[] = {{"lab", "P1", 0},  {"lab", "P1", 9},       {"bal", "P1", -1}, {"lab", "P9", -1},
                {"lab", "P0", -1}, {"lab", "P1", 24 + 31}, {"lab", "P1", 72}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = connect_raw();
        make_hello(bytes, rows[i].array, rows[i].process, 7);
        if (rows[i].at >= 0)
            bytes[rows[i].at] = 'x';
        assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
        assert_true(is_closed(loop, fd));
        close(fd);
    }
    int fd = connect_raw(); /* nothing at all, then the end */
    assert_true(quiet_for(loop, MS(20)));
    close(fd);
    loop_free(loop);
}

static int greet(struct loop *loop, uint64_t incarnation)
{
    int fd = connect_raw();
    uint8_t bytes[96];
    make_hello(bytes, "lab", "P1", incarnation);
    assert_int_equal(write(fd, bytes, 40), 40); /* in two pieces */
    assert_true(quiet_for(loop, MS(5)));
    assert_int_equal(write(fd, bytes + 40, 56), 56);
    struct link_event event;
    assert_true(await(loop, LINK_EVENT_UP, &event));
    return fd;
}

static void malformed_frames_close_the_link(void **state)
{
    (void)state;
    struct loop *loop = make_loop(SELF, PEER);
    struct message message = {
        .kind = MESSAGE_SIGNAL, .from = port_unit(1, 0), .to = port_switch(0)};
    uint8_t frame[FRAME_PREFIX_BYTES + FRAME_HEAD_MAX];
    /* what is spoiled: 0 nothing, 1 prefix, 2 version, 3 kind, 4 from elsewhere, 5 for elsewhere */
    for (int spoiled = 0; spoiled <= 5; spoiled++) {
        int fd = greet(loop, 7);
        message.from = spoiled == 4 ? port_unit(0, 0) : port_unit(1, 0);
        message.to = spoiled == 5 ? port_unit(1, 0) : port_switch(0);
        uint32_t length = frame_encode(&message, frame + FRAME_PREFIX_BYTES);
        frame_prefix_put(frame, length, 0);
        if (spoiled >= 1 && spoiled <= 3)
            frame[(int[]){0, 0, FRAME_PREFIX_BYTES + 24, FRAME_PREFIX_BYTES + 25}[spoiled]] = 0xEE;
        length += FRAME_PREFIX_BYTES;
        assert_int_equal(write(fd, frame, length), (ssize_t)length);
        struct link_event event;
        enum link_event_kind wanted = spoiled ? LINK_EVENT_DOWN : LINK_EVENT_MESSAGE;
        assert_true(await(loop, wanted, &event));
        if (spoiled) {
            assert_false(event.gone);
            assert_true(is_closed(loop, fd));
        }
        close(fd);
        if (!spoiled)
            assert_true(await(loop, LINK_EVENT_DOWN, &event));
    }
    loop_free(loop);
}

static void a_later_life_ends_the_earlier(void **state)
{
    (void)state;
    struct loop *loop = make_loop(SELF, PEER);
    struct link_event event;
    int first = greet(loop, 7);
    int second = connect_raw();
    uint8_t bytes[96];
    make_hello(bytes, "lab", "P1", 8);
    assert_int_equal(write(second, bytes, sizeof bytes), sizeof bytes);
    assert_true(await(loop, LINK_EVENT_DOWN, &event));
    assert_true(event.gone);
    assert_true(await(loop, LINK_EVENT_UP, &event));
    assert_true(is_closed(loop, first));
    close(first);
    close(second);
    loop_free(loop);
}

static void an_address_in_use_is_said(void **state)
{
    (void)state;
    struct loop *loop = make_loop(SELF, SELF);
    struct loop_config config = {.late_ns = MS(50), .buffer_bytes = 1 << 20};
    config.links.processes = 1;
    address_of(SELF, config.links.process[0].address, sizeof config.links.process[0].address);
    char sentence[256] = "";
    assert_null(loop_new(&config, &trace, sentence, sizeof sentence));
    assert_non_null(strstr(sentence, "0.sock"));
    assert_non_null(strstr(sentence, "in use"));
    loop_free(loop);
}

/* ---- where ---- */

static int over_unix_sockets(void **state)
{
    (void)state;
    over_tcp = false;
    snprintf(directory, sizeof directory, "/tmp/links-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int over_tcp_sockets(void **state)
{
    over_unix_sockets(state);
    over_tcp = true;
    for (int i = 0; i < PROCESSES; i++)
        tcp_port[i] = 20000 + (int)((loop_now_ns() / 1000 + (uint64_t)i * 77) % 20000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

#define UNIX(f)                                                \
    {                                                          \
#f " over unix", f, over_unix_sockets, tear_down, NULL \
    }
#define TCP(f)                                               \
    {                                                        \
#f " over tcp", f, over_tcp_sockets, tear_down, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIX(messages_come_back_in_order),
        TCP(messages_come_back_in_order),
        UNIX(a_killed_peer_is_gone),
        TCP(a_killed_peer_is_gone),
        UNIX(a_killed_peer_that_began_the_link_is_gone),
        TCP(a_killed_peer_that_began_the_link_is_gone),
        UNIX(a_stopped_peer_keeps_its_link),
        TCP(a_stopped_peer_keeps_its_link),
        UNIX(a_peer_that_never_reads_loses_its_link),
        UNIX(a_cut_link_loses_its_end_and_comes_again),
        TCP(a_cut_link_loses_its_end_and_comes_again),
        UNIX(a_wrong_hello_is_refused),
        UNIX(malformed_frames_close_the_link),
        UNIX(a_later_life_ends_the_earlier),
        UNIX(an_address_in_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
