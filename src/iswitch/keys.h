/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_KEYS_H
#define SEGUE_ISWITCH_KEYS_H

/* Text negotiation (RFC 7143 clauses 6 and 13): one table of keys, one small function per kind. */

#include "wire/iscsi.h"

enum {
    TEXT_BYTES = 8192,           /* of one text, in or out */
    OUR_SEGMENT_MAX = 256 << 10, /* MaxRecvDataSegmentLength that we declare */
    DEFAULT_SEGMENT_MAX = 8192,  /* ... before that, and the host's if it declares none */
};

/* A text being written: key=value pairs, each with its zero byte. */
struct text_out {
    uint32_t length;
    bool overflow;
    uint8_t bytes[TEXT_BYTES];
};
void keys_put(struct text_out *out, const char *key, const char *value);
void keys_put_number(struct text_out *out, const char *key, uint32_t value);

enum digest { DIGEST_NONE, DIGEST_CRC32C };

/* What was negotiated. Numbers and booleans by the keys' names. */
struct parameters {
    char initiator[ISCSI_NAME_MAX + 1];
    char target[ISCSI_NAME_MAX + 1];
    char session_type[16];
    uint32_t header_digest, data_digest, task_reporting;
    uint32_t max_connections, initial_r2t, immediate_data;
    uint32_t segment_max; /* the host's MaxRecvDataSegmentLength */
    uint32_t burst_max, first_burst;
    uint32_t time_to_wait, time_to_retain;
    uint32_t r2t_max, pdu_in_order, sequence_in_order, recovery_level, protocol_level, marker;
};
void keys_default(struct parameters *parameters);

enum keys_result {
    KEYS_OK,     /* also when the key is refused or not understood: the answer says so */
    KEYS_BROKEN, /* the rules of negotiation are broken */
};

struct negotiation {
    struct parameters *parameters;
    uint64_t *seen; /* bit k: row k was negotiated */
    struct text_out *out;
    enum iscsi_stage stage;
    bool discovery;
};

/* One key that the host offers: takes it into the parameters and writes the answer. */
enum keys_result keys_take(struct negotiation *n, const char *key, char *value);
/* Decimal, or hexadecimal after 0x. */
bool keys_number(const char *text, uint32_t *out);

#endif
