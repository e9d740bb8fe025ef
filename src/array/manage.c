/* SPDX-License-Identifier: Apache-2.0 */
#include "array/manage.h"

#include "base/bytes.h"
#include "base/must.h"

enum { REQUEST_VERSION = 2 };

static void put_text(struct cursor *c, const char *text)
{
    size_t length = strlen(text);
    cursor_put8(c, (uint8_t)length);
    cursor_put_bytes(c, text, length);
}

static void get_text(struct cursor *c, char *out, size_t bytes)
{
    uint8_t length = cursor_get8(c);
    if (length >= bytes)
        c->failed = true;
    else
        cursor_get_bytes(c, out, length); /* the rest is 0 */
    if (!c->failed && strlen(out) != length)
        c->failed = true;
}

uint32_t manage_encode(const struct manage_request *request, uint8_t *out, uint32_t capacity)
{
    struct cursor c = cursor_of(out, capacity);
    must(request->drive_count <= DRIVE_MAX);
    cursor_put8(&c, REQUEST_VERSION);
    cursor_put8(&c, request->verb);
    cursor_put_bytes(&c, request->name, NAME_BYTES);
    cursor_put_bytes(&c, request->pool, NAME_BYTES);
    cursor_put_bytes(&c, request->uuid, sizeof request->uuid);
    cursor_put8(&c, request->level);
    cursor_put8(&c, request->cache);
    cursor_put32(&c, request->chunk_bytes);
    cursor_put64(&c, request->bytes);
    cursor_put32(&c, request->block_bytes);
    cursor_put8(&c, request->read_only);
    cursor_put16(&c, request->lun);
    cursor_put16(&c, request->volume);
    cursor_put8(&c, request->group);
    cursor_put8(&c, request->module);
    cursor_put8(&c, request->drive);
    put_text(&c, request->host);
    put_text(&c, request->initiator);
    put_text(&c, request->user);
    cursor_put8(&c, request->drive_count);
    cursor_put_bytes(&c, request->drives, request->drive_count);
    return c.failed ? 0 : (uint32_t)(c.at - out);
}

static void get_name(struct cursor *c, char *out)
{
    cursor_get_bytes(c, out, NAME_BYTES);
    if (out[NAME_BYTES - 1] != 0)
        c->failed = true;
}

bool manage_decode(const uint8_t *bytes, uint32_t length, struct manage_request *out)
{
    struct cursor c = cursor_read(bytes, length);
    memset(out, 0, sizeof *out);
    if (cursor_get8(&c) != REQUEST_VERSION)
        return false;
    out->verb = cursor_get8(&c);
    get_name(&c, out->name);
    get_name(&c, out->pool);
    cursor_get_bytes(&c, out->uuid, sizeof out->uuid);
    out->level = cursor_get8(&c);
    out->cache = cursor_get8(&c);
    out->chunk_bytes = cursor_get32(&c);
    out->bytes = cursor_get64(&c);
    out->block_bytes = cursor_get32(&c);
    out->read_only = cursor_get8(&c) != 0;
    out->lun = cursor_get16(&c);
    out->volume = cursor_get16(&c);
    out->group = cursor_get8(&c);
    out->module = cursor_get8(&c);
    out->drive = cursor_get8(&c);
    get_text(&c, out->host, sizeof out->host);
    get_text(&c, out->initiator, sizeof out->initiator);
    get_text(&c, out->user, sizeof out->user);
    out->drive_count = cursor_get8(&c);
    if (out->drive_count > DRIVE_MAX)
        return false;
    cursor_get_bytes(&c, out->drives, out->drive_count);
    return !c.failed && cursor_left(&c) == 0;
}
