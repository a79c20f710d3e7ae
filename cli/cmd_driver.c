/* SPDX-License-Identifier: Apache-2.0 */
#include "hand_over.h"
#include "verbs.h"

static int run(struct cli *cli)
{
    return hand_over(cli, "dray-conformance", "the conformance kit");
}

const struct verb verb_driver_test = {
    .name = "driver test",
    .summary = "prove that the configured driver keeps the delivery contract",
    .words = "[CONFIG|DRIVER.so]",
    .raw = 1,
    .notes = "Runs dray-conformance, on stores of its own in a temporary folder: the jobs of "
             "the configured store are never touched. Arguments behind the verb are its own: "
             "dray driver test -h lists them.",
    .examples = {"dray driver test config/sqlite.yaml --quick",
        "dray driver test config/sqlite.yaml --only T11",
        "dray driver test ./mydriver.so -o 'path={tmp}/jobs'"},
    .run = run,
};
