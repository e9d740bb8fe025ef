/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping in order: no more commands, the mirror on the drives and flushed, the write-intent maps
 * empty, the record clean. The next start has nothing to resynchronise. docs/PROTOCOL.md,
 * "Stopping". */
#include "unit/state.h"

enum { SECONDARY_WAITS_MS = 1500 };

void stop_begin(struct unit *x)
{
    if (x->stopping)
        return;
    trace_info(x->trace, "stops in order");
    x->stopping = true;
    x->stop_ns = x->now_ns;
    if (unit_primary(x))
        x->quiescing = true; /* gives no more orders */
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

static bool primary_stopped(const struct unit *x)
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
        x->quiescing = true;
        quiesce(x);
        break;
    case UNIT_STATE_SECONDARY:
        if (x->now_ns - x->stop_ns > MS(SECONDARY_WAITS_MS) || primary_stopped(x))
            say_stopped(x);
        break;
    case UNIT_STATE_READING:
    case UNIT_STATE_OUT:
    case UNIT_STATE_JOINING:
    case UNIT_STATE_STOPPED:
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
