/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/persistent.h"

#include "scsi/nexus.h"

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

bool persistent_type_registrants(uint8_t type)
{
    return persistent_type_known(type) && persistent_types[type].registrants;
}

/* ---- the state ---- */

int persistent_find_port(const struct volume_state *v, uint16_t port, uint8_t sender)
{
    for (int i = 0; i < v->count; i++)
        if (v->registration[i].port == port && v->registration[i].sender == sender)
            return i;
    return -1;
}

int persistent_find(const struct scsi_state *state, const struct volume_state *v, int nexus)
{
    if (nexus < 0 || state->nexus[nexus].port == PORT_NONE)
        return -1;
    return persistent_find_port(v, state->nexus[nexus].port, state->nexus[nexus].sender);
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

void persistent_register_port(struct scsi_state *state, uint16_t volume, uint8_t sender,
                              const uint8_t *name, uint8_t length, uint64_t key)
{
    struct volume_state *v = &state->volume[volume];
    if (v->count == REGISTRATION_MAX || state->registrations == REGISTRATION_TOTAL)
        return;
    uint16_t port = scsi_port_find(state, name, length);
    if (port != PORT_NONE && persistent_find_port(v, port, sender) >= 0)
        return;
    if (!scsi_port_registrable(state, port))
        return;
    port = scsi_port_take(state, name, length, true);
    if (port == PORT_NONE)
        return;
    state->registrations++;
    v->registration[v->count++] = (struct registration){.key = key, .port = port, .sender = sender};
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
