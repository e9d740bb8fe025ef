/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_FAULTS_H
#define SEGUE_SIM_FAULTS_H

/* What goes wrong in a history, and when, from one seed. Faults are of kinds: a module, an
 * interface switch, a tray, the register, the hosts' own connections. A second one of a kind begins
 * only when what the first left is healed, and none takes more than the array's redundancy can
 * spare; faults of different kinds meet. In a wild history all of them meet, and power fails for
 * everything: then a group may lose its memory (which must be reported) or wait for a person.
 *
 * Every fault has a number and chances of its own, so that a history can be told again without some
 * of them. */

#include "sim/shape.h"

struct faults;

enum { FAULTS_NUMBERED = 256 };

struct faults_config {
    uint64_t seed;
    bool wild;
    uint64_t gap_ns;               /* from one to the next, at most */
    bool without[FAULTS_NUMBERED]; /* the n-th does not happen; those above all do */
};

struct faults *faults_new(struct site *site, const struct shape *shape,
                          const struct faults_config *config);
void faults_free(struct faults *faults);
/* When it is next to be called, at the latest. */
uint64_t faults_next_ns(const struct faults *faults);
/* Begins and ends what is due. */
void faults_turn(struct faults *faults);
/* Everything ends: the site can be healed. */
void faults_end(struct faults *faults);
/* To be called often: sees whether a group has lost every memory, and tells those who judge. */
void faults_look(struct faults *faults);
uint32_t faults_count(const struct faults *faults);
/* A group lost every memory that it had, and has served since without a word to people. */
bool faults_silent_loss(const struct faults *faults, int *group);

#endif
