/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/swarm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/causes.h"
#include "sim/reactions.h"
#include "sim/waits.h"

/* From the end of the last fault until everything is answered and in sync. */
#define LIVENESS_NS MS(60000)
/* ... and until it is plain that only a person can go on. */
#define PERSON_NS MS(20000)

struct swarm {
    const struct swarm_config *config;
    struct shape shape;
    struct site *site;
    struct world *world;
    struct workload *work;
    struct faults *faults;
    struct waits *waits;
    struct causes *causes;
    struct reactions *reactions;
    struct random random;
    struct swarm_result *result;
};

static struct swarm *present;

void swarm_print_last(uint32_t lines)
{
    if (present)
        world_print(present->world, lines);
}

static void failed(struct swarm *w, const char *what)
{
    if (w->result->failed)
        return;
    w->result->failed = true;
    snprintf(w->result->sentence, sizeof w->result->sentence, "at %.3f ms: %s",
             (double)(world_now(w->world) - MS(1000)) / 1e6, what);
}

static uint64_t pick(struct swarm *w, uint64_t least, uint64_t most)
{
    return random_between(&w->random, least, most);
}

/* ---- safety ---- */

static bool still_right(struct swarm *w)
{
    const char *violation = site_violation(w->site);
    struct workload_result work;
    workload_describe(w->work, &work);
    if (!violation && !w->config->wild) /* there the last good copy of something may be gone */
        violation = waits_look(w->waits);
    if (!violation)
        violation = causes_look(w->causes);
    if (!violation)
        violation = reactions_look(w->reactions);
    if (violation)
        failed(w, violation);
    else if (work.errors && !w->config->wild)
        failed(w, work.first_error);
    return !w->result->failed;
}

static bool enough(const struct swarm *w)
{
    struct workload_result work;
    workload_describe(w->work, &work);
    return w->config->commands && work.ended >= w->config->commands;
}

static bool safety(struct swarm *w)
{
    uint64_t until = world_now(w->world) + w->config->for_ns;
    while (world_now(w->world) < until && !enough(w) && still_right(w)) {
        uint64_t now = world_now(w->world), next = faults_next_ns(w->faults);
        uint64_t slice = pick(w, 1, 20) * 100000;
        if (next > now && next - now < slice)
            slice = next - now;
        site_run(w->site, slice);
        faults_look(w->faults);
        faults_turn(w->faults);
    }
    return still_right(w);
}

/* ---- liveness ---- */

/* The death of one that alone held acknowledged or unfinished writes, or of the last good copy: a
 * person must decide. Only a wild history may come to that. */
static bool waits_for_a_person(const struct swarm *w)
{
    if (!w->config->wild)
        return false;
    if (site_no_copy(w->site))
        return true;
    for (int g = 0; g < w->site->options.groups; g++)
        if (cell_record(w->world, g)->dirty.module != MODULE_NONE && site_primary(w->site, g) < 0)
            return true;
    return false;
}

static bool done(const struct swarm *w)
{
    return workload_idle(w->work) && site_settled(w->site) && site_answered(w->site);
}

static bool liveness(struct swarm *w)
{
    faults_end(w->faults);
    site_heal(w->site);
    uint64_t working_until = world_now(w->world) + pick(w, 0, 400) * 1000000;
    while (world_now(w->world) < working_until && still_right(w))
        site_run(w->site, MS(10));
    workload_stop(w->work);
    uint64_t begun = world_now(w->world), until = begun + LIVENESS_NS, seat_ns = begun + MS(2000);
    while (!done(w) && still_right(w)) {
        w->result->waits = world_now(w->world) >= begun + PERSON_NS && waits_for_a_person(w);
        if (w->result->waits)
            return false;
        if (world_now(w->world) >= until) {
            failed(w, !workload_idle(w->work)  ? "commands are not answered, without any fault"
                      : !site_settled(w->site) ? "the array is not in sync again, without any fault"
                                               : "an operation has no end, without any fault");
            break;
        }
        site_run(w->site, MS(10));
        for (int l = 0; world_now(w->world) >= seat_ns && l < w->site->options.loops; l++)
            site_seat_drives(w->site,
                             l); /* one that was failed late, by what was still under way */
        if (world_now(w->world) >= seat_ns)
            seat_ns += MS(2000);
    }
    return still_right(w);
}

/* ---- the end ---- */

/* Sent and answered GOOD; unit attentions are eaten. */
static bool answered_good(struct swarm *w, struct op *op, int volume, uint8_t path)
{
    site_begin(w->site, op, volume, 0, path);
    if (site_finish(w->site, op, MS(10000)) && op->state == OP_STATE_ANSWERED && op->status == 0)
        return true;
    site_run(w->site, op->state == OP_STATE_ANSWERED ? MS(1) : MS(100));
    return false;
}

/* One read; false: it failed. */
static bool read_again(struct swarm *w, int volume, uint64_t lba, uint32_t blocks, uint8_t path)
{
    for (int i = 0; i < 8; i++)
        if (answered_good(w, op_read(w->site->clients, lba, blocks), volume, path))
            return true;
    return false;
}

/* Nobody's reservation shall stand in the way of the last reads. */
static bool clear_reservations(struct swarm *w)
{
    static const enum reservation_action actions[] = {RESERVATION_REGISTER_AND_IGNORE,
                                                      RESERVATION_CLEAR};
    int volume = w->shape.work.reserved;
    for (int a = 0; volume >= 0 && a < 2; a++) {
        bool good = false;
        for (int i = 0; i < 8 && !good; i++)
            good = answered_good(
                w, op_reserve(w->site->clients, actions[a], 0, 0, 0, reservations_key(0, 0)),
                volume, 0);
        if (!good)
            return false;
    }
    return true;
}

static void read_everything(struct swarm *w)
{
    enum { READ_MAX = 256 };
    for (int v = 0; v < w->site->volumes; v++)
        for (uint8_t path = 0; path < w->site->options.switches; path++) {
            const struct site_volume *volume = &w->site->volume[v];
            uint64_t lba = 0;
            uint32_t blocks = READ_MAX;
            while (oracle_next(w->site->oracle, volume->group, volume->volume, &lba, &blocks,
                               volume->scale)) {
                if (!read_again(w, v, lba, blocks, path))
                    failed(w, "a block cannot be read at the end");
                if (!still_right(w))
                    return;
                lba += blocks;
                blocks = READ_MAX;
            }
        }
}

static void final_check(struct swarm *w)
{
    char sentence[200];
    int group;
    if (!clear_reservations(w))
        failed(w, "the reservations cannot be cleared at the end");
    else
        read_everything(w);
    if (!still_right(w))
        return;
    uint64_t until = world_now(w->world) + MS(5000); /* what mirrors hold goes to the drives */
    while (!site_states_equal(w->site, sentence, sizeof sentence) ||
           !site_mirrors_equal(w->site, sentence, sizeof sentence)) {
        if (world_now(w->world) >= until) {
            failed(w, sentence);
            return;
        }
        site_run(w->site, MS(20));
    }
    if (faults_silent_loss(w->faults, &group))
        failed(w, "a group lost its memory and told nobody");
}

/* ---- one history ---- */

static bool comes_up(struct swarm *w)
{
    site_start(w->site);
    if (site_settle(w->site, MS(30000)) && site_create(w->site))
        return true;
    const char *violation = site_violation(w->site);
    failed(w, violation ? violation : "the array does not come up");
    return false;
}

static void tell(struct swarm *w)
{
    const struct swarm_config *config = w->config;
    struct faults_config faults = {.seed = config->seed, .wild = config->wild};
    memcpy(faults.without, config->without, sizeof faults.without);
    faults.gap_ns = config->commands ? MS(1) * w->shape.span_ms / 3 : MS(1200);
    shape_areas(&w->shape, w->site);
    shape_disturb(&w->shape, w->site);
    w->work = workload_new(w->site, &w->shape.work);
    w->faults = faults_new(w->site, &w->shape, &faults);
    w->waits = waits_new(w->site);
    w->causes = causes_new(w->site);
    w->reactions = reactions_new(w->site);
    workload_start(w->work);
    if (safety(w) && liveness(w))
        final_check(w);
    workload_describe(w->work, &w->result->work);
    w->result->verified = oracle_verified(w->site->oracle);
    w->result->judged = reservations_judged(w->site->reservations);
    w->result->faults = faults_count(w->faults);
    w->result->virtual_ns = world_now(w->world) - MS(1000);
    faults_free(w->faults);
    waits_free(w->waits);
    causes_free(w->causes);
    reactions_free(w->reactions);
    workload_free(w->work);
}

void swarm_run(const struct swarm_config *config, struct swarm_result *out)
{
    static struct swarm swarm;
    struct swarm *w = &swarm;
    swarm = (struct swarm){.config = config, .random = {config->seed}, .result = out};
    memset(out, 0, sizeof *out);
    shape_choose(&w->shape, config->seed, config->wild, config->hosts);
    struct site_options *options = &w->shape.options;
    options->world.print = config->print;
    options->world.messages = config->messages;
    if (config->quiet)
        options->world.trace = TRACE_ERROR;
    w->site = site_new(options);
    w->world = w->site->world;
    present = w;
    if (comes_up(w))
        tell(w);
    if (out->failed && !config->quiet)
        return; /* it stays, to be printed */
    present = NULL;
    bool balanced = site_free(w->site);
    if (!balanced && !out->failed) {
        out->failed = true;
        snprintf(out->sentence, sizeof out->sentence, "at the end: payload was not given back");
    }
}
