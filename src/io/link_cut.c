/* SPDX-License-Identifier: Apache-2.0 */
/* Links that fail because a drill has asked for it: what a cable, a switch port or a firewall does
 * to them. The cut is made at one end, in the process itself, so that it is the same over Unix
 * sockets and over TCP and needs no rights.
 *
 * A link promises that what arrives is a prefix of what was sent. So one that has lost something
 * never goes on: when the time is over it is closed, and another one begun. */
#include "io/links_state.h"

#include <stdio.h>

const char *const link_cut_names[LINK_CUTS] = {
    [LINK_CUT_REFUSED] = "refused",
    [LINK_CUT_SILENT] = "silent",
    [LINK_CUT_MUTE] = "mute",
    [LINK_CUT_DEAF] = "deaf",
};

bool link_loses_sent(const struct link *link)
{
    return link->cut_until_ns && (link->cut == LINK_CUT_SILENT || link->cut == LINK_CUT_MUTE);
}

bool link_loses_received(const struct link *link)
{
    return link->cut_until_ns && (link->cut == LINK_CUT_SILENT || link->cut == LINK_CUT_DEAF);
}

bool links_cut(struct links *links, int process, enum link_cut how, uint64_t for_ns)
{
    struct link *link = &links->at[process];
    if (!link->used)
        return false;
    trace_warn(links->trace, "link to %s: cut for %llu ms (%s), as a drill asked",
               links->config.process[process].name, (unsigned long long)(for_ns / 1000000),
               link_cut_names[how]);
    link->cut = how;
    link->cut_until_ns = links->now_ns + for_ns;
    if (how == LINK_CUT_REFUSED || link->state != LINK_STATE_UP)
        link_life_end(links, link, "it was cut for a drill");
    return true;
}

void link_cut_tick(struct links *links, struct link *link)
{
    if (!link->cut_until_ns || links->now_ns < link->cut_until_ns)
        return;
    link->cut_until_ns = 0;
    if (link->state == LINK_STATE_UP)
        link_life_end(links, link, "the cut of a drill is over");
    link->retry_delay_ns = 0;
    link->retry_ns = links->now_ns;
}
