/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/attention.h"

#include "scsi/effect.h"

static const uint16_t attention_codes[ATTENTIONS] = {
    [ATTENTION_POWER_ON] = 0x2900,
    [ATTENTION_RESET] = 0x2903,
    [ATTENTION_NEXUS_LOSS] = 0x2907,
    [ATTENTION_COMMANDS_CLEARED] = 0x2F00,
    [ATTENTION_RESERVATIONS_PREEMPTED] = 0x2A03,
    [ATTENTION_RESERVATIONS_RELEASED] = 0x2A04,
    [ATTENTION_REGISTRATIONS_PREEMPTED] = 0x2A05,
    [ATTENTION_MODE_CHANGED] = 0x2A01,
    [ATTENTION_CAPACITY_CHANGED] = 0x2A09,
};

uint16_t attention_code(enum attention a)
{
    must(a < ATTENTIONS);
    return attention_codes[a];
}

void attention_raise(struct scsi_state *state, int nexus, uint16_t volume, enum attention a)
{
    uint16_t *set = &state->attention[nexus][volume];
    if (a == ATTENTION_POWER_ON)
        *set = 0;
    *set |= (uint16_t)(1u << a);
}

void attention_raise_all(struct scsi_state *state, uint16_t volume, enum attention a, int except)
{
    for (int i = 0; i < NEXUS_MAX; i++)
        if (state->nexus[i].open && i != except)
            attention_raise(state, i, volume, a);
}

int attention_first(const struct scsi_state *state, int nexus, uint16_t volume)
{
    uint16_t set = state->attention[nexus][volume];
    for (int a = 0; a < ATTENTIONS; a++)
        if (set & 1u << a)
            return a;
    return -1;
}

enum { LUNS_CHANGED = 0x3F0E };

bool attention_next(const struct scsi_request *r, uint16_t *code, struct change *noticed)
{
    const struct scsi_state *state = r->server->state;
    if (r->nexus < 0 || !r->info)
        return false;
    int a = attention_first(state, r->nexus, r->command->volume);
    if (a >= 0) {
        *noticed = effect_own(r, CHANGE_NOTICED);
        noticed->detail = (uint8_t)a;
        *code = attention_code((enum attention)a);
        return true;
    }
    if (state->nexus[r->nexus].luns >= r->command->luns)
        return false;
    *noticed = effect_own(r, CHANGE_LUNS);
    noticed->value = r->command->luns;
    *code = LUNS_CHANGED;
    return true;
}
