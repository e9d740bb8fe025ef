/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_QUANTITY_H
#define SEGUE_MANAGE_QUANTITY_H

/* Sizes and times as people write and read them: "64MiB", "150ms", "41d". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole number with a unit: B KiB MiB GiB TiB PiB, kB MB GB TB PB; none means bytes. False: not a
 * size, or over 2^63. */
bool quantity_size(const char *text, uint64_t *bytes);
/* A whole or decimal number with its unit: ns us ms s min h d. False: not a time, or over 2^62 ns.
 */
bool quantity_time(const char *text, uint64_t *ns);
/* A whole decimal number. */
bool quantity_number(const char *text, uint64_t *number);

/* "64 MiB", "1.5 GiB", "512 B": at most 3 figures before the point. */
void quantity_size_text(uint64_t bytes, char *out, size_t out_bytes);
/* As a configuration takes it: "64MiB", with the largest unit that is exact. */
void quantity_size_exact(uint64_t bytes, char *out, size_t out_bytes);
/* How long ago, in one unit: "0s", "45s", "12m", "3h", "41d". */
void quantity_age_text(uint64_t ns, char *out, size_t out_bytes);
/* A duration of work: "48 us", "31 ms", "2.4 s". */
void quantity_time_text(uint64_t ns, char *out, size_t out_bytes);

#endif
