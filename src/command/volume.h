/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_VOLUME_H
#define SEGUE_COMMAND_VOLUME_H

/* What the device server needs to know of a volume, and the classes by which commands overlap. */

#include "command/names.h"

struct volume_info {
    uint16_t index; /* the group's number */
    uint8_t uuid[16];
    char name[NAME_BYTES];
    uint64_t blocks;           /* logical blocks */
    uint32_t block_bytes;      /* 512 or 4096 */
    uint32_t granule_blocks;   /* unmapped are so many together, from a multiple of it; 0: none */
    uint32_t atomic_blocks;    /* may be written all or nothing; 0: no */
    uint8_t physical_exponent; /* physical block = 2^n logical ones (512e: 3) */
    bool read_only;
    bool write_cache; /* the pool's mode answers writes from memory: WCE=1 */
};

/* How a command shares a volume with others. Two commands overlap when one is BARRIER (or both have
 * ranges that meet) and not both only READ. NONE overlaps with nothing but a BARRIER. */
enum overlap_class { OVERLAP_NONE, OVERLAP_READ, OVERLAP_WRITE, OVERLAP_BARRIER };

struct extent {
    enum overlap_class class;
    uint64_t lba;
    uint64_t blocks;
};

static inline bool extents_overlap(const struct extent *a, const struct extent *b)
{
    if (a->class == OVERLAP_BARRIER || b->class == OVERLAP_BARRIER)
        return true;
    if (a->class == OVERLAP_NONE || b->class == OVERLAP_NONE)
        return false;
    if (a->class == OVERLAP_READ && b->class == OVERLAP_READ)
        return false;
    return a->lba < b->lba + b->blocks && b->lba < a->lba + a->blocks;
}

#endif
