/* SPDX-License-Identifier: Apache-2.0 */
#include "contest.h"

#include "report.h"
#include "stopwatch.h"

#include <inttypes.h>
#include <stdio.h>

void contest_add(struct contest *contest, const char *name, run_fn run, const struct load *load)
{
    if (!run || contest->nsides == CONTEST_SIDES)
        return;
    contest->sides[contest->nsides++] = (struct side){name, run, *load};
}

/* One run of one side, checked: a figure of a run that lost jobs is worth nothing. */
static int run_side(const struct contest *contest, const struct side *side, struct sample *out)
{
    *out = (struct sample){.values = {-1, -1, -1}};
    if (stopwatch_interrupted())
        return -1;
    if (side->run(&side->load, out) != 0) {
        fprintf(stderr, "dray-bench: %s: %s gave up\n", contest->name, side->name);
        return -1;
    }
    if (stopwatch_interrupted())
        return -1;
    if (out->dispatched != out->handled) {
        fprintf(stderr, "dray-bench: %s: %s was given %" PRIu64 " jobs and handled %" PRIu64 "\n",
            contest->name, side->name, out->dispatched, out->handled);
        return -1;
    }
    return 0;
}

int contest_run(const struct contest *contest, struct report *report)
{
    struct outcome *outcome = report_outcome(report, contest);
    if (!outcome) {
        fprintf(stderr, "dray-bench: out of memory\n");
        return -1;
    }
    for (unsigned round = 0; round < contest->rounds; round++) {
        for (size_t i = 0; i < contest->nsides; i++) {
            struct sample sample;
            if (run_side(contest, &contest->sides[i], &sample) != 0)
                return -1;
            outcome_add(outcome, i, &sample);
        }
    }
    report_progress(report, outcome);
    return 0;
}
