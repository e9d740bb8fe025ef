/* SPDX-License-Identifier: Apache-2.0 */
/* Coming back: an out unit asks the primary, is sent everything, confirms it, and only then the
 * record takes it in. The primary's answers depend on it from the first of that on.
 * docs/PROTOCOL.md, "Coming back". */
#include "unit/state.h"

enum { ASK_MS = 200 };

static bool is_member(const struct unit *x, uint8_t module)
{
    for (int i = 0; i < x->config.members; i++)
        if (x->config.member[i] == module)
            return true;
    return false;
}

static void ask(struct unit *x)
{
    uint8_t m = x->record.primary.module;
    if (m >= MODULE_MAX || unit_is(x, m) || !x->peer[m].linked || x->stopping ||
        x->now_ns - x->peer[m].join_asked_ns < MS(ASK_MS) || x->record.previous.count > 0)
        return;
    if (x->peer[m].signal.state != UNIT_STATE_PRIMARY ||
        !member_same(x->peer[m].signal.member, x->record.primary))
        return;
    x->peer[m].join_asked_ns = x->now_ns;
    if (x->state == UNIT_STATE_OUT) {
        unit_become(x, UNIT_STATE_JOINING);
        x->leaving = NULL;
        follow_begin(x);
    }
    struct message *out = unit_send(x, MESSAGE_JOIN, port_unit(m, x->config.group));
    out->join = (struct join_message){x->config.group, x->self, x->record.epoch};
}

void join_asked(struct unit *x, const struct message *message)
{
    const struct join_message *m = &message->join;
    uint8_t module = m->member.module;
    if (!unit_primary(x) || module >= MODULE_MAX || unit_is(x, module) || !is_member(x, module) ||
        x->handing != MODULE_NONE || x->stopping)
        return;
    struct follower *f = &x->follower[module];
    if (f->active && member_same(f->member, m->member))
        return; /* it is being fed */
    if (f->active) {
        amend_drop(x, module, "restarted");
        return;
    }
    if (members_find_module(&x->record.in_sync, module) >= 0)
        return; /* its earlier life is being dropped */
    trace_info(x->trace, "%s comes back", unit_word(module, x->config.group));
    actions_notice(x->actions, "join group=%d unit=%s phase=begin epoch=%llu", x->config.group + 1,
                   unit_word(module, x->config.group), (unsigned long long)x->record.epoch);
    follower_begin(x, m->member, true);
}

void join_tick(struct unit *x)
{
    if (x->state == UNIT_STATE_OUT || x->state == UNIT_STATE_JOINING)
        ask(x); /* on and on: the primary may have given it up */
    if (!unit_primary(x))
        return;
    for (uint8_t m = 0; m < MODULE_MAX; m++) {
        struct follower *f = &x->follower[m];
        bool swapping = x->reg.joining == m && !mutant(MUTANT_JOIN_LEFT_DURING_SWAP);
        if (!f->active || !f->joining || swapping)
            continue;
        if (!x->peer[m].linked)
            follower_end(x, m);
        else if (((f->synced && f->held >= f->snapshot_index) ||
                  mutant(MUTANT_JOIN_BEFORE_CONFIRMED)) &&
                 x->join_wanted == MODULE_NONE)
            x->join_wanted = m;
    }
}
