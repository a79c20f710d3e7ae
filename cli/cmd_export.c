/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_out.h"
#include "out_file.h"
#include "states.h"
#include "transfer.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>

struct export_values {
    const char *queue;
    struct option_list states;
    const char *type;
    const char *output;
};

static const struct option options[] = {
    OPT_TEXT(struct export_values, queue, "queue", "NAME", "of one queue"),
    OPT_LIST(struct export_values, states, "state", "STATE",
        "ready, delayed, active, dead or done; repeatable"),
    OPT_TEXT(struct export_values, type, "type", "TYPE", "of one type"),
    {.name = "output",
        .letter = 'o',
        .kind = OPTION_TEXT,
        .offset = offsetof(struct export_values, output),
        .meta = "FILE",
        .help = "into this file, when all is written"},
    OPT_END,
};

struct exporting {
    FILE *file;
    const char *states; /* joined by commas, or NULL */
    uint64_t jobs;
    int sys; /* errno of the write that failed */
};

static int print_job(const struct dray_job_info *job, void *user)
{
    struct exporting *exporting = user;
    transfer_print_job(exporting->file, job);
    exporting->jobs++;
    if (!ferror(exporting->file))
        return 0;
    exporting->sys = errno;
    return -1;
}

/* Pauses belong to queues, so they go along where whole queues do. Without stats there is no way to
   know of them. */
static int export_pauses(struct cli *cli, const struct exporting *exporting)
{
    const struct export_values *values = cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (exporting->states || values->type)
        return EXIT_DONE;
    int code = dray_get_stats(cli->dray, values->queue, &stats, &error);
    if (code != DRAY_OK)
        return code == DRAY_UNSUPPORTED ? EXIT_DONE : report(cli, &error);
    for (size_t i = 0; i < stats->nqueues; i++) {
        if (stats->queues[i].paused)
            transfer_print_paused(exporting->file, stats->queues[i].name);
    }
    dray_stats_free(stats);
    return EXIT_DONE;
}

/* A failing file is for whoever closes it to report. */
static int export_jobs(struct cli *cli, struct exporting *exporting)
{
    const struct export_values *values = cli->values;
    struct dray_list_options which = {
        .queue = values->queue, .state = exporting->states, .type = values->type};
    struct dray_error error = DRAY_ERROR_INIT;
    transfer_print_head(exporting->file, dray_get_info(cli->dray)->driver);
    int status = export_pauses(cli, exporting);
    if (status != EXIT_DONE)
        return status;
    int code = dray_list(cli->dray, &which, print_job, exporting, &error);
    if (code != DRAY_OK && !ferror(exporting->file))
        return report(cli, &error);
    transfer_print_end(exporting->file, exporting->jobs);
    return EXIT_DONE;
}

static void tell(const struct cli *cli, const char *path, uint64_t jobs)
{
    if (!cli->json) {
        note(cli, "%llu job%s exported into %s", (unsigned long long)jobs, jobs == 1 ? "" : "s",
            path);
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "file", path);
    json_uint(&out, "jobs", jobs);
    json_end_object(&out);
    json_finish(&out);
}

static int export_to(struct cli *cli, const char *path, const char *states)
{
    struct out_file out;
    int status = out_file_open(cli, path, &out);
    if (status != EXIT_DONE)
        return status;
    struct exporting exporting = {.file = out.file, .states = states};
    status = export_jobs(cli, &exporting);
    out.sys = exporting.sys;
    if (status == EXIT_DONE)
        status = out_file_finish(cli, &out);
    else
        out_file_drop(&out);
    if (status == EXIT_DONE)
        tell(cli, path, exporting.jobs);
    return status;
}

static int run(struct cli *cli)
{
    const struct export_values *values = cli->values;
    char states[STATES_SIZE] = "";
    int status = join_states(cli, &values->states, states, sizeof(states));
    if (status == EXIT_DONE)
        status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status == EXIT_DONE)
        status = require_queue(cli, values->queue);
    if (status != EXIT_DONE)
        return status;
    note_if_private(cli);
    if (values->output && strcmp(values->output, "-") != 0)
        return export_to(cli, values->output, states[0] ? states : NULL);
    struct exporting exporting = {.file = stdout, .states = states[0] ? states : NULL};
    return export_jobs(cli, &exporting);
}

const struct verb verb_export = {
    .name = "export",
    .summary = "write jobs as JSON lines, for import",
    .words = "",
    .options = options,
    .values_size = sizeof(struct export_values),
    .notes = "Works beside workers; what they finish meanwhile may still be among the lines. To "
             "move queues stop the workers first.",
    .examples = {"dray export -o jobs.jsonl", "dray export --queue mail --state dead",
        "dray export -c old.yaml | dray import -c new.yaml"},
    .run = run,
};
