/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_H
#define SEGUE_PROGRAMS_SEGUE_H

/* The command line: one table of commands (segue.c), from which the parser and the help are made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum segue_exit {
    SEGUE_EXIT_DONE = 0,
    SEGUE_EXIT_FAILED = 1,
    SEGUE_EXIT_USAGE = 2,
    SEGUE_EXIT_NO_OBJECT = 3,
    SEGUE_EXIT_NOT_ALLOWED = 4,
    SEGUE_EXIT_REFUSED = 5,
    SEGUE_EXIT_CONFLICT = 6,
    SEGUE_EXIT_UNREACHABLE = 7,
    SEGUE_EXIT_UNKNOWN = 8, /* sent, no answer: it may or may not have been done */
};

enum segue_flag {
    SEGUE_FLAG_HELP,
    SEGUE_FLAG_STATE,
    SEGUE_FLAG_OUTPUT,
    SEGUE_FLAG_QUIET,
    SEGUE_FLAG_TIMEOUT,
    SEGUE_FLAG_CONFIRM,
    SEGUE_FLAG_DETACH,
    SEGUE_FLAG_NO_RESTART,
    SEGUE_FLAG_DEMO,
    SEGUE_FLAG_GROUP,
    SEGUE_FLAG_LEVEL,
    SEGUE_FLAG_DRIVES,
    SEGUE_FLAG_CACHE,
    SEGUE_FLAG_CHUNK,
    SEGUE_FLAG_POOL,
    SEGUE_FLAG_SIZE,
    SEGUE_FLAG_WRITE,
    SEGUE_FLAG_COUNT,
    SEGUE_FLAG_BLOCK,
    SEGUE_FLAG_LUN,
    SEGUE_FLAG_READ_ONLY,
    SEGUE_FLAG_NO_MAP,
    SEGUE_FLAG_HOST,
    SEGUE_FLAG_IQN,
    SEGUE_FLAG_ADD_IQN,
    SEGUE_FLAG_REMOVE_IQN,
    SEGUE_FLAG_CHAP_USER,
    SEGUE_FLAG_CHECK,
    SEGUE_FLAG_FOR,
    SEGUE_FLAG_FOLLOW,
    SEGUE_FLAG_SINCE,
    SEGUE_FLAG_OBJECT,
    SEGUE_FLAG_CODE,
    SEGUE_FLAG_LAST,
    SEGUE_FLAG_TIMELINE,
    SEGUE_FLAG_ROLE,
    SEGUE_FLAG_PASSWORD,
    SEGUE_FLAGS,
};

enum { SEGUE_ARGUMENTS_MAX = 4 };

struct segue_call;

struct segue_command {
    const char *noun, *verb; /* "pool", "create"; verb NULL: a command of one word */
    const char *arguments;   /* "NAME", as help shows them */
    size_t least, most;      /* how many arguments */
    uint64_t flags;          /* bit f: takes enum segue_flag f */
    uint64_t needed;         /* bit f: must be given */
    const char *help;        /* one line */
    const char *more;        /* what --help says beyond it, or NULL */
    int (*run)(const struct segue_call *call); /* an enum segue_exit */
};

/* One use of a command, checked against the table. */
struct segue_call {
    const struct segue_command *command;
    size_t arguments;
    const char *argument[SEGUE_ARGUMENTS_MAX];
    const char *flag[SEGUE_FLAGS]; /* NULL: not given; "" of one without a value */
};

/* Reads the words behind "segue". SEGUE_EXIT_DONE: `call` is filled in. Anything else: what is
 * wrong has been said. */
int segue_parse(const struct segue_command *commands, size_t count, int argc, char **argv,
                struct segue_call *call);
/* The table, for those who make something else of it. */
const struct segue_command *segue_commands(size_t *count);
void segue_help(const struct segue_command *commands, size_t count);
void segue_command_help(const struct segue_command *command);

bool segue_wants_json(const struct segue_call *call);

/* How a flag is written and what it is for. */
struct segue_flag_row {
    const char *word, *value, *help; /* value NULL: it takes none */
    const char *words;               /* "one|two": all that the value can be, or NULL */
    char letter;                     /* the short form, or 0 */
};
const struct segue_flag_row *segue_flag_row(int flag);
/* Of "--state" or "-o", `length` bytes of it; -1: there is none. */
int segue_flag_of_word(const char *word, size_t length);

/* What could stand at the end of these words behind "segue", a line each. */
int segue_complete(const struct segue_command *commands, size_t count, int words, char **word);
/* The manual page segue(8). */
int segue_manual(const struct segue_command *commands, size_t count, const char *version);

/* What went wrong, why, and what to do, on stderr (as JSON on stdout if that was asked for):
 *   segue: cannot create pool p3: drive t0/04 is in a pool   [DRIVE_IN_USE]
 *     do   take another drive
 * Returns `code`. `remedy` may be NULL. */
int segue_fail(const struct segue_call *call, enum segue_exit code, const char *name,
               const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

int segue_up(const struct segue_call *call);
int segue_down(const struct segue_call *call);
int segue_status(const struct segue_call *call);
int segue_wait(const struct segue_call *call);
int segue_health(const struct segue_call *call);
int segue_health_mute(const struct segue_call *call);
int segue_health_unmute(const struct segue_call *call);
int segue_explain(const struct segue_call *call);
int segue_events(const struct segue_call *call);
int segue_doctor(const struct segue_call *call);
int segue_support_collect(const struct segue_call *call);
int segue_completion(const struct segue_call *call);
int segue_api(const struct segue_call *call);
int segue_user_list(const struct segue_call *call);
int segue_user_create(const struct segue_call *call);
int segue_user_set(const struct segue_call *call);
int segue_user_delete(const struct segue_call *call);
int segue_token_list(const struct segue_call *call);
int segue_token_create(const struct segue_call *call);
int segue_token_delete(const struct segue_call *call);
int segue_connect(const struct segue_call *call);
int segue_pool_create(const struct segue_call *call);
int segue_pool_list(const struct segue_call *call);
int segue_pool_delete(const struct segue_call *call);
int segue_volume_create(const struct segue_call *call);
int segue_volume_list(const struct segue_call *call);
int segue_volume_delete(const struct segue_call *call);
int segue_volume_grow(const struct segue_call *call);
int segue_volume_map(const struct segue_call *call);
int segue_volume_unmap(const struct segue_call *call);
int segue_host_list(const struct segue_call *call);
int segue_host_create(const struct segue_call *call);
int segue_host_set(const struct segue_call *call);
int segue_host_delete(const struct segue_call *call);
int segue_switch_list(const struct segue_call *call);
int segue_switch_drain(const struct segue_call *call);
int segue_switch_resume(const struct segue_call *call);
int segue_switch_reload(const struct segue_call *call);
int segue_capture(const struct segue_call *call);
int segue_loop_show(const struct segue_call *call);
int segue_loop_lip(const struct segue_call *call);
int segue_loop_bypass(const struct segue_call *call);
int segue_loop_release(const struct segue_call *call);
int segue_drive_list(const struct segue_call *call);
int segue_drive_show(const struct segue_call *call);
int segue_drive_locate(const struct segue_call *call);
int segue_drive_adopt(const struct segue_call *call);
int segue_drive_fail(const struct segue_call *call);
int segue_group_list(const struct segue_call *call);
int segue_group_takeovers(const struct segue_call *call);
int segue_group_move(const struct segue_call *call);
int segue_group_claim(const struct segue_call *call);

#endif
