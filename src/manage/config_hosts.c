/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/directory.h"
#include "manage/config_draft.h"
#include "manage/quantity.h"
#include "manage/suggest.h"

/* create.hosts: who sees which volumes of a new array. Names of hosts and initiators are judged by
 * the rules of the LUN directory, which will take them. */

struct check {
    const struct config_draft *draft;
    struct config *config;
    const struct config_complaint *where;
    struct directory *directory; /* as it will be */
};

static bool refused(const struct check *c, const struct manage_request *request, uint8_t verb,
                    unsigned line, const char *key)
{
    struct directory_change change = {.verb = verb};
    memcpy(change.host, request->host, sizeof change.host);
    memcpy(change.initiator, request->initiator, sizeof change.initiator);
    memcpy(change.user, request->user, sizeof change.user);
    const char *why = directory_refuses(c->directory, &change);
    if (why)
        return !config_complain(c->where, line, key, "%.80s: %s", request->initiator, why);
    directory_apply(c->directory, &change);
    return false;
}

static bool check_user(const struct check *c, const struct config_value *user, char *out)
{
    const char *names[SECRET_USERS_MAX];
    if (!user->given)
        return true;
    for (uint8_t i = 0; i < c->config->chap.users; i++) {
        names[i] = c->config->chap.user[i].name;
        if (strcmp(names[i], user->text) == 0) {
            snprintf(out, SECRET_NAME_BYTES, "%s", user->text);
            return true;
        }
    }
    const char *near = suggest_word(user->text, names, c->config->chap.users);
    return config_complain(c->where, user->line, "create.hosts.chap_user",
                           "there is no CHAP user %.60s; %s%s%s", user->text,
                           near ? "did you mean " : "name it in chap.users", near ? near : "",
                           near ? "?" : "");
}

static bool check_initiators(const struct check *c, const struct draft_host *from)
{
    static const char key[] = "create.hosts.initiators";
    for (uint32_t i = 0; i < from->initiators.count; i++) {
        const struct config_value *name = &from->initiators.at[i];
        if (strlen(name->text) >= INITIATOR_BYTES)
            return config_complain(c->where, name->line, key,
                                   "%.40s... is longer than %d letters; correct it", name->text,
                                   INITIATOR_BYTES - 1);
        struct manage_request *request = config_create_add(
            c->config, c->where, i ? MANAGE_HOST_ADD : MANAGE_HOST_CREATE, from->line);
        if (!request)
            return false;
        snprintf(request->host, sizeof request->host, "%s", from->name.text);
        for (size_t at = 0; name->text[at]; at++) {
            char letter = name->text[at];
            request->initiator[at] =
                (char)(letter >= 'A' && letter <= 'Z' ? letter + 'a' - 'A' : letter);
        }
        if (i == 0 && !check_user(c, &from->chap_user, request->user))
            return false;
        if (refused(c, request, i ? DIRECTORY_HOST_ADD : DIRECTORY_HOST_CREATE, name->line, key))
            return false;
    }
    return true;
}

static bool check_host(const struct check *c, uint32_t index)
{
    const struct draft_host *from = &c->draft->host[index];
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(c->draft->host[i].name.text, from->name.text) == 0)
            return config_complain(c->where, from->name.line, "create.hosts.name",
                                   "the name %s is taken (line %u); give it another",
                                   from->name.text, c->draft->host[i].name.line);
    return check_initiators(c, from);
}

/* "v1", whose LUN is its place in the list, or "v1=7". The volume's index, or -1. */
static int find_volume(const struct check *c, const struct config_value *word, uint64_t *lun)
{
    static const char key[] = "create.hosts.volumes";
    const char *names[CONFIG_CREATE_MAX], *equals = strchr(word->text, '=');
    char name[CONFIG_PATH];
    snprintf(name, sizeof name, "%.*s",
             (int)(equals ? (size_t)(equals - word->text) : strlen(word->text)), word->text);
    if (equals && (!quantity_number(equals + 1, lun) || *lun >= LUN_MAX)) {
        config_complain(c->where, word->line, key,
                        "%.60s names no LUN; write VOLUME or VOLUME=LUN, a LUN being 0 to %d",
                        word->text, LUN_MAX - 1);
        return -1;
    }
    for (uint32_t i = 0; i < c->draft->volumes; i++) {
        names[i] = c->draft->volume[i].name.text;
        if (strcmp(names[i], name) == 0)
            return (int)i;
    }
    const char *near = suggest_word(name, names, c->draft->volumes);
    config_complain(c->where, word->line, key, "there is no volume %.60s; %s%s%s", name,
                    near ? "did you mean " : "use one of create.volumes", near ? near : "",
                    near ? "?" : "");
    return -1;
}

static bool check_maps(const struct check *c, const struct draft_host *from)
{
    struct {
        int volume;
        uint64_t lun;
    } at[CONFIG_LIST_MAX];
    for (uint32_t i = 0; i < from->volumes.count; i++) {
        const struct config_value *word = &from->volumes.at[i];
        at[i].lun = i;
        at[i].volume = find_volume(c, word, &at[i].lun);
        if (at[i].volume < 0)
            return false;
        const char *name = c->draft->volume[at[i].volume].name.text;
        for (uint32_t j = 0; j < i; j++)
            if (at[j].volume == at[i].volume || at[j].lun == at[i].lun)
                return config_complain(c->where, word->line, "create.hosts.volumes",
                                       "LUN %llu of host %s is volume %s already; %s %s",
                                       (unsigned long long)at[j].lun, from->name.text,
                                       c->draft->volume[at[j].volume].name.text,
                                       at[j].volume == at[i].volume ? "take out the second"
                                                                    : "write =LUN behind",
                                       name);
        if (!config_create_map(c->draft, c->config, c->where, (uint32_t)at[i].volume,
                               from->name.text, (uint16_t)at[i].lun, word->line))
            return false;
    }
    return true;
}

bool config_hosts_check(const struct config_draft *draft, struct config *config,
                        const struct config_complaint *where)
{
    struct check c = {draft, config, where, calloc(1, sizeof *c.directory)};
    if (!c.directory)
        return config_complain(where, 1, "", "there is no memory to check it");
    bool good = true;
    for (uint32_t i = 0; i < draft->hosts && good; i++)
        good = check_host(&c, i);
    for (uint32_t i = 0; i < draft->hosts && good; i++)
        good = check_maps(&c, &draft->host[i]);
    free(c.directory);
    return good;
}
