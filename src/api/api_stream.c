/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api_state.h"
#include "manage/events.h"
#include "manage/status_json.h"

/* Server-sent events: what happens from now on, or since the last id that the client has had.
 *
 * E1  Every stream reads one ring at its own pace. Who is too slow misses what the ring has
 * dropped, is told so, and holds up nobody. */

enum { RING = 1024, PIECE_MAX = 256 << 10, HEARTBEAT_S = 10 };

static const char *const topics[] = {"events", "health", "metrics"};
enum { TOPICS = sizeof topics / sizeof topics[0] };

struct entry {
    int topic;
    char *text; /* as it is sent */
    size_t length;
};

struct api_streams {
    pthread_mutex_t lock;
    pthread_cond_t added;
    struct entry ring[RING];
    uint64_t count; /* that were ever added */
    int open, wanted[TOPICS];
};

struct stream {
    struct api *api;
    unsigned topics; /* bit t */
    uint64_t next;
    char *text; /* what is being sent */
    size_t length, at;
};

bool api_stream_begin(struct api *api)
{
    api->streams = calloc(1, sizeof *api->streams);
    if (!api->streams)
        return false;
    pthread_mutex_init(&api->streams->lock, NULL);
    pthread_cond_init(&api->streams->added, NULL);
    return true;
}

static int topic_of(const char *word, size_t length)
{
    for (int t = 0; t < TOPICS; t++)
        if (strlen(topics[t]) == length && strncmp(topics[t], word, length) == 0)
            return t;
    return -1;
}

static char *text_of(const char *topic, const char *id, const json_t *data)
{
    char *json = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9)), *text = NULL;
    if (json && asprintf(&text, "event: %s\n%s%s%sdata: %s\n\n", topic, id ? "id: " : "",
                         id ? id : "", id ? "\n" : "", json) < 0)
        text = NULL;
    free(json);
    return text;
}

void api_stream_event(struct api *api, const char *topic, const char *id, json_t *data)
{
    struct api_streams *streams = api->streams;
    char *text = data ? text_of(topic, id, data) : NULL;
    json_decref(data);
    if (!text)
        return;
    pthread_mutex_lock(&streams->lock);
    struct entry *entry = &streams->ring[streams->count++ % RING];
    free(entry->text);
    *entry = (struct entry){topic_of(topic, strlen(topic)), text, strlen(text)};
    pthread_cond_broadcast(&streams->added);
    pthread_mutex_unlock(&streams->lock);
}

bool api_stream_wanted(struct api *api, const char *topic)
{
    int t = topic_of(topic, strlen(topic));
    pthread_mutex_lock(&api->streams->lock);
    bool wanted = t >= 0 && api->streams->wanted[t] > 0;
    pthread_mutex_unlock(&api->streams->lock);
    return wanted;
}

void api_stream_stop(struct api *api)
{
    pthread_mutex_lock(&api->streams->lock);
    api->stopping = true;
    pthread_cond_broadcast(&api->streams->added);
    pthread_mutex_unlock(&api->streams->lock);
}

/* ---- one stream ---- */

static bool append(struct stream *stream, const char *text, size_t length)
{
    char *larger = realloc(stream->text, stream->length + length);
    if (!larger)
        return false;
    memcpy(larger + stream->length, text, length);
    stream->text = larger;
    stream->length += length;
    return true;
}

/* What the ring has for it, under the lock. */
static void gather(struct stream *stream)
{
    static const char missed[] = "event: missed\ndata: {}\n\n";
    struct api_streams *streams = stream->api->streams;
    if (streams->count - stream->next > RING) {
        stream->next = streams->count - RING;
        append(stream, missed, sizeof missed - 1);
    }
    while (stream->next < streams->count && stream->length < PIECE_MAX) {
        const struct entry *entry = &streams->ring[stream->next++ % RING];
        if (stream->topics >> entry->topic & 1 && !append(stream, entry->text, entry->length))
            return;
    }
}

/* Waits for something to send; a comment now and then shows that both still live. */
static bool fill(struct stream *stream)
{
    static const char heartbeat[] = ": still here\n\n";
    struct api_streams *streams = stream->api->streams;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HEARTBEAT_S;
    stream->length = stream->at = 0;
    pthread_mutex_lock(&streams->lock);
    gather(stream);
    while (!stream->length && !stream->api->stopping)
        if (pthread_cond_timedwait(&streams->added, &streams->lock, &until) != 0)
            append(stream, heartbeat, sizeof heartbeat - 1);
        else
            gather(stream);
    bool more = stream->length > 0 && !stream->api->stopping;
    pthread_mutex_unlock(&streams->lock);
    return more;
}

static ssize_t read_more(void *context, uint64_t position, char *out, size_t most)
{
    struct stream *stream = context;
    (void)position;
    if (stream->at == stream->length && !fill(stream))
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t length = stream->length - stream->at;
    if (length > most)
        length = most;
    memcpy(out, stream->text + stream->at, length);
    stream->at += length;
    return (ssize_t)length;
}

static void end(void *context)
{
    struct stream *stream = context;
    struct api_streams *streams = stream->api->streams;
    pthread_mutex_lock(&streams->lock);
    streams->open--;
    for (int t = 0; t < TOPICS; t++)
        streams->wanted[t] -= (int)(stream->topics >> t & 1);
    pthread_mutex_unlock(&streams->lock);
    free(stream->text);
    free(stream);
}

/* The events that the client has missed since. */
static void catch_up(const struct api_request *request, struct stream *stream)
{
    const char *last = api_header(request, "Last-Event-ID");
    const struct events_filter filter = {.after = last, .limit = RING};
    size_t i;
    json_t *event;
    if (!last || !(stream->topics & 1))
        return;
    json_t *events = events_read(request->api->config, &filter);
    json_array_foreach(events, i, event)
    {
        char *text = text_of("events", status_text_of(event, "id"), event);
        if (text)
            append(stream, text, strlen(text));
        free(text);
    }
    json_decref(events);
}

/* 0: a topic is none. */
static unsigned topics_of(const char *list)
{
    unsigned chosen = 0;
    for (; *list; list += strcspn(list, ","), list += *list == ',') {
        int t = topic_of(list, strcspn(list, ","));
        if (t < 0)
            return 0;
        chosen |= 1u << t;
    }
    return chosen;
}

void api_stream_get(struct api_request *request, struct api_reply *reply)
{
    char list[128];
    const char *given = api_query(request, "topics", list, sizeof list);
    struct api_streams *streams = request->api->streams;
    if (given && !topics_of(given)) {
        api_fail(reply, 400, "BAD_PARAMETER", "choose of events, health, metrics",
                 "topics: \"%.60s\" is no list of them", given);
        return;
    }
    pthread_mutex_lock(&streams->lock);
    reply->stream = streams->open < API_STREAMS_MAX;
    pthread_mutex_unlock(&streams->lock);
    if (reply->stream)
        return;
    reply->retry_after_s = 10;
    api_fail(reply, 503, "TOO_MANY_STREAMS", "end one, or read GET /api/v1/events now and then",
             "%d streams of events are open", API_STREAMS_MAX);
}

struct MHD_Response *api_stream_response(struct api_request *request)
{
    char list[128];
    const char *given = api_query(request, "topics", list, sizeof list);
    struct api_streams *streams = request->api->streams;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->api = request->api;
    stream->topics = given ? topics_of(given) : 1;
    static const char hello[] = "retry: 2000\n\n";
    append(stream, hello, sizeof hello - 1);
    pthread_mutex_lock(&streams->lock);
    streams->open++;
    stream->next = streams->count;
    for (int t = 0; t < TOPICS; t++)
        streams->wanted[t] += (int)(stream->topics >> t & 1);
    pthread_mutex_unlock(&streams->lock);
    catch_up(request, stream);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 << 10, read_more, stream, end);
    if (response)
        MHD_add_response_header(response, "Content-Type", "text/event-stream");
    else
        end(stream);
    return response;
}
