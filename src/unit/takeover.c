/* SPDX-License-Identifier: Apache-2.0 */
/* Takeover after the claim: fence, adopt, serve. docs/PROTOCOL.md, "Takeover" 3, 4, 5.
 *
 * K1  nothing is written to a drive, resolved or answered before the fence is up and the swap that
 *     clears `previous` has succeeded
 * K2  what has an order is adopted in that order; what has none is dropped (living switches send it
 *     again, one of a dead switch must not come to life)
 * K3  every write that is unfinished or unclean is begun anew, whole: no half-done one stays. Until
 *     then no region that the write-intent maps name is forgotten
 * K4  no write that is newer than an unfinished change of volumes goes where that still has to
 *     write zeroes
 * K5  what a failed write may have left, who holds the queue has in doubt too
 * K6  a write that whoever led before may have acknowledged is not given up: plan.c
 */
#include "unit/state.h"

enum { FETCH_AGAIN_MS = 500 };

void takeover_phase(struct unit *x, const char *phase)
{
    actions_notice(x->actions, "takeover group=%d unit=%s phase=%s epoch=%llu cause=%s",
                   x->config.group + 1, unit_word(x->config.module, x->config.group), phase,
                   (unsigned long long)x->record.epoch, x->cause ? x->cause : "planned");
    meters_phase(&x->meters, phase, x->cause ? x->cause : "planned", x->now_ns);
}

static bool knows_state(const struct unit *x)
{
    return x->claim == CLAIM_SECONDARY || x->claim == CLAIM_BACK || x->claim == CLAIM_PLANNED;
}

void takeover_begin(struct unit *x)
{
    if (x->claim == CLAIM_PLANNED) {
        x->cause = "planned";
        x->furthest = MODULE_NONE;
        x->in_doubt = false;
        x->dirty_order = x->next_order ? x->next_order - 1 : 0;
        x->lease_asked_ns = x->now_ns;
    }
    unit_become(x, UNIT_STATE_FENCING);
    meters_begin(&x->meters, knows_state(x) ? x->suspect_ns : x->now_ns);
    takeover_phase(x, "claim");
    x->epoch_began_ns = x->fencing_since_ns = x->now_ns;
    x->began = x->cleared = x->fetching_state = x->state_here = false;
    x->drop_wanted = 0;
    x->read_again_ns = 0;
    x->join_wanted = MODULE_NONE;
    memset(x->drive_wanted, 0, sizeof x->drive_wanted);
    amend_drives_told(x);
    loops_fence_begin(x);
}

static void fetch_state(struct unit *x)
{
    x->fetch_asked_ns = x->now_ns;
    struct message *out = unit_send(x, MESSAGE_FETCH, port_unit(x->furthest, x->config.group));
    out->fetch.group = x->config.group;
    out->fetch.epoch = x->record.epoch;
}

/* The furthest survivor may die as well. What was ever completed we hold ourselves. */
static void watch_furthest(struct unit *x)
{
    if (x->furthest == MODULE_NONE)
        return;
    const struct peer *p = &x->peer[x->furthest];
    bool silent = x->now_ns - p->heard_ns > x->limits.availability_ns;
    if (p->gone || (silent && suspect_allowed(x))) {
        trace_info(x->trace, "%s, which was further, is silent: goes on from its own state",
                   unit_word(x->furthest, x->config.group));
        x->furthest = MODULE_NONE;
        x->fetching_state = false;
        snapshot_drop(x);
    } else if (x->fetching_state && x->now_ns - x->fetch_asked_ns > MS(FETCH_AGAIN_MS)) {
        fetch_state(x);
    }
}

static void adopt_begin(struct unit *x)
{
    takeover_phase(x, "fence");
    unit_become(x, UNIT_STATE_ADOPTING);
    stream_begin(x);
    if (!knows_state(x)) {
        array_read_state(x->array, x->record.epoch);
        return;
    }
    x->state_here = true;
    if (x->furthest == MODULE_NONE)
        return;
    /* a survivor is further in the old primary's sequence: its whole state replaces ours */
    x->fetching_state = true;
    fetch_state(x);
}

/* Is it possible that drives of the bank hold a state that was not found? */
static bool state_may_exist(const struct unit *x)
{
    uint32_t drives[LOOP_MAX];
    array_reach(x->array, drives);
    for (int l = 0; l < x->config.loops; l++)
        if (drives[l] || !x->loop[l].fenced)
            return true;
    return false;
}

/* Has it volumes whose acknowledged writes may have been in memory only? */
static bool caches(const struct unit *x)
{
    for (uint8_t p = 0; p < POOL_MAX; p++) {
        const struct pool_info *pool = array_pool(x->array, p);
        if (pool && pool->cache == CACHE_MIRRORED)
            return true;
    }
    return false;
}

void takeover_loaded(struct unit *x, bool failed)
{
    if (x->state != UNIT_STATE_ADOPTING || x->state_here)
        return;
    uint32_t length = 0;
    uint64_t generation = 0;
    const uint8_t *bytes = failed || mutant(MUTANT_STATE_NOT_LOADED)
                               ? NULL
                               : array_loaded_state(x->array, &length, &generation);
    if (bytes && length <= STATE_BYTES_MAX) {
        memcpy(x->scratch, bytes, length);
        if (!state_load(x, x->scratch, length)) {
            trace_error(x->trace, "the state on the drives is of a version that this release does "
                                  "not know: not served; upgrade it");
            return;
        }
        trace_info(x->trace, "state read from the drives, generation %llu",
                   (unsigned long long)generation);
        if (x->claim == CLAIM_COLD)
            scsi_forget_volatile(x->scsi);
        if (!mutant(MUTANT_COLD_WITHOUT_ATTENTION))
            scsi_power_on(x->scsi);
        if (x->cache_lost && caches(x))
            actions_notice(x->actions, "cold_start group=%d volatile_cache=lost",
                           x->config.group + 1);
    } else if (x->claim != CLAIM_FIRST && state_may_exist(x)) {
        trace_error(x->trace, "the group's state is on no drive that can be read: not served; "
                              "bring its other drives back");
        x->read_again_ns = x->now_ns + MS(1000);
        return;
    } else if (x->claim != CLAIM_FIRST) {
        trace_info(x->trace, "no state on the drives: the group is empty");
    }
    for (int s = 0; s < SENDER_MAX; s++)
        sessions_end(x, s);
    x->next_order = 1;
    x->state_here = true;
    x->stateless = false;
}

static void clear_begin(struct unit *x)
{
    struct record next = x->record;
    next.generation++;
    memset(&next.previous, 0, sizeof next.previous);
    next.claims = 0;
    if (next.in_sync.count == 1)
        next.lease++;
    loops_mark_absent(x, &next);
    x->lease_asked_ns = x->now_ns;
    for (int i = 0; i < x->record.in_sync.count; i++)
        if (!member_same(x->record.in_sync.at[i], x->self))
            follower_begin(x, x->record.in_sync.at[i], false);
    unit_become(x, UNIT_STATE_CLEARING);
    control_swap(x, SWAP_CLEAR, &next);
    if (mutant(MUTANT_ANSWER_BEFORE_CLEARED)) {
        memset(&x->record.previous, 0, sizeof x->record.previous);
        takeover_serve(x);
    }
}

static uint32_t drop_bodiless(struct unit *x)
{
    uint32_t dropped = 0;
    list_each (&x->ordered, link, next) {
        struct queued *q = list_member(link, struct queued, place_link);
        if (q->has_body)
            continue;
        list_remove(&q->run_link);
        table_free(x, q);
        dropped++;
    }
    list_each (&x->missing, link, next)
        list_remove(link);
    return dropped;
}

static void serve(struct unit *x)
{
    uint32_t orderless = x->waiting_count;
    if (mutant(MUTANT_UNCLEAN_NOT_REWRITTEN))
        mirror_clear(x);
    table_drop_orderless(x);
    uint32_t bodiless = drop_bodiless(x);
    for (int s = 0; s < SENDER_MAX; s++)
        sessions_end(x, s); /* no primary yet: at once */
    takeover_phase(x, "adopt");
    trace_info(x->trace, "adopt %u commands, %u dirty, drop %u without an order -> serve",
               x->ordered_count, x->dirty_count, orderless + bodiless);
    unit_become(x, UNIT_STATE_PRIMARY);
    x->counters.takeovers++;
    x->in_sync_since_ns = x->epoch_began_ns = x->now_ns;
    if (x->next_order == 0)
        x->next_order = 1;
    x->adopted_order = x->next_order - 1;
    struct entry entry = {.kind = ENTRY_EPOCH};
    entry.record = x->record;
    stream_append(x, &entry);
    list_each (&x->ordered, link, next) {
        struct queued *q = list_member(link, struct queued, place_link);
        if (q->resolved)
            effects_apply(x, q);
        if (q->resolved && q->message.kind == COMMAND_MANAGE && !mutant(MUTANT_CHANGE_NOT_AWAITED))
            array_carry_soon(x->array, queued_effect(q), q->effect_length); /* K4 */
        q->gate = mutant(MUTANT_ADOPTED_BEFORE_HANDSHAKE) ? 0 : x->index;
        run_begin(x, q);
    }
    for (int s = 0; s < SENDER_MAX; s++)
        if (x->sender[s].heard_ns == 0)
            x->sender[s].heard_ns = x->now_ns;
    if (x->record.in_sync.count == 1) {
        x->lease_until_ns = x->lease_asked_ns + x->limits.lease_ns;
        amend_lone(x);
    }
    sessions_announce(x);
    takeover_phase(x, "serve");
}

void takeover_serve(struct unit *x)
{
    if (x->state != UNIT_STATE_CLEARING)
        return;
    x->cleared = true;
    amend_drives_told(x);
    loops_trust(x);
    bool failed = knows_state(x) && x->doubt && !mutant(MUTANT_DOUBT_NOT_FOLLOWED); /* K5 */
    array_begin(x->array, x->record.epoch, x->in_doubt || failed); /* it may write: K1 */
    takeover_tick(x);
}

/* K3: is everything that was adopted on the drives? Both lists are in the order of orders. */
static void settle(struct unit *x)
{
    const struct queued *ordered = list_first(&x->ordered, struct queued, place_link);
    const struct queued *dirty = list_first(&x->dirty, struct queued, dirty_link);
    if ((!ordered || ordered->order > x->adopted_order) &&
        (!dirty || dirty->order > x->adopted_order))
        array_settled(x->array);
}

void takeover_tick(struct unit *x)
{
    if (x->state == UNIT_STATE_FENCING && loops_fenced(x))
        adopt_begin(x);
    if (x->state == UNIT_STATE_ADOPTING)
        watch_furthest(x);
    if (x->state == UNIT_STATE_ADOPTING && x->read_again_ns && x->now_ns >= x->read_again_ns) {
        x->read_again_ns = 0;
        array_read_state(x->array, x->record.epoch);
    }
    if (x->state == UNIT_STATE_ADOPTING && x->state_here && !x->fetching_state && control_idle(x) &&
        (x->furthest == MODULE_NONE || list_empty(&x->missing))) {
        if (array_can_serve(x->array) || (x->claim == CLAIM_FIRST))
            clear_begin(x);
    }
    if (x->state == UNIT_STATE_CLEARING && x->cleared && x->began)
        serve(x);
    if (unit_primary(x))
        settle(x);
}
