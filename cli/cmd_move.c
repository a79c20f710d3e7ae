/* SPDX-License-Identifier: Apache-2.0 */
#include "carry.h"
#include "cli.h"
#include "jobs.h"
#include "json_out.h"
#include "verbs.h"

#include <dray/driver.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct move_values {
    const char *from;
    const char *to;
    const char *queue;
    int dry_run;
};

static const struct option options[] = {
    OPT_TEXT(struct move_values, from, "from", "FILE", "the configuration of the old store"),
    OPT_TEXT(struct move_values, to, "to", "FILE", "the configuration of the new one"),
    OPT_TEXT(struct move_values, queue, "queue", "NAME", "of one queue"),
    OPT_FLAG(struct move_values, dry_run, "dry-run", "check every job, move none"),
    OPT_END,
};

/* ---- before anything is changed ---- */

static int check_job(const struct dray_job_info *job, void *user)
{
    struct carry *carry = user;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_restore(carry->to, job, 1, DRAY_RESTORE_CHECK, NULL, &error) == DRAY_OK) {
        carry->moved++;
        return 0;
    }
    carry->status = fail(carry->cli, exit_of(error.code), error.code, "job %s of queue %s: %s",
        job->id, job->queue, error.text);
    return -1;
}

/* Every job is one that the new store can hold. */
static int check_queue(struct carry *carry, const struct dray_queue_stats *queue)
{
    carry->running += queue->active;
    return carry_list(carry, queue, check_job);
}

/* DRAY_OK, or a code. */
static int is_paused(struct dray *dray, const char *queue, int *paused, struct dray_error *error)
{
    struct dray_stats *stats = NULL;
    int code = dray_get_stats(dray, queue, &stats, error);
    *paused = code == DRAY_OK && stats->nqueues > 0 && stats->queues[0].paused;
    dray_stats_free(stats);
    return code;
}

/* ---- is it one store? ---- */

#define PROBE_LATER_MS (365 * INT64_C(86400000))

/* A job that nobody would run for a year. Its id is this command's own, since two may try at once;
   left behind by one that was killed, it says what it is. */
static int put_probe(const struct carry *carry, const char *queue, const char *id)
{
    struct dray_error error = DRAY_ERROR_INIT;
    const struct dray_job_info probe = {.id = id,
        .queue = queue,
        .type = "dray-move",
        .state = "delayed",
        .priority = DRAY_PRIORITY_NORMAL,
        .payload = "null",
        .payload_len = 4,
        .run_at_ms = wall_now_ms() + PROBE_LATER_MS,
        .last_error = "left behind by a `dray move` that was killed; delete it"};
    int answer;
    /* The removal of nothing: a store that removes no jobs would keep this one. */
    if (dray_remove_batch(carry->to, queue, &id, 1, &answer, &error) != DRAY_OK ||
        dray_restore(carry->to, &probe, 1, 0, NULL, &error) != DRAY_OK)
        return report(carry->cli, &error);
    return EXIT_DONE;
}

/* Moved into the store that they are in, jobs would be removed from it. Two configurations can name
   one store in many ways, so it is tried: does a job that is put into the new one show in the old
   one? */
static int refuse_one_store(const struct carry *carry, const char *queue)
{
    struct dray_error error = DRAY_ERROR_INIT, left = DRAY_ERROR_INIT;
    struct dray_job_info *seen = NULL;
    uint64_t salt;
    char id[40];
    if (getentropy(&salt, sizeof(salt)) != 0)
        return fail(carry->cli, EXIT_INTERNAL, DRAY_IO, "the system gives no random numbers");
    snprintf(id, sizeof(id), "dray-move-%016" PRIx64, salt);
    int status = put_probe(carry, queue, id);
    if (status != EXIT_DONE)
        return status;
    int code = dray_get(carry->from, queue, id, &seen, &error);
    dray_job_info_free(seen);
    /* If somebody has removed it, then maybe before we looked. */
    if (dray_remove(carry->to, queue, id, 0, &left) != DRAY_OK)
        return report(carry->cli, &left);
    if (code == DRAY_OK)
        return misuse(carry->cli, "both configurations name the same store");
    return code == DRAY_NOTFOUND ? EXIT_DONE : report(carry->cli, &error);
}

/* ---- the verb ---- */

static void tell(const struct carry *carry)
{
    const struct move_values *values = carry->cli->values;
    if (!carry->cli->json) {
        note(carry->cli,
            "%" PRIu64 " job%s %s, %" PRIu64 " were there already, %" PRIu64 " left out, %" PRIu64
            " running",
            carry->moved, carry->moved == 1 ? "" : "s",
            values->dry_run ? "would be moved" : "moved", carry->there, carry->refused,
            carry->running);
        if (!values->dry_run)
            note(carry->cli, "the queues of %s stay paused: move again what still comes there%s",
                values->from,
                carry->running ? ", and the jobs that run, when they have ended" : "");
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_uint(&out, "moved", carry->moved);
    json_uint(&out, "there", carry->there);
    json_uint(&out, "refused", carry->refused);
    json_uint(&out, "gone", carry->gone);
    json_uint(&out, "running", carry->running);
    json_uint(&out, "left", carry->left);
    json_bool(&out, "dry_run", values->dry_run);
    json_end_object(&out);
    json_finish(&out);
}

static int move_queue(struct carry *carry, const struct dray_queue_stats *queue)
{
    return carry_queue(carry, queue->name);
}

/* A pause is the new store's own, such as that of a move the other way. */
static int note_paused(struct carry *carry, const struct dray_queue_stats *queue)
{
    const struct move_values *values = carry->cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    int paused = 0;
    if (is_paused(carry->to, queue->name, &paused, &error) != DRAY_OK)
        return report(carry->cli, &error);
    if (paused)
        note(carry->cli, "queue %s is paused in %s: dray resume %s -c %s hands it out", queue->name,
            values->to, queue->name, values->to);
    return EXIT_DONE;
}

static int each_queue(struct carry *carry, const struct dray_stats *stats,
    int (*each)(struct carry *carry, const struct dray_queue_stats *queue))
{
    int status = EXIT_DONE;
    for (size_t i = 0; i < stats->nqueues && status == EXIT_DONE; i++)
        status = each(carry, &stats->queues[i]);
    return status;
}

static int move_all(struct carry *carry)
{
    const struct move_values *values = carry->cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (dray_get_stats(carry->from, values->queue, &stats, &error) != DRAY_OK)
        return report(carry->cli, &error);
    int status = each_queue(carry, stats, check_queue);
    if (status == EXIT_DONE && !values->dry_run && stats->nqueues > 0)
        status = refuse_one_store(carry, stats->queues[0].name);
    if (status == EXIT_DONE && !values->dry_run) {
        carry->moved = carry->running = 0; /* they were counts of what would be */
        status = each_queue(carry, stats, move_queue);
    }
    if (status == EXIT_DONE)
        tell(carry);
    if (status == EXIT_DONE && !values->dry_run)
        status = each_queue(carry, stats, note_paused);
    dray_stats_free(stats);
    if (status != EXIT_DONE) {
        if (carry->paused)
            note(carry->cli,
                "queues of %s are paused: move again to go on, or `dray resume QUEUE -c %s`",
                values->from, values->from);
        return status;
    }
    int left = carry->conflict || carry->refused > 0 || carry->running > 0;
    return left && !values->dry_run ? EXIT_CONFLICT : EXIT_DONE;
}

static int open_one(struct cli *cli, const char *config)
{
    cli->dray = NULL;
    cli->config = config;
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    return status == EXIT_DONE ? require_lasting(cli) : status;
}

static int check_usage(const struct cli *cli)
{
    const struct move_values *values = cli->values;
    const char *driver = getenv("QUEUE_DRIVER");
    if (!values->from || !values->to || cli->config)
        return misuse(cli, "from where to where? Say --from FILE and --to FILE, and no -c");
    if (cli->driver || (driver && driver[0]))
        return misuse(cli, "%s would choose the driver of both stores; leave it out",
            cli->driver ? "--driver" : "QUEUE_DRIVER");
    return EXIT_DONE;
}

static int run(struct cli *cli)
{
    const struct move_values *values = cli->values;
    int status = check_usage(cli);
    if (status != EXIT_DONE)
        return status;
    struct carry carry = {.cli = cli};
    status = open_one(cli, values->from);
    if (status == EXIT_DONE)
        status = require_queue(cli, values->queue);
    if (status != EXIT_DONE)
        return status; /* main closes what is open */
    carry.from = cli->dray;
    status = open_one(cli, values->to);
    carry.to = cli->dray;
    if (status == EXIT_DONE)
        status = carry_init(&carry, driver_max_push(cli));
    if (status == EXIT_DONE)
        status = move_all(&carry);
    carry_free(&carry);
    dray_close(carry.from);
    return status;
}

const struct verb verb_move = {
    .name = "move",
    .summary = "carry all jobs from one store to another",
    .words = "",
    .options = options,
    .values_size = sizeof(struct move_values),
    .notes =
        "Jobs keep their id, state, attempts and times, and workers may run on both sides. The "
        "queues that are left are paused. Stopped at any moment, it can be run again. Exit "
        "status 5: some jobs still run, came meanwhile, ended while they were moved, or were left "
        "out because their id or unique key is another job's.",
    .examples = {"dray move --from sqlite.yaml --to redis.yaml",
        "dray move --from sqlite.yaml --to redis.yaml --dry-run",
        "dray move --from old.yaml --to new.yaml --queue mail"},
    .run = run,
};
