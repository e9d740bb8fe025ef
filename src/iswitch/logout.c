/* SPDX-License-Identifier: Apache-2.0 */

/* Logout (RFC 7143 11.14): answered when the session's commands are over and its nexuses are lost,
 * so that a host that goes on by another path finds nothing of itself behind it. And the request to
 * log out (11.9) with which the switch stops, or is drained. */

#include "iswitch/iswitch_state.h"

static const struct iscsi_logout_request *request_of(const struct connection *c)
{
    return (const struct iscsi_logout_request *)(const void *)c->receive.header;
}

enum verdict logout_begin(struct iswitch *x, struct connection *c)
{
    (void)x;
    (void)c;
    return VERDICT_TAKE;
}

static void respond(struct iswitch *x, struct connection *c, uint32_t itt, uint8_t result)
{
    struct iscsi_logout_response response = {
        .opcode = ISCSI_LOGOUT_RESPONSE,
        .flags = ISCSI_FINAL,
        .response = result,
        .itt = be32_of(itt),
        .time_to_wait = be16_of((uint16_t)c->parameters.time_to_wait),
    };
    connection_send(x, c, &response, STAT_TAKEN, NULL, 0);
}

void logout_end(struct iswitch *x, struct connection *c)
{
    const struct iscsi_logout_request *request = request_of(c);
    uint8_t reason = request->reason & ISCSI_LOGOUT_REASON_MASK;
    uint32_t itt = be32_get(request->itt);
    uint16_t cid = be16_get(request->cid);
    pdu_advance(x, c);
    if (reason > ISCSI_LOGOUT_RECOVERY) {
        connection_reject(x, c, ISCSI_REJECT_INVALID_FIELD);
        return;
    }
    if (reason == ISCSI_LOGOUT_RECOVERY) {
        respond(x, c, itt, ISCSI_LOGOUT_NO_RECOVERY);
        return;
    }
    if (reason == ISCSI_LOGOUT_CONNECTION && cid != c->cid) {
        respond(x, c, itt, ISCSI_LOGOUT_NO_CID);
        return;
    }
    c->logout_itt = itt;
    connection_become(x, c, CONNECTION_STATE_LOGOUT);
    if (c->session)
        session_end(x, c->session);
    else
        logout_answer(x, c);
}

void logout_answer(struct iswitch *x, struct connection *c)
{
    respond(x, c, c->logout_itt, ISCSI_LOGOUT_CLOSED);
    connection_finish(x, c, "the host logged out");
}

void logout_ask(struct iswitch *x, struct connection *c, uint16_t seconds)
{
    if (c->state != CONNECTION_STATE_FULL) {
        if (c->state != CONNECTION_STATE_LOGOUT)
            connection_close(x, c, "the switch stops");
        return;
    }
    struct iscsi_async ask = {.opcode = ISCSI_ASYNC,
                              .flags = ISCSI_FINAL,
                              .itt = be32_of(ISCSI_TAG_NONE),
                              .event = ISCSI_ASYNC_LOGOUT,
                              .parameter_3 = be16_of(seconds)};
    connection_send(x, c, &ask, STAT_TAKEN, NULL, 0);
}
