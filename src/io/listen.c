/* SPDX-License-Identifier: Apache-2.0 */
#include "io/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 256, BIND_TRIES = 20, BIND_PAUSE_NS = 50000000 };

/* A socket file that nobody listens at any more is left over from a process that was killed. */
static void remove_dead_socket(const struct address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&address->storage, address->length) &&
        errno == ECONNREFUSED)
        unlink(address_path(address));
    close(fd);
}

static int bind_socket(const struct address *address)
{
    int family = address->storage.ss_family, one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (family == AF_UNIX)
        remove_dead_socket(address);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    mode_t mask = umask(077);
    int error = bind(fd, (const struct sockaddr *)&address->storage, address->length);
    umask(mask);
    if (error || listen(fd, LISTEN_BACKLOG)) {
        int kept = errno;
        close(fd);
        errno = kept;
        return -1;
    }
    return fd;
}

static int bind_patiently(const struct address *address)
{
    for (int i = 0;; i++) {
        int fd = bind_socket(address);
        if (fd >= 0 || errno != EADDRINUSE || i == BIND_TRIES)
            return fd;
        nanosleep(&(struct timespec){.tv_nsec = BIND_PAUSE_NS}, NULL);
    }
}

int listen_at(const char *what, const char *address, char *bound, size_t bound_bytes,
              char *sentence, size_t sentence_bytes)
{
    struct address parsed;
    if (address_parse(address, &parsed, sentence, sentence_bytes))
        return -1;
    int fd = bind_patiently(&parsed);
    if (fd < 0) {
        bool taken = errno == EADDRINUSE;
        snprintf(sentence, sentence_bytes, "%s: %s cannot be listened at: %s%s", what, address,
                 strerror(errno), taken ? "; end the process that has it, or choose another" : "");
        return -1;
    }
    if (bound)
        address_of_socket(fd, false, bound, bound_bytes);
    return fd;
}
