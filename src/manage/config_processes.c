/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "manage/config_draft.h"
#include "manage/quantity.h"
#include "manage/suggest.h"

/* Which parts run in which process, and where the processes listen for each other. */
struct check {
    const struct config_draft *draft;
    struct config *config;
    const struct config_complaint *where;
};

/* A part by its number over all: modules, then switches, then loop switches. */
static int part_count(const struct config *config)
{
    return config->modules + config->switches + config->loops;
}

static const char *part_name(const struct config *config, int part)
{
    if (part < config->modules)
        return config->module[part];
    part -= config->modules;
    if (part < config->switches)
        return config->iswitch[part].name;
    return config->loop[part - config->switches].name;
}

static void add_part(const struct config *config, struct config_process *process, int part)
{
    if (part < config->modules)
        process->modules |= (uint8_t)(1 << part);
    else if (part < config->modules + config->switches)
        process->switches |= (uint8_t)(1 << (part - config->modules));
    else
        process->loops |= (uint8_t)(1 << (part - config->modules - config->switches));
}

static bool has_part(const struct config *config, const struct config_process *process, int part)
{
    struct config_process one = {.name = ""};
    add_part(config, &one, part);
    return (one.modules & process->modules) || (one.switches & process->switches) ||
           (one.loops & process->loops);
}

static const char *process_of_part(const struct config *config, int part)
{
    for (int i = 0; i < config->processes; i++)
        if (has_part(config, &config->process[i], part))
            return config->process[i].name;
    return NULL;
}

static bool check_part(const struct check *c, const struct config_value *name,
                       struct config_process *process)
{
    const char *names[CONFIG_PROCESS_MAX];
    int parts = part_count(c->config), found = -1;
    for (int part = 0; part < parts; part++) {
        names[part] = part_name(c->config, part);
        if (strcmp(names[part], name->text) == 0)
            found = part;
    }
    if (found < 0) {
        const char *near = suggest_word(name->text, names, (size_t)parts);
        return config_complain(c->where, name->line, "processes.parts",
                               "there is no part %.40s; %s%s%s", name->text,
                               near ? "did you mean "
                                    : "use the names of modules, switches and "
                                      "loops",
                               near ? near : "", near ? "?" : "");
    }
    const char *holder = process_of_part(c->config, found);
    if (holder)
        return config_complain(c->where, name->line, "processes.parts",
                               "%s runs in process %s already; name each part once", name->text,
                               holder);
    add_part(c->config, process, found);
    return true;
}

static bool name_is_free(const struct check *c, const char *name)
{
    for (int i = 0; i < c->config->processes; i++)
        if (strcmp(c->config->process[i].name, name) == 0)
            return false;
    return true;
}

static bool check_written(const struct check *c)
{
    for (uint32_t i = 0; i < c->draft->processes; i++) {
        const struct draft_process *from = &c->draft->process[i];
        if (!name_is_free(c, from->name.text))
            return config_complain(c->where, from->name.line, "processes.name",
                                   "the name %s is taken; give it another", from->name.text);
        struct config_process *process = &c->config->process[c->config->processes++];
        snprintf(process->name, sizeof process->name, "%s", from->name.text);
        if (from->link.given)
            snprintf(process->link, sizeof process->link, "%s", from->link.text);
        for (uint32_t j = 0; j < from->parts.count; j++)
            if (!check_part(c, &from->parts.at[j], process))
                return false;
    }
    return true;
}

/* A part that no process names gets one of its own. */
static bool add_rest(const struct check *c)
{
    for (int part = 0; part < part_count(c->config); part++) {
        if (process_of_part(c->config, part))
            continue;
        const char *name = part_name(c->config, part);
        if (!name_is_free(c, name))
            return config_complain(c->where, c->draft->process[0].line, "processes",
                                   "a process is called %s but part %s is not in it; put it there "
                                   "or give the process another name",
                                   name, name);
        struct config_process *process = &c->config->process[c->config->processes++];
        snprintf(process->name, sizeof process->name, "%s", name);
        add_part(c->config, process, part);
    }
    return true;
}

static bool default_link(const struct check *c, int i)
{
    const struct config_draft *d = c->draft;
    struct config_process *process = &c->config->process[i];
    bool tcp = d->links.given && d->links.number == 1;
    uint64_t port = (d->link_port.given ? d->link_port.number : 7260) + (uint64_t)i;
    const char *address = d->link_address.given ? d->link_address.text : "127.0.0.1";
    unsigned char bytes[16];
    bool six = inet_pton(AF_INET6, address, bytes) == 1;
    if (tcp && !six && inet_pton(AF_INET, address, bytes) != 1)
        return config_complain(c->where, d->link_address.line, "link_address",
                               "\"%s\" is not an IP address; write one such as 127.0.0.1", address);
    if (tcp && port > 65535)
        return config_complain(c->where, d->link_port.line, "link_port",
                               "process %s would need port %llu; use a smaller one", process->name,
                               (unsigned long long)port);
    char link[2 * CONFIG_PATH];
    int length =
        tcp ? snprintf(link, sizeof link, six ? "tcp:[%s]:%u" : "tcp:%s:%u", address,
                       (unsigned)port)
            : snprintf(link, sizeof link, "unix:%s/run/%s.link", c->config->state, process->name);
    if (length < CONFIG_PATH)
        memcpy(process->link, link, (size_t)length + 1);
    if (length < CONFIG_PATH)
        return true;
    return config_complain(c->where, d->state.line, "state",
                           "the paths of its sockets would be too long; use a shorter directory");
}

static unsigned link_line(const struct check *c, int i)
{
    if ((uint32_t)i < c->draft->processes && c->draft->process[i].link.given)
        return c->draft->process[i].link.line;
    return c->draft->link_port.given ? c->draft->link_port.line : c->draft->state.line;
}

static bool check_link_words(const struct check *c, int i)
{
    const char *link = c->config->process[i].link;
    bool tcp = strncmp(link, "tcp:", 4) == 0;
    const char *colon = tcp ? strrchr(link + 4, ':') : NULL;
    uint64_t port = 0;
    if (tcp && colon && quantity_number(colon + 1, &port) && port >= 1 && port <= 65535)
        return true;
    if (strncmp(link, "unix:/", 6) == 0)
        return true;
    return config_complain(c->where, link_line(c, i), "processes.link",
                           "\"%.60s\" is not a link; write unix:/path or tcp:address:port", link);
}

static bool check_socket_length(const struct check *c, int i)
{
    char path[2 * CONFIG_PATH];
    snprintf(path, sizeof path, "%s/run/%s.sock", c->config->state, c->config->process[i].name);
    const char *link = c->config->process[i].link;
    const char *longest = path;
    if (strncmp(link, "unix:", 5) == 0 && strlen(link + 5) > strlen(path))
        longest = link + 5;
    if (strlen(longest) <= CONFIG_SOCKET_PATH_MAX)
        return true;
    return config_complain(c->where, c->draft->state.given ? c->draft->state.line : 1, "state",
                           "the socket %s has %zu bytes, and Unix sockets take %d; use a shorter "
                           "state directory",
                           longest, strlen(longest), CONFIG_SOCKET_PATH_MAX);
}

static bool check_link(const struct check *c, int i)
{
    const struct config_process *process = &c->config->process[i];
    if (!check_link_words(c, i) || !check_socket_length(c, i))
        return false;
    for (int j = 0; j < i; j++)
        if (strcmp(c->config->process[j].link, process->link) == 0)
            return config_complain(c->where, link_line(c, i), "processes.link",
                                   "%s is the link of process %s already; give it another",
                                   process->link, c->config->process[j].name);
    if (strncmp(process->link, "tcp:", 4) != 0)
        return true;
    for (int s = 0; s < c->config->switches; s++)
        for (int p = 0; p < c->config->iswitch[s].portals; p++)
            if (strcmp(c->config->iswitch[s].portal[p], process->link + 4) == 0)
                return config_complain(c->where, link_line(c, i), "processes.link",
                                       "%s is a portal of switch %s; use another port",
                                       process->link + 4, c->config->iswitch[s].name);
    return true;
}

bool config_processes_check(const struct config_draft *draft, struct config *config,
                            const struct config_complaint *where)
{
    const struct check c = {draft, config, where};
    if (!check_written(&c) || !add_rest(&c))
        return false;
    for (int i = 0; i < config->processes; i++)
        if ((!config->process[i].link[0] && !default_link(&c, i)) || !check_link(&c, i))
            return false;
    return true;
}
