/* SPDX-License-Identifier: Apache-2.0 */
#include "node/reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* `result` is the thread's while READING, the loop's otherwise. */
enum { IDLE, READING, READ };

struct reload {
    const struct config *config;
    atomic_int state;
    struct reload_result result;
};

struct reload *reload_new(const struct config *config)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (reload)
        reload->config = config;
    return reload;
}

void reload_free(struct reload *reload)
{
    if (!reload || atomic_load(&reload->state) == READING)
        return;
    reload_wipe(&reload->result);
    free(reload);
}

void reload_wipe(struct reload_result *result)
{
    explicit_bzero(result, sizeof *result);
}

static void *run(void *argument)
{
    struct reload *reload = argument;
    struct reload_result *result = &reload->result;
    result->good = config_read_secrets(reload->config, &result->secrets, result->sentence,
                                       sizeof result->sentence) == 0;
    atomic_store(&reload->state, READ);
    return NULL;
}

bool reload_begin(struct reload *reload, uint8_t part, uint64_t tag)
{
    if (atomic_load(&reload->state) != IDLE)
        return false;
    pthread_t thread;
    sigset_t all, before;
    reload->result = (struct reload_result){.part = part, .tag = tag};
    atomic_store(&reload->state, READING);
    sigfillset(&all); /* signals are for the loop */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&thread, NULL, run, reload);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        atomic_store(&reload->state, IDLE);
        return false;
    }
    pthread_detach(thread);
    return true;
}

bool reload_take(struct reload *reload, struct reload_result *out)
{
    if (atomic_load(&reload->state) != READ)
        return false;
    *out = reload->result;
    reload_wipe(&reload->result);
    atomic_store(&reload->state, IDLE);
    return true;
}
