/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "api/api_server.h"
#include "api/api_state.h"

/* The life of the management process. */

enum { EXIT_REFUSED = 2, NICE = 10 };

/* The first administrator is made by whoever can read what this process says, and only by him. */
static void say_setup(const struct api *api, const char *fingerprint)
{
    char secret[USERS_TOKEN_BYTES];
    for (int i = 0; i < api->config->api.listens; i++)
        printf("segue api: https://%s/ (certificate SHA-256 %s)\n", api->config->api.listen[i],
               fingerprint);
    printf("segue api: %s/run/api.http\n", api->config->state);
    if (api->config->api.listens && users_setup_secret(api->config, secret))
        printf("segue api: nobody can log in yet; the first administrator is made, once, at\n"
               "  https://%s/setup#%s\n",
               api->config->api.listen[0], secret);
    fflush(stdout);
}

static void wait_for_end(const sigset_t *set)
{
    int signal;
    while (sigwait(set, &signal) != 0)
        ;
}

static int begin(struct api *api, const sigset_t *set, char *sentence, size_t bytes)
{
    char *certificate = NULL, *key = NULL, fingerprint[96];
    struct api_server *server = NULL;
    int code = EXIT_REFUSED;
    snprintf(sentence, bytes, "no memory");
    if (!api_tls_read(api->config, &certificate, &key, fingerprint, sentence, bytes)) {
        free(certificate);
        return EXIT_REFUSED;
    }
    if (api_caller_begin(api) && api_stream_begin(api) && api_verbs_begin(api) &&
        (api->watch = api_watch_new(api, sentence, bytes)) &&
        (server = api_server_new(api, certificate, key, sentence, bytes))) {
        api_journal(api, "process name=api state=up pid=%d", (int)getpid());
        say_setup(api, fingerprint);
        wait_for_end(set);
        api_journal(api, "process name=api state=stops pid=%d", (int)getpid());
        api_stream_stop(api);
        api_server_free(server);
        code = 0;
    }
    if (api->watch)
        api_watch_free(api->watch);
    free(certificate);
    free(key);
    return code;
}

int api_run(const struct api_setup *setup, char *sentence, size_t bytes)
{
    sigset_t set;
    struct api *api = calloc(1, sizeof *api);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    umask(027);
    setpriority(PRIO_PROCESS, 0, NICE); /* the data path goes first */
    if (!api) {
        snprintf(sentence, bytes, "no memory");
        return EXIT_REFUSED;
    }
    api->setup = setup;
    api->config = setup->config;
    api_routes_make(api);
    int code = begin(api, &set, sentence, bytes);
    free(api);
    return code;
}
