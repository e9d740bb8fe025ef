/* SPDX-License-Identifier: Apache-2.0 */
/* The claim: who may take a group, and the compare-and-swap that decides. docs/PROTOCOL.md,
 * "Takeover" 1 and 2, "A lone primary", "Cold start".
 *
 * C1  only a unit whose (unit, incarnation) is in in_sync, or in `previous` while that is set,
 * claims a group whose members live; an out unit claims only over the dead, or over a lone primary
 * whose lease has run out and that left nothing dirty C2  who claims has stopped answering READY in
 * the old epoch, and so have all that it names in_sync C3  a claim that leaves the claimant lone
 * sets `dirty` if its mirror or queue holds any write
 */
#include "unit/state.h"

enum { PROMISE_MS = 25, FOLLOW_MS = 500, FIRST_MS = 1000, COLD_MS = 300, DOUBLINGS_MAX = 5 };

static void ask_others(struct unit *x)
{
    for (int i = 0; i < x->record.in_sync.count; i++) {
        uint8_t m = x->record.in_sync.at[i].module;
        x->peer[m].promised = false;
        if (unit_is(x, m) || m == x->record.primary.module || !x->peer[m].linked)
            continue;
        struct message *out = unit_send(x, MESSAGE_STOP, port_unit(m, x->config.group));
        out->stop = (struct stop_message){x->config.group, x->record.epoch, x->self,
                                          x->applied,      x->held,         false};
    }
}

void claim_stop(struct unit *x, const char *cause)
{
    x->suspect_ns = x->stopped_ns = x->now_ns;
    x->cause = cause;
    x->follows_claimant = false;
    trace_info(x->trace, "suspects %s: %s -> stops answering ready in epoch %llu",
               unit_word(x->record.primary.module, x->config.group), cause,
               (unsigned long long)x->record.epoch);
    actions_notice(x->actions, "takeover group=%d unit=%s phase=suspect epoch=%llu cause=%s",
                   x->config.group + 1, unit_word(x->config.module, x->config.group),
                   (unsigned long long)x->record.epoch, cause);
    unit_become(x, UNIT_STATE_STOPPED);
    x->next_read_ns = x->now_ns + MS(100);
    ask_others(x);
    claim_tick(x);
}

void claim_asked(struct unit *x, const struct message *message)
{
    const struct stop_message *m = &message->stop;
    if (m->epoch != x->record.epoch || members_find(&x->record.in_sync, m->member) < 0)
        return;
    if (x->state == UNIT_STATE_SECONDARY) {
        trace_info(x->trace, "stops in epoch %llu and follows %s", (unsigned long long)m->epoch,
                   unit_word(m->member.module, x->config.group));
        unit_become(x, UNIT_STATE_STOPPED);
        x->stopped_ns = x->now_ns;
        x->follows_claimant = true;
        x->cause = "asked";
        x->next_read_ns = x->now_ns + MS(20);
    }
    if (x->state != UNIT_STATE_STOPPED && x->state != UNIT_STATE_CLAIMING)
        return;
    struct message *out = unit_send(x, MESSAGE_PROMISE, message->from);
    out->stop =
        (struct stop_message){x->config.group, m->epoch, x->self, x->applied, x->held, true};
}

void claim_promised(struct unit *x, const struct message *message)
{
    const struct stop_message *m = &message->stop;
    if (x->state != UNIT_STATE_STOPPED || m->epoch != x->record.epoch ||
        m->member.module >= MODULE_MAX || members_find(&x->record.in_sync, m->member) < 0)
        return;
    x->peer[m->member.module].promised = true;
    x->peer[m->member.module].promised_held = m->held;
    claim_tick(x);
}

static bool waits_for_promises(const struct unit *x)
{
    for (int i = 0; i < x->record.in_sync.count; i++) {
        uint8_t m = x->record.in_sync.at[i].module;
        if (!unit_is(x, m) && m != x->record.primary.module && x->peer[m].linked &&
            !x->peer[m].promised)
            return true;
    }
    return false;
}

void claim_tick(struct unit *x)
{
    if (x->state != UNIT_STATE_STOPPED || !control_idle(x))
        return;
    uint64_t waited_ns = x->now_ns - x->stopped_ns;
    if (x->follows_claimant && waited_ns < MS(FOLLOW_MS))
        return;
    if (waits_for_promises(x) && waited_ns < MS(PROMISE_MS))
        return;
    if (!array_can_serve(x->array))
        return; /* it looks first: another may reach the drives */
    claim_swap(x, CLAIM_SECONDARY);
}

static void set_members(struct unit *x, struct record *next, enum claim_kind kind)
{
    for (int i = 0; i < x->record.in_sync.count; i++)
        if (next->previous.count < 2 * MODULE_MAX)
            members_add(&next->previous, x->record.in_sync.at[i]);
    memset(&next->in_sync, 0, sizeof next->in_sync);
    members_add(&next->in_sync, x->self);
    x->furthest = MODULE_NONE;
    uint64_t furthest_held = x->held;
    for (int i = 0; kind == CLAIM_SECONDARY && i < x->record.in_sync.count; i++) {
        struct member m = x->record.in_sync.at[i];
        if (unit_is(x, m.module) || !x->peer[m.module].promised)
            continue;
        members_add(&next->in_sync, m);
        if (x->peer[m.module].promised_held > furthest_held) {
            furthest_held = x->peer[m.module].promised_held;
            x->furthest = m.module;
        }
    }
}

void claim_swap(struct unit *x, enum claim_kind kind)
{
    struct record next = x->record;
    bool holds_queue = kind == CLAIM_SECONDARY || kind == CLAIM_BACK;
    x->claim = kind;
    x->in_doubt = kind == CLAIM_OVER_LONE || (kind == CLAIM_COLD && !x->record.clean);
    next.generation++;
    next.epoch++;
    next.primary = x->self;
    set_members(x, &next, kind);
    next.claims++;
    next.clean = false;
    next.owner = x->config.owner;
    bool lone = next.in_sync.count == 1;
    next.lease = lone ? x->record.lease + 1 : 0;
    next.dirty = member_none();
    if (lone && holds_queue && (x->ordered_count || x->dirty_count))
        next.dirty = x->self;
    x->dirty_order = x->next_order ? x->next_order - 1 : 0;
    if (kind == CLAIM_COLD || kind == CLAIM_OVER_LONE)
        next.cut = next.epoch;
    if (!x->cause || !holds_queue)
        x->cause = kind == CLAIM_FIRST ? "first" : kind == CLAIM_COLD ? "cold_start" : "lone_gone";
    x->lease_asked_ns = x->now_ns;
    trace_info(x->trace, "claims epoch %llu: %s", (unsigned long long)next.epoch, x->cause);
    unit_become(x, UNIT_STATE_CLAIMING);
    control_swap(x, SWAP_CLAIM, &next);
}

static bool any_lives(const struct unit *x)
{
    for (int i = 0; i < x->record.in_sync.count; i++)
        if (x->living_in_sync[i])
            return true;
    for (int i = 0; i < x->record.previous.count; i++)
        if (x->living_previous[i])
            return true;
    return false;
}

static bool is_preferred(const struct unit *x)
{
    return unit_is(x, x->config.member[0]);
}

static bool loops_ready(const struct unit *x)
{
    for (int l = 0; l < x->config.loops; l++)
        if (!x->loop[l].logged_in)
            return false;
    return true;
}

/* Nobody lives. A unit that the record names goes first. */
static void claim_dead(struct unit *x, uint64_t waited_ns)
{
    uint8_t m = x->config.module;
    bool named = members_find_module(&x->record.in_sync, m) >= 0 ||
                 members_find_module(&x->record.previous, m) >= 0;
    if (x->record.dirty.module != MODULE_NONE) {
        if (x->fencing_since_ns == 0)
            trace_error(x->trace,
                        "everybody that served g%d is dead, and %s alone held acknowledged "
                        "writes: not served, since they would be lost; bring that module back",
                        x->config.group + 1, unit_word(x->record.dirty.module, x->config.group));
        x->fencing_since_ns = x->now_ns;
        return;
    }
    if (named && waited_ns >= (is_preferred(x) ? 0 : MS(COLD_MS)))
        claim_swap(x, CLAIM_COLD);
    else if (!named && x->record.in_sync.count == 1 && waited_ns >= MS(2 * COLD_MS))
        claim_swap(x, CLAIM_OVER_LONE);
}

void claim_out(struct unit *x)
{
    if (x->state != UNIT_STATE_OUT || !control_idle(x) || x->stopping || x->record.generation == 0)
        return;
    uint64_t waited_ns = x->now_ns - x->record_seen_ns;
    if (!loops_ready(x) && waited_ns < MS(FIRST_MS))
        return;
    if (x->record.primary.module == MODULE_NONE) {
        if (is_preferred(x) || waited_ns >= MS(FIRST_MS))
            claim_swap(x, CLAIM_FIRST);
        return;
    }
    if (!any_lives(x)) {
        claim_dead(x, waited_ns);
        return;
    }
    for (int i = 0; i < x->record.previous.count; i++)
        if (x->living_previous[i])
            return; /* it holds the queue, and claims back if it must */
    bool lone = x->record.in_sync.count == 1 && x->record.lease > 0;
    if (lone && x->record.dirty.module == MODULE_NONE &&
        (!x->living_in_sync[0] || waited_ns > x->limits.lease_ns + x->limits.lease_ns / 4))
        claim_swap(x, CLAIM_OVER_LONE);
}

uint64_t claim_patience_ns(const struct unit *x)
{
    uint32_t doublings = x->record.claims < DOUBLINGS_MAX ? x->record.claims : DOUBLINGS_MAX;
    return x->limits.fence_ns << (doublings ? doublings - 1 : 0);
}

/* A claim that stands unserved may be claimed back by whoever still has the whole state. */
void claim_deposed(struct unit *x)
{
    uint64_t limit = claim_patience_ns(x);
    int winner = members_find(&x->record.in_sync, x->record.primary);
    bool dead = winner >= 0 && !x->living_in_sync[winner];
    if (!control_idle(x) || x->stopping || !suspect_allowed(x))
        return;
    if ((dead || x->now_ns - x->record_seen_ns >= limit) && array_can_serve(x->array)) {
        x->cause = dead ? "claimant_died" : "claimant_unserved";
        x->suspect_ns = x->now_ns;
        claim_swap(x, CLAIM_BACK);
    }
}
