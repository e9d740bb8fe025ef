/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_ATTENTION_H
#define SEGUE_SCSI_ATTENTION_H

/* Unit attentions (SAM-5 5.14): per nexus and volume a set of conditions, reported one at a time in
 * the order of this enum. The numbers are in effects and saves: new ones go at the end. */

#include "scsi/state.h"

enum attention {
    ATTENTION_POWER_ON, /* establishing it drops all others */
    ATTENTION_RESET,    /* BUS DEVICE RESET FUNCTION OCCURRED */
    ATTENTION_NEXUS_LOSS,
    ATTENTION_COMMANDS_CLEARED, /* nothing clears them: only effects of before raise it */
    ATTENTION_RESERVATIONS_PREEMPTED,
    ATTENTION_RESERVATIONS_RELEASED,
    ATTENTION_REGISTRATIONS_PREEMPTED,
    ATTENTION_MODE_CHANGED,
    ATTENTION_CAPACITY_CHANGED,
    ATTENTIONS,
};

/* Key is always UNIT ATTENTION (6). */
enum { ATTENTION_KEY = 6 };
uint16_t attention_code(enum attention a);

/* Establishes it for one nexus and volume. */
void attention_raise(struct scsi_state *state, int nexus, uint16_t volume, enum attention a);
/* ... for each open nexus but `except` (-1: for all). */
void attention_raise_all(struct scsi_state *state, uint16_t volume, enum attention a, int except);
/* The one to be reported first, or -1. */
int attention_first(const struct scsi_state *state, int nexus, uint16_t volume);

/* What the nexus is told next when it comes with a command; false: nothing. Besides the set this is
 * REPORTED LUNS DATA HAS CHANGED, told once, whatever volume it asks first. `noticed` is the change
 * that it has been told. */
struct change;
bool attention_next(const struct scsi_request *r, uint16_t *code, struct change *noticed);

#endif
