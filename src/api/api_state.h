/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_STATE_H
#define SEGUE_API_API_STATE_H

/* What the files of this room share. A connection has a thread of its own; what is shared is behind
 * `lock` of the part that owns it. */

#include <microhttpd.h>
#include <pthread.h>

#include "api/api.h"
#include "api/api_console.h"
#include "manage/users.h"

enum {
    API_BODY_MAX = 64 << 10,
    API_SEGMENTS = 8,
    API_ROUTES = 192,
    API_NAME = 160,
    API_ID = 33,
    API_STREAMS_MAX = 16,
};

struct api;
struct api_route;

/* Who asks. */
struct api_caller {
    bool known;
    bool session; /* by a cookie: a write needs its CSRF token, too */
    enum users_role role;
    char name[API_NAME]; /* "user:anna", "token:grafana", "uid:0" */
    char cookie[USERS_TOKEN_BYTES];
};

struct api_request {
    struct api *api;
    struct MHD_Connection *connection;
    bool local; /* by the Unix socket */
    char id[API_ID], peer[64];
    const char *method, *url;
    char path[1024]; /* a copy that is cut into ... */
    const char *segment[API_SEGMENTS];
    size_t segments;
    char *body;
    size_t length;
    json_t *json; /* of the body: an object; NULL: none was sent */
    struct api_caller caller;
    const struct api_route *route;
    char name[API_NAME]; /* {name} of the route */
};

struct api_reply {
    int status;
    json_t *body;                /* JSON, or ... */
    char *text;                  /* ... a text of its own, from malloc */
    const char *type;            /* of the text */
    bool problem;                /* the body is an error */
    const struct api_file *file; /* of the console, instead */
    bool stream;                 /* of events, until the client goes */
    char etag[24], location[256], cookie[192];
    int retry_after_s;
    bool replayed; /* the answer of an earlier request with the same Idempotency-Key */
};

typedef void api_handler(struct api_request *request, struct api_reply *reply);

struct api_route {
    const char *method;
    char pattern[96]; /* behind /api/v1; "{name}" is one segment, or two of a drive */
    enum users_role role;
    bool open; /* to everybody, without a login */
    api_handler *handle;
    const struct api_verb *verb;        /* of a route that is one */
    const struct api_list *list;        /* of a route that reads one */
    const char *summary, *body, *reply; /* names of schemas in api_schemas.c, or NULL */
};

/* ---- api_server.c: HTTP ---- */
const char *api_header(const struct api_request *request, const char *name);
/* A parameter of the query, unescaped; NULL: it is not there. */
const char *api_query(const struct api_request *request, const char *name, char *out, size_t bytes);
/* Anything but those parameters? Says so. */
bool api_query_known(const struct api_request *request, struct api_reply *reply,
                     const char *const *names, size_t count);

/* ---- api_routes.c: the one table ---- */
void api_routes_make(struct api *api);
const struct api_route *api_route_at(const struct api *api, size_t i);
/* Fills in the answer, whatever the request is. */
void api_dispatch(struct api_request *request, struct api_reply *reply);

/* ---- api_error.c ---- */
/* Error `code`: what, and what to do (NULL: nothing to say). */
void api_fail(struct api_reply *reply, int status, const char *code, const char *remedy,
              const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Who asked for what goes into the body at the end. */
void api_error_complete(const struct api_request *request, struct api_reply *reply);

/* ---- api_caller.c: who may do what ---- */
void api_identify(struct api_request *request);
/* False: answered. */
bool api_allowed(struct api_request *request, struct api_reply *reply);
api_handler api_session_get, api_session_post, api_session_delete, api_setup_post;
api_handler api_users_get, api_users_post, api_user_patch, api_user_delete;
api_handler api_tokens_get, api_tokens_post, api_token_delete;

/* ---- api_lists.c: what there is ---- */
struct api_list {
    const char *plural, *singular, *key; /* the key of the merged status */
    const char *summary, *schema;
    const char *configured; /* properties that people set: what its ETag is made of */
};
const struct api_list *api_lists(size_t *count);
const struct api_list *api_list_of(const char *singular);
api_handler api_list_get, api_object_get;
/* The list as it is now; the caller owns it. NULL: nobody answers. */
json_t *api_list_now(struct api *api, const struct api_list *list);
/* Of an object; "" if it is not there. */
void api_object_etag(const struct api_list *list, const json_t *object, char *out, size_t bytes);
/* Of all that people set. */
void api_generation(const json_t *status, char *out, size_t bytes);

/* ---- api_filter.c ---- */
/* "state!=optimal,size_bytes>1000". False: it is none; `why` says it. */
bool api_filter_parse(const char *text, char *why, size_t bytes);
bool api_filter_match(const char *text, const json_t *object);

/* ---- api_verbs.c: changes ---- */
api_handler api_verb_run;
/* The verbs' outcomes by key, kept over restarts. */
bool api_verbs_begin(struct api *api);

/* ---- api_watch.c: the array's state and events, asked for once for all clients ---- */
struct api_watch;
struct api_watch *api_watch_new(struct api *api, char *sentence, size_t bytes);
void api_watch_free(struct api_watch *watch);
/* Not older than that; a reference of the caller's. NULL: nobody answers. */
json_t *api_status(struct api *api, uint64_t age_ns);
/* What all processes answer to {"verb":"metrics"}, not older than a second; a reference of the
 * caller's. */
json_t *api_metrics_answers(struct api *api);
/* The rates of the last minutes, a second each; the caller owns it. */
json_t *api_series(struct api *api);
/* Something has been changed: what is kept is old. */
void api_status_changed(struct api *api);
/* An event of this process's own journal: "audit user=anna ...". */
void api_journal(struct api *api, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- api_stream.c ---- */
api_handler api_stream_get;
struct MHD_Response *api_stream_response(struct api_request *request);
/* For api_watch.c: an event for those who listen. Takes it over. */
void api_stream_event(struct api *api, const char *topic, const char *id, json_t *data);
bool api_stream_wanted(struct api *api, const char *topic);
/* Streams end soon. */
void api_stream_stop(struct api *api);

/* ---- api_reads.c ---- */
api_handler api_series_get, api_status_get, api_health_get, api_events_get, api_takeovers_get,
    api_codes_get, api_code_get, api_metrics_get, api_healthz_get, api_readyz_get, api_openapi_get,
    api_root_get;

/* ---- api_openapi.c ---- */
/* The description of every route; the caller owns it. */
json_t *api_openapi(const struct api *api);
/* The same as YAML, which the caller frees. */
char *api_yaml(const json_t *value);

/* ---- api_tls.c ---- */
/* The PEM texts of the configuration's files, or of those that are made for STATE/manage; the
 * caller frees them. False and a sentence. */
bool api_tls_read(const struct config *config, char **certificate, char **key, char fingerprint[96],
                  char *sentence, size_t bytes);

struct api {
    const struct api_setup *setup;
    const struct config *config;
    struct api_route route[API_ROUTES];
    size_t routes;
    struct api_watch *watch;
    struct api_sessions *sessions; /* api_caller.c */
    struct api_verbs *verbs;       /* api_verbs.c */
    struct api_streams *streams;   /* api_stream.c */
    bool stopping;
};

bool api_caller_begin(struct api *api);
bool api_stream_begin(struct api *api);
uint64_t api_now_ns(void);

#endif
