/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/client.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/must.h"
#include "sim/host.h"

enum { HOSTS = 16, PATHS = SENDER_MAX };

struct clients {
    struct world *world;
    struct op **at;
    uint32_t count, room;
    uint64_t stamps;
    struct part *path[PATHS];
    struct host *iscsi[HOSTS][PATHS];
    void (*ended)(void *context, struct op *op);
    void *ended_context;
    void (*begun)(void *context, struct op *op);
    void *begun_context;
    void (*left)(void *context, struct op *op);
    void *left_context;
    void (*alarm)(void *context, uint64_t what);
    void *alarm_context;
};

/* A host's own: 2^32, host, path. */
static void on_alarm(void *context, uint64_t what)
{
    struct clients *clients = context;
    if (what >> 32)
        host_alarm(clients->iscsi[what >> 8 & 0xFF][what & 0xFF]);
    else if (clients->alarm)
        clients->alarm(clients->alarm_context, what);
}

struct clients *clients_new(struct world *world)
{
    struct clients *clients = calloc(1, sizeof *clients);
    must(clients);
    clients->world = world;
    world_on_alarm(world, on_alarm, clients);
    return clients;
}

void clients_free(struct clients *clients)
{
    for (uint32_t i = 0; i < clients->count; i++) {
        free(clients->at[i]->out);
        free(clients->at[i]->in);
        free(clients->at[i]);
    }
    free(clients->at);
    free(clients);
}

void clients_on_end(struct clients *clients, void (*ended)(void *context, struct op *op),
                    void *context)
{
    clients->ended = ended;
    clients->ended_context = context;
}

void clients_on_begin(struct clients *clients, void (*begun)(void *context, struct op *op),
                      void *context)
{
    clients->begun = begun;
    clients->begun_context = context;
}

void clients_on_leave(struct clients *clients, void (*left)(void *context, struct op *op),
                      void *context)
{
    clients->left = left;
    clients->left_context = context;
}

void clients_on_alarm(struct clients *clients, void (*alarm)(void *context, uint64_t what),
                      void *context)
{
    clients->alarm = alarm;
    clients->alarm_context = context;
}

void clients_path(struct clients *clients, uint8_t path, struct part *part)
{
    must(path < PATHS);
    clients->path[path] = part;
}

void clients_host(struct clients *clients, uint8_t host, uint8_t path, struct host *iscsi)
{
    must(host < HOSTS && path < PATHS);
    clients->iscsi[host][path] = iscsi;
}

/* ---- blocks ---- */

static const uint8_t stamp_magic[8] = "SEGUESIM";

static uint64_t mixed(uint64_t stamp, uint64_t lba, uint64_t i)
{
    struct random r = {stamp * 0x9E3779B97F4A7C15u + lba * 31 + i};
    return random_next(&r);
}

void op_stamp_block(uint8_t *block, uint64_t stamp, uint64_t lba)
{
    if (stamp == STAMP_ZERO) {
        memset(block, 0, BLOCK_BYTES);
        return;
    }
    if (stamp & STAMP_FILL)
        lba = (uint64_t)STAMP_ANY_LBA;
    memcpy(block, stamp_magic, 8);
    be64_put(block + 8, stamp);
    be64_put(block + 16, lba);
    for (uint32_t at = 24; at < BLOCK_BYTES; at += 8)
        be64_put(block + at, mixed(stamp, lba, at));
}

uint64_t op_block_stamp(const uint8_t *block, uint64_t lba)
{
    static const uint8_t zeroes[BLOCK_BYTES];
    if (memcmp(block, zeroes, BLOCK_BYTES) == 0)
        return STAMP_ZERO;
    uint64_t stamp = be64_at(block + 8), at = be64_at(block + 16);
    uint8_t whole[BLOCK_BYTES];
    if (memcmp(block, stamp_magic, 8) != 0 || (at != lba && at != (uint64_t)STAMP_ANY_LBA))
        return STAMP_TORN;
    op_stamp_block(whole, stamp, at);
    return memcmp(block, whole, BLOCK_BYTES) == 0 ? stamp : STAMP_TORN;
}

/* ---- operations ---- */

static struct op *op_new(struct clients *clients, enum op_kind kind, uint32_t out_length,
                         uint32_t in_room)
{
    if (clients->count == clients->room) {
        clients->room = clients->room ? 2 * clients->room : 1024;
        clients->at = realloc(clients->at, clients->room * sizeof(struct op *));
        must(clients->at);
    }
    struct op *op = calloc(1, sizeof *op);
    must(op);
    clients->at[clients->count++] = op;
    op->ticket = clients->count;
    op->kind = kind;
    op->out_length = out_length;
    op->out = out_length ? calloc(1, out_length) : NULL;
    op->in_room = in_room;
    op->in = in_room ? calloc(1, in_room) : NULL;
    op->not_after_ns = UINT64_MAX;
    return op;
}

static void cdb_16(struct op *op, uint8_t opcode, uint64_t lba, uint32_t blocks)
{
    op->cdb[0] = opcode;
    op->cdb[1] = op->fua ? 0x08 : 0;
    be64_put(op->cdb + 2, lba);
    be32_put(op->cdb + 10, blocks);
    op->lba = lba;
    op->blocks = blocks;
}

struct op *op_read(struct clients *clients, uint64_t lba, uint32_t blocks)
{
    struct op *op = op_new(clients, OP_READ, 0, blocks * BLOCK_BYTES);
    cdb_16(op, 0x88, lba, blocks);
    return op;
}

struct op *op_write(struct clients *clients, uint64_t lba, uint32_t blocks, bool fua)
{
    struct op *op = op_new(clients, OP_WRITE, blocks * BLOCK_BYTES, 0);
    op->fua = fua;
    cdb_16(op, 0x8A, lba, blocks);
    op->stamp = ++clients->stamps;
    for (uint32_t i = 0; i < blocks; i++)
        op_stamp_block(op->out + i * BLOCK_BYTES, op->stamp, lba + i);
    return op;
}

static void put_atomic_blocks(struct op *op, uint32_t blocks)
{
    be32_put(op->cdb + 10, 0); /* no boundary */
    be16_put(op->cdb + 12, (uint16_t)blocks);
}

struct op *op_write_atomic(struct clients *clients, uint64_t lba, uint32_t blocks)
{
    struct op *op = op_write(clients, lba, blocks, true);
    op->atomic = true;
    op->cdb[0] = 0x9C;
    put_atomic_blocks(op, blocks);
    return op;
}

static void put_stamps(uint8_t *out, uint64_t lba, uint32_t blocks, const uint64_t *stamps)
{
    for (uint32_t i = 0; i < blocks; i++)
        op_stamp_block(out + i * BLOCK_BYTES, stamps[i], lba + i);
}

struct op *op_compare_write_blocks(struct clients *clients, uint64_t lba, uint32_t blocks,
                                   const uint64_t *expected_stamps)
{
    struct op *op = op_new(clients, OP_COMPARE_WRITE, 2 * blocks * BLOCK_BYTES, 0);
    must(blocks <= UINT8_MAX);
    cdb_16(op, 0x89, lba, 0);
    op->cdb[13] = (uint8_t)blocks;
    op->blocks = blocks;
    op->stamp = ++clients->stamps;
    put_stamps(op->out, lba, blocks, expected_stamps);
    for (uint32_t i = 0; i < blocks; i++)
        op_stamp_block(op->out + (blocks + i) * BLOCK_BYTES, op->stamp, lba + i);
    return op;
}

struct op *op_compare_write(struct clients *clients, uint64_t lba, uint64_t expected_stamp)
{
    return op_compare_write_blocks(clients, lba, 1, &expected_stamp);
}

struct op *op_verify(struct clients *clients, uint64_t lba, uint32_t blocks,
                     const uint64_t *expected_stamps)
{
    struct op *op = op_new(clients, OP_VERIFY, blocks * BLOCK_BYTES, 0);
    cdb_16(op, 0x8F, lba, blocks);
    op->cdb[1] = 0x02; /* BYTCHK 1 */
    put_stamps(op->out, lba, blocks, expected_stamps);
    return op;
}

enum { UNMAP_HEAD = 8, UNMAP_RANGE = 16 };

static void put_ranges(struct op *op, uint32_t scale)
{
    be16_put(op->out, (uint16_t)(op->out_length - 2));
    be16_put(op->out + 2, (uint16_t)(op->ranges * UNMAP_RANGE));
    for (uint8_t i = 0; i < op->ranges; i++) {
        uint8_t *at = op->out + UNMAP_HEAD + i * UNMAP_RANGE;
        be64_put(at, op->range[i].lba / scale);
        be32_put(at + 8, op->range[i].blocks / scale);
    }
}

struct op *op_unmap(struct clients *clients, const struct op_range *range, uint8_t ranges)
{
    must(ranges <= OP_RANGES);
    struct op *op = op_new(clients, OP_UNMAP, (uint32_t)(UNMAP_HEAD + ranges * UNMAP_RANGE), 0);
    op->cdb[0] = 0x42;
    be16_put(op->cdb + 7, (uint16_t)op->out_length);
    memcpy(op->range, range, ranges * sizeof *range);
    op->ranges = ranges;
    put_ranges(op, 1);
    return op;
}

struct op *op_zero(struct clients *clients, uint64_t lba, uint32_t blocks)
{
    struct op *op = op_new(clients, OP_UNMAP, 0, 0);
    cdb_16(op, 0x93, lba, blocks);
    op->cdb[1] = 0x01; /* NDOB */
    return op;
}

struct op *op_fill(struct clients *clients, uint64_t lba, uint32_t blocks)
{
    struct op *op = op_new(clients, OP_FILL, BLOCK_BYTES, 0);
    cdb_16(op, 0x93, lba, blocks);
    op->stamp = ++clients->stamps | STAMP_FILL;
    op_stamp_block(op->out, op->stamp, lba);
    return op;
}

struct op *op_flush(struct clients *clients)
{
    struct op *op = op_new(clients, OP_FLUSH, 0, 0);
    cdb_16(op, 0x91, 0, 0);
    return op;
}

struct op *op_cdb(struct clients *clients, const uint8_t *cdb, const uint8_t *out,
                  uint32_t out_length, uint32_t in_room)
{
    struct op *op = op_new(clients, OP_CDB, out_length, in_room);
    memcpy(op->cdb, cdb, 16);
    if (out_length)
        memcpy(op->out, out, out_length);
    return op;
}

struct op *op_task(struct clients *clients, uint8_t task, const struct op *target)
{
    struct op *op = op_new(clients, OP_TASK, 0, 0);
    op->task = task;
    op->target = target ? target->ticket : 0;
    if (target) {
        op->host = target->host;
        op->path = target->path;
        op->group = target->group;
        op->volume = target->volume;
        op->lun = target->lun;
    }
    return op;
}

struct op *op_manage(struct clients *clients, const uint8_t *request, uint32_t length)
{
    struct op *op = op_new(clients, OP_MANAGE, length, 4096);
    memcpy(op->out, request, length);
    op->volume = VOLUME_NONE;
    return op;
}

/* One block of WRITE SAME becomes one of the larger ones. */
static void widen_pattern(struct op *op, uint32_t scale)
{
    op->out = realloc(op->out, scale * BLOCK_BYTES);
    must(op->out);
    for (uint32_t i = 1; i < scale; i++)
        memcpy(op->out + i * BLOCK_BYTES, op->out, BLOCK_BYTES);
    op->out_length = scale * BLOCK_BYTES;
}

void op_scale(struct op *op, uint32_t scale)
{
    if (scale == 1 || op->kind == OP_CDB || op->kind == OP_TASK || op->kind == OP_MANAGE)
        return;
    must(op->lba % scale == 0 && op->blocks % scale == 0);
    if (op->cdb[0] == 0x42) {
        put_ranges(op, scale);
        return;
    }
    be64_put(op->cdb + 2, op->lba / scale);
    if (op->kind == OP_COMPARE_WRITE)
        op->cdb[13] = (uint8_t)(op->blocks / scale);
    else if (op->atomic)
        put_atomic_blocks(op, op->blocks / scale);
    else
        be32_put(op->cdb + 10, op->blocks / scale);
    if (op->kind == OP_FILL)
        widen_pattern(op, scale);
}

void op_begin(struct clients *clients, struct op *op)
{
    must(op->host < HOSTS && op->path < PATHS);
    op->begun_ns = world_now(clients->world);
    if (clients->begun)
        clients->begun(clients->begun_context, op);
    struct host *iscsi = clients->iscsi[op->host][op->path];
    if (iscsi) {
        host_take(iscsi, op);
        return;
    }
    struct part *part = clients->path[op->path];
    must(part);
    if (!world_living(clients->world, part->process)) {
        op_lose(clients, op);
        return;
    }
    struct item *item = item_new(ITEM_TICKET);
    item->port = part->port;
    item->tag = op->ticket;
    world_deliver(clients->world, part->process, item);
}

/* The stale limit, and what clocks, links and a busy unit may add to it. */
#define LATE_NS (MS(100) + MS(60))

/* From now on it is bounded when it can still be done. Bytes may lie in a sick line for as long as
 * its silence is not noticed. */
static void bound_it(struct clients *clients, struct op *op)
{
    const struct host *iscsi = clients->iscsi[op->host][op->path];
    uint64_t at = world_now(clients->world) + LATE_NS + (iscsi ? host_line_ns(iscsi) : 0);
    if (at < op->not_after_ns)
        op->not_after_ns = at;
}

void clients_leave(struct clients *clients, uint8_t host, uint8_t path)
{
    for (uint32_t i = 0; i < clients->count; i++) {
        struct op *op = clients->at[i];
        if (op->host != host || op->path != path || op->state != OP_STATE_WAITING || !op->begun_ns)
            continue;
        op->abandoned = true;
        bound_it(clients, op);
        if (clients->left)
            clients->left(clients->left_context, op);
    }
    if (clients->iscsi[host][path]) {
        host_drop(clients->iscsi[host][path]);
        return;
    }
    struct item *item = item_new(ITEM_TICKET);
    item->port = clients->path[path]->port;
    item->tag = TICKET_LEAVE | host;
    world_deliver(clients->world, clients->path[path]->process, item);
}

struct op *op_of(struct clients *clients, uint64_t ticket)
{
    return ticket > 0 && ticket <= clients->count ? clients->at[ticket - 1] : NULL;
}

uint32_t clients_count(const struct clients *clients)
{
    return clients->count;
}

static void end(struct clients *clients, struct op *op, enum op_state state)
{
    must(op->state == OP_STATE_WAITING); /* one answer each */
    op->state = state;
    op->ended_ns = world_now(clients->world);
    if (clients->ended)
        clients->ended(clients->ended_context, op);
}

void op_answer(struct clients *clients, struct op *op, uint8_t status, const uint8_t *sense,
               uint32_t sense_length, const uint8_t *in, uint32_t in_length)
{
    op->status = status;
    if (sense_length >= 14) { /* SPC-4 4.5.3, fixed format */
        op->sense_key = sense[2] & 0x0F;
        op->asc = sense[12];
        op->ascq = sense[13];
    }
    op->in_length = in_length < op->in_room ? in_length : op->in_room;
    if (op->in_length && in)
        memcpy(op->in, in, op->in_length);
    end(clients, op, OP_STATE_ANSWERED);
}

void op_lose(struct clients *clients, struct op *op)
{
    bound_it(clients, op);
    end(clients, op, OP_STATE_LOST);
}

void op_aborted(struct clients *clients, struct op *op)
{
    struct host *iscsi = clients->iscsi[op->host][op->path];
    if (iscsi)
        host_forget(iscsi);
    op->not_after_ns = world_now(clients->world);
    end(clients, op, OP_STATE_LOST);
}

void clients_path_down(struct clients *clients, uint8_t path)
{
    for (uint32_t i = 0; i < clients->count; i++) {
        struct op *op = clients->at[i];
        if (op->path == path && op->state == OP_STATE_WAITING && op->begun_ns)
            op_lose(clients, op);
    }
}
