/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/test_host.h"

/* The state as bytes, and effects as bytes: the same on every unit, and harmless when they are bad.
 */

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void random_register(struct host *h, uint32_t *seed)
{
    uint8_t list[24] = {[20] = (uint8_t)(random_next(seed) & 5)}; /* APTPL, ALL_TG_PT */
    static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
    uint8_t cdb[10] = {0x5F, [8] = sizeof list};
    cdb[1] = (uint8_t)(random_next(seed) % 7);
    cdb[2] = types[random_next(seed) % sizeof types];
    be64_put(list, h->nexus);
    be64_put(list + 8, random_next(seed) % 4 ? h->nexus : random_next(seed) % 6);
    host_data(h, cdb, sizeof cdb, list, sizeof list);
}

/* For another port: registered along with its own, or given the reservation. */
static void random_register_other(struct host *h, uint32_t *seed)
{
    static const char *const names[] = {"iqn.y,i,0x000000000001", "iqn.x,i,0x0123456789ab"};
    uint8_t list[56] = {0};
    bool moves = random_next(seed) % 2;
    uint8_t *id = list + (moves ? 24 : 28);
    uint8_t cdb[10] = {0x5F, moves ? 7 : 0, [8] = moves ? 52 : 56};
    be64_put(list, moves ? h->nexus : 0);
    be64_put(list + 8, h->nexus + 1);
    list[17] = moves ? (uint8_t)(random_next(seed) % 4) : 0;
    list[19] = moves ? (uint8_t)(1 + random_next(seed) % 2) : 0;
    if (moves)
        list[23] = 28;
    else
        list[20] = (uint8_t)(8 | (random_next(seed) & 5));
    if (!moves)
        list[27] = 28;
    id[0] = 0x45;
    id[3] = 24;
    memcpy(id + 4, names[random_next(seed) % 2], 22);
    host_data(h, cdb, sizeof cdb, list, cdb[8]);
}

/* A command that is counted when it is done. */
static void random_done(struct host *h, uint32_t *seed)
{
    static const uint8_t codes[] = {0x28, 0x2A, 0x2F};
    static const uint8_t error[18] = {0x70, 0, 3};
    struct command_message m = {.kind = COMMAND_SCSI, .volume = h->volume};
    uint8_t status = random_next(seed) % 4 ? SCSI_STATUS_GOOD : SCSI_STATUS_CHECK_CONDITION;
    m.cdb[0] = codes[random_next(seed) % sizeof codes];
    m.cdb[8] = (uint8_t)random_next(seed);
    scsi_done(h->server, &m, status, error, sizeof error);
    scsi_done(h->other, &m, status, error, sizeof error);
}

static void random_mode(struct host *h, uint32_t *seed)
{
    uint32_t random = random_next(seed);
    uint8_t d_sense = random & 4, swp = random & 8, wce = random & 16 ? 4 : 0;
    const uint8_t list[36] = {[4] = 0x0A, 10,   2 | d_sense, 0x10,        swp, 0,  0,
                              0,          0xFF, 0xFF,        [16] = 0x08, 18,  wce};
    const uint8_t cdb[6] = {0x15, 0x10 | (random & 1), [4] = random & 2 ? 36 : 16};
    host_data(h, cdb, sizeof cdb, list, sizeof list);
}

/* Something that a host might do. */
static void random_step(struct host *h, uint32_t *seed)
{
    static const char *const names[] = {"iqn.z,i,0x1", "iqn.a,i,0x1", "iqn.k,i,0x2", "iqn.b"};
    uint32_t nexus = random_next(seed) % 6;
    host_use(h, (uint8_t)(random_next(seed) % 3), nexus);
    h->volume = (uint16_t)(random_next(seed) % 3 * 500);
    switch (random_next(seed) % 16) {
    case 0:
        host_open_as(h, h->sender, nexus, names[random_next(seed) % 4]);
        return;
    case 1:
        host_lose(h);
        return;
    case 2:
        host_task(h, (enum task_function)(1 + random_next(seed) % 7));
        return;
    case 3:
        host_cdb(h, 0x16, 0, 0, 0, 0, 0);
        return;
    case 4:
        random_mode(h, seed);
        return;
    case 5:
    case 6:
        host_ready(h);
        return;
    case 7:
        host_cdb(h, 0x17, 0, 0, 0, 0, 0);
        return;
    case 8:
        h->luns += random_next(seed) % 4 == 0;
        return;
    case 9:
        random_done(h, seed);
        return;
    case 10:
    case 11:
        random_register_other(h, seed);
        return;
    default:
        random_register(h, seed);
    }
}

static struct host *random_host(uint32_t seed, int steps)
{
    struct host *h = host_new();
    for (uint16_t v = 500; v <= 1000; v += 500) {
        struct volume_info info = host_volume(v);
        host_set_volume(h, &info);
    }
    for (int i = 0; i < steps; i++)
        random_step(h, &seed);
    return h;
}

static struct scsi_server *server_like(struct host *h)
{
    struct scsi_server *fresh = scsi_server_new(0, &h->directory, &h->trace);
    assert_non_null(fresh);
    for (uint16_t v = 0; v <= 1000; v += 500) {
        struct volume_info info = host_volume(v);
        scsi_volume_set(fresh, &info);
    }
    return fresh;
}

static void a_loaded_server_goes_on_the_same(void **unused)
{
    (void)unused;
    uint8_t *bytes = malloc(SAVE_BYTES);
    for (uint32_t seed = 1; seed <= 30; seed++) {
        struct host *h = random_host(seed * 7919, 150);
        uint32_t length = host_save(h->server, bytes);
        scsi_server_free(h->other);
        h->other = server_like(h);
        assert_true(scsi_load(h->other, bytes, length));
        host_check_same(h);
        uint32_t more = seed;
        for (int i = 0; i < 100; i++)
            random_step(h, &more); /* on both: host_free compares them */
        host_free(h);
    }
    free(bytes);
}

static void the_length_is_told_without_room(void **unused)
{
    (void)unused;
    struct host *h = random_host(4711, 100);
    uint8_t *bytes = malloc(SAVE_BYTES);
    uint32_t length = scsi_save(h->server, NULL, 0);
    assert_int_equal(length, host_save(h->server, bytes));
    uint8_t guard[16];
    memset(guard, 7, sizeof guard);
    assert_int_equal(scsi_save(h->server, guard, 8), length);
    for (int i = 8; i < 16; i++)
        assert_int_equal(guard[i], 7);
    free(bytes);
    host_free(h);
}

/* Every nexus, every volume, unit attentions that no run can shorten. */
static void the_largest_state_fits(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    char name[256];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    for (uint16_t v = 0; v < VOLUME_MAX; v++) {
        struct volume_info info = host_volume(v);
        host_set_volume(h, &info);
    }
    for (uint32_t n = 2; n <= NEXUS_MAX; n++) {
        name[0] = (char)('a' + n % 26);
        name[1] = (char)('a' + n / 26);
        host_open_as(h, 0, n, name);
        assert_good(h);
        for (uint16_t v = 0; v < VOLUME_MAX; v += 2) {
            h->volume = v;
            host_ready(h);
        }
    }
    uint32_t length = scsi_save(h->server, NULL, 0);
    assert_true(length > 300000 && length < 700000);
    host_free(h);
}

static void damaged_bytes_are_refused_or_sound(void **unused)
{
    (void)unused;
    struct host *h = random_host(99, 200);
    uint8_t *bytes = malloc(SAVE_BYTES), *bad = malloc(SAVE_BYTES), *now = malloc(SAVE_BYTES);
    uint32_t length = host_save(h->server, bytes), seed = 5;
    struct scsi_server *victim = server_like(h);
    assert_true(scsi_load(victim, bytes, length));
    for (uint32_t cut = 0; cut < length; cut++)
        assert_false(scsi_load(victim, bytes, cut));
    assert_false(scsi_load(victim, bytes, 0));
    memcpy(bad, bytes, length);
    bad[length] = 0;
    assert_false(scsi_load(victim, bad, length + 1));
    /* refused: the state is what it was */
    assert_int_equal(host_save(victim, now), length);
    assert_memory_equal(now, bytes, length);
    for (int i = 0; i < 20000; i++) {
        memcpy(bad, bytes, length);
        bad[random_next(&seed) % length] = (uint8_t)random_next(&seed);
        if (!scsi_load(victim, bad, length))
            continue;
        uint32_t again = host_save(victim, now);
        assert_true(scsi_load(victim, now, again));
    }
    scsi_server_free(victim);
    free(bytes);
    free(bad);
    free(now);
    host_free(h);
}

static void damaged_effects_change_nothing(void **unused)
{
    (void)unused;
    struct host *h = random_host(3, 200);
    host_open_as(h, 0, 5, "iqn.a,i,0x1"); /* leaves a long effect */
    assert_int_equal(h->plan.what, SCSI_RESOLVE);
    uint8_t *before = malloc(SAVE_BYTES), *after = malloc(SAVE_BYTES);
    uint8_t effect[EFFECT_MAX];
    uint32_t length = h->plan.effect_length, seed = 17;
    uint32_t saved = host_save(h->server, before);
    memcpy(effect, h->plan.effect, length);
    /* cut at the end of the header it is an effect of no changes */
    for (uint32_t cut = 0; cut < length; cut++)
        if (cut != 2)
            assert_false(scsi_apply(h->server, 0, effect, cut));
    for (int i = 0; i < 2; i++) { /* namespace, version */
        effect[i] ^= 0x40;
        assert_false(scsi_apply(h->server, 0, effect, length));
        effect[i] ^= 0x40;
    }
    assert_int_equal(host_save(h->server, after), saved);
    assert_memory_equal(before, after, saved);
    /* any bytes: refused, or applied the same and to a sound state */
    for (int i = 0; i < 50000; i++) {
        uint32_t size = 2 + CHANGE_BYTES * (1 + random_next(&seed) % 3);
        for (uint32_t b = 2; b < size; b++)
            effect[b] = random_next(&seed) % 3 ? 0 : (uint8_t)random_next(&seed);
        for (uint32_t b = 2; b < size; b += CHANGE_BYTES)
            effect[b] = (uint8_t)(random_next(&seed) % (CHANGES + 1));
        bool taken = scsi_apply(h->server, 0, effect, size);
        assert_int_equal(taken, scsi_apply(h->other, 0, effect, size));
        if (i % 100)
            continue;
        host_check_same(h);
        saved = host_save(h->server, after);
        assert_true(scsi_load(h->other, after, saved));
    }
    free(before);
    free(after);
    host_free(h);
}

static void another_volume_has_no_state(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t *bytes = malloc(SAVE_BYTES);
    uint8_t list[24] = {[15] = 5};
    host_data(h, (const uint8_t[10]){0x5F, 0, [8] = 24}, 10, list, 24);
    assert_good(h);
    host_cdb(h, 0x5E, 0, 0, 0, 0, 0, 0, 1, 0, 0);
    assert_int_equal(be32_at(h->answer + 4), 8);
    uint32_t length = host_save(h->server, bytes);
    struct volume_info info = host_volume(0);
    info.uuid[3] ^= 1;
    host_set_volume(h, &info);
    host_ready(h);
    assert_sense(h, 6, 0x2900);
    host_cdb(h, 0x5E, 0, 0, 0, 0, 0, 0, 1, 0, 0);
    assert_int_equal(be32_at(h->answer + 4), 0);
    /* nor if the bytes of the earlier one are loaded */
    assert_true(scsi_load(h->server, bytes, length));
    assert_true(scsi_load(h->other, bytes, length));
    host_cdb(h, 0x5E, 0, 0, 0, 0, 0, 0, 1, 0, 0);
    assert_int_equal(be32_at(h->answer + 4), 0);
    free(bytes);
    host_free(h);
}

static void what_a_power_loss_leaves(void **unused)
{
    (void)unused;
    for (uint8_t aptpl = 0; aptpl < 2; aptpl++) {
        struct host *h = host_new();
        uint8_t list[24] = {[15] = 5, [20] = aptpl};
        const char *name = "iqn.2024-01.host:a,i,0x1";
        host_data(h, (const uint8_t[10]){0x5F, 0, [8] = 24}, 10, list, 24);
        be64_put(list, 5);
        host_data(h, (const uint8_t[10]){0x5F, 1, 3, [8] = 24}, 10, list, 24);
        assert_good(h);
        scsi_forget_volatile(h->server);
        scsi_forget_volatile(h->other);
        host_open_as(h, 0, 1, name);
        host_calm(h);
        host_cdb(h, 0x5E, 0, 0, 0, 0, 0, 0, 1, 0, 0);
        assert_int_equal(be32_at(h->answer), 0); /* PRGENERATION */
        assert_int_equal(be32_at(h->answer + 4), aptpl ? 8 : 0);
        host_open_as(h, 1, 1, "iqn.other");
        host_calm(h);
        host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
        assert_int_equal(h->plan.status,
                         aptpl ? SCSI_STATUS_RESERVATION_CONFLICT : SCSI_STATUS_GOOD);
        host_free(h);
    }
}

/* What the first release has saved: a nexus, a registration that holds, SWP saved. */
static void the_first_version_is_loaded(void **unused)
{
    (void)unused;
    struct host *h = host_new();
    uint8_t bytes[256];
    struct cursor c = cursor_of(bytes, sizeof bytes);
    cursor_put8(&c, 1); /* version */
    cursor_put8(&c, 0);
    cursor_put16(&c, 1); /* ports */
    cursor_put8(&c, 5);
    cursor_put_bytes(&c, "iqn.v", 5);
    cursor_put16(&c, 1); /* nexuses */
    cursor_put8(&c, 1);
    cursor_put32(&c, 6);
    cursor_put16(&c, 0);
    be24_put(cursor_take(&c, 3), (VOLUME_MAX - 1) << 12); /* no unit attention */
    cursor_put16(&c, 1);                                  /* volumes */
    cursor_put16(&c, 0);
    cursor_put_bytes(&c, host_volume(0).uuid, 16);
    cursor_put32(&c, 9); /* generation */
    cursor_put8(&c, 3);  /* EXCLUSIVE ACCESS */
    cursor_put8(&c, 7);  /* APTPL, SWP and SWP saved */
    cursor_put8(&c, SENDER_NONE);
    cursor_put32(&c, 0);
    cursor_put8(&c, 1);
    cursor_put16(&c, 0);
    cursor_put8(&c, 1);
    cursor_put8(&c, 1);
    cursor_put64(&c, 77);
    uint32_t length = (uint32_t)(c.at - bytes);
    assert_true(scsi_load(h->server, bytes, length));
    assert_true(scsi_load(h->other, bytes, length));
    host_use(h, 1, 6);
    host_cdb(h, 0x5E, 1, 0, 0, 0, 0, 0, 0, 24, 0);
    assert_int_equal(be32_at(h->answer), 9);
    assert_int_equal(be64_at(h->answer + 8), 77);
    host_cdb(h, 0x1A, 8, 0xCA, 0, 255, 0);
    assert_int_equal(h->answer[8] & 8, 8);
    bytes[0] = 4;
    assert_false(scsi_load(h->server, bytes, length)); /* of a release to come */
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_server_goes_on_the_same),
        cmocka_unit_test(the_length_is_told_without_room),
        cmocka_unit_test(the_largest_state_fits),
        cmocka_unit_test(damaged_bytes_are_refused_or_sound),
        cmocka_unit_test(damaged_effects_change_nothing),
        cmocka_unit_test(another_volume_has_no_state),
        cmocka_unit_test(what_a_power_loss_leaves),
        cmocka_unit_test(the_first_version_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
