/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_SUGGEST_H
#define SEGUE_MANAGE_SUGGEST_H

/* "did you mean": the word of a list that is nearest to a mistyped one. */

#include <stddef.h>

/* NULL: none is near. `words` may hold NULLs. */
const char *suggest_word(const char *typed, const char *const *words, size_t count);

#endif
