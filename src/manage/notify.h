/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_NOTIFY_H
#define SEGUE_MANAGE_NOTIFY_H

/* What a service manager is told, by the protocol of sd_notify(3): ready, how it goes, that the
 * loop still turns, that it stops. Without one (no NOTIFY_SOCKET) nothing happens. Never waits: the
 * library's call would, for a manager that hangs, and the loop of a unit with it. What cannot be
 * told is nobody's concern: the array goes on. */

#include <stdint.h>

struct notify {
    int fd;            /* -1: nobody wants to know */
    uint64_t every_ns; /* of the watchdog's feeding; 0: nobody watches */
    uint64_t next_ns;
};

/* Reads what the manager wants, and hides it from processes that are started from here. */
void notify_init(struct notify *notify);
void notify_close(struct notify *notify);
/* Serving, or as good as that at this moment. `status`: one line for people. */
void notify_ready(struct notify *notify, const char *status);
void notify_status(struct notify *notify, const char *status);
void notify_stopping(struct notify *notify, const char *status);
/* From the loop that must not hang, at each turn: feeds the watchdog when it is time. */
void notify_alive(struct notify *notify, uint64_t now_ns);
/* When notify_alive() wants to be called at the latest; UINT64_MAX: it need not be. */
uint64_t notify_wake_ns(const struct notify *notify);

#endif
