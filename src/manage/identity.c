/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/identity.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/must.h"

/* RFC 4122 4.4 and 4.3: version and variant. */
static void set_version(uint8_t uuid[16], uint8_t version)
{
    uuid[6] = (uint8_t)((uuid[6] & 0x0F) | version << 4);
    uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
}

void identity_of_name(const char *array, const char *kind, const char *name, uint8_t uuid[16])
{
    /* the namespace of everything that an array's first configuration creates */
    static const uint8_t space[16] = {0x5e, 0x67, 0x75, 0x65, 0x0b, 0x1d, 0x4c, 0x2f,
                                      0x9a, 0x60, 0x21, 0x7e, 0x44, 0xd3, 0x08, 0x15};
    char text[256];
    uint8_t input[sizeof space + sizeof text], digest[EVP_MAX_MD_SIZE];
    snprintf(text, sizeof text, "%s/%s/%s", array, kind, name);
    size_t length = strlen(text);
    memcpy(input, space, sizeof space);
    memcpy(input + sizeof space, text, length);
    int made = EVP_Digest(input, sizeof space + length, digest, NULL, EVP_sha1(), NULL);
    must(made == 1);
    memcpy(uuid, digest, 16);
    set_version(uuid, 5);
}

void identity_random(uint8_t uuid[16])
{
    ssize_t got = getrandom(uuid, 16, 0);
    must(got == 16);
    set_version(uuid, 4);
}

void identity_of_request(const char *kind, const char *name, uint8_t uuid[16])
{
    const char *request = getenv("SEGUE_REQUEST_ID");
    if (request && *request)
        identity_of_name(request, kind, name, uuid);
    else
        identity_random(uuid);
}
