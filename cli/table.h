/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for people on a terminal (aligned, with a heading), tab-separated lines otherwise. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#define TABLE_COLUMNS_MAX 12

struct table {
    const char *const *headings;
    size_t ncolumns;
    int for_people;
    int whole;  /* set it after table_start: not even the last column is cut to the terminal */
    int headed; /* the heading is out */
    size_t widths[TABLE_COLUMNS_MAX]; /* in characters */
    char **cells;                     /* [nrows * ncolumns], escaped */
    size_t nrows;
    int failed; /* rows were lost for want of memory */
};

/* `headings` has `ncolumns` members and must stay. */
void table_start(struct table *table, const char *const *headings, size_t ncolumns, int for_people);

/* A row of ncolumns cells; NULL shows as "-". Long tables are printed in slices. */
void table_row(struct table *table, const char *const *cells);

/* Prints what is left and frees it. 0, or -1 if memory did not suffice for all rows. */
int table_finish(struct table *table);

#endif
