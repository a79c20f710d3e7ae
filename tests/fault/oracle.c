/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/oracle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All lines are as long, and a page holds a whole number of them: SIGKILL ends a write(2) between
   two pages, and half a line would hide all that follow. */
#define ORACLE_LINE 128

int oracle_open(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void oracle_say(int fd, const char *word, const char *id, unsigned number)
{
    char line[ORACLE_LINE + 1];
    int len = snprintf(line, sizeof(line), "%s %s %u %ld", word, id, number, (long)getpid());
    if (len <= 0 || len >= ORACLE_LINE)
        abort();
    memset(line + len, ' ', (size_t)(ORACLE_LINE - 1 - len));
    line[ORACLE_LINE - 1] = '\n';
    if (write(fd, line, ORACLE_LINE) != ORACLE_LINE)
        abort();
}

static void parse(const char *text, struct oracle_line *line)
{
    if (text[ORACLE_LINE - 1] == '\n' &&
        sscanf(text, "%15s %64s %u %ld", line->word, line->id, &line->number, &line->pid) == 4)
        return;
    fprintf(stderr, "the oracle has a line that nobody said: %.127s\n", text);
    abort();
}

size_t oracle_read(const char *path, struct oracle_line **lines)
{
    FILE *file = fopen(path, "re");
    size_t n = 0;
    size_t room = 0;
    *lines = NULL;
    char text[ORACLE_LINE + 1] = "";
    while (file && fread(text, ORACLE_LINE, 1, file) == 1) {
        if (n == room) {
            room = room ? room * 2 : 1024;
            *lines = realloc(*lines, room * sizeof(**lines));
            if (!*lines)
                abort();
        }
        parse(text, &(*lines)[n++]);
    }
    if (file)
        fclose(file);
    return n;
}
