/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/persistent.h"

#include "scsi/effect.h"
#include "scsi/nexus.h"
#include "scsi/opcodes.h"
#include "scsi/reserve.h"
#include "scsi/sense.h"

/* ---- the types ---- */

static const struct {
    bool known;
    bool all;         /* each registrant is a holder */
    bool registrants; /* a registrant may do what the holder may */
    bool read;        /* anybody may read */
} persistent_types[] = {
    [PERSISTENT_TYPE_WRITE_EXCLUSIVE] = {.known = true, .read = true},
    [PERSISTENT_TYPE_EXCLUSIVE_ACCESS] = {.known = true},
    [PERSISTENT_TYPE_WRITE_EXCLUSIVE_REGISTRANTS] = {.known = true,
                                                     .registrants = true,
                                                     .read = true},
    [PERSISTENT_TYPE_EXCLUSIVE_ACCESS_REGISTRANTS] = {.known = true, .registrants = true},
    [PERSISTENT_TYPE_WRITE_EXCLUSIVE_ALL] = {.known = true,
                                             .all = true,
                                             .registrants = true,
                                             .read = true},
    [PERSISTENT_TYPE_EXCLUSIVE_ACCESS_ALL] = {.known = true, .all = true, .registrants = true},
};

enum { PERSISTENT_TYPES = sizeof persistent_types / sizeof persistent_types[0] };

bool persistent_type_known(uint8_t type)
{
    return type < PERSISTENT_TYPES && persistent_types[type].known;
}

bool persistent_type_all(uint8_t type)
{
    return persistent_type_known(type) && persistent_types[type].all;
}

/* ---- the state ---- */

int persistent_find(const struct scsi_state *state, const struct volume_state *v, int nexus)
{
    if (nexus < 0 || state->nexus[nexus].port == PORT_NONE)
        return -1;
    for (int i = 0; i < v->count; i++)
        if (v->registration[i].port == state->nexus[nexus].port &&
            v->registration[i].sender == state->nexus[nexus].sender)
            return i;
    return -1;
}

int persistent_holder(const struct volume_state *v)
{
    for (int i = 0; i < v->count; i++)
        if (v->registration[i].holder)
            return i;
    return -1;
}

bool persistent_allows(const struct scsi_request *r, bool writes)
{
    const struct volume_state *v = r->volume;
    if (v->type == PERSISTENT_TYPE_NONE || (!writes && persistent_types[v->type].read))
        return true;
    int own = persistent_find(r->server->state, v, r->nexus);
    return own >= 0 && (persistent_types[v->type].registrants || v->registration[own].holder);
}

void persistent_register(struct scsi_state *state, uint16_t volume, int nexus, uint64_t key)
{
    struct volume_state *v = &state->volume[volume];
    const struct scsi_nexus *n = &state->nexus[nexus];
    if (n->port == PORT_NONE || persistent_find(state, v, nexus) >= 0)
        return;
    if (v->count == REGISTRATION_MAX || state->registrations == REGISTRATION_TOTAL ||
        !scsi_port_registrable(state, n->port))
        return;
    state->port[n->port].registrations++;
    state->registrations++;
    v->registration[v->count++] =
        (struct registration){.key = key, .port = n->port, .sender = n->sender};
}

void persistent_unregister(struct scsi_state *state, uint16_t volume, uint64_t mask)
{
    struct volume_state *v = &state->volume[volume];
    int kept = 0;
    for (int i = 0; i < v->count; i++) {
        if (mask & 1ull << i) {
            scsi_port_drop(state, v->registration[i].port, true);
            state->registrations--;
        } else {
            v->registration[kept++] = v->registration[i];
        }
    }
    memset(v->registration + kept, 0, (size_t)(v->count - kept) * sizeof v->registration[0]);
    v->count = (uint8_t)kept;
    if (v->count == 0 || (v->type && !persistent_type_all(v->type) && persistent_holder(v) < 0))
        v->type = PERSISTENT_TYPE_NONE;
}

void persistent_reserve(struct scsi_state *state, uint16_t volume, uint8_t type, uint64_t holder)
{
    struct volume_state *v = &state->volume[volume];
    bool all = persistent_type_all(type);
    for (int i = 0; i < v->count; i++)
        v->registration[i].holder = persistent_type_known(type) && !all && (uint64_t)i == holder;
    bool held = all ? v->count > 0 : persistent_holder(v) >= 0;
    v->type = held ? type : PERSISTENT_TYPE_NONE;
}

/* ---- PERSISTENT RESERVE OUT: each service action makes its decision here ---- */

struct persistent_parameters {
    uint64_t key, action_key;
    uint8_t type;
    bool aptpl;
    int own; /* index of the nexus's registration, or -1 */
};

enum { PERSISTENT_LIST_BYTES = 24, HOLDER_NONE = REGISTRATION_MAX };

static struct change persistent_change(const struct scsi_request *r, enum change_kind what,
                                       uint8_t detail, uint64_t value)
{
    struct change c = effect_own(r, what);
    c.detail = detail;
    c.value = value;
    return c;
}

static void add(const struct scsi_request *r, struct scsi_plan *plan, enum change_kind what,
                uint8_t detail, uint64_t value)
{
    effect_add(plan, persistent_change(r, what, detail, value));
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

/* An unregistering holder ends its reservation; registrants of a registrants-only one are told. */
static void plan_unregister(const struct scsi_request *r, struct scsi_plan *plan, int own)
{
    const struct volume_state *v = r->volume;
    if (v->registration[own].holder && persistent_types[v->type].registrants)
        add(r, plan, CHANGE_TELL_REGISTRANTS, ATTENTION_RESERVATIONS_RELEASED, mask_all(v));
    add(r, plan, CHANGE_UNREGISTER, 0, 1ull << own);
}

static void plan_register_new(const struct scsi_request *r, struct scsi_plan *plan, uint64_t key)
{
    const struct scsi_state *state = r->server->state;
    uint16_t port = state->nexus[r->nexus].port;
    if (r->volume->count == REGISTRATION_MAX || state->registrations == REGISTRATION_TOTAL ||
        port == PORT_NONE || !scsi_port_registrable(state, port)) {
        sense_check(plan, SENSE_NO_REGISTRATION_RESOURCES);
        return;
    }
    add(r, plan, CHANGE_REGISTER, 0, key);
}

static void plan_register(const struct scsi_request *r, struct scsi_plan *plan,
                          const struct persistent_parameters *p)
{
    bool ignore = (r->command->cdb[1] & ACTION_MASK) == PERSISTENT_REGISTER_AND_IGNORE;
    uint64_t known = p->own >= 0 ? r->volume->registration[p->own].key : 0;
    if (!ignore && p->key != known) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    if (p->own < 0 && p->action_key == 0)
        return;
    if (p->own < 0)
        plan_register_new(r, plan, p->action_key);
    else if (p->action_key == 0)
        plan_unregister(r, plan, p->own);
    else
        add(r, plan, CHANGE_KEY, (uint8_t)p->own, p->action_key);
    if (plan->status != SCSI_STATUS_GOOD)
        return;
    add(r, plan, CHANGE_APTPL, p->aptpl, 0);
    add_generation(r, plan);
}

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
    if (persistent_types[v->type].registrants)
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
    if (v->type != p->type && persistent_types[v->type].registrants)
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
        sense_check(plan, SENSE_INVALID_FIELD_IN_PARAMETERS);
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
} persistent_actions[] = {
    [PERSISTENT_REGISTER] = {plan_register, true, false},
    [PERSISTENT_RESERVE] = {plan_reserve, false, true},
    [PERSISTENT_RELEASE] = {plan_release, false, true},
    [PERSISTENT_CLEAR] = {plan_clear, false, false},
    [PERSISTENT_PREEMPT] = {plan_preempt, false, true},
    [PERSISTENT_PREEMPT_AND_ABORT] = {plan_preempt, false, true},
    [PERSISTENT_REGISTER_AND_IGNORE] = {plan_register, true, false},
};

void persistent_plan_out(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    int action = cdb[1] & ACTION_MASK;
    struct persistent_parameters p = {
        .type = cdb[2] & 0x0F,
        .own = persistent_find(r->server->state, r->volume, r->nexus),
    };
    if (r->volume->reserved_sender != SENDER_NONE) { /* by RESERVE(6), also of its own */
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    if (be32_at(cdb + 5) != PERSISTENT_LIST_BYTES || r->data_length < PERSISTENT_LIST_BYTES) {
        sense_check(plan, SENSE_PARAMETER_LIST_LENGTH);
        return;
    }
    p.key = be64_at(r->data);
    p.action_key = be64_at(r->data + 8);
    p.aptpl = r->data[20] & 0x01;
    if (persistent_actions[action].typed && (cdb[2] >> 4 || !persistent_type_known(p.type))) {
        sense_check_cdb(plan, 2);
        return;
    }
    if (persistent_actions[action].registers && r->data[20] & 0x0C) { /* SPEC_I_PT, ALL_TG_PT */
        sense_check(plan, SENSE_INVALID_FIELD_IN_PARAMETERS);
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
