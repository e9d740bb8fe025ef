/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_CATALOGUE_H
#define SEGUE_MANAGE_CATALOGUE_H

/* Every health code and every event that an array can show: what it means, what it does to hosts,
 * what to do. One table feeds status, `segue explain`, the API and docs/CODES.md. */

#include <jansson.h>
#include <stddef.h>

enum catalogue_kind { CATALOGUE_CHECK, CATALOGUE_EVENT };
enum catalogue_severity { CATALOGUE_INFO, CATALOGUE_WARNING, CATALOGUE_CRITICAL };

struct catalogue_entry {
    const char *code; /* never changes its meaning */
    enum catalogue_kind kind;
    enum catalogue_severity severity;
    const char *object;  /* what it is said of: "group", "drive", ... */
    const char *meaning; /* one sentence */
    const char *effect;  /* on hosts and data */
    const char *remedy;
    const char *metrics; /* where to see it in /metrics, or NULL */
    /* of an event: the first word of the notice, and what it must say besides ("phase=serve"), or
     * NULL. The first entry that fits is it. */
    const char *word, *says;
};

size_t catalogue_count(void);
const struct catalogue_entry *catalogue_at(size_t i);
/* NULL: there is none. */
const struct catalogue_entry *catalogue_find(const char *code);
/* The code that is nearest to a mistyped one, or NULL. */
const char *catalogue_suggest(const char *code);
/* Which event that text of a notice is; NULL: none. */
const struct catalogue_entry *catalogue_of_notice(const char *text);

/* The entry as JSON; the caller owns it. */
json_t *catalogue_json(const struct catalogue_entry *entry);
const char *catalogue_severity_name(enum catalogue_severity severity);
const char *catalogue_kind_name(enum catalogue_kind kind);

#endif
