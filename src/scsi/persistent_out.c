/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/effect.h"
#include "scsi/nexus.h"
#include "scsi/opcodes.h"
#include "scsi/persistent.h"
#include "scsi/sense.h"
#include "scsi/transport_id.h"

/* PERSISTENT RESERVE OUT (SPC-4 5.9, 6.16): each service action makes its decision here.
 *
 * With ALL_TG_PT a REGISTER counts as if it had come through each interface switch; the answer is
 * that of the one it came through. What it would add is added all or not at all; to a registration
 * through another switch that has another key than the one it names, it does nothing. */

struct persistent_parameters {
    uint64_t key, action_key;
    uint8_t type;
    bool aptpl, spec_i_pt, all_targets, unregister;
    uint16_t target; /* REGISTER AND MOVE: relative target port */
    int own;         /* index of the nexus's registration, or -1 */
    uint32_t length; /* of the parameter list */
};

enum { /* offsets in the parameter list, SPC-4 tables 217 and 222 */
       AT_KEY = 0,
       AT_ACTION_KEY = 8,
       AT_MOVE_FLAGS = 17,
       AT_MOVE_TARGET = 18,
       AT_MOVE_ID_LENGTH = 20,
       AT_FLAGS = 20,
       LIST_BYTES = 24,
       AT_MOVE_ID = 24,
       AT_IDS_LENGTH = 24,
       AT_IDS = 28,
       HOLDER_NONE = REGISTRATION_MAX,
};
enum { FLAG_APTPL = 0x01, FLAG_ALL_TG_PT = 0x04, FLAG_SPEC_I_PT = 0x08 };
enum { MOVE_APTPL = 0x01, MOVE_UNREG = 0x02 };

static void add(const struct scsi_request *r, struct scsi_plan *plan, enum change_kind what,
                uint8_t detail, uint64_t value)
{
    struct change c = effect_own(r, what);
    c.detail = detail;
    c.value = value;
    effect_add(plan, c);
}

static void add_generation(const struct scsi_request *r, struct scsi_plan *plan)
{
    add(r, plan, CHANGE_GENERATION, 0, r->volume->generation + 1);
    effect_resolve(plan);
}

static uint64_t mask_all(const struct volume_state *v)
{
    return v->count == 64 ? UINT64_MAX : (1ull << v->count) - 1;
}

static uint64_t mask_of_key(const struct volume_state *v, uint64_t key)
{
    uint64_t mask = 0;
    for (int i = 0; i < v->count; i++)
        if (v->registration[i].key == key)
            mask |= 1ull << i;
    return mask;
}

/* ---- REGISTER, REGISTER AND IGNORE EXISTING KEY ---- */

/* What a command adds to the registrations, while it is put together. */
struct register_work {
    bool ignore;
    uint8_t targets; /* senders through which it registers ... */
    uint8_t missing; /* ... and its own port has no registration yet */
    uint64_t gone;   /* registrations that go */
    uint32_t added, added_ports;
};

static void refuse(struct scsi_plan *plan)
{
    plan->effect_length = 0;
}

static bool no_resources(struct scsi_plan *plan)
{
    sense_check(plan, SENSE_NO_REGISTRATION_RESOURCES);
    refuse(plan);
    return false;
}

/* Adds the port's registrations through those senders; false: no room, and that is the answer. */
static bool add_port(const struct scsi_request *r, struct scsi_plan *plan, struct register_work *w,
                     const char *name, uint8_t length, uint8_t senders, uint64_t key)
{
    enum { CHANGES_TO_COME = 4 };
    const struct scsi_state *state = r->server->state;
    uint16_t port = scsi_port_find(state, (const uint8_t *)name, length);
    if (!senders)
        return true;
    for (uint8_t s = 0; s < SENDER_MAX; s++)
        w->added += senders >> s & 1;
    w->added_ports += port == PORT_NONE || !state->port[port].registrations;
    if (r->volume->count + w->added > REGISTRATION_MAX ||
        state->registrations + w->added > REGISTRATION_TOTAL ||
        w->added_ports > scsi_ports_registrable(state) ||
        effect_room(plan) < CHANGE_BYTES * (1u + CHANGES_TO_COME) + length)
        return no_resources(plan);
    struct change c = effect_own(r, CHANGE_REGISTER_PORT);
    c.detail = senders;
    c.value = key;
    c.name = (const uint8_t *)name;
    c.name_length = length;
    effect_add(plan, c);
    return true;
}

/* The command's own port through one switch. False: as the standard has it, a conflict. */
static bool register_through(const struct scsi_request *r, struct scsi_plan *plan,
                             const struct persistent_parameters *p, struct register_work *w,
                             uint8_t sender)
{
    const struct volume_state *v = r->volume;
    bool received = sender == r->command->id.sender;
    int i = persistent_find_port(v, r->server->state->nexus[r->nexus].port, sender);
    if (i < 0) {
        if (!w->ignore && p->key != 0)
            return !received;
        if (p->action_key)
            w->missing |= (uint8_t)(1u << sender);
        return true;
    }
    if (!w->ignore && v->registration[i].key != p->key)
        return !received && (p->own >= 0 || v->registration[i].key == p->action_key);
    if (p->action_key)
        add(r, plan, CHANGE_KEY, (uint8_t)i, p->action_key);
    else
        w->gone |= 1ull << i;
    return true;
}

/* An unregistering holder ends its reservation; registrants of a registrants-only one are told. */
static void add_unregister(const struct scsi_request *r, struct scsi_plan *plan, uint64_t gone)
{
    const struct volume_state *v = r->volume;
    int holder = persistent_holder(v);
    if (!gone)
        return;
    if (holder >= 0 && gone >> holder & 1 && persistent_type_registrants(v->type))
        add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_RESERVATIONS_RELEASED, mask_all(v) & ~gone);
    add(r, plan, CHANGE_UNREGISTER, 0, gone);
}

/* SPEC_I_PT: one initiator port. */
static bool register_named(const struct scsi_request *r, struct scsi_plan *plan,
                           const struct persistent_parameters *p, struct register_work *w,
                           const char *name, uint8_t length, uint32_t at)
{
    const struct scsi_state *state = r->server->state;
    uint16_t port = scsi_port_find(state, (const uint8_t *)name, length);
    uint8_t missing = w->targets;
    if (port == state->nexus[r->nexus].port)
        return true; /* its own is registered anyway */
    for (uint8_t s = 0; s < SENDER_MAX && port != PORT_NONE; s++) {
        int i = w->targets >> s & 1 ? persistent_find_port(r->volume, port, s) : -1;
        if (i < 0)
            continue;
        if (r->volume->registration[i].key != p->action_key) {
            sense_check_parameters(plan, at);
            refuse(plan);
            return false;
        }
        missing &= (uint8_t) ~(1u << s);
    }
    return add_port(r, plan, w, name, length, missing, p->action_key);
}

/* SPEC_I_PT: the initiator ports of the list. */
static bool register_list(const struct scsi_request *r, struct scsi_plan *plan,
                          const struct persistent_parameters *p, struct register_work *w)
{
    const struct scsi_state *state = r->server->state;
    struct cursor c = cursor_read(r->data + AT_IDS, p->length - AT_IDS);
    while (cursor_left(&c) > 0) {
        struct transport_id id;
        uint32_t at = (uint32_t)(c.at - r->data);
        if (!transport_id_get(&c, &id)) {
            sense_check_parameters(plan, at);
            refuse(plan);
            return false;
        }
        if (id.whole) {
            if (!register_named(r, plan, p, w, id.name, id.length, at))
                return false;
            continue;
        }
        for (int i = 0; i < PORT_MAX; i++) {
            const struct scsi_port *port = &state->port[i];
            if (transport_id_is(&id, port) &&
                !register_named(r, plan, p, w, port->name, port->length, at))
                return false;
        }
    }
    return true;
}

static uint8_t all_senders(const struct scsi_request *r)
{
    return (uint8_t)((1u << r->server->switches) - 1);
}

static void plan_register(const struct scsi_request *r, struct scsi_plan *plan,
                          const struct persistent_parameters *p)
{
    const struct scsi_state *state = r->server->state;
    struct register_work w = {.ignore = (r->command->cdb[1] & ACTION_MASK) ==
                                        PERSISTENT_REGISTER_AND_IGNORE,
                              .targets = (uint8_t)(1u << r->command->id.sender)};
    uint16_t own = state->nexus[r->nexus].port;
    if (p->all_targets)
        w.targets |= all_senders(r);
    if (p->spec_i_pt && (p->own >= 0 || w.ignore)) {
        sense_check_parameters(plan, AT_FLAGS);
        return;
    }
    for (uint8_t s = 0; s < SENDER_MAX; s++)
        if (w.targets >> s & 1 && !register_through(r, plan, p, &w, s)) {
            sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
            refuse(plan);
            return;
        }
    if (w.missing && own == PORT_NONE) {
        no_resources(plan);
        return;
    }
    if (w.missing && !add_port(r, plan, &w, state->port[own].name, state->port[own].length,
                               w.missing, p->action_key))
        return;
    if (p->spec_i_pt && p->action_key && !register_list(r, plan, p, &w))
        return;
    add_unregister(r, plan, w.gone);
    if (plan->effect_length == 0)
        return; /* nothing to do */
    add(r, plan, CHANGE_APTPL, p->aptpl, 0);
    add_generation(r, plan);
}

/* ---- REGISTER AND MOVE ---- */

/* The one port that the list's TransportID names: into *out as a whole one. */
static bool move_port(const struct scsi_request *r, const struct persistent_parameters *p,
                      struct transport_id *out)
{
    const struct scsi_state *state = r->server->state;
    struct cursor c = cursor_read(r->data + AT_MOVE_ID, p->length - AT_MOVE_ID);
    if (!transport_id_get(&c, out) || cursor_left(&c) > 0)
        return false;
    if (out->whole)
        return true;
    const struct scsi_port *found = NULL;
    for (int i = 0; i < PORT_MAX; i++)
        if (transport_id_is(out, &state->port[i])) {
            if (found)
                return false; /* which one? */
            found = &state->port[i];
        }
    if (!found)
        return false;
    *out = (struct transport_id){.whole = true, .length = found->length};
    memcpy(out->name, found->name, found->length);
    return true;
}

/* False: the answer is that the command is wrong. */
static bool move_allowed(const struct scsi_request *r, struct scsi_plan *plan,
                         const struct persistent_parameters *p, struct transport_id *id)
{
    const struct volume_state *v = r->volume;
    uint16_t own = r->server->state->nexus[r->nexus].port;
    if (v->type == PERSISTENT_TYPE_NONE) {
        sense_check_cdb(plan, 1);
        return false;
    }
    if (persistent_type_all(v->type) || !v->registration[p->own].holder) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return false;
    }
    if (p->action_key == 0) {
        sense_check_parameters(plan, AT_ACTION_KEY);
        return false;
    }
    if (p->target == 0 || p->target > SENDER_MAX || !(all_senders(r) >> (p->target - 1) & 1)) {
        sense_check_parameters(plan, AT_MOVE_TARGET);
        return false;
    }
    if (!move_port(r, p, id) ||
        scsi_port_find(r->server->state, (const uint8_t *)id->name, id->length) == own) {
        sense_check_parameters(plan, AT_MOVE_ID); /* cannot be read, or is the holder itself */
        return false;
    }
    return true;
}

static void plan_move(const struct scsi_request *r, struct scsi_plan *plan,
                      const struct persistent_parameters *p)
{
    const struct volume_state *v = r->volume;
    struct transport_id id;
    if (!move_allowed(r, plan, p, &id))
        return;
    struct register_work w = {0};
    uint8_t sender = (uint8_t)(p->target - 1);
    uint16_t port = scsi_port_find(r->server->state, (const uint8_t *)id.name, id.length);
    int holder = port == PORT_NONE ? -1 : persistent_find_port(v, port, sender);
    if (holder >= 0) {
        add(r, plan, CHANGE_KEY, (uint8_t)holder, p->action_key);
    } else {
        holder = v->count;
        if (!add_port(r, plan, &w, id.name, id.length, (uint8_t)(1u << sender), p->action_key))
            return;
    }
    add(r, plan, CHANGE_RESERVATION, v->type, (uint64_t)holder);
    if (p->unregister)
        add(r, plan, CHANGE_UNREGISTER, 0, 1ull << p->own);
    add(r, plan, CHANGE_APTPL, p->aptpl, 0);
    add_generation(r, plan);
}

/* ---- the others ---- */

static void plan_reserve(const struct scsi_request *r, struct scsi_plan *plan,
                         const struct persistent_parameters *p)
{
    const struct volume_state *v = r->volume;
    if (v->type == PERSISTENT_TYPE_NONE) {
        add(r, plan, CHANGE_RESERVATION, p->type, (uint64_t)p->own);
        effect_resolve(plan);
        return;
    }
    bool holds = persistent_type_all(v->type) || v->registration[p->own].holder;
    if (!holds || v->type != p->type)
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
}

static void plan_release(const struct scsi_request *r, struct scsi_plan *plan,
                         const struct persistent_parameters *p)
{
    const struct volume_state *v = r->volume;
    if (v->type == PERSISTENT_TYPE_NONE)
        return;
    if (!persistent_type_all(v->type) && !v->registration[p->own].holder)
        return;
    if (v->type != p->type) {
        sense_check(plan, SENSE_INVALID_RELEASE);
        return;
    }
    if (persistent_type_registrants(v->type))
        add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_RESERVATIONS_RELEASED, mask_all(v));
    add(r, plan, CHANGE_RESERVATION, PERSISTENT_TYPE_NONE, HOLDER_NONE);
    effect_resolve(plan);
}

static void plan_clear(const struct scsi_request *r, struct scsi_plan *plan,
                       const struct persistent_parameters *p)
{
    (void)p;
    uint64_t all = mask_all(r->volume);
    add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_RESERVATIONS_PREEMPTED, all);
    add(r, plan, CHANGE_UNREGISTER, 0, all);
    add_generation(r, plan);
}

/* Takes the reservation: the registrations in `removed` go, the nexus's own stays and holds. */
static void preempt_reservation(const struct scsi_request *r, struct scsi_plan *plan,
                                const struct persistent_parameters *p, uint64_t removed)
{
    const struct volume_state *v = r->volume;
    removed &= ~(1ull << p->own);
    add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_REGISTRATIONS_PREEMPTED, removed);
    if (v->type != p->type && persistent_type_registrants(v->type))
        add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_RESERVATIONS_RELEASED,
            mask_all(v) & ~removed);
    add(r, plan, CHANGE_UNREGISTER, 0, removed);
    int own = 0; /* its index once they are gone */
    for (int i = 0; i < p->own; i++)
        own += !(removed >> i & 1);
    add(r, plan, CHANGE_RESERVATION, p->type, (uint64_t)own);
    add_generation(r, plan);
}

/* SPC-4 5.9.11.4. No commands are left to abort: this one waited for all that came before it. */
static void plan_preempt(const struct scsi_request *r, struct scsi_plan *plan,
                         const struct persistent_parameters *p)
{
    const struct volume_state *v = r->volume;
    uint64_t named = mask_of_key(v, p->action_key);
    if (persistent_type_all(v->type) && p->action_key == 0) {
        preempt_reservation(r, plan, p, mask_all(v));
        return;
    }
    if (p->action_key == 0) {
        sense_check_parameters(plan, AT_ACTION_KEY);
        return;
    }
    if (!named) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    int holder = persistent_holder(v);
    if (holder >= 0 && named & 1ull << holder) {
        preempt_reservation(r, plan, p, named);
        return;
    }
    add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_REGISTRATIONS_PREEMPTED, named);
    add(r, plan, CHANGE_UNREGISTER, 0, named);
    add_generation(r, plan);
}

static const struct {
    void (*plan)(const struct scsi_request *r, struct scsi_plan *plan,
                 const struct persistent_parameters *p);
    bool registers; /* for nexuses that are not registered; else the key must be right */
    bool typed;     /* scope and type of the CDB matter */
    bool moves;     /* has a parameter list of its own form */
} persistent_actions[] = {
    [PERSISTENT_REGISTER] = {.plan = plan_register, .registers = true},
    [PERSISTENT_RESERVE] = {.plan = plan_reserve, .typed = true},
    [PERSISTENT_RELEASE] = {.plan = plan_release, .typed = true},
    [PERSISTENT_CLEAR] = {.plan = plan_clear},
    [PERSISTENT_PREEMPT] = {.plan = plan_preempt, .typed = true},
    [PERSISTENT_PREEMPT_AND_ABORT] = {.plan = plan_preempt, .typed = true},
    [PERSISTENT_REGISTER_AND_IGNORE] = {.plan = plan_register, .registers = true},
    [PERSISTENT_REGISTER_AND_MOVE] = {.plan = plan_move, .moves = true},
};

/* The list's length and that of the TransportIDs in it agree. */
static bool parameters_fit(const struct scsi_request *r, const struct persistent_parameters *p,
                           int action)
{
    if (p->length < LIST_BYTES || p->length > r->data_length)
        return false;
    if (persistent_actions[action].moves)
        return be32_at(r->data + AT_MOVE_ID_LENGTH) == p->length - AT_MOVE_ID;
    if (!persistent_actions[action].registers || !(r->data[AT_FLAGS] & FLAG_SPEC_I_PT))
        return p->length == LIST_BYTES;
    return p->length >= AT_IDS && be32_at(r->data + AT_IDS_LENGTH) == p->length - AT_IDS;
}

static void parameters_get(const struct scsi_request *r, struct persistent_parameters *p,
                           bool moves)
{
    uint8_t flags = r->data[moves ? AT_MOVE_FLAGS : AT_FLAGS];
    p->key = be64_at(r->data + AT_KEY);
    p->action_key = be64_at(r->data + AT_ACTION_KEY);
    if (moves) {
        p->aptpl = flags & MOVE_APTPL;
        p->unregister = flags & MOVE_UNREG;
        p->target = be16_at(r->data + AT_MOVE_TARGET);
    } else {
        p->aptpl = flags & FLAG_APTPL;
        p->spec_i_pt = flags & FLAG_SPEC_I_PT;
        p->all_targets = flags & FLAG_ALL_TG_PT;
    }
}

void persistent_plan_out(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    int action = cdb[1] & ACTION_MASK;
    bool moves = persistent_actions[action].moves;
    struct persistent_parameters p = {
        .type = cdb[2] & 0x0F,
        .own = persistent_find(r->server->state, r->volume, r->nexus),
        .length = be32_at(cdb + 5),
    };
    if (r->volume->reserved_sender != SENDER_NONE) { /* by RESERVE(6), also of its own */
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    if (!parameters_fit(r, &p, action)) {
        sense_check(plan, SENSE_PARAMETER_LIST_LENGTH);
        return;
    }
    parameters_get(r, &p, moves);
    if (persistent_actions[action].typed && (cdb[2] >> 4 || !persistent_type_known(p.type))) {
        sense_check_cdb(plan, 2);
        return;
    }
    if (p.spec_i_pt && !persistent_actions[action].registers) {
        sense_check_parameters(plan, AT_FLAGS);
        return;
    }
    sense_good(plan);
    if (!persistent_actions[action].registers &&
        (p.own < 0 || r->volume->registration[p.own].key != p.key)) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    persistent_actions[action].plan(r, plan, &p);
}
