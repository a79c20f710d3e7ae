/* SPDX-License-Identifier: Apache-2.0 */
/* The tiers: what is measured, with which load, against whom. */
#ifndef BENCH_TIERS_H
#define BENCH_TIERS_H

#include "report.h"
#include "subject.h"

struct plan {
    struct source source;
    uint64_t jobs;         /* a run */
    uint64_t latencies;    /* samples a run of pick-up */
    uint64_t small, large; /* backlogs */
    uint64_t limit_ns;     /* a run */
    unsigned rounds;
    const char *only; /* one tier, or NULL for all */
    int exit_status;  /* why the last tier failed */
};

/* "space, dispatch, ..." for messages. Whether `name` is one of them. */
const char *tiers_list(void);
int tiers_has(const char *name);

/* Opens a subject once to fill in the report's head, then measures tier by tier. -1 after one line
   on standard error; plan->exit_status then says how to exit. */
int tiers_run(struct plan *plan, struct report *report);

#endif
