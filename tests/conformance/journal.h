/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a check does, written down where it outlives the process that runs it: the last calls, the
 * one under way, and the verdict. A check runs in a child, so that a driver which crashes or hangs
 * takes nobody along; the parent reads the journal afterwards.
 *
 * One journal a program; one process writes at a time.
 */
#ifndef CONFORMANCE_JOURNAL_H
#define CONFORMANCE_JOURNAL_H

#include "dray/export.h"

#include <stdatomic.h>
#include <stdint.h>

#define JOURNAL_LINES 48u
#define JOURNAL_TEXT 192u

struct journal {
    _Atomic uint64_t moves;   /* rises with each call: what stands still for long hangs */
    _Atomic int finished;     /* the check came to its end */
    char doing[JOURNAL_TEXT]; /* the call under way; "": none */
    char where[JOURNAL_TEXT]; /* "seed 4, step 17"; "": a directed check */
    char lines[JOURNAL_LINES][JOURNAL_TEXT];
    uint64_t nlines;    /* written so far; the last JOURNAL_LINES are there */
    char failure[1024]; /* "": holds */
    char missing[256];  /* why it could not be tried; "": it was */
    uint64_t counted;   /* of a check that counts something */
};

/* In memory shared with children; NULL if there is none. */
struct journal *journal_open(void);

/* Forgets everything, for the next check. `echo`: lines go to standard output too. */
void journal_begin(int echo);

/* From here on this process writes into a journal of its own that nobody reads. */
void journal_leave(void);

/* The journal in force. Never NULL. */
struct journal *journal_now(void);

void journal_where(const char *fmt, ...) DRAY_PRINTF(1, 2);
void journal_doing(const char *fmt, ...) DRAY_PRINTF(1, 2);

/* What the call came to; it is no longer under way. */
void journal_add(const char *fmt, ...) DRAY_PRINTF(1, 2);

/* The line at `index` of those that are left, oldest first; NULL behind the last. */
const char *journal_line(const struct journal *journal, uint64_t index);

#endif
