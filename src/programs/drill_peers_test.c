/* SPDX-License-Identifier: Apache-2.0 */

/* The drill's view of the processes, against two made-up ones that listen on real sockets. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "programs/drill_discover.h"
#include "programs/drill_peers.h"

enum { CONNECTIONS = 8 };

/* A process that answers as segued does: {"verb":"status"} with `answer`, {"verb":"events"} with
 * `events`. */
struct fake {
    char path[100];
    int listener;
    int connection[CONNECTIONS];
    const char *answer, *events;
};

static char directory[64];

static void fake_start(struct fake *f, const char *name, const char *answer, const char *events)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *f = (struct fake){.answer = answer, .events = events};
    snprintf(f->path, sizeof f->path, "%s/%s.sock", directory, name);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    for (int i = 0; i < CONNECTIONS; i++)
        f->connection[i] = -1;
    unlink(f->path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(f->listener, 8), 0);
}

static void fake_die(struct fake *f)
{
    close(f->listener);
    for (int i = 0; i < CONNECTIONS; i++)
        if (f->connection[i] >= 0)
            close(f->connection[i]);
    f->listener = -1;
}

static void fake_turn(struct fake *f)
{
    char text[256];
    if (f->listener < 0)
        return;
    for (int i = 0; i < CONNECTIONS; i++) {
        if (f->connection[i] < 0) {
            f->connection[i] = accept(f->listener, NULL, NULL);
            continue;
        }
        ssize_t n = recv(f->connection[i], text, sizeof text - 1, MSG_DONTWAIT);
        if (n <= 0)
            continue;
        text[n] = 0;
        const char *reply = strstr(text, "events") ? f->events : f->answer;
        assert_int_equal(send(f->connection[i], reply, strlen(reply), MSG_NOSIGNAL), strlen(reply));
    }
}

static void turn(struct drill_peers *peers, struct fake *a, struct fake *b, uint64_t *now)
{
    struct pollfd entries[DRILL_PEERS_POLL];
    for (int i = 0; i < 20; i++) {
        fake_turn(a);
        fake_turn(b);
        uint32_t count = drill_peers_poll(peers, entries);
        poll(entries, count, 1);
        *now += 10000000;
        drill_peers_step(peers, entries, count, *now);
    }
}

static const char answer_a[] =
    "{\"process\":\"A\",\"pid\":100,\"units\":[{\"name\":\"A1\",\"module\":\"A\",\"group\":\"g1\","
    "\"state\":\"primary\",\"luns\":[{\"lun\":0,\"group\":\"g1\",\"name\":\"v1\"},{\"lun\":3,"
    "\"group\":\"east\",\"name\":\"v2\"}]},{\"name\":\"A2\",\"module\":\"A\",\"group\":\"east\"}]}"
    "\n";
static const char answer_b[] =
    "{\"process\":\"front\",\"pid\":101,\"switches\":[{\"name\":\"IS2\",\"portals\":[\"0.0.0.0:3262"
    "\"],\"target\":\"iqn.x\"},{\"name\":\"IS1\",\"portals\":[\"127.0.0.1:3261\"],\"target\":\"iqn."
    "x\"}]}\n";
static const char events_a[] =
    "{\"time_ns\":5,\"process\":\"A\",\"text\":\"too old\"}\n"
    "{\"time_ns\":50,\"process\":\"A\",\"text\":\"takeover group=g1 unit=A1 phase=claim\"}\n"
    "{\"time_ns\":50,\"process\":\"A\",\"text\":\"same moment\"}\n";

static void processes_are_found_asked_and_found_again(void **state)
{
    (void)state;
    struct fake a, b;
    uint64_t now = 1000000000;
    int pid;
    char process[16];
    struct drill_peers *peers = drill_peers_new(directory, 10);
    assert_non_null(peers);
    fake_start(&a, "A", answer_a, events_a);
    fake_start(&b, "front", answer_b, "");
    turn(peers, &a, &b, &now);
    assert_int_equal(drill_peers_count(peers), 2);
    assert_false(drill_peers_answered(peers, 1));
    uint64_t asked = now;
    drill_peers_ask(peers, now);
    turn(peers, &a, &b, &now);
    assert_true(drill_peers_answered(peers, asked));
    assert_true(drill_peers_find(peers, "A2", process, sizeof process, &pid));
    assert_int_equal(pid, 100);
    assert_true(drill_peers_find(peers, "A", process, sizeof process, &pid));
    assert_true(drill_peers_find(peers, "IS1", process, sizeof process, &pid));
    assert_string_equal(process, "front");
    assert_false(drill_peers_find(peers, "C", process, sizeof process, &pid));
    assert_int_equal(drill_peers_events(peers), 2);

    fake_die(&a);
    uint64_t died = now;
    drill_peers_ask(peers, now);
    turn(peers, &a, &b, &now);
    assert_false(drill_peers_answered(peers, died)); /* A has not answered */
    char again[sizeof answer_a];
    memcpy(again, answer_a, sizeof again);
    memcpy(strstr(again, "100"), "200", 3);
    fake_start(&a, "A", again, events_a);
    turn(peers, &a, &b, &now);
    assert_true(drill_peers_answered(peers, died));
    assert_true(drill_peers_find(peers, "A", process, sizeof process, &pid));
    assert_int_equal(pid, 200);
    assert_int_equal(drill_peers_events(peers), 2); /* the replay brought nothing new */
    fake_die(&a);
    fake_die(&b);
    unlink(a.path);
    unlink(b.path);
    drill_peers_free(peers);
}

static void an_array_is_learnt_from_answers(void **state)
{
    (void)state;
    struct drill_array array = {0};
    json_t *a = json_loads(answer_a, 0, NULL), *b = json_loads(answer_b, 0, NULL);
    for (int twice = 0; twice < 2; twice++) {
        drill_discover(&array, a);
        drill_discover(&array, b);
    }
    assert_string_equal(array.target, "iqn.x");
    assert_int_equal(array.portals, 2);
    assert_string_equal(array.portal[0], "127.0.0.1:3261");
    assert_string_equal(array.portal[1], "127.0.0.1:3262");
    assert_int_equal(array.volumes, 2);
    assert_int_equal(array.volume[0].group, 0);
    assert_int_equal(array.volume[1].group, 1);
    assert_int_equal(array.volume[1].lun, 3);
    assert_int_equal(drill_discover_group(&array, "east"), 1);
    assert_int_equal(drill_discover_group(&array, "2"), 1);
    json_decref(a);
    json_decref(b);
}

static void values_are_taken_from_event_lines(void **state)
{
    (void)state;
    char out[16];
    const char *line = "takeover group=g1 unit=B1 phase=claim epoch=4";
    assert_true(drill_event_value(line, "unit", out, sizeof out));
    assert_string_equal(out, "B1");
    assert_true(drill_event_value(line, "epoch", out, sizeof out));
    assert_string_equal(out, "4");
    assert_false(drill_event_value(line, "poch", out, sizeof out));
    assert_false(drill_event_value(line, "cause", out, sizeof out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_are_found_asked_and_found_again),
        cmocka_unit_test(an_array_is_learnt_from_answers),
        cmocka_unit_test(values_are_taken_from_event_lines),
    };
    snprintf(directory, sizeof directory, "/tmp/segue-peers-XXXXXX");
    if (!mkdtemp(directory))
        return 1;
    int failed = cmocka_run_group_tests_name("drill peers", tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
