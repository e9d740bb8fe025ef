/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP: connections, their limits, requests as they come in, answers as they go out.
 *
 * S1  A client costs at most one thread, API_BODY_MAX bytes of request and one answer; there are at
 *     most so many of them.
 * S2  A request has arrived, and its answer is taken, within its time, however busily a client
 * sends or reads a byte now and then: `deadline_ns`. Only streams of events last. S3  Nothing here
 * waits for anything that waits for a client. */
#include "api/api_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "api/api_state.h"
#include "manage/status_json.h"

enum {
    CONNECTIONS = 64, /* of each listener */
    PER_ADDRESS = 32,
    IDLE_S = 15,
    REQUEST_S = 20, /* for a request to arrive */
    ANSWER_S = 60,  /* for an answer to be taken */
    STACK = 512 << 10,
    MEMORY = 32 << 10, /* of headers */
    DISCARD_MAX = 1 << 20,
    SLOTS = (CONFIG_API_MAX + 1) * CONNECTIONS,
};

struct slot {
    bool used;
    int fd;
    uint64_t deadline_ns; /* 0: none */
};

struct listener {
    struct api_server *server;
    struct MHD_Daemon *daemon;
    bool local;
};

struct api_server {
    struct api *api;
    char *certificate, *key;
    pthread_t reaper;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t stop;
    bool stopping;
    struct slot slot[SLOTS];
    struct listener listener[CONFIG_API_MAX + 1];
    int listeners;
};

/* One request as it comes in. */
struct exchange {
    struct api_server *server;
    struct slot *slot;
    char *body;
    size_t length;
    bool too_large;
};

uint64_t api_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- time limits ---- */

static void set_deadline(struct api_server *server, struct slot *slot, unsigned seconds)
{
    if (!slot)
        return;
    pthread_mutex_lock(&server->lock);
    slot->deadline_ns = seconds ? api_now_ns() + seconds * UINT64_C(1000000000) : 0;
    pthread_mutex_unlock(&server->lock);
}

static struct slot *slot_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void connected(void *context, struct MHD_Connection *connection, void **socket_context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = context;
    struct api_server *server = listener->server;
    pthread_mutex_lock(&server->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = NULL;
        for (int i = 0; i < SLOTS && !*socket_context; i++)
            if (!server->slot[i].used) {
                server->slot[i] = (struct slot){true, info ? info->connect_fd : -1,
                                                api_now_ns() + REQUEST_S * UINT64_C(1000000000)};
                *socket_context = &server->slot[i];
            }
    } else if (*socket_context) {
        ((struct slot *)*socket_context)->used = false;
    }
    pthread_mutex_unlock(&server->lock);
}

/* S2: a connection whose time is over is shut; its thread notices and ends. */
static void *reap(void *context)
{
    struct api_server *server = context;
    pthread_mutex_lock(&server->lock);
    while (!server->stopping) {
        struct timespec until;
        uint64_t now = api_now_ns();
        for (int i = 0; i < SLOTS; i++) {
            struct slot *slot = &server->slot[i];
            if (slot->used && slot->deadline_ns && slot->deadline_ns < now && slot->fd >= 0)
                shutdown(slot->fd, SHUT_RDWR);
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&server->stop, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- a request ---- */

/* In place: "%2F" and, in a query, "+". False: what follows a '%' is no hex, or it is a 0. */
static bool unescape(char *text, bool query)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        char hex[3] = {0}, *end;
        if (query && *at == '+') {
            *to++ = ' ';
            continue;
        }
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        if (!at[1] || !at[2])
            return false;
        memcpy(hex, at + 1, 2);
        long value = strtol(hex, &end, 16);
        if (*end || value == 0 || hex[0] == '+' || hex[0] == '-' || hex[0] == ' ')
            return false;
        *to++ = (char)value;
        at += 2;
    }
    *to = 0;
    return true;
}

static bool cut_path(struct api_request *request)
{
    char *at = request->path, *rest = NULL;
    if (strlen(request->url) >= sizeof request->path)
        return false;
    strcpy(request->path, request->url);
    for (char *word = strtok_r(at, "/", &rest); word; word = strtok_r(NULL, "/", &rest)) {
        if (request->segments == API_SEGMENTS || !unescape(word, false) || !*word)
            return false;
        request->segment[request->segments++] = word;
    }
    return true;
}

const char *api_header(const struct api_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *api_query(const struct api_request *request, const char *name, char *out, size_t bytes)
{
    const char *raw = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
    if (!raw)
        return NULL;
    snprintf(out, bytes, "%s", raw);
    if (strlen(raw) >= bytes || !unescape(out, true))
        *out = 0; /* nothing is called so */
    return out;
}

struct known {
    const char *const *names;
    size_t count;
    char unknown[64];
};

static enum MHD_Result check_known(void *context, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct known *known = context;
    (void)kind, (void)value;
    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->names[i], key) == 0)
            return MHD_YES;
    snprintf(known->unknown, sizeof known->unknown, "%s", key);
    return MHD_NO;
}

bool api_query_known(const struct api_request *request, struct api_reply *reply,
                     const char *const *names, size_t count)
{
    struct known known = {names, count, ""};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_known, &known);
    if (!*known.unknown)
        return true;
    api_fail(reply, 400, "BAD_PARAMETER", "GET /api/v1/openapi.yaml has those of every route",
             "there is no parameter \"%s\" here", known.unknown);
    return false;
}

static void name_peer(struct api_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    snprintf(request->peer, sizeof request->peer, "local");
    if (request->local || !address)
        return;
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
                  request->peer, sizeof request->peer);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
                  request->peer, sizeof request->peer);
}

/* False: answered. */
static bool take_body(struct api_request *request, struct api_reply *reply)
{
    if (request->length == 0)
        return true;
    request->json = json_loadb(request->body, request->length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(request->json))
        return true;
    api_fail(reply, 400, "BAD_JSON", "send one JSON object, with every key once",
             "the body is no JSON object");
    return false;
}

/* ---- an answer ---- */

/* A page of the console is made of files from here, and asks only here; nothing else is a page. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
static const char data_policy[] = "default-src 'none'; frame-ancestors 'none'";

static void header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value && *value)
        MHD_add_response_header(response, name, value);
}

static void add_headers(const struct api_request *request, const struct api_reply *reply,
                        struct MHD_Response *response)
{
    char text[64];
    header(response, "X-Request-Id", request->id);
    header(response, "Cache-Control", reply->file ? "no-cache" : "no-store");
    header(response, "X-Content-Type-Options", "nosniff");
    header(response, "Content-Security-Policy", reply->file ? page_policy : data_policy);
    header(response, "Location", reply->location);
    header(response, "Set-Cookie", reply->cookie);
    header(response, "Idempotency-Replayed", reply->replayed ? "true" : NULL);
    if (!request->local)
        header(response, "Strict-Transport-Security", "max-age=31536000");
    if (*reply->etag) {
        snprintf(text, sizeof text, "\"%s\"", reply->etag);
        header(response, "ETag", text);
    }
    if (reply->retry_after_s) {
        snprintf(text, sizeof text, "%d", reply->retry_after_s);
        header(response, "Retry-After", text);
    }
    if (reply->status == 401)
        header(response, "WWW-Authenticate", "Bearer realm=\"segue\"");
}

/* GET and unchanged since the client's If-None-Match? */
static bool unchanged(const struct api_request *request, const struct api_reply *reply)
{
    const char *known = api_header(request, "If-None-Match");
    char tag[32];
    snprintf(tag, sizeof tag, "\"%s\"", reply->etag);
    return known && *reply->etag && reply->status == 200 && strcmp(request->method, "GET") == 0 &&
           strstr(known, tag);
}

static struct MHD_Response *file_response(const struct api_request *request,
                                          struct api_reply *reply)
{
    const struct api_file *file = reply->file;
    const char *known = api_header(request, "If-None-Match");
    if (known && strstr(known, file->etag))
        reply->status = 304;
    struct MHD_Response *response =
        reply->status == 304
            ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
            : MHD_create_response_from_buffer(file->length, (void *)(uintptr_t)file->bytes,
                                              MHD_RESPMEM_PERSISTENT);
    if (!response)
        return NULL;
    header(response, "ETag", file->etag);
    if (reply->status != 304) {
        header(response, "Content-Type", file->type);
        header(response, "Content-Encoding", "gzip");
    }
    return response;
}

static struct MHD_Response *response_of(struct api_request *request, struct api_reply *reply)
{
    if (reply->stream)
        return api_stream_response(request);
    if (reply->file)
        return file_response(request, reply);
    if (reply->problem)
        api_error_complete(request, reply);
    bool none = unchanged(request, reply);
    if (none)
        reply->status = 304;
    char *text = none          ? strdup("")
                 : reply->body ? json_dumps(reply->body, JSON_COMPACT | JSON_REAL_PRECISION(9))
                               : reply->text;
    if (reply->body || none)
        free(reply->text);
    if (!text)
        return NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    else if (!none)
        header(response, "Content-Type",
               reply->problem ? "application/problem+json"
               : reply->body  ? "application/json"
                              : reply->type);
    return response;
}

static enum MHD_Result answer(struct api_request *request, struct api_reply *reply,
                              struct slot *slot, struct api_server *server)
{
    struct MHD_Response *response = response_of(request, reply);
    json_decref(reply->body);
    if (!response)
        return MHD_NO;
    add_headers(request, reply, response);
    set_deadline(server, slot, reply->stream ? 0 : ANSWER_S);
    enum MHD_Result queued =
        MHD_queue_response(request->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void refuse_large(struct api_reply *reply)
{
    api_fail(reply, 413, "TOO_LARGE", "send less", "a request has at most %d bytes", API_BODY_MAX);
}

static enum MHD_Result serve(struct listener *listener, struct MHD_Connection *connection,
                             const char *url, const char *method, struct exchange *exchange,
                             bool large)
{
    struct api_request *request = calloc(1, sizeof *request);
    struct api_reply reply = {.status = 200};
    if (!request)
        return MHD_NO;
    request->api = listener->server->api;
    request->connection = connection;
    request->local = listener->local;
    request->method = method;
    request->url = url;
    request->body = exchange->body;
    request->length = exchange->length;
    users_random("", request->id, sizeof request->id);
    name_peer(request);
    if (large)
        refuse_large(&reply);
    else if (!cut_path(request))
        api_fail(&reply, 400, "BAD_ADDRESS", "GET /api/v1/openapi.yaml has every route",
                 "the address is too long, or has something in it that is no text");
    else if (take_body(request, &reply))
        api_dispatch(request, &reply);
    enum MHD_Result queued = answer(request, &reply, exchange->slot, listener->server);
    json_decref(request->json);
    free(request);
    return queued;
}

static bool announced_large(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return length && strtoull(length, NULL, 10) > API_BODY_MAX;
}

static enum MHD_Result take_part(struct exchange *exchange, const char *bytes, size_t *length)
{
    size_t more = *length;
    *length = 0;
    exchange->too_large = exchange->too_large || exchange->length + more > API_BODY_MAX;
    if (exchange->too_large) {
        exchange->length += more;
        return exchange->length > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    char *larger = realloc(exchange->body, exchange->length + more);
    if (!larger)
        return MHD_NO;
    memcpy(larger + exchange->length, bytes, more);
    exchange->body = larger;
    exchange->length += more;
    return MHD_YES;
}

static enum MHD_Result take_request(void *context, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *bytes, size_t *length, void **state)
{
    struct listener *listener = context;
    struct exchange *exchange = *state;
    (void)version;
    if (!exchange) {
        *state = exchange = calloc(1, sizeof *exchange);
        if (!exchange)
            return MHD_NO;
        exchange->server = listener->server;
        exchange->slot = slot_of(connection);
        if (announced_large(connection))
            return serve(listener, connection, url, method, exchange, true);
        return MHD_YES;
    }
    if (*length)
        return take_part(exchange, bytes, length);
    set_deadline(exchange->server, exchange->slot, 0);
    if (exchange->too_large)
        exchange->length = 0;
    return serve(listener, connection, url, method, exchange, exchange->too_large);
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode why)
{
    struct exchange *exchange = *state;
    (void)context, (void)connection, (void)why;
    if (!exchange)
        return;
    set_deadline(exchange->server, exchange->slot, REQUEST_S);
    free(exchange->body);
    free(exchange);
    *state = NULL;
}

/* Segments and parameters are unescaped by ourselves, once they are cut. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void be_quiet(void *context, const char *format, va_list arguments)
{
    (void)context, (void)format, (void)arguments; /* what clients do wrong is no news */
}

/* ---- listeners ---- */

static bool listen_on(struct api_server *server, int fd, bool local, const char *where,
                      char *sentence, size_t bytes)
{
    struct listener *listener = &server->listener[server->listeners];
    const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL_INTERNAL_THREAD |
                           MHD_USE_ERROR_LOG | (local ? 0u : MHD_USE_TLS);
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)be_quiet, NULL},
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, STACK, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connected, listener},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)completed, NULL},
        {local ? MHD_OPTION_END : MHD_OPTION_PER_IP_CONNECTION_LIMIT, PER_ADDRESS, NULL},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    listener->server = server;
    listener->local = local;
    listener->daemon = MHD_start_daemon(flags, 0, NULL, NULL, take_request, listener,
                                        MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!listener->daemon) {
        snprintf(sentence, bytes, "%s: the server cannot begin%s", where,
                 local ? "" : "; look at the certificate and its key");
        close(fd);
        return false;
    }
    server->listeners++;
    return true;
}

static bool listen_unix(struct api_server *server, char *sentence, size_t bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[CONFIG_PATH + 16];
    snprintf(path, sizeof path, "%s/run/api.http", server->api->config->state);
    if (strlen(path) >= sizeof address.sun_path) {
        snprintf(sentence, bytes, "%s is too long for a socket; use a shorter state directory",
                 path);
        return false;
    }
    strcpy(address.sun_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0666) != 0 || listen(fd, CONNECTIONS) != 0) {
        snprintf(sentence, bytes, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    return listen_on(server, fd, true, path, sentence, bytes);
}

/* config_api.c has checked that it is one. */
static socklen_t address_of(const char *text, struct sockaddr_storage *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    in_port_t port = htons((in_port_t)atoi(colon + 1));
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    memset(out, 0, sizeof *out);
    if (host[0] == '[') {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
        host[strlen(host) - 1] = 0;
        six->sin6_family = AF_INET6;
        six->sin6_port = port;
        inet_pton(AF_INET6, host + 1, &six->sin6_addr);
        return sizeof *six;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
    four->sin_family = AF_INET;
    four->sin_port = port;
    inet_pton(AF_INET, host, &four->sin_addr);
    return sizeof *four;
}

static bool listen_https(struct api_server *server, const char *text, char *sentence, size_t bytes)
{
    struct sockaddr_storage address;
    const int one = 1;
    socklen_t length = address_of(text, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (address.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        listen(fd, CONNECTIONS) != 0) {
        snprintf(sentence, bytes, "api.listen: %s: %s%s", text, strerror(errno),
                 errno == EADDRINUSE ? "; use another port" : "");
        if (fd >= 0)
            close(fd);
        return false;
    }
    return listen_on(server, fd, false, text, sentence, bytes);
}

struct api_server *api_server_new(struct api *api, char *certificate, char *key, char *sentence,
                                  size_t bytes)
{
    struct api_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->api = api;
    server->certificate = certificate;
    server->key = key;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->stop, NULL);
    bool good = listen_unix(server, sentence, bytes);
    for (int i = 0; good && i < api->config->api.listens; i++)
        good = listen_https(server, api->config->api.listen[i], sentence, bytes);
    if (good && pthread_create(&server->reaper, NULL, reap, server) == 0)
        return server;
    for (int i = 0; i < server->listeners; i++)
        MHD_stop_daemon(server->listener[i].daemon);
    free(server);
    return NULL;
}

void api_server_free(struct api_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    for (int i = 0; i < SLOTS; i++) /* whoever still waits for a client */
        if (server->slot[i].used && server->slot[i].fd >= 0)
            shutdown(server->slot[i].fd, SHUT_RD);
    pthread_cond_broadcast(&server->stop);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->reaper, NULL);
    for (int i = 0; i < server->listeners; i++)
        MHD_stop_daemon(server->listener[i].daemon);
    free(server);
}
