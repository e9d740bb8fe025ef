/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_peers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "manage/status.h"

enum { TEXT_MAX = 8 << 20, EVENTS_MAX = 200000, NAME = 16 };

static const uint64_t SCAN_NS = 50000000u;

/* One connection: lines come in. */
struct line_reader {
    int fd;
    size_t length, room;
    char *text;
};

struct peer {
    char name[NAME];
    struct line_reader status, events;
    uint64_t asked_ns;    /* 0: no question is open */
    uint64_t answered_ns; /* when the question of `answer` was asked */
    uint64_t newest_ns;   /* of its events, and of those that are coming in now */
    uint64_t coming_ns;
    json_t *answer;
    int pid;
};

struct drill_peers {
    char directory[200];
    uint64_t from_ns, scan_ns, now_ns;
    size_t count;
    struct peer peer[DRILL_PEERS];
    size_t events, event_room;
    struct drill_event *event;
};

struct drill_peers *drill_peers_new(const char *directory, uint64_t from_ns)
{
    struct drill_peers *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    snprintf(x->directory, sizeof x->directory, "%s", directory);
    x->from_ns = from_ns;
    return x;
}

static void reader_close(struct line_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->length = 0;
}

void drill_peers_free(struct drill_peers *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->count; i++) {
        struct peer *p = &x->peer[i];
        reader_close(&p->status);
        reader_close(&p->events);
        free(p->status.text);
        free(p->events.text);
        json_decref(p->answer);
    }
    free(x->event);
    free(x);
}

/* ---- connections ---- */

static bool tell(int fd, const char *line)
{
    size_t length = strlen(line);
    return send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

static void reader_open(const struct drill_peers *x, const struct peer *p, struct line_reader *r,
                        const char *request)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n =
        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", x->directory, p->name);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return;
    r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->fd < 0)
        return;
    if (connect(r->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        (request && !tell(r->fd, request)))
        reader_close(r);
}

static struct peer *peer_add(struct drill_peers *x, const char *name)
{
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->peer[i].name, name) == 0)
            return &x->peer[i];
    if (x->count == DRILL_PEERS)
        return NULL;
    struct peer *p = &x->peer[x->count++];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->status.fd = p->events.fd = -1;
    return p;
}

static void scan(struct drill_peers *x)
{
    DIR *directory = opendir(x->directory);
    if (!directory)
        return;
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        char name[NAME];
        size_t length = strlen(entry->d_name);
        if (length <= 5 || length - 5 >= NAME || strcmp(entry->d_name + length - 5, ".sock") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length - 5), entry->d_name);
        peer_add(x, name);
    }
    closedir(directory);
}

static void connect_all(struct drill_peers *x)
{
    for (size_t i = 0; i < x->count; i++) {
        struct peer *p = &x->peer[i];
        if (p->events.fd < 0)
            reader_open(x, p, &p->events, "{\"verb\":\"events\"}\n");
        if (p->status.fd < 0) {
            bool open = p->asked_ns != 0;
            reader_open(x, p, &p->status, open ? "{\"verb\":\"status\"}\n" : NULL);
            if (open)
                p->asked_ns = x->now_ns; /* a new life answers a new question */
        }
    }
}

/* ---- what comes ---- */

static void answer_came(struct peer *p, const char *line, size_t length)
{
    json_t *answer = json_loadb(line, length, 0, NULL);
    if (!json_is_object(answer)) {
        json_decref(answer);
        return;
    }
    json_decref(p->answer);
    p->answer = answer;
    p->answered_ns = p->asked_ns;
    p->asked_ns = 0;
    p->pid = (int)json_integer_value(json_object_get(answer, "pid"));
}

static void event_came(struct drill_peers *x, struct peer *p, const char *line, size_t length)
{
    json_t *event = json_loadb(line, length, 0, NULL);
    uint64_t time_ns = (uint64_t)json_integer_value(json_object_get(event, "time_ns"));
    const char *text = json_string_value(json_object_get(event, "text"));
    /* A connection begins with a replay: what is known already comes again. */
    if (text && time_ns >= x->from_ns && time_ns > p->newest_ns && x->events < EVENTS_MAX) {
        if (x->events == x->event_room) {
            size_t room = x->event_room ? 2 * x->event_room : 1024;
            struct drill_event *at = realloc(x->event, room * sizeof *at);
            if (!at) {
                json_decref(event);
                return;
            }
            x->event = at;
            x->event_room = room;
        }
        struct drill_event *e = &x->event[x->events++];
        *e = (struct drill_event){.time_ns = time_ns};
        snprintf(e->process, sizeof e->process, "%s", p->name);
        snprintf(e->text, sizeof e->text, "%s", text);
        if (time_ns > p->coming_ns)
            p->coming_ns = time_ns;
    }
    json_decref(event);
}

static void take_lines(struct drill_peers *x, struct peer *p, struct line_reader *r)
{
    char *at = r->text, *end;
    while ((end = memchr(at, '\n', r->length - (size_t)(at - r->text)))) {
        if (r == &p->status)
            answer_came(p, at, (size_t)(end - at));
        else
            event_came(x, p, at, (size_t)(end - at));
        at = end + 1;
    }
    p->newest_ns = p->coming_ns; /* not before: events of one moment share their time */
    r->length -= (size_t)(at - r->text);
    memmove(r->text, at, r->length);
}

static void reader_take(struct drill_peers *x, struct peer *p, struct line_reader *r)
{
    for (;;) {
        if (r->length == r->room) {
            size_t room = r->room ? 2 * r->room : 65536;
            char *text = room > TEXT_MAX ? NULL : realloc(r->text, room);
            if (!text) {
                reader_close(r);
                return;
            }
            r->text = text;
            r->room = room;
        }
        ssize_t n = recv(r->fd, r->text + r->length, r->room - r->length, MSG_DONTWAIT);
        if (n <= 0) {
            take_lines(x, p, r);
            if (n == 0)
                reader_close(r);
            return;
        }
        r->length += (size_t)n;
    }
}

uint32_t drill_peers_poll(const struct drill_peers *x, struct pollfd *entries)
{
    uint32_t count = 0;
    for (size_t i = 0; i < x->count; i++) {
        entries[count++] = (struct pollfd){.fd = x->peer[i].status.fd, .events = POLLIN};
        entries[count++] = (struct pollfd){.fd = x->peer[i].events.fd, .events = POLLIN};
    }
    return count;
}

void drill_peers_step(struct drill_peers *x, const struct pollfd *entries, uint32_t count,
                      uint64_t now_ns)
{
    x->now_ns = now_ns;
    for (uint32_t i = 0; i < count && i / 2 < x->count; i++) {
        struct peer *p = &x->peer[i / 2];
        if (entries[i].revents)
            reader_take(x, p, i % 2 ? &p->events : &p->status);
    }
    if (now_ns < x->scan_ns)
        return;
    x->scan_ns = now_ns + SCAN_NS;
    scan(x);
    connect_all(x);
}

void drill_peers_ask(struct drill_peers *x, uint64_t now_ns)
{
    for (size_t i = 0; i < x->count; i++) {
        struct peer *p = &x->peer[i];
        if (p->asked_ns)
            continue;
        p->asked_ns = now_ns; /* one that cannot be reached is asked once it can */
        if (p->status.fd >= 0 && !tell(p->status.fd, "{\"verb\":\"status\"}\n"))
            reader_close(&p->status);
    }
}

const char *drill_peers_silent(const struct drill_peers *x, uint64_t since_ns)
{
    for (size_t i = 0; i < x->count; i++)
        if (!x->peer[i].answer || x->peer[i].answered_ns < since_ns)
            return x->peer[i].name;
    return NULL;
}

bool drill_peers_answered(const struct drill_peers *x, uint64_t since_ns)
{
    return x->count > 0 && !drill_peers_silent(x, since_ns);
}

json_t *drill_peers_status(const struct drill_peers *x)
{
    struct status_process processes[DRILL_PEERS];
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    for (size_t i = 0; i < x->count; i++)
        processes[i] = (struct status_process){.name = x->peer[i].name,
                                               .pid = x->peer[i].pid,
                                               .answer = x->peer[i].answer,
                                               .alive = x->peer[i].status.fd >= 0};
    return status_merge("", text, processes, x->count);
}

size_t drill_peers_count(const struct drill_peers *x)
{
    return x->count;
}

const json_t *drill_peers_answer(const struct drill_peers *x, size_t i)
{
    return x->peer[i].answer;
}

const json_t *drill_peers_answer_of(const struct drill_peers *x, const char *process)
{
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->peer[i].name, process) == 0)
            return x->peer[i].answer;
    return NULL;
}

static bool runs(const struct peer *p, const char *part)
{
    static const char *const lists[] = {"units", "switches", "loops"};
    if (strcmp(p->name, part) == 0)
        return true;
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        size_t i;
        json_t *entry;
        json_array_foreach(json_object_get(p->answer, lists[l]), i, entry)
        {
            const char *name = json_string_value(json_object_get(entry, "name"));
            const char *module = json_string_value(json_object_get(entry, "module"));
            if ((name && strcmp(name, part) == 0) || (module && strcmp(module, part) == 0))
                return true;
        }
    }
    return false;
}

bool drill_peers_find(const struct drill_peers *x, const char *part, char *process,
                      size_t process_bytes, int *pid)
{
    for (size_t i = 0; i < x->count; i++) {
        if (!x->peer[i].answer || !runs(&x->peer[i], part))
            continue;
        snprintf(process, process_bytes, "%s", x->peer[i].name);
        *pid = x->peer[i].pid;
        return *pid > 1;
    }
    return false;
}

size_t drill_peers_events(const struct drill_peers *x)
{
    return x->events;
}

const struct drill_event *drill_peers_event(const struct drill_peers *x, size_t i)
{
    return i < x->events ? &x->event[i] : NULL;
}

bool drill_event_value(const char *text, const char *key, char *out, size_t out_bytes)
{
    size_t length = strlen(key);
    for (const char *at = strchr(text, ' '); at; at = strchr(at + 1, ' ')) {
        if (strncmp(at + 1, key, length) != 0 || at[1 + length] != '=')
            continue;
        const char *value = at + 2 + length;
        snprintf(out, out_bytes, "%.*s", (int)strcspn(value, " "), value);
        return true;
    }
    return false;
}
