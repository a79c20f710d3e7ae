/* SPDX-License-Identifier: Apache-2.0 */
/* Taking in jobs from elsewhere, with all that they have lived through: T14. */
#include "host/error.h"
#include "queue/dispatch.h"
#include "queue/draft.h"
#include "queue/inspect.h"
#include "queue/instance.h"
#include "text/json.h"
#include "text/name.h"
#include "worker/attempt.h"

#include <stdio.h>
#include <string.h>

#define FENCE_MAX ((uint64_t)1 << 50) /* what every store can hold */

/* Errors and progress: as the core once let them through. */
static int take_note(
    const struct drafts *d, const char *what, const char *text, struct dray_str *out)
{
    *out = str_from(text);
    if (out->len > DRAY_NOTE_MAX)
        return draft_refuse(d, DRAY_LIMIT, what, "is longer than 4096 bytes");
    if (out->len && !utf8_valid(out->data, out->len))
        return draft_refuse(d, DRAY_INVALID, what, "is not valid UTF-8");
    return DRAY_OK;
}

static int take_result(const struct drafts *d, const char *text, struct dray_str *out)
{
    size_t at = 0;
    *out = str_from(text);
    if (!text)
        return DRAY_OK;
    if (out->len > DRAY_PAYLOAD_MAX)
        return draft_refuse(d, DRAY_LIMIT, "the result", "is longer than 1 MiB");
    const char *wrong = json_check(out->data, out->len, &at);
    if (!wrong)
        return DRAY_OK;
    char why[160];
    snprintf(why, sizeof(why), "is not one JSON value: %s at byte %zu", wrong, at);
    return draft_refuse(d, DRAY_INVALID, "the result", why);
}

static int take_texts(const struct drafts *d, const struct dray_job_info *info, struct draft *out)
{
    struct dray_job *job = &out->job;
    int code;
    if (!info->id || !info->type || !info->payload)
        return draft_refuse(d, DRAY_INVALID, "the job",
            !info->id     ? "has no id"
            : !info->type ? "has no type"
                          : "has no payload");
    size_t len = info->payload_len ? info->payload_len : strlen(info->payload);
    if ((code = draft_name(d, "the id", info->id, &job->id)) != DRAY_OK ||
        (code = draft_name(d, "the type", info->type, &job->type)) != DRAY_OK ||
        (code = draft_payload(d, info->payload, len, &job->payload)) != DRAY_OK ||
        (code = draft_name(d, "the group", info->group, &job->group)) != DRAY_OK ||
        (code = draft_label(d, "the name", info->name, &job->name)) != DRAY_OK ||
        (code = draft_label(d, "the unique key", info->unique_key, &job->unique)) != DRAY_OK ||
        (code = take_note(d, "the last error", info->last_error, &job->error)) != DRAY_OK ||
        (code = take_note(d, "the progress", info->progress, &job->progress)) != DRAY_OK ||
        (code = take_result(d, info->result, &job->result)) != DRAY_OK)
        return code;
    memcpy(out->id, info->id, job->id.len + 1);
    job->id.data = out->id;
    return DRAY_OK;
}

static int has_ended(const struct dray_job *job)
{
    return job->state == DRAY_STATE_DEAD || job->state == DRAY_STATE_DONE;
}

static int take_numbers(
    const struct drafts *d, const struct dray_job_info *info, struct dray_job *job)
{
    if (info->priority > DRAY_PRIORITY_LAST)
        return draft_refuse(d, DRAY_INVALID, "the priority", "is not one of 0 (first) to 9 (last)");
    if (info->fence > FENCE_MAX)
        return draft_refuse(d, DRAY_LIMIT, "the fence", "is larger than 2^50");
    job->priority = info->priority;
    job->attempts = info->attempts;
    job->releases = info->releases;
    job->max_attempts = info->max_attempts;
    job->token.counter = info->fence;
    /* A mark on a job that has ended would bury it again as soon as somebody kicks it. */
    job->flags = info->cancelled && !has_ended(job) ? DRAY_JOB_CANCELLED : 0;
    return draft_timeout(d, info->timeout_ms, &job->timeout_ms);
}

static int take_times(
    const struct drafts *d, const struct dray_job_info *info, struct dray_job *job)
{
    int ended = has_ended(job);
    int64_t latest = d->now_ms + (int64_t)DELAY_MAX_MS;
    if (info->created_ms < 0 || info->run_at_ms < 0 || info->ended_ms < 0 ||
        info->created_ms > latest || info->run_at_ms > latest || info->ended_ms > latest)
        return draft_refuse(
            d, DRAY_LIMIT, "a time of the job", "is before 1970 or more than ten years ahead");
    if (job->state == DRAY_STATE_DELAYED && info->run_at_ms == 0)
        return draft_refuse(d, DRAY_INVALID, "the job", "is delayed, but no time is given");
    if (ended && info->ended_ms == 0)
        return draft_refuse(d, DRAY_INVALID, "the job", "has ended, but no time is given");
    job->created_ms = info->created_ms ? info->created_ms : d->now_ms;
    job->run_at_ms = info->run_at_ms;
    job->ended_ms = ended ? info->ended_ms : 0;
    return DRAY_OK;
}

static int take_state(
    const struct drafts *d, const struct dray_job_info *info, struct dray_job *job)
{
    job->state = state_by_name(info->state);
    if (!job->state)
        return draft_refuse(
            d, DRAY_INVALID, "the state", "is not one of ready, delayed, active, dead, done");
    /* Whoever held it there does not hold it here. */
    if (job->state == DRAY_STATE_ACTIVE)
        job->state = DRAY_STATE_READY;
    return DRAY_OK;
}

static int check_driver(const struct drafts *d, const struct dray_job *job)
{
    uint64_t can = d->dray->store->driver.can;
    if (job->unique.len && !(can & DRAY_CAN_UNIQUE))
        return instance_lacks(d->dray, "keep unique keys", d->error);
    if (job->priority != DRAY_PRIORITY_NORMAL && !(can & DRAY_CAN_PRIORITY))
        return instance_lacks(d->dray, "order by priority", d->error);
    if (job->state == DRAY_STATE_DONE && !(can & DRAY_CAN_KEEP))
        return instance_lacks(d->dray, "keep jobs that are done", d->error);
    return DRAY_OK;
}

static int take_job(const struct drafts *d, const struct dray_job_info *info, struct draft *out)
{
    memset(&out->job, 0, sizeof(out->job));
    out->job.size = (uint32_t)sizeof(out->job);
    out->id[0] = 0;
    int code;
    if ((code = take_texts(d, info, out)) != DRAY_OK ||
        (code = take_state(d, info, &out->job)) != DRAY_OK ||
        (code = take_numbers(d, info, &out->job)) != DRAY_OK ||
        (code = take_times(d, info, &out->job)) != DRAY_OK ||
        (code = check_driver(d, &out->job)) != DRAY_OK)
        return code;
    return DRAY_OK;
}

static int take_queue(struct drafts *d, const struct dray_job_info *jobs, struct dray_str *queue)
{
    for (d->at = 0; d->at < d->n; d->at++) {
        const char *name = jobs[d->at].queue;
        if (!name)
            return draft_refuse(d, DRAY_INVALID, "the job", "has no queue");
        int code = draft_name(d, "the queue", name, queue);
        if (code != DRAY_OK)
            return code;
        if (strcmp(name, jobs[0].queue) != 0)
            return draft_refuse(
                d, DRAY_INVALID, "the job", "names another queue than the first one");
    }
    return DRAY_OK;
}

static int take_jobs(struct drafts *d, const struct dray_job_info *jobs, struct draft *drafts)
{
    for (d->at = 0; d->at < d->n; d->at++) {
        int code = take_job(d, &jobs[d->at], &drafts[d->at]);
        if (code != DRAY_OK)
            return code;
    }
    return DRAY_OK;
}

static int check_call(const struct dray *dray, const struct dray_job_info *jobs, size_t n,
    uint32_t flags, struct dray_error *error)
{
    int code = draft_check_batch(dray, jobs, n, error);
    if (code != DRAY_OK)
        return code;
    if (flags & ~(uint32_t)DRAY_RESTORE_CHECK)
        return error_set(
            error, DRAY_INVALID, 0, "dray_restore was given flags that this version does not know");
    if (dray->store->driver.can & DRAY_IS_INLINE)
        return instance_lacks(dray, "take in jobs from elsewhere", error);
    return DRAY_OK;
}

static int restore(struct drafts *d, const struct draft_room *room,
    const struct dray_job_info *jobs, int only_check)
{
    struct dray_str queue = {NULL, 0};
    int code = take_queue(d, jobs, &queue);
    if (code == DRAY_OK)
        code = take_jobs(d, jobs, room->drafts);
    if (code != DRAY_OK)
        return draft_blame(d, code);
    if (only_check || (code = dispatch_autostart(d->dray, d->error)) != DRAY_OK)
        return draft_answer_all(d->out, d->n, code);
    return draft_push(d, room, queue, DRAY_PUSH_RESTORE, d->out);
}

int dray_restore(struct dray *dray, const struct dray_job_info *jobs, size_t n, uint32_t flags,
    struct dray_dispatched *out, struct dray_error *error)
{
    int code = check_call(dray, jobs, n, flags, error);
    if (code != DRAY_OK)
        return draft_answer_all(out, n, code);
    if (n == 0)
        return DRAY_OK;
    struct drafts d = {
        .dray = dray, .error = error, .n = n, .out = out, .now_ms = clock_wall_ms(dray->clock)};
    struct draft_room room;
    if ((code = draft_room_new(&d, &room)) != DRAY_OK)
        draft_answer_all(out, n, code);
    else
        code = restore(&d, &room, jobs, (flags & DRAY_RESTORE_CHECK) != 0);
    draft_room_free(&room);
    return code == DRAY_EXISTS ? DRAY_OK : code;
}
