/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

/* One call under way. */
struct line {
    int fd; /* -1: over */
    size_t sent;
    char *answer;
    size_t length, capacity;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct line *line, struct client_call *call, enum client_result result)
{
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
    call->result = result;
}

static void begin(struct line *line, struct client_call *call)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *line = (struct line){.fd = -1};
    call->answer = NULL;
    call->result = CLIENT_UNREACHABLE;
    if (strlen(call->socket) >= sizeof address.sun_path)
        return;
    strcpy(address.sun_path, call->socket);
    line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (line->fd < 0)
        return;
    if (connect(line->fd, (struct sockaddr *)&address, sizeof address) != 0)
        finish(line, call, CLIENT_UNREACHABLE);
}

static void send_more(struct line *line, struct client_call *call, const char *request,
                      size_t length)
{
    ssize_t sent = send(line->fd, request + line->sent, length - line->sent, MSG_NOSIGNAL);
    if (sent > 0)
        line->sent += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        finish(line, call, line->sent ? CLIENT_SILENT : CLIENT_UNREACHABLE);
}

static bool make_room(struct line *line)
{
    if (line->capacity - line->length > 4096)
        return true;
    size_t capacity = line->capacity ? line->capacity * 2 : 65536;
    char *larger = capacity <= CLIENT_ANSWER_BYTES ? realloc(line->answer, capacity) : NULL;
    if (!larger)
        return false;
    line->answer = larger;
    line->capacity = capacity;
    return true;
}

static void receive_more(struct line *line, struct client_call *call)
{
    if (!make_room(line)) {
        finish(line, call, CLIENT_SILENT);
        return;
    }
    ssize_t got = recv(line->fd, line->answer + line->length, line->capacity - line->length, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        finish(line, call, CLIENT_SILENT);
        return;
    }
    const char *end = memchr(line->answer + line->length, '\n', (size_t)got);
    line->length += (size_t)got;
    if (!end)
        return;
    call->answer = json_loadb(line->answer, (size_t)(end - line->answer), 0, NULL);
    finish(line, call, call->answer ? CLIENT_ANSWERED : CLIENT_SILENT);
}

static void turn(struct line *lines, struct client_call *calls, size_t count, const char *request,
                 size_t length, int timeout_ms)
{
    struct pollfd polls[CLIENT_CALLS_MAX];
    for (size_t i = 0; i < count; i++) {
        short wanted = lines[i].sent < length ? POLLOUT : POLLIN;
        polls[i] = (struct pollfd){lines[i].fd, wanted, 0};
    }
    if (poll(polls, count, timeout_ms) <= 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (lines[i].fd < 0 || !polls[i].revents)
            continue;
        if (lines[i].sent < length)
            send_more(&lines[i], &calls[i], request, length);
        else
            receive_more(&lines[i], &calls[i]);
    }
}

static bool any_open(const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lines[i].fd >= 0)
            return true;
    return false;
}

void client_ask(struct client_call *calls, size_t count, const json_t *request, int timeout_ms)
{
    struct line lines[CLIENT_CALLS_MAX];
    must(count <= CLIENT_CALLS_MAX);
    char *text = json_dumps(request, JSON_COMPACT);
    size_t length = text ? strlen(text) + 1 : 0;
    if (text)
        text[length - 1] = '\n'; /* in place of its end: `length` bytes are sent, no string */
    for (size_t i = 0; i < count; i++)
        begin(&lines[i], &calls[i]);
    int64_t end = now_ms() + timeout_ms;
    while (text && any_open(lines, count) && now_ms() < end)
        turn(lines, calls, count, text, length, (int)(end - now_ms()));
    for (size_t i = 0; i < count; i++) {
        if (lines[i].fd >= 0)
            finish(&lines[i], &calls[i], lines[i].sent ? CLIENT_SILENT : CLIENT_UNREACHABLE);
        free(lines[i].answer);
    }
    free(text);
}
