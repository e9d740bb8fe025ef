/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_CONFIG_H
#define SEGUE_MANAGE_CONFIG_H

/* The configuration of an array, from a YAML file: which parts there are, in which processes they
 * run, how they reach each other, and (create:) what an empty array shall contain at first. Parsed
 * and checked once, at start. Every mistake is one sentence: file, line, key, what to do. */

#include "array/manage.h"
#include <stddef.h>

#include "command/limits.h"
#include "command/secret.h"

enum {
    CONFIG_PATH = 256,
    CONFIG_NAME = 16,
    CONFIG_PROCESS_MAX = MODULE_MAX + SWITCH_MAX + LOOP_MAX,
    CONFIG_PORTAL_MAX = 4,
    CONFIG_API_MAX = 4,     /* addresses */
    CONFIG_CREATE_MAX = 64, /* pools, or volumes */
    CONFIG_HOST_MAX = 64,
    CONFIG_STEP_MAX = 256,
};

struct config_drive {
    uint8_t slot;
    unsigned line;          /* of the file, for sentences */
    char path[CONFIG_PATH]; /* absolute */
    uint64_t create_bytes;  /* a file of this size is made if there is none; 0: must exist ... */
    bool may_be_empty;      /* ... or may be put in later */
    uint8_t al_pa;          /* its address on the loop, if one is assigned; else 0 */
};

struct config_process {
    char name[CONFIG_NAME];
    char
        link[CONFIG_PATH]; /* where it listens for the others: "unix:/path" or "tcp:address:port" */
    uint8_t modules, switches, loops; /* bit i: the part of that number runs here */
};

struct config_secret {
    char name[SECRET_NAME_BYTES]; /* "": none */
    char path[CONFIG_PATH];       /* of the file that holds it, absolute */
    unsigned line;                /* of the configuration, for sentences */
};

struct config {
    char file[CONFIG_PATH];
    char array[NAME_BYTES];
    char state[CONFIG_PATH];         /* absolute directory: drives, register, logs, sockets */
    char register_path[CONFIG_PATH]; /* directory of the file register */
    char target[224];                /* iqn of the target node */
    char log_level[8];               /* error, warn, info, detail */
    struct limits limits;
    uint64_t buffer_bytes, mirror_bytes;
    struct { /* see command/secret.h */
        bool required;
        uint8_t users;
        struct config_secret user[SECRET_USERS_MAX];
        struct config_secret target;
    } chap;
    struct { /* management over HTTPS; no address: there is none */
        uint8_t listens;
        char listen[CONFIG_API_MAX][64];                 /* "address:port" */
        char certificate[CONFIG_PATH], key[CONFIG_PATH]; /* PEM files; "": one is made */
    } api;
    uint8_t modules, switches, loops, groups, processes;
    char module[MODULE_MAX][CONFIG_NAME];
    char unit[MODULE_MAX][GROUP_MAX][CONFIG_NAME]; /* "A1": module name and group number */
    struct {
        char name[CONFIG_NAME];
        uint8_t portals;
        unsigned portal_line[CONFIG_PORTAL_MAX]; /* of the file, for sentences */
        char portal[CONFIG_PORTAL_MAX][64]; /* listen address "address:port", IPv6 in brackets */
        char announce[CONFIG_PORTAL_MAX]
                     [64]; /* what other portals' hosts are told; default: portal */
    } iswitch[SWITCH_MAX];
    struct {
        char name[CONFIG_NAME];
        char tray[CONFIG_NAME];
        uint8_t drives;
        struct config_drive drive[SLOT_MAX];
    } loop[LOOP_MAX];
    struct {
        char name[CONFIG_NAME];
        uint8_t members;
        uint8_t member[MODULE_MAX]; /* modules in order; the first is preferred */
        bool owner;
    } group[GROUP_MAX];
    struct config_process process[CONFIG_PROCESS_MAX];
    /* create: in the order of the file; pools, volumes, hosts, then maps (LUN by position, or
     * `lun:`). Hosts come before maps: so nobody else ever sees what is theirs. */
    uint16_t creates;
    struct {
        uint8_t group;
        struct manage_request
            request; /* uuid: made from array and object name, so always the same */
    } create[CONFIG_STEP_MAX];
};

enum { CONFIG_SENTENCE = 1024, CONFIG_SOCKET_PATH_MAX = 107 };

/* 0, or -1 and a sentence ("array.yaml:12: drives: ...; do ..."). The environment's SEGUE_STATE, if
 * it is set, stands for the file's `state:` (segue up --state sets it for the parts that it
 * starts). */
int config_read(const char *path, struct config *out, char *sentence, size_t sentence_bytes);
/* The same of a text that stands in `path`. Asks nothing of the file system. `state`: NULL, or what
 * stands for the text's `state:`. */
int config_parse(const char *path, const char *text, size_t length, const char *state,
                 struct config *out, char *sentence, size_t sentence_bytes);
/* Every drive's file is there, or may be made: 0, or -1 and a sentence. What a new array needs; a
 * daemon whose drive has vanished serves the others. */
int config_check_drives(const struct config *config, char *sentence, size_t sentence_bytes);
/* The secrets that chap: names, from their files: 0, or -1 and a sentence: a file that others can
 * read, a secret that is too short, the same one in both directions. */
int config_read_secrets(const struct config *config, struct secrets *out, char *sentence,
                        size_t sentence_bytes);
/* Which process runs a part: index, or -1. */
int config_process_of_port(const struct config *config, port_id port);
/* Names of parts: "A1", "IS1", "L1"; for managers "A". Never NULL. */
const char *config_port_name(const struct config *config, port_id port);
/* Path of a process's management socket (at most CONFIG_SOCKET_PATH_MAX bytes). */
void config_socket_path(const struct config *config, int process, char *out, size_t bytes);
/* "t0/07" of drive number; and back (-1: no such drive). */
void config_drive_name(const struct config *config, int drive, char *out, size_t bytes);
int config_drive_number(const struct config *config, const char *name);

#endif
