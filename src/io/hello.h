/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_HELLO_H
#define SEGUE_IO_HELLO_H

/* The first bytes of a link, both ways: who speaks, and of which array. A reader of any version
 * finds the version at the same place. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/limits.h"

enum { HELLO_VERSION = 1, HELLO_BYTES = 96, HELLO_NAME_BYTES = 16 };

struct hello {
    char array[NAME_BYTES];
    char process[HELLO_NAME_BYTES];  /* who speaks */
    char expected[HELLO_NAME_BYTES]; /* whom it believes to speak to */
    uint32_t pid;
    uint64_t incarnation; /* of the process: greater in every later life */
};

void hello_encode(const struct hello *hello, uint8_t out[HELLO_BYTES]);
/* False: the sentence says why this is nobody to talk to. */
bool hello_decode(const uint8_t bytes[HELLO_BYTES], struct hello *out, char *sentence,
                  size_t sentence_bytes);

#endif
