/* SPDX-License-Identifier: Apache-2.0 */
#include "carry.h"

#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_JOBS 500u
#define BATCH_BYTES (4u * 1024 * 1024)
#define REFUSALS_SHOWN 20u
#define PASSES 5
#define MOVABLE "ready,delayed,dead,done"

int carry_init(struct carry *c, size_t most)
{
    c->most = most < BATCH_JOBS ? most : BATCH_JOBS;
    c->jobs = calloc(c->most, sizeof(*c->jobs));
    c->infos = calloc(c->most, sizeof(*c->infos));
    c->out = calloc(c->most, sizeof(*c->out));
    c->ids = calloc(c->most, sizeof(*c->ids));
    c->answers = calloc(c->most, sizeof(*c->answers));
    if (c->jobs && c->infos && c->out && c->ids && c->answers)
        return EXIT_DONE;
    return fail(c->cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
}

void carry_free(struct carry *c)
{
    free(c->jobs);
    free(c->infos);
    free(c->out);
    free(c->ids);
    free(c->answers);
}

/* ---- a batch ---- */

static void clear_batch(struct carry *c)
{
    for (size_t i = 0; i < c->n; i++)
        dray_job_info_free(c->jobs[i]);
    c->n = 0;
    c->bytes = 0;
}

static void name_refused(const struct carry *c, const char *id, const struct dray_dispatched *out)
{
    if (c->shown || c->refused > REFUSALS_SHOWN)
        return;
    if (out->code == DRAY_CONFLICT)
        fail(c->cli, EXIT_CONFLICT, DRAY_CONFLICT,
            "job %s is there already with other content; it stays where it was", id);
    else
        fail(c->cli, EXIT_CONFLICT, DRAY_DUPLICATE,
            "job %s: job %s, which has not ended, holds its unique key there; it stays where it "
            "was",
            id, out->id);
}

/* Takes the jobs that the new store refuses for good out of the batch. How many those were. */
static size_t drop_refused(struct carry *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++) {
        int code = c->out[i].code;
        if (code != DRAY_DUPLICATE && code != DRAY_CONFLICT) {
            c->jobs[kept++] = c->jobs[i];
            continue;
        }
        c->refused++;
        name_refused(c, c->jobs[i]->id, &c->out[i]);
        dray_job_info_free(c->jobs[i]);
    }
    size_t dropped = c->n - kept;
    c->n = kept;
    return dropped;
}

/* Into the new store. */
static int store_batch(struct carry *c)
{
    while (c->n > 0) {
        struct dray_error error = DRAY_ERROR_INIT;
        for (size_t i = 0; i < c->n; i++)
            c->infos[i] = *c->jobs[i];
        int code = dray_restore(c->to, c->infos, c->n, 0, c->out, &error);
        if (code == DRAY_OK)
            break;
        if ((code != DRAY_DUPLICATE && code != DRAY_CONFLICT) || drop_refused(c) == 0)
            return report(c->cli, &error);
    }
    return EXIT_DONE;
}

/* Somebody resumed the queue, and it runs where it was: so it is not to run in the new store. */
static void take_back(struct carry *c, const char *id)
{
    struct dray_error error = DRAY_ERROR_INIT;
    int code = dray_remove(c->to, c->queue, id, 0, &error);
    if (code == DRAY_OK || code == DRAY_NOTFOUND)
        return;
    c->conflict = 1;
    fail(c->cli, EXIT_CONFLICT, code,
        "job %s was started in the old store while it was moved, and is in both: %s", id,
        error.text);
}

/* It has ended there, or somebody removed it; or it was moved by another command, which found it in
   the new store, and then it must not be taken back. */
static void name_gone(struct carry *c, const char *id)
{
    c->conflict = 1;
    if (++c->gone > REFUSALS_SHOWN)
        return;
    fail(c->cli, EXIT_CONFLICT, DRAY_NOTFOUND,
        "job %s was done, deleted or moved by somebody else while it was moved; it is in the new "
        "store",
        id);
}

/* Out of the old one. */
static int remove_batch(struct carry *c)
{
    struct dray_error error = DRAY_ERROR_INIT;
    for (size_t i = 0; i < c->n; i++)
        c->ids[i] = c->jobs[i]->id;
    if (dray_remove_batch(c->from, c->queue, c->ids, c->n, c->answers, &error) != DRAY_OK)
        return report(c->cli, &error);
    for (size_t i = 0; i < c->n; i++) {
        if (c->answers[i] == DRAY_CONFLICT)
            take_back(c, c->ids[i]);
        else if (c->out[i].code == DRAY_EXISTS)
            c->there++;
        else if (c->answers[i] == DRAY_NOTFOUND)
            name_gone(c, c->ids[i]);
        else
            c->moved++;
    }
    return EXIT_DONE;
}

static int move_batch(struct carry *c)
{
    int status = store_batch(c);
    if (status == EXIT_DONE)
        status = remove_batch(c);
    clear_batch(c);
    return status;
}

/* ---- a queue ---- */

static int add_job(const struct dray_job_info *seen, void *user)
{
    struct carry *c = user;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info *job = NULL;
    int code = dray_get(c->from, c->queue, seen->id, &job, &error);
    if (code == DRAY_NOTFOUND)
        return 0;
    if (code != DRAY_OK) {
        c->status = report(c->cli, &error);
        return -1;
    }
    size_t len = job->payload_len + (job->result ? strlen(job->result) : 0);
    if (c->n > 0 && (c->n == c->most || c->bytes + len > BATCH_BYTES))
        c->status = move_batch(c);
    if (c->status != EXIT_DONE || strcmp(job->state, "active") == 0) {
        dray_job_info_free(job);
        return c->status != EXIT_DONE ? -1 : 0;
    }
    c->jobs[c->n++] = job;
    c->bytes += len;
    return 0;
}

static uint64_t waiting_in(const struct dray_queue_stats *queue)
{
    return queue->ready + queue->delayed + queue->dead + queue->done;
}

int carry_list(struct carry *c, const struct dray_queue_stats *queue, dray_job_fn each)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_list_options which = {
        .queue = queue->name, .state = MOVABLE, .limit = waiting_in(queue)};
    c->status = EXIT_DONE;
    if (!which.limit)
        return EXIT_DONE;
    int code = dray_list(c->from, &which, each, c, &error);
    if (c->status != EXIT_DONE)
        return c->status;
    return code == DRAY_OK ? EXIT_DONE : report(c->cli, &error);
}

/* How many jobs of the queue there are now, its name our own. EXIT_DONE, or the exit status,
   reported. */
static int count_queue(struct carry *c, struct dray_queue_stats *queue)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    *queue = (struct dray_queue_stats){0};
    if (dray_get_stats(c->from, c->queue, &stats, &error) != DRAY_OK)
        return report(c->cli, &error);
    if (stats->nqueues > 0)
        *queue = stats->queues[0];
    queue->name = c->queue;
    dray_stats_free(stats);
    return EXIT_DONE;
}

static int move_pass(struct carry *c)
{
    struct dray_queue_stats queue;
    int status = count_queue(c, &queue);
    if (status == EXIT_DONE)
        status = carry_list(c, &queue, add_job);
    if (status == EXIT_DONE && c->n > 0)
        status = move_batch(c);
    clear_batch(c);
    return status;
}

/* Jobs that ran when the queue was paused come back to be tried again, and others are pushed, so
   one pass may not do. A producer that never rests is not waited for. */
static int move_jobs(struct carry *c)
{
    uint64_t refused = c->refused;
    c->shown = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t before = c->moved + c->there + c->gone;
        c->refused = refused;
        int status = move_pass(c);
        if (status != EXIT_DONE)
            return status;
        if (c->moved + c->there + c->gone == before)
            break;
        c->shown = 1;
    }
    return EXIT_DONE;
}

/* What is left where it was: those that run, and those that were refused. */
static int count_left(struct carry *c, uint64_t refused)
{
    struct dray_queue_stats queue;
    int status = count_queue(c, &queue);
    if (status != EXIT_DONE)
        return status;
    uint64_t left = waiting_in(&queue);
    c->running += queue.active;
    if (left <= refused)
        return EXIT_DONE;
    c->conflict = 1;
    c->left += left - refused;
    fail(c->cli, EXIT_CONFLICT, DRAY_CONFLICT,
        "queue %s: %" PRIu64 " jobs came while the others were moved, and are left; move again",
        c->queue, left - refused);
    return EXIT_DONE;
}

int carry_queue(struct carry *c, const char *queue)
{
    struct dray_error error = DRAY_ERROR_INIT;
    uint64_t refused = c->refused;
    c->queue = queue;
    if (dray_pause(c->from, queue, &error) != DRAY_OK)
        return report(c->cli, &error);
    c->paused = 1;
    if (dray_sweep(c->from, queue, NULL, &error) != DRAY_OK)
        return report(c->cli, &error);
    int status = move_jobs(c);
    return status == EXIT_DONE ? count_left(c, c->refused - refused) : status;
}
