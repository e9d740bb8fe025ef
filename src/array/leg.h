/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_LEG_H
#define SEGUE_ARRAY_LEG_H

/* Drive commands: sent, answered, tried again, given up. Whoever wants one takes a leg; when it has
 * ended its owner is told (X_leg_ended) and the leg is over. */

#include "array/engine.h"

/* A leg in the queue of its drive, or NULL. `fua`, `data` (a write's or fill's; the leg takes the
 * reference), `patience_ns` may be set before the next pump. */
struct leg *leg_new(struct array *array, enum leg_owner owner, uint16_t index, int drive,
                    enum drive_op op, uint64_t offset, uint32_t length);
/* Are there so many left for host I/O? False: it will be told to look again. */
bool leg_room(struct array *array, uint32_t count);
/* Drops it without telling its owner. One that was not answered yet lingers. */
void leg_release(struct array *array, struct leg *leg);
/* Releases all legs of that owner and index. */
void leg_forget(struct array *array, enum leg_owner owner, uint16_t index);
/* The same of an owner whose index is the drive itself. */
void leg_forget_at(struct array *array, enum leg_owner owner, int drive);
/* Is there a write to that range of the drive that was given up, and may still land? */
bool leg_may_land(const struct array *array, int drive, uint64_t offset, uint64_t length);
/* Releases all. */
void leg_forget_all(struct array *array);
/* Tells the owners of what has ended. Calls X_leg_ended. */
void leg_settle(struct array *array);
/* Looks for limits that have run out. */
void leg_timers(struct array *array);
void leg_send_all(struct array *array, struct actions *actions);

/* A new login: earlier tries are over, what was sent is sent again. What lingers is over too. */
void leg_drive_login(struct array *array, int drive);
/* Reads of it go elsewhere. */
void leg_drive_unreached(struct array *array, int drive);
/* FAILED: everything of it ends, dropped. */
void leg_drive_failed(struct array *array, int drive);
/* Says BAD of it, if it can be done without; true: it was, or has been, said. */
bool leg_drive_bad(struct array *array, int drive, enum fault fault);
/* What a fence refused goes out again, in the new epoch. */
void leg_epoch(struct array *array);

#endif
