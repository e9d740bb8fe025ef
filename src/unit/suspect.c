/* SPDX-License-Identifier: Apache-2.0 */
/* Suspicion: who has been silent for too long, or is known to be dead. docs/PROTOCOL.md, "Limits".
 * A unit that was late itself listens for one whole availability limit before it suspects anybody.
 */
#include "unit/state.h"

bool suspect_listened(const struct unit *x)
{
    return x->now_ns >= x->listen_until_ns || mutant(MUTANT_LATE_UNIT_SUSPECTS);
}

static bool hears_loop(const struct unit *x, int l)
{
    return x->loop[l].linked && x->now_ns - x->loop[l].heard_ns <= x->limits.availability_ns / 2;
}

/* Loop switches signal as often as units do. Who hears none of them is deaf: its peers' silence
 * tells nothing of them, and it could not learn that its fence is up, nor what drives answer. */
bool suspect_hears(const struct unit *x)
{
    for (int l = 0; l < x->config.loops; l++)
        if (hears_loop(x, l))
            return true;
    return x->config.loops == 0 || mutant(MUTANT_DEAF_UNIT_CLAIMS);
}

/* A link that was cut stays up for long: what counts is what was heard since one began to suspect.
 */
bool suspect_serves(const struct unit *x)
{
    uint32_t heard = 0;
    for (int l = 0; l < x->config.loops; l++)
        heard |= hears_loop(x, l) ? 1u << l : 0;
    return array_can_serve_by(x->array, heard);
}

bool suspect_allowed(const struct unit *x)
{
    return suspect_listened(x) && suspect_hears(x);
}

static uint64_t silent_at(const struct unit *x, uint8_t module)
{
    const struct peer *p = &x->peer[module];
    uint64_t since = p->heard_ns > x->epoch_began_ns ? p->heard_ns : x->epoch_began_ns;
    return since + x->limits.availability_ns + 1;
}

static bool silent(const struct unit *x, uint8_t module)
{
    return x->now_ns >= silent_at(x, module) && !mutant(MUTANT_AVAILABILITY_LIMIT_OFF);
}

uint64_t suspect_wake_ns(const struct unit *x)
{
    uint64_t wake = UINT64_MAX;
    for (uint8_t m = 0; m < MODULE_MAX; m++) {
        bool watched = unit_primary(x)
                           ? x->follower[m].active && !(x->drop_wanted & 1u << m)
                           : x->state == UNIT_STATE_SECONDARY && x->record.primary.module == m;
        uint64_t at = watched ? silent_at(x, m) : UINT64_MAX;
        if (at < wake)
            wake = at;
    }
    if (wake < x->listen_until_ns)
        wake = x->listen_until_ns;
    return wake > x->now_ns ? wake : UINT64_MAX; /* the next signal's turn looks again anyway */
}

/* It stopped answering in this epoch, for good, but cannot take over. */
static bool has_stopped(const struct unit *x, uint8_t module)
{
    const struct peer *p = &x->peer[module];
    return p->signal.state == UNIT_STATE_STOPPED && p->signal.epoch == x->record.epoch &&
           member_same(p->signal.member, x->follower[module].member) &&
           x->now_ns - x->epoch_began_ns > x->limits.ready_ns;
}

/* It has stopped in order, and waits for nothing. */
static bool has_left(const struct unit *x, uint8_t module)
{
    const struct peer *p = &x->peer[module];
    return p->signal.state == UNIT_STATE_STATES &&
           member_same(p->signal.member, x->follower[module].member);
}

void suspect_primary(struct unit *x, const char *cause)
{
    if (x->stopping && stop_primary_stopped(x))
        x->stopped = true;
    if (x->stopped) /* its process may end at any moment */
        return;
    claim_stop(x, cause);
}

void suspect_link_gone(struct unit *x, uint8_t module)
{
    bool is_primary = x->record.primary.module == module;
    bool joins = x->state == UNIT_STATE_JOINING && mutant(MUTANT_CLAIM_WHILE_JOINING);
    if ((x->state == UNIT_STATE_SECONDARY || joins) && is_primary)
        suspect_primary(x, "link_reset");
    else if (x->state == UNIT_STATE_JOINING && is_primary)
        control_leave(x, "the primary died while it was joining");
    else if (unit_primary(x))
        amend_drop(x, module, "link_reset");
}

/* Whoever leads has claimed, or was given control, and does not come to serve. */
static bool unserved(const struct unit *x)
{
    const struct peer *p = &x->peer[x->record.primary.module];
    if (x->record.previous.count == 0 ||
        (p->signal.state == UNIT_STATE_PRIMARY && p->signal.epoch >= x->record.epoch))
        return false;
    return x->now_ns - x->record_seen_ns > claim_patience_ns(x);
}

/* Its module may speak again as one that was started anew and leads nothing. */
static bool still_leads(const struct unit *x, uint8_t primary)
{
    const struct peer *p = &x->peer[primary];
    return p->signal.state == UNIT_STATE_PRIMARY &&
           member_same(p->signal.member, x->record.primary);
}

/* Whoever leads has died, and its module came back before anybody missed its signals. */
static bool reborn(const struct unit *x, uint8_t primary)
{
    return x->peer[primary].signal.member.incarnation > x->record.primary.incarnation &&
           !mutant(MUTANT_NEW_LIFE_TRUSTED);
}

void suspect_tick(struct unit *x)
{
    if (!suspect_allowed(x) || x->stopped)
        return;
    uint8_t primary = x->record.primary.module;
    if (unit_primary(x)) {
        for (uint8_t m = 0; m < MODULE_MAX; m++)
            if (x->follower[m].active && silent(x, m))
                amend_drop(x, m, "availability");
            else if (x->follower[m].active && has_left(x, m))
                amend_drop(x, m, "left");
            else if (x->follower[m].active && has_stopped(x, m) &&
                     !mutant(MUTANT_STOPPED_MEMBER_KEPT))
                amend_drop(x, m, "stopped");
    } else if (x->state == UNIT_STATE_SECONDARY) {
        if (primary < MODULE_MAX && silent(x, primary))
            suspect_primary(x, "availability");
        else if (primary < MODULE_MAX && reborn(x, primary))
            suspect_primary(x, "restarted");
        else if (primary < MODULE_MAX && unserved(x) && !mutant(MUTANT_UNSERVED_CLAIM_STANDS))
            suspect_primary(x, "unserved");
    } else if (x->state == UNIT_STATE_JOINING && primary < MODULE_MAX && silent(x, primary)) {
        control_leave(x, "the primary fell silent while it was joining");
    } else if (x->state == UNIT_STATE_JOINING && primary < MODULE_MAX && !still_leads(x, primary)) {
        control_leave(x, "the primary that it was joining leads no more");
    }
}
