/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_SUBMITTER_H
#define SEGUE_SIM_SUBMITTER_H

/* An interface switch without iSCSI, or a management endpoint: a struct sender that carries the
 * operations of hosts which hand them over directly. It keeps the rules that the interface switch
 * keeps for its hosts: a nexus is opened before its first command, a host is pinged when a copy was
 * stale, nothing that was read late goes to a group unless the host still stands behind it. */

#include "iswitch/sender.h"
#include "sim/client.h"

struct submitter_config {
    struct sender_config sender; /* the session is made anew for each life */
    struct clients *clients;
    uint8_t path;
    bool manager; /* opens no nexuses */
};

extern const struct part_kind submitter_kind;

/* The sender of a living submitter's part, for sender_describe. */
const struct sender *submitter_sender(const struct part *part);
/* The number of that host's nexus, which changes when it is begun anew. */
uint64_t submitter_nexus(const struct part *part, uint8_t host);

#endif
