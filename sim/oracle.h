/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_ORACLE_H
#define SEGUE_SIM_ORACLE_H

/* Knows what hosts may see. Every block of every volume is a register that must be linearizable
 * over all hosts, all paths, all takeovers: each read gives what one write wrote, and there is an
 * order of all operations on the block that respects real time. Every write's stamp is unique, so
 * the zones of Gibbons and Korach ("Testing shared memories", 1997) decide it: of each value, the
 * span from the first end to the last begin of the operations that wrote or read it. Zeroes are not
 * unique: a read of them must fit at least one of the writes of zeroes, and counts for that one
 * only if it fits no other. A write that failed may have happened at any time since it began, or
 * never; one that was lost with its path, or aborted, also, but not after a moment that is known.
 * Who sees a block of an atomic write sees none of its others as they were before.
 */

#include "sim/client.h"

struct oracle;

struct oracle *oracle_new(void);
void oracle_free(struct oracle *oracle);
/* A volume, all blocks zero. */
void oracle_volume(struct oracle *oracle, uint8_t group, uint16_t volume, uint64_t blocks);
void oracle_begun(struct oracle *oracle, const struct op *op);
void oracle_ended(struct oracle *oracle, const struct op *op);
/* Its host has left that path, but the answer may still come: what has not been done by
 * op->not_after_ns never is. */
void oracle_left(struct oracle *oracle, const struct op *op);
/* The next blocks from *lba on that some operation was about: at most *blocks, in whole units of
 * `scale`. False: there are no more. */
bool oracle_next(const struct oracle *oracle, uint8_t group, uint16_t volume, uint64_t *lba,
                 uint32_t *blocks, uint32_t scale);
/* Of this volume everything is durable that is answered (write-through). */
void oracle_through(struct oracle *oracle, uint8_t group, uint16_t volume);
/* At this moment every memory of that group is lost. What was answered, but neither written through
 * nor with FUA nor before a SYNCHRONIZE CACHE, is lost or not; what is durable never is. */
void oracle_lost(struct oracle *oracle, uint8_t group, uint64_t at_ns);
/* The same where it is not known what was flushed: forgets that any write has ended since. */
void oracle_forget_since(struct oracle *oracle, uint64_t flushed_ns);
/* What is wrong, in a sentence; NULL: nothing so far. */
const char *oracle_violation(const struct oracle *oracle);
/* How many blocks were read and found right. */
uint64_t oracle_verified(const struct oracle *oracle);

#endif
