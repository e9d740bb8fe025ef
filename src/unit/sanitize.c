/* SPDX-License-Identifier: Apache-2.0 */
/* SANITIZE is state of a volume: the device server says what comes next, the primary has it done,
 * piece by piece, and tells its members how far it is. Nothing else touches the volume meanwhile; a
 * command that asked to be answered at the end (IMMED=0) waits, and holds nobody up.
 *
 * Z1  the end is told in two steps: ENDING is brought to the drives with the group's state, then
 * the volume is free. A cold start that found the operation still running would go on with it, over
 *     what hosts have written since
 * Z2  nobody is let in before every member holds that the volume is free
 * Z3  one piece is under way, in the primary; the next one over begins it again
 */
#include "unit/state.h"

static uint64_t apply(struct unit *x, const uint8_t *effect, uint32_t length)
{
    struct entry entry = {.kind = ENTRY_EFFECT, .effect = effect, .effect_length = length};
    uint64_t index = stream_append(x, &entry);
    must(scsi_apply(x->scsi, 0, effect, length));
    return index;
}

static void tell(struct unit *x, uint16_t volume, enum scsi_sanitize_state state)
{
    uint8_t effect[EFFECT_MAX];
    uint32_t length = scsi_sanitize_become(volume, state, effect);
    x->state_version++;
    x->sanitize.volume = volume;
    x->sanitize.gate = apply(x, effect, length);
    static const char *const words[] = {
        [SANITIZE_NONE] = "is over",
        [SANITIZE_RUNNING] = "begins",
        [SANITIZE_ENDING] = "has written every block",
        [SANITIZE_FAILED] = "has failed: the drives did not take it",
    };
    trace_info(x->trace, "sanitizing volume %u %s", volume, words[state]);
}

/* ---- the work ---- */

static bool is_zero(const uint8_t *bytes, uint32_t length)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* Of a fill the pattern; zeroes are written out: a fill with them may be no more than a hole in the
 * file that a drive is. False: no buffer now. */
static bool prepare(struct unit *x, struct scsi_sanitize_piece *piece, struct array_io *io)
{
    uint32_t block = scsi_volume(x->scsi, piece->volume)->block_bytes;
    io->op = ARRAY_UNMAP;
    if (piece->unmap)
        return true;
    struct buffer *buffer = buffer_get(x->buffers, block);
    if (!buffer)
        return false;
    io->op = ARRAY_FILL;
    io->data = slice_of(buffer, 0, block);
    if (scsi_sanitize_pattern(x->scsi, piece->volume, buffer->data) &&
        !is_zero(buffer->data, block))
        return true;
    buffer_unref(buffer);
    if (piece->blocks > COMMAND_DATA_MAX / block)
        piece->blocks = COMMAND_DATA_MAX / block;
    buffer = buffer_get(x->buffers, piece->blocks * block);
    io->op = ARRAY_WRITE;
    io->data = slice_of(buffer, 0, piece->blocks * block);
    if (buffer)
        memset(buffer->data, 0, piece->blocks * block);
    return buffer != NULL;
}

static void begin_piece(struct unit *x, const struct scsi_sanitize_piece *next)
{
    struct array_io *io = &x->sanitize.io;
    struct scsi_sanitize_piece *piece = &x->sanitize.piece;
    *piece = *next;
    memset(io, 0, sizeof *io);
    if (!prepare(x, piece, io)) {
        io->data = slice_none();
        return;
    }
    io->volume = piece->volume;
    io->lba = piece->lba;
    io->blocks = piece->blocks;
    io->fua = true;
    x->sanitize.busy = true;
    array_submit(x->array, io);
}

bool sanitize_done(struct unit *x, const struct array_io *io)
{
    if (io != &x->sanitize.io)
        return false;
    const struct scsi_sanitize_piece *piece = &x->sanitize.piece;
    uint8_t effect[EFFECT_MAX];
    bool over;
    x->sanitize.busy = false;
    slice_drop(&x->sanitize.io.data);
    x->progress++;
    if (io->no_space || io->orphan || !scsi_volume(x->scsi, piece->volume))
        return true; /* again later; or its volume is no more */
    if (io->failed) {
        tell(x, piece->volume, SANITIZE_FAILED);
        return true;
    }
    uint32_t length = scsi_sanitize_effect(x->scsi, piece, &over, effect);
    if (over)
        tell(x, piece->volume, SANITIZE_ENDING);
    else
        apply(x, effect, length); /* no new state for the drives: it may begin again */
    return true;
}

/* Z1 */
static void end(struct unit *x, uint16_t volume)
{
    struct sanitizing *s = &x->sanitize;
    if (!s->ending) {
        s->ending = true;
        s->version = ++x->state_version; /* the drives' copy may be of another reign */
    }
    if (x->stored_version < s->version && !mutant(MUTANT_SANITIZE_END_UNSTORED)) {
        amend_store(x);
        return;
    }
    s->ending = false;
    tell(x, volume, SANITIZE_NONE);
}

/* Z2 */
static bool is_held(struct unit *x)
{
    struct sanitizing *s = &x->sanitize;
    if (s->gate == 0)
        return true;
    if (stream_complete(x) < (int64_t)s->gate)
        return false;
    s->gate = 0;
    run_kick(x, s->volume);
    return true;
}

void sanitize_advance(struct unit *x)
{
    struct scsi_sanitize_piece piece;
    if (!unit_primary(x) || !is_held(x) || x->sanitize.busy || x->handing != MODULE_NONE ||
        x->stopping || !scsi_sanitize_next(x->scsi, &piece))
        return;
    if (piece.ending)
        end(x, piece.volume);
    else
        begin_piece(x, &piece);
}

void sanitize_stop(struct unit *x)
{
    slice_drop(&x->sanitize.io.data);
    memset(&x->sanitize, 0, sizeof x->sanitize);
}

/* ---- commands ---- */

bool sanitize_bars(const struct unit *x, uint16_t volume)
{
    return x->sanitize.gate > 0 && x->sanitize.volume == volume &&
           stream_complete(x) < (int64_t)x->sanitize.gate;
}

bool sanitize_waits(struct unit *x, struct queued *q)
{
    uint16_t progress, volume = q->message.volume;
    const uint8_t *cdb = q->message.cdb;
    if (q->message.kind != COMMAND_SCSI || cdb[0] != 0x48 || q->status != 0)
        return false;
    enum scsi_sanitize_state state = scsi_sanitize_state(x->scsi, volume, &progress);
    bool runs = state == SANITIZE_RUNNING || state == SANITIZE_ENDING;
    if (cdb[1] & 0x80 && (cdb[1] & 0x1F) != 0x1F)
        runs = false; /* IMMED */
    if (q->unwanted)
        q->status = 0x40; /* TASK ABORTED; the operation goes on */
    if (!runs || x->quiescing || q->unwanted) {
        q->sanitizes = false;
        if (q->unwanted)
            return false;
        if (state == SANITIZE_FAILED || runs) { /* or the array stops, and it will go on then */
            q->status = 0x02;
            q->sense_length = scsi_sanitize_sense(x->scsi, volume, q->sense);
        }
        return false;
    }
    if (!q->sanitizes)
        amend_store(x);  /* so that a loss of power does not end it */
    q->sanitizes = true; /* nobody waits for it */
    q->extent = (struct extent){OVERLAP_NONE, 0, 0};
    run_block(x, q);
    return true;
}

void sanitize_withdrawn(struct unit *x, struct queued *q)
{
    q->unwanted = true;
    if (q->sanitizes)
        run_kick(x, q->message.volume);
}

uint32_t sanitize_waiting(const struct unit *x)
{
    uint32_t count = 0;
    list_each (&x->ordered, link, next)
        count += list_member(link, const struct queued, place_link)->sanitizes;
    return count;
}
