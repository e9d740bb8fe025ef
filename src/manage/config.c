/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/config_draft.h"
#include "manage/config_tree.h"
#include "manage/quantity.h"

static int parse_tree(const struct config_tree *tree, const char *state, struct config *out,
                      const struct config_complaint *where)
{
    struct config_draft *draft = calloc(1, sizeof *draft);
    if (!draft) {
        config_complain(where, 1, "", "there is no memory to check it");
        return -1;
    }
    bool good = config_schema_fill(config_tree_root(tree), draft, where);
    if (good && state) {
        draft->state.given = true;
        draft->state.text = state;
    }
    good = good && config_check(draft, out, where) && config_secrets_check(draft, out, where) &&
           config_api_check(draft, out, where) && config_create_check(draft, out, where);
    free(draft);
    return good ? 0 : -1;
}

int config_parse(const char *path, const char *text, size_t length, const char *state,
                 struct config *out, char *sentence, size_t sentence_bytes)
{
    const struct config_complaint where = {path, sentence, sentence_bytes};
    memset(out, 0, sizeof *out);
    out->limits = limits_default();
    int file_length =
        snprintf(out->file, sizeof out->file, "%s%s", path[0] == '/' ? "" : "./", path);
    if (file_length < 0 || file_length >= CONFIG_PATH) {
        config_complain(&where, 1, "", "the path of the file is over %d bytes; move it",
                        CONFIG_PATH - 1);
        return -1;
    }
    struct config_tree *tree = config_tree_new(path, text, length, sentence, sentence_bytes);
    if (!tree)
        return -1;
    int result = parse_tree(tree, state, out, &where);
    config_tree_free(tree);
    return result;
}

/* The whole file in memory that the caller frees; NULL and a sentence. */
static char *read_file(const char *path, size_t *length, char *sentence, size_t sentence_bytes)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(sentence, sentence_bytes, "%s: it cannot be read: %s; check the path", path,
                 strerror(errno));
        return NULL;
    }
    char *text = malloc(CONFIG_FILE_BYTES + 1);
    *length = text ? fread(text, 1, CONFIG_FILE_BYTES + 1, file) : 0;
    bool failed = !text || ferror(file) || *length > CONFIG_FILE_BYTES;
    fclose(file);
    if (!failed)
        return text;
    snprintf(sentence, sentence_bytes,
             "%s: it cannot be read, or has more than %d bytes; check the path", path,
             CONFIG_FILE_BYTES);
    free(text);
    return NULL;
}

/* Sentences name the file as the person did; paths in it begin at where it really is. */
static int parse_file(const char *path, const char *real, const char *text, size_t length,
                      struct config *out, char *sentence, size_t sentence_bytes)
{
    char found[CONFIG_SENTENCE], absolute[CONFIG_PATH * 2];
    const char *state = getenv("SEGUE_STATE");
    if (state && *state && *state != '/') {
        char here[CONFIG_PATH];
        if (!getcwd(here, sizeof here))
            here[0] = 0;
        snprintf(absolute, sizeof absolute, "%s/%s", here, state);
        state = absolute;
    }
    if (config_parse(real, text, length, state && *state ? state : NULL, out, found,
                     sizeof found) == 0)
        return 0;
    bool named = strncmp(found, real, strlen(real)) == 0;
    snprintf(sentence, sentence_bytes, "%s%s", named ? path : "",
             named ? found + strlen(real) : found);
    return -1;
}

int config_read(const char *path, struct config *out, char *sentence, size_t sentence_bytes)
{
    size_t length;
    char *text = read_file(path, &length, sentence, sentence_bytes);
    if (!text)
        return -1;
    char *real = realpath(path, NULL);
    int result = parse_file(path, real ? real : path, text, length, out, sentence, sentence_bytes);
    free(real);
    free(text);
    return result;
}

static int check_drive(const struct config *config, const struct config_drive *drive,
                       char *sentence, size_t sentence_bytes)
{
    struct stat found;
    int fd = open(drive->path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && (drive->create_bytes || drive->may_be_empty))
        return 0;
    if (fd < 0) {
        snprintf(sentence, sentence_bytes, "%s:%u: parts.loops.drives: %s: %s; %s", config->file,
                 drive->line, drive->path,
                 errno == ENOENT ? "there is no such file" : strerror(errno),
                 errno == ENOENT ? "add \"size:\" to have it made, or correct the path"
                                 : "check its owner and mode");
        return -1;
    }
    bool usable = fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISBLK(found.st_mode));
    close(fd);
    if (usable)
        return 0;
    snprintf(sentence, sentence_bytes,
             "%s:%u: parts.loops.drives: %s is neither a file nor a block device; name one of them",
             config->file, drive->line, drive->path);
    return -1;
}

int config_check_drives(const struct config *config, char *sentence, size_t sentence_bytes)
{
    for (int l = 0; l < config->loops; l++)
        for (int i = 0; i < config->loop[l].drives; i++)
            if (check_drive(config, &config->loop[l].drive[i], sentence, sentence_bytes) != 0)
                return -1;
    return 0;
}

int config_process_of_port(const struct config *config, port_id port)
{
    int index = port_index(port);
    for (int i = 0; i < config->processes; i++) {
        const struct config_process *process = &config->process[i];
        unsigned parts = 0;
        switch (port_kind(port)) {
        case PORT_KIND_SWITCH:
            parts = process->switches;
            break;
        case PORT_KIND_UNIT:
        case PORT_KIND_MANAGER:
            parts = process->modules;
            break;
        case PORT_KIND_LOOP:
            parts = process->loops;
            break;
        case PORT_KIND_NONE:
            break;
        }
        if (index >= 0 && index < 8 && (parts >> index & 1))
            return i;
    }
    return -1;
}

const char *config_port_name(const struct config *config, port_id port)
{
    int index = port_index(port), sub = port_sub(port);
    switch (port_kind(port)) {
    case PORT_KIND_SWITCH:
        return index >= 0 && index < config->switches ? config->iswitch[index].name : "?";
    case PORT_KIND_UNIT:
        return index >= 0 && index < config->modules && sub >= 0 && sub < GROUP_MAX
                   ? config->unit[index][sub]
                   : "?";
    case PORT_KIND_LOOP:
        return index >= 0 && index < config->loops ? config->loop[index].name : "?";
    case PORT_KIND_MANAGER:
        return index >= 0 && index < config->modules ? config->module[index] : "?";
    case PORT_KIND_NONE:
        break;
    }
    return "?";
}

void config_socket_path(const struct config *config, int process, char *out, size_t bytes)
{
    snprintf(out, bytes, "%.200s/run/%s.sock", config->state, config->process[process].name);
}

void config_drive_name(const struct config *config, int drive, char *out, size_t bytes)
{
    int loop = drive / 32;
    if (drive < 0 || loop >= config->loops)
        snprintf(out, bytes, "?/%d", drive);
    else
        snprintf(out, bytes, "%s/%02d", config->loop[loop].tray, drive % 32);
}

int config_drive_number(const struct config *config, const char *name)
{
    const char *slash = strrchr(name, '/');
    uint64_t slot;
    if (!slash || !quantity_number(slash + 1, &slot))
        return -1;
    for (int l = 0; l < config->loops; l++) {
        const char *tray = config->loop[l].tray;
        if (strlen(tray) != (size_t)(slash - name) || strncmp(tray, name, strlen(tray)) != 0)
            continue;
        for (int i = 0; i < config->loop[l].drives; i++)
            if (config->loop[l].drive[i].slot == slot)
                return l * 32 + (int)slot;
    }
    return -1;
}
