/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that change blocks in other ways than a write does, half done when their primary dies.
 */
#include <string.h>

#include "tests/story/stories.h"

enum { BLOCK = 512 };

/* A CDB of 16 bytes with LBA and blocks where most have them. */
static struct op *send16(struct story *s, const uint8_t *head, uint64_t lba, uint32_t blocks,
                         const uint8_t *out, uint32_t out_length, uint32_t in_room)
{
    uint8_t cdb[16] = {head[0], head[1]};
    be64_put(cdb + 2, lba);
    be32_put(cdb + 10, blocks);
    return story_send(s, op_cdb(s->site->clients, cdb, out, out_length, in_room), 0, 0);
}

static struct op *send_all(struct story *s, uint8_t code, uint8_t byte, uint64_t lba,
                           uint32_t blocks)
{
    uint8_t out[8 * BLOCK];
    memset(out, byte, sizeof out);
    return send16(s, (const uint8_t[]){code, 0}, lba, blocks, out, blocks * BLOCK, 0);
}

/* Each byte of these blocks is `byte`. */
static bool reads_on(struct story *s, int volume, uint64_t lba, uint32_t blocks, uint8_t byte)
{
    uint8_t cdb[16] = {0x88};
    be64_put(cdb + 2, lba);
    be32_put(cdb + 10, blocks);
    struct op *op =
        story_send(s, op_cdb(s->site->clients, cdb, NULL, 0, blocks * BLOCK), volume, 0);
    story_good(s, op, MS(1000));
    for (uint32_t i = 0; i < blocks * BLOCK; i++)
        if (op->in[i] != byte)
            return false;
    return op->in_length == blocks * BLOCK;
}

static bool reads_as(struct story *s, uint64_t lba, uint32_t blocks, uint8_t byte)
{
    return reads_on(s, 0, lba, blocks, byte);
}

/* ORWRITE has written one copy and not the other: it is carried out once more, on what it left. */
void story_or_write_half_done(struct story *s)
{
    enum { WRITE_16 = 0x8A, OR_WRITE_16 = 0x8B };
    story_good(s, send_all(s, WRITE_16, 0x0F, 640, 8), MS(1000));
    story_good(s, send_all(s, OR_WRITE_16, 0x30, 642, 4), MS(1000));
    story_assert(s, reads_as(s, 640, 2, 0x0F) && reads_as(s, 642, 4, 0x3F));
    story_mark(s);
    story_lose(s, "A", "L2", MESSAGE_DRIVE_COMMAND);
    struct op * or = send_all(s, OR_WRITE_16, 0x80, 641, 6);
    story_run(s, MS(5));
    story_assert(s, or->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, or, MS(200));
    story_expect(s, "B1 > adopt 1 commands, * -> serve\n"
                    "B1 > done *: status 00\n");
    story_assert(s, reads_as(s, 640, 1, 0x0F) && reads_as(s, 641, 1, 0x8F));
    story_assert(s, reads_as(s, 642, 4, 0xBF) && reads_as(s, 646, 1, 0x8F));
    story_assert(s, reads_as(s, 647, 1, 0x0F));
}

/* What GET LBA STATUS says of the granule at that LBA. */
static bool is_mapped(struct story *s, uint64_t lba)
{
    struct op *op = send16(s, (const uint8_t[]){0x9E, 0x12}, lba, 24, NULL, 0, 24);
    story_good(s, op, MS(1000));
    story_assert(s, op->in_length == 24 && be64_at(op->in + 8) == lba);
    return (op->in[20] & 0x0F) == 0;
}

/* UNMAP of whole granules and their edges, half done when the primary dies, is done by the next
 * one; a write to one of them then shows nothing of what was there, also after a power cut. */
void story_unmap_half_done(struct story *s)
{
    enum { WRITE_16 = 0x8A, GRANULE = 128 };
    story_assert(s, !is_mapped(s, GRANULE) && reads_as(s, GRANULE, 8, 0));
    for (uint64_t lba = GRANULE - 8; lba < 3 * GRANULE + 8; lba += 8)
        story_good(s, send_all(s, WRITE_16, 0x77, lba, 8), MS(1000));
    story_assert(s, is_mapped(s, GRANULE - 8) && is_mapped(s, 3 * GRANULE));
    struct op_range range = {GRANULE - 4, 2 * GRANULE + 8};
    story_lose(s, "A", "L2", MESSAGE_DRIVE_COMMAND);
    struct op *unmap = story_send(s, op_unmap(s->site->clients, &range, 1), 0, 0);
    story_run(s, MS(5));
    story_assert(s, unmap->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, unmap, MS(300));
    story_assert(s, reads_as(s, GRANULE - 4, 8, 0) && reads_as(s, GRANULE - 8, 4, 0x77));
    story_assert(s, reads_as(s, 3 * GRANULE, 4, 0) && reads_as(s, 3 * GRANULE + 4, 4, 0x77));
    story_assert(s, !is_mapped(s, GRANULE) && !is_mapped(s, 2 * GRANULE));
    story_good(s, send_all(s, WRITE_16, 0x11, GRANULE + 8, 8), MS(1000));
    story_assert(s, is_mapped(s, GRANULE + 8) && !is_mapped(s, 2 * GRANULE));
    story_power_cut(s);
    story_restore(s, "A", "L2");
    site_start(s->site);
    story_until(s, site_primary(s->site, 0) >= 0 && site_primary(s->site, 1) >= 0, MS(20000));
    story_settle_attentions(s);
    story_assert(s, reads_as(s, GRANULE, 8, 0) && reads_as(s, GRANULE + 8, 8, 0x11));
    story_assert(s, reads_as(s, GRANULE + 16, 8, 0) && reads_as(s, 2 * GRANULE, 8, 0));
}

/* Acknowledged data in the mirrors over granules that no drive knows of: they count as mapped, and
 * the next primary maps them. */
void story_mirror_over_unmapped_granules(struct story *s)
{
    enum { GRANULE = 128 };
    story_lose(s, "A", "L1", MESSAGE_DRIVE_COMMAND);
    story_lose(s, "A", "L2", MESSAGE_DRIVE_COMMAND);
    struct op *w = story_write(s, 0, 5 * GRANULE - 4, 8, 0);
    story_assert(s, !is_mapped(s, 4 * GRANULE - 1));
    story_assert(s, is_mapped(s, 4 * GRANULE) && is_mapped(s, 6 * GRANULE - 1));
    story_assert(s, !is_mapped(s, 6 * GRANULE) && reads_as(s, 6 * GRANULE, 1, 0));
    story_crash(s, "A");
    story_good(s, story_send_write(s, 0, 5 * GRANULE + 8, 8, 0), MS(300));
    story_assert(s, story_stamp(s, 0, 5 * GRANULE - 4, 0) == w->stamp);
    story_assert(s, reads_as(s, 5 * GRANULE - 8, 4, 0));
    story_flush(s, 0, 0);
    story_assert(s, is_mapped(s, 4 * GRANULE) && is_mapped(s, 5 * GRANULE));
    story_assert(s, !is_mapped(s, 6 * GRANULE));
}

/* Every byte of the block tells where it was written. */
static struct op *send_pattern(struct story *s, uint64_t lba, uint8_t first)
{
    enum { WRITE_16 = 0x8A };
    uint8_t out[8 * BLOCK];
    for (uint32_t i = 0; i < 8; i++)
        memset(out + i * BLOCK, first + (int)i, BLOCK);
    return send16(s, (const uint8_t[]){WRITE_16, 0}, lba, 8, out, sizeof out, 0);
}

/* From volume `from` to volume `to`, sent to volume 0; they are named by their UUID. */
static struct op *send_copy(struct story *s, const int volumes[2], uint64_t from_lba,
                            uint64_t to_lba, uint16_t blocks)
{
    enum { UUID_AT = 4 + 12 + 44 + 4 }; /* in page 83 */
    uint8_t list[16 + 2 * 32 + 28] = {7}, cdb[16] = {0x83, [13] = sizeof list};
    be16_put(list + 2, 64);
    be32_put(list + 8, 28);
    for (int v = 0; v < 2; v++) {
        const uint8_t inquiry[16] = {0x12, 1, 0x83, 0, 255};
        struct op *op =
            story_send(s, op_cdb(s->site->clients, inquiry, NULL, 0, 255), volumes[v], 0);
        story_good(s, op, MS(1000));
        uint8_t *target = list + 16 + 32 * v;
        target[0] = 0xE4;
        target[4] = 1;
        target[5] = 0x0A;
        target[7] = 18;
        memcpy(target + 8, op->in + UUID_AT, 18);
    }
    uint8_t *segment = list + 16 + 64;
    segment[0] = 2;
    segment[3] = 24;
    segment[7] = 1;
    be16_put(segment + 10, blocks);
    be64_put(segment + 12, from_lba);
    be64_put(segment + 20, to_lba);
    return story_send(s, op_cdb(s->site->clients, cdb, list, sizeof list, 0), 0, 0);
}

/* A copy, and a write of what it has read: both are on the drives when their primary dies, and that
 * they are done nobody has heard. The next one copies the older data. */
void story_copy_is_over_when_all_know_it(struct story *s)
{
    story_good(s, send_pattern(s, 0, 0x10), MS(1000));
    story_flush(s, 0, 0);
    story_run(s, MS(50));
    struct op *copy = send_copy(s, (const int[]){0, 0}, 0, 8192, 8);
    story_hold(s, "B", "A", MESSAGE_HELD);
    story_mark(s);
    struct op *after = send_pattern(s, 0, 0x70);
    story_until(s, story_count(s, "B1 > ready *: held") == 2, MS(50));
    story_lose(s, "A", "B", MESSAGE_STREAM);
    story_restore(s, "B", "A");
    story_run(s, MS(50));
    story_assert(s, story_said(s, "A1 > resolve * -> status 00"));
    story_crash(s, "A");
    story_answered(s, copy, MS(1000));
    story_good(s, after, MS(1000));
    story_assert(s, reads_as(s, 8192, 1, 0x10) && reads_as(s, 8199, 1, 0x17));
    story_assert(s, reads_as(s, 0, 1, 0x70) && reads_as(s, 7, 1, 0x77));
}

/* EXTENDED COPY dies with its primary between two pieces; the next one copies all of it. Writes
 * that come meanwhile, to either volume, wait. */
void story_copy_across_a_takeover(struct story *s)
{
    enum { PIECES = 3, PIECE = COMMAND_DATA_MAX / BLOCK };
    const int volumes[2] = {0, 1};
    for (uint64_t i = 0; i < PIECES; i++)
        story_good(s, send_pattern(s, i * PIECE + 16, (uint8_t)(i * 16 + 1)), MS(1000));
    struct op *other = send_copy(s, volumes, 16, 4096, 8);
    story_good(s, other, MS(1000));
    story_assert(s, reads_on(s, 1, 4096, 1, 1) && reads_on(s, 1, 4103, 1, 8));
    story_hold(s, "L2", "A", MESSAGE_DRIVE_RESPONSE);
    struct op *copy = send_copy(s, (const int[]){0, 0}, 0, 8192, PIECES * PIECE);
    story_until(s, story_held(s, "L2", "A"), MS(100));
    struct op *after = send_pattern(s, 8192 + PIECE + 16, 0x70);
    story_run(s, MS(5));
    story_assert(s, copy->state == OP_STATE_WAITING && after->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, copy, MS(1000));
    story_good(s, after, MS(1000));
    for (uint64_t i = 0; i < PIECES; i++) {
        uint8_t first = i == 1 ? 0x70 : (uint8_t)(i * 16 + 1);
        story_assert(s, reads_as(s, 8192 + i * PIECE + 16, 1, first));
        story_assert(s, reads_as(s, 8192 + i * PIECE + 23, 1, (uint8_t)(first + 7)));
    }
    story_assert(s, reads_as(s, 8192, 16, 0));
}

/* ---- all or nothing ---- */

enum { ATOMIC_BLOCKS = 96, ATOMIC_LBA = 2048 - 50 }; /* over the end of a region */

static struct op *send_atomic(struct story *s, uint8_t byte)
{
    uint8_t out[ATOMIC_BLOCKS * BLOCK], cdb[16] = {0x9C};
    memset(out, byte, sizeof out);
    be64_put(cdb + 2, ATOMIC_LBA);
    be16_put(cdb + 12, ATOMIC_BLOCKS);
    return story_send(s, op_cdb(s->site->clients, cdb, out, sizeof out, 0), 0, 0);
}

static void restart_all(struct story *s)
{
    site_start(s->site);
    story_until(s, site_primary(s->site, 0) >= 0 && site_primary(s->site, 1) >= 0, MS(20000));
    story_settle_attentions(s);
}

/* Everything loses power at some moment of a WRITE ATOMIC: all of it is there, or nothing. */
void story_atomic_write_and_power_cut(struct story *s)
{
    uint32_t there = 0, away = 0;
    uint8_t holds = 0;
    for (uint8_t round = 1; round <= 24; round++) {
        struct op *write = send_atomic(s, round);
        story_run(s, round * 60000u);
        bool good = write->state == OP_STATE_ANSWERED && write->status == 0;
        story_power_cut(s);
        restart_all(s);
        bool is_new = reads_as(s, ATOMIC_LBA, ATOMIC_BLOCKS, round);
        story_assert(s, is_new || reads_as(s, ATOMIC_LBA, ATOMIC_BLOCKS, holds));
        story_assert(s, is_new || !good);
        holds = is_new ? round : holds;
        there += is_new;
        away += !is_new;
    }
    story_assert(s, there > 2 && away > 2);
}

/* The primary dies with some of the blocks written: the next one plays the record, and carries out
 * the whole command. */
void story_atomic_write_half_done(struct story *s)
{
    story_good(s, send_atomic(s, 1), MS(1000));
    story_lose(s, "A", "L2", MESSAGE_DRIVE_COMMAND);
    struct op *write = send_atomic(s, 2);
    story_run(s, MS(5));
    story_assert(s, write->state == OP_STATE_WAITING);
    story_crash(s, "A");
    story_good(s, write, MS(300));
    story_assert(s, reads_as(s, ATOMIC_LBA, ATOMIC_BLOCKS, 2));
}

/* ---- SANITIZE ---- */

static struct op *send_sanitize(struct story *s, uint8_t action, uint8_t passes)
{
    uint8_t cdb[16] = {0x48, action, [8] = passes ? 12 : 0};
    const uint8_t list[12] = {passes, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    return story_send(s, op_cdb(s->site->clients, cdb, list, passes ? 12 : 0, 0), 0, 0);
}

static bool is_sanitizing(struct story *s)
{
    static const uint8_t ready[16];
    struct op *op = story_send(s, op_cdb(s->site->clients, ready, NULL, 0, 0), 0, 0);
    story_answered(s, op, MS(1000));
    if (op->status == 0)
        return false;
    story_assert(s, op->sense_key == 2 && op->asc == 0x04 && op->ascq == 0x1B);
    return true;
}

static bool holds_pattern(struct story *s, uint64_t lba)
{
    uint8_t cdb[16] = {0x88};
    be64_put(cdb + 2, lba);
    be32_put(cdb + 10, 8);
    struct op *op = story_send(s, op_cdb(s->site->clients, cdb, NULL, 0, 8 * BLOCK), 0, 0);
    story_good(s, op, MS(1000));
    for (uint32_t i = 0; i < op->in_length; i++)
        if (op->in[i] != i % 8 + 1)
            return false;
    return op->in_length == 8 * BLOCK;
}

/* The primary dies while a volume is being sanitized: the next one goes on, the command that waits
 * for the end is answered then, and nobody reads or writes before. */
void story_sanitize_across_a_takeover(struct story *s)
{
    enum { WRITE_16 = 0x8A, OVERWRITE = 1 };
    story_good(s, send_all(s, WRITE_16, 0x77, 512, 8), MS(1000));
    story_flush(s, 0, 0);
    story_hold(s, "L2", "A", MESSAGE_DRIVE_RESPONSE);
    struct op *sanitize = send_sanitize(s, OVERWRITE, 3);
    story_until(s, story_held(s, "L2", "A"), MS(1000));
    story_assert(s, sanitize->state == OP_STATE_WAITING && is_sanitizing(s));
    story_crash(s, "A");
    story_good(s, sanitize, MS(3000));
    story_assert(s, !is_sanitizing(s));
    story_assert(s, holds_pattern(s, 512) && holds_pattern(s, 0) && holds_pattern(s, 4088));
    story_good(s, send_all(s, WRITE_16, 0x11, 512, 8), MS(1000));
    story_assert(s, reads_as(s, 512, 8, 0x11));
}

/* Everything loses power while a volume is being sanitized: it goes on. Everything loses power when
 * that is over: it does not begin again, over what was written since. */
void story_sanitize_and_power_cuts(struct story *s)
{
    enum { WRITE_16 = 0x8A, ERASE = 2, IMMED = 0x80 };
    story_good(s, send_all(s, WRITE_16, 0x77, 512, 8), MS(1000));
    story_hold(s, "L2", "A", MESSAGE_DRIVE_RESPONSE);
    struct op *waits = send_sanitize(s, ERASE, 0);
    story_until(s, is_sanitizing(s), MS(1000));
    story_run(s, MS(50)); /* the state is on the drives */
    story_assert(s, waits->state == OP_STATE_WAITING);
    story_power_cut(s);
    story_restore(s, "L2", "A");
    restart_all(s);
    story_until(s, !is_sanitizing(s), MS(5000));
    story_assert(s, !is_mapped(s, 512) && reads_as(s, 512, 8, 0));
    story_good(s, send_all(s, WRITE_16, 0x22, 512, 8), MS(1000));
    story_power_cut(s);
    restart_all(s);
    story_assert(s, !is_sanitizing(s) && reads_as(s, 512, 8, 0x22));
    story_good(s, send_sanitize(s, ERASE | IMMED, 0), MS(1000));
    story_until(s, !is_sanitizing(s), MS(5000));
    story_good(s, send_all(s, WRITE_16, 0x33, 512, 8), MS(1000));
    story_power_cut(s);
    restart_all(s);
    story_run(s, MS(1000));
    story_assert(s, !is_sanitizing(s) && reads_as(s, 512, 8, 0x33));
}
