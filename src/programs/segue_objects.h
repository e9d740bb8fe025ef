/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_SEGUE_OBJECTS_H
#define SEGUE_PROGRAMS_SEGUE_OBJECTS_H

/* What the verbs on pools, volumes and groups share: one request to a running array. */

#include <jansson.h>

#include "manage/table.h"
#include "programs/segue.h"
#include "programs/segue_request.h"

struct objects {
    const struct segue_call *call;
    struct config config;
    json_t *status;
    char text[REQUEST_TEXT]; /* of the last answer */
};

/* Finds the array and its state. NULL: said, `code` is the exit code. One a process. */
struct objects *objects_open(const struct segue_call *call, int *code);
/* Returns `code`. */
int objects_close(struct objects *objects, int code);
/* Prints the table, or with -o json that list of the array's state instead, and closes. */
int objects_list_end(struct objects *objects, const char *list, struct table *table);

/* Gives the request to the array. `doing`: "create pool p3", for sentences. An exit code. */
int objects_send(struct objects *objects, uint8_t group, const struct manage_request *request,
                 const char *doing);
/* Says words to a part (EVENT_REQUEST) and prints its answer: "drive t0/03: ...". An exit code. */
int objects_say(struct objects *objects, port_id port, const char *words, const char *object);
/* Number of a drive by its place, "t0/03", or -1 and said. */
int objects_drive(struct objects *objects, const char *name);
/* Number of a group by name, or -1 and said. */
int objects_group(struct objects *objects, const char *name);
int objects_owner(const struct objects *objects);
/* The pool or volume of that name, or NULL and said. */
const json_t *objects_find(struct objects *objects, const char *kind, const char *name);
/* The list of words "t0/00,t1/00-03" into the request. False: said. */
bool objects_drives(struct objects *objects, const char *list, struct manage_request *request);
/* The uuid of a pool or volume. False: it has none. */
bool objects_uuid(const json_t *object, uint8_t uuid[16]);
/* The name given once more, by --confirm or at the terminal. An exit code. */
int objects_confirm(const struct segue_call *call, const char *what, const char *name);
/* Sizes and numbers of flags; `otherwise` where it was not given. False: said. */
bool objects_size(const struct segue_call *call, enum segue_flag flag, uint64_t otherwise,
                  uint64_t *bytes);
bool objects_number(const struct segue_call *call, enum segue_flag flag, uint64_t otherwise,
                    uint64_t most, uint64_t *number);
/* Index of the flag's word in "one|two"; `otherwise` where it was not given; -1: said. */
int objects_word(const struct segue_call *call, enum segue_flag flag, const char *words,
                 int otherwise);

#endif
