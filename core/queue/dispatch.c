/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/dispatch.h"

#include "host/error.h"
#include "host/random.h"
#include "queue/instance.h"
#include "queue/unique.h"
#include "text/json.h"
#include "text/name.h"
#include "worker/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A batch up to this size needs no memory but the stack. */
#define SMALL 8

/* What a job needs beside its struct until it is pushed. */
struct draft {
    struct dray_job job;
    char id[DRAY_ID_SIZE];
    char unique[UNIQUE_KEY_SIZE];
};

struct drafts {
    struct dray *dray;
    struct dray_error *error;
    size_t n, at; /* `at`: the one that is being checked, for messages */
    struct dray_dispatched *out;
    int64_t now_ms;
};

/* One line that names the offender in a batch. */
static int refuse(const struct drafts *d, int code, const char *what, const char *why)
{
    if (d->n == 1)
        return error_set(d->error, code, 0, "%s %s", what, why);
    return error_set(d->error, code, 0, "job %zu of the batch: %s %s", d->at, what, why);
}

static int take_name(
    const struct drafts *d, const char *what, const char *text, struct dray_str *out)
{
    *out = str_from(text);
    if (!text)
        return DRAY_OK;
    const char *why = name_check(out->data, out->len);
    return why ? refuse(d, DRAY_INVALID, what, why) : DRAY_OK;
}

static int take_label(
    const struct drafts *d, const char *what, const char *text, struct dray_str *out)
{
    *out = str_from(text);
    if (!text || !*text)
        return DRAY_OK;
    const char *why = label_check(out->data, out->len);
    return why ? refuse(d, DRAY_INVALID, what, why) : DRAY_OK;
}

static int take_payload(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    struct dray_str *payload = &out->job.payload;
    if (!new->payload) {
        *payload = str_of("null", 4);
        return DRAY_OK;
    }
    *payload = str_of(new->payload, new->payload_len ? new->payload_len : strlen(new->payload));
    uint64_t most = d->dray->config->job.max_payload;
    if (payload->len > most) {
        char why[120];
        snprintf(why, sizeof(why), "has %llu bytes, over the limit of %llu (queue.job.max_payload)",
            (unsigned long long)payload->len, (unsigned long long)most);
        return refuse(d, DRAY_LIMIT, "the payload", why);
    }
    size_t at = 0;
    const char *wrong = json_check(payload->data, payload->len, &at);
    if (!wrong)
        return DRAY_OK;
    char why[160];
    snprintf(why, sizeof(why), "is not one JSON value: %s at byte %zu", wrong, at);
    return refuse(d, DRAY_INVALID, "the payload", why);
}

static int take_unique(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    struct dray_job *job = &out->job;
    int code = take_label(d, "the unique key", new->unique, &job->unique);
    if (code != DRAY_OK)
        return code;
    if (new->flags & DRAY_UNIQUE) {
        if (job->unique.len)
            return refuse(d, DRAY_INVALID, "the job", "is unique by payload or by key, not both");
        if (unique_key(out->unique, new->type, job->payload.data, job->payload.len) != DRAY_OK)
            return error_set(d->error, DRAY_NOMEM, 0, "out of memory");
        job->unique = str_from(out->unique);
    }
    if (job->unique.len && !(d->dray->store->driver.can & DRAY_CAN_UNIQUE))
        return instance_lacks(d->dray, "keep unique keys", d->error);
    return DRAY_OK;
}

static int take_priority(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    out->job.priority = DRAY_PRIORITY_NORMAL;
    if (new->priority == 0)
        return DRAY_OK;
    if (new->priority < 1 || new->priority > (int)DRAY_PRIORITY_LAST + 1)
        return refuse(d, DRAY_INVALID, "the priority", "is not one of 0 (first) to 9 (last)");
    out->job.priority = (uint32_t) new->priority - 1;
    if (out->job.priority != DRAY_PRIORITY_NORMAL &&
        !(d->dray->store->driver.can & DRAY_CAN_PRIORITY))
        return instance_lacks(d->dray, "order by priority", d->error);
    return DRAY_OK;
}

static int take_times(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    if (new->delay_ms &&new->at_ms)
        return refuse(d, DRAY_INVALID, "the job", "has a delay or a time, not both");
    if (new->delay_ms > DELAY_MAX_MS)
        return refuse(d, DRAY_LIMIT, "the delay", "is longer than ten years");
    if (new->at_ms < 0 || new->at_ms > d->now_ms + (int64_t)DELAY_MAX_MS)
        return refuse(d, DRAY_LIMIT, "the time", "is before 1970 or more than ten years ahead");
    out->job.delay_ms = new->delay_ms;
    out->job.run_at_ms = new->at_ms;
    out->job.timeout_ms = new->timeout_ms;
    out->job.max_attempts = new->max_attempts;
    return DRAY_OK;
}

static int take_id(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    if (new->id) {
        int code = take_name(d, "the id", new->id, &out->job.id);
        if (code == DRAY_OK)
            memcpy(out->id, new->id, out->job.id.len + 1);
        out->job.id.data = out->id;
        return code;
    }
    if (random_uuid(out->id, d->now_ms) != DRAY_OK)
        return error_set(d->error, DRAY_IO, 0, "the system gives no randomness for an id");
    out->job.id = str_of(out->id, 36);
    return DRAY_OK;
}

/* Checks one job and completes it. */
static int take_job(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    memset(&out->job, 0, sizeof(out->job));
    out->job.size = (uint32_t)sizeof(out->job);
    out->id[0] = 0;
    int code;
    if (!new->type)
        return refuse(d, DRAY_INVALID, "the job", "has no type");
    if ((code = take_id(d, new, out)) != DRAY_OK ||
        (code = take_name(d, "the type", new->type, &out->job.type)) != DRAY_OK ||
        (code = take_payload(d, new, out)) != DRAY_OK ||
        (code = take_name(d, "the group", new->group, &out->job.group)) != DRAY_OK ||
        (code = take_label(d, "the name", new->name, &out->job.name)) != DRAY_OK ||
        (code = take_unique(d, new, out)) != DRAY_OK ||
        (code = take_priority(d, new, out)) != DRAY_OK ||
        (code = take_times(d, new, out)) != DRAY_OK)
        return code;
    return DRAY_OK;
}

static int take_queue(struct drafts *d, const struct dray_new_job *jobs, struct dray_str *queue)
{
    *queue = str_from(jobs[0].queue ? jobs[0].queue : d->dray->config->queue);
    const char *why = name_check(queue->data, queue->len);
    if (why)
        return refuse(d, DRAY_INVALID, "the queue", why);
    for (d->at = 1; d->at < d->n; d->at++) {
        const char *other = jobs[d->at].queue ? jobs[d->at].queue : d->dray->config->queue;
        if (strcmp(other, queue->data) != 0)
            return refuse(d, DRAY_INVALID, "the job", "names another queue than the first one");
    }
    return DRAY_OK;
}

/* The line for a group that the store refused, unless the driver gave one. */
static void explain(const struct drafts *d, const struct group *g, const struct draft *drafts)
{
    int code = g->push.code;
    if (code != DRAY_DUPLICATE && code != DRAY_CONFLICT)
        return;
    uint32_t i = 0;
    while (i + 1 < g->push.njobs && g->push.answers[i] != code)
        i++;
    char which[48] = "the job";
    if (d->n > 1)
        snprintf(which, sizeof(which), "job %u of the batch", i);
    if (code == DRAY_DUPLICATE)
        error_set(d->error, code, 0,
            "%s is a duplicate: job %s, which has not ended, holds its "
            "unique key",
            which, g->push.holders[i]);
    else
        error_set(d->error, code, 0, "%s with id %s is there already with other content", which,
            drafts[i].id);
}

/* A refusal for the sake of some members leaves the others without fault; any other is everybody's.
 */
static void fill_out(
    const struct group *g, const struct draft *drafts, struct dray_dispatched *out, size_t n)
{
    for (size_t i = 0; out && i < n; i++) {
        int answer = g->push.answers[i];
        int whole = g->push.code;
        int apart = whole == DRAY_EXISTS || whole == DRAY_DUPLICATE || whole == DRAY_CONFLICT;
        out[i].code = answer != DRAY_OK || apart ? answer : whole;
        const char *id = answer == DRAY_DUPLICATE ? g->push.holders[i] : drafts[i].id;
        snprintf(out[i].id, sizeof(out[i].id), "%s", id);
    }
}

/* sync: each job in turn, each with its own outcome; the first failure is the batch's. */
static int run_inline(struct dray *dray, const struct draft *drafts, const struct group *g,
    struct dray_dispatched *out, struct dray_error *error)
{
    int first = DRAY_OK;
    for (uint32_t i = 0; i < g->push.njobs; i++) {
        if (g->push.answers[i] != DRAY_OK)
            continue;
        int code = inline_run(dray, &drafts[i].job, first == DRAY_OK ? error : NULL);
        if (out)
            out[i].code = code;
        if (first == DRAY_OK)
            first = code;
    }
    return first != DRAY_OK ? first : g->push.code;
}

static uint64_t due_in(const struct drafts *d, const struct dray_job *job)
{
    if (!job->run_at_ms)
        return job->delay_ms;
    return job->run_at_ms > d->now_ms ? (uint64_t)(job->run_at_ms - d->now_ms) : 0;
}

static int push_drafts(struct drafts *d, struct draft *drafts, const struct dray_job **jobs,
    int32_t *answers, char (*holders)[DRAY_NAME_MAX + 1], struct dray_str queue,
    struct dray_dispatched *out)
{
    struct dray *dray = d->dray;
    struct group g;
    memset(&g, 0, sizeof(g));
    g.error = d->error;
    g.push.size = (uint32_t)sizeof(g.push);
    g.push.queue = queue;
    g.push.jobs = jobs;
    g.push.answers = answers;
    g.push.holders = holders;
    g.push.njobs = (uint32_t)d->n;
    g.soonest_ms = UINT64_MAX;
    for (size_t i = 0; i < d->n; i++) {
        uint64_t due_ms = due_in(d, &drafts[i].job);
        g.soonest_ms = due_ms < g.soonest_ms ? due_ms : g.soonest_ms;
        drafts[i].job.queue = queue;
        jobs[i] = &drafts[i].job;
        answers[i] = DRAY_OK;
        holders[i][0] = 0;
    }
    int code = turn_push(dray, &g);
    explain(d, &g, drafts);
    fill_out(&g, drafts, out, d->n);
    if (code != DRAY_OK && code != DRAY_EXISTS)
        return code;
    if (dray->store->driver.can & DRAY_IS_INLINE)
        return run_inline(dray, drafts, &g, out, d->error);
    return d->n == 1 ? g.push.answers[0] : DRAY_OK;
}

/* Everything that one dispatch needs, in one block for a batch and on the stack for a few. */
struct room {
    struct draft drafts[SMALL];
    const struct dray_job *jobs[SMALL];
    int32_t answers[SMALL];
    char holders[SMALL][DRAY_NAME_MAX + 1];
};

/* The one that is being checked is the reason to refuse all. */
static int blame(const struct drafts *d, int code)
{
    for (size_t i = 0; d->out && i < d->n; i++)
        d->out[i].code = i == d->at ? code : DRAY_OK;
    return code;
}

static int check_all(struct drafts *d, const struct dray_new_job *new, struct draft *drafts)
{
    for (d->at = 0; d->at < d->n; d->at++) {
        int code = take_job(d, &new[d->at], &drafts[d->at]);
        if (code == DRAY_OK && (d->dray->store->driver.can & DRAY_IS_INLINE))
            code = inline_check(d->dray, &drafts[d->at].job, d->error);
        if (code != DRAY_OK)
            return blame(d, code);
    }
    return DRAY_OK;
}

static int dispatch_small(struct drafts *d, const struct dray_new_job *new, struct dray_str queue,
    struct dray_dispatched *out)
{
    struct room room;
    int code = check_all(d, new, room.drafts);
    if (code != DRAY_OK)
        return code;
    return push_drafts(d, room.drafts, room.jobs, room.answers, room.holders, queue, out);
}

static int dispatch_large(struct drafts *d, const struct dray_new_job *new, struct dray_str queue,
    struct dray_dispatched *out)
{
    size_t n = d->n;
    struct draft *drafts = malloc(n * sizeof(*drafts));
    const struct dray_job **jobs = malloc(n * sizeof(*jobs));
    int32_t *answers = malloc(n * sizeof(*answers));
    char(*holders)[DRAY_NAME_MAX + 1] = malloc(n * sizeof(*holders));
    int code = DRAY_NOMEM;
    if (!drafts || !jobs || !answers || !holders)
        error_set(d->error, code, 0, "out of memory for a batch of %zu jobs", n);
    else if ((code = check_all(d, new, drafts)) == DRAY_OK)
        code = push_drafts(d, drafts, jobs, answers, holders, queue, out);
    free(drafts);
    free(jobs);
    free(answers);
    free(holders);
    return code;
}

/* isolate: the first dispatch starts the worker. */
static int start_if_wanted(struct dray *dray, struct dray_error *error)
{
    if (!(dray->store->driver.can & DRAY_IS_AUTOSTART))
        return DRAY_OK;
    pthread_mutex_lock(&dray->lock);
    int running = dray->worker != NULL;
    struct dray_worker_options options = {.concurrency = dray->handlers.n ? dray->handlers.n : 1};
    pthread_mutex_unlock(&dray->lock);
    if (running)
        return DRAY_OK;
    int code = dray_worker_start(dray, &options, error);
    return code == DRAY_CONFLICT ? DRAY_OK : code; /* another dispatcher was faster */
}

int dray_dispatch_batch(struct dray *dray, const struct dray_new_job *jobs, size_t n,
    struct dray_dispatched *out, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (n == 0)
        return DRAY_OK;
    if (!jobs)
        return error_set(error, DRAY_INVALID, 0, "no jobs were given");
    uint32_t most = dray->store->driver.max_push;
    for (size_t i = 0; out && i < n; i++)
        out[i] = (struct dray_dispatched){.code = DRAY_INVALID};
    if (n > most)
        return error_set(error, DRAY_LIMIT, 0,
            "a batch of %zu jobs; the driver %s takes at most %u at once", n, dray->store->name,
            most);
    struct drafts d = {
        .dray = dray, .error = error, .n = n, .out = out, .now_ms = clock_wall_ms(dray->clock)};
    struct dray_str queue;
    if ((code = take_queue(&d, jobs, &queue)) != DRAY_OK ||
        (code = start_if_wanted(dray, error)) != DRAY_OK)
        return code;
    return n <= SMALL ? dispatch_small(&d, jobs, queue, out) : dispatch_large(&d, jobs, queue, out);
}

int dray_dispatch(struct dray *dray, const char *type, const char *payload,
    const struct dray_new_job *more, struct dray_dispatched *out, struct dray_error *error)
{
    struct dray_new_job job = {0};
    if (more)
        job = *more;
    job.type = type;
    job.payload = payload;
    job.payload_len = 0;
    return dray_dispatch_batch(dray, &job, 1, out, error);
}
