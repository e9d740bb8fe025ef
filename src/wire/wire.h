/* table */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_WIRE_WIRE_H
#define SEGUE_WIRE_WIRE_H

/* A layout's promises: the size of a struct that lies on a wire or a disk, and where each of its
 * fields lies. Such structs hold nothing but uint8_t and beNN, so they have no padding. */

#include <assert.h>

#include "base/bytes.h"

#define WIRE_SIZE(type, bytes) \
    static_assert(sizeof(struct type) == (bytes), #type " has a wrong size")
#define WIRE_AT(type, field, offset) \
    static_assert(offsetof(struct type, field) == (offset), #type "." #field " lies elsewhere")

#endif
