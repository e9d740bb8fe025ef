/* SPDX-License-Identifier: Apache-2.0 */

/* A group that is away: none of its units that we reach serves it. A takeover takes milliseconds,
 * and commands wait for its end. After AWAY_LIMIT_NS hosts are told: BUSY, for whatever has not
 * been given to the group yet. What has may have an order, and has to wait. */

#include "iswitch/iswitch_state.h"

enum { BUSY = 0x08 };

static bool serves(const struct iswitch *x, uint8_t g)
{
    struct sender_view view;
    sender_describe(x->sender, g, &view);
    return view.serving && view.primary < MODULE_MAX && view.linked >> view.primary & 1;
}

static void answer(struct iswitch *x, struct list *waiting)
{
    list_each (waiting, link, next) {
        struct task *task = list_member(link, struct task, link);
        if (task->kind == COMMAND_SCSI)
            command_refuse(x, task, BUSY);
    }
}

bool away(const struct iswitch *x, uint8_t g)
{
    return x->away_ns[g] > 0 && x->now_ns - x->away_ns[g] >= AWAY_LIMIT_NS && !serves(x, g);
}

void away_tick(struct iswitch *x)
{
    for (uint8_t g = 0; g < x->config.sender.groups; g++) {
        if (serves(x, g)) {
            x->away_ns[g] = 0;
            continue;
        }
        if (x->away_ns[g] == 0)
            x->away_ns[g] = x->now_ns;
        if (!away(x, g))
            continue;
        answer(x, &x->ready[g]);
        list_each (&x->sessions, link, next)
            answer(x, &list_member(link, struct session, link)->at[g].waiting);
    }
}
