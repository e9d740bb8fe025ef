/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "manage/quantity.h"
#include "manage/status.h"
#include "manage/status_json.h"
#include "manage/users.h"
#include "programs/segue_request.h"
#include "programs/segue_state.h"
#include "programs/segue_up.h"

/* What `segue up` tells, and its one errand: create:. */

static void clear_line(const struct up *up)
{
    if (up->terminal)
        printf("\r\033[K");
}

void up_show(struct up *up, const char *format, ...)
{
    char line[sizeof up->progress];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (strcmp(line, up->progress) == 0)
        return;
    snprintf(up->progress, sizeof up->progress, "%s", line);
    clear_line(up);
    printf(up->terminal ? "%.79s" : "%s\n", line);
    fflush(stdout);
}

void up_say(struct up *up, const char *format, ...)
{
    va_list arguments;
    time_t now = time(NULL);
    struct tm parts;
    char clock[16];
    localtime_r(&now, &parts);
    strftime(clock, sizeof clock, "%H:%M:%S", &parts);
    clear_line(up);
    up->progress[0] = 0;
    printf("%s  ", clock);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* The volume's number, which the answer to its creation gave. */
static uint16_t volume_of(const struct up *up, const struct manage_request *map)
{
    for (uint16_t i = 0; i < up->config.creates; i++) {
        const struct manage_request *made = &up->config.create[i].request;
        if (made->verb == MANAGE_VOLUME_CREATE && memcmp(made->uuid, map->uuid, 16) == 0)
            return up->volume[i];
    }
    return 0;
}

static const char *object_of(const struct manage_request *request)
{
    return request->name[0] ? request->name : request->host;
}

/* What could be made is served; the rest is tried again at the next start. */
static bool fail_create(struct up *up, const struct manage_request *request, const char *why)
{
    static const char *const words[] = {[MANAGE_POOL_CREATE] = "create pool",
                                        [MANAGE_VOLUME_CREATE] = "create volume",
                                        [MANAGE_MAP] = "map volume",
                                        [MANAGE_HOST_CREATE] = "create host",
                                        [MANAGE_HOST_ADD] = "add an initiator to host"};
    clear_line(up);
    up->code = segue_fail(NULL, SEGUE_EXIT_FAILED, "CREATE_FAILED",
                          "correct create: in the file and start again; what was made stays",
                          "cannot %s %s: %s", words[request->verb], object_of(request), why);
    return true;
}

static bool end_create(struct up *up)
{
    if (!state_set_created(up->config.state))
        up_say(up, "%s takes no new file: create: will be carried out again at the next start",
               up->config.state);
    return true;
}

bool up_create_step(struct up *up)
{
    enum { TRY_MS = 10000 };
    char text[REQUEST_TEXT];
    if (up->next == up->config.creates)
        return end_create(up);
    uint16_t i = up->next;
    struct manage_request request = up->config.create[i].request;
    if (request.verb == MANAGE_MAP)
        request.volume = volume_of(up, &request);
    up_show(up, "creating %s (%u of %u)", object_of(&request), i + 1u, up->config.creates);
    switch (request_send(&up->config, up->config.create[i].group, &request, TRY_MS, text,
                         sizeof text)) {
    case REQUEST_GOOD:
        if (request.verb == MANAGE_VOLUME_CREATE) {
            unsigned volume = 0;
            if (sscanf(text, "volume=%u", &volume) == 1)
                up->volume[i] = (uint16_t)volume;
        }
        up->next++;
        return false;
    case REQUEST_REFUSED:
        return fail_create(up, &request, text);
    case REQUEST_UNKNOWN:
    case REQUEST_UNREACHABLE:
        up_show(up, "creating %s: no answer yet, asking again", object_of(&request));
        return false;
    }
    return false;
}

static void print_portals(const struct config *config)
{
    printf("  portals   ");
    for (int s = 0; s < config->switches; s++)
        for (int p = 0; p < config->iswitch[s].portals; p++)
            printf("%s%s (%s)", s + p ? "  " : "", config->iswitch[s].announce[p],
                   config->iswitch[s].name);
    printf("\n  target    %s\n", config->target);
}

static void print_groups(const json_t *status)
{
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        char in_sync[96];
        status_list_text(json_object_get(group, "in_sync"), ", ", in_sync, sizeof in_sync);
        printf("  %-8s  primary %s, in sync %s, epoch %" PRIu64 "\n", status_text_of(group, "name"),
               status_text_of(group, "primary"), in_sync, status_number_of(group, "epoch"));
    }
}

static void print_volumes(const json_t *status)
{
    size_t i;
    json_t *volume;
    json_array_foreach(json_object_get(status, "volumes"), i, volume)
    {
        char size[32];
        const json_t *lun = json_object_get(volume, "lun");
        quantity_size_text(status_number_of(volume, "size_bytes"), size, sizeof size);
        printf("  volume    %s  %s in %s, group %s, ", status_text_of(volume, "name"), size,
               status_text_of(volume, "pool"), status_text_of(volume, "group"));
        if (json_is_integer(lun))
            printf("LUN %" PRId64 "\n", (int64_t)json_integer_value(lun));
        else
            printf("no LUN\n");
    }
}

/* Also where the first administrator is made: whoever started the array may. */
static void print_api(const struct config *config)
{
    char secret[USERS_TOKEN_BYTES];
    if (!config->api.listens)
        return;
    printf("  api       https://%s/\n", config->api.listen[0]);
    if (users_setup_secret(config, secret))
        printf("            nobody can log in yet; the first administrator is made, once, at\n"
               "            https://%s/setup#%s\n",
               config->api.listen[0], secret);
}

void up_summary(struct up *up, const json_t *status)
{
    const struct config *config = &up->config;
    char took[32];
    clear_line(up);
    up->progress[0] = 0;
    quantity_time_text(fleet_now_ns() - up->begun_ns, took, sizeof took);
    size_t running = fleet_running(&up->fleet);
    printf("array %s serves, after %s: %zu process%s\n", config->array, took, running,
           running == 1 ? "" : "es");
    print_groups(status);
    print_portals(config);
    print_volumes(status);
    print_api(config);
    printf("  state     %s\n", config->state);
    printf("how it is: segue status --state %s\n", config->state);
    printf("to stop it in order: %ssegue down --state %s\n", up->ready_fd < 0 ? "Ctrl-C, or " : "",
           config->state);
    fflush(stdout);
}
