/* SPDX-License-Identifier: Apache-2.0 */
/* Completion: the shells' scripts ask this program, which knows the table of commands and can ask
 * the array for its objects. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "manage/catalogue.h"
#include "manage/status_json.h"
#include "programs/segue.h"
#include "programs/segue_place.h"
#include "programs/segue_request.h"

enum { ASK_MS = 500 };

static const char bash_script[] =
    "# bash completion for segue: eval \"$(segue completion bash)\"\n"
    "_segue()\n"
    "{\n"
    "    local IFS=$'\\n'\n"
    "    COMPREPLY=($(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
    "2> /dev/null))\n"
    "}\n"
    "complete -o default -F _segue segue\n";

static const char zsh_script[] =
    "#compdef segue\n"
    "# zsh completion for segue: eval \"$(segue completion zsh)\"\n"
    "_segue()\n"
    "{\n"
    "    local -a found\n"
    "    found=(\"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" "
    "2> /dev/null)}\")\n"
    "    if (( ${#found} )) && [[ -n ${found[1]} ]]; then compadd -a found; else _files; fi\n"
    "}\n"
    "if [[ ${funcstack[1]} = _segue ]]; then _segue; else compdef _segue segue; fi\n";

static const char fish_script[] =
    "# fish completion for segue: segue completion fish | source\n"
    "complete -c segue -a '(set -l words (commandline -opc) (commandline -ct); "
    "segue __complete $words[2..-1] 2> /dev/null)'\n";

int segue_completion(const struct segue_call *call)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (strcmp(call->argument[0], scripts[i].shell) == 0) {
            fputs(scripts[i].script, stdout);
            return SEGUE_EXIT_DONE;
        }
    return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "there are bash, zsh and fish",
                      "there is no completion for \"%.40s\"", call->argument[0]);
}

/* ---- what could stand here ---- */

struct completion {
    const struct segue_command *commands;
    size_t count;
    int words; /* behind "segue"; the last one is the one under the cursor */
    char **word;
    const char *begun;
    struct segue_call call; /* as far as it can be read */
};

static void offer(const struct completion *c, const char *text)
{
    if (strncmp(text, c->begun, strlen(c->begun)) == 0)
        puts(text);
}

/* Each of "one|two". */
static void offer_words(const struct completion *c, const char *words)
{
    char one[64];
    while (*words) {
        size_t length = strcspn(words, "|");
        snprintf(one, sizeof one, "%.*s", (int)length, words);
        offer(c, one);
        words += length + (words[length] == '|');
    }
}

static void offer_names(const struct completion *c, const json_t *list)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) offer(c, status_text_of(entry, "name"));
}

/* A module's name is that of its first unit, without the number. */
static void offer_modules(const struct completion *c, const json_t *units)
{
    size_t i;
    json_t *entry;
    char name[128];
    json_array_foreach(units, i, entry)
    {
        snprintf(name, sizeof name, "%s", status_text_of(entry, "name"));
        size_t length = strlen(name);
        if (!length || name[length - 1] != '1')
            continue;
        name[length - 1] = 0;
        offer(c, name);
    }
}

static void offer_drives(const struct completion *c, const json_t *loops)
{
    size_t i;
    json_t *entry;
    json_array_foreach(loops, i, entry) offer_names(c, json_object_get(entry, "drives"));
}

/* The names of that kind in the array's state. */
static void offer_objects(const struct completion *c, const char *kind)
{
    static struct config config;
    size_t answered;
    char list[64];
    snprintf(list, sizeof list, "%s%s", kind, strcmp(kind, "switch") == 0 ? "es" : "s");
    if (place_find(&c->call, NULL, &config) != SEGUE_EXIT_DONE)
        return;
    json_t *status = request_status(&config, ASK_MS, &answered);
    if (strcmp(kind, "module") == 0)
        offer_modules(c, json_object_get(status, "units"));
    else if (strcmp(kind, "drive") == 0)
        offer_drives(c, json_object_get(status, "loops"));
    else
        offer_names(c, json_object_get(status, list));
    json_decref(status);
}

static void offer_codes(const struct completion *c)
{
    for (size_t i = 0; i < catalogue_count(); i++)
        offer(c, catalogue_at(i)->code);
}

/* What a placeholder of the table stands for: "NAME" is an object of the noun's kind. */
static void offer_for(const struct completion *c, const char *placeholder, const char *noun)
{
    char kind[64];
    if (strcmp(placeholder, "WHAT") == 0)
        offer_words(c, "serving|in-sync");
    else if (strcmp(placeholder, "SHELL") == 0)
        offer_words(c, "bash|zsh|fish");
    else if (strcmp(placeholder, "CODE") == 0)
        offer_codes(c);
    else if (strcmp(placeholder, "FILE") != 0 && strcmp(placeholder, "OBJECT") != 0) {
        bool name = strcmp(placeholder, "NAME") == 0;
        snprintf(kind, sizeof kind, "%s", name ? noun : placeholder);
        for (char *at = kind; *at; at++)
            *at = (char)tolower((unsigned char)*at);
        offer_objects(c, kind);
    }
}

/* The k-th argument of "GROUP MODULE" or "CODE [OBJECT]". */
static void offer_argument(const struct completion *c, size_t k)
{
    const char *at = c->call.command->arguments;
    char placeholder[64];
    for (size_t i = 0; *at; i++) {
        at += strspn(at, " [");
        size_t length = strcspn(at, " ]");
        snprintf(placeholder, sizeof placeholder, "%.*s", (int)length, at);
        if (i == k && length)
            offer_for(c, placeholder, c->call.command->noun);
        at += length + strspn(at + length, " ]");
    }
}

static void offer_value(const struct completion *c, int flag)
{
    const struct segue_flag_row *row = segue_flag_row(flag);
    if (row->words)
        offer_words(c, row->words);
    else if (flag == SEGUE_FLAG_CODE)
        offer_codes(c);
    else if (flag == SEGUE_FLAG_GROUP || flag == SEGUE_FLAG_POOL || flag == SEGUE_FLAG_HOST)
        offer_objects(c, row->word);
    else if (flag == SEGUE_FLAG_DRIVES)
        offer_objects(c, "drive");
}

static void offer_flags(const struct completion *c)
{
    char text[64];
    for (int f = 0; f < SEGUE_FLAGS; f++) {
        if (c->call.flag[f] || (f != SEGUE_FLAG_HELP && !(c->call.command->flags >> f & 1)))
            continue;
        snprintf(text, sizeof text, "--%s", segue_flag_row(f)->word);
        offer(c, text);
    }
}

/* The first words, each once; `noun`: those that follow it. */
static void offer_commands(const struct completion *c, const char *noun)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *text = noun ? c->commands[i].verb : c->commands[i].noun;
        bool again = !noun && i && strcmp(c->commands[i - 1].noun, text) == 0;
        if (text && !again && (!noun || strcmp(c->commands[i].noun, noun) == 0))
            offer(c, text);
    }
}

static const struct segue_command *command_of(const struct completion *c, int *used)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct segue_command *command = &c->commands[i];
        *used = command->verb ? 2 : 1;
        if (c->words > *used && strcmp(command->noun, c->word[0]) == 0 &&
            (!command->verb || strcmp(command->verb, c->word[1]) == 0))
            return command;
    }
    return NULL;
}

/* Reads the whole words behind the command. Returns the flag whose value is begun, or -1. */
static int read_words(struct completion *c, int at)
{
    int open = -1;
    for (; at < c->words - 1; at++) {
        const char *word = c->word[at], *equals = strchr(word, '=');
        if (open >= 0) {
            c->call.flag[open] = word;
            open = -1;
        } else if (word[0] != '-') {
            c->call.arguments++;
        } else {
            int f = segue_flag_of_word(word, equals ? (size_t)(equals - word) : strlen(word));
            if (f < 0)
                continue;
            c->call.flag[f] = equals ? equals + 1 : "";
            open = !equals && segue_flag_row(f)->value ? f : -1;
        }
    }
    return open;
}

int segue_complete(const struct segue_command *commands, size_t count, int words, char **word)
{
    struct completion c = {commands, count, words, word, words ? word[words - 1] : "", {0}};
    int used = 0;
    c.call.command = command_of(&c, &used);
    if (words <= 1)
        offer_commands(&c, NULL);
    else if (words == 2)
        offer_commands(&c, word[0]);
    if (!c.call.command)
        return SEGUE_EXIT_DONE;
    int flag = read_words(&c, used);
    if (flag >= 0)
        offer_value(&c, flag);
    else if (*c.begun == '-')
        offer_flags(&c);
    else
        offer_argument(&c, c.call.arguments);
    return SEGUE_EXIT_DONE;
}
