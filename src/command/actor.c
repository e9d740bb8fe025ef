/* SPDX-License-Identifier: Apache-2.0 */
#include "command/actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct actions *actions_new(void)
{
    struct actions *actions = calloc(1, sizeof *actions);
    if (!actions)
        return NULL;
    actions->at = malloc(ACTIONS_MAX * sizeof *actions->at);
    if (!actions->at) {
        free(actions);
        return NULL;
    }
    return actions;
}

void actions_free(struct actions *actions)
{
    if (actions)
        free(actions->at);
    free(actions);
}

struct action *actions_add(struct actions *actions, enum action_kind kind)
{
    must(actions->count < ACTIONS_MAX);
    struct action *action = &actions->at[actions->count++];
    /* most of them are messages, and a message is small */
    memset(action, 0,
           kind == ACTION_SEND ? offsetof(struct action, message) + sizeof action->message
                               : sizeof *action);
    action->kind = kind;
    return action;
}

struct message *actions_send(struct actions *actions, enum message_kind kind, port_id from,
                             port_id to)
{
    struct message *message = &actions_add(actions, ACTION_SEND)->message;
    message->kind = (uint8_t)kind;
    message->from = from;
    message->to = to;
    return message;
}

void actions_notice(struct actions *actions, const char *format, ...)
{
    struct action *action = actions_add(actions, ACTION_EVENT);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(action->notice.text, sizeof action->notice.text, format, arguments);
    va_end(arguments);
}
