/* SPDX-License-Identifier: Apache-2.0 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api_state.h"
#include "manage/status_json.h"

/* Who may do what. By the Unix socket the kernel says who asks: root and the user that the array
 * runs as are administrators, members of the group "segue" operators, others nobody. By HTTPS a
 * token, or the cookie of a session; with a cookie a write needs the CSRF token of the session,
 * too.
 *
 * L1  Passwords are checked one at a time, so that guessing costs the machine one core at most;
 * after FREE_FAILURES in a row of one name or from one peer each further one has to wait twice as
 * long. L2  A session ends after its time, when it is not used, and with its user. */

enum { SESSIONS = 128, FAILURES = 64, FREE_FAILURES = 5, WAIT_MOST_S = 300 };
static const uint64_t session_ns = UINT64_C(43200) * 1000000000,
                      idle_ns = UINT64_C(3600) * 1000000000;

struct session {
    bool used;
    char cookie[USERS_TOKEN_BYTES], csrf[USERS_TOKEN_BYTES], user[USERS_NAME];
    uint64_t begun_ns, used_ns;
};

struct failure {
    char who[72];
    unsigned count;
    uint64_t until_ns;
};

struct api_sessions {
    pthread_mutex_t lock, hashing;
    struct session at[SESSIONS];
    struct failure failure[FAILURES];
};

bool api_caller_begin(struct api *api)
{
    api->sessions = calloc(1, sizeof *api->sessions);
    if (!api->sessions)
        return false;
    pthread_mutex_init(&api->sessions->lock, NULL);
    pthread_mutex_init(&api->sessions->hashing, NULL);
    return true;
}

/* ---- who it is ---- */

static bool in_group(const struct ucred *peer)
{
    struct group entry, *group = NULL;
    struct passwd user_entry, *user = NULL;
    char bytes[4096], user_bytes[4096];
    gid_t groups[64];
    int count = 64;
    if (getgrnam_r("segue", &entry, bytes, sizeof bytes, &group) != 0 || !group)
        return false;
    if (peer->gid == group->gr_gid)
        return true;
    if (getpwuid_r(peer->uid, &user_entry, user_bytes, sizeof user_bytes, &user) != 0 || !user ||
        getgrouplist(user->pw_name, peer->gid, groups, &count) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (groups[i] == group->gr_gid)
            return true;
    return false;
}

static void identify_local(struct api_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct api_caller *caller = &request->caller;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return;
    bool own = peer.uid == 0 || peer.uid == geteuid();
    caller->known = own || in_group(&peer);
    caller->role = own ? USERS_ADMIN : USERS_OPERATOR;
    snprintf(caller->name, sizeof caller->name, "uid:%u", (unsigned)peer.uid);
}

static struct session *find_session(struct api_sessions *sessions, const char *cookie)
{
    uint64_t now = api_now_ns();
    for (int i = 0; i < SESSIONS; i++) {
        struct session *session = &sessions->at[i];
        if (!session->used)
            continue;
        if (now - session->begun_ns > session_ns || now - session->used_ns > idle_ns) /* L2 */
            session->used = false;
        else if (users_same_secret(session->cookie, cookie))
            return session;
    }
    return NULL;
}

static void identify_cookie(struct api_request *request)
{
    const char *cookie =
        MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, "segue_session");
    struct api_caller *caller = &request->caller;
    struct api_sessions *sessions = request->api->sessions;
    char user[USERS_NAME] = "";
    if (!cookie || strlen(cookie) >= sizeof caller->cookie)
        return;
    pthread_mutex_lock(&sessions->lock);
    struct session *session = find_session(sessions, cookie);
    if (session) {
        session->used_ns = api_now_ns();
        snprintf(user, sizeof user, "%s", session->user);
    }
    pthread_mutex_unlock(&sessions->lock);
    if (!*user || !users_role_now(request->api->config, user, &caller->role))
        return;
    caller->known = caller->session = true;
    snprintf(caller->name, sizeof caller->name, "user:%s", user);
    snprintf(caller->cookie, sizeof caller->cookie, "%s", cookie);
}

void api_identify(struct api_request *request)
{
    static const char bearer[] = "Bearer ";
    const char *given = api_header(request, "Authorization");
    struct api_caller *caller = &request->caller;
    char name[USERS_NAME];
    if (given && strncmp(given, bearer, sizeof bearer - 1) == 0) {
        caller->known =
            users_token_check(request->api->config, given + sizeof bearer - 1, name, &caller->role);
        if (caller->known)
            snprintf(caller->name, sizeof caller->name, "token:%s", name);
    } else if (request->local) {
        identify_local(request);
    } else {
        identify_cookie(request);
    }
}

/* ---- what they may ---- */

static bool csrf_good(struct api_request *request)
{
    const char *given = api_header(request, "X-CSRF-Token");
    struct api_sessions *sessions = request->api->sessions;
    if (!given)
        return false;
    pthread_mutex_lock(&sessions->lock);
    struct session *session = find_session(sessions, request->caller.cookie);
    bool good = session && users_same_secret(session->csrf, given);
    pthread_mutex_unlock(&sessions->lock);
    return good;
}

bool api_allowed(struct api_request *request, struct api_reply *reply)
{
    const struct api_route *route = request->route;
    const struct api_caller *caller = &request->caller;
    if (route->open)
        return true;
    if (!caller->known) {
        api_fail(reply, 401, "NOT_LOGGED_IN",
                 "log in by POST /api/v1/session, or send a token: Authorization: Bearer ...",
                 "nobody is logged in");
        return false;
    }
    if (caller->role < route->role) {
        api_fail(reply, 403, "NOT_ALLOWED", "ask an administrator",
                 "this takes the role %s, and %s has the role %s", users_role_name(route->role),
                 caller->name, users_role_name(caller->role));
        return false;
    }
    if (caller->session && strcmp(route->method, "GET") != 0 && !csrf_good(request)) {
        api_fail(reply, 403, "NO_CSRF_TOKEN",
                 "send the csrf_token of GET /api/v1/session as the header X-CSRF-Token",
                 "a change by a session needs its CSRF token");
        return false;
    }
    return true;
}

/* ---- guessing ---- */

static struct failure *failure_of(struct api_sessions *sessions, const char *who)
{
    struct failure *oldest = &sessions->failure[0];
    for (int i = 0; i < FAILURES; i++) {
        struct failure *failure = &sessions->failure[i];
        if (strcmp(failure->who, who) == 0)
            return failure;
        if (failure->until_ns < oldest->until_ns)
            oldest = failure;
    }
    *oldest = (struct failure){.count = 0};
    snprintf(oldest->who, sizeof oldest->who, "%s", who);
    return oldest;
}

/* How long they have to wait before they try again; 0: not at all. */
static int wait_s(struct api_sessions *sessions, const char *who)
{
    pthread_mutex_lock(&sessions->lock);
    uint64_t now = api_now_ns(), until = failure_of(sessions, who)->until_ns;
    pthread_mutex_unlock(&sessions->lock);
    return until > now ? (int)((until - now) / 1000000000 + 1) : 0;
}

static void count_try(struct api_sessions *sessions, const char *who, bool good)
{
    pthread_mutex_lock(&sessions->lock);
    struct failure *failure = failure_of(sessions, who);
    failure->count = good ? 0 : failure->count + 1;
    failure->until_ns = api_now_ns();
    if (failure->count > FREE_FAILURES) {
        unsigned s =
            1u << (failure->count - FREE_FAILURES < 9 ? failure->count - FREE_FAILURES : 9);
        failure->until_ns += (s < WAIT_MOST_S ? s : WAIT_MOST_S) * UINT64_C(1000000000);
    }
    pthread_mutex_unlock(&sessions->lock);
}

/* ---- sessions ---- */

static void session_body(const struct api_request *request, struct api_reply *reply,
                         const char *csrf)
{
    reply->body = json_pack("{s:s, s:s, s:s?}", "caller", request->caller.name, "role",
                            users_role_name(request->caller.role), "csrf_token", csrf);
}

void api_session_get(struct api_request *request, struct api_reply *reply)
{
    struct api_sessions *sessions = request->api->sessions;
    char csrf[USERS_TOKEN_BYTES] = "";
    pthread_mutex_lock(&sessions->lock);
    struct session *session =
        request->caller.session ? find_session(sessions, request->caller.cookie) : NULL;
    if (session)
        snprintf(csrf, sizeof csrf, "%s", session->csrf);
    pthread_mutex_unlock(&sessions->lock);
    session_body(request, reply, *csrf ? csrf : NULL);
}

/* The place of the session that was used least recently, if all are taken. */
static struct session *free_session(struct api_sessions *sessions)
{
    struct session *oldest = &sessions->at[0];
    for (int i = 0; i < SESSIONS; i++) {
        if (!sessions->at[i].used)
            return &sessions->at[i];
        if (sessions->at[i].used_ns < oldest->used_ns)
            oldest = &sessions->at[i];
    }
    return oldest;
}

static void begin_session(struct api_request *request, struct api_reply *reply, const char *user)
{
    struct api_sessions *sessions = request->api->sessions;
    char csrf[USERS_TOKEN_BYTES];
    pthread_mutex_lock(&sessions->lock);
    struct session *session = free_session(sessions);
    *session = (struct session){.used = true, .begun_ns = api_now_ns(), .used_ns = api_now_ns()};
    users_random("", session->cookie, sizeof session->cookie);
    users_random("", session->csrf, sizeof session->csrf);
    snprintf(session->user, sizeof session->user, "%s", user);
    snprintf(csrf, sizeof csrf, "%s", session->csrf);
    snprintf(reply->cookie, sizeof reply->cookie,
             "segue_session=%s; Path=/; HttpOnly; %sSameSite=Strict; Max-Age=43200",
             session->cookie, request->local ? "" : "Secure; ");
    pthread_mutex_unlock(&sessions->lock);
    snprintf(request->caller.name, sizeof request->caller.name, "user:%s", user);
    session_body(request, reply, csrf);
}

/* Texts of the body by name, all needed; false: answered. */
static bool take_texts(const struct api_request *request, struct api_reply *reply, size_t count,
                       const char *const *names, const char **out)
{
    const char *key;
    json_t *value;
    json_object_foreach(request->json, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(names[i], key) != 0)
            i++;
        if (i < count && json_is_string(value) &&
            strlen(json_string_value(value)) == json_string_length(value))
            continue;
        api_fail(reply, 400, "BAD_PROPERTY", "GET /api/v1/openapi.yaml has those of every route",
                 i < count ? "%.40s takes a text" : "there is no property %.40s here", key);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = json_string_value(json_object_get(request->json, names[i]));
        if (out[i])
            continue;
        api_fail(reply, 400, "MISSING_PROPERTY", "add it", "%s is needed", names[i]);
        return false;
    }
    return true;
}

void api_session_post(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"user", "password"};
    struct api_sessions *sessions = request->api->sessions;
    const char *given[2];
    char by_user[72];
    if (!take_texts(request, reply, 2, names, given))
        return;
    snprintf(by_user, sizeof by_user, "user %.40s", given[0]);
    int wait = wait_s(sessions, by_user), peer_wait = wait_s(sessions, request->peer);
    wait = wait > peer_wait ? wait : peer_wait;
    if (wait) {
        reply->retry_after_s = wait;
        api_fail(reply, 429, "TOO_MANY_FAILURES", "wait, and then give the right password",
                 "there were too many wrong ones; wait %d s", wait);
        return;
    }
    pthread_mutex_lock(&sessions->hashing); /* L1 */
    bool good = users_check(request->api->config, given[0], given[1], &request->caller.role);
    pthread_mutex_unlock(&sessions->hashing);
    count_try(sessions, by_user, good);
    count_try(sessions, request->peer, good);
    if (!good) {
        bool plain =
            strspn(given[0], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "-_.") == strlen(given[0]);
        api_journal(request->api, "login user=%.31s peer=%s state=failed request=%s",
                    plain ? given[0] : "?", request->peer, request->id);
        api_fail(reply, 401, "WRONG_PASSWORD", "try again", "there is no such user and password");
        return;
    }
    api_journal(request->api, "login user=%s peer=%s state=in request=%s", given[0], request->peer,
                request->id);
    begin_session(request, reply, given[0]);
}

void api_session_delete(struct api_request *request, struct api_reply *reply)
{
    struct api_sessions *sessions = request->api->sessions;
    pthread_mutex_lock(&sessions->lock);
    struct session *session =
        request->caller.session ? find_session(sessions, request->caller.cookie) : NULL;
    if (session)
        session->used = false;
    pthread_mutex_unlock(&sessions->lock);
    if (session)
        api_journal(request->api, "login user=%s peer=%s state=out request=%s",
                    request->caller.name + 5, request->peer, request->id);
    snprintf(reply->cookie, sizeof reply->cookie,
             "segue_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    reply->body = json_pack("{s:s}", "summary", "nobody is logged in any more");
}

/* ---- users and tokens ---- */

/* What came of it; the audit says so, too. */
static void conclude(struct api_request *request, struct api_reply *reply, enum users_result result,
                     const char *sentence, const char *kind, const char *name)
{
    switch (result) {
    case USERS_DONE:
        break;
    case USERS_BAD:
        api_fail(reply, 400, "BAD_PROPERTY", "choose another", "%s", sentence);
        break;
    case USERS_TAKEN:
        api_fail(reply, 409, "TAKEN", "choose another name", "there is a %s %s already", kind,
                 name);
        break;
    case USERS_NONE:
        api_fail(reply, 404, "NO_SUCH_OBJECT", NULL, "there is no %s %.40s", kind, name);
        break;
    case USERS_LAST:
        api_fail(reply, 409, "LAST_ADMINISTRATOR", "make another administrator first",
                 "%s is the last administrator", name);
        break;
    case USERS_FAILED:
        api_fail(reply, 500, "NOT_KEPT", "look at the rights and space of STATE/manage",
                 "it could not be kept");
        break;
    }
    if (result == USERS_BAD || result == USERS_NONE)
        name = "?";
    api_journal(request->api,
                "audit user=%s action=%s:%s object=%s/%s outcome=%s request=%s peer=%s",
                *request->caller.name ? request->caller.name : "nobody", request->method,
                request->route->pattern, kind, name, result == USERS_DONE ? "done" : "refused",
                request->id, request->peer);
}

static void say_done(struct api_reply *reply, const char *kind, const char *name, const char *what)
{
    if (reply->problem)
        return;
    char text[API_NAME + 80];
    snprintf(text, sizeof text, "%s %.100s %s", kind, name, what);
    reply->body = json_pack("{s:s}", "summary", text);
}

static bool take_role(const char *word, struct api_reply *reply, enum users_role *role)
{
    if (users_role_of(word, role))
        return true;
    api_fail(reply, 400, "BAD_PROPERTY", "write monitor, operator or admin",
             "there is no role \"%.40s\"", word);
    return false;
}

void api_setup_post(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"secret", "user", "password"};
    struct api_sessions *sessions = request->api->sessions;
    const char *given[3];
    char sentence[USERS_SENTENCE] = "";
    if (!take_texts(request, reply, 3, names, given))
        return;
    if (users_any(request->api->config)) {
        api_fail(reply, 409, "SET_UP", "log in by POST /api/v1/session", "there are users already");
        return;
    }
    pthread_mutex_lock(&sessions->hashing);
    enum users_result result =
        users_setup(request->api->config, given[0], given[1], given[2], sentence);
    pthread_mutex_unlock(&sessions->hashing);
    if (result == USERS_NONE)
        api_fail(reply, 403, "WRONG_SECRET", "take the URL that segue api has said",
                 "this is not the secret of the set-up URL");
    else
        conclude(request, reply, result, sentence, "user", given[1]);
    say_done(reply, "user", given[1], "is the first administrator; log in");
}

void api_users_get(struct api_request *request, struct api_reply *reply)
{
    reply->body = json_pack("{s:o}", "users", users_list(request->api->config));
}

void api_users_post(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"name", "role", "password"};
    const char *given[3];
    enum users_role role;
    char sentence[USERS_SENTENCE] = "";
    if (!take_texts(request, reply, 3, names, given) || !take_role(given[1], reply, &role))
        return;
    conclude(request, reply, users_create(request->api->config, given[0], role, given[2], sentence),
             sentence, "user", given[0]);
    if (!reply->problem)
        reply->status = 201;
    say_done(reply, "user", given[0], "is made");
}

void api_user_patch(struct api_request *request, struct api_reply *reply)
{
    const json_t *role = json_object_get(request->json, "role"),
                 *password = json_object_get(request->json, "password");
    size_t known = (role ? 1u : 0u) + (password ? 1u : 0u);
    enum users_role new_role = USERS_ROLES;
    char sentence[USERS_SENTENCE] = "";
    if (known == 0 || known != json_object_size(request->json) || (role && !json_is_string(role)) ||
        (password && !json_is_string(password))) {
        api_fail(reply, 400, "BAD_PROPERTY", "send a role, a password or both, as texts",
                 "there is nothing to change, or too much");
        return;
    }
    if (role && !take_role(json_string_value(role), reply, &new_role))
        return;
    conclude(request, reply,
             users_set(request->api->config, request->name, new_role, json_string_value(password),
                       sentence),
             sentence, "user", request->name);
    say_done(reply, "user", request->name, "is changed");
}

void api_user_delete(struct api_request *request, struct api_reply *reply)
{
    conclude(request, reply, users_delete(request->api->config, request->name), "", "user",
             request->name);
    say_done(reply, "user", request->name, "is deleted");
}

void api_tokens_get(struct api_request *request, struct api_reply *reply)
{
    reply->body = json_pack("{s:o}", "tokens", users_token_list(request->api->config));
}

void api_tokens_post(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"name", "role"};
    const char *given[2];
    enum users_role role;
    char token[USERS_TOKEN_BYTES] = "", sentence[USERS_SENTENCE] = "";
    if (!take_texts(request, reply, 2, names, given) || !take_role(given[1], reply, &role))
        return;
    conclude(request, reply,
             users_token_create(request->api->config, given[0], role, token, sentence), sentence,
             "token", given[0]);
    if (reply->problem)
        return;
    reply->status = 201;
    reply->body = json_pack("{s:s, s:s, s:s}", "name", given[0], "role", users_role_name(role),
                            "token", token);
}

void api_token_delete(struct api_request *request, struct api_reply *reply)
{
    conclude(request, reply, users_token_delete(request->api->config, request->name), "", "token",
             request->name);
    say_done(reply, "token", request->name, "is deleted");
}
