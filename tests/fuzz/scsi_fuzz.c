/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts send to the device server: CDBs and their data out, task management, sessions that
 * come and go. What is planned must lie within the volume and within the data that there is, and
 * two servers that are told the same must hold the same.
 *
 * Records: who and what 1, CDB 16, length of the data out 2, data out. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "scsi/server.h"
#include "tests/fuzz/fuzz.h"

enum {
    HEAD_BYTES = 19,
    SENDERS = 2,
    NUMBERS = 2,
    VOLUMES = 4, /* and one that is not there */
    SAVE_BYTES = 1 << 21,
    COMPARED_MAX = 1 << 16,
    COPY_BYTES = 16 + 2 * 32 + 28,
    /* the first byte of a record */
    WHO_MASK = 0x03,
    VOLUME_SHIFT = 2,
    VOLUME_MASK = 0x07,
    KIND_SHIFT = 5
};

static struct {
    struct scsi_server *server, *other;
    struct directory directory;
    struct trace trace;
    struct scsi_plan plan;
    struct extent extent;
    uint8_t answer[SCSI_DATA_MAX];
    uint8_t save[2][SAVE_BYTES];
} w;

static void require(bool good)
{
    if (!good)
        abort();
}

static void add_volume(struct scsi_server *server, uint16_t index)
{
    struct volume_info info = {.index = index,
                               .name = "v",
                               .blocks = index == 2 ? UINT64_C(1) << 40 : 1000,
                               .block_bytes = index == 1 ? 4096 : 512,
                               .physical_exponent = index == 0 ? 3 : 0,
                               .read_only = index == 3,
                               .write_cache = index != 2};
    memset(info.uuid, index + 1, sizeof info.uuid);
    scsi_volume_set(server, &info);
}

static void begin(struct scsi_server **server)
{
    if (!*server)
        *server = scsi_server_new(0, &w.directory, &w.trace);
    require(*server);
    scsi_server_clear(*server);
    for (uint16_t v = 0; v < VOLUMES; v++)
        add_volume(*server, v);
}

/* ---- what a plan may ask for ---- */

static void check_range(const struct volume_info *info, uint64_t lba, uint64_t blocks)
{
    require(info && lba <= info->blocks && blocks <= info->blocks - lba);
}

/* It was ordered by its extent: what it does must lie in there. */
static void check_extent(uint64_t lba, uint64_t blocks, bool write)
{
    const struct extent *e = &w.extent;
    if (blocks == 0 || e->class == OVERLAP_BARRIER)
        return;
    require(e->class == OVERLAP_WRITE || (e->class == OVERLAP_READ && !write));
    require(lba >= e->lba && lba + blocks <= e->lba + e->blocks);
}

static void check_ranges(const struct volume_info *info, const uint8_t *data, uint32_t length)
{
    require(w.plan.ranges <= length / 16);
    for (uint32_t i = 0; i < w.plan.ranges; i++) {
        uint64_t lba;
        uint32_t blocks;
        scsi_unmap_range(data, i, &lba, &blocks);
        check_range(info, lba, blocks);
        check_extent(lba, blocks, true);
    }
}

static void check_copy(const struct command_message *m, const uint8_t *data, uint32_t length)
{
    bool crosses = scsi_copy_crosses(w.server, m, data, length);
    for (uint32_t i = 0; i < w.plan.ranges; i++) {
        struct scsi_copy copy;
        require(scsi_copy_segment(w.server, data, length, i, &copy));
        const struct volume_info *from = scsi_volume(w.server, copy.from);
        const struct volume_info *to = scsi_volume(w.server, copy.to);
        require(from && to && !to->read_only);
        require(copy.bytes % from->block_bytes == 0 && copy.bytes % to->block_bytes == 0);
        check_range(from, copy.from_lba, copy.bytes / from->block_bytes);
        check_range(to, copy.to_lba, copy.bytes / to->block_bytes);
        require(crosses || (copy.from == m->volume && copy.to == m->volume));
        if (!crosses)
            check_extent(copy.to_lba, copy.bytes / to->block_bytes, true);
    }
    struct scsi_copy none;
    require(!scsi_copy_segment(w.server, data, length, UINT32_MAX, &none));
}

/* A volume of which each other piece is mapped. */
static void check_lba_status(const struct volume_info *info)
{
    uint64_t lba = w.plan.lba;
    uint32_t allocation = w.plan.allocation;
    scsi_lba_status_begin(&w.plan);
    for (uint64_t i = 1; lba < info->blocks; i++) {
        uint64_t blocks = i * 7 < info->blocks - lba ? i * 7 : info->blocks - lba;
        if (!scsi_lba_status_add(&w.plan, lba, blocks, i % 3 == 0))
            break;
        lba += blocks;
    }
    require(w.plan.data_length <= SCSI_DATA_MAX);
    scsi_lba_status_end(&w.plan, allocation);
    require(w.plan.data_length <= allocation && w.plan.data_length <= SCSI_DATA_MAX);
}

static void check_plan(const struct command_message *m, const uint8_t *data, uint32_t length)
{
    const struct scsi_plan *plan = &w.plan;
    const struct volume_info *info = scsi_volume(w.server, m->volume);
    require(plan->sense_length <= SENSE_MAX && plan->data_length <= SCSI_DATA_MAX);
    require(plan->effect_length <= EFFECT_MAX);
    require(plan->effect_length == 0 || plan->what == SCSI_RESOLVE);
    if (plan->what == SCSI_RESPOND || plan->what == SCSI_RESOLVE || plan->what == SCSI_FLUSH)
        return;
    if (plan->what == SCSI_FILL_LIST) {
        check_ranges(info, data, length);
        return;
    }
    if (plan->what == SCSI_COPY) {
        check_copy(m, data, length);
        return;
    }
    if (plan->what == SCSI_LBA_STATUS) {
        check_range(info, plan->lba, 0);
        check_lba_status(info);
        return;
    }
    check_range(info, plan->lba, plan->blocks);
    bool reads = plan->what == SCSI_READ || plan->what == SCSI_VERIFY;
    check_extent(plan->lba, plan->blocks, !reads);
    uint64_t bytes = (uint64_t)plan->blocks * info->block_bytes;
    require(reads || !info->read_only);
    if (plan->what == SCSI_FILL)
        require((uint64_t)plan->pattern_offset + plan->pattern_length <= length);
    else if (plan->what == SCSI_COMPARE_WRITE)
        require(2 * bytes <= length);
    else if (plan->what == SCSI_WRITE || plan->what == SCSI_WRITE_ATOMIC ||
             plan->what == SCSI_OR_WRITE || plan->compare)
        require(bytes <= length);
}

/* The second half of a command that compares, with what a drive of zeroes would give. */
static void compare(const uint8_t *data, uint32_t block_bytes)
{
    static uint8_t found[COMPARED_MAX];
    static struct scsi_plan told;
    uint64_t bytes = (uint64_t)w.plan.blocks * block_bytes;
    if (bytes > sizeof found)
        return;
    if (w.plan.what == SCSI_COMPARE_WRITE || (w.plan.what == SCSI_VERIFY && w.plan.compare)) {
        bool equal = scsi_compare(&w.plan, data, found, (uint32_t)bytes, &told);
        require(equal || told.sense_length <= SENSE_MAX);
    } else if (w.plan.what == SCSI_OR_WRITE) {
        scsi_or(data, found, (uint32_t)bytes);
        require(memcmp(data, found, bytes) == 0);
        memset(found, 0, bytes);
    }
}

/* ---- one record ---- */

static const enum command_kind kinds[] = {COMMAND_SCSI,       COMMAND_SCSI,      COMMAND_SCSI,
                                          COMMAND_SCSI,       COMMAND_SCSI,      COMMAND_TASK,
                                          COMMAND_NEXUS_OPEN, COMMAND_NEXUS_LOSS};

static void run(const struct command_message *m, const uint8_t *data, uint32_t length)
{
    memset(&w.plan, 0xA5, sizeof w.plan); /* garbage, as of an earlier plan */
    w.plan.data = w.answer;
    w.plan.answered = false;
    w.extent = (struct extent){0};
    if (m->kind == COMMAND_SCSI)
        scsi_extent(w.server, m, &w.extent);
    scsi_plan(w.server, m, data, length, &w.plan);
    check_plan(m, data, length);
    const struct volume_info *info = scsi_volume(w.server, m->volume);
    compare(data, info ? info->block_bytes : 0);
    if (w.plan.what == SCSI_RESOLVE) {
        require(scsi_apply(w.server, 0, w.plan.effect, w.plan.effect_length));
        require(scsi_apply(w.other, 0, w.plan.effect, w.plan.effect_length));
    }
    scsi_done(w.server, m, w.plan.status, w.plan.sense, w.plan.sense_length);
    scsi_copied(w.server, m, data, length, w.plan.status);
}

static void open_nexus(uint8_t who)
{
    char name[] = "iqn.2026-11.com.example:a,i,0x800000000001";
    name[sizeof name - 2] = (char)('0' + who);
    struct command_message m = {.kind = COMMAND_NEXUS_OPEN, .nexus = who / SENDERS + 1u};
    m.id.sender = who % SENDERS;
    run(&m, (const uint8_t *)name, sizeof name - 1);
}

static void test_ready(uint8_t sender, uint16_t volume)
{
    struct command_message m = {.kind = COMMAND_SCSI, .nexus = 1, .volume = volume};
    m.id.sender = sender;
    run(&m, NULL, 0);
}

/* Returns the record's length; 0: there is no whole one. */
static size_t take_record(const uint8_t *bytes, size_t left)
{
    if (left < HEAD_BYTES)
        return 0;
    uint32_t length = (uint32_t)be16_at(bytes + 17);
    if (length > left - HEAD_BYTES)
        length = (uint32_t)(left - HEAD_BYTES);
    uint8_t who = bytes[0] & WHO_MASK;
    struct command_message m = {.kind = (uint8_t)kinds[bytes[0] >> KIND_SHIFT],
                                .nexus = who / SENDERS + 1u,
                                .volume = bytes[0] >> VOLUME_SHIFT & VOLUME_MASK,
                                .data_length = length,
                                .wants_write = length > 0,
                                .wants_read = length == 0};
    m.id.sender = who % SENDERS;
    m.task = bytes[1];
    memcpy(m.cdb, bytes + 1, sizeof m.cdb);
    uint8_t *data = malloc(length ? length : 1); /* exactly so long, for the sanitizer */
    require(data);
    memcpy(data, bytes + HEAD_BYTES, length);
    run(&m, data, length);
    free(data);
    return HEAD_BYTES + length;
}

static void check_same(void)
{
    uint32_t length = scsi_save(w.server, w.save[0], SAVE_BYTES);
    require(length <= SAVE_BYTES && length == scsi_save(w.other, w.save[1], SAVE_BYTES));
    require(memcmp(w.save[0], w.save[1], length) == 0);
    require(scsi_load(w.other, w.save[0], length));
    require(length == scsi_save(w.other, w.save[1], SAVE_BYTES));
    require(memcmp(w.save[0], w.save[1], length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    w.trace.max_level = TRACE_ERROR;
    begin(&w.server);
    begin(&w.other);
    for (uint8_t who = 0; who < SENDERS * NUMBERS - 1; who++) /* the last one is not open */
        open_nexus(who);
    for (uint8_t i = 0; i < SENDERS * VOLUMES; i++) /* two have been told POWER ON, the third not */
        test_ready(i % SENDERS, i / SENDERS);
    for (size_t used; (used = take_record(bytes, length)) > 0; length -= used)
        bytes += used;
    check_same();
    return 0;
}

/* ---- samples ---- */

static const struct {
    uint8_t cdb[16];
    uint16_t data; /* bytes of data out */
    uint8_t bytes[112];
} samples[] = {
    {{0x00}, 0, {0}},
    {{0x12, 1, 0x00, 1, 0}, 0, {0}},
    {{0x12, 1, 0x80, 1, 0}, 0, {0}},
    {{0x12, 1, 0x86, 1, 0}, 0, {0}},
    {{0x12, 1, 0x87, 1, 0}, 0, {0}},
    {{0x12, 1, 0x88, 1, 0}, 0, {0}},
    {{0x12, 1, 0xB0, 1, 0}, 0, {0}},
    {{0x12, 1, 0xB1, 1, 0}, 0, {0}},
    {{0x12, 1, 0xB2, 1, 0}, 0, {0}},
    {{0x12, 1, 0xB3, 1, 0}, 0, {0}},
    {{0x12, 1, 0x83, 1, 0}, 0, {0}},
    {{0x5F, 0, 0, 0, 0, 0, 0, 0, 76},
     76, /* SPEC_I_PT: another host, by name */
     {[15] = 0xA1, [20] = 8, [27] = 48, 0x45, 0,   0,   44,  'i', 'q', 'n', '.', '2', '0',
      '2',         '6',      '-',       '1',  '1', '.', 'c', 'o', 'm', '.', 'e', 'x', 'a',
      'm',         'p',      'l',       'e',  ':', 'a', ',', 'i', ',', '0', 'x', '8', '0',
      '0',         '0',      '0',       '0',  '0', '0', '0', '0', '0', '2'}},
    {{0x5F, 1, 5, 0, 0, 0, 0, 0, 24}, 24, {[7] = 0xA1}}, /* reserve */
    {{0x5E, 1, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x5F, 2, 5, 0, 0, 0, 0, 0, 24}, 24, {[7] = 0xA1}}, /* release */
    {{0x5F, 3, 0, 0, 0, 0, 0, 0, 24}, 24, {[7] = 0xA1}}, /* clear */
    {{0x5E, 2, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x5F, 6, 0, 0, 0, 0, 0, 0, 24}, 24, {[15] = 0xA1, [20] = 1}},             /* ignoring */
    {{0x5F, 0, 0, 0, 0, 0, 0, 0, 24}, 24, {[7] = 0xA1, [15] = 0xA1, [20] = 4}}, /* all ports */
    {{0x5F, 1, 1, 0, 0, 0, 0, 0, 24}, 24, {[7] = 0xA1}},
    {{0x5F, 4, 1, 0, 0, 0, 0, 0, 24}, 24, {[7] = 0xA1, [15] = 0xA1}}, /* preempt */
    {{0x5F, 7, 0, 0, 0, 0, 0, 0, 32}, 32, {[7] = 0xA1, [15] = 0xA3, [19] = 1, [23] = 8}}, /* move */
    {{0x5E, 0, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x5E, 3, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x15, 0x11, 0, 0, 16, 0}, 16, {0, 0, 0, 0, 0x0A, 10, 6, 0x10, 0, 0, 0, 0, 0xFF, 0xFF}},
    {{0x55, 0x10, 0, 0, 0, 0, 0, 0, 28}, 28, {[8] = 0x88, 18}},
    {{0x1A, 0, 0x3F, 0xFF, 255}, 0, {0}},
    {{0x42, 0, 0, 0, 0, 0, 0, 0, 40}, 40, {0, 38, 0, 32, [15] = 8, [19] = 8, [31] = 16}},
    /* at the end of a volume of 1000 blocks, and one block beyond */
    {{0x42, 0, 0, 0, 0, 0, 0, 0, 24}, 24, {0, 22, 0, 16, [14] = 0x03, [15] = 0xE0, [19] = 9}},
    {{0x2A, 0, 0, 0, 0x03, 0xE7, 0, 0, 1}, 512, {1}},
    {{0x2A, 0, 0, 0, 0x03, 0xE7, 0, 0, 2}, 1024, {1}},
    {{0x28, 0, 0, 0, 0x03, 0xE6, 0, 0, 3}, 0, {0}},
    {{0x89, 0, [8] = 0x03, 0xE6, [13] = 1}, 1024, {1}},
    {{0x89, 0, [9] = 4, [13] = 1}, 1024, {1}},
    {{0x2A, 0, 0, 0, 0, 4, 0, 0, 2}, 1024, {1}},
    {{0x8B, 0, [9] = 4, [13] = 2}, 1024, {1}},
    {{0x93, 8, [9] = 4, [13] = 9}, 512, {1}},
    {{0x41, 0, 0, 0, 0, 4, 0, 0, 9}, 512, {1}},
    {{0x2F, 2, 0, 0, 0, 4, 0, 0, 1}, 512, {1}},
    {{0x28, 0, 0, 0, 0, 4, 0, 0, 2}, 0, {0}},
    {{0x9E, 0x12, [9] = 4, [13] = 32}, 0, {0}},
    {{0x9E, 0x10, [13] = 32}, 0, {0}},
    {{0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0xA3, 0x2A, 0, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x40, 0, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x40, 0xFF, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x42, 0x00, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x43, 0x00, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x45, 0x00, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x59, 0x00, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x6F, 0x00, 0, 0, 0, 1, 0}, 0, {0}},
    {{0x4D, 0, 0x4D, 0x00, 0, 0, 0, 1, 0}, 0, {0}},
    {{0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 64}, 0, {0}},
    {{0x1B, 0, 0, 0, 1}, 0, {0}},
    {{0x34, 0, 0, 0, 0, 4, 0, 0, 1}, 0, {0}},
    {{0x8B, 0, [9] = 4, [13] = 2}, 1024, {1}},
    {{0x16}, 0, {0}},
    {{0x17}, 0, {0}},
    {{0x1D, 0x10, 0, 0, 4}, 4, {0}},
    /* EXTENDED COPY from volume 0: 8 blocks to itself, to volume 1; and its results */
    {{0x83, 0, [13] = COPY_BYTES},
     COPY_BYTES,
     {1, [3] = 64, [11] = 28, [16] = 0xE4, [20] = 1, 0x0A, 0, 18, 0x10, [48] = 0xE4, [52] = 1, 0x0A,
      0, 18, 0x10, [80] = 2, [83] = 24, [91] = 8, [107] = 100}},
    {{0x83, 0, [13] = COPY_BYTES},
     COPY_BYTES,
     {2,    [3] = 64, [11] = 28,   [16] = 0xE4, [20] = 1, 0x0A,       0,
      18,   0x10,     [48] = 0xE4, [52] = 1,    0x0A,     0,          18,
      0x10, [80] = 2, [83] = 24,   [87] = 1,    [91] = 8, [107] = 100}},
    {{0x84, 0x00, 1, [13] = 64}, 0, {0}},
    {{0x84, 0x03, 0, [13] = 64}, 0, {0}},
    {{0x48, 1, 0, 0, 0, 0, 0, 0, 8}, 8, {1, 0, 0, 4}},
    {{0x9C, 0, [9] = 4, [13] = 2}, 1024, {1}},
    {{0x01}, 0, {0}}, /* also a task management function */
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

size_t fuzz_sample(uint64_t number, uint8_t *out, size_t capacity)
{
    size_t length = 0;
    for (uint64_t i = 0; i < 1 + number / SAMPLES % 8; i++) {
        bool run_of_one = number % 2; /* host, of samples that follow each other */
        uint64_t which = (number + i * (run_of_one ? 1 : 7)) % SAMPLES;
        uint16_t data = samples[which].data;
        if (capacity - length < HEAD_BYTES + (size_t)data)
            break;
        uint8_t *at = out + length;
        uint8_t kind = i % 5 == 4 && !run_of_one ? (uint8_t)(5 + number % 3) : 0;
        uint64_t who = (number / 3 + (run_of_one ? 0 : i)) % (run_of_one ? 2 : 3);
        at[0] = (uint8_t)(who | number / 11 % 5 << VOLUME_SHIFT | (unsigned)kind << KIND_SHIFT);
        memcpy(at + 1, samples[which].cdb, sizeof samples[which].cdb);
        be16_put(at + 17, data);
        memset(at + HEAD_BYTES, 0, data);
        memcpy(at + HEAD_BYTES, samples[which].bytes,
               data < sizeof samples[which].bytes ? data : sizeof samples[which].bytes);
        if (samples[which].cdb[0] == 0x83) { /* the identities of both targets */
            memset(at + HEAD_BYTES + 16 + 10, 1, 16);
            memset(at + HEAD_BYTES + 48 + 10, 2, 16);
        }
        length += HEAD_BYTES + (size_t)data;
    }
    return length;
}
