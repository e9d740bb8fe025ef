/* SPDX-License-Identifier: Apache-2.0 */
#include "command/message.h"

const char *message_name(enum message_kind kind)
{
    static const char *const names[MESSAGE_KINDS] = {
        [MESSAGE_NONE] = "none",
        [MESSAGE_COMMAND] = "command",
        [MESSAGE_RESPONSE] = "response",
        [MESSAGE_REFUSE] = "refuse",
        [MESSAGE_CONFIRM] = "confirm",
        [MESSAGE_VIEW] = "view",
        [MESSAGE_DIRECTORY] = "directory",
        [MESSAGE_STREAM] = "stream",
        [MESSAGE_HELD] = "held",
        [MESSAGE_FORWARD] = "forward",
        [MESSAGE_FORWARD_ANSWER] = "forward-answer",
        [MESSAGE_FETCH] = "fetch",
        [MESSAGE_FETCHED] = "fetched",
        [MESSAGE_RELAY] = "relay",
        [MESSAGE_STOP] = "stop",
        [MESSAGE_PROMISE] = "promise",
        [MESSAGE_JOIN] = "join",
        [MESSAGE_HANDOVER] = "handover",
        [MESSAGE_LOGIN] = "login",
        [MESSAGE_LOGIN_ACCEPT] = "login-accept",
        [MESSAGE_FENCE] = "fence",
        [MESSAGE_FENCE_ANSWER] = "fence-answer",
        [MESSAGE_ASSIGN] = "assign",
        [MESSAGE_ASSIGN_ANSWER] = "assign-answer",
        [MESSAGE_DRIVE_COMMAND] = "drive-command",
        [MESSAGE_DRIVE_RESPONSE] = "drive-response",
        [MESSAGE_SIGNAL] = "signal",
    };
    return kind < MESSAGE_KINDS ? names[kind] : "?";
}

const char *drive_status_name(enum drive_status status)
{
    static const char *const names[] = {
        "ok", "medium-error", "gone", "refused-epoch", "refused-login", "busy", "timeout"};
    return status < sizeof names / sizeof names[0] ? names[status] : "?";
}

const char *refuse_reason_name(enum refuse_reason reason)
{
    static const char *const names[] = {"epoch", "stale", "session", "role", "full"};
    return reason < sizeof names / sizeof names[0] ? names[reason] : "?";
}
