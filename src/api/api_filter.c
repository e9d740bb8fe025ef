/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_state.h"

/* Filters of lists: "state!=optimal,size_bytes>=1073741824": all of it must hold. */

enum operation { EQUAL, UNEQUAL, LEAST, MOST, ABOVE, BELOW, OPERATIONS };
static const char *const operations[OPERATIONS] = {"=", "!=", ">=", "<=", ">", "<"};

struct term {
    char key[48], value[128];
    enum operation operation;
};

static enum operation operation_at(const char *text)
{
    static const enum operation order[] = {UNEQUAL, LEAST, MOST, ABOVE, BELOW, EQUAL};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (strncmp(text, operations[order[i]], strlen(operations[order[i]])) == 0)
            return order[i];
    return OPERATIONS;
}

/* One term; moves *text behind it. False: that is none. */
static bool next_term(const char **text, struct term *term)
{
    size_t name = strspn(*text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (name == 0 || name >= sizeof term->key)
        return false;
    snprintf(term->key, sizeof term->key, "%.*s", (int)name, *text);
    term->operation = operation_at(*text + name);
    if (term->operation == OPERATIONS)
        return false;
    const char *value = *text + name + strlen(operations[term->operation]);
    size_t length = strcspn(value, ",");
    if (length >= sizeof term->value)
        return false;
    snprintf(term->value, sizeof term->value, "%.*s", (int)length, value);
    *text = value + length + (value[length] == ',');
    return true;
}

bool api_filter_parse(const char *text, char *why, size_t bytes)
{
    struct term term;
    const char *at = text;
    while (*at)
        if (!next_term(&at, &term)) {
            snprintf(why, bytes, "\"%.40s\" is no filter", at);
            return false;
        }
    return true;
}

/* Numbers as numbers, anything else as text: -1, 0 or 1; 2: they cannot be compared. */
static int compare(const json_t *have, const char *value)
{
    char *end;
    if (json_is_number(have)) {
        double wanted = strtod(value, &end), is = json_number_value(have);
        return end == value || *end ? 2 : is < wanted ? -1 : is > wanted;
    }
    const char *text = json_is_string(have)  ? json_string_value(have)
                       : json_is_true(have)  ? "true"
                       : json_is_false(have) ? "false"
                                             : "null";
    int order = strcmp(text, value);
    return order < 0 ? -1 : order > 0;
}

static bool holds(const struct term *term, const json_t *object)
{
    const json_t *have = json_object_get(object, term->key);
    int order = have ? compare(have, term->value) : 2;
    switch (term->operation) {
    case EQUAL:
        return order == 0;
    case UNEQUAL:
        return order != 0;
    case LEAST:
        return order == 0 || order == 1;
    case MOST:
        return order == 0 || order == -1;
    case ABOVE:
        return order == 1;
    case BELOW:
        return order == -1;
    case OPERATIONS:
        break;
    }
    return false;
}

bool api_filter_match(const char *text, const json_t *object)
{
    struct term term;
    while (*text)
        if (!next_term(&text, &term) || !holds(&term, object))
            return false;
    return true;
}
