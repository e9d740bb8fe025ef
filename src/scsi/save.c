/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/effect.h"
#include "scsi/nexus.h"
#include "scsi/persistent.h"
#include "scsi/sanitize.h"

/* The state as bytes: version 3. The same state gives the same bytes, whatever way it came about:
 * ports are sorted by name, nexuses by sender and number, volumes ascend, registrations keep their
 * order. Of a volume only what differs from a new one is there.
 *
 *   version 1, strangers 1
 *   ports: count 2; length 1, name
 *   nexuses: count 2; sender 1, number 4, session 8, port 2, directory version known 8;
 *            unit attentions of volumes 0, 1, ... as runs of 3: length - 1 in 12 bits, set in 12
 *   volumes: count 2; index 2, uuid 16, generation 4, type 1, flags 1, reserved sender 1, number 4,
 *            session 8, registrations 1; port 2, sender 1, holder 1, key 8;
 *            SANITIZE, by a flag: state 1, flags 1, passes 1, pass 1, done 8, pattern length 2,
 * pattern
 *
 * Versions 1 and 2 are loaded too: they have no sessions, version 1 no directory versions, and
 * never the flags that came later. */

enum { SAVE_VERSION_FIRST = 1, SAVE_VERSION_SESSIONS = 3, SAVE_VERSION = 3 };
enum {
    SAVE_APTPL = 1,
    SAVE_MODES_SHIFT = 1,
    SAVE_SANITIZE = 128, /* it follows the registrations */
    SAVE_FLAGS = 1 | MODES_ALL << 1 | SAVE_SANITIZE,
};

_Static_assert(ATTENTIONS <= 12, "a set of unit attentions fits into a run");

/* ---- saving: a cursor without memory counts ---- */

struct writer {
    uint8_t *out;
    uint32_t length, capacity;
};

static void put(struct writer *w, const void *bytes, uint32_t length)
{
    if (w->length <= w->capacity && length <= w->capacity - w->length)
        memcpy(w->out + w->length, bytes, length);
    w->length += length;
}

static void put_number(struct writer *w, uint64_t x, uint32_t bytes)
{
    struct be64 b = be64_of(x);
    put(w, b.b + 8 - bytes, bytes);
}

static bool port_before(const struct scsi_port *a, const struct scsi_port *b)
{
    uint8_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->name, b->name, shorter);
    return order ? order < 0 : a->length < b->length;
}

/* Ports in use, sorted; rank[p] is the place of port p. Insertion: there are few, and mostly
 * sorted. */
static uint32_t sort_ports(const struct scsi_state *state, uint16_t order[PORT_MAX],
                           uint16_t rank[PORT_MAX])
{
    uint32_t count = 0;
    for (uint16_t p = 0; p < state->ports_end; p++) {
        const struct scsi_port *port = &state->port[p];
        if (!port->nexuses && !port->registrations)
            continue;
        uint32_t at = count++;
        for (; at > 0 && port_before(port, &state->port[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = p;
    }
    for (uint32_t i = 0; i < count; i++)
        rank[order[i]] = (uint16_t)i;
    return count;
}

static bool nexus_before(const struct scsi_state *state, int a, int b)
{
    if (state->nexus_key[a] != state->nexus_key[b])
        return state->nexus_key[a] < state->nexus_key[b];
    return state->nexus[a].session < state->nexus[b].session;
}

static uint32_t sort_nexuses(const struct scsi_state *state, uint8_t order[NEXUS_MAX])
{
    uint32_t count = 0;
    for (int n = 0; n < NEXUS_MAX; n++) {
        if (!state->nexus[n].open)
            continue;
        uint32_t at = count++;
        for (; at > 0 && nexus_before(state, n, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)n;
    }
    return count;
}

static void save_attentions(struct writer *w, const uint16_t set[VOLUME_MAX])
{
    uint32_t begin = 0;
    for (uint32_t v = 1; v <= VOLUME_MAX; v++) {
        if (v < VOLUME_MAX && set[v] == set[begin])
            continue;
        put_number(w, (v - begin - 1) << 12 | set[begin], 3);
        begin = v;
    }
}

static bool volume_is_new(const struct volume_state *v)
{
    return v->generation == 0 && !v->aptpl && v->type == 0 && v->count == 0 &&
           v->reserved_sender == SENDER_NONE && !v->modes && !v->sanitize.state;
}

static void save_sanitize(struct writer *w, const struct scsi_sanitize *s)
{
    put_number(w, s->state, 1);
    put_number(w, s->flags, 1);
    put_number(w, s->passes, 1);
    put_number(w, s->pass, 1);
    put_number(w, s->done, 8);
    put_number(w, s->pattern_length, 2);
    put(w, s->pattern, s->pattern_length);
}

static void save_volume(struct writer *w, const struct scsi_server *server, uint32_t index,
                        const uint16_t rank[PORT_MAX])
{
    const struct volume_state *v = &server->state->volume[index];
    put_number(w, index, 2);
    put(w, server->info[index].uuid, sizeof server->info[index].uuid);
    put_number(w, v->generation, 4);
    put_number(w, v->type, 1);
    put_number(w,
               (v->aptpl ? SAVE_APTPL : 0u) | (uint32_t)v->modes << SAVE_MODES_SHIFT |
                   (v->sanitize.state ? SAVE_SANITIZE : 0u),
               1);
    put_number(w, v->reserved_sender, 1);
    put_number(w, v->reserved_number, 4);
    put_number(w, v->reserved_session, 8);
    put_number(w, v->count, 1);
    for (int i = 0; i < v->count; i++) {
        put_number(w, rank[v->registration[i].port], 2);
        put_number(w, v->registration[i].sender, 1);
        put_number(w, v->registration[i].holder, 1);
        put_number(w, v->registration[i].key, 8);
    }
    if (v->sanitize.state)
        save_sanitize(w, &v->sanitize);
}

static void save_volumes(struct writer *w, const struct scsi_server *server,
                         const uint16_t rank[PORT_MAX])
{
    uint32_t count = 0;
    for (uint32_t v = 0; v < VOLUME_MAX; v++)
        count += server->present[v] && !volume_is_new(&server->state->volume[v]);
    put_number(w, count, 2);
    for (uint32_t v = 0; v < VOLUME_MAX; v++)
        if (server->present[v] && !volume_is_new(&server->state->volume[v]))
            save_volume(w, server, v, rank);
}

uint32_t scsi_save(const struct scsi_server *server, uint8_t *out, uint32_t capacity)
{
    const struct scsi_state *state = server->state;
    struct writer w = {out, 0, out ? capacity : 0};
    uint16_t ports[PORT_MAX], rank[PORT_MAX];
    uint8_t nexuses[NEXUS_MAX];
    put_number(&w, SAVE_VERSION, 1);
    put_number(&w, state->strangers, 1);
    uint32_t port_count = sort_ports(state, ports, rank);
    put_number(&w, port_count, 2);
    for (uint32_t i = 0; i < port_count; i++) {
        put_number(&w, state->port[ports[i]].length, 1);
        put(&w, state->port[ports[i]].name, state->port[ports[i]].length);
    }
    uint32_t nexus_count = sort_nexuses(state, nexuses);
    put_number(&w, nexus_count, 2);
    for (uint32_t i = 0; i < nexus_count; i++) {
        const struct scsi_nexus *n = &state->nexus[nexuses[i]];
        put_number(&w, n->sender, 1);
        put_number(&w, n->number, 4);
        put_number(&w, n->session, 8);
        put_number(&w, n->port == PORT_NONE ? PORT_NONE : rank[n->port], 2);
        put_number(&w, n->luns, 8);
        save_attentions(&w, state->attention[nexuses[i]]);
    }
    save_volumes(&w, server, rank);
    return w.length;
}

/* ---- loading: into the spare state, which then takes the place of the other ---- */

static bool load_ports(struct scsi_state *state, struct cursor *c, uint16_t *count)
{
    *count = cursor_get16(c);
    if (*count > PORT_MAX)
        return false;
    for (uint16_t p = 0; p < *count; p++) {
        scsi_state_reach(&state->ports_end, p);
        struct scsi_port *port = &state->port[p];
        port->length = cursor_get8(c);
        cursor_get_bytes(c, port->name, port->length);
        if (c->failed || port->length == 0)
            return false;
        if (p > 0 && !port_before(&state->port[p - 1], port))
            return false;
    }
    return true;
}

/* Bits of volumes that are not here any more are dropped. */
static bool load_attentions(const struct scsi_server *server, uint16_t set[VOLUME_MAX],
                            struct cursor *c)
{
    uint32_t v = 0;
    while (v < VOLUME_MAX) {
        uint8_t *run = cursor_take(c, 3);
        if (!run)
            return false;
        uint32_t length = (be24_at(run) >> 12) + 1;
        uint16_t bits = be24_at(run) & 0xFFF;
        if (length > VOLUME_MAX - v || bits >> ATTENTIONS)
            return false;
        for (; length > 0; length--, v++)
            set[v] = server->present[v] ? bits : 0;
    }
    return true;
}

static bool load_nexuses(const struct scsi_server *server, struct scsi_state *state,
                         struct cursor *c, uint16_t ports, uint8_t version)
{
    uint16_t count = cursor_get16(c);
    if (count > NEXUS_MAX)
        return false;
    for (uint16_t i = 0; i < count; i++) {
        scsi_state_reach(&state->nexuses_end, i);
        struct scsi_nexus *n = &state->nexus[i];
        n->open = true;
        n->sender = cursor_get8(c);
        n->number = cursor_get32(c);
        n->session = version < SAVE_VERSION_SESSIONS ? 0 : cursor_get64(c);
        n->port = cursor_get16(c);
        n->luns = version == SAVE_VERSION_FIRST ? 0 : cursor_get64(c);
        state->nexus_key[i] = scsi_nexus_key(n->sender, n->number);
        if (c->failed || n->sender >= SENDER_MAX || (n->port >= ports && n->port != PORT_NONE))
            return false;
        if (i > 0 && !nexus_before(state, i - 1, i))
            return false;
        if (n->port != PORT_NONE)
            state->port[n->port].nexuses++;
        if (!load_attentions(server, state->attention[i], c))
            return false;
    }
    return true;
}

static bool load_registrations(struct scsi_state *state, struct volume_state *v, struct cursor *c,
                               uint8_t count, uint16_t ports)
{
    for (v->count = 0; v->count < count; v->count++) {
        struct registration *g = &v->registration[v->count];
        g->port = cursor_get16(c);
        g->sender = cursor_get8(c);
        uint8_t holder = cursor_get8(c);
        g->holder = holder;
        g->key = cursor_get64(c);
        if (c->failed || g->port >= ports || g->sender >= SENDER_MAX || holder > 1 || g->key == 0)
            return false;
        for (int i = 0; i < v->count; i++)
            if (v->registration[i].port == g->port && v->registration[i].sender == g->sender)
                return false;
        state->port[g->port].registrations++;
        state->registrations++;
    }
    return state->registrations <= REGISTRATION_TOTAL;
}

/* The reservation's type agrees with its holders, RESERVE(6)'s with the nexuses. */
static bool volume_is_sound(const struct scsi_state *state, const struct volume_state *v)
{
    int holders = 0;
    for (int i = 0; i < v->count; i++)
        holders += v->registration[i].holder;
    if (v->type != PERSISTENT_TYPE_NONE && !persistent_type_known(v->type))
        return false;
    bool one = v->type != PERSISTENT_TYPE_NONE && !persistent_type_all(v->type);
    if (holders != one || (v->type && v->count == 0))
        return false;
    if (v->reserved_sender == SENDER_NONE)
        return v->reserved_number == 0 && v->reserved_session == 0;
    int nexus = scsi_nexus_find(state, v->reserved_sender, v->reserved_session, v->reserved_number);
    return nexus >= 0 && state->nexus[nexus].session == v->reserved_session;
}

static bool load_sanitize(struct scsi_state *state, struct scsi_sanitize *s, struct cursor *c)
{
    s->state = cursor_get8(c);
    s->flags = cursor_get8(c);
    s->passes = cursor_get8(c);
    s->pass = cursor_get8(c);
    s->done = cursor_get64(c);
    s->pattern_length = cursor_get16(c);
    if (c->failed || !sanitize_is_sound(s))
        return false;
    cursor_get_bytes(c, s->pattern, s->pattern_length);
    state->sanitizing += s->state != SANITIZE_FAILED;
    return !c->failed;
}

static bool load_volume(const struct scsi_server *server, struct scsi_state *state,
                        struct cursor *c, uint16_t ports, uint8_t version, int *previous)
{
    uint8_t uuid[16];
    uint16_t index = cursor_get16(c);
    cursor_get_bytes(c, uuid, sizeof uuid);
    if (c->failed || index >= VOLUME_MAX || index <= *previous)
        return false;
    *previous = index;
    scsi_state_reach(&state->volumes_end, index);
    struct volume_state *v = &state->volume[index];
    v->generation = cursor_get32(c);
    v->type = cursor_get8(c);
    uint8_t flags = cursor_get8(c);
    v->aptpl = flags & SAVE_APTPL;
    v->modes = flags >> SAVE_MODES_SHIFT & MODES_ALL;
    v->reserved_sender = cursor_get8(c);
    v->reserved_number = cursor_get32(c);
    v->reserved_session = version < SAVE_VERSION_SESSIONS ? 0 : cursor_get64(c);
    uint8_t count = cursor_get8(c);
    if (c->failed || flags & ~SAVE_FLAGS || count > REGISTRATION_MAX)
        return false;
    if (!load_registrations(state, v, c, count, ports) || !volume_is_sound(state, v))
        return false;
    if (flags & SAVE_SANITIZE && !load_sanitize(state, &v->sanitize, c))
        return false;
    /* Another volume may have its number now: this one's state ends here. */
    if (!server->present[index] || memcmp(uuid, server->info[index].uuid, sizeof uuid) != 0)
        scsi_volume_clear(state, index);
    return true;
}

static bool load_state(const struct scsi_server *server, struct scsi_state *state, struct cursor *c)
{
    uint16_t ports = 0;
    int previous = -1;
    uint8_t version = cursor_get8(c);
    if (version < SAVE_VERSION_FIRST || version > SAVE_VERSION)
        return false;
    state->strangers = cursor_get8(c);
    if (!load_ports(state, c, &ports) || !load_nexuses(server, state, c, ports, version))
        return false;
    uint16_t volumes = cursor_get16(c);
    for (uint16_t i = 0; i < volumes; i++)
        if (!load_volume(server, state, c, ports, version, &previous))
            return false;
    uint32_t registered = 0;
    for (int p = 0; p < state->ports_end; p++) {
        struct scsi_port *port = &state->port[p];
        registered += port->registrations > 0;
        if (!port->nexuses && !port->registrations) /* of a volume that is gone */
            *port = (struct scsi_port){0};
    }
    return !c->failed && cursor_left(c) == 0 && registered <= PORT_REGISTERED_MAX;
}

bool scsi_load(struct scsi_server *server, const uint8_t *bytes, uint32_t length)
{
    struct cursor c = cursor_read(bytes, length);
    scsi_state_clear(server->spare, server->state->volumes_end);
    if (!load_state(server, server->spare, &c)) {
        trace_error(server->trace, "saved state of %u bytes is not understood", length);
        return false;
    }
    struct scsi_state *old = server->state;
    server->state = server->spare;
    server->spare = old;
    return true;
}
