/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_CONFIG_TREE_H
#define SEGUE_MANAGE_CONFIG_TREE_H

/* A YAML document as a tree of nodes that know their lines, made from libyaml's events. Bounded in
 * size and depth; anchors, tags, several documents, and a key twice in one mapping are refused. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_node_kind { CONFIG_NODE_SCALAR, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

enum { CONFIG_FILE_BYTES = 1 << 20, CONFIG_TREE_NODES = 8192, CONFIG_TREE_DEPTH = 8 };

struct config_node {
    enum config_node_kind kind;
    unsigned line;
    const char *key;  /* in a map: its key; else NULL */
    const char *text; /* scalar */
    bool quoted;      /* scalar: it was in quotes, so it is text whatever it looks like */
    struct config_node *child, *next; /* first entry; next entry of the same list or map */
};

struct config_tree;

/* NULL, and a sentence that begins with `file` and the line: not YAML, or over a bound. */
struct config_tree *config_tree_new(const char *file, const char *bytes, size_t length,
                                    char *sentence, size_t sentence_bytes);
void config_tree_free(struct config_tree *tree);
const struct config_node *config_tree_root(const struct config_tree *tree);

#endif
