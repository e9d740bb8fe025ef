/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_REQUEST_H
#define SEGUE_PROGRAMS_SEGUE_REQUEST_H

/* Talking with a running array over its management sockets. */

#include <jansson.h>

#include "manage/config.h"

enum request_result {
    REQUEST_GOOD,        /* `text`: "volume=3" */
    REQUEST_REFUSED,     /* `text`: a sentence that says why and what to do */
    REQUEST_UNKNOWN,     /* it may or may not be done */
    REQUEST_UNREACHABLE, /* it is not done: no module could be asked */
};

enum { REQUEST_TEXT = 512 };

/* Gives the request to a module, and to another if that one cannot be reached. What creates is
 * asked again when the outcome is not known, since its identity makes twice once. */
enum request_result request_send(const struct config *config, uint8_t group,
                                 const struct manage_request *request, int timeout_ms, char *text,
                                 size_t text_bytes);

/* Says words to a part: one try. REFUSED: `text` says why. */
enum request_result request_part(const struct config *config, port_id port, const char *words,
                                 int timeout_ms, char *text, size_t text_bytes);

/* The merged state of all its processes, as `segue status -o json` prints it; the caller owns it.
 * `answered`: how many of them said something. */
json_t *request_status(const struct config *config, int timeout_ms, size_t *answered);

#endif
