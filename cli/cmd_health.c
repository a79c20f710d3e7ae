/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "escape.h"
#include "json_out.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"ok", "warning", "critical"};

static void print_json(const struct dray_health *health)
{
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "status", words[health->status]);
    json_array(&out, "findings");
    for (size_t i = 0; i < health->nlines; i++)
        json_text(&out, NULL, health->lines[i]);
    json_end_array(&out);
    json_end_object(&out);
    json_finish(&out);
}

static int print(const struct cli *cli, const struct dray_health *health)
{
    if (cli->json) {
        print_json(health);
        return health->status;
    }
    puts(words[health->status]);
    for (size_t i = 0; i < health->nlines; i++) {
        print_escaped(stdout, health->lines[i], strlen(health->lines[i]));
        putchar('\n');
    }
    return health->status;
}

/* A store that cannot be opened is the finding, not a mistake of whoever asks. A configuration that
   is wrong, or a store that one may not look at, says nothing about health. */
static int unreachable(const struct cli *cli, const struct dray_error *error)
{
    int status = exit_of_open(error->code);
    if (status == EXIT_CONFIG || status == EXIT_DENIED || status == EXIT_INTERNAL)
        return report_open(cli, error);
    struct dray_health health = {.status = DRAY_HEALTH_CRITICAL, .nlines = 1};
    snprintf(health.lines[0], sizeof(health.lines[0]), "%.*s", (int)sizeof(health.lines[0]) - 1,
        error->text);
    return print(cli, &health);
}

static int run(struct cli *cli)
{
    int status = find_config(cli);
    if (status != EXIT_DONE)
        return status;
    struct dray_options options;
    open_options(cli, DRAY_OPEN_NO_HANDLERS, &options);
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_open(&cli->dray, &options, &error) != DRAY_OK) {
        cli->dray = NULL;
        return unreachable(cli, &error);
    }
    note_if_private(cli);
    struct dray_health health = {.status = DRAY_HEALTH_CRITICAL};
    if (dray_check_health(cli->dray, &health, &error) != DRAY_OK)
        return unreachable(cli, &error);
    return print(cli, &health);
}

const struct verb verb_health = {
    .name = "health",
    .summary = "whether somebody consumes, and fast enough",
    .words = "",
    .usage_status = EXIT_HEALTH_USAGE,
    .notes = "Exit status: 0 consuming; 1 slow, blocked, paused or past a threshold of "
             "queue.health; 2 nobody consumes or the backend is away; 64 wrong usage.",
    .examples = {"dray health", "dray health --json", "dray health -q || page-somebody"},
    .run = run,
};
