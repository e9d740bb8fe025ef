/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of drives. Each is cut into pieces (only fills have more than one); a piece is one
 * request to the kernel, repeated for what the kernel left over:
 *
 *   read   READING -> DONE
 *   write  [WAITING ->] [FETCHING ->] WRITING -> DONE
 *   fill   [WAITING ->] PUNCHING, or for each piece [FETCHING ->] WRITING; [FLUSHING ->] DONE
 *   flush  FLUSHING -> DONE
 *
 * D1  While a command that FETCHes runs, no other write or fill of its drive does.
 * D2  Writes and fills of a drive that wait begin in the order in which they came.
 * D3  Memory that the kernel was given stays referenced until the completion has come.
 * D4  A drive without O_DIRECT of which one flush has failed does nothing any more.
 */
#include "io/drives.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "io/drives_state.h"

enum { FILL_PIECE_BYTES = 256 << 10, PUNCH_ALIGN = 4096 };

struct drives *drives_new(struct ring *ring, struct buffer_pool *buffers, uint32_t requests_max,
                          struct trace *trace)
{
    struct drives *drives = calloc(1, sizeof *drives);
    if (!drives)
        return NULL;
    drives->request = calloc(requests_max, sizeof *drives->request);
    if (!drives->request) {
        free(drives);
        return NULL;
    }
    drives->ring = ring;
    drives->buffers = buffers;
    drives->trace = trace;
    drives->requests_max = requests_max;
    for (uint32_t i = 0; i < requests_max; i++)
        drives->request[i].next = i + 1 < requests_max ? i + 1 : DRIVE_REQUEST_NONE;
    drives->free = requests_max ? 0 : DRIVE_REQUEST_NONE;
    drives->done.first = DRIVE_REQUEST_NONE;
    return drives;
}

void drives_free(struct drives *drives)
{
    for (uint32_t i = 0; i < drives->count; i++)
        if (drives->at[i].fd >= 0)
            close(drives->at[i].fd);
    for (uint32_t i = 0; i < drives->requests_max; i++) {
        buffer_unref(drives->request[i].data.buffer);
        buffer_unref(drives->request[i].memory);
    }
    free(drives->request);
    free(drives);
}

int drives_open(struct drives *drives, const struct drive_open *what, char *sentence,
                size_t sentence_bytes)
{
    must(drives->count < DRIVES_MAX);
    struct drive *drive = &drives->at[drives->count];
    drive->open = *what;
    drive->waiting.first = DRIVE_REQUEST_NONE;
    if (drive_open_file(drive, drives->trace, sentence, sentence_bytes))
        return -1;
    return (int)drives->count++;
}

void drives_facts(const struct drives *drives, uint32_t drive, struct drive_facts *out)
{
    must(drive < drives->count);
    *out = drives->at[drive].facts;
    out->online =
        drives->at[drive].fd >= 0 && !drives->at[drive].absent && !drives->at[drive].lossy;
}

const char *drives_path(const struct drives *drives, uint32_t drive)
{
    return drives->at[drive].open.path;
}

uint32_t drives_count(const struct drives *drives)
{
    return drives->count;
}

int drives_fd(const struct drives *drives, uint32_t drive)
{
    return drives->at[drive].fd;
}

void drives_found(struct drives *drives, uint32_t index, bool present)
{
    struct drive *drive = &drives->at[index];
    if (!present && drive->absent && drive->under_way == 0 && drive->fd >= 0) {
        close(drive->fd); /* its lock would keep another slot from that file */
        drive->fd = -1;
    }
    if (drive->absent == !present)
        return;
    drive->absent = !present;
    drive->moved = true;
    if (present)
        trace_warn(drives->trace, "drive %s: %s is there again", drive->open.name,
                   drive->open.path);
    else
        trace_error(drives->trace, "drive %s: %s has vanished; its commands fail from now on",
                    drive->open.name, drive->open.path);
}

bool drives_seat(struct drives *drives, uint32_t index, int fd, const struct drive_facts *facts)
{
    struct drive *drive = &drives->at[index];
    if (drive->under_way > 0)
        return false;
    must(drive->writes == 0 && drive->waiting.first == DRIVE_REQUEST_NONE);
    if (drive->fd >= 0)
        close(drive->fd);
    drive->fd = fd;
    drive->facts = *facts;
    drive->absent = drive->lossy = drive->no_punch = drive->said = false;
    drive->moved = true;
    trace_warn(drives->trace, "drive %s: %s was put in", drive->open.name, drive->open.path);
    return true;
}

bool drives_next_tray(struct drives *drives, struct drive_tray *out)
{
    for (uint32_t i = 0; i < drives->count; i++) {
        struct drive *drive = &drives->at[i];
        if (!drive->moved)
            continue;
        drive->moved = false;
        out->owner = drive->open.owner;
        out->drive = i;
        drives_facts(drives, i, &out->facts);
        return true;
    }
    return false;
}

/* ---- lists of requests ---- */

static void append(struct drives *drives, struct drive_list *list, struct drive_request *r)
{
    uint32_t index = (uint32_t)(r - drives->request);
    r->next = DRIVE_REQUEST_NONE;
    if (list->first == DRIVE_REQUEST_NONE)
        list->first = index;
    else
        drives->request[list->last].next = index;
    list->last = index;
}

static struct drive_request *take_first(struct drives *drives, struct drive_list *list)
{
    if (list->first == DRIVE_REQUEST_NONE)
        return NULL;
    struct drive_request *r = &drives->request[list->first];
    list->first = r->next;
    return r;
}

/* ---- ending ---- */

/* What the kernel says of a request -> what the asker is told. */
static const struct {
    int error;
    enum drive_status status;
} error_statuses[] = {
    {EIO, DRIVE_MEDIUM_ERROR},
    {ENODATA, DRIVE_MEDIUM_ERROR},
    {EILSEQ, DRIVE_MEDIUM_ERROR},
    {ENOSPC, DRIVE_MEDIUM_ERROR},
    {EDQUOT, DRIVE_MEDIUM_ERROR},
    {EFBIG, DRIVE_MEDIUM_ERROR},
    {EREMOTEIO, DRIVE_MEDIUM_ERROR},
    {EROFS, DRIVE_MEDIUM_ERROR},
    {ENXIO, DRIVE_GONE},
    {ENODEV, DRIVE_GONE},
    {ESHUTDOWN, DRIVE_GONE},
    {ESTALE, DRIVE_GONE},
    {EBADF, DRIVE_GONE},
    {ENOMEM, DRIVE_BUSY},
    {ENOBUFS, DRIVE_BUSY},
};

static enum drive_status status_of_error(int error)
{
    for (size_t i = 0; i < sizeof error_statuses / sizeof error_statuses[0]; i++)
        if (error_statuses[i].error == error)
            return error_statuses[i].status;
    return DRIVE_MEDIUM_ERROR;
}

static void start_waiting(struct drives *drives, struct drive *drive);

static void finish(struct drives *drives, struct drive_request *r, enum drive_status status)
{
    struct drive *drive = &drives->at[r->drive];
    drive->under_way--;
    r->status = drive->absent || drive->lossy ? DRIVE_GONE : status;
    if (r->status != DRIVE_OK && r->status != DRIVE_BUSY)
        drive->errors++;
    else
        drive->said = false;
    slice_drop(&r->data);
    if (r->memory && (r->op != DRIVE_READ || r->status != DRIVE_OK)) {
        buffer_unref(r->memory);
        r->memory = NULL;
    }
    bool was_counted = r->counted;
    r->phase = DRIVE_PHASE_DONE;
    r->counted = false;
    append(drives, &drives->done, r);
    if (was_counted) {
        drive->writes--;
        drive->alone = false;
        start_waiting(drives, drive);
    }
}

static void fail(struct drives *drives, struct drive_request *r, int error)
{
    static const char *const words[] = {"read", "write", "fill", "flush"};
    struct drive *drive = &drives->at[r->drive];
    if (!drive->said)
        trace_warn(drives->trace, "drive %s: %s of %u bytes at %llu failed: %s", drive->open.name,
                   words[r->op], r->length, (unsigned long long)r->offset, strerror(error));
    drive->said = true;
    enum drive_status status = status_of_error(error);
    finish(drives, r, status);
}

bool drives_next(struct drives *drives, struct drive_done *out)
{
    if (drives->refused_count) {
        *out = drives->refused[--drives->refused_count];
        return true;
    }
    struct drive_request *r = take_first(drives, &drives->done);
    if (!r)
        return false;
    out->owner = drives->at[r->drive].open.owner;
    out->tag = r->tag;
    out->status = r->status;
    out->data = slice_none();
    if (r->memory) /* a read may have begun before the blocks that were asked for */
        out->data = slice_of(r->memory, (uint32_t)(r->offset - r->io_offset), r->length);
    r->memory = NULL;
    r->next = drives->free;
    drives->free = (uint32_t)(r - drives->request);
    return true;
}

/* ---- requests to the kernel ---- */

static void ask(struct drives *drives, struct drive_request *r, enum drive_phase phase)
{
    struct drive *drive = &drives->at[r->drive];
    struct io_uring_sqe *request = ring_request(drives->ring);
    uint8_t *bytes = r->bytes ? r->bytes + r->io_done : NULL; /* a flush has none */
    uint32_t length = r->io_length - r->io_done;
    uint64_t offset = r->io_offset + r->io_done;
    r->phase = phase;
    if (phase == DRIVE_PHASE_FLUSHING) {
        io_uring_prep_fsync(request, drive->fd, IORING_FSYNC_DATASYNC);
    } else if (phase == DRIVE_PHASE_PUNCHING) {
        int mode = drive->facts.is_block_device ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
        io_uring_prep_fallocate(request, drive->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)r->offset,
                                (off_t)r->length);
    } else if (phase == DRIVE_PHASE_WRITING) {
        io_uring_prep_write(request, drive->fd, bytes, length, offset);
        request->rw_flags = r->fua && r->op == DRIVE_WRITE ? RWF_DSYNC : 0;
    } else {
        io_uring_prep_read(request, drive->fd, bytes, length, offset);
    }
    ring_tag(request, RING_DRIVE, (uint32_t)(r - drives->request));
}

/* ---- pieces ---- */

static bool is_aligned(const struct drive *drive, uint64_t offset, uint32_t length)
{
    return !drive->facts.direct || (offset | length) % drive->facts.block_bytes == 0;
}

/* The piece's bytes in whole blocks of the drive, in memory of our own. */
static bool take_memory(struct drives *drives, struct drive_request *r, uint64_t offset,
                        uint32_t length)
{
    const struct drive_facts *facts = &drives->at[r->drive].facts;
    uint32_t block = facts->direct ? facts->block_bytes : 1;
    r->io_offset = offset - offset % block;
    uint64_t end = offset + length;
    r->io_length = (uint32_t)((end + block - 1) / block * block - r->io_offset);
    r->io_done = 0;
    if (r->memory && r->memory->capacity < r->io_length) {
        buffer_unref(r->memory);
        r->memory = NULL;
    }
    if (!r->memory)
        r->memory = buffer_get(drives->buffers, r->io_length);
    r->bytes = r->memory ? r->memory->data : NULL;
    return r->memory != NULL;
}

static void start_read(struct drives *drives, struct drive_request *r)
{
    if (take_memory(drives, r, r->offset, r->length))
        ask(drives, r, DRIVE_PHASE_READING);
    else
        finish(drives, r, DRIVE_BUSY);
}

/* Lays the command's bytes of this piece over the piece's memory. */
static void lay_over(struct drive_request *r)
{
    uint8_t *to = r->bytes + (r->offset + r->done - r->io_offset);
    const uint8_t *from = slice_bytes(r->data);
    if (r->op == DRIVE_WRITE) {
        memcpy(to, from, r->part);
        return;
    }
    if (r->data.length == 0) { /* a fill without a pattern: zeroes */
        memset(to, 0, r->part);
        return;
    }
    for (uint32_t at = 0; at < r->part;) {
        uint32_t phase = (r->done + at) % r->data.length;
        uint32_t length = r->data.length - phase;
        if (length > r->part - at)
            length = r->part - at;
        memcpy(to + at, from + phase, length);
        at += length;
    }
}

/* How much of a fill one piece takes: pieces after the first begin on a block. */
static uint32_t part_of(const struct drive_request *r)
{
    uint32_t left = r->length - r->done;
    if (r->op == DRIVE_WRITE)
        return left;
    uint32_t whole = (uint32_t)(FILL_PIECE_BYTES - (r->offset + r->done) % FILL_PIECE_BYTES);
    return left < whole ? left : whole;
}

static void start_piece(struct drives *drives, struct drive_request *r)
{
    const struct drive *drive = &drives->at[r->drive];
    uint64_t offset = r->offset + r->done;
    r->part = part_of(r);
    bool aligned = is_aligned(drive, offset, r->part);
    uint8_t *given = slice_bytes(r->data);
    uintptr_t memory_align = drive->facts.direct ? drive->facts.block_bytes : 1;
    if (r->op == DRIVE_WRITE && aligned && (uintptr_t)given % memory_align == 0) {
        r->bytes = given;
        r->io_offset = offset;
        r->io_length = r->part;
        r->io_done = 0;
        ask(drives, r, DRIVE_PHASE_WRITING);
        return;
    }
    if (!take_memory(drives, r, offset, r->part)) {
        finish(drives, r, DRIVE_BUSY);
        return;
    }
    if (!aligned) {
        ask(drives, r, DRIVE_PHASE_FETCHING);
        return;
    }
    lay_over(r);
    ask(drives, r, DRIVE_PHASE_WRITING);
}

static bool is_zero(struct slice pattern)
{
    const uint8_t *bytes = slice_bytes(pattern);
    return pattern.length == 0 ||
           (bytes[0] == 0 && memcmp(bytes, bytes + 1, pattern.length - 1) == 0);
}

static void start_write(struct drives *drives, struct drive_request *r)
{
    const struct drive *drive = &drives->at[r->drive];
    if (r->op == DRIVE_FILL && !drive->no_punch && (r->offset | r->length) % PUNCH_ALIGN == 0 &&
        is_zero(r->data))
        ask(drives, r, DRIVE_PHASE_PUNCHING);
    else
        start_piece(drives, r);
}

/* ---- who may write now ---- */

static bool may_start(const struct drive *drive, const struct drive_request *r)
{
    if (drive->alone)
        return false;
    return is_aligned(drive, r->offset, r->length) || drive->writes == 0;
}

static void count_in(struct drives *drives, struct drive *drive, struct drive_request *r)
{
    r->counted = true;
    drive->writes++;
    drive->alone = !is_aligned(drive, r->offset, r->length);
    start_write(drives, r);
}

static void start_waiting(struct drives *drives, struct drive *drive)
{
    while (drive->waiting.first != DRIVE_REQUEST_NONE &&
           may_start(drive, &drives->request[drive->waiting.first]))
        count_in(drives, drive, take_first(drives, &drive->waiting));
}

/* ---- commands ---- */

static bool is_sound(const struct drive *drive, const struct action *action)
{
    uint64_t offset = action->drive.offset, length = action->drive.length;
    const struct slice *data = &action->drive.data;
    switch ((enum drive_op)action->drive.op) {
    case DRIVE_FLUSH:
        return true;
    case DRIVE_READ:
        break;
    case DRIVE_WRITE:
        if (data->length != length)
            return false;
        break;
    case DRIVE_FILL:
        if (data->length != 0 && data->length != 512 && data->length != 4096)
            return false;
        break;
    }
    if (action->drive.op != DRIVE_FILL && length > BUFFER_MAX)
        return false;
    return length > 0 && (offset | length) % 512 == 0 && offset <= drive->facts.bytes &&
           length <= drive->facts.bytes - offset;
}

static void start(struct drives *drives, struct drive *drive, struct drive_request *r)
{
    switch ((enum drive_op)r->op) {
    case DRIVE_READ:
        start_read(drives, r);
        return;
    case DRIVE_FLUSH:
        ask(drives, r, DRIVE_PHASE_FLUSHING);
        return;
    case DRIVE_WRITE:
    case DRIVE_FILL:
        r->phase = DRIVE_PHASE_WAITING;
        if (drive->waiting.first != DRIVE_REQUEST_NONE || !may_start(drive, r))
            append(drives, &drive->waiting, r);
        else
            count_in(drives, drive, r);
        return;
    }
}

void drives_submit(struct drives *drives, uint32_t index, const struct action *action)
{
    must(index < drives->count);
    struct drive *drive = &drives->at[index];
    struct slice data = action->drive.data;
    if (drives->free == DRIVE_REQUEST_NONE) {
        slice_drop(&data);
        must(drives->refused_count < ACTIONS_MAX);
        drives->refused[drives->refused_count++] = (struct drive_done){
            .owner = drive->open.owner, .tag = action->drive.tag, .status = DRIVE_BUSY};
        return;
    }
    struct drive_request *r = &drives->request[drives->free];
    drives->free = r->next;
    *r = (struct drive_request){
        .drive = index,
        .op = action->drive.op,
        .fua = action->drive.fua,
        .tag = action->drive.tag,
        .offset = action->drive.offset,
        .length = action->drive.length,
        .data = data,
    };
    drive->under_way++;
    if (drive->fd < 0 || drive->absent || drive->lossy)
        finish(drives, r, DRIVE_GONE);
    else if (!is_sound(drive, action))
        fail(drives, r, EINVAL);
    else
        start(drives, drive, r);
}

/* ---- completions ---- */

static void piece_over(struct drives *drives, struct drive_request *r)
{
    r->done += r->part;
    if (r->done < r->length)
        start_piece(drives, r);
    else if (r->op == DRIVE_FILL && r->fua)
        ask(drives, r, DRIVE_PHASE_FLUSHING);
    else
        finish(drives, r, DRIVE_OK);
}

static void bytes_moved(struct drives *drives, struct drive_request *r)
{
    enum drive_phase phase = r->phase;
    if (r->io_done < r->io_length) {
        ask(drives, r, phase);
    } else if (phase == DRIVE_PHASE_READING) {
        finish(drives, r, DRIVE_OK);
    } else if (phase == DRIVE_PHASE_FETCHING) {
        lay_over(r);
        r->io_done = 0;
        ask(drives, r, DRIVE_PHASE_WRITING);
    } else {
        piece_over(drives, r);
    }
}

static void not_punched(struct drives *drives, struct drive_request *r)
{
    drives->at[r->drive].no_punch = true;
    start_piece(drives, r);
}

/* The page cache forgets what it could not write, and tells it once: a later flush would be a lie.
 */
static void note_loss(struct drives *drives, const struct drive_request *r)
{
    struct drive *drive = &drives->at[r->drive];
    bool durable = r->phase == DRIVE_PHASE_FLUSHING || (r->phase == DRIVE_PHASE_WRITING && r->fua);
    if (!durable || drive->facts.direct || drive->lossy)
        return;
    drive->lossy = true;
    trace_error(drives->trace,
                "drive %s: what was written may be lost; its commands fail from now on",
                drive->open.name);
}

static bool is_retryable(int result)
{
    return result == -EAGAIN || result == -EINTR;
}

void drives_complete(struct drives *drives, const struct completion *c)
{
    struct drive_request *r = &drives->request[c->index];
    enum drive_phase phase = r->phase;
    if (is_retryable(c->result)) {
        ask(drives, r, phase);
        return;
    }
    if (phase == DRIVE_PHASE_PUNCHING &&
        (c->result == -EOPNOTSUPP || c->result == -ENOSYS || c->result == -EINVAL)) {
        not_punched(drives, r);
        return;
    }
    if (c->result < 0) {
        note_loss(drives, r);
        fail(drives, r, -c->result);
        return;
    }
    if (phase == DRIVE_PHASE_FLUSHING) {
        finish(drives, r, DRIVE_OK);
    } else if (phase == DRIVE_PHASE_PUNCHING) {
        r->part = r->length;
        piece_over(drives, r);
    } else if (c->result == 0) {
        fail(drives, r, EIO); /* the file ends before its size at the start */
    } else {
        r->io_done += (uint32_t)c->result;
        bytes_moved(drives, r);
    }
}
