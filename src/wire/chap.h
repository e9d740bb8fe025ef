/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_WIRE_CHAP_H
#define SEGUE_WIRE_CHAP_H

/* The Challenge Handshake Authentication Protocol as iSCSI uses it (RFC 1994, RFC 7143 12.1.3). A
 * response is a hash of identifier, secret and challenge: a pure function. (OpenSSL, which computes
 * it, takes memory of its own for that long.) */

#include "wire/wire.h"

enum chap_algorithm { /* IANA "PPP Authentication Algorithms" */
                      CHAP_NONE = 0,
                      CHAP_MD5 = 5,
                      CHAP_SHA1 = 6,
                      CHAP_SHA256 = 7,
                      CHAP_SHA3_256 = 8,
};

enum {
    CHAP_RESPONSE_MAX = 32,
    CHAP_CHALLENGE_MAX = 1024, /* RFC 7143 6.1: bytes of a large binary value */
    CHAP_SECRET_MAX = 255,
};

/* Bytes of its responses; 0: it is not supported. */
uint32_t chap_length(uint32_t algorithm);
/* Of a list such as "5,7": the first one that is supported, or CHAP_NONE. */
enum chap_algorithm chap_choose(const char *list);
/* False: the hash cannot be computed (MD5 where a policy of the machine forbids it). */
bool chap_response(enum chap_algorithm algorithm, uint8_t identifier, const uint8_t *secret,
                   uint32_t secret_length, const uint8_t *challenge, uint32_t challenge_length,
                   uint8_t out[CHAP_RESPONSE_MAX]);
/* The same bytes? Takes as long whether they are or not. */
bool chap_equal(const uint8_t *a, const uint8_t *b, uint32_t length);

/* Binary values in text (RFC 7143 6.1): "0x" and hexadecimal digits, or "0b" and Base64. Returns
 * the bytes written, or -1: it is no such value, or longer than `capacity`. */
int chap_decode(const char *text, uint8_t *out, uint32_t capacity);
/* As "0x...", with a terminating 0: 3 + 2 * length bytes. */
void chap_encode(const uint8_t *bytes, uint32_t length, char *out);

#endif
