/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/meters.h"

#include <string.h>

/* As takeover.c and claim.c call them; what is none of these is the first. */
static const char *const causes[METERS_CAUSES] = {
    "other",      "first",        "cold_start", "lone_gone",     "planned",
    "link_reset", "availability", "handshake",  "acknowledge",   "processing",
    "restarted",  "unserved",     "asked",      "claimant_died", "claimant_unserved",
};
static const char *const phases[METERS_PHASES] = {"claim", "fence", "adopt", "serve"};

const char *meters_cause_name(int i)
{
    return causes[i];
}

const char *meters_phase_name(int i)
{
    return phases[i];
}

void meters_begin(struct meters *m, uint64_t now_ns)
{
    m->began_ns = m->marked_ns = now_ns;
}

static int place_of(const char *word, const char *const *words, int count, int otherwise)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return otherwise;
}

void meters_phase(struct meters *m, const char *phase, const char *cause, uint64_t now_ns)
{
    int p = place_of(phase, phases, METERS_PHASES, -1);
    if (p < 0 || m->began_ns == 0)
        return;
    m->phase_ns[p] += now_ns - m->marked_ns;
    m->marked_ns = now_ns;
    if (p != METERS_SERVE)
        return;
    m->last_ns = now_ns - m->began_ns;
    m->served_ns = now_ns;
    histogram_add(&m->takeover[place_of(cause, causes, METERS_CAUSES, 0)], m->last_ns);
    m->began_ns = 0;
}
