/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_RING_H
#define SEGUE_IO_RING_H

/* The io_uring of a process. Requests of a turn are prepared one by one and leave together, in one
 * system call that also waits; completions are taken one by one. What a completion belongs to is
 * said by a tag (kind, index), never by a pointer: whoever prepared the request keeps the entry of
 * that index until its completion has come. */

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

enum ring_kind {
    RING_STREAM_RECEIVE, /* index: stream */
    RING_STREAM_SEND,    /* index: stream */
    RING_STREAM_CONNECT, /* index: stream */
    RING_STREAM_ACCEPT,  /* index: listener */
    RING_LINK_PEER,      /* index: process: its pidfd can be read: it has exited */
    RING_DRIVE,          /* index: drive request */
    RING_WORKER,         /* index: worker: its eventfd was read */
    RING_SIGNAL,         /* a signal was read */
    RING_NOTHING,        /* nobody waits for it (a cancellation, a linked time-out) */
};

struct completion {
    enum ring_kind kind;
    uint32_t index;
    int result;        /* or -errno */
    bool more_to_read; /* of a receive: the socket was not emptied */
};

struct ring {
    struct io_uring uring;
    uint32_t left;            /* completions of this turn that were not taken yet */
    uint64_t turns, requests; /* for people */
};

/* 0, or -1 and a sentence. The ring belongs to the calling thread from then on. */
int ring_open(struct ring *ring, char *sentence, size_t sentence_bytes);
void ring_close(struct ring *ring);
/* A free request; what was prepared so far is submitted when there is none. The caller fills it in
 * (io_uring_prep_*) and then tags it. Never NULL. */
struct io_uring_sqe *ring_request(struct ring *ring);
void ring_tag(struct io_uring_sqe *request, enum ring_kind kind, uint32_t index);
/* The user_data of that tag, to cancel a request by. */
uint64_t ring_tag_value(enum ring_kind kind, uint32_t index);
/* Submits everything and waits for a completion, at most `wait_ns`. */
void ring_turn(struct ring *ring, uint64_t wait_ns);
/* The next completion of this turn; false: no more. */
bool ring_next(struct ring *ring, struct completion *out);

#endif
