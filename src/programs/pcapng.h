/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_PCAPNG_H
#define SEGUE_PROGRAMS_PCAPNG_H

/* A capture file (draft-ietf-opsawg-pcapng): one section, one interface of Fibre Channel frames
 * without delimiters (LINKTYPE_FC_2), times in nanoseconds. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PCAPNG_LINKTYPE_FC_2 = 224 };

struct pcapng_packet {
    uint64_t time_ns;  /* since 1970 */
    uint32_t original; /* bytes that it had */
    uint32_t captured; /* ... and that are here */
    bool out;
    uint64_t missed; /* frames between the one before and this one */
    const uint8_t *bytes;
};

/* False: errno says why. */
bool pcapng_begin(FILE *file, const char *program, const char *interface, uint32_t snap_length);
bool pcapng_packet(FILE *file, const struct pcapng_packet *packet);
/* How many there were, and how many of them are not in the file. */
bool pcapng_end(FILE *file, uint64_t seen, uint64_t missed);

#endif
