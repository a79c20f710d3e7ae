/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories: thousands of operations on the driver and on the model, compared after each.
 * The same seed gives the same history on every machine.
 */
#ifndef CONFORMANCE_HISTORY_H
#define CONFORMANCE_HISTORY_H

#include "subject.h"

struct history_plan {
    const struct target *target;
    uint32_t instances; /* that the operations go to in turn; more than 1 on shared stores alone */
    uint64_t seed;
    uint32_t steps;
    uint64_t fail_from; /* this allocation fails, counted from 1; 0: none */
    int fail_on;        /* and all later ones, until the history is over */
};

/* Plays one history on a fresh store. On a violation `failure` tells seed, step and what was wrong;
   else it stays empty. Returns how many allocations the driver made. */
uint64_t history_run(const struct history_plan *plan, char *failure, size_t size);

#endif
