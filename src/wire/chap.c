/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/chap.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/must.h"

static const struct algorithm {
    const EVP_MD *(*hash)(void);
    uint32_t length;
} algorithms[] = {
    [CHAP_MD5] = {EVP_md5, 16},
    [CHAP_SHA1] = {EVP_sha1, 20},
    [CHAP_SHA256] = {EVP_sha256, 32},
    [CHAP_SHA3_256] = {EVP_sha3_256, 32},
};
enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

uint32_t chap_length(uint32_t algorithm)
{
    return algorithm < ALGORITHMS ? algorithms[algorithm].length : 0;
}

enum chap_algorithm chap_choose(const char *list)
{
    while (*list) {
        uint32_t number = 0, digits = 0;
        for (; *list >= '0' && *list <= '9'; list++, digits++)
            number = number < 1000 ? number * 10 + (uint32_t)(*list - '0') : number;
        if (digits > 0 && (*list == ',' || *list == 0) && chap_length(number) > 0)
            return (enum chap_algorithm)number;
        while (*list && *list != ',')
            list++;
        list += *list == ',';
    }
    return CHAP_NONE;
}

bool chap_response(enum chap_algorithm algorithm, uint8_t identifier, const uint8_t *secret,
                   uint32_t secret_length, const uint8_t *challenge, uint32_t challenge_length,
                   uint8_t out[CHAP_RESPONSE_MAX])
{
    uint8_t message[1 + CHAP_SECRET_MAX + CHAP_CHALLENGE_MAX];
    struct cursor c = cursor_of(message, sizeof message);
    unsigned length = 0;
    must(chap_length(algorithm) > 0);
    cursor_put8(&c, identifier);
    cursor_put_bytes(&c, secret, secret_length);
    cursor_put_bytes(&c, challenge, challenge_length);
    bool done = !c.failed && EVP_Digest(message, (size_t)(c.at - message), out, &length,
                                        algorithms[algorithm].hash(), NULL) == 1;
    OPENSSL_cleanse(message, sizeof message);
    return done && length == chap_length(algorithm);
}

bool chap_equal(const uint8_t *a, const uint8_t *b, uint32_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}

/* ---- binary values ---- */

static int digit16(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int decode_hex(const char *text, uint8_t *out, uint32_t capacity)
{
    uint32_t digits = (uint32_t)strlen(text), length = 0;
    bool half = digits % 2; /* "0x1" is one byte */
    for (uint32_t i = 0; i < digits; i++) {
        int digit = digit16(text[i]);
        if (digit < 0 || (!half && length == capacity))
            return -1;
        if (i == 0 && half) {
            if (capacity == 0)
                return -1;
            out[length++] = (uint8_t)digit;
            half = false;
            continue;
        }
        if (!half)
            out[length] = (uint8_t)(digit << 4);
        else
            out[length++] |= (uint8_t)digit;
        half = !half;
    }
    return digits > 0 ? (int)length : -1;
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int decode_base64(const char *text, uint8_t *out, uint32_t capacity)
{
    uint32_t bits = 0, held = 0, length = 0, digits = 0;
    for (; *text && *text != '='; text++, digits++) {
        int digit = digit64(*text);
        if (digit < 0)
            return -1;
        held = held << 6 | (uint32_t)digit;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (length == capacity)
            return -1;
        out[length++] = (uint8_t)(held >> bits);
    }
    for (; *text == '='; text++)
        digits++;
    return *text == 0 && digits > 0 && digits % 4 == 0 ? (int)length : -1;
}

int chap_decode(const char *text, uint8_t *out, uint32_t capacity)
{
    if (text[0] != '0')
        return -1;
    if (text[1] == 'x' || text[1] == 'X')
        return decode_hex(text + 2, out, capacity);
    if (text[1] == 'b' || text[1] == 'B')
        return decode_base64(text + 2, out, capacity);
    return -1;
}

void chap_encode(const uint8_t *bytes, uint32_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '0';
    *out++ = 'x';
    for (uint32_t i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}
