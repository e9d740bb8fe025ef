/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_CLIENT_H
#define SEGUE_MANAGE_CLIENT_H

/* Asking the management sockets of an array's processes: one JSON line there, one back. Several at
 * a time, so that one that hangs costs the others nothing. */

#include <jansson.h>
#include <stddef.h>

enum client_result {
    CLIENT_ANSWERED,
    CLIENT_UNREACHABLE, /* nothing was sent: no such socket, or nobody behind it */
    CLIENT_SILENT,      /* sent, and no answer that can be understood came in time */
};

enum { CLIENT_CALLS_MAX = 16, CLIENT_ANSWER_BYTES = 16 << 20 };

struct client_call {
    const char *socket; /* path */
    enum client_result result;
    json_t *answer; /* of CLIENT_ANSWERED: the caller's to json_decref; else NULL */
};

/* Sends the request to every socket and waits until all have answered, or `timeout_ms` have passed.
 */
void client_ask(struct client_call *calls, size_t count, const json_t *request, int timeout_ms);

#endif
