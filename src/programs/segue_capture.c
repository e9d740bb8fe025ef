/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/suggest.h"
#include "node/capture.h"
#include "programs/pcapng.h"
#include "programs/segue_fleet.h"
#include "programs/segue_objects.h"
#include "programs/segue_place.h"

/* segue capture: what a part of a running array says and hears, live, as a file for Wireshark. */

enum {
    PARTS_MAX = MODULE_MAX * (GROUP_MAX + 1) + SWITCH_MAX + LOOP_MAX,
    LAST_WORD_MS = 3000,
    WAIT_MS = 200
};

static struct config config; /* one a process; too large for a stack */
static volatile sig_atomic_t interrupted;

struct capture {
    const struct segue_call *call;
    int fd;
    FILE *file;
    uint64_t end_ns, count_max; /* UINT64_MAX: none */
    uint64_t written, missed, cut;
    bool ending, ended, gone;
    /* the record that is being received */
    uint8_t bytes[CAPTURE_HEADER_BYTES + CAPTURE_BYTES_MAX];
    size_t length;
};

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- whom to ask ---- */

static port_id find_part(const char *name)
{
    const char *names[PARTS_MAX];
    port_id ports[PARTS_MAX];
    size_t count = 0;
    for (int m = 0; m < config.modules; m++)
        for (int g = 0; g < config.groups; g++)
            ports[count++] = port_unit(m, g);
    for (int m = 0; m < config.modules; m++)
        ports[count++] = port_manager(m);
    for (int s = 0; s < config.switches; s++)
        ports[count++] = port_switch(s);
    for (int l = 0; l < config.loops; l++)
        ports[count++] = port_loop(l);
    for (size_t i = 0; i < count; i++) {
        names[i] = config_port_name(&config, ports[i]);
        if (strcmp(names[i], name) == 0)
            return ports[i];
    }
    const char *near = suggest_word(name, names, count);
    char remedy[96];
    snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "segue status shows the parts%.0s",
             near ? near : "");
    segue_fail(NULL, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_PART", remedy, "there is no part %.40s", name);
    return 0;
}

static int fail_to_connect(const struct capture *c, const char *name, const char *why)
{
    return segue_fail(c->call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE", "is it up? segue status",
                      "cannot capture %s: %s", name, why);
}

/* Reads the one line with which the process answers. */
static bool read_answer(int fd, char *line, size_t bytes)
{
    size_t length = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (length + 1 < bytes && poll(&wait, 1, 5000) == 1 && read(fd, line + length, 1) == 1)
        if (line[length++] == '\n') {
            line[length] = 0;
            return true;
        }
    return false;
}

/* An exit code. */
static int begin(struct capture *c, const char *name, port_id port)
{
    char line[512], path[CONFIG_PATH];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int process = config_process_of_port(&config, port);
    config_socket_path(&config, process, path, sizeof path);
    if (strlen(path) >= sizeof address.sun_path)
        return fail_to_connect(c, name, "the path of its socket is too long");
    strcpy(address.sun_path, path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return fail_to_connect(c, name, strerror(errno));
    dprintf(c->fd, "{\"verb\": \"capture\", \"part\": \"%s\"}\n", name);
    if (!read_answer(c->fd, line, sizeof line))
        return fail_to_connect(c, name, "it does not answer");
    json_t *answer = json_loads(line, 0, NULL);
    bool good = strcmp(status_text_of(answer, "status"), "good") == 0;
    if (!good)
        segue_fail(c->call, SEGUE_EXIT_REFUSED, "REFUSED", NULL, "cannot capture %s: %s", name,
                   status_text_of(answer, "text"));
    json_decref(answer);
    return good ? SEGUE_EXIT_DONE : SEGUE_EXIT_REFUSED;
}

/* ---- records ---- */

static bool take_record(struct capture *c, uint32_t captured)
{
    struct cursor cursor = cursor_read(c->bytes, CAPTURE_HEADER_BYTES);
    struct pcapng_packet packet = {.captured = captured, .bytes = c->bytes + CAPTURE_HEADER_BYTES};
    (void)cursor_get32(&cursor);
    packet.original = cursor_get32(&cursor);
    packet.time_ns = cursor_get64(&cursor);
    packet.out = cursor_get64(&cursor) == 2;
    uint64_t missed = cursor_get64(&cursor);
    packet.missed = missed - c->missed;
    c->missed = missed;
    if (captured == 0) {
        c->ended = true;
        return true;
    }
    if (c->written >= c->count_max)
        return true;
    c->written++;
    c->cut += packet.captured < packet.original;
    return pcapng_packet(c->file, &packet);
}

/* False: the file cannot be written; errno says why. */
static bool take_records(struct capture *c)
{
    size_t at = 0;
    while (c->length - at >= CAPTURE_HEADER_BYTES) {
        uint32_t captured = be32_at(c->bytes + at);
        if (captured > CAPTURE_BYTES_MAX) {
            c->gone = true; /* no capture */
            return true;
        }
        if (c->length - at < CAPTURE_HEADER_BYTES + captured)
            break;
        if (at > 0) {
            memmove(c->bytes, c->bytes + at, c->length - at);
            c->length -= at;
        }
        if (!take_record(c, captured))
            return false;
        at = CAPTURE_HEADER_BYTES + captured;
    }
    memmove(c->bytes, c->bytes + at, c->length - at);
    c->length -= at;
    return true;
}

static bool receive(struct capture *c)
{
    ssize_t got = read(c->fd, c->bytes + c->length, sizeof c->bytes - c->length);
    if (got <= 0) {
        c->gone = got == 0 || errno != EINTR;
        return true;
    }
    c->length += (size_t)got;
    return take_records(c);
}

static int wait_ms(const struct capture *c)
{
    uint64_t now = fleet_now_ns();
    uint64_t left_ms = c->end_ns > now ? (c->end_ns - now) / 1000000u + 1 : 0;
    return left_ms < WAIT_MS ? (int)left_ms : WAIT_MS; /* a Ctrl-C just before is seen then */
}

/* Ctrl-C, --for, --count: what is on its way still comes, then the last record. */
static void end(struct capture *c)
{
    c->ending = true;
    c->end_ns = fleet_now_ns() + MS(LAST_WORD_MS);
    dprintf(c->fd, "{\"verb\": \"capture\"}\n");
}

static bool pass_on(struct capture *c)
{
    while (!c->ended && !c->gone) {
        struct pollfd wait = {.fd = c->fd, .events = POLLIN};
        int some = poll(&wait, 1, 0);
        if (some == 0) { /* whoever follows the file sees what there is */
            if (fflush(c->file) != 0)
                return false;
            some = poll(&wait, 1, wait_ms(c));
        }
        bool over = interrupted || c->written >= c->count_max || fleet_now_ns() >= c->end_ns;
        if (over && c->ending && fleet_now_ns() >= c->end_ns)
            return true; /* it does not answer any more */
        if (over && !c->ending)
            end(c);
        if (some > 0 && !receive(c))
            return false;
    }
    return true;
}

static int report(const struct capture *c, const char *name)
{
    fprintf(stderr, "%s: %" PRIu64 " frames", name, c->written);
    if (c->cut)
        fprintf(stderr, ", %" PRIu64 " of them cut at 256 KiB", c->cut);
    if (c->missed)
        fprintf(stderr, ", %" PRIu64 " missed: they came faster than they could be written",
                c->missed);
    fputc('\n', stderr);
    if (c->gone)
        return segue_fail(c->call, SEGUE_EXIT_FAILED, "PART_GONE",
                          "what came before is in the file",
                          "the process of %s has ended the capture", name);
    return SEGUE_EXIT_DONE;
}

static int run(struct capture *c, const char *name, port_id port)
{
    const char *path = c->call->flag[SEGUE_FLAG_WRITE];
    struct sigaction action = {.sa_handler = interrupt};
    int code = begin(c, name, port);
    if (code != SEGUE_EXIT_DONE)
        return code;
    c->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (!c->file)
        return segue_fail(c->call, SEGUE_EXIT_FAILED, "CANNOT_WRITE", NULL, "%s: %s", path,
                          strerror(errno));
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool good = pcapng_begin(c->file, "segue " SEGUE_VERSION, name, CAPTURE_BYTES_MAX) &&
                pass_on(c) && pcapng_end(c->file, c->written + c->missed, c->missed);
    int error = errno;
    if (c->file != stdout && fclose(c->file) != 0 && good)
        good = false, error = errno;
    if (!good)
        return segue_fail(c->call, SEGUE_EXIT_FAILED, "CANNOT_WRITE",
                          "make room, or write elsewhere", "%s: %s", path, strerror(error));
    return report(c, name);
}

int segue_capture(const struct segue_call *call)
{
    static struct capture capture; /* one a process; too large for a stack */
    const char *time = call->flag[SEGUE_FLAG_FOR];
    uint64_t for_ns = 0;
    int code = place_find(call, NULL, &config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    capture = (struct capture){.call = call, .fd = -1, .end_ns = UINT64_MAX};
    if (!objects_number(call, SEGUE_FLAG_COUNT, UINT64_MAX, UINT64_MAX, &capture.count_max))
        return SEGUE_EXIT_USAGE;
    if (time && !quantity_time(time, &for_ns))
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write a time such as 10s",
                          "--for: \"%.40s\" is not a time", time);
    if (time)
        capture.end_ns = fleet_now_ns() + for_ns;
    const char *name = call->argument[0];
    port_id port = find_part(name);
    return port ? run(&capture, name, port) : SEGUE_EXIT_NO_OBJECT;
}
