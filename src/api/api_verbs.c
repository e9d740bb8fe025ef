/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api_run.h"
#include "api/api_state.h"
#include "manage/quantity.h"
#include "manage/statefile.h"
#include "manage/status_json.h"
#include "manage/suggest.h"

/* Changes: a request becomes the command line's verb, which is run as a process of its own. It
 * makes the same checks, gives the change to the group as a command of the protocol, and says what
 * came of it; if it crashes or hangs, nothing here does.
 *
 * V1  With an Idempotency-Key a change is made once. What it creates has an identity that is made
 * of the key, so that the array itself knows a repetition, whichever process asks; how it ended is
 *     kept in STATE/manage/requests.json, over restarts.
 * V2  With If-Match a change is made only to what the client has seen: others wait meanwhile. A
 * verb of the command line that runs in between is not seen. */

enum { RUNNING_MAX = 4, PATIENCE_S = 10, LIMIT_S = 90, KEPT = 500, KEY_MAX = 128, WORDS = 64 };
static const char requests_file[] = "requests.json";

struct api_verbs {
    sem_t running;
    pthread_rwlock_t seen; /* V2 */
    pthread_mutex_t lock;  /* of ... */
    json_t *requests;      /* the oldest first */
};

bool api_verbs_begin(struct api *api)
{
    struct api_verbs *verbs = calloc(1, sizeof *verbs);
    api->verbs = verbs;
    if (!verbs)
        return false;
    sem_init(&verbs->running, 0, RUNNING_MAX);
    pthread_rwlock_init(&verbs->seen, NULL);
    pthread_mutex_init(&verbs->lock, NULL);
    verbs->requests = statefile_load(api->config, requests_file);
    if (!verbs->requests)
        verbs->requests = json_array();
    for (size_t i = 0; i < json_array_size(verbs->requests);
         i++) { /* an earlier process has died */
        json_t *entry = json_array_get(verbs->requests, i);
        if (strcmp(status_text_of(entry, "state"), "running") == 0)
            json_object_set_new(entry, "state", json_string("unknown"));
    }
    return true;
}

/* ---- the words of the command line ---- */

struct words {
    char *at[WORDS];
    size_t count;
    bool failed;
};

static void add_word(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_word(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (words->count + 1 >= WORDS || vasprintf(&words->at[words->count], format, arguments) < 0)
        words->failed = true;
    else
        words->at[++words->count] = NULL;
    va_end(arguments);
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->at[i]);
}

static const struct api_flag *flag_of(const struct api_verb *verb, const char *property)
{
    for (size_t i = 0; i < verb->flags; i++)
        if (strcmp(verb->flag[i].property, property) == 0)
            return &verb->flag[i];
    return NULL;
}

static int argument_of(const struct api_verb *verb, const char *property)
{
    for (size_t i = 0; i < verb->arguments; i++)
        if (strcmp(verb->argument[i], property) == 0)
            return (int)i;
    return -1;
}

/* "a,b" of a list of texts. False: it is none. */
static bool join(const json_t *list, char *out, size_t bytes)
{
    size_t i, used = 0;
    json_t *entry;
    if (!json_is_array(list) || !json_array_size(list))
        return false;
    json_array_foreach(list, i, entry)
    {
        const char *text = json_string_value(entry);
        if (!text || !*text || strchr(text, ','))
            return false;
        used += (size_t)snprintf(out + used, bytes - used, "%s%s", i ? "," : "", text);
        if (used >= bytes)
            return false;
    }
    return true;
}

static const char *wanted_of(enum api_kind kind)
{
    static const char *const wanted[] = {"true or false", "a whole number of bytes",
                                         "a whole number", "a list of texts", "a text"};
    return wanted[kind];
}

static bool add_flag(struct words *words, const struct api_flag *flag, const json_t *value)
{
    char list[4096];
    switch (flag->kind) {
    case API_KIND_FLAG:
        if (json_is_true(value))
            add_word(words, "--%s", flag->word);
        return json_is_boolean(value);
    case API_KIND_BYTES:
    case API_KIND_NUMBER:
        if (json_is_integer(value) && json_integer_value(value) >= 0)
            add_word(words, "--%s=%" JSON_INTEGER_FORMAT, flag->word, json_integer_value(value));
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case API_KIND_LIST:
        if (!join(value, list, sizeof list))
            return false;
        add_word(words, "--%s=%s", flag->word, list);
        return true;
    case API_KIND_TEXT:
        if (!json_is_string(value) || !*json_string_value(value))
            return false;
        add_word(words, "--%s=%s", flag->word, json_string_value(value));
        return true;
    }
    return false;
}

static void unknown_property(const struct api_verb *verb, const char *property,
                             struct api_reply *reply)
{
    const char *names[API_FLAGS + API_ARGUMENTS];
    char remedy[120];
    size_t count = 0;
    for (size_t i = 0; i < verb->flags; i++)
        names[count++] = verb->flag[i].property;
    for (size_t i = 0; i < verb->arguments; i++)
        names[count++] = verb->argument[i];
    const char *near = suggest_word(property, names, count);
    snprintf(remedy, sizeof remedy,
             near ? "did you mean %s" : "GET /api/v1/openapi.yaml has those of every route%.0s",
             near ? near : "");
    api_fail(reply, 400, "BAD_PROPERTY", remedy, "there is no property \"%.40s\" here", property);
}

/* The body's properties as flags and arguments. False: answered. */
static bool take_properties(const struct api_request *request, struct api_reply *reply,
                            struct words *words, const char **arguments)
{
    const struct api_verb *verb = request->route->verb;
    const char *key;
    json_t *value;
    json_object_foreach(request->json, key, value)
    {
        const struct api_flag *flag = flag_of(verb, key);
        int argument = flag ? -1 : argument_of(verb, key);
        if (!flag && (argument < 0 || (argument == 0 && *request->name))) {
            unknown_property(verb, key, reply);
            return false;
        }
        bool good = flag ? add_flag(words, flag, value)
                         : json_is_string(value) && *json_string_value(value);
        if (!good) {
            api_fail(reply, 400, "BAD_PROPERTY", "GET /api/v1/openapi.yaml has its type",
                     "%s takes %s", key, flag ? wanted_of(flag->kind) : "a text");
            return false;
        }
        if (argument >= 0)
            arguments[argument] = json_string_value(value);
    }
    return true;
}

/* A confirmation may stand in the query: a DELETE often has no body. */
static bool take_query(const struct api_request *request, struct api_reply *reply,
                       struct words *words)
{
    static const char *const names[] = {"confirm"};
    char text[API_NAME];
    bool takes = flag_of(request->route->verb, "confirm") != NULL;
    if (!api_query_known(request, reply, names, takes ? 1 : 0))
        return false;
    const char *confirm = takes ? api_query(request, "confirm", text, sizeof text) : NULL;
    if (confirm && *confirm && !json_object_get(request->json, "confirm"))
        add_word(words, "--confirm=%s", confirm);
    return true;
}

static bool check_needed(const struct api_request *request, struct api_reply *reply,
                         const char *const *arguments)
{
    const struct api_verb *verb = request->route->verb;
    const char *missing = NULL;
    for (size_t i = 0; i < verb->flags && !missing; i++)
        if (verb->flag[i].needed && !json_object_get(request->json, verb->flag[i].property))
            missing = verb->flag[i].property;
    for (size_t i = 0; i < verb->arguments && !missing; i++)
        if (i < verb->least ? !arguments[i]
                            : !arguments[i] && i + 1 < verb->arguments && arguments[i + 1])
            missing = verb->argument[i];
    if (!missing)
        return true;
    api_fail(reply, 400, "MISSING_PROPERTY", "add it", "%s is needed", missing);
    return false;
}

static bool make_words(const struct api_request *request, struct api_reply *reply,
                       struct words *words)
{
    const struct api *api = request->api;
    const struct api_verb *verb = request->route->verb;
    const char *arguments[API_ARGUMENTS + 1] = {*request->name ? request->name : NULL};
    add_word(words, "%s", api->setup->program);
    add_word(words, "%s", verb->noun);
    add_word(words, "%s", verb->verb);
    add_word(words, "--state=%s", api->config->state);
    add_word(words, "--output=json");
    if (!take_properties(request, reply, words, arguments) || !take_query(request, reply, words) ||
        !check_needed(request, reply, arguments))
        return false;
    add_word(words, "--");
    for (size_t i = 0; i < verb->arguments && arguments[i]; i++)
        add_word(words, "%s", arguments[i]);
    if (words->failed)
        api_fail(reply, 400, "TOO_LARGE", "send less", "these are too many properties");
    return !words->failed;
}

/* ---- what came of it ---- */

static int status_of(int exit_code, const char *code)
{
    static const int statuses[] = {
        [1] = 500, [2] = 400, [3] = 404, [4] = 403, [5] = 409, [6] = 412, [7] = 503, [8] = 504};
    if (strcmp(code, "NEEDS_CONFIRMATION") == 0)
        return 428;
    if (strcmp(code, "TIMEOUT") == 0)
        return 504;
    return exit_code > 0 && exit_code < 9 ? statuses[exit_code] : 500;
}

/* "segue: what   [CODE]\n  do   what to do" of stderr, where there is no JSON. */
static json_t *error_of_text(const char *text)
{
    char summary[512] = "the command did not say what is wrong", code[64] = "FAILED",
         remedy[256] = "";
    const char *line = strstr(text, "segue: "), *end = line ? strstr(line, "   [") : NULL,
               *doing = end ? strstr(end, "  do   ") : NULL;
    if (end) {
        snprintf(summary, sizeof summary, "%.*s", (int)(end - line - 7), line + 7);
        snprintf(code, sizeof code, "%.*s", (int)strcspn(end + 4, "]\n"), end + 4);
    }
    if (doing)
        snprintf(remedy, sizeof remedy, "%.*s", (int)strcspn(doing + 7, "\n"), doing + 7);
    return json_pack("{s:s, s:s, s:s?}", "code", code, "summary", summary, "remedy",
                     *remedy ? remedy : NULL);
}

/* The last object that was printed: before it there may be words of what went well. */
static json_t *error_of(const struct api_run *run)
{
    const char *at = run->out;
    json_t *error = NULL;
    for (const char *next = at; next && !error; next = strstr(next + 1, "\n{"))
        if (*next == '{' || next != at) {
            json_t *all = json_loads(next, 0, NULL);
            error = json_incref(json_object_get(all, "error"));
            json_decref(all);
        }
    return error ? error : error_of_text(run->error);
}

static void tell_failure(struct api_reply *reply, const struct api_run *run)
{
    json_t *error = error_of(run);
    reply->problem = true;
    reply->status = status_of(run->exit_code, status_text_of(error, "code"));
    reply->body = error;
    if (reply->status == 503)
        reply->retry_after_s = 1;
}

static void tell_unknown(struct api_reply *reply)
{
    api_fail(reply, 504, "OUTCOME_UNKNOWN",
             "send the same request with the same Idempotency-Key again: it is made once",
             "no answer came in time: it may or may not be done");
}

/* The object as it is now. */
static json_t *object_now(struct api_request *request, struct api_reply *reply)
{
    const struct api_list *list = api_list_of(request->route->verb->noun);
    const char *name = *request->name
                           ? request->name
                           : status_text_of(request->json, request->route->verb->argument[0]);
    json_t *all = list ? api_list_now(request->api, list) : NULL;
    json_t *found = all ? json_incref(status_find(all, "name", name)) : NULL;
    json_decref(all);
    if (!found)
        return NULL;
    api_object_etag(list, found, reply->etag, sizeof reply->etag);
    if (strcmp(request->route->verb->verb, "create") == 0)
        snprintf(reply->location, sizeof reply->location, "/api/v1/%s/%.100s", list->plural, name);
    return found;
}

static void tell_success(struct api_request *request, struct api_reply *reply, const char *text)
{
    const struct api_verb *verb = request->route->verb;
    char summary[512];
    snprintf(summary, sizeof summary, "%.*s", (int)strcspn(text, "\n"), text);
    json_t *object = object_now(request, reply), *said = json_string(summary);
    bool created = strcmp(verb->verb, "create") == 0;
    reply->status = created ? 201 : 200;
    reply->body =
        json_pack("{s:o, s:s, s:s, s:o}", "summary", said ? said : json_string(""), "noun",
                  verb->noun, "verb", verb->verb, "object", object ? object : json_null());
}

/* ---- Idempotency-Key ---- */

static void hash_text(char *out, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void hash_text(char *out, size_t bytes, const char *format, ...)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    *out = 0;
    if (length >= 0 && EVP_Digest(text, (size_t)length, digest, NULL, EVP_sha256(), NULL) == 1)
        for (size_t i = 0; i < 32 && 2 * i + 2 < bytes; i++)
            snprintf(out + 2 * i, 3, "%02x", digest[i]);
    if (length >= 0)
        free(text);
}

static void save_requests(struct api *api)
{
    while (json_array_size(api->verbs->requests) > KEPT)
        json_array_remove(api->verbs->requests, 0);
    statefile_save(api->config, requests_file, api->verbs->requests);
}

/* What is known of the key. NULL: go on, and *entry (the caller's) is its entry; else the reply is
 * filled in. */
static bool key_begin(struct api_request *request, struct api_reply *reply, const char *key,
                      char identity[65], json_t **entry)
{
    struct api_verbs *verbs = request->api->verbs;
    char what[65];
    char *body = request->json ? json_dumps(request->json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *confirm =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "confirm");
    hash_text(identity, 65, "%s %s", request->caller.name, key);
    hash_text(what, sizeof what, "%s %s %s %s", request->method, request->url, body ? body : "",
              confirm ? confirm : "");
    free(body);
    pthread_mutex_lock(&verbs->lock);
    json_t *known = status_find(verbs->requests, "key", identity);
    const char *state = status_text_of(known, "state");
    if (known && strcmp(status_text_of(known, "what"), what) != 0)
        api_fail(reply, 422, "KEY_USED", "take a new key for another request",
                 "this Idempotency-Key was used for another request");
    else if (strcmp(state, "running") == 0)
        api_fail(reply, 409, "STILL_RUNNING", "ask again in a moment",
                 "the request with this Idempotency-Key is still under way");
    else if (strcmp(state, "done") == 0) {
        reply->status = (int)status_number_of(known, "status");
        reply->problem = reply->status >= 400;
        reply->body = json_deep_copy(json_object_get(known, "body"));
        reply->replayed = true;
    } else {
        if (!known) {
            known = json_pack("{s:s, s:s}", "key", identity, "what", what);
            json_array_append_new(verbs->requests, known);
        }
        json_object_set_new(known, "again", json_boolean(*state));
        json_object_set_new(known, "state", json_string("running"));
        *entry = json_incref(known);
        save_requests(request->api);
    }
    pthread_mutex_unlock(&verbs->lock);
    return *entry != NULL;
}

/* Unknown outcomes, and refusals that may be over in a moment, can be asked for again. */
static void key_end(struct api *api, const struct api_reply *reply, json_t *entry)
{
    bool over = reply->status < 500 && reply->status != 428;
    pthread_mutex_lock(&api->verbs->lock);
    json_object_set_new(entry, "state", json_string(over ? "done" : "unknown"));
    if (over) {
        json_object_set_new(entry, "status", json_integer(reply->status));
        json_object_set_new(entry, "body", json_deep_copy(reply->body));
    }
    save_requests(api);
    pthread_mutex_unlock(&api->verbs->lock);
    json_decref(entry);
}

/* ---- If-Match ---- */

/* Of the object, or of the whole array where there is none yet. */
static bool still_so(struct api_request *request, struct api_reply *reply, const char *wanted)
{
    char now[24] = "", quoted[32];
    const struct api_list *list = api_list_of(request->route->verb->noun);
    api_status_changed(request->api);
    if (list && *request->name) {
        json_t *all = api_list_now(request->api, list);
        api_object_etag(list, status_find(all, "name", request->name), now, sizeof now);
        json_decref(all);
    } else {
        json_t *status = api_status(request->api, 0);
        if (status)
            api_generation(status, now, sizeof now);
        json_decref(status);
    }
    snprintf(quoted, sizeof quoted, "\"%s\"", now);
    if (*now && (strcmp(wanted, "*") == 0 || strstr(wanted, quoted)))
        return true;
    api_fail(reply, 412, "CONFLICT", "read it again, and decide again",
             "it is not any more as the client saw it (If-Match)");
    return false;
}

/* ---- running ---- */

static void run_words(struct api_request *request, struct api_reply *reply, struct words *words,
                      const char *identity, bool again)
{
    struct api_run run;
    bool ran = api_run_program(words->at, *identity ? identity : NULL, LIMIT_S, &run);
    api_status_changed(request->api);
    if (!ran) {
        api_fail(reply, 500, "NOT_STARTED", "look at the memory and the processes of this machine",
                 "%s could not be started", words->at[0]);
    } else if (run.timed_out) {
        tell_unknown(reply);
    } else if (run.exit_code == 0) {
        tell_success(request, reply, run.out);
    } else {
        tell_failure(reply, &run);
        if (again && reply->status == 404 && strcmp(request->method, "DELETE") == 0) {
            json_decref(reply->body); /* V1: the first try did it */
            reply->body = NULL;
            reply->problem = false;
            tell_success(request, reply, "it is gone");
        }
    }
    api_run_free(&run);
}

static void run_locked(struct api_request *request, struct api_reply *reply, struct words *words,
                       const char *identity, bool again)
{
    struct api_verbs *verbs = request->api->verbs;
    const char *match = api_header(request, "If-Match");
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    bool locked = (match ? pthread_rwlock_timedwrlock(&verbs->seen, &until)
                         : pthread_rwlock_timedrdlock(&verbs->seen, &until)) == 0;
    if (!locked || sem_timedwait(&verbs->running, &until) != 0) {
        reply->retry_after_s = 5;
        api_fail(reply, 503, "BUSY", "ask again in a moment", "other changes are under way");
    } else {
        if (!match || still_so(request, reply, match))
            run_words(request, reply, words, identity, again);
        sem_post(&verbs->running);
    }
    if (locked)
        pthread_rwlock_unlock(&verbs->seen);
}

static void audit(struct api_request *request, const struct api_reply *reply)
{
    const struct api_verb *verb = request->route->verb;
    const char *name =
        *request->name ? request->name : status_text_of(request->json, verb->argument[0]);
    char plain[64];
    size_t i = 0;
    for (; name[i] && i + 1 < sizeof plain; i++)
        plain[i] = (unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 127 ? '?' : name[i];
    plain[i] = 0;
    const char *outcome = !reply->problem        ? "done"
                          : reply->status == 504 ? "unknown"
                                                 : status_text_of(reply->body, "code");
    api_journal(request->api,
                "audit user=%s role=%s action=%s.%s object=%s/%s outcome=%s request=%s peer=%s",
                request->caller.name, users_role_name(request->caller.role), verb->noun, verb->verb,
                verb->noun, plain, outcome, request->id, request->peer);
}

void api_verb_run(struct api_request *request, struct api_reply *reply)
{
    struct words words = {.count = 0};
    const char *key = api_header(request, "Idempotency-Key");
    char identity[65] = "";
    json_t *entry = NULL;
    if (!make_words(request, reply, &words)) {
        free_words(&words);
        return;
    }
    if (key && (!*key || strlen(key) > KEY_MAX)) {
        api_fail(reply, 400, "BAD_KEY", "take a UUID", "an Idempotency-Key has 1 to %d characters",
                 KEY_MAX);
    } else if (!key || key_begin(request, reply, key, identity, &entry)) {
        run_locked(request, reply, &words, identity, status_flag_of(entry, "again"));
        audit(request, reply);
        if (entry)
            key_end(request->api, reply, entry);
    }
    free_words(&words);
}
