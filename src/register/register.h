/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_REGISTER_REGISTER_H
#define SEGUE_REGISTER_REGISTER_H

/* The control register of one machine: a directory of files. A group's record of generation n is
 * the file "g1.<n in 16 hex digits>"; the highest generation is the record. A swap writes the new
 * record aside, fsyncs it and links it to the name of the next generation, which fails if that is
 * there: one of several wins, and no lock is held that a stopped process could keep. Liveness
 * entries are files that their process keeps locked (flock) while it lives, stopped or not.
 *
 * Every function blocks, on the file system: they are called from a worker thread, one at a time.
 * No answer is better than a wrong one: whatever fails is REGISTER_UNKNOWN, and a newest record
 * that cannot be understood is REGISTER_DAMAGED, never passed over for an older one.
 */

#include <stddef.h>

#include "command/actor.h"

struct control_register;

/* living[i]: member i may be alive; false only if it is certain that it is not. */
struct register_living {
    bool in_sync[2 * MODULE_MAX], previous[2 * MODULE_MAX];
};

/* Writes the first record of a group (its generation is 1); makes the directory. 0, or -1 and a
 * sentence, also when the group has a record already. */
int register_create(const char *directory, const struct record *first, char *sentence,
                    size_t sentence_bytes);
/* 1: the group has a record (of whatever state); 0: it has none; -1: that cannot be told. */
int register_exists(const char *directory, uint8_t group);

/* NULL: the sentence says why. */
struct control_register *register_open(const char *directory, char *sentence,
                                       size_t sentence_bytes);
void register_close(struct control_register *reg); /* ends its liveness entries */

/* OK: the record, generation 0 if there is none. */
enum register_result register_read(struct control_register *reg, uint8_t group, struct record *out,
                                   struct register_living *living);
/* Replaces the record of generation record->generation - 1. LOST: `standing` stands instead. */
enum register_result register_swap(struct control_register *reg, const struct record *record,
                                   struct record *standing);
/* The member lives from now on, the earlier life of the same unit does not. Where that fails it is
 * tried again before each later call, and these give REGISTER_UNKNOWN until it has succeeded. */
void register_live(struct control_register *reg, uint8_t group, struct member member);
/* Makes ready what the next swap would have to wait for. May be left out. */
void register_prepare(struct control_register *reg, uint8_t group);
/* Removes records that are long out of date. */
void register_prune(struct control_register *reg, uint8_t group);

#endif
