/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "api/api_state.h"
#include "manage/status_json.h"

void api_fail(struct api_reply *reply, int status, const char *code, const char *remedy,
              const char *format, ...)
{
    char summary[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(summary, sizeof summary, format, arguments);
    va_end(arguments);
    json_t *text = json_string(summary);
    if (!text)
        text = json_string("it is not UTF-8");
    json_decref(reply->body);
    reply->status = status;
    reply->problem = true;
    reply->body = json_pack("{s:s, s:o, s:s?}", "code", code, "summary", text, "remedy", remedy);
}

/* RFC 9457, with the same error as the command line's -o json inside. */
void api_error_complete(const struct api_request *request, struct api_reply *reply)
{
    json_t *error = reply->body, *path = json_string(request->url);
    const char *code = status_text_of(error, "code");
    json_object_set_new(error, "request_id", json_string(request->id));
    if (!json_object_get(error, "detail"))
        json_object_set_new(error, "detail", json_null());
    if (!json_object_get(error, "object"))
        json_object_set_new(error, "object", json_null());
    reply->body = json_pack("{s:s++, s:O, s:i, s:o, s:o}", "type", "urn:segue:error:", code, "",
                            "title", json_object_get(error, "summary"), "status", reply->status,
                            "instance", path ? path : json_null(), "error", error);
}
