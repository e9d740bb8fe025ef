/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_SERIES_H
#define SEGUE_API_API_SERIES_H

/* What hosts felt in each of the last seconds: rates and latencies, made of what the interface
 * switches have counted. Kept whether anybody looks or not, so that a takeover can be looked at
 * afterwards. */

#include <jansson.h>

enum { SERIES_SECONDS = 900 };

struct series;

struct series *series_new(void);
void series_free(struct series *series);
/* What the processes have counted until now (their answers to "metrics"); `time`: RFC 3339. Returns
 * the new second, borrowed; NULL: there is none to compare with, or a switch has counted anew. */
const json_t *series_take(struct series *series, const json_t *answers, const char *time,
                          double now_s);
/* All of them, oldest first; the caller owns it. */
json_t *series_all(const struct series *series);

#endif
