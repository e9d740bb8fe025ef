/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct table {
    size_t columns, rows, rows_max;
    bool right[TABLE_COLUMNS_MAX];
    size_t width[TABLE_COLUMNS_MAX];
    char **cells; /* rows of columns; the first is the heading */
};

static void add_row(struct table *table)
{
    if (table->rows == table->rows_max) {
        table->rows_max = table->rows_max ? 2 * table->rows_max : 16;
        table->cells = realloc(table->cells, table->rows_max * table->columns * sizeof(char *));
        must(table->cells);
    }
    table->rows++;
}

static void set_cell(struct table *table, size_t column, const char *text, size_t length)
{
    char *copy = strndup(text, length);
    must(copy);
    if (length > table->width[column])
        table->width[column] = length;
    table->cells[(table->rows - 1) * table->columns + column] = copy;
}

struct table *table_new(const char *columns)
{
    struct table *table = calloc(1, sizeof *table);
    must(table);
    table->columns = 1;
    for (const char *at = columns; *at; at++)
        table->columns += *at == '|';
    must(table->columns <= TABLE_COLUMNS_MAX);
    add_row(table);
    for (size_t i = 0; i < table->columns; i++) {
        table->right[i] = *columns == '>';
        columns += table->right[i];
        size_t length = strcspn(columns, "|");
        set_cell(table, i, columns, length);
        columns += length + (columns[length] == '|');
    }
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

void table_row(struct table *table, const char *const *cells)
{
    add_row(table);
    for (size_t i = 0; i < table->columns; i++) {
        const char *text = cells[i] ? cells[i] : "-";
        set_cell(table, i, text, strlen(text));
    }
}

/* One line into `line`, which holds every column at its width. Returns its length without blanks at
 * its end. */
static size_t set_line(const struct table *table, size_t row, char *line)
{
    size_t at = 0;
    for (size_t i = 0; i < table->columns; i++) {
        const char *text = table->cells[row * table->columns + i];
        int width = (int)table->width[i];
        at += (size_t)sprintf(line + at, "%s%*s", i ? "  " : "", table->right[i] ? width : -width,
                              text);
    }
    while (at > 0 && line[at - 1] == ' ')
        at--;
    return at;
}

char *table_text(const struct table *table, size_t width)
{
    size_t whole = 1;
    for (size_t i = 0; i < table->columns; i++)
        whole += table->width[i] + 2;
    char *line = malloc(whole + 1), *text = malloc(table->rows * (whole + 1) + 1);
    must(line && text);
    size_t at = 0;
    for (size_t row = 0; row < table->rows; row++) {
        size_t length = set_line(table, row, line);
        if (length > width)
            length = width;
        memcpy(text + at, line, length);
        at += length;
        text[at++] = '\n';
    }
    text[at] = 0;
    free(line);
    return text;
}
