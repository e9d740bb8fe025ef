/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_METRICS_H
#define SEGUE_API_API_METRICS_H

#include <jansson.h>

/* The metrics of an array in Prometheus' text format, of its merged status and of what its
 * processes answer to {"verb":"metrics"} (a list). The caller frees it. NULL: no memory. */
char *api_metrics_text(const json_t *status, const json_t *answers, const char *version);

#endif
