/* SPDX-License-Identifier: Apache-2.0 */
/* Changes made by people: kick, cancel, remove, pause, resume, reset, sweep. */
#include "host/error.h"
#include "host/random.h"
#include "queue/inspect.h"
#include "queue/instance.h"
#include "text/name.h"
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

#define BULK 64u

static int change(struct dray *dray, const struct dray_change *what, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    struct dray_call call;
    if (!store_has(&dray->store->driver, "change"))
        return instance_lacks(dray, "change stored jobs", error);
    store_call_init(&call, error ? error : &own, dray->budget_ms);
    turn_begin_alone(dray);
    int code = dray->store->driver.change(dray->store->self, &call, what);
    turn_end_alone(dray);
    pthread_mutex_lock(&dray->lock);
    if (code == DRAY_OK && dray->worker)
        worker_notice(dray->worker, 0); /* something may have become ready */
    pthread_mutex_unlock(&dray->lock);
    return code;
}

static int change_ids(struct dray *dray, uint32_t what, uint32_t flags, const char *queue,
    const struct dray_str *ids, int32_t *answers, uint32_t n, struct dray_error *error)
{
    struct dray_change c = {
        .size = (uint32_t)sizeof(c),
        .what = what,
        .flags = flags,
        .nids = n,
        .queue = str_from(queue),
        .ids = ids,
        .answers = answers,
    };
    for (uint32_t i = 0; i < n; i++)
        answers[i] = DRAY_OK;
    return change(dray, &c, error);
}

static const char *verb_of(uint32_t what)
{
    return what == DRAY_CHANGE_KICK     ? "retried"
           : what == DRAY_CHANGE_CANCEL ? "cancelled"
                                        : "deleted";
}

static int explain(
    const struct dray_job_info *job, uint32_t what, int code, struct dray_error *error)
{
    const char *verb = verb_of(what);
    switch (code) {
    case DRAY_OK:
        return DRAY_OK;
    case DRAY_CONFLICT:
        return error_set(error, code, 0, "job %s cannot be %s: it is %s%s", job->id, verb,
            job->state, what == DRAY_CHANGE_REMOVE ? "; deleting a running one needs force" : "");
    case DRAY_DUPLICATE:
        return error_set(error, code, 0,
            "job %s cannot be %s: another job holds its unique key by now", job->id, verb);
    case DRAY_NOTFOUND:
        return error_set(error, code, 0, "job %s is gone", job->id);
    default:
        return error_set(
            error, code, 0, "job %s cannot be %s: %s", job->id, verb, dray_code_name(code));
    }
}

/* Finds the job's queue first, unless it is given. */
static int change_one(struct dray *dray, uint32_t what, uint32_t flags, const char *queue,
    const char *id, struct dray_error *error)
{
    struct dray_job_info *job = NULL;
    int code = find_job(dray, queue, id, &job, error);
    if (code != DRAY_OK)
        return code;
    struct dray_str ids = str_from(job->id);
    int32_t answer = DRAY_OK;
    code = change_ids(dray, what, flags, job->queue, &ids, &answer, 1, error);
    if (code == DRAY_OK)
        code = explain(job, what, answer, error);
    dray_job_info_free(job);
    return code;
}

int dray_kick(struct dray *dray, const char *queue, const char *id, struct dray_error *error)
{
    return change_one(dray, DRAY_CHANGE_KICK, 0, queue, id, error);
}

int dray_cancel(struct dray *dray, const char *queue, const char *id, struct dray_error *error)
{
    return change_one(dray, DRAY_CHANGE_CANCEL, 0, queue, id, error);
}

int dray_remove(
    struct dray *dray, const char *queue, const char *id, int force, struct dray_error *error)
{
    return change_one(dray, DRAY_CHANGE_REMOVE, force ? DRAY_CHANGE_FORCE : 0, queue, id, error);
}

/* ---- many ---- */

/* Jobs found by a listing, changed in slices of one queue each. */
struct slice {
    struct dray *dray;
    struct dray_error *error;
    uint32_t what;
    char queue[DRAY_ID_SIZE];
    char id[BULK][DRAY_ID_SIZE];
    uint32_t n;
    uint64_t changed;
};

static int flush(struct slice *slice)
{
    struct dray_str ids[BULK];
    int32_t answers[BULK];
    if (!slice->n)
        return DRAY_OK;
    for (uint32_t i = 0; i < slice->n; i++)
        ids[i] = str_from(slice->id[i]);
    int code =
        change_ids(slice->dray, slice->what, 0, slice->queue, ids, answers, slice->n, slice->error);
    for (uint32_t i = 0; code == DRAY_OK && i < slice->n; i++)
        slice->changed += answers[i] == DRAY_OK;
    slice->n = 0;
    return code;
}

static int add_to_slice(const struct dray_job_info *job, void *user)
{
    struct slice *slice = user;
    if (slice->n == BULK || (slice->n && strcmp(slice->queue, job->queue) != 0)) {
        int code = flush(slice);
        if (code != DRAY_OK)
            return code;
    }
    memcpy(slice->queue, job->queue, strlen(job->queue) + 1);
    memcpy(slice->id[slice->n++], job->id, strlen(job->id) + 1);
    return DRAY_OK;
}

static int change_all(struct dray *dray, uint32_t what, const struct dray_list_options *which,
    uint64_t *count, struct dray_error *error)
{
    struct slice *slice = calloc(1, sizeof(*slice));
    if (!slice)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    slice->dray = dray;
    slice->error = error;
    slice->what = what;
    int code = dray_list(dray, which, add_to_slice, slice, error);
    if (code == DRAY_OK)
        code = flush(slice);
    if (count)
        *count = slice->changed;
    free(slice);
    return code;
}

int dray_kick_all(struct dray *dray, const struct dray_list_options *which, uint64_t *count,
    struct dray_error *error)
{
    struct dray_list_options dead = which ? *which : (struct dray_list_options){0};
    if (!dead.state)
        dead.state = "dead";
    return change_all(dray, DRAY_CHANGE_KICK, &dead, count, error);
}

int dray_remove_all(struct dray *dray, const struct dray_list_options *which, uint64_t *count,
    struct dray_error *error)
{
    if (!which)
        return error_set(error, DRAY_INVALID, 0, "say which jobs to remove");
    return change_all(dray, DRAY_CHANGE_REMOVE, which, count, error);
}

static int remove_slice(struct dray *dray, const char *queue, const char *const *ids, uint32_t n,
    int *answers, struct dray_error *error)
{
    struct dray_str names[BULK];
    int32_t said[BULK];
    for (uint32_t i = 0; i < n; i++)
        names[i] = str_from(ids[i]);
    int code = change_ids(dray, DRAY_CHANGE_REMOVE, 0, queue, names, said, n, error);
    for (uint32_t i = 0; i < n; i++)
        answers[i] = code == DRAY_OK ? said[i] : code;
    return code;
}

static int check_names(
    const char *queue, const char *const *ids, size_t n, struct dray_error *error)
{
    const char *why = queue ? name_check(queue, strlen(queue)) : "is missing";
    if (why)
        return error_set(error, DRAY_INVALID, 0, "the queue %s", why);
    for (size_t i = 0; i < n; i++) {
        why = ids[i] ? name_check(ids[i], strlen(ids[i])) : "is missing";
        if (why)
            return error_set(error, DRAY_INVALID, 0, "id %zu of those to remove %s", i, why);
    }
    return DRAY_OK;
}

int dray_remove_batch(struct dray *dray, const char *queue, const char *const *ids, size_t n,
    int *answers, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code == DRAY_OK && n > 0 && (!ids || !answers))
        code = error_set(error, DRAY_INVALID, 0, "no ids, or no places for their answers");
    if (code == DRAY_OK)
        code = check_names(queue, ids, n, error);
    size_t at = 0;
    while (code == DRAY_OK && at < n) {
        uint32_t many = n - at < BULK ? (uint32_t)(n - at) : BULK;
        code = remove_slice(dray, queue, ids + at, many, answers + at, error);
        at += many;
    }
    for (; answers && at < n; at++)
        answers[at] = code;
    return code;
}

/* ---- queues ---- */

static int change_queue(
    struct dray *dray, uint32_t what, const char *queue, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    const char *why = queue ? name_check(queue, strlen(queue)) : "is missing";
    if (why)
        return error_set(error, DRAY_INVALID, 0, "the queue %s", why);
    return change_ids(dray, what, 0, queue, NULL, NULL, 0, error);
}

int dray_pause(struct dray *dray, const char *queue, struct dray_error *error)
{
    return change_queue(dray, DRAY_CHANGE_PAUSE, queue, error);
}

int dray_resume(struct dray *dray, const char *queue, struct dray_error *error)
{
    return change_queue(dray, DRAY_CHANGE_RESUME, queue, error);
}

/* Does something for the named queue, or for each that exists. */
static int for_queues(struct dray *dray, const char *queue,
    int (*each)(struct dray *dray, const char *queue, struct dray_error *error),
    struct dray_error *error)
{
    if (queue)
        return each(dray, queue, error);
    struct dray_stats *stats = NULL;
    int code = dray_get_stats(dray, NULL, &stats, error);
    if (code != DRAY_OK)
        return code;
    for (size_t i = 0; code == DRAY_OK && i < stats->nqueues; i++)
        code = each(dray, stats->queues[i].name, error);
    dray_stats_free(stats);
    return code;
}

static int reset_one(struct dray *dray, const char *queue, struct dray_error *error)
{
    return change_queue(dray, DRAY_CHANGE_RESET, queue, error);
}

int dray_reset_totals(struct dray *dray, const char *queue, struct dray_error *error)
{
    int code = instance_check(dray, error);
    return code == DRAY_OK ? for_queues(dray, queue, reset_one, error) : code;
}

static void ignore_job(struct dray_call *call, const struct dray_job *job)
{
    (void)call;
    (void)job;
}

/* A reserve without room: it sweeps, promotes and prunes. */
static int sweep_one(struct dray *dray, const char *queue, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    struct dray_str name = str_from(queue);
    struct dray_call call;
    struct dray_turn turn = {.size = (uint32_t)sizeof(turn)};
    struct dray_reserve want = {
        .size = (uint32_t)sizeof(want),
        .queues = &name,
        .nqueues = 1,
        .lease_ms = dray->config->lease_ms,
        .owner = str_from(dray->owner),
        .keep_done_ms = dray->config->keep.done_ms,
        .keep_dead_ms = dray->config->keep.dead_ms,
        .keep_max = dray->config->keep.max,
    };
    if (random_bytes(&want.nonce, sizeof(want.nonce)) != DRAY_OK)
        return error_set(error, DRAY_IO, 0, "the system gives no randomness");
    want.nonce |= 1;
    store_call_init(&call, error ? error : &own, dray->budget_ms);
    call.job = ignore_job;
    turn.reserve = &want;
    turn_begin_alone(dray);
    store_turn(dray->store, &call, &turn);
    turn_end_alone(dray);
    return turn.reserve_code;
}

static uint64_t count_active(struct dray *dray, const char *queue)
{
    struct dray_stats *stats = NULL;
    if (dray_get_stats(dray, queue, &stats, NULL) != DRAY_OK)
        return 0;
    uint64_t active = stats->processing;
    dray_stats_free(stats);
    return active;
}

int dray_sweep(struct dray *dray, const char *queue, uint64_t *count, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    const char *why = queue ? name_check(queue, strlen(queue)) : NULL;
    if (why)
        return error_set(error, DRAY_NOTFOUND, 0, "no such queue: it %s", why);
    uint64_t before = count_active(dray, queue);
    code = for_queues(dray, queue, sweep_one, error);
    uint64_t after = count_active(dray, queue);
    if (count)
        *count = before > after ? before - after : 0;
    pthread_mutex_lock(&dray->lock);
    if (dray->worker)
        worker_notice(dray->worker, 0);
    pthread_mutex_unlock(&dray->lock);
    return code;
}
