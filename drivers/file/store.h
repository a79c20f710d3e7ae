/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open queue file: what the files of this driver share. One instance, no lock of its own: the
 * core never overlaps two calls.
 *
 * Unless it says otherwise a function returns a DRAY_ code; any other than DRAY_OK has been
 * explained with host->fail.
 */
#ifndef FILE_STORE_H
#define FILE_STORE_H

#include "common/bell.h"
#include "common/lock.h"
#include "common/table.h"
#include "common/xfsz.h"
#include "dray/driver.h"
#include "file/buffer.h"

#include <pthread.h>

/* What was found wrong while the file was read, since it was last read from its beginning. */
struct damage {
    uint64_t records; /* lines set aside, and records that are missing */
    int64_t first;    /* byte at which the first of them lies */
    int header;       /* the first line is one of them */
};

/* The file as this instance knows it. */
struct journal {
    int fd; /* -1: none */
    uint64_t dev, ino;
    uint64_t id;     /* of the file, from its header; 0 if that is damaged */
    int64_t end;     /* what lies before is in the table */
    uint64_t seq;    /* number of the last record before `end` */
    int64_t synced;  /* what lies before is known to be on the disk */
    int64_t room;    /* space on the disk is allocated up to here, as far as known */
    int no_room;     /* this file system cannot allocate ahead */
    int full;        /* the disk was, when room was last asked for */
    int64_t copied;  /* bytes of what lived when the file was written anew */
    int64_t look_at; /* not written anew before it is as large as this */
    struct damage damage;
};

/* The records of the turn under way. */
struct batch {
    struct buffer text;
    uint64_t first, seq; /* of the first and the last record */
    size_t line;         /* where the last one begins */
    int failed;          /* no memory: nothing of this turn may be written */
    int rings;           /* another process may find work */
};

/* The file being written anew, see rewrite.h. */
struct rewrite {
    int fd; /* of PATH.new; -1: none is under way */
    uint64_t ino;
    uint64_t id;        /* of the new file */
    struct buffer text; /* not yet written */
    int64_t at;         /* where that goes */
    int64_t synced;     /* what lies before is on the disk */
    uint64_t seq, turn; /* of the last record */
    int64_t read;       /* in the old file: what lies behind has still to be copied */
    int told;           /* the table has told all that it held */
    int sys;            /* errno of the first failure */
};

/* When and how fast that is done, see compact.h. */
struct compact {
    int64_t end, live; /* of the last step */
    int64_t debt;      /* bytes to be copied for what has changed since */
    uint64_t new_ino;  /* the PATH.new of somebody else, as it was seen last ... */
    int64_t new_size;
    int64_t seen_end; /* ... when the file ended here */
};

struct store {
    const struct dray_host *host;
    struct table *table; /* NULL: to be read from the file */
    uint64_t generation; /* counts how often it was */
    char *path;          /* absolute, the folder resolved */
    char *aside;         /* room for the names of the files beside it: store_beside */
    char *lock_path;
    struct lock lock;
    struct bell bell;
    struct journal journal;
    struct rewrite rewrite;
    struct compact compact;
    struct batch batch;
    struct buffer input, scratch; /* for reading */
    uint64_t *refs;               /* jobs to be handed out once the turn is written */
    uint32_t nrefs, refs_room;
    uint32_t durability;
    uint32_t boot; /* of the machine, as records have it */
    int poisoned;
    struct xfsz xfsz;
    pthread_t retirer; /* see retire.h */
    int retiring;
    int64_t deadline_ms; /* of the call, gate_clock_ms */
    struct table_now now;
    int64_t max_file_size;
    uint32_t max_backups;
};

/* PATH and a suffix, until the next call. */
const char *store_beside(struct store *store, const char *suffix);

#endif
