/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running jobs in the caller, for inline drivers (sync).
 *
 * Nothing of ours is held across the handler, not even a depth counter: a test's assertion may jump
 * out of a handler and dispatch again. So the nesting is known by the attempts that are still on
 * the stack; see attempt_current.
 */
#include "host/error.h"
#include "host/random.h"
#include "queue/dispatch.h"
#include "queue/instance.h"
#include "worker/attempt.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

/* How many handlers of inline drivers this thread is inside of. */
static int depth(void)
{
    int n = 0;
    for (const struct dray_attempt *a = attempt_current(); a; a = a->outer)
        n += a->dray->info.runs_inline;
    return n;
}

int inline_check(struct dray *dray, const struct dray_job *job, struct dray_error *error)
{
    pthread_mutex_lock(&dray->lock);
    const struct handler *h = handlers_find(&dray->handlers, job->type.data, job->type.len);
    pthread_mutex_unlock(&dray->lock);
    if (!h)
        return error_set(error, DRAY_INVALID, 0,
            "no handler for type %s, and the driver %s runs jobs at once; register one first",
            job->type.data, dray->store->name);
    if (depth() >= DEPTH_MAX)
        return error_set(error, DRAY_INVALID, 0,
            "handlers dispatch each other more than %d deep on the driver %s", DEPTH_MAX,
            dray->store->name);
    return DRAY_OK;
}

struct take {
    struct dray_call call; /* first: the sink gets back from it to here */
    struct dray_attempt *attempt;
    int taken;
};

static void take_job(struct dray_call *call, const struct dray_job *job)
{
    struct take *take = (struct take *)(void *)call;
    attempt_fill(take->attempt, job);
    take->taken = 1;
}

static int turn_alone(struct dray *dray, struct dray_call *call, struct dray_turn *turn)
{
    turn->size = (uint32_t)sizeof(*turn);
    turn_begin_alone(dray);
    store_turn(dray->store, call, turn);
    turn_end_alone(dray);
    return turn->reserve_code;
}

/* Reserves the very job that was pushed. DRAY_EMPTY if it is not there to be had. */
static int take_pushed(
    struct dray *dray, const struct dray_job *job, struct dray_attempt *a, struct dray_error *error)
{
    struct take take = {.attempt = a};
    struct dray_turn turn = {0};
    struct dray_reserve want = {
        .size = (uint32_t)sizeof(want),
        .max = 1,
        .queues = &job->queue,
        .nqueues = 1,
        .lease_ms = dray->config->lease_ms,
        .owner = str_from(dray->owner),
        .only_id = job->id,
        .keep_done_ms = dray->config->keep.done_ms,
        .keep_dead_ms = dray->config->keep.dead_ms,
        .keep_max = dray->config->keep.max,
    };
    if (random_bytes(&want.nonce, sizeof(want.nonce)) != DRAY_OK)
        return error_set(error, DRAY_IO, 0, "the system gives no randomness for a lease");
    want.nonce |= 1;
    store_call_init(&take.call, error, dray->budget_ms);
    take.call.job = take_job;
    turn.reserve = &want;
    int code = turn_alone(dray, &take.call, &turn);
    return code != DRAY_OK ? code : take.taken ? DRAY_OK : DRAY_EMPTY;
}

static int settle(struct dray *dray, struct dray_attempt *a, struct dray_error *error)
{
    const struct dray_lease *lease = &a->lease;
    int32_t answer = DRAY_OK;
    struct dray_call call;
    struct dray_turn turn = {.nsettle = 1, .settle = &lease, .settle_answers = &answer};
    store_call_init(&call, error, dray->budget_ms);
    turn_alone(dray, &call, &turn);
    if (answer == DRAY_CANCELLED) {
        attempt_decide_cancelled(a);
        answer = DRAY_OK;
        turn_alone(dray, &call, &turn);
    }
    return answer;
}

static void complete(struct dray *dray, struct dray_attempt *a)
{
    pthread_mutex_lock(&dray->lock);
    a->handler = handlers_find(&dray->handlers, a->lease.type.data, a->lease.type.len);
    pthread_mutex_unlock(&dray->lock);
    if (!a->handler)
        return;
    if (!a->max_attempts)
        a->max_attempts = a->handler->options.max_attempts ? a->handler->options.max_attempts
                                                           : dray->handlers.default_attempts;
    if (!a->timeout_ms)
        a->timeout_ms = a->handler->options.timeout_ms;
}

/* What one attempt means for the dispatcher: DRAY_OK, DRAY_FAILED, or DRAY_EMPTY to try again. */
static int outcome_of(
    const struct dray_attempt *a, const struct dray_job *job, struct dray_error *error)
{
    if (a->fate == FATE_DONE)
        return DRAY_OK;
    if (a->fate == FATE_AGAIN)
        return DRAY_EMPTY;
    return error_set(error, DRAY_FAILED, 0, "job %s (%s) failed for good at attempt %u: %s",
        job->id.data, job->type.data, a->number, a->error ? a->error : "");
}

static int run_attempt(
    struct dray *dray, const struct dray_job *job, struct dray_attempt *a, struct dray_error *error)
{
    int code = take_pushed(dray, job, a, error);
    if (code == DRAY_EMPTY)
        return error_set(
            error, DRAY_FAILED, 0, "job %s was taken away before it ran", job->id.data);
    if (code != DRAY_OK)
        return code;
    complete(dray, a);
    if (!a->handler || !a->payload) {
        attempt_decide_unstarted(a, FATE_RELEASED);
        settle(dray, a, NULL);
        return error_set(error, DRAY_INVALID, 0, "the handler of type %s is gone", job->type.data);
    }
    attempt_run(a);
    code = instance_check(dray, error); /* its handler may have forked */
    if (code != DRAY_OK)
        return code;
    code = settle(dray, a, error);
    return code == DRAY_OK ? outcome_of(a, job, error) : code;
}

int inline_run(struct dray *dray, const struct dray_job *job, struct dray_error *error)
{
    if ((job->delay_ms || job->run_at_ms) && depth() > 0)
        return DRAY_OK; /* delayed, from inside a handler: stored, not run */
    struct dray_error own = DRAY_ERROR_INIT;
    int code;
    do {
        struct dray_attempt *a = attempt_new(dray);
        if (!a)
            return error_set(error, DRAY_NOMEM, 0, "out of memory");
        code = run_attempt(dray, job, a, error ? error : &own);
        attempt_free(a);
    } while (code == DRAY_EMPTY);
    return code;
}
