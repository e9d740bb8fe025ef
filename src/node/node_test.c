/* SPDX-License-Identifier: Apache-2.0 */
/* A whole small array in one process, asked and stopped by its management socket as people do it.
 */
#include "node/node.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "register/register.h"

static const char text[] = "array: tiny\n"
                           "processes:\n"
                           "- {name: all, parts: [A, B, IS1, L1, L2]}\n"
                           "memory: {buffers: 256MiB, mirror: 16MiB}\n"
                           "parts:\n"
                           "  modules: [A, B]\n"
                           "  switches:\n"
                           "  - {name: IS1, portals: [\"127.0.0.1:%d\"]}\n"
                           "  loops:\n"
                           "  - {name: L1, tray: t0, drives: 1, size: 64MiB}\n"
                           "  - {name: L2, tray: t1, drives: 1, size: 64MiB}\n"
                           "groups:\n"
                           "- {name: g1, members: [A, B], owner: true}\n";

static char directory[64];
static struct config *config;
static pid_t child;

static void read_config(void)
{
    char path[128], yaml[2048], sentence[CONFIG_SENTENCE];
    snprintf(path, sizeof path, "%s/tiny.yaml", directory);
    int length = snprintf(yaml, sizeof yaml, text, 20000 + (int)(getpid() % 10000));
    config = calloc(1, sizeof *config);
    if (config_parse(path, yaml, (size_t)length, directory, config, sentence, sizeof sentence))
        fail_msg("%s", sentence);
}

static void make_register(void)
{
    char sentence[256];
    struct record first = {.generation = 1, .owner = 1, .clean = true};
    first.primary = first.dirty = member_none();
    if (register_create(config->register_path, &first, sentence, sizeof sentence))
        fail_msg("%s", sentence);
}

static void start(void)
{
    child = fork();
    if (child != 0)
        return;
    char sentence[CONFIG_SENTENCE];
    fclose(stderr);
    struct node *node =
        node_new(config, 0, TRACE_INFO, "segued of a test", sentence, sizeof sentence);
    if (!node)
        _exit(2);
    bool stopped = node_run(node);
    node_free(node);
    _exit(stopped ? 0 : 1);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/node-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    read_config();
    make_register();
    start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    free(config);
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

/* ---- asking ---- */

static FILE *dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[CONFIG_SOCKET_PATH_MAX + 1];
    config_socket_path(config, 0, path, sizeof path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    for (int i = 0; i < 60000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fdopen(fd, "r+");
        close(fd);
        usleep(10000);
    }
    fail_msg("nobody is at %s", path);
    return NULL;
}

/* The next line as JSON; NULL: the end. */
static json_t *hear(FILE *line)
{
    char *bytes = NULL;
    size_t capacity = 0;
    ssize_t length = getline(&bytes, &capacity, line);
    json_t *answer = length > 0 ? json_loads(bytes, 0, NULL) : NULL;
    free(bytes);
    return answer;
}

/* A process that was killed a moment ago may still take the call, and say nothing. */
static json_t *ask(const char *request)
{
    for (int i = 0; i < 6000; i++) {
        FILE *line = dial();
        fprintf(line, "%s\n", request);
        fflush(line);
        json_t *answer = hear(line);
        fclose(line);
        if (answer)
            return answer;
        usleep(10000);
    }
    fail_msg("no answer to %s", request);
    return NULL;
}

static void expect_status(const char *request, const char *status)
{
    json_t *answer = ask(request);
    assert_string_equal(json_string_value(json_object_get(answer, "status")), status);
    json_decref(answer);
}

static const char *state_of_unit(const json_t *status, size_t i)
{
    const json_t *unit = json_array_get(json_object_get(status, "units"), i);
    return json_string_value(json_object_get(unit, "state"));
}

static json_t *wait_in_sync(void)
{
    for (int i = 0; i < 60000; i++) {
        json_t *status = ask("{\"verb\":\"status\"}");
        const char *a = state_of_unit(status, 0), *b = state_of_unit(status, 1);
        const json_t *unit = json_array_get(json_object_get(status, "units"), 0);
        const json_t *dirty = json_object_get(json_object_get(unit, "record"), "dirty");
        if (a && b && strcmp(a, "primary") == 0 && strcmp(b, "secondary") == 0 &&
            json_is_null(dirty))
            return status;
        json_decref(status);
        usleep(10000);
    }
    fail_msg("the group is not in sync");
    return NULL;
}

static int wait_end(void)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- tests ---- */

static void it_tells_what_it_is(void **state)
{
    (void)state;
    json_t *status = wait_in_sync();
    assert_string_equal(json_string_value(json_object_get(status, "process")), "all");
    assert_int_equal(json_integer_value(json_object_get(status, "pid")), child);
    assert_int_equal(json_array_size(json_object_get(status, "units")), 2);
    assert_int_equal(json_array_size(json_object_get(status, "switches")), 1);
    assert_int_equal(json_array_size(json_object_get(status, "loops")), 2);
    const json_t *loop = json_array_get(json_object_get(status, "loops"), 0);
    const json_t *drive = json_array_get(json_object_get(loop, "drives"), 0);
    assert_string_equal(json_string_value(json_object_get(drive, "name")), "t0/00");
    assert_int_equal(json_integer_value(json_object_get(drive, "size_bytes")), 64 << 20);
    json_decref(status);
}

static void bad_requests_are_answered(void **state)
{
    (void)state;
    expect_status("no json", "refused");
    expect_status("", "refused");
    expect_status("[]", "refused");
    expect_status("{\"verb\":7}", "refused");
    expect_status("{\"verb\":\"dance\"}", "refused");
    expect_status("{\"verb\":\"manage\"}", "refused");
    expect_status("{\"verb\":\"manage\",\"group\":0,\"request\":\"0g\"}", "refused");
    expect_status("{\"verb\":\"manage\",\"group\":0,\"request\":\"012\"}", "refused");
    expect_status("{\"verb\":\"manage\",\"group\":9,\"request\":\"01\"}", "refused");
    expect_status("{\"verb\":\"manage\",\"group\":-1,\"request\":\"01\"}", "refused");
    expect_status("{\"verb\":\"request\",\"part\":\"A9\",\"text\":\"x\"}", "refused");
    expect_status("{\"verb\":\"cut\"}", "refused");
    expect_status("{\"verb\":\"cut\",\"to\":\"all\",\"how\":\"silent\",\"ms\":5}", "refused");
    FILE *line = dial();
    for (int i = 0; i < 20000; i++)
        fputc('x', line);
    fflush(line);
    json_t *answer = hear(line);
    assert_string_equal(json_string_value(json_object_get(answer, "text")), "the line is too long");
    json_decref(answer);
    assert_null(hear(line));
    fclose(line);
    json_decref(wait_in_sync());
    expect_status("{\"verb\":\"manage\",\"group\":0,\"request\":\"ffff\"}", "refused");
}

static void events_begin_with_the_last_ones(void **state)
{
    (void)state;
    json_decref(wait_in_sync());
    FILE *line = dial();
    fprintf(line, "{\"verb\":\"events\"}\n");
    fflush(line);
    bool claimed = false, served = false;
    json_int_t before = 0;
    while (!served) {
        json_t *event = hear(line);
        assert_non_null(event);
        const char *said = json_string_value(json_object_get(event, "text"));
        json_int_t time_ns = json_integer_value(json_object_get(event, "time_ns"));
        assert_true(time_ns >= before);
        before = time_ns;
        assert_string_equal(json_string_value(json_object_get(event, "process")), "all");
        claimed = claimed || strstr(said, "phase=claim");
        served = strstr(said, "phase=serve") != NULL;
        json_decref(event);
    }
    assert_true(claimed);
    expect_status("{\"verb\":\"stop\"}", "good");
    bool stops = false;
    for (json_t *event = hear(line); event; event = hear(line)) {
        stops =
            stops || strstr(json_string_value(json_object_get(event, "text")), "stops in order");
        json_decref(event);
    }
    assert_true(stops);
    fclose(line);
    assert_int_equal(wait_end(), 0);
}

static void sigterm_stops_in_order_and_it_starts_again(void **state)
{
    (void)state;
    json_decref(wait_in_sync());
    kill(child, SIGTERM);
    assert_int_equal(wait_end(), 0);
    start();
    json_decref(wait_in_sync());
    kill(child, SIGKILL);
    assert_int_equal(wait_end(), -1);
    start();
    json_decref(wait_in_sync());
    kill(child, SIGINT);
    assert_int_equal(wait_end(), 0);
}

static void a_second_one_is_refused(void **state)
{
    (void)state;
    json_decref(wait_in_sync());
    pid_t first = child;
    start();
    assert_int_equal(wait_end(), 2);
    child = first;
    json_decref(wait_in_sync());
}

static void a_lost_drive_is_offline_and_not_made_anew(void **state)
{
    (void)state;
    json_decref(wait_in_sync());
    kill(child, SIGTERM);
    assert_int_equal(wait_end(), 0);
    assert_int_equal(unlink(config->loop[0].drive[0].path), 0);
    start();
    json_t *status = wait_in_sync();
    const json_t *loop = json_array_get(json_object_get(status, "loops"), 0);
    const json_t *drive = json_array_get(json_object_get(loop, "drives"), 0);
    assert_false(json_boolean_value(json_object_get(drive, "online")));
    assert_int_equal(access(config->loop[0].drive[0].path, F_OK), -1);
    json_decref(status);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(it_tells_what_it_is),
        ROW(bad_requests_are_answered),
        ROW(events_begin_with_the_last_ones),
        ROW(sigterm_stops_in_order_and_it_starts_again),
        ROW(a_second_one_is_refused),
        ROW(a_lost_drive_is_offline_and_not_made_anew),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
