/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "jobs.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Running jobs are not swept away by the dozen: `delete --force` names them one by one. */
static const char *const states[] = {"ready", "delayed", "dead", "done", NULL};
#define ALL_STATES "ready,delayed,dead,done"

struct purge_values {
    const char *queue;
    const char *state;
    const char *type;
    int yes;
};

static const struct option options[] = {
    OPT_TEXT(struct purge_values, queue, "queue", "NAME", "of one queue"),
    OPT_CHOICE(
        struct purge_values, state, "state", "STATE", "ready, delayed, dead or done", states),
    OPT_TEXT(struct purge_values, type, "type", "TYPE", "of one type"),
    OPT_FLAG(struct purge_values, yes, "yes", "do not ask"),
    OPT_END,
};

static int count_job(const struct dray_job_info *job, void *user)
{
    (void)job;
    ++*(uint64_t *)user;
    return 0;
}

/* EXIT_DONE to go on. */
static int ask(struct cli *cli, const struct dray_list_options *which)
{
    uint64_t count = 0;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_list(cli->dray, which, count_job, &count, &error) != DRAY_OK)
        return report(cli, &error);
    fprintf(stderr, "Remove %" PRIu64 " job%s (%s%s%s%s%s) for good? [y/N] ", count,
        count == 1 ? "" : "s", which->state, which->queue ? ", queue " : "",
        which->queue ? which->queue : "", which->type ? ", type " : "",
        which->type ? which->type : "");
    fflush(stderr);
    char answer[16];
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return EXIT_DONE;
    return fail(cli, EXIT_FAILED, DRAY_CANCELLED, "nothing was removed");
}

static int run(struct cli *cli)
{
    const struct purge_values *values = cli->values;
    if (!values->queue && !values->state && !values->type)
        return misuse(cli, "of what? Say --queue, --state or --type, or several of them");
    if (!values->yes && !isatty(STDIN_FILENO))
        return misuse(cli, "there is no one to ask; say --yes");
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    struct dray_list_options which = {.queue = values->queue,
        .type = values->type,
        .state = values->state ? values->state : ALL_STATES};
    if (!values->yes)
        status = ask(cli, &which);
    if (status != EXIT_DONE)
        return status;
    uint64_t count = 0;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_remove_all(cli->dray, &which, &count, &error) != DRAY_OK)
        return report(cli, &error);
    if (count == 0 && (status = require_queue(cli, values->queue)) != EXIT_DONE)
        return status;
    report_count(cli, "purged", count);
    return EXIT_DONE;
}

const struct verb verb_purge = {
    .name = "purge",
    .summary = "remove many jobs for good",
    .words = "",
    .options = options,
    .values_size = sizeof(struct purge_values),
    .notes = "Asks first; where no one can be asked it needs --yes. Running jobs stay.",
    .examples = {"dray purge --state dead --queue mail", "dray purge --state done --yes",
        "dray purge --queue mail --state ready --type send-welcome --yes"},
    .run = run,
};
