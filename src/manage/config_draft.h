/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_CONFIG_DRAFT_H
#define SEGUE_MANAGE_CONFIG_DRAFT_H

/* A configuration as it is written, before names become numbers: filled from the tree by the schema
 * (config_schema.c), made into a struct config by config_check.c and config_create.c. Texts belong
 * to the tree. */

#include "manage/config.h"
#include "manage/config_tree.h"

struct config_value {
    bool given;
    unsigned line;
    const char *text; /* as written */
    uint64_t number;  /* sizes in bytes, times in ns, numbers, booleans, index of a word */
};

enum { CONFIG_LIST_MAX = DRIVE_MAX, CONFIG_LIMITS = sizeof(struct limits) / sizeof(uint64_t) };

struct config_list {
    unsigned line;
    uint32_t count;
    struct config_value at[CONFIG_LIST_MAX];
};

/* Each section of a list of maps begins with its line. */
struct draft_switch {
    unsigned line;
    struct config_value name;
    struct config_list portals, announce;
};
struct draft_drive {
    unsigned line;
    struct config_value slot, path, size, empty, loop_id;
};
struct draft_loop {
    unsigned line;
    struct config_value name, tray, drive_count, size;
    uint32_t drives;
    struct draft_drive drive[SLOT_MAX];
};
struct draft_group {
    unsigned line;
    struct config_value name, owner;
    struct config_list members;
};
struct draft_process {
    unsigned line;
    struct config_value name, link;
    struct config_list parts;
};
struct draft_pool {
    unsigned line;
    struct config_value name, group, level, cache, chunk;
    struct config_list drives;
};
struct draft_volume {
    unsigned line;
    struct config_value name, pool, size, block, lun, read_only;
};

struct draft_host {
    unsigned line;
    struct config_value name, chap_user;
    struct config_list initiators, volumes;
};

struct draft_secret {
    unsigned line;
    struct config_value name, secret;
};

struct config_draft {
    const char *file;
    struct config_value array, state, target, log, links, link_address, link_port, register_path,
        buffers, mirror;
    struct config_value limit[CONFIG_LIMITS]; /* by place in struct limits */
    struct config_list modules;
    uint32_t switches, loops, groups, processes, pools, volumes, hosts;
    struct draft_switch iswitch[SWITCH_MAX];
    struct draft_loop loop[LOOP_MAX];
    struct draft_group group[GROUP_MAX];
    struct draft_process process[CONFIG_PROCESS_MAX];
    struct draft_pool pool[CONFIG_CREATE_MAX];
    struct draft_volume volume[CONFIG_CREATE_MAX];
    struct draft_host host[CONFIG_HOST_MAX];
    struct config_value chap_required;
    uint32_t chap_users;
    struct draft_secret chap_user[SECRET_USERS_MAX], chap_target;
    struct config_list api_listen;
    struct config_value api_certificate, api_key;
};

struct config_complaint {
    const char *file;
    char *sentence;
    size_t sentence_bytes;
};

/* Writes "file:line: key: what is wrong; what to do" and returns false. */
bool config_complain(const struct config_complaint *where, unsigned line, const char *key,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* False: a key that the schema does not know, a wrong type, out of range, missing. */
bool config_schema_fill(const struct config_node *root, struct config_draft *draft,
                        const struct config_complaint *where);
/* Parts, groups, processes, limits, paths. `config->file` is set already. */
bool config_check(const struct config_draft *draft, struct config *config,
                  const struct config_complaint *where);
/* Which parts run where, and their links. The last step of config_check. */
bool config_processes_check(const struct config_draft *draft, struct config *config,
                            const struct config_complaint *where);
/* Who may log in with which secret: names and paths. After config_check. */
bool config_secrets_check(const struct config_draft *draft, struct config *config,
                          const struct config_complaint *where);
/* Where management is reached. After config_check. */
bool config_api_check(const struct config_draft *draft, struct config *config,
                      const struct config_complaint *where);
/* Pools, volumes, hosts, maps. After config_check and config_secrets_check. */
bool config_create_check(const struct config_draft *draft, struct config *config,
                         const struct config_complaint *where);
/* ... its hosts, and what is mapped to them. */
bool config_hosts_check(const struct config_draft *draft, struct config *config,
                        const struct config_complaint *where);
/* One more step for the owner group; NULL: there are too many, which has been said. */
struct manage_request *config_create_add(struct config *config,
                                         const struct config_complaint *where,
                                         enum manage_verb verb, unsigned line);
/* The step that maps a volume, by its place in the draft. `host`: "" for everybody. */
bool config_create_map(const struct config_draft *draft, struct config *config,
                       const struct config_complaint *where, uint32_t volume, const char *host,
                       uint16_t lun, unsigned line);

#endif
