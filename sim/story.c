/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/story.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { LAST_LINES = 120, SENTENCE = 600, PATIENCE_MS = 10000 };

static void (*failure_hook)(const char *sentence);
static struct story *present; /* the one that runs, for a machine's broken promise */

static void broken_promise(void)
{
    if (present)
        story_failed(present, "must", 0, "a machine broke its promise");
}

void story_on_failure(void (*failure)(const char *sentence))
{
    failure_hook = failure;
    must_on_failure(broken_promise);
}

_Noreturn void story_failed(struct story *s, const char *file, int line, const char *format, ...)
{
    char what[SENTENCE / 2], sentence[SENTENCE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    double now_ms = s->world ? (double)(world_now(s->world) - MS(1000)) / 1e6 : 0;
    snprintf(sentence, sizeof sentence, "story %s, seed %llu, at %.3f ms: %s (%s:%d)", s->name,
             (unsigned long long)s->seed, now_ms, what, file, line);
    present = NULL;
    if (s->world)
        world_print(s->world, LAST_LINES);
    const char *violation = s->site ? site_violation(s->site) : NULL;
    if (violation)
        printf("violation: %s\n", violation);
    printf("%s\n", sentence);
    fflush(stdout);
    if (failure_hook)
        failure_hook(sentence);
    exit(1);
}

/* ---- with an anomaly ---- */

static bool softened(const struct story *s)
{
    return s->anomaly && anomaly_struck(s->anomaly) && !s->ending;
}

void story_surprised(struct story *s, const char *file, int line, const char *format, ...)
{
    char what[SENTENCE / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (!softened(s))
        story_failed(s, file, line, "%s", what);
    world_say(s->world, "-- surprise: %s (%s:%d)", what, file, line);
    s->surprises++;
}

void story_late(struct story *s, uint64_t *limit, int times, const char *what, const char *file,
                int line)
{
    if (!softened(s))
        story_failed(s, file, line, "%s: not in time", what);
    *limit += MS(PATIENCE_MS);
    if (times == 0)
        return;
    world_say(s->world, "-- the story ends early: %s: not in time (%s:%d)", what, file, line);
    longjmp(s->early, 1);
}

static bool is_module(const char *process)
{
    return process[1] == 0; /* "A" */
}

static bool is_tray(const char *process)
{
    return process[0] == 'L';
}

/* A process by its name, which is to suffer something. */
static int victim(struct story *s, const char *name)
{
    s->faults++;
    s->module_faults += is_module(name);
    s->tray_faults += is_tray(name);
    return world_process(s->world, name);
}

static void link_victim(struct story *s, const char *a, const char *b)
{
    s->faults++;
    s->module_faults += is_module(a) || is_module(b);
    s->tray_faults += is_tray(a) || is_tray(b);
}

/* ---- beginning and end ---- */

static bool at_home(struct story *s)
{
    for (int g = 0; g < s->site->options.groups; g++)
        if (site_primary(s->site, g) != s->site->unit_config[0][g].member[0])
            return false;
    return site_settled(s->site);
}

void story_begin(struct story *s, const char *name, const struct site_options *options)
{
    *s = (struct story){.name = name, .seed = options->world.seed};
    s->site = site_new(options);
    s->world = s->site->world;
    present = s;
    site_start(s->site);
    story_until(s, site_settled(s->site), MS(20000));
    story_assert(s, site_create(s->site));
    story_until(s, at_home(s), MS(30000));
    story_settle_attentions(s);
    story_mark(s);
}

/* Every block that anybody wrote is read once by each path: the oracle judges what comes. */
static void read_all(struct story *s)
{
    struct clients *clients = s->site->clients;
    uint32_t count = clients_count(clients);
    for (uint32_t ticket = 1; ticket <= count; ticket++) {
        const struct op *op = op_of(clients, ticket);
        bool writes = op->kind == OP_WRITE || op->kind == OP_FILL || op->kind == OP_COMPARE_WRITE;
        if (!writes || !op->begun_ns)
            continue;
        for (int v = 0; v < s->site->volumes; v++)
            if (s->site->volume[v].group == op->group && s->site->volume[v].volume == op->volume)
                for (int path = 0; path < s->site->options.switches; path++)
                    story_read(s, v, op->lba, op->blocks, path);
    }
}

void story_leave(struct story *s)
{
    const char *violation = site_violation(s->site);
    if (violation)
        story_failed(s, __FILE__, __LINE__, "%s", violation);
    if (softened(s))
        return;
    bool balanced = s->left_standing || site_free(s->site);
    s->site = NULL;
    s->world = NULL;
    if (!balanced)
        story_failed(s, __FILE__, __LINE__, "payload was not given back");
    present = NULL;
}

void story_end(struct story *s)
{
    char sentence[SENTENCE / 2];
    uint64_t limit = world_now(s->world) + MS(60000);
    site_heal(s->site);
    for (int i = 0; !site_settled(s->site) || !site_answered(s->site); i++) {
        if (softened(s))
            longjmp(s->early, 1);
        if (world_now(s->world) >= limit)
            story_late(s, &limit, i, "in sync and answered", __FILE__, __LINE__);
        story_run(s, MS(5)); /* to look is more work than to go on */
    }
    story_settle_attentions(s);
    read_all(s);
    for (int v = 0; v < s->site->volumes; v++)
        story_flush(s, v, 0);
    story_run(s, MS(500));
    if (!site_mirrors_equal(s->site, sentence, sizeof sentence))
        story_surprised(s, __FILE__, __LINE__, "%s", sentence);
    story_leave(s);
}

bool story_step(struct story *s, uint64_t until)
{
    bool more = world_step(s->world, until);
    const char *violation = site_violation(s->site);
    if (violation)
        story_failed(s, __FILE__, __LINE__, "%s", violation);
    return more;
}

void story_run(struct story *s, uint64_t for_ns)
{
    uint64_t until = world_now(s->world) + for_ns;
    while (story_step(s, until))
        ;
}

/* ---- commands ---- */

struct op *story_send(struct story *s, struct op *op, int volume, int path)
{
    site_begin(s->site, op, volume, s->host, (uint8_t)path);
    return op;
}

struct op *story_send_write(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path)
{
    return story_send(s, op_write(s->site->clients, lba, blocks, false), volume, path);
}

struct op *story_send_read(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path)
{
    return story_send(s, op_read(s->site->clients, lba, blocks), volume, path);
}

void story_answered(struct story *s, struct op *op, uint64_t within_ns)
{
    story_until(s, op->state != OP_STATE_WAITING, within_ns);
    if (op->state != OP_STATE_ANSWERED)
        story_surprised(s, __FILE__, __LINE__, "operation %u: its path died", op->ticket);
}

void story_good(struct story *s, struct op *op, uint64_t within_ns)
{
    story_answered(s, op, within_ns);
    if (op->status != 0)
        story_surprised(s, __FILE__, __LINE__, "operation %u: status %02x, sense %x/%02x/%02x",
                        op->ticket, op->status, op->sense_key, op->asc, op->ascq);
}

/* What a host's driver tries again without telling anybody. */
static bool worth_repeating(const struct op *op)
{
    if (op->state != OP_STATE_ANSWERED)
        return false;
    return op->status == 0x08 || op->status == 0x28 || (op->status == 2 && op->sense_key == 6);
}

struct op *story_write(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path)
{
    for (int i = 0;; i++) {
        struct op *op = story_send_write(s, volume, lba, blocks, path);
        story_answered(s, op, MS(10000));
        if (i < 5 && worth_repeating(op))
            continue;
        story_good(s, op, 0);
        return op;
    }
}

struct op *story_read(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path)
{
    for (int i = 0;; i++) {
        struct op *op = story_send_read(s, volume, lba, blocks, path);
        story_answered(s, op, MS(10000));
        if (i < 5 && worth_repeating(op))
            continue;
        story_good(s, op, 0);
        return op;
    }
}

struct op *story_flush(struct story *s, int volume, int path)
{
    for (int i = 0;; i++) {
        struct op *op = story_send(s, op_flush(s->site->clients), volume, path);
        story_answered(s, op, MS(10000));
        if (i < 5 && worth_repeating(op))
            continue;
        story_good(s, op, 0);
        return op;
    }
}

uint64_t story_stamp(struct story *s, int volume, uint64_t lba, int path)
{
    struct op *op = story_read(s, volume, lba, 1, path);
    return op_block_stamp(op->in, lba);
}

void story_settle_attentions(struct story *s)
{
    static const uint8_t test_unit_ready[16] = {0};
    for (int v = 0; v < s->site->volumes; v++)
        for (int path = 0; path < s->site->options.switches; path++)
            for (int i = 0; i < 8; i++) {
                struct op *op =
                    story_send(s, op_cdb(s->site->clients, test_unit_ready, NULL, 0, 0), v, path);
                story_answered(s, op, MS(10000));
                if (op->status == 0)
                    break;
            }
}

void story_manage(struct story *s, int group, const struct manage_request *request)
{
    char text[512];
    int module = 0;
    while (module + 1 < s->site->options.modules &&
           (!world_living(s->world, s->site->module[module]) ||
            world_paused(s->world, s->site->module[module])))
        module++;
    if (!site_manage(s->site, module, (uint8_t)group, request, text, sizeof text))
        story_surprised(s, __FILE__, __LINE__, "management request %d: %s", request->verb, text);
}

void story_request(struct story *s, const char *unit, const char *text)
{
    struct part *part = world_part(s->world, unit);
    struct event event = {.kind = EVENT_REQUEST, .request.text = text};
    if (part->machine && !world_paused(s->world, part->process))
        world_step_part(s->world, part, &event);
    else
        story_surprised(s, __FILE__, __LINE__, "%s is asked, and cannot answer", unit);
}

/* ---- faults ---- */

void story_stop(struct story *s, const char *process)
{
    int p = world_process(s->world, process);
    s->modules_stopped += is_module(process);
    if (!softened(s) || (world_living(s->world, p) && !world_paused(s->world, p)))
        world_stop(s->world, p);
}

void story_crash(struct story *s, const char *process)
{
    int p = victim(s, process);
    if (softened(s)) {
        anomaly_leave_dead(s->anomaly, p);
        if (!world_living(s->world, p))
            return;
    }
    world_crash(s->world, p);
}

void story_restart(struct story *s, const char *process)
{
    int p = world_process(s->world, process);
    if (!softened(s) || !world_living(s->world, p))
        world_start(s->world, p);
}

void story_pause(struct story *s, const char *process)
{
    int p = victim(s, process);
    if (!softened(s) || world_living(s->world, p))
        world_pause(s->world, p);
}

void story_resume(struct story *s, const char *process)
{
    int p = world_process(s->world, process);
    if (!softened(s) || world_paused(s->world, p))
        world_resume(s->world, p);
}

void story_power_cut(struct story *s)
{
    s->faults++;
    s->module_faults += s->site->options.modules;
    s->tray_faults += s->site->options.loops;
    world_power_cut(s->world);
}

void story_hang_drive(struct story *s, int drive, bool hangs)
{
    s->faults += hangs;
    s->tray_faults += hangs;
    disk_hang(s->world, drive, hangs);
}

void story_fail_drive(struct story *s, int drive, bool fails)
{
    s->faults += fails;
    s->tray_faults += fails;
    disk_fail(s->world, drive, fails, fails);
}

void story_slow_drive(struct story *s, int drive, uint64_t more_ns)
{
    bool fails = more_ns >= s->site->options.limits.drain_ns;
    s->faults += fails;
    s->tray_faults += fails;
    disk_slow(s->world, drive, more_ns);
}

void story_cut(struct story *s, const char *a, const char *b, enum link_way way)
{
    link_victim(s, a, b);
    link_cut(s->world, world_process(s->world, a), world_process(s->world, b), way);
}

void story_hold(struct story *s, const char *a, const char *b, enum message_kind kind)
{
    link_victim(s, a, b);
    link_hold(s->world, world_process(s->world, a), world_process(s->world, b), kind);
}

bool story_held(struct story *s, const char *a, const char *b)
{
    return link_held(s->world, world_process(s->world, a), world_process(s->world, b));
}

void story_lose(struct story *s, const char *a, const char *b, enum message_kind kind)
{
    link_victim(s, a, b);
    link_lose(s->world, world_process(s->world, a), world_process(s->world, b), kind);
}

void story_break(struct story *s, const char *a, const char *b)
{
    link_victim(s, a, b);
    link_break(s->world, world_process(s->world, a), world_process(s->world, b), false);
}

void story_restore(struct story *s, const char *a, const char *b)
{
    link_restore(s->world, world_process(s->world, a), world_process(s->world, b));
}

void story_isolate(struct story *s, const char *process, enum link_way way)
{
    int p = victim(s, process);
    for (int q = 0; q < world_processes(s->world); q++)
        if (q != p && link_exists(s->world, p, q))
            link_cut(s->world, p, q, way);
}

void story_rejoin(struct story *s, const char *process)
{
    int p = world_process(s->world, process);
    for (int q = 0; q < world_processes(s->world); q++)
        if (q != p && link_exists(s->world, p, q))
            link_restore(s->world, p, q);
}

void story_reach_register(struct story *s, const char *process, enum cell_reach reach)
{
    cell_reach(s->world, victim(s, process), reach);
}

/* ---- looking ---- */

struct unit_status story_unit(struct story *s, const char *unit)
{
    struct unit_status status = {.state = UNIT_STATE_STATES};
    if (!site_describe(s->site, unit[0] - 'A', unit[1] - '1', &status))
        story_surprised(s, __FILE__, __LINE__, "%s is dead", unit);
    return status;
}

struct loopswitch_bank_status story_bank(struct story *s, const char *loop, uint8_t group)
{
    struct loopswitch_bank_status status = {0};
    const struct loopswitch *machine = kinds_loopswitch(world_part(s->world, loop));
    if (machine)
        loopswitch_bank(machine, group, &status);
    else
        story_surprised(s, __FILE__, __LINE__, "%s is dead", loop);
    return status;
}

enum unit_state story_state(struct story *s, const char *unit)
{
    struct unit_status status;
    return site_describe(s->site, unit[0] - 'A', unit[1] - '1', &status) ? status.state
                                                                         : UNIT_STATE_STATES;
}

const struct record *story_record(struct story *s, int group)
{
    return cell_record(s->world, group);
}

bool story_primary(struct story *s, const char *unit)
{
    return story_state(s, unit) == UNIT_STATE_PRIMARY;
}

bool story_in_sync(struct story *s, const char *unit)
{
    const struct record *record = story_record(s, unit[1] - '1');
    return members_find_module(&record->in_sync, (uint8_t)(unit[0] - 'A')) >= 0 &&
           record->previous.count == 0;
}

/* Asked after each thing that happens: the record tells for less than the units. */
bool story_settled(struct story *s)
{
    for (int g = 0; g < s->site->options.groups; g++) {
        const struct record *record = story_record(s, g);
        if (record->in_sync.count != s->site->options.modules || record->previous.count)
            return false;
        for (int d = 0; d < DRIVE_MAX; d++)
            if (record->drive_state[d] != DRIVE_STATE_GOOD)
                return false;
    }
    return site_settled(s->site);
}

void story_mark(struct story *s)
{
    s->mark = world_lines(s->world);
}

/* Asked after each thing that happens: it goes on where it was when it was asked the same before.
 */
uint32_t story_count(struct story *s, const char *pattern)
{
    if (s->counted.from != s->mark || strcmp(s->counted.pattern, pattern) != 0) {
        s->counted.from = s->counted.to = s->mark;
        s->counted.count = 0;
        must((size_t)snprintf(s->counted.pattern, sizeof s->counted.pattern, "%s", pattern) <
             sizeof s->counted.pattern);
    }
    for (; s->counted.to < world_lines(s->world); s->counted.to++)
        s->counted.count += fnmatch(pattern, world_line(s->world, s->counted.to)->text, 0) == 0;
    return s->counted.count;
}

bool story_said(struct story *s, const char *pattern)
{
    return story_count(s, pattern) > 0;
}

void story_expect(struct story *s, const char *trace)
{
    uint32_t at = s->mark;
    while (*trace) {
        char pattern[SENTENCE / 2];
        size_t length = strcspn(trace, "\n");
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, trace);
        trace += length + (trace[length] == '\n');
        if (!pattern[strspn(pattern, " ")])
            continue;
        const char *text = pattern + strspn(pattern, " ");
        while (at < world_lines(s->world) && fnmatch(text, world_line(s->world, at)->text, 0) != 0)
            at++;
        if (at == world_lines(s->world))
            story_surprised(s, __FILE__, __LINE__, "the trace lacks, in its place: %s", text);
        at += at < world_lines(s->world);
    }
}
