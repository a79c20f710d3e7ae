/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/dispatch.h"

#include "host/error.h"
#include "host/random.h"
#include "queue/draft.h"
#include "queue/instance.h"
#include "text/name.h"
#include "worker/attempt.h"

#include <stdio.h>
#include <string.h>

/* A batch up to this size needs no memory but the stack. */
#define SMALL 8

static int take_payload(
    const struct drafts *d, const struct dray_new_job *new, struct dray_job *out)
{
    if (!new->payload) {
        out->payload = str_of("null", 4);
        return DRAY_OK;
    }
    size_t len = new->payload_len ? new->payload_len : strlen(new->payload);
    return draft_payload(d, new->payload, len, &out->payload);
}

static int take_unique(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    struct dray_job *job = &out->job;
    if (new->unique && !*new->unique)
        return draft_refuse(d, DRAY_INVALID, "the unique key", "is empty; leave it out");
    int code = draft_label(d, "the unique key", new->unique, &job->unique);
    if (code != DRAY_OK)
        return code;
    if (new->flags & DRAY_UNIQUE) {
        if (job->unique.len)
            return draft_refuse(
                d, DRAY_INVALID, "the job", "is unique by payload or by key, not both");
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
        return draft_refuse(d, DRAY_INVALID, "the priority", "is not one of 0 (first) to 9 (last)");
    out->job.priority = (uint32_t) new->priority - 1;
    if (out->job.priority != DRAY_PRIORITY_NORMAL &&
        !(d->dray->store->driver.can & DRAY_CAN_PRIORITY))
        return instance_lacks(d->dray, "order by priority", d->error);
    return DRAY_OK;
}

static int take_times(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    if (new->delay_ms &&new->at_ms)
        return draft_refuse(d, DRAY_INVALID, "the job", "has a delay or a time, not both");
    if (new->delay_ms > DELAY_MAX_MS)
        return draft_refuse(d, DRAY_LIMIT, "the delay", "is longer than ten years");
    if (new->at_ms < 0 || new->at_ms > d->now_ms + (int64_t)DELAY_MAX_MS)
        return draft_refuse(
            d, DRAY_LIMIT, "the time", "is before 1970 or more than ten years ahead");
    out->job.delay_ms = new->delay_ms;
    out->job.run_at_ms = new->at_ms;
    out->job.max_attempts = new->max_attempts;
    return draft_timeout(d, new->timeout_ms, &out->job.timeout_ms);
}

static int take_id(const struct drafts *d, const struct dray_new_job *new, struct draft *out)
{
    if (new->id) {
        int code = draft_name(d, "the id", new->id, &out->job.id);
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
        return draft_refuse(d, DRAY_INVALID, "the job", "has no type");
    if (new->flags & ~(uint32_t)DRAY_UNIQUE)
        return draft_refuse(
            d, DRAY_INVALID, "the job", "has flags that this version does not know");
    if ((code = take_id(d, new, out)) != DRAY_OK ||
        (code = draft_name(d, "the type", new->type, &out->job.type)) != DRAY_OK ||
        (code = take_payload(d, new, &out->job)) != DRAY_OK ||
        (code = draft_name(d, "the group", new->group, &out->job.group)) != DRAY_OK ||
        (code = draft_label(d, "the name", new->name, &out->job.name)) != DRAY_OK ||
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
        return draft_refuse(d, DRAY_INVALID, "the queue", why);
    for (d->at = 1; d->at < d->n; d->at++) {
        const char *other = jobs[d->at].queue ? jobs[d->at].queue : d->dray->config->queue;
        if (strcmp(other, queue->data) != 0)
            return draft_refuse(
                d, DRAY_INVALID, "the job", "names another queue than the first one");
    }
    return DRAY_OK;
}

/* sync: each job in turn, each with its own outcome; the first failure is the batch's. */
static int run_inline(
    const struct drafts *d, const struct draft_room *room, int code, struct dray_dispatched *out)
{
    int first = DRAY_OK;
    for (size_t i = 0; i < d->n; i++) {
        if (room->answers[i] != DRAY_OK)
            continue;
        int ended = inline_run(d->dray, &room->drafts[i].job, first == DRAY_OK ? d->error : NULL);
        if (out)
            out[i].code = ended;
        if (first == DRAY_OK)
            first = ended;
    }
    return first != DRAY_OK ? first : code;
}

static int push_drafts(struct drafts *d, const struct draft_room *room, struct dray_str queue,
    struct dray_dispatched *out)
{
    int code = draft_push(d, room, queue, 0, out);
    if (code != DRAY_OK && code != DRAY_EXISTS)
        return code;
    if (d->dray->store->driver.can & DRAY_IS_INLINE)
        return run_inline(d, room, code, out);
    return d->n == 1 ? room->answers[0] : DRAY_OK;
}

static int check_all(struct drafts *d, const struct dray_new_job *new, struct draft *drafts)
{
    for (d->at = 0; d->at < d->n; d->at++) {
        int code = take_job(d, &new[d->at], &drafts[d->at]);
        if (code == DRAY_OK && (d->dray->store->driver.can & DRAY_IS_INLINE))
            code = inline_check(d->dray, &drafts[d->at].job, d->error);
        if (code != DRAY_OK)
            return draft_blame(d, code);
    }
    return DRAY_OK;
}

static int dispatch_small(struct drafts *d, const struct dray_new_job *new, struct dray_str queue,
    struct dray_dispatched *out)
{
    struct draft drafts[SMALL];
    const struct dray_job *jobs[SMALL];
    int32_t answers[SMALL];
    char holders[SMALL][DRAY_NAME_MAX + 1];
    struct draft_room room = {drafts, jobs, answers, holders};
    int code = check_all(d, new, drafts);
    return code == DRAY_OK ? push_drafts(d, &room, queue, out) : code;
}

static int dispatch_large(struct drafts *d, const struct dray_new_job *new, struct dray_str queue,
    struct dray_dispatched *out)
{
    struct draft_room room;
    int code = draft_room_new(d, &room);
    if (code != DRAY_OK)
        draft_answer_all(out, d->n, code);
    else if ((code = check_all(d, new, room.drafts)) == DRAY_OK)
        code = push_drafts(d, &room, queue, out);
    draft_room_free(&room);
    return code;
}

int dispatch_autostart(struct dray *dray, struct dray_error *error)
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
    int code = draft_check_batch(dray, jobs, n, error);
    if (code != DRAY_OK)
        return draft_answer_all(out, n, code);
    if (n == 0)
        return DRAY_OK;
    struct drafts d = {
        .dray = dray, .error = error, .n = n, .out = out, .now_ms = clock_wall_ms(dray->clock)};
    struct dray_str queue;
    if ((code = take_queue(&d, jobs, &queue)) != DRAY_OK)
        return draft_blame(&d, code);
    if ((code = dispatch_autostart(dray, error)) != DRAY_OK)
        return draft_answer_all(out, n, code);
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
