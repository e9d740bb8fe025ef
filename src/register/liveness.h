/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_REGISTER_LIVENESS_H
#define SEGUE_REGISTER_LIVENESS_H

/* Liveness entries: "live.<group>.<module>.<incarnation>", locked by the process that lives. A file
 * that is missing, or that nobody locks, is of a life that is over. */

#include "register/register.h"

struct liveness {
    int directory;
    struct {
        int fd; /* -1: none yet */
        struct member member;
        bool wanted; /* `member` could not be entered so far */
    } at[GROUP_MAX][MODULE_MAX];
};

void liveness_init(struct liveness *liveness, int directory);
void liveness_end(struct liveness *liveness);
void liveness_want(struct liveness *liveness, uint8_t group, struct member member);
/* Enters what is wanted. False: something could not be entered. */
bool liveness_settle(struct liveness *liveness);
/* True also where it cannot be told. */
bool liveness_of(const struct liveness *liveness, uint8_t group, struct member member);

#endif
