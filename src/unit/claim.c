/* SPDX-License-Identifier: Apache-2.0 */
/* The claim: who may take a group, and the compare-and-swap that decides. docs/PROTOCOL.md,
 * "Takeover" 1 and 2, "A lone primary", "Cold start".
 *
 * C1  only a unit whose (unit, incarnation) is in in_sync, or in `previous` while that is set,
 * claims a group whose members live; an out unit claims only over the dead, or over a lone primary
 * whose lease has run out and that left nothing dirty C2  who claims has stopped answering READY in
 * the old epoch, and so have all that it names in_sync C3  a claim that leaves the claimant lone
 * sets `dirty` if its mirror or queue holds any write
 * C5  who hears no loop switch does not claim
 * C4  who has claimed without the state, and was deposed before it was read from the drives, claims
 * back in the same way: it has nothing to serve but what the drives hold
 * C6  a claim over one that has not served, when none whom `previous` names lives, is a cold start:
 * that one lives, but remembers nothing
 */
#include "base/text.h"
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
    if (m->epoch != x->record.epoch || members_find(&x->record.in_sync, m->member) < 0 ||
        x->stopped)
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
    if (x->state != UNIT_STATE_STOPPED || !control_idle(x) || x->stopped ||
        !suspect_hears(x)) /* C5 */
        return;
    if (x->record.primary.module < MODULE_MAX && stop_gives_way(x, x->record.primary.module))
        return;
    uint64_t waited_ns = x->now_ns - x->stopped_ns;
    if (x->follows_claimant && waited_ns < MS(FOLLOW_MS))
        return;
    if (waits_for_promises(x) && waited_ns < MS(PROMISE_MS))
        return;
    if (!suspect_serves(x) && !mutant(MUTANT_CLAIM_WITHOUT_DRIVES))
        return; /* it looks first: another may reach the drives */
    claim_swap(x, CLAIM_SECONDARY);
}

static void set_members(struct unit *x, struct record *next, enum claim_kind kind)
{
    if (mutant(MUTANT_PREVIOUS_FORGETS_EARLIER))
        next->previous.count = 0;
    for (int i = 0; i < x->record.in_sync.count; i++)
        if (next->previous.count < 2 * MODULE_MAX && !mutant(MUTANT_PREVIOUS_NOT_NAMED))
            members_add(&next->previous, x->record.in_sync.at[i]);
    memset(&next->in_sync, 0, sizeof next->in_sync);
    members_add(&next->in_sync, x->self);
    x->furthest = MODULE_NONE;
    uint64_t furthest_held = x->held;
    for (int i = 0; kind == CLAIM_SECONDARY && i < x->record.in_sync.count; i++) {
        struct member m = x->record.in_sync.at[i];
        if (unit_is(x, m.module) ||
            (!x->peer[m.module].promised && !mutant(MUTANT_UNPROMISED_NAMED)))
            continue;
        members_add(&next->in_sync, m);
        if (x->peer[m.module].promised_held > furthest_held && !mutant(MUTANT_FURTHEST_IGNORED)) {
            furthest_held = x->peer[m.module].promised_held;
            x->furthest = m.module;
        }
    }
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

/* Does somebody have what was in memory only? A claimant that has not served has no more of it than
 * it had before, when `previous` names it. */
static bool memory_lives(const struct unit *x)
{
    if (x->record.previous.count == 0 || mutant(MUTANT_CLAIMANT_REMEMBERS))
        return any_lives(x);
    for (int i = 0; i < x->record.previous.count; i++)
        if (x->living_previous[i])
            return true;
    return false;
}

/* What a claim without the state takes over. Over one that claimed when everybody was dead, and has
 * not served, it is the same cold start. */
static void note_losses(struct unit *x, enum claim_kind kind)
{
    bool holds_queue = kind == CLAIM_SECONDARY || kind == CLAIM_BACK;
    bool again = x->state == UNIT_STATE_DEPOSED && x->nobody_lived;
    x->claim = kind;
    x->stateless = !holds_queue;                                   /* C4 */
    x->nobody_lived = !holds_queue && (again || !memory_lives(x)); /* C6 */
    x->in_doubt = kind == CLAIM_OVER_LONE || (kind == CLAIM_COLD && !x->record.clean);
    if (mutant(MUTANT_WITHOUT_DOUBT))
        x->in_doubt = false;
    /* Also after a lone primary that left nothing dirty: what it had answered may have been in the
     * caches of drives that lost their power with it, and nobody can tell. */
    x->cache_lost = x->nobody_lived && x->in_doubt;
    if (kind == CLAIM_OVER_LONE && x->nobody_lived && x->record.previous.count > 0)
        x->claim = CLAIM_COLD;
}

void claim_swap(struct unit *x, enum claim_kind kind)
{
    struct record next = x->record;
    bool holds_queue = kind == CLAIM_SECONDARY || kind == CLAIM_BACK;
    note_losses(x, kind);
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
    if (lone && holds_queue && (x->ordered_count || x->dirty_count) &&
        !mutant(MUTANT_DIRTY_NOT_SET_AT_CLAIM))
        next.dirty = x->self;
    x->dirty_order = x->next_order ? x->next_order - 1 : 0;
    if ((kind == CLAIM_COLD || kind == CLAIM_OVER_LONE) && !mutant(MUTANT_CUT_NOT_SET))
        next.cut = next.epoch;
    if (!x->cause || !holds_queue)
        x->cause = kind == CLAIM_FIRST ? "first" : kind == CLAIM_COLD ? "cold_start" : "lone_gone";
    x->lease_asked_ns = x->now_ns;
    trace_info(x->trace, "claims epoch %llu: %s", (unsigned long long)next.epoch, x->cause);
    unit_become(x, UNIT_STATE_CLAIMING);
    control_swap(x, SWAP_CLAIM, &next);
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

/* Has a person decided that the group goes on without the writes that `dirty` alone held? */
static bool loss_accepted(const struct unit *x)
{
    return x->loss_accepted != 0 && x->loss_accepted == x->record.generation;
}

/* Nobody lives. A unit that the record names goes first. */
static void claim_dead(struct unit *x, uint64_t waited_ns)
{
    uint8_t m = x->config.module;
    bool named = members_find_module(&x->record.in_sync, m) >= 0 ||
                 members_find_module(&x->record.previous, m) >= 0;
    bool accepted = loss_accepted(x);
    if (x->record.dirty.module != MODULE_NONE && !accepted && !mutant(MUTANT_COLD_OVER_DIRTY)) {
        if (x->fencing_since_ns == 0)
            trace_error(x->trace,
                        "everybody that served g%d is dead, and %s alone held acknowledged "
                        "writes: not served, since they are lost; segue group claim decides",
                        x->config.group + 1, unit_word(x->record.dirty.module, x->config.group));
        x->fencing_since_ns = x->now_ns;
        return;
    }
    if (named && (accepted || waited_ns >= (is_preferred(x) ? 0 : MS(COLD_MS))))
        claim_swap(x, CLAIM_COLD);
    else if (!named && x->record.in_sync.count == 1 && (accepted || waited_ns >= MS(2 * COLD_MS)))
        claim_swap(x, CLAIM_OVER_LONE);
}

void claim_out(struct unit *x)
{
    if (x->state != UNIT_STATE_OUT || !control_idle(x) || x->stopping || x->record.generation == 0)
        return;
    uint64_t waited_ns = x->now_ns - x->record_seen_ns;
    if (!loops_ready(x) && waited_ns < MS(FIRST_MS))
        return;
    if (mutant(MUTANT_CLAIM_BY_RESTARTED) &&
        members_find_module(&x->record.in_sync, x->config.module) >= 0) {
        claim_swap(x, CLAIM_SECONDARY);
        return;
    }
    if (x->record.primary.module == MODULE_NONE) {
        if (is_preferred(x) || waited_ns >= MS(FIRST_MS))
            claim_swap(x, CLAIM_FIRST);
        return;
    }
    if (!any_lives(x) || mutant(MUTANT_COLD_BESIDE_LIVING)) {
        claim_dead(x, waited_ns);
        return;
    }
    for (int i = 0; i < x->record.previous.count; i++)
        if (x->living_previous[i] && !mutant(MUTANT_CLAIM_OVER_PREVIOUS))
            return; /* it holds the queue, and claims back if it must */
    bool lone =
        (x->record.in_sync.count == 1 && x->record.lease > 0) || mutant(MUTANT_CLAIM_BY_OUT);
    if (lone &&
        (x->record.dirty.module == MODULE_NONE || loss_accepted(x) ||
         mutant(MUTANT_LONE_CLAIM_OVER_DIRTY)) &&
        (!x->living_in_sync[0] || waited_ns > x->limits.lease_ns + x->limits.lease_ns / 4 ||
         mutant(MUTANT_LEASE_IGNORED)))
        claim_swap(x, CLAIM_OVER_LONE);
}

uint64_t claim_patience_ns(const struct unit *x)
{
    uint32_t doublings = x->record.claims < DOUBLINGS_MAX ? x->record.claims : DOUBLINGS_MAX;
    if (mutant(MUTANT_PATIENCE_NOT_DOUBLED))
        doublings = 0;
    return x->limits.fence_ns << (doublings ? doublings - 1 : 0);
}

/* A claim that stands unserved may be claimed back by whoever still has the whole state. */
void claim_deposed(struct unit *x)
{
    uint64_t limit = mutant(MUTANT_CLAIM_BACK_AT_ONCE) ? 0 : claim_patience_ns(x);
    int winner = members_find(&x->record.in_sync, x->record.primary);
    bool dead = winner >= 0 && !x->living_in_sync[winner];
    if (!control_idle(x) || x->stopped || !suspect_listened(x))
        return;
    if ((dead || x->now_ns - x->record_seen_ns >= limit) && array_can_serve(x->array)) {
        x->cause = dead ? "claimant_died" : "claimant_unserved";
        x->suspect_ns = x->now_ns;
        claim_swap(x, x->stateless && !mutant(MUTANT_CLAIM_BACK_EMPTY) ? x->claim : CLAIM_BACK);
    }
}

static bool holder_serves(const struct unit *x)
{
    uint64_t waited_ns = x->now_ns - x->record_seen_ns;
    return any_lives(x) && waited_ns <= x->limits.lease_ns + x->limits.lease_ns / 4;
}

/* A person's word, by segue group claim. It is good for this record only: should its holder come
 * back and renew its lease first, nothing was accepted. */
void claim_requested(struct unit *x, uint64_t tag, const char *text)
{
    struct action *reply = actions_add(x->actions, ACTION_REPLY);
    struct text out = text_in(reply->notice.text, sizeof reply->notice.text);
    reply->notice.tag = tag;
    if (strcmp(text, "accept-loss") != 0) {
        text_append(&out, "refused: a unit knows one request: accept-loss");
    } else if (x->record.dirty.module == MODULE_NONE) {
        text_append(&out,
                    "refused: no writes are held by one unit alone; nothing is to be decided");
    } else if (x->state != UNIT_STATE_OUT || holder_serves(x)) {
        text_append(&out, "refused: ");
        text_append(&out, unit_word(x->record.dirty.module, x->config.group));
        text_append(&out, " lives and has the writes; wait until it serves");
    } else {
        x->loss_accepted = x->record.generation;
        text_append(&out, unit_word(x->config.module, x->config.group));
        text_append(&out, " claims the group without the writes that only ");
        text_append(&out, unit_word(x->record.dirty.module, x->config.group));
        text_append(&out, " held");
        trace_warn(x->trace, "a person gives up what %s alone held",
                   unit_word(x->record.dirty.module, x->config.group));
        actions_notice(x->actions, "loss_accepted group=%d unit=%s of=%s", x->config.group + 1,
                       unit_word(x->config.module, x->config.group),
                       unit_word(x->record.dirty.module, x->config.group));
        claim_out(x);
    }
}
