/* SPDX-License-Identifier: Apache-2.0 */

/* Login phase, RFC 7143 6.3 and 11.12. A login is complete only when every earlier session of the
 * same host that has lost its connection is over, its commands and its nexuses (docs/PROTOCOL.md,
 * "A dead interface switch, or a host that left one"): until then the connection is WAITING. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

enum { VERSION = 0 }; /* RFC 7143 11.12.4 */

static uint8_t stage_now(uint8_t flags)
{
    return flags >> 2 & 3;
}
static uint8_t stage_next(uint8_t flags)
{
    return flags & 3;
}

static const struct iscsi_login_request *request_of(const struct connection *c)
{
    return (const struct iscsi_login_request *)(const void *)c->receive.header;
}

static void respond(struct iswitch *x, struct connection *c, uint8_t flags,
                    enum iscsi_login_status status)
{
    struct iscsi_login_response response = {.opcode = ISCSI_LOGIN_RESPONSE,
                                            .flags = flags,
                                            .version_max = VERSION,
                                            .version_active = VERSION,
                                            .tsih = be16_of(c->tsih),
                                            .itt = be32_of(c->login_itt),
                                            .status = be16_of((uint16_t)status)};
    memcpy(response.isid, c->isid, sizeof response.isid);
    bool good = status == ISCSI_LOGIN_SUCCESS;
    connection_send(x, c, &response, good ? STAT_TAKEN : STAT_NONE, c->out.bytes,
                    good || status == ISCSI_LOGIN_MOVED ? c->out.length : 0);
    c->out.length = 0;
}

void login_refuse(struct iswitch *x, struct connection *c, enum iscsi_login_status status)
{
    respond(x, c, 0, status);
    connection_finish(x, c, iscsi_login_status_name(status));
}

enum verdict login_begin(struct iswitch *x, struct connection *c)
{
    const struct iscsi_login_request *request = request_of(c);
    if (c->text_length + c->receive.data_length > TEXT_BYTES || ++c->rounds > LOGIN_ROUNDS_MAX) {
        connection_close(x, c, "endless login text");
        return VERDICT_SKIP;
    }
    if (!c->login_begun) {
        memcpy(c->isid, request->isid, sizeof c->isid);
        c->tsih = be16_get(request->tsih);
        c->cid = be16_get(request->cid);
        c->exp_cmd_sn = be32_get(request->cmd_sn);
        c->stage = stage_now(request->flags);
    }
    receive_into_text(c);
    return VERDICT_TAKE;
}

/* What is wrong with the header, or success. */
static enum iscsi_login_status check_header(const struct connection *c)
{
    const struct iscsi_login_request *request = request_of(c);
    uint8_t flags = request->flags, now = stage_now(flags), next = stage_next(flags);
    if (request->version_min > VERSION)
        return ISCSI_LOGIN_VERSION;
    if (!(request->opcode & ISCSI_IMMEDIATE) || now > ISCSI_STAGE_OPERATIONAL || now != c->stage)
        return ISCSI_LOGIN_INITIATOR_ERROR;
    if (flags & ISCSI_LOGIN_TRANSIT && (flags & ISCSI_CONTINUE || next <= now || next == 2))
        return ISCSI_LOGIN_INITIATOR_ERROR;
    if (memcmp(request->isid, c->isid, sizeof c->isid) != 0 || be16_get(request->tsih) != c->tsih ||
        be16_get(request->cid) != c->cid)
        return ISCSI_LOGIN_INITIATOR_ERROR;
    return ISCSI_LOGIN_SUCCESS;
}

static enum iscsi_login_status take_keys(struct connection *c)
{
    struct negotiation n = {.parameters = &c->parameters,
                            .seen = &c->keys_seen,
                            .out = &c->out,
                            .stage = (enum iscsi_stage)c->stage,
                            .discovery = c->discovery};
    struct cursor segment = cursor_of(c->text, c->text_length);
    char *key, *value;
    enum iscsi_text text;
    while ((text = iscsi_text_next(&segment, &key, &value)) == ISCSI_TEXT_PAIR) {
        bool twice = false;
        if (c->stage == ISCSI_STAGE_SECURITY &&
            authentication_take(&c->authentication, key, value, &twice)) {
            if (twice)
                return ISCSI_LOGIN_INITIATOR_ERROR;
            continue;
        }
        if (keys_take(&n, key, value) == KEYS_BROKEN)
            return ISCSI_LOGIN_INITIATOR_ERROR;
        n.discovery = strcmp(c->parameters.session_type, "Discovery") == 0;
    }
    c->text_length = 0;
    return text == ISCSI_TEXT_END && !c->out.overflow ? ISCSI_LOGIN_SUCCESS
                                                      : ISCSI_LOGIN_INITIATOR_ERROR;
}

/* The first request's whole text is known: who logs in to what? RFC 7143 6.3.1. */
static enum iscsi_login_status check_names(struct iswitch *x, struct connection *c)
{
    struct parameters *p = &c->parameters;
    c->discovery = strcmp(p->session_type, "Discovery") == 0;
    if (!p->initiator[0])
        return ISCSI_LOGIN_MISSING_PARAMETER;
    if (p->session_type[0] && !c->discovery && strcmp(p->session_type, "Normal") != 0)
        return ISCSI_LOGIN_SESSION_TYPE;
    if (!p->target[0] && !c->discovery)
        return ISCSI_LOGIN_MISSING_PARAMETER;
    if (p->target[0] && strcmp(p->target, x->config.target) != 0)
        return ISCSI_LOGIN_NOT_FOUND;
    if (x->stopping || (!x->directory_known && !c->discovery && x->config.secrets.users > 0))
        return ISCSI_LOGIN_UNAVAILABLE; /* as who must it prove to be? */
    if (!c->discovery && access_forbids(x, p->initiator)) {
        trace_warn(x->trace, "host %s: %s is no host's initiator", c->peer, p->initiator);
        return ISCSI_LOGIN_FORBIDDEN;
    }
    if (x->drained && !c->discovery) {
        const char *elsewhere = drain_elsewhere(x);
        c->out.length = 0;
        keys_put(&c->out, "TargetAddress", elsewhere ? elsewhere : c->local);
        return ISCSI_LOGIN_MOVED;
    }
    if (c->tsih != 0) { /* one connection a session: there is none to join */
        list_each (&x->sessions, link, next) {
            struct session *session = list_member(link, struct session, link);
            if (session->tsih == c->tsih && session->state == SESSION_STATE_LIVE)
                return ISCSI_LOGIN_TOO_MANY_CONNECTIONS;
        }
        return ISCSI_LOGIN_NO_SESSION;
    }
    if (p->target[0])
        keys_put_number(&c->out, "TargetPortalGroupTag", x->config.index + 1u);
    return ISCSI_LOGIN_SUCCESS;
}

static void declare(struct connection *c)
{
    if (c->declared || c->stage != ISCSI_STAGE_OPERATIONAL)
        return;
    c->declared = true;
    keys_put_number(&c->out, "MaxRecvDataSegmentLength", OUR_SEGMENT_MAX);
}

static uint8_t final_flags(const struct connection *c)
{
    return (uint8_t)(ISCSI_LOGIN_TRANSIT | c->stage << 2 | ISCSI_STAGE_FULL_FEATURE);
}

static void enter_full_feature(struct iswitch *x, struct connection *c)
{
    if (!c->discovery) {
        c->session = session_new(x, c);
        if (!c->session) {
            c->tsih = 0;
            login_refuse(x, c, ISCSI_LOGIN_OUT_OF_RESOURCES);
            return;
        }
    }
    if (++x->last_tsih == 0)
        x->last_tsih = 1;
    c->tsih = x->last_tsih;
    if (c->session)
        c->session->tsih = c->tsih;
    respond(x, c, final_flags(c), ISCSI_LOGIN_SUCCESS);
    connection_become(x, c, CONNECTION_STATE_FULL);
    c->heard_ns = c->proof_ns = x->now_ns;
    trace_info(x->trace, "host %s (%s): %s session begins", c->peer, c->parameters.initiator,
               c->discovery ? "discovery" : "normal");
    if (c->session)
        actions_notice(x->actions, "session host=%s peer=%s state=begun nexus=%u",
                       c->parameters.initiator, c->peer, c->session->nexus);
}

void login_retry(struct iswitch *x, struct connection *c)
{
    bool live;
    struct session *rival;
    while ((rival = session_rival(x, c->parameters.initiator, c->isid, &live)) && live)
        connection_close(x, rival->connection, "the host began its session anew");
    if (!rival || mutant(MUTANT_LOGIN_BESIDE_OLD))
        enter_full_feature(x, c);
}

static bool proof_pending(const struct connection *c)
{
    return c->authentication.state == AUTHENTICATION_STATE_METHOD ||
           c->authentication.state == AUTHENTICATION_STATE_CHALLENGED;
}

/* The security stage, and whether there had to be one. */
static enum iscsi_login_status check_security(struct iswitch *x, struct connection *c)
{
    if (c->stage != ISCSI_STAGE_SECURITY)
        return authentication_verdict(x, c);
    enum iscsi_login_status status = authentication_answer(x, c);
    if (status == ISCSI_LOGIN_SUCCESS && c->login_flags & ISCSI_LOGIN_TRANSIT && !proof_pending(c))
        status = authentication_verdict(x, c);
    return status;
}

static void transit(struct iswitch *x, struct connection *c, uint8_t next)
{
    if (next != ISCSI_STAGE_FULL_FEATURE) {
        respond(x, c, c->login_flags & (uint8_t)~ISCSI_CONTINUE, ISCSI_LOGIN_SUCCESS);
        c->stage = next;
        return;
    }
    if (c->discovery) {
        enter_full_feature(x, c);
        return;
    }
    connection_become(x, c, CONNECTION_STATE_WAITING);
    login_retry(x, c);
}

void login_end(struct iswitch *x, struct connection *c)
{
    const struct iscsi_login_request *request = request_of(c);
    uint8_t flags = request->flags;
    c->login_itt = be32_get(request->itt);
    c->login_flags = flags;
    c->text_length += c->receive.data_length;
    enum iscsi_login_status status = check_header(c);
    if (status == ISCSI_LOGIN_SUCCESS && flags & ISCSI_CONTINUE) {
        c->login_begun = true;
        respond(x, c, (uint8_t)(c->stage << 2), ISCSI_LOGIN_SUCCESS);
        return;
    }
    bool named = c->parameters.initiator[0];
    if (status == ISCSI_LOGIN_SUCCESS)
        status = take_keys(c);
    if (status == ISCSI_LOGIN_SUCCESS && !named)
        status = check_names(x, c);
    if (status == ISCSI_LOGIN_SUCCESS)
        status = check_security(x, c);
    if (status != ISCSI_LOGIN_SUCCESS) {
        login_refuse(x, c, status);
        return;
    }
    c->login_begun = true;
    declare(c);
    if (flags & ISCSI_LOGIN_TRANSIT && !proof_pending(c))
        transit(x, c, stage_next(flags));
    else
        respond(x, c, (uint8_t)(c->stage << 2), ISCSI_LOGIN_SUCCESS);
}
