/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_PERSISTENT_H
#define SEGUE_SCSI_PERSISTENT_H

/* Persistent reservations (SPC-4 5.9): registrations of (initiator port, sender) with a key, and at
 * most one reservation of the volume, held by one of them or by all. */

#include "scsi/state.h"

enum persistent_in_action {
    PERSISTENT_READ_KEYS = 0,
    PERSISTENT_READ_RESERVATION = 1,
    PERSISTENT_REPORT_CAPABILITIES = 2,
    PERSISTENT_READ_FULL_STATUS = 3,
};
enum persistent_out_action {
    PERSISTENT_REGISTER = 0,
    PERSISTENT_RESERVE = 1,
    PERSISTENT_RELEASE = 2,
    PERSISTENT_CLEAR = 3,
    PERSISTENT_PREEMPT = 4,
    PERSISTENT_PREEMPT_AND_ABORT = 5,
    PERSISTENT_REGISTER_AND_IGNORE = 6,
    PERSISTENT_REGISTER_AND_MOVE = 7,
};

bool persistent_type_known(uint8_t type);
/* Every registrant holds the reservation. */
bool persistent_type_all(uint8_t type);
/* Registrants may do what the holder may; they are told when the reservation is over. */
bool persistent_type_registrants(uint8_t type);
/* Index of the port's registration through that sender, or -1. */
int persistent_find_port(const struct volume_state *v, uint16_t port, uint8_t sender);
/* Index of the nexus's registration, or -1. */
int persistent_find(const struct scsi_state *state, const struct volume_state *v, int nexus);
/* Index of the one that holds the reservation, or -1: none, or all. */
int persistent_holder(const struct volume_state *v);
/* May the command's nexus write, or else read? */
bool persistent_allows(const struct scsi_request *r, bool writes);

/* Changes of the state; what is not possible any more changes nothing. */
void persistent_register_port(struct scsi_state *state, uint16_t volume, uint8_t sender,
                              const uint8_t *name, uint8_t length, uint64_t key);
void persistent_unregister(struct scsi_state *state, uint16_t volume, uint64_t mask);
void persistent_reserve(struct scsi_state *state, uint16_t volume, uint8_t type, uint64_t holder);

void persistent_plan_in(const struct scsi_request *r, struct scsi_plan *plan);
void persistent_plan_out(const struct scsi_request *r, struct scsi_plan *plan);

#endif
