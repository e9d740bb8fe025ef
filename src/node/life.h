/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_LIFE_H
#define SEGUE_NODE_LIFE_H

/* What a process keeps of its lives in the state directory. */

#include "manage/config.h"

/* Makes a directory and those above it. 0 or -1. */
int life_make_directory(const char *path);
/* A number greater than that of every earlier life of this process, also when the clock was set
 * back: the time of day with some chance in its last bits. 0, or -1 and a sentence. */
int life_next(const struct config *config, int process, uint64_t *incarnation, char *sentence,
              size_t sentence_bytes);
/* STATE/run/PROCESS.pid */
int life_write_pid(const struct config *config, int process, char *sentence, size_t sentence_bytes);
void life_remove_pid(const struct config *config, int process);

#endif
