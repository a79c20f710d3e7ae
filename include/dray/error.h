/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers and errors, shared by applications and drivers.
 *
 * Every call returns one of the codes below as an int32_t (never as an enum type, whose size is a
 * compiler's choice). The number range tells what a caller may conclude:
 *
 *   0          done
 *   1 .. 31    a definite answer other than "done"; nothing went wrong with the store
 *   32 .. 63   certainly not done: the store is as it was before the call
 *   64 ..      the effect is not known, or the store can no longer be trusted
 */
#ifndef DRAY_ERROR_H
#define DRAY_ERROR_H

#include "dray/export.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DRAY_OK = 0,

    /* Definite answers. */
    DRAY_EXISTS = 1,    /* push: that id is there already, with the same content */
    DRAY_DUPLICATE = 2, /* push, kick: another job that has not ended holds the unique key */
    DRAY_CONFLICT = 3,  /* the id is there with other content; or the job is leased */
    DRAY_STALE = 4,     /* the token is no longer current: the job has a new owner or has ended */
    DRAY_NOTFOUND = 5,  /* no such job, queue, file or driver */
    DRAY_CANCELLED = 6, /* the job is marked as cancelled */
    DRAY_FAILED = 7,    /* sync: the job failed for good */
    DRAY_EMPTY = 8,     /* there is nothing to do */

    /* Certainly not done. */
    DRAY_BUSY = 32,        /* no success within the budget; try again */
    DRAY_FULL = 33,        /* the store is at its capacity, or its disk is full */
    DRAY_LIMIT = 34,       /* a value or a batch is larger than allowed */
    DRAY_INVALID = 35,     /* a wrong argument */
    DRAY_UNSUPPORTED = 36, /* this driver, or this version, cannot do it */
    DRAY_CLOSED = 37,      /* the instance is closing or closed */
    DRAY_FORKED = 38,      /* the instance was opened before a fork; the child may not use it */
    DRAY_NOMEM = 39,       /* out of memory */
    DRAY_UNREACHABLE = 40, /* the backend cannot be reached */
    DRAY_DENIED = 41,      /* not permitted: file modes, credentials */
    DRAY_IO = 42,          /* the system refused to read or write */
    DRAY_CONFIG = 43,      /* the configuration is wrong */

    /* Not known, or damaged. */
    DRAY_UNKNOWN = 64,  /* may or may not have been done; ask again with the same id or token */
    DRAY_POISONED = 65, /* the store failed under us; nothing more is changed until reopened */
    DRAY_CORRUPT = 66   /* the store holds damaged data; the text names the place */
};

/* Nonzero if `code` says that the call certainly changed nothing. */
#define DRAY_IS_NOT_DONE(code) ((code) >= 32 && (code) < 64)

/*
 * One error, for people and for programs. The caller owns it and may leave it uninitialised but
 * for `size`; DRAY_ERROR_INIT does that. On success it is left untouched.
 *
 * `text` is one line without a trailing full stop or newline: what went wrong, where, and what to
 * do. An error in a configuration begins with FILE:LINE: and fills `file` and `line` as well.
 */
struct dray_error {
    uint32_t size; /* sizeof(struct dray_error) as the caller compiled it */
    int32_t code;  /* a DRAY_ code, the same that the call returned */
    int32_t sys;   /* the errno behind it, or 0 */
    uint32_t line; /* line in `file`, from 1; 0 if none */
    char file[256];
    char text[512];
};

#define DRAY_ERROR_INIT                                                                            \
    {                                                                                              \
        (uint32_t)sizeof(struct dray_error), 0, 0, 0, "", ""                                       \
    }

/*
 * The name of a code in lower case ("stale", "not found"). Never NULL; static; any thread.
 */
DRAY_API const char *dray_code_name(int32_t code);

#ifdef __cplusplus
}
#endif

#endif
