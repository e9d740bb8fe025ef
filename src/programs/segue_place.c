/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "programs/segue_fleet.h"

/* Of an array that runs as a service: packaging/systemd. */
static const char service_state[] = "/var/lib/segue";

/* What is meant when nothing is named: ./state if it is there, else the service's. */
static const char *by_itself(void)
{
    struct stat found;
    return stat("state", &found) != 0 && stat(service_state, &found) == 0 ? service_state : "state";
}

static const char *named(const struct segue_call *call, const char *file)
{
    const char *state = getenv("SEGUE_STATE");
    if (file)
        return file;
    if (call->flag[SEGUE_FLAG_STATE])
        return call->flag[SEGUE_FLAG_STATE];
    return state && *state ? state : by_itself();
}

static int read_file(const struct segue_call *call, const char *file, const char *state,
                     struct config *config)
{
    char sentence[CONFIG_SENTENCE];
    if (state)
        setenv("SEGUE_STATE", state, 1);
    if (config_read(file, config, sentence, sizeof sentence) == 0)
        return SEGUE_EXIT_DONE;
    return segue_fail(call, SEGUE_EXIT_USAGE, "BAD_CONFIGURATION", NULL, "%s", sentence);
}

static int no_array(const struct segue_call *call, const char *path)
{
    return segue_fail(call, SEGUE_EXIT_UNREACHABLE, "NO_ARRAY",
                      "name its state directory or file with --state, or start one: segue up FILE",
                      "%s is not the state directory of an array that was started here", path);
}

int place_find(const struct segue_call *call, const char *file, struct config *config)
{
    const char *path = named(call, file);
    struct stat found;
    struct fleet fleet;
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode))
        return read_file(call, path, file ? call->flag[SEGUE_FLAG_STATE] : NULL, config);
    char *real = realpath(path, NULL);
    if (!real || !fleet_load(&fleet, real)) {
        free(real);
        return no_array(call, path);
    }
    int code = read_file(call, fleet.file, real, config);
    free(real);
    return code;
}

int place_state(const struct segue_call *call, const char *file, char *out, size_t bytes)
{
    static struct config config;
    const char *path = named(call, file);
    struct stat found;
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode)) {
        int code = place_find(call, file, &config);
        if (code == SEGUE_EXIT_DONE)
            snprintf(out, bytes, "%s", config.state);
        return code;
    }
    char *real = realpath(path, NULL);
    if (!real)
        return no_array(call, path);
    snprintf(out, bytes, "%s", real);
    free(real);
    return SEGUE_EXIT_DONE;
}
