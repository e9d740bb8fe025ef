/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "manage/status_json.h"
#include "manage/table.h"
#include "programs/segue_objects.h"

/* segue host ...: which initiators there are, and which LUNs each has. */

/* "a, b" of a list, of its texts or of a key of its maps. */
static void list_text(const json_t *list, const char *key, char *out, size_t bytes)
{
    size_t i, used = 0;
    json_t *entry;
    snprintf(out, bytes, "-");
    json_array_foreach(list, i, entry)
    {
        char number[16];
        const json_t *value = key ? json_object_get(entry, key) : entry;
        snprintf(number, sizeof number, "%" PRId64, (int64_t)json_integer_value(value));
        const char *text = json_is_integer(value) ? number : json_string_value(value);
        int length = snprintf(out + used, bytes - used, "%s%s", i ? "," : "", text ? text : "?");
        if (length < 0 || (size_t)length >= bytes - used)
            return;
        used += (size_t)length;
    }
}

static void luns_text(const json_t *luns, char *out, size_t bytes)
{
    size_t i, used = 0;
    json_t *entry;
    snprintf(out, bytes, "-");
    json_array_foreach(luns, i, entry)
    {
        int length = snprintf(out + used, bytes - used, "%s%" PRIu64 "=%s", i ? " " : "",
                              status_number_of(entry, "lun"), status_text_of(entry, "name"));
        if (length < 0 || (size_t)length >= bytes - used)
            return;
        used += (size_t)length;
    }
}

int segue_host_list(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    if (!o)
        return code;
    const json_t *hosts = json_object_get(o->status, "hosts");
    if (json_array_size(hosts) == 0 && !segue_wants_json(call)) {
        printf("no hosts: every initiator sees every volume that has a LUN\n");
        return objects_close(o, SEGUE_EXIT_DONE);
    }
    struct table *table = table_new("HOST|CHAP USER|LUNS|INITIATORS");
    size_t i;
    json_t *host;
    json_array_foreach(hosts, i, host)
    {
        char initiators[1024], luns[1024];
        list_text(json_object_get(host, "initiators"), NULL, initiators, sizeof initiators);
        luns_text(json_object_get(host, "luns"), luns, sizeof luns);
        const char *user = status_text_of(host, "chap_user");
        const char *cells[] = {status_text_of(host, "name"), *user ? user : "-", luns, initiators};
        table_row(table, cells);
    }
    return objects_list_end(o, "hosts", table);
}

/* One initiator of "a,b" after the other, in small letters. False: there is no more. */
static bool next_initiator(const char **list, char out[INITIATOR_BYTES])
{
    size_t length = strcspn(*list, ",");
    if (length == 0)
        return false;
    for (size_t i = 0; i < INITIATOR_BYTES; i++) {
        char c = i < length ? (*list)[i] : 0;
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
    }
    out[INITIATOR_BYTES - 1] = 0;
    *list += length + ((*list)[length] == ',');
    return true;
}

static bool list_has(const char *list, const char *initiator)
{
    char one[INITIATOR_BYTES];
    while (next_initiator(&list, one))
        if (strcmp(one, initiator) == 0)
            return true;
    return false;
}

/* The first host takes the volumes away from everybody else: are there any? */
static int confirm_first(struct objects *o, const char *list)
{
    const char *name = o->call->argument[0];
    size_t s, i, others = 0;
    json_t *entry, *session;
    if (json_array_size(json_object_get(o->status, "hosts")) > 0)
        return SEGUE_EXIT_DONE;
    json_array_foreach(json_object_get(o->status, "switches"), s, entry)
        json_array_foreach(json_object_get(entry, "sessions"), i, session) others +=
        !list_has(list, status_text_of(session, "initiator"));
    char doing[160];
    snprintf(
        doing, sizeof doing,
        "ends %zu sessions of other initiators: with the first host the volumes belong to hosts",
        others);
    return others ? objects_confirm(o->call, doing, name) : SEGUE_EXIT_DONE;
}

static int send_host(struct objects *o, struct manage_request *request, const char *doing)
{
    request->group = (uint8_t)objects_owner(o);
    return objects_send(o, request->group, request, doing);
}

static bool name_host(struct objects *o, struct manage_request *request)
{
    const char *name = o->call->argument[0];
    if (strlen(name) >= NAME_BYTES) {
        segue_fail(o->call, SEGUE_EXIT_USAGE, "USAGE", "choose a shorter one",
                   "a host's name has at most %d characters", NAME_BYTES - 1);
        return false;
    }
    snprintf(request->host, sizeof request->host, "%s", name);
    return true;
}

/* --chap-user: "none" takes it away. False: said. */
static bool take_user(struct objects *o, struct manage_request *request)
{
    const char *user = o->call->flag[SEGUE_FLAG_CHAP_USER];
    if (!user || strcmp(user, "none") == 0)
        return true;
    if (strlen(user) >= sizeof request->user) {
        segue_fail(o->call, SEGUE_EXIT_USAGE, "USAGE", "choose a shorter one",
                   "a CHAP name has at most %d characters", SECRET_NAME_BYTES - 1);
        return false;
    }
    snprintf(request->user, sizeof request->user, "%s", user);
    for (uint8_t i = 0; i < o->config.chap.users; i++)
        if (strcmp(o->config.chap.user[i].name, user) == 0)
            return true;
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_USER",
               "name it and the file of its secret in chap.users, and start the switches again",
               "%s has no CHAP user %.60s", o->config.file, user);
    return false;
}

/* The further initiators of the list, each by `verb`. */
static int send_initiators(struct objects *o, const char *list, enum manage_verb verb)
{
    struct manage_request request = {.verb = (uint8_t)verb};
    char doing[320];
    int code = SEGUE_EXIT_DONE;
    snprintf(request.host, sizeof request.host, "%s", o->call->argument[0]);
    while (code == SEGUE_EXIT_DONE && next_initiator(&list, request.initiator)) {
        snprintf(doing, sizeof doing, "%s initiator %s", verb == MANAGE_HOST_ADD ? "add" : "remove",
                 request.initiator);
        code = send_host(o, &request, doing);
    }
    return code;
}

static int create_host(struct objects *o)
{
    struct manage_request request = {.verb = MANAGE_HOST_CREATE};
    const char *list = o->call->flag[SEGUE_FLAG_IQN];
    char doing[80];
    if (!name_host(o, &request))
        return SEGUE_EXIT_USAGE;
    if (!take_user(o, &request))
        return SEGUE_EXIT_NO_OBJECT;
    int code = confirm_first(o, list);
    if (code != SEGUE_EXIT_DONE)
        return code;
    (void)next_initiator(&list, request.initiator);
    snprintf(doing, sizeof doing, "create host %s", request.host);
    code = send_host(o, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        code = send_initiators(o, list, MANAGE_HOST_ADD);
    if (code == SEGUE_EXIT_DONE)
        printf("host %s is made; segue volume map gives it volumes\n", request.host);
    return code;
}

int segue_host_create(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, create_host(o)) : code;
}

static int set_host(struct objects *o)
{
    struct manage_request request = {.verb = MANAGE_HOST_USER};
    const char *const *flag = o->call->flag;
    char doing[80];
    int code = SEGUE_EXIT_DONE;
    if (!objects_find(o, "host", o->call->argument[0]) || !name_host(o, &request) ||
        !take_user(o, &request))
        return SEGUE_EXIT_NO_OBJECT;
    if (!flag[SEGUE_FLAG_ADD_IQN] && !flag[SEGUE_FLAG_REMOVE_IQN] && !flag[SEGUE_FLAG_CHAP_USER])
        return segue_fail(o->call, SEGUE_EXIT_USAGE, "USAGE", "see segue host set --help",
                          "nothing is to be set");
    if (flag[SEGUE_FLAG_ADD_IQN])
        code = send_initiators(o, flag[SEGUE_FLAG_ADD_IQN], MANAGE_HOST_ADD);
    if (code == SEGUE_EXIT_DONE && flag[SEGUE_FLAG_REMOVE_IQN])
        code = send_initiators(o, flag[SEGUE_FLAG_REMOVE_IQN], MANAGE_HOST_REMOVE);
    snprintf(doing, sizeof doing, "set host %s", request.host);
    if (code == SEGUE_EXIT_DONE && flag[SEGUE_FLAG_CHAP_USER])
        code = send_host(o, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("host %s is changed\n", request.host);
    return code;
}

int segue_host_set(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, set_host(o)) : code;
}

static int delete_host(struct objects *o)
{
    struct manage_request request = {.verb = MANAGE_HOST_DELETE};
    char doing[160];
    const json_t *host = objects_find(o, "host", o->call->argument[0]);
    if (!host || !name_host(o, &request))
        return SEGUE_EXIT_NO_OBJECT;
    bool last = json_array_size(json_object_get(o->status, "hosts")) == 1;
    snprintf(doing, sizeof doing, "takes %zu LUNs away from host %s%s",
             json_array_size(json_object_get(host, "luns")), request.host,
             last ? ", the last one: every initiator sees the volumes again" : "");
    int code = objects_confirm(o->call, doing, request.host);
    if (code != SEGUE_EXIT_DONE)
        return code;
    snprintf(doing, sizeof doing, "delete host %s", request.host);
    code = send_host(o, &request, doing);
    if (code == SEGUE_EXIT_DONE)
        printf("host %s is deleted\n", request.host);
    return code;
}

int segue_host_delete(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, delete_host(o)) : code;
}
