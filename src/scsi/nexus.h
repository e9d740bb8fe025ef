/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_NEXUS_H
#define SEGUE_SCSI_NEXUS_H

/* I_T nexuses and initiator ports: who is logged in through which interface switch. And what is
 * asked of nexuses as such: open, loss, task management. */

#include "scsi/state.h"

/* Index, or -1. */
int scsi_nexus_find(const struct scsi_state *state, uint8_t sender, uint64_t session,
                    uint32_t number);
bool scsi_nexus_room(const struct scsi_state *state);
/* Index, or -1: no room. Length 0: without a name. */
int scsi_nexus_add(struct scsi_state *state, uint8_t sender, uint64_t session, uint32_t number,
                   const uint8_t *name, uint8_t length);
/* Its unit attentions and what it has reserved by RESERVE(6) go with it. */
void scsi_nexus_remove(struct scsi_state *state, int nexus);
/* Only for one that has no name. */
void scsi_nexus_name(struct scsi_state *state, int nexus, const uint8_t *name, uint8_t length);

/* The port of that name, PORT_NONE: nobody has it. */
uint16_t scsi_port_find(const struct scsi_state *state, const uint8_t *name, uint8_t length);
/* The port of that name, with one more reference of that kind; PORT_NONE: no room. */
uint16_t scsi_port_take(struct scsi_state *state, const uint8_t *name, uint8_t length,
                        bool registration);
void scsi_port_drop(struct scsi_state *state, uint16_t port, bool registration);
/* Is there room for registrations of the port (PORT_NONE: one that is not known yet)? Not all ports
 * may stay for registrations alone. */
bool scsi_port_registrable(const struct scsi_state *state, uint16_t port);
/* For how many ports that have no registration yet. */
uint32_t scsi_ports_registrable(const struct scsi_state *state);

void scsi_nexus_plan_open(const struct scsi_request *r, struct scsi_plan *plan);
void scsi_nexus_plan_loss(const struct scsi_request *r, struct scsi_plan *plan);
void scsi_nexus_plan_task(const struct scsi_request *r, struct scsi_plan *plan);

#endif
