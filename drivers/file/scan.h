/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a file, one after another, and where a line begins again behind damage. Knows what a
 * whole line looks like, nothing of what it says.
 */
#ifndef FILE_SCAN_H
#define FILE_SCAN_H

#include "dray/driver.h"
#include "file/buffer.h"

struct scan {
    const struct dray_host *host;
    struct buffer *input;
    int fd;
    int64_t at;    /* in the file: of the next piece */
    int64_t limit; /* nothing is read from here on */
    size_t pos;    /* in the input: of the next piece */
    int sys;       /* errno of a failed read; 0: the file was shorter than it said */
};

/* A part of the file, borrowed until the next call. */
struct piece {
    const char *text;
    size_t len; /* the line break not counted */
    int64_t at;
    int whole;    /* its sum is right */
    int torn;     /* not whole, and it looks as if its writing had been interrupted */
    int unbroken; /* whole, but another byte stands in place of its line break, at the end of the
                     file */
};

void scan_begin(struct scan *scan, const struct dray_host *host, struct buffer *input, int fd,
    int64_t from, int64_t limit);

/* The next piece. DRAY_OK; DRAY_EMPTY at the limit; DRAY_IO, DRAY_NOMEM. Explains nothing. */
int32_t scan_next(struct scan *scan, struct piece *piece);

#endif
