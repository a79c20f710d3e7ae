/* SPDX-License-Identifier: Apache-2.0 */
#include "line_reader.h"

#include <stdlib.h>

static int put(struct line_reader *reader, char c)
{
    if (reader->len + 1 >= reader->room) {
        size_t room = reader->room > 0 ? reader->room * 2 : 4096;
        char *grown = realloc(reader->text, room);
        if (!grown)
            return -1;
        reader->text = grown;
        reader->room = room;
    }
    reader->text[reader->len++] = c;
    return 0;
}

int line_next(struct line_reader *reader, size_t most)
{
    int c;
    reader->len = 0;
    while ((c = getc_unlocked(reader->file)) != EOF && c != '\n') {
        if (reader->len == most) {
            reader->number++;
            return LINE_TOO_LONG;
        }
        if (put(reader, (char)c))
            return LINE_NO_MEMORY;
    }
    if (ferror(reader->file))
        return LINE_FAILED;
    if (c == EOF && reader->len == 0)
        return LINE_END;
    reader->number++;
    reader->whole = c == '\n';
    if (put(reader, 0))
        return LINE_NO_MEMORY;
    reader->len--;
    return LINE_READ;
}

void line_reader_free(struct line_reader *reader)
{
    free(reader->text);
    reader->text = NULL;
    reader->room = 0;
}
