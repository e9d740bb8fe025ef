/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_WIRE_STAMP_H
#define SEGUE_WIRE_STAMP_H

/* What follows version and kind in a frame's head: every field of the message that its header and
 * its information unit do not carry. */

#include "base/bytes.h"
#include "command/message.h"

bool stamp_known(uint8_t kind);
/* The fields of message->kind. A value outside of its range goes out as it is. */
void stamp_put(struct cursor *c, const struct message *message);
/* ... into `out`, whose kind is set and known. False: too short, or a field is out of its range. */
bool stamp_get(struct cursor *c, struct message *out);

#endif
