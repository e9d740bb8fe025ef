/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets. A stream's slot is taken when a connection is accepted or begun and is free again
 * when its owner has closed it, or was told that it is closed, and none of its requests is in the
 * ring any more: so a completion's index always names the stream that it was for.
 *
 *   FREE -> CONNECTING -> OPEN -> LEAVING -> DRAINING -> ENDING -> FREE
 *              |            |        |          |          ^
 *              '------------+--------+----------+----------'
 *
 *   CONNECTING  begin_connect: connect is in the ring
 *   OPEN        streams_connected, accepted: the owner may receive and send
 *   LEAVING     streams_close, later: no more events; what is queued still leaves; what comes is
 *               read and dropped
 *   DRAINING    all has left and the other side was told; waits for its end of the stream, so that
 *               closing does not throw away what it has yet to read
 *   ENDING      shut down; waits for its requests
 */
#include "io/streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "io/listen.h"
#include "io/send_queue.h"

enum {
    STREAM_INDEX_BITS = 10,
    LISTENER_MAX = 16,
    VECTORS_MAX = 64,
    HEADS_BYTES = 2 << 20,
    PIECES_MAX = 32768,
    UNIX_SOCKET_BYTES = 4 << 20, /* asked for; the system may give less */
};
static const uint64_t leave_limit_ns = 5000000000u, tick_ns = 100000000u;

enum stream_state {
    STREAM_STATE_FREE,
    STREAM_STATE_CONNECTING,
    STREAM_STATE_OPEN,
    STREAM_STATE_LEAVING,
    STREAM_STATE_DRAINING,
    STREAM_STATE_ENDING,
};

struct stream {
    enum stream_state state;
    enum stream_use use;
    uint32_t owner, handle;
    int fd;
    bool connecting, receiving, sending; /* a request of this kind is in the ring */
    bool broken;                         /* sending failed: nothing more is sent */
    bool dirty;                          /* in the list of those with something to send */
    bool more;                           /* the last receive left bytes in the socket */
    bool late;
    bool paused, resuming; /* resuming: in the list of those that have `held` to be told */
    int held;              /* bytes that were read while it was paused; the receive's length */
    uint64_t leave_by_ns, paused_ns;
    struct sink sink; /* of the receive under way; holds a reference */
    uint8_t *staging;
    struct iovec receive_vectors[2];
    struct msghdr receive_header;
    struct send_queue queue;
    struct iovec send_vectors[VECTORS_MAX];
    struct msghdr send_header;
    struct address address; /* connecting */
};

struct listener {
    int fd;
    enum stream_use use;
    uint32_t owner;
    bool accepting;
};

struct streams {
    struct ring *ring;
    struct stream at[STREAM_MAX];
    struct listener listener[LISTENER_MAX];
    uint32_t listeners;
    uint32_t handles; /* given so far */
    uint16_t dirty[STREAM_MAX];
    uint32_t dirty_count;
    uint16_t resumed[STREAM_MAX]; /* that have `held` to be told */
    uint32_t resumed_count;
    uint64_t late_ns;
    uint64_t now_ns, next_tick_ns;
    uint64_t sweep_ns; /* some may be marked late that hold nothing: looked at then; 0: none */
    char local[ADDRESS_TEXT], peer[ADDRESS_TEXT];
};

struct streams *streams_new(struct ring *ring, uint64_t late_ns)
{
    struct streams *streams = calloc(1, sizeof *streams);
    if (!streams)
        return NULL;
    streams->ring = ring;
    streams->late_ns = late_ns;
    uint8_t *staging = mmap(NULL, (size_t)STREAM_MAX * STREAM_STAGING_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (staging == MAP_FAILED) {
        free(streams);
        return NULL;
    }
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        streams->at[i].staging = staging + (size_t)i * STREAM_STAGING_BYTES;
        streams->at[i].fd = -1;
        if (!send_queue_init(&streams->at[i].queue, HEADS_BYTES, PIECES_MAX))
            return NULL;
    }
    return streams;
}

void streams_free(struct streams *streams)
{
    for (uint32_t i = 0; i < streams->listeners; i++)
        close(streams->listener[i].fd);
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        if (streams->at[i].fd >= 0)
            close(streams->at[i].fd);
        buffer_unref(streams->at[i].sink.buffer);
        send_queue_clear(&streams->at[i].queue);
        send_queue_free(&streams->at[i].queue);
    }
    munmap(streams->at[0].staging, (size_t)STREAM_MAX * STREAM_STAGING_BYTES);
    free(streams);
}

/* ---- the table ---- */

static uint32_t index_of(const struct streams *streams, const struct stream *s)
{
    return (uint32_t)(s - streams->at);
}

/* NULL: it is no more, or its owner has closed it. */
static struct stream *find(const struct streams *streams, uint32_t handle)
{
    const struct stream *s = &streams->at[handle % STREAM_MAX];
    if (handle == STREAM_NONE || s->handle != handle)
        return NULL;
    if (s->state != STREAM_STATE_OPEN && s->state != STREAM_STATE_CONNECTING)
        return NULL;
    return (struct stream *)(uintptr_t)s;
}

static struct stream *take(struct streams *streams, enum stream_use use, uint32_t owner, int fd)
{
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        struct stream *s = &streams->at[i];
        if (s->state != STREAM_STATE_FREE)
            continue;
        s->use = use;
        s->owner = owner;
        s->fd = fd;
        do /* never STREAM_NONE, also when the count begins anew */
            s->handle = ++streams->handles << STREAM_INDEX_BITS | i;
        while (s->handle == STREAM_NONE);
        s->broken = s->more = s->late = s->paused = false;
        s->held = 0;
        return s;
    }
    return NULL;
}

/* The slot is free once nothing of it is in the ring. */
static void end_if_idle(struct stream *s)
{
    if (s->state != STREAM_STATE_ENDING || s->connecting || s->receiving || s->sending)
        return;
    buffer_unref(s->sink.buffer);
    s->sink = (struct sink){0};
    send_queue_clear(&s->queue);
    close(s->fd);
    s->fd = -1;
    s->handle = STREAM_NONE;
    s->state = STREAM_STATE_FREE;
}

static void cancel_connect(struct streams *streams, struct stream *s)
{
    struct io_uring_sqe *request = ring_request(streams->ring);
    io_uring_prep_cancel64(request, ring_tag_value(RING_STREAM_CONNECT, index_of(streams, s)), 0);
    ring_tag(request, RING_NOTHING, 0);
}

static void end(struct streams *streams, struct stream *s)
{
    if (s->state == STREAM_STATE_ENDING)
        return;
    s->state = STREAM_STATE_ENDING;
    if (s->connecting)
        cancel_connect(streams, s);
    shutdown(s->fd, SHUT_RDWR);
    if (!s->sending)
        send_queue_clear(&s->queue);
    end_if_idle(s);
}

/* ---- listening ---- */

static void set_options(int fd, bool is_unix)
{
    int one = 1, size = UNIX_SOCKET_BYTES;
    if (!is_unix) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    } else if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

static void accept_next(struct streams *streams, struct listener *listener)
{
    struct io_uring_sqe *request = ring_request(streams->ring);
    io_uring_prep_accept(request, listener->fd, NULL, NULL, SOCK_CLOEXEC);
    ring_tag(request, RING_STREAM_ACCEPT, (uint32_t)(listener - streams->listener));
    listener->accepting = true;
}

int streams_listen(struct streams *streams, enum stream_use use, uint32_t owner, const char *what,
                   const char *address, char *bound, size_t bound_bytes, char *sentence,
                   size_t sentence_bytes)
{
    must(streams->listeners < LISTENER_MAX);
    int fd = listen_at(what, address, bound, bound_bytes, sentence, sentence_bytes);
    if (fd < 0)
        return -1;
    struct listener *listener = &streams->listener[streams->listeners++];
    *listener = (struct listener){.fd = fd, .use = use, .owner = owner};
    accept_next(streams, listener);
    return 0;
}

/* ---- connecting and accepting ---- */

uint32_t streams_connect(struct streams *streams, enum stream_use use, uint32_t owner,
                         const struct address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return STREAM_NONE;
    struct stream *s = take(streams, use, owner, fd);
    if (!s) {
        close(fd);
        return STREAM_NONE;
    }
    set_options(fd, address_is_unix(address));
    s->state = STREAM_STATE_CONNECTING;
    s->connecting = true;
    s->address = *address;
    struct io_uring_sqe *request = ring_request(streams->ring);
    io_uring_prep_connect(request, fd, (const struct sockaddr *)&s->address.storage,
                          s->address.length);
    ring_tag(request, RING_STREAM_CONNECT, index_of(streams, s));
    return s->handle;
}

static void tell(struct streams *streams, const struct stream *s, enum stream_event_kind kind,
                 struct stream_event *out)
{
    *out =
        (struct stream_event){.kind = kind, .use = s->use, .owner = s->owner, .stream = s->handle};
    if (kind != STREAM_EVENT_OPEN)
        return;
    address_of_socket(s->fd, false, streams->local, sizeof streams->local);
    address_of_socket(s->fd, true, streams->peer, sizeof streams->peer);
    out->local = streams->local;
    out->peer = streams->peer;
}

static bool connected(struct streams *streams, struct stream *s, int result,
                      struct stream_event *out)
{
    s->connecting = false;
    if (s->state != STREAM_STATE_CONNECTING) {
        end_if_idle(s);
        return false;
    }
    if (result == 0) {
        s->state = STREAM_STATE_OPEN;
        tell(streams, s, STREAM_EVENT_OPEN, out);
        return true;
    }
    tell(streams, s, STREAM_EVENT_FAILED, out);
    out->error = -result;
    end(streams, s);
    return true;
}

static bool accepted(struct streams *streams, struct listener *listener, int fd,
                     struct stream_event *out)
{
    listener->accepting = false;
    if (fd < 0) /* a shortage of descriptors or memory; streams_tick tries again */
        return false;
    accept_next(streams, listener);
    struct stream *s = take(streams, listener->use, listener->owner, fd);
    if (!s) {
        close(fd);
        return false;
    }
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    getsockname(fd, (struct sockaddr *)&storage, &length);
    set_options(fd, storage.ss_family == AF_UNIX);
    s->state = STREAM_STATE_OPEN;
    tell(streams, s, STREAM_EVENT_OPEN, out);
    out->accepted = true;
    return true;
}

/* ---- receiving ---- */

static void receive(struct streams *streams, struct stream *s)
{
    must(!s->receiving);
    uint32_t vectors = 0;
    if (s->sink.buffer)
        s->receive_vectors[vectors++] =
            (struct iovec){s->sink.buffer->data + s->sink.offset, s->sink.length};
    s->receive_vectors[vectors++] = (struct iovec){s->staging, STREAM_STAGING_BYTES};
    s->receive_header = (struct msghdr){.msg_iov = s->receive_vectors, .msg_iovlen = vectors};
    struct io_uring_sqe *request = ring_request(streams->ring);
    io_uring_prep_recvmsg(request, s->fd, &s->receive_header, 0);
    if (!s->more) /* spare the attempt that would find nothing */
        request->ioprio |= IORING_RECVSEND_POLL_FIRST;
    ring_tag(request, RING_STREAM_RECEIVE, index_of(streams, s));
    s->receiving = true;
}

bool streams_idle(const struct streams *streams, uint32_t stream)
{
    const struct stream *s = find(streams, stream);
    return s && s->state == STREAM_STATE_OPEN && !s->receiving && !s->paused && !s->held;
}

void streams_receive(struct streams *streams, uint32_t stream, struct sink sink)
{
    struct stream *s = find(streams, stream);
    if (!s)
        return;
    must(streams_idle(streams, stream));
    if (sink.buffer && sink.length) {
        must(sink.offset + sink.length <= sink.buffer->capacity);
        s->sink = sink;
        buffer_ref(sink.buffer);
    }
    receive(streams, s);
}

/* What is being left is read only to see its end. */
static void drop_received(struct streams *streams, struct stream *s, int result)
{
    if (result <= 0)
        end(streams, s);
    else
        receive(streams, s);
}

static void forget_sink(struct stream *s)
{
    buffer_unref(s->sink.buffer);
    s->sink = (struct sink){0};
}

/* A sink that a receive under way still fills must stay. */
static void forget_sink_if_read(struct stream *s)
{
    if (!s->receiving)
        forget_sink(s);
}

static void tell_data(struct streams *streams, struct stream *s, uint32_t length,
                      struct stream_event *out)
{
    uint32_t sink_length = s->sink.buffer ? s->sink.length : 0;
    tell(streams, s, STREAM_EVENT_DATA, out);
    out->sunk = length < sink_length ? length : sink_length;
    out->bytes = s->staging;
    out->length = length - out->sunk;
    out->late = s->late;
    if (!s->more)
        s->late = false;
    forget_sink(s);
}

static bool is_retryable(int result)
{
    return result == -EAGAIN || result == -EINTR;
}

static bool received(struct streams *streams, struct stream *s, const struct completion *c,
                     struct stream_event *out)
{
    s->receiving = false;
    if (is_retryable(c->result) && s->state != STREAM_STATE_ENDING) {
        receive(streams, s);
        return false;
    }
    if (s->state != STREAM_STATE_OPEN || c->result <= 0) {
        forget_sink(s);
        if (s->state == STREAM_STATE_ENDING) {
            end_if_idle(s);
        } else if (s->state != STREAM_STATE_OPEN) {
            drop_received(streams, s, c->result);
        } else {
            tell(streams, s, STREAM_EVENT_CLOSED, out);
            out->error = -c->result;
            end(streams, s);
            return true;
        }
        return false;
    }
    uint32_t space = (s->sink.buffer ? s->sink.length : 0) + STREAM_STAGING_BYTES;
    s->more = c->more_to_read || (uint32_t)c->result == space;
    if (s->paused) {
        s->held = c->result;
        return false;
    }
    tell_data(streams, s, (uint32_t)c->result, out);
    return true;
}

void streams_pause(struct streams *streams, uint32_t stream)
{
    struct stream *s = find(streams, stream);
    if (!s || s->paused)
        return;
    s->paused = true;
    s->paused_ns = streams->now_ns;
}

void streams_resume(struct streams *streams, uint32_t stream)
{
    struct stream *s = find(streams, stream);
    if (!s || !s->paused)
        return;
    s->paused = false;
    if (streams->now_ns - s->paused_ns > streams->late_ns)
        s->late = true;
    if (!s->held || s->resuming)
        return;
    s->resuming = true;
    streams->resumed[streams->resumed_count++] = (uint16_t)index_of(streams, s);
}

bool streams_next_resumed(struct streams *streams, struct stream_event *out)
{
    while (streams->resumed_count) {
        struct stream *s = &streams->at[streams->resumed[--streams->resumed_count]];
        s->resuming = false;
        if (s->state != STREAM_STATE_OPEN || !s->held || s->paused)
            continue;
        uint32_t length = (uint32_t)s->held;
        s->held = 0;
        tell_data(streams, s, length, out);
        return true;
    }
    return false;
}

/* ---- sending ---- */

bool streams_send(struct streams *streams, uint32_t stream, const uint8_t *head,
                  uint32_t head_length, struct slice payload, uint8_t pad)
{
    struct stream *s = find(streams, stream);
    if (!s || s->state != STREAM_STATE_OPEN ||
        (!s->broken && !send_queue_put(&s->queue, head, head_length, payload, pad))) {
        slice_drop(&payload);
        return false;
    }
    if (s->broken) { /* the end of the stream will be told when all that came was read */
        slice_drop(&payload);
        return true;
    }
    if (!s->dirty && !s->sending) {
        s->dirty = true;
        streams->dirty[streams->dirty_count++] = (uint16_t)index_of(streams, s);
    }
    return true;
}

static void send_next(struct streams *streams, struct stream *s)
{
    s->send_header = (struct msghdr){.msg_iov = s->send_vectors};
    s->send_header.msg_iovlen = send_queue_gather(&s->queue, s->send_vectors, VECTORS_MAX);
    struct io_uring_sqe *request = ring_request(streams->ring);
    io_uring_prep_sendmsg(request, s->fd, &s->send_header, MSG_NOSIGNAL);
    ring_tag(request, RING_STREAM_SEND, index_of(streams, s));
    s->sending = true;
}

void streams_flush(struct streams *streams)
{
    for (uint32_t i = 0; i < streams->dirty_count; i++) {
        struct stream *s = &streams->at[streams->dirty[i]];
        s->dirty = false;
        if (s->queue.count && !s->sending && !s->broken &&
            (s->state == STREAM_STATE_OPEN || s->state == STREAM_STATE_LEAVING))
            send_next(streams, s);
    }
    streams->dirty_count = 0;
}

/* All has left: tell the other side, and wait for its end of the stream. */
static void drain(struct streams *streams, struct stream *s)
{
    s->state = STREAM_STATE_DRAINING;
    shutdown(s->fd, SHUT_WR);
    if (!s->receiving)
        receive(streams, s);
}

static bool sending_failed(struct streams *streams, struct stream *s, int error,
                           struct stream_event *out)
{
    s->broken = true;
    send_queue_clear(&s->queue);
    if (s->state != STREAM_STATE_OPEN) {
        end(streams, s);
        return false;
    }
    if (s->receiving) { /* what came before the end is still read; then the end is told */
        shutdown(s->fd, SHUT_RDWR); /* ... which does not come of itself after a shortage here */
        return false;
    }
    tell(streams, s, STREAM_EVENT_CLOSED, out);
    out->error = error;
    end(streams, s);
    return true;
}

static bool sent(struct streams *streams, struct stream *s, int result, struct stream_event *out)
{
    s->sending = false;
    if (s->state == STREAM_STATE_ENDING) {
        end_if_idle(s);
        return false;
    }
    if (result < 0 && !is_retryable(result))
        return sending_failed(streams, s, -result, out);
    if (result >= 0)
        send_queue_sent(&s->queue, (uint64_t)result);
    if (s->queue.count) {
        send_next(streams, s);
        return false;
    }
    if (s->state == STREAM_STATE_LEAVING) {
        drain(streams, s);
        return false;
    }
    tell(streams, s, STREAM_EVENT_SENT, out);
    return s->use == STREAM_USE_HOST;
}

/* ---- the rest ---- */

bool streams_complete(struct streams *streams, const struct completion *c, struct stream_event *out)
{
    must(c->kind <= RING_STREAM_ACCEPT);
    switch (c->kind) {
    case RING_STREAM_ACCEPT:
        return accepted(streams, &streams->listener[c->index], c->result, out);
    case RING_STREAM_CONNECT:
        return connected(streams, &streams->at[c->index], c->result, out);
    case RING_STREAM_RECEIVE:
        return received(streams, &streams->at[c->index], c, out);
    case RING_STREAM_SEND:
        return sent(streams, &streams->at[c->index], c->result, out);
    case RING_LINK_PEER:
    case RING_DRIVE:
    case RING_WORKER:
    case RING_SIGNAL:
    case RING_NOTHING:
        break;
    }
    return false;
}

bool streams_is_open(const struct streams *streams, uint32_t stream)
{
    return find(streams, stream) != NULL;
}

uint64_t streams_queued_bytes(const struct streams *streams, uint32_t stream)
{
    const struct stream *s = find(streams, stream);
    return s ? s->queue.bytes : 0;
}

int streams_fd(const struct streams *streams, uint32_t stream)
{
    const struct stream *s = find(streams, stream);
    return s ? s->fd : -1;
}

void streams_close(struct streams *streams, uint32_t stream, bool at_once)
{
    struct stream *s = find(streams, stream);
    if (!s)
        return;
    if (at_once || s->state == STREAM_STATE_CONNECTING || s->broken) {
        end(streams, s);
        return;
    }
    s->leave_by_ns = streams->now_ns + leave_limit_ns;
    s->state = STREAM_STATE_LEAVING;
    s->held = 0;
    forget_sink_if_read(s);
    if (!s->queue.count)
        drain(streams, s);
    else if (!s->receiving)
        receive(streams, s);
}

void streams_cut(struct streams *streams, uint32_t stream)
{
    struct stream *s = find(streams, stream);
    if (s)
        shutdown(s->fd, SHUT_RDWR);
}

void streams_late(struct streams *streams)
{
    for (uint32_t i = 0; i < STREAM_MAX; i++)
        if (streams->at[i].state == STREAM_STATE_OPEN && streams->at[i].use == STREAM_USE_HOST)
            streams->at[i].late = true;
    streams->sweep_ns = streams->now_ns + tick_ns; /* what had come is read by then */
}

/* A socket that holds nothing holds nothing old. */
static void sweep_late(struct streams *streams)
{
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        struct stream *s = &streams->at[i];
        int held = 0;
        if (s->state == STREAM_STATE_OPEN && s->late && s->receiving &&
            ioctl(s->fd, FIONREAD, &held) == 0 && held == 0)
            s->late = false;
    }
    streams->sweep_ns = 0;
}

void streams_tick(struct streams *streams, uint64_t now_ns)
{
    streams->now_ns = now_ns;
    if (now_ns < streams->next_tick_ns)
        return;
    streams->next_tick_ns = now_ns + tick_ns;
    if (streams->sweep_ns && now_ns >= streams->sweep_ns)
        sweep_late(streams);
    for (uint32_t i = 0; i < streams->listeners; i++)
        if (!streams->listener[i].accepting)
            accept_next(streams, &streams->listener[i]);
    for (uint32_t i = 0; i < STREAM_MAX; i++) {
        struct stream *s = &streams->at[i];
        bool leaving = s->state == STREAM_STATE_LEAVING || s->state == STREAM_STATE_DRAINING;
        if (leaving && now_ns > s->leave_by_ns)
            end(streams, s);
    }
}
