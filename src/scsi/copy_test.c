/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/copy.h"
#include "scsi/test_host.h"

/* EXTENDED COPY and RECEIVE COPY RESULTS: lists good and bad, rights, what is told afterwards. */

enum { HEADER = 16, LIST_MAX = HEADER + 20 * 32 + 20 * 28 };

struct list {
    uint8_t bytes[LIST_MAX];
    uint32_t targets, segments, length;
};

static void begin(struct list *l, uint8_t identifier, uint8_t usage)
{
    memset(l, 0, sizeof *l);
    l->bytes[0] = identifier;
    l->bytes[1] = (uint8_t)(usage << 3);
    l->length = HEADER;
}

/* The volume by its NAA or by its UUID, as page 83 says them. */
static void add_target(struct host *h, struct list *l, uint16_t volume, bool by_uuid)
{
    uint8_t *t = l->bytes + l->length;
    uint16_t before = h->volume;
    h->volume = volume;
    host_cdb(h, 0x12, 1, 0x83, 0, 255, 0);
    h->volume = before;
    const uint8_t *designator = h->answer + 4 + (by_uuid ? 12 + 44 : 0);
    t[0] = COPY_TARGET_IDENTIFICATION;
    t[4] = 1;
    t[5] = designator[1];
    t[7] = designator[3];
    memcpy(t + 8, designator + 4, t[7]);
    l->length += 32;
    l->targets += 32;
}

static uint8_t *add_segment(struct list *l, uint16_t from, uint64_t from_lba, uint16_t to,
                            uint64_t to_lba, uint16_t blocks)
{
    uint8_t *s = l->bytes + l->length;
    s[0] = COPY_SEGMENT_BLOCK_TO_BLOCK;
    be16_put(s + 2, 24);
    be16_put(s + 4, from);
    be16_put(s + 6, to);
    be16_put(s + 10, blocks);
    be64_put(s + 12, from_lba);
    be64_put(s + 20, to_lba);
    l->length += 28;
    l->segments += 28;
    return s;
}

static struct command_message message(const struct host *h, const struct list *l)
{
    struct command_message m = {.kind = COMMAND_SCSI, .cdb = {0x83}, .volume = h->volume};
    m.id.sender = h->sender;
    m.nexus = h->nexus;
    be32_put(m.cdb + 10, l->length);
    return m;
}

static void send(struct host *h, struct list *l)
{
    be16_put(l->bytes + 2, (uint16_t)l->targets);
    be32_put(l->bytes + 8, l->segments);
    struct command_message m = message(h, l);
    host_run(h, &m, l->bytes, l->length);
}

static struct host *two_volumes(void)
{
    struct host *h = host_new();
    struct volume_info other = host_volume(1);
    other.block_bytes = 4096;
    other.blocks = 1000;
    host_set_volume(h, &other);
    h->volume = 1;
    host_calm(h);
    h->volume = 0;
    return h;
}

static void segments_become_copies(void **unused)
{
    (void)unused;
    struct host *h = two_volumes();
    struct list l;
    struct scsi_copy copy;
    begin(&l, 1, 0);
    add_target(h, &l, 0, false);
    add_target(h, &l, 1, true);
    add_segment(&l, 0, 100, 0, 200, 64);
    add_segment(&l, 0, 8, 1, 5, 16);
    add_segment(&l, 1, 9, 0, 1000, 2)[1] = 2; /* counted in blocks of the destination: too few */
    send(h, &l);
    assert_sense(h, 0xA, 0x260A);
    be16_put(l.bytes + HEADER + 64 + 2 * 28 + 10, 16);
    send(h, &l);
    assert_good(h);
    assert_int_equal(h->plan.what, SCSI_COPY);
    assert_int_equal(h->plan.ranges, 3);
    assert_true(scsi_copy_segment(h->server, l.bytes, l.length, 1, &copy));
    assert_int_equal(copy.from, 0);
    assert_int_equal(copy.to, 1);
    assert_int_equal(copy.from_lba, 8);
    assert_int_equal(copy.to_lba, 5);
    assert_int_equal(copy.bytes, 8192);
    assert_true(scsi_copy_segment(h->server, l.bytes, l.length, 2, &copy));
    assert_int_equal(copy.from, 1);
    assert_int_equal(copy.bytes, 8192);
    assert_false(scsi_copy_segment(h->server, l.bytes, l.length, 3, &copy));
    struct command_message m = message(h, &l);
    assert_true(scsi_copy_crosses(h->server, &m, l.bytes, l.length));
    begin(&l, 1, 0);
    add_target(h, &l, 0, true);
    add_segment(&l, 0, 100, 0, 200, 64);
    send(h, &l);
    assert_int_equal(h->plan.what, SCSI_COPY);
    m = message(h, &l);
    assert_false(scsi_copy_crosses(h->server, &m, l.bytes, l.length));
    m.volume = 1;
    assert_true(scsi_copy_crosses(h->server, &m, l.bytes, l.length));
    host_free(h);
}

/* After a takeover it is done from its beginning: that must give the same. */
static void what_is_read_is_not_written(void **unused)
{
    (void)unused;
    struct host *h = two_volumes();
    struct list l;
    begin(&l, 1, 0);
    add_target(h, &l, 0, false);
    add_segment(&l, 0, 100, 0, 163, 64);
    send(h, &l);
    assert_sense(h, 5, 0x2600);
    begin(&l, 1, 0);
    add_target(h, &l, 0, false);
    add_segment(&l, 0, 100, 0, 200, 64);
    add_segment(&l, 0, 300, 0, 150, 32); /* what the first one has read */
    send(h, &l);
    assert_sense(h, 5, 0x2600);
    begin(&l, 1, 0);
    add_target(h, &l, 0, false);
    add_segment(&l, 0, 100, 0, 200, 64);
    add_segment(&l, 0, 200, 0, 300, 64); /* what the first one has written: all right */
    send(h, &l);
    assert_int_equal(h->plan.what, SCSI_COPY);
    host_free(h);
}

static void bad_lists(void **unused)
{
    (void)unused;
    struct host *h = two_volumes();
    static const struct {
        uint32_t at; /* of the list below, its byte becomes `value` */
        uint8_t value;
        uint8_t key;
        uint16_t code;
    } rows[] = {
        {1, 1 << 3, 5, 0x2600},           /* reserved usage */
        {1, 3 << 3, 5, 0x2600},           /* no identifier, and there is one */
        {3, 31, 5, 0x1A00},               /* not whole targets */
        {11, 27, 5, 0x1A00},              /* not whole segments */
        {11, 29, 5, 0x1A00},              /* more than there is */
        {15, 1, 5, 0x2600},               /* inline data */
        {HEADER, 0xE0, 5, 0x2607},        /* another kind of target */
        {HEADER + 1, 0x20, 0xA, 0x0D02},  /* the null target */
        {HEADER + 1, 0x01, 5, 0x2600},    /* a tape */
        {HEADER + 9, 0xFF, 0xA, 0x0D02},  /* no volume of ours */
        {HEADER + 32, 0x04, 5, 0x2609},   /* another kind of segment */
        {HEADER + 33, 0x01, 5, 0x2600},   /* CAT */
        {HEADER + 35, 20, 5, 0x2600},     /* its length */
        {HEADER + 39, 1, 0xA, 0x0D02},    /* no such target */
        {HEADER + 49, 0xFF, 0xA, 0x0000}, /* beyond the end */
        {HEADER + 57, 0xFF, 0xA, 0x0000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct list l;
        begin(&l, 1, 0);
        add_target(h, &l, 0, false);
        add_segment(&l, 0, 100, 0, 200, 64);
        be16_put(l.bytes + 2, 32);
        be32_put(l.bytes + 8, 28);
        l.bytes[rows[i].at] = rows[i].value;
        struct command_message m = message(h, &l);
        host_run(h, &m, l.bytes, l.length);
        assert_sense(h, rows[i].key, rows[i].code);
        for (uint32_t cut = 1; cut < l.length; cut++) {
            be32_put(m.cdb + 10, cut);
            host_run(h, &m, l.bytes, cut);
            assert_int_equal(h->plan.status, SCSI_STATUS_CHECK_CONDITION);
        }
    }
    for (uint32_t targets = 1; targets <= 17; targets += 16)
        for (uint32_t segments = 1; segments <= 17; segments += 16) {
            struct list l;
            begin(&l, 1, 0);
            for (uint32_t t = 0; t < targets; t++)
                add_target(h, &l, 0, false);
            for (uint32_t s = 0; s < segments; s++)
                add_segment(&l, 0, 100, 0, 200, 64);
            send(h, &l);
            if (targets + segments > 2)
                assert_sense(h, 5, targets == segments ? 0x1A00 : targets > 1 ? 0x2606 : 0x2608);
        }
    host_cdb(h, 0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    assert_good(h);
    host_free(h);
}

/* A reservation of the other volume, and its write protection, count too. */
static void rights_on_both_sides(void **unused)
{
    (void)unused;
    struct host *h = two_volumes();
    struct list l;
    begin(&l, 1, 0);
    add_target(h, &l, 0, false);
    add_target(h, &l, 1, false);
    add_segment(&l, 0, 0, 1, 0, 8);
    send(h, &l);
    assert_int_equal(h->plan.what, SCSI_COPY);
    host_open_as(h, 1, 7, "iqn.2024-01.host:b,i,0x1");
    h->volume = 1;
    host_calm(h);
    host_cdb(h, 0x16, 0, 0, 0, 0, 0); /* RESERVE(6) */
    assert_good(h);
    host_use(h, 0, 1);
    h->volume = 0;
    host_calm(h);
    send(h, &l);
    assert_sense(h, 0xA, 0x0D01);
    host_use(h, 1, 7);
    h->volume = 1;
    host_cdb(h, 0x17, 0, 0, 0, 0, 0);
    struct volume_info other = *scsi_volume(h->server, 1);
    other.read_only = true;
    host_set_volume(h, &other);
    host_use(h, 0, 1);
    host_calm(h);
    h->volume = 0;
    host_calm(h);
    send(h, &l);
    assert_sense(h, 7, 0x2700);
    host_free(h);
}

/* What is not mapped to the host it cannot reach by name either. */
static void volumes_of_other_hosts(void **unused)
{
    (void)unused;
    struct host *h = two_volumes();
    struct list l;
    begin(&l, 1, 0);
    add_target(h, &l, 0, false);
    add_target(h, &l, 1, false);
    add_segment(&l, 0, 0, 1, 0, 8);
    be16_put(l.bytes + 2, (uint16_t)l.targets);
    be32_put(l.bytes + 8, l.segments);
    struct command_message m = message(h, &l);
    m.host = 5; /* and this group does not own the directory */
    host_run(h, &m, l.bytes, l.length);
    assert_sense(h, 0xA, 0x0D02);
    h->directory.hosts = 2;
    h->directory.count = 1;
    h->directory.at[0] = (struct directory_entry){.host = 5, .lun = 3, .group = 0, .volume = 1};
    memcpy(h->directory.at[0].uuid, scsi_volume(h->server, 1)->uuid, 16);
    host_run(h, &m, l.bytes, l.length);
    assert_int_equal(h->plan.what, SCSI_COPY);
    m.host = 6;
    host_run(h, &m, l.bytes, l.length);
    assert_sense(h, 0xA, 0x0D02);
    m.host = 5;
    h->directory.at[0].uuid[3]++; /* the volume before it, of that number */
    host_run(h, &m, l.bytes, l.length);
    assert_sense(h, 0xA, 0x0D02);
    h->directory.hosts = 0;
    host_free(h);
}

static void ask_status(struct host *h, uint8_t identifier)
{
    host_cdb(h, 0x84, COPY_STATUS, identifier, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0);
}

static void results_are_kept_for_the_nexus(void **unused)
{
    (void)unused;
    struct host *h = two_volumes();
    ask_status(h, 9);
    assert_sense(h, 5, 0x2400);
    struct list l;
    begin(&l, 9, 0);
    add_target(h, &l, 0, false);
    add_segment(&l, 0, 100, 0, 200, 64);
    add_segment(&l, 0, 100, 0, 300, 64);
    send(h, &l);
    struct command_message m = message(h, &l);
    scsi_copied(h->server, &m, l.bytes, l.length, 0);
    ask_status(h, 9);
    assert_good(h);
    assert_int_equal(h->plan.data_length, 12);
    assert_int_equal(be32_at(h->answer), 8);
    assert_int_equal(h->answer[4], 1);
    assert_int_equal(be16_at(h->answer + 5), 2);
    assert_int_equal(be32_at(h->answer + 8), 2 * 64 * 512);
    scsi_copied(h->server, &m, l.bytes, l.length, 2);
    ask_status(h, 9);
    assert_int_equal(h->answer[4], 2);
    ask_status(h, 8);
    assert_sense(h, 5, 0x2400);
    for (int i = 0; i < 200; i++) { /* those that nobody will ask for are not kept */
        l.bytes[0] = 5;
        l.bytes[1] = 2 << 3;
        scsi_copied(h->server, &m, l.bytes, l.length, 0);
    }
    ask_status(h, 9);
    assert_good(h);
    host_open_as(h, 1, 1, "iqn.2024-01.host:b,i,0x1");
    host_calm(h);
    ask_status(h, 9);
    assert_sense(h, 5, 0x2400);
    host_use(h, 0, 1);
    struct command_message loss = {.kind = COMMAND_NEXUS_LOSS, .nexus = 1};
    scsi_copied(h->server, &loss, NULL, 0, 0);
    ask_status(h, 9);
    assert_sense(h, 5, 0x2400);
    host_cdb(h, 0x84, COPY_PARAMETERS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0);
    assert_int_equal(h->plan.data_length, 46);
    assert_int_equal(be32_at(h->answer), 42);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_become_copies),
        cmocka_unit_test(what_is_read_is_not_written),
        cmocka_unit_test(bad_lists),
        cmocka_unit_test(volumes_of_other_hosts),
        cmocka_unit_test(rights_on_both_sides),
        cmocka_unit_test(results_are_kept_for_the_nexus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
