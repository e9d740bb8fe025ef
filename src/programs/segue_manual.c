/* SPDX-License-Identifier: Apache-2.0 */
/* segue(8), from the table of commands: what the help says, as a manual page (man(7)). */
#include <stdio.h>
#include <string.h>

#include "programs/segue.h"

/* Text as roff takes it literally. */
static void put_text(const char *text)
{
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

static void put_line(const char *text)
{
    put_text(text);
    putchar('\n');
}

static void put_flag(const struct segue_flag_row *row, bool needed)
{
    printf(".TP\n.B ");
    if (row->letter)
        printf("\\-%c\\fR, \\fB", row->letter);
    printf("\\-\\-");
    put_text(row->word);
    if (row->value)
        printf(" \\fI%s", row->value);
    printf("\\fR\n");
    put_text(row->help);
    printf("%s\n", needed ? " (needed)" : "");
}

static void put_command(const struct segue_command *command)
{
    printf(".SS segue %s%s%s%s", command->noun, command->verb ? " " : "",
           command->verb ? command->verb : "", *command->arguments ? " " : "");
    put_line(command->arguments);
    put_line(command->help);
    if (command->more) {
        printf(".PP\n");
        put_line(command->more);
    }
    for (int f = 0; f < SEGUE_FLAGS; f++)
        if (command->flags >> f & 1 && f != SEGUE_FLAG_STATE && f != SEGUE_FLAG_OUTPUT)
            put_flag(segue_flag_row(f), command->needed >> f & 1);
}

static const char exits[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\nFailed; the message says why.\n"
    ".TP\n.B 2\nUsage.\n"
    ".TP\n.B 3\nThere is no such object.\n"
    ".TP\n.B 4\nNot allowed.\n"
    ".TP\n.B 5\nRefused: the state forbids it, or it has to be confirmed.\n"
    ".TP\n.B 6\nConflict: what it builds on has changed.\n"
    ".TP\n.B 7\nThe array is not reached.\n"
    ".TP\n.B 8\nThe outcome is unknown: it was sent, and no answer came.\n"
    ".PP\n"
    "A failure is one sentence on standard error, its code in brackets, and what to do; with\n"
    ".B \\-o json\nalso an object on standard output:\n"
    ".IR error . code ,\n.IR summary ,\n.IR remedy .\n";

static const char rest[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B SEGUE_STATE\nThe state directory, where\n.B \\-\\-state\nis not given.\n"
    ".SH FILES\n"
    ".TP\n.I /etc/segue/array.yaml\nThe array of the service\n.IR segue.service .\n"
    ".TP\n.I /var/lib/segue\nIts state directory; meant when neither\n.B \\-\\-state\nnor\n"
    ".B SEGUE_STATE\nnames one, and there is no directory\n.IR state .\n"
    ".SH SEE ALSO\n"
    ".BR segue\\-interfaces (7)\n";

int segue_manual(const struct segue_command *commands, size_t count, const char *version)
{
    printf(".\\\" Made by segue itself, from its table of commands.\n"
           ".TH SEGUE 8 2026-11-26 \"segue %s\" \"Segue\"\n"
           ".SH NAME\n"
           "segue \\- a storage array whose controllers play every command together\n"
           ".SH SYNOPSIS\n.B segue\n.I COMMAND\n.RI [ ARGUMENT \" ...] [\" \\-\\-flags ]\n"
           ".br\n.B segue\n.I COMMAND\n.B \\-\\-help\n"
           ".SH DESCRIPTION\n"
           "Starts, shows and changes a Segue storage array. A command is a word, or a noun and\n"
           "a verb; plurals are understood, and so are\n.BR vol ,\n.B ls\nand\n.BR rm .\n"
           "What changes the array is a command of its protocol: durable, and known to every\n"
           "controller of the group, before it is said to be done.\n"
           ".PP\nThese flags are taken by nearly all commands:\n",
           version);
    put_flag(segue_flag_row(SEGUE_FLAG_STATE), false);
    put_flag(segue_flag_row(SEGUE_FLAG_OUTPUT), false);
    put_flag(segue_flag_row(SEGUE_FLAG_HELP), false);
    printf(".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++)
        put_command(&commands[i]);
    fputs(exits, stdout);
    fputs(rest, stdout);
    return SEGUE_EXIT_DONE;
}
