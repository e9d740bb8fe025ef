/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_SECRET_H
#define SEGUE_COMMAND_SECRET_H

/* CHAP names and secrets, as the process of an interface switch has read them from the files that
 * its configuration names. They are nowhere else: no message, record or drive carries one. */

#include <stdbool.h>
#include <stdint.h>

enum {
    SECRET_USERS_MAX = 64,
    SECRET_NAME_BYTES = 224,
    SECRET_MIN = 12, /* RFC 7143 9.2.1: 96 bits */
    SECRET_MAX = 128,
};

struct secret {
    char name[SECRET_NAME_BYTES];
    uint8_t length; /* 0: none */
    uint8_t bytes[SECRET_MAX];
};

struct secrets {
    bool required; /* nobody logs in without CHAP, not even to a discovery session */
    uint8_t users;
    struct secret user[SECRET_USERS_MAX]; /* initiators prove that they know one of these */
    struct secret target;                 /* ... and may ask us to prove that we know this one */
};

#endif
