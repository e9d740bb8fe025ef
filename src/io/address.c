/* SPDX-License-Identifier: Apache-2.0 */
#include "io/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static int parse_unix(const char *path, struct address *out, char *sentence, size_t bytes)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof un.sun_path) {
        snprintf(sentence, bytes,
                 "unix:%s: the path of a Unix socket is absolute and at most %zu "
                 "bytes long; take a shorter state directory",
                 path, sizeof un.sun_path - 1);
        return -1;
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    memcpy(&out->storage, &un, sizeof un);
    out->length = sizeof un;
    return 0;
}

/* Cuts "address:port" or "[address]:port" into its two parts. */
static bool split(const char *text, char *host, size_t host_bytes, const char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon[1] == 0)
        return false;
    size_t length = (size_t)(colon - text);
    if (text[0] == '[') {
        if (length < 2 || text[length - 1] != ']')
            return false;
        text++;
        length -= 2;
    }
    if (length == 0 || length >= host_bytes)
        return false;
    memcpy(host, text, length);
    host[length] = 0;
    *port = colon + 1;
    return true;
}

int address_parse(const char *text, struct address *out, char *sentence, size_t sentence_bytes)
{
    memset(out, 0, sizeof *out);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, sentence, sentence_bytes);
    const char *rest = strncmp(text, "tcp:", 4) == 0 ? text + 4 : text;
    char host[ADDRESS_TEXT];
    const char *port;
    if (!split(rest, host, sizeof host, &port)) {
        snprintf(sentence, sentence_bytes,
                 "%s is no socket address; write \"address:port\", IPv6 in brackets", text);
        return -1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error) {
        snprintf(sentence, sentence_bytes, "%s cannot be understood: %s", text,
                 gai_strerror(error));
        return -1;
    }
    memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

bool address_is_unix(const struct address *address)
{
    return address->storage.ss_family == AF_UNIX;
}

const char *address_path(const struct address *address)
{
    return ((const struct sockaddr_un *)(const void *)&address->storage)->sun_path;
}

static void format_6(const struct sockaddr_in6 *in6, char *out, size_t bytes)
{
    char text[INET6_ADDRSTRLEN];
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text, sizeof text);
        snprintf(out, bytes, "%s:%u", text, ntohs(in6->sin6_port));
    } else {
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        snprintf(out, bytes, "[%s]:%u", text, ntohs(in6->sin6_port));
    }
}

void address_format(const struct address *address, char *out, size_t bytes)
{
    const void *storage = &address->storage;
    char text[INET_ADDRSTRLEN];
    switch (address->storage.ss_family) {
    case AF_INET: {
        const struct sockaddr_in *in = storage;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(out, bytes, "%s:%u", text, ntohs(in->sin_port));
        return;
    }
    case AF_INET6:
        format_6(storage, out, bytes);
        return;
    case AF_UNIX:
        snprintf(out, bytes, "unix");
        return;
    default:
        snprintf(out, bytes, "?");
    }
}

void address_of_socket(int fd, bool peer, char *out, size_t bytes)
{
    struct address address = {.length = sizeof address.storage};
    struct sockaddr *at = (struct sockaddr *)&address.storage;
    int error = peer ? getpeername(fd, at, &address.length) : getsockname(fd, at, &address.length);
    if (error)
        snprintf(out, bytes, "?");
    else
        address_format(&address, out, bytes);
}
