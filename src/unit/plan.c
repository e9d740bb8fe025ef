/* SPDX-License-Identifier: Apache-2.0 */
/* What the primary does with one command when its turn has come: asks the device server, then
 * answers, resolves, or goes to the mirror and the drives. docs/PROTOCOL.md, "Process", "Cache
 * modes". */
#include "array/manage.h"
#include "unit/state.h"

static void keep_plan(struct queued *q, const struct scsi_plan *plan)
{
    q->what = plan->what;
    q->lba = plan->lba;
    q->blocks = plan->blocks;
    q->pattern_offset = plan->pattern_offset;
    q->pattern_length = plan->pattern_length;
    q->ranges = plan->ranges;
    q->fua = plan->fua;
    q->compare = plan->compare;
    q->unmap = plan->unmap;
    q->allocation = plan->allocation;
    q->transferred = 0;
}

static void medium_error(struct queued *q, bool write)
{
    q->status = 0x02;
    q->sense_length =
        write ? scsi_sense(q->sense, 0x03, 0x0C, 0x00) : scsi_sense(q->sense, 0x03, 0x11, 0x00);
}

static bool mirrored_mode(const struct unit *x, const struct queued *q)
{
    const struct pool_info *pool = array_volume_pool(x->array, q->io_volume);
    bool mirrored =
        pool && (pool->cache == CACHE_MIRRORED || mutant(MUTANT_WRITE_THROUGH_MIRRORED));
    return mirrored && (!unit_lone(x) || mutant(MUTANT_LONE_MIRRORED));
}

static bool must_flush(const struct unit *x, const struct queued *q)
{
    bool lone = unit_lone(x) && mutant(MUTANT_LONE_UNFLUSHED);
    bool through = !mirrored_mode(x, q) && !lone && !mutant(MUTANT_WRITE_THROUGH_UNFLUSHED);
    return through || (q->fua && !mutant(MUTANT_FUA_UNFLUSHED));
}

/* Dirty data in the way: it is brought to the drives first. */
static bool waits_for_mirror(struct unit *x, struct queued *q)
{
    struct extent extent = {OVERLAP_WRITE, q->lba, q->blocks};
    if (!mirror_overlaps(x, q->message.volume, &extent) || mutant(MUTANT_WRITE_PASSES_MIRROR))
        return false;
    run_block(x, q);
    return true;
}

static void answer(struct unit *x, struct queued *q, const struct scsi_plan *plan)
{
    /* R7: whoever leads next may see it otherwise, and must not do what was refused. */
    bool refusal = plan->status != SCSI_STATUS_GOOD && !mutant(MUTANT_REFUSAL_UNRESOLVED);
    run_outcome(q, plan->status, plan);
    q->task_response = plan->task_response;
    q->transferred = plan->data_length;
    if (mutant(MUTANT_ATTENTION_UNRESOLVED) && plan->what == SCSI_RESOLVE && plan->status == 0x02) {
        effects_apply_bytes(x, &q->message.id, plan->effect, plan->effect_length);
    } else if (plan->drains && !mirror_flushed(x, q->message.volume, UINT64_MAX)) {
        run_block(x, q);
        return;
    } else if (plan->what == SCSI_RESOLVE || refusal) {
        run_resolve(x, q, plan->data, plan->data_length, plan->effect, plan->effect_length);
        return;
    }
    if (plan->data_length) {
        struct buffer *buffer = buffer_get(x->buffers, plan->data_length);
        if (!buffer) {
            run_block(x, q);
            return;
        }
        memcpy(buffer->data, plan->data, plan->data_length);
        q->reply = slice_of(buffer, 0, plan->data_length);
    }
    run_finish(x, q);
}

static void finish_good(struct unit *x, struct queued *q)
{
    run_outcome(q, 0, NULL);
    run_finish(x, q);
}

static void plan_read(struct unit *x, struct queued *q)
{
    struct extent extent = {OVERLAP_READ, q->lba, q->blocks};
    if (q->blocks == 0) {
        finish_good(x, q);
        return;
    }
    if (mirror_overlaps(x, q->message.volume, &extent) && !mutant(MUTANT_READ_PASSES_MIRROR)) {
        int covered = mirror_read(x, q->message.volume, &extent, &q->reply);
        if (covered != 1) {
            run_block(x, q); /* until what is dirty there is on the drives */
            return;
        }
        q->transferred = q->reply.length;
        finish_good(x, q);
        return;
    }
    run_io(x, q, ARRAY_READ, slice_none());
}

static void plan_write(struct unit *x, struct queued *q)
{
    const struct volume_info *info = scsi_volume(x->scsi, q->message.volume);
    bool room = x->dirty_bytes + q->data.length <= x->config.mirror_bytes &&
                x->dirty_count < MIRROR_WRITES_MAX;
    bool adopted = q->ordered_ns < x->epoch_began_ns;
    if (q->blocks == 0 || (adopted && mutant(MUTANT_ADOPTED_NOT_BEGUN))) {
        finish_good(x, q);
        return;
    }
    if ((!q->fua || mutant(MUTANT_FUA_MIRRORED)) && mirrored_mode(x, q) && room &&
        q->blocks == q->extent.blocks &&
        (uint64_t)q->blocks * info->block_bytes == q->data.length) {
        q->mirrored = true;
        finish_good(x, q);
        return;
    }
    if (waits_for_mirror(x, q))
        return;
    q->fua = must_flush(x, q);
    uint32_t length = q->blocks * info->block_bytes;
    must(length <= q->data.length);
    run_io(x, q, ARRAY_WRITE, slice_of(q->data.buffer, q->data.offset, length));
}

/* In every cache mode: the mirror could be half on the drives when the power goes. */
static void plan_write_atomic(struct unit *x, struct queued *q)
{
    const struct volume_info *info = scsi_volume(x->scsi, q->message.volume);
    if (q->blocks == 0) {
        finish_good(x, q);
        return;
    }
    if (waits_for_mirror(x, q))
        return;
    uint32_t length = q->blocks * info->block_bytes;
    must(length <= q->data.length);
    run_io(x, q, ARRAY_WRITE, slice_of(q->data.buffer, q->data.offset, length));
}

/* The next piece: a long fill makes progress. What is unmapped goes at once, by whole granules. */
static void fill_piece(struct unit *x, struct queued *q)
{
    enum { PIECE_BYTES = 64 << 20 };
    const struct volume_info *info = scsi_volume(x->scsi, q->message.volume);
    uint32_t most = info ? PIECE_BYTES / info->block_bytes : UINT32_MAX;
    struct slice pattern = slice_none();
    if (q->pattern_length)
        pattern = slice_of(q->data.buffer, q->data.offset + q->pattern_offset, q->pattern_length);
    q->blocks = q->unmap || q->fill_left < most ? q->fill_left : most;
    q->fill_left -= q->blocks;
    run_io(x, q, q->unmap ? ARRAY_UNMAP : ARRAY_FILL, pattern);
}

/* True: there is another piece. */
static bool fill_goes_on(struct unit *x, struct queued *q)
{
    if ((q->what != SCSI_FILL && q->what != SCSI_FILL_LIST) || q->fill_left == 0)
        return false;
    x->progress++;
    q->lba += q->blocks;
    fill_piece(x, q);
    return true;
}

static void fill(struct unit *x, struct queued *q)
{
    if (q->blocks == 0) {
        finish_good(x, q);
        return;
    }
    if (waits_for_mirror(x, q))
        return;
    q->fua = must_flush(x, q);
    q->fill_left = q->blocks;
    fill_piece(x, q);
}

static void fill_next(struct unit *x, struct queued *q)
{
    q->blocks = 0;
    while (q->range < q->ranges && q->blocks == 0)
        scsi_unmap_range(slice_bytes(q->data), q->range++, &q->lba, &q->blocks);
    q->pattern_length = 0;
    q->unmap = true;
    if (q->blocks)
        q->range--; /* again from here, should it have to wait */
    fill(x, q);
}

static void plan_flush(struct unit *x, struct queued *q)
{
    if (!mirror_flushed(x, q->message.volume, q->flush_number) &&
        !mutant(MUTANT_FLUSH_SKIPS_MIRROR)) {
        run_block(x, q);
        return;
    }
    q->lba = 0;
    q->blocks = 0;
    if (mutant(MUTANT_FLUSH_SKIPS_DRIVES)) {
        finish_good(x, q);
        return;
    }
    run_io(x, q, ARRAY_FLUSH, slice_none());
}

/* ---- EXTENDED COPY ---- */

static void copy_failed(struct unit *x, struct queued *q, uint8_t ascq)
{
    q->status = 0x02;
    q->sense_length = scsi_sense(q->sense, 0x0A, 0x0D, ascq);
    run_failed(x, q);
}

/* Dirty data of any volume in the way: it is brought to the drives first. */
static bool copy_waits(struct unit *x, struct queued *q, uint16_t volume, uint64_t lba)
{
    struct extent extent = {OVERLAP_WRITE, lba, q->blocks};
    if (!mirror_overlaps(x, volume, &extent))
        return false;
    run_block(x, q);
    return true;
}

/* The next piece: read, then written. */
static void copy_next(struct unit *x, struct queued *q)
{
    struct scsi_copy copy = {0};
    for (; q->range < q->ranges; q->range++, q->copied = 0) {
        if (!scsi_copy_segment(x->scsi, slice_bytes(q->data), q->data.length, q->range, &copy)) {
            copy_failed(x, q, 0x02);
            return;
        }
        if (q->copied < copy.bytes)
            break;
    }
    if (q->range == q->ranges) {
        run_copied(x, q);
        return;
    }
    uint32_t from_bytes = scsi_volume(x->scsi, copy.from)->block_bytes;
    uint32_t to_bytes = scsi_volume(x->scsi, copy.to)->block_bytes, left = copy.bytes - q->copied;
    q->piece = left < COMMAND_DATA_MAX ? left : COMMAND_DATA_MAX;
    q->lba = copy.to_lba + q->copied / to_bytes;
    q->blocks = q->piece / to_bytes;
    if (copy_waits(x, q, copy.to, q->lba))
        return;
    if (q->work.buffer) {
        q->io_volume = copy.to;
        q->fua = must_flush(x, q);
        run_io(x, q, ARRAY_WRITE, q->work);
        return;
    }
    q->lba = copy.from_lba + q->copied / from_bytes;
    q->blocks = q->piece / from_bytes;
    q->io_volume = copy.from;
    if (!copy_waits(x, q, copy.from, q->lba))
        run_io(x, q, ARRAY_READ, slice_none());
}

static void copied(struct unit *x, struct queued *q)
{
    if (q->io.op == ARRAY_READ) {
        q->work = q->io.data;
    } else {
        slice_drop(&q->work);
        q->copied += q->piece;
    }
    x->progress++;
    copy_next(x, q);
}

void plan_command(struct unit *x, struct queued *q)
{
    struct scsi_plan *plan = &x->plan;
    if (q->planned && q->what == SCSI_FLUSH) { /* its terms are those of its first turn */
        plan_flush(x, q);
        return;
    }
    if (q->planned && q->what == SCSI_FILL_LIST && q->range > 0) {
        fill_next(x, q);
        return;
    }
    if (q->planned && q->what == SCSI_COPY) {
        copy_next(x, q);
        return;
    }
    if (q->planned && q->again) {
        plan_write(x, q);
        return;
    }
    memset(plan, 0, offsetof(struct scsi_plan, effect));
    plan->data = x->plan_data;
    plan->answered = q->rerun && !mutant(MUTANT_ATTENTION_INSTEAD_OF_DATA);
    scsi_plan(x->scsi, &q->message, slice_bytes(q->data), q->data.length, plan);
    keep_plan(q, plan);
    q->planned = true;
    q->flush_number = x->dirty_numbers;
    switch (plan->what) {
    case SCSI_RESPOND:
    case SCSI_RESOLVE:
        answer(x, q, plan);
        break;
    case SCSI_READ:
        plan_read(x, q);
        break;
    case SCSI_WRITE:
        plan_write(x, q);
        break;
    case SCSI_WRITE_ATOMIC:
        plan_write_atomic(x, q);
        break;
    case SCSI_FILL:
        fill(x, q);
        break;
    case SCSI_FILL_LIST:
        q->range = 0;
        fill_next(x, q);
        break;
    case SCSI_COMPARE_WRITE:
    case SCSI_OR_WRITE:
    case SCSI_VERIFY:
        if (q->blocks == 0)
            finish_good(x, q);
        else if (!waits_for_mirror(x, q))
            run_io(x, q, ARRAY_READ, slice_none());
        break;
    case SCSI_COPY:
        q->range = q->copied = 0;
        copy_next(x, q);
        break;
    case SCSI_LBA_STATUS:
        run_io(x, q, ARRAY_READ, slice_none()); /* of nothing: the map is known when it ends */
        break;
    case SCSI_FLUSH:
        plan_flush(x, q);
        break;
    }
}

/* The granules of what is done and not on the drives count as mapped: they will be. */
static void lba_status(struct unit *x, struct queued *q)
{
    const struct volume_info *info = scsi_volume(x->scsi, q->message.volume);
    struct scsi_plan *plan = &x->plan;
    memset(plan, 0, offsetof(struct scsi_plan, effect));
    plan->data = x->plan_data;
    scsi_lba_status_begin(plan);
    uint64_t lba = q->lba, granule = info && info->granule_blocks ? info->granule_blocks : 1;
    bool room = true;
    while (room && info && lba < info->blocks) {
        bool mapped;
        uint64_t blocks = array_mapped(x->array, q->message.volume, lba, &mapped);
        struct extent dirty, extent = {OVERLAP_READ, lba / granule * granule, 0};
        extent.blocks = lba + blocks - extent.lba;
        if (!mapped && mirror_first(x, q->message.volume, &extent, &dirty)) {
            uint64_t first = dirty.lba / granule * granule;
            uint64_t end = ((dirty.lba + dirty.blocks - 1) / granule + 1) * granule;
            mapped = first <= lba;
            if ((mapped ? end : first) - lba < blocks)
                blocks = (mapped ? end : first) - lba;
        }
        room = scsi_lba_status_add(plan, lba, blocks, mapped);
        lba += blocks;
    }
    scsi_lba_status_end(plan, q->allocation);
    answer(x, q, plan);
}

/* COMPARE AND WRITE: the outcome is resolved before anything is written; VERIFY: it is the answer.
 */
static void compared(struct unit *x, struct queued *q)
{
    struct scsi_plan asked = {
        .what = q->what, .lba = q->lba, .blocks = q->blocks, .compare = q->compare};
    struct scsi_plan *plan = &x->compared_plan;
    memset(plan, 0, offsetof(struct scsi_plan, effect));
    bool equal = true;
    if (q->what == SCSI_COMPARE_WRITE || q->compare)
        equal = scsi_compare(&asked, slice_bytes(q->data), slice_bytes(q->io.data),
                             q->io.data.length, plan);
    slice_drop(&q->io.data);
    run_outcome(q, equal ? 0 : plan->status, plan);
    if (q->what == SCSI_COMPARE_WRITE)
        run_resolve(x, q, NULL, 0, NULL, 0);
    else
        run_finish(x, q);
}

/* ORWRITE has read: what is there, and the host's ones, is written. */
static void ored(struct unit *x, struct queued *q)
{
    q->work = q->io.data;
    q->fua = must_flush(x, q);
    scsi_or(slice_bytes(q->data), slice_bytes(q->work), q->work.length);
    run_io(x, q, ARRAY_WRITE, q->work);
}

/* K6: whoever led before may have acknowledged this write when every member held it. It is kept,
 * and tried again, as it would be in the mirror. */
static bool may_be_acknowledged(const struct unit *x, const struct queued *q)
{
    const struct pool_info *pool = array_volume_pool(x->array, q->io_volume);
    return pool && pool->cache == CACHE_MIRRORED && q->what == SCSI_WRITE &&
           q->order <= x->adopted_order && !mutant(MUTANT_ADOPTED_WRITE_GIVEN_UP);
}

static void try_again(struct unit *x, struct queued *q)
{
    trace_error(
        x->trace,
        "order %llu, perhaps acknowledged, is not on drives: too few of them take it; it is "
        "kept and tried again",
        (unsigned long long)q->order);
    q->again = true;
    run_block(x, q); /* until run_retry() */
}

/* Its array work has ended. */
void plan_drives_done(struct unit *x, struct queued *q)
{
    bool write = q->io.op != ARRAY_READ;
    must(q->phase == RUN_DRIVES);
    if (q->io.no_space) {
        slice_drop(&q->work);
        run_block(x, q);
        run_kick(x, q->message.volume);
        return;
    }
    if (q->io.failed && may_be_acknowledged(x, q)) {
        try_again(x, q);
        return;
    }
    if (q->io.failed && q->what == SCSI_COPY) {
        copy_failed(x, q, 0x01);
        return;
    }
    if (q->io.failed) {
        medium_error(q, write);
        run_failed(x, q);
        return;
    }
    if (unit_needs_flush(x, q)) { /* it went lone meanwhile: flushed, then answered */
        run_io(x, q, ARRAY_FLUSH, slice_none());
        return;
    }
    if (fill_goes_on(x, q))
        return;
    if (q->what == SCSI_COPY) {
        copied(x, q);
    } else if (q->what == SCSI_LBA_STATUS) {
        lba_status(x, q);
    } else if (q->what == SCSI_READ) {
        q->reply = q->io.data;
        q->transferred = q->reply.length;
        finish_good(x, q);
    } else if (!write && q->what == SCSI_OR_WRITE) {
        ored(x, q);
    } else if (!write) {
        compared(x, q);
    } else if (q->what == SCSI_FILL_LIST && ++q->range < q->ranges) {
        fill_next(x, q);
    } else {
        finish_good(x, q);
    }
}

/* ---- management commands ---- */

static void manage_refuse(struct unit *x, struct queued *q, const char *sentence)
{
    uint32_t length = (uint32_t)strlen(sentence);
    q->status = 0x02;
    q->sense_length = scsi_sense(q->sense, 0x05, 0x24, 0x00);
    q->transferred = length;
    run_resolve(x, q, (const uint8_t *)sentence, length, NULL, 0);
}

static const char *plan_move(struct unit *x, const struct manage_request *request)
{
    if (members_find_module(&x->record.in_sync, request->module) < 0)
        return "that unit is not in sync; wait until segue status says so";
    x->move_wanted = request->module;
    return NULL;
}

static const char *plan_fail(struct unit *x, const struct manage_request *request)
{
    struct drive_info info;
    if (request->drive >= DRIVE_MAX || !array_drive_known(x->array, request->drive, &info))
        return "there is no such drive; segue status lists the drives";
    if (!array_can_fail(x->array, request->drive))
        return "a pool would lose data without that drive; wait until the others are good";
    amend_drive(x, request->drive, DRIVE_STATE_FAILED);
    return NULL;
}

void plan_manage(struct unit *x, struct queued *q)
{
    struct manage_request request;
    static const char malformed[] = "this release does not know that request; upgrade the array";
    uint8_t *effect = x->plan.effect;
    uint32_t length = 0;
    char sentence[256] = "";
    const char *why = NULL;
    run_outcome(q, 0, NULL);
    if (!manage_decode(slice_bytes(q->data), q->data.length, &request)) {
        manage_refuse(x, q, malformed);
        return;
    }
    if (effects_is_directory(&request))
        effects_plan_directory(x, &request, effect, &length, &why);
    else if (request.verb == MANAGE_GROUP_MOVE)
        why = plan_move(x, &request);
    else if (request.verb == MANAGE_DRIVE_FAIL)
        why = plan_fail(x, &request);
    else if (!array_plan(x->array, slice_bytes(q->data), q->data.length, effect, &length, sentence,
                         sizeof sentence))
        why = sentence;
    if (why) {
        manage_refuse(x, q, why);
        return;
    }
    char text[128] = "";
    if (length && effect[0] == 2)
        array_effect_text(effect, length, text, sizeof text);
    q->transferred = (uint32_t)strlen(text);
    run_resolve(x, q, (const uint8_t *)text, q->transferred, effect, length);
}

void plan_manage_resolved(struct unit *x, struct queued *q)
{
    const uint8_t *effect = queued_effect(q);
    if (q->effect_length == 0) {
        run_finish(x, q);
        return;
    }
    q->phase = RUN_CARRYING;
    run_release_barrier(x, q);
    if (effect[0] == 2)
        array_carry_out(x->array, effect, q->effect_length, (uint64_t)(q - x->table));
    else
        run_carried(x, (uint64_t)(q - x->table), false);
}
