/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_STATE_H
#define SEGUE_PROGRAMS_SEGUE_STATE_H

/* The state directory of a one-machine array:
 *
 *   array          the array's name: it is complete; before that it is called `creating`
 *   created        `create:` was carried out
 *   drives/        drive files            register/   control records
 *   log/           logs                   run/        sockets, up.lock, up.pid, fleet.json
 */

#include <stdbool.h>
#include <sys/types.h>

#include "manage/config.h"

/* A new directory, or an array's own. -1 and a sentence: it is something else, or cannot be made.
 * `fresh`: nothing was ever served from it. */
int state_prepare(const struct config *config, bool *fresh, char *sentence, size_t bytes);
/* Drive files and first control records of a fresh one; then it is complete. */
int state_create(const struct config *config, char *sentence, size_t bytes);
/* The control register of one that is complete is there. */
int state_check(const struct config *config, char *sentence, size_t bytes);

/* The supervisor's lock: its descriptor, kept open; -1: another holds it (its pid, or 0), or errno
 * says what failed (pid -1). */
int state_lock(const char *state, pid_t *holder);
/* Who holds it: a pid, 0: nobody. */
pid_t state_lock_holder(const char *state);

bool state_is_created(const char *state);
bool state_set_created(const char *state);

/* Nobody listens where the array's parts will. -1 and a sentence. */
int state_check_ports(const struct config *config, char *sentence, size_t bytes);

#endif
