/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_TABLE_H
#define SEGUE_MANAGE_TABLE_H

/* A table of words for a terminal: columns two blanks apart, as wide as what is in them. */

#include <stddef.h>

enum { TABLE_COLUMNS_MAX = 10 };

struct table;

/* Columns divided by '|'; one that begins with '>' is set to the right. */
struct table *table_new(const char *columns);
void table_free(struct table *table);
/* One row; every cell is copied. NULL: "-". */
void table_row(struct table *table, const char *const *cells);
/* The table as lines, each cut at `width` columns; the caller frees it. */
char *table_text(const struct table *table, size_t width);

#endif
