/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

enum { RING_REQUESTS = 2048, RING_COMPLETIONS = 16384, TAG_KIND_SHIFT = 56 };

/* Best first: an older kernel refuses the first ones with EINVAL. */
static const unsigned setup_flags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_COOP_TASKRUN,
    0,
};

int ring_open(struct ring *ring, char *sentence, size_t sentence_bytes)
{
    memset(ring, 0, sizeof *ring);
    int error = -EINVAL;
    for (size_t i = 0; i < sizeof setup_flags / sizeof setup_flags[0] && error == -EINVAL; i++) {
        struct io_uring_params params = {.flags = setup_flags[i] | IORING_SETUP_CQSIZE,
                                         .cq_entries = RING_COMPLETIONS};
        error = io_uring_queue_init_params(RING_REQUESTS, &ring->uring, &params);
    }
    if (error == 0)
        return 0;
    snprintf(sentence, sentence_bytes,
             "io_uring cannot be set up: %s; it needs Linux 5.11 or later, and neither "
             "kernel.io_uring_disabled nor a seccomp filter in its way",
             strerror(-error));
    return -1;
}

void ring_close(struct ring *ring)
{
    io_uring_queue_exit(&ring->uring);
}

static void submit(struct ring *ring)
{
    int taken;
    do
        taken = io_uring_submit(&ring->uring);
    while (taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
    must(taken >= 0);
}

struct io_uring_sqe *ring_request(struct ring *ring)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&ring->uring);
    if (!request) {
        submit(ring);
        request = io_uring_get_sqe(&ring->uring);
    }
    must(request != NULL);
    ring->requests++;
    return request;
}

uint64_t ring_tag_value(enum ring_kind kind, uint32_t index)
{
    return (uint64_t)kind << TAG_KIND_SHIFT | index;
}

void ring_tag(struct io_uring_sqe *request, enum ring_kind kind, uint32_t index)
{
    io_uring_sqe_set_data64(request, ring_tag_value(kind, index));
}

void ring_turn(struct ring *ring, uint64_t wait_ns)
{
    struct __kernel_timespec timeout = {.tv_sec = (int64_t)(wait_ns / 1000000000u),
                                        .tv_nsec = (int64_t)(wait_ns % 1000000000u)};
    struct io_uring_cqe *first;
    int error = io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, &timeout, NULL);
    must(error != -EBADF && error != -EFAULT && error != -EINVAL && error != -ENXIO);
    ring->left = io_uring_cq_ready(&ring->uring);
    ring->turns++;
}

bool ring_next(struct ring *ring, struct completion *out)
{
    if (ring->left == 0)
        return false;
    ring->left--;
    unsigned head;
    struct io_uring_cqe *entry;
    io_uring_for_each_cqe(&ring->uring, head, entry)
    {
        uint64_t tag = io_uring_cqe_get_data64(entry);
        out->kind = (enum ring_kind)(tag >> TAG_KIND_SHIFT);
        out->index = (uint32_t)tag;
        out->result = entry->res;
        out->more_to_read = (entry->flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
        io_uring_cq_advance(&ring->uring, 1);
        return true;
    }
    return false;
}
