/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_DRIVES_STATE_H
#define SEGUE_IO_DRIVES_STATE_H

/* What drives.c (commands) and drive_open.c (opening) share. */

#include <sys/types.h>

#include "io/drives.h"

enum { DRIVES_MAX = LOOP_MAX * SLOT_MAX, DRIVE_REQUEST_NONE = INT32_MAX };

enum drive_phase {
    DRIVE_PHASE_WAITING,  /* for a read-modify-write before it, or to be one alone */
    DRIVE_PHASE_READING,  /* what the command is to read */
    DRIVE_PHASE_FETCHING, /* what surrounds the blocks to be written */
    DRIVE_PHASE_WRITING,
    DRIVE_PHASE_PUNCHING, /* zeroes without writing them */
    DRIVE_PHASE_FLUSHING,
    DRIVE_PHASE_DONE,
};

struct drive_request {
    enum drive_phase phase;
    uint32_t next; /* in the list that it is in: free, waiting, done */
    uint32_t drive;
    uint8_t op; /* enum drive_op */
    bool fua;
    bool counted; /* among the writes that are running */
    uint64_t tag, offset;
    uint32_t length;
    uint32_t done;         /* bytes of the command that are over */
    struct slice data;     /* as it came: to write, or the pattern */
    struct buffer *memory; /* of ours: aligned; what a read gives */
    uint32_t part;         /* bytes of the command in this piece */
    uint8_t *bytes;        /* of the piece: what goes to or comes from the kernel */
    uint64_t io_offset;
    uint32_t io_length, io_done;
    enum drive_status status;
};

struct drive_list {
    uint32_t first, last;
};

struct drive {
    struct drive_open open;
    struct drive_facts facts;
    int fd;      /* -1: offline */
    bool absent; /* its file has vanished since */
    bool lossy;  /* its page cache has lost writes */
    bool moved;  /* it was taken out or put in, and nobody was told yet */
    uint32_t under_way;
    bool no_punch;
    bool alone;      /* a read-modify-write is running */
    uint32_t writes; /* running, fills included */
    struct drive_list waiting;
    uint64_t errors;
    bool said; /* an error of it was logged and none of its commands has succeeded since */
};

struct drives {
    struct ring *ring;
    struct buffer_pool *buffers;
    struct trace *trace;
    uint32_t count;
    struct drive at[DRIVES_MAX];
    struct drive_request *request;
    uint32_t requests_max, free;
    struct drive_list done;
    /* commands for which there was no request: answered BUSY */
    struct drive_done refused[ACTIONS_MAX];
    uint32_t refused_count;
};

/* Opens, locks and looks at one drive. 0, or -1 and a sentence. */
int drive_open_file(struct drive *drive, struct trace *trace, char *sentence,
                    size_t sentence_bytes);

#endif
