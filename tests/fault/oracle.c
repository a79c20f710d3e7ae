/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/oracle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int oracle_open(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void oracle_say(int fd, const char *word, const char *id, unsigned number)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%s %s %u %ld\n", word, id, number, (long)getpid());
    if (len <= 0 || write(fd, line, (size_t)len) != len)
        abort();
}

size_t oracle_read(const char *path, struct oracle_line **lines)
{
    FILE *file = fopen(path, "re");
    size_t n = 0;
    size_t room = 0;
    *lines = NULL;
    struct oracle_line line;
    while (file &&
           fscanf(file, "%15s %64s %u %ld", line.word, line.id, &line.number, &line.pid) == 4) {
        if (n == room) {
            room = room ? room * 2 : 1024;
            *lines = realloc(*lines, room * sizeof(line));
            if (!*lines)
                abort();
        }
        (*lines)[n++] = line;
    }
    if (file)
        fclose(file);
    return n;
}
