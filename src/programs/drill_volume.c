/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool drill_volume_init(struct drill_volume *v, const char *name, uint32_t number, uint64_t run,
                       uint32_t blocks)
{
    *v = (struct drill_volume){.number = number, .run = run, .blocks = blocks};
    snprintf(v->name, sizeof v->name, "%s", name);
    v->history = drill_history_new(blocks);
    v->first_sum = calloc(blocks, sizeof *v->first_sum);
    return v->history && v->first_sum;
}

void drill_volume_free(struct drill_volume *v)
{
    drill_history_free(v->history);
    free(v->first_sum);
    v->history = NULL;
    v->first_sum = NULL;
}

uint32_t drill_volume_learn(struct drill_volume *v, uint64_t lba, const uint8_t *data,
                            uint32_t blocks)
{
    uint32_t foreign = 0;
    for (uint32_t i = 0; i < blocks; i++) {
        struct drill_stamp stamp;
        const uint8_t *block = data + (size_t)i * DRILL_BLOCK;
        v->first_sum[lba + i] = drill_stamp_sum(block);
        if (drill_stamp_read(block, &stamp) == DRILL_STAMP_OTHER)
            foreign++;
    }
    return foreign;
}

bool drill_volume_write(struct drill_volume *v, uint64_t lba, uint8_t *data, uint32_t blocks,
                        uint64_t sequence, uint32_t writer)
{
    uint64_t start = drill_history_tick(v->history);
    for (uint32_t i = 0; i < blocks; i++) {
        struct drill_stamp stamp = {v->run, sequence, lba + i, v->number, writer};
        drill_stamp_write(data + (size_t)i * DRILL_BLOCK, &stamp);
        if (!drill_history_write_begin(v->history, (uint32_t)(lba + i), sequence, start))
            return false;
    }
    return true;
}

void drill_volume_written(struct drill_volume *v, uint64_t lba, uint32_t blocks, uint64_t sequence,
                          uint64_t end)
{
    for (uint32_t i = 0; i < blocks; i++)
        drill_history_write_end(v->history, (uint32_t)(lba + i), sequence, end);
}

/* NULL and the value that the block holds, or what is wrong with it. */
static const char *value_of(const struct drill_volume *v, uint64_t lba, const uint8_t *block,
                            struct drill_stamp *stamp, uint64_t *value)
{
    *stamp = (struct drill_stamp){0};
    enum drill_stamp_kind kind = drill_stamp_read(block, stamp);
    *value = 0;
    if (kind == DRILL_STAMP_WHOLE && stamp->run == v->run) {
        *value = stamp->sequence;
        return stamp->lba == lba && stamp->volume == v->number ? NULL : "misplaced";
    }
    if (drill_stamp_sum(block) == v->first_sum[lba])
        return NULL;
    *value = stamp->sequence;
    switch (kind) {
    case DRILL_STAMP_TORN:
        return "torn";
    case DRILL_STAMP_ZERO:
        return "zeroed";
    case DRILL_STAMP_WHOLE:
        return "of an earlier drill";
    case DRILL_STAMP_OTHER:
        break;
    }
    return "foreign";
}

static void describe(const struct drill_volume *v, uint64_t lba, const char *what,
                     const struct drill_stamp *stamp, char *sentence, size_t bytes)
{
    uint64_t could[4];
    char list[100] = "";
    uint32_t count = drill_history_values(v->history, (uint32_t)lba, could, 4);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        int n = snprintf(list + at, sizeof list - at, "%s%" PRIu64, i ? ", " : "", could[i]);
        if (n < 0 || (size_t)n >= sizeof list - at)
            break;
        at += (size_t)n;
    }
    snprintf(sentence, bytes,
             "volume %s block %" PRIu64 ": %s: it holds write %" PRIu64 " (of block %" PRIu64
             " of volume number %" PRIu32 ", by path %" PRIu32
             "), and could hold %s (0: as it was found)",
             v->name, lba, what, stamp->sequence, stamp->lba, stamp->volume, stamp->writer, list);
}

uint32_t drill_volume_judge(struct drill_volume *v, uint64_t lba, const uint8_t *data,
                            uint32_t blocks, const struct drill_read *read, uint64_t end,
                            char *sentence, size_t sentence_bytes)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < blocks; i++) {
        uint64_t value;
        struct drill_stamp stamp;
        const char *what = value_of(v, lba + i, data + (size_t)i * DRILL_BLOCK, &stamp, &value);
        if (!what) {
            enum drill_verdict verdict =
                drill_history_read_value(v->history, (uint32_t)(lba + i), value, read, end);
            if (verdict == DRILL_VERDICT_GOOD)
                continue;
            what = drill_verdict_name(verdict);
        }
        if (wrong++ == 0)
            describe(v, lba + i, what, &stamp, sentence, sentence_bytes);
    }
    return wrong;
}
