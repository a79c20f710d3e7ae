/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_out.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>

static void print(const struct cli *cli, const struct dray_tend_report *did)
{
    if (!cli->json) {
        printf(
            "%" PRIu64 " bytes before, %" PRIu64 " after\n", did->bytes_before, did->bytes_after);
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "driver", dray_get_info(cli->dray)->driver);
    json_uint(&out, "bytes_before", did->bytes_before);
    json_uint(&out, "bytes_after", did->bytes_after);
    json_end_object(&out);
    json_finish(&out);
}

static int run(struct cli *cli)
{
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    struct dray_tend_report did;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_tend_store(cli->dray, DRAY_TEND_COMPACT, &did, NULL, NULL, &error) != DRAY_OK)
        return report(cli, &error);
    print(cli, &did);
    return EXIT_DONE;
}

const struct verb verb_compact = {
    .name = "compact",
    .summary = "give back the space that deleted jobs leave in the store",
    .words = "",
    .notes = "Workers wait meanwhile. Exit status 1: the driver cannot be compacted.",
    .examples = {"dray compact", "dray compact -c config/queue.yaml", "dray compact --json"},
    .run = run,
};
