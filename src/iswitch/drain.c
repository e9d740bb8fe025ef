/* SPDX-License-Identifier: Apache-2.0 */

/* An administrator lets a switch's hosts go before it is taken down: "drain" asks each to log out
 * (RFC 7143 11.9, event 1) and drops those that have not after DRAIN_LIMIT_NS; who logs in is sent
 * to another switch (11.13.5, status 0101). "resume" ends that. Nothing of it outlives the process.
 */

#include <string.h>

#include "base/text.h"
#include "iswitch/iswitch_state.h"

static bool is_elsewhere(const struct iswitch *x, uint32_t portal)
{
    return x->config.portal[portal].switch_index != x->config.index &&
           !text_portal_is_wildcard(x->config.portal[portal].address);
}

const char *drain_elsewhere(struct iswitch *x)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < x->config.portals; i++)
        others += is_elsewhere(x, i);
    if (others == 0)
        return NULL;
    uint32_t nth = x->redirects++ % others;
    uint32_t i = 0;
    while (!is_elsewhere(x, i) || nth-- > 0)
        i++;
    return x->config.portal[i].address;
}

static uint32_t count_normal(const struct iswitch *x)
{
    uint32_t count = 0;
    list_each (&x->connections, link, next)
        count += list_member(link, struct connection, link)->session != NULL;
    return count;
}

static const char *begin(struct iswitch *x)
{
    if (!drain_elsewhere(x))
        return "refused: there is no other switch that hosts could go to";
    if (x->drained)
        return "it is drained already";
    x->drained = true;
    x->drain_ns = x->now_ns;
    trace_warn(x->trace, "drained by an administrator: %u hosts are asked to log out",
               count_normal(x));
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (c->state == CONNECTION_STATE_FULL && c->session)
            logout_ask(x, c, (uint16_t)(DRAIN_LIMIT_NS / MS(1000)));
    }
    return "it lets its hosts go";
}

static const char *end(struct iswitch *x)
{
    if (!x->drained)
        return "it is not drained";
    x->drained = false;
    trace_info(x->trace, "hosts may log in again");
    return "hosts may log in again";
}

void drain_request(struct iswitch *x, const struct event *event)
{
    const char *text = event->request.text, *answer = "refused: it knows drain and resume";
    if (strcmp(text, "drain") == 0)
        answer = begin(x);
    else if (strcmp(text, "resume") == 0)
        answer = end(x);
    struct action *reply = actions_add(x->actions, ACTION_REPLY);
    reply->notice.tag = event->request.tag;
    struct text out = text_in(reply->notice.text, sizeof reply->notice.text);
    text_append(&out, answer);
}

void drain_tick(struct iswitch *x)
{
    if (!x->drained || x->now_ns - x->drain_ns < DRAIN_LIMIT_NS)
        return;
    list_each (&x->connections, link, next) {
        struct connection *c = list_member(link, struct connection, link);
        if (c->state == CONNECTION_STATE_FULL && c->session)
            connection_finish(x, c, "the switch is drained");
    }
}
