/* SPDX-License-Identifier: Apache-2.0 */
/* How a story ends in which something went wrong on purpose. All faults stop; then everything is
 * required: within a minute the array is in sync and every command answered, every block that was
 * written is read by every path, and the mirrors are equal. Acknowledged data may be missing only
 * if more went wrong with modules, or with trays, than the array is made for, and only if it says
 * so. Where nothing else went wrong, no host has seen an error. */
#include "sim/story.h"

enum {
    SETTLE_MS = 60000,
    SEAT_MS = 3000,
    DECIDE_MS = 12000,
    GIVE_UP_MS = 30000,
    RESERVATION_CONFLICT = 0x18,
    LOGICAL_UNIT_RESET = 5,
    TRIES = 60,
    AGAIN_MS = 100
};

static bool exceeded(const struct story *s)
{
    return s->module_faults + anomaly_struck_module(s->anomaly) > 1;
}

/* More trays than mirrors: what the array says that it lost is lost. */
static bool trays_exceeded(const struct story *s)
{
    return s->tray_faults + anomaly_struck_tray(s->anomaly) > 1;
}

/* The death of one that alone held acknowledged or unfinished writes: a person must decide. */
static bool waits_for_a_person(const struct story *s, int group)
{
    return cell_record(s->world, group)->dirty.module != MODULE_NONE &&
           site_primary(s->site, group) < 0 && exceeded(s);
}

/* ... who gives up what is lost, as soon as a unit takes that. */
static void decide(struct story *s)
{
    for (int g = 0; g < s->site->options.groups; g++)
        for (int m = 0; waits_for_a_person(s, g) && m < s->site->options.modules; m++)
            story_request(s, site_unit(s->site, m, g)->name, "accept-loss");
}

/* A command that its host has aborted has no answer; a host that waits long enough logs in anew. */
static void give_up_aborted(struct story *s)
{
    bool aborts = false;
    for (uint32_t ticket = 1; ticket <= clients_count(s->site->clients); ticket++)
        aborts |= op_of(s->site->clients, ticket)->kind == OP_TASK;
    for (int h = 0; aborts && h < SITE_HOSTS; h++)
        for (int path = 0; path < s->site->options.switches; path++)
            if (s->site->host[h][path])
                host_drop(s->site->host[h][path]);
}

/* A module was told to stop in order, and has ended, or is about to. */
static bool stopped(const struct story *s, int m, bool wholly)
{
    int count = 0;
    for (int g = 0; g < s->site->options.groups; g++)
        count += site_unit(s->site, m, g)->stopped;
    return count == s->site->options.groups || (!wholly && count > 0);
}

static void start_again(struct story *s, int process)
{
    world_crash(s->world, process);
    world_start(s->world, process);
}

/* Who started it starts it again. */
static void start_the_stopped(struct story *s)
{
    for (int m = 0; m < s->site->options.modules; m++)
        if (stopped(s, m, true))
            start_again(s, s->site->module[m]);
    for (int l = 0; l < s->site->options.loops; l++)
        if (world_part_of_port(s->world, port_loop(l))->stopped)
            start_again(s, s->site->loop[l]);
    for (int i = 0; i < s->site->options.switches; i++)
        if (world_part_of_port(s->world, port_switch(i))->stopped)
            start_again(s, s->site->iswitch[i]);
}

static bool settled(const struct story *s)
{
    for (int m = 0; m < s->site->options.modules; m++)
        if (stopped(s, m, false))
            return false;
    return site_settled(s->site) && site_answered(s->site);
}

static void settle(struct story *s)
{
    uint64_t begun = world_now(s->world), limit = begun + MS(SETTLE_MS), seat = begun + MS(SEAT_MS);
    bool gave_up = false;
    while (!settled(s)) {
        uint64_t now = world_now(s->world);
        if (now >= limit)
            story_failed(s, __FILE__, __LINE__, "%s, without any fault",
                         site_settled(s->site) ? "a command is not answered" : "not in sync again");
        if (now >= seat) {
            for (int l = 0; l < s->site->options.loops; l++)
                site_seat_drives(s->site, l);
            start_the_stopped(s);
            if (now >= begun + MS(DECIDE_MS))
                decide(s);
            seat += MS(SEAT_MS);
        }
        if (now >= begun + MS(GIVE_UP_MS) && !gave_up) {
            give_up_aborted(s);
            gave_up = true;
        }
        story_run(s, MS(5));
    }
}

/* The story has not come to release what it had reserved: a host that finds it so resets it. */
static void reset(struct story *s, int v, const struct op *met, int path)
{
    struct op *op = op_task(s->site->clients, LOGICAL_UNIT_RESET, met);
    story_send(s, op, v, path);
    story_until(s, op->state != OP_STATE_WAITING, MS(20000));
}

/* Sent until it is answered GOOD, as a host's driver does. */
static void finish(struct story *s, int v, const struct op *like, int path)
{
    struct op *op = NULL;
    for (int i = 0; i < TRIES; i++) {
        op = like ? op_read(s->site->clients, like->lba, like->blocks) : op_flush(s->site->clients);
        story_send(s, op, v, path);
        story_until(s, op->state != OP_STATE_WAITING, MS(20000));
        if (op->state == OP_STATE_ANSWERED && op->status == 0)
            return;
        bool again = op->state == OP_STATE_LOST || op->status == 0x08 || op->status == 0x28 ||
                     (op->status == 2 && (op->sense_key == 6 || op->sense_key == 0x0B));
        if (op->status == RESERVATION_CONFLICT && op->state == OP_STATE_ANSWERED)
            reset(s, v, op, path);
        else if (!again)
            break;
        story_run(s, MS(AGAIN_MS));
    }
    story_failed(s, __FILE__, __LINE__, "volume %d, path %d: %s at the end: status %02x, sense %x",
                 v, path, like ? "cannot be read" : "cannot be flushed", op->status, op->sense_key);
}

static int volume_of(const struct story *s, const struct op *op)
{
    for (int v = 0; v < s->site->volumes; v++)
        if (s->site->volume[v].group == op->group && s->site->volume[v].volume == op->volume)
            return v;
    return -1;
}

static void read_all(struct story *s)
{
    uint32_t count = clients_count(s->site->clients);
    for (uint32_t ticket = 1; ticket <= count; ticket++) {
        const struct op *op = op_of(s->site->clients, ticket);
        bool writes = op->kind == OP_WRITE || op->kind == OP_FILL || op->kind == OP_COMPARE_WRITE;
        int v = volume_of(s, op);
        if (!writes || !op->begun_ns || v < 0)
            continue;
        for (int path = 0; path < s->site->options.switches; path++)
            finish(s, v, op, path);
    }
}

/* A person's request: it is refused while what it is about is away. */
static bool may_be_refused(const struct op *op)
{
    struct manage_request request;
    return op->kind == OP_MANAGE && manage_decode(op->out, op->out_length, &request) &&
           request.verb == MANAGE_GROUP_MOVE;
}

/* With one module stopped, in order, and another one out of order nobody serves: what had begun is
 * begun anew. */
static bool may_be_aborted(const struct story *s, const struct op *op)
{
    return s->modules_stopped > 0 && anomaly_disabled_module(s->anomaly) && op->status == 2 &&
           op->sense_key == 0x0B;
}

/* One fault is no error for any host, but for a path that dies. */
static void check_answers(struct story *s)
{
    for (uint32_t ticket = 1; ticket <= clients_count(s->site->clients); ticket++) {
        const struct op *op = op_of(s->site->clients, ticket);
        bool good = op->state != OP_STATE_ANSWERED || op->status == 0 || op->status == 0x08 ||
                    op->status == 0x28 ||
                    (op->status == 2 && (op->sense_key == 0x06 || op->sense_key == 0x0E));
        if (!good && !may_be_refused(op) && !may_be_aborted(s, op))
            story_failed(s, __FILE__, __LINE__,
                         "operation %u: status %02x, sense %x, for one fault", op->ticket,
                         op->status, op->sense_key);
    }
}

/* A link promises that what arrives is a prefix of what was sent: one that has lost something does
 * not go on. */
static void break_those_that_lost(struct story *s)
{
    for (int p = 0; p < world_processes(s->world); p++)
        for (int q = 0; q < world_processes(s->world); q++)
            if (link_exists(s->world, p, q) && link_loses(s->world, p, q))
                link_break(s->world, p, q, true);
}

static void end(struct story *s)
{
    char sentence[300];
    s->ending = true;
    anomaly_end(s->anomaly);
    break_those_that_lost(s);
    site_heal(s->site);
    settle(s);
    read_all(s);
    for (int v = 0; v < s->site->volumes; v++)
        finish(s, v, NULL, 0);
    story_run(s, MS(500));
    if (!site_mirrors_equal(s->site, sentence, sizeof sentence))
        story_failed(s, __FILE__, __LINE__, "%s", sentence);
    if (s->faults == 0)
        check_answers(s);
    if (anomaly_losses(s->anomaly) && !exceeded(s))
        story_failed(s, __FILE__, __LINE__, "a volatile cache was lost with one fault");
    if (anomaly_tray_losses(s->anomaly) && !trays_exceeded(s))
        story_failed(s, __FILE__, __LINE__, "unflushed data was lost with one tray");
    story_leave(s);
}

void story_tell_with_anomaly(struct story *s, void (*tell)(struct story *s), anomaly_choose *choose,
                             void *context)
{
    s->anomaly = anomaly_new(s->site, choose, context);
    if (setjmp(s->early) == 0) {
        tell(s);
        if (s->site && !anomaly_struck(s->anomaly))
            story_end(s);
    }
    if (s->site)
        end(s);
    anomaly_free(s->anomaly);
    s->anomaly = NULL;
}
