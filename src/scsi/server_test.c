/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/test_host.h"

/* Commands good and bad, as tables. */

#define CDB(...)    \
    {               \
        __VA_ARGS__ \
    }
#define OUT(n) .out = n

struct row {
    uint8_t cdb[16];
    uint32_t out; /* bytes of data out */
    enum scsi_do what;
    uint64_t lba;
    uint32_t blocks;
    uint32_t wrong; /* key << 16 | code; 0: GOOD */
};

enum { INVALID_OPCODE = 0x52000, INVALID_FIELD = 0x52400, OUT_OF_RANGE = 0x52100 };
enum { KIB = 1024 };

/* 100,000 (0x186A0) blocks of 512 bytes. */
static const struct row medium_rows[] = {
    /* READ 6, 10, 12, 16 */
    {CDB(0x08, 0, 0, 5, 1, 0), .what = SCSI_READ, .lba = 5, .blocks = 1},
    {CDB(0x08, 0, 0, 5, 0, 0), .what = SCSI_READ, .lba = 5, .blocks = 256},
    {CDB(0x08, 0x1F, 0xFF, 0xFF, 1, 0), .wrong = OUT_OF_RANGE},
    {CDB(0x08, 0x20, 0, 0, 1, 0), .wrong = INVALID_FIELD},
    {CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 3, 0), .what = SCSI_READ, .lba = 7, .blocks = 3},
    {CDB(0x28, 0x18, 0, 0, 0, 7, 0, 0, 3, 0), .what = SCSI_READ, .lba = 7, .blocks = 3},
    {CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x28, 0, 0, 1, 0x86, 0x9F, 0, 0, 1, 0), .what = SCSI_READ, .lba = 99999, .blocks = 1},
    {CDB(0x28, 0, 0, 1, 0x86, 0x9F, 0, 0, 2, 0), .wrong = OUT_OF_RANGE},
    {CDB(0x28, 0, 0, 1, 0x86, 0xA0, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x28, 0, 0, 1, 0x86, 0xA1, 0, 0, 0, 0), .wrong = OUT_OF_RANGE},
    {CDB(0x28, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0), .wrong = OUT_OF_RANGE},
    {CDB(0x28, 0x20, 0, 0, 0, 7, 0, 0, 3, 0), .wrong = INVALID_FIELD}, /* RDPROTECT */
    {CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 3, 4), .wrong = INVALID_FIELD},    /* NACA */
    {CDB(0x28, 0, 0, 0, 0, 0, 0, 8, 0, 0), .what = SCSI_READ, .blocks = 2048},
    {CDB(0x28, 0, 0, 0, 0, 0, 0, 8, 1, 0), .wrong = INVALID_FIELD}, /* over 1 MiB */
    {CDB(0xA8, 0, 0, 0, 0, 7, 0, 0, 0, 3), .what = SCSI_READ, .lba = 7, .blocks = 3},
    {CDB(0xA8, 0xE0, 0, 0, 0, 7, 0, 0, 0, 3), .wrong = INVALID_FIELD},
    {CDB(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 3), .what = SCSI_READ, .lba = 9, .blocks = 3},
    {CDB(0x88, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), .wrong = OUT_OF_RANGE},
    {CDB(0x88, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1),
     .wrong = OUT_OF_RANGE},
    {CDB(0x88, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0),
     .wrong = OUT_OF_RANGE},
    /* WRITE: no more than the host sent */
    {CDB(0x0A, 0, 0, 5, 1, 0), OUT(512), .what = SCSI_WRITE, .lba = 5, .blocks = 1},
    {CDB(0x2A, 0, 0, 0, 0, 7, 0, 0, 3, 0), OUT(1536), .what = SCSI_WRITE, .lba = 7, .blocks = 3},
    {CDB(0x2A, 0, 0, 0, 0, 7, 0, 0, 3, 0), OUT(1535), .what = SCSI_WRITE, .lba = 7, .blocks = 2},
    {CDB(0x2A, 0, 0, 0, 0, 7, 0, 0, 3, 0), OUT(4096), .what = SCSI_WRITE, .lba = 7, .blocks = 3},
    {CDB(0x2A, 0, 0, 0, 0, 7, 0, 0, 3, 0), .what = SCSI_WRITE, .lba = 7, .blocks = 0},
    {CDB(0x2A, 0x20, 0, 0, 0, 7, 0, 0, 3, 0), OUT(1536), .wrong = INVALID_FIELD},
    {CDB(0x2A, 0, 0, 1, 0x86, 0x9F, 0, 0, 2, 0), OUT(1024), .wrong = OUT_OF_RANGE},
    {CDB(0xAA, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .what = SCSI_WRITE, .lba = 7, .blocks = 1},
    {CDB(0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .what = SCSI_WRITE, .lba = 7,
     .blocks = 1},
    {CDB(0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 8, 1), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x2E, 0, 0, 0, 0, 7, 0, 0, 1, 0), OUT(512), .what = SCSI_WRITE, .lba = 7, .blocks = 1},
    {CDB(0x2E, 4, 0, 0, 0, 7, 0, 0, 1, 0), OUT(512), .wrong = INVALID_FIELD}, /* BYTCHK 2 */
    {CDB(0xAE, 2, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .what = SCSI_WRITE, .lba = 7, .blocks = 1},
    {CDB(0x8E, 0x20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x8B, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3), OUT(1536), .what = SCSI_OR_WRITE, .lba = 7,
     .blocks = 3},
    {CDB(0x8B, 0x18, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3), OUT(1535), .what = SCSI_OR_WRITE,
     .lba = 7, .blocks = 2},
    {CDB(0x8B, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x8B, 0x20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x8B, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 8, 1), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x8B, 0, 0, 0, 0, 0, 0, 1, 0x86, 0x9F, 0, 0, 0, 2), OUT(1024), .wrong = OUT_OF_RANGE},
    {CDB(0x9C, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3), OUT(1536), .what = SCSI_WRITE_ATOMIC,
     .lba = 7, .blocks = 3},
    {CDB(0x9C, 0x18, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 8, 0), OUT(1024 * KIB),
     .what = SCSI_WRITE_ATOMIC, .lba = 7, .blocks = 2048},
    {CDB(0x9C, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 8, 1), OUT(1024 * KIB), .wrong = INVALID_FIELD},
    {CDB(0x9C, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x9C, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, 3), OUT(1536), .wrong = INVALID_FIELD},
    {CDB(0x9C, 0x20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x9C, 0, 0, 0, 0, 0, 0, 1, 0x86, 0x9F, 0, 0, 0, 2), OUT(1024), .wrong = OUT_OF_RANGE},
    /* VERIFY */
    {CDB(0x2F, 0, 0, 0, 0, 7, 0, 0, 4, 0), .what = SCSI_VERIFY, .lba = 7, .blocks = 4},
    {CDB(0x2F, 2, 0, 0, 0, 7, 0, 0, 4, 0), OUT(2048), .what = SCSI_VERIFY, .lba = 7, .blocks = 4},
    {CDB(0x2F, 6, 0, 0, 0, 7, 0, 0, 4, 0), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x2F, 0x20, 0, 0, 0, 7, 0, 0, 4, 0), .wrong = INVALID_FIELD},
    {CDB(0xAF, 0, 0, 0, 0, 7, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x8F, 0, 0, 0, 0, 0, 0, 1, 0x86, 0xA0, 0, 0, 0, 1), .wrong = OUT_OF_RANGE},
    /* SYNCHRONIZE CACHE, PRE-FETCH */
    {CDB(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), .what = SCSI_FLUSH},
    {CDB(0x35, 2, 0, 0, 0, 9, 0, 0, 1, 0), .what = SCSI_FLUSH, .lba = 9},
    {CDB(0x35, 0, 0, 1, 0x86, 0xA0, 0, 0, 1, 0), .wrong = OUT_OF_RANGE},
    {CDB(0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0), .what = SCSI_FLUSH},
    {CDB(0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x90, 0, 0, 0, 0, 0, 0, 2, 0, 0), .wrong = OUT_OF_RANGE},
    /* COMPARE AND WRITE */
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(1024), .what = SCSI_COMPARE_WRITE,
     .lba = 7, .blocks = 1},
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 255), OUT(255 * KIB), .what = SCSI_COMPARE_WRITE,
     .lba = 7, .blocks = 255},
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1), OUT(2048), .wrong = INVALID_FIELD},
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0), OUT(256 * KIB), .wrong = INVALID_FIELD},
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x89, 0, 0, 0, 0, 0, 0, 1, 0x86, 0xA0, 0, 0, 0, 1), OUT(1024), .wrong = OUT_OF_RANGE},
    /* WRITE SAME */
    {CDB(0x41, 0, 0, 0, 0, 7, 0, 0, 9, 0), OUT(512), .what = SCSI_FILL, .lba = 7, .blocks = 9},
    {CDB(0x41, 8, 0, 0, 0, 7, 0, 0, 9, 0), OUT(512), .what = SCSI_FILL, .lba = 7, .blocks = 9},
    {CDB(0x41, 0x18, 0, 0, 0, 7, 0, 0, 9, 0), OUT(512), .wrong = INVALID_FIELD}, /* ANCHOR */
    {CDB(0x41, 0, 0, 1, 0x86, 0x9D, 0, 0, 0, 0), OUT(512), .what = SCSI_FILL, .lba = 99997,
     .blocks = 3},
    {CDB(0x41, 0, 0, 1, 0x86, 0xA0, 0, 0, 0, 0), OUT(512), .what = SCSI_RESPOND},
    {CDB(0x41, 0, 0, 1, 0x86, 0xA1, 0, 0, 0, 0), OUT(512), .wrong = OUT_OF_RANGE},
    {CDB(0x93, 1), .wrong = INVALID_FIELD}, /* over the limit, up to the end */
    {CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 0x86, 0xA1), .what = SCSI_FILL, .lba = 34465, .blocks = 65535},
    {CDB(0x93, 0x10, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x93, 0x18, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9), OUT(512), .wrong = INVALID_FIELD},
    {CDB(0x41, 8, 0, 0, 0, 7, 0, 0, 1, 0), OUT(256), .wrong = INVALID_FIELD},
    {CDB(0x41, 8, 0, 0, 0, 7, 0, 0, 1, 0), OUT(1024), .wrong = INVALID_FIELD},
    {CDB(0x41, 1, 0, 0, 0, 7, 0, 0, 1, 0), OUT(512), .wrong = INVALID_FIELD}, /* no NDOB there */
    {CDB(0x93, 9, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9), .what = SCSI_FILL, .lba = 7, .blocks = 9},
    {CDB(0x93, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9), .wrong = INVALID_FIELD},
    {CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0, 0), .wrong = INVALID_FIELD}, /* over the limit */
    {CDB(0x93, 1, 0, 0, 0, 0, 0, 1, 0x86, 0xA1, 0, 0, 0, 1), .wrong = OUT_OF_RANGE},
    {CDB(0x93, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), .wrong = OUT_OF_RANGE},
    /* START STOP UNIT, PREVENT ALLOW, SEND DIAGNOSTIC */
    {CDB(0x1B, 0, 0, 0, 1, 0), .what = SCSI_RESPOND},
    {CDB(0x1B, 1, 0, 0, 0, 0), .what = SCSI_FLUSH},
    {CDB(0x1B, 0, 0, 0, 4, 0), .what = SCSI_RESPOND},
    {CDB(0x1B, 0, 0, 0, 3, 0), .wrong = INVALID_FIELD},
    {CDB(0x1B, 0, 0, 0, 0x20, 0), .wrong = INVALID_FIELD},
    {CDB(0x1E, 0, 0, 0, 1, 0), .what = SCSI_RESPOND},
    {CDB(0x1D, 4, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x1D, 0x24, 0, 0, 0, 0), .wrong = INVALID_FIELD},
    {CDB(0x1D, 0x14, 0, 0, 0, 0), .wrong = INVALID_FIELD}, /* a self-test has no pages */
    {CDB(0x1D, 0, 0, 0, 0, 0), .what = SCSI_RESPOND},
    {CDB(0x1D, 0, 0, 0, 4, 0), OUT(4), .wrong = INVALID_FIELD},
    {CDB(0x1D, 4, 0, 0, 4, 0), OUT(4), .wrong = INVALID_FIELD},
    {CDB(0x1D, 0x10, 0, 0, 4, 0), OUT(4), .what = SCSI_RESPOND},
    {CDB(0x1D, 0x10, 0, 0, 4, 0), OUT(3), .wrong = 0x51A00},
    {CDB(0x1D, 0x10, 0, 0, 2, 0), OUT(2), .wrong = 0x51A00},
    {CDB(0x1D, 0x10, 0, 0, 5, 0), OUT(5), .wrong = 0x52600},
    {CDB(0x1C, 1, 0, 0, 8, 0), .what = SCSI_RESPOND},
    {CDB(0x1C, 1, 4, 0, 8, 0), .wrong = INVALID_FIELD},
    {CDB(0x37, 0, 0x1D, 0, 0, 0, 0, 0, 8, 0), .what = SCSI_RESPOND},
    {CDB(0x37, 0, 7, 0, 0, 0, 0, 0, 8, 0), .wrong = INVALID_FIELD},
    {CDB(0xB7, 0x1D, 0, 0, 0, 0, 0, 0, 0, 8), .what = SCSI_RESPOND},
    {CDB(0xB7, 7, 0, 0, 0, 0, 0, 0, 0, 8), .wrong = INVALID_FIELD},
    /* RESERVE(10), RELEASE(10): not for third parties, not by LONGID */
    {CDB(0x56, 0x10), .wrong = INVALID_FIELD},
    {CDB(0x56, 0x02), .wrong = INVALID_FIELD},
    {CDB(0x56), .what = SCSI_RESOLVE},
    {CDB(0x57, 0x10), .wrong = INVALID_FIELD},
    {CDB(0x57), .what = SCSI_RESOLVE},
    {CDB(0x57), .what = SCSI_RESPOND},
    /* what there is not */
    {CDB(0xFF), .wrong = INVALID_OPCODE},
    {CDB(0x7F), .wrong = INVALID_OPCODE},
    {CDB(0x49), .wrong = INVALID_OPCODE},
    {CDB(0x9E, 0x1F), .wrong = INVALID_FIELD},
    {CDB(0xA3, 0x05), .wrong = INVALID_FIELD},
    {CDB(0x00, 1, 0, 0, 0, 0), .wrong = INVALID_FIELD},
    {CDB(0x9E, 0x12, 0, 0, 0, 0, 0, 1, 0x86, 0xA0, 0, 0, 0, 24), .wrong = OUT_OF_RANGE},
    {CDB(0x9E, 0x12, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24), .wrong = OUT_OF_RANGE},
};

static void commands_are_planned_as_their_cdb_says(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t *data = calloc(1, 512 * KIB);
    for (size_t i = 0; i < sizeof medium_rows / sizeof medium_rows[0]; i++) {
        const struct row *row = &medium_rows[i];
        host_data(h, row->cdb, sizeof row->cdb, row->out ? data : NULL, row->out);
        if (row->wrong) {
            assert_sense(h, row->wrong >> 16, row->wrong & 0xFFFF);
            continue;
        }
        assert_good(h);
        assert_int_equal(h->plan.what, row->what);
        assert_int_equal(h->plan.lba, row->lba);
        assert_int_equal(h->plan.blocks, row->blocks);
    }
    free(data);
    host_free(h);
}

static void extents_are_what_plans_touch(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    for (size_t i = 0; i < sizeof medium_rows / sizeof medium_rows[0]; i++) {
        const struct row *row = &medium_rows[i];
        struct command_message m = {.kind = COMMAND_SCSI};
        struct extent extent;
        memcpy(m.cdb, row->cdb, sizeof m.cdb);
        scsi_extent(h->server, &m, &extent);
        assert_true(extent.lba + extent.blocks <= BLOCKS);
        if (row->wrong || row->what == SCSI_RESPOND || row->what == SCSI_RESOLVE ||
            row->what == SCSI_FLUSH)
            continue;
        bool reads = row->what == SCSI_READ || row->what == SCSI_VERIFY;
        assert_int_equal(extent.class, reads ? OVERLAP_READ : OVERLAP_WRITE);
        assert_int_equal(extent.lba, row->lba);
        assert_true(extent.blocks >= row->blocks);
    }
    static const uint8_t barriers[] = {0x15, 0x16, 0x17, 0x55, 0x56, 0x57, 0x5F};
    for (size_t i = 0; i < sizeof barriers; i++) {
        struct command_message m = {.kind = COMMAND_SCSI, .cdb = {barriers[i]}};
        struct extent extent;
        scsi_extent(h->server, &m, &extent);
        assert_int_equal(extent.class, OVERLAP_BARRIER);
    }
    struct command_message unmap = {.kind = COMMAND_SCSI, .cdb = {0x42}};
    struct extent extent;
    scsi_extent(h->server, &unmap, &extent);
    assert_int_equal(extent.class, OVERLAP_WRITE);
    assert_int_equal(extent.blocks, BLOCKS);
    struct command_message task = {.kind = COMMAND_TASK, .task = TASK_LOGICAL_UNIT_RESET};
    scsi_extent(h->server, &task, &extent);
    assert_int_equal(extent.class, OVERLAP_BARRIER);
    host_free(h);
}

static uint32_t unmap_list(uint8_t *out, uint32_t count, const uint64_t (*ranges)[2])
{
    be16_put(out, (uint16_t)(count * 16 + 6));
    be16_put(out + 2, (uint16_t)(count * 16));
    be32_put(out + 4, 0);
    for (uint32_t i = 0; i < count; i++) {
        be64_put(out + 8 + 16 * i, ranges[i][0]);
        be32_put(out + 16 + 16 * i, (uint32_t)ranges[i][1]);
        be32_put(out + 20 + 16 * i, 0);
    }
    return 8 + count * 16;
}

static void unmap(struct host *h, uint32_t count, const uint64_t (*ranges)[2])
{
    uint8_t list[8 + 64 * 16];
    uint32_t length = unmap_list(list, count, ranges);
    uint8_t cdb[10] = {0x42};
    be16_put(cdb + 7, (uint16_t)length);
    host_data(h, cdb, sizeof cdb, list, length);
    for (uint32_t i = 0; h->plan.what == SCSI_FILL_LIST && i < h->plan.ranges; i++) {
        uint64_t lba;
        uint32_t blocks;
        scsi_unmap_range(list, i, &lba, &blocks);
        assert_int_equal(lba, ranges[i][0]);
        assert_int_equal(blocks, ranges[i][1]);
    }
}

static void unmap_checks_its_list(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    unmap(h, 1, (const uint64_t[][2]){{5, 10}});
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_FILL);
    assert_int_equal(h->plan.lba, 5);
    assert_int_equal(h->plan.blocks, 10);
    assert_true(h->plan.unmap);
    unmap(h, 3, (const uint64_t[][2]){{5, 0}, {7, 1}, {9, 2}});
    assert_int_equal(h->plan.what, SCSI_FILL_LIST);
    assert_int_equal(h->plan.ranges, 3);
    unmap(h, 1, (const uint64_t[][2]){{BLOCKS, 0}});
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_RESPOND);
    unmap(h, 1, (const uint64_t[][2]){{BLOCKS + 1, 0}});
    assert_sense(h, 5, 0x2100);
    unmap(h, 2, (const uint64_t[][2]){{0, 1}, {BLOCKS, 1}});
    assert_sense(h, 5, 0x2100);
    unmap(h, 1, (const uint64_t[][2]){{UINT64_MAX, 2}});
    assert_sense(h, 5, 0x2100);
    unmap(h, 2, (const uint64_t[][2]){{0, 90000}, {0, 90000}});
    assert_sense(h, 5, 0x2600);
    uint64_t many[33][2] = {{0}};
    unmap(h, 33, (const uint64_t(*)[2])many);
    assert_sense(h, 5, 0x2600);
    unmap(h, 0, NULL);
    assert_good(h);
    host_cdb(h, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    assert_good(h);
    uint8_t short_list[4] = {0};
    host_data(h, (const uint8_t[]){0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, 10, short_list, 4);
    assert_sense(h, 5, 0x1A00);
    host_cdb(h, 0x42, 1, 0, 0, 0, 0, 0, 0, 24, 0); /* ANCHOR */
    assert_sense(h, 5, 0x2400);
    host_free(h);
}

static void read_only_volumes_refuse_changes(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(0);
    info.read_only = true;
    host_set_volume(h, &info);
    host_ready(h);
    assert_sense(h, 6, 0x2A01);
    static const uint8_t writes[] = {0x0A, 0x2A, 0x2E, 0x41, 0x42, 0x89,
                                     0x8A, 0x8E, 0x93, 0xAA, 0xAE};
    uint8_t data[512] = {0};
    for (size_t i = 0; i < sizeof writes; i++) {
        uint8_t cdb[16] = {writes[i]};
        if (writes[i] == 0x41)
            cdb[8] = 1;
        if (writes[i] == 0x93)
            cdb[13] = 1;
        host_data(h, cdb, sizeof cdb, data, sizeof data);
        assert_sense(h, 7, 0x2700);
    }
    host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    assert_good(h);
    host_cdb(h, 0x1A, 0, 0x3F, 0, 255, 0);
    assert_int_equal(h->answer[2], 0x90);
    host_free(h);
}

static void ones_are_added(void **unused)
{
    (void)unused;
    const uint8_t data[4] = {0x00, 0x0F, 0xF0, 0xFF};
    uint8_t found[4] = {0x81, 0x81, 0x81, 0x81};
    scsi_or(data, found, 4);
    assert_memory_equal(found, "\x81\x8F\xF1\xFF", 4);
}

static void miscompares_say_where(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t a[1024] = {0}, b[1024] = {0};
    host_data(h, (const uint8_t[]){0x2F, 2, 0, 0, 0, 0, 0, 0, 2, 0}, 10, a, sizeof a);
    assert_true(h->plan.compare);
    struct scsi_plan asked = h->plan;
    assert_true(scsi_compare(&asked, a, b, sizeof a, &h->plan));
    assert_good(h);
    b[700] = 1;
    assert_false(scsi_compare(&asked, a, b, sizeof a, &h->plan));
    assert_sense(h, 0xE, 0x1D00);
    assert_int_equal(h->plan.sense[0], 0xF0);
    assert_int_equal(be32_at(h->plan.sense + 3), 700);
    host_free(h);
}

/* INVALID FIELD says which byte: of the CDB, or of the parameter list. */
static void wrong_fields_are_pointed_at(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t cdb[16];
        uint32_t out;
        uint8_t list[40];
        bool in_cdb;
        uint16_t byte;
    } rows[] = {
        {{0x28, 0x20, [8] = 1}, 0, {0}, true, 1},
        {{0x28, [6] = 0x20, [8] = 1}, 0, {0}, true, 6},
        {{0x28, [8] = 1, [9] = 4}, 0, {0}, true, 9},
        {{0x9E, 0x1F}, 0, {0}, true, 1},
        {{0x12, 1, 0xC0, 0, 255}, 0, {0}, true, 2},
        {{0x4D, 0, 0x7E, [8] = 4}, 0, {0}, true, 2},
        {{0x15, 0x10, [4] = 16}, 16, {[4] = 0x0A, 10, 2, 0x20}, false, 7},
        {{0x15, 0x10, [4] = 16}, 16, {[4] = 0x0A, 9, 2, 0x10}, false, 5},
        {{0x15, 0x10, [4] = 16}, 16, {[4] = 0x05, 10}, false, 4},
        {{0x15, 0x10, [4] = 8}, 8, {[3] = 4}, false, 3},
        {{0x15, 0x10, [4] = 12}, 12, {[3] = 8, [10] = 16}, false, 9},
        {{0x15, 0x10, [4] = 12}, 12, {[3] = 8, [7] = 1, [10] = 2}, false, 4},
        {{0x55, 0x10, [8] = 20}, 20, {[8] = 0x0A, 10, 2, 0x20}, false, 11},
        {{0x1D, 0x10, [4] = 4}, 4, {0x40}, false, 0},
        {{0x42, [8] = 24}, 24, {[3] = 16, [16] = 0, 3, 0, 0}, false, 2},
        {{0x5F, 1, 1, [8] = 24}, 24, {[20] = 8}, false, 20},
    };
    struct host *h = host_new();
    struct volume_info info = host_volume(0);
    info.blocks = 1 << 30;
    host_set_volume(h, &info);
    host_calm(h);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        host_data(h, rows[i].cdb, 16, rows[i].out ? rows[i].list : NULL, rows[i].out);
        assert_sense(h, 5, rows[i].in_cdb ? 0x2400 : 0x2600);
        assert_int_equal(h->plan.sense[15], rows[i].in_cdb ? 0xC0 : 0x80);
        assert_int_equal(be16_at(h->plan.sense + 16), rows[i].byte);
    }
    host_free(h);
}

static void luns_without_a_volume(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    static const uint16_t nothing[] = {VOLUME_NONE, 7, VOLUME_MAX, 5000};
    for (size_t i = 0; i < 4; i++) {
        h->volume = nothing[i];
        host_cdb(h, 0x12, 0, 0, 0, 96, 0);
        assert_good(h);
        assert_int_equal(h->answer[0], 0x7F);
        host_cdb(h, 0x12, 1, 0, 0, 96, 0);
        assert_int_equal(h->plan.data_length, 5);
        host_cdb(h, 0x12, 1, 0x83, 0, 96, 0);
        assert_sense(h, 5, 0x2400);
        host_cdb(h, 0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
        assert_good(h);
        host_cdb(h, 0x03, 0, 0, 0, 18, 0);
        assert_good(h);
        assert_int_equal(h->answer[2], 5);
        assert_int_equal(be16_at(h->answer + 12), 0x2500);
        host_ready(h);
        assert_sense(h, 5, 0x2500);
        host_cdb(h, 0xFF);
        assert_sense(h, 5, 0x2500);
        host_task(h, TASK_LOGICAL_UNIT_RESET);
        assert_int_equal(h->plan.task_response, 2);
    }
    host_free(h);
}

/* Limits hold for 4 KiB blocks too. */
static void large_blocks(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    struct volume_info info = host_volume(1);
    info.block_bytes = 4096;
    info.physical_exponent = 0;
    info.blocks = 1ull << 40;
    host_set_volume(h, &info);
    h->volume = 1;
    host_calm(h);
    host_cdb(h, 0x12, 1, 0xB0, 0, 64, 0);
    assert_int_equal(h->answer[5], 128);
    assert_int_equal(be32_at(h->answer + 8), 256);
    uint8_t *data = calloc(1, 2 << 20);
    host_data(h, (const uint8_t[16]){0x89, [13] = 128}, 16, data, 128 * 8192);
    assert_good(h);
    host_data(h, (const uint8_t[16]){0x89, [13] = 129}, 16, data, 129 * 8192);
    assert_sense(h, 5, 0x2400);
    free(data);
    host_cdb(h, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    assert_int_equal(be32_at(h->answer), UINT32_MAX);
    host_cdb(h, 0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 24, 0, 0);
    assert_int_equal(h->plan.what, SCSI_LBA_STATUS);
    assert_int_equal(h->plan.lba, 9);
    assert_int_equal(h->plan.blocks, 0);
    assert_int_equal(h->plan.allocation, 24);
    host_free(h);
}

/* What goes on alike is one descriptor, as long as its field can say it. */
static void lba_status_joins_runs(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    h->plan.data = h->answer;
    scsi_lba_status_begin(&h->plan);
    assert_true(scsi_lba_status_add(&h->plan, 9, 3, true));
    assert_true(scsi_lba_status_add(&h->plan, 12, 4, true));
    assert_true(scsi_lba_status_add(&h->plan, 16, 128, false));
    assert_true(scsi_lba_status_add(&h->plan, 144, 1ull << 33, false));
    scsi_lba_status_end(&h->plan, 1000);
    assert_int_equal(h->plan.data_length, 8 + 5 * 16);
    assert_int_equal(be32_at(h->answer), 4 + 5 * 16);
    assert_int_equal(be64_at(h->answer + 8), 9);
    assert_int_equal(be32_at(h->answer + 16), 7);
    assert_int_equal(h->answer[20], 0);
    assert_int_equal(be64_at(h->answer + 24), 16);
    assert_int_equal(be32_at(h->answer + 32), 128);
    assert_int_equal(h->answer[36], 1);
    assert_int_equal(be32_at(h->answer + 48), UINT32_MAX);
    assert_int_equal(be64_at(h->answer + 72), 144 + 2ull * UINT32_MAX);
    scsi_lba_status_begin(&h->plan);
    uint64_t lba = 0;
    while (scsi_lba_status_add(&h->plan, lba, 1, lba % 2))
        assert_in_range(++lba, 1, 4000);
    scsi_lba_status_end(&h->plan, 24);
    assert_int_equal(h->plan.data_length, 24);
    assert_int_equal(be32_at(h->answer), 4 + 16 * (lba + 1));
    host_free(h);
}

static void write_same_and_unmap(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t block[512] = {0};
    const uint8_t same[10] = {0x41, [5] = 7, [8] = 9}, unmap10[10] = {0x41, 8, [5] = 7, [8] = 9};
    const uint8_t no_data[16] = {0x93, 9, [9] = 7, [13] = 9};
    host_data(h, same, 10, block, 512);
    assert_false(h->plan.unmap);
    assert_int_equal(h->plan.pattern_length, 0);
    host_data(h, unmap10, 10, block, 512);
    assert_true(h->plan.unmap);
    host_data(h, no_data, 16, NULL, 0);
    assert_true(h->plan.unmap);
    block[511] = 1;
    host_data(h, unmap10, 10, block, 512);
    assert_true(h->plan.unmap); /* and the pattern is not looked at */
    assert_int_equal(h->plan.pattern_length, 0);
    host_data(h, same, 10, block, 512);
    assert_false(h->plan.unmap);
    assert_int_equal(h->plan.pattern_length, 512);
    host_free(h);
}

/* No CDB, whatever its bytes, makes a plan outside its bounds. */
static void any_cdb_is_answered(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint32_t seed = 12345;
    uint8_t data[64];
    for (int i = 0; i < 60000; i++) {
        struct command_message m = {.kind = COMMAND_SCSI};
        uint8_t all[16 + sizeof data];
        for (size_t b = 0; b < sizeof all; b++) {
            seed = seed * 1664525 + 1013904223;
            all[b] = seed >> 30 ? 0 : (uint8_t)(seed >> 16); /* mostly zeroes */
        }
        memcpy(m.cdb, all, 16);
        memcpy(data, all + 16, sizeof data);
        const struct opcode *o = &opcode_table[seed % opcode_count()];
        m.cdb[0] = o->code;
        if (o->action != ACTION_NONE)
            m.cdb[1] = (uint8_t)o->action;
        struct extent extent;
        scsi_extent(h->server, &m, &extent);
        assert_true(extent.lba <= BLOCKS && extent.blocks <= BLOCKS);
        host_run(h, &m, data, seed % sizeof data);
        assert_true(h->plan.data_length <= SCSI_DATA_MAX);
        assert_true(h->plan.lba + h->plan.blocks <= BLOCKS);
    }
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_planned_as_their_cdb_says),
        cmocka_unit_test(extents_are_what_plans_touch),
        cmocka_unit_test(unmap_checks_its_list),
        cmocka_unit_test(read_only_volumes_refuse_changes),
        cmocka_unit_test(ones_are_added),
        cmocka_unit_test(miscompares_say_where),
        cmocka_unit_test(wrong_fields_are_pointed_at),
        cmocka_unit_test(luns_without_a_volume),
        cmocka_unit_test(large_blocks),
        cmocka_unit_test(lba_status_joins_runs),
        cmocka_unit_test(write_same_and_unmap),
        cmocka_unit_test(any_cdb_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
