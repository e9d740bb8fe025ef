/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_AUTHENTICATION_H
#define SEGUE_ISWITCH_AUTHENTICATION_H

/* The security stage of a login (RFC 7143 6.3.2, 12.1): None or CHAP, one-way or mutual. */

#include "wire/chap.h"
#include "wire/iscsi.h"

struct iswitch;
struct connection;

enum { AUTHENTICATION_CHALLENGE_BYTES = 32 };

enum authentication_state {
    AUTHENTICATION_STATE_START,
    AUTHENTICATION_STATE_METHOD,     /* CHAP: its algorithms come next */
    AUTHENTICATION_STATE_CHALLENGED, /* ... its answer */
    AUTHENTICATION_STATE_DONE,
};

enum authentication_key {
    AUTHENTICATION_KEY_METHOD,
    AUTHENTICATION_KEY_ALGORITHM,
    AUTHENTICATION_KEY_NAME,
    AUTHENTICATION_KEY_RESPONSE,
    AUTHENTICATION_KEY_IDENTIFIER,
    AUTHENTICATION_KEY_CHALLENGE,
    AUTHENTICATION_KEYS,
};

/* Of a connection. */
struct authentication {
    enum authentication_state state;
    enum chap_algorithm algorithm;
    uint8_t identifier;
    uint8_t challenge[AUTHENTICATION_CHALLENGE_BYTES]; /* of our own, from chance */
    const char *offered[AUTHENTICATION_KEYS]; /* in the text that is being taken; NULL: not there */
    uint8_t user; /* DONE by CHAP: index of the secret, + 1; 0: nobody has been asked */
};

/* A key of the security stage: kept until the whole text is known. False: it is none of ours.
 * *twice: it was in this text before. */
bool authentication_take(struct authentication *a, const char *key, const char *value, bool *twice);
/* The whole text of a login request is known, and who logs in: answers to it. */
enum iscsi_login_status authentication_answer(struct iswitch *x, struct connection *c);
/* May the login leave the security stage, or be without one? LOGIN_SUCCESS: it may. */
enum iscsi_login_status authentication_verdict(const struct iswitch *x, const struct connection *c);

#endif
