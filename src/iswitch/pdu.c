/* SPDX-License-Identifier: Apache-2.0 */

/* Which PDU is whose: one table of the requests that a host may send. */

#include "base/must.h"
#include "iswitch/iswitch_state.h"

struct pdu_row {
    enum verdict (*begin)(struct iswitch *x, struct connection *c);
    void (*end)(struct iswitch *x, struct connection *c);
    /* after the Reject of one with a wrong data digest; NULL: as if it had never come */
    void (*damaged)(struct iswitch *x, struct connection *c);
    bool discovery; /* allowed in a discovery session */
    bool ordered;   /* counts when its CmdSN is due, not before */
    bool logout;    /* ... and while a logout waits for the session's end */
};

static const struct pdu_row rows[] = {
    [ISCSI_NOP_OUT] = {nop_begin, nop_end, NULL, true, true, true},
    [ISCSI_SCSI_COMMAND] = {command_begin, command_end, command_damaged, false, false, false},
    [ISCSI_TASK_REQUEST] = {management_begin, management_end, NULL, false, true, false},
    [ISCSI_LOGIN_REQUEST] = {login_begin, login_end, NULL, false, false, false},
    [ISCSI_TEXT_REQUEST] = {text_begin, text_end, NULL, true, true, false},
    [ISCSI_DATA_OUT] = {data_begin, data_end, data_damaged, false, false, false},
    [ISCSI_LOGOUT_REQUEST] = {logout_begin, logout_end, NULL, true, true, false},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static uint8_t opcode_of(const struct connection *c)
{
    return c->receive.header[0] & ISCSI_OPCODE_MASK;
}

static enum verdict begin_in_login(struct iswitch *x, struct connection *c)
{
    if (opcode_of(c) == ISCSI_LOGIN_REQUEST)
        return login_begin(x, c);
    if (c->login_begun)
        login_refuse(x, c, ISCSI_LOGIN_INVALID_REQUEST); /* RFC 7143 6.3 */
    else
        connection_close(x, c, "a PDU other than Login Request before the login");
    return VERDICT_SKIP;
}

static enum verdict begin_in_turn(struct iswitch *x, struct connection *c)
{
    const struct pdu_row *row = &rows[opcode_of(c)];
    return row->ordered && early_is(c) ? early_begin(x, c) : row->begin(x, c);
}

static enum verdict begin_in_full(struct iswitch *x, struct connection *c)
{
    uint8_t opcode = opcode_of(c);
    if (opcode == ISCSI_LOGIN_REQUEST) {
        connection_reject(x, c, ISCSI_REJECT_PROTOCOL);
        connection_finish(x, c, "Login Request after the login");
        return VERDICT_SKIP;
    }
    if (opcode >= ROWS || !rows[opcode].begin) {
        connection_reject(x, c,
                          opcode == ISCSI_SNACK ? ISCSI_REJECT_SNACK : ISCSI_REJECT_UNSUPPORTED);
        return VERDICT_SKIP;
    }
    if (c->discovery && !rows[opcode].discovery) {
        connection_reject(x, c, ISCSI_REJECT_PROTOCOL);
        return VERDICT_SKIP;
    }
    return begin_in_turn(x, c);
}

enum verdict pdu_begin(struct iswitch *x, struct connection *c)
{
    switch (c->state) {
    case CONNECTION_STATE_LOGIN:
        return begin_in_login(x, c);
    case CONNECTION_STATE_WAITING:
        return VERDICT_STALL;
    case CONNECTION_STATE_FULL:
        return begin_in_full(x, c);
    case CONNECTION_STATE_LOGOUT:
        return opcode_of(c) < ROWS && rows[opcode_of(c)].logout ? begin_in_turn(x, c)
                                                                : VERDICT_SKIP;
    case CONNECTION_STATE_FREE:
    case CONNECTION_STATE_CLOSED:
    case CONNECTION_STATES:
        break;
    }
    return VERDICT_SKIP;
}

void pdu_end(struct iswitch *x, struct connection *c)
{
    must(opcode_of(c) < ROWS);
    if (c->receive.keep)
        early_end(c);
    else
        rows[opcode_of(c)].end(x, c);
}

void pdu_damaged(struct iswitch *x, struct connection *c)
{
    must(opcode_of(c) < ROWS);
    connection_reject(x, c, ISCSI_REJECT_DATA_DIGEST);
    if (c->receive.keep)
        command_damaged(x, c);
    else if (rows[opcode_of(c)].damaged)
        rows[opcode_of(c)].damaged(x, c);
}

void pdu_advance(struct iswitch *x, struct connection *c)
{
    if (receive_immediate(c))
        return;
    c->exp_cmd_sn++;
    command_due(x, c);
}
