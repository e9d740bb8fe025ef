/* SPDX-License-Identifier: Apache-2.0 */
#include "io/hello.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/must.h"

static const uint8_t hello_magic[8] = {'S', 'E', 'G', 'U', 'E', 'L', 'N', 'K'};

void hello_encode(const struct hello *hello, uint8_t out[HELLO_BYTES])
{
    memset(out, 0, HELLO_BYTES);
    struct cursor c = cursor_of(out, HELLO_BYTES);
    cursor_put_bytes(&c, hello_magic, sizeof hello_magic);
    cursor_put16(&c, HELLO_VERSION);
    cursor_put16(&c, 0);
    cursor_put32(&c, hello->pid);
    cursor_put64(&c, hello->incarnation);
    cursor_put_bytes(&c, hello->array, sizeof hello->array);
    cursor_put_bytes(&c, hello->process, sizeof hello->process);
    cursor_put_bytes(&c, hello->expected, sizeof hello->expected);
    must(!c.failed);
}

bool hello_decode(const uint8_t bytes[HELLO_BYTES], struct hello *out, char *sentence,
                  size_t sentence_bytes)
{
    memset(out, 0, sizeof *out);
    struct cursor c = cursor_read(bytes, HELLO_BYTES);
    uint8_t magic[sizeof hello_magic];
    cursor_get_bytes(&c, magic, sizeof magic);
    if (memcmp(magic, hello_magic, sizeof magic) != 0) {
        snprintf(sentence, sentence_bytes, "what it says first is no hello of a link");
        return false;
    }
    uint16_t version = cursor_get16(&c);
    if (version != HELLO_VERSION) {
        snprintf(sentence, sentence_bytes, "it speaks version %u of the link, this is version %u",
                 version, HELLO_VERSION);
        return false;
    }
    (void)cursor_get16(&c);
    out->pid = cursor_get32(&c);
    out->incarnation = cursor_get64(&c);
    cursor_get_bytes(&c, out->array, sizeof out->array);
    cursor_get_bytes(&c, out->process, sizeof out->process);
    cursor_get_bytes(&c, out->expected, sizeof out->expected);
    if (c.failed || out->array[sizeof out->array - 1] || out->process[sizeof out->process - 1] ||
        out->expected[sizeof out->expected - 1]) {
        snprintf(sentence, sentence_bytes, "its hello holds a name without an end");
        return false;
    }
    return true;
}
