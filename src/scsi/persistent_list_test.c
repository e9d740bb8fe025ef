/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "scsi/test_host.h"
#include "scsi/transport_id.h"

/* PERSISTENT RESERVE OUT that speaks of other nexuses than its own: ALL_TG_PT, SPEC_I_PT, REGISTER
 * AND MOVE. A1 is port A through switch 1, A2 the same through switch 2, and so on; 1 and 2 hold
 * for B. */

static const char port_a[] = "iqn.h:a,i,0x0000000000aa";
static const char port_b[] = "iqn.h:b,i,0x0000000000bb";
static const char port_b2[] = "iqn.h:b,i,0x0000000000b2"; /* the same node */
static const char port_new[] = "iqn.h:new,i,0x0123456789ab";

enum { A1, A2, B1, B2, NEXUSES };
static const char *const nexus_names[] = {port_a, port_a, port_b, port_b2};

static void use(struct host *h, int who)
{
    host_use(h, (uint8_t)(who % 2), (uint32_t)(10 + who));
}

static struct host *hosts_new(void)
{
    struct host *h = host_new();
    for (int who = 0; who < NEXUSES; who++) {
        use(h, who);
        host_open_as(h, h->sender, h->nexus, nexus_names[who]);
        host_calm(h);
    }
    use(h, A1);
    return h;
}

/* ---- parameter lists ---- */

struct list {
    uint8_t bytes[8192];
    uint32_t length;
};

static struct list list_of(uint64_t key, uint64_t action_key, uint8_t flags)
{
    struct list list = {.length = 24};
    be64_put(list.bytes, key);
    be64_put(list.bytes + 8, action_key);
    list.bytes[20] = flags;
    return list;
}

static void add_id(struct list *list, uint8_t first, const char *name)
{
    uint32_t length = (uint32_t)(strlen(name) + 4) & ~3u;
    if (length < 20)
        length = 20;
    list->bytes[list->length] = first;
    be16_put(list->bytes + list->length + 2, (uint16_t)length);
    memcpy(list->bytes + list->length + 4, name, strlen(name));
    list->length += 4 + length;
}

/* With the TransportIDs of SPEC_I_PT. */
static struct list list_with(uint64_t key, uint64_t action_key, uint8_t flags, uint32_t count,
                             const char *const *names)
{
    struct list list = list_of(key, action_key, flags | 8);
    list.length = 28;
    for (uint32_t i = 0; i < count; i++)
        add_id(&list, strstr(names[i], ",i,0x") ? 0x45 : 0x05, names[i]);
    be32_put(list.bytes + 24, list.length - 28);
    return list;
}

static struct list list_moving(uint64_t key, uint64_t action_key, uint8_t flags, uint16_t target,
                               const char *name)
{
    struct list list = list_of(key, action_key, 0);
    list.bytes[17] = flags;
    be16_put(list.bytes + 18, target);
    add_id(&list, strstr(name, ",i,0x") ? 0x45 : 0x05, name);
    be32_put(list.bytes + 20, list.length - 24);
    return list;
}

static void out(struct host *h, int action, int type, const struct list *list)
{
    uint8_t cdb[10] = {0x5F, (uint8_t)action, (uint8_t)type};
    be32_put(cdb + 5, list->length);
    host_data(h, cdb, sizeof cdb, list->bytes, list->length);
}

static void out_plain(struct host *h, int action, int type, uint64_t key, uint64_t action_key,
                      uint8_t flags)
{
    struct list list = list_of(key, action_key, flags);
    out(h, action, type, &list);
}

/* ---- what is registered, by READ FULL STATUS ---- */

/* The key of the port through that target port, 0: none; *holds: it holds the reservation. */
static uint64_t registered(struct host *h, const char *name, uint16_t target, bool *holds)
{
    host_cdb(h, 0x5E, 3, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0);
    assert_good(h);
    uint32_t end = 8 + be32_at(h->answer + 4);
    for (uint32_t at = 8; at < end; at += 24 + be32_at(h->answer + at + 20)) {
        if (be16_at(h->answer + at + 18) != target ||
            strcmp((const char *)h->answer + at + 28, name) != 0)
            continue;
        if (holds)
            *holds = h->answer[at + 12] & 1;
        return be64_at(h->answer + at);
    }
    return 0;
}

static uint32_t generation(struct host *h)
{
    host_cdb(h, 0x5E, 0, 0, 0, 0, 0, 0, 0, 8, 0);
    return be32_at(h->answer);
}

/* Keys of A through switch 1 and 2, of B's ports through the switch of their nexus: 16 bits each.
 */
static uint64_t all_keys(struct host *h)
{
    return registered(h, port_a, 1, NULL) << 48 | registered(h, port_a, 2, NULL) << 32 |
           registered(h, port_b, 1, NULL) << 16 | registered(h, port_b2, 2, NULL);
}

static void attention_is(struct host *h, int who, uint16_t code)
{
    use(h, who);
    host_ready(h);
    if (code)
        assert_sense(h, 6, code);
    else
        assert_good(h);
}

enum { ALL_TG_PT = 4 };

static void through_every_switch(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, ALL_TG_PT);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0005000500000000);
    assert_int_equal(generation(h), 1); /* one command, one step */
    use(h, A2);
    out_plain(h, PERSISTENT_RESERVE, 1, 5, 0, 0); /* registered, though it never said so */
    assert_good(h);
    use(h, A1);
    out_plain(h, PERSISTENT_REGISTER, 0, 5, 6, ALL_TG_PT);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0006000600000000);
    out_plain(h, PERSISTENT_REGISTER, 0, 6, 7, 0); /* only here */
    assert_int_equal(all_keys(h), 0x0007000600000000);
    out_plain(h, PERSISTENT_REGISTER, 0, 6, 8, ALL_TG_PT); /* not its key here */
    assert_conflict(h);
    out_plain(h, PERSISTENT_REGISTER, 0, 7, 8, ALL_TG_PT); /* not its key there: left alone */
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0008000600000000);
    out_plain(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 99, 9, ALL_TG_PT);
    assert_int_equal(all_keys(h), 0x0009000900000000);
    out_plain(h, PERSISTENT_REGISTER, 0, 9, 0, ALL_TG_PT);
    assert_good(h);
    assert_int_equal(all_keys(h), 0);
    host_cdb(h, 0x5E, 1, 0, 0, 0, 0, 0, 0, 24, 0);
    assert_int_equal(be32_at(h->answer + 4), 0); /* A2 held it: it is over */
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 0, ALL_TG_PT);
    assert_good(h);
    assert_int_equal(generation(h), 6);
    host_free(h);
}

/* What it would add is added everywhere or nowhere. */
static void another_key_through_another_switch(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    use(h, A2);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, 0);
    use(h, A1);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 6, ALL_TG_PT);
    assert_conflict(h);
    assert_int_equal(all_keys(h), 0x0000000500000000);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, ALL_TG_PT); /* the same key is no conflict */
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0005000500000000);
    out_plain(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 0, 0, 0);
    out_plain(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 0, 6, ALL_TG_PT);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0006000600000000);
    host_free(h);
}

static void an_unregistering_holder_tells_registrants_once(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    use(h, B1);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 0xB, 0);
    use(h, A2);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, ALL_TG_PT);
    out_plain(h, PERSISTENT_RESERVE, 5, 5, 0, 0);
    assert_good(h);
    use(h, A1); /* unregisters the holder A2 along with itself */
    out_plain(h, PERSISTENT_REGISTER, 0, 5, 0, ALL_TG_PT);
    assert_good(h);
    attention_is(h, A1, 0);
    attention_is(h, A2, 0);
    attention_is(h, B1, 0x2A04);
    attention_is(h, B1, 0);
    attention_is(h, B2, 0);
    host_free(h);
}

static void for_other_ports(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    const char *const b_and_new[] = {port_b, port_new, port_a};
    struct list list = list_with(0, 5, 0, 3, b_and_new);
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0005000000050000);
    assert_int_equal(registered(h, port_new, 1, NULL), 5); /* nobody has seen it yet */
    assert_int_equal(registered(h, port_new, 2, NULL), 0);
    assert_int_equal(generation(h), 1);
    host_open_as(h, 0, 77, port_new);
    host_calm(h);
    out_plain(h, PERSISTENT_RESERVE, 1, 5, 0, 0);
    assert_good(h);
    host_free(h);
}

static void a_node_is_all_its_known_ports(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    const char *const node[] = {"iqn.h:b", "iqn.h:unknown"};
    struct list list = list_with(0, 5, ALL_TG_PT, 2, node);
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0005000500050005);
    assert_int_equal(registered(h, port_b, 2, NULL), 5);
    assert_int_equal(registered(h, port_b2, 1, NULL), 5);
    host_free(h);
}

static void lists_are_taken_whole_or_not(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    const char *const names[] = {port_new, port_b};
    struct list list = list_with(0, 5, 0, 2, names);
    use(h, B1);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 0xB, 0);
    use(h, A1);
    out(h, PERSISTENT_REGISTER, 0, &list); /* B1 has another key */
    assert_sense(h, 5, 0x2600);
    assert_int_equal(h->plan.sense[15], 0x80);
    assert_int_equal(be16_at(h->plan.sense + 16), 28 + 4 + 28); /* the second of them */
    assert_int_equal(all_keys(h), 0x00000000000B0000);
    assert_int_equal(registered(h, port_new, 1, NULL), 0);
    list = list_with(0, 0xB, 0, 2, names); /* the same key: it is registered already */
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x000B0000000B0000);
    out(h, PERSISTENT_REGISTER, 0, &list); /* key 0, but it is registered now */
    assert_sense(h, 5, 0x2600);
    list = list_with(0xB, 6, 0, 2, names);
    out(h, PERSISTENT_REGISTER, 0, &list); /* SPEC_I_PT is for who is not registered */
    assert_sense(h, 5, 0x2600);
    out(h, PERSISTENT_REGISTER_AND_IGNORE, 0, &list);
    assert_sense(h, 5, 0x2600);
    host_free(h);
}

/* More registrations than there may be: none of them. */
static void too_many(void **unused)
{
    (void)unused;
    enum { MANY = 80 };
    struct host *h = hosts_new();
    static char names[MANY][32];
    const char *list_names[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "iqn.many:%02d,i,0x%012x", i, (unsigned)i);
        list_names[i] = names[i];
    }
    struct list list = list_with(0, 5, 0, REGISTRATION_MAX, list_names); /* and its own */
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_sense(h, 5, 0x5504);
    assert_int_equal(h->plan.effect_length, 0);
    list = list_with(0, 5, ALL_TG_PT, REGISTRATION_MAX / 2, list_names);
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_sense(h, 5, 0x5504);
    list = list_with(0, 5, 0, REGISTRATION_MAX - 1, list_names);
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_good(h);
    assert_int_equal(registered(h, names[REGISTRATION_MAX - 2], 1, NULL), 5);
    use(h, B1);
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 6, 0);
    assert_sense(h, 5, 0x5504);
    host_free(h);
}

/* Names so long that the effect has no room for all of them. */
static void an_effect_has_its_limits(void **unused)
{
    (void)unused;
    enum { MANY = 30 };
    struct host *h = hosts_new();
    static char names[MANY][224];
    const char *list_names[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "iqn.long:%02d%0180d,i,0x%012x", i, 0, (unsigned)i);
        list_names[i] = names[i];
    }
    struct list list = list_with(0, 5, 0, MANY, list_names);
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_sense(h, 5, 0x5504);
    list = list_with(0, 5, 0, 15, list_names);
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_good(h);
    host_free(h);
}

static void transport_ids(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t first;
        uint16_t length;
        const char *name;
        const char *is; /* NULL: refused */
    } rows[] = {
        {0x45, 24, "iqn.a,i,0x00023d000001", "iqn.a,i,0x00023d000001"},
        {0x45, 24, "iqn.a,i,0x00023D000001", "iqn.a,i,0x00023d000001"},
        {0x45, 20, "iqn.a,i,0x23d000001", "iqn.a,i,0x00023d000001"},
        {0x05, 20, "iqn.a", "iqn.a"},
        {0x45, 20, "iqn.a", NULL},                   /* no ISID */
        {0x05, 20, "iqn.a,i,0x1", NULL},             /* one that is not announced */
        {0x45, 20, "iqn.a,i,0x", NULL},              /* empty */
        {0x45, 20, "iqn.a,i,0xg", NULL},             /* no digit */
        {0x45, 28, "iqn.a,i,0x1234567890123", NULL}, /* 13 digits */
        {0x45, 20, ",i,0x1", NULL},                  /* no node */
        {0x05, 20, "", NULL},
        {0x05, 20, "iqn.twenty-bytes-long", NULL}, /* no zero */
        {0x05, 16, "iqn.a", NULL},                 /* too short */
        {0x05, 22, "iqn.a", NULL},                 /* not of 4s */
        {0x00, 20, "iqn.a", NULL},                 /* Fibre Channel */
        {0x85, 20, "iqn.a", NULL},                 /* format 10b */
        {0x15, 20, "iqn.a", NULL},                 /* reserved bit */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[64] = {rows[i].first};
        size_t used = strlen(rows[i].name);
        be16_put(bytes + 2, rows[i].length);
        memcpy(bytes + 4, rows[i].name, used < rows[i].length ? used : rows[i].length);
        struct transport_id id;
        struct cursor c = cursor_read(bytes, 4u + rows[i].length);
        assert_int_equal(transport_id_get(&c, &id), rows[i].is != NULL);
        if (rows[i].is) {
            assert_string_equal(id.name, rows[i].is);
            assert_int_equal(id.length, strlen(rows[i].is));
            assert_int_equal(cursor_left(&c), 0);
        }
        for (uint32_t cut = 0; cut < 4u + rows[i].length; cut++) {
            c = cursor_read(bytes, cut);
            assert_false(transport_id_get(&c, &id));
        }
    }
}

static void lists_that_do_not_fit(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    const char *const names[] = {port_new};
    static const int32_t wrong[] = {-28, -5, -1, 1, 4, INT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct list list = list_with(0, 5, 0, 1, names);
        be32_put(list.bytes + 24, be32_at(list.bytes + 24) + (uint32_t)wrong[i]);
        out(h, PERSISTENT_REGISTER, 0, &list);
        assert_sense(h, 5, 0x1A00);
        list = list_moving(0, 5, 0, 1, port_new);
        be32_put(list.bytes + 20, be32_at(list.bytes + 20) + (uint32_t)wrong[i]);
        out(h, PERSISTENT_REGISTER_AND_MOVE, 0, &list);
        assert_sense(h, 5, 0x1A00);
    }
    struct list list = list_with(0, 5, 0, 1, names);
    uint8_t cdb[10] = {0x5F, 0, [8] = 60};
    host_data(h, cdb, sizeof cdb, list.bytes, 59); /* the host has sent less */
    assert_sense(h, 5, 0x1A00);
    list.bytes[28] = 0x44; /* SRP */
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_sense(h, 5, 0x2600);
    list = list_with(0, 5, 0, 0, names); /* an empty list is one */
    out(h, PERSISTENT_REGISTER, 0, &list);
    assert_good(h);
    assert_int_equal(all_keys(h), 0x0005000000000000);
    host_free(h);
}

/* ---- REGISTER AND MOVE ---- */

static void move(struct host *h, uint64_t key, uint64_t action_key, uint8_t flags, uint16_t target,
                 const char *name)
{
    struct list list = list_moving(key, action_key, flags, target, name);
    out(h, PERSISTENT_REGISTER_AND_MOVE, 0, &list);
}

static void a_reservation_moves(void **unused)
{
    (void)unused;
    for (uint8_t unregister = 0; unregister < 2; unregister++)
        for (int known = 0; known < 2; known++) {
            struct host *h = hosts_new();
            bool holds = false;
            if (known) {
                use(h, B1);
                out_plain(h, PERSISTENT_REGISTER, 0, 0, 0xB, 0);
            }
            use(h, A1);
            out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, 0);
            out_plain(h, PERSISTENT_RESERVE, 3, 5, 0, 0);
            uint32_t before = generation(h);
            move(h, 5, 6, (uint8_t)(unregister << 1 | 1), 1, port_b);
            assert_good(h);
            assert_int_equal(generation(h), before + 1);
            assert_int_equal(all_keys(h), unregister ? 0x60000 : 0x0005000000060000);
            registered(h, port_b, 1, &holds);
            assert_true(holds);
            host_cdb(h, 0x5E, 2, 0, 0, 0, 0, 0, 0, 8, 0);
            assert_int_equal(h->answer[2], 0x0D);
            assert_int_equal(h->answer[3], 0x81); /* APTPL of the list */
            host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
            assert_conflict(h);
            attention_is(h, B1, 0);
            host_cdb(h, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
            assert_good(h);
            out_plain(h, PERSISTENT_RELEASE, 3, 6, 0, 0);
            assert_good(h);
            host_cdb(h, 0x5E, 1, 0, 0, 0, 0, 0, 0, 24, 0);
            assert_int_equal(be32_at(h->answer + 4), 0);
            host_free(h);
        }
}

static void to_a_port_that_nobody_has_seen(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    bool holds = false;
    out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, 0);
    out_plain(h, PERSISTENT_RESERVE, 1, 5, 0, 0);
    move(h, 5, 6, 2, 2, port_new);
    assert_good(h);
    assert_int_equal(registered(h, port_new, 2, &holds), 6);
    assert_true(holds);
    assert_int_equal(all_keys(h), 0);
    host_open_as(h, 1, 77, port_new);
    host_calm(h);
    out_plain(h, PERSISTENT_RELEASE, 1, 6, 0, 0);
    assert_good(h);
    host_free(h);
}

static void moves_that_are_refused(void **unused)
{
    (void)unused;
    static const struct {
        int who, type;
        uint64_t key, action_key;
        uint16_t target;
        const char *name;
        uint32_t wrong; /* 1: conflict; else key and code */
    } rows[] = {
        {A1, 0, 5, 6, 1, port_b, 0x52400}, /* there is no reservation */
        {A1, 1, 4, 6, 1, port_b, 1},       /* not its key */
        {B1, 1, 0, 6, 1, port_new, 1},     /* not registered */
        {A2, 1, 7, 6, 1, port_b, 1},       /* not the holder */
        {A1, 7, 5, 6, 1, port_b, 1},       /* held by all */
        {A1, 8, 5, 6, 1, port_b, 1},
        {A1, 1, 5, 0, 1, port_b, 0x52600}, /* key 0 */
        {A1, 1, 5, 6, 0, port_b, 0x52600}, /* no such target port */
        {A1, 1, 5, 6, 3, port_b, 0x52600},
        {A1, 1, 5, 6, 0xFFFF, port_b, 0x52600},
        {A1, 1, 5, 6, 1, port_a, 0x52600},      /* the holder itself, */
        {A1, 1, 5, 6, 2, port_a, 0x52600},      /* also through another switch */
        {A1, 1, 5, 6, 1, "iqn.h:b", 0x52600},   /* two ports */
        {A1, 1, 5, 6, 1, "iqn.h:who", 0x52600}, /* none */
        {A1, 1, 5, 6, 1, "iqn.h:a", 0x52600},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = hosts_new();
        use(h, A2);
        out_plain(h, PERSISTENT_REGISTER, 0, 0, 7, 0);
        use(h, A1);
        out_plain(h, PERSISTENT_REGISTER, 0, 0, 5, 0);
        if (rows[i].type)
            out_plain(h, PERSISTENT_RESERVE, rows[i].type, 5, 0, 0);
        uint64_t before = all_keys(h);
        use(h, rows[i].who);
        move(h, rows[i].key, rows[i].action_key, 2, rows[i].target, rows[i].name);
        if (rows[i].wrong == 1)
            assert_conflict(h);
        else
            assert_sense(h, rows[i].wrong >> 16, rows[i].wrong & 0xFFFF);
        assert_int_equal(all_keys(h), before);
        host_free(h);
    }
}

/* Lists with bytes changed: refused, or the same on each unit and a sound state. */
static void damaged_lists(void **unused)
{
    (void)unused;
    struct host *h = hosts_new();
    const char *const names[] = {port_new, "iqn.h:b", port_b2};
    uint8_t *bytes = malloc(SAVE_BYTES);
    uint32_t seed = 77;
    for (int i = 0; i < 20000; i++) {
        bool moves = i % 2;
        struct list list = moves ? list_moving(5, 6, 2, 2, port_b2)
                                 : list_with(0, 5, (uint8_t)(i & ALL_TG_PT), 3, names);
        for (int damage = i % 4; damage > 0; damage--) {
            seed = seed * 1664525 + 1013904223;
            list.bytes[(seed >> 8) % list.length] ^= (uint8_t)(seed >> 24);
        }
        use(h, i % NEXUSES);
        out(h, moves ? PERSISTENT_REGISTER_AND_MOVE : PERSISTENT_REGISTER, 0, &list);
        if (i % 3 == 0)
            out_plain(h, PERSISTENT_RESERVE, 5, 5, 0, 0);
        if (i % 50)
            continue;
        assert_true(scsi_load(h->other, bytes, host_save(h->server, bytes)));
        host_check_same(h);
        out_plain(h, PERSISTENT_REGISTER_AND_IGNORE, 0, 0, 9, 0);
        out_plain(h, PERSISTENT_CLEAR, 0, 9, 0, 0);
        host_calm(h);
    }
    free(bytes);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_every_switch),
        cmocka_unit_test(another_key_through_another_switch),
        cmocka_unit_test(an_unregistering_holder_tells_registrants_once),
        cmocka_unit_test(for_other_ports),
        cmocka_unit_test(a_node_is_all_its_known_ports),
        cmocka_unit_test(lists_are_taken_whole_or_not),
        cmocka_unit_test(too_many),
        cmocka_unit_test(an_effect_has_its_limits),
        cmocka_unit_test(transport_ids),
        cmocka_unit_test(lists_that_do_not_fit),
        cmocka_unit_test(a_reservation_moves),
        cmocka_unit_test(to_a_port_that_nobody_has_seen),
        cmocka_unit_test(moves_that_are_refused),
        cmocka_unit_test(damaged_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
