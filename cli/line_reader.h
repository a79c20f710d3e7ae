/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file, one at a time, of bounded length. */
#ifndef CLI_LINE_READER_H
#define CLI_LINE_READER_H

#include <stddef.h>
#include <stdio.h>

struct line_reader {
    FILE *file;
    char *text; /* the line, without its break, with a zero behind it */
    size_t len;
    size_t room;
    unsigned number; /* from 1 */
    int whole;       /* it ended in a line break */
};

enum { LINE_END = 0, LINE_READ = 1, LINE_FAILED = -1, LINE_TOO_LONG = -2, LINE_NO_MEMORY = -3 };

/* Reads the next line, of at most `most` bytes. LINE_FAILED leaves the reason in errno. */
int line_next(struct line_reader *reader, size_t most);
void line_reader_free(struct line_reader *reader);

#endif
