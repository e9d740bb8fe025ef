/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_main [FILE...]: the inputs in the files, or else samples with flipped, cut and added bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 16, ROUNDS = 20000 };

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

int main(int argc, char **argv)
{
    static uint8_t bytes[INPUT_MAX];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            fprintf(stderr, "fuzz: cannot open %s\n", argv[i]);
            return 2;
        }
        run(bytes, fread(bytes, 1, sizeof bytes, file));
        fclose(file);
    }
    for (uint64_t round = 0; argc < 2 && round < ROUNDS; round++)
        run(bytes, change(bytes, fuzz_sample(round, bytes, sizeof bytes)));
    return 0;
}
