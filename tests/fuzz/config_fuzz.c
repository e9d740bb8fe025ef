/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file. What is refused has a sentence of one line; what is taken has names and
 * places that hang together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/config.h"
#include "tests/fuzz/fuzz.h"

static void check_taken(const struct config *config)
{
    char path[CONFIG_PATH];
    for (int m = 0; m < config->modules; m++)
        if (config_process_of_port(config, port_manager(m)) < 0)
            abort();
    for (int g = 0; g < config->groups; g++)
        if (config->group[g].members == 0 || config->group[g].members > config->modules)
            abort();
    for (int i = 0; i < config->processes; i++) {
        config_socket_path(config, i, path, sizeof path);
        if (strlen(path) > CONFIG_SOCKET_PATH_MAX)
            abort();
    }
    for (int l = 0; l < config->loops; l++) {
        char name[64];
        int drive = l * 32 + config->loop[l].drive[0].slot;
        config_drive_name(config, drive, name, sizeof name);
        if (config_drive_number(config, name) != drive)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct config config;
    char sentence[CONFIG_SENTENCE] = "";
    if (config_parse("/etc/segue.yaml", (const char *)bytes, length, NULL, &config, sentence,
                     sizeof sentence) == 0)
        check_taken(&config);
    else if (!sentence[0] || strchr(sentence, '\n'))
        abort();
    return 0;
}

size_t fuzz_sample(uint64_t number, uint8_t *out, size_t capacity)
{
    static const char *const links[] = {"unix", "tcp"};
    static const char *const levels[] = {"raid0", "raid1", "raid10", "raid5", "raid6"};
    int length = snprintf(
        (char *)out, capacity,
        "array: lab%d\nstate: ./s\nlinks: %s\nlimits: {availability: %dms, settle: manual}\n"
        "parts:\n  modules: [A, B]\n  switches:\n"
        "  - {name: IS1, portals: [\"127.0.0.1:%d\"]}\n  loops:\n"
        "  - {name: L1, tray: t0, drives: 4, size: 256MiB}\n"
        "  - {name: L2, tray: t1, drives: [{slot: 0, path: /dev/x}, {slot: 7, path: y}]}\n"
        "groups:\n- {name: g1, members: [A, B], owner: true}\n- {name: g2, members: [B]}\n"
        "processes: [{name: x, parts: [A, IS1]}]\n"
        "create:\n  pools: [{name: p, group: g%d, level: %s, drives: [t0/00-01, t1/00-07]}]\n"
        "  volumes:\n  - {name: v, pool: p, size: 64MiB, block: 4096, lun: %d}\n",
        (int)(number % 7), links[number % 2], (int)(100 + number % 100), (int)(3260 + number % 9),
        (int)(1 + number % 3), levels[number / 2 % 5], (int)(number % 300));
    return length < 0 || (size_t)length >= capacity ? 0 : (size_t)length;
}
