/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "programs/drill_volume.h"

enum {
    SMALL = 8,     /* blocks of 512: 4 KiB */
    LARGE = 128,   /* 64 KiB */
    ATTEMPTS = 16, /* sendings of one write whose outcomes are not known */
    COMPLAINTS = 20,
    HOT_PLACES = 64,
};

/* A host moves what was under way to another path only after a time that is longer than the stale
 * limit of the interface switches (docs/PROTOCOL.md, "A dead interface switch"). Real hosts wait
 * for seconds. */
static const uint64_t MOVE_NS = 250000000u;
static const uint64_t BUSY_NS = 10000000u;
static const uint64_t NO_PATH_NS = 30000000000u; /* then it is an error above multipath */

enum slot_state { SLOT_IDLE, SLOT_WAITING, SLOT_SENT };

/* One command that the host keeps under way. */
struct slot {
    enum slot_state state;
    uint8_t volume, home;
    bool home_only; /* it is there to test this path */
    enum initiator_op op;
    uint64_t lba;
    uint32_t blocks;
    uint64_t begun_ns, retry_ns;
    uint32_t tries, attempts;
    uint64_t attempt[ATTEMPTS]; /* sequences; the last is the present one */
    struct drill_read read;
    struct initiator_command command;
    uint8_t data[LARGE * DRILL_BLOCK];
};

struct path {
    struct initiator session;
    uint32_t cursor; /* VERIFY */
};

struct drill_load {
    struct drill_load_config config;
    enum drill_load_mode mode;
    uint64_t now_ns, random, sequence;
    uint32_t slots, underway;
    struct slot *slot;
    struct drill_volume volume[DRILL_VOLUMES];
    uint32_t cursor[DRILL_VOLUMES]; /* SCAN, FLUSH */
    struct path path[DRILL_VOLUMES][DRILL_PORTALS];
    struct drill_counts counts;
    struct drill_series series;
    uint32_t complaints;
    char complaint[COMPLAINTS][480];
    char problem[200];
};

static uint64_t random_next(struct drill_load *x)
{
    x->random ^= x->random >> 12;
    x->random ^= x->random << 25;
    x->random ^= x->random >> 27;
    return x->random * 0x2545F4914F6CDD1Du;
}

static char *complain(struct drill_load *x)
{
    static char nowhere[480];
    return x->complaints < COMPLAINTS ? x->complaint[x->complaints++] : nowhere;
}

/* ---- making and ending ---- */

static bool init_parts(struct drill_load *x)
{
    const struct drill_load_config *c = &x->config;
    char name[64];
    snprintf(name, sizeof name, "iqn.2026-11.segue:drill-%08x", (unsigned)(c->seed & 0xFFFFFFFFu));
    for (uint8_t v = 0; v < c->volumes; v++) {
        if (!drill_volume_init(&x->volume[v], c->volume[v].name, v, c->run,
                               (uint32_t)(c->area_bytes / DRILL_BLOCK)))
            return false;
        for (uint8_t p = 0; p < c->portals; p++)
            initiator_init(&x->path[v][p].session, name, c->portal[p], c->target, c->volume[v].lun,
                           (uint32_t)(c->seed >> 8) + v * 16u + p);
    }
    x->slots = c->depth * c->volumes * c->portals;
    x->slot = calloc(x->slots, sizeof *x->slot);
    if (!x->slot)
        return false;
    for (uint32_t i = 0; i < x->slots; i++) {
        x->slot[i].volume = (uint8_t)(i % c->volumes);
        x->slot[i].home = (uint8_t)(i / c->volumes % c->portals);
        list_init(&x->slot[i].read.link);
    }
    return true;
}

struct drill_load *drill_load_new(const struct drill_load_config *config, uint64_t now_ns)
{
    struct drill_load *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->config = *config;
    x->config.area_bytes -= x->config.area_bytes % ((uint64_t)LARGE * DRILL_BLOCK);
    x->random = config->seed | 1;
    drill_series_init(&x->series, now_ns);
    if (!init_parts(x)) {
        drill_load_free(x);
        return NULL;
    }
    return x;
}

void drill_load_free(struct drill_load *x)
{
    if (!x)
        return;
    for (uint8_t v = 0; v < x->config.volumes; v++) {
        for (uint8_t p = 0; p < x->config.portals; p++)
            if (x->path[v][p].session.iscsi)
                initiator_close(&x->path[v][p].session);
        drill_volume_free(&x->volume[v]);
    }
    drill_series_free(&x->series);
    free(x->slot);
    free(x);
}

/* ---- what to do next ---- */

static void choose_mix(struct drill_load *x, struct slot *s)
{
    uint64_t r = random_next(x);
    uint32_t areas = x->volume[s->volume].blocks / SMALL;
    s->blocks = r % 20 == 0 ? LARGE : SMALL;
    r >>= 8;
    /* Some places are written again and again, so that writes of both paths meet. */
    uint32_t place = r % 10 == 0 ? (uint32_t)((r >> 8) % HOT_PLACES) : (uint32_t)((r >> 8) % areas);
    s->lba = (uint64_t)place * SMALL;
    if (s->lba + s->blocks > x->volume[s->volume].blocks)
        s->lba = x->volume[s->volume].blocks - s->blocks;
    r = random_next(x);
    s->op = r % 100 < x->config.read_percent ? INITIATOR_READ : INITIATOR_WRITE;
    if (r >> 32 & 0xFFF) /* else, now and then: */
        return;
    s->op = INITIATOR_FLUSH;
    s->blocks = 0;
}

/* Reading it all, a large piece at a time. False: it is all under way or read. */
static bool choose_next_piece(const struct drill_load *x, struct slot *s, uint32_t *cursor)
{
    if (*cursor >= x->volume[s->volume].blocks)
        return false;
    s->op = INITIATOR_READ;
    s->lba = *cursor;
    s->blocks = LARGE;
    *cursor += LARGE;
    return true;
}

static bool choose(struct drill_load *x, struct slot *s)
{
    s->home_only = false;
    switch (x->mode) {
    case DRILL_MODE_IDLE:
        return false;
    case DRILL_MODE_SCAN:
        return choose_next_piece(x, s, &x->cursor[s->volume]);
    case DRILL_MODE_MIX:
        choose_mix(x, s);
        return true;
    case DRILL_MODE_VERIFY:
        s->home_only = true;
        return choose_next_piece(x, s, &x->path[s->volume][s->home].cursor);
    case DRILL_MODE_FLUSH:
        s->op = INITIATOR_FLUSH;
        s->lba = s->blocks = 0;
        return x->cursor[s->volume]++ == 0;
    }
    return false;
}

/* ---- sending ---- */

static struct initiator *session_for(struct drill_load *x, const struct slot *s)
{
    for (uint8_t i = 0; i < (s->home_only ? 1 : x->config.portals); i++) {
        struct initiator *session = &x->path[s->volume][(s->home + i) % x->config.portals].session;
        if (session->state == INITIATOR_STATE_UP)
            return session;
    }
    return NULL;
}

static void slot_end(struct drill_load *x, struct slot *s)
{
    s->state = SLOT_IDLE;
    x->underway--;
}

static void slot_error(struct drill_load *x, struct slot *s, const char *why)
{
    const struct initiator_command *c = &s->command;
    x->counts.errors++;
    snprintf(complain(x), sizeof x->complaint[0],
             "volume %s: %s of block %" PRIu64
             ": %s (status %02x sense %x/%02x/%02x) after %" PRIu64 " ms",
             x->volume[s->volume].name, s->op == INITIATOR_READ ? "read" : "write", s->lba, why,
             c->status, c->sense_key, c->asc_ascq >> 8, c->asc_ascq & 0xFF,
             (x->now_ns - s->begun_ns) / 1000000);
    slot_end(x, s);
}

/* Each sending of a write whose earlier one may yet have been carried out is a write of its own:
 * another write may have come between the two. */
static bool stamp(struct drill_load *x, struct slot *s)
{
    if (s->attempts == ATTEMPTS)
        return false;
    s->attempt[s->attempts++] = ++x->sequence;
    return drill_volume_write(&x->volume[s->volume], s->lba, s->data, s->blocks, x->sequence,
                              s->home);
}

static void slot_send(struct drill_load *x, struct slot *s, bool anew)
{
    struct initiator *session = session_for(x, s);
    if (!session) {
        s->retry_ns = x->now_ns + BUSY_NS;
        if (x->now_ns > s->begun_ns + NO_PATH_NS)
            slot_error(x, s, "no path");
        return;
    }
    if (s->op == INITIATOR_WRITE && anew && !stamp(x, s)) {
        slot_error(x, s, "was sent too often");
        return;
    }
    uint32_t factor = session->block_bytes / DRILL_BLOCK;
    s->command = (struct initiator_command){
        .op = s->op,
        .lba = s->lba / factor,
        .blocks = s->blocks / factor,
        .data = s->data,
        .user = s,
    };
    if (s->op == INITIATOR_READ)
        drill_history_read_begin(x->volume[s->volume].history, &s->read);
    s->state = SLOT_SENT;
    if (!initiator_submit(session, &s->command, x->now_ns)) {
        s->state = SLOT_WAITING;
        s->retry_ns = x->now_ns + BUSY_NS;
        drill_history_read_end(x->volume[s->volume].history, &s->read);
    }
}

static void slot_begin(struct drill_load *x, struct slot *s)
{
    s->begun_ns = x->now_ns;
    s->retry_ns = 0;
    s->tries = s->attempts = 0;
    s->state = SLOT_WAITING;
    x->underway++;
    slot_send(x, s, true);
}

/* ---- answers ---- */

static void judge(struct drill_load *x, struct slot *s, uint64_t end)
{
    struct drill_volume *v = &x->volume[s->volume];
    char sentence[256];
    if (x->mode == DRILL_MODE_SCAN) {
        x->counts.foreign += drill_volume_learn(v, s->lba, s->data, s->blocks);
        return;
    }
    uint32_t wrong =
        drill_volume_judge(v, s->lba, s->data, s->blocks, &s->read, end, sentence, sizeof sentence);
    x->counts.verified += s->blocks;
    x->counts.wrong += wrong;
    if (wrong)
        snprintf(complain(x), sizeof x->complaint[0],
                 "%s; read of %" PRIu32 " blocks at %" PRIu64 " through %s, %" PRIu64
                 " ms after it was sent",
                 sentence, s->blocks, s->lba, s->command.owner->portal,
                 (s->command.done_ns - s->command.sent_ns) / 1000000);
}

static void slot_good(struct drill_load *x, struct slot *s)
{
    struct drill_volume *v = &x->volume[s->volume];
    uint64_t end = drill_history_tick(v->history);
    switch (s->op) {
    case INITIATOR_READ:
        judge(x, s, end);
        x->counts.reads++;
        break;
    case INITIATOR_WRITE:
        for (uint32_t i = 0; i < s->attempts; i++)
            drill_volume_written(v, s->lba, s->blocks, s->attempt[i], end);
        x->counts.writes++;
        break;
    case INITIATOR_FLUSH:
        x->counts.flushes++;
        break;
    }
    x->counts.bytes += (uint64_t)s->blocks * DRILL_BLOCK;
    /* A flush takes as long as the drives' own; it is no pause. */
    if (x->mode == DRILL_MODE_MIX && s->op != INITIATOR_FLUSH)
        drill_series_note(&x->series, x->config.volume[s->volume].group, s->begun_ns,
                          s->command.done_ns);
    slot_end(x, s);
}

/* `most`: how often a host asks again before it calls it an error. */
static void slot_again(struct drill_load *x, struct slot *s, uint64_t after_ns, uint32_t most,
                       uint64_t *count)
{
    (*count)++;
    s->state = SLOT_WAITING;
    s->retry_ns = x->now_ns + after_ns;
    if (++s->tries > most)
        slot_error(x, s, initiator_result_name(s->command.result));
}

static void slot_came(struct drill_load *x, struct slot *s)
{
    /* The read is over in any case; judged as one that lasted until now. */
    switch (s->command.result) {
    case INITIATOR_GOOD:
        slot_good(x, s);
        break;
    case INITIATOR_LOST:
        slot_again(x, s, MOVE_NS, 10, &x->counts.lost);
        break;
    case INITIATOR_ATTENTION:
        slot_again(x, s, 0, 10, &x->counts.attentions);
        break;
    case INITIATOR_BUSY:
        slot_again(x, s, BUSY_NS, 3000, &x->counts.busy);
        break;
    case INITIATOR_ABORTED:
        slot_again(x, s, 0, 5, &x->counts.aborted);
        break;
    case INITIATOR_FAILED:
        slot_error(x, s, "failed");
        break;
    }
    drill_history_read_end(x->volume[s->volume].history, &s->read);
}

/* ---- turning ---- */

uint32_t drill_load_poll(const struct drill_load *x, struct pollfd *entries)
{
    uint32_t count = 0;
    for (uint8_t v = 0; v < x->config.volumes; v++)
        for (uint8_t p = 0; p < x->config.portals; p++)
            initiator_poll(&x->path[v][p].session, &entries[count++]);
    return count;
}

static void take_answers(struct drill_load *x, struct initiator *session)
{
    struct initiator_command *c;
    while ((c = initiator_next_done(session)))
        slot_came(x, c->user);
}

static void send_all(struct drill_load *x)
{
    for (uint32_t i = 0; i < x->slots; i++) {
        struct slot *s = &x->slot[i];
        if (s->state == SLOT_WAITING && x->now_ns >= s->retry_ns) {
            bool ran =
                s->command.result == INITIATOR_LOST || s->command.result == INITIATOR_ABORTED;
            slot_send(x, s, s->attempts == 0 || ran);
        } else if (s->state == SLOT_IDLE && choose(x, s)) {
            slot_begin(x, s);
        }
    }
}

void drill_load_step(struct drill_load *x, const struct pollfd *entries, uint32_t count,
                     uint64_t now_ns)
{
    x->now_ns = now_ns;
    x->counts.path_drops = x->counts.ping_drops = 0;
    for (uint32_t i = 0; i < (uint32_t)x->config.volumes * x->config.portals; i++) {
        struct initiator *session = &x->path[i / x->config.portals][i % x->config.portals].session;
        if (i < count)
            initiator_event(session, entries[i].revents, now_ns);
        initiator_step(session, now_ns);
        take_answers(x, session);
        x->counts.path_drops += session->drops;
        x->counts.ping_drops += session->ping_drops;
    }
    send_all(x);
    for (uint32_t i = 0; i < (uint32_t)x->config.volumes * x->config.portals; i++) {
        struct initiator *session = &x->path[i / x->config.portals][i % x->config.portals].session;
        initiator_push(session, now_ns);
        take_answers(x, session);
    }
}

bool drill_load_connected(const struct drill_load *x)
{
    return !drill_load_waiting_for(x);
}

const char *drill_load_waiting_for(const struct drill_load *x)
{
    static char text[300];
    for (uint8_t v = 0; v < x->config.volumes; v++)
        for (uint8_t p = 0; p < x->config.portals; p++) {
            const struct initiator *session = &x->path[v][p].session;
            if (session->state == INITIATOR_STATE_UP)
                continue;
            snprintf(text, sizeof text, "volume %s through %s: %s", x->config.volume[v].name,
                     session->portal, *session->why ? session->why : "connecting");
            return text;
        }
    return NULL;
}

const char *drill_load_problem(const struct drill_load *x)
{
    static char text[300];
    for (uint8_t v = 0; v < x->config.volumes; v++) {
        const struct initiator *a = &x->path[v][0].session;
        if (a->block_bytes != 512 && a->block_bytes != 4096)
            snprintf(text, sizeof text, "volume %s has blocks of %" PRIu32 " bytes",
                     x->config.volume[v].name, a->block_bytes);
        else if (a->blocks * a->block_bytes < x->config.area_bytes)
            snprintf(text, sizeof text, "volume %s is smaller than the area of %" PRIu64 " MiB",
                     x->config.volume[v].name, x->config.area_bytes >> 20);
        else
            continue;
        return text;
    }
    return NULL;
}

void drill_load_begin(struct drill_load *x, enum drill_load_mode mode)
{
    x->mode = mode;
    for (uint8_t v = 0; v < x->config.volumes; v++) {
        x->cursor[v] = 0;
        for (uint8_t p = 0; p < x->config.portals; p++)
            x->path[v][p].cursor = 0;
    }
}

bool drill_load_is_over(const struct drill_load *x)
{
    if (x->underway)
        return false;
    for (uint8_t v = 0; v < x->config.volumes; v++) {
        if (x->mode == DRILL_MODE_SCAN && x->cursor[v] < x->volume[v].blocks)
            return false;
        if (x->mode == DRILL_MODE_FLUSH && !x->cursor[v])
            return false;
        for (uint8_t p = 0; p < x->config.portals; p++)
            if (x->mode == DRILL_MODE_VERIFY && x->path[v][p].cursor < x->volume[v].blocks)
                return false;
    }
    return true;
}

void drill_load_counts(const struct drill_load *x, struct drill_counts *out)
{
    *out = x->counts;
}

const struct drill_series *drill_load_series(const struct drill_load *x)
{
    return &x->series;
}

const char *drill_load_complaint(const struct drill_load *x, uint32_t i)
{
    return i < x->complaints ? x->complaint[i] : NULL;
}
