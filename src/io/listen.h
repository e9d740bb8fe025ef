/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_LISTEN_H
#define SEGUE_IO_LISTEN_H

/* Taking an address to listen at. Blocking: for the start of a process. */

#include "io/address.h"

/* A listening socket, or -1 and a sentence that names `what` and the address. An address in use is
 * tried again for a second (an earlier process may just be ending). `bound`, if not NULL: the
 * address as it was taken. */
int listen_at(const char *what, const char *address, char *bound, size_t bound_bytes,
              char *sentence, size_t sentence_bytes);

#endif
