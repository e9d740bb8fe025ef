/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/iscsi.h"

#include <isa-l/crc.h>

const char *iscsi_opcode_name(uint8_t opcode)
{
    static const char *const names[64] = {
        [ISCSI_NOP_OUT] = "NOP-Out",
        [ISCSI_SCSI_COMMAND] = "SCSI Command",
        [ISCSI_TASK_REQUEST] = "Task Management Request",
        [ISCSI_LOGIN_REQUEST] = "Login Request",
        [ISCSI_TEXT_REQUEST] = "Text Request",
        [ISCSI_DATA_OUT] = "Data-Out",
        [ISCSI_LOGOUT_REQUEST] = "Logout Request",
        [ISCSI_SNACK] = "SNACK",
        [ISCSI_NOP_IN] = "NOP-In",
        [ISCSI_SCSI_RESPONSE] = "SCSI Response",
        [ISCSI_TASK_RESPONSE] = "Task Management Response",
        [ISCSI_LOGIN_RESPONSE] = "Login Response",
        [ISCSI_TEXT_RESPONSE] = "Text Response",
        [ISCSI_DATA_IN] = "Data-In",
        [ISCSI_LOGOUT_RESPONSE] = "Logout Response",
        [ISCSI_R2T] = "R2T",
        [ISCSI_ASYNC] = "Asynchronous Message",
        [ISCSI_REJECT] = "Reject",
    };
    const char *name = names[opcode & ISCSI_OPCODE_MASK];
    return name ? name : "unknown PDU";
}

const char *iscsi_login_status_name(enum iscsi_login_status status)
{
    switch (status) {
    case ISCSI_LOGIN_SUCCESS:
        return "success";
    case ISCSI_LOGIN_MOVED:
        return "target moved temporarily";
    case ISCSI_LOGIN_INITIATOR_ERROR:
        return "initiator error";
    case ISCSI_LOGIN_AUTHENTICATION:
        return "authentication failure";
    case ISCSI_LOGIN_FORBIDDEN:
        return "not authorized";
    case ISCSI_LOGIN_NOT_FOUND:
        return "target not found";
    case ISCSI_LOGIN_VERSION:
        return "unsupported version";
    case ISCSI_LOGIN_TOO_MANY_CONNECTIONS:
        return "too many connections";
    case ISCSI_LOGIN_MISSING_PARAMETER:
        return "missing parameter";
    case ISCSI_LOGIN_SESSION_TYPE:
        return "session type not supported";
    case ISCSI_LOGIN_NO_SESSION:
        return "session does not exist";
    case ISCSI_LOGIN_INVALID_REQUEST:
        return "invalid request during login";
    case ISCSI_LOGIN_TARGET_ERROR:
        return "target error";
    case ISCSI_LOGIN_UNAVAILABLE:
        return "service unavailable";
    case ISCSI_LOGIN_OUT_OF_RESOURCES:
        return "out of resources";
    }
    return "?";
}

uint32_t iscsi_digest(uint32_t running, const uint8_t *bytes, uint32_t length)
{
    uintptr_t address = (uintptr_t)bytes; /* the library only reads, but does not say so */
    return length ? crc32_iscsi((unsigned char *)address, (int)length, running) : running;
}

void iscsi_digest_put(uint8_t out[ISCSI_DIGEST_BYTES], uint32_t running)
{
    uint32_t digest = ~running;
    for (int i = 0; i < ISCSI_DIGEST_BYTES; i++)
        out[i] = (uint8_t)(digest >> (8 * i));
}

enum iscsi_text iscsi_text_next(struct cursor *segment, char **key, char **value)
{
    while (cursor_left(segment) > 0 && *segment->at == 0)
        segment->at++; /* padding that a host has counted as data */
    size_t left = cursor_left(segment);
    if (left == 0)
        return ISCSI_TEXT_END;
    uint8_t *end = memchr(segment->at, 0, left);
    uint8_t *equals = end ? memchr(segment->at, '=', (size_t)(end - segment->at)) : NULL;
    if (!equals || equals == segment->at || equals - segment->at > ISCSI_KEY_MAX)
        return ISCSI_TEXT_BROKEN;
    *equals = 0;
    *key = (char *)segment->at;
    *value = (char *)equals + 1;
    segment->at = end + 1;
    return ISCSI_TEXT_PAIR;
}
