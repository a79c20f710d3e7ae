/* SPDX-License-Identifier: Apache-2.0 */
/* What came of the checks, as a table while they run or as one JSON object at the end. */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include "journal.h"

#include <stdint.h>

struct json_t;

struct report {
    int json;
    const char *caught; /* count the failures of this clause; NULL: none */
    unsigned held, failed, missing, caught_count;
    struct json_t *checks; /* with json */
};

/* What the driver says of itself. */
struct portrait {
    char name[64], version[64], path[4096];
    uint32_t durability;
};

enum { OUTCOME_HOLDS = 1, OUTCOME_FAILS = 2, OUTCOME_MISSING = 3 };

struct outcome {
    const char *clause, *name;
    int kind;                      /* OUTCOME_ */
    int by_turn;                   /* its operations went through turn */
    const char *text;              /* of a failure, or what is missing; else NULL */
    const struct journal *journal; /* of a failure: what came before; else NULL */
    uint64_t seed;                 /* that repeats it */
};

void report_begin(const struct report *report, const struct portrait *portrait, uint64_t seed);
void report_add(struct report *report, const struct outcome *outcome);
void report_end(struct report *report, const struct portrait *portrait, uint64_t seed);

#endif
