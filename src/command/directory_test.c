/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/directory.h"

static struct directory d, other;

static struct directory_change change_of(enum directory_verb verb, const char *host)
{
    struct directory_change change = {.verb = (uint8_t)verb};
    snprintf(change.host, sizeof change.host, "%s", host);
    return change;
}

static const char *try_change(const struct directory_change *change)
{
    uint8_t bytes[DIRECTORY_CHANGE_BYTES];
    struct directory_change again;
    uint32_t length = directory_change_encode(change, bytes, sizeof bytes);
    assert_true(directory_change_decode(bytes, length, &again));
    assert_memory_equal(&again, change, sizeof again);
    for (uint32_t i = 0; i < length; i++)
        assert_false(directory_change_decode(bytes, i, &again));
    const char *why = directory_refuses(&d, change);
    if (!why)
        directory_apply(&d, change);
    return why;
}

static const char *map(const char *host, uint16_t lun, uint16_t volume)
{
    struct directory_change change = change_of(DIRECTORY_MAP, host);
    change.lun = lun;
    change.volume = volume;
    change.uuid[0] = (uint8_t)volume;
    snprintf(change.name, sizeof change.name, "v%u", volume);
    return try_change(&change);
}

static const char *unmap(const char *host, uint16_t lun)
{
    struct directory_change change = change_of(DIRECTORY_UNMAP, host);
    change.lun = lun;
    return try_change(&change);
}

static const char *change_host(enum directory_verb verb, const char *host, const char *initiator,
                               const char *user)
{
    struct directory_change change = change_of(verb, host);
    snprintf(change.initiator, sizeof change.initiator, "%s", initiator);
    snprintf(change.user, sizeof change.user, "%s", user);
    return try_change(&change);
}

static const char *create(const char *host, const char *initiator)
{
    return change_host(DIRECTORY_HOST_CREATE, host, initiator, "");
}

static int empty(void **state)
{
    (void)state;
    memset(&d, 0, sizeof d);
    memset(&other, 0xEE, sizeof other);
    return 0;
}

#define good(what) assert_null(what)
#define refused(what, word)          \
    do {                             \
        const char *why = what;      \
        assert_non_null(why);        \
        if (!strstr(why, word))      \
            fail_msg("\"%s\"", why); \
    } while (0)

static int volume_at(uint16_t host, uint16_t lun)
{
    const struct directory_entry *entry = directory_find(&d, host, lun);
    return entry ? entry->volume : -1;
}

static void maps_of_everybody(void **state)
{
    (void)state;
    good(map("", 5, 50));
    good(map("", 0, 51));
    good(map("", 16383, 52));
    good(map("", 5, 50)); /* done already */
    refused(map("", 5, 51), "taken");
    refused(map("", 16384, 1), "0 to 16383");
    assert_int_equal(d.version, 4);
    assert_int_equal(d.count, 3);
    assert_int_equal(volume_at(HOST_ALL, 0), 51);
    assert_int_equal(volume_at(HOST_ALL, 5), 50);
    assert_int_equal(volume_at(HOST_ALL, 6), -1);
    good(unmap("", 5));
    refused(unmap("", 5), "nothing is mapped");
    assert_int_equal(d.count, 2);
    assert_int_equal(volume_at(HOST_ALL, 5), -1);
    assert_int_equal(volume_at(HOST_ALL, 16383), 52);
}

static void hosts_have_luns_of_their_own(void **state)
{
    (void)state;
    good(map("", 0, 9));
    assert_int_equal(directory_host_of(&d, "iqn.a"), HOST_ALL);
    good(create("one", "iqn.a"));
    good(create("two", "iqn.b"));
    good(change_host(DIRECTORY_HOST_ADD, "two", "iqn.c", ""));
    uint16_t one = directory_host_of(&d, "iqn.a"), two = directory_host_of(&d, "iqn.b");
    assert_int_not_equal(one, two);
    assert_int_equal(directory_host_of(&d, "iqn.c"), two);
    assert_int_equal(directory_host_of(&d, "iqn.d"), HOST_NOBODY);
    good(map("two", 0, 1));
    good(map("one", 0, 2));
    good(map("one", 3, 1));
    assert_int_equal(volume_at(one, 0), 2);
    assert_int_equal(volume_at(one, 3), 1);
    assert_int_equal(volume_at(two, 0), 1);
    assert_int_equal(volume_at(two, 3), -1);
    assert_int_equal(volume_at(HOST_NOBODY, 0), -1);
    uint32_t first;
    assert_int_equal(directory_maps(&d, one, &first), 2);
    assert_int_equal(d.at[first].lun, 0);
    refused(map("three", 0, 1), "no such host");
    refused(unmap("three", 0), "no such host");
    refused(unmap("two", 3), "nothing is mapped");
    good(change_host(DIRECTORY_HOST_DELETE, "one", "", ""));
    assert_int_equal(directory_host_of(&d, "iqn.a"), HOST_NOBODY);
    assert_int_equal(d.count, 2);
    assert_int_equal(volume_at(two, 0), 1);
    good(create("one", "iqn.a")); /* the name is the same, the host is another */
    assert_int_not_equal(directory_host_of(&d, "iqn.a"), one);
    assert_int_equal(directory_maps(&d, directory_host_of(&d, "iqn.a"), &first), 0);
    good(change_host(DIRECTORY_HOST_DELETE, "one", "", ""));
    good(change_host(DIRECTORY_HOST_DELETE, "two", "", ""));
    assert_int_equal(directory_host_of(&d, "iqn.d"), HOST_ALL);
    assert_int_equal(d.initiators, 0);
    assert_int_equal(d.count, 1);
    assert_int_equal(volume_at(HOST_ALL, 0), 9);
}

static void hosts_are_checked(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",     "iqn.", "iqn",          "IQN.a", "iqn.a b", "iqn.a,i,0x1",
        "naa.", "eui",  "iqn.\xc3\xa4", "host"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        refused(create("one", names[i]), "small letters");
    refused(create("", "iqn.a"), "needs a name");
    refused(create("a b", "iqn.a"), "needs a name");
    good(create("one", "iqn.a"));
    good(create("one", "iqn.a")); /* asked again: it is the same */
    assert_int_equal(d.hosts, 1);
    refused(create("one", "iqn.b"), "exists");
    refused(change_host(DIRECTORY_HOST_CREATE, "one", "iqn.a", "anna"), "exists");
    refused(create("two", "iqn.a"), "another host");
    good(create("two", "eui.02004567a425678d"));
    refused(change_host(DIRECTORY_HOST_ADD, "two", "iqn.a", ""), "another host");
    refused(change_host(DIRECTORY_HOST_ADD, "three", "iqn.c", ""), "no such host");
    good(change_host(DIRECTORY_HOST_ADD, "two", "naa.52004567ba64678d", ""));
    refused(change_host(DIRECTORY_HOST_REMOVE, "two", "iqn.a", ""), "no such initiator");
    refused(change_host(DIRECTORY_HOST_REMOVE, "three", "iqn.a", ""), "no such host");
    good(change_host(DIRECTORY_HOST_REMOVE, "two", "eui.02004567a425678d", ""));
    assert_int_equal(directory_host_of(&d, "eui.02004567a425678d"), HOST_NOBODY);
    assert_int_not_equal(directory_host_of(&d, "naa.52004567ba64678d"), HOST_NOBODY);
    good(change_host(DIRECTORY_HOST_USER, "two", "", "anna"));
    assert_string_equal(directory_host_named(&d, "two")->user, "anna");
    assert_string_equal(directory_host_named(&d, "one")->user, "");
    refused(change_host(DIRECTORY_HOST_USER, "three", "", "anna"), "no such host");
    refused(change_host(DIRECTORY_HOST_DELETE, "three", "", ""), "no such host");
    struct directory_change odd = {.verb = 99};
    refused(directory_refuses(&d, &odd), "upgrade");
}

static void limits(void **state)
{
    (void)state;
    char host[NAME_BYTES], name[32];
    for (int i = 0; i < HOST_MAX; i++) {
        snprintf(host, sizeof host, "h%d", i);
        snprintf(name, sizeof name, "iqn.%d", i);
        good(create(host, name));
    }
    refused(create("more", "iqn.more"), "128 hosts");
    for (int i = HOST_MAX; i < INITIATOR_MAX; i++) {
        snprintf(name, sizeof name, "iqn.%d", i);
        good(change_host(DIRECTORY_HOST_ADD, "h0", name, ""));
    }
    refused(change_host(DIRECTORY_HOST_ADD, "h0", "iqn.more", ""), "256 initiators");
    for (uint16_t i = 0; i < MAP_MAX; i++)
        good(map(i % 2 ? "h1" : "h127", i, i % VOLUME_MAX));
    refused(map("h2", 0, 0), "no LUN is left");
    good(map("h1", 1, 1));
    uint32_t length = directory_bytes(&d);
    uint8_t *bytes = malloc(length);
    assert_int_equal(directory_encode(&d, bytes, length), length);
    memset(&other, 0, sizeof other);
    assert_true(directory_decode(bytes, length, &other));
    assert_memory_equal(&d, &other, sizeof d);
    free(bytes);
}

static void bytes_are_checked(void **state)
{
    (void)state;
    uint8_t bytes[2048], odd[2048];
    good(create("one", "iqn.a"));
    good(change_host(DIRECTORY_HOST_USER, "one", "", "anna"));
    good(create("two", "iqn.b"));
    good(map("", 1, 3));
    good(map("one", 0, 1));
    good(map("two", 7, 1));
    uint32_t length = directory_encode(&d, bytes, sizeof bytes);
    assert_int_equal(length, directory_bytes(&d));
    assert_true(directory_decode(bytes, length, &other));
    assert_int_equal(other.version, d.version);
    assert_int_equal(other.count, 3);
    assert_string_equal(directory_host_named(&other, "one")->user, "anna");
    for (uint32_t i = 0; i < length; i++)
        assert_false(directory_decode(bytes, i, &other));
    for (uint32_t i = 0; i < length; i++) /* no byte that is wrong does harm */
        for (int bit = 0; bit < 8; bit++) {
            memcpy(odd, bytes, length);
            odd[i] ^= (uint8_t)(1u << bit);
            if (directory_decode(odd, length, &other))
                assert_true(other.hosts <= 2 && other.count <= 3);
        }
}

/* What a release without hosts has kept. */
static void the_first_format(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct cursor c = cursor_of(bytes, sizeof bytes);
    cursor_put64(&c, 77);
    cursor_put32(&c, 2);
    for (uint16_t i = 0; i < 2; i++) {
        uint8_t rest[16 + NAME_BYTES] = {0};
        cursor_put16(&c, (uint16_t)(i * 5));
        cursor_put8(&c, (uint8_t)i);
        cursor_put16(&c, (uint16_t)(i + 3));
        cursor_put_bytes(&c, rest, sizeof rest);
    }
    assert_true(directory_decode(bytes, (uint32_t)(c.at - bytes), &d));
    assert_int_equal(d.version, 77);
    assert_int_equal(d.hosts, 0);
    assert_int_equal(volume_at(HOST_ALL, 0), 3);
    assert_int_equal(volume_at(HOST_ALL, 5), 4);
    assert_int_equal(directory_host_of(&d, "iqn.a"), HOST_ALL);
}

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(maps_of_everybody), TEST(hosts_have_luns_of_their_own),
        TEST(hosts_are_checked), TEST(limits),
        TEST(bytes_are_checked), TEST(the_first_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
