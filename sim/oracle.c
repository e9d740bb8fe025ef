/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/oracle.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { VOLUMES = 16, SENTENCE = 400 };

/* One value of one block: a write and the reads that saw it. */
struct value {
    uint64_t stamp;
    uint64_t begun_ns;     /* of the write */
    uint64_t ended_ns;     /* of the write; UINT64_MAX: under way or unknown */
    uint64_t first_end_ns; /* of the write and all reads; UINT64_MAX: none ended */
    uint64_t last_begin_ns;
    uint64_t not_after_ns; /* of a lost write: by then it has been, if ever */
    uint32_t ticket;
    uint32_t consumer; /* ticket of the COMPARE AND WRITE that replaced it */
    bool never;        /* the command says that it did not run */
    bool durable;      /* survives the loss of every memory */
    bool atomic;       /* it wrote these blocks all together */
    uint64_t lba;
    uint32_t blocks;
};

struct block {
    struct value *at;
    uint32_t count, room;
};

struct oracle_volume {
    uint8_t group;
    uint16_t volume;
    uint64_t blocks;
    bool through;        /* what is answered is durable */
    uint64_t flushed_ns; /* what was answered before that is, too */
    uint64_t lost_ns;    /* when every memory was last lost */
    struct block *block;
};

struct oracle {
    struct oracle_volume volume[VOLUMES];
    int volumes;
    uint64_t verified;
    char violation[SENTENCE];
};

struct oracle *oracle_new(void)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    must(oracle);
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    for (int v = 0; v < oracle->volumes; v++) {
        for (uint64_t i = 0; i < oracle->volume[v].blocks; i++)
            free(oracle->volume[v].block[i].at);
        free(oracle->volume[v].block);
    }
    free(oracle);
}

static struct oracle_volume *volume_of(struct oracle *oracle, uint8_t group, uint16_t volume)
{
    for (int i = 0; i < oracle->volumes; i++)
        if (oracle->volume[i].group == group && oracle->volume[i].volume == volume)
            return &oracle->volume[i];
    return NULL;
}

void oracle_volume(struct oracle *oracle, uint8_t group, uint16_t volume, uint64_t blocks)
{
    must(oracle->volumes < VOLUMES);
    struct oracle_volume *v = &oracle->volume[oracle->volumes++];
    *v = (struct oracle_volume){.group = group, .volume = volume, .blocks = blocks};
    v->block = calloc(blocks, sizeof(struct block));
    must(v->block);
}

void oracle_through(struct oracle *oracle, uint8_t group, uint16_t volume)
{
    volume_of(oracle, group, volume)->through = true;
}

const char *oracle_violation(const struct oracle *oracle)
{
    return oracle->violation[0] ? oracle->violation : NULL;
}

uint64_t oracle_verified(const struct oracle *oracle)
{
    return oracle->verified;
}

static void violated(struct oracle *oracle, const struct op *op, uint64_t lba, const char *what,
                     const struct value *a, const struct value *b)
{
    if (oracle->violation[0])
        return;
    snprintf(oracle->violation, sizeof oracle->violation,
             "operation %u (host %d, path %d) on volume %d of g%d, block %llu: %s; value %llu "
             "(written from %.3f to %.3f ms by %u)%s %llu (%.3f to %.3f ms by %u)",
             op->ticket, op->host, op->path, op->volume, op->group + 1, (unsigned long long)lba,
             what, a ? (unsigned long long)a->stamp : 0, a ? (double)a->begun_ns / 1e6 : 0,
             a ? (double)a->ended_ns / 1e6 : 0, a ? a->ticket : 0, b ? " and" : "",
             b ? (unsigned long long)b->stamp : 0, b ? (double)b->begun_ns / 1e6 : 0,
             b ? (double)b->ended_ns / 1e6 : 0, b ? b->ticket : 0);
}

/* ---- values of a block ---- */

static struct value *value_add(struct block *block, uint64_t stamp, uint64_t begun_ns,
                               uint32_t ticket)
{
    if (block->count == block->room) {
        block->room = block->room ? 2 * block->room : 4;
        block->at = realloc(block->at, block->room * sizeof *block->at);
        must(block->at);
    }
    struct value *value = &block->at[block->count++];
    *value = (struct value){stamp, begun_ns, UINT64_MAX, UINT64_MAX, begun_ns, UINT64_MAX, ticket,
                            0,     false,    false,      false,      0,        0};
    return value;
}

/* By the operation that wrote it; the initial one is ticket 0's. */
static struct value *value_of(struct block *block, uint32_t ticket)
{
    for (uint32_t i = block->count; i > 0; i--)
        if (block->at[i - 1].ticket == ticket)
            return &block->at[i - 1];
    return NULL;
}

static struct value *value_find(struct block *block, uint64_t stamp)
{
    for (uint32_t i = block->count; i > 0; i--)
        if (block->at[i - 1].stamp == stamp)
            return &block->at[i - 1];
    return NULL;
}

static struct block *block_of(struct oracle *oracle, const struct op *op, uint64_t lba)
{
    struct oracle_volume *v = volume_of(oracle, op->group, op->volume);
    if (!v || lba >= v->blocks)
        return NULL;
    struct block *block = &v->block[lba];
    if (!block->count) {
        struct value *zero = value_add(block, STAMP_ZERO, 0, 0);
        zero->ended_ns = zero->first_end_ns = 0;
        zero->durable = true;
    }
    return block;
}

static bool forward(const struct value *v)
{
    return v->first_end_ns < v->last_begin_ns;
}

/* Two zones that no order allows: both forward and meeting, or a backward one inside of a forward.
 */
static bool zones_conflict(const struct value *a, const struct value *b)
{
    if (a->first_end_ns == UINT64_MAX || b->first_end_ns == UINT64_MAX || a->stamp == b->stamp)
        return false;
    if (!forward(a) && !forward(b))
        return false;
    return a->first_end_ns < b->last_begin_ns && b->first_end_ns < a->last_begin_ns;
}

/* The one that it cannot be reconciled with, or NULL. */
static const struct value *conflict_of(const struct block *block, const struct value *value)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (zones_conflict(value, &block->at[i]))
            return &block->at[i];
    return NULL;
}

static void check_value(struct oracle *oracle, const struct op *op, uint64_t lba,
                        struct block *block, const struct value *value)
{
    const struct value *other = conflict_of(block, value);
    if (other)
        violated(oracle, op, lba, "no order of the operations explains what was read", value,
                 other);
}

/* As the value is once that operation has read it. */
static struct value widened(const struct value *value, const struct op *op)
{
    struct value wide = *value;
    if (op->begun_ns > wide.last_begin_ns)
        wide.last_begin_ns = op->begun_ns;
    uint64_t end = op->ended_ns < wide.not_after_ns ? op->ended_ns : wide.not_after_ns;
    if (end < wide.first_end_ns)
        wide.first_end_ns = end;
    return wide;
}

/* Zeroes: some write of them must explain it; if only one does, it is that one. */
static void saw_zero(struct oracle *oracle, const struct op *op, uint64_t lba, struct block *block)
{
    struct value *only = NULL, wide;
    int fitting = 0;
    const struct value *other = NULL;
    for (uint32_t i = 0; i < block->count; i++) {
        struct value *value = &block->at[i];
        if (value->stamp != STAMP_ZERO || value->never || value->begun_ns > op->ended_ns)
            continue;
        wide = widened(value, op);
        const struct value *conflict = conflict_of(block, &wide);
        if (conflict) {
            other = conflict;
            continue;
        }
        fitting++;
        only = value;
    }
    if (fitting == 0)
        violated(oracle, op, lba, "no order of the operations explains the zeroes that were read",
                 other, NULL);
    else if (fitting == 1)
        *only = widened(only, op);
}

static void saw(struct oracle *oracle, const struct op *op, uint64_t lba, struct block *block,
                uint64_t stamp)
{
    oracle->verified++;
    if (stamp == STAMP_ZERO) {
        saw_zero(oracle, op, lba, block);
        return;
    }
    struct value *value = value_find(block, stamp);
    if (stamp == STAMP_TORN)
        violated(oracle, op, lba, "torn, or another block's data", NULL, NULL);
    else if (!value)
        violated(oracle, op, lba, "read what nobody wrote", NULL, NULL);
    else if (value->never)
        violated(oracle, op, lba, "read a write that was refused", value, NULL);
    else if (value->begun_ns > op->ended_ns)
        violated(oracle, op, lba, "read a write before it began", value, NULL);
    if (!value || oracle->violation[0])
        return;
    *value = widened(value, op);
    check_value(oracle, op, lba, block, value);
}

/* ---- operations ---- */

static bool writes(const struct op *op)
{
    return op->kind == OP_WRITE || op->kind == OP_FILL || op->kind == OP_COMPARE_WRITE ||
           op->kind == OP_UNMAP;
}

static bool compares(const struct op *op)
{
    return op->kind == OP_COMPARE_WRITE || op->kind == OP_VERIFY;
}

/* The i-th block that it is about; false: there are no more. */
static bool block_number(const struct op *op, uint32_t i, uint64_t *lba)
{
    *lba = op->lba + i;
    if (op->ranges == 0)
        return i < op->blocks;
    for (uint8_t r = 0; r < op->ranges; r++) {
        *lba = op->range[r].lba + i;
        if (i < op->range[r].blocks)
            return true;
        i -= op->range[r].blocks;
    }
    return false;
}

void oracle_begun(struct oracle *oracle, const struct op *op)
{
    uint64_t lba;
    for (uint32_t i = 0; writes(op) && block_number(op, i, &lba); i++) {
        struct block *block = block_of(oracle, op, lba);
        if (!block)
            continue;
        struct value *value = value_add(block, op->stamp, op->begun_ns, op->ticket);
        value->atomic = op->atomic;
        value->lba = op->lba;
        value->blocks = op->blocks;
    }
}

/* It may have been done, but not after op->not_after_ns. */
static void write_lost(struct oracle *oracle, const struct op *op, uint64_t lba,
                       struct block *block)
{
    struct value *value = value_of(block, op->ticket);
    must(value);
    value->not_after_ns = op->not_after_ns;
    if (value->first_end_ns != UINT64_MAX && value->not_after_ns < value->first_end_ns) {
        value->first_end_ns = value->not_after_ns;
        check_value(oracle, op, lba, block, value);
    }
}

void oracle_left(struct oracle *oracle, const struct op *op)
{
    uint64_t lba;
    for (uint32_t i = 0; writes(op) && block_number(op, i, &lba); i++) {
        struct block *block = block_of(oracle, op, lba);
        if (block)
            write_lost(oracle, op, lba, block);
    }
}

static void write_ended(struct oracle *oracle, const struct op *op, uint64_t lba,
                        struct block *block, bool through)
{
    struct value *value = value_of(block, op->ticket);
    must(value);
    if (op->status != 0) {
        value->not_after_ns = op->ended_ns < op->not_after_ns ? op->ended_ns : op->not_after_ns;
        /* UNIT ATTENTION, MISCOMPARE, RESERVATION CONFLICT, BUSY, TASK SET FULL: it did not run */
        value->never = op->withdrawn || op->status == 0x18 || op->status == 0x08 ||
                       op->status == 0x28 ||
                       (op->status == 0x02 && (op->sense_key == 0x06 || op->sense_key == 0x0E));
        if (value->never && value->first_end_ns != UINT64_MAX && value->stamp != STAMP_ZERO)
            violated(oracle, op, lba, "refused, but somebody had read it", value, NULL);
        return;
    }
    uint64_t end_ns = op->ended_ns < op->not_after_ns ? op->ended_ns : op->not_after_ns;
    value->ended_ns = end_ns;
    value->durable = through || op->fua;
    value->not_after_ns = end_ns;
    if (end_ns < value->first_end_ns)
        value->first_end_ns = end_ns;
    check_value(oracle, op, lba, block, value);
}

/* No other COMPARE AND WRITE may have replaced the value that it found. */
static void replaced(struct oracle *oracle, const struct op *op, uint64_t lba, struct block *block,
                     uint64_t stamp)
{
    struct value *value = value_find(block, stamp);
    if (stamp == STAMP_ZERO && value != &block->at[0])
        return; /* zeroes were written more than once */
    if (value && value->consumer)
        violated(oracle, op, lba, "two COMPARE AND WRITE replaced one value", value, NULL);
    if (value)
        value->consumer = op->ticket;
}

/* Was the block of that value for certain, all the time that the operation took? */
static bool certain(struct block *block, const struct op *op, uint64_t stamp)
{
    const struct value *value = value_find(block, stamp);
    if (!value || stamp == STAMP_ZERO || value->first_end_ns > op->begun_ns)
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        const struct value *other = &block->at[i];
        if (other == value || other->never || other->ticket == op->ticket)
            continue;
        if (other->ended_ns > value->begun_ns && other->not_after_ns > value->begun_ns)
            return false;
    }
    return true;
}

/* GOOD: it saw what it compared with. MISCOMPARE: it must have had a reason. */
static void compared(struct oracle *oracle, const struct op *op)
{
    bool all_certain = true;
    for (uint32_t i = 0; i < op->blocks; i++) {
        uint64_t lba = op->lba + i, stamp = op_block_stamp(op->out + i * BLOCK_BYTES, lba);
        struct block *block = block_of(oracle, op, lba);
        if (!block)
            return;
        all_certain &= certain(block, op, stamp);
        if (op->status != 0)
            continue;
        saw(oracle, op, lba, block, stamp);
        if (op->kind == OP_COMPARE_WRITE)
            replaced(oracle, op, lba, block, stamp);
    }
    if (op->status == 0x02 && op->sense_key == 0x0E && all_certain)
        violated(oracle, op, op->lba, "a miscompare with what had been there all the time", NULL,
                 NULL);
}

/* Had that been written, for certain, before then, and not again? */
static bool is_older(const struct block *block, uint64_t stamp, uint64_t than_ns)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (block->at[i].stamp == stamp && !block->at[i].never && block->at[i].ended_ns > than_ns)
            return false;
    return true;
}

/* It saw a block of an atomic write: then none of what the others held before. */
static void check_atomic(struct oracle *oracle, const struct op *op, const struct value *atomic)
{
    for (uint32_t i = 0; i < op->blocks; i++) {
        uint64_t lba = op->lba + i;
        struct block *block = block_of(oracle, op, lba);
        uint64_t stamp = op_block_stamp(op->in + i * BLOCK_BYTES, lba);
        if (!block || lba < atomic->lba || lba >= atomic->lba + atomic->blocks ||
            stamp == atomic->stamp || !is_older(block, stamp, atomic->begun_ns))
            continue;
        violated(oracle, op, lba, "some blocks of an atomic write, and not this one",
                 value_find(block, stamp), atomic);
        return;
    }
}

static void check_all_atomic(struct oracle *oracle, const struct op *op)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < op->blocks && !oracle->violation[0]; i++) {
        struct block *block = block_of(oracle, op, op->lba + i);
        uint64_t stamp = op_block_stamp(op->in + i * BLOCK_BYTES, op->lba + i);
        const struct value *value = block ? value_find(block, stamp) : NULL;
        if (!value || !value->atomic || value->ticket == last)
            continue;
        last = value->ticket;
        struct value atomic = *value;
        check_atomic(oracle, op, &atomic);
    }
}

static void read_ended(struct oracle *oracle, const struct op *op)
{
    if (op->in_length != op->blocks * BLOCK_BYTES) {
        violated(oracle, op, op->lba, "a short read", NULL, NULL);
        return;
    }
    for (uint32_t i = 0; i < op->blocks; i++) {
        uint64_t lba = op->lba + i;
        struct block *block = block_of(oracle, op, lba);
        if (!block)
            return;
        saw(oracle, op, lba, block, op_block_stamp(op->in + i * BLOCK_BYTES, lba));
    }
    check_all_atomic(oracle, op);
}

bool oracle_next(const struct oracle *oracle, uint8_t group, uint16_t volume, uint64_t *lba,
                 uint32_t *blocks, uint32_t scale)
{
    const struct oracle_volume *v = volume_of((struct oracle *)(uintptr_t)oracle, group, volume);
    uint32_t most = *blocks;
    while (v && *lba < v->blocks && !v->block[*lba].count)
        *lba += 1;
    if (!v || *lba >= v->blocks)
        return false;
    *lba -= *lba % scale;
    *blocks = 0;
    while (*blocks < most && *lba + *blocks < v->blocks && v->block[*lba + *blocks].count)
        *blocks += scale;
    return true;
}

void oracle_ended(struct oracle *oracle, const struct op *op)
{
    struct oracle_volume *v = volume_of(oracle, op->group, op->volume);
    bool answered = op->state == OP_STATE_ANSWERED;
    bool older = v && op->begun_ns < v->lost_ns && op->status == 0;
    uint64_t lba;
    for (uint32_t i = 0; writes(op) && block_number(op, i, &lba); i++) {
        struct block *block = block_of(oracle, op, lba);
        if (block && answered && older && !op->fua)
            value_of(block, op->ticket)->not_after_ns = op->ended_ns;
        else if (block && answered)
            write_ended(oracle, op, lba, block, v->through);
        else if (block)
            write_lost(oracle, op, lba, block);
    }
    if (!answered || !v || older) /* on its way when all was lost: it may tell of what is no more */
        return;
    if (compares(op))
        compared(oracle, op);
    else if (op->kind == OP_READ && op->status == 0)
        read_ended(oracle, op);
    else if (op->kind == OP_FLUSH && op->status == 0 && op->begun_ns > v->flushed_ns)
        v->flushed_ns = op->begun_ns;
}

/* ---- the loss of every memory ---- */

static bool is_durable(const struct oracle_volume *v, const struct value *value)
{
    return value->durable || (value->ended_ns != UINT64_MAX && value->ended_ns <= v->flushed_ns);
}

/* Something durable came after it for certain: whatever is lost, it does not come back. */
static bool is_buried(const struct oracle_volume *v, const struct block *block,
                      const struct value *value)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (value->ended_ns <= block->at[i].begun_ns && is_durable(v, &block->at[i]))
            return true;
    return false;
}

/* Each value is durable now, or buried, or as if its writing had never been heard of again. */
static void block_lost(struct oracle_volume *v, struct block *block, uint64_t at_ns)
{
    for (uint32_t i = 0; i < block->count; i++) {
        struct value *value = &block->at[i];
        value->durable = is_durable(v, value);
        const struct value *by = value->consumer ? value_of(block, value->consumer) : NULL;
        if (by && !is_durable(v, by))
            value->consumer = 0;
    }
    for (uint32_t i = 0; i < block->count; i++) {
        struct value *value = &block->at[i];
        if (value->durable || value->never || is_buried(v, block, value))
            continue;
        if (value->ended_ns != UINT64_MAX)
            value->not_after_ns = at_ns;
        value->first_end_ns = value->ended_ns = UINT64_MAX;
        value->last_begin_ns = value->begun_ns;
    }
}

void oracle_lost(struct oracle *oracle, uint8_t group, uint64_t at_ns)
{
    for (int i = 0; i < oracle->volumes; i++) {
        struct oracle_volume *v = &oracle->volume[i];
        if (v->group == group && !v->through)
            v->lost_ns = at_ns;
        for (uint64_t lba = 0; v->group == group && !v->through && lba < v->blocks; lba++)
            if (v->block[lba].count)
                block_lost(v, &v->block[lba], at_ns);
    }
}

void oracle_forget_since(struct oracle *oracle, uint64_t flushed_ns)
{
    for (int v = 0; v < oracle->volumes; v++)
        for (uint64_t lba = 0; lba < oracle->volume[v].blocks; lba++) {
            struct block *block = &oracle->volume[v].block[lba];
            for (uint32_t i = 0; i < block->count; i++) {
                struct value *value = &block->at[i];
                if (value->first_end_ns > flushed_ns)
                    value->first_end_ns = value->ended_ns = UINT64_MAX;
                if (value->last_begin_ns > flushed_ns)
                    value->last_begin_ns = value->begun_ns;
            }
        }
}
