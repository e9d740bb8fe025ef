/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "manage/suggest.h"
#include "programs/segue.h"

static const struct segue_flag_row flags[SEGUE_FLAGS] = {
    [SEGUE_FLAG_HELP] = {"help", NULL, "show this help", NULL, 'h'},
    [SEGUE_FLAG_STATE] = {"state", "DIR",
                          "state directory, or FILE.yaml (or SEGUE_STATE; ./state)"},
    [SEGUE_FLAG_OUTPUT] = {"output", "FORMAT", "table or json", "table|json", 'o'},
    [SEGUE_FLAG_QUIET] = {"quiet", NULL, "one line only", NULL, 'q'},
    [SEGUE_FLAG_TIMEOUT] = {"timeout", "TIME", "give up after this time, such as 60s"},
    [SEGUE_FLAG_CONFIRM] = {"confirm", "NAME", "yes, this one: the name once more"},
    [SEGUE_FLAG_DETACH] = {"detach", NULL, "go on in the background once the array serves"},
    [SEGUE_FLAG_NO_RESTART] = {"no-restart", NULL, "leave a process that dies dead"},
    [SEGUE_FLAG_DEMO] = {"demo", NULL, "run a load, and kill a controller each minute"},
    [SEGUE_FLAG_GROUP] = {"group", "GROUP", "the group that shall serve it"},
    [SEGUE_FLAG_LEVEL] = {"level", "LEVEL", "raid0, raid1, raid10, raid5 or raid6",
                          "raid0|raid1|raid10"},
    [SEGUE_FLAG_DRIVES] = {"drives", "LIST",
                           "t0/00,t1/00 or t0/00-03; raid10 mirrors 1st and 2nd, ..."},
    [SEGUE_FLAG_CACHE] = {"cache", "MODE", "mirrored (default) or write-through",
                          "mirrored|write-through"},
    [SEGUE_FLAG_CHUNK] = {"chunk", "SIZE", "how much goes to a drive before the next (64KiB)"},
    [SEGUE_FLAG_POOL] = {"pool", "POOL", "the pool to take it from"},
    [SEGUE_FLAG_WRITE] = {"write", "FILE", "the file to write, - for the standard output", NULL,
                          'w'},
    [SEGUE_FLAG_COUNT] = {"count", "NUMBER", "end after so many frames"},
    [SEGUE_FLAG_SIZE] = {"size", "SIZE", "such as 64MiB"},
    [SEGUE_FLAG_BLOCK] = {"block", "BYTES", "512 (default) or 4096", "512|4096"},
    [SEGUE_FLAG_LUN] = {"lun", "NUMBER", "the LUN (default: the lowest that is free)"},
    [SEGUE_FLAG_READ_ONLY] = {"read-only", NULL, "hosts can only read it"},
    [SEGUE_FLAG_NO_MAP] = {"no-map", NULL, "give it no LUN yet"},
    [SEGUE_FLAG_HOST] = {"host", "HOST", "the host (without: everybody, while there is no host)"},
    [SEGUE_FLAG_IQN] = {"iqn", "LIST", "its initiators' names: iqn.one,iqn.two"},
    [SEGUE_FLAG_ADD_IQN] = {"add-iqn", "LIST", "further initiators"},
    [SEGUE_FLAG_REMOVE_IQN] = {"remove-iqn", "LIST", "initiators that are its no more"},
    [SEGUE_FLAG_CHAP_USER] = {"chap-user", "USER",
                              "it must log in as this one of chap.users; none"},
    [SEGUE_FLAG_CHECK] = {"check", NULL,
                          "one line; exit code 0 ok, 1 warning, 2 critical, 3 unknown"},
    [SEGUE_FLAG_FOR] = {"for", "TIME", "how long, such as 4h"},
    [SEGUE_FLAG_FOLLOW] = {"follow", NULL, "go on with what happens from now on", NULL, 'f'},
    [SEGUE_FLAG_SINCE] = {"since", "TIME", "what is not older, such as 2h, or 2026-11-22T14:00"},
    [SEGUE_FLAG_OBJECT] = {"object", "OBJECT", "only what concerns it: group/g1, B1, drive/t0/07"},
    [SEGUE_FLAG_ROLE] = {"role", "ROLE",
                         "monitor (reads), operator (moves and mends), admin (all)"},
    [SEGUE_FLAG_PASSWORD] = {"password", NULL, "a new password, from the terminal or the input"},
    [SEGUE_FLAG_LAST] = {"last", "NUMBER", "only so many of the newest (20)"},
    [SEGUE_FLAG_TIMELINE] = {"timeline", NULL, "a line for each phase"},
    [SEGUE_FLAG_CODE] = {"code", "LIST", "only these: TAKEOVER,DRIVE_FAILS"},
};

const struct segue_flag_row *segue_flag_row(int flag)
{
    return &flags[flag];
}

bool segue_wants_json(const struct segue_call *call)
{
    return call->flag[SEGUE_FLAG_OUTPUT] && strcmp(call->flag[SEGUE_FLAG_OUTPUT], "json") == 0;
}

int segue_fail(const struct segue_call *call, enum segue_exit code, const char *name,
               const char *remedy, const char *format, ...)
{
    char summary[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(summary, sizeof summary, format, arguments);
    va_end(arguments);
    fflush(stdout);
    fprintf(stderr, "segue: %s   [%s]\n", summary, name);
    if (remedy)
        fprintf(stderr, "  do   %s\n", remedy);
    if (!call || !segue_wants_json(call))
        return (int)code;
    json_t *error = json_pack("{s:{s:s, s:s, s:s?}}", "error", "code", name, "summary", summary,
                              "remedy", remedy);
    json_dumpf(error, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(error);
    return (int)code;
}

static void name_of(const struct segue_command *command, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s%s%s", command->noun, command->verb ? " " : "",
             command->verb ? command->verb : "");
}

void segue_help(const struct segue_command *commands, size_t count)
{
    printf("segue: a storage array whose controllers play every command together\n\n"
           "usage: segue COMMAND [ARGUMENTS] [--flags]     segue COMMAND --help\n\n");
    for (size_t i = 0; i < count; i++) {
        char name[64], use[96];
        name_of(&commands[i], name, sizeof name);
        snprintf(use, sizeof use, "%s %s", name, commands[i].arguments);
        printf("  %-28s %s\n", use, commands[i].help);
    }
    printf("\nexit codes: 0 done, 1 failed, 2 usage, 3 no such object, 5 refused, 7 cannot reach\n"
           "the array, 8 outcome unknown\n");
}

void segue_command_help(const struct segue_command *command)
{
    char name[64];
    name_of(command, name, sizeof name);
    printf("usage: segue %s%s%s [--flags]\n\n%s\n", name, *command->arguments ? " " : "",
           command->arguments, command->help);
    if (command->more)
        printf("\n%s\n", command->more);
    printf("\n");
    for (unsigned f = 0; f < SEGUE_FLAGS; f++) {
        if (!(command->flags >> f & 1) && f != SEGUE_FLAG_HELP)
            continue;
        char use[64];
        char letter = flags[f].letter;
        snprintf(use, sizeof use, "%s%c%s --%s%s%s", letter ? "-" : "", letter ? letter : ' ',
                 letter ? "," : "  ", flags[f].word, flags[f].value ? " " : "",
                 flags[f].value ? flags[f].value : "");
        printf("  %-24s %s%s\n", use, flags[f].help, command->needed >> f & 1 ? " (needed)" : "");
    }
}

static int usage(const char *remedy, const char *format, const char *word)
{
    char text[256];
    snprintf(text, sizeof text, format, word);
    return segue_fail(NULL, SEGUE_EXIT_USAGE, "USAGE", remedy, "%s", text);
}

/* Says what a mistyped word may have meant, out of every word that could stand there. */
static int unknown_word(const struct segue_command *commands, size_t count, const char *noun,
                        const char *word)
{
    const char *words[128];
    size_t found = 0;
    for (size_t i = 0; i < count && found < 128; i++) {
        if (noun && strcmp(commands[i].noun, noun) != 0)
            continue;
        words[found++] = noun ? commands[i].verb : commands[i].noun;
    }
    const char *near = suggest_word(word, words, found);
    char remedy[128];
    snprintf(remedy, sizeof remedy, near ? "did you mean: segue %s%s%s" : "segue help%.0s%.0s%.0s",
             noun ? noun : "", noun ? " " : "", near ? near : "");
    return usage(remedy, "there is no command \"%.100s\"", word);
}

static bool noun_matches(const char *noun, const char *word)
{
    size_t length = strlen(noun);
    return strncmp(noun, word, length) == 0 && (!word[length] || strcmp(word + length, "s") == 0);
}

/* The command that the first words name, and how many words that took. NULL: said. */
static const struct segue_command *find_command(const struct segue_command *commands, size_t count,
                                                int argc, char **argv, int *used, int *code)
{
    static const char *const aliases[][2] = {{"vol", "volume"}, {"ls", "list"}, {"rm", "delete"}};
    const char *words[2] = {argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL};
    const char *noun = NULL;
    for (int w = 0; w < 2; w++)
        for (size_t i = 0; words[w] && i < sizeof aliases / sizeof aliases[0]; i++)
            if (strcmp(words[w], aliases[i][0]) == 0)
                words[w] = aliases[i][1];
    for (size_t i = 0; i < count; i++) {
        if (!words[0] || !noun_matches(commands[i].noun, words[0]))
            continue;
        noun = commands[i].noun;
        if (commands[i].verb && (!words[1] || strcmp(commands[i].verb, words[1]) != 0))
            continue;
        *used = commands[i].verb ? 2 : 1;
        return &commands[i];
    }
    if (noun && (!words[1] || *words[1] == '-')) {
        char remedy[64];
        snprintf(remedy, sizeof remedy, "segue help, or segue %s list", noun);
        *code = usage(remedy, "\"%s\" needs a verb", noun);
    } else {
        *code = unknown_word(commands, count, noun, noun ? words[1] : words[0]);
    }
    return NULL;
}

int segue_flag_of_word(const char *word, size_t length)
{
    for (int f = 0; f < SEGUE_FLAGS; f++) {
        if (word[0] == '-' && word[1] == '-' && strlen(flags[f].word) == length - 2 &&
            strncmp(flags[f].word, word + 2, length - 2) == 0)
            return f;
        if (length == 2 && flags[f].letter && word[1] == flags[f].letter)
            return f;
    }
    return -1;
}

static int unknown_flag(const struct segue_command *command, const char *word)
{
    const char *words[SEGUE_FLAGS];
    char remedy[96], name[64];
    name_of(command, name, sizeof name);
    for (int f = 0; f < SEGUE_FLAGS; f++)
        words[f] = command->flags >> f & 1 ? flags[f].word : NULL;
    const char *near = suggest_word(word + strspn(word, "-"), words, SEGUE_FLAGS);
    snprintf(remedy, sizeof remedy, near ? "did you mean --%s" : "segue %s --help",
             near ? near : name);
    return usage(remedy, "there is no flag %.100s here", word);
}

/* One word that begins with '-', with the next one if that is its value. */
static int take_flag(struct segue_call *call, int argc, char **argv, int *at)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    int f = segue_flag_of_word(word, length);
    if (f < 0 || (f != SEGUE_FLAG_HELP && !(call->command->flags >> f & 1)))
        return unknown_flag(call->command, word);
    call->flag[f] = "";
    if (!flags[f].value)
        return equals ? usage(NULL, "%.100s takes no value", word) : SEGUE_EXIT_DONE;
    if (!equals && ++*at >= argc)
        return usage(NULL, "%.100s needs a value", word);
    call->flag[f] = equals ? equals + 1 : argv[*at];
    return *call->flag[f] ? SEGUE_EXIT_DONE : usage(NULL, "%.100s needs a value", word);
}

static int check_call(const struct segue_call *call)
{
    const struct segue_command *command = call->command;
    char name[64], remedy[128];
    name_of(command, name, sizeof name);
    snprintf(remedy, sizeof remedy, "segue %s --help", name);
    if (call->arguments < command->least || call->arguments > command->most) {
        snprintf(remedy, sizeof remedy, "write: segue %s %s", name, command->arguments);
        return usage(remedy,
                     call->arguments < command->least ? "\"%s\" needs more arguments"
                                                      : "\"%s\" takes fewer arguments",
                     name);
    }
    for (unsigned f = 0; f < SEGUE_FLAGS; f++)
        if ((command->needed >> f & 1) && !call->flag[f])
            return usage(remedy, "--%s is needed", flags[f].word);
    const char *output = call->flag[SEGUE_FLAG_OUTPUT];
    if (output && strcmp(output, "json") != 0 && strcmp(output, "table") != 0)
        return usage("write -o json or -o table", "there is no output format \"%.40s\"", output);
    return SEGUE_EXIT_DONE;
}

int segue_parse(const struct segue_command *commands, size_t count, int argc, char **argv,
                struct segue_call *call)
{
    int at = 0, code = SEGUE_EXIT_DONE;
    *call = (struct segue_call){0};
    call->command = find_command(commands, count, argc, argv, &at, &code);
    if (!call->command)
        return code;
    for (bool words = false; at < argc && code == SEGUE_EXIT_DONE; at++) {
        if (!words && strcmp(argv[at], "--") == 0)
            words = true; /* what follows is no flag, whatever it begins with */
        else if (!words && argv[at][0] == '-' && argv[at][1])
            code = take_flag(call, argc, argv, &at);
        else if (call->arguments < SEGUE_ARGUMENTS_MAX)
            call->argument[call->arguments++] = argv[at];
        else
            code = usage(NULL, "what is \"%.100s\" for?", argv[at]);
    }
    if (code != SEGUE_EXIT_DONE || call->flag[SEGUE_FLAG_HELP])
        return code;
    return check_call(call);
}
