/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/test_host.h"

/* What the volume says of itself: INQUIRY, mode pages, capacity, reports. */

static void inquiry(struct host *h, bool vital, uint8_t page, uint16_t allocation)
{
    uint8_t cdb[6] = {0x12, vital, page};
    be16_put(cdb + 3, allocation);
    host_data(h, cdb, sizeof cdb, NULL, 0);
}

static void standard_data(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    inquiry(h, false, 0, 255);
    assert_good(h);
    assert_int_equal(h->plan.data_length, 96);
    assert_int_equal(h->answer[4], 91);
    assert_int_equal(h->answer[2], 6);
    assert_int_equal(h->answer[5], 0x18); /* TPGS, 3PC */
    assert_memory_equal(h->answer + 8, "SEGUE   VOLUME          ", 24);
    static const uint16_t versions[] = {0x00A0, 0x0960, 0x0460, 0x04C0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(be16_at(h->answer + 58 + 2 * i), versions[i]);
    inquiry(h, false, 0, 5); /* cut, and its length field still says all */
    assert_int_equal(h->plan.data_length, 5);
    assert_int_equal(h->answer[4], 91);
    inquiry(h, false, 0, 0);
    assert_good(h);
    assert_int_equal(h->plan.data_length, 0);
    inquiry(h, false, 0x83, 96);
    assert_sense(h, 5, 0x2400);
    host_cdb(h, 0x12, 2, 0, 0, 96, 0);
    assert_sense(h, 5, 0x2400);
    host_free(h);
}

static void vital_pages(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t page, length;
    } pages[] = {{0x00, 11},
                 {0x80, 32},
                 {0x83, 12 + 44 + 22 + 8 + 8},
                 {0x86, 0x3C},
                 {0x87, 4},
                 {0x88, 40},
                 {0x8F, 12 + 32 + 8 + 8 + 36},
                 {0xB0, 0x3C},
                 {0xB1, 0x3C},
                 {0xB2, 4},
                 {0xB3, 12}};
    struct host *h = host_new();
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        inquiry(h, true, pages[i].page, 4096);
        assert_good(h);
        assert_int_equal(h->answer[0], 0);
        assert_int_equal(h->answer[1], pages[i].page);
        assert_int_equal(be16_at(h->answer + 2), pages[i].length);
        assert_int_equal(h->plan.data_length, pages[i].length + 4);
    }
    inquiry(h, true, 0, 255);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        assert_int_equal(h->answer[4 + i], pages[i].page);
    inquiry(h, true, 0xC0, 255);
    assert_sense(h, 5, 0x2400);
    inquiry(h, true, 0xB0, 64);
    assert_int_equal(h->answer[4], 0);              /* WSNZ */
    assert_int_equal(be32_at(h->answer + 28), 128); /* unmap granularity */
    assert_int_equal(h->answer[5], 255);
    assert_int_equal(be32_at(h->answer + 8), 2048);
    assert_int_equal(be32_at(h->answer + 20), 131072);
    assert_int_equal(be32_at(h->answer + 24), 32);
    assert_int_equal(be64_at(h->answer + 36), 65535);
    assert_int_equal(be32_at(h->answer + 44), 2048);
    for (int i = 48; i < 64; i++) /* atomic writes: any alignment and length, no boundary */
        assert_int_equal(h->answer[i], 0);
    host_free(h);
}

/* Page 88: a port for each interface switch, in a group of its own. Page 87: one policy for all. */
static void ports_and_policies(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    for (uint8_t switches = 1; switches <= SWITCH_MAX; switches++) {
        scsi_switches_set(h->server, switches);
        inquiry(h, true, 0x88, 255);
        assert_int_equal(be16_at(h->answer + 2), switches * 20);
        for (uint8_t i = 0; i < switches; i++) {
            const uint8_t *port = h->answer + 4 + 20 * i;
            assert_int_equal(be16_at(port + 2), i + 1);
            assert_int_equal(be16_at(port + 6), 0);
            assert_int_equal(be16_at(port + 10), 8);
            assert_int_equal(be32_at(port + 12), 0x51950004);
            assert_int_equal(be32_at(port + 16), i + 1);
        }
    }
    inquiry(h, true, 0x87, 255);
    assert_int_equal(be32_at(h->answer + 4), 0x3FFF0000);
    host_free(h);
}

/* The names of the volume are the same through each switch; the port's are the switch's own. */
static void identity_is_the_same_through_each_switch(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t first[256];
    inquiry(h, true, 0x83, 255);
    memcpy(first, h->answer, sizeof first);
    assert_int_equal(first[8] >> 4, 3); /* NAA 3 */
    host_open_as(h, 1, 1, "iqn.2024-01.host:a,i,0x2");
    inquiry(h, true, 0x83, 255);
    uint32_t names = 4 + 12 + 44 + 22;
    assert_memory_equal(first, h->answer, names);
    assert_int_equal(be16_at(first + names + 6), 1);
    assert_int_equal(be16_at(h->answer + names + 6), 2);
    assert_int_equal(be16_at(h->answer + names + 14), 2);
    host_free(h);
}

static void capacity(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_cdb(h, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    assert_int_equal(h->plan.data_length, 8);
    assert_int_equal(be32_at(h->answer), BLOCKS - 1);
    assert_int_equal(be32_at(h->answer + 4), 512);
    host_cdb(h, 0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0);
    assert_sense(h, 5, 0x2400);
    host_cdb(h, 0x25, 0, 0, 0, 0, 1, 0, 0, 1, 0);
    assert_good(h);
    host_cdb(h, 0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0);
    assert_int_equal(h->plan.data_length, 32);
    assert_int_equal(be64_at(h->answer), BLOCKS - 1);
    assert_int_equal(h->answer[13], 3);
    assert_int_equal(be16_at(h->answer + 14), 0xC000);
    host_cdb(h, 0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
    assert_int_equal(h->plan.data_length, 12);
    host_free(h);
}

/* Where there are hosts, each reads what is mapped to it. */
static void luns_of_hosts(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    static const struct {
        uint16_t host, lun;
    } maps[] = {{HOST_ALL, 4}, {1, 0}, {1, 7}, {2, 1}};
    static const struct {
        uint16_t host, first;
        int count;
    } rows[] = {{1, 0, 2}, {2, 1, 1}, {3, 0, 0}, {HOST_ALL, 4, 1}, {HOST_NOBODY, 0, 0}};
    h->directory.hosts = 2;
    for (uint32_t i = 0; i < 4; i++) {
        h->directory.at[i].host = maps[i].host;
        h->directory.at[i].lun = maps[i].lun;
    }
    h->directory.count = 4;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct command_message m = {
            .kind = COMMAND_SCSI, .host = rows[i].host, .cdb = {0xA0, [8] = 4}};
        host_run(h, &m, NULL, 0);
        assert_good(h);
        assert_int_equal(be32_at(h->answer), rows[i].count * 8);
        if (rows[i].count > 0)
            assert_int_equal(be64_at(h->answer + 8), lun_field(rows[i].first));
    }
    h->directory.hosts = 0; /* the last one is gone: everybody's, whoever the switch takes it for */
    struct command_message m = {.kind = COMMAND_SCSI, .host = 2, .cdb = {0xA0, [8] = 4}};
    host_run(h, &m, NULL, 0);
    assert_int_equal(be32_at(h->answer), 8);
    assert_int_equal(be64_at(h->answer + 8), lun_field(4));
    host_free(h);
}

static void luns(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    h->directory.count = 3;
    h->directory.at[0].lun = 0;
    h->directory.at[1].lun = 9;
    h->directory.at[2].lun = 300;
    static const struct {
        uint8_t select;
        int count; /* -1: refused */
    } rows[] = {{0, 3}, {1, 0}, {2, 3}, {0x11, 3}, {0x10, -1}, {3, -1}, {0xFF, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        host_cdb(h, 0xA0, 0, rows[i].select, 0, 0, 0, 0, 0, 4, 0, 0, 0);
        if (rows[i].count < 0) {
            assert_sense(h, 5, 0x2400);
            continue;
        }
        assert_int_equal(be32_at(h->answer), rows[i].count * 8);
        assert_int_equal(h->plan.data_length, 8 + rows[i].count * 8);
    }
    host_cdb(h, 0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0);
    assert_int_equal(h->plan.data_length, 16);
    assert_int_equal(be32_at(h->answer), 24);
    assert_int_equal(be16_at(h->answer + 24), 0x412C); /* flat addressing of 300 */
    host_free(h);
}

static void mode_sense(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    static const struct {
        uint8_t page, subpage;
        uint8_t length; /* of the pages; 0: refused */
    } rows[] = {{0x01, 0, 12},     {0x02, 0, 16},    {0x08, 0, 20}, {0x0A, 0, 12},
                {0x0A, 1, 32},     {0x0A, 0xFF, 44}, {0x1C, 0, 12}, {0x3F, 0, 72},
                {0x3F, 0xFF, 104}, {0x3F, 1, 0},     {0x05, 0, 0},  {0x08, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int control = 0; control < 4; control++) {
            uint8_t page = (uint8_t)(control << 6 | rows[i].page);
            host_cdb(h, 0x1A, 0, page, rows[i].subpage, 255, 0);
            if (!rows[i].length) {
                assert_sense(h, 5, 0x2400);
                continue;
            }
            assert_int_equal(h->plan.data_length, 12 + rows[i].length);
            assert_int_equal(h->answer[0], 11 + rows[i].length);
            assert_int_equal(h->answer[2], 0x10); /* DPOFUA */
            assert_int_equal(be24_at(h->answer + 9), 512);
            host_cdb(h, 0x1A, 8, page, rows[i].subpage, 255, 0); /* DBD */
            assert_int_equal(h->plan.data_length, 4 + rows[i].length);
            host_cdb(h, 0x5A, 0x10, page, rows[i].subpage, 0, 0, 0, 1, 0, 0);
            assert_int_equal(h->plan.data_length, 24 + rows[i].length);
            assert_int_equal(be16_at(h->answer), 22 + rows[i].length);
        }
    host_cdb(h, 0x1A, 8, 0x08, 0, 255, 0);
    assert_int_equal(h->answer[6] & 4, 4); /* WCE */
    host_cdb(h, 0x1A, 8, 0x48, 0, 255, 0);
    assert_int_equal(h->answer[6] & 4, 4); /* changeable */
    struct volume_info info = host_volume(0);
    info.write_cache = false; /* the pool has none: nobody can switch it on */
    host_set_volume(h, &info);
    host_calm(h);
    for (uint8_t control = 0; control < 4; control++) {
        host_cdb(h, 0x1A, 8, (uint8_t)(control << 6 | 0x08), 0, 255, 0);
        assert_int_equal(h->answer[6] & 4, 0);
    }
    host_free(h);
}

static void mode_select(struct host *h, bool save, uint8_t swp)
{
    const uint8_t list[] = {
        0,    0,  0, 8,    0,   0, 0, 0, 0,    0,    2, 0, /* header, block descriptor */
        0x0A, 10, 2, 0x10, swp, 0, 0, 0, 0xFF, 0xFF, 0, 0};
    const uint8_t cdb[] = {0x15, (uint8_t)(0x10 | save), 0, 0, sizeof list, 0};
    host_data(h, cdb, sizeof cdb, list, sizeof list);
}

static void mode_select_protects(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_open_as(h, 1, 5, "iqn.2024-01.host:b,i,0x1");
    host_calm(h);
    host_use(h, 0, 1);
    mode_select(h, false, 8);
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_RESOLVE);
    uint8_t data[512] = {0};
    host_data(h, (const uint8_t[]){0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 10, data, sizeof data);
    assert_sense(h, 7, 0x2702);
    host_cdb(h, 0x1A, 8, 0x0A, 0, 255, 0);
    assert_int_equal(h->answer[2], 0x90);
    assert_int_equal(h->answer[8] & 8, 8);
    host_cdb(h, 0x1A, 8, 0xCA, 0, 255, 0); /* saved */
    assert_int_equal(h->answer[8] & 8, 0);
    host_use(h, 1, 5);
    host_ready(h);
    assert_sense(h, 6, 0x2A01);
    mode_select(h, false, 8); /* nothing changes */
    assert_int_equal(h->plan.what, SCSI_RESPOND);
    host_task(h, TASK_LOGICAL_UNIT_RESET); /* back to what is saved */
    host_calm(h);
    host_cdb(h, 0x1A, 8, 0x0A, 0, 255, 0);
    assert_int_equal(h->answer[2], 0x10);
    host_use(h, 0, 1);
    host_calm(h);
    mode_select(h, true, 8);
    host_task(h, TASK_LOGICAL_UNIT_RESET);
    host_calm(h);
    host_cdb(h, 0x1A, 8, 0x0A, 0, 255, 0);
    assert_int_equal(h->answer[2], 0x90);
    host_free(h);
}

static void mode_select_refuses(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t cdb1, length;
        uint8_t list[24];
        uint8_t sent;
        uint16_t code;
    } rows[] = {
        {0x10, 0, {0}, 0, 0},
        {0x00, 4, {0}, 4, 0x2400}, /* PF=0 */
        {0x12, 4, {0}, 4, 0x2400}, /* RTD */
        {0x10, 4, {0}, 4, 0},      /* header only */
        {0x10, 3, {0}, 3, 0x1A00},
        {0x10, 4, {0}, 2, 0x1A00},          /* less than announced */
        {0x10, 8, {0, 0, 0, 4}, 8, 0x2600}, /* no such block descriptor */
        {0x10, 8, {0, 0, 0, 8}, 8, 0x1A00},
        {0x10, 12, {0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 16}, 12, 0x2600}, /* 4 KiB blocks */
        {0x10, 16, {0, 0, 0, 0, 0x0A, 10, 2, 0x20, 0, 0, 0, 0, 0xFF, 0xFF}, 16, 0x2600},
        {0x10, 16, {0, 0, 0, 0, 0x0A, 9, 2, 0x10}, 16, 0x2600},
        {0x10, 14, {0, 0, 0, 0, 0x0A, 10, 2, 0x10}, 14, 0x1A00},
        {0x10, 16, {0, 0, 0, 0, 0x05, 10}, 16, 0x2600},
        {0x10, 5, {0, 0, 0, 0, 0x0A}, 5, 0x1A00},
        {0x10, 16, {0, 0, 0, 0, 0x8A, 10, 2, 0x10, 0, 0, 0, 0, 0xFF, 0xFF}, 16, 0}, /* PS */
        {0x10, 24, {0, 0, 0, 0, 0x08, 18, 4}, 24, 0},
        {0x10, 24, {0, 0, 0, 0, 0x08, 18, 5}, 24, 0x2600}, /* RCD */
        {0x10, 24, {0, 0, 0, 0, 0x08, 18, 0}, 24, 0},      /* WCE to 0 */
    };
    struct host *h = host_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t cdb[6] = {0x15, rows[i].cdb1, 0, 0, rows[i].length, 0};
        host_data(h, cdb, sizeof cdb, rows[i].list, rows[i].sent);
        if (rows[i].code)
            assert_sense(h, 5, rows[i].code);
        else
            assert_good(h);
    }
    host_free(h);
}

/* Header and one page; the volume's block size does not matter without a block descriptor. */
static void select_page(struct host *h, bool save, uint8_t page, uint8_t byte2, uint8_t byte4)
{
    uint8_t list[24] = {[4] = page, [5] = 10, [6] = byte2};
    uint8_t length = page == 0x08 ? 24 : 16;
    if (page == 0x08) {
        list[5] = 18;
    } else {
        list[7] = 0x10;
        list[8] = byte4;
        list[12] = list[13] = 0xFF;
    }
    const uint8_t cdb[] = {0x15, (uint8_t)(0x10 | save), 0, 0, length, 0};
    host_data(h, cdb, sizeof cdb, list, length);
    assert_good(h);
}

static uint8_t mode_byte(struct host *h, int control, uint8_t page, int byte)
{
    host_cdb(h, 0x1A, 8, (uint8_t)(control << 6 | page), 0, 255, 0);
    assert_good(h);
    return h->answer[4 + byte];
}

enum { CURRENT, CHANGEABLE, DEFAULT, SAVED };

/* WCE=0: whatever changes blocks is on the drives before it is answered. */
static void without_write_cache(void **unused)
{
    (void)unused;
    static const uint8_t changes[][16] = {{0x0A, [4] = 1},  {0x2A, [8] = 1}, {0xAA, [9] = 1},
                                          {0x8A, [13] = 1}, {0x41, [8] = 1}, {0x93, 1, [13] = 1},
                                          {0x42, [8] = 40}};
    struct host *h = host_new();
    uint8_t data[512] = {[3] = 32, [19] = 1, [35] = 1}; /* and a list of two ranges */
    be64_put(data + 8, 0);
    for (int through = 0; through < 2; through++) {
        if (through)
            select_page(h, true, 0x08, 0, 0);
        assert_int_equal(mode_byte(h, CURRENT, 0x08, 2) & 4, through ? 0 : 4);
        assert_int_equal(mode_byte(h, DEFAULT, 0x08, 2) & 4, 4);
        for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
            host_data(h, changes[i], 16, data, changes[i][0] == 0x42 ? 40 : 512);
            assert_good(h);
            assert_int_not_equal(h->plan.what, SCSI_RESPOND);
            assert_int_equal(h->plan.fua, through);
        }
    }
    host_task(h, TASK_LOGICAL_UNIT_RESET); /* it was saved */
    host_calm(h);
    assert_int_equal(mode_byte(h, CURRENT, 0x08, 2) & 4, 0);
    select_page(h, false, 0x08, 4, 0);
    assert_int_equal(mode_byte(h, CURRENT, 0x08, 2) & 4, 4);
    assert_int_equal(mode_byte(h, SAVED, 0x08, 2) & 4, 0);
    host_free(h);
}

/* Saving a page does not save what was changed of another. */
static void pages_are_saved_one_by_one(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    select_page(h, false, 0x0A, 2 | 4, 8); /* D_SENSE, SWP: not saved */
    select_page(h, true, 0x08, 0, 0);
    assert_int_equal(mode_byte(h, SAVED, 0x0A, 2) & 4, 0);
    assert_int_equal(mode_byte(h, SAVED, 0x0A, 4) & 8, 0);
    assert_int_equal(mode_byte(h, SAVED, 0x08, 2) & 4, 0);
    assert_int_equal(mode_byte(h, CURRENT, 0x0A, 2) & 4, 4);
    assert_int_equal(mode_byte(h, CURRENT, 0x0A, 4) & 8, 8);
    assert_int_equal(mode_byte(h, CHANGEABLE, 0x0A, 2), 4);
    assert_int_equal(mode_byte(h, CHANGEABLE, 0x0A, 4), 8);
    scsi_forget_volatile(h->server);
    scsi_forget_volatile(h->other);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_calm(h);
    assert_int_equal(mode_byte(h, CURRENT, 0x0A, 2) & 4, 0);
    assert_int_equal(mode_byte(h, CURRENT, 0x08, 2) & 4, 0);
    host_free(h);
}

/* D_SENSE=1: all sense data, with what was in the fixed fields as descriptors. */
static void descriptor_sense(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t a[512] = {0}, b[512] = {[9] = 1};
    select_page(h, false, 0x0A, 2 | 4, 0);
    host_cdb(h, 0x28, 0, 0, 0xFF, 0, 0, 0, 0, 1, 0);
    static const uint8_t out_of_range[8] = {0x72, 5, 0x21};
    assert_int_equal(h->plan.sense_length, 8);
    assert_memory_equal(h->plan.sense, out_of_range, 8);
    host_cdb(h, 0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0);
    static const uint8_t invalid_field[16] = {0x72, 5, 0x24, [7] = 8, 0x02, 6, 0, 0, 0xC0, 0, 1, 0};
    assert_int_equal(h->plan.sense_length, 16);
    assert_memory_equal(h->plan.sense, invalid_field, 16);
    /* sense that the unit has made */
    host_data(h, (const uint8_t[]){0x2F, 2, 0, 0, 0, 0, 0, 0, 1, 0}, 10, a, sizeof a);
    struct scsi_plan asked = h->plan;
    assert_false(scsi_compare(&asked, a, b, sizeof a, &h->plan));
    uint8_t length = scsi_sense_form(h->server, 0, h->plan.sense, h->plan.sense_length);
    static const uint8_t miscompare[20] = {0x72, 0xE, 0x1D, [7] = 12, 0, 0x0A, 0x80, [19] = 9};
    assert_int_equal(length, 20);
    assert_memory_equal(h->plan.sense, miscompare, 20);
    assert_int_equal(scsi_sense_form(h->server, 0, h->plan.sense, length), length); /* once */
    assert_int_equal(scsi_sense_form(h->server, 0, h->plan.sense, 0), 0);
    length = scsi_sense(h->plan.sense, 3, 0x11, 0);
    assert_int_equal(scsi_sense_form(h->server, 7, h->plan.sense, length), length);
    assert_int_equal(h->plan.sense[0], 0x70); /* no volume there, no D_SENSE */
    /* REQUEST SENSE has a bit of its own */
    host_cdb(h, 0x03, 0, 0, 0, 252, 0);
    assert_int_equal(h->answer[0], 0x70);
    select_page(h, false, 0x0A, 2, 0);
    host_cdb(h, 0x28, 0, 0, 0xFF, 0, 0, 0, 0, 1, 0);
    assert_sense(h, 5, 0x2100);
    host_free(h);
}

static void target_port_groups(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_cdb(h, 0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_int_equal(be32_at(h->answer), 2 * 12);
    assert_int_equal(h->plan.data_length, 4 + 2 * 12);
    assert_int_equal(be16_at(h->answer + 6), 1);
    assert_int_equal(h->answer[11], 1);
    assert_int_equal(be16_at(h->answer + 14), 1);
    assert_int_equal(be16_at(h->answer + 18), 2);
    scsi_switches_set(h->server, 3);
    host_cdb(h, 0xA3, 0x2A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_int_equal(be32_at(h->answer), 4 + 3 * 12);
    assert_int_equal(h->answer[4], 0x10);
    scsi_switches_set(h->server, 1); /* a nexus through switch 2 counts */
    host_open_as(h, 1, 9, "iqn.b");
    host_calm(h);
    host_cdb(h, 0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0);
    assert_int_equal(be32_at(h->answer), 2 * 12);
    assert_int_equal(h->plan.data_length, 4);
    host_cdb(h, 0xA3, 0x4A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_sense(h, 5, 0x2400);
    host_free(h);
}

static void supported_opcodes(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    host_cdb(h, 0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0);
    assert_int_equal(be32_at(h->answer), opcode_count() * 8);
    host_cdb(h, 0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0);
    assert_int_equal(be32_at(h->answer), opcode_count() * 20);
    static const struct {
        uint8_t options, code, action;
        uint8_t support, length; /* 0: refused */
    } rows[] = {
        {1, 0x2A, 0, 3, 10},   {1, 0xFF, 0, 1, 0}, {1, 0x9E, 0, 0, 0},  {2, 0x9E, 0x10, 3, 16},
        {2, 0x9E, 0x11, 1, 0}, {2, 0x2A, 0, 0, 0}, {3, 0x2A, 0, 3, 10}, {3, 0x2A, 1, 1, 0},
        {3, 0x5F, 7, 3, 10},   {3, 0x5F, 8, 1, 0}, {4, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        host_cdb(h, 0xA3, 0x0C, rows[i].options, rows[i].code, 0, rows[i].action, 0, 0, 1, 0, 0, 0);
        if (!rows[i].support) {
            assert_sense(h, 5, 0x2400);
            continue;
        }
        assert_int_equal(h->answer[1], rows[i].support);
        assert_int_equal(be16_at(h->answer + 2), rows[i].length);
        assert_int_equal(h->plan.data_length, 4 + rows[i].length);
    }
    host_cdb(h, 0xA3, 0x0C, 0x81, 0x2A, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_int_equal(h->answer[1], 0x83);
    assert_int_equal(h->answer[5] & 0x18, 0x18); /* DPO, FUA */
    assert_int_equal(h->plan.data_length, 4 + 10 + 12);
    static const uint8_t timeouts[12] = {0, 10, [11] = 30};
    assert_memory_equal(h->answer + 14, timeouts, sizeof timeouts);
    for (uint32_t i = 0; i < opcode_count(); i++) /* longer than a takeover */
        assert_in_range(opcode_timeout_s(&opcode_table[i]), 15,
                        opcode_table[i].code == 0x48 ? 86400 : 60);
    host_cdb(h, 0xA3, 0x0C, 2, 0x9E, 0, 0x10, 0, 0, 1, 0, 0, 0);
    assert_int_equal(h->answer[5], 0x10);     /* the service action itself */
    struct volume_info info = host_volume(0); /* of a pool without redo records */
    info.atomic_blocks = 0;
    host_set_volume(h, &info);
    host_cdb(h, 0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0);
    assert_int_equal(be32_at(h->answer), (opcode_count() - 1) * 8);
    host_cdb(h, 0xA3, 0x0C, 1, 0x9C, 0, 0, 0, 0, 1, 0, 0, 0);
    assert_int_equal(h->answer[1], 1);
    host_cdb(h, 0x9C, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0);
    assert_sense(h, 5, 0x2000);
    host_cdb(h, 0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0);
    assert_int_equal(h->answer[0] & 0xC8, 0xC8);
    host_cdb(h, 0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 64, 0, 0);
    assert_int_equal(h->plan.data_length, 16);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_data),
        cmocka_unit_test(vital_pages),
        cmocka_unit_test(ports_and_policies),
        cmocka_unit_test(identity_is_the_same_through_each_switch),
        cmocka_unit_test(capacity),
        cmocka_unit_test(luns),
        cmocka_unit_test(luns_of_hosts),
        cmocka_unit_test(mode_sense),
        cmocka_unit_test(mode_select_protects),
        cmocka_unit_test(mode_select_refuses),
        cmocka_unit_test(without_write_cache),
        cmocka_unit_test(pages_are_saved_one_by_one),
        cmocka_unit_test(descriptor_sense),
        cmocka_unit_test(target_port_groups),
        cmocka_unit_test(supported_opcodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
