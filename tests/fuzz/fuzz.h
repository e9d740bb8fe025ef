/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_TESTS_FUZZ_H
#define SEGUE_TESTS_FUZZ_H

/* A fuzz harness is one file with these two functions. It is built twice: with fuzz_main.c, which
 * flips bits of samples for a moment (any compiler; the test that runs always), and with
 * clang's libFuzzer, which looks for new paths for as long as one lets it. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
/* A good input, one of many by `number`, into `out`. Returns its length. */
size_t fuzz_sample(uint64_t number, uint8_t *out, size_t capacity);

#endif
