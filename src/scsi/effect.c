/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/effect.h"

#include "scsi/nexus.h"
#include "scsi/persistent.h"
#include "scsi/sanitize.h"

void effect_add(struct scsi_plan *plan, struct change change)
{
    if (plan->effect_length == 0) {
        plan->effect[0] = EFFECT_OF_SCSI;
        plan->effect[1] = EFFECT_VERSION;
        plan->effect_length = 2;
    }
    struct cursor c =
        cursor_of(plan->effect + plan->effect_length, sizeof plan->effect - plan->effect_length);
    cursor_put8(&c, (uint8_t)change.what);
    cursor_put16(&c, change.volume);
    cursor_put8(&c, change.sender);
    cursor_put32(&c, change.number);
    cursor_put64(&c, change.value);
    cursor_put8(&c, change.detail);
    cursor_put8(&c, change.name_length);
    cursor_put_bytes(&c, change.name, change.name_length);
    must(!c.failed);
    plan->effect_length = (uint32_t)(c.at - plan->effect);
}

uint32_t effect_room(const struct scsi_plan *plan)
{
    return (uint32_t)sizeof plan->effect - (plan->effect_length ? plan->effect_length : 2);
}

void effect_resolve(struct scsi_plan *plan)
{
    must(plan->effect_length > 0);
    plan->what = SCSI_RESOLVE;
}

struct change effect_own(const struct scsi_request *r, enum change_kind what)
{
    return (struct change){.what = what,
                           .volume = r->command->volume,
                           .sender = r->command->id.sender,
                           .number = r->command->nexus};
}

/* ---- applying ---- */

/* One change, of which change_get has checked what it can without the state. */
typedef void change_apply_fn(struct scsi_server *server, const struct change *c, uint16_t volume);

static int change_nexus(const struct scsi_server *server, const struct change *c)
{
    return scsi_nexus_find(server->state, c->sender, c->session, c->number);
}

/* Two commands were planned when the nexus was not open: the first of them has opened it, and told
 * its host. A nexus of another name takes its place instead. */
static bool opened_meanwhile(const struct scsi_state *state, int nexus, const struct change *c)
{
    uint16_t port = state->nexus[nexus].port;
    return c->name_length == 0 || port == PORT_NONE ||
           port == scsi_port_find(state, c->name, c->name_length);
}

static void apply_nexus_add(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    (void)volume;
    struct scsi_state *state = server->state;
    int nexus = change_nexus(server, c);
    if (nexus >= 0 && opened_meanwhile(state, nexus, c)) {
        scsi_nexus_name(state, nexus, c->name, c->name_length);
        return;
    }
    if (nexus >= 0)
        scsi_nexus_remove(state, nexus);
    nexus = scsi_nexus_add(state, c->sender, c->session, c->number, c->name, c->name_length);
    if (nexus < 0)
        return;
    state->nexus[nexus].luns = c->value;
    for (uint16_t v = 0; v < VOLUME_MAX; v++)
        if (server->present[v])
            attention_raise(state, nexus, v, (enum attention)c->detail);
    trace_detail(server->trace, "nexus %u of sender %u opened", c->number, c->sender);
}

static void apply_nexus_name(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    (void)volume;
    int nexus = change_nexus(server, c);
    if (nexus >= 0)
        scsi_nexus_name(server->state, nexus, c->name, c->name_length);
}

static void apply_nexus_remove(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    (void)volume;
    int nexus = change_nexus(server, c);
    if (nexus < 0)
        return;
    scsi_nexus_remove(server->state, nexus);
    trace_detail(server->trace, "nexus %u of sender %u lost", c->number, c->sender);
}

static void apply_attention(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    attention_raise_all(server->state, volume, (enum attention)c->detail, change_nexus(server, c));
}

static void apply_noticed(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    int nexus = change_nexus(server, c);
    if (nexus >= 0)
        server->state->attention[nexus][volume] &= (uint16_t) ~(1u << c->detail);
}

static void apply_tell_registrants(struct scsi_server *server, const struct change *c,
                                   uint16_t volume)
{
    struct scsi_state *state = server->state;
    const struct volume_state *v = &state->volume[volume];
    int except = change_nexus(server, c);
    for (int n = 0; n < NEXUS_MAX; n++) {
        if (!state->nexus[n].open || n == except)
            continue;
        int i = persistent_find(state, v, n);
        if (i >= 0 && c->value & 1ull << i)
            attention_raise(state, n, volume, (enum attention)c->detail);
    }
}

static void apply_reset(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    (void)c;
    struct volume_state *v = &server->state->volume[volume];
    scsi_release(v);
    v->modes = modes_as_saved(v->modes);
}

static void apply_reserve(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    int nexus = change_nexus(server, c);
    if (nexus < 0)
        return;
    struct volume_state *v = &server->state->volume[volume];
    v->reserved_sender = c->sender;
    v->reserved_number = c->number;
    v->reserved_session = server->state->nexus[nexus].session;
}

static void apply_release(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    (void)c;
    scsi_release(&server->state->volume[volume]);
}

static void apply_key(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    struct volume_state *v = &server->state->volume[volume];
    if (c->detail < v->count)
        v->registration[c->detail].key = c->value;
}

static void apply_unregister(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    persistent_unregister(server->state, volume, c->value);
}

static void apply_reservation(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    persistent_reserve(server->state, volume, c->detail, c->value);
}

static void apply_generation(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    server->state->volume[volume].generation = (uint32_t)c->value;
}

static void apply_aptpl(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    server->state->volume[volume].aptpl = c->detail;
}

static void apply_mode(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    server->state->volume[volume].modes = c->detail;
}

static void apply_register_port(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    for (uint8_t sender = 0; sender < SENDER_MAX; sender++)
        if (c->detail & 1u << sender)
            persistent_register_port(server->state, volume, sender, c->name, c->name_length,
                                     c->value);
}

static void apply_luns(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    (void)volume;
    int nexus = change_nexus(server, c);
    if (nexus >= 0 && server->state->nexus[nexus].luns < c->value) /* a newer one may be known */
        server->state->nexus[nexus].luns = c->value;
}

static void apply_sanitize(struct scsi_server *server, const struct change *c, uint16_t volume)
{
    sanitize_begin(server->state, volume, c->detail, c->value);
}

static void apply_sanitize_pattern(struct scsi_server *server, const struct change *c,
                                   uint16_t volume)
{
    sanitize_pattern(server->state, volume, c->value, c->name, c->name_length);
}

static void apply_sanitize_progress(struct scsi_server *server, const struct change *c,
                                    uint16_t volume)
{
    sanitize_progress(server->state, volume, c->detail, c->value);
}

static void apply_sanitize_state(struct scsi_server *server, const struct change *c,
                                 uint16_t volume)
{
    if (c->detail != SANITIZE_RUNNING) /* by CHANGE_SANITIZE alone */
        sanitize_become(server->state, volume, c->detail);
}

enum change_scope {
    SCOPE_ARRAY,   /* the volume does not matter: applied once */
    SCOPE_VOLUME,  /* one volume, if it is there */
    SCOPE_VOLUMES, /* one volume or all */
};

static const struct {
    change_apply_fn *apply;
    enum change_scope scope;
    uint8_t detail_max;
    bool named; /* may have a name */
    bool keyed; /* value is a reservation key, or passes: not 0 */
} changes[CHANGES] = {
    [CHANGE_NEXUS_ADD] = {.apply = apply_nexus_add,
                          .scope = SCOPE_ARRAY,
                          .detail_max = ATTENTIONS - 1,
                          .named = true},
    [CHANGE_NEXUS_NAME] = {.apply = apply_nexus_name, .scope = SCOPE_ARRAY, .named = true},
    [CHANGE_NEXUS_REMOVE] = {.apply = apply_nexus_remove, .scope = SCOPE_ARRAY},
    [CHANGE_ATTENTION] = {.apply = apply_attention,
                          .scope = SCOPE_VOLUMES,
                          .detail_max = ATTENTIONS - 1},
    [CHANGE_NOTICED] = {.apply = apply_noticed,
                        .scope = SCOPE_VOLUME,
                        .detail_max = ATTENTIONS - 1},
    [CHANGE_TELL_REGISTRANTS] = {.apply = apply_tell_registrants,
                                 .scope = SCOPE_VOLUME,
                                 .detail_max = ATTENTIONS - 1},
    [CHANGE_RESET] = {.apply = apply_reset, .scope = SCOPE_VOLUMES},
    [CHANGE_RESERVE] = {.apply = apply_reserve, .scope = SCOPE_VOLUME},
    [CHANGE_RELEASE] = {.apply = apply_release, .scope = SCOPE_VOLUME},
    [CHANGE_KEY] = {.apply = apply_key,
                    .scope = SCOPE_VOLUME,
                    .detail_max = REGISTRATION_MAX - 1,
                    .keyed = true},
    [CHANGE_UNREGISTER] = {.apply = apply_unregister, .scope = SCOPE_VOLUME},
    [CHANGE_RESERVATION] = {.apply = apply_reservation,
                            .scope = SCOPE_VOLUME,
                            .detail_max = PERSISTENT_TYPE_EXCLUSIVE_ACCESS_ALL},
    [CHANGE_GENERATION] = {.apply = apply_generation, .scope = SCOPE_VOLUME},
    [CHANGE_APTPL] = {.apply = apply_aptpl, .scope = SCOPE_VOLUME, .detail_max = 1},
    [CHANGE_MODE] = {.apply = apply_mode, .scope = SCOPE_VOLUME, .detail_max = MODES_ALL},
    [CHANGE_REGISTER_PORT] = {.apply = apply_register_port,
                              .scope = SCOPE_VOLUME,
                              .detail_max = (1u << SENDER_MAX) - 1,
                              .named = true,
                              .keyed = true},
    [CHANGE_LUNS] = {.apply = apply_luns, .scope = SCOPE_ARRAY},
    [CHANGE_SANITIZE] = {.apply = apply_sanitize,
                         .scope = SCOPE_VOLUME,
                         .detail_max = SANITIZE_FLAGS,
                         .keyed = true},
    [CHANGE_SANITIZE_PATTERN] = {.apply = apply_sanitize_pattern,
                                 .scope = SCOPE_VOLUME,
                                 .named = true},
    [CHANGE_SANITIZE_PROGRESS] = {.apply = apply_sanitize_progress,
                                  .scope = SCOPE_VOLUME,
                                  .detail_max = 31},
    [CHANGE_SANITIZE_STATE] = {.apply = apply_sanitize_state,
                               .scope = SCOPE_VOLUME,
                               .detail_max = SANITIZE_FAILED},
};

/* False: not a change that we know. */
static bool change_get(struct cursor *c, struct change *out)
{
    out->what = (enum change_kind)cursor_get8(c);
    out->volume = cursor_get16(c);
    out->sender = cursor_get8(c);
    out->number = cursor_get32(c);
    out->value = cursor_get64(c);
    out->detail = cursor_get8(c);
    out->name_length = cursor_get8(c);
    out->name = cursor_take(c, out->name_length);
    if (c->failed || out->what >= CHANGES || !changes[out->what].apply)
        return false;
    if (out->detail > changes[out->what].detail_max ||
        (out->name_length && !changes[out->what].named))
        return false;
    if (out->value == 0 && changes[out->what].keyed)
        return false;
    if (out->what == CHANGE_REGISTER_PORT && out->name_length == 0)
        return false;
    if (out->sender >= SENDER_MAX && out->sender != SENDER_NONE)
        return false;
    switch (changes[out->what].scope) {
    case SCOPE_ARRAY:
        return out->sender != SENDER_NONE;
    case SCOPE_VOLUME:
        return out->volume < VOLUME_MAX;
    case SCOPE_VOLUMES:
        return out->volume < VOLUME_MAX || out->volume == VOLUME_ALL;
    }
    return false;
}

static void change_apply(struct scsi_server *server, const struct change *c)
{
    change_apply_fn *apply = changes[c->what].apply;
    if (changes[c->what].scope == SCOPE_ARRAY) {
        apply(server, c, 0);
        return;
    }
    uint16_t first = c->volume == VOLUME_ALL ? 0 : c->volume;
    uint16_t last = c->volume == VOLUME_ALL ? VOLUME_MAX - 1 : c->volume;
    for (uint16_t v = first; v <= last; v++)
        if (server->present[v])
            apply(server, c, v);
}

static bool effect_walk(struct scsi_server *server, uint64_t session, const uint8_t *effect,
                        uint32_t length, bool apply)
{
    struct cursor c = cursor_read(effect, length);
    if (cursor_get8(&c) != EFFECT_OF_SCSI || cursor_get8(&c) != EFFECT_VERSION)
        return false;
    while (cursor_left(&c) > 0) {
        struct change change = {.session = session};
        if (!change_get(&c, &change))
            return false;
        if (apply)
            change_apply(server, &change);
    }
    return true;
}

bool scsi_apply(struct scsi_server *server, uint64_t session, const uint8_t *effect,
                uint32_t length)
{
    /* All of it is understood before any of it is done. */
    if (!effect_walk(server, session, effect, length, false)) {
        trace_error(server->trace, "effect of %u bytes is not understood", length);
        return false;
    }
    return effect_walk(server, session, effect, length, true);
}
