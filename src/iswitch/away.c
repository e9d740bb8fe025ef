/* SPDX-License-Identifier: Apache-2.0 */

/* A group that is away: none of its units that we reach serves it, or the one that does says
 * nothing any more, though its link is up. A takeover takes milliseconds, and commands wait for its
 * end. After AWAY_LIMIT_NS hosts are told: BUSY, for whatever has not been given to the group yet.
 * What has may have an order, and has to wait.
 *
 * But where no unit at all is heard, over links that are up to several modules, it is this switch
 * that is cut off, perhaps one way only, and its hosts have a better path: those that wait for the
 * array lose this one. They are not let in again before what they have here is over. */

#include "base/mutant.h"
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

static bool is_deaf(const struct iswitch *x)
{
    uint64_t heard_ns = sender_heard_ns(x->sender);
    uint64_t since = heard_ns > x->listens_ns ? heard_ns : x->listens_ns;
    return heard_ns > 0 && x->now_ns - since >= limit_ns(x) && !mutant(MUTANT_DEAF_KEEPS_HOSTS);
}

static bool waits(const struct iswitch *x, const struct session *session)
{
    for (uint8_t g = 0; g < x->config.sender.groups; g++)
        if (session->at[g].sent > 0)
            return true;
    return false;
}

static void send_hosts_away(struct iswitch *x)
{
    list_each (&x->sessions, link, next) {
        struct session *session = list_member(link, struct session, link);
        if (session->connection && session->state == SESSION_STATE_LIVE && waits(x, session))
            connection_close(x, session->connection,
                             "no controller is heard, and it waits for an answer");
    }
}

void away_tick(struct iswitch *x)
{
    bool blind = is_blind(x);
    x->away_tick_ns = x->now_ns;
    if (blind)
        x->listens_ns = x->now_ns;
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
    if (is_deaf(x))
        send_hosts_away(x);
}
