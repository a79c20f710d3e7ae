/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what a driver shows with what the model holds. */
#include "model.h"

#include <stdio.h>
#include <string.h>

static int number_differs(struct model *model, const struct model_job *job, const char *field,
    long long got, long long want)
{
    if (got == want)
        return 0;
    snprintf(model->why, sizeof(model->why), "%s: %s is %lld, not %lld", job->id, field, got, want);
    return 1;
}

#define DIFFER(field, got, want)                                                                   \
    if (number_differs(model, job, (field), (long long)(got), (long long)(want)))                  \
    return 0

static int text_differs(struct model *model, const struct model_job *job, const char *field,
    struct dray_str got, const char *want)
{
    if (str_is(got, want))
        return 0;
    snprintf(model->why, sizeof(model->why), "%s: %s is \"%.*s\", not \"%s\"", job->id, field,
        (int)got.len, got.len ? got.data : "", want);
    return 1;
}

static int same_content(
    struct model *model, const struct model_job *job, const struct dray_job *shown)
{
    DIFFER("priority", shown->priority, job->priority);
    DIFFER("timeout", shown->timeout_ms, job->timeout_ms);
    DIFFER("max_attempts", shown->max_attempts, job->max_attempts);
    DIFFER("created", shown->created_ms, job->created_ms);
    return !text_differs(model, job, "type", shown->type, job->type) &&
           !text_differs(model, job, "payload", shown->payload, job->payload) &&
           !text_differs(model, job, "name", shown->name, job->name) &&
           !text_differs(model, job, "unique", shown->unique, job->unique) &&
           !text_differs(model, job, "group", shown->group, job->group);
}

static int same_state(
    struct model *model, const struct model_job *job, const struct dray_job *shown)
{
    DIFFER("state", shown->state, job->state);
    DIFFER("attempts", shown->attempts, job->attempts);
    DIFFER("releases", shown->releases, job->releases);
    DIFFER("token", shown->token.counter, job->token.counter);
    DIFFER("ended", shown->ended_ms, job->ended_ms);
    if (job->state == DRAY_STATE_ACTIVE) {
        DIFFER("nonce", shown->token.nonce, job->token.nonce);
        DIFFER("lease left", shown->lease_left_ms, job->until_ms - model->mono_ms);
        if (job->marked != MODEL_MAYBE_MARKED)
            DIFFER("mark", shown->flags & DRAY_JOB_CANCELLED, job->marked);
        if (text_differs(model, job, "owner", shown->owner, job->owner))
            return 0;
    }
    if (job->state == DRAY_STATE_DELAYED)
        DIFFER("run_at", shown->run_at_ms, model->wall_ms + job->due_ms - model->mono_ms);
    return !text_differs(model, job, "error", shown->error, job->error) &&
           !text_differs(model, job, "result", shown->result, job->result) &&
           !text_differs(model, job, "progress", shown->progress, job->progress);
}

static const struct dray_job *shown_as(
    const struct shown_list *listed, const struct model_job *job, size_t *times)
{
    const struct dray_job *found = NULL;

    *times = 0;
    for (size_t i = 0; i < listed->n; i++) {
        const struct dray_job *shown = &listed->at[i].job;
        if (!str_is(shown->id, job->id) || !str_is(shown->queue, job->queue))
            continue;
        found = shown;
        ++*times;
    }
    return found;
}

int model_agrees_list(struct model *model, const struct shown_list *listed)
{
    size_t held = 0, times;

    for (size_t i = 0; i < MODEL_JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (!job->state)
            continue;
        held++;
        const struct dray_job *shown = shown_as(listed, job, &times);
        if (times != 1) {
            snprintf(model->why, sizeof(model->why), "%s is listed %zu times", job->id, times);
            return 0;
        }
        if (!same_content(model, job, shown))
            return 0;
        if (!job->pending && !same_state(model, job, shown))
            return 0;
    }
    if (listed->n == held)
        return 1;
    snprintf(model->why, sizeof(model->why), "%zu jobs are listed, %zu should be there", listed->n,
        held);
    return 0;
}

static int same_totals(
    struct model *model, const struct model_row *row, const struct dray_stats_row *shown)
{
    const uint64_t got[] = {shown->pushed, shown->completed, shown->failed, shown->retried,
        shown->died, shown->runs, shown->run_ms};
    const uint64_t want[] = {
        row->pushed, row->completed, row->failed, row->retried, row->died, row->runs, row->run_ms};
    static const char *const names[] = {
        "pushed", "completed", "failed", "retried", "died", "runs", "run_ms"};

    for (size_t i = 0; i < sizeof(got) / sizeof(got[0]); i++) {
        if (got[i] == want[i])
            continue;
        snprintf(model->why, sizeof(model->why), "totals of %s/%s: %s is %llu, not %llu",
            row->queue, row->type, names[i], (unsigned long long)got[i],
            (unsigned long long)want[i]);
        return 0;
    }
    return 1;
}

static int same_counts(
    struct model *model, const struct model_row *row, const struct dray_stats_row *shown)
{
    const uint64_t got[] = {shown->ready, shown->delayed, shown->active, shown->dead, shown->done};
    uint64_t retrying = 0, parked = 0;

    for (uint32_t state = DRAY_STATE_READY; state <= DRAY_STATE_DONE; state++) {
        uint64_t want = model_count(model, row->queue, state);
        if (got[state - 1] == want)
            continue;
        snprintf(model->why, sizeof(model->why), "queue %s counts %llu in state %u, not %llu",
            row->queue, (unsigned long long)got[state - 1], state, (unsigned long long)want);
        return 0;
    }
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state != DRAY_STATE_DELAYED || strcmp(job->queue, row->queue) != 0)
            continue;
        parked += job->releases > 0;
        retrying += job->releases == 0 && job->attempts > 0;
    }
    if (shown->retrying == retrying && shown->parked == parked &&
        (shown->paused != 0) == (row->paused != 0))
        return 1;
    snprintf(model->why, sizeof(model->why),
        "queue %s: retrying, parked, paused are %llu, %llu, %u, not %llu, %llu, %d", row->queue,
        (unsigned long long)shown->retrying, (unsigned long long)shown->parked, shown->paused,
        (unsigned long long)retrying, (unsigned long long)parked, row->paused);
    return 0;
}

int model_agrees_stats(struct model *model, struct subject *subject)
{
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        if (model->jobs[i].state && model->jobs[i].pending)
            return 1;
    }
    for (size_t i = 0; i < model->nrows; i++) {
        const struct model_row *row = &model->rows[i];
        const struct dray_stats_row *shown = subject_row(subject, row->queue, row->type);
        if (row->type[0] ? !same_totals(model, row, shown) : !same_counts(model, row, shown))
            return 0;
    }
    return 1;
}
