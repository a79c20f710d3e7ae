/* SPDX-License-Identifier: CC0-1.0 */
/* Handing jobs out, and what becomes of them: reserve, ack, retry, extend. */
#include "spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One call under way, in one queue at a time. */
struct work {
    struct spool *spool;
    struct dray_call *call;
    const struct dray_reserve *want;
    char queue[DRAY_NAME_MAX + 1];
    int64_t mono, wall;
    int64_t last_ready;
    int given; /* a job */
};

static void set_queue(struct work *work, struct dray_str queue)
{
    snprintf(work->queue, sizeof(work->queue), "%.*s", (int)queue.len, queue.data);
}

static struct work work_of(struct spool *spool, struct dray_call *call, struct dray_str queue)
{
    struct work work = {.spool = spool,
        .call = call,
        .mono = spool->host->mono_ms(spool->host),
        .wall = spool->host->wall_ms(spool->host)};
    set_queue(&work, queue);
    return work;
}

/* The end of the row of ready jobs. */
static struct place at_the_end(struct work *work, const struct place *place)
{
    struct place to = *place;
    to.state = DRAY_STATE_READY;
    to.when = ++work->last_ready;
    return to;
}

/* ------------------------------------------------------------------------------------------- */
/* Reserve                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* Its token is void as soon as the job is no longer active. */
static int32_t expire(struct work *work, const struct place *place)
{
    static const char error[] = "lease expired";
    struct place to = at_the_end(work, place);
    struct dray_job old, job;
    int32_t code = spool_read(work->spool, work->call, place, &old);
    if (code != DRAY_OK)
        return code == DRAY_NOTFOUND ? DRAY_OK : code;
    job = old;
    job.error = (struct dray_str){error, sizeof(error) - 1};
    job.owner.len = 0;
    return spool_change(work->spool, work->call, place, &old, &to, &job);
}

static int32_t promote(struct work *work, const struct place *place)
{
    struct place to = at_the_end(work, place);
    int error = place_move(work->spool->root, place, &to);
    return error ? spool_fail(work->spool, work->call, error, "move a job that is due") : DRAY_OK;
}

/* Puts back what has expired, then promotes what is due. */
static int32_t sweep(struct work *work)
{
    struct place place;
    int root = work->spool->root;
    int error = spool_last_ready(work->spool, work->queue, &work->last_ready);
    int32_t code = DRAY_OK;
    while (!error && code == DRAY_OK) {
        error = place_first(root, work->queue, DRAY_STATE_ACTIVE, &place);
        if (error || !place.state || place.when >= work->mono)
            break;
        code = expire(work, &place);
    }
    while (!error && code == DRAY_OK) {
        error = place_first(root, work->queue, DRAY_STATE_DELAYED, &place);
        if (error || !place.state || place.when > work->wall)
            break;
        code = promote(work, &place);
    }
    return error ? spool_fail(work->spool, work->call, error, "look for jobs") : code;
}

static int32_t hand_out(struct work *work, const struct place *place)
{
    struct place to = *place;
    struct dray_job old, job;
    int32_t code = spool_read(work->spool, work->call, place, &old);
    if (code != DRAY_OK)
        return code == DRAY_NOTFOUND ? DRAY_OK : code;
    to.state = DRAY_STATE_ACTIVE;
    to.when = spool_later(work->mono, work->want->lease_ms);
    job = old;
    job.attempts++;
    job.token.counter++;
    job.token.nonce = work->want->nonce;
    job.owner = work->want->owner;
    code = spool_change(work->spool, work->call, place, &old, &to, &job);
    if (code == DRAY_OK) {
        job.state = DRAY_STATE_ACTIVE;
        job.lease_left_ms = work->want->lease_ms;
        work->call->job(work->call, &job);
        work->given = 1;
    }
    /* Not handed out is certain; at worst an attempt too many stays counted. */
    return code == DRAY_UNKNOWN ? DRAY_IO : code;
}

/* When time alone may bring a job: 0 if one is ready. */
static int look_again(struct work *work, uint64_t *next)
{
    static const uint32_t states[] = {DRAY_STATE_READY, DRAY_STATE_DELAYED, DRAY_STATE_ACTIVE};
    struct place place;
    for (int i = 0; i < 3; i++) {
        int error = place_first(work->spool->root, work->queue, states[i], &place);
        if (error)
            return error;
        if (!place.state)
            continue;
        int64_t wait = i == 0 ? 0 : i == 1 ? place.when - work->wall : place.when + 1 - work->mono;
        if ((uint64_t)(wait > 0 ? wait : 0) < *next)
            *next = (uint64_t)(wait > 0 ? wait : 0);
    }
    return 0;
}

/* One job, of the first queue that has one. Damaged ones are out of the way when they were read. */
static int32_t take_one(struct work *work, const struct dray_reserve *want)
{
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < want->nqueues && code == DRAY_OK && !work->given; i++) {
        struct place place = {.state = DRAY_STATE_READY};
        set_queue(work, want->queues[i]);
        while (code == DRAY_OK && place.state && !work->given) {
            int error = place_first(work->spool->root, work->queue, DRAY_STATE_READY, &place);
            if (error)
                code = spool_fail(work->spool, work->call, error, "look for jobs");
            else if (place.state)
                code = hand_out(work, &place);
        }
    }
    return code;
}

int32_t spool_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct spool *spool = self;
    struct work work = work_of(spool, call, (struct dray_str){0});
    uint64_t next = DRAY_NEXT_NEVER;
    int error = 0;
    int32_t code = spool_begin(spool, call);
    if (code != DRAY_OK)
        return code;
    work.want = want;
    for (uint32_t i = 0; i < want->nqueues && code == DRAY_OK; i++) {
        set_queue(&work, want->queues[i]);
        code = sweep(&work);
    }
    if (code == DRAY_OK && want->max)
        code = take_one(&work, want);
    for (uint32_t i = 0; i < want->nqueues && !error; i++) {
        set_queue(&work, want->queues[i]);
        error = look_again(&work, &next);
    }
    spool_end(spool);
    call->next_ms = error ? DRAY_NEXT_UNKNOWN : next;
    return code;
}

/* ------------------------------------------------------------------------------------------- */
/* Settle and extend                                                                           */
/* ------------------------------------------------------------------------------------------- */

/* The leased job, or DRAY_STALE if the lease's token is not current. */
static int32_t find_leased(
    struct work *work, const struct dray_lease *lease, struct place *place, struct dray_job *job)
{
    int error =
        place_find(work->spool->root, work->queue, PLACE_BIT(DRAY_STATE_ACTIVE), lease->id, place);
    if (error)
        return spool_fail(work->spool, work->call, error, "look for a job");
    if (!place->state)
        return DRAY_STALE;
    int32_t code = spool_read(work->spool, work->call, place, job);
    if (code != DRAY_OK)
        return code == DRAY_NOTFOUND ? DRAY_STALE : code;
    return job->token.counter == lease->token.counter && job->token.nonce == lease->token.nonce
               ? DRAY_OK
               : DRAY_STALE;
}

/* What a verdict makes of a job, but for DONE. */
static void apply(
    struct work *work, const struct dray_lease *lease, struct dray_job *job, struct place *place)
{
    int again = lease->verdict == DRAY_VERDICT_AGAIN, bury = lease->verdict == DRAY_VERDICT_BURY;
    if (lease->error.len)
        job->error = lease->error;
    if (lease->progress.len)
        job->progress = lease->progress;
    if (lease->verdict == DRAY_VERDICT_RELEASE || (bury && lease->flags & DRAY_LEASE_UNCHARGE))
        job->attempts--;
    if (lease->verdict == DRAY_VERDICT_REPEAT)
        job->attempts = 0;
    if (lease->verdict == DRAY_VERDICT_RELEASE)
        job->releases++;
    else if (again || lease->verdict == DRAY_VERDICT_REPEAT)
        job->releases = 0;
    job->owner.len = 0;
    job->run_at_ms = 0;
    if (bury) {
        job->ended_ms = place->when = work->wall;
        place->state = DRAY_STATE_DEAD;
    } else if (lease->delay_ms) {
        job->run_at_ms = place->when = spool_later(work->wall, lease->delay_ms);
        place->state = DRAY_STATE_DELAYED;
    } else {
        *place = at_the_end(work, place);
    }
}

static int32_t settle_one(struct work *work, const struct dray_lease *lease,
    const struct place *place, const struct dray_job *old)
{
    struct spool *spool = work->spool;
    struct place to = *place;
    struct dray_job job = *old;
    char path[PLACE_PATH_SIZE];
    if (lease->verdict == DRAY_VERDICT_DONE) {
        place_path(place, path);
        return unlinkat(spool->root, path, 0) == 0
                   ? DRAY_OK
                   : spool_fail(spool, work->call, errno, "remove a job that is done");
    }
    int error = spool_last_ready(spool, work->queue, &work->last_ready);
    if (error)
        return spool_fail(spool, work->call, error, "look for jobs");
    apply(work, lease, &job, &to);
    return spool_change(spool, work->call, place, old, &to, &job);
}

static int32_t extend_one(struct work *work, const struct dray_lease *lease,
    const struct place *place, const struct dray_job *old)
{
    struct place to = *place;
    struct dray_job job = *old;
    int64_t until = spool_later(work->mono, lease->lease_ms);
    if (lease->progress.len)
        job.progress = lease->progress;
    to.when = until > to.when ? until : to.when;
    return spool_change(work->spool, work->call, place, old, &to, &job);
}

typedef int32_t one_fn(struct work *work, const struct dray_lease *lease, const struct place *place,
    const struct dray_job *old);

static int32_t each(struct spool *spool, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n, one_fn *one)
{
    struct place place;
    struct dray_job job;
    int32_t code = spool_begin(spool, call);
    if (code != DRAY_OK)
        return code;
    for (uint32_t i = 0; i < n; i++) {
        struct work work = work_of(spool, call, leases[i]->queue);
        answers[i] = find_leased(&work, leases[i], &place, &job);
        if (answers[i] == DRAY_OK)
            answers[i] = one(&work, leases[i], &place, &job);
    }
    spool_end(spool);
    return DRAY_OK;
}

int32_t spool_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    return each(self, call, leases, answers, n, settle_one);
}

int32_t spool_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    return each(self, call, leases, answers, n, extend_one);
}
