/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "manage/config_draft.h"
#include "manage/quantity.h"
#include "manage/suggest.h"

/* What a key takes. */
enum rule_kind {
    RULE_TEXT,   /* any text of low to high bytes */
    RULE_NAME,   /* the same of letters, digits, '-', '_' and '.', beginning with a letter */
    RULE_SIZE,   /* "64MiB" */
    RULE_TIME,   /* "150ms" */
    RULE_NUMBER, /* a whole number */
    RULE_BOOL,
    RULE_WORD,  /* one of `words` */
    RULE_NAMES, /* a list of texts: struct config_list */
    RULE_MAP,   /* keys of its own, in the same section */
    RULE_MAPS,  /* a list of maps: an array of sections, and how many */
};

struct rule_table;

struct config_rule {
    const char *key;
    enum rule_kind kind;
    size_t offset; /* of its config_value, config_list or first section */
    uint64_t low, high;
    bool required;
    const char *words; /* "one|two"; a time may have one word that stands for "never" */
    const struct rule_table *table;
    size_t stride, count_offset;
};

struct rule_table {
    const struct config_rule *rules;
    size_t count;
};

#define TABLE(array)                          \
    {                                         \
        array, sizeof array / sizeof array[0] \
    }
#define KEY(word, what, at) .key = word, .kind = what, .offset = at
#define RANGE(from, to) .low = from, .high = to
#define AT(type, field) offsetof(struct type, field)
#define LIMIT(field)                       \
    offsetof(struct config_draft, limit) + \
        offsetof(struct limits, field) / sizeof(uint64_t) * sizeof(struct config_value)

_Static_assert(CONFIG_LIMITS * sizeof(uint64_t) == sizeof(struct limits),
               "limits are 64 bits each");

enum { NAME_HIGH = CONFIG_NAME - 1, PART_HIGH = 12, PATH_HIGH = CONFIG_PATH - 1 };

static const struct config_rule switch_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_switch, name)), RANGE(1, PART_HIGH), .required = true},
    {KEY("portals", RULE_NAMES, AT(draft_switch, portals)), RANGE(1, CONFIG_PORTAL_MAX),
     .required = true},
    {KEY("announce", RULE_NAMES, AT(draft_switch, announce)), RANGE(1, CONFIG_PORTAL_MAX)},
};
static const struct config_rule drive_rules[] = {
    {KEY("slot", RULE_NUMBER, AT(draft_drive, slot)), RANGE(0, SLOT_MAX - 1), .required = true},
    {KEY("path", RULE_TEXT, AT(draft_drive, path)), RANGE(1, PATH_HIGH), .required = true},
    {KEY("size", RULE_SIZE, AT(draft_drive, size)), RANGE(16 << 20, 1ull << 50)},
    {KEY("empty", RULE_BOOL, AT(draft_drive, empty))},
    {KEY("loop_id", RULE_NUMBER, AT(draft_drive, loop_id)), RANGE(0, AL_PAS - 1)},
};
static const struct rule_table switch_table = TABLE(switch_rules), drive_table = TABLE(drive_rules);

static const struct config_rule loop_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_loop, name)), RANGE(1, PART_HIGH), .required = true},
    {KEY("tray", RULE_NAME, AT(draft_loop, tray)), RANGE(1, PART_HIGH), .required = true},
    {KEY("drives", RULE_NUMBER, AT(draft_loop, drive_count)), RANGE(1, SLOT_MAX)},
    {KEY("drives", RULE_MAPS, AT(draft_loop, drive)), RANGE(1, SLOT_MAX), .table = &drive_table,
     .stride = sizeof(struct draft_drive), .count_offset = AT(draft_loop, drives)},
    {KEY("size", RULE_SIZE, AT(draft_loop, size)), RANGE(16 << 20, 1ull << 50)},
};
static const struct config_rule group_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_group, name)), RANGE(1, NAME_HIGH), .required = true},
    {KEY("members", RULE_NAMES, AT(draft_group, members)), RANGE(1, MODULE_MAX), .required = true},
    {KEY("owner", RULE_BOOL, AT(draft_group, owner))},
};
static const struct config_rule process_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_process, name)), RANGE(1, NAME_HIGH), .required = true},
    {KEY("parts", RULE_NAMES, AT(draft_process, parts)), RANGE(1, CONFIG_PROCESS_MAX),
     .required = true},
    {KEY("link", RULE_TEXT, AT(draft_process, link)), RANGE(6, PATH_HIGH)},
};
static const struct config_rule pool_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_pool, name)), RANGE(1, NAME_BYTES - 1), .required = true},
    {KEY("group", RULE_NAME, AT(draft_pool, group)), RANGE(1, NAME_HIGH), .required = true},
    {KEY("level", RULE_WORD, AT(draft_pool, level)), .words = "raid0|raid1|raid10|raid5|raid6",
     .required = true},
    {KEY("cache", RULE_WORD, AT(draft_pool, cache)), .words = "write-through|mirrored"},
    {KEY("chunk", RULE_SIZE, AT(draft_pool, chunk)), RANGE(4096, 16 << 20)},
    {KEY("drives", RULE_NAMES, AT(draft_pool, drives)), RANGE(1, DRIVE_MAX), .required = true},
};
static const struct config_rule volume_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_volume, name)), RANGE(1, NAME_BYTES - 1), .required = true},
    {KEY("pool", RULE_NAME, AT(draft_volume, pool)), RANGE(1, NAME_BYTES - 1), .required = true},
    {KEY("size", RULE_SIZE, AT(draft_volume, size)), RANGE(4096, 1ull << 60), .required = true},
    {KEY("block", RULE_WORD, AT(draft_volume, block)), .words = "512|4096"},
    {KEY("lun", RULE_NUMBER, AT(draft_volume, lun)), RANGE(0, LUN_MAX - 1)},
    {KEY("read_only", RULE_BOOL, AT(draft_volume, read_only))},
};
static const struct config_rule host_rules[] = {
    {KEY("name", RULE_NAME, AT(draft_host, name)), RANGE(1, NAME_BYTES - 1), .required = true},
    {KEY("initiators", RULE_NAMES, AT(draft_host, initiators)), RANGE(1, CONFIG_LIST_MAX),
     .required = true},
    {KEY("chap_user", RULE_TEXT, AT(draft_host, chap_user)), RANGE(1, SECRET_NAME_BYTES - 1)},
    {KEY("volumes", RULE_NAMES, AT(draft_host, volumes)), RANGE(0, CONFIG_LIST_MAX)},
};
static const struct rule_table loop_table = TABLE(loop_rules), group_table = TABLE(group_rules),
                               process_table = TABLE(process_rules), pool_table = TABLE(pool_rules),
                               volume_table = TABLE(volume_rules), host_table = TABLE(host_rules);

static const struct config_rule limit_rules[] = {
    {KEY("signal", RULE_TIME, LIMIT(signal_ns)), RANGE(MS(1), MS(10000))},
    {KEY("availability", RULE_TIME, LIMIT(availability_ns)), RANGE(MS(10), MS(600000))},
    {KEY("handshake", RULE_TIME, LIMIT(handshake_ns)), RANGE(MS(10), MS(600000))},
    {KEY("ready", RULE_TIME, LIMIT(ready_ns)), RANGE(MS(10), MS(600000))},
    {KEY("processing", RULE_TIME, LIMIT(processing_ns)), RANGE(MS(100), MS(600000))},
    {KEY("stale", RULE_TIME, LIMIT(stale_ns)), RANGE(MS(10), MS(60000))},
    {KEY("forward", RULE_TIME, LIMIT(forward_ns)), RANGE(MS(1), MS(60000))},
    {KEY("drive", RULE_TIME, LIMIT(drive_ns)), RANGE(MS(10), MS(600000))},
    {KEY("drive_total", RULE_TIME, LIMIT(drive_total_ns)), RANGE(MS(10), MS(600000))},
    {KEY("drain", RULE_TIME, LIMIT(drain_ns)), RANGE(MS(10), MS(600000))},
    {KEY("lease", RULE_TIME, LIMIT(lease_ns)), RANGE(MS(50), MS(600000))},
    {KEY("fence", RULE_TIME, LIMIT(fence_ns)), RANGE(MS(50), MS(600000))},
    {KEY("settle", RULE_TIME, LIMIT(settle_ns)), RANGE(0, MS(86400000)), .words = "manual"},
    {KEY("nop", RULE_TIME, LIMIT(nop_ns)), RANGE(MS(100), MS(600000))},
};
static const struct config_rule part_rules[] = {
    {KEY("modules", RULE_NAMES, AT(config_draft, modules)), RANGE(1, MODULE_MAX), .required = true},
    {KEY("switches", RULE_MAPS, AT(config_draft, iswitch)), RANGE(1, SWITCH_MAX),
     .table = &switch_table, .stride = sizeof(struct draft_switch),
     .count_offset = AT(config_draft, switches), .required = true},
    {KEY("loops", RULE_MAPS, AT(config_draft, loop)), RANGE(1, LOOP_MAX), .table = &loop_table,
     .stride = sizeof(struct draft_loop), .count_offset = AT(config_draft, loops),
     .required = true},
};
static const struct config_rule memory_rules[] = {
    {KEY("buffers", RULE_SIZE, AT(config_draft, buffers)), RANGE(64 << 20, 1ull << 40)},
    {KEY("mirror", RULE_SIZE, AT(config_draft, mirror)), RANGE(1 << 20, 1ull << 40)},
};
static const struct config_rule register_rules[] = {
    {KEY("path", RULE_TEXT, AT(config_draft, register_path)), RANGE(1, PATH_HIGH),
     .required = true},
};
static const struct config_rule create_rules[] = {
    {KEY("pools", RULE_MAPS, AT(config_draft, pool)), RANGE(0, CONFIG_CREATE_MAX),
     .table = &pool_table, .stride = sizeof(struct draft_pool),
     .count_offset = AT(config_draft, pools)},
    {KEY("volumes", RULE_MAPS, AT(config_draft, volume)), RANGE(0, CONFIG_CREATE_MAX),
     .table = &volume_table, .stride = sizeof(struct draft_volume),
     .count_offset = AT(config_draft, volumes)},
    {KEY("hosts", RULE_MAPS, AT(config_draft, host)), RANGE(0, CONFIG_HOST_MAX),
     .table = &host_table, .stride = sizeof(struct draft_host),
     .count_offset = AT(config_draft, hosts)},
};
static const struct config_rule secret_rules[] = {
    {KEY("name", RULE_TEXT, AT(draft_secret, name)), RANGE(1, SECRET_NAME_BYTES - 1),
     .required = true},
    {KEY("secret", RULE_TEXT, AT(draft_secret, secret)), RANGE(1, PATH_HIGH), .required = true},
};
static const struct config_rule chap_target_rules[] = {
    {KEY("name", RULE_TEXT, AT(config_draft, chap_target.name)), RANGE(1, SECRET_NAME_BYTES - 1),
     .required = true},
    {KEY("secret", RULE_TEXT, AT(config_draft, chap_target.secret)), RANGE(1, PATH_HIGH),
     .required = true},
};
static const struct rule_table secret_table = TABLE(secret_rules),
                               chap_target_table = TABLE(chap_target_rules);
static const struct config_rule chap_rules[] = {
    {KEY("required", RULE_BOOL, AT(config_draft, chap_required))},
    {KEY("users", RULE_MAPS, AT(config_draft, chap_user)), RANGE(0, SECRET_USERS_MAX),
     .table = &secret_table, .stride = sizeof(struct draft_secret),
     .count_offset = AT(config_draft, chap_users)},
    {KEY("target", RULE_MAP, 0), .table = &chap_target_table},
};
static const struct config_rule api_rules[] = {
    {KEY("listen", RULE_NAMES, AT(config_draft, api_listen)), RANGE(1, CONFIG_API_MAX),
     .required = true},
    {KEY("certificate", RULE_TEXT, AT(config_draft, api_certificate)), RANGE(1, PATH_HIGH)},
    {KEY("key", RULE_TEXT, AT(config_draft, api_key)), RANGE(1, PATH_HIGH)},
};
static const struct rule_table api_table = TABLE(api_rules);
static const struct rule_table limit_table = TABLE(limit_rules), part_table = TABLE(part_rules),
                               memory_table = TABLE(memory_rules),
                               register_table = TABLE(register_rules),
                               create_table = TABLE(create_rules), chap_table = TABLE(chap_rules);

static const struct config_rule file_rules[] = {
    {KEY("array", RULE_NAME, AT(config_draft, array)), RANGE(1, NAME_BYTES - 1), .required = true},
    {KEY("state", RULE_TEXT, AT(config_draft, state)), RANGE(1, PATH_HIGH)},
    {KEY("target", RULE_TEXT, AT(config_draft, target)), RANGE(10, 223)},
    {KEY("log", RULE_WORD, AT(config_draft, log)), .words = "error|warn|info|detail"},
    {KEY("links", RULE_WORD, AT(config_draft, links)), .words = "unix|tcp"},
    {KEY("link_address", RULE_TEXT, AT(config_draft, link_address)), RANGE(1, 45)},
    {KEY("link_port", RULE_NUMBER, AT(config_draft, link_port)), RANGE(1, 65535)},
    {KEY("limits", RULE_MAP, 0), .table = &limit_table},
    {KEY("parts", RULE_MAP, 0), .table = &part_table, .required = true},
    {KEY("groups", RULE_MAPS, AT(config_draft, group)), RANGE(1, GROUP_MAX), .table = &group_table,
     .stride = sizeof(struct draft_group), .count_offset = AT(config_draft, groups),
     .required = true},
    {KEY("processes", RULE_MAPS, AT(config_draft, process)), RANGE(1, CONFIG_PROCESS_MAX),
     .table = &process_table, .stride = sizeof(struct draft_process),
     .count_offset = AT(config_draft, processes)},
    {KEY("memory", RULE_MAP, 0), .table = &memory_table},
    {KEY("register", RULE_MAP, 0), .table = &register_table},
    {KEY("create", RULE_MAP, 0), .table = &create_table},
    {KEY("chap", RULE_MAP, 0), .table = &chap_table},
    {KEY("api", RULE_MAP, 0), .table = &api_table},
};
static const struct rule_table file_table = TABLE(file_rules);

bool config_complain(const struct config_complaint *where, unsigned line, const char *key,
                     const char *format, ...)
{
    int used = snprintf(where->sentence, where->sentence_bytes, "%s:%u: %s%s", where->file, line,
                        key, *key ? ": " : "");
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && (size_t)used < where->sentence_bytes)
        vsnprintf(where->sentence + used, where->sentence_bytes - (size_t)used, format, arguments);
    va_end(arguments);
    for (char *at = where->sentence; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' '; /* one sentence is one line, whatever it quotes */
    return false;
}

/* A node, its rule, and the path of its key for the sentence. */
struct place {
    const struct config_complaint *where;
    const struct config_rule *rule;
    const struct config_node *node;
    const char *path;
};

static bool good_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789-_.";
    if (!strchr(letters, text[0]))
        return false;
    for (; *text; text++)
        if (!strchr(letters, *text) && !strchr(others, *text))
            return false;
    return true;
}

static bool take_text(const struct place *p, struct config_value *value)
{
    size_t length = strlen(p->node->text);
    if (length < p->rule->low || length > p->rule->high)
        return config_complain(p->where, p->node->line, p->path,
                               "\"%.40s\" has %zu characters; use %llu to %llu", p->node->text,
                               length, (unsigned long long)p->rule->low,
                               (unsigned long long)p->rule->high);
    if (p->rule->kind == RULE_NAME && !good_name(p->node->text))
        return config_complain(p->where, p->node->line, p->path,
                               "\"%s\" is not a name; begin with a letter and use letters, digits, "
                               "'-', '_' and '.'",
                               p->node->text);
    value->number = length;
    return true;
}

static bool take_bool(const struct place *p, struct config_value *value)
{
    value->number = strcmp(p->node->text, "true") == 0;
    if (value->number || strcmp(p->node->text, "false") == 0)
        return true;
    return config_complain(p->where, p->node->line, p->path,
                           "\"%.40s\" is neither true nor false; write one of them", p->node->text);
}

/* Index of the text among "one|two|three", or -1. */
static int word_index(const char *words, const char *text)
{
    size_t length = strlen(text);
    for (int i = 0; *words; i++) {
        size_t word = strcspn(words, "|");
        if (word == length && memcmp(words, text, length) == 0)
            return i;
        words += word + (words[word] == '|');
    }
    return -1;
}

static bool take_word(const struct place *p, struct config_value *value)
{
    int index = word_index(p->rule->words, p->node->text);
    if (index < 0)
        return config_complain(p->where, p->node->line, p->path,
                               "\"%.40s\" is not one of its words; write %s", p->node->text,
                               p->rule->words);
    value->number = (uint64_t)index;
    return true;
}

static void quantity_text(const struct config_rule *rule, uint64_t number, char *out, size_t bytes)
{
    if (rule->kind == RULE_SIZE)
        quantity_size_exact(number, out, bytes);
    else if (rule->kind == RULE_NUMBER)
        snprintf(out, bytes, "%llu", (unsigned long long)number);
    else if (number % MS(1000) == 0)
        snprintf(out, bytes, "%llus", (unsigned long long)(number / MS(1000)));
    else
        snprintf(out, bytes, "%llums", (unsigned long long)(number / MS(1)));
}

static bool take_quantity(const struct place *p, struct config_value *value)
{
    static const struct {
        bool (*parse)(const char *text, uint64_t *number);
        const char *what;
    } kinds[] = {
        [RULE_SIZE] = {quantity_size, "a size; write a whole number and its unit, such as 64MiB"},
        [RULE_TIME] = {quantity_time, "a time; write a number and its unit, such as 150ms"},
        [RULE_NUMBER] = {quantity_number, "a number; write a whole number"},
    };
    const struct config_rule *rule = p->rule;
    if (rule->words && word_index(rule->words, p->node->text) == 0) {
        value->number = UINT64_MAX;
        return true;
    }
    if (!kinds[rule->kind].parse(p->node->text, &value->number))
        return config_complain(p->where, p->node->line, p->path, "\"%.40s\" is not %s%s%s",
                               p->node->text, kinds[rule->kind].what, rule->words ? ", or " : "",
                               rule->words ? rule->words : "");
    if (value->number >= rule->low && value->number <= rule->high)
        return true;
    char low[32], high[32];
    quantity_text(rule, rule->low, low, sizeof low);
    quantity_text(rule, rule->high, high, sizeof high);
    return config_complain(p->where, p->node->line, p->path, "%.40s is out of range; use %s to %s",
                           p->node->text, low, high);
}

static bool take_scalar(const struct place *p, struct config_value *value)
{
    value->given = true;
    value->line = p->node->line;
    value->text = p->node->text;
    switch (p->rule->kind) {
    case RULE_TEXT:
    case RULE_NAME:
        return take_text(p, value);
    case RULE_SIZE:
    case RULE_TIME:
    case RULE_NUMBER:
        return take_quantity(p, value);
    case RULE_BOOL:
        return take_bool(p, value);
    case RULE_WORD:
        return take_word(p, value);
    case RULE_NAMES:
    case RULE_MAP:
    case RULE_MAPS:
        break;
    }
    return false;
}

static bool count_in_range(const struct place *p, size_t count)
{
    if (count >= p->rule->low && count <= p->rule->high)
        return true;
    return config_complain(p->where, p->node->line, p->path, "it has %zu entries; use %llu to %llu",
                           count, (unsigned long long)p->rule->low,
                           (unsigned long long)p->rule->high);
}

static size_t count_children(const struct config_node *node)
{
    size_t count = 0;
    for (const struct config_node *child = node->child; child; child = child->next)
        count++;
    return count;
}

static bool take_names(const struct place *p, struct config_list *list)
{
    if (!count_in_range(p, count_children(p->node)))
        return false;
    list->line = p->node->line;
    for (const struct config_node *child = p->node->child; child; child = child->next) {
        if (child->kind != CONFIG_NODE_SCALAR || strlen(child->text) >= CONFIG_PATH)
            return config_complain(p->where, child->line, p->path,
                                   "an entry is not a name; write a list such as [one, two]");
        list->at[list->count++] = (struct config_value){true, child->line, child->text, 0};
    }
    return true;
}

static bool fill_map(const struct config_node *map, const struct rule_table *table, void *section,
                     const char *path, const struct config_complaint *where);

static bool take_maps(const struct place *p, char *section)
{
    if (!count_in_range(p, count_children(p->node)))
        return false;
    const struct config_rule *rule = p->rule;
    uint32_t *count = (uint32_t *)(void *)(section + rule->count_offset);
    for (const struct config_node *child = p->node->child; child; child = child->next) {
        void *entry = section + rule->offset + *count * rule->stride;
        if (child->kind != CONFIG_NODE_MAP)
            return config_complain(p->where, child->line, p->path,
                                   "an entry is not a map; write it as - {%s: ...}",
                                   rule->table->rules[0].key);
        *(unsigned *)entry = child->line;
        if (!fill_map(child, rule->table, entry, p->path, p->where))
            return false;
        (*count)++;
    }
    return true;
}

static enum config_node_kind node_kind_of(enum rule_kind kind)
{
    if (kind == RULE_MAP)
        return CONFIG_NODE_MAP;
    return kind == RULE_NAMES || kind == RULE_MAPS ? CONFIG_NODE_LIST : CONFIG_NODE_SCALAR;
}

static bool fill_key(const struct place *p, char *section)
{
    static const char *const wanted[] = {
        [CONFIG_NODE_SCALAR] = "one value; write it behind the colon",
        [CONFIG_NODE_LIST] = "a list; write [one, two] or lines that begin with '- '",
        [CONFIG_NODE_MAP] = "a map; put its keys on lines below, further in",
    };
    enum config_node_kind kind = node_kind_of(p->rule->kind);
    if (p->node->kind != kind || (kind == CONFIG_NODE_SCALAR && !*p->node->text))
        return config_complain(p->where, p->node->line, p->path, "it takes %s", wanted[kind]);
    void *at = section + p->rule->offset;
    if (kind == CONFIG_NODE_MAP)
        return fill_map(p->node, p->rule->table, section, p->path, p->where);
    if (kind == CONFIG_NODE_SCALAR)
        return take_scalar(p, at);
    return p->rule->kind == RULE_NAMES ? take_names(p, at) : take_maps(p, section);
}

/* The rule of that key; of two with one key, the one that takes such a node. */
static const struct config_rule *find_rule(const struct rule_table *table,
                                           const struct config_node *node)
{
    const struct config_rule *found = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct config_rule *rule = &table->rules[i];
        if (strcmp(rule->key, node->key) == 0 && (!found || node_kind_of(rule->kind) == node->kind))
            found = rule;
    }
    return found;
}

static bool unknown_key(const struct rule_table *table, const struct config_node *node,
                        const char *path, const struct config_complaint *where)
{
    const char *keys[32];
    char list[256] = "";
    for (size_t i = 0; i < table->count; i++) {
        keys[i] = table->rules[i].key;
        if (i == 0 || strcmp(keys[i], keys[i - 1]) != 0)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                     keys[i]);
    }
    const char *near = suggest_word(node->key, keys, table->count);
    if (near)
        return config_complain(where, node->line, path,
                               "there is no such key; did you mean \"%s\"?", near);
    return config_complain(where, node->line, path,
                           "there is no such key; take it out, or use one of: %s", list);
}

static bool check_required(const struct config_node *map, const struct rule_table *table,
                           const char *path, const struct config_complaint *where)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_node *child = map->child;
        while (child && strcmp(child->key, table->rules[i].key) != 0)
            child = child->next;
        if (!child && table->rules[i].required)
            return config_complain(where, map->line, path, "\"%s\" is missing; add \"%s: ...\"",
                                   table->rules[i].key, table->rules[i].key);
    }
    return true;
}

static bool fill_map(const struct config_node *map, const struct rule_table *table, void *section,
                     const char *path, const struct config_complaint *where)
{
    for (const struct config_node *node = map->child; node; node = node->next) {
        char key[160];
        snprintf(key, sizeof key, "%s%s%.60s", path, *path ? "." : "", node->key);
        struct place p = {where, find_rule(table, node), node, key};
        if (!p.rule)
            return unknown_key(table, node, key, where);
        if (!fill_key(&p, section))
            return false;
    }
    return check_required(map, table, path, where);
}

bool config_schema_fill(const struct config_node *root, struct config_draft *draft,
                        const struct config_complaint *where)
{
    if (root->kind != CONFIG_NODE_MAP)
        return config_complain(where, root->line, "",
                               "the file is not a map of keys; copy one of examples/");
    return fill_map(root, &file_table, draft, "", where);
}
