/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured, as a table for people and as one JSON object. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "contest.h"

#include <stdio.h>

/* All rounds of one side. */
struct track {
    double values[CONTEST_MEASURES][CONTEST_ROUNDS];
    unsigned rounds;
    uint64_t dispatched; /* of all rounds */
    uint64_t handled;
};

struct outcome {
    struct contest contest;
    struct track tracks[CONTEST_SIDES];
    struct outcome *next;
};

/* What was left out, and why. */
struct omission {
    char what[64];
    char why[160];
    struct omission *next;
};

struct report {
    char driver[64];
    char durability[32];
    char store[4096]; /* path, or "" */
    uint64_t jobs;
    unsigned rounds;
    struct outcome *outcomes, *last_outcome;
    struct omission *omissions, *last_omission;
    int table; /* print each outcome as it comes */
};

/* A place for the outcome of a contest, owned by the report. NULL without memory. */
struct outcome *report_outcome(struct report *report, const struct contest *contest);
void outcome_add(struct outcome *outcome, size_t side, const struct sample *sample);

/* Notes that something was not measured. */
void report_omit(struct report *report, const char *what, const char *why);

/* The table's head, one contest as soon as it has ended, and what follows the last. On standard
   output; nothing if the report is to be JSON. */
void report_begin(const struct report *report);
void report_progress(const struct report *report, struct outcome *outcome);
void report_end(const struct report *report);

/* The whole report as one JSON object and a newline. -1 without memory or if the write failed. */
int report_json(const struct report *report, FILE *out);

void report_free(struct report *report);

#endif
