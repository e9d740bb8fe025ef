/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "manage/client.h"

/* A socket whose other side does as told with the first who connects. */
struct server {
    char path[64];
    const char *answer; /* NULL: says nothing and closes */
    bool hangs;         /* takes no connection at all */
    int fd;
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct server *server = argument;
    char line[256];
    int fd = accept(server->fd, NULL, NULL);
    if (fd < 0)
        return NULL;
    ssize_t got = recv(fd, line, sizeof line, 0);
    for (const char *at = server->answer; got > 0 && at && *at; at++)
        if (send(fd, at, 1, MSG_NOSIGNAL) !=
            1) /* byte by byte: the client must put them together */
            break;
    close(fd);
    return NULL;
}

static void begin(struct server *server, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(server->path, sizeof server->path, "/tmp/segue-client-%d-%s", (int)getpid(), name);
    strcpy(address.sun_path, server->path);
    unlink(server->path);
    server->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->fd, 4), 0);
    if (!server->hangs)
        assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void end(struct server *server)
{
    if (!server->hangs)
        pthread_join(server->thread, NULL);
    close(server->fd);
    unlink(server->path);
}

static void each_answer_is_told_apart(void **state)
{
    (void)state;
    struct server good = {.answer = "{\"x\": 5}\n{\"more\""}, mute = {.answer = NULL},
                  nonsense = {.answer = "hello\n"}, hung = {.hangs = true};
    begin(&good, "good");
    begin(&mute, "mute");
    begin(&nonsense, "nonsense");
    begin(&hung, "hung");
    struct client_call calls[] = {{.socket = good.path},
                                  {.socket = "/nowhere/at.all"},
                                  {.socket = mute.path},
                                  {.socket = nonsense.path},
                                  {.socket = hung.path}};
    json_t *request = json_pack("{s:s}", "verb", "status");
    client_ask(calls, 5, request, 300);
    json_decref(request);
    assert_int_equal(calls[0].result, CLIENT_ANSWERED);
    assert_int_equal(json_integer_value(json_object_get(calls[0].answer, "x")), 5);
    assert_int_equal(calls[1].result, CLIENT_UNREACHABLE);
    assert_int_equal(calls[2].result, CLIENT_SILENT);
    assert_int_equal(calls[3].result, CLIENT_SILENT);
    assert_int_equal(calls[4].result, CLIENT_SILENT);
    assert_null(calls[1].answer);
    assert_null(calls[3].answer);
    json_decref(calls[0].answer);
    end(&good);
    end(&mute);
    end(&nonsense);
    end(&hung);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_answer_is_told_apart)};
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
