/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FEEDS_PER_LIMIT = 4, /* a loop that is late once is not taken for one that hangs */
    NS_PER_US = 1000,
    TEXT_BYTES = 512,
};

/* A socket to the manager; -1: there is none, or it is not reached. */
static int dial(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = name ? strlen(name) : 0;
    if (length < 2 || length >= sizeof address.sun_path || (*name != '/' && *name != '@'))
        return -1;
    memcpy(address.sun_path, name, length);
    if (*name == '@') /* abstract */
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, bytes) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* In how many microseconds the manager wants to hear of this process; 0: it does not watch it. */
static uint64_t watchdog_us(void)
{
    const char *limit = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!limit || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return strtoull(limit, NULL, 10);
}

void notify_init(struct notify *notify)
{
    *notify = (struct notify){.fd = dial(getenv("NOTIFY_SOCKET"))};
    if (notify->fd >= 0)
        notify->every_ns = watchdog_us() * NS_PER_US / FEEDS_PER_LIMIT;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

static void tell(const struct notify *notify, const char *state, const char *status)
{
    char text[TEXT_BYTES];
    if (notify->fd < 0)
        return;
    int length = snprintf(text, sizeof text, "%s%s%.400s", state, status ? "STATUS=" : "",
                          status ? status : "");
    if (send(notify->fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* said again at the next occasion, or not needed */
}

void notify_ready(struct notify *notify, const char *status)
{
    tell(notify, "READY=1\n", status);
}

void notify_status(struct notify *notify, const char *status)
{
    tell(notify, "", status);
}

void notify_stopping(struct notify *notify, const char *status)
{
    tell(notify, "STOPPING=1\n", status);
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
    if (!notify->every_ns || now_ns < notify->next_ns)
        return;
    notify->next_ns = now_ns + notify->every_ns;
    tell(notify, "WATCHDOG=1", NULL);
}

uint64_t notify_wake_ns(const struct notify *notify)
{
    return notify->every_ns ? notify->next_ns : UINT64_MAX;
}
