/* SPDX-License-Identifier: CC0-1.0 */
/* Comma-separated values as RFC 4180 describes them, and as spreadsheets really write them: a byte
   order mark, LF or CRLF, quoted fields with commas, doubled quotes and line breaks inside. */
#ifndef NEWSLETTER_CSV_H
#define NEWSLETTER_CSV_H

#include <stddef.h>

#define CSV_COLUMNS 32 /* fields beyond are read and dropped */

struct csv {
    char *text; /* the whole file; fields point into it */
    char *at;
    unsigned line;
};

struct csv_row {
    char *fields[CSV_COLUMNS];
    size_t n;
    unsigned line; /* where the row begins, from 1 */
};

/* Reads a file. 0, or -1 with errno set (EILSEQ: it holds zero bytes, so it is not text). */
int csv_open(struct csv *csv, const char *path);
void csv_close(struct csv *csv);

/* The next row: 1 and the row, 0 at the end, -1 for a quote that is never closed (it began in
   row->line). Fields live until csv_close, without their quotes and with zeros behind them. */
int csv_next(struct csv *csv, struct csv_row *row);

#endif
