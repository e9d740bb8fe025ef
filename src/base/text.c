/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

struct text text_in(char *at, uint32_t bytes)
{
    if (bytes)
        at[0] = 0;
    return (struct text){at, bytes, 0};
}

static void put(struct text *t, char c)
{
    if (t->length + 1 >= t->bytes)
        return;
    t->at[t->length++] = c;
    t->at[t->length] = 0;
}

void text_append(struct text *t, const char *words)
{
    while (*words)
        put(t, *words++);
}

void text_padded(struct text *t, uint64_t number, uint32_t digits)
{
    char reversed[20];
    uint32_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (uint32_t i = count; i < digits; i++)
        put(t, '0');
    while (count)
        put(t, reversed[--count]);
}

void text_number(struct text *t, uint64_t number)
{
    text_padded(t, number, 1);
}
