/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/server.h"

#include <stdlib.h>

#include "scsi/attention.h"
#include "scsi/effect.h"
#include "scsi/medium.h"
#include "scsi/nexus.h"
#include "scsi/opcodes.h"
#include "scsi/reserve.h"
#include "scsi/sanitize.h"
#include "scsi/sense.h"

/* The SCSI device server: one object for all volumes of a group. What a command is lies in the
 * opcode table (opcodes.c); this file has what is common to all of them: who asks, of which volume,
 * may it run now. Planning reads the state and never changes it; every change is an effect
 * (effect.c).
 *
 * Deviations: WRITE AND VERIFY is verified by the drives' own word. A unit attention may be
 * reported to several commands of a nexus that were planned before the first of them was resolved.
 */

enum { SWITCHES_DEFAULT = 2 };

void scsi_volume_clear(struct scsi_state *state, uint16_t index)
{
    struct volume_state *v = &state->volume[index];
    for (int i = 0; i < v->count; i++)
        scsi_port_drop(state, v->registration[i].port, true);
    state->registrations -= v->count;
    sanitize_become(state, index, SANITIZE_NONE);
    *v = (struct volume_state){.reserved_sender = SENDER_NONE};
    scsi_state_reach(&state->volumes_end, index);
    for (int n = 0; n < state->nexuses_end; n++)
        state->attention[n][index] = 0;
}

void scsi_state_clear(struct scsi_state *state, uint16_t volumes)
{
    state->strangers = 0;
    state->registrations = state->sanitizing = 0;
    memset(state->nexus_key, 0xFF, sizeof state->nexus_key);
    memset(state->nexus, 0, state->nexuses_end * sizeof state->nexus[0]);
    memset(state->attention, 0, state->nexuses_end * sizeof state->attention[0]);
    memset(state->port, 0, state->ports_end * sizeof state->port[0]);
    memset(state->volume, 0, state->volumes_end * sizeof state->volume[0]);
    state->nexuses_end = state->ports_end = 0;
    state->volumes_end = volumes;
    for (uint16_t v = 0; v < volumes; v++)
        state->volume[v].reserved_sender = SENDER_NONE;
}

struct scsi_server *scsi_server_new(uint8_t group, const struct directory *directory,
                                    struct trace *trace)
{
    struct scsi_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->group = group;
    server->switches = SWITCHES_DEFAULT;
    server->directory = directory;
    server->trace = trace;
    server->state = calloc(1, sizeof *server->state);
    server->spare = calloc(1, sizeof *server->spare);
    if (!server->state || !server->spare) {
        scsi_server_free(server);
        return NULL;
    }
    opcode_index(server);
    scsi_server_clear(server);
    return server;
}

void scsi_server_free(struct scsi_server *server)
{
    if (!server)
        return;
    free(server->state);
    free(server->spare);
    free(server);
}

void scsi_server_clear(struct scsi_server *server)
{
    memset(server->present, 0, sizeof server->present);
    memset(server->info, 0, sizeof server->info);
    memset(server->copies, 0, sizeof server->copies);
    scsi_state_clear(server->state, 0);
}

void scsi_switches_set(struct scsi_server *server, uint8_t count)
{
    server->switches = count < SWITCH_MAX ? count : SWITCH_MAX;
}

void scsi_volume_set(struct scsi_server *server, const struct volume_info *info)
{
    must(info->index < VOLUME_MAX && info->blocks > 0);
    must(info->block_bytes == 512 || info->block_bytes == 4096);
    uint16_t v = info->index;
    struct volume_info *old = &server->info[v];
    bool same = server->present[v] && memcmp(old->uuid, info->uuid, sizeof info->uuid) == 0;
    if (!same) {
        scsi_volume_clear(server->state, v);
        attention_raise_all(server->state, v, ATTENTION_POWER_ON, -1);
    } else {
        if (old->blocks != info->blocks)
            attention_raise_all(server->state, v, ATTENTION_CAPACITY_CHANGED, -1);
        if (old->read_only != info->read_only || old->write_cache != info->write_cache)
            attention_raise_all(server->state, v, ATTENTION_MODE_CHANGED, -1);
    }
    *old = *info;
    server->present[v] = true;
    struct volume_counts *counts = &server->counts[v];
    if (memcmp(counts->uuid, info->uuid, sizeof counts->uuid) != 0) {
        *counts = (struct volume_counts){0};
        memcpy(counts->uuid, info->uuid, sizeof counts->uuid);
    }
}

void scsi_volume_remove(struct scsi_server *server, uint16_t index)
{
    if (index >= VOLUME_MAX || !server->present[index])
        return;
    scsi_volume_clear(server->state, index);
    server->present[index] = false;
    server->info[index] = (struct volume_info){0};
}

const struct volume_info *scsi_volume(const struct scsi_server *server, uint16_t index)
{
    return index < VOLUME_MAX && server->present[index] ? &server->info[index] : NULL;
}

bool scsi_sender_dead(struct scsi_server *server, uint8_t sender, uint64_t session)
{
    struct scsi_state *state = server->state;
    bool changed = false;
    for (int n = 0; n < NEXUS_MAX; n++)
        if (state->nexus[n].open && state->nexus[n].sender == sender &&
            state->nexus[n].session <= session) {
            scsi_nexus_remove(state, n);
            changed = true;
        }
    return changed;
}

void scsi_sender_anew(struct scsi_server *server, uint8_t sender)
{
    if (sender < SENDER_MAX)
        server->state->strangers &= (uint8_t) ~(1u << sender);
}

void scsi_power_on(struct scsi_server *server)
{
    struct scsi_state *state = server->state;
    for (uint16_t v = 0; v < VOLUME_MAX; v++)
        if (server->present[v])
            attention_raise_all(state, v, ATTENTION_POWER_ON, -1);
    state->strangers = (uint8_t)((1u << SENDER_MAX) - 1);
}

void scsi_forget_volatile(struct scsi_server *server)
{
    struct scsi_state *state = server->state;
    memset(server->copies, 0, sizeof server->copies);
    for (uint16_t v = 0; v < VOLUME_MAX; v++)
        memset(server->counts[v].of, 0, sizeof server->counts[v].of);
    for (int n = 0; n < NEXUS_MAX; n++)
        if (state->nexus[n].open)
            scsi_nexus_remove(state, n);
    for (uint16_t i = 0; i < state->volumes_end; i++) {
        struct volume_state *v = &state->volume[i];
        uint8_t modes = modes_as_saved(v->modes);
        if (v->sanitize.state == SANITIZE_ENDING) /* it has been stored, so it is over */
            sanitize_become(state, i, SANITIZE_NONE);
        struct scsi_sanitize sanitize = v->sanitize;
        if (!v->aptpl)
            scsi_volume_clear(state, i);
        else
            sanitize_become(state, i, SANITIZE_NONE);
        v->sanitize = sanitize;
        state->sanitizing += sanitize.state == SANITIZE_RUNNING;
        v->generation = 0; /* SPC-4 6.15.2 */
        v->modes = modes;
    }
}

/* ---- extents ---- */

void scsi_extent(const struct scsi_server *server, const struct command_message *command,
                 struct extent *out)
{
    *out = (struct extent){.class = OVERLAP_NONE};
    if (command->kind == COMMAND_NEXUS_OPEN || command->kind == COMMAND_NEXUS_LOSS)
        return; /* the unit has them wait for their own commands only */
    if (command->kind != COMMAND_SCSI) {
        out->class = OVERLAP_BARRIER; /* tasks wait for what was ordered before them */
        return;
    }
    bool known;
    const struct volume_info *info = scsi_volume(server, command->volume);
    const struct opcode *o = opcode_find(server, command->cdb, &known);
    if (!info || !o || o->overlap == OVERLAP_NONE)
        return;
    struct extent extent = {.class = o->overlap};
    if (o->range == RANGE_WHOLE)
        extent.blocks = info->blocks;
    else if (o->range != RANGE_NONE &&
             (!medium_range(o, command->cdb, info, &extent.lba, &extent.blocks) ||
              extent.blocks == 0))
        return;
    *out = extent;
}

/* ---- planning ---- */

static void plan_clear(struct scsi_plan *plan)
{
    plan->what = SCSI_RESPOND;
    plan->lba = 0;
    plan->blocks = 0;
    plan->fua = plan->compare = plan->unmap = plan->drains = false;
    plan->pattern_offset = plan->pattern_length = 0;
    plan->ranges = plan->allocation = 0;
    plan->status = SCSI_STATUS_GOOD;
    plan->task_response = 0;
    plan->sense_length = 0;
    plan->data_length = 0;
    plan->effect_length = 0;
}

/* A nexus that is not open; true: that was the answer. */
static bool plan_stranger(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct scsi_state *state = r->server->state;
    uint8_t sender = r->command->id.sender;
    if (r->nexus >= 0)
        return false;
    if (sender >= SENDER_MAX || !(state->strangers & 1u << sender)) {
        sense_check(plan, SENSE_NEXUS_UNKNOWN);
        return true;
    }
    if (!scsi_nexus_room(state)) {
        sense_status(plan, SCSI_STATUS_BUSY);
        return true;
    }
    sense_check_raw(plan, ATTENTION_KEY, attention_code(ATTENTION_POWER_ON));
    struct change add = effect_own(r, CHANGE_NEXUS_ADD);
    add.detail = ATTENTION_POWER_ON;
    effect_add(plan, add);
    struct change noticed = effect_own(r, CHANGE_NOTICED);
    noticed.detail = ATTENTION_POWER_ON;
    effect_add(plan, noticed);
    effect_resolve(plan);
    return true;
}

/* True: a unit attention was pending, and reporting it was the answer. */
static bool plan_attention(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint16_t code;
    struct change noticed;
    if (!attention_next(r, &code, &noticed))
        return false;
    sense_check_raw(plan, ATTENTION_KEY, code);
    effect_add(plan, noticed);
    effect_resolve(plan);
    return true;
}

/* What the server's state alone says to a command, before it is looked at. True: that was the
 * answer. */
static bool plan_refused(const struct scsi_request *r, struct scsi_plan *plan)
{
    unsigned flags = r->opcode ? r->opcode->flags : 0;
    if (!r->info && !(flags & OPCODE_UNMAPPED)) {
        sense_check(plan, SENSE_LUN_NOT_SUPPORTED);
        return true;
    }
    if (!(flags & OPCODE_UNATTENDED) &&
        (plan_stranger(r, plan) || (!plan->answered && plan_attention(r, plan))))
        return true;
    if (r->opcode && reserve_conflict(r)) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return true;
    }
    return sanitize_refused(r, plan);
}

static void plan_scsi(struct scsi_request *r, struct scsi_plan *plan)
{
    bool known;
    const uint8_t *cdb = r->command->cdb;
    r->opcode = opcode_find(r->server, cdb, &known);
    if (r->opcode && !opcode_offered(r->opcode, r->info)) {
        r->opcode = NULL;
        known = false;
    }
    if (plan_refused(r, plan))
        return;
    if (!r->opcode) {
        if (known)
            sense_check_cdb(plan, 1); /* the service action */
        else
            sense_check(plan, SENSE_INVALID_OPCODE);
        return;
    }
    int wrong_byte = opcode_unknown_bits(r->opcode, cdb);
    if (wrong_byte >= 0) {
        sense_check_cdb(plan, (uint32_t)wrong_byte);
        return;
    }
    enum sense_code wrong = medium_check(r);
    if (wrong != SENSE_NONE) {
        sense_check(plan, wrong);
        return;
    }
    r->opcode->plan(r, plan);
}

static void plan_command(const struct scsi_server *server, const struct command_message *command,
                         const uint8_t *data, uint32_t data_length, struct scsi_plan *plan)
{
    struct scsi_request r = {
        .server = server,
        .command = command,
        .info = scsi_volume(server, command->volume),
        .nexus =
            scsi_nexus_find(server->state, command->id.sender, command->id.session, command->nexus),
        .data = data,
        .data_length = data ? data_length : 0,
    };
    if (r.info)
        r.volume = &server->state->volume[command->volume];
    plan_clear(plan);
    switch ((enum command_kind)command->kind) {
    case COMMAND_SCSI:
        plan_scsi(&r, plan);
        return;
    case COMMAND_TASK:
        scsi_nexus_plan_task(&r, plan);
        return;
    case COMMAND_NEXUS_OPEN:
        scsi_nexus_plan_open(&r, plan);
        return;
    case COMMAND_NEXUS_LOSS:
        scsi_nexus_plan_loss(&r, plan);
        return;
    case COMMAND_WITHDRAW: /* the unit's own business */
    case COMMAND_MANAGE:
        break;
    }
    sense_check(plan, SENSE_INVALID_OPCODE);
}

bool scsi_descriptors(const struct scsi_server *server, uint16_t volume)
{
    return scsi_volume(server, volume) && server->state->volume[volume].modes & MODES_DESCRIPTOR;
}

uint8_t scsi_sense_form(const struct scsi_server *server, uint16_t volume, uint8_t *sense,
                        uint8_t length)
{
    if (length != SENSE_FIXED_BYTES || (sense[0] & 0x7F) != SENSE_FIXED)
        return length;
    if (!scsi_descriptors(server, volume))
        return length;
    return sense_to_descriptors(sense);
}

void scsi_plan(const struct scsi_server *server, const struct command_message *command,
               const uint8_t *data, uint32_t data_length, struct scsi_plan *plan)
{
    plan_command(server, command, data, data_length, plan);
    plan->sense_length = scsi_sense_form(server, command->volume, plan->sense, plan->sense_length);
}
