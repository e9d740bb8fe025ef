/* SPDX-License-Identifier: Apache-2.0 */
/* What the drives of pools hold of each other: copies, parity. */
#include <stdio.h>
#include <string.h>

#include "array/layout.h"
#include "array/parity_check.h"
#include "sim/site.h"

/* So many drives from `first` on are a set, and so many of them must be there. */
uint8_t site_set(const struct site_pool *pool, uint8_t *needed)
{
    uint8_t count = pool->drive_count;
    *needed = 1;
    switch ((enum raid_level)pool->level) {
    case RAID_0:
        return 1;
    case RAID_10:
        return 2;
    case RAID_1:
        break;
    case RAID_5:
        *needed = (uint8_t)(count - 1);
        break;
    case RAID_6:
        *needed = (uint8_t)(count - 2);
        break;
    }
    return count;
}

bool site_only_copy(const struct site *site, int loop, int group)
{
    for (int p = 0; p < site->pools; p++) {
        const struct site_pool *pool = &site->pool[p];
        const struct record *record = cell_record(site->world, pool->group);
        uint8_t needed, set = site_set(pool, &needed);
        for (int first = 0; pool->group == group && first < pool->drive_count; first += set) {
            int good = 0;
            for (int i = first; i < first + set && i < pool->drive_count; i++)
                good += record->drive_state[pool->drives[i]] == DRIVE_STATE_GOOD &&
                        pool->drives[i] / 32 != loop;
            if (good < needed)
                return true;
        }
    }
    return false;
}

bool site_no_copy(const struct site *site)
{
    for (int g = 0; g < site->options.groups; g++)
        if (site_only_copy(site, -1, g))
            return true;
    return false;
}

static bool mirror_pair_equal(const struct site *site, const struct record *record, int a, int b,
                              char *sentence, uint32_t bytes)
{
    enum { PIECE = 4096 };
    if (record->drive_state[a] != DRIVE_STATE_GOOD || record->drive_state[b] != DRIVE_STATE_GOOD)
        return true;
    uint64_t end = LAYOUT_DATA + layout_data_bytes(site->options.drive_bytes);
    const uint8_t *x = disk_bytes(site->world, a), *y = disk_bytes(site->world, b);
    for (uint64_t at = LAYOUT_DATA; at < end; at += PIECE)
        if ((disk_touched(site->world, a, at, PIECE) || disk_touched(site->world, b, at, PIECE)) &&
            memcmp(x + at, y + at, PIECE) != 0) {
            while (memcmp(x + at, y + at, BLOCK_BYTES) == 0)
                at += BLOCK_BYTES;
            snprintf(sentence, bytes, "drives %d and %d differ at byte %llu (stamps %llu, %llu)", a,
                     b, (unsigned long long)at, (unsigned long long)be64_at(x + at + 8),
                     (unsigned long long)be64_at(y + at + 8));
            return false;
        }
    return true;
}

/* P, and Q, are those of the data, if all drives are good. */
static bool parity_right(const struct site *site, const struct site_pool *pool, char *sentence,
                         uint32_t bytes)
{
    enum { PIECE = 4096 };
    const uint8_t *at[DRIVE_MAX];
    const struct record *record = cell_record(site->world, pool->group);
    uint32_t chunk = site->options.chunk_bytes ? site->options.chunk_bytes : 64u << 10;
    for (int i = 0; i < pool->drive_count; i++) {
        if (record->drive_state[pool->drives[i]] != DRIVE_STATE_GOOD)
            return true;
        at[i] = disk_bytes(site->world, pool->drives[i]) + LAYOUT_DATA;
    }
    uint64_t end = layout_data_bytes(site->options.drive_bytes);
    for (uint64_t row = 0; row < end; row += PIECE) {
        bool touched = false;
        for (int i = 0; i < pool->drive_count && !touched; i++)
            touched = disk_touched(site->world, pool->drives[i], LAYOUT_DATA + row, PIECE);
        int64_t wrong =
            !touched ? -1
                     : parity_check_wrong(at, pool->drive_count, pool->level == RAID_5 ? 1 : 2, row,
                                          row + PIECE, chunk);
        if (wrong < 0)
            continue;
        snprintf(sentence, bytes, "parity of group %d is not that of the data at byte %lld",
                 pool->group, (long long)wrong);
        return false;
    }
    return true;
}

bool site_mirrors_equal(const struct site *site, char *sentence, uint32_t bytes)
{
    for (int p = 0; p < site->pools; p++) {
        const struct site_pool *pool = &site->pool[p];
        const struct record *record = cell_record(site->world, pool->group);
        bool parity = pool->level == RAID_5 || pool->level == RAID_6;
        int step = pool->level == RAID_10 ? 2 : 1;
        if (parity && !parity_right(site, pool, sentence, bytes))
            return false;
        for (int i = 0; pool->level != RAID_0 && !parity && i + 1 < pool->drive_count; i += step)
            if (!mirror_pair_equal(site, record, pool->drives[i], pool->drives[i + 1], sentence,
                                   bytes))
                return false;
    }
    return true;
}
