/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/draft.h"

#include "host/error.h"
#include "queue/instance.h"
#include "text/json.h"
#include "text/name.h"
#include "worker/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int draft_check_batch(const struct dray *dray, const void *jobs, size_t n, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK || n == 0)
        return code;
    if (!jobs)
        return error_set(error, DRAY_INVALID, 0, "no jobs were given");
    uint32_t most = dray->store->driver.max_push;
    if (n > most)
        return error_set(error, DRAY_LIMIT, 0,
            "a batch of %zu jobs; the driver %s takes at most %u at once", n, dray->store->name,
            most);
    return DRAY_OK;
}

int draft_room_new(const struct drafts *d, struct draft_room *room)
{
    room->drafts = malloc(d->n * sizeof(*room->drafts));
    room->jobs = malloc(d->n * sizeof(*room->jobs));
    room->answers = malloc(d->n * sizeof(*room->answers));
    room->holders = malloc(d->n * sizeof(*room->holders));
    if (room->drafts && room->jobs && room->answers && room->holders)
        return DRAY_OK;
    return error_set(d->error, DRAY_NOMEM, 0, "out of memory for a batch of %zu jobs", d->n);
}

void draft_room_free(const struct draft_room *room)
{
    free(room->drafts);
    free(room->jobs);
    free(room->answers);
    free(room->holders);
}

int draft_refuse(const struct drafts *d, int code, const char *what, const char *why)
{
    if (d->n == 1)
        return error_set(d->error, code, 0, "%s %s", what, why);
    return error_set(d->error, code, 0, "job %zu of the batch: %s %s", d->at, what, why);
}

int draft_answer_all(struct dray_dispatched *out, size_t n, int code)
{
    for (size_t i = 0; out && i < n; i++)
        out[i] = (struct dray_dispatched){.code = code};
    return code;
}

int draft_blame(const struct drafts *d, int code)
{
    draft_answer_all(d->out, d->n, DRAY_OK);
    if (d->out)
        d->out[d->at].code = code;
    return code;
}

int draft_name(const struct drafts *d, const char *what, const char *text, struct dray_str *out)
{
    *out = str_from(text);
    if (!text)
        return DRAY_OK;
    const char *why = name_check(out->data, out->len);
    return why ? draft_refuse(d, DRAY_INVALID, what, why) : DRAY_OK;
}

int draft_label(const struct drafts *d, const char *what, const char *text, struct dray_str *out)
{
    *out = str_from(text);
    if (!text || !*text)
        return DRAY_OK;
    const char *why = label_check(out->data, out->len);
    return why ? draft_refuse(d, DRAY_INVALID, what, why) : DRAY_OK;
}

int draft_payload(const struct drafts *d, const char *text, size_t len, struct dray_str *out)
{
    *out = str_of(text, len);
    uint64_t most = d->dray->config->job.max_payload;
    if (len > most) {
        char why[120];
        snprintf(why, sizeof(why), "has %zu bytes, over the limit of %llu (queue.job.max_payload)",
            len, (unsigned long long)most);
        return draft_refuse(d, DRAY_LIMIT, "the payload", why);
    }
    size_t at = 0;
    const char *wrong = json_check(text, len, &at);
    if (!wrong)
        return DRAY_OK;
    char why[160];
    snprintf(why, sizeof(why), "is not one JSON value: %s at byte %zu", wrong, at);
    return draft_refuse(d, DRAY_INVALID, "the payload", why);
}

int draft_timeout(const struct drafts *d, uint64_t ms, uint64_t *out)
{
    *out = ms;
    return ms > DELAY_MAX_MS
               ? draft_refuse(d, DRAY_LIMIT, "the timeout", "is longer than ten years")
               : DRAY_OK;
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

static uint64_t due_in(const struct drafts *d, const struct dray_job *job)
{
    if (!job->run_at_ms)
        return job->delay_ms;
    return job->run_at_ms > d->now_ms ? (uint64_t)(job->run_at_ms - d->now_ms) : 0;
}

int draft_push(const struct drafts *d, const struct draft_room *room, struct dray_str queue,
    uint32_t flags, struct dray_dispatched *out)
{
    struct group g;
    memset(&g, 0, sizeof(g));
    g.error = d->error;
    g.push.size = (uint32_t)sizeof(g.push);
    g.push.flags = flags;
    g.push.queue = queue;
    g.push.jobs = room->jobs;
    g.push.answers = room->answers;
    g.push.holders = room->holders;
    g.push.njobs = (uint32_t)d->n;
    /* What is brought from elsewhere has been accepted once already. */
    g.push.capacity = flags & DRAY_PUSH_RESTORE ? 0 : d->dray->config->limits.capacity;
    g.soonest_ms = UINT64_MAX;
    for (size_t i = 0; i < d->n; i++) {
        struct dray_job *job = &room->drafts[i].job;
        uint64_t due_ms = due_in(d, job);
        g.soonest_ms = due_ms < g.soonest_ms ? due_ms : g.soonest_ms;
        job->queue = queue;
        room->jobs[i] = job;
        room->answers[i] = DRAY_OK;
        room->holders[i][0] = 0;
    }
    int code = turn_push(d->dray, &g);
    explain(d, &g, room->drafts);
    fill_out(&g, room->drafts, out, d->n);
    return code;
}
