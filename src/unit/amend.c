/* SPDX-License-Identifier: Apache-2.0 */
/* What a serving primary changes in the control record: it drops a member, takes one in, marks
 * drives, renews its lease, clears `dirty`. All that is due goes in one swap. docs/PROTOCOL.md,
 * "Takeover" (a primary that suspects a secondary), "A lone primary".
 *
 * A1  a change of in_sync is a new epoch
 * A2  every swap that leaves the primary lone sets `dirty` if its mirror or queue holds any write
 * A3  a lone primary answers only under its lease, and with its replicated state on the drives
 * A4  who takes a member in answers as a lone primary until that member has confirmed the epoch in
 *     which it is one; until then it does not count as one that a swap leaves behind (A2), either
 * A5  no swap fails the last good drive of a set; not two of them together, either
 * A6  who reaches too few drives to serve drops nobody that may live: it may itself be the one that
 *     is cut off, and who is left would serve
 */
#include "unit/state.h"

void amend_drop(struct unit *x, uint8_t module, const char *cause)
{
    struct follower *f = &x->follower[module];
    if (!f->active)
        return;
    if (f->joining && (x->reg.joining != module || mutant(MUTANT_JOIN_LEFT_DURING_SWAP))) {
        trace_info(x->trace, "%s did not come in: %s", unit_word(module, x->config.group), cause);
        follower_end(x, module);
        if (x->join_wanted == module)
            x->join_wanted = MODULE_NONE;
        return;
    }
    if (x->drop_wanted & 1u << module || f->joining)
        return;
    trace_info(x->trace, "suspects %s: %s", unit_word(module, x->config.group), cause);
    actions_notice(x->actions, "takeover group=%d unit=%s phase=suspect epoch=%llu cause=%s of=%s",
                   x->config.group + 1, unit_word(x->config.module, x->config.group),
                   (unsigned long long)x->record.epoch, cause, unit_word(module, x->config.group));
    x->drop_wanted |= 1u << module;
    f->counts = !mutant(MUTANT_DROPPED_BEFORE_SWAP);
}

void amend_drive(struct unit *x, int drive, enum drive_state state)
{
    if (x->record.drive_state[drive] == state)
        return;
    x->drive_wanted[drive] = (uint8_t)(state + 1);
    x->drives_wanted = true;
}

void amend_drives_told(struct unit *x)
{
    for (int d = 0; d < DRIVE_MAX; d++) {
        enum drive_state state = (enum drive_state)x->record.drive_state[d];
        if (array_drive_state_now(x->array, d) != state)
            array_drive_state(x->array, d, state);
    }
}

static bool holds_writes(const struct unit *x)
{
    bool queued = x->ordered_count > 0 && !(unit_lone(x) && stop_releases(x));
    return (x->dirty_count > 0 || queued) && !mutant(MUTANT_DIRTY_NOT_SET_AT_DROP);
}

static bool may_drop(const struct unit *x, uint8_t module)
{
    if (stop_gives_way(x, module))
        return false;
    return x->peer[module].gone || suspect_serves(x) || mutant(MUTANT_BLIND_PRIMARY_DROPS);
}

static bool members_change(struct unit *x, struct record *next)
{
    bool changed = false;
    for (uint8_t m = 0; m < MODULE_MAX; m++) {
        int i = members_find_module(&next->in_sync, m);
        if (x->drop_wanted & 1u << m && i >= 0 && !unit_is(x, m) && may_drop(x, m)) {
            members_remove(&next->in_sync, next->in_sync.at[i]);
            changed = true;
        }
    }
    x->reg.joining = MODULE_NONE;
    if (x->join_wanted != MODULE_NONE && x->follower[x->join_wanted].active) {
        changed |= members_add(&next->in_sync, x->follower[x->join_wanted].member);
        x->reg.joining = x->join_wanted;
    }
    x->join_wanted = MODULE_NONE;
    if (changed && !mutant(MUTANT_DROP_IN_SAME_EPOCH))
        next->epoch++;
    return changed;
}

static bool drives_change(struct unit *x, struct record *next)
{
    bool changed = false;
    for (int d = 0; x->drives_wanted && d < DRIVE_MAX; d++) {
        if (!x->drive_wanted[d])
            continue;
        uint8_t state = (uint8_t)(x->drive_wanted[d] - 1);
        x->drive_wanted[d] = 0;
        if (state == DRIVE_STATE_FAILED && !array_can_fail_beside(x->array, d, next->drive_state) &&
            !mutant(MUTANT_DRIVES_FAILED_TOGETHER)) /* A5 */
            continue;
        changed |= next->drive_state[d] != state;
        next->drive_state[d] = state;
    }
    x->drives_wanted = false;
    return changed;
}

static bool dirty_is_over(const struct unit *x)
{
    const struct queued *oldest = list_first(&x->ordered, struct queued, place_link);
    bool over = x->dirty_count == 0 && (!oldest || oldest->order > x->dirty_order);
    return member_same(x->record.dirty, x->self) && (over || mutant(MUTANT_DIRTY_CLEARED_EARLY));
}

/* Will none of the members that this record names, but us, be sure to hold what we hold? */
static bool leaves_lone(const struct unit *x, const struct record *next)
{
    for (int i = 0; i < next->in_sync.count; i++) {
        const struct follower *f = &x->follower[next->in_sync.at[i].module];
        if (f->active && !f->joining && f->knows)
            return false;
    }
    return true;
}

static bool lone_change(struct unit *x, struct record *next)
{
    bool changed = false, lone = leaves_lone(x, &x->record);
    if (!lone && leaves_lone(x, next)) {
        next->dirty = holds_writes(x) ? x->self : member_none();
        x->dirty_order = x->next_order - 1;
        changed = true;
    } else if (next->dirty.module != MODULE_NONE && (!lone || dirty_is_over(x))) {
        next->dirty = member_none();
        changed = true;
    }
    if (mutant(MUTANT_DIRTY_CLEARED_AT_JOIN) && x->reg.joining != MODULE_NONE)
        next->dirty = member_none();
    if (next->in_sync.count > 1) {
        changed |= next->lease != 0;
        next->lease = 0;
        return changed;
    }
    if (changed || x->now_ns - x->lease_asked_ns >= x->limits.lease_ns / 4) {
        next->lease++;
        changed = true;
    }
    return changed;
}

/* The record is as it should be: what is found out at every tick, and mostly so. */
static bool nothing_to_amend(const struct unit *x)
{
    const struct record *r = &x->record;
    return r->in_sync.count > 1 && r->lease == 0 && r->dirty.module == MODULE_NONE &&
           !x->drop_wanted && x->join_wanted == MODULE_NONE && !x->drives_wanted;
}

void amend_tick(struct unit *x)
{
    if (!unit_primary(x) || !control_idle(x) || x->stopped)
        return;
    if (nothing_to_amend(x)) {
        x->reg.joining = MODULE_NONE;
        return;
    }
    struct record next = x->record;
    next.generation++;
    bool changed = members_change(x, &next);
    changed |= drives_change(x, &next);
    changed |= lone_change(x, &next);
    if (!changed)
        return;
    if (next.in_sync.count == 1)
        x->lease_asked_ns = x->now_ns;
    control_swap(x, SWAP_AMEND, &next);
}

static void tell_members(struct unit *x)
{
    struct entry entry = {.kind = ENTRY_EPOCH};
    entry.record = x->record;
    uint64_t index = stream_append(x, &entry);
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->follower[m].active && !x->follower[m].knows && !x->follower[m].joined_index &&
            members_find(&x->record.in_sync, x->follower[m].member) >= 0)
            x->follower[m].joined_index = index;
}

static void new_epoch(struct unit *x, const struct record *before)
{
    for (uint8_t m = 0; m < MODULE_MAX; m++) {
        bool was = members_find_module(&before->in_sync, m) >= 0;
        int now = members_find_module(&x->record.in_sync, m);
        if (was && now < 0) {
            trace_info(x->trace, "epoch %llu: goes on without %s",
                       (unsigned long long)x->record.epoch, unit_word(m, x->config.group));
            follower_end(x, m);
        } else if (!was && now >= 0) {
            trace_info(x->trace, "epoch %llu: %s is in sync", (unsigned long long)x->record.epoch,
                       unit_word(m, x->config.group));
            actions_notice(x->actions, "join group=%d unit=%s phase=end epoch=%llu",
                           x->config.group + 1, unit_word(m, x->config.group),
                           (unsigned long long)x->record.epoch);
            x->follower[m].joining = false;
            x->follower[m].counts = true;
            x->in_sync_since_ns = x->now_ns;
            loops_fence_begin(x);
        }
    }
    for (uint8_t m = 0; m < MODULE_MAX; m++) /* one that was suspected meanwhile stays wanted */
        if (members_find_module(&x->record.in_sync, m) < 0)
            x->drop_wanted &= ~(1u << m);
    x->epoch_began_ns = x->now_ns;
    array_epoch(x->array, x->record.epoch);
    actions_notice(x->actions, "role group=%d unit=%s state=primary epoch=%llu in_sync=%d",
                   x->config.group + 1, unit_word(x->config.module, x->config.group),
                   (unsigned long long)x->record.epoch, x->record.in_sync.count);
}

void amend_lone(struct unit *x)
{
    trace_info(x->trace, "lone: answers when writes are on the drives%s",
               x->record.dirty.module != MODULE_NONE ? ", dirty" : "");
    x->stored_version = x->state_version - 1; /* the drives' copy may be old */
    amend_store(x);
}

void amend_done(struct unit *x, const struct record *before)
{
    bool lone = unit_lone(x);
    x->reg.joining = MODULE_NONE;
    if (!unit_primary(x))
        return;
    if (x->record.in_sync.count == 1)
        x->lease_until_ns = x->lease_asked_ns + x->limits.lease_ns;
    tell_members(x);
    if (x->record.epoch != before->epoch || mutant(MUTANT_DROP_IN_SAME_EPOCH)) {
        new_epoch(x, before);
        sessions_announce(x);
    }
    for (int d = 0; d < DRIVE_MAX; d++)
        if (before->drive_state[d] != x->record.drive_state[d]) {
            const char *word = drive_state_name((enum drive_state)x->record.drive_state[d]);
            trace_info(x->trace, "drive t%d/%02d is %s", d / 32, d % 32, word);
            actions_notice(x->actions, "drive unit=%s drive=t%d/%02d state=%s",
                           unit_word(x->config.module, x->config.group), d / 32, d % 32, word);
        }
    amend_drives_told(x);
    if (!lone && unit_lone(x))
        amend_lone(x);
}

bool amend_stored(const struct unit *x)
{
    return x->stored_version == x->state_version;
}

bool amend_may_answer(const struct unit *x)
{
    if (!unit_lone(x))
        return true;
    bool leased = x->record.in_sync.count > 1 || x->now_ns < x->lease_until_ns ||
                  mutant(MUTANT_LONE_WITHOUT_LEASE);
    return leased && (amend_stored(x) || mutant(MUTANT_LONE_STATE_UNSTORED));
}

void amend_store(struct unit *x)
{
    if (x->storing || amend_stored(x) || !unit_primary(x))
        return;
    x->storing = true;
    x->store_cookie = x->state_version;
    uint32_t length = state_save(x, true);
    array_store_state(x->array, x->scratch, length, x->record.epoch << 24 | ++x->stores,
                      x->store_cookie);
}
