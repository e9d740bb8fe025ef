/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_STORE_H
#define SEGUE_IO_STORE_H

/* Small state that is replaced whole and durably, or not at all. Blocking: for the start of a
 * process, or a worker.
 *
 * store_write makes a new file in place of the old one, which costs two commits of the file
 * system's journal. store_put is for what somebody waits for: the file has two slots of a fixed
 * size, each with a number that counts up and a checksum, and is only written into. Whatever
 * happens, one of them is whole; store_settle later makes them the same again, so that the decay of
 * one is no loss.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Written aside, fsynced, renamed over `path`, the directory fsynced. False: errno says why; the
 * old contents stand, or the new ones. */
bool store_write(const char *path, const void *bytes, size_t length);
/* Length; 0: there is no such file; -1: it cannot be read, or is longer than `capacity`. */
long store_read(const char *path, void *bytes, size_t capacity);

enum { STORE_SLOT_BYTES = 4096, STORE_BYTES_MAX = STORE_SLOT_BYTES - 64 };

/* Durable when it returns true; false: errno says why, and the old or the new contents stand. */
bool store_put(const char *path, const void *bytes, size_t length);
bool store_settle(const char *path);
/* As store_read; -1 also where neither slot is whole. */
long store_get(const char *path, void *bytes, size_t capacity);

#endif
