/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* So many rows decide the widths; a listing of a million jobs is not held in memory. */
#define SLICE 256
#define GAP 2

void table_start(struct table *table, const char *const *headings, size_t ncolumns, int for_people)
{
    memset(table, 0, sizeof(*table));
    table->headings = headings;
    table->ncolumns = ncolumns < TABLE_COLUMNS_MAX ? ncolumns : TABLE_COLUMNS_MAX;
    table->for_people = for_people;
    for (size_t i = 0; i < table->ncolumns; i++)
        table->widths[i] = utf8_columns(headings[i]);
}

static char *escaped(const char *text)
{
    if (!text)
        text = "-";
    size_t len = strlen(text);
    char *out = malloc(escaped_len(text, len) + 1);
    if (out)
        escape(out, text, len);
    return out;
}

static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static int colours(void)
{
    const char *term = getenv("TERM");
    return !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

/* The last column may be cut to the width of the terminal, the others never. */
static void print_last(const char *text, size_t room)
{
    size_t columns = utf8_columns(text);
    if (columns <= room || room < 8) {
        fputs(text, stdout);
        return;
    }
    for (size_t shown = 0; *text; text++) {
        if (((unsigned char)*text & 0xc0) != 0x80 && ++shown > room - 3)
            break;
        fputc(*text, stdout);
    }
    fputs("...", stdout);
}

static void print_aligned(const struct table *table, const char *const *cells, const char *end)
{
    size_t width = terminal_width();
    size_t used = 0;
    for (size_t i = 0; i < table->ncolumns; i++) {
        const char *cell = cells[i] ? cells[i] : "";
        if (i + 1 == table->ncolumns) {
            print_last(cell, width > used && !table->whole ? width - used : 0);
            break;
        }
        size_t columns = utf8_columns(cell);
        fputs(cell, stdout);
        printf("%*s", (int)(table->widths[i] - columns + GAP), "");
        used += table->widths[i] + GAP;
    }
    fputs(end, stdout);
}

static void print_heading(struct table *table)
{
    if (table->headed)
        return;
    table->headed = 1;
    int bold = colours();
    if (bold)
        fputs("\033[1m", stdout);
    print_aligned(table, table->headings, bold ? "\033[0m\n" : "\n");
}

static void print_slice(struct table *table)
{
    for (size_t r = 0; r < table->nrows; r++) {
        char **row = table->cells + r * table->ncolumns;
        for (size_t i = 0; i < table->ncolumns; i++) {
            size_t columns = row[i] ? utf8_columns(row[i]) : 0;
            if (columns > table->widths[i])
                table->widths[i] = columns;
        }
    }
    if (table->for_people && table->nrows > 0)
        print_heading(table);
    for (size_t r = 0; r < table->nrows; r++) {
        char **row = table->cells + r * table->ncolumns;
        if (table->for_people) {
            print_aligned(table, (const char *const *)row, "\n");
        } else {
            for (size_t i = 0; i < table->ncolumns; i++)
                printf("%s%s", i > 0 ? "\t" : "", row[i] ? row[i] : "");
            fputc('\n', stdout);
        }
        for (size_t i = 0; i < table->ncolumns; i++)
            free(row[i]);
    }
    table->nrows = 0;
}

void table_row(struct table *table, const char *const *cells)
{
    if (!table->cells) {
        table->cells = calloc(SLICE * table->ncolumns, sizeof(*table->cells));
        if (!table->cells) {
            table->failed = 1;
            return;
        }
    }
    char **row = table->cells + table->nrows * table->ncolumns;
    for (size_t i = 0; i < table->ncolumns; i++) {
        row[i] = escaped(cells[i]);
        table->failed |= !row[i];
    }
    if (++table->nrows == SLICE || !table->for_people)
        print_slice(table);
}

int table_finish(struct table *table)
{
    print_slice(table);
    free(table->cells);
    table->cells = NULL;
    return table->failed ? -1 : 0;
}
