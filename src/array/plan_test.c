/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, effects, configuration as bytes, blocks on the drives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/bits.h"
#include "array/fake_drives.h"
#include "array/layout.h"
#include "base/text.h"

struct setting {
    struct array *array;
    struct buffer_pool *buffers;
    struct limits limits;
    struct trace trace;
};

static struct setting *setting_new(void)
{
    struct setting *s = calloc(1, sizeof *s);
    s->buffers = buffer_pool_new(1 << 20);
    s->limits = limits_default();
    s->trace.max_level = TRACE_ERROR;
    s->array = array_new(1, port_unit(0, 1), s->buffers, &s->limits, &s->trace);
    for (int l = 0; l < 2; l++) {
        struct drive_info info[10];
        memset(info, 0, sizeof info);
        for (int i = 0; i < 10; i++) {
            info[i].drive = (uint8_t)(l * 32 + i);
            info[i].bank = BANK_NONE;
            info[i].online = true;
            info[i].block_bytes = 4096;
            info[i].bytes = 68 << 20;
        }
        info[5].bank = 0;
        info[6].online = false;
        info[7].bytes = 5 << 20;
        info[8].content = DRIVE_CONTENT_FOREIGN;
        info[9].content = DRIVE_CONTENT_POOL;
        array_loop_up(s->array, l, 1, info, 10);
    }
    return s;
}

static void setting_free(struct setting *s)
{
    array_free(s->array);
    buffer_pool_free(s->buffers);
    free(s);
}

static bool manage(struct setting *s, const struct manage_request *r, char *text)
{
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX], effect[EFFECT_MAX];
    uint32_t length = manage_encode(r, bytes, sizeof bytes), effect_length;
    assert_true(length > 0);
    if (!array_plan(s->array, bytes, length, effect, &effect_length, text, 256))
        return false;
    assert_int_equal(effect[0], 2);
    assert_true(array_effect_text(effect, effect_length, text, 256));
    assert_true(array_apply(s->array, effect, effect_length));
    for (uint32_t cut = 0; cut < effect_length; cut++) {
        char none[16];
        assert_false(array_effect_text(effect, cut, none, sizeof none));
    }
    return true;
}

static struct manage_request pool_request(const char *name, uint8_t uuid, int count,
                                          const int *drives)
{
    struct manage_request r = {
        .verb = MANAGE_POOL_CREATE, .level = RAID_1, .cache = CACHE_MIRRORED};
    strcpy(r.name, name);
    r.uuid[3] = uuid;
    r.drive_count = (uint8_t)count;
    for (int i = 0; i < count; i++)
        r.drives[i] = (uint8_t)drives[i];
    return r;
}

static struct manage_request volume_request(const char *name, uint8_t uuid, uint64_t bytes)
{
    struct manage_request r = {.verb = MANAGE_VOLUME_CREATE, .block_bytes = 512, .bytes = bytes};
    strcpy(r.name, name);
    strcpy(r.pool, "p");
    r.uuid[4] = uuid;
    return r;
}

static void test_request_codec(void **state)
{
    (void)state;
    struct manage_request r = pool_request("p", 1, 3, (const int[]){1, 2, 127}), back;
    r.bytes = 0x123456789ABCull;
    r.lun = 777;
    r.read_only = true;
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    uint32_t length = manage_encode(&r, bytes, sizeof bytes);
    assert_true(manage_decode(bytes, length, &back));
    assert_memory_equal(&r, &back, sizeof r);
    for (uint32_t cut = 0; cut < length; cut++)
        assert_false(manage_decode(bytes, cut, &back));
    assert_int_equal(manage_encode(&r, bytes, 40), 0);
    r.drive_count = DRIVE_MAX;
    assert_true(manage_encode(&r, bytes, sizeof bytes) > 0);
}

static void test_refusals_of_pools(void **state)
{
    (void)state;
    struct setting *s = setting_new();
    char text[256];
    static const struct {
        int count, drives[4];
        enum raid_level level;
        const char *says;
    } pools[] = {
        {1, {0}, RAID_1, "raid1 needs 2 drives at least: name more for pool q: too few drives"},
        {3,
         {0, 1, 32},
         RAID_10,
         "pool q: RAID 10 needs an even number of drives; add or take away one"},
        {2, {0, 0}, RAID_1, "pool q: drive t0/00 is named twice; name each drive once"},
        {2, {1, 33}, RAID_1, "pool q: drive t0/01 is in another pool already; choose a free one"},
        {2, {0, 5}, RAID_1, "pool q: drive t0/05 serves another group; choose a free one"},
        {2,
         {0, 8},
         RAID_1,
         "pool q: drive t0/08 carries somebody else's data (segue drive show names it); choose "
         "another, or wipe it with segue drive adopt"},
        {2,
         {0, 9},
         RAID_1,
         "pool q: drive t0/09 carries a pool of another array; choose another, or wipe it with "
         "segue drive adopt"},
        {2,
         {0, 38},
         RAID_1,
         "pool q: drive t1/06 does not answer now; bring it back, or choose another"},
        {2,
         {0, 7},
         RAID_1,
         "pool q: drive t0/07 is too small: a drive of a pool needs 10 MiB at least; choose a "
         "larger one"},
        {2,
         {0, 20},
         RAID_1,
         "pool q: drive t0/20 is not known: no loop switch has it; check the tray and its loop "
         "switch, or choose another"},
        {2, {0, 4}, RAID_1, "pool q: drive t0/04 has failed; replace it, or choose another"},
        {2, {0, 32}, (enum raid_level)9, "pool q: no such RAID level; use 0, 1, 10, 5 or 6"},
    };
    struct manage_request r = pool_request("p", 1, 2, (const int[]){1, 33});
    assert_true(manage(s, &r, text));
    array_drive_state(s->array, 4, DRIVE_STATE_FAILED);
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        r = pool_request("q", 2, pools[i].count, pools[i].drives);
        r.level = (uint8_t)pools[i].level;
        assert_false(manage(s, &r, text));
        assert_string_equal(text, pools[i].says);
    }
    setting_free(s);
}

static void test_refusals(void **state)
{
    (void)state;
    struct setting *s = setting_new();
    char text[256];
    struct manage_request r = pool_request("p", 1, 2, (const int[]){1, 33});
    assert_true(manage(s, &r, text));
    r = pool_request("p", 2, 2, (const int[]){2, 34});
    assert_false(manage(s, &r, text));
    assert_string_equal(text, "pool p: a pool of that name exists; choose another name");
    r = pool_request("x y", 2, 2, (const int[]){2, 34});
    assert_false(manage(s, &r, text));
    struct manage_request v = volume_request("v", 1, 500ull << 20);
    assert_false(manage(s, &v, text));
    assert_string_equal(text, "volume v: pool p has 59 MiB free; ask for less, or delete a volume");
    v.bytes = 0;
    assert_false(manage(s, &v, text));
    v.bytes = 1 << 20;
    v.block_bytes = 520;
    assert_false(manage(s, &v, text));
    v.block_bytes = 512;
    strcpy(v.pool, "none");
    assert_false(manage(s, &v, text));
    assert_string_equal(text,
                        "pool none: there is no such pool in this group; segue status lists them");
    setting_free(s);
}

static void test_asking_twice(void **state)
{
    (void)state;
    struct setting *s = setting_new();
    char text[256];
    struct manage_request r = pool_request("p", 1, 2, (const int[]){1, 33});
    assert_true(manage(s, &r, text));
    assert_string_equal(text, "pool=0");
    assert_true(manage(s, &r, text));
    assert_string_equal(text, "pool=0");
    struct manage_request v = volume_request("v", 1, 3 << 20);
    assert_true(manage(s, &v, text));
    assert_true(manage(s, &v, text));
    assert_string_equal(text, "volume=0");
    assert_int_equal(array_pool(s->array, 0)->used_bytes, 3 << 20);
    strcpy(v.name, "other");
    assert_false(manage(s, &v, text));
    r = (struct manage_request){.verb = MANAGE_POOL_DELETE, .name = "p"};
    assert_false(manage(s, &r, text));
    assert_string_equal(text, "pool p: it has volumes; delete those first");
    setting_free(s);
}

static void test_extents(void **state)
{
    (void)state;
    struct setting *s = setting_new();
    char text[256], name[8] = "v0";
    struct manage_request r = pool_request("p", 1, 2, (const int[]){1, 33});
    assert_true(manage(s, &r, text));
    for (int i = 0; i < 20; i++) {
        struct manage_request v = volume_request(name, (uint8_t)(i + 1), 1 << 20);
        name[1] = v.name[1] = (char)('0' + i);
        assert_true(manage(s, &v, text));
    }
    for (int i = 0; i < 20; i += 2) {
        struct manage_request v = {.verb = MANAGE_VOLUME_DELETE, .name = "v0"};
        v.name[1] = (char)('0' + i);
        assert_true(manage(s, &v, text));
    }
    assert_int_equal(array_pool(s->array, 0)->used_bytes, 10 << 20);
    struct manage_request v = volume_request("whole", 50, 45 << 20); /* 39 at the end, 6 holes */
    assert_true(manage(s, &v, text));
    assert_string_equal(text, "volume=0");
    struct manage_request g = {.verb = MANAGE_VOLUME_GROW, .name = "v1", .bytes = 5 << 20};
    assert_true(manage(s, &g, text));
    assert_int_equal(array_pool(s->array, 0)->used_bytes, 59 << 20);
    g.bytes = 6 << 20;
    assert_false(manage(s, &g, text));
    g.bytes = 4 << 20;
    assert_false(manage(s, &g, text));
    array_check(s->array);

    static uint8_t bytes[ARRAY_STATE_MAX], again[ARRAY_STATE_MAX];
    uint32_t length = array_save(s->array, bytes, sizeof bytes);
    assert_int_equal(array_save(s->array, again, 10), length);
    struct setting *other = setting_new();
    assert_true(array_load(other->array, bytes, length));
    assert_int_equal(array_save(other->array, again, sizeof again), length);
    assert_memory_equal(bytes, again, length);
    assert_int_equal(array_volume(other->array, 1)->blocks, 10240);
    assert_string_equal(array_volume_pool(other->array, 1)->name, "p");
    for (uint32_t cut = 0; cut < length; cut++)
        assert_false(array_load(other->array, bytes, cut));
    assert_null(array_pool(other->array, 0));
    for (uint32_t i = 0; i < length; i++) { /* damaged bytes: refused or not, never harmful */
        memcpy(again, bytes, length);
        again[i] ^= (uint8_t)(1 + i % 255);
        array_load(other->array, again, length);
        array_check(other->array);
    }
    setting_free(other);
    setting_free(s);
}

static void test_cache_mode(void **state)
{
    (void)state;
    struct setting *s = setting_new();
    char text[256];
    struct manage_request r = pool_request("p", 1, 2, (const int[]){1, 33});
    struct manage_request v = volume_request("v", 1, 3 << 20);
    assert_true(manage(s, &r, text) && manage(s, &v, text));
    assert_true(array_volume(s->array, 0)->write_cache);
    r = (struct manage_request){.verb = MANAGE_POOL_SET, .name = "p", .cache = CACHE_WRITE_THROUGH};
    assert_true(manage(s, &r, text));
    assert_false(array_volume(s->array, 0)->write_cache);
    assert_int_equal(array_pool(s->array, 0)->cache, CACHE_WRITE_THROUGH);
    setting_free(s);
}

static void test_blocks_on_drives(void **state)
{
    (void)state;
    uint8_t block[LAYOUT_BLOCK];
    struct superblock in = {.generation = 7,
                            .pool_uuid = {1},
                            .pool_name = "p",
                            .group = 1,
                            .level = RAID_10,
                            .drive_count = 4,
                            .position = 3,
                            .chunk_bytes = 65536,
                            .data_bytes = 1ull << 40},
                      out = {0};
    in.incarnation[3] = 5;
    layout_put_superblock(block, &in);
    assert_true(layout_get_superblock(block, &out));
    assert_memory_equal(&in, &out, sizeof in);
    for (uint32_t i = 0; i < LAYOUT_BLOCK; i++) {
        block[i] ^= 0x10;
        assert_false(layout_get_superblock(block, &out));
        block[i] ^= 0x10;
    }
    struct bits bits, found;
    uint64_t sequence;
    bits_fill(&bits, 77);
    layout_put_map(block, in.pool_uuid, 99, 1 << 20, true, &bits);
    assert_true(layout_map_doubt(block));
    assert_true(layout_get_map(block, in.pool_uuid, 1 << 20, &sequence, &found));
    assert_int_equal(sequence, 99);
    assert_memory_equal(&bits, &found, sizeof bits);
    assert_int_equal(bits_next(&found, 80), 0);
    assert_int_equal(bits_next(&found, 76), 76);
    assert_false(layout_get_map(block, in.pool_uuid, 2 << 20, &sequence, &found));
    assert_int_equal(layout_data_bytes((9 << 20) + 4095), 0);
    assert_int_equal(layout_data_bytes((9 << 20) + 4096), 1 << 20);
    assert_int_equal(layout_region_bytes(1ull << 30), 1 << 20);
    assert_true((1ull << 43) / layout_region_bytes(1ull << 43) <= LAYOUT_REGION_MAX);
}

static void test_text(void **state)
{
    (void)state;
    char out[8];
    struct text t = text_in(out, sizeof out);
    text_append(&t, "ab");
    text_padded(&t, 7, 2);
    text_number(&t, 0);
    assert_string_equal(out, "ab070");
    text_number(&t, 18446744073709551615ull);
    assert_string_equal(out, "ab07018");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_codec),    cmocka_unit_test(test_refusals_of_pools),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_asking_twice),
        cmocka_unit_test(test_extents),          cmocka_unit_test(test_cache_mode),
        cmocka_unit_test(test_blocks_on_drives), cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
