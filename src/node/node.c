/* SPDX-License-Identifier: Apache-2.0 */
/* A process of the array. One thread turns the loop; in each turn: what has happened becomes events
 * of the parts, what they say to each other here is passed on until nobody has anything more to
 * say, those whose time has come get a time event, and all that they ask of the world leaves
 * together.
 *
 * It decides nothing about storage: a rule of the protocol that is found here is in the wrong room.
 */
#include "node/node_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "node/history.h"
#include "node/life.h"
#include "node/manage_socket.h"
#include "unit/unit.h"

static const uint64_t tick_ns = 50000000, stop_limit_ns = 30000000000u, linger_ns = 200000000;

/* ---- what is said ---- */

static void sink(void *world, const struct trace *from, enum trace_level level, uint64_t now_ns,
                 const char *text)
{
    struct node *node = world;
    log_line(node->log, level, from->name, text);
    if (level <= TRACE_WARN && node->journal)
        log_line(node->journal, level, from->name, text);
    if (level > TRACE_INFO || !node->manage_socket)
        return;
    char line[HISTORY_TEXT_BYTES];
    snprintf(line, sizeof line, "%s %s: %s", trace_level_name(level), from->name, text);
    manage_socket_event(node->manage_socket, now_ns ? now_ns : loop_now_ns(), line);
}

void node_notice(struct node *node, const struct part *part, const char *text)
{
    log_line(node->log, TRACE_INFO, part->trace.name, text);
    log_line(node->journal, TRACE_INFO, part->trace.name, text);
    manage_socket_event(node->manage_socket, loop_now_ns(), text);
}

/* The process ends here: let the log say why. */
static struct log *log_of_process, *journal_of_process;

static void before_abort(void)
{
    if (log_of_process)
        log_flush(log_of_process);
    if (journal_of_process)
        log_flush(journal_of_process);
}

/* ---- parts ---- */

static int8_t *place_of(struct node *node, port_id port)
{
    int index = port_index(port), sub = port_sub(port) + 1;
    if (port_kind(port) == PORT_KIND_LOOP)
        sub = 0; /* a drive is at its loop switch */
    if (port_kind(port) == PORT_KIND_NONE || index < 0 || index >= 8 || sub >= 4)
        return NULL;
    return &node->part_of[port_kind(port)][index][sub];
}

struct part *node_part_at(struct node *node, port_id port)
{
    const int8_t *place = place_of(node, port);
    return place && *place >= 0 ? &node->part[*place] : NULL;
}

struct part *node_add_part(struct node *node, const struct part_kind *kind, port_id port)
{
    must(node->parts < NODE_PART_MAX);
    struct part *part = &node->part[node->parts];
    part->kind = kind;
    part->port = port;
    part->number = (uint8_t)port_index(port);
    part->state = -1;
    part->trace = (struct trace){.max_level = node->level, .sink = sink, .world = node};
    snprintf(part->trace.name, sizeof part->trace.name, "%s", config_port_name(node->config, port));
    *place_of(node, port) = (int8_t)node->parts++;
    return part;
}

void node_step(struct node *node, struct part *part, struct event *event)
{
    event->now_ns = loop_now_ns();
    part->kind->step(part->machine, event, node->actions);
    part->kind->check(part->machine);
    node_carry_out(node, part);
    if (part->kind == &part_manager)
        manage_socket_take_answers(node->manage_socket, part->machine);
}

/* ---- making it ---- */

static int make_directories(const struct config *config, char *sentence, size_t bytes)
{
    static const char *const names[] = {"", "/run", "/log", "/loop"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[NODE_PATH_BYTES];
        snprintf(path, sizeof path, "%s%s", config->state, names[i]);
        if (life_make_directory(path)) {
            snprintf(sentence, bytes, "state directory %s cannot be made", path);
            return -1;
        }
    }
    return 0;
}

static void configure_links(const struct node *node, struct links_config *out)
{
    const struct config *config = node->config;
    port_id ports[NODE_PART_MAX];
    uint8_t count = 0;
    for (int m = 0; m < config->modules; m++) {
        ports[count++] = port_manager(m);
        for (int g = 0; g < config->groups; g++)
            if (node_is_member(config, m, g))
                ports[count++] = port_unit(m, g);
    }
    for (int s = 0; s < config->switches; s++)
        ports[count++] = port_switch(s);
    for (int l = 0; l < config->loops; l++)
        ports[count++] = port_loop(l);
    memcpy(out->array, config->array, sizeof out->array);
    out->incarnation = node->incarnation;
    out->self = (uint8_t)node->process;
    out->processes = config->processes;
    for (int i = 0; i < config->processes; i++) {
        memcpy(out->process[i].name, config->process[i].name, sizeof out->process[i].name);
        memcpy(out->process[i].address, config->process[i].link, sizeof out->process[i].address);
    }
    for (uint8_t i = 0; i < count; i++) {
        int process = config_process_of_port(config, ports[i]);
        if (process >= 0) {
            out->port[out->ports].port = ports[i];
            out->port[out->ports++].process = (uint8_t)process;
        }
    }
    out->queue_bytes = config->buffer_bytes / 2;
}

static int make_loop(struct node *node, char *sentence, size_t bytes)
{
    const struct config *config = node->config;
    const struct config_process *process = &config->process[node->process];
    struct loop_config loop = {.late_ns = config->limits.stale_ns / 2,
                               .buffer_bytes = config->buffer_bytes};
    configure_links(node, &loop.links);
    if (process->modules)
        loop.register_directory = config->register_path;
    for (int l = 0; l < config->loops; l++)
        if (process->loops >> l & 1) /* one more a drive: at the end each is flushed */
            loop.drive_requests_max += 1u + config->loop[l].drives * (NODE_DRIVE_COMMANDS + 1u);
    node->loop = loop_new(&loop, &node->trace, sentence, bytes);
    return node->loop ? 0 : -1;
}

static int make(struct node *node, char *sentence, size_t bytes)
{
    char path[NODE_PATH_BYTES];
    const char *name = node->config->process[node->process].name;
    if (make_directories(node->config, sentence, bytes))
        return -1;
    snprintf(path, sizeof path, "%s/log/%s.log", node->config->state, name);
    node->log = log_open(path, sentence, bytes);
    snprintf(path, sizeof path, "%s/log/%s.events", node->config->state, name);
    node->journal = node->log ? log_open_journal(path, sentence, bytes) : NULL;
    if (!node->journal)
        return -1;
    log_of_process = node->log;
    journal_of_process = node->journal;
    must_on_failure(before_abort);
    snprintf(node->trace.name, sizeof node->trace.name, "%s", name);
    node->actions = actions_new();
    node->local = calloc(NODE_LOCAL_MAX, sizeof *node->local);
    node->history = history_new();
    if (!node->actions || !node->local || !node->history) {
        snprintf(sentence, bytes, "no memory for process %s", name);
        return -1;
    }
    if (life_next(node->config, node->process, &node->incarnation, sentence, bytes) ||
        make_loop(node, sentence, bytes) || node_build_sockets(node, sentence, bytes) ||
        node_build_parts(node, sentence, bytes))
        return -1;
    return life_write_pid(node->config, node->process, sentence, bytes);
}

struct node *node_new(const struct config *config, int process, enum trace_level level,
                      const char *command_line, char *sentence, size_t sentence_bytes)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node) {
        snprintf(sentence, sentence_bytes, "no memory");
        return NULL;
    }
    node->config = config;
    node->process = process;
    node->level = level;
    node->command_line = command_line;
    node->started_ns = loop_now_ns();
    notify_init(&node->notify);
    node->trace = (struct trace){.max_level = level, .sink = sink, .world = node};
    memset(node->part_of, -1, sizeof node->part_of);
    char name[16];
    snprintf(name, sizeof name, "segued %s", config->process[process].name);
    prctl(PR_SET_NAME, name);
    if (make(node, sentence, sentence_bytes)) {
        node_free(node);
        return NULL;
    }
    return node;
}

void node_free(struct node *node)
{
    for (uint8_t i = 0; i < node->parts; i++)
        if (node->part[i].machine)
            node->part[i].kind->free(node->part[i].machine);
    if (node->loop) /* with the memory that the parts' payload lay in */
        loop_free(node->loop);
    manage_socket_free(node->manage_socket);
    history_free(node->history);
    notify_close(&node->notify);
    actions_free(node->actions);
    free(node->local);
    log_of_process = journal_of_process = NULL;
    if (node->log)
        log_close(node->log);
    if (node->journal)
        log_close(node->journal);
    free(node);
}

/* An event of the process as a whole. */
static void journal_state(struct node *node, const char *state)
{
    char text[96];
    snprintf(text, sizeof text, "process name=%s state=%s pid=%d", node->trace.name, state,
             (int)getpid());
    log_line(node->journal, TRACE_INFO, node->trace.name, text);
}

/* ---- stopping ---- */

void node_stop(struct node *node)
{
    if (node->stopping)
        return;
    trace_info(&node->trace, "segued: %s stops in order", node->trace.name);
    journal_state(node, "stops");
    node->stopping = true;
    notify_stopping(&node->notify, "stops in order");
    node->stop_by_ns = loop_now_ns() + stop_limit_ns;
}

/* Tells those of the lowest rank that has not stopped yet. True: all have. */
static bool go_on_stopping(struct node *node)
{
    int rank = 3;
    for (uint8_t i = 0; i < node->parts; i++)
        if (!node->part[i].stopped && node->part[i].kind->stop_rank < rank)
            rank = node->part[i].kind->stop_rank;
    for (uint8_t i = 0; i < node->parts; i++) {
        struct part *part = &node->part[i];
        if (part->stopping || part->kind->stop_rank != rank)
            continue;
        part->stopping = true;
        struct event event = {.kind = EVENT_STOP};
        node_step(node, part, &event);
    }
    return rank == 3;
}

static bool links_are_empty(struct node *node)
{
    struct link_status status;
    for (int i = 0; i < node->config->processes; i++) {
        links_describe(loop_links(node->loop), i, &status);
        if (status.queued_bytes)
            return false;
    }
    return true;
}

/* ---- running ---- */

/* For `systemctl status`: what this process's units are. */
static void notify_states(struct node *node)
{
    char line[256] = "up";
    size_t at = 0;
    for (uint8_t i = 0; i < node->parts && at < sizeof line; i++)
        if (node->part[i].kind == &part_unit && node->part[i].state >= 0)
            at += (size_t)snprintf(line + at, sizeof line - at, "%s%s %s", at ? ", " : "",
                                   node->part[i].trace.name,
                                   unit_state_name((enum unit_state)node->part[i].state));
    notify_status(&node->notify, line);
}

static void note_states(struct node *node)
{
    struct unit_status status;
    bool changed = false;
    for (uint8_t i = 0; i < node->parts; i++) {
        struct part *part = &node->part[i];
        if (part->kind != &part_unit)
            continue;
        unit_describe(part->machine, &status);
        if ((int)status.state == part->state)
            continue;
        part->state = (int)status.state;
        part->since_ns = loop_now_ns();
        changed = true;
    }
    if (changed && !node->stopping)
        notify_states(node);
}

static uint64_t next_wake(const struct node *node)
{
    if (node->local_count || node->closed_count)
        return 0;
    uint64_t wake = notify_wake_ns(&node->notify);
    if (node->next_tick_ns < wake)
        wake = node->next_tick_ns;
    for (uint8_t i = 0; i < node->parts; i++) {
        uint64_t at = node->part[i].kind->wake_ns(node->part[i].machine);
        if (at < wake)
            wake = at;
    }
    return wake;
}

static void give_time(struct node *node)
{
    for (uint8_t i = 0; i < node->parts; i++) {
        struct part *part = &node->part[i];
        if (part->kind->wake_ns(part->machine) > loop_now_ns())
            continue;
        struct event event = {.kind = EVENT_TIME};
        node_step(node, part, &event);
    }
}

static void turn(struct node *node)
{
    struct happening happening;
    loop_turn(node->loop, next_wake(node));
    while (loop_next(node->loop, &happening))
        node_deliver(node, &happening);
    node_deliver_local(node);
    give_time(node);
    manage_socket_turn(node->manage_socket);
    node_deliver_local(node);
    uint64_t now = loop_now_ns();
    node->trace.now_ns = now;
    notify_alive(&node->notify, now);
    if (now < node->next_tick_ns)
        return;
    node->next_tick_ns = now + tick_ns;
    note_states(node);
}

/* What was said last may still be on its way out. */
static void linger(struct node *node)
{
    uint64_t end = loop_now_ns() + linger_ns;
    while (loop_now_ns() < end && !links_are_empty(node))
        turn(node);
}

bool node_run(struct node *node)
{
    node_link_local(node);
    trace_info(&node->trace, "segued: %s is up", node->trace.name);
    journal_state(node, "up");
    notify_ready(&node->notify, "up");
    bool stopped = false;
    while (!stopped) {
        turn(node);
        if (!node->stopping)
            continue;
        stopped = go_on_stopping(node);
        if (!stopped && loop_now_ns() > node->stop_by_ns)
            break;
    }
    if (stopped)
        linger(node);
    for (uint8_t i = 0; i < node->parts; i++)
        if (!node->part[i].stopped)
            trace_error(&node->trace, "%s has not stopped in order", node->part[i].trace.name);
    trace_info(&node->trace, "segued: %s has stopped%s", node->trace.name,
               stopped ? "" : ", not in order");
    life_remove_pid(node->config, node->process);
    return stopped;
}
