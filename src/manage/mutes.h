/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_MUTES_H
#define SEGUE_MANAGE_MUTES_H

/* Health checks that a person does not want to hear of for a while. A mute is of one code and the
 * objects that have it when it begins. It ends by itself: when its time is over, when the check
 * clears, and when it gets worse (its severity grows; an object more is no part of the mute). */

#include <jansson.h>

#include "manage/config.h"

enum mutes_result {
    MUTES_DONE,
    MUTES_NOTHING, /* nothing has that code now; or nothing is muted so */
    MUTES_FAILED,  /* it could not be kept */
};

/* `object` NULL: all that have the code. `status` is merged, and says what there is. */
enum mutes_result mutes_add(const struct config *config, const json_t *status, const char *code,
                            const char *object, uint64_t for_ns);
enum mutes_result mutes_remove(const struct config *config, const char *code, const char *object);
/* Into the checks of the status ("muted_until"), and its state anew; forgets mutes that have ended.
 */
void mutes_apply(const struct config *config, json_t *status);

#endif
