/* SPDX-License-Identifier: Apache-2.0 */

/* The looplets: ports of slots, and their addresses on the one logical loop that all looplets form
 * (FC-AL-2, clause 10; docs/LOOP.md).
 *
 *     ABSENT, BYPASSED --- it answers its test: loopswitch_join ---> ONLINE
 *     ONLINE --- loopswitch_lip ---> INITIALISING --- loopswitch_lip_goes_on ---> ONLINE, BYPASSED
 *     ONLINE, INITIALISING --- loopswitch_leave ---> ABSENT, BYPASSED
 *     any --- a person (request.c) ---> BYPASSED_BY_HAND --- a person ---> ABSENT
 *
 * An initialisation, in its order: LISM is won by the loop switch itself, the FL_Port, whose
 * address is the lowest. The map of addresses then goes round the looplet once for each of LIFA,
 * LIPA, LIHA and LISA, and each port that has none yet claims its own, in the order of the slots.
 * The addresses of the other looplets, and of ports that are off the loop for now, are set in the
 * map beforehand: so nobody takes them, and none of those ports is touched. LIRP and LILP, the map
 * of positions, are the order of the slots, which everybody has by the inventory. */

#include "base/must.h"
#include "loopswitch/state.h"

static const char *const state_names[LOOP_PORT_STATES] = {
    [LOOP_PORT_ABSENT] = "absent",
    [LOOP_PORT_INITIALISING] = "initialising",
    [LOOP_PORT_ONLINE] = "online",
    [LOOP_PORT_BYPASSED] = "bypassed",
    [LOOP_PORT_BYPASSED_BY_HAND] = "bypassed-by-hand",
    [LOOP_PORT_DISABLED] = "disabled",
};

const char *loopswitch_state_name(enum loop_port_state state)
{
    return state < LOOP_PORT_STATES ? state_names[state] : "?";
}

static const bool legal[LOOP_PORT_STATES][LOOP_PORT_STATES] = {
    [LOOP_PORT_ABSENT] = {[LOOP_PORT_ONLINE] = true,
                          [LOOP_PORT_BYPASSED] = true,
                          [LOOP_PORT_BYPASSED_BY_HAND] = true},
    [LOOP_PORT_INITIALISING] = {[LOOP_PORT_ONLINE] = true,
                                [LOOP_PORT_ABSENT] = true,
                                [LOOP_PORT_BYPASSED] = true,
                                [LOOP_PORT_BYPASSED_BY_HAND] = true},
    [LOOP_PORT_ONLINE] = {[LOOP_PORT_INITIALISING] = true,
                          [LOOP_PORT_ABSENT] = true,
                          [LOOP_PORT_BYPASSED] = true,
                          [LOOP_PORT_BYPASSED_BY_HAND] = true},
    [LOOP_PORT_BYPASSED] =
        {[LOOP_PORT_ONLINE] = true, [LOOP_PORT_ABSENT] = true, [LOOP_PORT_BYPASSED_BY_HAND] = true},
    [LOOP_PORT_BYPASSED_BY_HAND] = {[LOOP_PORT_ABSENT] = true},
};

void loopswitch_become(struct loopswitch *x, struct drive *drive, enum loop_port_state state,
                       const char *why, struct actions *actions)
{
    must(legal[drive->state][state]);
    trace_info(x->trace, "slot %02d: %s -> %s, %s", drive->slot, state_names[drive->state],
               state_names[state], why);
    if (state != LOOP_PORT_INITIALISING && drive->state != LOOP_PORT_INITIALISING)
        actions_notice(actions, "port drive=t%d/%02d state=%s loop=%s", x->config.index,
                       drive->slot, state_names[state], x->trace->name);
    drive->state = state;
    if (state == LOOP_PORT_ONLINE)
        drive->online_ns = x->now_ns;
}

static uint32_t looplet_of(const struct drive *drive)
{
    return drive->slot / LOOPLET_SLOTS;
}

static bool takes_part(const struct drive *drive)
{
    return drive->state == LOOP_PORT_ONLINE || drive->state == LOOP_PORT_INITIALISING;
}

/* ---- addresses ---- */

/* What a port claims in each phase; AL_PA_NONE: nothing. */
static uint8_t fabric_assigned(const struct loopswitch *x, const struct drive *drive)
{
    uint8_t al_pa = x->config.drive[drive - x->drive].al_pa;
    return al_pa_valid(al_pa) ? al_pa : AL_PA_NONE;
}

static uint8_t previous(const struct loopswitch *x, const struct drive *drive)
{
    (void)x;
    return drive->al_pa;
}

static uint8_t hard(const struct loopswitch *x, const struct drive *drive)
{
    (void)x;
    return al_pa_of_id(drive->slot);
}

static const struct {
    const char *name;
    uint8_t (*claim)(const struct loopswitch *x, const struct drive *drive);
} phases[] = {
    {"LIFA", fabric_assigned},
    {"LIPA", previous},
    {"LIHA", hard},
    {"LISA", NULL},
};

/* One turn of the map round the looplet. */
static void go_round(const struct loopswitch *x, size_t phase, const struct drive *const *port,
                     uint32_t ports, struct al_pa_map *map, uint8_t *got)
{
    for (uint32_t i = 0; i < ports; i++) {
        if (got[i] != AL_PA_NONE)
            continue;
        uint8_t wanted =
            phases[phase].claim ? phases[phase].claim(x, port[i]) : al_pa_claim_any(map);
        bool soft = !phases[phase].claim;
        if (soft || al_pa_claim(map, wanted))
            got[i] = wanted;
        if (got[i] != AL_PA_NONE)
            trace_detail(x->trace, "%s: slot %02d takes %02x", phases[phase].name, port[i]->slot,
                         got[i]);
    }
}

bool loopswitch_take_addresses(struct loopswitch *x, uint32_t looplet)
{
    bool changed = false;
    struct al_pa_map map = {{0}};
    const struct drive *port[LOOPLET_SLOTS];
    uint8_t got[LOOPLET_SLOTS];
    uint32_t ports = 0;
    for (uint32_t slot = 0; slot < SLOT_MAX; slot++) {
        if (x->drive_of_slot[slot] == 0xFF)
            continue;
        const struct drive *drive = &x->drive[x->drive_of_slot[slot]];
        if (looplet_of(drive) != looplet || !takes_part(drive)) {
            al_pa_claim(&map, drive->al_pa);
            continue;
        }
        got[ports] = AL_PA_NONE;
        port[ports++] = drive;
    }
    for (size_t phase = 0; phase < sizeof phases / sizeof phases[0]; phase++)
        go_round(x, phase, port, ports, &map, got);
    for (uint32_t i = 0; i < ports; i++) {
        struct drive *drive = &x->drive[port[i] - x->drive];
        must(got[i] != AL_PA_NONE); /* a loop has more addresses than a tray has slots */
        drive->counters.lips++;
        if (drive->al_pa == got[i])
            continue;
        drive->al_pa = got[i];
        loopswitch_changed(x);
        changed = true;
    }
    return changed;
}

/* ---- initialisation ---- */

void loopswitch_join(struct loopswitch *x, struct drive *drive, struct actions *actions)
{
    bool was_absent = drive->state == LOOP_PORT_ABSENT;
    loopswitch_become(x, drive, LOOP_PORT_ONLINE, "it answers", actions);
    drive->life += was_absent;
    if (loopswitch_take_addresses(x, looplet_of(drive)) || was_absent)
        loopswitch_tell_anew(x);
}

void loopswitch_lip(struct loopswitch *x, uint32_t looplet, struct actions *actions)
{
    must(looplet < LOOPLETS);
    for (int i = 0; i < x->config.drives; i++) {
        struct drive *drive = &x->drive[i];
        if (looplet_of(drive) != looplet || drive->state == LOOP_PORT_BYPASSED_BY_HAND)
            continue;
        if (drive->state == LOOP_PORT_ONLINE)
            loopswitch_become(x, drive, LOOP_PORT_INITIALISING, "LIP", actions);
        drive->again_ns = x->now_ns;
        if (!drive->testing)
            loopswitch_test(x, drive, actions);
    }
}

void loopswitch_lip_goes_on(struct loopswitch *x, uint32_t looplet, struct actions *actions)
{
    uint32_t ports = 0;
    for (int i = 0; i < x->config.drives; i++) {
        const struct drive *drive = &x->drive[i];
        if (looplet_of(drive) != looplet || drive->state != LOOP_PORT_INITIALISING)
            continue;
        if (drive->testing)
            return;
        ports++;
    }
    if (ports == 0)
        return;
    loopswitch_take_addresses(x, looplet);
    for (int i = 0; i < x->config.drives; i++)
        if (looplet_of(&x->drive[i]) == looplet && x->drive[i].state == LOOP_PORT_INITIALISING)
            loopswitch_become(x, &x->drive[i], LOOP_PORT_ONLINE, "it answers", actions);
}
