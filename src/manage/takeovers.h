/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_TAKEOVERS_H
#define SEGUE_MANAGE_TAKEOVERS_H

/* Takeovers, put together from the events of their phases:
 *
 *   {"group":"g1","unit":"B1","epoch":3,"cause":"link_reset","time":"...","done":true,
 *    "duration_ms":17.3,"phases":[{"phase":"suspect","ms":0.0,"time":"..."},...]}
 *
 * A phase's `ms` counts from the first one; `duration_ms` is that of the last one. One that is not
 * `done` was begun and not ended by that unit: another one was faster, or it died. */

#include <jansson.h>

/* Of the events (the oldest first), the oldest first; `group` NULL: of all. The caller owns it. */
json_t *takeovers_of_events(const json_t *events, const char *group);

#endif
