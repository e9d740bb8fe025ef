/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_main [FILE...]: the inputs in the files, or else samples with flipped, cut and added bytes.
 * fuzz_main --corpus DIRECTORY: the inputs in all its files.
 * fuzz_main --samples DIRECTORY: writes good samples there, for libFuzzer to begin with. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 16, ROUNDS = 20000, SAMPLES = 400 };

static uint64_t state = 1;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* From memory of exactly that length, so that a sanitizer sees a step beyond it. */
static void run(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        exit(2);
    for (size_t i = 0; i < length; i++)
        copy[i] = bytes[i];
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static size_t change(uint8_t *bytes, size_t length)
{
    for (uint64_t flips = random_number() % 6; flips > 0 && length > 0; flips--) {
        size_t at = random_number() % length;
        if (random_number() % 2)
            bytes[at] ^= (uint8_t)(1 << random_number() % 8);
        else
            bytes[at] = (uint8_t)random_number();
    }
    if (random_number() % 4 == 0)
        length = random_number() % (length + 1);
    for (uint64_t more = random_number() % 8 ? 0 : random_number() % 16;
         more > 0 && length < INPUT_MAX; more--)
        bytes[length++] = (uint8_t)random_number();
    return length;
}

static int write_samples(const char *directory, uint8_t *bytes)
{
    for (uint64_t i = 0; i < SAMPLES; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/sample-%03u", directory, (unsigned)i);
        FILE *file = fopen(path, "wb");
        if (!file) {
            fprintf(stderr, "fuzz: cannot write %s\n", path);
            return 2;
        }
        fwrite(bytes, 1, fuzz_sample(i, bytes, INPUT_MAX), file);
        fclose(file);
    }
    return 0;
}

static bool run_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "fuzz: cannot open %s\n", path);
        return false;
    }
    run(bytes, fread(bytes, 1, INPUT_MAX, file));
    fclose(file);
    return true;
}

static int run_corpus(const char *directory, uint8_t *bytes)
{
    DIR *entries = opendir(directory);
    unsigned count = 0;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (!run_file(path, bytes))
            return 2;
        count++;
    }
    if (entries)
        closedir(entries);
    printf("%u inputs\n", count);
    return count ? 0 : 2; /* no corpus is a mistake */
}

int main(int argc, char **argv)
{
    static uint8_t bytes[INPUT_MAX];
    if (argc == 3 && strcmp(argv[1], "--corpus") == 0)
        return run_corpus(argv[2], bytes);
    if (argc == 3 && strcmp(argv[1], "--samples") == 0)
        return write_samples(argv[2], bytes);
    for (int i = 1; i < argc; i++)
        if (!run_file(argv[i], bytes))
            return 2;
    for (uint64_t round = 0; argc < 2 && round < ROUNDS; round++)
        run(bytes, change(bytes, fuzz_sample(round, bytes, sizeof bytes)));
    return 0;
}
