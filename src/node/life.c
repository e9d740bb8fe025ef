/* SPDX-License-Identifier: Apache-2.0 */
#include "node/life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/store.h"

enum { LIFE_PATH_BYTES = 512, LIFE_TEXT_BYTES = 32, CHANCE_BITS = 16 };

int life_make_directory(const char *path)
{
    char part[LIFE_PATH_BYTES];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
        return -1;
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(part, 0777) && errno != EEXIST ? -1 : 0;
}

static void path_of(const struct config *config, int process, const char *suffix, char *out)
{
    snprintf(out, LIFE_PATH_BYTES, "%s/run/%s.%s", config->state, config->process[process].name,
             suffix);
}

int life_next(const struct config *config, int process, uint64_t *incarnation, char *sentence,
              size_t sentence_bytes)
{
    char path[LIFE_PATH_BYTES], text[LIFE_TEXT_BYTES] = "";
    path_of(config, process, "life", path);
    long length = store_read(path, text, sizeof text - 1);
    uint64_t last = length > 0 ? strtoull(text, NULL, 16) : 0;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint64_t chance = 0;
    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        chance = ns;
    uint64_t mask = ((uint64_t)1 << CHANCE_BITS) - 1;
    *incarnation = (ns & ~mask) | (chance & mask);
    /* a life may have counted on from its number, by one for each time that a unit went out */
    if (*incarnation <= last + mask)
        *incarnation = last + 2 * mask;
    snprintf(text, sizeof text, "%016llx\n", (unsigned long long)*incarnation);
    if (length >= 0 && store_write(path, text, strlen(text)))
        return 0;
    snprintf(sentence, sentence_bytes, "%s cannot be read or written: %s", path, strerror(errno));
    return -1;
}

int life_write_pid(const struct config *config, int process, char *sentence, size_t sentence_bytes)
{
    char path[LIFE_PATH_BYTES];
    path_of(config, process, "pid", path);
    FILE *file = fopen(path, "we");
    if (file && fprintf(file, "%ld\n", (long)getpid()) > 0 && fclose(file) == 0)
        return 0;
    snprintf(sentence, sentence_bytes, "%s cannot be written: %s", path, strerror(errno));
    return -1;
}

void life_remove_pid(const struct config *config, int process)
{
    char path[LIFE_PATH_BYTES];
    path_of(config, process, "pid", path);
    unlink(path);
}
