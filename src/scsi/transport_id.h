/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_TRANSPORT_ID_H
#define SEGUE_SCSI_TRANSPORT_ID_H

/* iSCSI TransportIDs (SPC-4 7.6.4.6): how hosts name initiator ports in PERSISTENT RESERVE. A
 * port's name is "NODE,i,0xISID", with the ISID in 12 small hexadecimal digits. */

#include "base/bytes.h"
#include "scsi/state.h"

struct transport_id {
    bool whole; /* names one port; else a node: any port of it that is known */
    uint8_t length;
    char name[PORT_NAME_MAX + 1];
};

void transport_id_put(const struct scsi_port *port, struct cursor *c);
/* False: not an iSCSI TransportID, or cut off. */
bool transport_id_get(struct cursor *c, struct transport_id *out);
/* Does it name that port? */
bool transport_id_is(const struct transport_id *id, const struct scsi_port *port);

#endif
