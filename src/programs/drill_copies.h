/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_COPIES_H
#define SEGUE_PROGRAMS_DRILL_COPIES_H

/* Do the copies of mirrored pools agree, is parity that of the data? Reads through the array are
 * served by one copy or the other, so one that differs is met by chance only. This reads the drives
 * themselves, beneath the array, which must be idle, in sync and flushed meanwhile. Only files and
 * devices that this program can open: those of an array on this machine. */

#include "programs/drill_shape.h"

struct drill_copies;

/* NULL: no memory. The shape must outlive it. */
struct drill_copies *drill_copies_new(const struct drill_shape *shape);
void drill_copies_free(struct drill_copies *copies);
/* Some more of it, in a few milliseconds. True: it is over. Wants the time, to look again at what
 * differed: somebody else may write. */
bool drill_copies_step(struct drill_copies *copies, uint64_t now_ns);

uint64_t drill_copies_bytes(const struct drill_copies *copies);  /* compared, of each copy */
uint64_t drill_copies_differ(const struct drill_copies *copies); /* places of 4096 bytes */
/* One line for each of the first that differ; NULL: there are not so many. */
const char *drill_copies_complaint(const struct drill_copies *copies, uint32_t i);
/* A sentence: why they were not, or not all, compared; NULL: they were. */
const char *drill_copies_problem(const struct drill_copies *copies);

#endif
