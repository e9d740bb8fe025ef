/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/test_host.h"

/* Persistent reservations: nexuses A, B, C are registered with keys 0xA, 0xB, 0xC, U is not. */

enum { A, B, C, U };

static void use(struct host *h, int who)
{
    static const uint8_t senders[] = {0, 1, 0, 1};
    host_use(h, senders[who], (uint32_t)(10 + who));
}

static void reserve_out_flags(struct host *h, int action, int type, uint64_t key, uint64_t other,
                              uint8_t flags)
{
    uint8_t list[24] = {[20] = flags};
    const uint8_t cdb[10] = {0x5F, (uint8_t)action, (uint8_t)type, [8] = sizeof list};
    be64_put(list, key);
    be64_put(list + 8, other);
    host_data(h, cdb, sizeof cdb, list, sizeof list);
}

static void reserve_out(struct host *h, int action, int type, uint64_t key, uint64_t other)
{
    reserve_out_flags(h, action, type, key, other, 0);
}

static void reserve_in(struct host *h, int action, uint16_t allocation)
{
    uint8_t cdb[10] = {0x5E, (uint8_t)action};
    be16_put(cdb + 7, allocation);
    host_data(h, cdb, sizeof cdb, NULL, 0);
    assert_good(h);
}

static uint32_t generation(struct host *h)
{
    reserve_in(h, PERSISTENT_READ_KEYS, 8);
    return be32_at(h->answer);
}

/* Keys registered, as bits: 0xA is bit 0xA. */
static uint32_t keys(struct host *h)
{
    uint32_t bits = 0;
    reserve_in(h, PERSISTENT_READ_KEYS, 4096);
    for (uint32_t i = 0; i < be32_at(h->answer + 4) / 8; i++)
        bits |= 1u << be64_at(h->answer + 8 + i * 8);
    return bits;
}

/* Type and key of the reservation: type << 8 | key. */
static uint32_t reservation(struct host *h)
{
    reserve_in(h, PERSISTENT_READ_RESERVATION, 4096);
    if (be32_at(h->answer + 4) == 0)
        return 0;
    assert_int_equal(be32_at(h->answer + 4), 16);
    return (uint32_t)h->answer[21] << 8 | (uint32_t)be64_at(h->answer + 8);
}

static void register_key(struct host *h, int who, uint64_t key)
{
    use(h, who);
    reserve_out(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 0, key);
    assert_good(h);
}

static struct host *hosts_new(void)
{
    struct host *h = host_new();
    static const char *const names[] = {"iqn.a,i,0x1", "iqn.b,i,0x1", "iqn.c,i,0x1", "iqn.u"};
    for (int who = A; who <= U; who++) {
        use(h, who);
        host_open_as(h, h->sender, h->nexus, names[who]);
        host_calm(h);
        if (who != U)
            register_key(h, who, (uint64_t)(0xA + who));
    }
    use(h, A);
    return h;
}

static void attention_is(struct host *h, int who, uint16_t code)
{
    use(h, who);
    host_ready(h);
    if (!code) {
        assert_good(h);
        return;
    }
    assert_sense(h, 6, code);
    host_ready(h); /* one TEST UNIT READY was enough */
    assert_good(h);
}

/* Does it run? */
static bool runs(struct host *h, const uint8_t cdb[16])
{
    static uint8_t data[1024];
    host_data(h, cdb, 16, data, cdb[0] == 0x89 ? 1024 : 512);
    if (h->plan.status == SCSI_STATUS_RESERVATION_CONFLICT)
        return false;
    assert_int_equal(h->plan.status, SCSI_STATUS_GOOD);
    return true;
}

enum { ALWAYS, READS, WRITES };
static const struct {
    uint8_t cdb[16];
    int access;
} access_commands[] = {
    {{0x00}, ALWAYS},
    {{0x03, [4] = 18}, ALWAYS},
    {{0x12, [4] = 96}, ALWAYS},
    {{0x1B, [4] = 1}, ALWAYS},
    {{0x1E}, ALWAYS},
    {{0x25}, ALWAYS},
    {{0x4D, 0, 0x40, [8] = 16}, ALWAYS},
    {{0x5E, [8] = 8}, ALWAYS},
    {{0x9E, 0x10, [13] = 32}, ALWAYS},
    {{0xA0, [9] = 16}, ALWAYS},
    {{0xA3, 0x0A, [9] = 16}, ALWAYS},
    {{0x08, [4] = 1}, READS},
    {{0x28, [8] = 1}, READS},
    {{0x88, [13] = 1}, READS},
    {{0xA8, [9] = 1}, READS},
    {{0x1A, 0, 0x3F, 0, 255}, READS},
    {{0x1C, [4] = 8}, READS},
    {{0x37, [8] = 8}, READS},
    {{0xB7, [9] = 8}, READS},
    {{0x5A, 0, 0x3F, [8] = 255}, READS},
    {{0x2F, [8] = 1}, READS},
    {{0x34}, READS},
    {{0x9E, 0x12, [13] = 24}, READS},
    {{0xA3, 0x0C, [9] = 16}, READS},
    {{0x0A, [4] = 1}, WRITES},
    {{0x15}, WRITES},
    {{0x1B, [4] = 4}, WRITES},
    {{0x1D, 4}, WRITES},
    {{0x1E, [4] = 1}, WRITES},
    {{0x2A, [8] = 1}, WRITES},
    {{0x2E, [8] = 1}, WRITES},
    {{0x35}, WRITES},
    {{0x41, [8] = 1}, WRITES},
    {{0x42}, WRITES},
    {{0x55}, WRITES},
    {{0x89, [13] = 1}, WRITES},
    {{0x8A, [13] = 1}, WRITES},
    {{0x91}, WRITES},
    {{0x93, [13] = 1}, WRITES},
    {{0xAA, [9] = 1}, WRITES},
};

static void access_matrix(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t type;
        bool registered_reads, registered_writes, other_reads;
    } types[] = {{1, true, false, true}, {3, false, false, false}, {5, true, true, true},
                 {6, true, true, false}, {7, true, true, true},    {8, true, true, false}};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct host *h = hosts_new();
        reserve_out(h, PERSISTENT_RESERVE, types[t].type, 0xA, 0);
        assert_good(h);
        for (size_t i = 0; i < sizeof access_commands / sizeof access_commands[0]; i++) {
            int access = access_commands[i].access;
            use(h, A);
            assert_true(runs(h, access_commands[i].cdb));
            use(h, B);
            assert_int_equal(runs(h, access_commands[i].cdb),
                             access == ALWAYS || (access == READS && types[t].registered_reads) ||
                                 (access == WRITES && types[t].registered_writes));
            use(h, U);
            assert_int_equal(runs(h, access_commands[i].cdb),
                             access == ALWAYS || (access == READS && types[t].other_reads));
        }
        host_free(h);
    }
}

static void registering(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    assert_int_equal(generation(h), 3);
    assert_int_equal(keys(h), 0x1C00);
    use(h, U);
    reserve_out(h, PERSISTENT_REGISTER, 0, 5, 0xD); /* not registered: the key is 0 */
    assert_conflict(h);
    reserve_out(h, PERSISTENT_REGISTER, 0, 0, 0);
    assert_good(h);
    assert_int_equal(generation(h), 3);
    reserve_out(h, PERSISTENT_REGISTER, 0, 0, 0xD);
    assert_good(h);
    assert_int_equal(keys(h), 0x3C00);
    reserve_out(h, PERSISTENT_REGISTER, 0, 0, 0xE); /* registered: the key must be right */
    assert_conflict(h);
    reserve_out(h, PERSISTENT_REGISTER, 0, 0xD, 0xE);
    assert_good(h);
    assert_int_equal(keys(h), 0x5C00);
    reserve_out(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 99, 0xF);
    assert_good(h);
    assert_int_equal(keys(h), 0x9C00);
    reserve_out(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 99, 0);
    assert_good(h);
    assert_int_equal(keys(h), 0x1C00);
    assert_int_equal(generation(h), 7);
    reserve_out(h, PERSISTENT_RESERVE, 1, 0xF, 0); /* not registered any more */
    assert_conflict(h);
    /* a nexus that comes back finds its registration */
    use(h, A);
    host_lose(h);
    host_open_as(h, h->sender, h->nexus, "iqn.a,i,0x1");
    attention_is(h, A, 0x2907);
    reserve_out(h, PERSISTENT_RESERVE, 1, 0xA, 0);
    assert_good(h);
    /* the same port through another switch has none */
    host_open_as(h, 1, 50, "iqn.a,i,0x1");
    host_calm(h);
    reserve_out(h, PERSISTENT_RESERVE, 1, 0xA, 0);
    assert_conflict(h);
    host_free(h);
}

static void bad_parameters(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    uint8_t list[32] = {0};
    host_data(h, (const uint8_t[10]){0x5F, 0, [8] = 23}, 10, list, 24);
    assert_sense(h, 5, 0x1A00);
    host_data(h, (const uint8_t[10]){0x5F, 0, [8] = 32}, 10, list, 32);
    assert_sense(h, 5, 0x1A00);
    host_data(h, (const uint8_t[10]){0x5F, 0, [8] = 24}, 10, list, 20);
    assert_sense(h, 5, 0x1A00);
    for (int type = 0; type < 16; type++) {
        bool known = type == 1 || type == 3 || type == 5 || type == 6 || type == 7 || type == 8;
        reserve_out(h, PERSISTENT_RESERVE, type, 0xA, 0);
        if (known)
            assert_int_not_equal(h->plan.status, SCSI_STATUS_CHECK_CONDITION);
        else
            assert_sense(h, 5, 0x2400);
    }
    reserve_out(h, PERSISTENT_RESERVE, 0x11, 0xA, 0); /* scope */
    assert_sense(h, 5, 0x2400);
    reserve_out_flags(h, PERSISTENT_REGISTER, 0, 0xA, 0xA, 8); /* SPEC_I_PT and no list */
    assert_sense(h, 5, 0x1A00);
    reserve_out_flags(h, PERSISTENT_RESERVE, 1, 0xA, 0, 8);
    assert_sense(h, 5, 0x2600);
    reserve_out(h, PERSISTENT_REGISTER_AND_MOVE, 0, 0xA, 0xA); /* to no target port */
    assert_sense(h, 5, 0x2600);
    reserve_out(h, 8, 0, 0xA, 0xA);
    assert_sense(h, 5, 0x2400);
    for (uint8_t action = 4; action < 32; action++) {
        host_cdb(h, 0x5E, action, 0, 0, 0, 0, 0, 1, 0, 0);
        assert_sense(h, 5, 0x2400);
    }
    host_free(h);
}

static void reserving_and_releasing(void **unused)
{
    (void)unused;
    static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
    for (size_t t = 0; t < sizeof types; t++) {
        struct host *h = hosts_new();
        uint8_t type = types[t];
        bool all = type >= 7, told = type >= 5;
        assert_int_equal(reservation(h), 0);
        reserve_out(h, PERSISTENT_RESERVE, type, 0xB, 0); /* not its key */
        assert_conflict(h);
        reserve_out(h, PERSISTENT_RESERVE, type, 0xA, 0);
        assert_good(h);
        assert_int_equal(reservation(h), type << 8 | (all ? 0 : 0xA));
        assert_int_equal(generation(h), 3); /* reserving does not count */
        reserve_out(h, PERSISTENT_RESERVE, type, 0xA, 0);
        assert_good(h);
        reserve_out(h, PERSISTENT_RESERVE, type == 1 ? 3 : 1, 0xA, 0);
        assert_conflict(h);
        use(h, B);
        reserve_out(h, PERSISTENT_RESERVE, type, 0xB, 0);
        assert_int_equal(h->plan.status, all ? SCSI_STATUS_GOOD : SCSI_STATUS_RESERVATION_CONFLICT);
        if (!all) {
            reserve_out(h, PERSISTENT_RELEASE, type, 0xB, 0); /* not the holder: no effect */
            assert_good(h);
            assert_int_equal(reservation(h), type << 8 | 0xA);
        }
        use(h, A);
        reserve_out(h, PERSISTENT_RELEASE, type == 1 ? 3 : 1, 0xA, 0);
        assert_sense(h, 5, 0x2604);
        reserve_out(h, PERSISTENT_RELEASE, type, 0xA, 0);
        assert_good(h);
        assert_int_equal(reservation(h), 0);
        attention_is(h, A, 0);
        attention_is(h, B, told ? 0x2A04 : 0);
        attention_is(h, C, told ? 0x2A04 : 0);
        attention_is(h, U, 0);
        reserve_out(h, PERSISTENT_RELEASE, type, 0xB, 0);
        assert_conflict(h); /* U is not registered */
        host_free(h);
    }
}

static void an_unregistering_holder(void **unused)
{
    (void)unused;
    static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
    for (size_t t = 0; t < sizeof types; t++) {
        struct host *h = hosts_new();
        uint8_t type = types[t];
        bool all = type >= 7, told = type == 5 || type == 6;
        reserve_out(h, PERSISTENT_RESERVE, type, 0xA, 0);
        reserve_out(h, PERSISTENT_REGISTER, 0, 0xA, 0);
        assert_good(h);
        assert_int_equal(reservation(h), all ? type << 8 : 0);
        attention_is(h, A, 0);
        attention_is(h, B, told ? 0x2A04 : 0);
        attention_is(h, C, told ? 0x2A04 : 0);
        register_key(h, B, 0);
        register_key(h, C, 0);
        assert_int_equal(reservation(h), 0); /* with the last registrant */
        assert_int_equal(keys(h), 0);
        host_free(h);
    }
}

static void clearing(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    reserve_out(h, PERSISTENT_RESERVE, 5, 0xA, 0);
    use(h, B);
    reserve_out(h, PERSISTENT_CLEAR, 0, 0xA, 0);
    assert_conflict(h);
    reserve_out(h, PERSISTENT_CLEAR, 0, 0xB, 0);
    assert_good(h);
    assert_int_equal(keys(h), 0);
    assert_int_equal(reservation(h), 0);
    assert_int_equal(generation(h), 4);
    attention_is(h, A, 0x2A03);
    attention_is(h, B, 0);
    attention_is(h, C, 0x2A03);
    attention_is(h, U, 0);
    host_free(h);
}

static void preempting(void **unused)
{
    (void)unused;
    static const struct {
        int type;     /* A reserves so; 0: not at all */
        int new_type; /* B preempts so, naming ... */
        uint64_t named;
        uint32_t wrong; /* 1: conflict; else key and code */
        uint32_t keys, reservation;
        uint16_t a, c; /* unit attentions */
    } rows[] = {
        /* without a reservation: registrations go */
        {0, 1, 0xA, 0, 0x1800, 0, 0x2A05, 0},
        {0, 1, 0xB, 0, 0x1400, 0, 0, 0},
        {0, 1, 0xF, 1, 0, 0, 0, 0},
        {0, 1, 0, 0x52600, 0, 0, 0, 0},
        {0, 2, 0xA, 0x52400, 0, 0, 0, 0},
        /* the holder's key: the reservation is taken */
        {1, 3, 0xA, 0, 0x1800, 0x30B, 0x2A05, 0},
        {5, 5, 0xA, 0, 0x1800, 0x50B, 0x2A05, 0},
        {5, 6, 0xA, 0, 0x1800, 0x60B, 0x2A05, 0x2A04},
        {3, 8, 0xA, 0, 0x1800, 0x800, 0x2A05, 0},
        /* another's key: the reservation stays */
        {1, 3, 0xC, 0, 0xC00, 0x10A, 0, 0x2A05},
        {6, 3, 0xB, 0, 0x1400, 0x60A, 0, 0},
        {1, 3, 0, 0x52600, 0, 0, 0, 0},
        {1, 3, 0xF, 1, 0, 0, 0, 0},
        /* all registrants: 0 takes it from all, a key only unregisters */
        {7, 1, 0, 0, 0x800, 0x10B, 0x2A05, 0x2A05},
        {8, 8, 0, 0, 0x800, 0x800, 0x2A05, 0x2A05},
        {8, 1, 0xA, 0, 0x1800, 0x800, 0x2A05, 0},
        {8, 1, 0xF, 1, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int action = PERSISTENT_PREEMPT; action <= PERSISTENT_PREEMPT_AND_ABORT; action++) {
            struct host *h = hosts_new();
            if (rows[i].type)
                reserve_out(h, PERSISTENT_RESERVE, rows[i].type, 0xA, 0);
            use(h, B);
            reserve_out(h, action, rows[i].new_type, 0xB, rows[i].named);
            if (rows[i].wrong == 1) {
                assert_conflict(h);
            } else if (rows[i].wrong) {
                assert_sense(h, rows[i].wrong >> 16, rows[i].wrong & 0xFFFF);
            } else {
                assert_good(h);
                assert_int_equal(keys(h), rows[i].keys);
                assert_int_equal(reservation(h), rows[i].reservation);
                assert_int_equal(generation(h), 4);
                attention_is(h, B, 0);
                attention_is(h, A, rows[i].a);
                attention_is(h, C, rows[i].c);
            }
            host_free(h);
        }
}

/* A holder that names its own key keeps registration and reservation, with the new type. */
static void preempting_oneself(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    reserve_out(h, PERSISTENT_RESERVE, 5, 0xA, 0);
    reserve_out(h, PERSISTENT_PREEMPT, 1, 0xA, 0xA);
    assert_good(h);
    assert_int_equal(keys(h), 0x1C00);
    assert_int_equal(reservation(h), 0x10A);
    attention_is(h, A, 0);
    attention_is(h, B, 0x2A04);
    host_free(h);
}

static void reading(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    reserve_in(h, PERSISTENT_READ_KEYS, 10);
    assert_int_equal(h->plan.data_length, 10);
    assert_int_equal(be32_at(h->answer + 4), 24); /* of all, though it was cut */
    reserve_in(h, PERSISTENT_REPORT_CAPABILITIES, 255);
    assert_int_equal(h->plan.data_length, 8);
    assert_int_equal(h->answer[3] & 1, 0);
    assert_int_equal(be16_at(h->answer + 4), 0xEA01);
    reserve_out_flags(h, PERSISTENT_REGISTER, 0, 0xA, 0xA, 1); /* APTPL */
    reserve_in(h, PERSISTENT_REPORT_CAPABILITIES, 255);
    assert_int_equal(h->answer[3] & 1, 1);
    reserve_out(h, PERSISTENT_RESERVE, 5, 0xA, 0);
    reserve_in(h, PERSISTENT_READ_FULL_STATUS, 4096);
    assert_int_equal(be32_at(h->answer + 4) + 8, h->plan.data_length);
    const uint8_t *a = h->answer + 8;
    assert_int_equal(be64_at(a), 0xA);
    assert_int_equal(a[12], 1);
    assert_int_equal(a[13], 5);
    assert_int_equal(be16_at(a + 18), 1);
    assert_int_equal(be32_at(a + 20), 24); /* the TransportID */
    assert_int_equal(a[24], 0x45);
    assert_int_equal(be16_at(a + 26), 20);
    assert_string_equal((const char *)a + 28, "iqn.a,i,0x1");
    const uint8_t *b = a + 24 + 24;
    assert_int_equal(be64_at(b), 0xB);
    assert_int_equal(b[12], 0);
    assert_int_equal(be16_at(b + 18), 2);
    host_free(h);
}

static void registrations_are_bounded(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    char name[] = "iqn.xx,i,0x1";
    for (uint32_t i = 0; i < 70; i++) {
        name[4] = (char)('a' + i / 26);
        name[5] = (char)('a' + i % 26);
        host_open_as(h, 0, 100 + i, name);
        host_calm(h);
        reserve_out(h, PERSISTENT_REGISTER, 0, 0, 5);
        if (i < REGISTRATION_MAX)
            assert_good(h);
        else
            assert_sense(h, 5, 0x5504);
    }
    host_use(h, 0, 100);
    reserve_out(h, PERSISTENT_RESERVE, 7, 5, 0);
    reserve_out(h, PERSISTENT_CLEAR, 0, 5, 0); /* all 64 at once */
    assert_good(h);
    assert_int_equal(keys(h), 0);
    host_free(h);
}

/* Ports that stay for their registrations alone leave room for nexuses. */
static void forgotten_ports_lock_nobody_out(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint32_t refused = 0;
    for (uint16_t v = 1; v < 12; v++) {
        struct volume_info info = host_volume(v);
        host_set_volume(h, &info);
    }
    for (uint32_t i = 0; i < 600; i++) {
        char name[] = "iqn.xxx,i,0x1";
        for (uint32_t d = 4, left = i; d < 7; d++, left /= 26)
            name[d] = (char)('a' + left % 26);
        h->volume = (uint16_t)(1 + i / 60);
        host_open_as(h, 0, 1000 + i, name);
        assert_good(h);
        host_calm(h);
        reserve_out(h, PERSISTENT_REGISTER, 0, 0, 5);
        refused += h->plan.status != SCSI_STATUS_GOOD;
        host_lose(h);
    }
    assert_int_equal(refused, 600 - PORT_REGISTERED_MAX);
    scsi_volume_remove(h->server, 1); /* a volume's end frees what it held */
    scsi_volume_remove(h->other, 1);
    h->volume = 2;
    host_open_as(h, 0, 1, "iqn.fresh");
    host_calm(h);
    h->volume = 11;
    host_calm(h);
    reserve_out(h, PERSISTENT_REGISTER, 0, 0, 5);
    assert_good(h);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_matrix),
        cmocka_unit_test(registering),
        cmocka_unit_test(bad_parameters),
        cmocka_unit_test(reserving_and_releasing),
        cmocka_unit_test(an_unregistering_holder),
        cmocka_unit_test(clearing),
        cmocka_unit_test(preempting),
        cmocka_unit_test(preempting_oneself),
        cmocka_unit_test(reading),
        cmocka_unit_test(registrations_are_bounded),
        cmocka_unit_test(forgotten_ports_lock_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
