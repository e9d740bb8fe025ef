/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_H
#define SEGUE_API_API_H

/* Management over HTTP: a process of its own, so that nothing of it can hold up the data path. It
 * reads the array's management sockets as the command line does, and it has every change made by
 * the command line's own verb, so both have one table, one set of checks and one set of errors.
 *
 *   STATE/run/api.http   HTTP; who may do what is told by the peer's credentials
 *   api.listen           HTTPS; tokens, and sessions of users who log in
 *
 * docs/API.md is its guide; GET /api/v1/openapi.yaml has every route. */

#include <jansson.h>

#include "manage/config.h"

/* What a flag of a verb takes. */
enum api_kind { API_KIND_FLAG, API_KIND_BYTES, API_KIND_NUMBER, API_KIND_LIST, API_KIND_TEXT };

enum { API_ARGUMENTS = 4, API_FLAGS = 40, API_WORD = 32 };

struct api_flag {
    char property[API_WORD]; /* of the JSON body: "size_bytes" */
    const char *word;        /* of the command line: "size" */
    const char *help;
    const char *words; /* "one|two": all that a text can be, or NULL */
    enum api_kind kind;
    bool needed;
};

/* A verb that changes something. */
struct api_verb {
    const char *noun, *verb, *help, *more;
    char argument[API_ARGUMENTS][API_WORD]; /* "name", "module" */
    size_t arguments, least;
    struct api_flag flag[API_FLAGS];
    size_t flags;
};

struct api_setup {
    const struct config *config;
    const char *program; /* the path of segue, which carries verbs out */
    const char *version;
    const struct api_verb *verb;
    size_t verbs;
    /* The merged state of the array, and how many processes said something; the caller owns it. */
    json_t *(*status)(size_t *answered);
};

/* Serves until SIGTERM or SIGINT. 0, or 2 and a sentence: it could not begin. */
int api_run(const struct api_setup *setup, char *sentence, size_t sentence_bytes);

#endif
