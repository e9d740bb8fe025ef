/* SPDX-License-Identifier: Apache-2.0 */

/* Text Request in full feature phase (RFC 7143 11.10): SendTargets (appendix C) and the keys that
 * may still be declared. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static const struct iscsi_text_request *request_of(const struct connection *c)
{
    return (const struct iscsi_text_request *)(const void *)c->receive.header;
}

enum verdict text_begin(struct iswitch *x, struct connection *c)
{
    if (c->text_length + c->receive.data_length > TEXT_BYTES) {
        connection_close(x, c, "endless text");
        return VERDICT_SKIP;
    }
    receive_into_text(c);
    return VERDICT_TAKE;
}

/* ---- SendTargets ---- */

/* Where the host part of "address:port" ends. */
static size_t host_length(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon ? (size_t)(colon - address) : strlen(address);
}

bool text_portal_is_wildcard(const char *address)
{
    size_t length = host_length(address);
    return (length == 7 && memcmp(address, "0.0.0.0", 7) == 0) ||
           (length == 4 && memcmp(address, "[::]", 4) == 0);
}

/* "address:port,tag". A portal on every address is announced by the one that the host uses. */
static void put_portal(struct connection *c, const char *address, uint8_t switch_index)
{
    char text[2 * PORTAL_BYTES];
    struct cursor out = cursor_of(text, sizeof text - 1);
    size_t host = host_length(address);
    if (text_portal_is_wildcard(address))
        cursor_put_bytes(&out, c->local, host_length(c->local));
    else
        cursor_put_bytes(&out, address, host);
    cursor_put_bytes(&out, address + host, strlen(address + host));
    cursor_put8(&out, ',');
    uint8_t tag = (uint8_t)(switch_index + 1);
    if (tag >= 100)
        cursor_put8(&out, (uint8_t)('0' + tag / 100));
    if (tag >= 10)
        cursor_put8(&out, (uint8_t)('0' + tag / 10 % 10));
    cursor_put8(&out, (uint8_t)('0' + tag % 10));
    must(!out.failed);
    *out.at = 0;
    keys_put(&c->out, "TargetAddress", text);
}

/* This switch's portals, or those of the others. False: none is configured. */
static bool put_portals(struct iswitch *x, struct connection *c, bool own)
{
    bool any = false;
    for (int i = 0; i < x->config.portals; i++)
        if ((x->config.portal[i].switch_index == x->config.index) == own) {
            put_portal(c, x->config.portal[i].address, x->config.portal[i].switch_index);
            any = true;
        }
    return any;
}

/* This switch's portals first, unless it wants no hosts. */
static void put_target(struct iswitch *x, struct connection *c)
{
    keys_put(&c->out, "TargetName", x->config.target);
    if (!x->drained && !put_portals(x, c, true))
        put_portal(c, c->local, x->config.index);
    put_portals(x, c, false);
}

static void send_targets(struct iswitch *x, struct connection *c, const char *value)
{
    bool all = strcmp(value, "All") == 0;
    if (c->discovery ? *value == 0 : all) { /* appendix C: each belongs to the other session type */
        keys_put(&c->out, "SendTargets", "Reject");
        return;
    }
    if (access_forbids(x, c->parameters.initiator))
        return;
    if (all || *value == 0 || strcmp(value, x->config.target) == 0)
        put_target(x, c);
}

/* ---- answers ---- */

/* The next part of the answer, as long as the host takes in one PDU. */
static void respond(struct iswitch *x, struct connection *c, uint32_t itt)
{
    uint32_t left = c->out.length - c->out_given;
    uint32_t part = left < c->parameters.segment_max ? left : c->parameters.segment_max;
    bool last = part == left;
    c->text_ttt = last ? ISCSI_TAG_NONE : ++c->last_ttt & 0x7FFFFFFF;
    struct iscsi_response response = {.opcode = ISCSI_TEXT_RESPONSE,
                                      .flags = last ? ISCSI_FINAL : ISCSI_CONTINUE,
                                      .itt = be32_of(itt),
                                      .ttt = be32_of(c->text_ttt)};
    connection_send(x, c, &response, STAT_TAKEN, c->out.bytes + c->out_given, part);
    c->out_given += part;
    if (last)
        c->out.length = c->out_given = 0;
}

static bool take_keys(struct iswitch *x, struct connection *c)
{
    struct negotiation n = {.parameters = &c->parameters,
                            .seen = &c->keys_seen,
                            .out = &c->out,
                            .stage = ISCSI_STAGE_FULL_FEATURE,
                            .discovery = c->discovery};
    struct cursor segment = cursor_of(c->text, c->text_length);
    char *key, *value;
    enum iscsi_text text;
    while ((text = iscsi_text_next(&segment, &key, &value)) == ISCSI_TEXT_PAIR) {
        if (strcmp(key, "SendTargets") == 0)
            send_targets(x, c, value);
        else if (keys_take(&n, key, value) != KEYS_OK)
            return false;
    }
    return text == ISCSI_TEXT_END && !c->out.overflow;
}

void text_end(struct iswitch *x, struct connection *c)
{
    const struct iscsi_text_request *request = request_of(c);
    uint32_t itt = be32_get(request->itt), ttt = be32_get(request->ttt);
    bool more = request->flags & ISCSI_CONTINUE;
    c->text_length += c->receive.data_length;
    pdu_advance(x, c);
    if (ttt != ISCSI_TAG_NONE && ttt == c->text_ttt && c->receive.data_length == 0) {
        respond(x, c, itt); /* the host asks for the rest of our answer */
        return;
    }
    c->out.length = c->out_given = 0;
    c->out.overflow = false;
    if (more) {
        respond(x, c, itt);
        c->text_ttt = ISCSI_TAG_NONE;
        return;
    }
    bool good = take_keys(x, c);
    c->text_length = 0;
    if (!good) {
        c->out.length = 0;
        c->text_ttt = ISCSI_TAG_NONE;
        connection_reject(x, c, ISCSI_REJECT_PROTOCOL);
        return;
    }
    respond(x, c, itt);
}
