/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in memory behind the driver's table of system calls: it remembers every change and what
 * has been synced, so that a test can make each call fail, and can build what a loss of power at
 * any moment could leave. One folder, flat; the names of files are their whole paths. One thread.
 */
#ifndef TESTS_FILE_DISK_H
#define TESTS_FILE_DISK_H

#include "common/os.h"

#include <stddef.h>
#include <stdint.h>

/* A change, in the order in which they were made. */
enum disk_what {
    DISK_CREATE,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_SYNC_FOLDER,
    DISK_RENAME,
    DISK_LINK,
    DISK_UNLINK,
    DISK_MARK /* a word of the test's own */
};

struct disk_change {
    enum disk_what what;
    int file;      /* number of the file: for life, whatever its names are */
    int64_t at;    /* WRITE, TRUNCATE: where; MARK: the word */
    size_t len;    /* WRITE */
    char *bytes;   /* WRITE */
    char *name;    /* CREATE, RENAME (from), LINK (new), UNLINK */
    char *renamed; /* RENAME: to */
};

struct disk_log {
    struct disk_change *at;
    size_t n, room;
};

enum disk_fault {
    DISK_FAIL, /* the call fails with `error` */
    DISK_SHORT /* a read or write does half of it; other calls are not touched */
};

struct disk_plan {
    uint64_t first; /* the call that it hits, counted from 1; 0: none */
    int forever;    /* and all later ones of the same kind of call */
    enum disk_fault fault;
    int error;
    int writes_only; /* calls that only look are neither counted nor hit */
};

/* Puts an empty disk under the driver; the one before is gone. */
void disk_new(void);
void disk_free(void);

/* From now on. Also counts anew. */
void disk_plan(const struct disk_plan *plan);
uint64_t disk_calls(void); /* counted since */
int disk_hits(void);       /* calls that the plan has hit */

/* No log from now on: for long histories. */
void disk_forget(void);

/* No room beyond so many bytes of all files together; 0: no bound. */
void disk_limit(uint64_t bytes);

/* Sets what statfs says. */
void disk_kind(uint32_t kind);

/* The log since the last call of disk_new or disk_load, borrowed. */
const struct disk_log *disk_changes(void);
/* Takes the log over: the disk begins a new one. disk_log_free frees it. */
struct disk_log disk_take_changes(void);
void disk_log_free(struct disk_log *log);
void disk_mark(int64_t word);

/* Which of the changes that no sync covers a crash after the first `n` of the log has let through.
 */
struct disk_crash {
    size_t n;
    uint64_t seed; /* 0: all of them; 1: none; else drawn for each */
    int64_t torn;  /* so many bytes of the last write, if that is not synced; < 0: as drawn */
};

/* An empty disk with what such a crash of the given log leaves on one that held `before` (NULL: was
   empty). */
struct disk_image;
void disk_load(
    const struct disk_image *before, const struct disk_log *log, const struct disk_crash *crash);
/* All that is on the disk now, as if synced. */
struct disk_image *disk_save(void);
void disk_image_free(struct disk_image *image);

/* The bytes of a file, borrowed until the next change; NULL if there is none. */
const char *disk_read(const char *name, size_t *len);
/* Sets them, made if it is missing. */
void disk_write(const char *name, const char *bytes, size_t len);

/* Cuts it off there. */
void disk_cut(const char *name, size_t len);

/* Bytes of all files that have a name, and what is allocated behind their ends. */
uint64_t disk_used(void);
/* The same of one file. */
uint64_t disk_used_by(const char *name);
/* Bytes read since the last call. */
uint64_t disk_bytes_read(void);

#endif
