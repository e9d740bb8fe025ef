/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_metrics.h"
#include "api/api_state.h"
#include "manage/catalogue.h"
#include "manage/events.h"
#include "manage/quantity.h"
#include "manage/status.h"
#include "manage/status_json.h"
#include "manage/takeovers.h"

/* The routes that read something other than a list of objects. */

static json_t *status_or_fail(struct api_request *request, struct api_reply *reply)
{
    json_t *status = api_status(request->api, MS(250));
    if (!status)
        api_fail(reply, 503, "UNREACHABLE", "start it: segue up", "no process of array %s answers",
                 request->api->config->array);
    return status;
}

void api_root_get(struct api_request *request, struct api_reply *reply)
{
    reply->body =
        json_pack("{s:s, s:s, s:s, s:s}", "api", "v1", "array", request->api->config->array,
                  "version", request->api->setup->version, "openapi", "/api/v1/openapi.yaml");
}

void api_status_get(struct api_request *request, struct api_reply *reply)
{
    json_t *status =
        api_query_known(request, reply, NULL, 0) ? status_or_fail(request, reply) : NULL;
    if (!status)
        return;
    reply->body = json_copy(status);
    api_generation(status, reply->etag, sizeof reply->etag);
    json_object_set_new(reply->body, "generation", json_string(reply->etag));
    json_decref(status);
}

void api_health_get(struct api_request *request, struct api_reply *reply)
{
    json_t *status =
        api_query_known(request, reply, NULL, 0) ? status_or_fail(request, reply) : NULL;
    if (!status)
        return;
    reply->body = json_incref(json_object_get(status, "health"));
    json_decref(status);
}

/* ---- events ---- */

enum { EVENTS_MOST = 1000 };

/* "2h", or a time as events have it. False: answered. */
static bool take_since(const struct api_request *request, struct api_reply *reply, char *out,
                       size_t bytes, const char **since)
{
    char text[64];
    uint64_t ago_ns;
    const char *given = api_query(request, "since", text, sizeof text);
    *since = given ? out : NULL;
    if (!given)
        return true;
    if (quantity_time(given, &ago_ns)) {
        events_time_before(ago_ns, out, bytes);
        return true;
    }
    snprintf(out, bytes, "%s", given);
    if (strlen(given) >= 10 && given[4] == '-' && given[7] == '-')
        return true;
    api_fail(reply, 400, "BAD_PARAMETER", "write one such as 2h, or 2026-11-22T14:00",
             "since: \"%.40s\" is no time", given);
    return false;
}

static bool take_limit(const struct api_request *request, struct api_reply *reply, size_t *limit)
{
    char text[32];
    uint64_t number = EVENTS_MOST;
    const char *given = api_query(request, "limit", text, sizeof text);
    *limit = EVENTS_MOST;
    if (given && (!quantity_number(given, &number) || number < 1 || number > EVENTS_MOST)) {
        api_fail(reply, 400, "BAD_PARAMETER", "give a number from 1 to 1000",
                 "limit: \"%.20s\" is not such a number", given);
        return false;
    }
    *limit = number;
    return true;
}

static bool take_codes(struct api_reply *reply, const char *codes)
{
    char code[64], remedy[80];
    for (const char *at = codes; at && *at; at += strcspn(at, ","), at += *at == ',') {
        snprintf(code, sizeof code, "%.*s", (int)strcspn(at, ","), at);
        if (catalogue_find(code))
            continue;
        const char *near = catalogue_suggest(code);
        snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "GET /api/v1/codes has all%.0s",
                 near ? near : "");
        api_fail(reply, 400, "BAD_PARAMETER", remedy, "code: there is no code %.40s", code);
        return false;
    }
    return true;
}

void api_events_get(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"since", "after", "object", "code", "limit", "topics"};
    char since[64], after[96], object[128], codes[256];
    const char *accept = api_header(request, "Accept");
    struct events_filter filter = {.after = api_query(request, "after", after, sizeof after),
                                   .object = api_query(request, "object", object, sizeof object),
                                   .code = api_query(request, "code", codes, sizeof codes)};
    if (!api_query_known(request, reply, names, 6))
        return;
    if ((accept && strstr(accept, "text/event-stream")) ||
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "topics")) {
        api_stream_get(request, reply);
        return;
    }
    if (!take_since(request, reply, since, sizeof since, &filter.since) ||
        !take_limit(request, reply, &filter.limit) || !take_codes(reply, filter.code))
        return;
    reply->body = json_pack("{s:o}", "events", events_read(request->api->config, &filter));
}

void api_series_get(struct api_request *request, struct api_reply *reply)
{
    if (api_query_known(request, reply, NULL, 0))
        reply->body = json_pack("{s:o}", "series", api_series(request->api));
}

void api_takeovers_get(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"group", "limit", "since"};
    char group[CONFIG_NAME], since[64];
    struct events_filter filter = {.code = "TAKEOVER_BEGINS,TAKEOVER_PHASE,TAKEOVER"};
    size_t limit;
    const char *of = api_query(request, "group", group, sizeof group);
    if (!api_query_known(request, reply, names, 3) || !take_limit(request, reply, &limit) ||
        !take_since(request, reply, since, sizeof since, &filter.since))
        return;
    json_t *events = events_read(request->api->config, &filter),
           *takeovers = takeovers_of_events(events, of);
    while (json_array_size(takeovers) > limit)
        json_array_remove(takeovers, 0);
    reply->body = json_pack("{s:o}", "takeovers", takeovers);
    json_decref(events);
}

/* ---- codes ---- */

void api_codes_get(struct api_request *request, struct api_reply *reply)
{
    json_t *codes = json_array();
    (void)request;
    for (size_t i = 0; i < catalogue_count(); i++)
        json_array_append_new(codes, catalogue_json(catalogue_at(i)));
    reply->body = json_pack("{s:o}", "codes", codes);
}

void api_code_get(struct api_request *request, struct api_reply *reply)
{
    char remedy[64];
    const struct catalogue_entry *entry = catalogue_find(request->name);
    const char *near = catalogue_suggest(request->name);
    snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "GET /api/v1/codes has all%.0s",
             near ? near : "");
    if (entry)
        reply->body = catalogue_json(entry);
    else
        api_fail(reply, 404, "NO_SUCH_CODE", remedy, "there is no code %.40s", request->name);
}

/* ---- for machines ---- */

void api_metrics_get(struct api_request *request, struct api_reply *reply)
{
    json_t *status =
        api_query_known(request, reply, NULL, 0) ? status_or_fail(request, reply) : NULL;
    if (!status)
        return;
    json_t *answers = api_metrics_answers(request->api);
    reply->text = api_metrics_text(status, answers, request->api->setup->version);
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    json_decref(answers);
    json_decref(status);
}

void api_healthz_get(struct api_request *request, struct api_reply *reply)
{
    (void)request;
    reply->body = json_pack("{s:s}", "state", "alive");
}

/* It says no more than that: nobody is logged in. */
void api_readyz_get(struct api_request *request, struct api_reply *reply)
{
    json_t *status = api_status(request->api, MS(1000));
    bool serving = status && status_serving(status);
    json_decref(status);
    reply->status = serving ? 200 : 503;
    reply->body = json_pack("{s:b}", "serving", serving);
}

void api_openapi_get(struct api_request *request, struct api_reply *reply)
{
    json_t *document = api_openapi(request->api);
    if (strcmp(request->segment[request->segments - 1], "openapi.json") == 0) {
        reply->body = document;
        return;
    }
    reply->text = api_yaml(document);
    reply->type = "application/yaml";
    json_decref(document);
}
