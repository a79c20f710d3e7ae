/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a run, one after another, each in a process of its own. */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "guard.h"
#include "report.h"
#include "target.h"

struct run_plan {
    struct target_wish wish;
    const char *only; /* a clause, or NULL */
    uint64_t seed;
    uint32_t histories, steps, faults;
    int enough_s; /* after so long no other history begins; 0: all are played */
    int quick, trace;
    struct guard_limits limits;
};

/* Loads the driver and opens it once. The code, and one line in `error`. */
int run_portrait(const struct run_plan *plan, struct portrait *portrait, struct dray_error *error);

void run_checks(const struct run_plan *plan, struct report *report);

/* Calls each(clause, name) for every check that there is. */
void run_each(void (*each)(void *user, const char *clause, const char *name), void *user);

#endif
