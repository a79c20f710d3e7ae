/* SPDX-License-Identifier: Apache-2.0 */
/* Output that goes to a file whole or not at all: written beside it, then put in its place. */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include <limits.h>
#include <stdio.h>

struct cli;

struct out_file {
    FILE *file;
    char path[PATH_MAX];
    char draft[PATH_MAX]; /* "" for what is no regular file: it is written as it is */
    int sys;              /* errno of a write that failed, told by whoever wrote; 0: not known */
};

/* Each: 0, or the exit status, reported. out_file_finish also makes sure that the disk has it;
   out_file_drop leaves what was there before. One file at a time, since a signal that ends the
   process removes its draft: `out` stays where it is from open to finish or drop. */
int out_file_open(const struct cli *cli, const char *path, struct out_file *out);
int out_file_finish(const struct cli *cli, struct out_file *out);
void out_file_drop(struct out_file *out);

#endif
