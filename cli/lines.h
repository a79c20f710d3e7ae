/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs as JSON lines, for `push --lines`: one object a line, its keys the options of push. Payloads
 * are taken byte for byte from the line.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <dray/dray.h>

#include <stdio.h>

struct json_t;

struct lines {
    const char *name;          /* for messages */
    struct dray_new_job *jobs; /* [n]; point into texts and roots */
    unsigned *numbers;         /* [n] line of each job, from 1 */
    char **texts;
    struct json_t **roots;
    size_t n;
    size_t room;
};

struct cli;

/* Reads all of `file`. 0, or the exit status, reported with the number of the line. In both cases
   `lines` is for lines_free. */
int lines_read(const struct cli *cli, FILE *file, const char *name, struct lines *lines);
void lines_free(struct lines *lines);

#endif
