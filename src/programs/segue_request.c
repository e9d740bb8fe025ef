/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue_request.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manage/client.h"
#include "manage/mutes.h"
#include "manage/status.h"
#include "manage/status_json.h"
#include "programs/segue_fleet.h"

static bool creates(const struct manage_request *request)
{
    return request->verb == MANAGE_POOL_CREATE || request->verb == MANAGE_VOLUME_CREATE ||
           request->verb == MANAGE_MAP;
}

static json_t *make_question(uint8_t group, const struct manage_request *request)
{
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    char hex[2 * MANAGE_REQUEST_BYTES_MAX + 1] = "";
    uint32_t length = manage_encode(request, bytes, sizeof bytes);
    for (uint32_t i = 0; i < length; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", bytes[i]);
    return json_pack("{s:s, s:i, s:s}", "verb", "manage", "group", (int)group, "request", hex);
}

/* One try with one module. */
static enum request_result try_once(const char *socket, const json_t *question, int timeout_ms,
                                    char *text, size_t text_bytes)
{
    struct client_call call = {.socket = socket};
    client_ask(&call, 1, question, timeout_ms);
    if (call.result != CLIENT_ANSWERED)
        return call.result == CLIENT_SILENT ? REQUEST_UNKNOWN : REQUEST_UNREACHABLE;
    const char *status = status_text_of(call.answer, "status");
    enum request_result result = strcmp(status, "good") == 0      ? REQUEST_GOOD
                                 : strcmp(status, "refused") == 0 ? REQUEST_REFUSED
                                                                  : REQUEST_UNKNOWN;
    snprintf(text, text_bytes, "%s", status_text_of(call.answer, "text"));
    json_decref(call.answer);
    return result;
}

enum request_result request_send(const struct config *config, uint8_t group,
                                 const struct manage_request *request, int timeout_ms, char *text,
                                 size_t text_bytes)
{
    json_t *question = make_question(group, request);
    uint64_t end = fleet_now_ns() + (uint64_t)timeout_ms * 1000000u;
    enum request_result result = REQUEST_UNREACHABLE;
    *text = 0;
    for (int i = 0;; i = (i + 1) % config->processes) {
        uint64_t now = fleet_now_ns();
        if (now >= end)
            break;
        if (i == 0)
            usleep(20000); /* between rounds over all modules */
        if (!config->process[i].modules)
            continue;
        char socket[CONFIG_PATH];
        config_socket_path(config, i, socket, sizeof socket);
        enum request_result one =
            try_once(socket, question, (int)((end - now) / 1000000u) + 1, text, text_bytes);
        if (one != REQUEST_UNREACHABLE)
            result = one;
        if (one == REQUEST_GOOD || one == REQUEST_REFUSED ||
            (one == REQUEST_UNKNOWN && !creates(request)))
            break;
    }
    json_decref(question);
    return result;
}

enum request_result request_part(const struct config *config, port_id port, const char *words,
                                 int timeout_ms, char *text, size_t text_bytes)
{
    static const char refused[] = "refused: ";
    enum request_result result = REQUEST_UNREACHABLE;
    json_t *question = json_pack("{s:s, s:s, s:s}", "verb", "request", "part",
                                 config_port_name(config, port), "text", words);
    *text = 0;
    int process = config_process_of_port(config, port);
    if (process >= 0) {
        char socket[CONFIG_PATH];
        config_socket_path(config, process, socket, sizeof socket);
        result = try_once(socket, question, timeout_ms, text, text_bytes);
    }
    json_decref(question);
    if (result == REQUEST_GOOD && strncmp(text, refused, sizeof refused - 1) == 0) {
        memmove(text, text + sizeof refused - 1, strlen(text + sizeof refused - 1) + 1);
        result = REQUEST_REFUSED;
    }
    return result;
}

static void time_text(char *out, size_t bytes)
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, bytes, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

json_t *request_status(const struct config *config, int timeout_ms, size_t *answered)
{
    struct client_call calls[CONFIG_PROCESS_MAX];
    struct status_process processes[CONFIG_PROCESS_MAX] = {0};
    char sockets[CONFIG_PROCESS_MAX][CONFIG_PATH], now[32];
    struct fleet fleet;
    bool known = fleet_load(&fleet, config->state);
    for (int i = 0; i < config->processes; i++) {
        config_socket_path(config, i, sockets[i], sizeof sockets[i]);
        calls[i] = (struct client_call){.socket = sockets[i]};
    }
    json_t *question = json_pack("{s:s}", "verb", "status");
    client_ask(calls, config->processes, question, timeout_ms);
    json_decref(question);
    *answered = 0;
    for (int i = 0; i < config->processes; i++) {
        processes[i].name = config->process[i].name;
        processes[i].answer = calls[i].answer;
        processes[i].alive = calls[i].result == CLIENT_SILENT;
        *answered += calls[i].answer != NULL;
        for (size_t p = 0; known && p < fleet.count; p++)
            if (strcmp(fleet.process[p].name, config->process[i].name) == 0) {
                processes[i].pid = fleet.process[p].pid;
                processes[i].alive = processes[i].alive || fleet.process[p].pid != 0;
            }
    }
    time_text(now, sizeof now);
    json_t *status = status_merge(config->array, now, processes, config->processes);
    for (int i = 0; i < config->processes; i++)
        json_decref(calls[i].answer);
    mutes_apply(config, status);
    return status;
}
