/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_RUN_H
#define SEGUE_API_API_RUN_H

/* One program, run to its end. */

#include <stdbool.h>

struct api_run {
    int exit_code; /* 128 + the signal that ended it */
    bool timed_out;
    char *out, *error; /* what it said; texts */
};

/* `identity` becomes its SEGUE_REQUEST_ID; NULL: it has none. False: it could not be started.
 * Either way api_run_free gives back what `run` holds. */
bool api_run_program(char *const *words, const char *identity, int limit_s, struct api_run *run);
void api_run_free(struct api_run *run);

#endif
