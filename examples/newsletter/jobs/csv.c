/* SPDX-License-Identifier: CC0-1.0 */
#include "csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int csv_open(struct csv *csv, const char *path)
{
    memset(csv, 0, sizeof(*csv));
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t room = 0;
    errno = 0;
    ssize_t len = getdelim(&csv->text, &room, 0, file);
    int failed = len < 0 && ferror(file);
    int more = len > 0 && csv->text[len - 1] == 0;
    fclose(file);
    if (failed || more) {
        csv_close(csv);
        errno = more ? EILSEQ : errno ? errno : EIO;
        return -1;
    }
    if (len < 0) { /* an empty file */
        free(csv->text);
        csv->text = calloc(1, 1);
        if (!csv->text)
            return -1;
    }
    csv->at = csv->text;
    csv->line = 1;
    if (strncmp(csv->at, "\xef\xbb\xbf", 3) == 0)
        csv->at += 3;
    return 0;
}

void csv_close(struct csv *csv)
{
    free(csv->text);
    csv->text = NULL;
}

/* Takes one field off the text and shortens it in place. Returns what ended it (',', '\n' or 0), or
   -1 for an open quote. */
static int take_field(struct csv *csv, char **field)
{
    char *from = csv->at, *to = csv->at;
    *field = to;
    if (*from == '"') {
        from++;
        while (*from != '"' || from[1] == '"') {
            if (!*from)
                return -1;
            csv->line += *from == '\n';
            from += *from == '"';
            *to++ = *from++;
        }
        from++;
    }
    while (*from && *from != ',' && *from != '\n')
        *to++ = *from++;
    int end = *from;
    if (end != ',' && to > *field && to[-1] == '\r')
        to--;
    *to = 0;
    csv->at = end ? from + 1 : from;
    csv->line += end == '\n';
    return end;
}

int csv_next(struct csv *csv, struct csv_row *row)
{
    row->n = 0;
    row->line = csv->line;
    if (!*csv->at)
        return 0;
    int end;
    do {
        char *field;
        end = take_field(csv, &field);
        if (end < 0)
            return -1;
        if (row->n < CSV_COLUMNS)
            row->fields[row->n++] = field;
    } while (end == ',');
    return 1;
}
