/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

enum {
    WORKER_REGISTER, /* one for each group: their swaps do not wait for each other */
    WORKER_STORE = WORKER_REGISTER + GROUP_MAX,
    WORKER_LOOK, /* of its own: a look at a path on broken storage may hang */
    WORKERS,
    FAILED_MAX = 512,
};
static const uint64_t look_each_ns = 1000000000;
/* No wait is longer, so that "late" can be told from "nothing to do", and ticks come. */
static const uint64_t wait_limit_ns = 20000000;

struct loop {
    struct loop_config config;
    struct trace *trace;
    struct ring ring;
    struct buffer_pool *buffers;
    struct streams *streams;
    struct links *links;
    struct drives *drives;
    struct control_register *reg[GROUP_MAX];
    struct worker *worker[WORKERS];
    struct job failed[FAILED_MAX]; /* that no worker could take */
    uint32_t failed_count;
    int signals;
    struct signalfd_siginfo signal;
    uint64_t turn_ns, next_look_ns;
    uint32_t looks_out;
    struct loop_status status;
};

uint64_t loop_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- making it ---- */

static void await_signal(struct loop *loop)
{
    struct io_uring_sqe *request = ring_request(&loop->ring);
    io_uring_prep_read(request, loop->signals, &loop->signal, sizeof loop->signal, 0);
    ring_tag(request, RING_SIGNAL, 0);
}

static int watch_signals(struct loop *loop)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit for files is an error of the drive, not our end */
    loop->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (loop->signals < 0)
        return -1;
    await_signal(loop);
    return 0;
}

static int make_workers(struct loop *loop)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        bool is_register = i < WORKER_STORE;
        struct control_register *reg = is_register ? loop->reg[i] : NULL;
        if (is_register ? reg == NULL : loop->drives == NULL)
            continue;
        const char *name = is_register ? "register" : i == WORKER_STORE ? "store" : "look";
        loop->worker[i] = worker_new(&loop->ring, i, name, reg);
        if (!loop->worker[i])
            return -1;
    }
    return 0;
}

static int make_parts(struct loop *loop, char *sentence, size_t bytes)
{
    const struct loop_config *config = &loop->config;
    snprintf(sentence, bytes, "no memory, or no thread, for the loop");
    loop->buffers = buffer_pool_new(config->buffer_bytes);
    loop->streams = streams_new(&loop->ring, config->late_ns);
    if (!loop->buffers || !loop->streams || watch_signals(loop))
        return -1;
    if (config->drive_requests_max) {
        loop->drives =
            drives_new(&loop->ring, loop->buffers, config->drive_requests_max, loop->trace);
        if (!loop->drives)
            return -1;
    }
    for (int g = 0; g < GROUP_MAX && config->register_directory; g++) {
        loop->reg[g] = register_open(config->register_directory, sentence, bytes);
        if (!loop->reg[g])
            return -1;
    }
    if (make_workers(loop))
        return -1;
    loop->links = links_new(&config->links, loop->streams, &loop->ring, loop->buffers, loop->trace,
                            sentence, bytes);
    return loop->links ? 0 : -1;
}

struct loop *loop_new(const struct loop_config *config, struct trace *trace, char *sentence,
                      size_t sentence_bytes)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        snprintf(sentence, sentence_bytes, "no memory for the loop");
        return NULL;
    }
    loop->config = *config;
    loop->trace = trace;
    loop->signals = -1;
    loop->turn_ns = loop_now_ns();
    prctl(PR_SET_TIMERSLACK, 1ul);
    if (ring_open(&loop->ring, sentence, sentence_bytes)) {
        free(loop);
        return NULL;
    }
    if (make_parts(loop, sentence, sentence_bytes)) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    for (int i = 0; i < WORKERS; i++)
        if (loop->worker[i])
            worker_free(loop->worker[i]);
    ring_close(&loop->ring); /* nothing may write into what is freed below */
    if (loop->links)
        links_free(loop->links);
    if (loop->streams)
        streams_free(loop->streams);
    if (loop->drives)
        drives_free(loop->drives);
    for (int g = 0; g < GROUP_MAX; g++)
        if (loop->reg[g])
            register_close(loop->reg[g]);
    if (loop->signals >= 0)
        close(loop->signals);
    if (loop->buffers)
        buffer_pool_free(loop->buffers);
    free(loop);
}

struct buffer_pool *loop_buffers(struct loop *loop)
{
    return loop->buffers;
}

struct streams *loop_streams(struct loop *loop)
{
    return loop->streams;
}

struct links *loop_links(struct loop *loop)
{
    return loop->links;
}

struct drives *loop_drives(struct loop *loop)
{
    return loop->drives;
}

void loop_describe(const struct loop *loop, struct loop_status *out)
{
    *out = loop->status;
    out->turns = loop->ring.turns;
    out->requests = loop->ring.requests;
}

/* ---- jobs ---- */

static const uint8_t worker_of_job[] = {
    [JOB_REGISTER_READ] = WORKER_REGISTER,
    [JOB_REGISTER_SWAP] = WORKER_REGISTER,
    [JOB_REGISTER_LIVE] = WORKER_REGISTER,
    [JOB_STORE] = WORKER_STORE,
    [JOB_LOOK] = WORKER_LOOK,
};

static void fail_job(struct loop *loop, const struct job *job)
{
    /* a life that cannot be entered would be taken for dead: better to end it here */
    must(job->kind != JOB_REGISTER_LIVE && loop->failed_count < FAILED_MAX);
    struct job *failed = &loop->failed[loop->failed_count++];
    *failed = *job;
    if (job->kind == JOB_STORE)
        failed->store.error = EAGAIN;
    else
        failed->reg.result = REGISTER_UNKNOWN;
}

void loop_job(struct loop *loop, const struct job *job)
{
    uint32_t number = worker_of_job[job->kind];
    if (number == WORKER_REGISTER) {
        must(job->reg.group < GROUP_MAX);
        number += job->reg.group;
    }
    struct worker *worker = loop->worker[number];
    must(worker != NULL);
    if (!worker_give(worker, job))
        fail_job(loop, job);
}

/* Once a second: are the drives' files still where they were? */
static void look_at_drives(struct loop *loop)
{
    if (!loop->drives || loop->turn_ns < loop->next_look_ns || loop->looks_out)
        return;
    loop->next_look_ns = loop->turn_ns + look_each_ns;
    for (uint32_t i = 0; i < drives_count(loop->drives); i++) {
        struct job job = {.kind = JOB_LOOK, .look.drive = i, .look.fd = drives_fd(loop->drives, i)};
        snprintf(job.look.path, sizeof job.look.path, "%s", drives_path(loop->drives, i));
        if (worker_give(loop->worker[WORKER_LOOK], &job))
            loop->looks_out++;
    }
}

static void looked_at_drive(struct loop *loop, const struct job *job)
{
    uint32_t drive = job->look.drive;
    loop->looks_out--;
    if (drives_fd(loop->drives, drive) >= 0)
        drives_found(loop->drives, drive, job->look.present);
    if (job->look.found >= 0 &&
        !drives_seat(loop->drives, drive, job->look.found, &job->look.facts))
        close(job->look.found); /* the next look finds it again */
}

static bool job_done(struct loop *loop, const struct job *job, struct happening *out)
{
    switch (job->kind) {
    case JOB_LOOK:
        looked_at_drive(loop, job);
        return false;
    case JOB_REGISTER_LIVE:
        return false;
    case JOB_STORE:
        if (job->store.error)
            trace_error(loop->trace, "%s cannot be written: %s", job->store.path,
                        strerror(job->store.error));
        out->kind = HAPPENING_STORED;
        out->job = *job;
        return true;
    case JOB_REGISTER_READ:
    case JOB_REGISTER_SWAP:
        out->kind = HAPPENING_REGISTER;
        out->job = *job;
        return true;
    }
    return false;
}

static bool next_job(struct loop *loop, struct happening *out)
{
    struct job job;
    while (loop->failed_count) {
        job = loop->failed[--loop->failed_count];
        if (job_done(loop, &job, out))
            return true;
    }
    for (int i = 0; i < WORKERS; i++)
        while (loop->worker[i] && worker_take(loop->worker[i], &job))
            if (job_done(loop, &job, out))
                return true;
    return false;
}

/* ---- the turn ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void loop_turn(struct loop *loop, uint64_t wake_ns)
{
    uint64_t now = loop_now_ns();
    if (loop->ring.turns == 0) /* the start of the process is no late turn */
        loop->turn_ns = now;
    look_at_drives(loop);
    streams_flush(loop->streams);
    wake_ns = earlier(wake_ns, links_wake_ns(loop->links));
    uint64_t wait = wake_ns > now ? wake_ns - now : 0;
    ring_turn(&loop->ring, earlier(wait, wait_limit_ns));
    uint64_t before = loop->turn_ns;
    loop->turn_ns = loop_now_ns();
    uint64_t took = loop->turn_ns - before;
    if (took > loop->status.longest_turn_ns)
        loop->status.longest_turn_ns = took;
    streams_tick(loop->streams, loop->turn_ns);
    if (took > loop->config.late_ns) {
        loop->status.late_turns++;
        streams_late(loop->streams);
    }
    links_tick(loop->links, loop->turn_ns);
}

/* False: the stream's owner in this room has taken it. */
static bool stream_happening(struct loop *loop, struct happening *out)
{
    switch (out->stream.use) {
    case STREAM_USE_LINK: {
        struct stream_event event = out->stream;
        links_stream_event(loop->links, &event);
        return false;
    }
    case STREAM_USE_HOST:
        out->kind = HAPPENING_HOST;
        return true;
    case STREAM_USE_CONTROL:
        out->kind = HAPPENING_CONTROL;
        return true;
    }
    return false;
}

/* False: nothing that the node need know. */
static bool completed(struct loop *loop, const struct completion *c, struct happening *out)
{
    switch (c->kind) {
    case RING_STREAM_RECEIVE:
    case RING_STREAM_SEND:
    case RING_STREAM_CONNECT:
    case RING_STREAM_ACCEPT:
        return streams_complete(loop->streams, c, &out->stream) && stream_happening(loop, out);
    case RING_LINK_PEER:
        if (c->result > 0)
            links_peer_exited(loop->links, c->index);
        return false;
    case RING_DRIVE:
        drives_complete(loop->drives, c);
        return false;
    case RING_WORKER:
        worker_complete(loop->worker[c->index]);
        return false;
    case RING_SIGNAL:
        await_signal(loop);
        out->kind = HAPPENING_TERMINATE;
        return true;
    case RING_NOTHING:
        return false;
    }
    return false;
}

/* What the rooms below hold ready. */
static bool ready(struct loop *loop, struct happening *out)
{
    if (links_next(loop->links, &out->link)) {
        out->kind = HAPPENING_LINK;
        return true;
    }
    if (loop->drives && drives_next(loop->drives, &out->drive)) {
        out->kind = HAPPENING_DRIVE;
        return true;
    }
    if (loop->drives && drives_next_tray(loop->drives, &out->tray)) {
        out->kind = HAPPENING_TRAY;
        return true;
    }
    return streams_next_resumed(loop->streams, &out->stream) && stream_happening(loop, out);
}

bool loop_next(struct loop *loop, struct happening *out)
{
    struct completion completion;
    do {
        if (ready(loop, out))
            return true;
        if (!ring_next(&loop->ring, &completion))
            return next_job(loop, out) || ready(loop, out);
    } while (!completed(loop, &completion, out));
    return true;
}
