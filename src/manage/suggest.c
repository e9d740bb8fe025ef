/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 40 };

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many letters must be put in, left out, changed or swapped with their neighbour to make one
 * word of the other (optimal string alignment), capitals aside. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return UINT32_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            int here = tolower((unsigned char)a[i - 1]), there = tolower((unsigned char)b[j - 1]);
            row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (here != there));
            if (i > 1 && j > 1 && here == tolower((unsigned char)b[j - 2]) &&
                there == tolower((unsigned char)a[i - 2]) && two_above[j - 2] + 1 < row[j])
                row[j] = two_above[j - 2] + 1;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *suggest_word(const char *typed, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    unsigned least = 1 + (unsigned)strlen(typed) / 3;
    for (size_t i = 0; i < count; i++) {
        unsigned d = words[i] ? distance(typed, words[i]) : UINT32_MAX;
        if (d < least || (d == least && !nearest)) {
            least = d;
            nearest = words[i];
        }
    }
    return nearest;
}
