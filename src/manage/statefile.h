/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_STATEFILE_H
#define SEGUE_MANAGE_STATEFILE_H

/* What management keeps beside the array itself (mutes, users, requests): a JSON file each in
 * STATE/manage, replaced as a whole, readable by its owner alone. */

#include <jansson.h>
#include <stdbool.h>

#include "manage/config.h"

enum { STATEFILE_PATH = CONFIG_PATH + 64 };

void statefile_path(const struct config *config, const char *name, char *out, size_t bytes);
/* The file's array; an empty one if there is none. The caller owns it. NULL: it is damaged, or no
 * memory. */
json_t *statefile_load(const struct config *config, const char *name);
/* Durable when it returns true. Makes the directory. */
bool statefile_save(const struct config *config, const char *name, const json_t *content);
/* Nobody else holds the lock of that file until the fd is closed. -1: it cannot be had. */
int statefile_lock(const struct config *config, const char *name);

#endif
