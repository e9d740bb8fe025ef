/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping in order. When the array stops, its interface switches are gone by then: no more
 * commands, the mirror on the drives and flushed, the write-intent maps empty, the record clean.
 * The next start has nothing to resynchronise. When this module alone stops, switches are still
 * heard: a primary gives control to a member, a member leaves, and the group goes on.
 * docs/PROTOCOL.md, "Stopping".
 *
 * Z1  a unit says that it has stopped when nobody needs what it holds: the record is clean, or does
 *     not name it. Until then it does all that its state asks of it, a takeover too
 * Z2  who leads lets a member go that stops only when what was answered because that one held it is
 *     on the drives, or held by another one
 * Z3  who stops takes the group from nobody that may live and could go on with it, while there is
 *     time: it drops no such member, and claims over no such primary
 * Z4  one that has said that it has stopped begins nothing any more: its process may end
 */
#include "unit/state.h"

enum { HAND_OVER_MS = 5000, SAY_MS = 5000, READ_MS = 20 };

void stop_begin(struct unit *x)
{
    if (x->stopping)
        return;
    trace_info(x->trace, "stops in order");
    x->stopping = true;
    x->stop_ns = x->stop_said_ns = x->now_ns;
    signals_send(x); /* nobody gives control to us any more */
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

static bool asked_of(const struct unit *x, struct member member)
{
    const struct signal_message *s = &x->peer[member.module].signal;
    return s->stopping && member_same(s->member, member);
}

bool stop_asked_of(const struct unit *x, uint8_t module)
{
    return x->follower[module].active && asked_of(x, x->follower[module].member);
}

/* Does it hold all that we hold, and stay? */
static bool could_go_on(const struct unit *x, uint8_t module)
{
    const struct follower *f = &x->follower[module];
    return f->active && !f->joining && f->knows && !stop_asked_of(x, module);
}

/* Who goes on without us; MODULE_NONE: nobody. */
static uint8_t successor(const struct unit *x)
{
    for (uint8_t m = 0; m < MODULE_MAX; m++)
        if (could_go_on(x, m) && !(x->drop_wanted & 1u << m) && x->peer[m].linked)
            return m;
    return MODULE_NONE;
}

static bool in_time(const struct unit *x)
{
    return x->now_ns - x->stop_ns <= MS(HAND_OVER_MS) && switch_heard(x);
}

bool stop_gives_way(const struct unit *x, uint8_t module)
{
    bool could = unit_primary(x) ? could_go_on(x, module) : !asked_of(x, x->record.primary);
    return x->stopping && !x->quiescing && could && !x->peer[module].gone && in_time(x) &&
           !mutant(MUTANT_STOPPING_FIGHTS);
}

static bool gives_way(struct unit *x)
{
    bool any = false;
    for (uint8_t m = 0; m < MODULE_MAX; m++)
        any |= x->drop_wanted & 1u << m && stop_gives_way(x, m);
    if (any && control_idle(x) && x->now_ns >= x->next_read_ns) {
        x->next_read_ns = x->now_ns + MS(READ_MS); /* it may have claimed */
        control_read(x);
    }
    return any;
}

/* True: the group goes on, and our control is on its way to a member. */
static bool hands_over(struct unit *x)
{
    if (x->quiescing)
        return false;
    if (x->handing != MODULE_NONE)
        return true;
    uint8_t m = successor(x);
    if (m == MODULE_NONE || !in_time(x))
        return gives_way(x);
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
    if (sanitize_waiting(x) > 0)
        run_retry(x); /* they are answered: the operation goes on when the array does */
    if (x->ordered_count || x->dirty_count || x->storing || x->sanitize.busy)
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

bool stop_primary_stopped(const struct unit *x)
{
    uint8_t m = x->record.primary.module;
    return m < MODULE_MAX && x->peer[m].signal.state == UNIT_STATE_STATES &&
           member_same(x->peer[m].signal.member, x->record.primary);
}

/* ---- members that stop ---- */

bool stop_releases(const struct unit *x)
{
    bool any = false;
    for (int m = 0; m < MODULE_MAX; m++)
        any |= x->follower[m].leaves;
    const struct queued *oldest = list_first(&x->ordered, struct queued, place_link);
    return any && x->dirty_count == 0 && (!oldest || oldest->order > x->alone_order) &&
           amend_stored(x);
}

/* From now on it counts as one that may be gone. */
static void leaves(struct unit *x, uint8_t module)
{
    bool lone = unit_lone(x);
    x->follower[module].leaves = true;
    x->alone_order = x->next_order - 1;
    trace_info(x->trace, "%s stops, and leaves", unit_word(module, x->config.group));
    if (!lone && unit_lone(x))
        amend_lone(x);
}

/* Z2. When we stop too, what they hold goes to the drives before anybody leaves. */
static void let_go(struct unit *x)
{
    for (uint8_t m = 0; m < MODULE_MAX && !x->quiescing; m++) {
        struct follower *f = &x->follower[m];
        if (!f->active || !stop_asked_of(x, m))
            continue;
        if (!f->leaves)
            leaves(x, m);
        amend_store(x); /* unless it is there */
        if (f->joining || !unit_lone(x) || stop_releases(x) || mutant(MUTANT_LET_GO_EARLY))
            amend_drop(x, m, "left");
    }
}

/* ---- */

static void say_what_it_waits_for(struct unit *x)
{
    if (x->now_ns - x->stop_said_ns < MS(SAY_MS))
        return;
    x->stop_said_ns = x->now_ns;
    if (x->state == UNIT_STATE_PRIMARY)
        trace_warn(x->trace, "has not stopped: %u commands and %u writes are not on the drives yet",
                   x->ordered_count, x->dirty_count);
    else
        trace_warn(x->trace, "has not stopped: %s, and %s has not let it go",
                   unit_state_name(x->state), unit_word(x->record.primary.module, x->config.group));
}

static void go_on_stopping(struct unit *x)
{
    switch (x->state) {
    case UNIT_STATE_PRIMARY:
        if (hands_over(x))
            break;
        x->quiescing = true;
        quiesce(x);
        break;
    case UNIT_STATE_SECONDARY:
        if (stop_primary_stopped(x) || mutant(MUTANT_LEAVES_UNASKED))
            say_stopped(x);
        break;
    case UNIT_STATE_JOINING:
        control_leave(x, "it stops");
        break;
    case UNIT_STATE_READING:
    case UNIT_STATE_OUT:
        say_stopped(x);
        break;
    case UNIT_STATE_STOPPED: /* Z1: first becomes primary, or not */
    case UNIT_STATE_CLAIMING:
    case UNIT_STATE_FENCING:
    case UNIT_STATE_ADOPTING:
    case UNIT_STATE_CLEARING:
    case UNIT_STATE_DEPOSED:
    case UNIT_STATE_STATES:
        break;
    }
}

void stop_tick(struct unit *x)
{
    if (unit_primary(x))
        let_go(x);
    if (!x->stopping || x->stop_ns == 0)
        return;
    if (x->stopped) {
        say_stopped(x);
        return;
    }
    go_on_stopping(x);
    if (x->stop_ns)
        say_what_it_waits_for(x);
}
