/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_schemas.h"
#include "api/api_state.h"

/* The description of every route (OpenAPI 3.1), made from the one table that also serves them. */

static json_t *ref_to(const char *schema)
{
    return json_pack("{s:s+}", "$ref", "#/components/schemas/", schema);
}

static json_t *content_of(const char *type, json_t *schema)
{
    return json_pack("{s:{s:o}}", type, "schema", schema);
}

/* ---- what a verb takes ---- */

static json_t *enum_of(const char *words)
{
    json_t *list = json_array();
    for (; *words; words += strcspn(words, "|"), words += *words == '|')
        json_array_append_new(list, json_stringn(words, strcspn(words, "|")));
    return list;
}

static json_t *type_of(const struct api_flag *flag)
{
    switch (flag->kind) {
    case API_KIND_FLAG:
        return json_pack("{s:s, s:s}", "type", "boolean", "description", flag->help);
    case API_KIND_BYTES:
    case API_KIND_NUMBER:
        return json_pack("{s:s, s:i, s:s}", "type", "integer", "minimum", 0, "description",
                         flag->help);
    case API_KIND_LIST:
        return json_pack("{s:s, s:{s:s, s:i}, s:i, s:s}", "type", "array", "items", "type",
                         "string", "minLength", 1, "minItems", 1, "description", flag->help);
    case API_KIND_TEXT:
        break;
    }
    json_t *text =
        json_pack("{s:s, s:i, s:s}", "type", "string", "minLength", 1, "description", flag->help);
    if (flag->words)
        json_object_set_new(text, "enum", enum_of(flag->words));
    return text;
}

static json_t *body_of_verb(const struct api_route *route, bool *needed)
{
    const struct api_verb *verb = route->verb;
    json_t *properties = json_object(), *required = json_array();
    bool named = strstr(route->pattern, "{name}") != NULL;
    for (size_t i = named ? 1 : 0; i < verb->arguments; i++) {
        json_object_set_new(properties, verb->argument[i],
                            json_pack("{s:s, s:i}", "type", "string", "minLength", 1));
        if (i < verb->least)
            json_array_append_new(required, json_string(verb->argument[i]));
    }
    for (size_t i = 0; i < verb->flags; i++) {
        json_object_set_new(properties, verb->flag[i].property, type_of(&verb->flag[i]));
        if (verb->flag[i].needed)
            json_array_append_new(required, json_string(verb->flag[i].property));
    }
    *needed = json_array_size(required) > 0;
    return json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
                     "required", required, "properties", properties);
}

static json_t *request_body(const struct api_route *route)
{
    bool needed = true;
    json_t *schema = route->verb ? body_of_verb(route, &needed) : ref_to(route->body);
    return json_pack("{s:b, s:o}", "required", needed, "content",
                     content_of("application/json", schema));
}

/* ---- parameters ---- */

static void add_parameter(json_t *list, const char *in, const char *name, const char *help)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:{s:s}}", "name", name, "in", in,
                                          "required", strcmp(in, "path") == 0, "description", help,
                                          "schema", "type", "string"));
}

static void add_query(json_t *list, const struct api_route *route)
{
    static const char *const of_list[][2] = {{"filter", "such as state!=optimal,size_bytes>1000"},
                                             {"fields", "only these properties: name,state"},
                                             {"limit", "at most so many (1000)"},
                                             {"after", "the \"next\" of the page before"}};
    static const char *const of_events[][2] = {
        {"since", "2h, or 2026-11-22T14:00"},
        {"after", "an id: only what came later"},
        {"object", "only what concerns it: group/g1"},
        {"code", "only these: TAKEOVER,DRIVE_FAILS"},
        {"limit", "the newest so many (1000)"},
        {"topics", "a stream of these from now on: events,health,metrics"}};
    static const char *const of_takeovers[][2] = {{"group", "only of this one"},
                                                  {"since", "2h, or 2026-11-22T14:00"},
                                                  {"limit", "the newest so many (1000)"}};
    if (route->handle == api_list_get)
        for (size_t i = 0; i < 4; i++)
            add_parameter(list, "query", of_list[i][0], of_list[i][1]);
    if (route->handle == api_events_get)
        for (size_t i = 0; i < 6; i++)
            add_parameter(list, "query", of_events[i][0], of_events[i][1]);
    if (route->handle == api_takeovers_get)
        for (size_t i = 0; i < 3; i++)
            add_parameter(list, "query", of_takeovers[i][0], of_takeovers[i][1]);
}

static json_t *parameters_of(const struct api_route *route)
{
    json_t *list = json_array();
    if (strstr(route->pattern, "{name}"))
        add_parameter(list, "path", "name", "its name; of a drive with its slash, or as %2F");
    add_query(list, route);
    if (!route->verb)
        return list;
    add_parameter(list, "header", "Idempotency-Key",
                  "a UUID: the change is made once, however often it is asked for");
    add_parameter(list, "header", "If-Match", "the ETag of what the client has seen");
    for (size_t i = 0; i < route->verb->flags; i++)
        if (strcmp(route->verb->flag[i].property, "confirm") == 0)
            add_parameter(list, "query", "confirm", "the name once more");
    return list;
}

/* ---- answers ---- */

static json_t *reply_schema(const struct api_route *route)
{
    char name[48];
    snprintf(name, sizeof name, "%s%s", route->reply, route->handle == api_list_get ? "List" : "");
    return ref_to(name);
}

static json_t *responses_of(const struct api_route *route)
{
    bool makes = (route->verb && strcmp(route->verb->verb, "create") == 0) ||
                 route->handle == api_users_post || route->handle == api_tokens_post;
    json_t *content = route->reply
                          ? content_of("application/json", reply_schema(route))
                          : content_of(strstr(route->pattern, ".json")     ? "application/json"
                                       : strstr(route->pattern, "metrics") ? "text/plain"
                                                                           : "application/yaml",
                                       json_object());
    if (route->handle == api_events_get)
        json_object_set_new(content, "text/event-stream",
                            json_pack("{s:{s:s}}", "schema", "type", "string"));
    json_t *responses = json_pack("{s:{s:s, s:o}}", makes ? "201" : "200", "description",
                                  makes ? "it is made" : "done", "content", content);
    if (route->handle == api_readyz_get)
        json_object_set_new(responses, "503",
                            json_pack("{s:s, s:o}", "description", "not every group is served",
                                      "content", content_of("application/json", ref_to("Ready"))));
    json_object_set_new(responses, "default",
                        json_pack("{s:s, s:o}", "description", "an error", "content",
                                  content_of("application/problem+json", ref_to("Error"))));
    return responses;
}

/* "volumes_name_map_post" */
static void id_of(const struct api_route *route, char *out, size_t bytes)
{
    size_t at = 0;
    const char *from =
        strncmp(route->pattern, "/api/v1", 7) == 0 ? route->pattern + 7 : route->pattern;
    for (; *from && at + 8 < bytes; from++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789", *from))
            out[at++] = *from;
        else if (at && out[at - 1] != '_')
            out[at++] = '_';
    if (at && out[at - 1] != '_')
        out[at++] = '_';
    for (const char *method = route->method; *method && at + 1 < bytes; method++)
        out[at++] = (char)(*method | 0x20);
    out[at] = 0;
}

static json_t *operation_of(const struct api_route *route)
{
    char id[120];
    id_of(route, id, sizeof id);
    json_t *operation =
        json_pack("{s:s, s:s, s:o, s:o}", "operationId", id, "summary", route->summary,
                  "parameters", parameters_of(route), "responses", responses_of(route));
    if (route->body || route->verb)
        json_object_set_new(operation, "requestBody", request_body(route));
    if (route->open)
        json_object_set_new(operation, "security", json_array());
    else
        json_object_set_new(operation, "x-role", json_string(users_role_name(route->role)));
    if (route->verb && route->verb->more)
        json_object_set_new(operation, "description", json_string(route->verb->more));
    return operation;
}

/* ---- the document ---- */

static json_t *paths_of(const struct api *api)
{
    json_t *paths = json_object();
    const struct api_route *route;
    for (size_t i = 0; (route = api_route_at(api, i)); i++) {
        char method[8];
        size_t at = 0;
        for (; route->method[at] && at + 1 < sizeof method; at++)
            method[at] = (char)(route->method[at] | 0x20);
        method[at] = 0;
        if (!json_object_get(paths, route->pattern))
            json_object_set_new(paths, route->pattern, json_object());
        json_object_set_new(json_object_get(paths, route->pattern), method, operation_of(route));
    }
    return paths;
}

json_t *api_openapi(const struct api *api)
{
    json_t *schemas = json_object();
    const struct api_schema *schema;
    for (size_t i = 0; (schema = api_schema_at(i)); i++)
        json_object_set_new(schemas, schema->name, json_loads(schema->json, 0, NULL));
    json_t *security =
        json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s}}", "token", "type", "http", "scheme", "bearer",
                  "session", "type", "apiKey", "in", "cookie", "name", "segue_session");
    return json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:[]}, {s:[]}], s:o, s:{s:o, s:o}}", "openapi",
        "3.1.0", "info", "title", "Segue", "version", api->setup->version, "summary",
        "Management of a Segue array", "license", "name", "Apache-2.0", "identifier", "Apache-2.0",
        "security", "token", "session", "paths", paths_of(api), "components", "schemas", schemas,
        "securitySchemes", security);
}

/* ---- as YAML ---- */

static void put_yaml(FILE *file, const json_t *value, int depth, bool in_list);

/* Quoted as JSON does, which YAML reads the same. */
static void put_scalar(FILE *file, const json_t *value)
{
    json_dumpf(value, file, JSON_ENCODE_ANY | JSON_COMPACT);
    fputc('\n', file);
}

static bool is_empty(const json_t *value)
{
    return (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

static void put_value(FILE *file, const json_t *value, int depth)
{
    if (is_empty(value)) {
        fputs(json_is_object(value) ? " {}\n" : " []\n", file);
    } else if (json_is_object(value) || json_is_array(value)) {
        fputc('\n', file);
        put_yaml(file, value, depth, false);
    } else {
        fputc(' ', file);
        put_scalar(file, value);
    }
}

static void put_yaml(FILE *file, const json_t *value, int depth, bool in_list)
{
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, child)
        {
            fprintf(file, "%*s\"%s\":", in_list ? 0 : depth, "", key);
            in_list = false;
            put_value(file, child, depth + 2);
        }
        return;
    }
    json_array_foreach(value, i, child)
    {
        fprintf(file, "%*s-", depth, "");
        if (json_is_object(child) && json_object_size(child)) {
            fputc(' ', file);
            put_yaml(file, child, depth + 2, true);
        } else {
            put_value(file, child, depth + 2);
        }
    }
}

char *api_yaml(const json_t *value)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (!file)
        return NULL;
    put_yaml(file, value, 0, false);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}
