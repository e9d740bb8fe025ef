/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_RESERVATIONS_H
#define SEGUE_SIM_RESERVATIONS_H

/* Knows which persistent reservations stand, and judges by them: a command that they forbid is
 * never carried out, one that they allow is never refused, and what is read of them is what was set
 * (SPC-4 5.13), through any number of takeovers. It knows only while one PERSISTENT RESERVE OUT at
 * a time is under way on a volume; commands that meet one are not judged. After one whose outcome
 * is unknown READ KEYS and READ RESERVATION tell what stands. A nexus is a host and a path; its key
 * names it. */

#include "sim/client.h"

struct reservations;

struct reservations *reservations_new(void);
void reservations_free(struct reservations *reservations);
void reservations_begun(struct reservations *reservations, struct op *op);
void reservations_ended(struct reservations *reservations, const struct op *op);
/* Every memory of that group is lost: what stands now must be read. */
void reservations_lost(struct reservations *reservations, uint8_t group, uint64_t at_ns);
const char *reservations_violation(const struct reservations *reservations); /* NULL: none */
/* How many commands met a reservation and were judged. */
uint64_t reservations_judged(const struct reservations *reservations);
/* False: READ KEYS (first) or READ RESERVATION must come next. */
bool reservations_known(const struct reservations *reservations, uint8_t group, uint16_t volume,
                        bool *keys_first);

/* SPC-4 6.15, 6.16 */
enum reservation_action {
    RESERVATION_REGISTER = 0,
    RESERVATION_RESERVE = 1,
    RESERVATION_RELEASE = 2,
    RESERVATION_CLEAR = 3,
    RESERVATION_PREEMPT = 4,
    RESERVATION_PREEMPT_AND_ABORT = 5,
    RESERVATION_REGISTER_AND_IGNORE = 6,
};
enum { RESERVATION_READ_KEYS = 0, RESERVATION_READ_RESERVATION = 1 };

uint64_t reservations_key(uint8_t host, uint8_t path);
/* The command by that host on that path, with its own key; `other`: the key that is registered
 * (REGISTER), or preempted. */
struct op *op_reserve(struct clients *clients, enum reservation_action action, uint8_t type,
                      uint8_t host, uint8_t path, uint64_t other);
struct op *op_reservation_read(struct clients *clients, uint8_t what);

#endif
