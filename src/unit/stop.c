/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping in order. When the array stops, its interface switches are gone by then: no more
 * commands, the mirror on the drives and flushed, the write-intent maps empty, the record clean.
 * The next start has nothing to resynchronise. When this module alone stops, switches are still
 * heard: a primary gives control to a member, a member leaves, and the group goes on.
 * docs/PROTOCOL.md, "Stopping". */
#include "unit/state.h"

enum { SECONDARY_WAITS_MS = 1500, HAND_OVER_MS = 5000 };

void stop_begin(struct unit *x)
{
    if (x->stopping)
        return;
    trace_info(x->trace, "stops in order");
    x->stopping = true;
    x->stop_ns = x->now_ns;
    stop_tick(x);
}

/* Is there anybody left whose commands the group must go on with? */
static bool switch_heard(const struct unit *x)
{
    for (int s = 0; s < SWITCH_MAX; s++)
        if (x->sender[s].linked && x->sender[s].heard_ns &&
            x->now_ns - x->sender[s].heard_ns <= x->limits.availability_ns)
            return !mutant(MUTANT_STOP_WITHOUT_HANDOVER);
    return false;
}

static bool has_stopped(const struct unit *x, uint8_t module)
{
    const struct peer *p = &x->peer[module];
    return p->signal.state == UNIT_STATE_STATES &&
           member_same(p->signal.member, x->follower[module].member);
}

/* Who goes on without us; MODULE_NONE: nobody. Not the one that gave us control: it is stopping. */
static uint8_t successor(const struct unit *x)
{
    for (uint8_t m = 0; m < MODULE_MAX; m++) {
        const struct follower *f = &x->follower[m];
        if (f->active && !f->joining && f->knows && !(x->drop_wanted & 1u << m) &&
            x->peer[m].linked && !has_stopped(x, m) && m != x->gave_control)
            return m;
    }
    return MODULE_NONE;
}

/* True: the group goes on, and our control is on its way to a member. */
static bool hands_over(struct unit *x)
{
    if (x->quiescing)
        return false;
    if (x->handing != MODULE_NONE)
        return true;
    uint8_t m = successor(x);
    if (m == MODULE_NONE || !switch_heard(x) || x->now_ns - x->stop_ns > MS(HAND_OVER_MS))
        return false;
    handover_begin(x, m, "stops");
    return x->handing != MODULE_NONE;
}

static void say_stopped(struct unit *x)
{
    x->stopped = true;
    x->stop_ns = 0;
    signals_send(x); /* its members need not wait for it any more */
    actions_add(x->actions, ACTION_STOPPED);
}

static void swap_clean(struct unit *x)
{
    struct record next = x->record;
    next.generation++;
    next.clean = true;
    next.dirty = member_none();
    control_swap(x, SWAP_CLEAN, &next);
}

static void quiesce(struct unit *x)
{
    if (x->flushed || mutant(MUTANT_CLEAN_UNFLUSHED)) { /* and the maps are empty */
        if (control_idle(x) && !x->stopped)
            swap_clean(x);
        return;
    }
    if (x->ordered_count || x->dirty_count || x->storing)
        return;
    if (!amend_stored(x)) {
        amend_store(x);
        return;
    }
    if (!x->flushing) {
        x->flushing = true;
        array_quiesce(x->array);
    }
}

/* Whoever leads can do without us at once. */
static bool primary_serves(const struct unit *x)
{
    uint8_t m = x->record.primary.module;
    return m < MODULE_MAX && x->peer[m].signal.state == UNIT_STATE_PRIMARY &&
           x->peer[m].signal.epoch == x->record.epoch &&
           member_same(x->peer[m].signal.member, x->record.primary);
}

bool stop_primary_stopped(const struct unit *x)
{
    uint8_t m = x->record.primary.module;
    return m < MODULE_MAX && x->peer[m].signal.state == UNIT_STATE_STATES &&
           member_same(x->peer[m].signal.member, x->record.primary);
}

void stop_tick(struct unit *x)
{
    if (!x->stopping || x->stop_ns == 0)
        return;
    if (x->stopped) {
        say_stopped(x);
        return;
    }
    switch (x->state) {
    case UNIT_STATE_PRIMARY:
        if (hands_over(x))
            break;
        x->quiescing = true;
        quiesce(x);
        break;
    case UNIT_STATE_STOPPED:
    case UNIT_STATE_SECONDARY:
        if (x->now_ns - x->stop_ns > MS(SECONDARY_WAITS_MS) || stop_primary_stopped(x) ||
            (x->state == UNIT_STATE_SECONDARY && switch_heard(x) && primary_serves(x)))
            say_stopped(x);
        break;
    case UNIT_STATE_READING:
    case UNIT_STATE_OUT:
    case UNIT_STATE_JOINING:
    case UNIT_STATE_DEPOSED:
        say_stopped(x);
        break;
    case UNIT_STATE_CLAIMING: /* first becomes primary, or not */
    case UNIT_STATE_FENCING:
    case UNIT_STATE_ADOPTING:
    case UNIT_STATE_CLEARING:
    case UNIT_STATE_STATES:
        break;
    }
}
