/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/transport_id.h"

enum {
    TRANSPORT_ISCSI = 0x05,  /* protocol identifier; format 00b: a node's name */
    TRANSPORT_WHOLE = 0x40,  /* format 01b: a port's name */
    TRANSPORT_FORMAT = 0xC0, /* bits of the first byte */
    TRANSPORT_NAME_MIN = 20, /* bytes with their padding */
    ISID_DIGITS = 12,
};

static const char isid_separator[] = ",i,0x";
enum { SEPARATOR_BYTES = sizeof isid_separator - 1 };

/* Where the node's name ends; its length if there is no ISID. */
static uint32_t node_length(const char *name, uint32_t length)
{
    for (uint32_t i = 0; i + SEPARATOR_BYTES <= length; i++)
        if (memcmp(name + i, isid_separator, SEPARATOR_BYTES) == 0)
            return i;
    return length;
}

void transport_id_put(const struct scsi_port *port, struct cursor *c)
{
    bool whole = node_length(port->name, port->length) < port->length;
    uint32_t length = (port->length + 1u + 3u) & ~3u; /* with at least one zero */
    if (length < TRANSPORT_NAME_MIN)
        length = TRANSPORT_NAME_MIN;
    cursor_put8(c, TRANSPORT_ISCSI | (whole ? TRANSPORT_WHOLE : 0));
    cursor_put8(c, 0);
    cursor_put16(c, (uint16_t)length);
    cursor_put_bytes(c, port->name, port->length);
    for (uint32_t i = port->length; i < length; i++)
        cursor_put8(c, 0);
}

/* Puts the ISID that begins at `from`, of any number of digits, into the form that a port's name
 * has. */
static bool isid_normalise(struct transport_id *id, uint32_t from)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t isid = 0;
    uint32_t count = id->length - from;
    if (count == 0 || count > ISID_DIGITS || from + ISID_DIGITS > PORT_NAME_MAX)
        return false;
    for (uint32_t i = from; i < id->length; i++) {
        char d = id->name[i];
        if (d >= '0' && d <= '9')
            isid = isid << 4 | (uint64_t)(d - '0');
        else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
            isid = isid << 4 | (uint64_t)((d | 0x20) - 'a' + 10);
        else
            return false;
    }
    for (int i = ISID_DIGITS - 1; i >= 0; i--, isid >>= 4)
        id->name[from + (uint32_t)i] = digits[isid & 15];
    id->length = (uint8_t)(from + ISID_DIGITS);
    return true;
}

bool transport_id_get(struct cursor *c, struct transport_id *out)
{
    uint8_t format = cursor_get8(c);
    (void)cursor_get8(c);
    uint16_t length = cursor_get16(c);
    const uint8_t *text = cursor_take(c, length);
    if (!text || length < TRANSPORT_NAME_MIN || length % 4)
        return false;
    if ((format & ~TRANSPORT_FORMAT) != TRANSPORT_ISCSI || (format & TRANSPORT_FORMAT) > 0x40)
        return false;
    uint32_t used = 0;
    while (used < length && text[used])
        used++;
    if (used == 0 || used == length || used > PORT_NAME_MAX)
        return false; /* no name, or no zero at its end */
    *out = (struct transport_id){.whole = format & TRANSPORT_WHOLE, .length = (uint8_t)used};
    memcpy(out->name, text, used);
    uint32_t node = node_length(out->name, used);
    if (!out->whole)
        return node == used;
    return node > 0 && node < used && isid_normalise(out, node + SEPARATOR_BYTES);
}

bool transport_id_is(const struct transport_id *id, const struct scsi_port *port)
{
    uint32_t compared = id->whole ? port->length : node_length(port->name, port->length);
    return (port->nexuses || port->registrations) && compared == id->length &&
           memcmp(port->name, id->name, compared) == 0;
}
