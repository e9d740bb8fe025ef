/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_WIRE_FRAME_H
#define SEGUE_WIRE_FRAME_H

/* One message of the array <-> one Fibre Channel sequence on a stream link:
 *
 *   link prefix | FC-2 header | information unit | stamp | payload
 *               '-------------- head --------------------'
 *
 * COMMAND and DRIVE_COMMAND carry an FCP_CMND, RESPONSE and DRIVE_RESPONSE an FCP_RSP, so that a
 * capture decodes down to the SCSI command; all others are of a vendor specific type and have no
 * information unit. The stamp begins with a version and the kind of the message, and carries
 * every field that header and information unit do not; its layout is the table in frame.c.
 */

#include "command/message.h"

enum {
    FRAME_VERSION = 2,
    FRAME_HEAD_MAX = 512,
    FRAME_PREFIX_BYTES = 12,
};

/* Header, information unit and stamp of the message into `head`, FRAME_HEAD_MAX bytes. Returns how
 * many. A COMMAND, whose `to` is a unit, goes out with the D_ID of that unit's group. */
uint32_t frame_encode(const struct message *message, uint8_t *head);
/* Everything of the message but its payload, which is left empty. Bytes come from outside: false
 * means that they are no message, or one of a version that we do not know, or that a field is out
 * of its range; `out` is then undefined. */
bool frame_decode(const uint8_t *head, uint32_t head_length, uint32_t payload_length,
                  struct message *out);

/* What precedes each frame on a stream: FRAME_PREFIX_BYTES. */
void frame_prefix_put(uint8_t *out, uint32_t head_length, uint32_t payload_length);
/* False: no prefix of ours, or lengths over FRAME_HEAD_MAX and BUFFER_MAX: close the link. */
bool frame_prefix_get(const uint8_t *bytes, uint32_t *head_length, uint32_t *payload_length);

#endif
