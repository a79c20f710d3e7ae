/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_out.h"
#include "verbs.h"

static int run(struct cli *cli)
{
    int status = find_config(cli);
    if (status != EXIT_DONE)
        return status;
    struct dray_options options;
    open_options(cli, 0, &options);
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_check_config(&options, NULL, NULL, &error) != DRAY_OK)
        return report_open(cli, &error);
    if (!cli->json) {
        note(cli, "%s: all right", options.config ? options.config : "defaults");
        return EXIT_DONE;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "config", options.config);
    json_bool(&out, "ok", 1);
    json_end_object(&out);
    json_finish(&out);
    return EXIT_DONE;
}

const struct verb verb_check = {
    .name = "check",
    .summary = "check the configuration, without connecting",
    .words = "",
    .examples = {"dray check", "dray check -c config/queue.yaml",
        "dray check --driver redis --json"},
    .run = run,
};
