/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_out.h"
#include "table.h"
#include "verbs.h"

struct config_listing {
    struct cli *cli;
    struct table table;
};

static int print_row(const struct dray_config_row *row, void *user)
{
    struct config_listing *listing = user;
    if (!listing->cli->json) {
        const char *cells[] = {row->key, row->value, row->origin};
        table_row(&listing->table, cells);
        return 0;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "key", row->key);
    json_text(&out, "value", row->value);
    json_text(&out, "origin", row->origin);
    json_end_object(&out);
    json_finish(&out);
    return 0;
}

static int run(struct cli *cli)
{
    static const char *const headings[] = {"KEY", "VALUE", "FROM"};
    int status = find_config(cli);
    if (status != EXIT_DONE)
        return status;
    struct dray_options options;
    open_options(cli, 0, &options);
    struct config_listing listing = {.cli = cli};
    struct dray_error error = DRAY_ERROR_INIT;
    table_start(&listing.table, headings, 3, cli->out_is_terminal);
    listing.table.whole = 1; /* it ends in the line number */
    int code = dray_check_config(&options, print_row, &listing, &error);
    if (table_finish(&listing.table))
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    return code == DRAY_OK ? EXIT_DONE : report_open(cli, &error);
}

const struct verb verb_config = {
    .name = "config",
    .summary = "the configuration in force, and where each value comes from",
    .words = "",
    .notes = "Secrets show as ***.",
    .examples = {"dray config", "dray config --driver redis",
        "dray config --json | jq -r 'select(.origin != \"default\") | .key'"},
    .run = run,
};
