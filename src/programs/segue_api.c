/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/segue.h"
#include "programs/segue_place.h"
#include "programs/segue_request.h"

/* segue api: the management process. It gets the table of verbs, so that HTTP has what the command
 * line has. */

enum { VERBS_MAX = 96 };

static struct config config; /* one a process; too large for a stack */
static struct api_verb verbs[VERBS_MAX];

static json_t *status_now(size_t *answered)
{
    return request_status(&config, 1000, answered);
}

/* Verbs that change nothing are routes of their own: GET. Users and tokens have theirs, too, since
 * their secrets are no words of a command line. */
static bool is_change(const struct segue_command *command)
{
    static const char *const reads[] = {"list", "show", "takeovers", "smart"};
    for (size_t i = 0; command->verb && i < sizeof reads / sizeof reads[0]; i++)
        if (strcmp(command->verb, reads[i]) == 0)
            return false;
    return command->verb && strcmp(command->noun, "user") != 0 &&
           strcmp(command->noun, "token") != 0;
}

/* "add-iqn" becomes "add_iqn", "size" of a SIZE "size_bytes". */
static void name_property(char *out, size_t bytes, const char *word, enum api_kind kind)
{
    snprintf(out, bytes, "%s%s", word, kind == API_KIND_BYTES ? "_bytes" : "");
    for (char *at = out; *at; at++)
        if (*at == '-')
            *at = '_';
}

static enum api_kind kind_of(const char *value)
{
    return !value                                                      ? API_KIND_FLAG
           : strcmp(value, "SIZE") == 0 || strcmp(value, "BYTES") == 0 ? API_KIND_BYTES
           : strcmp(value, "NUMBER") == 0                              ? API_KIND_NUMBER
           : strcmp(value, "LIST") == 0                                ? API_KIND_LIST
                                                                       : API_KIND_TEXT;
}

static void take_flags(const struct segue_command *command, struct api_verb *verb)
{
    const uint64_t own = UINT64_C(1) << SEGUE_FLAG_STATE | UINT64_C(1) << SEGUE_FLAG_OUTPUT |
                         UINT64_C(1) << SEGUE_FLAG_QUIET;
    for (int f = 0; f < SEGUE_FLAGS && verb->flags < API_FLAGS; f++) {
        if (!((command->flags & ~own) >> f & 1))
            continue;
        struct api_flag *flag = &verb->flag[verb->flags++];
        const struct segue_flag_row *row = segue_flag_row(f);
        flag->word = row->word;
        flag->help = row->help;
        flag->words = row->words;
        flag->kind = kind_of(row->value);
        flag->needed = command->needed >> f & 1;
        name_property(flag->property, sizeof flag->property, flag->word, flag->kind);
    }
}

/* "CODE [OBJECT]": the words, small, without what surrounds them; "[on|off]" is a state. */
static void take_arguments(const struct segue_command *command, struct api_verb *verb)
{
    const char *at = command->arguments;
    while (*at && verb->arguments < command->most && verb->arguments < API_ARGUMENTS) {
        size_t length = 0, blank;
        char *word = verb->argument[verb->arguments++];
        at += strspn(at, " [");
        blank = strcspn(at, " ");
        while (isupper((unsigned char)at[length]) && length + 1 < API_WORD) {
            word[length] = (char)tolower((unsigned char)at[length]);
            length++;
        }
        word[length] = 0;
        if (!length)
            snprintf(word, API_WORD, "state");
        at += blank;
    }
    verb->least = command->least;
    /* of what a verb is about, the name is called so everywhere */
    if (verb->arguments)
        snprintf(verb->argument[0], API_WORD, "name");
}

static size_t take_verbs(void)
{
    size_t count, taken = 0;
    const struct segue_command *command = segue_commands(&count);
    for (; count > 0; count--, command++) {
        if (!is_change(command) || taken == VERBS_MAX)
            continue;
        struct api_verb *verb = &verbs[taken++];
        *verb = (struct api_verb){.noun = command->noun,
                                  .verb = command->verb,
                                  .help = command->help,
                                  .more = command->more};
        take_flags(command, verb);
        take_arguments(command, verb);
    }
    return taken;
}

int segue_api(const struct segue_call *call)
{
    char sentence[CONFIG_SENTENCE], program[PATH_MAX];
    int code = place_find(call, call->argument[0], &config);
    if (code != SEGUE_EXIT_DONE)
        return code;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
    const struct api_setup setup = {.config = &config,
                                    .program = program,
                                    .version = SEGUE_VERSION,
                                    .verb = verbs,
                                    .verbs = take_verbs(),
                                    .status = status_now};
    code = api_run(&setup, sentence, sizeof sentence);
    return code ? segue_fail(call, SEGUE_EXIT_USAGE, "NOT_STARTED", NULL, "api: %s", sentence)
                : SEGUE_EXIT_DONE;
}
