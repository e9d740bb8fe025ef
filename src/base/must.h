/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_MUST_H
#define SEGUE_BASE_MUST_H

/* must(condition): our own promise to ourselves, checked in every build. When it breaks, the
 * process prints the trace ring and aborts, and the peer takes over. Never used for what the
 * world may do (a malformed frame, a drive error): that is data. */

#define must(condition)                                  \
    do {                                                 \
        if (!(condition))                                \
            must_failed(#condition, __FILE__, __LINE__); \
    } while (0)

/* Prints the broken promise and the trace ring to stderr, then aborts. */
_Noreturn void must_failed(const char *condition, const char *file, int line);

/* The world may ask to be told before the abort (to close links, to name a seed). Set once. */
void must_on_failure(void (*hook)(void));

#endif
