/* SPDX-License-Identifier: Apache-2.0 */
#include "hand_over.h"
#include "verbs.h"

static int run(struct cli *cli)
{
    return hand_over(cli, "dray-bench", "the benchmark");
}

const struct verb verb_bench = {
    .name = "bench",
    .summary = "throughput and latency of the configured driver",
    .words = "[ARGUMENT...]",
    .raw = 1,
    .notes = "Runs dray-bench, on a queue of its own that it removes. Arguments behind the verb "
             "are dray-bench's: dray bench -h lists them.",
    .examples = {"dray bench", "dray --driver memory bench", "dray -c config/redis.yaml bench"},
    .run = run,
};
