/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api_series.h"
#include "api/api_state.h"
#include "manage/client.h"
#include "manage/events.h"
#include "manage/journal.h"
#include "manage/status_json.h"

/* The state of the array, asked for once for all clients, and what is new in it.
 *
 * W1  However many clients ask, the processes of the array are asked at most every LEAST_NS, and by
 *     one thread at a time: reading costs the data path the same as one `segue status` now and
 * then. */

static const uint64_t least_ns = UINT64_C(100000000), metrics_age_ns = UINT64_C(1000000000);
enum { TICK_MS = 100, HEALTH_MS = 1000, JOURNAL_TEXT = 520 };

struct api_watch {
    struct api *api;
    pthread_mutex_t lock;   /* of what follows */
    pthread_mutex_t asking; /* one asks, the others wait for what he hears */
    json_t *status;         /* NULL: nobody has answered */
    json_t *metrics;        /* what the processes have answered */
    uint64_t asked_ns, metrics_ns;
    bool changed;

    pthread_t thread;
    pthread_cond_t wake;
    bool stopping;
    json_t *checks; /* as they were: "CODE object" -> severity */
    struct events_tail *tail;
    struct series *series; /* under the lock */
};

void api_journal(struct api *api, const char *format, ...)
{
    char path[CONFIG_PATH + 24], text[JOURNAL_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(path, sizeof path, "%s/log/api.events", api->config->state);
    journal_append(path, "info", "api", text);
}

/* ---- the state ---- */

static json_t *kept(struct api_watch *watch, uint64_t age_ns)
{
    pthread_mutex_lock(&watch->lock);
    uint64_t age = watch->asked_ns ? api_now_ns() - watch->asked_ns : UINT64_MAX;
    bool fresh = age <= (watch->changed ? 0 : age_ns > least_ns ? age_ns : least_ns);
    json_t *status = fresh ? json_incref(watch->status) : NULL;
    if (fresh && !status)
        status = json_null();
    pthread_mutex_unlock(&watch->lock);
    return status;
}

static json_t *ask(struct api_watch *watch)
{
    size_t answered = 0;
    pthread_mutex_lock(&watch->lock);
    watch->changed = false;
    pthread_mutex_unlock(&watch->lock);
    json_t *status = watch->api->setup->status(&answered);
    if (!answered) {
        json_decref(status);
        status = NULL;
    }
    pthread_mutex_lock(&watch->lock);
    json_decref(watch->status);
    watch->status = json_incref(status);
    watch->asked_ns = api_now_ns();
    pthread_mutex_unlock(&watch->lock);
    return status;
}

json_t *api_status(struct api *api, uint64_t age_ns)
{
    struct api_watch *watch = api->watch;
    json_t *status = kept(watch, age_ns);
    if (!status) {
        pthread_mutex_lock(&watch->asking);
        status = kept(watch, age_ns); /* another has asked while we waited */
        if (!status)
            status = ask(watch);
        pthread_mutex_unlock(&watch->asking);
    }
    return json_is_null(status) ? NULL : status;
}

json_t *api_metrics_answers(struct api *api)
{
    struct api_watch *watch = api->watch;
    const struct config *config = api->config;
    struct client_call calls[CONFIG_PROCESS_MAX];
    char sockets[CONFIG_PROCESS_MAX][CONFIG_PATH];
    pthread_mutex_lock(&watch->asking); /* W1 */
    if (watch->metrics && api_now_ns() - watch->metrics_ns < metrics_age_ns) {
        json_t *kept_answers = json_incref(watch->metrics);
        pthread_mutex_unlock(&watch->asking);
        return kept_answers;
    }
    for (int i = 0; i < config->processes; i++) {
        config_socket_path(config, i, sockets[i], sizeof sockets[i]);
        calls[i] = (struct client_call){.socket = sockets[i]};
    }
    json_t *question = json_pack("{s:s}", "verb", "metrics"), *answers = json_array();
    client_ask(calls, config->processes, question, 1000);
    json_decref(question);
    for (int i = 0; i < config->processes; i++)
        if (calls[i].answer)
            json_array_append_new(answers, calls[i].answer);
    json_decref(watch->metrics);
    watch->metrics = json_incref(answers);
    watch->metrics_ns = api_now_ns();
    pthread_mutex_unlock(&watch->asking);
    return answers;
}

void api_status_changed(struct api *api)
{
    pthread_mutex_lock(&api->watch->lock);
    api->watch->changed = true;
    pthread_mutex_unlock(&api->watch->lock);
}

/* ---- what is new ---- */

static json_t *checks_of(const json_t *status)
{
    json_t *checks = json_object(), *check;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(status, "health"), "checks"), i, check)
    {
        char key[160];
        snprintf(key, sizeof key, "%s object=%s", status_text_of(check, "code"),
                 status_text_of(check, "object"));
        json_object_set(checks, key, json_object_get(check, "severity"));
    }
    return checks;
}

static void tell_differences(struct api_watch *watch, const json_t *before, const json_t *now,
                             const char *state)
{
    const char *key;
    json_t *severity;
    json_object_foreach((json_t *)(uintptr_t)now, key, severity)
    {
        if (!json_object_get(before, key))
            api_journal(watch->api, "health check=%s severity=%s state=%s", key,
                        json_string_value(severity), state);
    }
}

static void look_at_rates(struct api_watch *watch, const json_t *status)
{
    const char *time = status_text_of(status, "time");
    json_t *answers = api_metrics_answers(watch->api);
    pthread_mutex_lock(&watch->lock);
    const json_t *rates = series_take(watch->series, answers, time, (double)api_now_ns() / 1e9);
    json_t *told = rates ? json_deep_copy(rates) : json_null();
    pthread_mutex_unlock(&watch->lock);
    json_decref(answers);
    if (api_stream_wanted(watch->api, "metrics"))
        api_stream_event(watch->api, "metrics", NULL,
                         json_pack("{s:s, s:O, s:O, s:O}", "time", time, "rates", told, "groups",
                                   json_object_get(status, "groups"), "switches",
                                   json_object_get(status, "switches")));
    json_decref(told);
}

json_t *api_series(struct api *api)
{
    pthread_mutex_lock(&api->watch->lock);
    json_t *all = series_all(api->watch->series);
    pthread_mutex_unlock(&api->watch->lock);
    return all;
}

/* What began while nobody looked is told as if it began now. */
static void look_at_health(struct api_watch *watch)
{
    json_t *status = api_status(watch->api, MS(500));
    if (!status)
        return;
    json_t *checks = checks_of(status);
    bool same = json_equal(checks, watch->checks);
    if (!same) {
        tell_differences(watch, watch->checks, checks, "begins");
        tell_differences(watch, checks, watch->checks, "clears");
        api_stream_event(watch->api, "health", NULL,
                         json_deep_copy(json_object_get(status, "health")));
    }
    json_decref(watch->checks);
    watch->checks = checks;
    look_at_rates(watch, status);
    json_decref(status);
}

static void look_at_events(struct api_watch *watch)
{
    size_t i;
    json_t *event, *events = events_tail_next(watch->tail);
    json_array_foreach(events, i, event)
        api_stream_event(watch->api, "events", status_text_of(event, "id"), json_incref(event));
    json_decref(events);
}

static void *run(void *context)
{
    struct api_watch *watch = context;
    uint64_t looked_ns = 0;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stopping) {
        struct timespec until;
        pthread_mutex_unlock(&watch->lock);
        if (api_now_ns() - looked_ns >= MS(HEALTH_MS)) {
            looked_ns = api_now_ns();
            look_at_health(watch);
        }
        look_at_events(watch);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&watch->lock);
        if (!watch->stopping)
            pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

struct api_watch *api_watch_new(struct api *api, char *sentence, size_t bytes)
{
    struct api_watch *watch = calloc(1, sizeof *watch);
    snprintf(sentence, bytes, "no memory");
    if (!watch)
        return NULL;
    api->watch = watch;
    watch->api = api;
    watch->checks = json_object();
    watch->tail = events_tail_new(api->config);
    watch->series = series_new();
    pthread_mutex_init(&watch->lock, NULL);
    pthread_mutex_init(&watch->asking, NULL);
    pthread_cond_init(&watch->wake, NULL);
    if (watch->tail && watch->series && pthread_create(&watch->thread, NULL, run, watch) == 0)
        return watch;
    events_tail_free(watch->tail);
    series_free(watch->series);
    json_decref(watch->checks);
    free(watch);
    return NULL;
}

void api_watch_free(struct api_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_broadcast(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    events_tail_free(watch->tail);
    series_free(watch->series);
    json_decref(watch->checks);
    json_decref(watch->status);
    json_decref(watch->metrics);
    free(watch);
}
