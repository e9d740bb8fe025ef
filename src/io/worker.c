/* SPDX-License-Identifier: Apache-2.0 */
#include "io/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "io/store.h"

enum { JOBS_MAX = 256 };

/* Jobs in order: done and not yet taken, then under way, then to be done. */
struct worker {
    struct ring *ring;
    uint32_t index;
    struct control_register *reg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct job job[JOBS_MAX];
    uint32_t first, done, count;
    bool ending;
    int event;
    uint64_t event_value; /* read by the ring */
};

/* ---- the jobs; on the thread ---- */

static void compare(struct job *job)
{
    struct stat opened, found;
    if (job->look.fd < 0 || fstat(job->look.fd, &opened))
        job->look.present = false;
    else if (stat(job->look.path, &found))
        job->look.present = errno != ENOENT && errno != ENOTDIR; /* in doubt it is there */
    else if (S_ISBLK(opened.st_mode))
        job->look.present = S_ISBLK(found.st_mode) && found.st_rdev == opened.st_rdev;
    else
        job->look.present = found.st_ino == opened.st_ino && found.st_dev == opened.st_dev;
}

static void look_at(struct job *job)
{
    compare(job);
    job->look.found = job->look.present ? -1 : drives_look(job->look.path, &job->look.facts);
}

static void do_job(struct worker *worker, struct job *job)
{
    struct record wanted;
    switch (job->kind) {
    case JOB_REGISTER_READ:
        job->reg.result =
            register_read(worker->reg, job->reg.group, &job->reg.record, &job->reg.living);
        return;
    case JOB_REGISTER_SWAP:
        wanted = job->reg.record;
        job->reg.result = register_swap(worker->reg, &wanted, &job->reg.record);
        return;
    case JOB_REGISTER_LIVE:
        register_live(worker->reg, job->reg.group, job->reg.member);
        return;
    case JOB_STORE:
        errno = 0;
        job->store.error = 0;
        if (!store_put(job->store.path, job->store.bytes, job->store.length))
            job->store.error = errno ? errno : EIO; /* damaged, or written in part: no error says */
        return;
    case JOB_LOOK:
        look_at(job);
        return;
    }
}

/* What may follow once the answer is out. */
static void tidy_up(struct worker *worker, const struct job *job)
{
    if (job->kind == JOB_REGISTER_SWAP)
        register_prepare(worker->reg, job->reg.group);
    if (job->kind == JOB_REGISTER_SWAP && job->reg.result == REGISTER_OK)
        register_prune(worker->reg, job->reg.group);
    if (job->kind == JOB_STORE && job->store.error == 0)
        store_settle(job->store.path);
    if (job->kind == JOB_REGISTER_LIVE)
        register_prepare(worker->reg, job->reg.group);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (worker->done == worker->count && !worker->ending)
            pthread_cond_wait(&worker->given, &worker->lock);
        if (worker->ending)
            break;
        struct job job = worker->job[(worker->first + worker->done) % JOBS_MAX];
        pthread_mutex_unlock(&worker->lock);
        do_job(worker, &job);
        pthread_mutex_lock(&worker->lock);
        worker->job[(worker->first + worker->done++) % JOBS_MAX] = job;
        pthread_mutex_unlock(&worker->lock);
        uint64_t one = 1;
        ssize_t written = write(worker->event, &one, sizeof one);
        must(written == sizeof one);
        tidy_up(worker, &job);
        pthread_mutex_lock(&worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* ---- the loop's side ---- */

static void await_event(struct worker *worker)
{
    struct io_uring_sqe *request = ring_request(worker->ring);
    io_uring_prep_read(request, worker->event, &worker->event_value, sizeof worker->event_value, 0);
    ring_tag(request, RING_WORKER, worker->index);
}

/* Signals are for the loop, not for this thread. */
static int start_thread(struct worker *worker, const char *name)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -1;
    pthread_setname_np(worker->thread, name);
    return 0;
}

struct worker *worker_new(struct ring *ring, uint32_t index, const char *name,
                          struct control_register *reg)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    worker->ring = ring;
    worker->index = index;
    worker->reg = reg;
    worker->event = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->given, NULL);
    if (worker->event < 0 || start_thread(worker, name)) {
        free(worker);
        return NULL;
    }
    await_event(worker);
    return worker;
}

void worker_free(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_cond_signal(&worker->given);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    close(worker->event);
    free(worker);
}

bool worker_give(struct worker *worker, const struct job *job)
{
    pthread_mutex_lock(&worker->lock);
    bool room = worker->count < JOBS_MAX;
    if (room) {
        worker->job[(worker->first + worker->count++) % JOBS_MAX] = *job;
        pthread_cond_signal(&worker->given);
    }
    pthread_mutex_unlock(&worker->lock);
    return room;
}

void worker_complete(struct worker *worker)
{
    await_event(worker);
}

bool worker_take(struct worker *worker, struct job *out)
{
    pthread_mutex_lock(&worker->lock);
    bool some = worker->done > 0;
    if (some) {
        *out = worker->job[worker->first];
        worker->first = (worker->first + 1) % JOBS_MAX;
        worker->done--;
        worker->count--;
    }
    pthread_mutex_unlock(&worker->lock);
    return some;
}
