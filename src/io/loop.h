/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_LOOP_H
#define SEGUE_IO_LOOP_H

/* The real world of one process: its ring, streams, links, drives and workers, behind one wait.
 * Once a turn everything that was asked for goes to the kernel in one system call, which also
 * waits; then all that has happened is taken, one happening after the other, and answered by more
 * requests.
 */

#include "io/drives.h"
#include "io/links.h"
#include "io/streams.h"
#include "io/worker.h"

struct loop_config {
    struct links_config links;
    uint64_t late_ns;               /* a turn later than that was late for hosts' bytes */
    const char *register_directory; /* NULL: no part here uses the register */
    uint32_t drive_requests_max;    /* 0: no drives here */
    uint64_t buffer_bytes;          /* payload memory of the process */
};

struct loop;

/* NULL: the sentence says why. Binds the link address; blocks SIGTERM and SIGINT, which come as
 * happenings from then on. */
struct loop *loop_new(const struct loop_config *config, struct trace *trace, char *sentence,
                      size_t sentence_bytes);
void loop_free(struct loop *loop);

struct buffer_pool *loop_buffers(struct loop *loop);
struct streams *loop_streams(struct loop *loop);
struct links *loop_links(struct loop *loop);
struct drives *loop_drives(struct loop *loop);

enum happening_kind {
    HAPPENING_LINK,      /* link */
    HAPPENING_HOST,      /* stream, of STREAM_USE_HOST */
    HAPPENING_CONTROL,   /* stream, of STREAM_USE_CONTROL */
    HAPPENING_DRIVE,     /* drive */
    HAPPENING_TRAY,      /* tray */
    HAPPENING_REGISTER,  /* job, of the register */
    HAPPENING_STORED,    /* job, JOB_STORE */
    HAPPENING_TERMINATE, /* SIGTERM or SIGINT */
};

struct happening {
    enum happening_kind kind;
    union {
        struct link_event link; /* a message's payload reference is the taker's */
        struct stream_event stream;
        struct drive_done drive; /* the data's reference is the taker's */
        struct drive_tray tray;
        struct job job;
    };
};

/* The monotonic clock, now. */
uint64_t loop_now_ns(void);
/* Sends what was asked for, waits until something happens or `wake_ns` has come. */
void loop_turn(struct loop *loop, uint64_t wake_ns);
/* The next happening of this turn; false: no more. */
bool loop_next(struct loop *loop, struct happening *out);

/* A job for the worker that does this kind. What cannot be taken is answered as failed. */
void loop_job(struct loop *loop, const struct job *job);

struct loop_status {
    uint64_t turns, requests, late_turns, longest_turn_ns;
};
void loop_describe(const struct loop *loop, struct loop_status *out);

#endif
