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
static bool reads_as(struct story *s, uint64_t lba, uint32_t blocks, uint8_t byte)
{
    struct op *op = send16(s, (const uint8_t[]){0x88, 0}, lba, blocks, NULL, 0, blocks * BLOCK);
    story_good(s, op, MS(1000));
    for (uint32_t i = 0; i < blocks * BLOCK; i++)
        if (op->in[i] != byte)
            return false;
    return op->in_length == blocks * BLOCK;
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
