/* SPDX-License-Identifier: Apache-2.0 */

/* Who logs in proves that it knows the secret of a user (CHAP), and may have us prove that we know
 * ours. Secrets are this process's own (command/secret.h); which user a host must be, if any, is
 * array-wide state (command/directory.h).
 *
 *     START --AuthMethod=CHAP--> METHOD --CHAP_A--> CHALLENGED --CHAP_N, CHAP_R--> DONE
 *       `--------None----------------------------------------------------------------^
 *
 * N1  Each connection has one challenge, from chance, and takes one answer to it.
 * N2  We never answer a challenge that is one of our own, of any connection: somebody would have us
 *     compute what he is asked for (reflection). */

#include "iswitch/authentication.h"

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static const char *const key_names[AUTHENTICATION_KEYS] = {
    [AUTHENTICATION_KEY_METHOD] = "AuthMethod", [AUTHENTICATION_KEY_ALGORITHM] = "CHAP_A",
    [AUTHENTICATION_KEY_NAME] = "CHAP_N",       [AUTHENTICATION_KEY_RESPONSE] = "CHAP_R",
    [AUTHENTICATION_KEY_IDENTIFIER] = "CHAP_I", [AUTHENTICATION_KEY_CHALLENGE] = "CHAP_C",
};

bool authentication_take(struct authentication *a, const char *key, const char *value, bool *twice)
{
    for (int k = 0; k < AUTHENTICATION_KEYS; k++)
        if (strcmp(key, key_names[k]) == 0) {
            *twice = a->offered[k] != NULL;
            a->offered[k] = value;
            return true;
        }
    return false;
}

/* The user that this initiator must be, "" for any, or NULL if it need be none. */
static const char *user_wanted(const struct iswitch *x, const struct connection *c)
{
    const struct directory_host *host = access_host(x, c->parameters.initiator);
    if (host && host->user[0] && !c->discovery)
        return host->user;
    return x->config.secrets.required ? "" : NULL;
}

/* Which entry of the list that word is, or -1. */
static int list_find(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (int i = 0; *list; i++) {
        size_t part = strcspn(list, ",");
        if (part == length && memcmp(list, word, length) == 0)
            return i;
        list += part + (list[part] == ',');
    }
    return -1;
}

/* Of the methods that both know the one that the initiator likes better; CHAP if it must be. */
static enum iscsi_login_status choose_method(struct iswitch *x, struct connection *c,
                                             const char *offered)
{
    struct authentication *a = &c->authentication;
    int chap = x->config.secrets.users > 0 ? list_find(offered, "CHAP") : -1;
    int none = user_wanted(x, c) ? -1 : list_find(offered, "None");
    if (chap < 0 && none < 0)
        return ISCSI_LOGIN_AUTHENTICATION;
    bool prove = none < 0 || (chap >= 0 && chap < none);
    keys_put(&c->out, "AuthMethod", prove ? "CHAP" : "None");
    a->state = prove ? AUTHENTICATION_STATE_METHOD : AUTHENTICATION_STATE_DONE;
    return ISCSI_LOGIN_SUCCESS;
}

static bool is_zero(const uint8_t *bytes, uint32_t length)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < length; i++)
        any |= bytes[i];
    return any == 0;
}

static enum iscsi_login_status challenge(struct connection *c, const char *algorithms)
{
    struct authentication *a = &c->authentication;
    char text[3 + 2 * AUTHENTICATION_CHALLENGE_BYTES];
    a->algorithm = chap_choose(algorithms);
    if (a->algorithm == CHAP_NONE)
        return ISCSI_LOGIN_AUTHENTICATION;
    if (is_zero(a->challenge, sizeof a->challenge))
        return ISCSI_LOGIN_TARGET_ERROR; /* the world had no chance to give */
    chap_encode(a->challenge, sizeof a->challenge, text);
    keys_put_number(&c->out, "CHAP_A", a->algorithm);
    keys_put_number(&c->out, "CHAP_I", a->identifier);
    keys_put(&c->out, "CHAP_C", text);
    a->state = AUTHENTICATION_STATE_CHALLENGED;
    return ISCSI_LOGIN_SUCCESS;
}

void iswitch_set_secrets(struct iswitch *x, const struct secrets *secrets)
{
    must(secrets->users == x->config.secrets.users); /* connections know theirs by number */
    x->config.secrets = *secrets;
    trace_info(x->trace, "CHAP secrets have been read again");
}

static const struct secret *find_user(const struct iswitch *x, const char *name)
{
    for (uint8_t i = 0; i < x->config.secrets.users; i++)
        if (strcmp(x->config.secrets.user[i].name, name) == 0)
            return &x->config.secrets.user[i];
    return NULL;
}

/* Does the answer prove that its user is who it must be? The reason is for people here alone. */
static bool prove(struct iswitch *x, struct connection *c)
{
    struct authentication *a = &c->authentication;
    const char *name = a->offered[AUTHENTICATION_KEY_NAME], *wanted = user_wanted(x, c);
    const struct secret *secret = find_user(x, name);
    uint8_t given[CHAP_RESPONSE_MAX], right[CHAP_RESPONSE_MAX];
    int length = chap_decode(a->offered[AUTHENTICATION_KEY_RESPONSE], given, sizeof given);
    const char *why = NULL;
    if (!secret)
        why = "this switch knows no secret of that user";
    else if (wanted && wanted[0] && strcmp(wanted, name) != 0)
        why = "the host must be another user";
    else if (length != (int)chap_length(a->algorithm) ||
             !chap_response(a->algorithm, a->identifier, secret->bytes, secret->length,
                            a->challenge, sizeof a->challenge, right) ||
             !chap_equal(given, right, (uint32_t)length))
        why = "its response is wrong";
    if (why)
        trace_warn(x->trace, "host %s (%s): CHAP as %.64s fails: %s", c->peer,
                   c->parameters.initiator, name, why);
    else
        a->user = (uint8_t)(secret - x->config.secrets.user + 1);
    return !why;
}

/* N2 */
static bool is_reflected(const struct iswitch *x, const uint8_t *challenge, uint32_t length)
{
    list_each (&x->connections, link, next) {
        const struct connection *other = list_member(link, struct connection, link);
        if (length == AUTHENTICATION_CHALLENGE_BYTES &&
            memcmp(other->authentication.challenge, challenge, length) == 0)
            return true;
    }
    return false;
}

/* The initiator asks us back. */
static enum iscsi_login_status prove_ourselves(struct iswitch *x, struct connection *c)
{
    const struct authentication *a = &c->authentication;
    const struct secret *secret = &x->config.secrets.target;
    uint8_t bytes[CHAP_CHALLENGE_MAX], response[CHAP_RESPONSE_MAX];
    char text[3 + 2 * CHAP_RESPONSE_MAX];
    uint32_t identifier;
    int length = chap_decode(a->offered[AUTHENTICATION_KEY_CHALLENGE], bytes, sizeof bytes);
    if (!keys_number(a->offered[AUTHENTICATION_KEY_IDENTIFIER], &identifier) || identifier > 255 ||
        length < 1)
        return ISCSI_LOGIN_INITIATOR_ERROR;
    if (is_reflected(x, bytes, (uint32_t)length)) {
        trace_warn(x->trace, "host %s (%s): it sends our own challenge back", c->peer,
                   c->parameters.initiator);
        return ISCSI_LOGIN_AUTHENTICATION;
    }
    if (secret->length == 0 || !chap_response(a->algorithm, (uint8_t)identifier, secret->bytes,
                                              secret->length, bytes, (uint32_t)length, response)) {
        trace_warn(x->trace, "host %s (%s): it wants mutual CHAP, and chap.target has no secret",
                   c->peer, c->parameters.initiator);
        return ISCSI_LOGIN_AUTHENTICATION;
    }
    chap_encode(response, chap_length(a->algorithm), text);
    keys_put(&c->out, "CHAP_N", secret->name);
    keys_put(&c->out, "CHAP_R", text);
    return ISCSI_LOGIN_SUCCESS;
}

static enum iscsi_login_status check_answer(struct iswitch *x, struct connection *c)
{
    struct authentication *a = &c->authentication;
    bool identifier = a->offered[AUTHENTICATION_KEY_IDENTIFIER];
    bool back = a->offered[AUTHENTICATION_KEY_CHALLENGE];
    if (!a->offered[AUTHENTICATION_KEY_NAME] || !a->offered[AUTHENTICATION_KEY_RESPONSE] ||
        identifier != back)
        return ISCSI_LOGIN_INITIATOR_ERROR;
    if (!prove(x, c))
        return ISCSI_LOGIN_AUTHENTICATION;
    enum iscsi_login_status status = back ? prove_ourselves(x, c) : ISCSI_LOGIN_SUCCESS;
    if (status == ISCSI_LOGIN_SUCCESS)
        a->state = AUTHENTICATION_STATE_DONE;
    return status;
}

static uint32_t keys_offered(const struct authentication *a)
{
    uint32_t set = 0;
    for (int k = 0; k < AUTHENTICATION_KEYS; k++)
        set |= a->offered[k] ? 1u << k : 0;
    return set;
}

enum iscsi_login_status authentication_answer(struct iswitch *x, struct connection *c)
{
    struct authentication *a = &c->authentication;
    uint32_t offered = keys_offered(a);
    const uint32_t proof = 1u << AUTHENTICATION_KEY_NAME | 1u << AUTHENTICATION_KEY_RESPONSE |
                           1u << AUTHENTICATION_KEY_IDENTIFIER | 1u << AUTHENTICATION_KEY_CHALLENGE;
    enum iscsi_login_status status = ISCSI_LOGIN_INITIATOR_ERROR;
    if (offered == 0)
        return ISCSI_LOGIN_SUCCESS;
    if (a->state == AUTHENTICATION_STATE_START && offered == 1u << AUTHENTICATION_KEY_METHOD)
        status = choose_method(x, c, a->offered[AUTHENTICATION_KEY_METHOD]);
    else if (a->state == AUTHENTICATION_STATE_METHOD &&
             offered == 1u << AUTHENTICATION_KEY_ALGORITHM)
        status = challenge(c, a->offered[AUTHENTICATION_KEY_ALGORITHM]);
    else if (a->state == AUTHENTICATION_STATE_CHALLENGED && !(offered & ~proof))
        status = check_answer(x, c);
    memset(a->offered, 0, sizeof a->offered);
    return status;
}

enum iscsi_login_status authentication_verdict(const struct iswitch *x, const struct connection *c)
{
    const struct authentication *a = &c->authentication;
    const char *wanted = user_wanted(x, c);
    const char *proved = a->user > 0 ? x->config.secrets.user[a->user - 1].name : NULL;
    bool over = a->state == AUTHENTICATION_STATE_START || a->state == AUTHENTICATION_STATE_DONE;
    if (!over || (wanted && !proved) || (wanted && wanted[0] && strcmp(wanted, proved) != 0))
        return ISCSI_LOGIN_AUTHENTICATION;
    return ISCSI_LOGIN_SUCCESS;
}
