/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/config_draft.h"
#include "manage/quantity.h"
#include "manage/suggest.h"

/* One step of the check sees the draft, writes the configuration, and complains by `where`. */
struct check {
    const struct config_draft *draft;
    struct config *config;
    const struct config_complaint *where;
};

static void copy_text(char *out, size_t bytes, const struct config_value *value,
                      const char *otherwise)
{
    snprintf(out, bytes, "%s", value->given ? value->text : otherwise);
}

/* An absolute path; relative ones begin at `base`. */
static bool place_path(const struct check *c, const struct config_value *value, const char *key,
                       const char *base, const char *text, char *out)
{
    while (strncmp(text, "./", 2) == 0)
        text += 2;
    bool absolute = text[0] == '/';
    int length = absolute ? snprintf(out, CONFIG_PATH, "%s", text)
                          : snprintf(out, CONFIG_PATH, "%s/%s", base, text);
    if (length >= 0 && length < CONFIG_PATH)
        return true;
    return config_complain(c->where, value->line, key,
                           "the path is longer than %d bytes (%s/...); use a shorter one",
                           CONFIG_PATH - 1, base);
}

static bool check_head(const struct check *c)
{
    const struct config_draft *draft = c->draft;
    struct config *config = c->config;
    char target[sizeof config->target];
    char base[CONFIG_PATH];
    snprintf(base, sizeof base, "%s", config->file);
    *strrchr(base, '/') = 0;
    copy_text(config->array, sizeof config->array, &draft->array, "");
    copy_text(config->log_level, sizeof config->log_level, &draft->log, "info");
    snprintf(target, sizeof target, "iqn.2026-11.com.example.segue:%s", config->array);
    copy_text(config->target, sizeof config->target, &draft->target, target);
    for (const char *at = config->target; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.:", *at) && draft->target.given)
            return config_complain(c->where, draft->target.line, "target",
                                   "\"%s\" is not an iSCSI name; write iqn.YYYY-MM.domain:name in "
                                   "small letters",
                                   config->target);
    for (char *at = config->target; *at; at++)
        *at = *at == '_' ? '-' : (char)(*at >= 'A' && *at <= 'Z' ? *at + 'a' - 'A' : *at);
    if (strncmp(config->target, "iqn.", 4) != 0)
        return config_complain(c->where, draft->target.line, "target",
                               "\"%s\" is not an iSCSI name; write iqn.YYYY-MM.domain:name",
                               config->target);
    config->buffer_bytes = draft->buffers.given ? draft->buffers.number : 1ull << 30;
    config->mirror_bytes = draft->mirror.given ? draft->mirror.number : 64ull << 20;
    if (config->mirror_bytes > config->buffer_bytes / 2)
        return config_complain(c->where,
                               draft->mirror.given ? draft->mirror.line : draft->buffers.line,
                               "memory.mirror",
                               "the mirror is over half of the buffers; make "
                               "memory.buffers at least twice as large");
    return place_path(c, &draft->state, "state", base,
                      draft->state.given ? draft->state.text : "state", config->state) &&
           place_path(c, &draft->register_path, "register.path",
                      draft->register_path.given ? base : config->state,
                      draft->register_path.given ? draft->register_path.text : "register",
                      config->register_path);
}

static bool check_limits(const struct check *c)
{
    static const struct {
        const char *key;
        size_t small, large; /* places in struct limits */
        uint64_t times;
        const char *why;
    } relations[] = {
#define PLACE(field) offsetof(struct limits, field) / sizeof(uint64_t)
        {"limits.signal", PLACE(signal_ns), PLACE(availability_ns), 3,
         "a third of limits.availability, or one late signal is taken for a death"},
        {"limits.forward", PLACE(forward_ns), PLACE(handshake_ns), 2,
         "half of limits.handshake, or a command is given up before it is forwarded"},
        {"limits.drive", PLACE(drive_ns), PLACE(drive_total_ns), 1,
         "limits.drive_total, which is the limit of all tries"},
#undef PLACE
    };
    uint64_t values[CONFIG_LIMITS];
    struct limits defaults = limits_default();
    memcpy(values, &defaults, sizeof values);
    unsigned line = 1;
    for (size_t i = 0; i < CONFIG_LIMITS; i++)
        if (c->draft->limit[i].given) {
            values[i] = c->draft->limit[i].number;
            line = c->draft->limit[i].line;
        }
    for (size_t i = 0; i < sizeof relations / sizeof relations[0]; i++) {
        size_t small = relations[i].small;
        if (values[small] * relations[i].times > values[relations[i].large])
            return config_complain(
                c->where, c->draft->limit[small].given ? c->draft->limit[small].line : line,
                relations[i].key, "it is too long; make it at most %s", relations[i].why);
    }
    memcpy(&c->config->limits, values, sizeof values);
    return true;
}

/* Part and process names share one space, so that a word on the command line means one thing. */
static bool check_new_name(const struct check *c, const struct config_value *name, const char *key)
{
    const struct config_draft *d = c->draft;
    const struct config_value *seen[3 * CONFIG_PROCESS_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < d->modules.count; i++)
        seen[count++] = &d->modules.at[i];
    for (uint32_t i = 0; i < d->switches; i++)
        seen[count++] = &d->iswitch[i].name;
    for (uint32_t i = 0; i < d->loops; i++)
        seen[count++] = &d->loop[i].name;
    for (uint32_t i = 0; i < d->loops; i++)
        seen[count++] = &d->loop[i].tray;
    for (uint32_t i = 0; i < d->groups; i++)
        seen[count++] = &d->group[i].name;
    for (size_t i = 0; i < count && seen[i] != name; i++)
        if (strcmp(seen[i]->text, name->text) == 0)
            return config_complain(c->where, name->line, key,
                                   "the name %s is taken (line %u); give it another", name->text,
                                   seen[i]->line);
    return true;
}

static bool check_modules(const struct check *c)
{
    for (uint32_t i = 0; i < c->draft->modules.count; i++) {
        const struct config_value *name = &c->draft->modules.at[i];
        size_t length = strlen(name->text);
        if (length == 0 || length > 12 || strcspn(name->text, "/ \t:,") != length)
            return config_complain(c->where, name->line, "parts.modules",
                                   "\"%.40s\" is not a name; use 1 to 12 letters and digits",
                                   name->text);
        if (!check_new_name(c, name, "parts.modules"))
            return false;
        snprintf(c->config->module[i], CONFIG_NAME, "%s", name->text);
        for (int g = 0; g < GROUP_MAX; g++)
            snprintf(c->config->unit[i][g], CONFIG_NAME, "%.12s%d", name->text, g + 1);
    }
    c->config->modules = (uint8_t)c->draft->modules.count;
    return true;
}

/* "address:port" with a numeric address, IPv6 in brackets. */
static bool good_portal(const char *text)
{
    char address[INET6_ADDRSTRLEN + 2];
    unsigned char bytes[16];
    uint64_t port;
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length == 0 || length >= sizeof address || !quantity_number(colon + 1, &port))
        return false;
    memcpy(address, text, length);
    address[length] = 0;
    if (port < 1 || port > 65535)
        return false;
    if (address[0] != '[')
        return inet_pton(AF_INET, address, bytes) == 1;
    if (address[length - 1] != ']')
        return false;
    address[length - 1] = 0;
    return inet_pton(AF_INET6, address + 1, bytes) == 1;
}

static bool is_wildcard(const char *portal)
{
    return strncmp(portal, "0.0.0.0:", 8) == 0 || strncmp(portal, "[::]:", 5) == 0;
}

static bool portals_clash(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    return (is_wildcard(a) || is_wildcard(b)) && strcmp(strrchr(a, ':'), strrchr(b, ':')) == 0;
}

static bool check_portal(const struct check *c, uint32_t s, const struct config_value *portal)
{
    if (!good_portal(portal->text))
        return config_complain(c->where, portal->line, "parts.switches.portals",
                               "\"%.60s\" is not a portal; write \"address:port\", such as "
                               "\"127.0.0.1:3260\" or \"[::1]:3260\"",
                               portal->text);
    for (uint32_t i = 0; i <= s; i++)
        for (int j = 0; j < c->config->iswitch[i].portals; j++)
            if (portals_clash(c->config->iswitch[i].portal[j], portal->text))
                return config_complain(
                    c->where, portal->line, "parts.switches.portals",
                    "the portal %s is taken by %s of switch %s; use another port", portal->text,
                    c->config->iswitch[i].portal[j], c->draft->iswitch[i].name.text);
    return true;
}

static bool check_announce(const struct check *c, uint32_t s, uint32_t i)
{
    const struct draft_switch *from = &c->draft->iswitch[s];
    const struct config_value *portal = &from->portals.at[i], *value = portal;
    if (from->announce.count) {
        if (from->announce.count != from->portals.count)
            return config_complain(c->where, from->announce.line, "parts.switches.announce",
                                   "it has %u entries and portals has %u; give each portal one",
                                   from->announce.count, from->portals.count);
        value = &from->announce.at[i];
        if (!good_portal(value->text))
            return config_complain(c->where, value->line, "parts.switches.announce",
                                   "\"%.60s\" is not a portal; write \"address:port\"",
                                   value->text);
    }
    if (is_wildcard(value->text))
        return config_complain(c->where, value->line, "parts.switches.announce",
                               "%s is no address that a host can reach; add announce: with one "
                               "for each portal",
                               value->text);
    snprintf(c->config->iswitch[s].announce[i], 64, "%s", value->text);
    return true;
}

static bool check_switches(const struct check *c)
{
    enum { PORTALS_IN_ALL = 8 };
    uint32_t portals = 0;
    for (uint32_t s = 0; s < c->draft->switches; s++) {
        const struct draft_switch *from = &c->draft->iswitch[s];
        if (!check_new_name(c, &from->name, "parts.switches.name"))
            return false;
        snprintf(c->config->iswitch[s].name, CONFIG_NAME, "%s", from->name.text);
        for (uint32_t i = 0; i < from->portals.count; i++) {
            if (!check_portal(c, s, &from->portals.at[i]) || !check_announce(c, s, i))
                return false;
            snprintf(c->config->iswitch[s].portal[i], 64, "%s", from->portals.at[i].text);
            c->config->iswitch[s].portal_line[i] = from->portals.at[i].line;
            c->config->iswitch[s].portals++;
        }
        portals += from->portals.count;
        if (portals > PORTALS_IN_ALL)
            return config_complain(c->where, from->portals.line, "parts.switches.portals",
                                   "the array has more than %d portals; take some out",
                                   PORTALS_IN_ALL);
    }
    c->config->switches = (uint8_t)c->draft->switches;
    return true;
}

static bool check_drive_new(const struct check *c, uint32_t l, const struct config_drive *drive)
{
    const char *key = "parts.loops.drives";
    for (uint32_t i = 0; i <= l; i++)
        for (int j = 0; j < c->config->loop[i].drives; j++) {
            const struct config_drive *other = &c->config->loop[i].drive[j];
            if (i == l && other->slot == drive->slot)
                return config_complain(c->where, drive->line, key,
                                       "slot %u is taken (line %u); give each drive its own slot",
                                       drive->slot, other->line);
            if (strcmp(other->path, drive->path) == 0)
                return config_complain(c->where, drive->line, key,
                                       "%s is drive %s/%02u already (line %u); a file or device "
                                       "can be one drive only",
                                       drive->path, c->draft->loop[i].tray.text, other->slot,
                                       other->line);
        }
    return true;
}

static bool add_drive(const struct check *c, uint32_t l, struct config_drive *drive)
{
    if (drive->create_bytes % 4096)
        return config_complain(c->where, drive->line, "parts.loops.size",
                               "%llu bytes are not whole blocks; use a multiple of 4KiB",
                               (unsigned long long)drive->create_bytes);
    if (!check_drive_new(c, l, drive))
        return false;
    c->config->loop[l].drive[c->config->loop[l].drives++] = *drive;
    return true;
}

/* "drives: 4": files of the state directory, each of the loop's size. */
static bool check_counted_drives(const struct check *c, uint32_t l)
{
    const struct draft_loop *from = &c->draft->loop[l];
    if (!from->size.given)
        return config_complain(
            c->where, from->line, "parts.loops",
            "\"size\" is missing; add \"size: 256MiB\", how large each of its %s "
            "drive files shall be",
            from->drive_count.text);
    for (uint32_t i = 0; i < from->drive_count.number; i++) {
        struct config_drive drive = {
            .slot = (uint8_t)i, .line = from->drive_count.line, .create_bytes = from->size.number};
        char name[64];
        snprintf(name, sizeof name, "drives/%s-%02u.img", from->tray.text, i);
        if (!place_path(c, &from->drive_count, "parts.loops.drives", c->config->state, name,
                        drive.path) ||
            !add_drive(c, l, &drive))
            return false;
    }
    return true;
}

static bool check_listed_drives(const struct check *c, uint32_t l)
{
    const struct draft_loop *from = &c->draft->loop[l];
    char base[CONFIG_PATH];
    snprintf(base, sizeof base, "%s", c->config->file);
    *strrchr(base, '/') = 0;
    for (uint32_t i = 0; i < from->drives; i++) {
        const struct draft_drive *written = &from->drive[i];
        struct config_drive drive = {.slot = (uint8_t)written->slot.number, .line = written->line};
        drive.may_be_empty = written->empty.number;
        if (written->loop_id.given)
            drive.al_pa = al_pa_of_id((uint32_t)written->loop_id.number);
        if (written->size.given && drive.may_be_empty)
            return config_complain(
                c->where, written->line, "parts.loops.drives",
                "a slot that may be empty gets no file of a size; leave out one");
        if (drive.may_be_empty)
            drive.create_bytes = 0;
        else if (written->size.given)
            drive.create_bytes = written->size.number;
        else if (from->size.given)
            drive.create_bytes = from->size.number;
        if (!place_path(c, &written->path, "parts.loops.drives.path", base, written->path.text,
                        drive.path) ||
            !add_drive(c, l, &drive))
            return false;
    }
    return true;
}

static bool check_loops(const struct check *c)
{
    for (uint32_t l = 0; l < c->draft->loops; l++) {
        const struct draft_loop *from = &c->draft->loop[l];
        if (!check_new_name(c, &from->name, "parts.loops.name") ||
            !check_new_name(c, &from->tray, "parts.loops.tray"))
            return false;
        snprintf(c->config->loop[l].name, CONFIG_NAME, "%s", from->name.text);
        snprintf(c->config->loop[l].tray, CONFIG_NAME, "%s", from->tray.text);
        if (!from->drive_count.given && !from->drives)
            return config_complain(c->where, from->line, "parts.loops",
                                   "\"drives\" is missing; add \"drives: 4\" or a list of drives");
        if (from->drive_count.given ? !check_counted_drives(c, l) : !check_listed_drives(c, l))
            return false;
    }
    c->config->loops = (uint8_t)c->draft->loops;
    return true;
}

static int find_module(const struct check *c, const struct config_value *name, const char *key)
{
    const char *names[MODULE_MAX];
    for (int m = 0; m < c->config->modules; m++) {
        names[m] = c->config->module[m];
        if (strcmp(names[m], name->text) == 0)
            return m;
    }
    const char *near = suggest_word(name->text, names, c->config->modules);
    config_complain(c->where, name->line, key, "there is no module %.40s; %s%s%s", name->text,
                    near ? "did you mean " : "use one of parts.modules", near ? near : "",
                    near ? "?" : "");
    return -1;
}

static bool check_members(const struct check *c, uint32_t g)
{
    const struct draft_group *from = &c->draft->group[g];
    for (uint32_t i = 0; i < from->members.count; i++) {
        const struct config_value *name = &from->members.at[i];
        int module = find_module(c, name, "groups.members");
        if (module < 0)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (c->config->group[g].member[j] == module)
                return config_complain(c->where, name->line, "groups.members",
                                       "two units of group %s would be in module %s, and die with "
                                       "it together; name each module once",
                                       from->name.text, name->text);
        c->config->group[g].member[i] = (uint8_t)module;
    }
    c->config->group[g].members = (uint8_t)from->members.count;
    return true;
}

static bool check_groups(const struct check *c)
{
    int owner = -1;
    for (uint32_t g = 0; g < c->draft->groups; g++) {
        const struct draft_group *from = &c->draft->group[g];
        if (!check_new_name(c, &from->name, "groups.name") || !check_members(c, g))
            return false;
        snprintf(c->config->group[g].name, CONFIG_NAME, "%s", from->name.text);
        if (!from->owner.number)
            continue;
        if (owner >= 0)
            return config_complain(c->where, from->owner.line, "groups.owner",
                                   "group %s owns the array-wide state already; only one group "
                                   "can be the owner",
                                   c->config->group[owner].name);
        owner = (int)g;
    }
    c->config->group[owner < 0 ? 0 : owner].owner = true;
    c->config->groups = (uint8_t)c->draft->groups;
    return true;
}

bool config_check(const struct config_draft *draft, struct config *config,
                  const struct config_complaint *where)
{
    const struct check c = {draft, config, where};
    return check_head(&c) && check_limits(&c) && check_modules(&c) && check_switches(&c) &&
           check_loops(&c) && check_groups(&c) && config_processes_check(draft, config, where);
}
