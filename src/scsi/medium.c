/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/medium.h"

#include "base/bytes.h"

uint32_t medium_transfer_max(const struct volume_info *info)
{
    return COMMAND_DATA_MAX / info->block_bytes;
}

uint32_t medium_compare_max(const struct volume_info *info)
{
    uint32_t blocks = COMMAND_DATA_MAX / (2 * info->block_bytes);
    return blocks < UINT8_MAX ? blocks : UINT8_MAX; /* the field has one byte */
}

uint32_t medium_same_max(const struct volume_info *info)
{
    (void)info;
    return MEDIUM_SAME_BLOCKS_MAX;
}

uint32_t medium_unmap_max(const struct volume_info *info)
{
    return MEDIUM_UNMAP_BYTES_MAX / info->block_bytes;
}

/* What the CDB says; `rest`: the number of blocks is 0 and means up to the end. */
static void range_decode(enum opcode_range range, const uint8_t *cdb, uint64_t *lba,
                         uint64_t *blocks, bool *rest)
{
    *rest = false;
    *lba = *blocks = 0;
    switch (range) {
    case RANGE_NONE:
    case RANGE_WHOLE:
        return;
    case RANGE_CDB6:
        *lba = be24_at(cdb + 1) & 0x1FFFFF;
        *blocks = cdb[4] ? cdb[4] : 256;
        return;
    case RANGE_REST10:
        *rest = be16_at(cdb + 7) == 0;
        /* fallthrough */
    case RANGE_CDB10:
        *lba = be32_at(cdb + 2);
        *blocks = be16_at(cdb + 7);
        return;
    case RANGE_CDB12:
        *lba = be32_at(cdb + 2);
        *blocks = be32_at(cdb + 6);
        return;
    case RANGE_REST16:
        *rest = be32_at(cdb + 10) == 0;
        /* fallthrough */
    case RANGE_CDB16:
        *lba = be64_at(cdb + 2);
        *blocks = be32_at(cdb + 10);
        return;
    case RANGE_COMPARE:
        *lba = be64_at(cdb + 2);
        *blocks = cdb[13];
        return;
    case RANGE_ATOMIC:
        *lba = be64_at(cdb + 2);
        *blocks = be16_at(cdb + 12);
        return;
    case RANGE_LBA16:
        *lba = be64_at(cdb + 2);
        *blocks = 1;
        return;
    }
}

bool medium_range(const struct opcode *o, const uint8_t *cdb, const struct volume_info *info,
                  uint64_t *lba, uint64_t *blocks)
{
    bool rest;
    range_decode(o->range, cdb, lba, blocks, &rest);
    if (*lba > info->blocks || *blocks > info->blocks - *lba)
        return false;
    if (rest)
        *blocks = info->blocks - *lba;
    return true;
}

static bool medium_within_limit(const struct scsi_request *r)
{
    bool rest;
    uint64_t lba, blocks;
    range_decode(r->opcode->range, r->command->cdb, &lba, &blocks, &rest);
    switch (r->opcode->limit) {
    case LIMIT_NONE:
        return true;
    case LIMIT_TRANSFER:
        return blocks <= medium_transfer_max(r->info);
    case LIMIT_COMPARE:
        return blocks <= medium_compare_max(r->info);
    case LIMIT_SAME:
        return blocks <= medium_same_max(r->info);
    case LIMIT_ATOMIC:
        return blocks <= r->info->atomic_blocks;
    }
    return false;
}

enum sense_code medium_check(struct scsi_request *r)
{
    if (!r->info)
        return SENSE_NONE;
    if (!medium_range(r->opcode, r->command->cdb, r->info, &r->lba, &r->blocks))
        return SENSE_LBA_OUT_OF_RANGE;
    if (!medium_within_limit(r))
        return SENSE_INVALID_FIELD_IN_CDB;
    if (r->opcode->flags & OPCODE_CHANGES) {
        if (r->info->read_only)
            return SENSE_WRITE_PROTECTED;
        if (r->volume->modes & MODES_PROTECT)
            return SENSE_SOFTWARE_WRITE_PROTECTED;
    }
    return SENSE_NONE;
}

/* A plan for r's range, or GOOD at once if it is empty. */
static void medium_move(const struct scsi_request *r, struct scsi_plan *plan, enum scsi_do what,
                        uint64_t blocks)
{
    sense_good(plan);
    if (blocks == 0)
        return;
    plan->what = what;
    plan->lba = r->lba;
    plan->blocks = (uint32_t)blocks;
}

/* The host may have sent less than the CDB asks for: whole blocks of it are moved. */
static uint64_t medium_sent_blocks(const struct scsi_request *r)
{
    uint64_t sent = r->data_length / r->info->block_bytes;
    return sent < r->blocks ? sent : r->blocks;
}

/* A write, also one of which the host sent nothing: what the CDB asks for counts for residuals. */
static void medium_move_out(const struct scsi_request *r, struct scsi_plan *plan)
{
    medium_move(r, plan, SCSI_WRITE, r->blocks);
    if (plan->what == SCSI_WRITE)
        plan->blocks = (uint32_t)medium_sent_blocks(r);
}

static bool medium_fua(const struct scsi_request *r)
{
    return r->opcode->length > 6 && r->command->cdb[1] & 0x08;
}

/* A host has set WCE=0: every change is as if it had FUA. */
static bool medium_through(const struct scsi_request *r)
{
    return r->volume->modes & MODES_THROUGH;
}

void medium_plan_read(const struct scsi_request *r, struct scsi_plan *plan)
{
    medium_move(r, plan, SCSI_READ, r->blocks);
    plan->fua = medium_fua(r);
}

void medium_plan_write(const struct scsi_request *r, struct scsi_plan *plan)
{
    medium_move_out(r, plan);
    plan->fua = medium_fua(r) || medium_through(r);
}

/* WRITE ATOMIC (SBC-4 5.48): never from memory, so that no power cut finds some of it there. */
void medium_plan_write_atomic(const struct scsi_request *r, struct scsi_plan *plan)
{
    medium_move_out(r, plan);
    if (plan->what == SCSI_WRITE)
        plan->what = SCSI_WRITE_ATOMIC;
    plan->fua = true;
}

enum { BYTCHK_NONE = 0, BYTCHK_COMPARE = 1 };

static int medium_byte_check(const struct scsi_request *r)
{
    return r->command->cdb[1] >> 1 & 3;
}

/* ORWRITE (SBC-3 5.13): nothing to resolve, since carried out twice it gives the same. */
void medium_plan_or_write(const struct scsi_request *r, struct scsi_plan *plan)
{
    medium_move_out(r, plan);
    if (plan->what == SCSI_WRITE)
        plan->what = SCSI_OR_WRITE;
    plan->fua = medium_fua(r) || medium_through(r);
}

void scsi_or(const uint8_t *data, uint8_t *found, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        found[i] |= data[i];
}

/* Verified by the drives: flushed before GOOD, as with FUA. */
void medium_plan_write_verify(const struct scsi_request *r, struct scsi_plan *plan)
{
    if (medium_byte_check(r) > BYTCHK_COMPARE) {
        sense_check_cdb(plan, 1);
        return;
    }
    medium_move_out(r, plan);
    plan->fua = true;
}

void medium_plan_verify(const struct scsi_request *r, struct scsi_plan *plan)
{
    int check = medium_byte_check(r);
    if (check > BYTCHK_COMPARE) {
        sense_check_cdb(plan, 1);
        return;
    }
    plan->compare = check == BYTCHK_COMPARE;
    medium_move(r, plan, SCSI_VERIFY, plan->compare ? medium_sent_blocks(r) : r->blocks);
}

/* There is no read cache to fill: GOOD says that not all of it is in one. */
void medium_plan_prefetch(const struct scsi_request *r, struct scsi_plan *plan)
{
    (void)r;
    sense_good(plan);
}

/* Of any range: what was acknowledged before, all of it. IMMED is not used. */
void medium_plan_flush(const struct scsi_request *r, struct scsi_plan *plan)
{
    medium_move(r, plan, SCSI_FLUSH, 1);
    plan->blocks = 0;
}

/* The array has no power states; stopping flushes, as SBC-3 5.25 asks. */
void medium_plan_start_stop(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint8_t byte = r->command->cdb[4];
    bool start = byte & 0x01, load_eject = byte & 0x02, no_flush = byte & 0x04;
    if (byte >> 4 || r->command->cdb[3] || load_eject) {
        sense_check_cdb(plan, byte >> 4 || load_eject ? 4 : 3);
        return;
    }
    sense_good(plan);
    if (!start && !no_flush)
        plan->what = SCSI_FLUSH;
}

void medium_plan_compare_write(const struct scsi_request *r, struct scsi_plan *plan)
{
    if (r->data_length != 2 * r->blocks * r->info->block_bytes) {
        sense_check_cdb(plan, 13);
        return;
    }
    medium_move(r, plan, SCSI_COMPARE_WRITE, r->blocks);
    plan->fua = medium_fua(r) || medium_through(r);
}

static bool all_zero(const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (data[i])
            return false;
    return true;
}

/* With UNMAP=1 the blocks read as zeroes (LBPRZ=1), whatever was sent: so do the targets that hosts
 * know, though SBC-3 4.7.3.4.4 would have another pattern written. */
void medium_plan_write_same(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct volume_info *info = r->info;
    bool no_data = r->opcode->length == 16 && r->command->cdb[1] & 0x01; /* NDOB */
    bool unmap = r->command->cdb[1] & 0x08;
    if (!no_data && r->data_length != info->block_bytes) {
        sense_check(plan, SENSE_INVALID_FIELD_IN_CDB);
        return;
    }
    if (r->blocks > medium_same_max(info)) { /* up to the end is too far */
        sense_check_cdb(plan, r->opcode->length == 16 ? 10 : 7);
        return;
    }
    medium_move(r, plan, SCSI_FILL, r->blocks);
    plan->fua = medium_through(r);
    bool zeroes = no_data || unmap || all_zero(r->data, info->block_bytes);
    plan->unmap = unmap;
    plan->pattern_offset = 0;
    plan->pattern_length = zeroes ? 0 : info->block_bytes;
}

/* ---- UNMAP (SBC-3 5.28) ---- */

enum { UNMAP_AT_LENGTH = 2, UNMAP_HEADER_BYTES = 8, UNMAP_RANGE_BYTES = 16 };

void scsi_unmap_range(const uint8_t *data, uint32_t i, uint64_t *lba, uint32_t *blocks)
{
    const uint8_t *descriptor = data + UNMAP_HEADER_BYTES + (size_t)i * UNMAP_RANGE_BYTES;
    *lba = be64_at(descriptor);
    *blocks = be32_at(descriptor + 8);
}

/* Checks the ranges. `filled` of them have blocks, the last of these being `last`. */
static enum sense_code unmap_check(const struct scsi_request *r, uint32_t ranges, uint32_t *filled,
                                   uint32_t *last)
{
    uint64_t total = 0;
    *filled = *last = 0;
    if (ranges > MEDIUM_UNMAP_RANGES_MAX)
        return SENSE_INVALID_FIELD_IN_PARAMETERS;
    for (uint32_t i = 0; i < ranges; i++) {
        uint64_t lba;
        uint32_t blocks;
        scsi_unmap_range(r->data, i, &lba, &blocks);
        if (lba > r->info->blocks || blocks > r->info->blocks - lba)
            return SENSE_LBA_OUT_OF_RANGE;
        total += blocks;
        if (blocks > 0) {
            ++*filled;
            *last = i;
        }
    }
    return total > medium_unmap_max(r->info) ? SENSE_INVALID_FIELD_IN_PARAMETERS : SENSE_NONE;
}

void medium_plan_unmap(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint32_t length = be16_at(r->command->cdb + 7);
    if (length > r->data_length)
        length = r->data_length;
    sense_good(plan);
    plan->fua = medium_through(r);
    if (be16_at(r->command->cdb + 7) == 0)
        return;
    if (length < UNMAP_HEADER_BYTES) {
        sense_check(plan, SENSE_PARAMETER_LIST_LENGTH);
        return;
    }
    uint32_t listed = be16_at(r->data + UNMAP_AT_LENGTH), there = length - UNMAP_HEADER_BYTES;
    uint32_t ranges = (listed < there ? listed : there) / UNMAP_RANGE_BYTES;
    uint32_t filled, last;
    enum sense_code wrong = unmap_check(r, ranges, &filled, &last);
    if (wrong == SENSE_INVALID_FIELD_IN_PARAMETERS) {
        sense_check_parameters(plan, UNMAP_AT_LENGTH);
    } else if (wrong != SENSE_NONE) {
        sense_check(plan, wrong);
    } else if (filled == 1) {
        plan->what = SCSI_FILL;
        plan->unmap = true;
        scsi_unmap_range(r->data, last, &plan->lba, &plan->blocks);
        plan->pattern_length = 0;
    } else if (filled > 1) {
        plan->what = SCSI_FILL_LIST;
        plan->ranges = ranges;
    }
}

/* ---- GET LBA STATUS (SBC-3 5.5) ---- */

enum { STATUS_HEADER_BYTES = 8, STATUS_BYTES = 16, STATUS_MOST = 1024, STATUS_DEALLOCATED = 1 };

void medium_plan_lba_status(const struct scsi_request *r, struct scsi_plan *plan)
{
    sense_good(plan);
    plan->what = SCSI_LBA_STATUS;
    plan->lba = r->lba;
    plan->allocation = be32_at(r->command->cdb + 10);
}

void scsi_lba_status_begin(struct scsi_plan *plan)
{
    plan->what = SCSI_RESPOND;
    memset(plan->data, 0, STATUS_HEADER_BYTES);
    plan->data_length = STATUS_HEADER_BYTES;
}

static void put_status(struct scsi_plan *plan, uint64_t lba, uint32_t blocks, bool mapped)
{
    uint8_t *descriptor = plan->data + plan->data_length;
    memset(descriptor, 0, STATUS_BYTES);
    be64_put(descriptor, lba);
    be32_put(descriptor + 8, blocks);
    descriptor[12] = mapped ? 0 : STATUS_DEALLOCATED;
    plan->data_length += STATUS_BYTES;
}

/* What goes on as the one before does is one with it. */
static bool join_status(struct scsi_plan *plan, uint64_t lba, uint64_t blocks, bool mapped)
{
    if (plan->data_length == STATUS_HEADER_BYTES)
        return false;
    uint8_t *last = plan->data + plan->data_length - STATUS_BYTES;
    uint64_t joined = be32_at(last + 8) + blocks;
    if (be64_at(last) + be32_at(last + 8) != lba || joined > UINT32_MAX ||
        (last[12] == 0) != mapped)
        return false;
    be32_put(last + 8, (uint32_t)joined);
    return true;
}

bool scsi_lba_status_add(struct scsi_plan *plan, uint64_t lba, uint64_t blocks, bool mapped)
{
    const uint32_t most = STATUS_HEADER_BYTES + STATUS_MOST * STATUS_BYTES;
    if (join_status(plan, lba, blocks, mapped))
        return true;
    while (blocks > 0 && plan->data_length < most) {
        uint32_t some = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
        put_status(plan, lba, some, mapped);
        lba += some;
        blocks -= some;
    }
    return plan->data_length < most;
}

/* The length that is said counts what the allocation length cuts off. */
void scsi_lba_status_end(struct scsi_plan *plan, uint32_t allocation)
{
    be32_put(plan->data, plan->data_length - 4);
    if (plan->data_length > allocation)
        plan->data_length = allocation;
}
