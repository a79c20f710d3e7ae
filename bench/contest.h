/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A contest: several sides do the same work in turn, A B C A B C, so that a noisy machine is noisy
 * for all of them, and the median of each side's rounds counts. Side 0 is Dray; the others are the
 * bare programs that show the limit.
 */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include <stddef.h>
#include <stdint.h>

struct report;
struct subject;

#define CONTEST_SIDES 8u    /* at most */
#define CONTEST_MEASURES 3u /* at most */
#define CONTEST_ROUNDS 15u  /* at most */

/* What a side is asked to do in one run. */
struct load {
    struct subject *subject; /* the open instance; NULL for sides that are not Dray */
    struct subject *from;    /* pick-up: another one that dispatches; NULL: the same */
    const char *folder;      /* where a side may put files; they are removed with it */
    uint64_t jobs;
    uint64_t limit_ns; /* no more jobs are handed in after so long */
    unsigned dispatchers;
    unsigned executors;
    unsigned batch; /* jobs handed in at once */
};

/* What one run gave. A value below 0 was not measured. */
struct sample {
    double values[CONTEST_MEASURES];
    uint64_t dispatched;
    uint64_t handled; /* must equal `dispatched` */
};

/* Does one run. 0, or -1 after one line on standard error. */
typedef int (*run_fn)(const struct load *load, struct sample *out);

struct side {
    const char *name;
    run_fn run;
    struct load load;
};

struct measure {
    const char *name; /* "rate", "p50" */
    const char *unit; /* "jobs/s", "us", "bytes/job" */
};

struct contest {
    const char *tier; /* what --only selects */
    char name[64];    /* unique within a report */
    struct measure measures[CONTEST_MEASURES];
    size_t nmeasures;
    struct side sides[CONTEST_SIDES];
    size_t nsides;
    unsigned rounds;
};

/* Adds a side; a NULL `run` (a side without that operation) and one too many are left out. */
void contest_add(struct contest *contest, const char *name, run_fn run, const struct load *load);

/* Runs all rounds and adds the outcome to the report. -1 if a side failed, lost or invented jobs,
   or if the user has interrupted. */
int contest_run(const struct contest *contest, struct report *report);

#endif
