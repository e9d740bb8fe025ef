/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_ADDRESS_H
#define SEGUE_IO_ADDRESS_H

/* Addresses of sockets as people write them: "unix:/path", "tcp:address:port" or "address:port",
 * IPv6 in brackets. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT = 128 };

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* 0, or -1 and a sentence. A name instead of an address is looked up, once. */
int address_parse(const char *text, struct address *out, char *sentence, size_t sentence_bytes);
bool address_is_unix(const struct address *address);
const char *address_path(const struct address *address); /* of a Unix one */
/* "address:port", an IPv4 address mapped into IPv6 as IPv4; "unix" for a Unix socket. */
void address_format(const struct address *address, char *out, size_t bytes);
/* Of a connected socket; "?" where they cannot be told. */
void address_of_socket(int fd, bool peer, char *out, size_t bytes);

#endif
