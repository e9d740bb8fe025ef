/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_DESCRIBE_H
#define SEGUE_NODE_DESCRIBE_H

/* The answer to {"verb":"status"}: manage/status.h says what is in it. */

#include <jansson.h>

#include "node/node_state.h"

/* The caller owns it. NULL: no memory. */
json_t *describe_process(struct node *node);
/* The answer to {"verb":"metrics"}: histograms, as api/api_metrics.c takes them. */
json_t *describe_metrics(struct node *node);
json_t *describe_unit(const struct node *node, const struct part *part);
json_t *describe_switch(const struct node *node, const struct part *part);
json_t *describe_loop(const struct node *node, const struct part *part);
/* Names of the units of a group: of members, and of a mask of modules. */
json_t *describe_members(const struct node *node, const struct members *members, int group);
json_t *describe_modules(const struct node *node, uint8_t mask, int group);
/* Name of the unit of a group in that module; null for nobody. */
json_t *describe_module(const struct node *node, uint8_t module, int group);
/* Name of a group; "": there is none. */
const char *describe_group(const struct node *node, uint8_t group);
json_t *describe_uuid(const uint8_t uuid[16]);

#endif
