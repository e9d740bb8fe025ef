/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_PLACE_H
#define SEGUE_PROGRAMS_SEGUE_PLACE_H

/* Which array a command is about: --state DIR or FILE, else SEGUE_STATE, else ./state. */

#include "manage/config.h"
#include "programs/segue.h"

/* The configuration of the array, by its file or by what its state directory says of its file.
 * SEGUE_EXIT_DONE, or another exit code and the reason has been said. */
int place_find(const struct segue_call *call, const char *file, struct config *config);
/* The state directory alone, which needs no readable configuration. */
int place_state(const struct segue_call *call, const char *file, char *out, size_t bytes);

#endif
