/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_ORACLE_H
#define SEGUE_SIM_ORACLE_H

/* Knows what hosts may see. Every block of every volume is a register that must be linearizable
 * over all hosts, all paths, all takeovers: each read gives what one write wrote, and there is an
 * order of all operations on the block that respects real time. Every write's stamp is unique, so
 * the zones of Gibbons and Korach ("Testing shared memories", 1997) decide it: of each value, the
 * span from the first end to the last begin of the operations that wrote or read it. A write that
 * failed or was lost may have happened at any time since it began, or never. */

#include "sim/client.h"

struct oracle;

struct oracle *oracle_new(void);
void oracle_free(struct oracle *oracle);
/* A volume, all blocks zero. */
void oracle_volume(struct oracle *oracle, uint8_t group, uint16_t volume, uint64_t blocks);
void oracle_begun(struct oracle *oracle, const struct op *op);
void oracle_ended(struct oracle *oracle, const struct op *op);
/* After a power cut of everything with a volatile write cache: what was acknowledged and not
 * flushed may be lost or not. Forgets that any write has ended after `flushed_ns`. */
void oracle_forget_since(struct oracle *oracle, uint64_t flushed_ns);
/* What is wrong, in a sentence; NULL: nothing so far. */
const char *oracle_violation(const struct oracle *oracle);
/* How many blocks were read and found right. */
uint64_t oracle_verified(const struct oracle *oracle);

#endif
