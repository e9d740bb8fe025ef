/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array/array.h"
#include "manage/config.h"

static const char base[] =
    "array: lab1\n"                                       /* 1 */
    "state: /tmp/s\n"                                     /* 2 */
    "limits: {availability: 200ms, settle: manual}\n"     /* 3 */
    "parts:\n"                                            /* 4 */
    "  modules: [A, B]\n"                                 /* 5 */
    "  switches:\n"                                       /* 6 */
    "  - {name: IS1, portals: [\"127.0.0.1:3261\"]}\n"    /* 7 */
    "  - {name: IS2, portals: [\"127.0.0.1:3262\"]}\n"    /* 8 */
    "  loops:\n"                                          /* 9 */
    "  - {name: L1, tray: t0, drives: 4, size: 256MiB}\n" /* 10 */
    "  - {name: L2, tray: t1, drives: 4, size: 256MiB}\n" /* 11 */
    "groups:\n"                                           /* 12 */
    "- {name: g1, members: [A, B], owner: true}\n"        /* 13 */
    "- {name: g2, members: [B, A]}\n"                     /* 14 */
    "memory: {buffers: 1GiB, mirror: 64MiB}\n"            /* 15 */
    "create:\n"                                           /* 16 */
    "  pools:\n"                                          /* 17 */
    "  - {name: p1, group: g1, level: raid1, drives: [t0/00, t1/00]}\n"
    "  - {name: p2, group: g2, level: raid10, drives: [t0/01-02, t1/01-02]}\n"
    "  volumes:\n"                                                  /* 20 */
    "  - {name: v1, pool: p1, size: 64MiB}\n"                       /* 21 */
    "  - {name: v2, pool: p2, size: 64MiB, block: 4096, lun: 7}\n"; /* 22 */

/* The base with the first `from` made `to`; the caller frees it. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(base, from);
    assert_non_null(at);
    char *text = malloc(sizeof base + strlen(to) + 1);
    sprintf(text, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
    return text;
}

static int parse(const char *text, struct config *config, char *sentence)
{
    sentence[0] = 0;
    return config_parse("/etc/a.yaml", text, strlen(text), NULL, config, sentence, CONFIG_SENTENCE);
}

static struct config config;

static void base_is_taken(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    assert_int_equal(parse(base, &config, sentence), 0);
    assert_string_equal(config.array, "lab1");
    assert_string_equal(config.target, "iqn.2026-11.com.example.segue:lab1");
    assert_string_equal(config.state, "/tmp/s");
    assert_string_equal(config.register_path, "/tmp/s/register");
    assert_string_equal(config.log_level, "info");
    assert_true(config.limits.availability_ns == MS(200));
    assert_true(config.limits.settle_ns == UINT64_MAX);
    assert_true(config.limits.drain_ns == limits_default().drain_ns);
    assert_true(config.buffer_bytes == 1ull << 30 && config.mirror_bytes == 64ull << 20);
    assert_int_equal(config.modules, 2);
    assert_int_equal(config.switches, 2);
    assert_int_equal(config.groups, 2);
    assert_int_equal(config.processes, 6);
    assert_string_equal(config.process[0].name, "A");
    assert_string_equal(config.process[0].link, "unix:/tmp/s/run/A.link");
    assert_int_equal(config.process[1].modules, 2);
    assert_int_equal(config.process[5].loops, 2);
    assert_string_equal(config.iswitch[1].portal[0], "127.0.0.1:3262");
    assert_string_equal(config.iswitch[1].announce[0], "127.0.0.1:3262");
    assert_string_equal(config.loop[1].drive[3].path, "/tmp/s/drives/t1-03.img");
    assert_true(config.loop[1].drive[3].create_bytes == 256ull << 20);
    assert_true(config.group[0].owner && !config.group[1].owner);
    assert_int_equal(config.group[1].member[0], 1);
}

static void names_are_found(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE], name[32];
    assert_int_equal(parse(base, &config, sentence), 0);
    assert_string_equal(config_port_name(&config, port_unit(1, 0)), "B1");
    assert_string_equal(config_port_name(&config, port_unit(0, 1)), "A2");
    assert_string_equal(config_port_name(&config, port_switch(1)), "IS2");
    assert_string_equal(config_port_name(&config, port_loop(0)), "L1");
    assert_string_equal(config_port_name(&config, port_manager(1)), "B");
    assert_string_equal(config_port_name(&config, port_unit(3, 0)), "?");
    assert_string_equal(config_port_name(&config, 0), "?");
    assert_int_equal(config_process_of_port(&config, port_unit(1, 1)), 1);
    assert_int_equal(config_process_of_port(&config, port_manager(0)), 0);
    assert_int_equal(config_process_of_port(&config, port_switch(0)), 2);
    assert_int_equal(config_process_of_port(&config, port_loop(1)), 5);
    assert_int_equal(config_process_of_port(&config, port_loop(3)), -1);
    config_drive_name(&config, 34, name, sizeof name);
    assert_string_equal(name, "t1/02");
    assert_int_equal(config_drive_number(&config, "t1/02"), 34);
    assert_int_equal(config_drive_number(&config, "t1/2"), 34);
    assert_int_equal(config_drive_number(&config, "t1/04"), -1);
    assert_int_equal(config_drive_number(&config, "t2/00"), -1);
    assert_int_equal(config_drive_number(&config, "t0"), -1);
}

static void create_is_in_order(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    assert_int_equal(parse(base, &config, sentence), 0);
    assert_int_equal(config.creates, 6);
    const struct manage_request *pool = &config.create[1].request;
    assert_int_equal(pool->verb, MANAGE_POOL_CREATE);
    assert_int_equal(config.create[1].group, 1);
    assert_int_equal(pool->level, RAID_10);
    assert_int_equal(pool->cache, CACHE_MIRRORED);
    assert_int_equal(pool->drive_count, 4);
    assert_int_equal(pool->drives[1], 2);
    assert_int_equal(pool->drives[2], 33);
    const struct manage_request *volume = &config.create[3].request;
    assert_int_equal(volume->verb, MANAGE_VOLUME_CREATE);
    assert_int_equal(volume->block_bytes, 4096);
    assert_true(volume->bytes == 64ull << 20);
    assert_string_equal(volume->pool, "p2");
    const struct manage_request *map = &config.create[5].request;
    assert_int_equal(map->verb, MANAGE_MAP);
    assert_int_equal(config.create[5].group, 0);
    assert_int_equal(map->group, 1);
    assert_int_equal(map->lun, 7);
    assert_memory_equal(map->uuid, volume->uuid, 16);
    assert_int_equal(volume->uuid[6] >> 4, 5);
    static struct config again;
    assert_int_equal(parse(base, &again, sentence), 0);
    assert_memory_equal(&config, &again, sizeof config);
}

static const char hosts[] =
    "  hosts:\n"                                                       /* 23 */
    "  - name: web1\n"                                                 /* 24 */
    "    initiators: [iqn.1993-08.org.debian:01:AB, eui.0123456789]\n" /* 25 */
    "    chap_user: u1\n"                                              /* 26 */
    "    volumes: [v2, v1=9]\n"                                        /* 27 */
    "  - {name: web2, initiators: [iqn.2024-01.example:w2], volumes: [v1]}\n"
    "chap: {users: [{name: u1, secret: s1}]}\n";

/* The base with hosts, with the first `from` made `to`. */
static int parse_hosts(const char *from, const char *to, char *sentence)
{
    char whole[sizeof base + sizeof hosts], text[sizeof whole + 512];
    snprintf(whole, sizeof whole, "%s%s", base, hosts);
    const char *at = strstr(whole, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    return parse(text, &config, sentence);
}

/* Hosts are there before anything is mapped, and what is theirs is nobody else's: not even v1,
 * whose LUN for everybody nobody has asked for. */
static void hosts_come_before_maps(void **state)
{
    (void)state;
    static const struct {
        enum manage_verb verb;
        const char *host, *object;
        uint16_t lun;
    } steps[] = {
        {MANAGE_HOST_CREATE, "web1", "iqn.1993-08.org.debian:01:ab", 0},
        {MANAGE_HOST_ADD, "web1", "eui.0123456789", 0},
        {MANAGE_HOST_CREATE, "web2", "iqn.2024-01.example:w2", 0},
        {MANAGE_MAP, "web1", "v2", 0},
        {MANAGE_MAP, "web1", "v1", 9},
        {MANAGE_MAP, "web2", "v1", 0},
        {MANAGE_MAP, "", "v2", 7},
    };
    char sentence[CONFIG_SENTENCE];
    assert_int_equal(parse_hosts("array", "array", sentence), 0);
    assert_int_equal(config.creates, 4 + 7);
    for (int i = 0; i < 7; i++) {
        const struct manage_request *request = &config.create[4 + i].request;
        bool map = steps[i].verb == MANAGE_MAP;
        assert_int_equal(request->verb, steps[i].verb);
        assert_int_equal(config.create[4 + i].group, 0); /* the owner's */
        assert_string_equal(request->host, steps[i].host);
        assert_string_equal(map ? request->name : request->initiator, steps[i].object);
        assert_int_equal(request->lun, steps[i].lun);
        const struct manage_request *volume =
            &config.create[2 + (strcmp(request->name, "v2") == 0)].request;
        assert_int_equal(memcmp(request->uuid, volume->uuid, 16) == 0, map);
        assert_int_equal(request->group, map ? volume->group : 0);
    }
    assert_string_equal(config.create[4].request.user, "u1");
    assert_string_equal(config.create[6].request.user, "");
}

static void mistakes_of_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *sentence;
    } cases[] = {
        {"name: web2", "name: web1",
         "28: create.hosts.name: the name web1 is taken (line 24); give it another"},
        {"name: web1\n", "name: 1web\n", "24: create.hosts.name: \"1web\" is not a name; begin"},
        {"[iqn.2024-01.example:w2]", "[iqn.1993-08.org.debian:01:ab]",
         "28: create.hosts.initiators: iqn.1993-08.org.debian:01:ab: another host has that"},
        {"eui.0123456789", "server1",
         "25: create.hosts.initiators: server1: an initiator's name is iqn.YYYY-MM.domain:name"},
        {"initiators: [iqn.2024-01.example:w2]", "initiators: []",
         "28: create.hosts.initiators: it has 0 entries; use 1 to"},
        {"initiators: [iqn.2024-01.example:w2], ", "",
         "28: create.hosts: \"initiators\" is missing; add \"initiators: ...\""},
        {"chap_user: u1", "chap_user: u2",
         "26: create.hosts.chap_user: there is no CHAP user u2; did you mean u1?"},
        {"v1=9", "v1=0",
         "27: create.hosts.volumes: LUN 0 of host web1 is volume v2 already; "
         "write =LUN behind v1"},
        {"v1=9", "v2=9",
         "27: create.hosts.volumes: LUN 0 of host web1 is volume v2 already; "
         "take out the second v2"},
        {"v1=9", "v1=99999", "27: create.hosts.volumes: v1=99999 names no LUN; write VOLUME or"},
        {"v1=9", "v1=", "27: create.hosts.volumes: v1= names no LUN; write VOLUME or"},
        {"v1=9", "v3", "27: create.hosts.volumes: there is no volume v3; did you mean v"},
        {"v1=9", "else", "27: create.hosts.volumes: there is no volume else; use one of create"},
        {"volumes: [v1]", "luns: [v1]", "28: create.hosts.luns: there is no such key; take it out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sentence[CONFIG_SENTENCE], expected[CONFIG_SENTENCE];
        int result = parse_hosts(cases[i].from, cases[i].to, sentence);
        snprintf(expected, sizeof expected, "/etc/a.yaml:%s", cases[i].sentence);
        if (result != -1 || strncmp(sentence, expected, strlen(expected)) != 0)
            fail_msg("with \"%s\":\nexpected %s\nhave     %s", cases[i].to, expected, sentence);
        assert_int_equal(strlen(sentence), strcspn(sentence, "\n"));
    }
}

/* More initiators than there are steps. */
static void too_many_hosts(void **state)
{
    (void)state;
    static char text[sizeof base + 16384];
    char sentence[CONFIG_SENTENCE];
    int used = snprintf(text, sizeof text, "%s  hosts:\n", base);
    for (int h = 0; h < 2; h++, used = (int)strlen(text)) {
        snprintf(text + used, sizeof text - (size_t)used, "  - {name: h%d, initiators: [", h);
        for (int i = 0; i < 127; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%siqn.2024-01.example:n%d",
                     i ? ", " : "", 1000 * h + i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "]}\n");
    }
    assert_int_equal(parse(text, &config, sentence), -1);
    assert_non_null(strstr(sentence, "create: it has more than 256 steps"));
}

static void processes_are_placed(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    char *text = changed("memory:", "processes:\n"
                                    "- {name: left, parts: [A, IS1, L1]}\n"
                                    "- {name: right, parts: [B, IS2], link: \"tcp:10.0.0.2:99\"}\n"
                                    "links: tcp\n"
                                    "link_port: 8000\n"
                                    "memory:");
    assert_int_equal(parse(text, &config, sentence), 0);
    assert_int_equal(config.processes, 3);
    assert_string_equal(config.process[0].link, "tcp:127.0.0.1:8000");
    assert_string_equal(config.process[1].link, "tcp:10.0.0.2:99");
    assert_string_equal(config.process[2].name, "L2");
    assert_string_equal(config.process[2].link, "tcp:127.0.0.1:8002");
    assert_int_equal(config_process_of_port(&config, port_switch(1)), 1);
    char path[256];
    config_socket_path(&config, 1, path, sizeof path);
    assert_string_equal(path, "/tmp/s/run/right.sock");
    free(text);
}

static void state_may_stand_elsewhere(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    assert_int_equal(config_parse("/etc/a.yaml", base, strlen(base), "/other", &config, sentence,
                                  sizeof sentence),
                     0);
    assert_string_equal(config.state, "/other");
    assert_string_equal(config.loop[0].drive[0].path, "/other/drives/t0-00.img");
    char *text = changed("state: /tmp/s", "state: ./here");
    assert_int_equal(parse(text, &config, sentence), 0);
    assert_string_equal(config.state, "/etc/here");
    free(text);
}

/* Each mistake: the base with one text made another, and the sentence that it earns. */
static const struct {
    const char *from, *to, *sentence;
} mistakes[] = {
    /* YAML itself */
    {"array: lab1", "array: [lab1",
     "2: this is not YAML (did not find expected ',' or ']'); look for a missing colon, quote or "
     "space"},
    {"array: lab1", "array: &x lab1",
     "1: anchors, aliases and tags are not taken; write the value itself"},
    {"array: lab1", "array: lab1\narray: lab2",
     "2: array: this key is here twice (first in line 1); keep one of them"},
    {"array: lab1\n", "---\n{}\n---\narray: lab1\n", "3: a second document begins; keep one"},
    {"array: lab1", "[a]: b", "1: a key must be a word; put the list or map behind a key"},
    {"array: lab1", "array: [[[[[[[[1]]]]]]]]", "1: too many levels; at most 8 are used"},
    /* keys */
    {"array: lab1", "aray: lab1", "1: aray: there is no such key; did you mean \"array\"?"},
    {"availability", "availabilty",
     "3: limits.availabilty: there is no such key; did you mean \"availability\"?"},
    {"owner: true", "frobnicate: true",
     "13: groups.frobnicate: there is no such key; take it out, or use one of: name, members, "
     "owner"},
    {"array: lab1\n", "", "1: \"array\" is missing; add \"array: ...\""},
    {"name: IS1, ", "", "7: parts.switches: \"name\" is missing; add \"name: ...\""},
    /* the API */
    {"array: lab1", "array: lab1\napi: {listen: [\"localhost:8443\"]}",
     "2: api.listen: \"localhost:8443\" is no address and port; write one such as "
     "\"127.0.0.1:8443\" or \"[::1]:8443\""},
    {"array: lab1", "array: lab1\napi: {listen: [\"[::1]:0\"]}",
     "2: api.listen: \"[::1]:0\" is no address and port; write one such as \"127.0.0.1:8443\" or "
     "\"[::1]:8443\""},
    {"array: lab1", "array: lab1\napi: {listen: [\"[::1]:1\"], key: k.pem}",
     "2: api: a certificate and its key go together; add the other, or leave both out and one is "
     "made"},
    {"array: lab1", "array: lab1\napi: {certificate: c.pem}",
     "2: api: \"listen\" is missing; add \"listen: ...\""},
    /* types */
    {"array: lab1", "array: [lab1]", "1: array: it takes one value; write it behind the colon"},
    {"array: lab1", "array:", "1: array: it takes one value; write it behind the colon"},
    {"modules: [A, B]", "modules: A",
     "5: parts.modules: it takes a list; write [one, two] or lines that begin with '- '"},
    {"limits: {availability: 200ms, settle: manual}", "limits: 5",
     "3: limits: it takes a map; put its keys on lines below, further in"},
    {"[A, B], owner", "[{x: 1}, B], owner",
     "13: groups.members: an entry is not a name; write a list such as [one, two]"},
    {"- {name: g2, members: [B, A]}", "- g2",
     "14: groups: an entry is not a map; write it as - {name: ...}"},
    {"availability: 200ms", "availability: fast",
     "3: limits.availability: \"fast\" is not a time; write a number and its unit, such as 150ms"},
    {"availability: 200ms", "availability: 200",
     "3: limits.availability: \"200\" is not a time; write a number and its unit, such as 150ms"},
    {"settle: manual", "settle: never",
     "3: limits.settle: \"never\" is not a time; write a number and its unit, such as 150ms, or "
     "manual"},
    {"buffers: 1GiB", "buffers: 1.5GiB",
     "15: memory.buffers: \"1.5GiB\" is not a size; write a whole number and its unit, such as "
     "64MiB"},
    {"drives: 4", "drives: four",
     "10: parts.loops.drives: \"four\" is not a number; write a whole number"},
    {"owner: true", "owner: maybe",
     "13: groups.owner: \"maybe\" is neither true nor false; write one of them"},
    {"level: raid1,", "level: raid7,",
     "18: create.pools.level: \"raid7\" is not one of its words; write "
     "raid0|raid1|raid10|raid5|raid6"},
    {"array: lab1", "array: 9lab",
     "1: array: \"9lab\" is not a name; begin with a letter and use letters, digits, '-', '_' and "
     "'.'"},
    {"name: IS1", "name: an-interface-switch",
     "7: parts.switches.name: \"an-interface-switch\" has 19 characters; use 1 to 12"},
    /* ranges */
    {"availability: 200ms", "availability: 1ms",
     "3: limits.availability: 1ms is out of range; use 10ms to 600s"},
    {"buffers: 1GiB", "buffers: 1MiB",
     "15: memory.buffers: 1MiB is out of range; use 64MiB to "
     "1TiB"},
    {"drives: 4", "drives: 25", "10: parts.loops.drives: 25 is out of range; use 1 to 24"},
    {"[A, B]", "[]", "5: parts.modules: it has 0 entries; use 1 to 4"},
    {"availability: 200ms", "signal: 100ms",
     "3: limits.signal: it is too long; make it at most a third of limits.availability, or one "
     "late signal is taken for a death"},
    {"availability: 200ms", "drive: 9s",
     "3: limits.drive: it is too long; make it at most limits.drive_total, which is the limit of "
     "all tries"},
    {"mirror: 64MiB", "mirror: 1GiB",
     "15: memory.mirror: the mirror is over half of the buffers; make memory.buffers at least "
     "twice as large"},
    /* head */
    {"state: /tmp/s", "target: Iqn.x-is-wrong",
     "2: target: \"Iqn.x-is-wrong\" is not an iSCSI name; write iqn.YYYY-MM.domain:name in small "
     "letters"},
    {"state: /tmp/s",
     "state: /tmp/sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
     "ssssssssssssss",
     "2: state: the socket /tmp/sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
     "ssssssssssssssssssssssssssss/run/A.sock has 109 bytes, and Unix sockets take 107; use a "
     "shorter state directory"},
    /* parts */
    {"modules: [A, B]", "modules: [A, A]",
     "5: parts.modules: the name A is taken (line 5); give it another"},
    {"modules: [A, B]", "modules: [A, a/b]",
     "5: parts.modules: \"a/b\" is not a name; use 1 to 12 letters and digits"},
    {"name: IS2", "name: IS1",
     "8: parts.switches.name: the name IS1 is taken (line 7); give it "
     "another"},
    {"tray: t1", "tray: t0",
     "11: parts.loops.tray: the name t0 is taken (line 10); give it another"},
    {"name: g2", "name: L1", "14: groups.name: the name L1 is taken (line 10); give it another"},
    {"127.0.0.1:3262", "127.0.0.1:3261",
     "8: parts.switches.portals: the portal 127.0.0.1:3261 is taken by 127.0.0.1:3261 of switch "
     "IS1; use another port"},
    {"\"127.0.0.1:3262\"", "\"0.0.0.0:3261\"",
     "8: parts.switches.portals: the portal 0.0.0.0:3261 is taken by 127.0.0.1:3261 of switch "
     "IS1; use another port"},
    {"127.0.0.1:3261", "localhost:3261",
     "7: parts.switches.portals: \"localhost:3261\" is not a portal; write \"address:port\", such "
     "as \"127.0.0.1:3260\" or \"[::1]:3260\""},
    {"127.0.0.1:3261", "0.0.0.0:3261",
     "7: parts.switches.announce: 0.0.0.0:3261 is no address that a host can reach; add announce: "
     "with one for each portal"},
    {"[\"127.0.0.1:3261\"]", "[\"127.0.0.1:3261\"], announce: [\"10.0.0.1:1\", \"10.0.0.2:1\"]",
     "7: parts.switches.announce: it has 2 entries and portals has 1; give each portal one"},
    {"[\"127.0.0.1:3261\"]", "[\"127.0.0.1:3261\"], announce: [here]",
     "7: parts.switches.announce: \"here\" is not a portal; write \"address:port\""},
    {"drives: 4, size: 256MiB", "drives: 4",
     "10: parts.loops: \"size\" is missing; add \"size: 256MiB\", how large each of its 4 drive "
     "files shall be"},
    {"drives: 4, size: 256MiB", "size: 256MiB",
     "10: parts.loops: \"drives\" is missing; add \"drives: 4\" or a list of drives"},
    {"size: 256MiB", "size: 67108865",
     "10: parts.loops.size: 67108865 bytes are not whole blocks; use a multiple of 4KiB"},
    {"drives: 4", "drives: [{slot: 1, path: a}, {slot: 1, path: b}]",
     "10: parts.loops.drives: slot 1 is taken (line 10); give each drive its own slot"},
    {"drives: 4", "drives: [{slot: 1, path: a}, {slot: 2, path: ./a}]",
     "10: parts.loops.drives: /etc/a is drive t0/01 already (line 10); a file or device can be one "
     "drive only"},
    {"drives: 4", "drives: [{slot: 24, path: a}]",
     "10: parts.loops.drives.slot: 24 is out of range; use 0 to 23"},
    /* groups */
    {"members: [A, B], owner", "members: [A, A], owner",
     "13: groups.members: two units of group g1 would be in module A, and die with it together; "
     "name each module once"},
    {"members: [A, B], owner", "members: [A, C], owner",
     "13: groups.members: there is no module C; did you mean A?"},
    {"members: [B, A]", "members: [B, A], owner: true",
     "14: groups.owner: group g1 owns the array-wide state already; only one group can be the "
     "owner"},
    /* processes */
    {"memory:", "processes: [{name: x, parts: [A, IS9]}]\nmemory:",
     "15: processes.parts: there is no part IS9; did you mean IS1?"},
    {"memory:", "processes: [{name: x, parts: [A]}, {name: y, parts: [A]}]\nmemory:",
     "15: processes.parts: A runs in process x already; name each part once"},
    {"memory:", "processes: [{name: x, parts: [A]}, {name: x, parts: [B]}]\nmemory:",
     "15: processes.name: the name x is taken; give it another"},
    {"memory:", "processes: [{name: B, parts: [A]}]\nmemory:",
     "15: processes: a process is called B but part B is not in it; put it there or give the "
     "process another name"},
    {"memory:", "processes: [{name: x, parts: [A], link: \"unix:r\"}]\nmemory:",
     "15: processes.link: \"unix:r\" is not a link"},
    {"memory:", "processes: [{name: x, parts: [A], link: \"udp:1:1\"}]\nmemory:",
     "15: processes.link: \"udp:1:1\" is not a link; write unix:/path or tcp:address:port"},
    {"memory:", "processes: [{name: x, parts: [A], link: \"tcp:127.0.0.1:3261\"}]\nmemory:",
     "15: processes.link: 127.0.0.1:3261 is a portal of switch IS1; use another port"},
    {"memory:",
     "processes: [{name: x, parts: [A], link: \"unix:/r\"}, {name: y, parts: [B], link: "
     "\"unix:/r\"}]\nmemory:",
     "15: processes.link: unix:/r is the link of process x already; give it another"},
    {"memory:", "links: tcp\nlink_port: 65533\nmemory:",
     "16: link_port: process IS2 would need port 65536; use a smaller one"},
    {"memory:", "links: tcp\nlink_address: here\nmemory:",
     "16: link_address: \"here\" is not an IP address; write one such as 127.0.0.1"},
    /* create */
    {"group: g1", "group: g3", "18: create.pools.group: there is no group g3; did you mean g1?"},
    {"name: p2", "name: p1",
     "19: create.pools.name: the name p1 is taken (line 18); give it "
     "another"},
    {"[t0/00, t1/00]", "[t0/00, t1/04]",
     "18: create.pools.drives: there is no drive t1/04; write TRAY/SLOT, such as t0/00 or "
     "t0/00-03, of a drive in parts.loops"},
    {"[t0/01-02, t1/01-02]", "[t0/00-01, t1/01-02]",
     "19: create.pools.drives: drive t0/00 is in a pool already; a drive can be in one place only"},
    {"[t0/00, t1/00]", "[t0/00]",
     "18: create.pools.drives: raid1 takes two or more, and 1 are named; change the list"},
    {"[t0/01-02, t1/01-02]", "[t0/01-02, t1/01]",
     "19: create.pools.drives: raid10 takes an even number, as mirrored pairs, and 3 are named; "
     "change the list"},
    {"level: raid1,", "level: raid5,",
     "18: create.pools.drives: raid5 takes three to 32, and 2 are named; change the list"},
    {"level: raid1,", "level: raid6,",
     "18: create.pools.drives: raid6 takes four to 32, and 2 are named; change the list"},
    {"level: raid1,", "level: raid1, chunk: 65537,",
     "18: create.pools.chunk: 65537 is not a power of two; write one such as 64KiB"},
    {"pool: p2", "pool: q2", "22: create.volumes.pool: there is no pool q2; did you mean p2?"},
    {"name: v2", "name: v1",
     "22: create.volumes.name: the name v1 is taken (line 21); give it "
     "another"},
    {"size: 64MiB}", "size: 5000}",
     "21: create.volumes.size: 5000 is not whole blocks; use a multiple of 4KiB"},
    {"lun: 7", "lun: 0",
     "22: create.volumes.lun: LUN 0 is volume v1 already; give v2 another with lun:"},
};

static void mistakes_earn_their_sentences(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char sentence[CONFIG_SENTENCE], expected[CONFIG_SENTENCE];
        char *text = changed(mistakes[i].from, mistakes[i].to);
        int result = parse(text, &config, sentence);
        snprintf(expected, sizeof expected, "/etc/a.yaml:%s", mistakes[i].sentence);
        free(text);
        assert_int_equal(strlen(sentence), strcspn(sentence, "\n"));
        if (result == -1 && strncmp(sentence, expected, strlen(expected)) == 0)
            continue;
        print_error("with \"%s\":\nexpected %s\nhave     %s\n", mistakes[i].to, expected, sentence);
        failed++;
    }
    assert_int_equal(failed, 0);
}

static void empty_and_missing_files(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    assert_int_equal(parse("", &config, sentence), -1);
    assert_string_equal(sentence, "/etc/a.yaml:1: the file is empty; copy one of examples/");
    assert_int_equal(parse("- a\n", &config, sentence), -1);
    assert_string_equal(sentence,
                        "/etc/a.yaml:1: the file is not a map of keys; copy one of examples/");
    assert_int_equal(config_read("/nowhere/a.yaml", &config, sentence, sizeof sentence), -1);
    assert_string_equal(sentence, "/nowhere/a.yaml: it cannot be read: No such file or directory; "
                                  "check the path");
}

static void missing_drives_are_named(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    char *text = changed("drives: 4, size: 256MiB", "drives: [{slot: 0, path: /nowhere/d}]");
    assert_int_equal(parse(text, &config, sentence), -1); /* t0/01 and t0/02 are gone */
    free(text);
    text = changed("drives: 4, size: 256MiB",
                   "drives: [{slot: 0, path: /nowhere/d}, {slot: 1, path: d1, size: 1GiB}, {slot: "
                   "2, path: d2, size: 1GiB}]");
    assert_int_equal(parse(text, &config, sentence), 0);
    assert_int_equal(config_check_drives(&config, sentence, sizeof sentence), -1);
    assert_string_equal(sentence, "/etc/a.yaml:10: parts.loops.drives: /nowhere/d: there is no "
                                  "such file; add \"size:\" to have it made, or correct the path");
    free(text);
    text = changed("drives: 4, size: 256MiB",
                   "drives: [{slot: 0, path: /dev/null}, {slot: 1, path: d1, size: 1GiB}, {slot: "
                   "2, path: d2, size: 1GiB}]");
    assert_int_equal(parse(text, &config, sentence), 0);
    assert_int_equal(config_check_drives(&config, sentence, sizeof sentence), -1);
    assert_string_equal(sentence, "/etc/a.yaml:10: parts.loops.drives: /dev/null is neither a file "
                                  "nor a block device; name one of them");
    free(text);
}

static void slots_may_be_empty(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE];
    char *text = changed("drives: 4, size: 256MiB",
                         "size: 1GiB, drives: [{slot: 0, path: /nowhere/d, empty: true}, {slot: 1, "
                         "path: d1, loop_id: 125}, {slot: 2, path: d2}]");
    assert_int_equal(parse(text, &config, sentence), 0);
    assert_true(config.loop[0].drive[0].may_be_empty);
    assert_int_equal(config.loop[0].drive[0].create_bytes, 0);
    assert_int_equal(config.loop[0].drive[0].al_pa, 0);
    assert_int_equal(config.loop[0].drive[1].create_bytes, 1 << 30);
    assert_int_equal(config.loop[0].drive[1].al_pa, 0x01);
    assert_int_equal(config_check_drives(&config, sentence, sizeof sentence), 0);
    free(text);
    text =
        changed("drives: 4, size: 256MiB", "drives: [{slot: 0, path: d, size: 1GiB, empty: true}]");
    assert_int_equal(parse(text, &config, sentence), -1);
    assert_non_null(strstr(sentence, "a slot that may be empty gets no file of a size"));
    free(text);
    text = changed("drives: 4, size: 256MiB", "drives: [{slot: 0, path: d, loop_id: 126}]");
    assert_int_equal(parse(text, &config, sentence), -1);
    assert_non_null(strstr(sentence, "loop_id"));
    free(text);
}

static void read_takes_state_of_environment(void **state)
{
    (void)state;
    char sentence[CONFIG_SENTENCE], path[] = "/tmp/segue-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, base, strlen(base)), (ssize_t)strlen(base));
    close(fd);
    unsetenv("SEGUE_STATE");
    assert_int_equal(config_read(path, &config, sentence, sizeof sentence), 0);
    assert_string_equal(config.state, "/tmp/s");
    setenv("SEGUE_STATE", "/tmp/other", 1);
    assert_int_equal(config_read(path, &config, sentence, sizeof sentence), 0);
    assert_string_equal(config.state, "/tmp/other");
    unsetenv("SEGUE_STATE");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_is_taken),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(create_is_in_order),
        cmocka_unit_test(hosts_come_before_maps),
        cmocka_unit_test(mistakes_of_hosts),
        cmocka_unit_test(too_many_hosts),
        cmocka_unit_test(processes_are_placed),
        cmocka_unit_test(state_may_stand_elsewhere),
        cmocka_unit_test(mistakes_earn_their_sentences),
        cmocka_unit_test(empty_and_missing_files),
        cmocka_unit_test(missing_drives_are_named),
        cmocka_unit_test(slots_may_be_empty),
        cmocka_unit_test(read_takes_state_of_environment),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
