/* SPDX-License-Identifier: Apache-2.0 */
/* How a link comes up, ends and comes up again, and how it is learned that the process at its other
 * end is dead.
 *
 *   DOWN -> CONNECTING -> GREETING -> UP        the lower number begins
 *   DOWN -> (accepted, greeting slot) -> UP     the higher one
 *   DOWN -> PROBING -> DOWN                     the higher one asks whether the process still lives
 *
 * L1  A link is UP only after a valid hello each way, of the expected process of this array.
 * L2  DOWN is told once for each UP; DOWN with gone at most once for each life of the peer, and
 * only when it is certain: its pidfd says so, its port refuses connections, or a later life speaks.
 */
#include "io/links_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/must.h"

static const uint64_t retry_first_ns = 1000000, retry_last_ns = 100000000;
static const uint64_t connect_limit_ns = 1000000000, greeting_limit_ns = 5000000000;
static const uint64_t silence_check_each_ns = 500000000;
static const uint32_t silence_limit_ms = 1500;
static const uint64_t say_again_ns = 10000000000;
/* A link that was up so long begins its tries anew; one that breaks each time at once does not. */
static const uint64_t steady_ns = 10000000;

static const char *name_of(const struct links *links, const struct link *link)
{
    return links->config.process[link->process].name;
}

static bool begins(const struct links *links, const struct link *link)
{
    return links->config.self < link->process;
}

static void note(struct links *links, enum link_event_kind kind, const struct link *link, bool gone)
{
    must(links->note_count < LINK_EVENTS_MAX);
    uint32_t at = (links->note_first + links->note_count++) % LINK_EVENTS_MAX;
    links->note[at] = (struct link_note){kind, link->process, gone};
}

/* ---- is its process alive? ---- */

static void forget_peer(struct links *links, struct link *link)
{
    if (link->pidfd < 0)
        return;
    struct io_uring_sqe *request = ring_request(links->ring);
    uint32_t index = (link->watch % (1u << 24)) << 8 | link->process;
    io_uring_prep_cancel64(request, ring_tag_value(RING_LINK_PEER, index), 0);
    ring_tag(request, RING_NOTHING, 0);
    close(link->pidfd);
    link->pidfd = -1;
}

/* Over a Unix socket the kernel says who is at the other end. */
static void watch_peer(struct links *links, struct link *link)
{
    link->watch++;
    link->exited = false;
    struct ucred peer = {0};
    socklen_t length = sizeof peer;
    int fd = streams_fd(links->streams, link->stream);
    if (!address_is_unix(&link->address) ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) || peer.pid <= 0)
        return;
    link->pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
    if (link->pidfd < 0) {
        link->exited = errno == ESRCH;
        return;
    }
    struct io_uring_sqe *request = ring_request(links->ring);
    io_uring_prep_poll_add(request, link->pidfd, POLLIN);
    ring_tag(request, RING_LINK_PEER, (link->watch % (1u << 24)) << 8 | link->process);
}

static void tell_gone(struct links *links, struct link *link)
{
    if (link->incarnation == 0 || link->gone_told)
        return;
    link->gone_told = true;
    trace_info(links->trace, "link to %s: its process is gone", name_of(links, link));
    note(links, LINK_EVENT_DOWN, link, true);
}

void link_life_exited(struct links *links, struct link *link)
{
    link->exited = true;
    if (link->state == LINK_STATE_UP) /* nothing more will come but what is in the socket */
        streams_cut(links->streams, link->stream);
    else
        tell_gone(links, link);
}

/* ---- down ---- */

/* What repeats with every try is logged now and then. */
static bool may_say(const struct links *links, uint64_t *said_ns)
{
    if (*said_ns && links->now_ns - *said_ns < say_again_ns)
        return false;
    *said_ns = links->now_ns;
    return true;
}

static void plan_retry(struct links *links, struct link *link)
{
    link->state = LINK_STATE_DOWN;
    if (link->retry_delay_ns < retry_first_ns)
        link->retry_delay_ns = retry_first_ns;
    link->retry_ns = links->now_ns + link->retry_delay_ns;
    link->retry_delay_ns *= 2;
    if (link->retry_delay_ns > retry_last_ns)
        link->retry_delay_ns = retry_last_ns;
}

void link_life_end(struct links *links, struct link *link, const char *reason)
{
    bool was_up = link->state == LINK_STATE_UP;
    if (link->stream != STREAM_NONE)
        streams_close(links->streams, link->stream, true);
    link->stream = STREAM_NONE;
    link_receive_reset(&link->receive);
    link->parsing = false;
    link->hello_have = 0;
    if (was_up || (reason && may_say(links, &link->said_ns)))
        trace_warn(links->trace, "link to %s: closed: %s", name_of(links, link),
                   reason ? reason : "by the other side");
    bool steady = was_up && links->now_ns - link->up_ns > steady_ns;
    if (steady)
        link->retry_delay_ns = 0;
    plan_retry(links, link);
    if (steady)
        link->retry_ns = links->now_ns; /* the first try is at once: it may tell that it is gone */
    if (was_up && link->exited)
        tell_gone(links, link);
    else if (was_up)
        note(links, LINK_EVENT_DOWN, link, false);
}

/* ---- up ---- */

static void send_hello(struct links *links, const struct link *link, uint32_t stream)
{
    struct hello hello = {.pid = (uint32_t)getpid(), .incarnation = links->config.incarnation};
    snprintf(hello.array, sizeof hello.array, "%s", links->config.array);
    snprintf(hello.process, sizeof hello.process, "%s",
             links->config.process[links->config.self].name);
    snprintf(hello.expected, sizeof hello.expected, "%s", name_of(links, link));
    uint8_t bytes[HELLO_BYTES];
    hello_encode(&hello, bytes);
    streams_send(links->streams, stream, bytes, sizeof bytes, slice_none(), 0);
}

/* TCP: a peer whose machine has vanished is found out also when nothing is sent. */
static void keep_alive(const struct links *links, const struct link *link)
{
    if (address_is_unix(&link->address))
        return;
    int fd = streams_fd(links->streams, link->stream), one = 1, idle = 2, each = 1, count = 5;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &each, sizeof each);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static void come_up(struct links *links, struct link *link, const struct hello *hello)
{
    forget_peer(links, link);
    if (link->incarnation != hello->incarnation) {
        tell_gone(links, link); /* a later life speaks: the earlier one is over */
        link->incarnation = hello->incarnation;
        link->gone_told = false;
    }
    link->state = LINK_STATE_UP;
    link->up_ns = links->now_ns;
    link->silence_check_ns = links->now_ns + silence_check_each_ns;
    link->retry_ns = 0;
    watch_peer(links, link);
    keep_alive(links, link);
    trace_info(links->trace, "link to %s: up", name_of(links, link));
    note(links, LINK_EVENT_UP, link, false);
}

/* Number of the process that this hello is from, or -1 and a sentence. */
static int judge_hello(const struct links *links, const struct hello *hello, char *sentence,
                       size_t bytes)
{
    const struct links_config *config = &links->config;
    const char *self = config->process[config->self].name;
    if (strcmp(hello->array, config->array) != 0) {
        snprintf(sentence, bytes, "it is of array %s, this is %s", hello->array, config->array);
        return -1;
    }
    if (strcmp(hello->expected, self) != 0) {
        snprintf(sentence, bytes, "it wants process %s, this is %s", hello->expected, self);
        return -1;
    }
    for (int i = 0; i < config->processes; i++)
        if (links->at[i].used && strcmp(hello->process, config->process[i].name) == 0)
            return i;
    snprintf(sentence, bytes, "no process of this array is called %s", hello->process);
    return -1;
}

/* Ours to begin: the answer to our hello, and perhaps the first frames behind it. */
void link_life_greeting_bytes(struct links *links, struct link *link, const uint8_t *bytes,
                              uint32_t length)
{
    uint32_t lacking = HELLO_BYTES - link->hello_have;
    uint32_t taken = length < lacking ? length : lacking;
    memcpy(link->hello + link->hello_have, bytes, taken);
    link->hello_have += taken;
    if (link->hello_have < HELLO_BYTES) {
        streams_receive(links->streams, link->stream, (struct sink){0});
        return;
    }
    link->hello_have = 0;
    struct hello hello;
    char sentence[160] = "another process answers there";
    if (!hello_decode(link->hello, &hello, sentence, sizeof sentence) ||
        judge_hello(links, &hello, sentence, sizeof sentence) != link->process) {
        link_life_end(links, link, sentence);
        return;
    }
    come_up(links, link, &hello);
    link_receive_bytes(&link->receive, 0, bytes + taken, length - taken);
    link->parsing = true;
}

void link_life_connected(struct links *links, struct link *link)
{
    if (link->state == LINK_STATE_PROBING) { /* it lives, or is stopped: more is not known */
        streams_close(links->streams, link->stream, true);
        link->stream = STREAM_NONE;
        plan_retry(links, link);
        return;
    }
    must(link->state == LINK_STATE_CONNECTING);
    link->state = LINK_STATE_GREETING;
    link->hello_have = 0;
    link->silence_check_ns = links->now_ns + silence_check_each_ns;
    keep_alive(links, link);
    send_hello(links, link, link->stream);
    streams_receive(links->streams, link->stream, (struct sink){0});
}

void link_life_refused(struct links *links, struct link *link, int error)
{
    link->stream = STREAM_NONE;
    bool silent_kernel = link->pidfd < 0 && !link->exited;
    plan_retry(links, link);
    if (error == ECONNREFUSED && silent_kernel)
        tell_gone(links, link);
}

/* ---- accepted connections ---- */

static struct link_greeting *greeting_of(struct links *links, uint32_t stream)
{
    for (uint32_t i = 0; i < LINK_GREETING_MAX; i++)
        if (links->greeting[i].stream == stream)
            return &links->greeting[i];
    return NULL;
}

void link_life_accepted(struct links *links, uint32_t stream)
{
    struct link_greeting *greeting = greeting_of(links, STREAM_NONE);
    if (!greeting) {
        streams_close(links->streams, stream, true);
        return;
    }
    greeting->stream = stream;
    greeting->have = 0;
    greeting->deadline_ns = links->now_ns + greeting_limit_ns;
    streams_receive(links->streams, stream, (struct sink){0});
}

static void refuse_greeting(struct links *links, struct link_greeting *greeting, const char *why)
{
    if (may_say(links, &links->said_ns))
        trace_warn(links->trace, "a connection to our link address was refused: %s", why);
    streams_close(links->streams, greeting->stream, true);
    greeting->stream = STREAM_NONE;
}

/* The hello is complete: the connection becomes the link, also in place of an older one. */
static void adopt(struct links *links, struct link_greeting *greeting)
{
    struct hello hello;
    char sentence[160];
    if (!hello_decode(greeting->hello, &hello, sentence, sizeof sentence)) {
        refuse_greeting(links, greeting, sentence);
        return;
    }
    int process = judge_hello(links, &hello, sentence, sizeof sentence);
    if (process >= 0 && links->at[process].cut_until_ns) {
        refuse_greeting(links, greeting, "that link is cut for a drill");
        return;
    }
    if (process < 0 || begins(links, &links->at[process])) {
        refuse_greeting(links, greeting, process < 0 ? sentence : "it is ours to begin that link");
        return;
    }
    struct link *link = &links->at[process];
    if (link->state == LINK_STATE_UP) {
        link->exited = link->exited || hello.incarnation != link->incarnation;
        link_life_end(links, link, "the other side has begun a new one");
    } else if (link->stream != STREAM_NONE) {
        streams_close(links->streams, link->stream, true); /* a probe */
    }
    link->stream = greeting->stream;
    greeting->stream = STREAM_NONE;
    send_hello(links, link, link->stream);
    come_up(links, link, &hello);
    streams_receive(links->streams, link->stream, (struct sink){0});
}

/* True: it was of a connection that is still greeting. */
bool link_life_accepted_bytes(struct links *links, const struct stream_event *event)
{
    struct link_greeting *greeting = greeting_of(links, event->stream);
    if (!greeting)
        return false;
    if (event->kind == STREAM_EVENT_CLOSED) { /* a probe, as a rule */
        greeting->stream = STREAM_NONE;
        return true;
    }
    if (event->kind != STREAM_EVENT_DATA)
        return true;
    if (event->length > HELLO_BYTES - greeting->have) {
        refuse_greeting(links, greeting, "it says more than a hello before it was answered");
        return true;
    }
    memcpy(greeting->hello + greeting->have, event->bytes, event->length);
    greeting->have += event->length;
    if (greeting->have == HELLO_BYTES)
        adopt(links, greeting);
    else
        streams_receive(links->streams, greeting->stream, (struct sink){0});
    return true;
}

/* ---- time ---- */

static void connect_link(struct links *links, struct link *link, enum link_state state)
{
    link->stream = streams_connect(links->streams, STREAM_USE_LINK, link->process, &link->address);
    if (link->stream == STREAM_NONE) {
        plan_retry(links, link);
        return;
    }
    link->state = state;
    link->deadline_ns = links->now_ns + connect_limit_ns;
}

static void try_again(struct links *links, struct link *link)
{
    if (begins(links, link))
        connect_link(links, link, LINK_STATE_CONNECTING);
    else if (link->incarnation && !link->gone_told && link->pidfd < 0)
        connect_link(links, link, LINK_STATE_PROBING);
    else
        link->retry_ns = UINT64_MAX;
}

/* TCP: bytes that the other kernel does not acknowledge for so long are lost on a cut network; the
 * kernel would try them again ever more seldom. A stopped process's kernel acknowledges. */
static bool network_is_silent(const struct links *links, const struct link *link)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    int fd = streams_fd(links->streams, link->stream);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
        return false;
    return info.tcpi_unacked > 0 && info.tcpi_last_ack_recv > silence_limit_ms &&
           info.tcpi_last_data_recv > silence_limit_ms;
}

static void check_silence(struct links *links, struct link *link)
{
    if (links->now_ns < link->silence_check_ns || address_is_unix(&link->address))
        return;
    link->silence_check_ns = links->now_ns + silence_check_each_ns;
    if (network_is_silent(links, link))
        link_life_end(links, link, "the network does not carry what is sent");
}

void link_life_tick(struct links *links, struct link *link)
{
    switch (link->state) {
    case LINK_STATE_DOWN:
        if (links->now_ns >= link->retry_ns && !link->cut_until_ns)
            try_again(links, link);
        return;
    case LINK_STATE_CONNECTING:
    case LINK_STATE_PROBING:
        if (links->now_ns < link->deadline_ns)
            return;
        streams_close(links->streams, link->stream, true);
        link->stream = STREAM_NONE;
        plan_retry(links, link);
        return;
    case LINK_STATE_GREETING:
    case LINK_STATE_UP:
        check_silence(links, link);
        return;
    }
}
