/* SPDX-License-Identifier: Apache-2.0 */
#include "node/manage_socket.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/manage.h"
#include "iswitch/iswitch.h"
#include "iswitch/manager.h"
#include "node/capture.h"
#include "node/describe.h"
#include "node/history.h"
#include "node/node_state.h"
#include "node/reload.h"

enum {
    CONTROL_MAX = 32,
    CONTROL_LINE_BYTES = 8192,
    CONTROL_PIECE_BYTES = 64 << 10,
    CUT_MS_MAX = 60000,
};

struct connection {
    uint32_t stream; /* STREAM_NONE: free */
    bool follows;    /* gets events */
    char line[CONTROL_LINE_BYTES];
    uint32_t length;
};

struct manage_socket {
    struct node *node;
    struct reload *reload;
    struct connection at[CONTROL_MAX];
};

struct manage_socket *manage_socket_new(struct node *node, char *sentence, size_t sentence_bytes)
{
    char path[CONFIG_SOCKET_PATH_MAX + 1], address[sizeof path + 8];
    struct manage_socket *socket = calloc(1, sizeof *socket);
    struct reload *reload = reload_new(node->config);
    if (!socket || !reload) {
        snprintf(sentence, sentence_bytes, "no memory for the management socket");
        reload_free(reload);
        free(socket);
        return NULL;
    }
    socket->node = node;
    socket->reload = reload;
    config_socket_path(node->config, node->process, path, sizeof path);
    snprintf(address, sizeof address, "unix:%s", path);
    if (streams_listen(loop_streams(node->loop), STREAM_USE_CONTROL, 0, "management socket",
                       address, NULL, 0, sentence, sentence_bytes)) {
        manage_socket_free(socket);
        return NULL;
    }
    return socket;
}

void manage_socket_free(struct manage_socket *socket)
{
    if (socket)
        reload_free(socket->reload);
    free(socket);
}

static struct connection *find(struct manage_socket *socket, uint32_t stream)
{
    for (uint32_t i = 0; i < CONTROL_MAX; i++)
        if (socket->at[i].stream == stream)
            return &socket->at[i];
    return NULL;
}

/* ---- saying ---- */

static void hang_up(struct manage_socket *socket, struct connection *c)
{
    streams_close(loop_streams(socket->node->loop), c->stream, true);
    c->stream = STREAM_NONE;
}

static bool say_bytes(struct manage_socket *socket, struct connection *c, const char *bytes,
                      size_t length)
{
    while (length) {
        size_t piece = length < CONTROL_PIECE_BYTES ? length : CONTROL_PIECE_BYTES;
        if (!streams_send(loop_streams(socket->node->loop), c->stream, (const uint8_t *)bytes,
                          (uint32_t)piece, slice_none(), 0)) {
            hang_up(socket, c);
            return false;
        }
        bytes += piece;
        length -= piece;
    }
    return true;
}

/* Takes the object over. False: the connection is no more. */
static bool say(struct manage_socket *socket, struct connection *c, json_t *answer)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    if (!text) {
        hang_up(socket, c);
        return false;
    }
    bool said = say_bytes(socket, c, text, strlen(text)) && say_bytes(socket, c, "\n", 1);
    free(text);
    return said;
}

static void say_refused(struct manage_socket *socket, struct connection *c, const char *sentence)
{
    say(socket, c, json_pack("{s:s, s:s}", "status", "refused", "text", sentence));
}

/* ---- events ---- */

static bool say_event(struct manage_socket *socket, struct connection *c, uint64_t time_ns,
                      const char *text)
{
    const struct node *node = socket->node;
    json_t *said = json_string(text);
    if (!said) { /* no UTF-8, or cut within a character */
        char plain[HISTORY_TEXT_BYTES];
        snprintf(plain, sizeof plain, "%s", text);
        for (char *at = plain; *at; at++)
            if (*at & 0x80)
                *at = '?';
        said = json_string(plain);
    }
    return say(socket, c,
               json_pack("{s:I, s:s, s:o}", "time_ns", (json_int_t)time_ns, "process",
                         node->config->process[node->process].name, "text", said));
}

void manage_socket_event(struct manage_socket *socket, uint64_t time_ns, const char *text)
{
    if (!socket)
        return;
    history_add(socket->node->history, time_ns, text);
    for (uint32_t i = 0; i < CONTROL_MAX; i++)
        if (socket->at[i].stream != STREAM_NONE && socket->at[i].follows)
            say_event(socket, &socket->at[i], time_ns, text);
}

static void do_events(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    (void)request;
    const struct history *history = socket->node->history;
    uint64_t time_ns;
    c->follows = true;
    for (uint32_t i = 0; i < history_count(history); i++) {
        const char *text = history_at(history, i, &time_ns);
        if (!say_event(socket, c, time_ns, text))
            return;
    }
}

/* ---- requests ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Length, 0: that is no hex of at most `capacity` bytes. */
static uint32_t from_hex(const char *hex, uint8_t *out, uint32_t capacity)
{
    uint32_t length = 0;
    for (; hex[0]; hex += 2) {
        int high = hex_digit(hex[0]), low = high < 0 ? -1 : hex_digit(hex[1]);
        if (low < 0 || length == capacity)
            return 0;
        out[length++] = (uint8_t)(high << 4 | low);
    }
    return length;
}

static struct part *manager_here(struct node *node)
{
    for (uint8_t i = 0; i < node->parts; i++)
        if (node->part[i].kind == &part_manager)
            return &node->part[i];
    return NULL;
}

static void do_manage(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    struct node *node = socket->node;
    json_int_t group = json_integer_value(json_object_get(request, "group"));
    const char *hex = json_string_value(json_object_get(request, "request"));
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    uint32_t length = hex ? from_hex(hex, bytes, sizeof bytes) : 0;
    struct part *manager = manager_here(node);
    if (!manager)
        say_refused(socket, c, "no module runs in this process; ask one in which a module does");
    else if (group < 0 || group >= node->config->groups || length == 0)
        say_refused(socket, c, "manage needs a group's number and a request in hex");
    else if (!manager_submit(manager->machine, (uint8_t)group, bytes, length,
                             loop_buffers(node->loop), loop_now_ns(), c->stream))
        say_refused(socket, c, "too many requests are under way; try again");
}

void manage_socket_take_answers(struct manage_socket *socket, struct manager *manager)
{
    struct manager_answer answer;
    while (manager_next_answer(manager, &answer)) {
        struct connection *c = socket ? find(socket, (uint32_t)answer.cookie) : NULL;
        if (!c || answer.cookie == STREAM_NONE)
            continue;
        const char *status = answer.lost ? "unknown" : answer.status ? "refused" : "good";
        const char *text = answer.lost ? "nobody can say whether it was done" : answer.text;
        json_t *line = json_pack("{s:s, s:s}", "status", status, "text", text);
        if (!line) /* not UTF-8 */
            line = json_pack("{s:s, s:s}", "status", status, "text", "");
        say(socket, c, line);
    }
}

static void do_status(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    (void)request;
    say(socket, c, describe_process(socket->node));
}

void manage_socket_turn(struct manage_socket *socket)
{
    struct reload_result result;
    if (!socket || !reload_take(socket->reload, &result))
        return;
    if (result.good)
        iswitch_set_secrets(socket->node->part[result.part].machine, &result.secrets);
    struct connection *c = find(socket, (uint32_t)result.tag);
    if (c && result.good)
        say(socket, c,
            json_pack("{s:s, s:s}", "status", "good", "text",
                      "it has read the CHAP secrets again"));
    else if (c)
        say_refused(socket, c, result.sentence);
    reload_wipe(&result);
}

static void do_metrics(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    (void)request;
    say(socket, c, describe_metrics(socket->node));
}

static void do_request(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    struct node *node = socket->node;
    const char *name = json_string_value(json_object_get(request, "part"));
    const char *text = json_string_value(json_object_get(request, "text"));
    for (uint8_t i = 0; name && text && i < node->parts; i++) {
        struct part *part = &node->part[i];
        if (strcmp(part->trace.name, name) != 0 || part->kind == &part_manager)
            continue;
        if (part->kind == &part_switch && strcmp(text, "reload") == 0) {
            /* what a switch cannot do itself: its CHAP secrets are files */
            if (!reload_begin(socket->reload, i, c->stream))
                say_refused(socket, c, "secrets are being read already; try again");
            return;
        }
        struct event event = {.kind = EVENT_REQUEST};
        event.request.tag = c->stream;
        event.request.text = text;
        node_step(node, part, &event);
        return;
    }
    say_refused(socket, c, "request needs a part of this process, and a text");
}

void manage_socket_reply(struct manage_socket *socket, uint64_t tag, const char *text)
{
    struct connection *c = find(socket, (uint32_t)tag);
    if (c && tag != STREAM_NONE)
        say(socket, c, json_pack("{s:s, s:s}", "status", "good", "text", text));
}

static int find_process(const struct node *node, const char *name)
{
    for (int i = 0; name && i < node->config->processes; i++)
        if (i != node->process && strcmp(node->config->process[i].name, name) == 0)
            return i;
    return -1;
}

static enum link_cut find_cut(const char *name)
{
    enum link_cut how = LINK_CUT_REFUSED;
    while (how < LINK_CUTS && strcmp(link_cut_names[how], name ? name : "") != 0)
        how++;
    return how;
}

/* For drills. Bounded, so that no link stays cut because whoever asked for it has died. */
static void do_cut(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    struct node *node = socket->node;
    int to = find_process(node, json_string_value(json_object_get(request, "to")));
    enum link_cut how = find_cut(json_string_value(json_object_get(request, "how")));
    json_int_t ms = json_integer_value(json_object_get(request, "ms"));
    if (to < 0 || how == LINK_CUTS || ms < 1 || ms > CUT_MS_MAX) {
        say_refused(socket, c,
                    "cut needs the name of another process in \"to\", \"how\" (refused, silent, "
                    "mute or deaf), and \"ms\" from 1 to 60000");
        return;
    }
    if (links_cut(loop_links(node->loop), to, how, (uint64_t)ms * 1000000))
        say(socket, c, json_pack("{s:s, s:s}", "status", "good", "text", "the link is cut"));
    else
        say_refused(socket, c, "there is no link to that process");
}

/* From then on the connection carries records, until the next line. */
static void do_capture(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    struct node *node = socket->node;
    const char *name = json_string_value(json_object_get(request, "part"));
    struct part *part = NULL;
    for (uint8_t i = 0; name && i < node->parts; i++)
        if (strcmp(node->part[i].trace.name, name) == 0)
            part = &node->part[i];
    if (capture_end(node, c->stream))
        return;
    if (!part)
        say_refused(socket, c, "capture needs a part of this process");
    else if (!capture_begin(node, c->stream, part))
        say_refused(socket, c, "too many captures are under way in this process; end one");
    else
        say(socket, c, json_pack("{s:s, s:s}", "status", "good", "text", "capturing"));
}

static void do_stop(struct manage_socket *socket, struct connection *c, const json_t *request)
{
    (void)request;
    say(socket, c, json_pack("{s:s, s:s}", "status", "good", "text", "stopping"));
    node_stop(socket->node);
}

static const struct {
    const char *verb;
    void (*act)(struct manage_socket *socket, struct connection *c, const json_t *request);
} verbs[] = {
    {"status", do_status}, {"metrics", do_metrics}, {"manage", do_manage},
    {"events", do_events}, {"request", do_request}, {"stop", do_stop},
    {"cut", do_cut},       {"capture", do_capture},
};

static void take_line(struct manage_socket *socket, struct connection *c)
{
    json_error_t error;
    json_t *request = json_loadb(c->line, c->length, 0, &error);
    const char *verb = json_string_value(json_object_get(request, "verb"));
    size_t i = 0, count = sizeof verbs / sizeof verbs[0];
    while (i < count && (!verb || strcmp(verb, verbs[i].verb) != 0))
        i++;
    if (i < count)
        verbs[i].act(socket, c, request);
    else
        say_refused(socket, c,
                    "a request is one line of JSON with a verb: status, metrics, manage, "
                    "events, request, stop, cut or capture");
    json_decref(request);
}

static void take_bytes(struct manage_socket *socket, struct connection *c, const uint8_t *bytes,
                       uint32_t length)
{
    uint32_t stream = c->stream;
    for (uint32_t i = 0; i < length && c->stream == stream; i++) {
        if (bytes[i] == '\n') {
            take_line(socket, c);
            c->length = 0;
        } else if (c->length == sizeof c->line) {
            say_refused(socket, c, "the line is too long");
            streams_close(loop_streams(socket->node->loop), stream, false); /* once it is said */
            c->stream = STREAM_NONE;
        } else {
            c->line[c->length++] = (char)bytes[i];
        }
    }
}

void manage_socket_stream_event(struct manage_socket *socket, const struct stream_event *event)
{
    struct streams *streams = loop_streams(socket->node->loop);
    struct connection *c =
        find(socket, event->kind == STREAM_EVENT_OPEN ? STREAM_NONE : event->stream);
    if (!c) {
        streams_close(streams, event->stream, true);
        return;
    }
    if (event->kind == STREAM_EVENT_OPEN)
        *c = (struct connection){.stream = event->stream};
    if (event->kind == STREAM_EVENT_DATA)
        take_bytes(socket, c, event->bytes, event->length);
    if (event->kind == STREAM_EVENT_CLOSED)
        c->stream = STREAM_NONE;
    if (c->stream != STREAM_NONE && streams_idle(streams, c->stream))
        streams_receive(streams, c->stream, (struct sink){0});
}
