/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit_word {
    const char *word;
    uint64_t factor;
};

static const struct unit_word size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1ull << 10},
    {"MiB", 1ull << 20},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
    {"PiB", 1ull << 50},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"PB", 1000000000000000},
};

static const struct unit_word time_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"min", 60000000000},
    {"h", 3600000000000},
    {"d", 86400000000000},
};

/* Digits from *text on; moves *text behind them. False: none, or too many. */
static bool read_digits(const char **text, uint64_t *number)
{
    const char *at = *text;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    bool any = at != *text;
    *text = at;
    *number = value;
    return any;
}

static const struct unit_word *find_unit(const struct unit_word *units, size_t count,
                                         const char *word)
{
    while (*word == ' ')
        word++;
    for (size_t i = 0; i < count; i++)
        if (strcmp(units[i].word, word) == 0)
            return &units[i];
    return NULL;
}

bool quantity_number(const char *text, uint64_t *number)
{
    return read_digits(&text, number) && *text == 0;
}

bool quantity_size(const char *text, uint64_t *bytes)
{
    uint64_t number;
    if (!read_digits(&text, &number))
        return false;
    const struct unit_word *unit =
        find_unit(size_units, sizeof size_units / sizeof size_units[0], text);
    return unit && !__builtin_mul_overflow(number, unit->factor, bytes) && *bytes <= INT64_MAX;
}

bool quantity_time(const char *text, uint64_t *ns)
{
    uint64_t whole, part = 0, scale = 1;
    if (!read_digits(&text, &whole))
        return false;
    if (*text == '.') {
        const char *digits = ++text;
        if (!read_digits(&text, &part) || text - digits > 9)
            return false;
        for (; digits < text; digits++)
            scale *= 10;
    }
    const struct unit_word *unit =
        find_unit(time_units, sizeof time_units / sizeof time_units[0], text);
    uint64_t value;
    if (!unit || __builtin_mul_overflow(whole, unit->factor, &value))
        return false;
    /* part < 10^9 and the largest unit is below 10^14: only the product needs care */
    value += (uint64_t)((double)part / (double)scale * (double)unit->factor + 0.5);
    *ns = value;
    return value < 1ull << 62;
}

void quantity_size_text(uint64_t bytes, char *out, size_t out_bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = 0;
    double value = (double)bytes;
    for (; value >= 1023.5 && unit < 6; unit++)
        value /= 1024;
    bool whole = value >= 99.95 || value - (double)(uint64_t)value < 0.05;
    snprintf(out, out_bytes, "%.*f %s", whole ? 0 : 1, value, units[unit]);
}

void quantity_size_exact(uint64_t bytes, char *out, size_t out_bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int unit = 0;
    for (; bytes && bytes % 1024 == 0 && unit < 5; unit++)
        bytes /= 1024;
    snprintf(out, out_bytes, "%" PRIu64 "%s", bytes, units[unit]);
}

void quantity_age_text(uint64_t ns, char *out, size_t out_bytes)
{
    uint64_t seconds = ns / 1000000000;
    if (seconds < 60)
        snprintf(out, out_bytes, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        snprintf(out, out_bytes, "%" PRIu64 "m", seconds / 60);
    else if (seconds < 2 * 86400)
        snprintf(out, out_bytes, "%" PRIu64 "h", seconds / 3600);
    else
        snprintf(out, out_bytes, "%" PRIu64 "d", seconds / 86400);
}

void quantity_time_text(uint64_t ns, char *out, size_t out_bytes)
{
    if (ns < 1000)
        snprintf(out, out_bytes, "%" PRIu64 " ns", ns);
    else if (ns < 1000000)
        snprintf(out, out_bytes, "%" PRIu64 " us", ns / 1000);
    else if (ns < 10000000)
        snprintf(out, out_bytes, "%.1f ms", (double)ns / 1e6);
    else if (ns < 1000000000)
        snprintf(out, out_bytes, "%" PRIu64 " ms", ns / 1000000);
    else
        snprintf(out, out_bytes, "%.1f s", (double)ns / 1e9);
}
