/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_WORKER_H
#define SEGUE_IO_WORKER_H

/* A thread for what has to block: jobs are done one after the other, in the order in which they
 * were given; the ring tells (RING_WORKER) when some are done. */

#include "io/drives.h"
#include "io/ring.h"
#include "register/register.h"

enum { JOB_PATH_BYTES = 384, JOB_STORE_BYTES = 512 };

enum job_kind {
    JOB_REGISTER_READ,
    JOB_REGISTER_SWAP,
    JOB_REGISTER_LIVE, /* nothing is told of it */
    JOB_STORE,         /* store_put(path, bytes) */
    JOB_LOOK,          /* is the file at `path` still that of `fd`? Else what is there? */
};

struct job {
    enum job_kind kind;
    uint32_t owner;
    uint64_t tag;
    union {
        struct {
            uint8_t group;
            struct member member;
            struct record record; /* swap: in; read and swap: what stands */
            struct register_living living;
            enum register_result result;
        } reg;
        struct {
            char path[JOB_PATH_BYTES];
            uint32_t length;
            uint8_t bytes[JOB_STORE_BYTES];
            int error; /* result: 0: it is durable */
        } store;
        struct {
            char path[JOB_PATH_BYTES];
            uint32_t drive;
            int fd;       /* -1: it has none */
            bool present; /* result: it is still that one */
            int found;    /* result: descriptor of another one that lies there; -1: none does */
            struct drive_facts facts; /* of that */
        } look;
    };
};

struct worker;

/* Its completions are tagged with `index`. `reg` may be NULL where no register jobs are given.
 * NULL: no thread or memory. */
struct worker *worker_new(struct ring *ring, uint32_t index, const char *name,
                          struct control_register *reg);
/* Waits for the job under way, drops the others. */
void worker_free(struct worker *worker);
/* False: too much is waiting already (something blocks for very long). */
bool worker_give(struct worker *worker, const struct job *job);
/* A completion RING_WORKER of its index came: results can be taken. */
void worker_complete(struct worker *worker);
/* The next job that is done, without waiting; false: none. */
bool worker_take(struct worker *worker, struct job *out);

#endif
