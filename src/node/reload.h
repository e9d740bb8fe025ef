/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_RELOAD_H
#define SEGUE_NODE_RELOAD_H

/* CHAP secrets are read again while the process serves: by a thread, since a file system may take
 * its time, and the loop has hosts to answer. One reading at a time. */

#include "manage/config.h"

struct reload;

/* NULL: no memory. The configuration must stay. */
struct reload *reload_new(const struct config *config);
/* A reading under way is left behind: it may be in a file system that hangs. */
void reload_free(struct reload *reload);

/* For a part; the answer is for whoever is `tag`. False: the earlier one has not been taken yet. */
bool reload_begin(struct reload *reload, uint8_t part, uint64_t tag);

struct reload_result {
    uint8_t part;
    uint64_t tag;
    bool good;
    struct secrets secrets;         /* good */
    char sentence[CONFIG_SENTENCE]; /* not good: why */
};

/* What has been read, once; false: nothing is ready. The caller wipes it: reload_wipe(). */
bool reload_take(struct reload *reload, struct reload_result *out);
void reload_wipe(struct reload_result *result);

#endif
