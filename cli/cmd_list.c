/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "jobs.h"
#include "states.h"
#include "table.h"
#include "verbs.h"

#include <dray/text.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct list_values {
    struct option_list states;
    const char *queue;
    const char *type;
    const char *since;
    struct option_number limit;
};

static const struct option options[] = {
    OPT_LIST(struct list_values, states, "state", "STATE",
        "ready, delayed, active, dead or done; repeatable"),
    OPT_TEXT(struct list_values, queue, "queue", "NAME", "of one queue"),
    OPT_TEXT(struct list_values, type, "type", "TYPE", "of one type"),
    OPT_NUMBER(struct list_values, limit, "limit", "N", "at most so many", 1, 0),
    OPT_TEXT(struct list_values, since, "since", "WHEN",
        "pushed since a time, or since so long ago (1h)"),
    OPT_END,
};

static const char *const headings[] = {
    "ID", "QUEUE", "TYPE", "STATE", "WHEN", "ATTEMPTS", "LAST ERROR"};

struct listing {
    struct cli *cli;
    struct table table;
    int64_t now_ms;
    uint64_t shown;
};

static int print_job(const struct dray_job_info *job, void *user)
{
    struct listing *listing = user;
    listing->shown++;
    if (listing->cli->json) {
        job_print_json(stdout, job);
        return ferror(stdout);
    }
    char when[DRAY_TIME_SIZE];
    char attempts[DRAY_TIME_SIZE];
    const char *cells[] = {job->id, job->queue, job->type, job->state,
        job_when(job, listing->cli->out_is_terminal, listing->now_ms, when),
        job_attempts(job, attempts), job->last_error ? job->last_error : ""};
    table_row(&listing->table, cells);
    return ferror(stdout);
}

static int read_since(const struct cli *cli, const char *text, int64_t now_ms, int64_t *since_ms)
{
    uint64_t ago;
    if (dray_parse_time(text, since_ms) == DRAY_OK)
        return EXIT_DONE;
    if (dray_parse_duration(text, &ago) != DRAY_OK)
        return misuse(cli,
            "--since: '%.64s' is neither a time (2026-12-01T09:00:00Z) nor a duration (1h)", text);
    *since_ms = now_ms - (int64_t)ago;
    return EXIT_DONE;
}

static int run(struct cli *cli)
{
    const struct list_values *values = cli->values;
    struct listing listing = {.cli = cli, .now_ms = wall_now_ms()};
    char states[STATES_SIZE] = "";
    struct dray_list_options which = {
        .queue = values->queue, .type = values->type, .limit = values->limit.value};
    int status = join_states(cli, &values->states, states, sizeof(states));
    if (status == EXIT_DONE && values->since)
        status = read_since(cli, values->since, listing.now_ms, &which.since_ms);
    if (status == EXIT_DONE)
        status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    which.state = states[0] ? states : NULL;
    note_if_private(cli);

    struct dray_error error = DRAY_ERROR_INIT;
    table_start(
        &listing.table, headings, sizeof(headings) / sizeof(headings[0]), cli->out_is_terminal);
    int code = dray_list(cli->dray, &which, print_job, &listing, &error);
    if (table_finish(&listing.table))
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    if (code != DRAY_OK && !ferror(stdout))
        return report(cli, &error);
    return listing.shown > 0 ? EXIT_DONE : require_queue(cli, values->queue);
}

const struct verb verb_list = {
    .name = "list",
    .summary = "show jobs, oldest first",
    .words = "",
    .options = options,
    .values_size = sizeof(struct list_values),
    .examples = {"dray list --state dead", "dray list --queue mail --limit 10",
        "dray list --since 1h --json | jq -r .id"},
    .run = run,
};
