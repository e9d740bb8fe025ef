/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_DRIVES_H
#define SEGUE_IO_DRIVES_H

/* Drives: files and block devices, through io_uring. O_DIRECT where the file system takes it. Each
 * is locked for the life of the process (flock; the lock of a process that was killed stands until
 * its last request in the kernel is over, so no write of an earlier life lands under a later one).
 *
 * Blocks: a drive opened with O_DIRECT whose file system wants 4096-byte requests still takes
 * requests of 512: a read reads more and gives the piece; a write reads what surrounds it, and
 * while it runs no other write of this drive does, so that neighbours are not lost.
 */

#include "base/trace.h"
#include "command/actor.h"
#include "io/ring.h"
#include "io/signature.h"

struct drives;

enum { DRIVE_PATH_BYTES = 256, DRIVE_SERIAL_BYTES = 24 };

struct drive_open {
    const char *name; /* for people: "t0/07"; must outlive the drives */
    char path[DRIVE_PATH_BYTES];
    uint64_t create_bytes; /* made, sparse, of this size if it is not there; 0: never made */
    bool may_be_missing;   /* it was there in an earlier life: missing is offline, not an error */
    uint32_t owner;        /* comes back with each completion */
};

struct drive_facts {
    bool online, direct, is_block_device;
    uint64_t bytes;
    uint32_t block_bytes; /* smallest request without read-modify-write: 512 or 4096 */
    char serial[DRIVE_SERIAL_BYTES];
    char signature[SIGNATURE_BYTES]; /* of what lay there when it was opened; "": nothing */
};

/* `requests_max`: drive commands at a time. NULL: no memory. */
struct drives *drives_new(struct ring *ring, struct buffer_pool *buffers, uint32_t requests_max,
                          struct trace *trace);
void drives_free(struct drives *drives);
/* Opens and locks the next drive; waits up to 2 s for the lock of a process that is ending. Its
 * number (from 0 up), or -1 and a sentence. */
int drives_open(struct drives *drives, const struct drive_open *what, char *sentence,
                size_t sentence_bytes);
void drives_facts(const struct drives *drives, uint32_t drive, struct drive_facts *out);
/* The path that it was opened by. */
const char *drives_path(const struct drives *drives, uint32_t drive);
uint32_t drives_count(const struct drives *drives);

/* Begins what the ACTION_DRIVE says (its slot is not looked at; a fill without a pattern is of
 * zeroes); takes the data's reference over.
 */
void drives_submit(struct drives *drives, uint32_t drive, const struct action *action);
/* A completion RING_DRIVE. */
void drives_complete(struct drives *drives, const struct completion *completion);

struct drive_done {
    uint32_t owner;
    uint64_t tag;
    enum drive_status status;
    struct slice data; /* of a read; its reference is the taker's */
};
/* The next command that has ended; false: none now. */
bool drives_next(struct drives *drives, struct drive_done *out);

/* ---- put in and taken out while we run ---- */

/* What a look at the path has found (worker): the file is gone from there, or is there again. Found
 * gone twice, and idle, it is closed. */
void drives_found(struct drives *drives, uint32_t drive, bool present);
/* The descriptor, for that look; -1: offline. */
int drives_fd(const struct drives *drives, uint32_t drive);
/* On any thread: opens and locks what lies at the path now. Its descriptor, or -1. */
int drives_look(const char *path, struct drive_facts *facts);
/* That one takes the place of what the drive was. False: it still has requests under way, and the
 * descriptor stays the caller's. */
bool drives_seat(struct drives *drives, uint32_t drive, int fd, const struct drive_facts *facts);

struct drive_tray {
    uint32_t owner, drive;
    struct drive_facts facts; /* online: it is in; else it is out */
};
/* The next drive that was taken out or put in; false: none. */
bool drives_next_tray(struct drives *drives, struct drive_tray *out);

#endif
