/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_USERS_H
#define SEGUE_MANAGE_USERS_H

/* Who may use the API: users with passwords, tokens for programs. Kept in STATE/manage/users.json
 * and tokens.json; a password as its scrypt hash with a salt of its own, a token, which is 256
 * random bits, as its SHA-256. There is no user and no password before somebody makes one. */

#include <jansson.h>

#include "manage/config.h"

enum users_role { USERS_MONITOR, USERS_OPERATOR, USERS_ADMIN, USERS_ROLES };
enum {
    USERS_NAME = 32,
    USERS_MAX = 64,
    USERS_TOKENS_MAX = 256,
    USERS_PASSWORD_MIN = 10,
    USERS_PASSWORD_MAX = 256,
    USERS_TOKEN_BYTES = 6 + 64 + 1,
    USERS_SENTENCE = 160
};

enum users_result {
    USERS_DONE,
    USERS_BAD,    /* the name, role or password is none; `sentence` says why */
    USERS_TAKEN,  /* there is one of that name */
    USERS_NONE,   /* there is none of that name */
    USERS_LAST,   /* it is the last administrator */
    USERS_FAILED, /* it could not be kept */
};

const char *users_role_name(enum users_role role);
bool users_role_of(const char *word, enum users_role *role);

enum users_result users_create(const struct config *config, const char *name, enum users_role role,
                               const char *password, char sentence[USERS_SENTENCE]);
/* `role` USERS_ROLES and `password` NULL: stay as they are. */
enum users_result users_set(const struct config *config, const char *name, enum users_role role,
                            const char *password, char sentence[USERS_SENTENCE]);
enum users_result users_delete(const struct config *config, const char *name);
/* [{"name","role","created"}]; the caller owns it. NULL: the file is damaged. */
json_t *users_list(const struct config *config);
/* Takes as long for a name that is not there. */
bool users_check(const struct config *config, const char *name, const char *password,
                 enum users_role *role);
bool users_any(const struct config *config);
/* What the role of that user is now; false: it is gone. */
bool users_role_now(const struct config *config, const char *name, enum users_role *role);

/* `out` is the only time that it can be read. */
enum users_result users_token_create(const struct config *config, const char *name,
                                     enum users_role role, char out[USERS_TOKEN_BYTES],
                                     char sentence[USERS_SENTENCE]);
enum users_result users_token_delete(const struct config *config, const char *name);
json_t *users_token_list(const struct config *config);
bool users_token_check(const struct config *config, const char *token, char name[USERS_NAME],
                       enum users_role *role);

/* The secret that lets the first administrator be made, once: made if there is no user, and kept in
 * STATE/manage/setup. False: there are users. */
bool users_setup_secret(const struct config *config, char out[USERS_TOKEN_BYTES]);
enum users_result users_setup(const struct config *config, const char *secret, const char *name,
                              const char *password, char sentence[USERS_SENTENCE]);

/* 256 random bits as hex behind the prefix. */
void users_random(const char *prefix, char *out, size_t bytes);
/* In a time that does not depend on where they differ. */
bool users_same_secret(const char *a, const char *b);

#endif
