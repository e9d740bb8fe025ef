/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/config_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct config_tree {
    struct config_node nodes[CONFIG_TREE_NODES];
    size_t count;
    char *texts[2 * CONFIG_TREE_NODES];
    size_t text_count;
};

/* Where the next node goes: the open collections, outermost first. */
struct reader {
    const char *file;
    struct config_tree *tree;
    struct config_node *open[CONFIG_TREE_DEPTH];
    struct config_node *last[CONFIG_TREE_DEPTH]; /* the last entry of each */
    size_t depth;
    const char *key; /* of the entry that comes next, if a map is open and its key was read */
    unsigned key_line;
    bool ended;
    char *sentence;
    size_t sentence_bytes;
};

static bool complain(struct reader *reader, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool complain(struct reader *reader, unsigned line, const char *format, ...)
{
    int used = snprintf(reader->sentence, reader->sentence_bytes, "%s:%u: ", reader->file, line);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && (size_t)used < reader->sentence_bytes)
        vsnprintf(reader->sentence + used, reader->sentence_bytes - (size_t)used, format,
                  arguments);
    va_end(arguments);
    return false;
}

static char *keep_text(struct reader *reader, const yaml_event_t *event)
{
    struct config_tree *tree = reader->tree;
    size_t length = event->data.scalar.length;
    if (tree->text_count == sizeof tree->texts / sizeof tree->texts[0])
        return NULL;
    if (memchr(event->data.scalar.value, 0, length))
        return NULL;
    char *copy = strndup((const char *)event->data.scalar.value, length);
    if (copy)
        tree->texts[tree->text_count++] = copy;
    return copy;
}

static bool in_map(const struct reader *reader)
{
    return reader->depth > 0 && reader->open[reader->depth - 1]->kind == CONFIG_NODE_MAP;
}

static bool take_key(struct reader *reader, const char *key, unsigned line)
{
    for (const struct config_node *entry = reader->open[reader->depth - 1]->child; entry;
         entry = entry->next)
        if (strcmp(entry->key, key) == 0)
            return complain(reader, line,
                            "%s: this key is here twice (first in line %u); keep one of them", key,
                            entry->line);
    reader->key = key;
    reader->key_line = line;
    return true;
}

static struct config_node *add_node(struct reader *reader, enum config_node_kind kind,
                                    unsigned line)
{
    struct config_tree *tree = reader->tree;
    if (tree->count == CONFIG_TREE_NODES) {
        complain(reader, line, "the file has more than %d values; split the array",
                 CONFIG_TREE_NODES);
        return NULL;
    }
    struct config_node *node = &tree->nodes[tree->count++];
    node->kind = kind;
    node->line = reader->key ? reader->key_line : line;
    node->key = reader->key;
    reader->key = NULL;
    if (reader->depth > 0) {
        size_t level = reader->depth - 1;
        if (reader->last[level])
            reader->last[level]->next = node;
        else
            reader->open[level]->child = node;
        reader->last[level] = node;
    }
    return node;
}

static bool take_scalar(struct reader *reader, const yaml_event_t *event, unsigned line)
{
    char *text = keep_text(reader, event);
    if (!text)
        return complain(reader, line, "this text cannot be taken; shorten it");
    if (in_map(reader) && !reader->key)
        return take_key(reader, text, line);
    struct config_node *node = add_node(reader, CONFIG_NODE_SCALAR, line);
    if (!node)
        return false;
    node->text = text;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return true;
}

static bool open_collection(struct reader *reader, enum config_node_kind kind, unsigned line)
{
    if (in_map(reader) && !reader->key)
        return complain(reader, line, "a key must be a word; put the list or map behind a key");
    if (reader->depth == CONFIG_TREE_DEPTH)
        return complain(reader, line, "too many levels; at most %d are used", CONFIG_TREE_DEPTH);
    struct config_node *node = add_node(reader, kind, line);
    if (!node)
        return false;
    reader->open[reader->depth] = node;
    reader->last[reader->depth++] = NULL;
    return true;
}

static bool has_anchor(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor || event->data.scalar.tag;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    if (event->type == YAML_MAPPING_START_EVENT)
        return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    return event->type == YAML_ALIAS_EVENT;
}

static bool take_event(struct reader *reader, const yaml_event_t *event)
{
    unsigned line = (unsigned)event->start_mark.line + 1;
    if (has_anchor(event))
        return complain(reader, line,
                        "anchors, aliases and tags are not taken; write the value "
                        "itself");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->tree->count)
            return complain(reader, line, "a second document begins; keep one");
        return true;
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(reader, CONFIG_NODE_LIST, line);
    case YAML_MAPPING_START_EVENT:
        return open_collection(reader, CONFIG_NODE_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return true;
    case YAML_STREAM_END_EVENT:
        reader->ended = true;
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_ALIAS_EVENT:
        return true;
    }
    return true;
}

static bool read_all(struct reader *reader, yaml_parser_t *parser)
{
    while (!reader->ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            size_t line =
                parser->problem_mark.line ? parser->problem_mark.line : parser->context_mark.line;
            return complain(reader, (unsigned)line + 1,
                            "this is not YAML (%s); look for a missing colon, quote or space",
                            parser->problem ? parser->problem : "it cannot be read");
        }
        bool taken = take_event(reader, &event);
        yaml_event_delete(&event);
        if (!taken)
            return false;
    }
    return true;
}

struct config_tree *config_tree_new(const char *file, const char *bytes, size_t length,
                                    char *sentence, size_t sentence_bytes)
{
    yaml_parser_t parser;
    struct reader reader = {.file = file, .sentence = sentence, .sentence_bytes = sentence_bytes};
    reader.tree = calloc(1, sizeof *reader.tree);
    if (!reader.tree || !yaml_parser_initialize(&parser)) {
        free(reader.tree);
        snprintf(sentence, sentence_bytes, "%s: there is no memory to read it", file);
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    bool good = read_all(&reader, &parser);
    yaml_parser_delete(&parser);
    if (good && !reader.tree->count)
        good = complain(&reader, 1, "the file is empty; copy one of examples/");
    if (good)
        return reader.tree;
    config_tree_free(reader.tree);
    return NULL;
}

void config_tree_free(struct config_tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->text_count; i++)
        free(tree->texts[i]);
    free(tree);
}

const struct config_node *config_tree_root(const struct config_tree *tree)
{
    return &tree->nodes[0];
}
