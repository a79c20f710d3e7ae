/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries jobs from one store to another, also while workers run on both.
 *
 * Each queue is paused where it is left, so that nobody takes a job that is on its way. A batch is
 * stored in the new place first and then removed from the old one: whatever ends the command in
 * between, no job is lost, and a second run finds by their ids those that are in both.
 */
#include "cli.h"
#include "json_out.h"
#include "verbs.h"

#include <dray/driver.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_JOBS 500u
#define BATCH_BYTES (4u * 1024 * 1024)
#define REFUSALS_SHOWN 20u
#define MOVABLE "ready,delayed,dead,done"

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

struct moving {
    struct cli *cli;
    struct dray *from;
    struct dray *to;
    uint64_t moved, there, running;
    uint64_t refused; /* in the last pass over the queue at hand, and of the queues before it */
    int shown;        /* refusals were named before: a further pass meets them again */
    int status;       /* of what ended a listing */
    int conflict;     /* reported: move again */

    /* The batch: all of one queue. */
    const char *queue;
    size_t n, most, bytes;
    struct dray_job_info **jobs; /* [n], each for dray_job_info_free; room for `most` in all */
    struct dray_job_info *infos;
    struct dray_dispatched *out;
    const char **ids;
    int *answers;
};

/* ---- a batch ---- */

static void clear_batch(struct moving *m)
{
    for (size_t i = 0; i < m->n; i++)
        dray_job_info_free(m->jobs[i]);
    m->n = 0;
    m->bytes = 0;
}

static void name_refused(const struct moving *m, const char *id, const struct dray_dispatched *out)
{
    if (m->shown || m->refused > REFUSALS_SHOWN)
        return;
    if (out->code == DRAY_CONFLICT)
        fail(m->cli, EXIT_CONFLICT, DRAY_CONFLICT,
            "job %s is there already with other content; it stays where it was", id);
    else
        fail(m->cli, EXIT_CONFLICT, DRAY_DUPLICATE,
            "job %s: job %s, which has not ended, holds its unique key there; it stays where it "
            "was",
            id, out->id);
}

/* Takes the jobs that the new store refuses for good out of the batch. How many those were. */
static size_t drop_refused(struct moving *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++) {
        int code = m->out[i].code;
        if (code != DRAY_DUPLICATE && code != DRAY_CONFLICT) {
            m->jobs[kept++] = m->jobs[i];
            continue;
        }
        m->refused++;
        name_refused(m, m->jobs[i]->id, &m->out[i]);
        dray_job_info_free(m->jobs[i]);
    }
    size_t dropped = m->n - kept;
    m->n = kept;
    return dropped;
}

/* Into the new store. */
static int store_batch(struct moving *m)
{
    while (m->n > 0) {
        struct dray_error error = DRAY_ERROR_INIT;
        for (size_t i = 0; i < m->n; i++)
            m->infos[i] = *m->jobs[i];
        int code = dray_restore(m->to, m->infos, m->n, 0, m->out, &error);
        if (code == DRAY_OK)
            break;
        if ((code != DRAY_DUPLICATE && code != DRAY_CONFLICT) || drop_refused(m) == 0)
            return report(m->cli, &error);
    }
    return EXIT_DONE;
}

/* Somebody resumed the queue, and it runs where it was: so it is not to run in the new store. */
static void take_back(struct moving *m, const char *id)
{
    struct dray_error error = DRAY_ERROR_INIT;
    int code = dray_remove(m->to, m->queue, id, 0, &error);
    if (code == DRAY_OK || code == DRAY_NOTFOUND)
        return;
    m->conflict = 1;
    fail(m->cli, EXIT_CONFLICT, code,
        "job %s was started in the old store while it was moved, and is in both: %s", id,
        error.text);
}

/* Out of the old one. */
static int remove_batch(struct moving *m)
{
    struct dray_error error = DRAY_ERROR_INIT;
    for (size_t i = 0; i < m->n; i++)
        m->ids[i] = m->jobs[i]->id;
    if (dray_remove_batch(m->from, m->queue, m->ids, m->n, m->answers, &error) != DRAY_OK)
        return report(m->cli, &error);
    for (size_t i = 0; i < m->n; i++) {
        if (m->answers[i] == DRAY_CONFLICT)
            take_back(m, m->ids[i]);
        else if (m->out[i].code == DRAY_EXISTS)
            m->there++;
        else
            m->moved++;
    }
    return EXIT_DONE;
}

static int move_batch(struct moving *m)
{
    int status = store_batch(m);
    if (status == EXIT_DONE)
        status = remove_batch(m);
    clear_batch(m);
    return status;
}

/* ---- a queue ---- */

static int add_job(const struct dray_job_info *seen, void *user)
{
    struct moving *m = user;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info *job = NULL;
    int code = dray_get(m->from, m->queue, seen->id, &job, &error);
    if (code == DRAY_NOTFOUND)
        return 0;
    if (code != DRAY_OK) {
        m->status = report(m->cli, &error);
        return -1;
    }
    size_t len = job->payload_len + (job->result ? strlen(job->result) : 0);
    if (m->n > 0 && (m->n == m->most || m->bytes + len > BATCH_BYTES))
        m->status = move_batch(m);
    if (m->status != EXIT_DONE || strcmp(job->state, "active") == 0) {
        dray_job_info_free(job);
        return m->status != EXIT_DONE ? -1 : 0;
    }
    m->jobs[m->n++] = job;
    m->bytes += len;
    return 0;
}

static int list_queue(struct moving *m, dray_job_fn each)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_list_options which = {.queue = m->queue, .state = MOVABLE};
    m->status = EXIT_DONE;
    int code = dray_list(m->from, &which, each, m, &error);
    if (m->status != EXIT_DONE)
        return m->status;
    return code == DRAY_OK ? EXIT_DONE : report(m->cli, &error);
}

/* Jobs that ran when the queue was paused come back to be tried again, so one pass may not do. */
static int move_jobs(struct moving *m)
{
    uint64_t refused = m->refused;
    uint64_t before;
    m->shown = 0;
    do {
        before = m->moved + m->there;
        m->refused = refused;
        int status = list_queue(m, add_job);
        if (status == EXIT_DONE && m->n > 0)
            status = move_batch(m);
        clear_batch(m);
        if (status != EXIT_DONE)
            return status;
        m->shown = 1;
    } while (m->moved + m->there > before);
    return EXIT_DONE;
}

/* What is left where it was: those that run, and those that were refused. */
static int count_left(struct moving *m, uint64_t refused)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (dray_get_stats(m->from, m->queue, &stats, &error) != DRAY_OK)
        return report(m->cli, &error);
    const struct dray_queue_stats none = {.name = m->queue};
    const struct dray_queue_stats *queue = stats->nqueues > 0 ? &stats->queues[0] : &none;
    uint64_t left = queue->ready + queue->delayed + queue->dead + queue->done;
    m->running += queue->active;
    dray_stats_free(stats);
    if (left <= refused)
        return EXIT_DONE;
    m->conflict = 1;
    fail(m->cli, EXIT_CONFLICT, DRAY_CONFLICT,
        "queue %s: %" PRIu64 " jobs came while the others were moved; move again", m->queue,
        left - refused);
    return EXIT_DONE;
}

static int move_queue(struct moving *m, const struct dray_queue_stats *queue)
{
    struct dray_error error = DRAY_ERROR_INIT;
    uint64_t refused = m->refused;
    m->queue = queue->name;
    if (dray_pause(m->from, queue->name, &error) != DRAY_OK ||
        dray_sweep(m->from, queue->name, NULL, &error) != DRAY_OK)
        return report(m->cli, &error);
    int status = move_jobs(m);
    return status == EXIT_DONE ? count_left(m, m->refused - refused) : status;
}

/* ---- before anything is changed ---- */

static int check_job(const struct dray_job_info *job, void *user)
{
    struct moving *m = user;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_restore(m->to, job, 1, DRAY_RESTORE_CHECK, NULL, &error) == DRAY_OK) {
        m->moved++;
        return 0;
    }
    m->status = report(m->cli, &error);
    return -1;
}

/* Every job is one that the new store can hold. */
static int check_queue(struct moving *m, const struct dray_queue_stats *queue)
{
    m->queue = queue->name;
    m->running += queue->active;
    return list_queue(m, check_job);
}

static int is_paused(const struct dray_stats *stats, const char *queue)
{
    for (size_t i = 0; i < stats->nqueues; i++) {
        if (strcmp(stats->queues[i].name, queue) == 0)
            return stats->queues[i].paused;
    }
    return 0;
}

static int try_pause(struct moving *m, const char *queue)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (dray_pause(m->from, queue, &error) != DRAY_OK ||
        dray_get_stats(m->to, NULL, &stats, &error) != DRAY_OK)
        return report(m->cli, &error);
    int same = is_paused(stats, queue);
    dray_stats_free(stats);
    if (!same)
        return EXIT_DONE;
    if (dray_resume(m->from, queue, &error) != DRAY_OK)
        report(m->cli, &error);
    return misuse(m->cli, "both configurations name the same store");
}

/* Moved into the store that they are in, jobs would be removed from it. Two configurations can name
   one store in many ways, so it is tried: does a pause in the one, which is due anyway, show in the
   other? If both have all queues paused, a queue of no use to anybody has to serve. */
static int refuse_one_store(struct moving *m, const struct dray_stats *from)
{
    const struct move_values *values = m->cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *to = NULL;
    char probe[32];
    const char *queue = probe;
    int differ = 0;
    if (dray_get_stats(m->to, NULL, &to, &error) != DRAY_OK)
        return report(m->cli, &error);
    snprintf(probe, sizeof(probe), "dray-move-%ld", (long)getpid());
    for (size_t i = 0; i < from->nqueues; i++) {
        differ |= from->queues[i].paused != is_paused(to, from->queues[i].name);
        if (!from->queues[i].paused)
            queue = from->queues[i].name;
    }
    dray_stats_free(to);
    return differ || values->dry_run || from->nqueues == 0 ? EXIT_DONE : try_pause(m, queue);
}

/* ---- the verb ---- */

static void tell(const struct moving *m)
{
    const struct move_values *values = m->cli->values;
    if (!m->cli->json) {
        note(m->cli,
            "%" PRIu64 " job%s %s, %" PRIu64 " were there already, %" PRIu64 " left out, %" PRIu64
            " running",
            m->moved, m->moved == 1 ? "" : "s", values->dry_run ? "would be moved" : "moved",
            m->there, m->refused, m->running);
        if (!values->dry_run)
            note(m->cli, "the queues of %s stay paused: move again what still comes there%s",
                values->from, m->running ? ", and the jobs that run, when they have ended" : "");
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_uint(&out, "moved", m->moved);
    json_uint(&out, "there", m->there);
    json_uint(&out, "refused", m->refused);
    json_uint(&out, "running", m->running);
    json_bool(&out, "dry_run", values->dry_run);
    json_end_object(&out);
    json_finish(&out);
}

static int each_queue(struct moving *m, const struct dray_stats *stats,
    int (*each)(struct moving *m, const struct dray_queue_stats *queue))
{
    int status = EXIT_DONE;
    m->moved = 0;
    m->running = 0;
    for (size_t i = 0; i < stats->nqueues && status == EXIT_DONE; i++)
        status = each(m, &stats->queues[i]);
    return status;
}

static int move_all(struct moving *m)
{
    const struct move_values *values = m->cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (dray_get_stats(m->from, values->queue, &stats, &error) != DRAY_OK)
        return report(m->cli, &error);
    int status = each_queue(m, stats, check_queue);
    if (status == EXIT_DONE)
        status = refuse_one_store(m, stats);
    if (status == EXIT_DONE && !values->dry_run)
        status = each_queue(m, stats, move_queue);
    dray_stats_free(stats);
    if (status != EXIT_DONE)
        return status;
    tell(m);
    int left = m->conflict || m->refused > 0 || m->running > 0;
    return left && !values->dry_run ? EXIT_CONFLICT : EXIT_DONE;
}

static int move_by_batches(struct moving *m)
{
    m->most = driver_max_push(m->cli);
    if (m->most > BATCH_JOBS)
        m->most = BATCH_JOBS;
    m->jobs = calloc(m->most, sizeof(*m->jobs));
    m->infos = calloc(m->most, sizeof(*m->infos));
    m->out = calloc(m->most, sizeof(*m->out));
    m->ids = calloc(m->most, sizeof(*m->ids));
    m->answers = calloc(m->most, sizeof(*m->answers));
    int status = EXIT_DONE;
    if (!m->jobs || !m->infos || !m->out || !m->ids || !m->answers)
        status = fail(m->cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    if (status == EXIT_DONE)
        status = move_all(m);
    free(m->jobs);
    free(m->infos);
    free(m->out);
    free(m->ids);
    free(m->answers);
    return status;
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
    struct moving m = {.cli = cli};
    status = open_one(cli, values->from);
    if (status == EXIT_DONE)
        status = require_queue(cli, values->queue);
    if (status != EXIT_DONE)
        return status; /* main closes what is open */
    m.from = cli->dray;
    status = open_one(cli, values->to);
    m.to = cli->dray;
    if (status == EXIT_DONE)
        status = move_by_batches(&m);
    dray_close(m.from);
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
        "status 5: some jobs still run, or were left out because their id or unique key is "
        "another job's.",
    .examples = {"dray move --from sqlite.yaml --to redis.yaml",
        "dray move --from sqlite.yaml --to redis.yaml --dry-run",
        "dray move --from old.yaml --to new.yaml --queue mail"},
    .run = run,
};
