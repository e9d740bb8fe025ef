/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_SENDER_H
#define SEGUE_ISWITCH_SENDER_H

/* The sending half of the command protocol: stamps commands, multicasts each to every in-sync unit
 * of a group, keeps it until a response has come, sends it again under the same identity after any
 * link, membership or epoch change, confirms responses. Used by the interface switch and by the
 * management endpoint of each module. Knows nothing of hosts' protocols. */

#include "base/trace.h"
#include "command/actor.h"

struct sender;

struct sender_config {
    uint8_t sender; /* 0..SENDER_MAX-1 */
    port_id self;
    uint64_t session; /* this life's; a later life of the same sender has a greater one */
    uint8_t groups;
    struct {
        uint8_t members;
        uint8_t module[MODULE_MAX];
    } group[GROUP_MAX];
    struct limits limits;
};

struct sender *sender_new(const struct sender_config *config, struct trace *trace);
void sender_free(struct sender *sender);

/* Takes the command: id, epochs, ages and confirmations are filled in by the sender; the rest by
 * the caller. A reference of the payload is taken. `begun_ns`: when its last byte left the host.
 * `cookie` comes back with the response. Returns the sequence; 0: the window is full, try again
 * when a response has come. While no unit of the group serves, commands are kept and sent later. */
uint64_t sender_submit(struct sender *sender, uint8_t group, const struct command_message *command,
                       struct slice payload, uint64_t begun_ns, uint64_t cookie);
bool sender_has_room(const struct sender *sender, uint8_t group);
uint32_t sender_outstanding(const struct sender *sender, uint8_t group);
/* The host's session has gone: what has no order yet shall not run. A response (withdrawn or not)
 * still comes for each. */
void sender_withdraw(struct sender *sender, uint8_t group, uint64_t sequence);
/* The host of that nexus has answered a ping that was sent after `since_ns`: copies refused as
 * stale are sent again, with ages counted from since_ns. */
void sender_proved(struct sender *sender, uint32_t nexus, uint64_t since_ns);

/* MESSAGE_RESPONSE, REFUSE, VIEW and SIGNAL of units go here, and their links. */
void sender_message(struct sender *sender, const struct message *message, uint64_t now_ns);
void sender_link(struct sender *sender, port_id unit, bool up);
/* Sends what is to be sent: new commands, resends, confirmations, availability signals (each
 * signal_ns, to every unit it is linked with). Call after every event. */
void sender_pump(struct sender *sender, uint64_t now_ns, struct actions *actions);
uint64_t sender_wake_ns(const struct sender *sender);

enum sender_notice_kind {
    SENDER_NOTICE_RESPONSE, /* cookie, response, payload (the taker drops it) */
    SENDER_NOTICE_PROVE,    /* nexus: a copy was refused as stale; ping the host, sender_proved() */
    SENDER_NOTICE_DEAD, /* our session was declared dead: all outstanding is over; end the hosts'
                           sessions; sender_renew() begins a new one */
    SENDER_NOTICE_VIEW, /* group: another epoch or primary serves; cut: by what it read from drives,
                           so it may not know our nexuses */
};

struct sender_notice {
    enum sender_notice_kind kind;
    uint8_t group;
    bool cut;
    uint32_t nexus;
    uint64_t cookie;
    uint64_t sequence;
    const struct response_message *response; /* valid until the next call */
    struct slice payload;
};

bool sender_next_notice(struct sender *sender, struct sender_notice *out);
void sender_renew(struct sender *sender, uint64_t session);

struct sender_view {
    uint64_t epoch;
    bool serving;
    uint8_t primary;   /* module; MODULE_NONE */
    uint8_t in_sync;   /* bit m */
    uint8_t linked;    /* bit m */
    uint64_t heard_ns; /* anything came of the primary, or its link came up; 0: never */
    uint32_t outstanding;
    uint64_t resent; /* copies sent again since start */
};
void sender_describe(const struct sender *sender, uint8_t group, struct sender_view *out);
/* When any unit was last heard, while links to two modules or more are up: should all of them be
 * silent it is rather we that are cut off. 0: that cannot be said. */
uint64_t sender_heard_ns(const struct sender *sender);
void sender_check(const struct sender *sender);

#endif
