/* SPDX-License-Identifier: Apache-2.0 */
/* Planned takeover: the primary takes no more orders, waits until its members have its last message
 * and its drive work has ended, and gives control by a swap. docs/PROTOCOL.md, "Coming back". */
#include "unit/state.h"

enum { HAND_MS = 2000 };

void handover_begin(struct unit *x, uint8_t module, const char *cause)
{
    if (!unit_primary(x) || x->handing != MODULE_NONE || !x->follower[module].active ||
        x->follower[module].joining || x->drop_wanted & 1u << module)
        return;
    trace_info(x->trace, "gives control to %s: %s", unit_word(module, x->config.group), cause);
    actions_notice(x->actions, "takeover group=%d unit=%s phase=suspect epoch=%llu cause=planned",
                   x->config.group + 1, unit_word(module, x->config.group),
                   (unsigned long long)x->record.epoch);
    x->handing = module;
    x->handing_ns = x->now_ns;
    sessions_announce(x);
}

static bool drained(const struct unit *x)
{
    return x->ordered_count == sanitize_waiting(x) && x->destaging_count == 0 && !x->storing &&
           !x->sanitize.busy &&
           (stream_complete(x) == (int64_t)x->index || mutant(MUTANT_HANDOVER_UNCONFIRMED));
}

static void cancel(struct unit *x, const char *why)
{
    trace_info(x->trace, "keeps control: %s", why);
    x->handing = MODULE_NONE;
    x->in_sync_since_ns = x->now_ns;
    sessions_announce(x);
}

/* Does it reach every drive that we reach, and (more) others? */
static bool reaches(const struct unit *x, uint8_t module, bool more)
{
    uint32_t ours[LOOP_MAX];
    array_reach(x->array, ours);
    bool others = false;
    for (int l = 0; l < LOOP_MAX; l++) {
        uint32_t theirs = x->peer[module].signal.drives[l];
        if (ours[l] & ~theirs)
            return false;
        others |= (theirs & ~ours[l]) != 0;
    }
    return others || !more;
}

static void consider(struct unit *x)
{
    uint8_t preferred = x->config.member[0];
    if (x->move_wanted != MODULE_NONE) {
        uint8_t module = x->move_wanted;
        x->move_wanted = MODULE_NONE;
        handover_begin(x, module, "asked");
    } else if (!unit_is(x, preferred) && x->follower[preferred].active &&
               !x->follower[preferred].joining && x->limits.settle_ns != UINT64_MAX &&
               reaches(x, preferred, false) &&
               x->now_ns - x->in_sync_since_ns >= x->limits.settle_ns) {
        handover_begin(x, preferred, "preferred");
    } else if (!array_can_serve(x->array) && !mutant(MUTANT_BLIND_PRIMARY_STAYS)) {
        for (uint8_t m = 0; m < MODULE_MAX; m++)
            if (x->follower[m].active && !x->follower[m].joining && reaches(x, m, true))
                handover_begin(x, m, "it reaches the drives");
    }
}

void handover_tick(struct unit *x)
{
    if (!unit_primary(x) || x->quiescing)
        return;
    if (x->handing == MODULE_NONE) {
        if (!x->stopping)
            consider(x);
        return;
    }
    if (!x->follower[x->handing].active || x->drop_wanted & 1u << x->handing) {
        cancel(x, "the other is not in sync any more");
        return;
    }
    if (stop_asked_of(x, x->handing) && control_idle(x)) {
        cancel(x, "the other stops too");
        return;
    }
    bool blind = !array_can_serve(x->array) || mutant(MUTANT_HANDOVER_UNDRAINED);
    if (!drained(x) && !(blind && stream_complete(x) == (int64_t)x->index)) {
        if (x->now_ns - x->handing_ns > MS(HAND_MS))
            cancel(x, "commands did not end in time");
        return;
    }
    if (!control_idle(x))
        return;
    struct record next = x->record;
    next.generation++;
    next.epoch++;
    next.primary = x->follower[x->handing].member;
    for (int i = 0; i < x->record.in_sync.count; i++)
        members_add(&next.previous, x->record.in_sync.at[i]);
    next.claims++;
    control_swap(x, SWAP_HANDOVER, &next);
}

void handover_swapped(struct unit *x)
{
    uint8_t to = x->record.primary.module;
    unit_become(x, UNIT_STATE_SECONDARY);
    follow_begin(x);
    if (x->stopping)
        x->stop_ns = x->now_ns; /* it leaves when the other serves */
    struct message *out = unit_send(x, MESSAGE_HANDOVER, port_unit(to, x->config.group));
    out->handover.group = x->config.group;
    out->handover.epoch = x->record.epoch;
}

void handover_received(struct unit *x, const struct message *message)
{
    if (x->state != UNIT_STATE_SECONDARY || message->handover.epoch <= x->record.epoch)
        return;
    x->suspect_ns = x->now_ns;
    control_read(x);
}
