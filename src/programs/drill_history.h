/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_HISTORY_H
#define SEGUE_PROGRAMS_DRILL_HISTORY_H

/* Is what hosts have seen of each block possible on one real disk? Every block is a register of its
 * own; every write gives it a value that no other write gives. Reads and writes take time, and
 * those that overlap in time may happen in either order; beyond that a read must return the newest
 * write.
 *
 * All operations on a value form a *cluster*: `first_end`, when the first of them ended, and
 * `last_start`, when the last of them began. When cluster C's first_end is before cluster D's
 * last_start, C must come before D. The history is linearizable exactly if no two clusters must
 * each come before the other, and no value is read before its write began (Gibbons and Korach,
 * "Testing shared memories", 1997). So it is checked as it happens, and clusters that no later read
 * may return are forgotten.
 *
 * Time is a count of beginnings and ends (drill_history_tick), so no two are equal. A write whose
 * outcome is unknown simply has not ended. */

#include <stdint.h>

#include "base/list.h"

struct drill_history;

/* A read that is under way: the caller's memory. */
struct drill_read {
    uint64_t start;
    struct list link;
};

enum drill_verdict {
    DRILL_VERDICT_GOOD,
    DRILL_VERDICT_STALE,   /* a value that had been replaced before the read began */
    DRILL_VERDICT_UNKNOWN, /* a value that nobody has written here */
};

/* Every block begins with value 0, written before time began. NULL: no memory. */
struct drill_history *drill_history_new(uint32_t blocks);
void drill_history_free(struct drill_history *history);
uint64_t drill_history_tick(struct drill_history *history);

void drill_history_read_begin(struct drill_history *history, struct drill_read *read);
/* Values of the blocks that it read are judged between these two. */
enum drill_verdict drill_history_read_value(struct drill_history *history, uint32_t block,
                                            uint64_t value, const struct drill_read *read,
                                            uint64_t end);
void drill_history_read_end(struct drill_history *history, struct drill_read *read);

/* False: no memory. */
bool drill_history_write_begin(struct drill_history *history, uint32_t block, uint64_t value,
                               uint64_t start);
void drill_history_write_end(struct drill_history *history, uint32_t block, uint64_t value,
                             uint64_t end);

/* The values that a read could return now, newest first: for the report of a wrong block. Returns
 * how many, at most `most`. */
uint32_t drill_history_values(const struct drill_history *history, uint32_t block, uint64_t *out,
                              uint32_t most);
const char *drill_verdict_name(enum drill_verdict verdict);

#endif
