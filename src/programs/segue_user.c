/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "manage/status_json.h"
#include "manage/table.h"
#include "manage/users.h"
#include "programs/segue.h"
#include "programs/segue_place.h"

/* segue user ..., segue token ...: who may use the API. Whoever can read the state directory may do
 * that; a password is never a word of a command line. */

static struct config config; /* one a process; too large for a stack */

/* At a terminal unseen; else the first line of the input. False: there is none. */
static bool read_password(char *out, size_t bytes)
{
    struct termios before, unseen;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        unseen = before;
        unseen.c_lflag &= ~(tcflag_t)ECHO;
        fprintf(stderr, "password: ");
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    }
    bool read = fgets(out, (int)bytes, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    out[read ? strcspn(out, "\n") : 0] = 0;
    return read;
}

static int conclude(const struct segue_call *call, enum users_result result, const char *sentence)
{
    const char *kind = call->command->noun, *name = call->argument[0];
    switch (result) {
    case USERS_DONE:
        return SEGUE_EXIT_DONE;
    case USERS_BAD:
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "choose another", "%s", sentence);
    case USERS_TAKEN:
        return segue_fail(call, SEGUE_EXIT_REFUSED, "TAKEN", "choose another name",
                          "there is a %s %.40s already", kind, name);
    case USERS_NONE:
        return segue_fail(call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_OBJECT", "list shows who there is",
                          "there is no %s %.40s", kind, name);
    case USERS_LAST:
        return segue_fail(call, SEGUE_EXIT_REFUSED, "LAST_ADMINISTRATOR",
                          "make another administrator first", "%.40s is the last administrator",
                          name);
    case USERS_FAILED:
        break;
    }
    return segue_fail(call, SEGUE_EXIT_FAILED, "NOT_KEPT",
                      "look at the rights and the space of the state directory",
                      "STATE/manage cannot be written");
}

static int take_role(const struct segue_call *call, enum users_role *role)
{
    const char *word = call->flag[SEGUE_FLAG_ROLE];
    *role = USERS_ROLES;
    if (!word || users_role_of(word, role))
        return SEGUE_EXIT_DONE;
    return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "write monitor, operator or admin",
                      "there is no role \"%.40s\"", word);
}

static int print_list(const struct segue_call *call, json_t *list, const char *columns)
{
    size_t i;
    json_t *entry;
    if (segue_wants_json(call)) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        struct table *table = table_new(columns);
        json_array_foreach(list, i, entry)
        {
            const char *cells[] = {status_text_of(entry, "name"), status_text_of(entry, "role"),
                                   status_text_of(entry, "created")};
            table_row(table, cells);
        }
        char *text = table_text(table, 120);
        fputs(text, stdout);
        free(text);
        table_free(table);
    }
    json_decref(list);
    return SEGUE_EXIT_DONE;
}

int segue_user_list(const struct segue_call *call)
{
    int code = place_find(call, NULL, &config);
    return code ? code : print_list(call, users_list(&config), "USER|ROLE|CREATED");
}

int segue_user_create(const struct segue_call *call)
{
    enum users_role role;
    char password[USERS_PASSWORD_MAX + 2], sentence[USERS_SENTENCE] = "";
    int code = take_role(call, &role);
    code = code ? code : place_find(call, NULL, &config);
    if (code)
        return code;
    if (!read_password(password, sizeof password))
        return segue_fail(call, SEGUE_EXIT_USAGE, "NO_PASSWORD",
                          "give it as the input's first line", "there is no password");
    code = conclude(call, users_create(&config, call->argument[0], role, password, sentence),
                    sentence);
    explicit_bzero(password, sizeof password);
    if (code == SEGUE_EXIT_DONE)
        printf("user %s is made\n", call->argument[0]);
    return code;
}

int segue_user_set(const struct segue_call *call)
{
    enum users_role role;
    char password[USERS_PASSWORD_MAX + 2] = "", sentence[USERS_SENTENCE] = "";
    bool new_password = call->flag[SEGUE_FLAG_PASSWORD] != NULL;
    int code = take_role(call, &role);
    code = code ? code : place_find(call, NULL, &config);
    if (code)
        return code;
    if (role == USERS_ROLES && !new_password)
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "see segue user set --help",
                          "nothing is to be set");
    if (new_password && !read_password(password, sizeof password))
        return segue_fail(call, SEGUE_EXIT_USAGE, "NO_PASSWORD",
                          "give it as the input's first line", "there is no password");
    code = conclude(
        call, users_set(&config, call->argument[0], role, new_password ? password : NULL, sentence),
        sentence);
    explicit_bzero(password, sizeof password);
    if (code == SEGUE_EXIT_DONE)
        printf("user %s is changed\n", call->argument[0]);
    return code;
}

int segue_user_delete(const struct segue_call *call)
{
    int code = place_find(call, NULL, &config);
    code = code ? code : conclude(call, users_delete(&config, call->argument[0]), "");
    if (code == SEGUE_EXIT_DONE)
        printf("user %s is deleted\n", call->argument[0]);
    return code;
}

int segue_token_list(const struct segue_call *call)
{
    int code = place_find(call, NULL, &config);
    return code ? code : print_list(call, users_token_list(&config), "TOKEN|ROLE|CREATED");
}

int segue_token_create(const struct segue_call *call)
{
    enum users_role role;
    char token[USERS_TOKEN_BYTES] = "", sentence[USERS_SENTENCE] = "";
    int code = take_role(call, &role);
    code = code ? code : place_find(call, NULL, &config);
    if (code)
        return code;
    code = conclude(call, users_token_create(&config, call->argument[0], role, token, sentence),
                    sentence);
    if (code == SEGUE_EXIT_DONE)
        printf("%s\n", token); /* nothing but it: TOKEN=$(segue token create ...) */
    return code;
}

int segue_token_delete(const struct segue_call *call)
{
    int code = place_find(call, NULL, &config);
    code = code ? code : conclude(call, users_token_delete(&config, call->argument[0]), "");
    if (code == SEGUE_EXIT_DONE)
        printf("token %s is deleted\n", call->argument[0]);
    return code;
}
