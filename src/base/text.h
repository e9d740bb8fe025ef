/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_TEXT_H
#define SEGUE_BASE_TEXT_H

/* Putting a sentence together in memory of a fixed size, without printf: what does not fit is cut
 * off, and what is there always ends with a 0. */

#include <stdint.h>

struct text {
    char *at;
    uint32_t bytes, length;
};

/* An empty text in `bytes` of memory at `at`; none at all (bytes == 0) is allowed. */
struct text text_in(char *at, uint32_t bytes);
void text_append(struct text *t, const char *words);
void text_number(struct text *t, uint64_t number);
/* At least `digits` digits, with zeroes in front: 07. */
void text_padded(struct text *t, uint64_t number, uint32_t digits);

#endif
