/* SPDX-License-Identifier: Apache-2.0 */
#include "array/layout.h"

#include <isa-l.h>

#include "array/bits.h"
#include "base/must.h"

static const uint8_t superblock_magic[8] = {'S', 'e', 'g', 'u', 'e', 'D', 'r', 'v'};
static const uint8_t map_magic[8] = {'S', 'e', 'g', 'u', 'e', 'M', 'a', 'p'};
static const uint8_t provision_magic[8] = {'S', 'e', 'g', 'u', 'e', 'P', 'r', 'o'};
static const uint8_t redo_magic[8] = {'S', 'e', 'g', 'u', 'e', 'R', 'e', 'd'};
static const uint8_t state_magic[8] = {'S', 'e', 'g', 'u', 'e', 'S', 't', 'a'};

enum { MAGIC_AT = 0, VERSION_AT = 8, CRC_AT = 12 };

uint32_t layout_crc(const uint8_t *bytes, uint32_t length)
{
    uintptr_t address = (uintptr_t)bytes; /* ISA-L takes it as not const, and only reads */
    return crc32_iscsi((void *)address, (int)length, 0xFFFFFFFFu);
}

static void begin(uint8_t *block, const uint8_t *magic)
{
    memset(block, 0, LAYOUT_BLOCK);
    memcpy(block + MAGIC_AT, magic, 8);
    be32_put(block + VERSION_AT, LAYOUT_VERSION);
}

static void seal(uint8_t *block)
{
    be32_put(block + CRC_AT, 0);
    be32_put(block + CRC_AT, layout_crc(block, LAYOUT_BLOCK));
}

static bool sound(const uint8_t *block, const uint8_t *magic)
{
    if (memcmp(block + MAGIC_AT, magic, 8) != 0)
        return false;
    uint32_t version = be32_at(block + VERSION_AT);
    uint32_t newest = magic == superblock_magic ? LAYOUT_VERSION_REDO : LAYOUT_VERSION;
    if (version < LAYOUT_VERSION || version > newest)
        return false;
    uint8_t copy[LAYOUT_BLOCK];
    memcpy(copy, block, sizeof copy);
    be32_put(copy + CRC_AT, 0);
    return layout_crc(copy, sizeof copy) == be32_at(block + CRC_AT);
}

static void drive_uuid(const struct superblock *from, uint8_t *out)
{
    memcpy(out, from->pool_uuid, 16);
    uint32_t own = (uint32_t)from->position << 24 ^ from->incarnation[from->position];
    be32_put(out + 12, be32_at(out + 12) ^ own);
}

void layout_put_superblock(uint8_t *block, const struct superblock *from)
{
    must(from->position < from->drive_count && from->drive_count <= DRIVE_MAX);
    begin(block, superblock_magic);
    if (from->provisioned)
        be32_put(block + VERSION_AT, from->redo ? LAYOUT_VERSION_REDO : LAYOUT_VERSION_PROVISIONED);
    struct disk_superblock disk;
    memcpy(&disk, block, sizeof disk);
    disk.generation = be64_of(from->generation);
    memcpy(disk.pool_uuid, from->pool_uuid, 16);
    drive_uuid(from, disk.drive_uuid);
    memcpy(disk.pool_name, from->pool_name, NAME_BYTES);
    disk.group = from->group;
    disk.level = from->level;
    disk.drive_count = from->drive_count;
    disk.position = from->position;
    disk.chunk_bytes = be32_of(from->chunk_bytes);
    disk.data_start = be64_of(LAYOUT_DATA);
    disk.data_bytes = be64_of(from->data_bytes);
    for (int i = 0; i < DRIVE_MAX; i++)
        disk.incarnation[i] = be32_of(from->incarnation[i]);
    memcpy(block, &disk, sizeof disk);
    seal(block);
}

bool layout_get_superblock(const uint8_t *block, struct superblock *out)
{
    if (!sound(block, superblock_magic))
        return false;
    struct disk_superblock disk;
    memcpy(&disk, block, sizeof disk);
    out->generation = be64_get(disk.generation);
    out->provisioned = be32_get(disk.version) >= LAYOUT_VERSION_PROVISIONED;
    out->redo = be32_get(disk.version) >= LAYOUT_VERSION_REDO;
    memcpy(out->pool_uuid, disk.pool_uuid, 16);
    memcpy(out->pool_name, disk.pool_name, NAME_BYTES);
    out->pool_name[NAME_BYTES - 1] = 0;
    out->group = disk.group;
    out->level = disk.level;
    out->drive_count = disk.drive_count;
    out->position = disk.position;
    out->chunk_bytes = be32_get(disk.chunk_bytes);
    out->data_bytes = be64_get(disk.data_bytes);
    for (int i = 0; i < DRIVE_MAX; i++)
        out->incarnation[i] = be32_get(disk.incarnation[i]);
    if (out->drive_count > DRIVE_MAX || out->position >= out->drive_count)
        return false;
    uint8_t uuid[16];
    drive_uuid(out, uuid);
    return be64_get(disk.data_start) == LAYOUT_DATA && memcmp(uuid, disk.drive_uuid, 16) == 0;
}

void layout_put_map(uint8_t *block, const uint8_t *pool_uuid, uint64_t sequence,
                    uint64_t region_bytes, bool doubt, const struct bits *bits)
{
    begin(block, map_magic);
    memcpy(block + offsetof(struct disk_map, pool_uuid), pool_uuid, 16);
    be64_put(block + offsetof(struct disk_map, sequence), sequence);
    be64_put(block + offsetof(struct disk_map, region_bytes), region_bytes);
    block[offsetof(struct disk_map, doubt)] = doubt;
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        be64_put(block + offsetof(struct disk_map, bits) + 8 * w, bits->word[w]);
    seal(block);
}

bool layout_get_map(const uint8_t *block, const uint8_t *pool_uuid, uint64_t region_bytes,
                    uint64_t *sequence, struct bits *out)
{
    if (!sound(block, map_magic) ||
        memcmp(block + offsetof(struct disk_map, pool_uuid), pool_uuid, 16) != 0 ||
        be64_at(block + offsetof(struct disk_map, region_bytes)) != region_bytes)
        return false;
    *sequence = be64_at(block + offsetof(struct disk_map, sequence));
    for (uint32_t w = 0; w < BITS_WORDS; w++)
        out->word[w] = be64_at(block + offsetof(struct disk_map, bits) + 8 * w);
    return true;
}

bool layout_map_doubt(const uint8_t *block)
{
    return block[offsetof(struct disk_map, doubt)] != 0;
}

void layout_put_provision(uint8_t *block, const uint8_t *pool_uuid, uint64_t sequence,
                          uint64_t granule_bytes, uint32_t number, const uint64_t *mapped,
                          const uint64_t *stale)
{
    begin(block, provision_magic);
    memcpy(block + offsetof(struct disk_provision, pool_uuid), pool_uuid, 16);
    be64_put(block + offsetof(struct disk_provision, sequence), sequence);
    be64_put(block + offsetof(struct disk_provision, granule_bytes), granule_bytes);
    be32_put(block + offsetof(struct disk_provision, number), number);
    for (uint32_t w = 0; w < PROVISION_WORDS; w++) {
        be64_put(block + offsetof(struct disk_provision, mapped) + 8 * w, mapped[w]);
        be64_put(block + offsetof(struct disk_provision, stale) + 8 * w, stale[w]);
    }
    seal(block);
}

bool layout_get_provision(const uint8_t *block, const uint8_t *pool_uuid, uint64_t granule_bytes,
                          uint32_t number, uint64_t *sequence, uint64_t *mapped, uint64_t *stale)
{
    static const uint8_t never[LAYOUT_BLOCK];
    bool written = memcmp(block, never, LAYOUT_BLOCK) != 0;
    if (written &&
        (!sound(block, provision_magic) ||
         memcmp(block + offsetof(struct disk_provision, pool_uuid), pool_uuid, 16) != 0 ||
         be64_at(block + offsetof(struct disk_provision, granule_bytes)) != granule_bytes ||
         be32_at(block + offsetof(struct disk_provision, number)) != number))
        return false;
    *sequence = be64_at(block + offsetof(struct disk_provision, sequence));
    for (uint32_t w = 0; w < PROVISION_WORDS; w++) {
        mapped[w] = be64_at(block + offsetof(struct disk_provision, mapped) + 8 * w);
        stale[w] = be64_at(block + offsetof(struct disk_provision, stale) + 8 * w);
    }
    return true;
}

/* ---- redo records ---- */

void layout_put_redo(uint8_t *block, const uint8_t *pool_uuid, uint64_t epoch, uint8_t slot,
                     enum redo_kind kind)
{
    begin(block, redo_magic);
    memcpy(block + offsetof(struct disk_redo, pool_uuid), pool_uuid, 16);
    be64_put(block + offsetof(struct disk_redo, epoch), epoch);
    block[offsetof(struct disk_redo, kind)] = (uint8_t)kind;
    block[offsetof(struct disk_redo, slot)] = slot;
}

static size_t redo_place_at(uint32_t i)
{
    return offsetof(struct disk_redo, place) + i * sizeof(struct disk_redo_place);
}

void layout_add_redo_place(uint8_t *block, const struct redo_place *place)
{
    uint8_t *count = block + offsetof(struct disk_redo, places);
    uint16_t i = be16_at(count);
    must(i < REDO_PLACES_MAX);
    struct disk_redo_place disk = {.first = place->first, .count = place->count};
    disk.length = be32_of(place->length);
    disk.offset = be64_of(place->offset);
    disk.crc = be32_of(place->crc);
    memcpy(block + redo_place_at(i), &disk, sizeof disk);
    be16_put(count, (uint16_t)(i + 1));
}

void layout_seal_redo(uint8_t *block)
{
    seal(block);
}

struct redo_place layout_redo_place(const uint8_t *block, uint32_t i)
{
    struct disk_redo_place disk;
    memcpy(&disk, block + redo_place_at(i), sizeof disk);
    return (struct redo_place){.first = disk.first,
                               .count = disk.count,
                               .offset = be64_get(disk.offset),
                               .length = be32_get(disk.length),
                               .crc = be32_get(disk.crc)};
}

bool layout_get_redo(const uint8_t *block, const uint8_t *pool_uuid, uint8_t slot,
                     enum redo_kind *kind, uint32_t *places, uint32_t *bytes)
{
    if (!sound(block, redo_magic) ||
        memcmp(block + offsetof(struct disk_redo, pool_uuid), pool_uuid, 16) != 0 ||
        block[offsetof(struct disk_redo, slot)] != slot)
        return false;
    *kind = (enum redo_kind)block[offsetof(struct disk_redo, kind)];
    *places = be16_at(block + offsetof(struct disk_redo, places));
    uint64_t total = 0;
    for (uint32_t i = 0; i < *places && i < REDO_PLACES_MAX; i++)
        total += layout_redo_place(block, i).length;
    *bytes = (uint32_t)total;
    return (*kind == REDO_DATA || *kind == REDO_DRIVES) && *places > 0 &&
           *places <= REDO_PLACES_MAX && total > 0 && total <= REDO_BYTES_MAX;
}

uint64_t layout_redo_data(uint64_t data_bytes, uint8_t slot)
{
    return LAYOUT_DATA + data_bytes + (uint64_t)slot * REDO_BYTES_MAX;
}

void layout_put_state_header(uint8_t *block, const struct state_header *from)
{
    begin(block, state_magic);
    be64_put(block + offsetof(struct disk_state_header, generation), from->generation);
    be32_put(block + offsetof(struct disk_state_header, length), from->length);
    be32_put(block + offsetof(struct disk_state_header, blob_crc), from->crc);
    seal(block);
}

bool layout_get_state_header(const uint8_t *block, struct state_header *out)
{
    if (!sound(block, state_magic))
        return false;
    out->generation = be64_at(block + offsetof(struct disk_state_header, generation));
    out->length = be32_at(block + offsetof(struct disk_state_header, length));
    out->crc = be32_at(block + offsetof(struct disk_state_header, blob_crc));
    return out->length > 0 && out->length <= LAYOUT_STATE_BYTES;
}

uint64_t layout_superblock_copy(uint64_t drive_bytes)
{
    uint64_t end = drive_bytes / LAYOUT_BLOCK * LAYOUT_BLOCK;
    return end < 2 * LAYOUT_BLOCK ? 0 : end - LAYOUT_BLOCK;
}

uint64_t layout_data_bytes(uint64_t drive_bytes)
{
    enum { REST = LAYOUT_DATA + REDO_SLOTS * REDO_BYTES_MAX };
    uint64_t end = layout_superblock_copy(drive_bytes);
    if (end < REST + LAYOUT_UNIT)
        return 0;
    return (end - REST) / LAYOUT_UNIT * LAYOUT_UNIT;
}

bool layout_fits(uint64_t drive_bytes, uint64_t data_bytes, bool redo)
{
    uint64_t end = layout_superblock_copy(drive_bytes);
    return end >= LAYOUT_DATA + data_bytes + (redo ? REDO_SLOTS * REDO_BYTES_MAX : 0);
}

uint64_t layout_region_bytes(uint64_t data_bytes)
{
    uint64_t bytes = LAYOUT_UNIT;
    while ((data_bytes + bytes - 1) / bytes > LAYOUT_REGION_MAX)
        bytes *= 2;
    return bytes;
}

uint64_t layout_granule_bytes(uint64_t pool_bytes)
{
    uint64_t bytes = GRANULE_BYTES, most = (uint64_t)PROVISION_GRANULES * PROVISION_BLOCKS_MAX;
    while ((pool_bytes + bytes - 1) / bytes > most)
        bytes *= 2;
    return bytes;
}

uint64_t layout_map_slot(uint64_t sequence)
{
    return LAYOUT_MAP + (sequence & 1) * LAYOUT_BLOCK;
}
