/* SPDX-License-Identifier: Apache-2.0 */
/* Making a loop switch: what it stored in earlier lives, and its drives.
 *
 * A drive that was there in an earlier life (STATE/loop/NAME.drives lists them) and is not any more
 * is a drive that has failed: the array goes on without it, and never gets an empty file in its
 * place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/store.h"
#include "loopswitch/loopswitch.h"
#include "node/node_state.h"

enum { LIST_BYTES = SLOT_MAX * (CONFIG_PATH + 8) + 1 };

static void state_path(const struct node *node, const struct part *part, const char *suffix,
                       char *out, size_t bytes)
{
    snprintf(out, bytes, "%s/loop/%s.%s", node->config->state, part->trace.name, suffix);
}

/* A line "slot path" of the list. */
static bool is_listed(const char *list, const struct config_drive *drive)
{
    char line[CONFIG_PATH + 16];
    int length = snprintf(line, sizeof line, "%02u %s\n", drive->slot, drive->path);
    for (const char *at = list; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, line, (size_t)length) == 0)
            return true;
    return false;
}

static int read_list(const char *path, char *list, char *sentence, size_t bytes)
{
    long length = store_read(path, list, LIST_BYTES - 1);
    if (length < 0) {
        snprintf(sentence, bytes, "%s cannot be read: %s", path, strerror(errno));
        return -1;
    }
    list[length] = 0;
    return 0;
}

static int write_list(const struct node *node, const struct part *part, const char *path,
                      const char *before, char *sentence, size_t bytes)
{
    char list[LIST_BYTES] = "";
    size_t length = 0;
    for (uint8_t i = 0; i < node->config->loop[part->number].drives; i++) {
        const struct config_drive *drive = &node->config->loop[part->number].drive[i];
        length += (size_t)snprintf(list + length, sizeof list - length, "%02u %s\n", drive->slot,
                                   drive->path);
    }
    if (strcmp(list, before) == 0 || store_write(path, list, length))
        return 0;
    snprintf(sentence, bytes, "%s cannot be written: %s", path, strerror(errno));
    return -1;
}

static void say_drive(struct node *node, const char *name, const struct drive_facts *facts)
{
    if (!facts->online)
        return;
    trace_info(&node->trace, "drive %s: %llu MiB, blocks of %u, %s", name,
               (unsigned long long)(facts->bytes >> 20), facts->block_bytes,
               facts->direct ? "direct (O_DIRECT)"
                             : "through the page cache: its file system takes no O_DIRECT");
}

uint8_t node_content(const struct drive_facts *facts)
{
    if (!*facts->signature)
        return DRIVE_CONTENT_NONE;
    return strcmp(facts->signature, SIGNATURE_POOL) == 0 ? DRIVE_CONTENT_POOL
                                                         : DRIVE_CONTENT_FOREIGN;
}

static int open_drive(struct node *node, struct part *part, const struct config_drive *drive,
                      bool existed, struct loopswitch_config *out, char *sentence, size_t bytes)
{
    char *name = node->drive_name[part->number][drive->slot];
    config_drive_name(node->config, part->number * 32 + drive->slot, name,
                      sizeof node->drive_name[0][0]);
    struct drive_open what = {.name = name,
                              .create_bytes = drive->create_bytes,
                              .may_be_missing = existed || drive->may_be_empty,
                              .owner = (uint32_t)(part - node->part)};
    snprintf(what.path, sizeof what.path, "%s", drive->path);
    char reason[512];
    int number = drives_open(loop_drives(node->loop), &what, reason, sizeof reason);
    if (number < 0) {
        snprintf(sentence, bytes, "%s:%u: %s", node->config->file, drive->line, reason);
        return -1;
    }
    struct drive_facts facts;
    drives_facts(loop_drives(node->loop), (uint32_t)number, &facts);
    say_drive(node, name, &facts);
    part->drive_of_slot[drive->slot] = number;
    out->drive[out->drives].slot = drive->slot;
    out->drive[out->drives].online = facts.online;
    out->drive[out->drives].al_pa = drive->al_pa;
    out->drive[out->drives].content = node_content(&facts);
    out->drive[out->drives].bytes = facts.bytes;
    out->drive[out->drives].block_bytes = facts.block_bytes;
    memcpy(out->drive[out->drives].serial, facts.serial, sizeof facts.serial);
    out->drives++;
    return 0;
}

static int read_stored(struct part *part, struct loopswitch_config *out, char *sentence,
                       size_t bytes)
{
    long length = store_get(part->store_path, out->stored, sizeof out->stored);
    if (length < 0) {
        snprintf(sentence, bytes,
                 "%s cannot be read, or is damaged; it holds the fences of this loop switch",
                 part->store_path);
        return -1;
    }
    out->stored_length = (uint32_t)length;
    return 0;
}

int node_build_loop(struct node *node, uint8_t number, char *sentence, size_t sentence_bytes)
{
    struct part *part = node_add_part(node, &part_loop, port_loop(number));
    struct loopswitch_config loop = {.index = number,
                                     .incarnation = node->incarnation,
                                     .groups = node->config->groups,
                                     .limits = node->config->limits,
                                     .commands_max =
                                         NODE_DRIVE_COMMANDS * node->config->loop[number].drives,
                                     .buffers = loop_buffers(node->loop)};
    char list_path[NODE_PATH_BYTES], list[LIST_BYTES];
    for (int s = 0; s < SLOT_MAX; s++)
        part->drive_of_slot[s] = -1;
    state_path(node, part, "fence", part->store_path, sizeof part->store_path);
    state_path(node, part, "drives", list_path, sizeof list_path);
    if (read_stored(part, &loop, sentence, sentence_bytes) ||
        read_list(list_path, list, sentence, sentence_bytes))
        return -1;
    for (uint8_t i = 0; i < node->config->loop[number].drives; i++) {
        const struct config_drive *drive = &node->config->loop[number].drive[i];
        bool existed = is_listed(list, drive) || (!list[0] && loop.stored_length);
        if (open_drive(node, part, drive, existed, &loop, sentence, sentence_bytes))
            return -1;
    }
    if (write_list(node, part, list_path, list, sentence, sentence_bytes))
        return -1;
    part->machine = loopswitch_new(&loop, &part->trace);
    if (part->machine)
        return 0;
    snprintf(sentence, sentence_bytes,
             "%s is damaged; it holds the fences of %s: restore it, or (only with every module "
             "stopped) remove it",
             part->store_path, part->trace.name);
    return -1;
}
