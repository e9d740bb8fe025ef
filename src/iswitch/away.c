/* SPDX-License-Identifier: Apache-2.0 */

/* A group that is away: none of its units that we reach serves it, or the one that does says
 * nothing any more, though its link is up. A takeover takes milliseconds, and commands wait for its
 * end. After AWAY_LIMIT_NS hosts are told: BUSY, for whatever has not been given to the group yet.
 * What has may have an order, and has to wait. */

#include "iswitch/iswitch_state.h"

enum { BUSY = 0x08 };

/* When a primary that serves the group was heard last; 0: there is none. */
static uint64_t heard_ns(const struct iswitch *x, uint8_t g)
{
    struct sender_view view;
    sender_describe(x->sender, g, &view);
    bool serves = view.serving && view.primary < MODULE_MAX && view.linked >> view.primary & 1;
    return serves ? view.heard_ns : 0;
}

static void answer(struct iswitch *x, struct list *waiting)
{
    list_each (waiting, link, next) {
        struct task *task = list_member(link, struct task, link);
        if (task->kind == COMMAND_SCSI)
            command_refuse(x, task, BUSY);
    }
}

/* Where units may be silent for longer without being dead, so they may here. */
static uint64_t limit_ns(const struct iswitch *x)
{
    uint64_t availability_ns = x->config.sender.limits.availability_ns;
    return availability_ns > AWAY_LIMIT_NS ? availability_ns : AWAY_LIMIT_NS;
}

/* We have not looked for long, or were stopped: nothing is known of that time. */
static bool is_blind(const struct iswitch *x)
{
    return x->away_tick_ns == 0 || x->now_ns - x->away_tick_ns > AWAY_LIMIT_NS / 2;
}

bool away(const struct iswitch *x, uint8_t g)
{
    return x->away[g] && !is_blind(x) && heard_ns(x, g) <= x->served_ns[g];
}

void away_tick(struct iswitch *x)
{
    bool blind = is_blind(x);
    x->away_tick_ns = x->now_ns;
    for (uint8_t g = 0; g < x->config.sender.groups; g++) {
        uint64_t heard = heard_ns(x, g);
        if (blind)
            x->served_ns[g] = x->now_ns;
        else if (heard > x->served_ns[g])
            x->served_ns[g] = heard;
        x->away[g] = x->now_ns - x->served_ns[g] >= limit_ns(x);
        if (!x->away[g])
            continue;
        answer(x, &x->ready[g]);
        answer(x, &x->bulk[g]);
        list_each (&x->sessions, link, next)
            answer(x, &list_member(link, struct session, link)->at[g].waiting);
    }
}
