/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_state.h"
#include "manage/events.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/suggest.h"

/* What there is: lists of objects, from the array's merged state. */

static const struct api_list lists[] = {
    {"groups", "group", "groups", "The groups: who is in charge, who is in sync", "Group",
     "name members"},
    {"units", "unit", "units", "The array controller units", "Unit", "name module group"},
    {"switches", "switch", "switches", "The interface switches and their hosts' sessions", "Switch",
     "name drained portals"},
    {"loops", "loop", "loops", "The loop switches, their fences and drives", "Loop", "name tray"},
    {"trays", "tray", "trays", "The drive trays", "Tray", "name loop"},
    {"drives", "drive", "drives", "The drives of all trays", "Drive", "name serial group"},
    {"pools", "pool", "pools", "The pools", "Pool",
     "name uuid group level cache chunk_bytes size_bytes drives"},
    {"volumes", "volume", "volumes", "The volumes", "Volume",
     "name uuid pool group size_bytes block_bytes read_only lun"},
    {"hosts", "host", "hosts", "The hosts, their initiators and LUNs", "Host",
     "name initiators chap_user luns"},
    {"processes", "process", "processes", "The processes of the array", "Process", "name"},
};

const struct api_list *api_lists(size_t *count)
{
    *count = sizeof lists / sizeof lists[0];
    return lists;
}

const struct api_list *api_list_of(const char *singular)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(lists[i].singular, singular) == 0)
            return &lists[i];
    return NULL;
}

/* ---- from the status ---- */

static json_t *drives_of(const json_t *status)
{
    json_t *all = json_array(), *loop, *drive;
    size_t l, d;
    json_array_foreach(json_object_get(status, "loops"), l, loop)
        json_array_foreach(json_object_get(loop, "drives"), d, drive)
    {
        json_t *copy = json_copy(drive);
        json_object_set(copy, "tray", json_object_get(loop, "tray"));
        json_array_append_new(all, copy);
    }
    return all;
}

static json_t *trays_of(const json_t *status)
{
    json_t *all = json_array(), *loop, *drive;
    size_t l, d;
    json_array_foreach(json_object_get(status, "loops"), l, loop)
    {
        size_t online = 0;
        json_t *names = json_array(), *banks = json_object_get(loop, "banks");
        json_array_foreach(json_object_get(loop, "drives"), d, drive)
        {
            online += status_flag_of(drive, "online");
            json_array_append(names, json_object_get(drive, "name"));
        }
        json_array_append_new(all, json_pack("{s:s, s:s, s:o, s:I, s:O?}", "name",
                                             status_text_of(loop, "tray"), "loop",
                                             status_text_of(loop, "name"), "drives", names,
                                             "drives_online", (json_int_t)online, "banks", banks));
    }
    return all;
}

/* The processes count from the start of the machine; people want the time of day. */
static void give_times(json_t *object)
{
    char since[32];
    uint64_t now = status_number_of(object, "now_ns"), then = status_number_of(object, "since_ns");
    if (now && then && then <= now) {
        events_time_before(now - then, since, sizeof since);
        snprintf(since + 19, sizeof since - 19, "Z");
        json_object_set_new(object, "since", json_string(since));
    }
    json_object_del(object, "now_ns");
    json_object_del(object, "since_ns");
    json_object_del(object, "started_ns");
}

static json_t *list_of(const json_t *status, const struct api_list *list)
{
    if (strcmp(list->key, "drives") == 0)
        return drives_of(status);
    if (strcmp(list->key, "trays") == 0)
        return trays_of(status);
    json_t *all = json_array(), *entry;
    size_t i;
    json_array_foreach(json_object_get(status, list->key), i, entry)
    {
        json_t *copy = json_copy(entry);
        give_times(copy);
        json_array_append_new(all, copy);
    }
    return all;
}

json_t *api_list_now(struct api *api, const struct api_list *list)
{
    json_t *status = api_status(api, MS(250)), *all = status ? list_of(status, list) : NULL;
    json_decref(status);
    return all;
}

/* ---- what people have set ---- */

static void hash_of(json_t *what, char *out, size_t bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char *text = json_dumps(what, JSON_COMPACT | JSON_SORT_KEYS);
    *out = 0;
    if (text && EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) == 1)
        for (size_t i = 0; i < 8 && 2 * i + 2 < bytes; i++)
            snprintf(out + 2 * i, 3, "%02x", digest[i]);
    free(text);
    json_decref(what);
}

static json_t *configured_of(const struct api_list *list, const json_t *object)
{
    json_t *kept = json_object();
    for (const char *at = list->configured; *at; at += strcspn(at, " "), at += *at == ' ') {
        char key[48];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(at, " "), at);
        json_t *value = json_object_get(object, key);
        if (value)
            json_object_set(kept, key, value);
    }
    return kept;
}

void api_object_etag(const struct api_list *list, const json_t *object, char *out, size_t bytes)
{
    *out = 0;
    if (object)
        hash_of(configured_of(list, object), out, bytes);
}

void api_generation(const json_t *status, char *out, size_t bytes)
{
    json_t *all = json_object(), *entry;
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        json_t *entries = list_of(status, &lists[l]), *kept = json_array();
        size_t i;
        json_array_foreach(entries, i, entry)
            json_array_append_new(kept, configured_of(&lists[l], entry));
        json_object_set_new(all, lists[l].key, kept);
        json_decref(entries);
    }
    hash_of(all, out, bytes);
}

/* ---- GET ---- */

static void nobody_answers(struct api_request *request, struct api_reply *reply)
{
    api_fail(reply, 503, "UNREACHABLE", "start it: segue up", "no process of array %s answers",
             request->api->config->array);
}

/* False: answered. */
static bool take_number(const struct api_request *request, struct api_reply *reply,
                        const char *name, uint64_t most, uint64_t *number)
{
    char text[64];
    const char *given = api_query(request, name, text, sizeof text);
    if (!given || (quantity_number(given, number) && *number >= 1 && *number <= most))
        return true;
    api_fail(reply, 400, "BAD_PARAMETER", "give a number from 1 to 1000",
             "%s: \"%.40s\" is not such a number", name, given);
    return false;
}

static json_t *only_fields(json_t *object, const char *fields)
{
    json_t *kept = json_object();
    json_object_set(kept, "name", json_object_get(object, "name"));
    for (const char *at = fields; *at; at += strcspn(at, ","), at += *at == ',') {
        char key[48];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(at, ","), at);
        json_t *value = json_object_get(object, key);
        if (value)
            json_object_set(kept, key, value);
    }
    return kept;
}

struct page {
    const char *filter, *fields, *after;
    uint64_t limit;
};

/* What of the list the page holds; *next becomes the name after which the following one begins. */
static json_t *page_of(const json_t *all, const struct page *page, const char **next)
{
    json_t *out = json_array(), *entry;
    bool begun = !page->after;
    size_t i;
    *next = NULL;
    json_array_foreach(all, i, entry)
    {
        const char *name = status_text_of(entry, "name");
        if (!begun) {
            begun = strcmp(name, page->after) == 0;
            continue;
        }
        if (page->filter && !api_filter_match(page->filter, entry))
            continue;
        if (json_array_size(out) == page->limit) {
            *next = status_text_of(json_array_get(out, page->limit - 1), "name");
            break;
        }
        json_array_append_new(out,
                              page->fields ? only_fields(entry, page->fields) : json_incref(entry));
    }
    return out;
}

static bool after_is_there(const json_t *all, const char *after, struct api_reply *reply)
{
    if (!after || status_find(all, "name", after))
        return true;
    api_fail(reply, 400, "BAD_PARAMETER", "take \"next\" of the page before, or begin anew",
             "after: there is no \"%.80s\" any more", after);
    return false;
}

void api_list_get(struct api_request *request, struct api_reply *reply)
{
    static const char *const names[] = {"filter", "fields", "limit", "after"};
    const struct api_list *list = request->route->list;
    char filter[512], fields[512], after[API_NAME], why[120];
    struct page page = {.limit = 1000};
    page.filter = api_query(request, "filter", filter, sizeof filter);
    page.fields = api_query(request, "fields", fields, sizeof fields);
    page.after = api_query(request, "after", after, sizeof after);
    if (!api_query_known(request, reply, names, 4) ||
        !take_number(request, reply, "limit", 1000, &page.limit))
        return;
    if (page.filter && !api_filter_parse(page.filter, why, sizeof why)) {
        api_fail(reply, 400, "BAD_FILTER", "write one such as state!=optimal,size_bytes>1000",
                 "filter: %s", why);
        return;
    }
    json_t *status = api_status(request->api, MS(250));
    if (!status) {
        nobody_answers(request, reply);
        return;
    }
    json_t *all = list_of(status, list);
    if (after_is_there(all, page.after, reply)) {
        const char *next;
        json_t *entries = page_of(all, &page, &next);
        api_generation(status, reply->etag, sizeof reply->etag);
        reply->body = json_pack("{s:o, s:s?, s:s, s:s}", list->plural, entries, "next", next,
                                "generation", reply->etag, "time", status_text_of(status, "time"));
    }
    json_decref(all);
    json_decref(status);
}

static void no_object(const struct api_list *list, const json_t *all, const char *name,
                      struct api_reply *reply)
{
    const char *names[256];
    char remedy[120];
    size_t i, count = 0;
    json_t *entry;
    json_array_foreach(all, i, entry) if (count < 256) names[count++] =
        status_text_of(entry, "name");
    const char *near = suggest_word(name, names, count);
    snprintf(remedy, sizeof remedy, near ? "did you mean %.60s" : "GET /api/v1/%.60s lists them",
             near ? near : list->plural);
    api_fail(reply, 404, "NO_SUCH_OBJECT", remedy, "there is no %s %.80s", list->singular, name);
}

void api_object_get(struct api_request *request, struct api_reply *reply)
{
    const struct api_list *list = request->route->list;
    if (!api_query_known(request, reply, NULL, 0))
        return;
    json_t *all = api_list_now(request->api, list);
    json_t *found = all ? status_find(all, "name", request->name) : NULL;
    if (!all) {
        nobody_answers(request, reply);
    } else if (!found) {
        no_object(list, all, request->name, reply);
    } else {
        reply->body = json_incref(found);
        api_object_etag(list, found, reply->etag, sizeof reply->etag);
    }
    json_decref(all);
}
