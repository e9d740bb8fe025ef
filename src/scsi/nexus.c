/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/nexus.h"

#include "scsi/effect.h"
#include "scsi/sense.h"

static const uint64_t NEXUS_KEY_FREE = UINT64_MAX;

int scsi_nexus_find(const struct scsi_state *state, uint8_t sender, uint64_t session,
                    uint32_t number)
{
    uint64_t key = scsi_nexus_key(sender, number);
    for (int i = 0; i < NEXUS_MAX; i++)
        if (state->nexus_key[i] == key &&
            (state->nexus[i].session == session || state->nexus[i].session == 0))
            return i;
    return -1;
}

static int nexus_free(const struct scsi_state *state)
{
    for (int i = 0; i < NEXUS_MAX; i++)
        if (!state->nexus[i].open)
            return i;
    return -1;
}

bool scsi_nexus_room(const struct scsi_state *state)
{
    return nexus_free(state) >= 0;
}

uint16_t scsi_port_find(const struct scsi_state *state, const uint8_t *name, uint8_t length)
{
    for (uint16_t p = 0; p < state->ports_end; p++) {
        const struct scsi_port *port = &state->port[p];
        if ((port->nexuses || port->registrations) && port->length == length &&
            memcmp(port->name, name, length) == 0)
            return p;
    }
    return PORT_NONE;
}

uint16_t scsi_port_take(struct scsi_state *state, const uint8_t *name, uint8_t length,
                        bool registration)
{
    uint16_t p = scsi_port_find(state, name, length);
    if (p == PORT_NONE) {
        for (p = 0; p < PORT_MAX; p++)
            if (!state->port[p].nexuses && !state->port[p].registrations)
                break;
        if (p == PORT_MAX)
            return PORT_NONE;
        scsi_state_reach(&state->ports_end, p);
        struct scsi_port *port = &state->port[p];
        memset(port->name, 0, sizeof port->name);
        memcpy(port->name, name, length);
        port->length = length;
    }
    if (registration)
        state->port[p].registrations++;
    else
        state->port[p].nexuses++;
    return p;
}

void scsi_port_drop(struct scsi_state *state, uint16_t port, bool registration)
{
    struct scsi_port *p = &state->port[port];
    uint16_t *count = registration ? &p->registrations : &p->nexuses;
    must(*count > 0);
    --*count;
    if (!p->nexuses && !p->registrations) {
        p->length = 0;
        memset(p->name, 0, sizeof p->name);
    }
}

uint32_t scsi_ports_registrable(const struct scsi_state *state)
{
    uint32_t registered = 0;
    for (int p = 0; p < state->ports_end; p++)
        registered += state->port[p].registrations > 0;
    return registered < PORT_REGISTERED_MAX ? PORT_REGISTERED_MAX - registered : 0;
}

bool scsi_port_registrable(const struct scsi_state *state, uint16_t port)
{
    if (port != PORT_NONE && state->port[port].registrations)
        return true;
    return scsi_ports_registrable(state) > 0;
}

int scsi_nexus_add(struct scsi_state *state, uint8_t sender, uint64_t session, uint32_t number,
                   const uint8_t *name, uint8_t length)
{
    int i = nexus_free(state);
    if (i < 0)
        return -1;
    uint16_t port = PORT_NONE;
    if (length > 0) {
        port = scsi_port_take(state, name, length, false);
        must(port != PORT_NONE); /* PORT_REGISTERED_MAX leaves one for each nexus */
    }
    scsi_state_reach(&state->nexuses_end, (uint32_t)i);
    state->nexus[i] = (struct scsi_nexus){
        .open = true, .sender = sender, .port = port, .number = number, .session = session};
    state->nexus_key[i] = scsi_nexus_key(sender, number);
    memset(state->attention[i], 0, sizeof state->attention[i]);
    return i;
}

void scsi_nexus_remove(struct scsi_state *state, int nexus)
{
    struct scsi_nexus *n = &state->nexus[nexus];
    for (int v = 0; v < state->volumes_end; v++) {
        struct volume_state *volume = &state->volume[v];
        if (volume->reserved_sender == n->sender && volume->reserved_number == n->number &&
            volume->reserved_session == n->session)
            scsi_release(volume);
    }
    if (n->port != PORT_NONE)
        scsi_port_drop(state, n->port, false);
    *n = (struct scsi_nexus){0};
    state->nexus_key[nexus] = NEXUS_KEY_FREE;
    memset(state->attention[nexus], 0, sizeof state->attention[nexus]);
}

void scsi_nexus_name(struct scsi_state *state, int nexus, const uint8_t *name, uint8_t length)
{
    if (state->nexus[nexus].port != PORT_NONE || length == 0)
        return;
    state->nexus[nexus].port = scsi_port_take(state, name, length, false);
    must(state->nexus[nexus].port != PORT_NONE);
}

/* A port that is known for its registrations, or a nexus that is begun anew, has lost its nexus;
 * any other sees the array for the first time, or as it is after a power-on. */
static enum attention nexus_greeting(const struct scsi_request *r, const uint8_t *name,
                                     uint8_t length)
{
    const struct scsi_state *state = r->server->state;
    uint16_t port = scsi_port_find(state, name, length);
    bool known = r->nexus >= 0 || (port != PORT_NONE && state->port[port].registrations > 0);
    if (r->nexus < 0 && state->strangers >> r->command->id.sender & 1)
        return ATTENTION_POWER_ON; /* it was there before, and we have forgotten it */
    return known ? ATTENTION_NEXUS_LOSS : ATTENTION_POWER_ON;
}

void scsi_nexus_plan_open(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct scsi_state *state = r->server->state;
    uint32_t length = r->data_length;
    while (length > 0 && r->data[length - 1] == 0)
        length--;
    if (length == 0 || length > PORT_NAME_MAX || r->command->id.sender >= SENDER_MAX) {
        sense_check(plan, SENSE_INVALID_FIELD_IN_PARAMETERS);
        return;
    }
    if (r->nexus < 0 && !scsi_nexus_room(state)) {
        sense_status(plan, SCSI_STATUS_BUSY);
        return;
    }
    sense_good(plan);
    if (r->nexus >= 0 && state->nexus[r->nexus].port != PORT_NONE &&
        state->nexus[r->nexus].port == scsi_port_find(state, r->data, (uint8_t)length))
        return; /* the switch only was not sure: nothing was lost, and nobody is told */
    struct change c = effect_own(r, CHANGE_NEXUS_ADD);
    if (r->nexus >= 0 && state->nexus[r->nexus].port == PORT_NONE)
        c.what = CHANGE_NEXUS_NAME;
    else
        c.detail = (uint8_t)nexus_greeting(r, r->data, (uint8_t)length);
    c.volume = VOLUME_ALL;
    c.value = r->command->luns;
    c.name = r->data;
    c.name_length = (uint8_t)length;
    effect_add(plan, c);
    effect_resolve(plan);
}

void scsi_nexus_plan_loss(const struct scsi_request *r, struct scsi_plan *plan)
{
    sense_good(plan);
    if (r->nexus < 0)
        return;
    struct change c = effect_own(r, CHANGE_NEXUS_REMOVE);
    c.volume = VOLUME_ALL;
    effect_add(plan, c);
    effect_resolve(plan);
}

/* ---- task management ---- */

enum { /* RFC 7143 11.6.1 */
       TASK_RESPONSE_COMPLETE = 0,
       TASK_RESPONSE_NO_LUN = 2,
       TASK_RESPONSE_NOT_SUPPORTED = 5,
};

/* The commands before it have finished, because it is a barrier: nothing is left to abort. */
static void task_reset(const struct scsi_request *r, struct scsi_plan *plan, uint16_t volume)
{
    struct change reset = effect_own(r, CHANGE_RESET);
    reset.volume = volume;
    effect_add(plan, reset);
    effect_add(plan, (struct change){.what = CHANGE_ATTENTION,
                                     .volume = volume,
                                     .sender = SENDER_NONE,
                                     .detail = ATTENTION_RESET});
    effect_resolve(plan);
}

void scsi_nexus_plan_task(const struct scsi_request *r, struct scsi_plan *plan)
{
    sense_good(plan);
    plan->task_response = TASK_RESPONSE_COMPLETE;
    enum task_function function = (enum task_function)r->command->task;
    bool whole_target = function == TASK_TARGET_WARM_RESET || function == TASK_TARGET_COLD_RESET;
    if (!r->info && !whole_target) {
        plan->task_response = TASK_RESPONSE_NO_LUN;
        return;
    }
    switch (function) {
    case TASK_ABORT_TASK:
    case TASK_ABORT_TASK_SET:
    case TASK_CLEAR_TASK_SET: /* a barrier: other hosts' commands have ended by themselves, so that
                                 none is cleared, and nobody is told so (2F/00) */
        return;
    case TASK_LOGICAL_UNIT_RESET:
        task_reset(r, plan, r->command->volume);
        return;
    case TASK_TARGET_WARM_RESET:
    case TASK_TARGET_COLD_RESET:
        task_reset(r, plan, VOLUME_ALL);
        return;
    case TASK_CLEAR_ACA: /* NORMACA=0 */
        break;
    }
    plan->task_response = TASK_RESPONSE_NOT_SUPPORTED;
}
