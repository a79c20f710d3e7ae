/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What really happened, kept outside the store: processes append short lines to one file, each with
 * a single write(2) of an O_APPEND descriptor, so lines of several processes stand in the order in
 * which they happened and survive SIGKILL.
 */
#ifndef TESTS_FAULT_ORACLE_H
#define TESTS_FAULT_ORACLE_H

#include <stddef.h>

/* Opens (and creates) the file for appending; -1 on failure. */
int oracle_open(const char *path);

/* Appends "WORD ID NUMBER PID" as one line. Aborts the process if that fails: without an oracle a
   test proves nothing. */
void oracle_say(int fd, const char *word, const char *id, unsigned number);

struct oracle_line {
    char word[16];
    char id[65];
    unsigned number;
    long pid;
};

/* Reads the whole file. The lines are for free(). Aborts on a line that is not whole. */
size_t oracle_read(const char *path, struct oracle_line **lines);

#endif
