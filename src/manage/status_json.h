/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_STATUS_JSON_H
#define SEGUE_MANAGE_STATUS_JSON_H

/* Reading status objects, where anything may be missing or of another type, and the steps by which
 * status_merge puts them together. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

const char *status_text_of(const json_t *object, const char *key); /* "": none */
uint64_t status_number_of(const json_t *object, const char *key);  /* 0: none */
bool status_flag_of(const json_t *object, const char *key);
/* The entry of a list of objects whose `key` is that text, or NULL. */
json_t *status_find(const json_t *list, const char *key, const char *text);
bool status_list_has(const json_t *list, const char *text);
/* "A1, B1"; "-" of an empty list. */
void status_list_text(const json_t *list, const char *between, char *out, size_t bytes);
/* The unit that knows best of a group: its primary of the highest epoch, else of the newest record.
 */
const json_t *status_best_unit(const json_t *status, const char *group);

/* What is wrong, by the merged status, into status.health. */
void status_health_add(json_t *status);
/* Its state anew, once checks have been muted. */
void status_health_judge(json_t *status);
/* How many checks of that severity (NULL: of any) nobody has muted. */
size_t status_health_count(const json_t *status, const char *severity);
/* How many more drives a pool can lose now, whichever they are, by its level, `drives` and
 * `drives_bad`. -1: it has lost too many. */
int status_pool_survives(const json_t *pool);

#endif
