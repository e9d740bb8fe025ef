/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/api_state.h"
#include "manage/suggest.h"

/* The one table of routes: those that are written here, those of the lists, and those of the
 * command line's verbs. The OpenAPI document is made from it, and every request goes through it. */

#define V1 "/api/v1"

static const struct api_route fixed[] = {
    {"GET", "", USERS_MONITOR, .handle = api_root_get, .summary = "Where everything is",
     .reply = "Root"},
    {"GET", "/status", USERS_MONITOR, .handle = api_status_get,
     .summary = "The whole state of the array, as segue status -o json", .reply = "Status"},
    {"GET", "/health", USERS_MONITOR, .handle = api_health_get,
     .summary = "What is wrong, what it does, what to do", .reply = "Health"},
    {"GET", "/events", USERS_MONITOR, .handle = api_events_get,
     .summary =
         "What happened; with Accept: text/event-stream, or topics, what happens from now on",
     .reply = "Events"},
    {"GET", "/takeovers", USERS_MONITOR, .handle = api_takeovers_get,
     .summary = "Each takeover with its phases", .reply = "Takeovers"},
    {"GET", "/series", USERS_MONITOR, .handle = api_series_get,
     .summary = "What hosts felt in each second of the last quarter of an hour",
     .reply = "SeriesList"},
    {"GET", "/codes", USERS_MONITOR, .handle = api_codes_get,
     .summary = "Every health code and event", .reply = "Codes"},
    {"GET", "/codes/{name}", USERS_MONITOR, .handle = api_code_get,
     .summary = "What a code means, what to do", .reply = "Code"},
    {"GET", "/session", USERS_MONITOR, .handle = api_session_get, .summary = "Who is asking",
     .reply = "Session"},
    {"POST", "/session", USERS_MONITOR, .open = true, .handle = api_session_post,
     .summary = "Log in: sets a cookie, gives the CSRF token", .body = "Login", .reply = "Session"},
    {"DELETE", "/session", USERS_MONITOR, .handle = api_session_delete, .summary = "Log out",
     .reply = "Done"},
    {"POST", "/setup", USERS_MONITOR, .open = true, .handle = api_setup_post,
     .summary = "Make the first administrator, with the secret of the set-up URL", .body = "Setup",
     .reply = "Done"},
    {"GET", "/users", USERS_ADMIN, .handle = api_users_get, .summary = "The users",
     .reply = "Users"},
    {"POST", "/users", USERS_ADMIN, .handle = api_users_post, .summary = "Make a user",
     .body = "NewUser", .reply = "Done"},
    {"PATCH", "/users/{name}", USERS_ADMIN, .handle = api_user_patch,
     .summary = "Change a user's role or password", .body = "UserChange", .reply = "Done"},
    {"DELETE", "/users/{name}", USERS_ADMIN, .handle = api_user_delete, .summary = "Delete a user",
     .reply = "Done"},
    {"GET", "/tokens", USERS_ADMIN, .handle = api_tokens_get,
     .summary = "The tokens, without their secrets", .reply = "Tokens"},
    {"POST", "/tokens", USERS_ADMIN, .handle = api_tokens_post,
     .summary = "Make a token; its secret is told this once", .body = "NewToken",
     .reply = "TokenSecret"},
    {"DELETE", "/tokens/{name}", USERS_ADMIN, .handle = api_token_delete,
     .summary = "Delete a token", .reply = "Done"},
    {"GET", "/openapi.yaml", USERS_MONITOR, .handle = api_openapi_get,
     .summary = "This description, as YAML"},
    {"GET", "/openapi.json", USERS_MONITOR, .handle = api_openapi_get,
     .summary = "This description, as JSON"},
};

/* Not below /api/v1: for load balancers and Prometheus. */
static const struct api_route outside[] = {
    {"GET", "/healthz", USERS_MONITOR, .open = true, .handle = api_healthz_get,
     .summary = "This process is alive", .reply = "Alive"},
    {"GET", "/metrics", USERS_MONITOR, .handle = api_metrics_get,
     .summary = "Metrics of the whole array, for Prometheus"},
    {"GET", "/readyz", USERS_MONITOR, .open = true, .handle = api_readyz_get,
     .summary = "Every group is served (else 503)", .reply = "Ready"},
};

/* ---- making it ---- */

static void add(struct api *api, const struct api_route *route, const char *prefix)
{
    if (api->routes == API_ROUTES)
        return;
    struct api_route *to = &api->route[api->routes++];
    *to = *route;
    snprintf(to->pattern, sizeof to->pattern, "%s%s", prefix, route->pattern);
}

/* Verbs that leave the data and who may reach it as they are. All others are for administrators. */
static enum users_role role_of(const struct api_verb *verb)
{
    static const char *const operators[] = {"move",   "drain", "resume", "reload", "mute",
                                            "unmute", "on",    "off",    "locate", "lip",
                                            "start",  "stop",  "pause"};
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strcmp(verb->verb, operators[i]) == 0)
            return USERS_OPERATOR;
    return USERS_ADMIN;
}

static const char *plural_of(const char *noun)
{
    const struct api_list *list = api_list_of(noun);
    return list ? list->plural : noun;
}

static void add_verb(struct api *api, const struct api_verb *verb)
{
    static const char *const methods[][2] = {
        {"create", "POST"}, {"set", "PATCH"}, {"delete", "DELETE"}};
    struct api_route route = {.method = "POST",
                              .role = role_of(verb),
                              .handle = api_verb_run,
                              .verb = verb,
                              .summary = verb->help,
                              .reply = "Changed"};
    const char *plural = plural_of(verb->noun);
    bool plain = false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(verb->verb, methods[i][0]) == 0) {
            route.method = methods[i][1];
            plain = true;
        }
    if (strcmp(verb->verb, "create") == 0)
        snprintf(route.pattern, sizeof route.pattern, "/%.30s", plural);
    else if (plain)
        snprintf(route.pattern, sizeof route.pattern, "/%.30s/{name}", plural);
    else
        snprintf(route.pattern, sizeof route.pattern, "/%.30s%s/%.30s", plural,
                 verb->arguments ? "/{name}" : "", verb->verb);
    add(api, &route, V1);
}

void api_routes_make(struct api *api)
{
    size_t count;
    const struct api_list *list = api_lists(&count);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        add(api, &fixed[i], V1);
    for (size_t i = 0; i < count; i++, list++) {
        struct api_route many = {.method = "GET",
                                 .handle = api_list_get,
                                 .list = list,
                                 .summary = list->summary,
                                 .reply = list->schema};
        struct api_route one = {.method = "GET",
                                .handle = api_object_get,
                                .list = list,
                                .summary = "One of them",
                                .reply = list->schema};
        snprintf(many.pattern, sizeof many.pattern, "/%s", list->plural);
        snprintf(one.pattern, sizeof one.pattern, "/%s/{name}", list->plural);
        add(api, &many, V1);
        add(api, &one, V1);
    }
    for (size_t i = 0; i < api->setup->verbs; i++)
        add_verb(api, &api->setup->verb[i]);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        add(api, &outside[i], "");
}

/* ---- finding ---- */

/* A drive's name has a slash: as two segments it is one name, too. */
static bool joins(const struct api_request *request, size_t at, const char *before, size_t segments)
{
    return (strcmp(before, "drives") == 0 || strcmp(before, "loops") == 0) &&
           request->segments == segments + 1 && at + 1 < request->segments &&
           !strchr(request->segment[at], '/');
}

static bool matches(struct api_request *request, const char *pattern)
{
    size_t at = 0, segments = 0;
    const char *before = "";
    for (const char *c = pattern; *c; c++)
        segments += *c == '/';
    while (*pattern) {
        size_t length = strcspn(++pattern, "/");
        if (at == request->segments)
            return false;
        if (strncmp(pattern, "{name}", length) == 0 && length == 6) {
            bool two = joins(request, at, before, segments);
            int used = snprintf(request->name, sizeof request->name, "%s%s%s", request->segment[at],
                                two ? "/" : "", two ? request->segment[at + 1] : "");
            if (used <= 0 || (size_t)used >= sizeof request->name)
                return false;
            at += two;
        } else if (strlen(request->segment[at]) != length ||
                   strncmp(request->segment[at], pattern, length) != 0) {
            return false;
        }
        before = request->segment[at++];
        pattern += length;
    }
    return at == request->segments;
}

/* NULL: answered. */
static const struct api_route *find(struct api_request *request, struct api_reply *reply)
{
    const struct api *api = request->api;
    const char *words[API_ROUTES] = {NULL}, *near;
    bool other_method = false;
    bool head = strcmp(request->method, "HEAD") == 0;
    for (size_t i = 0; i < api->routes; i++) {
        words[i] = api->route[i].pattern;
        if (!matches(request, api->route[i].pattern))
            continue;
        if (strcmp(api->route[i].method, head ? "GET" : request->method) == 0)
            return &api->route[i];
        other_method = true;
    }
    request->name[0] = 0;
    near = suggest_word(request->url, words, api->routes);
    if (other_method)
        api_fail(reply, 405, "NO_SUCH_METHOD", "GET /api/v1/openapi.yaml has every route",
                 "%.10s is nothing that can be done there", request->method);
    else
        api_fail(reply, 404, "NO_SUCH_ROUTE",
                 near ? near : "GET /api/v1/openapi.yaml has every route",
                 "there is nothing at this address");
    return NULL;
}

const struct api_route *api_route_at(const struct api *api, size_t i)
{
    return i < api->routes ? &api->route[i] : NULL;
}

void api_dispatch(struct api_request *request, struct api_reply *reply)
{
    reply->status = 200;
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
        reply->file = api_console_find(request->url);
    if (reply->file)
        return;
    api_identify(request);
    request->route = find(request, reply);
    if (request->route && api_allowed(request, reply))
        request->route->handle(request, reply);
}
