/* SPDX-License-Identifier: Apache-2.0 */
/* The control record: read, swapped, and what the newest one makes of this unit. One register
 * operation at a time. An answer "unknown" is settled by reading: a swap stands if the record is
 * exactly ours. docs/PROTOCOL.md, "Words", "Takeover". */
#include "unit/state.h"

bool control_idle(const struct unit *x)
{
    return x->reg.kind == SWAP_NONE;
}

static void ask_read(struct unit *x)
{
    x->reg.tag = unit_tag(x);
    x->reg.asked_ns = x->now_ns;
    struct action *action = actions_add(x->actions, ACTION_REGISTER_READ);
    action->reg.tag = x->reg.tag;
    action->reg.group = x->config.group;
}

static void ask_swap(struct unit *x)
{
    x->reg.tag = unit_tag(x);
    x->reg.asked_ns = x->now_ns;
    x->reg.verifying = false;
    struct action *action = actions_add(x->actions, ACTION_REGISTER_SWAP);
    action->reg.tag = x->reg.tag;
    action->reg.group = x->config.group;
    action->reg.record = x->reg.record;
}

void control_read(struct unit *x)
{
    if (x->reg.kind != SWAP_NONE) {
        x->reg.again = true;
        return;
    }
    x->reg.kind = SWAP_READ;
    ask_read(x);
}

/* A joining unit has lost its primary. The swap that takes it in may have been the last that the
 * primary did: the record says, and only then it goes out. */
void control_leave(struct unit *x, const char *why)
{
    must(x->state == UNIT_STATE_JOINING);
    if (mutant(MUTANT_LEAVES_WITHOUT_LOOKING)) {
        unit_go_out(x, why);
        return;
    }
    if (x->leaving)
        return;
    x->leaving = why;
    control_read(x);
}

void control_swap(struct unit *x, enum swap_kind kind, const struct record *record)
{
    must(x->reg.kind == SWAP_NONE);
    must(record->generation == x->record.generation + 1);
    x->reg.kind = kind;
    x->reg.record = *record;
    ask_swap(x);
}

static bool same_record(const struct record *a, const struct record *b)
{
    uint8_t one[RECORD_BYTES_MAX], other[RECORD_BYTES_MAX];
    uint32_t length = record_encode(a, one);
    return length == record_encode(b, other) && memcmp(one, other, length) == 0;
}

/* Our swap stands. */
static void swapped(struct unit *x)
{
    enum swap_kind kind = x->reg.kind;
    struct record before = x->record;
    x->reg.kind = SWAP_NONE;
    x->record = x->reg.record;
    x->record_seen_ns = x->now_ns;
    switch (kind) {
    case SWAP_CLAIM:
        if (x->state == UNIT_STATE_CLAIMING)
            takeover_begin(x);
        break;
    case SWAP_CLEAR:
        takeover_serve(x);
        break;
    case SWAP_AMEND:
        amend_done(x, &before);
        break;
    case SWAP_HANDOVER:
        handover_swapped(x);
        break;
    case SWAP_CLEAN:
        x->stopped = true;
        break;
    case SWAP_NONE:
    case SWAP_READ:
        break;
    }
}

/* Where we stand in a record. */
enum standing { STANDS_PRIMARY, STANDS_IN_SYNC, STANDS_PREVIOUS, STANDS_OUT };

static enum standing standing_in(const struct unit *x, const struct record *record)
{
    if (member_same(record->primary, x->self))
        return STANDS_PRIMARY;
    if (members_find(&record->in_sync, x->self) >= 0)
        return STANDS_IN_SYNC;
    if (members_find(&record->previous, x->self) >= 0)
        return STANDS_PREVIOUS;
    return STANDS_OUT;
}

static void become_secondary(struct unit *x)
{
    x->follows_claimant = false;
    unit_become(x, UNIT_STATE_SECONDARY);
    follow_begin(x);
}

/* Members, deposed or not, that a newer record concerns. */
static void adopt_as_member(struct unit *x, enum standing standing, bool new_reign)
{
    switch (standing) {
    case STANDS_PRIMARY:
        if (x->state == UNIT_STATE_SECONDARY || x->state == UNIT_STATE_STOPPED ||
            x->state == UNIT_STATE_CLAIMING || x->state == UNIT_STATE_DEPOSED) {
            x->claim = CLAIM_PLANNED;
            takeover_begin(x);
        }
        break;
    case STANDS_IN_SYNC:
        if (x->state == UNIT_STATE_CLAIMING && !new_reign)
            unit_become(x, UNIT_STATE_STOPPED);
        else if (new_reign || (x->state != UNIT_STATE_SECONDARY && x->state != UNIT_STATE_STOPPED))
            become_secondary(x);
        break;
    case STANDS_PREVIOUS:
        if (mutant(MUTANT_DEPOSED_DROPS_STATE)) {
            unit_go_out(x, "the record does not name it");
        } else if (x->state != UNIT_STATE_DEPOSED) {
            unit_become(x, UNIT_STATE_DEPOSED);
            trace_info(x->trace, "%s has claimed: keeps its state, processes nothing",
                       unit_word(x->record.primary.module, x->config.group));
        }
        break;
    case STANDS_OUT:
        unit_go_out(x, "the record does not name it");
        break;
    }
}

static void adopt_as_joiner(struct unit *x, enum standing standing, bool new_reign)
{
    if (standing == STANDS_IN_SYNC) {
        unit_become(x, UNIT_STATE_SECONDARY);
        if (new_reign)
            follow_begin(x);
        else if (x->leaving && x->peer[x->record.primary.module].gone)
            suspect_primary(x, "link_reset");
    } else if (new_reign) {
        unit_go_out(x, "another reign began while it was joining");
    } else if (x->leaving) {
        unit_go_out(x, x->leaving);
    }
}

void control_adopt(struct unit *x, const struct record *record)
{
    if (record->generation < x->record.generation && !mutant(MUTANT_OLDER_RECORD_TAKEN))
        return;
    bool newer = record->generation > x->record.generation || !x->record_known;
    bool new_reign = !member_same(record->primary, x->record.primary) ||
                     (record->epoch > x->record.epoch && record->previous.count > 0);
    if (newer) {
        if (record->epoch > x->record.epoch)
            x->epoch_began_ns = x->now_ns;
        x->record = *record;
        x->record_seen_ns = x->now_ns;
        x->record_known = true;
    }
    enum standing standing = standing_in(x, record);
    if (mutant(MUTANT_DEPOSED_GOES_ON) && unit_primary(x) && standing == STANDS_PREVIOUS)
        return;
    switch (x->state) {
    case UNIT_STATE_READING:
        unit_go_out(x, "begins");
        claim_out(x);
        break;
    case UNIT_STATE_OUT:
        claim_out(x);
        break;
    case UNIT_STATE_JOINING:
        if (newer || x->leaving)
            adopt_as_joiner(x, standing, new_reign && newer);
        break;
    case UNIT_STATE_DEPOSED:
        if (standing == STANDS_PREVIOUS)
            claim_deposed(x);
        else
            adopt_as_member(x, standing, new_reign);
        break;
    case UNIT_STATE_SECONDARY:
    case UNIT_STATE_STOPPED:
    case UNIT_STATE_CLAIMING:
    case UNIT_STATE_FENCING:
    case UNIT_STATE_ADOPTING:
    case UNIT_STATE_CLEARING:
    case UNIT_STATE_PRIMARY:
        if (newer)
            adopt_as_member(x, standing, new_reign);
        break;
    case UNIT_STATE_STATES:
        break;
    }
}

static void read_done(struct unit *x, const struct event *event)
{
    const struct record *record = event->reg.record;
    if (event->reg.result == REGISTER_DAMAGED) {
        trace_error(x->trace,
                    "the control record of g%d is damaged: nothing is done without it; "
                    "restore the register from a copy",
                    x->config.group + 1);
        x->next_read_ns = x->now_ns + MS(1000);
        return;
    }
    if (event->reg.result == REGISTER_UNKNOWN || !record) {
        x->next_read_ns = x->now_ns + MS(100);
        return;
    }
    if (record->generation == 0) {
        if (!x->record_known)
            trace_error(x->trace,
                        "the register has no record of g%d: was the array created? "
                        "(segue up creates it in a new state directory)",
                        x->config.group + 1);
        x->record_known = true;
        x->next_read_ns = x->now_ns + MS(1000);
        if (x->state == UNIT_STATE_READING)
            unit_become(x, UNIT_STATE_OUT);
        return;
    }
    memcpy(x->living_in_sync, event->reg.living_in_sync, sizeof x->living_in_sync);
    memcpy(x->living_previous, event->reg.living_previous, sizeof x->living_previous);
    control_adopt(x, record);
}

/* The read after a swap whose answer was unknown. */
static void verified(struct unit *x, const struct event *event)
{
    const struct record *record = event->reg.record;
    if ((event->reg.result != REGISTER_OK && event->reg.result != REGISTER_LOST) || !record) {
        x->next_read_ns = x->now_ns + MS(10); /* control_tick asks again */
        return;
    }
    if (same_record(record, &x->reg.record)) {
        swapped(x);
    } else if (record->generation < x->reg.record.generation) {
        ask_swap(x);
    } else {
        x->reg.kind = SWAP_NONE;
        control_adopt(x, record);
    }
}

void control_event(struct unit *x, const struct event *event)
{
    if (event->reg.tag != x->reg.tag || x->reg.kind == SWAP_NONE)
        return;
    x->reg.tag = 0;
    if (x->reg.kind == SWAP_READ) {
        x->reg.kind = SWAP_NONE;
        read_done(x, event);
    } else if (x->reg.verifying) {
        verified(x, event);
    } else if (event->reg.result == REGISTER_OK ||
               (mutant(MUTANT_LOST_SWAP_STANDS) && event->reg.result == REGISTER_LOST) ||
               (mutant(MUTANT_UNKNOWN_SWAP_STANDS) && event->reg.result == REGISTER_UNKNOWN)) {
        swapped(x);
    } else if (event->reg.result == REGISTER_LOST && event->reg.record) {
        if (same_record(event->reg.record, &x->reg.record)) {
            swapped(x); /* an earlier try of the same swap stood after all */
        } else {
            x->reg.kind = SWAP_NONE;
            control_adopt(x, event->reg.record);
        }
    } else if (mutant(MUTANT_UNKNOWN_SWAP_FAILED)) {
        x->reg.kind = SWAP_NONE;
        x->reg.joining = MODULE_NONE;
        control_read(x);
    } else {
        x->reg.verifying = true;
        x->next_read_ns = x->now_ns + MS(10);
    }
    if (x->reg.again && x->reg.kind == SWAP_NONE) {
        x->reg.again = false;
        control_read(x);
    }
}

/* How often a unit in this state looks at the record of its own accord; 0: never. */
static uint64_t read_interval(enum unit_state state)
{
    switch (state) {
    case UNIT_STATE_READING:
    case UNIT_STATE_OUT:
    case UNIT_STATE_JOINING:
    case UNIT_STATE_STOPPED:
        return MS(100);
    case UNIT_STATE_DEPOSED:
        return MS(50);
    case UNIT_STATE_SECONDARY:
    case UNIT_STATE_CLAIMING:
    case UNIT_STATE_FENCING:
    case UNIT_STATE_ADOPTING:
    case UNIT_STATE_CLEARING:
    case UNIT_STATE_PRIMARY:
    case UNIT_STATE_STATES:
        break;
    }
    return 0;
}

void control_tick(struct unit *x)
{
    if (x->reg.kind != SWAP_NONE) {
        if (x->reg.verifying && x->reg.tag == 0 && x->now_ns >= x->next_read_ns)
            ask_read(x);
        return;
    }
    uint64_t interval = read_interval(x->state);
    if (interval && x->now_ns >= x->next_read_ns) {
        x->next_read_ns = x->now_ns + interval;
        control_read(x);
    }
}
