/* SPDX-License-Identifier: CC0-1.0 */
/* Storing a job: look for its id, find its place, write its file. */
#include "spool.h"

#include <stdio.h>
#include <string.h>

struct survey {
    uint64_t live;
    int64_t last_ready;
};

static void count(const struct place *place, void *user)
{
    struct survey *survey = user;
    survey->live += place->state != DRAY_STATE_DEAD;
    if (place->state == DRAY_STATE_READY && place->when > survey->last_ready)
        survey->last_ready = place->when;
}

int spool_last_ready(struct spool *spool, const char *queue, int64_t *last)
{
    struct survey survey = {0};
    int error = place_scan(spool->root, queue, PLACE_BIT(DRAY_STATE_READY), count, &survey);
    *last = survey.last_ready;
    return error;
}

int spool_same(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

/* The id is there: is it the same job? */
static int32_t compare(struct spool *spool, struct dray_call *call, const struct place *place,
    const struct dray_job *job, int32_t *answer)
{
    struct dray_job there;
    int32_t code = spool_read(spool, call, place, &there);
    if (code != DRAY_OK)
        return code == DRAY_NOTFOUND ? DRAY_BUSY : code; /* damaged: gone when asked again */
    *answer = spool_same(there.type, job->type) && spool_same(there.payload, job->payload)
                  ? DRAY_EXISTS
                  : DRAY_CONFLICT;
    return *answer == DRAY_CONFLICT ? DRAY_CONFLICT : DRAY_OK;
}

/* Where a new job goes, and what of it is not the caller's to say. */
static void place_new(
    struct spool *spool, struct dray_job *job, struct place *place, const struct survey *survey)
{
    int64_t wall = spool->host->wall_ms(spool->host);
    if (!job->state) { /* not restored */
        job->state = job->run_at_ms > wall || (!job->run_at_ms && job->delay_ms)
                         ? DRAY_STATE_DELAYED
                         : DRAY_STATE_READY;
        if (!job->run_at_ms && job->delay_ms)
            job->run_at_ms = spool_later(wall, job->delay_ms);
        job->created_ms = wall;
    }
    if (job->state == DRAY_STATE_ACTIVE)
        job->state = DRAY_STATE_READY;
    place->state = job->state;
    place->priority = job->priority;
    place->when = job->state == DRAY_STATE_DELAYED ? job->run_at_ms
                  : job->state == DRAY_STATE_DEAD  ? job->ended_ms
                                                   : survey->last_ready + 1;
    snprintf(place->queue, sizeof(place->queue), "%.*s", (int)job->queue.len, job->queue.data);
    snprintf(place->id, sizeof(place->id), "%.*s", (int)job->id.len, job->id.data);
}

static int32_t push_one(struct spool *spool, struct dray_call *call, struct dray_push *group)
{
    struct dray_job job = *group->jobs[0];
    struct survey survey = {0};
    struct place place;
    char queue[DRAY_NAME_MAX + 1], path[PLACE_PATH_SIZE];
    snprintf(queue, sizeof(queue), "%.*s", (int)group->queue.len, group->queue.data);
    int error = place_find(spool->root, queue, PLACE_ALL, job.id, &place);
    if (!error && place.state)
        return compare(spool, call, &place, &job, &group->answers[0]);
    if (!error)
        error = place_scan(spool->root, queue, PLACE_ALL, count, &survey);
    if (!error && group->capacity && survey.live >= group->capacity)
        return spool->host->fail(call, DRAY_FULL, 0, "the queue %s is full", queue);
    if (!error)
        error = place_make_folders(spool->root, queue);
    if (!error) {
        place_new(spool, &job, &place, &survey);
        place_path(&place, path);
        error = record_write(spool->out, spool->root, path, &job);
    }
    return error ? spool_fail(spool, call, error, "store a job") : DRAY_OK;
}

int32_t spool_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct spool *spool = self;
    if (group->njobs > 1) /* several files do not appear in one step */
        return spool->host->fail(call, DRAY_LIMIT, 0, "a spool takes one job at a time");
    if ((group->flags & DRAY_PUSH_RESTORE) && group->jobs[0]->state == DRAY_STATE_DONE)
        return spool->host->fail(call, DRAY_UNSUPPORTED, 0, "a spool keeps no jobs that are done");
    int32_t code = spool_begin(spool, call);
    if (code == DRAY_OK) {
        code = push_one(spool, call, group);
        spool_end(spool);
    }
    return code;
}
