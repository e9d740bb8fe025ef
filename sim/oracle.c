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
    uint32_t consumer; /* ticket of the COMPARE AND WRITE that replaced it */
    bool never;        /* the command says that it did not run */
};

struct block {
    struct value *at;
    uint32_t count, room;
};

struct oracle_volume {
    uint8_t group;
    uint16_t volume;
    uint64_t blocks;
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

void oracle_volume(struct oracle *oracle, uint8_t group, uint16_t volume, uint64_t blocks)
{
    must(oracle->volumes < VOLUMES);
    struct oracle_volume *v = &oracle->volume[oracle->volumes++];
    *v = (struct oracle_volume){group, volume, blocks, calloc(blocks, sizeof(struct block))};
    must(v->block);
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
             "(written from %.3f to %.3f ms)%s %llu (%.3f to %.3f ms)",
             op->ticket, op->host, op->path, op->volume, op->group + 1, (unsigned long long)lba,
             what, a ? (unsigned long long)a->stamp : 0, a ? (double)a->begun_ns / 1e6 : 0,
             a ? (double)a->ended_ns / 1e6 : 0, b ? " and" : "",
             b ? (unsigned long long)b->stamp : 0, b ? (double)b->begun_ns / 1e6 : 0,
             b ? (double)b->ended_ns / 1e6 : 0);
}

/* ---- values of a block ---- */

static struct value *value_add(struct block *block, uint64_t stamp, uint64_t begun_ns)
{
    if (block->count == block->room) {
        block->room = block->room ? 2 * block->room : 4;
        block->at = realloc(block->at, block->room * sizeof *block->at);
        must(block->at);
    }
    struct value *value = &block->at[block->count++];
    *value = (struct value){stamp, begun_ns, UINT64_MAX, UINT64_MAX, begun_ns, 0, false};
    return value;
}

static struct value *value_find(struct block *block, uint64_t stamp)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (block->at[i].stamp == stamp)
            return &block->at[i];
    return NULL;
}

static struct block *block_of(struct oracle *oracle, const struct op *op, uint64_t lba)
{
    for (int i = 0; i < oracle->volumes; i++) {
        struct oracle_volume *v = &oracle->volume[i];
        if (v->group != op->group || v->volume != op->volume || lba >= v->blocks)
            continue;
        struct block *block = &v->block[lba];
        if (!block->count) {
            struct value *zero = value_add(block, STAMP_ZERO, 0);
            zero->ended_ns = zero->first_end_ns = 0;
        }
        return block;
    }
    return NULL;
}

static bool forward(const struct value *v)
{
    return v->first_end_ns < v->last_begin_ns;
}

/* Two zones that no order allows: both forward and meeting, or a backward one inside of a forward.
 */
static bool zones_conflict(const struct value *a, const struct value *b)
{
    if (a->first_end_ns == UINT64_MAX || b->first_end_ns == UINT64_MAX)
        return false;
    if (!forward(a) && !forward(b))
        return false;
    return a->first_end_ns < b->last_begin_ns && b->first_end_ns < a->last_begin_ns;
}

static void check_value(struct oracle *oracle, const struct op *op, uint64_t lba,
                        struct block *block, const struct value *value)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (&block->at[i] != value && zones_conflict(value, &block->at[i]))
            violated(oracle, op, lba, "no order of the operations explains what was read", value,
                     &block->at[i]);
}

static void saw(struct oracle *oracle, const struct op *op, uint64_t lba, struct block *block,
                uint64_t stamp)
{
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
    if (op->begun_ns > value->last_begin_ns)
        value->last_begin_ns = op->begun_ns;
    if (op->ended_ns < value->first_end_ns)
        value->first_end_ns = op->ended_ns;
    check_value(oracle, op, lba, block, value);
    oracle->verified++;
}

/* ---- operations ---- */

static bool writes(const struct op *op)
{
    return op->kind == OP_WRITE || op->kind == OP_FILL || op->kind == OP_COMPARE_WRITE;
}

void oracle_begun(struct oracle *oracle, const struct op *op)
{
    for (uint32_t i = 0; writes(op) && i < op->blocks; i++) {
        struct block *block = block_of(oracle, op, op->lba + i);
        if (block)
            value_add(block, op->stamp, op->begun_ns);
    }
}

static void write_ended(struct oracle *oracle, const struct op *op, uint64_t lba,
                        struct block *block)
{
    struct value *value = value_find(block, op->stamp);
    must(value);
    if (op->status != 0) {
        /* UNIT ATTENTION, MISCOMPARE, RESERVATION CONFLICT, BUSY, TASK SET FULL: it did not run */
        value->never = op->withdrawn || op->status == 0x18 || op->status == 0x08 ||
                       op->status == 0x28 ||
                       (op->status == 0x02 && (op->sense_key == 0x06 || op->sense_key == 0x0E));
        if (value->never && value->first_end_ns != UINT64_MAX)
            violated(oracle, op, lba, "refused, but somebody had read it", value, NULL);
        return;
    }
    value->ended_ns = op->ended_ns;
    if (op->ended_ns < value->first_end_ns)
        value->first_end_ns = op->ended_ns;
    check_value(oracle, op, lba, block, value);
}

/* It saw the value that it compared with, and no other such command may have replaced that. */
static void compare_ended(struct oracle *oracle, const struct op *op, struct block *block)
{
    saw(oracle, op, op->lba, block, op->expected);
    struct value *value = value_find(block, op->expected);
    if (value && value->consumer)
        violated(oracle, op, op->lba, "two COMPARE AND WRITE replaced one value", value, NULL);
    if (value)
        value->consumer = op->ticket;
}

void oracle_ended(struct oracle *oracle, const struct op *op)
{
    if (op->state != OP_STATE_ANSWERED)
        return;
    for (uint32_t i = 0; i < op->blocks; i++) {
        uint64_t lba = op->lba + i;
        struct block *block = block_of(oracle, op, lba);
        if (!block)
            return;
        if (writes(op))
            write_ended(oracle, op, lba, block);
        if (op->kind == OP_COMPARE_WRITE && op->status == 0)
            compare_ended(oracle, op, block);
        if (op->kind == OP_READ && op->status == 0) {
            if (op->in_length != op->blocks * BLOCK_BYTES) {
                violated(oracle, op, lba, "a short read", NULL, NULL);
                return;
            }
            saw(oracle, op, lba, block, op_block_stamp(op->in + i * BLOCK_BYTES, lba));
        }
    }
}

/* A value whose writing, or overwriting, is no longer certain constrains nothing by its end. */
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
