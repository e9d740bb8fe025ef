/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_stamp.h"

#include <isa-l/crc.h>
#include <string.h>

#include "base/bytes.h"

static const uint8_t magic[8] = {'S', 'e', 'g', 'u', 'e', 'D', 'r', 'l'};

enum { AT_RUN = 8, AT_SEQUENCE = 16, AT_LBA = 24, AT_VOLUME = 32, AT_WRITER = 36, AT_BODY = 40 };
enum { AT_SUM = DRILL_BLOCK - 4 };

/* Every 8 bytes differ from those of any other write, so that half of a block from elsewhere
 * cannot look right by chance. */
static void body_fill(uint8_t *block, uint64_t seed)
{
    uint64_t x = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t at = AT_BODY; at < AT_SUM; at += 8) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        size_t length = AT_SUM - at < 8 ? AT_SUM - at : 8;
        memcpy(block + at, &x, length);
    }
}

void drill_stamp_write(uint8_t *block, const struct drill_stamp *stamp)
{
    memcpy(block, magic, sizeof magic);
    be64_put(block + AT_RUN, stamp->run);
    be64_put(block + AT_SEQUENCE, stamp->sequence);
    be64_put(block + AT_LBA, stamp->lba);
    be32_put(block + AT_VOLUME, stamp->volume);
    be32_put(block + AT_WRITER, stamp->writer);
    body_fill(block, stamp->run ^ stamp->sequence << 20 ^ stamp->lba);
    be32_put(block + AT_SUM, crc32_iscsi(block, AT_SUM, 0));
}

uint32_t drill_stamp_sum(const uint8_t *block)
{
    uint8_t copy[DRILL_BLOCK]; /* ISA-L's argument is not const */
    memcpy(copy, block, sizeof copy);
    return crc32_iscsi(copy, sizeof copy, 0xFFFFFFFFu);
}

static bool is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, DRILL_BLOCK - 1) == 0;
}

enum drill_stamp_kind drill_stamp_read(const uint8_t *block, struct drill_stamp *out)
{
    if (memcmp(block, magic, sizeof magic) != 0)
        return is_zero(block) ? DRILL_STAMP_ZERO : DRILL_STAMP_OTHER;
    *out = (struct drill_stamp){
        .run = be64_at(block + AT_RUN),
        .sequence = be64_at(block + AT_SEQUENCE),
        .lba = be64_at(block + AT_LBA),
        .volume = be32_at(block + AT_VOLUME),
        .writer = be32_at(block + AT_WRITER),
    };
    uint8_t copy[DRILL_BLOCK];
    memcpy(copy, block, sizeof copy);
    return crc32_iscsi(copy, AT_SUM, 0) == be32_at(block + AT_SUM) ? DRILL_STAMP_WHOLE
                                                                   : DRILL_STAMP_TORN;
}
