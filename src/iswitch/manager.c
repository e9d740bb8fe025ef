/* SPDX-License-Identifier: Apache-2.0 */

/* M1  A request is answered once: by its response, or as lost.
 * M2  After its session was declared dead a manager goes on with a new one by itself; what was
 * under way is lost, since the units have forgotten its outcomes. */

#include "iswitch/manager.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct request {
    bool used;
    bool answered; /* waits for manager_next_answer */
    struct manager_answer answer;
};

struct manager {
    struct sender *sender;
    struct trace *trace;
    uint64_t session;
    uint8_t groups;
    bool stopping;
    uint32_t used, answered;
    struct request request[MANAGER_REQUESTS];
};

struct manager *manager_new(const struct sender_config *config, struct trace *trace)
{
    struct manager *manager = calloc(1, sizeof *manager);
    if (!manager)
        return NULL;
    manager->sender = sender_new(config, trace);
    if (!manager->sender) {
        free(manager);
        return NULL;
    }
    manager->trace = trace;
    manager->session = config->session;
    manager->groups = config->groups;
    return manager;
}

void manager_free(struct manager *manager)
{
    if (!manager)
        return;
    sender_free(manager->sender);
    free(manager);
}

bool manager_submit(struct manager *manager, uint8_t group, const uint8_t *request, uint32_t length,
                    struct buffer_pool *buffers, uint64_t now_ns, uint64_t cookie)
{
    if (manager->stopping || group >= manager->groups || length == 0 ||
        length > MANAGER_REQUEST_BYTES || manager->used == MANAGER_REQUESTS ||
        !sender_has_room(manager->sender, group))
        return false;
    struct buffer *buffer = buffer_get(buffers, length);
    if (!buffer)
        return false;
    memcpy(buffer->data, request, length);
    uint32_t i = 0;
    while (manager->request[i].used)
        i++;
    manager->request[i] = (struct request){.used = true, .answer = {.cookie = cookie}};
    manager->used++;
    struct command_message command = {.kind = COMMAND_MANAGE,
                                      .nexus = NEXUS_NONE,
                                      .volume = VOLUME_NONE,
                                      .data_length = length,
                                      .wants_write = true};
    uint64_t sequence =
        sender_submit(manager->sender, group, &command, slice_of(buffer, 0, length), now_ns, i);
    must(sequence > 0);
    buffer_unref(buffer);
    return true;
}

static void answered(struct manager *manager, struct request *request)
{
    must(request->used && !request->answered); /* M1 */
    request->answered = true;
    manager->answered++;
}

/* ABORTED COMMAND without a sentence: the outcome was cut off, or the command withdrawn. */
static bool unknown_outcome(const struct response_message *response, struct slice text)
{
    return text.length == 0 && response->status == 0x02 && response->sense_length > 2 &&
           (response->sense[2] & 0x0F) == 0x0B;
}

static void take_response(struct manager *manager, const struct sender_notice *notice)
{
    must(notice->cookie < MANAGER_REQUESTS);
    struct request *request = &manager->request[notice->cookie];
    struct manager_answer *answer = &request->answer;
    answer->status = notice->response->status;
    answer->lost = unknown_outcome(notice->response, notice->payload);
    answer->text_length = notice->payload.length;
    if (answer->text_length > MANAGER_TEXT_BYTES - 1)
        answer->text_length = MANAGER_TEXT_BYTES - 1;
    if (answer->text_length > 0)
        memcpy(answer->text, slice_bytes(notice->payload), answer->text_length);
    answer->text[answer->text_length] = 0;
    answered(manager, request);
}

static void begin_again(struct manager *manager)
{
    for (int i = 0; i < MANAGER_REQUESTS; i++) {
        struct request *request = &manager->request[i];
        if (!request->used || request->answered)
            continue;
        request->answer.lost = true;
        answered(manager, request);
    }
    sender_renew(manager->sender, ++manager->session);
}

static void take_notices(struct manager *manager)
{
    struct sender_notice notice;
    while (sender_next_notice(manager->sender, &notice)) {
        switch (notice.kind) {
        case SENDER_NOTICE_RESPONSE:
            take_response(manager, &notice);
            slice_drop(&notice.payload);
            break;
        case SENDER_NOTICE_DEAD:
            begin_again(manager);
            break;
        case SENDER_NOTICE_PROVE: /* a management command is its own proof */
        case SENDER_NOTICE_VIEW:
            break;
        }
    }
}

static void take_event(struct manager *manager, const struct event *event, struct actions *actions)
{
    switch (event->kind) {
    case EVENT_MESSAGE:
        sender_message(manager->sender, event->message, event->now_ns);
        break;
    case EVENT_LINK_UP:
    case EVENT_LINK_DOWN:
        sender_link(manager->sender, event->link.port, event->kind == EVENT_LINK_UP);
        break;
    case EVENT_STOP:
        manager->stopping = true;
        actions_add(actions, ACTION_STOPPED);
        break;
    case EVENT_TIME:
    case EVENT_REGISTER:
    case EVENT_DRIVE:
    case EVENT_STORED:
    case EVENT_TRAY:
    case EVENT_STREAM_OPEN:
    case EVENT_STREAM_DATA:
    case EVENT_STREAM_SENT:
    case EVENT_STREAM_CLOSED:
    case EVENT_REQUEST:
        break;
    }
}

void manager_step(struct manager *manager, const struct event *event, struct actions *actions)
{
    manager->trace->now_ns = event->now_ns;
    take_event(manager, event, actions);
    take_notices(manager);
    sender_pump(manager->sender, event->now_ns, actions);
    manager_check(manager);
}

uint64_t manager_wake_ns(const struct manager *manager)
{
    return sender_wake_ns(manager->sender);
}

bool manager_next_answer(struct manager *manager, struct manager_answer *out)
{
    for (int i = 0; manager->answered > 0 && i < MANAGER_REQUESTS; i++) {
        struct request *request = &manager->request[i];
        if (!request->used || !request->answered)
            continue;
        *out = request->answer;
        request->used = false;
        manager->used--;
        manager->answered--;
        return true;
    }
    return false;
}

void manager_describe(const struct manager *manager, uint8_t group, struct sender_view *out)
{
    sender_describe(manager->sender, group, out);
}

void manager_check(const struct manager *manager)
{
    uint32_t outstanding = 0;
    for (uint8_t g = 0; g < manager->groups; g++)
        outstanding += sender_outstanding(manager->sender, g);
    must(manager->answered <= manager->used && manager->used <= MANAGER_REQUESTS);
    must(manager->used - manager->answered == outstanding); /* M1 */
    sender_check(manager->sender);
}
