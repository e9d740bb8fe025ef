/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_LAYOUT_H
#define SEGUE_ARRAY_LAYOUT_H

/* What is where on a drive of a pool. All numbers big-endian; every block is 4096 bytes, carries a
 * magic, a version and a CRC32C (of the block with the checksum field zero), and is written alone.
 *
 *        0  superblock
 *     4096  write-intent map, slot 0
 *     8192  write-intent map, slot 1: the newer valid one counts, and is not written over
 *    12288  header of state slot 0: written after its blob; the newest valid one counts
 *    16384  header of state slot 1
 *    20480  heads of the redo records, one block each
 *    1 MiB  state slot 0: the blob
 *    2 MiB  state slot 1: the blob
 *    3 MiB  provisioning map: two slots for each of its blocks, used as those of the map above
 *    4 MiB  data, a multiple of 1 MiB
 *   after it  what the redo records hold: 1 MiB for each
 *   end-4K  superblock, copy (end: the drive's size rounded down to 4096)
 */

#include "base/bytes.h"
#include "command/limits.h"

enum {
    LAYOUT_BLOCK = 4096,
    LAYOUT_VERSION = 1,
    LAYOUT_VERSION_PROVISIONED = 2, /* of a superblock: the pool keeps a provisioning map */
    LAYOUT_VERSION_REDO = 3,        /* ... and has room for redo records */
    LAYOUT_SUPERBLOCK = 0,
    LAYOUT_MAP = 4096,
    LAYOUT_STATE_HEADER = 12288,
    LAYOUT_REDO = 20480,
    REDO_SLOTS = 4,                                              /* records of a pool at a time */
    LAYOUT_HEAD_BYTES = LAYOUT_REDO + REDO_SLOTS * LAYOUT_BLOCK, /* all of the above in one read */
    LAYOUT_STATE = 1 << 20,
    LAYOUT_STATE_BYTES = 1 << 20, /* of one slot */
    LAYOUT_PROVISION = 3 << 20,
    LAYOUT_DATA = 4 << 20,
    LAYOUT_UNIT = 1 << 20,     /* extents and data areas are multiples of this */
    LAYOUT_REGION_MAX = 32256, /* regions of a pool: the bits of one block, less its head */
    PROVISION_BLOCKS_MAX = (LAYOUT_DATA - LAYOUT_PROVISION) / (2 * LAYOUT_BLOCK),
    PROVISION_WORDS = 252, /* of each of its bitmaps in one block */
    PROVISION_GRANULES = 64 * PROVISION_WORDS,
    GRANULE_BYTES = 64 << 10, /* the least */
    REDO_BYTES_MAX = 1 << 20, /* of data in one redo record */
    REDO_PLACES_MAX = 168,
};

struct disk_superblock {
    uint8_t magic[8];
    struct be32 version, crc;
    struct be64 generation; /* grows whenever the table of drives changes */
    uint8_t pool_uuid[16];
    uint8_t drive_uuid[16];
    char pool_name[NAME_BYTES];
    uint8_t group, level, drive_count, position;
    struct be32 chunk_bytes;
    struct be64 data_start, data_bytes; /* of this drive */
    uint8_t reserved[16];
    struct be32 incarnation[DRIVE_MAX]; /* per position: which drive holds it now, counted up when
                                           another one takes its place */
};
_Static_assert(sizeof(struct disk_superblock) == 128 + 4 * DRIVE_MAX, "superblock");
_Static_assert(offsetof(struct disk_superblock, crc) == 12, "superblock");
_Static_assert(offsetof(struct disk_superblock, pool_uuid) == 24, "superblock");
_Static_assert(offsetof(struct disk_superblock, group) == 88, "superblock");
_Static_assert(offsetof(struct disk_superblock, data_start) == 96, "superblock");
_Static_assert(offsetof(struct disk_superblock, incarnation) == 128, "superblock");

struct disk_map {
    uint8_t magic[8];
    struct be32 version, crc;
    uint8_t pool_uuid[16];
    struct be64 sequence;
    struct be64 region_bytes;
    uint8_t doubt; /* 1: copies of some of these regions may differ, whoever leads next */
    uint8_t reserved[15];
    struct be64 bits[LAYOUT_REGION_MAX / 64]; /* region i: bit i % 64 of number i / 64 */
};
_Static_assert(sizeof(struct disk_map) == LAYOUT_BLOCK, "map");
_Static_assert(offsetof(struct disk_map, sequence) == 32, "map");
_Static_assert(offsetof(struct disk_map, bits) == 64, "map");

/* Granule i of the pool's data: bit i % 64 of number i / 64, of all its blocks together. */
struct disk_provision {
    uint8_t magic[8];
    struct be32 version, crc;
    uint8_t pool_uuid[16];
    struct be64 sequence;
    struct be64 granule_bytes;
    struct be32 number; /* which block of the map */
    uint8_t reserved[12];
    struct be64 mapped[PROVISION_WORDS];
    struct be64 stale[PROVISION_WORDS]; /* the drives may hold something else than zeroes there */
};
_Static_assert(sizeof(struct disk_provision) == LAYOUT_BLOCK, "provision");
_Static_assert(offsetof(struct disk_provision, sequence) == 32, "provision");
_Static_assert(offsetof(struct disk_provision, mapped) == 64, "provision");

/* Which bytes change; they follow each other in the record's data. */
struct disk_redo_place {
    uint8_t first, count; /* REDO_DRIVES: positions of the drives that get it */
    uint8_t reserved[2];
    struct be32 length;
    struct be64 offset; /* REDO_DATA: in the pool's data; REDO_DRIVES: in their data areas */
    struct be32 crc;    /* of the bytes */
    uint8_t reserved2[4];
};
_Static_assert(sizeof(struct disk_redo_place) == 24, "redo place");
_Static_assert(offsetof(struct disk_redo_place, offset) == 8, "redo place");

struct disk_redo {
    uint8_t magic[8];
    struct be32 version, crc;
    uint8_t pool_uuid[16];
    struct be64 epoch; /* that wrote it */
    uint8_t kind;      /* enum redo_kind */
    uint8_t slot;
    struct be16 places;
    uint8_t reserved[20];
    struct disk_redo_place place[REDO_PLACES_MAX];
};
_Static_assert(sizeof(struct disk_redo) == LAYOUT_BLOCK, "redo");
_Static_assert(offsetof(struct disk_redo, kind) == 40, "redo");
_Static_assert(offsetof(struct disk_redo, place) == 64, "redo");

struct disk_state_header {
    uint8_t magic[8];
    struct be32 version, crc;
    struct be64 generation;
    struct be32 length, blob_crc;
};
_Static_assert(sizeof(struct disk_state_header) == 32, "state header");
_Static_assert(offsetof(struct disk_state_header, generation) == 16, "state header");

/* The same in host order. */
struct superblock {
    uint64_t generation;
    bool provisioned, redo;
    uint8_t pool_uuid[16];
    char pool_name[NAME_BYTES];
    uint8_t group, level, drive_count, position;
    uint32_t chunk_bytes;
    uint64_t data_bytes;
    uint32_t incarnation[DRIVE_MAX];
};

struct state_header {
    uint64_t generation;
    uint32_t length, crc;
};

/* What the places of a redo record are. */
enum redo_kind {
    REDO_DATA = 1, /* of the pool's data, wherever its level keeps that */
    REDO_DRIVES,   /* of certain drives: data and parity of one stripe, say */
};

struct redo_place {
    uint8_t first, count; /* REDO_DRIVES: positions of the drives */
    uint64_t offset;      /* in the pool's data; in the data area of each of these drives */
    uint32_t length;
    uint32_t crc;
};

struct bits;

/* Each writes a whole block. The drive's own uuid is made of the pool's, position and incarnation.
 */
void layout_put_superblock(uint8_t *block, const struct superblock *from);
void layout_put_map(uint8_t *block, const uint8_t *pool_uuid, uint64_t sequence,
                    uint64_t region_bytes, bool doubt, const struct bits *bits);
/* `mapped` and `stale`: PROVISION_WORDS words each. */
void layout_put_provision(uint8_t *block, const uint8_t *pool_uuid, uint64_t sequence,
                          uint64_t granule_bytes, uint32_t number, const uint64_t *mapped,
                          const uint64_t *stale);
/* The head of a redo record: places are added, then it is sealed. */
void layout_put_redo(uint8_t *block, const uint8_t *pool_uuid, uint64_t epoch, uint8_t slot,
                     enum redo_kind kind);
void layout_add_redo_place(uint8_t *block, const struct redo_place *place);
void layout_seal_redo(uint8_t *block);
void layout_put_state_header(uint8_t *block, const struct state_header *from);

/* False: not such a block, damaged, or of a version that we do not know. */
bool layout_get_superblock(const uint8_t *block, struct superblock *out);
bool layout_get_map(const uint8_t *block, const uint8_t *pool_uuid, uint64_t region_bytes,
                    uint64_t *sequence, struct bits *out);
bool layout_map_doubt(const uint8_t *block); /* of a good one */
/* A block that is all zeroes is good too: it was never written, and has sequence 0. */
bool layout_get_provision(const uint8_t *block, const uint8_t *pool_uuid, uint64_t granule_bytes,
                          uint32_t number, uint64_t *sequence, uint64_t *mapped, uint64_t *stale);
/* The head of a record of that pool in that slot; *bytes: of its data. */
bool layout_get_redo(const uint8_t *block, const uint8_t *pool_uuid, uint8_t slot,
                     enum redo_kind *kind, uint32_t *places, uint32_t *bytes);
struct redo_place layout_redo_place(const uint8_t *block, uint32_t i); /* of a good one */
bool layout_get_state_header(const uint8_t *block, struct state_header *out);

uint32_t layout_crc(const uint8_t *bytes, uint32_t length);
uint64_t layout_superblock_copy(uint64_t drive_bytes); /* offset of the copy at the end */
/* What a new pool has of it for data; 0: too small for a pool. */
uint64_t layout_data_bytes(uint64_t drive_bytes);
/* Has it room for a data area of that size, with redo records or, in an old pool, without? */
bool layout_fits(uint64_t drive_bytes, uint64_t data_bytes, bool redo);
uint64_t layout_redo_data(uint64_t data_bytes, uint8_t slot); /* offset of a record's data */
uint64_t layout_region_bytes(uint64_t data_bytes);  /* a power of two, at least LAYOUT_UNIT */
uint64_t layout_granule_bytes(uint64_t pool_bytes); /* a power of two, at least GRANULE_BYTES */
uint64_t layout_map_slot(uint64_t sequence);        /* offset of the slot that it is written to */

#endif
