/* SPDX-License-Identifier: Apache-2.0 */
/* A socket stands for the service manager. */
#include "manage/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int manager;
static char name[64];

/* Its socket is abstract: nothing is left behind. */
static int set_up(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(name, sizeof name, "@segue-notify-test-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)length);
    address.sun_path[0] = 0;
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return bind(manager, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length));
}

static int tear_down(void **state)
{
    (void)state;
    return close(manager);
}

static void expect(const char *text)
{
    char heard[512] = "";
    ssize_t length = recv(manager, heard, sizeof heard - 1, 0);
    assert_string_equal(length > 0 ? heard : "(nothing)", text);
}

static void watch(const char *limit_us, long pid)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", pid);
    setenv("WATCHDOG_USEC", limit_us, 1);
    setenv("WATCHDOG_PID", text, 1);
}

static void it_is_told(void **state)
{
    (void)state;
    struct notify notify;
    notify_init(&notify);
    notify_ready(&notify, "up");
    expect("READY=1\nSTATUS=up");
    notify_status(&notify, "A1 primary");
    expect("STATUS=A1 primary");
    notify_stopping(&notify, "stops in order");
    expect("STOPPING=1\nSTATUS=stops in order");
    expect("(nothing)");
    notify_close(&notify);
}

static void a_watchdog_is_fed_four_times_in_its_limit(void **state)
{
    (void)state;
    struct notify notify;
    watch("2000000", (long)getpid());
    notify_init(&notify);
    assert_int_equal(notify_wake_ns(&notify), 0);
    notify_alive(&notify, 1000000000);
    expect("WATCHDOG=1");
    assert_int_equal(notify_wake_ns(&notify), 1500000000);
    notify_alive(&notify, 1499999999);
    expect("(nothing)");
    notify_alive(&notify, 1500000000);
    expect("WATCHDOG=1");
    notify_close(&notify);
}

static void what_watches_another_process_is_not_fed(void **state)
{
    (void)state;
    struct notify notify;
    watch("2000000", (long)getpid() + 1);
    notify_init(&notify);
    notify_alive(&notify, 1000000000);
    expect("(nothing)");
    assert_true(notify_wake_ns(&notify) == UINT64_MAX);
    notify_close(&notify);
}

static void children_do_not_speak_for_it(void **state)
{
    (void)state;
    struct notify notify;
    watch("2000000", (long)getpid());
    notify_init(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    notify_close(&notify);
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    static const char *const names[] = {"", "relative", "/nowhere/at/all", "@"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct notify notify;
        setenv("NOTIFY_SOCKET", names[i], 1);
        watch("2000000", (long)getpid());
        notify_init(&notify);
        notify_ready(&notify, "up");
        notify_alive(&notify, 1000000000);
        assert_true(notify_wake_ns(&notify) == UINT64_MAX);
        notify_close(&notify);
    }
    expect("(nothing)");
}

/* A manager that reads nothing fills its socket; the loop must not wait for it. */
static void a_manager_that_hangs_stops_nobody(void **state)
{
    (void)state;
    struct notify notify;
    watch("4000", (long)getpid());
    notify_init(&notify);
    for (uint64_t now = 0; now < 100000; now++)
        notify_alive(&notify, now * 1000000);
    expect("WATCHDOG=1");
    notify_close(&notify);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_told),
        TEST(a_watchdog_is_fed_four_times_in_its_limit),
        TEST(what_watches_another_process_is_not_fed),
        TEST(children_do_not_speak_for_it),
        TEST(without_a_manager_nothing_happens),
        TEST(a_manager_that_hangs_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
